/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Weights of an ensemble, and its systematic resampling. Sums run over blocks in order, so that they have the
  same bits on any number of ranks.
*/
#include "energy.h"

#include <math.h>
#include <string.h>

/* Of a block's weights. */
typedef struct {
  double weight, square; /* sum, and that of squares */
} block_sum;

static int64_t all_blocks(const fare_ensemble *e)
{
  return (e->count + FARE_BLOCK - 1) / FARE_BLOCK;
}

/* Of every block of all, on every rank; freed by the caller. */
static PetscErrorCode sum_blocks(const fare_ensemble *e, block_sum **all)
{
  block_sum *mine;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(all_blocks(e), all));
  PetscCall(PetscCalloc1(e->blocks, &mine));
  for (int64_t b = 0; b < e->blocks; b++) {
    const double *w = e->weight + b * FARE_BLOCK;

    for (int64_t i = 0; i < fare_ensemble_block(e, b).counted; i++) {
      mine[b].weight += w[i];
      mine[b].square += w[i] * w[i];
    }
  }
  PetscCall(fare_ensemble_gather(e, 2 * e->blocks, &mine->weight, &(*all)->weight));
  PetscCall(PetscFree(mine));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_weights_multiply(
  fare_ensemble *e, const double cost[], double *log_mean, double *effective)
{
  double     least = HUGE_VAL, sum = 0, square = 0;
  block_sum *s;

  PetscFunctionBegin;
  /* the cost of a particle that is worth nothing any more does not matter */
  for (int64_t i = 0; i < e->local; i++) least = e->weight[i] > 0 && cost[i] < least ? cost[i] : least;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &least, 1, MPI_DOUBLE, MPI_MIN, e->comm));
  for (int64_t b = 0; b < e->blocks; b++)
    fare_weights_scale(least, cost + b * FARE_BLOCK, e->weight + b * FARE_BLOCK);
  PetscCall(sum_blocks(e, &s));
  for (int64_t b = 0; b < all_blocks(e); b++) {
    sum += s[b].weight;
    square += s[b].square;
  }
  PetscCall(PetscFree(s));
  if (!(sum > 0 && isfinite(sum)))
    FARE_FAIL(FARE_ERR_FAILED,
      "the weights of %lld particles have the sum %g: the step h is too large, or the energy changes too "
      "much in one step",
      (long long)e->count, sum);
  for (int64_t i = 0; i < e->blocks * FARE_BLOCK; i++) e->weight[i] *= (double)e->count / sum;
  *log_mean  = log(sum / (double)e->count) - least;
  *effective = sum * sum / square / (double)e->count;
  PetscFunctionReturn(0);
}

/* How many new particles come from those old ones that have this share of all weight together. */
static int64_t made_by(double share, double u, int64_t count)
{
  return (int64_t)PetscMax(0, PetscMin((double)count, ceil(share * (double)count - u)));
}

/* Particle i of this rank becomes the new ones [offspring[i], offspring[i + 1]), numbered over all ranks. */
static PetscErrorCode count_offspring(const fare_ensemble *e, double u, int64_t offspring[])
{
  double     before = 0, sum = 0;
  block_sum *s;

  PetscFunctionBegin;
  PetscCall(sum_blocks(e, &s));
  for (int64_t b = 0; b < all_blocks(e); b++) sum += s[b].weight;
  for (int64_t b = 0; b < e->first_block; b++) before += s[b].weight;
  offspring[0] = e->local ? made_by(before / sum, u, e->count) : 0;
  for (int64_t b = 0, n = 0; b < e->blocks; b++) {
    double within = 0;

    for (int64_t i = 0; i < fare_ensemble_block(e, b).counted; i++, n++) {
      within += e->weight[n];
      offspring[n + 1] = made_by((before + within) / sum, u, e->count);
    }
    before += s[e->first_block + b].weight;
  }
  /* rounding must not lose the last one */
  if (e->local && e->first_block * FARE_BLOCK + e->local == e->count) offspring[e->local] = e->count;
  PetscCall(PetscFree(s));
  PetscFunctionReturn(0);
}

/*
  What goes from this rank to each other and back: both sides hold whole ranges of new particles, in order of
  their numbers.
*/
typedef struct {
  int  ranks;
  int *send, *send_at, *receive, *receive_at;
} routes;

static int64_t overlap(int64_t a, int64_t b, int64_t c, int64_t d)
{
  return PetscMax(0, PetscMin(b, d) - PetscMax(a, c));
}

static PetscErrorCode find_routes(const fare_ensemble *e, int64_t made_first, int64_t made_end, routes *r)
{
  int64_t mine[4] = {made_first, made_end, e->first_block * FARE_BLOCK,
    e->first_block * FARE_BLOCK + e->local},
          *all;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(e->comm, &r->ranks));
  PetscCall(PetscMalloc1(4 * r->ranks, &all));
  PetscCall(
    PetscMalloc4(r->ranks, &r->send, r->ranks, &r->send_at, r->ranks, &r->receive, r->ranks, &r->receive_at));
  PetscCallMPI(MPI_Allgather(mine, 4, MPI_INT64_T, all, 4, MPI_INT64_T, e->comm));
  for (int rank = 0, out = 0, in = 0; rank < r->ranks; rank++) {
    r->send[rank]       = (int)overlap(mine[0], mine[1], all[4 * rank + 2], all[4 * rank + 3]);
    r->receive[rank]    = (int)overlap(mine[2], mine[3], all[4 * rank], all[4 * rank + 1]);
    r->send_at[rank]    = out;
    r->receive_at[rank] = in;
    out += r->send[rank];
    in += r->receive[rank];
  }
  PetscCall(PetscFree(all));
  PetscFunctionReturn(0);
}

/* Copies of what lies at each particle here, sent to where the new ones live. */
static PetscErrorCode move_offspring(
  const fare_ensemble *e, const int64_t offspring[], const routes *r, double made[], double x[])
{
  PetscFunctionBegin;
  for (int64_t i = 0; i < e->local; i++) {
    for (int64_t n = offspring[i]; n < offspring[i + 1]; n++) made[n - offspring[0]] = x[i];
  }
  PetscCallMPI(
    MPI_Alltoallv(made, r->send, r->send_at, MPI_DOUBLE, x, r->receive, r->receive_at, MPI_DOUBLE, e->comm));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_weights_resample(fare_ensemble *e, fare_ensemble *with, double u)
{
  int64_t *offspring;
  double  *made;
  routes   r;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(e->local + 1, &offspring));
  PetscCall(count_offspring(e, u, offspring));
  PetscCall(find_routes(e, offspring[0], offspring[e->local], &r));
  PetscCall(PetscMalloc1(offspring[e->local] - offspring[0], &made));
  for (int axis = 0; axis < e->dim; axis++) PetscCall(move_offspring(e, offspring, &r, made, e->x[axis]));
  for (int axis = 0; with && axis < with->dim; axis++)
    PetscCall(move_offspring(e, offspring, &r, made, with->x[axis]));
  for (int64_t i = 0; i < e->blocks * FARE_BLOCK; i++) e->weight[i] = 1;
  PetscCall(PetscFree(made));
  PetscCall(PetscFree4(r.send, r.send_at, r.receive, r.receive_at));
  PetscCall(PetscFree(offspring));
  PetscFunctionReturn(0);
}

/*
  Of a block: its first and last family with what they have here, and the squares of those that begin and end
  in it.
*/
enum { FIRST, FIRST_SUM, LAST, LAST_SUM, SQUARES, TOTAL, SUMMARY };

static void summarise(const double weight[], const double ancestor[], int64_t n, double to[SUMMARY])
{
  double sum = 0;

  memset(to, 0, SUMMARY * sizeof *to);
  to[FIRST] = ancestor[0];
  to[LAST]  = ancestor[n - 1];
  for (int64_t i = 0; i < n; i++) {
    sum += weight[i];
    to[TOTAL] += weight[i];
    if (i + 1 < n && ancestor[i + 1] == ancestor[i]) continue;
    if (ancestor[i] == to[FIRST])
      to[FIRST_SUM] = sum;
    else if (ancestor[i] < to[LAST])
      to[SQUARES] += sum * sum;
    if (ancestor[i] == to[LAST]) to[LAST_SUM] = sum;
    sum = 0;
  }
}

PetscErrorCode fare_weights_families(const fare_ensemble *e, const fare_ensemble *ancestors, double *squares)
{
  const int64_t blocks = all_blocks(e);
  double       *mine, *all, open = 0, total = 0, family = -1;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(SUMMARY * e->blocks, &mine, SUMMARY * blocks, &all));
  for (int64_t b = 0; b < e->blocks; b++)
    summarise(e->weight + b * FARE_BLOCK, ancestors->x[0] + b * FARE_BLOCK, fare_ensemble_block(e, b).counted,
      mine + b * SUMMARY);
  PetscCall(fare_ensemble_gather(e, SUMMARY * e->blocks, mine, all));
  *squares = 0;
  for (int64_t b = 0; b < blocks; b++) {
    const double *s = all + b * SUMMARY;

    total += s[TOTAL];
    *squares += s[SQUARES];
    if (s[FIRST] != family) *squares += open * open;
    open = s[FIRST] == family ? open + s[FIRST_SUM] : s[FIRST_SUM];
    if (s[LAST] != s[FIRST]) {
      *squares += open * open;
      open = s[LAST_SUM];
    }
    family = s[LAST];
  }
  *squares = (*squares + open * open) / (total * total);
  PetscCall(PetscFree2(mine, all));
  PetscFunctionReturn(0);
}
