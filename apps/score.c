/* SPDX-License-Identifier: BSD-2-Clause */
/* score: samples from anywhere against the truth of a finished study. */
#include "fare.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MEASURES_MOST = 32, REPLICATES_LEAST = 40, REPLICATES_MOST = 100000 };

static PetscErrorCode unknown_measure(const char *word)
{
  const char *names[MEASURES_MOST];
  size_t      count = 0;

  for (; count < MEASURES_MOST && fare_score_measure_at(count); count++)
    names[count] = fare_score_measure_at(count)->name;
  return fare_error_unknown("measure", word, names, count);
}

static const fare_measure_type *find_measure(const char *word)
{
  for (size_t i = 0; fare_score_measure_at(i); i++) {
    if (!strcmp(fare_score_measure_at(i)->name, word)) return fare_score_measure_at(i);
  }
  return NULL;
}

/* kl,wasserstein_1 */
static PetscErrorCode read_measures(
  const char *list, const fare_measure_type *measure[MEASURES_MOST], size_t *count)
{
  PetscFunctionBegin;
  *count = 0;
  while (list) {
    const char *comma  = strchr(list, ',');
    const int   length = (int)(comma ? comma - list : (ptrdiff_t)strlen(list));
    char        word[64];

    snprintf(word, sizeof word, "%.*s", PetscMin(length, 63), list);
    if (*count == MEASURES_MOST)
      PetscCall(fare_usage(&fare_command_score, "at most %d measures", MEASURES_MOST));
    measure[*count] = find_measure(word);
    if (!measure[*count]) PetscCall(unknown_measure(word));
    for (size_t i = 0; i < *count; i++) {
      if (measure[i] == measure[*count])
        PetscCall(fare_usage(&fare_command_score, "duplicate measure '%s'", word));
    }
    ++*count;
    list = comma ? comma + 1 : NULL;
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode read_replicates(const char *word, int *replicates)
{
  char *end;
  long  value;

  PetscFunctionBegin;
  errno = 0;
  value = strtol(word, &end, 10);
  if (errno || *end || end == word || (value && value < REPLICATES_LEAST) || value > REPLICATES_MOST)
    PetscCall(fare_usage(&fare_command_score,
      "--replicates: expected an integer from %d to %d, or 0 for values alone, got '%.60s'", REPLICATES_LEAST,
      REPLICATES_MOST, word));
  *replicates = (int)value;
  PetscFunctionReturn(0);
}

static PetscErrorCode choose_form(fare_score_form form, fare_score_options *o)
{
  PetscFunctionBegin;
  if (o->form != FARE_SCORE_TABLE && o->form != form)
    PetscCall(fare_usage(&fare_command_score, "either --json or --csv"));
  o->form = form;
  PetscFunctionReturn(0);
}

static PetscErrorCode read_word(const char *word, fare_score_options *o)
{
  PetscFunctionBegin;
  if (!strcmp(word, "--json"))
    PetscCall(choose_form(FARE_SCORE_JSON, o));
  else if (!strcmp(word, "--csv"))
    PetscCall(choose_form(FARE_SCORE_CSV, o));
  else if (*word == '-')
    PetscCall(fare_unknown_option(&fare_command_score, word));
  else if (!o->directory)
    o->directory = word;
  else if (!o->samples)
    o->samples = word;
  else
    PetscCall(fare_usage(&fare_command_score, "one directory and one file, got '%.60s' too", word));
  PetscFunctionReturn(0);
}

static PetscErrorCode score(const fare_arguments *arguments)
{
  const fare_measure_type *measure[MEASURES_MOST];
  fare_score_options       o = {.measure = measure, .replicates = FARE_SCORE_REPLICATES};

  PetscFunctionBegin;
  for (int i = 1; i < arguments->count; i++) {
    const char *measures, *replicates = NULL;

    PetscCall(fare_option_value(&fare_command_score, arguments, &i, "--measures", "a value", &measures));
    if (!measures)
      PetscCall(
        fare_option_value(&fare_command_score, arguments, &i, "--replicates", "a value", &replicates));
    if (measures)
      PetscCall(read_measures(measures, measure, &o.measures));
    else if (replicates)
      PetscCall(read_replicates(replicates, &o.replicates));
    else
      PetscCall(read_word(arguments->argument[i], &o));
  }
  if (!o.directory) PetscCall(fare_usage(&fare_command_score, "which study's truth, and which samples?"));
  if (!o.samples) PetscCall(fare_usage(&fare_command_score, "which samples?"));
  PetscCall(fare_score(PETSC_COMM_WORLD, &o, stdout));
  PetscFunctionReturn(0);
}

const fare_command fare_command_score = {
  .name = "score",
  .synopsis =
    "score TRUTH_DIR SAMPLES.h5 [--json | --csv] [--measures kl,wasserstein_1,...] [--replicates 200]",
  .summary = "compares samples of any origin with the truth of a finished study",
  .help =
    "fare score out/prinz_driven mine.h5\n"
    "fare score out/prinz_driven mine.h5 --measures kl,wasserstein_1 --json > mine.json\n\n"
    "mine.h5 holds /times [T] and /samples [T, N, d] (fare.write_samples in Python writes it; "
    "docs/scoring.md has the format).\n"
    "TRUTH_DIR is the output of `fare run`. Times must be times of its snapshots; not all are needed.\n",
  .run = score,
};
