/* SPDX-License-Identifier: BSD-2-Clause */
/* A term of a series in M, of columns side by side and of their derivatives: d(M x) = M dx + dM x. */
#include "transition.h"

void fare_lanes_swap(double **a, double **b)
{
  double *c = *a;

  *a = *b;
  *b = c;
}

void fare_lanes_step(const fare_model *m, int fields, const fare_term *term, fare_lanes *b)
{
  const PetscInt field = m->cells * FARE_LANES;

  for (int k = 1; k < fields; k++) {
    const PetscInt at = k * field;

    fare_chain_step_slope(m->cells, m->faces, m->neighbour, m->stay, m->in,
      m->stay_slope + (k - 1) * m->cells, m->in_slope + (k - 1) * m->cells * m->faces, term, b->x, b->x + at,
      b->y + at, b->sum + at);
  }
  fare_chain_step(m->cells, m->faces, m->neighbour, m->stay, m->in, term, b->x, b->y, b->sum);
  fare_lanes_swap(&b->x, &b->y);
}
