/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside study: the time that a plan will take, from small pieces of its own work. */
#ifndef FARE_FORECAST_H
#define FARE_FORECAST_H

#include "study/run/study.h"

/* Processor seconds of one rank that does all, but for disk; */
typedef struct {
  double    truth, training, sampling, measures, disk;
  double    serial;  /* part of `sampling` that stays on one rank */
  PetscBool partial; /* something was left out */
} fare_forecast;

/* Tries a piece of each part, for about a second altogether. Not collective; changes nothing. */
PetscErrorCode fare_forecast_try(const fare_plan *plan, fare_forecast *forecast);

#endif
