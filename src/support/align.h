/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside support: where arrays begin. */
#ifndef FARE_ALIGN_H
#define FARE_ALIGN_H

#include <petscsys.h>

/* Lets PETSc's arrays begin with a line of the cache; after PetscInitialize. */
PetscErrorCode fare_prepare_arrays(void);

#endif
