/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=unit ranks=1 timeout=60 */
/*
  Shares of a weighted ensemble that are learned, of a walk that climbs with probability p and falls with 1 -
  p, and begins again at the top: times and masses are known in closed form (Feller, An Introduction to
  Probability Theory, volume 1, chapter 14).
*/
#include "fare_test.h"

#include "rare/statistics/allocation.h"

#include <math.h>
#include <string.h>

#define BINS 12

/* tau(i) - tau(i+1) = up[i]: the mean number of moves from i to i + 1; bin 0 stays where it would fall. */
static void times_of(double p, double up[BINS])
{
  for (int i = 0; i < BINS; i++) up[i] = 1 / p + (i ? (1 - p) / p * up[i - 1] : 0);
}

/* Visits before the top, of a walk from 0: those of i are (1 - p)/p times those of i + 1, and 1/p. */
static void visits_of(double p, double visits[BINS])
{
  for (int i = BINS - 1; i >= 0; i--) visits[i] = 1 / p + (i < BINS - 1 ? (1 - p) / p * visits[i + 1] : 0);
}

static void shares_are_those_of_a_walk(void **state)
{
  (void)state;
  for (double p = 0.2; p < 0.9; p += 0.16) {
    double moved[BINS * (BINS + 1)] = {0}, share[BINS], up[BINS], visits[BINS];

    times_of(p, up);
    visits_of(p, visits);
    for (int i = 0; i < BINS; i++) {
      const double weight = pow(0.3, i); /* shares of rows alone matter */

      moved[i * (BINS + 1) + i + 1]           = weight * p;
      moved[i * (BINS + 1) + (i ? i - 1 : 0)] = weight * (1 - p);
    }
    assert_ok(fare_shares_learn(BINS, moved, share));
    for (int i = 1; i < BINS; i++) {
      /* of a move, h has two values, up[i] and up[i - 1] away: its spread is sqrt(p (1 - p)) of what is
       * between */
      const double wanted = visits[i] * (up[i] + up[i - 1]) / (visits[0] * up[0]);

      assert_near(share[i] / share[0] / wanted, 1, 1e-7);
    }
  }
}

static void nothing_is_learned_without_arrivals(void **state)
{
  double moved[BINS * (BINS + 1)] = {0}, share[BINS];

  (void)state;
  moved[0] = moved[1] = moved[BINS + 1] = 1;
  assert_int_equal(fare_shares_learn(BINS, moved, share), FARE_ERR_FAILED);
}

/* Two bins that were only seen to lead to each other, and some that were never seen. */
static void what_was_not_seen_does_no_harm(void **state)
{
  double moved[BINS * (BINS + 1)] = {0}, share[BINS];

  (void)state;
  moved[1]                     = 1; /* 0 to 1 */
  moved[1 * (BINS + 1)]        = 1; /* and back */
  moved[1 * (BINS + 1) + BINS] = 1; /* or to b */
  moved[2]                     = 1; /* 0 to 2, from where 2 and 3 lead to each other */
  moved[2 * (BINS + 1) + 3]    = 1;
  moved[3 * (BINS + 1) + 2]    = 1;
  assert_ok(fare_shares_learn(BINS, moved, share));
  for (int i = 0; i < BINS; i++) assert_true(isfinite(share[i]) && share[i] >= 0);
  assert_true(share[1] > 0);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(shares_are_those_of_a_walk),
  cmocka_unit_test(nothing_is_learned_without_arrivals),
  cmocka_unit_test(what_was_not_seen_does_no_harm),
};
FARE_TEST_MAIN(tests)
