/* SPDX-License-Identifier: BSD-2-Clause */
/* When snapshots are taken. */
#include <fare/schedule.h>

const fare_field fare_schedule_fields[] = {
  {"start", FARE_REAL, offsetof(fare_schedule, start), "0", -1e12, 1e12, NULL, "time",
    "time of the first snapshot, the initial time"},
  {"end", FARE_REAL, offsetof(fare_schedule, end), NULL, -1e12, 1e12, NULL, "time",
    "time of the last snapshot"},
  {"count", FARE_INTEGER, offsetof(fare_schedule, count), NULL, 2, 1e6, NULL, "",
    "number of snapshots, evenly spaced, both ends included"},
  FARE_FIELDS_END,
};

double fare_schedule_time(const fare_schedule *schedule, PetscInt64 index)
{
  const double fraction = (double)index / (double)(schedule->count - 1);

  return (1 - fraction) * schedule->start + fraction * schedule->end;
}
