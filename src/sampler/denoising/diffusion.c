/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Score-based diffusion, conditioned on the physical time t: a network learns to take normal noise out of
  particles of all training times, and new particles of any time are made out of noise. Generative time is the
  noise level sigma, kept apart from t.

  Two parametrisations of one flow, with the same sampling: `edm` predicts what is preconditioned, at
  levels that are lognormal in training; `vp` predicts the noise, at levels of the variance-preserving
  process, x_tau = exp(-B/2) x + sqrt(1 - exp(-B)) e with tau even in (0, 1): sigma^2 = exp(B) - 1.
*/
#include "denoising.h"
#include "sampler/prior/score_prior.h"
#include "sampler/shared/posterior.h"

#include <math.h>

#define LEAST_TAU 1e-5 /* below it the score of vp has no bound that matters */

enum { EDM, VP };
static const char *const parametrisations[] = {"edm", "vp", NULL};
enum { ODE, SDE };
static const char *const solvers[] = {"ode", "sde", NULL};

typedef struct {
  fare_denoising denoising;
  int            parametrisation, solver;
} diffusion;

/*
  Defaults from short trainings on the driven Prinz potential, two seeds each, D(truth||drawn) over 256 bins
  where exact draws have 0.0025: as they stand 0.0038; two layers 0.0046; no frequencies of the position
  0.0052; a fifth feature of t 0.0040; 4 of t or 6 of the position no different from these; width 96 0.0035
  for twice the time. sigma_max is large because all times begin from one normal, off by the data's mean over
  sigma_max.
*/
static const fare_field fields[] = {
  FARE_GENERATIVE_FIELDS(diffusion, denoising.common, "64", "3", "10000", "4096", "4e-3", "5", "3"),
  FARE_DENOISING_FIELDS(diffusion, denoising, "1.4"),
  {"parametrisation", FARE_CHOICE, offsetof(diffusion, parametrisation), "edm", 0, 0, parametrisations, "",
    "what the network predicts, and its noise levels in training; vp sets sigma_min and sigma_max by its "
    "betas"},
  {"beta_min", FARE_REAL, offsetof(diffusion, denoising.beta_min), "0.1", 1e-6, 1e3, NULL, "",
    "vp: noise rate at tau = 0"},
  {"beta_max", FARE_REAL, offsetof(diffusion, denoising.beta_max), "20", 1, 1e3, NULL, "",
    "vp: noise rate at tau = 1"},
  {"solver", FARE_CHOICE, offsetof(diffusion, solver), "ode", 0, 0, solvers, "",
    "ode: the probability flow; sde: with noise added before each step"},
  {"churn", FARE_REAL, offsetof(diffusion, denoising.churn), "20", 0, 1e4, NULL, "",
    "sde: relative increase of the noise level by added noise, over all steps (at most 0.41 in each)"},
  FARE_FIELDS_END,
};

static void noise(const fare_denoising *d, int dim, fare_stream stream, uint64_t block, uint64_t step,
  uint32_t draw, double e[][FARE_BLOCK])
{
  (void)d;
  for (int axis = 0; axis < dim; axis++)
    fare_random_normals(stream, block, step, draw + (uint32_t)axis, e[axis]);
}

static double vp_level(const fare_denoising *d, double tau)
{
  return sqrt(expm1(tau * (d->beta_min + 0.5 * (d->beta_max - d->beta_min) * tau)));
}

static PetscErrorCode setup(fare_sampler *sampler)
{
  diffusion      *s = sampler->state;
  fare_denoising *d = &s->denoising;

  PetscFunctionBegin;
  d->noise          = noise;
  d->stochastic     = s->solver == SDE ? PETSC_TRUE : PETSC_FALSE;
  d->predicts_noise = s->parametrisation == VP ? PETSC_TRUE : PETSC_FALSE;
  if (s->parametrisation == VP) {
    d->sigma_min = vp_level(d, LEAST_TAU);
    d->sigma_max = vp_level(d, 1);
  }
  PetscCall(fare_denoising_setup(sampler));
  PetscFunctionReturn(0);
}

const fare_sampler_type fare_sampler_diffusion = {
  .name          = "diffusion",
  .summary       = "score-based diffusion conditioned on time: a network turns noise into particles",
  .reference     = "Song et al., arXiv 2011.13456 (2020); Karras et al., arXiv 2206.00364 (2022)",
  .family        = FARE_GENERATIVE,
  .walls         = FARE_WALLS_FOLDED,
  .size          = sizeof(diffusion),
  .modes         = FARE_ORACLE | FARE_EMPIRICAL,
  .fields        = fields,
  .setup         = setup,
  .train         = fare_denoising_train,
  .advance       = fare_denoising_advance,
  .estimate_cost = fare_denoising_estimate_cost,
  .curve         = fare_generative_curve,
  .kept          = fare_generative_kept,
  .loaded        = fare_generative_loaded,
  .many_axes     = PETSC_TRUE,
  .noised_oracle = PETSC_TRUE,
  .lifted        = PETSC_TRUE,
  .priors =
    1 << FARE_PRIOR_FOKKER_PLANCK | 1 << FARE_PRIOR_NOISE_EQUATION | 1 << FARE_PRIOR_LEAST_DISSIPATION,
  .check_prior = fare_score_check_prior,
  .destroy     = fare_posterior_destroy,
};
