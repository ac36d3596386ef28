/* SPDX-License-Identifier: BSD-2-Clause */
/* The command: one function per subcommand, each in a file of its own. */
#ifndef FARE_APPS_H
#define FARE_APPS_H

#include <fare/fare.h>

/* What stands behind `fare` on the command line, PETSc's own options (after --) already taken off. */
typedef struct {
  int          count;
  char *const *argument; /* [0] is the subcommand */
} fare_arguments;

typedef struct {
  const char *name, *synopsis, *summary, *help; /* help begins with an example */
  PetscErrorCode (*run)(const fare_arguments *arguments);
} fare_command;

extern const fare_command fare_command_run, fare_command_check, fare_command_status, fare_command_list,
  fare_command_describe, fare_command_info, fare_command_report, fare_command_sweep, fare_command_collect,
  fare_command_export, fare_command_score, fare_command_help;
extern const fare_command *const fare_commands[]; /* NULL ends it */

/* FARE_ERR_INPUT that ends with how the command is called. */
PetscErrorCode fare_usage(const fare_command *command, const char *format, ...) PETSC_ATTRIBUTE_FORMAT(2, 3);

#define FARE_ASSIGNMENTS_MAX 256

/* What names a study on the command line: its file, and what --set changes in it. */
typedef struct {
  const char *file;
  size_t      count;
  const char *assignment[FARE_ASSIGNMENTS_MAX];
} fare_study_options;
/*
  Takes the i-th argument, and where that is --set the one behind it, unless it is an option of another kind.
*/
PetscErrorCode fare_study_option(const fare_command *command, const fare_arguments *arguments, int *i,
  fare_study_options *options, PetscBool *taken);
/* FARE_ERR_INPUT, with the nearest of the names. */
PetscErrorCode fare_unknown_option(
  const fare_command *command, const char *word, size_t count, const char *const names[]);

/* What is drawn of a directory when MPI has ended, on rank 0. */
typedef enum {
  FARE_DRAW_NOTHING,
  FARE_DRAW_REPORT, /* report.html of a study */
  FARE_DRAW_SWEEP   /* sweep.csv and sweep.html of a sweep */
} fare_drawing;
/* Replaces what was to be drawn before. */
void fare_draw_later(fare_drawing what, const char *directory);
/* Draws it with the Python that was found when FARE was built, and says where it is. Returns an exit code. */
int fare_draw_now(void);

#endif
