/* SPDX-License-Identifier: BSD-2-Clause */
/* Systems that are not from the library: shared objects, and formulas. */
#include "system/formula/expression.h"

#include <dlfcn.h>
#include <stdlib.h>

/* Where an axis is periodic, the descriptor is one that stays inside the box. */
static PetscErrorCode close_rings(const fare_node *node, fare_origin *origin, const fare_system_type **type)
{
  PetscBool any = PETSC_FALSE;

  PetscFunctionBegin;
  for (int axis = 0; axis < (*type)->dimension_max; axis++) any |= (*type)->periodic[axis];
  if (!any) PetscFunctionReturn(0);
  origin->ring = fare_ring_create(*type);
  if (!origin->ring) FARE_REFUSE(node, "too many plugins with periodic axes at a time");
  *type = origin->ring;
  PetscFunctionReturn(0);
}

static PetscErrorCode load(
  const fare_node *node, const char *path, fare_origin *origin, const fare_system_type **type)
{
  const void    *descriptor              = NULL;
  char          *full                    = NULL;
  const size_t   size[FARE_PLUGIN_SIZES] = FARE_PLUGIN_SYSTEM_SIZES;
  PetscErrorCode code;

  PetscFunctionBegin;
  code = fare_plugin_path(node, path, &full);
  if (!code) code = fare_plugin_open(node, full, FARE_PLUGIN_IS_SYSTEM, size, &origin->library, &descriptor);
  if (!code) code = fare_system_type_check(node, descriptor);
  if (!code) {
    *type = descriptor;
    code  = close_rings(node, origin, type);
  }
  if (!code) {
    fare_text_add(&origin->plan, "  plugin: '");
    for (const char *c = full; *c; c++) fare_text_add(&origin->plan, *c == '\'' ? "''" : "%c", *c);
    fare_text_add(&origin->plan, "'\n");
  }
  free(full);
  PetscFunctionReturn(code);
}

PetscErrorCode fare_plugin_system(
  const fare_node *node, const char *path, fare_origin *origin, const fare_system_type **type)
{
  PetscFunctionBegin;
  PetscFunctionReturn(fare_error_agree(PETSC_COMM_WORLD, load(node, path, origin, type)));
}

void fare_origin_free(fare_origin *origin)
{
  fare_ring_destroy(origin->ring);
  origin->ring = NULL;
  if (origin->library) dlclose(origin->library);
  origin->library = NULL;
  fare_expression_destroy(origin->expression);
  origin->expression = NULL;
  if (origin->composite) origin->destroy_composite(origin->composite);
  origin->composite = NULL;
  fare_text_free(&origin->plan);
}
