/* SPDX-License-Identifier: BSD-2-Clause */
#include "normals.h"

#include <math.h>
#include <string.h>

enum { RUN = FARE_NORMALS_RUN };

const fare_kept fare_normals_kept[] = {
  FARE_KEEP_WITH(REALS, fare_normals, weight, .length = offsetof(fare_normals, weights)),
  FARE_KEEP_WITH(REALS, fare_normals, mean, .length = offsetof(fare_normals, means)),
  FARE_KEEP_WITH(REALS, fare_normals, covariance, .length = offsetof(fare_normals, covariances)),
  FARE_KEPT_END,
};

PetscErrorCode fare_normals_create(int dim, int components, fare_normals *normals)
{
  const int64_t k = components, d = dim;

  PetscFunctionBegin;
  *normals = (fare_normals){
    .dim = dim, .components = components, .weights = k, .means = k * d, .covariances = k * d * d};
  PetscCall(PetscCalloc1((size_t)k, &normals->weight));
  PetscCall(PetscCalloc1((size_t)(k * d), &normals->mean));
  PetscCall(PetscCalloc1((size_t)(k * d * d), &normals->covariance));
  PetscCall(PetscCalloc1((size_t)(k * d * d), &normals->root));
  PetscCall(PetscCalloc1((size_t)k, &normals->scale));
  for (int c = 0; c < components; c++) normals->weight[c] = 1. / components;
  PetscFunctionReturn(0);
}

PetscErrorCode fare_normals_destroy(fare_normals *normals)
{
  PetscFunctionBegin;
  PetscCall(PetscFree(normals->weight));
  PetscCall(PetscFree(normals->mean));
  PetscCall(PetscFree(normals->covariance));
  PetscCall(PetscFree(normals->root));
  PetscCall(PetscFree(normals->scale));
  PetscFunctionReturn(0);
}

/* Cholesky's decomposition. */
static PetscErrorCode factor(int dim, const double S[], double L[])
{
  PetscFunctionBegin;
  memset(L, 0, (size_t)(dim * dim) * sizeof *L);
  for (int row = 0; row < dim; row++) {
    for (int column = 0; column <= row; column++) {
      double sum = S[row * dim + column];

      for (int k = 0; k < column; k++) sum -= L[row * dim + k] * L[column * dim + k];
      if (row != column) {
        L[row * dim + column] = sum / L[column * dim + column];
        continue;
      }
      if (!(sum > 0))
        FARE_FAIL(FARE_ERR_FAILED, "a covariance is not positive definite: axis %d has no spread of its own",
          row + 1);
      L[row * dim + row] = sqrt(sum);
    }
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_normals_factor(fare_normals *normals)
{
  const int dim = normals->dim, size = dim * dim;

  PetscFunctionBegin;
  for (int c = 0; c < normals->components; c++) {
    double *L = normals->root + c * size;

    PetscCall(factor(dim, normals->covariance + c * size, L));
    normals->scale[c] = log(normals->weight[c]) - 0.5 * dim * log(2 * PETSC_PI);
    for (int axis = 0; axis < dim; axis++) normals->scale[c] -= log(L[axis * dim + axis]);
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_normals_from_initial(int dim, const fare_initial *initial, fare_normals *normals)
{
  const int components = initial->weights.count ? (int)initial->weights.count : 1;
  double    all        = 0;

  PetscFunctionBegin;
  PetscCall(fare_normals_create(dim, components, normals));
  for (int c = 0; c < components && initial->weights.count; c++) all += initial->weights.values[c];
  for (int c = 0; c < components; c++) {
    if (initial->weights.count) normals->weight[c] = initial->weights.values[c] / all;
    for (int axis = 0; axis < dim; axis++) {
      const double sd = initial->sd.values[c * dim + axis];

      normals->mean[c * dim + axis]                      = initial->mean.values[c * dim + axis];
      normals->covariance[(c * dim + axis) * dim + axis] = sd * sd;
    }
  }
  PetscFunctionReturn(0);
}

/* Points from on, of arrays x[axis]. */
static void move(int dim, const double *const x[], int64_t from, const double *at[])
{
  for (int axis = 0; axis < dim; axis++) at[axis] = x[axis] + from;
}

/* y and the exponent of a component at a run of points. */
static void look(
  const fare_normals *p, int component, size_t n, const double *const x[], double y[], double e[])
{
  const int dim = p->dim;

  fare_normals_solve(dim, p->root + component * dim * dim, p->mean + component * dim, n, x, y);
  fare_normals_exponent(dim, p->scale[component], n, y, e);
}

static void log_density_of_run(
  const fare_normals *p, size_t n, const double *const x[], double y[], double log_density[])
{
  double e[RUN], highest[RUN], sum[RUN];

  for (int c = 0; c < p->components; c++) {
    look(p, c, n, x, y, e);
    fare_normals_add(c == 0, n, e, highest, sum);
  }
  for (size_t i = 0; i < n; i++) log_density[i] = highest[i] + (p->components > 1 ? log(sum[i]) : 0);
}

PetscErrorCode fare_normals_log_density(
  const fare_normals *normals, int64_t n, const double *const x[], double log_density[])
{
  const double *at[FARE_AXES_MAX];
  double       *y;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1((size_t)normals->dim * RUN, &y));
  for (int64_t from = 0; from < n; from += RUN) {
    move(normals->dim, x, from, at);
    log_density_of_run(normals, (size_t)PetscMin(RUN, n - from), at, y, log_density + from);
  }
  PetscCall(PetscFree(y));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_normals_score(
  const fare_normals *normals, int64_t n, const double *const x[], double *const s[])
{
  const int     dim = normals->dim;
  const double *at[FARE_AXES_MAX];
  double       *y, *to[FARE_AXES_MAX], log_density[RUN], e[RUN];

  PetscFunctionBegin;
  PetscCall(PetscMalloc1((size_t)dim * RUN, &y));
  for (int64_t from = 0; from < n; from += RUN) {
    const size_t count = (size_t)PetscMin(RUN, n - from);

    move(dim, x, from, at);
    for (int axis = 0; axis < dim; axis++) {
      to[axis] = s[axis] + from;
      memset(to[axis], 0, count * sizeof **to);
    }
    log_density_of_run(normals, count, at, y, log_density);
    for (int c = 0; c < normals->components; c++) {
      look(normals, c, count, at, y, e);
      fare_normals_solve_back(dim, normals->root + c * dim * dim, count, y);
      fare_normals_pull(dim, count, e, log_density, y, to);
    }
  }
  PetscCall(PetscFree(y));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_normals_mode(const fare_normals *normals, int64_t n, const double *const x[], int mode[])
{
  const double *at[FARE_AXES_MAX];
  double       *y, e[RUN], highest[RUN];

  PetscFunctionBegin;
  PetscCall(PetscMalloc1((size_t)normals->dim * RUN, &y));
  for (int64_t from = 0; from < n; from += RUN) {
    const int count = (int)PetscMin(RUN, n - from);

    move(normals->dim, x, from, at);
    for (int c = 0; c < normals->components; c++) {
      look(normals, c, (size_t)count, at, y, e);
      for (int i = 0; i < count; i++) {
        if (c && e[i] <= highest[i]) continue;
        highest[i]     = e[i];
        mode[from + i] = c;
      }
    }
  }
  PetscCall(PetscFree(y));
  PetscFunctionReturn(0);
}

/* The particles of a block that belong to a component, by a uniform number of each. */
static int members(const fare_normals *p, int component, const double u[], int which[])
{
  double low   = 0, high;
  int    count = 0;

  for (int c = 0; c < component; c++) low += p->weight[c];
  high = component == p->components - 1 ? HUGE_VAL : low + p->weight[component];
  for (int i = 0; i < FARE_BLOCK; i++) {
    if (u[i] >= low && u[i] < high) which[count++] = i;
  }
  return count;
}

PetscErrorCode fare_normals_draw(
  const fare_normals *normals, fare_stream stream, uint64_t block, double *const x[])
{
  const int     dim = normals->dim;
  double       *all, u[FARE_BLOCK];
  const double *z[FARE_AXES_MAX];
  int           which[FARE_BLOCK];

  PetscFunctionBegin;
  PetscCall(PetscMalloc1((size_t)dim * FARE_BLOCK, &all));
  for (int axis = 0; axis < dim; axis++) {
    fare_random_normals(stream, block, 0, (uint32_t)axis, all + axis * FARE_BLOCK);
    z[axis] = all + axis * FARE_BLOCK;
  }
  fare_random_uniforms(stream, block, 1, 0, u);
  for (int c = 0; c < normals->components; c++) {
    const int count = members(normals, c, u, which);

    fare_normals_place(dim, normals->root + c * dim * dim, normals->mean + c * dim, count, which, z, x);
  }
  PetscCall(PetscFree(all));
  PetscFunctionReturn(0);
}

static double below(double y)
{
  return 0.5 * erfc(-y * M_SQRT1_2);
}

/*
  Conditionals of a run of points: a component counts for as much as it has of the axes before. y holds those
  of all components.
*/
static void condition(const fare_normals *p, size_t n, const double y[], double *const u[])
{
  const int dim = p->dim, size = dim * RUN;
  double    e[FARE_NORMALS_MOST];

  for (size_t i = 0; i < n; i++) {
    for (int c = 0; c < p->components; c++) e[c] = log(p->weight[c]);
    for (int axis = 0; axis < dim; axis++) {
      double highest = -HUGE_VAL, sum = 0, part = 0;

      for (int c = 0; c < p->components; c++) highest = PetscMax(highest, e[c]);
      for (int c = 0; c < p->components; c++) {
        const double at = y[c * size + axis * RUN + (int)i], share = exp(e[c] - highest);

        sum += share;
        part += share * below(at);
        e[c] -= 0.5 * at * at + log(p->root[(c * dim + axis) * dim + axis]);
      }
      u[axis][i] = part / sum;
    }
  }
}

PetscErrorCode fare_normals_rosenblatt(
  const fare_normals *normals, int64_t n, const double *const x[], double *const u[])
{
  const int     dim = normals->dim;
  const double *at[FARE_AXES_MAX];
  double       *y, *to[FARE_AXES_MAX];

  PetscFunctionBegin;
  PetscCall(PetscMalloc1((size_t)(normals->components * dim) * RUN, &y));
  for (int64_t from = 0; from < n; from += RUN) {
    const size_t count = (size_t)PetscMin(RUN, n - from);

    move(dim, x, from, at);
    for (int axis = 0; axis < dim; axis++) to[axis] = u[axis] + from;
    for (int c = 0; c < normals->components; c++)
      fare_normals_solve(
        dim, normals->root + c * dim * dim, normals->mean + c * dim, count, at, y + c * dim * RUN);
    condition(normals, count, y, to);
  }
  PetscCall(PetscFree(y));
  PetscFunctionReturn(0);
}
