/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
  rare: probabilities of rare events, estimated by methods that simulate, each beside the answer that it
  should give. A study names events under `events:` and estimators of them under `rare:`. One file per method
  in src/rare, named once in list.h there.
*/
#ifndef FARE_RARE_H
#define FARE_RARE_H

#include <fare/analysis.h>
#include <fare/ensemble.h>

#define FARE_NEVER 1e300 /**< a deadline that there is not */

/** What is to happen to a path from `start`: to reach b before a, or before a deadline, or both. */
typedef struct {
  char       *name;                /**< as estimators refer to it */
  fare_region a;                   /**< the set to avoid; without boxes: none */
  fare_region b;                   /**< the set to reach */
  double      start[FARE_DIM_MAX]; /**< where paths begin */
  double      time;                /**< when they begin */
  double      deadline;            /**< time by which b must be reached; FARE_NEVER: any */
} fare_event;

/** The events of a study, and the estimators of them. */
typedef struct fare_rare fare_rare;

/**
  Names the methods. Not collective.
  @param i number of the method
  @return its name, NULL past the last
*/
const char *fare_rare_name_at(size_t i);
/**
  Describes the methods in a line. Not collective.
  @param i number of the method
  @return its summary, NULL past the last
*/
const char *fare_rare_summary_at(size_t i);
/**
  Prints summary, reference and keys of a method. Not collective.
  @param method its name
  @param to     where
  @return FARE_ERR_INPUT where there is no such method
*/
PetscErrorCode fare_rare_describe(const char *method, FILE *to);
/** Keys of one line of `events:`. */
extern const fare_field fare_event_fields[];
/** Keys that a line of `rare:` has whatever its method. */
extern const fare_field fare_rare_fields[];

/**
  Reads and checks the sections `events:` and `rare:`. Not collective.
  @param events their list; NULL: none
  @param list   that of the estimators; NULL: none
  @param system the physics, borrowed
  @param truth  options of the truth on a grid, whose box and boundaries are those of the paths
  @param rare   NULL where there are no events; destroy with fare_rare_destroy()
  @return FARE_ERR_INPUT with file, line and path of what is wrong
*/
PetscErrorCode fare_rare_from_config(const fare_node *events, const fare_node *list,
  const fare_system *system, const fare_truth_options *truth, fare_rare **rare);
/**
  Finds the event that a scalar names. Not collective.
  @param rare  events of a study; NULL: none
  @param node  the scalar
  @param event borrowed
  @return FARE_ERR_INPUT where there is no such event
*/
PetscErrorCode fare_rare_event(const fare_rare *rare, const fare_node *node, const fare_event **event);
/**
  Destroys them. Not collective.
  @param rare set to NULL; may be NULL
  @return 0 or an error code
*/
PetscErrorCode fare_rare_destroy(fare_rare **rare);
/**
  Writes both sections as YAML that reads back to the same; nothing where there are none. Not collective.
  @param rare what to write; may be NULL
  @param to   appended to
*/
void fare_rare_write(const fare_rare *rare, fare_text *to);
/**
  Finds the first difference between these sections and those that a checkpoint keeps, matched by name. Not
  collective.
  @param rare       those of the plan; may be NULL
  @param events     node of the kept section; NULL: none
  @param list       alike
  @param difference unchanged where there is none
  @return FARE_ERR_INPUT where the kept sections cannot be read
*/
PetscErrorCode fare_rare_compare(
  const fare_rare *rare, const fare_node *events, const fare_node *list, fare_difference *difference);
/**
  How many estimators there are. Not collective.
  @param rare may be NULL
  @return their number
*/
size_t fare_rare_count(const fare_rare *rare);

/**
  Whether a study may be conditioned on the event of an estimator: one by splitting, whose steps meet all
  times, which lie between the event's beginning and its deadline. Not collective.
  @param rare  the estimators; may be NULL
  @param name  of one of them
  @param count number of times
  @param times rising
  @param node  where errors are reported
  @return FARE_ERR_INPUT with what is wrong
*/
PetscErrorCode fare_rare_reactive_check(
  const fare_rare *rare, const char *name, int count, const double times[], const fare_node *node);
/**
  The density of paths on their way to b: of those that have begun at the event's start, have met neither a
  nor b yet, and will reach b before a and the deadline. With the killed density p and the committor q it is
  p(t,x) q(t,x) over its sum (Metzner, Schuette and Vanden-Eijnden, J. Chem. Phys. 125, 084110 (2006)).
  Collective over the grid's ranks.
  @param rare    the estimators
  @param name    of the one whose event it is
  @param grid    the cells
  @param count   number of times
  @param times   as fare_rare_reactive_check() takes them
  @param masses  filled with `count` new vectors of sum 1; the caller destroys them
  @param error   alike: estimated (exact - masses), from cells half as wide
  @param share   `count` numbers: of all paths that will reach b, those on their way
  @return FARE_ERR_FAILED where nothing is on its way, or a solver fails
*/
PetscErrorCode fare_rare_reactive_density(const fare_rare *rare, const char *name, const fare_grid *grid,
  int count, const double times[], Vec masses[], Vec error[], double share[]);
/**
  Paths to b as splitting finds them: particle n of all ensembles is on one path, with the weight of its run,
  or with none where the path is not on its way. The same on any number of ranks. Collective.
  @param rare   the estimators
  @param name   of one by splitting
  @param grid   gives box and boundaries of paths
  @param seed   of the study
  @param count  number of times
  @param times  as fare_rare_reactive_check() takes them
  @param at     `count` ensembles of the same shape, overwritten
  @param steps  taken on this rank; added to
  @return FARE_ERR_FAILED where no path is on its way
*/
PetscErrorCode fare_rare_reactive_paths(const fare_rare *rare, const char *name, const fare_grid *grid,
  uint64_t seed, int count, const double times[], fare_ensemble *const at[], int64_t *steps);

/** What one estimator found, in one setting: a row of the table. */
typedef struct {
  char   estimator[72]; /**< its name, with what sets it apart where it has several rows */
  char   method[24];    /**< its method */
  char   event[72];     /**< the event that it estimates */
  double runs;          /**< independent ones */
  double rate;          /**< 1: probabilities are events per time, when begun anew */
  double estimate;      /**< mean over runs */
  double error;         /**< standard error of that mean; NaN where runs tell none */
  double low;           /**< 95% interval of the mean, */
  double high;          /**< by a bootstrap where `normal` is 0 */
  double normal;        /**< 1: error and z may be taken as normal */
  double chain;         /**< exact probability of the chain that is simulated, or predicted; NaN: not known */
  double chain_error;   /**< of that number */
  double predicted;     /**< 1: `chain` is a prediction, good to a few per cent */
  double continuum;     /**< exact probability in continuous time; NaN: not known */
  double continuum_error; /**< estimated, as analyses do */
  double z;               /**< (estimate - chain)/error; NaN where not normal */
  double variance;        /**< V, relative variance of one run */
  double variance_low;    /**< 95% interval of V, for normal runs */
  double variance_high;   /**< its upper end */
  double cost;            /**< C, steps of one run */
  double cost_10;         /**< steps to a relative error of 10%: 100 V C */
  double path_cost;       /**< mean steps of one plain path; up to the event where that has a rate */
  double gain;          /**< steps that plain simulation takes for the same error, over those of the method */
  double of_optimum;    /**< share of the least possible cost; NaN where that is not known */
  double zeros;         /**< share of runs that estimate 0 */
  double largest;       /**< largest share of one run in the sum of all */
  double skewness;      /**< of the mean over runs: how far it is from normal */
  double dt;            /**< step of the chain */
  double path_variance; /**< V of one path that is steered; NaN, as all below: none is */
  double path_variance_error;   /**< standard error, by leaving out a run at a time */
  double path_variance_0;       /**< V at step 0, from several steps: what is the control's own error */
  double path_variance_0_error; /**< standard error */
  double path_variance_tail;    /**< V if ln weight were normal, by its mean and the estimate */
  double ess;                   /**< effective number of paths, (sum of weights)^2/(sum of squares) */
  double heaviest;              /**< largest share of one path in the sum of weights */
  double hits;                  /**< share of steered paths that reach b */
  double information;           /**< mean of -ln weight: what the control costs, at least -ln p */
  double learned_error; /**< of a committor that is learned: rms of its error along paths of the event */
  double learned_start; /**< its ln q at the start, less that of the grid */
  double seconds;       /**< of all ranks together, on runs */
} fare_rare_row;

/** What forward flux finds at an interface, and should find: of the first, crossings per time; of each
 * further one, and b in the end, the share of paths from the one before that reach it. */
typedef struct {
  double score;     /**< where it is; infinite in b where that has no score */
  double estimate;  /**< mean over the runs that come so far */
  double error;     /**< standard error of that mean; NaN where runs tell none */
  double chain;     /**< predicted for the chain; NaN: not known */
  double continuum; /**< exact in continuous time; NaN: not known */
} fare_interface;
/** Runs that are begun and not made yet. */
typedef struct fare_rare_under_way fare_rare_under_way;
/** What all estimators found. */
typedef struct {
  size_t         count;   /**< of rows */
  fare_rare_row *row;     /**< each of them */
  char         **failure; /**< per row: why it has no result, or NULL */
  PetscInt64    *runs;    /**< per row: independent runs, ... */
  PetscInt64    *done;    /**< ... and how many of them are made */
  double       **once;    /**< per row: what each run gave, FARE_RARE_ONCE numbers; of cost 0: not made yet */
  size_t        *details; /**< per row: numbers that each run gave besides, ... */
  double       **detail;  /**< ... and these */

  fare_interface     **interface; /**< per row: of those numbers, where they are of interfaces; else NULL */
  fare_rare_under_way *under_way; /**< runs that checkpoints keep, too; NULL: none */
} fare_rare_results;
#define FARE_RARE_ONCE 10 /**< numbers of one run: estimate, cost, paths and steps, and of weights */
/**
  Rows of all estimators, without a run yet. Not collective.
  @param rare    may be NULL
  @param results free with fare_rare_results_free()
  @return 0 or an error code
*/
PetscErrorCode fare_rare_results_create(const fare_rare *rare, fare_rare_results *results);
/**
  Writes the runs that are made into a checkpoint, or reads them from one. Collective.
  @param results of fare_rare_results_create()
  @param store   open for it
  @param load    whether they are read; a checkpoint without any leaves them alone
  @return FARE_ERR_FAILED where the file fails
*/
PetscErrorCode fare_rare_results_keep(fare_rare_results *results, fare_store *store, PetscBool load);
/**
  Makes all runs of all estimators that are not made yet, spread over the ranks, which share the paths of runs
  that are fewer than they are; the same bits on any number of them. One that fails leaves a row without a
  result, with a warning. Collective.
  @param rare    what to run
  @param comm    the ranks
  @param grid    of the truth
  @param seed    of all random numbers
  @param pause   called several times a second, in the middle of runs, too, to write a checkpoint or to end
  with an error; may be NULL
  @param to      its argument
  @param results of fare_rare_results_create()
  @return errors of pause(), and others than FARE_ERR_FAILED and FARE_ERR_INPUT of one estimator
*/
PetscErrorCode fare_rare_run(const fare_rare *rare, MPI_Comm comm, const fare_grid *grid, uint64_t seed,
  PetscErrorCode (*pause)(void *to), void *to, fare_rare_results *results);
/**
  Frees them. Not collective.
  @param results zeroed
*/
void fare_rare_results_free(fare_rare_results *results);
/**
  Writes group /rare. Collective.
  @param results of all estimators
  @param store   open for writing
  @return FARE_ERR_FAILED where the file cannot be written
*/
PetscErrorCode fare_rare_results_save(const fare_rare_results *results, fare_store *store);
/**
  Prints a table for people. Rank 0 calls it.
  @param results of all estimators
  @param to      where
*/
void fare_rare_results_print(const fare_rare_results *results, FILE *to);

#endif
