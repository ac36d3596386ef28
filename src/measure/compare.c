/* Measures of samples or a density against the truth, with the floor that exact draws of the same size would show. */
#include "binning.h"

#include <math.h>
#include <string.h>

#define POOL_LEAST 5. /* expected samples in a pooled bin */
#define FLOOR_HIGH 0.95
#define ROUND_OFF  1e-12 /* relative: few samples in few bins often give the very same value by another order of sums */

/* Truth and samples as estimators see them, in arrays that every replicate refills. */
typedef struct {
  const fare_binning *binning;
  int64_t             n; /* effective samples behind q, rounded; 0: a density */
  size_t              pools, *pool;
  double             *p, *p_raw, *q, *q_raw; /* pools and the outside */
  double             *q_fine;                /* of a replicate */
  int64_t            *counts;
  fare_comparison     seen;
} sides;

static PetscErrorCode sides_create(const fare_binning *binning, const fare_binned *p, const fare_binned *q, sides *s)
{
  PetscFunctionBeginUser;
  memset(s, 0, sizeof *s);
  s->binning = binning;
  s->n       = q->samples ? PetscMax(1, llround(q->effective)) : 0;
  s->pools   = binning->bins;
  PetscCall(PetscMalloc3(binning->bins, &s->pool, binning->bins, &s->q_fine, binning->bins, &s->counts));
  if (s->n) PetscCall(fare_binning_pool(binning, p->mass, POOL_LEAST / (double)s->n, s->pool, &s->pools));
  else {
    for (size_t i = 0; i < binning->bins; i++) s->pool[i] = i;
  }
  PetscCall(PetscMalloc4(s->pools + 1, &s->p, s->pools + 1, &s->p_raw, s->pools + 1, &s->q, s->pools + 1, &s->q_raw));
  s->seen = (fare_comparison){.dim = binning->grid.dim, .coarse = s->pools + 1, .p = s->p, .q = s->q, .p_raw = s->p_raw, .q_raw = s->q_raw, .fine = binning->grid.dim == 1 ? binning->bins : 0, .edge = binning->edge};
  PetscFunctionReturn(0);
}

static PetscErrorCode sides_destroy(sides *s)
{
  PetscFunctionBeginUser;
  PetscCall(PetscFree4(s->p, s->p_raw, s->q, s->q_raw));
  PetscCall(PetscFree3(s->pool, s->q_fine, s->counts));
  PetscFunctionReturn(0);
}

static void pool_masses(const sides *s, const double mass[], double outside, double pooled[])
{
  memset(pooled, 0, s->pools * sizeof *pooled);
  for (size_t i = 0; i < s->binning->bins; i++) pooled[s->pool[i]] += mass[i];
  pooled[s->pools] = outside;
}

/* The truth has no mass outside and is given half a count there; the pools have some of their own. */
static void show_truth(sides *s, const fare_binned *p)
{
  pool_masses(s, p->mass, p->mass[p->bins], s->p_raw);
  memcpy(s->p, s->p_raw, (s->pools + 1) * sizeof *s->p);
  if (s->n) {
    const double n = (double)s->n;

    for (size_t i = 0; i <= s->pools; i++) s->p[i] = (n * s->p_raw[i] + (i == s->pools ? 0.5 : 0)) / (n + 0.5);
  }
  s->seen.p_fine = p->mass;
}

/* Jeffreys' half count in each of the declared bins, from the masses already in q_raw. */
static void apply_half_counts(sides *s)
{
  const double n = (double)s->n, all = n + 0.5 * (double)(s->pools + 1);

  memcpy(s->q, s->q_raw, (s->pools + 1) * sizeof *s->q);
  if (s->n) {
    for (size_t i = 0; i <= s->pools; i++) s->q[i] = (n * s->q_raw[i] + 0.5) / all;
  }
}

static void show_samples(sides *s, const fare_binned *q)
{
  pool_masses(s, q->mass, q->mass[q->bins], s->q_raw);
  apply_half_counts(s);
  s->seen.q_fine  = q->mass;
  s->seen.q_below = q->below;
  s->seen.q_above = q->mass[q->bins] - q->below;
}

/* Exact draws of the truth: on fine bins where an estimator may look at them, else on the pools alone. */
static void show_replicate(sides *s, const fare_binned *p, fare_random *random)
{
  const double n = (double)s->n;

  if (s->seen.fine) {
    fare_random_multinomial(random, s->n, p->bins, p->mass, s->counts);
    for (size_t i = 0; i < p->bins; i++) s->q_fine[i] = (double)s->counts[i] / n;
    pool_masses(s, s->q_fine, 0, s->q_raw);
  } else {
    fare_random_multinomial(random, s->n, s->pools, s->p_raw, s->counts);
    for (size_t i = 0; i < s->pools; i++) s->q_raw[i] = (double)s->counts[i] / n;
    s->q_raw[s->pools] = 0;
  }
  apply_half_counts(s);
  s->seen.q_fine  = s->q_fine;
  s->seen.q_below = s->seen.q_above = 0;
}

/* values[measure * replicates + replicate]: each computed on one rank, by its own sequence of random numbers, and known to all. */
static PetscErrorCode replicate(MPI_Comm comm, sides *s, const fare_binned *p, size_t count, const fare_measure_type *const types[], int replicates, fare_stream stream, double values[])
{
  int rank, size;

  PetscFunctionBeginUser;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCallMPI(MPI_Comm_size(comm, &size));
  memset(values, 0, count * (size_t)replicates * sizeof *values);
  for (int r = rank; r < replicates; r += size) {
    fare_random random = {.stream = stream, .sequence = (uint64_t)r};

    show_replicate(s, p, &random);
    for (size_t m = 0; m < count; m++) values[m * (size_t)replicates + (size_t)r] = types[m]->evaluate(&s->seen);
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, values, (PetscMPIInt)count * replicates, MPI_DOUBLE, MPI_SUM, comm)); /* all but one are 0 */
  PetscFunctionReturn(0);
}

/* Sorts the values. */
static PetscErrorCode summarise(int replicates, double values[], fare_measured *result)
{
  double sum   = 0;
  int    reach = 0;

  PetscFunctionBeginUser;
  for (int r = 0; r < replicates; r++) {
    sum += values[r];
    reach += values[r] >= result->value - ROUND_OFF * fabs(result->value);
  }
  PetscCall(PetscSortReal(replicates, values));
  result->floor_mean = sum / replicates;
  result->floor_high = values[(int)ceil(FLOOR_HIGH * replicates) - 1];
  result->p_value    = (1. + reach) / (1. + replicates);
  result->excess     = result->value - result->floor_mean;
  PetscFunctionReturn(0);
}

PetscErrorCode fare_measure_compare(MPI_Comm comm, const fare_binning *binning, const fare_binned *p, const fare_binned *p_corrected, const fare_binned *q, size_t count, const fare_measure_type *const types[], int replicates, fare_stream stream, fare_measured results[])
{
  sides s;

  PetscFunctionBeginUser;
  for (size_t m = 0; m < count; m++) {
    if (types[m]->dimension_most && binning->grid.dim > types[m]->dimension_most) FARE_FAIL(FARE_ERR_INPUT, "measure %s is defined in at most %d dimension%s, not in %d", types[m]->name, types[m]->dimension_most, types[m]->dimension_most == 1 ? "" : "s", binning->grid.dim);
  }
  PetscCall(sides_create(binning, p, q, &s));
  show_samples(&s, q);
  show_truth(&s, p_corrected ? p_corrected : p);
  for (size_t m = 0; m < count; m++) results[m] = (fare_measured){.truth_error = types[m]->evaluate(&s.seen)};
  show_truth(&s, p);
  for (size_t m = 0; m < count; m++) {
    results[m].value       = types[m]->evaluate(&s.seen);
    results[m].excess      = results[m].value;
    results[m].p_value     = 1;
    results[m].truth_error = fabs(results[m].truth_error - results[m].value);
  }
  if (s.n && replicates > 0) {
    double *values;

    PetscCall(PetscMalloc1(count * (size_t)replicates, &values));
    PetscCall(replicate(comm, &s, p, count, types, replicates, stream, values));
    for (size_t m = 0; m < count; m++) PetscCall(summarise(replicates, values + m * (size_t)replicates, &results[m]));
    PetscCall(PetscFree(values));
  }
  PetscCall(sides_destroy(&s));
  PetscFunctionReturn(0);
}
