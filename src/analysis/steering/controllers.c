/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Controls tried on particles. With the value V of the best control, a path x of another one has

    ln of its likelihood over that with the best control = int a^2/2 dt + int a dW + V(end, x) - V(start, x),

  a = u/sqrt(2 D). Its mean is the relative entropy of the two, what is lost beyond the least cost: 0 for the
  best control, for which every path has 0 (Dai Pra, Appl. Math. Optim. 23, 313 (1991)). Each path is taken
  with steps dt and dt/2 and the same noise, and what is of first order in dt is extrapolated away.
*/
#include "steering.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const char *const fare_steer_kinds[] = {[FARE_STEER_ZERO] = "zero",
  [FARE_STEER_LINEAR]                                     = "linear",
  [FARE_STEER_LEARNED]                                    = "learned",
  [FARE_STEER_EXACT]                                      = "exact",
  NULL};

#define AT(member) offsetof(fare_steer_keys, member)
const fare_field fare_steer_fields[] = {
  {"compare", FARE_CHOICES, AT(kinds), "[zero, linear, exact]", 0, 0, fare_steer_kinds, "",
    "controls to try: zero: none; linear: the linear feedback nearest to the best control; learned: a "
    "network, "
    "trained on particles; exact: that of the grid"},
  {"particles", FARE_INTEGER, AT(particles), "10000", 2, 1e8, NULL, "", "paths of each control"},
  {"dt", FARE_REAL, AT(dt), NULL, 1e-12, 1e3, NULL, "time",
    "step; each path is also taken with half of it, and both are extrapolated"},
  {"seed", FARE_INTEGER, AT(seed), "1", 0, 1e15, NULL, "", "of the random numbers"},
  {"networks", FARE_INTEGER, AT(networks), "3", 1, 64, NULL, "",
    "learned: how many are trained, with other numbers"},
  FARE_LEARN_FIELDS(fare_steer_keys, learn, "32", "2", "800", "512", "5e-3"),
  FARE_FIELDS_END,
};

static void steer_zero(
  void *context, double t, size_t n, const double *const x[], const double *const D[], double *const a[])
{
  const fare_steer *s = context;

  (void)t, (void)x, (void)D;
  for (int axis = 0; axis < s->grid->dim; axis++) memset(a[axis], 0, n * sizeof *a[axis]);
}

static void steer_exactly(
  void *context, double t, size_t n, const double *const x[], const double *const D[], double *const a[])
{
  const fare_steer *s = context;

  fare_feedback_at(s->best, t, n, x, NULL, a);
  for (int axis = 0; axis < s->grid->dim; axis++) {
    for (size_t i = 0; i < n; i++) a[axis][i] *= -sqrt(2 * D[axis][i]);
  }
}

/*
  Linear feedback: u/2D = offset + slope (x - mean) at every moment, linear in time between.
*/
typedef struct {
  double mean[FARE_DIM_MAX], offset[FARE_DIM_MAX], slope[FARE_DIM_MAX][FARE_DIM_MAX];
} affine;
typedef struct {
  const fare_steer *s;
  affine           *at; /* of each moment */
} linear;

/* Solves A y = b by Gauss's elimination, with A a covariance. */
static void solve(int n, double A[FARE_DIM_MAX][FARE_DIM_MAX], double b[FARE_DIM_MAX])
{
  for (int k = 0; k < n; k++) {
    for (int i = k + 1; i < n; i++) {
      const double share = A[i][k] / A[k][k];

      for (int j = k; j < n; j++) A[i][j] -= share * A[k][j];
      b[i] -= share * b[k];
    }
  }
  for (int k = n - 1; k >= 0; k--) {
    for (int j = k + 1; j < n; j++) b[k] -= A[k][j] * b[j];
    b[k] /= A[k][k];
  }
}

/* The nearest to the best control in the mean square over the bridge's density at a moment. */
static void fit_moment(const fare_steer *s, int moment, affine *to)
{
  const fare_feedback_shape *shape                          = fare_feedback_shape_of(s->best);
  const int                  dim                            = s->grid->dim;
  const double               t                              = fare_feedback_time(shape, moment);
  const double              *masses                         = s->masses[moment];
  double                     xx[FARE_DIM_MAX][FARE_DIM_MAX] = {{0}}, wx[FARE_DIM_MAX][FARE_DIM_MAX] = {{0}};

  memset(to, 0, sizeof *to);
  for (int pass = 0; pass < 2; pass++) {
    for (PetscInt n = 0; n < fare_grid_owned(s->grid); n++) {
      double        x[FARE_DIM_MAX] = {0}, w[FARE_DIM_MAX] = {0};
      const double *at[FARE_DIM_MAX] = {&x[0], &x[1], &x[2]};
      double       *by[FARE_DIM_MAX] = {&w[0], &w[1], &w[2]};

      if (!(masses[n] > 0)) continue;
      fare_cell_centre(s->grid, n, x);
      fare_feedback_at(s->best, t, 1, at, NULL, by);
      for (int k = 0; k < dim; k++) {
        if (!pass) to->mean[k] += masses[n] * x[k];
        if (!pass) to->offset[k] -= masses[n] * w[k];
        for (int j = 0; j < dim && pass; j++) {
          xx[k][j] += masses[n] * (x[k] - to->mean[k]) * (x[j] - to->mean[j]);
          wx[k][j] += masses[n] * (-w[k] - to->offset[k]) * (x[j] - to->mean[j]);
        }
      }
    }
  }
  for (int k = 0; k < dim; k++) {
    double A[FARE_DIM_MAX][FARE_DIM_MAX];

    memcpy(A, xx, sizeof A);
    memcpy(to->slope[k], wx[k], sizeof to->slope[k]);
    solve(dim, A, to->slope[k]);
  }
}

static PetscErrorCode fit(const fare_steer *s, linear *l)
{
  const int moments = fare_feedback_shape_of(s->best)->moments;

  PetscFunctionBegin;
  l->s = s;
  PetscCall(PetscMalloc1(moments, &l->at));
  for (int k = 0; k < moments; k++) fit_moment(s, k, &l->at[k]);
  PetscFunctionReturn(0);
}

static void steer_linearly(
  void *context, double t, size_t n, const double *const x[], const double *const D[], double *const a[])
{
  const linear              *l     = context;
  const fare_feedback_shape *shape = fare_feedback_shape_of(l->s->best);
  const double               at    = fare_feedback_moment(shape, t);
  const int                  k     = PetscMax(0, PetscMin(shape->moments - 2, (int)at));

  for (int axis = 0; axis < shape->dim; axis++) memset(a[axis], 0, n * sizeof *a[axis]);
  for (int side = 0; side < 2; side++) {
    const affine *m     = &l->at[k + side];
    const double  share = side ? at - k : 1 - (at - k);

    for (int axis = 0; axis < shape->dim; axis++) {
      for (size_t i = 0; i < n; i++) {
        double w = m->offset[axis];

        for (int j = 0; j < shape->dim; j++) w += m->slope[axis][j] * (x[j][i] - m->mean[j]);
        a[axis][i] += share * sqrt(2 * D[axis][i]) * w;
      }
    }
  }
}

static fare_steer_mean average(int64_t count, const double value[])
{
  double sum = 0, squares = 0, mean;

  for (int64_t i = 0; i < count; i++) sum += value[i];
  mean = sum / (double)count;
  for (int64_t i = 0; i < count; i++) squares += PetscSqr(value[i] - mean);
  return (fare_steer_mean){mean, sqrt(squares / (double)count / (double)(count - 1))};
}

/* What is told of each path. */
enum { COST, GAP, END, SQUARE = END + FARE_DIM_MAX, NUMBERS = SQUARE + FARE_DIM_MAX };

/* Of steps dt, then of dt/2. */
static void add_level(int level, const double found[], double told[])
{
  for (int i = 0; i < FARE_BLOCK; i++) told[i] = level ? 2 * found[i] - told[i] : found[i];
}

/* One block, extrapolated. Numbers of a path are `stride` apart. */
static void walk_both(const fare_steer *s, const fare_pilot *pilot, const fare_ensemble *starts,
  int64_t number, fare_stream noise, int64_t stride, double told[])
{
  const fare_feedback_shape *span  = fare_feedback_shape_of(s->best);
  const int64_t              steps = (int64_t)ceil((span->end - span->begin) / s->keys->dt * (1 - 1e-12));
  fare_steer_block           b     = {.noise = noise, .number = (uint64_t)number};

  for (int level = 0; level < 2; level++) {
    b.steps = steps << level;
    b.draws = level ? 1 : 2;
    for (int axis = 0; axis < s->grid->dim; axis++)
      memcpy(b.x[axis], starts->x[axis] + number * FARE_BLOCK, sizeof b.x[axis]);
    fare_steer_walk(s, pilot, &b);
    add_level(level, b.cost, told + COST * stride);
    add_level(level, b.gap, told + GAP * stride);
    for (int axis = 0; axis < s->grid->dim; axis++) {
      add_level(level, b.x[axis], told + (END + axis) * stride);
      for (int i = 0; i < FARE_BLOCK; i++) b.x[axis][i] *= b.x[axis][i];
      add_level(level, b.x[axis], told + (SQUARE + axis) * stride);
    }
  }
}

/* One control; ranks share the blocks of paths. */
static PetscErrorCode try_pilot(
  MPI_Comm comm, const fare_steer *s, const fare_pilot *pilot, fare_steered *steered)
{
  const int64_t count = s->keys->particles, blocks = (count + FARE_BLOCK - 1) / FARE_BLOCK,
                stride    = blocks * FARE_BLOCK;
  const fare_stream noise = fare_stream_make((uint64_t)s->keys->seed, "steering/noise");
  const int         dim   = s->grid->dim;
  fare_ensemble    *starts;
  double           *told;
  int               rank, ranks;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCallMPI(MPI_Comm_size(comm, &ranks));
  PetscCall(fare_steer_starts(s, "steering/starts", count, &starts));
  PetscCall(PetscCalloc1(NUMBERS * stride, &told));
  for (int64_t b = rank; b < blocks; b += ranks)
    walk_both(s, pilot, starts, b, noise, stride, told + b * FARE_BLOCK);
  for (int k = 0; k < NUMBERS; k++)
    PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, told + k * stride, (int)count, MPI_DOUBLE, MPI_SUM, comm));
  steered->cost   = average(count, told + COST * stride);
  steered->excess = average(count, told + GAP * stride);
  for (int axis = 0; axis < dim; axis++) {
    steered->end[axis]    = average(count, told + (END + axis) * stride);
    steered->square[axis] = average(count, told + (SQUARE + axis) * stride);
  }
  PetscCall(PetscFree(told));
  PetscCall(fare_ensemble_destroy(&starts));
  if (!isfinite(steered->excess.value) || !isfinite(steered->cost.value))
    FARE_FAIL(FARE_ERR_FAILED, "controllers: paths are not finite: take a smaller dt");
  PetscFunctionReturn(0);
}

/* Keeps a control at the cells of the grid, for a system `steered`. */
static PetscErrorCode keep_slope(const fare_steer *s, const fare_pilot *pilot, fare_steered *steered)
{
  const fare_feedback_shape *shape = fare_feedback_shape_of(s->best);
  const int                  dim   = s->grid->dim;
  const PetscInt             cells = fare_grid_owned(s->grid);
  double store[3][FARE_DIM_MAX][FARE_BLOCK] FARE_ALIGNED, *x[FARE_DIM_MAX], *D[FARE_DIM_MAX],
    *a[FARE_DIM_MAX];

  PetscFunctionBegin;
  PetscCall(PetscMalloc1((size_t)shape->moments * (size_t)dim * (size_t)cells, &steered->slope));
  fare_block_rows(dim, store[0], x);
  fare_block_rows(dim, store[1], D);
  fare_block_rows(dim, store[2], a);
  for (int moment = 0; moment < shape->moments; moment++) {
    const double t = fare_feedback_time(shape, moment);

    for (PetscInt first = 0; first < cells; first += FARE_BLOCK) {
      const PetscInt count = PetscMin(FARE_BLOCK, cells - first);

      for (PetscInt i = 0; i < FARE_BLOCK; i++) {
        double centre[FARE_DIM_MAX];

        fare_cell_centre(s->grid, first + PetscMin(i, count - 1), centre);
        for (int axis = 0; axis < dim; axis++) x[axis][i] = centre[axis];
      }
      fare_system_diffusion(s->system, t, FARE_BLOCK, (const double *const *)x, D);
      pilot->at(pilot->context, t, FARE_BLOCK, (const double *const *)x, (const double *const *)D, a);
      for (int axis = 0; axis < dim; axis++) {
        for (PetscInt i = 0; i < count; i++)
          steered->slope[((size_t)(moment * dim + axis)) * (size_t)cells + (size_t)(first + i)] =
            -a[axis][i] / sqrt(2 * D[axis][i]);
      }
    }
  }
  PetscFunctionReturn(0);
}

/* Each network is trained by one rank, and then known to all. */
static PetscErrorCode try_networks(MPI_Comm comm, const fare_steer *s, fare_steered steered[])
{
  const int            count = (int)s->keys->networks;
  fare_steer_network **network;
  PetscErrorCode       code = 0;
  int                  rank, ranks;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCallMPI(MPI_Comm_size(comm, &ranks));
  PetscCall(PetscCalloc1(count, &network));
  for (int k = 0; k < count; k++) PetscCall(fare_steer_network_create(s, k, &network[k]));
  for (int k = rank; k < count && !code; k += ranks) code = fare_steer_network_train(network[k]);
  PetscCall(fare_error_agree(comm, code));
  for (int k = 0; k < count; k++) {
    const fare_pilot pilot = fare_steer_network_pilot(network[k]);
    size_t           size;
    float           *weights = fare_steer_network_weights(network[k], &size);

    PetscCallMPI(MPI_Bcast(weights, (int)size, MPI_FLOAT, k % ranks, comm));
    PetscCall(try_pilot(comm, s, &pilot, &steered[k]));
    PetscCall(keep_slope(s, &pilot, &steered[k]));
  }
  for (int k = 0; k < count; k++) PetscCall(fare_steer_network_destroy(&network[k]));
  PetscCall(PetscFree(network));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_steer_try(MPI_Comm comm, const fare_steer *s, size_t *count, fare_steered **steered)
{
  const fare_integers *kinds = &s->keys->kinds;
  linear               l     = {0};

  PetscFunctionBegin;
  *count = 0;
  PetscCall(PetscCalloc1(kinds->count * (size_t)s->keys->networks, steered));
  for (size_t k = 0; k < kinds->count; k++) {
    const fare_steer_kind kind  = (fare_steer_kind)kinds->values[k];
    fare_pilot            pilot = {kind == FARE_STEER_ZERO ? steer_zero
                   : kind == FARE_STEER_EXACT              ? steer_exactly
                                                           : steer_linearly,
      kind == FARE_STEER_LINEAR ? (void *)&l : (void *)s};

    if (kind == FARE_STEER_LINEAR) PetscCall(fit(s, &l));
    if (kind == FARE_STEER_LEARNED)
      PetscCall(try_networks(comm, s, *steered + *count));
    else
      PetscCall(try_pilot(comm, s, &pilot, *steered + *count));
    if (kind == FARE_STEER_LINEAR) PetscCall(keep_slope(s, &pilot, *steered + *count));
    *count += kind == FARE_STEER_LEARNED ? (size_t)s->keys->networks : 1;
    PetscCall(PetscFree(l.at));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_steered_free(size_t count, fare_steered **steered)
{
  PetscFunctionBegin;
  for (size_t i = 0; i < count; i++) PetscCall(PetscFree((*steered)[i].slope));
  PetscCall(PetscFree(*steered));
  PetscFunctionReturn(0);
}
