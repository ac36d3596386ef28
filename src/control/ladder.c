/* SPDX-License-Identifier: BSD-2-Clause */
/* Drives that the best one is compared with, and that the search may begin from. */
#include "control.h"

#include <fare/friction.h>

#include <math.h>

/* What a drive is at a time between 0 and 1. */
typedef double (*shape)(const fare_control_line *line, const fare_control_drive *drive, double t);

static double at_once(const fare_control_line *line, const fare_control_drive *drive, double t)
{
  (void)line, (void)t;
  return drive->to;
}

static double even(const fare_control_line *line, const fare_control_drive *drive, double t)
{
  (void)line;
  return drive->from + (drive->to - drive->from) * t;
}

static double still(const fare_control_line *line, const fare_control_drive *drive, double t)
{
  (void)line, (void)t;
  return drive->from;
}

static double up(const fare_control_line *line, const fare_control_drive *drive, double t)
{
  (void)line, (void)t;
  return drive->base + 1;
}

static double down(const fare_control_line *line, const fare_control_drive *drive, double t)
{
  (void)line, (void)t;
  return drive->base - 1;
}

static double sine(const fare_control_line *line, const fare_control_drive *drive, double t)
{
  (void)line;
  return drive->base + sin(2 * M_PI * t);
}

static double lowest(const fare_control_line *line, const fare_control_drive *drive, double t)
{
  (void)line, (void)t;
  return drive->lower;
}

static double highest(const fare_control_line *line, const fare_control_drive *drive, double t)
{
  (void)line, (void)t;
  return drive->upper;
}

PetscBool fare_control_is_feasible(const fare_control_line *line, const double knot[])
{
  const double rounding = 1e-9;
  const int    size     = line->points * line->drives;

  for (int i = 0; i < size; i++) {
    const fare_control_drive *drive = &line->drive[i % line->drives];
    const double              edge  = rounding * PetscMax(1, fabs(knot[i]));

    if (knot[i] < drive->lower - edge || knot[i] > drive->upper + edge) return PETSC_FALSE;
    if (line->jumps) continue;
    if (i < line->drives && fabs(knot[i] - drive->from) > edge) return PETSC_FALSE;
    if (i >= size - line->drives && fabs(knot[i] - drive->to) > edge) return PETSC_FALSE;
  }
  return fare_control_energy(line, knot, NULL) <= line->energy * (1 + rounding) ? PETSC_TRUE : PETSC_FALSE;
}

PetscBool fare_control_is_possible(const fare_control_line *line, const double knot[])
{
  const fare_parameter *table = fare_system_type_of(line->system)->parameters;

  for (int i = 0; i < line->points * line->drives; i++) {
    const fare_parameter *row = &table[line->drive[i % line->drives].parameter];

    if (!(knot[i] >= row->min && knot[i] <= row->max)) return PETSC_FALSE;
  }
  return PETSC_TRUE;
}

/* Adds a drive of that shape; scaled to the energy of the line where `scaled`. */
static PetscErrorCode add(
  const fare_control_line *line, const char *name, shape of, PetscBool scaled, fare_control_ladder *ladder)
{
  const int knots = line->points;
  double   *knot;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1((size_t)(knots * line->drives), &knot));
  for (int k = 0; k < knots; k++) {
    for (int d = 0; d < line->drives; d++)
      knot[k * line->drives + d] = of(line, &line->drive[d], line->at[k] / line->duration);
  }
  if (scaled) (void)fare_control_scale(line, knot);
  ladder->rung[ladder->count].name       = name;
  ladder->rung[ladder->count].knot       = knot;
  ladder->rung[ladder->count++].feasible = fare_control_is_feasible(line, knot);
  PetscFunctionReturn(0);
}

/* Parameters that move, between their ends and a little beyond where there are several. */
static void write_task(const fare_control_line *line, fare_geodesic_task *task, int of[])
{
  const double beyond = 0.1;
  int          moving = 0;

  *task = (fare_geodesic_task){.points = line->points};
  for (int d = 0; d < line->drives; d++) {
    const fare_control_drive *drive = &line->drive[d];
    const double              more  = beyond * fabs(drive->to - drive->from);

    if (drive->from == drive->to) continue;
    if (moving < FARE_FRICTION_MAX) {
      task->parameter[moving] = drive->parameter;
      task->from[moving]      = drive->from;
      task->to[moving]        = drive->to;
      task->lower[moving]     = PetscMax(drive->lower, PetscMin(drive->from, drive->to) - more);
      task->upper[moving]     = PetscMin(drive->upper, PetscMax(drive->from, drive->to) + more);
      of[moving]              = d;
    }
    moving++;
  }
  task->parameters = moving;
  task->nodes      = moving == 1 ? 17 : 9;
}

/* Best for slow drives, by the friction tensor; not there where that is not. */
static PetscErrorCode add_geodesic(
  const fare_control_line *line, const fare_grid *grid, fare_control_ladder *ladder)
{
  int                of[FARE_FRICTION_MAX] = {0};
  fare_geodesic_task task;
  fare_geodesic      geodesic = {0};
  fare_system       *before;
  PetscErrorCode     code = 0;

  PetscFunctionBegin;
  write_task(line, &task, of);
  if (task.parameters > FARE_FRICTION_MAX) PetscFunctionReturn(0);
  PetscCall(fare_control_system(line, PETSC_FALSE, &before));
  code = fare_geodesic_solve(grid, before, 0, &task, &geodesic);
  PetscCall(fare_system_destroy(&before));
  if (!code) {
    PetscCall(add(line, "geodesic", still, PETSC_FALSE, ladder));
    for (int i = 0; i < task.points * task.parameters; i++)
      ladder->rung[ladder->count - 1].knot[i / task.parameters * line->drives + of[i % task.parameters]] =
        geodesic.value[i];
    ladder->rung[ladder->count - 1].feasible =
      fare_control_is_feasible(line, ladder->rung[ladder->count - 1].knot);
  }
  fare_geodesic_free(&geodesic);
  PetscFunctionReturn(code == FARE_ERR_INPUT || code == FARE_ERR_FAILED ? 0 : code);
}

PetscErrorCode fare_control_ladder_create(
  const fare_control_line *line, const fare_grid *grid, fare_control_ladder *ladder)
{
  PetscBool moves = PETSC_FALSE, bounded = PETSC_TRUE;

  PetscFunctionBegin;
  *ladder = (fare_control_ladder){0};
  for (int d = 0; d < line->drives; d++) {
    moves |= line->drive[d].from != line->drive[d].to;
    bounded &= line->drive[d].limited;
  }
  if (!fare_aim_is_work(line->aim)) PetscCall(add(line, "none", still, PETSC_FALSE, ladder));
  if (moves) PetscCall(add(line, "switch", at_once, PETSC_FALSE, ladder));
  if (moves) PetscCall(add(line, "linear", even, PETSC_FALSE, ladder));
  if (fare_aim_is_work(line->aim)) PetscCall(add_geodesic(line, grid, ladder));
  if (line->energy < FARE_CONTROL_OWN) {
    PetscCall(add(line, "constant_up", up, PETSC_TRUE, ladder));
    PetscCall(add(line, "constant_down", down, PETSC_TRUE, ladder));
    PetscCall(add(line, "sine", sine, PETSC_TRUE, ladder));
  } else if (!fare_aim_is_work(line->aim) && bounded) {
    PetscCall(add(line, "lowest", lowest, PETSC_FALSE, ladder));
    PetscCall(add(line, "highest", highest, PETSC_FALSE, ladder));
  }
  PetscFunctionReturn(0);
}

void fare_control_ladder_free(fare_control_ladder *ladder)
{
  for (int i = 0; i < ladder->count; i++) (void)PetscFree(ladder->rung[i].knot);
  *ladder = (fare_control_ladder){0};
}
