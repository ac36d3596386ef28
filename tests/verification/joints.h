/* SPDX-License-Identifier: BSD-2-Clause */
/* Truths without a grid, from sections of a study file. */
#ifndef JOINTS_H
#define JOINTS_H

#include "fare_test.h"

#include <stdlib.h>

typedef struct {
  fare_config           *config;
  fare_system           *system;
  fare_initial          *initial; /* of malloc: the truth goes on to read it */
  const fare_joint_type *type;
  void                  *options;
  fare_joint            *joint;
} joint_subject;

static inline PetscErrorCode try_joint(const char *yaml, joint_subject *s)
{
  const fare_node *root, *truth;

  PetscFunctionBegin;
  *s         = (joint_subject){0};
  s->initial = calloc(1, sizeof *s->initial);
  PetscCall(fare_config_parse("plan.yaml", yaml, strlen(yaml), &s->config));
  root  = fare_config_root(s->config);
  truth = fare_node_find(root, "truth");
  PetscCall(
    fare_system_from_config(fare_node_find(root, "system"), fare_node_find(root, "drive"), &s->system));
  PetscCall(fare_initial_from_config(fare_node_find(root, "initial"), s->system, s->initial));
  s->type = fare_joint_type_find(fare_node_text(fare_node_find(truth, "kind")));
  PetscCall(fare_joint_options_read(s->type, truth, s->system, s->initial, &s->options));
  PetscCall(fare_joint_create(PETSC_COMM_WORLD, s->type, s->options, s->system, s->initial, 0, &s->joint));
  PetscFunctionReturn(0);
}

static inline void drop_joint(joint_subject *s)
{
  assert_ok(fare_joint_destroy(&s->joint));
  if (s->type) fare_joint_options_free(s->type, &s->options);
  if (s->initial) fare_initial_free(s->initial);
  free(s->initial);
  assert_ok(fare_system_destroy(&s->system));
  fare_config_destroy(&s->config);
}

static inline joint_subject make_joint(const char *yaml)
{
  joint_subject s;

  assert_ok(try_joint(yaml, &s));
  return s;
}

static inline void refuses_joint(const char *yaml, const char *says)
{
  joint_subject s;

  assert_int_equal(try_joint(yaml, &s), FARE_ERR_INPUT);
  if (!strstr(fare_error_message(), says)) fail_msg("expected \"%s\" in: %s", says, fare_error_message());
  drop_joint(&s);
}

/* Draws at the present time, `blocks` blocks of particles: x[axis][i], of which x[0] is to be freed. */
static inline void draw_joint(fare_joint *joint, const char *stream, int blocks, double *x[])
{
  const size_t n = (size_t)blocks * FARE_BLOCK;

  assert_ok(PetscMalloc1((size_t)joint->dim * n, &x[0]));
  for (int axis = 1; axis < joint->dim; axis++) x[axis] = x[0] + (size_t)axis * n;
  for (int b = 0; b < blocks; b++) {
    double *at[FARE_AXES_MAX];

    for (int axis = 0; axis < joint->dim; axis++) at[axis] = x[axis] + b * FARE_BLOCK;
    assert_ok(joint->type->draw(joint, fare_stream_make(7, stream), (uint64_t)b, at));
  }
}

/* ln p of one version at one point. */
static inline double log_density_at(fare_joint *joint, int version, const double point[])
{
  const double *x[FARE_AXES_MAX];
  double        value;

  for (int axis = 0; axis < joint->dim; axis++) x[axis] = &point[axis];
  assert_ok(joint->type->log_density(joint, version, 1, x, &value));
  return value;
}

/* The score is the gradient of ln p, by central differences of fourth order. */
static inline void score_is_the_gradient(fare_joint *joint, const double point[], double tolerance)
{
  const double  h = 1e-3;
  const double *x[FARE_AXES_MAX];
  double        s[FARE_AXES_MAX], moved[FARE_AXES_MAX], *to[FARE_AXES_MAX];

  for (int axis = 0; axis < joint->dim; axis++) {
    x[axis]  = &point[axis];
    to[axis] = &s[axis];
  }
  assert_ok(joint->type->score(joint, 1, x, to));
  for (int axis = 0; axis < joint->dim; axis++) {
    const double weight[] = {1. / 12, -8. / 12, 8. / 12, -1. / 12}, step[] = {-2, -1, 1, 2};
    double       slope = 0;

    for (int k = 0; k < 4; k++) {
      memcpy(moved, point, (size_t)joint->dim * sizeof *moved);
      moved[axis] += step[k] * h;
      slope += weight[k] / h * log_density_at(joint, 0, moved);
    }
    assert_near(s[axis], slope, tolerance * (1 + fabs(slope)));
  }
}

#endif
