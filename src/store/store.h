/* Inside store: what an open file is, and how HDF5's failures become errors of ours. */
#ifndef FARE_STORE_PRIVATE_H
#define FARE_STORE_PRIVATE_H

#include <fare/store.h>
#include <hdf5.h>

#define FARE_STORE_HEADROOM (256 << 10) /* bytes held free for what describes the data: HDF5 1.10 crashes over a file that it can neither write nor close */

struct fare_store {
  MPI_Comm    comm;
  hid_t       file;
  PetscBool   writing;
  int         compression; /* level of gzip for arrays to come */
  uint64_t    limit; /* bytes that a file may have (RLIMIT_FSIZE), the least of all ranks */
  int         place; /* rank 0's own descriptor of a file that is written, to reserve space and to flush; else -1 */
  char        path[PETSC_MAX_PATH_LEN], temporary[PETSC_MAX_PATH_LEN + 8];
  fare_store *next; /* of those that are open */
};

/* FARE_ERR_FAILED "path: what: why", the reason by HDF5, whose next call forgets it: to be asked for at once. */
PetscErrorCode fare_store_failed(const char *path, const char *what);

/* A call of HDF5 that must not fail; its result is kept. */
#define H5(result, call, path, what) \
  do { \
    (result) = (call); \
    if ((result) < 0) PetscCall(fare_store_failed(path, what)); \
  } while (0)

/*
  Room on the disk for the bytes [from, from + length) of the file. Open MPI 4.1 loses the news of a full disk on its way from the
  rank that writes for others, and the file would be taken for whole; this way it is known before. Collective.
*/
PetscErrorCode fare_store_reserve(fare_store *store, uint64_t from, uint64_t length);
/* The same for so many bytes at the end of the file, wherever HDF5 will put them. Collective. */
PetscErrorCode fare_store_reserve_end(fare_store *store, uint64_t length);

#endif
