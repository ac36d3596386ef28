/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Formulas of time alone, followed so that nothing they do is stepped over. Jumps and corners are the roots of
  what step, sign, abs, min and max are given. Between them knots: the span is halved until on each piece the
  slope of a formula, times the length of the piece, changes by no more than half of all that the formula
  varies. Values and slopes are bounded by interval arithmetic, not sampled, so that a pulse of any width is
  found.
*/
#include "course.h"
#include "interval.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLES 64    /* of the span, for a first idea of the range */
#define VARIES  0.5   /* of its range, by which a formula may bend on a piece */
#define NOTHING 1e-6  /* of its size: a formula that varies less is constant */
#define CLOSEST 1e-13 /* of the span, or of the time itself: pieces are not shorter */
#define LOOKS   1000000

typedef struct {
  int   value, slope; /* nodes */
  char *name;
} followed;

/* What changes course where `of` changes its sign. */
typedef struct {
  int       of, slope;
  PetscBool jumps; /* else it bends */
} turnout;

typedef struct {
  size_t  count, room;
  double *at;
} times;

struct fare_course {
  fare_tree  *tree;
  int         count, turnouts;
  followed   *formula;
  turnout    *turnout;
  double      start, end; /* covered; end before start: nothing */
  times       jump, corner, knot;
  double     *value; /* of each node, of what was looked at last */
  fare_range *bound;
};

PetscErrorCode fare_course_create(fare_course **course)
{
  PetscFunctionBegin;
  *course = calloc(1, sizeof **course);
  if (!*course) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  (*course)->end = -1;
  PetscFunctionReturn(0);
}

static void forget_times(fare_course *c)
{
  free(c->jump.at);
  free(c->corner.at);
  free(c->knot.at);
  c->jump = c->corner = c->knot = (times){0, 0, NULL};
  c->start                      = 0;
  c->end                        = -1;
}

static void forget(fare_course *c)
{
  forget_times(c);
  fare_tree_destroy(&c->tree);
  for (int i = 0; i < c->count; i++) free(c->formula[i].name);
  free(c->formula);
  free(c->turnout);
  free(c->value);
  free(c->bound);
  memset(c, 0, sizeof *c);
  c->end = -1;
}

void fare_course_destroy(fare_course **course)
{
  if (!*course) return;
  forget(*course);
  free(*course);
  *course = NULL;
}

static int by_value(const void *a, const void *b)
{
  const double l = *(const double *)a, r = *(const double *)b;

  return (l > r) - (l < r);
}

static void sort(times *t)
{
  size_t kept = 0;

  if (t->count) qsort(t->at, t->count, sizeof *t->at, by_value);
  for (size_t i = 0; i < t->count; i++) {
    if (!kept || t->at[i] > t->at[kept - 1]) t->at[kept++] = t->at[i];
  }
  t->count = kept;
}

static PetscErrorCode add(times *to, double at)
{
  PetscFunctionBegin;
  if (to->count == to->room) {
    const size_t room = 2 * to->room + 64;
    double      *more = realloc(to->at, room * sizeof *more);

    if (!more) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
    to->at   = more;
    to->room = room;
  }
  to->at[to->count++] = at;
  PetscFunctionReturn(0);
}

/* The first after t. */
static double next(const times *of, double t)
{
  size_t first = 0, last = of->count;

  while (first < last) {
    const size_t middle = (first + last) / 2;

    if (of->at[middle] > t)
      last = middle;
    else
      first = middle + 1;
  }
  return first < of->count ? of->at[first] : HUGE_VAL;
}

double fare_course_next_jump(const fare_course *c, double t)
{
  return next(&c->jump, t);
}

double fare_course_next_corner(const fare_course *c, double t)
{
  return next(&c->corner, t);
}

double fare_course_next_knot(const fare_course *c, double t)
{
  return next(&c->knot, t);
}

static double value_at(const fare_course *c, int node, double t)
{
  for (int i = 0; i <= node; i++) {
    const fare_tree_node *n = &c->tree->node[i];

    c->value[i] = n->kind == FARE_X_NUMBER ? n->value
      : n->kind == FARE_X_AXIS             ? t
                                           : fare_tree_compute(n->kind, c->value[n->a], c->value[n->b]);
  }
  return c->value[node];
}

double fare_course_at(const fare_course *course, int k, double t)
{
  return value_at(course, course->formula[k].value, t);
}

/* Bounds of a node and of its slope on a piece. */
static fare_range bound(
  const fare_course *c, int node, int slope, double from, double to, fare_range *of_slope)
{
  fare_ranges_of(c->tree, PetscMax(node, slope), (fare_range){from, to}, c->bound);
  *of_slope = c->bound[slope];
  return c->bound[node];
}

/* The nodes at which the formulas change course. */
static PetscErrorCode find_turnouts(fare_course *c, const int reached[], int nodes)
{
  fare_tree *tree = c->tree;

  PetscFunctionBegin;
  c->turnout = calloc((size_t)nodes, sizeof *c->turnout);
  if (!c->turnout) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  for (int i = 0; i < nodes && !tree->full; i++) {
    const fare_tree_node n     = tree->node[i];
    const PetscBool      jumps = n.kind == FARE_X_STEP || n.kind == FARE_X_SIGN;
    int                  of    = n.a;

    if (!reached[i] || (!jumps && n.kind != FARE_X_ABS && n.kind != FARE_X_MIN && n.kind != FARE_X_MAX))
      continue;
    if (n.kind == FARE_X_MIN || n.kind == FARE_X_MAX) of = fare_tree_make(tree, FARE_X_SUBTRACT, n.a, n.b);
    c->turnout[c->turnouts++] = (turnout){of, fare_tree_derivative(tree, of, 0), jumps};
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_course_follow(
  fare_course *c, fare_tree *tree, int count, const int root[], const char *const names[])
{
  const int nodes = tree->count;
  int      *reached;

  PetscFunctionBegin;
  forget(c);
  c->tree    = tree;
  c->formula = calloc((size_t)count + 1, sizeof *c->formula);
  reached    = fare_tree_reached(tree, count, root);
  if (!c->formula || !reached) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  for (int k = 0; k < count; k++) {
    c->formula[k].value = root[k];
    c->formula[k].slope = fare_tree_derivative(tree, root[k], 0);
    c->formula[k].name  = strdup(names[k]);
    if (!c->formula[c->count++].name) tree->full = PETSC_TRUE;
  }
  PetscErrorCode code = find_turnouts(c, reached, nodes);

  free(reached);
  PetscCall(code);
  if (tree->full) FARE_FAIL(FARE_ERR_INPUT, "a formula and its slope in time are too large");
  c->value = calloc((size_t)tree->count, sizeof *c->value);
  c->bound = calloc((size_t)tree->count, sizeof *c->bound);
  if (!c->value || !c->bound) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  PetscFunctionReturn(0);
}

/* The first double at which it has the side of `to`; at `from` it has the other. */
static double crossing(const fare_course *c, int node, double from, double to)
{
  const PetscBool side = value_at(c, node, to) >= 0;

  for (;;) {
    const double middle = from + 0.5 * (to - from);

    if (!(middle > from && middle < to)) return to;
    if ((value_at(c, node, middle) >= 0) == side)
      to = middle;
    else
      from = middle;
  }
}

/* All crossings on a piece; `looks` counts down to what is too many. */
static PetscErrorCode find_crossings(
  fare_course *c, const turnout *of, double from, double to, int *looks, PetscBool *given_up)
{
  fare_range slope, is;
  double     middle = from + 0.5 * (to - from);

  PetscFunctionBegin;
  if (*given_up || --*looks < 0 || c->corner.count > FARE_KNOTS_MAX) {
    *given_up = PETSC_TRUE;
    PetscFunctionReturn(0);
  }
  is = bound(c, of->of, of->slope, from, to, &slope);
  if (is.lower > 0 || is.upper < 0 || (is.lower == 0 && is.upper == 0)) PetscFunctionReturn(0);
  if (slope.lower > 0 || slope.upper < 0 || !(middle > from && middle < to) ||
    to - from < CLOSEST * PetscMax(c->end - c->start, PetscMax(fabs(from), fabs(to)))) {
    double at;

    if ((value_at(c, of->of, from) >= 0) == (value_at(c, of->of, to) >= 0)) PetscFunctionReturn(0);
    at = crossing(c, of->of, from, to);
    PetscCall(add(&c->corner, at));
    if (of->jumps) PetscCall(add(&c->jump, at));
    PetscFunctionReturn(0);
  }
  PetscCall(find_crossings(c, of, from, middle, looks, given_up));
  PetscCall(find_crossings(c, of, middle, to, looks, given_up));
  PetscFunctionReturn(0);
}

typedef struct {
  double from, to, bend; /* by how much its formula may depart from a straight line; infinite: unknown */
} piece;

typedef struct {
  size_t count, room;
  piece *at;
  double lowest, highest; /* of the values seen */
} pieces;

static PetscErrorCode see(const fare_course *c, const followed *f, double t, pieces *p)
{
  const double value = value_at(c, f->value, t);

  PetscFunctionBegin;
  if (!isfinite(value)) FARE_FAIL(FARE_ERR_INPUT, "%s has no finite value at time %.12g", f->name, t);
  p->lowest  = PetscMin(p->lowest, value);
  p->highest = PetscMax(p->highest, value);
  PetscFunctionReturn(0);
}

static double bend_of(const fare_course *c, const followed *f, double from, double to)
{
  fare_range       slope;
  const fare_range is   = bound(c, f->value, f->slope, from, to, &slope);
  const double     bend = PetscMin((slope.upper - slope.lower) * (to - from), 2 * (is.upper - is.lower));

  if (isfinite(bend)) return PetscMax(bend, 0);
  return isfinite(is.upper - is.lower) ? 2 * (is.upper - is.lower) : HUGE_VAL;
}

static PetscErrorCode add_piece(const fare_course *c, const followed *f, double from, double to, pieces *p)
{
  PetscFunctionBegin;
  if (p->count == p->room) {
    const size_t room = 2 * p->room + 64;
    piece       *more = realloc(p->at, room * sizeof *more);

    if (!more) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
    p->at   = more;
    p->room = room;
  }
  p->at[p->count++] = (piece){from, to, bend_of(c, f, from, to)};
  PetscFunctionReturn(0);
}

/* What a formula may bend on a piece. */
static double allowed(const pieces *p)
{
  return PetscMax(VARIES * (p->highest - p->lowest),
    NOTHING * PetscMax(PetscMax(fabs(p->highest), fabs(p->lowest)), 1e-12));
}

/*
  Halves the pieces that bend the most. Not all that bend too much at once: a pulse that was not seen yet
  makes its surroundings seem to matter.
*/
static PetscErrorCode halve_worst(const fare_course *c, const followed *f, double worst, pieces *p)
{
  const size_t count = p->count;

  PetscFunctionBegin;
  for (size_t i = 0; i < count; i++) {
    const piece  old    = p->at[i];
    const double middle = old.from + 0.5 * (old.to - old.from);

    if (!(old.bend > allowed(p)) || old.bend < worst / 4 || (isinf(worst) && isfinite(old.bend))) continue;
    if (old.to - old.from < CLOSEST * PetscMax(c->end - c->start, PetscMax(fabs(old.from), fabs(old.to)))) {
      if (isinf(old.bend)) FARE_FAIL(FARE_ERR_INPUT, "%s has no bound near time %.12g", f->name, middle);
      p->at[i].bend = 0; /* a jump, which has a time of its own */
      continue;
    }
    p->at[i].to   = middle;
    p->at[i].bend = bend_of(c, f, old.from, middle);
    PetscCall(add_piece(c, f, middle, old.to, p));
    PetscCall(see(c, f, middle, p));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode find_knots(fare_course *c, const followed *f, pieces *p)
{
  const double length = c->end - c->start;

  PetscFunctionBegin;
  PetscCall(see(c, f, c->start, p));
  for (int i = 1; i < SAMPLES; i++) PetscCall(see(c, f, c->start + length * i / SAMPLES, p));
  PetscCall(see(c, f, c->end, p));
  PetscCall(add_piece(c, f, c->start, c->end, p));
  for (;;) {
    double worst = 0;

    for (size_t i = 0; i < p->count; i++) worst = PetscMax(worst, p->at[i].bend);
    if (!(worst > allowed(p))) break;
    if (p->count > FARE_KNOTS_MAX)
      FARE_FAIL(
        FARE_ERR_INPUT, "%s varies too fast to be followed from time %g to %g", f->name, c->start, c->end);
    PetscCall(halve_worst(c, f, worst, p));
  }
  for (size_t i = 0; i < p->count; i++) PetscCall(add(&c->knot, p->at[i].to));
  PetscFunctionReturn(0);
}

PetscBool fare_course_covers(const fare_course *course, double start, double end)
{
  return course->start <= start && end <= course->end ? PETSC_TRUE : PETSC_FALSE;
}

static PetscErrorCode cover(fare_course *c)
{
  int       looks    = LOOKS;
  PetscBool given_up = PETSC_FALSE;

  PetscFunctionBegin;
  for (int k = 0; k < c->count; k++) {
    pieces         p    = {0, 0, NULL, HUGE_VAL, -HUGE_VAL};
    PetscErrorCode code = find_knots(c, &c->formula[k], &p);

    free(p.at);
    PetscCall(code);
  }
  for (int k = 0; k < c->turnouts; k++)
    PetscCall(find_crossings(c, &c->turnout[k], c->start, c->end, &looks, &given_up));
  sort(&c->knot);
  sort(&c->jump);
  sort(&c->corner);
  if (given_up || c->knot.count > FARE_KNOTS_MAX)
    FARE_FAIL(FARE_ERR_INPUT, "%s%s turns or varies too fast to be followed from time %g to %g",
      c->formula[0].name, c->count > 1 ? ", or another part," : "", c->start, c->end);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_course_cover(fare_course *c, double start, double end)
{
  PetscErrorCode code;

  PetscFunctionBegin;
  if (fare_course_covers(c, start, end)) PetscFunctionReturn(0);
  if (c->end >= c->start) {
    start = PetscMin(start, c->start);
    end   = PetscMax(end, c->end);
  }
  forget_times(c);
  if (!c->count) PetscFunctionReturn(0);
  c->start = start;
  c->end   = end;
  code     = cover(c);
  if (code) forget_times(c);
  PetscFunctionReturn(code);
}
