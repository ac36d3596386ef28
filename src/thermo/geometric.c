/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The least rate of entropy production that changes the density as it does: of all currents with the same
  divergence, that which is driven by a gradient (Maes and Netocny, J. Stat. Phys. 154, 188 (2014); Nakazato
  and Ito, Phys. Rev. Res. 3, 043093 (2021); for rates over faces Yoshimura, Kolchinsky, Dechant and Ito,
  Phys. Rev. Res. 5, 013017 (2023)). A face carries J = m ln(a/b) with a and b what goes up and down over it,
  and m their logarithmic mean; div(m grad phi) = div J is solved for phi, and the rate is the sum of m (grad
  phi)^2.
*/
#include "thermo.h"

#include <math.h>

/* Weights of faces, [n * 2 dim + 2 axis + side], 0 where masses are not resolved; what leaves each cell. */
typedef struct {
  const fare_grid *grid;
  double          *weight;
  Vec              rows, leaving; /* sums of a cell's weights, 1 where there are none; of its currents */
  PetscBool        infinite;
} network;

static double log_mean(double a, double b)
{
  const double x = (a - b) / (a + b); /* ln(a/b) = 2 artanh x */

  return fabs(x) < 1e-4 ? 0.5 * (a + b) * (1 - x * x / 3) : (a - b) / log(a / b);
}

static double weigh(network *net, double a, double b, double here, double there)
{
  if (!fare_face_matters(here, there) || (a == 0 && b == 0)) return 0;
  if (!(a > 0 && b > 0)) {
    net->infinite = PETSC_TRUE;
    return 0;
  }
  return log_mean(a, b);
}

static PetscErrorCode fill(network *net, fare_operator *op, double t, Vec P)
{
  const fare_grid   *grid  = net->grid;
  const PetscInt     faces = 2 * grid->dim, owned = fare_grid_owned(grid);
  const PetscScalar *p;
  PetscScalar       *rows, *sum;
  double            *out, *in;
  fare_ghosts        ghosts;
  Vec                local;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(owned * faces, &out, owned * faces, &in));
  PetscCall(fare_operator_faces(op, t, out, in));
  PetscCall(fare_ghosts_of(grid, &ghosts));
  PetscCall(fare_ghosts_get(grid, P, &local, &p));
  PetscCall(VecGetArrayWrite(net->rows, &rows));
  PetscCall(VecGetArrayWrite(net->leaving, &sum));
  for (PetscInt n = 0; n < owned; n++) {
    PetscInt index[FARE_DIM_MAX], here;

    fare_cell_index(grid, n, index);
    here    = fare_ghosts_at(&ghosts, index);
    rows[n] = sum[n] = 0;
    for (PetscInt face = 0; face < faces; face++) {
      const PetscInt  at = n * faces + face, there = fare_ghosts_over(&ghosts, here, face);
      const PetscBool open = out[at] > 0 || in[at] > 0 ? PETSC_TRUE : PETSC_FALSE;

      net->weight[at] = open ? weigh(net, out[at] * p[here], in[at] * p[there], p[here], p[there]) : 0;
      rows[n] += net->weight[at];
      if (net->weight[at] > 0) sum[n] += out[at] * p[here] - in[at] * p[there];
    }
    if (!(rows[n] > 0)) rows[n] = 1;
  }
  PetscCall(VecRestoreArrayWrite(net->leaving, &sum));
  PetscCall(VecRestoreArrayWrite(net->rows, &rows));
  PetscCall(fare_ghosts_restore(grid, &local, &p));
  PetscCall(PetscFree2(out, in));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &net->infinite, 1, MPIU_BOOL, MPI_LOR, grid->comm));
  PetscFunctionReturn(0);
}

/* Rows of the Laplacian over their sums of weights: 1 on the diagonal, and a little more. */
static PetscErrorCode assemble(const network *net, double more, Mat A)
{
  const PetscInt     faces = 2 * net->grid->dim, owned = fare_grid_owned(net->grid), width = 1 + faces;
  const PetscScalar *rows;
  PetscScalar       *entries;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(owned * width, &entries));
  PetscCall(VecGetArrayRead(net->rows, &rows));
  for (PetscInt n = 0; n < owned; n++) {
    entries[n * width] = 1 + more;
    for (PetscInt face = 0; face < faces; face++)
      entries[n * width + 1 + face] = -net->weight[n * faces + face] / rows[n];
  }
  PetscCall(VecRestoreArrayRead(net->rows, &rows));
  PetscCall(MatSetValuesCOO(A, entries, INSERT_VALUES));
  PetscCall(PetscFree(entries));
  PetscFunctionReturn(0);
}

/*
  The potential is known up to a constant, one for each part of the box that is cut off: the shift makes the
  matrix regular, and changes the rate by about shift n^2 of itself for n cells along an axis.
*/
static PetscErrorCode solve(const network *net, fare_operator *op, Vec potential)
{
  const double       shift = 1e-12;
  Mat                A;
  Vec                rhs;
  KSP                ksp;
  KSPConvergedReason reason;

  PetscFunctionBegin;
  PetscCall(fare_operator_matrix(op, &A));
  PetscCall(assemble(net, shift, A));
  PetscCall(VecDuplicate(potential, &rhs));
  PetscCall(VecPointwiseDivide(rhs, net->leaving, net->rows));
  PetscCall(KSPCreate(net->grid->comm, &ksp));
  PetscCall(KSPSetOperators(ksp, A, A));
  PetscCall(fare_linear_solver_choose(net->grid, ksp));
  PetscCall(KSPSetTolerances(ksp, 1e-10, 1e-300, PETSC_DEFAULT, 300));
  PetscCall(KSPSetOptionsPrefix(ksp, "geometric_"));
  PetscCall(KSPSetFromOptions(ksp));
  PetscCall(KSPSolve(ksp, rhs, potential));
  PetscCall(KSPGetConvergedReason(ksp, &reason));
  PetscCall(KSPDestroy(&ksp));
  PetscCall(VecDestroy(&rhs));
  PetscCall(MatDestroy(&A));
  if (reason < 0 && reason != KSP_DIVERGED_ITS) PetscCall(VecSet(potential, NAN));
  PetscFunctionReturn(0);
}

/* Sum of m (grad phi)^2, each face once; and what the currents say it is: sum of J grad phi. */
static PetscErrorCode add_up(const network *net, Vec potential, double *rate, double *by_currents)
{
  const fare_grid   *grid  = net->grid;
  const PetscInt     faces = 2 * grid->dim;
  const PetscScalar *phi;
  PetscScalar        dot;
  fare_ghosts        ghosts;
  Vec                local;

  PetscFunctionBegin;
  *rate = 0;
  PetscCall(fare_ghosts_of(grid, &ghosts));
  PetscCall(fare_ghosts_get(grid, potential, &local, &phi));
  for (PetscInt n = 0; n < fare_grid_owned(grid); n++) {
    PetscInt index[FARE_DIM_MAX], here;

    fare_cell_index(grid, n, index);
    here = fare_ghosts_at(&ghosts, index);
    for (int axis = 0; axis < grid->dim; axis++) {
      const double m = net->weight[n * faces + 2 * axis + 1];

      if (m > 0) *rate += m * pow(phi[here] - phi[here + ghosts.stride[axis]], 2);
    }
  }
  PetscCall(fare_ghosts_restore(grid, &local, &phi));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, rate, 1, MPI_DOUBLE, MPI_SUM, grid->comm));
  PetscCall(VecDot(net->leaving, potential, &dot));
  *by_currents = dot;
  PetscFunctionReturn(0);
}

PetscErrorCode fare_geometric_rate(const fare_grid *grid, fare_operator *op, double t, Vec P, double *rate)
{
  const double most = 1e-6; /* of the rate, by which the two sums may differ */
  network      net  = {.grid = grid};
  Vec          potential;
  double       by_currents;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(fare_grid_owned(grid) * 2 * grid->dim, &net.weight));
  PetscCall(VecDuplicate(P, &net.rows));
  PetscCall(VecDuplicate(P, &net.leaving));
  PetscCall(VecDuplicate(P, &potential));
  PetscCall(fill(&net, op, t, P));
  if (net.infinite)
    *rate = INFINITY;
  else {
    PetscCall(solve(&net, op, potential));
    PetscCall(add_up(&net, potential, rate, &by_currents));
    if (!(fabs(*rate - by_currents) <= most * *rate + 1e-14)) *rate = NAN;
  }
  PetscCall(VecDestroy(&potential));
  PetscCall(VecDestroy(&net.leaving));
  PetscCall(VecDestroy(&net.rows));
  PetscCall(PetscFree(net.weight));
  PetscFunctionReturn(0);
}
