/* SPDX-License-Identifier: BSD-2-Clause */
#include <fare/joint.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FARE_JOINT(name) extern const fare_joint_type fare_joint_##name;
#include "list.h"
#undef FARE_JOINT

static const fare_joint_type *const types[] = {
#define FARE_JOINT(name) &fare_joint_##name,
#include "list.h"
#undef FARE_JOINT
  NULL};

const fare_joint_type *fare_joint_type_at(size_t i)
{
  return i < PETSC_STATIC_ARRAY_LENGTH(types) ? types[i] : NULL;
}

const fare_joint_type *fare_joint_type_find(const char *name)
{
  for (size_t i = 0; types[i]; i++) {
    if (!strcmp(types[i]->name, name)) return types[i];
  }
  return NULL;
}

const fare_joint_type *fare_joint_type_for(
  const fare_joint_type *type, const fare_system *system, const fare_initial *initial)
{
  return type->for_system ? type->for_system(system, initial) : type;
}

void fare_joint_type_describe(const fare_joint_type *type, FILE *to)
{
  fprintf(to, "truth %s: %s\n%s\n\n", type->name, type->summary, type->reference);
  fare_fields_describe(type->fields, to);
}

/* The one key of the section that is not the kind's own. */
typedef struct {
  char *kind;
} chosen;
const fare_field fare_joint_kind_field[] = {
  {"kind", FARE_STRING, offsetof(chosen, kind), "grid", 0, 0, NULL, "", "how the truth is computed"},
  FARE_FIELDS_END,
};

PetscErrorCode fare_joint_options_read(const fare_joint_type *type, const fare_node *node,
  const fare_system *system, const fare_initial *initial, void **options)
{
  PetscErrorCode code;

  PetscFunctionBegin;
  *options = calloc(1, type->size);
  if (!*options) FARE_FAIL(FARE_ERR_FAILED, "out of memory for a truth of kind %s", type->name);
  code = fare_fields_read(type->fields, fare_joint_kind_field, node, *options);
  if (!code && type->check) {
    code = type->check(*options, system, initial);
    if (code == FARE_ERR_INPUT) code = fare_node_error(node, "%s", fare_error_message());
  }
  if (code) fare_joint_options_free(type, options);
  PetscFunctionReturn(code);
}

void fare_joint_options_free(const fare_joint_type *type, void **options)
{
  if (*options) fare_fields_free(type->fields, *options);
  free(*options);
  *options = NULL;
}

static void forget(fare_joint_status *status)
{
  *status = (fare_joint_status){.error = NAN,
    .error_space                       = NAN,
    .error_time                        = NAN,
    .error_rank                        = NAN,
    .mass_drift                        = NAN,
    .discarded                         = NAN,
    .clipped                           = NAN,
    .rank                              = NAN,
    .entropy                           = NAN,
    .entropy_error                     = NAN,
    .equilibrium                       = NAN,
    .equilibrium_error                 = NAN,
    .boundary_mass                     = NAN};
}

PetscErrorCode fare_joint_create(MPI_Comm comm, const fare_joint_type *type, const void *options,
  const fare_system *system, const fare_initial *initial, double start, fare_joint **joint)
{
  fare_joint *j;

  PetscFunctionBegin;
  PetscCall(PetscNew(&j));
  *joint     = j;
  j->type    = fare_joint_type_for(type, system, initial);
  j->comm    = comm;
  j->system  = system;
  j->initial = initial;
  j->start   = start;
  j->dim     = fare_system_dimension(system);
  j->state   = calloc(1, type->size);
  if (!j->state) FARE_FAIL(FARE_ERR_FAILED, "out of memory for a truth of kind %s", type->name);
  PetscCall(fare_fields_copy(type->fields, options, j->state));
  if (type->check) PetscCall(type->check(j->state, system, initial));
  forget(&j->status);
  j->status.time = start;
  PetscCall(type->setup(j));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_joint_destroy(fare_joint **joint)
{
  fare_joint *j = *joint;

  PetscFunctionBegin;
  if (!j) PetscFunctionReturn(0);
  if (j->type->destroy && j->state) PetscCall(j->type->destroy(j));
  if (j->state) fare_fields_free(j->type->fields, j->state);
  free(j->state);
  PetscCall(PetscFree(*joint));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_joint_advance(fare_joint *joint, double t)
{
  double began = fare_seconds(), took;

  PetscFunctionBegin;
  if (t < joint->status.time)
    FARE_FAIL(FARE_ERR_FAILED, "the truth is at time %g and cannot go back to %g", joint->status.time, t);
  PetscCall(joint->type->advance(joint, t));
  joint->status.time = t;
  took               = fare_seconds() - began;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &took, 1, MPI_DOUBLE, MPI_MAX, joint->comm));
  joint->status.seconds += took;
  PetscFunctionReturn(0);
}

PetscErrorCode fare_joint_draw(fare_joint *joint, fare_stream stream, fare_ensemble *ensemble)
{
  PetscErrorCode code = 0;

  PetscFunctionBegin;
  for (int64_t b = 0; b < ensemble->blocks && !code; b++) {
    const fare_block block = fare_ensemble_block(ensemble, b);

    code = joint->type->draw(joint, stream, block.number, block.x);
  }
  PetscCall(fare_error_agree(ensemble->comm, code));
  ensemble->time = joint->status.time;
  PetscFunctionReturn(0);
}

/* The status is saved beside the state. */
static const fare_kept status_kept[] = {
  FARE_KEEP(REAL, fare_joint_status, time),
  FARE_KEEP(REAL, fare_joint_status, error),
  FARE_KEEP(REAL, fare_joint_status, error_space),
  FARE_KEEP(REAL, fare_joint_status, error_time),
  FARE_KEEP(REAL, fare_joint_status, error_rank),
  FARE_KEEP(REAL, fare_joint_status, mass_drift),
  FARE_KEEP(REAL, fare_joint_status, discarded),
  FARE_KEEP(REAL, fare_joint_status, clipped),
  FARE_KEEP(REAL, fare_joint_status, rank),
  FARE_KEEP(REAL, fare_joint_status, entropy),
  FARE_KEEP(REAL, fare_joint_status, entropy_error),
  FARE_KEEP(REAL, fare_joint_status, equilibrium),
  FARE_KEEP(REAL, fare_joint_status, equilibrium_error),
  FARE_KEEP(REAL, fare_joint_status, boundary_mass),
  FARE_KEEP(REAL, fare_joint_status, doubt),
  FARE_KEEP(REAL, fare_joint_status, seconds),
  FARE_KEPT_END,
};

PetscErrorCode fare_joint_save(const fare_joint *joint, fare_store *to, const char *group)
{
  char path[256];

  PetscFunctionBegin;
  snprintf(path, sizeof path, "%s/status", group);
  PetscCall(fare_kept_save(status_kept, &joint->status, 0, to, path));
  snprintf(path, sizeof path, "%s/state", group);
  if (joint->type->kept) PetscCall(fare_kept_save(joint->type->kept, joint->state, 0, to, path));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_joint_load(fare_joint *joint, fare_store *from, const char *group)
{
  char path[256];

  PetscFunctionBegin;
  snprintf(path, sizeof path, "%s/status", group);
  PetscCall(fare_kept_load(status_kept, &joint->status, 0, joint, from, path));
  snprintf(path, sizeof path, "%s/state", group);
  if (joint->type->kept) PetscCall(fare_kept_load(joint->type->kept, joint->state, 0, joint, from, path));
  if (joint->type->loaded) PetscCall(joint->type->loaded(joint));
  PetscFunctionReturn(0);
}
