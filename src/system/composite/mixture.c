/* SPDX-License-Identifier: BSD-2-Clause */
/*
  A driven mixture of Gaussians in any number of axes, whose density is known at all times:

    rho = sum_k w_k N(m_k, C_k), m_k = mean + position motion + position_2 motion_2, C_k = width^2 sd^2,
    dX = mobility (-grad V + F) dt + sqrt(2 mobility kT) dW, V = -kT ln rho,
    mobility F = v = sum_k g_k(x) (dm_k/dt + (d ln width/dt) (x - m_k)), g_k = w_k N(m_k, C_k)/rho.

  rho solves the Fokker-Planck equation, because v carries every component and the rest leaves rho alone.
*/
#include "composite.h"
#include "mixture.h"

#include <fare/mixture.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { POSITION = FARE_OWN, POSITION_2, WIDTH, OWN_END };

static const fare_parameter parameters[] = {
  FARE_COMMON_PARAMETERS,
  {"position", 0.0, -1e6, 1e6, "of all centres along 'motion'"},
  {"position_2", 0.0, -1e6, 1e6, "of all centres along 'motion_2'"},
  {"width", 1.0, 1e-3, 1e3, "factor of all standard deviations"},
  FARE_PARAMETERS_END,
};

struct fare_mixture {
  fare_reals weights, mean, sd, motion, motion_2;
  int        dim, components;
};

static const fare_field fields[] = {
  {"weights", FARE_REALS, offsetof(fare_mixture, weights), NULL, 1e-12, 1e12, NULL, "",
    "of the components, normalised to 1"},
  {"mean", FARE_REALS, offsetof(fare_mixture, mean), NULL, -1e6, 1e6, NULL, "",
    "centres, one component after another"},
  {"sd", FARE_REALS, offsetof(fare_mixture, sd), NULL, 1e-9, 1e6, NULL, "",
    "standard deviations, as mean; or one number for all"},
  {"motion", FARE_REALS, offsetof(fare_mixture, motion), "", -1e6, 1e6, NULL, "",
    "how far 'position' moves the centres, as mean"},
  {"motion_2", FARE_REALS, offsetof(fare_mixture, motion_2), "", -1e6, 1e6, NULL, "",
    "how far 'position_2' moves them, as mean"},
  FARE_FIELDS_END,
};

/* Of one moment: centres, their velocities, and the rate of breathing. */
typedef struct {
  fare_mixture_moment at;
  double             *height, *mean, *precision, *velocity, *constant, *slope;
  double              breathing;
} moment;

static double listed(const fare_reals *list, int i)
{
  return list->count ? list->values[list->count > 1 ? i : 0] : 0;
}

/* Arrays of a moment, behind one pointer, which is to be freed. */
static double *arrange(const fare_mixture *s, moment *m)
{
  const size_t size = (size_t)(s->dim * s->components);
  double      *all  = malloc((5 * size + (size_t)s->components) * sizeof *all);

  if (!all) abort();
  *m    = (moment){.mean = all,
       .precision        = all + size,
       .velocity         = all + 2 * size,
       .constant         = all + 3 * size,
       .slope            = all + 4 * size,
       .height           = all + 5 * size};
  m->at = (fare_mixture_moment){s->dim, s->components, m->height, m->mean, m->precision};
  return all;
}

static double *moment_of(const fare_mixture *s, const double *theta, moment *m)
{
  double *all = arrange(s, m), sum = 0;

  for (int c = 0; c < s->components; c++) sum += s->weights.values[c];
  m->breathing = fare_composite_rates(theta)[WIDTH - FARE_OWN] / theta[WIDTH];
  for (int c = 0; c < s->components; c++) {
    m->height[c] = log(s->weights.values[c] / sum) - 0.5 * s->dim * log(2 * PETSC_PI);
    for (int axis = 0; axis < s->dim; axis++) {
      const int    at = c * s->dim + axis;
      const double sd = theta[WIDTH] * listed(&s->sd, at);

      m->height[c] -= log(sd);
      m->precision[at] = 1 / (sd * sd);
      m->mean[at]      = s->mean.values[at] + theta[POSITION] * listed(&s->motion, at) +
        theta[POSITION_2] * listed(&s->motion_2, at);
      m->velocity[at] = fare_composite_rates(theta)[POSITION - FARE_OWN] * listed(&s->motion, at) +
        fare_composite_rates(theta)[POSITION_2 - FARE_OWN] * listed(&s->motion_2, at);
    }
  }
  return all;
}

static const fare_mixture *mixture_at(const double *theta)
{
  return fare_composite_at(theta)->state;
}

/* Points from on, of arrays x[axis]. */
static size_t run_of(int dim, size_t from, size_t n, const double *const x[], double *const f[],
  const double *at[], double *to[])
{
  for (int axis = 0; axis < dim; axis++) {
    at[axis] = x[axis] + from;
    if (f) to[axis] = f[axis] + from;
  }
  return n - from < FARE_MIXTURE_RUN ? n - from : FARE_MIXTURE_RUN;
}

static void potential(int dim, const double *theta, size_t n, const double *const x[], double V[])
{
  const double *at[FARE_AXES_MAX];
  moment        m;
  double       *all = moment_of(mixture_at(theta), theta, &m);

  for (size_t from = 0; from < n; from += FARE_MIXTURE_RUN) {
    const size_t count = run_of(dim, from, n, x, NULL, at, NULL);

    fare_mixture_look(&m.at, count, at, V + from, NULL);
    for (size_t i = 0; i < count; i++) V[from + i] *= -theta[FARE_KT];
  }
  free(all);
}

/* sum_k g_k (gradient's part and velocity's part, each times a factor). */
static void add_up(
  int dim, moment *m, double gradient, double velocity, size_t n, const double *const x[], double *const f[])
{
  const double *at[FARE_AXES_MAX];
  double log_density[FARE_MIXTURE_RUN], share[FARE_MIXTURE_MOST * FARE_MIXTURE_RUN], *to[FARE_AXES_MAX];

  for (int i = 0; i < dim * m->at.components; i++) {
    m->slope[i]    = velocity * m->breathing - gradient * m->precision[i];
    m->constant[i] = velocity * m->velocity[i] - m->slope[i] * m->mean[i];
  }
  for (size_t from = 0; from < n; from += FARE_MIXTURE_RUN) {
    const size_t count = run_of(dim, from, n, x, f, at, to);

    fare_mixture_look(&m->at, count, at, log_density, share);
    fare_mixture_sum(&m->at, m->constant, m->slope, count, at, share, to);
  }
}

static void force(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  moment  m;
  double *all = moment_of(mixture_at(theta), theta, &m);

  add_up(dim, &m, theta[FARE_KT], 1 / theta[FARE_MOBILITY], n, x, f);
  free(all);
}

static void nonconservative(
  int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  moment  m;
  double *all = moment_of(mixture_at(theta), theta, &m);

  add_up(dim, &m, 0, 1 / theta[FARE_MOBILITY], n, x, f);
  free(all);
}

static PetscErrorCode check_count(
  const fare_node *section, const char *key, size_t count, size_t wanted, const char * or)
{
  PetscFunctionBegin;
  if (count != wanted)
    FARE_REFUSE(fare_node_find(section, key),
      "expected %zu numbers, one per axis of one component after another%s, got %zu", wanted, or, count);
  PetscFunctionReturn(0);
}

static PetscErrorCode read(const fare_node *section, fare_composite *c)
{
  fare_mixture     *s          = c->state;
  fare_system_type *type       = &c->type;
  const size_t      components = s->weights.count, dim = components ? s->mean.count / components : 0;

  PetscFunctionBegin;
  if (components < 1 || components > FARE_MIXTURE_MOST)
    FARE_REFUSE(
      fare_node_find(section, "weights"), "expected 1 to %d numbers, got %zu", FARE_MIXTURE_MOST, components);
  if (dim < 1 || dim > FARE_AXES_MAX || dim * components != s->mean.count)
    FARE_REFUSE(fare_node_find(section, "mean"),
      "expected as many numbers for each of %zu components, up to %d, got %zu in all", components,
      FARE_AXES_MAX, s->mean.count);
  if (s->sd.count != 1) PetscCall(check_count(section, "sd", s->sd.count, s->mean.count, ", or one for all"));
  if (s->motion.count) PetscCall(check_count(section, "motion", s->motion.count, s->mean.count, ""));
  if (s->motion_2.count) PetscCall(check_count(section, "motion_2", s->motion_2.count, s->mean.count, ""));
  s->components       = (int)components;
  s->dim              = (int)dim;
  type->dimension_min = type->dimension_max = s->dim;
  type->parameters                          = parameters;
  type->potential                           = potential;
  type->force                               = force;
  type->nonconservative                     = nonconservative;
  c->rates                                  = OWN_END - FARE_OWN;
  for (int axis = 0; axis < s->dim; axis++) {
    type->lower[axis] = HUGE_VAL;
    type->upper[axis] = -HUGE_VAL;
    for (int k = 0; k < s->components; k++) {
      const int    at = k * s->dim + axis;
      const double reach =
        fabs(listed(&s->motion, at)) + fabs(listed(&s->motion_2, at)) + 6 * listed(&s->sd, at);

      type->lower[axis] = PetscMin(type->lower[axis], s->mean.values[at] - reach);
      type->upper[axis] = PetscMax(type->upper[axis], s->mean.values[at] + reach);
    }
  }
  PetscFunctionReturn(0);
}

static void write(const fare_composite *c, fare_text *to)
{
  fare_fields_write(fields, c->state, 2, to);
}

const fare_composite_kind fare_composite_gaussian_mixture = {
  .name      = "gaussian_mixture",
  .summary   = "mixture of Gaussians with moving centres and widths: its density is known at all times",
  .reference = "Patra and Jarzynski, New J. Phys. 19, 125009 (2017)",
  .size      = sizeof(fare_mixture),
  .fields    = fields,
  .read      = read,
  .write     = write,
};

const fare_mixture *fare_mixture_of(const fare_system *system)
{
  const fare_composite *c = system->origin.composite;

  return c && c->kind == &fare_composite_gaussian_mixture ? c->state : NULL;
}

int fare_mixture_components(const fare_mixture *mixture)
{
  return mixture->components;
}

void fare_mixture_at(const fare_system *system, double t, double weight[], double mean[], double variance[])
{
  const fare_mixture *s = fare_mixture_of(system);
  double              theta[FARE_PARAMETERS_MAX], sum = 0;

  fare_system_parameters(system, t, theta);
  for (int c = 0; c < s->components; c++) sum += s->weights.values[c];
  for (int c = 0; c < s->components; c++) weight[c] = s->weights.values[c] / sum;
  for (int at = 0; at < s->components * s->dim; at++) {
    const double sd = theta[WIDTH] * listed(&s->sd, at);

    mean[at] = s->mean.values[at] + theta[POSITION] * listed(&s->motion, at) +
      theta[POSITION_2] * listed(&s->motion_2, at);
    variance[at] = sd * sd;
  }
}

PetscBool fare_mixture_jumps(const fare_system *system, double t)
{
  const double near = 1e-12 * PetscMax(1, fabs(t));
  double       before[FARE_PARAMETERS_MAX], after[FARE_PARAMETERS_MAX];

  fare_system_parameters(system, t - near, before);
  fare_system_parameters(system, t + near, after);
  for (int i = POSITION; i < OWN_END; i++) {
    if (fabs(after[i] - before[i]) > 1e-6 * (fabs(after[i]) + fabs(before[i]))) return PETSC_TRUE;
  }
  return PETSC_FALSE;
}
