/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The residual of a Fokker-Planck equation in a score s = d ln p/dz along one axis. With m the drift and D a
  constant, ln p obeys d_t ln p = G, and so d_t s = dG/dz,

    G = D (ds/dz + s^2) - dm/dz - m s.

  By differences between five points: s at z - h, z, z + h, and at z before and after; G half-way between the
  first three. The residual is so a polynomial of the scores, and its derivatives are exact.

  Noise of level sigma makes of the drift its mean over what lies behind z, E[f | z] = f + sigma^2 (f' s +
  f''/2) to second order in sigma (Tweedie's formula), which depends on the score: m = drift + pull s.
*/
#ifndef FARE_SCORE_RESIDUAL_H
#define FARE_SCORE_RESIDUAL_H

#define FARE_SCORE_POINTS 5 /* below, here, above, before, after */

typedef struct {
  double h, span; /* between neighbours along the axis; between before and after */
  double D;
  double drift[3], pull[3]; /* below, here, above */
} fare_score_place;

/* The residual, per time and z; its derivatives by the five scores. */
double fare_score_residual(
  const fare_score_place *place, const double s[FARE_SCORE_POINTS], double slope[FARE_SCORE_POINTS]);

#endif
