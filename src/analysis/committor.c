/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Committors and rates between two sets. q+ (to reach b before a) solves L^T q = 0 with q = 0 in a, 1 in b;
  the reactive masses g = pi q- (came from a rather than from b) solve L g = 0 with g = pi in a, 0 in b. With
  no detailed balance q- is not 1 - q+. On edges cut by a boundary (absorbing_generator.c) the flow is

    J_g = r'(i->j) (g_i - pi_i) + J_pi,

  which leaves pi itself unchanged. Both matrices are transposes of each other, so the flux out of a equals
  that into b exactly.
*/
#include "analysis.h"

#include <petscdmda.h>

#include <math.h>

enum { A, B };

typedef struct {
  fare_absorbing *absorbing;
  int             from;       /* the set that masses come from, A or B */
  Vec             stationary; /* ghosted */
} problem;

/* What flows out of the i-th cell over a face, of masses g given here and there, and pi. */
static double flow_out(
  const problem *p, PetscInt at, double g_here, double g_there, double pi_here, double pi_there)
{
  const fare_absorbing *k   = p->absorbing;
  const double          cut = k->leaving[at] / k->cut[at];

  if (k->column[at] < 0) return k->leaving[at] > 0 ? k->leaving[at] * g_here : 0;
  if (k->beyond[at] < 0) return k->leaving[at] * g_here - k->entering[at] * g_there;
  if (k->beyond[at] != p->from) return cut * g_here;
  return cut * g_here - (cut - k->leaving[at]) * pi_here - k->entering[at] * pi_there;
}

static PetscErrorCode residual(void *context, Vec g, Vec r, double *scale)
{
  const problem        *p     = context;
  const fare_absorbing *k     = p->absorbing;
  const int             faces = 2 * k->grid->dim;
  const PetscScalar    *value, *pi;
  PetscScalar          *to;
  fare_ghosts           ghosts;
  Vec                   local;

  PetscFunctionBegin;
  *scale = 0;
  PetscCall(fare_ghosts_of(k->grid, &ghosts));
  PetscCall(fare_ghosts_get(k->grid, g, &local, &value));
  PetscCall(VecGetArrayRead(p->stationary, &pi));
  PetscCall(VecGetArray(r, &to));
  for (PetscInt n = 0; n < k->owned; n++) {
    PetscInt index[FARE_DIM_MAX], here;

    to[n] = 0;
    if (k->in[n] >= 0) continue;
    fare_cell_index(k->grid, n, index);
    here = fare_ghosts_at(&ghosts, index);
    for (int face = 0; face < faces; face++) {
      const PetscInt at    = n * faces + face,
                     there = k->column[at] < 0 ? here : fare_ghosts_over(&ghosts, here, face);

      to[n] -= flow_out(p, at, value[here], value[there], pi[here], pi[there]);
      *scale += k->leaving[at] * pi[here];
    }
  }
  PetscCall(VecRestoreArray(r, &to));
  PetscCall(VecRestoreArrayRead(p->stationary, &pi));
  PetscCall(fare_ghosts_restore(k->grid, &local, &value));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, scale, 1, MPI_DOUBLE, MPI_SUM, k->grid->comm));
  PetscFunctionReturn(0);
}

/* g = pi in the set that masses come from, 0 in the other. */
static PetscErrorCode hold_masses(const problem *p, Vec stationary, Vec g)
{
  const PetscScalar *pi;
  PetscScalar       *to;

  PetscFunctionBegin;
  PetscCall(VecGetArrayRead(stationary, &pi));
  PetscCall(VecGetArray(g, &to));
  for (PetscInt n = 0; n < p->absorbing->owned; n++) {
    if (p->absorbing->in[n] >= 0) to[n] = p->absorbing->in[n] == p->from ? pi[n] : 0;
  }
  PetscCall(VecRestoreArray(g, &to));
  PetscCall(VecRestoreArrayRead(stationary, &pi));
  PetscFunctionReturn(0);
}

/* New vector. */
static PetscErrorCode solve_reactive(problem *p, Vec stationary, Vec *g)
{
  fare_solved solved;

  PetscFunctionBegin;
  PetscCall(VecDuplicate(stationary, g));
  PetscCall(VecSet(*g, 0));
  PetscCall(hold_masses(p, stationary, *g));
  PetscCall(fare_absorbing_complete(p->absorbing, PETSC_TRUE, residual, p, "reactive density", *g, &solved));
  PetscFunctionReturn(0);
}

/* Flux out of a into cells that go on to b, and flux into b of those that come from a. */
static PetscErrorCode count_transitions(const problem *p, fare_reaction *reaction)
{
  const fare_absorbing *k      = p->absorbing;
  const int             faces  = 2 * k->grid->dim;
  double                sum[2] = {0, 0};
  const PetscScalar    *q, *g, *pi;
  fare_ghosts           ghosts;

  PetscFunctionBegin;
  PetscCall(fare_ghosts_of(k->grid, &ghosts));
  PetscCall(VecGetArrayRead(reaction->committor, &q));
  PetscCall(VecGetArrayRead(reaction->reactive, &g));
  PetscCall(VecGetArrayRead(p->stationary, &pi));
  for (PetscInt n = 0; n < k->owned; n++) {
    PetscInt index[FARE_DIM_MAX], here;

    if (k->in[n] >= 0) continue;
    fare_cell_index(k->grid, n, index);
    here = fare_ghosts_at(&ghosts, index);
    for (int face = 0; face < faces; face++) {
      const PetscInt at = n * faces + face;

      if (k->column[at] < 0 || k->beyond[at] < 0) continue;
      if (k->beyond[at] == A)
        sum[0] -= q[n] * flow_out(p, at, 0, 0, pi[here], pi[fare_ghosts_over(&ghosts, here, face)]);
      else
        sum[1] += flow_out(p, at, g[n], 0, 0, 0);
    }
  }
  PetscCall(VecRestoreArrayRead(p->stationary, &pi));
  PetscCall(VecRestoreArrayRead(reaction->reactive, &g));
  PetscCall(VecRestoreArrayRead(reaction->committor, &q));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, sum, 2, MPI_DOUBLE, MPI_SUM, k->grid->comm));
  reaction->flux_a = sum[0];
  reaction->flux_b = sum[1];
  PetscFunctionReturn(0);
}

/* Masses by the set that they come from, each for itself: one may be next to nothing beside the other. */
static PetscErrorCode find_rates(problem *p, Vec stationary, fare_reaction *reaction)
{
  PetscScalar from_a, from_b;
  Vec         other;

  PetscFunctionBegin;
  PetscCall(DMCreateLocalVector(p->absorbing->grid->dm, &p->stationary));
  PetscCall(DMGlobalToLocal(p->absorbing->grid->dm, stationary, INSERT_VALUES, p->stationary));
  p->from = B;
  PetscCall(solve_reactive(p, stationary, &other));
  p->from = A;
  PetscCall(solve_reactive(p, stationary, &reaction->reactive));
  PetscCall(count_transitions(p, reaction));
  PetscCall(VecSum(reaction->reactive, &from_a));
  PetscCall(VecSum(other, &from_b));
  reaction->rate_ab = reaction->flux_b / from_a;
  reaction->rate_ba = reaction->flux_b / from_b;
  PetscCall(VecDestroy(&other));
  PetscCall(VecDestroy(&p->stationary));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_reaction_solve(const fare_grid *grid, const fare_system *system, double t,
  const fare_region *a, const fare_region *b, Vec stationary, fare_reaction *reaction, fare_solved *solved)
{
  const fare_region *targets[] = {[A] = a, [B] = b};
  const double       to_b[] = {[A] = 0, [B] = 1}, to_a[] = {[A] = 1, [B] = 0};
  problem            p = {0};
  fare_solved        complement;

  PetscFunctionBegin;
  *reaction = (fare_reaction){NULL, NULL, NULL, NAN, NAN, NAN, NAN};
  if (fare_region_overlaps(a, b)) FARE_FAIL(FARE_ERR_INPUT, "analysis: the sets a and b overlap");
  PetscCall(fare_absorbing_create(grid, system, t, 2, targets, &p.absorbing));
  PetscCall(fare_absorbing_solve(p.absorbing, 0, to_b, "committor", &reaction->committor, solved));
  PetscCall(fare_absorbing_solve(p.absorbing, 0, to_a, "committor", &reaction->complement, &complement));
  if (stationary) PetscCall(find_rates(&p, stationary, reaction));
  PetscCall(fare_absorbing_destroy(&p.absorbing));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_reaction_free(fare_reaction *reaction)
{
  PetscFunctionBegin;
  PetscCall(VecDestroy(&reaction->committor));
  PetscCall(VecDestroy(&reaction->complement));
  PetscCall(VecDestroy(&reaction->reactive));
  PetscFunctionReturn(0);
}

static PetscErrorCode check_relative(const fare_committor_keys *keys)
{
  const size_t dim = (size_t)keys->from.dim;

  PetscFunctionBegin;
  if (!keys->at.count) FARE_REFUSE(keys->a, "relative: true needs points: give `points`");
  for (size_t i = 0; i < keys->at.count; i++) {
    if (fare_region_has(&keys->from, keys->at.x + i * dim) ||
      fare_region_has(&keys->to, keys->at.x + i * dim))
      FARE_REFUSE(fare_node_item(keys->points, i),
        "the point lies in a or b: relative: true needs points outside of both");
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_committor_check(fare_committor_keys *keys, const fare_analysis_context *context)
{
  PetscFunctionBegin;
  keys->from.dim = context->dim;
  if (keys->a) PetscCall(fare_region_read(keys->a, context, &keys->from));
  PetscCall(fare_region_read(keys->b, context, &keys->to));
  if (fare_region_overlaps(&keys->from, &keys->to)) FARE_REFUSE(keys->b, "the sets a and b overlap");
  PetscCall(fare_points_read(keys->points, context, &keys->at));
  if (keys->relative) PetscCall(check_relative(keys));
  PetscFunctionReturn(0);
}

void fare_committor_free(fare_committor_keys *keys)
{
  fare_region_free(&keys->from);
  fare_region_free(&keys->to);
  fare_points_free(&keys->at);
}

PetscErrorCode fare_committor_at_points(const fare_committor_keys *keys, const fare_grid *grid,
  PetscBool complement, const char *meaning, int count, Vec q[], double known, const fare_system *leaping,
  double t, fare_findings *found)
{
  const fare_held held = {2, {&keys->from, &keys->to}, {complement ? 1 : 0, complement ? 0 : 1}, leaping, t};

  PetscFunctionBegin;
  found->cut = fare_region_cuts(&keys->from, grid) || fare_region_cuts(&keys->to, grid);
  PetscCall(fare_found_at_points(
    found, complement ? "to_a" : "committor", meaning, grid, &held, count, q, &keys->at, known));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_committor_certify(const fare_committor_keys *keys, const fare_grid *grid, int count,
  Vec q[], const double known[], fare_findings *found)
{
  const fare_held held   = {2, {&keys->from, &keys->to}, {0, 1}, NULL, 0};
  const size_t    points = keys->at.count, n = points * (size_t)count;
  double         *value, *spread, *logs;

  PetscFunctionBegin;
  PetscCall(PetscMalloc3(n, &value, n, &spread, n, &logs));
  for (size_t k = 0; k < (size_t)count; k++)
    PetscCall(
      fare_interpolate(grid, &held, q[k], points, keys->at.x, value + k * points, spread + k * points));
  for (size_t i = 0; i < n; i++) {
    if (!(value[i] > 0)) FARE_FAIL(FARE_ERR_FAILED, "committor: a value at a point is below 1e-308");
    logs[i] = log(value[i]);
  }
  for (int of = 0; of < 2; of++) {
    fare_finding *f = of
      ? fare_found(found, "committor", "probability to reach b before a, at the points", n, value)
      : fare_found(found, "ln_committor", "its logarithm, with an error of its own", n, logs);

    f->points = &keys->at;
    f->log    = of ? "ln_committor" : NULL;
    if (count > 1) {
      f->rank      = 2;
      f->extent[0] = (size_t)count;
      f->extent[1] = points;
    }
    for (size_t i = 0; i < n; i++) f->least[i] = spread[i] / value[i] + (known ? known[i] : 0);
  }
  PetscCall(PetscFree3(value, spread, logs));
  PetscFunctionReturn(0);
}

static const fare_field fields[] = {
  FARE_COMMITTOR_FIELDS(0, "the committor and the reactive density on the grid"),
  FARE_FIELDS_END,
};

static PetscErrorCode check(
  void *state, const fare_node *node, const fare_analysis_context *context, double time)
{
  PetscFunctionBegin;
  (void)time;
  if (!((fare_committor_keys *)state)->a) FARE_REFUSE(node, "missing key 'a' (%s)", fields[0].description);
  PetscCall(fare_committor_check(state, context));
  PetscFunctionReturn(0);
}

static void keep_rates(const fare_reaction *reaction, fare_findings *found)
{
  fare_found(found, "flux", "transitions from a to b per time in the steady state", 1, &reaction->flux_b);
  fare_found(found, "rate_ab", "transitions per time spent having last left a", 1, &reaction->rate_ab);
  fare_found(found, "rate_ba", "transitions per time spent having last left b", 1, &reaction->rate_ba);
  if (reaction->reactive)
    fare_found_number(found, "imbalance", "relative difference of the fluxes out of a and into b",
      fabs(reaction->flux_a - reaction->flux_b) / reaction->flux_b);
}

/* Takes it over. */
static void keep_committor(fare_reaction *reaction, fare_findings *found)
{
  fare_found_mesh(found, "committor", "probability to reach b before a from the centre of each cell",
    FARE_MESH_VALUES, reaction->committor);
  reaction->committor = NULL;
}

/* There is no steady state, and no rate in it, where an end absorbs. */
static PetscErrorCode solve(const fare_committor_keys *s, const fare_grid *grid, const fare_system *system,
  double time, fare_reaction *reaction, fare_solved *solved)
{
  Vec         stationary = NULL;
  fare_solved guess;

  PetscFunctionBegin;
  if (!fare_grid_absorbs(grid)) PetscCall(fare_stationary_solve(grid, system, time, &stationary, &guess));
  PetscCall(fare_reaction_solve(grid, system, time, &s->from, &s->to, stationary, reaction, solved));
  PetscCall(VecDestroy(&stationary));
  PetscFunctionReturn(0);
}

static PetscErrorCode keep_points(const fare_committor_keys *s, const fare_grid *grid,
  fare_reaction *reaction, const fare_system *leaping, double time, fare_findings *found)
{
  PetscFunctionBegin;
  if (s->relative)
    PetscCall(fare_committor_certify(s, grid, 1, &reaction->committor, NULL, found));
  else
    PetscCall(fare_committor_at_points(s, grid, PETSC_FALSE, "probability to reach b before a, at the points",
      1, &reaction->committor, 0, leaping, time, found));
  PetscCall(fare_committor_at_points(s, grid, PETSC_TRUE, "probability to reach a before b, at the points", 1,
    &reaction->complement, 0, leaping, time, found));
  fare_found_exact(
    found, "points", "where `committor` and `to_a` are given", s->at.count, (size_t)grid->dim, s->at.x);
  PetscFunctionReturn(0);
}

static PetscErrorCode run(const void *state, const fare_grid *grid, const fare_system *system, double time,
  const fare_findings *like, fare_findings *found)
{
  const fare_committor_keys *s = state;
  fare_reaction              reaction;
  fare_solved                solved;

  PetscFunctionBegin;
  (void)like;
  if (s->relative && !fare_elimination_serves(grid))
    FARE_FAIL(FARE_ERR_INPUT, "committor: too many cells for relative: true; take fewer");
  PetscCall(solve(s, grid, system, time, &reaction, &solved));
  PetscCall(keep_points(s, grid, &reaction, NULL, time, found));
  if (reaction.reactive) keep_rates(&reaction, found);
  fare_found_number(found, "residual", "of the equation, relative to its terms", solved.residual);
  if (s->meshes) {
    keep_committor(&reaction, found);
    if (reaction.reactive)
      fare_found_mesh(found, "from_a", "density of paths that come from a rather than from b",
        FARE_MESH_ESTIMATED, reaction.reactive);
    reaction.reactive = NULL;
  }
  PetscCall(fare_reaction_free(&reaction));
  PetscFunctionReturn(0);
}

/* Square of the distance to a set, or of one that is 0 in it alone, each axis in units of the box. */
static double distance(const fare_region *region, const fare_grid *grid, const double x[])
{
  double least = HUGE_VAL;

  for (size_t box = 0; box < region->boxes; box++) {
    double sum = PetscSqr(fare_region_gap(region, box, x) / (grid->upper[0] - grid->lower[0]));

    for (int axis = 0; axis < grid->dim; axis++) {
      const size_t at    = box * (size_t)region->dim + (size_t)axis;
      const double away  = PetscMax(0, PetscMax(region->lower[at] - x[axis], x[axis] - region->upper[at])),
                   width = grid->upper[axis] - grid->lower[axis];

      /* on a ring either way round */
      sum += PetscSqr(
        (grid->boundary[axis] == FARE_BOUNDARY_PERIODIC
            ? PetscMin(
                away, PetscMax(0, width - PetscMax(region->upper[at] - x[axis], x[axis] - region->lower[at])))
            : away) /
        width);
    }
    least = PetscMin(least, sum);
  }
  return least;
}

/* 1 in and near a, 0 in and near b, and smooth: a polynomial with three derivatives where it joins. */
static double between(const fare_committor_keys *s, const fare_grid *grid, const double x[])
{
  const double near = 0.1, a = distance(&s->from, grid, x), b = distance(&s->to, grid, x),
               z = PetscMin(1, PetscMax(0, (b / (a + b) - near) / (1 - 2 * near)));

  return z * z * z * z * (35 - z * (84 - z * (70 - 20 * z)));
}

/*
  With c from 1 in a to 0 in b, and tau the time to reach either: as L pi = 0, and by parts,

    flux = int q L(c pi),  mass that last came from a = int c pi + tau L(c pi),

  which is all done where q and tau are smooth, away from both sets.
*/
static PetscErrorCode find_smooth_rates(const fare_committor_keys *s, const fare_grid *grid,
  const fare_system *system, double t, Vec times, fare_reaction *reaction)
{
  PetscScalar flux, held, lived, *value;
  double      all;
  fare_solved solved;
  Vec         values, flow;
  Mat         L;

  PetscFunctionBegin;
  PetscCall(fare_stationary_values(grid, system, t, &values, &solved));
  PetscCall(VecSum(values, &all));
  PetscCall(VecDuplicate(values, &flow));
  PetscCall(VecGetArray(values, &value));
  for (PetscInt n = 0; n < fare_grid_owned(grid); n++) {
    double x[FARE_DIM_MAX];

    fare_cell_centre(grid, n, x);
    value[n] *= between(s, grid, x);
  }
  PetscCall(VecRestoreArray(values, &value));
  PetscCall(fare_high_order_matrix(grid, system, t, &L));
  PetscCall(MatMult(L, values, flow));
  PetscCall(VecDot(reaction->committor, flow, &flux));
  PetscCall(VecDot(times, flow, &lived));
  PetscCall(VecSum(values, &held));
  reaction->flux_a = reaction->flux_b = flux;
  reaction->rate_ab                   = flux / (held + lived);
  reaction->rate_ba                   = flux / (all - held - lived);
  PetscCall(MatDestroy(&L));
  PetscCall(VecDestroy(&values));
  PetscCall(VecDestroy(&flow));
  PetscFunctionReturn(0);
}

static PetscErrorCode solve_high_order(const fare_committor_keys *s, const fare_grid *grid,
  const fare_system *system, double t, fare_reaction *reaction, fare_solved *solved)
{
  const fare_region *targets[] = {[A] = &s->from, [B] = &s->to};
  const double       to_b[] = {[A] = 0, [B] = 1}, to_a[] = {[A] = 1, [B] = 0};
  fare_backward     *backward;
  fare_solved        other;
  Vec                times;

  PetscFunctionBegin;
  *reaction = (fare_reaction){NULL, NULL, NULL, NAN, NAN, NAN, NAN};
  PetscCall(fare_backward_create(grid, system, t, 2, targets, &backward));
  PetscCall(fare_backward_solve(backward, 0, to_b, -1, "committor", &reaction->committor, solved));
  PetscCall(fare_backward_solve(backward, 0, to_a, -1, "committor", &reaction->complement, &other));
  PetscCall(fare_backward_times(backward, "committor", &times, &other));
  if (!fare_grid_absorbs(grid)) PetscCall(find_smooth_rates(s, grid, system, t, times, reaction));
  PetscCall(VecDestroy(&times));
  PetscCall(fare_backward_destroy(&backward));
  PetscFunctionReturn(0);
}

static PetscErrorCode run_high_order(const void *state, const fare_grid *grid, const fare_system *system,
  double time, const fare_findings *like, fare_findings *found)
{
  const fare_committor_keys *s = state;
  fare_reaction              reaction;
  fare_solved                solved;

  PetscFunctionBegin;
  if (s->relative) {
    PetscCall(run(state, grid, system, time, like, found));
    PetscFunctionReturn(0);
  }
  found->leaps = PETSC_TRUE;
  PetscCall(solve_high_order(s, grid, system, time, &reaction, &solved));
  PetscCall(keep_points(s, grid, &reaction, system, time, found));
  if (!fare_grid_absorbs(grid)) keep_rates(&reaction, found);
  fare_found_number(found, "residual", "of the equation, relative to its terms", solved.residual);
  if (s->meshes) keep_committor(&reaction, found);
  PetscCall(fare_reaction_free(&reaction));
  PetscFunctionReturn(0);
}

static void destroy(void *state)
{
  fare_committor_free(state);
}

const fare_analysis_type fare_analysis_committor = {
  .name           = "committor",
  .summary        = "probability to reach one set before another, and rates of transition between them",
  .reference      = "E and Vanden-Eijnden, J. Stat. Phys. 123, 503 (2006)",
  .size           = sizeof(fare_committor_keys),
  .fields         = fields,
  .check          = check,
  .run            = run,
  .run_high_order = run_high_order,
  .destroy        = destroy,
};
