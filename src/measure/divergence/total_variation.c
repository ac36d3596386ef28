/* SPDX-License-Identifier: BSD-2-Clause */
#include <fare/measure.h>

#include <math.h>

static double evaluate(const fare_comparison *c)
{
  double sum = 0;

  for (size_t i = 0; i < c->pools; i++) sum += fabs(c->p_raw[i] - c->q_raw[i]);
  return 0.5 * sum;
}

const fare_measure_type fare_measure_total_variation = {
  .name       = "total_variation",
  .summary    = "total variation distance: the largest difference in probability of any event, at most 1",
  .definition = "half the sum over pools and the outside of |p - q|, q = n_k/n; no rule is needed.",
  .reference  = "Levin and Peres, Markov Chains and Mixing Times, chapter 4 (2017)",
  .unit       = "1",
  .pools      = PETSC_TRUE,
  .norm       = PETSC_TRUE,
  .evaluate   = evaluate,
};
