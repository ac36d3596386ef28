/* SPDX-License-Identifier: BSD-2-Clause */
/* Keys of studies that had another name in earlier versions. They are still read, as the keys of today. */
#include "config.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* `map` is the path of the map that holds the key, with empty brackets for any index. */
static const struct {
  const char *map, *former, *now;
} former_keys[] = {
  {"truth", "ends", "boundaries"},
  {"system.expression", "extra", "nonconservative"},
  {"ensembles[]", "octaves", "frequencies"},
  {"ensembles[]", "time_octaves", "time_frequencies"},
  {"ensembles[]", "noise_octaves", "noise_frequencies"},
  {"ensembles[]", "chord_octaves", "chord_frequencies"},
  {"ensembles[]", "holdout", "validation_fraction"},
  {"ensembles[]", "tuning", "adaptation"},
};

/* Whether a path is a pattern but for the numbers in its brackets. */
static PetscBool path_matches(const char *path, const char *pattern)
{
  while (*path && *path == *pattern) {
    if (*path == '[') {
      path++;
      while (isdigit((unsigned char)*path)) path++;
      pattern++;
    } else {
      path++;
      pattern++;
    }
  }
  return !*path && !*pattern;
}

const char *fare_key_of_today(const fare_node *map, const char *key)
{
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(former_keys); i++) {
    if (!strcmp(key, former_keys[i].former) && path_matches(map->path, former_keys[i].map))
      return former_keys[i].now;
  }
  return key;
}

PetscErrorCode fare_node_rename_former_keys(fare_node *node)
{
  PetscFunctionBegin;
  for (size_t i = 0; i < node->count; i++) {
    PetscCall(fare_node_rename_former_keys(node->item[i]));
    if (node->kind == FARE_NODE_MAP) {
      const char *now  = fare_key_of_today(node, node->key[i]);
      char       *copy = NULL;

      if (now == node->key[i] || fare_node_find(node, now)) continue; /* of both the former one is unknown */
      PetscCall(fare_string_copy(now, strlen(now), &copy));
      free(node->key[i]);
      node->key[i] = copy;
    }
  }
  PetscFunctionReturn(0);
}
