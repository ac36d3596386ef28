/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=parallel ranks=1,2 timeout=60 */
/* State that a table describes comes back from a file whole, or is refused in one line. */
#include "fare_test.h"

#include <fare/store.h>
#include <stdio.h>

#define N 3

typedef struct {
  int64_t count;
  double *x, *weight;
} part;

typedef struct {
  PetscBool begun;
  int64_t   steps, numbers[N], length, parts;
  uint64_t  moves;
  double    step, lower[N], *values;
  float    *single;
  part     *given;
  part      within;
  double   *object[N];
  double    seldom;
} all;

static const fare_kept part_kept[] = {
  FARE_KEEP_WITH(REALS, part, x, .length = offsetof(part, count)),
  FARE_KEEP_WITH(REALS, part, weight, .length = offsetof(part, count)),
  FARE_KEPT_END,
};

static PetscErrorCode save_object(const void *object, fare_store *to, const char *group)
{
  PetscFunctionBegin;
  PetscCall(fare_store_group(to, group));
  PetscCall(fare_store_put_real(to, group, "value", *(const double *)object));
  PetscFunctionReturn(0);
}

static PetscErrorCode load_object(void **object, void *context, fare_store *from, const char *group)
{
  PetscFunctionBegin;
  if (!*object) PetscCall(PetscMalloc1(1, (double **)object));
  PetscCall(fare_store_get_real(from, group, "value", *object));
  *(int *)context += 1;
  PetscFunctionReturn(0);
}

static const fare_kept_type object_kept = {save_object, load_object};

static const fare_kept kept[] = {
  FARE_KEEP(BOOLEAN, all, begun),
  FARE_KEEP(INTEGER, all, steps),
  FARE_KEEP_WITH(INTEGER, all, numbers, .count = N),
  FARE_KEEP(INTEGER, all, moves),
  FARE_KEEP(REAL, all, step),
  FARE_KEEP_WITH(REAL, all, lower, .count = N),
  FARE_KEEP_WITH(REALS, all, values, .length = offsetof(all, length)),
  FARE_KEEP_WITH(SINGLES, all, single, .length = offsetof(all, length)),
  FARE_KEEP_WITH(
    STRUCTS, all, given, .length = offsetof(all, parts), .size = sizeof(part), .fields = part_kept),
  FARE_KEEP_WITH(STRUCT, all, within, .fields = part_kept),
  FARE_KEEP_WITH(OBJECT, all, object, .count = N, .type = &object_kept),
  FARE_KEEP_WITH(REAL, all, seldom, .only = 2),
  FARE_KEPT_END,
};

static char path[64];

static int prepare(void **state)
{
  int size;

  (void)state;
  MPI_Comm_size(PETSC_COMM_WORLD, &size);
  snprintf(path, sizeof path, "kept-%d.h5", size);
  return 0;
}

static void fill(all *s)
{
  *s = (all){.begun = PETSC_TRUE,
    .steps          = -7,
    .numbers        = {1, 1L << 60, -3},
    .length         = 4,
    .parts          = 2,
    .moves          = UINT64_MAX,
    .step           = 0.1,
    .lower          = {-1, 0, 1e300},
    .seldom         = 5};
  assert_ok(PetscMalloc1(s->length, &s->values));
  assert_ok(PetscMalloc1(s->length, &s->single));
  for (int i = 0; i < s->length; i++) s->single[i] = (float)(s->values[i] = 1. / (i + 3));
  assert_ok(PetscCalloc1(s->parts, &s->given));
  for (int k = 0; k < s->parts; k++) {
    s->given[k].count = k + 1;
    assert_ok(PetscCalloc1(k + 1, &s->given[k].x));
    s->given[k].x[k] = k + 0.5;
  }
  assert_ok(PetscCalloc1(2, &s->given[1].weight));
  assert_ok(PetscMalloc1(1, &s->object[1]));
  *s->object[1] = 9;
}

static void empty(all *s)
{
  assert_ok(fare_kept_free(kept, s));
  for (int i = 0; i < N; i++) assert_ok(PetscFree(s->object[i]));
  assert_true(!s->values && !s->length && !s->given && !s->parts);
}

static void save(const all *s, unsigned only)
{
  fare_store *store;

  assert_ok(fare_store_create(PETSC_COMM_WORLD, path, &store));
  assert_ok(fare_kept_save(kept, s, only, store, "/state"));
  assert_ok(fare_store_commit(&store));
}

static PetscErrorCode load(all *s, unsigned only, int *objects)
{
  fare_store    *store;
  PetscErrorCode code;

  assert_ok(fare_store_open(PETSC_COMM_WORLD, path, &store));
  code = fare_kept_load(kept, s, only, objects, store, "/state");
  assert_ok(fare_store_close(&store));
  return code;
}

/* Into a state that holds other things already. */
static void all_kinds_come_back(void **state)
{
  all s, back;
  int objects = 0;

  (void)state;
  fill(&s);
  fill(&back);
  back.begun         = PETSC_FALSE;
  back.moves         = 0;
  back.numbers[1]    = 0;
  back.given[1].x[1] = 0;
  back.seldom        = 0;
  *back.object[1]    = 0;
  save(&s, 1);
  assert_ok(load(&back, 1, &objects));
  assert_true(back.begun && back.steps == -7 && back.moves == UINT64_MAX && back.length == 4);
  assert_memory_equal(back.numbers, s.numbers, sizeof s.numbers);
  assert_memory_equal(back.lower, s.lower, sizeof s.lower);
  assert_memory_equal(back.values, s.values, 4 * sizeof *s.values);
  assert_memory_equal(back.single, s.single, 4 * sizeof *s.single);
  assert_true(back.parts == 2 && back.given[0].count == 1 && back.given[1].count == 2);
  assert_true(back.given[1].x[1] == 1.5 && back.given[1].weight && !back.given[0].weight);
  assert_true(!back.within.x && back.within.count == 0);
  assert_true(!back.object[0] && *back.object[1] == 9 && objects == 1);
  assert_true(back.seldom == 0); /* not kept in this case */
  empty(&s);
  empty(&back);
}

/* A pointer that was NULL comes back as one. */
static void what_was_not_there_is_not_there(void **state)
{
  all s, back = {0};
  int objects = 0;

  (void)state;
  fill(&s);
  assert_ok(PetscFree(s.single));
  save(&s, 1);
  assert_ok(load(&back, 1, &objects));
  assert_true(back.values && !back.single && back.length == 4);
  empty(&back);
  empty(&s);
}

/* What is saved by one table, read by another. */
static void refused(const fare_kept *by, const fare_kept *table, const char *why)
{
  all         s, back = {0};
  fare_store *store;

  fill(&s);
  s.parts = 0;
  assert_ok(PetscFree(s.given));
  s.within.count = 3;
  assert_ok(PetscCalloc1(3, &s.within.x));
  assert_ok(fare_store_create(PETSC_COMM_WORLD, path, &store));
  assert_ok(fare_kept_save(by, &s, 0, store, "/state"));
  assert_ok(fare_store_commit(&store));
  assert_ok(fare_store_open(PETSC_COMM_WORLD, path, &store));
  assert_int_equal(fare_kept_load(table, &back, 0, NULL, store, "/state"), FARE_ERR_FAILED);
  if (!strstr(fare_error_message(), why)) fail_msg("'%s' lacks '%s'", fare_error_message(), why);
  assert_ok(fare_store_close(&store));
  empty(&s);
  empty(&back);
}

static void what_is_missing_or_has_another_shape_is_refused(void **state)
{
  static const fare_kept none[]   = {FARE_KEEP(REAL, all, step), FARE_KEPT_END};
  static const fare_kept number[] = {FARE_KEEP(INTEGER, all, steps), FARE_KEPT_END};
  static const fare_kept array[]  = {
     FARE_KEEP_WITH(REALS, all, values, .length = offsetof(all, length)), FARE_KEPT_END};
  static const fare_kept object[] = {
    FARE_KEEP_WITH(OBJECT, all, object, .count = N, .type = &object_kept), FARE_KEPT_END};
  static const fare_kept three[]    = {FARE_KEEP_WITH(INTEGER, all, numbers, .count = N), FARE_KEPT_END};
  static const fare_kept two[]      = {FARE_KEEP_WITH(INTEGER, all, numbers, .count = N - 1), FARE_KEPT_END};
  static const fare_kept apart[]    = {FARE_KEEP_WITH(REALS, all, values, .length = offsetof(all, length)),
       {.name    = "single",
         .kind   = FARE_KEPT_REALS,
         .offset = offsetof(all, within.x),
         .length = offsetof(all, within.count)},
       FARE_KEPT_END};
  static const fare_kept together[] = {FARE_KEEP_WITH(REALS, all, values, .length = offsetof(all, length)),
    FARE_KEEP_WITH(SINGLES, all, single, .length = offsetof(all, length)), FARE_KEPT_END};

  (void)state;
  refused(none, number, "/state has no attribute 'steps'");
  refused(none, array, "has no /state/values");
  refused(none, object, "has no /state/object_0");
  refused(three, two, "/state/numbers has 3 values, expected 2");
  refused(apart, together, "/state/single has 3 values, expected 4");
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test_setup(all_kinds_come_back, prepare),
  cmocka_unit_test_setup(what_was_not_there_is_not_there, prepare),
  cmocka_unit_test_setup(what_is_missing_or_has_another_shape_is_refused, prepare),
};
FARE_TEST_MAIN(tests)
