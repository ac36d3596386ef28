/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Steps per second and core of the particle engine on the driven Prinz potential, beside the same algorithm
  written the usual way, and beside what it cannot do without: its random numbers alone, and its exponentials
  alone, at the same vector width. Processor time, the best of several turns; all take turns, so that a busy
  machine is busy for all. Nothing is asserted.
*/
#include "particles/particles.h"

#include <fare/langevin.h>
#include <math.h>
#include <stdio.h>
#include <time.h>

#define DT     1e-4
#define STEPS  1000
#define BLOCKS 40   /* stepped one after the other in each turn */
#define SLOW   2000 /* particles of the usual way in each turn */
#define TURNS  7

static double            x[FARE_BLOCK] FARE_ALIGNED, y[FARE_BLOCK] FARE_ALIGNED, slow[SLOW];
static double            theta[(STEPS + 1) * FARE_PARAMETERS_MAX], tilt[STEPS + 1];
static double           *at[FARE_DIM_MAX] = {x}, *to[FARE_DIM_MAX] = {y};
static fare_langevin_run run;
static volatile double   sink;

static double processor_seconds(void)
{
  struct timespec now;

  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void integrate(fare_langevin_kernel kernel)
{
  for (uint64_t b = 0; b < BLOCKS; b++) {
    for (int i = 0; i < FARE_BLOCK; i++) x[i] = 0.7;
    kernel(&run, b, at);
    sink = x[0];
  }
}

static void euler_maruyama(void)
{
  integrate(fare_langevin_euler_maruyama);
}
static void leimkuhler_matthews(void)
{
  integrate(fare_langevin_leimkuhler_matthews);
}
static void heun(void)
{
  integrate(fare_langevin_heun);
}

static void uniforms(void)
{
  for (uint64_t n = 0; n < BLOCKS * STEPS; n++) fare_random_uniforms(run.noise, 0, n, 0, y);
  sink = y[0];
}

static void normals(void)
{
  for (uint64_t n = 0; n < BLOCKS * STEPS; n++) fare_random_normals(run.noise, 0, n, 0, y);
  sink = y[0];
}

static void forces(void)
{
  for (uint64_t n = 0; n < BLOCKS * STEPS; n++)
    run.type->force(1, theta + n % STEPS * FARE_PARAMETERS_MAX, FARE_BLOCK, (const double *const *)at, to);
  sink = y[0];
}

/* Two a step: what is left of the force's three. */
static void exponentials(void)
{
  for (int n = 0; n < 2 * BLOCKS * STEPS; n++) bench_exponentials(FARE_BLOCK, x, y);
  sink = y[0];
}

static void library_exponentials(void)
{
  for (int n = 0; n < 3 * BLOCKS * STEPS; n++) bench_library_exponentials(FARE_BLOCK, x, y);
  sink = y[0];
}

#ifdef BENCH_USUAL
static void usual(void)
{
  for (int i = 0; i < SLOW; i++) slow[i] = 0.7;
  bench_usual(SLOW, STEPS, DT, tilt, slow);
  sink = slow[0];
}
#endif

typedef struct {
  const char *name;
  void (*work)(void);
  double steps, best; /* of a turn; seconds */
} subject;

enum { UNIFORMS, NORMALS, EXPONENTIALS, LIBRARY, FORCES, EULER, LEIMKUHLER, HEUN, USUAL };
static subject subjects[] = {
  [UNIFORMS]     = {"uniforms alone", uniforms, (double)BLOCKS *STEPS *FARE_BLOCK, HUGE_VAL},
  [NORMALS]      = {"normals alone", normals, (double)BLOCKS *STEPS *FARE_BLOCK, HUGE_VAL},
  [EXPONENTIALS] = {"exponentials alone (2)", exponentials, (double)BLOCKS *STEPS *FARE_BLOCK, HUGE_VAL},
  [LIBRARY] = {"exponentials of libmvec alone (3)", library_exponentials, (double)BLOCKS *STEPS *FARE_BLOCK,
    HUGE_VAL},
  [FORCES]  = {"forces alone", forces, (double)BLOCKS *STEPS *FARE_BLOCK, HUGE_VAL},
  [EULER]   = {"FARE, euler_maruyama", euler_maruyama, (double)BLOCKS *STEPS *FARE_BLOCK, HUGE_VAL},
  [LEIMKUHLER] = {"FARE, leimkuhler_matthews", leimkuhler_matthews, (double)BLOCKS *STEPS *FARE_BLOCK,
    HUGE_VAL},
  [HEUN]       = {"FARE, heun", heun, (double)BLOCKS *STEPS *FARE_BLOCK, HUGE_VAL},
#ifdef BENCH_USUAL
  [USUAL] = {"the usual way, euler_maruyama", usual, (double)SLOW *STEPS, HUGE_VAL},
#endif
};

static double nanoseconds(int i)
{
  return 1e9 * subjects[i].best / subjects[i].steps;
}

static void prepare(void)
{
  run = (fare_langevin_run){.type = fare_system_type_find("prinz"),
    .dim                          = 1,
    .steps                        = STEPS,
    .theta                        = theta,
    .dt                           = DT,
    .noise                        = fare_stream_make(1, "bench")};
  for (int n = 0; n <= STEPS; n++) {
    double *p = theta + (size_t)n * FARE_PARAMETERS_MAX;

    tilt[n]    = 4 * sin(2 * M_PI * n * DT);
    p[FARE_KT] = p[FARE_MOBILITY] = 1;
    p[FARE_OWN]                   = 4;
    p[FARE_OWN + 1]               = tilt[n];
  }
}

int main(void)
{
  const size_t count = sizeof subjects / sizeof subjects[0];
  double       bound;

  prepare();
  for (int turn = 0; turn < TURNS; turn++) {
    for (size_t i = 0; i < count; i++) {
      double began;

      for (int k = 0; k < FARE_BLOCK; k++) x[k] = -1.0 * k / FARE_BLOCK;
      began = processor_seconds();
      subjects[i].work();
      subjects[i].best = fmin(subjects[i].best, processor_seconds() - began);
    }
  }
  printf("one core, driven Prinz potential, double precision, kernels for %s\n", fare_random_instructions());
  printf("%-36s%14s%16s\n", "", "ns a step", "steps a second");
  for (size_t i = 0; i < count; i++)
    printf("%-36s%14.2f%16.3g\n", subjects[i].name, nanoseconds((int)i), 1e9 / nanoseconds((int)i));
  bound = nanoseconds(NORMALS) + nanoseconds(EXPONENTIALS);
  printf("bound (normals and two exponentials): %.2f ns, %.3g steps a second; euler_maruyama takes %.2f "
         "times as long\n",
    bound, 1e9 / bound, nanoseconds(EULER) / bound);
#ifdef BENCH_USUAL
  printf(
    "euler_maruyama takes %.1f times less than the usual way\n", nanoseconds(USUAL) / nanoseconds(EULER));
#else
  printf("the usual way was not built: no C++ compiler\n");
#endif
  return 0;
}
