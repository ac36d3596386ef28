/* SPDX-License-Identifier: BSD-2-Clause */
/*
  What an analysis finds: numbers with their errors, and fields; kept, estimated, written and shown alike for
  all kinds.
*/
#include "analysis.h"

#include <petscdmda.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_SIZE 256
/* what a scheme of high order is believed to do, at least and at most, when cells are halved */
#define RATIO_LEAST 1.5
#define RATIO_MOST  64.0
#define RATIO_LEAPS 4.0
#define RATIO_CUT   2.0
#define SLIGHT      0.1 /* growth of a value from grid to grid that differences serve for */

/* Room for one more of `count` things of a size; it is zeroed. */
static void *add(void *array, int count, size_t size)
{
  char *more = realloc(array, (size_t)(count + 1) * size);

  if (!more) MPI_Abort(PETSC_COMM_WORLD, FARE_EXIT_FAILED);
  memset(more + (size_t)count * size, 0, size);
  return more;
}

fare_finding *fare_found_exact(fare_findings *found, const char *name, const char *meaning, size_t rows,
  size_t columns, const double value[])
{
  const size_t  n = rows * columns;
  fare_finding *f;

  if (!n) return NULL;
  found->finding = add(found->finding, found->findings, sizeof *f);
  f              = &found->finding[found->findings++];
  snprintf(f->name, sizeof f->name, "%s", name);
  f->meaning   = meaning;
  f->rank      = columns > 1 ? 2 : 1;
  f->extent[0] = rows;
  f->extent[1] = columns;
  f->value     = add(NULL, 0, 4 * n * sizeof *value);
  memcpy(f->value, value, n * sizeof *value);
  return f;
}

fare_finding *fare_found(
  fare_findings *found, const char *name, const char *meaning, size_t count, const double value[])
{
  fare_finding *f = fare_found_exact(found, name, meaning, count, 1, value);

  if (!f) return NULL;
  f->error = f->value + count;
  f->least = f->error + count;
  f->plain = f->least + count;
  for (size_t i = 0; i < count; i++) f->error[i] = NAN;
  memcpy(f->plain, value, count * sizeof *value);
  return f;
}

void fare_found_number(fare_findings *found, const char *name, const char *meaning, double value)
{
  fare_found_exact(found, name, meaning, 1, 1, &value);
}

fare_mesh *fare_found_mesh(
  fare_findings *found, const char *name, const char *meaning, fare_mesh_kind kind, Vec values)
{
  fare_mesh *m;

  found->mesh = add(found->mesh, found->meshes, sizeof *m);
  m           = &found->mesh[found->meshes++];
  snprintf(m->name, sizeof m->name, "%s", name);
  m->meaning = meaning;
  m->kind    = kind;
  m->values  = values;
  return m;
}

PetscErrorCode fare_found_at_points(fare_findings *found, const char *name, const char *meaning,
  const fare_grid *grid, const fare_held *held, int fields, Vec field[], const fare_points *points,
  double known)
{
  const size_t  n = points->count * (size_t)fields;
  double       *value, *spread;
  fare_finding *f;

  PetscFunctionBegin;
  if (!n) PetscFunctionReturn(0);
  PetscCall(PetscMalloc2(n, &value, n, &spread));
  for (int k = 0; k < fields; k++)
    PetscCall(fare_interpolate(grid, held, field[k], points->count, points->x,
      value + (size_t)k * points->count, spread + (size_t)k * points->count));
  f = fare_found(found, name, meaning, n, value);
  if (fields > 1) {
    f->rank      = 2;
    f->extent[0] = (size_t)fields;
    f->extent[1] = points->count;
  }
  for (size_t i = 0; i < n; i++) f->least[i] = spread[i] + known;
  f->held   = *held;
  f->points = points;
  f->fields = fields;
  PetscCall(PetscMalloc1(fields, &f->field));
  for (int k = 0; k < fields; k++) {
    PetscCall(PetscObjectReference((PetscObject)field[k]));
    f->field[k] = field[k];
  }
  PetscCall(PetscFree2(value, spread));
  PetscFunctionReturn(0);
}

const fare_finding *fare_findings_find(const fare_findings *found, const char *name)
{
  for (int i = 0; i < found->findings; i++) {
    if (!strcmp(found->finding[i].name, name)) return &found->finding[i];
  }
  return NULL;
}

PetscErrorCode fare_findings_free(fare_findings *found)
{
  PetscFunctionBegin;
  for (int i = 0; i < found->findings; i++) {
    free(found->finding[i].value);
    for (int k = 0; k < found->finding[i].fields; k++) PetscCall(VecDestroy(&found->finding[i].field[k]));
    PetscCall(PetscFree(found->finding[i].field));
  }
  for (int i = 0; i < found->meshes; i++) PetscCall(VecDestroy(&found->mesh[i].values));
  free(found->finding);
  free(found->mesh);
  *found = (fare_findings){0};
  PetscFunctionReturn(0);
}

/* L1 distance of the masses on two grids, on the wider one. */
static PetscErrorCode density_distance(
  const fare_grid *half, const fare_mesh *fine, const fare_mesh *coarse, double *norm)
{
  Vec sums;

  PetscFunctionBegin;
  PetscCall(VecDuplicate(coarse->values, &sums));
  PetscCall(fare_grid_restrict(half, fine->values, sums));
  PetscCall(VecAXPY(sums, -1, coarse->values));
  PetscCall(fare_norm_1(sums, norm));
  PetscCall(VecDestroy(&sums));
  PetscFunctionReturn(0);
}

/* By how much errors fall, as two differences in turn show: within what is believed of them. */
static double observed_ratio(double difference, double before, PetscBool leaps)
{
  const double most = leaps ? RATIO_LEAPS : RATIO_MOST;

  return PetscMin(most, PetscMax(RATIO_LEAST, difference > 0 ? before / difference : most));
}

static const fare_mesh *find_mesh(const fare_findings *found, const char *name)
{
  for (int k = 0; found && k < found->meshes; k++) {
    if (!strcmp(found->mesh[k].name, name)) return &found->mesh[k];
  }
  return NULL;
}

static PetscErrorCode density_error(const fare_grid *half, const fare_grid *quarter, double ratio,
  PetscBool leaps, const fare_mesh *fine, const fare_mesh *coarse, const fare_mesh *coarser, double *error)
{
  double difference, before;

  PetscFunctionBegin;
  PetscCall(density_distance(half, fine, coarse, &difference));
  if (!(ratio > 0)) {
    PetscCall(density_distance(quarter, coarse, coarser, &before));
    ratio = observed_ratio(difference, before, leaps);
  }
  *error = difference / (ratio - 1);
  PetscFunctionReturn(0);
}

/*
  Raises errors[] to `share` of the largest differences of values at and near the points; `reach`: how near.
*/
static PetscErrorCode look_around(const fare_finding *f, const fare_grid *grid, const fare_finding *coarse,
  const fare_grid *wider, double share, const double reach[])
{
  static const double steps[] = {0, -2, -1, 1, 2};
  const size_t        count = f->points->count, dim = (size_t)grid->dim;
  double             *x, *here, *there;

  PetscFunctionBegin;
  PetscCall(PetscMalloc3(count * dim, &x, count, &here, count, &there));
  for (int axis = 0; axis < grid->dim; axis++) {
    for (size_t s = axis ? 1 : 0; s < PETSC_STATIC_ARRAY_LENGTH(steps); s++) {
      memcpy(x, f->points->x, count * dim * sizeof *x);
      for (size_t i = 0; i < count; i++) {
        double *at = &x[i * dim + (size_t)axis];

        *at = PetscMin(grid->upper[axis], PetscMax(grid->lower[axis], *at + steps[s] * reach[axis]));
      }
      for (int k = 0; k < f->fields; k++) {
        PetscCall(fare_interpolate(grid, &f->held, f->field[k], count, x, here, NULL));
        PetscCall(fare_interpolate(wider, &f->held, coarse->field[k], count, x, there, NULL));
        for (size_t i = 0; i < count; i++) {
          double      *error = &f->error[(size_t)k * count + i];
          const double value = fabs(f->value[(size_t)k * count + i]),
                       size  = PetscMax(fabs(here[i]), fabs(there[i]));
          /* where values span decades, between the difference and the relative one */
          const double ratio = size > value ? sqrt(value / size) : 1;

          *error = PetscMax(*error, ratio * share * fabs(here[i] - there[i]));
        }
      }
    }
  }
  PetscCall(PetscFree3(x, here, there));
  PetscFunctionReturn(0);
}

/*
  What is left of an error on cells `levels` times half as wide as those of `wide`, by the difference from
  cells twice as wide: 1/(ratio - 1) of it, for an error that falls by `ratio`. What wider cells find too
  small by factors, such as times over barriers that they cut, converges in its logarithm; the larger the
  factor, the farther it is from falling as it should, down to the first order. The error may be many times
  the value.
*/
static double left_error(double value, double wide, double wider, double ratio, int levels)
{
  const double difference = fabs(wide - wider) / ((ratio - 1) * pow(ratio, levels));
  double       growth, slow;

  growth = wide * wider > 0 ? log(wide / wider) : 0;
  if (!(growth > SLIGHT)) return difference;
  slow = ratio > 2 ? ratio + (2 - ratio) * PetscMin(1, growth) : ratio;
  return PetscMax(difference, fabs(value) * expm1(growth / ((slow - 1) * pow(slow, levels))));
}

/* Of one number; at points, where values of one field fall alike, of them all. */
static double ratio_at(
  const fare_finding *f, size_t k, PetscBool leaps, const fare_finding *coarse, const fare_finding *coarser)
{
  const size_t first = f->fields ? 0 : k, end = f->fields ? f->extent[0] * f->extent[1] : k + 1;
  double       difference = 0, before = 0;

  for (size_t i = first; i < end; i++) {
    difference += fabs(f->value[i] - coarse->value[i]);
    before += fabs(coarse->value[i] - coarser->value[i]);
  }
  return observed_ratio(difference, before, leaps);
}

/* What cells cut off sets differs from grid to grid: where differences do not fall, no order is believed. */
static double ratio_where_cut(
  const fare_finding *f, size_t k, double ratio, const fare_finding *coarse, const fare_finding *coarser)
{
  const double difference = f->value[k] - coarse->value[k], before = coarse->value[k] - coarser->value[k];

  return before * difference > 0 && fabs(before) >= RATIO_CUT * fabs(difference) ? ratio
                                                                                 : PetscMin(ratio, RATIO_CUT);
}

static PetscErrorCode estimate(fare_finding *f, const fare_grid *grid, const fare_grid *half,
  const fare_grid *quarter, double ratio, const fare_findings *of, const fare_finding *coarse,
  const fare_finding *coarser)
{

  const PetscBool observed = ratio > 0 ? PETSC_FALSE : PETSC_TRUE;
  const double    rounding = 1e-12;
  const size_t    n        = f->extent[0] * f->extent[1];
  double          share, further;

  PetscFunctionBegin;
  for (size_t k = 0; k < n; k++) {
    double falls;

    if (observed) ratio = ratio_at(f, k, of->leaps, coarse, coarser);
    falls       = !observed && of->cut && coarser ? ratio_where_cut(f, k, ratio, coarse, coarser) : ratio;
    f->error[k] = left_error(f->value[k], f->value[k], coarse->value[k], falls, 0);
    if (!coarser) continue;
    f->error[k] =
      PetscMax(f->error[k], left_error(f->value[k], coarse->value[k], coarser->value[k], ratio, 1));
  }
  share   = 1 / (ratio - 1);
  further = share / ratio;
  if (f->fields) PetscCall(look_around(f, grid, coarse, half, share, half->spacing));
  if (f->fields && coarser) {
    fare_finding as_fine = *coarse;

    as_fine.error = f->error;
    PetscCall(look_around(&as_fine, half, coarser, quarter, further, half->spacing));
  }
  for (size_t k = 0; k < n; k++) f->error[k] += f->least[k] + rounding * fabs(f->value[k]);
  PetscFunctionReturn(0);
}

/* Errors of what has logarithms with errors. */
static void take_relative(const fare_findings *found, fare_finding *f)
{
  const fare_finding *log = f->log ? fare_findings_find(found, f->log) : NULL;

  for (size_t k = 0; log && k < f->extent[0] * f->extent[1]; k++)
    f->error[k] = f->value[k] * expm1(log->error[k]);
}

PetscErrorCode fare_findings_estimate(const fare_grid *grid, const fare_grid *half, const fare_grid *quarter,
  double ratio, const fare_findings *coarse, const fare_findings *coarser, fare_findings *found)
{
  PetscFunctionBegin;
  for (int i = 0; i < found->findings; i++) {
    fare_finding       *f    = &found->finding[i];
    const fare_finding *same = fare_findings_find(coarse, f->name);

    if (f->error && same)
      PetscCall(estimate(
        f, grid, half, quarter, ratio, found, same, coarser ? fare_findings_find(coarser, f->name) : NULL));
  }
  for (int i = 0; i < found->findings; i++) take_relative(found, &found->finding[i]);
  for (int i = 0; i < found->meshes; i++) {
    const fare_mesh *mesh = &found->mesh[i], *wide = find_mesh(coarse, mesh->name);
    double           error = NAN;
    char             name[64];

    if (mesh->kind != FARE_MESH_ESTIMATED || !wide) continue;
    PetscCall(
      density_error(half, quarter, ratio, found->leaps, mesh, wide, find_mesh(coarser, mesh->name), &error));
    snprintf(name, sizeof name, "%s_error", mesh->name);
    fare_found_number(found, name, "estimated L1 error of the density", error + mesh->least);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode save_finding(const fare_finding *f, fare_store *store, const char *group)
{
  char path[PATH_SIZE];

  PetscFunctionBegin;
  snprintf(path, sizeof path, "%s/%s", group, f->name);
  PetscCall(fare_store_write_array(store, path, FARE_STORE_FLOAT64, f->rank, f->extent, f->value));
  PetscCall(fare_store_put_string(store, path, "comment", f->meaning));
  if (!f->error) PetscFunctionReturn(0);
  snprintf(path, sizeof path, "%s/%s_error", group, f->name);
  PetscCall(fare_store_write_array(store, path, FARE_STORE_FLOAT64, f->rank, f->extent, f->error));
  PetscCall(fare_store_put_string(
    store, path, "comment", "estimated by half as many cells per axis; NaN: not estimated"));
  snprintf(path, sizeof path, "%s/%s_plain", group, f->name);
  PetscCall(fare_store_write_array(store, path, FARE_STORE_FLOAT64, f->rank, f->extent, f->plain));
  PetscCall(fare_store_put_string(store, path, "comment", "of the grid alone, not extrapolated"));
  PetscFunctionReturn(0);
}

static PetscErrorCode save_mesh(
  const fare_mesh *m, const fare_grid *grid, fare_store *store, const char *group)
{
  const double       scale = m->kind == FARE_MESH_VALUES ? 1 : 1 / fare_grid_volume(grid);
  const PetscScalar *value;
  char               path[PATH_SIZE];
  double            *data;
  PetscInt           n;

  PetscFunctionBegin;
  PetscCall(VecGetLocalSize(m->values, &n));
  PetscCall(PetscMalloc1(n, &data));
  PetscCall(VecGetArrayRead(m->values, &value));
  for (PetscInt i = 0; i < n; i++) data[i] = scale * value[i];
  PetscCall(VecRestoreArrayRead(m->values, &value));
  snprintf(path, sizeof path, "%s/meshes/%s", group, m->name);
  PetscCall(fare_grid_write_mesh(grid, data, m->meaning, store, path));
  PetscCall(fare_grid_label(grid, 0, store, path));
  PetscCall(PetscFree(data));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_findings_save(
  const fare_findings *found, const fare_grid *grid, fare_store *store, const char *group)
{
  PetscFunctionBegin;
  for (int i = 0; i < found->findings; i++) PetscCall(save_finding(&found->finding[i], store, group));
  for (int i = 0; i < found->meshes; i++) PetscCall(save_mesh(&found->mesh[i], grid, store, group));
  PetscFunctionReturn(0);
}

static void add_coordinates(const fare_finding *points, size_t i, char *text, size_t size)
{
  for (uint64_t axis = 0; axis < points->extent[1]; axis++) {
    const size_t used = strlen(text);

    snprintf(
      text + used, size - used, "%s%.6g", axis ? ", " : " at ", points->value[i * points->extent[1] + axis]);
  }
}

/* Which of several: the point and the start that it belongs to, or its number. */
static void place_text(const fare_finding *f, const fare_finding *points, const fare_finding *starts,
  size_t i, char *text, size_t size)
{
  const PetscBool at_point   = points && f->points ? PETSC_TRUE : PETSC_FALSE,
                  from_start = starts && (f->points || f->by_start) ? PETSC_TRUE : PETSC_FALSE;
  const size_t columns       = at_point ? points->extent[0] : 1;

  *text = '\0';
  if (at_point) add_coordinates(points, i % columns, text, size);
  if (from_start) {
    const size_t used = strlen(text);

    snprintf(text + used, size - used, ", %.*s %.6g", (int)strlen(starts->name) - 1, starts->name,
      starts->value[i / columns]);
  }
  if (!at_point && !from_start && f->extent[0] > 1) snprintf(text, size, " %zu", i);
}

void fare_findings_print(const fare_findings *found, const char *name, fare_table *table)
{
  const fare_finding *points = fare_findings_find(found, "points"),
                     *starts = fare_findings_find(found, "starts");

  if (!starts) starts = fare_findings_find(found, "tilts");
  if (!starts) starts = fare_findings_find(found, "times");
  for (int i = 0; i < found->findings; i++) {
    const fare_finding *f     = &found->finding[i];
    const size_t        count = f == points || f == starts || f->curve ? 0 : f->extent[0] * f->extent[1];

    for (size_t k = 0; k < count; k++) {
      char place[128];

      place_text(f, points, starts, k, place, sizeof place);
      fare_table_cell(table, "%s", name);
      fare_table_cell(table, "%s%s", f->name, place);
      fare_table_cell(table,
        f->error                              ? "%.9g"
          : f->value[k] == floor(f->value[k]) ? "%.6g"
                                              : "%.2g",
        f->value[k]);
      fare_table_cell(table, f->error && !isnan(f->error[k]) ? "%.1e" : "-", f->error ? f->error[k] : 0);
      fare_table_cell(
        table, f->plain && f->plain[k] != f->value[k] ? "%.9g" : "-", f->plain ? f->plain[k] : 0);
      fare_table_cell(table, "%s", f->meaning);
    }
  }
}
