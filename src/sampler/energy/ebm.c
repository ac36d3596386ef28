/* SPDX-License-Identifier: BSD-2-Clause */
/*
  An energy-based model of snapshots: what one gets who learns "the equilibrium" from data of a driven system.
  Static, it is one energy E(x) for the particles of all training times together and says the same at every
  time; conditioned, E(x,t). Drawn from by Markov chains on the energy that go on from snapshot to snapshot,
  with local steps and jumps as the sampler `boltzmann` makes on the potential.
*/
#include "energy_model.h"
#include "energy_prior.h"

typedef struct {
  fare_energy_model model;
  PetscInt64        burn_in, sweeps, adaptation;
  fare_sweeps       chains;
} ebm;

static const fare_field fields[] = {
  FARE_ENERGY_MODEL_FIELDS(ebm, model, "4000", "4096", "1", "0.01"),
  {"conditioned", FARE_BOOLEAN, offsetof(ebm, model.conditioned), "false", 0, 0, NULL, "",
    "a separate energy at every time, instead of one for all"},
  {"burn_in", FARE_INTEGER, offsetof(ebm, burn_in), "200", 1, 1e6, NULL, "",
    "sweeps at the first snapshot, from a Gaussian; each a local step and a jump"},
  {"sweeps", FARE_INTEGER, offsetof(ebm, sweeps), "20", 1, 1e6, NULL, "", "sweeps at every later snapshot"},
  {"adaptation", FARE_INTEGER, offsetof(ebm, adaptation), "10", 0, 1e6, NULL, "",
    "sweeps before these, to tune the local step"},
  {"step", FARE_REAL, offsetof(ebm, chains.step), "0.01", 1e-12, 1e6, NULL, "sd^2",
    "local step h at the start of tuning"},
  FARE_FIELDS_END,
};

/* Two evaluations a sweep and one before the first; each round of tuning is a sweep of its own. */
static int64_t evaluations(const ebm *s, PetscInt64 first)
{
  return first ? 1 + 2 * s->burn_in + 3 * s->adaptation : 1 + 2 * s->sweeps;
}

static PetscErrorCode advance(fare_sampler *sampler, double t, fare_ensemble *e)
{
  ebm             *s     = sampler->state;
  const PetscInt64 first = s->model.common.advances == 0, sweeps = first ? s->burn_in : s->sweeps;

  PetscFunctionBegin;
  s->chains.temperature = 1;
  s->chains.stream      = fare_sampler_stream(sampler, "chains");
  PetscCall(fare_energy_model_at(sampler, t));
  if (!first) fare_energy_enter(s->model.energy, e);
  for (int64_t b = 0; b < e->blocks && first; b++) {
    const fare_block block = fare_ensemble_block(e, b);

    fare_energy_draw(s->model.energy, fare_sampler_stream(sampler, "latent"), block.number, block.x);
  }
  if (first) PetscCall(fare_sweeps_tune(&s->chains, s->model.energy, s->adaptation, e));
  fare_sweeps_make(&s->chains, s->model.energy, sweeps, e);
  fare_energy_leave(s->model.energy, e);
  s->model.common.advances++;
  fare_energy_model_count(sampler, e->local * evaluations(s, first));
  PetscFunctionReturn(0);
}

static void estimate_cost(const fare_sampler *sampler, int64_t particles, fare_cost *cost)
{
  const ebm *s = sampler->state;

  cost->network_evaluations += fare_energy_model_rows(sampler) +
    particles * (evaluations(s, 1) + (sampler->schedule.count - 1) * evaluations(s, 0));
}

static const fare_kept kept[] = {
  FARE_KEEP_WITH(STRUCT, ebm, model, .fields = fare_energy_model_kept),
  FARE_KEEP_WITH(STRUCT, ebm, chains, .fields = fare_sweeps_kept),
  FARE_KEPT_END,
};

const fare_sampler_type fare_sampler_ebm = {
  .name      = "ebm",
  .summary   = "equilibrium of an energy learned from snapshots, one for all times or conditioned on time",
  .reference = "Tieleman, ICML 2008, 1064; Du and Mordatch, arXiv 1903.08689 (2019)",
  .family    = FARE_GENERATIVE,
  .walls     = FARE_WALLS_KEPT,
  .size      = sizeof(ebm),
  .modes     = FARE_ORACLE,
  .fields    = fields,
  .setup     = fare_energy_model_setup,
  .train     = fare_energy_model_train,
  .advance   = advance,
  .model_density   = fare_energy_model_density,
  .density_between = PETSC_TRUE,
  .estimate_cost   = estimate_cost,
  .curve           = fare_generative_curve,
  .kept            = kept,
  .many_axes       = PETSC_TRUE,
  .priors          = 1 << FARE_PRIOR_FOKKER_PLANCK | 1 << FARE_PRIOR_LEAST_DISSIPATION,
  .check_prior     = fare_energy_check_prior,
  .destroy         = fare_energy_model_destroy,
};
