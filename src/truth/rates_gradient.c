/*
  Rates of a force that is a gradient, or has a gradient, by edge integrals:

    r(i -> j) = D / (h^2 <e^{U/T}>_edge <e^{-U/T}>_cell i),

  averages over the line from centre to centre and over the cell, by Gauss quadrature, each relative to a centre's U so that
  nothing overflows. Their stationary masses are exactly those of Boltzmann; where U is linear they are Scharfetter and Gummel's rates but for the
  cell average. A force that is no gradient adds its line integral along the edge to the exponent.

  V = sum_k a_k(t) phi_k(x) where a system can say so: terms whose a_k no protocol moves are summed once, and their exponentials kept. A moving term that is
  linear in x is the same for all cells, so that a driven tilt costs one exponential for each point of the quadrature, not one for each point of each cell.
*/
#include "operator.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define LINE FARE_LINE_POINTS
#define TERMS_MAX FARE_PARAMETERS_MAX

/* A term of V that a protocol moves: relative to the centre at [point * box + cell], or at [point] where that is the same in all cells. */
typedef struct {
  int       k; /* its place among the a_k */
  PetscBool uniform;
  double    small; /* differences that are round-off */
  double   *centre, *relative;
} term;

/* What a point serves: an average over a half-edge, of e^{+(U - U_centre)/T}, or over the cell, of e^{-(U - U_centre)/T}. */
typedef struct {
  int     point, sign;
  double  weight;
  double *to; /* [cell] */
} use;
#define USES_MAX (2 * LINE * FARE_DIM_MAX + FARE_CELL_POINTS * FARE_CELL_POINTS * FARE_CELL_POINTS)

/* Uses that the moving terms change by one and the same factor: their exponentials of the fixed terms are kept as a sum. */
typedef struct {
  int     use; /* the first of them */
  double *kept;
} group;

typedef struct {
  int     points; /* per cell: the centre, LINE per axis, and in 2-3 dimensions the cell's own */
  int     uses;
  use     use[USES_MAX];
  int     groups;
  group   group[USES_MAX];
  double  kept_T;              /* that the exponentials are of; 0: of none */
  int     terms;
  term    term[TERMS_MAX];
  double  fixed_a[TERMS_MAX];  /* of the terms that are summed in fixed and centre */
  double *fixed, *centre;      /* their sum relative to the centre, [point * box + cell]; and at the centre. Without shapes: of V itself. fixed: NULL while exponentials are kept */
  double *U, *average, *half[FARE_DIM_MAX][2];
  double *edge[FARE_DIM_MAX];  /* with an extra force: (U - U_centre)/T at the points of half-edges, [q * box + cell] */
} gradient;

/* Whether a moving term relative to the centre is the same in all cells at a point, to round-off; its value there. */
static PetscBool is_uniform(term *t, PetscInt box, const double *phi, double *value)
{
  const double scale = 1e-12;

  *value = phi[0] - t->centre[0];
  for (PetscInt cell = 0; cell < box; cell++) {
    t->small = PetscMax(t->small, scale * fabs(t->centre[cell]));
    if (fabs(phi[cell] - t->centre[cell] - *value) > scale * (fabs(t->centre[cell]) + fabs(*value))) return PETSC_FALSE;
  }
  return PETSC_TRUE;
}

/* Finds the moving terms that are the same in all cells at every point, and gives the others room. */
static PetscErrorCode find_uniform_terms(fare_operator *op, double *const x[], double *const phi[])
{
  gradient *g = op->data;

  PetscFunctionBeginUser;
  for (int i = 0; i < g->terms; i++) {
    PetscCall(PetscFree(g->term[i].relative));
    PetscCall(PetscMalloc1(g->points, &g->term[i].relative));
    g->term[i].uniform = PETSC_TRUE;
    g->term[i].small   = 0;
  }
  for (int point = 0; point < g->points && g->terms; point++) {
    fare_place_point(op, point, x);
    op->type->shape(op->grid->dim, (size_t)op->box, (const double *const *)x, phi);
    for (int i = 0; i < g->terms; i++) {
      term *t = &g->term[i];

      if (point == 0) memcpy(t->centre, phi[t->k], (size_t)op->box * sizeof *t->centre);
      else if (t->uniform) t->uniform = is_uniform(t, op->box, phi[t->k], &t->relative[point]);
    }
  }
  for (int i = 0; i < g->terms; i++) {
    if (!g->term[i].uniform) PetscCall(PetscRealloc((size_t)g->points * (size_t)op->box * sizeof(double), &g->term[i].relative));
  }
  PetscFunctionReturn(0);
}

/* Where a potential, or a shape of one, is not finite no rate means anything, and fast arithmetic would not show it. */
static PetscErrorCode check_values(const fare_operator *op, const double *const x[], const double values[])
{
  PetscFunctionBeginUser;
  if (fare_all_finite((size_t)op->box, values)) PetscFunctionReturn(0);
  for (PetscInt cell = 0; cell < op->box; cell++) {
    char      place[128] = "";
    PetscBool inside     = PETSC_TRUE; /* beyond the ends nothing is used */

    for (int axis = 0; axis < op->grid->dim; axis++) inside &= x[axis][cell] > op->grid->lower[axis] && x[axis][cell] < op->grid->upper[axis];
    if (!inside || isfinite(values[cell])) continue;
    for (int axis = 0; axis < op->grid->dim; axis++) snprintf(place + strlen(place), sizeof place - strlen(place), "%s%g", axis ? ", " : "", x[axis][cell]);
    FARE_FAIL(FARE_ERR_FAILED, "truth: the potential is not finite at time %g, at (%s)", op->time, place);
  }
  PetscFunctionReturn(0);
}

/* Sums the fixed terms and keeps the moving ones, point by point. */
static PetscErrorCode fill_terms(fare_operator *op)
{
  gradient *g   = op->data;
  const int dim = op->grid->dim, shapes = op->type->shapes;
  double   *x[FARE_DIM_MAX], *phi[TERMS_MAX];

  PetscFunctionBeginUser;
  for (int axis = 0; axis < dim; axis++) PetscCall(PetscMalloc1(op->box, &x[axis]));
  for (int k = 0; k < shapes; k++) PetscCall(PetscMalloc1(op->box, &phi[k]));
  PetscCall(find_uniform_terms(op, x, phi));
  if (!g->fixed) PetscCall(PetscMalloc1((size_t)g->points * (size_t)op->box, &g->fixed));
  g->kept_T = 0;
  op->type->coefficients(dim, op->theta, g->fixed_a);
  for (int i = 0; i < g->terms; i++) g->fixed_a[g->term[i].k] = 0;
  for (int point = 0; point < g->points; point++) {
    double *to = point ? g->fixed + (size_t)point * op->box : g->centre;

    fare_place_point(op, point, x);
    op->type->shape(dim, (size_t)op->box, (const double *const *)x, phi);
    for (int k = 0; k < shapes; k++) PetscCall(check_values(op, (const double *const *)x, phi[k]));
    memset(to, 0, (size_t)op->box * sizeof *to);
    for (int k = 0; k < shapes; k++) {
      if (g->fixed_a[k] != 0) fare_add_scaled((size_t)op->box, g->fixed_a[k], phi[k], to);
    }
    if (point) fare_add_scaled((size_t)op->box, -1, g->centre, to);
    for (int i = 0; i < g->terms && point; i++) {
      term *t = &g->term[i];

      for (PetscInt cell = 0; cell < op->box && !t->uniform; cell++) t->relative[(size_t)point * op->box + cell] = phi[t->k][cell] - t->centre[cell];
    }
  }
  for (int axis = 0; axis < dim; axis++) PetscCall(PetscFree(x[axis]));
  for (int k = 0; k < shapes; k++) PetscCall(PetscFree(phi[k]));
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
    if (point - 1 < LINE * dim) add_use(g, point, 1, fare_half_weight[q % FARE_HALF_POINTS], g->half[axis][q < FARE_HALF_POINTS]);
    add_use(g, point, -1, fare_point_weight(dim, point), g->average);
  }
}

static PetscErrorCode create(fare_operator *op)
{
  const size_t n = (size_t)op->box;
  gradient    *g;
  int          moving[TERMS_MAX];

  PetscFunctionBeginUser;
  PetscCall(PetscNew(&g));
  op->data  = g;
  g->points = fare_points_per_cell(op->grid->dim);
  PetscCall(PetscMalloc3(n, &g->centre, n, &g->U, n, &g->average));
  for (int axis = 0; axis < op->grid->dim; axis++) {
    for (int side = 0; side < 2; side++) PetscCall(PetscMalloc1(n, &g->half[axis][side]));
    if (op->type->extra) PetscCall(PetscMalloc1(LINE * n, &g->edge[axis]));
  }
  list_uses(g, op->grid->dim);
  if (!op->type->shapes) {
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

  PetscFunctionBeginUser;
  if (!g) PetscFunctionReturn(0);
  for (int i = 0; i < g->terms; i++) {
    PetscCall(PetscFree(g->term[i].centre));
    PetscCall(PetscFree(g->term[i].relative));
  }
  for (int axis = 0; axis < FARE_DIM_MAX; axis++) {
    for (int side = 0; side < 2; side++) PetscCall(PetscFree(g->half[axis][side]));
    PetscCall(PetscFree(g->edge[axis]));
  }
  PetscCall(PetscFree(g->fixed));
  for (int i = 0; i < g->groups; i++) PetscCall(PetscFree(g->group[i].kept));
  PetscCall(PetscFree3(g->centre, g->U, g->average));
  PetscCall(PetscFree(op->data));
  PetscFunctionReturn(0);
}

/* Without shapes: V itself at every point. */
static PetscErrorCode evaluate_everywhere(fare_operator *op)
{
  gradient *g   = op->data;
  const int dim = op->grid->dim;
  double   *x[FARE_DIM_MAX];

  PetscFunctionBeginUser;
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

/* Whether the terms that were summed have the coefficients they were summed with: a parameter may have been set since. */
static PetscBool fixed_terms_hold(const fare_operator *op, const double a[])
{
  const gradient *g = op->data;
  PetscBool       moves[TERMS_MAX] = {PETSC_FALSE};

  for (int i = 0; i < g->terms; i++) moves[g->term[i].k] = PETSC_TRUE;
  for (int k = 0; k < op->type->shapes; k++) {
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

#define RUN 512 /* cells that go through all points together, and stay in cache */

/* U - U_centre at one point of n cells from `first`. */
static void relative_potential(const fare_operator *op, const double a[], int point, PetscInt first, size_t n, double r[])
{
  const gradient *g     = op->data;
  const double    shift = uniform_shift(g, a, point);
  const size_t    at    = (size_t)point * (size_t)op->box + (size_t)first;

  for (size_t c = 0; c < n; c++) r[c] = g->fixed[at + c] + shift;
  for (int i = 0; i < g->terms; i++) {
    if (!g->term[i].uniform) fare_add_scaled(n, a[g->term[i].k], g->term[i].relative + at, r);
  }
}

/* The averages of n cells from `first`, by exponentials of all terms together. */
static void average_anew(const fare_operator *op, const double a[], PetscInt first, size_t n)
{
  const gradient *g = op->data;
  double          r[RUN], e[RUN];

  for (int u = 0; u < g->uses; u++) {
    relative_potential(op, a, g->use[u].point, first, n, r);
    fare_exponentials(n, g->use[u].sign / op->theta[FARE_KT], r, e);
    fare_add_scaled(n, g->use[u].weight, e, g->use[u].to + first);
  }
}

static PetscBool alike(const gradient *g, const use *a, const use *b)
{
  if (a->to != b->to || a->sign != b->sign) return PETSC_FALSE;
  for (int i = 0; i < g->terms; i++) {
    const double at_a = g->term[i].relative[a->point], at_b = g->term[i].relative[b->point];

    if (fabs(at_a - at_b) > 1e-12 * (fabs(at_a) + fabs(at_b)) && fabs(at_a - at_b) > g->term[i].small) return PETSC_FALSE;
  }
  return PETSC_TRUE;
}

/* The exponentials of the fixed terms, after which those are not needed until T or their coefficients change. */
static PetscErrorCode keep_exponentials(fare_operator *op)
{
  gradient *g = op->data;
  double    e[RUN];

  PetscFunctionBeginUser;
  if (!g->fixed) PetscCall(fill_terms(op));
  for (int i = 0; i < g->groups; i++) PetscCall(PetscFree(g->group[i].kept));
  g->groups = 0;
  for (int u = 0; u < g->uses; u++) {
    const double *from = g->fixed + (size_t)g->use[u].point * (size_t)op->box;
    int           i    = 0;

    while (i < g->groups && !alike(g, &g->use[u], &g->use[g->group[i].use])) i++;
    if (i == g->groups) {
      PetscCall(PetscCalloc1(op->box, &g->group[i].kept));
      g->group[g->groups++].use = u;
    }
    for (PetscInt first = 0; first < op->box; first += RUN) {
      const size_t n = (size_t)PetscMin(RUN, op->box - first);

      fare_exponentials(n, g->use[u].sign / op->theta[FARE_KT], from + first, e);
      fare_add_scaled(n, g->use[u].weight, e, g->group[i].kept + first);
    }
  }
  if (!op->type->extra) PetscCall(PetscFree(g->fixed));
  g->kept_T = op->theta[FARE_KT];
  PetscFunctionReturn(0);
}

static PetscErrorCode average(fare_operator *op, const double a[])
{
  gradient       *g    = op->data;
  const PetscBool kept = op->type->shapes && moves_uniformly(g) && !fare_system_drives(op->system, FARE_KT) ? PETSC_TRUE : PETSC_FALSE;
  const double    T    = op->theta[FARE_KT];

  PetscFunctionBeginUser;
  if (kept && g->kept_T != T) PetscCall(keep_exponentials(op));
  for (PetscInt first = 0; first < op->box; first += RUN) {
    const size_t n = (size_t)PetscMin(RUN, op->box - first);

    memset(g->average + first, 0, n * sizeof(double));
    for (int axis = 0; axis < op->grid->dim; axis++) {
      for (int side = 0; side < 2; side++) memset(g->half[axis][side] + first, 0, n * sizeof(double));
    }
    if (!kept) average_anew(op, a, first, n);
    for (int i = 0; i < g->groups && kept; i++) {
      const use *u = &g->use[g->group[i].use];

      fare_add_scaled(n, exp(u->sign * uniform_shift(g, a, u->point) / T), g->group[i].kept + first, u->to + first);
    }
  }
  PetscFunctionReturn(0);
}

/* With an extra force: (U - U_centre)/T at the points of the half-edges. */
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

/* The work of the extra force along the edges above the cells, and the half-edges again with it taken off. */
static PetscErrorCode add_extra(fare_operator *op, int axis, double *work, double *lower, double *upper)
{
  const gradient *g   = op->data;
  const int       dim = op->grid->dim;
  const double    h = op->grid->spacing[axis], T = op->theta[FARE_KT];
  double         *x[FARE_DIM_MAX], *f[FARE_DIM_MAX];

  PetscFunctionBeginUser;
  for (int a = 0; a < dim; a++) PetscCall(PetscMalloc2(op->box, &x[a], op->box, &f[a]));
  fare_place_point(op, 0, x);
  for (PetscInt cell = 0; cell < op->box; cell++) x[axis][cell] += 0.5 * h;
  op->type->extra(dim, op->theta, (size_t)op->box, (const double *const *)x, f);
  for (PetscInt cell = 0; cell < op->box; cell++) {
    const PetscInt above = cell + op->stride[axis] < op->box ? cell + op->stride[axis] : cell;

    work[cell]  = f[axis][cell] * h;
    lower[cell] = upper[cell] = 0;
    for (int q = 0; q < FARE_HALF_POINTS; q++) {
      const double tilt = work[cell] / T * fare_half_offset[q];

      lower[cell] += fare_half_weight[q] * fare_held_exponential(g->edge[axis][(size_t)q * op->box + cell] - tilt);
      upper[cell] += fare_half_weight[q] * fare_held_exponential(g->edge[axis][(size_t)(FARE_HALF_POINTS + q) * op->box + above] + tilt);
    }
  }
  for (int a = 0; a < dim; a++) PetscCall(PetscFree2(x[a], f[a]));
  PetscFunctionReturn(0);
}

static PetscErrorCode rates_along(fare_operator *op, int axis)
{
  const gradient *g = op->data;
  const PetscInt  stride = op->stride[axis];
  const size_t    n = (size_t)(op->box - stride);
  const double    h = op->grid->spacing[axis], T = op->theta[FARE_KT], D = op->theta[FARE_MOBILITY] * T / (h * h);
  double         *work, *lower, *upper;

  PetscFunctionBeginUser;
  if (!op->type->extra) {
    fare_face_rates(n, D, T, g->U, g->U + stride, g->half[axis][1], g->half[axis][0] + stride, g->average, g->average + stride, NULL, op->up[axis], op->down[axis]);
  } else {
    PetscCall(PetscMalloc3(op->box, &work, op->box, &lower, op->box, &upper));
    PetscCall(add_extra(op, axis, work, lower, upper));
    fare_face_rates(n, D, T, g->U, g->U + stride, lower, upper, g->average, g->average + stride, work, op->up[axis], op->down[axis]);
    PetscCall(PetscFree3(work, lower, upper));
  }
  /* at an end that absorbs, a particle is gone when it has come half an edge, to the end itself */
  for (PetscInt cell = 0; cell < op->box && op->grid->end[axis] >= FARE_END_ABSORBING; cell++) {
    PetscInt index[FARE_DIM_MAX];
    int      end;

    fare_operator_index(op, cell, index);
    end = fare_operator_end(op, axis, index[axis]);
    if (end > 0) op->up[axis][cell] = 2 * D / (g->half[axis][1][cell] * g->average[cell]);
    if (end < 0) op->down[axis][cell] = 2 * D / (g->half[axis][0][cell + stride] * g->average[cell + stride]);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode rates(fare_operator *op)
{
  gradient *g = op->data;
  double    a[TERMS_MAX];

  PetscFunctionBeginUser;
  if (op->type->shapes) {
    op->type->coefficients(op->grid->dim, op->theta, a);
    if (!fixed_terms_hold(op, a)) PetscCall(fill_terms(op));
  } else {
    PetscCall(evaluate_everywhere(op));
  }
  memcpy(g->U, g->centre, (size_t)op->box * sizeof *g->U);
  for (int i = 0; i < g->terms; i++) fare_add_scaled((size_t)op->box, a[g->term[i].k], g->term[i].centre, g->U);
  PetscCall(average(op, a));
  if (op->type->extra) keep_edges(op, a);
  for (int axis = 0; axis < op->grid->dim; axis++) PetscCall(rates_along(op, axis));
  PetscFunctionReturn(0);
}

const fare_rates_type fare_rates_gradient = {.create = create, .rates = rates, .destroy = destroy};
