/* SPDX-License-Identifier: BSD-2-Clause */
/* Measures on a grid, of the marginals of one and of two axes. */
#include "look.h"

extern const fare_joint_measure_type fare_joint_measure_marginals_1, fare_joint_measure_marginals_1_max,
  fare_joint_measure_marginals_1_wasserstein, fare_joint_measure_marginals_2,
  fare_joint_measure_marginals_2_max;

static PetscErrorCode measure(fare_joint_look *look, const fare_measure_type *type, fare_measured *result)
{
  const PetscBool two =
    type == &fare_joint_measure_marginals_2.base || type == &fare_joint_measure_marginals_2_max.base
    ? PETSC_TRUE
    : PETSC_FALSE;
  const int   which = type == &fare_joint_measure_marginals_1_wasserstein.base;
  fare_parts *parts;

  PetscFunctionBegin;
  PetscCall(fare_look_parts(look, two ? FARE_PAIRS : FARE_AXES, &parts));
  if (type == &fare_joint_measure_marginals_1_max.base || type == &fare_joint_measure_marginals_2_max.base)
    fare_look_most(parts->count, parts->of[0], result);
  else
    fare_look_mean(parts->count, parts->of[which], result);
  PetscFunctionReturn(0);
}

#define REFERENCE "Kullback and Leibler, Ann. Math. Stat. 22, 79 (1951)"

const fare_joint_measure_type fare_joint_measure_marginals_1 = {
  .base    = {.name = "marginals_1",
       .summary     = "D(truth||ensemble) of single axes, their mean: a lower bound of that of all axes",
       .definition  = "mean over axes of the measure kl on the marginal densities; blind to all correlations.",
       .reference   = REFERENCE,
       .unit        = "nats"},
  .needs   = FARE_NEEDS_MARGINALS,
  .measure = measure,
};
const fare_joint_measure_type fare_joint_measure_marginals_1_max = {
  .base    = {.name = "marginals_1_max",
       .summary     = "D(truth||ensemble) of the single axis that shows most: a lower bound of that of all axes",
       .definition  = "measure kl on the marginal density of the axis that exceeds its noise floor most; the "
                         "significance is that of the best of all axes.",
       .reference   = REFERENCE,
       .unit        = "nats"},
  .needs   = FARE_NEEDS_MARGINALS,
  .extra   = PETSC_TRUE,
  .measure = measure,
};
const fare_joint_measure_type fare_joint_measure_marginals_1_wasserstein = {
  .base    = {.name = "marginals_1_wasserstein",
       .summary     = "Wasserstein distance of single axes, their mean",
       .definition  = "mean over axes of the measure wasserstein_1 on the marginal densities.",
       .reference   = "Vallender, Theory Probab. Appl. 18, 784 (1974)",
       .unit        = "length",
       .norm        = PETSC_TRUE},
  .needs   = FARE_NEEDS_MARGINALS,
  .extra   = PETSC_TRUE,
  .measure = measure,
};
const fare_joint_measure_type fare_joint_measure_marginals_2 = {
  .base    = {.name = "marginals_2",
       .summary     = "D(truth||ensemble) of pairs of axes, their mean: a lower bound of that of all axes",
       .definition =
         "mean of the measure kl on the marginal densities of all pairs of axes; where these are more "
            "than 24, of 12 pairs of neighbours and 12 that are half of all axes apart.",
       .reference = REFERENCE,
       .unit      = "nats"},
  .needs   = FARE_NEEDS_MARGINALS | FARE_NEEDS_PAIRS,
  .measure = measure,
};
const fare_joint_measure_type fare_joint_measure_marginals_2_max = {
  .base    = {.name = "marginals_2_max",
       .summary    = "D(truth||ensemble) of the pair of axes that shows most: a lower bound of that of all axes",
       .definition = "measure kl on the marginal density of the pair, of those of marginals_2, that exceeds its "
                        "noise floor most; the significance is that of the best of them.",
       .reference  = REFERENCE,
       .unit       = "nats"},
  .needs   = FARE_NEEDS_MARGINALS | FARE_NEEDS_PAIRS,
  .extra   = PETSC_TRUE,
  .measure = measure,
};
