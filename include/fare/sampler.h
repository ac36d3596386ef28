/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
  sampler: a method that makes an ensemble represent time t. One file per method in src/sampler, named once in
  list.h there.
*/
#ifndef FARE_SAMPLER_H
#define FARE_SAMPLER_H

#include <fare/ensemble.h>
#include <fare/joint.h>
#include <fare/learn.h>
#include <fare/prior.h>
#include <fare/store.h>
#include <fare/truth.h>

/** Families of methods. */
typedef enum { FARE_EQUILIBRIUM, FARE_SIMULATION, FARE_GENERATIVE } fare_sampler_family;
extern const char *const fare_sampler_family_names[]; /**< by fare_sampler_family */

/**
  What a method has spent. Seconds are of this rank; evaluations are of this rank, one per particle or network
  row.
*/
typedef struct {
  double  train_seconds;       /**< of training */
  double  sample_seconds;      /**< of advances */
  int64_t force_evaluations;   /**< one per particle */
  int64_t network_evaluations; /**< one per row */
} fare_cost;

/**
  The cost over all ranks: seconds of the slowest one, sums of evaluations. Collective.
  @param comm the ranks
  @param mine of this rank
  @param all the same on every rank
  @return an error of PETSc
*/
PetscErrorCode fare_cost_gather(MPI_Comm comm, const fare_cost *mine, fare_cost *all);

/** Particles of the true dynamics at the times that may be learned from. */
typedef struct {
  int             count; /**< times */
  const double   *times; /**< ascending, from the schedule */
  fare_ensemble **at;    /**< NULL for an oracle, which needs no particles */
} fare_training_set;

/**
  Where a method that learns takes its field (score, velocity, energy, coupling) from: a trained network; the
  exact density, which leaves the method's own error alone; or the closed-form optimum for the finite training
  set, which is what a perfect training would make of it. Bits, for what a method can.
*/
typedef enum { FARE_LEARNED = 0, FARE_ORACLE = 1, FARE_EMPIRICAL = 2 } fare_sampler_mode;
extern const char *const fare_sampler_mode_names[]; /**< by fare_sampler_mode */

/**
  What a method makes of walls (see fare_walls): nothing, so that particles may leave the box, which is told
  and counted; it keeps particles inside itself; or what it has drawn is reflected into the box.
  FARE_WALLS_ABSORBED is for a method that keeps particles inside and lets them be absorbed, too.
*/
typedef enum { FARE_WALLS_IGNORED, FARE_WALLS_KEPT, FARE_WALLS_FOLDED, FARE_WALLS_ABSORBED } fare_walls_way;
extern const char *const fare_walls_meanings[]; /**< for people */

typedef struct fare_sampler fare_sampler; /**< one running method */
/** Ends a function of a method, as FARE_FAIL does, with an error of this ensemble. */
#define FARE_SAMPLER_FAIL(sampler, code, ...) \
  PetscFunctionReturn(fare_error_at(code, (sampler)->where, __VA_ARGS__))

/** What a method provides. */
typedef struct {
  const char         *name;      /**< as in a study */
  const char         *summary;   /**< one line */
  const char         *reference; /**< of the method; may be "" */
  fare_sampler_family family;    /**< for people */
  size_t              size; /**< of the method's own state, which begins zeroed with the fields filled in */
  /** FARE_ORACLE, FARE_EMPIRICAL or both, where it can run so; 0: it only runs as it is */
  int            modes;
  fare_walls_way walls;           /**< see there */
  PetscBool      needs_potential; /**< of the system, which is refused without one */
  /** its parameters, members of that state: read from YAML, described, documented, saved */
  const fare_field *fields;
  /**
    FARE_ERR_INPUT where the method, with these fields, cannot run on the system; may be NULL. Called before
    anything runs.
  */
  PetscErrorCode (*check)(const void *state, const fare_system *system);
  /**
    FARE_ERR_INPUT where the method, with these fields, cannot run in this one of its modes; may be NULL.
    Called before anything runs.
  */
  PetscErrorCode (*check_mode)(const void *state, fare_sampler_mode mode);
  /**
    FARE_ERR_INPUT where the method, with these fields, cannot run between these walls; may be NULL. Called
    before anything runs.
  */
  PetscErrorCode (*check_walls)(const void *state, const fare_walls *walls);
  PetscErrorCode (*setup)(fare_sampler *sampler); /**< may be NULL */
  /**
    NULL where nothing is learned. As an oracle the set has its times alone, and sampler->exact the densities;
    as the empirical optimum the method copies what it needs.
  */
  PetscErrorCode (*train)(fare_sampler *sampler, const fare_training_set *data);
  /** Moves or draws the ensemble to time t; t never decreases. The first call has t = the schedule's start.
   */
  PetscErrorCode (*advance)(fare_sampler *sampler, double t, fare_ensemble *ensemble);
  /**
    The cell masses of the model density, where it is known (new vector); NULL: p(x,t)
    itself.
  */
  PetscErrorCode (*model_density)(fare_sampler *sampler, double t, const fare_grid *grid, Vec *masses);
  /** where that density is known of an oracle or the empirical optimum alone: their bits; 0: in every mode */
  int       model_density_modes;
  PetscBool density_between; /**< of what is trained, that density is known at every time of the schedule */
  /**
    Adds the evaluations that a whole schedule with so many particles will take, training sets aside, in mode
    FARE_LEARNED (the others take none); NULL: unknown. Runs nothing.
  */
  void (*estimate_cost)(const fare_sampler *sampler, int64_t particles, fare_cost *cost);
  /** how the loss of training fell, borrowed; NULL where nothing is learned */
  const fare_curve *(*curve)(const fare_sampler *sampler);
  /**
    the members of that state which a run needs to go on, besides the fields: all that train has made and
    advance counts; NULL: none
  */
  const fare_kept *kept;
  /**
    Called when those are loaded: makes what follows from them. FARE_ERR_FAILED where they contradict one
    another. May be NULL.
  */
  PetscErrorCode (*loaded)(fare_sampler *sampler);
  PetscErrorCode (*destroy)(fare_sampler *sampler); /**< may be NULL; fields are freed by the caller */
  PetscBool many_axes; /**< runs in any number of axes; else in up to FARE_DIM_MAX */
  /** takes a state that is lifted, as fare_product_is_lifted(): asks the system for nothing there */
  PetscBool lifted;
  PetscBool needs_joint; /**< takes what it draws from a truth that is not one grid: sampler->joint */
  /** with FARE_ORACLE: runs with a truth that is not one grid, too, by that truth's `noise` and `noised` */
  PetscBool noised_oracle;
  /**
    ln q at n points x[axis][i], of the density q that the last advance has drawn from, in any number of axes;
    NULL: unknown. Not collective.
  */
  PetscErrorCode (*log_density)(
    fare_sampler *sampler, int64_t n, const double *const x[], double log_density[]);
  PetscBool log_density_learned; /**< that is known of what is trained alone, not in other modes */
  int       priors;              /**< kinds of priors that it takes: bits 1 << a fare_prior_kind */
  /**
    FARE_ERR_INPUT where the method, with these fields, cannot take a prior of those kinds; may be NULL.
    Called before anything runs.
  */
  PetscErrorCode (*check_prior)(const void *state, const fare_system *system, const fare_prior *prior);
} fare_sampler_type;

/** One running method. Its descriptor's functions may read everything here and change `state` and `cost`. */
struct fare_sampler {
  const fare_sampler_type *type;       /**< borrowed */
  const char              *name;       /**< the ensemble's name in the study; names its random streams */
  char                     where[256]; /**< of its errors: "ensemble walk (langevin)" */
  MPI_Comm                 comm;       /**< the ranks that run it */
  uint64_t                 seed;       /**< of the study */
  const fare_system       *system;     /**< borrowed */
  const fare_initial      *initial;    /**< borrowed */
  fare_schedule            schedule;   /**< times of the snapshots */
  fare_sampler_mode        mode;       /**< FARE_LEARNED where nothing else was said */
  fare_walls               walls;      /**< of the truth's box; dim 0: none */
  /** particles of this rank that the last advance left outside, and that were reflected into the box */
  int64_t folded;
  /** borrowed: a truth that is not one grid, at the time of the present advance; NULL: there is none */
  fare_joint           *joint;
  const fare_densities *exact; /**< borrowed; with FARE_ORACLE from before training on, otherwise NULL */
  const fare_prior     *prior; /**< borrowed; NULL: none */
  /**
    the owner's: lets training and long advances be stopped, and go on; methods hand it to fare_learn_train
  */
  fare_learn_session session;
  void              *state; /**< of type->size bytes: the options, and what the method adds */
  fare_cost          cost;  /**< so far */
  double
    effort[2];  /**< of a simulation that is steered: cost of the control so far, and its standard error */
  double since; /**< when the seconds in cost were last brought up to date */
};

/**
  Whether the method has a `model_density` when it runs in this mode.
  @param type the method
  @param mode how it runs
  @return PETSC_TRUE where it has
*/
PetscBool fare_sampler_type_has_model_density(const fare_sampler_type *type, fare_sampler_mode mode);
/**
  Whether the method has a `log_density` when it runs in this mode.
  @param type the method
  @param mode how it runs
  @return PETSC_TRUE where it has
*/
PetscBool fare_sampler_type_has_log_density(const fare_sampler_type *type, fare_sampler_mode mode);
/**
  A method by its name.
  @param name as in a study
  @return NULL where there is none of that name
*/
const fare_sampler_type *fare_sampler_type_find(const char *name);
/**
  The methods in the order of list.h.
  @param i from 0
  @return NULL past the last
*/
const fare_sampler_type *fare_sampler_type_at(size_t i);
/**
  Writes what a method is, and its fields, for people. Not collective.
  @param type the method
  @param to an open file
*/
void fare_sampler_type_describe(const fare_sampler_type *type, FILE *to);

/**
  A method from a shared object, see docs/plugins_and_expressions.md. Collective over PETSC_COMM_WORLD: what
  fails on one rank fails on all.
  @param node what names the plugin in the study; where errors (FARE_ERR_INPUT) are reported
  @param path of the shared object, relative to the study
  @param library the caller ends with dlclose(*library), after an error too
  @param type the method, a part of the library
  @return FARE_ERR_INPUT where it is no such plugin
*/
PetscErrorCode fare_sampler_type_load(
  const fare_node *node, const char *path, void **library, const fare_sampler_type **type);

/**
  The sampler `python` as its keys make it: with `train` it learns, with `density` it has a model density. Not
  collective.
  @param map of `sampler: {python: ...}`
  @return the method; static
*/
const fare_sampler_type *fare_sampler_python_type(const fare_node *map);
/**
  Finds the directory of its modules, and imports its functions. Collective over PETSC_COMM_WORLD: what fails
  on one rank fails on all.
  @param map     of `sampler: {python: ...}`; where errors are reported
  @param study   path of the study file, beside which modules are found first
  @param options read from the map; its `path` becomes absolute
  @return FARE_ERR_INPUT where a function cannot be had
*/
PetscErrorCode fare_sampler_python_check(const fare_node *map, const char *study, void *options);

/**
  Reads a method's options: its state with the fields filled in. Not collective.
  @param type the method
  @param node a map, or NULL: defaults alone
  @param more fields of the same map that belong to the caller, or NULL
  @param options new; freed with fare_sampler_options_free
  @return FARE_ERR_INPUT, reported at the node that is wrong
*/
PetscErrorCode fare_sampler_options_read(
  const fare_sampler_type *type, const fare_node *node, const fare_field *more, void **options);
/**
  Frees options. Not collective.
  @param type the method
  @param options may point to NULL; becomes NULL
*/
void fare_sampler_options_free(const fare_sampler_type *type, void **options);
/**
  Whether options differ at most in the network and its training, which an oracle has no use for.
  @param type the method of both
  @param a options
  @param b options
  @return PETSC_TRUE where they differ in nothing else
*/
PetscBool fare_sampler_options_alike(const fare_sampler_type *type, const void *a, const void *b);
/**
  Sets a method up. Collective.
  @param comm the ranks that run it
  @param type the method
  @param name the ensemble's, borrowed; names its random streams
  @param options copied
  @param seed of the study
  @param system borrowed
  @param initial the initial density, borrowed
  @param schedule the times of the snapshots, copied
  @param sampler new; freed with fare_sampler_destroy, after an error too
  @return FARE_ERR_INPUT where the method cannot run on the system
*/
PetscErrorCode fare_sampler_create(MPI_Comm comm, const fare_sampler_type *type, const char *name,
  const void *options, uint64_t seed, const fare_system *system, const fare_initial *initial,
  const fare_schedule *schedule, fare_sampler **sampler);
/**
  Says how the method runs; before training. Not collective.
  @param sampler the method
  @param mode FARE_ORACLE or FARE_EMPIRICAL where it is not to learn
  @param exact for an oracle the densities at all snapshots, borrowed; else NULL
  @return FARE_ERR_INPUT where the method cannot run so
*/
PetscErrorCode fare_sampler_set_mode(
  fare_sampler *sampler, fare_sampler_mode mode, const fare_densities *exact);
/**
  Says what the method is told about the dynamics; before training. Not collective.
  @param sampler the method, which knows its mode
  @param prior   borrowed; NULL: nothing
  @return FARE_ERR_INPUT where the method takes no such prior
*/
PetscErrorCode fare_sampler_set_prior(fare_sampler *sampler, const fare_prior *prior);
/**
  Says where the box of the truth ends; before training and the first advance. Not collective.
  @param sampler the method
  @param walls copied
  @return FARE_ERR_INPUT where a boundary absorbs and the method does not, or it cannot run between them
*/
PetscErrorCode fare_sampler_set_walls(fare_sampler *sampler, const fare_walls *walls);
/**
  Gives the method a truth that is not one grid; before training and the first advance. Its owner advances it
  to the time of every advance of the method before that. Not collective.
  @param sampler the method
  @param joint   borrowed; NULL: there is none
*/
void fare_sampler_set_joint(fare_sampler *sampler, fare_joint *joint);
/**
  Frees a method. Collective.
  @param sampler may point to NULL; becomes NULL
  @return an error of PETSc
*/
PetscErrorCode fare_sampler_destroy(fare_sampler **sampler);
/** For the `only` of a table of what is kept: in this mode. */
#define FARE_KEPT_IN(mode) (1u << (mode))
/**
  Saves the state that the descriptor says is kept. Collective.
  @param sampler the method
  @param to a file that is being written
  @param group path of the group that is made
  @return FARE_ERR_FAILED where it cannot be written
*/
PetscErrorCode fare_sampler_save(const fare_sampler *sampler, fare_store *to, const char *group);
/**
  Loads it again, on any number of ranks. Collective.
  @param sampler the same method with the same options, in the same mode
  @param from a file that is being read
  @param group path of the group
  @return FARE_ERR_FAILED where something is missing or does not fit
*/
PetscErrorCode fare_sampler_load(fare_sampler *sampler, fare_store *from, const char *group);
/**
  Trains the method and adds the time to sampler->cost. Collective.
  @param sampler a method with `train`
  @param data the training set, borrowed during the call
  @return FARE_ERR_STOPPED where the session was stopped; the state of training is then in the session
*/
PetscErrorCode fare_sampler_train(fare_sampler *sampler, const fare_training_set *data);
/**
  Makes the ensemble represent time t and adds the time to sampler->cost. Collective.
  @param sampler the method
  @param t no less than at the call before; at first the schedule's start
  @param ensemble of sampler->comm; the same at every call
  @return FARE_ERR_FAILED where a particle is not finite; FARE_ERR_STOPPED, see fare_sampler_pause
*/
PetscErrorCode fare_sampler_advance(fare_sampler *sampler, double t, fare_ensemble *ensemble);
/**
  For a method, in the middle of an advance that takes long, where `kept` holds all that a run needs to go on
  with this advance to the same bits; the ensemble's time is still that before it. Collective: ranks come here
  equally often.
  @param sampler the method
  @return FARE_ERR_STOPPED where the advance is to end there
*/
PetscErrorCode fare_sampler_pause(fare_sampler *sampler);
/**
  The cell masses of the exact density at a snapshot, on the grid of sampler->exact. Not collective.
  @param sampler an oracle
  @param t time of a snapshot
  @param masses becomes those of all cells, the first axis fastest; borrowed
  @return FARE_ERR_FAILED where there is none at t
*/
PetscErrorCode fare_sampler_exact(const fare_sampler *sampler, double t, const double **masses);
/**
  Draws an ensemble from the initial density, by the random stream `initial`; beyond the axes of a grid by the
  truth, where that is there and the density is not gaussian. Collective.
  @param sampler the method
  @param t time of the system's parameters
  @param ensemble becomes the particles
  @return FARE_ERR_FAILED where the density is zero or not finite
*/
PetscErrorCode fare_sampler_draw_initial(const fare_sampler *sampler, double t, fare_ensemble *ensemble);
/**
  The random stream called NAME/purpose.
  @param sampler the method, whose ensemble's name is meant
  @param purpose a word of the method's own
  @return the stream
*/
fare_stream fare_sampler_stream(const fare_sampler *sampler, const char *purpose);

#endif
