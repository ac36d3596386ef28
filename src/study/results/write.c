/* SPDX-License-Identifier: BSD-2-Clause */
/* study.h5 and measures.csv: everything a run found, for programs. Laid out as docs/format.md says. */
#include "ranking.h"

#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_SIZE 256

static const char *const kinds[] = {
  [FARE_SAMPLES_TRUTH] = "samples", [FARE_DENSITY_TRUTH] = "density", [FARE_SAMPLES_TARGET] = "samples"};
static const char *const partners[] = {
  [FARE_SAMPLES_TRUTH] = "truth", [FARE_DENSITY_TRUTH] = "truth", [FARE_SAMPLES_TARGET] = "target"};

/* The first axis of a dataset is that of the snapshots. */
static PetscErrorCode label_time(const fare_results *r, fare_store *store, const char *path)
{
  const PetscInt64 count = r->plan->snapshots.count;
  double          *time;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(count, &time));
  for (PetscInt64 k = 0; k < count; k++) time[k] = fare_schedule_time(&r->plan->snapshots, k);
  PetscCall(fare_store_label(store, path, 0, "time", (uint64_t)count, time));
  PetscCall(PetscFree(time));
  PetscFunctionReturn(0);
}

/* One number per snapshot, picked out of an array of structs. */
static PetscErrorCode write_column(const fare_results *r, fare_store *store, const char *group,
  const char *name, const void *first, size_t stride)
{
  const PetscInt64 count  = r->plan->snapshots.count;
  const uint64_t   extent = (uint64_t)count;
  char             path[PATH_SIZE + 32];
  double          *column;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(count, &column));
  for (PetscInt64 k = 0; k < count; k++)
    column[k] = *(const double *)((const char *)first + (size_t)k * stride);
  snprintf(path, sizeof path, "%s/%s", group, name);
  PetscCall(fare_store_write_array(store, path, FARE_STORE_FLOAT64, 1, &extent, column));
  PetscCall(label_time(r, store, path));
  PetscCall(PetscFree(column));
  PetscFunctionReturn(0);
}

static const char *blas_name(void)
{
  char *(*configuration)(void);

  *(void **)&configuration = dlsym(RTLD_DEFAULT, "openblas_get_config");
  return configuration ? configuration() : "unknown";
}

static PetscErrorCode write_provenance(const fare_results *r, fare_store *store)
{
  char mpi[MPI_MAX_LIBRARY_VERSION_STRING], petsc[256], host[256] = "", date[64];
  int  length, ranks;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(fare_store_comm(store), &ranks));
  PetscCallMPI(MPI_Get_library_version(mpi, &length));
  mpi[strcspn(mpi, "\n,")] = '\0';
  PetscCall(PetscGetVersion(petsc, sizeof petsc));
  petsc[strcspn(petsc, "\n,")] = '\0';
  gethostname(host, sizeof host - 1);
  PetscCallMPI(MPI_Bcast(host, sizeof host, MPI_CHAR, 0, fare_store_comm(store)));
  fare_record_date(sizeof date, date);
  PetscCallMPI(MPI_Bcast(date, sizeof date, MPI_CHAR, 0, fare_store_comm(store)));
  PetscCall(fare_store_group(store, "/provenance"));
  PetscCall(fare_store_put_string(store, "/provenance", "date", date));
  PetscCall(fare_store_put_string(store, "/provenance", "host", host));
  PetscCall(fare_store_put_int(store, "/provenance", "ranks", ranks));
  PetscCall(fare_store_put_int(store, "/provenance", "seed", r->plan->seed));
  PetscCall(fare_store_put_string(store, "/provenance", "mpi", mpi));
  PetscCall(fare_store_put_string(store, "/provenance", "petsc", petsc));
  PetscCall(fare_store_put_string(store, "/provenance", "hdf5", fare_store_library()));
  PetscCall(fare_store_put_string(store, "/provenance", "blas", blas_name()));
  PetscCall(fare_store_put_string(store, "/provenance", "instructions", fare_random_instructions()));
  PetscCall(fare_store_put_real(store, "/provenance", "seconds", r->seconds));
  PetscCall(fare_store_put_int(store, "/provenance", "finished", 1));
  PetscFunctionReturn(0);
}

static PetscErrorCode write_snapshots(const fare_results *r, fare_store *store)
{
  const fare_schedule *schedule = &r->plan->snapshots;
  const uint64_t       extent = (uint64_t)schedule->count, files[2] = {extent, 2}; /* bytes and checksum */
  double              *time;
  uint8_t             *trained;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(extent, &time, extent, &trained));
  for (PetscInt64 k = 0; k < schedule->count; k++) {
    time[k]    = fare_schedule_time(schedule, k);
    trained[k] = r->trained[k] ? 1 : 0;
  }
  PetscCall(fare_store_write_array(store, "/snapshots/trained", FARE_STORE_UINT8, 1, &extent, trained));
  PetscCall(fare_store_label(store, "/snapshots/trained", 0, "time", extent, time));
  PetscCall(fare_store_write_array(store, "/files", FARE_STORE_UINT64, 2, files, r->file));
  PetscCall(PetscFree2(time, trained));
  PetscFunctionReturn(0);
}

static PetscErrorCode write_thermo(const fare_results *r, fare_store *store)
{
  const PetscInt64 count = r->plan->snapshots.count;
  const char      *group = "/thermodynamics";
  double          *unresolved;

  PetscFunctionBegin;
  if (!r->thermo) PetscFunctionReturn(0);
  PetscCall(fare_thermo_write(r->thermo, &r->work, store));
  PetscCall(PetscMalloc1(count, &unresolved));
  for (PetscInt64 k = 0; k < count; k++) unresolved[k] = r->truth[k].doubt ? 1 : 0;
  PetscCall(write_column(r, store, group, "unresolved", (const char *)unresolved, sizeof *unresolved));
  PetscCall(fare_store_put_string(store, "/thermodynamics/unresolved", "meaning",
    "1: the truth is not resolved in space, and errors are good to an order of magnitude at best"));
  PetscCall(PetscFree(unresolved));
  PetscFunctionReturn(0);
}

static PetscErrorCode write_truth(const fare_results *r, fare_store *store)
{
  const PetscInt64         count = r->plan->snapshots.count;
  const int                dim   = fare_system_dimension(r->plan->system);
  const fare_truth_status *last;
  const PetscInt64         worst = fare_results_doubt(r);
  uint64_t                 cells[FARE_DIM_MAX];
  char                     text[FARE_REASON_SIZE] = "";
  double                  *flag;

  PetscFunctionBegin;
  if (!r->truth) PetscFunctionReturn(0);
  last = &r->truth[count - 1];
  PetscCall(fare_store_group(store, "/truth"));
  PetscCall(fare_store_put_string(store, "/truth", "kind", "grid"));
  for (const fare_column *c = fare_truth_columns; c->name; c++)
    PetscCall(
      write_column(r, store, "/truth", c->name, (const char *)r->truth + c->offset, sizeof *r->truth));
  PetscCall(PetscMalloc1(count, &flag));
  for (PetscInt64 k = 0; k < count; k++) flag[k] = r->truth[k].extrapolated;
  PetscCall(write_column(r, store, "/truth", "extrapolated", (const char *)flag, sizeof *flag));
  for (PetscInt64 k = 0; k < count; k++) flag[k] = r->truth[k].doubt;
  PetscCall(write_column(r, store, "/truth", "doubt", (const char *)flag, sizeof *flag));
  PetscCall(PetscFree(flag));
  if (worst >= 0) fare_truth_doubt_text(r->plan->system, &r->truth[worst], sizeof text, text);
  PetscCall(fare_store_put_string(store, "/truth", "unresolved", text));
  for (int axis = 0; axis < dim; axis++) cells[axis] = (uint64_t)r->cells[axis];
  PetscCall(fare_store_put_string(store, "/truth", "system", fare_system_type_of(r->plan->system)->name));
  PetscCall(fare_store_put_uint64s(store, "/truth", "cells", (size_t)dim, cells));
  PetscCall(fare_store_put_real(store, "/truth", "tolerance", last->tolerance));
  PetscCall(fare_store_put_real(store, "/truth", "seconds", last->seconds));
  PetscCall(fare_store_put_int(store, "/truth", "steps", last->steps));
  PetscFunctionReturn(0);
}

/* A truth that is not one grid: what it knows of itself, where that is a number. */
static PetscErrorCode write_joint(const fare_results *r, fare_store *store)
{
  const PetscInt64 count = r->plan->snapshots.count;

  PetscFunctionBegin;
  if (!r->joint) PetscFunctionReturn(0);
  PetscCall(fare_store_group(store, "/truth"));
  PetscCall(fare_store_put_string(store, "/truth", "kind", r->plan->joint->name));
  PetscCall(fare_store_put_string(store, "/truth", "system", fare_system_type_of(r->plan->system)->name));
  PetscCall(fare_store_put_real(store, "/truth", "seconds", r->joint[count - 1].seconds));
  for (const fare_column *c = fare_joint_columns; c->name; c++) {
    PetscBool known = PETSC_FALSE;

    for (PetscInt64 k = 0; k < count; k++) known |= !isnan(fare_column_value(c, &r->joint[k]));
    if (known)
      PetscCall(
        write_column(r, store, "/truth", c->name, (const char *)r->joint + c->offset, sizeof *r->joint));
  }
  PetscFunctionReturn(0);
}

/* Times and centres of bins, once all series have their names: one of these may be that of an axis. */
static PetscErrorCode label_bins(const fare_results *r, const char *const axes[], fare_store *store)
{
  PetscFunctionBegin;
  for (int i = 0; i < r->bin_axes; i++) {
    const uint64_t n = r->bin_extent[i], cells = (uint64_t)r->cells[r->bin_axes - 1 - i],
                   block = (cells + n - 1) / n; /* cells in a bin, fewer in the last one */
    const double width   = (r->bin_upper[i] - r->bin_lower[i]) / (double)cells;
    double      *centre;
    char         path[PATH_SIZE];

    PetscCall(PetscMalloc1(n, &centre));
    for (uint64_t k = 0; k < n; k++)
      centre[k] = r->bin_lower[i] + 0.5 * width * (double)(k * block + PetscMin((k + 1) * block, cells));
    for (size_t k = 0; k < r->series; k++) {
      snprintf(path, sizeof path, "/binned/%s", r->binned[k].name);
      PetscCall(fare_store_label(store, path, 1 + i, axes[i], n, centre));
      if (i == 0) PetscCall(label_time(r, store, path));
    }
    PetscCall(PetscFree(centre));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode write_bins(const fare_results *r, fare_store *store)
{
  const char *axes[FARE_DIM_MAX];
  uint64_t    extent[1 + FARE_DIM_MAX];
  char        path[PATH_SIZE];

  PetscFunctionBegin;
  if (!r->bin_axes) PetscFunctionReturn(0);
  PetscCall(fare_store_group(store, "/bins"));
  PetscCall(fare_store_put_int(store, "/bins", "dimension", r->bin_axes));
  PetscCall(fare_store_put_uint64s(store, "/bins", "extent", (size_t)r->bin_axes, r->bin_extent));
  PetscCall(fare_store_put_reals(store, "/bins", "lower", (size_t)r->bin_axes, r->bin_lower));
  PetscCall(fare_store_put_reals(store, "/bins", "upper", (size_t)r->bin_axes, r->bin_upper));
  for (int i = 0; i < r->bin_axes; i++) axes[i] = fare_system_axis_name(r->plan->system, r->bin_axes - 1 - i);
  PetscCall(fare_store_put_strings(store, "/bins", "axisLabels", (size_t)r->bin_axes, axes));
  extent[0] = (uint64_t)r->plan->snapshots.count;
  for (int i = 0; i < r->bin_axes; i++) extent[1 + i] = r->bin_extent[i];
  PetscCall(fare_store_group(store, "/binned"));
  for (size_t i = 0; i < r->series; i++) {
    snprintf(path, sizeof path, "/binned/%s", r->binned[i].name);
    PetscCall(
      fare_store_write_array(store, path, FARE_STORE_FLOAT32, 1 + r->bin_axes, extent, r->binned[i].mass));
  }
  PetscCall(label_bins(r, axes, store));
  PetscFunctionReturn(0);
}

static PetscErrorCode write_loss(const fare_curve *curve, fare_store *store, const char *group)
{
  char     path[PATH_SIZE + 8];
  double  *rows;
  uint64_t extent[2];

  PetscFunctionBegin;
  extent[0] = curve->count;
  extent[1] = 2;
  PetscCall(PetscMalloc1(2 * curve->count, &rows));
  for (size_t i = 0; i < curve->count; i++) {
    rows[2 * i]     = (double)curve->step[i];
    rows[2 * i + 1] = curve->loss[i];
  }
  snprintf(path, sizeof path, "%s/loss", group);
  PetscCall(fare_store_write_array(store, path, FARE_STORE_FLOAT64, 2, extent, rows));
  PetscCall(PetscFree(rows));
  PetscFunctionReturn(0);
}

static void end_name(const fare_results *r, const char *what, int end, size_t size, char name[])
{
  snprintf(name, size, "%s_%s_%s", what, fare_system_axis_name(r->plan->system, end / 2),
    end % 2 ? "above" : "below");
}

/* Where the particles of an ensemble were at every snapshot. */
static PetscErrorCode write_census(const fare_results *r, size_t i, fare_store *store, const char *path)
{
  const fare_walls walls = r->truth ? fare_truth_walls(r->plan->system, &r->plan->truth) : (fare_walls){0};
  char             name[64];

  PetscFunctionBegin;
  if (!r->truth) PetscFunctionReturn(0);
  PetscCall(
    fare_store_put_string(store, path, "walls", fare_walls_meanings[r->plan->ensemble[i].type->walls]));
  PetscCall(write_column(r, store, path, "outside", &r->census[i]->outside, sizeof **r->census));
  PetscCall(write_column(r, store, path, "folded", &r->census[i]->folded, sizeof **r->census));
  if (!walls.absorbing) PetscFunctionReturn(0);
  PetscCall(write_column(r, store, path, "survival", &r->census[i]->survival, sizeof **r->census));
  for (int end = 0; end < 2 * walls.dim; end++) {
    if (walls.at[end / 2][end % 2] != FARE_WALL_ABSORBING) continue;
    end_name(r, "absorbed", end, sizeof name, name);
    PetscCall(
      write_column(r, store, path, name, &r->census[i]->absorbed[end / 2][end % 2], sizeof **r->census));
  }
  PetscFunctionReturn(0);
}

/* What has left the truth through each end that absorbs. */
static PetscErrorCode write_exits(const fare_results *r, fare_store *store)
{
  const fare_walls walls = fare_truth_walls(r->plan->system, &r->plan->truth);
  char             name[64];

  PetscFunctionBegin;
  PetscCall(write_column(r, store, "/truth", "survival_error", &r->truth->survival_error, sizeof *r->truth));
  for (int end = 0; end < 2 * walls.dim; end++) {
    if (walls.at[end / 2][end % 2] != FARE_WALL_ABSORBING) continue;
    end_name(r, "absorbed", end, sizeof name, name);
    PetscCall(
      write_column(r, store, "/truth", name, &r->truth->absorbed[end / 2][end % 2], sizeof *r->truth));
    end_name(r, "absorbed_error", end, sizeof name, name);
    PetscCall(
      write_column(r, store, "/truth", name, &r->truth->absorbed_error[end / 2][end % 2], sizeof *r->truth));
    end_name(r, "exit_rate", end, sizeof name, name);
    PetscCall(
      write_column(r, store, "/truth", name, &r->truth->exit_rate[end / 2][end % 2], sizeof *r->truth));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode write_ensembles(const fare_results *r, fare_store *store)
{
  PetscFunctionBegin;
  PetscCall(fare_store_group(store, "/ensembles"));
  for (size_t i = 0; i < r->plan->ensembles; i++) {
    const fare_plan_ensemble *e    = &r->plan->ensemble[i];
    const fare_cost          *cost = &r->cost[i];
    char                      path[PATH_SIZE];

    snprintf(path, sizeof path, "/ensembles/%s", e->name);
    PetscCall(fare_store_group(store, path));
    PetscCall(fare_store_put_string(store, path, "sampler", e->type->name));
    PetscCall(fare_store_put_string(store, path, "family", fare_sampler_family_names[e->type->family]));
    PetscCall(fare_store_put_int(store, path, "particles", e->particles));
    PetscCall(fare_store_put_real(store, path, "train_seconds", cost->train_seconds));
    PetscCall(fare_store_put_real(store, path, "sample_seconds", cost->sample_seconds));
    PetscCall(fare_store_put_int(store, path, "force_evaluations", cost->force_evaluations));
    PetscCall(fare_store_put_int(store, path, "network_evaluations", cost->network_evaluations));
    if (r->effort[i][0] > 0) {
      PetscCall(fare_store_put_real(store, path, "control_cost", r->effort[i][0]));
      PetscCall(fare_store_put_real(store, path, "control_cost_error", r->effort[i][1]));
    }
    if (r->failure[i]) PetscCall(fare_store_put_string(store, path, "failure", r->failure[i]));
    if (r->curve[i] && r->curve[i]->count) PetscCall(write_loss(r->curve[i], store, path));
    PetscCall(write_census(r, i, store, path));
    PetscCall(fare_results_motion_save(r, i, store, path));
  }
  PetscFunctionReturn(0);
}

/* What is written of every measure at every snapshot, in the order of measures.csv. */
static const fare_column measured[] = {
  {"value", offsetof(fare_measured, value)},
  {"floor_mean", offsetof(fare_measured, floor_mean)},
  {"floor_high", offsetof(fare_measured, floor_high)},
  {"p_value", offsetof(fare_measured, p_value)},
  {"excess", offsetof(fare_measured, excess)},
  {"truth_error", offsetof(fare_measured, truth_error)},
  {"corrected", offsetof(fare_measured, corrected)},
  {"low", offsetof(fare_measured, low)},
  {"high", offsetof(fare_measured, high)},
  {"significance", offsetof(fare_measured, significance)},
  {"effective", offsetof(fare_measured, effective)},
  {"independent", offsetof(fare_measured, independent)},
};

static PetscErrorCode write_measure(
  const fare_results *r, const fare_compared *c, size_t m, fare_store *store)
{
  char group[PATH_SIZE];

  PetscFunctionBegin;
  snprintf(group, sizeof group, "/comparisons/%s/%s", c->label, r->plan->measure[m]->name);
  PetscCall(fare_store_group(store, group));
  PetscCall(fare_store_put_string(store, group, "summary", r->plan->measure[m]->summary));
  PetscCall(fare_store_put_string(store, group, "unit", r->plan->measure[m]->unit));
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(measured); i++) {
    PetscCall(write_column(r, store, group, measured[i].name,
      (const char *)(c->measured + m) + measured[i].offset, r->plan->measures * sizeof *c->measured));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode write_comparisons(const fare_results *r, fare_store *store)
{
  PetscFunctionBegin;
  PetscCall(fare_store_group(store, "/comparisons"));
  for (size_t i = 0; i < r->comparisons; i++) {
    const fare_compared      *c = &r->comparison[i];
    const fare_plan_ensemble *e = &r->plan->ensemble[c->ensemble];
    char                      path[PATH_SIZE];

    snprintf(path, sizeof path, "/comparisons/%s", c->label);
    PetscCall(fare_store_group(store, path));
    PetscCall(fare_store_put_string(store, path, "ensemble", e->name));
    PetscCall(fare_store_put_string(store, path, "of", kinds[c->kind]));
    PetscCall(fare_store_put_string(store, path, "against", partners[c->kind]));
    PetscCall(fare_store_put_int(store, path, "samples", c->kind == FARE_DENSITY_TRUTH ? 0 : e->particles));
    for (size_t m = 0; m < r->plan->measures; m++) PetscCall(write_measure(r, c, m, store));
  }
  PetscFunctionReturn(0);
}

static void measures_csv(const fare_results *r, fare_text *to)
{
  fare_text_add(to, "comparison,measure,time,trained");
  for (size_t column = 0; column < PETSC_STATIC_ARRAY_LENGTH(measured); column++)
    fare_text_add(to, ",%s", measured[column].name);
  fare_text_add(to, "\n");
  for (size_t i = 0; i < r->comparisons; i++) {
    for (size_t m = 0; m < r->plan->measures; m++) {
      for (PetscInt64 k = 0; k < r->plan->snapshots.count; k++) {
        const char *at = (const char *)&r->comparison[i].measured[(size_t)k * r->plan->measures + m];

        fare_text_add(to, "%s,%s,%.17g,%d", r->comparison[i].label, r->plan->measure[m]->name,
          fare_schedule_time(&r->plan->snapshots, k), r->trained[k] ? 1 : 0);
        for (size_t column = 0; column < PETSC_STATIC_ARRAY_LENGTH(measured); column++)
          fare_text_add(to, ",%.9g", *(const double *)(at + measured[column].offset));
        fare_text_add(to, "\n");
      }
    }
  }
}

static PetscErrorCode write_tables(const fare_results *r, fare_record *record)
{
  fare_text text   = {0};
  char     *buffer = NULL;
  size_t    size   = 0;
  FILE     *to     = open_memstream(&buffer, &size);

  PetscFunctionBegin;
  if (!to) FARE_FAIL(FARE_ERR_FAILED, "out of memory for tables");
  fare_results_print_tables(r, to);
  fclose(to);
  fare_text_add(&text, "%s", buffer && *buffer ? buffer + 1 : ""); /* it begins with an empty line */
  free(buffer);
  PetscCall(fare_record_text(record, "tables.txt", &text));
  fare_text_free(&text);
  PetscFunctionReturn(0);
}

/* Where particles were, and what the truth has lost, at every snapshot. */
static void ends_csv(const fare_results *r, fare_text *to)
{
  const fare_walls walls = fare_truth_walls(r->plan->system, &r->plan->truth);
  char             name[64];

  fare_text_add(to, "of,time,outside,folded,survival");
  for (int end = 0; end < 2 * walls.dim; end++) {
    end_name(r, "absorbed", end, sizeof name, name);
    fare_text_add(to, ",%s", name);
  }
  fare_text_add(to, "\n");
  for (size_t row = 0; row <= r->plan->ensembles; row++) {
    for (PetscInt64 k = 0; k < r->plan->snapshots.count; k++) {
      const fare_truth_status *truth  = &r->truth[k];
      const fare_census       *census = row ? &r->census[row - 1][k] : NULL;

      fare_text_add(to, "%s,%.17g,%.9g,%.9g,%.9g", row ? r->plan->ensemble[row - 1].name : "truth",
        fare_schedule_time(&r->plan->snapshots, k), census ? census->outside : 0, census ? census->folded : 0,
        census ? census->survival : truth->survival);
      for (int end = 0; end < 2 * walls.dim; end++)
        fare_text_add(
          to, ",%.9g", census ? census->absorbed[end / 2][end % 2] : truth->absorbed[end / 2][end % 2]);
      fare_text_add(to, "\n");
    }
  }
}

static void thermo_csv(const fare_results *r, fare_text *to)
{
  fare_thermo_csv(r->thermo, r->truth, to);
}

static PetscErrorCode write_ranking(const fare_results *r, fare_record *record, fare_store *store)
{
  fare_ranking ranking;
  fare_text    text = {0};

  PetscFunctionBegin;
  PetscCall(fare_ranking_create(r, &ranking));
  PetscCall(fare_ranking_write(&ranking, store));
  fare_ranking_csv(&ranking, &text);
  if (text.length) PetscCall(fare_record_text(record, "ranking.csv", &text));
  fare_text_free(&text);
  PetscCall(fare_ranking_free(&ranking));
  PetscFunctionReturn(0);
}

static PetscErrorCode write_swept(const fare_swept *swept, fare_store *store)
{
  PetscFunctionBegin;
  if (!swept->count) PetscFunctionReturn(0);
  PetscCall(fare_store_group(store, "/sweep"));
  PetscCall(fare_store_put_int(store, "/sweep", "point", swept->point));
  PetscCall(fare_store_put_int(store, "/sweep", "points", swept->points));
  PetscCall(fare_store_put_strings(store, "/sweep", "keys", swept->count, (const char *const *)swept->key));
  PetscCall(
    fare_store_put_strings(store, "/sweep", "values", swept->count, (const char *const *)swept->value));
  PetscFunctionReturn(0);
}

/* A text that is made of the results, as a file beside study.h5. */
static PetscErrorCode write_text(const fare_results *r, fare_record *record, const char *name,
  void (*fill)(const fare_results *r, fare_text *to))
{
  fare_text text = {0};

  PetscFunctionBegin;
  fill(r, &text);
  PetscCall(fare_record_text(record, name, &text));
  fare_text_free(&text);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_results_write(MPI_Comm comm, const fare_results *r, fare_record *record)
{
  fare_store *store;
  fare_text   plan = {0};

  PetscFunctionBegin;
  PetscCall(write_text(r, record, "measures.csv", measures_csv));
  if (r->truth && r->plan->ensembles) PetscCall(write_text(r, record, "ends.csv", ends_csv));
  if (r->thermo) PetscCall(write_text(r, record, "thermodynamics.csv", thermo_csv));
  if (r->thermo && r->plan->thermodynamics.learned)
    PetscCall(write_text(r, record, "dynamics.csv", fare_results_motion_csv));
  if (r->plan->ensembles || r->rare.count) PetscCall(write_tables(r, record));
  PetscCall(fare_store_create(comm, fare_record_path(record, "study.h5"), &store));
  PetscCall(fare_store_put_string(store, "/", "study", r->plan->study));
  PetscCall(fare_store_put_string(store, "/", "software", "FARE"));
  PetscCall(fare_store_put_string(store, "/", "softwareVersion", fare_version()));
  PetscCall(fare_store_put_string(store, "/", "format", "fare-study 1.0"));
  PetscCall(fare_store_put_int(store, "/", "dimension", fare_system_dimension(r->plan->system)));
  fare_plan_write(r->plan, &plan);
  PetscCall(fare_store_write_text(store, "/plan", plan.text));
  fare_text_free(&plan);
  PetscCall(write_provenance(r, store));
  PetscCall(write_snapshots(r, store));
  PetscCall(write_truth(r, store));
  PetscCall(write_joint(r, store));
  if (r->truth) PetscCall(write_exits(r, store));
  PetscCall(write_bins(r, store));
  PetscCall(write_ensembles(r, store));
  PetscCall(write_comparisons(r, store));
  PetscCall(write_ranking(r, record, store));
  PetscCall(write_swept(&r->plan->swept, store));
  PetscCall(fare_analyses_save(r->analysis, store));
  PetscCall(fare_rare_results_save(&r->rare, store));
  PetscCall(fare_control_results_save(&r->control, store));
  PetscCall(fare_infer_results_save(&r->infer, store));
  PetscCall(write_thermo(r, store));
  PetscCall(fare_store_commit(&store));
  PetscFunctionReturn(0);
}
