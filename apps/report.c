/* SPDX-License-Identifier: BSD-2-Clause */
/* report: figures and report.html from what a study left. */
#include "fare.h"

#include <stdio.h>
#include <sys/stat.h>

static PetscErrorCode report(const fare_arguments *arguments)
{
  struct stat about;
  char        path[PETSC_MAX_PATH_LEN];

  PetscFunctionBegin;
  if (arguments->count != 2 || arguments->argument[1][0] == '-')
    PetscCall(fare_usage(&fare_command_report, "which directory?"));
  snprintf(path, sizeof path, "%s/study.h5", arguments->argument[1]);
  if (stat(path, &about))
    FARE_FAIL(FARE_ERR_INPUT, "%s: no finished study (no study.h5)", arguments->argument[1]);
  fare_draw_later(FARE_DRAW_REPORT, arguments->argument[1]);
  PetscFunctionReturn(0);
}

const fare_command fare_command_report = {
  .name     = "report",
  .synopsis = "report DIR",
  .summary  = "redraws the figures and report.html of a finished study",
  .help     = "fare report out/prinz_driven\n",
  .run      = report,
};
