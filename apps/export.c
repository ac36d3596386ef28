/* SPDX-License-Identifier: BSD-2-Clause */
/* export: a training set for a generator in any language, from a finished study. */
#include "fare.h"

#include <string.h>

static PetscErrorCode export(const fare_arguments *arguments)
{
  const char *directory = NULL, *ensemble = NULL, *out = NULL;
  PetscBool   grid = PETSC_FALSE, tracks = PETSC_FALSE;

  PetscFunctionBegin;
  for (int i = 1; i < arguments->count; i++) {
    const char *word = arguments->argument[i], *file, *name = NULL;

    PetscCall(fare_option_value(&fare_command_export, arguments, &i, "--out", "a value", &file));
    if (!file)
      PetscCall(fare_option_value(&fare_command_export, arguments, &i, "--ensemble", "a value", &name));
    if (file) {
      out = file;
    } else if (name) {
      ensemble = name;
    } else if (!strcmp(word, "--grid")) {
      grid = PETSC_TRUE;
    } else if (!strcmp(word, "--tracks")) {
      tracks = PETSC_TRUE;
    } else if (*word == '-') {
      PetscCall(fare_unknown_option(&fare_command_export, word));
    } else if (directory) {
      PetscCall(fare_usage(
        &fare_command_export, "one directory at a time, got '%.60s' and '%.60s'", directory, word));
    } else {
      directory = word;
    }
  }
  if (!directory) PetscCall(fare_usage(&fare_command_export, "which study?"));
  if (out && strlen(out) >= PETSC_MAX_PATH_LEN)
    PetscCall(fare_usage(&fare_command_export, "the path after --out is too long"));
  if (grid && ensemble)
    PetscCall(fare_usage(&fare_command_export, "--grid writes the truth, --ensemble particles: choose one"));
  if (grid && tracks)
    PetscCall(fare_usage(&fare_command_export, "--grid writes the truth, --tracks particles: choose one"));
  if (tracks)
    PetscCall(fare_export_tracks(PETSC_COMM_WORLD, directory, ensemble, out));
  else if (grid)
    PetscCall(fare_export_grid(PETSC_COMM_WORLD, directory, out));
  else
    PetscCall(fare_export(PETSC_COMM_WORLD, directory, ensemble, out));
  PetscFunctionReturn(0);
}

const fare_command fare_command_export = {
  .name     = "export",
  .synopsis = "export DIR [--ensemble NAME] [--tracks | --grid] [--out FILE.h5]",
  .summary  = "exports the particles of a finished study as a training set for a generator",
  .help     = "fare export out/prinz_driven --out prinz_training.h5\n\n"
              "The file holds /times [T], /samples [T, N, d] and /trained [T] (1: training, 0: held out); "
              "docs/scoring.md has the format.\n"
              "Without --ensemble: the simulated one. Without --out: STUDY_training.h5 in this directory.\n"
              "With --tracks: /id, /time and /position of simulated particles (docs/inference.md); "
              "without --out: STUDY_tracks.h5.\n"
              "With --grid: cells and cell masses of the truth, for comparison with a density; "
              "without --out: STUDY_grid.h5.\n",
  .run      = export,
};
