/* SPDX-License-Identifier: BSD-2-Clause */
/* A sampler from a shared object, and the refusal of what is not one. */
#include <fare/sampler_plugin.h>

#include <stdlib.h>
#include <string.h>

#define FIELDS_MOST 256

static PetscErrorCode check_fields(const fare_node *node, const fare_sampler_type *type)
{
  int count = 0;

  PetscFunctionBegin;
  if (!type->fields)
    FARE_REFUSE(
      node, "sampler '%s' has no table of fields (one that holds FARE_FIELDS_END alone will do)", type->name);
  for (; type->fields[count].key; count++) {
    const fare_field *field = &type->fields[count];

    if (count == FIELDS_MOST)
      FARE_REFUSE(
        node, "sampler '%s' has more than %d fields, or FARE_FIELDS_END is missing", type->name, FIELDS_MOST);
    if (!fare_is_word(field->key) || !field->description || !field->unit)
      FARE_REFUSE(node,
        "sampler '%s': field %d needs a key of letters, digits, _ and -, a unit and a description",
        type->name, count);
    if (field->offset >= type->size)
      FARE_REFUSE(node, "sampler '%s': field '%s' lies outside the state, which has %zu bytes", type->name,
        field->key, type->size);
  }
  PetscFunctionReturn(0);
}

/* The lines of a table of `size` bytes, structs within it too. */
static PetscErrorCode check_kept(
  const fare_node *node, const fare_sampler_type *type, const fare_kept *table, size_t size)
{
  int count = 0;

  PetscFunctionBegin;
  for (const fare_kept *k = table; k->name; k++) {
    const char *wrong = NULL;

    if (count++ == FIELDS_MOST)
      FARE_REFUSE(node, "sampler '%s' keeps more than %d members, or FARE_KEPT_END is missing", type->name,
        FIELDS_MOST);
    if (!fare_is_word(k->name))
      wrong = "needs a name of letters, digits, _ and -";
    else if (k->kind < FARE_KEPT_BOOLEAN || k->kind > FARE_KEPT_OBJECT)
      wrong = "is of an unknown kind";
    else if (k->offset >= size || k->length >= size)
      wrong = "lies outside the state";
    else if ((k->kind == FARE_KEPT_STRUCT || k->kind == FARE_KEPT_STRUCTS) && !k->fields)
      wrong = "is a struct without 'fields'";
    else if (k->kind == FARE_KEPT_STRUCTS && !k->size)
      wrong = "is an array of structs without 'size'";
    else if (k->kind == FARE_KEPT_OBJECT && (!k->type || !k->type->save || !k->type->load))
      wrong = "is an object without 'type'";
    if (wrong) FARE_REFUSE(node, "sampler '%s': member %d of 'kept' %s", type->name, count - 1, wrong);
    if (k->kind == FARE_KEPT_STRUCT) PetscCall(check_kept(node, type, k->fields, size - k->offset));
    if (k->kind == FARE_KEPT_STRUCTS) PetscCall(check_kept(node, type, k->fields, k->size));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode check(const fare_node *node, const fare_sampler_type *type)
{
  const char *wrong = NULL;

  PetscFunctionBegin;
  if (!fare_is_word(type->name))
    FARE_REFUSE(node, "the sampler needs a name of 1 to 64 letters, digits, _ and -");
  if (!type->summary || !type->reference)
    FARE_REFUSE(node, "sampler '%s' needs a summary and a reference (which may be \"\")", type->name);
  if (type->family < FARE_EQUILIBRIUM || type->family > FARE_GENERATIVE)
    wrong = "an unknown family";
  else if (!type->size)
    wrong = "a state of size 0";
  else if (!type->advance)
    wrong = "no 'advance'";
  else if (type->train && !type->kept)
    wrong = "a 'train' but no 'kept', so that no run could resume with the trained model";
  else if (type->modes && !type->train)
    wrong = "modes but no 'train'";
  else if (type->modes & ~(FARE_ORACLE | FARE_EMPIRICAL))
    wrong = "unknown modes";
  if (wrong) FARE_REFUSE(node, "sampler '%s' has %s", type->name, wrong);
  PetscCall(check_fields(node, type));
  if (type->kept) PetscCall(check_kept(node, type, type->kept, type->size));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_sampler_type_load(
  const fare_node *node, const char *path, void **library, const fare_sampler_type **type)
{
  const void    *descriptor              = NULL;
  char          *full                    = NULL;
  const size_t   size[FARE_PLUGIN_SIZES] = FARE_PLUGIN_SAMPLER_SIZES;
  PetscErrorCode code;

  PetscFunctionBegin;
  code = fare_plugin_path(node, path, &full);
  if (!code) code = fare_plugin_open(node, full, FARE_PLUGIN_IS_SAMPLER, size, library, &descriptor);
  if (!code) code = check(node, descriptor);
  if (!code) *type = descriptor;
  free(full);
  PetscFunctionReturn(fare_error_agree(PETSC_COMM_WORLD, code));
}
