/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Steps of Jordan, Kinderlehrer and Otto. The density after a lag minimises free energy plus the squared
  Wasserstein distance to the one before over twice the lag: an implicit Euler step, whose first-order
  condition at the end x_1 of an optimal displacement is

    (x_1 - x_0)/lag = f(x_1) - D d ln p_1(x_1)/dx.

  Least squares of that over all successive pairs of marginals. Along one axis the optimal displacement joins
  equal quantiles.
*/
#include "marginals.h"

#include <math.h>
#include <string.h>

typedef struct {
  fare_fields_at at;
  fare_moments   m; /* x: ends; first: displacements; second: scores */
} ends;

/* Joins equal quantiles of two marginals, whose points are sorted. */
static void join(const fare_marginal *from, const fare_marginal *to, fare_moments *m)
{
  double left[2] = {from->weight[0], to->weight[0]};

  for (size_t i = 0, j = 0; i < from->points && j < to->points;) {
    const double share = PetscMin(left[0], left[1]);

    if (share > 0) {
      m->x[0][m->rows]      = to->x[0][j];
      m->first[0][m->rows]  = to->x[0][j] - from->x[0][i];
      m->second[0][m->rows] = to->score[j];
      m->lag[m->rows]       = to->time - from->time;
      m->weight[m->rows++]  = share;
    }
    left[0] -= share;
    left[1] -= share;
    if (left[0] <= 0 && ++i < from->points) left[0] = from->weight[i];
    if (left[1] <= 0 && ++j < to->points) left[1] = to->weight[j];
  }
}

static PetscErrorCode scores(void *to, const double theta[], double score[], double slopes[])
{
  const ends  *e     = to;
  const int    count = e->at.context->count;
  const size_t rows  = e->m.rows;

  PetscFunctionBegin;
  PetscCall(fare_fields_at_evaluate(&e->at, theta));
  memset(score, 0, (size_t)count * sizeof *score);
  memset(slopes, 0, (size_t)(count * count) * sizeof *slopes);
  for (size_t row = 0; row < rows; row++) {
    const double u = e->m.second[0][row], w = e->m.weight[row];
    const double rest = e->m.first[0][row] / e->m.lag[row] - e->at.f[row] + e->at.D[row] * u;
    double       g[FARE_INFER_MAX];

    for (int k = 0; k < count; k++)
      g[k] = e->at.f[(size_t)(k + 1) * rows + row] - e->at.D[(size_t)(k + 1) * rows + row] * u;
    for (int k = 0; k < count; k++) {
      score[k] += w * rest * g[k];
      for (int j = 0; j < count; j++) slopes[k * count + j] += w * g[k] * g[j];
    }
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode estimate(const fare_marginals *m, double theta[], fare_inferred *inferred)
{
  ends           e;
  size_t         most = 0;
  PetscErrorCode code;

  PetscFunctionBegin;
  for (size_t k = 0; k + 1 < m->count; k++) most += m->at[k].points + m->at[k + 1].points;
  PetscCall(fare_moments_create(1, most, 0, &e.m));
  e.m.rows = 0;
  for (size_t k = 0; k + 1 < m->count; k++) join(&m->at[k], &m->at[k + 1], &e.m);
  PetscCall(fare_fields_at_create(m->context, &e.m, &e.at));
  code = fare_marginals_root(m->context, e.at.model, scores, &e, theta);
  PetscCall(fare_fields_at_free(&e.at));
  PetscCall(fare_moments_free(&e.m));
  (void)inferred;
  PetscFunctionReturn(code);
}

static PetscErrorCode fit(const fare_infer_context *c, const fare_tracks *t, fare_inferred *inferred)
{
  return fare_marginals_fit(c, t, PETSC_FALSE, estimate, inferred);
}

static PetscErrorCode limit(const fare_infer_context *c, const PetscInt cells[], double theta[])
{
  return fare_marginals_limit(c, cells, estimate, theta);
}

static PetscErrorCode check(const fare_infer_context *c)
{
  PetscFunctionBegin;
  if (c->boundary[0] == FARE_BOUNDARY_PERIODIC)
    FARE_FAIL(FARE_ERR_INPUT, "jko_star joins quantiles, which a periodic axis does not have");
  PetscCall(fare_marginals_check_noise(c));
  PetscFunctionReturn(0);
}

const fare_infer_type fare_infer_jko_star = {
  .name    = "jko_star",
  .summary = "snapshots connected by optimal transport, as implicit steps down the free energy",
  .reference =
    "Terpin et al., JKOnet*, NeurIPS 37 (2024); Jordan, Kinderlehrer and Otto, SIAM J. Math. Anal. "
    "29, 1 (1998)",
  .dim_max  = 1,
  .unpaired = PETSC_TRUE,
  .fit      = fit,
  .limit    = limit,
  .check    = check,
};
