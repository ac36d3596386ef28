/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Energies U(x,t), in units of kT, that Markov chains and weighted particles move on: of the system itself, of
  the exact density on the grid, of a network. Whoever moves particles on one need not know which it is.
*/
#ifndef FARE_ENERGY_H
#define FARE_ENERGY_H

#include <fare/sampler.h>

/*
  An energy at one moment. Its coordinates are z = (x - shift)/scale; shift 0 and scale 1 unless its maker
  says otherwise.
*/
typedef struct fare_energy fare_energy;
struct fare_energy {
  int       dim;
  double    shift[FARE_AXES_MAX], scale[FARE_AXES_MAX];
  PetscBool periodic[FARE_AXES_MAX];
  /* of the box that a periodic axis comes back to, in z */
  double     lower[FARE_AXES_MAX], length[FARE_AXES_MAX];
  fare_walls walls; /* in z; chains stay between them. dim 0: none */
  void      *context;
  PetscErrorCode (*move)(fare_energy *energy, double t);
  /* U and f = -dU/dz at n <= FARE_BLOCK points. */
  void (*evaluate)(fare_energy *energy, int n, const double *const z[], double U[], double *const f[]);
  PetscErrorCode (*destroy)(fare_energy *energy); /* of the context */
};

/*
  An energy without its functions, on axes that are periodic or not, of a box from lower to upper in x.
  `shift` and `scale` may be NULL.
*/
PetscErrorCode fare_energy_create(int dim, const PetscBool periodic[], const double lower[],
  const double upper[], const double shift[], const double scale[], fare_energy **energy);
/* V(x,t)/kT where `reduced` is set, else V(x,t). */
PetscErrorCode fare_energy_of_system(const fare_system *system, PetscBool reduced, fare_energy **energy);
/*
  -ln p from the grid, with two continuous derivatives by x: of p(x,t), linear in t between the schedule's
  times, or with `count` > 0 of the mean of p over those times. `shift` and `scale` may be NULL.
*/
PetscErrorCode fare_energy_of_densities(const fare_densities *exact, int count, const double times[],
  const double shift[], const double scale[], fare_energy **energy);
/*
  (1 - s) U_0 + s U, where U_0 = z^2/2 along each axis but 0 along a periodic one; its `move` takes s. Borrows
  the other.
*/
PetscErrorCode fare_energy_blend(fare_energy *with, fare_energy **energy);
/* Walls in x, for particles on this energy. */
void           fare_energy_set_walls(fare_energy *energy, const fare_walls *walls);
PetscErrorCode fare_energy_destroy(fare_energy **energy);

/* Positions of all particles here to z, and back to x. */
void fare_energy_enter(const fare_energy *energy, fare_ensemble *ensemble);
void fare_energy_leave(const fare_energy *energy, fare_ensemble *ensemble);
/*
  Draws z from exp(-U_0) of fare_energy_blend: a normal, where there are walls between them; along periodic
  axes uniform.
*/
void fare_energy_draw(const fare_energy *energy, fare_stream stream, uint64_t block, double *const z[]);
/* Cell masses of exp(-U) as it is (new vector). Collective over the grid. */
PetscErrorCode fare_energy_masses(fare_energy *energy, const fare_grid *grid, Vec *masses);

/* Of a descriptor: the Boltzmann density at time t. */
PetscErrorCode fare_equilibrium_density(fare_sampler *sampler, double t, const fare_grid *grid, Vec *masses);

/* One block of particles and what is known there. */
typedef struct {
  double *z[FARE_AXES_MAX], *f[FARE_AXES_MAX], *U;
} fare_chains;
/* The block's number b of arrays that hold many; rows beyond dim are not set. */
fare_chains fare_chains_at(int dim, int64_t b, double *const z[], double *const f[], double *U);
void        fare_chains_evaluate(fare_energy *energy, const fare_chains *c);
/* Brings periodic axes back into their box. */
void fare_chains_wrap(const fare_energy *energy, const fare_chains *c);
/*
  One Metropolis-adjusted Langevin step on exp(-U/temperature), with the draws first .. first + dim of `step`;
  returns how many of the first `counted` particles moved. One evaluation.
*/
int fare_chains_local(fare_energy *energy, double temperature, double h, fare_stream stream, uint64_t block,
  uint64_t step, uint32_t first, int counted, const fare_chains *c);
/*
  A differential-evolution step on exp(-U/temperature) (ter Braak 2006), one half of the block by differences
  of the other, with three draws from `first` on: between particles in different wells that is just the jump
  that a local step hardly ever makes. Half a block moves while the other half, which lends the differences,
  stands still; so each half-step leaves the product of the particles' densities invariant. One evaluation.
*/
void fare_chains_jump(fare_energy *energy, double temperature, fare_stream stream, uint64_t block,
  uint64_t step, uint32_t first, const fare_chains *c);
/*
  One unadjusted Langevin step on U = c->U with force c->f; evaluates the energy as it is, U', and gives the
  cost U'(y) - U(z) + ln q_U(y|z) - ln q_U'(z|y), with the draws first .. first + dim - 1. Walls are mirrors:
  the step is weighed between z and y before reflection, where U' is as the mirror shows it, which is exact
  because the step that leads back is seen in the same mirror.
*/
void fare_chains_unadjusted(fare_energy *energy, double h, fare_stream stream, uint64_t block, uint64_t step,
  const fare_chains *c, double cost[FARE_BLOCK]);
/*
  h after a step of adaptation, number `round` from 0, in which `accepted` of `all` moved: towards an
  acceptance of 0.574.
*/
double fare_chains_tune(double h, int64_t accepted, int64_t all, int64_t round);

/* Chains of all particles of an ensemble, in z, on exp(-U/temperature); a sweep is a local step and a jump.
 */
typedef struct {
  double      temperature, step; /* `step`: h of local steps */
  fare_stream stream;
  uint64_t    made;    /* sweeps so far: the counter of random numbers */
  PetscBool   padding; /* whether tuning counts the padding of the last block, too */
} fare_sweeps;
extern const fare_kept fare_sweeps_kept[];
/*
  Makes so many sweeps; returns how many local steps moved a particle here. Two evaluations each and one
  before the first. Not collective.
*/
int64_t fare_sweeps_make(fare_sweeps *sweeps, fare_energy *energy, int64_t count, fare_ensemble *ensemble);
/* Sweeps that tune the step. Collective. */
PetscErrorCode fare_sweeps_tune(
  fare_sweeps *sweeps, fare_energy *energy, int64_t rounds, fare_ensemble *ensemble);

/*
  Weighted particles, carried along a path of energies U_0, U_1, ... so that they represent exp(-U_k) at each
  (Jarzynski 1997, Neal 2001). Weights are the ensemble's own, of mean 1. Either the energy changes and then
  Metropolis-adjusted steps relax, or unadjusted Langevin steps do, whose own error the weights make good at
  any step size (Carbone et al. 2023).
*/
enum { FARE_RELAX_MALA, FARE_RELAX_LANGEVIN };
extern const char *const fare_relaxations[];

typedef struct {
  int        relaxation;
  PetscInt64 protocol_steps, relaxations; /* per snapshot; moves per protocol step */
  double     step, least_effective; /* h; fraction of effective particles below which they are resampled */

  double    time; /* where particles stand */
  PetscBool warned;
  uint64_t  moves; /* made so far: the counter of random numbers */
  int64_t   resamplings;
  double    log_ratio; /* ln Z/Z_0 of what they have been carried to */
  /* of that, from how the weight is shared among the particles of the start (Chan and Lai 2013) */
  double variance;
  double families;         /* the number of those that share it, in the sense of effective particles */
  double effective, least; /* share of effective particles: now, and least so far */
  /* position: the number of the particle of the start that each descends from; they never change places */
  fare_ensemble *ancestors;
} fare_annealing;
#define FARE_ANNEALING_FIELDS(type, member, relaxation_, steps_, relaxations_, step_)                       \
  {"protocol_steps", FARE_INTEGER, offsetof(type, member.protocol_steps), steps_, 1, 1e6, NULL, "",         \
    "small changes of the energy from one snapshot to the next"},                                           \
    {"relaxation", FARE_CHOICE, offsetof(type, member.relaxation), relaxation_, 0, 0, fare_relaxations, "", \
      "moves after each change: Metropolis-adjusted, or unadjusted with corrected weights"},                \
    {"relaxations", FARE_INTEGER, offsetof(type, member.relaxations), relaxations_, 1, 1e6, NULL, "",       \
      "number of moves after each change"},                                                                 \
    {"step", FARE_REAL, offsetof(type, member.step), step_, 1e-12, 1e6, NULL, "length^2",                   \
      "h of a move; mala tunes it at the start"},                                                           \
  {                                                                                                         \
    "resample_below", FARE_REAL, offsetof(type, member.least_effective), "0.5", 0, 1, NULL, "",             \
      "fraction of effective particles below which they are resampled"                                      \
  }

/* Weights 1, nothing carried yet; makes `ancestors`, which the caller destroys. */
PetscErrorCode fare_annealing_begin(fare_annealing *a, fare_ensemble *ensemble);
/* Tunes h on the energy as it is, which the ensemble should represent. Particles are in z. Collective. */
PetscErrorCode fare_annealing_tune(fare_annealing *a, const fare_sampler *sampler, fare_energy *energy,
  int64_t rounds, fare_ensemble *ensemble, int64_t *evaluations);
/*
  Carries particles, which are in z, along energy->move(from) .. energy->move(to) in so many steps. Adds the
  evaluations made here. Collective.
*/
PetscErrorCode fare_annealing_carry(fare_annealing *a, const fare_sampler *sampler, fare_energy *energy,
  double from, double to, int64_t steps, fare_ensemble *ensemble, int64_t *evaluations);
/* The same from where they stand to time t, in protocol_steps. */
PetscErrorCode fare_annealing_advance(fare_annealing *a, const fare_sampler *sampler, fare_energy *energy,
  double t, fare_ensemble *ensemble, int64_t *evaluations);
/* Warns, once, where too few particles are effective. */
void    fare_annealing_warn(fare_annealing *a, const fare_sampler *sampler);
int64_t fare_annealing_evaluations(const fare_annealing *a, int64_t steps); /* per particle, of one carry */
/* What a run needs to go on; and FARE_ERR_FAILED where what was loaded has no ancestors. */
extern const fare_kept fare_annealing_kept[];
PetscErrorCode         fare_annealing_check(const fare_annealing *a, const fare_sampler *sampler);

/*
  Multiplies weights by exp(-cost), makes their mean 1 and gives ln of the mean that it took and the share of
  effective particles. Sums run over blocks in order, so they do not depend on the layout. Collective.
*/
PetscErrorCode fare_weights_multiply(
  fare_ensemble *ensemble, const double cost[], double *log_mean, double *effective);
/* Kernel: weight *= exp(min(least - cost, 0)), for a block. */
void fare_weights_scale(double least, const double cost[FARE_BLOCK], double weight[FARE_BLOCK]);
/*
  Systematic resampling of the whole ensemble, and of another that goes with it (may be NULL), with one
  uniform number; weights become 1. Collective.
*/
PetscErrorCode fare_weights_resample(fare_ensemble *ensemble, fare_ensemble *with, double u);
/*
  The sum of squares of the shares of all weight that particles of one ancestor have together, ancestors being
  in ascending order. Collective.
*/
PetscErrorCode fare_weights_families(
  const fare_ensemble *ensemble, const fare_ensemble *ancestors, double *squares);

#endif
