/* SPDX-License-Identifier: BSD-2-Clause */
/* The plan's `infer:` run: data, then every method on them. */
#include "options.h"

#include "potential.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static PetscErrorCode get_tracks(
  const fare_infer *infer, const fare_infer_line *l, MPI_Comm comm, double lag, fare_tracks **tracks)
{
  const fare_system *system = infer->study.system;
  char               name[128], *path = NULL;

  PetscFunctionBegin;
  if (fare_infer_is_simulated(infer, l)) {
    const fare_simulation how = {.name = name,
      .seed                            = infer->study.seed,
      .system                          = system,
      .initial                         = infer->study.initial,
      .walls                           = fare_truth_walls(system, infer->study.truth),
      .start                           = infer->study.start,
      .settle                          = l->settle,
      .lag                             = lag,
      .tracks                          = l->tracks * l->repeats,
      .transitions                     = l->transitions,
      .dt                              = l->dt,
      .noise                           = l->noise,
      .unpaired                        = l->unpaired};

    snprintf(name, sizeof name, "infer/%s/%.9g", l->name, lag);
    PetscCall(fare_tracks_simulate(comm, &how, tracks));
    PetscFunctionReturn(0);
  }
  if (!infer->file) PetscCall(fare_node_path(fare_node_find(l->node, "file"), &path));
  PetscCall(fare_tracks_read(comm, path ? path : infer->file, fare_system_dimension(system), tracks));
  free(path);
  for (int axis = 0; axis < (*tracks)->dim && l->noise > 0; axis++)
    if ((*tracks)->noise[axis] == 0) (*tracks)->noise[axis] = l->noise;
  PetscFunctionReturn(0);
}

/* Tracks first to first + count - 1. */
static PetscErrorCode take_some(const fare_tracks *all, int64_t first, int64_t count, fare_tracks **some)
{
  const size_t dim = (size_t)all->dim;
  int64_t      from, rows;

  PetscFunctionBegin;
  if (first + count > all->tracks)
    FARE_FAIL(FARE_ERR_FAILED, "%s: %lld tracks are too few", all->name, (long long)all->tracks);
  from = all->first[first];
  rows = all->first[first + count] - from;
  PetscCall(fare_tracks_create(all->name, all->dim, rows, some));
  memcpy((*some)->id, all->id + from, (size_t)rows * sizeof *all->id);
  memcpy((*some)->time, all->time + from, (size_t)rows * sizeof *all->time);
  memcpy((*some)->place, all->place + from, (size_t)rows * sizeof *all->place);
  memcpy((*some)->x, all->x + from * all->dim, (size_t)rows * dim * sizeof *all->x);
  memcpy((*some)->noise, all->noise, sizeof all->noise);
  PetscCall(fare_tracks_sort(*some));
  PetscFunctionReturn(0);
}

/* Adds a set of data to the rows of a method. */
static void add_set(const fare_inferred *found, int count, int64_t set, fare_infer_row row[])
{
  for (int k = 0; k < count; k++) {
    fare_infer_row *r = &row[k];

    if (!set) {
      r->pairs          = (double)found->pairs;
      r->low            = found->low[k];
      r->high           = found->high[k];
      r->grid           = found->grid[k];
      r->log_likelihood = found->log_likelihood;
      r->implied        = found->implied;
      r->spread = r->estimate = r->error = r->covered = r->held = r->dropped = r->posterior_covered = 0;
      r->posterior = found->posterior[k];
    }
    /* means, and sums of squares about them */
    r->sets = (double)(set + 1);
    r->spread += PetscSqr(found->theta[k] - r->estimate) * (double)set / r->sets;
    r->estimate += (found->theta[k] - r->estimate) / r->sets;
    if (found->dropped[k])
      r->dropped += 1;
    else if (isnan(found->error[k]))
      r->held += 1;
    else
      r->error += PetscSqr(found->error[k]);
    if (isnan(found->low[k]) || isnan(found->high[k])) r->covered = NAN;
    if (!found->draws) r->posterior_covered = NAN;
    if (found->posterior[k].low <= r->truth && r->truth <= found->posterior[k].high)
      r->posterior_covered += 1;
    if (found->low[k] <= r->truth && r->truth <= found->high[k]) r->covered += 1;
  }
}

static void finish(int count, fare_infer_row row[])
{
  for (int k = 0; k < count; k++) {
    fare_infer_row *r = &row[k];

    r->spread            = r->sets > 1 ? sqrt(r->spread / (r->sets - 1)) : NAN;
    r->error             = sqrt(r->error / (r->sets - r->held - r->dropped)); /* NaN where no set has one */
    r->covered           = isnan(r->truth) ? NAN : r->covered / r->sets;
    r->posterior_covered = isnan(r->truth) ? NAN : r->posterior_covered / r->sets;
  }
}

/* The row at this lag of a method before number `i` with the same functions; NULL: there is none. */
static const fare_infer_row *alike(const fare_infer_line *l, size_t i, int count, const fare_infer_row row[])
{
  const fare_infer_type *type = l->type[i];

  for (size_t k = 0; k < i; k++) {
    if (l->type[k]->limit == type->limit && l->type[k]->truth == type->truth &&
      l->type[k]->variant == type->variant)
      return row - (i - k) * (size_t)count;
  }
  return NULL;
}

/* What infinitely many data would give, with the error of the cells. `known` (may be NULL) has it, or NaN. */
static PetscErrorCode find_limit(
  const fare_infer_context *c, const fare_infer_row *known, fare_infer_row row[])
{
  double   fine[FARE_INFER_MAX], coarse[FARE_INFER_MAX];
  PetscInt half[FARE_DIM_MAX];

  PetscFunctionBegin;
  for (int k = 0; k < c->count; k++) {
    row[k].limit       = row[k].truth;
    row[k].limit_error = 0;
  }
  if (!c->type->limit) PetscFunctionReturn(0);
  if (known && !isnan(known->limit)) {
    for (int k = 0; k < c->count; k++) {
      row[k].limit       = known[k].limit;
      row[k].limit_error = known[k].limit_error;
    }
    PetscFunctionReturn(0);
  }
  fare_infer_half(c, half);
  PetscCall(c->type->limit(c, c->cells, fine));
  PetscCall(c->type->limit(c, half, coarse));
  for (int k = 0; k < c->count; k++) {
    row[k].limit       = fine[k];
    row[k].limit_error = fabs(fine[k] - coarse[k]) / 3;
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode fit_all(const fare_infer_context *c, const fare_infer_line *l,
  const fare_infer_row *known, const fare_tracks *tracks, fare_infer_results *results)
{
  fare_infer_row       *row   = &results->row[results->count];
  fare_infer_potential *curve = &results->potential[results->potentials];
  const double          began = fare_seconds();
  fare_progress         progress;

  PetscFunctionBegin;
  fare_progress_begin(&progress, l->name, (double)l->repeats);
  for (int64_t set = 0; set < l->repeats; set++) {
    fare_inferred  found = {.log_likelihood = NAN, .implied = NAN};
    fare_tracks   *some  = NULL;
    PetscErrorCode code  = 0;

    PetscCall(fare_stop_check(c->comm, "inference"));
    if (l->repeats > 1) PetscCall(take_some(tracks, set * l->tracks, l->tracks, &some));
    code = c->type->fit(c, some ? some : tracks, &found);
    PetscCall(fare_tracks_destroy(&some));
    for (int k = 0; k < c->count && !found.draws; k++)
      found.posterior[k] = (fare_posterior_of){NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN};
    if (!code && !set && found.draws) {
      results->draw[results->count]  = found.draw;
      results->draws[results->count] = (size_t)found.draws * (size_t)c->count;
    } else {
      PetscCall(PetscFree(found.draw));
    }
    PetscCall(code);
    if (found.potential) fare_potential_add(&found, set, curve);
    for (int k = 0; k < c->count && !set; k++)
      results->profile[results->count + (size_t)k] = found.profile[k];
    add_set(&found, c->count, set, row);
    fare_progress_update(&progress, (double)(set + 1), NULL);
  }
  fare_progress_end(&progress);
  finish(c->count, row);
  if (c->potential) {
    fare_potential_end(curve);
    results->potentials++;
  }
  if (l->limits && !c->potential && !isnan(row[0].truth)) PetscCall(find_limit(c, known, row));
  for (int k = 0; k < c->count; k++) row[k].seconds = fare_seconds() - began;
  PetscFunctionReturn(0);
}

static void name_rows(const fare_infer_context *c, const fare_infer_line *l, const fare_infer_type *type,
  const double truth[], fare_infer_row row[])
{
  for (int k = 0; k < c->count; k++) {
    fare_infer_row *r = &row[k];

    *r = (fare_infer_row){.knot = NAN, .lag = c->lag, .truth = truth[k], .limit = NAN, .limit_error = NAN};
    if (c->potential && k >= c->potential->first)
      r->knot =
        fare_potential_spline_knot(fare_potential_spline_of(c->potential->system), k - c->potential->first);
    snprintf(r->infer, sizeof r->infer, "%s", l->name);
    snprintf(r->method, sizeof r->method, "%s", type->name);
    snprintf(r->parameter, sizeof r->parameter, "%s", l->parameter[k]);
  }
}

#define LONG 0.1 /* dt |df/dx| at which a step of second order errs by about a percent */

/* Standard deviation along an axis of every so-many-th row. */
static double spread_of(const fare_tracks *t, int axis, int64_t every)
{
  double looks = 0, mean = 0, sum = 0;

  for (int64_t row = 0; row < t->rows; row += every) {
    const double away = t->x[row * t->dim + axis] - mean;

    mean += away / ++looks;
    sum += away * (t->x[row * t->dim + axis] - mean);
  }
  return sqrt(sum / looks);
}

/* Whether the force varies within a step of the simulation: root mean square of dt df/dx where particles are.
 */
static PetscErrorCode tell_step(const fare_infer *infer, const fare_infer_line *l, const fare_tracks *t)
{
  const fare_system *system = infer->study.system;
  const int64_t      every  = 1 + t->rows / 1000;
  double             steep  = 0;

  PetscFunctionBegin;
  for (int axis = 0; axis < t->dim; axis++) {
    const double spread = spread_of(t, axis, every);
    double       sum = 0, looks = 0;

    for (int64_t row = 0; row < t->rows; row += every, looks++) {
      double        x[2][FARE_DIM_MAX], f[2][FARE_DIM_MAX];
      const double *at[2][FARE_DIM_MAX] = {{x[0], x[0] + 1, x[0] + 2}, {x[1], x[1] + 1, x[1] + 2}};
      double       *to[2][FARE_DIM_MAX] = {{f[0], f[0] + 1, f[0] + 2}, {f[1], f[1] + 1, f[1] + 2}};
      const double  h = 1e-4 * (spread > 0 ? spread : 1) + 1e-8 * fabs(t->x[row * t->dim + axis]);

      for (int side = 0; side < 2; side++) {
        memcpy(x[side], t->x + row * t->dim, (size_t)t->dim * sizeof **x);
        x[side][axis] += side ? h : -h;
        fare_system_drift(system, t->time[row], 1, at[side], to[side]);
      }
      sum += PetscSqr(l->dt * (f[1][axis] - f[0][axis]) / (2 * h));
    }
    steep = PetscMax(steep, sqrt(sum / looks));
  }
  if (steep > LONG)
    fare_warn(
      "inference %s: steps of dt: %g are long, as the force varies by %.2g of itself within one: take "
      "%.1g or less",
      l->name, l->dt, steep, l->dt * LONG / steep);
  PetscFunctionReturn(0);
}

/* Observations that no pair of a lag has. */
static PetscErrorCode tell_unused(const fare_infer_line *l, double lag, const fare_tracks *tracks)
{
  int64_t count, *pair, used = 0;

  PetscFunctionBegin;
  PetscCall(fare_tracks_pairs(tracks, lag, &count, &pair));
  for (int64_t i = 0; i < count; i++) used += i && pair[2 * i] == pair[2 * i - 1] ? 1 : 2;
  PetscCall(PetscFree(pair));
  if (used < tracks->rows)
    fare_warn("inference %s: %lld of %lld observations have no partner at the lag %g", l->name,
      (long long)(tracks->rows - used), (long long)tracks->rows, lag);
  PetscFunctionReturn(0);
}

/* One line at one lag: data, then every method on them. */
static PetscErrorCode run_lag(
  const fare_infer *infer, const fare_infer_line *l, MPI_Comm comm, double lag, fare_infer_results *results)
{
  fare_infer_context c = fare_infer_context_of(infer, l, comm, lag);
  double             truth[FARE_INFER_MAX];
  fare_tracks       *tracks;
  fare_frame        *frame = NULL;
  PetscErrorCode     code  = 0;

  PetscFunctionBegin;
  PetscCall(get_tracks(infer, l, comm, lag, &tracks));
  if (c.potential) code = l->type[0]->prepare(&c, tracks, fare_infer_is_simulated(infer, l), &frame);
  if (code) PetscCall(fare_tracks_destroy(&tracks));
  PetscCall(code);
  c.frame = frame;
  if (fare_infer_is_simulated(infer, l)) PetscCall(tell_step(infer, l, tracks));
  if (lag > 0 && !fare_infer_is_simulated(infer, l)) PetscCall(tell_unused(l, lag, tracks));
  for (size_t i = 0; i < l->methods; i++) {
    fare_infer_row       *row   = &results->row[results->count];
    const fare_infer_row *known = alike(l, i, c.count, row);

    if (l->type[i]->unpaired && tracks->tracks < tracks->rows)
      fare_warn("inference %s, %s: observations of one track are not independent; intervals are too narrow",
        l->name, l->type[i]->name);
    c.type = l->type[i];
    for (int k = 0; k < c.count; k++) truth[k] = known ? known[k].truth : NAN;
    if (!known && fare_infer_is_simulated(infer, l) && (l->limits || !c.type->truth))
      code = (c.type->truth ? c.type->truth : fare_infer_truth)(&c, truth);
    if (code == FARE_ERR_FAILED) {
      fare_warn(
        "inference %s, %s: the exact value is not known: %s", l->name, c.type->name, fare_error_message());
      truth[0] = NAN;
      code     = 0;
    }
    PetscCall(code);
    if (c.frame) {
      fare_infer_potential *p = &results->potential[results->potentials];

      memcpy(truth, c.frame->truth, sizeof truth);
      *p = (fare_infer_potential){.lag = lag};
      snprintf(p->infer, sizeof p->infer, "%s", l->name);
      snprintf(p->method, sizeof p->method, "%s", l->type[i]->name);
    }
    name_rows(&c, l, l->type[i], truth, row);
    code = fit_all(&c, l, known, tracks, results);
    if (code == FARE_ERR_STOPPED) break;
    for (int k = 0; k < c.count; k++) {
      if (code) results->failure[results->count] = strdup(fare_error_message());
      results->count++;
    }
    if (code && code != FARE_ERR_FAILED && code != FARE_ERR_INPUT) break;
    if (code)
      fare_warn("inference %s, %s: %s; the others go on", l->name, l->type[i]->name, fare_error_message());
    code = 0;
  }
  PetscCall(fare_tracks_destroy(&tracks));
  PetscCall(fare_frame_destroy(&frame));
  PetscFunctionReturn(code);
}

static PetscErrorCode judge(
  const fare_infer *infer, const fare_infer_line *l, MPI_Comm comm, fare_infer_results *results)
{
  const PetscBool          tracks = l->design == FARE_DESIGN_TRAJECTORIES ? PETSC_TRUE : PETSC_FALSE;
  const fare_infer_context c      = fare_infer_context_of(infer, l, comm, 0);
  const double             many   = (double)(tracks ? l->tracks : l->particles);
  const fare_design        design = {l->design, many, tracks ? l->lag : l->times, l->others, l->starts};
  PetscErrorCode           code   = l->type[0]->judge(&c, l->name, &design, results);

  PetscFunctionBegin;
  if (code && code != FARE_ERR_FAILED && code != FARE_ERR_INPUT) PetscFunctionReturn(code);
  if (code) fare_warn("inference %s, identifiability: %s; the others go on", l->name, fare_error_message());
  PetscFunctionReturn(0);
}

static size_t rows_of(const fare_infer_line *l)
{
  return (size_t)l->count * l->methods * PetscMax(1, l->lag.count);
}

PetscErrorCode fare_infer_run(const fare_infer *infer, MPI_Comm comm, fare_infer_results *results)
{
  size_t rows = 0, potentials = 0;

  PetscFunctionBegin;
  *results = (fare_infer_results){0};
  if (!infer) PetscFunctionReturn(0);
  for (size_t i = 0; i < infer->lines; i++) {
    rows += rows_of(&infer->line[i]);
    if (infer->line[i].sought) potentials += infer->line[i].methods * PetscMax(1, infer->line[i].lag.count);
    if (!fare_infer_is_design(&infer->line[i])) PetscCall(fare_infer_check_data(infer, &infer->line[i]));
  }
  PetscCall(PetscCalloc5(rows, &results->row, rows, &results->failure, rows, &results->draw, rows,
    &results->draws, rows, &results->profile));
  PetscCall(PetscCalloc1(potentials + 1, &results->potential));
  for (size_t i = 0; i < infer->lines; i++) {
    const fare_infer_line *l = &infer->line[i];

    if (fare_infer_is_design(l)) {
      PetscCall(judge(infer, l, comm, results));
      continue;
    }
    for (size_t k = 0; k < PetscMax(1, l->lag.count); k++)
      PetscCall(run_lag(infer, l, comm, l->lag.count ? l->lag.values[k] : 0, results));
  }
  PetscFunctionReturn(0);
}

void fare_infer_results_free(fare_infer_results *results)
{
  for (size_t i = 0; i < results->count; i++) free(results->failure[i]);
  for (size_t i = 0; i < results->count; i++) (void)PetscFree(results->draw[i]);
  (void)PetscFree5(results->row, results->failure, results->draw, results->draws, results->profile);
  for (size_t i = 0; i < results->potentials; i++) (void)PetscFree(results->potential[i].curve);
  (void)PetscFree(results->potential);
  free(results->design);
  *results = (fare_infer_results){0};
}
