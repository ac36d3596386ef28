/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The steady state of paths that begin again at a point once they reach a set, and how well any weighted
  ensemble can tell its rate J. With tau the mean time to the set, h = -J tau rises to 0 there, and what
  chance adds to the variance of the estimate is v_i^2 = sum_j r(i->j) (h_j - h_i)^2 per time. Of masses pi,
  walkers that are spread as pi give sum_i pi_i v_i^2, and the best allocation (sum_i pi_i v_i)^2, over
  walkers times time (Aristoff and Zuckerman, Multiscale Model. Simul. 18, 646 (2020); Webber, Aristoff and
  Simpson, arXiv:2011.13899).
*/
#include "analysis.h"

#include <math.h>

typedef struct {
  fare_absorbing *absorbing;
  Vec             source; /* masses 1 where paths begin */
} problem;

/* source - M^T masses outside of the target. */
static PetscErrorCode residual(void *context, Vec masses, Vec r, double *scale)
{
  const problem        *p     = context;
  const fare_absorbing *k     = p->absorbing;
  const int             faces = 2 * k->grid->dim;
  const PetscScalar    *value, *source;
  PetscScalar          *to;
  fare_ghosts           ghosts;
  Vec                   local;

  PetscFunctionBegin;
  *scale = 0;
  PetscCall(fare_ghosts_of(k->grid, &ghosts));
  PetscCall(fare_ghosts_get(k->grid, masses, &local, &value));
  PetscCall(VecGetArrayRead(p->source, &source));
  PetscCall(VecGetArray(r, &to));
  for (PetscInt n = 0; n < k->owned; n++) {
    PetscInt index[FARE_DIM_MAX], here;

    to[n] = 0;
    if (k->in[n] >= 0) continue;
    fare_cell_index(k->grid, n, index);
    here  = fare_ghosts_at(&ghosts, index);
    to[n] = source[n];
    *scale += source[n];
    for (int face = 0; face < faces; face++) {
      const PetscInt at  = n * faces + face;
      const double   out = k->leaving[at] > 0 ? k->leaving[at] / k->cut[at] * value[here] : 0;

      to[n] -= out;
      *scale += out;
      if (k->column[at] >= 0 && k->beyond[at] < 0)
        to[n] += k->entering[at] * value[fare_ghosts_over(&ghosts, here, face)];
    }
  }
  PetscCall(VecRestoreArray(r, &to));
  PetscCall(VecRestoreArrayRead(p->source, &source));
  PetscCall(fare_ghosts_restore(k->grid, &local, &value));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, scale, 1, MPI_DOUBLE, MPI_SUM, k->grid->comm));
  PetscFunctionReturn(0);
}

/* The share of a point that a cell has, by straight lines between centres. */
static double share_of(const fare_grid *grid, const PetscInt index[], const double x[])
{
  double share = 1;

  for (int axis = 0; axis < grid->dim; axis++) {
    const double h = grid->spacing[axis], width = grid->upper[axis] - grid->lower[axis],
                 centre = fare_grid_centre(grid, axis, index[axis]);
    double away         = fabs(x[axis] - centre);

    if (grid->boundary[axis] == FARE_BOUNDARY_PERIODIC)
      away = PetscMin(away, width - away);
    else
      away =
        fabs(PetscMax(grid->lower[axis] + 0.5 * h, PetscMin(grid->upper[axis] - 0.5 * h, x[axis])) - centre);
    share *= PetscMax(0, 1 - away / h);
  }
  return share;
}

static PetscErrorCode place_source(const fare_grid *grid, const double start[], Vec source)
{
  PetscScalar *to;

  PetscFunctionBegin;
  PetscCall(VecGetArray(source, &to));
  for (PetscInt n = 0; n < fare_grid_owned(grid); n++) {
    PetscInt index[FARE_DIM_MAX];

    fare_cell_index(grid, n, index);
    to[n] = share_of(grid, index, start);
  }
  PetscCall(VecRestoreArray(source, &to));
  PetscFunctionReturn(0);
}

/* v^2 of each cell, in place of nothing. */
static PetscErrorCode find_spread(const fare_absorbing *k, double rate, Vec times, Vec spread)
{
  const int          faces = 2 * k->grid->dim;
  const PetscScalar *tau;
  PetscScalar       *to;
  fare_ghosts        ghosts;
  Vec                local;

  PetscFunctionBegin;
  PetscCall(fare_ghosts_of(k->grid, &ghosts));
  PetscCall(fare_ghosts_get(k->grid, times, &local, &tau));
  PetscCall(VecGetArray(spread, &to));
  for (PetscInt n = 0; n < k->owned; n++) {
    PetscInt index[FARE_DIM_MAX], here;

    to[n] = 0;
    fare_cell_index(k->grid, n, index);
    here = fare_ghosts_at(&ghosts, index);
    for (int face = 0; face < faces && k->in[n] < 0; face++) {
      const PetscInt at    = n * faces + face;
      const double   there = k->column[at] < 0 ? 0 : tau[fare_ghosts_over(&ghosts, here, face)];

      if (k->leaving[at] > 0) to[n] += k->leaving[at] / k->cut[at] * PetscSqr(rate * (tau[here] - there));
    }
  }
  PetscCall(VecRestoreArray(spread, &to));
  PetscCall(fare_ghosts_restore(k->grid, &local, &tau));
  PetscFunctionReturn(0);
}

static PetscErrorCode solve(problem *p, const double start[], fare_recycling *recycling, fare_solved *solved)
{
  const double zero = 0;
  PetscScalar  mean;
  fare_solved  backward;
  Vec          times;

  PetscFunctionBegin;
  PetscCall(fare_absorbing_solve(p->absorbing, 1, &zero, "passage times", &times, &backward));
  PetscCall(VecDuplicate(times, &p->source));
  PetscCall(place_source(p->absorbing->grid, start, p->source));
  PetscCall(VecDot(times, p->source, &mean));
  if (!(mean > 0)) FARE_FAIL(FARE_ERR_INPUT, "analysis: the start lies in the target, to the grid");
  recycling->rate = 1 / mean;
  PetscCall(VecDuplicate(times, &recycling->masses));
  PetscCall(VecSet(recycling->masses, 0));
  PetscCall(fare_absorbing_complete(
    p->absorbing, PETSC_TRUE, residual, p, "recycled density", recycling->masses, solved));
  PetscCall(VecScale(recycling->masses, recycling->rate));
  PetscCall(VecDuplicate(times, &recycling->spread));
  PetscCall(find_spread(p->absorbing, recycling->rate, times, recycling->spread));
  solved->residual = PetscMax(solved->residual, backward.residual);
  PetscCall(VecDestroy(&times));
  PetscCall(VecDestroy(&p->source));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_recycling_solve(const fare_grid *grid, const fare_system *system, double t,
  const fare_region *target, const double start[], fare_recycling *recycling, fare_solved *solved)
{
  problem p = {0};

  PetscFunctionBegin;
  *recycling = (fare_recycling){NAN, NULL, NULL};
  PetscCall(fare_absorbing_create(grid, system, t, 1, &target, &p.absorbing));
  PetscCall(solve(&p, start, recycling, solved));
  PetscCall(fare_absorbing_destroy(&p.absorbing));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_recycling_free(fare_recycling *recycling)
{
  PetscFunctionBegin;
  PetscCall(VecDestroy(&recycling->masses));
  PetscCall(VecDestroy(&recycling->spread));
  PetscFunctionReturn(0);
}

typedef struct {
  const fare_node *target;
  fare_reals       start;
  PetscBool        meshes;
  fare_region      to;
} optimum;

#define AT(member) offsetof(optimum, member)
static const fare_field fields[] = {
  {"target", FARE_NODE, AT(target), NULL, 0, 0, NULL, "",
    "the set to reach: a box {lower: [...], upper: [...]} or a list of boxes"},
  {"start", FARE_REALS, AT(start), NULL, -1e9, 1e9, NULL, "length", "where paths begin again: a point"},
  {"meshes", FARE_BOOLEAN, AT(meshes), "true", 0, 0, NULL, "",
    "also record the density of the steady state, and v, on the grid"},
  FARE_FIELDS_END,
};

static PetscErrorCode check(
  void *state, const fare_node *node, const fare_analysis_context *context, double time)
{
  optimum         *s     = state;
  const fare_node *start = fare_node_find(node, "start");

  PetscFunctionBegin;
  (void)time;
  PetscCall(fare_region_read(s->target, context, &s->to));
  if (s->start.count != (size_t)context->dim)
    FARE_REFUSE(start, "expected a point, a list of %d number%s, got %zu", context->dim,
      context->dim > 1 ? "s" : "", s->start.count);
  for (int axis = 0; axis < context->dim; axis++) {
    if (!(s->start.values[axis] >= context->lower[axis] && s->start.values[axis] <= context->upper[axis]))
      FARE_REFUSE(start, "%g lies outside the truth's box, [%g, %g]", s->start.values[axis],
        context->lower[axis], context->upper[axis]);
  }
  if (fare_region_has(&s->to, s->start.values)) FARE_REFUSE(start, "the start lies in the target already");
  PetscFunctionReturn(0);
}

static PetscErrorCode keep_numbers(const fare_recycling *of, Vec v, fare_findings *found)
{
  PetscScalar squares, sum;

  PetscFunctionBegin;
  PetscCall(VecDot(of->masses, of->spread, &squares));
  PetscCall(VecDot(of->masses, v, &sum));
  const double variance = squares / of->rate, plain = squares / PetscSqr(of->rate),
               least = PetscSqr(sum / of->rate), gain = squares / PetscSqr(sum);

  fare_found(found, "rate", "arrivals per time of paths that begin again at the start", 1, &of->rate);
  fare_found(found, "variance", "relative variance of the time of one path", 1, &variance);
  fare_found(found, "plain", "time x relative variance of the rate by plain paths", 1, &plain);
  fare_found(
    found, "optimum", "walkers x time x relative variance: the least of any weighted ensemble", 1, &least);
  fare_found(found, "gain", "the first over the second: what a weighted ensemble can gain at most", 1, &gain);
  PetscFunctionReturn(0);
}

static PetscErrorCode run(const void *state, const fare_grid *grid, const fare_system *system, double time,
  const fare_findings *like, fare_findings *found)
{
  const optimum *s = state;
  fare_recycling recycling;
  fare_solved    solved;
  Vec            v;

  PetscFunctionBegin;
  (void)like;
  PetscCall(fare_recycling_solve(grid, system, time, &s->to, s->start.values, &recycling, &solved));
  PetscCall(VecDuplicate(recycling.spread, &v));
  PetscCall(VecCopy(recycling.spread, v));
  PetscCall(VecSqrtAbs(v));
  found->cut = PETSC_TRUE; /* the start lies anywhere in its cell */
  PetscCall(keep_numbers(&recycling, v, found));
  fare_found_number(found, "residual", "of the equations, relative to their terms", solved.residual);
  if (s->meshes) {
    fare_found_mesh(
      found, "density", "of the steady state of paths that begin again", FARE_MESH_MASSES, recycling.masses);
    fare_found_mesh(
      found, "v", "rate of spread of -time/mean time, per square root of time", FARE_MESH_VALUES, v);
    recycling.masses = NULL;
  } else {
    PetscCall(VecDestroy(&v));
  }
  PetscCall(fare_recycling_free(&recycling));
  PetscFunctionReturn(0);
}

static void destroy(void *state)
{
  fare_region_free(&((optimum *)state)->to);
}

const fare_analysis_type fare_analysis_weighted_ensemble_optimum = {
  .name    = "weighted_ensemble_optimum",
  .summary = "how well plain paths and the best weighted ensemble can estimate the rate of reaching a set",
  .reference =
    "Aristoff and Zuckerman, Multiscale Model. Simul. 18, 646 (2020); Webber, Aristoff and Simpson, "
    "arXiv:2011.13899 (2020)",
  .size    = sizeof(optimum),
  .fields  = fields,
  .check   = check,
  .run     = run,
  .destroy = destroy,
};
