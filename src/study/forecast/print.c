/* SPDX-License-Identifier: BSD-2-Clause */
/* What a forecast means for so many ranks, in words. */
#include "forecast.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

#define BEGIN   0.15 /* seconds that any study takes to begin and end */
#define SCALING 0.35 /* of a truth with ranks: 2 are 1.3 times as fast (docs/benchmarks.md) */

/* On so many ranks that have a core each; a truth of one axis is solved by every rank for itself. */
static double seconds_on(const fare_forecast *f, const fare_plan *plan, int ranks)
{
  const PetscBool alone  = fare_system_dimension(plan->system) == 1;
  const double    spread = f->training + f->sampling - f->serial + f->measures;

  return BEGIN + f->truth / (alone ? 1 : pow(ranks, SCALING)) + spread / ranks + f->serial + f->disk;
}

/* The largest number of ranks that are used by half or more. */
static int sensible_ranks(const fare_forecast *f, const fare_plan *plan, int most)
{
  int best = 1;

  for (int ranks = 2; ranks <= most; ranks++) {
    const double seconds = seconds_on(f, plan, ranks);

    if (seconds_on(f, plan, 1) / seconds >= 0.5 * ranks && seconds < 0.9 * seconds_on(f, plan, best))
      best = ranks;
  }
  return best;
}

/* "3.2 s", "14 min" or "2.1 h" */
static const char *duration(double seconds, size_t size, char text[])
{
  if (seconds < 90)
    snprintf(text, size, "%.2g s", seconds);
  else if (seconds < 5400)
    snprintf(text, size, "%.2g min", seconds / 60);
  else
    snprintf(text, size, "%.2g h", seconds / 3600);
  return text;
}

PetscErrorCode fare_plan_forecast(const fare_plan *plan, int ranks, FILE *to)
{
  const int      cores = (int)sysconf(_SC_NPROCESSORS_ONLN);
  const double   began = fare_seconds();
  fare_forecast  f;
  char           text[32];
  PetscErrorCode code;
  int            best;

  PetscFunctionBegin;
  fare_hush(PETSC_TRUE);
  code = fare_forecast_try(plan, &f);
  fare_hush(PETSC_FALSE);
  PetscCall(code);
  fprintf(to, "time        about %s on %d rank%s without a report",
    duration(seconds_on(&f, plan, ranks), sizeof text, text), ranks, ranks > 1 ? "s" : "");
  fprintf(to, " (in all: truth %.2g s, training %.2g, sampling %.2g, measures %.2g, disk %.2g)%s\n", f.truth,
    f.training, f.sampling, f.measures, f.disk,
    f.partial ? "; analyses, rare events, control, inference, oracles, pilot runs, measures without a grid "
                "or learning in Python come on top"
              : "");
  best = sensible_ranks(&f, plan, PetscMax(cores, ranks));
  fprintf(to, "ranks       %d of %d cores here are sensible: about %s; tried out in %.1f s\n", best, cores,
    duration(seconds_on(&f, plan, best), sizeof text, text), fare_seconds() - began);
  PetscFunctionReturn(0);
}
