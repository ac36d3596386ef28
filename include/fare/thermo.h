/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
  thermo: energy, entropy, work, heat and entropy production of a density on a grid, and the work that single
  particles take. Work is what the drive does to the system, heat what the bath gives it, so that energy
  changes by their sum; entropies are in units of Boltzmann's constant. docs/thermodynamics.md has the
  definitions and says what is defined for which system.
*/
#ifndef FARE_THERMO_H
#define FARE_THERMO_H

#include <fare/ensemble.h>
#include <fare/store.h>
#include <fare/operator.h>
#include <fare/sampler.h>
#include <fare/truth.h>

/** The plan's `thermodynamics:` section. */
typedef struct {
  PetscInt64 points;     /**< of the quadrature between snapshots, both snapshots counted */
  PetscInt64 steps;      /**< of the work chain; 0: none */
  PetscInt64 particles;  /**< that the work is measured on, each way; 0: none */
  double     dt;         /**< of their steps */
  int        relaxation; /**< a fare_relaxation */
  PetscBool  currents;   /**< also record the currents */
  PetscBool  geometric;  /**< also the least production with these marginals */
  PetscBool  learned;    /**< also what learned densities say of the dynamics */
} fare_thermo_options;
/** Keys of the section. */
extern const fare_field fare_thermo_fields[];
/**
  Reads and checks the section. Not collective.
  @param node    of the section; NULL: defaults
  @param system  the physics
  @param truth   options of the truth
  @param options filled in
  @return FARE_ERR_INPUT with file, line and path of what is wrong
*/
PetscErrorCode fare_thermo_options_from_config(const fare_node *node, const fare_system *system,
  const fare_truth_options *truth, fare_thermo_options *options);

/** What can be said of a system. */
typedef enum {
  FARE_HAS_ENTROPY    = 1, /**< always */
  FARE_HAS_ENERGY     = 2, /**< there is a potential */
  FARE_HAS_PRODUCTION = 4, /**< diffusion along every axis, so that every transition has a reverse */
  FARE_HAS_FREE_WORK  = 8, /**< energy, one temperature throughout, no force but the potential's */
  /** production, or energy and one temperature: then it is known from heat and entropy */
  FARE_HAS_TOTAL           = 16,
  FARE_HAS_NONCONSERVATIVE = 32, /**< energy, and a force that is no gradient */
  /** energy, production and one temperature: the entropy balance can be checked */
  FARE_HAS_BALANCE   = 64,
  FARE_HAS_CHAIN     = 128,  /**< detailed balance at every moment and one temperature: work relations hold */
  FARE_HAS_GEOMETRIC = 256,  /**< production, and asked for: the least with these marginals */
  FARE_HAS_SPEED_LIMIT = 512 /**< that, on one axis with ends and diffusion that does not change */
} fare_thermo_defined;
/**
  Tells what is defined for a system. Not collective.
  @param system the physics
  @return a sum of fare_thermo_defined
*/
int fare_thermo_defines(const fare_system *system);
/**
  Whether what is defined is counted by rates over faces, so that the truth needs FARE_SCHEME_FITTED. Not
  collective.
  @param system the physics
  @return false for systems with inertia: heat and entropy of the density tell all
*/
PetscBool fare_thermo_needs_rates(const fare_system *system);

/** At one instant; quantities of a path since the first row. NaN where not defined. */
typedef struct {
  double time;                    /**< of the snapshot */
  double energy;                  /**< mean energy */
  double entropy;                 /**< of the density, in units of Boltzmann's constant */
  double free_energy;             /**< energy - kT entropy */
  double equilibrium_free_energy; /**< -kT ln of the partition function at this moment */
  double kl_to_equilibrium;       /**< divergence of the density from Boltzmann's at this moment */
  double work;                    /**< of the drive */
  double extra_work;              /**< of the force that is no gradient */
  double heat;                    /**< from the bath into the system */
  double dissipated_work;         /**< work - change of the equilibrium free energy */
  double total_rate;              /**< rate of entropy production */
  double housekeeping_rate;       /**< its part that keeps the steady state of this moment */
  double excess_rate;             /**< its part that relaxes towards that state */
  double total;                   /**< integral of the total rate */
  double housekeeping;            /**< integral of the housekeeping rate */
  double excess;                  /**< integral of the excess rate */
  double geometric_rate;          /**< least rate of entropy production that changes the density as it does */
  double geometric;               /**< integral of that */
  double speed_limit; /**< W2(first row, this row)^2/int D dt: no way between both produces less */
  double kl_integral; /**< of kl_to_equilibrium over time */
  /**
    what energy misses with heat from currents, all panels' absolute values summed: shows the error of the
    quadrature alone
  */
  double energy_balance;
  double balance;                /**< entropy change - heat/kT - total: the same for the entropy */
  double velocity[FARE_DIM_MAX]; /**< d<x>/dt per axis */
  double ratio;                  /**< of the errors in space on cells twice as wide; 0 without estimate */
  double nominal;                /**< that ratio by the order of the scheme */
  double resolved;               /**< 1 where the coarsest of three grids resolves the density, otherwise 0 */
} fare_thermo_row;

/** Follows the thermodynamics of a truth. */
typedef struct fare_thermo fare_thermo;

/**
  Begins at the truth's present time. Collective over the truth's ranks.
  @param truth   borrowed, as is the system
  @param system  the physics
  @param options copied
  @param thermo  destroy with fare_thermo_destroy()
  @return FARE_ERR_FAILED where a density is not to be had
*/
PetscErrorCode fare_thermo_create(
  fare_truth *truth, const fare_system *system, const fare_thermo_options *options, fare_thermo **thermo);
/**
  Evolves the truth by way of the quadrature's points, and adds a row. Collective.
  @param thermo the instrument
  @param t      where to
  @return FARE_ERR_FAILED where the truth cannot get there
*/
PetscErrorCode fare_thermo_advance(fare_thermo *thermo, double t);
/**
  Destroys it. Collective.
  @param thermo set to NULL
  @return an error of PETSc
*/
PetscErrorCode fare_thermo_destroy(fare_thermo **thermo);
/**
  Counts the rows. Not collective.
  @param thermo the instrument
  @return how many there are
*/
size_t fare_thermo_count(const fare_thermo *thermo);
/**
  Gives the rows: extrapolated from three grids where fare_thermo_extrapolates(). Not collective.
  @param thermo the instrument
  @return borrowed; valid until the next advance
*/
const fare_thermo_row *fare_thermo_rows(const fare_thermo *thermo);
/**
  Gives the rows of the truth's own grid. Not collective.
  @param thermo the instrument
  @return borrowed; valid until the next advance
*/
const fare_thermo_row *fare_thermo_plain(const fare_thermo *thermo);
/**
  Whether the rows are extrapolated, which all are or none. Not collective.
  @param thermo the instrument
  @return true where the truth extrapolates, and the coarsest grid resolves the density in each row
*/
PetscBool fare_thermo_extrapolates(const fare_thermo *thermo);
/**
  Estimated errors of each member of fare_thermo_rows(). Space: the difference to the companion on half as
  many cells per axis, over the ratio of their errors less 1, as the companion on a quarter shows it; where
  rows are extrapolated, of what the finer grids give to what the coarser ones do. Time: the difference of the
  companions of two tolerances. Integrals over time add what the balances say of the quadrature. Not
  collective.
  @param thermo the instrument
  @return as fare_thermo_rows(); NaN where the truth has no estimate, or the number is not defined
*/
const fare_thermo_row *fare_thermo_errors(const fare_thermo *thermo);
/**
  Time average of kl_to_equilibrium over all that was followed. Not collective.
  @param thermo the instrument
  @return NaN where it is not defined
*/
double fare_thermo_mean_kl(const fare_thermo *thermo);
/**
  Density of the current at centres of cells, now. Collective.
  @param thermo  the instrument
  @param axis    component of the current
  @param current new global vector; the caller destroys it
  @return an error of PETSc
*/
PetscErrorCode fare_thermo_current(fare_thermo *thermo, int axis, Vec *current);
/**
  Saves all rows so far. Collective over the store.
  @param thermo the instrument
  @param store  open for writing
  @param group  an existing group
  @return FARE_ERR_FAILED where the file cannot be written
*/
PetscErrorCode fare_thermo_save(const fare_thermo *thermo, fare_store *store, const char *group);
/**
  Loads rows into a new instrument on a truth that is where the last of them is: it goes on to the same bits.
  Collective over the store.
  @param thermo the instrument
  @param store  open for reading
  @param group  as it was saved
  @return FARE_ERR_FAILED where the rows are of another version
*/
PetscErrorCode fare_thermo_load(fare_thermo *thermo, fare_store *store, const char *group);

/**
  Energies of cells, U_i = -kT ln of the mean of exp(-V/kT) over each: exp(-U_i/kT) are the masses of
  Boltzmann. Collective.
  @param grid   the cells
  @param system with a potential
  @param t      time of its parameters
  @param U      a vector of the grid, overwritten
  @return an error of PETSc
*/
PetscErrorCode fare_cell_energies(const fare_grid *grid, const fare_system *system, double t, Vec U);

/** Rates of entropy production. */
typedef struct {
  double total;        /**< of all transitions */
  double housekeeping; /**< what keeps the steady state */
  double excess;       /**< what relaxes towards it */
  double geometric;    /**< least that changes the masses as they do; set by fare_geometric_rate() */
  double power;        /**< of the force that is no gradient */
  double absorbed;     /**< d/dt of the energy by the currents */
} fare_production;
/**
  Rates of entropy production of masses (Schnakenberg, Rev. Mod. Phys. 48, 571 (1976); Hatano and Sasa, Phys.
  Rev. Lett. 86, 3463 (2001)). Collective.
  @param grid   the cells
  @param system the physics
  @param op     operator of the same grid and system
  @param t      time of the rates
  @param P      cell masses
  @param U      cell energies; NULL: no power and nothing absorbed
  @param rest   stationary masses at t; NULL where detailed balance holds
  @param rates  NaN where not defined
  @return an error of PETSc
*/
PetscErrorCode fare_production_rates(const fare_grid *grid, const fare_system *system, fare_operator *op,
  double t, Vec P, Vec U, Vec rest, fare_production *rates);

/**
  Least rate of entropy production that changes masses as the operator does: what marginals can tell (Maes and
  Netocny, J. Stat. Phys. 154, 188 (2014)). Collective.
  @param grid the cells
  @param op   operator of the same grid
  @param t    time of the rates
  @param P    cell masses
  @param rate infinite where masses border on empty cells; NaN where the potential is not found
  @return an error of PETSc
*/
PetscErrorCode fare_geometric_rate(const fare_grid *grid, fare_operator *op, double t, Vec P, double *rate);

/**
  A chain in discrete time with the truth's rates: in each of its steps the energies change, then the masses
  relax by backward Euler at the new ones. Its work relations hold to round-off for any number of steps; as
  that grows it tends to the truth (Jarzynski, Phys. Rev. E 56, 5018 (1997); Crooks, J. Stat. Phys. 90, 1481
  (1998)).
*/
typedef struct fare_chain fare_chain;
/** State of the chain after a step. */
typedef struct {
  double time;                    /**< of the step's end */
  double energy;                  /**< mean energy */
  double entropy;                 /**< of the density */
  double equilibrium_free_energy; /**< of the energies then */
  double kl_to_equilibrium;       /**< of the density then */
  double work;                    /**< since the beginning */
  double heat;                    /**< since the beginning */
  double dissipated_work;         /**< work - change of the equilibrium free energy */
  double produced;                /**< sum of KL(P_n|pi_n+1) - KL(P_n+1|pi_n+1) >= 0 */
} fare_chain_row;
/**
  Creates a chain. Collective.
  @param grid   borrowed, as is the system; no end absorbs
  @param system one with FARE_HAS_CHAIN
  @param start  of the protocol
  @param end    of the protocol
  @param steps  number of steps
  @param chain  destroy with fare_chain_destroy()
  @return FARE_ERR_INPUT for other systems or grids
*/
PetscErrorCode fare_chain_create(const fare_grid *grid, const fare_system *system, double start, double end,
  PetscInt64 steps, fare_chain **chain);
/**
  Destroys it. Collective.
  @param chain set to NULL
  @return an error of PETSc
*/
PetscErrorCode fare_chain_destroy(fare_chain **chain);
/**
  Follows masses through the protocol. Collective.
  @param chain the chain
  @param P     masses at the start, replaced by those at the end; NULL: those of equilibrium
  @param rows  steps + 1 of them
  @return an error of PETSc
*/
PetscErrorCode fare_chain_follow(fare_chain *chain, Vec P, fare_chain_row rows[]);
/**
  Moments of the work, started in equilibrium. Collective.
  @param chain    the chain
  @param reversed the protocol is run backwards from equilibrium at its end
  @param mean     of the work
  @param variance of the work
  @return an error of PETSc
*/
PetscErrorCode fare_chain_moments(fare_chain *chain, PetscBool reversed, double *mean, double *variance);
/**
  Generating function of the work, ln <exp(-lambda W)>, started in equilibrium. Collective.
  @param chain    the chain
  @param reversed as for fare_chain_moments()
  @param count    number of arguments
  @param lambda   the arguments, inverse energies
  @param log_mean `count` results
  @return an error of PETSc
*/
PetscErrorCode fare_chain_generate(
  fare_chain *chain, PetscBool reversed, int count, const double lambda[], double log_mean[]);
/**
  Change of the equilibrium free energy over the protocol. Not collective.
  @param chain the chain
  @return that at the end less that at the start
*/
double fare_chain_free_energy(const fare_chain *chain);

/** Free energy by Jarzynski's average. */
typedef struct {
  double estimate;  /**< of the change */
  double error;     /**< standard error */
  double effective; /**< effective sample size of the weights exp(-W/kT) */
} fare_jarzynski;
/**
  Estimates the change of the free energy from work (Jarzynski, Phys. Rev. Lett. 78, 2690 (1997)). Not
  collective.
  @param kT   temperature
  @param n    number of trajectories
  @param work of each
  @return the estimate and its error
*/
fare_jarzynski fare_jarzynski_estimate(double kT, size_t n, const double work[]);
/** Free energy by Bennett's acceptance ratio. */
typedef struct {
  double estimate; /**< of the change */
  double error;    /**< standard error */
  double overlap;  /**< 1 where both distributions agree, 0 where they do not meet */
} fare_bennett;
/**
  Estimates the change of the free energy from work of the protocol and of its reverse (Bennett, J. Comput.
  Phys. 22, 245 (1976)). Not collective.
  @param kT      temperature
  @param n       number of trajectories forward
  @param forward work of each
  @param m       number of reversed ones
  @param reverse work of each
  @return the estimate and its error
*/
fare_bennett fare_bennett_estimate(
  double kT, size_t n, const double forward[], size_t m, const double reverse[]);

/** How particles move between changes of the energy. */
typedef enum {
  FARE_RELAX_METROPOLIS,     /**< Metropolised steps: work relations hold for any step */
  FARE_RELAX_EULER_MARUYAMA, /**< unadjusted */
  FARE_RELAX_HEUN            /**< unadjusted, of higher order */
} fare_relaxation;
/** Bins of the histograms of work. */
#define FARE_WORK_BINS 100
/** Work of particles. Pairs are forward and reversed. */
typedef struct {
  int64_t        particles;         /**< each way */
  int64_t        steps;             /**< of the protocol */
  int            relaxation;        /**< a fare_relaxation */
  double         mean[2];           /**< of the work */
  double         variance[2];       /**< of the work */
  double         accepted[2];       /**< share of moves, 1 where none is refused */
  double         mean_error[2];     /**< standard error: beside it stands the bias of the step */
  double         variance_error[2]; /**< alike */
  fare_jarzynski jarzynski[2];      /**< both of the forward change */
  fare_bennett   bennett;           /**< from both */
  double         lower;             /**< of the histograms */
  double         upper;             /**< of the histograms */
  /** histograms of W forward and of -W reversed, normalised */
  double density[2][FARE_WORK_BINS];
} fare_work;
/**
  Takes particles through the protocol from equilibrium at `start`, and through its reverse from equilibrium
  at `end`. The same bits on any number of ranks. Collective.
  @param comm    ranks that share the particles
  @param system  one with FARE_HAS_CHAIN
  @param box     on which equilibrium is; NULL: the system's own
  @param start   of the protocol
  @param end     of the protocol
  @param options particles, dt and relaxation
  @param seed    of the random streams
  @param work    filled in on every rank
  @return FARE_ERR_INPUT for other systems; FARE_ERR_FAILED where dt is too large
*/
PetscErrorCode fare_work_simulate(MPI_Comm comm, const fare_system *system, const fare_box *box, double start,
  double end, const fare_thermo_options *options, uint64_t seed, fare_work *work);

/** What a study keeps: what chain and particles tell, where asked for. Pairs are forward and reversed. */
typedef struct {
  PetscBool  has_chain;               /**< the members called chain_ are set */
  PetscBool  has_work;                /**< so is `work` */
  PetscInt64 chain_steps;             /**< number of its steps */
  double     free_energy;             /**< change of the equilibrium free energy: as in the rows */
  double     free_energy_error;       /**< estimated */
  double     free_energy_plain;       /**< by quadrature on the grid, as for the chain */
  double     free_energy_plain_error; /**< estimated */
  double     chain_mean[2];           /**< of the work */
  double     chain_variance[2];       /**< of the work */
  double     chain_mean_error[2];     /**< estimated, against continuous time and space; NaN: none */
  double     chain_variance_error[2]; /**< alike */
  double     chain_jarzynski;         /**< -kT ln <exp(-W/kT)> */
  double     chain_lag;               /**< least of dissipated work - kT KL */
  double     chain_first_law;         /**< largest |dE - W - Q| of a step */
  fare_work  work;                    /**< of particles */
} fare_work_summary;
/**
  Runs the chain and the particles that the options ask for, on the grid of the truth. Collective.
  @param thermo  the instrument, at the end
  @param comm    ranks that share the particles
  @param start   of the protocol
  @param end     of the protocol
  @param seed    of the random streams
  @param summary filled in
  @return FARE_ERR_FAILED where dt is too large
*/
PetscErrorCode fare_thermo_finish(
  fare_thermo *thermo, MPI_Comm comm, double start, double end, uint64_t seed, fare_work_summary *summary);
/**
  Appends the rows as CSV. Columns that the system does not define are left out. The last column,
  `unresolved`, is 1 where the errors are good to an order of magnitude at best. Not collective.
  @param thermo the instrument
  @param truth  the truth's status at each row
  @param to     appended to
*/
void fare_thermo_csv(const fare_thermo *thermo, const fare_truth_status truth[], fare_text *to);
/**
  Writes group /thermodynamics. Collective over the store.
  @param thermo  the instrument
  @param summary chain and particles
  @param store   open for writing
  @return FARE_ERR_FAILED where the file cannot be written
*/
PetscErrorCode fare_thermo_write(
  const fare_thermo *thermo, const fare_work_summary *summary, fare_store *store);
/**
  Prints tables for people. Rank 0 calls it.
  @param thermo  the instrument
  @param summary chain and particles
  @param to      where
*/
void fare_thermo_print(const fare_thermo *thermo, const fare_work_summary *summary, FILE *to);

/** What a density says of the dynamics in the middle of an interval, beside the truth on the same stencil. */
typedef struct {
  double time;             /**< the middle */
  double production;       /**< int J^2/(D q) dx: rate of entropy production of its current, see below */
  double production_truth; /**< that of the truth's */
  double residual; /**< mean of (v - v_0)^2/(4 D) under the truth's density; v = J/q, v_0 the system's */
  double residual_truth; /**< that of the truth's own v: what the stencil leaves */
} fare_motion;
/** Two moments between snapshots, and what the truth is there. */
typedef struct fare_stencil fare_stencil;
/**
  Evolves the truth to two moments about the middle of an interval, or beside a jump of the drive there. On a
  circle, where marginals leave a constant of the current open, currents are those of least production.
  Collective.
  @param grid    of one axis; borrowed, as is the system
  @param system  with diffusion everywhere
  @param masses  of the truth at `from`
  @param from    a snapshot
  @param to      the next
  @param length  of the schedule
  @param stencil destroy with fare_stencil_destroy(), after an error too
  @return FARE_ERR_FAILED where the truth cannot be evolved
*/
PetscErrorCode fare_stencil_create(const fare_grid *grid, const fare_system *system, Vec masses, double from,
  double to, double length, fare_stencil **stencil);
/**
  Destroys a stencil. Not collective.
  @param stencil set to NULL; may be NULL
  @return an error of PETSc
*/
PetscErrorCode fare_stencil_destroy(fare_stencil **stencil);
/**
  What a method's density says there. Collective.
  @param stencil of an interval
  @param sampler whose density is known between snapshots (`density_between`)
  @param motion  filled in
  @return as the density
*/
PetscErrorCode fare_stencil_judge(fare_stencil *stencil, fare_sampler *sampler, fare_motion *motion);

#endif
