/* SPDX-License-Identifier: BSD-2-Clause */
/* What truths that are mixtures of Gaussians have in common: their state begins with their versions. */
#include "normals.h"

static const fare_normals *version_of(const fare_joint *joint, int version)
{
  return (const fare_normals *)joint->state + version;
}

PetscErrorCode fare_normals_of_log_density(
  fare_joint *joint, int version, int64_t n, const double *const x[], double to[])
{
  return fare_normals_log_density(version_of(joint, version), n, x, to);
}

PetscErrorCode fare_normals_of_score(fare_joint *joint, int64_t n, const double *const x[], double *const s[])
{
  return fare_normals_score(version_of(joint, 0), n, x, s);
}

PetscErrorCode fare_normals_of_draw(fare_joint *joint, fare_stream stream, uint64_t block, double *const x[])
{
  return fare_normals_draw(version_of(joint, 0), stream, block, x);
}

PetscErrorCode fare_normals_of_marginal(
  fare_joint *joint, int version, int axes, const int axis[], fare_grid **grid, Vec *masses)
{
  return fare_normals_marginal(version_of(joint, version), axes, axis, grid, masses);
}

PetscErrorCode fare_normals_of_rosenblatt(
  fare_joint *joint, int64_t n, const double *const x[], double *const u[])
{
  return fare_normals_rosenblatt(version_of(joint, 0), n, x, u);
}

int fare_normals_of_modes(const fare_joint *joint)
{
  return version_of(joint, 0)->components;
}

PetscErrorCode fare_normals_of_mode(fare_joint *joint, int64_t n, const double *const x[], int mode[])
{
  return fare_normals_mode(version_of(joint, 0), n, x, mode);
}
