/* SPDX-License-Identifier: BSD-2-Clause */
/* What a study keeps and shows of thermodynamics; its checkpoint. */
#include "thermo.h"

#include <petscdmda.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#define COLUMNS   (sizeof(fare_thermo_row) / sizeof(double)) /* a row is made of nothing else */
#define PATH_SIZE 256
#define NAME_SIZE 64

#define AT(member) offsetof(fare_thermo_row, member)
static const struct {
  const char *name, *meaning;
  size_t      offset;
  int         defined; /* for systems of which all these are */
} columns[] = {
  {"energy", "mean energy", AT(energy), FARE_HAS_ENERGY},
  {"entropy", "entropy of the density, in units of Boltzmann's constant", AT(entropy), FARE_HAS_ENTROPY},
  {"free_energy", "energy - kT entropy", AT(free_energy), FARE_HAS_ENERGY},
  {"equilibrium_free_energy", "-kT ln of the partition function at this moment", AT(equilibrium_free_energy),
    FARE_HAS_ENERGY},
  {"kl_to_equilibrium", "divergence of the density from Boltzmann's at this moment", AT(kl_to_equilibrium),
    FARE_HAS_ENERGY},
  {"work", "of the drive, since the start", AT(work), FARE_HAS_ENERGY},
  {"extra_work", "of the force that is no gradient, since the start", AT(extra_work),
    FARE_HAS_NONCONSERVATIVE},
  {"heat", "from the bath into the system, since the start", AT(heat), FARE_HAS_ENERGY},
  {"dissipated_work", "work - change of the equilibrium free energy", AT(dissipated_work),
    FARE_HAS_FREE_WORK},
  {"production_total_rate", "entropy production per time", AT(total_rate), FARE_HAS_PRODUCTION},
  {"production_housekeeping_rate", "its part that keeps the steady state of this moment",
    AT(housekeeping_rate), FARE_HAS_PRODUCTION},
  {"production_excess_rate", "its part that relaxes towards that state", AT(excess_rate),
    FARE_HAS_PRODUCTION},
  {"production_total", "entropy production since the start", AT(total), FARE_HAS_TOTAL},
  {"production_housekeeping", "its part that kept the steady states", AT(housekeeping), FARE_HAS_PRODUCTION},
  {"production_excess", "its part that relaxed", AT(excess), FARE_HAS_PRODUCTION},
  {"energy_balance",
    "what the energy balance misses with heat from currents: an error of the quadrature in time alone",
    AT(energy_balance), FARE_HAS_ENERGY},
  {"entropy_balance",
    "entropy change - heat/kT - entropy production: an error of the quadrature in time alone", AT(balance),
    FARE_HAS_BALANCE},
  {"velocity_1", "d<x>/dt along the first axis", AT(velocity[0]), FARE_HAS_ENTROPY},
  {"velocity_2", "d<x>/dt along the second axis", AT(velocity[1]), FARE_HAS_ENTROPY},
  {"velocity_3", "d<x>/dt along the third axis", AT(velocity[2]), FARE_HAS_ENTROPY},
};

static PetscBool is_shown(const fare_thermo *thermo, size_t column)
{
  const int axes = fare_system_dimension(fare_thermo_system(thermo));

  if (columns[column].offset > AT(velocity[0]) &&
    columns[column].offset >= AT(velocity[0]) + (size_t)axes * sizeof(double))
    return PETSC_FALSE;
  return (fare_thermo_defines(fare_thermo_system(thermo)) & columns[column].defined) ==
      columns[column].defined
    ? PETSC_TRUE
    : PETSC_FALSE;
}

/* A truth without an estimate gives none, and a balance is an error itself. */
static PetscBool has_error(const fare_thermo *thermo, size_t column)
{
  const PetscBool is_balance =
    columns[column].offset == AT(energy_balance) || columns[column].offset == AT(balance);

  return is_shown(thermo, column) && !is_balance && fare_thermo_tracks(thermo) > 1 ? PETSC_TRUE : PETSC_FALSE;
}

static double value(const fare_thermo_row *row, size_t offset)
{
  return *(const double *)((const char *)row + offset);
}

void fare_thermo_csv(const fare_thermo *thermo, fare_text *to)
{
  const fare_thermo_row *rows = fare_thermo_rows(thermo), *errors = fare_thermo_errors(thermo);

  fare_text_add(to, "time");
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(columns); i++) {
    if (is_shown(thermo, i)) fare_text_add(to, ",%s", columns[i].name);
    if (has_error(thermo, i)) fare_text_add(to, ",%s_error", columns[i].name);
  }
  for (size_t k = 0; k < fare_thermo_count(thermo); k++) {
    fare_text_add(to, "\n%.17g", rows[k].time);
    for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(columns); i++) {
      if (is_shown(thermo, i)) fare_text_add(to, ",%.12g", value(&rows[k], columns[i].offset));
      if (has_error(thermo, i)) fare_text_add(to, ",%.12g", value(&errors[k], columns[i].offset));
    }
  }
  fare_text_add(to, "\n");
}

static PetscErrorCode write_column(fare_store *store, const char *group, const char *name,
  const char *meaning, uint64_t count, const fare_thermo_row rows[], size_t offset)
{
  char    path[PATH_SIZE];
  double *column;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(count, &column));
  for (uint64_t k = 0; k < count; k++) column[k] = value(&rows[k], offset);
  snprintf(path, sizeof path, "%s/%s", group, name);
  PetscCall(fare_store_write_array(store, path, FARE_STORE_FLOAT64, 1, &count, column));
  PetscCall(fare_store_put_string(store, path, "meaning", meaning));
  for (uint64_t k = 0; k < count; k++) column[k] = rows[k].time;
  PetscCall(fare_store_label(store, path, 0, "time", count, column));
  PetscCall(PetscFree(column));
  PetscFunctionReturn(0);
}

static PetscErrorCode write_chain(const fare_work_summary *s, fare_store *store)
{
  const char *group = "/thermodynamics/chain";

  PetscFunctionBegin;
  PetscCall(fare_store_group(store, group));
  PetscCall(fare_store_put_int(store, group, "steps", s->chain_steps));
  PetscCall(fare_store_put_reals(store, group, "mean", 2, s->chain_mean));
  PetscCall(fare_store_put_reals(store, group, "variance", 2, s->chain_variance));
  PetscCall(fare_store_put_reals(store, group, "mean_error", 2, s->chain_mean_error));
  PetscCall(fare_store_put_reals(store, group, "variance_error", 2, s->chain_variance_error));
  PetscCall(fare_store_put_real(store, group, "jarzynski", s->chain_jarzynski));
  PetscCall(fare_store_put_real(store, group, "lag_margin", s->chain_lag));
  PetscCall(fare_store_put_real(store, group, "first_law", s->chain_first_law));
  PetscFunctionReturn(0);
}

static PetscErrorCode write_work(const fare_work *w, fare_store *store)
{
  const char    *group       = "/thermodynamics/particles";
  const uint64_t extent[2]   = {2, FARE_WORK_BINS};
  const double   estimate[2] = {w->jarzynski[0].estimate, w->jarzynski[1].estimate},
               error[2]      = {w->jarzynski[0].error, w->jarzynski[1].error},
               effective[2]  = {w->jarzynski[0].effective, w->jarzynski[1].effective};

  PetscFunctionBegin;
  PetscCall(fare_store_group(store, group));
  PetscCall(fare_store_put_int(store, group, "count", w->particles));
  PetscCall(fare_store_put_int(store, group, "steps", w->steps));
  PetscCall(fare_store_put_string(store, group, "relaxation", fare_relaxation_names[w->relaxation]));
  PetscCall(fare_store_put_reals(store, group, "mean", 2, w->mean));
  PetscCall(fare_store_put_reals(store, group, "variance", 2, w->variance));
  PetscCall(fare_store_put_reals(store, group, "mean_error", 2, w->mean_error));
  PetscCall(fare_store_put_reals(store, group, "variance_error", 2, w->variance_error));
  PetscCall(fare_store_put_reals(store, group, "accepted", 2, w->accepted));
  PetscCall(fare_store_put_reals(store, group, "jarzynski", 2, estimate));
  PetscCall(fare_store_put_reals(store, group, "jarzynski_error", 2, error));
  PetscCall(fare_store_put_reals(store, group, "jarzynski_effective", 2, effective));
  PetscCall(fare_store_put_real(store, group, "bennett", w->bennett.estimate));
  PetscCall(fare_store_put_real(store, group, "bennett_error", w->bennett.error));
  PetscCall(fare_store_put_real(store, group, "overlap", w->bennett.overlap));
  PetscCall(fare_store_put_real(store, group, "lower", w->lower));
  PetscCall(fare_store_put_real(store, group, "upper", w->upper));
  PetscCall(fare_store_write_array(
    store, "/thermodynamics/particles/density", FARE_STORE_FLOAT64, 2, extent, w->density[0]));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_thermo_write(const fare_thermo *thermo, const fare_work_summary *s, fare_store *store)
{
  const char            *group = "/thermodynamics";
  const uint64_t         count = fare_thermo_count(thermo);
  const fare_thermo_row *rows = fare_thermo_rows(thermo), *errors = fare_thermo_errors(thermo);

  PetscFunctionBegin;
  PetscCall(fare_store_group(store, group));
  if (fare_thermo_defines(fare_thermo_system(thermo)) & FARE_HAS_ENERGY)
    PetscCall(fare_store_put_real(store, group, "mean_kl_to_equilibrium", fare_thermo_mean_kl(thermo)));
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(columns); i++) {
    char name[NAME_SIZE];

    if (is_shown(thermo, i))
      PetscCall(
        write_column(store, group, columns[i].name, columns[i].meaning, count, rows, columns[i].offset));
    snprintf(name, sizeof name, "%s_error", columns[i].name);
    if (has_error(thermo, i))
      PetscCall(write_column(store, group, name, "estimated error", count, errors, columns[i].offset));
  }
  if (s->has_chain || s->has_work) {
    PetscCall(fare_store_put_real(store, group, "free_energy_change", s->free_energy));
    PetscCall(fare_store_put_real(store, group, "free_energy_change_error", s->free_energy_error));
  }
  if (s->has_chain) PetscCall(write_chain(s, store));
  if (s->has_work) PetscCall(write_work(&s->work, store));
  PetscFunctionReturn(0);
}

/* "7.4424 +- 0.0003"; without an error the number alone. */
#define SHOWN_SIZE 64
static const char *shown(double value, double error, char to[SHOWN_SIZE])
{
  snprintf(to, SHOWN_SIZE, isnan(error) ? "%.6g" : "%.6g +- %.1e", value, error);
  return to;
}

static void print_line(FILE *to, const char *name, const fare_thermo *thermo, size_t member)
{
  const size_t last = fare_thermo_count(thermo) - 1;
  char         text[SHOWN_SIZE];

  fprintf(to, "  %-28s %s\n", name,
    shown(value(&fare_thermo_rows(thermo)[last], member), value(&fare_thermo_errors(thermo)[last], member),
      text));
}

static void print_change(FILE *to, const char *name, const fare_thermo *thermo, size_t member)
{
  const size_t last = fare_thermo_count(thermo) - 1;
  char         text[2][SHOWN_SIZE];

  for (int end = 0; end < 2; end++)
    shown(value(&fare_thermo_rows(thermo)[end * last], member),
      value(&fare_thermo_errors(thermo)[end * last], member), text[end]);
  fprintf(to, "  %-28s %s to %s\n", name, text[0], text[1]);
}

static void print_path(const fare_thermo *thermo, FILE *to)
{
  const int              defined = fare_thermo_defines(fare_thermo_system(thermo));
  const size_t           count   = fare_thermo_count(thermo);
  const fare_thermo_row *first = fare_thermo_rows(thermo), *last = first + count - 1;
  char                   text[SHOWN_SIZE];

  fprintf(to,
    "\nThermodynamics of the truth from time %g to %g (+-: estimated error of grid, time step and "
    "quadrature%s)\n",
    first->time, last->time, fare_thermo_tracks(thermo) > 1 ? "" : "; none, as the truth has no estimate");
  print_change(to, "entropy", thermo, AT(entropy));
  if (defined & FARE_HAS_ENERGY) {
    print_change(to, "energy", thermo, AT(energy));
    print_line(to, "work of the drive", thermo, AT(work));
    if (defined & FARE_HAS_NONCONSERVATIVE)
      print_line(to, "work of the nonconservative force", thermo, AT(extra_work));
    print_line(to, "heat", thermo, AT(heat));
    fprintf(to, "  %-28s %.0e\n", "energy - work - heat",
      fabs(last->energy - first->energy - last->work - last->extra_work - last->heat));
    fprintf(to, "  %-28s %s\n", "mean KL to equilibrium",
      shown(fare_thermo_mean_kl(thermo),
        count > 1 ? fare_thermo_errors(thermo)[count - 1].kl_integral / (last->time - first->time)
                  : fare_thermo_errors(thermo)->kl_to_equilibrium,
        text));
  }
  if (defined & FARE_HAS_FREE_WORK) {
    const double T   = fare_system_kT(fare_thermo_system(thermo), first->time);
    double       lag = HUGE_VAL;

    for (size_t k = 0; k < count; k++)
      lag =
        PetscMin(lag, first[k].dissipated_work - T * (first[k].kl_to_equilibrium - first->kl_to_equilibrium));
    print_line(to, "dissipated work", thermo, AT(dissipated_work));
    fprintf(to, "  %-28s %.2g at least, over all snapshots\n", "  less kT (KL - KL at start)", lag);
  }
  if (defined & FARE_HAS_TOTAL)
    print_line(to, defined & FARE_HAS_PRODUCTION ? "entropy production" : "entropy production (balance)",
      thermo, AT(total));
  if (defined & FARE_HAS_PRODUCTION) {
    print_line(to, "  housekeeping", thermo, AT(housekeeping));
    print_line(to, "  excess", thermo, AT(excess));
  }
  if (defined & FARE_HAS_ENERGY && fare_system_is_driven(fare_thermo_system(thermo)) &&
    last->energy_balance > 1e-3 * PetscMax(fabs(last->work), fabs(last->heat))) {
    fprintf(to,
      "  the quadrature between snapshots may be off by %.2g in work and heat: raise thermodynamics.points, "
      "or the number of snapshots\n",
      last->energy_balance);
  }
}

/* A number and its error, either of which may be NaN. */
typedef struct {
  double value, error;
} measured;

static void work_row(fare_table *table, const char *name, const char *way, measured mean, measured variance,
  measured estimate, double effective)
{
  const measured all[] = {mean, variance, estimate};
  char           text[SHOWN_SIZE];

  fare_table_cell(table, "%s", name);
  fare_table_cell(table, "%s", way);
  for (int i = 0; i < 3; i++)
    fare_table_cell(table, "%s", isnan(all[i].value) ? "-" : shown(all[i].value, all[i].error, text));
  fare_table_cell(table, isnan(effective) ? "-" : "%.3g", effective);
}

static PetscErrorCode print_work(const fare_work_summary *s, FILE *to)
{
  static const char *const names[] = {
    "", "protocol", "mean work", "variance", "free energy", "effective sample size"};
  static const char *const ways[] = {"forward", "reversed"};
  const measured           none   = {NAN, NAN};
  const fare_work         *w      = &s->work;
  fare_table              *table;
  char                     text[SHOWN_SIZE];

  PetscFunctionBegin;
  fprintf(to, "\nWork from equilibrium; by quadrature on the grid the free energy changes by %s\n",
    shown(s->free_energy, s->free_energy_error, text));
  fare_table_create(PETSC_STATIC_ARRAY_LENGTH(names), &table);
  fare_table_headings(table, names);
  for (int way = 0; way < 2 && s->has_chain; way++) {
    work_row(table, "chain on the grid", ways[way], (measured){s->chain_mean[way], s->chain_mean_error[way]},
      (measured){s->chain_variance[way], s->chain_variance_error[way]},
      way ? none : (measured){s->chain_jarzynski, s->free_energy_error}, NAN);
  }
  for (int way = 0; way < 2 && s->has_work; way++) {
    work_row(table, "particles, Jarzynski", ways[way], (measured){w->mean[way], w->mean_error[way]},
      (measured){w->variance[way], w->variance_error[way]},
      (measured){w->jarzynski[way].estimate, w->jarzynski[way].error}, w->jarzynski[way].effective);
  }
  if (s->has_work)
    work_row(table, "particles, Bennett", "both", none, none,
      (measured){w->bennett.estimate, w->bennett.error}, NAN);
  fare_table_print(table, to);
  fare_table_destroy(&table);
  if (s->has_chain)
    fprintf(to,
      "Chain of %lld steps: energy - work - heat of a step off by at most %.0e; dissipated work - kT KL at "
      "least %.2g\n",
      (long long)s->chain_steps, s->chain_first_law, s->chain_lag);
  if (!s->has_work) PetscFunctionReturn(0);
  fprintf(to,
    "Particles: %lld each way in %lld steps, %s (%.1f%% of moves taken); overlap of work forward and "
    "reversed %.3g\n",
    (long long)w->particles, (long long)w->steps, fare_relaxation_names[w->relaxation],
    50 * (w->accepted[0] + w->accepted[1]), w->bennett.overlap);
  fprintf(to,
    "           +- is their standard error; mean and variance of the work have a bias of the step beside "
    "it\n");
  if (w->relaxation != FARE_RELAX_METROPOLIS)
    fprintf(to,
      "           their steps are not Metropolised, so that estimates have a bias of the step beyond the "
      "errors above\n");
  if (PetscMin(w->jarzynski[0].effective, w->jarzynski[1].effective) < 100)
    fprintf(to, "           few trajectories decide Jarzynski's average: do not trust it nor its error\n");
  if (w->bennett.overlap < 0.03)
    fprintf(to, "           the overlap is too small for Bennett's estimate to be trusted\n");
  PetscFunctionReturn(0);
}

PetscErrorCode fare_thermo_print(const fare_thermo *thermo, const fare_work_summary *s, FILE *to)
{
  PetscFunctionBegin;
  print_path(thermo, to);
  if (s->has_chain || s->has_work) PetscCall(print_work(s, to));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_thermo_save(const fare_thermo *thermo, fare_store *store, const char *group)
{
  const int        tracks    = fare_thermo_tracks(thermo);
  const size_t     count     = fare_thermo_count(thermo);
  const uint64_t   extent[2] = {(uint64_t)tracks * count, COLUMNS};
  char             path[PATH_SIZE];
  fare_thermo_row *rows;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1((size_t)tracks * count, &rows));
  for (int i = 0; i < tracks; i++)
    memcpy(rows + (size_t)i * count, fare_thermo_track(thermo, i), count * sizeof *rows);
  snprintf(path, sizeof path, "%s/rows", group);
  PetscCall(fare_store_write_array(store, path, FARE_STORE_FLOAT64, 2, extent, (const double *)rows));
  PetscCall(PetscFree(rows));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_thermo_load(fare_thermo *thermo, fare_store *store, const char *group)
{
  const uint64_t   start[2]  = {0, 0};
  uint64_t         extent[4] = {0};
  int              rank;
  char             path[PATH_SIZE];
  fare_thermo_row *rows;

  PetscFunctionBegin;
  snprintf(path, sizeof path, "%s/rows", group);
  PetscCall(fare_store_extents(store, path, &rank, extent));
  if (rank != 2 || extent[1] != COLUMNS || !extent[0] || extent[0] % (uint64_t)fare_thermo_tracks(thermo))
    FARE_FAIL(FARE_ERR_FAILED, "%s is not of this version of FARE", path);
  PetscCall(PetscMalloc1(extent[0], &rows));
  PetscCall(fare_store_read(store, path, FARE_STORE_FLOAT64, 2, start, extent, rows));
  PetscCall(fare_thermo_restore(thermo, (size_t)extent[0] / (size_t)fare_thermo_tracks(thermo), rows));
  PetscCall(PetscFree(rows));
  PetscFunctionReturn(0);
}
