/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
  tracks: positions of particles over time, as they are observed: rows of an id, a time and a position, in CSV
  or HDF5. docs/inference.md has both formats.
*/
#ifndef FARE_TRACKS_H
#define FARE_TRACKS_H

#include <fare/store.h>

#define FARE_TRACKS_FORMAT "fare-tracks 1.0" /**< attribute `format` of an HDF5 file */

/** All tracks of a file, alike on every rank. Rows are sorted by id, and by time within a track. */
typedef struct {
  char    *name;   /**< for messages: the path of the file, or "simulated tracks" */
  int      dim;    /**< number of axes */
  int64_t  rows;   /**< observations of all tracks */
  int64_t  tracks; /**< how many there are */
  int64_t *first;  /**< first row of each track, and behind the last; tracks + 1 numbers */
  int64_t *id;     /**< per row: whose observation it is */
  double  *time;   /**< per row: when it was made */
  double  *x;      /**< positions, [row * dim + axis] */
  int64_t *place;  /**< per row: where it stood: index in HDF5, or line in CSV */
  int64_t *column; /**< of CSV: character of a line's field, [row * (dim + 2) + field]; or NULL */
  double   noise[FARE_DIM_MAX]; /**< standard deviation of an observation, per axis; 0: none */
} fare_tracks;

/**
  Room for rows, to be filled in and then given to fare_tracks_sort(). Not collective.
  @param name   copied
  @param dim    number of axes
  @param rows   how many
  @param tracks destroy with fare_tracks_destroy()
  @return an error of PETSc
*/
PetscErrorCode fare_tracks_create(const char *name, int dim, int64_t rows, fare_tracks **tracks);
/**
  Destroys tracks. Not collective.
  @param tracks set to NULL; may be NULL already
  @return 0 or an error code
*/
PetscErrorCode fare_tracks_destroy(fare_tracks **tracks);
/**
  Sorts the rows and finds where tracks begin. Not collective.
  @param tracks whose rows are filled in
  @return FARE_ERR_INPUT where a number is not finite, or a track has two rows of one time
*/
PetscErrorCode fare_tracks_sort(fare_tracks *tracks);
/**
  What is wrong with a number of a row: the file, its row and column, and a message. Not collective.
  @param tracks whose row it is
  @param row    after sorting
  @param field  0: the id, 1: the time, 2 and on: the axes
  @param format of the message, as of printf(), with its arguments behind
  @return FARE_ERR_INPUT
*/
PetscErrorCode fare_tracks_error(const fare_tracks *tracks, int64_t row, int field, const char *format, ...)
  PETSC_ATTRIBUTE_FORMAT(4, 5);
/**
  Reads a file, HDF5 or CSV by its contents. Collective.
  @param comm   the ranks, which all get all of it
  @param path   of the file
  @param dim    number of axes that it must have
  @param tracks sorted; destroy with fare_tracks_destroy()
  @return FARE_ERR_INPUT, with row and column of what is wrong
*/
PetscErrorCode fare_tracks_read(MPI_Comm comm, const char *path, int dim, fare_tracks **tracks);
/**
  Pairs of rows that follow each other in a track. Not collective.
  @param tracks sorted
  @param lag    between the two, to 1e-6 of it and what times are rounded by; pairs do not overlap. 0: all
  that follow each other, whatever lies between
  @param count  number of pairs
  @param pair   rows of each, [2 * pair] and [2 * pair + 1]; free with PetscFree()
  @return an error of PETSc
*/
PetscErrorCode fare_tracks_pairs(const fare_tracks *tracks, double lag, int64_t *count, int64_t **pair);

/**
  Begins a file of tracks: room for rows. The attribute `format` is the caller's. Collective over the store.
  @param store open for writing
  @param dim   number of axes
  @param rows  how many
  @return FARE_ERR_FAILED with HDF5's reason
*/
PetscErrorCode fare_tracks_begin(fare_store *store, int dim, uint64_t rows);
/**
  Writes rows into that room. Collective over the store.
  @param store of fare_tracks_begin()
  @param dim   number of axes
  @param first row of this rank
  @param rows  of this rank; may be 0
  @param id    of each
  @param time  of each
  @param x     positions, [row * dim + axis]
  @return FARE_ERR_FAILED with HDF5's reason
*/
PetscErrorCode fare_tracks_fill(fare_store *store, int dim, uint64_t first, uint64_t rows, const int64_t id[],
  const double time[], const double x[]);

#endif
