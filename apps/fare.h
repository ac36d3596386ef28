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
  const char *name, *synopsis, *summary; /* the synopsis names every option */
  const char *help;                      /* begins with examples, up to an empty line */
  PetscErrorCode (*run)(const fare_arguments *arguments);
  /*
    The i-th word that may follow the subcommand (`before` NULL) or another such word; NULL past the last.
    Where it is NULL itself, files follow.
  */
  const char *(*word_at)(const char *before, size_t i);
  PetscBool without_mpi; /* needs none */
} fare_command;

extern const fare_command fare_command_run, fare_command_check, fare_command_status, fare_command_list,
  fare_command_describe, fare_command_info, fare_command_report, fare_command_sweep, fare_command_collect,
  fare_command_export, fare_command_score, fare_command_infer, fare_command_init, fare_command_doctor,
  fare_command_completion, fare_command_help;
extern const fare_command *const fare_commands[]; /* NULL ends it */

/* FARE_ERR_INPUT, with the nearest, where there is none of that name. */
PetscErrorCode fare_find_command(const char *name, const fare_command **command);
/* What one subcommand does, with its example and options. */
void fare_print_help(const fare_command *command);

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
  The value of `--name value` or `--name=value` as the i-th argument, or NULL; moves *i on to it. `what` is
  missing where nothing follows: "a value".
*/
PetscErrorCode fare_option_value(const fare_command *command, const fare_arguments *arguments, int *i,
  const char *name, const char *what, const char **value);
/*
  Takes the i-th argument, and where that is --set the one behind it, unless it is an option of another kind.
*/
PetscErrorCode fare_study_option(const fare_command *command, const fare_arguments *arguments, int *i,
  fare_study_options *options, PetscBool *taken);
#define FARE_OPTION_SIZE 32
/* The i-th option that the synopsis names, "--set", and --help behind them; false past the last. */
PetscBool fare_option_at(const fare_command *command, size_t i, char option[FARE_OPTION_SIZE]);
/* FARE_ERR_INPUT, with the nearest of the command's options. */
PetscErrorCode fare_unknown_option(const fare_command *command, const char *word);

/* What `fare help` and the manual page have in common. */
#define FARE_HELP_ABOUT                                                                                   \
  "FARE %s measures how far a generator's distribution is from the exact one,\nat all times of a driven " \
  "system.\n"
#define FARE_HELP_PETSC "Options after -- go to PETSc, for instance:\n-- -truth_ksp_monitor -log_view\n"
#define FARE_HELP_CODES \
  "0 done, 1 failed, 2 bad input or usage, 75 stopped on request with a checkpoint\n(--resume continues).\n"
/* Prints the manual page of the subcommands, for man(1). */
void fare_print_manual(const fare_command *const commands[], FILE *to);
/* Prints the script by which bash or zsh completes them. */
void fare_print_completion(const fare_command *const commands[], PetscBool zsh);
/*
  A file or directory of what FARE comes with ("input", "postproc/fare_report.py"): of the source tree while
  it is there, of the installation, or of $FARE_HOME; false where there is none.
*/
PetscBool fare_find_data(const char *name, size_t size, char path[]);

/* What is drawn of a directory when MPI has ended, on rank 0. */
typedef enum {
  FARE_DRAW_NOTHING,
  FARE_DRAW_REPORT, /* report.html of a study */
  FARE_DRAW_SWEEP   /* sweep.csv and sweep.html of a sweep */
} fare_drawing;
/* Replaces what was to be drawn before. */
void fare_draw_later(fare_drawing what, const char *directory);
#define FARE_DRAW_WORDS_MAX 8
/* An option for the Python program, for instance "--movie=gif"; at most FARE_DRAW_WORDS_MAX of them. */
void fare_draw_option(const char *name, const char *value);
/* Draws it with the Python that was found when FARE was built, and says where it is. Returns an exit code. */
int fare_draw_now(void);

#endif
