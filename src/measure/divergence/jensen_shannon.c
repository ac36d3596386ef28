/* SPDX-License-Identifier: BSD-2-Clause */
#include <fare/measure.h>

#include <math.h>

static double evaluate(const fare_comparison *c)
{
  double sum = 0;

  for (size_t i = 0; i < c->pools; i++) {
    const double p = c->p_raw[i], q = c->q_raw[i];

    if (p > 0) sum += p * log(2 * p / (p + q));
    if (q > 0) sum += q * log(2 * q / (p + q));
  }
  return 0.5 * sum;
}

const fare_measure_type fare_measure_jensen_shannon = {
  .name    = "jensen_shannon",
  .summary = "Jensen-Shannon divergence: symmetric, at most ln 2",
  .definition =
    "(D(p||m) + D(q||m))/2 with m = (p + q)/2 over pools and the outside, q = n_k/n; no rule is needed.",
  .reference = "Lin, IEEE Trans. Inf. Theory 37, 145 (1991)",
  .unit      = "nats",
  .pools     = PETSC_TRUE,
  .evaluate  = evaluate,
};
