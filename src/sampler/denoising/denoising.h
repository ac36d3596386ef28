/* SPDX-License-Identifier: BSD-2-Clause */
/*
  denoising: what the samplers share that learn to take noise out of data and draw by taking it out of pure
  noise, level by level: diffusion and Poisson flow.

  Preconditioning of Karras et al. with data of variance 1: the denoiser is D(y; sigma, t) = c_skip y + c_out
  F(c_in y; sigma, t). In the variable u = c_in y and the angle phi = arctan(sigma) the equation dy/dsigma =
  (y - D)/sigma becomes du/dphi = -F, so that Heun's method has no error where data are normal: c_skip and
  c_in are integrated exactly. A network that predicts the noise e instead gives F = (u sin(phi) -
  e)/cos(phi).
*/
#ifndef FARE_DENOISING_H
#define FARE_DENOISING_H

#include "sampler/shared/generative.h"

/* The state of such a method begins with it. */
typedef struct fare_denoising {
  fare_generative common;
  PetscInt64      sampling_steps;
  double          sigma_min, sigma_max, p_mean, p_std, rho, churn;
  /* set by the method's setup */
  /* noise is added between steps (see churn); the network says e, not F */
  PetscBool stochastic, predicts_noise;
  /* with predicts_noise: of the schedule that levels are drawn from in training */
  double beta_min, beta_max;
  int    augmented; /* of the posterior: 0 where noise is normal */
  /* A block of noise of level 1, from the draws `draw` on of its stream and step. */
  void (*noise)(const struct fare_denoising *d, int dim, fare_stream stream, uint64_t block, uint64_t step,
    uint32_t draw, double e[][FARE_BLOCK]);
} fare_denoising;

#define FARE_DENOISING_FIELDS(type, member, p_std_)                                                          \
  {"noise_frequencies", FARE_INTEGER, offsetof(type, member.common.noise_frequencies), "3", 0, 16, NULL, "", \
    "frequencies of sines and cosines of ln sigma, the lowest half a period over its range"},                \
    {"sigma_min", FARE_REAL, offsetof(type, member.sigma_min), "0.01", 1e-6, 1, NULL, "sd",                  \
      "lowest noise level"},                                                                                 \
    {"sigma_max", FARE_REAL, offsetof(type, member.sigma_max), "80", 1, 1e4, NULL, "sd",                     \
      "highest noise level"},                                                                                \
    {"p_mean", FARE_REAL, offsetof(type, member.p_mean), "-1.2", -20, 20, NULL, "",                          \
      "mean of ln sigma in training"},                                                                       \
    {"p_std", FARE_REAL, offsetof(type, member.p_std), p_std_, 1e-3, 20, NULL, "",                           \
      "standard deviation of ln sigma in training"},                                                         \
    {"sampling_steps", FARE_INTEGER, offsetof(type, member.sampling_steps), "24", 2, 4096, NULL, "",         \
      "steps from noise to data; two network evaluations in each but the last"},                             \
  {                                                                                                          \
    "rho", FARE_REAL, offsetof(type, member.rho), "7", 1, 100, NULL, "",                                     \
      "how strongly steps concentrate at low noise: equal steps of sigma^(1/rho)"                            \
  }

/* Of the descriptor; setup and destroy are called by, or stand for, those of the method. */
PetscErrorCode fare_denoising_setup(fare_sampler *sampler);
PetscErrorCode fare_denoising_train(fare_sampler *sampler, const fare_training_set *data);
PetscErrorCode fare_denoising_advance(fare_sampler *sampler, double t, fare_ensemble *ensemble);
void           fare_denoising_estimate_cost(const fare_sampler *sampler, int64_t particles, fare_cost *cost);

/*
  Kernels. sigma = exp(mean + sd z) within [least, most], for n rows; `level` is ln(sigma) scaled to [-1, 1].
*/
void fare_denoising_levels(
  int n, double mean, double sd, double least, double most, const float z[], float sigma[], float level[]);
/*
  The same for tau even in (0, 1), tau = Phi(z): sigma^2 = exp(B) - 1 with B = beta_min tau + (beta_max -
  beta_min) tau^2/2.
*/
void fare_denoising_levels_even(int n, double beta_min, double beta_max, double least, double most,
  const float z[], float sigma[], float level[]);
/*
  Noisy data y = x + sigma e, the network's input u = c_in y = y/sqrt(1 + sigma^2), and what the network
  should say, (x - c_skip y)/c_out = (sigma x - e)/sqrt(1 + sigma^2).
*/
void fare_denoising_corrupt(
  int n, const float sigma[], const float x[], const float e[], float y[], float u[], float target[]);

#endif
