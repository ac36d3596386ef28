/* SPDX-License-Identifier: BSD-2-Clause */
#include "system.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define FARE_SYSTEM(name) extern const fare_system_type fare_system_##name;
#include "system/library/list.h"
#undef FARE_SYSTEM

static const fare_system_type *const types[] = {
#define FARE_SYSTEM(name) &fare_system_##name,
#include "system/library/list.h"
#undef FARE_SYSTEM
};

const fare_system_type *fare_system_type_at(size_t i)
{
  return i < PETSC_STATIC_ARRAY_LENGTH(types) ? types[i] : NULL;
}

const fare_system_type *fare_system_type_find(const char *name)
{
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(types); i++) {
    if (!strcmp(types[i]->name, name)) return types[i];
  }
  return NULL;
}

int fare_system_parameter_find(const fare_system_type *type, const char *name)
{
  for (int i = 0; type->parameters[i].name; i++) {
    if (!strcmp(type->parameters[i].name, name)) return i;
  }
  return -1;
}

PetscErrorCode fare_system_create(const fare_system_type *type, int dimension, fare_system **system)
{
  PetscFunctionBegin;
  if (!dimension) dimension = type->dimension_min;
  if (dimension < type->dimension_min || dimension > type->dimension_max) {
    FARE_FAIL(FARE_ERR_INPUT, "system '%s' has %d to %d dimensions, not %d", type->name, type->dimension_min,
      type->dimension_max, dimension);
  }
  PetscCall(PetscNew(system));
  (*system)->type      = type;
  (*system)->dimension = dimension;
  for (int i = 0; type->parameters[i].name; i++) (*system)->base[i] = type->parameters[i].value;
  PetscFunctionReturn(0);
}

/* One with the same type, of which nothing else is its own. */
static PetscErrorCode create_still(const fare_system *system, fare_system **still)
{
  PetscFunctionBegin;
  PetscCall(PetscNew(still));
  (*still)->type         = system->type;
  (*still)->dimension    = system->dimension;
  (*still)->origin.rates = system->origin.rates;
  memcpy((*still)->base, system->base, sizeof system->base);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_system_create_frozen(const fare_system *system, double t, fare_system **frozen)
{
  PetscFunctionBegin;
  PetscCall(create_still(system, frozen));
  fare_system_parameters(system, t, (*frozen)->base);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_system_create_undriven(const fare_system *system, fare_system **undriven)
{
  PetscFunctionBegin;
  if (system->origin.clock.step > 0)
    FARE_FAIL(FARE_ERR_INPUT, "system '%s' is steered: it has no undriven form", system->type->name);
  if (system->course)
    FARE_FAIL(
      FARE_ERR_INPUT, "system '%s' has formulas of time: it has no undriven form", system->type->name);
  PetscCall(create_still(system, undriven));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_system_destroy(fare_system **system)
{
  PetscFunctionBegin;
  if (!*system) PetscFunctionReturn(0);
  for (int i = 0; i < (*system)->drives; i++) fare_waveform_free(&(*system)->drive[i]);
  fare_course_destroy(&(*system)->course);
  fare_origin_free(&(*system)->origin);
  PetscCall(PetscFree(*system));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_system_set(fare_system *system, const char *parameter, double value)
{
  const int             index = fare_system_parameter_find(system->type, parameter);
  const fare_parameter *row   = &system->type->parameters[index < 0 ? 0 : index];

  PetscFunctionBegin;
  if (index < 0)
    FARE_FAIL(FARE_ERR_INPUT, "system '%s' has no parameter '%s'", system->type->name, parameter);
  if (!(value >= row->min && value <= row->max))
    FARE_FAIL(FARE_ERR_INPUT, "%s = %g is outside [%g, %g]", parameter, value, row->min, row->max);
  system->base[index] = value;
  PetscFunctionReturn(0);
}

PetscErrorCode fare_system_add_drive(fare_system *system, int parameter, fare_waveform *waveform)
{
  PetscFunctionBegin;
  if (system->drives == FARE_DRIVES_MAX) {
    fare_waveform_free(waveform);
    FARE_FAIL(FARE_ERR_INPUT, "drive: at most %d waveforms", FARE_DRIVES_MAX);
  }
  system->drive[system->drives]    = *waveform;
  system->driven[system->drives++] = parameter;
  PetscFunctionReturn(0);
}

PetscErrorCode fare_system_drive_sine(
  fare_system *system, const char *parameter, double amplitude, double period, double phase)
{
  const int     index = fare_system_parameter_find(system->type, parameter);
  fare_waveform waveform;

  PetscFunctionBegin;
  if (index < 0)
    FARE_FAIL(FARE_ERR_INPUT, "system '%s' has no parameter '%s'", system->type->name, parameter);
  PetscCall(fare_waveform_sine(parameter, amplitude, period, phase, &waveform));
  PetscCall(fare_system_add_drive(system, index, &waveform));
  PetscFunctionReturn(0);
}

const char *fare_system_type_axis_name(const fare_system_type *type, int axis)
{
  static const char *const usual[] = {"x", "y", "z"};
  static char              numbered[FARE_AXES_MAX][16];

  if (type->axes[axis]) return type->axes[axis];
  if (type->dimension_max <= (int)PETSC_STATIC_ARRAY_LENGTH(usual)) return usual[axis];
  snprintf(numbered[axis], sizeof numbered[axis], "x%d", axis + 1);
  return numbered[axis];
}

const fare_system_type *fare_system_type_of(const fare_system *system)
{
  return system->type;
}

fare_box fare_system_box(const fare_system *system)
{
  const fare_system_type *type = fare_system_type_of(system);
  fare_box                box;

  memcpy(box.lower, type->lower, sizeof box.lower);
  memcpy(box.upper, type->upper, sizeof box.upper);
  memcpy(box.periodic, type->periodic, sizeof box.periodic);
  return box;
}

int fare_system_dimension(const fare_system *system)
{
  return system->dimension;
}

/* Whether functions are given the time: of formulas with t, and under control. */
static PetscBool knows_time(const fare_system *system)
{
  return system->course || system->origin.clock.step > 0 ? PETSC_TRUE : PETSC_FALSE;
}

PetscBool fare_system_is_driven(const fare_system *system)
{
  return system->drives || knows_time(system) ? PETSC_TRUE : PETSC_FALSE;
}

void fare_system_base(const fare_system *system, double theta[])
{
  memcpy(theta, system->base, sizeof system->base);
}

void fare_system_parameters(const fare_system *system, double t, double theta[])
{
  memcpy(theta, system->base, sizeof system->base);
  for (int i = 0; i < system->drives; i++) theta[system->driven[i]] += fare_waveform_at(&system->drive[i], t);
  if (knows_time(system)) theta[FARE_TIME] = t;
  for (int i = 0; i < system->drives && system->origin.rates; i++) {
    const int place = system->driven[i] - FARE_OWN;

    if (place >= 0 && place < system->origin.rates)
      theta[FARE_RATES + place] += fare_waveform_rate(&system->drive[i], t);
  }
}

double fare_system_kT(const fare_system *system, double t)
{
  double theta[FARE_PARAMETERS_MAX];

  fare_system_parameters(system, t, theta);
  return theta[FARE_KT];
}

/* The least that a function of waveforms gives. */
static double minimum(const fare_system *system, double (*of)(const fare_waveform *, double), double t)
{
  double least = HUGE_VAL;

  for (int i = 0; i < system->drives; i++) least = PetscMin(least, of(&system->drive[i], t));
  return least;
}

/* A control begins and ends at once. */
static double next_switch(const fare_system *system, double t)
{
  const fare_clock *clock = &system->origin.clock;

  return !(clock->step > 0) || t >= clock->end ? HUGE_VAL : t < clock->begin ? clock->begin : clock->end;
}

double fare_system_next_jump(const fare_system *system, double t)
{
  const double own = system->course ? fare_course_next_jump(system->course, t) : next_switch(system, t);

  return PetscMin(own, minimum(system, fare_waveform_next_jump, t));
}

double fare_system_next_corner(const fare_system *system, double t)
{
  const double own = system->course ? fare_course_next_corner(system->course, t) : next_switch(system, t);

  return PetscMin(own, minimum(system, fare_waveform_next_corner, t));
}

double fare_system_next_knot(const fare_system *system, double t)
{
  const double own = system->course ? fare_course_next_knot(system->course, t) : HUGE_VAL;

  return PetscMin(own, minimum(system, fare_waveform_next_knot, t));
}

double fare_system_longest_step(const fare_system *system, double t)
{
  const double own = next_switch(system, t) < HUGE_VAL ? system->origin.clock.step : HUGE_VAL;

  return PetscMin(own, minimum(system, fare_waveform_longest_step, t));
}

/* Between two knots, of formulas of time: about half a pulse, or the eighth part of an oscillation. */
static double shortest_stretch(const fare_system *system, double start, double end)
{
  double shortest = HUGE_VAL, from = fare_system_next_knot(system, start);

  for (double to = fare_system_next_knot(system, from); to < end;
       from = to, to = fare_system_next_knot(system, to))
    shortest = PetscMin(shortest, to - from);
  return shortest;
}

PetscErrorCode fare_system_cover(const fare_system *system, double start, double end)
{
  PetscBool driven[FARE_PARAMETERS_MAX] = {PETSC_FALSE};

  PetscFunctionBegin;
  for (int i = 0; i < system->drives; i++) {
    driven[system->driven[i]] = PETSC_TRUE;
    PetscCall(fare_waveform_cover(&system->drive[i], start, end));
  }
  if (!system->course || fare_course_covers(system->course, start, end)) PetscFunctionReturn(0);
  PetscCall(fare_expression_follow(
    system->origin.expression, system->dimension, system->base, driven, system->course));
  PetscCall(fare_course_cover(system->course, start, end));
  PetscFunctionReturn(0);
}

double fare_system_shortest_pulse(const fare_system *system, double start, double end)
{
  double shortest = HUGE_VAL, before[2] = {-HUGE_VAL, -HUGE_VAL};
  int    corners = 0;

  for (double t = fare_system_next_corner(system, start); t < end && corners++ < FARE_CORNERS_MAX;
       t        = fare_system_next_corner(system, t)) {
    const PetscBool jumps =
      fare_system_next_jump(system, before[1] > start ? before[1] : start) <= t ? PETSC_TRUE : PETSC_FALSE;

    if (t - before[1] <= 1e-12 * fabs(t)) continue; /* the same time but for rounding */
    shortest  = PetscMin(shortest, t - before[jumps ? 1 : 0]);
    before[0] = jumps ? t : before[1];
    before[1] = t;
  }
  return PetscMin(shortest, 2 * shortest_stretch(system, start, end));
}

PetscBool fare_system_has_formulas(const fare_system *system)
{
  return system->origin.library ? PETSC_TRUE : PETSC_FALSE;
}

PetscBool fare_system_drives(const fare_system *system, int parameter)
{
  for (int i = 0; i < system->drives; i++) {
    if (system->driven[i] == parameter) return PETSC_TRUE;
  }
  return parameter == FARE_TIME && knows_time(system) ? PETSC_TRUE : PETSC_FALSE;
}

PetscBool fare_system_is_gradient(const fare_system *system)
{
  const fare_system_type *type = system->type;

  return type->potential && !type->nonconservative && !type->drift ? PETSC_TRUE : PETSC_FALSE;
}

PetscBool fare_system_has_potential(const fare_system *system)
{
  return system->type->potential ? PETSC_TRUE : PETSC_FALSE;
}

const char *fare_system_axis_name(const fare_system *system, int axis)
{
  return fare_system_type_axis_name(system->type, axis);
}

void fare_system_potential(const fare_system *system, double t, size_t n, const double *const x[], double V[])
{
  double theta[FARE_PARAMETERS_MAX];

  fare_system_parameters(system, t, theta);
  system->type->potential(system->dimension, theta, n, x, V);
}

void fare_system_force(
  const fare_system *system, double t, size_t n, const double *const x[], double *const f[])
{
  double theta[FARE_PARAMETERS_MAX];

  fare_system_parameters(system, t, theta);
  system->type->force(system->dimension, theta, n, x, f);
}

void fare_system_type_drift(const fare_system_type *type, int dim, const double *theta, size_t n,
  const double *const x[], double *const f[])
{
  if (type->drift) {
    type->drift(dim, theta, n, x, f);
    return;
  }
  type->force(dim, theta, n, x, f);
  for (int axis = 0; axis < dim; axis++) {
    for (size_t i = 0; i < n; i++) f[axis][i] *= theta[FARE_MOBILITY];
  }
}

void fare_system_type_diffusion(const fare_system_type *type, int dim, const double *theta, size_t n,
  const double *const x[], double *const D[])
{
  if (type->drift) {
    type->diffusion(dim, theta, n, x, D);
    return;
  }
  for (int axis = 0; axis < dim; axis++) {
    for (size_t i = 0; i < n; i++) D[axis][i] = theta[FARE_MOBILITY] * theta[FARE_KT];
  }
}

void fare_system_drift(
  const fare_system *system, double t, size_t n, const double *const x[], double *const f[])
{
  double theta[FARE_PARAMETERS_MAX];

  fare_system_parameters(system, t, theta);
  fare_system_type_drift(system->type, system->dimension, theta, n, x, f);
}

void fare_system_diffusion(
  const fare_system *system, double t, size_t n, const double *const x[], double *const D[])
{
  double theta[FARE_PARAMETERS_MAX];

  fare_system_parameters(system, t, theta);
  fare_system_type_diffusion(system->type, system->dimension, theta, n, x, D);
}
