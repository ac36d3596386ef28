/* SPDX-License-Identifier: BSD-2-Clause */
/* The integrator BAOAB for bodies with inertia: one block of particles through many steps. */
#ifndef FARE_BAOAB_H
#define FARE_BAOAB_H

#include <fare/langevin.h>

/*
  Kick by half a step (B), drift by half (A), friction and noise exactly over a whole one (O), A, B:
  Leimkuhler and Matthews 2013. Order 2, and in a stationary trap the positions have the exact variance at
  every stable step. One force a step. `run->theta` has one row more than steps.
*/
void fare_baoab(const fare_langevin_run *run, uint64_t block, double *const x[]);

#endif
