/* SPDX-License-Identifier: BSD-2-Clause */
/* What designs can tell: a table for people, and groups /infer/NAME. */
#include "infer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TIE   1e-3 /* by which a larger component is no larger */
#define SHOWN 0.05 /* of the largest component of a direction, from which on one is named */

/*
  A direction in the parameters' own units. Which parameters have a part in it, and which has the largest,
  whose component is 1, is told in units of their scales: it is the same in any units.
*/
static void print_direction(const fare_infer_design *d, int e, fare_text *text)
{
  const double *v    = d->direction + e * d->count;
  int           most = 0;
  PetscBool     any  = PETSC_FALSE;

  for (int k = 1; k < d->count; k++)
    if (fabs(v[k]) > (1 + TIE) * fabs(v[most])) most = k;
  for (int k = 0; k < d->count; k++) {
    const double part = v[k] * d->scale[k] / (v[most] * d->scale[most]);

    if (fabs(v[k]) < SHOWN * fabs(v[most])) continue;
    if (fabs(part - 1) < 1e-3)
      fare_text_add(text, "%s%s", any ? " + " : "", d->parameter[k]);
    else
      fare_text_add(text, "%s%.3g %s",
        any          ? part < 0 ? " - " : " + "
          : part < 0 ? "-"
                     : "",
        fabs(part), d->parameter[k]);
    any = PETSC_TRUE;
  }
}

static void print_row(const fare_infer_design *d, fare_table *table)
{
  for (int e = 0; e < d->count; e++) {
    fare_text text = {0};

    print_direction(d, e, &text);
    fare_table_cell(table, "%s", e ? "" : d->infer);
    fare_table_cell(table, "%s", e ? "" : d->design);
    if (d->value[e] > d->error[e])
      fare_table_cell(table, "%.5g", d->value[e]);
    else
      fare_table_cell(table, "0");
    fare_table_cell(table, "%.1e", d->error[e]);
    fare_table_cell(table, "%s", text.text);
    fare_table_cell(table, "%s", d->parameter[e]);
    if (isfinite(d->variance[e]))
      fare_table_cell(table, "%.3g", sqrt(d->variance[e]) * d->scale[e]);
    else
      fare_table_cell(table, "undetermined");
    fare_text_free(&text);
  }
}

/* What no number of particles tells, and the best of the designs of one name. */
static void print_advice(const fare_infer_results *r, FILE *to)
{
  for (size_t i = 0; i < r->designs; i++) {
    const fare_infer_design *d = &r->design[i];

    const int unknown = (int)d->unknown;
    fare_text text    = {0};

    /* two directions or more of eigenvalue 0 are any two of a plane: those that remain say more */
    for (int e = unknown > 1 ? unknown : 0; e < (unknown > 1 ? d->count : unknown); e++) {
      fare_text_add(&text, "%s", text.text ? "; " : "");
      print_direction(d, e, &text);
    }
    if (unknown == d->count)
      fprintf(to, "%s, %s: determines none of these parameters\n", d->infer, d->design);
    else if (unknown)
      fprintf(to, "%s, %s: no number of particles determines %s%s\n", d->infer, d->design,
        unknown > 1 ? "more than " : "", text.text);
    fare_text_free(&text);
  }
  for (size_t i = 0, best = 0; i < r->designs; i++) {
    const PetscBool last = i + 1 == r->designs || strcmp(r->design[i].infer, r->design[i + 1].infer);

    if (!i || strcmp(r->design[i].infer, r->design[i - 1].infer)) best = i;
    if (r->design[i].cost < r->design[best].cost) best = i;
    if (last && isfinite(r->design[best].cost))
      fprintf(to, "%s: the best of these designs is %s\n", r->design[i].infer, r->design[best].design);
  }
}

void fare_infer_designs_print(const fare_infer_results *r, FILE *to)
{
  static const char *const heads[] = {
    "inference", "design", "eigenvalue", "error", "direction", "parameter", "std. dev."};
  fare_table *table;

  if (!r->designs) return;
  fprintf(to,
    "\nIdentifiability (eigenvalues of one particle's information, parameters in units of their values; "
    "standard deviations of all %.6g)\n",
    r->design->particles);
  fare_table_create(PETSC_STATIC_ARRAY_LENGTH(heads), &table);
  fare_table_headings(table, heads);
  for (size_t i = 0; i < r->designs; i++) print_row(&r->design[i], table);
  fare_table_print(table, to);
  fare_table_destroy(&table);
  print_advice(r, to);
}

static PetscErrorCode put(fare_store *store, const char *group, const char *name, const fare_infer_design *d,
  size_t rows, size_t offset, size_t size)
{
  const uint64_t extent[] = {rows, (uint64_t)d->count, (uint64_t)d->count};
  const size_t   many     = size > 1 ? (size_t)(d->count * d->count) : (size_t)d->count;
  char           path[256];
  double        *value;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(rows * many, &value));
  for (size_t i = 0; i < rows; i++)
    memcpy(value + i * many, (const char *)&d[i] + offset, many * sizeof *value);
  snprintf(path, sizeof path, "%s/%s", group, name);
  PetscCall(fare_store_write_array(store, path, FARE_STORE_FLOAT64, size > 1 ? 3 : 2, extent, value));
  PetscCall(PetscFree(value));
  PetscFunctionReturn(0);
}

#define PUT(name, member, size) \
  PetscCall(put(store, group, name, d, rows, offsetof(fare_infer_design, member), size))

static PetscErrorCode save_group(const fare_infer_design *d, size_t rows, fare_store *store)
{
  const char *text[FARE_INFER_PARAMETERS], **designs;
  char        group[128];

  PetscFunctionBegin;
  snprintf(group, sizeof group, "/infer/%s", d->infer);
  PetscCall(fare_store_group(store, group));
  for (int k = 0; k < d->count; k++) text[k] = d->parameter[k];
  PetscCall(fare_store_put_strings(store, group, "parameters", (uint64_t)d->count, text));
  PetscCall(PetscMalloc1(rows, &designs));
  for (size_t i = 0; i < rows; i++) designs[i] = d[i].design;
  PetscCall(fare_store_put_strings(store, group, "designs", rows, designs));
  PetscCall(PetscFree(designs));
  PUT("eigenvalues", value, 1);
  PUT("errors", error, 1);
  PUT("scales", scale, 1);
  PUT("variances", variance, 1);
  PUT("directions", direction, 2);
  PUT("information", information, 2);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_infer_designs_save(const fare_infer_results *r, fare_store *store)
{
  PetscFunctionBegin;
  for (size_t first = 0, behind; first < r->designs; first = behind) {
    for (behind = first; behind < r->designs && !strcmp(r->design[behind].infer, r->design[first].infer);)
      behind++;
    PetscCall(save_group(&r->design[first], behind - first, store));
  }
  PetscFunctionReturn(0);
}
