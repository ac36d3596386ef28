/* SPDX-License-Identifier: BSD-2-Clause */
/*
  What a plan will take, before anything runs: memory, disk and evaluations, counted.
*/
#include "study/run/study.h"

#include <stdio.h>

#define MEBI        1048576.0
#define CELLS_ALONE 65536

static void print_truth(const fare_plan *plan, FILE *to)
{
  const fare_box box   = fare_truth_box(plan->system, &plan->truth);
  double         cells = 1;

  if (plan->truth.accuracy > 0) {
    fprintf(to, "truth       cells for an L1 error of %g, from pilot runs\n", plan->truth.accuracy);
    return;
  }
  for (size_t i = 0; i < plan->truth.cells.count; i++) cells *= (double)plan->truth.cells.values[i];
  fprintf(to, "truth       %.4g cells%s, about %.1f MiB in all\n", cells,
    plan->truth.estimate ? " and companions for its error" : "",
    fare_truth_bytes(plan->system, &plan->truth) / MEBI);
  if (fare_truth_scheme(plan->system, &box, &plan->truth, plan->snapshots.start) == FARE_SCHEME_HIGH_ORDER)
    fprintf(to, "scheme      high_order: explicit transport, as drift outruns diffusion over the cells\n");
}

/*
  What the simulation of a training set takes: times that are kept, and particles' steps until the last of
  them.
*/
static PetscInt64 trained_times(const fare_plan *plan, const fare_training_options *training, double *steps)
{
  PetscInt64 count = 0;

  *steps = 0;
  for (PetscInt64 k = 0; k < plan->snapshots.count; k++) {
    if (!fare_training_includes(training, k)) continue;
    *steps = (double)training->particles * (fare_schedule_time(&plan->snapshots, k) - plan->snapshots.start) /
      training->dt;
    count++;
  }
  return count;
}

/* Evaluations of one line, its training set left out. */
static PetscErrorCode expect(const fare_plan *plan, const fare_plan_ensemble *e, fare_cost *cost)
{
  fare_sampler *sampler;

  PetscFunctionBegin;
  *cost = (fare_cost){0};
  PetscCall(fare_plan_sampler(PETSC_COMM_SELF, plan, e, &plan->initial, &sampler));
  if (e->type->estimate_cost && fare_plan_ensemble_mode(e) == FARE_LEARNED)
    e->type->estimate_cost(sampler, e->particles, cost);
  PetscCall(fare_sampler_destroy(&sampler));
  PetscFunctionReturn(0);
}

/*
  Particles learned from, in a line of their own before the first ensemble that does; *set is the one before.
*/
static void print_training(const fare_plan *plan, const fare_plan_ensemble *e, int ranks,
  const fare_training_options **set, FILE *to, double *forces)
{
  double     steps;
  PetscInt64 times;

  if (!fare_training_is_simulated(e) || (*set && fare_training_is_shared(&e->training, *set))) return;
  *set  = &e->training;
  times = trained_times(plan, &e->training, &steps);
  fprintf(to, "%-11s %.4g particles at %lld times, %.1f MiB on each rank, %.3g force evaluations\n",
    "training", (double)e->training.particles, (long long)times,
    (double)times * (double)e->training.particles *
      (double)fare_ensemble_bytes(fare_system_dimension(plan->system)) / ranks / MEBI,
    2 * steps);
  *forces += 2 * steps; /* Heun */
}

/* What becomes of an ensemble's particles at the ends of the truth's box. */
static const char *walls_for_people(const fare_plan *plan, const fare_plan_ensemble *e)
{
  const fare_walls walls = fare_truth_walls(plan->system, &plan->truth);
  PetscBool        ends  = PETSC_FALSE;

  for (int axis = 0; axis < walls.dim; axis++) {
    if (walls.at[axis][0] || walls.at[axis][1]) ends = PETSC_TRUE;
  }
  if (!ends) return "no boundaries, all axes are periodic";
  if (e->type->walls == FARE_WALLS_ABSORBED && !walls.absorbing)
    return walls.inertial && (walls.at[0][0] || walls.at[0][1])
      ? "reflected at the ends of the truth's box, where the truth holds bodies at position walls: keep "
        "these out of reach"
      : "reflected at the ends of the truth's box";
  return fare_walls_meanings[e->type->walls];
}

double fare_plan_disk(const fare_plan *plan)
{
  const double number = plan->record.precision == FARE_RECORD_SINGLE ? 4 : 8;
  double       cells  = plan->has_truth && plan->truth.cells.count ? 1 : 0, bytes;

  for (size_t i = 0; i < plan->truth.cells.count; i++) cells *= (double)plan->truth.cells.values[i];
  bytes = (plan->truth.extrapolate ? 32 : 16) * cells;
  for (size_t i = 0; i < plan->ensembles; i++)
    bytes += (double)fare_record_kept(&plan->record, plan->ensemble[i].particles) *
      (number * fare_system_dimension(plan->system) + 8);
  return bytes * (double)plan->snapshots.count;
}

PetscErrorCode fare_plan_estimate(const fare_plan *plan, int ranks, FILE *to)
{
  const int                    dim    = fare_system_dimension(plan->system);
  const fare_training_options *set    = NULL;
  double                       forces = 0;

  PetscFunctionBegin;
  if (plan->has_truth) print_truth(plan, to);
  if (plan->joint) fprintf(to, "truth       %s, %d axes, no grid\n", plan->joint->name, dim);
  for (size_t i = 0; i < plan->ensembles; i++) {
    const fare_plan_ensemble *e     = &plan->ensemble[i];
    const double              bytes = (double)e->particles * (double)fare_ensemble_bytes(dim);
    fare_cost                 cost;

    print_training(plan, e, ranks, &set, to, &forces);
    fprintf(
      to, "%-11s %.4g particles, %.1f MiB on each rank", e->name, (double)e->particles, bytes / ranks / MEBI);
    PetscCall(expect(plan, e, &cost));
    if (cost.force_evaluations) fprintf(to, ", %.3g force evaluations", (double)cost.force_evaluations);
    forces += (double)cost.force_evaluations;
    if (cost.network_evaluations) fprintf(to, ", %.3g network evaluations", (double)cost.network_evaluations);
    if (plan->has_truth) fprintf(to, "; %s", walls_for_people(plan, e));
    fprintf(to, "\n");
  }
  fprintf(to, "disk        %.1f MiB in %lld snapshots\n", fare_plan_disk(plan) / MEBI,
    (long long)plan->snapshots.count);
  if (forces > 0) fprintf(to, "forces      %.3g evaluations in all\n", forces);
  PetscFunctionReturn(0);
}

/*
  A grid of one axis is solved faster by one rank than by several, so every rank solves it for itself: nobody
  waits for a message, and the truth has the same bits on any number of ranks.
*/
MPI_Comm fare_plan_truth_comm(MPI_Comm comm, const fare_plan *plan, const fare_truth_options *options)
{
  const PetscBool small =
    !options->cells.count || options->cells.values[0] <= CELLS_ALONE ? PETSC_TRUE : PETSC_FALSE;

  return fare_system_dimension(plan->system) == 1 && small ? PETSC_COMM_SELF : comm;
}

/*
  Bytes that one rank of so many holds at once. Training sets follow each other: the largest, and the
  particles that it is simulated with.
*/
typedef struct {
  double truth, particles, training;
} holdings;

static holdings held_by_a_rank(const fare_plan *plan, PetscBool alone, int ranks)
{
  const double particle = (double)fare_ensemble_bytes(fare_system_dimension(plan->system));
  holdings     of       = {0};
  PetscBool    oracles  = PETSC_FALSE;

  for (size_t i = 0; i < plan->ensembles; i++) {
    const fare_plan_ensemble *e = &plan->ensemble[i];
    double                    steps;

    oracles |= e->oracle;
    of.particles += particle * (double)e->particles / ranks;
    if (fare_training_is_simulated(e))
      of.training = PetscMax(of.training,
        particle * (double)e->training.particles * (double)(trained_times(plan, &e->training, &steps) + 1) /
          ranks);
  }
  if (!plan->has_truth || !plan->truth.cells.count) return of;
  of.truth = fare_truth_bytes(plan->system, &plan->truth) / (alone ? 1 : ranks);
  if (oracles) of.truth += fare_densities_bytes(&plan->snapshots, &plan->truth);
  return of;
}

PetscErrorCode fare_plan_check_memory(MPI_Comm comm, const fare_plan *plan)
{
  MPI_Comm       solve = fare_plan_truth_comm(comm, plan, &plan->truth);
  PetscErrorCode code  = 0;
  double         asked, there, share;
  holdings       of;
  int            ranks;

  PetscFunctionBegin;
  if (plan->has_truth) code = fare_truth_check_memory(solve, plan->system, &plan->truth);
  PetscCall(fare_error_agree(comm, code));
  PetscCallMPI(MPI_Comm_size(comm, &ranks));
  of = held_by_a_rank(plan, solve == PETSC_COMM_SELF ? PETSC_TRUE : PETSC_FALSE, ranks);
  PetscCall(fare_memory_of_machine(comm, of.truth + of.particles + of.training, &asked, &there));
  share = asked / PetscMax(1, of.truth + of.particles + of.training) / 0x1p30;
  if (asked > there) {
    code = fare_error(FARE_ERR_INPUT,
      "the study needs about %.3g GiB of memory on this machine (truth %.3g, particles of ensembles %.3g, "
      "training set %.3g), %.3g GiB are free",
      asked / 0x1p30, share * of.truth, share * of.particles, share * of.training, there / 0x1p30);
  }
  PetscFunctionReturn(fare_error_agree(comm, code));
}
