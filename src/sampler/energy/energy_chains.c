/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Markov chains on an energy: the steps that samplers of an equilibrium are put together from. Each leaves
  exp(-U) as it is.
*/
#include <fare/metropolis.h>
#include "energy.h"

#include <math.h>
#include <string.h>

#define HALF          (FARE_BLOCK / 2)
#define BEST_ACCEPTED 0.574 /* Roberts and Rosenthal 1998 */

fare_chains fare_chains_at(int dim, int64_t b, double *const z[], double *const f[], double *U)
{
  fare_chains c;

  c.U = U + b * FARE_BLOCK;
  for (int axis = 0; axis < dim; axis++) {
    c.z[axis] = z[axis] + b * FARE_BLOCK;
    c.f[axis] = f[axis] + b * FARE_BLOCK;
  }
  return c;
}

void fare_chains_evaluate(fare_energy *energy, const fare_chains *c)
{
  energy->evaluate(energy, FARE_BLOCK, (const double *const *)c->z, c->U, c->f);
}

void fare_chains_wrap(const fare_energy *energy, const fare_chains *c)
{
  for (int axis = 0; axis < energy->dim; axis++) {
    for (int i = 0; i < FARE_BLOCK && energy->periodic[axis]; i++)
      c->z[axis][i] -=
        energy->length[axis] * floor((c->z[axis][i] - energy->lower[axis]) / energy->length[axis]);
  }
}

int fare_chains_local(fare_energy *energy, double temperature, double h, fare_stream stream, uint64_t block,
  uint64_t step, uint32_t first, int counted, const fare_chains *c)
{
  double  place[FARE_AXES_MAX][FARE_BLOCK] FARE_ALIGNED, force[FARE_AXES_MAX][FARE_BLOCK] FARE_ALIGNED;
  double  U[FARE_BLOCK] FARE_ALIGNED, e[FARE_BLOCK] FARE_ALIGNED, cost[FARE_BLOCK] FARE_ALIGNED;
  double *y[FARE_AXES_MAX], *g[FARE_AXES_MAX];
  int     accepted = 0;

  fare_block_rows(energy->dim, place, y);
  fare_block_rows(energy->dim, force, g);
  fare_metropolis_propose(energy->dim, h, temperature, (const double *const *)c->z,
    (const double *const *)c->f, stream, block, step, first, y);
  fare_metropolis_exponentials(stream, block, step, first + (uint32_t)energy->dim, e);
  energy->evaluate(energy, FARE_BLOCK, (const double *const *)y, U, g);
  fare_metropolis_cost(energy->dim, h, temperature, (const double *const *)c->z, (const double *const *)c->f,
    c->U, (const double *const *)y, (const double *const *)g, U, cost);
  fare_walls_refuse(&energy->walls, FARE_BLOCK, (const double *const *)y, cost);
  for (int i = 0; i < FARE_BLOCK; i++) {
    const int accept = cost[i] <= e[i];

    accepted += accept && i < counted;
    c->U[i] = accept ? U[i] : c->U[i];
    for (int axis = 0; axis < energy->dim; axis++) {
      c->z[axis][i] = accept ? y[axis][i] : c->z[axis][i];
      c->f[axis][i] = accept ? g[axis][i] : c->f[axis][i];
    }
  }
  return accepted;
}

static void turn(const double sign[FARE_BLOCK], double f[FARE_BLOCK])
{
  for (int i = 0; i < FARE_BLOCK; i++) f[i] *= sign[i];
}

void fare_chains_unadjusted(fare_energy *energy, double h, fare_stream stream, uint64_t block, uint64_t step,
  const fare_chains *c, double cost[FARE_BLOCK])
{
  double place[FARE_AXES_MAX][FARE_BLOCK] FARE_ALIGNED, image[FARE_AXES_MAX][FARE_BLOCK] FARE_ALIGNED,
    turned[FARE_AXES_MAX][FARE_BLOCK] FARE_ALIGNED;
  double  force[FARE_AXES_MAX][FARE_BLOCK] FARE_ALIGNED, U[FARE_BLOCK] FARE_ALIGNED;
  double *y[FARE_AXES_MAX], *g[FARE_AXES_MAX], *seen[FARE_AXES_MAX], *sign[FARE_AXES_MAX];
  int     mirrored;

  fare_block_rows(energy->dim, place, y);
  fare_block_rows(energy->dim, force, g);
  fare_block_rows(energy->dim, image, seen);
  fare_block_rows(energy->dim, turned, sign);
  fare_metropolis_propose(
    energy->dim, h, 1, (const double *const *)c->z, (const double *const *)c->f, stream, block, step, 0, y);
  mirrored = energy->walls.dim && fare_walls_crossed(&energy->walls, FARE_BLOCK, (const double *const *)y);
  for (int axis = 0; axis < energy->dim; axis++) memcpy(seen[axis], y[axis], sizeof place[axis]);
  if (mirrored) fare_walls_fold(&energy->walls, FARE_BLOCK, PETSC_FALSE, seen, sign);
  energy->evaluate(energy, FARE_BLOCK, (const double *const *)seen, U, g);
  for (int axis = 0; axis < energy->dim && mirrored; axis++) turn(sign[axis], g[axis]);
  fare_metropolis_cost(energy->dim, h, 1, (const double *const *)c->z, (const double *const *)c->f, c->U,
    (const double *const *)y, (const double *const *)g, U, cost);
  for (int axis = 0; axis < energy->dim && mirrored; axis++) turn(sign[axis], g[axis]);
  memcpy(c->U, U, sizeof U);
  for (int axis = 0; axis < energy->dim; axis++) {
    memcpy(c->z[axis], seen[axis], sizeof place[axis]);
    memcpy(c->f[axis], g[axis], sizeof force[axis]);
  }
}

/* Particles of one half move by differences of the other. */
static void jump_half(fare_energy *energy, double temperature, int moving, const double *u, const double *v,
  const double *e, const fare_chains *c)
{
  const int standing = HALF - moving; /* 0 or HALF, whichever is not `moving` */
  double    place[FARE_AXES_MAX][HALF] FARE_ALIGNED, force[FARE_AXES_MAX][HALF] FARE_ALIGNED,
    U[HALF] FARE_ALIGNED;
  const double *y[FARE_AXES_MAX];
  double       *g[FARE_AXES_MAX];

  for (int axis = 0; axis < energy->dim; axis++) {
    y[axis] = place[axis];
    g[axis] = force[axis];
  }
  for (int i = 0; i < HALF; i++) {
    /* two different ones */
    const int j = (int)(u[moving + i] * HALF), k = (j + 1 + (int)(v[moving + i] * (HALF - 1))) % HALF;

    for (int axis = 0; axis < energy->dim; axis++)
      place[axis][i] = c->z[axis][moving + i] + c->z[axis][standing + j] - c->z[axis][standing + k];
  }
  energy->evaluate(energy, HALF, y, U, g);
  fare_walls_refuse(&energy->walls, HALF, y, U);
  for (int i = 0; i < HALF; i++) {
    const int accept = (U[i] - c->U[moving + i]) / temperature <= e[moving + i];

    c->U[moving + i] = accept ? U[i] : c->U[moving + i];
    for (int axis = 0; axis < energy->dim; axis++) {
      c->z[axis][moving + i] = accept ? place[axis][i] : c->z[axis][moving + i];
      c->f[axis][moving + i] = accept ? force[axis][i] : c->f[axis][moving + i];
    }
  }
}

void fare_chains_jump(fare_energy *energy, double temperature, fare_stream stream, uint64_t block,
  uint64_t step, uint32_t first, const fare_chains *c)
{
  double u[FARE_BLOCK] FARE_ALIGNED, v[FARE_BLOCK] FARE_ALIGNED, e[FARE_BLOCK] FARE_ALIGNED;

  fare_random_uniforms(stream, block, step, first, u);
  fare_random_uniforms(stream, block, step, first + 1, v);
  fare_metropolis_exponentials(stream, block, step, first + 2, e);
  jump_half(energy, temperature, 0, u, v, e, c);
  jump_half(energy, temperature, HALF, u, v, e, c);
}

const fare_kept fare_sweeps_kept[] = {
  FARE_KEEP(INTEGER, fare_sweeps, made),
  FARE_KEEP(REAL, fare_sweeps, step),
  FARE_KEPT_END,
};

int64_t fare_sweeps_make(fare_sweeps *s, fare_energy *energy, int64_t sweeps, fare_ensemble *e)
{
  int64_t moved = 0;

  for (int64_t b = 0; b < e->blocks; b++) {
    const fare_block block = fare_ensemble_block(e, b);
    double      U[FARE_BLOCK] FARE_ALIGNED, force[FARE_AXES_MAX][FARE_BLOCK] FARE_ALIGNED, *f[FARE_AXES_MAX];
    fare_chains c;

    fare_block_rows(e->dim, force, f);
    c = fare_chains_at(e->dim, 0, block.x, f, U);
    fare_chains_evaluate(energy, &c);
    for (uint64_t i = s->made; i < s->made + (uint64_t)sweeps; i++) {
      moved += fare_chains_local(energy, s->temperature, s->step, s->stream, block.number, i, 0,
        s->padding ? FARE_BLOCK : block.counted, &c);
      fare_chains_jump(energy, s->temperature, s->stream, block.number, i, (uint32_t)energy->dim + 1, &c);
      fare_chains_wrap(energy, &c);
    }
  }
  s->made += (uint64_t)sweeps;
  return moved;
}

PetscErrorCode fare_sweeps_tune(fare_sweeps *s, fare_energy *energy, int64_t rounds, fare_ensemble *e)
{
  const int64_t all = s->padding ? (e->count + FARE_BLOCK - 1) / FARE_BLOCK * FARE_BLOCK : e->count;

  PetscFunctionBegin;
  for (int64_t round = 0; round < rounds; round++) {
    int64_t moved = fare_sweeps_make(s, energy, 1, e);

    PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &moved, 1, MPI_INT64_T, MPI_SUM, e->comm));
    s->step = fare_chains_tune(s->step, moved, all, round);
  }
  PetscFunctionReturn(0);
}

double fare_chains_tune(double h, int64_t accepted, int64_t all, int64_t round)
{
  return h * exp(((double)accepted / (double)all - BEST_ACCEPTED) * 4 / (1 + 0.2 * (double)round));
}
