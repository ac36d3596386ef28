/* SPDX-License-Identifier: BSD-2-Clause */
/* What learned densities say of the dynamics, as it is printed and written. */
#include "study/run/study.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Of each interval between snapshots. */
static const fare_column columns[] = {
  {"time", offsetof(fare_motion, time)},
  {"production", offsetof(fare_motion, production)},
  {"production_truth", offsetof(fare_motion, production_truth)},
  {"residual", offsetof(fare_motion, residual)},
  {"residual_truth", offsetof(fare_motion, residual_truth)},
  {NULL, 0},
};

/* The integral over the schedule, by the rule of the middle; of residuals the mean over time. */
static double sum_of(const fare_results *r, size_t ensemble, size_t offset, PetscBool mean)
{
  const fare_schedule *schedule = &r->plan->snapshots;
  double               sum      = 0;

  for (PetscInt64 k = 0; k + 1 < schedule->count; k++)
    sum += *(const double *)((const char *)&r->motion[ensemble][k] + offset) *
      (fare_schedule_time(schedule, k + 1) - fare_schedule_time(schedule, k));
  return mean ? sum / (schedule->end - schedule->start) : sum;
}

/* The members of a line that asked for several seeds: mean and standard deviation. */
static void add_seeds(const fare_results *r, size_t first, size_t count, fare_table *table)
{
  const size_t offset[] = {offsetof(fare_motion, production), offsetof(fare_motion, residual)};

  fare_table_cell(table, "%s, %zu trainings", r->plan->ensemble[first].line, count);
  for (int column = 0; column < 4; column++) {
    double mean = 0, square = 0;

    if (column % 2) {
      fare_table_cell(table, "%s", "");
      continue;
    }
    for (size_t i = first; i < first + count; i++)
      mean += sum_of(r, i, offset[column / 2], column > 0) / (double)count;
    for (size_t i = first; i < first + count; i++)
      square += PetscSqr(sum_of(r, i, offset[column / 2], column > 0) - mean);
    fare_table_cell(table, "%.3g +- %.1g", mean, sqrt(square / (double)(count - 1)));
  }
}

void fare_results_print_motion(const fare_results *r, FILE *to)
{
  static const char *const headings[] = {
    "", "entropy production", "truth's", "Fokker-Planck residual", "floor", NULL};
  const fare_thermo_row *last =
    r->thermo ? &fare_thermo_rows(r->thermo)[fare_thermo_count(r->thermo) - 1] : NULL;
  fare_table *table;
  size_t      shown = 0, members = 0;

  fare_table_create(5, &table);
  fare_table_headings(table, headings);
  for (size_t i = 0; i < r->plan->ensembles; i++) {
    if (!r->motion[i] || r->failure[i]) continue;
    shown++;
    members = members && !strcmp(r->plan->ensemble[i].line, r->plan->ensemble[i - 1].line) ? members + 1 : 1;
    fare_table_cell(table, "%s", r->plan->ensemble[i].name);
    fare_table_cell(table, "%.3g", sum_of(r, i, offsetof(fare_motion, production), PETSC_FALSE));
    fare_table_cell(table, "%.3g", sum_of(r, i, offsetof(fare_motion, production_truth), PETSC_FALSE));
    fare_table_cell(table, "%.2e", sum_of(r, i, offsetof(fare_motion, residual), PETSC_TRUE));
    fare_table_cell(table, "%.1e", sum_of(r, i, offsetof(fare_motion, residual_truth), PETSC_TRUE));
    if (members > 1 && members == (size_t)r->plan->ensemble[i].seeds)
      add_seeds(r, i + 1 - members, members, table);
  }
  if (shown) {
    fprintf(to,
      "\nDynamics of learned densities, between snapshots: production over the schedule in units of "
      "Boltzmann's constant, mean of (v - v0)^2/(4 D) under the truth in nats per time; +-: standard "
      "deviation over trainings, otherwise no error bars\n");
    fare_table_print(table, to);
    if (last && isfinite(last->total))
      fprintf(to, "The truth's entropy production, from its own currents at all times: %.5g%s\n", last->total,
        fare_system_type_of(r->plan->system)->periodic[0] ? ", with that of circulation, which densities hide"
                                                          : "");
  }
  fare_table_destroy(&table);
}

void fare_results_motion_csv(const fare_results *r, fare_text *to)
{
  fare_text_add(to, "ensemble");
  for (const fare_column *c = columns; c->name; c++) fare_text_add(to, ",%s", c->name);
  fare_text_add(to, "\n");
  for (size_t i = 0; i < r->plan->ensembles; i++) {
    if (r->failure[i]) continue;
    for (PetscInt64 k = 0; r->motion[i] && k + 1 < r->plan->snapshots.count; k++) {
      fare_text_add(to, "%s", r->plan->ensemble[i].name);
      for (const fare_column *c = columns; c->name; c++)
        fare_text_add(to, ",%.12g", fare_column_value(c, &r->motion[i][k]));
      fare_text_add(to, "\n");
    }
  }
}

PetscErrorCode fare_results_motion_save(
  const fare_results *r, size_t ensemble, fare_store *store, const char *path)
{
  const uint64_t count = (uint64_t)(r->plan->snapshots.count - 1);
  char           name[256];
  double        *value;

  PetscFunctionBegin;
  if (!r->motion[ensemble] || r->failure[ensemble]) PetscFunctionReturn(0);
  snprintf(name, sizeof name, "%s/dynamics", path);
  PetscCall(fare_store_group(store, name));
  PetscCall(PetscMalloc1(count, &value));
  for (const fare_column *c = columns; c->name; c++) {
    for (uint64_t k = 0; k < count; k++) value[k] = fare_column_value(c, &r->motion[ensemble][k]);
    snprintf(name, sizeof name, "%s/dynamics/%s", path, c->name);
    PetscCall(fare_store_write_array(store, name, FARE_STORE_FLOAT64, 1, &count, value));
  }
  PetscCall(PetscFree(value));
  PetscFunctionReturn(0);
}
