/* SPDX-License-Identifier: BSD-2-Clause */
/* What is in a file: groups, attributes, and arrays that all ranks write or read together. */
#include "store.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define RANK_MAX 4
#define CHUNK    131072 /* elements that are compressed together: 1 MB of numbers */

/* What is made under a path makes the groups on the way, too. */
static hid_t link_list(void)
{
  const hid_t list = H5Pcreate(H5P_LINK_CREATE);

  H5Pset_create_intermediate_group(list, 1);
  return list;
}

PetscErrorCode fare_store_group(fare_store *store, const char *path)
{
  PetscBool      has;
  hid_t          links, group;
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(fare_store_has(store, path, &has));
  if (has) PetscFunctionReturn(0);
  links = link_list();
  group = H5Gcreate2(store->file, path, links, H5P_DEFAULT, H5P_DEFAULT);
  code  = group < 0 ? fare_store_failed(store->path, path) : 0;
  if (group >= 0) H5Gclose(group);
  H5Pclose(links);
  PetscFunctionReturn(code);
}

/* A link other than a hard one: whether something is behind it. */
static PetscErrorCode look_behind(const fare_store *store, const char *link)
{
  char why[512];

  PetscFunctionBegin;
  if (fare_store_look_along(store->path, store->file, link)) {
    snprintf(why, sizeof why, "%s", fare_error_message());
    FARE_FAIL(FARE_ERR_FAILED, "%s: %s is a broken link: %s", store->path, link, why);
  }
  if (H5Oexists_by_name(store->file, link, H5P_DEFAULT) <= 0) {
    PetscCall(fare_store_failed(store->path, link));
  }
  PetscFunctionReturn(0);
}

/* HDF5 wants every parent to exist, so the path is asked for piece by piece. */
PetscErrorCode fare_store_has(fare_store *store, const char *path, PetscBool *has)
{
  char       copy[PETSC_MAX_PATH_LEN];
  H5L_info_t link;

  PetscFunctionBegin;
  *has = PETSC_TRUE;
  snprintf(copy, sizeof copy, "%s%s", *path == '/' ? "" : "/", path);
  for (char *end = copy; *has && end[0] && end[1];) {
    char *slash = strchr(end + 1, '/');

    if (slash) *slash = '\0';
    *has = H5Lget_info(store->file, copy, &link, H5P_DEFAULT) >= 0 ? PETSC_TRUE : PETSC_FALSE;
    if (*has && link.type != H5L_TYPE_HARD) PetscCall(look_behind(store, copy));
    if (!slash) break;
    *slash = '/';
    end    = slash;
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode put_attribute(
  fare_store *store, const char *path, const char *name, hid_t type, hid_t space, const void *value)
{
  hid_t          object, attribute;
  PetscErrorCode code;

  PetscFunctionBegin;
  H5(object, H5Oopen(store->file, path, H5P_DEFAULT), store->path, path);
  attribute = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
  code = attribute < 0 || H5Awrite(attribute, type, value) < 0 ? fare_store_failed(store->path, name) : 0;
  if (attribute >= 0) H5Aclose(attribute);
  H5Oclose(object);
  PetscFunctionReturn(code);
}

static PetscErrorCode put_scalar(
  fare_store *store, const char *path, const char *name, hid_t type, const void *value)
{
  const hid_t    space = H5Screate(H5S_SCALAR);
  PetscErrorCode code  = put_attribute(store, path, name, type, space, value);

  H5Sclose(space);
  return code;
}

static PetscErrorCode put_array(
  fare_store *store, const char *path, const char *name, hid_t type, size_t count, const void *value)
{
  const hsize_t  extent = count;
  const hid_t    space  = H5Screate_simple(1, &extent, NULL);
  PetscErrorCode code   = put_attribute(store, path, name, type, space, value);

  H5Sclose(space);
  return code;
}

/* HDF5 has no strings of length 0: an empty one is a single zero byte. */
static hid_t string_type(size_t length)
{
  const hid_t type = H5Tcopy(H5T_C_S1);

  H5Tset_size(type, length ? length : 1);
  H5Tset_strpad(type, H5T_STR_NULLPAD);
  return type;
}

PetscErrorCode fare_store_put_string(fare_store *store, const char *path, const char *name, const char *value)
{
  const hid_t    type = string_type(strlen(value));
  PetscErrorCode code = put_scalar(store, path, name, type, value);

  H5Tclose(type);
  return code;
}

PetscErrorCode fare_store_put_strings(
  fare_store *store, const char *path, const char *name, size_t count, const char *const values[])
{
  PetscErrorCode code;
  size_t         longest = 1;
  char          *packed;
  hid_t          type;

  PetscFunctionBegin;
  for (size_t i = 0; i < count; i++) longest = PetscMax(longest, strlen(values[i]));
  PetscCall(PetscCalloc1(longest * count + 1, &packed));
  for (size_t i = 0; i < count; i++) memcpy(packed + i * longest, values[i], strlen(values[i]));
  type = string_type(longest);
  code = put_array(store, path, name, type, count, packed);
  H5Tclose(type);
  PetscCall(PetscFree(packed));
  PetscFunctionReturn(code);
}

PetscErrorCode fare_store_put_real(fare_store *store, const char *path, const char *name, double value)
{
  return put_scalar(store, path, name, H5T_NATIVE_DOUBLE, &value);
}

PetscErrorCode fare_store_put_reals(
  fare_store *store, const char *path, const char *name, size_t count, const double values[])
{
  return put_array(store, path, name, H5T_NATIVE_DOUBLE, count, values);
}

PetscErrorCode fare_store_put_uint32(fare_store *store, const char *path, const char *name, uint32_t value)
{
  return put_scalar(store, path, name, H5T_NATIVE_UINT32, &value);
}

PetscErrorCode fare_store_put_int(fare_store *store, const char *path, const char *name, int64_t value)
{
  return put_scalar(store, path, name, H5T_NATIVE_INT64, &value);
}

PetscErrorCode fare_store_put_uint64s(
  fare_store *store, const char *path, const char *name, size_t count, const uint64_t values[])
{
  return put_array(store, path, name, H5T_NATIVE_UINT64, count, values);
}

/* Of exactly `count` values, for which there is room. */
static PetscErrorCode get_attribute(
  fare_store *store, const char *path, const char *name, hid_t type, size_t count, void *value)
{
  PetscBool has;
  hid_t     attribute, space;
  herr_t    status = -1;

  PetscFunctionBegin;
  PetscCall(fare_store_has(store, path, &has));
  attribute = has ? H5Aopen_by_name(store->file, path, name, H5P_DEFAULT, H5P_DEFAULT) : -1;
  space     = attribute < 0 ? -1 : H5Aget_space(attribute);
  if (space >= 0 && H5Sget_simple_extent_npoints(space) == (hssize_t)count)
    status = H5Aread(attribute, type, value);
  if (space >= 0) H5Sclose(space);
  if (attribute >= 0) H5Aclose(attribute);
  if (status < 0)
    FARE_FAIL(FARE_ERR_FAILED, "%s: %s has no attribute '%s' of the expected type", store->path, path, name);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_store_has_attribute(fare_store *store, const char *path, const char *name, PetscBool *has)
{
  PetscFunctionBegin;
  PetscCall(fare_store_has(store, path, has));
  if (*has) *has = H5Aexists_by_name(store->file, path, name, H5P_DEFAULT) > 0 ? PETSC_TRUE : PETSC_FALSE;
  PetscFunctionReturn(0);
}

PetscErrorCode fare_store_get_string(
  fare_store *store, const char *path, const char *name, size_t size, char value[])
{
  PetscErrorCode code;
  hid_t          type;

  PetscFunctionBegin;
  memset(value, 0, size);
  type = string_type(size - 1);
  code = get_attribute(store, path, name, type, 1, value);
  H5Tclose(type);
  for (char *c = value; *c; c++) {
    if (iscntrl((unsigned char)*c)) *c = '?';
  }
  PetscFunctionReturn(code);
}

PetscErrorCode fare_store_get_real(fare_store *store, const char *path, const char *name, double *value)
{
  return get_attribute(store, path, name, H5T_NATIVE_DOUBLE, 1, value);
}

PetscErrorCode fare_store_get_reals(
  fare_store *store, const char *path, const char *name, size_t count, double values[])
{
  return get_attribute(store, path, name, H5T_NATIVE_DOUBLE, count, values);
}

PetscErrorCode fare_store_get_int(fare_store *store, const char *path, const char *name, int64_t *value)
{
  return get_attribute(store, path, name, H5T_NATIVE_INT64, 1, value);
}

static hid_t hdf5_type(fare_store_type type)
{
  const hid_t types[] = {
    [FARE_STORE_FLOAT64] = H5T_NATIVE_DOUBLE,
    [FARE_STORE_FLOAT32] = H5T_NATIVE_FLOAT,
    [FARE_STORE_INT64]   = H5T_NATIVE_INT64,
    [FARE_STORE_UINT64]  = H5T_NATIVE_UINT64,
    [FARE_STORE_UINT8]   = H5T_NATIVE_UINT8,
  };

  return types[type];
}

static void to_hsize(int rank, const uint64_t from[], hsize_t to[])
{
  for (int i = 0; i < rank; i++) to[i] = from[i];
}

static PetscErrorCode open_dataset(fare_store *store, const char *path, hid_t *dataset)
{
  PetscBool has;

  PetscFunctionBegin;
  *dataset = -1;
  PetscCall(fare_store_has(store, path, &has));
  if (has) *dataset = H5Dopen2(store->file, path, H5P_DEFAULT);
  if (*dataset < 0) FARE_FAIL(FARE_ERR_FAILED, "%s: has no dataset %s", store->path, path);
  PetscFunctionReturn(0);
}

/*
  Moves this rank's box between memory and a dataset: written by all ranks together, read by each for itself.
*/
static PetscErrorCode transfer(fare_store *store, const char *path, hid_t dataset, fare_store_type type,
  int rank, const uint64_t start[], const uint64_t count[], void *in, const void *out)
{
  const hid_t    space = H5Dget_space(dataset), how = H5Pcreate(H5P_DATASET_XFER);
  hsize_t        first[RANK_MAX], extent[RANK_MAX];
  PetscBool      empty = PETSC_FALSE;
  PetscErrorCode code  = 0;
  hid_t          memory;
  herr_t         status = 0;

  PetscFunctionBegin;
  to_hsize(rank, start, first);
  to_hsize(rank, count, extent);
  for (int i = 0; i < rank; i++) empty = count[i] ? empty : PETSC_TRUE;
  memory = H5Screate_simple(rank, extent, NULL);
  if (empty) {
    H5Sselect_none(space);
    H5Sselect_none(memory);
  } else if (rank) {
    H5Sselect_hyperslab(space, H5S_SELECT_SET, first, NULL, extent, NULL);
  }
  if (store->writing) H5Pset_dxpl_mpio(how, H5FD_MPIO_COLLECTIVE);
  /* HDF5 1.10.8 fails to write nothing into a dataset of no elements, which has no place in the file */
  if (H5Sget_simple_extent_npoints(space) > 0)
    status = out ? H5Dwrite(dataset, hdf5_type(type), memory, space, how, out)
                 : H5Dread(dataset, hdf5_type(type), memory, space, how, in);
  if (status < 0) code = fare_store_failed(store->path, path);
  H5Sclose(memory);
  H5Sclose(space);
  H5Pclose(how);
  PetscFunctionReturn(fare_error_agree(store->comm, code));
}

void fare_store_set_compression(fare_store *store, int level)
{
  store->compression = level;
}

/*
  How a dataset lies in the file: in one piece, at the place it has from the start; or in compressed chunks,
  whose places nobody knows before.
*/
static hid_t creation_list(const fare_store *store, int rank, const hsize_t extent[])
{
  const hsize_t chunk = CHUNK;
  const hid_t   list  = H5Pcreate(H5P_DATASET_CREATE);

  if (store->compression && rank == 1 && extent[0] > CHUNK) {
    H5Pset_chunk(list, 1, &chunk);
    H5Pset_shuffle(list); /* bytes of like significance side by side */
    H5Pset_deflate(list, (unsigned)store->compression);
  }
  return list;
}

static uint64_t bytes_of(fare_store_type type, int rank, const uint64_t extent[])
{
  uint64_t bytes = H5Tget_size(hdf5_type(type));

  for (int i = 0; i < rank; i++) bytes *= extent[i];
  return bytes;
}

/* Room for the data before it is written. */
static PetscErrorCode reserve_for(
  fare_store *store, hid_t dataset, fare_store_type type, int rank, const uint64_t global[])
{
  const haddr_t place = H5Dget_offset(dataset);

  if (place != HADDR_UNDEF) {
    store->end = PetscMax(store->end, place + H5Dget_storage_size(dataset));
    return fare_store_reserve(store, place, H5Dget_storage_size(dataset));
  }
  /* compressed it may not shrink, but hardly grows */
  return fare_store_reserve_end(store, bytes_of(type, rank, global));
}

/*
  Asked before a dataset is made: HDF5 places what describes it behind it, and could not close the file beyond
  the limit. It does not tell how long that is: while a file is written by MPI, H5Fget_filesize fails.
*/
static PetscErrorCode fits(fare_store *store, fare_store_type type, int rank, const uint64_t global[])
{
  if (store->limit == UINT64_MAX) return 0;
  return fare_store_reserve_end(store, bytes_of(type, rank, global) + FARE_STORE_HEADROOM);
}

PetscErrorCode fare_store_write(fare_store *store, const char *path, fare_store_type type, int rank,
  const uint64_t global[], const uint64_t start[], const uint64_t count[], const void *data)
{
  hsize_t             extent[RANK_MAX];
  hid_t               space, list, links, dataset;
  PetscErrorCode      code;
  static const double nothing[1];

  PetscFunctionBegin;
  PetscCall(fits(store, type, rank, global));
  to_hsize(rank, global, extent);
  H5(space, H5Screate_simple(rank, extent, NULL), store->path, path);
  list    = creation_list(store, rank, extent);
  links   = link_list();
  dataset = H5Dcreate2(store->file, path, hdf5_type(type), space, links, list, H5P_DEFAULT);
  code    = dataset < 0 ? fare_store_failed(store->path, path) : 0;
  H5Pclose(links);
  H5Pclose(list);
  H5Sclose(space);
  if (!code) code = reserve_for(store, dataset, type, rank, global);
  if (!code) code = transfer(store, path, dataset, type, rank, start, count, NULL, data ? data : nothing);
  if (dataset >= 0) H5Dclose(dataset);
  PetscFunctionReturn(code);
}

PetscErrorCode fare_store_write_array(fare_store *store, const char *path, fare_store_type type, int rank,
  const uint64_t extent[], const void *data)
{
  static const uint64_t none[RANK_MAX];

  return fare_store_write(
    store, path, type, rank, extent, none, fare_is_rank_0(store->comm) ? extent : none, data);
}

PetscErrorCode fare_store_fill(fare_store *store, const char *path, fare_store_type type, int rank,
  const uint64_t start[], const uint64_t count[], const void *data)
{
  static const double nothing[1];
  hid_t               dataset;
  PetscErrorCode      code;

  PetscFunctionBegin;
  PetscCall(open_dataset(store, path, &dataset));
  code = transfer(store, path, dataset, type, rank, start, count, NULL, data ? data : nothing);
  H5Dclose(dataset);
  PetscFunctionReturn(code);
}

PetscErrorCode fare_store_kind_of(fare_store *store, const char *path, fare_store_kind *kind)
{
  PetscBool has;
  hid_t     dataset = -1, type;

  PetscFunctionBegin;
  *kind = FARE_STORE_NEITHER;
  PetscCall(fare_store_has(store, path, &has));
  if (has) dataset = H5Dopen2(store->file, path, H5P_DEFAULT);
  if (dataset < 0) PetscFunctionReturn(0);
  type = H5Dget_type(dataset);
  if (H5Tget_class(type) == H5T_FLOAT) *kind = FARE_STORE_REALS;
  if (H5Tget_class(type) == H5T_INTEGER || H5Tget_class(type) == H5T_ENUM) *kind = FARE_STORE_INTEGERS;
  H5Tclose(type);
  H5Dclose(dataset);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_store_read(fare_store *store, const char *path, fare_store_type type, int rank,
  const uint64_t start[], const uint64_t count[], void *data)
{
  uint64_t       global[RANK_MAX];
  int            dataset_rank;
  hid_t          dataset;
  PetscErrorCode code = 0;

  PetscFunctionBegin;
  PetscCall(fare_store_extents(store, path, &dataset_rank, global));
  if (dataset_rank != rank)
    FARE_FAIL(FARE_ERR_FAILED, "%s: %s has %d dimensions, not %d", store->path, path, dataset_rank, rank);
  for (int i = 0; i < rank; i++) {
    if (count[i] > global[i] || start[i] > global[i] - count[i])
      code = fare_error(FARE_ERR_FAILED, "%s: %s is too short (%llu along axis %d)", store->path, path,
        (unsigned long long)global[i], i);
  }
  PetscCall(fare_error_agree(store->comm, code)); /* every rank has a box of its own */
  PetscCall(open_dataset(store, path, &dataset));
  code = transfer(store, path, dataset, type, rank, start, count, data, NULL);
  H5Dclose(dataset);
  PetscFunctionReturn(code);
}

PetscErrorCode fare_store_read_array(
  fare_store *store, const char *path, fare_store_type type, int rank, const uint64_t extent[], void *data)
{
  static const uint64_t origin[RANK_MAX];

  return fare_store_read(store, path, type, rank, origin, extent, data);
}

PetscErrorCode fare_store_extents(fare_store *store, const char *path, int *rank, uint64_t global[4])
{
  hsize_t extent[H5S_MAX_RANK];
  hid_t   dataset, space;

  PetscFunctionBegin;
  PetscCall(open_dataset(store, path, &dataset));
  space = H5Dget_space(dataset);
  *rank = H5Sget_simple_extent_dims(space, extent, NULL);
  H5Sclose(space);
  H5Dclose(dataset);
  if (*rank < 0 || *rank > RANK_MAX)
    FARE_FAIL(FARE_ERR_FAILED, "%s: %s has more than %d dimensions", store->path, path, RANK_MAX);
  for (int i = 0; i < *rank; i++) global[i] = extent[i];
  PetscFunctionReturn(0);
}

PetscErrorCode fare_store_fill_value(fare_store *store, const char *path, double *value)
{
  hid_t dataset, list;

  PetscFunctionBegin;
  *value = 0;
  PetscCall(open_dataset(store, path, &dataset));
  list = H5Dget_create_plist(dataset);
  if (list < 0 || H5Pget_fill_value(list, H5T_NATIVE_DOUBLE, value) < 0) *value = 0;
  if (list >= 0) H5Pclose(list);
  H5Dclose(dataset);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_store_write_text(fare_store *store, const char *path, const char *text)
{
  const hid_t type = string_type(strlen(text)), space = H5Screate(H5S_SCALAR), links = link_list(),
              dataset = H5Dcreate2(store->file, path, type, space, links, H5P_DEFAULT, H5P_DEFAULT);
  PetscErrorCode code;

  PetscFunctionBegin;
  code = dataset < 0 || H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, text) < 0
    ? fare_store_failed(store->path, path)
    : 0;
  if (dataset >= 0) H5Dclose(dataset);
  H5Pclose(links);
  H5Sclose(space);
  H5Tclose(type);
  PetscFunctionReturn(code);
}

PetscErrorCode fare_store_read_text(fare_store *store, const char *path, fare_text *text)
{
  hid_t  dataset, type, space;
  herr_t status = -1;
  size_t length;
  char  *read;

  PetscFunctionBegin;
  PetscCall(open_dataset(store, path, &dataset));
  type   = H5Dget_type(dataset);
  space  = H5Dget_space(dataset);
  length = H5Tget_size(type);
  PetscCall(PetscCalloc1(length + 1, &read));
  if (H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) == 0 &&
    H5Sget_simple_extent_npoints(space) == 1)
    status = H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, read);
  if (status >= 0) fare_text_add(text, "%s", read);
  PetscCall(PetscFree(read));
  H5Sclose(space);
  H5Tclose(type);
  H5Dclose(dataset);
  if (status < 0) FARE_FAIL(FARE_ERR_FAILED, "%s: %s is not a fixed-length string", store->path, path);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_store_child(
  fare_store *store, const char *group, size_t i, size_t size, char name[], PetscBool *has)
{
  H5G_info_t about;
  PetscBool  exists;

  PetscFunctionBegin;
  *has = PETSC_FALSE;
  PetscCall(fare_store_has(store, group, &exists));
  if (!exists || H5Gget_info_by_name(store->file, group, &about, H5P_DEFAULT) < 0 || i >= about.nlinks)
    PetscFunctionReturn(0);
  if (H5Lget_name_by_idx(store->file, group, H5_INDEX_NAME, H5_ITER_INC, i, name, size, H5P_DEFAULT) < 0)
    PetscCall(fare_store_failed(store->path, group));
  *has = PETSC_TRUE;
  PetscFunctionReturn(0);
}
