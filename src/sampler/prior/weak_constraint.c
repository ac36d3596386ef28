/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Densities on a grid at all snapshots, fitted to counts of the training particles and held together by
  assumed dynamics: what a prior on a generator can give at best, without a network. A weak constraint in the
  sense of data assimilation (Sasaki, Mon. Weather Rev. 98, 875 (1970)), for densities.

  lambda is the weight times the number of particles at a training snapshot. Weight 0: histograms; large: the
  solution of the assumed Fokker-Planck equation that is most likely. `auto` takes the weight by which either
  half of the particles tells most about the other.
*/
#include "weak_constraint.h"

#include "line.h"
#include "sampler/shared/quantile.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define FINE      8    /* parts of a cell that draws and densities know */
#define ENOUGH    1e-8 /* gap of the minimisation, per particle, in nats */
#define ROUGH     1e-5 /* where weights are compared */
#define SPREAD    0.1  /* of a particle, evenly over the box at every training snapshot */
#define WEAKEST   -2   /* of the decades of weights that auto tries */
#define STRONGEST 3
#define WEIGHTS   (STRONGEST - WEAKEST + 3) /* those, and one on either side of the best */
#define CERTAIN   1e-4

typedef struct {
  PetscInt64 cells;

  PetscBool  ready;
  int64_t    advances, snapshots, size; /* size: snapshots * cells */
  double    *mass;                      /* [snapshot * cells + cell] */
  double     lower, upper, weight;
  fare_grid *grid; /* of the last advance: each cell in FINE parts */
  double    *fine;
} weak;

static const fare_field fields[] = {
  {"cells", FARE_INTEGER, offsetof(weak, cells), "64", 8, 1024, NULL, "",
    "cells of the grid that densities are fitted on"},
  FARE_FIELDS_END,
};

static PetscErrorCode check(const void *state, const fare_system *system)
{
  PetscFunctionBegin;
  (void)state;
  if (fare_system_dimension(system) != 1)
    FARE_FAIL(FARE_ERR_INPUT,
      "sampler 'weak_constraint' keeps whole propagators, in one axis; system '%s' has %d",
      fare_system_type_of(system)->name, fare_system_dimension(system));
  PetscFunctionReturn(0);
}

/*
  What a fit works on. Before the first snapshot stands a density that is blurred to become it. Counts of both
  halves of the particles: [half][(1 + snapshot) * cells + cell].
*/
typedef struct {
  fare_sampler     *sampler;
  weak             *s;
  fare_weak_problem problem;
  int64_t           size;                             /* (1 + snapshots) * cells */
  double          **K, **chain, *blur;                /* chain: the blur, then K */
  double           *count[2], *all, *given, *q, each; /* each: particles at a training snapshot */
  PetscBool        *learned;                          /* of each of these times: it is a training snapshot */
  int               trained;                          /* training snapshots */
} fitting;

/* Particles of odd numbers are one half. */
static PetscErrorCode add_counts(fitting *f, const fare_ensemble *e, PetscInt64 snapshot)
{
  weak        *s     = f->s;
  const double width = (s->upper - s->lower) / (double)s->cells;

  PetscFunctionBegin;
  if (e->weight) FARE_SAMPLER_FAIL(f->sampler, FARE_ERR_INPUT, "it needs training particles of equal weight");
  for (int64_t i = 0; i < e->local; i++) {
    double at = floor((e->x[0][i] - s->lower) / width);

    if (fare_system_type_of(f->sampler->system)->periodic[0])
      at -= (double)s->cells * floor(at / (double)s->cells);
    at = PetscMax(0, PetscMin((double)s->cells - 1, at));
    f->count[(e->first_block * FARE_BLOCK + i) % 2][(1 + snapshot) * s->cells + (PetscInt64)at] += 1;
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode find_counts(fitting *f, const fare_training_set *data)
{
  weak          *s    = f->s;
  PetscErrorCode code = 0;

  PetscFunctionBegin;
  for (int k = 0; k < data->count && !code; k++) {
    PetscInt64 snapshot = 0;

    while (snapshot + 1 < s->snapshots &&
      fare_schedule_time(&f->sampler->schedule, snapshot) < data->times[k] - 1e-12)
      snapshot++;
    f->learned[1 + snapshot] = PETSC_TRUE;
    code                     = add_counts(f, data->at[k], snapshot);
  }
  PetscCall(fare_error_agree(f->sampler->comm, code));
  for (int half = 0; half < 2; half++)
    PetscCallMPI(MPI_Allreduce(
      MPI_IN_PLACE, f->count[half], (PetscMPIInt)f->size, MPI_DOUBLE, MPI_SUM, f->sampler->comm));
  for (int64_t i = 0; i < f->size; i++) f->all[i] = f->count[0][i] + f->count[1][i];
  f->trained = data->count;
  f->each    = data->count ? (double)data->at[0]->count : 0;
  PetscFunctionReturn(0);
}

/* Begins as what all times hold together, and a particle spread evenly. */
static void begin(const fitting *f, const double count[], double q[])
{
  const PetscInt64 cells = f->s->cells;
  double           sum   = 1;

  for (int64_t i = 0; i < f->size; i++) sum += count[i];
  for (PetscInt64 cell = 0; cell < cells; cell++) {
    double here = 1 / (double)cells;

    for (int64_t i = cell; i < f->size; i += cells) here += count[i];
    for (int64_t i = cell; i < f->size; i += cells) q[i] = here / sum;
  }
}

/* Normals of a width in cells. */
static void set_blur(fitting *f, double width)
{
  const PetscInt64 n      = f->s->cells;
  const PetscBool  closed = fare_system_type_of(f->sampler->system)->periodic[0];

  for (PetscInt64 from = 0; from < n; from++) {
    double sum = 0, *to = f->blur + from * n;

    for (PetscInt64 i = 0; i < n; i++) {
      double apart = fabs((double)(i - from));

      if (closed) apart = PetscMin(apart, (double)n - apart);
      sum += to[i] = exp(-0.5 * apart * apart / (width * width));
    }
    for (PetscInt64 i = 0; i < n; i++) to[i] /= sum;
  }
}

/* ln of the density that the blur makes of counts of either half at a snapshot, over the other's. */
static double score_blur(const fitting *f, int64_t at)
{
  const PetscInt64 n   = f->s->cells;
  double           sum = 0;

  for (int half = 0; half < 2; half++) {
    const double *from = f->count[half] + at * n, *judge = f->count[1 - half] + at * n;

    for (PetscInt64 to = 0; to < n; to++) {
      double here = 1 / (double)n; /* a particle spread evenly */

      if (!(judge[to] > 0)) continue;
      for (PetscInt64 i = 0; i < n; i++) here += from[i] * f->blur[i * n + to];
      sum += judge[to] * log(here);
    }
  }
  return sum;
}

/* By the first training snapshot, in steps of half an octave. */
static void choose_blur(fitting *f)
{
  int64_t at   = 0;
  double  best = 0, most = -HUGE_VAL;

  while (!f->learned[at]) at++;
  for (double width = 0.5; width < 0.25 * (double)f->s->cells; width *= sqrt(2)) {
    double nats;

    set_blur(f, width);
    nats = score_blur(f, at);
    if (nats > most) {
      most = nats;
      best = width;
    }
  }
  set_blur(f, best);
}

/* Of counts of so many particles, from what all times hold together. */
static PetscErrorCode fit(fitting *f, const double count[], double particles, double weight, double enough,
  double q[], fare_weak_fit *of)
{
  const double all = particles * f->trained;

  PetscFunctionBegin;
  for (int64_t i = 0; i < f->size; i++)
    f->given[i] =
      count[i] + (f->learned[i / f->s->cells] || i < f->s->cells ? SPREAD / (double)f->s->cells : 0);
  f->problem.count = f->given;
  begin(f, f->given, q);
  PetscCall(fare_weak_solve(&f->problem, PetscMax(weight, 1e-9) * particles, enough * all, q, of));
  of->gap /= all;
  PetscFunctionReturn(0);
}

/* Mean of ln q over particles of the other half, of both halves. */
static PetscErrorCode score(fitting *f, double weight, double *const q[2], double *nats)
{
  fare_weak_fit of;
  double        sum = 0;

  PetscFunctionBegin;
  for (int half = 0; half < 2; half++) {
    PetscCall(fit(f, f->count[half], 0.5 * f->each, weight, ROUGH, q[half], &of));
    for (int64_t i = 0; i < f->size; i++) sum += f->count[1 - half][i] * log(q[half][i]);
  }
  *nats = sum / (f->each * f->trained) + log((double)f->s->cells / (f->s->upper - f->s->lower));
  PetscFunctionReturn(0);
}

static void report(const fitting *f, int tried, const double weight[], const double nats[], int best)
{
  fare_text text = {0};

  for (int i = 0; i < tried; i++) fare_text_add(&text, "%s%.4g at %g", i ? ", " : "", nats[i], weight[i]);
  fare_log("weak constraint of %s: weight %g, by ln q of the half of the particles that is held out (%s)",
    f->sampler->name, weight[best], text.text ? text.text : "");
  fare_text_free(&text);
}

/* Decades, the strongest first, then half a decade on either side of the best. */
static PetscErrorCode choose_weight(fitting *f, double *chosen)
{
  double weight[WEIGHTS], nats[WEIGHTS], *q[2], middle;
  int    best = 0, tried = 0;

  PetscFunctionBegin;
  if (f->each < 2)
    FARE_SAMPLER_FAIL(f->sampler, FARE_ERR_INPUT,
      "'weight: auto' holds out half of the training particles, but there is only one: set a weight");
  PetscCall(PetscMalloc2((size_t)f->size, &q[0], (size_t)f->size, &q[1]));
  for (; tried < WEIGHTS; tried++) {
    if (tried < WEIGHTS - 2)
      weight[tried] = pow(10, STRONGEST - tried);
    else
      weight[tried] = middle * (tried == WEIGHTS - 2 ? sqrt(10) : sqrt(0.1));
    PetscCall(score(f, weight[tried], q, &nats[tried]));
    if (nats[tried] > nats[best]) best = tried;
    if (tried == WEIGHTS - 3) middle = weight[best];
  }
  *chosen = weight[best];
  report(f, tried, weight, nats, best);
  PetscCall(PetscFree2(q[0], q[1]));
  PetscFunctionReturn(0);
}

static PetscErrorCode learn(fitting *f)
{
  const fare_prior *prior = f->sampler->prior;
  weak             *s     = f->s;
  fare_weak_fit     of;

  PetscFunctionBegin;
  s->weight = prior ? prior->weight : NAN;
  choose_blur(f);
  if (isnan(s->weight)) PetscCall(choose_weight(f, &s->weight));
  PetscCall(fit(f, f->all, f->each, s->weight, ENOUGH, f->q, &of));
  PetscCall(PetscArraycpy(s->mass, f->q + s->cells, s->size));
  if (of.gap > CERTAIN)
    fare_warn("weak constraint of %s: with weight %g the minimum is found to %.1e nats per particle only",
      f->sampler->name, s->weight, of.gap);
  fare_log("weak constraint of %s: %d rounds, at most %.1e nats per particle above the minimum",
    f->sampler->name, of.rounds, of.gap);
  PetscFunctionReturn(0);
}

static PetscErrorCode fitting_begin(fare_sampler *sampler, fitting *f)
{
  weak      *s = sampler->state;
  fare_grid *grid;
  double    *time;

  PetscFunctionBegin;
  fare_prior_box(sampler, &s->lower, &s->upper);
  s->snapshots = sampler->schedule.count;
  s->size      = s->snapshots * s->cells;
  PetscCall(PetscFree(s->mass));
  PetscCall(PetscMalloc1((size_t)s->size, &s->mass));
  f->size = s->size + s->cells;
  PetscCall(PetscCalloc6((size_t)f->size, &f->count[0], (size_t)f->size, &f->count[1], (size_t)f->size,
    &f->all, (size_t)f->size, &f->given, (size_t)f->size, &f->q, (size_t)s->snapshots + 1, &f->learned));
  PetscCall(PetscMalloc2((size_t)(s->cells * s->cells), &f->blur, (size_t)s->snapshots, &f->chain));
  PetscCall(PetscMalloc1((size_t)s->snapshots, &time));
  for (int64_t k = 0; k < s->snapshots; k++) time[k] = fare_schedule_time(&sampler->schedule, k);
  PetscCall(fare_prior_grid(sampler, s->lower, s->upper, (PetscInt)s->cells, &grid));
  PetscCall(fare_weak_propagators(
    grid, sampler->prior ? sampler->prior->system : sampler->system, (int)s->snapshots, time, &f->K));
  f->chain[0] = f->blur;
  for (int64_t k = 1; k < s->snapshots; k++) f->chain[k] = f->K[k - 1];
  f->problem = (fare_weak_problem){(int)s->snapshots + 1, (PetscInt)s->cells, NULL, f->chain};
  PetscCall(fare_grid_destroy(&grid));
  PetscCall(PetscFree(time));
  PetscFunctionReturn(0);
}

static PetscErrorCode train(fare_sampler *sampler, const fare_training_set *data)
{
  weak          *s = sampler->state;
  fitting        f = {.sampler = sampler, .s = s};
  PetscErrorCode code;

  PetscFunctionBegin;
  code = fare_error_agree(sampler->comm, fitting_begin(sampler, &f));
  if (!code) code = find_counts(&f, data);
  if (!code) code = fare_error_agree(sampler->comm, learn(&f));
  PetscCall(fare_weak_propagators_destroy((int)s->snapshots, &f.K));
  PetscCall(PetscFree6(f.count[0], f.count[1], f.all, f.given, f.q, f.learned));
  PetscCall(PetscFree2(f.blur, f.chain));
  s->ready = code ? PETSC_FALSE : PETSC_TRUE;
  PetscFunctionReturn(code);
}

static PetscErrorCode forget(weak *s)
{
  PetscFunctionBegin;
  PetscCall(fare_grid_destroy(&s->grid));
  PetscCall(PetscFree(s->fine));
  PetscFunctionReturn(0);
}

/* Within a cell ln q is a parabola through its neighbours, scaled to the mass of the cell. */
static void refine(const weak *s, const double mass[], PetscBool closed, double fine[])
{
  const PetscInt64 n = s->cells;

  for (PetscInt64 i = 0; i < n; i++) {
    const PetscInt64 below = i ? i - 1 : closed ? n - 1 : i, above = i + 1 < n ? i + 1 : closed ? 0 : i;
    const double     u = log(mass[i]), down = log(mass[below]), up = log(mass[above]);
    double           most = -HUGE_VAL, sum = 0;

    for (int part = 0; part < FINE; part++) {
      const double at = (part + 0.5) / FINE - 0.5;

      fine[i * FINE + part] = 0.5 * at * (up - down) + 0.5 * at * at * (up - 2 * u + down);
      most                  = PetscMax(most, fine[i * FINE + part]);
    }
    for (int part = 0; part < FINE; part++) sum += fine[i * FINE + part] = exp(fine[i * FINE + part] - most);
    for (int part = 0; part < FINE; part++) fine[i * FINE + part] *= mass[i] / sum;
  }
}

/* Brings `fine` to a snapshot. */
static PetscErrorCode move(fare_sampler *sampler, double t)
{
  weak        *s     = sampler->state;
  const double slack = 1e-9 * (sampler->schedule.end - sampler->schedule.start);
  int64_t      k     = 0;

  PetscFunctionBegin;
  if (!s->ready) FARE_SAMPLER_FAIL(sampler, FARE_ERR_FAILED, "it has not been fitted yet");
  while (k < s->snapshots && fabs(fare_schedule_time(&sampler->schedule, k) - t) > slack) k++;
  if (k == s->snapshots)
    FARE_SAMPLER_FAIL(sampler, FARE_ERR_FAILED, "it knows densities at snapshots, not at time %g", t);
  if (!s->grid) PetscCall(fare_prior_grid(sampler, s->lower, s->upper, (PetscInt)s->cells * FINE, &s->grid));
  if (!s->fine) PetscCall(PetscMalloc1((size_t)s->cells * FINE, &s->fine));
  refine(s, s->mass + k * s->cells, fare_system_type_of(sampler->system)->periodic[0], s->fine);
  PetscFunctionReturn(0);
}

static PetscErrorCode advance(fare_sampler *sampler, double t, fare_ensemble *ensemble)
{
  weak *s = sampler->state;

  PetscFunctionBegin;
  PetscCall(move(sampler, t));
  PetscCall(fare_quantile_draw(
    s->grid, s->fine, fare_sampler_stream(sampler, "latent"), (uint64_t)s->advances, ensemble));
  s->advances++;
  PetscFunctionReturn(0);
}

/* Mass below x. */
static double below(const weak *s, const double sum[], double x)
{
  const double   at = (x - s->grid->lower[0]) / s->grid->spacing[0], last = (double)s->grid->cells[0];
  const PetscInt i = (PetscInt)PetscMax(0, PetscMin(last - 1, floor(at)));

  return at <= 0 ? 0 : at >= last ? sum[s->grid->cells[0]] : sum[i] + (at - (double)i) * s->fine[i];
}

static PetscErrorCode model_density(fare_sampler *sampler, double t, const fare_grid *grid, Vec *masses)
{
  weak        *s = sampler->state;
  PetscScalar *to;
  double      *sum;

  PetscFunctionBegin;
  PetscCall(move(sampler, t));
  PetscCall(PetscMalloc1((size_t)s->grid->cells[0] + 1, &sum));
  sum[0] = 0;
  for (PetscInt i = 0; i < s->grid->cells[0]; i++) sum[i + 1] = sum[i] + s->fine[i];
  PetscCall(DMCreateGlobalVector(grid->dm, masses));
  PetscCall(VecGetArray(*masses, &to));
  for (PetscInt i = 0; i < grid->count[0]; i++) {
    const double from = grid->lower[0] + grid->spacing[0] * (double)(grid->start[0] + i);

    to[i] = below(s, sum, from + grid->spacing[0]) - below(s, sum, from);
  }
  PetscCall(VecRestoreArray(*masses, &to));
  PetscCall(PetscFree(sum));
  PetscFunctionReturn(0);
}

static PetscErrorCode log_density(fare_sampler *sampler, int64_t n, const double *const x[], double to[])
{
  const weak *s = sampler->state;

  PetscFunctionBegin;
  if (!s->fine) FARE_SAMPLER_FAIL(sampler, FARE_ERR_FAILED, "it has not been drawn from yet");
  for (int64_t i = 0; i < n; i++) {
    const double at = floor((x[0][i] - s->grid->lower[0]) / s->grid->spacing[0]);

    to[i] = at >= 0 && at < (double)s->grid->cells[0] ? log(s->fine[(PetscInt)at] / s->grid->spacing[0])
                                                      : -HUGE_VAL;
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode destroy(fare_sampler *sampler)
{
  weak *s = sampler->state;

  PetscFunctionBegin;
  PetscCall(forget(s));
  PetscCall(PetscFree(s->mass));
  PetscFunctionReturn(0);
}

static const fare_kept kept[] = {
  FARE_KEEP(BOOLEAN, weak, ready),
  FARE_KEEP(INTEGER, weak, advances),
  FARE_KEEP(INTEGER, weak, snapshots),
  FARE_KEEP_WITH(REALS, weak, mass, .length = offsetof(weak, size)),
  FARE_KEEP(REAL, weak, lower),
  FARE_KEEP(REAL, weak, upper),
  FARE_KEEP(REAL, weak, weight),
  FARE_KEPT_END,
};

static PetscErrorCode loaded(fare_sampler *sampler)
{
  const weak *s = sampler->state;

  PetscFunctionBegin;
  if (s->ready && (s->snapshots != sampler->schedule.count || s->size != s->snapshots * s->cells))
    FARE_SAMPLER_FAIL(sampler, FARE_ERR_FAILED, "%lld masses are not those of %lld snapshots",
      (long long)s->size, (long long)sampler->schedule.count);
  PetscFunctionReturn(0);
}

const fare_sampler_type fare_sampler_weak_constraint = {
  .name          = "weak_constraint",
  .summary       = "densities on a grid, fitted to training particles and to assumed dynamics; no network",
  .reference     = "Sasaki, Mon. Weather Rev. 98, 875 (1970); Jaggi, ICML 2013, 427",
  .family        = FARE_GENERATIVE,
  .walls         = FARE_WALLS_FOLDED,
  .size          = sizeof(weak),
  .priors        = 1 << FARE_PRIOR_DYNAMICS_CHAIN,
  .fields        = fields,
  .check         = check,
  .train         = train,
  .advance       = advance,
  .model_density = model_density,
  .log_density   = log_density,
  .kept          = kept,
  .loaded        = loaded,
  .destroy       = destroy,
};
