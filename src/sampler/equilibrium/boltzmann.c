/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The equilibrium answer at every moment: exp(-V(x,t)/kT) with the potential frozen at t. Every particle is a
  Markov chain that goes on from the snapshot before. A sweep is one Metropolis-adjusted Langevin step (local)
  and one differential-evolution step, which adds the difference of two other particles of the same block:
  between particles in different wells that is just the jump from well to well that a local step hardly ever
  makes. Half a block moves while the other half, which lends the differences, stands still; so each half-step
  leaves the product of the particles' densities invariant.
*/
#include <fare/metropolis.h>

#include <fare/sampler.h>
#include <math.h>
#include <string.h>

#define HALF          (FARE_BLOCK / 2)
#define BEST_ACCEPTED 0.574 /* Roberts and Rosenthal 1998 */

typedef struct {
  PetscInt64 sweeps, adaptation;
  double     step; /* h of the Langevin step */
  PetscBool  begun;
  uint64_t   sweep; /* made so far: the counter of the random numbers */
} boltzmann;

static const fare_field fields[] = {
  {"sweeps", FARE_INTEGER, offsetof(boltzmann, sweeps), "80", 1, 1e6, NULL, "",
    "sweeps per snapshot, each a local step and a jump"},
  {"adaptation", FARE_INTEGER, offsetof(boltzmann, adaptation), "20", 0, 1e6, NULL, "",
    "sweeps before those that tune the local step"},
  {"step", FARE_REAL, offsetof(boltzmann, step), "0.01", 1e-12, 1e6, NULL, "length^2",
    "local step h to begin tuning from"},
  FARE_FIELDS_END,
};

/* One block and what is known at its particles. */
typedef struct {
  double *x[FARE_DIM_MAX];
  double  f[FARE_DIM_MAX][FARE_BLOCK] FARE_ALIGNED, V[FARE_BLOCK] FARE_ALIGNED;
} chains;

typedef struct {
  const fare_system_type *type;
  int                     dim;
  double                  theta[FARE_PARAMETERS_MAX], h;
  fare_stream             stream;
  const fare_walls       *walls;
} target;

static void evaluate(const target *to, const double *const x[], double *const f[], double V[])
{
  to->type->potential(to->dim, to->theta, FARE_BLOCK, x, V);
  to->type->force(to->dim, to->theta, FARE_BLOCK, x, f);
}

/* Returns how many moved. A cost that is not a number is a rejection. */
static int64_t local_step(const target *to, uint64_t block, uint64_t sweep, chains *c)
{
  double        place[FARE_DIM_MAX][FARE_BLOCK] FARE_ALIGNED, force[FARE_DIM_MAX][FARE_BLOCK] FARE_ALIGNED;
  double        U[FARE_BLOCK] FARE_ALIGNED, e[FARE_BLOCK] FARE_ALIGNED, cost[FARE_BLOCK] FARE_ALIGNED;
  double *const y[FARE_DIM_MAX]              = {place[0], place[1], place[2]},
                *const       g[FARE_DIM_MAX] = {force[0], force[1], force[2]};
  const double *const        x[FARE_DIM_MAX] = {c->x[0], c->x[1], c->x[2]},
                      *const f[FARE_DIM_MAX] = {c->f[0], c->f[1], c->f[2]};
  int64_t                    accepted        = 0;

  fare_metropolis_propose(to->dim, to->h, to->theta[FARE_KT], x, f, to->stream, block, sweep, y, e);
  evaluate(to, (const double *const *)y, g, U);
  fare_metropolis_cost(to->dim, to->h, to->theta[FARE_KT], x, f, c->V, (const double *const *)y,
    (const double *const *)g, U, cost);
  fare_walls_refuse(to->walls, FARE_BLOCK, (const double *const *)y, cost);
  for (int i = 0; i < FARE_BLOCK; i++) {
    const int accept = cost[i] <= e[i];

    accepted += accept;
    c->V[i] = accept ? U[i] : c->V[i];
    for (int axis = 0; axis < to->dim; axis++) {
      c->x[axis][i] = accept ? y[axis][i] : c->x[axis][i];
      c->f[axis][i] = accept ? g[axis][i] : c->f[axis][i];
    }
  }
  return accepted;
}

/* Particles of one half move by differences of the other. */
static void jump_half(
  const target *to, int moving, const double *u, const double *v, const double *e, chains *c)
{
  const int     standing = HALF - moving; /* 0 or HALF, whichever is not `moving` */
  double        place[FARE_DIM_MAX][FARE_BLOCK] FARE_ALIGNED, U[FARE_BLOCK] FARE_ALIGNED;
  const double *y[FARE_DIM_MAX] = {place[0], place[1], place[2]};

  for (int i = 0; i < HALF; i++) {
    /* two different ones */
    const int j = (int)(u[moving + i] * HALF), k = (j + 1 + (int)(v[moving + i] * (HALF - 1))) % HALF;

    for (int axis = 0; axis < to->dim; axis++)
      place[axis][i] = c->x[axis][moving + i] + c->x[axis][standing + j] - c->x[axis][standing + k];
  }
  to->type->potential(to->dim, to->theta, HALF, y, U);
  fare_walls_refuse(to->walls, HALF, y, U);
  for (int i = 0; i < HALF; i++) {
    const int accept = (U[i] - c->V[moving + i]) / to->theta[FARE_KT] <= e[moving + i];

    c->V[moving + i] = accept ? U[i] : c->V[moving + i];
    for (int axis = 0; axis < to->dim; axis++)
      c->x[axis][moving + i] = accept ? place[axis][i] : c->x[axis][moving + i];
  }
}

static void jump(const target *to, uint64_t block, uint64_t sweep, chains *c)
{
  double        u[FARE_BLOCK] FARE_ALIGNED, v[FARE_BLOCK] FARE_ALIGNED, e[FARE_BLOCK] FARE_ALIGNED;
  double *const f[FARE_DIM_MAX] = {c->f[0], c->f[1], c->f[2]};

  fare_random_uniforms(to->stream, block, sweep, (uint32_t)to->dim + 1, u);
  fare_random_uniforms(to->stream, block, sweep, (uint32_t)to->dim + 2, v);
  fare_metropolis_exponentials(to->stream, block, sweep, (uint32_t)to->dim + 3, e);
  jump_half(to, 0, u, v, e, c);
  jump_half(to, HALF, u, v, e, c);
  to->type->force(to->dim, to->theta, FARE_BLOCK, (const double *const *)c->x, f);
}

/*
  Round a periodic axis differences of particles would feed on themselves without bound, were they not brought
  back into its box.
*/
static void wrap(const target *to, chains *c)
{
  for (int axis = 0; axis < to->dim; axis++) {
    const double lower = to->type->lower[axis], length = to->type->upper[axis] - lower;

    for (int i = 0; i < FARE_BLOCK && to->type->periodic[axis]; i++)
      c->x[axis][i] -= length * floor((c->x[axis][i] - lower) / length);
  }
}

/*
  Takes all particles of this rank through sweeps; returns the share of local steps accepted here, as a count.
*/
static int64_t sweep_all(const target *to, uint64_t first_sweep, int64_t sweeps, fare_ensemble *ensemble)
{
  int64_t accepted = 0;

  for (int64_t b = 0; b < ensemble->blocks; b++) {
    const fare_block block           = fare_ensemble_block(ensemble, b);
    chains           c               = {.x = {block.x[0], block.x[1], block.x[2]}};
    double *const    f[FARE_DIM_MAX] = {c.f[0], c.f[1], c.f[2]};

    evaluate(to, (const double *const *)c.x, f, c.V);
    for (int64_t i = 0; i < sweeps; i++) {
      accepted += local_step(to, block.number, first_sweep + (uint64_t)i, &c);
      jump(to, block.number, first_sweep + (uint64_t)i, &c);
      wrap(to, &c);
    }
  }
  return accepted;
}

/* Moves the local step towards the best acceptance; counts are whole numbers, so every layout tunes alike. */
static PetscErrorCode tune(target *to, boltzmann *s, fare_ensemble *ensemble)
{
  const int64_t all = (ensemble->count + FARE_BLOCK - 1) / FARE_BLOCK * FARE_BLOCK;

  PetscFunctionBegin;
  for (int64_t i = 0; i < s->adaptation; i++) {
    int64_t accepted = sweep_all(to, s->sweep++, 1, ensemble);

    PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &accepted, 1, MPI_INT64_T, MPI_SUM, ensemble->comm));
    to->h *= exp(((double)accepted / (double)all - BEST_ACCEPTED) * 4 / (1 + 0.2 * (double)i));
  }
  s->step = to->h;
  PetscFunctionReturn(0);
}

/* Of each sweep: force and potential at the proposal, potential at the jump, force after it. */
#define EVALUATIONS 4

static PetscErrorCode advance(fare_sampler *sampler, double t, fare_ensemble *ensemble)
{
  boltzmann *s  = sampler->state;
  target     to = {.type = fare_system_type_of(sampler->system),
        .dim             = ensemble->dim,
        .h               = s->step,
        .stream          = fare_sampler_stream(sampler, "chains"),
        .walls           = &sampler->walls};

  PetscFunctionBegin;
  if (!s->begun) {
    PetscCall(fare_ensemble_draw(
      ensemble, sampler->initial, sampler->system, t, fare_sampler_stream(sampler, "initial")));
    s->begun = PETSC_TRUE;
  }
  fare_system_parameters(sampler->system, t, to.theta);
  PetscCall(tune(&to, s, ensemble));
  sweep_all(&to, s->sweep, s->sweeps, ensemble);
  s->sweep += (uint64_t)s->sweeps;
  sampler->cost.force_evaluations += ensemble->local * EVALUATIONS * (s->adaptation + s->sweeps);
  PetscFunctionReturn(0);
}

static PetscErrorCode estimate_cost(fare_sampler *sampler, int64_t particles, fare_cost *cost)
{
  const boltzmann *s = sampler->state;

  PetscFunctionBegin;
  cost->force_evaluations += particles * EVALUATIONS * (s->adaptation + s->sweeps) * sampler->schedule.count;
  PetscFunctionReturn(0);
}

static PetscErrorCode model_density(fare_sampler *sampler, double t, const fare_grid *grid, Vec *masses)
{
  PetscFunctionBegin;
  PetscCall(fare_grid_boltzmann(grid, sampler->system, t, masses));
  PetscFunctionReturn(0);
}

static const fare_kept kept[] = {
  FARE_KEEP(BOOLEAN, boltzmann, begun),
  FARE_KEEP(INTEGER, boltzmann, sweep),
  FARE_KEEP(REAL, boltzmann, step),
  FARE_KEPT_END,
};

const fare_sampler_type fare_sampler_boltzmann = {
  .name            = "boltzmann",
  .summary         = "equilibrium on the potential frozen at each moment, by Markov chains",
  .reference       = "Roberts and Tweedie, Bernoulli 2, 341 (1996); ter Braak, Stat. Comput. 16, 239 (2006)",
  .family          = FARE_EQUILIBRIUM,
  .walls           = FARE_WALLS_KEPT,
  .size            = sizeof(boltzmann),
  .fields          = fields,
  .needs_potential = PETSC_TRUE,
  .advance         = advance,
  .model_density   = model_density,
  .estimate_cost   = estimate_cost,
  .kept            = kept,
};
