/*
  Thermodynamics along a truth. Between snapshots the truth stops at the points of a quadrature, where masses P and energies U are kept; work and heat
  are the quadratures of sum P dU/dt and sum U dP/dt with derivatives of the polynomials through the points, and because summation by parts holds for these
  the first law closes to round-off however few points there are.
*/
#include "thermo.h"

#include "analysis/analysis.h"

#include <petscdmda.h>

#include <math.h>
#include <string.h>

/* What is known at one point of the quadrature. */
typedef struct {
  Vec             P, U; /* U: NULL where there is no energy */
  double          kl;
  fare_production rates;
} moment;

struct fare_thermo {
  fare_truth         *truth;
  const fare_system  *system;
  const fare_grid    *grid;
  fare_thermo_options options;
  int                 defined;
  PetscBool           needs_rest, rest_is_known, warned;
  fare_lobatto        rule;
  fare_operator      *op;
  moment              point[FARE_POINTS_MAX];
  Vec                 rest; /* stationary density, where there is no detailed balance; NULL where it could not be found */
  size_t              count, room;
  fare_thermo_row    *row;
};

/* Sums over cells of a density and the equilibrium of its energies. */
typedef struct {
  double energy, entropy, equilibrium_free_energy, kl;
} state;

/* Masses that are not positive count as none. */
static PetscErrorCode evaluate(const fare_grid *grid, Vec P, Vec U, double T, state *s)
{
  const double       volume = fare_grid_volume(grid);
  const PetscInt     n      = fare_grid_owned(grid);
  const PetscScalar *p, *u  = NULL;
  double             sum[3] = {0}, Z = 0;
  PetscReal          lowest = 0;

  PetscFunctionBeginUser;
  s->energy = s->equilibrium_free_energy = s->kl = NAN;
  PetscCall(VecGetArrayRead(P, &p));
  if (U) {
    PetscCall(VecMin(U, NULL, &lowest));
    PetscCall(VecGetArrayRead(U, &u));
    for (PetscInt i = 0; i < n; i++) Z += exp((lowest - u[i]) / T);
    PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &Z, 1, MPI_DOUBLE, MPI_SUM, grid->comm));
  }
  for (PetscInt i = 0; i < n; i++) {
    const double log_rest = u ? (lowest - u[i]) / T - log(Z) : 0;

    if (p[i] > 0) sum[0] -= p[i] * log(p[i] / volume);
    if (!u) continue;
    sum[1] += p[i] * u[i];
    /* each term is positive, so that a small divergence has all its digits */
    sum[2] += exp(log_rest) + (p[i] > 0 ? p[i] * (log(p[i]) - log_rest) - p[i] : 0);
  }
  PetscCall(VecRestoreArrayRead(P, &p));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, sum, 3, MPI_DOUBLE, MPI_SUM, grid->comm));
  s->entropy = sum[0];
  if (U) {
    PetscCall(VecRestoreArrayRead(U, &u));
    s->energy                  = sum[1];
    s->kl                      = sum[2];
    s->equilibrium_free_energy = lowest - T * log(volume * Z);
  }
  PetscFunctionReturn(0);
}

/* The stationary density at time t: once and for all where nothing is driven. */
static PetscErrorCode find_rest(fare_thermo *thermo, double t)
{
  fare_solved    solved;
  PetscErrorCode code;

  PetscFunctionBeginUser;
  if (!thermo->needs_rest || thermo->rest_is_known) PetscFunctionReturn(0);
  PetscCall(VecDestroy(&thermo->rest));
  code = fare_stationary_solve(thermo->grid, thermo->system, t, &thermo->rest, &solved);
  if (code == FARE_ERR_FAILED) {
    if (!thermo->warned) fare_warn("thermodynamics: no stationary density at time %g (%s); housekeeping and excess are left open", t, fare_error_message());
    thermo->warned = PETSC_TRUE;
    PetscCall(VecDestroy(&thermo->rest));
    code = 0;
  }
  PetscCall(code);
  thermo->rest_is_known = !fare_system_is_driven(thermo->system);
  PetscFunctionReturn(0);
}

/* Fills a moment with the truth's masses; t is when the parameters are taken, which may be just before a jump. */
static PetscErrorCode observe(fare_thermo *thermo, double t, moment *m)
{
  const double T = thermo->defined & FARE_HAS_ENERGY ? fare_system_kT(thermo->system, t) : 1;
  state        s;

  PetscFunctionBeginUser;
  PetscCall(VecCopy(fare_truth_masses(thermo->truth), m->P));
  if (m->U) PetscCall(fare_cell_energies(thermo->grid, thermo->system, t, m->U));
  PetscCall(evaluate(thermo->grid, m->P, m->U, T, &s));
  m->kl = s.kl;
  PetscCall(find_rest(thermo, t));
  PetscCall(fare_production_rates(thermo->grid, thermo->system, thermo->op, t, m->P, m->U, thermo->rest, &m->rates));
  if (thermo->needs_rest && !thermo->rest) m->rates.housekeeping = m->rates.excess = NAN;
  PetscFunctionReturn(0);
}

/* What changes when the energies jump and the masses do not. */
static PetscErrorCode cross_jump(fare_thermo *thermo, double t, fare_thermo_row *sum)
{
  moment     *last = &thermo->point[thermo->rule.count - 1];
  PetscScalar before, after;

  PetscFunctionBeginUser;
  if (last->U) PetscCall(VecDot(last->P, last->U, &before));
  PetscCall(observe(thermo, t, last));
  if (!last->U) PetscFunctionReturn(0);
  PetscCall(VecDot(last->P, last->U, &after));
  sum->work += after - before;
  PetscFunctionReturn(0);
}

static double integral(const fare_thermo *thermo, size_t offset, double length)
{
  double sum = 0;

  for (int k = 0; k < thermo->rule.count; k++) sum += thermo->rule.weight[k] * length * *(const double *)((const char *)&thermo->point[k] + offset);
  return sum;
}

/* Work and heat between the first point and the last. */
static PetscErrorCode add_work(const fare_thermo *thermo, double length, double *heat, fare_thermo_row *sum)
{
  const fare_lobatto *rule = &thermo->rule;
  PetscScalar         gram[FARE_POINTS_MAX][FARE_POINTS_MAX];
  Vec                 U[FARE_POINTS_MAX];
  double              work = 0, change, power = integral(thermo, offsetof(moment, rates.power), length);

  PetscFunctionBeginUser;
  *heat = -power;
  for (int l = 0; l < rule->count; l++) U[l] = thermo->point[l].U;
  for (int k = 0; k < rule->count; k++) PetscCall(VecMDot(thermo->point[k].P, rule->count, U, gram[k]));
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
  sum->work_error += fabs(change - work - integral(thermo, offsetof(moment, rates.absorbed), length));
  sum->kl_integral += integral(thermo, offsetof(moment, kl), length);
  PetscFunctionReturn(0);
}

static PetscErrorCode add_production(const fare_thermo *thermo, double length, double heat, double T, fare_thermo_row *sum)
{
  const PetscBool isothermal = thermo->defined & FARE_HAS_ENERGY && !fare_system_drives(thermo->system, FARE_KT) ? PETSC_TRUE : PETSC_FALSE;
  const double    total = integral(thermo, offsetof(moment, rates.total), length);
  state           first, last;
  double          by_balance = NAN;

  PetscFunctionBeginUser;
  if (isothermal) {
    PetscCall(evaluate(thermo->grid, thermo->point[0].P, NULL, 1, &first));
    PetscCall(evaluate(thermo->grid, thermo->point[thermo->rule.count - 1].P, NULL, 1, &last));
    by_balance = last.entropy - first.entropy - heat / T;
  }
  /* a density that begins with empty cells has an infinite rate there, but a finite integral */
  sum->total += isfinite(total) || !isothermal ? total : by_balance;
  if (isfinite(total) && isothermal) sum->balance += by_balance - total;
  sum->housekeeping += integral(thermo, offsetof(moment, rates.housekeeping), length);
  sum->excess += thermo->needs_rest || isfinite(total) ? integral(thermo, offsetof(moment, rates.excess), length) : by_balance;
  PetscFunctionReturn(0);
}

/* From the last point of the panel before to `end`, in between which nothing jumps; parameters at the end are those of `end_at`. */
static PetscErrorCode cross_panel(fare_thermo *thermo, double start, double end, double end_at, fare_thermo_row *sum)
{
  const int    last = thermo->rule.count - 1;
  const moment first = thermo->point[0];
  double       heat = 0;

  PetscFunctionBeginUser;
  thermo->point[0]    = thermo->point[last];
  thermo->point[last] = first;
  for (int k = 1; k <= last; k++) {
    const double t = k == last ? end : start + thermo->rule.at[k] * (end - start);

    PetscCall(fare_truth_advance(thermo->truth, t));
    PetscCall(observe(thermo, k == last ? end_at : t, &thermo->point[k]));
  }
  if (thermo->defined & FARE_HAS_ENERGY) PetscCall(add_work(thermo, end - start, &heat, sum));
  PetscCall(add_production(thermo, end - start, heat, thermo->defined & FARE_HAS_ENERGY ? fare_system_kT(thermo->system, end_at) : 1, sum));
  PetscFunctionReturn(0);
}

/* Panels end at corners of the drive, as steps of the truth do. */
static PetscErrorCode cross_stretches(fare_thermo *thermo, double start, double end, double end_at, fare_thermo_row *sum)
{
  const fare_box box = fare_grid_box(thermo->grid);

  PetscFunctionBeginUser;
  for (double corner = fare_drive_stretch(thermo->system, &box, start, end); corner < end; corner = fare_drive_stretch(thermo->system, &box, start, end)) {
    PetscCall(cross_panel(thermo, start, corner, corner, sum));
    start = corner;
  }
  PetscCall(cross_panel(thermo, start, end, end_at, sum));
  PetscFunctionReturn(0);
}

/* How much the truth's own error in space may have changed the divergence. */
static PetscErrorCode estimate_kl(const fare_thermo *thermo, const moment *m, double T, double *error)
{
  state s;
  Vec   corrected;

  PetscFunctionBeginUser;
  *error = NAN;
  if (!m->U) PetscFunctionReturn(0);
  PetscCall(VecDuplicate(m->P, &corrected));
  PetscCall(VecWAXPY(corrected, 1, m->P, fare_truth_error_field(thermo->truth)));
  PetscCall(evaluate(thermo->grid, corrected, m->U, T, &s));
  *error = fabs(s.kl - m->kl);
  PetscCall(VecDestroy(&corrected));
  PetscFunctionReturn(0);
}

static PetscErrorCode velocity(const fare_thermo *thermo, double t, Vec P, double to[])
{
  Vec J;

  PetscFunctionBeginUser;
  PetscCall(VecDuplicate(P, &J));
  for (int axis = 0; axis < thermo->grid->dim; axis++) {
    PetscScalar sum;

    PetscCall(fare_operator_current(thermo->op, t, P, axis, J));
    PetscCall(VecSum(J, &sum));
    to[axis] = sum * thermo->grid->spacing[axis];
  }
  PetscCall(VecDestroy(&J));
  PetscFunctionReturn(0);
}

/* A row of what is so far in `sum`, and of the state at its time. */
static PetscErrorCode add_row(fare_thermo *thermo, const fare_thermo_row *sum)
{
  const int       defined = thermo->defined;
  const moment   *last    = &thermo->point[thermo->rule.count - 1];
  fare_thermo_row row     = *sum;
  const double    T       = defined & FARE_HAS_ENERGY ? fare_system_kT(thermo->system, row.time) : 1;
  state           s;

  PetscFunctionBeginUser;
  PetscCall(evaluate(thermo->grid, last->P, last->U, T, &s));
  row.energy                  = s.energy;
  row.entropy                 = s.entropy;
  row.free_energy             = s.energy - T * s.entropy;
  row.equilibrium_free_energy = s.equilibrium_free_energy;
  row.kl_to_equilibrium       = s.kl;
  PetscCall(estimate_kl(thermo, last, T, &row.kl_error));
  row.total_rate        = last->rates.total;
  row.housekeeping_rate = last->rates.housekeeping;
  row.excess_rate       = last->rates.excess;
  PetscCall(velocity(thermo, row.time, last->P, row.velocity));
  if (thermo->count == thermo->room) {
    thermo->room = 2 * thermo->room + 64;
    PetscCall(PetscRealloc(thermo->room * sizeof *thermo->row, &thermo->row));
  }
  row.dissipated_work = row.work - (row.equilibrium_free_energy - (thermo->count ? thermo->row[0].equilibrium_free_energy : row.equilibrium_free_energy));
  if (!(defined & FARE_HAS_FREE_WORK)) row.dissipated_work = NAN;
  if (!(defined & FARE_HAS_ENERGY)) row.work = row.extra_work = row.heat = row.kl_integral = row.work_error = NAN;
  if (!(defined & FARE_HAS_BALANCE)) row.balance = NAN;
  thermo->row[thermo->count++] = row;
  PetscFunctionReturn(0);
}

PetscErrorCode fare_thermo_create(fare_truth *truth, const fare_system *system, const fare_thermo_options *options, fare_thermo **thermo)
{
  const fare_system_type *type = fare_system_type_of(system);
  fare_thermo_row         sum  = {.time = fare_truth_get_status(truth)->time};
  fare_thermo            *h;

  PetscFunctionBeginUser;
  PetscCall(PetscNew(&h));
  *thermo       = h;
  h->truth      = truth;
  h->system     = system;
  h->grid       = fare_truth_grid(truth);
  h->options    = *options;
  h->defined    = fare_thermo_defines(system);
  h->needs_rest = h->defined & FARE_HAS_PRODUCTION && (type->drift || type->extra) ? PETSC_TRUE : PETSC_FALSE;
  fare_lobatto_make((int)options->points, &h->rule);
  PetscCall(fare_operator_create(h->grid, system, &h->op));
  for (int k = 0; k < h->rule.count; k++) {
    PetscCall(VecDuplicate(fare_truth_masses(truth), &h->point[k].P));
    if (h->defined & FARE_HAS_ENERGY) PetscCall(VecDuplicate(h->point[k].P, &h->point[k].U));
  }
  PetscCall(observe(h, sum.time, &h->point[h->rule.count - 1]));
  PetscCall(add_row(h, &sum));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_thermo_advance(fare_thermo *thermo, double t)
{
  fare_thermo_row sum  = thermo->row[thermo->count - 1];
  double          from = sum.time;

  PetscFunctionBeginUser;
  if (!(t > from)) PetscFunctionReturn(0);
  for (double jump = fare_system_next_jump(thermo->system, from); jump <= t; jump = fare_system_next_jump(thermo->system, jump)) {
    PetscCall(cross_stretches(thermo, from, jump, jump - 2e-12 * PetscMax(1, fabs(jump)), &sum));
    PetscCall(cross_jump(thermo, jump, &sum));
    from = jump;
  }
  if (t > from) PetscCall(cross_stretches(thermo, from, t, t, &sum));
  sum.time = t;
  PetscCall(add_row(thermo, &sum));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_thermo_destroy(fare_thermo **thermo)
{
  fare_thermo *h = *thermo;

  PetscFunctionBeginUser;
  if (!h) PetscFunctionReturn(0);
  for (int k = 0; k < FARE_POINTS_MAX; k++) {
    PetscCall(VecDestroy(&h->point[k].P));
    PetscCall(VecDestroy(&h->point[k].U));
  }
  PetscCall(VecDestroy(&h->rest));
  PetscCall(fare_operator_destroy(&h->op));
  PetscCall(PetscFree(h->row));
  PetscCall(PetscFree(*thermo));
  PetscFunctionReturn(0);
}

size_t fare_thermo_count(const fare_thermo *thermo)
{
  return thermo->count;
}

const fare_thermo_row *fare_thermo_rows(const fare_thermo *thermo)
{
  return thermo->row;
}

const fare_system *fare_thermo_system(const fare_thermo *thermo)
{
  return thermo->system;
}

const fare_grid *fare_thermo_grid(const fare_thermo *thermo)
{
  return thermo->grid;
}

const fare_thermo_options *fare_thermo_options_of(const fare_thermo *thermo)
{
  return &thermo->options;
}

PetscErrorCode fare_thermo_restore(fare_thermo *thermo, size_t count, const fare_thermo_row rows[])
{
  PetscFunctionBeginUser;
  PetscCall(PetscRealloc(count * sizeof *rows, &thermo->row));
  memcpy(thermo->row, rows, count * sizeof *rows);
  thermo->count = thermo->room = count;
  PetscFunctionReturn(0);
}

/* A face's current is shared by the cells beside it. */
PetscErrorCode fare_thermo_current(fare_thermo *thermo, int axis, Vec *current)
{
  const fare_grid   *grid = thermo->grid;
  const PetscScalar *J;
  PetscScalar       *at;
  fare_ghosts        ghosts;
  Vec                faces, local;

  PetscFunctionBeginUser;
  PetscCall(fare_ghosts_of(grid, &ghosts));
  PetscCall(VecDuplicate(fare_truth_masses(thermo->truth), &faces));
  PetscCall(VecDuplicate(faces, current));
  PetscCall(fare_operator_current(thermo->op, fare_truth_get_status(thermo->truth)->time, fare_truth_masses(thermo->truth), axis, faces));
  PetscCall(DMGetLocalVector(grid->dm, &local));
  PetscCall(DMGlobalToLocal(grid->dm, faces, INSERT_VALUES, local));
  PetscCall(VecGetArrayRead(local, &J));
  PetscCall(VecGetArray(*current, &at));
  for (PetscInt n = 0; n < fare_grid_owned(grid); n++) {
    PetscInt index[FARE_DIM_MAX], here;

    fare_cell_index(grid, n, index);
    here  = fare_ghosts_at(&ghosts, index);
    at[n] = 0.5 * grid->spacing[axis] * (J[here] + (index[axis] > ghosts.start[axis] ? J[here - ghosts.stride[axis]] : 0));
  }
  PetscCall(VecRestoreArray(*current, &at));
  PetscCall(VecRestoreArrayRead(local, &J));
  PetscCall(DMRestoreLocalVector(grid->dm, &local));
  PetscCall(VecDestroy(&faces));
  PetscFunctionReturn(0);
}

double fare_thermo_mean_kl(const fare_thermo *thermo)
{
  const fare_thermo_row *last = &thermo->row[thermo->count - 1];

  return thermo->count > 1 ? last->kl_integral / (last->time - thermo->row[0].time) : last->kl_to_equilibrium;
}
