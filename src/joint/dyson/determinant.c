/* SPDX-License-Identifier: BSD-2-Clause */
/*
  exp(x b) is totally positive: without pivoting all pivots are positive, and what they lose to cancellation
  can be read off them. Two ways, each in double and in quadruple precision, the first that keeps enough
  digits: plain elimination; and, where (x_n - x_1) (b_n - b_1) is small, that of divided differences in both
  arguments, sum_m h_{m-i}(x_1 ... x_i) h_{m-j}(b_1 ... b_j)/m!, whose determinant is what is sought without
  both Vandermonde's, with complete homogeneous polynomials h that are sums of positive terms; else plain
  elimination again. The latter two in quadruple precision.
*/
#include "determinant.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define MOST        FARE_DETERMINANT_MOST
#define LOST        1e-9  /* relative error of a pivot that is let pass */
#define SLACK       100.0 /* roundings of a pivot */
#define NEAR        100.0 /* (x_n - x_1) (b_n - b_1) up to which series are used; */
#define NEAR_DOUBLE 12.0  /* in double precision, their terms would overflow beyond */
#define TERMS       400   /* of a series at that, many more than it takes */

#ifdef __SIZEOF_FLOAT128__
__extension__ typedef __float128 quad;
#define QUAD_EPSILON 1.9e-34
#else
typedef long double quad;
#define QUAD_EPSILON ((double)LDBL_EPSILON)
#endif

/* exp of an argument that is no larger than 700, to all digits: by a series about 0 and squares. */
static quad quad_exp(quad z)
{
  const quad log_2 =
    (quad)0.693147180559945286 + (quad)2.319046813846299616e-17 + (quad)5.707708438416212066e-34;
  const int k = (int)nearbyint((double)z / 0.69314718055994531);
  quad      r = (z - k * log_2) / 32, term = 1, sum = 1;

  if (z < -700) return 0;
  for (int i = 1; i < 20; i++) sum += term = term * r / i;
  for (int i = 0; i < 5; i++) sum *= sum;
  return sum * ldexp(1, k);
}

#define REAL         double
#define REAL_EXP     exp
#define REAL_EPSILON DBL_EPSILON
#define NAME(x)      double_##x
#include "determinant_ways.h"
#undef REAL
#undef REAL_EXP
#undef REAL_EPSILON
#undef NAME
#define REAL         quad
#define REAL_EXP     quad_exp
#define REAL_EPSILON QUAD_EPSILON
#define NAME(x)      quad_##x
#include "determinant_ways.h"

static double log_vandermonde(int n, const double x[])
{
  double sum = 0;

  for (int i = 0; i < n; i++) {
    for (int j = 0; j < i; j++) sum += log(x[i] - x[j]);
  }
  return sum;
}

typedef double divided_way(int n, const double x[], const double b[]);

/*
  By divided differences, with x b = (x - x_1) (b - b_1) + x_1 b + x b_1 - x_1 b_1. The width of b goes over
  to x, and leaves b between 0 and 1; Vandermonde's determinants are divided out as they were.
*/
static double by_series(int n, const double x[], const double b[], divided_way *divided)
{
  const double width = b[n - 1] - b[0];
  double       from_0[MOST], share[MOST], sum = 0;

  for (int i = 0; i < n; i++) {
    from_0[i] = (x[i] - x[0]) * width;
    share[i]  = width > 0 ? (b[i] - b[0]) / width : i / (n - 1.);
    sum += x[0] * b[i] + x[i] * b[0] - x[0] * b[0];
  }
  return sum + divided(n, from_0, share);
}

double fare_log_determinant(int n, const double x[], const double b[])
{
  const double reach = (x[n - 1] - x[0]) * (b[n - 1] - b[0]);
  double       value = NAN;

  if (reach < NEAR_DOUBLE) value = by_series(n, x, b, double_divided);
  if (isnan(value)) value = double_plain(n, x, b) - log_vandermonde(n, x) - log_vandermonde(n, b);
  if (isnan(value) && reach < NEAR) value = by_series(n, x, b, quad_divided);
  if (isnan(value)) value = quad_plain(n, x, b) - log_vandermonde(n, x) - log_vandermonde(n, b);
  return value;
}
