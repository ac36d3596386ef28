/* Kernels of the diffusion sampler. Noise level sigma and angle phi = arctan(sigma) are the same thing. */
#ifndef FARE_DIFFUSION_H
#define FARE_DIFFUSION_H

#include <fare/ensemble.h>

/* sigma = exp(mean + sd z) within [least, most], for n rows; `angle` is ln(sigma) scaled to [-1, 1]. */
void fare_diffusion_levels(int n, double mean, double sd, double least, double most, const float z[], float sigma[], float angle[]);
/*
  Noisy data y = x + sigma e, the network's input u = c_in y = y/sqrt(1 + sigma^2), and what the network should say,
  (x - c_skip y)/c_out = (sigma x - e)/sqrt(1 + sigma^2).
*/
void fare_diffusion_corrupt(int n, const float sigma[], const float x[], const float e[], float y[], float u[], float target[]);
/* The sum of weight (F - target)^2, and its derivatives by F. */
double fare_diffusion_loss(int n, const float weight[], const float target[], const float F[], float d[]);
/* out = u + h F, and out = u + h (F + G)/2, for a block. */
void fare_diffusion_euler(float h, const float u[FARE_BLOCK], const float F[FARE_BLOCK], float out[FARE_BLOCK]);
void fare_diffusion_heun(float h, const float u[FARE_BLOCK], const float F[FARE_BLOCK], const float G[FARE_BLOCK], float out[FARE_BLOCK]);
/* out = a u + b z, for a block; and to double, shift + scale u. */
void fare_diffusion_mix(float a, float b, const float u[FARE_BLOCK], const double z[FARE_BLOCK], float out[FARE_BLOCK]);
void fare_diffusion_place(double shift, double scale, const float u[FARE_BLOCK], double x[FARE_BLOCK]);
/* out = a u for a block. */
void fare_diffusion_scale(float a, const float u[FARE_BLOCK], float out[FARE_BLOCK]);

#endif
