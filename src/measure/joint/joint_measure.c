/* SPDX-License-Identifier: BSD-2-Clause */
#include "look.h"

#include <math.h>
#include <string.h>

#define FARE_JOINT_MEASURE(name) extern const fare_joint_measure_type fare_joint_measure_##name;
#include "list.h"
#undef FARE_JOINT_MEASURE

static const fare_joint_measure_type *const types[] = {
#define FARE_JOINT_MEASURE(name) &fare_joint_measure_##name,
#include "list.h"
#undef FARE_JOINT_MEASURE
};

const fare_measure_type *fare_joint_measure_at(size_t i)
{
  return i < PETSC_STATIC_ARRAY_LENGTH(types) ? &types[i]->base : NULL;
}

const fare_measure_type *fare_joint_measure_find(const char *name)
{
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(types); i++) {
    if (!strcmp(types[i]->base.name, name)) return &types[i]->base;
  }
  return NULL;
}

static const fare_joint_measure_type *whole(const fare_measure_type *type)
{
  size_t i = 0;

  while (&types[i]->base != type) i++;
  return types[i];
}

PetscBool fare_joint_measure_is_usual(const fare_measure_type *type)
{
  return whole(type)->extra ? PETSC_FALSE : PETSC_TRUE;
}

PetscErrorCode fare_joint_measure_check(
  const fare_measure_type *type, const fare_joint_type *kind, int dim, PetscBool has_log_density)
{
  const unsigned needs = whole(type)->needs;

  PetscFunctionBegin;
  if (needs & FARE_NEEDS_BLOCKS && !kind->independent)
    FARE_FAIL(FARE_ERR_INPUT,
      "measure %s needs a density that is a product of blocks, and of kind '%s' it is none: take "
      "log_density_shift",
      type->name, kind->name);
  if (needs & FARE_NEEDS_LOG_DENSITY && !has_log_density)
    FARE_FAIL(FARE_ERR_INPUT,
      "measure %s needs samples with their own ln q; for samples alone take rosenblatt or marginals_2",
      type->name);
  if (needs & FARE_NEEDS_PAIRS && dim < 2)
    FARE_FAIL(FARE_ERR_INPUT, "measure %s needs two axes: take marginals_1", type->name);
  if (needs & FARE_NEEDS_MARGINALS && !kind->marginal)
    FARE_FAIL(FARE_ERR_INPUT, "measure %s needs marginals, which a truth of kind '%s' does not have: %s",
      type->name, kind->name, kind->no_marginal ? kind->no_marginal : "take log_density_shift");
  if (needs & FARE_NEEDS_ROSENBLATT && !kind->rosenblatt)
    FARE_FAIL(FARE_ERR_INPUT, "measure %s needs conditionals, which a truth of kind '%s' does not have: %s",
      type->name, kind->name, kind->no_rosenblatt ? kind->no_rosenblatt : "take marginals_2");
  if (needs & FARE_NEEDS_BLOCK_ROSENBLATT && !kind->block_rosenblatt)
    FARE_FAIL(FARE_ERR_INPUT, "measure %s is for rotated products: take %s", type->name,
      kind->rosenblatt ? "rosenblatt" : "log_density_shift");
  if (needs & FARE_NEEDS_MODES && !kind->mode_of && !kind->block)
    FARE_FAIL(FARE_ERR_INPUT,
      "measure %s needs modes, which this truth of kind '%s' does not name: take log_density_shift",
      type->name, kind->name);
  PetscFunctionReturn(0);
}

void fare_look_unknown(fare_measured *m)
{
  m->interval = FARE_NO_VALUE;
  m->value = m->corrected = m->low = m->high = m->floor_mean = m->floor_high = m->excess = NAN;
  m->significance = m->p_value = m->truth_error = NAN;
}

PetscErrorCode fare_look_log_p(fare_joint_look *look)
{
  const fare_joint_type *kind     = look->joint->type;
  const int64_t          local    = look->ensemble->local;
  const int              versions = kind->versions(look->joint);

  PetscFunctionBegin;
  if (look->log_p) PetscFunctionReturn(0);
  PetscCall(PetscMalloc1((size_t)(versions * PetscMax(1, local)), &look->log_p));
  for (int v = 0; v < versions; v++)
    PetscCall(kind->log_density(
      look->joint, v, local, (const double *const *)look->ensemble->x, look->log_p + v * local));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_look_draws(fare_joint_look *look)
{
  const int64_t wanted = PetscMin(look->ensemble->count, FARE_LOOK_PARTICLES) * FARE_LOOK_DRAWS / FARE_BLOCK,
                blocks = PetscMin(FARE_LOOK_DRAWS_MOST, PetscMax(FARE_LOOK_DRAWS_LEAST, wanted));
  const MPI_Comm comm  = look->ensemble->comm;
  PetscErrorCode code  = 0;
  double        *to[FARE_AXES_MAX];
  int            rank, size;

  PetscFunctionBegin;
  if (look->drawn) PetscFunctionReturn(0);
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCallMPI(MPI_Comm_size(comm, &size));
  look->drawn = blocks * FARE_BLOCK;
  for (int axis = 0; axis < look->joint->dim; axis++)
    PetscCall(PetscCalloc1((size_t)look->drawn, &look->draw[axis]));
  for (int64_t b = rank; b < blocks && !code; b += size) {
    for (int axis = 0; axis < look->joint->dim; axis++) to[axis] = look->draw[axis] + b * FARE_BLOCK;
    code = look->joint->type->draw(look->joint, look->draws, (uint64_t)b, to);
  }
  PetscCall(fare_error_agree(comm, code));
  for (int axis = 0; axis < look->joint->dim && size > 1; axis++)
    PetscCallMPI(
      MPI_Allreduce(MPI_IN_PLACE, look->draw[axis], (PetscMPIInt)look->drawn, MPI_DOUBLE, MPI_SUM, comm));
  PetscFunctionReturn(0);
}

/* As many draws as stand beside units, and enough for a change of a distribution. */
static int64_t companions_of(const fare_joint_look *look)
{
  const int64_t blocks = (look->ensemble->count + FARE_BLOCK - 1) / FARE_BLOCK;

  return PetscMin(
    look->drawn, FARE_BLOCK * PetscMax(FARE_LOOK_COMPANIONS, PetscMin(blocks, FARE_LOOK_UNITS)));
}

PetscErrorCode fare_look_drawn_log_p(fare_joint_look *look)
{
  const fare_joint_type *kind     = look->joint->type;
  const int              versions = kind->versions(look->joint);
  const double          *x[FARE_AXES_MAX];
  int                    rank, size;

  PetscFunctionBegin;
  if (look->drawn_log_p) PetscFunctionReturn(0);
  PetscCall(fare_look_draws(look));
  PetscCallMPI(MPI_Comm_rank(look->ensemble->comm, &rank));
  PetscCallMPI(MPI_Comm_size(look->ensemble->comm, &size));
  look->companions = companions_of(look);
  PetscCall(PetscCalloc1((size_t)(versions * look->drawn), &look->drawn_log_p));
  for (int64_t at = rank * FARE_BLOCK; at < look->drawn; at += size * FARE_BLOCK) {
    for (int axis = 0; axis < look->joint->dim; axis++) x[axis] = look->draw[axis] + at;
    for (int v = 0; v < (at < look->companions ? versions : 1); v++)
      PetscCall(kind->log_density(look->joint, v, FARE_BLOCK, x, look->drawn_log_p + v * look->drawn + at));
  }
  if (size > 1)
    PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, look->drawn_log_p, (PetscMPIInt)(versions * look->drawn),
      MPI_DOUBLE, MPI_SUM, look->ensemble->comm));
  PetscFunctionReturn(0);
}

double fare_larger_change(double before, double change)
{
  return isnan(before) || isnan(change) ? NAN : PetscMax(before, change);
}

double fare_look_ratio(const fare_joint_look *look, int version, int64_t i)
{
  const double first = look->drawn_log_p[i], other = look->drawn_log_p[version * look->drawn + i];

  return isfinite(first) ? exp(other - first) : 1;
}

/* (sum w)^2 / sum w^2, in the order of blocks. */
static PetscErrorCode find_effective(const fare_ensemble *e, double *effective)
{
  const int64_t blocks = (e->count + FARE_BLOCK - 1) / FARE_BLOCK;
  double       *of, sum[2] = {0};

  PetscFunctionBegin;
  *effective = (double)e->count;
  if (!e->weight) PetscFunctionReturn(0);
  PetscCall(PetscCalloc1((size_t)(2 * blocks), &of));
  for (int64_t i = 0; i < e->local; i++) {
    const double w = PetscMax(0, e->weight[i]);

    of[2 * (e->first_block + i / FARE_BLOCK)] += w;
    of[2 * (e->first_block + i / FARE_BLOCK) + 1] += w * w;
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, of, (PetscMPIInt)(2 * blocks), MPI_DOUBLE, MPI_SUM, e->comm));
  for (int64_t b = 0; b < blocks; b++) {
    sum[0] += of[2 * b];
    sum[1] += of[2 * b + 1];
  }
  PetscCall(PetscFree(of));
  if (!(sum[0] > 0)) FARE_FAIL(FARE_ERR_FAILED, "no particle has a positive weight");
  *effective = sum[0] / sum[1] * sum[0];
  PetscFunctionReturn(0);
}

static fare_stream stream_of(fare_stream stream, const char *name)
{
  return fare_stream_make((uint64_t)stream.key[0] << 32 | stream.key[1], name);
}

PetscErrorCode fare_joint_compare(fare_joint *joint, const fare_ensemble *ensemble,
  const double log_density[], size_t count, const fare_measure_type *const of[], int replicates,
  fare_stream stream, fare_measured results[])
{
  fare_joint_look look = {.joint = joint,
    .ensemble                    = ensemble,
    .log_q                       = log_density,
    .replicates                  = replicates,
    .stream                      = stream_of(stream, "floors"),
    .draws                       = stream_of(stream, "exact draws")};
  PetscErrorCode  code;

  PetscFunctionBegin;
  code = find_effective(ensemble, &look.effective);
  for (size_t m = 0; m < count && !code; m++) {
    results[m] = (fare_measured){.effective = look.effective, .independent = look.effective};
    code       = fare_joint_measure_check(of[m], joint->type, joint->dim, PETSC_TRUE);
    if (code) break;
    if (whole(of[m])->needs & FARE_NEEDS_LOG_DENSITY && !log_density)
      fare_look_unknown(&results[m]);
    else
      code = whole(of[m])->measure(&look, of[m], &results[m]);
  }
  PetscCall(PetscFree(look.log_p));
  PetscCall(PetscFree(look.drawn_log_p));
  for (int axis = 0; axis < joint->dim; axis++) PetscCall(PetscFree(look.draw[axis]));
  for (int i = 0; i < FARE_PART_KINDS * FARE_PART_MEASURES; i++)
    PetscCall(PetscFree(look.parts[i / FARE_PART_MEASURES].of[i % FARE_PART_MEASURES]));
  PetscFunctionReturn(code);
}
