/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Being asked to stop, by a signal or by the clock. Who sends SIGTERM again after a while does not want to
  wait for the next safe point: then it has its usual effect.
*/
#include <fare/support.h>

#include <math.h>
#include <signal.h>
#include <time.h>

#define WHILE 5 /* seconds: a batch system may send one request twice */

static volatile sig_atomic_t asked;
static volatile time_t       since; /* the first SIGTERM, on the clock that is never set; 0: none */
static double                deadline = HUGE_VAL;

static void ask(int number)
{
  struct timespec now;

  asked = 1;
  if (number != SIGTERM) return;
  clock_gettime(CLOCK_MONOTONIC, &now);
  if (!since) {
    since = now.tv_sec;
  } else if (now.tv_sec - since >= WHILE) {
    signal(SIGTERM, SIG_DFL);
    raise(SIGTERM);
  }
}

PetscErrorCode fare_stop_listen(double seconds)
{
  struct sigaction action = {.sa_handler = ask, .sa_flags = SA_RESTART};

  PetscFunctionBegin;
  sigemptyset(&action.sa_mask);
  if (sigaction(SIGTERM, &action, NULL) || sigaction(SIGUSR1, &action, NULL))
    FARE_FAIL(FARE_ERR_FAILED, "cannot handle SIGTERM and SIGUSR1");
  deadline = seconds > 0 ? fare_seconds() + seconds : HUGE_VAL;
  PetscFunctionReturn(0);
}

PetscBool fare_stop_asked(void)
{
  return asked || fare_seconds() >= deadline ? PETSC_TRUE : PETSC_FALSE;
}
