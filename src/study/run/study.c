/* SPDX-License-Identifier: BSD-2-Clause */
/* A run: made, taken from snapshot to snapshot with a checkpoint where one is due, and ended. */
#include "study.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Bins of a study without a truth: for pictures only. */
static const PetscInt cells_without_truth[FARE_DIM_MAX] = {1024, 128, 32};

static PetscErrorCode create_truth(fare_run *s)
{
  const fare_plan   *plan    = s->plan;
  fare_truth_options options = plan->truth;
  PetscBool          oracles = PETSC_FALSE;
  PetscErrorCode     code;
  fare_box           box;

  PetscFunctionBegin;
  for (size_t i = 0; i < plan->ensembles; i++) oracles |= plan->ensemble[i].oracle;
  fare_doing("setting up the truth");
  PetscCall(fare_truth_fit_domain(
    fare_plan_truth_comm(s->comm, plan, &options), plan->system, &plan->initial, &plan->snapshots, &options));
  PetscCall(fare_truth_fit(
    fare_plan_truth_comm(s->comm, plan, &options), plan->system, &plan->initial, &plan->snapshots, &options));
  box = fare_truth_box(plan->system, &options);
  if (fare_truth_scheme(plan->system, &box, &options, plan->snapshots.start) == FARE_SCHEME_HIGH_ORDER)
    fare_log("truth: explicit transport of high order (truth.scheme)");
  code = fare_truth_create(fare_plan_truth_comm(s->comm, plan, &options), plan->system, &plan->initial,
    plan->snapshots.start, &options, &s->truth);
  if (!code && oracles)
    code = fare_densities_create(fare_plan_truth_comm(s->comm, plan, &options), plan->system, &plan->initial,
      &plan->snapshots, &options, &s->exact);
  if (options.accuracy > 0) free(options.cells.values);
  if (options.fit_domain) free(options.lower.values);
  if (options.fit_domain) free(options.upper.values);
  PetscFunctionReturn(code);
}

/* A truth that is not one grid: particles know no box, and nothing is binned. */
static PetscErrorCode create_joint(fare_run *s)
{
  const fare_plan *plan = s->plan;

  PetscFunctionBegin;
  fare_doing("setting up the truth");
  PetscCall(fare_joint_create(s->comm, plan->joint, plan->joint_options, plan->system, &plan->initial,
    plan->snapshots.start, &s->joint));
  PetscFunctionReturn(0);
}

static PetscErrorCode create_grid(fare_run *s)
{
  const fare_system_type *type = fare_system_type_of(s->plan->system);
  const int               dim  = fare_system_dimension(s->plan->system);
  PetscInt                cells[FARE_DIM_MAX];
  fare_boundary           end[FARE_DIM_MAX];

  PetscFunctionBegin;
  if (s->plan->has_truth) {
    PetscCall(create_truth(s));
  } else if (s->plan->joint || dim > FARE_DIM_MAX) {
    s->initial = s->plan->initial;
    if (s->plan->joint) PetscCall(create_joint(s));
    PetscFunctionReturn(0);
  } else {
    for (int axis = 0; axis < dim; axis++) {
      cells[axis] = cells_without_truth[dim - 1];
      end[axis]   = type->periodic[axis] ? FARE_BOUNDARY_PERIODIC : FARE_BOUNDARY_REFLECTING;
    }
    PetscCall(fare_grid_create(s->comm, dim, cells, type->lower, type->upper, end, &s->own_grid));
    fare_grid_name_axes(s->own_grid, s->plan->system);
  }
  s->box         = fare_grid_box(fare_run_grid(s));
  s->initial     = s->plan->initial;
  s->initial.box = &s->box;
  if (s->truth) {
    s->walls           = fare_grid_walls(fare_run_grid(s), s->plan->system);
    s->initial.bounded = PETSC_TRUE;
  }
  PetscCall(fare_binning_create(fare_run_grid(s), &s->binning));
  PetscFunctionReturn(0);
}

/* What particles cannot see as it is: they know the drive at the ends of their steps alone. */
static void warn_of_pulses(const fare_plan *plan, const fare_plan_ensemble *e)
{
  const double  pulse = fare_system_shortest_pulse(plan->system, plan->snapshots.start, plan->snapshots.end);
  const double *step  = fare_fields_find(e->type->fields, e->options, "dt", FARE_REAL);
  const double  dt    = step ? *step : fare_training_is_simulated(e) ? e->training.dt : 0;

  if (dt > pulse * (1 + 1e-9))
    fare_warn("ensemble %s: the drive has a pulse of %.3g, shorter than a step (dt: %.3g): the truth "
              "resolves it, the particles do not",
      e->name, pulse, dt);
}

/* What is compared with on a condition, at all snapshots. */
static PetscErrorCode solve_condition(fare_run *s)
{
  const fare_schedule *schedule = &s->plan->snapshots;
  double              *times, *share, error, largest = 0;
  PetscErrorCode       code;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(schedule->count, &times, schedule->count, &share));
  PetscCall(PetscCalloc2(schedule->count, &s->reactive, schedule->count, &s->reactive_error));
  for (PetscInt64 k = 0; k < schedule->count; k++) times[k] = fare_schedule_time(schedule, k);
  code = fare_rare_reactive_density(s->plan->rare, s->plan->condition, fare_run_grid(s), (int)schedule->count,
    times, s->reactive, s->reactive_error, share);
  for (PetscInt64 k = 0; k < schedule->count && !code; k++) {
    PetscCall(fare_norm_1(s->reactive_error[k], &error));
    largest = PetscMax(largest, error);
  }
  if (!code)
    fare_log("compared with paths on their way to the event of %s: %.1f%% of them at time %g, %.1f%% at %g; "
             "estimated L1 error %.1e",
      s->plan->condition, 100 * share[0], times[0], 100 * share[schedule->count - 1],
      times[schedule->count - 1], largest);
  PetscCall(PetscFree2(times, share));
  PetscFunctionReturn(code);
}

static PetscErrorCode create(fare_run *s)
{
  const fare_plan *plan = s->plan;

  PetscFunctionBegin;
  PetscCall(create_grid(s));
  if (plan->condition) PetscCall(solve_condition(s));
  PetscCall(fare_results_create(plan, s->binning, fare_run_grid(s), &s->results));
  if (plan->has_thermodynamics)
    PetscCall(fare_thermo_create(s->truth, plan->system, &plan->thermodynamics, &s->thermo));
  s->results.thermo = s->thermo;
  PetscCall(PetscCalloc4(plan->ensembles, &s->sampler, plan->ensembles, &s->ensemble, plan->ensembles,
    &s->ready, plan->ensembles, &s->made));
  for (size_t i = 0; i < plan->ensembles; i++) {
    const fare_plan_ensemble *e = &plan->ensemble[i];

    warn_of_pulses(plan, e);
    PetscCall(fare_plan_sampler(s->comm, plan, e, &s->initial, &s->sampler[i]));
    PetscCall(fare_sampler_set_mode(s->sampler[i], fare_plan_ensemble_mode(e), e->oracle ? s->exact : NULL));
    PetscCall(fare_sampler_set_prior(s->sampler[i], e->prior));
    PetscCall(fare_sampler_set_walls(s->sampler[i], &s->walls));
    fare_sampler_set_joint(s->sampler[i], s->joint);
    PetscCall(
      fare_ensemble_create(s->comm, fare_system_dimension(plan->system), e->particles, &s->ensemble[i]));
    s->ready[i] = e->type->train ? PETSC_FALSE : PETSC_TRUE;
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode destroy(fare_run *s)
{
  PetscFunctionBegin;
  PetscCall(fare_store_close(&s->from));
  for (size_t i = 0; i < s->plan->ensembles; i++) {
    if (s->sampler) PetscCall(fare_sampler_destroy(&s->sampler[i]));
    if (s->ensemble) PetscCall(fare_ensemble_destroy(&s->ensemble[i]));
  }
  PetscCall(PetscFree4(s->sampler, s->ensemble, s->ready, s->made));
  PetscCall(fare_results_free(&s->results));
  for (PetscInt64 k = 0; k < s->plan->snapshots.count && s->reactive; k++) {
    PetscCall(VecDestroy(&s->reactive[k]));
    PetscCall(VecDestroy(&s->reactive_error[k]));
  }
  PetscCall(PetscFree2(s->reactive, s->reactive_error));
  PetscCall(fare_binning_destroy(&s->binning));
  PetscCall(fare_densities_destroy(&s->exact));
  PetscCall(fare_thermo_destroy(&s->thermo));
  PetscCall(fare_truth_destroy(&s->truth));
  PetscCall(fare_joint_destroy(&s->joint));
  PetscCall(fare_grid_destroy(&s->own_grid));
  PetscCall(fare_record_destroy(&s->record));
  PetscFunctionReturn(0);
}

/* Snapshots that there are can be measured again if they hold every bit of every particle. */
static PetscErrorCode check_measurable(const fare_run *s)
{
  const fare_record_options *kept = &s->plan->record;

  PetscFunctionBegin;
  for (size_t i = 0; i < s->plan->ensembles; i++) {
    if (kept->precision == FARE_RECORD_DOUBLE &&
      fare_record_kept(kept, s->plan->ensemble[i].particles) == s->plan->ensemble[i].particles)
      continue;
    FARE_FAIL(FARE_ERR_INPUT,
      "--resume: the measures have changed, but the snapshots in %s hold only part of their particles, or "
      "rounded ones (record)",
      s->plan->directory);
  }
  PetscFunctionReturn(0);
}

/* What study.h5 says of the files of snapshots; nothing where it is an earlier version's. */
static PetscErrorCode read_files(fare_run *s, const char *path)
{
  const uint64_t extent[2] = {(uint64_t)s->plan->snapshots.count, 2};
  PetscErrorCode code      = 0;
  fare_store    *store;
  PetscBool      has;

  PetscFunctionBegin;
  PetscCall(fare_store_open(s->comm, path, &store));
  PetscCall(fare_store_has(store, "/files", &has));
  if (has) code = fare_store_read_array(store, "/files", FARE_STORE_UINT64, 2, extent, s->results.file);
  PetscCall(fare_store_close(&store));
  PetscFunctionReturn(code);
}

/*
  Whether nothing is left to do: the results are this plan's, and all snapshots are there as they were
  written. Results of another plan are refused.
*/
static PetscErrorCode is_finished(fare_run *s, PetscBool *finished)
{
  char           why[1024], path[PETSC_MAX_PATH_LEN + 16];
  int            state = FARE_STUDY_UNFINISHED;
  PetscInt64     bad;
  PetscErrorCode code = 0;

  PetscFunctionBegin;
  *finished = PETSC_FALSE;
  if (fare_is_rank_0(s->comm)) state = fare_study_look(s->plan, sizeof why, why);
  if (state == FARE_STUDY_OTHER) code = fare_error(FARE_ERR_INPUT, "--resume: %s", why);
  PetscCall(fare_error_agree(s->comm, code));
  PetscCallMPI(MPI_Bcast(&state, 1, MPI_INT, 0, s->comm));
  if (state != FARE_STUDY_DONE) PetscFunctionReturn(0);
  snprintf(path, sizeof path, "%s/study.h5", s->plan->directory);
  PetscCall(read_files(s, path));
  PetscCall(fare_run_check_snapshots(s, s->plan->snapshots.count, &bad));
  *finished = bad == s->plan->snapshots.count ? PETSC_TRUE : PETSC_FALSE;
  PetscFunctionReturn(0);
}

/* Between runs of estimators, when all snapshots are there. */
static PetscErrorCode pause_behind(void *to)
{
  fare_run *s = to;

  PetscFunctionBegin;
  PetscCall(fare_run_checkpoint(s, s->plan->snapshots.count));
  PetscFunctionReturn(0);
}

/* When all snapshots are there: a part that is begun anew after a stop, which some ranks may not have seen.
 */
static PetscErrorCode begin_anew_after(fare_run *s, PetscErrorCode code)
{
  PetscFunctionBegin;
  code = fare_error_agree(s->comm, code);
  if (code == FARE_ERR_STOPPED) PetscCall(fare_run_checkpoint(s, s->plan->snapshots.count));
  PetscFunctionReturn(code);
}

/* Inferences run before training where a prior assumes what they find; then `done`. */
static PetscErrorCode assume_inferred(fare_run *s, PetscBool *done)
{
  PetscFunctionBegin;
  *done = PETSC_FALSE;
  for (size_t i = 0; i < s->plan->ensembles; i++) {
    const fare_prior *prior = s->plan->ensemble[i].prior;
    fare_text         found = {0};
    PetscErrorCode    code;

    if (!prior || !prior->infer) continue;
    if (!*done) PetscCall(fare_infer_run(s->plan->infer, s->comm, &s->results.infer));
    *done = PETSC_TRUE;
    code  = fare_infer_assume(&s->results.infer, prior->infer, prior->assumed, &found);
    if (!code) code = fare_system_check(prior->assumed, s->plan->snapshots.start, s->plan->snapshots.end);
    if (code)
      code = fare_error(FARE_ERR_FAILED, "prior of %s: %s", s->plan->ensemble[i].name, fare_error_message());
    if (!code) fare_log("prior of %s: assumes what was inferred, %s", s->plan->ensemble[i].name, found.text);
    fare_text_free(&found);
    PetscCall(code);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode run(fare_run *s)
{
  const PetscInt64 count    = s->plan->snapshots.count;
  const double     began    = fare_seconds();
  PetscInt64       next     = 0;
  PetscBool        measured = PETSC_TRUE, finished = PETSC_FALSE, has_truth = PETSC_TRUE, inferred;
  fare_progress    progress;

  PetscFunctionBegin;
  PetscCall(create(s));
  if (s->options->mode == FARE_RECORD_RESUME) PetscCall(is_finished(s, &finished));
  if (finished) {
    fare_log("nothing to do: the study in %s is finished", s->plan->directory);
    PetscFunctionReturn(0);
  }
  if (s->options->mode == FARE_RECORD_RESUME) PetscCall(fare_checkpoint_open(s, &next, &measured));
  if (!measured) PetscCall(check_measurable(s));
  if (measured) PetscCall(fare_checkpoint_get_truth(s, next, &has_truth));
  if (next == 0) s->safe = 0;
  PetscCall(assume_inferred(s, &inferred));
  PetscCall(fare_run_train(s));
  s->safe = next;
  fare_progress_begin(&progress, "snapshots", (double)count);
  for (PetscInt64 k = 0; k < count; k++) {
    char note[64];

    if (k >= next)
      PetscCall(fare_run_snapshot(s, k));
    else if (!measured || !has_truth)
      PetscCall(fare_run_replay(s, k, measured));
    snprintf(note, sizeof note, "%lld of %lld, time %g", (long long)k + 1, (long long)count,
      fare_schedule_time(&s->plan->snapshots, k));
    fare_progress_update(&progress, (double)k + 1, note);
    if (k >= next && k + 1 < count) PetscCall(fare_run_checkpoint(s, k + 1));
  }
  fare_progress_end(&progress);
  fare_log("of which %.1f s for writing snapshots and %.1f s for checkpoints", s->writing, s->checkpointing);
  for (size_t i = 0; i < s->plan->ensembles; i++) {
    PetscCall(fare_cost_gather(s->comm, &s->sampler[i]->cost, &s->results.cost[i]));
    PetscCall(PetscArraycpy(s->results.effort[i], s->sampler[i]->effort, 2));
  }
  s->results.keeper.comm  = s->comm;
  s->results.keeper.pause = pause_behind;
  s->results.keeper.to    = s;
  if (s->plan->analyses)
    PetscCall(begin_anew_after(s,
      fare_analyses_run(
        s->plan->analyses, s->plan->analysis, fare_run_grid(s), &s->results.keeper, &s->results.analysis)));
  if (s->plan->rare)
    PetscCall(fare_rare_run(
      s->plan->rare, s->comm, fare_run_grid(s), (uint64_t)s->plan->seed, pause_behind, s, &s->results.rare));
  if (s->plan->control) {
    fare_doing("the best drives");
    PetscCall(begin_anew_after(s, fare_control_run(s->plan->control, fare_run_grid(s), &s->results.control)));
  }
  if (!inferred) PetscCall(begin_anew_after(s, fare_infer_run(s->plan->infer, s->comm, &s->results.infer)));
  if (s->thermo)
    PetscCall(fare_thermo_finish(s->thermo, s->comm, s->plan->snapshots.start, s->plan->snapshots.end,
      (uint64_t)s->plan->seed, &s->results.work));
  s->results.seconds = fare_seconds() - began;
  PetscCall(fare_results_write(s->comm, &s->results, s->record));
  PetscCall(fare_run_try_checkpoint(s, count)); /* for more snapshots, or other measures, later */
  if (fare_is_rank_0(s->comm) && !s->options->quiet) {
    if (s->options->tables) fare_results_print_tables(&s->results, stdout);
    PetscCall(fare_results_print(&s->results, stdout));
  }
  PetscFunctionReturn(0);
}

/* A checkpoint of what there is before a failure, if there is anything and it can be had. */
static PetscErrorCode rescue(fare_run *s)
{
  PetscBool something = s->safe > 0 ? PETSC_TRUE : PETSC_FALSE;

  PetscFunctionBegin;
  for (size_t i = 0; s->safe == 0 && i < s->plan->ensembles; i++)
    something |= s->ready[i] && s->plan->ensemble[i].type->train;
  if (!something) PetscFunctionReturn(0);
  fare_doing("the final checkpoint");
  PetscCall(fare_run_try_checkpoint(s, s->safe));
  PetscFunctionReturn(0);
}

/* Why a study failed, and from where it can go on, kept for those who look at its directory later. */
static PetscErrorCode note_failure(fare_run *s, PetscErrorCode code, PetscBool alike)
{
  fare_text text = {0};
  char      why[FARE_REASON_SIZE];

  PetscFunctionBegin;
  if (code != FARE_ERR_FAILED) PetscFunctionReturn(code);
  snprintf(why, sizeof why, "%s", fare_error_message());
  if (alike) PetscCall(rescue(s));
  fare_text_add(&text, "%s%s%s\n", why, *fare_advice() ? "; " : "", fare_advice());
  (void)fare_record_text(s->record, "failure.txt", &text); /* the disk may be what has failed */
  code = fare_error(code, "%.*s", (int)text.length - 1, text.text);
  fare_text_free(&text);
  PetscFunctionReturn(code);
}

/*
  Frees what a run holds, whatever came of it, and keeps its message. After an error that only some ranks have
  nothing can be freed together.
*/
static PetscErrorCode end(fare_run *s, PetscErrorCode code, PetscBool alike)
{
  char why[FARE_REASON_SIZE];

  PetscFunctionBegin;
  fare_doing("%s", "");
  fare_advise("%s", "");
  if (!code) PetscFunctionReturn(destroy(s));
  snprintf(why, sizeof why, "%s", fare_error_message());
  if (alike && (code == FARE_ERR_FAILED || code == FARE_ERR_INPUT || code == FARE_ERR_STOPPED))
    (void)destroy(s);
  PetscFunctionReturn(fare_error(code, "%s", why));
}

PetscErrorCode fare_study_run(MPI_Comm comm, const fare_plan *plan, const fare_run_options *options)
{
  fare_run       s = {.comm = comm,
          .plan             = plan,
          .options          = options,
          .last_checkpoint  = fare_seconds(),
          .safe             = -1,
          .under_way        = -1};
  PetscBool      alike;
  PetscErrorCode code;
  int            ranks;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(comm, &ranks));
  PetscCall(fare_plan_check_memory(comm, plan)); /* before anything is written */
  PetscCall(fare_record_create(comm, plan->directory, options->mode, &s.record));
  fare_record_set(s.record, &plan->record);
  fare_log("FARE %s: study %s on %d rank%s with %s, results in %s", fare_version(), plan->study, ranks,
    ranks > 1 ? "s" : "", fare_random_instructions(), plan->directory);
  if (fare_is_rank_0(comm)) (void)unlink(fare_record_path(s.record, "failure.txt")); /* an earlier run's */
  code = fare_error_settle(run(&s), &alike);
  if (code) code = note_failure(&s, code, alike);
  PetscFunctionReturn(end(&s, code, alike));
}
