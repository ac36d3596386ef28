// SPDX-License-Identifier: BSD-2-Clause
// The usual implementation: one particle at a time, a Mersenne twister, and the normal distribution and
// exponentials of the standard library, with -O3 alone.
#include "particles.h"

#include <cmath>
#include <random>

static double slope(double x)
{
  const double x2 = x * x, r = x - 0.5, l = x + 0.5;

  return 8 * x * x2 * x2 * x2 - 128 * x * std::exp(-80 * x2) - 32 * r * std::exp(-80 * r * r) -
         40 * l * std::exp(-40 * l * l);
}

extern "C" void bench_usual(int particles, int steps, double dt, const double tilt[], double x[])
{
  static std::mt19937              generator(1);
  std::normal_distribution<double> normal(0, 1);
  const double                     spread = std::sqrt(2 * dt);

  for (int i = 0; i < particles; i++) {
    double q = x[i];

    for (int n = 0; n < steps; n++) q += dt * (tilt[n] - 4 * slope(q)) + spread * normal(generator);
    x[i] = q;
  }
}
