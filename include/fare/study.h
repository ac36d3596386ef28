/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
  study: the one place that knows all six nouns. Reads a plan, advances truth and ensembles from snapshot to
  snapshot, records, measures, prints the result.
*/
#ifndef FARE_STUDY_H
#define FARE_STUDY_H

#include <fare/analysis.h>
#include <fare/infer.h>
#include <fare/joint.h>
#include <fare/joint_measure.h>
#include <fare/measure.h>
#include <fare/control.h>
#include <fare/rare.h>
#include <fare/record.h>
#include <fare/sampler.h>
#include <fare/thermo.h>

/** Which of the study's own times are learned from. */
typedef enum { FARE_TRAIN_EVERY_SECOND, FARE_TRAIN_ALL } fare_training_times;
/** What a method learns from: simulated particles at some of the study's times. */
typedef struct {
  int        times;     /**< a fare_training_times */
  PetscInt64 particles; /**< at each of them */
  double     dt;        /**< of the simulation that makes them */
} fare_training_options;
/** The table of the options. */
extern const fare_field fare_training_fields[];
/**
  Whether a snapshot is among the times that are learned from. Not collective.

  @param options of the training
  @param index   of the snapshot, from 0
  @return true where it is
*/
PetscBool fare_training_includes(const fare_training_options *options, PetscInt64 index);

/** One line of `ensembles:`, or one of the trainings of a line that asks for several seeds. */
typedef struct {
  char                    *name;       /**< of training n of several LINE-n */
  char                    *sampler;    /**< NULL where there is a plugin */
  char                    *plugin;     /**< the path of a shared object, or NULL */
  void                    *library;    /**< of the plugin */
  char                    *line;       /**< the name as it stands in the file */
  PetscInt64               particles;  /**< on all ranks */
  PetscInt64               seeds;      /**< trainings of the line */
  PetscInt64               seed;       /**< which of them, from 0 */
  PetscBool                oracle;     /**< takes its field from the grid */
  PetscBool                empirical;  /**< takes the optimum for its training set */
  const fare_node         *train;      /**< the section of the line, or NULL */
  const fare_node         *prior_node; /**< the section `prior` of the line, or NULL */
  fare_prior              *prior;      /**< read from it */
  const fare_sampler_type *type;       /**< the method */
  void                    *options;    /**< of the method: fare_sampler_options_read() */
  fare_training_options    training;   /**< where the method learns */
} fare_plan_ensemble;
/** The table of the keys that belong to the study. */
extern const fare_field fare_ensemble_fields[];
/**
  Where an ensemble's method takes its field from. Not collective.

  @param ensemble of a plan
  @return one mode
*/
fare_sampler_mode fare_plan_ensemble_mode(const fare_plan_ensemble *ensemble);

/** What sets one point of a sweep apart. */
typedef struct {
  PetscInt64 point;  /**< from 0 */
  PetscInt64 points; /**< of the sweep */
  size_t     count;  /**< of keys */
  char     **key;    /**< that were swept */
  char     **value;  /**< of each, as YAML */
} fare_swept;

/** A study as read from its file, checked, with defaults filled in. */
typedef struct {
  fare_config              *config;        /**< the document */
  char                     *study;         /**< its name */
  char                     *directory;     /**< where results go */
  PetscInt64                seed;          /**< of all random numbers */
  fare_system              *system;        /**< with its drive */
  fare_initial              initial;       /**< the initial condition */
  fare_schedule             snapshots;     /**< their times */
  PetscBool                 has_truth;     /**< whether there is a section `truth`, on a grid */
  fare_truth_options        truth;         /**< where there is */
  const fare_joint_type    *joint;         /**< kind of a truth that is not one grid; else NULL */
  void                     *joint_options; /**< of that kind */
  size_t                    ensembles;     /**< of all lines and seeds */
  fare_plan_ensemble       *ensemble;      /**< each of them */
  size_t                    analyses;      /**< of the grid */
  fare_analysis           **analysis;      /**< each of them */
  fare_rare                *rare;          /**< events and their estimators; NULL: none */
  char                     *condition;     /**< an estimator, on paths to whose event all is; NULL: none */
  fare_control             *control;       /**< best drives; NULL: none */
  fare_infer               *infer;         /**< inferences from data; NULL: none */
  PetscBool                 has_thermodynamics; /**< whether there is such a section */
  fare_thermo_options       thermodynamics;     /**< where there is */
  size_t                    measures;           /**< of samples against the truth */
  const fare_measure_type **measure;            /**< each of them */
  fare_record_options       record;             /**< what is written of ensembles */
  fare_swept                swept;              /**< count 0: no point of a sweep */
} fare_plan;

/**
  Reads and checks all of a study file. Nothing is written. Collective.

  @param comm        the ranks
  @param path        of the file
  @param count       of assignments
  @param assignments as of fare_config_set(), applied in turn
  @param plan        owned by the caller: fare_plan_destroy()
  @return FARE_ERR_INPUT, the same on all ranks, for a mistake
*/
PetscErrorCode fare_plan_read(
  MPI_Comm comm, const char *path, size_t count, const char *const assignments[], fare_plan **plan);
/**
  Frees a plan. Not collective.

  @param plan set to NULL; may be NULL
  @return 0, or an error of PETSc
*/
PetscErrorCode fare_plan_destroy(fare_plan **plan);
/**
  The method of an ensemble, on the system, schedule and seed of a plan. Collective.

  @param comm     the ranks
  @param plan     borrowed by the sampler
  @param ensemble one of the plan's
  @param initial  the initial condition, which the sampler borrows
  @param sampler  owned by the caller: fare_sampler_destroy()
  @return FARE_ERR_INPUT where its options contradict one another
*/
PetscErrorCode fare_plan_sampler(MPI_Comm comm, const fare_plan *plan, const fare_plan_ensemble *ensemble,
  const fare_initial *initial, fare_sampler **sampler);

/**
  Points of the section `sweep:` of a study file: a list of maps, each with lists of values, or ranges {from,
  to, count, spacing}, for keys of the study. Keys in one map change together; maps multiply, the last the
  fastest. Collective.

  @param comm        the ranks
  @param path        of the file
  @param count       of assignments
  @param assignments as of fare_plan_read()
  @param points      0 where the study has no such section
  @return FARE_ERR_INPUT, the same on all ranks, for a mistake
*/
PetscErrorCode fare_sweep_count(
  MPI_Comm comm, const char *path, size_t count, const char *const assignments[], PetscInt64 *points);
/**
  One point of a sweep: a study of its own in DIRECTORY/point_0000. Collective.

  @param comm        the ranks
  @param path        of the file
  @param count       of assignments
  @param assignments as of fare_plan_read()
  @param point       from 0
  @param plan        owned by the caller: fare_plan_destroy()
  @return as of fare_plan_read()
*/
PetscErrorCode fare_sweep_plan(MPI_Comm comm, const char *path, size_t count, const char *const assignments[],
  PetscInt64 point, fare_plan **plan);
/**
  Describes the section `sweep` of a study file, for `fare describe study`. Not collective.

  @param to an open file
*/
void fare_sweep_describe(FILE *to);

/** How far a study has come. */
typedef enum {
  FARE_STUDY_MISSING,    /**< its directory is not there */
  FARE_STUDY_UNFINISHED, /**< it may go on */
  FARE_STUDY_FAILED,     /**< it may go on, too */
  FARE_STUDY_DONE,       /**< the results are those of this plan */
  FARE_STUDY_OTHER,      /**< results or checkpoint are another plan's */
  FARE_STUDY_STATES      /**< how many there are */
} fare_study_state;
/** Their names, by state. */
extern const char *const fare_study_state_names[];
/**
  How far the study of a plan has come in its directory. Looks at the disk, on the calling rank alone.

  @param plan of the study
  @param size of `why`, in bytes
  @param why  what failed, or what differs
  @return the state
*/
fare_study_state fare_study_look(const fare_plan *plan, size_t size, char why[]);
/**
  Writes the resolved plan as YAML that reads back to the same plan. Not collective.

  @param plan as read
  @param to   appended to
*/
void fare_plan_write(const fare_plan *plan, fare_text *to);
/**
  Prints the memory, disk and work that a plan asks for, for `fare check`. Not collective.

  @param plan  as read
  @param ranks that will run it
  @param to    an open file
  @return FARE_ERR_INPUT or FARE_ERR_FAILED of a method that cannot be set up
*/
PetscErrorCode fare_plan_estimate(const fare_plan *plan, int ranks, FILE *to);
/**
  Prints the time that a plan takes, and how many ranks are sensible, from pieces of its work that are tried
  for about a second. Not collective.

  @param plan  as read
  @param ranks that will run it
  @param to    an open file
  @return 0, or an error code
*/
PetscErrorCode fare_plan_forecast(const fare_plan *plan, int ranks, FILE *to);
/**
  Whether the machines have the memory that truth, particles and training sets take. Takes none itself.
  Collective.

  @param comm the ranks that will run it
  @param plan as read
  @return FARE_ERR_INPUT, with the figures, where one has less memory free
*/
PetscErrorCode fare_plan_check_memory(MPI_Comm comm, const fare_plan *plan);
/**
  Describes the keys of a study file but for `sweep`, section by section. Not collective.

  @param to an open file
*/
void fare_plan_describe(FILE *to);

/** How a study is run. */
typedef struct {
  fare_record_mode mode;               /**< how its directory is begun */
  PetscBool        quiet;              /**< nothing is printed at the end */
  PetscBool        tables;             /**< those of tables.txt are printed, too */
  double           checkpoint_seconds; /**< between checkpoints, at least; 0: after every snapshot */
  /** that a snapshot may take before a request to stop, or a checkpoint that is due, no longer waits for it
   */
  double grace_seconds;
} fare_run_options;
/** Seconds between checkpoints unless others are asked for. */
#define FARE_CHECKPOINT_SECONDS 300
/** Seconds of grace unless others are asked for. */
#define FARE_GRACE_SECONDS 10

/**
  Runs a study whole and prints its results on rank 0. With FARE_RECORD_RESUME it goes on from the last
  checkpoint, to the same bits. Once fare_stop_listen() has been called a request to stop ends it after the
  next snapshot, on the way to that where it takes long, or within training, with a checkpoint. Collective.

  @param comm    the ranks
  @param plan    as read
  @param options of the run
  @return FARE_ERR_STOPPED on request; FARE_ERR_INPUT where the directory cannot be begun; FARE_ERR_FAILED
*/
PetscErrorCode fare_study_run(MPI_Comm comm, const fare_plan *plan, const fare_run_options *options);

/** How scores are printed. */
typedef enum { FARE_SCORE_TABLE, FARE_SCORE_JSON, FARE_SCORE_CSV } fare_score_form;
/** Exact draws behind a floor unless another number is asked for. */
#define FARE_SCORE_REPLICATES 200
/** What is scored, and how. */
typedef struct {
  const char               *directory; /**< of a finished study */
  const char               *samples;   /**< the file; docs/scoring.md has its format */
  size_t                    measures;  /**< 0: all that are defined in this dimension and for these samples */
  const fare_measure_type **measure;   /**< each of them */
  int                       replicates; /**< exact draws behind a floor; at least 40; 0: values alone */
  fare_score_form           form;       /**< of what is printed */
} fare_score_options;
/**
  Measures samples from anywhere against the truth of a finished study, the same on any number of ranks.
  Prints on rank 0. Collective.

  @param comm    the ranks
  @param options what is scored
  @param to      an open file on rank 0
  @return FARE_ERR_INPUT for what is wrong with study or samples
*/
PetscErrorCode fare_score(MPI_Comm comm, const fare_score_options *options, FILE *to);
/**
  All that scoring knows: the measures on bins, then those that are made from the samples' own density. Not
  collective.

  @param i from 0
  @return NULL past the last
*/
const fare_measure_type *fare_score_measure_at(size_t i);
/**
  What is printed of each measure at each time. Not collective.

  @param i       from 0
  @param meaning of the column; may not be NULL
  @return the name of the column; NULL past the last
*/
const char *fare_score_column_at(size_t i, const char **meaning);

/**
  Writes the particles of one ensemble of a finished study as a file to train on, and to score. Says on rank 0
  what was written. Collective.

  @param comm      the ranks
  @param directory of the study
  @param ensemble  its name; NULL: the one that was simulated
  @param path      of the file; NULL: STUDY_training.h5
  @return FARE_ERR_INPUT when there is no such ensemble, or such a file already
*/
PetscErrorCode fare_export(MPI_Comm comm, const char *directory, const char *ensemble, const char *path);
/**
  Writes the particles of one simulated ensemble as tracks, for inference. Says on rank 0 what was written.
  Collective.

  @param comm      the ranks
  @param directory of the study
  @param ensemble  its name; NULL: the one that was simulated
  @param path      of the file; NULL: STUDY_tracks.h5
  @return FARE_ERR_INPUT when there is no such ensemble, or such a file already
*/
PetscErrorCode fare_export_tracks(
  MPI_Comm comm, const char *directory, const char *ensemble, const char *path);

/**
  Writes the cells of its truth and the masses there, for generators whose density is known. Collective.

  @param comm      the ranks
  @param directory of the study
  @param path      of the file; NULL: STUDY_grid.h5
  @return FARE_ERR_INPUT without a truth, or when there is such a file already
*/
PetscErrorCode fare_export_grid(MPI_Comm comm, const char *directory, const char *path);

#endif
