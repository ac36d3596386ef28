/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Every axis by itself from the truth's own marginal density: right single axes, and no correlations. What
  measures of single axes cannot tell from a perfect generator.
*/
#include <fare/sampler.h>

#include <math.h>
#include <petscdm.h>

/* A density that is linear between the edges of cells. */
typedef struct {
  PetscInt cells;
  double   lower, spacing;
  double  *edge;  /* density at edges, cells + 1 */
  double  *below; /* probability below them */
} margin;

typedef struct {
  int64_t calls;
  margin  axis[FARE_AXES_MAX];
} product;

static const fare_field fields[] = {FARE_FIELDS_END};

static PetscErrorCode forget(margin *m)
{
  PetscFunctionBegin;
  PetscCall(PetscFree(m->edge));
  PetscCall(PetscFree(m->below));
  PetscFunctionReturn(0);
}

/* At edges the mean of the cells beside; 0 at the ends, where the truth's grid ends. */
static PetscErrorCode make(fare_joint *joint, int axis, margin *m)
{
  fare_grid         *grid;
  Vec                masses;
  const PetscScalar *mass;
  double             sum;

  PetscFunctionBegin;
  PetscCall(forget(m));
  PetscCall(joint->type->marginal(joint, 0, 1, &axis, &grid, &masses));
  *m = (margin){.cells = grid->cells[0], .lower = grid->lower[0], .spacing = grid->spacing[0]};
  PetscCall(PetscCalloc1((size_t)m->cells + 1, &m->edge));
  PetscCall(PetscCalloc1((size_t)m->cells + 1, &m->below));
  PetscCall(VecGetArrayRead(masses, &mass));
  for (PetscInt i = 1; i < m->cells; i++) m->edge[i] = 0.5 * (mass[i - 1] + mass[i]) / m->spacing;
  PetscCall(VecRestoreArrayRead(masses, &mass));
  for (PetscInt i = 0; i < m->cells; i++)
    m->below[i + 1] = m->below[i] + 0.5 * (m->edge[i] + m->edge[i + 1]) * m->spacing;
  sum = m->below[m->cells];
  for (PetscInt i = 0; i <= m->cells; i++) {
    m->edge[i] /= sum;
    m->below[i] /= sum;
  }
  PetscCall(VecDestroy(&masses));
  PetscCall(fare_grid_destroy(&grid));
  PetscFunctionReturn(0);
}

/* The place below which there is probability u. */
static double quantile(const margin *m, double u)
{
  PetscInt low = 0, high = m->cells;
  double   rest, slope, left;

  while (high - low > 1) {
    const PetscInt middle = (low + high) / 2;

    if (m->below[middle] > u)
      high = middle;
    else
      low = middle;
  }
  rest  = (u - m->below[low]) / m->spacing;
  left  = m->edge[low];
  slope = m->edge[low + 1] - left; /* left s + slope s^2/2 = rest */
  return m->lower +
    m->spacing *
    ((double)low +
      PetscMin(1, 2 * rest / (left + sqrt(PetscMax(0, left * left + 2 * slope * rest)) + 1e-300)));
}

static double log_density_of(const margin *m, double x)
{
  const double   at = (x - m->lower) / m->spacing;
  const PetscInt i  = (PetscInt)PetscMax(0, PetscMin((double)m->cells - 1, floor(at)));

  if (!(at >= 0 && at <= (double)m->cells)) return -HUGE_VAL;
  return log(m->edge[i] + (at - (double)i) * (m->edge[i + 1] - m->edge[i]));
}

static PetscErrorCode advance(fare_sampler *sampler, double t, fare_ensemble *ensemble)
{
  product          *s      = sampler->state;
  const fare_stream stream = fare_sampler_stream(sampler, "draws");
  double            u[FARE_BLOCK];

  PetscFunctionBegin;
  if (!sampler->joint->type->marginal)
    FARE_SAMPLER_FAIL(
      sampler, FARE_ERR_INPUT, "a truth of kind '%s' has no marginals", sampler->joint->type->name);
  for (int axis = 0; axis < ensemble->dim; axis++) PetscCall(make(sampler->joint, axis, &s->axis[axis]));
  for (int64_t b = 0; b < ensemble->blocks; b++) {
    const fare_block block = fare_ensemble_block(ensemble, b);

    for (int axis = 0; axis < ensemble->dim; axis++) {
      fare_random_uniforms(stream, block.number, (uint64_t)s->calls, (uint32_t)axis, u);
      for (int i = 0; i < FARE_BLOCK; i++) block.x[axis][i] = quantile(&s->axis[axis], u[i]);
    }
  }
  s->calls++;
  ensemble->time = t;
  PetscFunctionReturn(0);
}

static PetscErrorCode log_density(fare_sampler *sampler, int64_t n, const double *const x[], double to[])
{
  const product *s = sampler->state;

  PetscFunctionBegin;
  for (int64_t i = 0; i < n; i++) {
    to[i] = 0;
    for (int axis = 0; axis < sampler->joint->dim; axis++)
      to[i] += log_density_of(&s->axis[axis], x[axis][i]);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode destroy(fare_sampler *sampler)
{
  product *s = sampler->state;

  PetscFunctionBegin;
  for (int axis = 0; axis < FARE_AXES_MAX; axis++) PetscCall(forget(&s->axis[axis]));
  PetscFunctionReturn(0);
}

static const fare_kept kept[] = {
  FARE_KEEP(INTEGER, product, calls),
  FARE_KEPT_END,
};

const fare_sampler_type fare_sampler_product_of_marginals = {
  .name        = "product_of_marginals",
  .summary     = "each axis by itself from the truth's marginal: right single axes, no correlations",
  .reference   = "",
  .family      = FARE_EQUILIBRIUM,
  .many_axes   = PETSC_TRUE,
  .needs_joint = PETSC_TRUE,
  .size        = sizeof(product),
  .fields      = fields,
  .advance     = advance,
  .log_density = log_density,
  .kept        = kept,
  .destroy     = destroy,
};
