/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/kernel.h"

#include <fare/operator.h>

/* sum += stay x + in x of neighbours, of one cell in all lanes. */
static inline void come(int faces, const int32_t *restrict neighbour, double stay, const double *restrict in,
  const double *restrict x, PetscInt cell, double sum[FARE_CHAIN_LANES])
{
#pragma omp simd
  for (int lane = 0; lane < FARE_CHAIN_LANES; lane++) {
    double value = sum[lane] + stay * x[cell * FARE_CHAIN_LANES + lane];

    for (int face = 0; face < faces; face++)
      value += in[face] * x[(PetscInt)neighbour[face] * FARE_CHAIN_LANES + lane];
    sum[lane] = value;
  }
}

static inline void put(PetscInt cell, const fare_term *term, const double value[FARE_CHAIN_LANES],
  double *restrict y, double *restrict sum)
{
#pragma omp simd
  for (int lane = 0; lane < FARE_CHAIN_LANES; lane++) {
    const PetscInt at   = cell * FARE_CHAIN_LANES + lane;
    const double   next = term->scale * value[lane] - term->back * y[at];

    y[at] = next;
    sum[at] += term->weight * next;
  }
}

static inline void step(PetscInt cells, int faces, const int32_t *restrict neighbour,
  const double *restrict stay, const double *restrict in, const fare_term *term, const double *restrict x,
  double *restrict y, double *restrict sum)
{
  for (PetscInt cell = 0; cell < cells; cell++) {
    double value[FARE_CHAIN_LANES] = {0};

    come(faces, neighbour + cell * faces, stay[cell], in + cell * faces, x, cell, value);
    put(cell, term, value, y, sum);
  }
}

void fare_chain_step(PetscInt cells, int faces, const int32_t *neighbour, const double *stay,
  const double *in, const fare_term *term, const double *x, double *y, double *sum)
{
  if (faces == 2)
    step(cells, 2, neighbour, stay, in, term, x, y, sum);
  else if (faces == 4)
    step(cells, 4, neighbour, stay, in, term, x, y, sum);
  else
    step(cells, faces, neighbour, stay, in, term, x, y, sum);
}

static inline void step_slope(PetscInt cells, int faces, const int32_t *restrict neighbour,
  const double *restrict stay, const double *restrict in, const double *restrict stay_slope,
  const double *restrict in_slope, const fare_term *term, const double *restrict base,
  const double *restrict x, double *restrict y, double *restrict sum)
{
  for (PetscInt cell = 0; cell < cells; cell++) {
    double value[FARE_CHAIN_LANES] = {0};

    come(faces, neighbour + cell * faces, stay[cell], in + cell * faces, x, cell, value);
    come(faces, neighbour + cell * faces, stay_slope[cell], in_slope + cell * faces, base, cell, value);
    put(cell, term, value, y, sum);
  }
}

void fare_chain_step_slope(PetscInt cells, int faces, const int32_t *neighbour, const double *stay,
  const double *in, const double *stay_slope, const double *in_slope, const fare_term *term,
  const double *base, const double *x, double *y, double *sum)
{
  if (faces == 2)
    step_slope(cells, 2, neighbour, stay, in, stay_slope, in_slope, term, base, x, y, sum);
  else if (faces == 4)
    step_slope(cells, 4, neighbour, stay, in, stay_slope, in_slope, term, base, x, y, sum);
  else
    step_slope(cells, faces, neighbour, stay, in, stay_slope, in_slope, term, base, x, y, sum);
}
