/* SPDX-License-Identifier: BSD-2-Clause */
#include <fare/measure.h>

static double evaluate(const fare_comparison *c)
{
  double sum = 0;

  for (size_t i = 0; i < c->pools; i++) {
    const double difference = c->p_raw[i] - c->q_raw[i];

    if (difference != 0) sum += difference / c->p[i] * difference;
  }
  return sum;
}

const fare_measure_type fare_measure_chi_squared = {
  .name       = "chi_squared",
  .summary    = "chi-squared divergence of the ensemble from the truth: Pearson's statistic per sample",
  .definition = "sum over pools and the outside of (p - q)^2/p, q = n_k/n. Outside the grid, where the truth "
                "has no mass, the divisor is half a\n"
                "count, (1/2)/(n + 1/2). n times it is Pearson's statistic, chi-squared with one degree of "
                "freedom less than pools for exact samples.\n"
                "For a model density: bins whose truth mass is below its resolution form one pool, and "
                "its divisor is the model's mass there,\n"
                "up to that resolution.",
  .reference  = "Pearson, Philos. Mag. 50, 157 (1900); Gibbs and Su, Int. Stat. Rev. 70, 419 (2002)",
  .unit       = "1",
  .pools      = PETSC_TRUE,
  .evaluate   = evaluate,
};
