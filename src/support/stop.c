/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Being asked to stop, by a signal or by the clock. Who sends SIGTERM again after a while does not want to
  wait for the next safe point, nor does who types Ctrl-C twice: then the signal has its usual effect.
*/
#include <fare/support.h>

#include <math.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WHILE   5 /* seconds: a batch system may send one request twice */
#define REQUEST "\nfare: stops at the next safe point, with a checkpoint"

static volatile sig_atomic_t asked, typed, speaks;
static volatile time_t       since; /* the first SIGTERM, on the clock that is never set; 0: none */
static double                deadline = HUGE_VAL;

/* Within a handler, where nothing else may be called. What cannot be said there is no error. */
static void say(const char *text)
{
  if (speaks && write(STDERR_FILENO, text, strlen(text)) < 0) return;
}

static void end_by(int number)
{
  signal(number, SIG_DFL);
  raise(number);
}

static void ask(int number)
{
  struct timespec now;

  if (number == SIGINT) {
    if (typed) end_by(SIGINT);
    typed = 1;
  }
  /* the others come from batch scripts and from launchers that end the ranks beside one that failed */
  if (!asked && number == SIGINT) say(REQUEST " (Ctrl-C again: at once)\n");
  asked = 1;
  if (number != SIGTERM) return;
  clock_gettime(CLOCK_MONOTONIC, &now);
  if (!since)
    since = now.tv_sec;
  else if (now.tv_sec - since >= WHILE)
    end_by(SIGTERM);
}

/* Ctrl-C is for what runs in front: a shell has programs behind ignore it. */
static int listen_to_the_keyboard(const struct sigaction *action)
{
  struct sigaction before;

  if (sigaction(SIGINT, NULL, &before)) return -1;
  return before.sa_handler == SIG_IGN ? 0 : sigaction(SIGINT, action, NULL);
}

PetscErrorCode fare_stop_listen(double seconds)
{
  struct sigaction action = {.sa_handler = ask, .sa_flags = SA_RESTART};

  PetscFunctionBegin;
  sigemptyset(&action.sa_mask);
  speaks = fare_is_rank_0(PETSC_COMM_WORLD);
  if (sigaction(SIGTERM, &action, NULL) || sigaction(SIGUSR1, &action, NULL) ||
    listen_to_the_keyboard(&action))
    FARE_FAIL(FARE_ERR_FAILED, "cannot handle SIGINT, SIGTERM and SIGUSR1");
  deadline = seconds > 0 ? fare_seconds() + seconds : HUGE_VAL;
  PetscFunctionReturn(0);
}

PetscBool fare_stop_asked(void)
{
  return asked || fare_seconds() >= deadline ? PETSC_TRUE : PETSC_FALSE;
}

PetscErrorCode fare_stop_check(MPI_Comm comm, const char *doing)
{
  int any = fare_stop_asked();

  PetscFunctionBegin;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &any, 1, MPI_INT, MPI_MAX, comm));
  if (any) FARE_FAIL(FARE_ERR_STOPPED, "stopped on request, in %s", doing);
  PetscFunctionReturn(0);
}
