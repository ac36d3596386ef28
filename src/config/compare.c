/* SPDX-License-Identifier: BSD-2-Clause */
/* Plans compared as the values that they hold, never as the lines that they were written in. */
#include "config.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WHOLE  100 /* characters of a value that is shown whole; of a longer one ... */
#define BEFORE 40  /* ... so many before the place where it differs ... */
#define AFTER  60  /* ... and so many from there on */

void fare_key_join(const char *path, const char *name, size_t size, char key[])
{
  snprintf(key, size, "%.150s%s%.100s", path, *path ? "." : "", name);
}

/* Whether a byte continues a character of UTF-8. */
static int continues(char c)
{
  return ((unsigned char)c & 0xC0) == 0x80;
}

/* A value, or what stands around the byte `at` of a long one. */
static void show(const char *value, size_t at, char shown[FARE_SHOWN_SIZE])
{
  const size_t length = strlen(value);
  size_t       from = at > BEFORE ? at - BEFORE : 0, to = PetscMin(length, at + AFTER);

  if (length <= WHOLE) {
    snprintf(shown, FARE_SHOWN_SIZE, "%s", value);
    return;
  }
  while (from && continues(value[from])) from--;
  while (to < length && continues(value[to])) to++;
  snprintf(shown, FARE_SHOWN_SIZE, "%s%.*s%s", from ? "..." : "", (int)(to - from), value + from,
    to < length ? "..." : "");
}

static void found(const char *path, const char *before, const char *now, fare_difference *d)
{
  size_t at = 0;

  while (before[at] && before[at] == now[at]) at++;
  d->kind = FARE_DIFFERENT;
  snprintf(d->key, sizeof d->key, "%s", path);
  show(before, at, d->before);
  show(now, at, d->now);
}

void fare_texts_compare(const char *before, const char *now, const char *path, fare_difference *d)
{
  if (d->kind == FARE_ALIKE && strcmp(before, now)) found(path, before, now, d);
}

void fare_counts_compare(size_t before, size_t now, const char *path, fare_difference *d)
{
  char a[32], b[32];

  snprintf(a, sizeof a, "%zu entr%s", before, before == 1 ? "y" : "ies");
  snprintf(b, sizeof b, "%zu entr%s", now, now == 1 ? "y" : "ies");
  fare_texts_compare(a, b, path, d);
}

/*
  Whether plans of this version have the key in any case: lists and strings are written where they are given
  alone.
*/
static int is_always_written(const fare_field *f)
{
  return f->kind == FARE_REAL || f->kind == FARE_INTEGER || f->kind == FARE_BOOLEAN || f->kind == FARE_CHOICE;
}

static int has_row(const fare_field *fields, const char *key)
{
  for (const fare_field *f = fields; f && f->key; f++) {
    if (!strcmp(f->key, key)) return 1;
  }
  return 0;
}

/* A map that lacks what is always written, or has what never is, was written by another version. */
static void compare_keys(const fare_field *fields, const fare_field *more, const fare_node *before,
  const char *path, fare_difference *d)
{
  const char *name = NULL;

  for (const fare_field *f = fields; f->key && !name; f++) {
    if (!is_always_written(f) || fare_node_find(before, f->key)) continue;
    d->kind = FARE_LACKING;
    name    = f->key;
  }
  for (size_t i = 0; i < before->count && !name; i++) {
    if (has_row(fields, before->key[i]) || has_row(more, before->key[i])) continue;
    d->kind = FARE_UNKNOWN;
    name    = before->key[i];
  }
  if (name) fare_key_join(path, name, sizeof d->key, d->key);
}

/* The first entry in which two lists of one length differ, or their length. */
static size_t first_unlike(const fare_field *field, const void *a, const void *b)
{
  const size_t count = fare_field_count(field, a);
  size_t       i     = 0;

  if (field->kind == FARE_REALS) {
    while (i < count && ((const fare_reals *)a)->values[i] == ((const fare_reals *)b)->values[i]) i++;
  } else {
    while (i < count && ((const fare_integers *)a)->values[i] == ((const fare_integers *)b)->values[i]) i++;
  }
  return i;
}

static int is_same(const fare_field *field, const void *a, const void *b)
{
  const char *x, *y;

  switch (field->kind) {
  case FARE_REAL:
    return *(const double *)a == *(const double *)b;
  case FARE_INTEGER:
    return *(const PetscInt64 *)a == *(const PetscInt64 *)b;
  case FARE_BOOLEAN:
    return *(const PetscBool *)a == *(const PetscBool *)b;
  case FARE_CHOICE:
    return *(const int *)a == *(const int *)b;
  case FARE_STRING:
    x = *(char *const *)a;
    y = *(char *const *)b;
    return x && y ? !strcmp(x, y) : x == y;
  case FARE_REALS:
  case FARE_INTEGERS:
  case FARE_CHOICES:
    return fare_field_count(field, a) == fare_field_count(field, b) &&
      first_unlike(field, a, b) == fare_field_count(field, a);
  case FARE_NODE:
    return 1;
  }
  return 1;
}

/* A long list is shown by the entry that differs. */
static void compare_long_lists(
  const fare_field *field, const void *before, const void *now, const char *key, fare_difference *d)
{
  const size_t at = first_unlike(field, before, now);
  fare_text    a = {0}, b = {0};
  char         place[256];

  snprintf(place, sizeof place, "%.220s[%zu]", key, at);
  fare_field_write_entry(field, before, at, &a);
  fare_field_write_entry(field, now, at, &b);
  found(place, a.text, b.text, d);
  fare_text_free(&a);
  fare_text_free(&b);
}

static void write_value(const fare_field *field, const void *at, fare_text *to)
{
  if (field->kind == FARE_STRING && !*(char *const *)at)
    fare_text_add(to, "none");
  else
    fare_field_write(field, at, to);
}

static void compare_field(
  const fare_field *field, const void *before, const void *now, const char *path, fare_difference *d)
{
  fare_text a = {0}, b = {0};
  char      key[256];

  if (is_same(field, before, now)) return;
  fare_key_join(path, field->key, sizeof key, key);
  write_value(field, before, &a);
  write_value(field, now, &b);
  if (fare_field_is_list(field) && PetscMax(a.length, b.length) > WHOLE) {
    fare_counts_compare(fare_field_count(field, before), fare_field_count(field, now), key, d);
    if (d->kind == FARE_ALIKE) compare_long_lists(field, before, now, key, d);
  } else {
    found(key, a.text, b.text, d);
  }
  fare_text_free(&a);
  fare_text_free(&b);
}

PetscBool fare_fields_equal(const fare_field *fields, const fare_field *except, const void *a, const void *b)
{
  for (const fare_field *f = fields; f->key; f++) {
    if (!has_row(except, f->key) && !is_same(f, (const char *)a + f->offset, (const char *)b + f->offset))
      return PETSC_FALSE;
  }
  return PETSC_TRUE;
}

PetscErrorCode fare_fields_compare(const fare_field *fields, const fare_field *more, const fare_node *before,
  const void *now, const char *path, fare_difference *d)
{
  size_t         size = 0;
  char          *read;
  PetscErrorCode code;

  PetscFunctionBegin;
  if (d->kind != FARE_ALIKE) PetscFunctionReturn(0);
  if (!before || before->kind != FARE_NODE_MAP) {
    found(path, "absent", "present", d);
    PetscFunctionReturn(0);
  }
  compare_keys(fields, more, before, path, d);
  if (d->kind != FARE_ALIKE) PetscFunctionReturn(0);
  for (const fare_field *f = fields; f->key; f++) size = PetscMax(size, f->offset + fare_field_size(f->kind));
  read = calloc(1, PetscMax(size, 1));
  if (!read) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  code = fare_fields_read(fields, more, before, read);
  for (const fare_field *f = fields; f->key && !code && d->kind == FARE_ALIKE; f++) {
    compare_field(f, read + f->offset, (const char *)now + f->offset, path, d);
  }
  if (!code) fare_fields_free(fields, read);
  free(read);
  PetscFunctionReturn(code);
}

static void compare_scalars(
  const fare_node *before, const fare_node *now, const char *path, fare_difference *d)
{
  const fare_field number  = {.kind = FARE_REAL};
  fare_text        text[2] = {{0}};
  double           a = 0, b = 0;

  if (!fare_node_number(before, &a) || !fare_node_number(now, &b)) {
    fare_texts_compare(before->text, now->text, path, d);
    return;
  }
  if (a == b) return;
  fare_field_write(&number, &a, &text[0]);
  fare_field_write(&number, &b, &text[1]);
  found(path, text[0].text, text[1].text, d);
  fare_text_free(&text[0]);
  fare_text_free(&text[1]);
}

PetscErrorCode fare_nodes_compare(
  const fare_node *before, const fare_node *now, const char *path, fare_difference *d)
{
  char key[256];

  PetscFunctionBegin;
  if (d->kind != FARE_ALIKE || (!before && !now)) PetscFunctionReturn(0);
  if (!before || !now || before->kind != now->kind) {
    found(path, before ? fare_node_kind_names[before->kind] : "absent",
      now ? fare_node_kind_names[now->kind] : "absent", d);
    PetscFunctionReturn(0);
  }
  if (before->kind == FARE_NODE_SCALAR)
    compare_scalars(before, now, path, d);
  else if (before->kind == FARE_NODE_LIST)
    fare_counts_compare(before->count, now->count, path, d);
  for (size_t i = 0; before->kind == FARE_NODE_LIST && i < before->count && d->kind == FARE_ALIKE; i++) {
    snprintf(key, sizeof key, "%.220s[%zu]", path, i);
    PetscCall(fare_nodes_compare(before->item[i], now->item[i], key, d));
  }
  for (size_t i = 0; before->kind == FARE_NODE_MAP && i < before->count; i++) {
    fare_key_join(path, before->key[i], sizeof key, key);
    PetscCall(fare_nodes_compare(before->item[i], fare_node_find(now, before->key[i]), key, d));
  }
  for (size_t i = 0; before->kind == FARE_NODE_MAP && i < now->count; i++) {
    fare_key_join(path, now->key[i], sizeof key, key);
    if (!fare_node_find(before, now->key[i])) PetscCall(fare_nodes_compare(NULL, now->item[i], key, d));
  }
  PetscFunctionReturn(0);
}
