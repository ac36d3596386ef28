/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
  record: what a study leaves behind. Snapshots follow openPMD 1.1 (file-based, HDF5), one file each: meshes
  for densities, one particle species per ensemble, all at the same instant. The format is specified in
  docs/format.md.
*/
#ifndef FARE_RECORD_H
#define FARE_RECORD_H

#include <fare/ensemble.h>
#include <fare/store.h>
#include <fare/truth.h>

typedef struct fare_record fare_record;

typedef enum { FARE_RECORD_NEW, FARE_RECORD_OVERWRITE, FARE_RECORD_RESUME } fare_record_mode;

/** Whether `directory` can be begun in this mode: otherwise FARE_ERR_INPUT. Writes nothing. Collective. */
PetscErrorCode fare_record_check(MPI_Comm comm, const char *directory, fare_record_mode mode);
/**
  Checks and makes the directory; when that fails nothing is left behind. OVERWRITE removes what an earlier
  study wrote there, and only that; RESUME leaves it, and begins where there is nothing. The directory is this
  run's then until fare_record_destroy: its file run.lock names host and process, and is touched now and then
  to tell that they live. FARE_ERR_INPUT where another run has it. Collective.
*/
PetscErrorCode fare_record_create(
  MPI_Comm comm, const char *directory, fare_record_mode mode, fare_record **record);
/** Gives the directory up. Collective. Sets *record, which may be NULL, to NULL. */
PetscErrorCode fare_record_destroy(fare_record **record);
/**
  FARE_ERR_FAILED where the directory is no longer this run's, because it was removed, or the lock was.
  Collective.
*/
PetscErrorCode fare_record_hold(const fare_record *record);
const char    *fare_record_directory(const fare_record *record);
/** DIRECTORY/name, valid until the next call. */
const char *fare_record_path(fare_record *record, const char *name);
/** What is written of ensembles. Measures see all particles, whatever is set here. */
typedef enum { FARE_RECORD_DOUBLE, FARE_RECORD_SINGLE } fare_record_precision;
typedef struct {
  PetscInt64 particles;   /* most that are written of each ensemble, evenly spaced by id; 0: all */
  int        precision;   /* of positions: a fare_record_precision */
  PetscInt64 compression; /* level of gzip, 0: none */
  PetscBool  densities;   /* also all particles as a mesh on the grid of the truth; the caller's to write */
} fare_record_options;
extern const fare_field fare_record_fields[];
/** For the snapshots that follow. Not collective; the same on every rank. */
void fare_record_set(fare_record *record, const fare_record_options *options);
/** Particles that are written of so many. */
int64_t fare_record_kept(const fare_record_options *options, int64_t particles);

/** Writes a text file DIRECTORY/name whole or not at all. Collective; rank 0 writes. */
PetscErrorCode fare_record_text(fare_record *record, const char *name, const fare_text *text);

/**
  A snapshot: begin, any number of meshes and species, end (which gives the file its name). dt is the time
  between snapshots. Collective.
*/
PetscErrorCode fare_record_begin(fare_record *record, int64_t index, double time, double dt);
/**
  Writes a field of the grid to the snapshot. Collective.

  @param name    of the mesh
  @param comment one line that says what it is
  @param grid    distributed as the record is, or whole on every rank
  @param values  one per cell
  @param divisor of each value: fare_grid_volume() for masses, which become densities, else 1
*/
PetscErrorCode fare_record_mesh(fare_record *record, const char *name, const char *comment,
  const fare_grid *grid, Vec values, double divisor);
/** Writes positions, ids and weights of the particles that are kept, as a species. Collective. */
PetscErrorCode fare_record_species(fare_record *record, const char *name, const fare_ensemble *ensemble);
/**
  Positions and weights that fare_record_species wrote to the snapshot `index`. Collective; FARE_ERR_FAILED
  where all particles are not there to their last bit.
*/
PetscErrorCode fare_record_read_species(
  fare_record *record, int64_t index, const char *name, fare_ensemble *ensemble);
/** A number of this instant, as an attribute of /fare/GROUP. */
PetscErrorCode fare_record_number(fare_record *record, const char *group, const char *name, double value);
PetscErrorCode fare_record_end(fare_record *record);
/** Of the file of the snapshot `index`, as it is now. Collective; FARE_ERR_FAILED where there is none. */
PetscErrorCode fare_record_checksum(fare_record *record, int64_t index, fare_checksum *checksum);

/** "YYYY-MM-DD HH:MM:SS +0000", now. */
void fare_record_date(size_t size, char text[]);

#endif
