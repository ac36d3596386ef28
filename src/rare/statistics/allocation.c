/* SPDX-License-Identifier: BSD-2-Clause */
/*
  How walkers of a weighted ensemble are best shared, from moves that were seen: a Markov chain of bins, in
  which who reaches b begins again (Copperman and Zuckerman, J. Chem. Theory Comput. 16, 6763 (2020)). Both
  systems are solved by elimination without a subtraction (Grassmann, Taksar and Heyman, Oper. Res. 33, 1107
  (1985)).
*/
#include "allocation.h"

#include <math.h>
#include <string.h>

/* Shares of rows in place of weights; a bin that was never seen to be left for another goes to the start. */
static void normalise(size_t bins, double move[])
{
  for (size_t i = 0; i < bins; i++) {
    double *row = move + i * (bins + 1), sum = 0;

    for (size_t j = 0; j <= bins; j++) sum += row[j];
    if (i && !(sum > row[i])) {
      row[i] = 0;
      row[0] = sum = 1;
    }
    for (size_t j = 0; j <= bins; j++) row[j] /= sum;
  }
}

/* Mean number of moves from each bin to b, column `bins`; what is given is used up. */
static void find_times(size_t bins, double move[], double times[])
{
  const size_t width = bins + 1;

  for (size_t k = 0; k < bins; k++) times[k] = 1;
  for (size_t k = bins; k-- > 0;) {
    double *from = move + k * width, out = from[bins];

    for (size_t j = 0; j < k; j++) out += from[j];
    if (!(out > 0)) from[0] = out = 1; /* bins that were never seen to be left */
    for (size_t j = 0; j < k; j++) from[j] /= out;
    from[bins] /= out;
    times[k] /= out;
    for (size_t i = 0; i < k; i++) {
      double      *row   = move + i * width;
      const double share = row[k];

      if (share == 0) continue;
      for (size_t j = 0; j < k; j++) row[j] += share * from[j];
      row[bins] += share * from[bins];
      times[i] += share * times[k];
    }
  }
  for (size_t k = 0; k < bins; k++) {
    for (size_t j = 0; j < k; j++) times[k] += move[k * width + j] * times[j];
  }
}

/* Steady masses where b leads to the start; what is given is used up. */
static void find_masses(size_t bins, double move[], double mass[])
{
  const size_t width = bins + 1;
  double       sum   = 0;

  for (size_t i = 0; i < bins; i++) move[i * width] += move[i * width + bins];
  for (size_t k = bins; k-- > 1;) {
    double out = 0;

    for (size_t j = 0; j < k; j++) out += move[k * width + j];
    if (!(out > 0)) move[k * width] = out = 1;
    for (size_t i = 0; i < k; i++) {
      double *row = move + i * width;

      if (row[k] == 0) continue;
      row[k] /= out;
      for (size_t j = 0; j < k; j++) row[j] += row[k] * move[k * width + j];
    }
  }
  for (size_t k = 0; k < bins; k++) {
    mass[k] = k == 0;
    for (size_t i = 0; i < k; i++) mass[k] += mass[i] * move[i * width + k];
    sum += mass[k];
  }
  for (size_t k = 0; k < bins; k++) mass[k] /= sum;
}

PetscErrorCode fare_shares_learn(size_t bins, const double moved[], double share[])
{
  const size_t width = bins + 1, size = bins * width * sizeof(double);
  double      *move, *used, *times, *mass, arrivals = 0;

  PetscFunctionBegin;
  for (size_t i = 0; i < bins; i++) arrivals += moved[i * width + bins];
  if (!(arrivals > 0))
    FARE_FAIL(FARE_ERR_FAILED, "no walker of the pilots reached b: nothing is learned; give them more time");
  PetscCall(PetscMalloc4(bins * width, &move, bins * width, &used, bins, &times, bins, &mass));
  memcpy(move, moved, size);
  normalise(bins, move);
  memcpy(used, move, size);
  find_times(bins, used, times);
  memcpy(used, move, size);
  find_masses(bins, used, mass);
  for (size_t i = 0; i < bins; i++) {
    const double *row = move + i * width, per_move = 1 / times[0];
    double        mean = 0, spread = 0;

    /* h = -J tau; of who arrives, that of the start and 1 more, which is 0 */
    for (size_t j = 0; j < bins; j++) mean -= row[j] * times[j] * per_move;
    for (size_t j = 0; j < bins; j++) spread += row[j] * PetscSqr(-times[j] * per_move - mean);
    spread += row[bins] * PetscSqr(mean);
    share[i] = mass[i] * sqrt(spread);
  }
  PetscCall(PetscFree4(move, used, times, mass));
  PetscFunctionReturn(0);
}
