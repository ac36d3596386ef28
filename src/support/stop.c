/* Being asked to stop, by a signal or by the clock. */
#include <fare/support.h>

#include <math.h>
#include <signal.h>

static volatile sig_atomic_t asked;
static double                deadline = HUGE_VAL;

static void ask(int signal)
{
  (void)signal;
  asked = 1;
}

PetscErrorCode fare_stop_listen(double seconds)
{
  struct sigaction action = {.sa_handler = ask, .sa_flags = SA_RESTART};

  PetscFunctionBeginUser;
  sigemptyset(&action.sa_mask);
  if (sigaction(SIGTERM, &action, NULL) || sigaction(SIGUSR1, &action, NULL)) FARE_FAIL(FARE_ERR_FAILED, "cannot listen to SIGTERM and SIGUSR1");
  deadline = seconds > 0 ? fare_seconds() + seconds : HUGE_VAL;
  PetscFunctionReturn(0);
}

PetscBool fare_stop_asked(void)
{
  return asked || fare_seconds() >= deadline ? PETSC_TRUE : PETSC_FALSE;
}
