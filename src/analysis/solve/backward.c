/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The backward operator, f dq/dx + D d2q/dx2 along each axis, by differences of high order that keep to one
  side of what is not smooth. Where drift alone leads along an axis, q is what it will be downstream: it is
  continuous where drift enters a set, and leaps where drift leaves one. So stencils look up to four nodes
  downstream and never farther upstream than downstream, up to three; a set that drift enters ends them with
  a node on its boundary; one that it leaves ends them with nothing. The second derivative takes four nodes on
  either side, with those on boundaries. Weights are those of Fornberg (Math. Comp. 51, 699 (1988)).

  Nodes are centres of cells, but moved so that boundaries of sets lie midway between two, as faces do: the
  error then falls smoothly when cells are halved. Solutions come back to the centres in the end.
*/
#include "analysis/analysis.h"

#include <petscao.h>
#include <petscdmda.h>

#include <math.h>
#include <stdlib.h>

#define SIDE  4 /* nodes on one side */
#define NODES (2 * SIDE + 1)
#define STEEP 2.0 /* cell Peclet number from which on a boundary upstream is not looked at */

/* On a line: where, from the one in the middle; its column, -1: what it is held at. */
typedef struct {
  double   at;
  PetscInt column;
  int      held;
} node;

struct fare_backward {
  const fare_grid   *grid;
  const fare_system *system;
  double             t;
  int                targets, kinds; /* kinds: of nodes that are held: the targets, then both ends of axes */
  const fare_region *target[2];
  double            *at[FARE_DIM_MAX]; /* of all nodes along an axis */
  PetscBool          moved[FARE_DIM_MAX];
  signed char       *in;   /* the target that an owned node is in, -1: none */
  double            *held; /* [owned * kinds]: by which what is held enters the right-hand side */
  double             fastest;
  Mat                A; /* minus the operator, the identity in targets */
  KSP                ksp;
};

/* Weights of values and of the first two derivatives at x. */
static void find_weights(int count, const node nodes[], double x, double weight[][3])
{
  double c1 = 1, c4 = nodes[0].at - x;

  for (int i = 0; i < count; i++) weight[i][0] = weight[i][1] = weight[i][2] = 0;
  weight[0][0] = 1;
  for (int i = 1; i < count; i++) {
    const double c5   = c4;
    const int    most = PetscMin(i, 2);
    double       c2   = 1;

    c4 = nodes[i].at - x;
    for (int j = 0; j < i; j++) {
      const double c3 = nodes[i].at - nodes[j].at;

      c2 *= c3;
      if (j == i - 1) {
        for (int k = most; k > 0; k--)
          weight[i][k] = c1 * (k * weight[i - 1][k - 1] - c5 * weight[i - 1][k]) / c2;
        weight[i][0] = -c1 * c5 * weight[i - 1][0] / c2;
      }
      for (int k = most; k > 0; k--) weight[j][k] = (c4 * weight[j][k] - k * weight[j][k - 1]) / c3;
      weight[j][0] = c4 * weight[j][0] / c3;
    }
    c1 = c2;
  }
}

static int by_size(const void *a, const void *b)
{
  const double p = *(const double *)a, q = *(const double *)b;

  return (p > q) - (p < q);
}

/* Faces next to boundaries of sets are moved there; nodes divide what is between them equally. */
static PetscErrorCode place_nodes(fare_backward *b, int axis)
{
  const fare_grid *grid = b->grid;
  const double     h = grid->spacing[axis], lower = grid->lower[axis];
  PetscInt         bounds = 0, from = 0;
  double          *bound, begin     = lower;
  size_t           room = 1;

  PetscFunctionBegin;
  for (int k = 0; k < b->targets; k++) room += 2 * b->target[k]->boxes;
  PetscCall(PetscMalloc1(room, &bound));
  PetscCall(PetscMalloc1(grid->cells[axis], &b->at[axis]));
  for (int k = 0; k < b->targets; k++) {
    for (size_t box = 0; box < b->target[k]->boxes; box++) {
      bound[bounds++] = b->target[k]->lower[box * (size_t)grid->dim + (size_t)axis];
      bound[bounds++] = b->target[k]->upper[box * (size_t)grid->dim + (size_t)axis];
    }
  }
  qsort(bound, (size_t)bounds, sizeof *bound, by_size);
  bound[bounds++] = grid->upper[axis];
  for (PetscInt k = 0; k < bounds; k++) {
    const PetscBool last = k == bounds - 1 ? PETSC_TRUE : PETSC_FALSE;
    const double    face = (bound[k] - lower) / h;
    const PetscInt  to = last ? grid->cells[axis] : (PetscInt)floor(PetscMax(-1, PetscMin(face, 1e9)) + 0.5);

    if (!last && (to <= from || to >= grid->cells[axis])) continue;
    for (PetscInt i = from; i < to; i++)
      b->at[axis][i] = begin + (bound[k] - begin) * ((double)(i - from) + 0.5) / (double)(to - from);
    if (!last && fabs(face - (double)to) > 1e-9) b->moved[axis] = PETSC_TRUE;
    from  = to;
    begin = bound[k];
  }
  PetscCall(PetscFree(bound));
  PetscFunctionReturn(0);
}

static int target_at(const fare_backward *b, const double x[])
{
  for (int k = 0; k < b->targets; k++) {
    if (fare_region_has(b->target[k], x)) return k;
  }
  return -1;
}

static void place_of(const fare_backward *b, const PetscInt index[], double x[])
{
  for (int axis = 0; axis < b->grid->dim; axis++) x[axis] = b->at[axis][index[axis]];
}

static PetscInt natural(const fare_grid *grid, const PetscInt index[])
{
  return (index[2] * grid->cells[1] + index[1]) * grid->cells[0] + index[0];
}

/*
  Nodes on one side of an outer one, the nearest first, at most so many: up to a boundary, which is the last
  one. Beyond an end that reflects, what diffuses is mirrored.
*/
static int look(
  const fare_backward *b, const PetscInt index[], int axis, int side, int most, PetscBool mirrored, node to[])
{
  const fare_grid *grid  = b->grid;
  const PetscInt   cells = grid->cells[axis];
  const PetscBool  ring  = grid->boundary[axis] == FARE_BOUNDARY_PERIODIC ? PETSC_TRUE : PETSC_FALSE;
  const double     width = grid->upper[axis] - grid->lower[axis], sign = side ? 1 : -1;
  double           here[FARE_DIM_MAX], end;

  place_of(b, index, here);
  end = side ? grid->upper[axis] : grid->lower[axis];
  for (int count = 0; count < most; count++) {
    PetscInt i = index[axis] + (side ? count + 1 : -count - 1), there[] = {index[0], index[1], index[2]};
    double   x[FARE_DIM_MAX], shift                                     = 0;
    int      target;

    if (ring) {
      shift = i < 0 ? -width : i >= cells ? width : 0;
      i     = (i % cells + cells) % cells;
    } else if (i < 0 || i >= cells) {
      if (fare_boundary_absorbs(grid->boundary[axis], side)) {
        to[count] = (node){end - here[axis], -1, b->targets + 2 * axis + side};
        return count + 1;
      }
      if (!mirrored) return count;
      i     = i < 0 ? -1 - i : 2 * cells - 1 - i;
      shift = NAN;
    }
    there[axis] = i;
    place_of(b, there, x);
    target = target_at(b, x);
    if (target >= 0 && isnan(shift)) return count;
    if (target >= 0) {
      to[count] =
        (node){sign * fare_region_reach(b->target[target], here, axis, side, ring ? width : 0), -1, target};
      return count + 1;
    }
    to[count] =
      (node){(isnan(shift) ? 2 * end - x[axis] : x[axis] + shift) - here[axis], natural(grid, there), -1};
  }
  return most;
}

/* One row of A under way. */
typedef struct {
  int      count;
  PetscInt column[FARE_DIM_MAX * 2 * NODES];
  double   entry[FARE_DIM_MAX * 2 * NODES], *held;
} equation;

static void add_terms(
  equation *e, int count, const node nodes[], double weight[][3], int derivative, double c)
{
  for (int k = 0; k < count; k++) {
    if (nodes[k].column < 0) {
      e->held[nodes[k].held] -= c * weight[k][derivative];
      continue;
    }
    e->column[e->count]  = nodes[k].column;
    e->entry[e->count++] = c * weight[k][derivative];
  }
}

/* Adds - f dq/dx - D d2q/dx2 along an axis. */
static void add_axis(
  const fare_backward *b, const PetscInt index[], int axis, double f, double D, equation *e)
{
  const PetscBool spreads      = D > 0 ? PETSC_TRUE : PETSC_FALSE;
  const int       side         = f > 0;
  const double    peclet       = spreads ? fabs(f) * b->grid->spacing[axis] / D : HUGE_VAL;
  node            nodes[NODES] = {{0, natural(b->grid, index), -1}}, *down = nodes + 1, *up;
  double          weight[NODES][3];
  int             downs, ups;

  downs = look(b, index, axis, side, SIDE, spreads, down);
  up    = down + downs;
  if (f != 0 && downs) {
    ups = look(b, index, axis, !side, PetscMin(SIDE - 1, downs), spreads, up);
    if (ups && up[ups - 1].column < 0 && peclet > STEEP) ups--;
    find_weights(1 + downs + ups, nodes, 0, weight);
    add_terms(e, 1 + downs + ups, nodes, weight, 1, -f);
  }
  if (!spreads) return;
  ups = look(b, index, axis, !side, SIDE, PETSC_TRUE, up);
  find_weights(1 + downs + ups, nodes, 0, weight);
  add_terms(e, 1 + downs + ups, nodes, weight, 2, -D);
}

static PetscErrorCode create_matrix(const fare_grid *grid, int width, Mat *A)
{
  const PetscInt owned = fare_grid_owned(grid);

  PetscFunctionBegin;
  PetscCall(MatCreate(grid->comm, A));
  PetscCall(MatSetSizes(*A, owned, owned, PETSC_DETERMINE, PETSC_DETERMINE));
  PetscCall(MatSetType(*A, MATAIJ));
  PetscCall(MatSeqAIJSetPreallocation(*A, width, NULL));
  PetscCall(MatMPIAIJSetPreallocation(*A, width, NULL, width, NULL));
  PetscCall(MatSetOption(*A, MAT_NEW_NONZERO_ALLOCATION_ERR, PETSC_FALSE));
  PetscFunctionReturn(0);
}

static PetscErrorCode set_row(const fare_grid *grid, Mat A, PetscInt row, equation *e)
{
  AO order;

  PetscFunctionBegin;
  PetscCall(DMDAGetAO(grid->dm, &order));
  PetscCall(AOApplicationToPetsc(order, e->count, e->column));
  PetscCall(MatSetValues(A, 1, &row, e->count, e->column, e->entry, ADD_VALUES));
  PetscFunctionReturn(0);
}

static void look_at(const fare_backward *b, const double x[], double f[], double D[])
{
  const double *at[]   = {&x[0], &x[1], &x[2]};
  double *const to_f[] = {&f[0], &f[1], &f[2]}, *const to_D[] = {&D[0], &D[1], &D[2]};

  fare_system_drift(b->system, b->t, 1, at, to_f);
  fare_system_diffusion(b->system, b->t, 1, at, to_D);
}

static PetscErrorCode assemble(fare_backward *b)
{
  const fare_grid *grid = b->grid;
  PetscInt         first;

  PetscFunctionBegin;
  PetscCall(create_matrix(grid, 1 + 2 * SIDE * grid->dim, &b->A));
  PetscCall(MatGetOwnershipRange(b->A, &first, NULL));
  for (PetscInt n = 0; n < fare_grid_owned(grid); n++) {
    PetscInt index[FARE_DIM_MAX];
    double   x[FARE_DIM_MAX], f[FARE_DIM_MAX], D[FARE_DIM_MAX];
    equation e = {.held = b->held + n * b->kinds};

    fare_cell_index(grid, n, index);
    place_of(b, index, x);
    look_at(b, x, f, D);
    for (int axis = 0; axis < grid->dim && b->in[n] < 0; axis++) {
      if (!isfinite(f[axis]) || !isfinite(D[axis]))
        FARE_FAIL(FARE_ERR_FAILED, "analysis: drift or diffusion is not finite at time %g", b->t);
      add_axis(b, index, axis, f[axis], D[axis], &e);
    }
    if (b->in[n] >= 0) {
      e.column[0] = natural(grid, index);
      e.entry[0]  = 1;
      e.count     = 1;
    }
    PetscCall(set_row(grid, b->A, first + n, &e));
  }
  PetscCall(MatAssemblyBegin(b->A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(b->A, MAT_FINAL_ASSEMBLY));
  PetscFunctionReturn(0);
}

static PetscErrorCode check_targets(const fare_backward *b)
{
  PetscInt64 count[3] = {0};

  PetscFunctionBegin;
  for (PetscInt n = 0; n < fare_grid_owned(b->grid); n++) count[b->in[n] < 0 ? 2 : b->in[n]]++;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, count, 3, MPI_INT64_T, MPI_SUM, b->grid->comm));
  for (int k = 0; k < b->targets; k++) {
    if (!count[k] &&
      !(fare_region_is_beyond(b->target[k], b->grid->lower, b->grid->upper) && fare_grid_absorbs(b->grid)))
      FARE_FAIL(FARE_ERR_INPUT, "analysis: a set contains no cell centre of the grid");
  }
  if (!count[2]) FARE_FAIL(FARE_ERR_INPUT, "analysis: the sets contain all cells of the grid");
  PetscFunctionReturn(0);
}

PetscErrorCode fare_backward_create(const fare_grid *grid, const fare_system *system, double t, int targets,
  const fare_region *const target[], fare_backward **backward)
{
  const PetscInt owned = fare_grid_owned(grid);
  fare_backward *b;

  PetscFunctionBegin;
  PetscCall(PetscNew(&b));
  *backward  = b;
  b->grid    = grid;
  b->system  = system;
  b->t       = t;
  b->targets = targets;
  b->kinds   = targets + 2 * grid->dim;
  for (int k = 0; k < targets; k++) b->target[k] = target[k];
  for (int axis = 0; axis < grid->dim; axis++) PetscCall(place_nodes(b, axis));
  PetscCall(PetscCalloc2(owned, &b->in, owned * b->kinds, &b->held));
  for (PetscInt n = 0; n < owned; n++) {
    PetscInt index[FARE_DIM_MAX];
    double   x[FARE_DIM_MAX];

    fare_cell_index(grid, n, index);
    place_of(b, index, x);
    b->in[n] = (signed char)target_at(b, x);
  }
  PetscCall(check_targets(b));
  PetscCall(assemble(b));
  PetscCall(MatNorm(b->A, NORM_INFINITY, &b->fastest));
  PetscCall(fare_linear_solver_create(grid, b->A, b->A, &b->ksp));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_backward_destroy(fare_backward **backward)
{
  fare_backward *b = *backward;

  PetscFunctionBegin;
  if (!b) PetscFunctionReturn(0);
  for (int axis = 0; axis < b->grid->dim; axis++) PetscCall(PetscFree(b->at[axis]));
  PetscCall(PetscFree2(b->in, b->held));
  PetscCall(KSPDestroy(&b->ksp));
  PetscCall(MatDestroy(&b->A));
  PetscCall(PetscFree(*backward));
  PetscFunctionReturn(0);
}

Mat fare_backward_matrix(const fare_backward *b)
{
  return b->A;
}

/* Of an outer node: the value at the centre of its cell along an axis, from nodes on both sides. */
static void interpolate(
  const fare_backward *b, const PetscInt index[], int axis, double f, double D, equation *e)
{
  const double shift        = fare_grid_centre(b->grid, axis, index[axis]) - b->at[axis][index[axis]];
  node         nodes[NODES] = {{0, natural(b->grid, index), -1}};
  double       weight[NODES][3];
  int          count = 1;

  for (int side = 0; side < 2; side++) {
    int found = look(b, index, axis, side, SIDE - 1, D > 0 ? PETSC_TRUE : PETSC_FALSE, nodes + count);

    count += found;
    /* it leaps where drift alone comes from there */
    if (found && nodes[count - 1].column < 0 && !(D > 0) && (side ? f : -f) <= 0) count--;
  }
  find_weights(count, nodes, shift, weight);
  add_terms(e, count, nodes, weight, 0, 1);
}

/* Takes x from the nodes to the centres along one axis; the nodes are there afterwards. */
static PetscErrorCode centre_axis(fare_backward *b, const double value[], int axis, Vec x)
{
  const fare_grid *grid = b->grid;
  PetscScalar     *constant;
  PetscInt         first;
  Vec              from, add;
  Mat              C;

  PetscFunctionBegin;
  PetscCall(create_matrix(grid, NODES, &C));
  PetscCall(VecDuplicate(x, &from));
  PetscCall(VecDuplicate(x, &add));
  PetscCall(VecCopy(x, from));
  PetscCall(MatGetOwnershipRange(C, &first, NULL));
  PetscCall(VecGetArray(add, &constant));
  for (PetscInt n = 0; n < fare_grid_owned(grid); n++) {
    PetscInt index[FARE_DIM_MAX];
    double   at[FARE_DIM_MAX], f[FARE_DIM_MAX], D[FARE_DIM_MAX], held[2 + 2 * FARE_DIM_MAX] = {0};
    equation e = {.held = held};

    fare_cell_index(grid, n, index);
    constant[n] = 0;
    if (b->in[n] < 0) {
      place_of(b, index, at);
      look_at(b, at, f, D);
      interpolate(b, index, axis, f[axis], D[axis], &e);
      for (int k = 0; k < b->kinds; k++) constant[n] -= held[k] * value[k];
    } else {
      e.column[0] = natural(grid, index);
      e.entry[0]  = 1;
      e.count     = 1;
    }
    PetscCall(set_row(grid, C, first + n, &e));
  }
  PetscCall(VecRestoreArray(add, &constant));
  PetscCall(MatAssemblyBegin(C, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(C, MAT_FINAL_ASSEMBLY));
  PetscCall(MatMultAdd(C, from, add, x));
  PetscCall(MatDestroy(&C));
  PetscCall(VecDestroy(&from));
  PetscCall(VecDestroy(&add));
  for (PetscInt i = 0; i < grid->cells[axis]; i++) b->at[axis][i] = fare_grid_centre(grid, axis, i);
  PetscFunctionReturn(0);
}

static PetscErrorCode to_centres(fare_backward *b, const double value[], Vec x)
{
  double *nodes[FARE_DIM_MAX] = {NULL};

  PetscFunctionBegin;
  for (int axis = 0; axis < b->grid->dim; axis++) {
    if (!b->moved[axis]) continue;
    PetscCall(PetscMalloc1(b->grid->cells[axis], &nodes[axis]));
    PetscCall(PetscArraycpy(nodes[axis], b->at[axis], b->grid->cells[axis]));
    PetscCall(centre_axis(b, value, axis, x));
  }
  for (int axis = 0; axis < b->grid->dim; axis++) {
    if (!nodes[axis]) continue;
    PetscCall(PetscFree(b->at[axis]));
    b->at[axis] = nodes[axis];
  }
  PetscFunctionReturn(0);
}

typedef struct {
  const fare_backward *backward;
  Vec                  right, terms;
} problem;

static PetscErrorCode residual(void *context, Vec x, Vec r, double *scale)
{
  const problem *p = context;
  PetscReal      size;

  PetscFunctionBegin;
  PetscCall(MatMult(p->backward->A, x, r));
  PetscCall(VecAYPX(r, -1, p->right));
  PetscCall(MatGetDiagonal(p->backward->A, p->terms));
  PetscCall(VecPointwiseMult(p->terms, p->terms, x));
  PetscCall(fare_norm_1(p->terms, scale));
  PetscCall(fare_norm_1(p->right, &size));
  *scale += size;
  PetscFunctionReturn(0);
}

static PetscErrorCode fill_right(const fare_backward *b, double source, const double value[], Vec right)
{
  PetscScalar *to;

  PetscFunctionBegin;
  PetscCall(VecGetArray(right, &to));
  for (PetscInt n = 0; n < fare_grid_owned(b->grid); n++) {
    to[n] = b->in[n] < 0 ? source : value[b->in[n]];
    for (int k = 0; k < b->kinds && b->in[n] < 0; k++) to[n] += b->held[n * b->kinds + k] * value[k];
  }
  PetscCall(VecRestoreArray(right, &to));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_backward_solve(fare_backward *b, double source, const double value[], int end,
  const char *what, Vec *x, fare_solved *solved)
{
  problem p                          = {.backward = b};
  double  held[2 + 2 * FARE_DIM_MAX] = {0};

  PetscFunctionBegin;
  for (int k = 0; k < b->targets; k++) held[k] = value[k];
  if (end >= 0) held[b->targets + end] = 1;
  PetscCall(DMCreateGlobalVector(b->grid->dm, x));
  PetscCall(VecSet(*x, 0));
  PetscCall(VecDuplicate(*x, &p.right));
  PetscCall(VecDuplicate(*x, &p.terms));
  PetscCall(fill_right(b, source, held, p.right));
  PetscCall(fare_linear_solver_refine(b->ksp, residual, &p, 0, 1e-7, what, *x, solved));
  PetscCall(VecDestroy(&p.right));
  PetscCall(VecDestroy(&p.terms));
  PetscCall(to_centres(b, held, *x));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_backward_times(fare_backward *b, const char *what, Vec *times, fare_solved *solved)
{
  const double most = 1e-6, zero[2] = {0, 0};
  PetscReal    longest;

  PetscFunctionBegin;
  PetscCall(fare_backward_solve(b, 1, zero, -1, what, times, solved));
  PetscCall(VecNorm(*times, NORM_INFINITY, &longest));
  if (PETSC_MACHINE_EPSILON * longest * b->fastest <= most) PetscFunctionReturn(0);
  FARE_FAIL(FARE_ERR_FAILED,
    "%s: the barrier is too high for the scheme high_order: %.0e passages between neighbours to one over it, "
    "of which %.0e can be resolved; take truth.scheme: fitted, fewer cells, or a larger kT",
    what, longest * b->fastest, most / PETSC_MACHINE_EPSILON);
}
