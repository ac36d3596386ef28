/* SPDX-License-Identifier: BSD-2-Clause */
/* Errors: one line each, alike on all ranks where they can be, and no rank left waiting where they cannot. */
#include "align.h"
#include "blas.h"
#include "crash.h"
#include "launch.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE 30   /* seconds */
#define NAP      1000 /* microseconds between two looks whether the others have come */

static fare_failure last;
static char         message[sizeof last.where + sizeof last.text + 2];
static MPI_Comm     settlement = MPI_COMM_NULL; /* where nothing else is ever sent */

static int is_ours(PetscErrorCode code)
{
  return code == FARE_ERR_INPUT || code == FARE_ERR_FAILED || code == FARE_ERR_STOPPED;
}

/*
  Keeps an error as one line, whatever names of files it quotes. A caret under a formula has lines of its own,
  which are made with '\n' by us.
*/
static void keep(const fare_failure *failure)
{
  if (failure != &last) last = *failure;
  snprintf(message, sizeof message, "%s%s%s", last.where, *last.where ? ": " : "", last.text);
  for (char *c = message; *c; c++) {
    if (((unsigned char)*c < ' ' && *c != '\n') || *c == 0x7F) *c = '?';
  }
}

static void keep_formatted(PetscErrorCode code, const char *where, const char *format, va_list arguments)
{
  fare_failure failure = {.code = code};

  snprintf(failure.where, sizeof failure.where, "%s", where);
  vsnprintf(failure.text, sizeof failure.text, format, arguments);
  keep(&failure);
}

PetscErrorCode fare_error(PetscErrorCode code, const char *format, ...)
{
  va_list arguments;

  va_start(arguments, format);
  keep_formatted(code, "", format, arguments);
  va_end(arguments);
  return code;
}

PetscErrorCode fare_error_at(PetscErrorCode code, const char *where, const char *format, ...)
{
  va_list arguments;

  va_start(arguments, format);
  keep_formatted(code, where, format, arguments);
  va_end(arguments);
  return code;
}

const fare_failure *fare_error_last(void)
{
  return &last;
}

const char *fare_error_message(void)
{
  return message;
}

/* The error of one rank becomes that of all. Collective. */
static PetscErrorCode share(MPI_Comm comm, int rank)
{
  fare_failure failure = last;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Bcast(&failure, sizeof failure, MPI_BYTE, rank, comm));
  keep(&failure);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_error_agree(MPI_Comm comm, PetscErrorCode code)
{
  struct {
    int value, rank;
  } mine, worst;
  int rank;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  mine.value = (int)code;
  mine.rank  = rank;
  PetscCallMPI(MPI_Allreduce(&mine, &worst, 1, MPI_2INT, MPI_MAXLOC, comm));
  if (worst.value) PetscCall(share(comm, worst.rank));
  PetscFunctionReturn((PetscErrorCode)worst.value);
}

static double patience(void)
{
  const char  *told    = getenv("FARE_PATIENCE");
  const double seconds = told ? atof(told) : 0;

  return seconds > 0 ? seconds : PATIENCE;
}

/* The others wait in a call that this rank will never make. */
static void end_all(int rank)
{
  fprintf(stderr, "fare: rank %d: %s%s%s; the other ranks, unaware of it, wait elsewhere%s%s\n", rank,
    message, *fare_crash_doing() ? ", in " : "", fare_crash_doing(), *fare_advice() ? "; " : "",
    fare_advice());
  fflush(NULL);
  MPI_Abort(PETSC_COMM_WORLD, FARE_EXIT_FAILED);
}

/* The error stays one at its place, so that who handles it sees whose it is. */
static void name_rank(int rank)
{
  const fare_failure alone = last;

  (void)fare_error_at(alone.code, alone.where, "rank %d: %.1000s%s%s", rank, alone.text,
    *fare_crash_doing() ? ", in " : "", fare_crash_doing());
}

PetscErrorCode fare_error_settle(PetscErrorCode code, PetscBool *alike)
{
  struct {
    int value, rank;
  } mine[2], all[2]; /* the largest code and the least, that one with its sign changed */
  const double began = fare_seconds();
  MPI_Request  request;
  int          rank, done = 0;

  PetscFunctionBegin;
  if (alike) *alike = PETSC_TRUE;
  if (settlement == MPI_COMM_NULL) PetscFunctionReturn(code);
  PetscCallMPI(MPI_Comm_rank(settlement, &rank));
  mine[0].value = (int)code;
  mine[1].value = -(int)code;
  mine[0].rank = mine[1].rank = rank;
  PetscCallMPI(MPI_Iallreduce(mine, all, 2, MPI_2INT, MPI_MAXLOC, settlement, &request));
  PetscCallMPI(MPI_Test(&request, &done, MPI_STATUS_IGNORE));
  while (!done) {
    if (code && fare_seconds() - began > patience()) end_all(rank);
    usleep(NAP);
    PetscCallMPI(MPI_Test(&request, &done, MPI_STATUS_IGNORE));
  }
  if (!all[0].value) PetscFunctionReturn(0);
  if (alike) *alike = all[0].value == -all[1].value ? PETSC_TRUE : PETSC_FALSE;
  if (rank == all[0].rank && rank && all[0].value != -all[1].value) name_rank(rank);
  PetscCall(share(settlement, all[0].rank));
  PetscFunctionReturn((PetscErrorCode)all[0].value);
}

/* Failures of PETSc that are no faults of a program: solvers, memory, options. */
static int is_trouble(PetscErrorCode code)
{
  return code == PETSC_ERR_MEM || code == PETSC_ERR_FP || code == PETSC_ERR_CONV_FAILED ||
    code == PETSC_ERR_NOT_CONVERGED || code == PETSC_ERR_MAT_LU_ZRPVT || code == PETSC_ERR_ARG_UNKNOWN_TYPE ||
    code == PETSC_ERR_USER_INPUT;
}

/*
  PETSc calls this at every level an error passes. Ours stay silent until fare_finalize, and trouble becomes
  ours; the rest get PETSc's trace.
*/
static PetscErrorCode handle_error(MPI_Comm comm, int line, const char *function, const char *file,
  PetscErrorCode code, PetscErrorType type, const char *text, void *context)
{
  if (is_ours(code)) return code;
  if (type == PETSC_ERROR_INITIAL)
    fare_error(code, "PETSc: %s (error %d in %s)", text ? text : "", (int)code, function ? function : "?");
  for (char *c = last.text; *c; c++) *c = *c == '\n' ? ' ' : *c;
  keep(&last);
  if (is_trouble(code)) return FARE_ERR_FAILED;
  return PetscTraceBackErrorHandler(comm, line, function, file, code, type, text, context);
}

PetscErrorCode fare_initialize(int argc, char **argv)
{
  PetscErrorCode code;

  fare_prepare_mpi();
  signal(SIGXFSZ, SIG_IGN); /* a file that grows beyond the limit is an error of the write */
  code = PetscInitialize(&argc, &argv, NULL, NULL);
  if (code) return code;
  code = PetscPushErrorHandler(handle_error, NULL);
  if (code) return code;
  code = fare_prepare_arrays();
  if (code) return code;
  if (MPI_Comm_dup(PETSC_COMM_WORLD, &settlement)) return PETSC_ERR_MPI;
  fare_prepare_blas();
  return fare_crash_listen();
}

PetscErrorCode fare_initialize_without_mpi(void)
{
  return PetscPushErrorHandler(handle_error, NULL);
}

static int exit_code(PetscErrorCode code)
{
  if (code == FARE_ERR_INPUT) return FARE_EXIT_INPUT;
  if (code == FARE_ERR_STOPPED) return FARE_EXIT_STOPPED;
  return code ? FARE_EXIT_FAILED : FARE_EXIT_DONE;
}

int fare_finalize(PetscErrorCode code)
{
  const PetscBool first = fare_is_rank_0(MPI_COMM_WORLD);
  int             mpi   = 0;

  MPI_Initialized(&mpi);
  if ((fflush(stdout) || ferror(stdout)) && !code)
    code = fare_error(FARE_ERR_FAILED, "standard output could not be written completely (disk full?)");
  code = fare_error_settle(code, NULL);
  if (code && first) fprintf(stderr, "fare: %s\n", message);
  fflush(NULL);
  if (!mpi) return exit_code(code);
  if (code && !is_ours(code)) { /* nobody knows in what state PETSc is */
    MPI_Barrier(settlement);    /* so that nobody is ended before the line is out */
    MPI_Abort(PETSC_COMM_WORLD, FARE_EXIT_FAILED);
    return FARE_EXIT_FAILED;
  }
  PetscPopErrorHandler();
  if (settlement != MPI_COMM_NULL) MPI_Comm_free(&settlement);
  if (PetscFinalize() && !code) return FARE_EXIT_FAILED;
  return exit_code(code);
}

const char *fare_version(void)
{
  return FARE_VERSION;
}
