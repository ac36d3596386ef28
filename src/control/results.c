/* SPDX-License-Identifier: BSD-2-Clause */
/* What was found: a table for people, drives that can be pasted, and group /control of study.h5. */
#include "control.h"

#include <math.h>

#define JUMP 1e-6 /* of the duration: how long a jump takes in a table, whose times must rise */

double fare_control_error(const fare_control_result *r)
{
  return r->step_error + (isnan(r->grid_error) ? 0 : r->grid_error) + fabs(r->checked - r->optimum);
}

static PetscErrorCode save_courses(const fare_control_result *r, const char *group, fare_store *store)
{
  const uint64_t count = (uint64_t)r->knots;
  char           path[192], data[224];

  PetscFunctionBegin;
  snprintf(path, sizeof path, "%s/drives", group);
  PetscCall(fare_store_group(store, path));
  for (int d = 0; d < r->courses; d++) {
    const fare_control_course *c = &r->course[d];

    snprintf(path, sizeof path, "%s/drives/%s", group, c->parameter);
    PetscCall(fare_store_group(store, path));
    PetscCall(fare_store_put_real(store, path, "from", c->from));
    PetscCall(fare_store_put_real(store, path, "to", c->to));
    PetscCall(fare_store_put_real(store, path, "base", c->base));
    snprintf(data, sizeof data, "%s/values", path);
    PetscCall(fare_store_write_array(store, data, FARE_STORE_FLOAT64, 1, &count, c->value));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode save_ladder(const fare_control_result *r, const char *group, fare_store *store)
{
  char path[192];

  PetscFunctionBegin;
  snprintf(path, sizeof path, "%s/ladder", group);
  PetscCall(fare_store_group(store, path));
  for (int i = 0; i < r->rungs; i++) {
    snprintf(path, sizeof path, "%s/ladder/%s", group, r->rung[i].name);
    PetscCall(fare_store_group(store, path));
    PetscCall(fare_store_put_real(store, path, "value", r->rung[i].value));
    PetscCall(fare_store_put_real(store, path, "error", r->rung[i].error));
    PetscCall(fare_store_put_int(store, path, "feasible", r->rung[i].feasible));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode save_arrays(const fare_control_result *r, const char *group, fare_store *store)
{
  const uint64_t extent[] = {(uint64_t)r->knots, (uint64_t)r->cells};
  char           path[192];

  PetscFunctionBegin;
  snprintf(path, sizeof path, "%s/times", group);
  PetscCall(fare_store_write_array(store, path, FARE_STORE_FLOAT64, 1, extent, r->time));
  if (!r->cells) PetscFunctionReturn(0);
  PetscCall(fare_store_put_real(store, group, "lower", r->lower));
  PetscCall(fare_store_put_real(store, group, "upper", r->upper));
  snprintf(path, sizeof path, "%s/density", group);
  PetscCall(fare_store_write_array(store, path, FARE_STORE_FLOAT64, 2, extent, r->density));
  PetscFunctionReturn(0);
}

static PetscErrorCode save_one(const fare_control_result *r, fare_store *store)
{
  const struct {
    const char *name;
    double      value;
  } numbers[] = {
    {"free_energy", r->free_energy},
    {"optimum", r->optimum},
    {"error", fare_control_error(r)},
    {"step_error", r->step_error},
    {"grid_error", r->grid_error},
    {"checked", r->checked},
    {"bound", r->bound},
    {"bound_error", r->bound_error},
    {"energy", r->energy},
    {"efficiency", r->efficiency},
    {"carnot", r->carnot},
  };
  char group[128];

  PetscFunctionBegin;
  snprintf(group, sizeof group, "/control/%s", r->name);
  PetscCall(fare_store_group(store, group));
  PetscCall(fare_store_put_string(store, group, "aim", r->aim));
  PetscCall(fare_store_put_string(store, group, "quantity", r->quantity));
  if (r->failure) {
    PetscCall(fare_store_put_string(store, group, "failure", r->failure));
    PetscFunctionReturn(0);
  }
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(numbers); i++)
    PetscCall(fare_store_put_real(store, group, numbers[i].name, numbers[i].value));
  PetscCall(fare_store_put_int(store, group, "steps", r->steps));
  PetscCall(fare_store_put_int(store, group, "iterations", r->iterations));
  PetscCall(save_courses(r, group, store));
  PetscCall(save_ladder(r, group, store));
  PetscCall(save_arrays(r, group, store));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_control_results_save(const fare_control_results *results, fare_store *store)
{
  PetscFunctionBegin;
  if (!results->count) PetscFunctionReturn(0);
  PetscCall(fare_store_group(store, "/control"));
  for (size_t i = 0; i < results->count; i++) PetscCall(save_one(&results->result[i], store));
  PetscFunctionReturn(0);
}

/* Of a knot of a cycle that comes twice, as tables do not repeat. Their times rise: a jump takes a moment. */
static double time_of(const fare_control_result *r, int k)
{
  const double end = r->time[r->knots - 1], t = r->time[k % r->knots] + (k < r->knots ? 0 : end);
  const int    other = (k + r->knots - 1) % r->knots;

  return k && (other == r->knots - 1 || r->time[other] == r->time[k % r->knots]) ? t + JUMP * end : t;
}

static void write_cycle(const fare_control_result *r, const fare_control_course *c, fare_text *to)
{
  for (int k = 0; k < 2 * r->knots; k++) fare_text_add(to, "%s%.9g", k ? ", " : "", time_of(r, k));
  fare_text_add(to, "],\n     values: [");
  for (int k = 0; k < 2 * r->knots; k++)
    fare_text_add(to, "%s%.9g", k ? ", " : "", c->value[k % r->knots] - c->base);
}

static void write_course(const fare_control_result *r, const fare_control_course *c, fare_text *to)
{
  const double end = r->time[r->knots - 1];

  fare_text_add(to, "0");
  for (int k = 0; k < r->knots; k++)
    fare_text_add(to, ", %.9g", PetscMax(JUMP * end, PetscMin((1 - JUMP) * end, r->time[k])));
  fare_text_add(to, ", %.9g],\n     values: [%.9g", end, c->from - c->base);
  for (int k = 0; k < r->knots; k++) fare_text_add(to, ", %.9g", c->value[k] - c->base);
  fare_text_add(to, ", %.9g", c->to - c->base);
}

void fare_control_write_drive(const fare_control_result *r, fare_text *to)
{
  fare_text_add(to, "drive:\n");
  for (int d = 0; d < r->courses; d++) {
    fare_text_add(to, "  - {parameter: %s, waveform: tabulated,\n     times: [", r->course[d].parameter);
    if (isnan(r->carnot))
      write_course(r, &r->course[d], to);
    else
      write_cycle(r, &r->course[d], to);
    fare_text_add(to, "]}\n");
  }
}

/* A row of the table: a drive, or the bound. */
static void print_row(
  const fare_control_result *r, const char *drive, double value, double error, fare_table *table)
{
  const char *const words[] = {r->name, r->quantity, drive};

  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(words); i++) fare_table_cell(table, "%s", words[i]);
  if (isnan(value))
    fare_table_cell(table, "%s", "");
  else
    fare_table_cell(table, "%.7g", value);
  if (isnan(error))
    fare_table_cell(table, "%s", "");
  else
    fare_table_cell(table, "%.1e", error);
  if (isnan(r->bound) || isnan(value))
    fare_table_cell(table, "%s", "");
  else
    fare_table_cell(table, "%.1f%%", 100 * (1 - r->bound / value));
}

static void print_rows(const fare_control_result *r, fare_table *table)
{
  for (int i = 0; i < r->rungs; i++) print_row(r, r->rung[i].name, r->rung[i].value, r->rung[i].error, table);
  print_row(r, "optimum", r->optimum, fare_control_error(r), table);
  print_row(r, "optimum, other steps", r->checked, NAN, table);
  if (!isnan(r->bound)) print_row(r, "bound", r->bound, r->bound_error, table);
}

static void print_drive(const fare_control_result *r, FILE *to)
{
  fare_text text = {0};

  fprintf(to, "\nBest drive of %s, energy %.7g", r->name, r->energy);
  if (!isnan(r->carnot))
    fprintf(to, ", efficiency %.5g (Carnot %.5g, Curzon and Ahlborn %.5g)", r->efficiency, r->carnot,
      1 - sqrt(1 - r->carnot));
  if (!isnan(r->free_energy)) fprintf(to, ", difference of free energies %.7g", r->free_energy);
  fprintf(to, ", to be pasted (times from 0 on):\n");
  fare_control_write_drive(r, &text);
  fprintf(to, "%s", text.text);
  fare_text_free(&text);
}

void fare_control_results_print(const fare_control_results *results, FILE *to)
{
  static const char *const names[] = {"control", "of", "drive", "value", "+-", "above the bound"};
  fare_table              *table;
  PetscBool                any = PETSC_FALSE;

  if (!results->count) return;
  fprintf(to, "\nControl: what the best drive leads to, beside others\n");
  fare_table_create(PETSC_STATIC_ARRAY_LENGTH(names), &table);
  fare_table_headings(table, names);
  for (size_t i = 0; i < results->count; i++) {
    if (results->result[i].failure) continue;
    any = PETSC_TRUE;
    print_rows(&results->result[i], table);
  }
  if (any) fare_table_print(table, to);
  fare_table_destroy(&table);
  for (size_t i = 0; i < results->count; i++) {
    if (results->result[i].failure)
      fprintf(to, "Control %s failed: %s\n", results->result[i].name, results->result[i].failure);
    else
      print_drive(&results->result[i], to);
  }
}
