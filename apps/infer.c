/* SPDX-License-Identifier: BSD-2-Clause */
/* infer: the section `infer:` of a study alone, on data of one's own. */
#include "fare.h"

#include <string.h>

typedef struct {
  fare_study_options study;
  const char        *data, *out;
} options;

static PetscErrorCode parse(const fare_arguments *arguments, options *o)
{
  PetscFunctionBegin;
  memset(o, 0, sizeof *o);
  for (int i = 1; i < arguments->count; i++) {
    const char *word = arguments->argument[i], *file;
    PetscBool   taken;

    PetscCall(fare_option_value(&fare_command_infer, arguments, &i, "--out", "a value", &file));
    if (file) {
      o->out = file;
    } else if (*word != '-' && o->study.file && !o->data) {
      o->data = word;
    } else {
      PetscCall(fare_study_option(&fare_command_infer, arguments, &i, &o->study, &taken));
      if (!taken) PetscCall(fare_unknown_option(&fare_command_infer, word));
    }
  }
  if (!o->study.file) PetscCall(fare_usage(&fare_command_infer, "which study?"));
  if (o->out && strlen(o->out) >= PETSC_MAX_PATH_LEN)
    PetscCall(fare_usage(&fare_command_infer, "the path after --out is too long"));
  PetscFunctionReturn(0);
}

static PetscErrorCode write(const fare_infer_results *results, const char *path)
{
  fare_store    *store;
  PetscErrorCode code;

  PetscFunctionBegin;
  if (!path) PetscFunctionReturn(0);
  PetscCall(fare_store_create(PETSC_COMM_WORLD, path, &store));
  code = fare_infer_results_save(results, store);
  if (!code) code = fare_store_commit(&store);
  PetscCall(fare_store_close(&store));
  PetscFunctionReturn(code);
}

/* An inference of which no row has a result has failed. */
static PetscErrorCode check_any(const fare_infer_results *results)
{
  PetscFunctionBegin;
  for (size_t i = 0; i < results->count; i++)
    if (!results->failure[i]) PetscFunctionReturn(0);
  if (results->designs) PetscFunctionReturn(0);
  FARE_FAIL(FARE_ERR_FAILED, "no inference has a result: %s",
    results->count ? results->failure[0] : fare_error_message());
}

static PetscErrorCode run(const options *o, const fare_plan *plan)
{
  fare_infer_results results;
  PetscBool          stopped;
  PetscErrorCode     code;

  PetscFunctionBegin;
  if (!plan->infer) FARE_FAIL(FARE_ERR_INPUT, "%s: there is no section 'infer'", o->study.file);
  if (o->data) PetscCall(fare_infer_set_file(plan->infer, o->data));
  code    = fare_infer_run(plan->infer, PETSC_COMM_WORLD, &results);
  stopped = code == FARE_ERR_STOPPED ? PETSC_TRUE : PETSC_FALSE;
  if (stopped) code = 0; /* what is done counts */
  if (!code && fare_is_rank_0(PETSC_COMM_WORLD)) fare_infer_results_print(&results, stdout);
  if (!code) code = write(&results, o->out);
  if (!code && !stopped) code = check_any(&results);
  if (!code && stopped)
    code = fare_error(FARE_ERR_STOPPED, "stopped on request with %zu rows of results; the others begin anew",
      results.count + results.designs);
  fare_infer_results_free(&results);
  PetscFunctionReturn(code);
}

static PetscErrorCode infer(const fare_arguments *arguments)
{
  fare_plan     *plan;
  options        o;
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(parse(arguments, &o));
  PetscCall(fare_plan_read(PETSC_COMM_WORLD, o.study.file, o.study.count, o.study.assignment, &plan));
  code = run(&o, plan);
  PetscCall(fare_plan_destroy(&plan));
  PetscFunctionReturn(code);
}

const fare_command fare_command_infer = {
  .name     = "infer",
  .synopsis = "infer STUDY.yaml [TRACKS] [--set KEY=VALUE] [--out FILE.h5]",
  .summary  = "estimates parameters of a system from tracks, by the section `infer` of a study",
  .help     = "fare infer input/infer/double_well.yaml tracks.h5\n\n"
              "TRACKS are HDF5 or CSV (docs/inference.md), in place of the files that the study names.\n"
              "Without either, data are simulated.\n"
              "--out writes the table as group /infer.\n"
              "Ctrl-C, SIGTERM and SIGUSR1 end it with the rows that are done, and exit code 75.\n",
  .run      = infer,
};
