/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside composites: the springs of a chain, for batches of points. */
#ifndef FARE_CHAIN_PRIVATE_H
#define FARE_CHAIN_PRIVATE_H

#include <stddef.h>

/* Adds sum_i coupling/2 (x_i - x_{i+1})^2 to V. A kernel. */
void fare_springs_energy(double coupling, int sites, size_t n, const double *const x[], double V[]);
/* Adds what pulls at each site to f. A kernel. */
void fare_springs_force(double coupling, int sites, size_t n, const double *const x[], double *const f[]);

#endif
