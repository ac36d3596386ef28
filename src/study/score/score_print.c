/* SPDX-License-Identifier: BSD-2-Clause */
/* Scores as a table for people, as JSON and as CSV. */
#include "score.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define UNLIKELY 0.05 /* a p-value below this is counted */

typedef struct {
  double average, most, held_out, floor, excess, corrected, truth_error, least_p;
  size_t unlikely, held_out_times;
} summary;

static PetscBool is_held_out(const fare_scores *s, size_t i)
{
  const PetscBool own = s->samples->has_trained;

  return (own ? s->samples->trained[i] : s->study->trained[s->samples->snapshot[i]]) ? PETSC_FALSE
                                                                                     : PETSC_TRUE;
}

/* Who says which times are held out: the file, the study that has learned, or nobody. */
static const char *split_of(const fare_scores *s)
{
  if (s->samples->has_trained) return "file";
  return s->study->learned ? "study" : "alternate";
}

/* Times that the study's own samplers learned from and the generator did not, or the other way round. */
static size_t split_differs(const fare_scores *s)
{
  size_t differ = 0;

  for (size_t i = 0; i < s->samples->times && s->samples->has_trained && s->study->learned; i++) {
    differ += s->samples->trained[i] != s->study->trained[s->samples->snapshot[i]];
  }
  return differ;
}

/* The time at which most lies outside the truth's box, and at how many times something does. */
static size_t find_outside(const fare_scores *s, size_t *times)
{
  size_t most = 0;

  *times = 0;
  for (size_t i = 0; i < s->samples->times; i++) {
    if (s->outside[i] > s->outside[most]) most = i;
    *times += s->outside[i] > 0;
  }
  return most;
}

static summary summarise(const fare_scores *s, size_t m)
{
  const double times = (double)s->samples->times;
  summary      of    = {.most = -HUGE_VAL, .least_p = 1, .truth_error = NAN};

  for (size_t i = 0; i < s->samples->times; i++) {
    const fare_measured *at = &s->at[i * s->measures + m];

    of.average += at->value / times;
    of.floor += at->floor_mean / times;
    of.excess += at->excess / times;
    of.corrected += at->corrected / times;
    of.most        = PetscMax(of.most, at->value);
    of.truth_error = fmax(of.truth_error, at->truth_error);
    of.least_p     = PetscMin(of.least_p, at->p_value);
    of.unlikely += at->p_value < UNLIKELY;
    of.held_out_times += is_held_out(s, i);
    of.held_out += is_held_out(s, i) ? at->value : 0;
  }
  of.held_out /= (double)of.held_out_times; /* not a number without any */
  if (of.most == -HUGE_VAL) of.most = NAN;  /* no value was a number */
  return of;
}

static void add_escaped(fare_text *to, const char *text)
{
  fare_text_add(to, "\"");
  for (; *text; text++) {
    if (*text == '"' || *text == '\\')
      fare_text_add(to, "\\%c", *text);
    else if ((unsigned char)*text < 0x20)
      fare_text_add(to, "\\u%04x", (unsigned)(unsigned char)*text);
    else
      fare_text_add(to, "%c", *text);
  }
  fare_text_add(to, "\"");
}

static void add_text(fare_text *to, const char *key, const char *text)
{
  fare_text_add(to, "  \"%s\": ", key);
  add_escaped(to, text);
  fare_text_add(to, ",\n");
}

/* JSON has no words for what is no number. */
static void add_number(fare_text *to, const char *key, double number)
{
  fare_text_add(to, "\"%s\": ", key);
  if (isfinite(number))
    fare_text_add(to, "%.17g", number);
  else
    fare_text_add(to, "null");
}

static void add_numbers(fare_text *to, size_t count, const char *const keys[], const double numbers[])
{
  for (size_t i = 0; i < count; i++) {
    if (i) fare_text_add(to, ", ");
    add_number(to, keys[i], numbers[i]);
  }
}

/* Of one measure at one time, in the order of JSON and CSV. */
static const struct {
  const char *name, *meaning;
} columns[] = {
  {"value", "the measure of the samples against the truth"},
  {"floor", "mean over random draws of as many exact samples"},
  {"floor_high", "95% quantile over draws of as many exact samples"},
  {"low", "lower end of the 95% confidence interval for infinitely many samples"},
  {"high", "upper end of the 95% confidence interval for infinitely many samples"},
  {"excess", "value - floor"},
  {"p_value", "(1 + k)/(1 + R), k of R exact draws reaching the value"},
  {"truth_error", "change of the value when the estimated error is added to the truth"},
  {"effective", "effective number of samples, (sum w)^2 / sum w^2"},
  {"corrected", "value minus its estimated bias"},
  {"significance", "excess in standard deviations of the exact draws"},
  {"independent", "number of independent samples with the same scatter between groups"},
  {"outside",
    "fraction of the samples' weight outside the truth's box, after wrapping along periodic axes: 0 to 1"},
};
#define COLUMNS PETSC_STATIC_ARRAY_LENGTH(columns)

const char *fare_score_column_at(size_t i, const char **meaning)
{
  static const char reason[] = "why low, high and corrected are missing; empty if they are not";

  *meaning = i < COLUMNS ? columns[i].meaning : i == COLUMNS ? reason : NULL;
  return i < COLUMNS ? columns[i].name : i == COLUMNS ? "no_interval" : NULL;
}

static void take_columns(const fare_scores *s, size_t i, size_t m, double numbers[COLUMNS])
{
  const fare_measured *of   = &s->at[i * s->measures + m];
  const double all[COLUMNS] = {of->value, of->floor_mean, of->floor_high, of->low, of->high, of->excess,
    of->p_value, of->truth_error, of->effective, of->corrected, of->significance, of->independent,
    s->outside[i]};

  memcpy(numbers, all, sizeof all);
}

static void write_summary(const fare_scores *s, fare_text *to)
{
  static const char *const keys[] = {
    "average", "maximum", "held_out_average", "floor", "excess", "truth_error", "least_p_value", "corrected"};

  fare_text_add(to, "  \"summary\": [");
  for (size_t m = 0; m < s->measures; m++) {
    const summary of        = summarise(s, m);
    const double  numbers[] = {
       of.average, of.most, of.held_out, of.floor, of.excess, of.truth_error, of.least_p, of.corrected};

    fare_text_add(to, "%s\n    {\"measure\": \"%s\", ", m ? "," : "", s->measure[m]->name);
    add_numbers(to, PETSC_STATIC_ARRAY_LENGTH(keys), keys, numbers);
    fare_text_add(to, ", \"times_below_0.05\": %zu}", of.unlikely);
  }
  fare_text_add(to, "\n  ],\n");
}

void fare_scores_write_json(const fare_scores *s, fare_text *to)
{
  const char *before = "";
  size_t      times;

  fare_text_add(to, "{\n");
  add_text(to, "format", "fare-score 1.0");
  add_text(to, "software", "FARE");
  add_text(to, "softwareVersion", fare_version());
  add_text(to, "truth", s->study->directory);
  add_text(to, "samples", s->samples->path);
  add_text(to, "study", s->study->study);
  add_text(to, "system", s->study->system);
  fare_text_add(to,
    "  \"dimension\": %d,\n  \"times\": %zu,\n  \"replicates\": %d,\n  \"seed\": %lld,\n  \"level\": 0.95,\n",
    s->study->dim, s->samples->times, PetscMax(0, s->replicates), (long long)s->study->seed);
  add_text(to, "split", split_of(s));
  fare_text_add(to, "  \"split_differs\": %zu,\n  ", split_differs(s));
  add_number(to, "outside", s->outside[find_outside(s, &times)]);
  fare_text_add(to, ",\n");
  write_summary(s, to);
  fare_text_add(to, "  \"measures\": [");
  for (size_t i = 0; i < s->samples->times; i++) {
    for (size_t m = 0; m < s->measures; m++) {
      double numbers[COLUMNS];

      take_columns(s, i, m, numbers);
      fare_text_add(to, "%s\n    {", before);
      add_number(to, "time", s->study->time[s->samples->snapshot[i]]);
      fare_text_add(to, ", \"held_out\": %s, \"measure\": \"%s\", ", is_held_out(s, i) ? "true" : "false",
        s->measure[m]->name);
      for (size_t c = 0; c < COLUMNS; c++) {
        if (c) fare_text_add(to, ", ");
        add_number(to, columns[c].name, numbers[c]);
      }
      fare_text_add(to, ", \"samples\": %lld, \"no_interval\": \"%s\"}", (long long)s->samples->count[i],
        fare_interval_reasons[s->at[i * s->measures + m].interval]);
      before = ",";
    }
  }
  fare_text_add(to, "\n  ]\n}\n");
}

void fare_scores_write_csv(const fare_scores *s, fare_text *to)
{
  fare_text_add(to, "time,held_out,measure");
  for (size_t c = 0; c < COLUMNS; c++) fare_text_add(to, ",%s", columns[c].name);
  fare_text_add(to, ",samples,no_interval\n");
  for (size_t i = 0; i < s->samples->times; i++) {
    for (size_t m = 0; m < s->measures; m++) {
      double numbers[COLUMNS];

      take_columns(s, i, m, numbers);
      fare_text_add(to, "%.17g,%d,%s", s->study->time[s->samples->snapshot[i]], is_held_out(s, i) ? 1 : 0,
        s->measure[m]->name);
      for (size_t c = 0; c < COLUMNS; c++) fare_text_add(to, ",%.17g", numbers[c]);
      fare_text_add(to, ",%lld,%s\n", (long long)s->samples->count[i],
        fare_interval_reasons[s->at[i * s->measures + m].interval]);
    }
  }
}

/* Where intervals are withheld, and why: a line for each reason. */
static void print_withheld(const fare_scores *s, FILE *to)
{
  for (int reason = 1; reason < FARE_INTERVAL_KINDS; reason++) {
    size_t count = 0;

    for (size_t i = 0; i < s->samples->times * s->measures; i++) count += (int)s->at[i].interval == reason;
    if (count)
      fprintf(to, "No interval for %zu of %zu values: %s.\n", count, s->samples->times * s->measures,
        fare_interval_reasons[reason]);
  }
}

static void print_split(const fare_scores *s, FILE *to)
{
  const char  *who    = "`fare export` marks as such (every second)";
  const size_t differ = split_differs(s);

  if (s->study->learned) who = "the study did not train on";
  if (s->samples->has_trained) who = "/trained of the file excludes";
  fprintf(to, "Held out: the times that %s. Per time, with 95%% intervals: --json or --csv.\n", who);
  if (differ)
    fprintf(to, "The study's own samplers learned from another set: %zu of these times differ.\n", differ);
}

void fare_scores_warn(const fare_scores *s)
{
  size_t       times;
  const size_t most = find_outside(s, &times);

  if (!times) return;
  fare_warn("%s: at %zu of %zu times samples lie outside the truth's box, where its density is zero: %.3g%% "
            "of the weight at time %.10g",
    s->samples->path, times, s->samples->times, 100 * s->outside[most],
    s->study->time[s->samples->snapshot[most]]);
}

/* What is no number, say a mean over pairs of a single sample, is a dash. */
static void number_cell(fare_table *table, const char *format, double value)
{
  char text[32];

  snprintf(text, sizeof text, format, value);
  fare_table_cell(table, "%s", isnan(value) ? "-" : text);
}

PetscErrorCode fare_scores_print(const fare_scores *s, FILE *to)
{
  static const char *const heading[] = {"measure", "unit", "time average", "maximum", "held-out average",
    "noise floor", "excess", "truth error", "smallest p", "p < 0.05 at"};
  int64_t                  fewest = s->samples->count[0], most = s->samples->count[0];
  double                   effective = s->effective[0], least_total = s->total[0], most_total = s->total[0];
  size_t                   outside;
  const size_t             worst = find_outside(s, &outside);
  const PetscBool          alone = s->replicates == FARE_VALUES_ALONE ? PETSC_TRUE : PETSC_FALSE;
  fare_table              *table;

  PetscFunctionBegin;
  for (size_t i = 1; i < s->samples->times; i++) {
    fewest      = PetscMin(fewest, s->samples->count[i]);
    most        = PetscMax(most, s->samples->count[i]);
    effective   = PetscMin(effective, s->effective[i]);
    least_total = PetscMin(least_total, s->total[i]);
    most_total  = PetscMax(most_total, s->total[i]);
  }
  fprintf(to, "%s against the truth of study %s (%s, system %s)\n", s->samples->path, s->study->study,
    s->study->directory, s->study->system);
  fprintf(to, "%zu of its %zu snapshots, ", s->samples->times, s->study->snapshots);
  if (s->samples->cells)
    fprintf(to, "a density on cells that sums to between %.9g and %.9g%s", least_total, most_total,
      s->samples->cells == FARE_CELLS_MASS ? " (the rest is outside)" : ", scaled to 1");
  else if (fewest == most)
    fprintf(to, "%lld samples at each", (long long)most);
  else
    fprintf(to, "%lld to %lld samples", (long long)fewest, (long long)most);
  if (s->samples->weighted[0]) fprintf(to, ", weighted, at least %.4g of them effective", effective);
  if (outside)
    fprintf(to, "; outside the truth's box: at most %.3g%%, at %zu of %zu times", 100 * s->outside[worst],
      outside, s->samples->times);
  fprintf(to, "\n\n");
  fare_table_create(PETSC_STATIC_ARRAY_LENGTH(heading), &table);
  fare_table_headings(table, heading);
  for (size_t m = 0; m < s->measures; m++) {
    const summary of = summarise(s, m);

    fare_table_cell(table, "%s", s->measure[m]->name);
    fare_table_cell(table, "%s", *s->measure[m]->unit ? s->measure[m]->unit : "1");
    number_cell(table, "%.3e", of.average);
    number_cell(table, "%.3e", of.most);
    number_cell(table, "%.3e", of.held_out_times ? of.held_out : NAN);
    number_cell(table, "%.3e", alone ? NAN : of.floor);
    number_cell(table, "%.3e", alone ? NAN : of.excess);
    number_cell(table, "%.1e", of.truth_error);
    number_cell(table, "%.3f", alone ? NAN : of.least_p);
    fare_table_cell(table, alone ? "-" : "%zu of %zu times", of.unlikely, s->samples->times);
  }
  fare_table_print(table, to);
  fare_table_destroy(&table);
  if (s->samples->cells) {
    fprintf(to,
      "\nSums over cells have no noise and no floor. A value below the truth error is no distance at "
      "all.\n");
    PetscFunctionReturn(0);
  }
  if (alone) {
    fprintf(to, "\nValues alone: whether they are more than noise is not known without --replicates.\n");
    print_split(s, to);
    PetscFunctionReturn(0);
  }
  fprintf(to,
    "\nA value within its noise floor is consistent with zero; excess: value above the floor. Exact samples, "
    "independent at each time, have p < 0.05 at about one time in 20.\n");
  print_split(s, to);
  print_withheld(s, to);
  PetscFunctionReturn(0);
}
