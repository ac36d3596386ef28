/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The control of least cost that takes one density to another: the Schroedinger bridge whose reference is the
  system with its drive (include/fare/bridge.h). The cost is E int u^2/4D dt, the relative entropy of the
  controlled paths to those without control.
*/
#include "analysis/analysis.h"
#include "steering.h"

#include <fare/bridge.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct {
  const fare_node *from_node, *to_node, *controllers;
  double           duration, tolerance;
  PetscInt64       steps, moments, rounds;
  fare_initial     from, to;
  fare_steer_keys  steer;
} steering;

#define AT(member) offsetof(steering, member)
static const fare_field fields[] = {
  {"from", FARE_NODE, AT(from_node), NULL, 0, 0, NULL, "",
    "density at `time`: a map as under `initial`, say {density: gaussian, mean: [0], sd: [1]}"},
  {"to", FARE_NODE, AT(to_node), NULL, 0, 0, NULL, "", "final density, a map of the same kind"},
  {"duration", FARE_REAL, AT(duration), NULL, 1e-9, 1e9, NULL, "time", "after which it is reached"},
  {"steps", FARE_INTEGER, AT(steps), "128", 8, 1e6, NULL, "",
    "in time; half and twice as many give their error"},
  {"moments", FARE_INTEGER, AT(moments), "65", 4, 1025, NULL, "",
    "at which control and density are kept, both ends among them and dense towards the later one"},
  {"rounds", FARE_INTEGER, AT(rounds), "2000", 1, 1e9, NULL, "", "maximum of the fitting"},
  {"tolerance", FARE_REAL, AT(tolerance), "1e-9", 1e-14, 0.1, NULL, "",
    "L1 error of both ends at which the fitting stops"},
  {"controllers", FARE_NODE, AT(controllers), "", 0, 0, NULL, "",
    "controls that are tried on particles, and how far each is from the best: {compare, particles, dt, seed, "
    "networks, width, layers, steps, batch, learning_rate, ...}"},
  FARE_FIELDS_END,
};

/* Without noise nothing can be steered there, and what an end absorbs is not carried to the target. */
static PetscErrorCode check_system(const fare_node *node, const fare_analysis_context *context, double time)
{
  PetscFunctionBegin;
  for (int axis = 0; axis < context->dim; axis++) {
    double         D[FARE_DIM_MAX], at[FARE_DIM_MAX];
    const double  *x[FARE_DIM_MAX] = {&at[0], &at[1], &at[2]};
    double *const  to[]            = {&D[0], &D[1], &D[2]};
    const fare_box box             = fare_system_box(context->system);

    for (int k = 0; k < context->dim; k++) at[k] = 0.5 * (box.lower[k] + box.upper[k]);
    fare_system_diffusion(context->system, time, 1, x, to);
    if (!(D[axis] > 0))
      FARE_REFUSE(node,
        "axis %s has no diffusion, and the control acts where noise does: it cannot be steered",
        fare_system_axis_name(context->system, axis));
    if (context->boundary[axis] >= FARE_BOUNDARY_ABSORBING)
      FARE_REFUSE(node, "an end of axis %s absorbs, and what has left reaches no density: let it reflect",
        fare_system_axis_name(context->system, axis));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode check_controllers(steering *s)
{
  const fare_integers *kinds = &s->steer.kinds;

  PetscFunctionBegin;
  if (!s->controllers) PetscFunctionReturn(0);
  if (fare_node_kind_of(s->controllers) != FARE_NODE_MAP)
    FARE_REFUSE(s->controllers, "expected a map {compare: [zero, exact], particles: ..., dt: ...}");
  PetscCall(fare_fields_read(fare_steer_fields, NULL, s->controllers, &s->steer));
  if (!kinds->count)
    FARE_REFUSE(fare_node_find(s->controllers, "compare"), "expected a control, got an empty list");
  for (size_t i = 0; i < kinds->count; i++) {
    for (size_t k = 0; k < i; k++) {
      if (kinds->values[k] == kinds->values[i])
        FARE_REFUSE(fare_node_find(s->controllers, "compare"), "the control '%s' is there twice",
          fare_steer_kinds[kinds->values[i]]);
    }
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode check(
  void *state, const fare_node *node, const fare_analysis_context *context, double time)
{
  steering *s = state;

  PetscFunctionBegin;
  PetscCall(fare_drive_check(node, context->system, time, time + s->duration));
  PetscCall(check_system(node, context, time));
  PetscCall(fare_initial_from_config(s->from_node, context->system, &s->from));
  PetscCall(fare_initial_from_config(s->to_node, context->system, &s->to));
  PetscCall(check_controllers(s));
  PetscFunctionReturn(0);
}

static void destroy(void *state)
{
  steering *s = state;

  fare_initial_free(&s->from);
  fare_initial_free(&s->to);
  fare_fields_free(fare_steer_fields, &s->steer);
}

/* All of a grid, on this rank. */
typedef struct {
  fare_grid *grid;
  PetscInt   cells;
  double    *p0, *p1;
  int        moments; /* beside both ends: of these alone are densities wanted */
  double    *time, **masses, **value;
} room;

static PetscErrorCode masses_of(
  const fare_grid *grid, const fare_initial *of, const fare_system *system, double t, double masses[])
{
  Vec all;

  PetscFunctionBegin;
  PetscCall(fare_grid_initial(grid, of, system, t, &all));
  PetscCall(fare_grid_gather(grid, all, masses));
  PetscCall(VecDestroy(&all));
  PetscFunctionReturn(0);
}

/* Cells must resolve both ends; what lies outside of the box is crowded into its last cells. */
static PetscErrorCode check_width(
  const fare_grid *grid, const fare_system *system, const char *end, const double masses[])
{
  const double least = 3; /* a Gaussian covers so many cells where its standard deviation is 0.85 of one */

  PetscFunctionBegin;
  for (int axis = 0; axis < grid->dim; axis++) {
    double *along, squares = 0;

    PetscCall(PetscCalloc1(grid->cells[axis], &along));
    for (PetscInt n = 0; n < fare_grid_owned(grid); n++) {
      PetscInt at[FARE_DIM_MAX];

      fare_cell_index(grid, n, at);
      along[at[axis]] += masses[n];
    }
    for (PetscInt i = 0; i < grid->cells[axis]; i++) squares += along[i] * along[i];
    PetscCall(PetscFree(along));
    if (!(squares * least < 1))
      FARE_FAIL(FARE_ERR_FAILED,
        "bridge: the density '%s' covers %.1f cells along %s, and needs %g: take more cells, or a wider one, "
        "and "
        "put it inside of the box",
        end, 1 / squares, fare_system_axis_name(system, axis), least);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode room_create(
  const steering *s, const fare_grid *grid, const fare_system *system, double time, PetscBool kept, room *r)
{
  const fare_feedback_shape shape = {.moments = (int)s->moments, .begin = time, .end = time + s->duration};

  PetscFunctionBegin;
  PetscCall(fare_grid_create(
    PETSC_COMM_SELF, grid->dim, grid->cells, grid->lower, grid->upper, grid->boundary, &r->grid));
  r->cells   = fare_grid_owned(r->grid);
  r->moments = kept ? (int)s->moments - 2 : 0;
  PetscCall(PetscMalloc2(r->cells, &r->p0, r->cells, &r->p1));
  PetscCall(masses_of(r->grid, &s->from, system, time, r->p0));
  PetscCall(masses_of(r->grid, &s->to, system, time + s->duration, r->p1));
  if (kept) PetscCall(check_width(r->grid, system, "from", r->p0));
  if (kept) PetscCall(check_width(r->grid, system, "to", r->p1));
  PetscCall(PetscCalloc3(r->moments + 2, &r->time, r->moments + 2, &r->masses, r->moments + 2, &r->value));
  for (int k = 0; k < r->moments + 2 && kept; k++) {
    r->time[k] = fare_feedback_time(&shape, k);
    PetscCall(PetscMalloc2(r->cells, &r->masses[k], r->cells, &r->value[k]));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode room_free(room *r)
{
  PetscFunctionBegin;
  for (int k = 0; k < r->moments + 2; k++) PetscCall(PetscFree2(r->masses[k], r->value[k]));
  PetscCall(PetscFree3(r->time, r->masses, r->value));
  PetscCall(PetscFree2(r->p0, r->p1));
  PetscCall(fare_grid_destroy(&r->grid));
  PetscFunctionReturn(0);
}

/* With so many steps and twice as many; densities and control only where there is room for them. */
static PetscErrorCode solve(const steering *s, const room *r, const fare_system *system, double time,
  PetscInt64 steps, PetscBool kept, fare_bridge_result *result)
{
  const fare_bridge bridge = {
    r->grid, system, time, time + s->duration, r->p0, r->p1, steps, s->rounds, s->tolerance};

  PetscFunctionBegin;
  PetscCall(fare_bridge_solve(
    &bridge, kept ? r->moments : 0, r->time + 1, r->masses + 1, kept ? r->value : NULL, result));
  if (!(result->mismatch <= s->tolerance))
    FARE_FAIL(FARE_ERR_FAILED,
      "bridge: the ends are met to %.1e only, not to %.0e, in %lld rounds: part of one may lie where no path "
      "comes, as behind a steep wall: make it narrower; or take more rounds",
      result->mismatch, s->tolerance, (long long)result->iterations);
  PetscFunctionReturn(0);
}

/* A field of all cells as one of the grid's own. */
static PetscErrorCode keep_mesh(const fare_grid *grid, const char *what, int moment, const char *meaning,
  fare_mesh_kind kind, const double all[], fare_findings *found)
{
  PetscScalar *mine;
  char         name[48];
  Vec          field;

  PetscFunctionBegin;
  PetscCall(DMCreateGlobalVector(grid->dm, &field));
  PetscCall(VecGetArray(field, &mine));
  for (PetscInt n = 0; n < fare_grid_owned(grid); n++) {
    PetscInt at[FARE_DIM_MAX];

    fare_cell_index(grid, n, at);
    mine[n] = all[at[0] + grid->cells[0] * (at[1] + grid->cells[1] * at[2])];
  }
  PetscCall(VecRestoreArray(field, &mine));
  snprintf(name, sizeof name, "%s_%d", what, moment);
  fare_found_mesh(found, name, meaning, kind, field);
  PetscFunctionReturn(0);
}

static PetscErrorCode keep_control(const fare_grid *grid, const room *r, fare_findings *found)
{
  double periodic[FARE_DIM_MAX];

  PetscFunctionBegin;
  for (int axis = 0; axis < grid->dim; axis++)
    periodic[axis] = grid->boundary[axis] == FARE_BOUNDARY_PERIODIC;
  fare_found_exact(found, "moments", "times of value_0, value_1, ... and of the densities",
    (size_t)r->moments + 2, 1, r->time)
    ->curve = PETSC_TRUE;
  fare_found_exact(found, "periodic", "1 for an axis that closes", (size_t)grid->dim, 1, periodic)->curve =
    PETSC_TRUE;
  for (int k = 0; k < r->moments + 2; k++) {
    PetscCall(keep_mesh(grid, "value", k,
      "V: least cost from here to the end, in nats and but for a constant; the control is -2 D grad V",
      FARE_MESH_VALUES, r->value[k], found));
    PetscCall(
      keep_mesh(grid, "density", k, "density under the control", FARE_MESH_MASSES, r->masses[k], found));
  }
  PetscFunctionReturn(0);
}

/* Of so many controls, from the mean of the first on. */
static fare_finding *keep_means(fare_findings *found, const char *what, const char *kind, const char *meaning,
  size_t count, const fare_steered steered[], const fare_steer_mean *first)
{
  double        value[64] = {0};
  char          name[48];
  fare_finding *f;

  snprintf(name, sizeof name, "%.24s_%.16s", what, kind);
  f = fare_found(found, name, meaning, count, value);
  for (size_t i = 0; i < count; i++) {
    const fare_steer_mean *mean = (const fare_steer_mean *)((const char *)first + i * sizeof *steered);

    f->value[i] = f->plain[i] = mean->value;
    f->error[i]               = mean->error;
  }
  return f;
}

/* One row for each control, or network, and the control itself. */
static void keep_controllers(const fare_grid *grid, const fare_system *system, size_t moments,
  const fare_integers *kinds, size_t networks, const fare_steered steered[], fare_findings *found)
{
  const size_t dim = (size_t)grid->dim;

  for (size_t k = 0; k < kinds->count; k++) {
    const char     *kind    = fare_steer_kinds[kinds->values[k]];
    const PetscBool learned = kinds->values[k] == FARE_STEER_LEARNED ? PETSC_TRUE : PETSC_FALSE;
    const size_t    count   = learned ? networks : 1;
    char            name[48];

    (void)keep_means(found, "excess", kind,
      "relative entropy of its paths to those of the best control, from particles; standard error", count,
      steered, &steered->excess);
    (void)keep_means(
      found, "cost", kind, "its cost from particles; standard error", count, steered, &steered->cost);
    for (int axis = 0; axis < grid->dim; axis++) {
      snprintf(name, sizeof name, "end_%.16s", fare_system_axis_name(system, axis));
      (void)keep_means(found, name, kind, "mean of where its paths end; standard error", count, steered,
        &steered->end[axis]);
      snprintf(name, sizeof name, "end_%.16s2", fare_system_axis_name(system, axis));
      keep_means(found, name, kind, "mean of the square of that", count, steered, &steered->square[axis])
        ->curve = PETSC_TRUE;
    }
    for (size_t i = 0; i < count; i++, steered++) {
      if (!steered->slope) continue;
      if (learned)
        snprintf(name, sizeof name, "control_%.16s_%zu", kind, i);
      else
        snprintf(name, sizeof name, "control_%.16s", kind);
      fare_found_exact(found, name, "-u/2D of this control at centres of cells: rows of moments and axes",
        moments * dim, (size_t)fare_grid_owned(grid), steered->slope)
        ->curve = PETSC_TRUE;
    }
  }
}

static PetscErrorCode try_controllers(
  MPI_Comm comm, const steering *s, const room *r, const fare_system *system, fare_findings *found)
{
  const fare_grid    *grid  = r->grid;
  fare_feedback_shape shape = {
    .dim = grid->dim, .moments = r->moments + 2, .begin = r->time[0], .end = r->time[r->moments + 1]};
  fare_feedback *best;
  fare_steered  *steered;
  size_t         count;

  PetscFunctionBegin;
  for (int axis = 0; axis < grid->dim; axis++) {
    shape.cells[axis]    = grid->cells[axis];
    shape.lower[axis]    = grid->lower[axis];
    shape.spacing[axis]  = grid->spacing[axis];
    shape.periodic[axis] = grid->boundary[axis] == FARE_BOUNDARY_PERIODIC ? PETSC_TRUE : PETSC_FALSE;
  }
  PetscCall(fare_feedback_create(&shape, r->value, &best));
  PetscCall(fare_steer_try(
    comm, &(fare_steer){&s->steer, grid, system, &s->from, best, r->masses}, &count, &steered));
  keep_controllers(
    grid, system, (size_t)shape.moments, &s->steer.kinds, (size_t)s->steer.networks, steered, found);
  PetscCall(fare_steered_free(count, &steered));
  PetscCall(fare_feedback_destroy(&best));
  PetscFunctionReturn(0);
}

/*
  Cost of steps/2 and steps, extrapolated, and on the finest grid of steps and 2 steps, too. What that
  changes, and a third of it, which is what an error of second order leaves, is added on all grids; that third
  is what is taken to be left.
*/
static PetscErrorCode find_cost(const steering *s, const room *r, const fare_system *system, double time,
  const fare_findings *like, fare_findings *found)
{
  fare_bridge_result half, all = {0};
  double             cost, change;

  PetscFunctionBegin;
  PetscCall(solve(s, r, system, time, s->steps / 2, PETSC_FALSE, &half));
  if (!like) PetscCall(solve(s, r, system, time, s->steps, PETSC_TRUE, &all));
  change = like ? *fare_findings_find(like, "step_change")->value : all.entropy - half.entropy;
  cost   = half.entropy + change + change / 3;
  fare_found(found, "cost", "least cost E int u^2/4D dt, in nats", 1, &cost)->least[0] = fabs(change) / 3;
  fare_found_number(found, "step_change", "what twice as many steps in time change of it", change);
  if (!like) fare_found_number(found, "mismatch", "of the ends, L1", all.mismatch);
  if (!like) fare_found_number(found, "rounds", "of the fitting", (double)all.iterations);
  PetscFunctionReturn(0);
}

static PetscErrorCode run(const void *state, const fare_grid *grid, const fare_system *system, double time,
  const fare_findings *like, fare_findings *found)
{
  const steering *s    = state;
  const PetscBool kept = like ? PETSC_FALSE : PETSC_TRUE;
  room            r    = {0};

  PetscFunctionBegin;
  PetscCall(room_create(s, grid, system, time, kept, &r));
  PetscCall(find_cost(s, &r, system, time, like, found));
  if (kept) {
    PetscCall(PetscArraycpy(r.masses[0], r.p0, r.cells));
    PetscCall(PetscArraycpy(r.masses[r.moments + 1], r.p1, r.cells));
    PetscCall(keep_control(grid, &r, found));
    if (s->controllers) PetscCall(try_controllers(grid->comm, s, &r, system, found));
  }
  PetscCall(room_free(&r));
  PetscFunctionReturn(0);
}

const fare_analysis_type fare_analysis_bridge = {
  .name      = "bridge",
  .summary   = "the control of least cost that takes one density to another: a Schroedinger bridge",
  .reference = "Dai Pra, Appl. Math. Optim. 23, 313 (1991); Leonard, arXiv 1308.0215",
  .size      = sizeof(steering),
  .fields    = fields,
  .check     = check,
  .run       = run,
  .destroy   = destroy,
};
