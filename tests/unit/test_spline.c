/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=unit ranks=1 timeout=60 */
/*
  Splines: inverse against forward, slopes and derivatives of the loss against finite differences, densities
  against quadrature.
*/
#include "fare_test.h"

#include "sampler/flow/spline.h"

#include <stdlib.h>

#define BINS       9
#define ROWS       64
#define PARAMETERS (3 * BINS + 1)

static float theta[PARAMETERS * FARE_BLOCK];

/* Parameters of very different sizes: row r is drawn with standard deviation r / 8. */
static void random_rows(fare_spline *spline)
{
  fare_random random = {.stream = fare_stream_make(5, "spline")};

  for (int k = 0; k < PARAMETERS; k++) {
    for (int r = 0; r < ROWS; r++) theta[k * FARE_BLOCK + r] = (float)(r / 8. * fare_random_normal(&random));
  }
  fare_spline_knots(spline, ROWS, theta);
}

static void without_parameters_it_is_the_identity(void **state)
{
  static const float none[PARAMETERS * FARE_BLOCK];
  const double       x[5]   = {-0.7, 0, 0.37, 1, 2.5};
  const int          row[5] = {0, 0, 0, 0, 0};
  fare_spline       *spline;
  double             y[5], log_slope[5];

  (void)state;
  assert_ok(fare_spline_create(BINS, 0, &spline));
  fare_spline_knots(spline, 1, none);
  fare_spline_forward(spline, 5, row, x, y, log_slope);
  for (int i = 0; i < 5; i++) {
    assert_near(y[i], x[i], 1e-13);
    assert_near(log_slope[i], 0, 1e-13);
  }
  assert_ok(fare_spline_destroy(&spline));
}

/* Points of row r, in its bins and in both tails. */
static double point(int r, int i, int n)
{
  return -0.5 + 2 * (i + 0.5 * (1 + sin(7 * r + i))) / n;
}

static void inverse_and_slope_agree_with_forward(void **state)
{
  enum { POINTS = 200 };
  fare_spline *spline;

  (void)state;
  for (int circular = 0; circular < 2; circular++) {
    assert_ok(fare_spline_create(BINS, circular, &spline));
    random_rows(spline);
    for (int r = 0; r < ROWS; r++) {
      const double least = 1e-3, e = 1e-7;

      for (int i = 0; i < POINTS; i++) {
        const int    row[3] = {r, r, r};
        const double x[3]   = {point(r, i, POINTS), point(r, i, POINTS) - e, point(r, i, POINTS) + e};
        double       y[3], log_slope[3], back;

        fare_spline_forward(spline, 3, row, x, y, log_slope);
        fare_spline_inverse(spline, 1, row, y, &back);
        assert_near(back, x[0], 1e-9);
        assert_true(y[2] > y[0] && y[0] > y[1]);
        assert_true(exp(log_slope[0]) > 1e-7); /* at worst a slope of 1e-3 in a flat bin */
        /* a knot between the three points, where the slope has a kink, is the worst case */
        assert_near((y[2] - y[1]) / (2 * e), exp(log_slope[0]),
          1e-6 + fabs(exp(log_slope[2]) - exp(log_slope[1])) + 1e-6 * exp(log_slope[0]) + 1e-9 / e);
      }
      for (int k = 0; k < BINS; k++)
        assert_true(spline->X[(k + 1) * FARE_BLOCK + r] - spline->X[k * FARE_BLOCK + r] > 0.999 * least);
    }
    assert_ok(fare_spline_destroy(&spline));
  }
}

/* Where knots lie, slopes from both sides are the same, and round a circle those of the two ends. */
static void slopes_are_continuous(void **state)
{
  fare_spline *spline;

  (void)state;
  assert_ok(fare_spline_create(BINS, 1, &spline));
  random_rows(spline);
  for (int r = 0; r < ROWS / 2; r++) {
    for (int k = 0; k <= BINS; k++) {
      const int    row[2] = {r, r};
      const double at = spline->X[k * FARE_BLOCK + r], e = 1e-12, x[2] = {at - e, at + e};
      double       log_slope[2];

      fare_spline_forward(spline, 2, row, x, NULL, log_slope);
      assert_near(log_slope[1], log_slope[0], 1e-4);
      assert_near(exp(log_slope[1]), spline->S[(k % BINS) * FARE_BLOCK + r], 1e-4 * exp(log_slope[1]));
    }
  }
  assert_ok(fare_spline_destroy(&spline));
}

/* The loss is -ln of a density, so that exp(-loss) pull/sqrt(2 pi) integrates to one, tails included. */
static void densities_integrate_to_one(void **state)
{
  enum { POINTS = 400000 };
  const double pull = 10, lower = -8, upper = 9, h = (upper - lower) / POINTS, one = 1;
  fare_spline *spline;

  (void)state;
  assert_ok(fare_spline_create(BINS, 0, &spline));
  random_rows(spline);
  for (int r = 1; r < 24; r += 4) {
    double sum = 0;

    for (int i = 0; i < POINTS; i++) {
      const double x = lower + (i + 0.5) * h;

      sum += exp(-fare_spline_loss(spline, 1, &r, &x, &one, pull)) * pull / sqrt(2 * M_PI) * h;
    }
    assert_near(sum, 1, 1e-4);
  }
  assert_ok(fare_spline_destroy(&spline));
}

/* Points, several to each row, and the loss of all with the parameters as they stand. */
enum { MANY = 3 * ROWS };
static int    row_of[MANY];
static double x_of[MANY], weight_of[MANY];

static double loss_of(fare_spline *spline, double pull)
{
  fare_spline_knots(spline, ROWS, theta);
  return fare_spline_loss(spline, MANY, row_of, x_of, weight_of, pull);
}

static void derivatives_are_those_of_the_loss(void **state)
{
  static float gradient[PARAMETERS * FARE_BLOCK];
  fare_spline *spline;

  (void)state;
  for (int i = 0; i < MANY; i++) {
    row_of[i]    = (7 * i) % ROWS;
    x_of[i]      = -0.3 + 1.6 * (i + 0.5) / MANY;
    weight_of[i] = 0.5 + (i % 5) / 4.;
  }
  for (int circular = 0; circular < 2; circular++) {
    const double pull = circular ? 0 : 10;

    assert_ok(fare_spline_create(BINS, circular, &spline));
    random_rows(spline);
    fare_spline_loss(spline, MANY, row_of, x_of, weight_of, pull);
    fare_spline_gradient(spline, ROWS, gradient);
    for (int k = 0; k < PARAMETERS; k++) {
      for (int r = 1; r < 20; r += 6) {
        float *const at   = &theta[k * FARE_BLOCK + r];
        const float  kept = *at, step = 0x1p-9f;
        double       f[4];

        if (circular && k == PARAMETERS - 1) {
          assert_near(gradient[k * FARE_BLOCK + r], 0, 0); /* the first slope stands for the last */
          continue;
        }
        for (int j = 0; j < 4; j++) {
          *at  = kept + (float)(j < 2 ? j - 2 : j - 1) * step;
          f[j] = loss_of(spline, pull);
        }
        *at = kept;
        /*
          of fourth order, unless a knot passes a point meanwhile: then the loss itself is smooth to second
          order only
        */
        assert_near(gradient[k * FARE_BLOCK + r], (f[0] - 8 * f[1] + 8 * f[2] - f[3]) / (12 * (double)step),
          2e-4 * (1 + fabs(gradient[k * FARE_BLOCK + r])));
      }
    }
    assert_ok(fare_spline_destroy(&spline));
  }
}

/*
  Equation 8 of the paper in single precision: where slopes are extreme its discriminant comes out negative.
*/
static float plain_discriminant(float h, float s, float d0, float d1, float rest)
{
  const float q = d0 + d1 - 2 * s, a = h * (s - d0) + rest * q, b = h * d0 - rest * q, c = -s * rest;

  return b * b - 4 * a * c;
}

/*
  A steep bin between flat ones, and points that crowd at its upper end, where b^2 and 4 a c are almost the
  same.
*/
static void rounding_makes_no_negative_discriminant(void **state)
{
  enum { SETTINGS = 200, POINTS = 30 };
  const int    first = 0, k = 4, at = k * FARE_BLOCK, next = at + FARE_BLOCK;
  int          negative = 0;
  fare_spline *spline;

  (void)state;
  assert_ok(fare_spline_create(BINS, 0, &spline));
  for (int setting = 0; setting < SETTINGS; setting++) {
    double w, h;

    for (int j = 0; j < PARAMETERS; j++) theta[j * FARE_BLOCK] = j >= 2 * BINS ? -20 : 0;
    theta[k * FARE_BLOCK]          = -3 - 0.05f * (float)setting;
    theta[(BINS + k) * FARE_BLOCK] = 3 + 0.03f * (float)setting;
    fare_spline_knots(spline, 1, theta);
    w = spline->X[next] - spline->X[at];
    h = spline->Y[next] - spline->Y[at];
    for (int i = 1; i <= POINTS; i++) {
      const double rest = h * (1 - exp2(-i)), y = spline->Y[at] + rest;
      double       x, again;

      fare_spline_inverse(spline, 1, &first, &y, &x);
      assert_true(x >= spline->X[at] && x <= spline->X[next]);
      fare_spline_forward(spline, 1, &first, &x, &again, NULL);
      assert_near(again, y, 1e-9);
      negative += plain_discriminant(
                    (float)h, (float)(h / w), (float)spline->S[at], (float)spline->S[next], (float)rest) < 0;
    }
  }
  print_message("%d of %d discriminants are negative in single precision\n", negative, SETTINGS * POINTS);
  assert_true(negative > 0); /* so the mistake is one that these points would show */
  assert_ok(fare_spline_destroy(&spline));
}

/*
  At the upper end of a bin the discriminant is (h d)^2, d the slope there, and made of terms like (h s)^2, so
  that rounding decides its sign where d is below 1e-8 of the mean slope s. The least slope keeps away from
  that in double precision; with slopes below it, and heights shifted so that places next to the knot are
  numbers of their own, all set by hand, the knot must be found none the less.
*/
static void a_negative_discriminant_is_nothing(void **state)
{
  enum { LAST = 20 };
  int          negative = 0;
  fare_spline *spline;

  (void)state;
  assert_ok(fare_spline_create(BINS, 0, &spline));
  random_rows(spline);
  for (int k = 0; k <= BINS; k++) {
    for (int r = 0; r < ROWS; r++) spline->S[k * FARE_BLOCK + r] = 1e-9 * (1 + 0.37 * sin(k + 3 * r));
  }
  for (int r = 0; r < ROWS; r++) {
    for (int k = 0; k < BINS; k++) {
      const int    at = k * FARE_BLOCK + r, next = at + FARE_BLOCK;
      const double shift = spline->Y[next];

      for (int j = 0; j <= BINS; j++) spline->Y[j * FARE_BLOCK + r] -= shift;
      for (int i = 1; i <= LAST; i++) {
        const double y = -i * 1e-22, w = spline->X[next] - spline->X[at], h = spline->Y[next] - spline->Y[at],
                     s = h / w, q = spline->S[at] + spline->S[next] - 2 * s;
        const double a = h * (s - spline->S[at]) + (y - spline->Y[at]) * q,
                     b = h * spline->S[at] - (y - spline->Y[at]) * q, c = -s * (y - spline->Y[at]);
        double x;

        negative += b * b - 4 * a * c < 0;
        fare_spline_inverse(spline, 1, &r, &y, &x);
        assert_near(x, spline->X[next], 1e-6 * w);
      }
    }
  }
  print_message("%d of %d discriminants are negative\n", negative, ROWS * BINS * LAST);
  assert_true(negative > 0);
  assert_ok(fare_spline_destroy(&spline));
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(without_parameters_it_is_the_identity),
  cmocka_unit_test(inverse_and_slope_agree_with_forward),
  cmocka_unit_test(slopes_are_continuous),
  cmocka_unit_test(densities_integrate_to_one),
  cmocka_unit_test(derivatives_are_those_of_the_loss),
  cmocka_unit_test(rounding_makes_no_negative_discriminant),
  cmocka_unit_test(a_negative_discriminant_is_nothing),
};
FARE_TEST_MAIN(tests)
