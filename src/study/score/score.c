/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Scoring: one time after the other, samples on bins against the truth on bins, with a floor and an interval
  for every value.
*/
#include "score.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static PetscErrorCode score_binned(
  fare_scores *s, size_t i, const fare_binned *p, const fare_binned *corrected, const fare_binned *q)
{
  const size_t snapshot = s->samples->snapshot[i];
  char         name[64];

  PetscFunctionBegin;
  snprintf(name, sizeof name, "score/floor/%zu", snapshot);
  PetscCall(fare_measure_compare(s->study->comm, s->study->binning, p, corrected, q, s->binned, s->measure,
    s->replicates, fare_stream_make((uint64_t)s->study->seed, name), s->at + i * s->measures));
  s->effective[i] = q->effective;
  s->outside[i]   = q->mass[q->bins];
  PetscFunctionReturn(0);
}

/* What the samples' own density tells; nothing where they have none. */
static PetscErrorCode score_density(fare_scores *s, size_t i, const fare_binned *p,
  const fare_binned *corrected, const fare_binned *q, const fare_ensemble *ensemble)
{
  double *log_density;

  PetscFunctionBegin;
  if (s->binned == s->measures) PetscFunctionReturn(0);
  PetscCall(fare_samples_read_log_density(s->samples, i, ensemble, &log_density));
  for (size_t m = s->binned; m < s->measures; m++)
    PetscCall(fare_score_density(
      s->study, s->measure[m], p, corrected, q, ensemble, log_density, &s->at[i * s->measures + m]));
  free(log_density);
  PetscFunctionReturn(0);
}

static PetscErrorCode score_cells(fare_scores *s, size_t i)
{
  fare_binned    p, corrected, q;
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(fare_cells_read(s->samples, i, &q, &s->total[i]));
  code = fare_finished_truth(s->study, s->samples->snapshot[i], &p, &corrected);
  if (!code) code = score_binned(s, i, &p, &corrected, &q);
  PetscCall(fare_binned_free(&p));
  PetscCall(fare_binned_free(&corrected));
  PetscCall(fare_binned_free(&q));
  PetscFunctionReturn(code);
}

static PetscErrorCode score_time(fare_scores *s, size_t i)
{
  fare_ensemble *ensemble;
  fare_binned    p, corrected, q;
  PetscErrorCode code;

  PetscFunctionBegin;
  if (fare_finished_is_joint(s->study)) PetscFunctionReturn(fare_score_joint(s, i));
  if (s->samples->cells) PetscFunctionReturn(score_cells(s, i));
  PetscCall(fare_samples_read(s->samples, i, &ensemble));
  PetscCall(fare_binning_ensemble(s->study->binning, ensemble, &q));
  PetscCall(fare_finished_truth(s->study, s->samples->snapshot[i], &p, &corrected));
  PetscCall(score_binned(s, i, &p, &corrected, &q));
  code = score_density(s, i, &p, &corrected, &q, ensemble);
  PetscCall(fare_ensemble_destroy(&ensemble));
  PetscCall(fare_binned_free(&p));
  PetscCall(fare_binned_free(&corrected));
  PetscCall(fare_binned_free(&q));
  PetscFunctionReturn(code);
}

/* On grids, or of samples with their own density. */
static const fare_measure_type *grid_measure_at(size_t i)
{
  size_t binned = 0;

  while (fare_measure_type_at(binned)) binned++;
  return i < binned ? fare_measure_type_at(i) : fare_score_density_at(i - binned);
}

static PetscBool is_of_grids(const char *name)
{
  for (size_t i = 0; grid_measure_at(i); i++) {
    if (!strcmp(grid_measure_at(i)->name, name)) return PETSC_TRUE;
  }
  return PETSC_FALSE;
}

const fare_measure_type *fare_score_measure_at(size_t i)
{
  size_t of_grids = 0;

  while (grid_measure_at(of_grids)) of_grids++;
  if (i < of_grids) return grid_measure_at(i);
  for (size_t j = 0; fare_joint_measure_at(j); j++) {
    if (!is_of_grids(fare_joint_measure_at(j)->name) && i-- == of_grids) return fare_joint_measure_at(j);
  }
  return NULL;
}

/* Whether it is made from the samples' own density. */
static PetscBool needs_density(const fare_measure_type *type)
{
  return type->evaluate ? PETSC_FALSE : PETSC_TRUE;
}

/*
  Those asked for, or all that are defined in this dimension and for these samples; those that need the
  samples' own density last.
*/
static PetscErrorCode choose_measures(
  const fare_score_options *options, int dim, PetscBool has_density, fare_scores *s)
{
  size_t most = options->measures;

  PetscFunctionBegin;
  while (!options->measures && grid_measure_at(most)) most++;
  PetscCall(PetscCalloc1(most, &s->measure));
  for (int density = 0; density < 2; density++) {
    for (size_t i = 0; i < most; i++) {
      const fare_measure_type *type = options->measures ? options->measure[i] : grid_measure_at(i);
      const PetscBool defined = !type->dimension_max || dim <= type->dimension_max ? PETSC_TRUE : PETSC_FALSE;

      if (!is_of_grids(type->name))
        FARE_FAIL(FARE_ERR_INPUT,
          "measure %s needs a truth of many axes, the truth of %s is on a grid: take kl, or another of `fare "
          "list measures`",
          type->name, s->study->directory);
      if (needs_density(type) != (PetscBool)density) continue;
      if (!defined && options->measures)
        FARE_FAIL(FARE_ERR_INPUT, "measure %s is defined in at most %d dimension%s, the study has %d",
          type->name, type->dimension_max, type->dimension_max > 1 ? "s" : "", dim);
      if (density && !has_density && options->measures)
        FARE_FAIL(FARE_ERR_INPUT, "%s: measure %s needs log_density at all times, which is missing",
          s->samples->path, type->name);
      if (defined && (!density || has_density)) s->measure[s->measures++] = type;
    }
    if (!density) s->binned = s->measures;
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode show(const fare_scores *s, fare_score_form form, FILE *to)
{
  fare_text text = {0};

  PetscFunctionBegin;
  if (form == FARE_SCORE_TABLE) PetscCall(fare_scores_print(s, to));
  if (form == FARE_SCORE_JSON) fare_scores_write_json(s, &text);
  if (form == FARE_SCORE_CSV) fare_scores_write_csv(s, &text);
  if (text.text) fputs(text.text, to);
  fare_text_free(&text);
  if (fflush(to) || ferror(to))
    FARE_FAIL(FARE_ERR_FAILED, "the scores could not be printed completely (disk full?)");
  PetscFunctionReturn(0);
}

static PetscErrorCode score_all(fare_scores *s, fare_score_form form, FILE *to)
{
  PetscErrorCode code = 0;

  PetscFunctionBegin;
  PetscCall(PetscCalloc4(s->samples->times * s->measures, &s->at, s->samples->times, &s->effective,
    s->samples->times, &s->total, s->samples->times, &s->outside));
  for (size_t i = 0; i < s->samples->times && !code; i++) code = score_time(s, i);
  if (fare_is_rank_0(s->study->comm) && !code) code = show(s, form, to);
  if (!code) fare_scores_warn(s);
  PetscCall(PetscFree4(s->at, s->effective, s->total, s->outside));
  PetscFunctionReturn(code);
}

PetscErrorCode fare_score(MPI_Comm comm, const fare_score_options *options, FILE *to)
{
  fare_finished  study;
  fare_samples   samples = {0};
  fare_scores    scores  = {.study = &study,
        .samples                   = &samples,
        .replicates                = options->replicates ? options->replicates : FARE_VALUES_ALONE};
  PetscBool      joint;
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(fare_finished_open(comm, options->directory, &study));
  joint = fare_finished_is_joint(&study);
  code  = joint ? fare_finished_open_joint(&study) : fare_finished_open_truth(&study);
  if (!code) code = fare_samples_open(&study, options->samples, &samples);
  if (!code)
    code = joint ? fare_score_choose_joint(options, &scores)
                 : choose_measures(options, study.dim, samples.has_log_density, &scores);
  if (!code) code = score_all(&scores, options->form, to);
  PetscCall(PetscFree(scores.measure));
  PetscCall(fare_samples_close(&samples));
  PetscCall(fare_finished_close_joint(&study));
  PetscCall(fare_finished_close(&study));
  PetscFunctionReturn(fare_error_agree(comm, code));
}
