/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The probability to reach one set before another while the drive goes on: dq/dt = -L(t)^T q with q = 0 in a,
  1 in b, backward in time.
*/
#include "analysis.h"

typedef struct {
  fare_driven_keys    keys;
  fare_committor_keys sets;
} committor;

#define AT(member) offsetof(committor, member)
static const fare_field fields[] = {
  FARE_DRIVEN_FIELDS(AT(keys)),
  FARE_COMMITTOR_FIELDS(AT(sets), "the committor on the grid, of each start"),
  FARE_FIELDS_END,
};

static PetscErrorCode check(
  void *state, const fare_node *node, const fare_analysis_context *context, double time)
{
  committor *s = state;

  PetscFunctionBegin;
  PetscCall(fare_driven_check(&s->keys, node, context->system, time, "committor"));
  if (!s->sets.a && s->keys.after != FARE_AFTER_OVER)
    FARE_REFUSE(node, "missing key 'a': without it, all paths reach b unless the span is over");
  PetscCall(fare_committor_check(&s->sets, context));
  PetscFunctionReturn(0);
}

static PetscErrorCode keep_points(
  const committor *s, const fare_grid *grid, Vec q[], double known, fare_findings *found)
{
  PetscFunctionBegin;
  PetscCall(fare_committor_at_points(&s->sets, grid, PETSC_FALSE,
    "probability to reach b before a: of each start, at the points", (int)s->keys.starts, q, known, NULL, 0,
    found));
  PetscFunctionReturn(0);
}

/* q on the grid, each with a relative accuracy, and ln q at the points. */
static PetscErrorCode run_relative(const committor *s, const fare_grid *grid, const fare_system *system,
  const fare_span *span, const double starts[], Vec q[], fare_driven *driven, fare_findings *found)
{
  const int count = (int)s->keys.starts;
  double   *error;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1((size_t)count * s->sets.at.count, &error));
  PetscCall(fare_log_committor_solve(grid, system, span, &s->sets.from, &s->sets.to, count, starts, count,
    s->sets.at.count, s->sets.at.x, q, error, driven));
  for (int k = 0; k < count; k++) PetscCall(VecExp(q[k]));
  PetscCall(fare_committor_certify(&s->sets, grid, count, q, error, found));
  PetscCall(PetscFree(error));
  PetscFunctionReturn(0);
}

static PetscErrorCode run(const void *state, const fare_grid *grid, const fare_system *system, double time,
  const fare_findings *like, fare_findings *found)
{
  const committor *s     = state;
  const int        count = (int)s->keys.starts;
  double           starts[FARE_STARTS_MAX];
  Vec              q[FARE_STARTS_MAX];
  fare_driven      driven;
  fare_span        span;

  PetscFunctionBegin;
  (void)like;
  fare_driven_plan(&s->keys, time, &span, starts);
  if (s->sets.relative) {
    PetscCall(run_relative(s, grid, system, &span, starts, q, &driven, found));
  } else {
    PetscCall(fare_driven_committor_solve(
      grid, system, &span, &s->sets.from, &s->sets.to, count, starts, q, &driven));
    PetscCall(keep_points(s, grid, q, driven.error * driven.largest, found));
  }
  fare_found_exact(
    found, "points", "where `committor` is given", s->sets.at.count, (size_t)grid->dim, s->sets.at.x);
  fare_driven_keep(
    &s->keys, s->sets.relative, &driven, starts, "times from which `committor` is given", found);
  for (int k = 0; k < count; k++) {
    char name[32];

    snprintf(name, sizeof name, "committor_%d", k);
    if (s->sets.meshes)
      fare_found_mesh(found, name,
        "probability to reach b before a from the centre of each cell, from this start", FARE_MESH_VALUES,
        q[k]);
    else
      PetscCall(VecDestroy(&q[k]));
  }
  PetscFunctionReturn(0);
}

static void destroy(void *state)
{
  fare_committor_free(&((committor *)state)->sets);
}

const fare_analysis_type fare_analysis_driven_committor = {
  .name      = "driven_committor",
  .summary   = "probability to reach one set before another under a drive, by start time",
  .reference = "Helfmann, Ribera Borrell, Schuette and Koltai, J. Nonlinear Sci. 30, 3321 (2020)",
  .size      = sizeof(committor),
  .fields    = fields,
  .check     = check,
  .run       = run,
  .destroy   = destroy,
};
