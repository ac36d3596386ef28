/* SPDX-License-Identifier: BSD-2-Clause */
/* The manual page, from the table of subcommands. */
#include "fare.h"

#include <stdio.h>
#include <string.h>

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

void fare_print_manual(const fare_command *const commands[], FILE *to)
{
  char text[256];

  fprintf(to, ".TH FARE 1 \"\" \"fare %s\" \"User Commands\"\n.SH NAME\n", fare_version());
  fprintf(to, "fare \\- far-from-equilibrium reference ensembles\n.SH SYNOPSIS\n.B fare\n");
  fprintf(to, ".I SUBCOMMAND\n[arguments] [\\-\\- PETSc options]\n.SH DESCRIPTION\n");
  snprintf(text, sizeof text, FARE_HELP_ABOUT, fare_version());
  print_roff(text, to);
  print_roff(FARE_HELP_PETSC, to);
  fprintf(to, ".SH SUBCOMMANDS\n");
  for (size_t i = 0; commands[i]; i++) print_manual_of(commands[i], to);
  fprintf(to, ".SH EXIT STATUS\n");
  print_roff(FARE_HELP_CODES, to);
}
