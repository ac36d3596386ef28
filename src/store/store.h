/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside store: what an open file is, and how HDF5's failures become errors of ours. */
#ifndef FARE_STORE_PRIVATE_H
#define FARE_STORE_PRIVATE_H

#include <fare/store.h>
#include <hdf5.h>

/*
  bytes held free for what describes the data: HDF5 1.10 crashes over a file that it can neither write nor
  close
*/
#define FARE_STORE_HEADROOM (256 << 10)

struct fare_store {
  MPI_Comm  comm;
  hid_t     file;
  PetscBool writing;
  int       compression; /* level of gzip for arrays to come */
  uint64_t  limit;       /* bytes that a file may have (RLIMIT_FSIZE), the least of all ranks */
  uint64_t  end;         /* of the datasets that have a place in it, written or not */
  /* rank 0's own descriptor of a file that is written, to reserve space and to flush; else -1 */
  int         place;
  char        path[PETSC_MAX_PATH_LEN], temporary[PETSC_MAX_PATH_LEN + 8];
  fare_store *next; /* of those that are open */
};

/*
  FARE_ERR_FAILED "path: what: why", the reason by HDF5, whose next call forgets it: to be asked for at once.
*/
PetscErrorCode fare_store_failed(const char *path, const char *what);

/*
  FARE_ERR_FAILED unless the path leads to a regular file: HDF5 would wait on a named pipe for ever. Local.
*/
PetscErrorCode fare_store_look_at_file(const char *path);
/* Follows the links of an absolute path in `file`, which is open and named `in`, before HDF5 does;
   FARE_ERR_FAILED with the reason where they lead nowhere, or out of all regular files. Local. */
PetscErrorCode fare_store_look_along(const char *in, hid_t file, const char *path);
/*
  Opens the file `name` that `in` speaks of where HDF5 would look for it, by `variable` of the environment
  too. Local.
*/
PetscErrorCode fare_store_open_beside(
  const char *in, const char *variable, const char *name, size_t size, char found[], hid_t *file);
/* Writes the first `length` bytes of a prefix of HDF5's, in which ${ORIGIN} is the directory of `in`. */
void fare_store_prefix(const char *in, const char *prefix, size_t length, size_t size, char to[]);

/* A call of HDF5 that must not fail; its result is kept. */
#define H5(result, call, path, what)                            \
  do {                                                          \
    (result) = (call);                                          \
    if ((result) < 0) PetscCall(fare_store_failed(path, what)); \
  } while (0)

/*
  Room on the disk for the bytes [from, from + length) of the file. Open MPI 4.1 loses the news of a full disk
  on its way from the rank that writes for others, and the file would be taken for whole; this way it is known
  before. Collective.
*/
PetscErrorCode fare_store_reserve(fare_store *store, uint64_t from, uint64_t length);
/* The same for so many bytes at the end of the file, wherever HDF5 will put them. Collective. */
PetscErrorCode fare_store_reserve_end(fare_store *store, uint64_t length);

#endif
