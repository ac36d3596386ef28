/* Kernels of the simulated dynamics: one block of particles through many steps. */
#ifndef FARE_LANGEVIN_H
#define FARE_LANGEVIN_H

#include <fare/ensemble.h>

/* A run of steps that all blocks of an ensemble take alike. */
typedef struct {
  const fare_system_type *type;
  int                     dim, steps;
  const double           *theta; /* parameters at every step's time, steps x FARE_PARAMETERS_MAX (one more for schemes that look ahead) */
  double                  dt;
  fare_stream             noise;
  uint64_t                first_step;
} fare_langevin_run;

/* Each moves the FARE_BLOCK particles x[axis] of global block `block`. */
typedef void (*fare_langevin_kernel)(const fare_langevin_run *run, uint64_t block, double *const x[]);

/* X += mobility f(X, t) dt + sqrt(2 D dt) R_n: Maruyama 1955. Weak order 1. */
void fare_langevin_euler_maruyama(const fare_langevin_run *run, uint64_t block, double *const x[]);
/* The same with (R_n + R_{n+1})/2 for R_n: Leimkuhler and Matthews 2013. Order 2 in the stationary density. */
void fare_langevin_leimkuhler_matthews(const fare_langevin_run *run, uint64_t block, double *const x[]);
/* Predictor and corrector with the mean of both drifts: weak order 2 for additive noise. Two forces a step. */
void fare_langevin_heun(const fare_langevin_run *run, uint64_t block, double *const x[]);

/* For any drift f and diffusion D: X += f dt + sqrt(2 D dt) R, of weak order 1 in the sense of Ito. */
void fare_langevin_general_euler_maruyama(const fare_langevin_run *run, uint64_t block, double *const x[]);
/* The same with the mean of both drifts of a predictor step: weak order 2 where the noise is constant, else 1. */
void fare_langevin_general_heun(const fare_langevin_run *run, uint64_t block, double *const x[]);

#endif
