/* SPDX-License-Identifier: BSD-2-Clause */
/* The box of the truth's options. */
#include "truth.h"

fare_boundary fare_truth_end(const fare_system *system, const fare_truth_options *options, int axis)
{
  return options->boundaries.count                ? (fare_boundary)options->boundaries.values[axis]
    : fare_system_type_of(system)->periodic[axis] ? FARE_BOUNDARY_PERIODIC
                                                  : FARE_BOUNDARY_REFLECTING;
}

fare_box fare_truth_box(const fare_system *system, const fare_truth_options *options)
{
  fare_box box = fare_system_box(system);

  for (int axis = 0; axis < fare_system_dimension(system); axis++) {
    if (options->lower.count) box.lower[axis] = options->lower.values[axis];
    if (options->upper.count) box.upper[axis] = options->upper.values[axis];
    box.periodic[axis] =
      fare_truth_end(system, options, axis) == FARE_BOUNDARY_PERIODIC ? PETSC_TRUE : PETSC_FALSE;
  }
  return box;
}

fare_walls fare_truth_walls(const fare_system *system, const fare_truth_options *options)
{
  const fare_box box = fare_truth_box(system, options);
  fare_boundary  end[FARE_DIM_MAX];

  for (int axis = 0; axis < fare_system_dimension(system); axis++)
    end[axis] = fare_truth_end(system, options, axis);
  return fare_walls_of(system, &box, end);
}
