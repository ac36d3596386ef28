/* SPDX-License-Identifier: BSD-2-Clause */
/* Energy distance to exact draws, from pairs within units. */
#include "look.h"

enum { APART, SAMPLES = 2, DRAWS = 4, SUMS = 6 };

static PetscErrorCode add(void *context, fare_joint_look *look, int n, const double *const x[],
  const double w[], const double *const y[], const double v[], double sum[])
{
  const int dim = look->joint->dim;

  PetscFunctionBegin;
  (void)context;
  fare_unit_distances(dim, n, x, w, n, y, v, sum + APART);
  fare_unit_distances_within(dim, n, x, w, sum + SAMPLES);
  fare_unit_distances_within(dim, n, y, v, sum + DRAWS);
  PetscFunctionReturn(0);
}

static double value(const double sum[])
{
  return 2 * sum[APART] / sum[APART + 1] - sum[SAMPLES] / sum[SAMPLES + 1] - sum[DRAWS] / sum[DRAWS + 1];
}

static PetscErrorCode measure(fare_joint_look *look, const fare_measure_type *type, fare_measured *result)
{
  const fare_unit_measure of = {.sums = SUMS, .looks_at_draws = PETSC_TRUE, .add = add, .value = value};

  (void)type;
  return fare_look_units(look, &of, result);
}

extern const fare_joint_measure_type fare_joint_measure_energy_distance;
const fare_joint_measure_type        fare_joint_measure_energy_distance = {
         .base    = {.name = "energy_distance",
              .summary     = "energy distance to exact draws, unbiased",
              .definition = "2 E|X - Y| - E|X - X'| - E|Y - Y'| of samples X and exact draws Y, over pairs within "
                                      "units of at most 512 consecutive particles, of the first 65536.",
              .reference = "Szekely and Rizzo, J. Stat. Plan. Inference 143, 1249 (2013)",
              .unit      = "length"},
         .measure = measure,
};
