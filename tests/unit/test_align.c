/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=unit ranks=1 timeout=60 */
/* Arrays of PETSc begin with a line of the cache, and keep what they hold when they grow. */
#include "fare_test.h"

#include <stdint.h>

#define LINE 64

static void assert_aligned(const void *at)
{
  assert_int_equal((uintptr_t)at % LINE, 0);
}

static void arrays_begin_with_a_line(void **state)
{
  (void)state;
  for (PetscInt n = 1; n < 100000; n = 2 * n + 1) {
    double            *array, *cleared;
    const PetscScalar *entry;
    Vec                v, w;

    assert_ok(PetscMalloc1(n, &array));
    assert_ok(PetscCalloc1(n, &cleared));
    assert_ok(VecCreateSeq(PETSC_COMM_SELF, n, &v));
    assert_ok(VecDuplicate(v, &w));
    assert_ok(VecGetArrayRead(w, &entry));
    assert_aligned(array);
    assert_aligned(cleared);
    assert_aligned(entry);
    for (PetscInt i = 0; i < n; i++) assert_true(cleared[i] == 0);
    assert_ok(VecRestoreArrayRead(w, &entry));
    assert_ok(VecDestroy(&v));
    assert_ok(VecDestroy(&w));
    assert_ok(PetscFree(cleared));
    assert_ok(PetscFree(array));
  }
}

static void what_they_hold_moves_along(void **state)
{
  int *array = NULL;

  (void)state;
  for (int n = 1, held = 0; n < 1000000; held = n, n = 3 * n + 1) {
    assert_ok(PetscRealloc((size_t)n * sizeof *array, &array));
    assert_aligned(array);
    for (int i = 0; i < held; i++) assert_int_equal(array[i], i);
    for (int i = held; i < n; i++) array[i] = i;
  }
  assert_ok(PetscFree(array));
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(arrays_begin_with_a_line),
  cmocka_unit_test(what_they_hold_moves_along),
};
FARE_TEST_MAIN(tests)
