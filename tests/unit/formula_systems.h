/* SPDX-License-Identifier: BSD-2-Clause */
/* Systems of formulas, given as text, and the directory in which compiled ones are kept. */
#ifndef FORMULA_SYSTEMS_H
#define FORMULA_SYSTEMS_H

#include "fare_test.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char cache[] = "/tmp/fare-formulas-XXXXXX";

static inline int files_in_cache(void)
{
  DIR *directory = opendir(cache);
  int  count     = -2; /* . and .. */

  while (readdir(directory)) count++;
  closedir(directory);
  return count;
}

static inline int make_cache(void **state)
{
  (void)state;
  return !mkdtemp(cache) || setenv("FARE_CACHE", cache, 1);
}

static inline int remove_cache(void **state)
{
  DIR           *directory = opendir(cache);
  struct dirent *entry;
  char           path[512];

  (void)state;
  while ((entry = readdir(directory))) {
    snprintf(path, sizeof path, "%s/%s", cache, entry->d_name);
    if (*entry->d_name != '.') unlink(path);
  }
  closedir(directory);
  return rmdir(cache);
}

/* The node of a study given as text, and the system that comes of it. */
static inline PetscErrorCode system_of(const char *yaml, fare_config **config, fare_system **system)
{
  PetscErrorCode code = fare_config_parse("formulas.yaml", yaml, strlen(yaml), config);

  *system = NULL;
  if (!code)
    code = fare_system_from_config(fare_node_find(fare_config_root(*config), "system"),
      fare_node_find(fare_config_root(*config), "drive"), system);
  return code;
}

#endif
