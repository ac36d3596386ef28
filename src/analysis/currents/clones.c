/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Cloning beside the tilted generator: walkers that are weighed by exp(s dA) after each interval and drawn
  anew by systematic resampling, psi = sum ln(mean weight)/t (Giardina, Kurchan and Peliti, Phys. Rev. Lett.
  96, 120603 (2006)). Its bias is of order 1/N: runs of N and of 2N walkers tell it, and extrapolate it away.
  With the drift of the driven process of a coarse grid, weights hardly differ, and hardly any bias is left
  (Nemoto, Bouchet, Jack and Lecomte, Phys. Rev. E 93, 062123 (2016)). A walker carries what its ancestors
  have summed, so that means are those of ancestors and not of the last population.
*/
#include "tilted.h"

#include <fare/ensemble.h>
#include <fare/random.h>
#include <petscdmda.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#define AT(member) offsetof(fare_clones, member)
const fare_field fare_clones_fields[] = {
  {"walkers", FARE_INTEGER, AT(walkers), "500", 10, 1e6, NULL, "",
    "of half of the runs; the others have twice as many"},
  {"dt", FARE_REAL, AT(dt), NULL, 1e-12, 1e3, NULL, "time", "step of the simulation"},
  {"resample", FARE_REAL, AT(resample), "0", 0, 1e6, NULL, "time",
    "between resamplings; by default ten steps"},
  {"duration", FARE_REAL, AT(duration), NULL, 1e-9, 1e9, NULL, "time", "that counts, after burn"},
  {"burn", FARE_REAL, AT(burn), "0", 0, 1e9, NULL, "time",
    "before, that does not; by default a fifth of duration"},
  {"runs", FARE_INTEGER, AT(runs), "8", 2, 1e4, NULL, "", "independent ones of each kind"},
  {"control_cells", FARE_INTEGER, AT(control), "0", 0, 4096, NULL, "",
    "cells per axis of a grid whose driven process steers the walkers; 0: none does"},
  {"seed", FARE_INTEGER, AT(seed), "1", 0, 1e15, NULL, "", "of the random numbers"},
  FARE_FIELDS_END,
};

/* Of one tilt, on one rank alone. */
typedef struct {
  const fare_clones     *keys;
  const fare_system     *system;
  const fare_observable *observable;
  const fare_grid       *grid; /* of the truth: box and boundaries */
  fare_walls             walls;
  double                 t, s;
  int                    dim;
  fare_grid             *coarse;   /* NULL: no control */
  double                *gradient; /* of ln r, and that, [cell * (dim + 1) + axis] */
} problem;

/* Walkers side by side: [axis][walker]. */
typedef struct {
  size_t  count;
  double *memory, *x[FARE_DIM_MAX], *y[FARE_DIM_MAX], *f[FARE_DIM_MAX], *g[FARE_DIM_MAX], *D[FARE_DIM_MAX],
    *u[FARE_DIM_MAX];
  double *grown, *log_weight, *sum; /* of an interval, twice; since burn, of all ancestors */
  double *level;                    /* ln r where the interval began */
  double *z;                        /* normals of one axis, of whole blocks */
  size_t *family, *parent;
} crowd;

static PetscErrorCode crowd_create(size_t count, int dim, crowd *c)
{
  const size_t rows = (size_t)(6 * dim + 5);
  double      *next;

  PetscFunctionBegin;
  c->count = count;
  PetscCall(PetscCalloc1(rows * count + FARE_BLOCK, &c->memory));
  PetscCall(PetscCalloc2(count, &c->family, count, &c->parent));
  next = c->memory;
  for (int axis = 0; axis < dim; axis++, next += 6 * count) {
    c->x[axis] = next;
    c->y[axis] = next + count;
    c->f[axis] = next + 2 * count;
    c->g[axis] = next + 3 * count;
    c->D[axis] = next + 4 * count;
    c->u[axis] = next + 5 * count;
  }
  c->grown      = next;
  c->log_weight = next + count;
  c->sum        = next + 2 * count;
  c->level      = next + 3 * count;
  c->z          = next + 4 * count;
  PetscFunctionReturn(0);
}

static PetscErrorCode crowd_free(crowd *c)
{
  PetscFunctionBegin;
  PetscCall(PetscFree(c->memory));
  PetscCall(PetscFree2(c->family, c->parent));
  PetscFunctionReturn(0);
}

static double wrapped(const fare_grid *grid, int axis, double x)
{
  const double width = grid->upper[axis] - grid->lower[axis];

  return grid->boundary[axis] == FARE_BOUNDARY_PERIODIC ? x - width * floor((x - grid->lower[axis]) / width)
                                                        : x;
}

/* The gradient of ln r at a place, and ln r behind it: linear between the centres around it. */
static void interpolate(const problem *p, const double x[], double gradient[])
{
  const fare_grid *grid                = p->coarse;
  PetscInt         below[FARE_DIM_MAX] = {0};
  double           part[FARE_DIM_MAX]  = {0};

  for (int axis = 0; axis < p->dim; axis++) {
    const double at = (wrapped(grid, axis, x[axis]) - grid->lower[axis]) / grid->spacing[axis] - 0.5;

    below[axis] = (PetscInt)floor(at);
    part[axis]  = at - floor(at);
  }
  for (int k = 0; k <= p->dim; k++) gradient[k] = 0;
  for (int corner = 0; corner < 1 << p->dim; corner++) {
    PetscInt cell   = 0;
    double   weight = 1;

    for (int axis = p->dim - 1; axis >= 0; axis--) {
      const int      up    = corner >> axis & 1;
      const PetscInt cells = grid->cells[axis];
      PetscInt       i     = below[axis] + up;

      if (grid->boundary[axis] == FARE_BOUNDARY_PERIODIC) i = (i % cells + cells) % cells;
      cell = cell * cells + PetscMax(0, PetscMin(cells - 1, i));
      weight *= up ? part[axis] : 1 - part[axis];
    }
    for (int k = 0; k <= p->dim; k++) gradient[k] += weight * p->gradient[cell * (p->dim + 1) + k];
  }
}

/* What the observable grows by per length along an axis. */
static double per_length(const problem *p, const crowd *c, double *const f[], size_t i, int axis)
{
  switch (p->observable->kind) {
  case FARE_OF_DISPLACEMENT:
    return axis == p->observable->axis;
  case FARE_OF_ENTROPY:
    return f[axis][i] / c->D[axis][i];
  case FARE_OF_HEAT:
  case FARE_OF_WORK:
    return fare_system_kT(p->system, p->t) * f[axis][i] / c->D[axis][i];
  default:
    return 0;
  }
}

/* And per time. */
static double per_time(const problem *p, double *const x[], size_t i)
{
  double at[FARE_DIM_MAX];

  if (p->observable->kind == FARE_OF_MOMENT)
    return pow(x[p->observable->axis][i], (double)p->observable->power);
  if (p->observable->kind != FARE_OF_OCCUPATION) return 0;
  for (int axis = 0; axis < p->dim; axis++) at[axis] = x[axis][i];
  return fare_region_has(p->observable->region, at);
}

/* f, D and the drift u that steers, at x. */
static void look(const problem *p, crowd *c)
{
  fare_system_drift(p->system, p->t, c->count, (const double *const *)c->x, c->f);
  fare_system_diffusion(p->system, p->t, c->count, (const double *const *)c->x, c->D);
  for (size_t i = 0; i < c->count && p->coarse; i++) {
    double x[FARE_DIM_MAX] = {0}, gradient[FARE_DIM_MAX + 1];

    for (int axis = 0; axis < p->dim; axis++) x[axis] = c->x[axis][i];
    interpolate(p, x, gradient);
    for (int axis = 0; axis < p->dim; axis++)
      c->u[axis][i] = 2 * c->D[axis][i] * (p->s * per_length(p, c, c->f, i, axis) + gradient[axis]);
  }
}

/*
  One step: drift without steering is that of Heun's method, for which noise is as at the beginning; what
  steers is taken there alone, so that the weight is that of Girsanov. z: [axis][walker].
*/
static void step(const problem *p, crowd *c, fare_stream noise, uint64_t number)
{
  const double dt = p->keys->dt;

  look(p, c);
  for (int axis = 0; axis < p->dim; axis++) {
    for (size_t block = 0; block * FARE_BLOCK < c->count; block++)
      fare_random_normals(noise, block, number, (uint32_t)axis, c->z + block * FARE_BLOCK);
    for (size_t i = 0; i < c->count; i++) {
      const double D = c->D[axis][i], u = c->u[axis][i];

      c->y[axis][i] = c->x[axis][i] + (c->f[axis][i] + u) * dt + sqrt(2 * D * dt) * c->z[i];
      c->log_weight[i] -= u * c->z[i] * sqrt(dt / (2 * D)) + u * u * dt / (4 * D);
    }
  }
  fare_system_drift(p->system, p->t, c->count, (const double *const *)c->y, c->g);
  for (size_t i = 0; i < c->count; i++) {
    c->grown[i] += 0.5 * dt * per_time(p, c->x, i);
    for (int axis = 0; axis < p->dim; axis++) {
      c->y[axis][i] += 0.5 * (c->g[axis][i] - c->f[axis][i]) * dt;
      c->grown[i] += 0.5 * (per_length(p, c, c->f, i, axis) + per_length(p, c, c->g, i, axis)) *
        (c->y[axis][i] - c->x[axis][i]);
    }
    for (int axis = 0; axis < p->dim; axis++) c->x[axis][i] = wrapped(p->grid, axis, c->y[axis][i]);
  }
  if (p->walls.dim && fare_walls_crossed(&p->walls, (int64_t)c->count, (const double *const *)c->x))
    fare_walls_fold(&p->walls, (int64_t)c->count, PETSC_FALSE, c->x, NULL);
  for (size_t i = 0; i < c->count; i++) c->grown[i] += 0.5 * dt * per_time(p, c->x, i);
}

/* Of the places y of parents. */
static void take(crowd *c, int dim)
{
  double *const beside = c->grown;

  for (int axis = 0; axis < dim; axis++) {
    for (size_t i = 0; i < c->count; i++) c->y[axis][i] = c->x[axis][c->parent[i]];
    memcpy(c->x[axis], c->y[axis], c->count * sizeof(double));
  }
  for (size_t i = 0; i < c->count; i++) beside[i] = c->sum[c->parent[i]];
  memcpy(c->sum, beside, c->count * sizeof(double));
  for (size_t i = 0; i < c->count; i++) c->parent[i] = c->family[c->parent[i]];
  memcpy(c->family, c->parent, c->count * sizeof *c->family);
}

/* ln r where the walkers are; 0 where nothing steers. */
static void find_levels(const problem *p, crowd *c, double level[])
{
  for (size_t i = 0; i < c->count && p->coarse; i++) {
    double x[FARE_DIM_MAX] = {0}, found[FARE_DIM_MAX + 1];

    for (int axis = 0; axis < p->dim; axis++) x[axis] = c->x[axis][i];
    interpolate(p, x, found);
    level[i] = found[p->dim];
  }
}

/*
  ln of the mean weight, which has r at the end over r at the beginning: of a perfect control all are alike
  then. Then walkers are drawn anew, with equal weights, by one uniform number. */
static double resample(const problem *p, crowd *c, double u)
{
  double most = -HUGE_VAL, all = 0, reached = 0;
  size_t next = 0;

  find_levels(p, c, c->z);
  for (size_t i = 0; i < c->count; i++) {
    c->sum[i] += c->grown[i];
    c->log_weight[i] += p->s * c->grown[i] + (p->coarse ? c->z[i] - c->level[i] : 0);
    most = PetscMax(most, c->log_weight[i]);
  }
  for (size_t i = 0; i < c->count; i++) all += exp(c->log_weight[i] - most);
  for (size_t i = 0; i < c->count; i++) {
    reached += exp(c->log_weight[i] - most) / all * (double)c->count;
    while (next < c->count && (double)next + u < reached) c->parent[next++] = i;
  }
  while (next < c->count) c->parent[next++] = c->count - 1;
  take(c, p->dim);
  for (size_t i = 0; i < c->count; i++) c->grown[i] = c->log_weight[i] = 0;
  find_levels(p, c, c->level);
  return most + log(all / (double)c->count);
}

/* Walkers all over the box. */
static void scatter(const problem *p, crowd *c, fare_stream stream)
{
  for (int axis = 0; axis < p->dim; axis++) {
    for (size_t block = 0; block * FARE_BLOCK < c->count; block++)
      fare_random_uniforms(stream, block, 0, (uint32_t)axis, c->z + block * FARE_BLOCK);
    for (size_t i = 0; i < c->count; i++)
      c->x[axis][i] = p->grid->lower[axis] + (p->grid->upper[axis] - p->grid->lower[axis]) * c->z[i];
  }
}

/* One run: psi, slope, and the share of walkers at the end of burn that still have descendants. */
static PetscErrorCode run_once(const problem *p, const char *name, size_t walkers, double result[3])
{
  const fare_clones *k     = p->keys;
  const int64_t      every = k->resample > 0 ? PetscMax(1, (int64_t)round(k->resample / k->dt)) : 10,
                burn  = (int64_t)ceil((k->burn > 0 ? k->burn : k->duration / 5) / (k->dt * (double)every)),
                count = (int64_t)ceil(k->duration / (k->dt * (double)every));
  const fare_stream stream = fare_stream_make((uint64_t)k->seed, name);
  fare_random       choice = {.sequence = 1};
  double            sum = 0, mean = 0;
  size_t            families = 0;
  char              other[128];
  crowd             c;

  PetscFunctionBegin;
  snprintf(other, sizeof other, "%s/resample", name);
  choice.stream = fare_stream_make((uint64_t)k->seed, other);
  PetscCall(crowd_create(walkers, p->dim, &c));
  snprintf(other, sizeof other, "%s/scatter", name);
  scatter(p, &c, fare_stream_make((uint64_t)k->seed, other));
  find_levels(p, &c, c.level);
  for (int64_t n = 0; n < burn + count; n++) {
    double grown;

    for (size_t i = 0; n == burn && i < walkers; i++) {
      c.family[i] = i;
      c.sum[i]    = 0;
    }
    for (int64_t m = 0; m < every; m++) step(p, &c, stream, (uint64_t)(n * every + m));
    grown = resample(p, &c, fare_random_uniform(&choice));
    if (n >= burn) sum += grown;
  }
  for (size_t i = 0; i < walkers; i++) mean += c.sum[i] / (double)walkers;
  for (size_t i = 0; i < walkers; i++) families += !i || c.family[i] != c.family[i - 1];
  result[0] = sum / ((double)(count * every) * k->dt);
  result[1] = mean / ((double)(count * every) * k->dt);
  result[2] = (double)families;
  PetscCall(crowd_free(&c));
  if (!isfinite(result[0]) || !isfinite(result[1]))
    FARE_FAIL(FARE_ERR_FAILED, "clones: weights are not finite: take a smaller dt, or resample more often");
  PetscFunctionReturn(0);
}

/* ln r of a coarse grid and its gradient at centres. */
static PetscErrorCode find_control(problem *p)
{
  PetscInt cells[FARE_DIM_MAX] = {p->keys->control, p->keys->control, p->keys->control}, index[FARE_DIM_MAX];
  double  *r;
  fare_tilted one;

  PetscFunctionBegin;
  if (!p->keys->control) PetscFunctionReturn(0);
  PetscCall(fare_grid_create(
    PETSC_COMM_SELF, p->dim, cells, p->grid->lower, p->grid->upper, p->grid->boundary, &p->coarse));
  PetscCall(fare_tilted_solve(p->coarse, p->system, p->t, p->observable, p->s, &one));
  PetscCall(PetscMalloc1(fare_grid_owned(p->coarse), &r));
  PetscCall(PetscMalloc1(fare_grid_owned(p->coarse) * (p->dim + 1), &p->gradient));
  PetscCall(fare_grid_gather(p->coarse, one.right, r));
  PetscCall(VecDestroy(&one.right));
  for (PetscInt n = 0; n < fare_grid_owned(p->coarse); n++) {
    PetscInt stride = 1;

    p->gradient[n * (p->dim + 1) + p->dim] = log(r[n]);
    fare_cell_index(p->coarse, n, index);
    for (int axis = 0; axis < p->dim; axis++) {
      PetscInt there[FARE_DIM_MAX], side[2] = {0, 0};

      if (fare_cell_over(p->coarse, index, 2 * axis, there)) side[0] = there[axis] - index[axis];
      if (fare_cell_over(p->coarse, index, 2 * axis + 1, there)) side[1] = there[axis] - index[axis];
      p->gradient[n * (p->dim + 1) + axis] = (log(r[n + side[1] * stride]) - log(r[n + side[0] * stride])) /
        ((double)((side[0] != 0) + (side[1] != 0)) * p->coarse->spacing[axis]);
      stride *= cells[axis];
    }
  }
  PetscCall(PetscFree(r));
  PetscFunctionReturn(0);
}

/* Mean, and standard error of it. */
static void average(PetscInt64 count, const double value[], size_t stride, double *mean, double *error)
{
  double sum = 0, squares = 0;

  for (PetscInt64 i = 0; i < count; i++) sum += value[(size_t)i * stride];
  *mean = sum / (double)count;
  for (PetscInt64 i = 0; i < count; i++) squares += PetscSqr(value[(size_t)i * stride] - *mean);
  *error = sqrt(squares / (double)count / (double)(count - 1));
}

PetscErrorCode fare_clones_run(const fare_clones *keys, const fare_observable *observable,
  const fare_grid *grid, const fare_system *system, double t, double s, int number, fare_cloned *cloned)
{
  problem        p = {.keys = keys, .system = system, .observable = observable, .grid = grid, .t = t, .s = s};
  const int64_t  count = 2 * keys->runs;
  PetscErrorCode code  = 0;
  double        *result, mean[2], error[2], few, unused;
  int            rank, ranks;

  PetscFunctionBegin;
  p.dim   = grid->dim;
  p.walls = fare_grid_walls(grid, system);
  PetscCallMPI(MPI_Comm_rank(grid->comm, &rank));
  PetscCallMPI(MPI_Comm_size(grid->comm, &ranks));
  PetscCall(PetscCalloc1(3 * count, &result));
  code = find_control(&p);
  for (int64_t i = rank; i < count && !code; i += ranks) {
    char name[96];

    snprintf(name, sizeof name, "clones/tilt%d/run%lld", number, (long long)i);
    code = run_once(&p, name, (size_t)keys->walkers << (i >= keys->runs), result + 3 * i);
  }
  PetscCall(fare_error_agree(grid->comm, code));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, result, (int)(3 * count), MPI_DOUBLE, MPI_SUM, grid->comm));
  for (int k = 0; k < 2; k++) average(keys->runs, result + 3 * k * keys->runs, 3, &mean[k], &error[k]);
  cloned->few       = mean[0];
  cloned->few_error = error[0];
  cloned->psi       = 2 * mean[1] - mean[0];
  cloned->error     = sqrt(4 * error[1] * error[1] + error[0] * error[0]);
  for (int k = 0; k < 2; k++) average(keys->runs, result + 3 * k * keys->runs + 1, 3, &mean[k], &error[k]);
  cloned->slope       = 2 * mean[1] - mean[0];
  cloned->slope_error = sqrt(4 * error[1] * error[1] + error[0] * error[0]);
  average(keys->runs, result + 3 * keys->runs + 2, 3, &few, &unused);
  cloned->families = few;
  PetscCall(PetscFree(p.gradient));
  PetscCall(PetscFree(result));
  PetscCall(fare_grid_destroy(&p.coarse));
  PetscFunctionReturn(0);
}
