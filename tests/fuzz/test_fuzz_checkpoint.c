/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=unit,fuzz timeout=300 */
/*
  The reader of checkpoints behind its checksum, which would refuse nearly everything: the name of every input
  has the checksum of its bytes.
*/
#define FUZZ_LONGEST 131072
#define FUZZ_ROUNDS  1000
#include "hdf5_input.h"

#include "study/run/study.h"

#include <zlib.h>

enum { PARTS = FARE_TRUTH_PARTS_MAX, CELLS = 16 };

#define LEARNED                                                                                     \
  "{name: learned, sampler: diffusion, particles: 20, steps: 130, batch: 64, width: 4, layers: 1, " \
  "sampling_steps: 4, train: {particles: 100}}"
static const char text[] =
  "study: small\nseed: 3\nsystem: {name: prinz}\nsnapshots: {start: 0.0, end: 0.4, count: 3}\ntruth: {cells: "
  "[16], tolerance: 1.0e-4}\nmeasures: [kl]\n"
  "ensembles:\n  - {name: walk, sampler: langevin, particles: 20, dt: 1.0e-1}\n  - {name: still, sampler: "
  "boltzmann, particles: 20, sweeps: 1, adaptation: 0}\n  - " LEARNED "\n";
/* seven of eight times: a truth alone and one method are read in half the time */
static const char *const fewer[] = {"truth.estimate=false", "ensembles=[" LEARNED "]"};
static const char *const names[] = {"/plan", "/results", "/results/measured/walk", "/results/series/truth",
  "/truth", "/truth/status", "/truth/0/numbers", "/truth/0/vector_0", "/truth/1/vector_2", "/methods",
  "/methods/walk", "/methods/walk/particles/x0", "/methods/learned/state", "/methods/learned/training",
  "/methods/learned/training/weights", "/methods/learned/training/curve/step", "/methods/still/state",
  "/methods/learned/particles/weight"};
static fare_plan        *plan;
static fare_run_options  options = {
   .mode = FARE_RECORD_RESUME, .quiet = PETSC_TRUE, .checkpoint_seconds = 1e9, .grace_seconds = 1e9};
static fare_run run;
/* of a truth at the start */
static double fresh_vectors[PARTS][FARE_TRUTH_VECTORS][CELLS], fresh_numbers[PARTS][FARE_TRUTH_NUMBERS];

static void ok(PetscErrorCode code)
{
  must(!code, "what must succeed");
}

static size_t values_of(int part, int v, PetscScalar **values, Vec *vector)
{
  const fare_grid *grid;
  Vec              all[FARE_TRUTH_VECTORS];
  int              count;
  PetscInt         size = 0;

  fare_truth_part(run.truth, part, &grid, &count, all);
  if (v >= count) return 0;
  *vector = all[v];
  ok(VecGetLocalSize(*vector, &size));
  ok(VecGetArray(*vector, values));
  return (size_t)size;
}

/*
  To the truth as it was when it was created, or from it: a copy is a hundred times as fast as another truth.
*/
static void copy_truth(int back)
{
  for (int part = 0; part < fare_truth_parts(run.truth); part++) {
    PetscScalar *values;
    Vec          vector;
    size_t       size;

    for (int v = 0; (size = values_of(part, v, &values, &vector)) > 0; v++) {
      must(size <= CELLS, "no more cells than there is room for");
      if (back)
        memcpy(values, fresh_vectors[part][v], size * sizeof *values);
      else
        memcpy(fresh_vectors[part][v], values, size * sizeof *values);
      ok(VecRestoreArray(vector, &values));
    }
  }
  for (int part = 0; part < fare_truth_parts(run.truth); part++)
    ok(back ? fare_truth_load(run.truth, part, fresh_numbers[part])
            : fare_truth_save(run.truth, part, fresh_numbers[part]));
}

static PetscErrorCode end_run(void)
{
  PetscFunctionBeginUser;
  free(run.sampler);
  free(run.ensemble);
  free(run.ready);
  free(run.made);
  PetscCall(fare_results_free(&run.results));
  PetscCall(fare_binning_destroy(&run.binning));
  PetscCall(fare_truth_destroy(&run.truth));
  PetscCall(fare_record_destroy(&run.record));
  PetscCall(fare_plan_destroy(&plan));
  PetscFunctionReturn(0);
}

/* What a study has before it opens a checkpoint, but for its methods. */
static void make_run(void)
{
  run = (fare_run){.comm = PETSC_COMM_SELF, .plan = plan, .options = &options};
  ok(fare_record_create(run.comm, plan->directory, FARE_RECORD_RESUME, &run.record));
  ok(fare_truth_create(
    run.comm, plan->system, &plan->initial, plan->snapshots.start, &plan->truth, &run.truth));
  ok(fare_binning_create(fare_truth_grid(run.truth), &run.binning));
  ok(fare_results_create(plan, run.binning, fare_truth_grid(run.truth), &run.results));
  run.sampler  = calloc(plan->ensembles, sizeof *run.sampler);
  run.ensemble = calloc(plan->ensembles, sizeof *run.ensemble);
  run.ready    = calloc(plan->ensembles, sizeof *run.ready);
  run.made     = calloc(plan->ensembles, sizeof *run.made);
  copy_truth(0);
  ok(PetscRegisterFinalize(end_run));
}

static void make_methods(void)
{
  for (size_t i = 0; i < plan->ensembles; i++) {
    const fare_plan_ensemble *e = &plan->ensemble[i];

    ok(fare_plan_sampler(run.comm, plan, e, &plan->initial, &run.sampler[i]));
    ok(fare_sampler_set_mode(run.sampler[i], FARE_LEARNED, NULL));
    ok(fare_ensemble_create(run.comm, 1, e->particles, &run.ensemble[i]));
  }
}

static void end_methods(void)
{
  for (size_t i = 0; i < plan->ensembles; i++) {
    ok(fare_sampler_destroy(&run.sampler[i]));
    ok(fare_ensemble_destroy(&run.ensemble[i]));
    free(run.results.failure[i]);
    run.results.failure[i] = NULL;
  }
}

/* The newest checkpoint that the study has left becomes a seed. */
static void add_newest(void)
{
  char   pattern[300];
  glob_t found;

  snprintf(pattern, sizeof pattern, "%s/study/checkpoints/checkpoint_*.h5", fuzz_folder);
  must(!glob(pattern, 0, NULL, &found) && found.gl_pathc > 0, "a checkpoint");
  input_add(found.gl_pathv[found.gl_pathc - 1]);
  globfree(&found);
}

static void begin(void)
{
  char path[700], directory[300];

  input_begin();
  /* of the process before this one */
  snprintf(path, sizeof path, "rm -rf '%s/study' '%s/fuzzed'", fuzz_folder, fuzz_folder);
  must(!system(path), "an empty folder");
  snprintf(path, sizeof path, "%s/study.yaml", fuzz_folder);
  input_write(path, (const uint8_t *)text, strlen(text));
  ok(fare_plan_read(PETSC_COMM_SELF, path, fuzz_span() % 8 ? 2 : 0, fewer, &plan));
  snprintf(directory, sizeof directory, "%s/study", fuzz_folder);
  free(plan->directory);
  plan->directory = strdup(directory);
  ok(fare_stop_listen(1e-9)); /* in the middle of training, and after the first snapshot */
  must(fare_study_run(PETSC_COMM_SELF, plan, &options) == FARE_ERR_STOPPED, "a study that stops");
  add_newest();
  for (int more = 0; more < 3; more++)
    must(fare_study_run(PETSC_COMM_SELF, plan, &options) == FARE_ERR_STOPPED, "a study that stops again");
  add_newest();
  options.grace_seconds = 0; /* on the way to the second */
  must(fare_study_run(PETSC_COMM_SELF, plan, &options) == FARE_ERR_STOPPED,
    "a study that stops between two steps");
  add_newest();
  ok(fare_stop_listen(0));
  ok(fare_study_run(PETSC_COMM_SELF, plan, &options));
  add_newest();
  snprintf(directory, sizeof directory, "%s/fuzzed/checkpoints", fuzz_folder);
  /* which a checkpoint must find whole */
  snprintf(path, sizeof path, "mkdir -p '%s' && ln -s ../study/snapshots '%s/fuzzed/snapshots'", directory,
    fuzz_folder);
  must(!system(path), "a directory");
  free(plan->directory);
  snprintf(directory, sizeof directory, "%s/fuzzed", fuzz_folder);
  plan->directory = strdup(directory);
  /* the number of snapshots made, the second attribute of the root */
  for (uint8_t value = 2; value < sizeof edit_values / sizeof *edit_values; value += 5) {
    const uint8_t edits[] = {1 + value % 2, 3, 255, 1, 3, value};

    fuzz_add_seed(edits, sizeof edits);
  }
  make_run();
}

static PetscErrorCode load(PetscInt64 next)
{
  PetscBool ready, has_truth;

  PetscFunctionBeginUser;
  PetscCall(fare_checkpoint_get_truth(&run, next, &has_truth));
  for (size_t i = 0; i < plan->ensembles; i++) {
    PetscCall(fare_checkpoint_has(&run, i, &ready));
    if (plan->ensemble[i].type->train && !ready) PetscCall(fare_checkpoint_load_training(&run, i));
    if (ready) PetscCall(fare_checkpoint_load(&run, i));
  }
  PetscFunctionReturn(0);
}

static int read_file(void)
{
  PetscInt64     next;
  PetscBool      measured;
  PetscErrorCode code = fare_checkpoint_open(&run, &next, &measured);

  input_must_leave_memory();
  /* it says so of a snapshot */
  if (!code && !run.from && strstr(fare_error_message(), "was changed after it was written")) return 0;
  if (!code) {
    must(run.from != NULL, "a checkpoint whose checksum holds is not opened");
    must(next >= 0 && next <= plan->snapshots.count, "more snapshots than the study has");
    make_methods();
    code = load(next);
    if (fare_store_close(&run.from) && !code) code = FARE_ERR_FAILED;
    end_methods();
    copy_truth(1);
  }
  if (code) input_must_be_refusal(code, 1);
  return code != 0;
}

/* Of the whole file, which HDF5 may have made longer than an input. */
static unsigned long checksum_of(const char *path)
{
  static uint8_t bytes[FUZZ_LONGEST];
  const int      file = open(path, O_RDONLY);
  unsigned long  sum  = crc32(0, NULL, 0);
  ssize_t        n;

  must(file >= 0, "an input");
  while ((n = read(file, bytes, sizeof bytes)) > 0) sum = crc32_z(sum, bytes, (size_t)n);
  must(n == 0 && !close(file), "reading an input");
  return sum;
}

static int read_one(const uint8_t *data, size_t size)
{
  char path[400], named[400];
  int  refused;

  snprintf(path, sizeof path, "%s/input.h5", fuzz_folder);
  input_make(path, data, size, names, sizeof names / sizeof *names);
  snprintf(
    named, sizeof named, "%s/checkpoints/checkpoint_000000_%08lx.h5", plan->directory, checksum_of(path));
  must(!rename(path, named), "naming");
  refused = read_file();
  unlink(named);
  input_done(data, size);
  return refused;
}

int main(int argc, char **argv)
{
  return fuzz_main(argc, argv, begin, NULL, 0, read_one);
}
