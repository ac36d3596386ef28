/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Whether a dataset is whole: HDF5 fills what was never written, or has gone, with zeros, and says nothing.
*/
#include "store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define NESTED_MOST 8 /* virtual datasets within each other */
#define NAME_SIZE   (2 * PETSC_MAX_PATH_LEN)

/* What is known of a dataset that is looked at. */
typedef struct {
  const char *in, *path;       /* the file and the place in it, as they are asked for */
  char        home[NAME_SIZE]; /* the file that it lies in, where links lead to it */
  hid_t       set, space, list;
  hsize_t     elements, bytes; /* bytes as they lie in the file */
  int         nested;
} subject;

static PetscErrorCode check_subject(hid_t file, const char *in, const char *path, int nested);

static PetscErrorCode check_chunks(const subject *s)
{
  hsize_t extent[H5S_MAX_RANK], chunk[H5S_MAX_RANK], written;
  double  expected = 1;
  int     rank;

  PetscFunctionBegin;
  rank = H5Sget_simple_extent_dims(s->space, extent, NULL);
  if (rank < 0 || H5Pget_chunk(s->list, rank, chunk) != rank ||
    H5Dget_num_chunks(s->set, s->space, &written) < 0) {
    PetscCall(fare_store_failed(s->in, s->path));
  }
  for (int i = 0; i < rank; i++) {
    if (!chunk[i]) FARE_FAIL(FARE_ERR_FAILED, "%s: %s has empty chunks", s->in, s->path);
    expected *= (double)(extent[i] / chunk[i] + (extent[i] % chunk[i] ? 1 : 0));
  }
  if ((double)written >= expected) PetscFunctionReturn(0);
  FARE_FAIL(FARE_ERR_FAILED,
    "%s: %s is incomplete: %.0f of its %.0f chunks were never written (was its writer stopped?)", s->in,
    s->path, expected - (double)written, expected);
}

/* Raw files beside the HDF5 file, one behind the other; HDF5 takes what they lack for zeros. */
static PetscErrorCode check_external(const subject *s, int count)
{
  const char *prefix = getenv("HDF5_EXTFILE_PREFIX");
  hsize_t     left   = s->bytes, size;
  struct stat about;
  off_t       offset;
  char        name[PETSC_MAX_PATH_LEN] = "", where[PETSC_MAX_PATH_LEN] = "", place[NAME_SIZE];

  PetscFunctionBegin;
  if (prefix && strcmp(prefix, ".")) fare_store_prefix(s->home, prefix, strlen(prefix), sizeof where, where);
  for (int i = 0; i < count && left; i++) {
    if (H5Pget_external(s->list, (unsigned)i, sizeof name - 1, name, &offset, &size) < 0) {
      PetscCall(fare_store_failed(s->in, s->path));
    }
    if (*where && *name != '/')
      snprintf(place, sizeof place, "%s/%s", where, name);
    else
      snprintf(place, sizeof place, "%s", name);
    if (stat(place, &about)) {
      FARE_FAIL(FARE_ERR_FAILED, "%s: %s: external file %s: %s", s->in, s->path, place, strerror(errno));
    }
    if (!S_ISREG(about.st_mode)) {
      FARE_FAIL(FARE_ERR_FAILED, "%s: %s: external file %s: not a regular file", s->in, s->path, place);
    }
    size = PetscMin(size, left);
    if (about.st_size < offset || (hsize_t)(about.st_size - offset) < size) {
      FARE_FAIL(FARE_ERR_FAILED,
        "%s: %s: external file %s has %lld bytes; the dataset needs %llu from byte %lld on", s->in, s->path,
        place, (long long)about.st_size, (unsigned long long)size, (long long)offset);
    }
    left -= size;
  }
  if (left) FARE_FAIL(FARE_ERR_FAILED, "%s: %s is larger than its external files", s->in, s->path);
  PetscFunctionReturn(0);
}

/* Adds what a mapping covers to what others have. */
static PetscErrorCode add_selection(const subject *s, hid_t mapped, hid_t covered)
{
  hsize_t  corner[2 * H5S_MAX_RANK], block[H5S_MAX_RANK];
  hssize_t blocks;
  int      rank;

  PetscFunctionBegin;
  if (H5Sget_select_type(mapped) == H5S_SEL_ALL) {
    H5Sselect_all(covered);
    PetscFunctionReturn(0);
  }
  rank   = H5Sget_simple_extent_ndims(mapped);
  blocks = H5Sget_select_type(mapped) == H5S_SEL_HYPERSLABS ? H5Sget_select_hyper_nblocks(mapped) : -1;
  if (blocks < 0 || rank != H5Sget_simple_extent_ndims(covered)) {
    FARE_FAIL(FARE_ERR_FAILED, "%s: %s: a virtual dataset with a mapping other than boxes", s->in, s->path);
  }
  for (hssize_t b = 0; b < blocks; b++) {
    if (H5Sget_select_hyper_blocklist(mapped, (hsize_t)b, 1, corner) < 0)
      PetscCall(fare_store_failed(s->in, s->path));
    for (int i = 0; i < rank; i++) block[i] = corner[rank + i] - corner[i] + 1;
    if (H5Sselect_hyperslab(covered, H5S_SELECT_OR, corner, NULL, block, NULL) < 0) {
      PetscCall(fare_store_failed(s->in, s->path));
    }
  }
  PetscFunctionReturn(0);
}

/* Whether a source has all that is taken from it: a part, or the whole whatever its extents. */
static PetscErrorCode check_extent(hid_t set, hid_t selected, hid_t mapped, const char *in, const char *path)
{
  const hid_t space = H5Dget_space(set);
  hsize_t     extent[H5S_MAX_RANK], first[H5S_MAX_RANK], last[H5S_MAX_RANK];
  const int   rank = H5Sget_simple_extent_dims(space, extent, NULL);
  int         fits = rank >= 0;

  PetscFunctionBegin;
  if (H5Sget_select_type(selected) == H5S_SEL_ALL) {
    fits = fits && H5Sget_simple_extent_npoints(space) == H5Sget_select_npoints(mapped);
  } else {
    fits = fits && rank == H5Sget_simple_extent_ndims(selected) &&
      H5Sget_select_bounds(selected, first, last) >= 0;
    for (int i = 0; fits && i < rank; i++) fits = last[i] < extent[i];
  }
  H5Sclose(space);
  if (!fits) FARE_FAIL(FARE_ERR_FAILED, "%s: %s does not have the mapped extents", in, path);
  PetscFunctionReturn(0);
}

static PetscErrorCode check_source(const subject *s, size_t i, hid_t selected, hid_t mapped)
{
  char           name[PETSC_MAX_PATH_LEN] = "", path[PETSC_MAX_PATH_LEN] = "/", found[NAME_SIZE];
  hid_t          file, set;
  PetscErrorCode code;

  PetscFunctionBegin;
  if (H5Pget_virtual_filename(s->list, i, name, sizeof name) < 0 ||
    H5Pget_virtual_dsetname(s->list, i, path + 1, sizeof path - 1) < 0) {
    PetscCall(fare_store_failed(s->in, s->path));
  }
  if (path[1] == '/') memmove(path, path + 1, strlen(path));
  snprintf(found, sizeof found, "%s", s->home);
  if (!strcmp(name, "."))
    file = H5Iget_file_id(s->set);
  else
    PetscCall(fare_store_open_beside(s->home, "HDF5_VDS_PREFIX", name, sizeof found, found, &file));
  code = fare_store_look_along(found, file, path);
  if (!code) code = check_subject(file, found, path, s->nested + 1);
  if (!code) {
    set  = H5Dopen2(file, path, H5P_DEFAULT);
    code = check_extent(set, selected, mapped, found, path);
    H5Dclose(set);
  }
  H5Fclose(file);
  PetscFunctionReturn(code);
}

static PetscErrorCode check_mapping(const subject *s, size_t i, hid_t covered)
{
  const hid_t    mapped = H5Pget_virtual_vspace(s->list, i), selected = H5Pget_virtual_srcspace(s->list, i);
  char           why[512];
  PetscErrorCode code;

  PetscFunctionBegin;
  code =
    mapped < 0 || selected < 0 ? fare_store_failed(s->in, s->path) : check_source(s, i, selected, mapped);
  if (code) {
    snprintf(why, sizeof why, "%s", fare_error_message());
    fare_error(code, "%s: %s is virtual, and a source is missing: %s", s->in, s->path, why);
  }
  if (!code) code = add_selection(s, mapped, covered);
  if (mapped >= 0) H5Sclose(mapped);
  if (selected >= 0) H5Sclose(selected);
  PetscFunctionReturn(code);
}

static PetscErrorCode check_virtual(const subject *s)
{
  const hid_t    covered = H5Scopy(s->space);
  size_t         count   = 0;
  PetscErrorCode code    = 0;

  PetscFunctionBegin;
  if (covered < 0 || H5Sselect_none(covered) < 0 || H5Pget_virtual_count(s->list, &count) < 0) {
    code = fare_store_failed(s->in, s->path);
  }
  for (size_t i = 0; i < count && !code; i++) code = check_mapping(s, i, covered);
  if (!code && H5Sget_select_npoints(covered) != (hssize_t)s->elements) {
    code = fare_error(FARE_ERR_FAILED, "%s: %s is virtual, and %lld of its %llu values are unmapped", s->in,
      s->path, (long long)s->elements - (long long)H5Sget_select_npoints(covered),
      (unsigned long long)s->elements);
  }
  H5Sclose(covered);
  PetscFunctionReturn(code);
}

/*
  Mappings without an end are made out from their sources when HDF5 is first asked for the extents: too late
  to look at those.
*/
static PetscErrorCode refuse_unlimited(const subject *s)
{
  size_t    count = 0;
  PetscBool fits  = PETSC_TRUE;

  PetscFunctionBegin;
  if (s->nested == NESTED_MOST) {
    FARE_FAIL(FARE_ERR_FAILED, "%s: %s: more than %d nested virtual datasets", s->in, s->path, NESTED_MOST);
  }
  if (H5Pget_virtual_count(s->list, &count) < 0) PetscCall(fare_store_failed(s->in, s->path));
  for (size_t i = 0; i < count && fits; i++) {
    const hid_t mapped = H5Pget_virtual_vspace(s->list, i);

    fits = mapped >= 0 && H5Sget_select_npoints(mapped) >= 0 ? PETSC_TRUE : PETSC_FALSE;
    if (mapped >= 0) H5Sclose(mapped);
  }
  if (fits) PetscFunctionReturn(0);
  FARE_FAIL(FARE_ERR_FAILED,
    "%s: %s is virtual with an unlimited mapping (unsupported); copy it into a plain dataset", s->in,
    s->path);
}

/* Everything that was opened for it is closed by the caller. */
static PetscErrorCode check_opened(subject *s)
{
  const hid_t  type = H5Dget_type(s->set);
  const size_t each = type < 0 ? 0 : H5Tget_size(type); /* 0 in a file that lies */
  hssize_t     elements;
  int          raw;

  PetscFunctionBegin;
  if (type >= 0) H5Tclose(type);
  s->list = H5Dget_create_plist(s->set);
  if (s->list < 0) PetscCall(fare_store_failed(s->in, s->path));
  if (H5Pget_layout(s->list) == H5D_VIRTUAL) PetscCall(refuse_unlimited(s));
  s->space = H5Dget_space(s->set);
  elements = s->space < 0 ? -1 : H5Sget_simple_extent_npoints(s->space);
  if (!each || elements < 0) PetscCall(fare_store_failed(s->in, s->path));
  if (H5Sget_simple_extent_type(s->space) == H5S_NULL)
    FARE_FAIL(FARE_ERR_FAILED, "%s: %s is empty", s->in, s->path);
  s->elements = (hsize_t)elements;
  s->bytes    = s->elements * each;
  raw         = H5Pget_external_count(s->list);
  if (!elements) PetscFunctionReturn(0);
  if (s->elements > UINT64_MAX / each)
    FARE_FAIL(FARE_ERR_FAILED, "%s: %s is larger than a file can be", s->in, s->path);
  if (H5Pget_layout(s->list) == H5D_VIRTUAL)
    PetscCall(check_virtual(s));
  else if (H5Pget_layout(s->list) == H5D_CHUNKED)
    PetscCall(check_chunks(s));
  else if (raw > 0)
    PetscCall(check_external(s, raw));
  else if (H5Dget_storage_size(s->set) < s->bytes) {
    FARE_FAIL(FARE_ERR_FAILED, "%s: %s is incomplete: not all of it was written", s->in, s->path);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode check_subject(hid_t file, const char *in, const char *path, int nested)
{
  subject        s = {.in = in, .path = path, .space = -1, .list = -1, .nested = nested};
  PetscErrorCode code;

  PetscFunctionBegin;
  H5(s.set, H5Dopen2(file, path, H5P_DEFAULT), in, path);
  if (H5Fget_name(s.set, s.home, sizeof s.home) < 0) snprintf(s.home, sizeof s.home, "%s", in);
  code = check_opened(&s);
  if (s.space >= 0) H5Sclose(s.space);
  if (s.list >= 0) H5Pclose(s.list);
  H5Dclose(s.set);
  PetscFunctionReturn(code);
}

PetscErrorCode fare_store_check_whole(fare_store *store, const char *path)
{
  PetscBool has;

  PetscFunctionBegin;
  PetscCall(fare_store_has(store, path, &has));
  if (!has) FARE_FAIL(FARE_ERR_FAILED, "%s: has no dataset %s", store->path, path);
  PetscFunctionReturn(fare_error_agree(
    store->comm, fare_is_rank_0(store->comm) ? check_subject(store->file, store->path, path, 0) : 0));
}
