/* SPDX-License-Identifier: BSD-2-Clause */
/* Truth and samples, put into the arrays that estimators see. */
#include "sides.h"

#include <math.h>
#include <string.h>

#define POOL_LEAST 5. /* expected samples in a pool */
#define BARE       3  /* distinct samples: a pool with fewer is bare */
/* times the mean: rows that count for so much in bare pools are those of a proposal that is too narrow */
#define HEAVY      2.
#define SCALE_MOST 2. /* that deviations of groups are scaled by for the difference of truth and samples */

double fare_sides_square(const fare_sides *s, size_t pool)
{
  return s->square ? s->square[pool] : s->q_whole[pool] / s->samples->effective;
}

/* Masses of bins, by pools and by the bins that are seen. */
static void sort_masses(const fare_sides *s, const fare_binned *of, double pooled[], double seen[])
{
  memset(pooled, 0, s->pools * sizeof *pooled);
  memset(seen, 0, s->binning->all_seen * sizeof *seen);
  for (size_t i = 0; i < of->bins; i++) {
    pooled[s->pool[i]] += of->mass[i];
    seen[s->binning->seen_of[i]] += of->mass[i];
  }
  pooled[s->pools] = of->mass[of->bins];
}

/*
  What a draw in a pool counts for. In a bare pool of uneven weights the heaviest rows are missing: not more
  than one row beyond those there were to be expected, had samples the mass of the truth.
*/
static double counts_for(const fare_sides *s, size_t pool, const double mass[])
{
  const fare_binned *q    = s->samples;
  const double       rows = s->square[s->pools + 1 + pool], even = 1 / q->effective,
               seen = mass[pool] > 0 && s->square[pool] > 0 ? s->square[pool] / mass[pool] : even;

  if (rows >= BARE || !(q->effective < FARE_EVEN_LEAST * (double)q->distinct)) return seen;
  return PetscMax(seen, s->p_raw[pool] / (rows + 1));
}

/*
  Sums of squares of shares by pools, scaled to the effective number, and from them the density of draws that
  have this noise where samples have the masses of the truth: a draw in a pool counts for e = sum of squares
  over mass, and p/e are drawn.
*/
static PetscErrorCode sort_squares(fare_sides *s)
{
  const size_t  bins = s->binning->all_seen, pools = s->pools + 1;
  const double *from = s->samples->square;
  double       *mass = s->q, all = 0, draws = 0; /* q is not in use yet */

  PetscFunctionBegin;
  s->draws = s->n;
  if (!from || !s->n) PetscFunctionReturn(0);
  PetscCall(PetscCalloc1(2 * pools, &s->square));
  PetscCall(PetscMalloc1(bins, &s->proposal));
  for (size_t i = 0; i <= bins; i++) all += from[i];
  for (size_t i = 0; i <= bins; i++) {
    const size_t to = i < bins ? s->pool_seen[i] : s->pools;

    s->square[to] += from[i] / (all * s->samples->effective);
    s->square[pools + to] += from[bins + 1 + i];
  }
  sort_masses(s, s->samples, mass, s->q_bin);
  for (size_t i = 0; i < bins; i++) {
    s->proposal[i] = s->p_bin[i] / counts_for(s, s->pool_seen[i], mass);
    draws += s->proposal[i];
  }
  for (size_t i = 0; i < bins; i++) s->proposal[i] /= draws;
  s->draws = PetscMax(1, llround(draws));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_sides_create(const fare_binning *binning, const fare_binned *p,
  const fare_binned *p_corrected, const fare_binned *q, double pooled, fare_sides *s)
{
  const size_t bins = binning->all_seen;

  PetscFunctionBegin;
  memset(s, 0, sizeof *s);
  s->binning = binning;
  s->samples = q;
  s->drawn   = p->samples && q->samples ? p : NULL;
  s->n       = q->samples ? PetscMax(1, llround(q->effective)) : 0;
  s->pools   = binning->bins;
  PetscCall(PetscMalloc2(binning->bins, &s->pool, bins, &s->pool_seen));
  if (s->n)
    PetscCall(fare_binning_pool(binning, p->mass, POOL_LEAST / pooled, s->pool, &s->pools));
  else
    s->least =
      fare_pool_thin(binning->bins, p->mass, p_corrected ? p_corrected->mass : NULL, s->pool, &s->pools);
  for (size_t i = 0; i < binning->bins; i++) s->pool_seen[binning->seen_of[i]] = s->pool[i];
  PetscCall(PetscMalloc5(s->pools + 1, &s->p, s->pools + 1, &s->p_raw, s->pools + 1, &s->q, s->pools + 1,
    &s->q_raw, s->pools + 1, &s->q_whole));
  PetscCall(PetscMalloc6(bins, &s->p_bin, bins, &s->q_bin, bins, &s->q_bin_whole, bins, &s->tail, bins,
    &s->well, bins, &s->counts));
  s->seen = (fare_comparison){.dim = binning->grid.dim,
    .n                             = s->n ? (double)s->n : HUGE_VAL,
    .pools                         = s->pools + 1,
    .p                             = s->p,
    .q                             = s->q,
    .p_raw                         = s->p_raw,
    .q_raw                         = s->q_raw,
    .bins                          = bins,
    .p_bin                         = s->p_bin,
    .q_bin                         = s->q_bin,
    .edge                          = binning->edge,
    .projections                   = &binning->projections,
    .tail                          = s->tail,
    .well                          = s->well};
  if (s->drawn) PetscCall(PetscMalloc1(bins, &s->noise));
  sort_masses(s, p, s->p_raw, s->p_bin);
  PetscCall(sort_squares(s));
  PetscCall(fare_regions_find(binning, s->p_bin, s->tail, s->well, &s->seen.wells));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_sides_destroy(fare_sides *s)
{
  PetscFunctionBegin;
  PetscCall(PetscFree(s->square));
  PetscCall(PetscFree(s->proposal));
  PetscCall(PetscFree(s->deviation));
  PetscCall(PetscFree(s->noise));
  PetscCall(PetscFree2(s->pool, s->pool_seen));
  PetscCall(PetscFree5(s->p, s->p_raw, s->q, s->q_raw, s->q_whole));
  PetscCall(PetscFree6(s->p_bin, s->q_bin, s->q_bin_whole, s->tail, s->well, s->counts));
  PetscFunctionReturn(0);
}

/*
  The truth has no mass outside and is given half a count there; the pools have some of their own, unless its
  error empties one.
*/
static void apply_half_count_outside(fare_sides *s)
{
  const double n = (double)s->n;

  for (size_t i = 0; i <= s->pools; i++) s->p[i] = PetscMax(n * s->p_raw[i], 0.5) / (n + 0.5);
}

/*
  Where its mass is not known the truth is given as much as the other density has, up to the least that would
  be known; the rest is scaled to sum 1 with it.
*/
static void give_least(fare_sides *s)
{
  double given = 0;

  for (size_t i = 0; i <= s->pools; i++) {
    s->p[i] = PetscMax(s->p_raw[i], PetscMin(s->q_raw[i], s->least));
    given += s->p[i] - s->p_raw[i];
  }
  for (size_t i = 0; i <= s->pools; i++) s->p[i] /= 1 + given;
}

void fare_sides_show_truth(fare_sides *s, const fare_binned *p)
{
  sort_masses(s, p, s->p_raw, s->p_bin);
  if (s->n)
    apply_half_count_outside(s);
  else
    give_least(s);
}

/* Jeffreys' half count in each of the declared pools, from the masses already in q_raw. */
static void apply_half_counts(fare_sides *s, double n)
{
  const double all = n + 0.5 * (double)(s->pools + 1);

  s->seen.n = n;
  for (size_t i = 0; i <= s->pools; i++) s->q[i] = (n * s->q_raw[i] + 0.5) / all;
}

void fare_sides_show_samples(fare_sides *s)
{
  const fare_binned *q = s->samples;

  sort_masses(s, q, s->q_raw, s->q_bin);
  memcpy(s->q_whole, s->q_raw, (s->pools + 1) * sizeof *s->q_raw);
  memcpy(s->q_bin_whole, s->q_bin, s->binning->all_seen * sizeof *s->q_bin);
  memcpy(s->q, s->q_raw, (s->pools + 1) * sizeof *s->q_raw);
  if (s->n) apply_half_counts(s, (double)s->n);
  s->seen.q_below = q->below;
  s->seen.q_above = q->mass[q->bins] - q->below;
}

/* From the masses of bins that are seen. */
static void pool_seen(fare_sides *s)
{
  memset(s->q_raw, 0, s->pools * sizeof *s->q_raw);
  for (size_t i = 0; i < s->binning->all_seen; i++) s->q_raw[s->pool_seen[i]] += s->q_bin[i];
}

/* Draws in the masses of q_bin; what one of them counts for is the truth's mass over that of the proposal. */
static void draw(fare_sides *s, fare_random *random)
{
  const size_t bins = s->binning->all_seen;
  double       all  = 0;

  fare_random_multinomial(random, s->draws, bins, s->proposal ? s->proposal : s->p_bin, s->counts);
  for (size_t i = 0; i < bins; i++) {
    s->q_bin[i] = s->counts[i] && s->proposal ? (double)s->counts[i] * (s->p_bin[i] / s->proposal[i])
                                              : (double)s->counts[i];
    all += s->q_bin[i];
  }
  for (size_t i = 0; i < bins; i++) s->q_bin[i] /= s->proposal ? all : (double)s->n;
}

void fare_sides_show_draws(fare_sides *s, fare_random *random)
{
  draw(s, random);
  pool_seen(s);
  s->q_raw[s->pools] = 0;
  s->seen.q_below = s->seen.q_above = 0;
  apply_half_counts(s, (double)s->n);
}

PetscErrorCode fare_sides_correlate(fare_sides *s)
{
  const fare_binned *q    = s->samples;
  const size_t       bins = s->binning->all_seen, groups = q->groups;
  const double       spread = sqrt((double)groups / (double)(groups - 1));

  PetscFunctionBegin;
  PetscCall(PetscCalloc1(groups * s->pools, &s->deviation));
  for (size_t g = 0; g < groups; g++) {
    const double *of = q->group + g * (bins + FARE_GROUP_EXTRA);
    double       *to = s->deviation + g * s->pools, sum = 0;

    for (size_t i = 0; i < bins; i++) to[s->pool_seen[i]] += of[i];
    for (size_t k = 0; k < s->pools; k++) {
      const double scale = s->q_whole[k] > 0 ? sqrt(s->p_raw[k] / s->q_whole[k]) : 1;

      to[k] = (to[k] - of[bins + 2] * s->q_whole[k]) * spread *
        PetscMin(SCALE_MOST, PetscMax(1 / SCALE_MOST, scale));
      sum += to[k];
    }
    for (size_t k = 0; k < s->pools; k++) to[k] -= s->p_raw[k] * sum; /* nothing is outside */
  }
  PetscFunctionReturn(0);
}

void fare_sides_show_correlated(fare_sides *s, double blend, const double drawn[], const double normal[])
{
  const double own = sqrt(blend), other = sqrt(1 - blend);
  double       all = 0;

  for (size_t k = 0; k < s->pools; k++) s->q_raw[k] = s->p_raw[k] + other * (drawn[k] - s->p_raw[k]);
  for (size_t g = 0; g < s->samples->groups; g++) {
    for (size_t k = 0; k < s->pools; k++) s->q_raw[k] += own * normal[g] * s->deviation[g * s->pools + k];
  }
  for (size_t k = 0; k < s->pools; k++) all += s->q_raw[k] = PetscMax(0, s->q_raw[k]);
  for (size_t k = 0; k < s->pools; k++) s->q_raw[k] /= all;
  for (size_t i = 0; i < s->binning->all_seen; i++) {
    const size_t pool = s->pool_seen[i];

    s->q_bin[i] = s->p_raw[pool] > 0 ? s->p_bin[i] * (s->q_raw[pool] / s->p_raw[pool]) : 0;
  }
  s->q_raw[s->pools] = s->seen.q_below = s->seen.q_above = 0;
  apply_half_counts(s, (double)s->n);
}

double fare_sides_bare(const fare_sides *s)
{
  double truth = 0, square = 0, mass = 0;

  for (size_t k = 0; k < s->pools && s->square; k++) {
    if (s->square[s->pools + 1 + k] >= BARE) continue;
    truth += s->p_raw[k];
    square += s->square[k];
    mass += s->q_whole[k];
  }
  return !(mass > 0) || square / mass * s->samples->effective > HEAVY ? truth : 0;
}

PetscBool fare_sides_show_without(fare_sides *s, size_t group)
{
  const fare_binned *q    = s->samples;
  const size_t       bins = s->binning->all_seen;
  const double      *out = q->group + group * (bins + FARE_GROUP_EXTRA), rest = 1 - out[bins + 2];

  if (!(rest > 0)) return PETSC_FALSE;
  /* round-off may not go below nothing */
  for (size_t i = 0; i < bins; i++) s->q_bin[i] = PetscMax(0, s->q_bin_whole[i] - out[i]) / rest;
  pool_seen(s);
  s->seen.q_below    = PetscMax(0, q->below - out[bins]) / rest;
  s->seen.q_above    = PetscMax(0, q->mass[q->bins] - q->below - out[bins + 1]) / rest;
  s->q_raw[s->pools] = s->seen.q_below + s->seen.q_above;
  apply_half_counts(s, PetscMax(1, (double)s->n * rest));
  return PETSC_TRUE;
}

/* The other sign on the other side: measures of drawn truths see the difference alone. */
static void add_noise(fare_sides *s)
{
  for (size_t i = 0; i < s->binning->all_seen; i++) {
    s->q_bin[i] -= s->noise[i];
    s->q_raw[s->pool_seen[i]] -= s->noise[i];
  }
}

void fare_sides_add_truth_noise(fare_sides *s, fare_random *random)
{
  const int64_t n = s->drawn ? s->drawn->samples : 0;

  if (!n) return;
  fare_random_multinomial(random, n, s->binning->all_seen, s->p_bin, s->counts);
  for (size_t i = 0; i < s->binning->all_seen; i++)
    s->noise[i] = (double)s->counts[i] / (double)n - s->p_bin[i];
  add_noise(s);
}

/* The truth may have more groups. */
void fare_sides_leave_out_of_truth(fare_sides *s, size_t group)
{
  const fare_binned *p    = s->drawn;
  const size_t       bins = s->binning->all_seen;
  double             rest = 1;

  if (!p) return;
  memset(s->noise, 0, bins * sizeof *s->noise);
  for (size_t g = 0; g < p->groups; g++) {
    const double *of = p->group + g * (bins + FARE_GROUP_EXTRA);

    if (g * s->samples->groups / p->groups != group) continue;
    for (size_t i = 0; i < bins; i++) s->noise[i] -= of[i];
    rest -= of[bins + 2];
  }
  for (size_t i = 0; i < bins; i++) s->noise[i] = (s->noise[i] + (1 - rest) * s->p_bin[i]) / rest;
  add_noise(s);
}

double fare_sides_change(const fare_sides *s)
{
  double sum = 0;

  for (size_t i = 0; i <= s->pools; i++) sum += (s->q_raw[i] - s->q_whole[i]) * (s->q_raw[i] - s->q_whole[i]);
  return sum;
}
