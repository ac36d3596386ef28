/* SPDX-License-Identifier: BSD-2-Clause */
/* What HDF5 says of a failure. */
#include "store.h"

#include <hdf5.h>
#include <stdio.h>

#define WHY_SIZE 512

/*
  The innermost message of HDF5's error stack, which names the cause; that of the search for a plugin is left
  out, for it says where HDF5 has looked for what it lacks. The walk goes outwards and ends with the first
  that is kept.
*/
static herr_t innermost(unsigned n, const H5E_error2_t *error, void *text)
{
  (void)n;
  if (error->maj_num == H5E_PLUGIN || !error->desc || !*error->desc) return 0;
  snprintf(text, WHY_SIZE, "%s", error->desc);
  for (char *c = text; *c; c++) *c = *c == '\n' ? ' ' : *c;
  return 1;
}

PetscErrorCode fare_store_failed(const char *path, const char *what)
{
  char why[WHY_SIZE] = "no reason given";

  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, innermost, why);
  return fare_error(FARE_ERR_FAILED, "%s: %s: %s", path, what, why);
}
