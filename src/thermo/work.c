/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The work of single particles. The protocol is cut into steps; in each the energy changes, which is work, and
  then the particle moves at the new energy. Moved by Metropolis' rule (the step of Roberts and Tweedie,
  Bernoulli 2, 341 (1996)) Boltzmann's density is kept exactly, so that Jarzynski's and Crooks' relations hold
  for any step; unadjusted steps keep another density, which does work of its own that is not counted.
*/
#include "thermo.h"

#include <fare/metropolis.h>
#include <fare/langevin.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One way through the protocol. Parameters of all moments are in the order in which they come. */
typedef struct {
  const fare_system_type *type;
  int                     dim, relaxation;
  PetscBool               reversed;
  int64_t                 steps, first; /* first: of all, the number of the step that theta begins with */
  double                  dt;
  const double           *theta; /* [(steps + 1) * FARE_PARAMETERS_MAX] */
  fare_stream             noise;
  fare_walls              walls; /* mirrors at the ends of the box that the densities live on */
  int64_t                *wild;
} passage;

static int64_t move_metropolis(
  const passage *way, const double *theta, uint64_t block, uint64_t step, double *const x[])
{
  double place[FARE_DIM_MAX][FARE_BLOCK] FARE_ALIGNED, force[2 * FARE_DIM_MAX][FARE_BLOCK] FARE_ALIGNED;
  double V[FARE_BLOCK] FARE_ALIGNED, U[FARE_BLOCK] FARE_ALIGNED, e[FARE_BLOCK] FARE_ALIGNED,
    cost[FARE_BLOCK] FARE_ALIGNED;
  double *const        y[FARE_DIM_MAX]   = {place[0], place[1], place[2]},
                *const f[FARE_DIM_MAX]   = {force[0], force[1], force[2]},
                *const g[FARE_DIM_MAX]   = {force[3], force[4], force[5]};
  const double *const from[FARE_DIM_MAX] = {x[0], x[1], x[2]}, *const to[FARE_DIM_MAX] = {y[0], y[1], y[2]};
  const double h        = theta[FARE_MOBILITY] * theta[FARE_KT] * way->dt;
  int64_t      accepted = 0;

  way->type->potential(way->dim, theta, FARE_BLOCK, from, V);
  way->type->force(way->dim, theta, FARE_BLOCK, from, f);
  fare_metropolis_propose(
    way->dim, h, theta[FARE_KT], from, (const double *const *)f, way->noise, block, step, 0, y);
  fare_metropolis_exponentials(way->noise, block, step, (uint32_t)way->dim, e);
  way->type->potential(way->dim, theta, FARE_BLOCK, to, U);
  way->type->force(way->dim, theta, FARE_BLOCK, to, g);
  fare_metropolis_cost(
    way->dim, h, theta[FARE_KT], from, (const double *const *)f, V, to, (const double *const *)g, U, cost);
  fare_walls_refuse(&way->walls, FARE_BLOCK, to, cost);
  for (int i = 0; i < FARE_BLOCK; i++) {
    const int accept = cost[i] <= e[i];

    accepted += accept;
    for (int axis = 0; axis < way->dim; axis++) x[axis][i] = accept ? y[axis][i] : x[axis][i];
  }
  return accepted;
}

/* One step at parameters that stand still. Returns how many moved. */
static int64_t move(const passage *way, const double *theta, uint64_t block, uint64_t step, double *const x[])
{
  double            still[2 * FARE_PARAMETERS_MAX]; /* schemes that look ahead see the same */
  fare_langevin_run run = {.type = way->type,
    .dim                         = way->dim,
    .steps                       = 1,
    .theta                       = still,
    .dt                          = way->dt,
    .noise                       = way->noise,
    .first_step                  = step,
    .walls                       = &way->walls,
    .wild                        = way->wild};

  if (way->relaxation == FARE_RELAX_METROPOLIS) return move_metropolis(way, theta, block, step, x);
  memcpy(still, theta, FARE_PARAMETERS_MAX * sizeof *still);
  memcpy(still + FARE_PARAMETERS_MAX, theta, FARE_PARAMETERS_MAX * sizeof *still);
  if (way->relaxation == FARE_RELAX_HEUN)
    fare_langevin_heun(&run, block, x);
  else
    fare_langevin_euler_maruyama(&run, block, x);
  return FARE_BLOCK;
}

/* work += V(x, there) - V(x, here) */
static void change(
  const passage *way, const double *here, const double *there, double *const x[], double *work)
{
  const double *const at[FARE_DIM_MAX] = {x[0], x[1], x[2]};
  double              V[FARE_BLOCK] FARE_ALIGNED, U[FARE_BLOCK] FARE_ALIGNED;

  if (!memcmp(here, there, FARE_PARAMETERS_MAX * sizeof *here)) return;
  way->type->potential(way->dim, here, FARE_BLOCK, at, V);
  way->type->potential(way->dim, there, FARE_BLOCK, at, U);
  for (int i = 0; i < FARE_BLOCK; i++) work[i] += U[i] - V[i];
}

/*
  All of this rank's particles through the steps of `way`. The reverse undoes each step in turn: it moves
  first.
*/
static int64_t pass(const passage *way, fare_ensemble *ensemble, double *work)
{
  int64_t accepted = 0;

  for (int64_t b = 0; b < ensemble->blocks; b++) {
    const fare_block block = fare_ensemble_block(ensemble, b);

    for (int64_t k = 0; k < way->steps; k++) {
      const double *here = way->theta + k * FARE_PARAMETERS_MAX, *there = here + FARE_PARAMETERS_MAX;

      if (way->reversed) accepted += move(way, here, block.number, (uint64_t)(way->first + k), block.x);
      change(way, here, there, block.x, work + b * FARE_BLOCK);
      if (!way->reversed) accepted += move(way, there, block.number, (uint64_t)(way->first + k), block.x);
    }
  }
  return accepted;
}

#define RUN_MAX 1024 /* steps whose parameters are tabulated at once */

static fare_walls mirrors(const fare_system *system, fare_box box)
{
  fare_boundary boundary[FARE_DIM_MAX];

  for (int axis = 0; axis < FARE_DIM_MAX; axis++)
    boundary[axis] = box.periodic[axis] ? FARE_BOUNDARY_PERIODIC : FARE_BOUNDARY_REFLECTING;
  return fare_walls_of(system, &box, boundary);
}

/*
  Draws particles from equilibrium at the beginning of one way and takes them to its end; work:
  blocks*FARE_BLOCK numbers, zero.
*/
static PetscErrorCode travel(const fare_system *system, const fare_box *box, double start, double end,
  PetscBool reversed, int relaxation, int64_t steps, uint64_t seed, fare_ensemble *ensemble, double *work,
  double *share)
{
  const fare_initial initial     = {.density = FARE_INITIAL_BOLTZMANN, .box = box};
  const char        *names[2][2] = {{"thermodynamics/forward/initial", "thermodynamics/forward/noise"},
           {"thermodynamics/reverse/initial", "thermodynamics/reverse/noise"}};
  passage            way         = {.type = fare_system_type_of(system),
                       .dim               = ensemble->dim,
                       .relaxation        = relaxation,
                       .reversed          = reversed,
                       .dt                = (end - start) / (double)steps,
                       .noise             = fare_stream_make(seed, names[reversed][1])};
  int64_t            moves[3]    = {0, 0, 0};
  double            *theta;

  PetscFunctionBegin;
  PetscCall(fare_ensemble_draw(
    ensemble, &initial, system, reversed ? end : start, fare_stream_make(seed, names[reversed][0])));
  PetscCall(PetscMalloc1((RUN_MAX + 1) * FARE_PARAMETERS_MAX, &theta));
  way.theta = theta;
  way.walls = mirrors(system, box ? *box : fare_system_box(system));
  way.wild  = &moves[2];
  for (; way.first < steps; way.first += way.steps) {
    way.steps = PetscMin(RUN_MAX, steps - way.first);
    memset(theta, 0, (RUN_MAX + 1) * FARE_PARAMETERS_MAX * sizeof *theta);
    for (int64_t k = 0; k <= way.steps; k++) {
      const int64_t n = reversed ? steps - way.first - k : way.first + k;

      fare_system_parameters(
        system, n == steps ? end : start + way.dt * (double)n, theta + k * FARE_PARAMETERS_MAX);
    }
    moves[0] += pass(&way, ensemble, work);
    moves[1] += ensemble->blocks * FARE_BLOCK * way.steps;
  }
  PetscCall(PetscFree(theta));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, moves, 3, MPI_INT64_T, MPI_SUM, ensemble->comm));
  *share = (double)moves[0] / (double)moves[1];
  PetscCall(fare_ensemble_is_valid(ensemble));
  if (moves[2])
    FARE_FAIL(FARE_ERR_FAILED,
      "work of particles: in a step of %g the drift overshoots the box by more than its length: "
      "thermodynamics.dt is too large",
      way.dt);
  PetscFunctionReturn(0);
}

/* Mean and variance of the work one way, with standard errors: Var(s^2) = (mu_4 - s^4 (n - 3)/(n - 1))/n. */
static void moments(size_t n, const double work[], int way, fare_work *w)
{
  double mean = 0, variance = 0, fourth = 0;

  for (size_t i = 0; i < n; i++) mean += work[i] / (double)n;
  for (size_t i = 0; i < n; i++) {
    const double square = PetscSqr(work[i] - mean);

    variance += square / (double)(n - 1);
    fourth += square * square / (double)n;
  }
  w->mean[way]       = mean;
  w->variance[way]   = variance;
  w->mean_error[way] = sqrt(variance / (double)n);
  w->variance_error[way] =
    sqrt(fmax(0, fourth - variance * variance * ((double)n - 3) / ((double)n - 1)) / (double)n);
}

/* Histograms of W forward and of -W reversed over the same bins. */
static void fill_histograms(size_t n, const double forward[], const double reverse[], fare_work *w)
{
  double width;

  w->lower = HUGE_VAL;
  w->upper = -HUGE_VAL;
  for (size_t i = 0; i < n; i++) {
    w->lower = PetscMin(w->lower, PetscMin(forward[i], -reverse[i]));
    w->upper = PetscMax(w->upper, PetscMax(forward[i], -reverse[i]));
  }
  if (!(w->upper > w->lower)) w->upper = w->lower + 1; /* nothing is driven: no work */
  width = (w->upper - w->lower) / FARE_WORK_BINS;
  for (int way = 0; way < 2; way++) {
    for (size_t i = 0; i < n; i++) {
      const int bin = (int)(((way ? -reverse[i] : forward[i]) - w->lower) / width);

      w->density[way][PetscMin(FARE_WORK_BINS - 1, PetscMax(0, bin))] += 1 / ((double)n * width);
    }
  }
}

PetscErrorCode fare_work_simulate(MPI_Comm comm, const fare_system *system, const fare_box *box, double start,
  double end, const fare_thermo_options *options, uint64_t seed, fare_work *w)
{
  const size_t   n = (size_t)options->particles;
  double        *work[2], *mine, kT;
  fare_ensemble *ensemble;

  PetscFunctionBegin;
  memset(w, 0, sizeof *w);
  PetscCall(fare_thermo_check_chain(system));
  if (n < 2) FARE_FAIL(FARE_ERR_INPUT, "work relations need at least 2 particles, got %zu", n);
  kT            = fare_system_kT(system, start);
  w->particles  = options->particles;
  w->relaxation = options->relaxation;
  w->steps      = (int64_t)ceil((end - start) / options->dt * (1 - 1e-12));
  PetscCall(fare_ensemble_create(comm, fare_system_dimension(system), options->particles, &ensemble));
  PetscCall(PetscMalloc3(n, &work[0], n, &work[1], PetscMax(1, ensemble->blocks * FARE_BLOCK), &mine));
  for (int way = 0; way < 2; way++) {
    memset(mine, 0, (size_t)(ensemble->blocks * FARE_BLOCK) * sizeof *mine);
    PetscCall(travel(
      system, box, start, end, way, options->relaxation, w->steps, seed, ensemble, mine, &w->accepted[way]));
    PetscCall(fare_ensemble_gather(ensemble, ensemble->local, mine, work[way]));
    moments(n, work[way], way, w);
    w->jarzynski[way] = fare_jarzynski_estimate(kT, n, work[way]);
  }
  w->jarzynski[1].estimate *= -1;
  w->bennett = fare_bennett_estimate(kT, n, work[0], n, work[1]);
  fill_histograms(n, work[0], work[1], w);
  PetscCall(PetscFree3(work[0], work[1], mine));
  PetscCall(fare_ensemble_destroy(&ensemble));
  PetscFunctionReturn(0);
}
