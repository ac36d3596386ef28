/* Inside record. */
#ifndef FARE_RECORD_PRIVATE_H
#define FARE_RECORD_PRIVATE_H

#include <fare/record.h>

struct fare_record {
  fare_record_options options;
  MPI_Comm    comm;
  char        directory[PETSC_MAX_PATH_LEN], path[PETSC_MAX_PATH_LEN + 64];
  fare_store *store; /* of the snapshot under way */
  int64_t     index;
};

/* Least and greatest of n numbers; n = 0: infinite and the wrong way round. A kernel. */
void fare_record_bounds(int64_t n, const double x[], double *least, double *most);

#endif
