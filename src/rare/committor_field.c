/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The committor of an event where particles are, and how it steers them. ln q is kept at centres of cells, and
  its gradient is that of the parabola through three of them along each axis: the differences at faces, joined
  by straight lines.

  Near a, q falls to 0 in proportion to the distance d. So what is kept is ln q - ln w with w = d/(d + reach),
  which is smooth there, and goes on smoothly into the sets. Between two moments it is linear in 1/(time
  left): ln q is about -distance^2/(4 D time left) where time is short. Moments are dense towards the
  deadline.
*/
#include "rare.h"

#include <fare/committor_field.h>

#include <math.h>

#define TOLERANCE   1e-4
#define REACH       16.0 /* cells, over which q is taken to rise in proportion to the distance from a */
#define LEAST       -700 /* of ln q: less is no number */
#define MOMENTS     256  /* of one axis */
#define OF_A_PULSE  0.5  /* of the drive, that two moments may lie apart */
#define MOMENTS_FEW 64   /* of more, and frozen ones, each of which is a problem of its own */

/* A cell within a set, and those outside of it whose values lead there. */
typedef struct {
  PetscInt cell, near, next; /* next: beyond `near`, -1: none */
} inner;

struct fare_committor_field {
  const fare_event *event;
  fare_grid        *grid; /* of this rank alone */
  size_t            cells;
  int               moments;
  double            reach;
  double           *left;  /* time left until the deadline at each moment, falling */
  double           *log_q; /* less ln w: [moment * cells + cell] */
  size_t            inners;
  inner            *in;
};

double fare_committor_field_spacing(const fare_committor_field *f)
{
  double most = 0;

  for (int axis = 0; axis < f->grid->dim; axis++) most = PetscMax(most, f->grid->spacing[axis]);
  return most;
}

/* The slope of the distance to a box whose formula is farther than its faces, by differences. */
static void find_gap_slope(
  const fare_grid *grid, const fare_region *a, size_t box, const double x[], double slope[])
{
  double y[FARE_DIM_MAX];

  for (int axis = 0; axis < grid->dim; axis++) y[axis] = x[axis];
  for (int axis = 0; axis < grid->dim; axis++) {
    const double h = 1e-5 * (grid->upper[axis] - grid->lower[axis]);

    y[axis]     = x[axis] + h;
    slope[axis] = fare_region_gap(a, box, y);
    y[axis]     = x[axis] - h;
    slope[axis] = (slope[axis] - fare_region_gap(a, box, y)) / (2 * h);
    y[axis]     = x[axis];
  }
}

double fare_rare_distance(const fare_grid *grid, const fare_region *a, const double x[], double slope[])
{
  double best = HUGE_VAL;

  for (size_t box = 0; box < a->boxes; box++) {
    const double gap                = fare_region_gap(a, box, x);
    double       away[FARE_DIM_MAX] = {0}, sum = 0;

    for (int axis = 0; axis < grid->dim; axis++) {
      const double lower = a->lower[box * (size_t)grid->dim + (size_t)axis],
                   upper = a->upper[box * (size_t)grid->dim + (size_t)axis],
                   width = grid->upper[axis] - grid->lower[axis];

      away[axis] = x[axis] < lower ? x[axis] - lower : x[axis] > upper ? x[axis] - upper : 0;
      if (grid->boundary[axis] == FARE_BOUNDARY_PERIODIC && away[axis] != 0) {
        const double other = away[axis] < 0 ? x[axis] + width - upper : x[axis] - width - lower;

        if (fabs(other) < fabs(away[axis])) away[axis] = other;
      }
      sum += away[axis] * away[axis];
    }
    if (PetscMax(sum, gap * gap) >= best) continue;
    best = PetscMax(sum, gap * gap);
    if (gap * gap > sum) find_gap_slope(grid, a, box, x, slope);
    for (int axis = 0; axis < grid->dim && gap * gap <= sum; axis++)
      slope[axis] = sum > 0 ? away[axis] / sqrt(sum) : 0;
  }
  return sqrt(best);
}

/* ln w and its slope, which is `along` times that of the distance. */
static double log_rise(const fare_committor_field *f, double d, double *along)
{
  *along = 0;
  if (d == HUGE_VAL) return 0;
  *along = f->reach / (d * (d + f->reach));
  return -log1p(f->reach / d);
}

static PetscBool in_a_set(const fare_committor_field *f, const double x[])
{
  return fare_region_has(&f->event->b, x) || (f->event->a.boxes && fare_region_has(&f->event->a, x))
    ? PETSC_TRUE
    : PETSC_FALSE;
}

/* The cell that stands for index i along an axis. */
static PetscInt fold(const fare_grid *grid, int axis, PetscInt i)
{
  const PetscInt n = grid->cells[axis];

  if (i >= 0 && i < n) return i;
  if (grid->boundary[axis] == FARE_BOUNDARY_PERIODIC) return (i % n + n) % n;
  return i < 0 ? PetscMin(n - 1, -1 - i) : PetscMax(0, 2 * n - 1 - i);
}

/* Neighbour of a cell along an axis; -1: none. */
static PetscInt over(const fare_grid *grid, PetscInt cell, int axis, int side)
{
  PetscInt stride = 1, i;

  for (int k = 0; k < axis; k++) stride *= grid->cells[k];
  i = cell / stride % grid->cells[axis];
  if (i + side >= 0 && i + side < grid->cells[axis]) return cell + side * stride;
  return grid->boundary[axis] == FARE_BOUNDARY_PERIODIC ? cell - side * stride * (grid->cells[axis] - 1) : -1;
}

/* Whether a cell is led to by a known one; that, and if possible one beyond it. */
static PetscBool led_to(const fare_committor_field *f, const char known[], PetscInt cell, inner *to)
{
  *to = (inner){cell, -1, -1};
  for (int face = 0; face < 2 * f->grid->dim; face++) {
    const int      side = face % 2 ? 1 : -1;
    const PetscInt near = over(f->grid, cell, face / 2, side),
                   next = near < 0 ? -1 : over(f->grid, near, face / 2, side);

    if (near < 0 || !known[near] || to->next >= 0) continue;
    to->near = near;
    to->next = next >= 0 && known[next] ? next : -1;
  }
  return to->near >= 0 ? PETSC_TRUE : PETSC_FALSE;
}

/* Layers of cells within the sets, from their boundaries on: as many as evaluations look at, and more. */
static PetscErrorCode plan_inner(fare_committor_field *f)
{
  enum { LAYERS = 4 };
  char *known, *now;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(f->cells, &known, f->cells, &now));
  PetscCall(PetscMalloc1(f->cells, &f->in));
  for (size_t n = 0; n < f->cells; n++) {
    double x[FARE_DIM_MAX];

    fare_cell_centre(f->grid, (PetscInt)n, x);
    known[n] = in_a_set(f, x) ? 0 : 1;
  }
  for (int layer = 0; layer < LAYERS; layer++) {
    PetscCall(PetscArraycpy(now, known, f->cells));
    for (size_t n = 0; n < f->cells; n++) {
      if (known[n] || !led_to(f, known, (PetscInt)n, &f->in[f->inners])) continue;
      now[n] = 1;
      f->inners++;
    }
    PetscCall(PetscArraycpy(known, now, f->cells));
  }
  PetscCall(PetscFree2(known, now));
  PetscFunctionReturn(0);
}

/* One moment from ln q at the centres, which is taken to 0 inside of sets first. */
static PetscErrorCode keep(fare_committor_field *f, int moment, Vec log_q)
{
  double            *to = f->log_q + (size_t)moment * f->cells;
  const PetscScalar *value;

  PetscFunctionBegin;
  PetscCall(VecGetArrayRead(log_q, &value));
  for (size_t n = 0; n < f->cells; n++) {
    double x[FARE_DIM_MAX], slope[FARE_DIM_MAX], along;

    fare_cell_centre(f->grid, (PetscInt)n, x);
    to[n] = in_a_set(f, x)
      ? 0
      : PetscMax(LEAST, value[n]) - log_rise(f, fare_rare_distance(f->grid, &f->event->a, x, slope), &along);
  }
  PetscCall(VecRestoreArrayRead(log_q, &value));
  for (size_t i = 0; i < f->inners; i++) {
    const inner *in = &f->in[i];

    to[in->cell] = in->next < 0 ? to[in->near] : 2 * to[in->near] - to[in->next];
  }
  PetscFunctionReturn(0);
}

/* `count` moments from the one numbered `first` on, which begin at these times of a system; certified: the
 * first of them meets the tolerance at the event's start. */
static PetscErrorCode solve(fare_committor_field *f, const fare_system *system, const fare_span *span,
  int first, int count, const double starts[], PetscBool certified)
{
  fare_driven driven;
  double     *error;
  Vec        *log_q;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(count, &error, count, &log_q));
  PetscCall(fare_log_committor_solve(f->grid, system, span, &f->event->a, &f->event->b, count, starts,
    certified ? 1 : 0, 1, f->event->start, log_q, error, &driven));
  for (int k = 0; k < count; k++) {
    PetscCall(keep(f, first + k, log_q[k]));
    PetscCall(VecDestroy(&log_q[k]));
  }
  PetscCall(PetscFree2(error, log_q));
  PetscFunctionReturn(0);
}

/* Without a deadline, at the time of the event: what is known at the end of a span is all that there is. */
static PetscErrorCode solve_still(fare_committor_field *f, const fare_system *system, double tolerance)
{
  const double    time = f->event->time;
  const fare_span span = {time, time + 1, FARE_AFTER_FROZEN, tolerance};

  PetscFunctionBegin;
  PetscCall(solve(f, system, &span, 0, 1, &time, PETSC_TRUE));
  PetscFunctionReturn(0);
}

static PetscErrorCode solve_all(fare_committor_field *f, const fare_system *system, double tolerance)
{
  const fare_span span = {f->event->time, f->event->deadline, FARE_AFTER_OVER, tolerance};
  double         *starts;

  PetscFunctionBegin;
  if (f->moments == 1) {
    PetscCall(solve_still(f, system, tolerance));
    PetscFunctionReturn(0);
  }
  PetscCall(PetscMalloc1(f->moments, &starts));
  for (int k = 0; k < f->moments; k++) starts[k] = f->event->deadline - f->left[k];
  PetscCall(solve(f, system, &span, 0, f->moments, starts, PETSC_TRUE));
  PetscCall(PetscFree(starts));
  PetscFunctionReturn(0);
}

/* As if the parameters of one moment stayed for all the time that is left. */
static PetscErrorCode solve_frozen_at(
  fare_committor_field *f, const fare_system *system, int moment, double tolerance)
{
  const double    zero = 0;
  const fare_span span = {0, f->left[moment], FARE_AFTER_OVER, tolerance};
  fare_system    *frozen;

  PetscFunctionBegin;
  PetscCall(fare_system_create_frozen(system, f->event->deadline - f->left[moment], &frozen));
  PetscCall(solve(f, frozen, &span, moment, 1, &zero, PETSC_FALSE));
  PetscCall(fare_system_destroy(&frozen));
  PetscFunctionReturn(0);
}

/* Each rank its share of the moments. */
static PetscErrorCode solve_frozen(
  MPI_Comm comm, fare_committor_field *f, const fare_system *system, double tolerance)
{
  PetscErrorCode code = 0;
  int            rank, ranks;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCallMPI(MPI_Comm_size(comm, &ranks));
  for (int k = rank; k < f->moments && !code; k += ranks) code = solve_frozen_at(f, system, k, tolerance);
  PetscCall(fare_error_agree(comm, code));
  for (int k = 0; k < f->moments; k++)
    PetscCallMPI(
      MPI_Bcast(f->log_q + (size_t)k * f->cells, (PetscMPIInt)f->cells, MPI_DOUBLE, k % ranks, comm));
  PetscFunctionReturn(0);
}

static PetscErrorCode create_grid(
  fare_committor_field *f, const fare_grid *like, const fare_committor_options *options)
{
  PetscInt cells[FARE_DIM_MAX];

  PetscFunctionBegin;
  for (int axis = 0; axis < like->dim; axis++)
    cells[axis] = options->cells ? options->cells : like->cells[axis];
  PetscCall(
    fare_grid_create(PETSC_COMM_SELF, like->dim, cells, like->lower, like->upper, like->boundary, &f->grid));
  f->cells = (size_t)fare_grid_owned(f->grid);
  f->reach = REACH * fare_committor_field_spacing(f);
  PetscCall(plan_inner(f));
  PetscFunctionReturn(0);
}

static PetscErrorCode choose_moments(fare_committor_field *f, const fare_committor_options *options)
{
  const PetscBool few = options->kind == FARE_COMMITTOR_FROZEN || f->grid->dim > 1 ? PETSC_TRUE : PETSC_FALSE;
  const double    all = f->event->deadline - f->event->time;

  PetscFunctionBegin;
  f->moments = f->event->deadline >= FARE_NEVER ? 1
    : options->moments                          ? options->moments
    : few                                       ? MOMENTS_FEW
                                                : MOMENTS;
  PetscCall(PetscMalloc2(f->moments, &f->left, (size_t)f->moments * f->cells, &f->log_q));
  for (int k = 0; k < f->moments; k++) f->left[k] = all * PetscSqr(1 - (double)k / f->moments);
  PetscFunctionReturn(0);
}

/* Between two moments, what is kept knows nothing of the drive. */
static void warn_of_gaps(const fare_committor_field *f, const fare_system *system)
{
  const double pulse = fare_system_shortest_pulse(system, f->event->time, f->event->deadline),
               gap   = f->left[0] - f->left[f->moments > 1];

  if (gap > OF_A_PULSE * pulse)
    fare_warn(
      "event %s: the committor is known every %.3g, and the drive has a pulse of %.3g: what is led by it "
      "has no bias, but a larger error",
      f->event->name, gap, pulse);
}

static PetscErrorCode fill(
  MPI_Comm comm, fare_committor_field *f, const fare_system *system, const fare_committor_options *options)
{
  const double tolerance = options->tolerance > 0 ? options->tolerance : TOLERANCE;
  fare_system *undriven  = NULL;

  PetscFunctionBegin;
  if (fare_system_is_driven(system) && options->kind != FARE_COMMITTOR_UNDRIVEN) warn_of_gaps(f, system);
  if (!fare_system_is_driven(system)) {
    PetscCall(solve_all(f, system, tolerance));
  } else if (options->kind == FARE_COMMITTOR_UNDRIVEN) {
    PetscCall(fare_system_create_undriven(system, &undriven));
    PetscCall(solve_all(f, undriven, tolerance));
    PetscCall(fare_system_destroy(&undriven));
  } else if (f->moments == 1) {
    FARE_FAIL(FARE_ERR_INPUT, "event %s: a committor of what is driven needs a deadline", f->event->name);
  } else if (options->kind == FARE_COMMITTOR_FROZEN) {
    PetscCall(solve_frozen(comm, f, system, tolerance));
  } else {
    PetscCall(solve_all(f, system, tolerance));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_committor_field_create(MPI_Comm comm, const fare_grid *grid, const fare_system *system,
  const fare_event *event, const fare_committor_options *options, fare_committor_field **field)
{
  fare_committor_field *f;
  PetscErrorCode        code;

  PetscFunctionBegin;
  PetscCall(PetscNew(&f));
  f->event = event;
  code     = create_grid(f, grid, options);
  if (!code) code = choose_moments(f, options);
  if (!code) code = fill(comm, f, system, options);
  if (code) PetscCall(fare_committor_field_destroy(&f));
  *field = f;
  PetscFunctionReturn(code);
}

PetscErrorCode fare_committor_field_fill(const fare_grid *grid, const fare_event *event,
  const fare_committor_options *options,
  void (*log_q)(void *to, double t, size_t n, const double *const x[], double log_q[]), void *to,
  fare_committor_field **field)
{
  fare_committor_field *f;
  double               *centre[FARE_DIM_MAX] = {NULL}, x[FARE_DIM_MAX];
  Vec                   values;
  PetscScalar          *value;

  PetscFunctionBegin;
  PetscCall(PetscNew(&f));
  *field   = f;
  f->event = event;
  PetscCall(create_grid(f, grid, options));
  PetscCall(choose_moments(f, options));
  for (int axis = 0; axis < grid->dim; axis++) PetscCall(PetscMalloc1(f->cells, &centre[axis]));
  for (size_t n = 0; n < f->cells; n++) {
    fare_cell_centre(f->grid, (PetscInt)n, x);
    for (int axis = 0; axis < grid->dim; axis++) centre[axis][n] = x[axis];
  }
  PetscCall(VecCreateSeq(PETSC_COMM_SELF, (PetscInt)f->cells, &values));
  for (int k = 0; k < f->moments; k++) {
    const double t = f->moments == 1 ? event->time : event->deadline - f->left[k];

    PetscCall(VecGetArray(values, &value));
    log_q(to, t, f->cells, (const double *const *)centre, value);
    PetscCall(VecRestoreArray(values, &value));
    PetscCall(keep(f, k, values));
  }
  PetscCall(VecDestroy(&values));
  for (int axis = 0; axis < grid->dim; axis++) PetscCall(PetscFree(centre[axis]));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_committor_field_destroy(fare_committor_field **field)
{
  fare_committor_field *f = *field;

  PetscFunctionBegin;
  if (!f) PetscFunctionReturn(0);
  PetscCall(PetscFree2(f->left, f->log_q));
  PetscCall(PetscFree(f->in));
  PetscCall(fare_grid_destroy(&f->grid));
  PetscCall(PetscFree(*field));
  PetscFunctionReturn(0);
}

/* Between which moments a time lies, and the share of the later one. */
static int moment_of(const fare_committor_field *f, double t, double *share)
{
  const double left = PetscMax(f->event->deadline - t, f->left[f->moments - 1]);
  int          k;

  *share = 0;
  if (f->moments == 1 || left >= f->left[0]) return 0;
  k      = PetscMax(0, PetscMin(f->moments - 2, (int)((1 - sqrt(left / f->left[0])) * (double)f->moments)));
  *share = (1 / left - 1 / f->left[k]) / (1 / f->left[k + 1] - 1 / f->left[k]);
  *share = PetscMax(0, PetscMin(1, *share));
  return k;
}

/* Of the three cells along an axis that x is nearest to: which, and the weights of value and slope. */
typedef struct {
  PetscInt at[3];
  double   value[3], slope[3];
} stencil;

static void place(const fare_grid *grid, int axis, double x, PetscInt stride, stencil *s)
{
  const double   h = grid->spacing[axis], at = (x - grid->lower[axis]) / h;
  const PetscInt i = PetscMin(grid->cells[axis] - 1, PetscMax(0, (PetscInt)floor(at)));
  const double   f = at - (double)i - 0.5;

  for (int k = 0; k < 3; k++) s->at[k] = fold(grid, axis, i + k - 1) * stride;
  s->value[0] = 0.5 * f * (f - 1);
  s->value[1] = 1 - f * f;
  s->value[2] = 0.5 * f * (f + 1);
  s->slope[0] = (f - 0.5) / h;
  s->slope[1] = -2 * f / h;
  s->slope[2] = (f + 0.5) / h;
}

/* Adds `share` of one moment: sums[0], its value; sums[1 + axis], its slopes. */
static void add_moment(
  const double *log_q, int dim, const stencil s[], double share, double sums[1 + FARE_DIM_MAX])
{
  const int n1 = dim > 1 ? 3 : 1, n2 = dim > 2 ? 3 : 1;

  for (int k = 0; k < n2; k++) {
    for (int j = 0; j < n1; j++) {
      const double *row = log_q + (dim > 1 ? s[1].at[j] : 0) + (dim > 2 ? s[2].at[k] : 0);
      const double  v1 = dim > 1 ? s[1].value[j] : 1, v2 = dim > 2 ? s[2].value[k] : 1;
      double        value = 0, slope = 0;

      for (int i = 0; i < 3; i++) {
        value += s[0].value[i] * row[s[0].at[i]];
        slope += s[0].slope[i] * row[s[0].at[i]];
      }
      sums[0] += share * v1 * v2 * value;
      sums[1] += share * v1 * v2 * slope;
      if (dim > 1) sums[2] += share * s[1].slope[j] * v2 * value;
      if (dim > 2) sums[3] += share * v1 * s[2].slope[k] * value;
    }
  }
}

static double evaluate(const fare_committor_field *f, double t, const double x[], double slope[])
{
  const fare_grid *grid = f->grid;
  double           share, along, rise, sums[1 + FARE_DIM_MAX] = {0}, away[FARE_DIM_MAX];
  const int        k = moment_of(f, t, &share);
  stencil          s[FARE_DIM_MAX];
  PetscInt         stride = 1;

  for (int axis = 0; axis < grid->dim; stride *= grid->cells[axis++])
    place(grid, axis, x[axis], stride, &s[axis]);
  if (share < 1) add_moment(f->log_q + (size_t)k * f->cells, grid->dim, s, 1 - share, sums);
  if (share > 0) add_moment(f->log_q + (size_t)(k + 1) * f->cells, grid->dim, s, share, sums);
  rise = log_rise(f, fare_rare_distance(grid, &f->event->a, x, away), &along);
  for (int axis = 0; axis < grid->dim; axis++)
    slope[axis] = sums[1 + axis] + (along > 0 ? along * away[axis] : 0);
  return sums[0] + rise;
}

void fare_committor_field_at(const fare_committor_field *f, size_t n, const double t[],
  const double *const x[], double log_q[], double *const slope[])
{
  for (size_t i = 0; i < n; i++) {
    double at[FARE_DIM_MAX], gradient[FARE_DIM_MAX] = {0};

    for (int axis = 0; axis < f->grid->dim; axis++) at[axis] = x[axis][i];
    if (fare_region_has(&f->event->b, at))
      log_q[i] = 0;
    else if (f->event->a.boxes && fare_region_has(&f->event->a, at))
      log_q[i] = -HUGE_VAL;
    else
      log_q[i] = evaluate(f, t[i], at, gradient);
    for (int axis = 0; axis < f->grid->dim && slope; axis++) slope[axis][i] = gradient[axis];
  }
}

/* By how much u has to be made smaller. */
static double bound(const fare_pilot *p, const double x[], const double D[], const double u[])
{
  const fare_rare_context *c     = p->context;
  double                   speed = 0, most = 0, away[FARE_DIM_MAX];
  const double             to_a  = fare_rare_distance(c->grid, &c->event->a, x, away);
  const double             reach = PetscMin(to_a, fare_rare_distance(c->grid, &c->event->b, x, away));

  for (int axis = 0; axis < c->grid->dim; axis++) {
    speed += u[axis] * u[axis];
    most = PetscMax(most, D[axis]);
  }
  most = 0.5 * reach + 3 * sqrt(2 * most * c->dt);
  return sqrt(speed) * c->dt > most ? most / (sqrt(speed) * c->dt) : 1;
}

void fare_committor_steer(void *to, double t, const double x[], const double D[], double u[])
{
  const fare_pilot *p                   = to;
  const int         dim                 = p->context->grid->dim;
  const double     *at[FARE_DIM_MAX]    = {x};
  double           *slope[FARE_DIM_MAX] = {u}, log_q, share;

  for (int axis = 0; axis < dim; axis++) {
    at[axis]    = &x[axis];
    slope[axis] = &u[axis];
  }
  fare_committor_field_at(p->field, 1, &t, at, &log_q, slope);
  for (int axis = 0; axis < dim; axis++) u[axis] *= 2 * D[axis];
  share = bound(p, x, D, u);
  for (int axis = 0; axis < dim; axis++) u[axis] *= share;
}
