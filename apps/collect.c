/* SPDX-License-Identifier: BSD-2-Clause */
/*
  collect: the tables of a sweep's points in one, and figures over what was swept. Drawn by Python, as reports
  are.
*/
#include "fare.h"

#include <stdio.h>
#include <sys/stat.h>

static PetscErrorCode collect(const fare_arguments *arguments)
{
  struct stat about;

  PetscFunctionBegin;
  if (arguments->count != 2 || arguments->argument[1][0] == '-')
    PetscCall(fare_usage(&fare_command_collect, "which directory?"));
  if (stat(arguments->argument[1], &about) || !S_ISDIR(about.st_mode))
    FARE_FAIL(FARE_ERR_INPUT, "%s: no such directory; give the one that contains the sweep's points",
      arguments->argument[1]);
  fare_draw_later(FARE_DRAW_SWEEP, arguments->argument[1]);
  PetscFunctionReturn(0);
}

const fare_command fare_command_collect = {
  .name     = "collect",
  .synopsis = "collect DIRECTORY",
  .summary  = "merges a sweep's tables into sweep.csv, draws sweep.html and lists missing points",
  .help     = "fare collect out/regimes\n",
  .run      = collect,
};
