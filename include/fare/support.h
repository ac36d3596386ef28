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

/**
  A user's mistake, the same on every rank: exit code 2. Error codes of our own lie above PETSc's; they carry
  one line of text and print no stack trace.
*/
#define FARE_ERR_INPUT ((PetscErrorCode)3002)
/** something outside failed (disk, solver, data): exit code 1 */
#define FARE_ERR_FAILED ((PetscErrorCode)3001)
/** stopped on request with a checkpoint written: exit code 75 */
#define FARE_ERR_STOPPED ((PetscErrorCode)3075)

/** Axes of a grid; also the largest dimension of a state for now. */
#define FARE_DIM_MAX 3

/**
  Starts MPI and PETSc, installs the error handler that keeps our errors to one line, and a signal handler
  that has a line, too, for a rank that crashes (not with PETSc's option -no_signal_handler), and holds BLAS
  to one thread per rank. Collective.

  @param argc of PETSc's own options
  @param argv the same
  @return an error of PETSc or MPI
*/
PetscErrorCode fare_initialize(int argc, char **argv);
/**
  Prints the message of an error on rank 0 if it is one of ours, ends PETSc and MPI. Collective.

  @param code 0, or the error that the program ends with
  @return the exit code
*/
int fare_finalize(PetscErrorCode code);

/**
  From now on SIGTERM and SIGUSR1 are requests to stop at the next safe point. Not collective.

  @param seconds after which there is such a request, too; 0: none
  @return FARE_ERR_FAILED where signals cannot be handled
*/
PetscErrorCode fare_stop_listen(double seconds);
/**
  Whether this rank has been asked to stop; where ranks must act as one, let them agree first. Not collective.

  @return true where it has
*/
PetscBool fare_stop_asked(void);

/**
  Keeps one line of text as the message of an error. Not collective.

  @param code   of the error
  @param format of the message, as for printf
  @return the code
*/
PetscErrorCode fare_error(PetscErrorCode code, const char *format, ...) PETSC_ATTRIBUTE_FORMAT(2, 3);
/**
  The same of something at a place. Not collective.

  @param code   of the error
  @param where  leads the message: "study.yaml:3:5: truth.cells"
  @param format of the message, as for printf
  @return the code
*/
PetscErrorCode fare_error_at(PetscErrorCode code, const char *where, const char *format, ...)
  PETSC_ATTRIBUTE_FORMAT(3, 4);
/** An error. */
typedef struct {
  PetscErrorCode code;        /**< 0: none so far */
  char           where[1024]; /**< where it is; may be "" */
  char           text[2048];  /**< what is wrong */
} fare_failure;
/**
  The error kept last. Not collective.

  @return borrowed; the next error replaces it
*/
const fare_failure *fare_error_last(void);
/**
  Its message. Not collective.

  @return "where: text" or "text"; "" where there is none; borrowed
*/
const char *fare_error_message(void);
/**
  Whether this is the rank that writes and prints for all. Not collective.

  @param comm of the ranks; any before MPI has started
  @return true on rank 0
*/
PetscBool fare_is_rank_0(MPI_Comm comm);
/**
  Makes an error collective: when any rank has one, every rank gets the largest and the message of the lowest
  rank that has it. Collective.

  @param comm the ranks
  @param code of this rank
  @return the same on every rank
*/
PetscErrorCode fare_error_agree(MPI_Comm comm, PetscErrorCode code);

/**
  The same over all of PETSC_COMM_WORLD, at a place where a rank may come alone because of an error that
  others do not have: it waits FARE_PATIENCE seconds (of the environment; 30) for them, then says so in one
  line and ends them all, for they wait for it elsewhere. Ranks without an error wait as long as it takes. A
  message of some ranks alone gets the rank. Collective.

  @param code  of this rank
  @param alike whether all ranks came with the same; may be NULL
  @return the same on every rank
*/
PetscErrorCode fare_error_settle(PetscErrorCode code, PetscBool *alike);

/**
  What this rank does from now on, for the line that a rank leaves that fails alone or crashes. Not
  collective.

  @param format as for printf: "ensemble walk on its way to time 0.3"
*/
void fare_doing(const char *format, ...) PETSC_ATTRIBUTE_FORMAT(1, 2);
/**
  What to do after a failure, for the same line. Not collective.

  @param format as for printf: "--resume goes on from ..."
*/
void fare_advise(const char *format, ...) PETSC_ATTRIBUTE_FORMAT(1, 2);
/**
  That advice. Not collective.

  @return "" where there is none; borrowed
*/
const char *fare_advice(void);

/** Ends a function with an error of ours. */
#define FARE_FAIL(code, ...) PetscFunctionReturn(fare_error(code, __VA_ARGS__))

/**
  Prints a line of the log, led by the seconds since the start. Only rank 0 acts. Not collective.

  @param format as for printf
*/
void fare_log(const char *format, ...) PETSC_ATTRIBUTE_FORMAT(1, 2);
/**
  The same, marked as a warning, to stderr. Not collective.

  @param format as for printf
*/
void fare_warn(const char *format, ...) PETSC_ATTRIBUTE_FORMAT(1, 2);
/**
  The time. Not collective.

  @return seconds since an arbitrary moment in the past
*/
double fare_seconds(void);

/**
  Progress of long work with an ETA: one rewritten line on a terminal, a line now and then in a log. Rank 0
  prints; the others may call it freely. Not collective.
*/
typedef struct {
  const char *what;  /**< is done */
  double      total; /**< amount of work */
  double      began; /**< in fare_seconds() */
  double      shown; /**< when the line was printed last, in fare_seconds() */
} fare_progress;
/**
  Begins. Not collective.

  @param progress owned by the caller; needs no end
  @param what     is done; borrowed
  @param total    amount of work
*/
void fare_progress_begin(fare_progress *progress, const char *what, double total);
/**
  Says how far the work is. Not collective.

  @param progress begun
  @param done     of its total
  @param note     stands behind it; may be NULL
*/
void fare_progress_update(fare_progress *progress, double done, const char *note);
/**
  Ends the line. Not collective.

  @param progress begun
*/
void fare_progress_end(fare_progress *progress);

/**
  The memory of this rank's machine, alike on all of its ranks. Collective.

  @param comm  the ranks
  @param bytes that this rank asks for
  @param asked by the ranks of `comm` on this machine together
  @param there free on it; infinity where that cannot be told
  @return an error of MPI
*/
PetscErrorCode fare_memory_of_machine(MPI_Comm comm, double bytes, double *asked, double *there);

/** A growing string. Zero it to begin; the owner frees it with fare_text_free(). */
typedef struct {
  char  *text;     /**< terminated; NULL where it is empty */
  size_t length;   /**< of the text */
  size_t capacity; /**< bytes that there is room for */
} fare_text;
/**
  Appends to a string. Not collective.

  @param to     the string
  @param format as for printf
*/
void fare_text_add(fare_text *to, const char *format, ...) PETSC_ATTRIBUTE_FORMAT(2, 3);
/**
  Frees a string and empties it. Not collective.

  @param text the string
*/
void fare_text_free(fare_text *text);

/** A table for people: columns aligned, the first row is the heading. Cells are copied. */
typedef struct fare_table fare_table;
/**
  Begins a table. Not collective.

  @param columns of the table
  @param table   owned by the caller: fare_table_destroy()
*/
void fare_table_create(int columns, fare_table **table);
/**
  Appends a cell; the next row begins behind the last column. Not collective.

  @param table  the table
  @param format as for printf
*/
void fare_table_cell(fare_table *table, const char *format, ...) PETSC_ATTRIBUTE_FORMAT(2, 3);
/**
  Appends the heading. Not collective.

  @param table the table
  @param names one for each column
*/
void fare_table_headings(fare_table *table, const char *const names[]);
/**
  Prints a table. Not collective.

  @param table the table
  @param to    an open file
*/
void fare_table_print(const fare_table *table, FILE *to);
/**
  Frees a table. Not collective.

  @param table set to NULL; may be NULL
*/
void fare_table_destroy(fare_table **table);

/**
  The name that was meant, by edit distance: for "did you mean". Not collective.

  @param word  as it was written
  @param names that are known
  @param count of names
  @return the nearest, or NULL where none is near
*/
const char *fare_nearest(const char *word, const char *const names[], size_t count);

/**
  Whether a text can name a thing. Not collective.

  @param text may be NULL
  @return true for 1 to 64 letters, digits, _ and -
*/
PetscBool fare_is_word(const char *text);

/**
  The version of FARE. Not collective.

  @return "0.2.0"
*/
const char *fare_version(void);

#endif
