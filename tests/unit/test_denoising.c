/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=unit ranks=1 timeout=60 */
/* Kernels of samplers that take noise out, against the formulas as they are written. */
#include "fare_test.h"

#include "sampler/denoising/denoising.h"

#define ROWS 37 /* not a whole number of vectors */

/* Preconditioning as it is written in the paper, at noise levels over the whole range. */
static void targets_follow_the_preconditioning(void **state)
{
  float sigma[FARE_BLOCK], x[FARE_BLOCK], e[FARE_BLOCK], y[FARE_BLOCK], u[FARE_BLOCK], target[FARE_BLOCK];

  (void)state;
  for (int i = 0; i < ROWS; i++) {
    sigma[i] = (float)exp(-4 + 0.2 * i);
    x[i]     = (float)sin(i);
    e[i]     = (float)cos(3 * i);
  }
  fare_denoising_corrupt(ROWS, sigma, x, e, y, u, target);
  for (int i = 0; i < ROWS; i++) {
    const double s = (double)sigma[i], noisy = (double)x[i] + s * (double)e[i];
    const double c_skip = 1 / (s * s + 1), c_out = s / sqrt(s * s + 1), c_in = 1 / sqrt(s * s + 1);

    assert_near(y[i], noisy, 1e-6 * (1 + s));
    assert_near(u[i], c_in * noisy, 1e-6);
    assert_near(target[i], ((double)x[i] - c_skip * noisy) / c_out, 2e-6);
  }
}

static void loss_agrees_with_differences(void **state)
{
  float  weight[FARE_BLOCK], target[FARE_BLOCK], F[FARE_BLOCK], d[FARE_BLOCK];
  double sum = 0;

  (void)state;
  for (int i = 0; i < ROWS; i++) {
    weight[i] = (float)(1 + 0.5 * sin(i));
    target[i] = (float)cos(2 * i);
    F[i]      = (float)sin(5 * i);
    sum += (double)weight[i] * pow((double)F[i] - (double)target[i], 2);
  }
  assert_near(fare_generative_loss(ROWS, weight, target, F, d), sum, 1e-5 * sum);
  for (int i = 0; i < ROWS; i++) {
    const double w = (double)weight[i], off = (double)F[i] - (double)target[i], h = 1e-4;

    assert_near(d[i], (w * pow(off + h, 2) - w * pow(off - h, 2)) / (2 * h), 1e-5);
  }
}

static void levels_stay_in_range(void **state)
{
  float z[FARE_BLOCK], sigma[FARE_BLOCK], level[FARE_BLOCK];

  (void)state;
  for (int i = 0; i < ROWS; i++) z[i] = (float)(0.5 * (i - 18));
  fare_denoising_levels(ROWS, -1, 1.2, 0.01, 20, z, sigma, level);
  for (int i = 0; i < ROWS; i++) {
    const double wanted = fmin(fmax(exp(-1 + 1.2 * (double)z[i]), 0.01), 20);

    assert_near(sigma[i], wanted, 1e-5 * wanted);
    assert_near(level[i], 2 * log(wanted / 0.01) / log(20 / 0.01) - 1, 1e-5);
  }
}

/*
  Of the variance-preserving process dx = -beta x dtau/2 + sqrt(beta) dW: stepped along with small steps, its
  mean factor a and variance v make the level sqrt(v)/a.
*/
static void even_levels_are_those_of_the_process(void **state)
{
  enum { STEPS = 200000 };
  const double beta_min = 0.1, beta_max = 20;
  float        z[FARE_BLOCK], sigma[FARE_BLOCK], level[FARE_BLOCK];

  (void)state;
  for (int i = 0; i < ROWS; i++) z[i] = (float)(0.1 * (i - 18));
  fare_denoising_levels_even(ROWS, beta_min, beta_max, 1e-3, 160, z, sigma, level);
  for (int i = 0; i < ROWS; i += 4) {
    const double tau = 0.5 * erfc(-(double)z[i] / sqrt(2)), h = tau / STEPS;
    double       log_a = 0, v = 0;

    for (int n = 0; n < STEPS; n++) {
      const double beta = beta_min + (beta_max - beta_min) * (n + 0.5) * h;

      log_a -= 0.5 * beta * h;
      v = v * (1 - beta * h + 0.5 * beta * beta * h * h) + beta * h * (1 - 0.5 * beta * h);
    }
    assert_near(sigma[i], sqrt(v) * exp(-log_a), 1e-4 * (double)sigma[i]);
    assert_near(level[i], 2 * log((double)sigma[i] / 1e-3) / log(160 / 1e-3) - 1, 1e-5);
  }
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(targets_follow_the_preconditioning),
  cmocka_unit_test(loss_agrees_with_differences),
  cmocka_unit_test(levels_stay_in_range),
  cmocka_unit_test(even_levels_are_those_of_the_process),
};
FARE_TEST_MAIN(tests)
