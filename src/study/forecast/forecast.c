/* SPDX-License-Identifier: BSD-2-Clause */
/*
  A forecast of time: the truth on fewer cells, every method on fewer particles and training steps, one
  comparison of measures and one file, each scaled to the whole. Processor time, so that a busy machine does
  not change it.
*/
#include "forecast.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BUDGET     0.3 /* seconds of the truth's pilot */
#define PIECE      0.1 /* seconds of one method's */
#define STEPS      3   /* of a pilot's training */
#define CELLS_MOST 4194304
#define TRIED_MOST 262144 /* cells of a pilot, where they cannot be halved */
#define PER_FILE   0.006  /* processor seconds of one snapshot's file */

static double now(void)
{
  struct timespec t;

  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Cells of a pilot: halved along all axes that can be, until they are few. */
static double shrink(const fare_integers *cells, PetscInt64 fewer[])
{
  const double most  = cells->count == 1 ? 16384 : 8192;
  double       ratio = 1, before = 0, all = 1;

  for (size_t i = 0; i < cells->count; i++) all *= (double)(fewer[i] = cells->values[i]);
  while (all / ratio > most && ratio > before) {
    before = ratio;
    for (size_t i = 0; i < cells->count; i++) {
      if (fewer[i] % 4 || fewer[i] <= 16) continue;
      fewer[i] /= 2;
      ratio *= 2;
    }
  }
  return ratio;
}

/*
  Cells that lie beyond the cache cost more, and iterations rise a little (docs/benchmarks.md). The steps of
  an explicit method become as short as the cells.
*/
static double per_cell(double ratio, size_t axes, int scheme)
{
  if (scheme == FARE_SCHEME_HIGH_ORDER) return pow(ratio, 1 + 1. / (double)axes);
  return axes == 1 ? ratio : pow(ratio, 1.15);
}

static PetscErrorCode advance_pilot(
  const fare_plan *plan, fare_truth *truth, fare_thermo *thermo, double *spent)
{
  const double began = now();
  PetscInt64   k     = 0;
  double       last = 0, before = began;

  PetscFunctionBegin;
  for (; k < plan->snapshots.count && before - began < BUDGET; k++) {
    const double t = fare_schedule_time(&plan->snapshots, k);

    if (thermo)
      PetscCall(fare_thermo_advance(thermo, t));
    else
      PetscCall(fare_truth_advance(truth, t));
    last   = now() - before;
    before = now();
  }
  *spent = before - began + (double)(plan->snapshots.count - k) * last;
  PetscFunctionReturn(0);
}

static PetscErrorCode try_truth(const fare_plan *plan, fare_truth_options *options, double *seconds)
{
  PetscInt64     fewer[FARE_DIM_MAX];
  const fare_box box    = fare_truth_box(plan->system, options);
  const double   ratio  = shrink(&options->cells, fewer);
  double         tried  = 1;
  fare_thermo   *thermo = NULL;
  fare_truth    *truth  = NULL;
  PetscErrorCode code;

  PetscFunctionBegin;
  for (size_t i = 0; i < options->cells.count; i++) tried *= (double)fewer[i];
  if (tried > TRIED_MOST) FARE_FAIL(FARE_ERR_FAILED, "a pilot of %g cells takes too long", tried);
  options->scheme       = (int)fare_truth_scheme(plan->system, &box, options, plan->snapshots.start);
  options->cells.values = fewer;
  code =
    fare_truth_create(PETSC_COMM_SELF, plan->system, &plan->initial, plan->snapshots.start, options, &truth);
  if (!code && plan->has_thermodynamics)
    code = fare_thermo_create(truth, plan->system, &plan->thermodynamics, &thermo);
  if (!code) code = advance_pilot(plan, truth, thermo, seconds);
  *seconds *= per_cell(ratio, options->cells.count, options->scheme);
  PetscCall(fare_thermo_destroy(&thermo));
  PetscCall(fare_truth_destroy(&truth));
  PetscFunctionReturn(code);
}

/*
  A truth that is not one grid: as many snapshots as the budget allows, the second at least, and the rest by
  the last of them. Its measures are not tried.
*/
static PetscErrorCode try_joint(const fare_plan *plan, double *seconds)
{
  const double   began  = now();
  fare_joint    *joint  = NULL;
  double         before = began, last = 0;
  PetscInt64     k = 0;
  PetscErrorCode code;

  PetscFunctionBegin;
  code   = fare_joint_create(PETSC_COMM_SELF, plan->joint, plan->joint_options, plan->system, &plan->initial,
      plan->snapshots.start, &joint);
  before = now();
  for (; !code && k < plan->snapshots.count && (k < 2 || before - began < BUDGET); k++) {
    code   = fare_joint_advance(joint, fare_schedule_time(&plan->snapshots, k));
    last   = now() - before;
    before = now();
  }
  PetscCall(fare_joint_destroy(&joint));
  *seconds = before - began + (double)(plan->snapshots.count - k) * last;
  PetscFunctionReturn(code);
}

/* Oracles need the truth once more before anything else. */
static PetscErrorCode forecast_truth(const fare_plan *plan, fare_forecast *f)
{
  fare_truth_options options = plan->truth;
  PetscBool          oracles = PETSC_FALSE;

  PetscFunctionBegin;
  if (plan->joint && (try_joint(plan, &f->truth) || plan->measures)) f->partial = PETSC_TRUE;
  if (!plan->has_truth) PetscFunctionReturn(0);
  if (options.accuracy > 0 || options.fit_domain) { /* pilot runs of their own choose cells or box */
    f->partial = PETSC_TRUE;
    if (options.accuracy > 0) PetscFunctionReturn(0);
    options.fit_domain = PETSC_FALSE;
  }
  for (size_t i = 0; i < plan->ensembles; i++) oracles |= plan->ensemble[i].oracle;
  if (try_truth(plan, &options, &f->truth)) f->partial = PETSC_TRUE;
  if (oracles) f->truth *= 1.5;
  PetscFunctionReturn(0);
}

/* What pilots of one ensemble are made with. */
typedef struct {
  const fare_plan   *plan;
  fare_plan_ensemble e; /* its options with fewer steps */
  fare_walls         walls;
  fare_sampler      *sampler;
  double             steps; /* of training, over those of the pilot */
} pilot;

static PetscErrorCode begin_pilot(const fare_plan *plan, const fare_plan_ensemble *e, pilot *p)
{
  const PetscInt64 *steps;

  PetscFunctionBegin;
  *p           = (pilot){.plan = plan, .e = *e, .steps = 1};
  p->e.options = calloc(1, e->type->size);
  if (!p->e.options) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  PetscCall(fare_fields_copy(e->type->fields, e->options, p->e.options));
  steps = fare_fields_find(e->type->fields, p->e.options, "steps", FARE_INTEGER);
  if (steps && e->type->train) {
    p->steps             = (double)PetscMax(*steps, STEPS) / STEPS;
    *(PetscInt64 *)steps = PetscMin(*steps, STEPS);
  }
  if (plan->has_truth) p->walls = fare_truth_walls(plan->system, &plan->truth);
  PetscCall(fare_plan_sampler(PETSC_COMM_SELF, plan, &p->e, &plan->initial, &p->sampler));
  PetscCall(fare_sampler_set_prior(p->sampler, p->e.prior));
  PetscCall(fare_sampler_set_walls(p->sampler, &p->walls));
  PetscFunctionReturn(0);
}

static PetscErrorCode end_pilot(pilot *p)
{
  PetscFunctionBegin;
  PetscCall(fare_sampler_destroy(&p->sampler));
  fare_sampler_options_free(p->e.type, &p->e.options);
  PetscFunctionReturn(0);
}

/* What a user's function learns takes as long as it takes. */
static PetscBool learns_in_python(const fare_plan_ensemble *e)
{
  return fare_plan_is_python(e->type) && e->type->train ? PETSC_TRUE : PETSC_FALSE;
}

/* The training set, shared where it is the one before; and a few steps of training. */
static PetscErrorCode try_training(pilot *p, PetscBool shared, fare_forecast *f)
{
  const fare_training_options *asked  = &p->e.training;
  const double                 steps  = (p->plan->snapshots.end - p->plan->snapshots.start) / asked->dt;
  const PetscInt64             enough = (PetscInt64)(PIECE / (2e-8 * PetscMax(1, steps)));
  fare_training_set            set    = {0};
  double                       whole = (double)asked->particles, before = now();
  int64_t                      forces;
  PetscErrorCode               code = 0;

  PetscFunctionBegin;
  p->e.training.particles =
    PetscMin(asked->particles, PetscMax(FARE_BLOCK, enough / FARE_BLOCK * FARE_BLOCK));
  PetscCall(fare_training_simulate(
    PETSC_COMM_SELF, p->plan, &p->plan->initial, &p->walls, NULL, &p->e, &set, &forces));
  if (!shared) f->training += (now() - before) * whole / (double)p->e.training.particles;
  before = now();
  if (!learns_in_python(&p->e)) code = fare_sampler_train(p->sampler, &set);
  f->training += (now() - before) * p->steps;
  PetscCall(fare_training_free(&set));
  PetscFunctionReturn(code);
}

/* So many particles that one snapshot takes a piece of time, by rough costs of an evaluation. */
static PetscInt64 few_particles(const pilot *p)
{
  const double     snapshots = (double)p->plan->snapshots.count;
  const PetscInt64 all       = p->e.particles;
  fare_cost        cost      = {0};
  double           seconds, share;

  if (!p->e.type->estimate_cost) return PetscMin(all, 4 * FARE_BLOCK);
  p->e.type->estimate_cost(p->sampler, all, &cost);
  seconds = (2e-8 * (double)cost.force_evaluations + 2e-6 * (double)cost.network_evaluations) / snapshots;
  share   = seconds > PIECE ? PIECE / seconds : 1;
  return PetscMin(all, PetscMax(FARE_BLOCK, (PetscInt64)(share * (double)all) / FARE_BLOCK * FARE_BLOCK));
}

/* The first snapshot, and one more that stands for all that follow. */
static PetscErrorCode try_sampling(pilot *p, fare_forecast *f)
{
  const PetscBool  python = fare_plan_is_python(p->e.type);
  const PetscInt64 few    = few_particles(p);
  double           spent[2];
  fare_ensemble   *particles;
  PetscErrorCode   code = 0;

  PetscFunctionBegin;
  PetscCall(fare_ensemble_create(PETSC_COMM_SELF, fare_system_dimension(p->plan->system), few, &particles));
  for (int k = 0; k < 2 && !code; k++) {
    const double began = python ? fare_seconds() : now();

    code     = fare_sampler_advance(p->sampler, fare_schedule_time(&p->plan->snapshots, k), particles);
    spent[k] = (python ? fare_seconds() : now()) - began;
  }
  PetscCall(fare_ensemble_destroy(&particles));
  PetscCall(code);
  spent[0] += spent[1] * (double)(p->plan->snapshots.count - 1);
  spent[0] *= (double)p->e.particles / (double)few;
  f->sampling += spent[0];
  if (python) f->serial += spent[0];
  PetscFunctionReturn(0);
}

static PetscErrorCode try_ensemble(pilot *p, PetscBool shared, fare_forecast *f)
{
  PetscFunctionBegin;
  if (p->e.type->train) PetscCall(try_training(p, shared, f));
  if (learns_in_python(&p->e))
    f->partial = PETSC_TRUE;
  else
    PetscCall(try_sampling(p, f));
  PetscFunctionReturn(0);
}

/* Oracles and empirical optima need more than a piece. */
static PetscErrorCode forecast_ensemble(
  const fare_plan *plan, const fare_plan_ensemble *e, const fare_training_options **set, fare_forecast *f)
{
  const PetscBool shared = *set && fare_training_is_shared(&e->training, *set) ? PETSC_TRUE : PETSC_FALSE;
  pilot           p;
  PetscErrorCode  code;

  PetscFunctionBegin;
  if (fare_plan_ensemble_mode(e) != FARE_LEARNED) {
    f->partial = PETSC_TRUE;
    PetscFunctionReturn(0);
  }
  code = begin_pilot(plan, e, &p);
  if (!code) code = try_ensemble(&p, shared, f);
  if (code) f->partial = PETSC_TRUE;
  if (fare_training_is_simulated(e)) *set = &e->training;
  PetscCall(end_pilot(&p));
  PetscFunctionReturn(0);
}

/* One line of a run is one training; those that differ in their seed alone take as long as one another. */
static PetscErrorCode forecast_ensembles(const fare_plan *plan, fare_forecast *f)
{
  const fare_training_options *set = NULL;

  PetscFunctionBegin;
  for (size_t i = 0; i < plan->ensembles; i++) {
    fare_forecast one = {0};

    if (plan->ensemble[i].seed) continue;
    PetscCall(forecast_ensemble(plan, &plan->ensemble[i], &set, &one));
    f->training += one.training * (double)plan->ensemble[i].seeds;
    f->sampling += one.sampling * (double)plan->ensemble[i].seeds;
    f->serial += one.serial * (double)plan->ensemble[i].seeds;
    f->partial |= one.partial;
  }
  PetscFunctionReturn(0);
}

/* A density of the plan's system on bins, as wide as those of a run come to be. */
static PetscErrorCode some_density(const fare_plan *plan, const fare_grid *grid, Vec *masses)
{
  const double t = plan->snapshots.start;

  PetscFunctionBegin;
  if (fare_system_has_potential(plan->system))
    PetscCall(fare_grid_boltzmann(grid, plan->system, t, masses));
  else
    PetscCall(fare_grid_initial(grid, &plan->initial, plan->system, t, masses));
  PetscFunctionReturn(0);
}

static PetscErrorCode try_comparison(const fare_plan *plan, const fare_grid *grid,
  const fare_ensemble *samples, double *binned, double *compared)
{
  fare_binning  *binning;
  fare_binned    p, q;
  fare_measured *results;
  Vec            masses;
  double         before = now();

  PetscFunctionBegin;
  PetscCall(fare_binning_create(grid, &binning));
  PetscCall(fare_binning_ensemble(binning, samples, &q));
  *binned = now() - before;
  PetscCall(some_density(plan, grid, &masses));
  PetscCall(fare_binning_density(binning, masses, &p));
  PetscCall(VecDestroy(&masses));
  PetscCall(PetscCalloc1(PetscMax(1, plan->measures), &results));
  before = now();
  PetscCall(fare_measure_compare(PETSC_COMM_SELF, binning, &p, &p, &q, plan->measures, plan->measure,
    FARE_REPLICATES, fare_stream_make((uint64_t)plan->seed, "forecast"), results));
  *compared = now() - before;
  PetscCall(PetscFree(results));
  PetscCall(fare_binned_free(&p));
  PetscCall(fare_binned_free(&q));
  PetscCall(fare_binning_destroy(&binning));
  PetscFunctionReturn(0);
}

/* The grid of the plan, unless it is very large, with particles of its initial density. */
static PetscErrorCode try_measures(
  const fare_plan *plan, PetscInt64 particles, double *binned, double *compared)
{
  const fare_box box = fare_system_box(plan->system);
  const int      dim = fare_system_dimension(plan->system);
  PetscInt       cells[FARE_DIM_MAX];
  fare_grid     *grid;
  fare_ensemble *samples = NULL;
  fare_boundary  ends[FARE_DIM_MAX];

  PetscFunctionBegin;
  for (int axis = 0; axis < dim; axis++) {
    cells[axis] = (PetscInt)plan->truth.cells.values[axis];
    ends[axis]  = box.periodic[axis] ? FARE_BOUNDARY_PERIODIC : FARE_BOUNDARY_REFLECTING;
  }
  PetscCall(fare_grid_create(PETSC_COMM_SELF, dim, cells,
    plan->truth.lower.count ? plan->truth.lower.values : box.lower,
    plan->truth.upper.count ? plan->truth.upper.values : box.upper, ends, &grid));
  PetscCall(fare_ensemble_create(PETSC_COMM_SELF, dim, particles, &samples));
  PetscCall(fare_ensemble_draw(samples, &plan->initial, plan->system, plan->snapshots.start,
    fare_stream_make((uint64_t)plan->seed, "forecast")));
  PetscCall(try_comparison(plan, grid, samples, binned, compared));
  PetscCall(fare_ensemble_destroy(&samples));
  PetscCall(fare_grid_destroy(&grid));
  PetscFunctionReturn(0);
}

/* Lines with a density of their own are compared twice more, the density without its floor. */
static PetscErrorCode forecast_measures(const fare_plan *plan, fare_forecast *f)
{
  const PetscInt64 some  = 100000;
  double           cells = 1, binned = 0, compared = 0, lines = 0, particles = 0;

  PetscFunctionBegin;
  for (size_t i = 0; i < plan->truth.cells.count; i++) cells *= (double)plan->truth.cells.values[i];
  if (!plan->has_truth || !plan->ensembles || !plan->truth.cells.count) PetscFunctionReturn(0);
  if (cells > CELLS_MOST || try_measures(plan, some, &binned, &compared)) {
    f->partial = PETSC_TRUE;
    PetscFunctionReturn(0);
  }
  for (size_t i = 0; i < plan->ensembles; i++) {
    const fare_plan_ensemble *e = &plan->ensemble[i];

    lines += fare_sampler_type_has_model_density(e->type, fare_plan_ensemble_mode(e)) ? 2.1 : 1;
    particles += (double)e->particles;
  }
  f->measures = (double)plan->snapshots.count * (lines * compared + binned * particles / (double)some);
  PetscFunctionReturn(0);
}

/* A file beside the results, written, forced to the disk and gone again. */
static PetscBool write_file(const fare_plan *plan, size_t bytes, double *seconds)
{
  char         path[PETSC_MAX_PATH_LEN + 32];
  char        *zeros = calloc(1, bytes), *slash;
  const double began = fare_seconds();
  int          file  = -1;
  PetscBool    done;

  snprintf(path, sizeof path, "%s/", plan->directory);
  while (zeros && file < 0 && (slash = strrchr(path, '/'))) {
    snprintf(slash, sizeof path - (size_t)(slash - path), "/.fare-XXXXXX");
    file = mkstemp(path);
    if (file < 0) *slash = '\0';
  }
  if (zeros && file < 0) snprintf(path, sizeof path, ".fare-XXXXXX");
  if (zeros && file < 0) file = mkstemp(path);
  if (file >= 0) unlink(path);
  done = file >= 0 && write(file, zeros, bytes) == (ssize_t)bytes && !fsync(file) ? PETSC_TRUE : PETSC_FALSE;
  if (file >= 0) close(file);
  free(zeros);
  *seconds = fare_seconds() - began;
  return done;
}

/* A snapshot is a file that is written and renamed, with its directory. */
static void forecast_disk(const fare_plan *plan, fare_forecast *f)
{
  const size_t much = 4 << 20;
  double       little, large;

  if (!write_file(plan, 64, &little) || !write_file(plan, much, &large)) {
    f->partial = PETSC_TRUE;
    return;
  }
  f->disk = (double)plan->snapshots.count * (PER_FILE + 2 * little) +
    fare_plan_disk(plan) * PetscMax(0, large - little) / (double)much;
}

PetscErrorCode fare_forecast_try(const fare_plan *plan, fare_forecast *forecast)
{
  PetscFunctionBegin;
  *forecast = (fare_forecast){
    .partial = plan->analyses || plan->rare || plan->control || plan->infer ? PETSC_TRUE : PETSC_FALSE};
  PetscCall(forecast_truth(plan, forecast));
  PetscCall(forecast_ensembles(plan, forecast));
  PetscCall(forecast_measures(plan, forecast));
  forecast_disk(plan, forecast);
  PetscFunctionReturn(0);
}
