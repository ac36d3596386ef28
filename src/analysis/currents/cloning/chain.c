/* SPDX-License-Identifier: BSD-2-Clause */
/*
  What cloning tends to with ever more walkers, on one axis: the chain that is simulated, from a uniform
  start, over the very number of steps that count. Its tilted kernel K(x,y) = exp(s dA(x,y)) p(y|x) of Heun's
  step is a matrix of Gauss points in panels (Nystroem; Atkinson, The Numerical Solution of Integral Equations
  of the Second Kind, 1997), and psi = [ln <r^-1, K^(b + n) r> - ln <r^-1, K^b r>]/(n dt), with b steps of
  burn, and r that of the control, or 1. Two numbers of nodes tell its error.
*/
#include "crowd.h"

#include <petscdt.h>

#include <math.h>
#include <stdlib.h>

#define POINTS    16  /* of Gauss in a panel */
#define WIDTH     3.0 /* of a panel, in standard deviations of a step; 1.5 times as many tell the error */
#define COARSER   1.5
#define FAR       9.0  /* standard deviations beyond which the density is taken for zero */
#define FOLDED    7.0  /* and within which two steps must not lead to one place */
#define NODES     8192 /* at most */
#define WORK_MOST 4e9
#define LOOKS     4000
#define SAME      1e-14 /* of what is yet to change of ln K^n */

typedef struct {
  const fare_cloning *p;
  double              low, high, width, dt, sd; /* the box; the least standard deviation of a step */
  PetscBool           periodic;
  PetscInt            n;
  double             *x, *w, *level; /* nodes, weights, ln r */
  PetscInt           *row;           /* where each row begins, and the last ends */
  PetscInt           *column;
  double             *K;
} chain;

static void look(const chain *c, double x, double *f, double *D)
{
  const double *at[1] = {&x};
  double       *fs[1] = {f}, *Ds[1] = {D};

  fare_system_drift(c->p->system, c->p->t, 1, at, fs);
  fare_system_diffusion(c->p->system, c->p->t, 1, at, Ds);
}

/* What the observable grows by per length and per time. */
static double per_length(const chain *c, double f, double D)
{
  const fare_observable_kind of = c->p->observable->kind;

  return of == FARE_OF_DISPLACEMENT            ? 1
    : of == FARE_OF_ENTROPY                    ? f / D
    : of == FARE_OF_HEAT || of == FARE_OF_WORK ? fare_system_kT(c->p->system, c->p->t) * f / D
                                               : 0;
}

static double per_time(const chain *c, double x)
{
  if (c->p->observable->kind == FARE_OF_MOMENT) return pow(x, (double)c->p->observable->power);
  if (c->p->observable->kind == FARE_OF_OCCUPATION) return fare_region_has(c->p->observable->region, &x);
  return 0;
}

/* Where x is seen from outside of the box: images[0] is x itself. */
static int images_of(const chain *c, double x, double images[3])
{
  images[0] = x;
  images[1] = c->periodic ? x - c->width : 2 * c->low - x;
  images[2] = c->periodic ? x + c->width : 2 * c->high - x;
  return 3;
}

/* How far from where drift takes x a step may end, with the weight exp(s dA), which moves its mean. */
static double reach_of(const chain *c, double f, double D)
{
  const double sd = sqrt(2 * D * c->dt);

  return (FAR + fabs(c->p->s * per_length(c, f, D)) * sd) * sd;
}

/* exp(s dA) times the density of a step from x to the place `to`, which is the node y or an image of it. */
static double weigh(const chain *c, double x, double f, double D, double to, double y)
{
  const double sd = sqrt(2 * D * c->dt), h = 1e-3 * sd;
  double       at = to, g = f, unused, up, down, z, slope, grown;

  /* the first half of Heun's step, before the drift there corrected it */
  for (int k = 0; k < 50; k++) {
    const double before = at;

    look(c, at, &g, &unused);
    at = to - 0.5 * c->dt * (g - f);
    if (fabs(at - before) <= 1e-15 * (fabs(at) + sd)) break;
  }
  look(c, at + h, &up, &unused);
  look(c, at - h, &down, &unused);
  z     = (at - x - f * c->dt) / sd;
  slope = 1 + 0.25 * c->dt * (up - down) / h;
  if (fabs(z) < FOLDED && !(slope > 0)) return NAN; /* two steps lead there */
  grown = 0.5 * c->dt * (per_time(c, x) + per_time(c, y)) +
    0.5 * (per_length(c, f, D) + per_length(c, g, D)) * (to - x);
  return fabs(z) * sd > reach_of(c, f, D) || !(slope > 0)
    ? 0
    : exp(c->p->s * grown - 0.5 * z * z) / (sd * sqrt(2 * M_PI) * slope);
}

/* Nodes in panels, none of which an edge of the region cuts. */
static PetscErrorCode place_nodes(chain *c, double width)
{
  const fare_region *region = c->p->observable->kind == FARE_OF_OCCUPATION ? c->p->observable->region : NULL;
  const PetscInt     room =
    ((PetscInt)ceil(c->width / width) + 2 * (PetscInt)(region ? region->boxes : 0) + 1) * POINTS;
  double g[POINTS], v[POINTS];

  PetscFunctionBegin;
  PetscCall(PetscDTGaussQuadrature(POINTS, -1, 1, g, v));
  PetscCall(PetscMalloc3(room, &c->x, room, &c->w, room, &c->level));
  c->n = 0;
  for (double x = c->low, edge; x < c->high; x = edge) {
    int panels;

    edge = c->high;
    for (size_t k = 0; region && k < 2 * region->boxes; k++) {
      const double at = k % 2 ? region->upper[k / 2] : region->lower[k / 2];

      if (at > x) edge = PetscMin(edge, at);
    }
    panels = (int)ceil((edge - x) / width);
    for (int i = 0; i < panels * POINTS; i++) {
      const double half = 0.5 * (edge - x) / panels;

      c->x[c->n]   = x + half * (2 * (i / POINTS) + 1 + g[i % POINTS]);
      c->w[c->n++] = half * v[i % POINTS];
    }
  }
  PetscFunctionReturn(0);
}

/* A row of K, or only how many columns it has. */
static PetscInt fill_row(const chain *c, PetscInt i, PetscBool counting)
{
  PetscInt k = c->row[i];
  double   f, D, reach;

  look(c, c->x[i], &f, &D);
  reach = reach_of(c, f, D) + sqrt(2 * D * c->dt);
  for (PetscInt j = 0; j < c->n; j++) {
    double    images[3], value = 0;
    PetscBool near = PETSC_FALSE;

    for (int m = images_of(c, c->x[j], images) - 1; m >= 0; m--) {
      /* drift there may differ from here by as much as a standard deviation, or the step is too long */
      if (fabs(images[m] - c->x[i] - f * c->dt) > reach) continue;
      near = PETSC_TRUE;
      if (!counting) value += c->w[j] * weigh(c, c->x[i], f, D, images[m], c->x[j]);
    }
    if (!near) continue;
    if (!counting) {
      c->K[k]      = value;
      c->column[k] = j;
    }
    k++;
  }
  return k;
}

/* ln <p/r, K^n r>, up to a number that is the same for all n. v: K^n r, of which `log` was taken out. */
static double log_of(const chain *c, const double v[], double log_out)
{
  double sum = 0;

  for (PetscInt i = 0; i < c->n; i++) sum += c->w[i] * v[i] * exp(-c->level[i]);
  return log_out + log(sum);
}

/* psi of the steps from `burn` to `all`; where the growth has become steady, the rest is not walked. */
static double grow(const chain *c, int64_t burn, int64_t all, double v[], double next[])
{
  double log_out = 0, begin = NAN, last = 0, change = 0, now = 0;

  for (PetscInt i = 0; i < c->n; i++) v[i] = exp(c->level[i]);
  last = log_of(c, v, 0);
  if (!burn) begin = last;
  for (int64_t step = 1; step <= all; step++) {
    double most = 0, before = change, left;

    for (PetscInt i = 0; i < c->n; i++) {
      next[i] = 0;
      for (PetscInt k = c->row[i]; k < c->row[i + 1]; k++) next[i] += c->K[k] * v[c->column[k]];
      most = PetscMax(most, next[i]);
    }
    for (PetscInt i = 0; i < c->n; i++) v[i] = next[i] / most;
    log_out += log(most);
    now    = log_of(c, v, log_out);
    change = now - last;
    last   = now;
    if (step == burn) begin = now;
    /* changes of the change, taken to fall as a geometric series */
    left = fabs(change - before);
    if (step > burn && step > 64 && left < SAME * 1e-2)
      return (now - begin + change * (double)(all - step)) / ((double)(all - burn) * c->dt);
  }
  return (now - begin) / ((double)(all - burn) * c->dt);
}

/* psi with panels of a width; NaN where it is too much work. */
static PetscErrorCode solve(chain *c, double width, int64_t burn, int64_t all, double *psi)
{
  double *v, *next;

  PetscFunctionBegin;
  *psi = NAN;
  if (c->width / width > (double)NODES / POINTS) PetscFunctionReturn(0);
  PetscCall(place_nodes(c, width));
  for (PetscInt i = 0; i < c->n; i++) {
    double x[FARE_DIM_MAX] = {c->x[i]}, gradient[FARE_DIM_MAX + 1] = {0};

    if (c->p->coarse) fare_crowd_interpolate(c->p, x, gradient);
    c->level[i] = gradient[1];
  }
  PetscCall(PetscMalloc3(c->n + 1, &c->row, c->n, &v, c->n, &next));
  c->row[0] = 0;
  for (PetscInt i = 0; i < c->n; i++) c->row[i + 1] = fill_row(c, i, PETSC_TRUE);
  if ((double)c->row[c->n] * (double)all <= WORK_MOST) {
    PetscCall(PetscMalloc2(c->row[c->n], &c->K, c->row[c->n], &c->column));
    for (PetscInt i = 0; i < c->n; i++) (void)fill_row(c, i, PETSC_FALSE);
    *psi = grow(c, burn, all, v, next);
    PetscCall(PetscFree2(c->K, c->column));
  }
  PetscCall(PetscFree3(c->row, v, next));
  PetscCall(PetscFree3(c->x, c->w, c->level));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_cloning_chain(
  const fare_cloning *p, int64_t burn, int64_t all, double *psi, double *error)
{
  const fare_grid *grid   = p->grid;
  chain            c      = {.p = p, .low = grid->lower[0], .high = grid->upper[0], .dt = p->keys->dt};
  double           coarse = NAN, most = 0;

  PetscFunctionBegin;
  *psi = *error = NAN;
  if (grid->dim != 1) PetscFunctionReturn(0);
  c.width    = c.high - c.low;
  c.periodic = grid->boundary[0] == FARE_BOUNDARY_PERIODIC ? PETSC_TRUE : PETSC_FALSE;
  c.sd       = HUGE_VAL;
  for (int k = 0; k <= LOOKS; k++) {
    double f, D;

    look(&c, c.low + c.width * k / LOOKS, &f, &D);
    c.sd = PetscMin(c.sd, sqrt(2 * D * c.dt));
    most = PetscMax(most, reach_of(&c, f, D) + (c.periodic ? fabs(f) * c.dt : 0));
  }
  /* a step must not see the box twice */
  if (!(c.sd > 0) || !(most <= c.width)) PetscFunctionReturn(0);
  PetscCall(solve(&c, WIDTH * c.sd, burn, all, psi));
  if (!isnan(*psi)) PetscCall(solve(&c, COARSER * WIDTH * c.sd, burn, all, &coarse));
  if (isnan(coarse)) *psi = NAN;
  *error = fabs(*psi - coarse) + 1e-14 / c.dt;
  PetscFunctionReturn(0);
}
