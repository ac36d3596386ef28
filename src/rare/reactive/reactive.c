/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Paths on their way to b: as splitting finds them, and their exact density p(t,x) q(t,x) over its sum, of the
  density p from the start that a and b absorb, and of the committor q (Metzner, Schuette and Vanden-Eijnden,
  J. Chem. Phys. 125, 084110 (2006); with a deadline, Helfmann, Ribera Borrell, Schuette and Koltai, J.
  Nonlinear Sci. 30, 3321 (2020)).
*/
#include "rare/run/runs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TOLERANCE  1e-6 /* L1 error of steps in time */
#define ERROR_OF_Q 1e-4 /* of ln q, that they may leave */
#define EXCESS     0.02 /* of the share of paths, which should fall from 1 */
#define SAME_TIME  1e-6 /* of a step */

extern const fare_rare_type fare_rare_splitting;

static int64_t step_at(const fare_rare_context *c, double t)
{
  return (int64_t)llround((t - c->event->time) / c->dt);
}

PetscErrorCode fare_rare_reactive_check(
  const fare_rare *rare, const char *name, int count, const double times[], const fare_node *node)
{
  fare_rare_chosen  of;
  fare_rare_setting setting = {.of = FARE_RARE_PROBABILITY};

  PetscFunctionBegin;
  if (!fare_rare_choose(rare, name, &of)) FARE_REFUSE(node, "there is no estimator '%s' in 'rare'", name);
  if (of.type != &fare_rare_splitting)
    FARE_REFUSE(
      node, "paths to an event are those of splitting, and '%s' is an estimator by %s", name, of.type->name);
  if (of.event->a.outside || of.event->b.outside)
    FARE_REFUSE(node, "the sets of event '%s' must be boxes, not what lies outside of some", of.event->name);
  of.type->setting(of.options, 0, &setting);
  for (int k = 0; k < count; k++) {
    const double since = times[k] - of.event->time, span = of.event->deadline - of.event->time;
    double       dt = setting.chain.dt;

    if (!(since > 0 && times[k] < of.event->deadline))
      FARE_REFUSE(node,
        "paths of event '%s' are on their way after time %g and before %g, and there is a snapshot at %g",
        of.event->name, of.event->time, of.event->deadline, times[k]);
    if (of.event->deadline < FARE_NEVER) dt = span / ceil(span / dt * (1 - 1e-12));
    if (!(fabs(since / dt - round(since / dt)) < SAME_TIME))
      FARE_REFUSE(
        node, "the snapshot at %g is no multiple of the step of estimator '%s' (dt: %g)", times[k], name, dt);
  }
  PetscFunctionReturn(0);
}

/* Both sets as one. */
static PetscErrorCode join(const fare_event *event, fare_region *both)
{
  PetscFunctionBegin;
  *both = (fare_region){.dim = event->b.dim};
  PetscCall(fare_region_add(&event->a, both));
  PetscCall(fare_region_add(&event->b, both));
  PetscFunctionReturn(0);
}

/* All at the start, which the nearest cells share so that the mean is there. */
static PetscErrorCode begin_at(const fare_grid *grid, const double start[], Vec *masses)
{
  PetscScalar *mass;
  double       sum;

  PetscFunctionBegin;
  PetscCall(DMCreateGlobalVector(grid->dm, masses));
  PetscCall(VecGetArray(*masses, &mass));
  for (PetscInt n = 0; n < fare_grid_owned(grid); n++) {
    double x[FARE_DIM_MAX];

    fare_cell_centre(grid, n, x);
    mass[n] = 1;
    for (int axis = 0; axis < grid->dim; axis++) {
      double away = fabs(x[axis] - start[axis]);

      if (grid->boundary[axis] == FARE_BOUNDARY_PERIODIC)
        away = PetscMin(away, grid->upper[axis] - grid->lower[axis] - away);
      mass[n] *= PetscMax(0, 1 - away / grid->spacing[axis]);
    }
  }
  PetscCall(VecRestoreArray(*masses, &mass));
  PetscCall(fare_sum(*masses, &sum));
  PetscCall(VecScale(*masses, 1 / sum));
  PetscFunctionReturn(0);
}

/* p q over its sum, from p; that sum over q at the start. */
static PetscErrorCode weigh(
  Vec q, double at_start, const fare_event *event, double t, Vec masses, double *share)
{
  double sum;

  PetscFunctionBegin;
  PetscCall(VecPointwiseMult(masses, masses, q));
  PetscCall(fare_sum(masses, &sum));
  *share = sum / at_start;
  if (!(sum > 0)) FARE_FAIL(FARE_ERR_FAILED, "no path to event %s is on its way at time %g", event->name, t);
  PetscCall(VecScale(masses, 1 / sum));
  PetscFunctionReturn(0);
}

/* q at the event's time and at each of `times`, with no interpolation between: a drive may be fast. */
static PetscErrorCode find_q(const fare_system *system, const fare_event *event, const fare_grid *grid,
  int count, const double times[], Vec q[])
{
  const PetscBool ends   = event->deadline < FARE_NEVER ? PETSC_TRUE : PETSC_FALSE;
  const fare_span span   = {event->time, ends ? event->deadline : event->time + 1,
    ends ? FARE_AFTER_OVER : FARE_AFTER_FROZEN, ERROR_OF_Q};
  const int       solved = ends ? 1 + count : 1;
  double         *starts, *error;
  fare_driven     driven;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(1 + count, &starts, 1 + count, &error));
  starts[0] = event->time;
  for (int k = 0; k < count; k++) starts[1 + k] = times[k];
  PetscCall(fare_log_committor_solve(
    grid, system, &span, &event->a, &event->b, solved, starts, 1, 1, event->start, q, error, &driven));
  for (int k = 0; k < solved; k++) PetscCall(VecExp(q[k]));
  for (int k = solved; k <= count; k++) {
    PetscCall(VecDuplicate(q[0], &q[k]));
    PetscCall(VecCopy(q[0], q[k]));
  }
  PetscCall(PetscFree2(starts, error));
  PetscFunctionReturn(0);
}

static PetscErrorCode solve(const fare_system *system, const fare_event *event, const fare_grid *grid,
  int count, const double times[], Vec masses[], double share[])
{
  fare_survival *survival;
  fare_region    both;
  fare_driven    driven;
  Vec            begin, *q;
  double         at_start;
  PetscErrorCode code = 0;

  PetscFunctionBegin;
  PetscCall(join(event, &both));
  PetscCall(begin_at(grid, event->start, &begin));
  PetscCall(PetscMalloc2(count, &survival, 1 + count, &q));
  PetscCall(find_q(system, event, grid, count, times, q));
  PetscCall(VecDot(begin, q[0], &at_start));
  PetscCall(fare_survival_solve(
    grid, system, &both, begin, event->time, TOLERANCE, count, times, survival, masses, &driven));
  for (int k = 0; k < count && !code; k++)
    code = weigh(q[1 + k], at_start, event, times[k], masses[k], &share[k]);
  for (int k = 0; k <= count; k++) PetscCall(VecDestroy(&q[k]));
  PetscCall(PetscFree2(survival, q));
  PetscCall(VecDestroy(&begin));
  fare_region_free(&both);
  PetscFunctionReturn(code);
}

PetscErrorCode fare_rare_reactive_density(const fare_rare *rare, const char *name, const fare_grid *grid,
  int count, const double times[], Vec masses[], Vec error[], double share[])
{
  fare_rare_chosen   of;
  const fare_system *system = fare_rare_system(rare);
  fare_grid         *fine;
  Vec               *finer;

  PetscFunctionBegin;
  (void)fare_rare_choose(rare, name, &of);
  PetscCall(fare_event_check(of.event, grid));
  PetscCall(fare_grid_refine(grid, &fine));
  PetscCall(PetscMalloc1(count, &finer));
  PetscCall(solve(system, of.event, grid, count, times, error, share));
  PetscCall(solve(system, of.event, fine, count, times, finer, share));
  for (int k = 0; k < count; k++) {
    if (share[k] > (k ? share[k - 1] : 1) + EXCESS)
      fare_warn(
        "event %s: %.1f%% of its paths are on their way at time %g, more than there can be: take more cells",
        of.event->name, 100 * share[k], times[k]);
  }
  for (int k = 0; k < count; k++) {
    PetscCall(VecDuplicate(error[k], &masses[k]));
    PetscCall(fare_grid_restrict(grid, finer[k], masses[k]));
    PetscCall(VecAYPX(error[k], -1, masses[k])); /* of second order: a third of the difference is left */
    PetscCall(VecScale(error[k], 1. / 3));
    PetscCall(VecDestroy(&finer[k]));
  }
  PetscCall(PetscFree(finer));
  PetscCall(fare_grid_destroy(&fine));
  PetscFunctionReturn(0);
}

/* Puts the walkers of one run where they belong among the particles of this rank; the others' are left. */
static void place_run(const fare_rare_marks *marks, int64_t first, int64_t walkers, fare_ensemble *const at[])
{
  for (int64_t i = 0; i < walkers; i++) {
    const int64_t n = first + i;

    if (n < 0 || n >= at[0]->local) continue;
    for (int k = 0; k < marks->count; k++) {
      const PetscBool on_its_way = marks->end[i] > marks->step[k] ? PETSC_TRUE : PETSC_FALSE;

      at[k]->weight[n] = on_its_way ? marks->log_weight : -HUGE_VAL;
      for (int axis = 0; axis < at[k]->dim && on_its_way; axis++)
        at[k]->x[axis][n] = marks->x[(i * marks->count + k) * FARE_DIM_MAX + axis];
    }
  }
}

/* Weights from their logarithms. */
static PetscErrorCode finish_weights(MPI_Comm comm, const fare_event *event, fare_ensemble *at)
{
  double most = -HUGE_VAL;

  PetscFunctionBegin;
  for (int64_t i = 0; i < at->local; i++) most = PetscMax(most, at->weight[i]);
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &most, 1, MPI_DOUBLE, MPI_MAX, comm));
  if (most == -HUGE_VAL)
    FARE_FAIL(FARE_ERR_FAILED, "no path to event %s is on its way at time %g", event->name, at->time);
  for (int64_t i = 0; i < at->local; i++) at->weight[i] = exp(at->weight[i] - most);
  PetscFunctionReturn(0);
}

static PetscErrorCode split(
  const fare_rare_job *job, int64_t walkers, fare_ensemble *const at[], int64_t *steps)
{
  const int64_t  first = at[0]->first_block * FARE_BLOCK;
  PetscErrorCode code  = 0;

  PetscFunctionBegin;
  for (int64_t r = first / walkers; r * walkers < first + at[0]->local && !code; r++) {
    fare_rare_once once;

    code = fare_rare_run_through(job, r, &once);
    place_run(job->context->marks, r * walkers - first, walkers, at);
    if (r * walkers >= first) *steps += (int64_t)once.cost; /* runs that begin here: others count theirs */
  }
  PetscFunctionReturn(code);
}

PetscErrorCode fare_rare_reactive_paths(const fare_rare *rare, const char *name, const fare_grid *grid,
  uint64_t seed, int count, const double times[], fare_ensemble *const at[], int64_t *steps)
{
  const PetscInt64 *walkers;
  fare_rare_chosen  of;
  fare_rare_context c;
  fare_rare_marks   marks = {.count = count};
  int64_t          *step;
  double           *theta;
  fare_rare_job     job;
  char              own[120];
  PetscErrorCode    code;

  PetscFunctionBegin;
  (void)fare_rare_choose(rare, name, &of);
  snprintf(own, sizeof own, "reactive/%s", name);
  PetscCall(fare_rare_context_make(rare, &of, own, at[0]->comm, grid, seed, &c, &theta));
  walkers = fare_fields_find(of.type->fields, of.options, "walkers", FARE_INTEGER);
  PetscCall(PetscMalloc3(
    count, &step, (size_t)(*walkers * count) * FARE_DIM_MAX, &marks.x, (size_t)*walkers, &marks.end));
  for (int k = 0; k < count; k++) {
    step[k]     = step_at(&c, times[k]);
    at[k]->time = times[k];
    PetscCall(fare_ensemble_weigh(at[k]));
    for (int axis = 0; axis < at[k]->dim; axis++) {
      for (int64_t i = 0; i < at[k]->blocks * FARE_BLOCK; i++) at[k]->x[axis][i] = of.event->start[axis];
    }
  }
  marks.step = step;
  c.marks    = &marks;
  job        = (fare_rare_job){of.type, of.options, &c, NULL};
  code       = of.type->begin(of.options, &c, &job.work);
  if (!code) code = split(&job, *walkers, at, steps);
  PetscCall(of.type->end(&job.work));
  PetscCall(PetscFree3(step, marks.x, marks.end));
  PetscCall(PetscFree(theta));
  PetscCall(fare_error_agree(at[0]->comm, code));
  for (int k = 0; k < count; k++) PetscCall(finish_weights(at[0]->comm, of.event, at[k]));
  PetscFunctionReturn(0);
}
