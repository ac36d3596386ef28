/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The equilibrium answer at every moment: exp(-V(x,t)/kT) with the potential frozen at t. Every particle is a
  Markov chain that goes on from the snapshot before. A sweep is one Metropolis-adjusted Langevin step (local)
  and one differential-evolution step (a jump).
*/
#include "sampler/energy/energy.h"

typedef struct {
  PetscInt64   sweeps, adaptation;
  fare_sweeps  chains;
  PetscBool    begun;
  fare_energy *energy;
} boltzmann;

static const fare_field fields[] = {
  {"sweeps", FARE_INTEGER, offsetof(boltzmann, sweeps), "80", 1, 1e6, NULL, "",
    "sweeps per snapshot, each a local step and a jump"},
  {"adaptation", FARE_INTEGER, offsetof(boltzmann, adaptation), "20", 0, 1e6, NULL, "",
    "sweeps before those, to tune the local step"},
  {"step", FARE_REAL, offsetof(boltzmann, chains.step), "0.01", 1e-12, 1e6, NULL, "length^2",
    "local step h at the start of tuning"},
  FARE_FIELDS_END,
};

static PetscErrorCode setup(fare_sampler *sampler)
{
  boltzmann *s = sampler->state;

  PetscFunctionBegin;
  s->chains.padding = PETSC_TRUE;
  PetscCall(fare_energy_of_system(sampler->system, PETSC_FALSE, &s->energy));
  PetscFunctionReturn(0);
}

static PetscErrorCode destroy(fare_sampler *sampler)
{
  PetscFunctionBegin;
  PetscCall(fare_energy_destroy(&((boltzmann *)sampler->state)->energy));
  PetscFunctionReturn(0);
}

/* Of each sweep: force and potential, at the proposal and at the jump. */
#define EVALUATIONS 4

static PetscErrorCode advance(fare_sampler *sampler, double t, fare_ensemble *ensemble)
{
  boltzmann *s = sampler->state;

  PetscFunctionBegin;
  if (!s->begun) {
    PetscCall(fare_sampler_draw_initial(sampler, t, ensemble));
    s->begun = PETSC_TRUE;
  }
  s->chains.temperature = fare_system_kT(sampler->system, t);
  s->chains.stream      = fare_sampler_stream(sampler, "chains");
  fare_energy_set_walls(s->energy, &sampler->walls);
  PetscCall(s->energy->move(s->energy, t));
  PetscCall(fare_sweeps_tune(&s->chains, s->energy, s->adaptation, ensemble));
  fare_sweeps_make(&s->chains, s->energy, s->sweeps, ensemble);
  sampler->cost.force_evaluations += ensemble->local * EVALUATIONS * (s->adaptation + s->sweeps);
  PetscFunctionReturn(0);
}

static void estimate_cost(const fare_sampler *sampler, int64_t particles, fare_cost *cost)
{
  const boltzmann *s = sampler->state;

  cost->force_evaluations += particles * EVALUATIONS * (s->adaptation + s->sweeps) * sampler->schedule.count;
}

PetscErrorCode fare_equilibrium_density(fare_sampler *sampler, double t, const fare_grid *grid, Vec *masses)
{
  PetscFunctionBegin;
  PetscCall(fare_grid_boltzmann(grid, sampler->system, t, masses));
  PetscFunctionReturn(0);
}

static const fare_kept kept[] = {
  FARE_KEEP(BOOLEAN, boltzmann, begun),
  FARE_KEEP_WITH(STRUCT, boltzmann, chains, .fields = fare_sweeps_kept),
  FARE_KEPT_END,
};

const fare_sampler_type fare_sampler_boltzmann = {
  .name            = "boltzmann",
  .summary         = "equilibrium of the potential frozen at each time, by Markov chains",
  .reference       = "Roberts and Tweedie, Bernoulli 2, 341 (1996); ter Braak, Stat. Comput. 16, 239 (2006)",
  .family          = FARE_EQUILIBRIUM,
  .walls           = FARE_WALLS_KEPT,
  .many_axes       = PETSC_TRUE,
  .size            = sizeof(boltzmann),
  .fields          = fields,
  .needs_potential = PETSC_TRUE,
  .setup           = setup,
  .advance         = advance,
  .model_density   = fare_equilibrium_density,
  .estimate_cost   = estimate_cost,
  .kept            = kept,
  .destroy         = destroy,
};
