/* SPDX-License-Identifier: BSD-2-Clause */
/* Forces, potential and noise of a product: those of its blocks, in their own axes. */
#include "product_parts.h"

#include <fare/random.h>
#include <string.h>

/* The values of a unit's parameters. */
static void unit_theta(const fare_product_part *u, const double theta[], double own[])
{
  memset(own, 0, FARE_PARAMETERS_MAX * sizeof *own);
  for (int i = 0; u->system->type->parameters[i].name; i++) own[i] = theta[u->place[i]];
}

/* Calls a function for the axes of each block: points in the frame, and where its values go. */
typedef void block_kernel(const fare_system_type *type, int dim, const double *theta, size_t n,
  const double *const y[], double *const v[]);

static void for_blocks(const fare_product *p, const double *theta, size_t n, const double *const y[],
  double *const v[], block_kernel *kernel)
{
  double own[FARE_PARAMETERS_MAX];

  for (int b = 0, last = -1; b < p->blocks; b++) {
    const fare_product_part *u     = &p->unit[p->block_unit[b]];
    const int                first = p->block_first[b];

    if (p->block_unit[b] != last) unit_theta(u, theta, own);
    last = p->block_unit[b];
    kernel(u->system->type, u->axes, own, n, y + first, v + first);
  }
}

/*
  The same for points x, whose values are those of vectors: turned back. Without a rotation the arrays only
  change places.
*/
static void for_vectors(
  const double *theta, size_t n, const double *const x[], double *const f[], block_kernel *kernel)
{
  static FARE_ALIGNED double y_store[FARE_AXES_MAX][FARE_BLOCK], v_store[FARE_AXES_MAX][FARE_BLOCK];
  const fare_product        *p    = fare_composite_at(theta)->state;
  const int                  axes = p->frame.axes;
  const double              *from[FARE_AXES_MAX], *vectors[FARE_AXES_MAX];
  double                    *y[FARE_AXES_MAX], *v[FARE_AXES_MAX], *to[FARE_AXES_MAX];

  if (p->frame.kind != FARE_FRAME_ROTATION) {
    for (int a = 0; a < axes; a++) {
      from[a] = x[p->frame.order[a]];
      to[a]   = f[p->frame.order[a]];
    }
    for_blocks(p, theta, n, from, to, kernel);
    return;
  }
  for (size_t first = 0; first < n; first += FARE_BLOCK) {
    const size_t count = PetscMin(n - first, FARE_BLOCK);

    for (int a = 0; a < axes; a++) {
      from[a]    = x[a] + first;
      to[a]      = f[a] + first;
      y[a]       = y_store[a];
      vectors[a] = v[a] = v_store[a];
    }
    fare_frame_enter(&p->frame, count, from, y);
    for_blocks(p, theta, count, (const double *const *)y, v, kernel);
    fare_frame_leave(&p->frame, count, vectors, to);
  }
}

static void block_force(const fare_system_type *type, int dim, const double *theta, size_t n,
  const double *const y[], double *const f[])
{
  type->force(dim, theta, n, y, f);
}

static void force(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  (void)dim;
  for_vectors(theta, n, x, f, block_force);
}

static void block_nonconservative(const fare_system_type *type, int dim, const double *theta, size_t n,
  const double *const y[], double *const f[])
{
  if (type->nonconservative) {
    type->nonconservative(dim, theta, n, y, f);
    return;
  }
  for (int a = 0; a < dim; a++) memset(f[a], 0, n * sizeof *f[a]);
}

static void nonconservative(
  int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  (void)dim;
  for_vectors(theta, n, x, f, block_nonconservative);
}

static void drift(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  (void)dim;
  for_vectors(theta, n, x, f, fare_system_type_drift);
}

static void diffusion(int dim, const double *theta, size_t n, const double *const x[], double *const D[])
{
  (void)dim;
  for_vectors(theta, n, x, D, fare_system_type_diffusion);
}

static void block_potential(const fare_system_type *type, int dim, const double *theta, size_t n,
  const double *const y[], double *const V[])
{
  type->potential(dim, theta, n, y, V[0]);
}

/* Each block's goes to its first axis; their sum in the order of the blocks. */
static void potential(int dim, const double *theta, size_t n, const double *const x[], double V[])
{
  static FARE_ALIGNED double y_store[FARE_AXES_MAX][FARE_BLOCK], V_store[FARE_AXES_MAX][FARE_BLOCK];
  const fare_product        *p = fare_composite_at(theta)->state;
  const double              *from[FARE_AXES_MAX];
  double                    *y[FARE_AXES_MAX], *each[FARE_AXES_MAX];

  for (size_t first = 0; first < n; first += FARE_BLOCK) {
    const size_t count = PetscMin(n - first, FARE_BLOCK);

    for (int a = 0; a < dim; a++) {
      from[a] = x[a] + first;
      y[a]    = y_store[a];
      each[a] = V_store[a];
    }
    fare_frame_enter(&p->frame, count, from, y);
    for_blocks(p, theta, count, (const double *const *)y, each, block_potential);
    memset(V + first, 0, count * sizeof *V);
    for (int b = 0; b < p->blocks; b++) {
      for (size_t i = 0; i < count; i++) V[first + i] += each[p->block_first[b]][i];
    }
  }
}

void fare_product_set_functions(const fare_product *p, fare_system_type *type)
{
  if (p->thermal) type->potential = potential;
  if (p->forced) type->force = force;
  if (!p->forced) {
    type->drift     = drift;
    type->diffusion = diffusion;
  }
  for (int k = 0; k < p->units && p->thermal; k++) {
    if (p->unit[k].system->type->nonconservative) type->nonconservative = nonconservative;
  }
}
