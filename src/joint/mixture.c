/* SPDX-License-Identifier: BSD-2-Clause */
/* Driven mixtures of Gaussians, whose density is that of the system at all times, in closed form. */
#include "normals/normals.h"

#include <fare/mixture.h>

#include <math.h>

#define JUMPS_MAX 1000 /* of the drive that are looked at beforehand */

typedef struct {
  fare_normals       at; /* first, as FARE_NORMALS_JOINT wants it */
  fare_noisy_normals noisy;
} mixture;

static const fare_field fields[] = {FARE_FIELDS_END};

/* No drift carries a density along a jump. */
static PetscErrorCode check_jumps(const fare_system *system, double from, double to)
{
  int jumps = 0;

  PetscFunctionBegin;
  for (double t = fare_system_next_jump(system, from); t < to && jumps++ < JUMPS_MAX;
       t        = fare_system_next_jump(system, t)) {
    if (fare_mixture_jumps(system, t))
      FARE_FAIL(FARE_ERR_INPUT,
        "kind: mixture: at time %g centres or widths jump, and no drift carries the density along; drive "
        "them "
        "without jumps",
        t);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode check(const void *state, const fare_system *system, const fare_initial *initial)
{
  PetscFunctionBegin;
  (void)state;
  if (!fare_mixture_of(system))
    FARE_FAIL(FARE_ERR_INPUT, "kind: mixture is for system 'gaussian_mixture', not for '%s'",
      fare_system_type_of(system)->name);
  if (initial->density != FARE_INITIAL_BOLTZMANN)
    FARE_FAIL(FARE_ERR_INPUT,
      "kind: mixture begins with the mixture itself, which is its Boltzmann density: initial: {density: "
      "boltzmann}");
  PetscCall(check_jumps(system, 0, HUGE_VAL));
  PetscFunctionReturn(0);
}

/* The density is known but for rounding. It is the Boltzmann density of the moment, too: V = -kT ln p. */
static PetscErrorCode place(fare_joint *joint, double t)
{
  mixture           *s      = joint->state;
  fare_joint_status *status = &joint->status;
  const int          dim    = joint->dim;
  double            *variance;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1((size_t)s->at.means, &variance));
  fare_mixture_at(joint->system, t, s->at.weight, s->at.mean, variance);
  for (int64_t i = 0; i < s->at.means; i++)
    s->at.covariance[(i / dim * dim + i % dim) * dim + i % dim] = variance[i];
  PetscCall(PetscFree(variance));
  PetscCall(fare_normals_factor(&s->at));
  status->error = status->error_space = status->error_time = status->error_rank = 0;
  status->mass_drift = status->discarded = status->clipped = 0;
  PetscCall(fare_normals_entropy(&s->at, &status->entropy, &status->entropy_error));
  status->equilibrium = status->equilibrium_error = 0;
  PetscFunctionReturn(0);
}

static PetscErrorCode setup(fare_joint *joint)
{
  mixture *s = joint->state;

  PetscFunctionBegin;
  PetscCall(fare_normals_create(joint->dim, fare_mixture_components(fare_mixture_of(joint->system)), &s->at));
  PetscCall(place(joint, joint->start));
  PetscFunctionReturn(0);
}

static PetscErrorCode advance(fare_joint *joint, double t)
{
  PetscFunctionBegin;
  PetscCall(check_jumps(joint->system, joint->status.time, t));
  PetscCall(place(joint, t));
  PetscFunctionReturn(0);
}

static int versions(const fare_joint *joint)
{
  (void)joint;
  return 1;
}

static PetscErrorCode noise(fare_joint *joint, int levels, const double sd[])
{
  mixture *s = joint->state;

  return fare_noisy_normals_make(&s->at, levels, sd, &s->noisy);
}

static PetscErrorCode noised(
  fare_joint *joint, int level, int64_t n, const double *const y[], double to[], double *const mean[])
{
  return fare_noisy_normals_mean(&((const mixture *)joint->state)->noisy, level, n, y, to, mean);
}

static PetscErrorCode loaded(fare_joint *joint)
{
  return place(joint, joint->status.time);
}

static PetscErrorCode destroy(fare_joint *joint)
{
  mixture *s = joint->state;

  PetscFunctionBegin;
  PetscCall(fare_noisy_normals_destroy(&s->noisy));
  PetscCall(fare_normals_destroy(&s->at));
  PetscFunctionReturn(0);
}

static const fare_joint_type *for_system(const fare_system *system, const fare_initial *initial);

/* With modes, and without: what one component has none of. */
#define MIXTURE                                                                                     \
  .name = "mixture", .summary = "driven mixtures of Gaussians, in closed form",                     \
  .reference = "Patra and Jarzynski, New J. Phys. 19, 125009 (2017)", .size = sizeof(mixture),      \
  .fields = fields, .check = check, .setup = setup, .advance = advance, .versions = versions,       \
  .loaded = loaded, .destroy = destroy, .noise = noise, .noised = noised, .for_system = for_system, \
  FARE_NORMALS_JOINT

const fare_joint_type        fare_joint_mixture = {MIXTURE, FARE_NORMALS_MODES};
static const fare_joint_type one_mode           = {MIXTURE};

static const fare_joint_type *for_system(const fare_system *system, const fare_initial *initial)
{
  const fare_mixture *of = fare_mixture_of(system);

  (void)initial;
  return of && fare_mixture_components(of) < 2 ? &one_mode : &fare_joint_mixture;
}
