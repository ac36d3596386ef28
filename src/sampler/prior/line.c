/* SPDX-License-Identifier: BSD-2-Clause */
#include "line.h"

void fare_prior_box(const fare_sampler *sampler, double *lower, double *upper)
{
  const fare_system_type *type = fare_system_type_of(sampler->system);

  *lower = sampler->walls.dim ? sampler->walls.lower[0] : type->lower[0];
  *upper = sampler->walls.dim ? sampler->walls.upper[0] : type->upper[0];
}

PetscErrorCode fare_prior_grid(
  const fare_sampler *sampler, double lower, double upper, PetscInt cells, fare_grid **grid)
{
  const fare_boundary boundary =
    fare_system_type_of(sampler->system)->periodic[0] ? FARE_BOUNDARY_PERIODIC : FARE_BOUNDARY_REFLECTING;

  PetscFunctionBegin;
  PetscCall(fare_grid_create(PETSC_COMM_SELF, 1, &cells, &lower, &upper, &boundary, grid));
  PetscFunctionReturn(0);
}
