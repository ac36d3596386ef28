/* SPDX-License-Identifier: BSD-2-Clause */
/* What the network is to learn without a deadline: ln of the mean of q, as it is, over a short step. */
#include "learner.h"

#include <math.h>

/* of the distance to the nearest set, that the slope of ln q shifts a step by, at most */
#define STEEP 0.25

/* The distance to the nearest set. */
static double nearest(const fare_learner *l, const double x[])
{
  double       away[FARE_DIM_MAX];
  const double to_a = fare_rare_distance(l->c->grid, &l->event->a, x, away);

  return PetscMin(to_a, fare_rare_distance(l->c->grid, &l->event->b, x, away));
}

/* The step from one row of the batch: its lag, mean and standard deviations. */
static double step_of(const fare_learner *l, size_t i, double mean[], double sd[])
{
  double x[FARE_DIM_MAX], f[FARE_DIM_MAX], D[FARE_DIM_MAX], *fs[FARE_DIM_MAX], *Ds[FARE_DIM_MAX], d,
    lag = l->lag;
  const double *at[FARE_DIM_MAX];

  for (int axis = 0; axis < l->dim; axis++) {
    x[axis]  = l->x[axis][i];
    at[axis] = &x[axis];
    fs[axis] = &f[axis];
    Ds[axis] = &D[axis];
  }
  fare_system_drift(l->c->system, l->t[i], 1, at, fs);
  fare_system_diffusion(l->c->system, l->t[i], 1, at, Ds);
  d = nearest(l, x);
  for (int axis = 0; axis < l->dim; axis++) {
    lag = PetscMin(lag, d * d / (50 * D[axis]));
    if (f[axis] != 0) lag = PetscMin(lag, 8 * D[axis] / PetscSqr(f[axis]));
  }
  if (l->timed) lag = PetscMin(lag, 0.125 * (l->event->deadline - l->t[i]));
  for (int axis = 0; axis < l->dim; axis++) {
    mean[axis] = x[axis] + f[axis] * lag;
    sd[axis]   = sqrt(2 * D[axis] * lag);
  }
  return lag;
}

/* Back into the box. */
static double folded(const fare_grid *grid, int axis, double x)
{
  const double low = grid->lower[axis], high = grid->upper[axis];

  if (grid->boundary[axis] == FARE_BOUNDARY_PERIODIC)
    return x - (high - low) * floor((x - low) / (high - low));
  return x < low ? PetscMin(high, 2 * low - x) : x > high ? PetscMax(low, 2 * high - x) : x;
}

static const double nodes5[] = {
  0, 1.355626179974266, -1.355626179974266, 2.856970013872806, -2.856970013872806};
static const double weights5[] = {
  0.5333333333333333, 0.2220759220056126, 0.2220759220056126, 0.0112574113277207, 0.0112574113277207};
static const double nodes3[]   = {0, 1.7320508075688772, -1.7320508075688772};
static const double weights3[] = {2.0 / 3, 1.0 / 6, 1.0 / 6};

/* ln of the mean of q over the step of row i, from its values at nodes; nodes are set where `place` is. */
static double mean_over(fare_learner *l, size_t i, const double shift[], PetscBool placing)
{
  const int     each  = l->dim == 1 ? 5 : 3;
  const double *nodes = l->dim == 1 ? nodes5 : nodes3, *weights = l->dim == 1 ? weights5 : weights3;
  double mean[FARE_DIM_MAX], sd[FARE_DIM_MAX], log_weight[FARE_LEARNER_NODES], most = -HUGE_VAL, sum = 0;
  const double lag   = step_of(l, i, mean, sd);
  size_t       count = 1;

  for (int axis = 0; axis < l->dim; axis++) count *= (size_t)each;
  for (size_t k = 0; k < count; k++) {
    const size_t at = i * l->stride + k;
    size_t       of = k;

    log_weight[k] = 0;
    l->node_t[at] = l->t[i] + lag;
    for (int axis = 0; axis < l->dim; axis++, of /= (size_t)each) {
      const double s = shift[axis], z = nodes[of % (size_t)each];

      log_weight[k] += log(weights[of % (size_t)each]) - s * z - 0.5 * s * s;
      l->node[axis][at] = folded(l->c->grid, axis, mean[axis] + sd[axis] * (s + z));
    }
    if (!placing) most = PetscMax(most, log_weight[k] + l->value[at]);
  }
  for (size_t k = 0; k < count && !placing; k++)
    sum += exp(log_weight[k] + l->value[i * l->stride + k] - most);
  return most + log(sum);
}

static void evaluate_nodes(const fare_learner *l, size_t rows)
{
  fare_learner_evaluate(l, rows * l->stride, l->node_t, (const double *const *)l->node, l->value);
}

/* By how many standard deviations the slope of ln q shifts each row's step: from its values at two sides. */
static void find_shifts(fare_learner *l, size_t rows, double shift[])
{
  l->stride = 2 * (size_t)l->dim;
  for (size_t i = 0; i < rows; i++) {
    double mean[FARE_DIM_MAX], sd[FARE_DIM_MAX];

    step_of(l, i, mean, sd);
    for (int k = 0; k < 2 * l->dim; k++) {
      l->node_t[i * l->stride + (size_t)k] = l->t[i];
      for (int axis = 0; axis < l->dim; axis++)
        l->node[axis][i * l->stride + (size_t)k] =
          folded(l->c->grid, axis, l->x[axis][i] + (k / 2 == axis ? (k % 2 ? sd[axis] : -sd[axis]) : 0));
    }
  }
  evaluate_nodes(l, rows);
  for (size_t i = 0; i < rows; i++) {
    const double *v = l->value + i * l->stride;
    double        x[FARE_DIM_MAX], mean[FARE_DIM_MAX], sd[FARE_DIM_MAX];

    step_of(l, i, mean, sd);
    for (int axis = 0; axis < l->dim; axis++) x[axis] = l->x[axis][i];
    for (int axis = 0; axis < l->dim; axis++) {
      const double most = STEEP * nearest(l, x) / sd[axis];

      shift[i * FARE_DIM_MAX + (size_t)axis] =
        PetscMax(-most, PetscMin(most, 0.5 * (v[2 * axis + 1] - v[2 * axis])));
    }
  }
}

void fare_learner_find_targets(fare_learner *l, size_t n)
{
  const size_t count = l->dim == 1 ? 5 : l->dim == 2 ? 9 : 27;
  double      *shift = l->target; /* n FARE_DIM_MAX numbers there, before the targets are known */

  find_shifts(l, n, shift);
  l->stride = count;
  for (size_t i = 0; i < n; i++) mean_over(l, i, shift + i * FARE_DIM_MAX, PETSC_TRUE);
  evaluate_nodes(l, n);
  /* the i-th target never stands behind the i-th shift */
  for (size_t i = 0; i < n; i++) l->target[i] = mean_over(l, i, shift + i * FARE_DIM_MAX, PETSC_FALSE);
}
