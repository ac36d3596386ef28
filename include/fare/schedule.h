/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
  schedule: when snapshots are taken.
*/
#ifndef FARE_SCHEDULE_H
#define FARE_SCHEDULE_H

#include <fare/config.h>

/** `count` equidistant times from `start` to `end`. */
typedef struct {
  double     start; /**< time of the first snapshot */
  double     end;   /**< time of the last one */
  PetscInt64 count; /**< number of snapshots, 2 or more */
} fare_schedule;

/** Keys of the plan's `snapshots:` section. */
extern const fare_field fare_schedule_fields[];

/**
  Time of a snapshot; computed from its index, so that rounding errors do not add up. Not collective.
  @param schedule the times
  @param index    from 0 to count - 1
  @return (1 - s) start + s end with s = index/(count - 1)
*/
double fare_schedule_time(const fare_schedule *schedule, PetscInt64 index);

#endif
