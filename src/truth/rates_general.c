/*
  Rates of any drift f and diffusion D, in the sense of Ito: J = f p - d(D p)/dx. With q = D p the flux is (f/D) q - q', whose exact solution for
  constant f/D between two centres gives (Scharfetter and Gummel 1969; Chang and Cooper 1970)

    r(i -> j) = D_i/h^2 B(-w),  r(j -> i) = D_j/h^2 B(w),  w = integral of f/D from i to j,  B(z) = z/(e^z - 1).

  Where D vanishes this is the upwind flux: positive, of first order.
*/
#include "operator.h"

#include <math.h>

#define EDGE_POINTS 3
static const double edge_offset[EDGE_POINTS] = {0.1127016653792583, 0.5, 0.8872983346207417}; /* Gauss points of the edge, from the cell's centre */
static const double edge_weight[EDGE_POINTS] = {5. / 18, 8. / 18, 5. / 18};

double fare_bernoulli(double z)
{
  if (fabs(z) < 1e-5) return 1 - z / 2 + z * z / 12;
  return z > 700 ? 0 : z / expm1(z);
}

typedef struct {
  double *x[FARE_DIM_MAX], *f[FARE_DIM_MAX], *D[FARE_DIM_MAX]; /* at one point of every cell */
  double *centre_D[FARE_DIM_MAX], *w, *drift;
} general;

static PetscErrorCode create(fare_operator *op)
{
  general *g;

  PetscFunctionBeginUser;
  PetscCall(PetscNew(&g));
  op->data = g;
  for (int axis = 0; axis < op->grid->dim; axis++) PetscCall(PetscMalloc4(op->box, &g->x[axis], op->box, &g->f[axis], op->box, &g->D[axis], op->box, &g->centre_D[axis]));
  PetscCall(PetscMalloc2(op->box, &g->w, op->box, &g->drift));
  PetscFunctionReturn(0);
}

static PetscErrorCode destroy(fare_operator *op)
{
  general *g = op->data;

  PetscFunctionBeginUser;
  if (!g) PetscFunctionReturn(0);
  for (int axis = 0; axis < op->grid->dim; axis++) PetscCall(PetscFree4(g->x[axis], g->f[axis], g->D[axis], g->centre_D[axis]));
  PetscCall(PetscFree2(g->w, g->drift));
  PetscCall(PetscFree(op->data));
  PetscFunctionReturn(0);
}

/* Points `offset` spacings above the centres along `axis`. */
static void place(const fare_operator *op, int axis, double offset, double *const x[])
{
  for (PetscInt cell = 0; cell < op->box; cell++) {
    PetscInt index[FARE_DIM_MAX];

    fare_operator_index(op, cell, index);
    for (int a = 0; a < op->grid->dim; a++) x[a][cell] = fare_grid_centre(op->grid, a, index[a]) + (a == axis ? offset * op->grid->spacing[a] : 0);
  }
}

/* w and the mean drift over the edges above the cells; w is infinite where diffusion vanishes. */
static void integrate_edges(fare_operator *op, int axis)
{
  general     *g = op->data;
  const double h = op->grid->spacing[axis];

  for (PetscInt cell = 0; cell < op->box; cell++) g->w[cell] = g->drift[cell] = 0;
  for (int q = 0; q < EDGE_POINTS; q++) {
    place(op, axis, edge_offset[q], g->x);
    op->type->drift(op->grid->dim, op->theta, (size_t)op->box, (const double *const *)g->x, g->f);
    op->type->diffusion(op->grid->dim, op->theta, (size_t)op->box, (const double *const *)g->x, g->D);
    for (PetscInt cell = 0; cell < op->box; cell++) {
      const double f = g->f[axis][cell], D = g->D[axis][cell];

      g->drift[cell] += edge_weight[q] * f;
      g->w[cell] += D > 0 ? edge_weight[q] * f * h / D : (f == 0 ? 0 : copysign(HUGE_VAL, f));
    }
  }
}

static void rates_along(fare_operator *op, int axis)
{
  general     *g = op->data;
  const double h = op->grid->spacing[axis], steepest = 1e8; /* beyond it diffusion is lost in round-off of the drift */

  integrate_edges(op, axis);
  for (PetscInt cell = 0; cell + op->stride[axis] < op->box; cell++) {
    const double D_below = g->centre_D[axis][cell], D_above = g->centre_D[axis][cell + op->stride[axis]];

    if (!(fabs(g->w[cell]) < steepest) || (D_below == 0 && D_above == 0)) {
      op->up[axis][cell]   = fmax(g->drift[cell], 0) / h;
      op->down[axis][cell] = fmax(-g->drift[cell], 0) / h;
      op->order            = 1;
    } else {
      op->up[axis][cell]   = D_below / (h * h) * fare_bernoulli(-g->w[cell]);
      op->down[axis][cell] = D_above / (h * h) * fare_bernoulli(g->w[cell]);
    }
  }
  /* at an end that absorbs, the flux over half an edge to a place where nothing is; drift carries what diffusion does not */
  for (PetscInt cell = 0; cell < op->box && op->grid->end[axis] >= FARE_END_ABSORBING; cell++) {
    PetscInt index[FARE_DIM_MAX];
    int      end;

    fare_operator_index(op, cell, index);
    end = fare_operator_end(op, axis, index[axis]);
    if (!end) continue;
    const PetscInt inside = end > 0 ? cell : cell + op->stride[axis];
    const double   D = g->centre_D[axis][inside], outward = end * g->drift[cell];

    (end > 0 ? op->up : op->down)[axis][cell] = D > 0 ? 2 * D / (h * h) * fare_bernoulli(-0.5 * outward * h / D) : fmax(outward, 0) / h;
  }
}

static PetscErrorCode rates(fare_operator *op)
{
  general *g = op->data;

  PetscFunctionBeginUser;
  place(op, 0, 0, g->x);
  op->type->diffusion(op->grid->dim, op->theta, (size_t)op->box, (const double *const *)g->x, g->centre_D);
  for (int axis = 0; axis < op->grid->dim; axis++) rates_along(op, axis);
  PetscFunctionReturn(0);
}

const fare_rates_type fare_rates_general = {create, rates, destroy};
