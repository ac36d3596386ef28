/* SPDX-License-Identifier: BSD-2-Clause */
/* What was found: a table for people, drives that can be pasted, and group /control of study.h5. */
#include "control.h"

#include <math.h>

#define JUMP 1e-6 /* of the duration: how long a jump takes in a table, whose times must rise */

static PetscErrorCode save_one(const fare_control_result *r, fare_store *store)
{
  const struct {
    const char *name;
    double      value;
  } numbers[] = {
    {"free_energy", r->free_energy},
    {"at_once", r->at_once},
    {"linear", r->linear},
    {"optimum", r->optimum},
    {"step_error", r->step_error},
    {"grid_error", r->grid_error},
    {"from", r->from},
    {"to", r->to},
  };
  const uint64_t count = (uint64_t)r->knots;
  char           group[128], path[160];

  PetscFunctionBegin;
  snprintf(group, sizeof group, "/control/%s", r->name);
  PetscCall(fare_store_group(store, group));
  PetscCall(fare_store_put_string(store, group, "parameter", r->parameter));
  if (r->failure) {
    PetscCall(fare_store_put_string(store, group, "failure", r->failure));
    PetscFunctionReturn(0);
  }
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(numbers); i++)
    PetscCall(fare_store_put_real(store, group, numbers[i].name, numbers[i].value));
  PetscCall(fare_store_put_int(store, group, "steps", r->steps));
  PetscCall(fare_store_put_int(store, group, "iterations", r->iterations));
  snprintf(path, sizeof path, "%s/times", group);
  PetscCall(fare_store_write_array(store, path, FARE_STORE_FLOAT64, 1, &count, r->time));
  snprintf(path, sizeof path, "%s/values", group);
  PetscCall(fare_store_write_array(store, path, FARE_STORE_FLOAT64, 1, &count, r->value));
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

/* As a section of a study; a drive is added to the base value. */
static void print_drive(const fare_control_result *r, FILE *to)
{
  const double end = r->time[r->knots - 1];

  fprintf(to, "\nBest drive of %s, to be pasted (times from 0 on):\ndrive:\n", r->name);
  fprintf(to, "  - {parameter: %s, waveform: tabulated,\n     times: [0", r->parameter);
  for (int k = 0; k < r->knots; k++)
    fprintf(to, ", %.9g", PetscMax(JUMP * end, PetscMin((1 - JUMP) * end, r->time[k])));
  fprintf(to, ", %.9g],\n     values: [%.9g", end, r->from - r->base);
  for (int k = 0; k < r->knots; k++) fprintf(to, ", %.7g", r->value[k] - r->base);
  fprintf(to, ", %.9g]}\n", r->to - r->base);
}

void fare_control_results_print(const fare_control_results *results, FILE *to)
{
  static const char *const names[] = {"control", "parameter", "free energy", "at once", "linear", "optimum",
    "+-", "of linear", "jumps to", "from"};
  fare_table              *table;
  PetscBool                any = PETSC_FALSE;

  if (!results->count) return;
  fprintf(to, "\nControl: work beyond the difference of free energies, least by the best drive\n");
  fare_table_create(PETSC_STATIC_ARRAY_LENGTH(names), &table);
  fare_table_headings(table, names);
  for (size_t i = 0; i < results->count; i++) {
    const fare_control_result *r = &results->result[i];

    if (r->failure) continue;
    any = PETSC_TRUE;
    fare_table_cell(table, "%s", r->name);
    fare_table_cell(table, "%s", r->parameter);
    fare_table_cell(table, "%.7g", r->free_energy);
    fare_table_cell(table, "%.7g", r->at_once);
    fare_table_cell(table, "%.7g", r->linear);
    fare_table_cell(table, "%.7g", r->optimum);
    fare_table_cell(table, "%.1e", r->step_error + (isnan(r->grid_error) ? 0 : r->grid_error));
    fare_table_cell(table, "%.1f%%", 100 * r->optimum / r->linear);
    fare_table_cell(table, "%.4g", r->value[0]);
    fare_table_cell(table, "%.4g", r->value[r->knots - 1]);
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
