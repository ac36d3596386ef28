/* SPDX-License-Identifier: BSD-2-Clause */
/* Densities that are known in closed form at every time, as evolved on two grids: L1 error and its order. */
#ifndef CLOSED_FORM_H
#define CLOSED_FORM_H

#include "fare_test.h"

#include "truth/truth.h"

#include <petscdm.h>

/* A system, what moves it, and the density that it must have from `start` to `end`. */
typedef struct {
  const fare_system_type *type;
  int                     dim;
  const char             *drives[3]; /* YAML */
  double                  lower, upper, start, end;
  PetscInt                cells;                 /* of the coarser grid; the finer has twice as many */
  double (*density)(const double x[], double t); /* up to a factor */
  /* the largest error on the finer grid; the order is met within a tenth */
  double        error, order;
  fare_boundary ends;
} closed_form;

/* Gauss and Legendre, five points of a cell in units of half its width. */
static const double node[] = {
  -0.9061798459386640, -0.5384693101056831, 0, 0.5384693101056831, 0.9061798459386640};
static const double weight[] = {
  0.2369268850561891, 0.4786286704993665, 0.5688888888888889, 0.4786286704993665, 0.2369268850561891};

static inline double cell_mass(const closed_form *c, const fare_grid *grid, const double centre[], double t)
{
  const int points = c->dim == 1 ? 5 : c->dim == 2 ? 25 : 125;
  double    sum    = 0;

  for (int q = 0; q < points; q++) {
    const int which[] = {q % 5, q / 5 % 5, q / 25};
    double    x[3], w = 1;

    for (int axis = 0; axis < c->dim; axis++) {
      x[axis] = centre[axis] + 0.5 * grid->spacing[axis] * node[which[axis]];
      w *= 0.5 * grid->spacing[axis] * weight[which[axis]];
    }
    sum += w * c->density(x, t);
  }
  return sum;
}

/* Of sum 1, unless ends absorb: then the density is known with its factor. */
static inline void exact_masses(const closed_form *c, const fare_grid *grid, double t, Vec masses)
{
  PetscScalar *mass, sum;

  assert_ok(VecGetArray(masses, &mass));
  for (PetscInt n = 0; n < grid->count[0] * grid->count[1] * grid->count[2]; n++) {
    const PetscInt at[] = {
      n % grid->count[0], n / grid->count[0] % grid->count[1], n / grid->count[0] / grid->count[1]};
    double centre[3];

    for (int axis = 0; axis < c->dim; axis++)
      centre[axis] = fare_grid_centre(grid, axis, grid->start[axis] + at[axis]);
    mass[n] = cell_mass(c, grid, centre, t);
  }
  assert_ok(VecRestoreArray(masses, &mass));
  if (c->ends == FARE_BOUNDARY_ABSORBING) return;
  assert_ok(VecSum(masses, &sum));
  assert_ok(VecScale(masses, 1 / sum));
}

static inline void drive(fare_system *system, const char *text)
{
  fare_config *config;

  assert_ok(fare_config_parse("drive", text, strlen(text), &config));
  assert_ok(fare_system_drive(system, fare_config_root(config)));
  fare_config_destroy(&config);
}

static inline fare_system *make_system(const closed_form *c)
{
  fare_system *system;

  assert_ok(fare_system_create(c->type, c->dim, &system));
  for (int i = 0; i < 3 && c->drives[i]; i++) drive(system, c->drives[i]);
  return system;
}

static inline fare_grid *make_grid(const closed_form *c, PetscInt cells)
{
  const PetscInt      n[]     = {cells, cells, cells};
  const double        lower[] = {c->lower, c->lower, c->lower}, upper[] = {c->upper, c->upper, c->upper};
  const fare_boundary ends[] = {c->ends, c->ends, c->ends};
  fare_grid          *grid;

  assert_ok(fare_grid_create(PETSC_COMM_WORLD, c->dim, n, lower, upper, ends, &grid));
  return grid;
}

/* The larger of the L1 errors halfway and at the end. */
static inline double error_on(const closed_form *c, const fare_system *system, PetscInt cells)
{
  fare_grid      *grid = make_grid(c, cells);
  fare_evolution *evolution;
  Vec             masses, exact;
  double          worst = 0;

  assert_ok(DMCreateGlobalVector(grid->dm, &masses));
  assert_ok(VecDuplicate(masses, &exact));
  exact_masses(c, grid, c->start, masses);
  assert_ok(fare_evolution_create(
    grid, system, c->start, c->dim == 1 ? 1e-9 : 1e-7, PETSC_FALSE, masses, &evolution));
  for (int half = 1; half <= 2; half++) {
    const double t = c->start + 0.5 * half * (c->end - c->start);
    PetscReal    error;

    assert_ok(fare_evolution_advance(evolution, t));
    exact_masses(c, grid, t, exact);
    assert_ok(VecAXPY(exact, -1, evolution->masses));
    assert_ok(VecNorm(exact, NORM_1, &error));
    worst = fmax(worst, error);
  }
  assert_ok(VecDestroy(&exact));
  assert_ok(fare_evolution_destroy(&evolution));
  assert_ok(fare_grid_destroy(&grid));
  return worst;
}

static inline void holds(const closed_form *c)
{
  fare_system *system = make_system(c);
  const double coarse = error_on(c, system, c->cells), fine = error_on(c, system, 2 * c->cells);

  if (getenv("FARE_TEST_SHOW"))
    fare_log("%s, %d-D: %.2e and %.2e, order %.2f", c->type->name, c->dim, coarse, fine, log2(coarse / fine));
  assert_between(fine, 0, c->error);
  assert_between(log2(coarse / fine), c->order - 0.1, c->order + 0.1);
  assert_ok(fare_system_destroy(&system));
}

#endif
