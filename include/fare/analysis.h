/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
  analysis: what the grid tells besides evolution in time: steady states and periodic ones, relaxation rates
  and modes, passage times, committors and rates between sets. One file per kind in src/analysis, named once
  in list.h there. Each number comes with the error that half as many cells per axis tell.
*/
#ifndef FARE_ANALYSIS_H
#define FARE_ANALYSIS_H

#include <fare/formula.h>
#include <fare/store.h>
#include <fare/truth.h>

/** How well a linear problem was solved. */
typedef struct {
  double   residual;   /**< its L1 norm, relative to that of the terms of the equation */
  PetscInt iterations; /**< applications of the operator */
} fare_solved;

/**
  A union of boxes in the space of states, or all that lies outside of it. Of a box with a formula, only that
  part where the formula is at least 0.
*/
typedef struct {
  int            dim;     /**< number of axes */
  size_t         boxes;   /**< how many */
  double        *lower;   /**< lower corners, [box * dim + axis] */
  double        *upper;   /**< upper corners, alike */
  PetscBool      outside; /**< what lies outside of all boxes */
  fare_formula **formula; /**< of each box; NULL: of none */
  double        *inset;   /**< lengths by which their boundaries lie further in, to first order; alike */
} fare_region;
/**
  Whether a point lies in a region. Not collective.
  @param region the region
  @param x      the point, one number per axis
  @return true on its boundary, too
*/
PetscBool fare_region_has(const fare_region *region, const double x[]);
/**
  Whether formulas bound a region. Not collective.
  @param region the region
  @return false on one axis, where intervals stand for what formulas say
*/
PetscBool fare_region_has_formulas(const fare_region *region);
/**
  Distance to a box of a region, to first order in the distance from the boundary of its formula, and no
  longer than the diagonal of the box then. Not collective.
  @param region the region
  @param box    number of the box
  @param x      the point
  @return 0 where the formula is at least 0, and without one
*/
double fare_region_gap(const fare_region *region, size_t box, const double x[]);
/**
  Reads a box {lower: [...], upper: [...], formula: ...} or a list of boxes; a bound that is absent is the end
  of the truth's box. Not collective.
  @param node   what is read
  @param system the physics
  @param truth  options of the truth, whose box and cells the boxes are checked against
  @param region free with fare_region_free(), after an error, too
  @return FARE_ERR_INPUT with file, line and path of what is wrong
*/
PetscErrorCode fare_region_from_config(
  const fare_node *node, const fare_system *system, const fare_truth_options *truth, fare_region *region);
/**
  Adds the boxes of one region to another. Not collective.
  @param from what is added; formulas have one owner more
  @param to   free with fare_region_free(), after an error, too
  @return FARE_ERR_FAILED where memory ends
*/
PetscErrorCode fare_region_add(const fare_region *from, fare_region *to);
/**
  Frees its boxes. Not collective.
  @param region afterwards without boxes
*/
void fare_region_free(fare_region *region);
/**
  Whether two sets share more than a boundary. Not collective.
  @param a one set
  @param b the other
  @return true where some box of `a` and some box of `b` do
*/
PetscBool fare_region_overlaps(const fare_region *a, const fare_region *b);

/**
  Stationary density of the parameters at time t: masses P with L(t) P = 0 and sum 1, with or without a
  potential (Grassmann, Taksar and Heyman, Oper. Res. 33, 1107 (1985)). Collective.
  @param grid   the cells
  @param system the physics
  @param t      time at which parameters are frozen
  @param masses new global vector; the caller destroys it
  @param solved how well
  @return FARE_ERR_INPUT where an end absorbs; FARE_ERR_FAILED where the residual stays above 1e-9
*/
PetscErrorCode fare_stationary_solve(
  const fare_grid *grid, const fare_system *system, double t, Vec *masses, fare_solved *solved);
/**
  Density that one period of the drive brings back: masses P = Phi P with Phi the evolution from start to
  start + period. Solves (I - Phi) P = 0 by GMRES. Collective.
  @param grid      the cells
  @param system    the physics
  @param start     time of the masses
  @param period    of the drive
  @param tolerance estimated L1 error that one step of the evolution may add
  @param masses    new global vector; the caller destroys it
  @param solved    how well; iterations are periods evolved
  @return FARE_ERR_FAILED where the residual stays above 1e-5
*/
PetscErrorCode fare_periodic_solve(const fare_grid *grid, const fare_system *system, double start,
  double period, double tolerance, Vec *masses, fare_solved *solved);

/** What a period of a driven system with a potential does in its periodic steady state. */
typedef struct {
  double heat;       /**< taken up from the bath: the work that the system does */
  double heat_hot;   /**< of that, while kT is above the middle of its range; 0: kT stays */
  double heat_error; /**< of the heat, estimated by other steps; not that by the cells */
} fare_cycle;
/**
  Finds it by the truth's own time method. Collective.
  @param grid      the cells
  @param system    the physics
  @param start     time of the beginning
  @param period    of the drive
  @param tolerance estimated L1 error that one step of the evolution may add
  @param panels    parts of the period, each integrated by 3 points; divided at jumps and kinks
  @param result    what it does
  @return FARE_ERR_FAILED where no periodic state is found
*/
PetscErrorCode fare_periodic_energy(const fare_grid *grid, const fare_system *system, double start,
  double period, double tolerance, PetscInt panels, fare_cycle *result);
/**
  Whether something is driven, and repeats. Not collective.
  @param node    of what is wrong
  @param system  the physics
  @param start   time of the beginning
  @param period  after which the drive should repeat; 0: any
  @param instead kind that serves systems that stand still
  @return FARE_ERR_INPUT at the node where it does not
*/
PetscErrorCode fare_period_check(
  const fare_node *node, const fare_system *system, double start, double period, const char *instead);

/**
  Modes of L(t) that decay most slowly, as exp(-(rate + i frequency) t). Mode 0 is the stationary density
  where no end absorbs.
*/
typedef struct {
  PetscInt  count;     /**< number of modes */
  PetscBool symmetric; /**< detailed balance holds: all frequencies are 0 */
  double   *rate;      /**< decay rates, rising */
  double   *frequency; /**< angular frequencies */
  Vec      *mode;      /**< masses, L1 norm 1; of a pair first the real part, then the imaginary */
} fare_spectrum;
/**
  Finds the eigenvalues of -L(t) nearest to 0. Collective.
  @param grid     the cells
  @param system   the physics
  @param t        time at which parameters are frozen
  @param count    how many; one more is found where that would cut a complex pair
  @param spectrum free with fare_spectrum_free()
  @return FARE_ERR_FAILED where too few converge, or barriers are too high to resolve
*/
PetscErrorCode fare_spectrum_solve(
  const fare_grid *grid, const fare_system *system, double t, PetscInt count, fare_spectrum *spectrum);
/**
  Frees what fare_spectrum_solve() made. Collective.
  @param spectrum afterwards without modes
  @return an error of PETSc
*/
PetscErrorCode fare_spectrum_free(fare_spectrum *spectrum);

/**
  Mean first-passage times to a target, or to an absorbing end, from the centre of each cell: sum_j r(i->j)
  (tau_j - tau_i) = -1 outside, tau = 0 in the target (Gardiner, Handbook of Stochastic Methods, chapter 5).
  Collective.
  @param grid   the cells
  @param system the physics
  @param t      time at which parameters are frozen
  @param target the set to reach
  @param times  new global vector; the caller destroys it
  @param solved how well
  @return FARE_ERR_INPUT where the target holds the centre of no cell, or of all
*/
PetscErrorCode fare_passage_solve(const fare_grid *grid, const fare_system *system, double t,
  const fare_region *target, Vec *times, fare_solved *solved);

/** The steady state of paths that begin again at a point as soon as they reach a set. */
typedef struct {
  double rate;   /**< J, arrivals per time: the inverse of the mean time from the start to the set */
  Vec    masses; /**< of the cells, sum 1; 0 in the set */
  Vec    spread; /**< v^2: variance per time that -J times the mean time to the set gains from each cell */
} fare_recycling;
/**
  Finds that state: M^T pi = J s, with s the start, and sum_j r(i->j) (h_j - h_i)^2 of h = -J tau (Aristoff
  and Zuckerman, Multiscale Model. Simul. 18, 646 (2020)). An end that absorbs counts as reached. Collective.
  @param grid      the cells
  @param system    the physics
  @param t         time at which parameters are frozen
  @param target    the set to reach
  @param start     where paths begin: a point, shared by the cells whose centres are next to it
  @param recycling free with fare_recycling_free(), after an error, too
  @param solved    how well
  @return FARE_ERR_INPUT as fare_passage_solve(), and where the start lies in the set
*/
PetscErrorCode fare_recycling_solve(const fare_grid *grid, const fare_system *system, double t,
  const fare_region *target, const double start[], fare_recycling *recycling, fare_solved *solved);
/**
  Frees what fare_recycling_solve() made. Collective.
  @param recycling afterwards without fields
  @return an error of PETSc
*/
PetscErrorCode fare_recycling_free(fare_recycling *recycling);

/**
  Transitions between two sets in the steady state (E and Vanden-Eijnden, J. Stat. Phys. 123, 503 (2006);
  Metzner et al., Multiscale Model. Simul. 7, 1192 (2009)).
*/
typedef struct {
  Vec    committor;  /**< probability to reach b before a */
  Vec    complement; /**< probability to reach a before b, with a relative accuracy of its own */
  Vec    reactive;   /**< masses of those that come from a rather than from b */
  double flux_a;     /**< transitions a -> b per time, counted as they leave a */
  double flux_b;     /**< counted as they reach b: the same but for the solver */
  double rate_ab;    /**< flux per time spent having come from a */
  double rate_ba;    /**< flux per time spent having come from b */
} fare_reaction;
/**
  Solves for committors and rates. Collective.
  @param grid       the cells
  @param system     the physics
  @param t          time at which parameters are frozen
  @param a          the set to come from
  @param b          the set to go to
  @param stationary stationary masses of the same grid and time; NULL: committors alone
  @param reaction   free with fare_reaction_free()
  @param solved     how well the committor is
  @return FARE_ERR_INPUT where the sets overlap, or hold the centre of no cell
*/
PetscErrorCode fare_reaction_solve(const fare_grid *grid, const fare_system *system, double t,
  const fare_region *a, const fare_region *b, Vec stationary, fare_reaction *reaction, fare_solved *solved);
/**
  Destroys the vectors. Collective.
  @param reaction afterwards without them
  @return an error of PETSc
*/
PetscErrorCode fare_reaction_free(fare_reaction *reaction);

/** What is known at the end of a span, from which the backward equation starts. */
typedef enum {
  FARE_AFTER_FROZEN,  /**< parameters stay as they are from then on */
  FARE_AFTER_OVER,    /**< all is over: who has not arrived does not count */
  FARE_AFTER_PERIODIC /**< the drive repeats */
} fare_after;
/** Times within which paths start while the drive goes on. */
typedef struct {
  double     start; /**< first time of a start */
  double     end;   /**< where the backward equation begins; start + period where the drive repeats */
  fare_after after; /**< what is known there */
  double tolerance; /**< error of the steps in time relative to the largest value; halved until it is met */
} fare_span;
/** How a driven problem was solved. */
typedef struct {
  double   residual;   /**< relative, of the periodic or the frozen solution at the end */
  double   error;      /**< estimated, of the steps in time, relative to the largest value */
  double   largest;    /**< that value */
  PetscInt steps;      /**< in time, from end to start */
  PetscInt iterations; /**< sweeps over the whole span */
} fare_driven;
/**
  Mean first-passage times for paths that start at given times, from the centre of each cell: the backward
  equation du/dt = -1 - L(t)^T u. With FARE_AFTER_OVER: until the target or the end of the span. Collective.
  @param grid   the cells
  @param system the physics
  @param span   where starts may lie, and what follows
  @param target the set to reach, beside ends that absorb
  @param count  number of starts
  @param starts rising times within the span
  @param times  filled with `count` new global vectors; the caller destroys them
  @param driven how well
  @return FARE_ERR_INPUT as fare_passage_solve(); FARE_ERR_FAILED where the tolerance is not met
*/
PetscErrorCode fare_driven_passage_solve(const fare_grid *grid, const fare_system *system,
  const fare_span *span, const fare_region *target, int count, const double starts[], Vec times[],
  fare_driven *driven);
/**
  Committors for paths that start at given times (Helfmann, Ribera Borrell, Schuette and Koltai, J. Nonlinear
  Sci. 30, 3321 (2020)). With FARE_AFTER_OVER: to reach b before a and before the end of the span. Collective.
  @param grid      the cells
  @param system    the physics
  @param span      where starts may lie, and what follows
  @param a         the set to avoid
  @param b         the set to reach
  @param count     number of starts
  @param starts    rising times within the span
  @param committor filled with `count` new global vectors; the caller destroys them
  @param driven    how well
  @return as fare_driven_passage_solve(); FARE_ERR_INPUT where the sets overlap, too
*/
PetscErrorCode fare_driven_committor_solve(const fare_grid *grid, const fare_system *system,
  const fare_span *span, const fare_region *a, const fare_region *b, int count, const double starts[],
  Vec committor[], fare_driven *driven);

/**
  Logarithms of the committors of fare_driven_committor_solve(), each q with a relative accuracy of its own:
  by implicit Euler steps of positive terms, with ln q extrapolated to steps of width 0. Also of a system that
  nothing drives. Collective.
  @param grid   the cells; few enough for a direct solver: 2^20, or 50000 of three axes
  @param system the physics
  @param span   where starts may lie, and what follows; the tolerance is that of ln q at the points
  @param a      the set to avoid; without boxes: none
  @param b      the set to reach
  @param count  number of starts
  @param starts rising times within the span
  @param certified number of starts, from the first on, at which the tolerance holds; 0: steps are halved
  three times, whatever that gives
  @param points number of points at which it holds
  @param x      the points, [point * dim + axis], outside of both sets
  @param log_q  filled with `count` new global vectors, -infinity in a; the caller destroys them
  @param error  estimated, of the steps in time, of ln q at each of these starts and points, [start * points +
  point]
  @param driven how well; its error is the largest of these
  @return FARE_ERR_INPUT as fare_driven_committor_solve(), and for too many cells; FARE_ERR_FAILED where the
  tolerance is not met
*/
PetscErrorCode fare_log_committor_solve(const fare_grid *grid, const fare_system *system,
  const fare_span *span, const fare_region *a, const fare_region *b, int count, const double starts[],
  int certified, size_t points, const double x[], Vec log_q[], double error[], fare_driven *driven);

/** First passages of masses at one time. */
typedef struct {
  double survival;      /**< mass that has not reached the target */
  double density;       /**< mass that reaches it per time */
  double density_error; /**< largest change of the density at any time when steps were halved the last time */
  double lived;         /**< integral of the survival since the start */
} fare_survival;
/**
  Follows masses by the forward equation until they reach a target. Collective.
  @param grid      the cells
  @param system    the physics
  @param target    the set to reach; masses within it have reached it
  @param masses    at the start; unchanged
  @param start     time of the masses
  @param tolerance error of the survival that steps in time may leave
  @param count     number of times
  @param times     rising, from `start` on
  @param survival  `count` results
  @param left      NULL, or `count` new vectors: masses that have not reached it, whose L1 error meets the
  tolerance, too; the caller destroys them
  @param driven    how well
  @return FARE_ERR_INPUT where times do not rise; FARE_ERR_FAILED where the tolerance is not met
*/
PetscErrorCode fare_survival_solve(const fare_grid *grid, const fare_system *system,
  const fare_region *target, Vec masses, double start, double tolerance, int count, const double times[],
  fare_survival survival[], Vec left[], fare_driven *driven);

/** What is summed along paths. */
typedef enum {
  FARE_OF_DISPLACEMENT, /**< the way along an axis, unwrapped where that is periodic */
  FARE_OF_ENTROPY,      /**< ln r(i->j)/r(j->i) of each move: entropy that the bath takes up */
  FARE_OF_HEAT,         /**< kT times that */
  FARE_OF_WORK,         /**< heat and the change of the potential: as heat, where time has no end */
  FARE_OF_OCCUPATION,   /**< time spent in a region */
  FARE_OF_MOMENT,       /**< integral of a power of a coordinate */
  FARE_OF_ACTIVITY      /**< integral of sum_k f_k^2/4D_k + d_k f_k/2 */
} fare_observable_kind;
/** An observable A of paths. */
typedef struct {
  fare_observable_kind kind;   /**< what it is */
  int                  axis;   /**< of a displacement or moment */
  PetscInt64           power;  /**< of a moment */
  const fare_region   *region; /**< of an occupation; borrowed */
} fare_observable;
/** A scaled cumulant psi(s) = lim ln <exp(s A)>/t, and what it comes from. */
typedef struct {
  double   psi;        /**< its value */
  double   slope;      /**< d psi/ds: the mean of A per time in the tilted process */
  double   width;      /**< between the bounds of Collatz and Wielandt on psi of this grid; NaN: none */
  double   rounding;   /**< that psi may bear */
  PetscInt iterations; /**< systems of equations solved */
  Vec      right;      /**< r of W r = psi r on centres of cells, largest value 1: that of paths to come */
} fare_tilted;
/**
  The largest eigenvalue of the tilted generator W, (W x)_i = sum_j r(i->j) (exp(s d_ij) x_j - x_i) + s g_i
  x_i, of an observable that grows by d_ij with a move and by g_i per time (Lebowitz and Spohn, J. Stat. Phys.
  95, 333 (1999)), by Noda's iteration (Numer. Math. 17, 382 (1971)). Collective.
  @param grid       the cells, without ends that absorb
  @param system     the physics
  @param t          time at which parameters are frozen
  @param observable A
  @param s          the tilt
  @param tilted     the caller destroys tilted->right
  @return FARE_ERR_FAILED where it is not found, or where entropy needs diffusion that is not there
*/
PetscErrorCode fare_tilted_solve(const fare_grid *grid, const fare_system *system, double t,
  const fare_observable *observable, double s, fare_tilted *tilted);

/**
  Divergence of pairs of positions, a lag apart in the stationary state, from reversed pairs: what estimators
  of dissipation from such pairs aim at. Collective; the same bits on any number of ranks, but for those of
  the stationary density.
  @param grid    the cells, without ends that absorb
  @param system  the physics, with diffusion along every axis
  @param t       time at which parameters are frozen
  @param count   number of lags
  @param lags    rising
  @param rate    `count` results: nats per time
  @param at_once rate of entropy production, which these tend to as the lag goes to 0
  @return FARE_ERR_FAILED where that is infinite, or cells and lags are too many
*/
PetscErrorCode fare_irreversibility_solve(const fare_grid *grid, const fare_system *system, double t,
  int count, const double lags[], double rate[], double *at_once);
/**
  Value at lag 0 of the polynomial through some points. Not collective.
  @param count number of points
  @param lags  of the points, all different
  @param value at each
  @return the extrapolated value
*/
double fare_lag_zero(int count, const double lags[], const double value[]);

/**
  Values at points, cubic between centres of cells, within the range of their neighbours. Collective; the same
  on all ranks.
  @param grid   the cells
  @param values at their centres
  @param count  number of points
  @param x      the points, [point * dim + axis]
  @param at     `count` results
  @return an error of PETSc
*/
PetscErrorCode fare_grid_interpolate(
  const fare_grid *grid, Vec values, size_t count, const double x[], double at[]);

/** One line of the plan's `analysis:`. */
typedef struct fare_analysis fare_analysis;
/** A kind of analysis. */
typedef struct fare_analysis_type fare_analysis_type;
/** Keys that all kinds have; each has its own besides. */
extern const fare_field fare_analysis_fields[];
/**
  Names the kinds. Not collective.
  @param i number of the kind
  @return its name, NULL past the last
*/
const char *fare_analysis_name_at(size_t i);
/**
  Describes the kinds in a line. Not collective.
  @param i number of the kind
  @return its summary, NULL past the last
*/
const char *fare_analysis_summary_at(size_t i);
/**
  Prints summary, reference and keys of a kind. Not collective.
  @param kind its name
  @param to   where
  @return FARE_ERR_INPUT where there is no such kind
*/
PetscErrorCode fare_analysis_describe(const char *kind, FILE *to);

/**
  Reads and checks the list under `analysis:`. Not collective.
  @param list     its node, which must outlive the analyses; NULL: none
  @param system   the physics, borrowed
  @param truth    options of the truth, whose box and cells are checked against
  @param count    number of analyses
  @param analyses destroy with fare_analyses_destroy()
  @return FARE_ERR_INPUT with file, line and path of what is wrong
*/
PetscErrorCode fare_analyses_from_config(const fare_node *list, const fare_system *system,
  const fare_truth_options *truth, size_t *count, fare_analysis ***analyses);
/**
  Destroys them. Not collective.
  @param count    set to 0
  @param analyses set to NULL
  @return an error of PETSc
*/
PetscErrorCode fare_analyses_destroy(size_t *count, fare_analysis ***analyses);
/**
  Writes the section as YAML that reads back to the same; nothing where there is none. Not collective.
  @param count    number of analyses
  @param analyses what to write
  @param to       appended to
*/
void fare_analyses_write(size_t count, fare_analysis *const analyses[], fare_text *to);
/**
  Finds the first difference between these analyses and the section that a checkpoint keeps, matched by name.
  Not collective.
  @param count      number of analyses
  @param analyses   those of the plan
  @param list       node of the kept section; NULL: none
  @param difference unchanged where there is none
  @return FARE_ERR_INPUT where the kept section cannot be read
*/
PetscErrorCode fare_analyses_compare(
  size_t count, fare_analysis *const analyses[], const fare_node *list, fare_difference *difference);

/** What one analysis found. */
typedef struct fare_analysis_result fare_analysis_result;
#define FARE_ANALYSIS_ROW 128 /**< characters of a row's name */
/** Numbers that an analysis has found before it ends, under a name. */
typedef struct {
  char    name[FARE_ANALYSIS_ROW]; /**< of the analysis, and what tells its rows apart */
  size_t  count;                   /**< numbers */
  double *number;                  /**< zeros where they are not found yet; alike on all ranks */
} fare_analysis_row;
/** What analyses that take long keep from pause to pause, and who calls then. Zero it to begin. */
typedef struct {
  MPI_Comm comm; /**< of a study, whose grid may be one for each rank: pauses, stops and errors are its own */
  PetscErrorCode (*pause)(void *to); /**< called between slices of work; may be NULL. Collective */
  void              *to;             /**< what it is given */
  size_t             rows;           /**< how many */
  fare_analysis_row *row;            /**< each of them */
  char               under_way[FARE_ANALYSIS_ROW]; /**< the row that the pieces below are of */
  fare_pieces        waiting;                      /**< states of a checkpoint that none goes on with yet */
  fare_pieces        own;                          /**< during a pause: the one that this rank goes on with */
} fare_analysis_keeper;
/**
  Frees what it holds. Not collective.
  @param keeper afterwards empty
*/
void fare_analysis_keeper_free(fare_analysis_keeper *keeper);
/**
  Writes group /analyses of a checkpoint, or reads it where it is there. Collective.
  @param keeper what is kept
  @param store  open
  @param load   read
  @return FARE_ERR_FAILED with HDF5's reason
*/
PetscErrorCode fare_analysis_keeper_pass(fare_analysis_keeper *keeper, fare_store *store, PetscBool load);

/**
  Runs all analyses on a grid, and on half as many cells for the errors. One that fails is left without
  findings, with a warning. Collective.
  @param count    number of analyses
  @param analyses to run; the results borrow from them
  @param grid     whose box, cells and ranks they get
  @param keeper   of those that take long; NULL: they do not pause
  @param results  one each, NULL behind the last; destroy with fare_analysis_results_destroy()
  @return errors other than FARE_ERR_FAILED and FARE_ERR_INPUT of one analysis
*/
PetscErrorCode fare_analyses_run(size_t count, fare_analysis *const analyses[], const fare_grid *grid,
  fare_analysis_keeper *keeper, fare_analysis_result ***results);
/**
  Destroys the results. Collective.
  @param results set to NULL
  @return an error of PETSc
*/
PetscErrorCode fare_analysis_results_destroy(fare_analysis_result ***results);
/**
  Writes group /analysis. The grid's ranks are the store's, or each rank has all of it. Collective.
  @param results NULL behind the last, or NULL: none
  @param store   open for writing
  @return FARE_ERR_FAILED where the file cannot be written
*/
PetscErrorCode fare_analyses_save(fare_analysis_result *const results[], fare_store *store);
/**
  Prints a table for people. Rank 0 calls it.
  @param results NULL behind the last, or NULL: none
  @param to      where
*/
void fare_analyses_print(fare_analysis_result *const results[], FILE *to);
/**
  One value of an analysis. Not collective.
  @param result the analysis
  @param name   of the finding
  @param i      which of its numbers
  @param value  that number
  @param error  estimated, NaN where unknown; may be NULL
  @return FARE_ERR_INPUT where there is none; FARE_ERR_FAILED where the analysis failed
*/
PetscErrorCode fare_analysis_value(
  const fare_analysis_result *result, const char *name, size_t i, double *value, double *error);

#endif
