/* SPDX-License-Identifier: BSD-2-Clause */
/*
  What samples with their own density ln q tell without bins: means of functions of p/q, each with its
  standard error.
*/
#include <fare/joint_measure.h>

#include <math.h>
#include <string.h>

#define GROUPS       50
#define GROUPS_SURE  1.6  /* times the variance of independent rows: three standard errors */
#define LAG_MOST     0.45 /* correlation of neighbouring groups; beyond, more than one lag is missing */
#define BEHIND_LEAST 5    /* effective samples behind the estimate of a variance */
#define SKEWNESS     1.3  /* times that of samples, which lack the end of a long tail: measured */

enum { REVERSE_KL, KL, MASS, KINDS };

static const fare_measure_type types[KINDS] = {
  [REVERSE_KL] =
    {
      .name       = "reverse_kl_density",
      .summary    = "D(ensemble||truth) from the samples' own density, without binning",
      .definition = "weighted mean over samples of ln q - ln p; where the truth has no mass, at most ln(2n + "
                    "1) for n samples: half a count.",
      .reference  = "Kullback and Leibler, Ann. Math. Stat. 22, 79 (1951)",
      .unit       = "nats",
    },
  [KL] =
    {
      .name       = "kl_density",
      .summary    = "D(truth||ensemble) from the samples' own density: log-likelihood loss per truth sample",
      .definition = "weighted mean over samples of u ln u - u + 1, u = p/q: valid where density_mass is 1.",
      .reference  = "Owen, Monte Carlo theory, methods and examples, chapter 9 (2013)",
      .unit       = "nats",
    },
  [MASS] =
    {
      .name    = "density_mass",
      .summary = "mass of the truth that the samples' own density accounts for: 1 where it is normalised and "
                 "covers the truth",
      .definition = "weighted mean over samples of p/q.",
      .reference  = "Owen, Monte Carlo theory, methods and examples, chapter 9 (2013)",
      .unit       = "1",
    },
};

const fare_measure_type *fare_measure_density_at(size_t which)
{
  return which < KINDS ? &types[which] : NULL;
}

/* Sums of the second to fourth powers of terms that add up to 0. */
typedef struct {
  double square, cube, fourth;
} powers;

/* What is made from samples: their values f, and sums. Terms are w (f - mean) over the greatest of them. */
typedef struct {
  const fare_ensemble *e;
  double              *f;
  double               w, ww, mean;  /* sums of weights and of their squares; the mean of f */
  double               most;         /* the greatest term */
  powers               rows, groups; /* of terms, and of their sums over groups */
  double               lag;          /* sum over neighbouring groups of their products */
} sums;

/* Where the truth is empty it is given half a count of n samples in D(q||p), which would be infinite. */
static double value_of(const fare_measure_type *type, double empty, double log_p, double log_q, double n)
{
  const double log_u = log_p - log_q;

  if (type == &types[REVERSE_KL]) return log_p <= empty ? PetscMin(-log_u, log(2 * n + 1)) : -log_u;
  if (type == &types[MASS]) return exp(log_u);
  return exp(log_u) * log_u - expm1(log_u);
}

static double weight_of(const fare_ensemble *e, int64_t i)
{
  return e->weight ? PetscMax(0, e->weight[i]) : 1;
}

/* Three sums over blocks, each in the order of blocks: the same on any number of ranks. */
static PetscErrorCode add_blocks(const fare_ensemble *e, double of[], double sum[3])
{
  const int64_t blocks = (e->count + FARE_BLOCK - 1) / FARE_BLOCK;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, of, (PetscMPIInt)(blocks * 3), MPI_DOUBLE, MPI_SUM, e->comm));
  sum[0] = sum[1] = sum[2] = 0;
  for (int64_t b = 0; b < blocks; b++) {
    for (int i = 0; i < 3; i++) sum[i] += of[3 * b + i];
  }
  PetscFunctionReturn(0);
}

static double term_of(const sums *s, int64_t i)
{
  return weight_of(s->e, i) * (s->f[i] - s->mean) / s->most;
}

static void add_powers(double x, double to[3])
{
  to[0] += x * x;
  to[1] += x * x * x;
  to[2] += x * x * x * x;
}

static PetscErrorCode add_weights(sums *s, double of[])
{
  const fare_ensemble *e = s->e;
  double               sum[3];

  PetscFunctionBegin;
  for (int64_t i = 0; i < e->local; i++) {
    double *to = &of[3 * (e->first_block + i / FARE_BLOCK)], w = weight_of(e, i);

    if (!(w > 0)) continue;
    to[0] += w;
    to[1] += w * w;
    to[2] += w * s->f[i];
  }
  PetscCall(add_blocks(e, of, sum));
  s->w    = sum[0];
  s->ww   = sum[1];
  s->mean = sum[2] / sum[0];
  PetscFunctionReturn(0);
}

static PetscErrorCode find_most(sums *s)
{
  const fare_ensemble *e = s->e;

  PetscFunctionBegin;
  s->most = 0;
  for (int64_t i = 0; i < e->local; i++) {
    s->most = PetscMax(s->most, fabs(weight_of(e, i) * (s->f[i] - s->mean)));
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &s->most, 1, MPI_DOUBLE, MPI_MAX, e->comm));
  PetscFunctionReturn(0);
}

static PetscErrorCode add_rows(sums *s)
{
  const fare_ensemble *e    = s->e;
  const size_t         size = 3 * (size_t)((e->count + FARE_BLOCK - 1) / FARE_BLOCK);
  double              *of, sum[3];

  PetscFunctionBegin;
  PetscCall(PetscCalloc1(size, &of));
  PetscCall(add_weights(s, of));
  PetscCall(find_most(s));
  memset(of, 0, size * sizeof *of);
  for (int64_t i = 0; i < e->local && s->most > 0; i++) {
    add_powers(term_of(s, i), &of[3 * (e->first_block + i / FARE_BLOCK)]);
  }
  PetscCall(add_blocks(e, of, sum));
  s->rows = (powers){sum[0], sum[1], sum[2]};
  PetscCall(PetscFree(of));
  PetscFunctionReturn(0);
}

/* Over groups of consecutive rows, in whole parts of the greatest term: the same on any number of ranks. */
static PetscErrorCode add_groups(sums *s)
{
  const fare_ensemble *e             = s->e;
  const double         unit          = ldexp(1, 52 - (int)ceil(log2((double)e->count)));
  int64_t              group[GROUPS] = {0};
  double               sum[3]        = {0};

  PetscFunctionBegin;
  s->groups = (powers){0};
  s->lag    = 0;
  if (!(s->most > 0) || e->count < GROUPS) PetscFunctionReturn(0);
  for (int64_t i = 0; i < e->local; i++) {
    group[(e->first_block * FARE_BLOCK + i) * GROUPS / e->count] += llrint(term_of(s, i) * unit);
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, group, GROUPS, MPI_INT64_T, MPI_SUM, e->comm));
  for (int g = 0; g < GROUPS; g++) {
    add_powers((double)group[g] / unit, sum);
    if (g) s->lag += (double)group[g] / unit * ((double)group[g - 1] / unit);
  }
  s->groups = (powers){sum[0] * GROUPS / (GROUPS - 1), sum[1], sum[2]};
  PetscFunctionReturn(0);
}

static PetscErrorCode find_sums(
  const fare_measure_type *type, double empty, const double log_p[], const double log_q[], sums *s)
{
  PetscFunctionBegin;
  for (int64_t i = 0; i < s->e->local; i++)
    s->f[i] = value_of(type, empty, log_p[i], log_q[i], (double)s->e->count);
  PetscCall(add_rows(s));
  PetscCall(add_groups(s));
  PetscFunctionReturn(0);
}

/* What is known of the noise of a mean. */
typedef struct {
  double        error, skewness, behind; /* standard error; skewness of the mean; terms behind the variance */
  double        freedom;                 /* degrees of freedom of the variance */
  fare_interval interval;
} noise;

/*
  From the powers of n terms, of which `copied` at a time are copies of one: the more of the fourth power a
  few terms have, the fewer degrees of freedom has the variance. They are half of those by Satterthwaite's
  rule.
*/
static noise noise_of(const sums *s, const powers *of, double n, double copied)
{
  noise x = {.error = sqrt(of->square * copied) * s->most / s->w};

  x.skewness = of->cube / of->square * sqrt(copied / of->square);
  x.behind   = of->square / of->fourth * of->square / copied;
  x.freedom  = x.behind < n / copied ? 1 / (1 / x.behind - copied / n) : HUGE_VAL;
  return x;
}

/* That of groups, which may depend on their neighbours. */
static noise noise_of_groups(const sums *s, double rows)
{
  const double lag = s->lag / s->groups.square + 1. / GROUPS; /* deviations add up to nothing */
  noise        x   = noise_of(s, &s->groups, GROUPS, 1);

  if (!(x.behind >= BEHIND_LEAST)) x.interval = FARE_FEW_WEIGHTS;
  if (!(s->groups.square > GROUPS_SURE * rows)) return x;
  x.error *= sqrt(1 + 2 * PetscMax(0, lag));
  if (lag > LAG_MOST) x.interval = FARE_LONG_CORRELATION;
  return x;
}

/* That of rows, of which copies count as one, or that of groups, whichever is more: rows may be correlated.
 */
static noise find_noise(const sums *s, double effective)
{
  const double copied = PetscMax(1, s->w / s->ww * s->w / effective);
  noise        rows   = {.freedom = HUGE_VAL};

  if (s->e->count < 2) return (noise){.interval = FARE_NO_GROUPS};
  if (!(s->most > 0)) return rows;
  rows = noise_of(s, &s->rows, (double)s->e->count, copied);
  if (!(rows.behind >= BEHIND_LEAST)) rows.interval = FARE_FEW_WEIGHTS;
  if (rows.interval || !(s->groups.square > s->rows.square * copied)) return rows;
  return noise_of_groups(s, s->rows.square * copied);
}

/*
  The studentised mean x that a cubic turns into t: with the skewness s of the mean, (1 + s x/3)^3 = 1 + s (t
  - s/6). Hall, J. R. Stat. Soc. B 54, 221 (1992).
*/
static double unskewed(double skewness, double t)
{
  const double s = SKEWNESS * skewness;

  return fabs(s) > 1e-6 ? 3 / s * (cbrt(1 + s * (t - s / 6)) - 1) : t;
}

/*
  Exact samples with their exact density have the value for each of them: no noise, and the floor is a point.
*/
static void judge(const fare_measure_type *type, const sums *s, double effective, fare_measured *m)
{
  const noise  x     = find_noise(s, effective);
  const double exact = type == &types[MASS] ? 1 : 0, level = fare_student_95(x.freedom);

  m->value = m->corrected = s->mean;
  m->low                  = s->mean - unskewed(x.skewness, level) * x.error;
  m->high                 = s->mean - unskewed(x.skewness, -level) * x.error;
  if (type != &types[MASS]) {
    m->low  = PetscMax(0, m->low);
    m->high = PetscMax(0, m->high);
  }
  m->floor_mean = m->floor_high = exact;
  m->excess                     = s->mean - exact;
  m->significance               = m->excess == 0 ? 0 : m->excess / x.error;
  m->p_value =
    type == &types[MASS] ? erfc(fabs(m->significance) * M_SQRT1_2) : 0.5 * erfc(m->significance * M_SQRT1_2);
  if (m->excess == 0) m->p_value = 1;
  m->interval = x.interval;
  if (m->interval)
    m->corrected = m->low = m->high = m->p_value = m->significance = NAN; /* their noise is not known */
}

PetscErrorCode fare_measure_density(int which, const fare_ensemble *ensemble, double effective, double empty,
  const double log_p[], const double other[], const double log_q[], fare_measured *result)
{
  const fare_measure_type *type = &types[which];
  sums                     s    = {.e = ensemble};

  PetscFunctionBegin;
  PetscCall(PetscMalloc1((size_t)ensemble->local, &s.f));
  *result = (fare_measured){.effective = effective, .independent = effective};
  if (other) PetscCall(find_sums(type, empty, other, log_q, &s));
  result->truth_error = s.mean;
  PetscCall(find_sums(type, empty, log_p, log_q, &s));
  judge(type, &s, effective, result);
  result->truth_error = other ? fabs(result->truth_error - result->value) : NAN;
  PetscCall(PetscFree(s.f));
  PetscFunctionReturn(0);
}
