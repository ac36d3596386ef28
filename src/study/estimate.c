/* What a plan will take, before anything runs: memory and disk counted, time of the forces measured on this machine. */
#include "study.h"

#include <stdio.h>

#define MEBI 1048576.0

/* Seconds of one particle's drift, from a few milliseconds of them. */
static double seconds_per_force(const fare_system *system, double t)
{
  enum { ENOUGH = 2000 };
  static double           x[FARE_DIM_MAX][FARE_BLOCK], f[FARE_DIM_MAX][FARE_BLOCK];
  const fare_system_type *type                 = fare_system_type_of(system);
  const double *const     px[FARE_DIM_MAX]     = {x[0], x[1], x[2]};
  double *const           pf[FARE_DIM_MAX]     = {f[0], f[1], f[2]};
  double                  began;

  for (int axis = 0; axis < fare_system_dimension(system); axis++) {
    for (int i = 0; i < FARE_BLOCK; i++) x[axis][i] = type->lower[axis] + (type->upper[axis] - type->lower[axis]) * (i + 0.5) / FARE_BLOCK;
  }
  began = fare_seconds();
  for (int i = 0; i < ENOUGH; i++) fare_system_drift(system, t, FARE_BLOCK, px, pf);
  return (fare_seconds() - began) / ((double)ENOUGH * FARE_BLOCK);
}

static void print_truth(const fare_plan *plan, FILE *to, double *disk)
{
  double cells = 1;

  if (plan->truth.accuracy > 0) {
    fprintf(to, "truth       as many cells as an L1 error of %g takes: pilot runs will tell\n", plan->truth.accuracy);
    return;
  }
  for (size_t i = 0; i < plan->truth.cells.count; i++) cells *= (double)plan->truth.cells.values[i];
  fprintf(to, "truth       %.4g cells%s, about %.1f MiB in all\n", cells, plan->truth.estimate ? " and two companions for its error" : "", fare_truth_bytes(plan->system, &plan->truth) / MEBI);
  *disk += 16 * cells;
}

PetscErrorCode fare_plan_estimate(const fare_plan *plan, int ranks, FILE *to)
{
  const int    dim     = fare_system_dimension(plan->system);
  const double force   = seconds_per_force(plan->system, plan->snapshots.start);
  double       disk = 0, total = 0;

  PetscFunctionBeginUser;
  if (plan->has_truth) print_truth(plan, to, &disk);
  for (size_t i = 0; i < plan->ensembles; i++) {
    const fare_plan_ensemble *e     = &plan->ensemble[i];
    const double              bytes = (double)e->particles * (double)fare_ensemble_bytes(dim);
    fare_sampler             *sampler;
    fare_cost                 cost = {0};

    disk += (double)fare_record_kept(&plan->record, e->particles) * ((plan->record.precision == FARE_RECORD_SINGLE ? 4.0 : 8.0) * dim + 8);
    fprintf(to, "%-11s %.4g particles, %.1f MiB on each rank", e->name, (double)e->particles, bytes / ranks / MEBI);
    PetscCall(fare_sampler_create(PETSC_COMM_SELF, e->type, e->name, e->node, fare_ensemble_fields, (uint64_t)plan->seed, plan->system, &plan->initial, &plan->snapshots, &sampler));
    if (e->type->expect) PetscCall(e->type->expect(sampler, e->particles, &cost));
    PetscCall(fare_sampler_destroy(&sampler));
    if (e->type->train) {
      const double steps = (plan->snapshots.end - plan->snapshots.start) / e->training.dt;

      cost.force_evaluations += (int64_t)(2 * steps * (double)e->training.particles);
    }
    if (cost.force_evaluations) fprintf(to, ", %.3g force evaluations", (double)cost.force_evaluations);
    if (cost.network_evaluations) fprintf(to, ", %.3g network evaluations", (double)cost.network_evaluations);
    total += force * (double)cost.force_evaluations / ranks;
    fprintf(to, "\n");
  }
  fprintf(to, "disk        %.1f MiB in %lld snapshots\n", disk * (double)plan->snapshots.count / MEBI, (long long)plan->snapshots.count);
  if (total > 0) fprintf(to, "forces      %.2g ns each here, so at least %.3g s for all of them on %d rank%s (random numbers, networks and the truth come on top)\n", 1e9 * force, total, ranks, ranks > 1 ? "s" : "");
  PetscFunctionReturn(0);
}
