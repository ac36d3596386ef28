/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The functions of a plugin on periodic axes. They are called inside the box alone, whatever point is asked
  about, so that x^2 means there what it means to its author. The code made of formulas does the same. A
  descriptor's functions have no context, so each ring has a slot of its own.
*/
#include "plugin.h"

#include <math.h>

#define SLOTS 8
#define RUN   256 /* points at a time */

static struct slot {
  const fare_system_type *own; /* NULL: free */
  fare_system_type        ring;
} slots[SLOTS];

double fare_ring_wrap(double x, double lower, double upper)
{
  const double wrapped = x - (upper - lower) * floor((x - lower) / (upper - lower));

  return wrapped < lower ? lower : wrapped > upper ? upper : wrapped;
}

double fare_ring_end(double lower, double upper)
{
  return upper - 16 * PETSC_MACHINE_EPSILON * PetscMax(fabs(lower), fabs(upper));
}

/* Points from `first` on, inside the box along periodic axes. */
static void enter(const fare_system_type *type, int dim, size_t first, size_t n, const double *const x[],
  double inside[FARE_DIM_MAX][RUN], const double *to[])
{
  for (int axis = 0; axis < dim; axis++) {
    to[axis] = x[axis] + first;
    if (!type->periodic[axis]) continue;
    for (size_t i = 0; i < n; i++) {
      inside[axis][i] = fare_ring_wrap(x[axis][first + i], type->lower[axis], type->upper[axis]);
    }
    to[axis] = inside[axis];
  }
}

/* One of these is called: of one value per point, of one per axis, of the basis functions. */
typedef struct {
  fare_scalar_kernel *scalar;
  fare_vector_kernel *vector;
  fare_basis_kernel  *basis;
} function;

/* v[0..values-1][point]. */
static void call(int slot, function f, int values, int dim, const double *theta, size_t n,
  const double *const x[], double *const v[])
{
  double        inside[FARE_DIM_MAX][RUN];
  const double *at[FARE_DIM_MAX];
  double       *to[FARE_PARAMETERS_MAX];

  for (size_t first = 0; first < n; first += RUN) {
    const size_t count = n - first < RUN ? n - first : RUN;

    enter(slots[slot].own, dim, first, count, x, inside, at);
    for (int k = 0; k < values; k++) to[k] = v[k] + first;
    if (f.scalar) f.scalar(dim, theta, count, at, to[0]);
    if (f.vector) f.vector(dim, theta, count, at, to);
    if (f.basis) f.basis(dim, count, at, to);
  }
}

static void accelerate(int slot, const double *theta, size_t n, const double position[], double a[])
{
  const fare_system_type *type = slots[slot].own;
  double                  inside[FARE_DIM_MAX][RUN];
  const double *at[FARE_DIM_MAX], *const x[] = {position};

  for (size_t first = 0; first < n; first += RUN) {
    const size_t count = n - first < RUN ? n - first : RUN;

    enter(type, 1, first, count, x, inside, at);
    type->acceleration(theta, count, at[0], a + first);
  }
}

#define VECTOR(slot, name)                                                              \
  static void name##_##slot(                                                            \
    int dim, const double *theta, size_t n, const double *const x[], double *const v[]) \
  {                                                                                     \
    call(slot, (function){.vector = slots[slot].own->name}, dim, dim, theta, n, x, v);  \
  }
#define SLOT(slot)                                                                                          \
  VECTOR(slot, force)                                                                                       \
  VECTOR(slot, nonconservative)                                                                             \
  VECTOR(slot, drift)                                                                                       \
  VECTOR(slot, diffusion)                                                                                   \
  static void potential_##slot(int dim, const double *theta, size_t n, const double *const x[], double V[]) \
  {                                                                                                         \
    call(slot, (function){.scalar = slots[slot].own->potential}, 1, dim, theta, n, x, &V);                  \
  }                                                                                                         \
  static void basis_##slot(int dim, size_t n, const double *const x[], double *const phi[])                 \
  {                                                                                                         \
    call(slot, (function){.basis = slots[slot].own->basis}, slots[slot].own->basis_count, dim, NULL, n, x,  \
      phi);                                                                                                 \
  }                                                                                                         \
  static void acceleration_##slot(const double *theta, size_t n, const double position[], double a[])       \
  {                                                                                                         \
    accelerate(slot, theta, n, position, a);                                                                \
  }
/* clang-format off */
SLOT(0) SLOT(1) SLOT(2) SLOT(3) SLOT(4) SLOT(5) SLOT(6) SLOT(7)
/* clang-format on */

#define FUNCTIONS(slot)                                                                              \
  {                                                                                                  \
    .potential = potential_##slot, .force = force_##slot, .nonconservative = nonconservative_##slot, \
    .basis = basis_##slot, .drift = drift_##slot, .diffusion = diffusion_##slot,                     \
    .acceleration = acceleration_##slot                                                              \
  }
  static const fare_system_type functions[SLOTS] = {FUNCTIONS(0), FUNCTIONS(1), FUNCTIONS(2), FUNCTIONS(3),
    FUNCTIONS(4), FUNCTIONS(5), FUNCTIONS(6), FUNCTIONS(7)};

const fare_system_type *fare_ring_create(const fare_system_type *type)
{
  const fare_system_type *own;
  fare_system_type       *ring;
  int                     slot = 0;

  while (slot < SLOTS && slots[slot].own) slot++;
  if (slot == SLOTS) return NULL;
  slots[slot] = (struct slot){type, *type};
  ring        = &slots[slot].ring;
  own         = &functions[slot];
  if (type->potential) ring->potential = own->potential;
  if (type->force) ring->force = own->force;
  if (type->nonconservative) ring->nonconservative = own->nonconservative;
  if (type->basis) ring->basis = own->basis;
  if (type->drift) ring->drift = own->drift;
  if (type->diffusion) ring->diffusion = own->diffusion;
  if (type->acceleration) ring->acceleration = own->acceleration;
  return ring;
}

void fare_ring_destroy(const fare_system_type *ring)
{
  for (int slot = 0; slot < SLOTS; slot++) {
    if (ring == &slots[slot].ring) slots[slot].own = NULL;
  }
}
