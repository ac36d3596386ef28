/* SPDX-License-Identifier: BSD-2-Clause */
/* A control by its value on a grid: kept, read from a study, and looked up. */
#include "system.h"

#include <fare/feedback.h>
#include <fare/store.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fare_feedback {
  fare_feedback_shape shape;
  size_t              cells, numbers; /* numbers: of a moment */
  double             *value;          /* [moment * numbers + axis * cells + cell], of V without axis */
};

static size_t cells_of(const fare_feedback_shape *shape)
{
  size_t cells = 1;

  for (int axis = 0; axis < shape->dim; axis++) cells *= (size_t)shape->cells[axis];
  return cells;
}

static PetscErrorCode create(const fare_feedback_shape *shape, fare_feedback **feedback)
{
  PetscFunctionBegin;
  PetscCall(PetscNew(feedback));
  (*feedback)->shape   = *shape;
  (*feedback)->cells   = cells_of(shape);
  (*feedback)->numbers = (*feedback)->cells * (size_t)(shape->slopes ? shape->dim : 1);
  PetscCall(PetscMalloc1((size_t)shape->moments * (*feedback)->numbers, &(*feedback)->value));
  PetscFunctionReturn(0);
}

/* What cannot be met from somewhere has no value there: it is as high as the highest beside it. */
static void cap(size_t cells, double value[])
{
  double most = -HUGE_VAL;

  for (size_t i = 0; i < cells; i++) most = isfinite(value[i]) ? PetscMax(most, value[i]) : most;
  for (size_t i = 0; i < cells; i++) value[i] = isfinite(value[i]) ? value[i] : most;
}

PetscErrorCode fare_feedback_create(
  const fare_feedback_shape *shape, double *const value[], fare_feedback **feedback)
{
  fare_feedback *f;

  PetscFunctionBegin;
  PetscCall(create(shape, feedback));
  f = *feedback;
  for (int k = 0; k < shape->moments; k++) {
    PetscCall(PetscArraycpy(f->value + (size_t)k * f->numbers, value[k], f->numbers));
    if (!shape->slopes) cap(f->cells, f->value + (size_t)k * f->cells);
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_feedback_destroy(fare_feedback **feedback)
{
  PetscFunctionBegin;
  if (!*feedback) PetscFunctionReturn(0);
  PetscCall(PetscFree((*feedback)->value));
  PetscCall(PetscFree(*feedback));
  PetscFunctionReturn(0);
}

const fare_feedback_shape *fare_feedback_shape_of(const fare_feedback *feedback)
{
  return &feedback->shape;
}

uint64_t fare_feedback_hash(const fare_feedback *f)
{
  const fare_feedback_shape *s       = &f->shape;
  const double               times[] = {s->begin, s->end};
  uint64_t                   hash =
    fare_hash_on(FARE_HASH_OFFSET, f->value, (size_t)s->moments * f->numbers * sizeof *f->value);

  hash = fare_hash_on(hash, times, sizeof times);
  hash = fare_hash_on(hash, &s->moments, sizeof s->moments);
  hash = fare_hash_on(hash, s->cells, (size_t)s->dim * sizeof *s->cells);
  hash = fare_hash_on(hash, s->lower, (size_t)s->dim * sizeof *s->lower);
  hash = fare_hash_on(hash, s->spacing, (size_t)s->dim * sizeof *s->spacing);
  return fare_hash_on(hash, s->periodic, (size_t)s->dim * sizeof *s->periodic);
}

/* The only analysis of its kind, or the one of that name: its group. */
static PetscErrorCode find_group(fare_store *store, const char *analysis, size_t size, char group[])
{
  char      name[64], path[96], kind[64];
  PetscBool has   = PETSC_TRUE;
  int       count = 0;

  PetscFunctionBegin;
  PetscCall(fare_store_has(store, "/analysis", &has));
  for (PetscInt64 i = 0; has; i++) {
    PetscCall(fare_store_child(store, "/analysis", (size_t)i, sizeof name, name, &has));
    if (!has || (analysis && strcmp(name, analysis))) continue;
    snprintf(path, sizeof path, "/analysis/%s", name);
    PetscCall(fare_store_get_string(store, path, "kind", sizeof kind, kind));
    if (strcmp(kind, "bridge")) continue;
    count++;
    snprintf(group, size, "%s", path);
  }
  if (!count)
    FARE_FAIL(FARE_ERR_FAILED, "it has no analysis %s%sof kind 'bridge'", analysis ? analysis : "",
      analysis ? " " : "");
  if (count > 1) FARE_FAIL(FARE_ERR_FAILED, "it has several analyses of kind 'bridge': name one of them");
  PetscFunctionReturn(0);
}

static PetscErrorCode read_moments(fare_store *store, const char *group, fare_feedback_shape *shape)
{
  uint64_t extent[4];
  double  *time;
  char     path[128];
  int      rank;

  PetscFunctionBegin;
  snprintf(path, sizeof path, "%s/moments", group);
  PetscCall(fare_store_extents(store, path, &rank, extent));
  if (rank != 1 || extent[0] < 4) FARE_FAIL(FARE_ERR_FAILED, "it holds fewer than 4 moments");
  PetscCall(PetscMalloc1(extent[0], &time));
  PetscCall(fare_store_read_array(store, path, FARE_STORE_FLOAT64, 1, extent, time));
  shape->moments = (int)extent[0];
  shape->begin   = time[0];
  shape->end     = time[shape->moments - 1];
  PetscCall(PetscFree(time));
  PetscFunctionReturn(0);
}

static PetscErrorCode read_cells(fare_store *store, const char *group, int dim, fare_feedback_shape *shape)
{
  uint64_t extent[4];
  double   spacing[FARE_DIM_MAX], lower[FARE_DIM_MAX], periodic[FARE_DIM_MAX];
  char     path[128];

  PetscFunctionBegin;
  snprintf(path, sizeof path, "%s/meshes/value_0", group);
  PetscCall(fare_store_extents(store, path, &shape->dim, extent));
  if (shape->dim != dim)
    FARE_FAIL(FARE_ERR_FAILED, "its grid has %d dimension%s, the system %d", shape->dim,
      shape->dim > 1 ? "s" : "", dim);
  PetscCall(fare_store_get_reals(store, path, "gridSpacing", (size_t)dim, spacing));
  PetscCall(fare_store_get_reals(store, path, "gridGlobalOffset", (size_t)dim, lower));
  snprintf(path, sizeof path, "%s/periodic", group);
  PetscCall(fare_store_read_array(store, path, FARE_STORE_FLOAT64, 1, &(uint64_t){(uint64_t)dim}, periodic));
  for (int axis = 0; axis < dim; axis++) {
    shape->cells[axis]    = (int64_t)extent[dim - 1 - axis];
    shape->spacing[axis]  = spacing[dim - 1 - axis];
    shape->lower[axis]    = lower[dim - 1 - axis];
    shape->periodic[axis] = periodic[axis] != 0 ? PETSC_TRUE : PETSC_FALSE;
  }
  PetscFunctionReturn(0);
}

/* Rows of moments and axes, of a control that was tried. */
static PetscErrorCode read_tried(fare_store *store, const char *group, const char *tried, fare_feedback *f)
{
  const uint64_t wanted[] = {(uint64_t)(f->shape.moments * f->shape.dim), (uint64_t)f->cells};
  uint64_t       extent[4];
  char           path[192];
  PetscBool      has;
  int            rank;

  PetscFunctionBegin;
  snprintf(path, sizeof path, "%s/control_%.64s", group, tried);
  PetscCall(fare_store_has(store, path, &has));
  if (!has)
    FARE_FAIL(FARE_ERR_FAILED,
      "there is no control '%s' in it: its `controllers` keep linear, learned_0, ...", tried);
  PetscCall(fare_store_extents(store, path, &rank, extent));
  if (rank != 2 || extent[0] != wanted[0] || extent[1] != wanted[1])
    FARE_FAIL(FARE_ERR_FAILED, "its control '%s' is not one of its moments and cells", tried);
  PetscCall(fare_store_read_array(store, path, FARE_STORE_FLOAT64, 2, wanted, f->value));
  for (size_t i = 0; i < (size_t)f->shape.moments * f->numbers; i++) {
    if (!isfinite(f->value[i]))
      FARE_FAIL(FARE_ERR_FAILED, "its control '%s' is not a number somewhere", tried);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode read(
  fare_store *store, const char *analysis, const char *tried, int dim, fare_feedback **feedback)
{
  fare_feedback_shape shape = {0};
  char                group[96], path[128];
  uint64_t            extent[FARE_DIM_MAX];

  PetscFunctionBegin;
  PetscCall(find_group(store, analysis, sizeof group, group));
  PetscCall(read_moments(store, group, &shape));
  PetscCall(read_cells(store, group, dim, &shape));
  shape.slopes = tried ? PETSC_TRUE : PETSC_FALSE;
  PetscCall(create(&shape, feedback));
  if (tried) PetscCall(read_tried(store, group, tried, *feedback));
  for (int axis = 0; axis < dim; axis++) extent[axis] = (uint64_t)shape.cells[dim - 1 - axis];
  for (int k = 0; k < shape.moments && !tried; k++) {
    snprintf(path, sizeof path, "%s/meshes/value_%d", group, k);
    PetscCall(fare_store_read_array(
      store, path, FARE_STORE_FLOAT64, dim, extent, (*feedback)->value + (size_t)k * (*feedback)->cells));
    cap((*feedback)->cells, (*feedback)->value + (size_t)k * (*feedback)->cells);
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_feedback_read(
  const fare_node *node, const char *analysis, const char *tried, int dim, fare_feedback **feedback)
{
  char           why[512], *path;
  fare_store    *store;
  PetscErrorCode code;

  PetscFunctionBegin;
  *feedback = NULL;
  PetscCall(fare_node_path(node, &path));
  code = fare_store_open(PETSC_COMM_SELF, path, &store);
  free(path);
  if (!code) {
    code = read(store, analysis, tried, dim, feedback);
    PetscCall(fare_store_close(&store));
  }
  if (!code) PetscFunctionReturn(0);
  PetscCall(PetscStrncpy(why, fare_error_message(), sizeof why));
  PetscCall(fare_feedback_destroy(feedback));
  FARE_REFUSE(
    node, "not usable as a control, the study.h5 of a study with an analysis of kind 'bridge': %s", why);
}

double fare_feedback_time(const fare_feedback_shape *s, int moment)
{
  return s->end - (s->end - s->begin) * PetscSqr(1 - (double)moment / (s->moments - 1));
}

double fare_feedback_moment(const fare_feedback_shape *s, double t)
{
  const double left = PetscMax(0, PetscMin(1, (s->end - t) / (s->end - s->begin)));

  return (1 - sqrt(left)) * (s->moments - 1);
}

/* The weights of four moments, the first of which is `first`. */
static void place_in_time(const fare_feedback_shape *s, double t, int *first, double w[4])
{
  const double at = fare_feedback_moment(s, t);
  const int    k  = PetscMax(0, PetscMin(s->moments - 2, (int)floor(at)));
  const double f  = at - k;
  double v[4] = {0.5 * f * (-1 + f * (2 - f)), 1 + 0.5 * f * f * (3 * f - 5), 0.5 * f * (1 + f * (4 - 3 * f)),
    0.5 * f * f * (f - 1)};

  *first = PetscMax(0, PetscMin(s->moments - 4, k - 1));
  memset(w, 0, 4 * sizeof *w);
  /* beyond the ends, by the parabola through the three that are next to it */
  for (int i = 0; i < 4; i++) {
    const int moment = k - 1 + i - *first;

    if (moment >= 0 && moment < 4) w[moment] += v[i];
    if (moment < 0) w[0] += 3 * v[i], w[1] -= 3 * v[i], w[2] += v[i];
    if (moment > 3) w[3] += 3 * v[i], w[2] -= 3 * v[i], w[1] += v[i];
  }
}

/* Of the three cells along an axis that x is nearest to: which, and the weights of value and slope. */
typedef struct {
  size_t at[3];
  double value[3], slope[3];
} stencil;

static void place(const fare_feedback_shape *s, int axis, double x, size_t stride, stencil *to)
{
  const int64_t n  = s->cells[axis];
  double        at = (x - s->lower[axis]) / s->spacing[axis], f;
  int64_t       i;

  if (s->periodic[axis]) at -= (double)n * floor(at / (double)n);
  at = PetscMax(0, PetscMin((double)n, at)); /* NaN becomes an end */
  i  = PetscMin(n - 1, (int64_t)at);
  f  = at - (double)i - 0.5;
  for (int k = 0; k < 3; k++) {
    int64_t cell = i + k - 1;

    if (s->periodic[axis]) cell = (cell + n) % n;
    to->at[k] = (size_t)PetscMax(0, PetscMin(n - 1, cell)) * stride;
  }
  to->value[0] = 0.5 * f * (f - 1);
  to->value[1] = 1 - f * f;
  to->value[2] = 0.5 * f * (f + 1);
  to->slope[0] = (f - 0.5) / s->spacing[axis];
  to->slope[1] = -2 * f / s->spacing[axis];
  to->slope[2] = (f + 0.5) / s->spacing[axis];
}

/* Of slopes that are given: the two nearest, linear between. */
static void place_linearly(stencil *s)
{
  const double f = s->value[2] - s->value[0]; /* from the middle of the cell, in cells */

  s->value[0] = PetscMax(0, -f);
  s->value[1] = 1 - fabs(f);
  s->value[2] = PetscMax(0, f);
}

/* sums[0]: the value; sums[1 + axis]: its slopes. */
static void add_moment(
  const double *value, int dim, const stencil s[], double share, double sums[1 + FARE_DIM_MAX])
{
  const int n1 = dim > 1 ? 3 : 1, n2 = dim > 2 ? 3 : 1;

  for (int k = 0; k < n2; k++) {
    for (int j = 0; j < n1; j++) {
      const double *row = value + (dim > 1 ? s[1].at[j] : 0) + (dim > 2 ? s[2].at[k] : 0);
      const double  v1 = dim > 1 ? s[1].value[j] : 1, v2 = dim > 2 ? s[2].value[k] : 1;
      double        along = 0, rises = 0;

      for (int i = 0; i < 3; i++) {
        along += s[0].value[i] * row[s[0].at[i]];
        rises += s[0].slope[i] * row[s[0].at[i]];
      }
      sums[0] += share * v1 * v2 * along;
      sums[1] += share * v1 * v2 * rises;
      if (dim > 1) sums[2] += share * s[1].slope[j] * v2 * along;
      if (dim > 2) sums[3] += share * v1 * s[2].slope[k] * along;
    }
  }
}

/* Slopes that are given, of four moments: each is taken as a value. */
static void add_slopes(
  const fare_feedback *f, int first, const double w[4], const stencil at[], double sums[1 + FARE_DIM_MAX])
{
  for (int axis = 0; axis < f->shape.dim; axis++) {
    double one[1 + FARE_DIM_MAX] = {0};

    for (int k = 0; k < 4; k++)
      add_moment(
        f->value + (size_t)(first + k) * f->numbers + (size_t)axis * f->cells, f->shape.dim, at, w[k], one);
    sums[1 + axis] = one[0];
  }
}

void fare_feedback_at(
  const fare_feedback *f, double t, size_t n, const double *const x[], double value[], double *const slope[])
{
  const fare_feedback_shape *s    = &f->shape;
  const double               same = 1e-12 * (fabs(s->begin) + fabs(s->end)); /* but for rounding */
  const PetscBool            on   = t >= s->begin - same && t <= s->end + same ? PETSC_TRUE : PETSC_FALSE;
  double                     w[4];
  int                        first;

  place_in_time(s, t, &first, w);
  for (size_t i = 0; i < n; i++) {
    double  sums[1 + FARE_DIM_MAX] = {0};
    size_t  stride                 = 1;
    stencil at[FARE_DIM_MAX];

    for (int axis = 0; axis < s->dim && on; stride *= (size_t)s->cells[axis++]) {
      place(s, axis, x[axis][i], stride, &at[axis]);
      if (s->slopes) place_linearly(&at[axis]);
    }
    if (s->slopes && on)
      add_slopes(f, first, w, at, sums);
    else
      for (int k = 0; k < 4 && on; k++)
        add_moment(f->value + (size_t)(first + k) * f->cells, s->dim, at, w[k], sums);
    if (value) value[i] = sums[0];
    for (int axis = 0; axis < s->dim && slope; axis++) slope[axis][i] = sums[1 + axis];
  }
}
