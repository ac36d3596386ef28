/* SPDX-License-Identifier: BSD-2-Clause */
/*
  What pairs of positions a lag apart tell of dissipation in the stationary state: with P the propagator over
  the lag, the divergence of pairs from reversed ones per time,

    1/lag sum_ij pi_i P_ji ln(pi_i P_ji/(pi_j P_ij)),

  is what estimators from such pairs aim at (Roldan and Parrondo, Phys. Rev. E 85, 031129 (2012); Kim, Bae,
  Lee and Jeong, Phys. Rev. Lett. 125, 140604 (2020)). It is less than the rate of entropy production, which
  it tends to as the lag goes to 0. Columns and rows of P are sums of positive terms (uniformization; Jensen,
  Skand. Aktuarietidskr. 36, 87 (1953)), so that ratios of small probabilities have their digits. Where that
  is less work, whole propagators of a short span are squared instead.
*/
#include "currents.h"

#include <petscblaslapack.h>

#include <math.h>
#include <string.h>

#define LAGS_MAX  32
#define PIECE     500.0 /* events at a time: e^-500 is a number yet */
#define UNSEEN    1e-9  /* mass of all cells that pairs are not begun in */
#define COST_MAX  1e12  /* multiplications of all ranks */
#define DENSE_MAX 2048  /* cells of which every rank has whole propagators */
#define EVENTS    1.0   /* after which these are squared */
#define UNKNOWN_S "irreversibility: a transition between two cells has no reverse"

/* All cells on every rank: M = I + L/fastest, by columns and by rows. */
typedef struct {
  PetscInt cells;
  int      faces;
  int32_t *neighbour; /* [cell * faces + face]; the cell itself at an end */
  double   fastest, *stay, *in, *out, *mass;
} walk;

static PetscErrorCode create(const fare_grid *grid, const fare_system *system, double t, walk *w)
{
  const PetscInt  owned = fare_grid_owned(grid);
  fare_absorbing *absorbing;
  fare_solved     solved;
  PetscScalar    *to;
  double         *rate;
  Vec             masses, field;

  PetscFunctionBegin;
  w->cells   = grid->cells[0] * grid->cells[1] * grid->cells[2];
  w->faces   = 2 * grid->dim;
  w->fastest = 0;
  PetscCall(PetscCalloc5(w->cells * w->faces, &w->neighbour, w->cells, &w->stay, w->cells * w->faces, &w->in,
    w->cells * w->faces, &w->out, w->cells, &w->mass));
  PetscCall(PetscMalloc1(w->cells, &rate));
  PetscCall(fare_stationary_solve(grid, system, t, &masses, &solved));
  PetscCall(fare_grid_gather(grid, masses, w->mass));
  PetscCall(fare_absorbing_create(grid, system, t, 0, NULL, &absorbing));
  PetscCall(VecDuplicate(masses, &field));
  for (int face = 0; face < w->faces; face++) {
    PetscCall(VecGetArrayWrite(field, &to));
    for (PetscInt n = 0; n < owned; n++) to[n] = absorbing->leaving[n * w->faces + face];
    PetscCall(VecRestoreArrayWrite(field, &to));
    PetscCall(fare_grid_gather(grid, field, rate));
    for (PetscInt cell = 0; cell < w->cells; cell++) {
      const PetscInt index[] = {cell % grid->cells[0], cell / grid->cells[0] % grid->cells[1],
        cell / (grid->cells[0] * grid->cells[1])};
      PetscInt       there[FARE_DIM_MAX], at = cell;

      if (fare_cell_over(grid, index, face, there))
        at = (there[2] * grid->cells[1] + there[1]) * grid->cells[0] + there[0];
      w->neighbour[cell * w->faces + face] = (int32_t)at;
      w->out[cell * w->faces + face]       = at == cell ? 0 : rate[cell];
    }
  }
  PetscCall(VecDestroy(&field));
  PetscCall(VecDestroy(&masses));
  PetscCall(fare_absorbing_destroy(&absorbing));
  PetscCall(PetscFree(rate));
  PetscFunctionReturn(0);
}

/* Rates over the largest one. What comes in over a face is what leaves the other cell over the opposite one.
 */
static void scale(walk *w)
{
  for (PetscInt cell = 0; cell < w->cells; cell++) {
    for (int face = 0; face < w->faces; face++) w->stay[cell] += w->out[cell * w->faces + face];
    w->fastest = PetscMax(w->fastest, w->stay[cell]);
  }
  for (PetscInt i = 0; i < w->cells * w->faces; i++) w->out[i] /= w->fastest;
  for (PetscInt cell = 0; cell < w->cells; cell++) {
    w->stay[cell] = 1 - w->stay[cell] / w->fastest;
    for (int face = 0; face < w->faces; face++) {
      const PetscInt there = w->neighbour[cell * w->faces + face];

      w->in[cell * w->faces + face] = there == cell ? 0 : w->out[there * w->faces + (face ^ 1)];
    }
  }
}

/* Schnakenberg's rate: of all currents. Infinite where a move has no reverse. */
static double production(const walk *w)
{
  double sum = 0;

  for (PetscInt cell = 0; cell < w->cells; cell++) {
    for (int face = 1; face < w->faces; face += 2) {
      const PetscInt i = cell * w->faces + face, there = w->neighbour[i];
      const double   a = w->mass[cell] * w->out[i], b = w->mass[there] * w->in[i];

      if (there == cell || (a <= 0 && b <= 0)) continue;
      sum += w->fastest * (a - b) * log(a / b);
    }
  }
  return sum;
}

/* The probabilities of one block of starts: x, to be advanced, and room. */
typedef struct {
  double *x, *y, *sum;
} block;

static void swap(double **a, double **b)
{
  double *c = *a;

  *a = *b;
  *b = c;
}

static double terms_of(double events)
{
  return floor(events + 8 * sqrt(events) + 24);
}

static void advance(const walk *w, const double *move, double span, block *b)
{
  const double   all    = w->fastest * span;
  const int      pieces = (int)ceil(all / PIECE);
  const double   events = all / pieces;
  const PetscInt size   = w->cells * FARE_CHAIN_LANES;

  for (int piece = 0; piece < pieces; piece++) {
    double weight = exp(-events);

    for (PetscInt i = 0; i < size; i++) b->sum[i] = weight * b->x[i];
    for (int term = 1; term <= terms_of(events); term++) {
      weight *= events / term;
      fare_chain_step(w->cells, w->faces, w->neighbour, w->stay, move,
        &(fare_term){.scale = 1, .weight = weight}, b->x, b->y, b->sum);
      swap(&b->x, &b->y);
    }
    swap(&b->x, &b->sum);
  }
}

/*
  Half of sum (a - b) ln(a/b) over pairs from each lane's start: each term is positive. Pairs that end where
  none are begun count for both ways.
*/
static void add_pairs(
  const walk *w, int lanes, const PetscInt start[], const block *to, const block *from, double sum[])
{
  for (PetscInt cell = 0; cell < w->cells; cell++) {
    const double share = w->mass[cell] * (double)w->cells < UNSEEN ? 1 : 0.5;

    for (int lane = 0; lane < lanes; lane++) {
      const double a = w->mass[start[lane]] * to->x[cell * FARE_CHAIN_LANES + lane],
                   b = w->mass[cell] * from->x[cell * FARE_CHAIN_LANES + lane];

      if (a > 0 && b > 0 && a != b) sum[lane] += share * (a - b) * log(a / b);
    }
  }
}

static void place(const walk *w, int lanes, const PetscInt start[], block *b)
{
  memset(b->x, 0, (size_t)w->cells * FARE_CHAIN_LANES * sizeof *b->x);
  memset(b->y, 0, (size_t)w->cells * FARE_CHAIN_LANES * sizeof *b->y); /* the kernel reads it */
  for (int lane = 0; lane < lanes; lane++) b->x[start[lane] * FARE_CHAIN_LANES + lane] = 1;
}

/* Sums of pairs from some starts, [start * count + lag]. */
static PetscErrorCode follow(
  const walk *w, int count, const double lags[], int lanes, const PetscInt start[], double sums[])
{
  const size_t size = (size_t)w->cells * FARE_CHAIN_LANES;
  block        to, from;

  PetscFunctionBegin;
  PetscCall(
    PetscMalloc6(size, &to.x, size, &to.y, size, &to.sum, size, &from.x, size, &from.y, size, &from.sum));
  const block kept[] = {to, from};

  place(w, lanes, start, &to);
  place(w, lanes, start, &from);
  for (int k = 0; k < count; k++) {
    const double span                  = lags[k] - (k ? lags[k - 1] : 0);
    double       sum[FARE_CHAIN_LANES] = {0};

    advance(w, w->in, span, &to);
    advance(w, w->out, span, &from);
    add_pairs(w, lanes, start, &to, &from, sum);
    for (int lane = 0; lane < lanes; lane++) sums[lane * count + k] = sum[lane];
  }
  to   = kept[0];
  from = kept[1];
  PetscCall(PetscFree6(to.x, to.y, to.sum, from.x, from.y, from.sum));
  PetscFunctionReturn(0);
}

/* Ranks take blocks in turn; sums of single starts are added in their order, whoever found them. */
static PetscErrorCode follow_all(MPI_Comm comm, const walk *w, int count, const double lags[],
  PetscInt starts, const PetscInt start[], double rate[])
{
  PetscMPIInt    rank, ranks;
  double        *sums;
  PetscErrorCode code = 0;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCallMPI(MPI_Comm_size(comm, &ranks));
  PetscCall(PetscCalloc1(starts * count, &sums));
  for (PetscInt first = (PetscInt)rank * FARE_CHAIN_LANES; first < starts && !code;
       first += (PetscInt)ranks * FARE_CHAIN_LANES) {
    code = fare_stop_check(PETSC_COMM_SELF, "the analysis irreversibility");
    if (!code)
      code = follow(
        w, count, lags, (int)PetscMin(FARE_CHAIN_LANES, starts - first), start + first, sums + first * count);
  }
  code = fare_error_agree(comm, code);
  if (code) {
    PetscCall(PetscFree(sums));
    PetscFunctionReturn(code);
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, sums, (int)(starts * count), MPI_DOUBLE, MPI_SUM, comm));
  for (int k = 0; k < count; k++) {
    rate[k] = 0;
    for (PetscInt i = 0; i < starts; i++) rate[k] += sums[i * count + k] / lags[k];
  }
  PetscCall(PetscFree(sums));
  PetscFunctionReturn(0);
}

/* The propagator over a span that is short, [from * cells + to]. */
static PetscErrorCode fill_propagator(const walk *w, double span, double *P)
{
  const size_t size = (size_t)w->cells * FARE_CHAIN_LANES;
  block        b;

  PetscFunctionBegin;
  PetscCall(PetscMalloc3(size, &b.x, size, &b.y, size, &b.sum));
  const block kept = b;

  for (PetscInt first = 0; first < w->cells; first += FARE_CHAIN_LANES) {
    const int lanes = (int)PetscMin(FARE_CHAIN_LANES, w->cells - first);
    PetscInt  start[FARE_CHAIN_LANES];

    for (int lane = 0; lane < lanes; lane++) start[lane] = first + lane;
    place(w, lanes, start, &b);
    advance(w, w->in, span, &b);
    for (int lane = 0; lane < lanes; lane++) {
      for (PetscInt cell = 0; cell < w->cells; cell++)
        P[(first + lane) * w->cells + cell] = b.x[cell * FARE_CHAIN_LANES + lane];
    }
  }
  b = kept;
  PetscCall(PetscFree3(b.x, b.y, b.sum));
  PetscFunctionReturn(0);
}

/* to = second after first, of which no mass is lost to rounding. */
static void compose(const walk *w, const double *second, const double *first, double *to)
{
  const double one = 1, zero = 0;
  PetscBLASInt n = (PetscBLASInt)w->cells;

  BLASgemm_("N", "N", &n, &n, &n, &one, second, &n, first, &n, &zero, to, &n);
  for (PetscInt from = 0; from < w->cells; from++) {
    double sum = 0;

    for (PetscInt cell = 0; cell < w->cells; cell++) sum += to[from * w->cells + cell];
    for (PetscInt cell = 0; cell < w->cells; cell++) to[from * w->cells + cell] /= sum;
  }
}

static int squarings_of(double events)
{
  return events > EVENTS ? (int)ceil(log2(events / EVENTS)) : 0;
}

/* The same sums over pairs, of a whole propagator. */
static double sum_pairs(const walk *w, PetscInt starts, const PetscInt start[], const double *P)
{
  double sum = 0;

  for (PetscInt i = 0; i < starts; i++) {
    for (PetscInt cell = 0; cell < w->cells; cell++) {
      const double share = w->mass[cell] * (double)w->cells < UNSEEN ? 1 : 0.5;
      const double a     = w->mass[start[i]] * P[start[i] * w->cells + cell],
                   b     = w->mass[cell] * P[cell * w->cells + start[i]];

      if (a > 0 && b > 0 && a != b) sum += share * (a - b) * log(a / b);
    }
  }
  return sum;
}

/* By propagators of short spans, squared: products of positive terms alone, too. Each rank does all. */
static PetscErrorCode square_all(
  const walk *w, int count, const double lags[], PetscInt starts, const PetscInt start[], double rate[])
{
  const size_t size = (size_t)w->cells * (size_t)w->cells;
  double      *all, *P, *of_span, *room;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(3 * size, &all));
  P       = all;
  of_span = all + size;
  room    = all + 2 * size;
  for (int k = 0; k < count; k++) {
    const double span      = lags[k] - (k ? lags[k - 1] : 0);
    const int    squarings = squarings_of(w->fastest * span);

    PetscCall(fill_propagator(w, ldexp(span, -squarings), of_span));
    for (int i = 0; i < squarings; i++) {
      compose(w, of_span, of_span, room);
      swap(&of_span, &room);
    }
    if (k) compose(w, of_span, P, room);
    swap(&P, k ? &room : &of_span);
    rate[k] = sum_pairs(w, starts, start, P) / lags[k];
  }
  PetscCall(PetscFree(all));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_irreversibility_solve(const fare_grid *grid, const fare_system *system, double t,
  int count, const double lags[], double rate[], double *at_once)
{
  walk      w;
  PetscInt *start, starts = 0;
  double    cost, dense;

  PetscFunctionBegin;
  PetscCall(create(grid, system, t, &w));
  scale(&w);
  *at_once = production(&w);
  PetscCall(PetscMalloc1(w.cells, &start));
  for (PetscInt cell = 0; cell < w.cells; cell++) {
    if (w.mass[cell] * (double)w.cells >= UNSEEN) start[starts++] = cell;
  }
  cost  = 2.0 * (double)starts * (double)w.cells * (1 + w.faces) * terms_of(w.fastest * lags[count - 1]);
  dense = w.cells > DENSE_MAX
    ? HUGE_VAL
    : pow((double)w.cells, 3) * count * (1 + squarings_of(w.fastest * lags[count - 1]));
  if (dense < cost && isfinite(*at_once))
    PetscCall(square_all(&w, count, lags, starts, start, rate));
  else if (cost <= COST_MAX && isfinite(*at_once))
    PetscCall(follow_all(grid->comm, &w, count, lags, starts, start, rate));
  PetscCall(PetscFree(start));
  PetscCall(PetscFree5(w.neighbour, w.stay, w.in, w.out, w.mass));
  if (!isfinite(*at_once)) FARE_FAIL(FARE_ERR_FAILED, UNKNOWN_S);
  if (PetscMin(cost, dense) > COST_MAX)
    FARE_FAIL(FARE_ERR_FAILED,
      "irreversibility: %g operations are too many (at most %g): take shorter lags, or at most %d cells",
      cost, COST_MAX, DENSE_MAX);
  PetscFunctionReturn(0);
}

typedef struct {
  fare_reals lags;
} irreversibility;

static const fare_field fields[] = {
  {"lags", FARE_REALS, offsetof(irreversibility, lags), NULL, 1e-12, 1e12, NULL, "time",
    "times between the two positions of a pair, rising, at most 32"},
  FARE_FIELDS_END,
};

static PetscErrorCode check(
  void *state, const fare_node *node, const fare_analysis_context *context, double time)
{
  const irreversibility *s    = state;
  const fare_node       *lags = fare_node_find(node, "lags");
  int                    axis;

  PetscFunctionBegin;
  if (!s->lags.count || s->lags.count > LAGS_MAX)
    FARE_REFUSE(lags, "expected 1 to %d lags, got %zu", LAGS_MAX, s->lags.count);
  for (size_t k = 1; k < s->lags.count; k++) {
    if (!(s->lags.values[k] > s->lags.values[k - 1])) FARE_REFUSE(lags, "lags must increase");
  }
  if (fare_system_is_driven(context->system) && !fare_node_find(node, "time"))
    FARE_REFUSE(node,
      "the system is driven, and pairs of a driven process are not stationary: give 'time' for the "
      "stationary "
      "state of the drive frozen then; for the dissipation under the drive, use the section "
      "'thermodynamics'");
  if (fare_axis_lacks_diffusion(context, time, &axis))
    FARE_REFUSE(node,
      "axis %s has no diffusion: reversed pairs cannot be distinguished from impossible ones there",
      fare_system_axis_name(context->system, axis));
  PetscCall(fare_currents_check_ends(node, context));
  PetscFunctionReturn(0);
}

double fare_lag_zero(int count, const double lags[], const double value[])
{
  double sum = 0;

  for (int i = 0; i < count; i++) {
    double weight = 1;

    for (int j = 0; j < count; j++) {
      if (j != i) weight *= lags[j] / (lags[j] - lags[i]);
    }
    sum += weight * value[i];
  }
  return sum;
}

static PetscErrorCode run(const void *state, const fare_grid *grid, const fare_system *system, double time,
  const fare_findings *like, fare_findings *found)
{
  const irreversibility *s     = state;
  const int              count = (int)s->lags.count, used = PetscMin(3, count);
  double                 rate[LAGS_MAX], at_once, zero;
  fare_finding          *f;

  PetscFunctionBegin;
  (void)like;
  PetscCall(fare_irreversibility_solve(grid, system, time, count, s->lags.values, rate, &at_once));
  fare_found_exact(found, "lags", "between the two positions of a pair", s->lags.count, 1, s->lags.values);
  f = fare_found(found, "rate", "divergence of pairs from reversed ones, per time", s->lags.count, rate);
  f->by_start = PETSC_TRUE;
  zero        = fare_lag_zero(used, s->lags.values, rate);
  if (count > 1)
    fare_found(found, "extrapolated", "to lag 0, by a polynomial through the three smallest lags", 1, &zero)
      ->least[0] = fabs(zero - fare_lag_zero(used - 1, s->lags.values, rate));
  fare_found(found, "production", "rate of entropy production, of all currents: that of lag 0", 1, &at_once);
  PetscFunctionReturn(0);
}

const fare_analysis_type fare_analysis_irreversibility = {
  .name      = "irreversibility",
  .summary   = "dissipation that pairs of positions a lag apart reveal, in the stationary state",
  .reference = "Roldan and Parrondo, Phys. Rev. E 85, 031129 (2012); uniformization",
  .size      = sizeof(irreversibility),
  .fields    = fields,
  .check     = check,
  .run       = run,
};
