/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Mean first-passage times: L^T tau = -1 outside the target, tau = 0 in it (Gardiner, Handbook of Stochastic
  Methods, ch. 5).
*/
#include "analysis.h"

PetscErrorCode fare_passage_solve(const fare_grid *grid, const fare_system *system, double t,
  const fare_region *target, Vec *times, fare_solved *solved)
{
  const fare_region *targets[] = {target};
  const double       zero      = 0;
  fare_absorbing    *absorbing;

  PetscFunctionBegin;
  PetscCall(fare_absorbing_create(grid, system, t, 1, targets, &absorbing));
  PetscCall(fare_absorbing_solve(absorbing, 1, &zero, "passage times", times, solved));
  PetscCall(fare_absorbing_destroy(&absorbing));
  PetscFunctionReturn(0);
}

typedef enum { BY_STATIONARY, BY_BOLTZMANN, BY_UNIFORM } weight_kind;
const char *const fare_passage_weights[] = {
  [BY_STATIONARY] = "stationary", [BY_BOLTZMANN] = "boltzmann", [BY_UNIFORM] = "uniform", NULL};

static const fare_field fields[] = {FARE_PASSAGE_FIELDS(0), FARE_FIELDS_END};

/*
  The whole box is left through ends that absorb. A bound that cuts no more than half a cell off the box
  leaves nothing to arrive in.
*/
static PetscErrorCode check_left(const fare_passage_keys *s, const fare_analysis_context *context)
{
  const fare_region *left    = &s->absorbing;
  PetscBool          absorbs = PETSC_FALSE, open = PETSC_FALSE;

  PetscFunctionBegin;
  for (int axis = 0; axis < context->dim; axis++) {
    const double half = 0.5 * (context->upper[axis] - context->lower[axis]) / (double)context->cells[axis];

    absorbs |= context->boundary[axis] >= FARE_BOUNDARY_ABSORBING;
    open |= context->open[axis];
    if (!s->leave || left->boxes > 1 || context->open[axis]) continue;
    for (int side = 0; side < 2; side++) {
      const double cut =
        side ? context->upper[axis] - left->upper[axis] : left->lower[axis] - context->lower[axis];

      if (cut > 0 && cut < half)
        FARE_REFUSE(s->leave,
          "the part beyond %g along %s is so narrow that it contains no cell centre (of %lld cells): "
          "give the end itself, %g",
          side ? left->upper[axis] : left->lower[axis], fare_system_axis_name(context->system, axis),
          (long long)context->cells[axis], side ? context->upper[axis] : context->lower[axis]);
    }
  }
  if (!open && !absorbs && fare_region_is_beyond(left, context->lower, context->upper))
    FARE_REFUSE(s->leave, "the set is the whole box, which no path leaves: no boundary absorbs");
  PetscFunctionReturn(0);
}

PetscErrorCode fare_passage_check(
  fare_passage_keys *s, const fare_node *node, const fare_analysis_context *context)
{
  PetscBool absorbs = PETSC_FALSE, rests;

  PetscFunctionBegin;
  if (!s->target == !s->leave)
    FARE_REFUSE(node, "expected one of 'target' and 'leave', got %s", s->target ? "both" : "neither");
  PetscCall(fare_region_read(s->target ? s->target : s->leave, context, &s->absorbing));
  if (s->leave && fare_region_has_formulas(&s->absorbing))
    FARE_REFUSE(
      s->leave, "a set to leave must consist of boxes: give the outside of the formula as 'target'");
  if (s->leave) s->absorbing.outside = PETSC_TRUE;
  PetscCall(check_left(s, context));
  for (int axis = 0; axis < context->dim; axis++)
    absorbs |= context->boundary[axis] >= FARE_BOUNDARY_ABSORBING;
  rests = s->weight == BY_STATIONARY && absorbs ? PETSC_FALSE : PETSC_TRUE;
  if (!rests && (s->from || fare_node_find(node, "weight")))
    FARE_REFUSE(s->from ? s->from : fare_node_find(node, "weight"),
      "there is no stationary density with an absorbing boundary: choose weight: uniform or "
      "boltzmann");
  if (rests && (s->from || s->leave))
    PetscCall(fare_region_read(s->from ? s->from : s->leave, context, &s->begin));
  if (s->weight == BY_BOLTZMANN && !fare_system_has_potential(context->system))
    FARE_REFUSE(fare_node_find(node, "weight"), "the system has no potential");
  PetscCall(fare_points_read(s->points, context, &s->at));
  PetscFunctionReturn(0);
}

static PetscErrorCode check(
  void *state, const fare_node *node, const fare_analysis_context *context, double time)
{
  PetscFunctionBegin;
  (void)time;
  PetscCall(fare_passage_check(state, node, context));
  PetscFunctionReturn(0);
}

/* By which operator densities are stationary. */
typedef PetscErrorCode (*stationary_function)(
  const fare_grid *grid, const fare_system *system, double t, Vec *masses, fare_solved *solved);

static PetscErrorCode stationary_masses(
  const fare_grid *grid, const fare_system *system, double t, Vec *masses, fare_solved *solved)
{
  PetscFunctionBegin;
  PetscCall(fare_stationary_values(grid, system, t, masses, solved));
  PetscCall(fare_high_order_masses(grid, *masses));
  PetscFunctionReturn(0);
}

static PetscErrorCode weigh(const fare_passage_keys *s, const fare_grid *grid, const fare_system *system,
  double t, stationary_function stationary, Vec *masses)
{
  const fare_initial uniform = {.density = FARE_INITIAL_UNIFORM};
  fare_solved        solved;

  PetscFunctionBegin;
  switch ((weight_kind)s->weight) {
  case BY_STATIONARY:
    PetscCall(stationary(grid, system, t, masses, &solved));
    break;
  case BY_BOLTZMANN:
    PetscCall(fare_grid_boltzmann(grid, system, t, masses));
    break;
  case BY_UNIFORM:
    PetscCall(fare_grid_initial(grid, &uniform, system, t, masses));
    break;
  }
  PetscFunctionReturn(0);
}

/* Cells that lie in the set by a part count by that part. */
static PetscErrorCode begin_by(const fare_passage_keys *s, const fare_grid *grid, const fare_system *system,
  double t, stationary_function stationary, Vec *masses)
{
  PetscScalar *w, sum;

  PetscFunctionBegin;
  PetscCall(weigh(s, grid, system, t, stationary, masses));
  PetscCall(VecGetArray(*masses, &w));
  for (PetscInt n = 0; n < fare_grid_owned(grid); n++) {
    PetscInt index[FARE_DIM_MAX];

    fare_cell_index(grid, n, index);
    w[n] *= fare_region_share(&s->begin, grid, index);
  }
  PetscCall(VecRestoreArray(*masses, &w));
  PetscCall(VecSum(*masses, &sum));
  if (!(sum > 0)) FARE_FAIL(FARE_ERR_FAILED, "passage: the initial set has no mass");
  PetscCall(VecScale(*masses, 1 / sum));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_passage_begin(
  const fare_passage_keys *s, const fare_grid *grid, const fare_system *system, double t, Vec *masses)
{
  PetscFunctionBegin;
  PetscCall(begin_by(s, grid, system, t, fare_stationary_solve, masses));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_passage_at_points(const fare_passage_keys *s, const fare_grid *grid, const char *meaning,
  int count, Vec times[], double known, const fare_system *leaping, double t, fare_findings *found)
{
  const fare_held held = {1, {&s->absorbing}, {0}, leaping, t};

  PetscFunctionBegin;
  found->cut = fare_region_cuts(&s->absorbing, grid) || fare_region_cuts(&s->begin, grid);
  PetscCall(fare_found_at_points(found, "time", meaning, grid, &held, count, times, &s->at, known));
  fare_found_exact(found, "points", "where `time` is given, and at which boundary paths are absorbed",
    s->at.count, (size_t)grid->dim, s->at.x);
  PetscFunctionReturn(0);
}

/* Solves for paths out of the set by one of the operators; `solver` is fare_absorbing or fare_backward. */
typedef PetscErrorCode (*exit_function)(void *solver, int axis, int side, Vec *x);

static PetscErrorCode exit_by_rates(void *solver, int axis, int side, Vec *x)
{
  PetscFunctionBegin;
  PetscCall(fare_absorbing_exit(solver, axis, side, x));
  PetscFunctionReturn(0);
}

static PetscErrorCode exit_by_backward(void *solver, int axis, int side, Vec *x)
{
  const double zero = 0;
  fare_solved  solved;

  PetscFunctionBegin;
  PetscCall(fare_backward_solve(solver, 0, &zero, 2 * axis + side, "exit probability", x, &solved));
  PetscFunctionReturn(0);
}

/* What was solved, for what is found from it. */
typedef struct {
  const fare_grid   *grid;
  const fare_system *system, *leaping; /* leaping: NULL where fields do not leap */
  double             time;
  Vec                times, begin; /* begin: NULL without a set */
  exit_function      exit;
  void              *solver;
  fare_solved        solved;
} passage;

/* Where ends absorb: how many paths end at each, from the points and from the set. */
static PetscErrorCode keep_exits(const fare_passage_keys *s, const passage *p, fare_findings *found)
{
  const fare_grid *grid = p->grid;
  const fare_held  held = {1, {&s->absorbing}, {0}, p->leaping, p->time};

  PetscFunctionBegin;
  for (int axis = 0; axis < grid->dim; axis++) {
    for (int side = 0; side < 2; side++) {
      const char *end = side ? "upper" : "lower", *axis_name = fare_system_axis_name(p->system, axis);
      char        name[48];
      PetscScalar mean;
      Vec         exits;

      if (!fare_boundary_absorbs(grid->boundary[axis], side)) continue;
      PetscCall(p->exit(p->solver, axis, side, &exits));
      if (p->begin) {
        PetscCall(VecDot(exits, p->begin, &mean));
        snprintf(name, sizeof name, "mean_%s_%.16s", end, axis_name);
        fare_found(found, name, "fraction of paths from the set absorbed at this boundary", 1, &mean);
      }
      snprintf(name, sizeof name, "%s_%.16s", end, axis_name);
      PetscCall(fare_found_at_points(found, name,
        "probability of absorption at this boundary, from the points", grid, &held, 1, &exits, &s->at, 0));
      PetscCall(VecDestroy(&exits));
    }
  }
  PetscFunctionReturn(0);
}

/* Takes over the times. */
static PetscErrorCode keep(const fare_passage_keys *s, passage *p, fare_findings *found)
{
  double      rate;
  PetscScalar mean;

  PetscFunctionBegin;
  if (p->begin) {
    PetscCall(VecDot(p->times, p->begin, &mean));
    rate = 1 / mean;
    fare_found(found, "mean", "mean time from the set", 1, &mean);
    fare_found(found, "rate", "its inverse", 1, &rate);
  }
  PetscCall(fare_passage_at_points(
    s, p->grid, "mean time from the points", 1, &p->times, 0, p->leaping, p->time, found));
  PetscCall(keep_exits(s, p, found));
  PetscCall(VecDestroy(&p->begin));
  fare_found_number(found, "residual", "of the equation, relative to its terms", p->solved.residual);
  if (s->meshes)
    fare_found_mesh(found, "passage_time", "mean first-passage time from the centre of each cell",
      FARE_MESH_VALUES, p->times);
  else
    PetscCall(VecDestroy(&p->times));
  PetscFunctionReturn(0);
}

static PetscErrorCode run(const void *state, const fare_grid *grid, const fare_system *system, double time,
  const fare_findings *like, fare_findings *found)
{
  const fare_passage_keys *s         = state;
  const fare_region       *targets[] = {&s->absorbing};
  const double             zero      = 0;
  passage                  p         = {.grid = grid, .system = system, .time = time, .exit = exit_by_rates};
  fare_absorbing          *absorbing;

  PetscFunctionBegin;
  (void)like;
  PetscCall(fare_absorbing_create(grid, system, time, 1, targets, &absorbing));
  p.solver = absorbing;
  PetscCall(fare_absorbing_solve(absorbing, 1, &zero, "passage times", &p.times, &p.solved));
  if (s->begin.boxes) PetscCall(fare_passage_begin(s, grid, system, time, &p.begin));
  PetscCall(keep(s, &p, found));
  PetscCall(fare_absorbing_destroy(&absorbing));
  PetscFunctionReturn(0);
}

static PetscErrorCode run_high_order(const void *state, const fare_grid *grid, const fare_system *system,
  double time, const fare_findings *like, fare_findings *found)
{
  const fare_passage_keys *s         = state;
  const fare_region       *targets[] = {&s->absorbing};
  passage p = {.grid = grid, .system = system, .leaping = system, .time = time, .exit = exit_by_backward};
  fare_backward *backward;

  PetscFunctionBegin;
  (void)like;
  found->leaps = PETSC_TRUE;
  PetscCall(fare_backward_create(grid, system, time, 1, targets, &backward));
  p.solver = backward;
  PetscCall(fare_backward_times(backward, "passage times", &p.times, &p.solved));
  if (s->begin.boxes) PetscCall(begin_by(s, grid, system, time, stationary_masses, &p.begin));
  PetscCall(keep(s, &p, found));
  PetscCall(fare_backward_destroy(&backward));
  PetscFunctionReturn(0);
}

void fare_passage_free(fare_passage_keys *s)
{
  fare_region_free(&s->absorbing);
  fare_region_free(&s->begin);
  fare_points_free(&s->at);
}

static void destroy(void *state)
{
  fare_passage_free(state);
}

const fare_analysis_type fare_analysis_passage = {
  .name           = "passage",
  .summary        = "mean first-passage time into or out of a set, from points and from a set",
  .reference      = "Gardiner, Handbook of Stochastic Methods (Springer), chapter 5",
  .size           = sizeof(fare_passage_keys),
  .fields         = fields,
  .check          = check,
  .run            = run,
  .run_high_order = run_high_order,
  .destroy        = destroy,
};
