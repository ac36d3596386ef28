/* SPDX-License-Identifier: BSD-2-Clause */
/* report: figures and report.html from what a study left. */
#include "fare.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define LONGEST 200 /* characters of --planes */

static PetscErrorCode report(const fare_arguments *arguments)
{
  struct stat about;
  char        path[PETSC_MAX_PATH_LEN];
  const char *directory = "", *movie = NULL, *planes = NULL;

  PetscFunctionBegin;
  for (int i = 1; i < arguments->count; i++) {
    const char *word = arguments->argument[i], *kind, *pairs = NULL;

    PetscCall(fare_option_value(&fare_command_report, arguments, &i, "--movie", "gif or mp4", &kind));
    if (!kind)
      PetscCall(fare_option_value(&fare_command_report, arguments, &i, "--planes", "a value", &pairs));
    if (kind) {
      movie = kind;
    } else if (pairs) {
      planes = pairs;
    } else if (!strcmp(word, "--vector")) {
      fare_draw_option(word, NULL);
    } else if (*word == '-') {
      PetscCall(fare_unknown_option(&fare_command_report, word));
    } else if (*directory) {
      PetscCall(fare_usage(
        &fare_command_report, "one directory at a time, got '%.60s' and '%.60s'", directory, word));
    } else {
      directory = word;
    }
  }
  if (!*directory) PetscCall(fare_usage(&fare_command_report, "which directory?"));
  if (movie && strcmp(movie, "gif") && strcmp(movie, "mp4"))
    PetscCall(fare_usage(&fare_command_report, "--movie needs gif or mp4, got '%.60s'", movie));
  if (planes && strlen(planes) > LONGEST)
    PetscCall(fare_usage(&fare_command_report, "the value of --planes is too long"));
  snprintf(path, sizeof path, "%s/study.h5", directory);
  if (stat(path, &about)) FARE_FAIL(FARE_ERR_INPUT, "%s: no finished study (no study.h5)", directory);
  if (movie) fare_draw_option("--movie", movie);
  if (planes) fare_draw_option("--planes", planes);
  fare_draw_later(FARE_DRAW_REPORT, directory);
  PetscFunctionReturn(0);
}

const fare_command fare_command_report = {
  .name     = "report",
  .synopsis = "report DIR [--vector] [--movie gif|mp4] [--planes x:y,x:z]",
  .summary  = "redraws the figures and report.html of a finished study",
  .help     = "fare report out/prinz_driven\n\n"
              "--vector writes figures/*.svg and *.pdf beside *.png, and --movie the densities over time as "
              "figures/density.gif or .mp4 (which needs ffmpeg).\n"
              "--planes chooses the pairs of axes that are drawn in three dimensions; without it: all.\n",
  .run      = report,
};
