/* SPDX-License-Identifier: BSD-2-Clause */
/* The state of training between two steps, made, saved and loaded. */
#include "state.h"

#include <math.h>

/* The weights come first: their number is that of all five. */
static const fare_kept members[] = {
  FARE_KEEP_WITH(SINGLES, fare_learn_state, weights, .length = offsetof(fare_learn_state, count)),
  FARE_KEEP_WITH(SINGLES, fare_learn_state, m, .length = offsetof(fare_learn_state, count)),
  FARE_KEEP_WITH(SINGLES, fare_learn_state, v, .length = offsetof(fare_learn_state, count)),
  FARE_KEEP_WITH(SINGLES, fare_learn_state, mean, .length = offsetof(fare_learn_state, count)),
  FARE_KEEP_WITH(SINGLES, fare_learn_state, best, .length = offsetof(fare_learn_state, count)),
  FARE_KEEP(INTEGER, fare_learn_state, step),
  FARE_KEEP(INTEGER, fare_learn_state, steps),
  FARE_KEEP(REAL, fare_learn_state, sum),
  FARE_KEEP(INTEGER, fare_learn_state, summed),
  FARE_KEEP(REAL, fare_learn_state, least),
  FARE_KEEP(INTEGER, fare_learn_state, since),
  FARE_KEEP_WITH(STRUCT, fare_learn_state, curve, .fields = fare_curve_kept),
  FARE_KEEP_WITH(REALS, fare_learn_state, numbers, .length = offsetof(fare_learn_state, kept)),
  FARE_KEPT_END,
};

PetscErrorCode fare_learn_state_create(
  size_t count, const float weights[], int64_t steps, PetscBool validated, fare_learn_state **state)
{
  fare_learn_state *s;

  PetscFunctionBegin;
  PetscCall(PetscNew(&s));
  *state   = s;
  s->count = count;
  s->steps = steps;
  s->least = HUGE_VAL;
  PetscCall(PetscCalloc1(count, &s->weights));
  PetscCall(PetscCalloc1(count, &s->m));
  PetscCall(PetscCalloc1(count, &s->v));
  PetscCall(PetscCalloc1(count, &s->mean));
  PetscCall(PetscCalloc1(count, &s->best));
  PetscCall(PetscArraycpy(s->weights, weights, count));
  PetscCall(PetscArraycpy(s->mean, weights, count));
  PetscCall(fare_curve_begin(&s->curve, validated));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_learn_state_keep(fare_learn_state *s, size_t kept)
{
  PetscFunctionBegin;
  if (s->kept != kept) {
    PetscCall(PetscFree(s->numbers));
    PetscCall(PetscMalloc1(kept, &s->numbers));
  }
  s->kept = kept;
  PetscCall(PetscArrayzero(s->numbers, kept));
  PetscFunctionReturn(0);
}

const double *fare_learn_state_numbers(const fare_learn_state *s)
{
  return s->kept ? s->numbers : NULL;
}

PetscErrorCode fare_learn_state_destroy(fare_learn_state **state)
{
  fare_learn_state *s = *state;

  PetscFunctionBegin;
  if (!s) PetscFunctionReturn(0);
  PetscCall(fare_kept_free(members, s));
  PetscCall(PetscFree(*state));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_learn_state_save(const fare_learn_state *state, fare_store *to, const char *group)
{
  PetscFunctionBegin;
  PetscCall(fare_kept_save(members, state, 0, to, group));
  PetscFunctionReturn(0);
}

/* Whether training can go on from what was read: its steps, and as many points of the curve as they leave. */
static PetscBool is_sound(const fare_learn_state *s)
{
  if (s->step < 0 || s->steps < s->step || s->steps > INT64_MAX / CURVE_POINTS) return PETSC_FALSE;
  if (s->summed < 0 || s->summed > s->step || s->since < 0 || s->since > CURVE_POINTS) return PETSC_FALSE;
  if (isnan(s->sum) || isnan(s->least)) return PETSC_FALSE;
  return s->curve.count == (size_t)(s->steps ? PetscMin(s->step, s->step * CURVE_POINTS / s->steps) : 0)
    ? PETSC_TRUE
    : PETSC_FALSE;
}

static PetscErrorCode read_into(fare_learn_state *s, fare_store *from, const char *group)
{
  fare_curve read;

  PetscFunctionBegin;
  PetscCall(fare_kept_load(members, s, 0, NULL, from, group));
  if (!is_sound(s)) FARE_FAIL(FARE_ERR_FAILED, "%s is not a state of training", group);
  read     = s->curve;
  s->curve = (fare_curve){0};
  PetscCall(fare_curve_copy(&read, &s->curve)); /* with room for more points */
  PetscCall(fare_curve_free(&read));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_learn_state_load(fare_learn_state **state, fare_store *from, const char *group)
{
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(PetscNew(state));
  code = read_into(*state, from, group);
  if (code) PetscCall(fare_learn_state_destroy(state));
  PetscFunctionReturn(code);
}
