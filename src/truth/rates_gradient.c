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
#include <string.h>

#define LINE (2 * FARE_HALF_POINTS) /* points on the two half-edges of a cell along one axis */
#define TERMS_MAX FARE_PARAMETERS_MAX

/* In two and three dimensions cells are averaged over the tensor product of these: exact to sixth order. */
#define CELL_POINTS 3
static const double cell_offset[CELL_POINTS] = {-0.3872983346207417, 0, 0.3872983346207417};
static const double cell_weight[CELL_POINTS] = {5. / 18, 8. / 18, 5. / 18};

/* A term of V that a protocol moves: relative to the centre at [point * box + cell], or at [point] where that is the same in all cells. */
typedef struct {
  int       k; /* its place among the a_k */
  PetscBool uniform;
  double   *centre, *relative;
} term;

/* What a point serves: an average over a half-edge, of e^{+(U - U_centre)/T}, or over the cell, of e^{-(U - U_centre)/T}. */
typedef struct {
  int     point, sign;
  double  weight;
  double *to; /* [cell] */
} use;
#define USES_MAX (2 * LINE * FARE_DIM_MAX + CELL_POINTS * CELL_POINTS * CELL_POINTS)

typedef struct {
  int     points; /* per cell: the centre, LINE per axis, and in 2-3 dimensions the cell's own */
  int     uses;
  use     use[USES_MAX];
  double *kept, kept_T;        /* exponentials of the fixed terms, [use * box + cell], and the T that they are of; 0: of none */
  int     terms;
  term    term[TERMS_MAX];
  double  fixed_a[TERMS_MAX];  /* of the terms that are summed in fixed and centre */
  double *fixed, *centre;      /* their sum relative to the centre, [point * box + cell]; and at the centre. Without shapes: of V itself. */
  double *U, *average, *half[FARE_DIM_MAX][2];
  double *edge[FARE_DIM_MAX];  /* with an extra force: (U - U_centre)/T at the points of half-edges, [q * box + cell] */
} gradient;

static int points_per_cell(int dim)
{
  return 1 + LINE * dim + (dim == 1 ? 0 : dim == 2 ? CELL_POINTS * CELL_POINTS : CELL_POINTS * CELL_POINTS * CELL_POINTS);
}

/* Offset of a point from the centre, in spacings. */
static void point_offset(int dim, int point, double offset[])
{
  memset(offset, 0, FARE_DIM_MAX * sizeof *offset);
  if (point == 0) return;
  if (--point < LINE * dim) {
    double weight = 1;

    fare_cell_point(point % LINE, &offset[point / LINE], &weight);
    return;
  }
  point -= LINE * dim;
  for (int axis = 0; axis < dim; axis++, point /= CELL_POINTS) offset[axis] = cell_offset[point % CELL_POINTS];
}

/* Weight of a point, but the centre, in the average over its cell; 0 for points that serve edges alone. */
static double point_weight(int dim, int point)
{
  double weight = 1;

  if (--point < LINE * dim) return dim == 1 ? 0.5 * fare_half_weight[point % FARE_HALF_POINTS] : 0;
  point -= LINE * dim;
  for (int axis = 0; axis < dim; axis++, point /= CELL_POINTS) weight *= cell_weight[point % CELL_POINTS];
  return weight;
}

/* One point of all cells. */
static void place_point(const fare_operator *op, int point, double *const x[])
{
  double offset[FARE_DIM_MAX];

  point_offset(op->grid->dim, point, offset);
  for (PetscInt cell = 0; cell < op->box; cell++) {
    PetscInt index[FARE_DIM_MAX];

    fare_operator_index(op, cell, index);
    for (int axis = 0; axis < op->grid->dim; axis++) x[axis][cell] = fare_grid_centre(op->grid, axis, index[axis]) + offset[axis] * op->grid->spacing[axis];
  }
}

/* The terms whose coefficients change when a driven parameter does. */
static int find_moving_terms(const fare_operator *op, int moving[])
{
  const fare_system_type *type = op->type;
  double                  theta[FARE_PARAMETERS_MAX], a[TERMS_MAX], b[TERMS_MAX];
  PetscBool               moves[TERMS_MAX] = {PETSC_FALSE};
  int                     count            = 0;

  memcpy(theta, op->theta, sizeof theta);
  type->coefficients(op->grid->dim, theta, a);
  for (int p = 0; type->parameters[p].name; p++) {
    const double value = theta[p];

    if (!fare_system_drives(op->system, p)) continue;
    theta[p] = value != 0 ? 1.25 * value : 0.25;
    type->coefficients(op->grid->dim, theta, b);
    for (int k = 0; k < type->shapes; k++) {
      if (a[k] != b[k]) moves[k] = PETSC_TRUE;
    }
    theta[p] = value;
  }
  for (int k = 0; k < type->shapes; k++) {
    if (moves[k]) moving[count++] = k;
  }
  return count;
}

/* Sums the fixed terms and keeps the moving ones, point by point. */
static PetscErrorCode fill_terms(fare_operator *op)
{
  gradient   *g   = op->data;
  const int   dim = op->grid->dim, shapes = op->type->shapes;
  double     *x[FARE_DIM_MAX], *phi[TERMS_MAX];
  const double scale = 1e-12;

  PetscFunctionBeginUser;
  for (int axis = 0; axis < dim; axis++) PetscCall(PetscMalloc1(op->box, &x[axis]));
  for (int k = 0; k < shapes; k++) PetscCall(PetscMalloc1(op->box, &phi[k]));
  op->type->coefficients(dim, op->theta, g->fixed_a);
  for (int i = 0; i < g->terms; i++) g->fixed_a[g->term[i].k] = 0;
  for (int point = 0; point < g->points; point++) {
    double *to = point ? g->fixed + (size_t)point * op->box : g->centre;

    place_point(op, point, x);
    op->type->shape(dim, (size_t)op->box, (const double *const *)x, phi);
    memset(to, 0, (size_t)op->box * sizeof *to);
    for (int k = 0; k < shapes; k++) {
      for (PetscInt cell = 0; cell < op->box && g->fixed_a[k] != 0; cell++) to[cell] += g->fixed_a[k] * phi[k][cell];
    }
    for (PetscInt cell = 0; cell < op->box && point; cell++) to[cell] -= g->centre[cell];
    for (int i = 0; i < g->terms; i++) {
      term *t = &g->term[i];

      if (point == 0) memcpy(t->centre, phi[t->k], (size_t)op->box * sizeof *t->centre);
      else for (PetscInt cell = 0; cell < op->box; cell++) t->relative[(size_t)point * op->box + cell] = phi[t->k][cell] - t->centre[cell];
    }
  }
  for (int i = 0; i < g->terms; i++) {
    term     *t = &g->term[i];
    PetscBool uniform = PETSC_TRUE;

    for (int point = 1; point < g->points && uniform; point++) {
      const double *r = t->relative + (size_t)point * op->box;

      for (PetscInt cell = 1; cell < op->box; cell++) {
        if (fabs(r[cell] - r[0]) > scale * (fabs(t->centre[cell]) + fabs(r[0]))) uniform = PETSC_FALSE;
      }
    }
    t->uniform = uniform;
    if (!uniform) continue;
    for (int point = 1; point < g->points; point++) t->relative[point] = t->relative[(size_t)point * op->box];
    PetscCall(PetscRealloc((size_t)g->points * sizeof *t->relative, &t->relative));
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
    add_use(g, point, -1, point_weight(dim, point), g->average);
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
  g->points = points_per_cell(op->grid->dim);
  PetscCall(PetscMalloc1((size_t)g->points * n, &g->fixed));
  PetscCall(PetscMalloc3(n, &g->centre, n, &g->U, n, &g->average));
  for (int axis = 0; axis < op->grid->dim; axis++) {
    for (int side = 0; side < 2; side++) PetscCall(PetscMalloc1(n, &g->half[axis][side]));
    if (op->type->extra) PetscCall(PetscMalloc1(LINE * n, &g->edge[axis]));
  }
  list_uses(g, op->grid->dim);
  PetscCall(PetscMalloc1((size_t)g->uses * n, &g->kept));
  if (!op->type->shapes) PetscFunctionReturn(0);
  g->terms = find_moving_terms(op, moving);
  for (int i = 0; i < g->terms; i++) {
    g->term[i].k = moving[i];
    PetscCall(PetscMalloc1(n, &g->term[i].centre));
    PetscCall(PetscMalloc1((size_t)g->points * n, &g->term[i].relative));
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
  PetscCall(PetscFree(g->kept));
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

    place_point(op, point, x);
    op->type->potential(dim, op->theta, (size_t)op->box, (const double *const *)x, to);
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

static void average(fare_operator *op, const double a[])
{
  gradient       *g    = op->data;
  const int       dim  = op->grid->dim;
  const PetscBool kept = op->type->shapes && moves_uniformly(g) && !fare_system_drives(op->system, FARE_KT) ? PETSC_TRUE : PETSC_FALSE;
  const double    T    = op->theta[FARE_KT];
  double          scale[USES_MAX];

  for (int u = 0; u < g->uses && kept; u++) {
    if (g->kept_T != T) fare_exponentials((size_t)op->box, g->use[u].sign / T, g->fixed + (size_t)g->use[u].point * op->box, g->kept + (size_t)u * op->box);
    scale[u] = g->use[u].weight * exp(g->use[u].sign * uniform_shift(g, a, g->use[u].point) / T);
  }
  if (kept) g->kept_T = T;
  for (PetscInt first = 0; first < op->box; first += RUN) {
    const size_t n = (size_t)PetscMin(RUN, op->box - first);

    memset(g->average + first, 0, n * sizeof(double));
    for (int axis = 0; axis < dim; axis++) {
      for (int side = 0; side < 2; side++) memset(g->half[axis][side] + first, 0, n * sizeof(double));
    }
    if (!kept) average_anew(op, a, first, n);
    for (int u = 0; u < g->uses && kept; u++) fare_add_scaled(n, scale[u], g->kept + (size_t)u * op->box + first, g->use[u].to + first);
  }
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
  place_point(op, 0, x);
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
    if (!fixed_terms_hold(op, a)) {
      for (int i = 0; i < g->terms; i++) PetscCall(PetscRealloc((size_t)g->points * (size_t)op->box * sizeof(double), &g->term[i].relative));
      PetscCall(fill_terms(op));
      g->kept_T = 0;
    }
  } else {
    PetscCall(evaluate_everywhere(op));
  }
  memcpy(g->U, g->centre, (size_t)op->box * sizeof *g->U);
  for (int i = 0; i < g->terms; i++) {
    for (PetscInt cell = 0; cell < op->box; cell++) g->U[cell] += a[g->term[i].k] * g->term[i].centre[cell];
  }
  average(op, a);
  if (op->type->extra) keep_edges(op, a);
  for (int axis = 0; axis < op->grid->dim; axis++) PetscCall(rates_along(op, axis));
  PetscFunctionReturn(0);
}

const fare_rates_type fare_rates_gradient = {.create = create, .rates = rates, .destroy = destroy};
