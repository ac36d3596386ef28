/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The training of what learns, or its preparation as an oracle; in the middle of it a run may stop, and go on.
*/
#include "study.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* An oracle learns nothing, but is told which times it would have learned from. */
static PetscErrorCode train_oracle(fare_run *s, size_t i)
{
  const fare_schedule *schedule = &s->plan->snapshots;
  fare_training_set    times    = {0};
  double              *at;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(schedule->count, &at));
  for (PetscInt64 k = 0; k < schedule->count; k++) {
    if (fare_training_includes(&s->plan->ensemble[i].training, k))
      at[times.count++] = fare_schedule_time(schedule, k);
  }
  times.times = at;
  PetscCall(fare_run_end_ensemble(s, i, "", fare_sampler_train(s->sampler[i], &times)));
  PetscCall(PetscFree(at));
  PetscFunctionReturn(0);
}

/*
  Between two steps of a training, ranks as one: a checkpoint where one is due, and the end where that was
  asked for.
*/
static PetscErrorCode pause_training(void *context, int64_t step, PetscBool *stop)
{
  fare_run *s = context;
  int       due[2];

  PetscFunctionBegin;
  (void)step;
  PetscCall(fare_run_due(s, -HUGE_VAL, due));
  if (due[0])
    PetscCall(fare_checkpoint_write(s, 0));
  else if (due[1])
    PetscCall(fare_run_try_checkpoint(s, 0));
  *stop = due[0] ? PETSC_TRUE : PETSC_FALSE;
  PetscFunctionReturn(0);
}

static PetscErrorCode train_method(fare_run *s, size_t i, const fare_training_set *data)
{
  PetscErrorCode code;

  PetscFunctionBegin;
  s->sampler[i]->session.context = s;
  s->sampler[i]->session.pause   = pause_training;
  fare_doing("training of ensemble %s (%s)", s->plan->ensemble[i].name, s->plan->ensemble[i].type->name);
  code = fare_sampler_train(s->sampler[i], data);
  if (code == FARE_ERR_STOPPED)
    FARE_FAIL(code, "stopped on request while training %s; --resume continues in %s",
      s->plan->ensemble[i].name, s->plan->directory);
  PetscCall(fare_run_end_ensemble(s, i, ", during training", code));
  PetscFunctionReturn(0);
}

/* Ensembles that learn from the same particles share the set. */
typedef struct {
  fare_training_set            data;
  const fare_training_options *of; /* NULL: none yet */
  int64_t                      forces;
} shared_set;

static PetscErrorCode train_one(fare_run *s, size_t i, shared_set *set)
{
  const fare_plan_ensemble *e    = &s->plan->ensemble[i];
  PetscErrorCode            code = 0;

  PetscFunctionBegin;
  if (!fare_training_is_simulated(e)) PetscFunctionReturn(train_oracle(s, i));
  if (!set->of || !fare_training_is_shared(&e->training, set->of)) {
    PetscCall(fare_training_free(&set->data));
    fare_doing("the training set of ensemble %s", e->name);
    if (s->plan->condition)
      code = fare_training_split(s->comm, s->plan, fare_run_grid(s), e, &set->data, &set->forces);
    else
      code = fare_training_simulate(
        s->comm, s->plan, &s->initial, &s->walls, s->joint, e, &set->data, &set->forces);
    set->of = code ? NULL : &e->training;
  }
  if (code) PetscFunctionReturn(fare_run_end_ensemble(s, i, ", its training set", code));
  s->sampler[i]->cost.force_evaluations += set->forces;
  PetscCall(fare_checkpoint_load_training(s, i)); /* cost, too, in which those forces are counted */
  PetscCall(train_method(s, i, &set->data));
  PetscFunctionReturn(0);
}

/*
  What a checkpoint has learned is not learned again; what oracles and empirical optima look up is made again,
  for it is no part of one.
*/
static PetscErrorCode train_all(fare_run *s, shared_set *set)
{
  PetscFunctionBegin;
  for (size_t i = 0; i < s->plan->ensembles; i++) {
    const fare_plan_ensemble *e = &s->plan->ensemble[i];
    PetscBool                 has;

    PetscCall(fare_checkpoint_has(s, i, &has));
    if (e->type->train && (!has || fare_plan_ensemble_mode(e) != FARE_LEARNED))
      PetscCall(train_one(s, i, set));
    if (has) PetscCall(fare_checkpoint_load(s, i));
    s->ready[i] = PETSC_TRUE;
    if (e->type->curve) s->results.curve[i] = e->type->curve(s->sampler[i]);
    if (e->type->train && !has) PetscCall(fare_run_checkpoint(s, 0));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_run_train(fare_run *s)
{
  shared_set     set  = {0};
  PetscErrorCode code = train_all(s, &set);

  PetscFunctionBegin;
  PetscCall(fare_training_free(&set.data));
  PetscCall(code);
  PetscCall(fare_store_close(&s->from));
  PetscFunctionReturn(0);
}
