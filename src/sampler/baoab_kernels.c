#include "baoab.h"

#include <math.h>

#define ALIGNED __attribute__((aligned(64)))

/* The exact solution of dv = -friction v dt + sqrt(2 heating) dW over dt, v -> keep v + spread z, with the mean of both ends' parameters. */
static void friction_and_noise(const fare_langevin_run *run, const double *theta, const double *next, double *keep, double *spread)
{
  double friction[2], heating[2], rate, loss;

  run->type->bath(theta, &friction[0], &heating[0]);
  run->type->bath(next, &friction[1], &heating[1]);
  rate    = 0.5 * (friction[0] + friction[1]);
  loss    = -expm1(-2 * rate * run->dt);
  *keep   = exp(-rate * run->dt);
  *spread = sqrt(0.5 * (heating[0] + heating[1]) * (rate > 0 ? loss / rate : 2 * run->dt));
}

void fare_baoab(const fare_langevin_run *run, uint64_t block, double *const x[])
{
  double *restrict q = x[0], *restrict v = x[1];
  double       a[FARE_BLOCK] ALIGNED, z[FARE_BLOCK] ALIGNED;
  const double half = 0.5 * run->dt;

  run->type->acceleration(run->theta, FARE_BLOCK, q, a);
  for (int step = 0; step < run->steps; step++) {
    const double *theta = run->theta + (size_t)step * FARE_PARAMETERS_MAX, *next = theta + FARE_PARAMETERS_MAX;
    double        keep, spread;

    friction_and_noise(run, theta, next, &keep, &spread);
    fare_random_normals(run->noise, block, run->first_step + (uint64_t)step, 0, z);
#pragma omp simd
    for (int i = 0; i < FARE_BLOCK; i++) {
      const double kicked = v[i] + half * a[i], stirred = keep * kicked + spread * z[i];

      q[i] += half * (kicked + stirred);
      v[i] = stirred;
    }
    run->type->acceleration(next, FARE_BLOCK, q, a);
#pragma omp simd
    for (int i = 0; i < FARE_BLOCK; i++) v[i] += half * a[i];
  }
}
