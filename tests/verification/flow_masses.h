/* SPDX-License-Identifier: BSD-2-Clause */
/* What both tests of spline flows look at: the masses of cells that a flow says it has. */
#ifndef FLOW_MASSES_H
#define FLOW_MASSES_H

#include "moving.h"

#define METHOD "normalizing_flow"

static inline void flow_begin(
  MPI_Comm comm, fare_system *system, const fare_schedule *schedule, const char *options, student *s)
{
  student_begin(comm, METHOD, "flow", system, schedule, options, s);
}

/* Masses of all cells of a serial grid, by the sampler. */
static inline void masses_of(student *s, double t, const fare_grid *grid, double to[])
{
  Vec                masses;
  const PetscScalar *mass;
  PetscInt           n;

  assert_ok(s->sampler->type->model_density(s->sampler, t, grid, &masses));
  assert_int_equal(VecGetSize(masses, &n), 0);
  VecGetArrayRead(masses, &mass);
  for (PetscInt i = 0; i < n; i++) to[i] = mass[i];
  VecRestoreArrayRead(masses, &mass);
  VecDestroy(&masses);
}

/*
  ln q in the middle of every cell of a serial grid against those masses, which are differences of cumulative
  functions: of cells so small, the L1 distance of the two is within `most`. The time is that of the last
  advance.
*/
static inline void density_fits_masses(student *s, const fare_grid *grid, const double mass[], double most)
{
  const PetscInt n   = fare_grid_owned(grid);
  double         off = 0, *x, *log_q;
  const double  *at[FARE_DIM_MAX];

  assert_int_equal(PetscMalloc2((size_t)(n * grid->dim), &x, (size_t)n, &log_q), 0);
  for (PetscInt i = 0; i < n; i++) {
    double centre[FARE_DIM_MAX];

    fare_cell_centre(grid, i, centre);
    for (int axis = 0; axis < grid->dim; axis++) x[axis * n + i] = centre[axis];
  }
  for (int axis = 0; axis < grid->dim; axis++) at[axis] = x + axis * n;
  assert_ok(s->sampler->type->log_density(s->sampler, n, at, log_q));
  for (PetscInt i = 0; i < n; i++) off += fabs(exp(log_q[i]) * fare_grid_volume(grid) - mass[i]);
  print_message("ln q in the middles of %d cells: L1 %.1e from their masses\n", (int)n, off);
  assert_between(off, 0, most);
  PetscFree2(x, log_q);
}

/* D(p||q) over cells; masses that differences of cumulative functions cannot resolve are left aside. */
static inline double divergence(PetscInt n, const double p[], const double q[])
{
  double sum = 0;

  for (PetscInt i = 0; i < n; i++) {
    if (p[i] > 1e-14) sum += p[i] * log(p[i] / q[i]);
  }
  return sum;
}

#endif
