/* SPDX-License-Identifier: BSD-2-Clause */
/* Bridges between two densities on a grid, by iterative proportional fitting in logarithms. */
#include <fare/bridge.h>

#include "propagator.h"

#include <math.h>
#include <stdlib.h>

#define DIFFUSION(axis)                                            \
  {                                                                \
    "D_" axis, 1.0, 0.0, 1e12, "diffusion coefficient along " axis \
  }
static const fare_parameter parameters[] = {
  DIFFUSION("x"), DIFFUSION("y"), DIFFUSION("z"), FARE_PARAMETERS_END};

static void no_drift(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  (void)theta, (void)x;
  for (int axis = 0; axis < dim; axis++) {
    for (size_t i = 0; i < n; i++) f[axis][i] = 0;
  }
}

static void even_diffusion(int dim, const double *theta, size_t n, const double *const x[], double *const D[])
{
  (void)x;
  for (int axis = 0; axis < dim; axis++) {
    for (size_t i = 0; i < n; i++) D[axis][i] = theta[axis];
  }
}

static const fare_system_type brownian = {
  .name          = "brownian",
  .summary       = "pure diffusion",
  .dimension_min = 1,
  .dimension_max = FARE_DIM_MAX,
  .parameters    = parameters,
  .lower         = {-1, -1, -1},
  .upper         = {1, 1, 1},
  .drift         = no_drift,
  .diffusion     = even_diffusion,
};

PetscErrorCode fare_bridge_brownian(int dim, const double D[], fare_system **system)
{
  PetscFunctionBegin;
  PetscCall(fare_system_create(&brownian, dim, system));
  for (int axis = 0; axis < dim; axis++) PetscCall(fare_system_set(*system, parameters[axis].name, D[axis]));
  PetscFunctionReturn(0);
}

/* Over how many cells, ln a and ln b (-inf where an end has no mass), and K a and K^T b of them. */
typedef struct {
  const fare_bridge *of;
  fare_propagator   *K;
  int                marks;
  PetscInt           cells;
  double            *log_a, *log_b, *log_Ka, *log_Kb, *work;
} fitting;

/* ln K a between marks i and j, or ln K^T a from j back to i. */
static void carry(fitting *f, int i, int j, PetscBool backward, const double log_a[], double to[])
{
  double shift = -HUGE_VAL; /* so that the largest number is 1 */

  for (PetscInt k = 0; k < f->cells; k++) shift = PetscMax(shift, log_a[k]);
  for (PetscInt k = 0; k < f->cells; k++) f->work[k] = exp(log_a[k] - shift);
  if (backward)
    fare_propagator_backward(f->K, i, j, f->work);
  else
    fare_propagator_forward(f->K, i, j, f->work);
  for (PetscInt k = 0; k < f->cells; k++) to[k] = log(f->work[k]) + shift;
}

/*
  Moves ln a towards ln p - ln K^T b, by `relax` times the difference, and says by how much, in L1, the end
  had not been p. What the reference cannot reach from anywhere is left out: it is below the smallest number.
*/
static double fit(PetscInt cells, const double p[], const double log_K[], double relax, double log_values[])
{
  double mismatch = 0;

  for (PetscInt i = 0; i < cells; i++) {
    const double old  = log_values[i],
                 goal = p[i] > 0 && log_K[i] > -HUGE_VAL ? log(p[i]) - log_K[i] : -HUGE_VAL;

    mismatch += fabs((old > -HUGE_VAL ? exp(old + log_K[i]) : 0) - p[i]);
    log_values[i] = old > -HUGE_VAL && goal > -HUGE_VAL ? old + relax * (goal - old) : goal;
  }
  return mismatch;
}

/*
  Plain fitting makes the mismatch smaller by about the same factor r in each round, near 1 where the noise of
  the reference is small. Relaxed by 2/(1 + sqrt(1 - r)), as in successive over-relaxation, it takes the root
  of as many rounds (Thibault et al., arXiv 1711.01851); r is measured in plain rounds. Should a relaxed round
  not help, plain ones go on.
*/
typedef struct {
  double relax, before, least;
  /* rounds since relaxation last began or ended, and plain ones with the same factor as the one before */
  int    plain, settled;
  double factor;
} pace;

static void adapt(pace *p, double mismatch)
{
  const double factor = p->before > 0 ? mismatch / p->before : 0;

  p->plain++;
  if (p->relax > 1 && mismatch > 10 * p->least) {
    *p = (pace){.relax = 1, .least = mismatch};
  } else if (p->relax == 1 && p->plain > 5) {
    p->settled = fabs(factor - p->factor) < 0.02 * (1 - factor) ? p->settled + 1 : 0;
    if (p->settled >= 3 && factor > 0.5 && factor < 1) p->relax = 2 / (1 + sqrt(1 - factor));
  }
  p->factor = factor;
  p->before = mismatch;
  p->least  = PetscMin(p->least, mismatch);
}

static void iterate(fitting *f, fare_bridge_result *result)
{
  const int last = f->marks - 1;
  pace      p    = {.relax = 1, .least = HUGE_VAL};

  result->iterations = 0;
  do {
    double start, end;

    carry(f, 0, last, PETSC_TRUE, f->log_b, f->log_Kb);
    start = fit(f->cells, f->of->p0, f->log_Kb, p.relax, f->log_a);
    carry(f, 0, last, PETSC_FALSE, f->log_a, f->log_Ka);
    end              = fit(f->cells, f->of->p1, f->log_Ka, p.relax, f->log_b);
    result->mismatch = PetscMax(start, end);
    adapt(&p, result->mismatch);
  } while (++result->iterations < f->of->iterations && result->mismatch > f->of->tolerance);
}

/* sum p1 ln b - sum p0 ln K^T b: the relative entropy of the coupling b_j K_ji a_i to K_ji p0_i. */
static void entropy_of(fitting *f, double *entropy)
{
  carry(f, 0, f->marks - 1, PETSC_TRUE, f->log_b, f->log_Kb);
  *entropy = 0;
  for (PetscInt i = 0; i < f->cells; i++) {
    if (f->log_b[i] > -HUGE_VAL) *entropy += f->of->p1[i] * f->log_b[i];
    if (f->log_a[i] > -HUGE_VAL) *entropy -= f->of->p0[i] * f->log_Kb[i];
  }
}

/* The density at a mark between the ends, (K a)(K^T b). */
static void density_at(fitting *f, int mark, double masses[])
{
  double sum = 0;

  carry(f, 0, mark, PETSC_FALSE, f->log_a, f->log_Ka);
  carry(f, mark, f->marks - 1, PETSC_TRUE, f->log_b, f->log_Kb);
  for (PetscInt i = 0; i < f->cells; i++) sum += masses[i] = exp(f->log_Ka[i] + f->log_Kb[i]);
  for (PetscInt i = 0; i < f->cells; i++) masses[i] /= sum;
}

static void negate(PetscInt cells, const double log_b[], double value[])
{
  for (PetscInt i = 0; i < cells; i++) value[i] = -log_b[i];
}

/* -ln K^T b at both ends and at the requested marks, from one to the one before. */
static void carry_values(fitting *f, int count, const int requested[], double *const value[])
{
  int mark = f->marks - 1;

  PetscCallVoid(PetscArraycpy(f->log_Kb, f->log_b, f->cells));
  negate(f->cells, f->log_Kb, value[count + 1]);
  for (int k = count; k >= 0; k--) {
    const int before = k ? requested[k - 1] : 0;

    carry(f, before, mark, PETSC_TRUE, f->log_Kb, f->log_Kb);
    negate(f->cells, f->log_Kb, value[k]);
    mark = before;
  }
}

/*
  What the two step lengths give, to first order nothing of the step: 2 fine - coarse, and where that is no
  density the fine one.
*/
static void extrapolate(PetscInt cells, const double coarse[], const double fine[], double masses[])
{
  double sum = 0;

  for (PetscInt i = 0; i < cells; i++) {
    const double better = 2 * fine[i] - coarse[i];

    sum += masses[i] = better > 0 ? better : fine[i];
  }
  for (PetscInt i = 0; i < cells; i++) masses[i] /= sum;
}

/* The ends, the requested times and the corners of the drive, in order; requested[k] is where times[k]
 * stands. */
static PetscErrorCode mark_times(
  const fare_bridge *bridge, int count, const double times[], int requested[], int *marks, double **time)
{
  const double same = 1e-9 * (bridge->end - bridge->start);
  int          n = 1, k  = 0;
  double       jump, now = bridge->start;

  PetscFunctionBegin;
  for (jump = fare_system_next_corner(bridge->reference, now); jump < bridge->end;
       jump = fare_system_next_corner(bridge->reference, jump))
    n++;
  PetscCall(PetscMalloc1((size_t)(n + count + 1), time));
  n          = 1;
  (*time)[0] = bridge->start;
  jump       = fare_system_next_corner(bridge->reference, now);
  while ((k < count && times[k] < bridge->end - same) || jump < bridge->end - same) {
    const PetscBool mine = k < count && times[k] <= jump + same ? PETSC_TRUE : PETSC_FALSE;

    if (!mine || jump <= times[k] + same) now = jump;
    (*time)[n] = mine ? times[k] : jump;
    if (mine) requested[k++] = n;
    n++;
    if (now == jump) jump = fare_system_next_corner(bridge->reference, jump);
  }
  for (; k < count; k++) requested[k] = n;
  (*time)[n++] = bridge->end;
  *marks       = n;
  PetscFunctionReturn(0);
}

/* One propagator's bridge; `log_b` begins as a guess, zero for none, and is left for the next. */
static PetscErrorCode solve_once(const fare_bridge *bridge, int marks, const double time[], int refine,
  int count, const int requested[], double log_b[], double *const masses[], double *const value[],
  fare_bridge_result *result)
{
  const PetscInt n = fare_grid_owned(bridge->grid);
  fitting        f = {.of = bridge, .marks = marks, .cells = n};

  PetscFunctionBegin;
  PetscCall(PetscCalloc5(n, &f.log_a, n, &f.log_b, n, &f.log_Ka, n, &f.log_Kb, n, &f.work));
  PetscCall(
    fare_propagator_create(bridge->grid, bridge->reference, marks, time, bridge->steps, refine, &f.K));
  *result = (fare_bridge_result){0};
  if (bridge->p1) {
    PetscCall(PetscArraycpy(f.log_b, log_b, f.cells));
    iterate(&f, result);
    entropy_of(&f, &result->entropy);
    PetscCall(PetscArraycpy(log_b, f.log_b, f.cells));
  } else {
    for (PetscInt i = 0; i < f.cells; i++) f.log_a[i] = log(bridge->p0[i]);
  }
  for (int k = 0; k < count; k++) density_at(&f, requested[k], masses[k]);
  if (value) carry_values(&f, count, requested, value);
  PetscCall(fare_propagator_destroy(&f.K));
  PetscCall(PetscFree5(f.log_a, f.log_b, f.log_Ka, f.log_Kb, f.work));
  PetscFunctionReturn(0);
}

/* The same of the cost that is left, where both know one. */
static void extrapolate_value(PetscInt cells, const double coarse[], double value[])
{
  for (PetscInt i = 0; i < cells; i++) {
    if (isfinite(value[i]) && isfinite(coarse[i])) value[i] = 2 * value[i] - coarse[i];
  }
}

/* `count` arrays of all cells; freed alike. */
static PetscErrorCode create_fields(PetscInt cells, int count, double ***field)
{
  PetscFunctionBegin;
  PetscCall(PetscCalloc1((size_t)count + 1, field));
  for (int k = 0; k < count; k++) PetscCall(PetscMalloc1(cells, &(*field)[k]));
  PetscFunctionReturn(0);
}

static PetscErrorCode destroy_fields(int count, double ***field)
{
  PetscFunctionBegin;
  for (int k = 0; k < count; k++) PetscCall(PetscFree((*field)[k]));
  PetscCall(PetscFree(*field));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_bridge_solve(const fare_bridge *bridge, int count, const double times[],
  double *const masses[], double *const value[], fare_bridge_result *result)
{
  const PetscInt     cells  = fare_grid_owned(bridge->grid);
  const int          values = value ? count + 2 : 0;
  fare_bridge_result coarse;
  double            *log_b, *time     = NULL, **rough, **rough_value;
  int               *requested, marks = 0;

  PetscFunctionBegin;
  PetscCall(PetscCalloc2((size_t)cells, &log_b, (size_t)count + 1, &requested));
  PetscCall(create_fields(cells, count, &rough));
  PetscCall(create_fields(cells, values, &rough_value));
  PetscCall(mark_times(bridge, count, times, requested, &marks, &time));
  PetscCall(
    solve_once(bridge, marks, time, 1, count, requested, log_b, rough, value ? rough_value : NULL, &coarse));
  PetscCall(solve_once(bridge, marks, time, 2, count, requested, log_b, masses, value, result));
  for (int k = 0; k < count; k++) extrapolate(cells, rough[k], masses[k], masses[k]);
  for (int k = 0; k < values; k++) extrapolate_value(cells, rough_value[k], value[k]);
  result->entropy  = 2 * result->entropy - coarse.entropy;
  result->mismatch = PetscMax(result->mismatch, coarse.mismatch);
  result->iterations += coarse.iterations;
  PetscCall(destroy_fields(count, &rough));
  PetscCall(destroy_fields(values, &rough_value));
  PetscCall(PetscFree(time));
  PetscCall(PetscFree2(log_b, requested));
  PetscFunctionReturn(0);
}
