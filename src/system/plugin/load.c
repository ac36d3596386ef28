/* SPDX-License-Identifier: BSD-2-Clause */
/* Loading a system from a shared object, and refusing what is not one. */
#include "plugin.h"

#include <dlfcn.h>
#include <fenv.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/*
  A shared object linked with -ffast-math makes denormal numbers zero in the whole thread that loads it; that
  is taken back.
*/
static void *open_library(const char *path)
{
  fenv_t environment;
  void  *library;

  fegetenv(&environment);
  library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  fesetenv(&environment);
  return library;
}

PetscErrorCode fare_plugin_open(const fare_node *node, const char *path, fare_plugin_kind kind,
  const size_t size[FARE_PLUGIN_SIZES], void **library, const void **descriptor)
{
  static const char *const kinds[] = {NULL, "a system", "formulas compiled by FARE", "a sampler"};
  const fare_plugin       *plugin;
  struct stat              about;

  PetscFunctionBegin;
  if (stat(path, &about))
    FARE_REFUSE(node, "there is no file '%.400s' (a relative path starts from the working directory)", path);
  if (!S_ISREG(about.st_mode)) FARE_REFUSE(node, "'%.400s' is not a file", path);
  *library = open_library(path);
  if (!*library) FARE_REFUSE(node, "cannot be loaded: %.700s", dlerror());
  plugin = dlsym(*library, FARE_PLUGIN_SYMBOL);
  if (!plugin)
    FARE_REFUSE(node,
      "'%.400s' is not a FARE plugin: it exports no '%s' (FARE_PLUGIN_SYSTEM or FARE_PLUGIN_SAMPLER makes "
      "it)",
      path, FARE_PLUGIN_SYMBOL);
  if (plugin->abi != FARE_PLUGIN_ABI)
    FARE_REFUSE(node,
      "'%.400s' was built for plugins of version %d, this FARE takes %d: recompile it against its "
      "headers",
      path, plugin->abi, FARE_PLUGIN_ABI);
  if (plugin->kind != (int)kind) {
    const char *is = plugin->kind > 0 && plugin->kind < (int)PETSC_STATIC_ARRAY_LENGTH(kinds)
      ? kinds[plugin->kind]
      : "of a kind unknown to this FARE";

    FARE_REFUSE(node, "'%.400s' is %s, expected %s", path, is, kinds[kind]);
  }
  if (memcmp(plugin->size, size, sizeof plugin->size) || !plugin->descriptor)
    FARE_REFUSE(node, "'%.400s' was built against headers of another FARE: recompile it", path);
  *descriptor = plugin->descriptor;
  PetscFunctionReturn(0);
}

/*
  Parameters: a table that ends, sound rows, and the common ones where the functions of FARE look for them.
*/
static PetscErrorCode check_parameters(const fare_node *node, const fare_system_type *type)
{
  const fare_parameter *row   = type->parameters;
  int                   count = 0;

  PetscFunctionBegin;
  if (!row) FARE_REFUSE(node, "system '%s' has no table of parameters", type->name);
  for (; row[count].name; count++) {
    const fare_parameter *p = &row[count];

    if (count == FARE_PARAMETERS_MAX - 1)
      FARE_REFUSE(node, "system '%s' has more than %d parameters, or FARE_PARAMETERS_END is missing",
        type->name, FARE_PARAMETERS_MAX - 1);
    if (!fare_is_word(p->name) || !p->description)
      FARE_REFUSE(node,
        "system '%s': parameter %d needs a name of letters, digits, _ and -, and a description", type->name,
        count);
    if (!(isfinite(p->value) && p->value >= p->min && p->value <= p->max))
      FARE_REFUSE(node, "system '%s': the default of '%s', %g, is outside its range [%g, %g]", type->name,
        p->name, p->value, p->min, p->max);
    for (int i = 0; i < count; i++) {
      if (!strcmp(row[i].name, p->name))
        FARE_REFUSE(node, "system '%s' has two parameters '%s'", type->name, p->name);
    }
  }
  if ((type->potential || !type->drift) &&
    (count <= FARE_KT || strcmp(row[FARE_KT].name, "kT") || !(row[FARE_KT].min > 0))) {
    FARE_REFUSE(
      node, "system '%s': the first parameter must be kT, above zero (FARE_COMMON_PARAMETERS)", type->name);
  }
  if (!type->drift &&
    (count <= FARE_MOBILITY || strcmp(row[FARE_MOBILITY].name, "mobility") ||
      !(row[FARE_MOBILITY].min > 0))) {
    FARE_REFUSE(node,
      "system '%s': the second parameter must be mobility, above zero (FARE_COMMON_PARAMETERS)", type->name);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode check_functions(const fare_node *node, const fare_system_type *type)
{
  const int inertial = type->drift && type->dimension_min == 2 && type->dimension_max == 2;
  const struct {
    int         wrong;
    const char *what;
  } rules[] = {
    {!type->force && !type->drift, "neither 'force' nor 'drift'"},
    {type->drift && !type->diffusion, "a 'drift' but no 'diffusion'"},
    {type->diffusion && !type->drift, "a 'diffusion' but no 'drift'"},
    {type->potential && !type->force, "a 'potential' but no 'force'"},
    {type->nonconservative && !type->force, "a 'nonconservative' force but no 'force'"},
    {type->basis_count && !type->potential, "'basis_count' but no 'potential'"},
    {type->basis_count && !(type->basis && type->coefficients),
      "'basis_count' but not both of 'basis' and 'coefficients'"},
    {!type->acceleration != !type->bath, "one of 'acceleration' and 'bath' but not both"},
    {type->acceleration && !inertial, "an 'acceleration' but not two dimensions with a 'drift'"},
    {type->basis_count < 0 || type->basis_count > FARE_PARAMETERS_MAX, "an impossible 'basis_count'"},
  };

  PetscFunctionBegin;
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(rules); i++) {
    if (rules[i].wrong) FARE_REFUSE(node, "system '%s' has %s", type->name, rules[i].what);
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_system_type_check(const fare_node *node, const fare_system_type *type)
{
  PetscFunctionBegin;
  if (!fare_is_word(type->name))
    FARE_REFUSE(node, "the system needs a name of 1 to 64 letters, digits, _ and -");
  if (!type->summary || !type->reference)
    FARE_REFUSE(node, "system '%s' needs a summary and a reference (which may be \"\")", type->name);
  if (type->dimension_min < 1 || type->dimension_max > FARE_DIM_MAX ||
    type->dimension_min > type->dimension_max) {
    FARE_REFUSE(node, "system '%s' has %d to %d dimensions, expected some of 1 to %d", type->name,
      type->dimension_min, type->dimension_max, FARE_DIM_MAX);
  }
  for (int axis = 0; axis < type->dimension_max; axis++) {
    if (type->axes[axis] && !fare_is_word(type->axes[axis]))
      FARE_REFUSE(
        node, "system '%s': axis %d needs a name of letters, digits, _ and -, or none", type->name, axis);
    if (!(isfinite(type->lower[axis]) && isfinite(type->upper[axis]) &&
          type->lower[axis] < type->upper[axis])) {
      FARE_REFUSE(node, "system '%s': the domain of axis %d, [%g, %g], is empty or not finite", type->name,
        axis, type->lower[axis], type->upper[axis]);
    }
  }
  PetscCall(check_parameters(node, type));
  PetscCall(check_functions(node, type));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_plugin_path(const fare_node *node, const char *path, char **full)
{
  PetscFunctionBegin;
  *full = realpath(path, NULL);
  if (!*full)
    FARE_REFUSE(node, "there is no file '%.400s' (a relative path starts from the working directory)", path);
  PetscFunctionReturn(0);
}
