/* SPDX-License-Identifier: BSD-2-Clause */
/* What bench/particles.c measures, besides the engine. */
#ifndef BENCH_PARTICLES_H
#define BENCH_PARTICLES_H

#ifdef __cplusplus
extern "C" {
#endif

/*
  Euler-Maruyama of the driven Prinz potential (height 4, kT and mobility 1) one particle after the other;
  tilt[step].
*/
void bench_usual(int particles, int steps, double dt, const double tilt[], double x[]);
/* So many exponentials, e^x of x <= 0: FARE's inline ones, and the vector library's. */
void bench_exponentials(int n, const double x[], double e[]);
void bench_library_exponentials(int n, const double x[], double e[]);

#ifdef __cplusplus
}
#endif

#endif
