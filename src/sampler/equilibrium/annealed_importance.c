/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Annealed importance sampling along the protocol: particles in equilibrium at the start are carried through
  small changes of the potential with their work as weights, so that at every moment they represent
  exp(-V(x,t)/kT) and the mean weight is the ratio of partition functions. That is the density of an
  equilibrium that never was, not p(x,t), unless the energy is -ln p(x,t) itself: as an oracle it is, and then
  they follow p.
*/
#include "sampler/energy/energy.h"

#include <math.h>

#define TUNING 20

typedef struct {
  fare_annealing annealing;
  PetscBool      begun;
  fare_energy   *energy;
} importance;

static const fare_field fields[] = {
  FARE_ANNEALING_FIELDS(importance, annealing, "mala", "20", "1", "0.01"),
  FARE_FIELDS_END,
};

static PetscErrorCode need_energy(fare_sampler *sampler)
{
  importance *s = sampler->state;

  PetscFunctionBegin;
  if (s->energy) PetscFunctionReturn(0);
  if (sampler->mode == FARE_ORACLE)
    PetscCall(fare_energy_of_densities(sampler->exact, 0, NULL, NULL, NULL, &s->energy));
  else
    PetscCall(fare_energy_of_system(sampler->system, PETSC_TRUE, &s->energy));
  fare_energy_set_walls(s->energy, &sampler->walls);
  PetscFunctionReturn(0);
}

/* It begins in equilibrium, which beyond a grid's axes a truth has to draw. */
static PetscErrorCode setup(fare_sampler *sampler)
{
  PetscFunctionBegin;
  if (fare_system_dimension(sampler->system) > FARE_DIM_MAX &&
    sampler->initial->density != FARE_INITIAL_BOLTZMANN)
    FARE_FAIL(FARE_ERR_INPUT,
      "sampler 'annealed_importance' begins in equilibrium, which in %d axes is drawn from only where that "
      "is the "
      "initial density of a truth: take 'boltzmann' or 'replica_exchange', or initial: {density: boltzmann}",
      fare_system_dimension(sampler->system));
  PetscFunctionReturn(0);
}

/* In the density at the start, with the step of moves tuned there. */
static PetscErrorCode begin(fare_sampler *sampler, double t, fare_ensemble *ensemble, int64_t *evaluations)
{
  const fare_initial boltzmann = {.density = FARE_INITIAL_BOLTZMANN, .box = sampler->initial->box};
  importance        *s         = sampler->state;

  PetscFunctionBegin;
  if (ensemble->dim > FARE_DIM_MAX) /* where `setup` has seen that it is that of Boltzmann */
    PetscCall(fare_sampler_draw_initial(sampler, t, ensemble));
  else
    PetscCall(fare_ensemble_draw(ensemble, sampler->mode == FARE_ORACLE ? sampler->initial : &boltzmann,
      sampler->system, t, fare_sampler_stream(sampler, "initial")));
  PetscCall(fare_annealing_begin(&s->annealing, ensemble));
  if (s->annealing.relaxation == FARE_RELAX_MALA) {
    PetscCall(s->energy->move(s->energy, t));
    PetscCall(fare_annealing_tune(&s->annealing, sampler, s->energy, TUNING, ensemble, evaluations));
  }
  s->annealing.time = t;
  s->begun          = PETSC_TRUE;
  PetscFunctionReturn(0);
}

/* What the weights have found out, once at the end. */
static void report(const fare_sampler *sampler)
{
  const importance     *s        = sampler->state;
  const fare_annealing *a        = &s->annealing;
  const fare_schedule  *schedule = &sampler->schedule;
  const double          kT = fare_system_kT(sampler->system, schedule->end), error = sqrt(a->variance);
  char                  what[160];

  if (sampler->mode == FARE_ORACLE)
    snprintf(what, sizeof what, "ln of the mean weight %.5f +- %.5f, which should be 0", a->log_ratio, error);
  else if (fare_system_drives(sampler->system, FARE_KT))
    snprintf(what, sizeof what, "ln Z(%g)/Z(%g) = %.5f +- %.5f", schedule->end, schedule->start, a->log_ratio,
      error);
  else
    snprintf(what, sizeof what, "free energy difference %.5f +- %.5f between times %g and %g",
      -kT * a->log_ratio, kT * error, schedule->start, schedule->end);
  fare_log("%s: %s; %lld resamplings, at least %.3g%% of the particles effective, %.3g initial "
           "particles have descendants that count",
    sampler->name, what, (long long)a->resamplings, 100 * a->least, a->families);
}

static PetscErrorCode advance(fare_sampler *sampler, double t, fare_ensemble *ensemble)
{
  importance *s           = sampler->state;
  int64_t     evaluations = 0;

  PetscFunctionBegin;
  PetscCall(need_energy(sampler));
  if (!s->begun)
    PetscCall(begin(sampler, t, ensemble, &evaluations));
  else
    PetscCall(fare_annealing_advance(&s->annealing, sampler, s->energy, t, ensemble, &evaluations));
  if (sampler->mode != FARE_ORACLE) sampler->cost.force_evaluations += evaluations;
  fare_annealing_warn(&s->annealing, sampler);
  if (t >= sampler->schedule.end) report(sampler);
  PetscFunctionReturn(0);
}

static void estimate_cost(const fare_sampler *sampler, int64_t particles, fare_cost *cost)
{
  const importance *s      = sampler->state;
  const int64_t     tuning = s->annealing.relaxation == FARE_RELAX_MALA ? 1 + TUNING : 0;

  cost->force_evaluations += particles *
    (tuning +
      (sampler->schedule.count - 1) * fare_annealing_evaluations(&s->annealing, s->annealing.protocol_steps));
}

/* The model density of an oracle is p itself, as far as the interpolation of -ln p goes. */
static PetscErrorCode model_density(fare_sampler *sampler, double t, const fare_grid *grid, Vec *masses)
{
  importance *s = sampler->state;

  PetscFunctionBegin;
  if (sampler->mode != FARE_ORACLE) {
    PetscCall(fare_grid_boltzmann(grid, sampler->system, t, masses));
  } else {
    PetscCall(need_energy(sampler));
    PetscCall(s->energy->move(s->energy, t));
    PetscCall(fare_energy_masses(s->energy, grid, masses));
  }
  PetscFunctionReturn(0);
}

static const fare_kept kept[] = {
  FARE_KEEP(BOOLEAN, importance, begun),
  FARE_KEEP_WITH(STRUCT, importance, annealing, .fields = fare_annealing_kept),
  FARE_KEPT_END,
};

/* Particles that have begun have ancestors. */
static PetscErrorCode loaded(fare_sampler *sampler)
{
  const importance *s = sampler->state;

  PetscFunctionBegin;
  if (s->begun) PetscCall(fare_annealing_check(&s->annealing, sampler));
  PetscFunctionReturn(0);
}

static PetscErrorCode destroy(fare_sampler *sampler)
{
  importance *s = sampler->state;

  PetscFunctionBegin;
  PetscCall(fare_energy_destroy(&s->energy));
  PetscCall(fare_ensemble_destroy(&s->annealing.ancestors));
  PetscFunctionReturn(0);
}

const fare_sampler_type fare_sampler_annealed_importance = {
  .name    = "annealed_importance",
  .summary = "weighted particles in equilibrium with the changing potential, and its free energy differences",
  .reference       = "Jarzynski, Phys. Rev. E 56, 5018 (1997); Neal, Stat. Comput. 11, 125 (2001)",
  .family          = FARE_EQUILIBRIUM,
  .walls           = FARE_WALLS_KEPT,
  .many_axes       = PETSC_TRUE,
  .size            = sizeof(importance),
  .modes           = FARE_ORACLE,
  .fields          = fields,
  .needs_potential = PETSC_TRUE,
  .setup           = setup,
  .advance         = advance,
  .model_density   = model_density,
  .estimate_cost   = estimate_cost,
  .kept            = kept,
  .loaded          = loaded,
  .destroy         = destroy,
};
