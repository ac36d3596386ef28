/* SPDX-License-Identifier: BSD-2-Clause */
/* Kernel Stein discrepancy, from pairs within units and the exact score. */
#include "look.h"

#include <math.h>

typedef struct {
  double length2; /* squared length of the kernel */
} kernel;

static PetscErrorCode add(void *context, fare_joint_look *look, int n, const double *const x[],
  const double w[], const double *const y[], const double v[], double sum[])
{
  const kernel *k   = context;
  const int     dim = look->joint->dim;
  double       *all, *s[FARE_AXES_MAX], of[2] = {0};

  PetscFunctionBegin;
  (void)y, (void)v;
  PetscCall(PetscMalloc1((size_t)dim * FARE_BLOCK, &all));
  for (int axis = 0; axis < dim; axis++) s[axis] = all + axis * FARE_BLOCK;
  PetscCall(look->joint->type->score(look->joint, n, x, s));
  fare_unit_stein(dim, k->length2, n, x, (const double *const *)s, w, of);
  sum[0] += of[0] * k->length2 / dim;
  sum[1] += of[1];
  PetscCall(PetscFree(all));
  PetscFunctionReturn(0);
}

static double value(const double sum[])
{
  return sum[0] / sum[1];
}

/* Mean squared distance of two exact draws: twice the trace of their covariance. */
static PetscErrorCode find_length(fare_joint_look *look, kernel *k)
{
  PetscFunctionBegin;
  PetscCall(fare_look_draws(look));
  k->length2 = 0;
  for (int axis = 0; axis < look->joint->dim; axis++) {
    const double *x    = look->draw[axis];
    double        mean = 0, square = 0;

    for (int64_t i = 0; i < look->drawn; i++) mean += x[i] / (double)look->drawn;
    for (int64_t i = 0; i < look->drawn; i++) square += (x[i] - mean) * (x[i] - mean);
    k->length2 += 2 * square / (double)(look->drawn - 1);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode measure(fare_joint_look *look, const fare_measure_type *type, fare_measured *result)
{
  kernel                  k;
  const fare_unit_measure of = {.sums = 2, .context = &k, .add = add, .value = value};

  PetscFunctionBegin;
  (void)type;
  PetscCall(find_length(look, &k));
  PetscCall(fare_look_units(look, &of, result));
  PetscFunctionReturn(0);
}

extern const fare_joint_measure_type fare_joint_measure_stein;
const fare_joint_measure_type        fare_joint_measure_stein = {
         .base    = {.name = "stein",
              .summary = "squared kernel Stein discrepancy with the exact score, unbiased; blind to the weights of "
                                   "modes that lie far apart",
              .definition = "l^2/d times the U-statistic of Stein's kernel for k = (1 + |x - y|^2/l^2)^(-1/2), over "
                                      "pairs within units of at most 512 consecutive particles, of the first 65536; l^2 "
                                      "is the mean squared distance of two exact draws.",
              .reference = "Liu, Lee and Jordan, ICML (2016); Gorham and Mackey, ICML (2017)",
              .unit      = "1"},
         .measure = measure,
};
