/* SPDX-License-Identifier: BSD-2-Clause */
/* The ranking of samplers as tables for people, as CSV, and in study.h5. */
#include "ranking.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Parts of a method's distance beyond its floor; not a number where no line tells. */
typedef struct {
  double truth_error, samples, method, training_set, learning, error;
} parts;

static parts parts_of(const fare_ranking *ranking, const fare_split *split)
{
  const fare_ranked *learned = &ranking->line[split->learned], *oracle = &ranking->line[split->oracle],
                    *empirical = split->empirical < 0 ? NULL : &ranking->line[split->empirical];

  return (parts){
    .truth_error  = learned->truth_error,
    .samples      = learned->floor,
    .method       = oracle->excess,
    .training_set = empirical ? empirical->excess - oracle->excess : NAN,
    .learning     = learned->excess - oracle->excess,
    .error        = hypot(learned->standard_error, oracle->standard_error),
  };
}

static void number(fare_table *table, const char *format, double value)
{
  fare_table_cell(table, isnan(value) ? "-" : format, value);
}

/* "=" behind a rank that another line has, too. */
static void rank_cell(fare_table *table, const fare_ranking *ranking, int i)
{
  const int at     = ranking->line[i].rank;
  PetscBool shared = PETSC_FALSE;

  for (int k = 0; k < ranking->lines; k++) {
    if (k != i && ranking->line[k].rank == at) shared = PETSC_TRUE;
  }
  fare_table_cell(table, at ? shared ? "%d=" : "%d" : "-", at);
}

static void print_line(
  const fare_ranking *ranking, int i, PetscBool seeds, PetscBool factors, fare_table *table)
{
  const fare_ranked *line = &ranking->line[i];

  rank_cell(table, ranking, i);
  fare_table_cell(table, "%s%s%s", line->of->line, line->is_noise ? " *" : "",
    line->converged == FARE_NOT_CONVERGED ? " !" : "");
  if (seeds) fare_table_cell(table, line->lost ? "%d (%d lost)" : "%d", line->seeds, line->lost);
  number(table, "%.3e", line->value);
  if (seeds) number(table, "%.1e", line->standard_deviation);
  number(table, "%.3e", line->floor);
  number(table, "%.3e", line->excess);
  number(table, "%.1e", line->standard_error);
  if (factors) number(table, ranking->baseline == FARE_NOT_CONVERGED ? "%.3g !" : "%.3g", line->factor);
  number(table, line->of->type->train ? "%.1f" : "-", line->train_seconds);
  number(table, "%.1f", line->sample_seconds);
  number(table, "%.3g", line->force_evaluations);
  number(table, line->network_evaluations > 0 ? "%.3g" : "-", line->network_evaluations);
}

static void print_lines(const fare_ranking *ranking, FILE *to)
{
  const char *names[13];
  size_t      columns = 0;
  PetscBool   seeds = PETSC_FALSE, factors = PETSC_FALSE, noise = PETSC_FALSE, unconverged = PETSC_FALSE;
  fare_table *table;

  for (int i = 0; i < ranking->lines; i++) {
    if (ranking->line[i].of->seeds > 1) seeds = PETSC_TRUE;
    if (!isnan(ranking->line[i].factor)) factors = PETSC_TRUE;
    if (ranking->line[i].is_noise) noise = PETSC_TRUE;
    if (ranking->line[i].converged == FARE_NOT_CONVERGED) unconverged = PETSC_TRUE;
  }
  names[columns++] = "rank";
  names[columns++] = "";
  if (seeds) names[columns++] = "seeds";
  names[columns++] = ranking->results->plan->measure[ranking->measure]->name;
  if (seeds) names[columns++] = "std. dev.";
  names[columns++] = "noise floor";
  names[columns++] = "excess";
  names[columns++] = "std. error";
  if (factors) names[columns++] = "x boltzmann";
  names[columns++] = "training [s]";
  names[columns++] = "sampling [s]";
  names[columns++] = "forces";
  names[columns++] = "network";
  fprintf(to,
    "\nRanking by %s above its noise floor, averaged over %lld %s; indistinguishable lines share a "
    "rank%s%s%s\n",
    names[seeds ? 3 : 2], (long long)ranking->times, ranking->held_out ? "held-out times" : "times",
    noise ? "; *: indistinguishable from exact samples" : "",
    seeds ? "; means and standard deviations over trainings" : "",
    factors ? "; x boltzmann: factor closer to the truth than equilibrium sampling" : "");
  if (unconverged)
    fprintf(to, "! marks samples that have NOT CONVERGED to their model density%s\n",
      factors && ranking->baseline == FARE_NOT_CONVERGED ? ", and everything relative to them" : "");
  if (fare_results_doubt(ranking->results) >= 0)
    fprintf(to,
      "UNRESOLVED: the truth's error, known to an order of magnitude at best, may affect ranks (see "
      "Truth)\n");
  if (fare_results_at_rest(ranking->results) >= 0)
    fprintf(to,
      "BOX TOO SMALL: truth and particles differ at the ends of a position, which may affect ranks (see "
      "Truth)\n");
  fare_table_create((int)columns, &table);
  fare_table_headings(table, names);
  for (int i = 0; i < ranking->lines; i++) print_line(ranking, i, seeds, factors, table);
  fare_table_print(table, to);
  fare_table_destroy(&table);
}

static void print_splits(const fare_ranking *ranking, FILE *to)
{
  static const char *const names[] = {
    "", "truth error", "finite samples", "method error", "learning", "of which training set", "+-"};
  fare_table *table;

  if (!ranking->splits) return;
  fprintf(to,
    "\nWhere the %s comes from: noise floor of finite samples | method error with the exact field (oracle - "
    "floor) | learning error (learned - oracle), and its part due to the finite training set\n",
    ranking->results->plan->measure[ranking->measure]->name);
  fare_table_create(PETSC_STATIC_ARRAY_LENGTH(names), &table);
  fare_table_headings(table, names);
  for (int i = 0; i < ranking->splits; i++) {
    const parts p = parts_of(ranking, &ranking->split[i]);

    fare_table_cell(table, "%s", ranking->line[ranking->split[i].learned].of->line);
    number(table, "%.1e", p.truth_error);
    number(table, "%.2e", p.samples);
    number(table, "%.2e", p.method);
    number(table, "%.2e", p.learning);
    number(table, "%.2e", p.training_set);
    number(table, "%.1e", p.error);
  }
  fare_table_print(table, to);
  fare_table_destroy(&table);
}

void fare_ranking_print(const fare_ranking *ranking, FILE *to)
{
  if (!ranking->lines) return;
  print_lines(ranking, to);
  print_splits(ranking, to);
}

/* What is kept of a line, in the order of ranking.csv. */
#define AT(member) offsetof(fare_ranked, member)
static const fare_column columns[] = {
  {"mean", AT(value)},
  {"spread", AT(standard_deviation)},
  {"error", AT(standard_error)},
  {"floor", AT(floor)},
  {"excess", AT(excess)},
  {"truth_error", AT(truth_error)},
  {"factor", AT(factor)},
  {"train_seconds", AT(train_seconds)},
  {"sample_seconds", AT(sample_seconds)},
  {"force_evaluations", AT(force_evaluations)},
  {"network_evaluations", AT(network_evaluations)},
};

static const fare_column part_columns[] = {
  {"truth_error", offsetof(parts, truth_error)},
  {"finite_samples", offsetof(parts, samples)},
  {"method", offsetof(parts, method)},
  {"learning", offsetof(parts, learning)},
  {"training_set", offsetof(parts, training_set)},
  {"error", offsetof(parts, error)},
};

static const char *mode_of(const fare_plan_ensemble *e)
{
  const fare_sampler_mode mode = fare_plan_ensemble_mode(e);

  return e->type->train || mode != FARE_LEARNED ? fare_sampler_mode_names[mode] : "none";
}

void fare_ranking_csv(const fare_ranking *ranking, fare_text *to)
{
  if (!ranking->lines) return;
  fare_text_add(to,
    "place,line,sampler,family,mode,particles,seeds,lost,noise,measure,times,held_out,converged,baseline_"
    "converged");
  for (size_t c = 0; c < PETSC_STATIC_ARRAY_LENGTH(columns); c++) fare_text_add(to, ",%s", columns[c].name);
  fare_text_add(to, "\n");
  for (int i = 0; i < ranking->lines; i++) {
    const fare_ranked        *line = &ranking->line[i];
    const fare_plan_ensemble *e    = line->of;

    fare_text_add(to, "%d,%s,%s,%s,%s,%lld,%d,%d,%d,%s,%lld,%d,%d,%d", line->rank, e->line, e->type->name,
      fare_sampler_family_names[e->type->family], mode_of(e), (long long)e->particles, line->seeds,
      line->lost, line->is_noise ? 1 : 0, ranking->results->plan->measure[ranking->measure]->name,
      (long long)ranking->times, ranking->held_out ? 1 : 0, line->converged, ranking->baseline);
    for (size_t c = 0; c < PETSC_STATIC_ARRAY_LENGTH(columns); c++)
      fare_text_add(to, ",%.9g", fare_column_value(&columns[c], line));
    fare_text_add(to, "\n");
  }
}

static PetscErrorCode write_line(const fare_ranking *ranking, int i, fare_store *store)
{
  const fare_ranked        *line = &ranking->line[i];
  const fare_plan_ensemble *e    = line->of;
  char                      path[FARE_LABEL_SIZE + 32];

  PetscFunctionBegin;
  snprintf(path, sizeof path, "/ranking/lines/%s", e->line);
  PetscCall(fare_store_group(store, path));
  PetscCall(fare_store_put_int(store, path, "place", line->rank));
  PetscCall(fare_store_put_string(store, path, "sampler", e->type->name));
  PetscCall(fare_store_put_string(store, path, "family", fare_sampler_family_names[e->type->family]));
  PetscCall(fare_store_put_string(store, path, "mode", mode_of(e)));
  PetscCall(fare_store_put_int(store, path, "particles", e->particles));
  PetscCall(fare_store_put_int(store, path, "seeds", line->seeds));
  PetscCall(fare_store_put_int(store, path, "lost", line->lost));
  PetscCall(fare_store_put_int(store, path, "noise", line->is_noise ? 1 : 0));
  PetscCall(fare_store_put_int(store, path, "converged", line->converged));
  for (size_t c = 0; c < PETSC_STATIC_ARRAY_LENGTH(columns); c++)
    PetscCall(fare_store_put_real(store, path, columns[c].name, fare_column_value(&columns[c], line)));
  PetscFunctionReturn(0);
}

static PetscErrorCode write_split(const fare_ranking *ranking, const fare_split *split, fare_store *store)
{
  const parts p = parts_of(ranking, split);
  char        path[FARE_LABEL_SIZE + 32];

  PetscFunctionBegin;
  snprintf(path, sizeof path, "/ranking/splits/%s", ranking->line[split->learned].of->line);
  PetscCall(fare_store_group(store, path));
  PetscCall(fare_store_put_string(store, path, "oracle", ranking->line[split->oracle].of->line));
  if (split->empirical >= 0)
    PetscCall(fare_store_put_string(store, path, "empirical", ranking->line[split->empirical].of->line));
  for (size_t c = 0; c < PETSC_STATIC_ARRAY_LENGTH(part_columns); c++)
    PetscCall(
      fare_store_put_real(store, path, part_columns[c].name, fare_column_value(&part_columns[c], &p)));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_ranking_write(const fare_ranking *ranking, fare_store *store)
{
  PetscFunctionBegin;
  if (!ranking->lines) PetscFunctionReturn(0);
  PetscCall(fare_store_group(store, "/ranking"));
  PetscCall(fare_store_put_string(
    store, "/ranking", "measure", ranking->results->plan->measure[ranking->measure]->name));
  PetscCall(fare_store_put_int(store, "/ranking", "times", ranking->times));
  PetscCall(fare_store_put_int(store, "/ranking", "held_out", ranking->held_out ? 1 : 0));
  PetscCall(fare_store_put_int(store, "/ranking", "baseline_converged", ranking->baseline));
  for (int i = 0; i < ranking->lines; i++) PetscCall(write_line(ranking, i, store));
  for (int i = 0; i < ranking->splits; i++) PetscCall(write_split(ranking, &ranking->split[i], store));
  PetscFunctionReturn(0);
}
