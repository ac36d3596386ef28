/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Inside determinant.c, once for each precision: REAL is the type, REAL_EXP its exponential, REAL_EPSILON its
  rounding, and NAME(x) makes names of their own. No guard, since it is included twice.
*/

/* ln of the product of the pivots; not a number where cancellation leaves too little of one. */
static double NAME(eliminate)(int n, REAL a[MOST][MOST])
{
  double sum = 0, start[MOST];

  for (int k = 0; k < n; k++) start[k] = (double)a[k][k];
  for (int k = 0; k < n; k++) {
    if (!((double)a[k][k] * LOST > start[k] * SLACK * REAL_EPSILON)) return NAN;
    sum += log((double)a[k][k]);
    for (int i = k + 1; i < n; i++) {
      const REAL factor = a[i][k] / a[k][k];

      for (int j = k + 1; j < n; j++) a[i][j] -= factor * a[k][j];
    }
  }
  return sum;
}

/* ln det[exp(x_i b_j)], scaled so that the diagonal is 1. */
static double NAME(plain)(int n, const double x[], const double b[])
{
  static REAL a[MOST][MOST];
  double      sum = 0;

  for (int i = 0; i < n; i++) {
    for (int j = 0; j < n; j++)
      a[i][j] =
        REAL_EXP(((REAL)x[i] * ((REAL)b[j] - (REAL)b[i]) + (REAL)b[j] * ((REAL)x[i] - (REAL)x[j])) / 2);
    sum += x[i] * b[i];
  }
  return sum + NAME(eliminate)(n, a);
}

/* h[i][m] = h_{m-i}(z_1 ... z_{i+1}), 0 below m = i. */
static void NAME(homogeneous)(int n, int terms, const REAL z[], REAL h[MOST][TERMS])
{
  for (int i = 0; i < n; i++) {
    for (int m = 0; m < terms; m++) {
      const REAL fewer = i ? m ? h[i - 1][m - 1] : 0 : m == 0, lower = m ? h[i][m - 1] : 0;

      h[i][m] = m < i ? 0 : fewer + z[i] * lower;
    }
  }
}

/*
  ln det[exp(x_i b_j)] less ln of both Vandermonde determinants of x and of b, by divided differences; x and b
  begin at 0, and b ends at 1.
*/
static double NAME(divided)(int n, const double x[], const double b[])
{
  static REAL  h[2][MOST][TERMS], a[MOST][MOST];
  const double reach = x[n - 1];
  const int    terms = n + (int)(reach + 10 * sqrt(reach)) + 60;
  REAL         z[2][MOST], factorial = 1;

  for (int i = 0; i < n; i++) {
    z[0][i] = x[i];
    z[1][i] = b[i];
  }
  for (int k = 0; k < 2; k++) NAME(homogeneous)(n, terms, z[k], h[k]);
  for (int m = 0; m < terms; m++) {
    if (m) factorial *= m;
    for (int j = 0; j < n; j++) h[1][j][m] /= factorial;
  }
  for (int i = 0; i < n; i++) {
    for (int j = 0; j < n; j++) {
      a[i][j] = 0;
      for (int m = PetscMax(i, j); m < terms; m++) a[i][j] += h[0][i][m] * h[1][j][m];
    }
  }
  return NAME(eliminate)(n, a);
}
