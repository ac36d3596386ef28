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
