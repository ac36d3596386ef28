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

  In time: exp(h L) by Taylor's polynomial of order 4 in Horner's form, whose last stage has all that flows
  over each face during the step. Of a driven system, two in turn, of order 4 in the drive, too: see
  average().

  Where that leaves a negative p_i, the limiter takes back some of what flowed out (limiter.c).

  Masses of cells are p_i and its even differences (those of the integral over a cell), and the other way
  round for a start. The limiter serves here, too.
*/
#include "transport.h"
#include "truth/rates/operator.h"

#include <math.h>
#include <string.h>

const double fare_transport_to_mass[FARE_REACH][FARE_REACH] = {{0}, {-1. / 24},
  {-1. / 24 - 3 * 17. / 5760, 17. / 5760},
  {-1. / 24 - 3 * 17. / 5760 - 10 * 367. / 967680, 17. / 5760 + 5 * 367. / 967680, -367. / 967680}};
/* And what a value at the centre has more than a mass. */
const double fare_transport_to_point[FARE_REACH][FARE_REACH] = {{0}, {1. / 24},
  {1. / 24 + 3 * 3. / 640, -3. / 640},
  {1. / 24 + 3 * 3. / 640 + 10 * 5. / 7168, -3. / 640 - 5 * 5. / 7168, 5. / 7168}};

int fare_transport_pairs(const fare_grid *grid, int axis, PetscInt i)
{
  if (grid->boundary[axis] == FARE_BOUNDARY_PERIODIC) return FARE_REACH;
  return (int)PetscMin(FARE_REACH, PetscMin(i + 1, grid->cells[axis] - 1 - i));
}

typedef struct {
  const double *points;
  const double *weight; /* FARE_REACH - 1 rows of FARE_REACH for 1 to 3 pairs: of differences; NULL: of L */
  double        scale;
} flow_kind;

double fare_transport_end(int end, double drift, double D)
{
  return end * (D > 0 ? 2 * D * fare_bernoulli(-0.5 * end * drift / D) : PetscMax(end * drift, 0));
}

static double through_end(const fare_transport *t, int axis, PetscInt inside, int end, double points)
{
  const PetscInt s   = end > 0 ? -t->stride[axis] : t->stride[axis];
  const double   D   = t->is_uniform[axis] ? t->uniform[axis] : t->diffusion[axis][inside],
               drift = 1.5 * t->drift[axis][inside] - 0.5 * t->drift[axis][inside + s];

  return points * fare_transport_end(end, drift, D);
}

/* n faces above cells at `at`, all of index i along the axis. */
static void flow_over(
  const fare_transport *t, const flow_kind *kind, int axis, PetscInt n, PetscInt at, PetscInt i, double *flow)
{
  const int      pairs = fare_transport_pairs(t->grid, axis, i), end = i < 0 ? -1 : 1;
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

/*
  Over the faces of the window along a row of the first axis: to flow[i] over that above cell i, from that
  below the range's first cell. Those at the edges are shut, but at an end or at a neighbour's cell in its
  window.
*/
static void flow_along(const fare_transport *t, const flow_kind *kind, PetscInt at, double *flow)
{
  const PetscInt  n = t->grid->count[0], start = t->grid->start[0], r = at / t->size[0];
  const PetscInt *range = fare_transport_range(t, at);
  PetscInt        from = range[0], to = range[1] - 1;

  if (range[1] <= range[0]) return;
  flow[range[0] - 1] = flow[range[1] - 1] = 0;
  if (from == 0 && (t->patch->neighbour[0][0] == MPI_PROC_NULL || t->beyond[0][r] == 0)) from = -1;
  if (to == n - 1 && (t->patch->neighbour[0][1] == MPI_PROC_NULL || t->beyond[1][r] == 0)) to = n;
  for (; from < to && fare_transport_pairs(t->grid, 0, start + from) < FARE_REACH; from++)
    flow_over(t, kind, 0, 1, at + from, start + from, flow + from);
  for (; to > from && fare_transport_pairs(t->grid, 0, start + to - 1) < FARE_REACH; to--)
    flow_over(t, kind, 0, 1, at + to - 1, start + to - 1, flow + to - 1);
  if (to > from) flow_over(t, kind, 0, to - from, at + from, start + from, flow + from);
}

/* Over the faces above a row, of index i along the axis, to flow[] of each cell: shut where one of both is
 * not in the window. */
static void flow_across(
  const fare_transport *t, const flow_kind *kind, int axis, PetscInt at, PetscInt i, double *flow)
{
  const PetscInt *side[] = {fare_transport_range(t, at), fare_transport_range(t, at + t->stride[axis])};
  const PetscInt  from = PetscMax(side[0][0], side[1][0]), to = PetscMin(side[0][1], side[1][1]);

  for (int k = 0; k < 2; k++) {
    for (PetscInt c = side[k][0]; c < PetscMin(side[k][1], from); c++) flow[c] = 0;
    for (PetscInt c = PetscMax(side[k][0], to); c < side[k][1]; c++) flow[c] = 0;
  }
  if (to > from) flow_over(t, kind, axis, to - from, at + from, i, flow + from);
}

/* All faces of the window, of one axis. */
static void flow_all(fare_transport *t, const flow_kind *kind, int axis)
{
  const fare_grid *grid = t->grid;

  FARE_FOR_ROWS(t, n, at)
  {
    (void)n;
    if (axis == 0) {
      flow_along(t, kind, at, t->flow[0] + at);
    } else {
      const PetscInt place = axis == 1 ? j_ : k_, i = grid->start[axis] + place, s = t->stride[axis];

      if (!place) flow_across(t, kind, axis, at - s, i - 1, t->flow[axis] + at - s);
      flow_across(t, kind, axis, at, i, t->flow[axis] + at);
    }
  }
}

/*
  to = from + c L points, with layers in all but from. What flows over the faces below a row is known from the
  row before, so that no array of them goes through memory.
*/
static PetscErrorCode stage(fare_transport *t, double c, double *points, double *to, const double *from)
{
  const flow_kind  kind = {.points = points};
  const fare_grid *grid = t->grid;

  PetscFunctionBegin;
  PetscCall(fare_transport_exchange(t, points));
  FARE_FOR_ROWS(t, n, at)
  {
    const PetscInt *range = fare_transport_range(t, at), low = range[0], cells = range[1] - low;

    flow_along(t, &kind, at, t->along);
    if (cells > 0)
      fare_transport_advance_row(cells, c, t->along + low, t->along + low - 1, from + n + low, to + at + low);
    for (int axis = 1; axis < grid->dim; axis++) {
      const PetscInt  place = axis == 1 ? j_ : k_, i = grid->start[axis] + place, s = t->stride[axis];
      const PetscInt *next  = fare_transport_range(t, at + s);
      double         *below = axis == 1 ? t->below[1] : t->below[2] + j_ * grid->count[0];

      if (!place) flow_across(t, &kind, axis, at - s, i - 1, below);
      flow_across(t, &kind, axis, at, i, t->above);
      if (cells > 0)
        fare_transport_advance_row(cells, c, t->above + low, below + low, to + at + low, to + at + low);
      if (next[1] > next[0])
        memcpy(below + next[0], t->above + next[0], (size_t)(next[1] - next[0]) * sizeof *below);
    }
  }
  PetscFunctionReturn(0);
}

/* Present points that are next to nothing become zero, as they are outside the window; others are scaled. */
static PetscErrorCode drop(fare_transport *t, double factor)
{
  PetscScalar *points;

  PetscFunctionBegin;
  PetscCall(VecGetArray(t->points, &points));
  FARE_FOR_ROWS(t, n, at)
  {
    const PetscInt *range = fare_transport_range(t, at);

    if (range[1] > range[0])
      fare_transport_drop(range[1] - range[0], t->little, factor, points + n + range[0]);
  }
  PetscCall(VecRestoreArray(t->points, &points));
  PetscFunctionReturn(0);
}

/* Makes the sum of the present points what it must be: it is off by rounding and by what is next to nothing.
 */
static PetscErrorCode hold_sum(fare_transport *t, double sum, fare_transport_step_result *result)
{
  const double rounding = 1e-16;
  PetscInt     cells;

  PetscFunctionBegin;
  PetscCall(VecGetSize(t->points, &cells));
  result->off = fabs(result->sum + result->taken - sum);
  if (!(result->off <= 1e-12 + (double)cells * rounding))
    FARE_FAIL(FARE_ERR_FAILED, "truth: probability is not conserved: a sum of %.17g has become %.17g", sum,
      result->sum);
  PetscCall(drop(t, result->sum > 0 ? sum / result->sum : 1));
  result->sum = sum;
  PetscFunctionReturn(0);
}

/* Points with their layers, in the window. */
static PetscErrorCode spread(fare_transport *t, Vec from, double *to)
{
  const PetscScalar *values;

  PetscFunctionBegin;
  PetscCall(VecGetArrayRead(from, &values));
  FARE_FOR_ROWS(t, n, at)
  {
    const PetscInt *range = fare_transport_range(t, at), low = range[0];

    if (range[1] > low) memcpy(to + at + low, values + n + low, (size_t)(range[1] - low) * sizeof *to);
  }
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
  FARE_FOR_ROWS(t, n, at)
  {
    const PetscInt *range = fare_transport_range(t, at);

    (void)n;
    for (PetscInt i = range[0]; i < range[1]; i++) {
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
  PetscCall(fare_transport_exchange(t, t->stage[1]));
  for (int axis = 0; axis < t->grid->dim; axis++) flow_all(t, &(flow_kind){.points = t->stage[1]}, axis);
  PetscCall(fare_transport_settle(t, length, result));
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
  PetscCall(fare_transport_open_window(t));
  for (int axis = 0; axis < t->grid->dim; axis++) {
    for (int a = 0; a < t->grid->dim; a++) memset(t->flow[a], 0, (size_t)t->box * sizeof *t->flow[a]);
    PetscCall(spread(t, t->points, t->stage[0]));
    PetscCall(fare_transport_exchange(t, t->stage[0]));
    flow_all(t, &(flow_kind){.points = t->stage[0], .weight = weight[0]}, axis);
    PetscCall(fare_transport_settle(t, 1, &result));
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
  PetscCall(convert(t, fare_transport_to_mass));
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

/* Everywhere: what lies outside the window may be no number either. */
static PetscErrorCode evaluate(fare_transport *t)
{
  const fare_grid *grid = t->grid;
  const size_t     n    = (size_t)grid->count[0];
  double           bounds[2 * FARE_DIM_MAX + 1];

  PetscFunctionBegin;
  for (PetscInt k = 0; k < t->size[2]; k++) {
    for (PetscInt j = 0; j < t->size[1]; j++) evaluate_row(t, j, k);
  }
  for (int i = 0; i <= 2 * FARE_DIM_MAX; i++) bounds[i] = -1e300;
  FARE_FOR_ROWS(t, row, at)
  {
    (void)row;
    for (int axis = 0; axis < grid->dim; axis++) {
      fare_transport_bounds(grid->count[0], t->diffusion[axis] + at, bounds + 2 * axis);
      if (!fare_all_finite(n, t->drift[axis] + at) || !fare_all_rates(n, t->diffusion[axis] + at))
        bounds[2 * FARE_DIM_MAX] = HUGE_VAL;
    }
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, bounds, 2 * FARE_DIM_MAX + 1, MPI_DOUBLE, MPI_MAX, grid->comm));
  for (int axis = 0; axis < grid->dim; axis++) {
    t->uniform[axis]    = bounds[2 * axis];
    t->is_uniform[axis] = bounds[2 * axis] == -bounds[2 * axis + 1] ? PETSC_TRUE : PETSC_FALSE;
  }
  t->is_finite = bounds[2 * FARE_DIM_MAX] < 0 ? PETSC_TRUE : PETSC_FALSE;
  PetscFunctionReturn(0);
}

/*
  The largest of the window; of a driven system, of all cells: its steps are of order 2 in the drive alone,
  and need to be shorter than what is stable.
*/
static PetscErrorCode find_rate(fare_transport *t)
{
  const PetscInt  everywhere[] = {0, t->grid->count[0]};
  const PetscBool driven       = fare_system_is_driven(t->system);

  PetscFunctionBegin;
  t->rate = t->is_finite ? 0 : HUGE_VAL;
  FARE_FOR_ROWS(t, row, at)
  {
    const PetscInt *range = driven ? everywhere : fare_transport_range(t, at);
    const double   *f[FARE_DIM_MAX], *D[FARE_DIM_MAX];

    (void)row;
    if (range[1] <= range[0] || !t->is_finite) continue;
    for (int axis = 0; axis < t->grid->dim; axis++) {
      f[axis] = t->drift[axis] + at + range[0];
      D[axis] = t->diffusion[axis] + at + range[0];
    }
    t->rate = PetscMax(t->rate, fare_transport_rate(range[1] - range[0], t->grid->dim, f, D));
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &t->rate, 1, MPI_DOUBLE, MPI_MAX, t->grid->comm));
  PetscFunctionReturn(0);
}

/*
  Of one half of a step, by the commutator-free rule of order 4 for exponentials (Blanes and Moan, Appl.
  Numer. Math. 56, 1519 (2006)): 2 (a L1 + b L2), L at the points of Gauss, with the parameters in the place
  of L: the same where it is linear in them, and of order 2 in others. They keep their signs, and half of
  their least sizes.
*/
static void average(const fare_transport *t, double from, double length, int half, double theta[])
{
  const double gauss = sqrt(3) / 6, more = 0.5 + 2 * gauss, inside = 1e-9;
  double       at[4][FARE_PARAMETERS_MAX] = {{0}};
  const double place[] = {0.5 + (half ? gauss : -gauss), 0.5 - (half ? gauss : -gauss), inside, 1 - inside};

  for (int i = 0; i < 4; i++) fare_system_parameters(t->system, from + place[i] * length, at[i]);
  for (int p = 0; p < FARE_PARAMETERS_MAX; p++) {
    double low = at[0][p], high = at[0][p];

    for (int i = 1; i < 4; i++) {
      low  = PetscMin(low, at[i][p]);
      high = PetscMax(high, at[i][p]);
    }
    theta[p] = more * at[0][p] + (1 - more) * at[1][p];
    if (low >= 0) theta[p] = PetscMax(theta[p], low / 2);
    if (high <= 0) theta[p] = PetscMin(theta[p], high / 2);
    if (low == high) theta[p] = low;
  }
}

PetscErrorCode fare_transport_prepare(fare_transport *t, double from, double length, int half)
{
  double theta[FARE_PARAMETERS_MAX] = {0};

  PetscFunctionBegin;
  if (length > 0 && fare_system_is_driven(t->system))
    average(t, from, length, half, theta);
  else
    fare_system_parameters(t->system, from, theta);
  if (!t->valid || memcmp(theta, t->theta, sizeof theta)) {
    memcpy(t->theta, theta, sizeof theta);
    t->valid = PETSC_TRUE;
    PetscCall(evaluate(t));
  }
  PetscCall(find_rate(t));
  PetscFunctionReturn(0);
}

/* A rank sends its neighbours as many layers as flows reach, of its own. */
static PetscErrorCode check_reach(const fare_transport *t)
{
  PetscErrorCode code = 0;

  PetscFunctionBegin;
  for (int axis = 0; axis < t->grid->dim && !code; axis++) {
    const int *neighbour = t->patch->neighbour[axis];

    if (t->grid->count[axis] < FARE_REACH && (neighbour[0] != MPI_PROC_NULL || neighbour[1] != MPI_PROC_NULL))
      code = fare_error(FARE_ERR_INPUT,
        "truth.cells: the scheme high_order needs %d cells along %s on each rank, and a rank has %lld of "
        "%lld: "
        "take fewer ranks, or more cells (the error estimate compares with half as many)",
        FARE_REACH, fare_system_axis_name(t->system, axis), (long long)t->grid->count[axis],
        (long long)t->grid->cells[axis]);
  }
  PetscFunctionReturn(fare_error_agree(t->grid->comm, code));
}

/* Rows, and room for what flows over the faces of one and below those that follow. */
static PetscErrorCode create_window(fare_transport *t)
{
  const PetscInt n = t->size[0];

  PetscFunctionBegin;
  t->rows = t->box / n;
  PetscCall(PetscCalloc2(2 * t->rows, &t->window, 2 * t->rows, &t->wider));
  for (int side = 0; side < 2; side++)
    PetscCall(PetscCalloc2(t->rows, &t->gap[side], t->rows, &t->beyond[side]));
  PetscCall(PetscCalloc4(n, &t->along, n, &t->above, n, &t->below[1], n * t->grid->count[1], &t->below[2]));
  t->along++;
  PetscFunctionReturn(0);
}

PetscErrorCode fare_transport_create(const fare_grid *grid, const fare_system *system, double tolerance,
  const fare_patch *patch, Vec masses, fare_transport **transport)
{
  fare_transport *t;

  PetscFunctionBegin;
  PetscCall(PetscNew(&t));
  *transport = t;
  t->grid    = grid;
  t->system  = system;
  t->patch   = patch;
  t->little  = FARE_TRANSPORT_LITTLE * tolerance;
  t->box     = 1;
  for (int axis = 0; axis < FARE_DIM_MAX; axis++) {
    const PetscInt layer = axis < grid->dim ? FARE_REACH : 0;

    t->size[axis]   = grid->count[axis] + 2 * layer;
    t->stride[axis] = t->box;
    t->first += layer * t->box;
    t->box *= t->size[axis];
  }
  t->owned = fare_grid_owned(grid);
  PetscCall(check_reach(t));
  PetscCall(fare_transport_create_halo(t));
  PetscCall(create_window(t));
  PetscCall(PetscMalloc2(t->owned, &t->bad, t->owned, &t->border));
  fare_transport_list_borders(t);
  for (int axis = 0; axis < grid->dim; axis++)
    PetscCall(PetscCalloc3(t->box, &t->drift[axis], t->box, &t->diffusion[axis], t->box, &t->flow[axis]));
  PetscCall(
    PetscCalloc3(t->box, &t->stage[0], t->box, &t->stage[1], (size_t)(FARE_DIM_MAX * t->size[0]), &t->row));
  PetscCall(VecDuplicate(masses, &t->points));
  PetscCall(VecDuplicate(masses, &t->next));
  PetscCall(VecCopy(masses, t->points));
  PetscCall(convert(t, fare_transport_to_point));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_transport_destroy(fare_transport **transport)
{
  fare_transport *t = *transport;

  PetscFunctionBegin;
  if (!t) PetscFunctionReturn(0);
  PetscCall(fare_transport_destroy_halo(t));
  for (int axis = 0; axis < t->grid->dim; axis++)
    PetscCall(PetscFree3(t->drift[axis], t->diffusion[axis], t->flow[axis]));
  PetscCall(PetscFree3(t->stage[0], t->stage[1], t->row));
  PetscCall(PetscFree2(t->window, t->wider));
  for (int side = 0; side < 2; side++) PetscCall(PetscFree2(t->gap[side], t->beyond[side]));
  t->along -= t->along ? 1 : 0;
  PetscCall(PetscFree4(t->along, t->above, t->below[1], t->below[2]));
  PetscCall(PetscFree2(t->bad, t->border));
  PetscCall(VecDestroy(&t->points));
  PetscCall(VecDestroy(&t->next));
  PetscCall(PetscFree(*transport));
  PetscFunctionReturn(0);
}
