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

#define FARE_DIM_MAX  3   /**< most axes of a grid */
#define FARE_AXES_MAX 128 /**< most axes of a state */

/**
  Starts MPI and PETSc, tells Open MPI how unless its variables are set (a process alone looks for no network;
  ranks that wait yield their cores), keeps our errors to one line, writes a line for a rank that crashes (not
  with PETSc's option -no_signal_handler), and holds BLAS to one thread per rank. An OpenBLAS that does not
  know this processor is given kernels for its instructions, unless OPENBLAS_CORETYPE is set. A closed pipe
  ends a program without a word, or with such a line where fare_doing() has told what it does. Collective.
  @param argc number of PETSc's options, as of main()
  @param argv these options
  @return 0 or an error code
*/
PetscErrorCode fare_initialize(int argc, char **argv);
/**
  In its place, for what needs neither MPI nor PETSc's objects, in a process that is alone. Errors of ours
  work as usual; fare_finalize() ends it.
  @return 0 or an error code
*/
PetscErrorCode fare_initialize_without_mpi(void);
/**
  Whether this process was started as a rank, by mpirun, srun or another launcher. Not collective.
  @return false for a process that is alone
*/
PetscBool fare_is_launched(void);
/**
  Prints the message of an error on rank 0, and ends PETSc and MPI. Output that could not be written is an
  error, too. Collective.
  @param code what the program ends with; 0: no error
  @return the exit code
*/
int fare_finalize(PetscErrorCode code);

/**
  From now on SIGINT (Ctrl-C), SIGTERM and SIGUSR1 are requests to stop at the next safe point, and rank 0
  confirms SIGINT and SIGTERM on standard error. A second SIGINT ends the process at once, and so does a
  SIGTERM five seconds after the first. Where SIGINT is ignored, it stays so. Not collective.
  @param seconds after which there is such a request, too; 0: never
  @return FARE_ERR_FAILED where signals cannot be caught
*/
PetscErrorCode fare_stop_listen(double seconds);
/**
  Whether there was a request to stop. Not collective: where ranks must act as one, let them agree first.
  @return whether this rank has been asked
*/
PetscBool fare_stop_asked(void);
/**
  Ends what takes long where there was a request to stop. Collective.
  @param comm  the ranks, one of which may have been asked
  @param doing what is ended, for the message
  @return FARE_ERR_STOPPED where one has been
*/
PetscErrorCode fare_stop_check(MPI_Comm comm, const char *doing);

/**
  Keeps one line of text as the message. Not collective.
  @param code   of the error
  @param format of the text, as of printf(), with its arguments behind
  @return `code`
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
/** The error kept last. */
typedef struct {
  PetscErrorCode code;        /**< 0: none so far */
  char           where[1024]; /**< may be "" */
  char           text[2048];  /**< what is wrong */
} fare_failure;
/**
  The error kept last.
  @return borrowed
*/
const fare_failure *fare_error_last(void);
/**
  Its message. Not collective.

  @return "where: text" or "text"; "" where there is none; borrowed
*/
const char *fare_error_message(void);
/**
  Whether this rank writes and prints for all. Not collective.
  @param comm the ranks
  @return whether it is rank 0
*/
PetscBool fare_is_rank_0(MPI_Comm comm);
/**
  Makes an error collective. Collective.
  @param comm the ranks that agree
  @param code of this rank; 0: no error
  @return the largest code of all; every rank then has the message of the lowest rank with that code
*/
PetscErrorCode fare_error_agree(MPI_Comm comm, PetscErrorCode code);

/**
  The same over all of PETSC_COMM_WORLD, at a place where a rank may come alone because of an error that
  others do not have: it waits FARE_PATIENCE seconds (of the environment; 30) for them, then says so in one
  line and ends them all, for they wait for it elsewhere. Ranks without an error wait as long as it takes. A
  message of some ranks alone gets the rank. Collective.
  @param code  of this rank; 0: no error
  @param alike whether all ranks came with the same; may be NULL
  @return the largest code of all
*/
PetscErrorCode fare_error_settle(PetscErrorCode code, PetscBool *alike);

/**
  Says what this rank does from now on, for the line of a rank that fails alone or crashes. Not collective.
  @param format "ensemble walk up to time 0.3", as of printf(), with its arguments behind
*/
void fare_doing(const char *format, ...) PETSC_ATTRIBUTE_FORMAT(1, 2);
/**
  Says what to do after such a failure. Not collective.
  @param format "--resume continues from ...", as of printf(), with its arguments behind
*/
void fare_advise(const char *format, ...) PETSC_ATTRIBUTE_FORMAT(1, 2);
/**
  The advice kept last. Not collective.
  @return borrowed; "" where there is none
*/
const char *fare_advice(void);

/** Ends a function with an error of ours. */
#define FARE_FAIL(code, ...) PetscFunctionReturn(fare_error(code, __VA_ARGS__))

/**
  Writes a line of the log on rank 0, led by the seconds since the start. Not collective.
  @param format as of printf(), with its arguments behind
*/
void fare_log(const char *format, ...) PETSC_ATTRIBUTE_FORMAT(1, 2);
/**
  The same to stderr, marked as a warning.
  @param format as of printf(), with its arguments behind
*/
void fare_warn(const char *format, ...) PETSC_ATTRIBUTE_FORMAT(1, 2);
/**
  Keeps log, warnings and progress from being written, for work that is only tried. Not collective.
  @param hush whether they are kept back from now on
*/
void fare_hush(PetscBool hush);
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
  const char *what;  /**< what goes on; borrowed */
  double      total; /**< amount of work */
  double      began; /**< when it did */
  double      shown; /**< when a line was last written */
} fare_progress;
/**
  Begins. Not collective.
  @param progress filled in
  @param what     goes on; borrowed until fare_progress_end()
  @param total    amount of work, in any unit
*/
void fare_progress_begin(fare_progress *progress, const char *what, double total);
/**
  Shows how much of the total is done, unless a line was shown a moment ago. Not collective.
  @param progress what goes on
  @param done     amount of work done so far, in the unit of the total
  @param note     text behind the line; may be NULL
*/
void fare_progress_update(fare_progress *progress, double done, const char *note);
/**
  Ends, with a line of how long it took. Not collective.
  @param progress what ends
*/
void fare_progress_end(fare_progress *progress);

/**
  Memory that the ranks of a machine ask for together. Collective.
  @param comm  the ranks
  @param bytes that this rank asks for
  @param asked bytes that all ranks on its machine ask for
  @param there bytes that are free there; infinite where that cannot be told
  @return 0 or an error code
*/
PetscErrorCode fare_memory_of_machine(MPI_Comm comm, double bytes, double *asked, double *there);

/** Half the width of a 95% interval of a normal distribution, in standard deviations. */
#define FARE_NORMAL_95 1.959963984540054
/**
  The same of Student's t, by the expansion of Fisher and Cornish: to 0.001 from 5 degrees of freedom on. Not
  collective.

  @param freedom degrees of freedom
  @return standard deviations
*/
double fare_student_95(double freedom);

/** A growing string. Zero it to begin; the owner frees it with fare_text_free(). */
typedef struct {
  char  *text;     /**< NULL where nothing was added yet */
  size_t length;   /**< without the byte that terminates it */
  size_t capacity; /**< of its memory */
} fare_text;
/**
  Appends text; ends the program where there is no memory. Not collective.
  @param to     grows
  @param format of the text, as of printf(), with its arguments behind
*/
void fare_text_add(fare_text *to, const char *format, ...) PETSC_ATTRIBUTE_FORMAT(2, 3);
/**
  Frees a string and empties it. Not collective.
  @param text zeroed, ready to begin again
*/
void fare_text_free(fare_text *text);

/** A table for people: columns aligned, the first row is the heading. Cells are copied. */
typedef struct fare_table fare_table;
/**
  Creates an empty table; ends the program where there is no memory. Not collective.
  @param columns number of columns
  @param table   destroy with fare_table_destroy()
*/
void fare_table_create(int columns, fare_table **table);
/**
  Adds the next cell, row by row. Not collective.
  @param table  the table
  @param format of the cell, as of printf(), with its arguments behind; cut after 511 bytes
*/
void fare_table_cell(fare_table *table, const char *format, ...) PETSC_ATTRIBUTE_FORMAT(2, 3);
/**
  Adds a number with its error as a cell: 1.565(29)e-07 stands for 1.565e-07 +- 0.029e-07. Seven digits
  without brackets where the error is smaller than the last of them, or not known. Not collective.
  @param table the table
  @param mark  before it
  @param value the number
  @param error its absolute error; NaN: not known
*/
void fare_table_measured(fare_table *table, const char *mark, double value, double error);
/**
  Appends the heading. Not collective.

  @param table the table
  @param names one for each column
*/
void fare_table_headings(fare_table *table, const char *const names[]);
/**
  Prints a table; columns of numbers go right, others left. Not collective.
  @param table the table
  @param to    where to
*/
void fare_table_print(const fare_table *table, FILE *to);
/**
  Destroys a table. Not collective.
  @param table set to NULL; may be NULL already
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
  Appends " (did you mean 'walk'?)" where a name is near. Not collective.

  @param to    grows
  @param word  as it was written
  @param names that are known
  @param count of names
*/
void fare_text_add_nearest(fare_text *to, const char *word, const char *const names[], size_t count);

/**
  Keeps "unknown measure 'k' (did you mean 'kl'?); choose from: kl, tv" as the message. Not collective.

  @param what  is named: "measure"
  @param word  as it was written
  @param names that are known
  @param count of names
  @return FARE_ERR_INPUT
*/
PetscErrorCode fare_error_unknown(
  const char *what, const char *word, const char *const names[], size_t count);

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
