/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside control: a line of the section. */
#ifndef FARE_CONTROL_PRIVATE_H
#define FARE_CONTROL_PRIVATE_H

#include <fare/control.h>

typedef struct {
  char              *name, *parameter_name;
  int                aim, parameter; /* its place in the system's table */
  double             from, to, duration, lower, upper;
  PetscInt64         knots, steps;
  PetscBool          jumps;
  const fare_system *system;
} fare_control_line;

/* Finds the best drive of a line. result has its names already. Collective. */
PetscErrorCode fare_control_optimise(
  const fare_control_line *line, const fare_grid *grid, fare_control_result *result);

#endif
