/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Which sampler comes nearest to the truth at what cost, over the trainings of each, and which part of its
  error is whose.
*/
#include "ranking.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define APART 2.0 /* standard errors between lines that are told apart */

static PetscBool is_judged(const fare_ranking *ranking, PetscInt64 k)
{
  return ranking->held_out && ranking->results->trained[k] ? PETSC_FALSE : PETSC_TRUE;
}

static void choose_times(fare_ranking *ranking)
{
  const fare_results *r    = ranking->results;
  PetscInt64          kept = 0;

  for (PetscInt64 k = 0; k < r->plan->snapshots.count; k++) kept += r->trained[k] ? 1 : 0;
  ranking->held_out = kept && kept < r->plan->snapshots.count ? PETSC_TRUE : PETSC_FALSE;
  ranking->times    = ranking->held_out ? r->plan->snapshots.count - kept : r->plan->snapshots.count;
}

/* Averages over the judged times of one training. */
typedef struct {
  double value, floor, truth_error, scatter;
} averages;

/*
  False where the training ended before the last of them. Samples of one time move on to the next, so their
  scatter is not averaged away.
*/
static PetscBool average(const fare_ranking *ranking, size_t ensemble, averages *a)
{
  const fare_results  *r = ranking->results;
  const fare_compared *c = NULL;

  memset(a, 0, sizeof *a);
  for (size_t i = 0; i < r->comparisons; i++) {
    if (r->comparison[i].ensemble == ensemble && r->comparison[i].kind == FARE_SAMPLES_TRUTH)
      c = &r->comparison[i];
  }
  if (!c || r->failure[ensemble]) return PETSC_FALSE;
  for (PetscInt64 k = 0; k < r->plan->snapshots.count; k++) {
    const fare_measured *at      = &c->measured[(size_t)k * r->plan->measures + ranking->measure];
    double               scatter = 0;

    if (!is_judged(ranking, k)) continue;
    if (isfinite(at->high - at->low)) scatter = 0.5 * (at->high - at->low) / FARE_NORMAL_95;
    if (at->significance != 0 && isfinite(at->significance))
      scatter = PetscMax(scatter, at->excess / at->significance);
    a->value += at->value / (double)ranking->times;
    a->floor += at->floor_mean / (double)ranking->times;
    a->truth_error += at->truth_error / (double)ranking->times;
    a->scatter += scatter / (double)ranking->times;
  }
  return isnan(a->value) ? PETSC_FALSE : PETSC_TRUE;
}

static void add_training(
  fare_ranked *line, const averages *a, const fare_cost *cost, double *squares, double *scatter)
{
  const double before = line->value, weight = 1.0 / ++line->seeds;

  line->value += weight * (a->value - before);
  *squares += (a->value - before) * (a->value - line->value);
  *scatter += weight * (a->scatter - *scatter);
  line->floor += weight * (a->floor - line->floor);
  line->truth_error += weight * (a->truth_error - line->truth_error);
  line->train_seconds += weight * (cost->train_seconds - line->train_seconds);
  line->sample_seconds += weight * (cost->sample_seconds - line->sample_seconds);
  line->force_evaluations += weight * ((double)cost->force_evaluations - line->force_evaluations);
  line->network_evaluations += weight * ((double)cost->network_evaluations - line->network_evaluations);
}

static void fill_line(const fare_ranking *ranking, size_t first, fare_ranked *line)
{
  const fare_results *r       = ranking->results;
  double              squares = 0, scatter = 0;

  memset(line, 0, sizeof *line);
  line->of        = &r->plan->ensemble[first];
  line->converged = FARE_CONVERGED_UNKNOWN;
  for (size_t i = first; i < first + (size_t)line->of->seeds; i++) {
    const fare_convergence converged = fare_results_approach(r, i).state;
    averages               a;

    if (converged != FARE_CONVERGED_UNKNOWN && line->converged != FARE_NOT_CONVERGED)
      line->converged = converged;
    if (average(ranking, i, &a))
      add_training(line, &a, &r->cost[i], &squares, &scatter);
    else
      line->lost++;
  }
  if (!line->seeds)
    line->value = line->floor = line->truth_error = line->train_seconds = line->sample_seconds =
      line->force_evaluations = line->network_evaluations = NAN;
  line->standard_deviation = line->seeds > 1 ? sqrt(squares / (line->seeds - 1)) : NAN;
  line->standard_error =
    line->seeds ? PetscMax(scatter, line->seeds > 1 ? line->standard_deviation : 0) / sqrt(line->seeds) : NAN;
  line->excess = line->value - line->floor;
  line->is_noise =
    line->excess <= APART * line->standard_error + line->truth_error ? PETSC_TRUE : PETSC_FALSE;
}

static int by_distance(const void *a, const void *b)
{
  const fare_ranked *p = a, *q = b;

  if (isnan(p->excess) != isnan(q->excess)) return isnan(p->excess) ? 1 : -1;
  if (p->excess != q->excess && !isnan(p->excess)) return p->excess < q->excess ? -1 : 1;
  return p->of < q->of ? -1 : 1;
}

/*
  A line shares the rank of the one that leads it unless it is clearly farther away; two that are noise are
  never told apart.
*/
static PetscBool is_apart(const fare_ranked *leader, const fare_ranked *line)
{
  if (leader->is_noise && line->is_noise) return PETSC_FALSE;
  return line->excess - leader->excess > APART * hypot(leader->standard_error, line->standard_error) +
        PetscMax(leader->truth_error, line->truth_error)
    ? PETSC_TRUE
    : PETSC_FALSE;
}

static void give_ranks(fare_ranking *ranking)
{
  int leader = 0;

  for (int i = 0; i < ranking->lines && ranking->line[i].seeds; i++) {
    if (i && is_apart(&ranking->line[leader], &ranking->line[i])) leader = i;
    ranking->line[i].rank = leader + 1;
  }
}

static void compare_with_equilibrium(fare_ranking *ranking)
{
  const fare_ranked *baseline = NULL;

  for (int i = 0; i < ranking->lines; i++) {
    if (ranking->line[i].seeds && !strcmp(ranking->line[i].of->type->name, "boltzmann") && !baseline)
      baseline = &ranking->line[i];
  }
  ranking->baseline = baseline ? baseline->converged : FARE_CONVERGED_UNKNOWN;
  for (int i = 0; i < ranking->lines; i++) {
    fare_ranked *line = &ranking->line[i];

    line->factor = baseline && line->seeds ? baseline->value / PetscMax(line->value, line->truth_error) : NAN;
  }
}

/* The line that runs the same method in this mode, or -1. */
static int find_mode(const fare_ranking *ranking, const fare_plan_ensemble *e, fare_sampler_mode mode)
{
  for (int i = 0; i < ranking->lines; i++) {
    const fare_plan_ensemble *other = ranking->line[i].of;

    if (other->type == e->type && fare_plan_ensemble_mode(other) == mode && ranking->line[i].seeds &&
      other->training.times == e->training.times &&
      fare_sampler_options_alike(e->type, e->options, other->options))
      return i;
  }
  return -1;
}

static void find_splits(fare_ranking *ranking)
{
  for (int i = 0; i < ranking->lines; i++) {
    const fare_plan_ensemble *e     = ranking->line[i].of;
    const fare_split          split = {.learned = i,
               .oracle                          = find_mode(ranking, e, FARE_ORACLE),
               .empirical                       = find_mode(ranking, e, FARE_EMPIRICAL)};

    if (e->type->modes && e->type->train && fare_plan_ensemble_mode(e) == FARE_LEARNED &&
      ranking->line[i].seeds && split.oracle >= 0)
      ranking->split[ranking->splits++] = split;
  }
}

/*
  By what lines are compared: kl, or without a grid what every line has and sees how axes move together, which
  is a bound of the same divergence; where none of them was asked for, the first measure.
*/
static size_t choose_measure(const fare_plan *plan)
{
  static const char *const        on_a_grid[]  = {"kl", NULL},
                           *const of_samples[] = {
                             "rosenblatt", "block_rosenblatt", "marginals_2", "log_density_shift", NULL};

  for (const char *const *name = plan->joint ? of_samples : on_a_grid; *name; name++) {
    for (size_t m = 0; m < plan->measures; m++) {
      if (!strcmp(plan->measure[m]->name, *name)) return m;
    }
  }
  return 0;
}

PetscErrorCode fare_ranking_create(const fare_results *r, fare_ranking *ranking)
{
  size_t lines = 0;

  PetscFunctionBegin;
  *ranking = (fare_ranking){.results = r};
  for (size_t i = 0; i < r->plan->ensembles; i++) lines += r->plan->ensemble[i].seed ? 0 : 1;
  if (lines < 2 || !(r->plan->has_truth || r->plan->joint) || !r->plan->measures) PetscFunctionReturn(0);
  ranking->measure = choose_measure(r->plan);
  PetscCall(PetscCalloc2(lines, &ranking->line, lines, &ranking->split));
  choose_times(ranking);
  for (size_t i = 0; i < r->plan->ensembles; i++) {
    if (!r->plan->ensemble[i].seed) fill_line(ranking, i, &ranking->line[ranking->lines++]);
  }
  qsort(ranking->line, (size_t)ranking->lines, sizeof *ranking->line, by_distance);
  give_ranks(ranking);
  compare_with_equilibrium(ranking);
  find_splits(ranking);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_ranking_free(fare_ranking *ranking)
{
  return PetscFree2(ranking->line, ranking->split);
}
