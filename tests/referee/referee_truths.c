/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The truths of many studies in one process, for referee.py, which knows what they should be. Reads the paths
  of study files from standard input, one a line, and prints for each

    study PATH
    at TIME ERROR SPACE TIME_PART BOUND SURVIVAL BOUNDARY WARNED SECONDS MASS MASS ...    one line a snapshot
    compared ERROR MASS MASS ...                                    and one where they are extrapolated
    failed CODE MESSAGE                                                                   where it was refused
  or the solver gave up done

  Warnings come between these lines, as `fare` prints them.
*/
#include <fare/fare.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_SIZE 4096

static void print_masses(Vec masses)
{
  const PetscScalar *mass;
  PetscInt           n;

  if (VecGetLocalSize(masses, &n) || VecGetArrayRead(masses, &mass)) return;
  for (PetscInt i = 0; i < n; i++) printf(" %.17g", mass[i]);
  VecRestoreArrayRead(masses, &mass);
  putchar('\n');
}

static void print_snapshot(const fare_truth *truth)
{
  const fare_truth_status *s = fare_truth_get_status(truth);

  printf("at %.17g %.17g %.17g %.17g %.17g %.17g %.17g %d %.3g", s->time, s->error, s->error_space,
    s->error_time, s->time_bound, s->survival, s->boundary_mass, s->doubt, s->seconds);
  print_masses(fare_truth_masses(truth));
  if (!s->extrapolated) return;
  printf("compared %.17g", s->error_extrapolated);
  print_masses(fare_truth_compared(truth));
}

/* As fare_run does it: the initial density lies on the truth's box. */
static PetscErrorCode run(const fare_plan *plan)
{
  fare_truth_options options = plan->truth;
  const fare_box     box     = fare_truth_box(plan->system, &options);
  fare_initial       initial = plan->initial;
  fare_truth        *truth;
  PetscErrorCode     code = 0;

  PetscFunctionBeginUser;
  initial.box = &box;
  PetscCall(
    fare_truth_create(PETSC_COMM_WORLD, plan->system, &initial, plan->snapshots.start, &options, &truth));
  for (PetscInt64 k = 0; k < plan->snapshots.count && !code; k++) {
    code = fare_truth_advance(truth, fare_schedule_time(&plan->snapshots, k));
    if (!code) print_snapshot(truth);
  }
  PetscCall(fare_truth_destroy(&truth));
  PetscFunctionReturn(code);
}

static void referee(const char *path)
{
  fare_plan     *plan = NULL;
  PetscErrorCode code;

  printf("study %s\n", path);
  code = fare_plan_read(PETSC_COMM_WORLD, path, 0, NULL, &plan);
  if (!code) code = run(plan);
  if (code) {
    char message[512];

    snprintf(message, sizeof message, "%s", fare_error_message());
    message[strcspn(message, "\n")] = 0;
    printf("failed %d %s\n", (int)code, message);
  }
  if (plan) fare_plan_destroy(&plan);
  printf("done\n");
  fflush(stdout);
}

int main(int argc, char **argv)
{
  char path[PATH_SIZE];

  if (dup2(STDOUT_FILENO, STDERR_FILENO) < 0 || fare_initialize(argc, argv)) return FARE_EXIT_FAILED;
  while (fgets(path, sizeof path, stdin)) {
    path[strcspn(path, "\n")] = 0;
    if (*path) referee(path);
  }
  return fare_finalize(0);
}
