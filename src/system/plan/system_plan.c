/* SPDX-License-Identifier: BSD-2-Clause */
/* A system and a plan: read from its sections, checked, written, compared, and described. */
#include "system/composite/composite.h"
#include "system/formula/expression.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* "no parameter 'tlt' (did you mean 'tilt'?); it has kT, mobility, ..." */
static void unknown_parameter(const fare_system_type *type, const char *name, fare_text *text)
{
  const char *names[FARE_PARAMETERS_MAX] = {NULL};
  size_t      count                      = 0;

  for (const fare_parameter *row = type->parameters; row->name; row++) names[count++] = row->name;
  fare_text_add(text, "system '%s' has no parameter '%s'", type->name, name);
  fare_text_add_nearest(text, name, names, count);
  fare_text_add(text, "; it has");
  for (size_t i = 0; i < count; i++) fare_text_add(text, "%s %s", i ? "," : "", names[i]);
}

PetscErrorCode fare_system_drive(fare_system *system, const fare_node *node)
{
  fare_waveform waveform;
  fare_text     text = {0};
  int           index;

  PetscFunctionBegin;
  PetscCall(fare_waveform_from_config(node, &waveform));
  index = fare_system_parameter_find(system->type, waveform.parameter);
  if (index < 0) {
    unknown_parameter(system->type, waveform.parameter, &text);
    fare_waveform_free(&waveform);
    PetscErrorCode code = fare_node_error(fare_node_find(node, "parameter"), "%s", text.text);

    fare_text_free(&text);
    PetscFunctionReturn(code);
  }
  if (system->origin.expression && system->origin.expression->still[index]) {
    fare_waveform_free(&waveform);
    FARE_REFUSE(fare_node_find(node, "parameter"),
      "'%s' is in a bound of the domain, which does not move, so it cannot be driven",
      system->type->parameters[index].name);
  }
  PetscCall(fare_system_add_drive(system, index, &waveform));
  PetscFunctionReturn(0);
}

/* The values under `system.parameters`. */
static PetscErrorCode read_parameters(fare_system *system, const fare_node *map)
{
  fare_text text = {0};

  PetscFunctionBegin;
  if (!map) PetscFunctionReturn(0);
  if (fare_node_kind_of(map) != FARE_NODE_MAP)
    FARE_REFUSE(map, "expected a map of parameter names and values");
  for (size_t i = 0; i < fare_node_size(map); i++) {
    const int             index = fare_system_parameter_find(system->type, fare_node_key(map, i));
    const fare_parameter *row   = &system->type->parameters[index < 0 ? 0 : index];
    double                value;

    if (index < 0) {
      unknown_parameter(system->type, fare_node_key(map, i), &text);
      PetscErrorCode code = fare_node_error_at_key(map, i, "%s", text.text);

      fare_text_free(&text);
      PetscFunctionReturn(code);
    }
    PetscCall(fare_node_real(fare_node_item(map, i), &value));
    if (value < row->min || value > row->max)
      FARE_REFUSE(
        fare_node_item(map, i), "expected a number from %g to %g, got %g", row->min, row->max, value);
    system->base[index] = value;
  }
  PetscFunctionReturn(0);
}

typedef struct {
  char            *name, *plugin;
  PetscInt64       dimension;
  const fare_node *expression, *parameters;
} system_section;

static const fare_field section_fields[] = {
  {"name", FARE_STRING, offsetof(system_section, name), "", 0, 0, NULL, "",
    "one of `fare list systems`; or instead one of these two:"},
  {"plugin", FARE_STRING, offsetof(system_section, plugin), "", 0, 0, NULL, "",
    "shared object with a system of your own; a relative path starts from the working directory"},
  {"expression", FARE_NODE, offsetof(system_section, expression), "", 0, 0, NULL, "",
    "system defined by formulas; every symbol that is not an axis is a parameter"},
  {"dimension", FARE_INTEGER, offsetof(system_section, dimension), "0", 0, FARE_AXES_MAX, NULL, "",
    "of the state, where the system allows several; 0: the lowest"},
  {"parameters", FARE_NODE, offsetof(system_section, parameters), "", 0, 0, NULL, "",
    "values of the system's parameters, by name"},
  FARE_FIELDS_END,
};

const fare_field *fare_system_fields(void)
{
  return section_fields;
}

const char *fare_system_name_at(size_t i, const char **summary)
{
  const fare_composite_kind *kind;
  size_t                     library = 0;

  while (fare_system_type_at(library)) library++;
  kind     = i < library ? NULL : fare_composite_kind_at(i - library);
  *summary = i < library ? fare_system_type_at(i)->summary : kind ? kind->summary : NULL;
  return i < library ? fare_system_type_at(i)->name : kind ? kind->name : NULL;
}

static const char *system_name_at(size_t i)
{
  const char *summary;

  return fare_system_name_at(i, &summary);
}

PetscErrorCode fare_system_describe(const char *name, FILE *to)
{
  const fare_composite_kind *kind = fare_composite_kind_find(name);

  PetscFunctionBegin;
  if (!kind) PetscFunctionReturn(fare_system_type_describe(fare_system_type_find(name), to));
  fprintf(to, "system %s: %s\n%s\nkeys, beside 'name' and 'parameters':\n\n", kind->name, kind->summary,
    kind->reference);
  fare_fields_describe(kind->fields, to);
  PetscFunctionReturn(0);
}

/* The type that the section names: of the library, of a shared object, or of formulas. */
static PetscErrorCode find_type(
  const fare_node *node, const system_section *section, fare_origin *origin, const fare_system_type **type)
{
  const int given = !!section->name + !!section->plugin + !!section->expression;

  PetscFunctionBegin;
  if (!given && node)
    FARE_REFUSE(node,
      "missing key 'name' (one of `fare list systems`); or 'plugin' or 'expression' for a system of your "
      "own");
  if (!given) FARE_FAIL(FARE_ERR_INPUT, "system: missing key 'name'");
  if (given > 1) FARE_REFUSE(node, "'name', 'plugin' and 'expression' exclude each other");
  if (section->plugin) {
    PetscCall(fare_plugin_system(fare_node_find(node, "plugin"), section->plugin, origin, type));
  } else if (section->expression) {
    PetscCall(
      fare_expression_system(section->expression, section->parameters, section->dimension, origin, type));
  } else if (fare_composite_kind_find(section->name)) {
    PetscCall(fare_composite_system(node, fare_composite_kind_find(section->name), section_fields,
      fare_system_from_config, fare_system_write, origin, type));
  } else {
    *type = fare_system_type_find(section->name);
    if (!*type) PetscCall(fare_node_unknown(fare_node_find(node, "name"), "system", system_name_at));
  }
  if (section->dimension &&
    (section->dimension < (*type)->dimension_min || section->dimension > (*type)->dimension_max)) {
    FARE_REFUSE(fare_node_find(node, "dimension"), "system '%s' has %d to %d dimensions, got %d",
      (*type)->name, (*type)->dimension_min, (*type)->dimension_max, (int)section->dimension);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode from_section(const fare_node *node, const system_section *section, fare_system **system)
{
  const fare_system_type *type   = NULL;
  fare_origin             origin = {0};
  PetscErrorCode          code;

  PetscFunctionBegin;
  code = find_type(node, section, &origin, &type);
  if (!code) code = fare_system_create(type, (int)section->dimension, system);
  if (code) {
    fare_origin_free(&origin);
    PetscFunctionReturn(code);
  }
  (*system)->origin = origin;
  if (origin.composite) (*system)->base[FARE_SELF] = origin.composite->handle;
  PetscCall(read_parameters(*system, section->parameters));
  if (origin.expression && fare_expression_uses_time(origin.expression))
    PetscCall(fare_course_create(&(*system)->course));
  PetscFunctionReturn(0);
}

static const char *name_of(const fare_node *section)
{
  const fare_node *name = fare_node_find(section, "name");

  return name && fare_node_kind_of(name) == FARE_NODE_SCALAR ? fare_node_text(name) : NULL;
}

PetscErrorCode fare_system_from_config(
  const fare_node *system_node, const fare_node *drive_node, fare_system **system)
{
  system_section             section = {0};
  const fare_composite_kind *kind;
  PetscErrorCode             code;

  PetscFunctionBegin;
  *system = NULL;
  kind    = fare_composite_kind_find(name_of(system_node));
  PetscCall(fare_fields_read(section_fields, kind ? kind->fields : NULL, system_node, &section));
  code = from_section(system_node, &section, system);
  fare_fields_free(section_fields, &section);
  PetscCall(code);
  if (!drive_node) PetscFunctionReturn(0);
  if (fare_node_kind_of(drive_node) != FARE_NODE_LIST)
    FARE_REFUSE(drive_node, "expected a list of maps {parameter: ..., waveform: ..., ...}");
  for (size_t i = 0; i < fare_node_size(drive_node); i++)
    PetscCall(fare_system_drive(*system, fare_node_item(drive_node, i)));
  PetscFunctionReturn(0);
}

#define CHECKED_TIMES 4096 /* moments at which the range of a driven parameter is looked at */
#define CHECKED_RINGS 64   /* of which one in so many for whether the potential closes */

/* Every driven parameter within its range at time t. */
static PetscErrorCode check_ranges(const fare_system *system, double t)
{
  double theta[FARE_PARAMETERS_MAX];

  PetscFunctionBegin;
  fare_system_parameters(system, t, theta);
  for (int i = 0; i < system->drives; i++) {
    const fare_parameter *row   = &system->type->parameters[system->driven[i]];
    const double          value = theta[system->driven[i]];

    if (!(value >= row->min && value <= row->max)) {
      FARE_FAIL(FARE_ERR_INPUT, "%s reaches %g at time %g, outside its range [%g, %g]", row->name, value, t,
        row->min, row->max);
    }
  }
  PetscFunctionReturn(0);
}

/*
  The potential at both ends of every periodic axis: where it does not close, no density is that of Boltzmann,
  and the seam would be a wall.
*/
static PetscErrorCode check_rings(const fare_system *system, double t)
{
  enum { PLACES = 16 };
  const fare_system_type *type      = system->type;
  const double            tolerance = 1e-6;
  double                  at[FARE_AXES_MAX][PLACES], V[2][PLACES];
  const double           *x[FARE_AXES_MAX];

  PetscFunctionBegin;
  for (int axis = 0; axis < system->dimension; axis++) x[axis] = at[axis];
  for (int axis = 0; axis < system->dimension && type->potential; axis++) {
    if (!type->periodic[axis]) continue;
    for (int side = 0; side < 2; side++) {
      for (int i = 0; i < PLACES; i++) {
        for (int a = 0; a < system->dimension; a++)
          at[a][i] = type->lower[a] + (type->upper[a] - type->lower[a]) * fmod(0.37 + 0.71 * i * (a + 1), 1);
        at[axis][i] = side ? fare_ring_end(type->lower[axis], type->upper[axis]) : type->lower[axis];
      }
      fare_system_potential(system, t, PLACES, x, V[side]);
    }
    for (int i = 0; i < PLACES; i++) {
      if (fabs(V[1][i] - V[0][i]) <= tolerance * (1 + fabs(V[0][i]))) continue;
      FARE_FAIL(FARE_ERR_INPUT,
        "at time %g the potential is not periodic along '%s': %.9g at its lower end, %.9g at its upper; %s",
        t, fare_system_axis_name(system, axis), V[0][i], V[1][i],
        type->bath ? "give a torque and all other forces together under 'force' in place of the potential"
                   : "a force with circulation is a nonconservative force beside the potential");
    }
  }
  PetscFunctionReturn(0);
}

/* Formulas with t: finite at places spread over the box, and the diffusion not below zero. */
static PetscErrorCode check_moment(const fare_system *system, double t)
{
  enum { PLACES = 64 };
  const fare_system_type *type = system->type;
  const int               dim  = system->dimension;
  double        at[FARE_DIM_MAX][PLACES], V[PLACES] = {0}, f[FARE_DIM_MAX][PLACES], D[FARE_DIM_MAX][PLACES];
  const double *x[FARE_DIM_MAX] = {at[0], at[1], at[2]};
  double *const to[] = {f[0], f[1], f[2]}, *const noise[] = {D[0], D[1], D[2]};

  PetscFunctionBegin;
  for (int i = 0; i < PLACES; i++) {
    for (int axis = 0; axis < dim; axis++)
      at[axis][i] = type->lower[axis] +
        (type->upper[axis] - type->lower[axis]) * fmod(0.29 + (0.71 - 0.17 * axis) * (i + 1), 1);
  }
  if (type->potential) fare_system_potential(system, t, PLACES, x, V);
  fare_system_drift(system, t, PLACES, x, to);
  fare_system_diffusion(system, t, PLACES, x, noise);
  for (int k = 0; k < dim * PLACES; k++) {
    const int    axis = k / PLACES, i = k % PLACES;
    const double drift = f[axis][i], diffusion = D[axis][i];

    if (isfinite(drift) && isfinite(V[i]) && isfinite(diffusion) && diffusion >= 0) continue;
    FARE_FAIL(FARE_ERR_INPUT,
      "at time %g the formulas give, at %s = %g, along '%s' a drift of %g and a diffusion of %g", t,
      fare_system_axis_name(system, axis), at[axis][i], fare_system_axis_name(system, axis), drift,
      diffusion);
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_system_check(const fare_system *system, double start, double end)
{
  int corners = 0;

  PetscFunctionBegin;
  PetscCall(fare_system_cover(system, start, end));
  for (int k = 0; k <= CHECKED_TIMES; k++) {
    const double t = start + (end - start) * k / CHECKED_TIMES;

    PetscCall(check_ranges(system, t));
    if (k % CHECKED_RINGS == 0) PetscCall(check_rings(system, t));
    if (k % CHECKED_RINGS == 0 && system->course) PetscCall(check_moment(system, t));
  }
  for (double t = fare_system_next_corner(system, start); t < end && corners < FARE_CORNERS_MAX;
       t        = fare_system_next_corner(system, t)) {
    PetscCall(check_ranges(system, t));
    if (corners++ < CHECKED_TIMES) PetscCall(check_rings(system, t));
  }
  corners = 0;
  for (double t = fare_system_next_knot(system, start); t < end && corners++ < FARE_CORNERS_MAX;
       t        = fare_system_next_knot(system, t))
    PetscCall(check_ranges(system, t));
  PetscFunctionReturn(0);
}

static void write_section(const fare_system *system, fare_text *to)
{
  fare_text_add(to, "system:\n");
  if (system->origin.plan.text)
    fare_text_add(to, "%s", system->origin.plan.text);
  else
    fare_text_add(to, "  name: %s\n", system->type->name);
  fare_text_add(to, "  dimension: %d\n  parameters:\n", system->dimension);
  for (int i = 0; system->type->parameters[i].name; i++)
    fare_text_add(to, "    %s: %.17g\n", system->type->parameters[i].name, system->base[i]);
}

void fare_system_write(const fare_system *system, fare_text *to)
{
  write_section(system, to);
  if (system->drives) fare_text_add(to, "drive:\n");
  for (int i = 0; i < system->drives; i++) {
    fare_text_add(to, "  -\n");
    fare_waveform_write(&system->drive[i], 4, to);
  }
}

/* The keys of a system of many axes. */
static PetscErrorCode compare_composite(
  const fare_field *fields, const fare_node *before, const fare_node *now, fare_difference *difference)
{
  PetscFunctionBegin;
  for (const fare_field *f = fields; f->key; f++) {
    char path[64];

    fare_key_join("system", f->key, sizeof path, path);
    PetscCall(
      fare_nodes_compare(fare_node_find(before, f->key), fare_node_find(now, f->key), path, difference));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode compare_section(
  const fare_system *system, const fare_node *before, fare_difference *difference)
{
  static const char *const keys[] = {"name", "plugin", "expression", "dimension", "parameters"};
  fare_text                text   = {0};
  fare_config             *config;
  const fare_node         *now;
  PetscErrorCode           code;

  PetscFunctionBegin;
  write_section(system, &text);
  code = fare_config_parse("system", text.text, text.length, &config);
  fare_text_free(&text);
  PetscCall(code);
  now = fare_node_find(fare_config_root(config), "system");
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(keys) && !code; i++) {
    char path[64];

    fare_key_join("system", keys[i], sizeof path, path);
    code =
      fare_nodes_compare(fare_node_find(before, keys[i]), fare_node_find(now, keys[i]), path, difference);
  }
  if (!code && system->origin.composite)
    code = compare_composite(system->origin.composite->kind->fields, before, now, difference);
  fare_config_destroy(&config);
  PetscFunctionReturn(code);
}

PetscErrorCode fare_system_compare(const fare_system *system, const fare_node *system_node,
  const fare_node *drive_node, fare_difference *difference)
{
  const size_t drives =
    drive_node && fare_node_kind_of(drive_node) == FARE_NODE_LIST ? fare_node_size(drive_node) : 0;

  PetscFunctionBegin;
  PetscCall(compare_section(system, system_node, difference));
  fare_counts_compare(drives, (size_t)system->drives, "drive", difference);
  for (size_t i = 0; i < drives && difference->kind == FARE_ALIKE; i++) {
    char path[32];

    snprintf(path, sizeof path, "drive[%zu]", i);
    PetscCall(fare_waveform_compare(&system->drive[i], fare_node_item(drive_node, i), path, difference));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_system_type_describe(const fare_system_type *type, FILE *to)
{
  fare_table *table;

  PetscFunctionBegin;
  fprintf(to, "system %s: %s\n%s\n", type->name, type->summary, type->reference);
  if (type->dimension_min == type->dimension_max)
    fprintf(to, "dimension %d; default domain of the truth:", type->dimension_min);
  else
    fprintf(to, "dimension %d to %d; default domain of the truth:", type->dimension_min, type->dimension_max);
  for (int axis = 0; axis < type->dimension_max; axis++)
    fprintf(to, "%s %s in [%g, %g]%s", axis ? "," : "", fare_system_type_axis_name(type, axis),
      type->lower[axis], type->upper[axis], type->periodic[axis] ? " periodic" : "");
  fprintf(to, "\nparameters, any of which can be driven by any waveform:\n\n");
  fare_table_create(4, &table);
  fare_table_cell(table, "parameter");
  fare_table_cell(table, "default");
  fare_table_cell(table, "range");
  fare_table_cell(table, "meaning");
  for (const fare_parameter *row = type->parameters; row->name; row++) {
    fare_table_cell(table, "%s", row->name);
    fare_table_cell(table, "%g", row->value);
    fare_table_cell(table, "[%g, %g]", row->min, row->max);
    fare_table_cell(table, "%s", row->description);
  }
  fare_table_print(table, to);
  fare_table_destroy(&table);
  PetscFunctionReturn(0);
}
