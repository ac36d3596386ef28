/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Rates of any drift f and diffusion D, in the sense of Ito: J = f p - d(D p)/dx. With q = D p the flux is
  (f/D) q - q', whose exact solution for constant f/D between two centres gives (Scharfetter and Gummel 1969;
  Chang and Cooper 1970)

    r(i -> j) = D_i/h^2 B(-w),  r(j -> i) = D_j/h^2 B(w),  w = integral of f/D from i to j,  B(z) = z/(e^z -
  1).

  Where D vanishes this is the upwind flux: positive, of first order.

  The integral is Gauss quadrature. Formulas may have kinks and jumps, which make it an error of first order
  that no coarser grid sees, as it depends on where in its edge a kink lies: such edges are found once, and
  are cut until the integral no longer changes.
*/
#include "operator.h"

#include <math.h>

#define EDGE_POINTS 3
/* Gauss points of the edge, from the cell's centre */
static const double edge_offset[EDGE_POINTS] = {0.1127016653792583, 0.5, 0.8872983346207417};
static const double edge_weight[EDGE_POINTS] = {5. / 18, 8. / 18, 5. / 18};

double fare_bernoulli(double z)
{
  if (fabs(z) < 1e-5) return 1 - z / 2 + z * z / 12;
  return z > 700 ? 0 : z / expm1(z);
}

typedef struct {
  double   *x[FARE_DIM_MAX], *f[FARE_DIM_MAX], *D[FARE_DIM_MAX]; /* at one point of every cell */
  double   *centre_D[FARE_DIM_MAX], *w[FARE_DIM_MAX], *drift[FARE_DIM_MAX];
  PetscBool searched;                                   /* for rough edges */
  PetscInt  roughs[FARE_DIM_MAX], *rough[FARE_DIM_MAX]; /* cells below edges whose integrals need cuts */
  /* of one axis: cells over which the mean of 1/D needs cuts */
  PetscInt kinks, *kink;
} general;

static PetscErrorCode create(fare_operator *op)
{
  general *g;

  PetscFunctionBegin;
  PetscCall(PetscNew(&g));
  op->data = g;
  for (int axis = 0; axis < op->grid->dim; axis++) {
    PetscCall(PetscMalloc4(
      op->box, &g->x[axis], op->box, &g->f[axis], op->box, &g->D[axis], op->box, &g->centre_D[axis]));
    PetscCall(PetscMalloc2(op->box, &g->w[axis], op->box, &g->drift[axis]));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode destroy(fare_operator *op)
{
  general *g = op->data;

  PetscFunctionBegin;
  if (!g) PetscFunctionReturn(0);
  for (int axis = 0; axis < op->grid->dim; axis++) {
    PetscCall(PetscFree4(g->x[axis], g->f[axis], g->D[axis], g->centre_D[axis]));
    PetscCall(PetscFree2(g->w[axis], g->drift[axis]));
    PetscCall(PetscFree(g->rough[axis]));
  }
  PetscCall(PetscFree(g->kink));
  PetscCall(PetscFree(op->data));
  PetscFunctionReturn(0);
}

/*
  A drift that is no number, or a diffusion that is none or negative, at one point of every cell: on the edges
  above along `axis`, or -1: at centres. Where nothing is used, beyond the ends, they may be anything. Nothing
  later would show them: fmax takes what is no number for zero.
*/
static PetscErrorCode check_values(const fare_operator *op, int axis, double *const f[], double *const D[])
{
  const general *g   = op->data;
  const int      dim = op->grid->dim, first = axis < 0 ? 0 : axis, last = axis < 0 ? dim - 1 : axis;

  PetscFunctionBegin;
  for (int k = first; k <= last; k++) {
    if (fare_all_rates((size_t)op->box, D[k]) && (!f || fare_all_finite((size_t)op->box, f[k]))) continue;
    for (PetscInt cell = 0; cell < op->box; cell++) {
      PetscInt index[FARE_DIM_MAX];
      double   at[FARE_DIM_MAX];
      char     place[FARE_PLACE_SIZE];

      fare_operator_index(op, cell, index);
      if (!fare_operator_face_serves(op, axis < 0 ? 0 : axis, index)) continue;
      if (axis < 0 ? index[0] < op->grid->start[0] : fare_operator_end(op, axis, index[axis]) != 0) continue;
      if (fare_all_rates(1, &D[k][cell]) && (!f || fare_all_finite(1, &f[k][cell]))) continue;
      for (int a = 0; a < dim; a++) at[a] = g->x[a][cell];
      fare_operator_write_place(op, at, place);
      if (f && !fare_all_finite(1, &f[k][cell]))
        FARE_FAIL(FARE_ERR_FAILED, "truth: the drift is not finite at time %g, at (%s)", op->time, place);
      FARE_FAIL(FARE_ERR_FAILED, "truth: the diffusion along %s is %s at time %g, at (%s)",
        fare_system_axis_name(op->system, k), D[k][cell] < 0 ? "negative" : "not finite", op->time, place);
    }
  }
  PetscFunctionReturn(0);
}

/* A part of an edge: from and to are in spacings above the centre of the cell below it. */
typedef struct {
  const fare_operator *op;
  int                  axis;
  double               centre[FARE_DIM_MAX];
  double               D; /* 0; or at the centre, where the mean of D/D(x) is wanted instead */
} edge;

/*
  Its shares of w and of the mean drift, or, for the mass of a cell, of the means of D/D(x) and of the
  integral of f/D from the centre to x (by parts: of f/D times the distance to the end of the cell), by Gauss
  quadrature. A kernel is called for three points.
*/
static void integrate_part(const edge *e, double from, double to, double share[2])
{
  const fare_operator *op                           = e->op;
  const int            dim                          = op->grid->dim;
  const double         h                            = op->grid->spacing[e->axis];
  double               x[FARE_DIM_MAX][EDGE_POINTS] = {{0}}, f[FARE_DIM_MAX][EDGE_POINTS] = {{0}},
         D[FARE_DIM_MAX][EDGE_POINTS] = {{0}};
  const double *const at[]            = {x[0], x[1], x[2]};
  double *const to_f[] = {f[0], f[1], f[2]}, *const to_D[] = {D[0], D[1], D[2]};

  for (int q = 0; q < EDGE_POINTS; q++) {
    for (int a = 0; a < dim; a++) x[a][q] = e->centre[a];
    x[e->axis][q] += (from + edge_offset[q] * (to - from)) * h;
  }
  fare_system_type_drift(op->type, dim, op->theta, EDGE_POINTS, at, to_f);
  fare_system_type_diffusion(op->type, dim, op->theta, EDGE_POINTS, at, to_D);
  share[0] = share[1] = 0;
  for (int q = 0; q < EDGE_POINTS; q++) {
    const double weight = edge_weight[q] * (to - from);

    if (e->D > 0) {
      const double place = from + edge_offset[q] * (to - from);

      share[0] += weight * e->D / D[e->axis][q];
      share[1] += weight * (copysign(0.5, place) - place) * f[e->axis][q] * h / D[e->axis][q];
    } else {
      share[0] += weight * f[e->axis][q] * h / D[e->axis][q];
      share[1] += weight * f[e->axis][q];
    }
  }
}

/*
  Whether a cut changes the integral of w, or either mean of a cell: in the middle, or near an end, beyond all
  points.
*/
static PetscBool is_rough(const edge *e, double from, double to, const double whole[2])
{
  static const double cuts[] = {0.5, 0.04, 0.96};
  const double        enough = 1e-6;

  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(cuts); i++) {
    const double middle = from + cuts[i] * (to - from);
    double       below[2], above[2];

    integrate_part(e, from, middle, below);
    integrate_part(e, middle, to, above);
    for (int k = 0; k < (e->D > 0 ? 2 : 1); k++) {
      if (!isfinite(whole[k] + below[k] + above[k])) return PETSC_FALSE; /* no diffusion: upwind */
      if (fabs(below[k] + above[k] - whole[k]) > enough * (1 + fabs(whole[k]))) return PETSC_TRUE;
    }
  }
  return PETSC_FALSE;
}

static void integrate_rough(const edge *e, double from, double to, int cuts, double sum[2])
{
  double whole[2];

  integrate_part(e, from, to, whole);
  if (cuts && is_rough(e, from, to, whole)) {
    integrate_rough(e, from, 0.5 * (from + to), cuts - 1, sum);
    integrate_rough(e, 0.5 * (from + to), to, cuts - 1, sum);
    return;
  }
  for (int i = 0; i < 2; i++) sum[i] += whole[i];
}

static edge edge_above(const fare_operator *op, int axis, PetscInt cell)
{
  edge     e = {.op = op, .axis = axis};
  PetscInt index[FARE_DIM_MAX];

  fare_operator_index(op, cell, index);
  for (int a = 0; a < op->grid->dim; a++) e.centre[a] = fare_grid_centre(op->grid, a, index[a]);
  return e;
}

#define ROUGH_MOST 2000 /* edges of an axis: cells that are all too coarse are not worth the work */
#define CUTS       12

/*
  Where D or f has a kink inside a cell, its mass is that of <q/D>, not of q/D at the centre: q follows
  exp(integral of f/D), whose slope jumps where f does. That is an error of the square of the distance to the
  nearest edge, which may be an edge of all coarser grids, too: they would agree on it. In one axis, cells in
  which cuts change these means get their D divided by them.
*/
static PetscErrorCode find_kinks(fare_operator *op)
{
  general *g = op->data;

  PetscFunctionBegin;
  if (op->grid->dim > 1 || !fare_system_has_formulas(op->system)) PetscFunctionReturn(0);
  PetscCall(PetscMalloc1(ROUGH_MOST + 1, &g->kink));
  for (PetscInt cell = 0; cell < op->box && g->kinks <= ROUGH_MOST; cell++) {
    edge   e = edge_above(op, 0, cell);
    double below[2], above[2];

    e.D = g->centre_D[0][cell];
    if (!(e.D > 0)) continue;
    integrate_part(&e, -0.5, 0, below);
    integrate_part(&e, 0, 0.5, above);
    if (is_rough(&e, -0.5, 0, below) || is_rough(&e, 0, 0.5, above)) g->kink[g->kinks++] = cell;
  }
  if (g->kinks > ROUGH_MOST) g->kinks = 0;
  PetscFunctionReturn(0);
}

static void average_kinks(fare_operator *op)
{
  general *g = op->data;

  for (PetscInt i = 0; i < g->kinks; i++) {
    const PetscInt cell   = g->kink[i];
    edge           e      = edge_above(op, 0, cell);
    double         sum[2] = {0};

    e.D = g->centre_D[0][cell];
    if (!(e.D > 0)) continue;
    integrate_rough(&e, -0.5, 0, CUTS, sum);
    integrate_rough(&e, 0, 0.5, CUTS, sum);
    sum[0] *= exp(sum[1]);
    /* a D that vanishes at an end is no kink */
    if (sum[0] > 0.5 && sum[0] < 2) g->centre_D[0][cell] /= sum[0];
  }
}

/* Finds the edges whose integrals need cuts; the rates are of this moment's parameters. */
static PetscErrorCode find_rough_edges(fare_operator *op)
{
  general *g = op->data;

  PetscFunctionBegin;
  if (g->searched) PetscFunctionReturn(0);
  g->searched = PETSC_TRUE;
  for (int axis = 0; axis < op->grid->dim && op->grid->dim < 3 && fare_system_has_formulas(op->system);
       axis++) {
    PetscCall(PetscMalloc1(ROUGH_MOST + 1, &g->rough[axis]));
    for (PetscInt cell = 0; cell + op->stride[axis] < op->box && g->roughs[axis] <= ROUGH_MOST; cell++) {
      const edge e = edge_above(op, axis, cell);
      PetscInt   index[FARE_DIM_MAX];
      double     whole[2];

      fare_operator_index(op, cell, index);
      if (!fare_operator_face_serves(op, axis, index) || fare_operator_end(op, axis, index[axis])) continue;
      integrate_part(&e, 0, 1, whole);
      if (is_rough(&e, 0, 1, whole)) g->rough[axis][g->roughs[axis]++] = cell;
    }
    if (g->roughs[axis] > ROUGH_MOST) g->roughs[axis] = 0;
  }
  PetscCall(find_kinks(op));
  PetscFunctionReturn(0);
}

/* w and the mean drift over the edges above the cells; w is infinite where diffusion vanishes. */
static PetscErrorCode integrate_edges(fare_operator *op, int axis)
{
  general     *g = op->data;
  const double h = op->grid->spacing[axis];

  PetscFunctionBegin;
  for (PetscInt cell = 0; cell < op->box; cell++) g->w[axis][cell] = g->drift[axis][cell] = 0;
  for (int q = 0; q < EDGE_POINTS; q++) {
    double offset[FARE_DIM_MAX] = {0};

    offset[axis] = edge_offset[q];
    fare_place_offset(op, offset, g->x);
    fare_system_type_drift(
      op->type, op->grid->dim, op->theta, (size_t)op->box, (const double *const *)g->x, g->f);
    fare_system_type_diffusion(
      op->type, op->grid->dim, op->theta, (size_t)op->box, (const double *const *)g->x, g->D);
    PetscCall(check_values(op, axis, g->f, g->D));
    for (PetscInt cell = 0; cell < op->box; cell++) {
      const double f = g->f[axis][cell], D = g->D[axis][cell];

      g->drift[axis][cell] += edge_weight[q] * f;
      g->w[axis][cell] += D > 0 ? edge_weight[q] * f * h / D : (f == 0 ? 0 : copysign(HUGE_VAL, f));
    }
  }
  for (PetscInt i = 0; i < g->roughs[axis]; i++) {
    const PetscInt cell   = g->rough[axis][i];
    const edge     e      = edge_above(op, axis, cell);
    double         sum[2] = {0};

    integrate_rough(&e, 0, 1, CUTS, sum);
    if (!isfinite(sum[0])) continue;
    g->w[axis][cell]     = sum[0];
    g->drift[axis][cell] = sum[1];
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode rates_along(fare_operator *op, int axis)
{
  general *g = op->data;
  /* beyond it diffusion is lost in round-off of the drift */
  const double h = op->grid->spacing[axis], steepest = 1e8;

  PetscFunctionBegin;
  PetscCall(integrate_edges(op, axis));
  for (PetscInt cell = 0; cell + op->stride[axis] < op->box; cell++) {
    const double D_below = g->centre_D[axis][cell], D_above = g->centre_D[axis][cell + op->stride[axis]];

    if (!(fabs(g->w[axis][cell]) < steepest) || (D_below == 0 && D_above == 0)) {
      op->up[axis][cell]   = fmax(g->drift[axis][cell], 0) / h;
      op->down[axis][cell] = fmax(-g->drift[axis][cell], 0) / h;
    } else {
      op->up[axis][cell]   = D_below / (h * h) * fare_bernoulli(-g->w[axis][cell]);
      op->down[axis][cell] = D_above / (h * h) * fare_bernoulli(g->w[axis][cell]);
    }
  }
  /*
    at an end that absorbs, the flux over half an edge to a place where nothing is; drift carries what
    diffusion does not
  */
  for (PetscInt cell = 0; cell < op->box && op->grid->boundary[axis] >= FARE_BOUNDARY_ABSORBING; cell++) {
    PetscInt index[FARE_DIM_MAX];
    int      end;

    fare_operator_index(op, cell, index);
    end = fare_operator_end(op, axis, index[axis]);
    if (!end) continue;
    const PetscInt inside = end > 0 ? cell : cell + op->stride[axis];
    const double   D = g->centre_D[axis][inside], outward = end * g->drift[axis][cell];

    (end > 0 ? op->up : op->down)[axis][cell] =
      D > 0 ? 2 * D / (h * h) * fare_bernoulli(-0.5 * outward * h / D) : fmax(outward, 0) / h;
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode rates(fare_operator *op)
{
  general *g = op->data;

  PetscFunctionBegin;
  fare_place_point(op, 0, g->x);
  fare_system_type_diffusion(
    op->type, op->grid->dim, op->theta, (size_t)op->box, (const double *const *)g->x, g->centre_D);
  PetscCall(check_values(op, -1, NULL, g->centre_D));
  PetscCall(find_rough_edges(op));
  average_kinks(op);
  for (int axis = 0; axis < op->grid->dim; axis++) PetscCall(rates_along(op, axis));
  PetscFunctionReturn(0);
}

/*
  The flux above is exact for constant f/D; beside the true one it has the diffusion |f| h/2 (coth(w/2) -
  2/w), of second order in h where cells resolve the balance of drift and diffusion (w small) and of first
  order, upwind, where they do not.
*/
static double extra_diffusion(double drift, double h, double w)
{
  const double z = fabs(w) / 2;

  return fabs(drift) * h / 2 * (z < 1e-3 ? z / 3 : 1 / tanh(z) - 1 / z);
}

static void numerical_diffusion(
  const fare_operator *op, const PetscScalar mass[], double sums[FARE_DIM_MAX][2])
{
  const general *g = op->data;

  FARE_FOR_OWNED(op, n, cell)
  {
    for (int axis = 0; axis < op->grid->dim; axis++) {
      const double h = op->grid->spacing[axis], w = g->w[axis][cell], drift = g->drift[axis][cell];

      sums[axis][0] += mass[n] * extra_diffusion(drift, h, w);
      sums[axis][1] += mass[n] * extra_diffusion(drift, h / 2, w / 2);
    }
  }
}

const fare_rates_type fare_rates_general = {create, rates, numerical_diffusion, destroy};
