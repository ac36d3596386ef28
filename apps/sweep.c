/* SPDX-License-Identifier: BSD-2-Clause */
/* sweep: how far the points of a sweep have come, and which are still to be run. */
#include "fare.h"

#include <stdio.h>
#include <string.h>

typedef struct {
  fare_study_options study;
  PetscBool          missing, directory;
} options;

static PetscErrorCode parse(const fare_arguments *arguments, options *o)
{
  PetscFunctionBegin;
  memset(o, 0, sizeof *o);
  for (int i = 1; i < arguments->count; i++) {
    const char *word = arguments->argument[i];
    PetscBool   taken;

    PetscCall(fare_study_option(&fare_command_sweep, arguments, &i, &o->study, &taken));
    if (taken) continue;
    if (!strcmp(word, "--missing"))
      o->missing = PETSC_TRUE;
    else if (!strcmp(word, "--directory"))
      o->directory = PETSC_TRUE;
    else
      PetscCall(fare_unknown_option(&fare_command_sweep, word));
  }
  if (!o->study.file) PetscCall(fare_usage(&fare_command_sweep, "which study?"));
  PetscFunctionReturn(0);
}

/*
  The points that are not done as an array range of SLURM: 0-3,7. Call once more with the number of points to
  end it.
*/
typedef struct {
  fare_text  text;
  PetscInt64 first, last; /* of the run of numbers under way; first -1: none */
} ranges;

static void add_point(ranges *r, PetscInt64 point)
{
  if (r->first >= 0 && point == r->last + 1) {
    r->last = point;
    return;
  }
  if (r->first >= 0)
    fare_text_add(&r->text, r->first == r->last ? "%s%lld" : "%s%lld-%lld", r->text.length ? "," : "",
      (long long)r->first, (long long)r->last);
  r->first = r->last = point;
}

static void heading(const fare_plan *plan, fare_table **table)
{
  fare_table_create((int)plan->swept.count + 3, table);
  fare_table_cell(*table, "point");
  fare_table_cell(*table, "state");
  for (size_t i = 0; i < plan->swept.count; i++) fare_table_cell(*table, "%s", plan->swept.key[i]);
  fare_table_cell(*table, "directory");
}

static void row(const fare_plan *plan, fare_study_state state, fare_table *table)
{
  fare_table_cell(table, "%lld", (long long)plan->swept.point);
  fare_table_cell(table, "%s", fare_study_state_names[state]);
  for (size_t i = 0; i < plan->swept.count; i++) fare_table_cell(table, "%s", plan->swept.value[i]);
  fare_table_cell(table, "%s", plan->directory);
}

static PetscErrorCode print(const options *o, PetscInt64 points)
{
  ranges      missing                  = {.first = -1};
  fare_text   reasons                  = {0};
  fare_table *table                    = NULL;
  PetscInt64  count[FARE_STUDY_STATES] = {0};

  PetscFunctionBegin;
  for (PetscInt64 point = 0; point < points; point++) {
    fare_plan       *plan;
    fare_study_state state;
    char             why[1024];

    PetscCall(
      fare_sweep_plan(PETSC_COMM_SELF, o->study.file, o->study.count, o->study.assignment, point, &plan));
    state = fare_study_look(plan, sizeof why, why);
    count[state]++;
    if (state != FARE_STUDY_DONE) add_point(&missing, point);
    if (state == FARE_STUDY_FAILED) fare_text_add(&reasons, "point %lld failed: %s\n", (long long)point, why);
    if (state == FARE_STUDY_OTHER) fare_text_add(&reasons, "point %lld: %s\n", (long long)point, why);
    if (!table) heading(plan, &table);
    row(plan, state, table);
    PetscCall(fare_plan_destroy(&plan));
  }
  add_point(&missing, points + 1);
  if (o->missing) {
    printf("%s\n", missing.text.text ? missing.text.text : "");
  } else {
    fare_table_print(table, stdout);
    printf("\n%s%lld points: %lld done, %lld unfinished, %lld failed, %lld missing",
      reasons.text ? reasons.text : "", (long long)points, (long long)count[FARE_STUDY_DONE],
      (long long)count[FARE_STUDY_UNFINISHED], (long long)count[FARE_STUDY_FAILED],
      (long long)count[FARE_STUDY_MISSING]);
    if (count[FARE_STUDY_OTHER]) printf(", %lld of another plan", (long long)count[FARE_STUDY_OTHER]);
    printf("\n");
    if (missing.text.length) printf("still to run: --array=%s\n", missing.text.text);
  }
  fare_table_destroy(&table);
  fare_text_free(&missing.text);
  fare_text_free(&reasons);
  PetscFunctionReturn(0);
}

static PetscErrorCode print_directory(const options *o)
{
  fare_plan *plan;

  PetscFunctionBegin;
  PetscCall(fare_sweep_plan(PETSC_COMM_SELF, o->study.file, o->study.count, o->study.assignment, 0, &plan));
  printf("%.*s\n", (int)(strrchr(plan->directory, '/') - plan->directory), plan->directory);
  PetscCall(fare_plan_destroy(&plan));
  PetscFunctionReturn(0);
}

static PetscErrorCode run(const fare_arguments *arguments)
{
  PetscErrorCode code = 0;
  PetscInt64     points;
  options        o;
  int            rank;

  PetscFunctionBegin;
  PetscCall(parse(arguments, &o));
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  PetscCall(fare_sweep_count(PETSC_COMM_WORLD, o.study.file, o.study.count, o.study.assignment, &points));
  if (!points) FARE_FAIL(FARE_ERR_INPUT, "%s: the study has no section 'sweep'", o.study.file);
  if (rank == 0) code = o.directory ? print_directory(&o) : print(&o, points);
  PetscFunctionReturn(fare_error_agree(PETSC_COMM_WORLD, code));
}

const fare_command fare_command_sweep = {
  .name     = "sweep",
  .synopsis = "sweep STUDY.yaml [--missing | --directory] [--set key=value ...]",
  .summary  = "lists the points of a sweep, their progress, and the array range still to run",
  .help =
    "sbatch --array=$(fare sweep input/regimes.yaml --missing) jobs/slurm/array.sh input/regimes.yaml\n\n"
    "--missing prints only that range, --directory the directory of all points.\n",
  .run = run,
};
