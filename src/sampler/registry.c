/* SPDX-License-Identifier: BSD-2-Clause */
/* Every sampler by its name. */
#include <fare/sampler.h>

#include <string.h>

#define FARE_SAMPLER(name) extern const fare_sampler_type fare_sampler_##name;
#include "list.h"
#undef FARE_SAMPLER

static const fare_sampler_type *const types[] = {
#define FARE_SAMPLER(name) &fare_sampler_##name,
#include "list.h"
#undef FARE_SAMPLER
};

const fare_sampler_type *fare_sampler_type_at(size_t i)
{
  return i < PETSC_STATIC_ARRAY_LENGTH(types) ? types[i] : NULL;
}

const fare_sampler_type *fare_sampler_type_find(const char *name)
{
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(types); i++) {
    if (!strcmp(types[i]->name, name)) return types[i];
  }
  return NULL;
}
