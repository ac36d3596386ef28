/*
  A preconditioner for A = shift + A_x + A_y (+ A_z), where A_k = -L_k couples cells along one axis: the product of the parts,

    M = shift^{1-d} (shift + A_x)(shift + A_y)(shift + A_z),

  differs from A by products of two A_k alone (Peaceman and Rachford, J. SIAM 3, 28 (1955)), and is solved by tridiagonal systems along the lines of
  each axis. Lines end where a rank's cells do. All lines of a plane go together, so that the loops run over neighbours in memory; those along the first axis
  are stored LANES side by side for that.
*/
#include "lines.h"
#include "operator.h"

#include <string.h>

typedef struct {
  fare_operator *op;
  double         shift;
  PetscInt       count[FARE_DIM_MAX];
  double        *lower[FARE_DIM_MAX], *inverse[FARE_DIM_MAX], *upper[FARE_DIM_MAX]; /* factors: multipliers, 1/pivot, off-diagonal */
  double        *work;
} lines;

static PetscInt padded_rows(const lines *l)
{
  return (l->count[1] * l->count[2] + FARE_LANES - 1) / FARE_LANES * FARE_LANES;
}

/* Where entry i of line `row` along the first axis stands. */
static inline size_t lane(const lines *l, PetscInt row, PetscInt i)
{
  return (size_t)((row / FARE_LANES * l->count[0] + i) * FARE_LANES + row % FARE_LANES);
}

PetscErrorCode fare_lines_factor(PC pc, double shift)
{
  lines               *l;
  const fare_operator *op;

  PetscFunctionBeginUser;
  PetscCall(PCShellGetContext(pc, &l));
  op       = l->op;
  l->shift = shift;
  for (int axis = 0; axis < op->grid->dim; axis++) {
    const PetscInt gap = op->stride[axis];

    for (PetscInt k = 0, n = 0; k < l->count[2]; k++) {
      for (PetscInt j = 0; j < l->count[1]; j++) {
        PetscInt cell = (k + (op->grid->dim > 2)) * op->stride[2] + (j + (op->grid->dim > 1)) * op->stride[1] + 1;

        for (PetscInt i = 0; i < l->count[0]; i++, n++, cell++) {
          const size_t to = axis ? (size_t)n : lane(l, k * l->count[1] + j, i);

          l->lower[axis][to]   = -op->up[axis][cell - gap];
          l->upper[axis][to]   = -op->down[axis][cell];
          l->inverse[axis][to] = shift + op->down[axis][cell - gap] + op->up[axis][cell];
        }
      }
    }
  }
  fare_lines_factor_lanes(padded_rows(l) / FARE_LANES, l->count[0], l->lower[0], l->inverse[0], l->upper[0]);
  if (op->grid->dim > 1) fare_lines_factor_planes(l->count[2], l->count[1], l->count[0], l->lower[1], l->inverse[1], l->upper[1]);
  if (op->grid->dim > 2) fare_lines_factor_planes(1, l->count[2], l->count[0] * l->count[1], l->lower[2], l->inverse[2], l->upper[2]);
  PetscFunctionReturn(0);
}

static PetscErrorCode apply(PC pc, Vec from, Vec to)
{
  lines             *l;
  const PetscScalar *r;
  PetscScalar       *z;
  double             scale = 1;
  PetscInt           rows;

  PetscFunctionBeginUser;
  PetscCall(PCShellGetContext(pc, &l));
  rows = l->count[1] * l->count[2];
  for (int axis = 1; axis < l->op->grid->dim; axis++) scale *= l->shift;
  PetscCall(VecGetArrayRead(from, &r));
  PetscCall(VecGetArray(to, &z));
  fare_lines_to_lanes(rows, l->count[0], scale, r, l->work);
  fare_lines_solve_lanes(padded_rows(l) / FARE_LANES, l->count[0], l->lower[0], l->inverse[0], l->upper[0], l->work);
  fare_lines_from_lanes(rows, l->count[0], l->work, z);
  if (l->op->grid->dim > 1) fare_lines_solve_planes(l->count[2], l->count[1], l->count[0], l->lower[1], l->inverse[1], l->upper[1], z);
  if (l->op->grid->dim > 2) fare_lines_solve_planes(1, l->count[2], l->count[0] * l->count[1], l->lower[2], l->inverse[2], l->upper[2], z);
  PetscCall(VecRestoreArray(to, &z));
  PetscCall(VecRestoreArrayRead(from, &r));
  PetscFunctionReturn(0);
}

static PetscErrorCode destroy(PC pc)
{
  lines *l;

  PetscFunctionBeginUser;
  PetscCall(PCShellGetContext(pc, &l));
  for (int axis = 0; axis < FARE_DIM_MAX; axis++) PetscCall(PetscFree3(l->lower[axis], l->inverse[axis], l->upper[axis]));
  PetscCall(PetscFree(l->work));
  PetscCall(PetscFree(l));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_lines_create(fare_operator *op, PC pc)
{
  lines *l;
  size_t n;

  PetscFunctionBeginUser;
  PetscCall(PetscNew(&l));
  l->op = op;
  memcpy(l->count, op->grid->count, sizeof l->count);
  for (int axis = 0; axis < op->grid->dim; axis++) {
    n = (size_t)(axis ? op->owned : padded_rows(l) * l->count[0]);
    PetscCall(PetscCalloc3(n, &l->lower[axis], n, &l->inverse[axis], n, &l->upper[axis]));
    for (size_t i = 0; i < n; i++) l->inverse[axis][i] = 1; /* of lanes that are empty */
  }
  PetscCall(PetscCalloc1(padded_rows(l) * l->count[0], &l->work));
  PetscCall(PCSetType(pc, PCSHELL));
  PetscCall(PCShellSetName(pc, "lines along each axis in turn"));
  PetscCall(PCShellSetContext(pc, l));
  PetscCall(PCShellSetApply(pc, apply));
  PetscCall(PCShellSetDestroy(pc, destroy));
  PetscFunctionReturn(0);
}
