/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Coarse bins pooled into boxes that the truth fills well enough for plug-in estimates; between densities,
  fine bins that it fills too little for any.
*/
#include "binning.h"

#include <math.h>

#define KNOWN_ERRORS 2. /* a mass is known where it is so many times its error */
/*
  and more than this: 1e-16, the round-off of another density, squared and divided by it is next to nothing
*/
#define DENSITY_LEAST 1e-24

typedef struct {
  PetscInt low[FARE_DIM_MAX], high[FARE_DIM_MAX]; /* of coarse bins, high excluded */
} box;

typedef struct {
  const fare_binning *binning;
  double              least;
  const double       *mass; /* of coarse bins */
  size_t             *pool, pools;
} pooling;

static size_t coarse_at(const fare_binning *b, PetscInt i, PetscInt j, PetscInt k)
{
  return (size_t)((k * b->coarse[1] + j) * b->coarse[0] + i);
}

/* Masses of the slices of a box across an axis. */
static void slice(const pooling *of, const box *in, int axis, double slices[])
{
  for (PetscInt s = in->low[axis]; s < in->high[axis]; s++) slices[s - in->low[axis]] = 0;
  for (PetscInt k = in->low[2]; k < in->high[2]; k++) {
    for (PetscInt j = in->low[1]; j < in->high[1]; j++) {
      for (PetscInt i = in->low[0]; i < in->high[0]; i++) {
        const PetscInt at[FARE_DIM_MAX] = {i, j, k};

        slices[at[axis] - in->low[axis]] += of->mass[coarse_at(of->binning, i, j, k)];
      }
    }
  }
}

/* The cut nearest to the middle that leaves enough on both sides, or 0. */
static PetscInt find_cut(const pooling *of, const box *in, int axis)
{
  const PetscInt n = in->high[axis] - in->low[axis];
  double         slices[FARE_COARSE_MOST], above[FARE_COARSE_MOST + 1], below = 0;
  PetscInt       best = 0;

  slice(of, in, axis, slices);
  above[n] = 0;
  for (PetscInt s = n; s > 0; s--) above[s - 1] = above[s] + slices[s - 1];
  for (PetscInt s = 1; s < n; s++) {
    below += slices[s - 1];
    if (below >= of->least && above[s] >= of->least &&
      (!best || PetscAbsInt(2 * s - n) < PetscAbsInt(2 * best - n)))
      best = s;
  }
  return best;
}

static void divide(pooling *of, const box *in)
{
  PetscBool tried[FARE_DIM_MAX] = {PETSC_FALSE};

  for (int attempt = 0; attempt < of->binning->grid.dim; attempt++) {
    PetscInt cut;
    int      axis  = -1;
    box      below = *in, above = *in;

    for (int a = 0; a < of->binning->grid.dim; a++) {
      if (!tried[a] && (axis < 0 || in->high[a] - in->low[a] > in->high[axis] - in->low[axis])) axis = a;
    }
    tried[axis] = PETSC_TRUE;
    cut         = find_cut(of, in, axis);
    if (!cut) continue;
    below.high[axis] = above.low[axis] = in->low[axis] + cut;
    divide(of, &below);
    divide(of, &above);
    return;
  }
  for (PetscInt k = in->low[2]; k < in->high[2]; k++) {
    for (PetscInt j = in->low[1]; j < in->high[1]; j++) {
      for (PetscInt i = in->low[0]; i < in->high[0]; i++)
        of->pool[coarse_at(of->binning, i, j, k)] = of->pools;
    }
  }
  of->pools++;
}

/* The coarse bin of every fine one. */
static void coarse_of_fine(const fare_binning *b, size_t to[])
{
  for (PetscInt k = 0, at = 0; k < b->fine[2]; k++) {
    for (PetscInt j = 0; j < b->fine[1]; j++) {
      for (PetscInt i = 0; i < b->fine[0]; i++, at++)
        to[at] = coarse_at(b, i / b->block[0], j / b->block[1], k / b->block[2]);
    }
  }
}

PetscErrorCode fare_binning_pool(
  const fare_binning *binning, const double mass[], double least, size_t pool[], size_t *pools)
{
  const size_t coarse = (size_t)(binning->coarse[0] * binning->coarse[1] * binning->coarse[2]);
  box          all;
  pooling      of = {.binning = binning, .least = least};
  double      *sums;

  PetscFunctionBegin;
  PetscCall(PetscCalloc2(coarse, &sums, coarse, &of.pool));
  coarse_of_fine(binning, pool);
  for (size_t i = 0; i < binning->bins; i++) sums[pool[i]] += mass[i];
  of.mass = sums;
  for (int axis = 0; axis < FARE_DIM_MAX; axis++) {
    all.low[axis]  = 0;
    all.high[axis] = binning->coarse[axis];
  }
  divide(&of, &all);
  for (size_t i = 0; i < binning->bins; i++) pool[i] = of.pool[pool[i]];
  *pools = of.pools;
  PetscCall(PetscFree2(sums, of.pool));
  PetscFunctionReturn(0);
}

typedef struct {
  size_t        bins;
  const double *mass, *corrected; /* corrected may be NULL */
  double        errors;           /* KNOWN_ERRORS, or fewer where that would leave too little */
} knowledge;

/* What a bin must have for its mass to be known, and whether it has. */
static double least_of(const knowledge *k, size_t i)
{
  return k->corrected ? PetscMax(DENSITY_LEAST, k->errors * fabs(k->corrected[i] - k->mass[i]))
                      : DENSITY_LEAST;
}

static PetscBool is_thin(const knowledge *k, size_t i)
{
  const double least = least_of(k, i);

  return k->mass[i] < least || (k->corrected && k->corrected[i] < DENSITY_LEAST) ? PETSC_TRUE : PETSC_FALSE;
}

static double thin_mass(const knowledge *k)
{
  double sum = 0;

  for (size_t i = 0; i < k->bins; i++) sum += is_thin(k, i) ? k->mass[i] : 0;
  return sum;
}

double fare_pool_thin(
  size_t bins, const double mass[], const double corrected[], size_t pool[], size_t *pools)
{
  knowledge k     = {.bins = bins, .mass = mass, .corrected = corrected, .errors = KNOWN_ERRORS};
  double    least = DENSITY_LEAST;
  PetscBool some  = PETSC_FALSE;

  while (corrected && k.errors > 1e-3 && thin_mass(&k) > FARE_TAIL) k.errors /= 2;
  *pools = 0;
  for (size_t i = 0; i < bins; i++) {
    const PetscBool thin = is_thin(&k, i);

    if (thin) least = PetscMax(least, least_of(&k, i));
    some |= thin;
    pool[i] = thin ? bins : (*pools)++;
  }
  for (size_t i = 0; i < bins && some; i++) pool[i] = PetscMin(pool[i], *pools);
  *pools += some ? 1 : 0;
  return least;
}
