/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Scoring against a truth that is not one grid: it is made from the study's plan, and taken to each time by
  the state that the snapshot keeps.
*/
#include "score.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

PetscErrorCode fare_finished_close_joint(fare_finished *f)
{
  PetscFunctionBegin;
  PetscCall(fare_joint_destroy(&f->joint));
  fare_initial_free(&f->initial);
  PetscCall(fare_system_destroy(&f->physics));
  fare_config_destroy(&f->config);
  PetscFunctionReturn(0);
}

/* As it was when the study began. */
static PetscErrorCode make_joint(fare_finished *f, const fare_node *plan)
{
  const fare_joint_type *type    = fare_joint_type_find(f->kind);
  void                  *options = NULL;
  PetscErrorCode         code;

  PetscFunctionBegin;
  if (!type) FARE_FAIL(FARE_ERR_INPUT, "%s: this program knows no truth of kind '%s'", f->directory, f->kind);
  PetscCall(
    fare_system_from_config(fare_node_find(plan, "system"), fare_node_find(plan, "drive"), &f->physics));
  PetscCall(fare_initial_from_config(fare_node_find(plan, "initial"), f->physics, &f->initial));
  PetscCall(fare_joint_options_read(type, fare_node_find(plan, "truth"), f->physics, &f->initial, &options));
  type = fare_joint_type_for(type, f->physics, &f->initial);
  code = fare_joint_create(f->comm, type, options, f->physics, &f->initial, f->time[0], &f->joint);
  fare_joint_options_free(type, &options);
  PetscFunctionReturn(code);
}

PetscErrorCode fare_finished_open_joint(fare_finished *f)
{
  fare_store    *first;
  PetscBool      has = PETSC_FALSE;
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(fare_as_input(fare_finished_snapshot(f, 0, &first)));
  code = fare_store_has(first, FARE_RECORD_STATE, &has);
  PetscCall(fare_store_close(&first));
  PetscCall(code);
  if (!has)
    FARE_FAIL(FARE_ERR_INPUT,
      "%s: its snapshots do not keep the state of the truth (kind '%s'), which scores need: run the study "
      "again with record: {truth: true}",
      f->directory, f->kind);
  PetscCall(fare_as_input(fare_finished_plan(f, &f->config)));
  PetscCall(fare_as_input(make_joint(f, fare_config_root(f->config))));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_finished_joint_at(fare_finished *f, size_t snapshot)
{
  const double   time = f->time[snapshot];
  fare_store    *store;
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(fare_as_input(fare_finished_snapshot(f, snapshot, &store)));
  code = fare_joint_load(f->joint, store, FARE_RECORD_STATE);
  PetscCall(fare_store_close(&store));
  PetscCall(fare_as_input(code));
  if (!(fabs(f->joint->status.time - time) <= 1e-9 * PetscMax(1, fabs(time))))
    FARE_FAIL(FARE_ERR_INPUT, "%s: snapshot %zu (time %.10g) does not match study.h5", f->directory, snapshot,
      f->joint->status.time);
  PetscFunctionReturn(0);
}

/* A measure of grids that has the same name here, or none. */
static PetscErrorCode take(
  const fare_scores *s, const fare_measure_type *asked, const fare_measure_type **type)
{
  const fare_finished *f = s->study;

  PetscFunctionBegin;
  *type = fare_joint_measure_find(asked->name);
  if (!*type)
    FARE_FAIL(FARE_ERR_INPUT,
      "measure %s needs a truth on a grid, the truth of %s is of kind '%s': take marginals_1, or another of "
      "docs/many_axes.md",
      asked->name, f->directory, f->kind);
  PetscCall(fare_joint_measure_check(*type, f->joint->type, f->dim, s->samples->has_log_density));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_score_choose_joint(const fare_score_options *options, fare_scores *s)
{
  size_t most = options->measures;

  PetscFunctionBegin;
  while (!options->measures && fare_joint_measure_at(most)) most++;
  PetscCall(PetscCalloc1(most, &s->measure));
  for (size_t i = 0; i < options->measures; i++)
    PetscCall(take(s, options->measure[i], &s->measure[s->measures++]));
  for (size_t i = 0; !options->measures && i < most; i++) {
    const fare_measure_type *type = fare_joint_measure_at(i);

    if (fare_joint_measure_is_usual(type) &&
      !fare_joint_measure_check(type, s->study->joint->type, s->study->dim, s->samples->has_log_density))
      s->measure[s->measures++] = type;
  }
  PetscFunctionReturn(0);
}

/* Share of the weight where the truth has no density; summed in the order of blocks. */
static PetscErrorCode find_outside(fare_joint *joint, const fare_ensemble *e, double *outside)
{
  const int64_t blocks = (e->count + FARE_BLOCK - 1) / FARE_BLOCK;
  double       *log_p, *of, sum[2] = {0};

  PetscFunctionBegin;
  PetscCall(PetscMalloc1((size_t)PetscMax(1, e->local), &log_p));
  PetscCall(PetscCalloc1((size_t)(2 * blocks), &of));
  PetscCall(joint->type->log_density(joint, 0, e->local, (const double *const *)e->x, log_p));
  for (int64_t i = 0; i < e->local; i++) {
    const double w = e->weight ? e->weight[i] : 1;

    of[2 * (e->first_block + i / FARE_BLOCK)] += isinf(log_p[i]) ? w : 0;
    of[2 * (e->first_block + i / FARE_BLOCK) + 1] += w;
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, of, (PetscMPIInt)(2 * blocks), MPI_DOUBLE, MPI_SUM, e->comm));
  for (int64_t b = 0; b < 2 * blocks; b++) sum[b % 2] += of[b];
  *outside = sum[0] / sum[1];
  PetscCall(PetscFree(of));
  PetscCall(PetscFree(log_p));
  PetscFunctionReturn(0);
}

/* As FARE_VALUES_ALONE has it on grids: what exact draws would tell is not known. */
static void leave_alone(size_t count, fare_measured at[])
{
  for (size_t m = 0; m < count; m++) {
    fare_measured *of = &at[m];

    of->floor_mean = of->floor_high = of->excess = of->significance = of->p_value = NAN;
    of->corrected = of->low = of->high = NAN;
    of->interval                       = isnan(of->value) ? FARE_NO_VALUE : FARE_NOT_ASKED;
  }
}

PetscErrorCode fare_score_joint(fare_scores *s, size_t i)
{
  const size_t   snapshot    = s->samples->snapshot[i];
  const int      replicates  = PetscMax(1, s->replicates);
  fare_measured *at          = s->at + i * s->measures;
  double        *log_density = NULL;
  fare_ensemble *ensemble;
  char           name[64];
  PetscErrorCode code = 0;

  PetscFunctionBegin;
  PetscCall(fare_samples_read(s->samples, i, &ensemble));
  if (s->samples->has_log_density)
    code = fare_samples_read_log_density(s->samples, i, ensemble, &log_density);
  if (!code) code = fare_finished_joint_at(s->study, snapshot);
  snprintf(name, sizeof name, "score/floor/%zu", snapshot);
  if (!code) code = find_outside(s->study->joint, ensemble, &s->outside[i]);
  if (!code)
    code = fare_joint_compare(s->study->joint, ensemble, log_density, s->measures, s->measure, replicates,
      fare_stream_make((uint64_t)s->study->seed, name), at);
  if (!code && s->replicates == FARE_VALUES_ALONE) leave_alone(s->measures, at);
  if (!code && s->measures) s->effective[i] = at[0].effective;
  free(log_density);
  PetscCall(fare_ensemble_destroy(&ensemble));
  PetscFunctionReturn(code);
}
