/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Envelopes for rejection: a box is cut into cells, and those whose bound lies so far above the density that
  much would be rejected are halved along every axis, wherever in the box they are and however narrow what is
  in them.
*/
#include "envelope.h"

#include <math.h>

/* Along each axis to begin with: what is narrower is found by how the density rises towards it. */
static const int64_t first_cells[FARE_DIM_MAX + 1] = {0, 1 << 14, 1 << 8, 1 << 5};

#define CELLS_MOST (1 << 18)
#define LEVELS     16 /* of halving */
#define PASSES     400
#define WASTE      0.5  /* proposals rejected for one accepted, to end with */
#define WASTE_MOST 20.0 /* that still need no shortcut, where cells run out */
/* the shortcut: what is not smooth after so many halvings has steps, and both sides of them were seen */
#define MARGIN_MOST 2.0
#define SIDE        3 /* points per axis at which a cell is looked at */
#define POINTS      (SIDE * SIDE * SIDE)
#define BATCH       16    /* cells looked at together */
#define PRUDENCE    1.1   /* times the margin that a parabola needs */
#define LARGE       100.0 /* a margin beside whose exponential 1 is nothing */
#define GUIDE       65536 /* equal parts of probability, from each of which the search for a cell begins */

/*
  An envelope under way: bounds are not complete, and the places of its cumulative sums hold ln of each cell's
  mean density.
*/
typedef struct {
  fare_envelope      *to;
  const fare_initial *initial;
  const fare_system  *system;
  double              t;
  double             *margin; /* of each bound over the largest value seen */
  /* ln of what each cell proposes beyond its mass, in volumes of a cell never halved */
  double *waste;
} builder;

static int points_of(int dim)
{
  return dim == 1 ? SIDE : dim == 2 ? SIDE * SIDE : POINTS;
}

/* ln of a cell's volume, in units of one never halved. */
static double log_volume(const fare_envelope *e, int64_t i)
{
  return -M_LN2 * e->dim * e->cell[i].level;
}

/*
  From values at the centres of a cell's thirds. Half of the longest step from one to the next is what a
  straight line adds up to the end of the cell; half of how much steps differ is more than what a parabola in
  up to three variables, or a kink, adds to that.
*/
static void judge(builder *b, int64_t i, const double f[])
{
  const int dim = b->to->dim, n = points_of(dim);
  double    highest = -HUGE_VAL, sum = 0, margin = 0;

  for (int q = 0; q < n; q++) highest = PetscMax(highest, f[q]);
  for (int q = 0; q < n && isfinite(highest); q++) sum += exp(f[q] - highest) / n;
  for (int axis = 0, stride = 1; axis < dim; axis++, stride *= SIDE) {
    double least = HUGE_VAL, most = -HUGE_VAL;

    for (int q = 0; q < n; q++) {
      const double step = q / stride % SIDE < SIDE - 1 ? f[q + stride] - f[q] : NAN;

      if (!isfinite(step)) continue;
      least = PetscMin(least, step);
      most  = PetscMax(most, step);
    }
    if (least <= most) margin += 0.5 * PRUDENCE * (PetscMax(fabs(least), fabs(most)) + most - least);
  }
  b->margin[i]         = margin;
  b->to->bound[i]      = highest + margin;
  b->to->cumulative[i] = isfinite(highest) ? highest + log(sum) : highest;
  b->waste[i] =
    log_volume(b->to, i) + highest + (margin < LARGE ? log(PetscMax(0, exp(margin) - sum)) : margin);
}

/* Looks at cells [first, first + count). */
static void look(builder *b, int64_t first, int64_t count)
{
  static const double third[SIDE] = {1. / 6, 0.5, 5. / 6};
  const int           n           = points_of(b->to->dim);
  double              x[FARE_DIM_MAX][BATCH * POINTS], f[BATCH * POINTS];
  const double       *points[FARE_DIM_MAX] = {x[0], x[1], x[2]};

  for (int64_t i = first; i < first + count; i += BATCH) {
    const int cells = (int)PetscMin(BATCH, first + count - i);

    for (int p = 0; p < cells * n; p++) {
      for (int axis = 0, q = p % n; axis < b->to->dim; axis++, q /= SIDE)
        x[axis][p] = fare_envelope_place(b->to, i + p / n, axis, third[q % SIDE]);
    }
    fare_initial_log_density(b->initial, b->system, b->t, (size_t)(cells * n), points, f);
    for (int c = 0; c < cells; c++) judge(b, i + c, f + c * n);
  }
}

/*
  Halves cells that waste at least so much, while there is room: one child in the parent's place, the others
  behind all.
*/
static void halve(builder *b, double waste)
{
  fare_envelope *e        = b->to;
  const int64_t  before   = e->count;
  const int      children = 1 << e->dim;

  for (int64_t i = 0; i < before && e->count + children - 1 <= CELLS_MOST; i++) {
    fare_envelope_cell first = e->cell[i];

    if (first.level >= LEVELS || b->waste[i] < waste) continue;
    first.level++;
    for (int axis = 0; axis < e->dim; axis++) first.index[axis] *= 2;
    for (int c = 0; c < children; c++) {
      fare_envelope_cell *child = &e->cell[c ? e->count + c - 1 : i];

      *child = first;
      for (int axis = 0; axis < e->dim; axis++) child->index[axis] += c >> axis & 1;
    }
    look(b, i, 1);
    look(b, e->count, children - 1);
    e->count += children - 1;
  }
}

static int64_t count_wasteful(const builder *b, double waste)
{
  int64_t n = 0;

  for (int64_t i = 0; i < b->to->count; i++) n += b->to->cell[i].level < LEVELS && b->waste[i] >= waste;
  return n;
}

/* ln of the sum of masses and of wastes; the largest waste that can be helped. */
static void weigh(const builder *b, double *mass, double *waste, double *largest)
{
  const fare_envelope *e          = b->to;
  double               highest[2] = {-HUGE_VAL, -HUGE_VAL}, sum[2] = {0, 0};

  *largest = -HUGE_VAL;
  for (int64_t i = 0; i < e->count; i++) {
    highest[0] = PetscMax(highest[0], e->cumulative[i] + log_volume(e, i));
    highest[1] = PetscMax(highest[1], b->waste[i]);
    if (e->cell[i].level < LEVELS) *largest = PetscMax(*largest, b->waste[i]);
  }
  for (int64_t i = 0; i < e->count && isfinite(highest[0]) && isfinite(highest[1]); i++) {
    sum[0] += exp(e->cumulative[i] + log_volume(e, i) - highest[0]);
    sum[1] += exp(b->waste[i] - highest[1]);
  }
  *mass  = highest[0] + log(sum[0]);
  *waste = highest[1] + log(sum[1]);
}

/* Halves what may matter while bounds are far from all masses, then only what costs more than others. */
static void refine(builder *b)
{
  const int children = 1 << b->to->dim;
  double    mass, waste, largest;

  for (int pass = 0; pass < PASSES; pass++) {
    const int64_t room = (CELLS_MOST - b->to->count) / (children - 1);
    double        least;

    weigh(b, &mass, &waste, &largest);
    if (!isfinite(mass) || !isfinite(largest) || waste <= mass + log(WASTE) || !room) break;
    least = PetscMin(largest,
      waste > mass + log(WASTE_MOST) ? mass + log(WASTE / CELLS_MOST)
                                     : waste - log(2 * (double)b->to->count));
    while (least < largest && count_wasteful(b, least) > room)
      least = PetscMin(largest, least + 0.5 + 0.1 * (largest - least));
    halve(b, least);
  }
  weigh(b, &mass, &waste, &largest);
  for (int64_t i = 0; i < b->to->count && waste > mass + log(WASTE_MOST); i++)
    b->to->bound[i] -= PetscMax(0, b->margin[i] - MARGIN_MOST);
}

/* A snapshot's own cells, and a single one for an even density, are all there is to know. */
static PetscErrorCode cover(
  const fare_initial *initial, const fare_system *system, fare_envelope *e, int64_t cells[])
{
  PetscFunctionBegin;
  e->dim   = fare_system_dimension(system);
  e->box   = fare_initial_box(initial, system);
  e->flat  = initial->density == FARE_INITIAL_UNIFORM || initial->density == FARE_INITIAL_SNAPSHOT
     ? PETSC_TRUE
     : PETSC_FALSE;
  e->count = 1;
  for (int axis = 0; axis < e->dim; axis++) {
    cells[axis]      = e->flat ? 1 : first_cells[e->dim];
    e->lower[axis]   = e->box.lower[axis];
    e->spacing[axis] = (e->box.upper[axis] - e->box.lower[axis]) / (double)cells[axis];
  }
  if (initial->density == FARE_INITIAL_SNAPSHOT) fare_initial_cells(initial, cells, e->lower, e->spacing);
  for (int axis = 0; axis < e->dim; axis++) e->count *= cells[axis];
  PetscCall(PetscMalloc4(e->flat ? e->count : CELLS_MOST, &e->cell, e->flat ? e->count : CELLS_MOST,
    &e->bound, e->flat ? e->count : CELLS_MOST, &e->cumulative, GUIDE + 1, &e->guide));
  for (int64_t i = 0; i < e->count; i++) {
    int64_t rest = i;

    e->cell[i].level = 0;
    for (int axis = 0; axis < FARE_DIM_MAX; axis++) {
      e->cell[i].index[axis] = axis < e->dim ? (int32_t)(rest % cells[axis]) : 0;
      if (axis < e->dim) rest /= cells[axis];
    }
  }
  PetscFunctionReturn(0);
}

/* Whether a cell, which may be wider than the box, lies in it for some part. */
static PetscBool overlaps(const fare_envelope *e, int64_t i)
{
  for (int axis = 0; axis < e->dim; axis++) {
    if (fare_envelope_place(e, i, axis, 0) >= e->box.upper[axis] ||
      fare_envelope_place(e, i, axis, 1) <= e->box.lower[axis])
      return PETSC_FALSE;
  }
  return PETSC_TRUE;
}

static void look_at_centres(
  fare_envelope *e, const fare_initial *initial, const fare_system *system, double t)
{
  for (int64_t i = 0; i < e->count; i++) {
    double        x[FARE_DIM_MAX];
    const double *points[FARE_DIM_MAX] = {&x[0], &x[1], &x[2]};

    for (int axis = 0; axis < e->dim; axis++) x[axis] = fare_envelope_place(e, i, axis, 0.5);
    fare_initial_log_density(initial, system, t, 1, points, &e->bound[i]);
    if (!overlaps(e, i)) e->bound[i] = -HUGE_VAL;
  }
}

static PetscErrorCode add_up(double t, fare_envelope *e)
{
  double highest = -HUGE_VAL, sum = 0;

  PetscFunctionBegin;
  for (int64_t i = 0; i < e->count; i++) highest = PetscMax(highest, e->bound[i] + log_volume(e, i));
  if (!isfinite(highest))
    FARE_FAIL(FARE_ERR_FAILED, "the density at time %g cannot be sampled: in its box it is %s", t,
      highest > 0 ? "infinite" : "zero");
  for (int64_t i = 0; i < e->count; i++)
    e->cumulative[i] = sum += exp(e->bound[i] + log_volume(e, i) - highest);
  for (int64_t part = 0, cell = 0; part <= GUIDE; part++) {
    while (cell < e->count - 1 && e->cumulative[cell] <= sum * (double)part / GUIDE) cell++;
    e->guide[part] = cell;
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_envelope_create(
  const fare_initial *initial, const fare_system *system, double t, fare_envelope *envelope)
{
  builder        b = {.to = envelope, .initial = initial, .system = system, .t = t};
  int64_t        cells[FARE_DIM_MAX];
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(cover(initial, system, envelope, cells));
  if (envelope->flat) {
    look_at_centres(envelope, initial, system, t);
  } else {
    PetscCall(PetscMalloc2(CELLS_MOST, &b.margin, CELLS_MOST, &b.waste));
    look(&b, 0, envelope->count);
    refine(&b);
    PetscCall(PetscFree2(b.margin, b.waste));
  }
  code = add_up(t, envelope);
  if (code) PetscCall(fare_envelope_destroy(envelope));
  PetscFunctionReturn(code);
}

PetscErrorCode fare_envelope_destroy(fare_envelope *envelope)
{
  PetscFunctionBegin;
  PetscCall(PetscFree4(envelope->cell, envelope->bound, envelope->cumulative, envelope->guide));
  PetscFunctionReturn(0);
}

/* The guide is taken one part wider on both sides: round-off does not matter then. */
int64_t fare_envelope_find(const fare_envelope *envelope, double u)
{
  const double  target = u * envelope->cumulative[envelope->count - 1];
  const int64_t part   = (int64_t)(u * GUIDE);
  int64_t       below  = part > 0 ? envelope->guide[part - 1] - 1 : -1,
          above        = envelope->guide[PetscMin(part + 2, GUIDE)];

  while (above - below > 1) {
    const int64_t middle = (below + above) / 2;

    if (envelope->cumulative[middle] > target)
      above = middle;
    else
      below = middle;
  }
  return above;
}
