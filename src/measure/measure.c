/* SPDX-License-Identifier: BSD-2-Clause */
#include <fare/measure.h>

#include <string.h>

#define FARE_MEASURE(name) extern const fare_measure_type fare_measure_##name;
#include "list.h"
#undef FARE_MEASURE

static const fare_measure_type *const types[] = {
#define FARE_MEASURE(name) &fare_measure_##name,
#include "list.h"
#undef FARE_MEASURE
};

const fare_measure_type *fare_measure_type_at(size_t i)
{
  return i < PETSC_STATIC_ARRAY_LENGTH(types) ? types[i] : NULL;
}

const fare_measure_type *fare_measure_type_find(const char *name)
{
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(types); i++) {
    if (!strcmp(types[i]->name, name)) return types[i];
  }
  return NULL;
}

void fare_measure_type_describe(const fare_measure_type *type, FILE *to)
{
  fprintf(
    to, "measure %s: %s\n%s\nunit: %s\ndimensions: ", type->name, type->summary, type->reference, type->unit);
  if (type->dimension_max)
    fprintf(to, "at most %d\n", type->dimension_max);
  else
    fprintf(to, "any\n");
  fprintf(to, "\n%s\n", type->definition);
}
