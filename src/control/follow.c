/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The best drive run as any study runs it: as a tabulated waveform, with the truth's own time method, which
  has steps of its own and shares nothing with the search. Work comes from the thermodynamics of the truth, an
  event from the committor of a driven system, means and divergences from the density at the end.
*/
#include "control.h"

#include <fare/evolution.h>
#include <fare/thermo.h>

#include <math.h>

/* As the section `drive` of the plan drives it. */
static PetscErrorCode drive_alike(const fare_system *system, fare_system *driven)
{
  const fare_node *list;
  fare_config     *config;
  fare_text        text = {0};

  PetscFunctionBegin;
  if (!fare_system_is_driven(system)) PetscFunctionReturn(0);
  fare_system_write(system, &text);
  PetscCall(fare_config_parse("the plan", text.text, text.length, &config));
  fare_text_free(&text);
  list = fare_node_find(fare_config_root(config), "drive");
  for (size_t i = 0; i < fare_node_size(list); i++)
    PetscCall(fare_system_drive(driven, fare_node_item(list, i)));
  fare_config_destroy(&config);
  PetscFunctionReturn(0);
}

static PetscErrorCode create_driven(
  const fare_control_line *line, const fare_control_result *r, fare_system **driven)
{
  const fare_node *list;
  fare_config     *config;
  fare_text        text = {0};

  PetscFunctionBegin;
  fare_control_write_drive(r, &text);
  PetscCall(fare_config_parse("the best drive", text.text, text.length, &config));
  fare_text_free(&text);
  PetscCall(fare_system_create_undriven(line->system, driven));
  list = fare_node_find(fare_config_root(config), "drive");
  for (size_t i = 0; i < fare_node_size(list); i++)
    PetscCall(fare_system_drive(*driven, fare_node_item(list, i)));
  fare_config_destroy(&config);
  PetscCall(drive_alike(line->system, *driven));
  PetscCall(fare_system_check(*driven, 0, line->duration));
  PetscFunctionReturn(0);
}

/* Keeps the density at a knot, of one axis: whole on every rank. */
static PetscErrorCode keep(const fare_grid *grid, Vec masses, int knot, fare_control_result *r)
{
  const PetscScalar *mass;
  VecScatter         scatter;
  Vec                all;

  PetscFunctionBegin;
  if (grid->dim > 1) PetscFunctionReturn(0);
  if (!r->density) {
    r->cells = grid->cells[0];
    r->lower = grid->lower[0];
    r->upper = grid->upper[0];
    PetscCall(PetscCalloc1((size_t)(r->knots * r->cells), &r->density));
  }
  PetscCall(VecScatterCreateToAll(masses, &scatter, &all));
  PetscCall(VecScatterBegin(scatter, masses, all, INSERT_VALUES, SCATTER_FORWARD));
  PetscCall(VecScatterEnd(scatter, masses, all, INSERT_VALUES, SCATTER_FORWARD));
  PetscCall(VecScatterDestroy(&scatter));
  PetscCall(VecGetArrayRead(all, &mass));
  for (PetscInt i = 0; i < r->cells; i++) r->density[knot * r->cells + i] = mass[i] / grid->spacing[0];
  PetscCall(VecRestoreArrayRead(all, &mass));
  PetscCall(VecDestroy(&all));
  PetscFunctionReturn(0);
}

/* A truth on this grid, and its thermodynamics, from knot to knot. */
static PetscErrorCode follow_work(
  const fare_control_line *line, const fare_grid *grid, fare_system *driven, fare_control_result *r)
{
  static const fare_initial boltzmann = {.density = FARE_INITIAL_BOLTZMANN};
  fare_truth_options        options   = *line->truth;
  PetscInt64                cells[FARE_DIM_MAX], boundary[FARE_DIM_MAX];
  double                    lower[FARE_DIM_MAX], upper[FARE_DIM_MAX];
  const size_t              dim = (size_t)grid->dim;
  fare_thermo_options       count;
  fare_thermo              *thermo;
  fare_truth               *truth;

  PetscFunctionBegin;
  for (int axis = 0; axis < grid->dim; axis++) {
    cells[axis]    = grid->cells[axis];
    boundary[axis] = grid->boundary[axis];
    lower[axis]    = grid->lower[axis];
    upper[axis]    = grid->upper[axis];
  }
  options.cells       = (fare_integers){dim, cells};
  options.boundaries  = (fare_integers){dim, boundary};
  options.lower       = (fare_reals){dim, lower};
  options.upper       = (fare_reals){dim, upper};
  options.accuracy    = 0;
  options.fit_domain  = PETSC_FALSE;
  options.estimate    = PETSC_FALSE;
  options.extrapolate = PETSC_FALSE;
  options.scheme      = FARE_SCHEME_FITTED;
  PetscCall(fare_thermo_options_from_config(NULL, driven, &options, &count));
  PetscCall(fare_truth_create(grid->comm, driven, &boltzmann, 0, &options, &truth));
  PetscCall(fare_thermo_create(truth, driven, &count, &thermo));
  PetscCall(keep(grid, fare_truth_masses(truth), 0, r));
  for (int k = 1; k < r->knots; k++) {
    PetscCall(fare_thermo_advance(thermo, r->time[k]));
    PetscCall(keep(grid, fare_truth_masses(truth), k, r));
  }
  r->checked = fare_thermo_rows(thermo)[fare_thermo_count(thermo) - 1].dissipated_work;
  PetscCall(fare_thermo_destroy(&thermo));
  PetscCall(fare_truth_destroy(&truth));
  PetscFunctionReturn(0);
}

static PetscErrorCode follow_event(const fare_control_line *line, const fare_grid *grid, fare_system *driven,
  Vec start, fare_control_result *r)
{
  const double enough = 1e-4, start_time = 0;
  fare_span    span = {0, line->duration, FARE_AFTER_OVER, PetscMax(1e-11, enough * r->optimum)};
  fare_driven  how;
  Vec          committor;

  PetscFunctionBegin;
  PetscCall(fare_driven_committor_solve(
    grid, driven, &span, &line->event->a, &line->event->b, 1, &start_time, &committor, &how));
  PetscCall(VecDot(committor, start, &r->checked));
  PetscCall(VecDestroy(&committor));
  PetscFunctionReturn(0);
}

/* sum P ln(P/target) of positive P. */
static PetscErrorCode diverge(const fare_grid *grid, Vec masses, Vec target, double *sum)
{
  const PetscScalar *p, *q;

  PetscFunctionBegin;
  *sum = 0;
  PetscCall(VecGetArrayRead(masses, &p));
  PetscCall(VecGetArrayRead(target, &q));
  for (PetscInt n = 0; n < fare_grid_owned(grid); n++) *sum += p[n] > 0 ? p[n] * log(p[n] / q[n]) : 0;
  PetscCall(VecRestoreArrayRead(target, &q));
  PetscCall(VecRestoreArrayRead(masses, &p));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, sum, 1, MPI_DOUBLE, MPI_SUM, grid->comm));
  PetscFunctionReturn(0);
}

static PetscErrorCode follow_density(const fare_control_line *line, const fare_grid *grid,
  fare_system *driven, Vec start, Vec field, fare_control_result *r)
{
  fare_evolution *evolution;
  Vec             masses;

  PetscFunctionBegin;
  if (start) {
    PetscCall(VecDuplicate(start, &masses));
    PetscCall(VecCopy(start, masses));
  } else {
    PetscCall(fare_grid_boltzmann(grid, driven, 0, &masses));
  }
  PetscCall(fare_evolution_create(grid, driven, 0, line->truth->tolerance, PETSC_FALSE, masses, &evolution));
  PetscCall(keep(grid, fare_evolution_masses(evolution), 0, r));
  for (int k = 1; k < r->knots; k++) {
    PetscCall(fare_evolution_advance(evolution, r->time[k]));
    PetscCall(keep(grid, fare_evolution_masses(evolution), k, r));
  }
  masses = fare_evolution_masses(evolution);
  if (line->aim == FARE_AIM_REACH)
    PetscCall(diverge(grid, masses, field, &r->checked));
  else
    PetscCall(VecDot(field, masses, &r->checked));
  PetscCall(fare_evolution_destroy(&evolution));
  PetscFunctionReturn(0);
}

/* Of the least and the largest kT of a cycle. */
static double carnot_of(const fare_control_problem *problem)
{
  const fare_protocol *protocol = &problem->protocol;
  double               least = HUGE_VAL, most = 0;
  int                  k = 0;

  while (protocol->parameter[k] != FARE_KT) k++;
  for (PetscInt i = 1; i < protocol->places - 1; i++) {
    least = PetscMin(least, problem->place[i * protocol->parameters + k]);
    most  = PetscMax(most, problem->place[i * protocol->parameters + k]);
  }
  return 1 - least / most;
}

static PetscErrorCode follow_cycle(
  const fare_control_line *line, const fare_grid *grid, fare_system *driven, fare_control_result *r)
{
  const PetscInt panels = 4 * (PetscInt)(line->knots - 1);
  fare_cycle     cycle;

  PetscFunctionBegin;
  PetscCall(fare_periodic_energy(grid, driven, 0, line->duration, line->truth->tolerance, panels, &cycle));
  r->checked    = cycle.heat / line->duration;
  r->efficiency = cycle.heat_hot > 0 ? cycle.heat / cycle.heat_hot : NAN;
  PetscFunctionReturn(0);
}

PetscErrorCode fare_control_follow(const fare_control_line *line, const fare_grid *grid,
  const fare_control_problem *problem, fare_control_result *r)
{
  fare_system *driven;

  PetscFunctionBegin;
  if (line->aim == FARE_AIM_MOST_POWER) r->carnot = carnot_of(problem);
  PetscCall(create_driven(line, r, &driven));
  if (fare_aim_is_work(line->aim))
    PetscCall(follow_work(line, grid, driven, r));
  else if (line->aim == FARE_AIM_MOST_POWER)
    PetscCall(follow_cycle(line, grid, driven, r));
  else if (line->event)
    PetscCall(follow_event(line, grid, driven, problem->start, r));
  else
    PetscCall(follow_density(line, grid, driven, problem->start, problem->goal.field, r));
  PetscCall(fare_system_destroy(&driven));
  PetscFunctionReturn(0);
}
