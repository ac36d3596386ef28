/* SPDX-License-Identifier: BSD-2-Clause */
/*
  A driven system with the force that lets its density follow Boltzmann's, whatever the speed of the drive:

    F = kT grad phi(x, l) dl/dt,  L(l)^T phi = -d ln pi_l/dl,

  beside its potential. The analysis `counterdiabatic` has found phi at the centres of cells, for some values
  of the parameter l. Between these it is a sum of Chebyshev polynomials, and between centres that of cubic
  B-splines through the values there, whose gradient the force has exactly. Ends that reflect mirror them.
*/
#include "composite.h"

#include <fare/store.h>

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NODES_MAX 65

typedef struct {
  /* keys */
  const fare_node *unit_node;
  char            *file, *analysis, *hash;
  /* what they make */
  char          *path;
  fare_system   *unit;
  int            place, assist; /* of the parameter that moves, and of `assist` */
  int            dim, nodes, cells[FARE_DIM_MAX];
  size_t         all; /* cells */
  double         lower[FARE_DIM_MAX], spacing[FARE_DIM_MAX], range[2];
  PetscBool      periodic[FARE_DIM_MAX];
  double        *table;  /* [polynomial][cell], of B-splines */
  double        *moment; /* [cell], of the value that was asked for last */
  double         value;
  fare_parameter parameters[FARE_PARAMETERS_MAX];
} counterdiabatic;

static const fare_field fields[] = {
  {"unit", FARE_NODE, offsetof(counterdiabatic, unit_node), NULL, 0, 0, NULL, "",
    "the section `system` of the study that has found the force"},
  {"file", FARE_STRING, offsetof(counterdiabatic, file), NULL, 0, 0, NULL, "",
    "study.h5 of that study; a relative path starts from the study file"},
  {"analysis", FARE_STRING, offsetof(counterdiabatic, analysis), NULL, 0, 0, NULL, "",
    "name of the analysis `counterdiabatic` in it"},
  {"hash", FARE_STRING, offsetof(counterdiabatic, hash), "", 0, 0, NULL, "",
    "of the numbers of the force, as a resolved study has it: others are refused"},
  FARE_FIELDS_END,
};

/* The table at a value of the parameter; kept until another one is asked for. */
static const double *at_value(counterdiabatic *s, double value)
{
  const double x    = (2 * value - s->range[0] - s->range[1]) / (s->range[1] - s->range[0]);
  double       T[3] = {1, x, 0};

  if (value == s->value) return s->moment;
  memset(s->moment, 0, s->all * sizeof *s->moment);
  for (int k = 0; k < s->nodes; k++) {
    const double  t    = k < 2 ? T[k] : (T[2] = 2 * x * T[1] - T[0]);
    const double *from = s->table + (size_t)k * s->all;

    if (k >= 2) T[0] = T[1], T[1] = T[2];
    for (size_t i = 0; i < s->all; i++) s->moment[i] += t * from[i];
  }
  s->value = value;
  return s->moment;
}

/* The four B-splines at x along an axis: cells, weights, slopes. */
static void splines_at(
  const counterdiabatic *s, int axis, double x, int cell[4], double weight[4], double slope[4])
{
  const int n = s->cells[axis];
  double    u = (x - s->lower[axis]) / s->spacing[axis] - 0.5, t;
  int       below;

  if (!s->periodic[axis]) u = PetscMax(-0.5, PetscMin(n - 0.5, u));
  below     = (int)floor(u);
  t         = u - below;
  weight[0] = (1 - t) * (1 - t) * (1 - t) / 6;
  weight[1] = (4 + 3 * t * t * (t - 2)) / 6;
  weight[2] = (1 + 3 * t * (1 + t * (1 - t))) / 6;
  weight[3] = t * t * t / 6;
  slope[0]  = -0.5 * (1 - t) * (1 - t) / s->spacing[axis];
  slope[1]  = 0.5 * t * (3 * t - 4) / s->spacing[axis];
  slope[2]  = 0.5 * (1 + t * (2 - 3 * t)) / s->spacing[axis];
  slope[3]  = 0.5 * t * t / s->spacing[axis];
  for (int k = 0; k < 4; k++) {
    int i = below - 1 + k;

    if (s->periodic[axis])
      i = ((i % n) + n) % n;
    else
      i = i < 0 ? -1 - i : i >= n ? 2 * n - 1 - i : i;
    cell[k] = i;
  }
}

static void gradient_at(const counterdiabatic *s, const double table[], const double x[], double gradient[])
{
  int    cell[FARE_DIM_MAX][4] = {{0}};
  double weight[FARE_DIM_MAX][4], slope[FARE_DIM_MAX][4];
  int    count[FARE_DIM_MAX] = {4, s->dim > 1 ? 4 : 1, s->dim > 2 ? 4 : 1};

  for (int axis = 0; axis < FARE_DIM_MAX; axis++) {
    weight[axis][0] = 1;
    if (axis < s->dim) splines_at(s, axis, x[axis], cell[axis], weight[axis], slope[axis]);
  }
  for (int axis = 0; axis < s->dim; axis++) gradient[axis] = 0;
  for (int k = 0; k < count[2]; k++) {
    for (int j = 0; j < count[1]; j++) {
      const double *row = table +
        (size_t)s->cells[0] *
          ((size_t)cell[1][j] + (size_t)(s->dim > 1 ? s->cells[1] : 1) * (size_t)cell[2][k]);
      double value = 0, along = 0;

      for (int i = 0; i < 4; i++) {
        value += weight[0][i] * row[cell[0][i]];
        along += slope[0][i] * row[cell[0][i]];
      }
      gradient[0] += weight[1][j] * weight[2][k] * along;
      if (s->dim > 1) gradient[1] += slope[1][j] * weight[2][k] * value;
      if (s->dim > 2) gradient[2] += weight[1][j] * slope[2][k] * value;
    }
  }
}

/* f = or += kT assist dl/dt grad phi. */
static void add_force(
  const double *theta, size_t n, const double *const x[], double *const f[], PetscBool add)
{
  counterdiabatic *s   = fare_composite_at(theta)->state;
  const double  factor = theta[FARE_KT] * theta[s->assist] * fare_composite_rates(theta)[s->place - FARE_OWN];
  const double *table  = factor != 0 ? at_value(s, theta[s->place]) : NULL;

  for (int axis = 0; axis < s->dim && !add; axis++) memset(f[axis], 0, n * sizeof *f[axis]);
  for (size_t i = 0; i < n && table; i++) {
    double point[FARE_DIM_MAX], gradient[FARE_DIM_MAX];

    for (int axis = 0; axis < s->dim; axis++) point[axis] = x[axis][i];
    gradient_at(s, table, point, gradient);
    for (int axis = 0; axis < s->dim; axis++) f[axis][i] += factor * gradient[axis];
  }
}

static void nonconservative(
  int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  (void)dim;
  add_force(theta, n, x, f, PETSC_FALSE);
}

static void force(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  ((const counterdiabatic *)fare_composite_at(theta)->state)->unit->type->force(dim, theta, n, x, f);
  add_force(theta, n, x, f, PETSC_TRUE);
}

static PetscErrorCode read_unit(fare_composite *c)
{
  counterdiabatic *s    = c->state;
  const fare_node *name = fare_node_find(s->unit_node, "name");

  PetscFunctionBegin;
  if (fare_node_kind_of(s->unit_node) != FARE_NODE_MAP)
    FARE_REFUSE(s->unit_node, "expected a section `system`, say {name: prinz}");
  if (name && fare_node_kind_of(name) == FARE_NODE_SCALAR && fare_composite_kind_find(fare_node_text(name)))
    FARE_REFUSE(s->unit_node, "'%s' is made of other systems, and cannot be a unit", fare_node_text(name));
  PetscCall(c->read_unit(s->unit_node, NULL, &s->unit));
  if (!fare_system_is_gradient(s->unit) || s->unit->course)
    FARE_REFUSE(s->unit_node,
      "expected a system whose whole force is the gradient of a potential, in which only parameters move");
  PetscFunctionReturn(0);
}

/* A list of `count` numbers of the analysis. */
static PetscErrorCode read_list(
  fare_store *store, const char *group, const char *name, int count, double value[])
{
  const uint64_t start[4] = {0};
  uint64_t       extent[4];
  int            rank;
  char           path[256];

  PetscFunctionBegin;
  snprintf(path, sizeof path, "%s/%s", group, name);
  PetscCall(fare_store_extents(store, path, &rank, extent));
  if (rank != 1 || extent[0] != (uint64_t)count)
    FARE_FAIL(FARE_ERR_INPUT, "expected %d numbers in '%s'", count, path);
  PetscCall(fare_store_read(store, path, FARE_STORE_FLOAT64, 1, start, extent, value));
  PetscFunctionReturn(0);
}

static PetscErrorCode read_grid(fare_store *store, const char *group, counterdiabatic *s)
{
  double cells[FARE_DIM_MAX], upper[FARE_DIM_MAX], periodic[FARE_DIM_MAX];

  PetscFunctionBegin;
  PetscCall(read_list(store, group, "cells", s->dim, cells));
  PetscCall(read_list(store, group, "lower", s->dim, s->lower));
  PetscCall(read_list(store, group, "upper", s->dim, upper));
  PetscCall(read_list(store, group, "periodic", s->dim, periodic));
  PetscCall(read_list(store, group, "range", 2, s->range));
  s->all = 1;
  for (int axis = 0; axis < s->dim; axis++) {
    s->cells[axis]    = (int)cells[axis];
    s->spacing[axis]  = (upper[axis] - s->lower[axis]) / cells[axis];
    s->periodic[axis] = periodic[axis] > 0 ? PETSC_TRUE : PETSC_FALSE;
    s->all *= (size_t)s->cells[axis];
    if (s->cells[axis] < 4) FARE_FAIL(FARE_ERR_INPUT, "expected 4 cells or more along each axis");
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode read_field(fare_store *store, const char *path, counterdiabatic *s)
{
  const uint64_t start[4] = {0};
  uint64_t       extent[4];
  int            rank;

  PetscFunctionBegin;
  PetscCall(fare_store_extents(store, path, &rank, extent));
  if (rank != 2 || extent[0] < 2 || extent[0] > NODES_MAX || extent[1] != s->all)
    FARE_FAIL(FARE_ERR_INPUT, "expected a table of %zu cells in '%s'", s->all, path);
  s->nodes  = (int)extent[0];
  s->table  = malloc((size_t)s->nodes * s->all * sizeof *s->table);
  s->moment = malloc(s->all * sizeof *s->moment);
  s->value  = NAN;
  if (!s->table || !s->moment) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  PetscCall(fare_store_read(store, path, FARE_STORE_FLOAT64, 2, start, extent, s->table));
  PetscFunctionReturn(0);
}

/* The centre of a cell. */
static void centre_of(const counterdiabatic *s, size_t cell, double x[])
{
  for (int axis = 0; axis < s->dim; axis++, cell /= (size_t)s->cells[axis - 1])
    x[axis] = s->lower[axis] + s->spacing[axis] * ((double)(cell % (size_t)s->cells[axis]) + 0.5);
}

/* That the unit is the system which the force was found for: its parameters, and V at some centres. */
static PetscErrorCode check_unit(fare_store *store, const char *group, const counterdiabatic *s)
{
  const fare_parameter *row                        = s->unit->type->parameters;
  const size_t          compare                    = 64;
  double                theta[FARE_PARAMETERS_MAX] = {0}, *V;
  int                   count                      = 0;
  PetscErrorCode        code;

  PetscFunctionBegin;
  while (row[count].name) count++;
  PetscCall(read_list(store, group, "parameters", count, theta));
  for (int k = 0; k < count; k++) {
    if (k != s->place && fabs(theta[k] - s->unit->base[k]) > 1e-12 * fabs(theta[k]))
      FARE_FAIL(FARE_ERR_INPUT, "the force is for %s = %g, and the unit has %g", row[k].name, theta[k],
        s->unit->base[k]);
  }
  V = malloc(s->all * sizeof *V);
  if (!V) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  code = read_list(store, group, "potential", (int)s->all, V);
  for (size_t i = 0; i < s->all && !code; i += 1 + s->all / compare) {
    double        x[FARE_DIM_MAX], own;
    const double *at[] = {&x[0], &x[1], &x[2]};

    centre_of(s, i, x);
    s->unit->type->potential(s->dim, theta, 1, at, &own);
    if (!(fabs(own - V[i]) <= 1e-9 * (1 + fabs(V[i]))))
      code = fare_error(FARE_ERR_INPUT, "the force is for another potential than the unit's");
  }
  free(V);
  PetscFunctionReturn(code);
}

/* The parameter that the analysis has moved is in the name of its field. */
static PetscErrorCode read_store(fare_store *store, counterdiabatic *s)
{
  const fare_parameter *row = s->unit->type->parameters;
  char                  group[128], path[256], kind[64] = "";
  PetscBool             has;

  PetscFunctionBegin;
  snprintf(group, sizeof group, "/analysis/%.100s", s->analysis);
  PetscCall(fare_store_has(store, group, &has));
  if (has) PetscCall(fare_store_get_string(store, group, "kind", sizeof kind, kind));
  if (strcmp(kind, "counterdiabatic"))
    FARE_FAIL(FARE_ERR_INPUT, "it has no analysis '%s' of kind counterdiabatic", s->analysis);
  s->dim = s->unit->dimension;
  has    = PETSC_FALSE;
  for (s->place = FARE_OWN; row[s->place].name; s->place++) {
    snprintf(path, sizeof path, "%s/field_%.64s", group, row[s->place].name);
    PetscCall(fare_store_has(store, path, &has));
    if (has) break;
  }
  if (!has)
    FARE_FAIL(
      FARE_ERR_INPUT, "analysis '%s' has failed there, or is of another system than the unit", s->analysis);
  PetscCall(read_grid(store, group, s));
  PetscCall(read_field(store, path, s));
  PetscCall(check_unit(store, group, s));
  PetscFunctionReturn(0);
}

static PetscErrorCode read_file(const fare_node *node, counterdiabatic *s)
{
  fare_store    *store;
  char          *path = NULL, why[512], full[PATH_MAX];
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(fare_node_path(node, &path));
  code = fare_store_open(PETSC_COMM_SELF, path, &store);
  if (!code) {
    code = read_store(store, s);
    PetscCall(fare_store_close(&store));
  }
  s->path = strdup(!code && realpath(path, full) ? full : path);
  free(path);
  if (!code) PetscFunctionReturn(0);
  PetscCall(PetscStrncpy(why, fare_error_message(), sizeof why));
  FARE_REFUSE(node, "not usable: %s", why);
}

/*
  B-splines through values along a line, in place: (c_(i-1) + 4 c_i + c_(i+1))/6 = v_i, by sweeps that leave a
  quarter of the error each.
*/
static void find_splines(const counterdiabatic *s, int axis, double v[], size_t stride, double value[])
{
  const int n = s->cells[axis], sweeps = 30;

  for (int i = 0; i < n; i++) value[i] = v[(size_t)i * stride];
  for (int sweep = 0; sweep < sweeps; sweep++) {
    for (int i = 0; i < n; i++) {
      const int below = i   ? i - 1
        : s->periodic[axis] ? n - 1
                            : 0,
                above = i < n - 1 ? i + 1
        : s->periodic[axis]       ? 0
                                  : n - 1;

      /* an end mirrors: what is beyond is this one itself */
      v[(size_t)i * stride] = below == i ? (6 * value[i] - v[(size_t)above * stride]) / 5
        : above == i                     ? (6 * value[i] - v[(size_t)below * stride]) / 5
                     : (6 * value[i] - v[(size_t)below * stride] - v[(size_t)above * stride]) / 4;
    }
  }
}

static PetscErrorCode make_splines(counterdiabatic *s)
{
  size_t  stride = 1;
  double *value  = malloc(s->all * sizeof *value);

  PetscFunctionBegin;
  if (!value) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  for (int axis = 0; axis < s->dim; axis++) {
    const size_t n = (size_t)s->cells[axis];

    for (size_t i = 0; i < (size_t)s->nodes * s->all; i++) {
      if (i / stride % n == 0) find_splines(s, axis, s->table + i, stride, value);
    }
    stride *= n;
  }
  free(value);
  PetscFunctionReturn(0);
}

/* The unit's table, of which one parameter has the range that is known and others stay; and `assist` behind.
 */
static PetscErrorCode make_parameters(const fare_node *section, counterdiabatic *s)
{
  const fare_parameter *row   = s->unit->type->parameters;
  fare_parameter       *moved = &s->parameters[s->place];
  const double          slack = 1e-9 * (s->range[1] - s->range[0]);
  int                   count = 0;

  PetscFunctionBegin;
  for (; row[count].name; count++) {
    s->parameters[count]       = row[count];
    s->parameters[count].value = s->unit->base[count];
    if (count == s->place) continue;
    s->parameters[count].min = s->parameters[count].max = s->unit->base[count];
  }
  if (count + 1 >= FARE_RATES || s->place - FARE_OWN >= FARE_SELF - FARE_RATES)
    FARE_REFUSE(section, "the unit has too many parameters");
  s->assist            = count;
  s->parameters[count] = (fare_parameter){"assist", 1, -1e3, 1e3, "factor of the force that is added"};
  moved->min           = PetscMax(moved->min, s->range[0] - slack);
  moved->max           = PetscMin(moved->max, s->range[1] + slack);
  if (!(moved->value >= moved->min && moved->value <= moved->max))
    FARE_REFUSE(s->unit_node, "%s = %g is outside the range for which the force was found, [%g, %g]",
      moved->name, moved->value, s->range[0], s->range[1]);
  PetscFunctionReturn(0);
}

/* Of the table, and of where it is given. */
static void hash_of(const counterdiabatic *s, char text[32])
{
  const size_t axes = (size_t)s->dim;
  uint64_t     hash = fare_hash_on(FARE_HASH_OFFSET, s->table, (size_t)s->nodes * s->all * sizeof *s->table);

  hash = fare_hash_on(hash, s->range, sizeof s->range);
  hash = fare_hash_on(hash, s->cells, axes * sizeof *s->cells);
  hash = fare_hash_on(hash, s->lower, axes * sizeof *s->lower);
  hash = fare_hash_on(hash, s->spacing, axes * sizeof *s->spacing);
  hash = fare_hash_on(hash, s->periodic, axes * sizeof *s->periodic);
  snprintf(text, 32, "%016" PRIx64, hash);
}

static PetscErrorCode check_hash(const fare_node *section, const counterdiabatic *s)
{
  char hash[32];

  PetscFunctionBegin;
  hash_of(s, hash);
  if (s->hash && *s->hash && strcmp(s->hash, hash))
    FARE_REFUSE(fare_node_find(section, "file"),
      "the force has changed: it has the hash %s, and the study is one of %s", hash, s->hash);
  PetscFunctionReturn(0);
}

static PetscErrorCode read(const fare_node *section, fare_composite *c)
{
  counterdiabatic        *s    = c->state;
  fare_system_type       *type = &c->type;
  const fare_system_type *unit;

  PetscFunctionBegin;
  PetscCall(read_unit(c));
  PetscCall(read_file(fare_node_find(section, "file"), s));
  PetscCall(make_splines(s));
  PetscCall(check_hash(section, s));
  PetscCall(make_parameters(section, s));
  unit                = s->unit->type;
  type->dimension_min = type->dimension_max = s->dim;
  type->parameters                          = s->parameters;
  memcpy(type->axes, unit->axes, sizeof type->axes);
  memcpy(type->lower, unit->lower, sizeof type->lower);
  memcpy(type->upper, unit->upper, sizeof type->upper);
  memcpy(type->periodic, unit->periodic, sizeof type->periodic);
  type->potential       = unit->potential; /* its parameters are where they are in the unit's table */
  type->basis_count     = unit->basis_count;
  type->basis           = unit->basis;
  type->coefficients    = unit->coefficients;
  type->force           = force;
  type->nonconservative = nonconservative;
  c->rates              = s->place - FARE_OWN + 1;
  PetscFunctionReturn(0);
}

static void write(const fare_composite *c, fare_text *to)
{
  const counterdiabatic *s = c->state;
  char                   hash[32];

  fare_text_add(to, "  unit:\n");
  fare_composite_write_unit(c, s->unit, 2, to);
  fare_text_add(to, "  file: '");
  for (const char *at = s->path; *at; at++) fare_text_add(to, *at == '\'' ? "''" : "%c", *at);
  hash_of(s, hash);
  fare_text_add(to, "'\n  analysis: %s\n  hash: '%s'\n", s->analysis, hash);
}

static void release(fare_composite *c)
{
  counterdiabatic *s = c->state;

  PetscCallVoid(fare_system_destroy(&s->unit));
  free(s->path);
  free(s->table);
  free(s->moment);
}

const fare_composite_kind fare_composite_counterdiabatic = {
  .name    = "counterdiabatic",
  .summary = "a driven system with the force that keeps its density at the Boltzmann density at any speed",
  .reference =
    "Patra and Jarzynski, New J. Phys. 19, 125009 (2017); Martinez et al., Nat. Phys. 12, 843 (2016)",
  .size   = sizeof(counterdiabatic),
  .fields = fields,
  .read   = read,
  .write  = write,
  .free   = release,
};
