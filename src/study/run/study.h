/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside study: what one run holds, and the numbers that come out. */
#ifndef FARE_STUDY_PRIVATE_H
#define FARE_STUDY_PRIVATE_H

#include "study/plan/plan.h"

#define FARE_REPLICATES  200 /* exact draws behind every noise floor */
#define FARE_LABEL_SIZE  96
#define FARE_REASON_SIZE 2048 /* of a message kept while others may be made */

/* What is compared with what. */
typedef enum {
  FARE_SAMPLES_TRUTH,  /* samples with the truth: what a study is about */
  FARE_DENSITY_TRUTH,  /* the density that a method aims at, with the truth: no noise */
  FARE_SAMPLES_TARGET, /* samples with the density that their method aims at: has it converged? */
} fare_comparison_kind;

/* One comparison over all snapshots: measured[snapshot * measures + measure]. */
typedef struct {
  char                 label[FARE_LABEL_SIZE];
  size_t               ensemble;
  fare_comparison_kind kind;
  fare_measured       *measured;
} fare_compared;

/* Binned masses of one name over all snapshots: mass[snapshot * bins + bin]; NULL on ranks other than 0. */
typedef struct {
  char   name[FARE_LABEL_SIZE];
  float *mass;
} fare_binned_series;

/* A double of a struct, under the name that files give it. A NULL name ends a list. */
typedef struct {
  const char *name;
  size_t      offset;
} fare_column;
static inline double fare_column_value(const fare_column *column, const void *row)
{
  return *(const double *)((const char *)row + column->offset);
}
/* Of a fare_truth_status, and of a fare_joint_status, in snapshots and in study.h5. */
extern const fare_column fare_truth_columns[], fare_joint_columns[];

/* What a run has found. All but the masses of series is the same on every rank. */
typedef struct {
  const fare_plan   *plan;
  PetscBool         *trained; /* per snapshot: learned from by any ensemble */
  fare_checksum     *file;    /* per snapshot: of its file, 0 bytes where that is not known */
  fare_truth_status *truth;   /* per snapshot; NULL without a truth on a grid */
  fare_joint_status *joint;   /* per snapshot; NULL without one of another kind */
  fare_census      **census;  /* per ensemble and snapshot: where its particles were */
  fare_motion      **motion;  /* per ensemble and interval: of learned densities, else NULL */
  PetscInt           cells[FARE_DIM_MAX];
  const fare_thermo *thermo; /* borrowed; NULL unless asked for */
  fare_work_summary  work;   /* beside it */
  /* of the grid, NULL behind the last; NULL until they have run */
  fare_analysis_result **analysis;
  fare_analysis_keeper   keeper; /* of analyses that are under way */
  fare_rare_results      rare;
  fare_control_results   control;
  fare_infer_results     infer;
  size_t                 comparisons;
  fare_compared         *comparison;
  /* per ensemble, over all ranks: the slowest's seconds, the sum of evaluations */
  fare_cost *cost;
  double (*effort)[2];         /* per ensemble, as of its sampler */
  char              **failure; /* per ensemble: why it ended early, or NULL */
  const fare_curve  **curve;   /* per ensemble: borrowed from its sampler, or NULL */
  int                 bin_axes;
  uint64_t            bin_extent[FARE_DIM_MAX]; /* of the series, slowest axis first as in their datasets */
  double              bin_lower[FARE_DIM_MAX], bin_upper[FARE_DIM_MAX];
  size_t              series;
  fare_binned_series *binned;
  double              seconds;
} fare_results;

/* One run, from its beginning to its end. */
typedef struct {
  MPI_Comm                comm;
  const fare_plan        *plan;
  const fare_run_options *options;
  fare_record            *record;
  fare_initial            initial; /* the plan's, on the box below */
  fare_box                box;     /* of fare_run_grid, where there is one */
  fare_walls              walls;   /* of the truth; none without one */
  fare_truth             *truth;
  fare_joint             *joint;    /* NULL: the truth is a grid, or there is none */
  fare_thermo            *thermo;   /* NULL unless asked for */
  fare_densities         *exact;    /* NULL without oracles */
  fare_grid              *own_grid; /* NULL where there is a truth, or there are too many axes */
  fare_binning           *binning;  /* NULL without a grid */
  Vec *reactive, *reactive_error;   /* per snapshot, on a condition: what is compared with; else NULL */
  fare_sampler  **sampler;
  fare_ensemble **ensemble;
  PetscBool      *ready; /* per ensemble: trained, or not to be */
  PetscInt64     *made;  /* per ensemble: snapshots that it has come to */
  fare_results    results;
  PetscBool       warned;                 /* of a box that is too small */
  PetscBool       warned_of_bound;        /* far beyond the estimate */
  PetscBool       warned_of_accuracy;     /* asked for and missed */
  PetscBool       doubted;                /* of a truth that is not resolved */
  fare_store     *from;                   /* the checkpoint that the run goes on from, or NULL */
  int64_t         checkpoints;            /* written since the study began, before interruptions, too */
  double          writing, checkpointing; /* seconds of this rank */
  double          last_checkpoint;        /* in fare_seconds */
  /* the snapshot that truth and ensembles are on their way to, or have come to last; -1 at the beginning */
  PetscInt64 under_way;
  double     under_way_since; /* in fare_seconds */
  /* snapshots after which the state would be that of a checkpoint written now; -1: in the middle of one */
  PetscInt64 safe;
  /* failed on its way: no part of a checkpoint, and evolved again by a run that goes on */
  PetscBool truth_lost;
} fare_run;

PetscErrorCode fare_results_create(
  const fare_plan *plan, const fare_binning *binning, const fare_grid *grid, fare_results *results);
PetscErrorCode fare_results_free(fare_results *results);
/* Index of a comparison or series by name; made when the study begins. */
fare_compared *fare_results_comparison(fare_results *results, size_t ensemble, fare_comparison_kind kind);
/*
  Whether samples of ensemble i have come to the density that its method aims at, over all snapshots:
  FARE_CONVERGED_UNKNOWN where it aims at the truth.
*/
typedef enum { FARE_CONVERGED_UNKNOWN = -1, FARE_NOT_CONVERGED = 0, FARE_CONVERGED = 1 } fare_convergence;
typedef struct {
  fare_convergence state;
  double           value, floor; /* of the first measure, averaged over snapshots */
} fare_approach;
fare_approach fare_results_approach(const fare_results *results, size_t ensemble);
/* Bins of a series at one snapshot. */
size_t fare_results_bins(const fare_results *results);
/* All series are empty again: what is kept adds to them. */
void fare_results_forget_series(fare_results *results);
/* Keeps binned masses of this snapshot under `name`. */
void fare_results_keep(fare_results *results, const char *name, PetscInt64 snapshot,
  const fare_binning *binning, const fare_binned *binned);

/* study.h5, tables.txt and tables as CSV. Collective. */
PetscErrorCode fare_results_write(MPI_Comm comm, const fare_results *results, fare_record *record);
/* The snapshot with the largest estimated error among those whose estimate is in doubt; -1: none is. */
PetscInt64 fare_results_doubt(const fare_results *results);
/*
  If truth and particles differ at an end of a position: the snapshot after the start with most mass in the
  outermost cells, and more there than the truth's error; -1: none.
*/
PetscInt64 fare_results_at_rest(const fare_results *results);
#define FARE_BOUNDARY_MASS 1e-9 /* in the outermost cells; more is worth a warning */
/* What a run prints when it ends; and the tables of each measure, of boundaries and of costs. Local. */
PetscErrorCode fare_results_print(const fare_results *results, FILE *to);
/* Of learned densities' dynamics: their table and files. */
void           fare_results_print_motion(const fare_results *results, FILE *to);
void           fare_results_motion_csv(const fare_results *results, fare_text *to);
PetscErrorCode fare_results_motion_save(
  const fare_results *results, size_t ensemble, fare_store *store, const char *path);
void fare_results_print_tables(const fare_results *results, FILE *to);

/* Those that solve for the truth together: all ranks, or each for itself. */
MPI_Comm fare_plan_truth_comm(MPI_Comm comm, const fare_plan *plan, const fare_truth_options *options);
/*
  Particles of the true dynamics at the trained times, by simulation. Collective. Free with
  fare_training_free.
*/
PetscErrorCode fare_training_simulate(MPI_Comm comm, const fare_plan *plan, const fare_initial *initial,
  const fare_walls *walls, fare_joint *joint, const fare_plan_ensemble *ensemble, fare_training_set *set,
  int64_t *force_evaluations);
/* Alike, of paths to the event of plan->condition, by splitting. */
PetscErrorCode fare_training_split(MPI_Comm comm, const fare_plan *plan, const fare_grid *grid,
  const fare_plan_ensemble *ensemble, fare_training_set *set, int64_t *force_evaluations);
PetscErrorCode fare_training_free(fare_training_set *set);

/*
  The truth's grid, or the one for pictures where there is no truth; NULL beside a truth of another kind, and
  beyond the axes of a grid.
*/
static inline const fare_grid *fare_run_grid(const fare_run *run)
{
  return run->truth ? fare_truth_grid(run->truth) : run->own_grid;
}
/*
  Trains all that learns, or takes it from a checkpoint; truth and ensembles are at the beginning then.
  Collective.
*/
PetscErrorCode fare_run_train(fare_run *run);
/* Advances truth and ensembles to snapshot k, writes and measures them. Collective. */
PetscErrorCode fare_run_snapshot(fare_run *run, PetscInt64 k);
/*
  Takes the truth alone through snapshot k, which is written already; measures what is in its file unless that
  is `measured`. Collective.
*/
PetscErrorCode fare_run_replay(fare_run *run, PetscInt64 k, PetscBool measured);
/*
  Lets ensemble i end early where `code` is a numerical failure of its method; any other code is returned.
  Collective.
*/
PetscErrorCode fare_run_end_ensemble(fare_run *run, size_t i, const char *when, PetscErrorCode code);
/*
  Whether to stop (due[0]), and whether a checkpoint is due (due[1]), neither before the time `from` of
  fare_seconds: alike on all ranks. Collective.
*/
PetscErrorCode fare_run_due(const fare_run *run, double from, int due[2]);
/* A checkpoint; only a warning where it cannot be written. Collective. */
PetscErrorCode fare_run_try_checkpoint(fare_run *run, PetscInt64 next);
/*
  Whether the files of the first `next` snapshots are as they were written: *bad is the first that is missing
  or another, which the message then names, or `next`. All ranks read. Collective.
*/
PetscErrorCode fare_run_check_snapshots(fare_run *run, PetscInt64 next, PetscInt64 *bad);
/* A checkpoint where one is due; FARE_ERR_STOPPED behind it where that was asked for. Collective. */
PetscErrorCode fare_run_checkpoint(fare_run *run, PetscInt64 next);
/*
  The same on the way to a snapshot, once that has taken longer than a request to stop is to wait. Collective.
*/
PetscErrorCode fare_run_pause(fare_run *run);

/*
  FARE_ERR_INPUT unless `plan` goes on with what the plan `begun` (as fare_plan_write writes it) has come to
  snapshot `next` with. Not collective.
*/
PetscErrorCode fare_plan_continues(const fare_plan *plan, const char *begun, PetscInt64 next);
/*
  How `plan` relates to the one that results were `found` with; the message says what differs where they are
  another's. Not collective.
*/
typedef enum {
  FARE_PLAN_SAME,     /* but for where the results lie */
  FARE_PLAN_EXTENDED, /* other measures or more snapshots are asked for: the study may go on */
  FARE_PLAN_OTHER
} fare_plan_relation;
PetscErrorCode fare_plan_compare(const fare_plan *plan, const char *found, fare_plan_relation *relation);

/*
  A checkpoint in DIRECTORY/checkpoints: all that a run needs to go on with snapshot `next`, be it on the way
  to that. Its name ends in a checksum of the file; the last two are kept. Collective.
*/
PetscErrorCode fare_checkpoint_write(fare_run *run, PetscInt64 next);
/* The path of the newest checkpoint, be it sound or not; false where there is none. On one rank. */
PetscBool fare_checkpoint_find(const char *directory, size_t size, char path[]);
/*
  Opens the newest sound checkpoint as run->from (NULL where there is none; the caller closes it) and restores
  results. *measured is false where the snapshots before `next` have to be measured again, because other
  measures are asked for. FARE_ERR_INPUT when the plan is another one. Collective.
*/
PetscErrorCode fare_checkpoint_open(fare_run *run, PetscInt64 *next, PetscBool *measured);
/*
  Truth and thermodynamics after `next` snapshots; *has is false where the truth was lost when the checkpoint
  was written, and has to be evolved again. Collective.
*/
PetscErrorCode fare_checkpoint_put_truth(fare_run *run, fare_store *store, PetscInt64 next);
PetscErrorCode fare_checkpoint_get_truth(fare_run *run, PetscInt64 next, PetscBool *has);
/*
  Whether ensemble i was ready to draw in run->from, and, where it was, its method's state, cost and
  particles. Collective.
*/
PetscErrorCode fare_checkpoint_has(fare_run *run, size_t i, PetscBool *ready);
PetscErrorCode fare_checkpoint_load(fare_run *run, size_t i);
/* The state of its training, where run->from was written in the middle of it. Collective. */
PetscErrorCode fare_checkpoint_load_training(fare_run *run, size_t i);

#endif
