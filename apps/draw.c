/* SPDX-License-Identifier: BSD-2-Clause */
/* Figures of a study or a sweep: drawn by Python, in a process of its own after MPI has ended. */
#include "fare.h"

#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORD_SIZE 256

extern char **environ;

static struct {
  fare_drawing what;
  char         directory[PETSC_MAX_PATH_LEN];
  int          words;
  char         word[FARE_DRAW_WORDS_MAX][WORD_SIZE];
} pending;

void fare_draw_later(fare_drawing what, const char *directory)
{
  pending.what = what;
  snprintf(pending.directory, sizeof pending.directory, "%s", directory);
}

void fare_draw_option(const char *name, const char *value)
{
  if (pending.words < FARE_DRAW_WORDS_MAX)
    snprintf(pending.word[pending.words++], WORD_SIZE, "%s%s%s", name, value ? "=" : "", value ? value : "");
}

PetscBool fare_find_data(const char *name, size_t size, char path[])
{
  const char *const places[] = {FARE_SOURCE_DIR, FARE_DATA_DIR, getenv("FARE_HOME")};

  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(places); i++) {
    if (!places[i] || snprintf(path, size, "%s/%s", places[i], name) >= (int)size) continue;
    if (!access(path, R_OK)) return PETSC_TRUE;
  }
  return PETSC_FALSE;
}

/*
  `python PACKAGE SUBCOMMAND DIRECTORY OPTIONS`. Python takes modules from that directory first, and none from
  where the user is. `numbers` tells where they are whatever happens here.
*/
static int draw(const char *subcommand, const char *directory, const char *numbers)
{
  char python[PETSC_MAX_PATH_LEN] = FARE_PYTHON, package[PETSC_MAX_PATH_LEN], what[32],
       where[PETSC_MAX_PATH_LEN];
  char *command[FARE_DRAW_WORDS_MAX + 5] = {python, package, what, where};
  pid_t child;
  int   status;

  if (!*python || !fare_find_data("postproc/__main__.py", sizeof package, package)) {
    fprintf(stderr, "fare: no %s: %s (the numbers are in %s)\n", subcommand,
      *python ? "the Python package of FARE was not found"
              : "FARE was built without a Python that has h5py, numpy and matplotlib",
      numbers);
    return FARE_EXIT_DONE;
  }
  *strrchr(package, '/') = 0; /* the directory: Python runs its __main__.py */
  snprintf(what, sizeof what, "%s", subcommand);
  snprintf(where, sizeof where, "%s", directory);
  for (int i = 0; i < pending.words; i++) command[4 + i] = pending.word[i];
  fflush(NULL);
  if (posix_spawn(&child, python, NULL, NULL, command, environ) || waitpid(child, &status, 0) != child)
    status = -1;
  /* it has said what is wrong with the directory */
  if (WIFEXITED(status) && WEXITSTATUS(status) == FARE_EXIT_INPUT) return FARE_EXIT_INPUT;
  if (!WIFEXITED(status) || WEXITSTATUS(status)) {
    fprintf(stderr, "fare: %s failed in Python; the numbers are complete in %s, retry with `fare %s %s`\n",
      subcommand, numbers, subcommand, directory);
    return FARE_EXIT_FAILED;
  }
  return FARE_EXIT_DONE;
}

static int draw_report(const char *directory)
{
  char numbers[PETSC_MAX_PATH_LEN + 64];
  int  code;

  snprintf(numbers, sizeof numbers, "%s/study.h5 and measures.csv", directory);
  code = draw("report", directory, numbers);
  if (code == FARE_EXIT_DONE && *FARE_PYTHON) printf("Report: %s/report.html\n", directory);
  return code;
}

static int draw_sweep(const char *directory)
{
  char numbers[PETSC_MAX_PATH_LEN + 64];

  snprintf(numbers, sizeof numbers, "the points' own directories in %s", directory);
  /* it says itself what it has made, and which points are missing */
  return draw("collect", directory, numbers);
}

int fare_draw_now(void)
{
  switch (pending.what) {
  case FARE_DRAW_NOTHING:
    return FARE_EXIT_DONE;
  case FARE_DRAW_REPORT:
    return draw_report(pending.directory);
  case FARE_DRAW_SWEEP:
    return draw_sweep(pending.directory);
  }
  return FARE_EXIT_DONE;
}
