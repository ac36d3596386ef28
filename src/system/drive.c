/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Where steps in time end, so that nothing that a drive does is stepped over. A waveform names its own
  corners. But a formula may make a pulse of a parameter that only rises, exp(-(s - 1)^2/0.01) of a ramp s
  for instance. So the drift at some places in the box is followed, and a stretch ends where it turns.
  Formulas of time alone need no such look: they are bounded, and have knots (formula/course.c).
*/
#include "system.h"

#include <math.h>

#define PLACES   8   /* at which drift and diffusion are followed */
#define TIMES    512 /* moments on a stretch at which they are looked at */
#define VALUES   (2 * FARE_DIM_MAX * PLACES)
#define SHORTEST 1e-6 /* of the way: what turns more often than that is noise */
#define TURN     1e-9 /* of its size, by which a value passes those at both ends to count as a turn */

/* Times closer than this are the same but for rounding. */
static double same_time(double a, double b)
{
  return 1e-13 * PetscMax(fabs(a), fabs(b));
}

/* Spread evenly over the box (powers of 1/g, g^4 = g + 1). */
static void place_points(const fare_system *system, const fare_box *box, double x[FARE_DIM_MAX][PLACES])
{
  static const double step[FARE_DIM_MAX] = {0.8191725133961645, 0.6710436067037893, 0.5497004779019703};

  for (int axis = 0; axis < fare_system_dimension(system); axis++) {
    for (int i = 0; i < PLACES; i++) {
      const double part = fmod(0.5 + step[axis] * (i + 1), 1);

      x[axis][i] = box->lower[axis] + part * (box->upper[axis] - box->lower[axis]);
    }
  }
}

/* Drift and diffusion at all places; returns how many values. */
static int look(
  const fare_system *system, const double x[FARE_DIM_MAX][PLACES], double t, double value[VALUES])
{
  const int     dim                 = fare_system_dimension(system);
  const double *at[FARE_DIM_MAX]    = {x[0], x[1], x[2]};
  double       *drift[FARE_DIM_MAX] = {value, value + PLACES, value + 2 * PLACES};
  double       *diffusion[FARE_DIM_MAX];

  for (int axis = 0; axis < dim; axis++) diffusion[axis] = value + (dim + axis) * PLACES;
  fare_system_drift(system, t, PLACES, at, drift);
  fare_system_diffusion(system, t, PLACES, at, diffusion);
  return 2 * dim * PLACES;
}

/* Parameters of the table, which a waveform moves. */
static PetscBool parameters_repeat(const fare_system *system, double t, double period)
{
  const fare_parameter *const rows                     = fare_system_type_of(system)->parameters;
  double                      now[FARE_PARAMETERS_MAX] = {0}, later[FARE_PARAMETERS_MAX] = {0};

  fare_system_parameters(system, t, now);
  fare_system_parameters(system, t + period, later);
  for (int k = 0; rows[k].name; k++) {
    if (fabs(later[k] - now[k]) > 1e-6 * PetscMax(1e-3, PetscMax(fabs(now[k]), fabs(later[k]))))
      return PETSC_FALSE;
  }
  return PETSC_TRUE;
}

PetscBool fare_system_repeats(const fare_system *system, double t, double period)
{
  const fare_box box = fare_system_box(system);
  double         x[FARE_DIM_MAX][PLACES], now[VALUES], later[VALUES], size = 1e-3;
  int            values;

  if (!parameters_repeat(system, t, period)) return PETSC_FALSE;
  if (!fare_system_drives(system, FARE_TIME)) return PETSC_TRUE;
  place_points(system, &box, x);
  values = look(system, x, t, now);
  (void)look(system, x, t + period, later);
  for (int v = 0; v < values; v++) size = PetscMax(size, fabs(now[v]));
  for (int v = 0; v < values; v++) {
    if (!(fabs(later[v] - now[v]) <= 1e-6 * size)) return PETSC_FALSE;
  }
  return PETSC_TRUE;
}

/* The first moment at which a value is beyond its values at both ends, and farthest; `to`: there is none. */
static double first_turn(const fare_system *system, const fare_box *box, double from, double to)
{
  double x[FARE_DIM_MAX][PLACES], first[VALUES], last[VALUES], now[VALUES], high[VALUES], low[VALUES];
  double turn            = to;
  int    when[2][VALUES] = {{0}}, values;

  place_points(system, box, x);
  values = look(system, x, from, first);
  (void)look(system, x, to, last);
  for (int v = 0; v < values; v++) {
    const double rim = TURN * (fabs(first[v]) + fabs(last[v]) + 1e-3);

    high[v] = PetscMax(first[v], last[v]) + rim;
    low[v]  = PetscMin(first[v], last[v]) - rim;
  }
  for (int k = 1; k < TIMES; k++) {
    (void)look(system, x, from + (to - from) * k / TIMES, now);
    for (int v = 0; v < values; v++) {
      if (now[v] > high[v]) high[v] = now[v], when[0][v] = k;
      if (now[v] < low[v]) low[v] = now[v], when[1][v] = k;
    }
  }
  for (int v = 0; v < 2 * values; v++) {
    const int k = when[v % 2][v / 2];

    if (k) turn = PetscMin(turn, from + (to - from) * k / TIMES);
  }
  return turn;
}

double fare_system_smooth_until(const fare_system *system, const fare_box *box, double from, double to)
{
  const double after = from + same_time(from, to);
  double       end   = PetscMin(fare_system_next_corner(system, after), fare_system_next_knot(system, after));

  if (!(end < to - same_time(from, to))) end = to;
  if (!fare_system_is_driven(system) || !fare_system_has_formulas(system)) return end;
  for (;;) {
    const double turn = first_turn(system, box, from, end);

    if (!(turn < end) || turn - from < SHORTEST * (to - from)) return end;
    end = turn;
  }
}
