/* SPDX-License-Identifier: BSD-2-Clause */
/* One instant of a run: truth and ensembles advance to it, are written, and are compared. */
#include "study.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The truth of one snapshot on bins, as others are compared with it: and with its estimated error added. */
typedef struct {
  fare_binned p, corrected;
} truth_bins;

static PetscErrorCode bin_truth(fare_run *s, PetscInt64 k, truth_bins *bins)
{
  Vec masses, corrected;

  PetscFunctionBegin;
  memset(bins, 0, sizeof *bins);
  if (!s->truth) PetscFunctionReturn(0);
  masses = s->reactive ? s->reactive[k] : fare_truth_compared(s->truth);
  PetscCall(fare_binning_density(s->binning, masses, &bins->p));
  PetscCall(VecDuplicate(masses, &corrected));
  PetscCall(
    VecWAXPY(corrected, 1, masses, s->reactive ? s->reactive_error[k] : fare_truth_compared_error(s->truth)));
  PetscCall(fare_binning_density(s->binning, corrected, &bins->corrected));
  PetscCall(VecDestroy(&corrected));
  fare_results_keep(&s->results, "truth", k, s->binning, &bins->p);
  PetscFunctionReturn(0);
}

static PetscErrorCode compare(fare_run *s, size_t i, fare_comparison_kind kind, PetscInt64 k,
  const fare_binned *p, const fare_binned *corrected, const fare_binned *q)
{
  fare_compared *to = fare_results_comparison(&s->results, i, kind);
  char           name[FARE_LABEL_SIZE + 64];

  PetscFunctionBegin;
  snprintf(name, sizeof name, "floor/%s/%lld", to->label, (long long)k);
  PetscCall(fare_measure_compare(s->comm, s->binning, p, corrected, q, s->plan->measures, s->plan->measure,
    FARE_REPLICATES, fare_stream_make((uint64_t)s->plan->seed, name),
    to->measured + (size_t)k * s->plan->measures));
  PetscFunctionReturn(0);
}

/*
  What the method aims at, where that is known: how far it is from the truth, and whether the samples have got
  there.
*/
static PetscErrorCode compare_target(
  fare_run *s, size_t i, PetscInt64 k, double t, const truth_bins *truth, const fare_binned *samples)
{
  char        name[FARE_LABEL_SIZE];
  fare_binned target;
  Vec         masses;

  PetscFunctionBegin;
  PetscCall(fare_run_end_ensemble(s, i, " in its density",
    s->sampler[i]->type->model_density(s->sampler[i], t, fare_run_grid(s), &masses)));
  if (s->results.failure[i]) PetscFunctionReturn(0);
  PetscCall(
    fare_run_end_ensemble(s, i, " in its density", fare_binning_density(s->binning, masses, &target)));
  PetscCall(VecDestroy(&masses));
  if (s->results.failure[i]) PetscFunctionReturn(0);
  snprintf(name, sizeof name, "%s_density", s->plan->ensemble[i].name);
  fare_results_keep(&s->results, name, k, s->binning, &target);
  PetscCall(compare(s, i, FARE_DENSITY_TRUTH, k, &truth->p, &truth->corrected, &target));
  PetscCall(compare(s, i, FARE_SAMPLES_TARGET, k, &target, NULL, samples));
  PetscCall(fare_binned_free(&target));
  PetscFunctionReturn(0);
}

/* With a truth that is not one grid. In a replay the method is at another time than the ensemble. */
static PetscErrorCode compare_joint(fare_run *s, size_t i, PetscInt64 k, const fare_ensemble *ensemble)
{
  fare_compared *to      = fare_results_comparison(&s->results, i, FARE_SAMPLES_TRUTH);
  fare_sampler  *sampler = s->sampler[i];
  double        *log_q   = NULL;
  char           name[FARE_LABEL_SIZE + 64];

  PetscFunctionBegin;
  if (!s->plan->measures) PetscFunctionReturn(0);
  if (fare_sampler_type_has_log_density(sampler->type, sampler->mode) && ensemble == s->ensemble[i]) {
    PetscCall(PetscMalloc1((size_t)ensemble->local, &log_q));
    PetscCall(
      sampler->type->log_density(sampler, ensemble->local, (const double *const *)ensemble->x, log_q));
  }
  snprintf(name, sizeof name, "floor/%s/%lld", to->label, (long long)k);
  PetscCall(
    fare_joint_compare(s->joint, ensemble, log_q, s->plan->measures, s->plan->measure, FARE_REPLICATES,
      fare_stream_make((uint64_t)s->plan->seed, name), to->measured + (size_t)k * s->plan->measures));
  PetscCall(PetscFree(log_q));
  PetscFunctionReturn(0);
}

static PetscErrorCode measure_ensemble(
  fare_run *s, size_t i, PetscInt64 k, double t, const truth_bins *truth, const fare_ensemble *ensemble)
{
  const fare_plan_ensemble *e = &s->plan->ensemble[i];
  fare_binned               samples;

  PetscFunctionBegin;
  if (s->joint) PetscCall(compare_joint(s, i, k, ensemble));
  if (!s->binning) PetscFunctionReturn(0);
  PetscCall(fare_binning_ensemble(s->binning, ensemble, &samples));
  fare_results_keep(&s->results, e->name, k, s->binning, &samples);
  if (s->truth) {
    PetscCall(compare(s, i, FARE_SAMPLES_TRUTH, k, &truth->p, &truth->corrected, &samples));
    if (fare_sampler_type_has_model_density(e->type, fare_plan_ensemble_mode(e)))
      PetscCall(compare_target(s, i, k, t, truth, &samples));
  }
  PetscCall(fare_binned_free(&samples));
  PetscFunctionReturn(0);
}

/* What learned densities say of the dynamics between this snapshot and the next. */
static PetscErrorCode judge_motion(fare_run *s, PetscInt64 k)
{
  const fare_schedule *schedule = &s->plan->snapshots;
  fare_stencil        *stencil  = NULL;

  PetscFunctionBegin;
  for (size_t i = 0; i < s->plan->ensembles && k + 1 < schedule->count; i++) {
    if (!s->results.motion[i] || s->results.failure[i]) continue;
    if (!stencil)
      PetscCall(fare_stencil_create(fare_run_grid(s), s->plan->system, fare_truth_masses(s->truth),
        fare_schedule_time(schedule, k), fare_schedule_time(schedule, k + 1), schedule->end - schedule->start,
        &stencil));
    PetscCall(fare_run_end_ensemble(
      s, i, " in its density", fare_stencil_judge(stencil, s->sampler[i], &s->results.motion[i][k])));
  }
  PetscCall(fare_stencil_destroy(&stencil));
  PetscFunctionReturn(0);
}

static PetscErrorCode pause_truth(void *context)
{
  PetscFunctionBegin;
  PetscCall(fare_run_pause(context));
  PetscFunctionReturn(0);
}

static PetscErrorCode pause_ensemble(void *context, int64_t step, PetscBool *stop)
{
  PetscFunctionBegin;
  (void)step, (void)stop;
  PetscCall(fare_run_pause(context));
  PetscFunctionReturn(0);
}

/* The truth may pause where all ranks have it together, and nothing but itself is on its way. */
static PetscErrorCode let_truth_pause(fare_run *s, PetscBool is_new)
{
  int ranks, owners;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(s->comm, &ranks));
  PetscCallMPI(MPI_Comm_size(fare_truth_grid(s->truth)->comm, &owners));
  fare_truth_set_pause(s->truth, is_new && owners == ranks && !s->thermo ? pause_truth : NULL, s);
  PetscFunctionReturn(0);
}

/* The work that is followed needs the truth at more times than those of snapshots. */
static PetscErrorCode advance_truth(fare_run *s, PetscInt64 k, PetscBool is_new)
{
  const double   t    = fare_schedule_time(&s->plan->snapshots, k);
  PetscErrorCode code = 0;

  PetscFunctionBegin;
  fare_doing("the truth up to time %g", t);
  if (s->truth) PetscCall(let_truth_pause(s, is_new));
  if (s->thermo)
    code = fare_thermo_advance(s->thermo, t);
  else if (s->truth)
    code = fare_truth_advance(s->truth, t);
  else if (s->joint)
    code = fare_joint_advance(s->joint, t);
  if (code && code != FARE_ERR_STOPPED) s->truth_lost = PETSC_TRUE;
  PetscFunctionReturn(code);
}

/* Those that have not yet come to snapshot k. */
static PetscErrorCode advance_ensembles(fare_run *s, PetscInt64 k)
{
  const double t = fare_schedule_time(&s->plan->snapshots, k);
  char         when[64];

  PetscFunctionBegin;
  snprintf(when, sizeof when, " up to time %g", t);
  for (size_t i = 0; i < s->plan->ensembles; i++) {
    if (s->results.failure[i] || s->made[i] > k) continue;
    fare_doing("ensemble %s (%s)%s", s->plan->ensemble[i].name, s->plan->ensemble[i].type->name, when);
    s->sampler[i]->session.context = s;
    s->sampler[i]->session.pause   = pause_ensemble;
    PetscCall(fare_run_end_ensemble(s, i, when, fare_sampler_advance(s->sampler[i], t, s->ensemble[i])));
    s->made[i] = k + 1;
    PetscCall(fare_run_pause(s));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode record_currents(fare_run *s)
{
  PetscFunctionBegin;
  for (int axis = 0; axis < fare_system_dimension(s->plan->system); axis++) {
    char name[64];
    Vec  current;

    snprintf(name, sizeof name, "current_%s", fare_system_axis_name(s->plan->system, axis));
    PetscCall(fare_thermo_current(s->thermo, axis, &current));
    PetscCall(
      fare_record_mesh(s->record, name, "probability current at cell centres", fare_run_grid(s), current, 1));
    PetscCall(VecDestroy(&current));
  }
  PetscFunctionReturn(0);
}

/*
  The bound on the error in time is proven, the estimate is not: where they are far apart, one may be wrong.
*/
static void compare_with_bound(fare_run *s, const fare_truth_status *status)
{
  /* times the estimated error in time; and more than all errors together */
  const double far = 1e3, enough = 1e-3;

  if (s->warned_of_bound || !s->plan->truth.estimate) return;
  if (!(status->time_bound > PetscMax(enough, 10 * status->error) &&
        status->time_bound > far * status->error_time))
    return;
  fare_warn(
    "the proven bound on the truth's error in time, %.1e at time %g, is far beyond the estimate, %.1e: a "
    "sudden start or jump loosens the bound, or the estimate is wrong; check with a smaller truth.tolerance",
    PetscMin(2, status->time_bound), status->time, status->error_time);
  s->warned_of_bound = PETSC_TRUE;
}

/* As it is on the grid, and as it is compared with. */
static PetscErrorCode record_densities(fare_run *s)
{
  const double     volume = fare_grid_volume(fare_run_grid(s));
  const fare_grid *grid   = fare_run_grid(s);

  PetscFunctionBegin;
  PetscCall(fare_record_mesh(s->record, "density", "probability density, averaged over each cell", grid,
    fare_truth_masses(s->truth), volume));
  PetscCall(fare_record_mesh(s->record, "density_error",
    "estimated (exact - density), averaged over each cell", grid, fare_truth_error_field(s->truth), volume));
  if (!fare_truth_extrapolates(s->truth)) PetscFunctionReturn(0);
  PetscCall(fare_record_mesh(s->record, "density_extrapolated",
    "probability density that others are compared with: of the next order where three grids show it, else "
    "density",
    grid, fare_truth_compared(s->truth), volume));
  PetscCall(fare_record_mesh(s->record, "density_extrapolated_error",
    "estimated (exact - density_extrapolated), averaged over each cell", grid,
    fare_truth_compared_error(s->truth), volume));
  PetscFunctionReturn(0);
}

/* What others are compared with on a condition. */
static PetscErrorCode record_reactive(fare_run *s, PetscInt64 k)
{
  const fare_grid *grid = fare_run_grid(s);

  PetscFunctionBegin;
  PetscCall(fare_record_mesh(s->record, "density_reactive",
    "probability density of paths on their way to the event", grid, s->reactive[k], fare_grid_volume(grid)));
  PetscCall(fare_record_mesh(s->record, "density_reactive_error",
    "estimated (exact - density_reactive), averaged over each cell", grid, s->reactive_error[k],
    fare_grid_volume(grid)));
  PetscFunctionReturn(0);
}

static void warn_of_box(fare_run *s, double mass, double time, const char *remedy, const char *remark)
{
  if (!(mass > FARE_BOUNDARY_MASS) || s->warned) return;
  fare_warn("the box is small: a mass of %.1e lies in the outermost cells at time %g; set truth.lower and "
            "truth.upper wider%s, unless these walls are intended%s",
    mass, time, remedy, remark);
  s->warned = PETSC_TRUE;
}

static void warn_of_doubt(fare_run *s, double time, double error, const char *why)
{
  if (s->doubted) return;
  fare_warn("the truth is not resolved in space at time %g, where its estimated L1 error of %.1e is good "
            "to an order of magnitude at best: %s",
    time, error, why);
  s->doubted = PETSC_TRUE;
}

static PetscErrorCode record_truth(fare_run *s, PetscInt64 k)
{
  const fare_truth_status *status = fare_truth_get_status(s->truth);

  PetscFunctionBegin;
  s->results.truth[k] = *status;
  warn_of_box(s, status->boundary_mass, status->time, ", or truth.fit_domain",
    s->walls.inertial ? " (at the ends of a position the truth holds bodies and particles are reflected: the "
                        "comparison holds only while nothing gets there)"
                      : "");
  compare_with_bound(s, status);
  if (s->plan->truth.accuracy > 0 && status->error > s->plan->truth.accuracy && !s->warned_of_accuracy) {
    fare_warn("the truth misses its accuracy at time %g: its estimated L1 error is %.1e instead of %.1e; "
              "lower truth.accuracy, or set truth.cells",
      status->time, status->error, s->plan->truth.accuracy);
    s->warned_of_accuracy = PETSC_TRUE;
  }
  if (status->doubt && !s->doubted) {
    char text[FARE_REASON_SIZE];

    fare_truth_doubt_text(s->plan->system, status, sizeof text, text);
    warn_of_doubt(s, status->time, status->error, text);
  }
  PetscCall(record_densities(s));
  if (s->thermo && s->plan->thermodynamics.currents) PetscCall(record_currents(s));
  if (s->reactive) PetscCall(record_reactive(s, k));
  for (const fare_column *c = fare_truth_columns; c->name; c++)
    PetscCall(fare_record_number(s->record, "truth", c->name, fare_column_value(c, status)));
  PetscCall(fare_record_number(s->record, "truth", "extrapolated", status->extrapolated));
  PetscCall(fare_record_number(s->record, "truth", "doubt", status->doubt));
  PetscFunctionReturn(0);
}

/* What the truth knows of itself; a kind does not have every number. */
static PetscErrorCode record_joint(fare_run *s, PetscInt64 k)
{
  const fare_joint_status *status = &s->joint->status;

  PetscFunctionBegin;
  s->results.joint[k] = *status;
  warn_of_box(s, status->boundary_mass, status->time, "", "");
  if (status->doubt > 0) warn_of_doubt(s, status->time, status->error, s->joint->doubt);
  for (const fare_column *c = fare_joint_columns; c->name; c++) {
    if (!isnan(fare_column_value(c, status)))
      PetscCall(fare_record_number(s->record, "truth", c->name, fare_column_value(c, status)));
  }
  PetscCall(fare_record_joint(s->record, s->joint));
  PetscFunctionReturn(0);
}

/*
  All particles on the grid of the truth, beside its density: what is left of them where a part alone is
  written.
*/
static PetscErrorCode record_deposit(fare_run *s, size_t i)
{
  char   name[FARE_LABEL_SIZE];
  double outside;
  Vec    masses;

  PetscFunctionBegin;
  snprintf(name, sizeof name, "%s_density", s->plan->ensemble[i].name);
  PetscCall(fare_deposit(fare_run_grid(s), s->ensemble[i], &masses, &outside));
  PetscCall(fare_record_mesh(s->record, name, "particles of the ensemble per cell", fare_run_grid(s), masses,
    fare_grid_volume(fare_run_grid(s))));
  PetscCall(fare_record_number(s->record, name, "outside", outside));
  PetscCall(VecDestroy(&masses));
  PetscFunctionReturn(0);
}

/* Where the particles of an ensemble are, and a word about the first that lie outside. */
static PetscErrorCode take_census(fare_run *s, size_t i, PetscInt64 k)
{
  const fare_plan_ensemble *e      = &s->plan->ensemble[i];
  fare_census              *census = &s->results.census[i][k];
  int64_t                   folded = s->sampler[i]->folded;
  PetscBool                 before = PETSC_FALSE;

  PetscFunctionBegin;
  PetscCall(fare_ensemble_census(s->ensemble[i], &s->walls, census));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &folded, 1, MPI_INT64_T, MPI_SUM, s->comm));
  census->folded = (double)folded / (double)e->particles;
  for (PetscInt64 past = 0; past < k; past++) before |= s->results.census[i][past].outside > 0;
  if (census->outside > 0 && !before) {
    fare_warn("ensemble %s (%s): %.3g%% of its particles lie outside the truth's box at time %g; sampler "
              "'%s' ignores the walls",
      e->name, e->type->name, 100 * census->outside, s->ensemble[i]->time, e->type->name);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode record_census(fare_run *s, size_t i, PetscInt64 k)
{
  const char        *name   = s->plan->ensemble[i].name;
  const fare_census *census = &s->results.census[i][k];

  PetscFunctionBegin;
  if (!s->truth) PetscFunctionReturn(0);
  PetscCall(fare_record_number(s->record, name, "outside", census->outside));
  PetscCall(fare_record_number(s->record, name, "folded", census->folded));
  if (s->walls.absorbing) PetscCall(fare_record_number(s->record, name, "survival", census->survival));
  PetscFunctionReturn(0);
}

static PetscErrorCode write_snapshot(fare_run *s, PetscInt64 k)
{
  const fare_schedule *schedule = &s->plan->snapshots;
  const double         began    = fare_seconds();

  PetscFunctionBegin;
  PetscCall(fare_record_begin(s->record, k, fare_schedule_time(schedule, k),
    (schedule->end - schedule->start) / (double)(schedule->count - 1)));
  if (s->truth) PetscCall(record_truth(s, k));
  if (s->joint) PetscCall(record_joint(s, k));
  for (size_t i = 0; i < s->plan->ensembles; i++) {
    if (s->results.failure[i]) continue;
    PetscCall(fare_record_species(s->record, s->plan->ensemble[i].name, s->ensemble[i]));
    PetscCall(fare_record_axes(s->record, s->plan->ensemble[i].name, s->plan->system));
    PetscCall(record_census(s, i, k));
    if (s->plan->record.densities) PetscCall(record_deposit(s, i));
  }
  PetscCall(fare_record_end(s->record));
  PetscCall(fare_record_checksum(s->record, k, &s->results.file[k]));
  s->writing += fare_seconds() - began;
  PetscFunctionReturn(0);
}

PetscErrorCode fare_run_snapshot(fare_run *s, PetscInt64 k)
{
  const double t = fare_schedule_time(&s->plan->snapshots, k);
  truth_bins   bins;

  PetscFunctionBegin;
  s->under_way       = k;
  s->under_way_since = fare_seconds();
  PetscCall(advance_truth(s, k, PETSC_TRUE));
  s->safe = -1;
  PetscCall(advance_ensembles(s, k));
  fare_doing("snapshot %lld at time %g", (long long)k, t);
  for (size_t i = 0; i < s->plan->ensembles; i++) {
    if (!s->results.failure[i]) PetscCall(take_census(s, i, k));
  }
  PetscCall(write_snapshot(s, k));
  PetscCall(bin_truth(s, k, &bins));
  for (size_t i = 0; i < s->plan->ensembles; i++) {
    if (!s->results.failure[i]) PetscCall(measure_ensemble(s, i, k, t, &bins, s->ensemble[i]));
  }
  PetscCall(judge_motion(s, k));
  PetscCall(fare_binned_free(&bins.p));
  PetscCall(fare_binned_free(&bins.corrected));
  s->safe = k + 1;
  PetscFunctionReturn(0);
}

/*
  A snapshot that is there already: the truth is evolved through it again, and what is in its file is measured
  where other measures are asked for.
*/
PetscErrorCode fare_run_replay(fare_run *s, PetscInt64 k, PetscBool measured)
{
  truth_bins bins;

  PetscFunctionBegin;
  if (!s->truth && !s->joint) PetscFunctionReturn(0);
  PetscCall(advance_truth(s, k, PETSC_FALSE));
  if (s->joint)
    s->results.joint[k] = s->joint->status;
  else
    s->results.truth[k] = *fare_truth_get_status(s->truth);
  if (measured) PetscFunctionReturn(0);
  PetscCall(bin_truth(s, k, &bins));
  for (size_t i = 0; i < s->plan->ensembles; i++) {
    const fare_plan_ensemble *e = &s->plan->ensemble[i];
    fare_ensemble            *then;
    PetscErrorCode            code;

    if (s->results.failure[i]) continue;
    PetscCall(fare_ensemble_create(s->comm, fare_system_dimension(s->plan->system), e->particles, &then));
    code = fare_record_read_species(s->record, k, e->name, then);
    if (!code) code = measure_ensemble(s, i, k, fare_schedule_time(&s->plan->snapshots, k), &bins, then);
    PetscCall(fare_ensemble_destroy(&then));
    PetscCall(code);
  }
  PetscCall(judge_motion(s, k));
  PetscCall(fare_binned_free(&bins.p));
  PetscCall(fare_binned_free(&bins.corrected));
  PetscFunctionReturn(0);
}
