/* SPDX-License-Identifier: BSD-2-Clause */
/* Options of the command line that subcommands share. */
#include "fare.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

PetscErrorCode fare_usage(const fare_command *command, const char *format, ...)
{
  char    what[1024];
  va_list arguments;

  va_start(arguments, format);
  vsnprintf(what, sizeof what, format, arguments);
  va_end(arguments);
  return fare_error(
    FARE_ERR_INPUT, "%s (usage: fare %s; more with fare %s --help)", what, command->synopsis, command->name);
}

PetscErrorCode fare_option_value(const fare_command *command, const fare_arguments *arguments, int *i,
  const char *name, const char *what, const char **value)
{
  const char  *word   = arguments->argument[*i];
  const size_t length = strlen(name);

  PetscFunctionBegin;
  *value = NULL;
  if (!strncmp(word, name, length) && word[length] == '=') *value = word + length + 1;
  if (strcmp(word, name)) PetscFunctionReturn(0);
  if (*i + 1 == arguments->count) PetscCall(fare_usage(command, "%s needs %s", name, what));
  *value = arguments->argument[++*i];
  PetscFunctionReturn(0);
}

PetscErrorCode fare_study_option(const fare_command *command, const fare_arguments *arguments, int *i,
  fare_study_options *options, PetscBool *taken)
{
  const char *word = arguments->argument[*i], *assignment;

  PetscFunctionBegin;
  PetscCall(fare_option_value(command, arguments, i, "--set", "key=value", &assignment));
  *taken = assignment || *word != '-' ? PETSC_TRUE : PETSC_FALSE;
  if (assignment) {
    if (options->count == FARE_ASSIGNMENTS_MAX)
      PetscCall(fare_usage(command, "at most %d --set options", FARE_ASSIGNMENTS_MAX));
    options->assignment[options->count++] = assignment;
  } else if (*taken) {
    if (options->file)
      PetscCall(fare_usage(command, "one study at a time, got '%.60s' and '%.60s'", options->file, word));
    options->file = word;
  }
  PetscFunctionReturn(0);
}

PetscBool fare_option_at(const fare_command *command, size_t i, char option[FARE_OPTION_SIZE])
{
  const char *word  = command->synopsis;
  size_t      found = 0;

  for (; (word = strstr(word, "--")); word += 2) {
    const size_t length = strspn(word + 2, "abcdefghijklmnopqrstuvwxyz-");

    if (!length || found++ != i) continue;
    snprintf(option, FARE_OPTION_SIZE, "%.*s", (int)length + 2, word);
    return PETSC_TRUE;
  }
  snprintf(option, FARE_OPTION_SIZE, "--help");
  return found == i ? PETSC_TRUE : PETSC_FALSE;
}

PetscErrorCode fare_unknown_option(const fare_command *command, const char *word)
{
  enum { MOST = 32 };
  char           option[MOST][FARE_OPTION_SIZE];
  const char    *names[MOST];
  size_t         count = 0;
  fare_text      text  = {0};
  PetscErrorCode code;

  while (count < MOST && fare_option_at(command, count, option[count])) names[count] = option[count], count++;
  fare_text_add(&text, "unknown option '%.60s'", word);
  fare_text_add_nearest(&text, word, names, count);
  code = fare_usage(command, "%s", text.text);
  fare_text_free(&text);
  return code;
}
