/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=unit ranks=1 timeout=60 */
/*
  Drift and diffusion of whole vectors, of eight points: those of a point have the same bits in any place of
  any number of them. Paths that ranks share rest on that.
*/
#include "fare_test.h"

#include <math.h>
#include <string.h>

#define POINTS 64
#define VECTOR 8

typedef double rows[FARE_DIM_MAX][POINTS] __attribute__((aligned(64)));

static void evaluate(const fare_system *system, size_t count, rows x, rows f, rows D)
{
  const double *const at[] = {x[0], x[1], x[2]};
  double *const to_f[] = {f[0], f[1], f[2]}, *const to_D[] = {D[0], D[1], D[2]};

  fare_system_drift(system, 0.3, count, at, to_f);
  fare_system_diffusion(system, 0.3, count, at, to_D);
}

static void place_does_not_matter(void **state)
{
  (void)state;
  for (size_t k = 0; fare_system_type_at(k); k++) {
    static rows  x, f, D, some_x, some_f, some_D;
    fare_system *system;

    assert_ok(fare_system_create(fare_system_type_at(k), 0, &system));
    for (int axis = 0; axis < FARE_DIM_MAX; axis++) {
      for (size_t i = 0; i < POINTS; i++) x[axis][i] = 0.9 * sin(1.7 * (double)i + axis) + 0.2;
    }
    evaluate(system, POINTS, x, f, D);
    for (size_t first = 0; first + VECTOR <= POINTS; first += 3) {
      const size_t count = first % 2 ? VECTOR : 2 * VECTOR <= POINTS - first ? 2 * VECTOR : VECTOR;

      for (int axis = 0; axis < FARE_DIM_MAX; axis++)
        memcpy(some_x[axis], x[axis] + first, count * sizeof(double));
      evaluate(system, count, some_x, some_f, some_D);
      for (int axis = 0; axis < fare_system_dimension(system); axis++) {
        assert_memory_equal(some_f[axis], f[axis] + first, count * sizeof(double));
        assert_memory_equal(some_D[axis], D[axis] + first, count * sizeof(double));
      }
    }
    assert_ok(fare_system_destroy(&system));
  }
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(place_does_not_matter),
};
FARE_TEST_MAIN(tests)
