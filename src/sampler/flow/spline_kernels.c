/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/kernel.h"
#include "spline.h"

#include <math.h>
#include <string.h>

#define LEAST FARE_SPLINE_LEAST

/* Shares of the bins, none below LEAST: LEAST + (1 - bins LEAST) softmax; and their sums, the knots. */
static void shares(int bins, int n, const float theta[], double share[], double knot[])
{
  double highest[FARE_BLOCK], sum[FARE_BLOCK];

#pragma omp simd
  for (int i = 0; i < n; i++) highest[i] = theta[i];
  for (int k = 1; k < bins; k++) {
#pragma omp simd
    for (int i = 0; i < n; i++)
      highest[i] = highest[i] > theta[k * FARE_BLOCK + i] ? highest[i] : theta[k * FARE_BLOCK + i];
  }
  memset(sum, 0, sizeof sum);
  for (int k = 0; k < bins; k++) {
#pragma omp simd
    for (int i = 0; i < n; i++) {
      share[k * FARE_BLOCK + i] = exp(theta[k * FARE_BLOCK + i] - highest[i]);
      sum[i] += share[k * FARE_BLOCK + i];
    }
  }
  memset(knot, 0, (size_t)n * sizeof *knot);
  for (int k = 0; k < bins; k++) {
#pragma omp simd
    for (int i = 0; i < n; i++) {
      share[k * FARE_BLOCK + i] /= sum[i];
      knot[(k + 1) * FARE_BLOCK + i] =
        knot[k * FARE_BLOCK + i] + LEAST + (1 - bins * LEAST) * share[k * FARE_BLOCK + i];
    }
  }
  for (int i = 0; i < n; i++) knot[bins * FARE_BLOCK + i] = 1;
}

void fare_spline_knots(fare_spline *s, int n, const float theta[])
{
  const size_t bytes  = (size_t)(s->bins + 1) * FARE_BLOCK * sizeof(double);
  const float *slopes = theta + (size_t)(2 * s->bins) * FARE_BLOCK;
  const double shift  = log(expm1(1 - LEAST)); /* so that a slope whose parameter is 0 is 1 */

  shares(s->bins, n, theta, s->width, s->X);
  shares(s->bins, n, theta + (size_t)s->bins * FARE_BLOCK, s->height, s->Y);
  for (int k = 0; k <= s->bins; k++) {
    const float *from = slopes + (size_t)(s->circular && k == s->bins ? 0 : k) * FARE_BLOCK;

#pragma omp simd
    for (int i = 0; i < n; i++) {
      const double a = from[i] + shift, small = exp(-fabs(a)); /* softplus a = max(a, 0) + ln(1 + e^-|a|) */

      s->S[k * FARE_BLOCK + i]    = LEAST + (a > 0 ? a : 0) + log(1 + small);
      s->rise[k * FARE_BLOCK + i] = (a > 0 ? 1 : small) / (1 + small);
    }
  }
  memset(s->dw, 0, bytes);
  memset(s->dX, 0, bytes);
  memset(s->dh, 0, bytes);
  memset(s->dY, 0, bytes);
  memset(s->dS, 0, bytes);
}

/* The bin of `value` between the knots of one row: -1 below all, bins above. */
static int find(int bins, const double *knot, double value)
{
  int below = 0, above = bins;

  if (value < knot[0]) return -1;
  if (value >= knot[bins * FARE_BLOCK]) return bins;
  while (above - below > 1) {
    const int middle = (below + above) / 2;

    if (value >= knot[middle * FARE_BLOCK])
      below = middle;
    else
      above = middle;
  }
  return below;
}

/* A bin: its corner, width, height, the slopes at its ends, and the mean slope s = h/w. */
typedef struct {
  double X, Y, w, h, d0, d1, s;
} piece;

static piece piece_of(const fare_spline *spline, int r, int k)
{
  const int at = k * FARE_BLOCK + r, next = at + FARE_BLOCK;
  piece p = {spline->X[at], spline->Y[at], spline->X[next] - spline->X[at], spline->Y[next] - spline->Y[at],
    spline->S[at], spline->S[next], 0};

  p.s = p.h / p.w;
  return p;
}

/* Equations 4 and 5 of the paper. */
static void evaluate(const piece *p, double x, double *y, double *slope)
{
  const double a = (x - p->X) / p->w, b = 1 - a, q = p->d0 + p->d1 - 2 * p->s, den = p->s + q * a * b;

  *y     = p->Y + p->h * (p->s * a * a + p->d0 * a * b) / den;
  *slope = p->s * p->s * (p->d1 * a * a + 2 * p->s * a * b + p->d0 * b * b) / (den * den);
}

void fare_spline_forward(
  const fare_spline *spline, int n, const int row[], const double x[], double y[], double log_slope[])
{
  for (int i = 0; i < n; i++) {
    const int r = row ? row[i] : i, last = spline->bins * FARE_BLOCK + r;
    const int k = find(spline->bins, spline->X + r, x[i]);
    double    value, slope;

    if (k < 0) {
      slope = spline->S[r];
      value = slope * x[i];
    } else if (k == spline->bins) {
      slope = spline->S[last];
      value = 1 + slope * (x[i] - 1);
    } else {
      const piece p = piece_of(spline, r, k);

      evaluate(&p, x[i], &value, &slope);
    }
    if (y) y[i] = value;
    if (log_slope) log_slope[i] = log(slope);
  }
}

/*
  Where within its bin y is reached, from 0 to 1: equations 6 to 8, with the root that does not cancel and
  rounding kept from making the discriminant negative.
*/
static double solve(const piece *p, double y)
{
  const double q = p->d0 + p->d1 - 2 * p->s, rest = y - p->Y;
  const double a = p->h * (p->s - p->d0) + rest * q, b = p->h * p->d0 - rest * q, c = -p->s * rest;
  const double inside = b * b - 4 * a * c, at = 2 * c / (-b - sqrt(inside > 0 ? inside : 0));

  return at < 0 ? 0 : at > 1 ? 1 : at;
}

void fare_spline_inverse(const fare_spline *spline, int n, const int row[], const double y[], double x[])
{
  for (int i = 0; i < n; i++) {
    const int r = row ? row[i] : i, last = spline->bins * FARE_BLOCK + r;
    const int k = find(spline->bins, spline->Y + r, y[i]);

    if (k < 0) {
      x[i] = y[i] / spline->S[r];
    } else if (k == spline->bins) {
      x[i] = 1 + (y[i] - 1) / spline->S[last];
    } else {
      const piece p = piece_of(spline, r, k);

      x[i] = p.X + p.w * solve(&p, y[i]);
    }
  }
}

/* The loss of a point in bin k and its derivatives by corner, width, height and slopes of the bin. */
static double learn_piece(fare_spline *spline, int r, int k, double x, double weight, double pull)
{
  const int    at = k * FARE_BLOCK + r;
  const piece  p  = piece_of(spline, r, k);
  const double a = (x - p.X) / p.w, b = 1 - a, ab = a * b, q = p.d0 + p.d1 - 2 * p.s, den = p.s + q * ab,
               d_den = q * (b - a);
  const double num = p.s * a * a + p.d0 * ab, d_num = 2 * p.s * a + p.d0 * (b - a);
  const double top   = p.d1 * a * a + 2 * p.s * ab + p.d0 * b * b,
               d_top = 2 * (p.d1 * a + p.s * (b - a) - p.d0 * b);
  const double u = pull * (p.Y + p.h * num / den - 0.5), up = weight * pull * u,
               up_h = up * p.h / (den * den);
  const double by_a = up_h * (d_num * den - num * d_den) - weight * (d_top / top - 2 * d_den / den);
  const double by_s =
    up_h * (a * a * den - num * (1 - 2 * ab)) - weight * (2 / p.s + 2 * ab / top - 2 * (1 - 2 * ab) / den);
  const double by_d0 = up_h * ab * (den - num) - weight * (b * b / top - 2 * ab / den);
  const double by_d1 = -up_h * ab * num - weight * (a * a / top - 2 * ab / den);

  spline->dX[at] -= by_a / p.w;
  spline->dw[at] -= (by_a * a + by_s * p.s) / p.w;
  spline->dY[at] += up;
  spline->dh[at] += up * num / den + by_s / p.w;
  spline->dS[at] += by_d0;
  spline->dS[at + FARE_BLOCK] += by_d1;
  return weight * (0.5 * u * u - log(p.s * p.s * top / (den * den)));
}

/* Beyond an end, where y = end + S (x - end), only the slope counts. */
static double learn_tail(fare_spline *spline, int at, double end, double x, double weight, double pull)
{
  const double S = spline->S[at], u = pull * (end + S * (x - end) - 0.5);

  spline->dS[at] += weight * (pull * u * (x - end) - 1 / S);
  return weight * (0.5 * u * u - log(S));
}

double fare_spline_loss(
  fare_spline *spline, int n, const int row[], const double x[], const double weight[], double pull)
{
  double sum = 0;

  for (int i = 0; i < n; i++) {
    const int r = row ? row[i] : i, k = find(spline->bins, spline->X + r, x[i]);

    if (k < 0)
      sum += learn_tail(spline, r, 0, x[i], weight[i], pull);
    else if (k == spline->bins)
      sum += learn_tail(spline, spline->bins * FARE_BLOCK + r, 1, x[i], weight[i], pull);
    else
      sum += learn_piece(spline, r, k, x[i], weight[i], pull);
  }
  return sum;
}

/*
  A share moves all knots behind it: d/dw_j = dw_j + sum_{k > j} dX_k. Through the softmax: d/dtheta_j = c p_j
  (d/dw_j - sum_k p_k d/dw_k).
*/
static void share_gradient(
  int bins, int n, const double share[], const double own[], const double corner[], float d_theta[])
{
  double behind[FARE_BLOCK] = {0}, mean[FARE_BLOCK] = {0};

  for (int k = bins - 1; k >= 0; k--) {
#pragma omp simd
    for (int i = 0; i < n; i++) {
      const double g = own[k * FARE_BLOCK + i] + behind[i];

      mean[i] += share[k * FARE_BLOCK + i] * g;
      behind[i] += corner[k * FARE_BLOCK + i];
      d_theta[k * FARE_BLOCK + i] = (float)g;
    }
  }
  for (int k = 0; k < bins; k++) {
#pragma omp simd
    for (int i = 0; i < n; i++)
      d_theta[k * FARE_BLOCK + i] =
        (float)((1 - bins * LEAST) * share[k * FARE_BLOCK + i] * (d_theta[k * FARE_BLOCK + i] - mean[i]));
  }
}

void fare_spline_gradient(const fare_spline *s, int n, float d_theta[])
{
  float *slopes = d_theta + (size_t)(2 * s->bins) * FARE_BLOCK;

  share_gradient(s->bins, n, s->width, s->dw, s->dX, d_theta);
  share_gradient(s->bins, n, s->height, s->dh, s->dY, d_theta + (size_t)s->bins * FARE_BLOCK);
  for (int k = 0; k <= s->bins; k++) {
#pragma omp simd
    for (int i = 0; i < n; i++)
      slopes[k * FARE_BLOCK + i] = (float)(s->rise[k * FARE_BLOCK + i] * s->dS[k * FARE_BLOCK + i]);
  }
  if (!s->circular) return;
  for (int i = 0; i < n; i++) {
    slopes[i] += slopes[s->bins * FARE_BLOCK + i];
    slopes[s->bins * FARE_BLOCK + i] = 0;
  }
}
