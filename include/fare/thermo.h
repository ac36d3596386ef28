/* SPDX-License-Identifier: BSD-2-Clause */
/*
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
#include <fare/truth.h>

/* The plan's `thermodynamics:` section. */
typedef struct {
  PetscInt64 points;     /* of the quadrature between snapshots, both snapshots counted */
  PetscInt64 steps;      /* of the work chain; 0: none */
  PetscInt64 particles;  /* that the work is measured on, each way; 0: none */
  double     dt;         /* of their steps */
  int        relaxation; /* a fare_relaxation */
  PetscBool  currents;   /* also record the currents */
} fare_thermo_options;
extern const fare_field fare_thermo_fields[];
/* Reads and checks the section (NULL: defaults). Not collective. */
PetscErrorCode fare_thermo_options_from_config(const fare_node *node, const fare_system *system,
  const fare_truth_options *truth, fare_thermo_options *options);

/* What can be said of a system. */
typedef enum {
  FARE_HAS_ENTROPY    = 1, /* always */
  FARE_HAS_ENERGY     = 2, /* there is a potential */
  FARE_HAS_PRODUCTION = 4, /* there is diffusion along every axis, so that every transition has a reverse */
  FARE_HAS_FREE_WORK  = 8, /* energy, one temperature throughout, no force but the potential's */
  /* production, or energy and one temperature: then it is known from heat and entropy */
  FARE_HAS_TOTAL           = 16,
  FARE_HAS_NONCONSERVATIVE = 32, /* energy, and a force that is no gradient */
  FARE_HAS_BALANCE = 64, /* energy, production and one temperature: the entropy balance can be checked */
  FARE_HAS_CHAIN   = 128 /* detailed balance at every moment and one temperature: work relations hold */
} fare_thermo_defined;
int fare_thermo_defines(const fare_system *system); /* a sum of these */

/* At one instant; quantities of a path since the first row. NaN where not defined. */
typedef struct {
  double time, energy, entropy, free_energy, equilibrium_free_energy, kl_to_equilibrium;
  /* work of the drive, and of the force that is no gradient */
  double work, extra_work, heat;
  double dissipated_work;                            /* work - change of the equilibrium free energy */
  double total_rate, housekeeping_rate, excess_rate; /* of entropy production */
  double total, housekeeping, excess;                /* their integrals */
  double kl_integral;                                /* of kl_to_equilibrium over time */
  /*
    what energy misses with heat from currents, all panels' absolute values summed: shows the error of the
    quadrature alone
  */
  double energy_balance;
  /* entropy change - heat/kT - total: the same for the entropy */
  double balance;
  double velocity[FARE_DIM_MAX]; /* d<x>/dt: the currents, summed */
  /*
    of the errors in space on cells twice as wide and on these, observed and by the scheme's order; 0 without
    estimate
  */
  double ratio, nominal;
} fare_thermo_row;

typedef struct fare_thermo fare_thermo;

/*
  Begins at the truth's present time. Keeps references to the truth and the system. Collective over the
  truth's ranks, as all here.
*/
PetscErrorCode fare_thermo_create(
  fare_truth *truth, const fare_system *system, const fare_thermo_options *options, fare_thermo **thermo);
/* Evolves the truth to time t by way of the quadrature's points, and adds a row there. */
PetscErrorCode fare_thermo_advance(fare_thermo *thermo, double t);
PetscErrorCode fare_thermo_destroy(fare_thermo **thermo);
size_t         fare_thermo_count(const fare_thermo *thermo);
/* borrowed; valid until the next advance */
const fare_thermo_row *fare_thermo_rows(const fare_thermo *thermo);
/*
  Estimated errors of each member of each row, in the same order; borrowed, too. Space: the difference to the
  companion on half as many cells per axis, over the ratio of their errors less 1, as the companion on a
  quarter shows it; time: the difference of the companions of two tolerances; integrals over time add what the
  balances say of the quadrature. NaN where there is none: the truth has no estimate, or the number is not
  defined.
*/
const fare_thermo_row *fare_thermo_errors(const fare_thermo *thermo);
/* Time average of kl_to_equilibrium over all that was followed. NaN where there is none. */
double fare_thermo_mean_kl(const fare_thermo *thermo);
/* The density of the current along `axis` at centres of cells now. In a new vector. */
PetscErrorCode fare_thermo_current(fare_thermo *thermo, int axis, Vec *current);
/*
  All rows so far, and back into a new instrument on a truth that is where the last of them is: it goes on to
  the same bits.
*/
PetscErrorCode fare_thermo_save(const fare_thermo *thermo, fare_store *store, const char *group);
PetscErrorCode fare_thermo_load(fare_thermo *thermo, fare_store *store, const char *group);

/*
  U_i = -kT ln of the mean of exp(-V/kT) over each cell, in a vector of the grid: exp(-U_i/kT) are the masses
  of Boltzmann. Collective.
*/
PetscErrorCode fare_cell_energies(const fare_grid *grid, const fare_system *system, double t, Vec U);

/*
  Rates of entropy production of masses P at time t; `rest`: of the stationary density, NULL where detailed
  balance holds.
*/
typedef struct {
  double total, housekeeping, excess;
  double power;    /* of the force that is no gradient; needs U */
  double absorbed; /* d/dt of the energy by the currents; needs U */
} fare_production;
/* `op` is of the same grid and system. U: cell energies or NULL. NaN where not defined. Collective. */
PetscErrorCode fare_production_rates(const fare_grid *grid, const fare_system *system, fare_operator *op,
  double t, Vec P, Vec U, Vec rest, fare_production *rates);

/*
  A chain in discrete time with the truth's rates: in each of its steps the energies change, then the masses
  relax by backward Euler at the new ones. Its work relations hold to round-off for any number of steps; as
  that grows it tends to the truth. FARE_ERR_INPUT where not FARE_HAS_CHAIN.
*/
typedef struct fare_chain fare_chain;
typedef struct {
  double time, energy, entropy, equilibrium_free_energy, kl_to_equilibrium;
  double work, heat, dissipated_work; /* since the beginning */
  double produced;                    /* sum of KL(P_n|pi_n+1) - KL(P_n+1|pi_n+1) >= 0 */
} fare_chain_row;
PetscErrorCode fare_chain_create(const fare_grid *grid, const fare_system *system, double start, double end,
  PetscInt64 steps, fare_chain **chain);
PetscErrorCode fare_chain_destroy(fare_chain **chain);
/*
  steps + 1 rows; P goes from the masses at the start (NULL: those of equilibrium there) to those at the end.
  Collective.
*/
PetscErrorCode fare_chain_follow(fare_chain *chain, Vec P, fare_chain_row rows[]);
/*
  Mean and variance of the work, started in equilibrium; `reversed`: of the protocol run backwards from
  equilibrium at its end. Collective.
*/
PetscErrorCode fare_chain_moments(fare_chain *chain, PetscBool reversed, double *mean, double *variance);
/* ln <exp(-lambda W)> for each of `count` lambda, the same way. Collective. */
PetscErrorCode fare_chain_generate(
  fare_chain *chain, PetscBool reversed, int count, const double lambda[], double log_mean[]);
/* Change of the equilibrium free energy from start to end. */
double fare_chain_free_energy(const fare_chain *chain);

/* Free energy from work. Effective: the effective sample size of the weights exp(-W/kT). */
typedef struct {
  double estimate, error, effective;
} fare_jarzynski;
fare_jarzynski fare_jarzynski_estimate(double kT, size_t n, const double work[]);
/*
  From work forward and work of the reversed protocol (Bennett's acceptance ratio). overlap: 1 where both
  distributions agree, 0 where they do not meet.
*/
typedef struct {
  double estimate, error, overlap;
} fare_bennett;
fare_bennett fare_bennett_estimate(
  double kT, size_t n, const double forward[], size_t m, const double reverse[]);

/* How particles move between changes of the energy. */
typedef enum { FARE_RELAX_METROPOLIS, FARE_RELAX_EULER_MARUYAMA, FARE_RELAX_HEUN } fare_relaxation;
#define FARE_WORK_BINS 100
typedef struct {
  int64_t particles, steps;
  int     relaxation;
  /* forward, reverse; accepted: share of moves, 1 where none is refused */
  double mean[2], variance[2], accepted[2];
  /* standard errors, of the number of particles alone: a step of finite length has a bias beside them */
  double         mean_error[2], variance_error[2];
  fare_jarzynski jarzynski[2]; /* both of the forward change */
  fare_bennett   bennett;
  double         lower, upper; /* of the histograms: of W forward and of -W reversed */
  double         density[2][FARE_WORK_BINS];
} fare_work;
/*
  Particles through the protocol from equilibrium on `box` (NULL: the system's own) at `start`, and through
  its reverse from equilibrium at `end`. The same bits on any number of ranks. FARE_ERR_INPUT where not
  FARE_HAS_CHAIN. Collective.
*/
PetscErrorCode fare_work_simulate(MPI_Comm comm, const fare_system *system, const fare_box *box, double start,
  double end, const fare_thermo_options *options, uint64_t seed, fare_work *work);

/* What a study keeps: the rows, and what chain and particles tell, where asked for. */
typedef struct {
  PetscBool  has_chain, has_work;
  PetscInt64 chain_steps;
  /* change of the equilibrium free energy, by quadrature on the grid */
  double free_energy, free_energy_error;
  double chain_mean[2], chain_variance[2]; /* of the work, forward and reversed */
  /* estimated, against continuous time and space; NaN where there is none */
  double chain_mean_error[2], chain_variance_error[2];
  /* -kT ln <exp(-W/kT)>; least of dissipated work - kT KL; largest |dE - W - Q| of a step */
  double    chain_jarzynski, chain_lag, chain_first_law;
  fare_work work;
} fare_work_summary;
/*
  Runs the chain and the particles that `options` ask for, on the grid of the truth. `comm`: of the particles.
  Collective.
*/
PetscErrorCode fare_thermo_finish(
  fare_thermo *thermo, MPI_Comm comm, double start, double end, uint64_t seed, fare_work_summary *summary);
/*
  The rows as a table of commas, group /thermodynamics of a store, and a table for people. Columns that the
  system does not define are left out.
*/
void           fare_thermo_csv(const fare_thermo *thermo, fare_text *to);
PetscErrorCode fare_thermo_write(
  const fare_thermo *thermo, const fare_work_summary *summary, fare_store *store);
PetscErrorCode fare_thermo_print(const fare_thermo *thermo, const fare_work_summary *summary, FILE *to);

#endif
