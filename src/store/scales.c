/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Labels of axes, as dimension scales of HDF5 (its specification "HDF5 Dimension Scale Specification").
  netCDF, and so xarray, takes a scale in the same group for the coordinate of an axis.
*/
#include "store.h"

#include <hdf5_hl.h>
#include <stdio.h>
#include <string.h>

static void beside(const char *path, const char *name, size_t size, char to[])
{
  const char *slash = strrchr(path, '/');

  snprintf(to, size, "%.*s/%s", slash ? (int)(slash - path) : 0, path, name);
}

/* Makes `scale` one where it is none yet, and attaches it. */
static PetscErrorCode attach(fare_store *store, const char *path, int axis, hid_t scale, const char *name)
{
  hid_t  dataset;
  herr_t status = 0;

  PetscFunctionBegin;
  H5(dataset, H5Dopen2(store->file, path, H5P_DEFAULT), store->path, path);
  if (H5DSis_scale(scale) <= 0) status = H5DSset_scale(scale, name);
  if (status >= 0) status = H5DSattach_scale(dataset, scale, (unsigned)axis);
  if (status >= 0) status = H5DSset_label(dataset, (unsigned)axis, name);
  H5Dclose(dataset);
  if (status < 0) PetscCall(fare_store_failed(store->path, path));
  PetscFunctionReturn(0);
}

static uint64_t length_of(hid_t scale)
{
  const hid_t    space  = H5Dget_space(scale);
  const hssize_t points = H5Sget_simple_extent_npoints(space);

  H5Sclose(space);
  return points > 0 ? (uint64_t)points : 0;
}

PetscErrorCode fare_store_label(
  fare_store *store, const char *path, int axis, const char *name, uint64_t count, const double values[])
{
  char           label[PETSC_MAX_PATH_LEN];
  PetscBool      has;
  hid_t          scale;
  PetscErrorCode code = 0;

  PetscFunctionBegin;
  beside(path, name, sizeof label, label);
  PetscCall(fare_store_has(store, label, &has));
  if (!has) PetscCall(fare_store_write_array(store, label, FARE_STORE_FLOAT64, 1, &count, values));
  H5(scale, H5Oopen(store->file, label, H5P_DEFAULT), store->path, label);
  /* an ensemble, or another axis, may have that name */
  if (H5Iget_type(scale) == H5I_DATASET && (!has || (H5DSis_scale(scale) > 0 && length_of(scale) == count)))
    code = attach(store, path, axis, scale, name);
  H5Oclose(scale);
  PetscFunctionReturn(code);
}

PetscErrorCode fare_store_is_label(fare_store *store, const char *path, PetscBool *is_label)
{
  PetscBool has;
  hid_t     dataset = -1;

  PetscFunctionBegin;
  PetscCall(fare_store_has(store, path, &has));
  if (has) dataset = H5Dopen2(store->file, path, H5P_DEFAULT);
  *is_label = dataset >= 0 && H5DSis_scale(dataset) > 0 ? PETSC_TRUE : PETSC_FALSE;
  if (dataset >= 0) H5Dclose(dataset);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_store_link(fare_store *store, const char *path, const char *name)
{
  PetscFunctionBegin;
  if (H5Lcreate_hard(store->file, path, store->file, name, H5P_DEFAULT, H5P_DEFAULT) < 0)
    PetscCall(fare_store_failed(store->path, name));
  PetscFunctionReturn(0);
}
