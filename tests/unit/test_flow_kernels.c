/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=unit ranks=1 timeout=60 */
/*
  Kernels of flow matching: what is learned is the velocity of the way that is shown, and derivatives are
  those of the features.
*/
#include "fare_test.h"

#include "sampler/flow/flow_matching.h"

#define ROWS 41

/*
  By differences along the way of each row: noise at 0, data at 1, and between them what the network says with
  its slope added.
*/
static void targets_are_velocities_of_straight_ways(void **state)
{
  float tau[FARE_BLOCK], x[FARE_BLOCK], z[FARE_BLOCK], u[3][FARE_BLOCK], target[FARE_BLOCK], y[FARE_BLOCK],
    spread[FARE_BLOCK];

  (void)state;
  for (int base = 0; base < 2; base++) {
    for (int i = 0; i < ROWS; i++) {
      tau[i] = (float)i / (ROWS - 1);
      x[i]   = (float)sin(3 * i);
      z[i]   = (float)cos(5 * i);
    }
    fare_flow_matching_corrupt(ROWS, base, 1, tau, x, z, u[0], target, y, spread);
    assert_near(u[0][0], z[0], 1e-7);
    assert_near(u[0][ROWS - 1], x[ROWS - 1], 1e-7);
    for (int side = 1; side < 3; side++) {
      float moved[FARE_BLOCK], ignored[FARE_BLOCK];

      for (int i = 0; i < ROWS; i++) moved[i] = tau[i] + (side == 1 ? -0x1p-6f : 0x1p-6f);
      fare_flow_matching_corrupt(ROWS, base, 1, moved, x, z, u[side], ignored, y, spread);
    }
    for (int i = 0; i < ROWS; i++) {
      const double velocity = ((double)u[2][i] - (double)u[1][i]) / 0x1p-5;

      assert_near(
        (double)target[i] + fare_flow_matching_slope(base, (double)tau[i]) * (double)u[0][i], velocity, 2e-5);
    }
  }
}

/*
  Where data and noise are normal, u has the variance s^2 = (1 - tau)^2 + tau^2, and the slope is that of ln
  s; there is none without the base.
*/
static void slopes_keep_a_normal_normal(void **state)
{
  const double h = 1e-5;

  (void)state;
  for (int i = 1; i < 20; i++) {
    const double tau = i / 20., up = hypot(1 - tau - h, tau + h), down = hypot(1 - tau + h, tau - h);

    assert_near(fare_flow_matching_slope(1, tau), (log(up) - log(down)) / (2 * h), 1e-8);
    assert_near(fare_flow_matching_slope(0, tau), 0, 0);
  }
}

/* Data seen through noise: u/tau is a datum with noise of the level (1 - tau)/tau. */
static void octaves_stand_at_the_datum(void **state)
{
  float tau[FARE_BLOCK], x[FARE_BLOCK], z[FARE_BLOCK], u[FARE_BLOCK], target[FARE_BLOCK], y[2][FARE_BLOCK],
    spread[2][FARE_BLOCK];

  (void)state;
  for (int faded = 0; faded < 2; faded++) {
    for (int i = 0; i < FARE_BLOCK; i++) {
      tau[i] = 0.35f;
      x[i]   = (float)sin(i);
      z[i]   = (float)cos(2 * i);
    }
    fare_flow_matching_corrupt(FARE_BLOCK, 0, faded, tau, x, z, u, target, y[0], spread[0]);
    fare_flow_matching_position(faded, 0.35, u, y[1], spread[1]);
    for (int i = 0; i < FARE_BLOCK; i++) {
      assert_near(y[1][i],
        faded ? (double)x[i] + 0.65 / 0.35 * (double)z[i] : 0.65 * (double)z[i] + 0.35 * (double)x[i], 1e-6);
      assert_near(spread[1][i], faded ? 0.65 / 0.35 : 0, 1e-6);
      assert_near(y[0][i], y[1][i], 1e-6);
      assert_near(spread[0][i], spread[1][i], 1e-6);
    }
  }
}

/* Against differences of the features themselves, which are made from places with the same uncertainty. */
static void frequency_slopes_are_derivatives(void **state)
{
  enum { FREQUENCIES = 3 };
  static float feature[3][2 * FREQUENCIES * FARE_BLOCK], slope[2 * FREQUENCIES * FARE_BLOCK];
  const double tau = 0.6, frequency = 0.8, h = 0x1p-8;

  (void)state;
  for (int faded = 0; faded < 2; faded++) {
    for (int side = 0; side < 3; side++) {
      float u[FARE_BLOCK], y[FARE_BLOCK], spread[FARE_BLOCK];

      for (int i = 0; i < FARE_BLOCK; i++) u[i] = (float)(sin(i) + (side - 1) * h);
      fare_flow_matching_position(faded, tau, u, y, spread);
      fare_learn_frequencies(FREQUENCIES, frequency, FARE_BLOCK, y, spread, FARE_BLOCK, feature[side]);
    }
    fare_flow_matching_frequency_slopes(faded, tau, FREQUENCIES, frequency, feature[1], slope);
    for (int k = 0; k < 2 * FREQUENCIES * FARE_BLOCK; k++)
      assert_near(slope[k], ((double)feature[2][k] - (double)feature[0][k]) / (2 * h),
        2e-3 * (1 + fabs((double)slope[k])));
  }
}

static void times_are_even(void **state)
{
  float  z[FARE_BLOCK], tau[FARE_BLOCK], level[FARE_BLOCK];
  double normal[FARE_BLOCK], sum = 0, square = 0;

  (void)state;
  for (uint64_t block = 0; block < 64; block++) {
    fare_random_normals(fare_stream_make(3, "times"), block, 0, 0, normal);
    for (int i = 0; i < FARE_BLOCK; i++) z[i] = (float)normal[i];
    fare_flow_matching_times(FARE_BLOCK, z, tau, level);
    for (int i = 0; i < FARE_BLOCK; i++) {
      assert_between(tau[i], 0, 1);
      assert_near(level[i], 2 * (double)tau[i] - 1, 1e-6);
      sum += (double)tau[i] / (64 * FARE_BLOCK);
      square += (double)tau[i] * (double)tau[i] / (64 * FARE_BLOCK);
    }
  }
  assert_near(sum, 0.5, 5 / sqrt(12. * 64 * FARE_BLOCK));
  assert_near(square, 1. / 3, 5 * sqrt(4. / 45 / (64 * FARE_BLOCK)));
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(targets_are_velocities_of_straight_ways),
  cmocka_unit_test(slopes_keep_a_normal_normal),
  cmocka_unit_test(octaves_stand_at_the_datum),
  cmocka_unit_test(frequency_slopes_are_derivatives),
  cmocka_unit_test(times_are_even),
};
FARE_TEST_MAIN(tests)
