/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
  study: the one place that knows all six nouns. Reads a plan, advances truth and ensembles from snapshot to
  snapshot, records, measures, prints the result.
*/
#ifndef FARE_STUDY_H
#define FARE_STUDY_H

#include <fare/analysis.h>
#include <fare/measure.h>
#include <fare/record.h>
#include <fare/sampler.h>
#include <fare/thermo.h>

/** Which of the study's own times are learned from, and how many particles at each. */
typedef enum { FARE_TRAIN_EVERY_SECOND, FARE_TRAIN_ALL } fare_training_times;
typedef struct {
  int        times; /**< a fare_training_times */
  PetscInt64 particles;
  double     dt; /**< of the simulation that makes them */
} fare_training_options;
extern const fare_field fare_training_fields[];
/** Whether the snapshot `index` is among them. */
PetscBool fare_training_includes(const fare_training_options *options, PetscInt64 index);

/** One line of `ensembles:`, or one of the trainings of a line that asks for several seeds. */
typedef struct {
  char *name, *sampler, *plugin; /**< one of sampler and plugin */
  void *library;                 /* of the plugin */
  /* the name as it stands in the file; `name` of training n of several is LINE-n */
  char                    *line;
  PetscInt64               particles, seeds, seed; /* seed: which of the line's trainings, from 0 */
  PetscBool                oracle, empirical;
  const fare_node         *train;
  const fare_sampler_type *type;
  void                    *options;  /* of the method: fare_sampler_options_read */
  fare_training_options    training; /**< where the method learns */
} fare_plan_ensemble;
extern const fare_field fare_ensemble_fields[];
fare_sampler_mode       fare_plan_ensemble_mode(const fare_plan_ensemble *ensemble);

/** What sets one point of a sweep apart: values of keys, as YAML. */
typedef struct {
  PetscInt64 point, points; /* which, of so many */
  size_t     count;
  char     **key, **value;
} fare_swept;

/** A study as read from its file, checked, with defaults filled in. */
typedef struct {
  fare_config              *config;
  char                     *study, *directory;
  PetscInt64                seed;
  fare_system              *system;
  fare_initial              initial;
  fare_schedule             snapshots;
  PetscBool                 has_truth;
  fare_truth_options        truth;
  size_t                    ensembles;
  fare_plan_ensemble       *ensemble;
  size_t                    analyses; /**< of the grid */
  fare_analysis           **analysis;
  PetscBool                 has_thermodynamics;
  fare_thermo_options       thermodynamics;
  size_t                    measures;
  const fare_measure_type **measure;
  fare_record_options       record;
  fare_swept                swept; /**< count 0: no point of a sweep */
} fare_plan;

/**
  Reads and checks all of a study file, with the `count` assignments of --set applied. Nothing is written.
  Collective; a mistake is the same FARE_ERR_INPUT on all ranks.
*/
PetscErrorCode fare_plan_read(
  MPI_Comm comm, const char *path, size_t count, const char *const assignments[], fare_plan **plan);
/** Frees a plan; sets *plan, which may be NULL, to NULL. */
PetscErrorCode fare_plan_destroy(fare_plan **plan);
/** The method of one of its ensembles, on the system, schedule and seed of the plan. Collective. */
PetscErrorCode fare_plan_sampler(MPI_Comm comm, const fare_plan *plan, const fare_plan_ensemble *ensemble,
  const fare_initial *initial, fare_sampler **sampler);

/**
  The section `sweep:` of a study file: a list of maps, each with lists of values, or ranges {from, to, count,
  spacing}, for keys of the study. Keys in one map change together; maps multiply, the last the fastest.
  *points is 0 where a study has none. Collective; a mistake is the same FARE_ERR_INPUT on all ranks.
*/
PetscErrorCode fare_sweep_count(
  MPI_Comm comm, const char *path, size_t count, const char *const assignments[], PetscInt64 *points);
/**
  One of its points (from 0): a study of its own in DIRECTORY/point_0000. Errors as of fare_plan_read.
  Collective.
*/
PetscErrorCode fare_sweep_plan(MPI_Comm comm, const char *path, size_t count, const char *const assignments[],
  PetscInt64 point, fare_plan **plan);
extern const fare_field fare_sweep_range_fields[];
/**
  How far the study of a plan has come in its directory: done only where the results there are those of this
  plan; FARE_STUDY_OTHER where results or checkpoint are another plan's. `why`: what failed, or what differs.
  Looks at the disk, on the calling rank alone.
*/
typedef enum {
  FARE_STUDY_MISSING,
  FARE_STUDY_UNFINISHED,
  FARE_STUDY_FAILED,
  FARE_STUDY_DONE,
  FARE_STUDY_OTHER,
  FARE_STUDY_STATES
} fare_study_state;
extern const char *const fare_study_state_names[];
fare_study_state         fare_study_look(const fare_plan *plan, size_t size, char why[]);
/** The resolved plan as YAML that reads back to the same plan. */
void fare_plan_write(const fare_plan *plan, fare_text *to);
/** Memory, disk and work that the plan asks for on so many ranks, for `fare check`. */
PetscErrorCode fare_plan_estimate(const fare_plan *plan, int ranks, FILE *to);
/**
  FARE_ERR_INPUT, with the figures, where the machine of some rank has less memory free than truth, particles
  and training sets take there. Takes none itself. Collective.
*/
PetscErrorCode fare_plan_check_memory(MPI_Comm comm, const fare_plan *plan);
/** The keys of a study file, section by section, for `fare describe study`. */
void fare_plan_describe(FILE *to);

typedef struct {
  fare_record_mode mode;
  PetscBool        quiet;              /* nothing is printed at the end */
  PetscBool        tables;             /* those of tables.txt are printed, too */
  double           checkpoint_seconds; /**< between checkpoints, at least; 0: after every snapshot */
  /* that a snapshot may take before a request to stop, or a checkpoint that is due, no longer waits for it */
  double grace_seconds;
} fare_run_options;
#define FARE_CHECKPOINT_SECONDS 300 /* unless other numbers are asked for */
#define FARE_GRACE_SECONDS      10

/**
  Runs it whole and prints the table of results on rank 0. With FARE_RECORD_RESUME it goes on from the last
  checkpoint, to the same bits. Once fare_stop_listen has been called a request to stop ends it after the next
  snapshot, on the way to that where it takes long, or within training, with a checkpoint and
  FARE_ERR_STOPPED. Collective.
*/
PetscErrorCode fare_study_run(MPI_Comm comm, const fare_plan *plan, const fare_run_options *options);

/**
  Samples from anywhere, measured against the truth of a finished study; docs/scoring.md has the format of the
  file and what is printed. Prints on rank 0, the same on any number of ranks. Collective; FARE_ERR_INPUT for
  what is wrong with either.
*/
typedef enum { FARE_SCORE_TABLE, FARE_SCORE_JSON, FARE_SCORE_CSV } fare_score_form;
#define FARE_SCORE_REPLICATES 200 /* unless another number is asked for */
typedef struct {
  const char *directory, *samples;
  size_t      measures;
  /* none: all that are defined in this dimension and for these samples */
  const fare_measure_type **measure;
  int                       replicates; /**< exact draws behind a floor; at least 40 */
  fare_score_form           form;
} fare_score_options;
PetscErrorCode fare_score(MPI_Comm comm, const fare_score_options *options, FILE *to);
/**
  All that scoring knows: the measures on bins, then those that are made from the samples' own density. NULL
  past the last.
*/
const fare_measure_type *fare_score_measure_at(size_t i);
/** What is printed of each measure at each time, and what it means; NULL past the last. Local. */
const char *fare_score_column_at(size_t i, const char **meaning);

/**
  Writes the particles of one ensemble of a finished study as a file to train on (and to score); `ensemble`
  NULL: the one that was simulated; `path` NULL: STUDY_training.h5. Says on rank 0 what was written.
  Collective; FARE_ERR_INPUT when there is no such ensemble, or such a file already.
*/
PetscErrorCode fare_export(MPI_Comm comm, const char *directory, const char *ensemble, const char *path);
/**
  Writes the cells of its truth and the masses there, for generators whose density is known; `path` NULL:
  STUDY_grid.h5. Collective; FARE_ERR_INPUT without a truth, or when there is such a file already.
*/
PetscErrorCode fare_export_grid(MPI_Comm comm, const char *directory, const char *path);

#endif
