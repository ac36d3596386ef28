/* SPDX-License-Identifier: BSD-2-Clause */
/* A truth that is not one grid, in a snapshot: its state, and marginals of a few axes for pictures. */
#include "record.h"

#include <stdio.h>

#define CELLS_MOST 128 /* along an axis of a pair */

/* Cells that are taken together, so that no more than CELLS_MOST are left. */
static PetscInt block_of(PetscInt cells)
{
  return (cells + CELLS_MOST - 1) / CELLS_MOST;
}

/* A pair of axes on fewer cells: their masses are added up. The last one may reach beyond the box, where
 * there is no mass. */
static PetscErrorCode coarsen(fare_grid **grid, Vec *masses)
{
  const fare_grid   *fine     = *grid;
  const PetscInt     block[2] = {block_of(fine->cells[0]), block_of(fine->cells[1])};
  PetscInt           cells[2];
  double             upper[2];
  fare_grid         *coarse;
  Vec                sums;
  const PetscScalar *from;
  PetscScalar       *to;

  PetscFunctionBegin;
  if (fine->dim == 1 || block[0] * block[1] == 1) PetscFunctionReturn(0);
  for (int a = 0; a < 2; a++) {
    cells[a] = (fine->cells[a] + block[a] - 1) / block[a];
    upper[a] = fine->lower[a] + fine->spacing[a] * (double)(cells[a] * block[a]);
  }
  PetscCall(fare_grid_create(PETSC_COMM_SELF, 2, cells, fine->lower, upper, fine->boundary, &coarse));
  PetscCall(VecCreateSeq(PETSC_COMM_SELF, cells[0] * cells[1], &sums));
  PetscCall(VecGetArrayRead(*masses, &from));
  PetscCall(VecGetArray(sums, &to));
  for (PetscInt y = 0; y < fine->cells[1]; y++) {
    for (PetscInt x = 0; x < fine->cells[0]; x++)
      to[y / block[1] * cells[0] + x / block[0]] += from[y * fine->cells[0] + x];
  }
  PetscCall(VecRestoreArray(sums, &to));
  PetscCall(VecRestoreArrayRead(*masses, &from));
  PetscCall(VecDestroy(masses));
  PetscCall(fare_grid_destroy(grid));
  *grid   = coarse;
  *masses = sums;
  PetscFunctionReturn(0);
}

/* Of one axis or two. */
static PetscErrorCode record_marginal(fare_record *record, fare_joint *joint, int axes, const int axis[])
{
  char       component[2][FARE_COMPONENT_SIZE], name[64], path[128];
  uint64_t   periodic[2];
  fare_grid *grid;
  Vec        masses;

  PetscFunctionBegin;
  PetscCall(joint->type->marginal(joint, 0, axes, axis, &grid, &masses));
  PetscCall(coarsen(&grid, &masses));
  for (int a = 0; a < axes; a++) {
    periodic[axes - 1 - a] = grid->boundary[a] == FARE_BOUNDARY_PERIODIC; /* the slowest axis first */
    fare_record_component(joint->dim, axis[a], component[a]);
    snprintf(grid->axis[a], sizeof grid->axis[a], "%s", fare_system_axis_name(joint->system, axis[a]));
  }
  snprintf(
    name, sizeof name, "marginal_%s%s%s", component[0], axes > 1 ? "_" : "", axes > 1 ? component[1] : "");
  PetscCall(fare_record_unlabelled_mesh(record, name,
    "marginal density of the truth, averaged over each cell", grid, masses, fare_grid_volume(grid)));
  snprintf(path, sizeof path, "/data/%lld/meshes/%s", (long long)record->index, name);
  PetscCall(fare_store_put_uint64s(record->store, path, "periodic", (size_t)axes, periodic));
  PetscCall(VecDestroy(&masses));
  PetscCall(fare_grid_destroy(&grid));
  PetscFunctionReturn(0);
}

/* The i-th axis of those that are wanted, from 0. */
static int axis_at(const fare_record_options *options, size_t i)
{
  return options->axes.count ? (int)options->axes.values[i] - 1 : (int)i;
}

static PetscErrorCode record_marginals(fare_record *record, fare_joint *joint)
{
  const fare_record_options *o = &record->options;
  const size_t count = o->axes.count ? o->axes.count : (size_t)PetscMin(FARE_RECORD_AXES, joint->dim);

  PetscFunctionBegin;
  for (size_t i = 0; i < count; i++) {
    const int one = axis_at(o, i);

    PetscCall(record_marginal(record, joint, 1, &one));
    for (size_t j = i + 1; j < count; j++) {
      const int two[] = {one, axis_at(o, j)};

      PetscCall(record_marginal(record, joint, 2, two));
    }
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_record_joint(fare_record *record, fare_joint *joint)
{
  fare_joint state = *joint;

  PetscFunctionBegin;
  if (!record->options.truth) PetscFunctionReturn(0);
  state.status.seconds = 0; /* the file is the same in every run */
  PetscCall(fare_joint_save(&state, record->store, FARE_RECORD_STATE));
  if (joint->type->marginal) PetscCall(record_marginals(record, joint));
  PetscFunctionReturn(0);
}
