/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside system: what a system holds. */
#ifndef FARE_SYSTEM_PRIVATE_H
#define FARE_SYSTEM_PRIVATE_H

#include "system/plugin/plugin.h"
#include "system/formula/course.h"
#include "waveform.h"

#define FARE_DRIVES_MAX  16
#define FARE_RATES       (FARE_SELF - 8) /* place of rates of change among the values of parameters */
#define FARE_CORNERS_MAX 100000          /* of waveforms that are looked at */

struct fare_system {
  const fare_system_type *type;
  int                     dimension;
  double                  base[FARE_PARAMETERS_MAX];
  int                     drives;
  fare_waveform           drive[FARE_DRIVES_MAX];
  int                     driven[FARE_DRIVES_MAX]; /* index of the parameter */
  fare_origin             origin;                  /* of a type that is not in the library */
  fare_course            *course;                  /* of formulas with t; NULL: there are none */
};

/* FNV-1a, over more bytes; it begins with the offset. */
#define FARE_HASH_OFFSET UINT64_C(14695981039346656037)
static inline uint64_t fare_hash_on(uint64_t hash, const void *bytes, size_t n)
{
  for (size_t i = 0; i < n; i++) hash = (hash ^ ((const unsigned char *)bytes)[i]) * UINT64_C(1099511628211);
  return hash;
}
/* The place of a parameter in the table, -1 where there is none of this name. */
int fare_system_parameter_find(const fare_system_type *type, const char *name);
/* Adds a waveform, which is the system's from here on, or freed. */
PetscErrorCode fare_system_add_drive(fare_system *system, int parameter, fare_waveform *waveform);
/* The first knot of a formula of time after t; see fare_course_next_knot. */
double fare_system_next_knot(const fare_system *system, double t);
/* The usual name of an axis, or the one that the type gives it. */
const char *fare_system_type_axis_name(const fare_system_type *type, int axis);

#endif
