/* SPDX-License-Identifier: BSD-2-Clause */
/* Independent exact draws from the truth: what a perfect generator would show. */
#include <fare/sampler.h>

#include <stdio.h>

typedef struct {
  int64_t calls;
} exact;

static const fare_field fields[] = {FARE_FIELDS_END};

static PetscErrorCode advance(fare_sampler *sampler, double t, fare_ensemble *ensemble)
{
  exact *s = sampler->state;
  char   name[64];

  PetscFunctionBegin;
  (void)t;
  if (!sampler->joint)
    FARE_SAMPLER_FAIL(sampler, FARE_ERR_INPUT, "draws from a truth that is not one grid, and there is none");
  snprintf(name, sizeof name, "draws %lld", (long long)s->calls++);
  PetscCall(fare_joint_draw(sampler->joint, fare_sampler_stream(sampler, name), ensemble));
  PetscFunctionReturn(0);
}

static PetscErrorCode log_density(fare_sampler *sampler, int64_t n, const double *const x[], double to[])
{
  return sampler->joint->type->log_density(sampler->joint, 0, n, x, to);
}

static const fare_kept kept[] = {
  FARE_KEEP(INTEGER, exact, calls),
  FARE_KEPT_END,
};

const fare_sampler_type fare_sampler_exact_draws = {
  .name        = "exact",
  .summary     = "independent exact draws from a truth without a grid: a perfect generator",
  .reference   = "",
  .family      = FARE_EQUILIBRIUM,
  .many_axes   = PETSC_TRUE,
  .lifted      = PETSC_TRUE,
  .needs_joint = PETSC_TRUE,
  .size        = sizeof(exact),
  .fields      = fields,
  .advance     = advance,
  .log_density = log_density,
  .kept        = kept,
};
