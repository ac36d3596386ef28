/*
  What samples with their own density ln q tell without bins: means of functions of p/q, each with its
  standard error.
*/
#include "score.h"

#include <float.h>
#include <math.h>

#define GROUPS 50
/* times the variance of independent rows, that of groups shows correlation: three standard errors */
#define GROUPS_SURE  1.6
#define BEHIND_LEAST 40 /* effective samples behind the estimate of a variance */

enum { REVERSE_KL, KL, MASS, KINDS };

static const fare_measure_type types[KINDS] = {
  [REVERSE_KL] =
    {
      .name       = "reverse_kl_density",
      .summary    = "D(ensemble||truth) from the samples' own density: nothing is lost in bins",
      .definition = "weighted mean over samples of ln q - ln p; where the truth has no mass, at most ln(2n + "
                    "1) for n samples: half a count.",
      .reference  = "Kullback and Leibler, Ann. Math. Stat. 22, 79 (1951)",
      .unit       = "nats",
    },
  [KL] =
    {
      .name    = "kl_density",
      .summary = "D(truth||ensemble) from the samples' own density: the log-likelihood per sample that the "
                 "truth's samples lose",
      .definition = "weighted mean over samples of u ln u - u + 1, u = p/q: right where density_mass is 1.",
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

const fare_measure_type *fare_score_density_at(size_t i)
{
  return i < KINDS ? &types[i] : NULL;
}

/* What is made from samples: their values f, and sums over them. */
typedef struct {
  const fare_ensemble *e;
  double              *f;
  /* sums of weights, w f, squares of w, and the second and fourth powers of w (f - mean) */
  double w, wf, ww, dd, dddd;
  double groups; /* sum over groups of the squares of their sums of w (f - mean) */
} sums;

/* Where the truth is empty it is given half a count of n samples in D(q||p), which would be infinite. */
static double value_of(const fare_measure_type *type, double log_p, double log_q, double n)
{
  const double log_u = log_p - log_q;

  if (type == &types[REVERSE_KL]) return log_p <= log(DBL_MIN) ? PetscMin(-log_u, log(2 * n + 1)) : -log_u;
  if (type == &types[MASS]) return exp(log_u);
  return exp(log_u) * log_u - expm1(log_u);
}

static double weight_of(const fare_ensemble *e, int64_t i)
{
  return e->weight ? PetscMax(0, e->weight[i]) : 1;
}

/* By blocks, so that the order of all sums is the same on any number of ranks: `powers` of w f and of w. */
static PetscErrorCode add_up(
  const sums *s, double mean, int powers, double *of_w, double *of_ww, double *of_wf)
{
  const fare_ensemble *e      = s->e;
  const int64_t        blocks = (e->count + FARE_BLOCK - 1) / FARE_BLOCK;
  double              *of;

  PetscFunctionBeginUser;
  PetscCall(PetscCalloc1((size_t)(3 * blocks), &of));
  for (int64_t i = 0; i < e->local; i++) {
    double      *to = &of[3 * (e->first_block + i / FARE_BLOCK)];
    const double w  = weight_of(e, i);

    if (!(w > 0)) continue;
    to[0] += w;
    to[1] += w * w;
    to[2] += powers == 1 ? w * (s->f[i] - mean) : pow(fabs(w * (s->f[i] - mean)), powers);
  }
  /* all but one are 0 */
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, of, (PetscMPIInt)(blocks * 3), MPI_DOUBLE, MPI_SUM, e->comm));
  *of_w = *of_ww = *of_wf = 0;
  for (int64_t b = 0; b < blocks; b++) {
    *of_w += of[3 * b];
    *of_ww += of[3 * b + 1];
    *of_wf += of[3 * b + 2];
  }
  PetscCall(PetscFree(of));
  PetscFunctionReturn(0);
}

/* Over groups of consecutive rows, in whole parts of the greatest term: the same on any number of ranks. */
static PetscErrorCode add_groups(sums *s, double mean)
{
  const fare_ensemble *e             = s->e;
  int64_t              group[GROUPS] = {0};
  double               most          = 0, unit;

  PetscFunctionBeginUser;
  s->groups = 0;
  for (int64_t i = 0; i < e->local; i++) most = PetscMax(most, fabs(weight_of(e, i) * (s->f[i] - mean)));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &most, 1, MPI_DOUBLE, MPI_MAX, e->comm));
  if (!(most > 0) || e->count < GROUPS) PetscFunctionReturn(0);
  unit = ldexp(1, 52 - (int)ceil(log2((double)e->count))) / most;
  for (int64_t i = 0; i < e->local; i++)
    group[(e->first_block * FARE_BLOCK + i) * GROUPS / e->count] +=
      llrint(weight_of(e, i) * (s->f[i] - mean) * unit);
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, group, GROUPS, MPI_INT64_T, MPI_SUM, e->comm));
  for (int g = 0; g < GROUPS; g++)
    s->groups += (double)group[g] / unit * ((double)group[g] / unit) * GROUPS / (GROUPS - 1);
  PetscFunctionReturn(0);
}

static PetscErrorCode find_sums(
  const fare_measure_type *type, const double log_p[], const double log_q[], sums *s)
{
  double w, ww;

  PetscFunctionBeginUser;
  for (int64_t i = 0; i < s->e->local; i++) s->f[i] = value_of(type, log_p[i], log_q[i], (double)s->e->count);
  PetscCall(add_up(s, 0, 1, &s->w, &s->ww, &s->wf));
  PetscCall(add_up(s, s->wf / s->w, 2, &w, &ww, &s->dd));
  PetscCall(add_up(s, s->wf / s->w, 4, &w, &ww, &s->dddd));
  PetscCall(add_groups(s, s->wf / s->w));
  PetscFunctionReturn(0);
}

/*
  The variance of the mean of rows, of which copies count as one; of groups where they scatter more than that.
*/
static double find_error(const sums *s, const fare_binned *q, double *level)
{
  const double copied = PetscMax(1, s->w / s->ww * s->w / q->effective), rows = s->dd * copied;

  *level = 1.959963984540054;
  if (s->groups <= GROUPS_SURE * rows) return sqrt(rows) / s->w;
  *level = 2.0095752344892; /* Student's t with 49 degrees of freedom */
  return sqrt(s->groups) / s->w;
}

/*
  Exact samples with their exact density have the value for each of them: no noise, and the floor is a point.
*/
static void judge(const fare_measure_type *type, const sums *s, const fare_binned *q, fare_measured *m)
{
  double       level;
  const double exact = type == &types[MASS] ? 1 : 0, mean = s->wf / s->w, error = find_error(s, q, &level);

  m->value = m->corrected = mean;
  m->low                  = mean - level * error;
  m->high                 = mean + level * error;
  if (type != &types[MASS]) {
    m->low  = PetscMax(0, m->low);
    m->high = PetscMax(0, m->high);
  }
  m->floor_mean = m->floor_high = exact;
  m->excess                     = mean - exact;
  m->significance               = m->excess == 0 ? 0 : m->excess / error;
  m->p_value =
    type == &types[MASS] ? erfc(fabs(m->significance) * M_SQRT1_2) : 0.5 * erfc(m->significance * M_SQRT1_2);
  if (m->excess == 0) m->p_value = 1;
  if (s->dd > 0 && s->dd / s->dddd * s->dd < BEHIND_LEAST) m->interval = FARE_FEW_WEIGHTS;
  if (s->e->count < 2) m->interval = FARE_NO_GROUPS;
  if (m->interval) m->low = m->high = m->p_value = m->significance = NAN; /* their noise is not known */
}

PetscErrorCode fare_score_density(const fare_finished *study, const fare_measure_type *type,
  const fare_binned *p, const fare_binned *corrected, const fare_binned *q, const fare_ensemble *ensemble,
  const double log_density[], fare_measured *measured)
{
  sums    s = {.e = ensemble};
  double *log_p;

  PetscFunctionBeginUser;
  PetscCall(PetscMalloc2((size_t)ensemble->local, &log_p, (size_t)ensemble->local, &s.f));
  *measured = (fare_measured){.effective = q->effective, .independent = q->effective};
  PetscCall(fare_binning_log_density(study->binning, corrected, ensemble, log_p));
  PetscCall(find_sums(type, log_p, log_density, &s));
  measured->truth_error = s.wf / s.w;
  PetscCall(fare_binning_log_density(study->binning, p, ensemble, log_p));
  PetscCall(find_sums(type, log_p, log_density, &s));
  judge(type, &s, q, measured);
  measured->truth_error = fabs(measured->truth_error - measured->value);
  PetscCall(PetscFree2(log_p, s.f));
  PetscFunctionReturn(0);
}
