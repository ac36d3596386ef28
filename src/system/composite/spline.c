/* SPDX-License-Identifier: BSD-2-Clause */
/*
  A potential without a formula: the cubic spline through values at evenly spaced knots along one axis,
  natural (straight beyond the first and the last knot) or periodic. Its second derivatives at the knots are a
  linear function of the values (de Boor, A Practical Guide to Splines, 1978). A constant force comes besides:
  around a ring no potential has it.
*/
#include "composite.h"

#include <fare/potential_spline.h>

#include <petscblaslapack.h>

#include <math.h>
#include <string.h>

struct fare_potential_spline {
  PetscInt64     knots;
  double         lower, upper;
  PetscBool      periodic;
  double         spacing;
  double         bend[FARE_POTENTIAL_KNOTS_MAX *
    FARE_POTENTIAL_KNOTS_MAX]; /* V'' at knot i per value at knot j: [i * knots + j] */
  fare_parameter parameters[FARE_PARAMETERS_MAX];
  char           names[FARE_POTENTIAL_KNOTS_MAX][8], descriptions[FARE_POTENTIAL_KNOTS_MAX][48];
};

static const fare_field fields[] = {
  {"knots", FARE_INTEGER, offsetof(fare_potential_spline, knots), NULL, FARE_POTENTIAL_KNOTS_MIN,
    FARE_POTENTIAL_KNOTS_MAX, NULL, "",
    "number of them, evenly spaced; the parameters V1, V2, ... are the values there"},
  {"lower", FARE_REAL, offsetof(fare_potential_spline, lower), NULL, -1e9, 1e9, NULL, "length", "first knot"},
  {"upper", FARE_REAL, offsetof(fare_potential_spline, upper), NULL, -1e9, 1e9, NULL, "length",
    "last knot; of a ring, where it closes"},
  {"periodic", FARE_BOOLEAN, offsetof(fare_potential_spline, periodic), "false", 0, 0, NULL, "",
    "close the axis to a ring"},
  FARE_FIELDS_END,
};

static const fare_potential_spline *spline_at(const double *theta)
{
  return fare_composite_at(theta)->state;
}

/* Second derivatives at the knots. */
static void find_bends(const fare_potential_spline *s, const double value[], double bend[])
{
  for (int i = 0; i < s->knots; i++) {
    bend[i] = 0;
    for (int j = 0; j < s->knots; j++) bend[i] += s->bend[i * s->knots + j] * value[j];
  }
}

/* The interval that a place lies in: knots at its ends, and how far along it is, in [0, 1] where inside. */
static double locate(const fare_potential_spline *s, double x, int *left, int *right)
{
  const int n     = (int)s->knots;
  double    along = (x - s->lower) / s->spacing;
  int       i;

  if (s->periodic) along -= n * floor(along / n);
  i      = (int)PetscMax(0, PetscMin(along, s->periodic ? n - 1 : n - 2));
  *left  = i;
  *right = (i + 1) % n;
  return along - i;
}

static void potential(int dim, const double *theta, size_t n, const double *const x[], double V[])
{
  const fare_potential_spline *s     = spline_at(theta);
  const double                *value = theta + FARE_POTENTIAL_SPLINE_VALUES, h = s->spacing;
  double                       bend[FARE_POTENTIAL_KNOTS_MAX];

  (void)dim;
  find_bends(s, value, bend);
  for (size_t i = 0; i < n; i++) {
    int          l, r;
    const double at = locate(s, x[0][i], &l, &r), b = PetscMax(0, PetscMin(1, at)), a = 1 - b;
    const double slope =
      (value[r] - value[l]) / h + h / 6 * ((3 * b * b - 1) * bend[r] - (3 * a * a - 1) * bend[l]);

    V[i] = a * value[l] + b * value[r] + h * h / 6 * ((a * a * a - a) * bend[l] + (b * b * b - b) * bend[r]);
    V[i] += (at - b) * h * slope; /* beyond the ends */
    if (!s->periodic) V[i] -= theta[FARE_POTENTIAL_SPLINE_FORCE] * x[0][i];
  }
}

static void force(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  const fare_potential_spline *s     = spline_at(theta);
  const double                *value = theta + FARE_POTENTIAL_SPLINE_VALUES, h = s->spacing;
  double                       bend[FARE_POTENTIAL_KNOTS_MAX];

  (void)dim;
  find_bends(s, value, bend);
  for (size_t i = 0; i < n; i++) {
    int          l, r;
    const double at = locate(s, x[0][i], &l, &r), b = PetscMax(0, PetscMin(1, at)), a = 1 - b;

    f[0][i] = theta[FARE_POTENTIAL_SPLINE_FORCE] - (value[r] - value[l]) / h -
      h / 6 * ((3 * b * b - 1) * bend[r] - (3 * a * a - 1) * bend[l]);
  }
}

static void nonconservative(
  int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  (void)dim;
  (void)x;
  for (size_t i = 0; i < n; i++) f[0][i] = theta[FARE_POTENTIAL_SPLINE_FORCE];
}

/* Of the spline through 1 at one knot and 0 at all others, for every knot. */
static PetscErrorCode find_basis(fare_potential_spline *s)
{
  const int    n                                                                             = (int)s->knots;
  const double h                                                                             = s->spacing;
  double       A[FARE_POTENTIAL_KNOTS_MAX * FARE_POTENTIAL_KNOTS_MAX]                        = {0},
                                      B[FARE_POTENTIAL_KNOTS_MAX * FARE_POTENTIAL_KNOTS_MAX] = {0};
  PetscBLASInt size = n, pivot[FARE_POTENTIAL_KNOTS_MAX], info;

  PetscFunctionBegin;
  for (int i = 0; i < n; i++) {
    const int before = (i + n - 1) % n, after = (i + 1) % n;

    if (!s->periodic && (i == 0 || i == n - 1)) {
      A[i * n + i] = 1;
      continue;
    }
    A[i + n * i]      = 4;
    A[i + n * before] = A[i + n * after] = 1;
    B[i + n * i]                         = -12 / (h * h);
    B[i + n * before] = B[i + n * after] = 6 / (h * h);
  }
  PetscCallBLAS("LAPACKgesv", LAPACKgesv_(&size, &size, A, &size, pivot, B, &size, &info));
  if (info) FARE_FAIL(FARE_ERR_FAILED, "no spline through these knots (LAPACK: %d)", (int)info);
  for (int i = 0; i < n; i++)
    for (int j = 0; j < n; j++) s->bend[i * n + j] = B[i + n * j];
  PetscFunctionReturn(0);
}

static void make_table(fare_potential_spline *s)
{
  static const fare_parameter first[] = {
    FARE_COMMON_PARAMETERS,
    {"force", 0.0, -1e6, 1e6, "constant force along x; around a ring no potential has it"},
  };
  const int own = (int)PETSC_STATIC_ARRAY_LENGTH(first);

  memcpy(s->parameters, first, sizeof first);
  for (int k = 0; k < s->knots; k++) {
    snprintf(s->names[k], sizeof s->names[k], "V%d", k + 1);
    snprintf(s->descriptions[k], sizeof s->descriptions[k], "potential at x = %.6g",
      fare_potential_spline_knot(s, k));
    s->parameters[own + k] = (fare_parameter){s->names[k], 0, -1e9, 1e9, s->descriptions[k]};
  }
  s->parameters[own + s->knots] = (fare_parameter)FARE_PARAMETERS_END;
}

static PetscErrorCode read(const fare_node *section, fare_composite *c)
{
  fare_potential_spline *s = c->state;

  PetscFunctionBegin;
  if (!(s->lower < s->upper))
    FARE_REFUSE(fare_node_find(section, "upper"), "the last knot, %g, is not above the first one, %g",
      s->upper, s->lower);
  s->spacing = (s->upper - s->lower) / (double)(s->periodic ? s->knots : s->knots - 1);
  PetscCall(find_basis(s));
  make_table(s);
  c->type.dimension_min = c->type.dimension_max = 1;
  c->type.parameters                            = s->parameters;
  c->type.lower[0]                              = s->lower;
  c->type.upper[0]                              = s->upper;
  c->type.periodic[0]                           = s->periodic;
  c->type.potential                             = potential;
  c->type.force                                 = force;
  if (s->periodic) c->type.nonconservative = nonconservative;
  PetscFunctionReturn(0);
}

static void write(const fare_composite *c, fare_text *to)
{
  fare_fields_write(fields, c->state, 2, to);
}

const fare_composite_kind fare_composite_spline = {
  .name      = "spline",
  .summary   = "a potential without a formula: the spline through values at knots along one axis",
  .reference = "de Boor, A Practical Guide to Splines (Springer, 1978)",
  .size      = sizeof(fare_potential_spline),
  .fields    = fields,
  .read      = read,
  .write     = write,
};

const fare_potential_spline *fare_potential_spline_of(const fare_system *system)
{
  const fare_composite *c = system->origin.composite;

  return c && c->kind == &fare_composite_spline ? c->state : NULL;
}

double fare_potential_spline_knot(const fare_potential_spline *s, int k)
{
  return s->lower + k * s->spacing;
}

/* Between two knots V'' is straight: h/3 (a^2 + ab + b^2) is the integral of its square. */
void fare_potential_spline_roughness(const fare_potential_spline *s, double S[])
{
  const int n = (int)s->knots, intervals = s->periodic ? n : n - 1;

  memset(S, 0, (size_t)(n * n) * sizeof *S);
  for (int i = 0; i < intervals; i++) {
    const double *a = s->bend + i * n, *b = s->bend + (i + 1) % n * n;

    for (int j = 0; j < n; j++)
      for (int k = 0; k < n; k++)
        S[j * n + k] += s->spacing / 3 * (a[j] * a[k] + 0.5 * (a[j] * b[k] + b[j] * a[k]) + b[j] * b[k]);
  }
}
