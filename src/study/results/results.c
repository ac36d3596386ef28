/* SPDX-License-Identifier: BSD-2-Clause */
/* What a run finds, as it grows from snapshot to snapshot. */
#include "study/run/study.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Most bins per axis that a series keeps; what is measured is not affected. */
static const uint64_t kept_most[FARE_DIM_MAX] = {4096, 128, 32};

#define AT(member) offsetof(fare_truth_status, member)
const fare_column fare_truth_columns[] = {
  {"error", AT(error)},
  {"error_space", AT(error_space)},
  {"error_time", AT(error_time)},
  {"error_extrapolated", AT(error_extrapolated)},
  {"error_ratio", AT(observed)},
  {"time_bound", AT(time_bound)},
  {"mass_drift", AT(mass_drift)},
  {"minimum", AT(minimum)},
  {"lifted", AT(positivity_correction)},
  {"survival", AT(survival)},
  {"exit_flux", AT(exit_flux)},
  {"boundary_mass", AT(boundary_mass)},
  {NULL, 0},
};

#undef AT
#define AT(member) offsetof(fare_joint_status, member)
const fare_column fare_joint_columns[] = {
  {"error", AT(error)},
  {"error_space", AT(error_space)},
  {"error_time", AT(error_time)},
  {"error_rank", AT(error_rank)},
  {"mass_drift", AT(mass_drift)},
  {"discarded", AT(discarded)},
  {"clipped", AT(clipped)},
  {"rank", AT(rank)},
  {"entropy", AT(entropy)},
  {"entropy_error", AT(entropy_error)},
  {"equilibrium", AT(equilibrium)},
  {"equilibrium_error", AT(equilibrium_error)},
  {"boundary_mass", AT(boundary_mass)},
  {"doubt", AT(doubt)},
  {NULL, 0},
};

static const char *const suffix[] = {
  [FARE_SAMPLES_TRUTH] = "", [FARE_DENSITY_TRUTH] = "_density", [FARE_SAMPLES_TARGET] = "_target"};

static PetscErrorCode add_comparison(fare_results *r, size_t ensemble, fare_comparison_kind kind)
{
  const size_t   cells = (size_t)r->plan->snapshots.count * r->plan->measures;
  fare_compared *c     = &r->comparison[r->comparisons++];

  PetscFunctionBegin;
  snprintf(c->label, sizeof c->label, "%s%s", r->plan->ensemble[ensemble].name, suffix[kind]);
  c->ensemble = ensemble;
  c->kind     = kind;
  PetscCall(PetscCalloc1(cells, &c->measured));
  for (size_t i = 0; i < cells; i++) {
    fare_measured *at = &c->measured[i];

    at->value = at->corrected = at->low = at->high = at->floor_mean = at->floor_high = at->excess =
      at->significance = at->p_value = at->effective = at->independent = at->truth_error = NAN;
  }
  PetscFunctionReturn(0);
}

size_t fare_results_bins(const fare_results *r)
{
  size_t bins = 1;

  for (int i = 0; i < r->bin_axes; i++) bins *= r->bin_extent[i];
  return bins;
}

static PetscErrorCode add_series(fare_results *r, const char *name, const char *ending)
{
  fare_binned_series *series = &r->binned[r->series++];

  PetscFunctionBegin;
  snprintf(series->name, sizeof series->name, "%s%s", name, ending);
  if (!fare_is_rank_0(PETSC_COMM_WORLD)) PetscFunctionReturn(0);
  PetscCall(PetscCalloc1((size_t)r->plan->snapshots.count * fare_results_bins(r), &series->mass));
  PetscFunctionReturn(0);
}

/* Series have bins of the binning, joined in equal numbers until there are few enough. */
static void choose_bins(fare_results *r, const fare_binning *binning, const fare_grid *grid)
{
  uint64_t extent[FARE_DIM_MAX];

  fare_binning_extents(binning, extent);
  r->bin_axes = grid->dim;
  for (int i = 0; i < grid->dim; i++) {
    const int      axis   = grid->dim - 1 - i;
    const uint64_t joined = (extent[axis] + kept_most[grid->dim - 1] - 1) / kept_most[grid->dim - 1];

    r->bin_extent[i] = (extent[axis] + joined - 1) / joined;
    r->bin_lower[i]  = grid->lower[axis];
    r->bin_upper[i]  = grid->upper[axis];
  }
}

PetscErrorCode fare_results_create(
  const fare_plan *plan, const fare_binning *binning, const fare_grid *grid, fare_results *r)
{
  const size_t n = plan->ensembles, times = (size_t)plan->snapshots.count;

  PetscFunctionBegin;
  memset(r, 0, sizeof *r);
  r->plan = plan;
  PetscCall(PetscCalloc2(times, &r->trained, times, &r->file));
  if (plan->has_truth) PetscCall(PetscCalloc1(times, &r->truth));
  if (plan->joint) PetscCall(PetscCalloc1(times, &r->joint));
  PetscCall(PetscCalloc7(3 * n, &r->comparison, n, &r->cost, n, &r->effort, n, &r->census, n, &r->failure, n,
    &r->curve, 2 * n + 1, &r->binned));
  PetscCall(PetscCalloc1(n, &r->motion));
  PetscCall(fare_rare_results_create(plan->rare, &r->rare));
  if (grid) memcpy(r->cells, grid->cells, sizeof r->cells);
  if (grid) choose_bins(r, binning, grid);
  if (plan->has_truth) PetscCall(add_series(r, "truth", ""));
  for (size_t i = 0; i < n; i++) {
    const fare_plan_ensemble *e = &plan->ensemble[i];

    PetscCall(PetscCalloc1(times, &r->census[i]));
    if (fare_plan_has_motion(plan, &plan->ensemble[i])) PetscCall(PetscCalloc1(times, &r->motion[i]));
    for (PetscInt64 k = 0; k < plan->snapshots.count; k++) {
      r->census[i][k].outside = r->census[i][k].survival = NAN;
      if (e->type->train && !e->oracle && fare_training_includes(&e->training, k)) r->trained[k] = PETSC_TRUE;
    }
    if (grid) PetscCall(add_series(r, e->name, ""));
    if (!plan->has_truth && !plan->joint) continue;
    PetscCall(add_comparison(r, i, FARE_SAMPLES_TRUTH));
    if (!plan->has_truth) continue;
    if (!fare_sampler_type_has_model_density(e->type, fare_plan_ensemble_mode(e))) continue;
    PetscCall(add_series(r, e->name, suffix[FARE_DENSITY_TRUTH]));
    PetscCall(add_comparison(r, i, FARE_DENSITY_TRUTH));
    PetscCall(add_comparison(r, i, FARE_SAMPLES_TARGET));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_results_free(fare_results *r)
{
  PetscFunctionBegin;
  PetscCall(fare_analysis_results_destroy(&r->analysis));
  fare_analysis_keeper_free(&r->keeper);
  fare_rare_results_free(&r->rare);
  fare_control_results_free(&r->control);
  fare_infer_results_free(&r->infer);
  for (size_t i = 0; i < r->comparisons; i++) PetscCall(PetscFree(r->comparison[i].measured));
  for (size_t i = 0; i < r->series; i++) PetscCall(PetscFree(r->binned[i].mass));
  for (size_t i = 0; r->census && i < r->plan->ensembles; i++) {
    PetscCall(PetscFree(r->census[i]));
    PetscCall(PetscFree(r->motion[i]));
    free(r->failure[i]);
  }
  PetscCall(PetscFree(r->motion));
  PetscCall(PetscFree2(r->trained, r->file));
  PetscCall(PetscFree(r->truth));
  PetscCall(PetscFree(r->joint));
  PetscCall(PetscFree7(r->comparison, r->cost, r->effort, r->census, r->failure, r->curve, r->binned));
  memset(r, 0, sizeof *r);
  PetscFunctionReturn(0);
}

void fare_results_forget_series(fare_results *r)
{
  const size_t bytes = (size_t)r->plan->snapshots.count * fare_results_bins(r) * sizeof *r->binned->mass;

  for (size_t i = 0; i < r->series; i++) {
    if (r->binned[i].mass) memset(r->binned[i].mass, 0, bytes);
  }
}

fare_compared *fare_results_comparison(fare_results *r, size_t ensemble, fare_comparison_kind kind)
{
  for (size_t i = 0; i < r->comparisons; i++) {
    if (r->comparison[i].ensemble == ensemble && r->comparison[i].kind == kind) return &r->comparison[i];
  }
  return NULL;
}

/* A measure without bias has a floor of mean 0, and is judged by the floor's width. */
fare_approach fare_results_approach(const fare_results *r, size_t ensemble)
{
  fare_approach of    = {FARE_CONVERGED_UNKNOWN, NAN, NAN};
  double        value = 0, floor = 0, high = 0, excess = 0;
  PetscInt64    count = 0;

  for (size_t i = 0; i < r->comparisons && r->plan->measures; i++) {
    if (r->comparison[i].ensemble != ensemble || r->comparison[i].kind != FARE_SAMPLES_TARGET) continue;
    for (PetscInt64 k = 0; k < r->plan->snapshots.count; k++) {
      const fare_measured *at = &r->comparison[i].measured[(size_t)k * r->plan->measures];

      if (isnan(at->value)) continue;
      count++;
      value += at->value;
      floor += at->floor_mean;
      high += at->floor_high;
      excess += at->excess;
    }
  }
  if (!count) return of;
  of.value = value / (double)count;
  of.floor = floor / (double)count;
  of.state = excess < 0.1 * PetscMax(floor, high - floor) ? FARE_CONVERGED : FARE_NOT_CONVERGED;
  return of;
}

void fare_results_keep(fare_results *r, const char *name, PetscInt64 snapshot, const fare_binning *binning,
  const fare_binned *binned)
{
  fare_binned_series *series    = NULL;
  uint64_t extent[FARE_DIM_MAX] = {1, 1, 1}, kept[FARE_DIM_MAX] = {1, 1, 1}, joined[FARE_DIM_MAX] = {1, 1, 1};
  float   *mass;

  for (size_t i = 0; i < r->series && !series; i++)
    series = strcmp(r->binned[i].name, name) ? NULL : &r->binned[i];
  if (!series || !series->mass) return; /* kept by another rank */
  fare_binning_extents(binning, extent);
  for (int axis = 0; axis < r->bin_axes; axis++) {
    kept[axis]   = r->bin_extent[r->bin_axes - 1 - axis];
    joined[axis] = (extent[axis] + kept[axis] - 1) / kept[axis];
  }
  mass = series->mass + (size_t)snapshot * kept[0] * kept[1] * kept[2];
  for (uint64_t z = 0, i = 0; z < extent[2]; z++) {
    for (uint64_t y = 0; y < extent[1]; y++) {
      for (uint64_t x = 0; x < extent[0]; x++, i++)
        mass[((z / joined[2]) * kept[1] + y / joined[1]) * kept[0] + x / joined[0]] += (float)binned->mass[i];
    }
  }
}

PetscInt64 fare_results_doubt(const fare_results *r)
{
  PetscInt64 worst = -1;

  for (PetscInt64 k = 0; r->truth && k < r->plan->snapshots.count; k++) {
    if (r->truth[k].doubt && (worst < 0 || r->truth[k].error > r->truth[worst].error)) worst = k;
  }
  return worst;
}

/*
  At the ends of a position the truth of a body with inertia lets it rest until its velocity has turned, where
  particles are reflected.
*/
PetscInt64 fare_results_at_rest(const fare_results *r)
{
  const fare_walls walls = r->truth ? fare_truth_walls(r->plan->system, &r->plan->truth) : (fare_walls){0};
  PetscInt64       worst = -1;

  if (!walls.inertial || !(walls.at[0][0] || walls.at[0][1])) return -1;
  for (PetscInt64 k = 1; k < r->plan->snapshots.count; k++) {
    const double mass = r->truth[k].boundary_mass;

    if (mass > PetscMax(r->truth[k].error, FARE_BOUNDARY_MASS) &&
      (worst < 0 || mass > r->truth[worst].boundary_mass))
      worst = k;
  }
  return worst;
}
