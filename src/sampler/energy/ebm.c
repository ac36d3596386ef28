/* SPDX-License-Identifier: BSD-2-Clause */
/*
  An energy-based model of snapshots: what one gets who learns "the equilibrium" from data of a driven system.
  Static, it is one energy E(x) for the particles of all training times together and says the same at every
  time; conditioned, E(x,t). Drawn from by Markov chains on the energy that go on from snapshot to snapshot,
  with local steps and jumps as the sampler `boltzmann` makes on the potential.
*/
#include "energy_model.h"

typedef struct {
  fare_energy_model model;
  PetscBool         conditioned;
  PetscInt64        burn_in, sweeps, adaptation;
  double            step;
  uint64_t          sweep; /* made so far: the counter of random numbers */
} ebm;

static const fare_field fields[] = {
  FARE_ENERGY_MODEL_FIELDS(ebm, model, "4000", "4096", "1", "0.01"),
  {"conditioned", FARE_BOOLEAN, offsetof(ebm, conditioned), "false", 0, 0, NULL, "",
    "an energy of its own at every time, in place of one for all"},
  {"burn_in", FARE_INTEGER, offsetof(ebm, burn_in), "200", 1, 1e6, NULL, "",
    "sweeps at the first snapshot, from a normal; each a local step and a jump"},
  {"sweeps", FARE_INTEGER, offsetof(ebm, sweeps), "20", 1, 1e6, NULL, "", "sweeps at every later snapshot"},
  {"adaptation", FARE_INTEGER, offsetof(ebm, adaptation), "10", 0, 1e6, NULL, "",
    "sweeps before the first ones that tune the local step"},
  {"step", FARE_REAL, offsetof(ebm, step), "0.01", 1e-12, 1e6, NULL, "sd^2",
    "local step h to begin tuning from"},
  FARE_FIELDS_END,
};

static PetscErrorCode setup(fare_sampler *sampler)
{
  const ebm *s = sampler->state;

  PetscFunctionBegin;
  PetscCall(fare_energy_model_setup(sampler, s->conditioned));
  PetscFunctionReturn(0);
}

static PetscErrorCode train(fare_sampler *sampler, const fare_training_set *data)
{
  PetscFunctionBegin;
  PetscCall(fare_energy_model_train(sampler, data, FARE_CONTRAST_PERSISTENT));
  PetscFunctionReturn(0);
}

/*
  Takes all particles here, in z, through sweeps; returns how many local steps moved a particle that counts.
*/
static PetscErrorCode sweep_all(fare_sampler *sampler, int64_t sweeps, fare_ensemble *e, int64_t *moved)
{
  ebm              *s      = sampler->state;
  const fare_stream stream = fare_sampler_stream(sampler, "chains");

  PetscFunctionBegin;
  for (int64_t b = 0; b < e->blocks; b++) {
    const fare_block  block = fare_ensemble_block(e, b);
    double            U[FARE_BLOCK] FARE_ALIGNED, f[FARE_DIM_MAX][FARE_BLOCK] FARE_ALIGNED;
    const fare_chains c = {.z = {block.x[0], block.x[1], block.x[2]}, .f = {f[0], f[1], f[2]}, .U = U};

    fare_chains_evaluate(s->model.energy, &c);
    for (uint64_t i = 0; i < (uint64_t)sweeps; i++) {
      *moved += fare_chains_local(
        s->model.energy, 1, s->step, stream, block.number, s->sweep + i, 0, block.counted, &c);
      fare_chains_jump(s->model.energy, stream, block.number, s->sweep + i, (uint32_t)e->dim + 1, &c);
      fare_chains_wrap(s->model.energy, &c);
    }
  }
  s->sweep += (uint64_t)sweeps;
  PetscFunctionReturn(0);
}

static PetscErrorCode tune(fare_sampler *sampler, fare_ensemble *e)
{
  ebm *s = sampler->state;

  PetscFunctionBegin;
  for (int64_t round = 0; round < s->adaptation; round++) {
    int64_t moved = 0;

    PetscCall(sweep_all(sampler, 1, e, &moved));
    PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &moved, 1, MPI_INT64_T, MPI_SUM, e->comm));
    s->step = fare_chains_tune(s->step, moved, e->count, round);
  }
  PetscFunctionReturn(0);
}

/* Two evaluations a sweep and one before the first; each round of tuning is a sweep of its own. */
static int64_t evaluations(const ebm *s, PetscInt64 first)
{
  return first ? 1 + 2 * s->burn_in + 3 * s->adaptation : 1 + 2 * s->sweeps;
}

static PetscErrorCode advance(fare_sampler *sampler, double t, fare_ensemble *e)
{
  ebm             *s     = sampler->state;
  const PetscInt64 first = s->model.common.advances == 0, sweeps = first ? s->burn_in : s->sweeps;
  int64_t          moved = 0;

  PetscFunctionBegin;
  PetscCall(fare_energy_model_at(sampler, t));
  if (!first) fare_energy_enter(s->model.energy, e);
  for (int64_t b = 0; b < e->blocks && first; b++) {
    const fare_block block = fare_ensemble_block(e, b);

    fare_energy_draw(s->model.energy, fare_sampler_stream(sampler, "latent"), block.number, block.x);
  }
  if (first) PetscCall(tune(sampler, e));
  PetscCall(sweep_all(sampler, sweeps, e, &moved));
  fare_energy_leave(s->model.energy, e);
  s->model.common.advances++;
  fare_energy_model_count(sampler, e->local * evaluations(s, first));
  PetscFunctionReturn(0);
}

static PetscErrorCode estimate_cost(fare_sampler *sampler, int64_t particles, fare_cost *cost)
{
  const ebm *s = sampler->state;

  PetscFunctionBegin;
  if (sampler->mode != FARE_LEARNED) PetscFunctionReturn(0);
  cost->network_evaluations += fare_energy_model_rows(sampler, FARE_CONTRAST_PERSISTENT) +
    particles * (evaluations(s, 1) + (sampler->schedule.count - 1) * evaluations(s, 0));
  PetscFunctionReturn(0);
}

static const fare_kept kept[] = {
  FARE_KEEP_WITH(STRUCT, ebm, model, .fields = fare_energy_model_kept),
  FARE_KEEP(INTEGER, ebm, sweep),
  FARE_KEEP(REAL, ebm, step),
  FARE_KEPT_END,
};

const fare_sampler_type fare_sampler_ebm = {
  .name = "ebm",
  .summary =
    "an energy learned from snapshots, one for all times or conditioned on time, and its equilibrium",
  .reference     = "Tieleman, ICML 2008, 1064; Du and Mordatch, arXiv 1903.08689 (2019)",
  .family        = FARE_GENERATIVE,
  .walls         = FARE_WALLS_KEPT,
  .size          = sizeof(ebm),
  .modes         = FARE_ORACLE,
  .fields        = fields,
  .setup         = setup,
  .train         = train,
  .advance       = advance,
  .model_density = fare_energy_model_density,
  .estimate_cost = estimate_cost,
  .curve         = fare_generative_curve,
  .kept          = kept,
  .destroy       = fare_energy_model_destroy,
};
