/* SPDX-License-Identifier: BSD-2-Clause */
/* What a run prints when it ends, on one screen; and the tables behind that, in a file. */
#include "ranking.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/*
  Over snapshots where the method ran; `held_out` alone if asked. Not a number, `most` -HUGE_VAL, where it ran
  at none.
*/
typedef struct {
  double     mean, most, floor, high, excess, truth_error, least_p;
  PetscInt64 count;
} summary;

static summary summarise(const fare_results *r, const fare_compared *c, size_t m, PetscBool held_out)
{
  summary s = {.most = -HUGE_VAL, .least_p = 1};

  for (PetscInt64 k = 0; k < r->plan->snapshots.count; k++) {
    const fare_measured *at = &c->measured[(size_t)k * r->plan->measures + m];

    if (isnan(at->value) || (held_out && r->trained[k])) continue;
    s.count++;
    s.mean += at->value;
    s.floor += at->floor_mean;
    s.high += at->floor_high;
    s.excess += at->excess;
    s.most        = PetscMax(s.most, at->value);
    s.truth_error = isnan(at->truth_error) ? NAN : PetscMax(s.truth_error, at->truth_error);
    s.least_p     = PetscMin(s.least_p, at->p_value);
  }
  s.mean /= (double)s.count;
  s.floor /= (double)s.count;
  s.high /= (double)s.count;
  s.excess /= (double)s.count;
  return s;
}

static PetscBool has_held_out(const fare_results *r)
{
  PetscBool some = PETSC_FALSE, all = PETSC_TRUE;

  for (PetscInt64 k = 0; k < r->plan->snapshots.count; k++) {
    if (r->trained[k])
      some = PETSC_TRUE;
    else
      all = PETSC_FALSE;
  }
  return some && !all ? PETSC_TRUE : PETSC_FALSE;
}

/* The ensemble, or its model density, with the number of snapshots where these are not all. */
static void label_cell(const fare_results *r, const fare_compared *c, PetscInt64 count, fare_table *table)
{
  const char *name = r->plan->ensemble[c->ensemble].name,
             *of   = c->kind == FARE_DENSITY_TRUTH ? ", model density" : "";

  if (count < r->plan->snapshots.count)
    fare_table_cell(
      table, "%s%s (%lld of %lld)", name, of, (long long)count, (long long)r->plan->snapshots.count);
  else
    fare_table_cell(table, "%s%s", name, of);
}

static void divergence_row(
  const fare_results *r, const fare_compared *c, size_t m, PetscBool held_out, fare_table *table)
{
  const summary   s       = summarise(r, c, m, PETSC_FALSE);
  const PetscBool density = c->kind == FARE_DENSITY_TRUTH ? PETSC_TRUE : PETSC_FALSE;

  label_cell(r, c, s.count, table);
  fare_table_cell(table, "%.3e", s.mean);
  fare_table_cell(table, "%.3e", s.most);
  if (held_out) {
    const summary other = summarise(r, c, m, PETSC_TRUE);

    fare_table_cell(table, other.count ? "%.3e" : "-", other.mean);
  }
  fare_table_cell(table, density ? "-" : "%.3e", s.floor);
  fare_table_cell(table, "%.3e", s.excess);
  fare_table_cell(table, isnan(s.truth_error) ? "-" : "%.1e", s.truth_error);
}

/* Whether some row is about fewer snapshots than there are. */
static PetscBool has_gaps(const fare_results *r)
{
  for (size_t i = 0; i < r->comparisons; i++) {
    for (size_t m = 0; m < r->plan->measures; m++) {
      const PetscInt64 count = summarise(r, &r->comparison[i], m, PETSC_FALSE).count;

      if (r->comparison[i].kind != FARE_SAMPLES_TARGET && count && count < r->plan->snapshots.count)
        return PETSC_TRUE;
    }
  }
  return PETSC_FALSE;
}

/* Snapshots at which some measure has a value. */
static PetscInt64 snapshots_of(const fare_results *r, const fare_compared *c)
{
  PetscInt64 count = 0;

  for (size_t m = 0; m < r->plan->measures; m++)
    count = PetscMax(count, summarise(r, c, m, PETSC_FALSE).count);
  return count;
}

/* One row per comparison, one column per measure: averages over the snapshots. */
static void print_averages(const fare_results *r, FILE *to)
{
  const PetscBool held_out = has_held_out(r);
  fare_table     *table;

  fprintf(to, "\nDistance from the truth, averaged over %s; *: within the noise floor\n",
    held_out ? "the snapshots held out from training" : "the snapshots");
  fare_table_create(1 + (int)r->plan->measures, &table);
  fare_table_cell(table, "%s", "");
  for (size_t m = 0; m < r->plan->measures; m++) fare_table_cell(table, "%s", r->plan->measure[m]->name);
  for (size_t i = 0; i < r->comparisons; i++) {
    const fare_compared *c     = &r->comparison[i];
    const PetscInt64     count = snapshots_of(r, c);

    if (c->kind == FARE_SAMPLES_TARGET || !count) continue;
    label_cell(r, c, count, table);
    for (size_t m = 0; m < r->plan->measures; m++) {
      const summary s = summarise(r, c, m, held_out);

      fare_table_cell(table,
        !s.count                                              ? "-"
          : c->kind != FARE_DENSITY_TRUTH && s.mean <= s.high ? "%.3e*"
                                                              : "%.3e",
        s.mean);
    }
  }
  fare_table_print(table, to);
  fare_table_destroy(&table);
}

static void print_divergences(const fare_results *r, FILE *to)
{
  static const char *const names[] = {"", "time average", "maximum", "noise floor", "excess", "truth error"};
  static const char *const with_held_out[] = {
    "", "time average", "maximum", "held-out average", "noise floor", "excess", "truth error"};
  const PetscBool held_out = has_held_out(r);

  fprintf(to,
    "\nDistance from the truth over %lld snapshots%s. A value within its noise floor is consistent with "
    "zero; excess: value above the floor.%s\n",
    (long long)r->plan->snapshots.count, held_out ? ", and over those held out from training" : "",
    has_gaps(r)
      ? " (K of N): that row covers only K of the N snapshots and is not comparable with the others."
      : "");
  for (size_t m = 0; m < r->plan->measures; m++) {
    fare_table *table;

    fprintf(to, "\n%s: %s%s%s%s\n", r->plan->measure[m]->name, r->plan->measure[m]->summary,
      *r->plan->measure[m]->unit ? " [" : "", r->plan->measure[m]->unit,
      *r->plan->measure[m]->unit ? "]" : "");
    fare_table_create(held_out ? 7 : 6, &table);
    fare_table_headings(table, held_out ? with_held_out : names);
    for (size_t i = 0; i < r->comparisons; i++) {
      if (r->comparison[i].kind != FARE_SAMPLES_TARGET &&
        summarise(r, &r->comparison[i], m, PETSC_FALSE).count)
        divergence_row(r, &r->comparison[i], m, held_out, table);
    }
    fare_table_print(table, to);
    fare_table_destroy(&table);
  }
}

static void print_costs(const fare_results *r, FILE *to)
{
  static const char *const names[] = {"", "sampler", "family", "particles", "training [s]", "sampling [s]",
    "force evaluations", "network evaluations"};
  fare_table              *table;

  if (!r->plan->ensembles) return;
  fprintf(to,
    "\nCost (seconds of the slowest rank; force evaluations: forces or potentials of one particle, training "
    "sets included; network evaluations: rows)\n");
  fare_table_create(PETSC_STATIC_ARRAY_LENGTH(names), &table);
  fare_table_headings(table, names);
  for (size_t i = 0; i < r->plan->ensembles; i++) {
    const fare_plan_ensemble *e = &r->plan->ensemble[i];

    fare_table_cell(table, "%s", e->name);
    fare_table_cell(table, "%s", e->type->name);
    fare_table_cell(table, "%s", fare_sampler_family_names[e->type->family]);
    fare_table_cell(table, "%lld", (long long)e->particles);
    fare_table_cell(table, e->type->train ? "%.1f" : "-", r->cost[i].train_seconds);
    fare_table_cell(table, "%.1f", r->cost[i].sample_seconds);
    fare_table_cell(table, "%.3g", (double)r->cost[i].force_evaluations);
    fare_table_cell(
      table, r->cost[i].network_evaluations ? "%.3g" : "-", (double)r->cost[i].network_evaluations);
  }
  fare_table_print(table, to);
  fare_table_destroy(&table);
}

static void print_efforts(const fare_results *r, FILE *to)
{
  for (size_t i = 0; i < r->plan->ensembles; i++) {
    if (r->effort[i][0] > 0)
      fprintf(to, "\nCost of the control of %s, E int u^2/4D dt: %.6g +- %.1e nats (standard error)\n",
        r->plan->ensemble[i].name, r->effort[i][0], r->effort[i][1]);
  }
}

/* The largest of a number over the snapshots, of which `first` has that of the first one. */
static double largest(const fare_results *r, const double *first, size_t stride)
{
  double most = 0;

  for (PetscInt64 k = 0; k < r->plan->snapshots.count; k++)
    most = fmax(most, *(const double *)((const char *)first + (size_t)k * stride));
  return most;
}

static void print_ends(const fare_results *r, FILE *to)
{
  static const char *const names[] = {"", "ends of the truth's box", "outside", "reflected"};
  fare_table              *table;

  if (!r->truth || !r->plan->ensembles) return;
  fprintf(to,
    "\nFraction of particles outside the truth's box, and of particles drawn outside and reflected into it: "
    "maximum over snapshots\n");
  fare_table_create(PETSC_STATIC_ARRAY_LENGTH(names), &table);
  fare_table_headings(table, names);
  for (size_t i = 0; i < r->plan->ensembles; i++) {
    fare_table_cell(table, "%s", r->plan->ensemble[i].name);
    fare_table_cell(table, "%s", fare_walls_meanings[r->plan->ensemble[i].type->walls]);
    fare_table_cell(table, "%.3g", largest(r, &r->census[i]->outside, sizeof **r->census));
    fare_table_cell(table, "%.3g", largest(r, &r->census[i]->folded, sizeof **r->census));
  }
  fare_table_print(table, to);
  fare_table_destroy(&table);
}

/* "share +- error", and how many of those the share is off. */
static void share_cell(fare_table *table, double share, double error, double truth, double truth_error)
{
  if (isnan(truth))
    fare_table_cell(table, "%.6f +- %.0e", share, error);
  else
    fare_table_cell(
      table, "%.6f +- %.0e (%+.1f)", share, error, (share - truth) / fmax(hypot(error, truth_error), 1e-300));
}

static double counting_error(double share, double n)
{
  return sqrt(fmax(share * (1 - share), 1 / n) / n);
}

/* What each end has absorbed by the last snapshot, of the truth and of every ensemble. */
static void print_absorbed(const fare_results *r, FILE *to)
{
  const PetscInt64         last  = r->plan->snapshots.count - 1;
  const fare_truth_status *truth = r->truth ? &r->truth[last] : NULL;
  const fare_walls walls   = r->truth ? fare_truth_walls(r->plan->system, &r->plan->truth) : (fare_walls){0};
  int              columns = 2;
  fare_table      *table;

  if (!walls.absorbing) return;
  for (int end = 0; end < 2 * walls.dim; end++) columns += walls.at[end / 2][end % 2] == FARE_WALL_ABSORBING;
  fprintf(to,
    "\nAbsorbed fraction at the last snapshot; +-: estimated error of the truth, standard error of an "
    "ensemble; in brackets: deviation in units of both. Distances above compare the normalised surviving "
    "densities\n");
  fare_table_create(columns, &table);
  fare_table_cell(table, "%s", "");
  for (int end = 0; end < 2 * walls.dim; end++) {
    if (walls.at[end / 2][end % 2] == FARE_WALL_ABSORBING)
      fare_table_cell(
        table, "%s %s", fare_system_axis_name(r->plan->system, end / 2), end % 2 ? "above" : "below");
  }
  fare_table_cell(table, "left");
  for (size_t row = 0; row <= r->plan->ensembles; row++) {
    const fare_census *census = row ? &r->census[row - 1][last] : NULL;
    const double       n      = row ? (double)r->plan->ensemble[row - 1].particles : 0;

    if (census && isnan(census->survival)) continue;
    fare_table_cell(table, "%s", row ? r->plan->ensemble[row - 1].name : "truth");
    for (int end = 0; end < 2 * walls.dim; end++) {
      const double exact = truth->absorbed[end / 2][end % 2], error = truth->absorbed_error[end / 2][end % 2],
                   share = census ? census->absorbed[end / 2][end % 2] : exact;

      if (walls.at[end / 2][end % 2] == FARE_WALL_ABSORBING)
        share_cell(table, share, census ? counting_error(exact, n) : error, census ? exact : NAN, error);
    }
    if (census)
      share_cell(
        table, census->survival, counting_error(truth->survival, n), truth->survival, truth->survival_error);
    else
      share_cell(table, truth->survival, truth->survival_error, NAN, 0);
  }
  fare_table_print(table, to);
  fare_table_destroy(&table);
}

static void print_doubt(const fare_results *r, FILE *to)
{
  const PetscInt64 worst = fare_results_doubt(r), last = r->plan->snapshots.count - 1;
  char             text[FARE_REASON_SIZE];
  PetscInt64       count = 0;

  if (worst < 0) {
    if (!(r->truth[last].observed > 0))
      fprintf(to,
        "       order in space not observed, a low one is assumed: use a multiple of 4 cells, at least 32, "
        "for a sharper estimate\n");
    return;
  }
  for (PetscInt64 k = 0; k <= last; k++) count += r->truth[k].doubt ? 1 : 0;
  fare_truth_doubt_text(r->plan->system, &r->truth[worst], sizeof text, text);
  fprintf(to,
    "       UNRESOLVED in space at %lld of %lld snapshots, where the estimate is good to an order of "
    "magnitude at best: at time %g %s\n",
    (long long)count, (long long)last + 1, r->truth[worst].time, text);
}

static void print_extrapolated(const fare_results *r, FILE *to)
{
  const PetscInt64 all   = r->plan->snapshots.count;
  PetscInt64       count = 0;

  for (PetscInt64 k = 0; k < all; k++) count += r->truth[k].extrapolated ? 1 : 0;
  if (!count) return;
  fprintf(to,
    "       compared with: density extrapolated from three grids (%lld of %lld snapshots, else the plain "
    "one); "
    "estimated error up to %.1e\n",
    (long long)count, (long long)all, largest(r, &r->truth->error_extrapolated, sizeof *r->truth));
}

static void print_at_rest(const fare_results *r, FILE *to)
{
  const PetscInt64 worst = fare_results_at_rest(r);

  if (worst < 0) return;
  fprintf(to,
    "       BOX TOO SMALL: at time %g a mass of %.1e lies in the outermost cells, where the truth holds "
    "bodies at the wall and particles are reflected; distances include this difference\n",
    r->truth[worst].time, r->truth[worst].boundary_mass);
}

static void print_truth(const fare_results *r, FILE *to)
{
  const size_t             size      = sizeof *r->truth;
  char                     bound[48] = "no proven bound in time";
  const fare_truth_status *last;

  if (!r->truth) return;
  last = &r->truth[r->plan->snapshots.count - 1];
  if (!r->plan->truth.estimate) {
    fprintf(to,
      "\nTruth: its error was not estimated (truth.estimate is false); mass conserved to %.0e; smallest "
      "density %.1e; %lld steps, %.1f s\n",
      last->mass_drift, last->minimum, (long long)last->steps, last->seconds);
    print_at_rest(r, to);
    return;
  }
  /* transport of high order has none */
  if (last->time_bound > 0 || !last->steps)
    snprintf(bound, sizeof bound, "proven bound in time %.1e", PetscMin(2, last->time_bound));
  fprintf(to,
    "\nTruth: largest estimated L1 error %.1e (space %.1e, time %.1e; %s); "
    "mass conserved to %.0e; smallest density %.1e; largest mass in the outermost cells %.0e; %lld steps, "
    "%.1f s\n",
    largest(r, &r->truth->error, size), largest(r, &r->truth->error_space, size),
    largest(r, &r->truth->error_time, size), bound, last->mass_drift, last->minimum,
    largest(r, &r->truth->boundary_mass, size), (long long)last->steps, last->seconds);
  print_doubt(r, to);
  print_extrapolated(r, to);
  print_at_rest(r, to);
  if (last->positivity_correction > 0)
    fprintf(
      to, "       largest positivity correction of one solve: mass %.0e\n", last->positivity_correction);
  if (last->survival < 1)
    fprintf(to,
      "       absorbed at the boundaries by the last snapshot: %.6g of the mass; surviving: %.6g; exit flux: "
      "%.4g per time\n",
      1 - last->survival, last->survival, last->exit_flux);
}

/* "; WHAT VALUE", where there is something to tell. */
static void print_number(const char *what, const char *format, double value, FILE *to)
{
  if (!(value > 0)) return;
  fprintf(to, "; %s ", what);
  fprintf(to, format, value);
}

/* A truth that is not one grid. */
static void print_joint(const fare_results *r, FILE *to)
{
  const fare_joint_status *first  = r->joint, *last;
  PetscInt64               doubts = 0;

  if (!first) return;
  for (PetscInt64 k = 0; k < r->plan->snapshots.count; k++) doubts += first[k].doubt > 0;
  last = &first[r->plan->snapshots.count - 1];
  fprintf(to, "\nTruth (%s, %d axes): ", r->plan->joint->name, fare_system_dimension(r->plan->system));
  if (isnan(last->error))
    fprintf(to, "its error is not estimated");
  else
    fprintf(to, "largest estimated L1 error %.1e", largest(r, &first->error, sizeof *first));
  print_number("of cells", "%.1e", largest(r, &first->error_space, sizeof *first), to);
  print_number("of time steps", "%.1e", largest(r, &first->error_time, sizeof *first), to);
  print_number("of ranks", "%.1e", largest(r, &first->error_rank, sizeof *first), to);
  if (!isnan(last->mass_drift)) fprintf(to, "; mass conserved to %.0e", last->mass_drift);
  print_number("largest rank", "%.0f", last->rank, to);
  print_number("discarded weight", "%.1e", last->discarded, to);
  print_number("largest clipped share of a draw", "%.1e", last->clipped, to);
  fprintf(to, "; %.1f s\n", last->seconds);
  if (doubts)
    fprintf(to,
      "       UNRESOLVED in space at %lld of %lld snapshots, where the estimate is good to an order of "
      "magnitude at best\n",
      (long long)doubts, (long long)r->plan->snapshots.count);
  if (!isnan(last->entropy)) fprintf(to, "       entropy at time %g: %.6g", last->time, last->entropy);
  if (!isnan(last->entropy_error)) fprintf(to, " +- %.1e", last->entropy_error);
  if (!isnan(last->entropy)) fprintf(to, " nats\n");
  if (!isnan(last->equilibrium))
    fprintf(to, "       divergence from equilibrium at time %g: %.6g", last->time, last->equilibrium);
  if (!isnan(last->equilibrium_error)) fprintf(to, " +- %.1e", last->equilibrium_error);
  if (!isnan(last->equilibrium)) fprintf(to, " nats\n");
}

/* Samples against their model density. */
static void print_convergence(const fare_results *r, FILE *to)
{
  for (size_t i = 0; i < r->plan->ensembles; i++) {
    const fare_approach of = fare_results_approach(r, i);

    if (of.state == FARE_CONVERGED_UNKNOWN) continue;
    fprintf(to,
      "\nConvergence of %s: %s to the model density is %.2e on average, %.2e for exact samples: %s\n",
      r->plan->ensemble[i].name, r->plan->measure[0]->name, of.value, of.floor,
      of.state == FARE_CONVERGED ? "converged"
                                 : "NOT CONVERGED, its row above does not represent that density");
    if (largest(r, &r->census[i]->folded, sizeof **r->census) > 0)
      fprintf(to,
        "That density is before reflection at the ends of the box, where up to %.3g of the samples were "
        "reflected\n",
        largest(r, &r->census[i]->folded, sizeof **r->census));
  }
}

static void print_thermo(const fare_results *r, FILE *to)
{
  if (!r->thermo) return;
  fare_thermo_print(r->thermo, &r->work, to);
  if (fare_results_doubt(r) >= 0)
    fprintf(to,
      "UNRESOLVED: these errors follow from the truth's, which is known to an order of magnitude at best "
      "(see "
      "Truth)\n");
}

void fare_results_print_tables(const fare_results *r, FILE *to)
{
  if (r->plan->measures && r->comparisons) print_divergences(r, to);
  print_ends(r, to);
  print_costs(r, to);
  fare_rare_results_print(&r->rare, to);
  fare_infer_results_print(&r->infer, to);
}

PetscErrorCode fare_results_print(const fare_results *r, FILE *to)
{
  fare_ranking ranking;

  PetscFunctionBegin;
  if (r->plan->measures && r->comparisons) print_averages(r, to);
  print_absorbed(r, to);
  print_efforts(r, to);
  PetscCall(fare_ranking_create(r, &ranking));
  fare_ranking_print(&ranking, to);
  if (!ranking.lines) print_costs(r, to);
  PetscCall(fare_ranking_free(&ranking));
  print_truth(r, to);
  print_joint(r, to);
  print_thermo(r, to);
  fare_results_print_motion(r, to);
  fare_analyses_print(r->analysis, to);
  fare_rare_results_print(&r->rare, to);
  fare_control_results_print(&r->control, to);
  fare_infer_results_print(&r->infer, to);
  print_convergence(r, to);
  for (size_t i = 0; i < r->plan->ensembles; i++) {
    if (r->failure[i])
      fprintf(to, "\nEnsemble %s ended early: %s\n", r->plan->ensemble[i].name, r->failure[i]);
  }
  if (r->plan->ensembles)
    fprintf(to, "\nMaxima, noise floors, boundaries and costs are in %s/tables.txt\n", r->plan->directory);
  fprintf(to, "\n");
  PetscFunctionReturn(0);
}
