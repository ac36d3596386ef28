/* Scoring: one time after the other, samples on bins against the truth on bins, with a floor and an interval for every value. */
#include "score.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEVEL 0.95 /* of the interval */

/* The bins that samples lie in, as classes to draw from: the outside counts as two, below a single axis and elsewhere. */
typedef struct {
  const fare_binned *q;
  int64_t            n; /* draws: the effective number of samples, rounded */
  size_t             classes, *bin;
  double            *share;
  int64_t           *counts;
  fare_binned        drawn;
} resampling;

static PetscErrorCode resampling_create(const fare_binned *q, resampling *r)
{
  PetscFunctionBeginUser;
  memset(r, 0, sizeof *r);
  r->q     = q;
  r->n     = PetscMax(1, llround(q->effective));
  r->drawn = (fare_binned){.bins = q->bins, .effective = (double)r->n, .samples = r->n};
  PetscCall(PetscMalloc4(q->bins + 2, &r->bin, q->bins + 2, &r->share, q->bins + 2, &r->counts, q->bins + 1, &r->drawn.mass));
  for (size_t i = 0; i <= q->bins + 1; i++) {
    const double share = i < q->bins ? q->mass[i] : i == q->bins ? q->mass[q->bins] - q->below : q->below;

    if (!(share > 0)) continue;
    r->bin[r->classes]     = i;
    r->share[r->classes++] = share;
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode resampling_destroy(resampling *r)
{
  PetscFunctionBeginUser;
  PetscCall(PetscFree4(r->bin, r->share, r->counts, r->drawn.mass));
  PetscFunctionReturn(0);
}

static void resample(resampling *r, fare_random *random)
{
  fare_binned *drawn = &r->drawn;

  memset(drawn->mass, 0, (drawn->bins + 1) * sizeof *drawn->mass);
  drawn->below = 0;
  fare_random_multinomial(random, r->n, r->classes, r->share, r->counts);
  for (size_t c = 0; c < r->classes; c++) {
    const double mass = (double)r->counts[c] / (double)r->n;

    drawn->mass[PetscMin(r->bin[c], drawn->bins)] += mass;
    if (r->bin[c] > drawn->bins) drawn->below = mass;
  }
}

/*
  The replicates v* scatter about their own mean as the value v does about its expectation, though that mean lies higher: a plug-in estimate of resampled counts has
  the noise of both. So the interval is v plus the quantiles of v* less the mean of v*. Sorts the values.
*/
static PetscErrorCode find_interval(int replicates, double values[], fare_scored_measure *of)
{
  const int cut  = (int)floor(0.5 * (1 - LEVEL) * (replicates + 1)) - 1; /* as many replicates below as above; none where there are few */
  double    mean = 0;

  PetscFunctionBeginUser;
  for (int r = 0; r < replicates; r++) mean += values[r] / replicates;
  PetscCall(PetscSortReal(replicates, values));
  of->low  = PetscMax(0, of->measured.value + values[cut] - mean);
  of->high = of->measured.value + values[replicates - 1 - cut] - mean;
  PetscFunctionReturn(0);
}

/* Every replicate on one rank, by its own sequence of random numbers, and known to all. */
static PetscErrorCode resample_all(const fare_scores *s, size_t snapshot, const fare_binned *p, const fare_binned *q, double values[])
{
  const size_t   replicates = (size_t)s->replicates;
  fare_measured *measured;
  resampling     r;
  char           name[64];
  int            rank, size;

  PetscFunctionBeginUser;
  PetscCallMPI(MPI_Comm_rank(s->study->comm, &rank));
  PetscCallMPI(MPI_Comm_size(s->study->comm, &size));
  snprintf(name, sizeof name, "score/interval/%zu", snapshot);
  PetscCall(resampling_create(q, &r));
  PetscCall(PetscMalloc1(s->measures, &measured));
  memset(values, 0, s->measures * replicates * sizeof *values);
  for (size_t i = (size_t)rank; i < replicates; i += (size_t)size) {
    fare_random random = {.stream = fare_stream_make((uint64_t)s->study->seed, name), .sequence = i};

    resample(&r, &random);
    PetscCall(fare_measure_compare(PETSC_COMM_SELF, s->study->binning, p, NULL, &r.drawn, s->measures, s->measure, 0, random.stream, measured));
    for (size_t m = 0; m < s->measures; m++) values[m * replicates + i] = measured[m].value;
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, values, (PetscMPIInt)(s->measures * replicates), MPI_DOUBLE, MPI_SUM, s->study->comm)); /* all but one are 0 */
  PetscCall(PetscFree(measured));
  PetscCall(resampling_destroy(&r));
  PetscFunctionReturn(0);
}

static PetscErrorCode score_binned(fare_scores *s, size_t i, const fare_binned *p, const fare_binned *corrected, const fare_binned *q)
{
  const size_t         snapshot = s->samples->snapshot[i], replicates = (size_t)s->replicates;
  fare_scored_measure *at = s->at + i * s->measures;
  fare_measured       *measured;
  double              *values;
  char                 name[64];

  PetscFunctionBeginUser;
  snprintf(name, sizeof name, "score/floor/%zu", snapshot);
  PetscCall(PetscMalloc2(s->measures, &measured, s->measures * replicates, &values));
  PetscCall(fare_measure_compare(s->study->comm, s->study->binning, p, corrected, q, s->measures, s->measure, s->replicates, fare_stream_make((uint64_t)s->study->seed, name), measured));
  PetscCall(resample_all(s, snapshot, p, q, values));
  for (size_t m = 0; m < s->measures; m++) {
    at[m].measured = measured[m];
    PetscCall(find_interval(s->replicates, values + m * replicates, &at[m]));
  }
  s->effective[i] = q->effective;
  PetscCall(PetscFree2(measured, values));
  PetscFunctionReturn(0);
}

static PetscErrorCode score_time(fare_scores *s, size_t i)
{
  fare_ensemble *ensemble;
  fare_binned    p, corrected, q;

  PetscFunctionBeginUser;
  PetscCall(fare_samples_read(s->samples, i, &ensemble));
  PetscCall(fare_binning_ensemble(s->study->binning, ensemble, &q));
  PetscCall(fare_ensemble_destroy(&ensemble));
  PetscCall(fare_finished_truth(s->study, s->samples->snapshot[i], &p, &corrected));
  PetscCall(score_binned(s, i, &p, &corrected, &q));
  PetscCall(fare_binned_free(&p));
  PetscCall(fare_binned_free(&corrected));
  PetscCall(fare_binned_free(&q));
  PetscFunctionReturn(0);
}

/* Those asked for, or all that are defined in this dimension. */
static PetscErrorCode choose_measures(const fare_score_options *options, int dim, fare_scores *s)
{
  size_t most = options->measures;

  PetscFunctionBeginUser;
  while (!options->measures && fare_measure_type_at(most)) most++;
  PetscCall(PetscCalloc1(most, &s->measure));
  for (size_t i = 0; i < most; i++) {
    const fare_measure_type *type    = options->measures ? options->measure[i] : fare_measure_type_at(i);
    const PetscBool          defined = !type->dimension_most || dim <= type->dimension_most ? PETSC_TRUE : PETSC_FALSE;

    if (!defined && options->measures) FARE_FAIL(FARE_ERR_INPUT, "measure %s is defined in at most %d dimension%s, the study has %d", type->name, type->dimension_most, type->dimension_most > 1 ? "s" : "", dim);
    if (defined) s->measure[s->measures++] = type;
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode show(const fare_scores *s, fare_score_form form, FILE *to)
{
  fare_text text = {0};

  PetscFunctionBeginUser;
  if (form == FARE_SCORE_TABLE) PetscCall(fare_scores_print(s, to));
  if (form == FARE_SCORE_JSON) fare_scores_write_json(s, &text);
  if (form == FARE_SCORE_CSV) fare_scores_write_csv(s, &text);
  if (text.text) fputs(text.text, to);
  fare_text_free(&text);
  if (fflush(to) || ferror(to)) FARE_FAIL(FARE_ERR_FAILED, "the scores could not be printed whole (disk full?)");
  PetscFunctionReturn(0);
}

static PetscErrorCode score_all(fare_scores *s, fare_score_form form, FILE *to)
{
  PetscErrorCode code = 0;
  int            rank;

  PetscFunctionBeginUser;
  PetscCallMPI(MPI_Comm_rank(s->study->comm, &rank));
  PetscCall(PetscCalloc2(s->samples->times * s->measures, &s->at, s->samples->times, &s->effective));
  for (size_t i = 0; i < s->samples->times && !code; i++) code = score_time(s, i);
  if (rank == 0 && !code) code = show(s, form, to);
  PetscCall(PetscFree2(s->at, s->effective));
  PetscFunctionReturn(code);
}

PetscErrorCode fare_score(MPI_Comm comm, const fare_score_options *options, FILE *to)
{
  fare_finished  study;
  fare_samples   samples = {0};
  fare_scores    scores  = {.study = &study, .samples = &samples, .replicates = options->replicates};
  PetscErrorCode code;

  PetscFunctionBeginUser;
  PetscCall(fare_finished_open(comm, options->directory, &study));
  code = fare_finished_open_truth(&study);
  if (!code) code = choose_measures(options, study.dim, &scores);
  if (!code) code = fare_samples_open(&study, options->samples, &samples);
  if (!code) code = score_all(&scores, options->form, to);
  PetscCall(PetscFree(scores.measure));
  PetscCall(fare_samples_close(&samples));
  PetscCall(fare_finished_close(&study));
  PetscFunctionReturn(fare_error_agree(comm, code));
}
