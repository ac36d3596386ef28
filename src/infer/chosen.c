/* SPDX-License-Identifier: BSD-2-Clause */
/* One fit of the section by its name, for who assumes what it finds. */
#include "options.h"

#include <math.h>
#include <string.h>

/* What is said of it; NULL, 0: nothing. */
typedef struct {
  char  *name, *method;
  double lag;
} choice;

static const fare_field fields[] = {
  {"name", FARE_STRING, offsetof(choice, name), NULL, 0, 0, NULL, "", "of a line of `infer`"},
  {"method", FARE_STRING, offsetof(choice, method), "", 0, 0, NULL, "", "of that line"},
  {"lag", FARE_REAL, offsetof(choice, lag), "0", 0, 1e9, NULL, "time", "of that line"},
  FARE_FIELDS_END,
};

static PetscErrorCode read_choice(const fare_node *node, choice *c)
{
  PetscFunctionBegin;
  *c = (choice){0};
  if (fare_node_kind_of(node) == FARE_NODE_SCALAR) {
    c->name = strdup(fare_node_text(node));
    PetscFunctionReturn(0);
  }
  if (fare_node_kind_of(node) != FARE_NODE_MAP)
    FARE_REFUSE(node, "expected the name of an inference, or {name: ..., method: ..., lag: ...}");
  PetscCall(fare_fields_read(fields, NULL, node, c));
  PetscFunctionReturn(0);
}

static PetscBool is_method(const choice *c, const char *method)
{
  return !c->method || !*c->method || !strcmp(c->method, method) ? PETSC_TRUE : PETSC_FALSE;
}

static PetscBool is_lag(const choice *c, double lag)
{
  return c->lag == 0 || fabs(lag - c->lag) <= 1e-9 * c->lag ? PETSC_TRUE : PETSC_FALSE;
}

/* How many fits of parameters are meant. */
static int count_fits(const choice *c, const fare_infer_line *l)
{
  int methods = 0, lags = 0;

  for (size_t i = 0; i < l->methods; i++) methods += is_method(c, l->type[i]->name) && !l->type[i]->seeks;
  for (size_t k = 0; k < l->lag.count; k++) lags += is_lag(c, l->lag.values[k]);
  if (!l->lag.count) lags = is_lag(c, 0);
  return methods * lags;
}

static PetscErrorCode check_choice(const fare_infer *infer, const fare_node *node, const choice *c)
{
  const fare_infer_line *l = NULL;
  int                    fits;

  PetscFunctionBegin;
  for (size_t i = 0; infer && i < infer->lines; i++)
    if (!strcmp(infer->line[i].name, c->name)) l = &infer->line[i];
  if (!l) FARE_REFUSE(node, "there is no inference '%s' in the section 'infer'", c->name);
  if (fare_infer_is_design(l))
    FARE_REFUSE(node, "inference '%s' evaluates a design and estimates nothing", c->name);
  fits = count_fits(c, l);
  if (!fits)
    FARE_REFUSE(node, "inference '%s' has no fit of parameters with that method at that lag", c->name);
  if (fits > 1)
    FARE_REFUSE(node, "inference '%s' has %d fits: select one, as in {name: %s, method: %s, lag: %g}",
      c->name, fits, c->name, l->type[0]->name, l->lag.count ? l->lag.values[0] : 0);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_infer_check_fit(const fare_infer *infer, const fare_node *node)
{
  choice         c;
  PetscErrorCode code;

  PetscFunctionBegin;
  code = read_choice(node, &c);
  if (!code) code = check_choice(infer, node, &c);
  fare_fields_free(fields, &c);
  PetscFunctionReturn(code);
}

static PetscErrorCode set(const fare_infer_results *r, const choice *c, fare_system *system, fare_text *to)
{
  PetscFunctionBegin;
  for (size_t i = 0; i < r->count; i++) {
    const fare_infer_row *row = &r->row[i];

    if (strcmp(row->infer, c->name) || !is_method(c, row->method) || !is_lag(c, row->lag)) continue;
    if (r->failure[i])
      FARE_FAIL(FARE_ERR_FAILED, "inference '%s' has no result to assume: %s", c->name, r->failure[i]);
    if (fare_system_set(system, row->parameter, row->estimate))
      FARE_FAIL(
        FARE_ERR_FAILED, "the result of inference '%s' cannot be assumed: %s", c->name, fare_error_message());
    fare_text_add(to, "%s%s %.4g", to->length ? ", " : "", row->parameter, row->estimate);
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_infer_assume(
  const fare_infer_results *results, const fare_node *node, fare_system *system, fare_text *found)
{
  choice         c;
  PetscErrorCode code;

  PetscFunctionBegin;
  code = read_choice(node, &c);
  if (!code) code = set(results, &c, system, found);
  fare_fields_free(fields, &c);
  PetscFunctionReturn(code);
}
