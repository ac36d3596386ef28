/* SPDX-License-Identifier: BSD-2-Clause */
/* Training sets: the dynamics themselves, simulated, and kept at the times that may be learned from. */
#include "study.h"

#include <fare/langevin.h>

#include <stdlib.h>

/*
  The simulation is the sampler `langevin` under a name of its own, so that no ensemble shares its random
  numbers.
*/
static PetscErrorCode create_simulation(MPI_Comm comm, const fare_plan *plan, const fare_initial *initial,
  const fare_walls *walls, fare_joint *joint, const fare_plan_ensemble *ensemble, fare_sampler **sampler)
{
  const fare_langevin_options options = {.dt = ensemble->training.dt, .integrator = FARE_LANGEVIN_HEUN};

  PetscFunctionBegin;
  PetscCall(fare_sampler_create(comm, fare_sampler_type_find("langevin"), "training", &options,
    (uint64_t)plan->seed, plan->system, initial, &plan->snapshots, sampler));
  PetscCall(fare_sampler_set_walls(*sampler, walls));
  fare_sampler_set_joint(*sampler, joint);
  PetscFunctionReturn(0);
}

static PetscErrorCode simulate(const fare_plan *plan, const fare_plan_ensemble *ensemble,
  fare_sampler *simulation, fare_ensemble *particles, fare_training_set *set, double times[])
{
  fare_progress progress;

  PetscFunctionBegin;
  fare_progress_begin(&progress, "simulating the training set", (double)plan->snapshots.count);
  for (PetscInt64 k = 0; k < plan->snapshots.count; k++) {
    if (!fare_training_includes(&ensemble->training, k)) continue;
    times[set->count] = fare_schedule_time(&plan->snapshots, k);
    PetscCall(fare_sampler_advance(simulation, times[set->count], particles));
    PetscCall(fare_ensemble_create(
      particles->comm, particles->dim, ensemble->training.particles, &set->at[set->count]));
    PetscCall(fare_ensemble_copy(particles, set->at[set->count++]));
    fare_progress_update(&progress, (double)k + 1, NULL);
  }
  fare_progress_end(&progress);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_training_simulate(MPI_Comm comm, const fare_plan *plan, const fare_initial *initial,
  const fare_walls *walls, fare_joint *joint, const fare_plan_ensemble *ensemble, fare_training_set *set,
  int64_t *force_evaluations)
{
  fare_ensemble *particles  = NULL;
  fare_sampler  *simulation = NULL;
  double        *times;
  PetscErrorCode code;

  PetscFunctionBegin;
  set->count = 0;
  set->at    = calloc((size_t)plan->snapshots.count, sizeof *set->at);
  set->times = times = calloc((size_t)plan->snapshots.count, sizeof *times);
  if (!set->at || !times) FARE_FAIL(FARE_ERR_FAILED, "out of memory for a training set");
  code = create_simulation(comm, plan, initial, walls, joint, ensemble, &simulation);
  if (!code)
    code = fare_ensemble_create(
      comm, fare_system_dimension(plan->system), ensemble->training.particles, &particles);
  if (!code) code = simulate(plan, ensemble, simulation, particles, set, times);
  if (!code) *force_evaluations = simulation->cost.force_evaluations;
  PetscCall(fare_ensemble_destroy(&particles));
  PetscCall(fare_sampler_destroy(&simulation));
  if (code) PetscCall(fare_training_free(set));
  PetscFunctionReturn(code);
}

PetscErrorCode fare_training_split(MPI_Comm comm, const fare_plan *plan, const fare_grid *grid,
  const fare_plan_ensemble *ensemble, fare_training_set *set, int64_t *force_evaluations)
{
  double        *times;
  PetscErrorCode code = 0;

  PetscFunctionBegin;
  set->count         = 0;
  *force_evaluations = 0;
  set->at            = calloc((size_t)plan->snapshots.count, sizeof *set->at);
  set->times = times = calloc((size_t)plan->snapshots.count, sizeof *times);
  if (!set->at || !times) FARE_FAIL(FARE_ERR_FAILED, "out of memory for a training set");
  for (PetscInt64 k = 0; k < plan->snapshots.count && !code; k++) {
    if (!fare_training_includes(&ensemble->training, k)) continue;
    times[set->count] = fare_schedule_time(&plan->snapshots, k);

    code = fare_ensemble_create(
      comm, fare_system_dimension(plan->system), ensemble->training.particles, &set->at[set->count]);
    if (!code) set->count++;
  }
  if (!code)
    code = fare_rare_reactive_paths(
      plan->rare, plan->condition, grid, (uint64_t)plan->seed, set->count, times, set->at, force_evaluations);
  if (code) PetscCall(fare_training_free(set));
  PetscFunctionReturn(code);
}

PetscErrorCode fare_training_free(fare_training_set *set)
{
  PetscFunctionBegin;
  for (int i = 0; i < set->count; i++) PetscCall(fare_ensemble_destroy(&set->at[i]));
  free(set->at);
  free((void *)set->times);
  set->count = 0;
  set->at    = NULL;
  set->times = NULL;
  PetscFunctionReturn(0);
}
