/* SPDX-License-Identifier: BSD-2-Clause */
/* What inferences found: a table for people, and group /infer. */
#include "infer.h"

#include <math.h>
#include <string.h>

#define R_HAT     1.01 /* as Vehtari et al. advise */
#define EFFECTIVE 400
#define HIGHER    0.01 /* of a profile's logarithm above the estimate */

/* Numbers of a row, under the names that files give them. */
#define COLUMN(member)                        \
  {                                           \
#member, offsetof(fare_infer_row, member) \
  }
static const struct {
  const char *name;
  size_t      offset;
} columns[] = {
  COLUMN(knot),
  COLUMN(lag),
  COLUMN(pairs),
  COLUMN(sets),
  COLUMN(truth),
  COLUMN(limit),
  COLUMN(limit_error),
  COLUMN(estimate),
  COLUMN(error),
  COLUMN(low),
  COLUMN(high),
  COLUMN(spread),
  COLUMN(covered),
  COLUMN(grid),
  COLUMN(log_likelihood),
  COLUMN(implied),
  COLUMN(seconds),
  COLUMN(posterior.mean),
  COLUMN(posterior.sd),
  COLUMN(posterior.error),
  COLUMN(posterior.low),
  COLUMN(posterior.high),
  COLUMN(posterior.low_error),
  COLUMN(posterior.high_error),
  COLUMN(posterior.r_hat),
  COLUMN(posterior.effective),
  COLUMN(posterior_covered),
};

/* Draws of each fit, under the number of its first row. */
static PetscErrorCode save_draws(const fare_infer_results *results, fare_store *store)
{
  PetscBool any = PETSC_FALSE;

  PetscFunctionBegin;
  for (size_t i = 0; i < results->count; i++) {
    uint64_t extent[2] = {0, 1};
    char     path[64];

    if (!results->draw[i]) continue;
    if (!any) PetscCall(fare_store_group(store, "/infer/draws"));
    any = PETSC_TRUE;
    /* the rows of one fit follow each other, each parameter once */
    while (i + extent[1] < results->count &&
      strcmp(results->row[i + extent[1]].parameter, results->row[i].parameter) &&
      !results->draw[i + extent[1]])
      extent[1]++;
    extent[0] = results->draws[i] / extent[1];
    snprintf(path, sizeof path, "/infer/draws/%zu", i);
    PetscCall(fare_store_write_array(store, path, FARE_STORE_FLOAT64, 2, extent, results->draw[i]));
  }
  PetscFunctionReturn(0);
}

/* Of each row with one: values of the parameter, and the change of ln L. */
static PetscErrorCode save_profiles(const fare_infer_results *results, fare_store *store)
{
  PetscBool any = PETSC_FALSE;

  PetscFunctionBegin;
  for (size_t i = 0; i < results->count; i++) {
    const fare_profile *p         = &results->profile[i];
    const uint64_t      extent[2] = {2, (uint64_t)p->count};
    double              of[2 * FARE_PROFILE_POINTS];
    char                path[64];

    if (!p->count || results->failure[i]) continue;
    if (!any) PetscCall(fare_store_group(store, "/infer/profiles"));
    any = PETSC_TRUE;
    memcpy(of, p->value, (size_t)p->count * sizeof *of);
    memcpy(of + p->count, p->change, (size_t)p->count * sizeof *of);
    snprintf(path, sizeof path, "/infer/profiles/%zu", i);
    PetscCall(fare_store_write_array(store, path, FARE_STORE_FLOAT64, 2, extent, of));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_infer_results_save(const fare_infer_results *results, fare_store *store)
{
  const uint64_t extent = results->count;
  const char   **text;
  double        *value;
  char           path[64];

  PetscFunctionBegin;
  if (!results->count && !results->designs) PetscFunctionReturn(0);
  PetscCall(fare_store_group(store, "/infer"));
  PetscCall(fare_infer_designs_save(results, store));
  if (!results->count) PetscFunctionReturn(0);
  PetscCall(PetscMalloc2(extent, &text, extent, &value));
  for (size_t i = 0; i < extent; i++) text[i] = results->row[i].infer;
  PetscCall(fare_store_put_strings(store, "/infer", "inferences", extent, text));
  for (size_t i = 0; i < extent; i++) text[i] = results->row[i].method;
  PetscCall(fare_store_put_strings(store, "/infer", "methods", extent, text));
  for (size_t i = 0; i < extent; i++) text[i] = results->row[i].parameter;
  PetscCall(fare_store_put_strings(store, "/infer", "parameters", extent, text));
  for (size_t i = 0; i < extent; i++) text[i] = results->failure[i] ? results->failure[i] : "";
  PetscCall(fare_store_put_strings(store, "/infer", "failures", extent, text));
  for (size_t k = 0; k < PETSC_STATIC_ARRAY_LENGTH(columns); k++) {
    for (size_t i = 0; i < extent; i++) {
      value[i] = *(const double *)((const char *)&results->row[i] + columns[k].offset);
      if (results->failure[i] && strcmp(columns[k].name, "lag") && strcmp(columns[k].name, "knot"))
        value[i] = NAN;
    }
    snprintf(path, sizeof path, "/infer/%s", columns[k].name);
    for (char *c = path; *c; c++) *c = *c == '.' ? '_' : *c;
    PetscCall(fare_store_write_array(store, path, FARE_STORE_FLOAT64, 1, &extent, value));
  }
  PetscCall(PetscFree2(text, value));
  PetscCall(save_draws(results, store));
  PetscCall(fare_infer_potentials_save(results, store));
  PetscCall(save_profiles(results, store));
  PetscFunctionReturn(0);
}

static void number(fare_table *table, const char *format, double value)
{
  char text[64];

  snprintf(text, sizeof text, format, value);
  fare_table_cell(table, "%s", isnan(value) ? "-" : text);
}

static void print_row(const fare_infer_row *r, PetscBool sets, fare_table *table)
{
  fare_table_cell(table, "%s", r->infer);
  fare_table_cell(table, "%s", r->method);
  number(table, "%.4g", r->lag > 0 ? r->lag : NAN);
  number(table, "%.0f", r->pairs);
  fare_table_cell(table, "%s", r->parameter);
  number(table, "%.5g", r->truth);
  number(table, "%.5g", r->limit);
  number(table, "%.5g", r->estimate);
  number(table, "%.2g", r->error);
  if (sets) {
    number(table, "%.0f", r->sets);
    number(table, "%.2g", r->spread);
    number(table, "%.1f%%", 100 * r->covered);
  } else if (isnan(r->low) && isnan(r->high)) {
    fare_table_cell(table, "-");
  } else {
    fare_table_cell(table, "[%.4g, %.4g]", r->low, r->high);
  }
  number(table, "%.1e", r->grid);
}

/* A profile above its estimate: that is one of several maxima, and not the largest. */
static void print_higher(const fare_infer_row *r, const fare_profile *p, FILE *to)
{
  int most = 0;

  for (int i = 1; i < p->count; i++)
    if (p->change[i] > p->change[most]) most = i;
  if (p->count && p->change[most] > HIGHER)
    fprintf(to,
      "%s, %s: the estimate is not the largest likelihood, which is higher by a factor of %.3g or more at "
      "%s = %.4g: take that for the first guess\n",
      r->infer, r->method, exp(p->change[most]), r->parameter, p->value[most]);
}

/* What a row's numbers hide. */
static void print_doubts(const fare_infer_results *results, FILE *to)
{
  for (size_t i = 0; i < results->count; i++) {
    const fare_infer_row *r = &results->row[i];

    if (results->failure[i]) {
      if (!i || !results->failure[i - 1] || strcmp(results->failure[i - 1], results->failure[i]))
        fprintf(to, "Inference %s, %s, failed: %s\n", r->infer, r->method, results->failure[i]);
      continue;
    }
    if (r->held > 0)
      fprintf(to,
        "%s, %s: %s lies at an end of its range in %g of %g fits; errors of the others are conditional on "
        "that\n",
        r->infer, r->method, r->parameter, r->held, r->sets);
    print_higher(r, &results->profile[i], to);
    if (!isnan(r->implied) && (!i || r->implied != results->row[i - 1].implied))
      fprintf(to, "%s, %s: epsilon implies a diffusion of %.3g\n", r->infer, r->method, r->implied);
    if (r->dropped > 0)
      fprintf(to, "%s, %s: cross-validation drops the term of %s in %g of %g fits\n", r->infer, r->method,
        r->parameter, r->dropped, r->sets);
    if (r->grid > 0.3 * r->error && isnan(r->knot))
      fprintf(to,
        "%s, %s: the error due to cells or kernels is %.2g in %s, and the standard error %.2g: take more "
        "cells or data\n",
        r->infer, r->method, r->grid, r->parameter, r->error);
  }
}

/* The second table, of rows with draws. */
static void print_posteriors(const fare_infer_results *results, FILE *to)
{
  static const char *const heads[] = {"inference", "method", "lag", "parameter", "mean", "MC error",
    "std. dev.", "95% of the posterior", "MC errors", "R-hat", "effective", "covered"};
  fare_table              *table;
  PetscBool                any = PETSC_FALSE;

  fare_table_create(PETSC_STATIC_ARRAY_LENGTH(heads), &table);
  fare_table_headings(table, heads);
  for (size_t i = 0; i < results->count; i++) {
    const fare_infer_row    *r = &results->row[i];
    const fare_posterior_of *p = &r->posterior;

    if (results->failure[i] || isnan(p->error)) continue;
    any = PETSC_TRUE;
    fare_table_cell(table, "%s", r->infer);
    fare_table_cell(table, "%s", r->method);
    number(table, "%.4g", r->lag > 0 ? r->lag : NAN);
    fare_table_cell(table, "%s", r->parameter);
    number(table, "%.5g", p->mean);
    number(table, "%.1e", p->error);
    number(table, "%.3g", p->sd);
    fare_table_cell(table, "[%.4g, %.4g]", p->low, p->high);
    fare_table_cell(table, "%.1e, %.1e", p->low_error, p->high_error);
    number(table, "%.4f", p->r_hat);
    number(table, "%.0f", p->effective);
    number(table, "%.1f%%", r->sets > 1 ? 100 * r->posterior_covered : NAN);
  }
  if (any) {
    fprintf(to, "\nPosteriors (of the first data set)\n");
    fare_table_print(table, to);
  }
  fare_table_destroy(&table);
  for (size_t i = 0; i < results->count && any; i++) {
    const fare_infer_row *r = &results->row[i];

    if (!results->failure[i] && (r->posterior.r_hat > R_HAT || r->posterior.effective < EFFECTIVE))
      fprintf(to,
        "%s, %s: draws of %s have not converged (R-hat above %g or fewer than %d effective ones): take "
        "more\n",
        r->infer, r->method, r->parameter, R_HAT, EFFECTIVE);
  }
}

void fare_infer_results_print(const fare_infer_results *results, FILE *to)
{
  static const char *const one[] = {"inference", "method", "lag", "pairs", "parameter", "truth", "limit",
    "estimate", "+-", "95% interval", "cells"},
                           *const many[] = {"inference", "method", "lag", "pairs", "parameter", "truth",
                             "limit", "mean", "+-", "sets", "spread", "covered", "cells"};
  fare_table                     *table;
  PetscBool                       sets = PETSC_FALSE, any = PETSC_FALSE;

  fare_infer_designs_print(results, to);
  if (!results->count) return;
  for (size_t i = 0; i < results->count; i++)
    if (!results->failure[i] && results->row[i].sets > 1) sets = PETSC_TRUE;
  fare_table_create(sets ? 13 : 11, &table);
  fare_table_headings(table, sets ? many : one);
  for (size_t i = 0; i < results->count; i++) {
    if (results->failure[i] || !isnan(results->row[i].knot)) continue;
    print_row(&results->row[i], sets, table);
    any = PETSC_TRUE;
  }
  if (any) {
    fprintf(to, "\nInference (limit: for infinitely many data at that lag; cells: error due to the grid)\n");
    fare_table_print(table, to);
  }
  fare_table_destroy(&table);
  fare_infer_potentials_print(results, to);
  print_posteriors(results, to);
  print_doubts(results, to);
}
