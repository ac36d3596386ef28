/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
  record: what a study leaves behind. Snapshots follow openPMD 1.1 (file-based, HDF5), one file each: meshes
  for densities, one particle species per ensemble, all at the same instant. The format is specified in
  docs/format.md.
*/
#ifndef FARE_RECORD_H
#define FARE_RECORD_H

#include <fare/ensemble.h>
#include <fare/joint.h>
#include <fare/store.h>
#include <fare/truth.h>

/** The directory of a study that is being written. */
typedef struct fare_record fare_record;

/** How a directory is begun. */
typedef enum {
  FARE_RECORD_NEW,       /**< it must not exist */
  FARE_RECORD_OVERWRITE, /**< what an earlier study wrote there is removed, and only that */
  FARE_RECORD_RESUME     /**< what is there stays; begins where there is nothing */
} fare_record_mode;

/**
  Whether a directory can be begun. Writes nothing. Collective.

  @param comm      the ranks that will write
  @param directory its path
  @param mode      how it will be begun
  @return FARE_ERR_INPUT where it cannot
*/
PetscErrorCode fare_record_check(MPI_Comm comm, const char *directory, fare_record_mode mode);
/**
  Checks and makes a directory; when that fails nothing is left behind. It is this run's then until
  fare_record_destroy(): its file run.lock names host and process, and is touched now and then to tell that
  they live. Collective.

  @param comm      the ranks that write
  @param directory its path
  @param mode      how it is begun
  @param record    owned by the caller: fare_record_destroy()
  @return FARE_ERR_INPUT where it cannot be begun, or another run has it
*/
PetscErrorCode fare_record_create(
  MPI_Comm comm, const char *directory, fare_record_mode mode, fare_record **record);
/**
  Gives the directory up. Collective.

  @param record set to NULL; may be NULL
  @return FARE_ERR_FAILED where a snapshot under way cannot be closed
*/
PetscErrorCode fare_record_destroy(fare_record **record);
/**
  Whether the directory is still this run's. Collective.

  @param record open
  @return FARE_ERR_FAILED where it was removed, or its lock was
*/
PetscErrorCode fare_record_hold(const fare_record *record);
/**
  The directory. Not collective.

  @param record open
  @return its path; borrowed
*/
const char *fare_record_directory(const fare_record *record);
/**
  DIRECTORY/name. Not collective.

  @param record open
  @param name   of a file
  @return its path, valid until the next call
*/
const char *fare_record_path(fare_record *record, const char *name);

/** How positions are written. */
typedef enum { FARE_RECORD_DOUBLE, FARE_RECORD_SINGLE } fare_record_precision;
/** What is written of ensembles. Measures see all particles, whatever is set here. */
typedef struct {
  PetscInt64 particles;   /**< most that are written of each ensemble, evenly spaced by id; 0: all */
  int        precision;   /**< of positions: a fare_record_precision */
  PetscInt64 compression; /**< level of gzip, 0: none */
  PetscBool  densities;   /**< also all particles as a mesh on the grid of the truth; the caller's to write */
  PetscBool  truth;       /**< state and marginals of a truth that is not one grid */
  fare_integers axes;     /**< from 1: those of the marginals; owned; empty: the first FARE_RECORD_AXES */
} fare_record_options;
/** The table of the options. */
extern const fare_field fare_record_fields[];
/**
  Sets the options of the snapshots that follow. Not collective.

  @param record  open
  @param options the same on every rank; copied
*/
void fare_record_set(fare_record *record, const fare_record_options *options);
/**
  Particles that are written of so many. Not collective.

  @param options   of the record
  @param particles of an ensemble
  @return at most `particles`
*/
int64_t fare_record_kept(const fare_record_options *options, int64_t particles);

/**
  Writes a text file DIRECTORY/name whole or not at all. Rank 0 writes. Collective.

  @param record open
  @param name   of the file
  @param text   that of rank 0
  @return FARE_ERR_FAILED, which says so where the disk is full
*/
PetscErrorCode fare_record_text(fare_record *record, const char *name, const fare_text *text);

/**
  Begins a snapshot: any number of meshes and species may follow, and fare_record_end(). Collective.

  @param record open
  @param index  of the snapshot, from 0
  @param time   of the snapshot
  @param dt     the time between snapshots
  @return FARE_ERR_FAILED, which says so where the disk is full
*/
PetscErrorCode fare_record_begin(fare_record *record, int64_t index, double time, double dt);
/**
  Writes a field of the grid to the snapshot. Collective.

  @param record  in a snapshot
  @param name    of the mesh
  @param comment one line that says what it is
  @param grid    distributed as the record is, or whole on every rank
  @param values  one per cell
  @param divisor of each value: fare_grid_volume() for masses, which become densities, else 1
  @return FARE_ERR_FAILED, which says so where the disk is full
*/
PetscErrorCode fare_record_mesh(fare_record *record, const char *name, const char *comment,
  const fare_grid *grid, Vec values, double divisor);
/**
  Writes positions, ids and weights of the particles that are kept, as a species. Collective.

  @param record   in a snapshot
  @param name     of the species
  @param ensemble its particles
  @return FARE_ERR_FAILED, which says so where the disk is full
*/
PetscErrorCode fare_record_species(fare_record *record, const char *name, const fare_ensemble *ensemble);
/** Characters of the name of a component, with its end. */
#define FARE_COMPONENT_SIZE 16
/**
  The component of a position along an axis, as snapshots name it: x, y, z of up to three axes, x1, x2, ... of
  more. Not collective.
  @param dim  number of axes
  @param axis from 0
  @param name filled in
*/
void fare_record_component(int dim, int axis, char name[FARE_COMPONENT_SIZE]);
/**
  Names the axes that the components x, y, z (x1, x2, ... beyond three) of a species' positions lie along.
  Collective.

  @param record   within a snapshot
  @param name     of the species, which is there
  @param system   has the names
  @return FARE_ERR_FAILED where it cannot be written
*/
PetscErrorCode fare_record_axes(fare_record *record, const char *name, const fare_system *system);
/** Axes whose marginals are written where none are named. */
#define FARE_RECORD_AXES 3
/** Path in a snapshot of the state of a truth that is not one grid, for fare_joint_load(). */
#define FARE_RECORD_STATE "/fare/truth_state"
/**
  Writes what the options ask for of a truth that is not one grid: its state, and the marginal densities of
  single axes and of pairs, as meshes marginal_x1, marginal_x1_x2, ... where its kind has them. Collective.

  @param record in a snapshot
  @param joint  the truth, at the time of the snapshot
  @return FARE_ERR_FAILED, which says so where the disk is full
*/
PetscErrorCode fare_record_joint(fare_record *record, fare_joint *joint);
/**
  Reads positions and weights of a species back. Collective.

  @param record   open
  @param index    of the snapshot
  @param name     of the species
  @param ensemble of as many particles and dimensions; filled
  @return FARE_ERR_FAILED where all particles are not there to their last bit
*/
PetscErrorCode fare_record_read_species(
  fare_record *record, int64_t index, const char *name, fare_ensemble *ensemble);
/**
  Writes a number of this instant as an attribute of /fare/GROUP. Collective.

  @param record in a snapshot
  @param group  made where it is not there
  @param name   of the attribute
  @param value  the same on every rank
  @return FARE_ERR_FAILED with HDF5's reason
*/
PetscErrorCode fare_record_number(fare_record *record, const char *group, const char *name, double value);
/**
  Ends a snapshot: its file gets its name. Collective.

  @param record in a snapshot
  @return FARE_ERR_FAILED, which says so where the disk is full
*/
PetscErrorCode fare_record_end(fare_record *record);
/**
  Checksum of the file of a snapshot, as it is now. Collective.

  @param record   open
  @param index    of the snapshot
  @param checksum the same on every rank
  @return FARE_ERR_FAILED where there is no such file
*/
PetscErrorCode fare_record_checksum(fare_record *record, int64_t index, fare_checksum *checksum);

/**
  The present date: "YYYY-MM-DD HH:MM:SS +0000". Not collective.

  @param size of `text`, in bytes
  @param text the date
*/
void fare_record_date(size_t size, char text[]);

#endif
