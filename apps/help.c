/* SPDX-License-Identifier: BSD-2-Clause */
/* help: the subcommands, and what each does. */
#include "fare.h"

#include <stdio.h>
#include <string.h>

const fare_command *const fare_commands[] = {&fare_command_run, &fare_command_check, &fare_command_status,
  &fare_command_list, &fare_command_describe, &fare_command_info, &fare_command_report, &fare_command_sweep,
  &fare_command_collect, &fare_command_export, &fare_command_score, &fare_command_infer, &fare_command_init,
  &fare_command_doctor, &fare_command_completion, &fare_command_help, NULL};

static const char *command_at(const char *before, size_t i)
{
  return before || !fare_commands[i] ? NULL : fare_commands[i]->name;
}

PetscErrorCode fare_find_command(const char *name, const fare_command **command)
{
  const char *names[32];
  size_t      count = 0;

  for (; fare_commands[count]; count++) {
    names[count] = fare_commands[count]->name;
    *command     = fare_commands[count];
    if (!strcmp(names[count], name)) return 0;
  }
  return fare_error_unknown("subcommand", name, names, count);
}

void fare_print_help(const fare_command *command)
{
  printf("%s\nusage: fare %s\n%s\n", command->help, command->synopsis, command->summary);
}

static void print_overview(void)
{
  fare_table *table;

  printf("mpirun -n 4 fare run input/prinz_driven.yaml\n\n");
  printf(FARE_HELP_ABOUT, fare_version());
  printf("\n");
  fare_table_create(2, &table);
  fare_table_headings(table, (const char *const[]){"subcommand", "description"});
  for (size_t i = 0; fare_commands[i]; i++) {
    fare_table_cell(table, "%s", fare_commands[i]->name);
    fare_table_cell(table, "%s", fare_commands[i]->summary);
  }
  fare_table_print(table, stdout);
  fare_table_destroy(&table);
  printf("\nfare help SUBCOMMAND shows an example and all options. %sExit codes: %s", FARE_HELP_PETSC,
    FARE_HELP_CODES);
}

static PetscErrorCode help(const fare_arguments *arguments)
{
  const char         *word    = arguments->count > 1 ? arguments->argument[1] : NULL;
  const PetscBool     manual  = word && !strcmp(word, "--man") ? PETSC_TRUE : PETSC_FALSE;
  const fare_command *command = NULL;

  PetscFunctionBegin;
  if (arguments->count > 2) PetscCall(fare_usage(&fare_command_help, "one subcommand at a time"));
  if (word && *word == '-' && !manual) PetscCall(fare_unknown_option(&fare_command_help, word));
  if (word && !manual) PetscCall(fare_find_command(word, &command));
  if (!fare_is_rank_0(PETSC_COMM_WORLD)) PetscFunctionReturn(0);
  if (manual)
    fare_print_manual(fare_commands, stdout);
  else if (word)
    fare_print_help(command);
  else
    print_overview();
  PetscFunctionReturn(0);
}

static const char *const shells[] = {"bash", "zsh"};

static const char *shell_at(const char *before, size_t i)
{
  return before || i >= PETSC_STATIC_ARRAY_LENGTH(shells) ? NULL : shells[i];
}

static PetscErrorCode complete(const fare_arguments *arguments)
{
  size_t shell = 0;

  PetscFunctionBegin;
  while (arguments->count == 2 && shell_at(NULL, shell) && strcmp(arguments->argument[1], shells[shell]))
    shell++;
  if (arguments->count != 2 || !shell_at(NULL, shell))
    PetscCall(fare_usage(&fare_command_completion, "which shell?"));
  if (fare_is_rank_0(PETSC_COMM_WORLD))
    fare_print_completion(fare_commands, shell ? PETSC_TRUE : PETSC_FALSE);
  PetscFunctionReturn(0);
}

const fare_command fare_command_completion = {
  .name        = "completion",
  .synopsis    = "completion bash | zsh",
  .summary     = "prints a shell completion script for subcommands, options and names",
  .help        = "source <(fare completion bash)\n\n"
                 "Put that line into ~/.bashrc, or `source <(fare completion zsh)` after compinit into "
                 "~/.zshrc. An installed FARE provides both to the shells.\n",
  .without_mpi = PETSC_TRUE,
  .run         = complete,
  .word_at     = shell_at,
};

const fare_command fare_command_help = {
  .name        = "help",
  .synopsis    = "help [SUBCOMMAND | --man]",
  .summary     = "lists the subcommands, explains one, or prints the manual page",
  .help        = "fare help run\nfare help --man | man -l -\n",
  .without_mpi = PETSC_TRUE,
  .run         = help,
  .word_at     = command_at,
};
