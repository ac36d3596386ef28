/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Sums over all data on a mesh of y, at one level of noise. Data are first spread over nodes about a quarter
  of the noise apart, each by the cubic B-spline, whose variance of a third of the spacing squared is taken
  off the noise again; or, where cells are no closer than that, they are nodes themselves. Then the noise is
  applied axis by axis. That of Poisson flow is a mixture of normals: (|e|^2 + r^2)^-a = integral of g^(a - 1)
  exp(-g (|e|^2 + r^2)) dg / Gamma(a), by the trapezoidal rule in ln g.
*/
#include "posterior_parts.h"

#include <math.h>

#define CUT 8.5 /* standard deviations after which a normal ends: exp(-36) of its peak */

/*
  Per dimension: most nodes on an axis, with normal noise and with the mixture; nodes of the mesh in a
  standard deviation of the noise; how far it goes beyond the data.
*/
static const int    most_nodes[FARE_DIM_MAX] = {4096, 256, 48}, most_mixed[FARE_DIM_MAX] = {4096, 96, 32};
static const double fineness[FARE_DIM_MAX] = {8, 5, 3}, margin[2] = {6, 12};

/* The two meshes along one axis. */
typedef struct {
  int    nodes, n;
  double first, spacing, spread; /* of nodes; variance that spreading adds */
  double own;                    /* variance of a cell */
  double y_first, y_spacing;
} axis_mesh;

/* Normal noise of one component of the mixture along an axis. */
typedef struct {
  int *begin, width;
  /* blend: the noise's part of the variance; scale: height by the narrowing that B-splines make up for */
  double *weight, blend, scale;
} axis_noise;

static int nodes_at_most(const fare_posterior *p)
{
  const int *most = p->augmented ? most_mixed : most_nodes;

  return most[p->dim - 1];
}

static double extent_of(const fare_posterior *p, int axis)
{
  return p->upper[axis] - p->lower[axis];
}

PetscBool fare_posterior_table_serves(const fare_posterior *p, double sigma)
{
  for (int axis = 0; axis < p->dim; axis++) {
    if (!p->cells && extent_of(p, axis) > sigma / 4 * nodes_at_most(p)) return PETSC_FALSE;
  }
  return PETSC_TRUE;
}

static axis_mesh mesh_of(const fare_posterior *p, int axis, double sigma)
{
  const double own = p->spacing[axis] * p->spacing[axis] / 4, s = sqrt(sigma * sigma + own);
  axis_mesh    m      = {.own = own};
  const double coarse = PetscMax(s / 4, extent_of(p, axis) / nodes_at_most(p));
  const double end    = margin[p->augmented > 0] * s;

  if (p->cells && coarse <= p->spacing[axis]) {
    m.nodes   = p->extent[axis];
    m.first   = p->lower[axis];
    m.spacing = p->spacing[axis];
  } else {
    m.nodes   = (int)(extent_of(p, axis) / coarse) + 5;
    m.first   = p->lower[axis] - 1.5 * coarse;
    m.spacing = coarse;
    m.spread  = coarse * coarse / 3;
  }
  m.y_spacing = PetscMax(s / fineness[p->dim - 1], p->spacing[axis] / (p->dim < 3 ? 2 : 1));
  m.n         = (int)ceil((extent_of(p, axis) + 2 * end) / m.y_spacing) + 4;
  m.y_first   = 0.5 * (p->lower[axis] + p->upper[axis] - m.y_spacing * (m.n - 1));
  return m;
}

/* Nodes that a datum is spread over along an axis, and their weights; returns how many. */
static int spread(const axis_mesh *m, double x, int64_t cell, int *node, double w[4])
{
  const double at = (x - m->first) / m->spacing, f = at - floor(at);

  if (m->spread <= 0) {
    *node = (int)cell;
    w[0]  = 1;
    return 1;
  }
  *node = (int)at - 1;
  w[0]  = (1 - f) * (1 - f) * (1 - f) / 6;
  w[1]  = (4 - 6 * f * f + 3 * f * f * f) / 6;
  w[2]  = (1 + 3 * f + 3 * f * f - 3 * f * f * f) / 6;
  w[3]  = f * f * f / 6;
  return 4;
}

static void deposit(const fare_posterior *p, const axis_mesh m[], double *const sum[])
{
  for (int64_t i = 0; i < p->count; i++) {
    double  w[FARE_DIM_MAX][4] = {{1}, {1}, {1}};
    int     node[FARE_DIM_MAX] = {0, 0, 0}, nodes[FARE_DIM_MAX] = {1, 1, 1};
    int64_t rest = i;

    if (p->weight[i] <= 0) continue;
    for (int axis = 0; axis < p->dim; axis++) {
      nodes[axis] =
        spread(&m[axis], p->x[axis][i], p->cells ? rest % p->extent[axis] : 0, &node[axis], w[axis]);
      if (p->cells) rest /= p->extent[axis];
    }
    for (int c = 0; c < nodes[2]; c++) {
      for (int b = 0; b < nodes[1]; b++) {
        for (int a = 0; a < nodes[0]; a++) {
          const size_t at =
            ((size_t)(node[2] + c) * (size_t)m[1].nodes + (size_t)(node[1] + b)) * (size_t)m[0].nodes +
            (size_t)(node[0] + a);
          const double mass = p->weight[i] * w[0][a] * w[1][b] * w[2][c];

          sum[0][at] += mass;
          for (int axis = 0; axis < p->dim; axis++) sum[1 + axis][at] += mass * p->x[axis][i];
        }
      }
    }
  }
}

static PetscErrorCode noise_make(const axis_mesh *m, double variance, axis_noise *noise)
{
  const double wanted = variance + m->own - m->spread, kept = PetscMax(wanted, m->spacing * m->spacing / 4),
               deviation = sqrt(kept);

  PetscFunctionBegin;
  noise->width = (int)PetscMin(m->nodes, 2 * (int)ceil(CUT * deviation / m->spacing) + 1);
  noise->blend = variance / (kept + m->spread);
  noise->scale = sqrt(variance / kept);
  PetscCall(PetscMalloc2((size_t)m->n, &noise->begin, (size_t)m->n * (size_t)noise->width, &noise->weight));
  for (int i = 0; i < m->n; i++) {
    const double at = (m->y_first + i * m->y_spacing - m->first) / m->spacing;

    noise->begin[i] = (int)PetscMax(0, PetscMin(m->nodes - noise->width, floor(at) - noise->width / 2));
    for (int j = 0; j < noise->width; j++) {
      const double off = (at - noise->begin[i] - j) * m->spacing / deviation;

      noise->weight[(size_t)i * (size_t)noise->width + (size_t)j] = exp(-off * off / 2);
    }
  }
  PetscFunctionReturn(0);
}

static size_t size_of(const axis_mesh m[], int axes_of_y)
{
  size_t size = 1;

  for (int axis = 0; axis < FARE_DIM_MAX; axis++)
    size *= (size_t)(axis < axes_of_y ? m[axis].n : m[axis].nodes);
  return size;
}

/* One sum with the noise applied along all axes, in `work[dim - 1]`. */
static void apply(
  int dim, const axis_mesh m[], const axis_noise noise[], const double in[], double *const work[])
{
  int inner = 1;

  for (int axis = 0; axis < dim; axis++) {
    const int outer = (axis < 1 ? m[1].nodes : 1) * (axis < 2 ? m[2].nodes : 1);

    fare_posterior_contract(outer, m[axis].nodes, m[axis].n, inner, noise[axis].width, noise[axis].begin,
      noise[axis].weight, in, work[axis]);
    in = work[axis];
    inner *= m[axis].n;
  }
}

/* Adds one component: the mean is blended with y itself, of which a cell's own width keeps a part. */
static PetscErrorCode add_component(fare_posterior *p, const axis_mesh m[], double *const data[],
  double height, double variance, double *const work[])
{
  fare_posterior_table *t = &p->table;
  axis_noise            noise[FARE_DIM_MAX];
  const double         *mass = work[p->dim]; /* a copy of the first sum */
  const size_t          size = size_of(m, p->dim);

  PetscFunctionBegin;
  for (int axis = 0; axis < p->dim; axis++) {
    PetscCall(noise_make(&m[axis], variance, &noise[axis]));
    height *= noise[axis].scale;
  }
  apply(p->dim, m, noise, data[0], work);
  PetscCall(PetscArraycpy(work[p->dim], work[p->dim - 1], size));
  for (size_t i = 0; i < size; i++) t->sum[0][i] += height * mass[i];
  for (int axis = 0; axis < p->dim; axis++) {
    const double  blend  = noise[axis].blend;
    const size_t  stride = axis == 0 ? 1 : (size_t)m[0].n * (size_t)(axis == 1 ? 1 : m[1].n);
    const double *place  = work[p->dim - 1];

    apply(p->dim, m, noise, data[1 + axis], work);
    for (size_t i = 0; i < size; i++) {
      const double y = m[axis].y_first + m[axis].y_spacing * (double)(i / stride % (size_t)m[axis].n);

      t->sum[1 + axis][i] += height * ((1 - blend) * y * mass[i] + blend * place[i]);
    }
  }
  for (int axis = 0; axis < p->dim; axis++) PetscCall(PetscFree2(noise[axis].begin, noise[axis].weight));
  PetscFunctionReturn(0);
}

#define COMPONENTS 32 /* of the mixture */

/* All components: one, or those of Poisson flow, ln g from well below its most likely ln a to above. */
static PetscErrorCode add_components(
  fare_posterior *p, const axis_mesh m[], double *const data[], double sigma, double *const work[])
{
  const double a = 0.5 * (p->dim + p->augmented), low = -10 / sqrt(a), step = 15 / sqrt(a) / (COMPONENTS - 1);

  PetscFunctionBegin;
  if (!p->augmented) {
    PetscCall(add_component(p, m, data, 1, sigma * sigma, work));
    PetscFunctionReturn(0);
  }
  for (int k = 0; k < COMPONENTS; k++) {
    const double lift = low + k * step; /* ln(g/a) */

    PetscCall(add_component(
      p, m, data, exp(a * (lift + 1 - exp(lift))), p->augmented * sigma * sigma / (2 * a * exp(lift)), work));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_posterior_table_make(fare_posterior *p, double sigma)
{
  fare_posterior_table *t               = &p->table;
  axis_mesh             m[FARE_DIM_MAX] = {{.nodes = 1, .n = 1}, {.nodes = 1, .n = 1}, {.nodes = 1, .n = 1}};
  double               *data[1 + FARE_DIM_MAX], *work[1 + FARE_DIM_MAX];

  PetscFunctionBegin;
  PetscCall(fare_posterior_table_free(t));
  *t = (fare_posterior_table){.dim = p->dim, .n = {1, 1, 1}};
  for (int axis = 0; axis < p->dim; axis++) {
    m[axis]          = mesh_of(p, axis, sigma);
    t->n[axis]       = m[axis].n;
    t->first[axis]   = m[axis].y_first;
    t->spacing[axis] = m[axis].y_spacing;
  }
  for (int q = 0; q <= p->dim; q++) {
    PetscCall(PetscCalloc1(size_of(m, 0), &data[q]));
    PetscCall(PetscCalloc1(size_of(m, p->dim), &t->sum[q]));
    PetscCall(PetscMalloc1(size_of(m, PetscMin(q + 1, p->dim)), &work[q]));
  }
  deposit(p, m, data);
  PetscCall(add_components(p, m, data, sigma, work));
  for (int q = 0; q <= p->dim; q++) {
    PetscCall(PetscFree(data[q]));
    PetscCall(PetscFree(work[q]));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_posterior_table_free(fare_posterior_table *t)
{
  PetscFunctionBegin;
  for (int q = 0; q <= FARE_DIM_MAX; q++) PetscCall(PetscFree(t->sum[q]));
  PetscFunctionReturn(0);
}
