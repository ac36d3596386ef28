/* SPDX-License-Identifier: BSD-2-Clause */
/* A truth beyond three axes from the text of a study, and its draws. */
#ifndef JOINTS_H
#define JOINTS_H

#include "fare_test.h"

#include <fare/joint.h>
#include <petscdm.h>

typedef struct {
  fare_config *config;
  fare_system *system;
  fare_initial initial;
  void        *options;
  fare_joint  *joint;
} subject;

/* What comes of a study's sections system, drive, initial and truth; its code is the first error's. */
static inline PetscErrorCode subject_try(MPI_Comm comm, const char *yaml, subject *s)
{
  const fare_node       *root;
  const fare_joint_type *type;
  PetscErrorCode         code;

  memset(s, 0, sizeof *s);
  code = fare_config_parse("joint.yaml", yaml, strlen(yaml), &s->config);
  if (code) return code;
  root = fare_config_root(s->config);
  code = fare_system_from_config(fare_node_find(root, "system"), fare_node_find(root, "drive"), &s->system);
  if (!code) code = fare_initial_from_config(fare_node_find(root, "initial"), s->system, &s->initial);
  if (code) return code;
  type = fare_joint_type_find(fare_node_text(fare_node_find(fare_node_find(root, "truth"), "kind")));
  code = fare_joint_options_read(type, fare_node_find(root, "truth"), s->system, &s->initial, &s->options);
  if (!code) code = fare_system_check(s->system, 0, 10);
  if (!code) code = fare_joint_create(comm, type, s->options, s->system, &s->initial, 0, &s->joint);
  return code;
}

static inline void subject_free(subject *s)
{
  const fare_joint_type *type = s->joint ? s->joint->type : NULL;

  assert_ok(fare_joint_destroy(&s->joint));
  if (type) fare_joint_options_free(type, &s->options);
  fare_initial_free(&s->initial);
  assert_ok(fare_system_destroy(&s->system));
  fare_config_destroy(&s->config);
}

static inline void subject_make(const char *yaml, subject *s)
{
  assert_ok(subject_try(PETSC_COMM_WORLD, yaml, s));
}

/* Draws at the present time, `blocks` blocks of particles: x[axis][i], to be freed with PetscFree(x[0]). */
static inline void subject_draw(subject *s, const char *stream, int blocks, double *x[])
{
  const size_t n = (size_t)blocks * FARE_BLOCK;

  assert_ok(PetscMalloc1((size_t)s->joint->dim * n, &x[0]));
  for (int a = 1; a < s->joint->dim; a++) x[a] = x[0] + (size_t)a * n;
  for (int b = 0; b < blocks; b++) {
    double *at[FARE_AXES_MAX];

    for (int a = 0; a < s->joint->dim; a++) at[a] = x[a] + b * FARE_BLOCK;
    assert_ok(s->joint->type->draw(s->joint, fare_stream_make(7, stream), (uint64_t)b, at));
  }
}

#endif
