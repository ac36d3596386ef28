/* SPDX-License-Identifier: BSD-2-Clause */
/* Marginal densities of one and two axes, as masses of cells. */
#include "normals.h"

#include <math.h>

#define REACH 8.0 /* standard deviations that a grid covers */
#define NODES 4   /* of Gauss and Legendre in a cell */

/* Cells along an axis: so many per smallest standard deviation, within bounds. */
static const struct {
  double   per_sd;
  PetscInt least, most;
} cells_of[] = {{32, 512, 4096}, {8, 128, 512}};

/* The components' marginals, factored. */
static PetscErrorCode project(const fare_normals *p, int axes, const int axis[], fare_normals *to)
{
  const int dim = p->dim;

  PetscFunctionBegin;
  PetscCall(fare_normals_create(axes, p->components, to));
  for (int c = 0; c < p->components; c++) {
    to->weight[c] = p->weight[c];
    for (int a = 0; a < axes; a++) {
      to->mean[c * axes + a] = p->mean[c * dim + axis[a]];
      for (int b = 0; b < axes; b++)
        to->covariance[(c * axes + a) * axes + b] = p->covariance[(c * dim + axis[a]) * dim + axis[b]];
    }
  }
  PetscCall(fare_normals_factor(to));
  PetscFunctionReturn(0);
}

static PetscErrorCode make_grid(const fare_normals *p, fare_grid **grid)
{
  double   lower[2], upper[2];
  PetscInt cells[2];

  PetscFunctionBegin;
  for (int a = 0; a < p->dim; a++) {
    double narrowest = HUGE_VAL;

    lower[a] = HUGE_VAL;
    upper[a] = -HUGE_VAL;
    for (int c = 0; c < p->components; c++) {
      const double mean = p->mean[c * p->dim + a], sd = sqrt(p->covariance[(c * p->dim + a) * p->dim + a]);

      lower[a]  = PetscMin(lower[a], mean - REACH * sd);
      upper[a]  = PetscMax(upper[a], mean + REACH * sd);
      narrowest = PetscMin(narrowest, sd);
    }
    cells[a] = (PetscInt)PetscMax((double)cells_of[p->dim - 1].least,
      PetscMin((double)cells_of[p->dim - 1].most,
        ceil((upper[a] - lower[a]) / narrowest * cells_of[p->dim - 1].per_sd)));
  }
  PetscCall(fare_grid_create(PETSC_COMM_SELF, p->dim, cells, lower, upper, NULL, grid));
  PetscFunctionReturn(0);
}

/* Probability of a standard normal number between two ends. */
static double between(double low, double high)
{
  return low > 0 ? 0.5 * (erfc(low * M_SQRT1_2) - erfc(high * M_SQRT1_2))
                 : 0.5 * (erfc(-high * M_SQRT1_2) - erfc(-low * M_SQRT1_2));
}

static double edge_of(const fare_grid *grid, int axis, PetscInt i)
{
  return grid->lower[axis] + (double)i * grid->spacing[axis];
}

/* Along the line of cells, the second axis where there are two: given y of the first, times a factor. */
static void add_line(
  const fare_normals *p, int c, const fare_grid *grid, double y, double factor, double to[])
{
  const int      last = p->dim - 1, size = p->dim * p->dim;
  const double  *L    = p->root + c * size + last * p->dim;
  const double   mean = p->mean[c * p->dim + last] + (last ? L[0] * y : 0), sd = L[last];
  const PetscInt stride = last ? grid->cells[0] : 1;

  for (PetscInt i = 0; i < grid->cells[last]; i++)
    to[i * stride] +=
      factor * between((edge_of(grid, last, i) - mean) / sd, (edge_of(grid, last, i + 1) - mean) / sd);
}

/* The first axis by quadrature, the second in closed form. */
static void add_plane(const fare_normals *p, int c, const fare_grid *grid, double to[])
{
  static const double node[NODES]   = {-0.8611363115940526, -0.3399810435848563, 0.3399810435848563,
      0.8611363115940526},
                      weight[NODES] = {
                        0.3478548451374538, 0.6521451548625461, 0.6521451548625461, 0.3478548451374538};
  const double mean = p->mean[2 * c], sd = p->root[4 * c], half = 0.5 * grid->spacing[0];

  for (PetscInt i = 0; i < grid->cells[0]; i++) {
    for (int k = 0; k < NODES; k++) {
      const double y      = (fare_grid_centre(grid, 0, i) + half * node[k] - mean) / sd,
                   factor = p->weight[c] * half * weight[k] * exp(-0.5 * y * y) / (sd * sqrt(2 * PETSC_PI));

      add_line(p, c, grid, y, factor, to + i);
    }
  }
}

PetscErrorCode fare_normals_marginal(
  const fare_normals *normals, int axes, const int axis[], fare_grid **grid, Vec *masses)
{
  fare_normals p;
  PetscScalar *to;
  double       sum = 0;

  PetscFunctionBegin;
  PetscCall(project(normals, axes, axis, &p));
  PetscCall(make_grid(&p, grid));
  PetscCall(DMCreateGlobalVector((*grid)->dm, masses));
  PetscCall(VecSet(*masses, 0));
  PetscCall(VecGetArray(*masses, &to));
  for (int c = 0; c < p.components; c++) {
    if (axes == 1)
      add_line(&p, c, *grid, 0, p.weight[c], to);
    else
      add_plane(&p, c, *grid, to);
  }
  /* not by a library, which may add up in another order where memory is aligned otherwise */
  for (PetscInt i = 0; i < fare_grid_owned(*grid); i++) sum += to[i];
  for (PetscInt i = 0; i < fare_grid_owned(*grid); i++) to[i] /= sum;
  PetscCall(VecRestoreArray(*masses, &to));
  PetscCall(fare_normals_destroy(&p));
  PetscFunctionReturn(0);
}
