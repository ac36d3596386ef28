/* SPDX-License-Identifier: BSD-2-Clause */
/*
  A rank that crashes says which one it is and what it was doing, where PETSc would print a page. The handler
  calls nothing that is not safe in one. A closed pipe counts as a crash of a study; a command that only
  prints ends there without a word, like any other program.
*/
#include "crash.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TEXT_SIZE  512
#define STACK_SIZE (1 << 16)

static char doing[TEXT_SIZE], advice[PETSC_MAX_PATH_LEN + TEXT_SIZE];
static char who[32];           /* "fare: rank 1: " */
static char stack[STACK_SIZE]; /* for the handler, where a rank has used up its own */

static const struct {
  int         number;
  const char *meaning;
} crashes[] = {
  {SIGSEGV, "segmentation fault"},
  {SIGBUS, "bus error (a file cut short while it is mapped?)"},
  {SIGFPE, "floating point exception"},
  {SIGILL, "illegal instruction"},
  {SIGABRT, "aborted"},
  {SIGPIPE, "nobody reads the output any more"},
};

void fare_doing(const char *format, ...)
{
  va_list arguments;

  va_start(arguments, format);
  vsnprintf(doing, sizeof doing, format, arguments);
  va_end(arguments);
}

void fare_advise(const char *format, ...)
{
  va_list arguments;

  va_start(arguments, format);
  vsnprintf(advice, sizeof advice, format, arguments);
  va_end(arguments);
}

const char *fare_advice(void)
{
  return advice;
}

const char *fare_crash_doing(void)
{
  return doing;
}

static void append(char *line, size_t *length, size_t size, const char *text)
{
  while (*text && *length < size) line[(*length)++] = *text++;
}

static void say(int number)
{
  char        line[sizeof who + sizeof doing + sizeof advice + 128];
  const char *meaning = "";
  size_t      length  = 0;

  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(crashes); i++) {
    if (crashes[i].number == number) meaning = crashes[i].meaning;
  }
  append(line, &length, sizeof line - 1, who);
  append(line, &length, sizeof line - 1, meaning);
  if (*doing) append(line, &length, sizeof line - 1, ", in ");
  append(line, &length, sizeof line - 1, doing);
  if (*advice) append(line, &length, sizeof line - 1, "; ");
  append(line, &length, sizeof line - 1, advice);
  line[length++] = '\n';
  if (write(STDERR_FILENO, line, length) < 0) _exit(FARE_EXIT_FAILED);
}

static void crashed(int number)
{
  if (number != SIGPIPE || *doing) say(number);
  raise(number); /* its usual action is back already: the launcher sees the signal and ends the other ranks */
}

PetscErrorCode fare_crash_listen(void)
{
  struct sigaction action = {
    .sa_handler = crashed, .sa_flags = (int)(SA_RESETHAND | SA_NODEFER | SA_ONSTACK)};
  const stack_t own = {.ss_sp = stack, .ss_size = sizeof stack};
  PetscBool     unwanted;
  int           rank;

  PetscFunctionBegin;
  PetscCall(PetscOptionsHasName(NULL, NULL, "-no_signal_handler", &unwanted));
  if (unwanted) PetscFunctionReturn(0);
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  snprintf(who, sizeof who, "fare: rank %d: ", rank);
  sigemptyset(&action.sa_mask);
  (void)sigaltstack(&own, NULL); /* without it a stack that is used up ends the rank without a word */
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(crashes); i++)
    (void)sigaction(crashes[i].number, &action, NULL);
  PetscFunctionReturn(0);
}
