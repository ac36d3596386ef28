/* The loop: truth and ensembles from snapshot to snapshot, written and measured at the same instants. */
#include "study.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Bins of a study without a truth: for pictures only. */
static const PetscInt cells_without_truth[FARE_DIM_MAX] = {1024, 128, 32};

#define CELLS_ALONE   65536
#define BOUNDARY_MASS 1e-9 /* in the outermost cells; more is worth a warning */

/* The truth of one snapshot on bins: as it is, and with its estimated error added. */
typedef struct {
  fare_binned p, corrected;
} truth_bins;

static const fare_grid *grid_of(const fare_run *s)
{
  return s->truth ? fare_truth_grid(s->truth) : s->own_grid;
}

/*
  A grid of one axis is solved faster by one rank than by several, so every rank solves it for itself: nobody waits for a message, and the truth has the
  same bits on any number of ranks.
*/
static MPI_Comm truth_comm(const fare_run *s, const fare_truth_options *options)
{
  const PetscBool small = !options->cells.count || options->cells.values[0] <= CELLS_ALONE ? PETSC_TRUE : PETSC_FALSE;

  return fare_system_dimension(s->plan->system) == 1 && small ? PETSC_COMM_SELF : s->comm;
}

static PetscErrorCode create_truth(fare_run *s)
{
  const fare_plan   *plan    = s->plan;
  fare_truth_options options = plan->truth;
  PetscBool          oracles = PETSC_FALSE;
  PetscErrorCode     code;

  PetscFunctionBeginUser;
  for (size_t i = 0; i < plan->ensembles; i++) oracles |= plan->ensemble[i].oracle;
  fare_doing("the truth at its beginning");
  PetscCall(fare_truth_fit_domain(truth_comm(s, &options), plan->system, &plan->initial, &plan->snapshots, &options));
  PetscCall(fare_truth_fit(truth_comm(s, &options), plan->system, &plan->initial, &plan->snapshots, &options));
  code = fare_truth_create(truth_comm(s, &options), plan->system, &plan->initial, plan->snapshots.start, &options, &s->truth);
  if (!code && oracles) code = fare_densities_create(truth_comm(s, &options), plan->system, &plan->initial, &plan->snapshots, &options, &s->exact);
  if (options.accuracy > 0) free(options.cells.values);
  if (options.fit_domain) free(options.lower.values);
  if (options.fit_domain) free(options.upper.values);
  PetscFunctionReturn(code);
}

static PetscErrorCode create_grid(fare_run *s)
{
  const fare_system_type *type = fare_system_type_of(s->plan->system);
  const int               dim  = fare_system_dimension(s->plan->system);
  PetscInt                cells[FARE_DIM_MAX];
  fare_end                end[FARE_DIM_MAX];

  PetscFunctionBeginUser;
  if (s->plan->has_truth) {
    PetscCall(create_truth(s));
  } else {
    for (int axis = 0; axis < dim; axis++) {
      cells[axis] = cells_without_truth[dim - 1];
      end[axis]   = type->periodic[axis] ? FARE_END_PERIODIC : FARE_END_REFLECTING;
    }
    PetscCall(fare_grid_create(s->comm, dim, cells, type->lower, type->upper, end, &s->own_grid));
  }
  PetscCall(fare_binning_create(grid_of(s), &s->binning));
  PetscFunctionReturn(0);
}

static PetscErrorCode create(fare_run *s)
{
  const fare_plan *plan = s->plan;

  PetscFunctionBeginUser;
  PetscCall(create_grid(s));
  PetscCall(fare_results_create(plan, s->binning, grid_of(s), &s->results));
  if (plan->has_thermodynamics) PetscCall(fare_thermo_create(s->truth, plan->system, &plan->thermodynamics, &s->thermo));
  s->results.thermo = s->thermo;
  s->sampler  = calloc(plan->ensembles + 1, sizeof *s->sampler);
  s->ensemble = calloc(plan->ensembles + 1, sizeof *s->ensemble);
  s->ready    = calloc(plan->ensembles + 1, sizeof *s->ready);
  if (!s->sampler || !s->ensemble || !s->ready) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  for (size_t i = 0; i < plan->ensembles; i++) {
    const fare_plan_ensemble *e = &plan->ensemble[i];

    PetscCall(fare_sampler_create(s->comm, e->type, e->name, e->node, fare_ensemble_fields, (uint64_t)plan->seed, plan->system, &plan->initial, &plan->snapshots, &s->sampler[i]));
    PetscCall(fare_sampler_set_mode(s->sampler[i], fare_plan_ensemble_mode(e), e->oracle ? s->exact : NULL));
    PetscCall(fare_ensemble_create(s->comm, fare_system_dimension(plan->system), e->particles, &s->ensemble[i]));
    s->ready[i] = e->type->train ? PETSC_FALSE : PETSC_TRUE;
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode destroy(fare_run *s)
{
  PetscFunctionBeginUser;
  PetscCall(fare_store_close(&s->from));
  for (size_t i = 0; i < s->plan->ensembles; i++) {
    if (s->sampler) PetscCall(fare_sampler_destroy(&s->sampler[i]));
    if (s->ensemble) PetscCall(fare_ensemble_destroy(&s->ensemble[i]));
  }
  free(s->sampler);
  free(s->ensemble);
  free(s->ready);
  PetscCall(fare_results_free(&s->results));
  PetscCall(fare_binning_destroy(&s->binning));
  PetscCall(fare_densities_destroy(&s->exact));
  PetscCall(fare_thermo_destroy(&s->thermo));
  PetscCall(fare_truth_destroy(&s->truth));
  PetscCall(fare_grid_destroy(&s->own_grid));
  PetscCall(fare_record_destroy(&s->record));
  PetscFunctionReturn(0);
}

/* A method that fails numerically ends, says why in its row, and leaves the rest of the study alone. `when` is for a message that does not say whose it is. */
static PetscErrorCode end_ensemble(fare_run *s, size_t i, const char *when, PetscErrorCode code)
{
  const fare_plan_ensemble *e = &s->plan->ensemble[i];
  char                      own[FARE_LABEL_SIZE + 64], why[FARE_REASON_SIZE];

  PetscFunctionBeginUser;
  if (code) code = fare_error_settle(code, NULL); /* ranks that have none are not here: the study cannot go on where they are any */
  if (code != FARE_ERR_FAILED) PetscFunctionReturn(code);
  snprintf(own, sizeof own, "ensemble %s (%s)", e->name, e->type->name);
  if (strncmp(fare_error_message(), own, strlen(own))) snprintf(why, sizeof why, "%s%s: %.1500s", own, when, fare_error_message());
  else snprintf(why, sizeof why, "%s", fare_error_message());
  s->results.failure[i] = strdup(why);
  fare_warn("%s; the study goes on without it", s->results.failure[i]);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_cost_gather(MPI_Comm comm, const fare_cost *mine, fare_cost *all)
{
  double  seconds[2] = {mine->train_seconds, mine->sample_seconds};
  int64_t counts[2]  = {mine->force_evaluations, mine->network_evaluations};

  PetscFunctionBeginUser;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, seconds, 2, MPI_DOUBLE, MPI_MAX, comm));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, counts, 2, MPI_INT64_T, MPI_SUM, comm));
  *all = (fare_cost){seconds[0], seconds[1], counts[0], counts[1]};
  PetscFunctionReturn(0);
}

/* A study that cannot leave a checkpoint, because the disk is full for instance, may still end well. */
static PetscErrorCode try_checkpoint(fare_run *s, PetscInt64 next)
{
  const PetscErrorCode code = fare_checkpoint_write(s, next);

  PetscFunctionBeginUser;
  if (code != FARE_ERR_FAILED) PetscFunctionReturn(code);
  fare_warn("no checkpoint: %s", fare_error_message());
  s->last_checkpoint = fare_seconds();
  PetscFunctionReturn(0);
}

/* Whether to stop, and whether a checkpoint is due: alike on all ranks. Collective. */
static PetscErrorCode what_is_due(const fare_run *s, int due[2])
{
  PetscFunctionBeginUser;
  due[0] = fare_stop_asked();
  due[1] = fare_seconds() - s->last_checkpoint >= s->options->checkpoint_seconds;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, due, 2, MPI_INT, MPI_MAX, s->comm));
  PetscFunctionReturn(0);
}

/* Writes a checkpoint where one is due, and ends the run with it where that was asked for. Ranks agree on both. */
static PetscErrorCode checkpoint(fare_run *s, PetscInt64 next)
{
  int due[2];

  PetscFunctionBeginUser;
  PetscCall(what_is_due(s, due));
  if (due[0]) {
    PetscCall(fare_checkpoint_write(s, next));
    FARE_FAIL(FARE_ERR_STOPPED, "stopped on request with %lld of %lld snapshots made; --resume goes on in %s", (long long)next, (long long)s->plan->snapshots.count, s->plan->directory);
  }
  if (due[1]) PetscCall(try_checkpoint(s, next));
  PetscFunctionReturn(0);
}

/* An oracle learns nothing, but is told which times it would have learned from. */
static PetscErrorCode train_oracle(fare_run *s, size_t i)
{
  const fare_schedule *schedule = &s->plan->snapshots;
  fare_training_set    times    = {0};
  double              *at       = malloc((size_t)schedule->count * sizeof *at);

  PetscFunctionBeginUser;
  if (!at) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  for (PetscInt64 k = 0; k < schedule->count; k++) {
    if (fare_training_includes(&s->plan->ensemble[i].training, k)) at[times.count++] = fare_schedule_time(schedule, k);
  }
  times.times = at;
  PetscCall(end_ensemble(s, i, "", fare_sampler_train(s->sampler[i], &times)));
  free(at);
  PetscFunctionReturn(0);
}

/* Between two steps of a training, ranks as one: a checkpoint where one is due, and the end where that was asked for. */
static PetscErrorCode pause_training(void *context, int64_t step, PetscBool *stop)
{
  fare_run *s = context;
  int       due[2];

  PetscFunctionBeginUser;
  (void)step;
  PetscCall(what_is_due(s, due));
  if (due[0]) PetscCall(fare_checkpoint_write(s, 0));
  else if (due[1]) PetscCall(try_checkpoint(s, 0));
  *stop = due[0] ? PETSC_TRUE : PETSC_FALSE;
  PetscFunctionReturn(0);
}

static PetscErrorCode train_method(fare_run *s, size_t i, const fare_training_set *data)
{
  PetscErrorCode code;

  PetscFunctionBeginUser;
  s->sampler[i]->session.context = s;
  s->sampler[i]->session.pause   = pause_training;
  fare_doing("ensemble %s (%s) while it is trained", s->plan->ensemble[i].name, s->plan->ensemble[i].type->name);
  code                           = fare_sampler_train(s->sampler[i], data);
  if (code == FARE_ERR_STOPPED) FARE_FAIL(code, "stopped on request while %s was being trained; --resume goes on in %s", s->plan->ensemble[i].name, s->plan->directory);
  PetscCall(end_ensemble(s, i, ", while it was trained", code));
  PetscFunctionReturn(0);
}

/* Ensembles that learn from the same particles share the set. */
typedef struct {
  fare_training_set            data;
  const fare_training_options *of; /* NULL: none yet */
  int64_t                      forces;
} shared_set;

static PetscErrorCode train_one(fare_run *s, size_t i, shared_set *set)
{
  const fare_plan_ensemble *e    = &s->plan->ensemble[i];
  PetscErrorCode            code = 0;

  PetscFunctionBeginUser;
  if (e->oracle) {
    PetscCall(train_oracle(s, i));
    PetscFunctionReturn(0);
  }
  if (!set->of || memcmp(&e->training, set->of, sizeof e->training)) {
    PetscCall(fare_training_free(&set->data));
    fare_doing("the particles that ensemble %s learns from", e->name);
    code    = fare_training_simulate(s->comm, s->plan, e, &set->data, &set->forces);
    set->of = code ? NULL : &e->training;
  }
  if (code) {
    PetscCall(end_ensemble(s, i, ", what it learns from", code));
    PetscFunctionReturn(0);
  }
  s->sampler[i]->cost.force_evaluations += set->forces;
  PetscCall(fare_checkpoint_load_training(s, i)); /* cost, too, in which those forces are counted */
  PetscCall(train_method(s, i, &set->data));
  PetscFunctionReturn(0);
}

/* What a checkpoint has learned is not learned again; what oracles and empirical optima look up is made again, for it is no part of one. */
static PetscErrorCode train_all(fare_run *s, shared_set *set)
{
  PetscFunctionBeginUser;
  for (size_t i = 0; i < s->plan->ensembles; i++) {
    const fare_plan_ensemble *e = &s->plan->ensemble[i];
    PetscBool                 has;

    PetscCall(fare_checkpoint_has(s, i, &has));
    if (e->type->train && (!has || fare_plan_ensemble_mode(e) != FARE_LEARNED)) PetscCall(train_one(s, i, set));
    if (has) PetscCall(fare_checkpoint_load(s, i));
    s->ready[i] = PETSC_TRUE;
    if (e->type->curve) s->results.curve[i] = e->type->curve(s->sampler[i]);
    if (e->type->train && !has) PetscCall(checkpoint(s, 0));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode train(fare_run *s)
{
  shared_set     set  = {0};
  PetscErrorCode code = train_all(s, &set);

  PetscFunctionBeginUser;
  PetscCall(fare_training_free(&set.data));
  PetscCall(code);
  PetscCall(fare_store_close(&s->from));
  PetscFunctionReturn(0);
}

static PetscErrorCode bin_truth(fare_run *s, PetscInt64 k, truth_bins *bins)
{
  Vec corrected;

  PetscFunctionBeginUser;
  memset(bins, 0, sizeof *bins);
  if (!s->truth) PetscFunctionReturn(0);
  PetscCall(fare_binning_density(s->binning, fare_truth_masses(s->truth), &bins->p));
  PetscCall(VecDuplicate(fare_truth_masses(s->truth), &corrected));
  PetscCall(VecWAXPY(corrected, 1, fare_truth_masses(s->truth), fare_truth_error_field(s->truth)));
  PetscCall(fare_binning_density(s->binning, corrected, &bins->corrected));
  PetscCall(VecDestroy(&corrected));
  fare_results_keep(&s->results, "truth", k, s->binning, &bins->p);
  PetscFunctionReturn(0);
}

static PetscErrorCode compare(fare_run *s, size_t i, fare_comparison_kind kind, PetscInt64 k, const fare_binned *p, const fare_binned *corrected, const fare_binned *q)
{
  fare_compared *to = fare_results_comparison(&s->results, i, kind);
  char           name[FARE_LABEL_SIZE + 64];

  PetscFunctionBeginUser;
  snprintf(name, sizeof name, "floor/%s/%lld", to->label, (long long)k);
  PetscCall(fare_measure_compare(s->comm, s->binning, p, corrected, q, s->plan->measures, s->plan->measure, FARE_REPLICATES, fare_stream_make((uint64_t)s->plan->seed, name), to->measured + (size_t)k * s->plan->measures));
  PetscFunctionReturn(0);
}

/* What the method aims at, where that is known: how far it is from the truth, and whether the samples have got there. */
static PetscErrorCode compare_target(fare_run *s, size_t i, PetscInt64 k, double t, const truth_bins *truth, const fare_binned *samples)
{
  char        name[FARE_LABEL_SIZE];
  fare_binned target;
  Vec         masses;

  PetscFunctionBeginUser;
  PetscCall(s->sampler[i]->type->target(s->sampler[i], t, grid_of(s), &masses));
  PetscCall(fare_binning_density(s->binning, masses, &target));
  PetscCall(VecDestroy(&masses));
  snprintf(name, sizeof name, "%s_density", s->plan->ensemble[i].name);
  fare_results_keep(&s->results, name, k, s->binning, &target);
  PetscCall(compare(s, i, FARE_DENSITY_TRUTH, k, &truth->p, &truth->corrected, &target));
  PetscCall(compare(s, i, FARE_SAMPLES_TARGET, k, &target, NULL, samples));
  PetscCall(fare_binned_free(&target));
  PetscFunctionReturn(0);
}

static PetscErrorCode measure_ensemble(fare_run *s, size_t i, PetscInt64 k, double t, const truth_bins *truth, const fare_ensemble *ensemble)
{
  const fare_plan_ensemble *e = &s->plan->ensemble[i];
  fare_binned               samples;

  PetscFunctionBeginUser;
  PetscCall(fare_binning_ensemble(s->binning, ensemble, &samples));
  fare_results_keep(&s->results, e->name, k, s->binning, &samples);
  if (s->truth) {
    PetscCall(compare(s, i, FARE_SAMPLES_TRUTH, k, &truth->p, &truth->corrected, &samples));
    if (fare_sampler_type_aims(e->type, fare_plan_ensemble_mode(e))) PetscCall(compare_target(s, i, k, t, truth, &samples));
  }
  PetscCall(fare_binned_free(&samples));
  PetscFunctionReturn(0);
}

/* The work that is followed needs the truth at more times than those of snapshots. */
static PetscErrorCode advance_truth(fare_run *s, PetscInt64 k)
{
  const double t = fare_schedule_time(&s->plan->snapshots, k);

  PetscFunctionBeginUser;
  fare_doing("the truth on its way to time %g", t);
  s->truth_lost = PETSC_TRUE;
  if (s->thermo) PetscCall(fare_thermo_advance(s->thermo, t));
  else if (s->truth) PetscCall(fare_truth_advance(s->truth, t));
  s->truth_lost = PETSC_FALSE;
  PetscFunctionReturn(0);
}

static PetscErrorCode record_currents(fare_run *s)
{
  PetscFunctionBeginUser;
  for (int axis = 0; axis < fare_system_dimension(s->plan->system); axis++) {
    char name[64];
    Vec  current;

    snprintf(name, sizeof name, "current_%s", fare_system_axis_name(s->plan->system, axis));
    PetscCall(fare_thermo_current(s->thermo, axis, &current));
    PetscCall(fare_record_mesh(s->record, name, "probability current at centres of cells", grid_of(s), current));
    PetscCall(VecDestroy(&current));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode record_truth(fare_run *s, PetscInt64 k)
{
  const fare_truth_status *status = fare_truth_get_status(s->truth);

  PetscFunctionBeginUser;
  s->results.truth[k] = *status;
  if (status->boundary_mass > BOUNDARY_MASS && !s->warned) {
    fare_warn("the box is small: a mass of %.1e lies in the outermost cells at time %g; set truth.lower and truth.upper wider, or truth.fit_domain, unless the ends are meant", status->boundary_mass, status->time);
    s->warned = PETSC_TRUE;
  }
  PetscCall(fare_record_mesh(s->record, "density", "probability density, averaged over each cell", grid_of(s), fare_truth_masses(s->truth)));
  PetscCall(fare_record_mesh(s->record, "density_error", "estimated (exact - density), averaged over each cell", grid_of(s), fare_truth_error_field(s->truth)));
  if (s->plan->truth.extrapolate) {
    Vec better;

    PetscCall(VecDuplicate(fare_truth_masses(s->truth), &better));
    PetscCall(VecWAXPY(better, 1, fare_truth_masses(s->truth), fare_truth_error_field(s->truth)));
    PetscCall(fare_record_mesh(s->record, "density_extrapolated", "density + density_error", grid_of(s), better));
    PetscCall(VecDestroy(&better));
  }
  if (s->thermo && s->plan->thermodynamics.currents) PetscCall(record_currents(s));
  PetscCall(fare_record_number(s->record, "truth", "error", status->error));
  PetscCall(fare_record_number(s->record, "truth", "error_space", status->error_space));
  PetscCall(fare_record_number(s->record, "truth", "error_time", status->error_time));
  PetscCall(fare_record_number(s->record, "truth", "time_bound", status->time_bound));
  PetscCall(fare_record_number(s->record, "truth", "mass_drift", status->mass_drift));
  PetscCall(fare_record_number(s->record, "truth", "minimum", status->minimum));
  PetscFunctionReturn(0);
}

/* All particles on the grid of the truth, beside its density: what is left of them where a part alone is written. */
static PetscErrorCode record_deposit(fare_run *s, size_t i)
{
  char   name[FARE_LABEL_SIZE];
  double outside;
  Vec    masses;

  PetscFunctionBeginUser;
  snprintf(name, sizeof name, "%s_density", s->plan->ensemble[i].name);
  PetscCall(fare_deposit(grid_of(s), s->ensemble[i], &masses, &outside));
  PetscCall(fare_record_mesh(s->record, name, "particles of the ensemble by cells", grid_of(s), masses));
  PetscCall(fare_record_number(s->record, name, "outside", outside));
  PetscCall(VecDestroy(&masses));
  PetscFunctionReturn(0);
}

static PetscErrorCode write_snapshot(fare_run *s, PetscInt64 k)
{
  const fare_schedule *schedule = &s->plan->snapshots;
  const double         began    = fare_seconds();

  PetscFunctionBeginUser;
  PetscCall(fare_record_begin(s->record, k, fare_schedule_time(schedule, k), (schedule->end - schedule->start) / (double)(schedule->count - 1)));
  if (s->truth) PetscCall(record_truth(s, k));
  for (size_t i = 0; i < s->plan->ensembles; i++) {
    if (s->results.failure[i]) continue;
    PetscCall(fare_record_species(s->record, s->plan->ensemble[i].name, s->ensemble[i]));
    if (s->plan->record.densities) PetscCall(record_deposit(s, i));
  }
  PetscCall(fare_record_end(s->record));
  s->writing += fare_seconds() - began;
  PetscFunctionReturn(0);
}

static PetscErrorCode snapshot(fare_run *s, PetscInt64 k)
{
  const double t = fare_schedule_time(&s->plan->snapshots, k);
  truth_bins   bins;
  char         when[64];

  PetscFunctionBeginUser;
  PetscCall(advance_truth(s, k));
  s->safe = -1;
  snprintf(when, sizeof when, " on its way to time %g", t);
  for (size_t i = 0; i < s->plan->ensembles; i++) {
    if (s->results.failure[i]) continue;
    fare_doing("ensemble %s (%s)%s", s->plan->ensemble[i].name, s->plan->ensemble[i].type->name, when);
    PetscCall(end_ensemble(s, i, when, fare_sampler_advance(s->sampler[i], t, s->ensemble[i])));
  }
  fare_doing("snapshot %lld at time %g", (long long)k, t);
  PetscCall(write_snapshot(s, k));
  PetscCall(bin_truth(s, k, &bins));
  for (size_t i = 0; i < s->plan->ensembles; i++) {
    if (!s->results.failure[i]) PetscCall(measure_ensemble(s, i, k, t, &bins, s->ensemble[i]));
  }
  PetscCall(fare_binned_free(&bins.p));
  PetscCall(fare_binned_free(&bins.corrected));
  s->safe = k + 1;
  PetscFunctionReturn(0);
}

/* A snapshot that is there already: the truth is evolved through it again, and what is in its file is measured where other measures are asked for. */
static PetscErrorCode replay(fare_run *s, PetscInt64 k, PetscBool measured)
{
  truth_bins bins;

  PetscFunctionBeginUser;
  if (!s->truth) PetscFunctionReturn(0);
  PetscCall(advance_truth(s, k));
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
  PetscCall(fare_binned_free(&bins.p));
  PetscCall(fare_binned_free(&bins.corrected));
  PetscFunctionReturn(0);
}

/* Snapshots that there are can be measured again if they hold every bit of every particle. */
static PetscErrorCode check_measurable(const fare_run *s)
{
  const fare_record_options *kept = &s->plan->record;

  PetscFunctionBeginUser;
  for (size_t i = 0; i < s->plan->ensembles; i++) {
    if (kept->precision == FARE_RECORD_DOUBLE && fare_record_kept(kept, s->plan->ensemble[i].particles) == s->plan->ensemble[i].particles) continue;
    FARE_FAIL(FARE_ERR_INPUT, "--resume: other measures are asked for, but the snapshots in %s keep only a part of their particles, or round them (record)", s->plan->directory);
  }
  PetscFunctionReturn(0);
}

/* Whether the results are there, too; rank 0 looks. */
static PetscErrorCode is_finished(fare_run *s, PetscBool *finished)
{
  int found;

  PetscFunctionBeginUser;
  found = !access(fare_record_path(s->record, "study.h5"), R_OK);
  PetscCallMPI(MPI_Bcast(&found, 1, MPI_INT, 0, s->comm));
  *finished = found ? PETSC_TRUE : PETSC_FALSE;
  PetscFunctionReturn(0);
}

static PetscErrorCode run(fare_run *s)
{
  const PetscInt64 count = s->plan->snapshots.count;
  const double     began = fare_seconds();
  PetscInt64       next  = 0;
  PetscBool        measured = PETSC_TRUE, finished = PETSC_FALSE, has_truth = PETSC_TRUE;
  fare_progress    progress;
  int              rank;

  PetscFunctionBeginUser;
  PetscCallMPI(MPI_Comm_rank(s->comm, &rank));
  PetscCall(create(s));
  if (s->options->mode == FARE_RECORD_RESUME) PetscCall(fare_checkpoint_open(s, &next, &measured));
  if (!measured) PetscCall(check_measurable(s));
  if (next == count && measured) PetscCall(is_finished(s, &finished));
  if (finished) {
    fare_log("nothing is left to do: the study in %s is finished", s->plan->directory);
    PetscCall(fare_store_close(&s->from));
    PetscFunctionReturn(0);
  }
  if (measured) PetscCall(fare_checkpoint_get_truth(s, next, &has_truth));
  if (next == 0) s->safe = 0;
  PetscCall(train(s));
  s->safe = next;
  fare_progress_begin(&progress, "snapshots", (double)count);
  for (PetscInt64 k = 0; k < count; k++) {
    char note[64];

    if (k >= next) PetscCall(snapshot(s, k));
    else if (!measured || !has_truth) PetscCall(replay(s, k, measured));
    snprintf(note, sizeof note, "%lld of %lld, time %g", (long long)k + 1, (long long)count, fare_schedule_time(&s->plan->snapshots, k));
    fare_progress_update(&progress, (double)k + 1, note);
    if (k >= next && k + 1 < count) PetscCall(checkpoint(s, k + 1));
  }
  fare_progress_end(&progress);
  fare_log("of those seconds %.1f went into writing snapshots and %.1f into checkpoints", s->writing, s->checkpointing);
  for (size_t i = 0; i < s->plan->ensembles; i++) PetscCall(fare_cost_gather(s->comm, &s->sampler[i]->cost, &s->results.cost[i]));
  if (s->plan->analyses) PetscCall(fare_analyses_run(s->plan->analyses, s->plan->analysis, grid_of(s)));
  if (s->thermo) PetscCall(fare_thermo_finish(s->thermo, s->comm, s->plan->snapshots.start, s->plan->snapshots.end, (uint64_t)s->plan->seed, &s->results.work));
  s->results.seconds = fare_seconds() - began;
  PetscCall(fare_results_write(s->comm, &s->results, s->record));
  PetscCall(try_checkpoint(s, count)); /* for more snapshots, or other measures, later */
  if (rank == 0 && !s->options->quiet) PetscCall(fare_results_print(&s->results, stdout));
  PetscFunctionReturn(0);
}

/* A checkpoint of what there is before a failure, if there is anything and it can be had. */
static PetscErrorCode rescue(fare_run *s)
{
  PetscBool      something = s->safe > 0 ? PETSC_TRUE : PETSC_FALSE;
  PetscErrorCode code;

  PetscFunctionBeginUser;
  for (size_t i = 0; s->safe == 0 && i < s->plan->ensembles; i++) something |= s->ready[i] && s->plan->ensemble[i].type->train;
  if (!something) PetscFunctionReturn(0);
  fare_doing("a last checkpoint");
  code = try_checkpoint(s, s->safe);
  PetscFunctionReturn(code);
}

/* Why a study failed, and from where it can go on, kept for those who look at its directory later. */
static PetscErrorCode note_failure(fare_run *s, PetscErrorCode code, PetscBool alike)
{
  fare_text text = {0};
  char      why[FARE_REASON_SIZE];

  PetscFunctionBeginUser;
  if (code != FARE_ERR_FAILED) PetscFunctionReturn(code);
  snprintf(why, sizeof why, "%s", fare_error_message());
  if (alike) PetscCall(rescue(s));
  fare_text_add(&text, "%s%s%s\n", why, *fare_advice() ? "; " : "", fare_advice());
  (void)fare_record_text(s->record, "failure.txt", &text); /* the disk may be what has failed */
  code = fare_error(code, "%.*s", (int)text.length - 1, text.text);
  fare_text_free(&text);
  PetscFunctionReturn(code);
}

/* Frees what a run holds, whatever came of it, and keeps its message. After an error that only some ranks have nothing can be freed together. */
static PetscErrorCode end(fare_run *s, PetscErrorCode code, PetscBool alike)
{
  char why[FARE_REASON_SIZE];

  PetscFunctionBeginUser;
  fare_doing("%s", "");
  fare_advise("%s", "");
  if (!code) {
    PetscCall(destroy(s));
    PetscFunctionReturn(0);
  }
  snprintf(why, sizeof why, "%s", fare_error_message());
  if (alike && (code == FARE_ERR_FAILED || code == FARE_ERR_INPUT || code == FARE_ERR_STOPPED)) (void)destroy(s);
  PetscFunctionReturn(fare_error(code, "%s", why));
}

static PetscErrorCode forget_failure(fare_run *s)
{
  int rank;

  PetscFunctionBeginUser;
  PetscCallMPI(MPI_Comm_rank(s->comm, &rank));
  if (rank == 0) (void)unlink(fare_record_path(s->record, "failure.txt"));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_study_run(MPI_Comm comm, const fare_plan *plan, const fare_run_options *options)
{
  fare_run       s = {.comm = comm, .plan = plan, .options = options, .last_checkpoint = fare_seconds(), .safe = -1};
  PetscBool      alike;
  PetscErrorCode code;
  int            ranks;

  PetscFunctionBeginUser;
  PetscCallMPI(MPI_Comm_size(comm, &ranks));
  /* before anything is written */
  if (plan->has_truth) PetscCall(fare_truth_check_memory(truth_comm(&s, &plan->truth), plan->system, &plan->truth));
  PetscCall(fare_record_create(comm, plan->directory, options->mode, &s.record));
  PetscCall(fare_record_set(s.record, &plan->record));
  fare_log("FARE %s: study %s on %d rank%s with %s, results in %s", fare_version(), plan->study, ranks, ranks > 1 ? "s" : "", fare_random_instructions(), plan->directory);
  PetscCall(forget_failure(&s));
  code = fare_error_settle(run(&s), &alike);
  if (code) code = note_failure(&s, code, alike);
  PetscFunctionReturn(end(&s, code, alike));
}
