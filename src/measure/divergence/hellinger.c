/* SPDX-License-Identifier: BSD-2-Clause */
#include <fare/measure.h>

#include <math.h>

static double evaluate(const fare_comparison *c)
{
  double sum = 0;

  for (size_t i = 0; i < c->pools; i++) {
    const double difference = sqrt(c->p_raw[i]) - sqrt(c->q_raw[i]);

    sum += difference * difference;
  }
  return 0.5 * sum;
}

const fare_measure_type fare_measure_hellinger_squared = {
  .name       = "hellinger_squared",
  .summary    = "squared Hellinger distance: 1 minus the Bhattacharyya coefficient, at most 1",
  .definition = "half the sum over pools and the outside of (sqrt(p) - sqrt(q))^2, q = n_k/n, which is 1 - "
                "sum sqrt(p q); no rule is needed.\n"
                "The square is given, as its bias is of order 1/n.",
  .reference  = "Le Cam and Yang, Asymptotics in Statistics, section 3.2 (2000)",
  .unit       = "1",
  .pools      = PETSC_TRUE,
  .evaluate   = evaluate,
};
