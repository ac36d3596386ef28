/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
  store: one HDF5 file written or read by all ranks; under its final name only when complete.
*/
#ifndef FARE_STORE_H
#define FARE_STORE_H

#include <fare/support.h>
#include <stddef.h>

typedef struct fare_store fare_store;
/** The ranks that opened a store. */
MPI_Comm fare_store_comm(const fare_store *store);

const char *fare_store_library(void); /**< "1.10.8" */

typedef enum {
  FARE_STORE_FLOAT64,
  FARE_STORE_FLOAT32,
  FARE_STORE_INT64,
  FARE_STORE_UINT64,
  FARE_STORE_UINT8
} fare_store_type;

/**
  Begins a file, as path.tmp beside its name. Collective; so are failures, here and below.

  @param comm  the ranks that write
  @param path  of the file, at most PETSC_MAX_PATH_LEN bytes
  @param store owned by the caller: fare_store_commit() or fare_store_close()
  @return FARE_ERR_FAILED, which says so where the disk is full
*/
PetscErrorCode fare_store_create(MPI_Comm comm, const char *path, fare_store **store);
/**
  Closes a file, checks that all of it can be read, flushes it to the disk and gives it its name. Collective.

  @param store set to NULL
  @return FARE_ERR_FAILED; nothing of the file stays then
*/
PetscErrorCode fare_store_commit(fare_store **store);
/**
  Opens a file for reading. Rank 0 tries first, so that a damaged file is the same error on every rank; then
  every rank reads for itself, and no rank waits inside HDF5 for one that has failed. Collective.

  @param store owned by the caller: fare_store_close()
  @return FARE_ERR_FAILED where it is no whole HDF5 file
*/
PetscErrorCode fare_store_open(MPI_Comm comm, const char *path, fare_store **store);
/**
  Closes; an uncommitted file is removed (so is one that is open when PETSc ends). Collective. Sets *store to
  NULL.
*/
PetscErrorCode fare_store_close(fare_store **store);

/** Size and CRC-32 of any file, by which a change is noticed. */
typedef struct {
  uint64_t bytes, crc32;
} fare_checksum;
/**
  Checksum of any file, the same on any number of ranks, which share the reading. Collective.

  @return FARE_ERR_FAILED where the file is missing or cannot be read
*/
PetscErrorCode fare_store_checksum(MPI_Comm comm, const char *path, fare_checksum *checksum);

/** Makes a group and its parents; no error when it exists. Collective. */
PetscErrorCode fare_store_group(fare_store *store, const char *path);

/**
  Attributes of the group or dataset at `path` ("/" for the root); same values on every rank. Strings are
  fixed-length. Collective.
*/
PetscErrorCode fare_store_put_string(
  fare_store *store, const char *path, const char *name, const char *value);
PetscErrorCode fare_store_put_strings(
  fare_store *store, const char *path, const char *name, size_t count, const char *const values[]);
PetscErrorCode fare_store_put_real(fare_store *store, const char *path, const char *name, double value);
PetscErrorCode fare_store_put_reals(
  fare_store *store, const char *path, const char *name, size_t count, const double values[]);
PetscErrorCode fare_store_put_uint32(fare_store *store, const char *path, const char *name, uint32_t value);
PetscErrorCode fare_store_put_int(fare_store *store, const char *path, const char *name, int64_t value);
PetscErrorCode fare_store_put_uint64s(
  fare_store *store, const char *path, const char *name, size_t count, const uint64_t values[]);
/** Control characters become question marks: it may be shown. */
PetscErrorCode fare_store_get_string(
  fare_store *store, const char *path, const char *name, size_t size, char value[]);
PetscErrorCode fare_store_get_real(fare_store *store, const char *path, const char *name, double *value);
/** of exactly so many */
PetscErrorCode fare_store_get_reals(
  fare_store *store, const char *path, const char *name, size_t count, double values[]);
PetscErrorCode fare_store_get_int(fare_store *store, const char *path, const char *name, int64_t *value);
/**
  Whether there is such a group or dataset; FARE_ERR_FAILED where a link on the way leads nowhere, or to a
  file that is none.
*/
PetscErrorCode fare_store_has(fare_store *store, const char *path, PetscBool *has);
PetscErrorCode fare_store_has_attribute(
  fare_store *store, const char *path, const char *name, PetscBool *has);

/**
  Level of gzip, 0 to 9, for datasets of one extent that fare_store_write makes from now on; 0, as at first:
  none. The same on every rank.
*/
void fare_store_set_compression(fare_store *store, int level);

/**
  Writes a dataset and makes its parents. Collective.

  @param path   of the dataset, which must not exist
  @param type   of its elements in the file and in `data`
  @param rank   number of extents, 1 to 4
  @param global extents of the dataset, slowest first
  @param start  where this rank's box begins
  @param count  extents of that box; a zero: this rank has nothing
  @param data   of the box, row-major and contiguous; may be NULL where it is empty
*/
PetscErrorCode fare_store_write(fare_store *store, const char *path, fare_store_type type, int rank,
  const uint64_t global[], const uint64_t start[], const uint64_t count[], const void *data);
/**
  Writes a dataset that rank 0 holds whole. Collective.

  @param extent of the dataset
  @param data   of rank 0; that of other ranks is ignored
*/
PetscErrorCode fare_store_write_array(fare_store *store, const char *path, fare_store_type type, int rank,
  const uint64_t extent[], const void *data);
/** Reads this rank's box of a dataset, converted to `type`; parameters as of fare_store_write(). */
PetscErrorCode fare_store_read(fare_store *store, const char *path, fare_store_type type, int rank,
  const uint64_t start[], const uint64_t count[], void *data);
/** Reads a dataset from its origin on, as much of it as `extent` says: on every rank what that rank wants. */
PetscErrorCode fare_store_read_array(
  fare_store *store, const char *path, fare_store_type type, int rank, const uint64_t extent[], void *data);
/**
  This rank's box of a dataset that fare_store_write has made: for one too large to be held at once, made by
  boxes of nothing. Collective.
*/
PetscErrorCode fare_store_fill(fare_store *store, const char *path, fare_store_type type, int rank,
  const uint64_t start[], const uint64_t count[], const void *data);
/**
  What a dataset holds, whatever its width and byte order (truth values are integers); FARE_STORE_NEITHER for
  texts, structs and groups too.
*/
typedef enum { FARE_STORE_REALS, FARE_STORE_INTEGERS, FARE_STORE_NEITHER } fare_store_kind;
PetscErrorCode fare_store_kind_of(fare_store *store, const char *path, fare_store_kind *kind);
/** The extents of a dataset; *rank at most 4. */
PetscErrorCode fare_store_extents(fare_store *store, const char *path, int *rank, uint64_t global[4]);
/**
  FARE_ERR_FAILED with the reason unless all that a dataset claims to hold is there: chunks that were never
  written, external files that are too short and missing sources of a virtual dataset would be read as zeros.
  Rank 0 looks. Collective.
*/
PetscErrorCode fare_store_check_whole(fare_store *store, const char *path);
/**
  The number that stands in a dataset where none was written. What has its place in a file from the start may
  hold it without a sign that it was never written. Local.
*/
PetscErrorCode fare_store_fill_value(fare_store *store, const char *path, double *value);
/** The name of the i-th thing in a group, in alphabetical order; *has is false past the last. Collective. */
PetscErrorCode fare_store_child(
  fare_store *store, const char *group, size_t i, size_t size, char name[], PetscBool *has);
/**
  Labels an axis of a dataset with the values along it: a dimension scale of HDF5 named `name` in the group of
  the dataset, which all datasets of the group share. The first call makes it. Where that group holds
  something else of that name, the axis stays without a label. Collective.

  @param path   of the dataset, absolute
  @param axis   of the dataset, 0 the slowest
  @param count  extent of the dataset along it
  @param values `count` of them, on rank 0; that of other ranks is ignored
*/
PetscErrorCode fare_store_label(
  fare_store *store, const char *path, int axis, const char *name, uint64_t count, const double values[]);
/** Whether a dataset labels an axis of others. */
PetscErrorCode fare_store_is_label(fare_store *store, const char *path, PetscBool *is_label);
/** Gives what is at `path` a second name, which must be free. Collective. */
PetscErrorCode fare_store_link(fare_store *store, const char *path, const char *name);
/** A text as a scalar string dataset. Collective. */
PetscErrorCode fare_store_write_text(fare_store *store, const char *path, const char *text);
/** Appends what that wrote. Every rank reads all of it. */
PetscErrorCode fare_store_read_text(fare_store *store, const char *path, fare_text *text);

/*
  The state of a struct as a table: one line for each member that must be kept, so that saving and loading are
  the same for all structs. Loading replaces what the members hold.
*/
typedef enum {
  /* in the struct: PetscBool; int64_t, uint64_t, size_t or PetscInt64; double; another struct */
  FARE_KEPT_BOOLEAN,
  FARE_KEPT_INTEGER,
  FARE_KEPT_REAL,
  FARE_KEPT_STRUCT,
  /*
    pointers to memory of PetscMalloc, or NULL, with a length: int64_t or uint64_t; double; float; structs
  */
  FARE_KEPT_INTEGERS,
  FARE_KEPT_REALS,
  FARE_KEPT_SINGLES,
  FARE_KEPT_STRUCTS,
  /* a pointer, or NULL, to what is saved and loaded by functions of its own */
  FARE_KEPT_OBJECT
} fare_kept_kind;

/* How objects of one type are saved and loaded at `path`, which is a group or dataset of their own. */
typedef struct {
  PetscErrorCode (*save)(const void *object, fare_store *to, const char *path);
  /*
    Fills **object, or makes it where that is NULL; `context` is that of fare_kept_load. FARE_ERR_FAILED where
    what is saved does not fit.
  */
  PetscErrorCode (*load)(void **object, void *context, fare_store *from, const char *path);
} fare_kept_type;

typedef struct fare_kept fare_kept;
struct fare_kept {
  const char      *name; /* of an attribute, dataset or group; NULL ends the table */
  fare_kept_kind   kind;
  size_t           offset; /* of the member */
  int              count;  /* of values or objects that stand side by side in the struct; 0: one */
  size_t           length; /* behind a pointer: offset of the 8-byte integer that holds how many there are */
  size_t           size;   /* of one of FARE_KEPT_STRUCTS */
  const fare_kept *fields; /* of FARE_KEPT_STRUCT and FARE_KEPT_STRUCTS */
  const fare_kept_type *type; /* of FARE_KEPT_OBJECT */
  unsigned              only; /* kept only in cases that share a bit with it; 0: always */
};
/* A member of this kind, under its own name, and what more there is to say of it. */
#define FARE_KEEP(kind_, type, member)                                           \
  {                                                                              \
    .name = #member, .kind = FARE_KEPT_##kind_, .offset = offsetof(type, member) \
  }
#define FARE_KEEP_WITH(kind_, type, member, ...)                                              \
  {                                                                                           \
    .name = #member, .kind = FARE_KEPT_##kind_, .offset = offsetof(type, member), __VA_ARGS__ \
  }
#define FARE_KEPT_END \
  {                   \
    .name = NULL      \
  }

/*
  Writes all of a table that is kept in this case, alike on all ranks but for objects, into a group.
  Collective.
*/
PetscErrorCode fare_kept_save(
  const fare_kept *table, const void *from, unsigned only, fare_store *to, const char *group);
/*
  Reads it back. FARE_ERR_FAILED, naming the dataset or attribute, where one is missing or has another shape.
  Collective.
*/
PetscErrorCode fare_kept_load(
  const fare_kept *table, void *to, unsigned only, void *context, fare_store *from, const char *group);
/* Frees the arrays that a table names, and sets their pointers to NULL and their lengths to 0. */
PetscErrorCode fare_kept_free(const fare_kept *table, void *of);

#endif
