/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=unit ranks=1 timeout=60 */
/*
  The elementary functions of kernels against the C library in extended precision, over all of their range.
*/
#include "fare_test.h"

#include "support/kernel_math.h"

#include <float.h>

enum { COUNT = 200000 };

/* COUNT numbers from one end to the other, ends included. */
static double between(double low, double high, int i)
{
  return i == COUNT - 1 ? high : low + (high - low) * i / (COUNT - 1);
}

static void powers_of_two(void **state)
{
  long double worst = 0;

  (void)state;
  for (int i = 0; i < COUNT; i++) {
    const double t = between(-1021, 1023 - 1e-9, i), s = between(-1.5, 1.5, i);

    worst = fmaxl(worst, fabsl(fare_kernel_exp2(t) / exp2l(t) - 1));
    worst = fmaxl(worst, fabsl(fare_kernel_exp2(s) / exp2l(s) - 1));
  }
  print_message("exp2: %.2Lg units\n", worst / DBL_EPSILON);
  assert_near((double)worst, 0, 4 * DBL_EPSILON);
  for (int n = -1021; n <= 1023; n++) assert_true(fare_kernel_exp2(n) == ldexp(1, n));
}

/* Close to 1 too, where the logarithm is small and the relative error counts. */
static void logarithms(void **state)
{
  long double worst = 0;

  (void)state;
  for (int i = 0; i < COUNT; i++) {
    const double places[] = {exp(between(-700, 700, i)), between(0.4, 2.2, i), 1 - exp(between(-36, -1, i)),
      between(0x1p-53, 1e-3, i)};

    for (int k = 0; k < 4; k++) {
      if (places[k] != 1) worst = fmaxl(worst, fabsl(fare_kernel_log(places[k]) / logl(places[k]) - 1));
    }
  }
  print_message("log: %.2Lg units\n", worst / DBL_EPSILON);
  assert_near((double)worst, 0, 4 * DBL_EPSILON);
  assert_true(fare_kernel_log(1) == 0);
}

static void turns(void **state)
{
  const long double two_pi = 8 * atanl(1);
  long double       worst  = 0;

  (void)state;
  for (int i = 0; i < COUNT; i++) {
    const double v = between(0, 1, i);
    double       c, s;

    fare_kernel_turn(v, &c, &s);
    worst = fmaxl(worst, fmaxl(fabsl(c - cosl(two_pi * v)), fabsl(s - sinl(two_pi * v))));
  }
  print_message("turn: %.2Lg\n", worst);
  assert_near((double)worst, 0, 4e-16);
  for (int q = 0; q <= 4; q++) {
    static const double cosine[] = {1, 0, -1, 0, 1}, sine[] = {0, 1, 0, -1, 0};
    double              c, s;

    fare_kernel_turn(0.25 * q, &c, &s);
    assert_true(c == cosine[q] && s == sine[q]);
  }
}

/*
  The slope that Prinz's systems use, of two exponentials, against the formula with three; far out it is that
  of x^8 alone.
*/
static void slope_of_prinz(void **state)
{
  const fare_system_type *type                       = fare_system_type_find("prinz");
  double                  theta[FARE_PARAMETERS_MAX] = {1, 1, 4, 0}, x[FARE_BLOCK], f[FARE_BLOCK];
  const double *const     at[]                       = {x};
  double *const           to[]                       = {f};

  (void)state;
  for (int round = 0; round < 40; round++) {
    const double most = round < 30 ? 2.5 : 1e3 * round;

    for (int i = 0; i < FARE_BLOCK; i++) x[i] = -most + 2 * most * (i * 40 + round) / (40. * FARE_BLOCK - 1);
    type->force(1, theta, FARE_BLOCK, at, to);
    for (int i = 0; i < FARE_BLOCK; i++) {
      const long double q = x[i], r = q - 0.5L, l = q + 0.5L;
      const long double slope = 8 * powl(q, 7) - 128 * q * expl(-80 * q * q) - 32 * r * expl(-80 * r * r) -
        40 * l * expl(-40 * l * l);

      assert_near(f[i], (double)(-4 * slope), 1e-12 * (1 + (double)fabsl(slope)));
    }
  }
  for (int i = 0; i < FARE_BLOCK; i++) x[i] = i % 2 ? NAN : i;
  type->force(1, theta, FARE_BLOCK, at, to);
  for (int i = 1; i < FARE_BLOCK; i += 2) assert_true(isnan(f[i])); /* what is lost stays visible */
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(powers_of_two),
  cmocka_unit_test(logarithms),
  cmocka_unit_test(turns),
  cmocka_unit_test(slope_of_prinz),
};
FARE_TEST_MAIN(tests)
