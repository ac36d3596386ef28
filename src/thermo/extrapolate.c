/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Rows of the next order in space, by Richardson's rule: where errors fall by 4 from grid to grid, the finest
  row lacks a third of what the next differs by. All numbers of all rows get the same share of their own
  difference, so whatever is linear in rows holds as before: the first law, dissipated work, free energies,
  and the sum of the productions. Rates of entropy production stand alone, and are positive: where one of a
  row would not be, all of its are those of the grid. So is the divergence from equilibrium, which falls by 16
  where it is nothing but an error.
*/
#include "thermo.h"

#include <math.h>

static void add_share(fare_thermo *thermo, size_t k, size_t offset)
{
  const double own    = fare_thermo_value(&thermo->track[0].row[k], offset),
               coarse = fare_thermo_value(&thermo->track[FARE_TRUTH_HALF].row[k], offset),
               change = (own - coarse) / (FARE_THERMO_RATIO - 1);

  if (isfinite(change)) *(double *)((char *)&thermo->better[k] + offset) += change;
}

static void keep_positive(const fare_thermo_row *plain, fare_thermo_row *better)
{
  if (better->kl_to_equilibrium < 0) better->kl_to_equilibrium = plain->kl_to_equilibrium;
  if (better->kl_integral < 0) better->kl_integral = plain->kl_integral;
  if (!(better->total_rate < 0 || better->housekeeping_rate < 0 || better->excess_rate < 0 ||
        better->geometric_rate < 0))
    return;
  better->total_rate        = plain->total_rate;
  better->housekeeping_rate = plain->housekeeping_rate;
  better->excess_rate       = plain->excess_rate;
  better->geometric_rate    = plain->geometric_rate;
}

void fare_thermo_extrapolate(fare_thermo *thermo, size_t k)
{
  thermo->better[k] = thermo->track[0].row[k];
  if (!thermo->extrapolates) return;
  add_share(thermo, k, offsetof(fare_thermo_row, kl_integral));
  for (int i = 0; i < FARE_THERMO_COLUMNS; i++) {
    const size_t offset = fare_thermo_columns[i].offset;

    if (offset != offsetof(fare_thermo_row, energy_balance)) add_share(thermo, k, offset); /* of sizes */
  }
  keep_positive(&thermo->track[0].row[k], &thermo->better[k]);
}
