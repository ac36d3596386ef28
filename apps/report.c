/* report: figures and report.html from what a study left. Drawn by Python, in a process of its own after MPI has ended. */
#include "fare.h"

#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

char fare_report_pending[PETSC_MAX_PATH_LEN];

static PetscErrorCode report(const fare_arguments *arguments)
{
  struct stat about;
  char        path[PETSC_MAX_PATH_LEN];

  PetscFunctionBeginUser;
  if (arguments->count != 2 || arguments->argument[1][0] == '-') PetscCall(fare_usage(&fare_command_report, "which directory?"));
  snprintf(path, sizeof path, "%s/study.h5", arguments->argument[1]);
  if (stat(path, &about)) FARE_FAIL(FARE_ERR_INPUT, "%s: no finished study there (no study.h5)", arguments->argument[1]);
  snprintf(fare_report_pending, sizeof fare_report_pending, "%s", arguments->argument[1]);
  PetscFunctionReturn(0);
}

/* The script of the source tree while FARE is not installed, else the installed one. */
static const char *find_script(void)
{
  static const char *const places[] = {FARE_SOURCE_DIR "/postproc/fare_report.py", FARE_DATA_DIR "/postproc/fare_report.py"};

  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(places); i++) {
    if (!access(places[i], R_OK)) return places[i];
  }
  return NULL;
}

int fare_report_draw(const char *directory)
{
  char        python[PETSC_MAX_PATH_LEN] = FARE_PYTHON, script[PETSC_MAX_PATH_LEN], where[PETSC_MAX_PATH_LEN];
  char *const command[] = {python, script, where, NULL};
  const char *found = find_script();
  pid_t       child;
  int         status;

  if (!*python || !found) {
    fprintf(stderr, "fare: no report: %s (the numbers are in %s/study.h5 and measures.csv)\n", *python ? "fare_report.py was not found" : "FARE was built without a Python that has h5py, numpy and matplotlib", directory);
    return FARE_EXIT_DONE;
  }
  snprintf(script, sizeof script, "%s", found);
  snprintf(where, sizeof where, "%s", directory);
  fflush(NULL);
  if (posix_spawn(&child, python, NULL, NULL, command, environ) || waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status)) {
    fprintf(stderr, "fare: the report could not be drawn; the numbers are whole, `fare report %s` tries again\n", directory);
    return FARE_EXIT_FAILED;
  }
  printf("Report: %s/report.html\n", directory);
  return FARE_EXIT_DONE;
}

const fare_command fare_command_report = {
  .name     = "report",
  .synopsis = "report DIR",
  .summary  = "draws the figures and report.html of a finished study again",
  .help     = "fare report out/prinz_driven\n",
  .run      = report,
};
