/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Steps per second, core and axis of every overdamped integrator, in one axis and in many: independent double
  wells with constant noise, and the same written as drift and diffusion. Processor time, the best of several
  turns; all take turns, so that a busy machine is busy for all. Nothing is asserted. It also builds beside
  versions of FARE whose states have three axes at most.
*/
#include <fare/langevin.h>

#include <math.h>
#include <stdio.h>
#include <time.h>

#ifndef FARE_AXES_MAX
#define FARE_AXES_MAX FARE_DIM_MAX
#endif

#define DT    1e-3
#define STEPS 200
#define WORK  512 /* axes of blocks stepped in each turn */
#define TURNS 9

static double          theta[(STEPS + 1) * FARE_PARAMETERS_MAX];
static double          place[FARE_AXES_MAX][FARE_BLOCK] FARE_ALIGNED, *x[FARE_AXES_MAX];
static volatile double sink;

static double processor_seconds(void)
{
  struct timespec now;

  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void force(int dim, const double *p, size_t n, const double *const at[], double *const f[])
{
  const double tilt = p[FARE_OWN];

  for (int axis = 0; axis < dim; axis++) {
    const double *restrict q = at[axis];
    double *restrict to      = f[axis];

#pragma omp simd
    for (size_t i = 0; i < n; i++) to[i] = 4 * q[i] * (1 - q[i] * q[i]) + tilt;
  }
}

static void diffusion(int dim, const double *p, size_t n, const double *const at[], double *const D[])
{
  (void)at;
  for (int axis = 0; axis < dim; axis++) {
    for (size_t i = 0; i < n; i++) D[axis][i] = p[FARE_KT];
  }
}

static const fare_system_type thermal = {.name = "wells", .dimension_max = FARE_AXES_MAX, .force = force},
                              general = {.name = "general",
                                .dimension_max = FARE_AXES_MAX,
                                .drift         = force,
                                .diffusion     = diffusion};

static struct {
  const char             *name;
  fare_langevin_kernel    kernel;
  const fare_system_type *type;
} const kernels[] = {
  {"euler_maruyama", fare_langevin_euler_maruyama, &thermal},
  {"leimkuhler_matthews", fare_langevin_leimkuhler_matthews, &thermal},
  {"heun", fare_langevin_heun, &thermal},
  {"general euler_maruyama", fare_langevin_general_euler_maruyama, &general},
  {"general heun", fare_langevin_general_heun, &general},
};
static const int axes[] = {1, 3, 8, 32, 128};

#define KERNELS (sizeof kernels / sizeof kernels[0])
#define CASES   (sizeof axes / sizeof axes[0])

/* Seconds of one turn. */
static double turn(size_t kernel, int dim)
{
  const fare_langevin_run run = {.type = kernels[kernel].type,
    .dim                               = dim,
    .steps                             = STEPS,
    .theta                             = theta,
    .dt                                = DT,
    .noise                             = fare_stream_make(1, "bench")};
  double                  began;

  for (int axis = 0; axis < dim; axis++) {
    for (int i = 0; i < FARE_BLOCK; i++) place[axis][i] = 0.7;
  }
  began = processor_seconds();
  for (int b = 0; b < WORK / dim; b++) kernels[kernel].kernel(&run, (uint64_t)b, x);
  sink = place[dim - 1][0];
  return processor_seconds() - began;
}

int main(void)
{
  double best[KERNELS][CASES];

  for (int axis = 0; axis < FARE_AXES_MAX; axis++) x[axis] = place[axis];
  for (int n = 0; n <= STEPS; n++) {
    double *p = theta + (size_t)n * FARE_PARAMETERS_MAX;

    p[FARE_KT] = p[FARE_MOBILITY] = 1;
    p[FARE_OWN]                   = sin(2 * M_PI * n * DT);
  }
  for (size_t k = 0; k < KERNELS; k++) {
    for (size_t c = 0; c < CASES; c++) best[k][c] = HUGE_VAL;
  }
  for (int t = 0; t < TURNS; t++) {
    for (size_t k = 0; k < KERNELS; k++) {
      for (size_t c = 0; c < CASES; c++) {
        if (axes[c] <= FARE_AXES_MAX) best[k][c] = fmin(best[k][c], turn(k, axes[c]));
      }
    }
  }
  printf(
    "one core, double wells, ns per step and axis, kernels for %s\n%-24s", fare_random_instructions(), "");
  for (size_t c = 0; c < CASES; c++) printf("%8d", axes[c]);
  printf(" axes\n");
  for (size_t k = 0; k < KERNELS; k++) {
    printf("%-24s", kernels[k].name);
    for (size_t c = 0; c < CASES; c++)
      printf("%8.3f", 1e9 * best[k][c] / ((double)(WORK / axes[c] * axes[c]) * STEPS * FARE_BLOCK));
    printf("\n");
  }
  return 0;
}
