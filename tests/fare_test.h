/* SPDX-License-Identifier: BSD-2-Clause */
/* What every C test begins with: cmocka under MPI and PETSc, and comparisons that print both sides. */
#ifndef FARE_TEST_H
#define FARE_TEST_H

#include <fare/fare.h>

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

/* A call that must succeed. */
#define assert_ok(call)                                                                 \
  do {                                                                                  \
    PetscErrorCode code_ = (call);                                                      \
    if (code_) fail_msg("%s returned %d: %s", #call, (int)code_, fare_error_message()); \
  } while (0)

/* |a - b| <= tolerance; NaN fails. */
#define assert_near(a, b, tolerance)                                                                     \
  do {                                                                                                   \
    double a_ = (a), b_ = (b), tolerance_ = (tolerance);                                                 \
    if (!(fabs(a_ - b_) <= tolerance_))                                                                  \
      fail_msg("%s = %.17g, expected %.17g within %.3g (off by %.3g)", #a, a_, b_, tolerance_, a_ - b_); \
  } while (0)

/* low <= a <= high; NaN fails. */
#define assert_between(a, low, high)                                             \
  do {                                                                           \
    double a_ = (a), low_ = (low), high_ = (high);                               \
    if (!(a_ >= low_ && a_ <= high_))                                            \
      fail_msg("%s = %.17g, expected within [%.6g, %.6g]", #a, a_, low_, high_); \
  } while (0)

/* Runs the tests on every rank; a failure on any is a failure of all. */
static inline int fare_test_run(int argc, char **argv, const struct CMUnitTest *tests, size_t count)
{
  int failures;

  if (fare_initialize(argc, argv)) return 1;
  if (getenv("FARE_TEST_ONLY")) cmocka_set_test_filter(getenv("FARE_TEST_ONLY")); /* say, "bounds_*" */
  failures = _cmocka_run_group_tests("tests", tests, count, NULL, NULL);
  MPI_Allreduce(MPI_IN_PLACE, &failures, 1, MPI_INT, MPI_MAX, PETSC_COMM_WORLD);
  return fare_finalize(0) || failures ? 1 : 0;
}

/* The whole of main, after `static const struct CMUnitTest tests[] = {cmocka_unit_test(...), ...};` */
#define FARE_TEST_MAIN(tests)                                                \
  int main(int argc, char **argv)                                            \
  {                                                                          \
    return fare_test_run(argc, argv, tests, sizeof tests / sizeof tests[0]); \
  }

#endif
