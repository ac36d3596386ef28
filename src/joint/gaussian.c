/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Linear systems: a Gaussian stays one, and a mixture of them too. Means and covariances by the moment
  equations; a companion with a looser tolerance tells the error.
*/
#include "normals/affine.h"

#include <math.h>

#define LOOSER 100 /* times the tolerance: the companion's */

enum { TIGHT, LOOSE, VERSIONS };

typedef struct {
  fare_normals       at[VERSIONS]; /* first, as FARE_NORMALS_JOINT wants them */
  fare_noisy_normals noisy;
  double             tolerance;
  fare_linear_drift  drift;
} gaussian;

static const fare_field fields[] = {
  {"tolerance", FARE_REAL, offsetof(gaussian, tolerance), "1e-10", 1e-13, 1e-3, NULL, "",
    "relative error of the moments in each time step"},
  FARE_FIELDS_END,
};

static const fare_kept kept[] = {
  FARE_KEEP_WITH(STRUCT, gaussian, at[TIGHT], .fields = fare_normals_kept),
  FARE_KEEP_WITH(STRUCT, gaussian, at[LOOSE], .fields = fare_normals_kept),
  FARE_KEPT_END,
};

static PetscErrorCode look(const fare_system *system, double t)
{
  fare_linear_drift drift;
  PetscErrorCode    code;

  PetscFunctionBegin;
  PetscCall(fare_linear_drift_create(fare_system_dimension(system), &drift));
  code = fare_linear_drift_read(&drift, system, t);
  PetscCall(fare_linear_drift_destroy(&drift));
  PetscFunctionReturn(code);
}

static PetscErrorCode check(const void *state, const fare_system *system, const fare_initial *initial)
{
  const fare_system_type *type = fare_system_type_of(system);

  PetscFunctionBegin;
  (void)state;
  for (int axis = 0; axis < fare_system_dimension(system); axis++) {
    if (type->periodic[axis])
      FARE_FAIL(FARE_ERR_INPUT,
        "axis '%s' is periodic, and kind: gaussian is for axes without ends: take grid",
        fare_system_axis_name(system, axis));
  }
  if (look(system, 0))
    FARE_FAIL(FARE_ERR_INPUT, "kind: gaussian needs linear drift and constant noise: %s; take another kind",
      fare_error_message());
  if (!fare_initial_is_gaussian(initial) && initial->density != FARE_INITIAL_BOLTZMANN)
    FARE_FAIL(FARE_ERR_INPUT,
      "kind: gaussian needs an initial density that is gaussian, a mixture, a point or boltzmann");
  if (initial->weights.count > FARE_NORMALS_MOST)
    FARE_FAIL(FARE_ERR_INPUT, "an initial mixture has at most %d components here", FARE_NORMALS_MOST);
  PetscFunctionReturn(0);
}

static PetscErrorCode begin(const fare_joint *joint, fare_normals *normals)
{
  PetscBool has;

  PetscFunctionBegin;
  if (joint->initial->density != FARE_INITIAL_BOLTZMANN) {
    PetscCall(fare_normals_from_initial(joint->dim, joint->initial, normals));
    PetscFunctionReturn(0);
  }
  PetscCall(fare_linear_boltzmann(joint->system, joint->start, normals, &has));
  if (!has)
    FARE_FAIL(FARE_ERR_INPUT,
      "the potential has no minimum at time %g, so there is no initial Boltzmann density", joint->start);
  PetscFunctionReturn(0);
}

/*
  No error is below this. Where steps grow as fast as they may, both versions take the same ones, and their
  difference is nothing; the error of a step is then known to be below the tolerance, no more.
*/
static double least_error(const fare_joint *joint, double t)
{
  return t > joint->start ? ((const gaussian *)joint->state)->tolerance : PETSC_MACHINE_EPSILON;
}

/* The entropy with its error. That of a mixture is a mean over draws, whose noise outweighs the time steps.
 */
static PetscErrorCode describe_entropy(fare_joint *joint, double t)
{
  const gaussian    *s      = joint->state;
  fare_joint_status *status = &joint->status;
  double             loose, ignored;

  PetscFunctionBegin;
  PetscCall(fare_normals_entropy(&s->at[TIGHT], &status->entropy, &status->entropy_error));
  if (s->at[TIGHT].components > 1) PetscFunctionReturn(0);
  PetscCall(fare_normals_entropy(&s->at[LOOSE], &loose, &ignored));
  status->entropy_error = PetscMax(fabs(status->entropy - loose), joint->dim * least_error(joint, t));
  PetscFunctionReturn(0);
}

/* What the moments say of the density. */
static PetscErrorCode describe(fare_joint *joint, double t)
{
  gaussian          *s      = joint->state;
  fare_joint_status *status = &joint->status;
  fare_normals       boltzmann;
  double             loose;
  PetscBool          has;

  PetscFunctionBegin;
  for (int v = 0; v < VERSIONS; v++) PetscCall(fare_normals_factor(&s->at[v]));
  PetscCall(fare_normals_distance(&s->at[TIGHT], &s->at[LOOSE], &status->error_time));
  status->error_time  = PetscMax(status->error_time, least_error(joint, t));
  status->error       = status->error_time;
  status->error_space = status->error_rank = status->mass_drift = status->discarded = status->clipped = 0;
  PetscCall(describe_entropy(joint, t));
  status->equilibrium = status->equilibrium_error = NAN;
  PetscCall(fare_linear_boltzmann(joint->system, t, &boltzmann, &has));
  if (!has) PetscFunctionReturn(0);
  PetscCall(fare_normals_cross_entropy(&s->at[TIGHT], &boltzmann, &status->equilibrium));
  PetscCall(fare_normals_cross_entropy(&s->at[LOOSE], &boltzmann, &loose));
  status->equilibrium_error = status->entropy_error + fabs(status->equilibrium - loose);
  status->equilibrium -= status->entropy;
  PetscCall(fare_normals_destroy(&boltzmann));
  PetscFunctionReturn(0);
}

static PetscErrorCode setup(fare_joint *joint)
{
  gaussian *s = joint->state;

  PetscFunctionBegin;
  for (int v = 0; v < VERSIONS; v++) PetscCall(begin(joint, &s->at[v]));
  PetscCall(fare_linear_drift_create(joint->dim, &s->drift));
  PetscCall(describe(joint, joint->start));
  PetscFunctionReturn(0);
}

/* Rank 0 alone, so that all have the same bits. */
static PetscErrorCode advance(fare_joint *joint, double t)
{
  gaussian      *s    = joint->state;
  PetscErrorCode code = 0;

  PetscFunctionBegin;
  for (int v = 0; v < VERSIONS && !code && fare_is_rank_0(joint->comm); v++)
    code = fare_moments_advance(
      &s->drift, joint->system, joint->status.time, t, s->tolerance * (v == LOOSE ? LOOSER : 1), &s->at[v]);
  PetscCall(fare_error_agree(joint->comm, code));
  for (int v = 0; v < VERSIONS; v++) {
    PetscCallMPI(MPI_Bcast(s->at[v].mean, (PetscMPIInt)s->at[v].means, MPI_DOUBLE, 0, joint->comm));
    PetscCallMPI(
      MPI_Bcast(s->at[v].covariance, (PetscMPIInt)s->at[v].covariances, MPI_DOUBLE, 0, joint->comm));
  }
  PetscCall(describe(joint, t));
  PetscFunctionReturn(0);
}

static int versions(const fare_joint *joint)
{
  (void)joint;
  return VERSIONS;
}

static PetscErrorCode noise(fare_joint *joint, int levels, const double sd[])
{
  gaussian *s = joint->state;

  return fare_noisy_normals_make(&s->at[TIGHT], levels, sd, &s->noisy);
}

static PetscErrorCode noised(
  fare_joint *joint, int level, int64_t n, const double *const y[], double to[], double *const mean[])
{
  return fare_noisy_normals_mean(&((const gaussian *)joint->state)->noisy, level, n, y, to, mean);
}

static PetscErrorCode loaded(fare_joint *joint)
{
  gaussian *s = joint->state;

  PetscFunctionBegin;
  for (int v = 0; v < VERSIONS; v++) PetscCall(fare_normals_factor(&s->at[v]));
  PetscFunctionReturn(0);
}

static PetscErrorCode destroy(fare_joint *joint)
{
  gaussian *s = joint->state;

  PetscFunctionBegin;
  for (int v = 0; v < VERSIONS; v++) PetscCall(fare_normals_destroy(&s->at[v]));
  PetscCall(fare_noisy_normals_destroy(&s->noisy));
  PetscCall(fare_linear_drift_destroy(&s->drift));
  PetscFunctionReturn(0);
}

static const fare_joint_type *for_system(const fare_system *system, const fare_initial *initial);

/* With modes, and without: what a Gaussian alone has none of. */
#define GAUSSIAN                                                                                            \
  .name = "gaussian", .summary = "linear systems, by the equations of mean and covariance",                 \
  .reference = "Gardiner, Stochastic Methods, section 4.5 (2009)", .size = sizeof(gaussian),                \
  .fields = fields, .check = check, .setup = setup, .advance = advance, .versions = versions, .kept = kept, \
  .loaded = loaded, .destroy = destroy, .noise = noise, .noised = noised, .for_system = for_system,         \
  FARE_NORMALS_JOINT

const fare_joint_type        fare_joint_gaussian = {GAUSSIAN, FARE_NORMALS_MODES};
static const fare_joint_type one_mode            = {GAUSSIAN};

static const fare_joint_type *for_system(const fare_system *system, const fare_initial *initial)
{
  (void)system;
  return initial->weights.count > 1 ? &fare_joint_gaussian : &one_mode;
}
