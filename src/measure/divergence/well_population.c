/* SPDX-License-Identifier: BSD-2-Clause */
#include <fare/measure.h>

#include <math.h>

static double evaluate(const fare_comparison *c)
{
  double difference[FARE_WELLS_MOST] = {0}, sum = c->q_below + c->q_above;

  if (c->wells == 1) return sum;
  for (size_t i = 0; i < c->bins; i++) difference[c->well[i]] += c->p_bin[i] - c->q_bin[i];
  for (int w = 0; w < c->wells; w++) sum += fabs(difference[w]);
  return 0.5 * sum;
}

const fare_measure_type fare_measure_well_population = {
  .name       = "well_population",
  .summary    = "total variation distance of the populations of the truth's wells, at most 1",
  .definition = "half the sum over wells and the outside of |p(W) - q(W)|. Wells are the basins of steepest "
                "ascent of the truth's density at that\n"
                "instant; one joins its higher neighbour where its peak is less than exp(1/2) times the "
                "pass, or less than 0.001 of the mass is above the pass.\n"
                "0 where the truth has one well.",
  .reference  = "Chazal, Guibas, Oudot and Skraba, J. ACM 60, 41 (2013)",
  .unit       = "1",
  .norm       = PETSC_TRUE,
  .evaluate   = evaluate,
};
