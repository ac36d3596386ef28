/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads `prior:`: its kind, its weight, and the system that it assumes. */
#include <fare/prior.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const fare_prior_kinds[] = {
  "dynamics_chain", "fokker_planck", "noise_equation", "least_dissipation", NULL};

#define WEIGHT_MAX 1e12

typedef struct {
  int              kind;
  char            *weight;
  const fare_node *assume;
} section;

const fare_field fare_prior_fields[] = {
  {"kind", FARE_CHOICE, offsetof(section, kind), NULL, 0, 0, fare_prior_kinds, "",
    "what is penalised; which of them a method takes: docs/priors.md"},
  {"weight", FARE_STRING, offsetof(section, weight), "auto", 0, 0, NULL, "",
    "weight of the penalty, from 0; auto: chosen on training particles that are held out"},
  {"assume", FARE_NODE, offsetof(section, assume), "", 0, 0, NULL, "",
    "dynamics assumed in place of the study's own: a map with the keys below"},
  FARE_FIELDS_END,
};

typedef struct {
  const fare_node *system, *drive, *parameters, *infer;
} assumption;

const fare_field fare_prior_assume_fields[] = {
  {"system", FARE_NODE, offsetof(assumption, system), "", 0, 0, NULL, "",
    "a section `system` of as many axes; by default the study's own"},
  {"drive", FARE_NODE, offsetof(assumption, drive), "", 0, 0, NULL, "",
    "a section `drive`, or none; by default the study's own, and none for another system"},
  {"parameters", FARE_NODE, offsetof(assumption, parameters), "", 0, 0, NULL, "",
    "values of some of the system's parameters, by name"},
  {"infer", FARE_NODE, offsetof(assumption, infer), "", 0, 0, NULL, "",
    "values that a line of `infer` finds: its name, or {name: ..., method: ..., lag: ...}"},
  FARE_FIELDS_END,
};

static PetscErrorCode read_weight(const fare_node *node, const char *text, fare_prior *p)
{
  char *end;

  PetscFunctionBegin;
  p->weight = NAN;
  if (!strcmp(text, "auto")) PetscFunctionReturn(0);
  p->weight = strtod(text, &end);
  if (end == text || *end || !(p->weight >= 0 && p->weight <= WEIGHT_MAX))
    FARE_REFUSE(node, "expected auto, or a number from 0 to %g, got '%s'", WEIGHT_MAX, text);
  PetscFunctionReturn(0);
}

static PetscBool is_none(const fare_node *drive)
{
  return drive && fare_node_kind_of(drive) == FARE_NODE_SCALAR && !strcmp(fare_node_text(drive), "none")
    ? PETSC_TRUE
    : PETSC_FALSE;
}

/* Another system, or a copy of the study's own, without its drive where another is given. */
static PetscErrorCode make_system(const assumption *a, const fare_system *system, fare_prior *p)
{
  const fare_node *drive = is_none(a->drive) ? NULL : a->drive;
  fare_text        text  = {0};
  PetscErrorCode   code;

  PetscFunctionBegin;
  if (a->system) {
    PetscCall(fare_system_from_config(a->system, drive, &p->assumed));
    PetscFunctionReturn(0);
  }
  fare_system_write(system, &text);
  code = fare_config_parse("system", text.text, text.length, &p->config);
  fare_text_free(&text);
  PetscCall(code);
  if (!a->drive) drive = fare_node_find(fare_config_root(p->config), "drive");
  PetscCall(
    fare_system_from_config(fare_node_find(fare_config_root(p->config), "system"), drive, &p->assumed));
  PetscFunctionReturn(0);
}

static PetscErrorCode set_parameters(const fare_node *map, fare_system *system)
{
  PetscFunctionBegin;
  if (!map) PetscFunctionReturn(0);
  if (fare_node_kind_of(map) != FARE_NODE_MAP) FARE_REFUSE(map, "expected a map {NAME: VALUE, ...}");
  for (size_t i = 0; i < fare_node_size(map); i++) {
    PetscErrorCode code;
    double         value;

    PetscCall(fare_node_real(fare_node_item(map, i), &value));
    code = fare_system_set(system, fare_node_key(map, i), value);
    if (code == FARE_ERR_INPUT) FARE_REFUSE_KEY(map, i, "%s", fare_error_message());
    PetscCall(code);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode read_assumption(
  const fare_node *node, const fare_system *system, double start, double end, fare_prior *p)
{
  assumption     a;
  PetscErrorCode code;

  PetscFunctionBegin;
  if (fare_node_kind_of(node) != FARE_NODE_MAP || !fare_node_size(node))
    FARE_REFUSE(node,
      "expected a map {system: ..., drive: ..., parameters: ..., infer: ...}, with at least one of these "
      "keys");
  PetscCall(fare_fields_read(fare_prior_assume_fields, NULL, node, &a));
  if (a.infer && a.system)
    FARE_REFUSE(a.infer, "inferred parameters are those of the study's own system: remove 'system'");
  p->infer = a.infer;
  PetscCall(make_system(&a, system, p));
  if (fare_system_dimension(p->assumed) != fare_system_dimension(system))
    FARE_REFUSE(a.system, "the system assumed has %d axes, the study's own has %d",
      fare_system_dimension(p->assumed), fare_system_dimension(system));
  PetscCall(set_parameters(a.parameters, p->assumed));
  code = fare_system_check(p->assumed, start, end);
  if (code == FARE_ERR_INPUT) FARE_REFUSE(node, "%s", fare_error_message());
  PetscCall(code);
  p->system = p->assumed;
  PetscFunctionReturn(0);
}

PetscErrorCode fare_prior_read(
  const fare_node *node, const fare_system *system, double start, double end, fare_prior **prior)
{
  section        s;
  fare_prior    *p;
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(PetscNew(&p));
  *prior = p;
  if (fare_node_kind_of(node) != FARE_NODE_MAP)
    FARE_REFUSE(node, "expected a map {kind: ..., weight: ..., assume: {...}}");
  PetscCall(fare_fields_read(fare_prior_fields, NULL, node, &s));
  p->kind   = s.kind;
  p->system = system;
  code      = read_weight(fare_node_find(node, "weight"), s.weight, p);
  if (!code && s.assume) code = read_assumption(s.assume, system, start, end, p);
  fare_fields_free(fare_prior_fields, &s);
  PetscFunctionReturn(code);
}

PetscErrorCode fare_prior_destroy(fare_prior **prior)
{
  fare_prior *p = *prior;

  PetscFunctionBegin;
  if (!p) PetscFunctionReturn(0);
  PetscCall(fare_system_destroy(&p->assumed));
  fare_config_destroy(&p->config);
  PetscCall(PetscFree(*prior));
  PetscFunctionReturn(0);
}
