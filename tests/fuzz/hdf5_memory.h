/* SPDX-License-Identifier: BSD-2-Clause */
/*
  HDF5 without locks and lists of properties, which take most of the time where files are small. These stand
  before HDF5's functions of the same names; while `memory_is_on` a file is read by its driver for memory, and
  lists are not made.
*/
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* RTLD_NEXT */
#endif
#ifndef FARE_FUZZ_HDF5_MEMORY_H
#define FARE_FUZZ_HDF5_MEMORY_H

#include <dlfcn.h>
#include <hdf5.h>
#include <malloc.h>
#include <stdlib.h>

static int   memory_is_on;
static hid_t memory_list = -1;

static void *memory_behind(const char *name)
{
  void *found = dlsym(RTLD_NEXT, name);

  if (!found) abort();
  return found;
}

#define MEMORY_BEHIND(type, name, arguments) \
  static type(*behind) arguments;            \
  if (!behind) *(void **)&behind = memory_behind(#name)

hid_t H5Fopen(const char *path, unsigned flags, hid_t how)
{
  MEMORY_BEHIND(hid_t, H5Fopen, (const char *, unsigned, hid_t));
  return behind(path, flags, memory_is_on ? memory_list : how);
}

hid_t H5Pcreate(hid_t class)
{
  MEMORY_BEHIND(hid_t, H5Pcreate, (hid_t));
  return memory_is_on ? H5P_DEFAULT : behind(class);
}

herr_t H5Pset_fclose_degree(hid_t list, H5F_close_degree_t degree)
{
  MEMORY_BEHIND(herr_t, H5Pset_fclose_degree, (hid_t, H5F_close_degree_t));
  return memory_is_on ? 0 : behind(list, degree);
}

herr_t H5Pset_file_locking(hid_t list, hbool_t used, hbool_t ignored)
{
  MEMORY_BEHIND(herr_t, H5Pset_file_locking, (hid_t, hbool_t, hbool_t));
  return memory_is_on ? 0 : behind(list, used, ignored);
}

/* HDF5 takes half a megabyte whenever it opens a file; let that stay in the process. */
static inline void memory_begin(void)
{
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  memory_list = H5Pcreate(H5P_FILE_ACCESS);
  H5Pset_fapl_core(memory_list, 1 << 16, 0);
  H5Pset_fclose_degree(memory_list, H5F_CLOSE_SEMI); /* a handle that leaked makes the close fail */
}

static inline void memory_end(void)
{
  memory_is_on = 0;
}

#endif
