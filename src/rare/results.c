/* SPDX-License-Identifier: BSD-2-Clause */
/* What estimators found: a table for people, and group /rare of study.h5. */
#include "run/runs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define INTERFACES_MOST 30 /* that are printed */

/* Numbers of a row, under the names that files give them. */
#define COLUMN(member)                       \
  {                                          \
#member, offsetof(fare_rare_row, member) \
  }
static const struct {
  const char *name;
  size_t      offset;
} columns[] = {
  COLUMN(runs),
  COLUMN(rate),
  COLUMN(estimate),
  COLUMN(error),
  COLUMN(low),
  COLUMN(high),
  COLUMN(normal),
  COLUMN(chain),
  COLUMN(chain_error),
  COLUMN(predicted),
  COLUMN(continuum),
  COLUMN(continuum_error),
  COLUMN(z),
  COLUMN(variance),
  COLUMN(variance_low),
  COLUMN(variance_high),
  COLUMN(cost),
  COLUMN(cost_10),
  COLUMN(path_cost),
  COLUMN(gain),
  COLUMN(of_optimum),
  COLUMN(zeros),
  COLUMN(largest),
  COLUMN(skewness),
  COLUMN(dt),
  COLUMN(path_variance),
  COLUMN(path_variance_error),
  COLUMN(path_variance_0),
  COLUMN(path_variance_0_error),
  COLUMN(path_variance_tail),
  COLUMN(ess),
  COLUMN(heaviest),
  COLUMN(hits),
  COLUMN(information),
  COLUMN(learned_error),
  COLUMN(learned_start),
  COLUMN(seconds),
};

void fare_rare_results_free(fare_rare_results *results)
{
  for (size_t i = 0; i < results->count; i++) {
    free(results->failure[i]);
    (void)PetscFree(results->once[i]);
    (void)PetscFree(results->detail[i]);
    (void)PetscFree(results->interface[i]);
  }
  (void)PetscFree(results->interface);
  fare_rare_under_way_free(&results->under_way);
  (void)PetscFree7(results->row, results->failure, results->runs, results->done, results->once,
    results->details, results->detail);
  results->count = 0;
}

/* Numbers of all runs of a row, under a name in its group. */
static PetscErrorCode keep_numbers(fare_store *store, PetscBool load, const char *group, const char *name,
  PetscInt64 runs, size_t each, double at[])
{
  const uint64_t extent[2] = {(uint64_t)runs, each};
  char           path[64];

  PetscFunctionBegin;
  snprintf(path, sizeof path, "%s/%s", group, name);
  PetscCall(load ? fare_store_read_array(store, path, FARE_STORE_FLOAT64, 2, extent, at)
                 : fare_store_write_array(store, path, FARE_STORE_FLOAT64, 2, extent, at));
  PetscFunctionReturn(0);
}

static PetscErrorCode keep_row(fare_rare_results *r, size_t i, fare_store *store, PetscBool load)
{
  int64_t done = r->done[i];
  char    group[48];

  PetscFunctionBegin;
  snprintf(group, sizeof group, "/rare/%zu", i);
  if (!load) PetscCall(fare_store_group(store, group));
  PetscCall(
    load ? fare_store_get_int(store, group, "done", &done) : fare_store_put_int(store, group, "done", done));
  if (done < 0 || done > r->runs[i])
    FARE_FAIL(
      FARE_ERR_FAILED, "%s: %lld runs of %lld are done", group, (long long)done, (long long)r->runs[i]);
  r->done[i] = done;
  PetscCall(keep_numbers(store, load, group, "runs", r->runs[i], FARE_RARE_ONCE, r->once[i]));
  if (r->details[i])
    PetscCall(keep_numbers(store, load, group, "details", r->runs[i], r->details[i], r->detail[i]));
  PetscCall(load ? fare_rare_under_way_get(&r->under_way, i, store, group)
                 : fare_rare_under_way_put(r->under_way, i, store, group));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_rare_results_keep(fare_rare_results *results, fare_store *store, PetscBool load)
{
  PetscBool has = PETSC_FALSE;

  PetscFunctionBegin;
  if (!results->count) PetscFunctionReturn(0);
  if (load) PetscCall(fare_store_has(store, "/rare", &has));
  if (load && !has) PetscFunctionReturn(0);
  if (!load) PetscCall(fare_store_group(store, "/rare"));
  for (size_t i = 0; i < results->count; i++) PetscCall(keep_row(results, i, store, load));
  PetscFunctionReturn(0);
}

/* Under the name of its row. */
static PetscErrorCode save_interfaces(const fare_rare_results *r, size_t row, fare_store *store)
{
  static const struct {
    const char *name;
    size_t      offset;
  } numbers[] = {
    {"score", offsetof(fare_interface, score)},
    {"estimate", offsetof(fare_interface, estimate)},
    {"error", offsetof(fare_interface, error)},
    {"chain", offsetof(fare_interface, chain)},
    {"continuum", offsetof(fare_interface, continuum)},
  };
  const uint64_t count = r->details[row];
  double        *value;
  char           path[160];

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(count, &value));
  for (size_t k = 0; k < PETSC_STATIC_ARRAY_LENGTH(numbers); k++) {
    for (size_t i = 0; i < count; i++)
      value[i] = *(const double *)((const char *)&r->interface[row][i] + numbers[k].offset);
    snprintf(path, sizeof path, "/rare/interfaces/%s/%s", r->row[row].estimator, numbers[k].name);
    PetscCall(fare_store_write_array(store, path, FARE_STORE_FLOAT64, 1, &count, value));
  }
  PetscCall(PetscFree(value));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_rare_results_save(const fare_rare_results *results, fare_store *store)
{
  const uint64_t extent = results->count;
  const char   **text;
  double        *value;
  char           path[64];

  PetscFunctionBegin;
  if (!results->count) PetscFunctionReturn(0);
  PetscCall(fare_store_group(store, "/rare"));
  PetscCall(PetscMalloc2(extent, &text, extent, &value));
  for (size_t i = 0; i < extent; i++) text[i] = results->row[i].estimator;
  PetscCall(fare_store_put_strings(store, "/rare", "estimators", extent, text));
  for (size_t i = 0; i < extent; i++) text[i] = results->row[i].method;
  PetscCall(fare_store_put_strings(store, "/rare", "methods", extent, text));
  for (size_t i = 0; i < extent; i++) text[i] = results->row[i].event;
  PetscCall(fare_store_put_strings(store, "/rare", "events", extent, text));
  for (size_t i = 0; i < extent; i++) text[i] = results->failure[i] ? results->failure[i] : "";
  PetscCall(fare_store_put_strings(store, "/rare", "failures", extent, text));
  for (size_t k = 0; k < PETSC_STATIC_ARRAY_LENGTH(columns); k++) {
    for (size_t i = 0; i < extent; i++)
      value[i] =
        results->failure[i] ? NAN : *(const double *)((const char *)&results->row[i] + columns[k].offset);
    snprintf(path, sizeof path, "/rare/%s", columns[k].name);
    PetscCall(fare_store_write_array(store, path, FARE_STORE_FLOAT64, 1, &extent, value));
  }
  PetscCall(PetscFree2(text, value));
  for (size_t i = 0; i < extent; i++) {
    if (results->interface[i] && !results->failure[i]) PetscCall(save_interfaces(results, i, store));
  }
  PetscFunctionReturn(0);
}

static void number(fare_table *table, const char *format, double value)
{
  char text[64];

  snprintf(text, sizeof text, format, value);
  fare_table_cell(table, "%s", isnan(value) ? "-" : text);
}

/* Whether a number from the grid is told from 0: smaller ones than 1e-308 are not. */
static PetscBool is_told(double value, double error)
{
  return value > (error > 0 ? error : 0) ? PETSC_TRUE : PETSC_FALSE;
}

static void exact(fare_table *table, const char *mark, double value, double error)
{
  const double above = 1.05 * (value + (error > 0 ? error : 0)); /* so that rounding leaves it a bound */

  if (isnan(value))
    fare_table_cell(table, "-");
  else if (is_told(value, error))
    fare_table_measured(table, mark, value, error);
  else
    fare_table_cell(table, "%s< %.1e", mark, PetscMax(above, 1e-308));
}

static void print_row(const fare_rare_row *r, fare_table *table)
{
  fare_table_cell(table, "%s", r->estimator);
  fare_table_cell(table, "%s", r->method);
  number(table, "%.5g", r->estimate);
  if (r->normal != 0 || isnan(r->error))
    number(table, "%.2g", r->error);
  else
    fare_table_cell(table, "[%.2g, %.2g]", r->low, r->high);
  exact(table, r->predicted != 0 ? "~" : "", r->chain, r->chain_error);
  exact(table, "", r->continuum, r->continuum_error);
  number(table, "%.1f", r->z);
  number(table, "%.3g", r->variance);
  number(table, "%.3g", r->cost);
  number(table, "%.3g", r->cost_10);
  number(table, "%.3g", r->gain);
  number(table, "%.2f", r->of_optimum);
}

static void with_error(fare_table *table, double value, double error)
{
  if (isnan(value))
    fare_table_cell(table, "-");
  else
    fare_table_cell(table, "%.3g +- %.1g", value, error);
}

/* Of rows whose paths have weights: what they tell of the control. */
static void print_weights(const fare_rare_results *results, FILE *to)
{
  static const char *const names[] = {"estimator", "V/path", "V/path, dt to 0", "effective paths", "largest",
    "reach b", "information", "least"};
  fare_table              *table;
  PetscBool                any = PETSC_FALSE;

  for (size_t i = 0; i < results->count; i++)
    any |= !results->failure[i] && !isnan(results->row[i].path_variance);
  if (!any) return;
  fprintf(to, "\nSteered paths (information: mean of -ln weight, in nats; least: -ln p)\n");
  fare_table_create(PETSC_STATIC_ARRAY_LENGTH(names), &table);
  fare_table_headings(table, names);
  for (size_t i = 0; i < results->count; i++) {
    const fare_rare_row *r = &results->row[i];

    if (results->failure[i] || isnan(r->path_variance)) continue;
    fare_table_cell(table, "%s", r->estimator);
    with_error(table, r->path_variance, r->path_variance_error);
    with_error(table, r->path_variance_0, r->path_variance_0_error);
    number(table, "%.4g", r->ess);
    fare_table_cell(table, "%.2g%%", 100 * r->heaviest);
    fare_table_cell(table, "%.1f%%", 100 * r->hits);
    number(table, "%.4f", r->information);
    number(table, "%.4f", is_told(r->continuum, r->continuum_error) ? -log(r->continuum) : NAN);
  }
  fare_table_print(table, to);
  fare_table_destroy(&table);
}

/* Of rows that a learned committor leads: how far it is from the grid's. */
static void print_learned(const fare_rare_results *results, FILE *to)
{
  static const char *const names[] = {
    "estimator", "rms of q, along paths", "ln q at the start, off by", "V/path", "of exact control"};
  fare_table *table;
  PetscBool   any = PETSC_FALSE;

  for (size_t i = 0; i < results->count; i++)
    any |= !results->failure[i] && !isnan(results->row[i].learned_start);
  if (!any) return;
  fprintf(to, "\nLearned committors (against the grid's; V beside that of exact control at the same dt)\n");
  fare_table_create(PETSC_STATIC_ARRAY_LENGTH(names), &table);
  fare_table_headings(table, names);
  for (size_t i = 0; i < results->count; i++) {
    const fare_rare_row *r = &results->row[i], *exact = NULL;

    if (results->failure[i] || isnan(r->learned_start)) continue;
    for (size_t k = 0; k < results->count && !exact; k++) {
      const fare_rare_row *other = &results->row[k];

      if (!strcmp(other->event, r->event) && other->dt == r->dt && strstr(other->estimator, " exact "))
        exact = other;
    }
    fare_table_cell(table, "%s", r->estimator);
    number(table, "%.3g", r->learned_error);
    number(table, "%.4f", r->learned_start);
    with_error(table, r->path_variance, r->path_variance_error);
    with_error(table, exact ? exact->path_variance : NAN, exact ? exact->path_variance_error : NAN);
  }
  fare_table_print(table, to);
  fare_table_destroy(&table);
}

/* Of forward flux: what happens at each interface, and should. */
static void print_interfaces(const fare_rare_results *results, FILE *to)
{
  static const char *const names[] = {
    "interface", "score", "share that reaches it", "chain, predicted", "exact continuum"};

  for (size_t row = 0; row < results->count; row++) {
    fare_table *table;

    if (!results->interface[row] || results->failure[row]) continue;
    fprintf(to, "\nInterfaces of %s (of the first, crossings per time)\n", results->row[row].estimator);
    fare_table_create(PETSC_STATIC_ARRAY_LENGTH(names), &table);
    fare_table_headings(table, names);
    for (size_t k = 0; k < results->details[row] && k < INTERFACES_MOST; k++) {
      const fare_interface *f = &results->interface[row][k];

      fare_table_cell(table, "%zu", k);
      number(table, "%.5g", f->score);
      with_error(table, f->estimate, f->error);
      number(table, "%.4g", f->chain);
      number(table, "%.4g", f->continuum);
    }
    fare_table_print(table, to);
    fare_table_destroy(&table);
    if (results->details[row] > INTERFACES_MOST)
      fprintf(to, "and %zu more, in study.h5\n", results->details[row] - INTERFACES_MOST);
  }
}

/* What a row cannot tell by its numbers. */
static void print_doubts(const fare_rare_results *results, FILE *to)
{
  for (size_t i = 0; i < results->count; i++) {
    const fare_rare_row *r = &results->row[i];

    if (results->failure[i])
      fprintf(to, "Estimator %s failed: %s\n", r->estimator, results->failure[i]);
    else if (!(r->runs > 1))
      fprintf(to, "%s: a single run tells no error\n", r->estimator);
    else if (r->zeros == 1)
      fprintf(to, "%s: no run found anything, so that neither error nor interval is known\n", r->estimator);
    else if (isnan(r->error))
      fprintf(to, "%s: all runs found the same number: no error is known\n", r->estimator);
    else if (fare_rare_tail(r))
      fprintf(to,
        "%s: V is %.3g, but the logarithms of weights tell of %.3g: the largest weights were not seen, p may "
        "be far too low; no normal error, and the interval is a bootstrap's, which knows nothing of them\n",
        r->estimator, r->path_variance, r->path_variance_tail);
    else if (r->runs < FARE_RARE_RUNS_LEAST)
      fprintf(to,
        "%s: fewer than %d runs: no normal error; the interval is a bootstrap's, and may still be too "
        "narrow\n",
        r->estimator, FARE_RARE_RUNS_LEAST);
    else if (r->normal == 0)
      fprintf(to,
        "%s: %.0f%% of runs found nothing, one run is %.0f%% of the sum, and the skewness of the mean may be "
        "%.1f: no normal error; the interval is a bootstrap's, and may still be too narrow\n",
        r->estimator, 100 * r->zeros, 100 * r->largest, r->skewness);
  }
}

void fare_rare_results_print(const fare_rare_results *results, FILE *to)
{
  static const char *const names[] = {"estimator", "method", "p", "+-", "exact chain", "exact continuum", "z",
    "V/run", "cost/run", "cost to 10 %", "gain", "of optimum"};
  fare_table              *table;
  PetscBool                predicted = PETSC_FALSE, rates = PETSC_FALSE;

  if (!results->count) return;
  fprintf(to, "\nRare events (costs in steps; z: against the chain that is simulated)\n");
  fare_table_create(PETSC_STATIC_ARRAY_LENGTH(names), &table);
  fare_table_headings(table, names);
  for (size_t i = 0; i < results->count; i++) {
    if (results->failure[i]) continue;
    print_row(&results->row[i], table);
    if (results->row[i].predicted != 0) predicted = PETSC_TRUE;
    if (results->row[i].rate != 0) rates = PETSC_TRUE;
  }
  fare_table_print(table, to);
  fare_table_destroy(&table);
  if (rates)
    fprintf(to,
      "p of forward_flux, and of weighted_ensemble without a deadline, is a rate: arrivals in b per time\n");
  if (predicted)
    fprintf(
      to, "~: not exact: predicted from the grid, with faces moved into the sets by 0.5826 sqrt(2 D dt)\n");
  print_weights(results, to);
  print_learned(results, to);
  print_interfaces(results, to);
  print_doubts(results, to);
}
