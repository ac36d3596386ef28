/* SPDX-License-Identifier: BSD-2-Clause */
/* The state of a struct, saved and loaded by a table of its members. */
#include "store.h"

#include <stdio.h>
#include <string.h>

#define PATH_SIZE 512

static int is_kept(const fare_kept *k, unsigned only)
{
  return !k->only || k->only & only;
}

static int is_behind_pointer(const fare_kept *k)
{
  return k->kind >= FARE_KEPT_INTEGERS && k->kind <= FARE_KEPT_STRUCTS;
}

static fare_store_type type_of(fare_kept_kind kind)
{
  if (kind == FARE_KEPT_REAL || kind == FARE_KEPT_REALS) return FARE_STORE_FLOAT64;
  return kind == FARE_KEPT_SINGLES ? FARE_STORE_FLOAT32 : FARE_STORE_INT64;
}

static size_t size_of(const fare_kept *k)
{
  return k->kind == FARE_KEPT_STRUCTS ? k->size : k->kind == FARE_KEPT_SINGLES ? sizeof(float) : 8;
}

static int64_t length_of(const fare_kept *k, const void *of)
{
  int64_t length;

  memcpy(&length, (const char *)of + k->length, sizeof length);
  return length;
}

/* Where a member is saved; the i-th of several in a group of its own. */
static const char *path_of(const fare_kept *k, const char *group, int64_t i, char path[PATH_SIZE])
{
  if (i < 0)
    snprintf(path, PATH_SIZE, "%s/%s", group, k->name);
  else
    snprintf(path, PATH_SIZE, "%s/%s_%lld", group, k->name, (long long)i);
  return path;
}

static PetscErrorCode write_array(
  fare_store *to, const char *path, fare_store_type type, int64_t length, const void *values)
{
  const uint64_t extent = (uint64_t)length;

  return fare_store_write_array(to, path, type, 1, &extent, values);
}

static PetscErrorCode save_number(const fare_kept *k, const void *at, fare_store *to, const char *group)
{
  int64_t integer;
  double  real;
  char    path[PATH_SIZE];

  PetscFunctionBegin;
  if (k->count > 1) {
    PetscCall(write_array(to, path_of(k, group, -1, path), type_of(k->kind), k->count, at));
  } else if (k->kind == FARE_KEPT_REAL) {
    memcpy(&real, at, sizeof real);
    PetscCall(fare_store_put_real(to, group, k->name, real));
  } else {
    if (k->kind == FARE_KEPT_BOOLEAN)
      integer = *(const PetscBool *)at ? 1 : 0;
    else
      memcpy(&integer, at, sizeof integer);
    PetscCall(fare_store_put_int(to, group, k->name, integer));
  }
  PetscFunctionReturn(0);
}

/* What is not there is marked by an attribute 0, so that it is told from what is lost. */
static PetscErrorCode save_pointer(
  const fare_kept *k, const void *from, unsigned only, fare_store *to, const char *group)
{
  const int64_t length = length_of(k, from);
  char          path[PATH_SIZE];
  const void   *values;

  PetscFunctionBegin;
  memcpy(&values, (const char *)from + k->offset, sizeof values);
  if (!values || k->kind == FARE_KEPT_STRUCTS)
    PetscCall(fare_store_put_int(to, group, k->name, values ? length : 0));
  for (int64_t i = 0; values && k->kind == FARE_KEPT_STRUCTS && i < length; i++)
    PetscCall(fare_kept_save(
      k->fields, (const char *)values + (size_t)i * k->size, only, to, path_of(k, group, i, path)));
  if (values && k->kind != FARE_KEPT_STRUCTS)
    PetscCall(write_array(to, path_of(k, group, -1, path), type_of(k->kind), length, values));
  PetscFunctionReturn(0);
}

static PetscErrorCode save_objects(const fare_kept *k, const void *from, fare_store *to, const char *group)
{
  void *const *object = (void *const *)(const void *)((const char *)from + k->offset);
  char         path[PATH_SIZE];

  PetscFunctionBegin;
  for (int i = 0; i < PetscMax(1, k->count); i++) {
    path_of(k, group, k->count ? i : -1, path);
    if (object[i])
      PetscCall(k->type->save(object[i], to, path));
    else
      PetscCall(fare_store_put_int(to, group, path + strlen(group) + 1, 0));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_kept_save(
  const fare_kept *table, const void *from, unsigned only, fare_store *to, const char *group)
{
  char path[PATH_SIZE];

  PetscFunctionBegin;
  PetscCall(fare_store_group(to, group));
  for (const fare_kept *k = table; k->name; k++) {
    const char *at = (const char *)from + k->offset;

    if (!is_kept(k, only)) continue;
    if (k->kind == FARE_KEPT_OBJECT)
      PetscCall(save_objects(k, from, to, group));
    else if (k->kind == FARE_KEPT_STRUCT)
      PetscCall(fare_kept_save(k->fields, at, only, to, path_of(k, group, -1, path)));
    else if (is_behind_pointer(k))
      PetscCall(save_pointer(k, from, only, to, group));
    else
      PetscCall(save_number(k, at, to, group));
  }
  PetscFunctionReturn(0);
}

/* The length of an array of which all is there. */
static PetscErrorCode find_length(fare_store *from, const char *path, uint64_t *length)
{
  uint64_t global[4];
  int      rank;

  PetscFunctionBegin;
  PetscCall(fare_store_extents(from, path, &rank, global));
  PetscCall(fare_store_check_whole(from, path));
  if (rank != 1) FARE_FAIL(FARE_ERR_FAILED, "%s: %s has %d dimensions, not 1", from->path, path, rank);
  *length = global[0];
  PetscFunctionReturn(0);
}

static PetscErrorCode load_number(const fare_kept *k, void *at, fare_store *from, const char *group)
{
  int64_t  integer;
  uint64_t length;
  char     path[PATH_SIZE];

  PetscFunctionBegin;
  if (k->count > 1) {
    PetscCall(find_length(from, path_of(k, group, -1, path), &length));
    if (length != (uint64_t)k->count)
      FARE_FAIL(FARE_ERR_FAILED, "%s: %s has %llu values, expected %d", from->path, path,
        (unsigned long long)length, k->count);
    PetscCall(fare_store_read_array(from, path, type_of(k->kind), 1, &length, at));
  } else if (k->kind == FARE_KEPT_REAL) {
    PetscCall(fare_store_get_real(from, group, k->name, at));
  } else {
    PetscCall(fare_store_get_int(from, group, k->name, &integer));
    if (k->kind == FARE_KEPT_BOOLEAN)
      *(PetscBool *)at = integer ? PETSC_TRUE : PETSC_FALSE;
    else
      memcpy(at, &integer, sizeof integer);
  }
  PetscFunctionReturn(0);
}

/* FARE_ERR_FAILED where it is neither there nor marked as not being there. */
static PetscErrorCode find(fare_store *from, const char *group, const char *path, PetscBool *has)
{
  const char *name = path + strlen(group) + 1;
  PetscBool   marked;

  PetscFunctionBegin;
  PetscCall(fare_store_has(from, path, has));
  if (*has) PetscFunctionReturn(0);
  PetscCall(fare_store_has_attribute(from, group, name, &marked));
  if (!marked) FARE_FAIL(FARE_ERR_FAILED, "%s: has no %s", from->path, path);
  PetscFunctionReturn(0);
}

static PetscErrorCode free_array(const fare_kept *k, void *of)
{
  const int64_t none = 0;
  void         *values;

  PetscFunctionBegin;
  memcpy(&values, (char *)of + k->offset, sizeof values);
  for (int64_t i = 0; values && k->kind == FARE_KEPT_STRUCTS && i < length_of(k, of); i++)
    PetscCall(fare_kept_free(k->fields, (char *)values + (size_t)i * k->size));
  PetscCall(PetscFree(values));
  values = NULL;
  memcpy((char *)of + k->offset, &values, sizeof values);
  memcpy((char *)of + k->length, &none, sizeof none);
  PetscFunctionReturn(0);
}

/* Room for as many as there are in the file; the arrays of a struct that share a length must agree in it. */
static PetscErrorCode make_room(
  const fare_kept *table, const fare_kept *k, void *to, const char *path, uint64_t length, void **values)
{
  PetscBool given = PETSC_FALSE;

  PetscFunctionBegin;
  for (const fare_kept *other = table; other < k; other++) {
    void *before = NULL;

    if (is_behind_pointer(other) && other->length == k->length)
      memcpy(&before, (char *)to + other->offset, sizeof before);
    if (before) given = PETSC_TRUE;
  }
  if (given && (uint64_t)length_of(k, to) != length)
    FARE_FAIL(FARE_ERR_FAILED, "%s has %llu values, expected %lld", path, (unsigned long long)length,
      (long long)length_of(k, to));
  PetscCall(PetscCalloc1(PetscMax(1, length) * size_of(k), (char **)values));
  memcpy((char *)to + k->offset, values, sizeof *values);
  memcpy((char *)to + k->length, &length, sizeof length);
  PetscFunctionReturn(0);
}

#define STRUCTS_MOST 1000000 /* a larger number of groups is no number that was saved */

static PetscErrorCode load_structs(const fare_kept *table, const fare_kept *k, void *to, unsigned only,
  void *context, fare_store *from, const char *group)
{
  char    path[PATH_SIZE];
  int64_t length;
  void   *values;

  PetscFunctionBegin;
  PetscCall(fare_store_get_int(from, group, k->name, &length));
  if (length < 0 || length > STRUCTS_MOST)
    FARE_FAIL(
      FARE_ERR_FAILED, "%s: %s cannot have %lld of '%s'", from->path, group, (long long)length, k->name);
  if (!length) PetscFunctionReturn(0);
  PetscCall(make_room(table, k, to, group, (uint64_t)length, &values));
  for (int64_t i = 0; i < length; i++)
    PetscCall(fare_kept_load(
      k->fields, (char *)values + (size_t)i * k->size, only, context, from, path_of(k, group, i, path)));
  PetscFunctionReturn(0);
}

static PetscErrorCode load_pointer(
  const fare_kept *table, const fare_kept *k, void *to, fare_store *from, const char *group)
{
  char      path[PATH_SIZE];
  uint64_t  length;
  PetscBool has;
  void     *values;

  PetscFunctionBegin;
  PetscCall(find(from, group, path_of(k, group, -1, path), &has));
  if (!has) PetscFunctionReturn(0);
  PetscCall(find_length(from, path, &length));
  PetscCall(make_room(table, k, to, path, length, &values));
  PetscCall(fare_store_read_array(from, path, type_of(k->kind), 1, &length, values));
  PetscFunctionReturn(0);
}

static PetscErrorCode load_objects(
  const fare_kept *k, void *to, void *context, fare_store *from, const char *group)
{
  void    **object = (void **)(void *)((char *)to + k->offset);
  char      path[PATH_SIZE];
  PetscBool has;

  PetscFunctionBegin;
  for (int i = 0; i < PetscMax(1, k->count); i++) {
    PetscCall(find(from, group, path_of(k, group, k->count ? i : -1, path), &has));
    if (has) PetscCall(k->type->load(&object[i], context, from, path));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_kept_load(
  const fare_kept *table, void *to, unsigned only, void *context, fare_store *from, const char *group)
{
  char path[PATH_SIZE];

  PetscFunctionBegin;
  for (const fare_kept *k = table; k->name; k++) {
    if (is_kept(k, only) && is_behind_pointer(k)) PetscCall(free_array(k, to));
  }
  for (const fare_kept *k = table; k->name; k++) {
    char *at = (char *)to + k->offset;

    if (!is_kept(k, only)) continue;
    if (k->kind == FARE_KEPT_OBJECT)
      PetscCall(load_objects(k, to, context, from, group));
    else if (k->kind == FARE_KEPT_STRUCT)
      PetscCall(fare_kept_load(k->fields, at, only, context, from, path_of(k, group, -1, path)));
    else if (k->kind == FARE_KEPT_STRUCTS)
      PetscCall(load_structs(table, k, to, only, context, from, group));
    else if (is_behind_pointer(k))
      PetscCall(load_pointer(table, k, to, from, group));
    else
      PetscCall(load_number(k, at, from, group));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_kept_free(const fare_kept *table, void *of)
{
  PetscFunctionBegin;
  for (const fare_kept *k = table; k->name; k++) {
    if (is_behind_pointer(k)) PetscCall(free_array(k, of));
    if (k->kind == FARE_KEPT_STRUCT) PetscCall(fare_kept_free(k->fields, (char *)of + k->offset));
  }
  PetscFunctionReturn(0);
}
