/* What samples with their own density ln q tell without bins: means of functions of p/q, each with its standard error. */
#include "score.h"

#include <math.h>

enum { REVERSE_KL, KL, MASS, KINDS };

static const fare_measure_type types[KINDS] = {
  [REVERSE_KL] =
    {
      .name       = "reverse_kl_density",
      .summary    = "D(ensemble||truth) from the samples' own density: nothing is lost in bins",
      .definition = "weighted mean over samples of ln q - ln p.",
      .reference  = "Kullback and Leibler, Ann. Math. Stat. 22, 79 (1951)",
      .unit       = "nats",
    },
  [KL] =
    {
      .name       = "kl_density",
      .summary    = "D(truth||ensemble) from the samples' own density: the log-likelihood per sample that the truth's samples lose",
      .definition = "weighted mean over samples of u ln u - u + 1, u = p/q: right where density_mass is 1.",
      .reference  = "Owen, Monte Carlo theory, methods and examples, chapter 9 (2013)",
      .unit       = "nats",
    },
  [MASS] =
    {
      .name       = "density_mass",
      .summary    = "mass of the truth that the samples' own density accounts for: 1 where it is normalised and covers the truth",
      .definition = "weighted mean over samples of p/q.",
      .reference  = "Owen, Monte Carlo theory, methods and examples, chapter 9 (2013)",
      .unit       = "1",
    },
};

const fare_measure_type *fare_score_density_at(size_t i)
{
  return i < KINDS ? &types[i] : NULL;
}

/* Sums over samples of weights, values and their squares. */
typedef struct {
  double w, wf, ww, wwf, wwff;
} sums;

static double value_of(const fare_measure_type *type, double log_p, double log_q)
{
  const double log_u = log_p - log_q;

  if (type == &types[REVERSE_KL]) return -log_u;
  if (type == &types[MASS]) return exp(log_u);
  return exp(log_u) * log_u - expm1(log_u);
}

/* By blocks, so that the order of all sums is the same on any number of ranks. */
static PetscErrorCode add_up(const fare_measure_type *type, const fare_ensemble *e, const double log_p[], const double log_q[], sums *all)
{
  const int64_t blocks = (e->count + FARE_BLOCK - 1) / FARE_BLOCK;
  sums         *of;

  PetscFunctionBeginUser;
  PetscCall(PetscCalloc1((size_t)blocks, &of));
  for (int64_t i = 0; i < e->local; i++) {
    sums        *to = &of[e->first_block + i / FARE_BLOCK];
    const double w  = e->weight ? e->weight[i] : 1, f = value_of(type, log_p[i], log_q[i]);

    if (!(w > 0)) continue;
    to->w += w;
    to->wf += w * f;
    to->ww += w * w;
    to->wwf += w * w * f;
    to->wwff += w * w * f * f;
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, of, (PetscMPIInt)(blocks * 5), MPI_DOUBLE, MPI_SUM, e->comm)); /* all but one are 0 */
  *all = (sums){0};
  for (int64_t b = 0; b < blocks; b++) {
    all->w += of[b].w;
    all->wf += of[b].wf;
    all->ww += of[b].ww;
    all->wwf += of[b].wwf;
    all->wwff += of[b].wwff;
  }
  PetscCall(PetscFree(of));
  PetscFunctionReturn(0);
}

/* Exact samples with their exact density have the value for each of them: no noise, and the floor is a point. */
static void judge(const fare_measure_type *type, const sums *s, fare_measured *m)
{
  const double exact = type == &types[MASS] ? 1 : 0, mean = s->wf / s->w, error = sqrt(PetscMax(0, s->wwff - 2 * mean * s->wwf + mean * mean * s->ww)) / s->w;

  m->value = m->corrected = mean;
  m->low                  = mean - 1.959963984540054 * error;
  m->high                 = mean + 1.959963984540054 * error;
  if (type != &types[MASS]) {
    m->low  = PetscMax(0, m->low);
    m->high = PetscMax(0, m->high);
  }
  m->floor_mean = m->floor_high = exact;
  m->excess                     = mean - exact;
  m->significance               = m->excess == 0 ? 0 : m->excess / error;
  m->p_value                    = type == &types[MASS] ? erfc(fabs(m->significance) * M_SQRT1_2) : 0.5 * erfc(m->significance * M_SQRT1_2);
  if (m->excess == 0) m->p_value = 1;
}

PetscErrorCode fare_score_density(const fare_finished *study, const fare_measure_type *type, const fare_binned *p, const fare_binned *corrected, const fare_binned *q, const fare_ensemble *ensemble, const double log_density[], fare_measured *measured)
{
  double *log_p;
  sums    s;

  PetscFunctionBeginUser;
  PetscCall(PetscMalloc1((size_t)ensemble->local, &log_p));
  *measured = (fare_measured){.effective = q->effective, .independent = q->effective};
  PetscCall(fare_binning_log_density(study->binning, corrected, ensemble, log_p));
  PetscCall(add_up(type, ensemble, log_p, log_density, &s));
  measured->truth_error = s.wf / s.w;
  PetscCall(fare_binning_log_density(study->binning, p, ensemble, log_p));
  PetscCall(add_up(type, ensemble, log_p, log_density, &s));
  judge(type, &s, measured);
  measured->truth_error = fabs(measured->truth_error - measured->value);
  PetscCall(PetscFree(log_p));
  PetscFunctionReturn(0);
}
