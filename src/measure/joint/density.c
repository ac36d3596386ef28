/* SPDX-License-Identifier: BSD-2-Clause */
/* Generators with a density of their own: means of functions of ln p and ln q, without bins. */
#include "look.h"

#include <math.h>

extern const fare_joint_measure_type fare_joint_measure_reverse_kl_density, fare_joint_measure_kl_density,
  fare_joint_measure_density_mass;

static PetscErrorCode measure(fare_joint_look *look, const fare_measure_type *type, fare_measured *result)
{
  const int which     = type == &fare_joint_measure_reverse_kl_density.base ? 0
        : type == &fare_joint_measure_kl_density.base                       ? 1
                                                                            : 2,
            versions  = look->joint->type->versions(look->joint);
  const int64_t local = look->ensemble->local;
  double        error = versions > 1 ? 0 : look->joint->status.error > 0 ? NAN : 0;

  PetscFunctionBegin;
  PetscCall(fare_look_log_p(look));
  for (int v = PetscMin(1, versions - 1); v < versions; v++) {
    PetscCall(fare_measure_density(which, look->ensemble, look->effective, -HUGE_VAL, look->log_p,
      v ? look->log_p + v * local : NULL, look->log_q, result));
    if (v) error = fare_larger_change(error, result->truth_error);
  }
  result->truth_error = error;
  PetscFunctionReturn(0);
}

#define REFERENCE "Kullback and Leibler, Ann. Math. Stat. 22, 79 (1951)"

const fare_joint_measure_type fare_joint_measure_reverse_kl_density = {
  .base    = {.name = "reverse_kl_density",
       .summary     = "D(ensemble||truth) from the samples' own density, without binning",
       .definition  = "weighted mean over samples of ln q - ln p; where the truth has no density, at most ln(2n "
                         "+ 1) for n samples: half a count.",
       .reference   = REFERENCE,
       .unit        = "nats"},
  .needs   = FARE_NEEDS_LOG_DENSITY,
  .measure = measure,
};
const fare_joint_measure_type fare_joint_measure_kl_density = {
  .base    = {.name = "kl_density",
       .summary     = "D(truth||ensemble) from the samples' own density",
       .definition  = "weighted mean over samples of u ln u - u + 1, u = p/q: valid where density_mass is 1.",
       .reference   = "Owen, Monte Carlo theory, methods and examples, chapter 9 (2013)",
       .unit        = "nats"},
  .needs   = FARE_NEEDS_LOG_DENSITY,
  .measure = measure,
};
const fare_joint_measure_type fare_joint_measure_density_mass = {
  .base    = {.name = "density_mass",
       .summary     = "mass of the truth that the samples' own density accounts for",
       .definition  = "weighted mean over samples of p/q: 1 where q is normalised and covers the truth.",
       .reference   = "Owen, Monte Carlo theory, methods and examples, chapter 9 (2013)",
       .unit        = "1"},
  .needs   = FARE_NEEDS_LOG_DENSITY,
  .measure = measure,
};
