/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Better numbers from the same grids, by Richardson's rule. The scheme is of second order: where a number
  falls by 4 from grid to grid, the finest lacks a third of the last difference. The coarser grids make such
  numbers, too. The error of the finest is a third of its difference from the next, where plain second order
  would leave a fifteenth: no finer grid shows that.

  Three grids may fall by 4 by accident, and even four where sets end within cells: what a cell cuts differs
  from grid to grid. There, nothing is extrapolated. A fourth grid that falls so, too, allows smaller errors.

  Numbers of one sign are extrapolated in their logarithms: rates stay inverses of times.
*/
#include "analysis.h"

#include <math.h>

#define RATIO    4.0
#define APART    0.1  /* of that ratio is near enough */
#define FARTHER  0.08 /* on the fourth grid */
#define MOST     0.5  /* largest relative difference of two grids */
#define SMALLEST 0.1  /* of the last difference over RATIO - 1: no error is smaller */
#define FIRMEST  0.02 /* but where a fourth grid falls alike */

/* The numbers of each grid, the finest first, and what Richardson's rule makes of neighbours. */
typedef struct {
  int    grids;
  double value[FARE_ANALYSIS_GRIDS], difference[FARE_ANALYSIS_GRIDS - 1], better[FARE_ANALYSIS_GRIDS - 1];
} ladder;

static void climb(PetscBool by_logarithms, ladder *l)
{
  for (int k = 0; k < l->grids && by_logarithms; k++) l->value[k] = log(fabs(l->value[k]));
  for (int k = 0; k < l->grids - 1; k++) {
    l->difference[k] = l->value[k] - l->value[k + 1];
    l->better[k]     = l->value[k] + l->difference[k] / (RATIO - 1);
  }
}

static PetscBool falls(const ladder *l, int k, double apart)
{
  return fabs(l->difference[k + 1] - RATIO * l->difference[k]) <= apart * RATIO * fabs(l->difference[k])
    ? PETSC_TRUE
    : PETSC_FALSE;
}

static PetscBool is_regular(const ladder *l, double size)
{
  if (l->grids < 3 || !(fabs(l->difference[0]) > 0)) return PETSC_FALSE;
  for (int k = 0; k < 2; k++) {
    if (!(fabs(l->difference[k]) <= MOST * size)) return PETSC_FALSE;
  }
  return falls(l, 0, APART);
}

/* Terms of the next order are squares of those of the second, if nothing else is known of them. */
static double error_of(const ladder *l, double size)
{
  const double last  = fabs(l->difference[0]);
  const double least = l->grids > 3 && falls(l, 1, FARTHER) ? FIRMEST : SMALLEST;

  return PetscMax(fabs(l->better[0] - l->better[1]), PetscMax(least, last / size) * last) / (RATIO - 1);
}

/* Number k of a finding, from those of that name on coarser grids. */
static void extrapolate(fare_finding *f, size_t k, int grids, const fare_finding *const same[])
{
  const double share    = 1 + 2 / (RATIO - 1); /* of errors that grids do not tell */
  PetscBool    one_sign = PETSC_TRUE;
  ladder       l        = {.grids = grids, .value = {f->value[k]}};
  double       value, error, size;

  for (int g = 1; g < grids; g++) l.value[g] = same[g]->value[k];
  for (int g = 1; g < grids; g++) one_sign &= l.value[g] * l.value[0] > 0 ? PETSC_TRUE : PETSC_FALSE;
  size = one_sign ? 1 : fabs(f->value[k]);
  climb(one_sign, &l);
  if (!is_regular(&l, size)) return;
  value = one_sign ? copysign(exp(l.better[0]), f->value[k]) : l.better[0];
  error = error_of(&l, size) * (one_sign ? fabs(value) : 1) + share * f->least[k] + 1e-12 * fabs(value);
  if (!(error < f->error[k])) return;
  f->value[k] = value;
  f->error[k] = error;
}

void fare_findings_extrapolate(const fare_findings coarser[FARE_ANALYSIS_GRIDS], fare_findings *found)
{
  for (int i = 0; i < found->findings && !found->cut; i++) {
    fare_finding       *f                         = &found->finding[i];
    const fare_finding *same[FARE_ANALYSIS_GRIDS] = {f};
    int                 grids                     = 1;

    if (!f->error) continue;
    while (grids < FARE_ANALYSIS_GRIDS && (same[grids] = fare_findings_find(&coarser[grids], f->name)))
      grids++;
    for (size_t k = 0; k < f->extent[0] * f->extent[1]; k++) extrapolate(f, k, grids, same);
  }
}
