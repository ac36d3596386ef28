/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The bound of full control on one axis. A map T that rises takes p_0 to rho. With masses P_i of p_0 in cells
  of width h, whose ends x_i go to T_i, the functional is

    sum_i P_i [(M_i - m_i)^2/(mobility duration) + V_1(M_i) - kT ln((T_(i+1) - T_i)/h) + kT ln(P_i/h)] + kT ln
  Z_1

  with the midpoints m_i before and M_i after. Where rho > 0, its stationary points are the minimum: both
  terms of the functional are convex in rho. Newton's method with a tridiagonal matrix finds it, on three
  meshes, the last two of which are extrapolated.
*/
#include "response.h"

#include <fare/transport_bound.h>

#include <math.h>

#define CELLS  1024  /* of the coarsest mesh */
#define TAIL   1e-14 /* of the mass, that is cut off at an end */
#define APART  2e-5  /* of the box: differences of the force */
#define ROUNDS 400
#define ENOUGH 1e-13 /* of kT: what a step promises at most when it is over */

typedef struct {
  fare_system *first, *last;                             /* frozen */
  double       lower, upper, kT, stiffness, h, constant; /* stiffness: 1/(mobility duration) */
  double       apart;                                    /* differences of the force */
  int          cells;
  double    wall[2];  /* of the box: an end of the map that has come to one stays while it is pushed there */
  PetscBool fixed[2]; /* and one whose mass begins at it always */
  double   *mass, *map; /* cells, cells + 1 */
  double   *step, *diagonal, *beside, *middle, *V, *slope, *bend;
} problem;

/* V at n points, and its first two derivatives, by differences of the force `apart` to both sides. */
static void look(
  const fare_system *system, double apart, int n, const double x[], double V[], double slope[], double bend[])
{
  const double  shift[] = {-apart, apart};
  double       *moved   = bend; /* in turn */
  const double *at[]    = {moved};
  double       *to[]    = {slope};
  double       *low     = V;

  for (int k = 0; k < 2; k++) {
    for (int i = 0; i < n; i++) moved[i] = x[i] + shift[k];
    fare_system_force(system, 0, (size_t)n, at, to);
    for (int i = 0; i < n; i++) low[i] = k ? (low[i] - slope[i]) / (2 * shift[1]) : slope[i];
  }
  for (int i = 0; i < n; i++) bend[i] = low[i];
  at[0] = x;
  fare_system_force(system, 0, (size_t)n, at, to);
  for (int i = 0; i < n; i++) slope[i] = -slope[i];
  fare_system_potential(system, 0, (size_t)n, at, V);
}

/* ln of the integral of exp(-V/kT) over the box, and masses of that many cells. */
static double find_masses(
  const fare_system *system, double kT, double lower, double h, int cells, double mass[])
{
  static const double place[]  = {0.1127016653792583, 0.5, 0.8872983346207417},
                      weight[] = {5. / 18, 8. / 18, 5. / 18};
  double least = HUGE_VAL, sum = 0;

  for (int pass = 0; pass < 2; pass++) {
    for (int i = 0; i < cells; i++) {
      mass[i] = 0;
      for (int q = 0; q < 3; q++) {
        const double  x    = lower + h * (i + place[q]);
        const double *at[] = {&x};
        double        V;

        fare_system_potential(system, 0, 1, at, &V);
        if (!pass)
          least = PetscMin(least, V);
        else
          mass[i] += weight[q] * h * exp(-(V - least) / kT);
      }
      sum += pass ? mass[i] : 0;
    }
  }
  for (int i = 0; i < cells; i++) mass[i] /= sum;
  return log(sum) - least / kT;
}

/* The functional at a map; HUGE_VAL where that does not rise. */
static double value_of(problem *p, const double map[], double *moved)
{
  const double *at[] = {p->middle};
  double        sum  = p->constant;

  *moved = 0;
  for (int i = 0; i < p->cells; i++) {
    if (!(map[i + 1] > map[i])) return HUGE_VAL;
    p->middle[i] = 0.5 * (map[i] + map[i + 1]);
  }
  fare_system_potential(p->last, 0, (size_t)p->cells, at, p->V);
  for (int i = 0; i < p->cells; i++) {
    const double away = p->middle[i] - (p->lower + p->h * (i + 0.5));

    *moved += p->mass[i] * p->stiffness * away * away;
    sum += p->mass[i] * (p->V[i] - p->kT * log((map[i + 1] - map[i]) / p->h));
  }
  return sum + *moved;
}

/* Gradient and matrix; convex: V is taken to bend upward alone. */
static void assemble(problem *p, PetscBool convex)
{
  for (int i = 0; i < p->cells; i++) p->middle[i] = 0.5 * (p->map[i] + p->map[i + 1]);
  look(p->last, p->apart, p->cells, p->middle, p->V, p->slope, p->bend);
  for (int i = 0; i <= p->cells; i++) p->step[i] = p->diagonal[i] = p->beside[i] = 0;
  for (int i = 0; i < p->cells; i++) {
    const double P = p->mass[i], width = p->map[i + 1] - p->map[i],
                 away = p->middle[i] - (p->lower + p->h * (i + 0.5)),
                 push = 0.5 * P * (2 * p->stiffness * away + p->slope[i]), pull = P * p->kT / width,
                 bend  = convex ? PetscMax(0, p->bend[i]) : p->bend[i],
                 stiff = 0.25 * P * (2 * p->stiffness + bend), spread = P * p->kT / (width * width);

    p->step[i] -= push + pull;
    p->step[i + 1] -= push - pull;
    p->diagonal[i] += stiff + spread;
    p->diagonal[i + 1] += stiff + spread;
    p->beside[i] += stiff - spread; /* between i and i + 1 */
  }
  for (int end = 0; end < 2; end++) {
    const int       i      = end ? p->cells : 0;
    const PetscBool pushed = (end ? p->step[i] > 0 : p->step[i] < 0) ? PETSC_TRUE : PETSC_FALSE;

    if (!p->fixed[end] && !(p->map[i] == p->wall[end] && pushed)) continue;
    p->step[i]                        = 0;
    p->diagonal[i]                    = 1;
    p->beside[end ? p->cells - 1 : 0] = 0;
  }
}

/* The step of Newton's method, and what it promises; false where the matrix is not positive. */
static PetscBool find_step(problem *p, double *promise)
{
  const int n = p->cells + 1;

  *promise = 0;
  for (int i = 0; i < n; i++) {
    const double factor = i ? p->beside[i - 1] / p->diagonal[i - 1] : 0;

    if (i) {
      p->diagonal[i] -= factor * p->beside[i - 1];
      p->step[i] -= factor * p->step[i - 1];
    }
    if (!(p->diagonal[i] > 0)) return PETSC_FALSE;
    *promise += p->step[i] * p->step[i] / p->diagonal[i];
  }
  for (int i = n - 1; i >= 0; i--)
    p->step[i] = (p->step[i] - (i < n - 1 ? p->beside[i] * p->step[i + 1] : 0)) / p->diagonal[i];
  return PETSC_TRUE;
}

static PetscErrorCode minimise(problem *p, double *value, double *moved)
{
  double *tried, promise = HUGE_VAL;
  int     round = 0;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(p->cells + 1, &tried));
  *value = value_of(p, p->map, moved);
  for (; round < ROUNDS && promise > ENOUGH * p->kT; round++) {
    double part = 1, next = HUGE_VAL;

    assemble(p, PETSC_FALSE);
    if (!find_step(p, &promise)) {
      assemble(p, PETSC_TRUE);
      if (!find_step(p, &promise)) break;
    }
    for (; part > 1e-10; part *= 0.5) {
      for (int i = 0; i <= p->cells; i++) tried[i] = p->map[i] + part * p->step[i];
      tried[0]        = PetscMax(tried[0], p->wall[0]);
      tried[p->cells] = PetscMin(tried[p->cells], p->wall[1]);
      next            = value_of(p, tried, moved);
      if (next <= *value - 0.1 * part * promise + 1e-14 * PetscMax(p->kT, fabs(*value))) break;
    }
    if (!(part > 1e-10)) break;
    PetscCall(PetscArraycpy(p->map, tried, p->cells + 1));
    *value = next;
  }
  *value = value_of(p, p->map, moved);
  PetscCall(PetscFree(tried));
  if (!(promise <= 1e-9 * p->kT))
    FARE_FAIL(FARE_ERR_FAILED, "the bound by optimal transport is not found in %d steps", round);
  PetscFunctionReturn(0);
}

/* Cells of the box that hold mass become the mesh: an end where none is cut off is a wall. */
static PetscErrorCode lay_out(problem *p, int cells)
{
  const double lower = p->lower, h = (p->upper - p->lower) / cells;
  const double log_last = find_masses(p->last, p->kT, lower, h, cells, p->mass);
  int          first = 0, end = cells;
  double       below = 0, above = 0;

  PetscFunctionBegin;
  (void)find_masses(p->first, p->kT, lower, h, cells, p->mass);
  while (below + p->mass[first] < TAIL) below += p->mass[first++];
  while (above + p->mass[end - 1] < TAIL) above += p->mass[--end];
  p->wall[0]  = lower;
  p->wall[1]  = p->upper;
  p->fixed[0] = first ? PETSC_FALSE : PETSC_TRUE;
  p->fixed[1] = end < cells ? PETSC_FALSE : PETSC_TRUE;
  p->cells    = end - first;
  p->h        = h;
  p->lower    = lower + h * first;
  p->constant = p->kT * log_last;
  for (int i = 0; i < p->cells; i++) {
    p->mass[i] = p->mass[i + first];
    p->constant += p->kT * p->mass[i] * log(p->mass[i] / h);
  }
  for (int i = 0; i <= p->cells; i++) p->map[i] = p->lower + h * i;
  PetscFunctionReturn(0);
}

static PetscErrorCode solve_on(const problem *of, int cells, double *value, double *moved)
{
  problem        p = *of;
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(PetscMalloc5(
    cells, &p.mass, cells + 1, &p.map, cells + 1, &p.step, cells + 1, &p.diagonal, cells + 1, &p.beside));
  PetscCall(PetscMalloc4(cells, &p.middle, cells, &p.V, cells, &p.slope, cells, &p.bend));
  code = lay_out(&p, cells);
  if (!code) code = minimise(&p, value, moved);
  PetscCall(PetscFree5(p.mass, p.map, p.step, p.diagonal, p.beside));
  PetscCall(PetscFree4(p.middle, p.V, p.slope, p.bend));
  PetscFunctionReturn(code);
}

static PetscErrorCode solve(problem *p, fare_transport_bound *bound)
{
  double value[3], moved[3];

  PetscFunctionBegin;
  for (int k = 0; k < 3; k++) PetscCall(solve_on(p, CELLS << k, &value[k], &moved[k]));
  bound->value = PetscMax(0, value[2] + (value[2] - value[1]) / 3);
  bound->moved = PetscMax(0, moved[2] + (moved[2] - moved[1]) / 3);
  bound->error =
    PetscMax(fabs(bound->value - value[1] - (value[1] - value[0]) / 3), 0.1 * fabs(value[2] - value[1])) +
    ENOUGH * p->kT;
  PetscFunctionReturn(0);
}

PetscErrorCode fare_transport_bound_between(const fare_grid *grid, const fare_system *first,
  const fare_system *last, double duration, fare_transport_bound *bound)
{
  problem p = {
    .lower = grid->lower[0], .upper = grid->upper[0], .apart = APART * (grid->upper[0] - grid->lower[0])};
  double         theta[FARE_PARAMETERS_MAX];
  PetscErrorCode code;

  PetscFunctionBegin;
  for (int axis = 0; axis < grid->dim; axis++) {
    if (grid->boundary[axis] != FARE_BOUNDARY_REFLECTING)
      FARE_FAIL(FARE_ERR_INPUT, "the bound by optimal transport needs reflecting boundaries");
  }
  if (!fare_system_is_gradient(first))
    FARE_FAIL(FARE_ERR_INPUT, "the bound by optimal transport needs a force that is a gradient");
  PetscCall(fare_system_create_frozen(first, 0, &p.first));
  PetscCall(fare_system_create_frozen(last, 0, &p.last));
  fare_system_parameters(p.first, 0, theta);
  p.kT        = theta[FARE_KT];
  p.stiffness = 1 / (theta[FARE_MOBILITY] * duration);
  code =
    grid->dim > 1 ? fare_transport_dual_solve(grid, p.first, p.last, p.stiffness, bound) : solve(&p, bound);
  PetscCall(fare_system_destroy(&p.first));
  PetscCall(fare_system_destroy(&p.last));
  PetscFunctionReturn(code);
}

PetscErrorCode fare_transport_bound_solve(const fare_grid *grid, const fare_system *system, double t,
  int parameter, double from, double to, double duration, fare_transport_bound *bound)
{
  const char    *name = fare_system_type_of(system)->parameters[parameter].name;
  fare_system   *first, *last;
  PetscErrorCode code;

  PetscFunctionBegin;
  if (parameter < FARE_OWN)
    FARE_FAIL(FARE_ERR_INPUT, "the bound by optimal transport needs a parameter of the potential");
  PetscCall(fare_system_create_frozen(system, t, &first));
  PetscCall(fare_system_create_frozen(system, t, &last));
  code = fare_system_set(first, name, from);
  if (!code) code = fare_system_set(last, name, to);
  if (!code) code = fare_transport_bound_between(grid, first, last, duration, bound);
  PetscCall(fare_system_destroy(&first));
  PetscCall(fare_system_destroy(&last));
  PetscFunctionReturn(code);
}
