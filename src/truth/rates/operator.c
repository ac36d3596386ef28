/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The generator on a grid: rates over faces, the matrix made of them, and its action. Where the rates come
  from is in rates_gradient.c and rates_general.c.
*/
#include "operator.h"

#include <petscdmda.h>

#include <math.h>
#include <string.h>

/* For the rates, and what they are made of. */
static PetscErrorCode make_room(fare_operator *o)
{
  PetscFunctionBegin;
  for (int axis = 0; axis < o->grid->dim; axis++)
    PetscCall(PetscCalloc2(o->box, &o->up[axis], o->box, &o->down[axis]));
  PetscCall(o->how->create(o));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_operator_create(const fare_grid *grid, const fare_system *system, fare_operator **op)
{
  fare_operator *o;

  PetscFunctionBegin;
  PetscCall(PetscNew(&o));
  *op       = o;
  o->grid   = grid;
  o->system = system;
  o->type   = fare_system_type_of(system);
  o->how    = fare_rates_are_general(o->type) ? &fare_rates_general : &fare_rates_gradient;
  o->box = o->owned = 1;
  for (int axis = 0; axis < FARE_DIM_MAX; axis++) {
    const int layer = axis < grid->dim;

    o->start[axis]  = grid->start[axis] - layer;
    o->count[axis]  = grid->count[axis] + 2 * layer;
    o->stride[axis] = o->box;
    o->box *= o->count[axis];
    o->owned *= grid->count[axis];
  }
  PetscCall(fare_patch_create(grid, MPI_DOUBLE, &o->patch));
  fare_system_parameters(system, 0, o->theta);
  PetscCall(fare_error_agree(grid->comm, make_room(o)));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_operator_clear(fare_operator *op)
{
  PetscFunctionBegin;
  op->valid = PETSC_FALSE;
  PetscCall(op->how->destroy(op));
  for (int axis = 0; axis < FARE_DIM_MAX; axis++) PetscCall(PetscFree2(op->up[axis], op->down[axis]));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_operator_destroy(fare_operator **op)
{
  fare_operator *o = *op;

  PetscFunctionBegin;
  if (!o) PetscFunctionReturn(0);
  PetscCall(fare_operator_clear(o));
  PetscCall(fare_patch_destroy(&o->patch));
  PetscCall(PetscFree(*op));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_operator_ratio(const fare_operator *op, Vec masses, double *ratio)
{
  const double       counts = 0.1; /* of the whole: an axis with less does not decide */
  const PetscScalar *mass;
  double             sums[FARE_DIM_MAX][2] = {{0}}, all = 0;

  PetscFunctionBegin;
  *ratio = 4;
  if (!op->how->numerical_diffusion) PetscFunctionReturn(0);
  PetscCall(VecGetArrayRead(masses, &mass));
  op->how->numerical_diffusion(op, mass, sums);
  PetscCall(VecRestoreArrayRead(masses, &mass));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, sums, 2 * FARE_DIM_MAX, MPI_DOUBLE, MPI_SUM, op->grid->comm));
  for (int axis = 0; axis < op->grid->dim; axis++) all += sums[axis][0];
  for (int axis = 0; axis < op->grid->dim; axis++) {
    if (sums[axis][1] > 0 && sums[axis][0] > counts * all)
      *ratio = PetscMin(*ratio, PetscMax(2, sums[axis][0] / sums[axis][1]));
  }
  PetscFunctionReturn(0);
}

/*
  Nothing comes in at an end, and nothing goes out where it does not absorb. Faces above the cells of the box
  at `place` along an axis.
*/
static void close_end(fare_operator *op, int axis, PetscInt place, int end)
{
  const PetscBool open = fare_boundary_absorbs(op->grid->boundary[axis], end > 0);

  for (PetscInt after = 0; after < op->box / op->stride[axis] / op->count[axis]; after++) {
    for (PetscInt before = 0; before < op->stride[axis]; before++) {
      const PetscInt cell = (after * op->count[axis] + place) * op->stride[axis] + before;

      if (end > 0 || !open) op->down[axis][cell] = 0;
      if (end < 0 || !open) op->up[axis][cell] = 0;
    }
  }
}

/* Faces above cells whose neighbour is outside the box of cells have no rates. */
static void close_ends(fare_operator *op)
{
  const fare_grid *grid = op->grid;

  for (int axis = 0; axis < grid->dim; axis++) {
    if (grid->boundary[axis] == FARE_BOUNDARY_PERIODIC) continue;
    if (op->start[axis] == -1) close_end(op, axis, 0, -1);
    if (op->start[axis] + op->count[axis] == grid->cells[axis] + 1)
      close_end(op, axis, op->count[axis] - 2, 1);
  }
}

static PetscErrorCode refuse_rate(const fare_operator *op, int axis, PetscInt cell, const PetscInt index[])
{
  const char  *name = fare_system_axis_name(op->system, axis);
  const double up = op->up[axis][cell], down = op->down[axis][cell];
  double       centre[FARE_DIM_MAX];
  char         place[FARE_PLACE_SIZE];

  PetscFunctionBegin;
  for (int a = 0; a < op->grid->dim; a++) centre[a] = fare_grid_centre(op->grid, a, index[a]);
  fare_operator_write_place(op, centre, place);
  if (isfinite(up) && isfinite(down)) {
    FARE_FAIL(FARE_ERR_FAILED,
      "truth: the diffusion is negative at time %g, near the face of axis %s above (%s): a rate there is %g",
      op->time, name, place, PetscMin(up, down));
  }
  if (fare_system_is_gradient(op->system)) { /* its potential has been looked at */
    FARE_FAIL(FARE_ERR_FAILED,
      "truth: the potential changes by more than can be represented across one cell at time %g, at the "
      "face of axis %s above (%s): take more cells, or a larger kT",
      op->time, name, place);
  }
  FARE_FAIL(FARE_ERR_FAILED, "truth: the drift is not finite at time %g, at the face of axis %s above (%s)",
    op->time, name, place);
}

/* All rates of faces that serve: finite, and not negative. */
static PetscErrorCode check_rates(const fare_operator *op)
{
  PetscFunctionBegin;
  if (op->finite) PetscFunctionReturn(0);
  for (int axis = 0; axis < op->grid->dim; axis++) {
    const PetscInt faces = op->box - op->stride[axis];

    if (fare_all_rates((size_t)faces, op->up[axis]) && fare_all_rates((size_t)faces, op->down[axis]))
      continue;
    for (PetscInt cell = 0; cell < faces; cell++) {
      PetscInt index[FARE_DIM_MAX];

      fare_operator_index(op, cell, index);
      if (!fare_operator_face_serves(op, axis, index) ||
        (fare_all_rates(1, &op->up[axis][cell]) && fare_all_rates(1, &op->down[axis][cell])))
        continue;
      PetscCall(refuse_rate(op, axis, cell, index));
    }
  }
  PetscFunctionReturn(0);
}

/*
  The rates over this rank's faces in one layer across an axis, up and down in turn; or, with `from`, those it
  takes from there.
*/
static void copy_layer(const fare_operator *op, int axis, PetscInt layer, double *to, const double *from)
{
  const fare_grid *grid = op->grid;
  PetscInt         n    = 0;

  for (PetscInt k = 0; k < (axis == 2 ? 1 : grid->count[2]); k++) {
    for (PetscInt j = 0; j < (axis == 1 ? 1 : grid->count[1]); j++) {
      for (PetscInt i = 0; i < (axis == 0 ? 1 : grid->count[0]); i++, n += 2) {
        PetscInt cell = op->patch->first + k * op->stride[2] + j * op->stride[1] + i;

        cell += (layer - 1) * op->stride[axis];
        if (to) {
          to[n]     = op->up[axis][cell];
          to[n + 1] = op->down[axis][cell];
        } else {
          op->up[axis][cell]   = from[n];
          op->down[axis][cell] = from[n + 1];
        }
      }
    }
  }
}

/*
  A face has one pair of rates: what leaves a cell through it comes into the next. Two that differ by more
  than rounding are of two points.
*/
static PetscErrorCode compare_pairs(
  const fare_operator *op, int axis, PetscInt rates, const double mine[], const double theirs[])
{
  const double rounding = 1e-6;

  PetscFunctionBegin;
  for (PetscInt n = 0; n < rates; n++) {
    if (fabs(mine[n] - theirs[n]) <= rounding * PetscMax(fabs(mine[n]), fabs(theirs[n]))) continue;
    FARE_FAIL(FARE_ERR_FAILED,
      "truth: probability is not conserved at time %g: a face across axis %s, where the grid is cut or "
      "wraps around, has the rate %.9g from one side and %.9g from the other",
      op->time, fare_system_axis_name(op->system, axis), mine[n], theirs[n]);
  }
  PetscFunctionReturn(0);
}

/*
  Faces that two patches share, or that a ring shares with itself, are made twice. Both take the rates of the
  patch below the face, so that columns of L sum to zero: within a patch a face is there once, and they do. A
  rank whose own rates failed has none to give.
*/
static PetscErrorCode join_faces(fare_operator *op, PetscErrorCode failed)
{
  PetscErrorCode code = 0;

  PetscFunctionBegin;
  for (int axis = 0; axis < op->grid->dim; axis++) {
    const int     *neighbour = op->patch->neighbour[axis];
    const PetscInt rates     = 2 * op->owned / op->grid->count[axis];
    double        *out, *in, *mine;

    if (neighbour[0] == MPI_PROC_NULL && neighbour[1] == MPI_PROC_NULL) continue;
    PetscCall(PetscMalloc3(rates, &out, rates, &in, rates, &mine));
    copy_layer(op, axis, op->grid->count[axis], out, NULL);
    if (failed) out[0] = NAN;
    PetscCallMPI(MPI_Sendrecv(out, (int)rates, MPI_DOUBLE, neighbour[1], axis, in, (int)rates, MPI_DOUBLE,
      neighbour[0], axis, op->grid->comm, MPI_STATUS_IGNORE));
    if (neighbour[0] != MPI_PROC_NULL && !failed && isfinite(in[0])) {
      copy_layer(op, axis, 0, mine, NULL);
      if (!code) code = compare_pairs(op, axis, rates, mine, in);
      copy_layer(op, axis, 0, NULL, in);
    }
    PetscCall(PetscFree3(out, in, mine));
  }
  PetscFunctionReturn(failed ? failed : code);
}

static PetscErrorCode make_rates(fare_operator *op)
{
  PetscFunctionBegin;
  PetscCall(op->how->rates(op));
  close_ends(op);
  PetscCall(check_rates(op));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_operator_largest_rate(const fare_operator *op, double *rate)
{
  PetscFunctionBegin;
  *rate = 0;
  FARE_FOR_OWNED(op, n, cell)
  {
    double leaving = 0;

    (void)n;
    for (int axis = 0; axis < op->grid->dim; axis++)
      leaving += op->down[axis][cell - op->stride[axis]] + op->up[axis][cell];
    *rate = PetscMax(*rate, leaving);
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, rate, 1, MPI_DOUBLE, MPI_MAX, op->grid->comm));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_operator_rates(fare_operator *op, double t)
{
  double theta[FARE_PARAMETERS_MAX];

  PetscFunctionBegin;
  fare_system_parameters(op->system, t, theta);
  if (op->valid && !memcmp(theta, op->theta, sizeof theta)) PetscFunctionReturn(0);
  if (!op->up[0]) PetscCall(fare_error_agree(op->grid->comm, make_room(op)));
  memcpy(op->theta, theta, sizeof theta);
  op->time  = t;
  op->valid = op->finite = PETSC_FALSE;
  PetscCall(fare_error_agree(op->grid->comm, join_faces(op, make_rates(op))));
  op->valid = PETSC_TRUE;
  op->version++;
  PetscFunctionReturn(0);
}

/*
  Entries of a row in the order in which assembly gives them: the diagonal, then one for each face; -1 where a
  face has no neighbour.
*/
static void row_columns(const fare_grid *grid, const PetscInt *global, const fare_ghosts *ghosts,
  const PetscInt index[], PetscInt columns[])
{
  const PetscInt at = fare_ghosts_at(ghosts, index);

  columns[0] = global[at];
  for (int axis = 0; axis < grid->dim; axis++) {
    const int closed = grid->boundary[axis] != FARE_BOUNDARY_PERIODIC;

    columns[1 + 2 * axis] = closed && index[axis] == 0 ? -1 : global[at - ghosts->stride[axis]];
    columns[2 + 2 * axis] =
      closed && index[axis] == grid->cells[axis] - 1 ? -1 : global[at + ghosts->stride[axis]];
  }
}

PetscErrorCode fare_operator_matrix(const fare_operator *op, Mat *A)
{
  const fare_grid       *grid  = op->grid;
  const PetscInt         width = 1 + 2 * grid->dim;
  ISLocalToGlobalMapping mapping;
  const PetscInt        *global;
  PetscInt              *rows, *columns;
  fare_ghosts            ghosts;

  PetscFunctionBegin;
  PetscCall(fare_ghosts_of(grid, &ghosts));
  PetscCall(DMGetLocalToGlobalMapping(grid->dm, &mapping));
  PetscCall(ISLocalToGlobalMappingGetIndices(mapping, &global));
  PetscCall(PetscMalloc2(op->owned * width, &rows, op->owned * width, &columns));
  for (PetscInt n = 0; n < op->owned; n++) {
    PetscInt index[FARE_DIM_MAX];

    fare_cell_index(grid, n, index);
    row_columns(grid, global, &ghosts, index, columns + n * width);
    for (PetscInt entry = 0; entry < width; entry++) rows[n * width + entry] = columns[n * width];
  }
  PetscCall(ISLocalToGlobalMappingRestoreIndices(mapping, &global));
  PetscCall(MatCreate(grid->comm, A));
  PetscCall(MatSetSizes(*A, op->owned, op->owned, PETSC_DETERMINE, PETSC_DETERMINE));
  PetscCall(MatSetType(*A, MATAIJ));
  PetscCall(MatSetPreallocationCOO(*A, op->owned * width, rows, columns));
  PetscCall(PetscFree2(rows, columns));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_operator_assemble(fare_operator *op, double t, double shift, Mat A)
{
  const int      dim   = op->grid->dim;
  const PetscInt width = 1 + 2 * dim;
  PetscScalar   *entries;

  PetscFunctionBegin;
  PetscCall(fare_operator_rates(op, t));
  PetscCall(PetscMalloc1(op->owned * width, &entries));
  FARE_FOR_OWNED(op, n, cell)
  {
    PetscScalar *row = entries + n * width;

    row[0] = shift;
    for (int axis = 0; axis < dim; axis++) {
      const PetscInt below = cell - op->stride[axis];

      row[0] += op->down[axis][below] + op->up[axis][cell];
      row[1 + 2 * axis] = -op->up[axis][below];
      row[2 + 2 * axis] = -op->down[axis][cell];
    }
  }
  PetscCall(MatSetValuesCOO(A, entries, INSERT_VALUES));
  PetscCall(PetscFree(entries));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_operator_apply(fare_operator *op, double t, Vec P, Vec y)
{
  const PetscScalar *p;
  PetscScalar       *to;

  PetscFunctionBegin;
  PetscCall(fare_operator_rates(op, t));
  PetscCall(VecGetArrayRead(P, &p));
  PetscCall(VecGetArrayWrite(y, &to));
  PetscCall(fare_patch_exchange(op->patch, p));
  fare_patch_apply(op->patch, op->up, op->down, 1, 0, p, to);
  PetscCall(VecRestoreArrayWrite(y, &to));
  PetscCall(VecRestoreArrayRead(P, &p));
  PetscFunctionReturn(0);
}
