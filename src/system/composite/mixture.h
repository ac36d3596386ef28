/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside composites: mixtures of Gaussians with diagonal covariances, for batches of points. */
#ifndef FARE_COMPOSITE_MIXTURE_H
#define FARE_COMPOSITE_MIXTURE_H

#include <stddef.h>

#define FARE_MIXTURE_RUN  64 /* points at a time */
#define FARE_MIXTURE_MOST 64 /* components at most */

/* At one moment; one component after the other. */
typedef struct {
  int           dim, components;
  const double *height;    /* ln of the weight and of the factor in front of a component */
  const double *mean;      /* dim each */
  const double *precision; /* inverse variances */
} fare_mixture_moment;

/*
  At n <= FARE_MIXTURE_RUN points: ln of the density; and, unless NULL, the share of each component in it,
  share[component * FARE_MIXTURE_RUN + i].
*/
void fare_mixture_look(const fare_mixture_moment *mixture, size_t n, const double *const x[],
  double log_density[], double share[]);
/* f[axis][i] = sum over components of share (constant + slope x), constant and slope as mean. */
void fare_mixture_sum(const fare_mixture_moment *mixture, const double constant[], const double slope[],
  size_t n, const double *const x[], const double share[], double *const f[]);

#endif
