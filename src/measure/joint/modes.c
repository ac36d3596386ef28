/* SPDX-License-Identifier: BSD-2-Clause */
/* Populations of the modes that the truth names. */
#include "look.h"

static PetscErrorCode values(
  void *context, fare_joint_look *look, int64_t n, const double *const x[], double *const to[])
{
  int mode[FARE_BLOCK];

  PetscFunctionBegin;
  (void)context;
  for (int64_t from = 0; from < n; from += FARE_BLOCK) {
    const int64_t count = PetscMin(FARE_BLOCK, n - from);
    const double *at[FARE_AXES_MAX];

    for (int axis = 0; axis < look->joint->dim; axis++) at[axis] = x[axis] + from;
    PetscCall(look->joint->type->mode_of(look->joint, count, at, mode));
    for (int64_t i = 0; i < count; i++) to[0][from + i] = mode[i];
  }
  PetscFunctionReturn(0);
}

/* Without modes of its own a truth has wells in its blocks. */
static PetscErrorCode measure(fare_joint_look *look, const fare_measure_type *type, fare_measured *result)
{
  fare_parts *parts;

  PetscFunctionBegin;
  (void)type;
  if (look->joint->type->mode_of) {
    const fare_statistic statistic = {
      .kinds = 1, .values = values, .classes = look->joint->type->modes(look->joint)};

    PetscCall(fare_look_statistic(look, &statistic, fare_measure_type_find("total_variation"), result));
    PetscFunctionReturn(0);
  }
  PetscCall(fare_look_parts(look, FARE_BLOCKS, &parts));
  fare_look_mean(parts->count, parts->of[1], result);
  PetscFunctionReturn(0);
}

extern const fare_joint_measure_type fare_joint_measure_modes;
const fare_joint_measure_type        fare_joint_measure_modes = {
         .base    = {.name = "modes",
              .summary     = "how much weight lies in the wrong modes",
              .definition =
                "half the sum over modes of |p - q|. Modes are the components of a mixture, each point with the "
                          "one that is likeliest there; of blocks and of sites the wells of their densities, as of "
                          "well_population, and the mean over blocks.",
              .reference = "",
              .unit      = "1",
              .norm      = PETSC_TRUE},
         .needs   = FARE_NEEDS_MODES,
         .measure = measure,
};
