/* SPDX-License-Identifier: BSD-2-Clause */
/*
  A time-dependent energy E(x,t), learned with walkers whose weights follow Jarzynski's equality through the
  changes of the network, so that the gradient of the likelihood has no bias from walkers that lag behind.
  Particles are carried along physical time on E(.,t) with such weights too, from a normal to the first
  snapshot and from there to each next one.
*/
#include "energy_model.h"
#include "energy_prior.h"

typedef struct {
  fare_energy_model model;
  fare_annealing    annealing;
  PetscInt64        start_steps;
} neq_ebm;

static const fare_field fields[] = {
  FARE_ENERGY_MODEL_FIELDS(neq_ebm, model, "4000", "4096", "4", "0.002"),
  {"start_steps", FARE_INTEGER, offsetof(neq_ebm, start_steps), "200", 1, 1e6, NULL, "",
    "small changes of the energy from a Gaussian's to that of the first snapshot"},
  FARE_ANNEALING_FIELDS(neq_ebm, annealing, "langevin", "10", "5", "0.002"),
  FARE_FIELDS_END,
};

static PetscErrorCode setup(fare_sampler *sampler)
{
  fare_energy_model *m = sampler->state;

  PetscFunctionBegin;
  m->contrast    = FARE_CONTRAST_JARZYNSKI;
  m->conditioned = PETSC_TRUE;
  PetscCall(fare_energy_model_setup(sampler));
  PetscFunctionReturn(0);
}

/* From a normal to the energy as it is. */
static PetscErrorCode start(fare_sampler *sampler, fare_ensemble *e, int64_t *evaluations)
{
  neq_ebm     *s = sampler->state;
  fare_energy *blend;

  PetscFunctionBegin;
  for (int64_t b = 0; b < e->blocks; b++) {
    const fare_block block = fare_ensemble_block(e, b);

    fare_energy_draw(s->model.energy, fare_sampler_stream(sampler, "latent"), block.number, block.x);
  }
  PetscCall(fare_annealing_begin(&s->annealing, e));
  PetscCall(fare_energy_blend(s->model.energy, &blend));
  PetscCall(fare_annealing_carry(&s->annealing, sampler, blend, 0, 1, s->start_steps, e, evaluations));
  PetscCall(fare_energy_destroy(&blend));
  PetscFunctionReturn(0);
}

static PetscErrorCode advance(fare_sampler *sampler, double t, fare_ensemble *e)
{
  neq_ebm *s           = sampler->state;
  int64_t  evaluations = 0;

  PetscFunctionBegin;
  if (s->model.common.advances == 0) {
    PetscCall(fare_energy_model_at(sampler, t));
    PetscCall(start(sampler, e, &evaluations));
    s->annealing.time = t;
  } else {
    PetscCall(fare_energy_model_at(sampler, s->annealing.time));
    fare_energy_enter(s->model.energy, e);
    PetscCall(fare_annealing_advance(&s->annealing, sampler, s->model.energy, t, e, &evaluations));
  }
  fare_energy_leave(s->model.energy, e);
  s->model.common.advances++;
  fare_energy_model_count(sampler, evaluations);
  fare_annealing_warn(&s->annealing, sampler);
  if (t >= sampler->schedule.end)
    fare_log("%s: %lld resamplings, at least %.3g%% of the particles effective", sampler->name,
      (long long)s->annealing.resamplings, 100 * s->annealing.least);
  PetscFunctionReturn(0);
}

static void estimate_cost(const fare_sampler *sampler, int64_t particles, fare_cost *cost)
{
  const neq_ebm *s = sampler->state;

  cost->network_evaluations += fare_energy_model_rows(sampler);
  cost->network_evaluations += particles *
    (fare_annealing_evaluations(&s->annealing, s->start_steps) +
      (sampler->schedule.count - 1) * fare_annealing_evaluations(&s->annealing, s->annealing.protocol_steps));
}

static const fare_kept kept[] = {
  FARE_KEEP_WITH(STRUCT, neq_ebm, model, .fields = fare_energy_model_kept),
  FARE_KEEP_WITH(STRUCT, neq_ebm, annealing, .fields = fare_annealing_kept),
  FARE_KEPT_END,
};

static PetscErrorCode loaded(fare_sampler *sampler)
{
  const neq_ebm *s = sampler->state;

  PetscFunctionBegin;
  if (s->model.common.advances) PetscCall(fare_annealing_check(&s->annealing, sampler));
  PetscFunctionReturn(0);
}

static PetscErrorCode destroy(fare_sampler *sampler)
{
  neq_ebm *s = sampler->state;

  PetscFunctionBegin;
  PetscCall(fare_ensemble_destroy(&s->annealing.ancestors));
  PetscCall(fare_energy_model_destroy(sampler));
  PetscFunctionReturn(0);
}

const fare_sampler_type fare_sampler_neq_ebm = {
  .name      = "neq_ebm",
  .summary   = "time-dependent energy learned with Jarzynski weights, and weighted particles that follow it",
  .reference = "Carbone, Hua, Coste and Vanden-Eijnden, arXiv 2305.19414 (2023)",
  .family    = FARE_GENERATIVE,
  .walls     = FARE_WALLS_KEPT,
  .size      = sizeof(neq_ebm),
  .modes     = FARE_ORACLE,
  .fields    = fields,
  .setup     = setup,
  .train     = fare_energy_model_train,
  .advance   = advance,
  .model_density   = fare_energy_model_density,
  .density_between = PETSC_TRUE,
  .estimate_cost   = estimate_cost,
  .curve           = fare_generative_curve,
  .kept            = kept,
  .loaded          = loaded,
  .many_axes       = PETSC_TRUE,
  .priors          = 1 << FARE_PRIOR_FOKKER_PLANCK | 1 << FARE_PRIOR_LEAST_DISSIPATION,
  .check_prior     = fare_energy_check_prior,
  .destroy         = destroy,
};
