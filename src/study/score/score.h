/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside scoring and exporting: a finished study read back, and somebody else's samples. */
#ifndef FARE_SCORE_PRIVATE_H
#define FARE_SCORE_PRIVATE_H

#include "study/run/study.h"

#include <fare/joint_measure.h>

#include <string.h>

#define FARE_SCORE_PATH (PETSC_MAX_PATH_LEN + 64)

/*
  What is wrong inside a file that the user named is the user's to hear of: FARE_ERR_FAILED becomes
  FARE_ERR_INPUT, the message stays.
*/
PetscErrorCode fare_as_input(PetscErrorCode code);

/* A finished study. All is the same on every rank but the grid's slab. */
typedef struct {
  MPI_Comm    comm;
  char        directory[PETSC_MAX_PATH_LEN], study[128], system[128];
  fare_store *store; /* study.h5, open */
  int64_t     seed;
  int         dim;
  char        kind[64];  /* of truth: grid, or another */
  PetscBool   has_truth; /* on a grid */
  size_t      snapshots;
  double     *time;
  uint8_t    *trained; /* as the study learned, or every second where it did not */
  PetscBool   learned; /* whether the study did */
  /* of the truth, without a dm: whole layers of bins along its slowest axis here */
  fare_grid     grid;
  fare_binning *binning; /* NULL without a truth */
  /* of a truth of another kind, once fare_finished_open_joint was called: it, and what it stands on */
  fare_joint  *joint;
  fare_config *config;
  fare_system *physics;
  fare_initial initial;
} fare_finished;

/* FARE_ERR_INPUT where the directory holds no finished study. Collective. */
PetscErrorCode fare_finished_open(MPI_Comm comm, const char *directory, fare_finished *study);
PetscErrorCode fare_finished_close(fare_finished *study);
/* The plan that the study keeps, for what is nowhere else; the caller destroys it. Collective. */
PetscErrorCode fare_finished_plan(const fare_finished *study, fare_config **config);
/* Makes the binning. FARE_ERR_INPUT without a truth. Collective. */
PetscErrorCode fare_finished_open_truth(fare_finished *study);
/*
  Its truth at a snapshot, and the truth with its estimated error added: the same bits on any number of ranks.
  The caller frees both. Collective.
*/
PetscErrorCode fare_finished_truth(
  const fare_finished *study, size_t snapshot, fare_binned *p, fare_binned *corrected);
/*
  Makes a truth that is not one grid, at the time of its beginning. FARE_ERR_INPUT where its snapshots do not
  keep its state. Collective.
*/
PetscErrorCode fare_finished_open_joint(fare_finished *study);
/* What that has made; before fare_finished_close, after an error too. Collective. */
PetscErrorCode fare_finished_close_joint(fare_finished *study);
/* Takes it to a snapshot, from the state there; in any order. Collective. */
PetscErrorCode          fare_finished_joint_at(fare_finished *study, size_t snapshot);
static inline PetscBool fare_finished_is_joint(const fare_finished *study)
{
  return strcmp(study->kind, "grid") ? PETSC_TRUE : PETSC_FALSE;
}
/* Names of the meshes of a snapshot that hold what is compared with, and its error. Collective. */
PetscErrorCode fare_finished_compared(fare_store *store, size_t snapshot, const char *mesh[2]);
/*
  Extents of an array [time, cells of the axes, x last] over all snapshots, and the box of it that this rank
  has at the i-th time; a zero in `count` where it has no cells.
*/
void fare_finished_box(
  const fare_finished *study, size_t i, uint64_t extent[4], uint64_t start[4], uint64_t count[4]);
/* DIRECTORY/snapshots/snapshot_N.h5, opened. Collective. */
PetscErrorCode fare_finished_snapshot(const fare_finished *study, size_t snapshot, fare_store **store);

/*
  What a file has instead of samples: masses of the truth's cells, or the logarithm of the density in their
  middles.
*/
typedef enum { FARE_CELLS_NONE, FARE_CELLS_MASS, FARE_CELLS_LOG_DENSITY } fare_cells;
const char *fare_cells_path(fare_cells cells);

#define FARE_GROUP_SIZE 64 /* of the name of a group that holds one time */

/* A file of samples that fits a study. */
typedef struct {
  MPI_Comm             comm;
  const fare_finished *study; /* borrowed */
  char                 path[PETSC_MAX_PATH_LEN];
  fare_store          *store;
  size_t               times;
  size_t              *snapshot; /* of each time */
  int64_t             *count;    /* samples at each time */
  PetscBool           *weighted;
  /* where has_trained: what the file says its generator learned from */
  uint8_t   *trained;
  PetscBool *flat;                         /* whether a sample has no extent of its own: in one dimension */
  PetscBool  has_trained, has_log_density; /* at all times */
  PetscBool  timed, weights_timed, log_density_timed; /* whether arrays have an extent of times */
  fare_cells cells;               /* a density on cells: count is 0, and no samples can be read */
  char (*group)[FARE_GROUP_SIZE]; /* "/time_000" ..., or NULL where the file is arrays over all times */
} fare_samples;

/* Checks everything but the numbers: FARE_ERR_INPUT. Collective. */
PetscErrorCode fare_samples_open(const fare_finished *study, const char *path, fare_samples *samples);
PetscErrorCode fare_samples_close(fare_samples *samples);
/*
  Names in a group of the file ("/" too): FARE_ERR_INPUT at one that was meant for another; `warn` of those
  that are not read.
*/
PetscErrorCode fare_samples_check_names(const fare_samples *samples, const char *group, PetscBool warn);
/*
  The samples of the i-th time; FARE_ERR_INPUT at the first that is not a finite number, or has a weight that
  is none. The caller destroys it. Collective.
*/
PetscErrorCode fare_samples_read(const fare_samples *samples, size_t i, fare_ensemble **ensemble);

/*
  ln q of the particles here, as the file has it; the caller frees it with free. FARE_ERR_INPUT at the first
  that is not finite. Collective.
*/
PetscErrorCode fare_samples_read_log_density(
  const fare_samples *samples, size_t i, const fare_ensemble *ensemble, double **log_density);

/*
  The density on cells of the i-th time by bins, and the sum of its masses before it was scaled; the caller
  frees it. FARE_ERR_INPUT for what is no density. Collective.
*/
PetscErrorCode fare_cells_read(const fare_samples *samples, size_t i, fare_binned *q, double *total);

/*
  Measures made from the samples' own density instead of from bins: they have no `evaluate`. NULL past the
  last.
*/
const fare_measure_type *fare_score_density_at(size_t i);
/* One of them; the same bits on any number of ranks. Collective. */
PetscErrorCode fare_score_density(const fare_finished *study, const fare_measure_type *type,
  const fare_binned *p, const fare_binned *corrected, const fare_binned *q, const fare_ensemble *ensemble,
  const double log_density[], fare_measured *measured);

typedef struct {
  fare_finished            *study;
  const fare_samples       *samples;
  size_t                    measures, binned; /* binned: those first ones that are made from bins */
  const fare_measure_type **measure;
  int                       replicates;
  double                   *effective; /* per time */
  double                   *total;     /* of a density on cells: the sum of its masses, per time */
  double                   *outside;   /* per time: the samples' share of weight outside the truth's box */
  fare_measured            *at;        /* [time * measures + measure] */
} fare_scores;

/* All measures at the i-th time, against a truth that is not one grid; and what they hold of. Collective. */
PetscErrorCode fare_score_joint(fare_scores *scores, size_t i);
/*
  Those asked for of it, or all usual ones that it and these samples have. FARE_ERR_INPUT for one that it has
  not. Not collective.
*/
PetscErrorCode fare_score_choose_joint(const fare_score_options *options, fare_scores *scores);

void fare_scores_write_json(const fare_scores *scores, fare_text *to);
void fare_scores_write_csv(const fare_scores *scores, fare_text *to);
/* Warns where samples lie outside the truth's box. */
void           fare_scores_warn(const fare_scores *scores);
PetscErrorCode fare_scores_print(const fare_scores *scores, FILE *to);

/* Attributes that all files of an export have. Collective. */
PetscErrorCode fare_export_describe(
  const fare_finished *study, fare_store *to, const char *format, const char *description);
/*
  The plan, parameters, the drive at all times, and the box of the truth; a warning where the system cannot be
  made here. Collective.
*/
PetscErrorCode fare_export_protocol(fare_finished *study, fare_store *to);
/* A new file, filled by `write`; FARE_ERR_INPUT where there is one already. Collective. */
PetscErrorCode fare_export_write(MPI_Comm comm, const char                 *path,
  PetscErrorCode (*write)(const void *context, fare_store *to), const void *context);

#endif
