/* SPDX-License-Identifier: BSD-2-Clause */
/* init: a commented study to begin with, of a system: the values of a shipped study, explained. */
#include "fare.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
  const char *name, *comment;
} sections[] = {
  {"drive", "Time-dependent parameters (`fare list waveforms`); several on one parameter add up."},
  {"initial", "Initial density; default: equilibrium, where it exists."},
  {"snapshots", "Times at which everything is stored and compared."},
  {"truth", "Grid of the ground truth, and tolerance of its time steps."},
  {"ensembles", "Samplers to compare with it (`fare list samplers`); dt: time step of a simulation."},
  {"thermodynamics", "Work, heat and entropy production of the truth."},
  {"analysis", "Further results from the grid (`fare list analyses`)."},
  {"events", "Rare events: to reach b before a, or before a deadline."},
  {"rare", "Estimators of their probabilities (`fare list estimators`)."},
  {"infer", "Parameters from data (`fare list inferences`)."},
  {"measures", "Divergences; default: all defined in this dimension (`fare list measures`)."},
};

static PetscBool is_about(const fare_node *root, const char *system)
{
  const fare_node *name = fare_node_find(fare_node_find(root, "system"), "name");

  return name && !fare_node_find(root, "sweep") && !strcmp(fare_node_text(name), system) ? PETSC_TRUE
                                                                                         : PETSC_FALSE;
}

/* Of two studies of one system the better to begin with: driven, named after the system, of few ensembles. */
static int merit(const fare_node *root, const char *file, const char *system)
{
  const fare_node *ensembles = fare_node_find(root, "ensembles");

  return (fare_node_find(root, "drive") ? 400 : 0) + (strncmp(file, system, strlen(system)) ? 0 : 200) +
    (ensembles ? 100 - (int)fare_node_size(ensembles) : 0);
}

/* The shipped study of a system, which the caller destroys: in this directory of studies; NULL: none. */
static PetscErrorCode look_in(const char *system, const char *where, fare_config **found)
{
  char            directory[PETSC_MAX_PATH_LEN], path[2 * PETSC_MAX_PATH_LEN];
  struct dirent **entry;
  int             count, best = -1;

  PetscFunctionBegin;
  *found = NULL;
  count =
    fare_find_data(where, sizeof directory, directory) ? scandir(directory, &entry, NULL, alphasort) : -1;
  if (count < 0)
    FARE_FAIL(FARE_ERR_FAILED,
      "no directory of studies: set FARE_HOME to the directory that contains FARE's `input`");
  for (int i = 0; i < count; i++) {
    const char  *ending = strrchr(entry[i]->d_name, '.');
    fare_config *config;

    snprintf(path, sizeof path, "%s/%s", directory, entry[i]->d_name);
    if (ending && !strcmp(ending, ".yaml")) {
      PetscCall(fare_config_read(PETSC_COMM_SELF, path, &config));
      if (is_about(fare_config_root(config), system) &&
        merit(fare_config_root(config), entry[i]->d_name, system) > best) {
        best = merit(fare_config_root(config), entry[i]->d_name, system);
        fare_config_destroy(found);
        *found = config;
      } else {
        fare_config_destroy(&config);
      }
    }
    free(entry[i]);
  }
  free(entry);
  PetscFunctionReturn(0);
}

static PetscErrorCode find_study(const char *system, fare_config **found)
{
  static const char *const places[] = {"input", "input/high"};

  PetscFunctionBegin;
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(places); i++) {
    PetscCall(look_in(system, places[i], found));
    if (*found) PetscFunctionReturn(0);
  }
  FARE_FAIL(FARE_ERR_FAILED, "no shipped study of the system '%s'", system);
}

/* A list over lines of its own, anything else on one. */
static void write_section(const char *name, const fare_node *node, fare_text *to)
{
  if (fare_node_kind_of(node) != FARE_NODE_LIST ||
    fare_node_kind_of(fare_node_item(node, 0)) != FARE_NODE_MAP) {
    fare_text_add(to, "%s: ", name);
    fare_node_write(node, to);
    fare_text_add(to, "\n");
    return;
  }
  fare_text_add(to, "%s:\n", name);
  for (size_t i = 0; i < fare_node_size(node); i++) {
    fare_text_add(to, "  - ");
    fare_node_write(fare_node_item(node, i), to);
    fare_text_add(to, "\n");
  }
}

/* Of many axes: every key but the parameters as it stands there. */
static void write_composite(const fare_node *given, fare_text *to)
{
  fare_text_add(to, "\n# The physics: `fare describe system %s` explains the keys.\nsystem:\n",
    fare_node_text(fare_node_find(given, "name")));
  for (size_t i = 0; i < fare_node_size(given); i++) {
    fare_text_add(to, "  %s: ", fare_node_key(given, i));
    fare_node_write(fare_node_item(given, i), to);
    fare_text_add(to, "\n");
  }
}

static void write_system(const fare_system_type *type, const fare_node *given, fare_text *to)
{
  fare_text line = {0};

  fare_text_add(
    to, "\n# The physics: %s.\n# %s\nsystem:\n  name: %s\n", type->summary, type->reference, type->name);
  if (fare_node_find(given, "dimension"))
    fare_text_add(to, "  dimension: %s\n", fare_node_text(fare_node_find(given, "dimension")));
  fare_text_add(to, "  parameters:\n");
  for (const fare_parameter *row = type->parameters; row->name; row++) {
    const fare_node *value = fare_node_find(fare_node_find(given, "parameters"), row->name);

    line.length = 0;
    fare_text_add(&line, "    %s: ", row->name);
    if (value)
      fare_text_add(&line, "%s", fare_node_text(value));
    else
      fare_text_add(&line, "%.17g", row->value);
    fare_text_add(to, "%-28s # %s\n", line.text, row->description);
  }
  fare_text_free(&line);
}

static void write_study(
  const char *name, const char *system, const fare_system_type *type, const fare_node *root, fare_text *to)
{
  fare_text_add(to,
    "# Check it with `fare check %s.yaml`, run it with `mpirun -n 2 fare run %s.yaml`.\n"
    "# `fare describe study` has every key of this file, and `fare describe system %s` ranges of "
    "parameters.\n"
    "study: %s\nseed: 1 # of all random numbers\n",
    name, name, system, name);
  if (type)
    write_system(type, fare_node_find(root, "system"), to);
  else
    write_composite(fare_node_find(root, "system"), to);
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(sections); i++) {
    const fare_node *node = fare_node_find(root, sections[i].name);

    if (!node) continue;
    fare_text_add(to, "\n# %s\n", sections[i].comment);
    write_section(sections[i].name, node, to);
  }
  fare_text_add(to, "\n# Location of the results.\noutput: {directory: out/%s}\n", name);
}

static PetscErrorCode write_file(const char *name, const char *text)
{
  char  path[PETSC_MAX_PATH_LEN];
  FILE *file;

  PetscFunctionBegin;
  snprintf(path, sizeof path, "%s.yaml", name);
  file = fopen(path, "wx");
  if (!file && errno == EEXIST)
    FARE_FAIL(FARE_ERR_INPUT, "%s: the file exists; remove it or choose another name", path);
  if (!file) FARE_FAIL(FARE_ERR_FAILED, "%s: cannot be written: %s", path, strerror(errno));
  if ((fputs(text, file) < 0) | fclose(file))
    FARE_FAIL(FARE_ERR_FAILED, "%s: cannot be written: %s", path, strerror(errno));
  printf("%s is written. Next: fare check %s\n", path, path);
  PetscFunctionReturn(0);
}

static PetscErrorCode create(const char *name, const char *system)
{
  const fare_system_type *type = fare_system_type_find(system); /* NULL: it is made of others, or of keys */
  fare_config            *config;
  fare_text               text = {0};
  PetscErrorCode          code;

  PetscFunctionBegin;
  if (!strcmp(system, "steered"))
    FARE_FAIL(FARE_ERR_INPUT,
      "a steered system needs a control: first a study of the system that is steered, with an analysis of "
      "kind "
      "'bridge' (fare describe analysis bridge), then one of {name: steered, unit: ..., control: ...}");
  if (!strcmp(system, "counterdiabatic"))
    FARE_FAIL(FARE_ERR_INPUT,
      "this system needs a force: first a study of the system that is driven, with an analysis of kind "
      "'counterdiabatic', then one of {name: counterdiabatic, unit: ..., file: ..., analysis: ...}");
  PetscCall(find_study(system, &config));
  write_study(name, system, type, fare_config_root(config), &text);
  code = write_file(name, text.text);
  fare_text_free(&text);
  fare_config_destroy(&config);
  PetscFunctionReturn(code);
}

static PetscErrorCode check_system(const char *name)
{
  enum { MOST = 64 };
  const char *names[MOST], *summary;
  size_t      count = 0;

  for (; count < MOST && (names[count] = fare_system_name_at(count, &summary)); count++) {
    if (!strcmp(names[count], name)) return 0;
  }
  return fare_error_unknown("system", name, names, count);
}

static PetscErrorCode init(const fare_arguments *arguments)
{
  const char    *name = NULL, *system = "prinz";
  PetscErrorCode code = 0;
  int            rank;

  PetscFunctionBegin;
  for (int i = 1; i < arguments->count; i++) {
    const char *word = arguments->argument[i], *value;

    PetscCall(fare_option_value(&fare_command_init, arguments, &i, "--system", "a name", &value));
    if (value) {
      system = value;
    } else if (*word == '-') {
      PetscCall(fare_unknown_option(&fare_command_init, word));
    } else if (name) {
      PetscCall(fare_usage(&fare_command_init, "one study at a time, got '%.60s' and '%.60s'", name, word));
    } else {
      name = word;
    }
  }
  if (!name) PetscCall(fare_usage(&fare_command_init, "no name given for the study"));
  if (!fare_is_word(name))
    PetscCall(
      fare_usage(&fare_command_init, "'%.60s' is not a valid name: use letters, digits, _ and -", name));
  PetscCall(check_system(system));
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  if (rank == 0) code = create(name, system);
  PetscFunctionReturn(fare_error_agree(PETSC_COMM_WORLD, code));
}

const fare_command fare_command_init = {
  .name     = "init",
  .synopsis = "init NAME [--system prinz]",
  .summary  = "writes a commented study file to start from, NAME.yaml",
  .help     = "fare init my_first --system double_well\n\n"
              "The values are those of an example study of FARE.\n",
  .run      = init,
};
