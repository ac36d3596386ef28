/* SPDX-License-Identifier: BSD-2-Clause */
/* Projections on directions that are fixed beforehand: Wasserstein's distance of samples and exact draws. */
#include "look.h"

#include <math.h>
#include <string.h>

#define DIRECTIONS 16

typedef struct {
  double along[DIRECTIONS][FARE_AXES_MAX];
} directions;

/* Evenly distributed on the sphere, the same for all truths of so many axes. */
static void choose(int dim, directions *d)
{
  fare_random random = {.stream = fare_stream_make(1, "directions of slices")};

  for (int k = 0; k < DIRECTIONS; k++) {
    double square = 0;

    for (int axis = 0; axis < dim; axis++) {
      d->along[k][axis] = fare_random_normal(&random);
      square += d->along[k][axis] * d->along[k][axis];
    }
    for (int axis = 0; axis < dim; axis++) d->along[k][axis] /= sqrt(square);
  }
}

static PetscErrorCode values(
  void *context, fare_joint_look *look, int64_t n, const double *const x[], double *const to[])
{
  const directions *d = context;

  PetscFunctionBegin;
  for (int k = 0; k < DIRECTIONS; k++) {
    memset(to[k], 0, (size_t)n * sizeof **to);
    for (int axis = 0; axis < look->joint->dim; axis++) {
      for (int64_t i = 0; i < n; i++) to[k][i] += d->along[k][axis] * x[axis][i];
    }
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode measure(fare_joint_look *look, const fare_measure_type *type, fare_measured *result)
{
  directions           d;
  const fare_statistic statistic = {.kinds = DIRECTIONS, .context = &d, .values = values};
  fare_measured        of[DIRECTIONS];

  PetscFunctionBegin;
  (void)type;
  choose(look->joint->dim, &d);
  PetscCall(fare_look_statistic(look, &statistic, fare_measure_type_find("wasserstein_1"), of));
  fare_look_mean(DIRECTIONS, of, result);
  PetscFunctionReturn(0);
}

extern const fare_joint_measure_type fare_joint_measure_sliced_wasserstein;
const fare_joint_measure_type        fare_joint_measure_sliced_wasserstein = {
         .base    = {.name = "sliced_wasserstein",
              .summary    = "mean over 16 directions of the Wasserstein distance of projections, to exact draws",
              .definition = "mean of the Wasserstein distances of first order of samples and exact draws along 16 "
                                      "directions, which are the same for all truths of so many axes.",
              .reference = "Bonneel, Rabin, Peyre and Pfister, J. Math. Imaging Vis. 51, 22 (2015)",
              .unit      = "length",
              .norm      = PETSC_TRUE},
         .measure = measure,
};
