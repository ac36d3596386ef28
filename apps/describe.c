/* SPDX-License-Identifier: BSD-2-Clause */
/* list and describe: what there is, from the registries. */
#include "fare.h"

#include <stdio.h>
#include <string.h>

static PetscErrorCode describe_system(const char *name)
{
  PetscFunctionBegin;
  PetscCall(fare_system_describe(name, stdout));
  PetscFunctionReturn(0);
}

static PetscErrorCode describe_sampler(const char *name)
{
  PetscFunctionBegin;
  fare_sampler_type_describe(fare_sampler_type_find(name), stdout);
  PetscFunctionReturn(0);
}

static PetscErrorCode describe_measure(const char *name)
{
  const fare_measure_type *type;
  size_t                   i = 0;

  PetscFunctionBegin;
  while ((type = fare_score_measure_at(i)) && strcmp(type->name, name)) i++;
  fare_measure_type_describe(type, stdout);
  if (!fare_joint_measure_find(name))
    printf("\nOf truths on a grid.\n");
  else if (type == fare_joint_measure_find(name))
    printf("\nOf truths of many axes (truth.kind).\n");
  else if (!type->evaluate)
    printf("\nOf samples with their own log_density: in `fare score`, and with truths of many axes.\n");
  else
    printf("\nOf truths on a grid; truths of many axes have a measure of this name, too.\n");
  PetscFunctionReturn(0);
}

/* What `fare score` prints beside each measure. */
static PetscBool describe_column(const char *wanted, PetscBool show)
{
  const char *name, *meaning;

  for (size_t i = 0; (name = fare_score_column_at(i, &meaning)); i++) {
    if (strcmp(name, wanted)) continue;
    if (show)
      printf("%s: %s\n\nA column of every measure in `fare score --json` and `--csv`.\n", name, meaning);
    return PETSC_TRUE;
  }
  return PETSC_FALSE;
}

static PetscErrorCode describe_waveform(const char *name)
{
  PetscFunctionBegin;
  PetscCall(fare_waveform_describe(name, stdout));
  PetscFunctionReturn(0);
}

/* A truth on one grid comes first. */
static const char *truth_at(size_t i, const char **summary)
{
  const fare_joint_type *type = i ? fare_joint_type_at(i - 1) : NULL;

  *summary = type ? type->summary : i ? NULL : "the density on one grid, of up to three axes";
  return type ? type->name : i ? NULL : "grid";
}

static PetscErrorCode describe_truth(const char *name)
{
  const fare_joint_type *type = fare_joint_type_find(name);

  PetscFunctionBegin;
  if (type) {
    fare_joint_type_describe(type, stdout);
  } else {
    printf("truth grid: the density on one grid, of up to three axes\n\n");
    fare_fields_describe(fare_truth_fields, stdout);
  }
  PetscFunctionReturn(0);
}

static const char *sampler_at(size_t i, const char **summary)
{
  const fare_sampler_type *type = fare_sampler_type_at(i);

  *summary = type ? type->summary : NULL;
  return type ? type->name : NULL;
}

static const char *measure_at(size_t i, const char **summary)
{
  const fare_measure_type *type = fare_score_measure_at(i);

  *summary = type ? type->summary : NULL;
  return type ? type->name : NULL;
}

static const char *waveform_at(size_t i, const char **summary)
{
  const char *name = fare_waveform_name_at(i);

  *summary = name ? fare_waveform_description_at(i) : NULL;
  return name;
}

static const char *analysis_at(size_t i, const char **summary)
{
  *summary = fare_analysis_summary_at(i);
  return fare_analysis_name_at(i);
}

static PetscErrorCode describe_analysis(const char *name)
{
  PetscFunctionBegin;
  PetscCall(fare_analysis_describe(name, stdout));
  PetscFunctionReturn(0);
}

static const char *estimator_at(size_t i, const char **summary)
{
  *summary = fare_rare_summary_at(i);
  return fare_rare_name_at(i);
}

static PetscErrorCode describe_estimator(const char *name)
{
  PetscFunctionBegin;
  PetscCall(fare_rare_describe(name, stdout));
  PetscFunctionReturn(0);
}

static const char *inference_at(size_t i, const char **summary)
{
  *summary = fare_infer_summary_at(i);
  return fare_infer_name_at(i);
}

static PetscErrorCode describe_inference(const char *name)
{
  PetscFunctionBegin;
  PetscCall(fare_infer_describe(name, stdout));
  PetscFunctionReturn(0);
}

static const struct {
  const char *one, *many;
  const char *(*at)(size_t i, const char **summary);
  PetscErrorCode (*describe)(const char *name);
  /* whether a name that is not listed is known; may be NULL */
  PetscBool (*describe_also)(const char *name, PetscBool show);
} registries[] = {
  {"system", "systems", fare_system_name_at, describe_system, NULL},
  {"truth", "truths", truth_at, describe_truth, NULL},
  {"sampler", "samplers", sampler_at, describe_sampler, NULL},
  {"measure", "measures", measure_at, describe_measure, describe_column},
  {"waveform", "waveforms", waveform_at, describe_waveform, NULL},
  {"analysis", "analyses", analysis_at, describe_analysis, NULL},
  {"estimator", "estimators", estimator_at, describe_estimator, NULL},
  {"inference", "inferences", inference_at, describe_inference, NULL},
};
#define REGISTRIES PETSC_STATIC_ARRAY_LENGTH(registries)

static size_t find_registry(const char *word)
{
  size_t i = 0;

  while (i < REGISTRIES && strcmp(word, registries[i].one) && strcmp(word, registries[i].many)) i++;
  return i;
}

static const char *kind_at(const char *before, size_t i)
{
  return before || i >= REGISTRIES ? NULL : registries[i].many;
}

/* A kind of thing, or behind that the names of its kind. */
static const char *thing_at(const char *before, size_t i)
{
  const size_t which = before ? find_registry(before) : 0;
  const char  *summary;

  if (before) return which < REGISTRIES ? registries[which].at(i, &summary) : NULL;
  return i < REGISTRIES ? registries[i].one : i == REGISTRIES ? "study" : NULL;
}

static PetscErrorCode list_registry(size_t which)
{
  fare_table *table;
  const char *name, *summary;

  PetscFunctionBegin;
  fare_table_create(2, &table);
  fare_table_headings(table, (const char *const[]){registries[which].one, "description"});
  for (size_t i = 0; (name = registries[which].at(i, &summary)); i++) {
    fare_table_cell(table, "%s", name);
    fare_table_cell(table, "%s", summary);
  }
  fare_table_print(table, stdout);
  fare_table_destroy(&table);
  PetscFunctionReturn(0);
}

static PetscErrorCode list(const fare_arguments *arguments)
{
  const PetscBool first = fare_is_rank_0(PETSC_COMM_WORLD);
  const size_t    which = arguments->count == 2 ? find_registry(arguments->argument[1]) : REGISTRIES;

  PetscFunctionBegin;
  if (arguments->count > 2 || (arguments->count == 2 && which == REGISTRIES))
    PetscCall(
      fare_usage(&fare_command_list, "cannot list '%.60s'", arguments->argument[arguments->count - 1]));
  for (size_t i = 0; i < REGISTRIES && first; i++) {
    if (which < REGISTRIES && i != which) continue;
    if (which == REGISTRIES && i) printf("\n");
    PetscCall(list_registry(i));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode unknown(size_t which, const char *name)
{
  enum { MOST = 64 };
  const char *names[MOST], *summary;
  size_t      count = 0;

  while (count < MOST && (names[count] = registries[which].at(count, &summary))) count++;
  return fare_error_unknown(registries[which].one, name, names, count);
}

static PetscErrorCode describe(const fare_arguments *arguments)
{
  const PetscBool first = fare_is_rank_0(PETSC_COMM_WORLD);
  const char     *name, *summary;
  size_t          which;

  PetscFunctionBegin;
  if (arguments->count == 2 && !strcmp(arguments->argument[1], "study")) {
    if (first) {
      fare_plan_describe(stdout);
      fare_sweep_describe(stdout);
    }
    PetscFunctionReturn(0);
  }
  if (arguments->count != 3) PetscCall(fare_usage(&fare_command_describe, "describe what?"));
  which = find_registry(arguments->argument[1]);
  if (which == REGISTRIES)
    PetscCall(fare_usage(&fare_command_describe, "unknown kind '%.60s'", arguments->argument[1]));
  for (size_t i = 0; (name = registries[which].at(i, &summary)); i++) {
    if (strcmp(name, arguments->argument[2])) continue;
    if (first) PetscCall(registries[which].describe(name));
    PetscFunctionReturn(0);
  }
  if (registries[which].describe_also && registries[which].describe_also(arguments->argument[2], first)) {
    PetscFunctionReturn(0);
  }
  PetscCall(unknown(which, arguments->argument[2]));
  PetscFunctionReturn(0);
}

const fare_command fare_command_list = {
  .name        = "list",
  .synopsis    = "list [systems|truths|samplers|measures|waveforms|analyses|estimators|inferences]",
  .summary     = "lists systems, truths, samplers, measures, waveforms, analyses and methods",
  .help        = "fare list samplers\n",
  .run         = list,
  .without_mpi = PETSC_TRUE,
  .word_at     = kind_at,
};

const fare_command fare_command_describe = {
  .name = "describe",
  .synopsis =
    "describe study | system NAME | truth KIND | sampler NAME | measure NAME | waveform NAME | analysis NAME "
    "| estimator NAME | inference NAME",
  .summary     = "describes one item and its keys, with defaults and ranges",
  .help        = "fare describe system prinz\n",
  .run         = describe,
  .without_mpi = PETSC_TRUE,
  .word_at     = thing_at,
};
