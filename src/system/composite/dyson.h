/* SPDX-License-Identifier: BSD-2-Clause */
/* Kernels of Dyson's Brownian motion; see dyson.c. */
#ifndef FARE_DYSON_H
#define FARE_DYSON_H

#include <fare/system.h>

enum { FARE_DYSON_STIFFNESS = FARE_OWN, FARE_DYSON_CENTRE };

fare_scalar_kernel fare_dyson_potential;
fare_vector_kernel fare_dyson_force;

#endif
