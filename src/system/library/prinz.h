/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside the library of systems: the potential of Prinz, with and without inertia. */
#ifndef FARE_PRINZ_PRIVATE_H
#define FARE_PRINZ_PRIVATE_H

#include "library.h"

/*
  Four wells of Prinz et al. (2011): x^8 + 0.8 exp(-80 x^2) + 0.2 exp(-80 (x - 1/2)^2) + 0.5 exp(-40 (x +
  1/2)^2)
*/
static inline double wells(double x)
{
  const double x2 = x * x, x4 = x2 * x2, r = x - 0.5, l = x + 0.5;

  return x4 * x4 + 0.8 * exp(-80 * x2) + 0.2 * exp(-80 * r * r) + 0.5 * exp(-40 * l * l);
}

/*
  Its three Gaussians from two exponentials: with b = exp(-40 (x + 1/2)^2) and u = exp(40 x + 10), g = b u =
  exp(-40 x^2) and g u = exp(20 - 40 (x - 1/2)^2). Beyond |x| = 8, where all are nothing, they are left at
  that: neither exponent leaves its range.
*/
static inline double slope(double x)
{
  const double c = fmin(fmax(x, -8), 8), l = c + 0.5, x2 = x * x;
  const double b = fare_kernel_exp2(fmax(-40 * FARE_LOG2E * (l * l), -1021)),
               u = fare_kernel_exp2(40 * FARE_LOG2E * c + 10 * FARE_LOG2E);
  const double g = b * u, a = g * u, exp_minus_40 = 4.248354255291589e-18;

  return 8 * (x * (x2 * x2 * x2 - 16 * (g * g)) - 4 * exp_minus_40 * (x - 0.5) * (a * a) - 5 * (x + 0.5) * b);
}

#endif
