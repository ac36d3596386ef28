/* SPDX-License-Identifier: BSD-2-Clause */
/* A plan as YAML with all its defaults, and the keys that a study file may have. */
#include "plan.h"

#include <fare/plugin.h>

#include <stdlib.h>

const fare_plan_section fare_plan_sections[] = {
  {"initial", fare_initial_fields, offsetof(fare_plan, initial), 0},
  {"snapshots", fare_schedule_fields, offsetof(fare_plan, snapshots), 0},
  {"truth", fare_truth_fields, offsetof(fare_plan, truth), offsetof(fare_plan, has_truth)},
  {"thermodynamics", fare_thermo_fields, offsetof(fare_plan, thermodynamics),
    offsetof(fare_plan, has_thermodynamics)},
  {"record", fare_record_fields, offsetof(fare_plan, record), 0},
  {NULL, NULL, 0, 0},
};

static PetscBool is_joint(const fare_plan *plan, const fare_plan_section *section)
{
  return plan->joint && section->fields == fare_truth_fields ? PETSC_TRUE : PETSC_FALSE;
}

const fare_field *fare_plan_table(
  const fare_plan *plan, const fare_plan_section *section, const fare_field **more)
{
  const PetscBool joint = is_joint(plan, section);

  *more = joint ? fare_joint_kind_field : NULL;
  return joint ? plan->joint->fields : section->fields;
}

const void *fare_plan_options(const fare_plan *plan, const fare_plan_section *section)
{
  const char *of = (const char *)plan;

  if (is_joint(plan, section)) return plan->joint_options;
  return !section->given || *(const PetscBool *)(of + section->given) ? of + section->options : NULL;
}

static void write_ensemble(const fare_plan_ensemble *ensemble, fare_text *to)
{
  const PetscBool    python = fare_plan_is_python(ensemble->type);
  fare_plan_ensemble line   = *ensemble;

  line.name = ensemble->line;
  fare_text_add(to, "  -\n");
  fare_fields_write(fare_ensemble_fields, &line, 4, to);
  if (python) fare_text_add(to, "    sampler:\n");
  fare_fields_write(ensemble->type->fields, ensemble->options, python ? 6 : 4, to);
  if (ensemble->type->train) {
    fare_text_add(to, "    train:\n");
    fare_fields_write(fare_training_fields, &ensemble->training, 6, to);
  }
  if (ensemble->prior_node) {
    fare_text_add(to, "    prior: ");
    fare_node_write(ensemble->prior_node, to);
    fare_text_add(to, "\n");
  }
}

void fare_plan_write(const fare_plan *plan, fare_text *to)
{
  fare_text_add(to, "study: '%s'\nseed: %lld\n", plan->study, (long long)plan->seed);
  fare_system_write(plan->system, to);
  for (const fare_plan_section *section = fare_plan_sections; section->key; section++) {
    const void       *options = fare_plan_options(plan, section);
    const fare_field *more;

    if (!options) continue;
    fare_text_add(to, "%s:\n", section->key);
    if (is_joint(plan, section)) fare_text_add(to, "  kind: %s\n", plan->joint->name);
    fare_fields_write(fare_plan_table(plan, section, &more), options, 2, to);
  }
  if (plan->ensembles) fare_text_add(to, "ensembles:\n");
  for (size_t i = 0; i < plan->ensembles; i++) {
    if (!plan->ensemble[i].seed) write_ensemble(&plan->ensemble[i], to);
  }
  if (plan->has_truth || plan->joint) {
    fare_text_add(to, "measures: [");
    for (size_t i = 0; i < plan->measures; i++)
      fare_text_add(to, "%s%s", i ? ", " : "", plan->measure[i]->name);
    fare_text_add(to, "]\n");
  }
  fare_analyses_write(plan->analyses, plan->analysis, to);
  fare_rare_write(plan->rare, to);
  if (plan->condition) fare_text_add(to, "condition: %s\n", plan->condition);
  fare_control_write(plan->control, to);
  fare_infer_write(plan->infer, to);
  fare_text_add(to, "output:\n");
  fare_fields_write(fare_plan_output_fields, &(fare_plan_output){plan->directory}, 2, to);
}

static void describe_section(FILE *to, const char *title, const fare_field *fields)
{
  fprintf(to, "\n%s\n", title);
  fare_fields_describe(fields, to);
}

void fare_plan_describe(FILE *to)
{
  fprintf(to, "A study file is YAML with these keys:\n");
  fare_fields_describe(fare_plan_fields, to);
  describe_section(to, "system:   (`fare describe system NAME` lists its parameters)", fare_system_fields());
  describe_section(to,
    "system.expression:   (docs/plugins_and_expressions.md defines the syntax of formulas)",
    fare_expression_fields());
  fprintf(to,
    "\ndrive:   a list of maps {parameter: ..., waveform: ..., ...}; `fare describe waveform NAME` lists the "
    "keys of each\n");
  describe_section(to, "initial:", fare_initial_fields);
  describe_section(to, "snapshots:", fare_schedule_fields);
  describe_section(to, "truth:", fare_truth_fields);
  describe_section(to,
    "analysis:   a list of maps, with the keys of each kind besides (`fare describe analysis KIND`)",
    fare_analysis_fields);
  describe_section(to, "events:   a list of maps", fare_event_fields);
  describe_section(to,
    "rare:   a list of maps, with the keys of each method besides (`fare describe estimator METHOD`)",
    fare_rare_fields);
  describe_section(to, "control:   a list of maps", fare_control_fields);
  describe_section(to, "infer:   a list of maps (`fare describe inference METHOD` says what a method is)",
    fare_infer_fields);
  describe_section(to, "thermodynamics:", fare_thermo_fields);
  describe_section(to,
    "ensembles:   a list of maps, with the keys of each sampler besides (`fare describe sampler NAME`)",
    fare_ensemble_fields);
  describe_section(to, "ensembles[].train:", fare_training_fields);
  describe_section(to, "ensembles[].prior:", fare_prior_fields);
  describe_section(to, "ensembles[].prior.assume:", fare_prior_assume_fields);
  describe_section(to, "record:", fare_record_fields);
  describe_section(to, "output:", fare_plan_output_fields);
}
