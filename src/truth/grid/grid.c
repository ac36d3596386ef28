/* SPDX-License-Identifier: BSD-2-Clause */
/* Boxes of equal cells on a DMDA. */
#include <fare/grid.h>

#include <petscdmda.h>

#include <math.h>
#include <stdio.h>

/* How an axis is cut into ranks: NULL and PETSC_DECIDE leave it to DMDA. */
typedef struct {
  PetscInt        ranks[FARE_DIM_MAX];
  const PetscInt *owned[FARE_DIM_MAX];
} layout;

static PetscErrorCode create_dm(fare_grid *g, const layout *as)
{
  DMBoundaryType ends[FARE_DIM_MAX];

  PetscFunctionBegin;
  for (int axis = 0; axis < g->dim; axis++)
    ends[axis] = g->boundary[axis] == FARE_BOUNDARY_PERIODIC ? DM_BOUNDARY_PERIODIC : DM_BOUNDARY_NONE;
  switch (g->dim) {
  case 1:
    PetscCall(DMDACreate1d(g->comm, ends[0], g->cells[0], 1, 1, as->owned[0], &g->dm));
    break;
  case 2:
    PetscCall(DMDACreate2d(g->comm, ends[0], ends[1], DMDA_STENCIL_STAR, g->cells[0], g->cells[1],
      as->ranks[0], as->ranks[1], 1, 1, as->owned[0], as->owned[1], &g->dm));
    break;
  default:
    PetscCall(DMDACreate3d(g->comm, ends[0], ends[1], ends[2], DMDA_STENCIL_STAR, g->cells[0], g->cells[1],
      g->cells[2], as->ranks[0], as->ranks[1], as->ranks[2], 1, 1, as->owned[0], as->owned[1], as->owned[2],
      &g->dm));
    break;
  }
  PetscCall(DMSetUp(g->dm));
  for (int axis = 0; axis < FARE_DIM_MAX; axis++) g->count[axis] = 1;
  PetscCall(DMDAGetCorners(
    g->dm, &g->start[0], &g->start[1], &g->start[2], &g->count[0], &g->count[1], &g->count[2]));
  PetscFunctionReturn(0);
}

static PetscErrorCode create(MPI_Comm comm, int dim, const PetscInt cells[], const double lower[],
  const double upper[], const fare_boundary end[], const layout *as, fare_grid **grid)
{
  fare_grid *g;

  PetscFunctionBegin;
  PetscCall(PetscNew(&g));
  *grid   = g;
  g->comm = comm;
  g->dim  = dim;
  for (int axis = 0; axis < FARE_DIM_MAX; axis++) {
    g->cells[axis]    = axis < dim ? cells[axis] : 1;
    g->lower[axis]    = axis < dim ? lower[axis] : 0;
    g->upper[axis]    = axis < dim ? upper[axis] : 1;
    g->boundary[axis] = axis < dim && end ? end[axis] : FARE_BOUNDARY_REFLECTING;
    g->spacing[axis]  = (g->upper[axis] - g->lower[axis]) / (double)g->cells[axis];
    snprintf(g->axis[axis], sizeof g->axis[axis], "%c", "xyz"[axis]);
  }
  PetscCall(create_dm(g, as));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_grid_create(MPI_Comm comm, int dim, const PetscInt cells[], const double lower[],
  const double upper[], const fare_boundary end[], fare_grid **grid)
{
  const layout any = {{PETSC_DECIDE, PETSC_DECIDE, PETSC_DECIDE}, {NULL, NULL, NULL}};

  PetscFunctionBegin;
  PetscCall(create(comm, dim, cells, lower, upper, end, &any, grid));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_grid_refine(const fare_grid *coarse, fare_grid **fine)
{
  const PetscInt *owned[FARE_DIM_MAX] = {NULL, NULL, NULL};
  PetscInt       *twice[FARE_DIM_MAX] = {NULL, NULL, NULL}, cells[FARE_DIM_MAX];
  layout          same                = {{1, 1, 1}, {NULL, NULL, NULL}};

  PetscFunctionBegin;
  PetscCall(DMDAGetOwnershipRanges(coarse->dm, &owned[0], &owned[1], &owned[2]));
  PetscCall(DMDAGetInfo(coarse->dm, NULL, NULL, NULL, NULL, &same.ranks[0], &same.ranks[1], &same.ranks[2],
    NULL, NULL, NULL, NULL, NULL, NULL));
  for (int axis = 0; axis < coarse->dim; axis++) {
    cells[axis] = 2 * coarse->cells[axis];
    PetscCall(PetscMalloc1(same.ranks[axis], &twice[axis]));
    for (PetscInt i = 0; i < same.ranks[axis]; i++) twice[axis][i] = 2 * owned[axis][i];
    same.owned[axis] = twice[axis];
  }
  PetscCall(
    create(coarse->comm, coarse->dim, cells, coarse->lower, coarse->upper, coarse->boundary, &same, fine));
  for (int axis = 0; axis < coarse->dim; axis++) PetscCall(PetscFree(twice[axis]));
  PetscFunctionReturn(0);
}

void fare_grid_name_axes(fare_grid *grid, const fare_system *system)
{
  for (int axis = 0; axis < grid->dim; axis++)
    snprintf(grid->axis[axis], sizeof grid->axis[axis], "%s", fare_system_axis_name(system, axis));
}

PetscErrorCode fare_grid_destroy(fare_grid **grid)
{
  PetscFunctionBegin;
  if (*grid) PetscCall(DMDestroy(&(*grid)->dm));
  PetscCall(PetscFree(*grid));
  PetscFunctionReturn(0);
}

double fare_grid_volume(const fare_grid *grid)
{
  double volume = 1;

  for (int axis = 0; axis < grid->dim; axis++) volume *= grid->spacing[axis];
  return volume;
}

double fare_grid_centre(const fare_grid *grid, int axis, PetscInt i)
{
  return grid->lower[axis] + grid->spacing[axis] * ((double)i + 0.5);
}

fare_box fare_grid_box(const fare_grid *grid)
{
  fare_box box;

  for (int axis = 0; axis < FARE_DIM_MAX; axis++) {
    box.lower[axis]    = grid->lower[axis];
    box.upper[axis]    = grid->upper[axis];
    box.periodic[axis] = grid->boundary[axis] == FARE_BOUNDARY_PERIODIC ? PETSC_TRUE : PETSC_FALSE;
  }
  return box;
}

fare_walls fare_walls_of(const fare_system *system, const fare_box *box, const fare_boundary end[])
{
  fare_walls walls = {.dim = fare_system_dimension(system),
    .inertial              = fare_system_type_of(system)->acceleration ? PETSC_TRUE : PETSC_FALSE};

  for (int axis = 0; axis < walls.dim; axis++) {
    walls.lower[axis] = box->lower[axis];
    walls.upper[axis] = box->upper[axis];
    for (int side = 0; side < 2; side++) walls.at[axis][side] = fare_boundary_wall(end[axis], side);
    if (end[axis] >= FARE_BOUNDARY_ABSORBING) walls.absorbing = PETSC_TRUE;
  }
  return walls;
}

fare_walls fare_grid_walls(const fare_grid *grid, const fare_system *system)
{
  const fare_box box = fare_grid_box(grid);

  return fare_walls_of(system, &box, grid->boundary);
}

const double fare_half_offset[FARE_HALF_POINTS] = {0.05635083268962915, 0.25, 0.44364916731037085};
const double fare_half_weight[FARE_HALF_POINTS] = {5. / 18, 8. / 18, 5. / 18};

/* The parent of the n-th owned cell of a grid made by fare_grid_refine, among the owned coarse cells. */
static PetscInt parent_of(const fare_grid *coarse, PetscInt n)
{
  PetscInt parent = 0, stride = 1;

  for (int axis = 0; axis < coarse->dim; axis++) {
    const PetscInt count = 2 * coarse->count[axis];

    parent += n % count / 2 * stride;
    stride *= coarse->count[axis];
    n /= count;
  }
  return parent;
}

PetscErrorCode fare_grid_restrict(const fare_grid *coarse, Vec fine, Vec to)
{
  const PetscInt     children = fare_grid_owned(coarse) << coarse->dim;
  const PetscScalar *from;
  PetscScalar       *sums;

  PetscFunctionBegin;
  PetscCall(VecSet(to, 0));
  PetscCall(VecGetArrayRead(fine, &from));
  PetscCall(VecGetArray(to, &sums));
  for (PetscInt n = 0; n < children; n++) sums[parent_of(coarse, n)] += from[n];
  PetscCall(VecRestoreArray(to, &sums));
  PetscCall(VecRestoreArrayRead(fine, &from));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_grid_prolong(const fare_grid *coarse, Vec from, Vec fine)
{
  const PetscInt     children = fare_grid_owned(coarse) << coarse->dim;
  const double       share    = 1.0 / (1 << coarse->dim);
  const PetscScalar *parents;
  PetscScalar       *to;

  PetscFunctionBegin;
  PetscCall(VecGetArrayRead(from, &parents));
  PetscCall(VecGetArray(fine, &to));
  for (PetscInt n = 0; n < children; n++) to[n] = share * parents[parent_of(coarse, n)];
  PetscCall(VecRestoreArray(fine, &to));
  PetscCall(VecRestoreArrayRead(from, &parents));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_ghosts_of(const fare_grid *grid, fare_ghosts *g)
{
  PetscFunctionBegin;
  PetscCall(DMDAGetGhostCorners(
    grid->dm, &g->start[0], &g->start[1], &g->start[2], &g->count[0], &g->count[1], &g->count[2]));
  for (int axis = grid->dim; axis < FARE_DIM_MAX; axis++) {
    g->start[axis] = 0;
    g->count[axis] = 1;
  }
  g->stride[0] = 1;
  g->stride[1] = g->count[0];
  g->stride[2] = g->count[0] * g->count[1];
  PetscFunctionReturn(0);
}

PetscErrorCode fare_ghosts_get(const fare_grid *grid, Vec field, Vec *local, const PetscScalar **values)
{
  PetscFunctionBegin;
  *local  = NULL;
  *values = NULL;
  if (!field) PetscFunctionReturn(0);
  PetscCall(DMGetLocalVector(grid->dm, local));
  PetscCall(DMGlobalToLocal(grid->dm, field, INSERT_VALUES, *local));
  PetscCall(VecGetArrayRead(*local, values));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_ghosts_restore(const fare_grid *grid, Vec *local, const PetscScalar **values)
{
  PetscFunctionBegin;
  if (!*local) PetscFunctionReturn(0);
  PetscCall(VecRestoreArrayRead(*local, values));
  PetscCall(DMRestoreLocalVector(grid->dm, local));
  PetscFunctionReturn(0);
}

void fare_cell_index(const fare_grid *grid, PetscInt n, PetscInt index[FARE_DIM_MAX])
{
  for (int axis = 0; axis < FARE_DIM_MAX; axis++) {
    index[axis] = grid->start[axis] + n % grid->count[axis];
    n /= grid->count[axis];
  }
}

void fare_cell_centre(const fare_grid *grid, PetscInt n, double centre[])
{
  PetscInt index[FARE_DIM_MAX];

  fare_cell_index(grid, n, index);
  for (int axis = 0; axis < grid->dim; axis++) centre[axis] = fare_grid_centre(grid, axis, index[axis]);
}

PetscErrorCode fare_grid_gather(const fare_grid *grid, Vec field, double values[])
{
  Vec                natural, all;
  VecScatter         scatter;
  const PetscScalar *from;
  PetscInt           cells;

  PetscFunctionBegin;
  PetscCall(DMDACreateNaturalVector(grid->dm, &natural));
  PetscCall(DMDAGlobalToNaturalBegin(grid->dm, field, INSERT_VALUES, natural));
  PetscCall(DMDAGlobalToNaturalEnd(grid->dm, field, INSERT_VALUES, natural));
  PetscCall(VecScatterCreateToAll(natural, &scatter, &all));
  PetscCall(VecScatterBegin(scatter, natural, all, INSERT_VALUES, SCATTER_FORWARD));
  PetscCall(VecScatterEnd(scatter, natural, all, INSERT_VALUES, SCATTER_FORWARD));
  PetscCall(VecGetSize(all, &cells));
  PetscCall(VecGetArrayRead(all, &from));
  for (PetscInt i = 0; i < cells; i++) values[i] = from[i];
  PetscCall(VecRestoreArrayRead(all, &from));
  PetscCall(VecScatterDestroy(&scatter));
  PetscCall(VecDestroy(&all));
  PetscCall(VecDestroy(&natural));
  PetscFunctionReturn(0);
}
