/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Large deviations of what is summed along paths: scaled cumulants psi(s) = ln <exp(s A)>/t, for all times,
  for a drive that repeats, and for a while; their slope, the mean of A per time under the tilt; and the rate
  function I(a) = s a - psi(s) at a = psi'(s), of which exp(-t I) is the chance to see A/t near a.
*/
#include "currents.h"
#include "tilted.h"

#include <petscdmda.h>

#include <math.h>
#include <string.h>

#define TILTS_MAX 64

static const char *const observables[] = {
  [FARE_OF_DISPLACEMENT] = "displacement",
  [FARE_OF_ENTROPY]      = "entropy",
  [FARE_OF_HEAT]         = "heat",
  [FARE_OF_WORK]         = "work",
  [FARE_OF_OCCUPATION]   = "occupation",
  [FARE_OF_MOMENT]       = "moment",
  [FARE_OF_ACTIVITY]     = "activity",
  NULL,
};
enum { BY_INTEGRAL, BY_JUMPS };
static const char *const activities[] = {[BY_INTEGRAL] = "integral", [BY_JUMPS] = "jumps", NULL};

typedef struct {
  int              of, activity, weight;
  fare_reals       tilts;
  char            *axis;
  const fare_node *region, *points, *clones;
  PetscInt64       power;
  double           period, duration, tolerance;
  PetscBool        force;
  fare_region      where;
  fare_points      at;
  int              along; /* the axis */
  fare_clones      cloning;
} tilted;

#define AT(member) offsetof(tilted, member)
static const fare_field fields[] = {
  {"of", FARE_CHOICE, AT(of), NULL, 0, 0, observables, "",
    "what is summed along paths: displacement; entropy that the bath takes up, heat, work; time in a region; "
    "moment: integral of a power of a coordinate; activity: integral of sum_k f_k^2/4D_k + d_k f_k/2"},
  {"tilts", FARE_REALS, AT(tilts), NULL, -1e6, 1e6, NULL, "", "values of s, at most 64"},
  {"axis", FARE_STRING, AT(axis), "", 0, 0, NULL, "",
    "along which displacement or moment count; by default the first"},
  {"region", FARE_NODE, AT(region), "", 0, 0, NULL, "",
    "of occupation: a box {lower: [...], upper: [...]} or a list of boxes"},
  {"power", FARE_INTEGER, AT(power), "2", 1, 8, NULL, "", "of moment"},
  {"activity", FARE_CHOICE, AT(activity), "integral", 0, 0, activities, "", "how activity is counted"},
  {"period", FARE_REAL, AT(period), "0", 0, 1e12, NULL, "time",
    "after which the drive repeats: psi over many periods"},
  {"duration", FARE_REAL, AT(duration), "0", 0, 1e12, NULL, "time",
    "of paths, from time on, driven or not; by default without end"},
  {"weight", FARE_CHOICE, AT(weight), "stationary", 0, 0, fare_passage_weights, "",
    "density from which paths of that duration begin"},
  {"points", FARE_NODE, AT(points), "", 0, 0, NULL, "",
    "list of starting points of such paths at which to give psi, too"},
  {"tolerance", FARE_REAL, AT(tolerance), "1e-8", 1e-12, 0.1, NULL, "",
    "estimated time-stepping error of ln <exp(s A)> over period or duration"},
  {"force", FARE_BOOLEAN, AT(force), "false", 0, 0, NULL, "",
    "also record the drift of the driven process, in which the rare value is typical"},
  {"clones", FARE_NODE, AT(clones), "", 0, 0, NULL, "",
    "also estimate psi by cloning: {walkers, dt, resample, duration, burn, runs, control_cells, "
    "seed}"},
  FARE_FIELDS_END,
};

PetscErrorCode fare_axis_find(
  const fare_node *node, const char *name, const fare_analysis_context *context, int *along)
{
  PetscFunctionBegin;
  *along = 0;
  if (!name || !*name) PetscFunctionReturn(0);
  for (int axis = 0; axis < context->dim; axis++) {
    if (!strcmp(name, fare_system_axis_name(context->system, axis))) {
      *along = axis;
      PetscFunctionReturn(0);
    }
  }
  FARE_REFUSE(
    node, "there is no axis '%s': the first is '%s'", name, fare_system_axis_name(context->system, 0));
}

static PetscBool lasts(const tilted *s)
{
  return s->period > 0 || s->duration > 0 ? PETSC_TRUE : PETSC_FALSE;
}

PetscBool fare_axis_lacks_diffusion(const fare_analysis_context *context, double time, int *which)
{
  double        middle[FARE_DIM_MAX] = {0}, D[FARE_DIM_MAX];
  const double *x[FARE_DIM_MAX]      = {&middle[0], &middle[1], &middle[2]};
  double *const to[FARE_DIM_MAX]     = {&D[0], &D[1], &D[2]};

  for (int axis = 0; axis < context->dim; axis++)
    middle[axis] = 0.5 * context->lower[axis] + 0.5 * context->upper[axis];
  fare_system_diffusion(context->system, time, 1, x, to);
  for (*which = 0; *which < context->dim; (*which)++) {
    if (!(D[*which] > 0)) return PETSC_TRUE;
  }
  return PETSC_FALSE;
}

static PetscErrorCode check_observable(
  const tilted *s, const fare_node *node, const fare_analysis_context *context, double time)
{
  const fare_node *of       = fare_node_find(node, "of");
  const PetscBool  needs_kT = s->of == FARE_OF_HEAT || s->of == FARE_OF_WORK ? PETSC_TRUE : PETSC_FALSE;
  int              axis;

  PetscFunctionBegin;
  if (s->of == FARE_OF_DISPLACEMENT && !(s->duration > 0) &&
    context->boundary[s->along] != FARE_BOUNDARY_PERIODIC)
    FARE_REFUSE(of,
      "axis %s has ends: what is gained along it is bounded and psi is 0 for all tilts; give a duration, or "
      "a "
      "periodic axis",
      fare_system_axis_name(context->system, s->along));
  if (needs_kT && !fare_system_has_potential(context->system))
    FARE_REFUSE(of, "the system has no temperature: take 'entropy', which is heat over kT");
  if ((needs_kT || s->of == FARE_OF_ENTROPY || s->of == FARE_OF_ACTIVITY) &&
    fare_axis_lacks_diffusion(context, time, &axis))
    FARE_REFUSE(of, "%s is not defined by rates where axis %s has no diffusion", observables[s->of],
      fare_system_axis_name(context->system, axis));
  if (s->of == FARE_OF_OCCUPATION && !s->region)
    FARE_REFUSE(node, "missing key 'region': of which the occupation counts");
  if (s->of != FARE_OF_OCCUPATION && s->region)
    FARE_REFUSE(fare_node_find(node, "region"), "only 'of: occupation' has a region");
  if (s->activity == BY_JUMPS)
    FARE_REFUSE(fare_node_find(node, "activity"),
      "the number of jumps of a diffusion has no limit: it grows with the cells as D/h^2, and so does psi; "
      "take "
      "'integral'");
  PetscFunctionReturn(0);
}

PetscErrorCode fare_currents_check_ends(const fare_node *node, const fare_analysis_context *context)
{
  PetscFunctionBegin;
  for (int axis = 0; axis < context->dim; axis++) {
    if (context->boundary[axis] >= FARE_BOUNDARY_ABSORBING)
      FARE_REFUSE(node, "axis %s has an absorbing boundary: paths end there, so nothing grows with time",
        fare_system_axis_name(context->system, axis));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode check_times(
  const tilted *s, const fare_node *node, const fare_analysis_context *context, double time)
{
  PetscFunctionBegin;
  if (s->period > 0 && s->duration > 0)
    FARE_REFUSE(fare_node_find(node, "period"), "expected one of 'period' and 'duration', got both");
  if (s->period > 0)
    PetscCall(fare_period_check(node, context->system, time, s->period, "tilted without period"));
  if (s->points && !(s->duration > 0))
    FARE_REFUSE(fare_node_find(node, "points"), "where paths begin matters for a duration alone");
  if (s->force && lasts(s))
    FARE_REFUSE(fare_node_find(node, "force"), "the driven process is given for paths without end alone");
  PetscCall(fare_currents_check_ends(node, context));
  PetscFunctionReturn(0);
}

static PetscErrorCode read_clones(tilted *s)
{
  PetscFunctionBegin;
  if (!s->clones) PetscFunctionReturn(0);
  if (fare_node_kind_of(s->clones) != FARE_NODE_MAP)
    FARE_REFUSE(s->clones, "expected a map {walkers: ..., dt: ..., duration: ...}");
  if (lasts(s))
    FARE_REFUSE(s->clones, "walkers are cloned for all times alone: leave period and duration out");
  if (s->of == FARE_OF_ACTIVITY)
    FARE_REFUSE(s->clones, "walkers do not know the divergence of the drift, which activity needs");
  PetscCall(fare_fields_read(fare_clones_fields, NULL, s->clones, &s->cloning));
  PetscFunctionReturn(0);
}

static PetscErrorCode check(
  void *state, const fare_node *node, const fare_analysis_context *context, double time)
{
  tilted *s = state;

  PetscFunctionBegin;
  if (!s->tilts.count || s->tilts.count > TILTS_MAX)
    FARE_REFUSE(fare_node_find(node, "tilts"), "expected 1 to %d tilts, got %zu", TILTS_MAX, s->tilts.count);
  PetscCall(fare_axis_find(fare_node_find(node, "axis"), s->axis, context, &s->along));
  PetscCall(check_observable(s, node, context, time));
  PetscCall(check_times(s, node, context, time));
  PetscCall(read_clones(s));
  if (s->region) PetscCall(fare_region_read(s->region, context, &s->where));
  PetscCall(fare_points_read(s->points, context, &s->at));
  PetscFunctionReturn(0);
}

/* What one grid tells of all tilts. */
typedef struct {
  double   psi[TILTS_MAX], slope[TILTS_MAX], rate[TILTS_MAX];
  double   psi_least[TILTS_MAX], slope_least[TILTS_MAX];
  double   width, step_error;
  PetscInt solves, steps;
  Vec      right[TILTS_MAX];
} outcome;

static void keep_numbers(const tilted *s, const outcome *o, fare_findings *found)
{
  const size_t  count = s->tilts.count;
  fare_finding *f;

  fare_found_exact(found, "tilts", "values of s", count, 1, s->tilts.values);
  f = fare_found(found, "psi",
    s->duration > 0 ? "ln <exp(s A)> per time of the duration" : "scaled cumulant, lim ln <exp(s A)>/t",
    count, o->psi);
  memcpy(f->least, o->psi_least, count * sizeof *f->least);
  f->by_start = PETSC_TRUE;
  f           = fare_found(found, "slope", "a = psi'(s): mean of A per time under the tilt", count, o->slope);
  memcpy(f->least, o->slope_least, count * sizeof *f->least);
  f->by_start = PETSC_TRUE;
  f           = fare_found(found, "rate_function", "I(a) = s a - psi(s)", count, o->rate);
  f->by_start = PETSC_TRUE;
  for (size_t k = 0; k < count; k++)
    f->least[k] = fabs(s->tilts.values[k]) * o->slope_least[k] + o->psi_least[k];
  fare_found_number(found, "solves", lasts(s) ? "sweeps over period or duration" : "linear systems solved",
    (double)o->solves);
  if (lasts(s))
    fare_found_number(
      found, "step_error", "estimated, of the time stepping: of ln <exp(s A)>", o->step_error);
  else if (!isnan(o->width))
    fare_found_number(found, "bounds", "distance of the bounds on psi of this grid", o->width);
}

/* f + 2D (s w + grad ln r), w what the observable grows by per length. */
static double driven_drift(const tilted *s, double tilt, const fare_grid *grid, const fare_system *system,
  double t, PetscInt n, int axis, double below, double above, double width)
{
  double        x[FARE_DIM_MAX] = {0}, f[FARE_DIM_MAX], D[FARE_DIM_MAX], w = 0;
  const double *at[FARE_DIM_MAX]   = {&x[0], &x[1], &x[2]};
  double *const to_f[FARE_DIM_MAX] = {&f[0], &f[1], &f[2]}, *const to_D[] = {&D[0], &D[1], &D[2]};

  fare_cell_centre(grid, n, x);
  fare_system_drift(system, t, 1, at, to_f);
  fare_system_diffusion(system, t, 1, at, to_D);
  if (s->of == FARE_OF_DISPLACEMENT) w = axis == s->along;
  if (s->of == FARE_OF_ENTROPY) w = f[axis] / D[axis];
  if (s->of == FARE_OF_HEAT || s->of == FARE_OF_WORK) w = fare_system_kT(system, t) * f[axis] / D[axis];
  return f[axis] + 2 * D[axis] * (tilt * w + (log(above) - log(below)) / width);
}

static PetscErrorCode keep_force(const tilted *s, const outcome *o, size_t k, const fare_grid *grid,
  const fare_system *system, double time, fare_findings *found)
{
  const PetscScalar *r;
  PetscScalar       *to;
  fare_ghosts        ghosts;
  Vec                local, drift;

  PetscFunctionBegin;
  PetscCall(fare_ghosts_of(grid, &ghosts));
  for (int axis = 0; axis < grid->dim; axis++) {
    char name[48];

    PetscCall(VecDuplicate(o->right[k], &drift));
    PetscCall(fare_ghosts_get(grid, o->right[k], &local, &r));
    PetscCall(VecGetArray(drift, &to));
    for (PetscInt n = 0; n < fare_grid_owned(grid); n++) {
      PetscInt index[FARE_DIM_MAX], there[FARE_DIM_MAX], here, below, above;

      fare_cell_index(grid, n, index);
      here  = fare_ghosts_at(&ghosts, index);
      below = fare_cell_over(grid, index, 2 * axis, there) ? 1 : 0;
      above = fare_cell_over(grid, index, 2 * axis + 1, there) ? 1 : 0;
      to[n] = driven_drift(s, s->tilts.values[k], grid, system, time, n, axis,
        r[here - below * ghosts.stride[axis]], r[here + above * ghosts.stride[axis]],
        (double)(below + above) * grid->spacing[axis]);
    }
    PetscCall(VecRestoreArray(drift, &to));
    PetscCall(fare_ghosts_restore(grid, &local, &r));
    snprintf(name, sizeof name, "force_%s_%d", fare_system_axis_name(system, axis), (int)k);
    fare_found_mesh(found, name, "drift of the driven process at centres of cells", FARE_MESH_VALUES, drift);
  }
  PetscFunctionReturn(0);
}

static fare_observable observable_of(const tilted *s)
{
  return (fare_observable){(fare_observable_kind)s->of, s->along, s->power, &s->where};
}

static PetscErrorCode solve_frozen(const tilted *s, PetscBool high, const fare_grid *grid,
  const fare_system *system, double time, size_t k, outcome *o)
{
  const fare_observable a = observable_of(s);
  fare_tilted           one;

  PetscFunctionBegin;
  if (high)
    PetscCall(fare_tilted_solve_high_order(grid, system, time, &a, s->tilts.values[k], &one));
  else
    PetscCall(fare_tilted_solve(grid, system, time, &a, s->tilts.values[k], &one));
  o->psi[k]       = one.psi;
  o->slope[k]     = one.slope;
  o->psi_least[k] = o->slope_least[k] = one.rounding;
  o->width                            = high ? NAN : PetscMax(o->width, one.width);
  o->solves += one.iterations;
  o->right[k] = one.right;
  PetscFunctionReturn(0);
}

static PetscErrorCode solve_driven(const tilted *s, Vec begin, const fare_grid *grid,
  const fare_system *system, double time, size_t k, outcome *o)
{
  const fare_observable  a    = observable_of(s);
  const fare_tilted_span span = {time, time + (s->period > 0 ? s->period : s->duration), s->tolerance,
    s->period > 0 ? PETSC_TRUE : PETSC_FALSE, begin};
  fare_tilted            one;
  fare_driven            driven;

  PetscFunctionBegin;
  PetscCall(
    fare_tilted_solve_driven(grid, system, &span, &a, s->tilts.values[k], &one, &driven, &o->slope_least[k]));
  o->psi[k]       = one.psi;
  o->slope[k]     = one.slope;
  o->psi_least[k] = one.rounding;
  o->step_error   = PetscMax(o->step_error, driven.error);
  o->solves += driven.iterations;
  o->right[k] = one.right;
  PetscFunctionReturn(0);
}

static PetscErrorCode keep(const tilted *s, outcome *o, const fare_grid *grid, const fare_system *system,
  double time, fare_findings *found)
{
  const int       count = (int)s->tilts.count;
  const fare_held held  = {.count = 0};

  PetscFunctionBegin;
  for (int k = 0; k < count; k++) o->rate[k] = s->tilts.values[k] * o->slope[k] - o->psi[k];
  keep_numbers(s, o, found);
  PetscCall(fare_found_at_points(found, "psi_from", "the same of paths from the points", grid, &held, count,
    o->right, &s->at, o->step_error / PetscMax(s->duration, 1e-300)));
  if (s->at.count)
    fare_found_exact(found, "points", "where `psi_from` is given", s->at.count, (size_t)grid->dim, s->at.x);
  for (int k = 0; k < count; k++) {
    if (s->force) PetscCall(keep_force(s, o, (size_t)k, grid, system, time, found));
    PetscCall(VecDestroy(&o->right[k]));
  }
  PetscFunctionReturn(0);
}

static void keep_with_error(fare_findings *found, const char *name, const char *meaning, size_t count,
  const double value[], const double error[])
{
  fare_finding *f = fare_found(found, name, meaning, count, value);

  memcpy(f->error, error, count * sizeof *error);
  f->by_start = PETSC_TRUE;
}

/* Beside the exact psi, which the grid has told. */
static PetscErrorCode clone(const tilted *s, const double psi[], const fare_grid *grid,
  const fare_system *system, double time, fare_findings *found)
{
  enum { NUMBERS = 10 };
  const fare_observable a     = observable_of(s);
  const size_t          count = s->tilts.count;
  double                n[NUMBERS][TILTS_MAX];

  PetscFunctionBegin;
  for (size_t k = 0; k < count; k++) {
    fare_cloned one;

    PetscCall(fare_clones_run(&s->cloning, &a, grid, system, time, s->tilts.values[k], (int)k, found, &one));
    n[0][k] = one.psi;
    n[1][k] = one.error;
    n[2][k] = one.few;
    n[3][k] = one.few_error;
    n[4][k] = one.slope;
    n[5][k] = one.slope_error;
    n[6][k] = isnan(one.chain) ? (one.psi - psi[k]) / one.error
                               : (one.psi - one.chain) / hypot(one.error, one.chain_error);
    n[7][k] = one.families;
    n[8][k] = one.chain;
    n[9][k] = one.chain_error;
  }
  keep_with_error(
    found, "clones", "psi by cloning, extrapolated from N and 2N walkers; standard error", count, n[0], n[1]);
  keep_with_error(found, "clones_few", "the same of N walkers alone", count, n[2], n[3]);
  keep_with_error(found, "clones_slope", "its slope, by ancestors", count, n[4], n[5]);
  keep_with_error(found, "clones_chain",
    "psi of the simulated chain for infinitely many walkers, over this duration; NaN: not known", count, n[8],
    n[9]);
  fare_found_exact(found, "clones_z",
    "difference from the chain, or from psi if that is not known, in standard errors", count, 1, n[6])
    ->by_start = PETSC_TRUE;
  fare_found_exact(found, "families", "of 2N walkers, those with descendants at the end", count, 1, n[7])
    ->by_start = PETSC_TRUE;
  PetscFunctionReturn(0);
}

static PetscErrorCode run_by(const tilted *s, PetscBool high, const fare_grid *grid,
  const fare_system *system, double time, const fare_findings *like, fare_findings *found)
{
  const fare_passage_keys everywhere = {.weight = s->weight, .begin = {.outside = PETSC_TRUE}};
  outcome                 o          = {.solves = 0};
  Vec                     begin      = NULL;

  PetscFunctionBegin;
  if (s->duration > 0) PetscCall(fare_passage_begin(&everywhere, grid, system, time, &begin));
  for (size_t k = 0; k < s->tilts.count; k++) {
    if (lasts(s))
      PetscCall(solve_driven(s, begin, grid, system, time, k, &o));
    else
      PetscCall(solve_frozen(s, high, grid, system, time, k, &o));
  }
  PetscCall(VecDestroy(&begin));
  PetscCall(keep(s, &o, grid, system, time, found));
  if (s->clones && !like) PetscCall(clone(s, o.psi, grid, system, time, found));
  PetscFunctionReturn(0);
}

static PetscErrorCode run(const void *state, const fare_grid *grid, const fare_system *system, double time,
  const fare_findings *like, fare_findings *found)
{
  PetscFunctionBegin;
  PetscCall(run_by(state, PETSC_FALSE, grid, system, time, like, found));
  PetscFunctionReturn(0);
}

static PetscErrorCode run_high_order(const void *state, const fare_grid *grid, const fare_system *system,
  double time, const fare_findings *like, fare_findings *found)
{
  const tilted *s = state;

  PetscFunctionBegin;
  found->leaps = s->of == FARE_OF_OCCUPATION || lasts(s) ? PETSC_TRUE : PETSC_FALSE;
  PetscCall(run_by(s, PETSC_TRUE, grid, system, time, like, found));
  PetscFunctionReturn(0);
}

static void destroy(void *state)
{
  tilted *s = state;

  fare_region_free(&s->where);
  fare_points_free(&s->at);
}

const fare_analysis_type fare_analysis_tilted = {
  .name      = "tilted",
  .summary   = "large deviations of displacement, heat, work, occupation: scaled cumulants, rate function",
  .reference = "Chetrite and Touchette, Ann. Henri Poincare 16, 2005 (2015)",
  .size      = sizeof(tilted),
  .fields    = fields,
  .check     = check,
  .run       = run,
  .run_high_order = run_high_order,
  .destroy        = destroy,
};
