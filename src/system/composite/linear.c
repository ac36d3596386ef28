/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Linear systems of any number of axes:

    dX = mobility ((strength A + modulation M) X + shift b) dt + sqrt(2 mobility kT B) dW, B diagonal.

  Without B (all ones) the symmetric part of the matrices is the gradient of a potential, the rest a force
  that is no gradient. With B there is drift and diffusion alone.
*/
#include "composite.h"
#include "linear.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { STRENGTH = FARE_OWN, MODULATION, SHIFT };

static const fare_parameter parameters[] = {
  FARE_COMMON_PARAMETERS,
  {"strength", 1.0, -1e6, 1e6, "factor of 'matrix'"},
  {"modulation", 0.0, -1e6, 1e6, "factor of 'modulated'"},
  {"shift", 1.0, -1e6, 1e6, "factor of 'offset'"},
  FARE_PARAMETERS_END,
};

/* A matrix by rows, with its symmetric and antisymmetric parts. */
typedef struct {
  double *all, *even, *odd; /* NULL: there is none; odd NULL: it is symmetric */
} parts;

typedef struct {
  const fare_node *matrix_node, *modulated_node;
  fare_reals       offset, noise;
  int              dim;
  parts            matrix, modulated;
} linear;

static const fare_field fields[] = {
  {"matrix", FARE_NODE, offsetof(linear, matrix_node), NULL, 0, 0, NULL, "",
    "A: a list of rows; or a list of numbers, its diagonal"},
  {"modulated", FARE_NODE, offsetof(linear, modulated_node), "", 0, 0, NULL, "",
    "M, alike, which the parameter 'modulation' multiplies"},
  {"offset", FARE_REALS, offsetof(linear, offset), "", -1e6, 1e6, NULL, "",
    "b, one number per axis, which the parameter 'shift' multiplies"},
  {"noise", FARE_REALS, offsetof(linear, noise), "", 0, 1e6, NULL, "",
    "diagonal of B, one number per axis; without it all 1, and the symmetric part has a potential"},
  FARE_FIELDS_END,
};

enum { ALL, EVEN, ODD };

static const double *part(const parts *of, int which)
{
  return which == ALL ? of->all : which == EVEN ? of->even : of->odd;
}

/* The map that a part of the matrices makes at these parameters. */
static fare_affine map_of(const double *theta, int which)
{
  const linear *s = fare_composite_at(theta)->state;

  return (fare_affine){.dim = s->dim,
    .A                      = part(&s->matrix, which),
    .M                      = part(&s->modulated, which),
    .b                      = which != ODD && s->offset.count ? s->offset.values : NULL,
    .a                      = theta[STRENGTH],
    .m                      = theta[MODULATION],
    .s                      = theta[SHIFT]};
}

static void potential(int dim, const double *theta, size_t n, const double *const x[], double V[])
{
  const fare_affine map = map_of(theta, EVEN);

  (void)dim;
  fare_affine_potential(&map, n, x, V);
}

static void force(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  const fare_affine map = map_of(theta, ALL);

  (void)dim;
  fare_affine_apply(&map, NULL, n, x, f);
}

static void nonconservative(
  int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  const fare_affine map = map_of(theta, ODD);

  (void)dim;
  fare_affine_apply(&map, NULL, n, x, f);
}

static void drift(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  const fare_affine map = map_of(theta, ALL);
  double            scale[FARE_AXES_MAX];

  for (int axis = 0; axis < dim; axis++) scale[axis] = theta[FARE_MOBILITY];
  fare_affine_apply(&map, scale, n, x, f);
}

static void diffusion(int dim, const double *theta, size_t n, const double *const x[], double *const D[])
{
  const linear *s = fare_composite_at(theta)->state;

  (void)x;
  for (int axis = 0; axis < dim; axis++) {
    const double value = theta[FARE_MOBILITY] * theta[FARE_KT] * s->noise.values[axis];

    for (size_t i = 0; i < n; i++) D[axis][i] = value;
  }
}

static PetscErrorCode new_array(size_t count, double **array)
{
  PetscFunctionBegin;
  *array = calloc(count, sizeof **array);
  if (!*array) FARE_FAIL(FARE_ERR_FAILED, "out of memory for a matrix");
  PetscFunctionReturn(0);
}

/* A list of rows of dim numbers each, or of dim numbers. */
static PetscErrorCode read_matrix(const fare_node *node, int dim, double *A)
{
  PetscFunctionBegin;
  if (fare_node_kind_of(node) != FARE_NODE_LIST || fare_node_size(node) != (size_t)dim)
    FARE_REFUSE(node, "expected a list of %d rows of %d numbers each, or of %d numbers", dim, dim, dim);
  for (int row = 0; row < dim; row++) {
    const fare_node *item = fare_node_item(node, (size_t)row);

    if (fare_node_kind_of(item) == FARE_NODE_SCALAR) {
      PetscCall(fare_node_real(item, &A[row * dim + row]));
      continue;
    }
    if (fare_node_kind_of(item) != FARE_NODE_LIST || fare_node_size(item) != (size_t)dim)
      FARE_REFUSE(item, "expected a row of %d numbers", dim);
    for (int column = 0; column < dim; column++)
      PetscCall(fare_node_real(fare_node_item(item, (size_t)column), &A[row * dim + column]));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode read_parts(const fare_node *node, int dim, parts *to)
{
  const size_t size   = (size_t)dim * (size_t)dim;
  PetscBool    is_odd = PETSC_FALSE;

  PetscFunctionBegin;
  PetscCall(new_array(size, &to->all));
  PetscCall(new_array(size, &to->even));
  PetscCall(new_array(size, &to->odd));
  PetscCall(read_matrix(node, dim, to->all));
  for (int row = 0; row < dim; row++) {
    for (int column = 0; column < dim; column++) {
      const int at = row * dim + column, turned = column * dim + row;

      to->even[at] = 0.5 * (to->all[at] + to->all[turned]);
      to->odd[at]  = 0.5 * (to->all[at] - to->all[turned]);
      is_odd |= to->odd[at] != 0;
    }
  }
  if (is_odd) PetscFunctionReturn(0);
  free(to->odd);
  to->odd = NULL;
  PetscFunctionReturn(0);
}

static PetscErrorCode check_count(const fare_node *section, const char *key, const fare_reals *list, int dim)
{
  PetscFunctionBegin;
  if (list->count && list->count != (size_t)dim)
    FARE_REFUSE(fare_node_find(section, key), "expected %d numbers, one per axis, got %zu", dim, list->count);
  PetscFunctionReturn(0);
}

/* The functions that the matrices have. */
static void fill_type(fare_system_type *type, linear *s)
{
  type->dimension_min = type->dimension_max = s->dim;
  type->parameters                          = parameters;
  for (int axis = 0; axis < s->dim; axis++) {
    type->lower[axis] = -8;
    type->upper[axis] = 8;
  }
  if (s->noise.count) {
    type->drift     = drift;
    type->diffusion = diffusion;
    return;
  }
  type->potential = potential;
  type->force     = force;
  if (s->matrix.odd || s->modulated.odd) type->nonconservative = nonconservative;
}

static PetscErrorCode read(const fare_node *section, fare_composite *c)
{
  linear      *s = c->state;
  const size_t size =
    fare_node_kind_of(s->matrix_node) == FARE_NODE_LIST ? fare_node_size(s->matrix_node) : 0;

  PetscFunctionBegin;
  if (size < 1 || size > FARE_AXES_MAX)
    FARE_REFUSE(s->matrix_node, "expected a list of 1 to %d rows", FARE_AXES_MAX);
  s->dim = (int)size;
  PetscCall(read_parts(s->matrix_node, s->dim, &s->matrix));
  if (s->modulated_node) PetscCall(read_parts(s->modulated_node, s->dim, &s->modulated));
  PetscCall(check_count(section, "offset", &s->offset, s->dim));
  PetscCall(check_count(section, "noise", &s->noise, s->dim));
  fill_type(&c->type, s);
  PetscFunctionReturn(0);
}

static void write_matrix(const char *key, const double *A, int dim, fare_text *to)
{
  if (!A) return;
  fare_text_add(to, "  %s: [", key);
  for (int row = 0; row < dim; row++) {
    for (int column = 0; column < dim; column++)
      fare_text_add(to, "%s%.17g", column ? ", " : row ? ", [" : "[", A[row * dim + column]);
    fare_text_add(to, "]");
  }
  fare_text_add(to, "]\n");
}

static void write(const fare_composite *c, fare_text *to)
{
  const linear *s = c->state;

  write_matrix("matrix", s->matrix.all, s->dim, to);
  write_matrix("modulated", s->modulated.all, s->dim, to);
  fare_fields_write(fields, s, 2, to);
}

static void free_parts(parts *of)
{
  free(of->all);
  free(of->even);
  free(of->odd);
}

static void free_state(fare_composite *c)
{
  linear *s = c->state;

  free_parts(&s->matrix);
  free_parts(&s->modulated);
}

const fare_composite_kind fare_composite_linear = {
  .name      = "linear",
  .summary   = "linear drift and constant noise in any number of axes: Gaussian for ever when it begins so",
  .reference = "Gardiner, Stochastic Methods, section 4.5 (2009)",
  .size      = sizeof(linear),
  .fields    = fields,
  .read      = read,
  .write     = write,
  .free      = free_state,
};
