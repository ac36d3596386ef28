/* SPDX-License-Identifier: BSD-2-Clause */
/* The driven stochastic equation itself, simulated: every particle from the initial density, step by step. */
#include "sampler/shared/positions.h"
#include <fare/langevin.h>
#include <fare/product.h>

#include <fare/sampler.h>
#include <math.h>
#include <string.h>

static const char *const integrators[] = {"euler_maruyama", "leimkuhler_matthews", "heun", "baoab", NULL};

static const struct {
  /* for a drift mobility (-grad V + F) and constant noise; for any drift and diffusion, or NULL */
  fare_langevin_kernel kernel, general;
  int                  forces; /* per step */
} schemes[] = {
  [FARE_LANGEVIN_EULER_MARUYAMA] = {fare_langevin_euler_maruyama, fare_langevin_general_euler_maruyama, 1},
  [FARE_LANGEVIN_LEIMKUHLER_MATTHEWS] = {fare_langevin_leimkuhler_matthews, NULL, 1},
  [FARE_LANGEVIN_HEUN]                = {fare_langevin_heun, fare_langevin_general_heun, 2},
  [FARE_LANGEVIN_BAOAB]               = {NULL, fare_baoab, 1},
};

typedef struct {
  fare_langevin_options options;

  PetscBool begun;
  uint64_t  steps; /* taken in the intervals before: the counter of the random numbers */
  int64_t   done;  /* taken in the interval under way, where it was left in its middle */
  /* where noise spans two steps, between walls: positions are the signs of fare_langevin_run */
  fare_ensemble *frame;
  fare_ensemble *effort; /* of a system that is steered: what control has cost each particle, as a position */
} langevin;

static const fare_field fields[] = {
  {"dt", FARE_REAL, offsetof(langevin, options.dt), NULL, 1e-12, 1e3, NULL, "time",
    "largest step; the step used divides the time between snapshots"},
  {"integrator", FARE_CHOICE, offsetof(langevin, options.integrator), "euler_maruyama", 0, 0, integrators, "",
    "scheme; with inertia baoab, which has hardly any error where euler_maruyama heats"},
  FARE_FIELDS_END,
};

static PetscErrorCode check(const void *state, const fare_system *system)
{
  const langevin *s = state;

  PetscFunctionBegin;
  if (s->options.integrator == FARE_LANGEVIN_BAOAB && !fare_system_type_of(system)->acceleration) {
    FARE_FAIL(FARE_ERR_INPUT, "integrator 'baoab' needs a system with inertia, which '%s' is not",
      fare_system_type_of(system)->name);
  }
  if (fare_system_type_of(system)->drift && !schemes[s->options.integrator].general) {
    FARE_FAIL(FARE_ERR_INPUT,
      "integrator '%s' needs a force and constant noise, which system '%s' does not have: euler_maruyama "
      "takes any",
      integrators[s->options.integrator], fare_system_type_of(system)->name);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode check_walls(const void *state, const fare_walls *walls)
{
  const langevin *s = state;

  PetscFunctionBegin;
  if (walls->absorbing && s->options.integrator == FARE_LANGEVIN_LEIMKUHLER_MATTHEWS) {
    FARE_FAIL(FARE_ERR_INPUT,
      "integrator 'leimkuhler_matthews' cannot tell whether a path between two steps has met a boundary that "
      "absorbs: use 'euler_maruyama' or 'heun'");
  }
  PetscFunctionReturn(0);
}

/* Its error in the velocity is of first order: at a step of 0.05, it is seen in every histogram. */
static void recommend_splitting(const fare_sampler *sampler)
{
  const langevin *s = sampler->state;

  if (s->options.integrator == FARE_LANGEVIN_EULER_MARUYAMA &&
    fare_system_type_of(sampler->system)->acceleration)
    fare_log("%s: euler_maruyama heats a system with inertia, in proportion to dt; baoab, at the same cost, "
             "does not",
      sampler->name);
}

/* Draws the particles, with what they carry along between walls. */
static PetscErrorCode begin(fare_sampler *sampler, double t, fare_ensemble *ensemble)
{
  langevin *s = sampler->state;

  PetscFunctionBegin;
  recommend_splitting(sampler);
  PetscCall(fare_sampler_draw_initial(sampler, t, ensemble));
  s->begun = PETSC_TRUE;
  if (sampler->walls.absorbing) PetscCall(fare_ensemble_weigh(ensemble));
  if (fare_system_is_steered(sampler->system))
    PetscCall(fare_ensemble_create(ensemble->comm, 1, ensemble->count, &s->effort));
  if (!sampler->walls.dim || s->options.integrator != FARE_LANGEVIN_LEIMKUHLER_MATTHEWS)
    PetscFunctionReturn(0);
  PetscCall(fare_ensemble_create(ensemble->comm, ensemble->dim, ensemble->count, &s->frame));
  for (int axis = 0; axis < ensemble->dim; axis++) {
    for (int64_t i = 0; i < ensemble->blocks * FARE_BLOCK; i++) s->frame->x[axis][i] = 1;
  }
  PetscFunctionReturn(0);
}

/* Mirrors keep what an unstable scheme throws out in the box, where nobody would see it. */
static PetscErrorCode check_stable(const fare_sampler *sampler, double t, double dt, int64_t wild)
{
  PetscFunctionBegin;
  if (!sampler->walls.dim) PetscFunctionReturn(0);
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &wild, 1, MPI_INT64_T, MPI_SUM, sampler->comm));
  if (wild)
    FARE_SAMPLER_FAIL(sampler, FARE_ERR_FAILED,
      "by time %g drift has carried particles farther beyond the box, in a step of "
      "%g, than the box is long (%lld times): dt is too large",
      t, dt, (long long)wild);
  PetscFunctionReturn(0);
}

static PetscErrorCode check_survivors(const fare_sampler *sampler, double t, const fare_ensemble *ensemble)
{
  int64_t left = 0;

  PetscFunctionBegin;
  if (!sampler->walls.absorbing) PetscFunctionReturn(0);
  for (int64_t i = 0; i < ensemble->local; i++) left += ensemble->weight[i] > 0;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &left, 1, MPI_INT64_T, MPI_SUM, ensemble->comm));
  if (!left)
    FARE_SAMPLER_FAIL(sampler, FARE_ERR_FAILED, "all of its %lld particles are absorbed by time %g",
      (long long)ensemble->count, t);
  PetscFunctionReturn(0);
}

/*
  The parameters at the beginning of every step and at the end of the last, `first` steps behind t; to the
  same bits wherever a run begins.
*/
static PetscErrorCode tabulate(
  const fare_system *system, double t, double dt, int64_t first, int steps, double **theta)
{
  PetscFunctionBegin;
  PetscCall(PetscMalloc1((size_t)(steps + 1) * FARE_PARAMETERS_MAX, theta));
  for (int step = 0; step <= steps; step++)
    fare_system_parameters(
      system, t + (double)(first + step) * dt, *theta + (size_t)step * FARE_PARAMETERS_MAX);
  PetscFunctionReturn(0);
}

/*
  Steps are tabulated and taken in runs of at most this many, so that the table stays small; fewer where
  particles are so many that a run would take much more than a second.
*/
#define RUN_MAX   1024
#define RUN_MIN   16
#define RUN_STEPS (INT64_C(1) << 28) /* of all particles of a rank together */

/* Alike on all ranks, which may be stopped between two runs. */
static PetscErrorCode longest_run(const fare_sampler *sampler, const fare_ensemble *ensemble, int64_t *steps)
{
  int ranks;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(sampler->comm, &ranks));
  *steps = PetscMax(RUN_MIN, PetscMin(RUN_MAX, RUN_STEPS / (ensemble->count / ranks + 1)));
  PetscFunctionReturn(0);
}

/* Adds what the control costs at time t, over `share` of time, to those that are not absorbed. */
static void spend(fare_sampler *sampler, double t, double share, const fare_ensemble *ensemble)
{
  langevin *s = sampler->state;

  for (int64_t b = 0; b < ensemble->blocks && s->effort; b++) {
    const fare_block block = fare_ensemble_block(ensemble, b), to = fare_ensemble_block(s->effort, b);
    double           rate[FARE_BLOCK];

    fare_system_effort(sampler->system, t, FARE_BLOCK, (const double *const *)block.x, rate);
    for (int i = 0; i < FARE_BLOCK; i++)
      to.x[0][i] += block.weight && block.weight[i] == 0 ? 0 : share * rate[i];
  }
}

/* The sum of (cost - centre)^power over all particles: block by block, so that ranks do not matter. */
static PetscErrorCode sum_effort(const fare_ensemble *effort, double centre, int power, double *sum)
{
  const int64_t blocks = (effort->count + FARE_BLOCK - 1) / FARE_BLOCK;
  double       *mine, *all;

  PetscFunctionBegin;
  PetscCall(PetscCalloc2(effort->blocks, &mine, blocks, &all));
  for (int64_t b = 0; b < effort->blocks; b++) {
    const fare_block block = fare_ensemble_block(effort, b);

    for (int i = 0; i < block.counted; i++) mine[b] += pow(block.x[0][i] - centre, power);
  }
  PetscCall(fare_ensemble_gather(effort, effort->blocks, mine, all));
  *sum = 0;
  for (int64_t b = 0; b < blocks; b++) *sum += all[b];
  PetscCall(PetscFree2(mine, all));
  PetscFunctionReturn(0);
}

static PetscErrorCode tell_effort(fare_sampler *sampler)
{
  const langevin *s = sampler->state;
  double          n, sum, squares;

  PetscFunctionBegin;
  if (!s->effort) PetscFunctionReturn(0);
  n = (double)s->effort->count;
  PetscCall(sum_effort(s->effort, 0, 1, &sum));
  PetscCall(sum_effort(s->effort, sum / n, 2, &squares));
  sampler->effort[0] = sum / n;
  sampler->effort[1] = n > 1 ? sqrt(squares / n / (n - 1)) : NAN;
  PetscFunctionReturn(0);
}

static int64_t steps_between(const langevin *s, double interval)
{
  return (int64_t)ceil(interval / s->options.dt * (1 - 1e-12));
}

static PetscErrorCode advance(fare_sampler *sampler, double t, fare_ensemble *ensemble)
{
  langevin         *s         = sampler->state;
  const double      interval  = t - ensemble->time;
  const size_t      particles = (size_t)ensemble->blocks * FARE_BLOCK;
  const int64_t     steps     = s->begun ? steps_between(s, interval) : 0;
  const double      dt = steps ? interval / (double)steps : 0, from = ensemble->time;
  fare_langevin_run run = {.type = fare_system_type_of(sampler->system),
    .dim                         = ensemble->dim,
    .dt                          = dt,
    .noise                       = fare_sampler_stream(sampler, "noise"),
    .walls                       = sampler->walls.dim ? &sampler->walls : NULL};

  const fare_langevin_kernel kernel =
    run.type->drift ? schemes[s->options.integrator].general : schemes[s->options.integrator].kernel;
  int64_t longest = RUN_MAX, wild = 0;

  PetscFunctionBegin;
  run.wild = &wild;
  PetscCall(longest_run(sampler, ensemble, &longest));
  if (s->done > steps)
    FARE_SAMPLER_FAIL(sampler, FARE_ERR_FAILED, "%lld steps are taken of an interval that has %lld",
      (long long)s->done, (long long)steps);
  /* in the middle of an interval, and from the initial draw on, particles are where forces belong */
  if (s->begun && !s->done) fare_system_hide(sampler->system, particles, ensemble->x);
  if (!s->begun) PetscCall(begin(sampler, t, ensemble));
  if (s->options.integrator == FARE_LANGEVIN_LEIMKUHLER_MATTHEWS && run.walls &&
    (!s->frame || s->frame->blocks != ensemble->blocks || s->frame->dim != ensemble->dim)) {
    FARE_SAMPLER_FAIL(sampler, FARE_ERR_FAILED, "the remaining halves of its noise are missing");
  }
  while (s->done < steps) {
    double *theta;

    /* by trapezoids */
    spend(sampler, from + (double)s->done * dt, s->done ? dt : dt / 2, ensemble);
    run.steps      = s->effort ? 1 : (int)PetscMin(longest, steps - s->done);
    run.first_step = s->steps + (uint64_t)s->done;
    PetscCall(tabulate(sampler->system, from, dt, s->done, run.steps, &theta));
    run.theta = theta;
    for (int64_t b = 0; b < ensemble->blocks; b++) {
      const fare_block block = fare_ensemble_block(ensemble, b);

      if (s->frame) memcpy(run.frame, fare_ensemble_block(s->frame, b).x, sizeof run.frame);
      run.weight = block.weight;
      kernel(&run, block.number, block.x);
    }
    PetscCall(PetscFree(theta));
    s->done += run.steps;
    PetscCall(check_stable(sampler, from + (double)s->done * dt, dt, wild));
    if (s->done < steps) PetscCall(fare_sampler_pause(sampler));
  }
  spend(sampler, t, dt / 2, ensemble);
  PetscCall(tell_effort(sampler));
  fare_system_show(sampler->system, particles, ensemble->x);
  s->done = 0;
  s->steps += (uint64_t)steps;
  sampler->cost.force_evaluations += ensemble->local * steps * schemes[s->options.integrator].forces;
  PetscCall(check_survivors(sampler, t, ensemble));
  PetscFunctionReturn(0);
}

static void estimate_cost(const fare_sampler *sampler, int64_t particles, fare_cost *cost)
{
  const langevin      *s        = sampler->state;
  const fare_schedule *schedule = &sampler->schedule;

  for (PetscInt64 k = 1; k < schedule->count; k++) {
    cost->force_evaluations += particles * schemes[s->options.integrator].forces *
      steps_between(s, fare_schedule_time(schedule, k) - fare_schedule_time(schedule, k - 1));
  }
}

static const fare_kept kept[] = {
  FARE_KEEP(BOOLEAN, langevin, begun),
  FARE_KEEP(INTEGER, langevin, steps),
  FARE_KEEP(INTEGER, langevin, done),
  FARE_KEEP_WITH(OBJECT, langevin, frame, .type = &fare_positions_kept),
  FARE_KEEP_WITH(OBJECT, langevin, effort, .type = &fare_positions_kept),
  FARE_KEPT_END,
};

static PetscErrorCode loaded(fare_sampler *sampler)
{
  const langevin *s = sampler->state;

  PetscFunctionBegin;
  PetscCall(tell_effort(sampler));
  if (s->done < 0)
    FARE_SAMPLER_FAIL(
      sampler, FARE_ERR_FAILED, "%lld steps of an interval cannot have been taken", (long long)s->done);
  PetscFunctionReturn(0);
}

static PetscErrorCode destroy(fare_sampler *sampler)
{
  PetscFunctionBegin;
  PetscCall(fare_ensemble_destroy(&((langevin *)sampler->state)->frame));
  PetscCall(fare_ensemble_destroy(&((langevin *)sampler->state)->effort));
  PetscFunctionReturn(0);
}

const fare_sampler_type fare_sampler_langevin = {
  .name        = "langevin",
  .summary     = "particles of the driven stochastic differential equation: the nonequilibrium simulation",
  .reference   = "Maruyama, Rend. Circ. Mat. Palermo 4, 48 (1955); Leimkuhler and Matthews, Appl. Math. Res. "
                 "Express 2013, 34",
  .family      = FARE_SIMULATION,
  .walls       = FARE_WALLS_ABSORBED,
  .many_axes   = PETSC_TRUE,
  .lifted      = PETSC_TRUE,
  .size        = sizeof(langevin),
  .fields      = fields,
  .check       = check,
  .check_walls = check_walls,
  .advance     = advance,
  .estimate_cost = estimate_cost,
  .kept          = kept,
  .loaded        = loaded,
  .destroy       = destroy,
};
