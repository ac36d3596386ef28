/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=unit ranks=1,2 timeout=60 */
/* An ensemble for which there is no memory: an error on every rank, and nothing of it stays. */
#include "fare_test.h"

#include <malloc.h>

static void nothing_stays_of_an_ensemble_without_room(void **state)
{
  enum { TIMES = 10000 };
  const int64_t  most = (int64_t)1 << 58; /* no address space holds them */
  fare_ensemble *e    = NULL;
  size_t         before, kept;

  (void)state;
#ifdef __SANITIZE_ADDRESS__
  skip(); /* the sanitizer ends the program over such a request */
#endif
  /* what MPI allocates once is allocated here */
  assert_int_equal(fare_ensemble_create(PETSC_COMM_WORLD, 3, most, &e), FARE_ERR_FAILED);
  before = mallinfo2().uordblks;
  for (int i = 0; i < TIMES; i++) {
    e = (fare_ensemble *)&e;
    assert_int_equal(fare_ensemble_create(PETSC_COMM_WORLD, 3, most, &e), FARE_ERR_FAILED);
    assert_null(e);
  }
  kept = mallinfo2().uordblks - PetscMin(before, mallinfo2().uordblks);
  assert_non_null(strstr(fare_error_message(), "out of memory for "));
  if (kept >= TIMES * sizeof *e) fail_msg("%zu bytes stay of %d ensembles", kept, TIMES);
}

static const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_stays_of_an_ensemble_without_room)};
FARE_TEST_MAIN(tests)
