/* SPDX-License-Identifier: BSD-2-Clause */
/*
  What independent runs tell of a method: its estimate with an error, the relative variance V of a run, and
  the work V C that an error costs. Runs that estimate zero count.
*/
#include "rare/rare.h"

#include <math.h>
#include <stdlib.h>

#define ZEROS_MOST   0.05  /* share of runs, and ... */
#define LARGEST_MOST 0.3   /* ... of one run in the sum, that a normal interval bears */
#define SKEWED_MOST  0.4   /* skewness of the mean over runs that it bears */
#define SEEN_LEAST   0.5   /* share of the variance of weights, which their logarithms tell, that is seen */
#define REPLICATES   2000  /* of the bootstrap */
#define ALIKE        1e-12 /* relative error below which runs differ by rounding alone */

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

/*
  Skewness of the mean over runs: as they show it, or as a lognormal law of their spread or of that of their
  logarithms has it, (3 + V) sqrt(V/runs). Few runs do not see the tail from which the mean comes.
*/
static double skewness_of_mean(int64_t runs, const fare_rare_once once[], const fare_rare_row *row)
{
  double cubes = 0, sum = 0, squares = 0, V = row->variance;

  for (int64_t i = 0; i < runs; i++) {
    const double ratio = once[i].estimate / row->estimate, log_ratio = ratio > 0 ? log(ratio) : NAN;

    cubes += (ratio - 1) * (ratio - 1) * (ratio - 1);
    sum += log_ratio;
    squares += log_ratio * log_ratio;
  }
  V = fmax(V, expm1((squares - sum * sum / (double)runs) / (double)(runs - 1))); /* fmax: where it is known */
  return fmax(cubes / pow(row->variance * (double)runs, 1.5), (3 + V) * sqrt(V / (double)runs));
}

PetscBool fare_rare_tail(const fare_rare_row *row)
{
  return row->path_variance < SEEN_LEAST * row->path_variance_tail ? PETSC_TRUE : PETSC_FALSE;
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
  row->zeros   = zeros / (double)runs;
  row->largest = row->estimate != 0 ? largest / fabs(row->estimate * (double)runs) : NAN;
  row->error   = runs > 1 ? sqrt(squares / (double)(runs - 1) / (double)runs) : NAN;
  if (!(row->error > ALIKE * fabs(row->estimate))) row->error = NAN; /* it is unknown, not 0 */
  row->variance = PetscSqr(row->error / row->estimate) * (double)runs;
  row->skewness = runs > 1 ? skewness_of_mean(runs, once, row) : NAN;
  row->normal   = runs >= FARE_RARE_RUNS_LEAST && !isnan(row->error) && row->zeros <= ZEROS_MOST &&
    row->largest <= LARGEST_MOST && !(row->skewness > SKEWED_MOST) && !fare_rare_tail(row);
  row->low = row->high = row->variance_low = row->variance_high = NAN;
  if (row->normal) {
    row->low           = row->estimate - fare_student_95((double)(runs - 1)) * row->error;
    row->high          = row->estimate + fare_student_95((double)(runs - 1)) * row->error;
    row->variance_low  = row->variance / chi_squared((double)(runs - 1), FARE_NORMAL_95);
    row->variance_high = row->variance / chi_squared((double)(runs - 1), -FARE_NORMAL_95);
  } else if (!isnan(row->error)) {
    bootstrap(runs, once, seed, &row->low, &row->high);
  }
}

/* Relative variance of one path's weight, of all runs but one; -1: of all. */
static double path_variance(int64_t runs, const fare_rare_once once[], int64_t but)
{
  double count = 0, weights = 0, squares = 0;

  for (int64_t i = 0; i < runs; i++) {
    if (i == but) continue;
    count += once[i].weighted;
    weights += once[i].weights;
    squares += once[i].squares;
  }
  return count * squares / (weights * weights) - 1;
}

/* Of paths with weights. */
static void judge_weights(int64_t runs, const fare_rare_once once[], fare_rare_row *row)
{
  double count = 0, weights = 0, squares = 0, hits = 0, information = 0, heaviest = 0, spread = 0;

  row->path_variance = row->path_variance_error = row->path_variance_0 = row->path_variance_0_error = NAN;
  row->ess = row->heaviest = row->hits = row->information = row->path_variance_tail = NAN;
  for (int64_t i = 0; i < runs; i++) {
    count += once[i].weighted;
    weights += once[i].weights;
    squares += once[i].squares;
    hits += once[i].hits;
    information += once[i].information;
    heaviest = PetscMax(heaviest, once[i].heaviest);
  }
  if (!(count > 0)) return;
  row->hits        = hits / count;
  row->information = information / count;
  if (!(weights > 0)) return;
  row->ess           = weights * weights / squares;
  row->heaviest      = heaviest / weights;
  row->path_variance = path_variance(runs, once, -1);
  for (int64_t i = 0; i < runs && runs > 1; i++)
    spread += PetscSqr(path_variance(runs, once, i) - row->path_variance);
  if (runs > 1) row->path_variance_error = sqrt(spread * (double)(runs - 1) / (double)runs);
  row->path_variance_tail = expm1(2 * (row->information + log(weights / count)));
}

/* The straight line through (step, V) of least weighted squares. */
void fare_rare_extrapolate(size_t count, const int kind[], fare_rare_row row[])
{
  for (size_t i = 0; i < count; i++) {
    double s = 0, sx = 0, sy = 0, sxx = 0, sxy = 0, det;

    for (size_t k = 0; k < count; k++) {
      const fare_rare_row *r = &row[k];
      const double         w = 1 / PetscSqr(r->path_variance_error);

      if (kind[k] != kind[i] || !isfinite(w)) continue;
      s += w;
      sx += w * r->dt;
      sy += w * r->path_variance;
      sxx += w * r->dt * r->dt;
      sxy += w * r->dt * r->path_variance;
    }
    det = s * sxx - sx * sx;
    if (!(det > 1e-9 * s * sxx)) continue;
    row[i].path_variance_0       = (sxx * sy - sx * sxy) / det;
    row[i].path_variance_0_error = sqrt(sxx / det);
  }
}

void fare_interfaces_judge(
  int64_t runs, size_t count, const double detail[], const fare_rare_row *row, fare_interface interface[])
{
  double chain = 1, continuum = 1;

  for (size_t k = 0; k < count; k++) {
    fare_interface *f   = &interface[k];
    double          sum = 0, squares = 0, n = 0;

    for (int64_t i = 0; i < runs; i++) {
      const double *of = detail + (size_t)i * count;

      if (k && !(of[k - 1] > 0)) continue; /* the run ended before */
      n++;
      sum += of[k];
      squares += of[k] * of[k];
    }
    f->estimate = sum / n;
    f->error    = n > 1 ? sqrt(PetscMax(0, squares / n - PetscSqr(f->estimate)) / (n - 1)) : NAN;
    if (!k) continue;
    chain *= f->chain;
    continuum *= f->continuum;
  }
  interface[0].chain     = row->chain / chain;
  interface[0].continuum = row->continuum / continuum;
}

void fare_rare_judge(
  int64_t runs, const fare_rare_once once[], double optimum, uint64_t seed, fare_rare_row *row)
{
  const double paths = mean(runs, once, offsetof(fare_rare_once, paths)),
               steps = mean(runs, once, offsetof(fare_rare_once, steps));
  double p;

  row->runs = (double)runs;
  row->cost = mean(runs, once, offsetof(fare_rare_once, cost));
  judge_weights(runs, once, row);
  judge_estimate(runs, once, seed, row);
  p = isnan(row->chain) ? row->estimate : row->chain;
  if (isnan(row->path_cost) && paths > 0) row->path_cost = steps / paths;
  if (isnan(row->path_cost) && row->rate != 0) row->path_cost = 1 / (p * row->dt);
  row->cost_10 = 100 * row->variance * row->cost;
  /* of events that come one by one, each is a path */
  row->gain       = 100 * row->path_cost * (row->rate != 0 ? 1 : (1 - p) / p) / row->cost_10;
  row->of_optimum = optimum / row->variance;
  row->z          = row->normal
             ? (row->estimate - row->chain) / sqrt(PetscSqr(row->error) + PetscSqr(row->chain_error))
             : NAN;
}
