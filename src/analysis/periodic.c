/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The periodic steady state of a periodic drive, without waiting for it: the masses P that one period brings
  back, (I - Phi) P = 0, by GMRES on the evolution over whole periods. Phi keeps the sum and contracts all
  else, so few periods suffice even where relaxation takes many.

  All grids take steps of one tolerance, so grids do not tell the error of these. The finest solves again, for
  a tolerance LOOSER times as large and with half the panels, or four of one: a tighter one may be lost to
  rounding. Where the drive and not the tolerance limits steps, those are whole there, and halves elsewhere.

  Heat goes into a system whose force has a potential as sum_i V_i (L P)_i per time. Work is what the period
  gives back: minus all of it.
*/
#include "analysis.h"

#include <petscdmda.h>

#include <math.h>

#define LOOSER 4

typedef struct {
  const fare_grid   *grid;
  const fare_system *system;
  double             start, period, tolerance;
  int                parts;       /* of the longest step */
  Vec                base, image; /* masses of sum 1, and where a period takes them */
  PetscInt           periods;     /* evolved so far */
} cycle;

/* y = Phi P for masses of sum 1. */
static PetscErrorCode evolve(cycle *c, Vec P, Vec y)
{
  fare_evolution *evolution;
  Vec             state;

  PetscFunctionBegin;
  PetscCall(VecDuplicate(P, &state));
  PetscCall(VecCopy(P, state));
  PetscCall(
    fare_evolution_create(c->grid, c->system, c->start, c->tolerance, PETSC_FALSE, state, &evolution));
  fare_evolution_set_linear(evolution);
  fare_evolution_set_parts(evolution, c->parts);
  PetscCall(fare_evolution_advance(evolution, c->start + c->period));
  PetscCall(VecCopy(fare_evolution_masses(evolution), y));
  PetscCall(fare_evolution_destroy(&evolution));
  c->periods++;
  PetscFunctionReturn(0);
}

/*
  y = (I - Phi) v for v of sum 0, as a difference of evolved densities: Phi v = s (Phi(P + v/s) - Phi P), s
  the size of v. What rounding leaves of its sum is taken from it with P: of a small residual that counts.
*/
static PetscErrorCode multiply(Mat shell, Vec v, Vec y)
{
  cycle      *c;
  PetscReal   size;
  PetscScalar sum;
  Vec         shifted;

  PetscFunctionBegin;
  PetscCall(MatShellGetContext(shell, &c));
  PetscCall(fare_norm_1(v, &size));
  PetscCall(VecSet(y, 0));
  if (!(size > 0)) PetscFunctionReturn(0);
  PetscCall(VecSum(v, &sum));
  PetscCall(VecDuplicate(v, &shifted));
  PetscCall(VecCopy(c->base, shifted));
  PetscCall(VecAXPBY(shifted, 1 / size, 1 - sum / size, v));
  PetscCall(evolve(c, shifted, y));
  PetscCall(VecAXPY(y, -1, c->image));
  PetscCall(VecAYPX(y, -size, v));
  PetscCall(VecAXPY(y, -sum, c->base));
  PetscCall(VecDestroy(&shifted));
  PetscFunctionReturn(0);
}

/* Phi P - P of the normalised P. */
static PetscErrorCode residual(void *context, Vec P, Vec r, double *scale)
{
  cycle      *c = context;
  PetscScalar sum;

  PetscFunctionBegin;
  *scale = 0;
  PetscCall(VecSum(P, &sum));
  if (!(sum > 0) || !isfinite(sum)) {
    PetscCall(VecSet(r, 1)); /* no density: worse than any */
    PetscFunctionReturn(0);
  }
  PetscCall(VecScale(P, 1 / sum));
  PetscCall(VecCopy(P, c->base));
  PetscCall(evolve(c, P, c->image));
  PetscCall(VecWAXPY(r, -1, P, c->image));
  *scale = 1;
  PetscFunctionReturn(0);
}

/* From masses that are a guess. */
static PetscErrorCode refine(const fare_grid *grid, const fare_system *system, double start, double period,
  double tolerance, int parts, Vec masses, fare_solved *solved)
{
  const double most = 1e-5;
  cycle        c    = {grid, system, start, period, tolerance, parts, NULL, NULL, 0};
  KSP          ksp;

  PetscFunctionBegin;
  PetscCall(VecDuplicate(masses, &c.base));
  PetscCall(VecDuplicate(masses, &c.image));
  PetscCall(fare_linear_solver_create_map(masses, multiply, &c, "analysis_periodic_", &ksp));
  PetscCall(fare_linear_solver_refine(ksp, residual, &c, PetscMin(tolerance, most), PetscMax(tolerance, most),
    "periodic steady state", masses, solved));
  solved->iterations = c.periods;
  PetscCall(KSPDestroy(&ksp));
  PetscCall(VecDestroy(&c.base));
  PetscCall(VecDestroy(&c.image));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_periodic_solve(const fare_grid *grid, const fare_system *system, double start,
  double period, double tolerance, Vec *masses, fare_solved *solved)
{
  fare_solved guessed = {0};

  PetscFunctionBegin;
  PetscCall(fare_stationary_solve(grid, system, start, masses, &guessed));
  PetscCall(refine(grid, system, start, period, tolerance, 2, *masses, solved));
  PetscFunctionReturn(0);
}

typedef struct {
  double     period, tolerance;
  PetscInt64 panels;
  PetscBool  energy;
} periodic;

/* Of one period. hot: while kT is above the middle of its range. */
typedef struct {
  double velocity[FARE_DIM_MAX], heat, hot;
} means;

#define AT(member) offsetof(periodic, member)
static const fare_field fields[] = {
  {"period", FARE_REAL, AT(period), NULL, 1e-12, 1e12, NULL, "time", "after which the drive repeats"},
  {"tolerance", FARE_REAL, AT(tolerance), "1e-8", 1e-14, 0.1, NULL, "",
    "estimated L1 error that one time step may add"},
  {"panels", FARE_INTEGER, AT(panels), "64", 1, 1e5, NULL, "",
    "parts of the period, in each of which 3 Gauss points integrate the current; they are divided at jumps "
    "and kinks of the drive"},
  {"energy", FARE_BOOLEAN, AT(energy), "false", 0, 0, NULL, "",
    "also give work and heat of a period, the power, and the efficiency where kT is driven"},
  FARE_FIELDS_END,
};

static PetscErrorCode check(
  void *state, const fare_node *node, const fare_analysis_context *context, double time)
{
  const periodic *s = state;

  PetscFunctionBegin;
  PetscCall(fare_period_check(node, context->system, time, s->period, "stationary"));
  if (!s->energy) PetscFunctionReturn(0);
  if (!fare_system_has_potential(context->system) || fare_system_type_of(context->system)->nonconservative)
    FARE_REFUSE(fare_node_find(node, "energy"), "heat needs a potential, and no force beside it");
  PetscFunctionReturn(0);
}

static const double place[]  = {0.1127016653792583, 0.5, 0.8872983346207417},
                    weight[] = {5. / 18, 8. / 18, 5. / 18};

static double moment(const periodic *s, double start, PetscInt64 panels, PetscInt64 panel, int q)
{
  return start + s->period * ((double)panel + place[q]) / (double)panels;
}

/* The middle of the range of kT over a period; NaN where it stays. */
static double middle_of_kT(const periodic *s, const fare_system *system, double start)
{
  double least = HUGE_VAL, most = -HUGE_VAL;

  for (PetscInt64 panel = 0; panel < s->panels; panel++) {
    for (int q = 0; q < 3; q++) {
      const double kT = fare_system_kT(system, moment(s, start, s->panels, panel, q));

      least = PetscMin(least, kT);
      most  = PetscMax(most, kT);
    }
  }
  return most - least > 1e-9 * most ? 0.5 * (least + most) : NAN;
}

/* Adds the current and the heat at one moment, which stands for that share of the period. */
static PetscErrorCode add_moment(const periodic *s, const fare_grid *grid, const fare_system *system,
  const fare_evolution *evolution, double t, double share, double middle, Vec J, Vec V, means *m)
{
  const double   part = share * s->period;
  fare_operator *op   = fare_evolution_operator(evolution);
  PetscScalar    sum;

  PetscFunctionBegin;
  for (int axis = 0; axis < grid->dim; axis++) {
    PetscCall(fare_operator_current(op, t, fare_evolution_masses(evolution), axis, J));
    PetscCall(VecSum(J, &sum));
    m->velocity[axis] += share * sum * grid->spacing[axis];
  }
  if (!s->energy) PetscFunctionReturn(0);
  PetscCall(fare_operator_apply(op, t, fare_evolution_masses(evolution), J));
  PetscCall(fare_potential_at_centres(grid, system, t, V));
  PetscCall(VecDot(V, J, &sum));
  m->heat += part * sum;
  if (fare_system_kT(system, t) > middle) m->hot += part * sum;
  PetscFunctionReturn(0);
}

/* The end of a panel, or the next jump or kink of the drive in it: the rule needs a smooth integrand. */
static double end_of_piece(const fare_system *system, double from, double end)
{
  const double close  = 1e-9 * (end - from);
  const double corner = fare_system_next_corner(system, from + close);

  return corner < end - close ? corner : end;
}

/* Means over the period, from P at its start. */
static PetscErrorCode find_means(const periodic *s, const fare_grid *grid, const fare_system *system,
  double start, double tolerance, PetscInt64 panels, Vec P, means *m)
{
  const double    middle = s->energy ? middle_of_kT(s, system, start) : NAN;
  double          from   = start;
  fare_evolution *evolution;
  Vec             state, J, V;

  PetscFunctionBegin;
  *m = (means){.heat = 0};
  PetscCall(VecDuplicate(P, &J));
  PetscCall(VecDuplicate(P, &V));
  PetscCall(VecDuplicate(P, &state));
  PetscCall(VecCopy(P, state));
  PetscCall(fare_evolution_create(grid, system, start, tolerance, PETSC_FALSE, state, &evolution));
  for (PetscInt64 panel = 0; panel < panels;) {
    const double end   = start + s->period * (double)(panel + 1) / (double)panels,
                 until = end_of_piece(system, from, end), length = until - from;

    for (int q = 0; q < 3; q++) {
      PetscCall(fare_evolution_advance(evolution, from + place[q] * length));
      PetscCall(add_moment(s, grid, system, evolution, from + place[q] * length,
        weight[q] * length / s->period, middle, J, V, m));
    }
    PetscCall(fare_evolution_advance(evolution, until));
    from = until;
    if (until == end) panel++;
  }
  PetscCall(fare_evolution_destroy(&evolution));
  PetscCall(VecDestroy(&J));
  PetscCall(VecDestroy(&V));
  PetscFunctionReturn(0);
}

/* The errors of time steps and panels: of the means, in their place, and of the density. */
static PetscErrorCode step_errors(const periodic *s, const fare_grid *grid, const fare_system *system,
  double time, Vec P, means *m, double *density)
{
  const double tolerance = LOOSER * s->tolerance;
  means        other;
  fare_solved  solved;
  Vec          Q;

  PetscFunctionBegin;
  PetscCall(VecDuplicate(P, &Q));
  PetscCall(VecCopy(P, Q));
  PetscCall(refine(grid, system, time, s->period, tolerance, 1, Q, &solved));
  PetscCall(find_means(s, grid, system, time, tolerance, s->panels > 1 ? (s->panels + 1) / 2 : 4, Q, &other));
  for (int axis = 0; axis < grid->dim; axis++)
    m->velocity[axis] = fabs(m->velocity[axis] - other.velocity[axis]);
  m->heat = fabs(m->heat - other.heat);
  m->hot  = fabs(m->hot - other.hot);
  PetscCall(VecAXPY(Q, -1, P));
  PetscCall(fare_norm_1(Q, density));
  PetscCall(VecDestroy(&Q));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_periodic_energy(const fare_grid *grid, const fare_system *system, double start,
  double period, double tolerance, PetscInt panels, fare_cycle *result)
{
  const periodic s = {.period = period, .tolerance = tolerance, .panels = panels, .energy = PETSC_TRUE};
  double         density;
  means          m, known;
  fare_solved    solved;
  Vec            P;

  PetscFunctionBegin;
  PetscCall(fare_periodic_solve(grid, system, start, period, tolerance, &P, &solved));
  PetscCall(find_means(&s, grid, system, start, tolerance, panels, P, &m));
  known = m;
  PetscCall(step_errors(&s, grid, system, start, P, &known, &density));
  *result = (fare_cycle){m.heat, m.hot, known.heat};
  PetscCall(VecDestroy(&P));
  PetscFunctionReturn(0);
}

/* known: errors that grids do not tell. */
static void keep_energy(
  const periodic *s, PetscBool warms, const means *m, const means *known, fare_findings *found)
{
  const double work = -m->heat, power = m->heat / s->period, efficiency = m->heat / m->hot;

  fare_found(found, "work", "done on the system in a period, by the drive", 1, &work)->least[0] = known->heat;
  fare_found(found, "power", "work that the system does, per time", 1, &power)->least[0] =
    known->heat / s->period;
  if (!warms) return;
  fare_found(found, "heat_hot", "taken up in a period while kT is above the middle of its range", 1, &m->hot)
    ->least[0] = known->hot;
  if (!(m->heat > 0 && m->hot > 0)) return;
  fare_found(found, "efficiency", "work that the system does, over that heat", 1, &efficiency)->least[0] =
    efficiency * (known->heat / m->heat + known->hot / m->hot);
}

static PetscErrorCode run(const void *state, const fare_grid *grid, const fare_system *system, double time,
  const fare_findings *like, fare_findings *found)
{
  const periodic *s       = state;
  double          density = 0;
  means           m, known = {.heat = 0};
  fare_solved     solved;
  fare_finding   *f;
  Vec             P;

  PetscFunctionBegin;
  PetscCall(fare_periodic_solve(grid, system, time, s->period, s->tolerance, &P, &solved));
  PetscCall(find_means(s, grid, system, time, s->tolerance, s->panels, P, &m));
  f = fare_found(
    found, "velocity", "d<x>/dt per axis, averaged over the period", (size_t)grid->dim, m.velocity);
  if (!like) {
    known = m;
    PetscCall(step_errors(s, grid, system, time, P, &known, &density));
    for (int axis = 0; axis < grid->dim; axis++) f->least[axis] = known.velocity[axis];
  }
  if (s->energy) keep_energy(s, !isnan(middle_of_kT(s, system, time)), &m, &known, found);
  fare_found_number(
    found, "residual", "L1 distance between the density and that one period later", solved.residual);
  fare_found_number(found, "periods", "evolved until convergence", (double)solved.iterations);
  fare_found_mesh(found, "density", "probability density at the start of the period, averaged over each cell",
    FARE_MESH_ESTIMATED, P)
    ->least = density;
  PetscFunctionReturn(0);
}

const fare_analysis_type fare_analysis_periodic = {
  .name      = "periodic",
  .summary   = "periodic steady state of a periodic drive, and its mean velocity",
  .reference = "P = Phi P by GMRES on the evolution over a period",
  .size      = sizeof(periodic),
  .fields    = fields,
  .check     = check,
  .run       = run,
};
