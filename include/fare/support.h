/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
  support: starting and stopping, errors, log and progress, tables of text. Everything may include this.
*/
#ifndef FARE_SUPPORT_H
#define FARE_SUPPORT_H

#include <petscsys.h>
#include <stdint.h>

/** How a program that uses FARE ends. */
enum { FARE_EXIT_DONE = 0, FARE_EXIT_FAILED = 1, FARE_EXIT_INPUT = 2, FARE_EXIT_STOPPED = 75 };

/** Error codes of our own, above PETSc's. They carry one line of text and print no stack trace. */
#define FARE_ERR_INPUT ((PetscErrorCode)3002) /* a user's mistake: the same on every rank, exit code 2 */
/** something outside failed (disk, solver, data): exit code 1 */
#define FARE_ERR_FAILED ((PetscErrorCode)3001)
/** stopped on request with a checkpoint written: exit code 75 */
#define FARE_ERR_STOPPED ((PetscErrorCode)3075)

#define FARE_DIM_MAX 3 /* axes of a grid; also the largest dimension of a state for now */

/**
  Starts MPI and PETSc (with `argc`, `argv` as PETSc's own options), installs the error handler that keeps our
  errors to one line, and a signal handler that has a line, too, for a rank that crashes (not with PETSc's
  option -no_signal_handler), and holds BLAS to one thread per rank. Collective.
*/
PetscErrorCode fare_initialize(int argc, char **argv);
/**
  Prints the message of `code` on rank 0 if it is one of ours, ends PETSc and MPI, returns the exit code.
  Collective.
*/
int fare_finalize(PetscErrorCode code);

/**
  From now on SIGTERM and SIGUSR1 are requests to stop at the next safe point, and so is the end of so many
  seconds (0: none). Not collective.
*/
PetscErrorCode fare_stop_listen(double seconds);
/** Whether this rank has been asked; where ranks must act as one, let them agree first. Not collective. */
PetscBool fare_stop_asked(void);

/**
  Keeps one line of text as the message and returns the code; for use as `return`/SETERR value. Not
  collective.
*/
PetscErrorCode fare_error(PetscErrorCode code, const char *format, ...) PETSC_ATTRIBUTE_FORMAT(2, 3);
/** The same of something at a place: `where` ("study.yaml:3:5: truth.cells") leads the message. */
PetscErrorCode fare_error_at(PetscErrorCode code, const char *where, const char *format, ...)
  PETSC_ATTRIBUTE_FORMAT(3, 4);
/** The error kept last: its code (0: none so far), where it is (may be ""), and what is wrong. */
typedef struct {
  PetscErrorCode code;
  char           where[1024], text[2048];
} fare_failure;
const fare_failure *fare_error_last(void);
/** Its message, "where: text" or "text"; "" where there is none. */
const char *fare_error_message(void);
/** Whether this is the rank that writes and prints for all of `comm`. Not collective. */
PetscBool fare_is_rank_0(MPI_Comm comm);
/**
  Makes `code` collective: when any rank has one, every rank gets the largest and the message of the lowest
  rank that has it. Collective.
*/
PetscErrorCode fare_error_agree(MPI_Comm comm, PetscErrorCode code);

/**
  The same over all of PETSC_COMM_WORLD, at a place where a rank may come alone because of an error that
  others do not have: it waits FARE_PATIENCE seconds (of the environment; 30) for them, then says so in one
  line and ends them all, for they wait for it elsewhere. Ranks without an error wait as long as it takes. A
  message of some ranks alone gets the rank. *alike (may be NULL): whether all ranks came with the same.
  Collective.
*/
PetscErrorCode fare_error_settle(PetscErrorCode code, PetscBool *alike);

/**
  What this rank does from now on ("ensemble walk on its way to time 0.3"), and what to do after a failure
  ("--resume goes on from ..."): for the line that a rank leaves that fails alone or crashes. Not collective.
*/
void        fare_doing(const char *format, ...) PETSC_ATTRIBUTE_FORMAT(1, 2);
void        fare_advise(const char *format, ...) PETSC_ATTRIBUTE_FORMAT(1, 2);
const char *fare_advice(void); /**< "" where there is none */

/** Ends a function with an error of ours. */
#define FARE_FAIL(code, ...) PetscFunctionReturn(fare_error(code, __VA_ARGS__))

/**
  A line of the log on rank 0, led by the seconds since the start. Collective over PETSC_COMM_WORLD in spirit;
  only rank 0 acts.
*/
void fare_log(const char *format, ...) PETSC_ATTRIBUTE_FORMAT(1, 2);
/** As fare_log, marked as a warning, to stderr. */
void fare_warn(const char *format, ...) PETSC_ATTRIBUTE_FORMAT(1, 2);
/** Seconds since an arbitrary moment in the past. */
double fare_seconds(void);

/**
  Progress of long work with an ETA: one rewritten line on a terminal, a line now and then in a log. Rank 0
  prints; the others may call it freely. Not collective.
*/
typedef struct {
  const char *what;
  double      total, began, shown;
} fare_progress;
void fare_progress_begin(fare_progress *progress, const char *what, double total);
void fare_progress_update(fare_progress *progress, double done, const char *note); /**< note: may be NULL */
void fare_progress_end(fare_progress *progress);

/**
  What the ranks of `comm` that share this rank's machine ask for together, `bytes` being what this one does,
  and what is free there (infinity where that cannot be told). Alike on all ranks of a machine. Collective.
*/
PetscErrorCode fare_memory_of_machine(MPI_Comm comm, double bytes, double *asked, double *there);

/** A growing string; `text` is always terminated. Zero it to begin; owner frees it with fare_text_free. */
typedef struct {
  char  *text;
  size_t length, capacity;
} fare_text;
void fare_text_add(fare_text *to, const char *format, ...) PETSC_ATTRIBUTE_FORMAT(2, 3);
void fare_text_free(fare_text *text);

/** A table for people: columns aligned, the first row is the heading. Cells are copied. */
typedef struct fare_table fare_table;
void                      fare_table_create(int columns, fare_table **table);
void fare_table_cell(fare_table *table, const char *format, ...) PETSC_ATTRIBUTE_FORMAT(2, 3);
/** One name for each column. */
void fare_table_headings(fare_table *table, const char *const names[]);
void fare_table_print(const fare_table *table, FILE *to);
void fare_table_destroy(fare_table **table);

/** The nearest of `count` names to `word` by edit distance, or NULL when none is near: for "did you mean". */
const char *fare_nearest(const char *word, const char *const names[], size_t count);

/** Whether a text can name a thing: 1 to 64 letters, digits, _ and -. */
PetscBool fare_is_word(const char *text);

const char *fare_version(void); /**< "0.2.0" */

#endif
