/* SPDX-License-Identifier: BSD-2-Clause */
/* The trains that evolve and their sums: what a truth of kind tensor_train keeps, and what it tells. */
#include "versions.h"

#include <math.h>

int64_t fare_trains_transfer(fare_train *train, double *numbers, PetscBool load, PetscErrorCode *code)
{
  int64_t at = 0;

  for (int k = 0; k <= train->count; k++, at++) {
    if (numbers && load)
      train->bond[k] = (int)numbers[at];
    else if (numbers)
      numbers[at] = train->bond[k];
  }
  for (int k = 0; k < train->count; k++) {
    const int64_t size = (int64_t)train->bond[k] * train->sites.cells * train->bond[k + 1];

    if (numbers && load && !*code) *code = fare_train_resize(train, k, train->bond[k], train->bond[k + 1]);
    if (numbers && !*code)
      (void)PetscMemcpy(load ? train->core[k] : numbers + at, load ? numbers + at : train->core[k],
        (size_t)size * sizeof *numbers);
    at += size;
  }
  if (numbers && load) {
    train->centre    = (int)numbers[at];
    train->discarded = numbers[at + 1];
    train->rank      = (int)numbers[at + 2];
    train->full      = numbers[at + 3] > 0 ? PETSC_TRUE : PETSC_FALSE;
  } else if (numbers) {
    numbers[at]     = train->centre;
    numbers[at + 1] = train->discarded;
    numbers[at + 2] = train->rank;
    numbers[at + 3] = train->full;
  }
  return at + 4;
}

PetscErrorCode fare_trains_pack(fare_trains *s)
{
  PetscErrorCode code = 0;
  int64_t        at   = 0;

  PetscFunctionBegin;
  s->length = 0;
  for (int v = 0; v < FARE_EVOLVED; v++)
    s->length += fare_trains_transfer(s->evolved[v], NULL, PETSC_FALSE, NULL);
  PetscCall(PetscFree(s->packed));
  PetscCall(PetscMalloc1(s->length, &s->packed));
  for (int v = 0; v < FARE_EVOLVED && !code; v++)
    at += fare_trains_transfer(s->evolved[v], s->packed + at, PETSC_FALSE, &code);
  PetscFunctionReturn(code);
}

/* By how much the difference to fewer cells exceeds that to the limit, of second order. */
static double beyond_cells(const fare_train *fine, const fare_train *coarse)
{
  const double ratio = (double)fine->sites.cells / coarse->sites.cells;

  return 1 / (ratio * ratio - 1);
}

/*
  The versions, as sums of what evolves. Plain trains lack what Richardson's rule gives from two of them; the
  coarser two make the density of fewer cells. Of the doubled step a third of the difference counts.
*/
PetscErrorCode fare_trains_combine(fare_trains *s)
{
  const double more  = beyond_cells(s->evolved[FARE_PLAIN], s->evolved[FARE_COARSER]),
               again = beyond_cells(s->evolved[FARE_COARSER], s->evolved[FARE_COARSEST]);
  const double factor[FARE_VERSIONS][FARE_EVOLVED] = {
    [FARE_MAIN]  = {[FARE_PLAIN] = 1 + more, [FARE_COARSER] = -more},
    [FARE_RANK]  = {[FARE_PLAIN] = more, [FARE_FEWER] = 1, [FARE_COARSER] = -more},
    [FARE_STEP]  = {[FARE_PLAIN] = 2. / 3 + more, [FARE_SLOWER] = 1. / 3, [FARE_COARSER] = -more},
    [FARE_CELLS] = {[FARE_COARSER] = 1 + again, [FARE_COARSEST] = -again},
  };

  PetscFunctionBegin;
  for (int v = 0; v < FARE_VERSIONS; v++) {
    fare_train *of[FARE_EVOLVED];
    double      times[FARE_EVOLVED];
    int         count = 0;

    for (int i = 0; i < FARE_EVOLVED; i++) {
      if (factor[v][i] == 0) continue;
      of[count]      = s->evolved[i];
      times[count++] = factor[v][i];
    }
    PetscCall(fare_train_combine(count, of, times, s->train[v]));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_trains_unpack(fare_trains *s)
{
  PetscErrorCode code = 0;
  int64_t        at   = 0;

  PetscFunctionBegin;
  for (int v = 0; v < FARE_EVOLVED && !code; v++) {
    at += fare_trains_transfer(s->evolved[v], s->packed + at, PETSC_TRUE, &code);
    if (!code) code = fare_train_sum(s->evolved[v]);
  }
  if (!code) code = fare_trains_combine(s);
  PetscFunctionReturn(code);
}

const fare_train *fare_trains_version(const fare_trains *s, int version)
{
  if (version == FARE_ITSELF || (version == FARE_CELLS && s->uncorrected)) return s->evolved[FARE_PLAIN];
  return s->train[version];
}

PetscErrorCode fare_trains_log_density(
  const fare_trains *s, int version, int64_t n, const double *const x[], double to[], double log_sites[])
{
  const int plain[] = {[FARE_MAIN] = FARE_PLAIN,
    [FARE_RANK]                    = FARE_FEWER,
    [FARE_STEP]                    = FARE_PLAIN,
    [FARE_CELLS]                   = FARE_COARSER,
    [FARE_ITSELF]                  = FARE_PLAIN};
  double    least[FARE_BLOCK];

  PetscFunctionBegin;
  if (version == FARE_CELLS && s->uncorrected) version = FARE_ITSELF;
  PetscCall(fare_train_log_density(fare_trains_version(s, version), n, x, to, log_sites));
  for (int64_t first = 0; first < n; first += FARE_BLOCK) {
    const int64_t count = PetscMin(n - first, FARE_BLOCK);
    const double *from[FARE_AXES_MAX];

    for (int k = 0; k < s->evolved[FARE_PLAIN]->count; k++) from[k] = x[k] + first;
    PetscCall(fare_train_log_density(s->evolved[plain[version]], count, from, least, NULL));
    for (int64_t i = 0; i < count; i++) to[first + i] = PetscMax(to[first + i], least[i] - M_LN2);
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_trains_score(const fare_trains *s, int64_t n, const double *const x[], double *const to[])
{
  const int dim = s->evolved[FARE_PLAIN]->count;
  double   *other, *of_plain[FARE_AXES_MAX], log_p[FARE_BLOCK], least[FARE_BLOCK];

  PetscFunctionBegin;
  PetscCall(fare_train_score(s->train[FARE_MAIN], n, x, to));
  PetscCall(PetscMalloc1(dim * FARE_BLOCK, &other));
  for (int64_t first = 0; first < n; first += FARE_BLOCK) {
    const int64_t count = PetscMin(n - first, FARE_BLOCK);
    const double *from[FARE_AXES_MAX];
    PetscBool     some = PETSC_FALSE;

    for (int k = 0; k < dim; k++) {
      from[k]     = x[k] + first;
      of_plain[k] = other + k * FARE_BLOCK;
    }
    PetscCall(fare_train_log_density(s->train[FARE_MAIN], count, from, log_p, NULL));
    PetscCall(fare_train_log_density(s->evolved[FARE_PLAIN], count, from, least, NULL));
    for (int64_t i = 0; i < count; i++) some = some || log_p[i] < least[i] - M_LN2 ? PETSC_TRUE : PETSC_FALSE;
    if (!some) continue;
    PetscCall(fare_train_score(s->evolved[FARE_PLAIN], count, from, of_plain));
    for (int64_t i = 0; i < count; i++) {
      for (int k = 0; k < dim && log_p[i] < least[i] - M_LN2; k++) to[k][first + i] = of_plain[k][i];
    }
  }
  PetscCall(PetscFree(other));
  PetscFunctionReturn(0);
}
