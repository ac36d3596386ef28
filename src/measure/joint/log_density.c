/* SPDX-License-Identifier: BSD-2-Clause */
/* The distribution of T = ln p(x) under the samples against that under exact draws. */
#include "look.h"

#include <math.h>

/* Kolmogorov and Smirnov: the largest difference of the distribution functions. */
static double largest_difference(const fare_comparison *c)
{
  double below = c->q_below, largest = fabs(below);

  for (size_t i = 0; i < c->bins; i++) {
    below += c->q_bin[i] - c->p_bin[i];
    largest = PetscMax(largest, fabs(below));
  }
  return largest;
}

static const fare_measure_type ks = {.name = "kolmogorov_smirnov",
  .unit                                    = "1",
  .dimension_max                           = 1,
  .norm                                    = PETSC_TRUE,
  .evaluate                                = largest_difference};

extern const fare_joint_measure_type fare_joint_measure_log_density_shift, fare_joint_measure_log_density_ks;

/*
  No largest difference is off by more than the largest difference that noise makes, which exact draws show; a
  jackknife knows too little of a maximum. Massey (1951).
*/
static void take_band(fare_measured *result)
{
  if (result->interval) return;
  result->low  = PetscMax(0, result->value - result->floor_high);
  result->high = result->value + result->floor_high;
}

static PetscErrorCode measure(fare_joint_look *look, const fare_measure_type *type, fare_measured *result)
{
  const fare_statistic statistic = {.kinds = 1, .of_log_p = PETSC_TRUE};
  const PetscBool      largest   = type == &fare_joint_measure_log_density_ks.base ? PETSC_TRUE : PETSC_FALSE;

  PetscFunctionBegin;
  PetscCall(
    fare_look_statistic(look, &statistic, largest ? &ks : fare_measure_type_find("wasserstein_1"), result));
  if (largest) take_band(result);
  PetscFunctionReturn(0);
}

const fare_joint_measure_type fare_joint_measure_log_density_shift = {
  .base    = {.name = "log_density_shift",
       .summary     = "how far ln p under the samples lies from ln p under exact draws",
       .definition  = "Wasserstein distance of first order between T = ln p(x) of samples and of exact draws; "
                         "samples farther than the range of the draws count as if they were that far.",
       .reference   = "Vallender, Theory Probab. Appl. 18, 784 (1974)",
       .unit        = "nats",
       .norm        = PETSC_TRUE},
  .measure = measure,
};
const fare_joint_measure_type fare_joint_measure_log_density_ks = {
  .base    = {.name = "log_density_ks",
       .summary     = "largest difference of the distribution functions of ln p under samples and exact draws",
       .definition  = "statistic of Kolmogorov and Smirnov of T = ln p(x).",
       .reference   = "Massey, J. Am. Stat. Assoc. 46, 68 (1951)",
       .unit        = "1",
       .norm        = PETSC_TRUE},
  .extra   = PETSC_TRUE,
  .measure = measure,
};
