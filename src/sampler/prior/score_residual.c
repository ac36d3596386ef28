/* SPDX-License-Identifier: BSD-2-Clause */
#include "score_residual.h"

enum { BELOW, HERE, ABOVE, BEFORE, AFTER };

/* G between points a and a + 1, and its derivatives by the scores there. */
static double flow(const fare_score_place *p, int a, const double s[], double slope[2])
{
  const double m[2] = {p->drift[a] + p->pull[a] * s[a], p->drift[a + 1] + p->pull[a + 1] * s[a + 1]};

  for (int k = 0; k < 2; k++) {
    const double sign = k ? 1 : -1, pull = p->pull[a + k];

    slope[k] = p->D * (sign / p->h + s[a + k]) - sign * pull / p->h - 0.5 * (m[k] + pull * s[a + k]);
  }
  return p->D * ((s[a + 1] - s[a]) / p->h + 0.5 * (s[a + 1] * s[a + 1] + s[a] * s[a])) -
    (m[1] - m[0]) / p->h - 0.5 * (m[1] * s[a + 1] + m[0] * s[a]);
}

double fare_score_residual(
  const fare_score_place *p, const double s[FARE_SCORE_POINTS], double slope[FARE_SCORE_POINTS])
{
  double       low[2], high[2];
  const double below = flow(p, BELOW, s, low), above = flow(p, HERE, s, high);

  slope[BELOW]  = low[0] / p->h;
  slope[HERE]   = (low[1] - high[0]) / p->h;
  slope[ABOVE]  = -high[1] / p->h;
  slope[BEFORE] = -1 / p->span;
  slope[AFTER]  = 1 / p->span;
  return (s[AFTER] - s[BEFORE]) / p->span - (above - below) / p->h;
}
