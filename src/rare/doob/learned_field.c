/* SPDX-License-Identifier: BSD-2-Clause */
/* ln q as the network gives it: a base that is known, and a rise that is learned. */
#include "learner.h"

#include <math.h>

#define SCALE 4.0 /* of the network's output */

/* ln erfc(z), z not negative. */
static double log_erfc(double z)
{
  return z < 20 ? log(erfc(z)) : -z * z - log(z * sqrt(PETSC_PI)) - 0.5 / (z * z);
}

double fare_learner_base(const fare_learner *l, double t, const double x[], double *rise)
{
  double       away[FARE_DIM_MAX], log_q = 0;
  const double to_a = fare_rare_distance(l->c->grid, &l->event->a, x, away),
               to_b = fare_rare_distance(l->c->grid, &l->event->b, x, away);

  *rise = SCALE * to_b / (to_b + l->reach);
  if (to_a < HUGE_VAL) log_q += log(to_a / (to_a + to_b));
  if (l->timed) log_q += log_erfc(to_b / sqrt(4 * l->D * PetscMax(l->event->deadline - t, 1e-12 * l->span)));
  return PetscMax(log_q, 2 * FARE_LEARNER_LEAST);
}

void fare_learner_input(const fare_learner *l, double t, const double x[], int row, float input[])
{
  const fare_grid *grid = l->c->grid;
  const double     left = PetscMax(0, l->event->deadline - t) / l->span;

  for (int axis = 0; axis < l->dim; axis++)
    input[axis * FARE_BLOCK + row] =
      (float)(4 * (x[axis] - grid->lower[axis]) / (grid->upper[axis] - grid->lower[axis]) - 2);
  if (!l->timed) return;
  input[l->dim * FARE_BLOCK + row]       = (float)(2 * left - 1);
  input[(l->dim + 1) * FARE_BLOCK + row] = (float)(2 * sqrt(left) - 1);
}

void fare_learner_evaluate(
  const fare_learner *l, size_t n, const double t[], const double *const x[], double log_q[])
{
  float input[(FARE_DIM_MAX + 2) * FARE_BLOCK] FARE_ALIGNED = {0}, output[FARE_BLOCK] FARE_ALIGNED;

  for (size_t first = 0; first < n; first += FARE_BLOCK) {
    const int rows = (int)PetscMin(FARE_BLOCK, n - first);

    for (int pass = 0; pass < 2; pass++) {
      for (int row = 0; row < rows; row++) {
        double at[FARE_DIM_MAX], rise;

        for (int axis = 0; axis < l->dim; axis++) at[axis] = x[axis][first + (size_t)row];
        if (pass == 0)
          fare_learner_input(l, t[first + (size_t)row], at, row, input);
        else if (fare_region_has(&l->event->b, at))
          log_q[first + (size_t)row] = 0;
        else if (l->event->a.boxes && fare_region_has(&l->event->a, at))
          log_q[first + (size_t)row] = 2 * FARE_LEARNER_LEAST;
        else {
          const double base = fare_learner_base(l, t[first + (size_t)row], at, &rise);

          /* as a probability; else learning from itself may run away */
          log_q[first + (size_t)row] =
            PetscMax(2 * FARE_LEARNER_LEAST, PetscMin(0, base + rise * output[row]));
        }
      }
      if (pass == 0) fare_network_evaluate(l->network, rows, input, 0, NULL, output);
    }
  }
}

static void evaluate_at(void *to, double t, size_t n, const double *const x[], double log_q[])
{
  for (size_t first = 0; first < n; first += FARE_BLOCK) {
    const size_t  rows = PetscMin(FARE_BLOCK, n - first);
    const double *at[FARE_DIM_MAX];
    double        ts[FARE_BLOCK];

    for (int axis = 0; axis < ((fare_learner *)to)->dim; axis++) at[axis] = x[axis] + first;
    for (size_t i = 0; i < rows; i++) ts[i] = t;
    fare_learner_evaluate(to, rows, ts, at, log_q + first);
  }
}

PetscErrorCode fare_learner_tabulate(fare_learner *l, fare_committor_field **field)
{
  const fare_committor_options options = {0};

  PetscFunctionBegin;
  PetscCall(fare_committor_field_fill(l->c->grid, l->event, &options, evaluate_at, l, field));
  PetscFunctionReturn(0);
}
