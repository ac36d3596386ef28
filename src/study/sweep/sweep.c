/* SPDX-License-Identifier: BSD-2-Clause */
/* Sweeps: one study file, many points, each of them a study in a directory of its own. */
#include "study/plan/plan.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POINTS_MAX 1000000

enum { LINEAR, LOGARITHMIC };
static const char *const spacings[] = {"linear", "log", NULL};

typedef struct {
  double     from, to;
  PetscInt64 count;
  int        spacing;
} range;

static const fare_field range_fields[] = {
  {"from", FARE_REAL, offsetof(range, from), NULL, -1e300, 1e300, NULL, "", "first value"},
  {"to", FARE_REAL, offsetof(range, to), NULL, -1e300, 1e300, NULL, "", "last value"},
  {"count", FARE_INTEGER, offsetof(range, count), NULL, 2, POINTS_MAX, NULL, "",
    "number of values, both ends included"},
  {"spacing", FARE_CHOICE, offsetof(range, spacing), "linear", 0, 0, spacings, "",
    "spacing: equal differences, or equal ratios"},
  FARE_FIELDS_END,
};

/* Values of one key, as YAML. */
typedef struct {
  const char      *key;
  const fare_node *map; /* where it stands, as the at-th */
  size_t           at, count;
  char           **value;
} variation;

/* Keys that change together: one map of the list. */
typedef struct {
  size_t     keys, count; /* count: of values of each key */
  variation *key;
} axis;

typedef struct {
  fare_config *config;
  size_t       axes;
  axis        *axis;
  PetscInt64   points;
} sweep;

static PetscErrorCode take_text(fare_text *text, char **value)
{
  PetscFunctionBegin;
  *value = text->text;
  if (!*value) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  PetscFunctionReturn(0);
}

static PetscErrorCode read_range(const fare_node *node, variation *v)
{
  range r;

  PetscFunctionBegin;
  PetscCall(fare_fields_read(range_fields, NULL, node, &r));
  if (r.spacing == LOGARITHMIC && !(r.from * r.to > 0))
    FARE_REFUSE(node, "equal ratios need nonzero ends of the same sign, got %g and %g", r.from, r.to);
  v->value = calloc((size_t)r.count, sizeof *v->value);
  if (!v->value) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  for (v->count = 0; v->count < (size_t)r.count; v->count++) {
    const double part  = (double)v->count / (double)(r.count - 1);
    const double value = v->count + 1 == (size_t)r.count ? r.to
      : r.spacing == LINEAR                              ? r.from + part * (r.to - r.from)
                                                         : r.from * pow(r.to / r.from, part);
    fare_text    text  = {0};

    fare_text_add(&text, "%.12g", value);
    PetscCall(take_text(&text, &v->value[v->count]));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode read_values(const fare_node *node, variation *v)
{
  const size_t count = fare_node_size(node);

  PetscFunctionBegin;
  if (fare_node_kind_of(node) == FARE_NODE_MAP) PetscFunctionReturn(read_range(node, v));
  if (fare_node_kind_of(node) != FARE_NODE_LIST || !count)
    FARE_REFUSE(node, "expected a list of values, or a range {from: ..., to: ..., count: ...}");
  v->value = calloc(count, sizeof *v->value);
  if (!v->value) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  for (v->count = 0; v->count < count; v->count++) {
    fare_text text = {0};

    fare_node_write(fare_node_item(node, v->count), &text);
    PetscCall(take_text(&text, &v->value[v->count]));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode read_axis(const fare_node *node, axis *a)
{
  PetscFunctionBegin;
  if (fare_node_kind_of(node) != FARE_NODE_MAP || !fare_node_size(node))
    FARE_REFUSE(
      node, "expected a map of keys and lists of values, for instance drive[0].period: [0.1, 1, 10]");
  a->key = calloc(fare_node_size(node), sizeof *a->key);
  if (!a->key) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  for (size_t i = 0; i < fare_node_size(node); i++) {
    variation *v = &a->key[a->keys++];

    v->key = fare_node_key(node, i);
    v->map = node;
    v->at  = i;
    if (!strncmp(v->key, "sweep", 5) || !strncmp(v->key, "output", 6))
      FARE_REFUSE_KEY(node, i, "this cannot be swept");
    PetscCall(read_values(fare_node_item(node, i), v));
    if (i && v->count != a->count)
      FARE_REFUSE(fare_node_item(node, i),
        "keys of one map change together, so they need as many values: %zu here, %zu for %s", v->count,
        a->count, a->key[0].key);
    a->count = v->count;
  }
  PetscFunctionReturn(0);
}

static void sweep_free(sweep *s)
{
  for (size_t i = 0; i < s->axes; i++) {
    for (size_t k = 0; k < s->axis[i].keys; k++) {
      for (size_t n = 0; n < s->axis[i].key[k].count; n++) free(s->axis[i].key[k].value[n]);
      free(s->axis[i].key[k].value);
    }
    free(s->axis[i].key);
  }
  free(s->axis);
  fare_config_destroy(&s->config);
}

static PetscErrorCode read_list(const fare_node *list, sweep *s)
{
  double points = 1;

  PetscFunctionBegin;
  if (!list) PetscFunctionReturn(0);
  if (fare_node_kind_of(list) != FARE_NODE_LIST || !fare_node_size(list))
    FARE_REFUSE(list, "expected a list of maps, for instance - {drive[0].period: [0.1, 1, 10]}");
  s->axis = calloc(fare_node_size(list), sizeof *s->axis);
  if (!s->axis) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  for (size_t i = 0; i < fare_node_size(list); i++) {
    s->axes++;
    PetscCall(read_axis(fare_node_item(list, i), &s->axis[i]));
    points *= (double)s->axis[i].count;
  }
  if (points > POINTS_MAX) FARE_REFUSE(list, "%g points exceed the maximum of %d", points, POINTS_MAX);
  s->points = (PetscInt64)points;
  PetscFunctionReturn(0);
}

static PetscErrorCode sweep_read(
  MPI_Comm comm, const char *path, size_t count, const char *const assignments[], sweep *s)
{
  PetscErrorCode code;

  PetscFunctionBegin;
  memset(s, 0, sizeof *s);
  code = fare_config_read(comm, path, &s->config);
  for (size_t i = 0; i < count && !code; i++) code = fare_config_set(s->config, assignments[i]);
  if (!code) code = read_list(fare_node_find(fare_config_root(s->config), "sweep"), s);
  if (code) sweep_free(s);
  PetscFunctionReturn(code);
}

PetscErrorCode fare_sweep_count(
  MPI_Comm comm, const char *path, size_t count, const char *const assignments[], PetscInt64 *points)
{
  sweep s;

  PetscFunctionBegin;
  PetscCall(sweep_read(comm, path, count, assignments, &s));
  *points = s.points;
  sweep_free(&s);
  PetscFunctionReturn(0);
}

/* The keys and values of a point: the last axis changes fastest. */
static PetscErrorCode choose(const sweep *s, PetscInt64 point, fare_swept *swept)
{
  size_t     keys = 0;
  PetscInt64 left = point, stride = s->points;

  PetscFunctionBegin;
  for (size_t i = 0; i < s->axes; i++) keys += s->axis[i].keys;
  swept->point  = point;
  swept->points = s->points;
  swept->key    = calloc(keys, sizeof *swept->key);
  swept->value  = calloc(keys, sizeof *swept->value);
  if (!swept->key || !swept->value) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  for (size_t i = 0; i < s->axes; i++) {
    PetscInt64 n;

    stride /= (PetscInt64)s->axis[i].count;
    n = left / stride;
    left %= stride;
    for (size_t k = 0; k < s->axis[i].keys; k++) {
      swept->key[swept->count]   = strdup(s->axis[i].key[k].key);
      swept->value[swept->count] = strdup(s->axis[i].key[k].value[n]);
      if (!swept->key[swept->count] || !swept->value[swept->count])
        FARE_FAIL(FARE_ERR_FAILED, "out of memory");
      swept->count++;
    }
  }
  PetscFunctionReturn(0);
}

/* The study as it is, with the point's values set behind those of the command line. */
static PetscErrorCode plan_with(MPI_Comm comm, const char *path, size_t count,
  const char *const assignments[], const sweep *s, const fare_swept *swept, fare_plan **plan)
{
  fare_text     *origin = calloc(swept->count, sizeof *origin);
  size_t         n      = 0;
  PetscErrorCode code;

  PetscFunctionBegin;
  if (!origin) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  for (size_t i = 0; i < s->axes; i++) {
    for (size_t k = 0; k < s->axis[i].keys; k++)
      fare_node_where_key(s->axis[i].key[k].map, s->axis[i].key[k].at, &origin[n++]);
  }
  code = fare_plan_read_point(comm, path, count, assignments, swept, origin, plan);
  for (size_t i = 0; i < swept->count; i++) fare_text_free(&origin[i]);
  free(origin);
  PetscFunctionReturn(code);
}

static void move_directory(fare_plan *plan)
{
  fare_text text = {0};

  fare_text_add(&text, "%s/point_%04lld", plan->directory, (long long)plan->swept.point);
  free(plan->directory);
  plan->directory = text.text;
}

PetscErrorCode fare_sweep_plan(MPI_Comm comm, const char *path, size_t count, const char *const assignments[],
  PetscInt64 point, fare_plan **plan)
{
  fare_swept     swept = {0};
  sweep          s;
  PetscErrorCode code = 0;

  PetscFunctionBegin;
  *plan = NULL;
  PetscCall(sweep_read(comm, path, count, assignments, &s));
  if (!s.points)
    code = fare_error(FARE_ERR_INPUT, "%s: the study has no section 'sweep', so it has no points", path);
  else if (point < 0 || point >= s.points)
    code = fare_error(FARE_ERR_INPUT, "%s: the sweep has points 0 to %lld, got %lld", path,
      (long long)s.points - 1, (long long)point);
  if (!code) code = choose(&s, point, &swept);
  if (!code) code = plan_with(comm, path, count, assignments, &s, &swept, plan);
  sweep_free(&s);
  if (code) {
    fare_swept_free(&swept);
    PetscFunctionReturn(code);
  }
  (*plan)->swept = swept;
  move_directory(*plan);
  PetscFunctionReturn(0);
}

void fare_sweep_describe(FILE *to)
{
  fprintf(to,
    "\nsweep:   a list of maps `KEY: [VALUE, VALUE, ...]`, KEY as for --set; keys of one map change "
    "together, maps multiply; a range may replace the list of values:\n");
  fare_fields_describe(range_fields, to);
}
