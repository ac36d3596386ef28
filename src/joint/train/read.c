/* SPDX-License-Identifier: BSD-2-Clause */
/* What a train tells: ln p, its gradient, conditionals and draws, marginals, energies. */
#include "train.h"

#include <cblas.h>
#include <math.h>

double fare_train_mass(const fare_train *train)
{
  return train->right[0][0];
}

/* next = v times the matrix of site k at a place, of `count` cells with these values. */
static void carry(const fare_train *train, int k, int count, const int at[], const double value[],
  const double *v, double *next)
{
  const int     n = train->sites.cells, left = train->bond[k], right = train->bond[k + 1];
  const double *core = train->core[k];

  for (int b = 0; b < right; b++) next[b] = 0;
  for (int t = 0; t < count; t++) {
    const double scale = value[t] * train->sites.weight[at[t]];

    for (int a = 0; a < left; a++) {
      const double  factor = scale * v[a];
      const double *row    = core + ((size_t)a * n + at[t]) * right;

      for (int b = 0; b < right; b++) next[b] += factor * row[b];
    }
  }
}

/* Divides by the largest size; returns it. */
static double scale_down(int n, double v[])
{
  double largest = 0;

  for (int i = 0; i < n; i++) largest = PetscMax(largest, fabs(v[i]));
  for (int i = 0; i < n && largest > 0; i++) v[i] /= largest;
  return largest;
}

static int widest(const fare_train *train)
{
  int most = 1;

  for (int k = 0; k <= train->count; k++) most = PetscMax(most, train->bond[k]);
  return most;
}

PetscErrorCode fare_train_log_density(
  const fare_train *train, int64_t n, const double *const x[], double log_density[])
{
  double *room, *v, *next;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(2 * widest(train), &room));
  for (int64_t i = 0; i < n; i++) {
    double sum = 0;

    v    = room;
    next = room + widest(train);
    v[0] = 1;
    for (int k = 0; k < train->count; k++) {
      int    at[FARE_NEAR];
      double value[FARE_NEAR], *swap = v;

      if (!fare_train_near(train, k, x[k][i], at, value, NULL)) {
        sum = -HUGE_VAL;
        break;
      }
      carry(train, k, FARE_NEAR, at, value, v, next);
      v    = next;
      next = swap;
      sum += log(scale_down(train->bond[k + 1], v));
    }
    log_density[i] = v[0] > 0 ? sum : -HUGE_VAL;
  }
  PetscCall(PetscFree(room));
  PetscFunctionReturn(0);
}

/* The score at one point; room: 2 count + 2 vectors of the widest bond. */
static void score_at(
  const fare_train *train, const double *const x[], int64_t i, double *const s[], double *room)
{
  const int width = widest(train), count = train->count;
  double   *left = room, *right = room + width, *mine = room + 2 * width, *above = mine + width * (count + 1);
  double    value[FARE_AXES_MAX][FARE_NEAR], slope[FARE_AXES_MAX][FARE_NEAR];
  int       at[FARE_AXES_MAX][FARE_NEAR];
  PetscBool inside = PETSC_TRUE;

  for (int k = 0; k < count; k++)
    inside =
      inside && fare_train_near(train, k, x[k][i], at[k], value[k], slope[k]) ? PETSC_TRUE : PETSC_FALSE;
  for (int k = 0; k < count; k++) s[k][i] = NAN;
  if (!inside) return;
  above[0] = 1;
  mine[0]  = 1;
  for (int k = 0; k < count; k++) {
    carry(train, k, FARE_NEAR, at[k], value[k], mine + k * width, mine + (k + 1) * width);
    scale_down(train->bond[k + 1], mine + (k + 1) * width);
  }
  right[0] = 1;
  for (int k = count - 1; k >= 0; k--) {
    const int n = train->sites.cells, across = train->bond[k + 1];

    carry(train, k, FARE_NEAR, at[k], slope[k], mine + k * width, left);
    s[k][i] = cblas_ddot(across, left, 1, right, 1);
    carry(train, k, FARE_NEAR, at[k], value[k], mine + k * width, left);
    s[k][i] /= cblas_ddot(across, left, 1, right, 1);
    for (int a = 0; a < train->bond[k]; a++) {
      above[a] = 0;
      for (int t = 0; t < FARE_NEAR; t++)
        above[a] += value[k][t] * train->sites.weight[at[k][t]] *
          cblas_ddot(across, train->core[k] + ((size_t)a * n + at[k][t]) * across, 1, right, 1);
    }
    scale_down(train->bond[k], above);
    for (int a = 0; a < train->bond[k]; a++) right[a] = above[a];
  }
}

PetscErrorCode fare_train_score(
  const fare_train *train, int64_t n, const double *const x[], double *const s[])
{
  double *room;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(widest(train) * (train->count + 4), &room));
  for (int64_t i = 0; i < n; i++) score_at(train, x, i, s, room);
  PetscCall(PetscFree(room));
  PetscFunctionReturn(0);
}

/* The density in a part of a cell, a parabola through d[0..2], from its lower end to xi, over its length. */
static double within(const double d[3], double xi)
{
  const double slope = -3 * d[0] + 4 * d[1] - d[2], bend = 2 * d[0] - 4 * d[1] + 2 * d[2];

  return xi * (d[0] + xi * (0.5 * slope + xi * bend / 3));
}

/* The density at a place. */
static double density_at(int cells, const double *density, const double *mass, int place)
{
  return cblas_ddot(cells, density + (size_t)place * cells, 1, mass, 1);
}

/* Where within a part, of 0 to 1, a share of its mass lies below; or back. */
static double locate(const double d[3], double share)
{
  double low = 0, high = 1;

  for (int k = 0; k < 48; k++) {
    const double middle = 0.5 * (low + high);

    *(within(d, middle) < share * within(d, 1) ? &low : &high) = middle;
  }
  return 0.5 * (low + high);
}

/* One site of one point: from u to x, or back, by the masses of cells and of parts. */
static PetscErrorCode place_one(const fare_sites *s, const double *density, const double *mass, double *part,
  PetscBool back, double *x, double *u, double *clipped)
{
  const int    parts  = FARE_PARTS * s->cells;
  const double length = s->spacing / FARE_PARTS;
  double       total = 0, negative = 0, below = 0, d[3];
  int          q = 0;

  PetscFunctionBegin;
  for (int k = 0; k < parts; k++) {
    if (part[k] < 0) negative -= part[k];
    part[k] = PetscMax(part[k], 0);
    total += part[k];
  }
  if (!(total > 0) || !isfinite(total))
    FARE_FAIL(
      FARE_ERR_FAILED, "tensor train: a conditional density has no mass: give more 'rank' or 'cells'");
  *clipped = PetscMax(*clipped, negative / (negative + total));
  if (back) {
    const double place = PetscMin(PetscMax((*x - s->lower) / length, 0), parts);

    q = PetscMin((int)place, parts - 1);
    for (int k = 0; k < q; k++) below += part[k];
    for (int k = 0; k < 3; k++) d[k] = density_at(s->cells, density, mass, 2 * q + k);
    *u = part[q] > 0 ? PetscMin(PetscMax(within(d, place - q) / within(d, 1), 0), 1) : 0;
    *u = (below + *u * part[q]) / total;
    PetscFunctionReturn(0);
  }
  while (q + 1 < parts && below + part[q] < *u * total) below += part[q++];
  for (int k = 0; k < 3; k++) d[k] = density_at(s->cells, density, mass, 2 * q + k);
  *x = part[q] > 0 ? locate(d, (*u * total - below) / part[q]) : 0.5;
  *x = s->lower + length * (q + *x);
  PetscFunctionReturn(0);
}

/* One site of all points, whose vectors of the sites before are v. */
static PetscErrorCode place_site(
  const fare_train *train, int k, int64_t n, PetscBool back, double *x, double *u, double *v, double *clipped)
{
  const fare_sites *s = &train->sites;
  const int cells = s->cells, parts = FARE_PARTS * cells, left = train->bond[k], right = train->bond[k + 1],
            width = widest(train);
  double *ahead, *mass, *part, *next, *density, *interval;

  PetscFunctionBegin;
  PetscCall(PetscMalloc4(left * cells, &ahead, n * cells, &mass, n * parts, &part, width, &next));
  PetscCall(PetscMalloc2(FARE_PLACES(cells) * cells, &density, parts * cells, &interval));
  PetscCall(fare_train_tabulate(train, k, density, interval));
  for (int a = 0; a < left; a++) {
    for (int j = 0; j < cells; j++)
      ahead[a * cells + j] = s->weight[j] *
        cblas_ddot(right, train->core[k] + ((size_t)a * cells + j) * right, 1, train->right[k + 1], 1);
  }
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)n, cells, left, 1, v, width, ahead, cells, 0,
    mass, cells);
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)n, parts, cells, 1, mass, cells, interval, cells,
    0, part, parts);
  for (int64_t i = 0; i < n; i++) {
    int    at[FARE_NEAR];
    double value[FARE_NEAR], inside;

    PetscCall(place_one(s, density, mass + i * cells, part + i * parts, back, &x[i], &u[i], clipped));
    inside = PetscMin(PetscMax(x[i], s->lower), s->lower + s->spacing * cells * (1 - 1e-12));
    if (!fare_train_near(train, k, inside, at, value, NULL)) continue;
    carry(train, k, FARE_NEAR, at, value, v + i * width, next);
    scale_down(right, next);
    PetscCall(PetscArraycpy(v + i * width, next, right));
  }
  PetscCall(PetscFree4(ahead, mass, part, next));
  PetscCall(PetscFree2(density, interval));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_train_conditionals(
  const fare_train *train, int64_t n, PetscBool back, double *const x[], double *const u[], double *clipped)
{
  const int width = widest(train);
  double   *v;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(FARE_BLOCK * width, &v));
  for (int64_t first = 0; first < n; first += FARE_BLOCK) {
    const int64_t count = PetscMin(n - first, FARE_BLOCK);

    for (int64_t i = 0; i < count; i++) v[i * width] = 1;
    for (int k = 0; k < train->count; k++)
      PetscCall(place_site(train, k, count, back, x[k] + first, u[k] + first, v, clipped));
  }
  PetscCall(PetscFree(v));
  PetscFunctionReturn(0);
}

/* to[row][b] = sum over a and cells of from[row][a] core. */
static void sum_over(const fare_train *train, int k, int rows, const double *from, double *to)
{
  const int left = train->bond[k], right = train->bond[k + 1], n = train->sites.cells;

  for (int i = 0; i < rows * right; i++) to[i] = 0;
  for (int a = 0; a < left; a++) {
    for (int j = 0; j < n; j++) {
      for (int row = 0; row < rows; row++)
        cblas_daxpy(right, from[row * left + a] * train->sites.weight[j],
          train->core[k] + ((size_t)a * n + j) * right, 1, to + row * right, 1);
    }
  }
}

/* to[row][cell][b] = sum over a of from[row][a] core, weights included. */
static void open_site(const fare_train *train, int k, int rows, const double *from, double *to)
{
  const int left = train->bond[k], right = train->bond[k + 1], n = train->sites.cells;

  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, rows, n * right, left, 1, from, left, train->core[k],
    n * right, 0, to, n * right);
  for (int row = 0; row < rows; row++) {
    for (int j = 0; j < n; j++) cblas_dscal(right, train->sites.weight[j], to + (row * n + j) * right, 1);
  }
}

PetscErrorCode fare_train_marginal(const fare_train *train, int axes, const int axis[], double masses[])
{
  const int n = train->sites.cells, width = widest(train),
            first = axes > 1 ? PetscMin(axis[0], axis[1]) : axis[0],
            last  = axes > 1 ? PetscMax(axis[0], axis[1]) : axis[0];
  double *room, *v, *next;
  int     rows = 1;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(2 * n * n * width, &room));
  v    = room;
  next = room + n * n * width;
  v[0] = 1;
  for (int k = 0; k <= last; k++) {
    double *swap = v;

    if (k == first || k == last) {
      open_site(train, k, rows, v, next);
      rows *= n;
    } else {
      sum_over(train, k, rows, v, next);
    }
    v    = next;
    next = swap;
  }
  for (int i = 0; i < rows; i++) {
    const int to = axes > 1 && axis[0] > axis[1] ? i % n * n + i / n : i;

    masses[to] =
      cblas_ddot(train->bond[last + 1], v + i * train->bond[last + 1], 1, train->right[last + 1], 1);
  }
  PetscCall(PetscFree(room));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_train_parts(const fare_train *train, int axes, const int axis[], double masses[])
{
  const int n = train->sites.cells, parts = FARE_PARTS * n;
  double   *cells, *half, *density, *interval;

  PetscFunctionBegin;
  PetscCall(
    PetscMalloc4(n * n, &cells, parts * n, &half, FARE_PLACES(n) * n, &density, parts * n, &interval));
  PetscCall(fare_train_marginal(train, axes, axis, cells));
  PetscCall(fare_train_tabulate(train, axis[0], density, interval));
  if (axes == 1) {
    cblas_dgemv(CblasRowMajor, CblasNoTrans, parts, n, 1, interval, n, cells, 1, 0, masses, 1);
  } else {
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, parts, n, n, 1, interval, n, cells, n, 0, half, n);
    PetscCall(fare_train_tabulate(train, axis[1], density, interval));
    cblas_dgemm(
      CblasRowMajor, CblasNoTrans, CblasTrans, parts, parts, n, 1, half, n, interval, n, 0, masses, parts);
  }
  PetscCall(PetscFree4(cells, half, density, interval));
  PetscFunctionReturn(0);
}

/* ln of the partition function by a transfer matrix, its integral a sum over centres. */
static PetscErrorCode partition(
  const fare_train *train, const double *V, double coupling, double kT, double *log_z)
{
  const int     n      = train->sites.cells;
  const double *x      = train->sites.centre;
  double        lowest = HUGE_VAL, *v, *next;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(n, &v, n, &next));
  for (int i = 0; i < n; i++) lowest = PetscMin(lowest, V[i]);
  *log_z = -train->count * lowest / kT;
  for (int i = 0; i < n; i++) v[i] = 1;
  for (int k = 0; k < train->count; k++) {
    for (int i = 0; i < n; i++) v[i] *= train->sites.spacing * exp(-(V[i] - lowest) / kT);
    for (int i = 0; i < n; i++) {
      next[i] = 0;
      for (int j = 0; j < n; j++)
        next[i] +=
          k + 1 < train->count ? exp(-0.5 * coupling / kT * (x[i] - x[j]) * (x[i] - x[j])) * v[j] : v[j];
    }
    PetscCall(PetscArraycpy(v, next, n));
    *log_z += log(scale_down(n, v));
  }
  PetscCall(PetscFree2(v, next));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_train_energies(const fare_train *train, double t, double *energy, double *log_z)
{
  const int     n = train->sites.cells;
  const double *x = train->sites.centre;
  double        theta[FARE_PARAMETERS_MAX], coupling, kT, *V, *mass;

  PetscFunctionBegin;
  fare_system_parameters(train->system, t, theta);
  kT       = theta[FARE_KT];
  coupling = theta[fare_chain_coupling(train->chain)];
  PetscCall(PetscMalloc2(n, &V, n * n, &mass));
  train->sites.unit->potential(1, theta, (size_t)n, &x, V);
  *energy = 0;
  for (int k = 0; k < train->count; k++) {
    const int axis[] = {k, k + 1};

    PetscCall(fare_train_marginal(train, 1, axis, mass));
    *energy += cblas_ddot(n, V, 1, mass, 1) / kT;
    if (k + 1 == train->count) break;
    PetscCall(fare_train_marginal(train, 2, axis, mass));
    for (int i = 0; i < n * n; i++)
      *energy += 0.5 * coupling / kT * (x[i / n] - x[i % n]) * (x[i / n] - x[i % n]) * mass[i];
  }
  PetscCall(partition(train, V, coupling, kT, log_z));
  PetscCall(PetscFree2(V, mass));
  PetscFunctionReturn(0);
}
