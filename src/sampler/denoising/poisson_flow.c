/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Poisson flow (PFGM++), conditioned on the physical time t: particles of dimension N are charges in N + D
  dimensions, and new ones follow their field lines from far away. It is diffusion with another noise, of
  density ~ (|e|^2 + r^2)^(-(N + D)/2) at r = sigma sqrt(D), whose heavy tails make the field less sharp; D ->
  infinity is diffusion.

  The reference code clips the beta variate behind the noise to [1e-3, 1 - 1e-3], which at N = 1 and D = 128
  changes 28% of all draws. Here it is exact.
*/
#include "poisson_flow.h"

#include "denoising.h"
#include "sampler/shared/posterior.h"

typedef struct {
  fare_denoising denoising;
  PetscInt64     dimensions;
} poisson_flow;

static const fare_field fields[] = {
  FARE_GENERATIVE_FIELDS(poisson_flow, denoising.common, "64", "3", "10000", "4096", "4e-3", "5", "3"),
  FARE_DENOISING_FIELDS(poisson_flow, denoising, "1.4"),
  {"dimensions", FARE_INTEGER, offsetof(poisson_flow, dimensions), "32", 1, 1e6, NULL, "",
    "D, the dimensions added to those of the system: few give heavy tails, many give diffusion"},
  FARE_FIELDS_END,
};

static void noise(const fare_denoising *d, int dim, fare_stream stream, uint64_t block, uint64_t step,
  uint32_t draw, double e[][FARE_BLOCK])
{
  fare_poisson_noise(dim, d->augmented, stream, block, step, draw, e);
}

static PetscErrorCode setup(fare_sampler *sampler)
{
  poisson_flow *s = sampler->state;

  PetscFunctionBegin;
  s->denoising.noise     = noise;
  s->denoising.augmented = (int)s->dimensions;
  PetscCall(fare_denoising_setup(sampler));
  PetscFunctionReturn(0);
}

const fare_sampler_type fare_sampler_poisson_flow = {
  .name      = "poisson_flow",
  .summary   = "Poisson flow conditioned on time: particles follow electric field lines in extra dimensions",
  .reference = "Xu et al., arXiv 2209.11178 (2022); Xu et al. (PFGM++), arXiv 2302.04265 (2023)",
  .family    = FARE_GENERATIVE,
  .walls     = FARE_WALLS_FOLDED,
  .size      = sizeof(poisson_flow),
  .modes     = FARE_ORACLE | FARE_EMPIRICAL,
  .fields    = fields,
  .setup     = setup,
  .train     = fare_denoising_train,
  .advance   = fare_denoising_advance,
  .estimate_cost = fare_denoising_estimate_cost,
  .curve         = fare_generative_curve,
  .kept          = fare_generative_kept,
  .loaded        = fare_generative_loaded,
  .many_axes     = PETSC_TRUE,
  .noised_oracle = PETSC_TRUE,
  .lifted        = PETSC_TRUE,
  .destroy       = fare_posterior_destroy,
};
