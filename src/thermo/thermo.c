/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Thermodynamics along a truth. Between snapshots the truth stops at the points of a quadrature, where masses
  P and energies U are kept; work and heat are the quadratures of sum P dU/dt and sum U dP/dt with derivatives
  of the polynomials through the points, and because summation by parts holds for these the first law closes
  to round-off however few points there are.

  The same is followed on the grids of the truth's companions. What they differ by tells how far each number
  may be from that of the continuum.
*/
#include "thermo.h"

#include <fare/analysis.h>

#include <petscdmda.h>

#include <math.h>
#include <string.h>

/* The stationary density at time t: once and for all where nothing is driven. */
static PetscErrorCode find_rest(fare_thermo *thermo, fare_track *of, double t)
{
  fare_solved    solved;
  PetscErrorCode code;

  PetscFunctionBegin;
  if (!thermo->needs_rest || of->rest_is_known) PetscFunctionReturn(0);
  PetscCall(VecDestroy(&of->rest));
  code = fare_stationary_solve(of->grid, thermo->system, t, &of->rest, &solved);
  if (code == FARE_ERR_FAILED) {
    if (!thermo->warned)
      fare_warn("thermodynamics: no stationary density at time %g (%s); housekeeping and excess are omitted",
        t, fare_error_message());
    thermo->warned = PETSC_TRUE;
    PetscCall(VecDestroy(&of->rest));
    code = 0;
  }
  PetscCall(code);
  of->rest_is_known = !fare_system_is_driven(thermo->system);
  PetscFunctionReturn(0);
}

/*
  Fills a fare_moment with the masses of now; t is when the parameters are taken, which may be just before a
  jump.
*/
static PetscErrorCode observe(fare_thermo *thermo, fare_track *of, double t, fare_moment *m)
{
  const double T = thermo->defined & FARE_HAS_ENERGY ? fare_system_kT(thermo->system, t) : 1;
  fare_state   s;

  PetscFunctionBegin;
  PetscCall(VecCopy(fare_truth_part_masses(thermo->truth, of->part), m->P));
  if (thermo->high_order) PetscCall(fare_high_order_values(of->grid, m->P));
  if (m->U)
    PetscCall(
      (thermo->high_order ? fare_inertia_energies : fare_cell_energies)(of->grid, thermo->system, t, m->U));
  PetscCall(fare_state_evaluate(of->grid, m->P, m->U, T, &s));
  m->kl = s.kl;
  PetscCall(find_rest(thermo, of, t));
  if (thermo->high_order)
    PetscCall(fare_inertia_rates(of->grid, thermo->system, t, m->P, m->U, &m->rates));
  else
    PetscCall(fare_production_rates(of->grid, thermo->system, of->op, t, m->P, m->U, of->rest, &m->rates));
  if (thermo->needs_rest && !of->rest) m->rates.housekeeping = m->rates.excess = NAN;
  m->rates.geometric = m->rates.total; /* with detailed balance all currents are gradients */
  if (thermo->defined & FARE_HAS_GEOMETRIC && thermo->needs_rest)
    PetscCall(fare_geometric_rate(of->grid, of->op, t, m->P, &m->rates.geometric));
  PetscFunctionReturn(0);
}

/* What changes when the energies jump and the masses do not. */
static PetscErrorCode cross_jump(fare_thermo *thermo, fare_track *of, double t)
{
  fare_moment *last = &of->point[thermo->rule.count - 1];
  PetscScalar  before, after;

  PetscFunctionBegin;
  if (last->U) PetscCall(VecDot(last->P, last->U, &before));
  PetscCall(observe(thermo, of, t, last));
  if (!last->U) PetscFunctionReturn(0);
  PetscCall(VecDot(last->P, last->U, &after));
  of->sum.work += after - before;
  PetscFunctionReturn(0);
}

static double integral(const fare_lobatto *rule, const fare_track *of, size_t offset, double length)
{
  double sum = 0;

  for (int k = 0; k < rule->count; k++)
    sum += rule->weight[k] * length * *(const double *)((const char *)&of->point[k] + offset);
  return sum;
}

/* Work and heat between the first point and the last. */
static PetscErrorCode add_work(const fare_thermo *thermo, fare_track *of, double length, double *heat)
{
  const fare_lobatto *rule = &thermo->rule;
  fare_thermo_row    *sum  = &of->sum;
  PetscScalar         gram[FARE_POINTS_MAX][FARE_POINTS_MAX];
  Vec                 U[FARE_POINTS_MAX];
  double work = 0, change, power = integral(rule, of, offsetof(fare_moment, rates.power), length);

  PetscFunctionBegin;
  *heat = -power;
  for (int l = 0; l < rule->count; l++) U[l] = of->point[l].U;
  for (int k = 0; k < rule->count; k++) PetscCall(VecMDot(of->point[k].P, rule->count, U, gram[k]));
  for (int k = 0; k < rule->count; k++) {
    for (int l = 0; l < rule->count; l++) {
      work += rule->weight[k] * rule->derivative[k][l] * gram[k][l];
      *heat += rule->weight[k] * rule->derivative[k][l] * gram[l][k];
    }
  }
  if (!fare_system_is_driven(thermo->system)) work = 0; /* and not its round-off */
  change = gram[rule->count - 1][rule->count - 1] - gram[0][0];
  sum->work += work;
  sum->extra_work += power;
  sum->heat += *heat;
  sum->energy_balance +=
    fabs(change - work - integral(rule, of, offsetof(fare_moment, rates.absorbed), length));
  sum->kl_integral += integral(rule, of, offsetof(fare_moment, kl), length);
  PetscFunctionReturn(0);
}

static PetscErrorCode add_production(
  fare_thermo *thermo, fare_track *of, double length, double heat, double T)
{
  const fare_lobatto *rule = &thermo->rule;
  fare_thermo_row    *sum  = &of->sum;
  const PetscBool     isothermal =
    thermo->defined & FARE_HAS_ENERGY && !fare_system_drives(thermo->system, FARE_KT) ? PETSC_TRUE
                                                                                          : PETSC_FALSE;
  const double total     = integral(rule, of, offsetof(fare_moment, rates.total), length);
  double       geometric = integral(rule, of, offsetof(fare_moment, rates.geometric), length);
  fare_state   first, last;
  double       by_balance = NAN;

  PetscFunctionBegin;
  if (isothermal) {
    PetscCall(fare_state_evaluate(of->grid, of->point[0].P, NULL, 1, &first));
    PetscCall(fare_state_evaluate(of->grid, of->point[rule->count - 1].P, NULL, 1, &last));
    by_balance = last.entropy - first.entropy - heat / T;
  }
  /* a density that begins with empty cells has an infinite rate there, but a finite integral */
  sum->total += isfinite(total) || !isothermal ? total : by_balance;
  if (isfinite(total) && isothermal) sum->balance += by_balance - total;
  sum->housekeeping += integral(rule, of, offsetof(fare_moment, rates.housekeeping), length);
  sum->excess += thermo->needs_rest || isfinite(total)
    ? integral(rule, of, offsetof(fare_moment, rates.excess), length)
    : by_balance;
  if (thermo->needs_rest && isinf(geometric) && !thermo->warned_geometric) {
    fare_warn("thermodynamics: production_geometric is not known for a start with empty cells, where its "
              "rate is infinite");
    thermo->warned_geometric = PETSC_TRUE;
  }
  if (isinf(geometric)) geometric = NAN;
  sum->geometric += thermo->needs_rest ? geometric : isfinite(total) || !isothermal ? total : by_balance;
  PetscFunctionReturn(0);
}

/*
  From the last point of the panel before to `end`, in between which nothing jumps; parameters at the end are
  those of `end_at`.
*/
static PetscErrorCode cross_panel(fare_thermo *thermo, double start, double end, double end_at)
{
  const int    last = thermo->rule.count - 1;
  const double T    = thermo->defined & FARE_HAS_ENERGY ? fare_system_kT(thermo->system, end_at) : 1;

  PetscFunctionBegin;
  for (int i = 0; i < thermo->tracks; i++) {
    const fare_moment first = thermo->track[i].point[0];

    thermo->track[i].point[0]    = thermo->track[i].point[last];
    thermo->track[i].point[last] = first;
  }
  for (int k = 1; k <= last; k++) {
    const double t = k == last ? end : start + thermo->rule.at[k] * (end - start);

    PetscCall(fare_truth_advance(thermo->truth, t));
    for (int i = 0; i < thermo->tracks; i++) {
      PetscCall(observe(thermo, &thermo->track[i], k == last ? end_at : t, &thermo->track[i].point[k]));
    }
  }
  for (int i = 0; i < thermo->tracks; i++) {
    double heat = 0;

    if (thermo->defined & FARE_HAS_ENERGY) PetscCall(add_work(thermo, &thermo->track[i], end - start, &heat));
    PetscCall(add_production(thermo, &thermo->track[i], end - start, heat, T));
  }
  PetscFunctionReturn(0);
}

/* Panels end at corners of the drive, as steps of the truth do. */
static PetscErrorCode cross_stretches(fare_thermo *thermo, double start, double end, double end_at)
{
  const fare_box box = fare_grid_box(thermo->track[0].grid);

  PetscFunctionBegin;
  for (double corner = fare_system_smooth_until(thermo->system, &box, start, end); corner < end;
       corner        = fare_system_smooth_until(thermo->system, &box, start, end)) {
    PetscCall(cross_panel(thermo, start, corner, corner));
    start = corner;
  }
  PetscCall(cross_panel(thermo, start, end, end_at));
  PetscFunctionReturn(0);
}

/* Brings int D dt from the row before to the next one, at t. */
static void add_diffusion(fare_thermo *thermo, double t)
{
  if (!(thermo->defined & FARE_HAS_SPEED_LIMIT) || !thermo->count) return;
  thermo->diffused += fare_speed_limit_diffusion(
    thermo->track[0].grid, thermo->system, thermo->track[0].row[thermo->count - 1].time, t);
}

/* At the first row: remembers its masses. */
static PetscErrorCode limit_speed(const fare_thermo *thermo, fare_track *of, Vec P, double *limit)
{
  const fare_grid *grid = of->grid;
  double          *now;

  PetscFunctionBegin;
  *limit = 0;
  if (!(thermo->defined & FARE_HAS_SPEED_LIMIT)) PetscFunctionReturn(0);
  PetscCall(PetscMalloc1(grid->cells[0], &now));
  PetscCall(fare_grid_gather(grid, P, now));
  if (thermo->count) {
    *limit = fare_wasserstein_squared(grid, of->first, now) / thermo->diffused;
    PetscCall(PetscFree(now));
  } else
    of->first = now;
  PetscFunctionReturn(0);
}

/* A row of the integrals so far, and of the state now. */
static PetscErrorCode make_row(const fare_thermo *thermo, fare_track *of, double t)
{
  const int          defined = thermo->defined;
  const fare_moment *last    = &of->point[thermo->rule.count - 1];
  fare_thermo_row   *row     = &of->row[thermo->count];
  const double       T       = defined & FARE_HAS_ENERGY ? fare_system_kT(thermo->system, t) : 1;
  fare_state         s;
  PetscBool          resolves;

  PetscFunctionBegin;
  *row         = of->sum;
  row->time    = t;
  row->ratio   = fare_truth_get_status(thermo->truth)->ratio;
  row->nominal = fare_truth_get_status(thermo->truth)->nominal;
  PetscCall(fare_truth_resolves(thermo->truth, &resolves));
  row->resolved = resolves ? 1 : 0;
  PetscCall(fare_state_evaluate(of->grid, last->P, last->U, T, &s));
  row->energy                  = s.energy;
  row->entropy                 = s.entropy;
  row->free_energy             = s.energy - T * s.entropy;
  row->equilibrium_free_energy = s.equilibrium_free_energy;
  row->kl_to_equilibrium       = s.kl;
  row->total_rate              = last->rates.total;
  row->housekeeping_rate       = last->rates.housekeeping;
  row->excess_rate             = last->rates.excess;
  if (thermo->high_order)
    PetscCall(fare_inertia_velocity(of->grid, thermo->system, t, last->P, row->velocity));
  else
    PetscCall(fare_operator_velocity(of->op, t, last->P, row->velocity));
  row->geometric_rate = last->rates.geometric;
  PetscCall(limit_speed(thermo, of, last->P, &row->speed_limit));
  row->dissipated_work = row->work - (row->equilibrium_free_energy - of->row[0].equilibrium_free_energy);
  if (!(defined & FARE_HAS_FREE_WORK)) row->dissipated_work = NAN;
  if (!(defined & FARE_HAS_ENERGY))
    row->work = row->extra_work = row->heat = row->kl_integral = row->energy_balance = NAN;
  if (!(defined & FARE_HAS_BALANCE)) row->balance = NAN;
  PetscFunctionReturn(0);
}

static PetscErrorCode make_room(fare_thermo *thermo, size_t count)
{
  PetscFunctionBegin;
  if (count <= thermo->room) PetscFunctionReturn(0);
  thermo->room = 2 * count + 64;
  for (int i = 0; i < thermo->tracks; i++)
    PetscCall(PetscRealloc(thermo->room * sizeof(fare_thermo_row), &thermo->track[i].row));
  PetscCall(PetscRealloc(thermo->room * sizeof(fare_thermo_row), &thermo->better));
  PetscCall(PetscRealloc(thermo->room * sizeof(fare_thermo_row), &thermo->error));
  PetscFunctionReturn(0);
}

/* The row behind those that are settled; all anew where it is the first that may not be extrapolated. */
static void settle(fare_thermo *thermo)
{
  const PetscBool goes_on =
    thermo->extrapolates && thermo->track[0].row[thermo->count].resolved > 0 ? PETSC_TRUE : PETSC_FALSE;
  size_t k = thermo->extrapolates && !goes_on ? 0 : thermo->count;

  thermo->extrapolates = goes_on;
  thermo->count++;
  for (; k < thermo->count; k++) {
    fare_thermo_extrapolate(thermo, k);
    fare_thermo_estimate(thermo, k);
  }
}

static PetscErrorCode add_row(fare_thermo *thermo, double t)
{
  PetscFunctionBegin;
  PetscCall(make_room(thermo, thermo->count + 1));
  add_diffusion(thermo, t);
  for (int i = 0; i < thermo->tracks; i++) PetscCall(make_row(thermo, &thermo->track[i], t));
  settle(thermo);
  PetscFunctionReturn(0);
}

static PetscErrorCode create_track(fare_thermo *thermo, int part)
{
  fare_track *of     = &thermo->track[part];
  Vec         masses = fare_truth_part_masses(thermo->truth, part);

  PetscFunctionBegin;
  of->part = part;
  of->grid = fare_truth_part_grid(thermo->truth, part);
  PetscCall(fare_operator_create(of->grid, thermo->system, &of->op));
  for (int k = 0; k < thermo->rule.count; k++) {
    PetscCall(VecDuplicate(masses, &of->point[k].P));
    if (thermo->defined & FARE_HAS_ENERGY) PetscCall(VecDuplicate(masses, &of->point[k].U));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_thermo_create(
  fare_truth *truth, const fare_system *system, const fare_thermo_options *options, fare_thermo **thermo)
{
  const double start = fare_truth_get_status(truth)->time;
  double       D;
  fare_thermo *h;

  PetscFunctionBegin;
  PetscCall(PetscNew(&h));
  *thermo       = h;
  h->truth      = truth;
  h->system     = system;
  h->options    = *options;
  h->defined    = fare_thermo_defines(system);
  h->high_order = fare_truth_runs_with(truth) == FARE_SCHEME_HIGH_ORDER && !fare_thermo_needs_rates(system)
    ? PETSC_TRUE
    : PETSC_FALSE;
  if (options->geometric && h->defined & FARE_HAS_PRODUCTION) {
    h->defined |= FARE_HAS_GEOMETRIC;
    if (fare_speed_limit_serves(fare_truth_part_grid(truth, 0), system, start, &D))
      h->defined |= FARE_HAS_SPEED_LIMIT;
  }
  h->needs_rest =
    h->defined & FARE_HAS_PRODUCTION && !fare_system_is_gradient(system) ? PETSC_TRUE : PETSC_FALSE;
  h->tracks       = fare_truth_parts(truth);
  h->extrapolates = fare_truth_extrapolates(truth);
  fare_lobatto_make((int)options->points, &h->rule);
  for (int i = 0; i < h->tracks; i++) {
    PetscCall(create_track(h, i));
    PetscCall(observe(h, &h->track[i], start, &h->track[i].point[h->rule.count - 1]));
  }
  PetscCall(add_row(h, start));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_thermo_advance(fare_thermo *thermo, double t)
{
  double from = thermo->track[0].row[thermo->count - 1].time;

  PetscFunctionBegin;
  if (!(t > from)) PetscFunctionReturn(0);
  for (double jump = fare_system_next_jump(thermo->system, from); jump <= t;
       jump        = fare_system_next_jump(thermo->system, jump)) {
    PetscCall(cross_stretches(thermo, from, jump, jump - 2e-12 * PetscMax(1, fabs(jump))));
    for (int i = 0; i < thermo->tracks; i++) PetscCall(cross_jump(thermo, &thermo->track[i], jump));
    from = jump;
  }
  if (t > from) PetscCall(cross_stretches(thermo, from, t, t));
  PetscCall(add_row(thermo, t));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_thermo_destroy(fare_thermo **thermo)
{
  fare_thermo *h = *thermo;

  PetscFunctionBegin;
  if (!h) PetscFunctionReturn(0);
  for (int i = 0; i < h->tracks; i++) {
    fare_track *of = &h->track[i];

    for (int k = 0; k < FARE_POINTS_MAX; k++) {
      PetscCall(VecDestroy(&of->point[k].P));
      PetscCall(VecDestroy(&of->point[k].U));
    }
    PetscCall(VecDestroy(&of->rest));
    PetscCall(fare_operator_destroy(&of->op));
    PetscCall(PetscFree(of->row));
    PetscCall(PetscFree(of->first));
  }
  PetscCall(PetscFree(h->better));
  PetscCall(PetscFree(h->error));
  PetscCall(PetscFree(*thermo));
  PetscFunctionReturn(0);
}

size_t fare_thermo_count(const fare_thermo *thermo)
{
  return thermo->count;
}

const fare_thermo_row *fare_thermo_rows(const fare_thermo *thermo)
{
  return thermo->better;
}

const fare_thermo_row *fare_thermo_plain(const fare_thermo *thermo)
{
  return thermo->track[0].row;
}

PetscBool fare_thermo_extrapolates(const fare_thermo *thermo)
{
  return thermo->extrapolates;
}

const fare_thermo_row *fare_thermo_errors(const fare_thermo *thermo)
{
  return thermo->error;
}

PetscErrorCode fare_thermo_restore(fare_thermo *thermo, size_t count, const fare_thermo_row rows[])
{
  PetscFunctionBegin;
  PetscCall(make_room(thermo, count));
  for (int i = 0; i < thermo->tracks; i++) {
    memcpy(thermo->track[i].row, rows + (size_t)i * count, count * sizeof *rows);
    thermo->track[i].sum = rows[(size_t)i * count + count - 1];
  }
  thermo->extrapolates = fare_truth_extrapolates(thermo->truth);
  thermo->diffused     = 0;
  for (thermo->count = 0; thermo->count < count;) {
    add_diffusion(thermo, rows[thermo->count].time);
    settle(thermo);
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_thermo_current(fare_thermo *thermo, int axis, Vec *current)
{
  const fare_grid *grid = thermo->track[0].grid;

  PetscFunctionBegin;
  if (thermo->high_order) {
    PetscCall(fare_inertia_current(grid, thermo->system, fare_truth_get_status(thermo->truth)->time,
      fare_truth_masses(thermo->truth), axis, current));
    PetscFunctionReturn(0);
  }
  PetscCall(fare_operator_current_density(thermo->track[0].op, fare_truth_get_status(thermo->truth)->time,
    fare_truth_masses(thermo->truth), axis, current));
  PetscFunctionReturn(0);
}

double fare_thermo_mean_kl(const fare_thermo *thermo)
{
  const fare_thermo_row *row = thermo->better, *last = &row[thermo->count - 1];

  return thermo->count > 1 ? last->kl_integral / (last->time - row->time) : last->kl_to_equilibrium;
}
