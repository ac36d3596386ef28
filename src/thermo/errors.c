/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The numbers of a row, and their estimated errors: from the companions of the truth, whose grids and steps in
  time differ, and for integrals over time from the balances, which tell the error of the quadrature.
*/
#include "thermo.h"

#include <math.h>

#define AT(member) offsetof(fare_thermo_row, member)
const fare_thermo_column fare_thermo_columns[FARE_THERMO_COLUMNS] = {
  {"energy", "mean energy", AT(energy), FARE_HAS_ENERGY, FARE_COLUMN_STATE},
  {"entropy", "entropy of the density, in units of Boltzmann's constant", AT(entropy), FARE_HAS_ENTROPY,
    FARE_COLUMN_STATE},
  {"free_energy", "energy - kT entropy", AT(free_energy), FARE_HAS_ENERGY, FARE_COLUMN_STATE},
  {"equilibrium_free_energy", "-kT ln of the instantaneous partition function", AT(equilibrium_free_energy),
    FARE_HAS_ENERGY, FARE_COLUMN_STATE},
  {"kl_to_equilibrium", "KL divergence from the instantaneous Boltzmann density", AT(kl_to_equilibrium),
    FARE_HAS_ENERGY, FARE_COLUMN_STATE},
  {"work", "work of the drive since the start", AT(work), FARE_HAS_ENERGY, FARE_COLUMN_INTEGRAL},
  {"extra_work", "work of the nonconservative force since the start", AT(extra_work),
    FARE_HAS_NONCONSERVATIVE, FARE_COLUMN_INTEGRAL},
  {"heat", "heat from bath to system since the start", AT(heat), FARE_HAS_ENERGY, FARE_COLUMN_INTEGRAL},
  {"dissipated_work", "work - change of the equilibrium free energy", AT(dissipated_work), FARE_HAS_FREE_WORK,
    FARE_COLUMN_INTEGRAL},
  {"production_total_rate", "entropy production rate", AT(total_rate), FARE_HAS_PRODUCTION,
    FARE_COLUMN_STATE},
  {"production_housekeeping_rate", "housekeeping part: maintains the steady state", AT(housekeeping_rate),
    FARE_HAS_PRODUCTION, FARE_COLUMN_STATE},
  {"production_excess_rate", "excess part: relaxation to steady state", AT(excess_rate), FARE_HAS_PRODUCTION,
    FARE_COLUMN_STATE},
  {"production_total", "entropy production since the start", AT(total), FARE_HAS_TOTAL, FARE_COLUMN_INTEGRAL},
  {"production_housekeeping", "housekeeping part since the start", AT(housekeeping), FARE_HAS_PRODUCTION,
    FARE_COLUMN_INTEGRAL},
  {"production_excess", "excess part since the start", AT(excess), FARE_HAS_PRODUCTION, FARE_COLUMN_INTEGRAL},
  {"production_geometric_rate", "least rate of entropy production that changes the density as it does",
    AT(geometric_rate), FARE_HAS_GEOMETRIC, FARE_COLUMN_STATE},
  {"production_geometric", "least entropy production with these marginals since the start", AT(geometric),
    FARE_HAS_GEOMETRIC, FARE_COLUMN_INTEGRAL},
  {"production_speed_limit", "least entropy production of any way from the first density to this one",
    AT(speed_limit), FARE_HAS_SPEED_LIMIT, FARE_COLUMN_STATE},
  {"energy_balance", "residual of the energy balance with heat from currents: time quadrature error only",
    AT(energy_balance), FARE_HAS_ENERGY, FARE_COLUMN_BALANCE},
  {"entropy_balance", "entropy change - heat/kT - entropy production: time quadrature error only",
    AT(balance), FARE_HAS_BALANCE, FARE_COLUMN_BALANCE},
  {"velocity_1", "d<x>/dt along the first axis", AT(velocity[0]), FARE_HAS_ENTROPY, FARE_COLUMN_STATE},
  {"velocity_2", "d<x>/dt along the second axis", AT(velocity[1]), FARE_HAS_ENTROPY, FARE_COLUMN_STATE},
  {"velocity_3", "d<x>/dt along the third axis", AT(velocity[2]), FARE_HAS_ENTROPY, FARE_COLUMN_STATE},
};

static double difference(const fare_thermo *thermo, size_t k, size_t offset, int a, int b)
{
  return fabs(fare_thermo_value(&thermo->track[a].row[k], offset) -
    fare_thermo_value(&thermo->track[b].row[k], offset));
}

#define ACCIDENT 3 /* by how much two grids may differ too little by accident */
/* errors in time of (4 fine - half)/3, where those of both grids are alike but for the sign */
#define BETTER_TIME (5.0 / 3)

/* What grids differ by, finer less coarser: the finer two, and the coarser two. */
typedef struct {
  double near, far;
} differences;

static differences differences_of(const fare_thermo *thermo, size_t k, size_t offset)
{
  const double half = fare_thermo_value(&thermo->track[FARE_TRUTH_HALF].row[k], offset);

  return (differences){fare_thermo_value(&thermo->track[0].row[k], offset) - half,
    half - fare_thermo_value(&thermo->track[FARE_TRUTH_QUARTER].row[k], offset)};
}

static PetscBool is_divergence(size_t offset)
{
  return offset == AT(kl_to_equilibrium) || offset == AT(kl_integral) ? PETSC_TRUE : PETSC_FALSE;
}

/*
  The largest ratio that is believed. A divergence is of second order in what densities differ by: where it is
  nothing but the error of the cells, less than the coarser grid has more of it, it falls by the square.
*/
static double largest_ratio(const fare_thermo_row *row, size_t offset, double near)
{
  return is_divergence(offset) && fare_thermo_value(row, offset) < near ? row->nominal * row->nominal
                                                                        : row->nominal;
}

/*
  A small divergence is of second order in the lag and in the error of the cells, which falls as h^p. So it is
  S + A h^p + C h^2p, and three grids determine these. A lag may make their last difference vanish, but not
  the error, A + C.
*/
static double mixed_error(const fare_thermo_row *row, differences d)
{
  const double ratio = row->nominal, square = ratio * ratio,
               C = (ratio * d.near - d.far) / ((square - 1) * (square - ratio)),
               A = (-d.near - C * (square - 1)) / (ratio - 1);

  return fabs(A + C);
}

/*
  The error in space of one member of row k: from two grids, by the ratio that three show for the density or
  for the number itself, whichever is larger, as either is small where errors cancel; or from the coarser two,
  where the finer ones agree by accident. Of divergences less than what the coarser two differ by, no less
  than what a lag explains.
*/
static double space_error(const fare_thermo *thermo, size_t k, size_t offset)
{
  const fare_thermo_row *row   = &thermo->track[0].row[k];
  const double           near  = difference(thermo, k, offset, 0, FARE_TRUTH_HALF);
  const double           most  = largest_ratio(row, offset, near);
  const double           far   = thermo->tracks == FARE_TRUTH_PARTS_MAX
                ? difference(thermo, k, offset, FARE_TRUTH_HALF, FARE_TRUTH_QUARTER)
                : 0;
  const double           ratio = far > row->ratio * near ? fmin(most, far / near) : row->ratio;
  const double           error = fmax(near, fmin(far / ratio, ACCIDENT * near)) / (ratio - 1);

  if (!is_divergence(offset) || far <= row->nominal * near || fare_thermo_value(row, offset) >= far)
    return error;
  return fmax(error, mixed_error(row, differences_of(thermo, k, offset)));
}

#define APART    0.1 /* of the ratio of errors is near enough */
#define SMALLEST 0.1 /* of the last difference over that ratio less 1: no error is smaller */

/*
  The error in space of a number that is extrapolated, from `oldest` on: a third of the difference from what
  the coarser two grids extrapolate, as in analysis/extrapolate.c. A number that does not fall by 4 gets no
  better: its error is the plain one and the change.
*/
static double sharp_error(const fare_thermo *thermo, size_t oldest, size_t k, size_t offset, double plain)
{
  const double      ratio = FARE_THERMO_RATIO;
  const differences now   = differences_of(thermo, k, offset);
  double            error = 0;

  if (!(fabs(now.far - ratio * now.near) <= APART * ratio * fabs(now.near)))
    return plain + fabs(now.near) / (ratio - 1);
  for (size_t i = oldest; i <= k; i++) {
    const differences d     = differences_of(thermo, i, offset);
    const double      apart = fabs(ratio * d.near - d.far) / (ratio - 1); /* of both extrapolations */

    error = fmax(error, fmax(apart, SMALLEST * fabs(d.near)) / (ratio - 1));
  }
  return error;
}

static PetscBool is_better(const fare_thermo *thermo, size_t k, size_t offset)
{
  return fare_thermo_value(&thermo->better[k], offset) != fare_thermo_value(&thermo->track[0].row[k], offset)
    ? PETSC_TRUE
    : PETSC_FALSE;
}

/*
  The error in space and time of one member of row k. The difference of two grids may vanish by accident where
  the error changes its sign, so this is the largest of the last three rows, and for integrals over time the
  largest of all rows so far.
*/
static double grid_error(
  const fare_thermo *thermo, size_t k, size_t offset, PetscBool is_integral, PetscBool better)
{
  const size_t oldest = is_integral ? 0 : k > 2 ? k - 2 : 0;
  const int    loose  = fare_truth_loose_part(thermo->truth);
  double       space = 0, time = 0;

  if (thermo->tracks < 2) return NAN;
  for (size_t i = oldest; i <= k; i++) {
    space = fmax(space, space_error(thermo, i, offset));
    time  = fmax(time, difference(thermo, i, offset, loose, thermo->tracks - 1));
  }
  if (isnan(difference(thermo, k, offset, 0, FARE_TRUTH_HALF))) return NAN;
  if (!better) return space + time;
  return sharp_error(thermo, oldest, k, offset, space) + BETTER_TIME * time;
}

double fare_thermo_plain_error(const fare_thermo *thermo, size_t k, size_t offset)
{
  return grid_error(thermo, k, offset, PETSC_FALSE, PETSC_FALSE);
}

void fare_thermo_estimate(fare_thermo *thermo, size_t k)
{
  const fare_thermo_row *row        = &thermo->track[0].row[k];
  fare_thermo_row       *error      = &thermo->error[k];
  const double           quadrature = isnan(row->energy_balance) ? 0 : row->energy_balance,
               balance              = isnan(row->balance) ? 0 : fabs(row->balance);

  *error = (fare_thermo_row){.time = row->time};
  error->kl_integral =
    grid_error(thermo, k, AT(kl_integral), PETSC_TRUE, is_better(thermo, k, AT(kl_integral)));
  for (int i = 0; i < FARE_THERMO_COLUMNS; i++) {
    const fare_thermo_column *column = &fare_thermo_columns[i];

    *(double *)((char *)error + column->offset) = column->kind == FARE_COLUMN_BALANCE
      ? NAN
      : grid_error(thermo, k, column->offset, column->kind == FARE_COLUMN_INTEGRAL,
          is_better(thermo, k, column->offset));
  }
  error->work += quadrature;
  error->extra_work += quadrature;
  error->heat += quadrature;
  error->dissipated_work += quadrature;
  error->total += balance;
  if (thermo->needs_rest) error->housekeeping += balance;
  error->excess += balance;
  error->geometric += balance;
}
