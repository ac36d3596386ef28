/* SPDX-License-Identifier: BSD-2-Clause */
/* What a truth takes of memory, told before any is taken. */
#include "truth/rates/operator.h"
#include "truth/transport/transport.h"

#include <math.h>

#define NUMBERING 2.5 /* doubles per cell of a grid */

/*
  Whether a term is linear in x, so that it is the same in all cells relative to their centres. `tilts`: axes
  along which it is not constant.
*/
static PetscBool is_linear(const fare_system *system, int term, PetscBool tilts[])
{
  enum { POINTS = 3 };
  const fare_system_type *type   = fare_system_type_of(system);
  const int               dim    = fare_system_dimension(system);
  PetscBool               linear = PETSC_TRUE;
  double        at[FARE_DIM_MAX][POINTS], values[FARE_PARAMETERS_MAX][POINTS], *phi[FARE_PARAMETERS_MAX];
  const double *x[FARE_DIM_MAX];

  for (int k = 0; k < type->basis_count; k++) phi[k] = values[k];
  for (int axis = 0; axis < dim; axis++) {
    for (int a = 0; a < dim; a++) {
      for (int i = 0; i < POINTS; i++)
        at[a][i] = type->lower[a] + (type->upper[a] - type->lower[a]) * (0.31 + (a == axis ? 0.19 * i : 0));
      x[a] = at[a];
    }
    type->basis(dim, POINTS, x, phi);
    if (fabs(values[term][0] - 2 * values[term][1] + values[term][2]) >
      1e-9 * (fabs(values[term][0]) + fabs(values[term][1]) + fabs(values[term][2])))
      linear = PETSC_FALSE;
    if (values[term][0] != values[term][1]) tilts[axis] = PETSC_TRUE;
  }
  return linear;
}

/*
  Doubles per cell of the rates of a gradient force, and those that are needed only while they are made. See
  rates_gradient.c.
*/
static double gradient_doubles(const fare_system *system, double *passing)
{
  const fare_system_type *type   = fare_system_type_of(system);
  const int               dim    = fare_system_dimension(system);
  const double            points = fare_points_per_cell(dim),
               always = (dim == 1 ? 5 : 1) + (type->nonconservative ? (FARE_LINE_POINTS + 5) * dim : 0);
  PetscBool tilts[FARE_DIM_MAX] = {PETSC_FALSE},
            kept                = fare_system_drives(system, FARE_KT) ? PETSC_FALSE : PETSC_TRUE;
  int    moving[FARE_PARAMETERS_MAX], terms, along = 0, bent = 0;
  double groups;

  *passing = dim;
  if (!type->basis_count) return always + points;
  terms = fare_moving_terms(system, moving);
  for (int i = 0; i < terms; i++) bent += !is_linear(system, moving[i], tilts);
  for (int axis = 0; axis < dim; axis++) along += tilts[axis];
  *passing += type->basis_count;
  if (bent || !kept) return always + terms + points * (1 + bent);
  /*
    sums of exponentials: one for each half-edge and for the cell, but one for each point where the moving
    terms change along that axis
  */
  groups = 2 * (dim - along) + FARE_LINE_POINTS * along +
    (dim == 1 && along ? FARE_LINE_POINTS : pow(FARE_CELL_POINTS, along));
  if (type->nonconservative) return always + terms + points + groups;
  /* all points while the sums are made of them; basis functions before */
  *passing = PetscMax(points, *passing + points - groups);
  return always + terms + groups;
}

/* Of a grid with a part of the cells along each axis and layers around them. */
static double cells_of(const fare_truth_options *options, double part, double layers)
{
  double cells = 1;

  for (size_t i = 0; i < options->cells.count; i++)
    cells *= (double)options->cells.values[i] * part + 2 * layers;
  return cells;
}

/* Doubles of transport on such a grid; see transport.h. */
static double transport_doubles(const fare_truth_options *options, int dim, double part)
{
  const double own = 2 + 1 + 2 * sizeof(PetscInt) / (double)sizeof(double); /* state, masses, two lists */

  return cells_of(options, part, FARE_REACH) * (3 * dim + 2) + cells_of(options, part, 0) * (own + NUMBERING);
}

/* The rates serve to look at the start, and then for what ends absorb. */
static double transport_bytes(const fare_system *system, const fare_truth_options *options)
{
  const int       dim     = fare_system_dimension(system);
  const PetscBool general = fare_rates_are_general(fare_system_type_of(system));
  double          passing, all, rates = 2 * dim + (general ? 6 * dim : gradient_doubles(system, &passing));

  rates *= cells_of(options, 1, 1);
  /* the estimate, a copy of points, the extrapolated density */
  all = transport_doubles(options, dim, 1) + (options->extrapolate ? 6 : 2) * cells_of(options, 1, 0);
  if (options->estimate)
    all += 2 * transport_doubles(options, dim, 0.5) + transport_doubles(options, dim, 0.25);
  for (size_t i = 0; i < options->boundaries.count; i++) {
    if (options->boundaries.values[i] >= FARE_BOUNDARY_ABSORBING) return 8 * (all + rates);
  }
  return 8 * PetscMax(all, rates + (2 + NUMBERING) * cells_of(options, 1, 0));
}

static PetscBool quarters(const fare_truth_options *options)
{
  for (size_t i = 0; i < options->cells.count; i++) {
    if (options->cells.values[i] % 4) return PETSC_FALSE;
  }
  return PETSC_TRUE;
}

static double fitted_bytes(const fare_system *system, const fare_truth_options *options)
{
  const fare_system_type *type = fare_system_type_of(system);
  const int               dim  = fare_system_dimension(system);
  /* cells of all coarser grids of multigrid, each with 3 dim + 5 numbers of single precision */
  const double coarser = dim == 2 ? 1. / 3 : 1. / 7;
  /* matrix and factors; or multigrid, and vectors of GMRES */
  const double    solver  = dim == 1 ? 3.0 * (1 + 2 * dim) + 6 : (1.5 * dim + 2.5) * (1 + coarser) + 16;
  const PetscBool general = fare_rates_are_general(type);
  const double    stepper = fare_system_is_gradient(system) ? 10 : 28, bound = options->estimate ? 10 : 1,
               better = options->extrapolate ? 4 : 0;
  /* on half the cells, and on a quarter, where the tighter one is if there are such and steps allow it */
  double companions = options->estimate ? (fare_system_is_gradient(system) && quarters(options) ? 1 : 2) : 0,
         coarsest   = options->estimate ? 3 - companions : 0;
  double passing, rates = 2 * dim + (general ? 6 * dim : 0), each, cells = 1, layered = 1;

  if (general)
    passing = 0;
  else
    rates += gradient_doubles(system, &passing);
  for (size_t i = 0; i < options->cells.count; i++) {
    cells *= (double)options->cells.values[i];
    layered *= (double)options->cells.values[i] + 2;
    companions /= 2;
    coarsest /= 4;
  }
  each = layered * rates + cells * (solver + stepper + NUMBERING);
  return 8 *
    PetscMax(layered * (rates + passing) + cells * NUMBERING,
      each * (1 + companions + coarsest) + (bound + better) * cells);
}

double fare_truth_bytes(const fare_system *system, const fare_truth_options *options)
{
  const fare_box box = fare_truth_box(system, options);

  if (fare_truth_scheme(system, &box, options, 0) == FARE_SCHEME_HIGH_ORDER)
    return transport_bytes(system, options);
  return fitted_bytes(system, options);
}

PetscErrorCode fare_truth_check_memory(
  MPI_Comm comm, const fare_system *system, const fare_truth_options *options)
{
  double         asked, there;
  PetscErrorCode code = 0;
  int            ranks;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(comm, &ranks));
  PetscCall(fare_memory_of_machine(comm, fare_truth_bytes(system, options) / ranks, &asked, &there));
  if (asked > there)
    code = fare_error(FARE_ERR_INPUT,
      "truth.cells: a grid of so many cells needs about %.3g GiB on this machine, %.3g GiB are free",
      asked / 0x1p30, there / 0x1p30);
  PetscFunctionReturn(fare_error_agree(comm, code));
}
