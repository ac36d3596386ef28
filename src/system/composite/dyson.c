/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Particles on a line that repel each other, in a trap: with D = mobility kT
  dx_i = (-mobility stiffness (x_i - centre) + 2 D sum_{j != i} 1/(x_i - x_j)) dt + sqrt(2 D) dW_i.
  They are the eigenvalues of a Hermitian matrix whose entries are Ornstein-Uhlenbeck processes, and never
  change their order, x_1 < ... < x_N.
*/
#include "composite.h"
#include "dyson.h"

#include <math.h>

#define MOST 50 /* particles */

typedef struct {
  PetscInt64 particles;
} dyson;

static const fare_field fields[] = {
  {"particles", FARE_INTEGER, offsetof(dyson, particles), NULL, 2, MOST, NULL, "",
    "number of them: the axes"},
  FARE_FIELDS_END,
};

static const fare_parameter parameters[] = {
  FARE_COMMON_PARAMETERS,
  {"stiffness", 1.0, 1e-6, 1e6, "of the trap"},
  {"centre", 0.0, -1e6, 1e6, "of the trap"},
  FARE_PARAMETERS_END,
};

static PetscErrorCode read(const fare_node *section, fare_composite *c)
{
  const dyson *d = c->state;

  PetscFunctionBegin;
  (void)section;
  c->type.dimension_min = c->type.dimension_max = (int)d->particles;
  c->type.parameters                            = parameters;
  c->type.potential                             = fare_dyson_potential;
  c->type.force                                 = fare_dyson_force;
  /* Wigner's semicircle has the radius 2 sqrt(N kT/stiffness) */
  for (int axis = 0; axis < (int)d->particles; axis++) {
    c->type.upper[axis] = 2 * sqrt((double)d->particles) + 5;
    c->type.lower[axis] = -c->type.upper[axis];
  }
  PetscFunctionReturn(0);
}

static void write(const fare_composite *c, fare_text *to)
{
  fare_fields_write(fields, c->state, 2, to);
}

/* Of particles that are alike, a set: what a step has exchanged is put in order. */
static void put_in_order(const fare_composite *c, size_t n, double *const x[])
{
  const int particles = (int)((const dyson *)c->state)->particles;

  for (size_t i = 0; i < n; i++) {
    for (int k = 1; k < particles; k++) {
      const double moved = x[k][i];
      int          at    = k;

      for (; at > 0 && x[at - 1][i] > moved; at--) x[at][i] = x[at - 1][i];
      x[at][i] = moved;
    }
  }
}

const fare_composite_kind fare_composite_dyson = {
  .name      = "dyson",
  .summary   = "particles on a line that repel each other like eigenvalues, in a trap",
  .reference = "Dyson, J. Math. Phys. 3, 1191 (1962)",
  .size      = sizeof(dyson),
  .fields    = fields,
  .read      = read,
  .write     = write,
  .show      = put_in_order,
};
