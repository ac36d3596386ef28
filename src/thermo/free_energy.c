/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Free energies from the work of many trajectories: Jarzynski's average, and Bennett's acceptance ratio of
  work both ways.
*/
#include "thermo.h"

#include <math.h>

fare_jarzynski fare_jarzynski_estimate(double kT, size_t n, const double work[])
{
  double         least = HUGE_VAL, sum = 0, squares = 0;
  fare_jarzynski found;

  for (size_t i = 0; i < n; i++) least = PetscMin(least, work[i]);
  for (size_t i = 0; i < n; i++) {
    const double weight = exp((least - work[i]) / kT);

    sum += weight;
    squares += weight * weight;
  }
  found.effective = sum * sum / squares;
  found.estimate  = least - kT * log(sum / (double)n);
  found.error     = kT * sqrt(PetscMax(0, 1 / found.effective - 1 / (double)n));
  return found;
}

/* Sum of 1/(1 + exp((w + shift)/kT)) and of its square. */
static void fermi(double kT, double shift, size_t n, const double work[], double *sum, double *squares)
{
  *sum = *squares = 0;
  for (size_t i = 0; i < n; i++) {
    const double f = 1 / (1 + exp((work[i] + shift) / kT));

    *sum += f;
    *squares += f * f;
  }
}

/*
  With M = kT ln(n/m): sum_F f(M + W - dF) = sum_R f(-M + W + dF), f the Fermi function (Bennett, J. Comput.
  Phys. 22, 245 (1976); Shirts, Bair, Hooker and Pande, Phys. Rev. Lett. 91, 140601 (2003)). The left side
  rises with dF and the right falls: bisection.
*/
fare_bennett fare_bennett_estimate(
  double kT, size_t n, const double forward[], size_t m, const double reverse[])
{
  const double M   = kT * log((double)n / (double)m);
  double       low = HUGE_VAL, high = -HUGE_VAL, sum[2], squares[2];
  fare_bennett found;

  for (size_t i = 0; i < n; i++) {
    low  = PetscMin(low, forward[i]);
    high = PetscMax(high, forward[i]);
  }
  for (size_t i = 0; i < m; i++) {
    low  = PetscMin(low, -reverse[i]);
    high = PetscMax(high, -reverse[i]);
  }
  low -= kT + fabs(M);
  high += kT + fabs(M);
  for (int round = 0; round < 200 && high - low > 1e-15 * (fabs(low) + fabs(high)); round++) {
    const double middle = 0.5 * (low + high);

    fermi(kT, M - middle, n, forward, &sum[0], &squares[0]);
    fermi(kT, middle - M, m, reverse, &sum[1], &squares[1]);
    if (sum[0] < sum[1])
      low = middle;
    else
      high = middle;
  }
  found.estimate = 0.5 * (low + high);
  fermi(kT, M - found.estimate, n, forward, &sum[0], &squares[0]);
  fermi(kT, found.estimate - M, m, reverse, &sum[1], &squares[1]);
  found.error = kT *
    sqrt(PetscMax(
      0, squares[0] / (sum[0] * sum[0]) - 1 / (double)n + squares[1] / (sum[1] * sum[1]) - 1 / (double)m));
  found.overlap = sum[0] / (double)n + sum[1] / (double)m;
  return found;
}
