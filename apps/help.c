/* SPDX-License-Identifier: BSD-2-Clause */
/* help: the subcommands, and what each does. */
#include "fare.h"

#include <stdio.h>
#include <string.h>

const fare_command *const fare_commands[] = {&fare_command_run, &fare_command_check, &fare_command_status,
  &fare_command_list, &fare_command_describe, &fare_command_info, &fare_command_report, &fare_command_sweep,
  &fare_command_collect, &fare_command_export, &fare_command_score, &fare_command_help, NULL};

static PetscErrorCode help(const fare_arguments *arguments)
{
  fare_table *table;
  int         rank;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  if (arguments->count > 2) PetscCall(fare_usage(&fare_command_help, "one subcommand at a time"));
  for (size_t i = 0; arguments->count > 1 && fare_commands[i]; i++) {
    if (strcmp(fare_commands[i]->name, arguments->argument[1])) continue;
    if (rank == 0)
      printf("%s\nusage: fare %s\n%s\n", fare_commands[i]->help, fare_commands[i]->synopsis,
        fare_commands[i]->summary);
    PetscFunctionReturn(0);
  }
  if (arguments->count > 1 && arguments->argument[1][0] != '-')
    PetscCall(fare_usage(&fare_command_help, "there is no subcommand '%.60s'", arguments->argument[1]));
  if (rank) PetscFunctionReturn(0);
  printf("mpirun -n 4 fare run input/prinz_driven.yaml\n\n");
  printf("FARE %s tells how far a generator's distribution is from the exact one,\nat every moment of a "
         "driven system.\n\n",
    fare_version());
  fare_table_create(2, &table);
  fare_table_cell(table, "subcommand");
  fare_table_cell(table, "what it does");
  for (size_t i = 0; fare_commands[i]; i++) {
    fare_table_cell(table, "%s", fare_commands[i]->name);
    fare_table_cell(table, "%s", fare_commands[i]->summary);
  }
  fare_table_print(table, stdout);
  fare_table_destroy(&table);
  printf("\nfare help SUBCOMMAND shows an example and all options. Those behind -- go to PETSc, for "
         "instance:\n-- -truth_ksp_monitor -log_view\n");
  printf("Exit codes: 0 done, 1 failed, 2 bad input or usage, 75 stopped on request with a "
         "checkpoint\n(--resume goes on).\n");
  PetscFunctionReturn(0);
}

const fare_command fare_command_help = {
  .name     = "help",
  .synopsis = "help [SUBCOMMAND]",
  .summary  = "this",
  .help     = "fare help run\n",
  .run      = help,
};
