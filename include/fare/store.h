/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
  store: one HDF5 file written or read by all ranks; under its final name only when complete.
*/
#ifndef FARE_STORE_H
#define FARE_STORE_H

#include <fare/support.h>
#include <stddef.h>

/** An open file. */
typedef struct fare_store fare_store;
/**
  The ranks that opened a store. Not collective.

  @param store open
  @return their communicator; borrowed
*/
MPI_Comm fare_store_comm(const fare_store *store);

/**
  The version of HDF5. Not collective.

  @return "1.10.8"; valid until the next call
*/
const char *fare_store_library(void);

/** The type of numbers in memory. */
typedef enum {
  FARE_STORE_FLOAT64, /**< double */
  FARE_STORE_FLOAT32, /**< float */
  FARE_STORE_INT64,   /**< int64_t */
  FARE_STORE_UINT64,  /**< uint64_t */
  FARE_STORE_UINT8    /**< uint8_t */
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

  @param comm  the ranks that read
  @param path  of the file
  @param store owned by the caller: fare_store_close()
  @return FARE_ERR_FAILED where it is no whole HDF5 file
*/
PetscErrorCode fare_store_open(MPI_Comm comm, const char *path, fare_store **store);
/**
  Closes; an uncommitted file is removed (so is one that is open when PETSc ends). Collective.

  @param store set to NULL; may be NULL
  @return FARE_ERR_FAILED where HDF5 cannot close the file
*/
PetscErrorCode fare_store_close(fare_store **store);

/** Size and CRC-32 of any file, by which a change is noticed. */
typedef struct {
  uint64_t bytes; /**< of the file */
  uint64_t crc32; /**< of all of them */
} fare_checksum;
/**
  Checksum of any file, the same on any number of ranks, which share the reading. Collective.

  @param comm     the ranks
  @param path     of the file
  @param checksum the same on every rank
  @return FARE_ERR_FAILED where the file is missing or cannot be read
*/
PetscErrorCode fare_store_checksum(MPI_Comm comm, const char *path, fare_checksum *checksum);

/**
  Makes a group and its parents; no error when it exists. Collective.

  @param store open for writing
  @param path  of the group
  @return FARE_ERR_FAILED with HDF5's reason
*/
PetscErrorCode fare_store_group(fare_store *store, const char *path);

/** @name Attributes. Values are the same on every rank; all of these are collective. */
/** @{ */
/**
  Writes a string of fixed length.

  @param store open for writing
  @param path  of a group or dataset; "/" for the root
  @param name  of the attribute
  @param value copied
  @return FARE_ERR_FAILED with HDF5's reason
*/
PetscErrorCode fare_store_put_string(
  fare_store *store, const char *path, const char *name, const char *value);
/**
  Writes strings, padded to the longest.

  @param store open for writing
  @param path  of a group or dataset; "/" for the root
  @param name  of the attribute
  @param count of strings
  @param values copied
  @return FARE_ERR_FAILED with HDF5's reason
*/
PetscErrorCode fare_store_put_strings(
  fare_store *store, const char *path, const char *name, size_t count, const char *const values[]);
/**
  Writes a double.

  @param store open for writing
  @param path  of a group or dataset; "/" for the root
  @param name  of the attribute
  @param value the number
  @return FARE_ERR_FAILED with HDF5's reason
*/
PetscErrorCode fare_store_put_real(fare_store *store, const char *path, const char *name, double value);
/**
  Writes doubles.

  @param store open for writing
  @param path  of a group or dataset; "/" for the root
  @param name  of the attribute
  @param count of numbers
  @param values the numbers
  @return FARE_ERR_FAILED with HDF5's reason
*/
PetscErrorCode fare_store_put_reals(
  fare_store *store, const char *path, const char *name, size_t count, const double values[]);
/**
  Writes an unsigned integer of 32 bits, as openPMD wants some of its attributes.

  @param store open for writing
  @param path  of a group or dataset; "/" for the root
  @param name  of the attribute
  @param value the number
  @return FARE_ERR_FAILED with HDF5's reason
*/
PetscErrorCode fare_store_put_uint32(fare_store *store, const char *path, const char *name, uint32_t value);
/**
  Writes an integer.

  @param store open for writing
  @param path  of a group or dataset; "/" for the root
  @param name  of the attribute
  @param value the number
  @return FARE_ERR_FAILED with HDF5's reason
*/
PetscErrorCode fare_store_put_int(fare_store *store, const char *path, const char *name, int64_t value);
/**
  Writes unsigned integers.

  @param store open for writing
  @param path  of a group or dataset; "/" for the root
  @param name  of the attribute
  @param count of numbers
  @param values the numbers
  @return FARE_ERR_FAILED with HDF5's reason
*/
PetscErrorCode fare_store_put_uint64s(
  fare_store *store, const char *path, const char *name, size_t count, const uint64_t values[]);
/**
  Reads a string. Control characters become question marks, so that it may be shown.

  @param store open
  @param path  of a group or dataset; "/" for the root
  @param name  of the attribute
  @param size  of `value`, in bytes
  @param value the string, cut where it is longer
  @return FARE_ERR_FAILED where there is no such attribute
*/
PetscErrorCode fare_store_get_string(
  fare_store *store, const char *path, const char *name, size_t size, char value[]);
/**
  Reads a number.

  @param store open
  @param path  of a group or dataset; "/" for the root
  @param name  of the attribute
  @param value the number
  @return FARE_ERR_FAILED where there is no such attribute
*/
PetscErrorCode fare_store_get_real(fare_store *store, const char *path, const char *name, double *value);
/**
  Reads exactly so many numbers.

  @param store open
  @param path  of a group or dataset; "/" for the root
  @param name  of the attribute
  @param count of numbers
  @param values the numbers
  @return FARE_ERR_FAILED where there is no such attribute
*/
PetscErrorCode fare_store_get_reals(
  fare_store *store, const char *path, const char *name, size_t count, double values[]);
/**
  Reads an integer.

  @param store open
  @param path  of a group or dataset; "/" for the root
  @param name  of the attribute
  @param value the number
  @return FARE_ERR_FAILED where there is no such attribute
*/
PetscErrorCode fare_store_get_int(fare_store *store, const char *path, const char *name, int64_t *value);
/**
  Whether there is an attribute.

  @param store open
  @param path  of a group or dataset, which may be missing
  @param name  of the attribute
  @param has   the answer
  @return as of fare_store_has()
*/
PetscErrorCode fare_store_has_attribute(
  fare_store *store, const char *path, const char *name, PetscBool *has);
/** @} */
/**
  Whether there is a group or dataset. Collective.

  @param store open
  @param path  of it
  @param has   the answer
  @return FARE_ERR_FAILED where a link on the way leads nowhere, or to a file that is none
*/
PetscErrorCode fare_store_has(fare_store *store, const char *path, PetscBool *has);

/**
  Compresses the datasets of one extent that fare_store_write() makes from now on. Not collective.

  @param store open for writing
  @param level of gzip, 0 to 9, the same on every rank; 0, as at first: none
*/
void fare_store_set_compression(fare_store *store, int level);

/**
  Writes a dataset and makes its parents. Collective.

  @param store  open for writing
  @param path   of the dataset, which must not exist
  @param type   of its elements in the file and in `data`
  @param rank   number of extents, 1 to 4
  @param global extents of the dataset, slowest first
  @param start  where this rank's box begins
  @param count  extents of that box; a zero: this rank has nothing
  @param data   of the box, row-major and contiguous; may be NULL where it is empty
  @return FARE_ERR_FAILED, which says so where the disk is full
*/
PetscErrorCode fare_store_write(fare_store *store, const char *path, fare_store_type type, int rank,
  const uint64_t global[], const uint64_t start[], const uint64_t count[], const void *data);
/**
  Writes a dataset that rank 0 holds whole. Collective.

  @param store  open for writing
  @param path   as of fare_store_write()
  @param type   as there
  @param rank   as there
  @param extent of the dataset
  @param data   of rank 0; that of other ranks is ignored
  @return as of fare_store_write()
*/
PetscErrorCode fare_store_write_array(fare_store *store, const char *path, fare_store_type type, int rank,
  const uint64_t extent[], const void *data);
/**
  Reads this rank's box of a dataset. Collective.

  @param store open
  @param path  of the dataset
  @param type  that numbers are converted to
  @param rank  its number of extents
  @param start where the box begins
  @param count its extents; a zero: this rank wants nothing
  @param data  of the box, row-major and contiguous
  @return FARE_ERR_FAILED where the dataset is missing or has another shape
*/
PetscErrorCode fare_store_read(fare_store *store, const char *path, fare_store_type type, int rank,
  const uint64_t start[], const uint64_t count[], void *data);
/**
  Reads a dataset from its origin on. Collective.

  @param store  open
  @param path   as of fare_store_read()
  @param type   as there
  @param rank   as there
  @param extent as much as this rank wants
  @param data   row-major and contiguous
  @return as of fare_store_read()
*/
PetscErrorCode fare_store_read_array(
  fare_store *store, const char *path, fare_store_type type, int rank, const uint64_t extent[], void *data);
/**
  Writes this rank's box to a dataset that fare_store_write() has made, of boxes of nothing for instance,
  where all of it is too large to be held at once. Collective.

  @param store open for writing
  @param path  as of fare_store_write()
  @param type  as there
  @param rank  as there
  @param start as there
  @param count as there
  @param data  as there
  @return as of fare_store_write()
*/
PetscErrorCode fare_store_fill(fare_store *store, const char *path, fare_store_type type, int rank,
  const uint64_t start[], const uint64_t count[], const void *data);
/** What a dataset holds, whatever its width and byte order. */
typedef enum {
  FARE_STORE_REALS,
  FARE_STORE_INTEGERS, /**< truth values, too */
  FARE_STORE_NEITHER   /**< texts and structs; a group, or nothing */
} fare_store_kind;
/**
  What a dataset holds. Collective.

  @param store open
  @param path  of a dataset, group or nothing
  @param kind  of its elements
  @return as of fare_store_has()
*/
PetscErrorCode fare_store_kind_of(fare_store *store, const char *path, fare_store_kind *kind);
/**
  The extents of a dataset. Collective.

  @param store  open
  @param path   of the dataset
  @param rank   number of its extents, at most 4
  @param global the extents, slowest first
  @return FARE_ERR_FAILED where there is no such dataset, or one of more extents
*/
PetscErrorCode fare_store_extents(fare_store *store, const char *path, int *rank, uint64_t global[4]);
/**
  Whether all that a dataset claims to hold is there: chunks that were never written, external files that are
  too short and missing sources of a virtual dataset would be read as zeros. Rank 0 looks. Collective.

  @param store open
  @param path  of the dataset
  @return FARE_ERR_FAILED with the reason where something is missing
*/
PetscErrorCode fare_store_check_whole(fare_store *store, const char *path);
/**
  The number that stands in a dataset where none was written. What has its place in a file from the start may
  hold it without a sign that it was never written. Not collective.

  @param store open
  @param path  of the dataset
  @param value the number
  @return FARE_ERR_FAILED where there is no such dataset
*/
PetscErrorCode fare_store_fill_value(fare_store *store, const char *path, double *value);
/**
  The name of the i-th thing in a group, in alphabetical order. Collective.

  @param store open
  @param group of the file
  @param i     from 0
  @param size  of `name`, in bytes
  @param name  of the thing
  @param has   false past the last
  @return FARE_ERR_FAILED with HDF5's reason
*/
PetscErrorCode fare_store_child(
  fare_store *store, const char *group, size_t i, size_t size, char name[], PetscBool *has);
/**
  Labels an axis of a dataset with the values along it: a dimension scale of HDF5 named `name` in the group of
  the dataset, which all datasets of the group share. The first call makes it. Where that group holds
  something else of that name, the axis stays without a label. Collective.

  @param store  open for writing
  @param path   of the dataset, absolute
  @param axis   of the dataset, 0 the slowest
  @param name   of the axis
  @param count  extent of the dataset along it
  @param values `count` of them, on rank 0; that of other ranks is ignored
  @return FARE_ERR_FAILED with HDF5's reason
*/
PetscErrorCode fare_store_label(
  fare_store *store, const char *path, int axis, const char *name, uint64_t count, const double values[]);
/**
  Whether a dataset labels an axis of others. Collective.

  @param store    open
  @param path     of the dataset, which may be missing
  @param is_label the answer
  @return as of fare_store_has()
*/
PetscErrorCode fare_store_is_label(fare_store *store, const char *path, PetscBool *is_label);
/**
  Gives what is at `path` a second name. Collective.

  @param store open for writing
  @param path  of a group or dataset
  @param name  absolute, and free
  @return FARE_ERR_FAILED with HDF5's reason
*/
PetscErrorCode fare_store_link(fare_store *store, const char *path, const char *name);
/**
  Writes a text as a scalar string dataset. Collective.

  @param store open for writing
  @param path  of the dataset, which must not exist
  @param text  the same on every rank
  @return FARE_ERR_FAILED with HDF5's reason
*/
PetscErrorCode fare_store_write_text(fare_store *store, const char *path, const char *text);
/**
  Reads such a text, all of it on every rank. Collective.

  @param store open
  @param path  of the dataset
  @param text  appended to
  @return FARE_ERR_FAILED where there is no text of fixed length
*/
PetscErrorCode fare_store_read_text(fare_store *store, const char *path, fare_text *text);

/**
  The state of a struct as a table: one line for each member that must be kept, so that saving and loading are
  the same for all structs. Loading replaces what the members hold.
*/
typedef struct fare_kept fare_kept;
/** What a member is. Arrays are of PetscMalloc, or NULL. */
typedef enum {
  FARE_KEPT_BOOLEAN,  /**< PetscBool */
  FARE_KEPT_INTEGER,  /**< int64_t, uint64_t, size_t or PetscInt64 */
  FARE_KEPT_REAL,     /**< double */
  FARE_KEPT_STRUCT,   /**< another struct, within this one */
  FARE_KEPT_INTEGERS, /**< a pointer to int64_t or uint64_t, with a length */
  FARE_KEPT_REALS,    /**< a pointer to double, with a length */
  FARE_KEPT_SINGLES,  /**< a pointer to float, with a length */
  FARE_KEPT_STRUCTS,  /**< a pointer to structs, with a length */
  FARE_KEPT_OBJECT    /**< a pointer, or NULL, to what is saved and loaded by functions of its own */
} fare_kept_kind;

/** How objects of one type are saved and loaded at `path`, which is a group or dataset of their own. */
typedef struct {
  /** Saves an object. Collective. */
  PetscErrorCode (*save)(const void *object, fare_store *to, const char *path);
  /**
    Fills **object, or makes it where that is NULL; `context` is that of fare_kept_load. FARE_ERR_FAILED where
    what is saved does not fit. Collective.
  */
  PetscErrorCode (*load)(void **object, void *context, fare_store *from, const char *path);
} fare_kept_type;

/** A line of such a table. */
struct fare_kept {
  const char           *name;   /**< of an attribute, dataset or group; NULL ends the table */
  fare_kept_kind        kind;   /**< of the member */
  size_t                offset; /**< of the member */
  int                   count;  /**< of values or objects that stand side by side in the struct; 0: one */
  size_t                length; /**< of arrays: offset of the 8-byte integer that holds how many there are */
  size_t                size;   /**< of one of FARE_KEPT_STRUCTS */
  const fare_kept      *fields; /**< of FARE_KEPT_STRUCT and FARE_KEPT_STRUCTS */
  const fare_kept_type *type;   /**< of FARE_KEPT_OBJECT */
  unsigned              only;   /**< kept only in cases that share a bit with it; 0: always */
};
/** A member of this kind, under its own name. */
#define FARE_KEEP(kind_, type, member)                                           \
  {                                                                              \
    .name = #member, .kind = FARE_KEPT_##kind_, .offset = offsetof(type, member) \
  }
/** The same, with what more there is to say of it. */
#define FARE_KEEP_WITH(kind_, type, member, ...)                                              \
  {                                                                                           \
    .name = #member, .kind = FARE_KEPT_##kind_, .offset = offsetof(type, member), __VA_ARGS__ \
  }
/** Ends such a table. */
#define FARE_KEPT_END \
  {                   \
    .name = NULL      \
  }

/**
  Writes what a table keeps of a struct into a group. Collective.

  @param table of its members
  @param from  the struct, alike on all ranks but for objects
  @param only  bits of the present case
  @param to    open for writing
  @param group made where it is not there
  @return FARE_ERR_FAILED with HDF5's reason
*/
PetscErrorCode fare_kept_save(
  const fare_kept *table, const void *from, unsigned only, fare_store *to, const char *group);
/**
  Reads it back. Collective.

  @param table   as it was saved
  @param to      the struct; its arrays are freed and made anew
  @param only    as it was saved
  @param context of functions that load objects
  @param from    open
  @param group   as it was saved
  @return FARE_ERR_FAILED, naming the dataset or attribute, where one is missing or has another shape
*/
PetscErrorCode fare_kept_load(
  const fare_kept *table, void *to, unsigned only, void *context, fare_store *from, const char *group);
/**
  Frees the arrays that a table names, and sets their pointers to NULL and their lengths to 0. Not collective.

  @param table of the members
  @param of    the struct
  @return 0, or an error of PETSc
*/
PetscErrorCode fare_kept_free(const fare_kept *table, void *of);

/** Numbered pieces of 64-bit words, one behind the other: states of what is under way. Zero it to begin. */
typedef struct {
  int64_t   count;  /**< pieces */
  int64_t  *number; /**< of each */
  int64_t  *words;  /**< of each, how many */
  uint64_t *word;   /**< of all */
} fare_pieces;
/**
  Frees what it holds. Not collective.

  @param pieces afterwards none
*/
void fare_pieces_free(fare_pieces *pieces);
/**
  The words of a piece. Not collective.

  @param pieces to look in
  @param number of the piece
  @param words  how many, 0 where there is no such piece
  @return valid until the pieces change; NULL where there is no such piece
*/
const uint64_t *fare_pieces_find(const fare_pieces *pieces, int64_t number, int64_t *words);
/**
  Takes a piece away, if it is there. Not collective.

  @param pieces one less
  @param number of the piece
*/
void fare_pieces_drop(fare_pieces *pieces, int64_t number);
/**
  Adds a copy of a piece. Not collective.

  @param pieces one more
  @param number of the piece, of which there is none yet
  @param words  how many
  @param word   that many
  @return FARE_ERR_FAILED where there is no memory for it
*/
PetscErrorCode fare_pieces_add(fare_pieces *pieces, int64_t number, int64_t words, const uint64_t word[]);
/**
  Adds those that wait to what rank 0 has, but for those that a rank goes on with. Collective.

  @param comm    the ranks
  @param waiting alike on all ranks
  @param own     the one that this rank goes on with, or none
  @return FARE_ERR_FAILED where there is no memory for it
*/
PetscErrorCode fare_pieces_share(MPI_Comm comm, const fare_pieces *waiting, fare_pieces *own);
/**
  Writes the pieces of all ranks into datasets under_way, words and states of a group; none where there are no
  pieces. Collective.

  @param store  open for writing
  @param folder the group
  @param own    this rank's
  @return FARE_ERR_FAILED, which says so where the disk is full
*/
PetscErrorCode fare_store_write_pieces(fare_store *store, const char *folder, const fare_pieces *own);
/**
  Reads all of them on every rank. Collective.

  @param store  open
  @param folder the group
  @param pieces filled in, none where there are none; free with fare_pieces_free(), after an error, too
  @return FARE_ERR_FAILED where they do not fit
*/
PetscErrorCode fare_store_read_pieces(fare_store *store, const char *folder, fare_pieces *pieces);

#endif
