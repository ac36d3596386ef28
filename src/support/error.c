#include <fare/support.h>

#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_SIZE 2048

static char message[MESSAGE_SIZE];

static int is_ours(PetscErrorCode code)
{
  return code == FARE_ERR_INPUT || code == FARE_ERR_FAILED || code == FARE_ERR_STOPPED;
}

PetscErrorCode fare_error(PetscErrorCode code, const char *format, ...)
{
  va_list arguments;

  va_start(arguments, format);
  vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  /* one line, whatever names of files it quotes; a caret under a formula has lines of its own and is made with '\n' by us */
  for (char *c = message; *c; c++) {
    if ((unsigned char)*c < ' ' && *c != '\n') *c = '?';
  }
  return code;
}

const char *fare_error_message(void)
{
  return message;
}

PetscErrorCode fare_error_agree(MPI_Comm comm, PetscErrorCode code)
{
  struct {
    int value, rank;
  } mine, worst;
  int rank;

  PetscFunctionBeginUser;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  mine.value = (int)code;
  mine.rank  = rank;
  PetscCallMPI(MPI_Allreduce(&mine, &worst, 1, MPI_2INT, MPI_MAXLOC, comm));
  if (worst.value) PetscCallMPI(MPI_Bcast(message, MESSAGE_SIZE, MPI_CHAR, worst.rank, comm));
  PetscFunctionReturn((PetscErrorCode)worst.value);
}

/* PETSc calls this at every level an error passes. Ours stay silent until fare_finalize; the rest get PETSc's trace. */
static PetscErrorCode handle_error(MPI_Comm comm, int line, const char *function, const char *file, PetscErrorCode code, PetscErrorType type, const char *text, void *context)
{
  if (is_ours(code)) return code;
  return PetscTraceBackErrorHandler(comm, line, function, file, code, type, text, context);
}

/* Ranks share the cores already; a threaded BLAS on top of them would only get in the way. */
static void hold_blas_to_one_thread(void)
{
  void (*set_threads)(int);

  *(void **)&set_threads = dlsym(RTLD_DEFAULT, "openblas_set_num_threads");
  if (set_threads) set_threads(1);
}

PetscErrorCode fare_initialize(int argc, char **argv)
{
  PetscErrorCode code = PetscInitialize(&argc, &argv, NULL, NULL);

  if (code) return code;
  code = PetscPushErrorHandler(handle_error, NULL);
  if (code) return code;
  hold_blas_to_one_thread();
  return 0;
}

int fare_finalize(PetscErrorCode code)
{
  int rank = 0;

  MPI_Comm_rank(PETSC_COMM_WORLD, &rank);
  if (code && !is_ours(code)) {
    /* not known to be collective: the other ranks may be waiting in a call that this one will never make */
    MPI_Abort(PETSC_COMM_WORLD, FARE_EXIT_FAILED);
    return FARE_EXIT_FAILED;
  }
  if (code && rank == 0) fprintf(stderr, "fare: %s\n", message);
  fflush(NULL);
  PetscPopErrorHandler();
  if (PetscFinalize() && !code) return FARE_EXIT_FAILED;
  if (code == FARE_ERR_INPUT) return FARE_EXIT_INPUT;
  if (code == FARE_ERR_STOPPED) return FARE_EXIT_STOPPED;
  return code ? FARE_EXIT_FAILED : FARE_EXIT_DONE;
}

const char *fare_version(void)
{
  return FARE_VERSION;
}
