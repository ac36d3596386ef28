/* SPDX-License-Identifier: BSD-2-Clause */
/*
  What independent runs tell of a method: its estimate with an error, the relative variance V of a run, and
  the work V C that an error costs. Runs that estimate zero count.
*/
#include "rare.h"

#include <math.h>
#include <stdlib.h>

#define ZEROS_MOST   0.05 /* share of runs, and ... */
#define LARGEST_MOST 0.3  /* ... of one run in the sum, that a normal interval bears */
#define REPLICATES   2000 /* of the bootstrap */
#define NORMAL_95    1.959963984540054

static double mean(int64_t runs, const fare_rare_once once[], size_t member)
{
  double sum = 0;

  for (int64_t i = 0; i < runs; i++) sum += *(const double *)((const char *)&once[i] + member);
  return sum / (double)runs;
}

/* Quantile of chi squared over its degrees of freedom (Wilson and Hilferty, PNAS 17, 684 (1931)). */
static double chi_squared(double freedom, double normal)
{
  const double a = 2 / (9 * freedom);

  return pow(1 - a + normal * sqrt(a), 3);
}

static int ascending(const void *a, const void *b)
{
  const double x = *(const double *)a, y = *(const double *)b;

  return x < y ? -1 : x > y ? 1 : 0;
}

/* Percentiles of the mean over runs that are drawn again: alike for the mean and its logarithm. */
static void bootstrap(int64_t runs, const fare_rare_once once[], uint64_t seed, double *low, double *high)
{
  fare_random random = {.stream = fare_stream_make(seed, "rare/bootstrap")};
  double      value[REPLICATES];

  for (int k = 0; k < REPLICATES; k++) {
    double sum = 0;

    for (int64_t i = 0; i < runs; i++)
      sum += once[PetscMin(runs - 1, (int64_t)(fare_random_uniform(&random) * (double)runs))].estimate;
    value[k] = sum / (double)runs;
  }
  qsort(value, REPLICATES, sizeof *value, ascending);
  *low  = value[(int)(0.025 * REPLICATES)];
  *high = value[(int)(0.975 * REPLICATES)];
}

static void judge_estimate(int64_t runs, const fare_rare_once once[], uint64_t seed, fare_rare_row *row)
{
  double squares = 0, largest = 0, zeros = 0;

  row->estimate = mean(runs, once, offsetof(fare_rare_once, estimate));
  for (int64_t i = 0; i < runs; i++) {
    squares += PetscSqr(once[i].estimate - row->estimate);
    largest = PetscMax(largest, fabs(once[i].estimate));
    zeros += once[i].estimate == 0;
  }
  row->zeros    = zeros / (double)runs;
  row->largest  = row->estimate != 0 ? largest / fabs(row->estimate * (double)runs) : NAN;
  row->error    = runs > 1 ? sqrt(squares / (double)(runs - 1) / (double)runs) : NAN;
  row->variance = PetscSqr(row->error / row->estimate) * (double)runs;
  row->normal   = runs > 1 && row->zeros <= ZEROS_MOST && row->largest <= LARGEST_MOST;
  row->low = row->high = row->variance_low = row->variance_high = NAN;
  if (row->normal) {
    row->low           = row->estimate - NORMAL_95 * row->error;
    row->high          = row->estimate + NORMAL_95 * row->error;
    row->variance_low  = row->variance / chi_squared((double)(runs - 1), NORMAL_95);
    row->variance_high = row->variance / chi_squared((double)(runs - 1), -NORMAL_95);
  } else if (runs > 1) {
    bootstrap(runs, once, seed, &row->low, &row->high);
  }
}

void fare_rare_judge(
  int64_t runs, const fare_rare_once once[], double optimum, uint64_t seed, fare_rare_row *row)
{
  const double paths = mean(runs, once, offsetof(fare_rare_once, paths)),
               steps = mean(runs, once, offsetof(fare_rare_once, steps));
  double p;

  row->runs = (double)runs;
  row->cost = mean(runs, once, offsetof(fare_rare_once, cost));
  judge_estimate(runs, once, seed, row);
  p = isnan(row->chain) ? row->estimate : row->chain;
  if (isnan(row->path_cost) && paths > 0) row->path_cost = steps / paths;
  row->cost_10    = 100 * row->variance * row->cost;
  row->gain       = 100 * row->path_cost * (1 - p) / p / row->cost_10;
  row->of_optimum = optimum / row->variance;
  row->z          = row->normal
             ? (row->estimate - row->chain) / sqrt(PetscSqr(row->error) + PetscSqr(row->chain_error))
             : NAN;
}
