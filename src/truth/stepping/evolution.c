/* SPDX-License-Identifier: BSD-2-Clause */
/*
  dP/dt = L(t) P on one grid, with error control. Where the force is a gradient the spectrum of L is real and
  backward differentiation up to order 5 is stable: one solve a step (bdf.c). Otherwise eigenvalues are
  complex, and a Runge-Kutta method is used (evolution_ts.c).

  What a solve leaves to be wished for is put right within the step, so that the method never sees anything
  else. A density is not negative, but no method beyond order one keeps it so: negative masses become zero, a
  correction that costs twice the mass that was missing in L1 and is recorded. And P has the sum 1 that the
  columns of L keep; but an iterative solve leaves a residual, and the coefficients of a method of many steps
  lose digits where steps are very unequal. The masses are scaled by what is missing, which must be no more
  than that: an operator that does not keep probability is an error (fare_evolution_check_mass, and operator.c
  where rates are made).
*/
#include "truth/rates/operator.h"
#include "truth/transport/transport.h"

#include <math.h>
#include <string.h>

/*
  Where numbers of the state stand among those that are saved: the evolution's own, of bdf.c, of residual.c,
  of a way that was left in its middle, of exits.c, the error of the latest step, of transport, and of cells
  too steep.
*/
enum {
  OWN       = 0,
  BDF       = 10,
  RESIDUAL  = BDF + FARE_BDF_POINTS + 4,
  WAY       = RESIDUAL + FARE_RESIDUAL_HISTORY + 1,
  WAY_COUNT = 3,
  EXITS     = WAY + WAY_COUNT,
  LATEST    = EXITS + sizeof(fare_exits) / sizeof(double),
  RATE,
  DROPPED,
  FULLEST,
  STEEPEST,
  STEEPEST_UNTIL = STEEPEST + FARE_DIM_MAX
};

static PetscErrorCode begin(
  const fare_grid *grid, const fare_system *system, double start, Vec masses, fare_evolution **evolution)
{
  fare_evolution *e;

  PetscFunctionBegin;
  PetscCall(PetscNew(&e));
  *evolution = e;
  e->grid    = grid;
  e->system  = system;
  e->masses  = masses;
  e->before  = start;
  e->minimum = HUGE_VAL;
  e->parts   = 1;
  e->absorbs = fare_grid_absorbs(grid);
  PetscCall(fare_operator_create(grid, system, &e->op));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_evolution_create(const fare_grid *grid, const fare_system *system, double start,
  double tolerance, PetscBool bound, Vec masses, fare_evolution **evolution)
{
  fare_evolution *e;
  PetscBool       chosen;
  PetscReal       smallest;

  PetscFunctionBegin;
  PetscCall(begin(grid, system, start, masses, &e));
  *evolution   = e;
  e->tolerance = tolerance;
  PetscCall(fare_truth_solver_create_matrix(e, start));
  PetscCall(PetscOptionsHasName(NULL, "truth_", "-ts_type", &chosen));
  if (fare_system_is_gradient(system) && !chosen)
    PetscCall(fare_bdf_create(e, start));
  else
    PetscCall(fare_ts_create(e, start));
  if (bound) {
    const fare_path path = e->bdf ? fare_bdf_path(e->bdf) : (fare_path){0};

    PetscCall(fare_residual_create(start, masses, e->bdf ? &path : NULL, &e->residual));
  }
  if (e->absorbs) PetscCall(fare_exits_restart(&e->exits, e->op, start, masses));
  PetscCall(VecMin(masses, NULL, &smallest));
  PetscCall(fare_evolution_watch(e, masses, smallest));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_evolution_create_transport(const fare_grid *grid, const fare_system *system, double start,
  double tolerance, Vec masses, fare_evolution **evolution)
{
  fare_evolution *e;

  PetscFunctionBegin;
  PetscCall(begin(grid, system, start, masses, &e));
  *evolution = e;
  PetscCall(fare_operator_rates(e->op, start)); /* says where drift or diffusion are no numbers */
  if (e->absorbs) PetscCall(fare_exits_restart(&e->exits, e->op, start, masses));
  PetscCall(fare_operator_clear(e->op));
  PetscCall(fare_transport_create(grid, system, tolerance, e->op->patch, masses, &e->transport));
  PetscFunctionReturn(0);
}

/*
  The longest step that a smooth way to t may have: all of it, or less where the drive varies faster, which a
  method cannot see between its own points. An evolution that serves to tell the error of another takes
  `parts` steps instead.
*/
static double longest_step(const fare_evolution *e, double t)
{
  const double longest =
    PetscMin(t - e->before, fare_system_longest_step(e->system, 0.5 * (e->before + t))) / e->parts;

  return e->finest > 0 && t == e->finest_end ? PetscMin(longest, e->finest) : longest;
}

/* All the way to t, or the rest of it where it was left in its middle. */
static PetscErrorCode advance_smoothly(fare_evolution *e, double t)
{
  PetscFunctionBegin;
  if (!(t > e->before)) PetscFunctionReturn(0);
  if (!(e->longest > 0) || e->goal != t) {
    e->goal      = t;
    e->longest   = longest_step(e, t);
    e->next_step = 0;
  }
  if (e->transport)
    PetscCall(fare_transport_advance(e, t, e->longest));
  else if (e->bdf)
    PetscCall(fare_bdf_advance(e, t, e->longest));
  else
    PetscCall(fare_ts_advance(e, t, e->longest));
  e->before  = t;
  e->longest = e->next_step = 0;
  PetscFunctionReturn(0);
}

/*
  Stretch after stretch: at a corner of the drive a step ends, so that what the drive does between two of them
  is not stepped over. Where stretches are shorter than steps, no method pauses within them.
*/
static PetscErrorCode advance_over_corners(fare_evolution *e, double t)
{
  const fare_box box = fare_grid_box(e->grid);

  PetscFunctionBegin;
  while (e->before < t) {
    const PetscBool under_way = e->longest > 0 && e->goal <= t ? PETSC_TRUE : PETSC_FALSE;

    PetscCall(
      advance_smoothly(e, under_way ? e->goal : fare_system_smooth_until(e->system, &box, e->before, t)));
    if (e->before < t) PetscCall(fare_evolution_look(e, e->before, e->masses));
    if (e->before < t) PetscCall(fare_evolution_pause(e, e->before));
  }
  PetscFunctionReturn(0);
}

/*
  Where a parameter jumps the method ends a step just before, with the parameter's old value, and begins anew,
  so that no step lies across: a jump on a snapshot is not yet felt there.
*/
PetscErrorCode fare_evolution_advance(fare_evolution *e, double t)
{
  PetscFunctionBegin;
  if (e->steepest_until != t) memset(e->steepest, 0, sizeof e->steepest);
  e->steepest_until = t;
  for (double jump = fare_system_next_jump(e->system, e->before); jump <= t;
       jump        = fare_system_next_jump(e->system, jump)) {
    PetscCall(advance_over_corners(e, jump - 1e-12 * PetscMax(1, fabs(jump))));
    if (e->bdf) PetscCall(fare_bdf_restart(e, jump));
    if (e->ts) PetscCall(fare_ts_restart(e, jump));
    e->rate   = 0;
    e->before = jump;
    if (e->residual) PetscCall(fare_residual_restart(e->residual, jump, e->masses));
    if (e->absorbs && !e->transport) PetscCall(fare_exits_restart(&e->exits, e->op, jump, e->masses));
    if (jump < t) PetscCall(fare_evolution_look(e, jump, e->masses));
    if (jump < t) PetscCall(fare_evolution_pause(e, jump));
  }
  PetscCall(advance_over_corners(e, t));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_evolution_absorbed(fare_evolution *e, double *survival, double flux[FARE_DIM_MAX][2])
{
  PetscFunctionBegin;
  *survival = 1;
  memset(flux, 0, FARE_DIM_MAX * sizeof *flux);
  if (!e->absorbs) PetscFunctionReturn(0);
  PetscCall(VecSum(e->masses, survival));
  PetscCall(fare_operator_rates(e->op, e->before));
  PetscCall(fare_operator_exits(e->op, e->masses, flux));
  if (e->transport) PetscCall(fare_operator_clear(e->op));
  PetscFunctionReturn(0);
}

int fare_evolution_vectors(const fare_evolution *e, Vec vector[FARE_TRUTH_VECTORS])
{
  int n = 0;

  vector[n++] = e->masses;
  if (e->transport) vector[n++] = e->transport->points;
  if (e->bdf) {
    fare_bdf_vectors(e->bdf, vector + n);
    n += FARE_BDF_POINTS;
  }
  if (e->residual && !e->bdf) {
    fare_residual_vectors(e->residual, vector + n);
    n += FARE_RESIDUAL_HISTORY;
  }
  return n;
}

PetscErrorCode fare_evolution_save(const fare_evolution *e, double numbers[FARE_TRUTH_NUMBERS])
{
  const double own[BDF] = {e->before, e->largest_step, e->mass_drift, e->minimum, e->positivity_correction,
    e->time_bound, (double)e->steps, (double)e->rejected, (double)e->solves, (double)e->iterations};
  const double way[WAY_COUNT] = {e->goal, e->longest, e->next_step};
  Vec          latest[FARE_BDF_POINTS];

  PetscFunctionBegin;
  memset(numbers, 0, FARE_TRUTH_NUMBERS * sizeof *numbers);
  memcpy(numbers + OWN, own, sizeof own);
  if (e->bdf) fare_bdf_save(e->bdf, numbers + BDF);
  if (e->residual) fare_residual_save(e->residual, numbers + RESIDUAL);
  memcpy(numbers + WAY, way, sizeof way);
  memcpy(numbers + EXITS, &e->exits, sizeof e->exits);
  numbers[LATEST]  = e->last_error;
  numbers[RATE]    = e->rate;
  numbers[DROPPED] = e->dropped;
  numbers[FULLEST] = e->fullest;
  memcpy(numbers + STEEPEST, e->steepest, sizeof e->steepest);
  numbers[STEEPEST_UNTIL] = e->steepest_until;
  if (e->transport) /* of this rank alone until the end of the way */
    PetscCallMPI(MPI_Allreduce(&e->minimum, &numbers[OWN + 3], 1, MPI_DOUBLE, MPI_MIN, e->grid->comm));
  if (e->transport && e->longest > 0) PetscCall(fare_transport_masses(e->transport, e->masses));
  if (!e->bdf || !(e->longest > 0)) PetscFunctionReturn(0);
  fare_bdf_vectors(e->bdf, latest); /* until the end of the way the masses are its beginning's */
  PetscCall(VecCopy(latest[0], e->masses));
  PetscFunctionReturn(0);
}

static PetscBool exits_are_sound(const double numbers[])
{
  fare_exits x;

  memcpy(&x, numbers, sizeof x);
  if (!(x.points >= 1 && x.points <= FARE_EXIT_POINTS && x.points == floor(x.points) && isfinite(x.left)))
    return PETSC_FALSE;
  for (int i = 0; i < (int)x.points; i++) {
    if (!isfinite(x.t[i]) || (i && !(x.t[i] > x.t[i - 1]))) return PETSC_FALSE;
  }
  return PETSC_TRUE;
}

/* Whether these numbers are of a state that can have been saved. */
static PetscBool is_sound(const fare_evolution *e, const double numbers[])
{
  const double *own = numbers + OWN, *way = numbers + WAY, points = numbers[RESIDUAL],
               *t = numbers + RESIDUAL + 1;

  /* the latest point is where the evolution is */
  if (!isfinite(own[0]) || (e->bdf && own[0] != numbers[BDF + 4])) return PETSC_FALSE;
  if (!isfinite(way[0]) || !(way[1] >= 0 && isfinite(way[1]) && way[2] >= 0 && isfinite(way[2])) ||
    (way[1] > 0 && !(way[0] > own[0])))
    return PETSC_FALSE;
  for (int i = 6; i < 10; i++) {
    if (!(own[i] >= 0 && own[i] < PETSC_MAX_INT)) return PETSC_FALSE;
  }
  if (e->absorbs && !exits_are_sound(numbers + EXITS)) return PETSC_FALSE;
  for (int i = LATEST; i <= FULLEST; i++) {
    if (!(numbers[i] >= 0 && isfinite(numbers[i]))) return PETSC_FALSE;
  }
  for (int axis = 0; axis < FARE_DIM_MAX; axis++) {
    if (!(numbers[STEEPEST + axis] >= 0)) return PETSC_FALSE; /* infinite where nothing diffuses */
  }
  if (!isfinite(numbers[STEEPEST_UNTIL])) return PETSC_FALSE;
  if (!e->residual) return PETSC_TRUE;
  if (!(points >= 1 && points <= FARE_RESIDUAL_HISTORY && points == floor(points))) return PETSC_FALSE;
  for (int i = 0; i < (int)points; i++) {
    if (!isfinite(t[i]) || (i && !(t[i] > t[i - 1]))) return PETSC_FALSE;
  }
  return PETSC_TRUE;
}

PetscErrorCode fare_evolution_load(fare_evolution *e, const double numbers[FARE_TRUTH_NUMBERS])
{
  PetscFunctionBegin;
  if (!is_sound(e, numbers))
    FARE_FAIL(FARE_ERR_FAILED, "the saved data are not a state of the truth's evolution");
  if (e->bdf) PetscCall(fare_bdf_load(e->bdf, numbers + BDF));
  if (e->residual) fare_residual_load(e->residual, numbers + RESIDUAL);
  e->before                = numbers[0];
  e->largest_step          = numbers[1];
  e->mass_drift            = numbers[2];
  e->minimum               = numbers[3];
  e->positivity_correction = numbers[4];
  e->time_bound            = numbers[5];
  e->steps                 = (PetscInt)numbers[6];
  e->rejected              = (PetscInt)numbers[7];
  e->solves                = (PetscInt)numbers[8];
  e->iterations            = (PetscInt)numbers[9];
  e->goal                  = numbers[WAY];
  e->longest               = numbers[WAY + 1];
  e->next_step             = numbers[WAY + 2];
  memcpy(&e->exits, numbers + EXITS, sizeof e->exits);
  e->last_error = numbers[LATEST];
  e->rate       = numbers[RATE];
  e->dropped    = numbers[DROPPED];
  e->fullest    = numbers[FULLEST];
  memcpy(e->steepest, numbers + STEEPEST, sizeof e->steepest);
  e->steepest_until = numbers[STEEPEST_UNTIL];
  if (e->ts) PetscCall(TSSetTime(e->ts, e->before));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_evolution_destroy(fare_evolution **evolution)
{
  fare_evolution *e = *evolution;

  PetscFunctionBegin;
  if (!e) PetscFunctionReturn(0);
  PetscCall(fare_residual_destroy(&e->residual));
  if (e->bdf) PetscCall(KSPDestroy(&e->ksp));
  PetscCall(fare_bdf_destroy(&e->bdf));
  PetscCall(fare_transport_destroy(&e->transport));
  PetscCall(TSDestroy(&e->ts));
  PetscCall(fare_truth_solver_destroy(e));
  PetscCall(VecDestroy(&e->masses));
  PetscCall(fare_operator_destroy(&e->op));
  PetscCall(PetscFree(*evolution));
  PetscFunctionReturn(0);
}

void fare_evolution_set_linear(fare_evolution *evolution)
{
  evolution->is_linear = PETSC_TRUE;
}

void fare_evolution_set_parts(fare_evolution *evolution, int parts)
{
  evolution->parts = parts;
}

Vec fare_evolution_masses(const fare_evolution *evolution)
{
  return evolution->masses;
}

fare_operator *fare_evolution_operator(const fare_evolution *evolution)
{
  return evolution->op;
}
