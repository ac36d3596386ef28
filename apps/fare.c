/* SPDX-License-Identifier: BSD-2-Clause */
/* fare: dispatch to subcommands. */
#include "fare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Started by srun without the PMI that this MPI speaks, every task would run the whole study by itself. */
static PetscErrorCode check_launcher(void)
{
  const char *tasks = getenv("SLURM_STEP_NUM_TASKS");
  int         size;

  PetscFunctionBegin;
  if (PETSC_COMM_WORLD == MPI_COMM_NULL) PetscFunctionReturn(0);
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  if (size == 1 && tasks && atoi(tasks) > 1 && !getenv("OMPI_COMM_WORLD_SIZE"))
    FARE_FAIL(FARE_ERR_INPUT,
      "srun started %s tasks, but MPI sees only one: start with srun --mpi=pmix (srun --mpi=list shows the "
      "options), or with mpirun",
      tasks);
  PetscFunctionReturn(0);
}

/* The first word; "help" where there is none, or it asks for help. */
static const char *first_word(const fare_arguments *arguments)
{
  const char *word = arguments->count ? arguments->argument[0] : "help";

  return !strcmp(word, "--help") || !strcmp(word, "-h") ? "help" : word;
}

/* Whether MPI, whose start takes longer than the answer, is not called for. */
static PetscBool does_without_mpi(const fare_arguments *arguments)
{
  const char *name = first_word(arguments);

  if (fare_is_launched()) return PETSC_FALSE;
  for (const fare_command *const *command = fare_commands; *command; command++) {
    if (!strcmp((*command)->name, name)) return (*command)->without_mpi;
  }
  return PETSC_TRUE; /* --version, or a mistake */
}

static PetscErrorCode dispatch(const fare_arguments *arguments)
{
  const PetscBool     first = fare_is_rank_0(PETSC_COMM_WORLD);
  const char         *name  = first_word(arguments);
  const fare_command *command;

  PetscFunctionBegin;
  PetscCall(check_launcher());
  if (!strcmp(name, "--version")) {
    if (first) printf("fare %s\n", fare_version());
    PetscFunctionReturn(0);
  }
  PetscCall(fare_find_command(name, &command));
  for (int i = 1; i < arguments->count; i++) {
    if (strcmp(arguments->argument[i], "--help") && strcmp(arguments->argument[i], "-h")) continue;
    if (first) fare_print_help(command);
    PetscFunctionReturn(0);
  }
  PetscCall(command->run(arguments));
  PetscFunctionReturn(0);
}

/* Commands that end on request with what is done. */
static PetscBool can_stop(const char *command)
{
  return !strcmp(command, fare_command_run.name) || !strcmp(command, fare_command_infer.name) ? PETSC_TRUE
                                                                                              : PETSC_FALSE;
}

int main(int argc, char **argv)
{
  fare_arguments arguments = {argc - 1, argv + 1};
  int            options   = argc, code;
  PetscBool      first;
  char         **petsc;

  /* what stands behind "--" is PETSc's, and only that */
  for (int i = 1; i < argc && options == argc; i++) {
    if (!strcmp(argv[i], "--")) options = i;
  }
  arguments.count = options - 1;
  petsc           = calloc((size_t)(argc - options) + 2, sizeof *petsc);
  if (!petsc) return FARE_EXIT_FAILED;
  petsc[0] = argv[0];
  for (int i = options + 1; i < argc; i++) petsc[i - options] = argv[i];
  /* a request to stop may come before MPI is up, where it would end one rank alone */
  if (arguments.count && can_stop(arguments.argument[0]) && fare_stop_listen(0)) return FARE_EXIT_FAILED;
  if (does_without_mpi(&arguments) ? fare_initialize_without_mpi()
                                   : fare_initialize(PetscMax(1, argc - options), petsc))
    return FARE_EXIT_FAILED;
  first = fare_is_rank_0(PETSC_COMM_WORLD);
  code  = fare_finalize(dispatch(&arguments));
  free(petsc);
  if (code == FARE_EXIT_DONE && first) code = fare_draw_now();
  return code;
}
