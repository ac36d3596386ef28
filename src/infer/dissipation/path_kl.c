/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Divergence of moves between bins from reversed ones, by counts: h = a ln (n_ij + 1/2)/(n_ji + 1/2) of the
  training pairs, judged by <h - exp(-h)> + 1 on those held out. The last part of the training pairs tells a,
  from 0 to 1: small where counts are few. Bins hide what happens within them.
*/
#include "dissipation.h"

#include <math.h>

#define SHARES 20

typedef struct {
  int    bins; /* per axis */
  double lower[FARE_DIM_MAX], width[FARE_DIM_MAX];
} binning;

static int64_t bin_of(const fare_dissipation_pairs *p, const binning *b, const double x[])
{
  int64_t bin = 0;

  for (int axis = p->dim - 1; axis >= 0; axis--) {
    double at = floor((x[axis] - b->lower[axis]) / b->width[axis]);

    if (p->context->boundary[axis] == FARE_BOUNDARY_PERIODIC) at -= b->bins * floor(at / b->bins);
    bin = bin * b->bins + (int64_t)PetscMin(PetscMax(at, 0), b->bins - 1);
  }
  return bin;
}

/* Two standard deviations each way of what is trained on; the outer bins go on. */
static void make_bins(const fare_dissipation_pairs *p, binning *b)
{
  const fare_infer_context *c = p->context;

  b->bins = c->bins;
  for (int axis = 0; axis < p->dim; axis++) {
    double sum = 0, squares = 0, used = 0;

    for (int64_t i = 0; i < p->count; i++) {
      if (fare_is_held_out(p, i)) continue;
      used += 1;
      sum += p->from[i * p->dim + axis];
      squares += PetscSqr(p->from[i * p->dim + axis]);
    }
    const double sd = sqrt(PetscMax(squares / used - PetscSqr(sum / used), 1e-300));

    b->lower[axis] = sum / used - 2 * sd;
    b->width[axis] = 4 * sd / b->bins;
    if (c->boundary[axis] != FARE_BOUNDARY_PERIODIC) continue;
    b->lower[axis] = c->box.lower[axis];
    b->width[axis] = (c->box.upper[axis] - c->box.lower[axis]) / b->bins;
  }
}

typedef struct {
  const fare_dissipation_pairs *pairs;
  int64_t                       states, *bin, *count;
} moves;

static double log_ratio(const moves *m, int64_t i)
{
  const int64_t from = m->bin[2 * i], to = m->bin[2 * i + 1];

  return log(
    (0.5 + (double)m->count[from * m->states + to]) / (0.5 + (double)m->count[to * m->states + from]));
}

/* The share of the logarithms that is best for the pairs that validate. */
static double find_share(const moves *m)
{
  const fare_dissipation_pairs *p    = m->pairs;
  double                        best = 0, most = 0;

  for (int k = 1; k <= SHARES; k++) {
    const double share = (double)k / SHARES;
    double       sum   = 0;

    for (int64_t i = 0; i < p->count; i++) {
      if (!fare_is_held_out(p, i) && fare_validates(p, i))
        sum += fare_dissipation_bound(share * log_ratio(m, i));
    }
    if (sum > most) best = share;
    most = PetscMax(sum, most);
  }
  return best;
}

static PetscErrorCode score(const fare_dissipation_pairs *p, double to[])
{
  moves   m = {.pairs = p, .states = 1};
  binning b;
  double  share;

  PetscFunctionBegin;
  make_bins(p, &b);
  for (int axis = 0; axis < p->dim; axis++) m.states *= b.bins;
  PetscCall(PetscMalloc1(2 * p->count, &m.bin));
  PetscCall(PetscCalloc1(m.states * m.states, &m.count));
  for (int64_t i = 0; i < p->count; i++) {
    double end[FARE_DIM_MAX];

    for (int axis = 0; axis < p->dim; axis++)
      end[axis] = p->from[i * p->dim + axis] + p->way[i * p->dim + axis];
    m.bin[2 * i]     = bin_of(p, &b, p->from + i * p->dim);
    m.bin[2 * i + 1] = bin_of(p, &b, end);
    if (!fare_is_held_out(p, i) && !fare_validates(p, i))
      m.count[m.bin[2 * i] * m.states + m.bin[2 * i + 1]]++;
  }
  share = find_share(&m);
  for (int64_t i = p->first; i < p->last; i++)
    to[i - p->first] = fare_dissipation_bound(share * log_ratio(&m, i));
  PetscCall(PetscFree(m.count));
  PetscCall(PetscFree(m.bin));
  PetscFunctionReturn(0);
}

FARE_DISSIPATION_METHOD(path_kl, score, PETSC_FALSE, "dissipation by counts of moves between bins and back",
  "Roldan and Parrondo, Phys. Rev. Lett. 105, 150607 (2010)");
