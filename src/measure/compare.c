/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Measures of samples or a density against the truth, with the floor that exact draws of as many samples would
  show, and with bias and interval from the samples without one group after the other.
*/
#include "noise.h"

#include <math.h>
#include <string.h>

#define FLOOR_HIGH 0.95
/* relative: few samples in few bins often give the very same value by another order of sums */
#define ROUND_OFF 1e-12
/*
  of the correction of a norm, added to the upper end: of many parts like their noise the jackknife takes off
  too much
*/
#define MARGIN       0.5
#define BARE_MARGIN  1.    /* of the correction, taken off the lower end where pools are bare */
#define INSIDE       0.025 /* what exact draws reach this often is not told from 0 */
#define BEHIND_LEAST 40    /* effective samples behind the estimate of the noise of uneven weights */
#define BARE_MOST    0.005 /* of the truth, in pools that have hardly any samples of uneven weights */
#define BARE_SOME    0.001 /* the same, for which pools are made larger */
#define WIDER_MOST   16.   /* times that they may become so */

const char *const fare_interval_reasons[FARE_INTERVAL_KINDS] = {
  [FARE_INTERVAL]         = "",
  [FARE_NO_GROUPS]        = "fewer than 10 distinct samples",
  [FARE_ONE_GROUP]        = "one group of samples has all the weight",
  [FARE_FEW_WEIGHTS]      = "a few samples have most of the weight",
  [FARE_BARE_POOLS]       = "samples with uneven weights are missing where the truth has some mass",
  [FARE_LONG_CORRELATION] = "samples are correlated over more than a tenth of all",
  [FARE_FEW_INDEPENDENT]  = "too few independent samples among correlated ones",
  [FARE_NO_VALUE]         = "no value",
  [FARE_NOT_ASKED]        = "not asked for",
};

/* What is measured on one rank: values[measure * runs + run]. */
typedef struct {
  MPI_Comm                        comm;
  fare_sides                      sides;
  size_t                          count;
  const fare_measure_type *const *type;
  /*
    as they are looked at: with their independent number, in groups that do not depend on each other; borrows
    all
  */
  fare_binned samples;
  fare_noise  noise;
  double      pooled; /* effective samples that pools are made for */
  /* mass of the truth in pools with hardly any samples, of uneven weights: of these pools, of the first */
  double  bare, bare_first;
  double *plain; /* per measure, of all samples: what the interval is made from */
} comparing;

static double evaluate_plain(const comparing *c, size_t m)
{
  const fare_measure_type *type  = c->type[m];
  const double             value = type->plain ? type->plain(&c->sides.seen) : type->evaluate(&c->sides.seen);

  return type->norm ? value * value : value;
}

/* Each run was on one rank; all but one are 0. */
static PetscErrorCode share(const comparing *c, size_t n, double values[])
{
  PetscFunctionBegin;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, values, (PetscMPIInt)n, MPI_DOUBLE, MPI_SUM, c->comm));
  PetscFunctionReturn(0);
}

/*
  With the covariance that groups show: as it is where bins are looked at, and blended with that of
  independent draws for sums over many pools.
*/
static PetscErrorCode draw_correlated(
  comparing *c, int replicates, int r, fare_random *random, double values[])
{
  double normal[FARE_GROUPS + 1], *drawn;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(c->sides.pools, &drawn));
  memcpy(drawn, c->sides.q_raw, c->sides.pools * sizeof *drawn);
  for (size_t g = 0; g <= c->samples.groups; g++) normal[g] = fare_random_normal(random);
  /* neighbours may depend on each other */
  for (size_t g = 0; g < c->samples.groups; g++) normal[g] = (normal[g] + normal[g + 1]) * M_SQRT1_2;
  for (int pools = 0; pools < 2; pools++) {
    fare_sides_show_correlated(&c->sides, pools ? c->noise.blend : 1, drawn, normal);
    fare_sides_add_truth_noise(&c->sides, random);
    for (size_t m = 0; m < c->count; m++) {
      if (c->type[m]->pools == (PetscBool)pools)
        values[m * (size_t)replicates + (size_t)r] = c->type[m]->evaluate(&c->sides.seen);
    }
  }
  PetscCall(PetscFree(drawn));
  PetscFunctionReturn(0);
}

/* Each by its own sequence of random numbers, and known to all. */
static PetscErrorCode draw_exactly(comparing *c, int replicates, fare_stream stream, double values[])
{
  int rank, size;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(c->comm, &rank));
  PetscCallMPI(MPI_Comm_size(c->comm, &size));
  memset(values, 0, c->count * (size_t)replicates * sizeof *values);
  for (int r = rank; r < replicates; r += size) {
    fare_random random = {.stream = stream, .sequence = (uint64_t)r};

    fare_sides_show_draws(&c->sides, &random);
    if (c->noise.correlated) {
      PetscCall(draw_correlated(c, replicates, r, &random, values));
      continue;
    }
    fare_sides_add_truth_noise(&c->sides, &random);
    for (size_t m = 0; m < c->count; m++)
      values[m * (size_t)replicates + (size_t)r] = c->type[m]->evaluate(&c->sides.seen);
  }
  PetscCall(share(c, c->count * (size_t)replicates, values));
  PetscFunctionReturn(0);
}

/*
  values[count * groups + group] is how much the masses change. A group with all the weight makes nothing of
  the rest: `whole` is false.
*/
static PetscErrorCode leave_out(comparing *c, int groups, double values[], PetscBool *whole)
{
  const size_t all  = (c->count + 1) * (size_t)groups;
  int          some = 1, rank, size;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(c->comm, &rank));
  PetscCallMPI(MPI_Comm_size(c->comm, &size));
  memset(values, 0, all * sizeof *values);
  for (int g = rank; g < groups; g += size) {
    if (!fare_sides_show_without(&c->sides, (size_t)g)) {
      some = 0;
      continue;
    }
    values[c->count * (size_t)groups + (size_t)g] = fare_sides_change(&c->sides);
    fare_sides_leave_out_of_truth(&c->sides, (size_t)g);
    for (size_t m = 0; m < c->count; m++) values[m * (size_t)groups + (size_t)g] = evaluate_plain(c, m);
  }
  PetscCall(share(c, all, values));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &some, 1, MPI_INT, MPI_MIN, c->comm));
  *whole = some ? PETSC_TRUE : PETSC_FALSE;
  PetscFunctionReturn(0);
}

/* Mean, and mean square distance from it. */
static void find_moments(int n, const double values[], double *mean, double *variance)
{
  *mean = *variance = 0;
  for (int i = 0; i < n; i++) *mean += values[i] / n;
  for (int i = 0; i < n; i++) *variance += (values[i] - *mean) * (values[i] - *mean) / n;
}

/* Sorts the values. Leaves their variance, on the scale of the interval. */
static PetscErrorCode find_floor(
  const fare_measure_type *type, int replicates, double values[], fare_measured *result, double *variance)
{
  double mean, spread;
  int    reach = 0;

  PetscFunctionBegin;
  for (int r = 0; r < replicates; r++) reach += values[r] >= result->value - ROUND_OFF * fabs(result->value);
  PetscCall(PetscSortReal(replicates, values));
  find_moments(replicates, values, &result->floor_mean, &spread);
  result->floor_high = values[(int)ceil(FLOOR_HIGH * replicates) - 1];
  result->p_value    = (1. + reach) / (1. + replicates);
  result->excess     = result->value - result->floor_mean;
  spread             = sqrt(spread * replicates / PetscMax(1, replicates - 1));
  if (fabs(result->excess) > ROUND_OFF * fabs(result->value)) result->significance = result->excess / spread;
  for (int r = 0; type->norm && r < replicates; r++) values[r] *= values[r];
  find_moments(replicates, values, &mean, variance);
  PetscFunctionReturn(0);
}

/*
  By how much the variance of correlated samples is larger than groups of them show that depend on their
  neighbours: one more lag, unless it is negative.
*/
static double beyond_groups(int n, const double values[], double mean, double variance)
{
  double lag = 0;

  for (int i = 0; i + 1 < n; i++) lag += (values[i] - mean) * (values[i + 1] - mean) / n;
  return variance > 0 ? 1 + 2 * PetscMax(0, lag / variance + 1. / n) : 1; /* deviations add up to nothing */
}

static double back_to_scale(const fare_measure_type *type, double value)
{
  return type->norm ? copysign(sqrt(fabs(value)), value) : value;
}

/*
  With s the value, or the square of a norm: its bias by the jackknife over groups, for divergences from the
  floor to the share that this has in the value; and an interval of what is left, whose variance is the
  floor's at 0 and grows with it by 4 tau^2, the jackknife's variance over s. A root stabilises that; with one
  degree of freedom, s = x^2, this is x +- t tau. docs/measures.md derives it.
*/
static void find_interval(const fare_measure_type *type, double s, int groups, const double without[],
  PetscBool correlated, PetscBool bare, int floor_known, double floor_variance, fare_measured *result)
{
  double mean, variance, bias, left, tau, student_t, scatter, least, ends;

  find_moments(groups, without, &mean, &variance);
  if (correlated) variance *= beyond_groups(groups, without, mean, variance);
  bias = (groups - 1) * (mean - s);
  if (floor_known && !type->norm && !type->plain && s > 0)
    bias += PetscMin(1, result->floor_mean / s) * (result->floor_mean - bias);
  left              = s - bias;
  result->corrected = back_to_scale(type, left);
  tau               = s > 0 ? 0.5 * sqrt((groups - 1) * variance / s) : 0;
  student_t         = fare_student_95(correlated ? PetscMax(9, (groups - 1) / 2) : groups - 1);
  /*
    tau times the root, and the ends without the difference of two large numbers: tau is nothing where groups
    are alike, as where none of them has a sample in the tail
  */
  scatter      = sqrt(PetscMax(0, tau * tau * (left + 0.5 * tau * tau) + 0.25 * floor_variance));
  least        = tau > 0 ? PetscMax(left, -0.5 * tau * tau - floor_variance / (4 * tau * tau)) : left;
  ends         = least + tau * tau * (1 + student_t * student_t);
  result->low  = scatter > student_t * tau * tau && !(result->p_value > INSIDE)
     ? back_to_scale(type, PetscMax(0, ends - 2 * student_t * scatter))
     : 0;
  result->high = back_to_scale(type, PetscMax(0, ends + 2 * student_t * scatter));
  if (type->norm) result->high += MARGIN * PetscMax(0, result->value - PetscMax(0, result->corrected));
  if (bare && type->pools)
    result->low = PetscMax(0, result->low - BARE_MARGIN * fabs(result->value - result->corrected));
}

/* As many independent samples as have the same sum over pools of the variances of their masses. */
static double independent_samples(const fare_sides *s, int groups, const double changes[])
{
  double multinomial = 0, variance = 0;

  for (size_t i = 0; i <= s->pools; i++) multinomial += s->q_whole[i] * (1 - s->q_whole[i]);
  for (int g = 0; g < groups; g++) variance += changes[g] * (groups - 1) / groups;
  return variance > 0 ? multinomial / variance : s->samples->effective;
}

/* Pools that have hardly any samples by chance alone, of weights that are even, are not bare. */
static double find_bare(const comparing *c)
{
  const fare_binned *q = &c->samples;

  if (!q->square || !(q->effective < FARE_EVEN_LEAST * (double)q->distinct / c->noise.design)) return 0;
  return fare_sides_bare(&c->sides);
}

/* Why nothing can be said of how far the value may be off. */
static fare_interval find_reason(const comparing *c, const fare_measure_type *type, PetscBool whole)
{
  const fare_binned *q = &c->samples;

  if (!q->groups) return FARE_NO_GROUPS;
  if (!whole) return FARE_ONE_GROUP;
  if (q->square && q->behind < BEHIND_LEAST) return FARE_FEW_WEIGHTS;
  if ((type->pools ? c->bare : c->bare_first) > BARE_MOST) return FARE_BARE_POOLS;
  return c->noise.too_long ? FARE_LONG_CORRELATION : FARE_INTERVAL;
}

static PetscErrorCode judge(comparing *c, int replicates, fare_stream stream, fare_measured results[])
{
  const int groups = (int)c->samples.groups;
  PetscBool whole  = PETSC_FALSE;
  double   *draws, *without, independent = c->samples.effective;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(c->count * (size_t)replicates, &draws, (c->count + 1) * (size_t)groups, &without));
  if (groups) PetscCall(leave_out(c, groups, without, &whole));
  if (replicates > 0) PetscCall(draw_exactly(c, replicates, stream, draws));
  if (whole && !c->noise.correlated)
    independent = independent_samples(&c->sides, groups, without + c->count * (size_t)groups);
  for (size_t m = 0; m < c->count; m++) {
    const fare_interval interval = find_reason(c, c->type[m], whole);
    double              variance = 0;

    results[m].interval = isnan(results[m].value) ? FARE_NO_VALUE : interval;
    if (isnan(results[m].value)) continue; /* nothing can be said of it */
    if (replicates > 0)
      PetscCall(find_floor(c->type[m], replicates, draws + m * (size_t)replicates, &results[m], &variance));
    results[m].independent = interval ? PetscMin(independent, c->samples.effective) : independent;
    if (!interval && c->noise.correlated && independent < c->type[m]->fewest)
      results[m].interval = FARE_FEW_INDEPENDENT;
    if (!results[m].interval)
      find_interval(c->type[m], c->plain[m], groups, without + m * (size_t)groups, c->noise.correlated,
        c->bare > 0, replicates > 0, variance, &results[m]);
  }
  PetscCall(PetscFree2(draws, without));
  PetscFunctionReturn(0);
}

/* What is known without draws and groups; all there is to know of a density. */
static void begin(comparing *c, const fare_binned *p, const fare_binned *p_corrected, fare_measured results[])
{
  fare_sides_show_samples(&c->sides);
  fare_sides_show_truth(&c->sides, p_corrected ? p_corrected : p);
  for (size_t m = 0; m < c->count; m++)
    results[m] = (fare_measured){.truth_error = c->type[m]->evaluate(&c->sides.seen)};
  fare_sides_show_truth(&c->sides, p);
  for (size_t m = 0; m < c->count; m++) {
    const double value = c->type[m]->evaluate(&c->sides.seen);

    c->plain[m]      = evaluate_plain(c, m);
    results[m].value = results[m].excess = results[m].corrected = results[m].low = results[m].high = value;
    results[m].effective = results[m].independent = c->sides.samples->effective;
    results[m].p_value                            = 1;
    results[m].truth_error                        = fabs(results[m].truth_error - value);
    if (c->sides.n) results[m].corrected = results[m].low = results[m].high = NAN;
    if (isnan(value))
      results[m].p_value = results[m].significance = results[m].floor_mean = results[m].floor_high = NAN;
  }
}

/* Nothing is said of noise. */
static void leave_alone(size_t count, fare_measured results[])
{
  for (size_t m = 0; m < count; m++) {
    fare_measured *at = &results[m];

    at->floor_mean = at->floor_high = at->excess = at->significance = at->p_value = NAN;
    at->interval = isnan(at->value) ? FARE_NO_VALUE : FARE_NOT_ASKED;
  }
}

/* The two sides with what is known of the samples by now. */
static PetscErrorCode make_sides(
  comparing *c, const fare_binning *binning, const fare_binned *p, const fare_binned *p_corrected)
{
  PetscFunctionBegin;
  PetscCall(fare_sides_destroy(&c->sides));
  PetscCall(fare_sides_create(binning, p, p_corrected, &c->samples, c->pooled, &c->sides));
  fare_sides_show_samples(&c->sides);
  fare_sides_show_truth(&c->sides, p);
  PetscFunctionReturn(0);
}

/*
  Correlated samples stand for their independent number, in pools as in half counts, and are looked at in
  groups that do not depend on each other.
*/
static PetscErrorCode look_at_noise(
  comparing *c, const fare_binning *binning, const fare_binned *p, const fare_binned *p_corrected)
{
  PetscFunctionBegin;
  fare_sides_show_samples(&c->sides);
  PetscCall(fare_noise_find(&c->sides, &c->noise));
  if (!c->noise.correlated) PetscFunctionReturn(0);
  c->samples.effective /= c->noise.design;
  c->samples.groups = c->noise.groups;
  c->samples.group  = c->noise.group;
  c->pooled         = PetscMax(1, round(c->samples.effective));
  PetscCall(make_sides(c, binning, p, p_corrected));
  PetscFunctionReturn(0);
}

/* Pools become larger until they hold some samples each, of weights that are uneven. */
static PetscErrorCode widen_pools(
  comparing *c, const fare_binning *binning, const fare_binned *p, const fare_binned *p_corrected)
{
  const double least = PetscMax(1, c->pooled / WIDER_MOST);

  PetscFunctionBegin;
  c->bare = c->bare_first = find_bare(c);
  while (c->bare > BARE_SOME && c->pooled > least) {
    c->pooled = floor(c->pooled / 2);
    PetscCall(make_sides(c, binning, p, p_corrected));
    c->bare = find_bare(c);
  }
  if (c->noise.correlated) PetscCall(fare_sides_correlate(&c->sides));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_measure_compare(MPI_Comm comm, const fare_binning *binning, const fare_binned *p,
  const fare_binned *p_corrected, const fare_binned *q, size_t count, const fare_measure_type *const types[],
  int replicates, fare_stream stream, fare_measured results[])
{
  comparing c = {.comm = comm, .count = count, .type = types};

  PetscFunctionBegin;
  for (size_t m = 0; m < count; m++) {
    if (types[m]->dimension_max && binning->grid.dim > types[m]->dimension_max)
      FARE_FAIL(FARE_ERR_INPUT, "measure %s is defined in at most %d dimension%s, not in %d", types[m]->name,
        types[m]->dimension_max, types[m]->dimension_max == 1 ? "" : "s", binning->grid.dim);
  }
  PetscCall(PetscMalloc1(count, &c.plain));
  c.samples = *q;
  c.pooled  = q->samples ? PetscMax(1, round(q->effective)) : q->effective;
  PetscCall(make_sides(&c, binning, p, p_corrected));
  if (c.sides.n && q->groups) PetscCall(look_at_noise(&c, binning, p, p_corrected));
  if (c.sides.n) PetscCall(widen_pools(&c, binning, p, p_corrected));
  begin(&c, p, p_corrected, results);
  for (size_t m = 0; m < count; m++) {
    results[m].effective = q->effective;
    results[m].pooled    = c.pooled;
  }
  if (c.sides.n && replicates == FARE_VALUES_ALONE)
    leave_alone(count, results);
  else if (c.sides.n)
    PetscCall(judge(&c, replicates, stream, results));
  PetscCall(fare_sides_destroy(&c.sides));
  PetscCall(fare_noise_free(&c.noise));
  PetscCall(PetscFree(c.plain));
  PetscFunctionReturn(0);
}
