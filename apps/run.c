/* SPDX-License-Identifier: BSD-2-Clause */
/* run, check and status: what is done with a study, or with the points of a sweep. */
#include "fare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
  fare_study_options study;
  fare_run_options   run;
  double             seconds; /* to stop after; 0: never */
  PetscBool          report, quick;
  PetscInt64         point; /* of a sweep; -1: all of them, or no sweep */
} options;

/* Takes the i-th argument where it is a limit in seconds. */
static PetscErrorCode read_seconds(
  const fare_command *command, const fare_arguments *arguments, int *i, options *o, PetscBool *taken)
{
  const struct {
    const char *name;
    double      least, *into;
  } limits[] = {
    {"--max-seconds", 1e-3, &o->seconds},
    {"--checkpoint-seconds", 0, &o->run.checkpoint_seconds},
    {"--grace-seconds", 0, &o->run.grace_seconds},
  };
  const char *word;
  char       *end;

  PetscFunctionBegin;
  *taken = PETSC_FALSE;
  for (size_t k = 0; k < PETSC_STATIC_ARRAY_LENGTH(limits); k++) {
    PetscCall(fare_option_value(command, arguments, i, limits[k].name, "a number of seconds", &word));
    if (!word) continue;
    *taken          = PETSC_TRUE;
    *limits[k].into = strtod(word, &end);
    if (end == word || *end || !(*limits[k].into >= limits[k].least && *limits[k].into < 1e9))
      PetscCall(fare_usage(command, "%s: expected a number of seconds of at least %g, got '%.60s'",
        limits[k].name, limits[k].least, word));
    break;
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode read_point(
  const fare_command *command, const fare_arguments *arguments, int *i, options *o, PetscBool *taken)
{
  const char *word;
  char       *end;

  PetscFunctionBegin;
  PetscCall(fare_option_value(command, arguments, i, "--point", "a number", &word));
  *taken = word ? PETSC_TRUE : PETSC_FALSE;
  if (!word) PetscFunctionReturn(0);
  o->point = strtoll(word, &end, 10);
  if (end == word || *end || o->point < 0)
    PetscCall(fare_usage(command, "--point: expected a non-negative integer, got '%.60s'", word));
  PetscFunctionReturn(0);
}

static PetscErrorCode choose_mode(const fare_command *command, fare_record_mode mode, options *o)
{
  PetscFunctionBegin;
  if (o->run.mode != FARE_RECORD_NEW && o->run.mode != mode)
    PetscCall(fare_usage(command, "--overwrite starts again and --resume continues: choose one"));
  o->run.mode = mode;
  PetscFunctionReturn(0);
}

static PetscErrorCode parse(const fare_command *command, const fare_arguments *arguments, options *o)
{
  const PetscBool is_run = command == &fare_command_run ? PETSC_TRUE : PETSC_FALSE;

  PetscFunctionBegin;
  memset(o, 0, sizeof *o);
  o->report                 = PETSC_TRUE;
  o->point                  = -1;
  o->run.checkpoint_seconds = FARE_CHECKPOINT_SECONDS;
  o->run.grace_seconds      = FARE_GRACE_SECONDS;
  for (int i = 1; i < arguments->count; i++) {
    const char *word = arguments->argument[i];
    PetscBool   taken;

    PetscCall(fare_study_option(command, arguments, &i, &o->study, &taken));
    if (!taken && is_run) PetscCall(read_seconds(command, arguments, &i, o, &taken));
    if (!taken && command != &fare_command_check) PetscCall(read_point(command, arguments, &i, o, &taken));
    if (taken) continue;
    if (is_run && !strcmp(word, "--overwrite")) {
      PetscCall(choose_mode(command, FARE_RECORD_OVERWRITE, o));
    } else if (is_run && !strcmp(word, "--resume")) {
      PetscCall(choose_mode(command, FARE_RECORD_RESUME, o));
    } else if (is_run && !strcmp(word, "--tables")) {
      o->run.tables = PETSC_TRUE;
    } else if (is_run && !strcmp(word, "--no-report")) {
      o->report = PETSC_FALSE;
    } else if (command == &fare_command_check && !strcmp(word, "--quick")) {
      o->quick = PETSC_TRUE;
    } else {
      PetscCall(fare_unknown_option(command, word));
    }
  }
  if (!o->study.file) PetscCall(fare_usage(command, "which study?"));
  PetscFunctionReturn(0);
}

static PetscErrorCode run_one(const options *o, PetscInt64 point, fare_plan **plan)
{
  PetscFunctionBegin;
  if (point < 0)
    PetscCall(fare_plan_read(PETSC_COMM_WORLD, o->study.file, o->study.count, o->study.assignment, plan));
  else
    PetscCall(
      fare_sweep_plan(PETSC_COMM_WORLD, o->study.file, o->study.count, o->study.assignment, point, plan));
  PetscCall(fare_study_run(PETSC_COMM_WORLD, *plan, &o->run));
  PetscFunctionReturn(0);
}

/* What a point is about, for the log. */
static void announce(const fare_plan *plan, PetscInt64 points)
{
  fare_text text = {0};

  for (size_t i = 0; i < plan->swept.count; i++)
    fare_text_add(&text, "%s%s = %s", i ? ", " : "", plan->swept.key[i], plan->swept.value[i]);
  fare_log(
    "point %lld of 0 ... %lld is done: %s", (long long)plan->swept.point, (long long)points - 1, text.text);
  fare_text_free(&text);
}

/* Every point in turn. One that fails leaves the others alone; a request to stop ends them all. */
static PetscErrorCode run_all(options *o, PetscInt64 points)
{
  PetscInt64 failed = 0;

  PetscFunctionBegin;
  o->run.quiet = PETSC_TRUE;
  for (PetscInt64 point = 0; point < points; point++) {
    fare_plan           *plan = NULL;
    const PetscErrorCode code = run_one(o, point, &plan);

    if (code && code != FARE_ERR_FAILED) PetscFunctionReturn(code);
    if (code)
      fare_warn("point %lld: %s; the sweep continues without it", (long long)point, fare_error_message());
    else
      announce(plan, points);
    failed += code ? 1 : 0;
    if (o->report && plan) {
      *strrchr(plan->directory, '/') = '\0'; /* the sweep's, of which the point's is a part */
      fare_draw_later(FARE_DRAW_SWEEP, plan->directory);
    }
    PetscCall(fare_plan_destroy(&plan));
  }
  if (failed)
    FARE_FAIL(FARE_ERR_FAILED, "%lld of %lld points failed; `fare sweep %s` lists them with reasons",
      (long long)failed, (long long)points, o->study.file);
  PetscFunctionReturn(0);
}

static PetscErrorCode run(const fare_arguments *arguments)
{
  options        o;
  fare_plan     *plan = NULL;
  PetscInt64     points;
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(parse(&fare_command_run, arguments, &o));
  PetscCall(fare_stop_listen(o.seconds));
  PetscCall(fare_sweep_count(PETSC_COMM_WORLD, o.study.file, o.study.count, o.study.assignment, &points));
  if (points && o.point < 0) {
    PetscCall(run_all(&o, points));
    PetscFunctionReturn(0);
  }
  code = run_one(&o, o.point, &plan);
  if (!code && o.report) fare_draw_later(FARE_DRAW_REPORT, plan->directory);
  PetscCall(fare_plan_destroy(&plan));
  PetscFunctionReturn(code);
}

/* The resolved plan, what it takes, and whether it could be begun. */
static PetscErrorCode check_plan(const fare_plan *plan, PetscBool quick)
{
  fare_text      text = {0};
  PetscErrorCode code = 0;
  int            rank, ranks;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &ranks));
  fare_plan_write(plan, &text);
  if (rank == 0) {
    printf("%s\n", text.text);
    code = fare_plan_estimate(plan, ranks, stdout);
    if (!code && !quick) code = fare_plan_forecast(plan, ranks, stdout);
  }
  fare_text_free(&text);
  PetscCall(fare_error_agree(PETSC_COMM_WORLD, code));
  code = fare_plan_check_memory(PETSC_COMM_WORLD, plan);
  if (!code) code = fare_record_check(PETSC_COMM_WORLD, plan->directory, FARE_RECORD_NEW);
  if (code == FARE_ERR_INPUT && rank == 0)
    printf("\nThe study is sound, but `fare run` would refuse: %s\n", fare_error_message());
  if (!code && rank == 0) printf("\nThe study is sound.\n");
  PetscFunctionReturn(code == FARE_ERR_INPUT ? 0 : code);
}

/* A sweep is checked point by point; the first stands for them all in what is printed. */
static PetscErrorCode check(const fare_arguments *arguments)
{
  options    o;
  fare_plan *plan;
  PetscInt64 points;
  int        rank;

  PetscFunctionBegin;
  PetscCall(parse(&fare_command_check, arguments, &o));
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  PetscCall(fare_sweep_count(PETSC_COMM_WORLD, o.study.file, o.study.count, o.study.assignment, &points));
  for (PetscInt64 point = 1; point < points; point++) {
    PetscCall(
      fare_sweep_plan(PETSC_COMM_WORLD, o.study.file, o.study.count, o.study.assignment, point, &plan));
    PetscCall(fare_plan_destroy(&plan));
  }
  if (points)
    PetscCall(fare_sweep_plan(PETSC_COMM_WORLD, o.study.file, o.study.count, o.study.assignment, 0, &plan));
  else
    PetscCall(fare_plan_read(PETSC_COMM_WORLD, o.study.file, o.study.count, o.study.assignment, &plan));
  if (points && rank == 0)
    printf("# A sweep of %lld points, each valid by itself; this is point 0:\n\n", (long long)points);
  PetscCall(check_plan(plan, o.quick));
  PetscCall(fare_plan_destroy(&plan));
  PetscFunctionReturn(0);
}

/* For scripts: one word and the directory; the exit code is 0 where the study is done. */
static PetscErrorCode status(const fare_arguments *arguments)
{
  fare_study_state state = FARE_STUDY_MISSING;
  fare_plan       *plan;
  options          o;
  char             why[1024] = "";
  int              rank, found;

  PetscFunctionBegin;
  PetscCall(parse(&fare_command_status, arguments, &o));
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  if (o.point < 0)
    PetscCall(fare_plan_read(PETSC_COMM_WORLD, o.study.file, o.study.count, o.study.assignment, &plan));
  else
    PetscCall(
      fare_sweep_plan(PETSC_COMM_WORLD, o.study.file, o.study.count, o.study.assignment, o.point, &plan));
  if (rank == 0) {
    state = fare_study_look(plan, sizeof why, why);
    printf("%s %s\n", fare_study_state_names[state], plan->directory);
  }
  found = state;
  PetscCallMPI(MPI_Bcast(&found, 1, MPI_INT, 0, PETSC_COMM_WORLD));
  PetscCall(fare_plan_destroy(&plan));
  if (found == FARE_STUDY_FAILED) FARE_FAIL(FARE_ERR_FAILED, "the study failed: %s", why);
  if (found == FARE_STUDY_OTHER) FARE_FAIL(FARE_ERR_FAILED, "%s", why);
  if (found != FARE_STUDY_DONE) FARE_FAIL(FARE_ERR_FAILED, "the study is not done");
  PetscFunctionReturn(0);
}

const fare_command fare_command_status = {
  .name     = "status",
  .synopsis = "status STUDY.yaml [--set key=value ...] [--point K]",
  .summary  = "reports a study as done, unfinished, failed, missing or of another plan; 0: done",
  .help     = "fare status input/prinz_driven.yaml && fare report out/prinz_driven\n",
  .run      = status,
};

const fare_command fare_command_run = {
  .name     = "run",
  .synopsis = "run STUDY.yaml [--set key=value ...] [--overwrite | --resume] [--point K] [--max-seconds S] "
              "[--checkpoint-seconds S] [--grace-seconds S] [--tables] [--no-report] [-- PETSc options]",
  .summary  = "runs the whole study, alone or under mpirun or srun, and prints its results",
  .help =
    "mpirun -n 4 fare run input/prinz_driven.yaml --set truth.cells=2048 --set "
    "ensembles.langevin.particles=1e6\n"
    "fare run input/prinz_driven.yaml --resume        continues that study where it was stopped or killed, "
    "with bit-identical results; or starts it\n"
    "fare run input/regimes.yaml --point 3            one point of a sweep; without --point all of "
    "them in turn\n\n"
    "--tables also prints the contents of tables.txt: maxima, noise floors and truth errors of each measure, "
    "boundaries and costs.\n"
    "Ctrl-C, SIGTERM, SIGUSR1 and the end of --max-seconds stop a study after the current snapshot, or "
    "within "
    "it after 10 seconds (--grace-seconds),\nwith a checkpoint and exit code 75: continue with --resume. A "
    "second Ctrl-C ends it at once. "
    "Checkpoints are written every 300 seconds (--checkpoint-seconds; 0: after every snapshot) and when a "
    "study ends.\n",
  .run = run,
};

const fare_command fare_command_check = {
  .name     = "check",
  .synopsis = "check STUDY.yaml [--set key=value ...] [--quick]",
  .summary  = "checks a study and prints the resolved plan and its cost",
  .help =
    "fare check input/prinz_driven.yaml\n"
    "mpirun -n 4 fare check input/prinz_driven.yaml     the time on 4 ranks\n\n"
    "Tries pieces of the work for the time, which takes about a second, some more for many methods that "
    "learn;\n--quick leaves this out. Writes nothing.\n",
  .run = check,
};
