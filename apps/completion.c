/* SPDX-License-Identifier: BSD-2-Clause */
/* Scripts by which bash and zsh complete subcommands, options and names, from the table of subcommands. */
#include "fare.h"

#include <stdio.h>

static void add_words(const fare_command *command, const char *before, fare_text *to)
{
  const char *word;

  for (size_t i = 0; (word = command->word_at(before, i)); i++) fare_text_add(to, "%s%s", i ? " " : "", word);
}

/* The cases of one subcommand: `pattern) words="..." ;;`, where a pattern is "SUBCOMMAND:WORD BEFORE", or
 * "SUBCOMMAND -" for its options. */
static void add_command(const fare_command *command, fare_text *to)
{
  char        option[FARE_OPTION_SIZE];
  const char *word;

  fare_text_add(to, "    \"%s -\") choices=\"", command->name);
  for (size_t i = 0; fare_option_at(command, i, option); i++) fare_text_add(to, "%s%s", i ? " " : "", option);
  fare_text_add(to, "\" ;;\n");
  if (!command->word_at) return;
  fare_text_add(to, "    %s:) choices=\"", command->name);
  add_words(command, NULL, to);
  fare_text_add(to, "\" ;;\n");
  for (size_t i = 0; (word = command->word_at(NULL, i)); i++) {
    if (!command->word_at(word, 0)) continue;
    fare_text_add(to, "    %s:%s) choices=\"", command->name, word);
    add_words(command, word, to);
    fare_text_add(to, "\" ;;\n");
  }
}

/* The words that may stand at the cursor, in $choices; none: files. What both shells have in common. */
static void add_cases(const fare_command *const commands[], fare_text *to)
{
  fare_text_add(to, "  case $1 in\n    :*) choices=\"");
  for (size_t i = 0; commands[i]; i++) fare_text_add(to, "%s%s", i ? " " : "", commands[i]->name);
  fare_text_add(to, " --version\" ;;\n    *:--system) choices=\"");
  for (size_t i = 0; fare_system_type_at(i); i++)
    fare_text_add(to, "%s%s", i ? " " : "", fare_system_type_at(i)->name);
  fare_text_add(to, "\" ;;\n");
  for (size_t i = 0; commands[i]; i++) add_command(commands[i], to);
  fare_text_add(to, "    *) choices= ;;\n  esac\n");
}

/* How each shell tells where the cursor is. */
static const char bash_end[] = "_fare() {\n"
                               "  local choices place=\"\" word=${COMP_WORDS[COMP_CWORD]}\n"
                               "  if ((COMP_CWORD > 1)); then place=${COMP_WORDS[1]}; fi\n"
                               "  if [[ $word == -* ]]; then place+=\" -\"\n"
                               "  elif ((COMP_CWORD > 2)); then place+=:${COMP_WORDS[COMP_CWORD - 1]}\n"
                               "  else place+=:; fi\n"
                               "  _fare_choices \"$place\"\n"
                               "  mapfile -t COMPREPLY < <(compgen -W \"$choices\" -- \"$word\")\n"
                               "}\n"
                               "complete -o bashdefault -o default -F _fare fare\n";
static const char zsh_end[]  = "_fare() {\n"
                               "  local choices place=\"\"\n"
                               "  if ((CURRENT > 2)); then place=${words[2]}; fi\n"
                               "  if [[ $PREFIX == -* ]]; then place+=\" -\"\n"
                               "  elif ((CURRENT > 3)); then place+=:${words[CURRENT-1]}\n"
                               "  else place+=:; fi\n"
                               "  _fare_choices \"$place\"\n"
                               "  if [[ -n $choices ]]; then compadd -- ${=choices}; else _files; fi\n"
                               "}\n"
                               "if [[ $funcstack[1] == _fare ]]; then _fare; else compdef _fare fare; fi\n";

void fare_print_completion(const fare_command *const commands[], PetscBool zsh)
{
  fare_text text = {0};

  add_cases(commands, &text);
  printf("%s# Completion for fare %s\n_fare_choices() {\n%s}\n%s", zsh ? "#compdef fare\n" : "",
    fare_version(), text.text, zsh ? zsh_end : bash_end);
  fare_text_free(&text);
}
