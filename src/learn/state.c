/* The state of training between two steps, made, saved and loaded. */
#include "state.h"

#include <math.h>

static const char *const arrays[] = {"weights", "m", "v", "mean", "best"};
#define ARRAYS 5

static float *array_at(const fare_learn_state *s, int i)
{
  float *const all[ARRAYS] = {s->weights, s->m, s->v, s->mean, s->best};

  return all[i];
}

static PetscErrorCode allocate(size_t count, fare_learn_state **state)
{
  fare_learn_state *s;

  PetscFunctionBeginUser;
  PetscCall(PetscNew(&s));
  *state   = s;
  s->count = count;
  s->least = HUGE_VAL;
  PetscCall(PetscCalloc5(count, &s->weights, count, &s->m, count, &s->v, count, &s->mean, count, &s->best));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_learn_state_create(
  size_t count, const float weights[], int64_t steps, PetscBool validated, fare_learn_state **state)
{
  PetscFunctionBeginUser;
  PetscCall(allocate(count, state));
  (*state)->steps = steps;
  PetscCall(PetscArraycpy((*state)->weights, weights, count));
  PetscCall(PetscArraycpy((*state)->mean, weights, count));
  PetscCall(fare_curve_begin(&(*state)->curve, validated));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_learn_state_keep(fare_learn_state *s, size_t kept)
{
  PetscFunctionBeginUser;
  if (s->kept != kept) {
    PetscCall(PetscFree(s->numbers));
    PetscCall(PetscMalloc1(kept, &s->numbers));
  }
  s->kept = kept;
  PetscCall(PetscArrayzero(s->numbers, kept));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_learn_state_destroy(fare_learn_state **state)
{
  fare_learn_state *s = *state;

  PetscFunctionBeginUser;
  if (!s) PetscFunctionReturn(0);
  PetscCall(PetscFree5(s->weights, s->m, s->v, s->mean, s->best));
  PetscCall(PetscFree(s->numbers));
  PetscCall(fare_curve_free(&s->curve));
  PetscCall(PetscFree(*state));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_learn_state_save(
  const fare_learn_state *state, MPI_Comm comm, fare_store *to, const char *group)
{
  const uint64_t global = state->count, kept = state->kept, start = 0;
  uint64_t       count;
  char           path[512];
  int            rank;

  PetscFunctionBeginUser;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  count = rank ? 0 : global;
  PetscCall(fare_store_group(to, group));
  for (int i = 0; i < ARRAYS; i++) {
    snprintf(path, sizeof path, "%s/%s", group, arrays[i]);
    PetscCall(fare_store_write(to, path, FARE_STORE_FLOAT32, 1, &global, &start, &count, array_at(state, i)));
  }
  PetscCall(fare_store_put_int(to, group, "step", state->step));
  PetscCall(fare_store_put_int(to, group, "steps", state->steps));
  PetscCall(fare_store_put_real(to, group, "sum", state->sum));
  PetscCall(fare_store_put_int(to, group, "summed", state->summed));
  PetscCall(fare_store_put_real(to, group, "least", state->least));
  PetscCall(fare_store_put_int(to, group, "since", state->since));
  snprintf(path, sizeof path, "%s/kept", group);
  count = rank ? 0 : kept;
  if (kept)
    PetscCall(fare_store_write(to, path, FARE_STORE_FLOAT64, 1, &kept, &start, &count, state->numbers));
  snprintf(path, sizeof path, "%s/curve", group);
  PetscCall(fare_curve_save(&state->curve, comm, to, path));
  PetscFunctionReturn(0);
}

/* What the problem kept, where it kept anything. */
static PetscErrorCode read_kept(fare_learn_state *s, fare_store *from, const char *group)
{
  const uint64_t start = 0;
  uint64_t       global[4];
  char           path[512];
  int            rank;
  PetscBool      has;

  PetscFunctionBeginUser;
  snprintf(path, sizeof path, "%s/kept", group);
  PetscCall(fare_store_has(from, path, &has));
  if (!has) PetscFunctionReturn(0);
  PetscCall(fare_store_extents(from, path, &rank, global));
  PetscCall(fare_store_check_whole(from, path));
  if (rank != 1) FARE_FAIL(FARE_ERR_FAILED, "%s is not a state of training", group);
  PetscCall(fare_learn_state_keep(s, (size_t)global[0]));
  PetscCall(fare_store_read(from, path, FARE_STORE_FLOAT64, 1, &start, global, s->numbers));
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
  const uint64_t start = 0, count = s->count;
  char           path[512];

  PetscFunctionBeginUser;
  for (int i = 0; i < ARRAYS; i++) {
    snprintf(path, sizeof path, "%s/%s", group, arrays[i]);
    PetscCall(fare_store_read(from, path, FARE_STORE_FLOAT32, 1, &start, &count, array_at(s, i)));
  }
  PetscCall(fare_store_get_int(from, group, "step", &s->step));
  PetscCall(fare_store_get_int(from, group, "steps", &s->steps));
  PetscCall(fare_store_get_real(from, group, "sum", &s->sum));
  PetscCall(fare_store_get_int(from, group, "summed", &s->summed));
  PetscCall(fare_store_get_real(from, group, "least", &s->least));
  PetscCall(fare_store_get_int(from, group, "since", &s->since));
  PetscCall(read_kept(s, from, group));
  snprintf(path, sizeof path, "%s/curve", group);
  PetscCall(fare_curve_load(&s->curve, from, path));
  if (!is_sound(s)) FARE_FAIL(FARE_ERR_FAILED, "%s is not a state of training", group);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_learn_state_load(fare_learn_state **state, fare_store *from, const char *group)
{
  uint64_t       global[4];
  char           path[512];
  int            rank;
  PetscErrorCode code;

  PetscFunctionBeginUser;
  *state = NULL;
  snprintf(path, sizeof path, "%s/weights", group);
  PetscCall(fare_store_extents(from, path, &rank, global));
  PetscCall(fare_store_check_whole(from, path));
  if (rank != 1) FARE_FAIL(FARE_ERR_FAILED, "%s is not a state of training", group);
  PetscCall(allocate((size_t)global[0], state));
  code = read_into(*state, from, group);
  if (code) PetscCall(fare_learn_state_destroy(state));
  PetscFunctionReturn(code);
}
