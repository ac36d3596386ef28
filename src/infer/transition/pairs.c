/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Data as weights of ln P. A start x and an end y lie between centres of cells, where

    ln p(y|x) = sum_ts v_t(y) w_s(x) ln P_ts - ln volume,

  v and w being the weights of parabolas through three cells along each axis. That is exact where ln p is
  quadratic, as it is for any Gaussian. The likelihood of any number of pairs is then one sum over cells.
  Where a lag spreads a point over many cells, ln p as a function of the start is told by fewer of them: w are
  then the weights of cubics through four nodes of a coarser lattice along each axis.
*/
#include "transition.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LAGS_MOST   64
#define PHASES_MOST 4096 /* of a driven system: lags, each from its time */
#define SAME        1e-6 /* relative difference of lags that counts as none */

typedef struct {
  double  lag, from;
  int64_t pair;
} timed;

/* Lags that are the same but for rounding become so. */
static int by_from(const void *a, const void *b)
{
  const timed *p = a, *q = b;

  if (p->lag != q->lag) return p->lag < q->lag ? -1 : 1;
  if (p->from != q->from) return p->from < q->from ? -1 : 1;
  return (p->pair > q->pair) - (p->pair < q->pair);
}

static int by_lag(const void *a, const void *b)
{
  const timed *p = a, *q = b;

  if (p->lag != q->lag) return p->lag < q->lag ? -1 : 1;
  return (p->pair > q->pair) - (p->pair < q->pair);
}

/* One entry of one pair. */
typedef struct {
  PetscInt source, target;
  double   weight;
} entry;

static PetscErrorCode make_entries(const fare_tracks *t, const fare_grid *g, const fare_lag *l,
  const int64_t pair[], entry entries[], size_t *made)
{
  PetscInt from[FARE_STENCIL_MAX], to[FARE_STENCIL_MAX];
  double   w[FARE_STENCIL_MAX], v[FARE_STENCIL_MAX], x[FARE_DIM_MAX];

  PetscFunctionBegin;
  *made = 0;
  for (int64_t i = 0; i < l->pairs; i++) {
    int starts, ends;

    PetscCall(fare_place(t, g, pair[2 * i], x));
    starts =
      l->stride[0] ? fare_lattice_stencil(g, l->stride, x, from, w) : fare_parabola_stencil(g, x, from, w);
    PetscCall(fare_place(t, g, pair[2 * i + 1], x));
    ends = fare_parabola_stencil(g, x, to, v);
    for (int s = 0; s < starts; s++) {
      for (int e = 0; e < ends; e++) {
        if (w[s] * v[e] != 0) entries[(*made)++] = (entry){from[s], to[e], w[s] * v[e]};
      }
    }
  }
  PetscFunctionReturn(0);
}

/* Entries of one source, in scratch of all cells: appended to the lag's, in order of the targets. */
static void append(const entry of[], const size_t next[], size_t at, double scratch[], PetscBool touched[],
  PetscInt cells, fare_lag *l, size_t *used)
{
  PetscInt low = cells, high = -1;

  for (; at != SIZE_MAX; at = next[at]) {
    scratch[of[at].target] += of[at].weight;
    touched[of[at].target] = PETSC_TRUE;
    low                    = PetscMin(low, of[at].target);
    high                   = PetscMax(high, of[at].target);
  }
  for (PetscInt cell = low; cell <= high; cell++) {
    if (!touched[cell]) continue;
    l->target[*used]     = (int32_t)cell;
    l->weight[(*used)++] = scratch[cell];
    l->starts[l->sources] += scratch[cell];
    scratch[cell] = 0;
    touched[cell] = PETSC_FALSE;
  }
}

/* Sums entries that share their cells. */
static PetscErrorCode merge(const fare_grid *g, const entry of[], size_t count, fare_lag *l)
{
  const PetscInt cells = fare_grid_owned(g);
  size_t        *head, *next, used = 0;
  double        *scratch;
  PetscBool     *touched;

  PetscFunctionBegin;
  PetscCall(PetscMalloc4(cells, &head, count, &next, cells, &scratch, cells, &touched));
  PetscCall(PetscMalloc5(
    cells, &l->source, cells, &l->starts, cells + 1, &l->first, count, &l->target, count, &l->weight));
  for (PetscInt i = 0; i < cells; i++) {
    l->starts[i] = 0;
    head[i]      = SIZE_MAX;
    scratch[i]   = 0;
    touched[i]   = PETSC_FALSE;
  }
  for (size_t i = count; i-- > 0;) {
    next[i]            = head[of[i].source];
    head[of[i].source] = i;
  }
  for (PetscInt i = 0; i < cells; i++) {
    if (head[i] == SIZE_MAX) continue;
    l->source[l->sources] = i;
    l->first[l->sources]  = used;
    append(of, next, head[i], scratch, touched, cells, l, &used);
    l->first[++l->sources] = used;
  }
  PetscCall(PetscFree4(head, next, scratch, touched));
  PetscFunctionReturn(0);
}

/* The coarsest one that is allowed wherever pairs start. */
static PetscErrorCode choose_lattice(
  const fare_tracks *t, const fare_model *m, fare_lattice *lattice, const int64_t pair[], fare_lag *l)
{
  const fare_grid *g = m->grid;
  double           x[FARE_DIM_MAX], D[FARE_DIM_MAX], least[FARE_DIM_MAX] = {HUGE_VAL, HUGE_VAL, HUGE_VAL};
  const double    *at[FARE_DIM_MAX] = {&x[0], &x[1], &x[2]};
  double *const    to[FARE_DIM_MAX] = {&D[0], &D[1], &D[2]};
  PetscBool        coarse           = PETSC_FALSE;

  PetscFunctionBegin;
  for (int64_t i = 0; i < l->pairs; i++) {
    PetscCall(fare_place(t, g, pair[2 * i], x));
    fare_system_diffusion(m->system, l->from, 1, at, to);
    for (int axis = 0; axis < g->dim; axis++) least[axis] = PetscMin(least[axis], D[axis]);
  }
  for (int axis = 0; axis < g->dim; axis++) {
    const double width = sqrt(2 * least[axis] * l->lag);

    l->stride[axis] = fare_lattice_stride(g, axis, width / lattice->nodes);
    if (l->stride[axis] > 1) coarse = PETSC_TRUE;
  }
  for (int axis = 0; axis < g->dim; axis++) l->stride[axis] *= coarse ? lattice->stretch : 0;
  if (coarse) lattice->coarse = PETSC_TRUE;
  PetscFunctionReturn(0);
}

static PetscErrorCode make_lag(const fare_tracks *t, const fare_grid *g, const int64_t pair[], fare_lag *l)
{
  size_t         made = (size_t)l->pairs;
  entry         *entries;
  PetscErrorCode code;

  PetscFunctionBegin;
  for (int axis = 0; axis < g->dim; axis++) made *= (size_t)(3 * (l->stride[0] ? FARE_NODES : 3));
  PetscCall(PetscMalloc1(made, &entries));
  code = make_entries(t, g, l, pair, entries, &made);
  if (!code) code = merge(g, entries, made, l);
  PetscCall(PetscFree(entries));
  PetscFunctionReturn(code);
}

/* When a pair starts: within the first period, where the drive has one; 0 without a drive. */
static double start_of(const fare_model *m, double time)
{
  if (!fare_system_is_driven(m->system)) return 0;
  if (m->period > 0) {
    const double turns = time / m->period;

    return m->period * (turns - floor(turns + SAME));
  }
  return time;
}

/* Sorted by interval: numbers them, in `of` of each pair. */
static PetscErrorCode number(
  const fare_tracks *t, const fare_model *m, int64_t count, timed sorted[], fare_intervals *v)
{
  const int most = fare_system_is_driven(m->system) ? PHASES_MOST : LAGS_MOST;

  PetscFunctionBegin;
  for (int64_t first = 0, behind; first < count; first = behind) {
    for (behind = first; behind < count && sorted[behind].lag <= sorted[first].lag * (1 + SAME);)
      sorted[behind++].lag = sorted[first].lag;
  }
  qsort(sorted, (size_t)count, sizeof *sorted, by_from);
  for (int64_t first = 0, behind; first < count; first = behind) {
    for (behind = first; behind < count && sorted[behind].lag == sorted[first].lag &&
         sorted[behind].from <= sorted[first].from + SAME * sorted[first].lag;)
      v->of[sorted[behind++].pair] = v->count;
    if (v->count == most)
      FARE_FAIL(FARE_ERR_INPUT,
        "%s: times between observations have more than %d lengths%s: round them, or give one 'lag'", t->name,
        most, most == PHASES_MOST ? " and phases of the drive" : "");
    v->lag[v->count]    = sorted[first].lag;
    v->from[v->count++] = sorted[first].from;
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_intervals_create(
  const fare_tracks *t, const fare_model *m, int64_t count, const int64_t pair[], fare_intervals *v)
{
  timed         *sorted;
  PetscErrorCode code;

  PetscFunctionBegin;
  *v = (fare_intervals){0};
  PetscCall(PetscMalloc3(PHASES_MOST, &v->lag, PHASES_MOST, &v->from, count, &v->of));
  PetscCall(PetscMalloc1((size_t)count, &sorted));
  for (int64_t i = 0; i < count; i++) {
    const double from = t->time[pair[2 * i]];

    sorted[i] = (timed){t->time[pair[2 * i + 1]] - from, start_of(m, from), i};
  }
  qsort(sorted, (size_t)count, sizeof *sorted, by_lag);
  code = number(t, m, count, sorted, v);
  PetscCall(PetscFree(sorted));
  if (code) PetscCall(fare_intervals_free(v));
  PetscFunctionReturn(code);
}

PetscErrorCode fare_intervals_free(fare_intervals *v)
{
  PetscFunctionBegin;
  PetscCall(PetscFree3(v->lag, v->from, v->of));
  *v = (fare_intervals){0};
  PetscFunctionReturn(0);
}

/* Pairs in order of their intervals, those of each together. */
static PetscErrorCode make_lags(const fare_tracks *t, const fare_model *m, fare_lattice *lattice,
  int64_t count, const int64_t pair[], const fare_intervals *v, fare_pairs *p)
{
  int64_t       *first, *order;
  PetscErrorCode code = 0;

  PetscFunctionBegin;
  PetscCall(PetscCalloc1((size_t)v->count, &p->of));
  PetscCall(PetscCalloc1((size_t)v->count + 1, &first));
  PetscCall(PetscMalloc1(2 * (size_t)count, &order));
  for (int64_t i = 0; i < count; i++) first[v->of[i] + 1]++;
  for (int k = 0; k < v->count; k++) first[k + 1] += first[k];
  for (int64_t i = 0; i < count; i++) memcpy(order + 2 * first[v->of[i]]++, pair + 2 * i, 2 * sizeof *order);
  for (int k = 0; k < v->count && !code; k++) {
    const int64_t before = k ? first[k - 1] : 0;

    p->of[k] = (fare_lag){.lag = v->lag[k], .from = v->from[k], .pairs = first[k] - before};
    p->lags  = k + 1;
    if (lattice->nodes > 0) code = choose_lattice(t, m, lattice, order + 2 * before, &p->of[k]);
    if (!code) code = make_lag(t, m->grid, order + 2 * before, &p->of[k]);
  }
  PetscCall(PetscFree(first));
  PetscCall(PetscFree(order));
  PetscFunctionReturn(code);
}

PetscErrorCode fare_pairs_create(const fare_tracks *tracks, const fare_model *model, fare_lattice *lattice,
  int64_t count, const int64_t pair[], fare_pairs *pairs)
{
  fare_intervals intervals;
  PetscErrorCode code;

  PetscFunctionBegin;
  *pairs          = (fare_pairs){.pairs = count};
  lattice->coarse = PETSC_FALSE;
  if (!count) FARE_FAIL(FARE_ERR_INPUT, "%s: no track has two observations with this lag", tracks->name);
  PetscCall(fare_intervals_create(tracks, model, count, pair, &intervals));
  code = make_lags(tracks, model, lattice, count, pair, &intervals, pairs);
  PetscCall(fare_intervals_free(&intervals));
  if (code) PetscCall(fare_pairs_free(pairs));
  PetscFunctionReturn(code);
}

PetscErrorCode fare_pairs_free(fare_pairs *pairs)
{
  PetscFunctionBegin;
  for (int i = 0; i < pairs->lags; i++) {
    fare_lag *l = &pairs->of[i];

    PetscCall(PetscFree5(l->source, l->starts, l->first, l->target, l->weight));
  }
  PetscCall(PetscFree(pairs->of));
  *pairs = (fare_pairs){0};
  PetscFunctionReturn(0);
}
