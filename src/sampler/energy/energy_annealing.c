/* SPDX-License-Identifier: BSD-2-Clause */
/* Weighted particles along a path of energies. */
#include "energy.h"
#include "sampler/shared/positions.h"

#include <math.h>

#define HEALTHY_LEAST 0.02 /* share of effective particles below which a warning is due */

const char *const fare_relaxations[] = {"mala", "langevin", NULL};

PetscErrorCode fare_annealing_begin(fare_annealing *a, fare_ensemble *e)
{
  const int64_t n = e->blocks * FARE_BLOCK;

  PetscFunctionBegin;
  PetscCall(fare_error_agree(e->comm, fare_ensemble_weigh(e)));
  PetscCall(fare_ensemble_destroy(&a->ancestors));
  PetscCall(fare_ensemble_create(e->comm, 1, e->count, &a->ancestors));
  for (int64_t i = 0; i < n; i++) e->weight[i] = 1;
  for (int64_t i = 0; i < n; i++) a->ancestors->x[0][i] = (double)(e->first_block * FARE_BLOCK + i);
  a->log_ratio = a->variance = 0;
  a->effective = a->least = 1;
  a->families             = (double)e->count;
  a->resamplings          = 0;
  PetscFunctionReturn(0);
}

/* All particles here: energy and force where they are, and what a protocol step has cost them. */
typedef struct {
  fare_ensemble *e;
  double        *U, *f[FARE_AXES_MAX], *cost;
} walk;

static PetscErrorCode walk_begin(fare_ensemble *e, walk *w)
{
  const int64_t n = e->blocks * FARE_BLOCK;

  PetscFunctionBegin;
  *w = (walk){.e = e};
  PetscCall(PetscMalloc2(n, &w->U, n, &w->cost));
  for (int axis = 0; axis < e->dim; axis++) PetscCall(PetscMalloc1(n, &w->f[axis]));
  PetscFunctionReturn(0);
}

static PetscErrorCode walk_end(walk *w)
{
  PetscFunctionBegin;
  PetscCall(PetscFree2(w->U, w->cost));
  for (int axis = 0; axis < w->e->dim; axis++) PetscCall(PetscFree(w->f[axis]));
  PetscFunctionReturn(0);
}

static void evaluate_all(fare_energy *energy, const walk *w)
{
  for (int64_t b = 0; b < w->e->blocks; b++) {
    const fare_chains c = fare_chains_at(w->e->dim, b, w->e->x, w->f, w->U);

    fare_chains_evaluate(energy, &c);
  }
}

/*
  Metropolis-adjusted: the work of the change where the particle stands, then steps that leave the new
  energy's density as it is.
*/
static void relax_adjusted(const fare_annealing *a, fare_energy *energy, fare_stream stream, uint64_t block,
  const fare_chains *c, double cost[])
{
  for (int i = 0; i < FARE_BLOCK; i++) cost[i] = -c->U[i];
  fare_chains_evaluate(energy, c);
  for (int i = 0; i < FARE_BLOCK; i++) cost[i] += c->U[i];
  for (PetscInt64 m = 0; m < a->relaxations; m++)
    fare_chains_local(energy, 1, a->step, stream, block, a->moves + (uint64_t)m, 0, 0, c);
}

/*
  Unadjusted: a step x -> y on the energy U that was, weighed as if it had to go back on the energy U' that
  is: the cost is U'(y) - U(x) + ln q_U(y|x) - ln q_U'(x|y), which is Carbone's alpha_{k+1}(y,x) -
  alpha_k(x,y). Further steps go and come on the same energy.
*/
static void relax_unadjusted(const fare_annealing *a, fare_energy *energy, fare_stream stream, uint64_t block,
  const fare_chains *c, double cost[])
{
  double once[FARE_BLOCK] FARE_ALIGNED;

  for (int i = 0; i < FARE_BLOCK; i++) cost[i] = 0;
  for (PetscInt64 m = 0; m < a->relaxations; m++) {
    fare_chains_unadjusted(energy, a->step, stream, block, a->moves + (uint64_t)m, c, once);
    for (int i = 0; i < FARE_BLOCK; i++) cost[i] += once[i];
  }
}

static void relax_all(fare_annealing *a, fare_energy *energy, fare_stream stream, const walk *w)
{
  for (int64_t b = 0; b < w->e->blocks; b++) {
    const uint64_t    block = (uint64_t)(w->e->first_block + b);
    const fare_chains c     = fare_chains_at(w->e->dim, b, w->e->x, w->f, w->U);

    if (a->relaxation == FARE_RELAX_MALA)
      relax_adjusted(a, energy, stream, block, &c, w->cost + b * FARE_BLOCK);
    else
      relax_unadjusted(a, energy, stream, block, &c, w->cost + b * FARE_BLOCK);
    fare_chains_wrap(energy, &c);
  }
  a->moves += (uint64_t)a->relaxations;
}

PetscErrorCode fare_annealing_carry(fare_annealing *a, const fare_sampler *sampler, fare_energy *energy,
  double from, double to, int64_t steps, fare_ensemble *ensemble, int64_t *evaluations)
{
  const fare_stream moves      = fare_sampler_stream(sampler, "moves"),
                    resampling = fare_sampler_stream(sampler, "resampling");
  double squares;
  walk   w;

  PetscFunctionBegin;
  PetscCall(walk_begin(ensemble, &w));
  PetscCall(energy->move(energy, from));
  evaluate_all(energy, &w);
  for (int64_t k = 1; k <= steps; k++) {
    PetscErrorCode code;
    double         log_mean;

    PetscCall(energy->move(energy, k == steps ? to : from + (to - from) * (double)k / (double)steps));
    relax_all(a, energy, moves, &w);
    code = fare_weights_multiply(ensemble, w.cost, &log_mean, &a->effective);
    if (code) {
      PetscCall(walk_end(&w));
      PetscFunctionReturn(code);
    }
    a->log_ratio += log_mean;
    a->least = PetscMin(a->least, a->effective);
    if (a->effective < a->least_effective) {
      fare_random random = {.stream = resampling, .sequence = (uint64_t)a->resamplings++};

      PetscCall(fare_weights_resample(ensemble, a->ancestors, fare_random_uniform(&random)));
      a->effective = 1;
      evaluate_all(energy, &w);
    }
  }
  PetscCall(walk_end(&w));
  PetscCall(fare_weights_families(ensemble, a->ancestors, &squares));
  a->families = 1 / squares;
  a->variance = PetscMax(0, squares - 1 / (double)ensemble->count);
  *evaluations += ensemble->local * fare_annealing_evaluations(a, steps);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_annealing_advance(fare_annealing *a, const fare_sampler *sampler, fare_energy *energy,
  double t, fare_ensemble *ensemble, int64_t *evaluations)
{
  PetscFunctionBegin;
  PetscCall(fare_annealing_carry(a, sampler, energy, a->time, t, a->protocol_steps, ensemble, evaluations));
  a->time = t;
  PetscFunctionReturn(0);
}

void fare_annealing_warn(fare_annealing *a, const fare_sampler *sampler)
{
  if (a->least >= HEALTHY_LEAST || a->warned) return;
  a->warned = PETSC_TRUE;
  fare_warn(
    "%s: only %.2g%% of the particles are effective at time %g; more protocol_steps, more relaxations "
    "or a smaller step help",
    sampler->name, 100 * a->least, a->time);
}

/* The first evaluation, and of each protocol step its moves and, adjusted, the work. */
int64_t fare_annealing_evaluations(const fare_annealing *a, int64_t steps)
{
  return 1 + steps * (a->relaxations + (a->relaxation == FARE_RELAX_MALA ? 1 : 0));
}

PetscErrorCode fare_annealing_tune(fare_annealing *a, const fare_sampler *sampler, fare_energy *energy,
  int64_t rounds, fare_ensemble *ensemble, int64_t *evaluations)
{
  const fare_stream stream = fare_sampler_stream(sampler, "moves");
  walk              w;

  PetscFunctionBegin;
  PetscCall(walk_begin(ensemble, &w));
  evaluate_all(energy, &w);
  for (int64_t round = 0; round < rounds; round++) {
    int64_t accepted = 0;

    for (int64_t b = 0; b < ensemble->blocks; b++) {
      const fare_chains c     = fare_chains_at(ensemble->dim, b, ensemble->x, w.f, w.U);
      const fare_block  block = fare_ensemble_block(ensemble, b);

      accepted += fare_chains_local(energy, 1, a->step, stream, block.number, a->moves, 0, block.counted, &c);
    }
    PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &accepted, 1, MPI_INT64_T, MPI_SUM, ensemble->comm));
    a->step = fare_chains_tune(a->step, accepted, ensemble->count, round);
    a->moves++;
  }
  PetscCall(walk_end(&w));
  *evaluations += ensemble->local * (1 + rounds);
  PetscFunctionReturn(0);
}

const fare_kept fare_annealing_kept[] = {
  FARE_KEEP(REAL, fare_annealing, time),
  FARE_KEEP(REAL, fare_annealing, step),
  FARE_KEEP(INTEGER, fare_annealing, moves),
  FARE_KEEP(INTEGER, fare_annealing, resamplings),
  FARE_KEEP(REAL, fare_annealing, log_ratio),
  FARE_KEEP(REAL, fare_annealing, variance),
  FARE_KEEP(REAL, fare_annealing, families),
  FARE_KEEP(REAL, fare_annealing, effective),
  FARE_KEEP(REAL, fare_annealing, least),
  FARE_KEEP_WITH(OBJECT, fare_annealing, ancestors, .type = &fare_positions_kept),
  FARE_KEPT_END,
};

PetscErrorCode fare_annealing_check(const fare_annealing *a, const fare_sampler *sampler)
{
  PetscFunctionBegin;
  if (!a->ancestors)
    FARE_SAMPLER_FAIL(sampler, FARE_ERR_FAILED, "the ancestors of its particles are missing");
  PetscFunctionReturn(0);
}
