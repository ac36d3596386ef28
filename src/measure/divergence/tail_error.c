/* SPDX-License-Identifier: BSD-2-Clause */
#include <fare/measure.h>

#include <math.h>

static double evaluate(const fare_comparison *c)
{
  double p = 0, q = c->q_below + c->q_above;

  for (size_t i = 0; i < c->bins; i++) {
    p += c->tail[i] * c->p_bin[i];
    q += c->tail[i] * c->q_bin[i];
  }
  return fabs(q - p) / FARE_TAIL;
}

const fare_measure_type fare_measure_tail_error = {
  .name       = "tail_error",
  .summary    = "relative error of the probability of rare states: the least dense 1% of the truth",
  .definition = "|q(R) - p(R)|/0.01, R the bins in which the truth's density is lowest, tails and barriers, "
                "up to a mass of 0.01, and\n"
                "everything outside the grid; one bin belongs to R in part. 1: no mass is there, or twice as "
                "much as there should be.",
  .reference  = "Hyndman, Am. Stat. 50, 120 (1996): the complement of a highest density region",
  .unit       = "1",
  .fewest     = 30 / FARE_TAIL,
  .norm       = PETSC_TRUE,
  .evaluate   = evaluate,
};
