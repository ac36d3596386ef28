/*
  record: what a study leaves behind. Snapshots follow openPMD 1.1 (file-based, HDF5), one file each: meshes for densities, one
  particle species per ensemble, all at the same instant. The format is specified in docs/format.md.
*/
#ifndef FARE_RECORD_H
#define FARE_RECORD_H

#include <fare/ensemble.h>
#include <fare/store.h>
#include <fare/truth.h>

typedef struct fare_record fare_record;

typedef enum { FARE_RECORD_NEW, FARE_RECORD_OVERWRITE, FARE_RECORD_RESUME } fare_record_mode;

/* Whether `directory` can be begun in this mode: FARE_ERR_INPUT (exists, or cannot be written) with nothing left behind. Collective. */
PetscErrorCode fare_record_check(MPI_Comm comm, const char *directory, fare_record_mode mode);
/* Makes the directory. OVERWRITE removes what an earlier study wrote there, and only that. Collective. */
PetscErrorCode fare_record_create(MPI_Comm comm, const char *directory, fare_record_mode mode, const char *author_software_date, fare_record **record);
PetscErrorCode fare_record_destroy(fare_record **record);
const char *fare_record_directory(const fare_record *record);

/* A snapshot: begin, any number of meshes and species, end (which gives the file its name). Collective. */
PetscErrorCode fare_record_begin(fare_record *record, int64_t index, double time, double dt);
/* Cell averages: masses / cell volume. `comment` says what it is. */
PetscErrorCode fare_record_mesh(fare_record *record, const char *name, const char *comment, const fare_grid *grid, Vec masses);
PetscErrorCode fare_record_species(fare_record *record, const char *name, const fare_ensemble *ensemble);
/* A number of this instant, under /fare/truth or /fare/NAME. */
PetscErrorCode fare_record_number(fare_record *record, const char *group, const char *name, double value);
PetscErrorCode fare_record_end(fare_record *record);

#endif
