/* SPDX-License-Identifier: BSD-2-Clause */
#include <fare/support.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A terminal's line is rewritten this often; a log gets a line this seldom. */
#define TERMINAL_INTERVAL 0.2
#define LOG_INTERVAL      5.0

static PetscBool hushed;

void fare_hush(PetscBool hush)
{
  hushed = hush;
}

double fare_seconds(void)
{
  struct timespec now;

  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/*
  Whether a line can be rewritten. mpirun gives every rank a terminal of its own, which says nothing about
  where it ends: there FARE_PROGRESS tells.
*/
static int is_terminal(void)
{
  const char *told = getenv("FARE_PROGRESS");

  if (told) return !strcmp(told, "terminal");
  return isatty(STDOUT_FILENO) && !getenv("OMPI_COMM_WORLD_SIZE") && !getenv("PMIX_RANK");
}

static double since_start(void)
{
  static double began = -1;

  if (began < 0) began = fare_seconds();
  return fare_seconds() - began;
}

PetscBool fare_is_rank_0(MPI_Comm comm)
{
  int rank = 0, initialized = 0;

  MPI_Initialized(&initialized);
  if (initialized) MPI_Comm_rank(comm, &rank);
  return rank == 0 ? PETSC_TRUE : PETSC_FALSE;
}

static void log_line(FILE *to, const char *mark, const char *format, va_list arguments)
{
  if (hushed || !fare_is_rank_0(MPI_COMM_WORLD)) return;
  if (to == stderr) fflush(stdout);
  fprintf(to, "[%8.1f s] %s", since_start(), mark);
  vfprintf(to, format, arguments);
  fputc('\n', to);
  fflush(to);
}

void fare_log(const char *format, ...)
{
  va_list arguments;

  va_start(arguments, format);
  log_line(stdout, "", format, arguments);
  va_end(arguments);
}

void fare_warn(const char *format, ...)
{
  va_list arguments;

  va_start(arguments, format);
  log_line(stderr, "warning: ", format, arguments);
  va_end(arguments);
}

void fare_progress_begin(fare_progress *progress, const char *what, double total)
{
  progress->what  = what;
  progress->total = total;
  progress->began = progress->shown = fare_seconds();
  (void)since_start();
}

static void duration(double seconds, char *text, size_t size)
{
  if (seconds < 90)
    snprintf(text, size, "%.0f s", seconds);
  else if (seconds < 5400)
    snprintf(text, size, "%.1f min", seconds / 60);
  else
    snprintf(text, size, "%.1f h", seconds / 3600);
}

void fare_progress_update(fare_progress *progress, double done, const char *note)
{
  const double now      = fare_seconds();
  const int    terminal = is_terminal();
  const double fraction = progress->total > 0 ? PetscMin(1.0, done / progress->total) : 1.0;
  char         left[32] = "?";

  if (hushed || !fare_is_rank_0(MPI_COMM_WORLD)) return;
  if (now - progress->shown < (terminal ? TERMINAL_INTERVAL : LOG_INTERVAL)) return;
  progress->shown = now;
  if (fraction > 0) duration((now - progress->began) * (1 / fraction - 1), left, sizeof left);
  if (terminal) {
    printf("\r[%8.1f s] %s %3.0f %%, %s left%s%s\033[K", since_start(), progress->what, 100 * fraction, left,
      note ? "; " : "", note ? note : "");
    fflush(stdout);
  } else {
    fare_log(
      "%s %3.0f %%, %s left%s%s", progress->what, 100 * fraction, left, note ? "; " : "", note ? note : "");
  }
}

void fare_progress_end(fare_progress *progress)
{
  char taken[32];

  if (hushed || !fare_is_rank_0(MPI_COMM_WORLD)) return;
  duration(fare_seconds() - progress->began, taken, sizeof taken);
  if (is_terminal()) printf("\r\033[K");
  fare_log("%s done in %s", progress->what, taken);
}
