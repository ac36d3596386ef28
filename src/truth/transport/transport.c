/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Transport of high order where drift outruns diffusion, dp/dt = - d(f p)/dx + d2(D p)/dx2 along each axis.

  Unknowns are values p_i at the centres of cells. Flows over faces are such that their differences are the
  derivatives at centres (Shu and Osher, J. Comput. Phys. 83, 32 (1989)): of order 8 for the second, of order
  7, upwind, for the first: to the central flow of order 8 comes |f| times a seventh difference, which damps
  what cells cannot resolve. What leaves one cell enters the next, so that the sum of p_i is kept; and as it
  is that of the masses, too, to the order of the scheme, so is the mass. Where an end is nearer than four
  cells, as many cells as there are serve; over it nothing flows, but what drift, or diffusion towards an
  empty outside, carries through one that absorbs.

  In time: exp(h L) with L of the middle of the step, of order 2 where it changes (its error is that of the
  drive within a step, which stability keeps short), by Taylor's polynomial of order 4 in Horner's form, whose
  last stage has all that flows over each face during the step.

  Where that leaves a negative p_i the limiter takes back some of what flowed out of this cell, over each face
  in proportion, and of those that this makes negative, until there is none (but what is negative by next to
  nothing, which becomes zero). The first times it counts on what
  flowed in; after that it does not, and then each cell that it has treated once is done for good.

  Masses of cells are p_i and its even differences (those of the integral over a cell), and the other way
  round for a start. The limiter serves here, too.
*/
#include "transport.h"
#include "truth/rates/operator.h"

#include <math.h>
#include <string.h>

#define TRUSTING 8 /* passes of the limiter that count on what flows in */

/* Weights of differences of pairs, for 1 to 3: what a mass has more than a value at the centre, and less. */
static const double to_mass[FARE_REACH][FARE_REACH]  = {{0}, {-1. / 24},
   {-1. / 24 - 3 * 17. / 5760, 17. / 5760},
   {-1. / 24 - 3 * 17. / 5760 - 10 * 367. / 967680, 17. / 5760 + 5 * 367. / 967680, -367. / 967680}};
static const double to_point[FARE_REACH][FARE_REACH] = {{0}, {1. / 24}, {1. / 24 + 3 * 3. / 640, -3. / 640},
  {1. / 24 + 3 * 3. / 640 + 10 * 5. / 7168, -3. / 640 - 5 * 5. / 7168, 5. / 7168}};

static PetscErrorCode create_halo(fare_transport *t)
{
  const fare_grid *grid = t->grid;

  PetscFunctionBegin;
  for (int axis = 0; axis < grid->dim; axis++) {
    for (int side = 0; side < 2; side++) {
      int size[FARE_DIM_MAX], part[FARE_DIM_MAX], start[FARE_DIM_MAX];

      for (int a = 0; a < FARE_DIM_MAX; a++) {
        size[a]  = (int)t->size[a];
        part[a]  = a == axis ? FARE_REACH : (int)grid->count[a];
        start[a] = a < grid->dim ? FARE_REACH : 0;
      }
      start[axis] = side ? size[axis] - 2 * FARE_REACH : FARE_REACH;
      PetscCallMPI(MPI_Type_create_subarray(
        FARE_DIM_MAX, size, part, start, MPI_ORDER_FORTRAN, MPI_DOUBLE, &t->outgoing[axis][side]));
      start[axis] = side ? size[axis] - FARE_REACH : 0;
      PetscCallMPI(MPI_Type_create_subarray(
        FARE_DIM_MAX, size, part, start, MPI_ORDER_FORTRAN, MPI_DOUBLE, &t->ghost[axis][side]));
      PetscCallMPI(MPI_Type_commit(&t->outgoing[axis][side]));
      PetscCallMPI(MPI_Type_commit(&t->ghost[axis][side]));
    }
  }
  PetscFunctionReturn(0);
}

/* Brings in what neighbours hold. */
static PetscErrorCode exchange(const fare_transport *t, double *values)
{
  MPI_Request request[4 * FARE_DIM_MAX];
  int         requests = 0;

  PetscFunctionBegin;
  for (int axis = 0; axis < t->grid->dim; axis++) {
    for (int side = 0; side < 2; side++) {
      const int neighbour = t->patch->neighbour[axis][side];

      if (neighbour == MPI_PROC_NULL) continue;
      PetscCallMPI(MPI_Irecv(
        values, 1, t->ghost[axis][side], neighbour, 2 * axis + !side, t->grid->comm, &request[requests++]));
      PetscCallMPI(MPI_Isend(
        values, 1, t->outgoing[axis][side], neighbour, 2 * axis + side, t->grid->comm, &request[requests++]));
    }
  }
  PetscCallMPI(MPI_Waitall(requests, request, MPI_STATUSES_IGNORE));
  PetscFunctionReturn(0);
}

/* Rows of owned cells: n, where it begins among them, and `at`, in the arrays with layers. */
#define FOR_ROWS(t, n, at)                                                          \
  for (PetscInt k_ = 0, n = 0, at = 0; k_ < (t)->grid->count[2]; k_++)              \
    for (PetscInt j_ = 0; j_ < (t)->grid->count[1] &&                               \
         (at = (t)->first + k_ * (t)->stride[2] + j_ * (t)->stride[1], PETSC_TRUE); \
         j_++, n += (t)->grid->count[0])

/* Pairs of cells around the face above a cell of index i along an axis; 0: an end. */
static int pairs_around(const fare_grid *grid, int axis, PetscInt i)
{
  if (grid->boundary[axis] == FARE_BOUNDARY_PERIODIC) return FARE_REACH;
  return (int)PetscMin(FARE_REACH, PetscMin(i + 1, grid->cells[axis] - 1 - i));
}

typedef struct {
  const double *points;
  const double *weight; /* FARE_REACH - 1 rows of FARE_REACH for 1 to 3 pairs: of differences; NULL: of L */
  double        scale;
} flow_kind;

/* Through one that absorbs, outwards only: over half a cell to where nothing is. */
static double through_end(const fare_transport *t, int axis, PetscInt inside, int end, double points)
{
  const PetscInt s   = end > 0 ? -t->stride[axis] : t->stride[axis];
  const double   D   = t->is_uniform[axis] ? t->uniform[axis] : t->diffusion[axis][inside],
               drift = end * (1.5 * t->drift[axis][inside] - 0.5 * t->drift[axis][inside + s]);

  return end * points * (D > 0 ? 2 * D * fare_bernoulli(-0.5 * drift / D) : PetscMax(drift, 0));
}

/* n faces above cells at `at`, all of index i along the axis. */
static void flow_over(
  const fare_transport *t, const flow_kind *kind, int axis, PetscInt n, PetscInt at, PetscInt i, double *flow)
{
  const int      pairs = pairs_around(t->grid, axis, i), end = i < 0 ? -1 : 1;
  const PetscInt s = t->stride[axis];

  if (pairs && kind->weight) {
    const int few = PetscMin(pairs, FARE_REACH - 1);

    fare_transport_differences(n, few, s, kind->weight + few * FARE_REACH, kind->points + at, flow);
  } else if (pairs) {
    fare_transport_flow(n, pairs, s, t->drift[axis] + at,
      t->is_uniform[axis] ? NULL : t->diffusion[axis] + at, t->uniform[axis], kind->points + at, flow);
  } else {
    const PetscInt  inside = end < 0 ? at + s : at;
    const PetscBool open   = fare_boundary_absorbs(t->grid->boundary[axis], end > 0) && !kind->weight;

    for (PetscInt c = 0; c < n; c++)
      flow[c] = open ? through_end(t, axis, inside + c, end, kind->points[inside + c]) : 0;
  }
}

/* Over the faces along a row of the first axis, from that below its first cell: to flow[-1] and up. */
static void flow_along(const fare_transport *t, const flow_kind *kind, PetscInt at, double *flow)
{
  const PetscInt n = t->grid->count[0], start = t->grid->start[0];
  PetscInt       from = -1;

  for (; from < n && pairs_around(t->grid, 0, start + from) < FARE_REACH && start + from < FARE_REACH; from++)
    flow_over(t, kind, 0, 1, at + from, start + from, flow + from);
  if (from < n) {
    PetscInt to = n;

    while (to > from && pairs_around(t->grid, 0, start + to - 1) < FARE_REACH) to--;
    if (to > from) flow_over(t, kind, 0, to - from, at + from, start + from, flow + from);
    for (; to < n; to++) flow_over(t, kind, 0, 1, at + to, start + to, flow + to);
  }
}

/* All faces of owned cells, of one axis. */
static void flow_all(fare_transport *t, const flow_kind *kind, int axis)
{
  const fare_grid *grid = t->grid;

  FOR_ROWS(t, n, at)
  {
    (void)n;
    if (axis == 0) {
      flow_along(t, kind, at, t->flow[0] + at);
    } else {
      const PetscInt place = axis == 1 ? j_ : k_, i = grid->start[axis] + place, s = t->stride[axis];

      if (!place) flow_over(t, kind, axis, grid->count[0], at - s, i - 1, t->flow[axis] + at - s);
      flow_over(t, kind, axis, grid->count[0], at, i, t->flow[axis] + at);
    }
  }
}

/* to = from + c L points, with layers in all three. */
static PetscErrorCode stage(fare_transport *t, double c, double *points, double *to, const double *from)
{
  const flow_kind kind = {.points = points};

  PetscFunctionBegin;
  PetscCall(exchange(t, points));
  for (int axis = 0; axis < t->grid->dim; axis++) flow_all(t, &kind, axis);
  FOR_ROWS(t, n, at)
  {
    for (int axis = 0; axis < t->grid->dim; axis++)
      fare_transport_advance_row(t->grid->count[0], c, t->flow[axis] + at,
        t->flow[axis] + at - t->stride[axis], axis ? to + at : from + n, to + at);
  }
  PetscFunctionReturn(0);
}

/* The least of `next` on this rank, its sum over all, what is negative, and whether any must be listed. */
static PetscErrorCode look(fare_transport *t, fare_transport_step_result *result, PetscBool *listed)
{
  const PetscInt n      = t->grid->count[0];
  double         all[3] = {0}, least = HUGE_VAL;
  PetscScalar   *next;

  PetscFunctionBegin;
  t->bads = 0;
  PetscCall(VecGetArray(t->next, &next));
  for (PetscInt row = 0; row < t->owned; row += n) {
    double sums[3];

    fare_transport_look(n, next + row, sums);
    least = PetscMin(least, sums[0]);
    all[0] += sums[1];
    all[1] += sums[2];
    for (PetscInt i = row; i < row + n && sums[0] < 0; i++) {
      if (next[i] < 0) t->bad[t->bads++] = i;
    }
  }
  PetscCall(VecRestoreArray(t->next, &next));
  all[2] = (double)t->bads;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, all, 3, MPI_DOUBLE, MPI_SUM, t->grid->comm));
  result->least    = least;
  result->sum      = all[0];
  result->negative = all[1];
  *listed          = all[2] > 0 ? PETSC_TRUE : PETSC_FALSE;
  PetscFunctionReturn(0);
}

/* What the limiter works with: `length` is that of the flows. */
typedef struct {
  fare_transport *t;
  const double   *points;
  double         *next, *share, length, mark; /* mark: of the present pass, above 1 */
} limiter;

/* Where an owned cell is in the arrays with layers. */
static PetscInt place_of(const fare_transport *t, PetscInt n, PetscInt index[FARE_DIM_MAX])
{
  const PetscInt *count = t->grid->count;

  index[0] = n % count[0];
  index[1] = n / count[0] % count[1];
  index[2] = n / count[0] / count[1];
  return t->first + index[0] + index[1] * t->stride[1] + index[2] * t->stride[2];
}

/* The share of what flows out of a cell that leaves nothing negative there. `strict`: inflow does not count.
 */
static double share_of(const limiter *l, PetscInt n, PetscInt at, PetscBool strict)
{
  const fare_transport *t      = l->t;
  const double          nearly = 1 - 1e-14;
  double                in = 0, out = 0;

  for (int axis = 0; axis < t->grid->dim; axis++) {
    const double up = t->flow[axis][at], down = t->flow[axis][at - t->stride[axis]];

    out += PetscMax(up, 0) + PetscMax(-down, 0);
    in += PetscMax(-up, 0) + PetscMax(down, 0);
  }
  if (strict) in = 0;
  return out > 0 ? PetscMin(1, nearly * (l->points[n] / l->length + in) / out) : 1;
}

/*
  Flows have changed: brings `next` of a cell up to date, once in a pass, and lists it where it is negative.
  No share is above 1: a pass leaves its mark there.
*/
static void look_again(limiter *l, PetscInt n, PetscInt at)
{
  fare_transport *t     = l->t;
  double          value = l->points[n];

  if (l->share[at] == l->mark) return;
  l->share[at] = l->mark;
  for (int axis = 0; axis < t->grid->dim; axis++)
    value -= l->length * (t->flow[axis][at] - t->flow[axis][at - t->stride[axis]]);
  l->next[n] = value < FARE_TRANSPORT_NOTHING && value > -FARE_TRANSPORT_LITTLE ? 0 : value;
  if (l->next[n] < 0) t->bad[t->bads++] = n;
}

/* At a cell and its neighbours on this rank. */
static void look_around(limiter *l, PetscInt n)
{
  const fare_transport *t = l->t;
  PetscInt              index[FARE_DIM_MAX], step = 1;
  const PetscInt        at = place_of(t, n, index);

  look_again(l, n, at);
  for (int axis = 0; axis < t->grid->dim; step *= t->grid->count[axis++]) {
    if (index[axis] > 0) look_again(l, n - step, at - t->stride[axis]);
    if (index[axis] < t->grid->count[axis] - 1) look_again(l, n + step, at + t->stride[axis]);
  }
}

/* Scales what flows in over the border of this rank from a neighbour's cell that the limiter holds back. */
static PetscBool scale_from_beyond(const limiter *l, PetscInt n)
{
  const fare_transport *t = l->t;
  PetscInt              index[FARE_DIM_MAX];
  const PetscInt        at     = place_of(t, n, index);
  PetscBool             scaled = PETSC_FALSE;

  for (int axis = 0; axis < t->grid->dim; axis++) {
    for (int side = 0; side < 2; side++) {
      const PetscInt s = t->stride[axis], face = side ? at : at - s;
      const double   share = l->share[side ? at + s : at - s], flow = t->flow[axis][face];

      if (index[axis] != (side ? t->grid->count[axis] - 1 : 0) || !(share < 1)) continue;
      if (side ? flow < 0 : flow > 0) {
        t->flow[axis][face] *= share;
        scaled = PETSC_TRUE;
      }
    }
  }
  return scaled;
}

/* Scales what flows out of an owned cell. */
static void scale_from(const limiter *l, PetscInt at)
{
  const fare_transport *t = l->t;

  for (int axis = 0; axis < t->grid->dim; axis++) {
    double *up = &t->flow[axis][at], *down = &t->flow[axis][at - t->stride[axis]];

    *up *= *up > 0 ? l->share[at] : 1;
    *down *= *down < 0 ? l->share[at] : 1;
  }
}

/* One pass: scales what flows out of the listed cells, and lists those that are negative then. */
static PetscErrorCode hold_back(limiter *l, PetscBool strict)
{
  fare_transport *t = l->t;
  PetscInt       *list, *at, index[FARE_DIM_MAX], count = t->bads;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(count + t->borders, &list, count, &at));
  PetscCall(PetscArraycpy(list, t->bad, count));
  for (PetscInt b = 0; b < t->bads; b++) {
    at[b]           = place_of(t, list[b], index);
    l->share[at[b]] = share_of(l, list[b], at[b], strict);
  }
  PetscCall(exchange(t, l->share));
  for (PetscInt b = 0; b < t->bads; b++) scale_from(l, at[b]);
  for (PetscInt b = 0; b < t->borders; b++) {
    if (scale_from_beyond(l, t->border[b])) list[count++] = t->border[b];
  }
  t->bads = 0;
  l->mark++;
  for (PetscInt b = 0; b < count; b++) look_around(l, list[b]);
  PetscCall(PetscFree2(list, at));
  PetscFunctionReturn(0);
}

/* The points after all flows of a length, limited, become the present ones. */
static PetscErrorCode settle(fare_transport *t, double length, fare_transport_step_result *result)
{
  const PetscInt     n        = t->grid->count[0];
  limiter            l        = {.t = t, .share = t->stage[1], .length = length, .mark = 2};
  double             negative = 0;
  PetscBool          left;
  const PetscScalar *points;
  PetscScalar       *next;
  Vec                last;

  PetscFunctionBegin;
  PetscCall(VecGetArrayRead(t->points, &points));
  PetscCall(VecGetArray(t->next, &next));
  FOR_ROWS(t, row, at)
  {
    for (int axis = 0; axis < t->grid->dim; axis++)
      fare_transport_advance_row(n, length, t->flow[axis] + at, t->flow[axis] + at - t->stride[axis],
        axis ? next + row : points + row, next + row);
  }
  PetscCall(look(t, result, &left));
  negative = result->negative;
  l.points = points;
  l.next   = next;
  if (left) {
    for (PetscInt cell = 0; cell < t->box; cell++) l.share[cell] = 1;
  }
  for (result->passes = 0; left; result->passes++) {
    PetscCall(hold_back(&l, result->passes < TRUSTING ? PETSC_FALSE : PETSC_TRUE));
    left = t->bads > 0 ? PETSC_TRUE : PETSC_FALSE;
    PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &left, 1, MPIU_BOOL, MPI_LOR, t->grid->comm));
  }
  PetscCall(VecRestoreArray(t->next, &next));
  PetscCall(VecRestoreArrayRead(t->points, &points));
  if (result->passes) PetscCall(look(t, result, &left));
  result->negative = negative;
  last             = t->points;
  t->points        = t->next;
  t->next          = last;
  PetscFunctionReturn(0);
}

/* Makes the sum of the present points what it must be: it is off by rounding and by what is next to nothing.
 */
static PetscErrorCode hold_sum(fare_transport *t, double sum, fare_transport_step_result *result)
{
  PetscInt cells;

  PetscFunctionBegin;
  PetscCall(VecGetSize(t->points, &cells));
  if (!(fabs(result->sum - sum) <= 1e-12 + (double)cells * FARE_TRANSPORT_LITTLE))
    FARE_FAIL(FARE_ERR_FAILED, "truth: probability is not conserved: a sum of %.17g has become %.17g", sum,
      result->sum);
  if (result->sum > 0) PetscCall(VecScale(t->points, sum / result->sum));
  result->sum = sum;
  PetscFunctionReturn(0);
}

/* Points with their layers. */
static PetscErrorCode spread(fare_transport *t, Vec from, double *to)
{
  const PetscScalar *values;

  PetscFunctionBegin;
  PetscCall(VecGetArrayRead(from, &values));
  FOR_ROWS(t, n, at) memcpy(to + at, values + n, (size_t)t->grid->count[0] * sizeof *to);
  PetscCall(VecRestoreArrayRead(from, &values));
  PetscFunctionReturn(0);
}

/* What has flowed through the ends. */
static PetscErrorCode count_absorbed(const fare_transport *t, double length, double absorbed[FARE_DIM_MAX][2])
{
  const fare_grid *grid = t->grid;

  PetscFunctionBegin;
  memset(absorbed, 0, FARE_DIM_MAX * sizeof *absorbed);
  if (!fare_grid_absorbs(grid)) PetscFunctionReturn(0);
  FOR_ROWS(t, n, at)
  {
    (void)n;
    for (PetscInt i = 0; i < grid->count[0]; i++) {
      const PetscInt index[] = {grid->start[0] + i, grid->start[1] + j_, grid->start[2] + k_};

      for (int axis = 0; axis < grid->dim; axis++) {
        if (grid->boundary[axis] < FARE_BOUNDARY_ABSORBING) continue;
        if (index[axis] == 0) absorbed[axis][0] -= length * t->flow[axis][at + i - t->stride[axis]];
        if (index[axis] == grid->cells[axis] - 1) absorbed[axis][1] += length * t->flow[axis][at + i];
      }
    }
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, absorbed, 2 * FARE_DIM_MAX, MPI_DOUBLE, MPI_SUM, grid->comm));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_transport_step(
  fare_transport *t, double length, double sum, fare_transport_step_result *result)
{
  const PetscScalar *from;

  PetscFunctionBegin;
  PetscCall(VecGetArrayRead(t->points, &from));
  PetscCall(spread(t, t->points, t->stage[0]));
  for (int order = 4; order > 1; order--)
    PetscCall(stage(t, length / order, t->stage[order % 2], t->stage[1 - order % 2], from));
  PetscCall(VecRestoreArrayRead(t->points, &from));
  PetscCall(exchange(t, t->stage[1]));
  for (int axis = 0; axis < t->grid->dim; axis++) flow_all(t, &(flow_kind){.points = t->stage[1]}, axis);
  PetscCall(settle(t, length, result));
  PetscCall(count_absorbed(t, length, result->absorbed));
  for (int end = 0; end < 2 * FARE_DIM_MAX; end++) sum -= result->absorbed[end / 2][end % 2];
  PetscCall(hold_sum(t, sum, result));
  PetscFunctionReturn(0);
}

/* Adds to the points, along one axis after the other, differences with these weights. */
static PetscErrorCode convert(fare_transport *t, const double weight[FARE_REACH][FARE_REACH])
{
  fare_transport_step_result result;
  PetscScalar                sum;

  PetscFunctionBegin;
  PetscCall(VecSum(t->points, &sum));
  for (int axis = 0; axis < t->grid->dim; axis++) {
    for (int a = 0; a < t->grid->dim; a++) memset(t->flow[a], 0, (size_t)t->box * sizeof *t->flow[a]);
    PetscCall(spread(t, t->points, t->stage[0]));
    PetscCall(exchange(t, t->stage[0]));
    flow_all(t, &(flow_kind){.points = t->stage[0], .weight = weight[0]}, axis);
    PetscCall(settle(t, 1, &result));
    PetscCall(hold_sum(t, sum, &result));
  }
  PetscFunctionReturn(0);
}

/*
  Where there is next to nothing, the least mass that a cell is said to have: that none is there is more than
  rounding can know, and logarithms of densities stay finite.
*/
static PetscErrorCode raise_to_least(Vec masses)
{
  const double least = 1e-30;
  PetscScalar *mass;
  PetscInt     n;

  PetscFunctionBegin;
  PetscCall(VecGetLocalSize(masses, &n));
  PetscCall(VecGetArray(masses, &mass));
  for (PetscInt i = 0; i < n; i++) mass[i] = PetscMax(least, mass[i]);
  PetscCall(VecRestoreArray(masses, &mass));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_transport_masses(fare_transport *t, Vec masses)
{
  Vec points;

  PetscFunctionBegin;
  PetscCall(VecDuplicate(t->points, &points));
  PetscCall(VecCopy(t->points, points));
  PetscCall(convert(t, to_mass));
  PetscCall(VecCopy(t->points, masses));
  PetscCall(raise_to_least(masses));
  PetscCall(VecCopy(points, t->points));
  PetscCall(VecDestroy(&points));
  PetscFunctionReturn(0);
}

/* Drift and diffusion at the centres of one row of the box; zero beyond an end, where they may be anything.
 */
static void evaluate_row(fare_transport *t, PetscInt j, PetscInt k)
{
  const fare_grid *grid = t->grid;
  const int        dim  = grid->dim;
  const PetscInt   at = k * t->stride[2] + j * t->stride[1], place[] = {0, j, k};
  PetscInt         from = 0, to = t->size[0];
  double          *x[FARE_DIM_MAX], *f[FARE_DIM_MAX], *D[FARE_DIM_MAX];
  int              beyond = 0;

  for (int axis = 0; axis < dim; axis++) {
    const PetscInt index = grid->start[axis] + place[axis] - FARE_REACH;

    x[axis] = t->row + axis * t->size[0];
    f[axis] = t->drift[axis] + at;
    D[axis] = t->diffusion[axis] + at;
    if (axis) beyond += place[axis] < FARE_REACH || place[axis] >= t->size[axis] - FARE_REACH;
    if (axis && grid->boundary[axis] != FARE_BOUNDARY_PERIODIC && (index < 0 || index >= grid->cells[axis]))
      return;
    if (axis || !j) {
      for (PetscInt i = 0; i < t->size[0]; i++)
        x[axis][i] = fare_grid_centre(grid, axis, axis ? index : index + i);
    }
  }
  if (beyond > 1) return; /* no flow looks there */
  while (grid->boundary[0] != FARE_BOUNDARY_PERIODIC && grid->start[0] + from < FARE_REACH) from++;
  while (grid->boundary[0] != FARE_BOUNDARY_PERIODIC && grid->start[0] + to - FARE_REACH > grid->cells[0])
    to--;
  for (int axis = 0; axis < dim; axis++) {
    x[axis] += from;
    f[axis] += from;
    D[axis] += from;
  }
  fare_system_type_drift(
    fare_system_type_of(t->system), dim, t->theta, (size_t)(to - from), (const double *const *)x, f);
  fare_system_type_diffusion(
    fare_system_type_of(t->system), dim, t->theta, (size_t)(to - from), (const double *const *)x, D);
  for (int axis = 0; axis < dim; axis++) {
    const double h = grid->spacing[axis];

    fare_transport_scale(to - from, 1 / h, f[axis]);
    fare_transport_scale(to - from, 1 / (h * h), D[axis]);
  }
}

PetscErrorCode fare_transport_prepare(fare_transport *t, double time)
{
  const fare_grid *grid = t->grid;
  double           theta[FARE_PARAMETERS_MAX], bounds[2 * FARE_DIM_MAX + 1];

  PetscFunctionBegin;
  fare_system_parameters(t->system, time, theta);
  if (t->valid && !memcmp(theta, t->theta, sizeof theta)) PetscFunctionReturn(0);
  memcpy(t->theta, theta, sizeof theta);
  t->valid = PETSC_TRUE;
  for (PetscInt k = 0; k < t->size[2]; k++) {
    for (PetscInt j = 0; j < t->size[1]; j++) evaluate_row(t, j, k);
  }
  for (int i = 0; i <= 2 * FARE_DIM_MAX; i++) bounds[i] = -1e300;
  FOR_ROWS(t, n, at)
  {
    const double *f[FARE_DIM_MAX], *D[FARE_DIM_MAX];

    (void)n;
    for (int axis = 0; axis < grid->dim; axis++) {
      f[axis] = t->drift[axis] + at;
      D[axis] = t->diffusion[axis] + at;
      fare_transport_bounds(grid->count[0], D[axis], bounds + 2 * axis);
      if (!fare_all_finite((size_t)grid->count[0], f[axis]) ||
        !fare_all_rates((size_t)grid->count[0], D[axis]))
        bounds[2 * FARE_DIM_MAX] = HUGE_VAL;
    }
    bounds[2 * FARE_DIM_MAX] =
      PetscMax(bounds[2 * FARE_DIM_MAX], fare_transport_rate(grid->count[0], grid->dim, f, D));
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, bounds, 2 * FARE_DIM_MAX + 1, MPI_DOUBLE, MPI_MAX, grid->comm));
  for (int axis = 0; axis < grid->dim; axis++) {
    t->uniform[axis]    = bounds[2 * axis];
    t->is_uniform[axis] = bounds[2 * axis] == -bounds[2 * axis + 1] ? PETSC_TRUE : PETSC_FALSE;
  }
  t->rate = bounds[2 * FARE_DIM_MAX];
  PetscFunctionReturn(0);
}

/* Owned cells with a neighbour on another rank, or on this one round a circle. */
static void list_borders(fare_transport *t)
{
  for (PetscInt n = 0; n < t->owned; n++) {
    PetscInt  index[FARE_DIM_MAX];
    PetscBool borders = PETSC_FALSE;

    place_of(t, n, index);
    for (int axis = 0; axis < t->grid->dim; axis++) {
      if ((index[axis] == 0 && t->patch->neighbour[axis][0] != MPI_PROC_NULL) ||
        (index[axis] == t->grid->count[axis] - 1 && t->patch->neighbour[axis][1] != MPI_PROC_NULL))
        borders = PETSC_TRUE;
    }
    if (borders) t->border[t->borders++] = n;
  }
}

PetscErrorCode fare_transport_create(const fare_grid *grid, const fare_system *system,
  const fare_patch *patch, Vec masses, fare_transport **transport)
{
  fare_transport *t;

  PetscFunctionBegin;
  PetscCall(PetscNew(&t));
  *transport = t;
  t->grid    = grid;
  t->system  = system;
  t->patch   = patch;
  t->box     = 1;
  for (int axis = 0; axis < FARE_DIM_MAX; axis++) {
    const PetscInt layer = axis < grid->dim ? FARE_REACH : 0;

    t->size[axis]   = grid->count[axis] + 2 * layer;
    t->stride[axis] = t->box;
    t->first += layer * t->box;
    t->box *= t->size[axis];
  }
  t->owned = fare_grid_owned(grid);
  PetscCall(create_halo(t));
  PetscCall(PetscMalloc2(t->owned, &t->bad, t->owned, &t->border));
  list_borders(t);
  for (int axis = 0; axis < grid->dim; axis++)
    PetscCall(PetscCalloc3(t->box, &t->drift[axis], t->box, &t->diffusion[axis], t->box, &t->flow[axis]));
  PetscCall(
    PetscCalloc3(t->box, &t->stage[0], t->box, &t->stage[1], (size_t)(FARE_DIM_MAX * t->size[0]), &t->row));
  PetscCall(VecDuplicate(masses, &t->points));
  PetscCall(VecDuplicate(masses, &t->next));
  PetscCall(VecCopy(masses, t->points));
  PetscCall(convert(t, to_point));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_transport_destroy(fare_transport **transport)
{
  fare_transport *t = *transport;

  PetscFunctionBegin;
  if (!t) PetscFunctionReturn(0);
  for (int axis = 0; axis < t->grid->dim; axis++) {
    for (int side = 0; side < 2; side++) {
      PetscCallMPI(MPI_Type_free(&t->outgoing[axis][side]));
      PetscCallMPI(MPI_Type_free(&t->ghost[axis][side]));
    }
    PetscCall(PetscFree3(t->drift[axis], t->diffusion[axis], t->flow[axis]));
  }
  PetscCall(PetscFree3(t->stage[0], t->stage[1], t->row));
  PetscCall(PetscFree2(t->bad, t->border));
  PetscCall(VecDestroy(&t->points));
  PetscCall(VecDestroy(&t->next));
  PetscCall(PetscFree(*transport));
  PetscFunctionReturn(0);
}
