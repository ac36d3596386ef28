/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Changes the bytes of a sound HDF5 file in places where what comes out is a file for HDF5 still, but for rare
  ones: numbers, extents, kinds of numbers, names, what a name leads to, what is not there or was never
  written. A hundred times as fast as asking HDF5 for it (hdf5_edit.h). Of files as fare_store writes them:
  superblock 0, object headers 1, groups with symbol tables.
*/
#ifndef FARE_FUZZ_HDF5_PATCH_H
#define FARE_FUZZ_HDF5_PATCH_H

#include "hdf5_edit.h"

enum { PATCH_BYTES = 6, PATCH_MOST = 1024, PATCH_TYPES = 16, PATCH_TYPE_SIZE = 128 };
enum {
  PATCH_VALUE,
  PATCH_EXTENT,
  PATCH_TYPE,
  PATCH_MESSAGE,
  PATCH_NAME,
  PATCH_STORAGE,
  PATCH_LINK,
  PATCH_KINDS
};

typedef struct {
  size_t at, size;
} patch_place;

typedef struct {
  size_t      count[PATCH_KINDS];
  patch_place place[PATCH_KINDS][PATCH_MOST];
} patch_map;

static const int64_t patch_integers[] = {0, 1, -1, 2, 3, 5, 255, 65536, INT32_MAX, INT32_MIN,
  (int64_t)1 << 32, (int64_t)1 << 40, (int64_t)1 << 61, INT64_MAX, INT64_MIN, 100000000000};

static uint64_t patch_get(const uint8_t *data, size_t at, int bytes)
{
  uint64_t value = 0;

  for (int i = bytes - 1; i >= 0; i--) value = value << 8 | data[at + (size_t)i];
  return value;
}

static void patch_put(uint8_t *data, size_t at, int bytes, uint64_t value)
{
  for (int i = 0; i < bytes; i++) data[at + (size_t)i] = (uint8_t)(value >> 8 * i);
}

static void patch_add(patch_map *map, int kind, size_t at, size_t size, size_t end)
{
  if (size && at <= end && size <= end - at && map->count[kind] < PATCH_MOST)
    map->place[kind][map->count[kind]++] = (patch_place){at, size};
}

static size_t patch_padded(const uint8_t *data, size_t at, size_t bytes)
{
  return data[at] == 1 ? (bytes + 7) / 8 * 8 : bytes;
}

static void patch_find_in_attribute(patch_map *map, const uint8_t *data, size_t at, size_t size, size_t end)
{
  const size_t name = patch_get(data, at + 2, 2), type = patch_get(data, at + 4, 2),
               space   = patch_get(data, at + 6, 2);
  const size_t name_at = at + (data[at] == 3 ? 9 : 8), type_at = name_at + patch_padded(data, at, name),
               space_at = type_at + patch_padded(data, at, type),
               value_at = space_at + patch_padded(data, at, space);

  patch_add(map, PATCH_NAME, name_at, name, end);
  patch_add(map, PATCH_TYPE, type_at, type, end);
  patch_add(map, PATCH_EXTENT, space_at, space, end);
  if (value_at < at + size) patch_add(map, PATCH_VALUE, value_at, at + size - value_at, end);
}

static void patch_find_in_block(patch_map *map, const uint8_t *data, size_t at, size_t length, size_t end)
{
  enum { HEAD = 8, SPACE = 1, TYPE = 3, LAYOUT = 8, ATTRIBUTE = 12, CONTINUATION = 16 };

  for (const size_t stop = at + length; stop <= end && at + HEAD <= stop;) {
    const uint64_t kind = patch_get(data, at, 2), size = patch_get(data, at + 2, 2);
    const size_t   body = at + HEAD;

    if (kind == CONTINUATION)
      patch_find_in_block(map, data, patch_get(data, body, 8), patch_get(data, body + 8, 8), end);
    else if (kind)
      patch_add(map, PATCH_MESSAGE, at, 2, end);
    if (kind == SPACE) patch_add(map, PATCH_EXTENT, body, size, end);
    if (kind == TYPE) patch_add(map, PATCH_TYPE, body, size, end);
    if (kind == ATTRIBUTE) patch_find_in_attribute(map, data, body, size, end);
    if (kind == LAYOUT && data[body] == 3 && data[body + 1] == 1) { /* in one piece */
      patch_add(map, PATCH_STORAGE, body + 2, 16, end);
      patch_add(map, PATCH_VALUE, patch_get(data, body + 2, 8), patch_get(data, body + 10, 8), end);
    }
    at = body + size;
  }
}

static void patch_find_in_header(patch_map *map, const uint8_t *data, size_t at, size_t end)
{
  if (at + 16 <= end && data[at] == 1)
    patch_find_in_block(map, data, at + 16, patch_get(data, at + 8, 4), end);
}

static void patch_find(const uint8_t *data, size_t size, patch_map *map)
{
  enum { ROOT = 64, ENTRIES = 8, ENTRY = 40 };

  memset(map->count, 0, sizeof map->count);
  patch_find_in_header(map, data, patch_get(data, ROOT, 8), size);
  for (size_t at = 0; at + 48 < size; at += 8) {
    if (!memcmp(data + at, "HEAP", 4))
      patch_add(map, PATCH_NAME, patch_get(data, at + 24, 8), patch_get(data, at + 8, 8), size);
    if (memcmp(data + at, "SNOD", 4)) continue;
    for (size_t i = 0; i < patch_get(data, at + 6, 2); i++) {
      const size_t entry = at + ENTRIES + i * ENTRY;

      patch_add(map, PATCH_LINK, entry + 8, ENTRY - 8, size); /* all but the name */
      patch_find_in_header(map, data, patch_get(data, entry + 8, 8), size);
    }
  }
}

/* Kinds of numbers as the file has them, made once. */
static const uint8_t *patch_type(unsigned which, size_t *size)
{
  static uint8_t type[PATCH_TYPES][2 + PATCH_TYPE_SIZE];
  static size_t  sizes[PATCH_TYPES];

  which %= PATCH_TYPES;
  if (!sizes[which]) {
    const hid_t made = edit_type(which);

    sizes[which] = sizeof type[which];
    if (H5Tencode(made, type[which], &sizes[which]) < 0) sizes[which] = 2;
    H5Tclose(made);
  }
  *size = sizes[which] - 2;
  return type[which] + 2; /* behind what H5Tencode puts before it */
}

static void patch_value(uint8_t *data, const patch_place *p, const uint8_t b[])
{
  const size_t   width = p->size % 8 ? 1 : 8, at = p->at + width * (patch_get(b, 2, 2) % (p->size / width));
  const double   real    = edit_values[b[5] % (sizeof edit_values / sizeof *edit_values)];
  const float    narrow  = (float)real;
  const uint64_t integer = (uint64_t)patch_integers[b[5] % (sizeof patch_integers / sizeof *patch_integers)];

  switch (width == 1 ? 3 + b[4] % 2 : b[4] % 5) {
  case 0:
    memcpy(data + at, &real, 8);
    break;
  case 1:
    memcpy(data + at + b[4] / 5 % 2 * 4, &narrow, 4);
    break;
  case 2:
    patch_put(data, at, 8, integer);
    break;
  case 3:
    data[at + b[4] / 5 % width] ^= (uint8_t)(1 << b[5] % 8);
    break;
  default:
    data[at + b[4] / 5 % width] = b[5];
  }
}

/* One extent, or fewer of them. */
static void patch_extent(uint8_t *data, const patch_place *p, const uint8_t b[])
{
  const size_t   rank = data[p->at + 1], first = data[p->at] == 1 ? 8 : 4;
  const size_t   at  = rank ? p->at + first + 8 * (b[2] % rank) : 0;
  const uint64_t was = rank && first + 8 * rank <= p->size ? patch_get(data, at, 8) : 0;

  if (!rank || first + 8 * rank > p->size) return;
  switch (b[3] % 6) {
  case 0:
    data[p->at + 1] = (uint8_t)(b[4] % rank);
    break;
  case 1:
    patch_put(data, at, 8, was + 1);
    break;
  case 2:
    patch_put(data, at, 8, was - (was > 0));
    break;
  case 3:
    patch_put(data, at, 8, was / 2);
    break;
  case 4:
    patch_put(data, at, 8, b[4] % 16);
    break;
  default:
    patch_put(data, at, 8, (uint64_t)1 << b[4] % 63);
  }
}

static void patch_storage(uint8_t *data, const patch_place *p, const uint8_t b[])
{
  patch_put(data, p->at, 8, UINT64_MAX); /* never written */
  if (b[2] % 2) patch_put(data, p->at + 8, 8, (uint64_t)1 << b[3] % 63);
}

/* Does to a file what PATCH_BYTES bytes say; with only_values it is sound for HDF5 whatever they are. */
static void patch(uint8_t *data, const patch_map *map, const uint8_t b[], int only_values)
{
  const int          kind = only_values ? PATCH_VALUE : b[0] % PATCH_KINDS;
  const size_t       n    = map->count[kind];
  const patch_place *p    = n ? &map->place[kind][(b[0] / PATCH_KINDS * 256u + b[1]) % n] : NULL;
  const uint8_t     *type;
  size_t             size;

  if (!p) return;
  switch (kind) {
  case PATCH_VALUE:
    patch_value(data, p, b);
    break;
  case PATCH_EXTENT:
    patch_extent(data, p, b);
    break;
  case PATCH_TYPE:
    type = patch_type(b[2], &size);
    if (size <= p->size) memcpy(data + p->at, type, size);
    break;
  case PATCH_MESSAGE:
    patch_put(data, p->at, 2, 0);
    break;
  case PATCH_NAME:
    if (data[p->at + patch_get(b, 2, 2) % p->size]) data[p->at + patch_get(b, 2, 2) % p->size] = b[4];
    break;
  case PATCH_STORAGE:
    patch_storage(data, p, b);
    break;
  default:
    memmove(data + p->at, data + map->place[kind][patch_get(b, 2, 2) % n].at, p->size);
  }
}

#endif
