/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The density of a block with normal noise: cells of a wider mesh, axis by axis. A source is a cell's centre,
  whose own width counts as noise, h^2/12 of its variance. Where the noise is narrower than a cell, three
  cells carry it: they have its variance.
*/
#include "block.h"

#include <math.h>

#define NARROW 0.85 /* cells: noise below it has no normal shape on them */
#define REACH  7.   /* standard deviations of the noise that the mesh goes beyond the box */
#define NOUGHT 27.  /* erfc of more is no number */

/* Cells of the mesh in a standard deviation of the noise, by the number of axes. */
static const double fineness[FARE_DIM_MAX] = {16, 8, 4};

/* Along one axis: cells of the mesh, and what each takes of each cell that there is. */
typedef struct {
  PetscInt from, to; /* cells that there are, of the mesh */
  double   lower, upper;
  double  *weight; /* weight[mesh * from + cell] */
} noisy_axis;

/* Of a normal number's distribution beyond |z| sqrt(2). */
static double tail(double z)
{
  return fabs(z) > NOUGHT ? 0 : 0.5 * erfc(fabs(z));
}

static double between(double low, double high)
{
  if (low < 0 && high > 0) return 1 - tail(low) - tail(high);
  return fabs(tail(low) - tail(high));
}

static void weigh_wide(const fare_grid *grid, int axis, double sigma, noisy_axis *a)
{
  const double own = grid->spacing[axis], s = sqrt(2 * (sigma * sigma - own * own / 12)),
               wide = (a->upper - a->lower) / (double)a->to;

  for (PetscInt m = 0; m < a->to; m++) {
    for (PetscInt i = 0; i < a->from; i++) {
      const double low = (a->lower + (double)m * wide - fare_grid_centre(grid, axis, i)) / s;

      a->weight[m * a->from + i] = between(low, low + wide / s);
    }
  }
}

static void weigh_narrow(double variance, noisy_axis *a)
{
  for (PetscInt m = 0; m < a->to; m++) {
    a->weight[m * a->from + m] = 1 - variance;
    if (m) a->weight[m * a->from + m - 1] = 0.5 * variance;
    if (m + 1 < a->from) a->weight[m * a->from + m + 1] = 0.5 * variance;
  }
}

static PetscErrorCode weigh(const fare_grid *grid, int axis, double sigma, noisy_axis *a)
{
  const double own = grid->spacing[axis], wide = PetscMax(own, sigma / fineness[grid->dim - 1]);

  PetscFunctionBegin;
  *a = (noisy_axis){grid->cells[axis], grid->cells[axis], grid->lower[axis], grid->upper[axis], NULL};
  if (sigma < NARROW * own) {
    PetscCall(PetscCalloc1((size_t)(a->to * a->from), &a->weight));
    weigh_narrow(sigma * sigma / (own * own), a);
    PetscFunctionReturn(0);
  }
  a->lower -= REACH * sigma;
  a->upper += REACH * sigma;
  a->to = (PetscInt)ceil((a->upper - a->lower) / wide);
  PetscCall(PetscMalloc1((size_t)(a->to * a->from), &a->weight));
  weigh_wide(grid, axis, sigma, a);
  PetscFunctionReturn(0);
}

/* to[outer][mesh][inner] += weight[mesh][cell] from[outer][cell][inner] */
static void contract(PetscInt outer, const noisy_axis *a, PetscInt inner, const double from[], double to[])
{
  for (PetscInt o = 0; o < outer; o++) {
    for (PetscInt m = 0; m < a->to; m++) {
      for (PetscInt i = 0; i < a->from; i++) {
        const double  w    = a->weight[m * a->from + i];
        const double *have = from + (o * a->from + i) * inner;
        double       *sum  = to + (o * a->to + m) * inner;

        for (PetscInt k = 0; w > 0 && k < inner; k++) sum[k] += w * have[k];
      }
    }
  }
}

static PetscErrorCode spread(int dim, const noisy_axis axis[], const double mass[], double **spread_mass)
{
  const double *from  = mass;
  PetscInt      inner = 1;
  double       *to    = NULL;

  PetscFunctionBegin;
  for (int a = 0; a < dim; a++) {
    PetscInt outer = 1;
    double  *last  = to;

    for (int k = a + 1; k < dim; k++) outer *= axis[k].from;
    PetscCall(PetscCalloc1((size_t)(outer * axis[a].to * inner), &to));
    contract(outer, &axis[a], inner, from, to);
    PetscCall(PetscFree(last));
    inner *= axis[a].to;
    from = to;
  }
  *spread_mass = to;
  PetscFunctionReturn(0);
}

PetscErrorCode fare_block_density_noise(
  const fare_grid *grid, const double mass[], double sigma, fare_block_density **made)
{
  noisy_axis axis[FARE_DIM_MAX];
  PetscInt   cells[FARE_DIM_MAX];
  double     lower[FARE_DIM_MAX], upper[FARE_DIM_MAX], *all = NULL;
  fare_grid *mesh;

  PetscFunctionBegin;
  for (int a = 0; a < grid->dim; a++) {
    PetscCall(weigh(grid, a, sigma, &axis[a]));
    cells[a] = axis[a].to;
    lower[a] = axis[a].lower;
    upper[a] = axis[a].upper;
  }
  PetscCall(spread(grid->dim, axis, mass, &all));
  for (int a = 0; a < grid->dim; a++) PetscCall(PetscFree(axis[a].weight));
  PetscCall(fare_grid_create(PETSC_COMM_SELF, grid->dim, cells, lower, upper, NULL, &mesh));
  PetscCall(fare_block_density_create(mesh, all, made));
  PetscCall(fare_grid_destroy(&mesh));
  PetscCall(PetscFree(all));
  PetscFunctionReturn(0);
}
