/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The potential that lets a density follow Boltzmann's, whatever the speed of a parameter l. Its gradient must
  give the velocity v of div (pi v) = -d pi/dl dl/dt, which is v = mobility kT grad phi dl/dt with L^T phi =
  -d ln pi/dl, and d ln pi/dl = X/kT with X = -dV/dl less its mean. So phi is the response to X over kT, and
  the potential is -kT phi dl/dt. Where cells can be made twice as wide, phi is extrapolated from both grids.
*/
#include "response.h"

#include <petscdmda.h>

#include <math.h>
#include <stdlib.h>

#define LEAST 8    /* cells of the wider grid per axis */
#define SMALL 1e-2 /* the last polynomials in the parameter, relative to the largest */

typedef struct {
  const fare_node *name;
  double           from, to;
  PetscInt64       nodes;
  int              parameter;
} counterdiabatic;

#define AT(member) offsetof(counterdiabatic, member)
static const fare_field fields[] = {
  {"parameter", FARE_NODE, AT(name), NULL, 0, 0, NULL, "", "that will move"},
  {"from", FARE_REAL, AT(from), NULL, -1e9, 1e9, NULL, "", "one end of the values that it will take"},
  {"to", FARE_REAL, AT(to), NULL, -1e9, 1e9, NULL, "", "the other"},
  {"nodes", FARE_INTEGER, AT(nodes), "17", 5, FARE_CHEBYSHEV_MAX, NULL, "",
    "values of it at which the potential is found, odd"},
  FARE_FIELDS_END,
};

static PetscErrorCode check(
  void *state, const fare_node *node, const fare_analysis_context *context, double time)
{
  counterdiabatic      *s = state;
  const fare_parameter *row;

  PetscFunctionBegin;
  PetscCall(fare_response_check(node, context));
  PetscCall(fare_response_parameter(s->name, context->system, &s->parameter));
  row = &fare_system_type_of(context->system)->parameters[s->parameter];
  for (int end = 0; end < 2; end++) {
    const double value = end ? s->to : s->from;

    if (!(value >= row->min && value <= row->max))
      FARE_REFUSE(fare_node_find(node, end ? "to" : "from"), "%s = %g is outside its range, [%g, %g]",
        row->name, value, row->min, row->max);
    PetscCall(fare_response_check_rings(s->name, context->system, time, 1, &s->parameter, &value));
  }
  if (s->from == s->to)
    FARE_REFUSE(fare_node_find(node, "to"), "the parameter must end elsewhere than it begins");
  if (s->nodes % 2 == 0)
    FARE_REFUSE(fare_node_find(node, "nodes"), "expected an odd number, got %lld", (long long)s->nodes);
  PetscFunctionReturn(0);
}

/* The grid of cells twice as wide; NULL where there is none. */
static PetscErrorCode create_wider(const fare_grid *grid, fare_grid **wider)
{
  PetscInt    cells[FARE_DIM_MAX];
  PetscMPIInt ranks;

  PetscFunctionBegin;
  *wider = NULL;
  PetscCallMPI(MPI_Comm_size(grid->comm, &ranks));
  for (int axis = 0; axis < grid->dim; axis++) {
    if (grid->cells[axis] % 2 || grid->cells[axis] / 2 < PetscMax(LEAST, ranks)) PetscFunctionReturn(0);
    cells[axis] = grid->cells[axis] / 2;
  }
  PetscCall(fare_grid_create(grid->comm, grid->dim, cells, grid->lower, grid->upper, grid->boundary, wider));
  PetscFunctionReturn(0);
}

/* All values of a field at the centres of the cells of another grid. */
static PetscErrorCode carry(const fare_grid *from, Vec field, const fare_grid *to, size_t all, double value[])
{
  const fare_held held = {0};
  double         *x;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(all * (size_t)to->dim, &x));
  for (size_t i = 0; i < all; i++) {
    size_t rest = i;

    for (int axis = 0; axis < to->dim; axis++, rest /= (size_t)to->cells[axis - 1])
      x[i * (size_t)to->dim + (size_t)axis] =
        fare_grid_centre(to, axis, (PetscInt)(rest % (size_t)to->cells[axis]));
  }
  PetscCall(fare_interpolate(from, &held, field, all, x, value, NULL));
  PetscCall(PetscFree(x));
  PetscFunctionReturn(0);
}

/* phi of all cells, at one value; by both grids where there is a wider one. And the friction. */
static PetscErrorCode find_phi(const counterdiabatic *s, const fare_grid *grid, const fare_grid *wider,
  const fare_system *system, double time, double l, size_t all, double phi[], double *friction,
  double *residual)
{
  fare_response r;
  double       *other;

  PetscFunctionBegin;
  PetscCall(fare_response_solve(grid, system, time, 1, &s->parameter, &l, &r));
  PetscCall(fare_response_friction(&r, friction));
  PetscCall(VecScale(r.phi[0], 1 / r.kT));
  if (phi) PetscCall(fare_grid_gather(grid, r.phi[0], phi));
  *residual = PetscMax(*residual, r.residual);
  PetscCall(fare_response_free(&r));
  if (!phi || !wider) PetscFunctionReturn(0);
  PetscCall(PetscMalloc1(all, &other));
  PetscCall(fare_response_solve(wider, system, time, 1, &s->parameter, &l, &r));
  PetscCall(VecScale(r.phi[0], 1 / r.kT));
  PetscCall(carry(wider, r.phi[0], grid, all, other));
  for (size_t i = 0; i < all; i++) phi[i] += (phi[i] - other[i]) / 3;
  PetscCall(fare_response_free(&r));
  PetscCall(PetscFree(other));
  PetscFunctionReturn(0);
}

static void keep_list(
  fare_findings *found, const char *name, const char *meaning, int count, const double v[])
{
  fare_found_exact(found, name, meaning, (size_t)count, 1, v)->curve = PETSC_TRUE;
}

/* What tells the system of this field from others: its parameters, and V at the centres of cells. */
static PetscErrorCode keep_system(const counterdiabatic *s, const fare_grid *grid, const fare_system *system,
  double time, fare_findings *found)
{
  const fare_parameter *row = fare_system_type_of(system)->parameters;
  const size_t          all = (size_t)grid->cells[0] * (size_t)grid->cells[1] * (size_t)grid->cells[2];
  double                theta[FARE_PARAMETERS_MAX], *value;
  int                   count = 0;
  fare_system          *frozen;
  Vec                   V;

  PetscFunctionBegin;
  PetscCall(fare_system_create_frozen(system, time, &frozen));
  PetscCall(fare_system_set(frozen, row[s->parameter].name, s->from));
  fare_system_parameters(frozen, 0, theta);
  while (row[count].name) count++;
  keep_list(found, "parameters", "of the system, in the order of its table", count, theta);
  PetscCall(DMCreateGlobalVector(grid->dm, &V));
  PetscCall(fare_potential_at_centres(grid, frozen, 0, V));
  PetscCall(PetscMalloc1(all, &value));
  PetscCall(fare_grid_gather(grid, V, value));
  keep_list(found, "potential", "of these parameters, at centres of cells", (int)all, value);
  PetscCall(PetscFree(value));
  PetscCall(VecDestroy(&V));
  PetscCall(fare_system_destroy(&frozen));
  PetscFunctionReturn(0);
}

/* Of Chebyshev polynomials in l, and the grid that it is on. Takes values at the nodes, and changes them. */
static void keep_field(const counterdiabatic *s, const fare_grid *grid, const fare_system *system, size_t all,
  double phi[], fare_findings *found)
{
  const double range[] = {PetscMin(s->from, s->to), PetscMax(s->from, s->to)};
  double       cells[FARE_DIM_MAX], periodic[FARE_DIM_MAX], most = 0, last = 0;
  char         name[96];

  for (size_t i = 0; i < all; i++) fare_chebyshev_transform((int)s->nodes, all, phi + i);
  for (size_t i = 0; i < (size_t)s->nodes * all; i++) {
    most = PetscMax(most, fabs(phi[i]));
    if (i / all >= (size_t)s->nodes - 2) last = PetscMax(last, fabs(phi[i]));
  }
  for (int axis = 0; axis < grid->dim; axis++) {
    cells[axis]    = (double)grid->cells[axis];
    periodic[axis] = grid->boundary[axis] == FARE_BOUNDARY_PERIODIC;
  }
  snprintf(name, sizeof name, "field_%.40s", fare_system_type_of(system)->parameters[s->parameter].name);
  fare_found_exact(found, name,
    "phi at centres of cells, by Chebyshev polynomials in the parameter: the potential is -kT phi times its "
    "rate",
    (size_t)s->nodes, all, phi)
    ->curve = PETSC_TRUE;
  if (last > SMALL * most)
    fare_warn(
      "counterdiabatic: the last polynomials in the parameter are %.1e of the largest: take more nodes",
      last / most);
  fare_found_number(found, "tail", "of the last polynomials in the parameter, relative to the largest",
    most > 0 ? last / most : 0);
  keep_list(found, "range", "of the parameter", 2, range);
  keep_list(found, "cells", "of the grid, along each axis", grid->dim, cells);
  keep_list(found, "lower", "corner of the grid", grid->dim, grid->lower);
  keep_list(found, "upper", "corner of the grid", grid->dim, grid->upper);
  keep_list(found, "periodic", "1: the axis is", grid->dim, periodic);
}

/* The integral over the range of what is given by the Chebyshev coefficients. */
static double integral(int nodes, const double coefficient[], double width)
{
  double sum = 0;

  for (int k = 0; k < nodes; k += 2) sum += coefficient[k] / (1 - (double)k * k);
  return sum * width;
}

static PetscErrorCode run(const void *state, const fare_grid *grid, const fare_system *system, double time,
  const fare_findings *like, fare_findings *found)
{
  const counterdiabatic *s     = state;
  const int              nodes = (int)s->nodes;
  const size_t           all   = (size_t)grid->cells[0] * (size_t)grid->cells[1] * (size_t)grid->cells[2];
  const double           low = PetscMin(s->from, s->to), high = PetscMax(s->from, s->to);
  double     value[FARE_CHEBYSHEV_MAX], friction[FARE_CHEBYSHEV_MAX], residual = 0, cost, *phi = NULL;
  fare_grid *wider = NULL;

  PetscFunctionBegin;
  if (!like) PetscCall(PetscMalloc1((size_t)nodes * all, &phi));
  if (!like) PetscCall(create_wider(grid, &wider));
  for (int k = 0; k < nodes; k++) {
    value[k] = fare_chebyshev_node(nodes, k, low, high);
    PetscCall(find_phi(s, grid, wider, system, time, value[k], all, phi ? phi + (size_t)k * all : NULL,
      &friction[k], &residual));
  }
  keep_list(found, "values", "of the parameter, at which phi is found", nodes, value);
  fare_found(found, "friction", "at these values", (size_t)nodes, friction)->curve = PETSC_TRUE;
  fare_chebyshev_transform(nodes, 1, friction);
  cost = integral(nodes, friction, high - low) * (high - low);
  fare_found(found, "cost", "work beyond the free energy at a constant rate, times the duration", 1, &cost)
    ->least[0] = (high - low) * (high - low) *
    fare_chebyshev_rest(fabs(friction[nodes - 1]) + fabs(friction[nodes - 2]),
      fabs(friction[nodes - 3]) + fabs(friction[nodes - 4]));
  if (phi) keep_field(s, grid, system, all, phi, found);
  if (phi) PetscCall(keep_system(s, grid, system, time, found));
  fare_found_number(found, "residual", "of the equations, relative to their terms", residual);
  PetscCall(PetscFree(phi));
  PetscCall(fare_grid_destroy(&wider));
  PetscFunctionReturn(0);
}

const fare_analysis_type fare_analysis_counterdiabatic = {
  .name    = "counterdiabatic",
  .summary = "the potential that keeps the density at the Boltzmann density, however fast a parameter moves",
  .reference =
    "Patra and Jarzynski, New J. Phys. 19, 125009 (2017); Martinez et al., Nat. Phys. 12, 843 (2016)",
  .size   = sizeof(counterdiabatic),
  .fields = fields,
  .check  = check,
  .run    = run,
};
