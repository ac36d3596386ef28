/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The generator with targets removed, as it moves: dx/ds = b - M x backward in time, dP/dt = -M^T P forward,
  by the L-stable method of order 4 of Hairer and Wanner (Solving Ordinary Differential Equations II, table
  IV.6.5). Stages are solved for their increments from residuals in the form of flows, so that what is nearly
  constant stays so to round-off, however long the way. Steps are laid out beforehand: the evolution is linear
  in x, and half as wide ones tell its error.
*/
#include "analysis/analysis.h"

#include <petscdmda.h>

#include <math.h>
#include <stdlib.h>

#define STAGES     FARE_STEPPER_STAGES
#define DIAGONAL   0.25
#define FEW        8  /* iterations, after which factors of an earlier step no longer serve */
#define FIRST      16 /* steps over the whole way, at the least, on level 0 */
#define LEAST      8  /* behind a jump */
#define GRADED     3  /* power by which steps grow behind a jump */
#define LEVELS_MAX 12
#define MARKS      100000
#define NOTHING    1e-150 /* a residual whose square is no number */

static const double place[STAGES]        = {0.25, 0.75, 11. / 20, 0.5, 1};
static const double part[STAGES][STAGES] = {
  {0.25},
  {0.5, 0.25},
  {17. / 50, -1. / 25, 0.25},
  {371. / 1360, -137. / 2720, 15. / 544, 0.25},
  {25. / 24, -49. / 48, 125. / 16, -85. / 12, 0.25},
};

/*
  Steps are short, so that ranks hardly feel each other: each has the factors of its own part. (MUMPS, which
  serves frozen problems, takes ten times as long for one solve, of which there are thousands.) In three
  dimensions factors are dear, and multigrid serves.
*/
static PetscErrorCode choose(const fare_grid *grid, int ranks, KSP ksp)
{
  PC pc;

  PetscFunctionBegin;
  PetscCall(fare_linear_solver_choose(grid, ksp));
  PetscCall(KSPGetPC(ksp, &pc));
  if (grid->dim < 3) PetscCall(PCSetType(pc, ranks > 1 ? PCBJACOBI : PCLU));
  if (grid->dim < 3 && ranks == 1) PetscCall(PCFactorSetMatSolverType(pc, MATSOLVERPETSC));
  if (grid->dim == 1 && ranks == 1) PetscCall(KSPSetType(ksp, KSPPREONLY));
#if defined(PETSC_HAVE_HYPRE)
  if (grid->dim == 3) PetscCall(PCSetType(pc, PCHYPRE));
#endif
  PetscFunctionReturn(0);
}

/*
  Factors of the parts, where nobody has asked for something else: only from now on does the solver know them.
*/
static PetscErrorCode choose_parts(KSP ksp)
{
  PetscBool parts, chosen;
  PetscInt  count;
  KSP      *part_solver;
  PC        pc;

  PetscFunctionBegin;
  PetscCall(KSPGetPC(ksp, &pc));
  PetscCall(PetscObjectTypeCompare((PetscObject)pc, PCBJACOBI, &parts));
  PetscCall(PetscOptionsHasName(NULL, "analysis_driven_", "-sub_pc_type", &chosen));
  if (!parts || chosen) PetscFunctionReturn(0);
  PetscCall(KSPSetUp(ksp));
  PetscCall(PCBJacobiGetSubKSP(pc, &count, NULL, &part_solver));
  for (PetscInt i = 0; i < count; i++) {
    PetscCall(KSPGetPC(part_solver[i], &pc));
    PetscCall(PCSetType(pc, PCLU));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_stepper_create(const fare_grid *grid, const fare_system *system, double t, int targets,
  const fare_region *const target[], PetscBool forward, fare_stepper **stepper)
{
  fare_stepper *s;
  PetscMPIInt   ranks;

  PetscFunctionBegin;
  PetscCall(PetscNew(&s));
  *stepper   = s;
  s->forward = forward;
  PetscCall(fare_absorbing_create(grid, system, t, targets, target, &s->absorbing));
  PetscCall(fare_absorbing_matrix(s->absorbing, &s->A));
  if (forward) PetscCall(MatTranspose(s->A, MAT_INITIAL_MATRIX, &s->transposed));
  PetscCall(DMCreateGlobalVector(grid->dm, &s->base));
  PetscCall(VecDuplicate(s->base, &s->r));
  PetscCall(VecDuplicateVecs(s->base, STAGES, &s->slope));
  PetscCall(KSPCreate(grid->comm, &s->ksp));
  PetscCallMPI(MPI_Comm_size(grid->comm, &ranks));
  PetscCall(choose(grid, ranks, s->ksp));
  PetscCall(KSPSetTolerances(s->ksp, 1e-11, 1e-300, PETSC_DEFAULT, 300));
  PetscCall(KSPSetOptionsPrefix(s->ksp, "analysis_driven_"));
  PetscCall(KSPSetFromOptions(s->ksp));
  s->lags = grid->dim > 1 || ranks > 1 ? PETSC_TRUE : PETSC_FALSE;
  PetscFunctionReturn(0);
}

PetscErrorCode fare_stepper_add_tangent(fare_stepper *s)
{
  PetscFunctionBegin;
  PetscCall(VecDuplicate(s->base, &s->tangent));
  PetscCall(VecDuplicate(s->base, &s->part));
  PetscCall(VecDuplicateVecs(s->base, STAGES, &s->tangent_slope));
  PetscCall(VecSet(s->tangent, 0));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_stepper_drop_tangent(fare_stepper *s)
{
  PetscFunctionBegin;
  if (!s->tangent) PetscFunctionReturn(0);
  PetscCall(VecDestroyVecs(STAGES, &s->tangent_slope));
  PetscCall(VecDestroy(&s->tangent));
  PetscCall(VecDestroy(&s->part));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_stepper_destroy(fare_stepper **stepper)
{
  fare_stepper *s = *stepper;

  PetscFunctionBegin;
  if (!s) PetscFunctionReturn(0);
  PetscCall(KSPDestroy(&s->ksp));
  PetscCall(VecDestroyVecs(STAGES, &s->slope));
  PetscCall(fare_stepper_drop_tangent(s));
  PetscCall(VecDestroy(&s->base));
  PetscCall(VecDestroy(&s->r));
  PetscCall(MatDestroy(&s->transposed));
  PetscCall(MatDestroy(&s->A));
  PetscCall(fare_absorbing_destroy(&s->absorbing));
  PetscCall(PetscFree(*stepper));
  PetscFunctionReturn(0);
}

/* Factors are kept as long as they serve; an iteration with fresh ones that still fails is an error. */
static PetscErrorCode solve(fare_stepper *s, double width, Vec increment)
{
  Mat                A    = s->forward ? s->transposed : s->A;
  const PetscBool    kept = s->lags && s->factored > 0.5 * width && s->factored < 2 * width && s->spent <= FEW
       ? PETSC_TRUE
       : PETSC_FALSE;
  KSPConvergedReason reason;
  PetscReal          norm;

  PetscFunctionBegin;
  PetscCall(VecNorm(s->r, NORM_2, &norm));
  if (norm < NOTHING) {
    PetscCall(VecSet(increment, 0));
    PetscFunctionReturn(0);
  }
  PetscCall(KSPSetOperators(s->ksp, A, A));
  if (!(s->factored > 0)) PetscCall(choose_parts(s->ksp));
  for (int fresh = !kept; fresh < 2; fresh++) {
    PetscCall(KSPSetReusePreconditioner(s->ksp, fresh ? PETSC_FALSE : PETSC_TRUE));
    PetscCall(KSPSolve(s->ksp, s->r, increment));
    if (fresh) s->factored = width;
    PetscCall(KSPGetConvergedReason(s->ksp, &reason));
    PetscCall(KSPGetIterationNumber(s->ksp, &s->spent));
    if (reason > 0) PetscFunctionReturn(0);
  }
  FARE_FAIL(FARE_ERR_FAILED, "analysis: the solver of a step of width %g gave up (%s)", width,
    KSPConvergedReasons[reason]);
}

/* A stage of dy/ds = W y + W' x, where x has become base + slope[i]. */
static PetscErrorCode tangent_stage(fare_stepper *s, int i, double width, const double weight[])
{
  double scale;

  PetscFunctionBegin;
  PetscCall(VecAXPY(s->base, 1, s->slope[i]));
  PetscCall(fare_absorbing_slope(s->absorbing, s->base, s->part));
  PetscCall(VecCopy(s->tangent, s->base));
  PetscCall(VecMAXPY(s->base, i, weight, s->tangent_slope));
  PetscCall(fare_absorbing_residual(s->absorbing, 0, s->base, s->r, &scale));
  PetscCall(VecAXPY(s->r, 1, s->part));
  PetscCall(VecScale(s->r, width));
  PetscCall(solve(s, width, s->tangent_slope[i]));
  PetscCall(VecScale(s->tangent_slope[i], 1 / width));
  PetscFunctionReturn(0);
}

/* x/h + b and what comes from targets, per time: none of it negative where x is not. */
static PetscErrorCode fill_positive(const fare_stepper *s, double h, Vec x)
{
  const fare_absorbing *k     = s->absorbing;
  const int             faces = 2 * k->grid->dim;
  PetscScalar          *value;

  PetscFunctionBegin;
  PetscCall(VecGetArray(x, &value));
  for (PetscInt n = 0; n < k->owned; n++) {
    if (k->in[n] >= 0) continue;
    value[n] = value[n] / h + s->b;
    for (PetscInt at = n * faces; at < (n + 1) * faces; at++) {
      if (k->column[at] >= 0 && k->beyond[at] >= 0)
        value[n] += k->leaving[at] / k->cut[at] * s->value[k->beyond[at]];
    }
  }
  PetscCall(VecRestoreArray(x, &value));
  PetscFunctionReturn(0);
}

/*
  (1 + h M) x' = x + h b, with rates of the end of the step: of order 1, but by sums of what is positive
  alone, so that all of x keeps its relative accuracy.
*/
static PetscErrorCode step_positive(
  fare_stepper *s, double from, double to, const double within[2], double edge, Vec x)
{
  fare_absorbing *k = s->absorbing;
  const double    h = fabs(to - from);
  PetscBool       sweeps;

  PetscFunctionBegin;
  if (!s->still)
    PetscCall(fare_absorbing_move(k, PetscMin(within[1] - edge, PetscMax(within[0] + edge, to))));
  PetscCall(fill_positive(s, h, x));
  PetscCall(fare_sweeps_serve(k, 1 / h, &sweeps));
  if (sweeps) {
    PetscCall(fare_sweeps_solve(k, 1 / h, x));
  } else {
    if (!k->elimination || fabs(h - s->factored) > 1e-9 * h) {
      PetscCall(fare_elimination_destroy(&k->elimination));
      PetscCall(fare_elimination_create(k, 1 / h, PETSC_FALSE, &k->elimination));
      s->factored = h;
    }
    PetscCall(fare_elimination_solve(k->elimination, PETSC_FALSE, x));
  }
  PetscCall(fare_absorbing_hold(k, s->value, x));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_stepper_step(
  fare_stepper *s, double from, double to, const double within[2], Vec x, double *lived)
{
  const double h = fabs(to - from), width = DIAGONAL * h,
               edge = PetscMin(0.25, 1e-10 + 1e-13 * fabs(from) / fabs(within[1] - within[0])) *
    (within[1] - within[0]);

  PetscFunctionBegin;
  if (s->value) {
    PetscCall(step_positive(s, from, to, within, edge, x));
    PetscFunctionReturn(0);
  }
  for (int i = 0; i < STAGES; i++) {
    const double t = PetscMin(within[1] - edge, PetscMax(within[0] + edge, from + place[i] * (to - from)));
    double       scale, weight[STAGES];
    PetscScalar  sum;

    if (!s->still) PetscCall(fare_absorbing_move(s->absorbing, t));
    if (!s->still || s->filled != width) PetscCall(fare_absorbing_fill(s->absorbing, 1, width, s->A));
    s->filled = width;
    for (int j = 0; j < i; j++) weight[j] = h * part[i][j];
    PetscCall(VecCopy(x, s->base));
    PetscCall(VecMAXPY(s->base, i, weight, s->slope));
    if (s->forward) {
      PetscCall(MatTranspose(s->A, MAT_REUSE_MATRIX, &s->transposed));
      PetscCall(MatMult(s->transposed, s->base, s->r));
      PetscCall(VecAYPX(s->r, -1, s->base));
    } else {
      PetscCall(fare_absorbing_residual(s->absorbing, s->b, s->base, s->r, &scale));
      PetscCall(VecScale(s->r, width));
    }
    PetscCall(solve(s, width, s->slope[i]));
    if (lived) {
      PetscCall(VecAXPY(s->base, 1, s->slope[i]));
      PetscCall(s->weight ? VecDot(s->base, s->weight, &sum) : VecSum(s->base, &sum));
      *lived += h * part[STAGES - 1][i] * sum;
    }
    if (s->tangent) PetscCall(tangent_stage(s, i, width, weight));
    PetscCall(VecScale(s->slope[i], 1 / width));
  }
  for (int i = 0; i < STAGES; i++) {
    PetscCall(VecAXPY(x, h * part[STAGES - 1][i], s->slope[i]));
    if (s->tangent) PetscCall(VecAXPY(s->tangent, h * part[STAGES - 1][i], s->tangent_slope[i]));
  }
  PetscFunctionReturn(0);
}

typedef struct {
  double    at;
  int       stop; /* -1: none */
  PetscBool jump;
} mark;

static int by_time(const void *a, const void *b)
{
  const mark *l = a, *r = b;

  return (l->at > r->at) - (l->at < r->at);
}

/*
  Marks at the jumps of the drive and at the ends of its smooth stretches, where `to` is not NULL; returns how
  many.
*/
static int mark_drive(const fare_system *system, double start, double end, mark *to)
{
  const double   same = 1e-9 * (end - start);
  const fare_box box  = fare_system_box(system);
  int            n    = 0;

  for (double jump = fare_system_next_jump(system, start - same); jump <= end + same && n <= MARKS;
       jump        = fare_system_next_jump(system, jump)) {
    if (to) to[n] = (mark){PetscMin(end, PetscMax(start, jump)), -1, PETSC_TRUE};
    n++;
  }
  for (double t = fare_system_smooth_until(system, &box, start, end); t < end && n <= MARKS;
       t        = fare_system_smooth_until(system, &box, t, end)) {
    if (to) to[n] = (mark){t, -1, PETSC_FALSE};
    n++;
  }
  return n;
}

/*
  Both ends, stops, jumps and corners of the drive, in time; those that are the same but for rounding are one.
*/
static PetscErrorCode find_marks(const fare_system *system, double start, double end, int stops,
  const double stop[], mark **marks, int *count)
{
  const double same = 1e-9 * (end - start);
  const int    own = mark_drive(system, start, end, NULL), n = 2 + stops + own;

  PetscFunctionBegin;
  if (own > MARKS)
    FARE_FAIL(FARE_ERR_INPUT, "analysis: the drive jumps or bends more than %d times between %g and %g",
      MARKS, start, end);
  PetscCall(PetscCalloc1(n, marks));
  (*marks)[0] = (mark){start, -1, PETSC_FALSE};
  (*marks)[1] = (mark){end, -1, PETSC_FALSE};
  for (int i = 0; i < stops; i++) (*marks)[2 + i] = (mark){stop[i], i, PETSC_FALSE};
  (void)mark_drive(system, start, end, *marks + 2 + stops);
  qsort(*marks, (size_t)n, sizeof **marks, by_time);
  *count = 0;
  for (int i = 0; i < n; i++) {
    mark *last = *marks + *count - 1;

    if (*count && (*marks)[i].at - last->at <= same) {
      last->stop = PetscMax(last->stop, (*marks)[i].stop);
      last->jump |= (*marks)[i].jump;
    } else {
      (*marks)[(*count)++] = (*marks)[i];
    }
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_timeline_create(const fare_system *system, double from, double to, int stops,
  const double stop[], PetscBool rough, fare_timeline **timeline)
{
  const double   start = PetscMin(from, to), end = PetscMax(from, to);
  fare_timeline *line;
  mark          *marks;
  int            count = 0;

  PetscFunctionBegin;
  PetscCall(fare_system_cover(system, start, end));
  PetscCall(find_marks(system, start, end, stops, stop, &marks, &count));
  PetscCall(PetscNew(&line));
  PetscCall(PetscCalloc1(count, &line->piece));
  *timeline   = line;
  line->begin = from < to ? marks[0].stop : marks[count - 1].stop;
  for (int i = 0; i + 1 < count; i++) {
    const mark      *a = from < to ? &marks[i] : &marks[count - 1 - i], *b = from < to ? a + 1 : a - 1;
    fare_time_piece *p = &line->piece[line->pieces++];

    p->from  = a->at;
    p->to    = b->at;
    p->stop  = b->stop;
    p->rough = a->jump || (rough && i == 0) ? PETSC_TRUE : PETSC_FALSE;
    p->steps = (PetscInt)ceil(fabs(p->to - p->from) /
        PetscMin((end - start) / FIRST, fare_system_longest_step(system, 0.5 * (p->from + p->to))) -
      1e-9);
    if (p->rough) p->steps = PetscMax(LEAST, 2 * p->steps);
  }
  PetscCall(PetscFree(marks));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_timeline_destroy(fare_timeline **timeline)
{
  PetscFunctionBegin;
  if (!*timeline) PetscFunctionReturn(0);
  PetscCall(PetscFree((*timeline)->piece));
  PetscCall(PetscFree(*timeline));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_timeline_run(const fare_timeline *line, int level, fare_stepper *s, Vec x, double *lived,
  fare_visit_function visit, void *context)
{
  PetscFunctionBegin;
  if (visit && line->begin >= 0) PetscCall(visit(context, line->begin, line->piece[0].from, x));
  for (int i = 0; i < line->pieces; i++) {
    const fare_time_piece *p         = &line->piece[i];
    const double           within[2] = {PetscMin(p->from, p->to), PetscMax(p->from, p->to)},
                 power               = p->rough ? GRADED : 1;
    const PetscInt steps             = p->steps << level;
    double         now               = p->from;

    for (PetscInt k = 1; k <= steps; k++) {
      const double next =
        k == steps ? p->to : p->from + (p->to - p->from) * pow((double)k / (double)steps, power);

      PetscCall(fare_stepper_step(s, now, next, within, x, lived));
      now = next;
    }
    s->steps += steps;
    if (visit && p->stop >= 0) PetscCall(visit(context, p->stop, p->to, x));
  }
  PetscFunctionReturn(0);
}

/* Error of what steps of a level give, from its difference to the level before, and from that one's. */
static double step_error(int level, double difference, double before)
{
  if (level < 2 || !(difference > 0)) return difference / 3;
  return difference / (PetscMin(16, PetscMax(2, before / difference)) - 1);
}

PetscErrorCode fare_levels_run(
  double tolerance, fare_level_function run, void *context, const char *what, fare_driven *driven)
{
  double difference = 0, before = 0;

  PetscFunctionBegin;
  driven->error = HUGE_VAL;
  for (int level = 0; level < LEVELS_MAX && !(driven->error <= tolerance); level++) {
    PetscCall(run(context, level, &difference, driven));
    if (level) driven->error = step_error(level, difference, before);
    before = difference;
  }
  if (!(driven->error <= tolerance))
    FARE_FAIL(FARE_ERR_FAILED,
      "analysis: an error of %.1e is left in the %s with %lld time steps, more than the tolerance %g",
      driven->error, what, (long long)driven->steps, tolerance);
  PetscFunctionReturn(0);
}
