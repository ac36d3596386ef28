/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside rare: what a method provides, and what methods share: paths, scores, random numbers, truths. */
#ifndef FARE_RARE_PRIVATE_H
#define FARE_RARE_PRIVATE_H

#include <fare/learn.h>
#include <fare/rare.h>

/* How a path is seen to have entered a set: where a step ends in it, or also between, as a Brownian bridge.
 */
typedef enum { FARE_CROSSING_STEP, FARE_CROSSING_BRIDGE } fare_crossing;
extern const char *const fare_crossings[];

/* The chain that is simulated: x += f dt + sqrt(2 D dt) z. Keys that all methods with one step have. */
typedef struct {
  double dt;
  int    crossing;
} fare_chain_keys;
#define FARE_CHAIN_FIELDS(at)                                                                              \
  {"dt", FARE_REAL, (at) + offsetof(fare_chain_keys, dt), NULL, 1e-12, 1e3, NULL, "time",                  \
    "step of the simulation; with a deadline, the step used divides the time up to it"},                   \
  {                                                                                                        \
    "crossing", FARE_CHOICE, (at) + offsetof(fare_chain_keys, crossing), "step", 0, 0, fare_crossings, "", \
      "a set is entered where a step ends in it, or also between, as the bridge over a step tells"         \
  }

/* What is estimated: the probability of the event, or how often per time it happens when begun anew. */
typedef enum {
  FARE_RARE_PROBABILITY,
  FARE_RARE_RATE
} fare_rare_quantity; /* a rate: of b alone, a plays no part */

/* One row of the table: a method may have several, say one for each step or control. */
typedef struct {
  char               label[40]; /* behind the estimator's name; "": nothing */
  fare_chain_keys    chain;
  fare_rare_quantity of;
  int                kind; /* the method's own: rows of one kind differ by the step alone */
} fare_rare_setting;

struct fare_path;

/* An estimator of a study, as methods see it. */
typedef struct {
  const struct fare_rare_type *type;
  const void                  *options;
  const fare_event            *event;
} fare_rare_chosen;

/* Where splitting's paths are at some steps, and which of them reached b. */
typedef struct {
  int            count;
  const int64_t *step;       /* rising, from 1 on */
  double        *x;          /* [(walker * count + mark) * FARE_DIM_MAX + axis] */
  int64_t       *end;        /* per walker: the step at which it entered b; -1: it did not */
  double         log_weight; /* of each that did */
} fare_rare_marks;

/* What a method works on: one event, one setting. */
typedef struct {
  MPI_Comm                  comm; /* of all ranks */
  MPI_Comm                  team; /* that makes a run */
  const char               *name; /* of the row: it tells random numbers apart */
  uint64_t                  seed;
  const fare_system        *system;
  const fare_truth_options *truth;
  const fare_grid          *grid; /* of the truth: its box, boundaries and cells */
  fare_walls                walls;
  const fare_event         *event;
  fare_rare_setting         setting;
  double                    dt;    /* the step that is used */
  int64_t                   steps; /* up to the deadline; -1: there is none */
  double                    runs;  /* of the row, which share what comes before them */
  const double             *theta; /* parameters of each step, one row each; NULL: not tabulated */
  /* sees splitting's paths behind each step; may be NULL */
  void (*watch)(void *to, size_t i, const struct fare_path *path);
  void            *watcher;
  fare_rare_marks *marks; /* filled in by a run of splitting; may be NULL */
} fare_rare_context;

const fare_system *fare_rare_system(const fare_rare *rare);
/* An estimator by its name; false where there is none. */
PetscBool fare_rare_choose(const fare_rare *rare, const char *name, fare_rare_chosen *chosen);
/* What it works on in its first setting; `name` tells its random numbers apart. Free theta, too. Collective.
 */
PetscErrorCode fare_rare_context_make(const fare_rare *rare, const fare_rare_chosen *chosen, const char *name,
  MPI_Comm comm, const fare_grid *grid, uint64_t seed, fare_rare_context *context, double **theta);

/* The stream of one purpose of one run. */
fare_stream fare_rare_stream(const fare_rare_context *context, int64_t run, const char *purpose);

/* What one independent run gives. */
typedef struct {
  double estimate; /* unbiased for the chain, 0 included */
  double cost;     /* steps, that is evaluations of the force */
  double paths;    /* that were begun plainly, from the start to their end, and ... */
  double steps;    /* ... what they took together: 0 where the method has none */
  /* of paths with weights: how many, those that reached b, the sums of weights, of their squares and of minus
   * their logarithms, and the largest weight; 0 where the method has none */
  double weighted, hits, weights, squares, information, heaviest;
} fare_rare_once;

typedef struct fare_rare_state fare_rare_state;

/* A method: one const descriptor, exported by its one file. */
typedef struct fare_rare_type {
  const char       *name, *summary, *reference;
  size_t            size; /* of its options, which begin zeroed with the fields filled in */
  const fare_field *fields;
  /* may be NULL; `grid` and `comm` of the context are NULL yet, and so is what follows from the setting */
  PetscErrorCode (*check)(void *options, const fare_node *node, const fare_rare_context *context);
  int (*settings)(const void *options); /* how many rows; NULL: one */
  void (*setting)(const void *options, int i, fare_rare_setting *setting);
  /* what all runs share, such as a committor; `shares`: rows of one kind do, too. Collective. Both may be
   * NULL. */
  PetscBool shares;
  PetscErrorCode (*begin)(const void *options, const fare_rare_context *context, void **work);
  PetscErrorCode (*end)(void **work);
  /* begins a run or goes on with it, until it has ended or is to pause, as fare_rare_walk() tells; `once` of
   * it is whole then. Random numbers depend on its number and the seed. Collective on the team. */
  PetscErrorCode (*run)(const void *options, const fare_rare_context *context, void *work,
    fare_rare_state *run, PetscBool *ended);
  size_t (*details)(const void *options); /* numbers that each run gives besides; NULL: none */
  /* what they should be, where they are of interfaces; chances only. Collective. NULL: they are not. */
  PetscErrorCode (*interfaces)(
    const void *options, const fare_rare_context *context, void *work, fare_interface interface[]);
  /* puts into a row what `work` tells of itself; may be NULL */
  void (*report)(const void *work, fare_rare_row *row);
  /* the least relative variance of one run at the cost that it has; NULL: not known */
  double (*optimum)(const void *options, double p);
  void (*destroy)(void *options); /* may be NULL; fields are freed by the caller */
} fare_rare_type;

/*
  Paths of the chain (run/paths.c), walked side by side. Each has a clock of its own: steps since the event's
  time. Its random numbers are those of (stream, slot, generation, steps since `born`).
*/
typedef enum { FARE_PATH_GOES_ON, FARE_PATH_IN_A, FARE_PATH_IN_B, FARE_PATH_LATE } fare_path_end;
typedef struct fare_path {
  double        x[FARE_DIM_MAX];
  int64_t       step, born;
  uint32_t      slot, generation;
  fare_path_end end;
  double  log_weight; /* of a path that is steered: likelihood of the chain over that of the steered one */
  double  own;        /* both are the method's */
  int64_t mark;
} fare_path;
/* Whether it is to be walked on, up to a step; -1: until it ends. */
static inline PetscBool fare_path_goes_on(const fare_path *path, int64_t until)
{
  return path->end == FARE_PATH_GOES_ON && path->step != until ? PETSC_TRUE : PETSC_FALSE;
}
typedef struct {
  const fare_rare_context *context;
  fare_stream              noise;
  int64_t                  until; /* step at which each path stops; -1: where it ends */
  /* sees each path behind each of its steps, and may end it or put it elsewhere; may be NULL */
  void (*visit)(void *to, size_t i, fare_path *path);
  /* drift that is added at a time and place; may be NULL */
  void (*steer)(void *to, double t, const double x[], const double D[], double u[]);
  void *to;
} fare_walk;
/* Walks path[which[0..count-1]], or path[0..count-1] where `which` is NULL; adds the steps that were taken.
 * Not collective. */
PetscErrorCode fare_paths_walk(
  const fare_walk *walk, size_t count, const size_t which[], fare_path path[], int64_t *steps);
/*
  The probability that the Brownian bridge between two points outside of a set has been in it, each face for
  itself: exp(-d d'/(D dt)) where it comes nearest within the face, d and d' being the distances of its ends
  (Gobet, Stoch. Process. Appl. 87, 167 (2000)).
*/
double fare_bridge_probability(const fare_rare_context *context, const fare_region *region,
  const double from[], const double to[], const double D[]);
/* A path at the start. */
fare_path fare_path_begin(const fare_rare_context *context, uint32_t slot);
/* Time of a clock. */
static inline double fare_rare_time(const fare_rare_context *context, int64_t step)
{
  return context->event->time + (double)step * context->dt;
}

/* States that a path has come by, as its method chooses. */
typedef struct {
  double  score, x[FARE_DIM_MAX];
  int64_t step;
} fare_milestone;
typedef struct {
  size_t          count, room;
  fare_milestone *at;
} fare_past;

/*
  A run that is under way, and all that it needs to go on where it is: checkpoints keep it (run/state.c).
  Every rank of the team has all of it. It begins with zeros, but for `until`.
*/
struct fare_rare_state {
  int64_t        number;        /* of the run */
  int64_t        stage;         /* the method's: paths that are done, generation, interface */
  int64_t        until;         /* the method's: step at which its paths stop; at first -1 */
  int64_t        steps;         /* taken so far */
  double         value;         /* the method's: hits, log of a weight, product of shares, arrivals */
  size_t         count;         /* paths */
  fare_path     *path;          /* each of them */
  fare_past     *past;          /* of each; NULL: not kept */
  fare_rare_once once;          /* what it gives in the end */
  double        *detail;        /* so many numbers as the method says */
  double         share;         /* of the run that is done; not kept, as all below */
  double         present;       /* estimate so far; NaN: none yet */
  double         present_error; /* NaN: not known */
  double         pause_at;      /* time, as of fare_seconds() */
  PetscBool      begun, full;   /* full: no memory was left for the past */
};
/* Room for paths and, where `past` is true, for their pasts; what it held is freed. */
PetscErrorCode fare_rare_hold(fare_rare_state *run, size_t count, PetscBool past);
/* Adds to the past of a path. Not collective. */
void fare_rare_remember(fare_rare_state *run, size_t i, double score, const fare_path *path);
/* Whether a run is to pause. Collective on the team. */
PetscErrorCode fare_rare_is_over(
  const fare_rare_context *context, const fare_rare_state *run, PetscBool *over);
/*
  Walks all paths of a run that go on, shared among the team. *ended is false where it is to pause before: the
  same call goes on with them. Collective on the team.
*/
PetscErrorCode fare_rare_walk(const fare_walk *walk, fare_rare_state *run, PetscBool *ended);
/* Walks so many paths from the start to their ends, and counts each, in their order: `stage` of them so far.
 * Collective on the team. */
PetscErrorCode fare_rare_sample(const fare_walk *walk, int64_t paths, fare_rare_state *run,
  void (*count)(const fare_path *path, fare_rare_state *run), PetscBool *ended);
/* What steers paths: the drift u = 2 D grad ln q, bounded; `steer` of a walk, whose `to` is a pilot. */
typedef struct {
  const fare_rare_context           *context;
  const struct fare_committor_field *field;
} fare_pilot;
void fare_committor_steer(void *to, double t, const double x[], const double D[], double u[]);

/*
  How near to the event a state is (score.c): higher is nearer, for paths that have not ended. The rest of the
  order is the methods': who is in b is above all.
*/
typedef struct fare_score fare_score;
typedef struct {
  char      *score;
  PetscInt64 cells;
} fare_score_keys;
#define FARE_SCORE_FIELDS(at)                                                                               \
  {"score", FARE_STRING, (at) + offsetof(fare_score_keys, score), "", 0, 0, NULL, "",                       \
    "an axis, or `committor`: solved on a grid; default: the first axis along which b lies off the start"}, \
  {                                                                                                         \
    "score_cells", FARE_INTEGER, (at) + offsetof(fare_score_keys, cells), "64", 8, 4096, NULL, "",          \
      "cells per axis of that grid"                                                                         \
  }
/* FARE_ERR_INPUT for what is wrong with the keys. */
PetscErrorCode fare_score_check(
  const fare_score_keys *keys, const fare_node *node, const fare_rare_context *context);
/* Collective. */
PetscErrorCode fare_score_create(
  const fare_score_keys *keys, const fare_rare_context *context, fare_score **score);
PetscErrorCode fare_score_destroy(fare_score **score);
double         fare_score_at(const fare_score *score, double t, const double x[]);
/* Where b begins. */
double fare_score_of_b(const fare_score *score, const fare_event *event);

/* Places and chances of so many interfaces, the first at the start and the last at b (interfaces.c). Not
 * collective. */
PetscErrorCode fare_interfaces_solve(
  const fare_rare_context *context, const fare_score *score, size_t count, fare_interface interface[]);

/* FARE_ERR_INPUT where the start or a whole set lies outside of a box that was fitted. Collective. */
PetscErrorCode fare_event_check(const fare_event *event, const fare_grid *grid);

/* The answers that a row should give (truths.c, chain.c). NaN: not known. Collective. */
typedef struct {
  double    chain, chain_error, continuum, continuum_error;
  double    path_cost; /* mean steps of a plain path; NaN: not known */
  double    optimum;   /* of a rate: walkers x time x relative variance, the least of a weighted ensemble */
  PetscBool predicted;
} fare_rare_truth;
/* alike: of another step of the same event, whose continuum serves; NULL: none. */
PetscErrorCode fare_rare_truth_find(
  const fare_rare_context *context, const fare_rare_truth *alike, fare_rare_truth *truth);
/* The chain of one axis, exactly, with an estimate of the error; *known is false where it cannot be had. */
PetscErrorCode fare_rare_chain_solve(
  const fare_rare_context *context, fare_rare_truth *truth, PetscBool *known);

/* Distance of x from a set without boundaries between them, and its slope, a unit vector; HUGE_VAL: no set.
 */
double fare_rare_distance(const fare_grid *grid, const fare_region *set, const double x[], double slope[]);
/* V at step 0 of rows of one kind at several steps: a straight line through V at each. */
void fare_rare_extrapolate(size_t count, const int kind[], fare_rare_row row[]);
/* Estimates of all interfaces from all runs, [run * count + interface], and the flux that goes with the rest.
 */
void fare_interfaces_judge(
  int64_t runs, size_t count, const double detail[], const fare_rare_row *row, fare_interface interface[]);
/*
  Whether weights are so uneven that those which make V are too rare to have been seen: V is less than half of
  what a normal law of ln w gives, whose mean -ln w is as far above -ln p.
*/
PetscBool fare_rare_tail(const fare_rare_row *row);
/* Fewer tell no normal error: their spread may be far too small. */
#define FARE_RARE_RUNS_LEAST 8
/* Estimate, error, variance and costs from all runs; the row has its truths already. */
void fare_rare_judge(
  int64_t runs, const fare_rare_once once[], double optimum, uint64_t seed, fare_rare_row *row);

#endif
