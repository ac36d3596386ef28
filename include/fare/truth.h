/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
  truth: the density p(x,t) on a grid, evolved by finite volumes with exponentially fitted (edge-integral)
  rates and an implicit, error-controlled time method, with an estimate of its own error. Unknowns are the
  masses of cells.
*/
#ifndef FARE_TRUTH_H
#define FARE_TRUTH_H

#include <fare/grid.h>
#include <fare/schedule.h>

/** How masses flow between cells. */
typedef enum {
  FARE_SCHEME_AUTO,      /**< one of the others, by the system and the cells */
  FARE_SCHEME_FITTED,    /**< rates that are fitted to drift and diffusion, and an implicit time method */
  FARE_SCHEME_HIGH_ORDER /**< flows of order 7, a limiter that keeps them positive, and an explicit method */
} fare_scheme;

/** How a truth is computed: the section `truth:` of a plan. */
typedef struct {
  int kind; /**< 0: a grid; other kinds have options of their own, see fare/joint.h */
  /** per axis; even, because the error estimate compares with half as many; empty where accuracy is given */
  fare_integers cells;
  /** total L1 error asked for at every snapshot, for fare_truth_fit; 0: cells and tolerance are as given */
  double     accuracy;
  fare_reals lower; /**< lower corner of the box; empty: the system's own domain */
  fare_reals upper; /**< upper corner, alike */
  /**
    fare_boundary per axis; empty: periodic where the system is, reflecting elsewhere. Periodic ones lie whole
    periods apart
  */
  fare_integers boundaries;
  double        tolerance;   /**< estimated L1 error that one time step may add */
  PetscBool     extrapolate; /**< compare with the density of next order in space, where there is one */
  PetscBool     estimate;    /**< also evolve the coarser companions that give the error estimate */
  PetscBool     fit_domain;  /**< lower and upper are found by fare_truth_fit_domain */
  int           scheme;      /**< a fare_scheme */
} fare_truth_options;
/** Keys of the plan's `truth:` section. */
extern const fare_field fare_truth_fields[];
/**
  Reads and checks the plan's `truth:` section. Not collective.
  @param node    the section
  @param system  that the truth is of
  @param options filled in; fare_truth_options_free() them
  @return FARE_ERR_INPUT, with file, line and key, for what is wrong
*/
PetscErrorCode fare_truth_options_from_config(
  const fare_node *node, const fare_system *system, fare_truth_options *options);
/**
  Frees what options hold. Not collective.
  @param options their lists are freed and left empty; the struct itself stays the caller's
*/
void fare_truth_options_free(fare_truth_options *options);
/**
  The box as it stands there: the system's own where none is given, or none found yet. Not collective.
  @param system  that the truth is of
  @param options of the truth
  @return the box; those axes are periodic whose boundaries are
*/
fare_box fare_truth_box(const fare_system *system, const fare_truth_options *options);
/**
  Its boundary conditions, on that box. Not collective.
  @param system  that the truth is of
  @param options of the truth
  @return the walls, as fare_walls_of()
*/
fare_walls fare_truth_walls(const fare_system *system, const fare_truth_options *options);

/**
  The scheme that a truth takes. Where options leave it to the system and the cells: high_order where, in the
  box, some drift has no diffusion along its axis, or the cell Peclet number |f| h/D is above 4 in half of it
  along an axis and diffusion does not shorten explicit steps more than four times; fitted otherwise, and for
  every gradient force. Not collective.
  @param system  that the truth is of
  @param box     of the truth
  @param options of the truth
  @param t       time at which drift and diffusion are looked at
  @return FARE_SCHEME_FITTED or FARE_SCHEME_HIGH_ORDER
*/
fare_scheme fare_truth_scheme(
  const fare_system *system, const fare_box *box, const fare_truth_options *options, double t);

/**
  Bytes of a truth over all ranks, companions included. Not collective.
  @param system  that the truth is of
  @param options of the truth, with the numbers of cells
  @return an estimate of the most that it takes at once, in bytes
*/
double fare_truth_bytes(const fare_system *system, const fare_truth_options *options);
/**
  Checks that a truth fits into memory, before any is taken. Collective.
  @param comm    the ranks that would share it
  @param system  that the truth is of
  @param options of the truth
  @return FARE_ERR_INPUT where it needs more than what is free on the ranks' machines
*/
PetscErrorCode fare_truth_check_memory(
  MPI_Comm comm, const fare_system *system, const fare_truth_options *options);
/**
  Where an accuracy is asked for: finds cells and tolerance that meet it at every snapshot, by pilot runs on
  coarse grids whose errors it extrapolates. Nothing to do otherwise. Collective.
  @param comm     the ranks that share the truth
  @param system   the physics
  @param initial  the initial density
  @param schedule its snapshots
  @param options  gets cells and tolerance
  @return FARE_ERR_INPUT where memory forbids it
*/
PetscErrorCode fare_truth_fit(MPI_Comm comm, const fare_system *system, const fare_initial *initial,
  const fare_schedule *schedule, fare_truth_options *options);

/**
  Where the domain is to be fitted: finds the smallest box, by pilot runs on few cells, outside of which less
  than 1e-10 of the mass lies at all snapshots and at times between, with a margin. Axes that are periodic or
  absorb keep the system's own ends. Nothing to do otherwise. Before fare_truth_fit(). Collective.
  @param comm     the ranks that share the truth
  @param system   the physics
  @param initial  the initial density
  @param schedule its snapshots
  @param options  gets lower and upper, which the caller then frees
  @return FARE_ERR_INPUT where mass leaves even a box 64 times as wide as the system's
*/
PetscErrorCode fare_truth_fit_domain(MPI_Comm comm, const fare_system *system, const fare_initial *initial,
  const fare_schedule *schedule, fare_truth_options *options);

/**
  Why the estimate of the error in space is out of its asymptotic range, where it is: it is then no more than
  an order of magnitude.
*/
typedef enum {
  FARE_DOUBT_NONE, /**< it is in that range */
  /** U changes by more than 5 kT over a cell that holds mass, or by less where the error is large */
  FARE_DOUBT_WELLS,
  FARE_DOUBT_DRIFT,   /**< drift over diffusion does */
  FARE_DOUBT_START,   /**< the initial density is narrower than a cell */
  FARE_DOUBT_END,     /**< the density is singular at an end of the box */
  FARE_DOUBT_UNKNOWN, /**< the error does not fall as it should, or is large */
  FARE_DOUBT_FEW      /**< few cells hold all the mass */
} fare_doubt;

/** What a truth knows about itself at its present time. L1 errors are of the density (between 0 and 2). */
typedef struct {
  double time;        /**< the present time */
  double tolerance;   /**< estimated L1 error that one time step may add */
  double error_space; /**< estimated L1 error in space; zero without estimate */
  double error_time;  /**< and in time */
  double error;       /**< their sum */
  /** of what is compared with, fare_truth_compared(); smaller than error where that is extrapolated */
  double    error_extrapolated;
  PetscBool extrapolated; /**< whether it is */
  /**
    how many times as large the error in space is on cells twice as wide, used for what is no density:
    observed, but no more than the scheme can; zero without estimate
  */
  double ratio;
  /** and by how much the scheme's own order lets it fall; zero without estimate */
  double nominal;
  /**
    proven bound on the L1 error of the time method: the integrated residual; zero without estimate, and for
    the scheme of high order, which has none
  */
  double time_bound;
  double mass_drift; /**< |sum - 1|, largest so far */
  double minimum;    /**< smallest density so far */
  /** largest positivity correction of one solve, in mass */
  double positivity_correction;
  /** mass in the outermost cells at ends that neither absorb nor join */
  double   boundary_mass;
  double   survival;                        /**< what no end has absorbed; 1 where no end absorbs */
  double   exit_flux;                       /**< what is absorbed per time */
  double   survival_error;                  /**< estimated; zero without estimate */
  double   absorbed[FARE_DIM_MAX][2];       /**< so far, by the lower and the upper end of each axis */
  double   absorbed_error[FARE_DIM_MAX][2]; /**< its error, estimated */
  double   exit_rate[FARE_DIM_MAX][2];      /**< and now, per time */
  PetscInt steps;      /**< of the grid itself, without its companions, as the next two */
  PetscInt rejected;   /**< steps that were */
  PetscInt solves;     /**< linear ones */
  double   seconds;    /**< spent advancing, this rank, companions included */
  PetscInt iterations; /**< of the solves; 0 where they are direct */
  /** by which the error in space falls when cells are halved, as three grids show it; 0: it was not seen */
  double observed;
  int    doubt;      /**< a fare_doubt */
  int    doubt_axis; /**< the axis of its cause */
  /** kT over a cell; cell Peclet number; standard deviation of the start; ratio */
  double doubt_size;
  double advised[FARE_DIM_MAX]; /**< cells to take instead, where there is doubt */
} fare_truth_status;

/**
  The cause of a doubt and the cells to take, without a full stop; empty where there is no doubt. Not
  collective.
  @param system that the truth is of; names the axes
  @param status of the truth
  @param size   bytes of the text, its end included; what is longer is cut off
  @param text   overwritten
*/
void fare_truth_doubt_text(
  const fare_system *system, const fare_truth_status *status, size_t size, char text[]);

/** A truth on its way through time. */
typedef struct fare_truth fare_truth;

/**
  Creates a truth. PETSc options: prefix truth_. Collective.
  @param comm    the ranks that share it
  @param system  the physics; must outlive it
  @param initial the initial density; must outlive it
  @param start   time of the initial density
  @param options cells, box, tolerance and so on
  @param truth   destroy with fare_truth_destroy()
  @return FARE_ERR_INPUT where it does not fit into memory, before any is taken
*/
PetscErrorCode fare_truth_create(MPI_Comm comm, const fare_system *system, const fare_initial *initial,
  double start, const fare_truth_options *options, fare_truth **truth);
/**
  Evolves to a later time. Collective.
  @param truth the truth
  @param t     the time
  @return FARE_ERR_FAILED where the solver gives up, or where t is before the present time
*/
PetscErrorCode fare_truth_advance(fare_truth *truth, double t);
/**
  Has a function called on the way, whenever the state is one that may be saved. Where it returns an error the
  advance ends with it; another to the same time goes on to the same bits, in this process or in one that has
  loaded the state. Not collective.
  @param truth   the truth
  @param pause   called by all ranks of the truth; NULL: none
  @param context given to it
*/
void fare_truth_set_pause(fare_truth *truth, PetscErrorCode (*pause)(void *context), void *context);
/**
  Destroys a truth. Collective.
  @param truth set to NULL; may be NULL already
  @return 0 or an error code
*/
PetscErrorCode fare_truth_destroy(fare_truth **truth);
/** @name The state
  The state, from which a truth that was created alike goes on to the same bits; its time is that of the part
  that is least far. It has parts, each with numbers and with vectors on a grid of its own, in a fixed order;
  grid and vectors are borrowed. To restore it, fill the vectors of all parts and then load the numbers of
  each. Collective.
*/
/** @{ */
#define FARE_TRUTH_NUMBERS 102 /**< of a part */
#define FARE_TRUTH_VECTORS 16  /**< of a part, at most */
/** The truth itself, and its companions: the last, whichever there are, is the one of tighter tolerance. */
enum { FARE_TRUTH_MAIN, FARE_TRUTH_HALF, FARE_TRUTH_QUARTER, FARE_TRUTH_TIGHTER, FARE_TRUTH_PARTS_MAX };
/**
  The scheme that a truth runs with. Not collective.
  @param truth the truth
  @return FARE_SCHEME_FITTED or FARE_SCHEME_HIGH_ORDER
*/
fare_scheme fare_truth_runs_with(const fare_truth *truth);
/**
  Number of parts: the truth and the companions that it has. Not collective.
  @param truth the truth
  @return 1 without companions, else 3, or 4 where there is one on a quarter of the cells
*/
int fare_truth_parts(const fare_truth *truth);
/**
  The companion from which the last one differs by the error in time: on the same grid, with the tolerance of
  the truth. Not collective.
  @param truth a truth that has companions
  @return FARE_TRUTH_HALF or FARE_TRUTH_QUARTER
*/
int fare_truth_loose_part(const fare_truth *truth);
/**
  Grid and vectors of a part. Not collective.
  @param truth   the truth
  @param part    from 0 to fare_truth_parts() - 1
  @param grid    becomes its grid; borrowed
  @param vectors becomes the number of its vectors
  @param vector  so many of them, borrowed, are filled in: the masses, then histories of the time method
*/
void fare_truth_part(
  const fare_truth *truth, int part, const fare_grid **grid, int *vectors, Vec vector[FARE_TRUTH_VECTORS]);
/**
  Saves the numbers of a part. Collective.
  @param truth   the truth
  @param part    which of them
  @param numbers overwritten
  @return 0 or an error code
*/
PetscErrorCode fare_truth_save(const fare_truth *truth, int part, double numbers[FARE_TRUTH_NUMBERS]);
/**
  Loads what fare_truth_save() saved, part after part. Collective.
  @param truth   created alike
  @param part    which of them
  @param numbers its numbers
  @return FARE_ERR_FAILED where they are no such state
*/
PetscErrorCode fare_truth_load(fare_truth *truth, int part, const double numbers[FARE_TRUTH_NUMBERS]);
/**
  The grid of a part. Not collective.
  @param truth the truth
  @param part  from 0 to fare_truth_parts() - 1
  @return borrowed; that of FARE_TRUTH_MAIN is fare_truth_grid()
*/
const fare_grid *fare_truth_part_grid(const fare_truth *truth, int part);
/**
  The masses of a part at its own time. Not collective.
  @param truth the truth
  @param part  from 0 to fare_truth_parts() - 1
  @return borrowed; of the cells of that part's grid
*/
Vec fare_truth_part_masses(const fare_truth *truth, int part);
/** @} */
/**
  The grid of a truth. Not collective.
  @param truth the truth
  @return borrowed; lives as long as the truth
*/
const fare_grid *fare_truth_grid(const fare_truth *truth);
/**
  The masses at the present time. Not collective.
  @param truth the truth
  @return borrowed; of the cells of its grid, of sum 1, or less by what ends have absorbed
*/
Vec fare_truth_masses(const fare_truth *truth);
/**
  The estimated error of the masses at the present time. Not collective.
  @param truth the truth
  @return borrowed; (exact - masses) per cell of its grid; zero without estimate
*/
Vec fare_truth_error_field(const fare_truth *truth);
/**
  Whether it has the grids that an extrapolation needs, and was asked for it. Not collective.
  @param truth the truth
  @return false: fare_truth_compared() always is fare_truth_masses()
*/
PetscBool fare_truth_extrapolates(const fare_truth *truth);
/**
  Whether the coarsest of its grids resolves start, drift and density at the present time, so that smooth
  numbers of three grids may be extrapolated. Collective.
  @param truth    the truth
  @param resolves false also where fare_truth_extrapolates() is
  @return an error of PETSc
*/
PetscErrorCode fare_truth_resolves(const fare_truth *truth, PetscBool *resolves);
/**
  What others are compared with at the present time: masses extrapolated from three grids, which are of the
  next order in space; or those of its own grid, where the status says that these are not extrapolated. Not
  collective.
  @param truth the truth
  @return borrowed; of the cells of its grid, none negative because of the extrapolation
*/
Vec fare_truth_compared(const fare_truth *truth);
/**
  The estimated error of fare_truth_compared(). Not collective.
  @param truth the truth
  @return borrowed; (exact - compared) per cell of its grid; zero without estimate
*/
Vec fare_truth_compared_error(const fare_truth *truth);
/**
  What a truth knows about itself at its present time. Not collective.
  @param truth the truth
  @return borrowed; the next advance changes it
*/
const fare_truth_status *fare_truth_get_status(const fare_truth *truth);

/**
  The densities of a truth at all times of a schedule, whole on every rank: what an oracle takes its score,
  velocity or coupling from, where a learned method would ask its network.
*/
typedef struct {
  fare_grid *grid;   /**< of this rank alone, with all cells */
  PetscInt64 count;  /**< number of times */
  double    *times;  /**< of the schedule */
  double   **masses; /**< masses[k][cell]: of time k, the first axis fastest; not negative, sum 1 */
} fare_densities;

/**
  Evolves a truth of its own, without companions, through the whole schedule. Collective.
  @param comm      the ranks that share the truth
  @param system    the physics
  @param initial   the initial density
  @param schedule  the times
  @param options   of the truth
  @param densities of each rank; destroy with fare_densities_destroy()
  @return as fare_truth_create() and fare_truth_advance()
*/
PetscErrorCode fare_densities_create(MPI_Comm comm, const fare_system *system, const fare_initial *initial,
  const fare_schedule *schedule, const fare_truth_options *options, fare_densities **densities);
/**
  Destroys densities. Not collective.
  @param densities set to NULL; may be NULL already
  @return 0 or an error code
*/
PetscErrorCode fare_densities_destroy(fare_densities **densities);
/**
  The index of a time of the schedule. Not collective.
  @param densities the densities
  @param t         the time, to within 1e-9 of the schedule's length
  @return the index into times and masses; -1 where t is none of the times
*/
PetscInt64 fare_densities_find(const fare_densities *densities, double t);
/**
  Bytes of the masses on each rank. Not collective.
  @param schedule the times
  @param options  of the truth, with the numbers of cells
  @return 8 bytes for each cell and time
*/
double fare_densities_bytes(const fare_schedule *schedule, const fare_truth_options *options);

#endif
