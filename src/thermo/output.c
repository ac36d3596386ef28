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

static PetscBool is_shown(const fare_thermo *thermo, const fare_thermo_column *c)
{
  const size_t axes = (size_t)fare_system_dimension(thermo->system);

  if (c->offset > AT(velocity[0]) && c->offset >= AT(velocity[0]) + axes * sizeof(double)) return PETSC_FALSE;
  return (thermo->defined & c->defined) == c->defined ? PETSC_TRUE : PETSC_FALSE;
}

/* A truth without an estimate gives none, and a balance is an error itself. */
static PetscBool has_error(const fare_thermo *thermo, const fare_thermo_column *c)
{
  return is_shown(thermo, c) && c->kind != FARE_COLUMN_BALANCE && thermo->tracks > 1 ? PETSC_TRUE
                                                                                     : PETSC_FALSE;
}

/* Numbers with an error may be extrapolated where the truth is; then those of its own grid are kept beside.
 */
static PetscBool has_plain(const fare_thermo *thermo, const fare_thermo_column *c)
{
  return has_error(thermo, c) && fare_truth_extrapolates(thermo->truth) ? PETSC_TRUE : PETSC_FALSE;
}

void fare_thermo_csv(const fare_thermo *thermo, const fare_truth_status truth[], fare_text *to)
{
  const fare_thermo_row *rows = fare_thermo_rows(thermo), *plain = fare_thermo_plain(thermo);

  fare_text_add(to, "time");
  for (int i = 0; i < FARE_THERMO_COLUMNS; i++) {
    const fare_thermo_column *c = &fare_thermo_columns[i];

    if (is_shown(thermo, c)) fare_text_add(to, ",%s", c->name);
    if (has_error(thermo, c)) fare_text_add(to, ",%s_error", c->name);
    if (has_plain(thermo, c)) fare_text_add(to, ",%s_plain", c->name);
  }
  fare_text_add(to, ",unresolved");
  for (size_t k = 0; k < thermo->count; k++) {
    fare_text_add(to, "\n%.17g", rows[k].time);
    for (int i = 0; i < FARE_THERMO_COLUMNS; i++) {
      const fare_thermo_column *c = &fare_thermo_columns[i];

      if (is_shown(thermo, c)) fare_text_add(to, ",%.12g", fare_thermo_value(&rows[k], c->offset));
      if (has_error(thermo, c)) fare_text_add(to, ",%.12g", fare_thermo_value(&thermo->error[k], c->offset));
      if (has_plain(thermo, c)) fare_text_add(to, ",%.12g", fare_thermo_value(&plain[k], c->offset));
    }
    fare_text_add(to, ",%d", truth[k].doubt ? 1 : 0);
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
  for (uint64_t k = 0; k < count; k++) column[k] = fare_thermo_value(&rows[k], offset);
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
  const uint64_t         count = thermo->count;
  const fare_thermo_row *rows = fare_thermo_rows(thermo), *plain = fare_thermo_plain(thermo);

  PetscFunctionBegin;
  PetscCall(fare_store_group(store, group));
  PetscCall(fare_store_put_int(store, group, "extrapolated", fare_thermo_extrapolates(thermo)));
  if (thermo->defined & FARE_HAS_ENERGY)
    PetscCall(fare_store_put_real(store, group, "mean_kl_to_equilibrium", fare_thermo_mean_kl(thermo)));
  for (int i = 0; i < FARE_THERMO_COLUMNS; i++) {
    const fare_thermo_column *c = &fare_thermo_columns[i];
    char                      name[NAME_SIZE];

    if (is_shown(thermo, c))
      PetscCall(write_column(store, group, c->name, c->meaning, count, rows, c->offset));
    snprintf(name, sizeof name, "%s_error", c->name);
    if (has_error(thermo, c))
      PetscCall(write_column(store, group, name, "estimated error", count, thermo->error, c->offset));
    snprintf(name, sizeof name, "%s_plain", c->name);
    if (has_plain(thermo, c))
      PetscCall(write_column(
        store, group, name, "of the truth's own grid, not extrapolated", count, plain, c->offset));
  }
  if (s->has_chain || s->has_work) {
    PetscCall(fare_store_put_real(store, group, "free_energy_change", s->free_energy));
    PetscCall(fare_store_put_real(store, group, "free_energy_change_error", s->free_energy_error));
    PetscCall(fare_store_put_real(store, group, "free_energy_change_plain", s->free_energy_plain));
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
  const size_t last = thermo->count - 1;
  char         text[SHOWN_SIZE];

  fprintf(to, "  %-28s %s\n", name,
    shown(fare_thermo_value(&fare_thermo_rows(thermo)[last], member),
      fare_thermo_value(&thermo->error[last], member), text));
}

static void print_change(FILE *to, const char *name, const fare_thermo *thermo, size_t member)
{
  const size_t last = thermo->count - 1;
  char         text[2][SHOWN_SIZE];

  for (int end = 0; end < 2; end++)
    shown(fare_thermo_value(&fare_thermo_rows(thermo)[end * last], member),
      fare_thermo_value(&thermo->error[end * last], member), text[end]);
  fprintf(to, "  %-28s %s to %s\n", name, text[0], text[1]);
}

/*
  The least with these marginals, and what they cannot tell; beside Hatano and Sasa's parts, from which it
  differs by what couples both (Dechant, Sasa and Ito, Phys. Rev. Res. 4, L012034 (2022)).
*/
static void print_geometric(const fare_thermo *thermo, FILE *to)
{
  const size_t           last = thermo->count - 1;
  const fare_thermo_row *row = &fare_thermo_rows(thermo)[last], *error = &thermo->error[last];
  char                   text[SHOWN_SIZE];

  print_line(to, "  geometric: from marginals", thermo, AT(geometric));
  fprintf(to, "  %-28s %s\n", "  invisible to marginals",
    shown(row->total - row->geometric, error->total + error->geometric, text));
  if (!thermo->needs_rest) return;
  fprintf(to, "  %-28s %s\n", "  geometric - excess",
    shown(row->geometric - row->excess, error->geometric + error->excess, text));
}

static void print_path(const fare_thermo *thermo, FILE *to)
{
  const int              defined = thermo->defined;
  const size_t           count   = thermo->count;
  const fare_thermo_row *first = fare_thermo_rows(thermo), *last = first + count - 1;
  char                   text[SHOWN_SIZE];

  fprintf(to,
    "\nThermodynamics of the truth from time %g to %g (+-: estimated error of grid, time step and "
    "quadrature%s)\n",
    first->time, last->time,
    thermo->tracks < 2       ? "; unavailable without truth.estimate"
      : thermo->extrapolates ? "; extrapolated from three grids"
                             : "");
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
        count > 1 ? thermo->error[count - 1].kl_integral / (last->time - first->time)
                  : thermo->error->kl_to_equilibrium,
        text));
  }
  if (defined & FARE_HAS_FREE_WORK) {
    const double T   = fare_system_kT(thermo->system, first->time);
    double       lag = HUGE_VAL;

    for (size_t k = 0; k < count; k++)
      lag =
        PetscMin(lag, first[k].dissipated_work - T * (first[k].kl_to_equilibrium - first->kl_to_equilibrium));
    print_line(to, "dissipated work", thermo, AT(dissipated_work));
    fprintf(to, "  %-28s %.2g (minimum over snapshots)\n", "  - kT (KL - KL at start)", lag);
  }
  if (defined & FARE_HAS_TOTAL)
    print_line(to, defined & FARE_HAS_PRODUCTION ? "entropy production" : "entropy production (balance)",
      thermo, AT(total));
  if (defined & FARE_HAS_PRODUCTION) {
    print_line(to, "  housekeeping", thermo, AT(housekeeping));
    print_line(to, "  excess", thermo, AT(excess));
  }
  if (defined & FARE_HAS_GEOMETRIC) print_geometric(thermo, to);
  if (defined & FARE_HAS_SPEED_LIMIT) {
    print_line(to, "speed limit W2^2/int D dt", thermo, AT(speed_limit));
  }
  if (defined & FARE_HAS_ENERGY && fare_system_is_driven(thermo->system) &&
    last->energy_balance > 1e-3 * PetscMax(fabs(last->work), fabs(last->heat))) {
    fprintf(to,
      "  quadrature error between snapshots: up to %.2g in work and heat; raise thermodynamics.points or the "
      "number of snapshots\n",
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

static void print_work(const fare_work_summary *s, FILE *to)
{
  static const char *const names[] = {
    "", "protocol", "mean work", "variance", "free energy", "effective sample size"};
  static const char *const ways[] = {"forward", "reversed"};
  const measured           none   = {NAN, NAN};
  const fare_work         *w      = &s->work;
  fare_table              *table;
  char                     text[SHOWN_SIZE];

  fprintf(to, "\nWork from equilibrium; free energy change by quadrature: %s\n",
    shown(s->free_energy, s->free_energy_error, text));
  fare_table_create(PETSC_STATIC_ARRAY_LENGTH(names), &table);
  fare_table_headings(table, names);
  for (int way = 0; way < 2 && s->has_chain; way++) {
    work_row(table, "chain on the grid", ways[way], (measured){s->chain_mean[way], s->chain_mean_error[way]},
      (measured){s->chain_variance[way], s->chain_variance_error[way]},
      way ? none : (measured){s->chain_jarzynski, s->free_energy_plain_error}, NAN);
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
      "Chain of %lld steps: largest energy - work - heat of one step %.0e; smallest dissipated work - kT KL "
      "%.2g\n",
      (long long)s->chain_steps, s->chain_first_law, s->chain_lag);
  if (!s->has_work) return;
  fprintf(to,
    "Particles: %lld per direction, %lld steps, %s (%.1f%% of moves accepted); overlap of forward and "
    "reverse work %.3g\n",
    (long long)w->particles, (long long)w->steps, fare_relaxation_names[w->relaxation],
    50 * (w->accepted[0] + w->accepted[1]), w->bennett.overlap);
  fprintf(
    to, "           +-: their standard error; mean and variance of the work also have a time-step bias\n");
  if (w->relaxation != FARE_RELAX_METROPOLIS)
    fprintf(to, "           steps without Metropolis test: the estimates also have a time-step bias\n");
  if (PetscMin(w->jarzynski[0].effective, w->jarzynski[1].effective) < 100)
    fprintf(
      to, "           few trajectories dominate Jarzynski's average: neither it nor its error is reliable\n");
  if (w->bennett.overlap < 0.03)
    fprintf(to, "           the overlap is too small for a reliable Bennett estimate\n");
}

void fare_thermo_print(const fare_thermo *thermo, const fare_work_summary *s, FILE *to)
{
  print_path(thermo, to);
  if (s->has_chain || s->has_work) print_work(s, to);
}

PetscErrorCode fare_thermo_save(const fare_thermo *thermo, fare_store *store, const char *group)
{
  const int        tracks    = thermo->tracks;
  const size_t     count     = thermo->count;
  const uint64_t   extent[2] = {(uint64_t)tracks * count, COLUMNS};
  char             path[PATH_SIZE];
  fare_thermo_row *rows;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1((size_t)tracks * count, &rows));
  for (int i = 0; i < tracks; i++)
    memcpy(rows + (size_t)i * count, thermo->track[i].row, count * sizeof *rows);
  snprintf(path, sizeof path, "%s/rows", group);
  PetscCall(fare_store_write_array(store, path, FARE_STORE_FLOAT64, 2, extent, (const double *)rows));
  PetscCall(PetscFree(rows));
  for (int i = 0; i < tracks && thermo->track[i].first; i++) {
    const uint64_t cells = (uint64_t)thermo->track[i].grid->cells[0];

    snprintf(path, sizeof path, "%s/first_%d", group, i);
    PetscCall(fare_store_write_array(store, path, FARE_STORE_FLOAT64, 1, &cells, thermo->track[i].first));
  }
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
  if (rank != 2 || extent[1] != COLUMNS || !extent[0] || extent[0] % (uint64_t)thermo->tracks)
    FARE_FAIL(FARE_ERR_FAILED, "%s was written by another version of FARE", path);
  PetscCall(PetscMalloc1(extent[0], &rows));
  PetscCall(fare_store_read(store, path, FARE_STORE_FLOAT64, 2, start, extent, rows));
  PetscCall(fare_thermo_restore(thermo, (size_t)extent[0] / (size_t)thermo->tracks, rows));
  PetscCall(PetscFree(rows));
  for (int i = 0; i < thermo->tracks && thermo->track[i].first; i++) {
    const uint64_t cells = (uint64_t)thermo->track[i].grid->cells[0];

    snprintf(path, sizeof path, "%s/first_%d", group, i);
    PetscCall(fare_store_read(store, path, FARE_STORE_FLOAT64, 1, start, &cells, thermo->track[i].first));
  }
  PetscFunctionReturn(0);
}
