/* SPDX-License-Identifier: BSD-2-Clause */
/* Energies of cells, and the points in time at which energies are compared. */
#include "thermo.h"

#include <math.h>
#include <string.h>

/* As in the rates: six points along one axis, the tensor product of three along more. */
#define POINTS_1D  (2 * FARE_HALF_POINTS)
#define POINTS     3
#define POINTS_MAX 27
static const double offset_of[POINTS] = {-0.3872983346207417, 0, 0.3872983346207417};
static const double weight_of[POINTS] = {5. / 18, 8. / 18, 5. / 18};

static int list_points(int dim, double offset[][FARE_DIM_MAX], double weight[])
{
  int count = dim == 1 ? POINTS_1D : 1;

  for (int axis = 0; axis < dim && dim > 1; axis++) count *= POINTS;
  for (int q = 0; q < count; q++) {
    int rest = q;

    weight[q] = 1;
    if (dim == 1) fare_cell_point(q, &offset[q][0], &weight[q]);
    for (int axis = 0; axis < dim && dim > 1; axis++, rest /= POINTS) {
      offset[q][axis] = offset_of[rest % POINTS];
      weight[q] *= weight_of[rest % POINTS];
    }
  }
  return count;
}

#define RUN 512 /* cells at a time */

PetscErrorCode fare_cell_energies(const fare_grid *grid, const fare_system *system, double t, Vec U)
{
  const PetscInt owned = fare_grid_owned(grid);
  const double   T     = fare_system_kT(system, t);
  double         offset[POINTS_MAX][FARE_DIM_MAX], weight[POINTS_MAX], x[FARE_DIM_MAX][RUN],
    centre[FARE_DIM_MAX][RUN], *V;
  const double *points[FARE_DIM_MAX] = {x[0], x[1], x[2]};
  const int     count                = list_points(grid->dim, offset, weight);
  PetscScalar  *energy;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(RUN * count, &V));
  PetscCall(VecGetArray(U, &energy));
  for (PetscInt first = 0; first < owned; first += RUN) {
    const PetscInt n = PetscMin(RUN, owned - first);

    for (PetscInt i = 0; i < n; i++) {
      double x_of[FARE_DIM_MAX];

      fare_cell_centre(grid, first + i, x_of);
      for (int axis = 0; axis < grid->dim; axis++) centre[axis][i] = x_of[axis];
    }
    for (int q = 0; q < count; q++) {
      for (int axis = 0; axis < grid->dim; axis++) {
        for (PetscInt i = 0; i < n; i++) x[axis][i] = centre[axis][i] + offset[q][axis] * grid->spacing[axis];
      }
      fare_system_potential(system, t, (size_t)n, points, V + q * n);
    }
    fare_average_boltzmann((size_t)n, count, weight, T, V, energy + first);
  }
  PetscCall(VecRestoreArray(U, &energy));
  PetscCall(PetscFree(V));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_state_evaluate(const fare_grid *grid, Vec P, Vec U, double T, fare_state *s)
{
  const double       volume = fare_grid_volume(grid);
  const PetscInt     n      = fare_grid_owned(grid);
  const PetscScalar *p, *u = NULL;
  double             sum[3] = {0}, Z = 0;
  PetscReal          lowest = 0;

  PetscFunctionBegin;
  s->energy = s->equilibrium_free_energy = s->kl = NAN;
  PetscCall(VecGetArrayRead(P, &p));
  if (U) {
    PetscCall(VecMin(U, NULL, &lowest));
    PetscCall(VecGetArrayRead(U, &u));
    for (PetscInt i = 0; i < n; i++) Z += exp((lowest - u[i]) / T);
    PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &Z, 1, MPI_DOUBLE, MPI_SUM, grid->comm));
  }
  for (PetscInt i = 0; i < n; i++) {
    const double log_rest = u ? (lowest - u[i]) / T - log(Z) : 0;

    if (p[i] > 0) sum[0] -= p[i] * log(p[i] / volume);
    if (!u) continue;
    sum[1] += p[i] * u[i];
    /* each term is positive, so that a small divergence has all its digits */
    sum[2] += exp(log_rest) + (p[i] > 0 ? p[i] * (log(p[i]) - log_rest) - p[i] : 0);
  }
  PetscCall(VecRestoreArrayRead(P, &p));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, sum, 3, MPI_DOUBLE, MPI_SUM, grid->comm));
  s->entropy = sum[0];
  if (U) {
    PetscCall(VecRestoreArrayRead(U, &u));
    s->energy                  = sum[1];
    s->kl                      = sum[2];
    s->equilibrium_free_energy = lowest - T * log(volume * Z);
  }
  PetscFunctionReturn(0);
}

/* Legendre's polynomial of this degree. */
static double legendre(int degree, double x)
{
  double before = 1, now = x;

  for (int k = 1; k < degree; k++) {
    const double next = ((2 * k + 1) * x * now - k * before) / (k + 1);

    before = now;
    now    = next;
  }
  return now;
}

void fare_lobatto_make(int count, fare_lobatto *rule)
{
  const int last = count - 1;
  double    x[FARE_POINTS_MAX], P[FARE_POINTS_MAX];

  rule->count = count;
  for (int i = 0; i < count; i++) {
    x[i] = -cos(M_PI * i / last);
    /* zeros of (1 - x^2) P'(x) = last (P_{last-1} - x P_last), whose derivative is -last (last + 1) P_last */
    for (int round = 0; round < 50; round++)
      x[i] += i > 0 && i < last
        ? (legendre(last - 1, x[i]) - x[i] * legendre(last, x[i])) / ((last + 1) * legendre(last, x[i]))
        : 0;
    P[i] = legendre(last, x[i]);
  }
  for (int i = 0; i < count; i++) {
    rule->at[i]     = 0.5 * (1 + x[i]);
    rule->weight[i] = 1 / (last * (last + 1) * P[i] * P[i]);
    for (int j = 0; j < count; j++) rule->derivative[i][j] = i == j ? 0 : 2 * P[i] / (P[j] * (x[i] - x[j]));
  }
  rule->derivative[0][0]       = -0.5 * last * (last + 1);
  rule->derivative[last][last] = 0.5 * last * (last + 1);
}
