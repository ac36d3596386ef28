/* SPDX-License-Identifier: BSD-2-Clause */
/* help: the subcommands, and what each does. */
#include "fare.h"

#include <stdio.h>
#include <string.h>

const fare_command *const fare_commands[] = {&fare_command_run, &fare_command_check, &fare_command_status,
  &fare_command_list, &fare_command_describe, &fare_command_info, &fare_command_report, &fare_command_sweep,
  &fare_command_collect, &fare_command_export, &fare_command_score, &fare_command_init, &fare_command_doctor,
  &fare_command_completion, &fare_command_help, NULL};

static const char about[] =
  "FARE %s tells how far a generator's distribution is from the exact one,\nat every moment "
  "of a driven system.\n";
static const char options[] =
  "Options behind -- go to PETSc, for instance:\n-- -truth_ksp_monitor -log_view\n";
static const char codes[] =
  "0 done, 1 failed, 2 bad input or usage, 75 stopped on request with a checkpoint\n"
  "(--resume goes on).\n";

static const char *command_at(const char *before, size_t i)
{
  return before || !fare_commands[i] ? NULL : fare_commands[i]->name;
}

/* Text for man(1), where backslashes, hyphens and leading dots mean something. */
static void print_roff(const char *text, FILE *to)
{
  for (const char *c = text; *c; c++) {
    if ((c == text || c[-1] == '\n') && (*c == '.' || *c == '\'')) fputs("\\&", to);
    if (*c == '\\') {
      fputs("\\e", to);
    } else if (*c == '-') {
      fputs("\\-", to);
    } else {
      fputc(*c, to);
    }
  }
}

static void print_manual_of(const fare_command *command, FILE *to)
{
  const char  *rest    = strstr(command->help, "\n\n");
  const size_t example = rest ? (size_t)(rest - command->help) + 1 : strlen(command->help);
  char         text[4096];

  fprintf(to, ".SS fare ");
  print_roff(command->synopsis, to);
  fprintf(to, "\n");
  print_roff(command->summary, to);
  snprintf(text, sizeof text, "%.*s", (int)example, command->help);
  fprintf(to, ".\n.PP\n.EX\n");
  print_roff(text, to);
  fprintf(to, ".EE\n");
  if (rest) fprintf(to, ".PP\n"), print_roff(rest + 2, to);
}

/* The manual page, from the table of subcommands. */
static void print_manual(FILE *to)
{
  char text[256];

  fprintf(to, ".TH FARE 1 \"\" \"fare %s\" \"User Commands\"\n.SH NAME\n", fare_version());
  fprintf(to, "fare \\- far-from-equilibrium reference ensembles\n.SH SYNOPSIS\n.B fare\n");
  fprintf(to, ".I SUBCOMMAND\n[arguments] [\\-\\- PETSc options]\n.SH DESCRIPTION\n");
  snprintf(text, sizeof text, about, fare_version());
  print_roff(text, to);
  print_roff(options, to);
  fprintf(to, ".SH SUBCOMMANDS\n");
  for (size_t i = 0; fare_commands[i]; i++) print_manual_of(fare_commands[i], to);
  fprintf(to, ".SH EXIT STATUS\n");
  print_roff(codes, to);
}

static PetscErrorCode help(const fare_arguments *arguments)
{
  fare_table *table;
  int         rank;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  if (arguments->count > 2) PetscCall(fare_usage(&fare_command_help, "one subcommand at a time"));
  if (arguments->count > 1 && !strcmp(arguments->argument[1], "--man")) {
    if (rank == 0) print_manual(stdout);
    PetscFunctionReturn(0);
  }
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
  printf(about, fare_version());
  printf("\n");
  fare_table_create(2, &table);
  fare_table_cell(table, "subcommand");
  fare_table_cell(table, "what it does");
  for (size_t i = 0; fare_commands[i]; i++) {
    fare_table_cell(table, "%s", fare_commands[i]->name);
    fare_table_cell(table, "%s", fare_commands[i]->summary);
  }
  fare_table_print(table, stdout);
  fare_table_destroy(&table);
  printf("\nfare help SUBCOMMAND shows an example and all options. %sExit codes: %s", options, codes);
  PetscFunctionReturn(0);
}

const fare_command fare_command_help = {
  .name     = "help",
  .synopsis = "help [SUBCOMMAND | --man]",
  .summary  = "lists the subcommands, explains one, or prints the manual page",
  .help     = "fare help run\nfare help --man | man -l -\n",
  .run      = help,
  .word_at  = command_at,
};
