/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Energies that a network learns from snapshots: E(x) or E(x,t), in coordinates of mean 0 and variance 1, is
  the network's output plus z^2/2 along each axis that is not periodic, so that it begins as a normal's.
  Trained by the likelihood, whose gradient compares the data with walkers in the density of the energy as it
  stands. The state of a method that uses it begins with a fare_energy_model.
*/
#ifndef FARE_ENERGY_MODEL_H
#define FARE_ENERGY_MODEL_H

#include "energy.h"
#include "sampler/shared/generative.h"

typedef enum {
  /* walkers are Markov chains that go on while the energy changes, and lag behind it: Tieleman 2008 */
  FARE_CONTRAST_PERSISTENT,
  FARE_CONTRAST_JARZYNSKI /* they move by unadjusted Langevin steps with weights that make good for both:
                             Carbone et al. 2023 */
} fare_contrast;

typedef struct {
  fare_generative common;
  PetscInt64      walkers, walker_moves;
  double          walker_step;

  PetscBool     conditioned; /* on t */
  fare_contrast contrast;    /* set by the method before setup, as is the former */
  size_t        times;       /* those pooled by an oracle that is not conditioned */
  double       *time;
  fare_energy  *energy;
} fare_energy_model;
#define FARE_ENERGY_MODEL_FIELDS(type, model, steps_, walkers_, moves_, walker_step_)                    \
  FARE_GENERATIVE_FIELDS(type, model.common, "32", "2", steps_, "2048", "2e-3", "4", "3"),               \
    {"walkers", FARE_INTEGER, offsetof(type, model.walkers), walkers_, 1, 1e9, NULL, "",                 \
      "particles that training compares with the data, at each time that it distinguishes; in whole "    \
      "blocks of 512"},                                                                                  \
    {"walker_moves", FARE_INTEGER, offsetof(type, model.walker_moves), moves_, 1, 1e4, NULL, "",         \
      "moves of walkers before each comparison"},                                                        \
  {                                                                                                      \
    "walker_step", FARE_REAL, offsetof(type, model.walker_step), walker_step_, 1e-12, 1e3, NULL, "sd^2", \
      "their initial step h"                                                                             \
  }

/* Of the descriptor, or called by it. Collective. */
PetscErrorCode fare_energy_model_setup(fare_sampler *sampler);
PetscErrorCode fare_energy_model_train(fare_sampler *sampler, const fare_training_set *data);
/*
  Makes the model's `energy`, of the network or of the exact densities, if it is not there yet, and moves it
  to t. FARE_ERR_FAILED where nothing was learned.
*/
PetscErrorCode fare_energy_model_at(fare_sampler *sampler, double t);
/* The rows that training will evaluate. */
int64_t fare_energy_model_rows(const fare_sampler *sampler);
/* Counts them where there is a network to evaluate. */
void fare_energy_model_count(fare_sampler *sampler, int64_t evaluations);

/* Of the descriptor, or called by it. */
PetscErrorCode fare_energy_model_density(fare_sampler *sampler, double t, const fare_grid *grid, Vec *masses);
PetscErrorCode fare_energy_model_destroy(fare_sampler *sampler);
extern const fare_kept fare_energy_model_kept[];

/* The energy of the network with its present weights. */
PetscErrorCode fare_energy_of_network(fare_sampler *sampler, fare_energy **energy);

/*
  Kernel: f -= dU/dz through u and its frequencies, where `d` holds the derivatives by these features: of sin
  and cos of 2^k frequency z, `in`, FARE_BLOCK apart.
*/
void fare_energy_frequencies_back(
  int frequencies, double frequency, int n, const float in[], const float d[], double f[]);

#endif
