/* SPDX-License-Identifier: BSD-2-Clause */
/* The list of methods. */
#include "infer.h"

#define FARE_INFER(name) extern const fare_infer_type fare_infer_##name;
#include "list.h"
#undef FARE_INFER

static const fare_infer_type *const types[] = {
#define FARE_INFER(name) &fare_infer_##name,
#include "list.h"
#undef FARE_INFER
};
#define TYPES PETSC_STATIC_ARRAY_LENGTH(types)

const char *fare_infer_name_at(size_t i)
{
  return i < TYPES ? types[i]->name : NULL;
}

const char *fare_infer_summary_at(size_t i)
{
  return i < TYPES ? types[i]->summary : NULL;
}

const fare_infer_type *fare_infer_type_at(size_t i)
{
  return i < TYPES ? types[i] : NULL;
}
