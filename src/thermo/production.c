/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Entropy production of a density on the grid: sums over faces, as for any Markov chain (Schnakenberg, Rev.
  Mod. Phys. 48, 571 (1976); Hatano and Sasa, Phys. Rev. Lett. 86, 3463 (2001); Esposito and Van den Broeck,
  Phys. Rev. Lett. 104, 090601 (2010)).
*/
#include "thermo.h"

#include <math.h>

/*
  One face: masses p, energies u and masses at rest r of the cells below and above it. Any but p may be NULL.
*/
static void add_face(
  double up, double down, const double p[2], const double *u, const double *r, double T, fare_production *sum)
{
  const double a = up * p[0], b = down * p[1], J = a - b;

  if (u) sum->absorbed += J * (u[1] - u[0]);
  if (!fare_face_matters(p[0], p[1])) return;
  if (!(a > 0 && b > 0)) {
    sum->total = sum->excess = INFINITY; /* a transition whose reverse does not happen */
    return;
  }
  sum->total += J * log(a / b);
  if (u) sum->power += J * (T * log(up / down) - (u[0] - u[1]));
  if (!r) return;
  if (!(PetscMin(r[0], r[1]) > 0)) {
    sum->housekeeping = sum->excess = NAN; /* masses where the stationary density is not resolved */
    return;
  }
  sum->housekeeping += J * log(up * r[0] / (down * r[1]));
  sum->excess += J * log(p[0] * r[1] / (p[1] * r[0]));
}

static void add_cells(const fare_grid *grid, const fare_ghosts *ghosts, const double *leaving,
  const double *entering, const PetscScalar *p, const PetscScalar *u, const PetscScalar *r, double T,
  fare_production *sum)
{
  for (PetscInt n = 0; n < fare_grid_owned(grid); n++) {
    PetscInt index[FARE_DIM_MAX], here;

    fare_cell_index(grid, n, index);
    here = fare_ghosts_at(ghosts, index);
    for (int axis = 0; axis < grid->dim; axis++) {
      const PetscInt face = n * 2 * grid->dim + 2 * axis + 1, above = here + ghosts->stride[axis];
      const double   up = leaving[face], down = entering[face];

      if (up == 0 && down == 0) continue; /* a closed end, or rates that underflow */
      add_face(up, down, (const double[2]){p[here], p[above]},
        u ? (const double[2]){u[here], u[above]} : NULL, r ? (const double[2]){r[here], r[above]} : NULL, T,
        sum);
    }
  }
}

PetscErrorCode fare_production_rates(const fare_grid *grid, const fare_system *system, fare_operator *op,
  double t, Vec P, Vec U, Vec rest, fare_production *rates)
{
  const int          defined = fare_thermo_defines(system);
  fare_production    sum     = {0};
  const PetscScalar *p, *u, *r;
  Vec                local[3];
  fare_ghosts        ghosts;
  double            *leaving, *entering;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(
    fare_grid_owned(grid) * 2 * grid->dim, &leaving, fare_grid_owned(grid) * 2 * grid->dim, &entering));
  PetscCall(fare_operator_faces(op, t, leaving, entering));
  PetscCall(fare_ghosts_of(grid, &ghosts));
  PetscCall(fare_ghosts_get(grid, P, &local[0], &p));
  PetscCall(fare_ghosts_get(grid, U, &local[1], &u));
  PetscCall(fare_ghosts_get(grid, rest, &local[2], &r));
  add_cells(grid, &ghosts, leaving, entering, p, u, r, U ? fare_system_kT(system, t) : 1, &sum);
  PetscCall(fare_ghosts_restore(grid, &local[2], &r));
  PetscCall(fare_ghosts_restore(grid, &local[1], &u));
  PetscCall(fare_ghosts_restore(grid, &local[0], &p));
  PetscCall(PetscFree2(leaving, entering));
  PetscCallMPI(
    MPI_Allreduce(MPI_IN_PLACE, &sum, sizeof sum / sizeof(double), MPI_DOUBLE, MPI_SUM, grid->comm));
  if (!rest) sum.excess = sum.total; /* detailed balance: nothing is spent on keeping house */
  if (!(defined & FARE_HAS_NONCONSERVATIVE)) sum.power = 0;
  if (!(defined & FARE_HAS_PRODUCTION)) sum.total = sum.housekeeping = sum.excess = NAN;
  if (!U) sum.power = sum.absorbed = NAN;
  *rates = sum;
  PetscFunctionReturn(0);
}
