/* SPDX-License-Identifier: BSD-2-Clause */
/* The chain at one place of a drive: its rates and energies, and forms of them. */
#include "adjoint.h"

#include <math.h>

#define POINTS 3 /* of Gauss, along each axis of a cell */

static const double offset[POINTS] = {-0.3872983346207417, 0, 0.3872983346207417};
static const double weight[POINTS] = {5. / 18, 8. / 18, 5. / 18};

/* Nothing moves but what is set; yet the operator is told what will move, and keeps the rest. */
static PetscErrorCode create_system(
  const fare_system *system, const fare_protocol *protocol, fare_system **still)
{
  const fare_parameter *row = fare_system_type_of(system)->parameters;

  PetscFunctionBegin;
  PetscCall(fare_system_create_frozen(system, protocol->time[0], still));
  for (int k = 0; k < protocol->parameters; k++)
    PetscCall(fare_system_drive_sine(*still, row[protocol->parameter[k]].name, 0, 1, 0));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_place_create(const fare_grid *grid, const fare_system *system,
  const fare_protocol *protocol, const fare_goal *goal, fare_place *place)
{
  const PetscBool    event    = goal->kind == FARE_GOAL_EVENT ? PETSC_TRUE : PETSC_FALSE;
  const fare_region *target[] = {goal->b, goal->a};
  const int          targets  = !event ? 0 : goal->a && goal->a->boxes ? 2 : 1;

  PetscFunctionBegin;
  *place = (fare_place){.grid = grid, .protocol = protocol, .owned = fare_grid_owned(grid)};
  PetscCall(create_system(system, protocol, &place->system));
  PetscCall(fare_absorbing_create(grid, place->system, 0, targets, target, &place->absorbing));
  PetscCall(PetscMalloc2(place->owned, &place->V, place->owned, &place->U));
  for (int axis = 0; axis < grid->dim; axis++)
    PetscCall(PetscMalloc2(place->owned, &place->centre[axis], place->owned, &place->point[axis]));
  for (PetscInt n = 0; n < place->owned; n++) {
    double x[FARE_DIM_MAX];

    fare_cell_centre(grid, n, x);
    for (int axis = 0; axis < grid->dim; axis++) place->centre[axis][n] = x[axis];
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_place_free(fare_place *place)
{
  PetscFunctionBegin;
  for (int axis = 0; axis < FARE_DIM_MAX; axis++)
    PetscCall(PetscFree2(place->centre[axis], place->point[axis]));
  PetscCall(PetscFree2(place->V, place->U));
  PetscCall(fare_absorbing_destroy(&place->absorbing));
  PetscCall(fare_system_destroy(&place->system));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_place_set(fare_place *place, const double value[])
{
  const fare_protocol  *protocol = place->protocol;
  const fare_parameter *row      = fare_system_type_of(place->system)->parameters;

  PetscFunctionBegin;
  for (int k = 0; k < protocol->parameters; k++)
    PetscCall(fare_system_set(place->system, row[protocol->parameter[k]].name, value[k]));
  PetscFunctionReturn(0);
}

/* One point of each cell, and what it counts. */
static void set_point(const fare_place *place, int point, double *part)
{
  const fare_grid *grid = place->grid;

  for (int axis = 0; axis < grid->dim; axis++, point /= POINTS) {
    *part *= weight[point % POINTS];
    for (PetscInt n = 0; n < place->owned; n++)
      place->point[axis][n] = place->centre[axis][n] + grid->spacing[axis] * offset[point % POINTS];
  }
}

/* Adds the part of one point of each cell to the mean of exp(-(V - V_centre)/kT). */
static void add_point(const fare_place *place, int point, double kT, double mean[])
{
  double part = 1;

  set_point(place, point, &part);
  fare_system_potential(
    place->system, 0, (size_t)place->owned, (const double *const *)place->point, place->U);
  for (PetscInt n = 0; n < place->owned; n++) mean[n] += part * exp((place->V[n] - place->U[n]) / kT);
}

/* Adds the part of one point of each cell to the mean of V. */
static void add_potential(const fare_place *place, int point, double mean[])
{
  double part = 1;

  set_point(place, point, &part);
  fare_system_potential(
    place->system, 0, (size_t)place->owned, (const double *const *)place->point, place->U);
  for (PetscInt n = 0; n < place->owned; n++) mean[n] += part * place->U[n];
}

PetscErrorCode fare_place_energies(const fare_place *place, Vec energy)
{
  const double kT     = fare_system_kT(place->system, 0);
  int          points = 1;
  PetscScalar *u;

  PetscFunctionBegin;
  for (int axis = 0; axis < place->grid->dim; axis++) points *= POINTS;
  fare_system_potential(
    place->system, 0, (size_t)place->owned, (const double *const *)place->centre, place->V);
  PetscCall(VecGetArrayWrite(energy, &u));
  for (PetscInt n = 0; n < place->owned; n++) u[n] = 0;
  for (int point = 0; point < points; point++) {
    if (place->plain)
      add_potential(place, point, u);
    else
      add_point(place, point, kT, u);
  }
  for (PetscInt n = 0; n < place->owned && !place->plain; n++) u[n] = place->V[n] / kT - log(u[n]);
  PetscCall(VecRestoreArrayWrite(energy, &u));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_form_energy(fare_place *place, const void *x, const void *y, double *sum)
{
  Vec                factor = (Vec)x, energy;
  const PetscScalar *f, *u;

  PetscFunctionBegin;
  (void)y;
  PetscCall(VecDuplicate(factor, &energy));
  PetscCall(fare_place_energies(place, energy));
  PetscCall(VecGetArrayRead(factor, &f));
  PetscCall(VecGetArrayRead(energy, &u));
  *sum = 0;
  for (PetscInt n = 0; n < place->owned; n++) *sum += f[n] * u[n];
  PetscCall(VecRestoreArrayRead(energy, &u));
  PetscCall(VecRestoreArrayRead(factor, &f));
  PetscCall(VecDestroy(&energy));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_form_rates(fare_place *place, const void *a, const void *P, double *sum)
{
  fare_absorbing    *k     = place->absorbing;
  const int          faces = 2 * place->grid->dim;
  const PetscScalar *to, *mass;
  fare_ghosts        ghosts;
  Vec                local;

  PetscFunctionBegin;
  PetscCall(fare_absorbing_move(k, 0));
  PetscCall(fare_ghosts_of(place->grid, &ghosts));
  PetscCall(fare_ghosts_get(place->grid, (Vec)a, &local, &to));
  PetscCall(VecGetArrayRead((Vec)P, &mass));
  *sum = 0;
  for (PetscInt n = 0; n < place->owned; n++) {
    PetscInt index[FARE_DIM_MAX], here;

    if (k->in[n] >= 0) continue;
    fare_cell_index(place->grid, n, index);
    here = fare_ghosts_at(&ghosts, index);
    for (int face = 0; face < faces; face++) {
      const PetscInt at    = n * faces + face;
      const double   there = k->column[at] < 0 ? 0 : to[here + (face % 2 ? 1 : -1) * ghosts.stride[face / 2]];

      if (k->leaving[at] > 0) *sum += k->leaving[at] / k->cut[at] * mass[n] * (there - to[here]);
    }
  }
  PetscCall(VecRestoreArrayRead((Vec)P, &mass));
  PetscCall(fare_ghosts_restore(place->grid, &local, &to));
  PetscFunctionReturn(0);
}
