/* Inside record. */
#ifndef FARE_RECORD_PRIVATE_H
#define FARE_RECORD_PRIVATE_H

#include <fare/record.h>

struct fare_record {
  MPI_Comm    comm;
  char        directory[PETSC_MAX_PATH_LEN], path[PETSC_MAX_PATH_LEN + 64];
  fare_store *store; /* of the snapshot under way */
  int64_t     index;
};

#endif
