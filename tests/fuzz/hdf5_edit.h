/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Changes a sound HDF5 file into another, sound for HDF5 but not for who expects something in it: bytes of an
  input say what is deleted, replaced, retyped, cut or put where it does not belong.
*/
#ifndef FARE_FUZZ_HDF5_EDIT_H
#define FARE_FUZZ_HDF5_EDIT_H

#include <hdf5.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { EDIT_OBJECTS = 128, EDIT_BYTES = 5, EDIT_RANK = 6, EDIT_ELEMENTS = 4096 };

typedef struct {
  int  count;
  char path[EDIT_OBJECTS][160];
} edit_objects;

static const double edit_values[] = {0, 1, -1, 0.1, 0.25, 1e300, -1e300, 1e18, 9.3e18, -9.3e18, 65536, 3, 7,
  1e-320, NAN, INFINITY, -INFINITY, 4294967296.0};

static herr_t edit_seen(hid_t object, const char *name, const H5O_info_t *about, void *context)
{
  edit_objects *o = context;

  (void)object, (void)about;
  if (o->count < EDIT_OBJECTS && strlen(name) < sizeof o->path[0] - 1)
    snprintf(o->path[o->count++], sizeof o->path[0], "/%s", strcmp(name, ".") ? name : "");
  return 0;
}

static hid_t edit_type(unsigned which)
{
  hid_t type;

  switch (which % 10) {
  case 0:
    return H5Tcopy(H5T_NATIVE_DOUBLE);
  case 1:
    return H5Tcopy(H5T_NATIVE_FLOAT);
  case 2:
    return H5Tcopy(H5T_IEEE_F64BE);
  case 3:
    return H5Tcopy(H5T_NATIVE_INT64);
  case 4:
    return H5Tcopy(H5T_STD_U8BE);
  case 5:
    return H5Tcopy(H5T_STD_I16LE);
  case 6:
    type = H5Tcreate(H5T_COMPOUND, 16);
    H5Tinsert(type, "r", 0, H5T_NATIVE_DOUBLE);
    H5Tinsert(type, "i", 8, H5T_NATIVE_DOUBLE);
    return type;
  case 7:
    type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, H5T_VARIABLE);
    return type;
  case 8:
    type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, 1 + which * 7);
    return type;
  default:
    return H5Tcopy(H5T_NATIVE_UINT64);
  }
}

/* A number wherever it fits; variable texts stay unset. */
static void edit_fill(hid_t type, double value, size_t elements, uint8_t to[])
{
  for (size_t i = 0; i < elements; i++) memcpy(to + 8 * i, &value, 8);
  if (H5Tget_class(type) == H5T_FLOAT || H5Tget_class(type) == H5T_INTEGER)
    H5Tconvert(H5T_NATIVE_DOUBLE, type, elements, to, NULL, H5P_DEFAULT);
}

static void edit_dataset(hid_t file, const char *path, const uint8_t b[])
{
  static const hsize_t extents[] = {0, 1, 2, 3, 4, 5, 8, 16};
  static uint8_t       values[8 * EDIT_ELEMENTS * 2];
  hsize_t              extent[EDIT_RANK], elements = 1;
  const int            rank = b[3] % 8 == 7 ? EDIT_RANK : b[3] % 4;
  const hid_t          type = edit_type(b[2]);
  hid_t                space, dataset;

  for (int i = 0; i < rank; i++) {
    extent[i] = extents[(b[3] / 8 + (unsigned)i * b[4]) % 8];
    elements *= extent[i];
  }
  H5Ldelete(file, path, H5P_DEFAULT);
  space   = rank ? H5Screate_simple(rank, extent, NULL)
      : b[4] % 5 ? H5Screate(H5S_SCALAR)
                 : H5Screate(H5S_NULL);
  dataset = H5Dcreate2(file, path, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  if (dataset >= 0 && elements <= EDIT_ELEMENTS && H5Tget_size(type) <= 16 && !H5Tis_variable_str(type)) {
    memset(values, 0, sizeof values);
    edit_fill(type, edit_values[b[4] % (sizeof edit_values / sizeof *edit_values)], (size_t)elements, values);
    H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
  }
  if (dataset >= 0) H5Dclose(dataset);
  H5Sclose(space);
  H5Tclose(type);
}

/* One element becomes another, or one letter of a text. */
static void edit_element(hid_t file, const char *path, const uint8_t b[])
{
  static uint8_t values[16 * EDIT_ELEMENTS];
  const hid_t    dataset = H5Dopen2(file, path, H5P_DEFAULT);
  hid_t          type, space;
  hssize_t       elements;

  if (dataset < 0) return;
  type     = H5Dget_type(dataset);
  space    = H5Dget_space(dataset);
  elements = H5Sget_simple_extent_npoints(space);
  memset(values, 0, sizeof values);
  if (H5Tget_class(type) == H5T_STRING && !H5Tis_variable_str(type) && elements == 1 &&
    H5Tget_size(type) <= sizeof values) {
    H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
    values[(b[2] * 256u + b[3]) % H5Tget_size(type)] = b[4];
    H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
  } else if ((H5Tget_class(type) == H5T_FLOAT || H5Tget_class(type) == H5T_INTEGER) && elements > 0 &&
    elements <= EDIT_ELEMENTS) {
    H5Dread(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
    memcpy(values + 8 * ((b[2] * 256u + b[3]) % (size_t)elements),
      &edit_values[b[4] % (sizeof edit_values / sizeof *edit_values)], 8);
    H5Dwrite(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
  }
  H5Sclose(space);
  H5Tclose(type);
  H5Dclose(dataset);
}

/* The object's attribute number b[2] goes, or becomes another. */
static void edit_attribute(hid_t file, const char *path, const uint8_t b[], int stays)
{
  static uint8_t values[8 * 8];
  const hid_t    object    = H5Oopen(file, path, H5P_DEFAULT);
  const hsize_t  extent    = 1 + b[4] % 3;
  char           name[128] = "time";
  hid_t          type, space, attribute;

  if (object < 0) return;
  if (H5Aget_num_attrs(object) > 0)
    H5Aget_name_by_idx(object, ".", H5_INDEX_NAME, H5_ITER_INC, b[2] % (unsigned)H5Aget_num_attrs(object),
      name, sizeof name, H5P_DEFAULT);
  H5Adelete(object, name);
  if (stays) {
    type      = edit_type(b[3] % 8);
    space     = extent == 1 ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, &extent, NULL);
    attribute = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    memset(values, 0, sizeof values);
    edit_fill(type, edit_values[b[4] % (sizeof edit_values / sizeof *edit_values)], (size_t)extent, values);
    if (attribute >= 0 && !H5Tis_variable_str(type)) H5Awrite(attribute, type, values);
    if (attribute >= 0) H5Aclose(attribute);
    H5Sclose(space);
    H5Tclose(type);
  }
  H5Oclose(object);
}

/* As it was, with more or fewer rows along one axis; the memory of its elements is shared where it can be. */
static void edit_extent(hid_t file, const char *path, const uint8_t b[])
{
  const hid_t dataset = H5Dopen2(file, path, H5P_DEFAULT);
  hsize_t     extent[H5S_MAX_RANK];
  hid_t       type, space;
  int         rank;

  if (dataset < 0) return;
  type  = H5Dget_type(dataset);
  space = H5Dget_space(dataset);
  rank  = H5Sget_simple_extent_dims(space, extent, NULL);
  H5Sclose(space);
  H5Dclose(dataset);
  if (rank > 0) {
    /* the last: no room on any disk, and none needed until it is written */
    extent[b[2] % rank] = b[3] % 4 == 0 ? extent[b[2] % rank] / 2
      : b[3] % 4 == 1                   ? extent[b[2] % rank] + 1
      : b[3] % 4 == 2                   ? extent[b[2] % rank] - !!extent[b[2] % rank]
                                        : (hsize_t)1 << b[4] % 62;
    H5Ldelete(file, path, H5P_DEFAULT);
    space = H5Screate_simple(rank, extent, NULL);
    {
      const hid_t again = H5Dcreate2(file, path, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);

      if (again >= 0) H5Dclose(again);
    }
    H5Sclose(space);
  }
  H5Tclose(type);
}

/* A name that may mean something leads somewhere else. */
static void edit_link(
  hid_t file, const char *path, const uint8_t b[], const char *const names[], size_t count)
{
  const char *name = names[b[2] % count];

  if (b[4] % 2) H5Ldelete(file, name, H5P_DEFAULT);
  switch (b[3] % 5) {
  case 0:
    H5Lcreate_hard(file, path, file, name, H5P_DEFAULT, H5P_DEFAULT);
    break;
  case 1:
    H5Lcreate_soft(path, file, name, H5P_DEFAULT, H5P_DEFAULT);
    break;
  case 2:
    H5Lcreate_soft(name, file, name, H5P_DEFAULT, H5P_DEFAULT);
    break;
  case 3:
    H5Lcreate_external("nowhere.h5", path, file, name, H5P_DEFAULT, H5P_DEFAULT);
    break;
  default:
    H5Ocopy(file, path, file, name, H5P_DEFAULT, H5P_DEFAULT);
  }
}

/*
  Does to the file at `path` what the bytes say to some of the objects that were there at first; `names` are
  some that its reader looks for.
*/
static inline void edit_file(const char *path, const edit_objects *o, const uint8_t *data, size_t size,
  const char *const names[], size_t count)
{
  const hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);

  if (file < 0) return;
  for (; size >= EDIT_BYTES; data += EDIT_BYTES, size -= EDIT_BYTES) {
    /* the root more often than others */
    const char *at = o->path[data[1] >= 192 ? 0 : data[1] % (unsigned)o->count];
    hid_t       group;

    switch (data[0] % 8) {
    case 0:
      H5Ldelete(file, at, H5P_DEFAULT);
      break;
    case 1:
      edit_dataset(file, at, data);
      break;
    case 2:
      edit_element(file, at, data);
      break;
    case 3:
      edit_attribute(file, at, data, 1);
      break;
    case 4:
      edit_attribute(file, at, data, 0);
      break;
    case 5:
      edit_extent(file, at, data);
      break;
    case 6:
      edit_link(file, at, data, names, count);
      break;
    default:
      H5Ldelete(file, at, H5P_DEFAULT);
      group =
        H5Gcreate2(file, data[2] % 2 ? at : names[data[3] % count], H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
      if (group >= 0) H5Gclose(group);
    }
  }
  H5Fclose(file);
}

#endif
