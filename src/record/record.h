/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside record. */
#ifndef FARE_RECORD_PRIVATE_H
#define FARE_RECORD_PRIVATE_H

#include <fare/record.h>

/* Holds a directory for this process. */
typedef struct fare_lock fare_lock;
/*
  FARE_ERR_INPUT where another run holds it, with its host and process. The lock of a run that is gone is
  taken over. On one rank.
*/
PetscErrorCode fare_lock_take(const char *directory, fare_lock **lock);
/* FARE_ERR_FAILED where the directory was taken away or over since. On one rank. */
PetscErrorCode fare_lock_check(const fare_lock *lock);
/* Sets *lock, which may be NULL, to NULL. The message that was kept last may be another then. On one rank. */
PetscErrorCode fare_lock_release(fare_lock **lock);

/* fare_record_mesh without a second name at the root, where coordinates of meshes of other grids are. */
PetscErrorCode fare_record_unlabelled_mesh(fare_record *record, const char *name, const char *comment,
  const fare_grid *grid, Vec values, double divisor);

struct fare_record {
  fare_record_options options;
  MPI_Comm            comm;
  char                directory[PETSC_MAX_PATH_LEN], path[PETSC_MAX_PATH_LEN + 64];
  fare_lock          *lock;  /* of rank 0 */
  fare_store         *store; /* of the snapshot under way */
  int64_t             index;
};

/* Least and greatest of n numbers; n = 0: infinite and the wrong way round. A kernel. */
void fare_record_bounds(int64_t n, const double x[], double *least, double *most);

#endif
