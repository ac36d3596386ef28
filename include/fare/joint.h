/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
  joint: a truth in any number of axes, without a grid of all of them: the joint density at the times of a
  schedule, from grids of a few axes each, from moments, in closed form, or as a tensor train. One kind per
  file in src/joint, named once in list.h there; docs/many_axes.md describes them.
*/
#ifndef FARE_JOINT_H
#define FARE_JOINT_H

#include <fare/ensemble.h>
#include <fare/store.h>
#include <fare/truth.h>

typedef struct fare_joint fare_joint; /**< one running truth */

#define FARE_JOINT_DOUBT_SIZE 512 /**< bytes of a text */
#define FARE_VERSIONS_MAX     4   /**< versions of a density: itself and its companions */

/** What a truth knows about itself at its present time. What a kind does not have is not a number. */
typedef struct {
  double time;              /**< the present time */
  double error;             /**< estimated L1 error of the density (0 to 2); the sum of the next three */
  double error_space;       /**< of cells */
  double error_time;        /**< of time steps */
  double error_rank;        /**< of truncated ranks */
  double mass_drift;        /**< |mass - 1|, largest so far; never scaled away */
  double discarded;         /**< weight that truncations have discarded so far, in the L2 norm */
  double clipped;           /**< largest share of negative conditional probabilities that draws have met */
  double rank;              /**< largest rank so far */
  double entropy;           /**< -E ln p, in nats */
  double entropy_error;     /**< estimated */
  double equilibrium;       /**< D(p || Boltzmann of the moment), in nats */
  double equilibrium_error; /**< estimated */
  double boundary_mass;     /**< the largest mass in outermost cells, at ends that neither absorb nor join */
  double
    doubt; /**< 1 where the estimate of the error is out of its range, as `fare_joint.doubt` says; else 0 */
  double seconds; /**< spent advancing, companions included; of the slowest rank */
} fare_joint_status;

/** What a kind provides: one const descriptor. Times ascend from call to call of `advance`. */
typedef struct fare_joint_type fare_joint_type;
/** See fare_joint_type. */
struct fare_joint_type {
  const char       *name;      /**< as in `truth: {kind: ...}` */
  const char       *summary;   /**< one line */
  const char       *reference; /**< where the method is published; may be "" */
  size_t            size;      /**< of the kind's own state, which begins zeroed with the fields filled in */
  const fare_field *fields;    /**< its keys in the section `truth`, members of that state */
  /**
    Whether the kind can be the truth of this system and initial density. FARE_ERR_INPUT with what would work
    instead. Called before anything runs. Not collective.
  */
  PetscErrorCode (*check)(const void *state, const fare_system *system, const fare_initial *initial);
  /** Makes the density at joint->start. Collective. */
  PetscErrorCode (*setup)(fare_joint *joint);
  /** Evolves to time t and fills in joint->status. Collective. */
  PetscErrorCode (*advance)(fare_joint *joint, double t);
  /** Versions of the density: 1, or 1 + companions, whose differences make the error bar. Not collective. */
  int (*versions)(const fare_joint *joint);
  /** ln p of a version at n points x[axis][i]; -HUGE_VAL where there is no density. Not collective. */
  PetscErrorCode (*log_density)(
    fare_joint *joint, int version, int64_t n, const double *const x[], double log_density[]);
  /** The score grad ln p, s[axis][i], at n points. Not collective. */
  PetscErrorCode (*score)(fare_joint *joint, int64_t n, const double *const x[], double *const s[]);
  /**
    Independent exact draws for one block of particles, by the numbers of that block of the stream: the same
    bits on any number of ranks. Not collective.
  */
  PetscErrorCode (*draw)(fare_joint *joint, fare_stream stream, uint64_t block, double *const x[]);
  /**
    The marginal density of one or two axes: a new grid of this rank alone, with all cells, and their masses,
    of sum 1. Version as of log_density. NULL: the kind has none. Not collective.
  */
  PetscErrorCode (*marginal)(
    fare_joint *joint, int version, int axes, const int axis[], fare_grid **grid, Vec *masses);
  /**
    The density of one block in its own axes, as of `marginal`: of a product, fare_product_of() tells which
    these are; else each axis is a block. NULL: the kind has no blocks. Not collective.
  */
  PetscErrorCode (*block)(fare_joint *joint, int version, int block, fare_grid **grid, Vec *masses);
  /**
    Rosenblatt's transform: u[axis][i] = P(X_axis <= x_axis,i | the axes before it), even on [0,1] and
    independent exactly for draws from the truth. NULL: the kind has no conditionals. Not collective.
  */
  PetscErrorCode (*rosenblatt)(fare_joint *joint, int64_t n, const double *const x[], double *const u[]);
  /**
    The same in the axes of the blocks of a product, where the state has no conditionals of its own: u[k][i]
    is of axis k of the blocks. NULL: the kind has no blocks, or has rosenblatt. Not collective.
  */
  PetscErrorCode (*block_rosenblatt)(
    fare_joint *joint, int64_t n, const double *const x[], double *const u[]);
  /** Number of modes that the truth names, whose populations are compared. NULL: it names none. Not
   * collective. */
  int (*modes)(const fare_joint *joint);
  /** The mode of each of n points, from 0; with `modes`. Not collective. */
  PetscErrorCode (*mode_of)(fare_joint *joint, int64_t n, const double *const x[], int mode[]);
  PetscBool independent; /**< the density is the product of its blocks' */
  /**
    Makes ready for densities with noise, at the present time: independent normal noise of mean 0 is added to
    draws, with the standard deviation noise[level * dim + axis] along an axis of the state at each of so many
    levels. NULL: not known. Not collective.
  */
  PetscErrorCode (*noise)(fare_joint *joint, int levels, const double noise[]);
  /**
    With that noise of a level from 0: ln of the density at n points y[axis][i], and the mean of x given y,
    which is y + noise^2 grad ln of that density (Tweedie's formula). Not collective.
  */
  PetscErrorCode (*noised)(fare_joint *joint, int level, int64_t n, const double *const y[],
    double log_density[], double *const mean[]);
  PetscBool   even_noise;    /**< `noise` takes the same along all axes alone */
  const char *no_noise;      /**< why there is no `noise`, and what would have; NULL where there is */
  const char *no_marginal;   /**< why there is none, and what would have; NULL where there is */
  const char *no_rosenblatt; /**< the same of rosenblatt */
  /** members of the state that a run needs to go on, besides the fields; NULL: none */
  const fare_kept *kept;
  PetscErrorCode (*loaded)(fare_joint *joint);  /**< after those are loaded; may be NULL. Collective */
  PetscErrorCode (*destroy)(fare_joint *joint); /**< may be NULL */
  /**
    The descriptor of the same name and state for a system and an initial density, where what the kind can
    give depends on them; NULL: this one. Not collective.
  */
  const fare_joint_type *(*for_system)(const fare_system *system, const fare_initial *initial);
};

/**
  ln of the density of one block of a product, at points in the block's own axes; see
  fare_product_to_blocks(). Not collective.
  @param joint       of kind product
  @param version     as of fare_joint_type
  @param block       from 0
  @param n           number of points
  @param y           y[axis of the block][i]
  @param log_density n values; -HUGE_VAL outside of the block's box
  @return FARE_ERR_INPUT where the truth is no product
*/
PetscErrorCode fare_joint_block_log_density(
  fare_joint *joint, int version, int block, int64_t n, const double *const y[], double log_density[]);

/** One running truth. Its descriptor's functions read everything here and change state and status. */
struct fare_joint {
  const fare_joint_type *type;    /**< borrowed */
  MPI_Comm               comm;    /**< the ranks that share it */
  const fare_system     *system;  /**< borrowed */
  const fare_initial    *initial; /**< borrowed */
  double                 start;   /**< time of the initial density */
  int                    dim;     /**< number of axes */
  void                  *state;   /**< of type->size bytes: the options, and what the kind adds */
  fare_joint_status      status;  /**< at the present time */
  char                   doubt[FARE_JOINT_DOUBT_SIZE]; /**< its cause and what to do, where there is one */
};

/**
  The kinds in the order of list.h. Not collective.
  @param i from 0
  @return NULL past the last
*/
const fare_joint_type *fare_joint_type_at(size_t i);
/**
  A kind by its name. Not collective.
  @param name as in `truth: {kind: ...}`
  @return NULL where there is none of that name
*/
const fare_joint_type *fare_joint_type_find(const char *name);
/**
  The descriptor of a kind that says what it can give for a system. Not collective.
  @param type    of that name
  @param system  that the truth is of
  @param initial its initial density
  @return a descriptor of the same name and state
*/
const fare_joint_type *fare_joint_type_for(
  const fare_joint_type *type, const fare_system *system, const fare_initial *initial);
/**
  Writes what a kind is, and its keys, for people. Not collective.
  @param type the kind
  @param to   an open file
*/
void fare_joint_type_describe(const fare_joint_type *type, FILE *to);

/** The key of the section `truth` that is not a kind's own: `kind`. */
extern const fare_field fare_joint_kind_field[];
/**
  Reads the section `truth` of a kind, and checks it. Not collective.
  @param type    the kind
  @param node    the section, `kind` among its keys
  @param system  that the truth is of
  @param initial its initial density
  @param options new: a state of the kind with its fields filled in; fare_joint_options_free()
  @return FARE_ERR_INPUT, with file, line and key, for what is wrong
*/
PetscErrorCode fare_joint_options_read(const fare_joint_type *type, const fare_node *node,
  const fare_system *system, const fare_initial *initial, void **options);
/**
  Frees options. Not collective.
  @param type    the kind
  @param options may point to NULL; becomes NULL
*/
void fare_joint_options_free(const fare_joint_type *type, void **options);

/**
  Creates a truth at the time of its initial density. Collective.
  @param comm    the ranks that share it
  @param type    the kind
  @param options of fare_joint_options_read(); copied
  @param system  the physics; must outlive it
  @param initial the initial density; must outlive it
  @param start   time of the initial density
  @param joint   destroy with fare_joint_destroy(), after an error too
  @return FARE_ERR_INPUT where the kind cannot, FARE_ERR_FAILED where memory ends
*/
PetscErrorCode fare_joint_create(MPI_Comm comm, const fare_joint_type *type, const void *options,
  const fare_system *system, const fare_initial *initial, double start, fare_joint **joint);
/**
  Destroys a truth. Collective.
  @param joint set to NULL; may be NULL already
  @return 0 or an error code
*/
PetscErrorCode fare_joint_destroy(fare_joint **joint);
/**
  Evolves to a time, and adds the seconds to the status. Collective.
  @param joint the truth
  @param t     no less than the present time
  @return FARE_ERR_FAILED where it cannot
*/
PetscErrorCode fare_joint_advance(fare_joint *joint, double t);
/**
  Independent exact draws, the same bits on any number of ranks. Collective over ensemble->comm.
  @param joint    the truth
  @param stream   what is drawn from
  @param ensemble overwritten; its time becomes the truth's
  @return FARE_ERR_FAILED where the density cannot be drawn from
*/
PetscErrorCode fare_joint_draw(fare_joint *joint, fare_stream stream, fare_ensemble *ensemble);
/**
  Saves the state that is kept. Collective.
  @param joint the truth
  @param to    a file that is being written
  @param group path of the group that is made
  @return FARE_ERR_FAILED where it cannot be written
*/
PetscErrorCode fare_joint_save(const fare_joint *joint, fare_store *to, const char *group);
/**
  Loads it again, on any number of ranks. Collective.
  @param joint created alike
  @param from  a file that is being read
  @param group path of the group
  @return FARE_ERR_FAILED where something is missing or does not fit
*/
PetscErrorCode fare_joint_load(fare_joint *joint, fare_store *from, const char *group);

#endif
