/* SPDX-License-Identifier: BSD-2-Clause */
/* Cells and faces of the box, the points at which V is evaluated, and the terms of V that move. */
#include "operator.h"

#include <stdio.h>
#include <string.h>

void fare_operator_index(const fare_operator *op, PetscInt cell, PetscInt index[FARE_DIM_MAX])
{
  for (int axis = 0; axis < FARE_DIM_MAX; axis++) {
    index[axis] = op->start[axis] + cell % op->count[axis];
    cell /= op->count[axis];
  }
}

PetscBool fare_operator_face_serves(const fare_operator *op, int axis, const PetscInt index[])
{
  for (int a = 0; a < op->grid->dim; a++) {
    const PetscInt place = index[a] - op->grid->start[a];

    if (place < (a == axis ? -1 : 0) || place >= op->grid->count[a]) return PETSC_FALSE;
  }
  return PETSC_TRUE;
}

void fare_operator_write_place(const fare_operator *op, const double x[], char place[FARE_PLACE_SIZE])
{
  size_t length = 0;

  for (int axis = 0; axis < op->grid->dim; axis++)
    length += (size_t)snprintf(place + length, FARE_PLACE_SIZE - length, "%s%g", axis ? ", " : "", x[axis]);
}

/* In two and three dimensions cells are averaged over the tensor product of these: exact to sixth order. */
static const double cell_offset[FARE_CELL_POINTS] = {-0.3872983346207417, 0, 0.3872983346207417};
static const double cell_weight[FARE_CELL_POINTS] = {5. / 18, 8. / 18, 5. / 18};

int fare_points_per_cell(int dim)
{
  return 1 + FARE_LINE_POINTS * dim +
    (dim == 1      ? 0
        : dim == 2 ? FARE_CELL_POINTS * FARE_CELL_POINTS
                   : FARE_CELL_POINTS * FARE_CELL_POINTS * FARE_CELL_POINTS);
}

/* Offset of a point from the centre, in spacings. */
static void point_offset(int dim, int point, double offset[])
{
  memset(offset, 0, FARE_DIM_MAX * sizeof *offset);
  if (point == 0) return;
  if (--point < FARE_LINE_POINTS * dim) {
    double weight = 1;

    fare_cell_point(point % FARE_LINE_POINTS, &offset[point / FARE_LINE_POINTS], &weight);
    return;
  }
  point -= FARE_LINE_POINTS * dim;
  for (int axis = 0; axis < dim; axis++, point /= FARE_CELL_POINTS)
    offset[axis] = cell_offset[point % FARE_CELL_POINTS];
}

double fare_point_weight(int dim, int point)
{
  double weight = 1;

  if (--point < FARE_LINE_POINTS * dim)
    return dim == 1 ? 0.5 * fare_half_weight[point % FARE_HALF_POINTS] : 0;
  point -= FARE_LINE_POINTS * dim;
  for (int axis = 0; axis < dim; axis++, point /= FARE_CELL_POINTS)
    weight *= cell_weight[point % FARE_CELL_POINTS];
  return weight;
}

/*
  A coordinate `offset` spacings above the centre of a cell of the box; round a ring that inside the grid, the
  same from both sides of the seam.
*/
static double coordinate(const fare_grid *grid, int axis, PetscInt index, double offset)
{
  const PetscInt cells = grid->cells[axis];
  double         x;

  if (grid->boundary[axis] != FARE_BOUNDARY_PERIODIC)
    return fare_grid_centre(grid, axis, index) + offset * grid->spacing[axis];
  x = fare_grid_centre(grid, axis, (index + cells) % cells) + offset * grid->spacing[axis];
  return x > grid->upper[axis] ? x - (grid->upper[axis] - grid->lower[axis]) : x;
}

void fare_place_offset(const fare_operator *op, const double offset[], double *const x[])
{
  for (PetscInt cell = 0; cell < op->box; cell++) {
    PetscInt index[FARE_DIM_MAX];

    fare_operator_index(op, cell, index);
    for (int axis = 0; axis < op->grid->dim; axis++)
      x[axis][cell] = coordinate(op->grid, axis, index[axis], offset[axis]);
  }
}

void fare_place_point(const fare_operator *op, int point, double *const x[])
{
  double offset[FARE_DIM_MAX];

  point_offset(op->grid->dim, point, offset);
  fare_place_offset(op, offset, x);
}

int fare_moving_terms(const fare_system *system, int moving[])
{
  const fare_system_type *type = fare_system_type_of(system);
  double                  theta[FARE_PARAMETERS_MAX], a[FARE_PARAMETERS_MAX], b[FARE_PARAMETERS_MAX];
  PetscBool               moves[FARE_PARAMETERS_MAX] = {PETSC_FALSE};
  const int               dim                        = fare_system_dimension(system);
  int                     count                      = 0;

  fare_system_parameters(system, 0, theta);
  type->coefficients(dim, theta, a);
  for (int p = 0; p < FARE_PARAMETERS_MAX; p++) {
    const double value = theta[p];

    if (!fare_system_drives(system, p)) continue;
    theta[p] = value != 0 ? 1.25 * value : 0.25;
    type->coefficients(dim, theta, b);
    for (int k = 0; k < type->basis_count; k++) {
      if (a[k] != b[k]) moves[k] = PETSC_TRUE;
    }
    theta[p] = value;
  }
  for (int k = 0; k < type->basis_count; k++) {
    if (moves[k]) moving[count++] = k;
  }
  return count;
}
