/* SPDX-License-Identifier: BSD-2-Clause */
/* Recovered potentials: means over sets of data, a table for people, and groups /infer/potentials/I. */
#include "potential.h"

#include <math.h>
#include <string.h>

#define OUTSIDE 0.01 /* share of the observations that may lie beyond the knots */

static void add(double value, double set, double *mean)
{
  *mean += (value - *mean) / (set + 1);
}

/* Means; of drift_error_sd in place of it, from the second set on, the sum of squares about the mean. */
void fare_potential_add(fare_inferred *found, int64_t set, fare_infer_potential *row)
{
  const double                k    = (double)set;
  const fare_infer_potential *from = found->potential;

  row->sets = k + 1;
  if (!set) {
    fare_infer_potential first = *from;

    memcpy(first.infer, row->infer, sizeof first.infer);
    memcpy(first.method, row->method, sizeof first.method);
    first.lag  = row->lag;
    first.sets = 1;
    *row       = first;
  } else {
    const double before = row->drift_error;

    if (set == 1) row->drift_error_sd = 0;
    add(from->drift_error, k, &row->drift_error);
    row->drift_error_sd += (from->drift_error - before) * (from->drift_error - row->drift_error);
    add(from->expected, k, &row->expected);
    add(from->effective, k, &row->effective);
    add(from->covered_potential, k, &row->covered_potential);
    add(from->covered_drift, k, &row->covered_drift);
    (void)PetscFree(found->potential->curve);
  }
  (void)PetscFree(found->potential);
}

void fare_potential_end(fare_infer_potential *row)
{
  if (row->sets > 1) row->drift_error_sd = sqrt(row->drift_error_sd / (row->sets - 1));
}

static void number(fare_table *table, const char *format, double value)
{
  char text[64];

  snprintf(text, sizeof text, format, value);
  fare_table_cell(table, "%s", isnan(value) ? "-" : text);
}

static void print_row(const fare_infer_potential *p, fare_table *table)
{
  fare_table_cell(table, "%s", p->infer);
  fare_table_cell(table, "%s", p->method);
  number(table, "%.4g", p->lag > 0 ? p->lag : NAN);
  fare_table_cell(table, "%d", p->knots);
  fare_table_cell(table, "%.3g (%s)", p->smoothness, p->chosen > 0 ? "auto" : "given");
  number(table, "%.1f", p->effective);
  number(table, "%.0f", p->sets);
  number(table, "%.1f%%", 100 * p->drift_error);
  number(table, "%.2g%%", isnan(p->drift_error) ? NAN : 100 * p->drift_error_sd / sqrt(p->sets));
  number(table, "%.1f%%", 100 * p->expected);
  number(table, "%.2g%%", 100 * p->alone);
  number(table, "%.1e", p->grid);
  number(table, "%.1f%%", 100 * p->covered_potential);
  number(table, "%.1f%%", 100 * p->covered_drift);
}

/* What a row's numbers hide. */
static void print_doubts(const fare_infer_potential *p, FILE *to)
{
  if (p->outside > OUTSIDE)
    fprintf(to,
      "%s, %s: %.2g%% of the observations lie beyond the knots, where V is straight: widen their range\n",
      p->infer, p->method, 100 * p->outside);
  if (p->unseen > 0)
    fprintf(to,
      "%s, %s: knots with less than one observation near them: %.0f of %d; the bands there come from the "
      "penalty,\nwhich takes V to be as smooth there as where there are data\n",
      p->infer, p->method, p->unseen, p->knots);
  if (p->alone > 0.3 * p->expected)
    fprintf(to,
      "%s, %s: %.2g%% of the drift is out of reach of these knots: take more, or a narrower range\n",
      p->infer, p->method, 100 * p->alone);
  if (p->grid > 0.3 * p->expected)
    fprintf(
      to, "%s, %s: cells change the drift by %.2g%%: take more cells\n", p->infer, p->method, 100 * p->grid);
}

void fare_infer_potentials_print(const fare_infer_results *r, FILE *to)
{
  static const char *const heads[] = {"inference", "method", "lag", "knots", "smoothness", "effective",
    "sets", "drift error", "+-", "expected", "spline alone", "cells", "V covered", "drift covered"};
  fare_table              *table;

  if (!r->potentials) return;
  fprintf(to,
    "\nPotentials without a formula (drift error: root mean square over the density, relative to the true "
    "drift; "
    "expected:\nfrom the covariance; spline alone: the least possible with these knots; covered: fraction of "
    "the "
    "density where\n95%% bands contain the truth)\n");
  fare_table_create(PETSC_STATIC_ARRAY_LENGTH(heads), &table);
  fare_table_headings(table, heads);
  for (size_t i = 0; i < r->potentials; i++) print_row(&r->potential[i], table);
  fare_table_print(table, to);
  fare_table_destroy(&table);
  for (size_t i = 0; i < r->potentials; i++) print_doubts(&r->potential[i], to);
}

static PetscErrorCode save_one(const fare_infer_potential *p, size_t i, fare_store *store)
{
  static const char *const columns[FARE_CURVE_COLUMNS] = {[FARE_CURVE_X] = "x",
    [FARE_CURVE_DENSITY]                                                 = "density",
    [FARE_CURVE_POTENTIAL]                                               = "potential",
    [FARE_CURVE_POTENTIAL_ERROR]                                         = "potential_error",
    [FARE_CURVE_DRIFT]                                                   = "drift",
    [FARE_CURVE_DRIFT_ERROR]                                             = "drift_error",
    [FARE_CURVE_TRUE_POTENTIAL]                                          = "true_potential",
    [FARE_CURVE_TRUE_DRIFT]                                              = "true_drift"};
  const struct {
    const char *name;
    double      value;
  } numbers[] = {{"lag", p->lag}, {"knots", p->knots}, {"sets", p->sets}, {"smoothness", p->smoothness},
    {"chosen", p->chosen}, {"effective", p->effective}, {"error", p->drift_error},
    {"error_sd", p->drift_error_sd}, {"expected", p->expected}, {"alone", p->alone}, {"grid", p->grid},
    {"covered_potential", p->covered_potential}, {"covered_drift", p->covered_drift}, {"unseen", p->unseen},
    {"outside", p->outside}};
  const uint64_t extent = p->points;
  char           group[64], path[128];

  PetscFunctionBegin;
  snprintf(group, sizeof group, "/infer/potentials/%zu", i);
  PetscCall(fare_store_group(store, group));
  PetscCall(fare_store_put_string(store, group, "inference", p->infer));
  PetscCall(fare_store_put_string(store, group, "method", p->method));
  for (size_t k = 0; k < PETSC_STATIC_ARRAY_LENGTH(numbers); k++)
    PetscCall(fare_store_put_real(store, group, numbers[k].name, numbers[k].value));
  for (size_t k = 0; k < FARE_CURVE_COLUMNS; k++) {
    snprintf(path, sizeof path, "%s/%s", group, columns[k]);
    PetscCall(fare_store_write_array(store, path, FARE_STORE_FLOAT64, 1, &extent, p->curve + k * p->points));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_infer_potentials_save(const fare_infer_results *r, fare_store *store)
{
  PetscFunctionBegin;
  if (!r->potentials) PetscFunctionReturn(0);
  PetscCall(fare_store_group(store, "/infer/potentials"));
  for (size_t i = 0; i < r->potentials; i++) PetscCall(save_one(&r->potential[i], i, store));
  PetscFunctionReturn(0);
}
