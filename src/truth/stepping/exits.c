/* SPDX-License-Identifier: BSD-2-Clause */
/*
  What has left through each end that absorbs. The sum of it is what the masses have lost, which the time
  method knows to its own order; how that is shared among the ends follows from the rates of loss, integrated
  over each step by the polynomial through their latest values.
*/
#include "truth/rates/operator.h"

#include <string.h>

static PetscErrorCode add_point(fare_exits *x, fare_operator *op, double t, Vec masses)
{
  const int n = (int)x->points;

  PetscFunctionBegin;
  PetscCall(fare_operator_rates(op, t));
  x->t[n] = t;
  PetscCall(fare_operator_exits(op, masses, x->rate[n]));
  PetscCall(VecSum(masses, &x->left));
  x->points = n + 1;
  PetscFunctionReturn(0);
}

PetscErrorCode fare_exits_restart(fare_exits *x, fare_operator *op, double t, Vec masses)
{
  PetscFunctionBegin;
  x->points = 0;
  PetscCall(add_point(x, op, t, masses));
  PetscFunctionReturn(0);
}

/*
  Weights of the points in the integral over the last step: that of each Lagrange polynomial, which two Gauss
  points take exactly up to order 3.
*/
static void weigh(const fare_exits *x, double weight[FARE_EXIT_POINTS])
{
  static const double gauss[2] = {0.2113248654051871, 0.7886751345948129};
  const int           n        = (int)x->points;
  const double        from = x->t[n - 2], h = x->t[n - 1] - from;

  for (int i = 0; i < n; i++) {
    weight[i] = 0;
    for (int q = 0; q < 2; q++) {
      double value = 1;

      for (int k = 0; k < n; k++) value *= k == i ? 1 : (from + gauss[q] * h - x->t[k]) / (x->t[i] - x->t[k]);
      weight[i] += 0.5 * h * value;
    }
  }
}

PetscErrorCode fare_exits_step(fare_exits *x, fare_operator *op, double t, Vec masses)
{
  const double before = x->left;
  double       weight[FARE_EXIT_POINTS], share[2 * FARE_DIM_MAX], all = 0;

  PetscFunctionBegin;
  if (x->points == FARE_EXIT_POINTS) {
    memmove(x->t, x->t + 1, (FARE_EXIT_POINTS - 1) * sizeof *x->t);
    memmove(x->rate, x->rate + 1, (FARE_EXIT_POINTS - 1) * sizeof *x->rate);
    x->points--;
  }
  PetscCall(add_point(x, op, t, masses));
  weigh(x, weight);
  for (int end = 0; end < 2 * FARE_DIM_MAX; end++) {
    share[end] = 0;
    for (int i = 0; i < (int)x->points; i++) share[end] += weight[i] * x->rate[i][end / 2][end % 2];
    share[end] = PetscMax(0, share[end]);
    all += share[end];
  }
  for (int end = 0; end < 2 * FARE_DIM_MAX && all > 0; end++)
    x->absorbed[end / 2][end % 2] += (before - x->left) * share[end] / all;
  PetscFunctionReturn(0);
}
