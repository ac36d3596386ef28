/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Rates of a force that is a gradient, or has a gradient, by edge integrals:

    r(i -> j) = D / (h^2 <e^{U/T}>_edge <e^{-U/T}>_cell i),

  averages over the line from centre to centre and over the cell, by Gauss quadrature, each relative to a
  centre's U so that nothing overflows. Their stationary masses are exactly those of Boltzmann; where U is
  linear they are Scharfetter and Gummel's rates but for the cell average. A force that is no gradient adds
  its line integral along the edge to the exponent.

  V = sum_k a_k(t) phi_k(x) where a system can say so: terms whose a_k no protocol moves are summed once, and
  their exponentials kept. A moving term that is linear in x is the same for all cells, so that a driven tilt
  costs one exponential for each point of the quadrature, not one for each point of each cell.
*/
#include "operator.h"

#include <math.h>
#include <string.h>

#define LINE      FARE_LINE_POINTS
#define TERMS_MAX FARE_PARAMETERS_MAX
#define RUN       256 /* cells that go through all points together, at most: they stay in cache */

/*
  A term of V that a protocol moves: relative to the centre at [point * box + cell], or at [point] where that
  is the same in all cells.
*/
typedef struct {
  int       k; /* its place among the a_k */
  PetscBool uniform;
  double    small; /* differences that are round-off */
  double   *centre, *relative;
} term;

/*
  What a point serves: an average over a half-edge, of e^{+(U - U_centre)/T}, or over the cell, of e^{-(U -
  U_centre)/T}.
*/
typedef struct {
  int     point, sign;
  double  weight;
  double *to; /* [cell of two layers] */
} use;
#define USES_MAX (2 * LINE * FARE_DIM_MAX + FARE_CELL_POINTS * FARE_CELL_POINTS * FARE_CELL_POINTS)

typedef struct {
  int points; /* per cell: the centre, LINE per axis, and in 2-3 dimensions the cell's own */
  int uses;
  use use[USES_MAX];
  /* of uses that the moving terms change by one and the same factor: the first of each */
  int    groups, group[USES_MAX];
  double factor[USES_MAX]; /* of each, at present */
  /*
    the exponentials of the fixed terms, summed for each group: run after run, [group * cells of the run +
    cell]
  */
  double *kept;
  double  kept_T; /* that they are of; 0: of none */
  int     terms;
  term    term[TERMS_MAX];
  double  fixed_a[TERMS_MAX]; /* of the terms that are summed in fixed and centre */
  /*
    their sum relative to the centre, [point * box + cell]; and at the centre. Without basis functions: of V
    itself. fixed: NULL while exponentials are kept
  */
  double *fixed, *centre;
  /*
    cells of the box whose averages are there together: a row of two axes, a plane of three, all of one; and
    that go through all points together
  */
  PetscInt layer, run;
  double  *U, *average, *half[FARE_DIM_MAX][2]; /* of two layers, one and that below it, which take turns */
  /* with a nonconservative force: (U - U_centre)/T at the points of half-edges, [q * box + cell] */
  double *edge[FARE_DIM_MAX];
  /* and its work along the edges above the cells, and the half-edges again with it taken off */
  double *work[FARE_DIM_MAX], *lower[FARE_DIM_MAX], *upper[FARE_DIM_MAX];
} gradient;

/*
  Whether a moving term relative to the centre is the same in all cells at a point, to round-off; its value
  there.
*/
static PetscBool is_uniform(term *t, PetscInt box, const double *phi, double *value)
{
  const double scale = 1e-12;

  *value = phi[0] - t->centre[0];
  for (PetscInt cell = 0; cell < box; cell++) {
    t->small = PetscMax(t->small, scale * fabs(t->centre[cell]));
    if (fabs(phi[cell] - t->centre[cell] - *value) > scale * (fabs(t->centre[cell]) + fabs(*value)))
      return PETSC_FALSE;
  }
  return PETSC_TRUE;
}

/* Finds the moving terms that are the same in all cells at every point, and gives the others room. */
static PetscErrorCode find_uniform_terms(fare_operator *op, double *const x[], double *const phi[])
{
  gradient *g = op->data;

  PetscFunctionBegin;
  for (int i = 0; i < g->terms; i++) {
    PetscCall(PetscFree(g->term[i].relative));
    PetscCall(PetscMalloc1(g->points, &g->term[i].relative));
    g->term[i].uniform = PETSC_TRUE;
    g->term[i].small   = 0;
  }
  for (int point = 0; point < g->points && g->terms; point++) {
    fare_place_point(op, point, x);
    op->type->basis(op->grid->dim, (size_t)op->box, (const double *const *)x, phi);
    for (int i = 0; i < g->terms; i++) {
      term *t = &g->term[i];

      if (point == 0)
        memcpy(t->centre, phi[t->k], (size_t)op->box * sizeof *t->centre);
      else if (t->uniform)
        t->uniform = is_uniform(t, op->box, phi[t->k], &t->relative[point]);
    }
  }
  for (int i = 0; i < g->terms; i++) {
    if (!g->term[i].uniform)
      PetscCall(PetscRealloc((size_t)g->points * (size_t)op->box * sizeof(double), &g->term[i].relative));
  }
  PetscFunctionReturn(0);
}

/*
  Where a potential, or a basis function of one, is not finite no rate means anything, and fast arithmetic
  would not show it.
*/
static PetscErrorCode check_values(const fare_operator *op, const double *const x[], const double values[])
{
  PetscFunctionBegin;
  if (fare_all_finite((size_t)op->box, values)) PetscFunctionReturn(0);
  for (PetscInt cell = 0; cell < op->box; cell++) {
    double    at[FARE_DIM_MAX];
    char      place[FARE_PLACE_SIZE];
    PetscBool inside = PETSC_TRUE; /* beyond the ends nothing is used */

    for (int axis = 0; axis < op->grid->dim; axis++) {
      at[axis] = x[axis][cell];
      inside &= at[axis] > op->grid->lower[axis] && at[axis] < op->grid->upper[axis];
    }
    if (!inside || isfinite(values[cell])) continue;
    fare_operator_write_place(op, at, place);
    FARE_FAIL(FARE_ERR_FAILED, "truth: the potential is not finite at time %g, at (%s)", op->time, place);
  }
  PetscFunctionReturn(0);
}

/* Sums the fixed terms and keeps the moving ones, point by point. */
static PetscErrorCode fill_terms(fare_operator *op)
{
  gradient *g   = op->data;
  const int dim = op->grid->dim, basis_count = op->type->basis_count;
  double   *x[FARE_DIM_MAX], *phi[TERMS_MAX];

  PetscFunctionBegin;
  for (int axis = 0; axis < dim; axis++) PetscCall(PetscMalloc1(op->box, &x[axis]));
  for (int k = 0; k < basis_count; k++) PetscCall(PetscMalloc1(op->box, &phi[k]));
  PetscCall(find_uniform_terms(op, x, phi));
  if (!g->fixed) PetscCall(PetscMalloc1((size_t)g->points * (size_t)op->box, &g->fixed));
  g->kept_T = 0;
  op->type->coefficients(dim, op->theta, g->fixed_a);
  for (int i = 0; i < g->terms; i++) g->fixed_a[g->term[i].k] = 0;
  for (int point = 0; point < g->points; point++) {
    double *to = point ? g->fixed + (size_t)point * op->box : g->centre;

    fare_place_point(op, point, x);
    op->type->basis(dim, (size_t)op->box, (const double *const *)x, phi);
    for (int k = 0; k < basis_count; k++) PetscCall(check_values(op, (const double *const *)x, phi[k]));
    memset(to, 0, (size_t)op->box * sizeof *to);
    for (int k = 0; k < basis_count; k++) {
      if (g->fixed_a[k] != 0) fare_add_scaled((size_t)op->box, g->fixed_a[k], phi[k], to);
    }
    if (point) fare_add_scaled((size_t)op->box, -1, g->centre, to);
    for (int i = 0; i < g->terms && point; i++) {
      term *t = &g->term[i];

      for (PetscInt cell = 0; cell < op->box && !t->uniform; cell++)
        t->relative[(size_t)point * op->box + cell] = phi[t->k][cell] - t->centre[cell];
    }
  }
  for (int axis = 0; axis < dim; axis++) PetscCall(PetscFree(x[axis]));
  for (int k = 0; k < basis_count; k++) PetscCall(PetscFree(phi[k]));
  PetscFunctionReturn(0);
}

static void add_use(gradient *g, int point, int sign, double weight, double *to)
{
  if (weight > 0) g->use[g->uses++] = (use){point, sign, weight, to};
}

static void list_uses(gradient *g, int dim)
{
  for (int point = 1; point < g->points; point++) {
    const int axis = (point - 1) / LINE, q = (point - 1) % LINE;

    /* fare_cell_point puts the points above the centre first */
    if (point - 1 < LINE * dim)
      add_use(g, point, 1, fare_half_weight[q % FARE_HALF_POINTS], g->half[axis][q < FARE_HALF_POINTS]);
    add_use(g, point, -1, fare_point_weight(dim, point), g->average);
  }
}

static PetscErrorCode create(fare_operator *op)
{
  const size_t   n     = (size_t)op->box;
  const PetscInt layer = op->grid->dim == 1 ? op->box : op->stride[op->grid->dim - 1],
                 two   = PetscMin(2 * layer, op->box);
  gradient *g;
  int       moving[TERMS_MAX];

  PetscFunctionBegin;
  PetscCall(PetscNew(&g));
  op->data  = g;
  g->points = fare_points_per_cell(op->grid->dim);
  g->layer  = layer;
  g->run    = (layer + (layer - 1) / RUN) / ((layer - 1) / RUN + 1);
  PetscCall(PetscMalloc3(n, &g->centre, two, &g->U, two, &g->average));
  for (int axis = 0; axis < op->grid->dim; axis++) {
    for (int side = 0; side < 2; side++) PetscCall(PetscMalloc1(two, &g->half[axis][side]));
    if (op->type->nonconservative)
      PetscCall(
        PetscMalloc4(LINE * n, &g->edge[axis], n, &g->work[axis], n, &g->lower[axis], n, &g->upper[axis]));
  }
  list_uses(g, op->grid->dim);
  if (!op->type->basis_count) {
    PetscCall(PetscMalloc1((size_t)g->points * n, &g->fixed));
    PetscFunctionReturn(0);
  }
  g->terms = fare_moving_terms(op->system, moving);
  for (int i = 0; i < g->terms; i++) {
    g->term[i].k = moving[i];
    PetscCall(PetscMalloc1(n, &g->term[i].centre));
  }
  PetscCall(fill_terms(op));
  PetscFunctionReturn(0);
}

static PetscErrorCode destroy(fare_operator *op)
{
  gradient *g = op->data;

  PetscFunctionBegin;
  if (!g) PetscFunctionReturn(0);
  for (int i = 0; i < g->terms; i++) {
    PetscCall(PetscFree(g->term[i].centre));
    PetscCall(PetscFree(g->term[i].relative));
  }
  for (int axis = 0; axis < FARE_DIM_MAX; axis++) {
    for (int side = 0; side < 2; side++) PetscCall(PetscFree(g->half[axis][side]));
    PetscCall(PetscFree4(g->edge[axis], g->work[axis], g->lower[axis], g->upper[axis]));
  }
  PetscCall(PetscFree(g->fixed));
  PetscCall(PetscFree(g->kept));
  PetscCall(PetscFree3(g->centre, g->U, g->average));
  PetscCall(PetscFree(op->data));
  PetscFunctionReturn(0);
}

/* Without basis functions: V itself at every point. */
static PetscErrorCode evaluate_everywhere(fare_operator *op)
{
  gradient *g   = op->data;
  const int dim = op->grid->dim;
  double   *x[FARE_DIM_MAX];

  PetscFunctionBegin;
  for (int axis = 0; axis < dim; axis++) PetscCall(PetscMalloc1(op->box, &x[axis]));
  for (int point = 0; point < g->points; point++) {
    double *to = point ? g->fixed + (size_t)point * op->box : g->centre;

    fare_place_point(op, point, x);
    op->type->potential(dim, op->theta, (size_t)op->box, (const double *const *)x, to);
    PetscCall(check_values(op, (const double *const *)x, to));
    for (PetscInt cell = 0; cell < op->box && point; cell++) to[cell] -= g->centre[cell];
  }
  for (int axis = 0; axis < dim; axis++) PetscCall(PetscFree(x[axis]));
  PetscFunctionReturn(0);
}

/*
  Whether the terms that were summed have the coefficients they were summed with: a parameter may have been
  set since.
*/
static PetscBool fixed_terms_hold(const fare_operator *op, const double a[])
{
  const gradient *g                = op->data;
  PetscBool       moves[TERMS_MAX] = {PETSC_FALSE};

  for (int i = 0; i < g->terms; i++) moves[g->term[i].k] = PETSC_TRUE;
  for (int k = 0; k < op->type->basis_count; k++) {
    if (!moves[k] && a[k] != g->fixed_a[k]) return PETSC_FALSE;
  }
  return PETSC_TRUE;
}

/* What the moving terms that are the same in all cells add at a point. */
static double uniform_shift(const gradient *g, const double a[], int point)
{
  double shift = 0;

  for (int i = 0; i < g->terms; i++) {
    if (g->term[i].uniform) shift += a[g->term[i].k] * g->term[i].relative[point];
  }
  return shift;
}

static PetscBool moves_uniformly(const gradient *g)
{
  for (int i = 0; i < g->terms; i++) {
    if (!g->term[i].uniform) return PETSC_FALSE;
  }
  return PETSC_TRUE;
}

/* U - U_centre at one point of n cells from `first`. */
static void relative_potential(
  const fare_operator *op, const double a[], int point, PetscInt first, size_t n, double r[])
{
  const gradient *g     = op->data;
  const double    shift = uniform_shift(g, a, point);
  const size_t    at    = (size_t)point * (size_t)op->box + (size_t)first;

  for (size_t c = 0; c < n; c++) r[c] = g->fixed[at + c] + shift;
  for (int i = 0; i < g->terms; i++) {
    if (!g->term[i].uniform) fare_add_scaled(n, a[g->term[i].k], g->term[i].relative + at, r);
  }
}

/* Adds to the averages of n cells from `first`, at `at` of two layers, exponentials of all terms together. */
static void average_anew(const fare_operator *op, const double a[], PetscInt first, PetscInt at, size_t n)
{
  const gradient *g = op->data;
  double          r[RUN], e[RUN];

  for (int u = 0; u < g->uses; u++) {
    relative_potential(op, a, g->use[u].point, first, n, r);
    fare_exponentials(n, g->use[u].sign / op->theta[FARE_KT], r, e);
    fare_add_scaled(n, g->use[u].weight, e, g->use[u].to + at);
  }
}

static PetscBool alike(const gradient *g, const use *a, const use *b)
{
  if (a->to != b->to || a->sign != b->sign) return PETSC_FALSE;
  for (int i = 0; i < g->terms; i++) {
    const double at_a = g->term[i].relative[a->point], at_b = g->term[i].relative[b->point];

    if (fabs(at_a - at_b) > 1e-12 * (fabs(at_a) + fabs(at_b)) && fabs(at_a - at_b) > g->term[i].small)
      return PETSC_FALSE;
  }
  return PETSC_TRUE;
}

static void find_groups(gradient *g, int group_of[])
{
  g->groups = 0;
  for (int u = 0; u < g->uses; u++) {
    int i = 0;

    while (i < g->groups && !alike(g, &g->use[u], &g->use[g->group[i]])) i++;
    if (i == g->groups) g->group[g->groups++] = u;
    group_of[u] = i;
  }
}

/* Of the run that begins with a cell. */
static size_t length_of_run(const gradient *g, PetscInt first)
{
  return (size_t)PetscMin(g->run, g->layer - first % g->layer);
}

/*
  The exponentials of the fixed terms, after which those are not needed until T or their coefficients change.
*/
static PetscErrorCode keep_exponentials(fare_operator *op)
{
  gradient *g = op->data;
  double    e[RUN];
  int       group_of[USES_MAX];

  PetscFunctionBegin;
  if (!g->fixed) PetscCall(fill_terms(op));
  PetscCall(PetscFree(g->kept));
  find_groups(g, group_of);
  PetscCall(PetscCalloc1((size_t)g->groups * (size_t)op->box, &g->kept));
  for (PetscInt first = 0; first < op->box; first += (PetscInt)length_of_run(g, first)) {
    const size_t n    = length_of_run(g, first);
    double      *kept = g->kept + (size_t)g->groups * (size_t)first;

    for (int u = 0; u < g->uses; u++) {
      fare_exponentials(n, g->use[u].sign / op->theta[FARE_KT],
        g->fixed + (size_t)g->use[u].point * (size_t)op->box + first, e);
      fare_add_scaled(n, g->use[u].weight, e, kept + (size_t)group_of[u] * n);
    }
  }
  if (!op->type->nonconservative) PetscCall(PetscFree(g->fixed));
  g->kept_T = op->theta[FARE_KT];
  PetscFunctionReturn(0);
}

static PetscBool keeps_exponentials(const fare_operator *op)
{
  return op->type->basis_count && moves_uniformly(op->data) && !fare_system_drives(op->system, FARE_KT)
    ? PETSC_TRUE
    : PETSC_FALSE;
}

/* One average of n cells from `first`, at `at` of two layers, of the exponentials kept. */
static void average_kept(const gradient *g, double *to, PetscInt first, PetscInt at, size_t n)
{
  const double *kept[USES_MAX], *from = g->kept + (size_t)g->groups * (size_t)first;
  double        factor[USES_MAX];
  int           count = 0;

  for (int i = 0; i < g->groups; i++) {
    if (g->use[g->group[i]].to != to) continue;
    factor[count] = g->factor[i];
    kept[count++] = from + (size_t)i * n;
  }
  fare_weighted_sum(n, count, factor, kept, to + at);
}

/* U at the centres and all averages of n cells from `first`, to `at` of two layers. */
static void average(
  const fare_operator *op, const double a[], PetscBool kept, PetscInt first, PetscInt at, size_t n)
{
  const gradient *g = op->data;

  memcpy(g->U + at, g->centre + first, n * sizeof(double));
  for (int i = 0; i < g->terms; i++)
    fare_add_scaled(n, a[g->term[i].k], g->term[i].centre + first, g->U + at);
  for (int which = 0; which <= 2 * op->grid->dim; which++) {
    double *to = which ? g->half[(which - 1) / 2][(which - 1) % 2] : g->average;

    if (kept)
      average_kept(g, to, first, at, n);
    else
      memset(to + at, 0, n * sizeof *to);
  }
  if (!kept) average_anew(op, a, first, at, n);
}

/* With a nonconservative force: (U - U_centre)/T at the points of the half-edges. */
static void keep_edges(fare_operator *op, const double a[])
{
  gradient *g = op->data;

  for (int axis = 0; axis < op->grid->dim; axis++) {
    for (int q = 0; q < LINE; q++) {
      double *edge = g->edge[axis] + (size_t)q * op->box;

      relative_potential(op, a, 1 + axis * LINE + q, 0, (size_t)op->box, edge);
      for (PetscInt cell = 0; cell < op->box; cell++) edge[cell] /= op->theta[FARE_KT];
    }
  }
}

/* The work of the nonconservative force along the edges above the cells, and the half-edges again with it
 * taken off. */
static PetscErrorCode add_nonconservative(fare_operator *op, int axis)
{
  const gradient *g   = op->data;
  const int       dim = op->grid->dim;
  const double    h = op->grid->spacing[axis], T = op->theta[FARE_KT];
  double          offset[FARE_DIM_MAX] = {0}, *x[FARE_DIM_MAX], *f[FARE_DIM_MAX];

  PetscFunctionBegin;
  for (int a = 0; a < dim; a++) PetscCall(PetscMalloc2(op->box, &x[a], op->box, &f[a]));
  offset[axis] = 0.5;
  fare_place_offset(op, offset, x);
  op->type->nonconservative(dim, op->theta, (size_t)op->box, (const double *const *)x, f);
  for (PetscInt cell = 0; cell < op->box; cell++) {
    const PetscInt above = cell + op->stride[axis] < op->box ? cell + op->stride[axis] : cell;
    const double   work  = f[axis][cell] * h;

    g->work[axis][cell]  = work;
    g->lower[axis][cell] = g->upper[axis][cell] = 0;
    for (int q = 0; q < FARE_HALF_POINTS; q++) {
      const double tilt = work / T * fare_half_offset[q];

      g->lower[axis][cell] +=
        fare_half_weight[q] * fare_held_exponential(g->edge[axis][(size_t)q * op->box + cell] - tilt);
      g->upper[axis][cell] += fare_half_weight[q] *
        fare_held_exponential(g->edge[axis][(size_t)(FARE_HALF_POINTS + q) * op->box + above] + tilt);
    }
  }
  for (int a = 0; a < dim; a++) PetscCall(PetscFree2(x[a], f[a]));
  PetscFunctionReturn(0);
}

/*
  Over the faces above n cells from `first`; these are at `below` of two layers, their neighbours at `above`.
*/
static void rates_along(
  fare_operator *op, int axis, PetscInt first, PetscInt n, PetscInt below, PetscInt above)
{
  const gradient *g = op->data;
  const double    h = op->grid->spacing[axis], T = op->theta[FARE_KT],
               D     = op->theta[FARE_MOBILITY] * T / (h * h);
  const double *work = NULL, *lower = g->half[axis][1] + below, *upper = g->half[axis][0] + above;
  double       *up = op->up[axis] + first, *down = op->down[axis] + first;

  if (op->type->nonconservative) {
    work  = g->work[axis] + first;
    lower = g->lower[axis] + first;
    upper = g->upper[axis] + first;
  }
  fare_face_rates((size_t)n, D, T, g->U + below, g->U + above, lower, upper, g->average + below,
    g->average + above, work, up, down);
  /* at an end that absorbs, a particle is gone when it has come half an edge, to the end itself */
  for (PetscInt c = 0; c < n && op->grid->boundary[axis] >= FARE_BOUNDARY_ABSORBING; c++) {
    PetscInt index[FARE_DIM_MAX];
    int      end;

    fare_operator_index(op, first + c, index);
    end = fare_operator_end(op, axis, index[axis]);
    if (end > 0) up[c] = 2 * D / (g->half[axis][1][below + c] * g->average[below + c]);
    if (end < 0) down[c] = 2 * D / (g->half[axis][0][above + c] * g->average[above + c]);
  }
  if (!fare_all_rates((size_t)n, up) || !fare_all_rates((size_t)n, down)) op->finite = PETSC_FALSE;
}

static PetscErrorCode rates(fare_operator *op)
{
  gradient *g    = op->data;
  const int last = op->grid->dim - 1;
  double    a[TERMS_MAX];
  PetscBool kept;

  PetscFunctionBegin;
  if (op->type->basis_count) {
    op->type->coefficients(op->grid->dim, op->theta, a);
    if (!fixed_terms_hold(op, a)) PetscCall(fill_terms(op));
  } else {
    PetscCall(evaluate_everywhere(op));
  }
  kept = keeps_exponentials(op);
  if (kept && g->kept_T != op->theta[FARE_KT]) PetscCall(keep_exponentials(op));
  for (int i = 0; i < g->groups && kept; i++) {
    const use *u = &g->use[g->group[i]];

    g->factor[i] = exp(u->sign * uniform_shift(g, a, u->point) / op->theta[FARE_KT]);
  }
  if (op->type->nonconservative) keep_edges(op, a);
  for (int axis = 0; axis <= last && op->type->nonconservative; axis++)
    PetscCall(add_nonconservative(op, axis));
  op->finite = PETSC_TRUE;
  for (PetscInt first = 0, at = 0; first < op->box; first += g->layer, at = g->layer - at) {
    for (PetscInt run = 0; run < g->layer; run += g->run)
      average(op, a, kept, first + run, at + run, length_of_run(g, first + run));
    for (int axis = 0; axis < PetscMax(1, last); axis++)
      rates_along(op, axis, first, g->layer - op->stride[axis], at, at + op->stride[axis]);
    if (first) rates_along(op, last, first - g->layer, g->layer, g->layer - at, at);
  }
  PetscFunctionReturn(0);
}

const fare_rates_type fare_rates_gradient = {.create = create, .rates = rates, .destroy = destroy};
