/*
  E[x | y] of exact densities and of training sets: which data are meant, and by which way they are summed.
*/
#include "posterior_parts.h"

#include <petscdmda.h>

#include <math.h>

static PetscErrorCode create(fare_sampler *sampler)
{
  fare_generative *g = sampler->state;

  PetscFunctionBeginUser;
  PetscCall(fare_posterior_destroy(&g->posterior));
  PetscCall(PetscNew(&g->posterior));
  g->posterior->sampler = sampler;
  g->posterior->dim     = fare_system_dimension(sampler->system);
  for (int axis = 0; axis < FARE_DIM_MAX; axis++) g->posterior->extent[axis] = 1;
  PetscFunctionReturn(0);
}

static PetscErrorCode create_times(fare_posterior *p, int times)
{
  PetscFunctionBeginUser;
  p->times = times;
  PetscCall(
    PetscCalloc3((size_t)times, &p->time, (size_t)times, &p->members, (size_t)times, &p->given_weight));
  for (int axis = 0; axis < p->dim; axis++) PetscCall(PetscCalloc1((size_t)times, &p->given[axis]));
  PetscFunctionReturn(0);
}

/* One array of all ranks, in their order, which is that of the particles' numbers. */
static PetscErrorCode gather(MPI_Comm comm, int64_t local, int64_t count, const double from[], double **to)
{
  int ranks, mine = (int)local, *counts, *starts;

  PetscFunctionBeginUser;
  PetscCallMPI(MPI_Comm_size(comm, &ranks));
  PetscCall(PetscMalloc2((size_t)ranks, &counts, (size_t)ranks, &starts));
  PetscCall(PetscMalloc1((size_t)count, to));
  PetscCallMPI(MPI_Allgather(&mine, 1, MPI_INT, counts, 1, MPI_INT, comm));
  starts[0] = 0;
  for (int r = 1; r < ranks; r++) starts[r] = starts[r - 1] + counts[r - 1];
  PetscCallMPI(MPI_Allgatherv(from, mine, MPI_DOUBLE, *to, counts, starts, MPI_DOUBLE, comm));
  PetscCall(PetscFree2(counts, starts));
  PetscFunctionReturn(0);
}

/* Particles of one training time, wrapped; weights with sum 1, NULL where all are equal. */
static PetscErrorCode gather_time(
  const fare_sampler *sampler, const fare_ensemble *e, fare_posterior *p, int k)
{
  double sum = 0;

  PetscFunctionBeginUser;
  p->members[k] = e->count;
  for (int axis = 0; axis < p->dim; axis++) {
    PetscCall(gather(sampler->comm, e->local, e->count, e->x[axis], &p->given[axis][k]));
    fare_generative_wrap(sampler, axis, e->count, p->given[axis][k]);
  }
  if (!e->weight) PetscFunctionReturn(0);
  PetscCall(gather(sampler->comm, e->local, e->count, e->weight, &p->given_weight[k]));
  for (int64_t i = 0; i < e->count; i++) sum += p->given_weight[k][i];
  for (int64_t i = 0; i < e->count; i++) p->given_weight[k][i] /= sum;
  PetscFunctionReturn(0);
}

static double share_of(const fare_posterior *p, int k, int64_t i)
{
  return p->given_weight[k] ? p->given_weight[k][i] : 1. / (double)p->members[k];
}

/* The mean over all times of a power of what an axis has from a place on. */
static double moment(const fare_posterior *p, int axis, double about, int power)
{
  double sum = 0;

  for (int k = 0; k < p->times; k++) {
    for (int64_t i = 0; i < p->members[k]; i++)
      sum += share_of(p, k, i) * pow(p->given[axis][k][i] - about, power);
  }
  return sum / p->times;
}

/*
  Mean and sd as a lesson has them, but of all particles in their order, so that they are the same on any
  number of ranks.
*/
static PetscErrorCode scale_times(const fare_sampler *sampler, fare_posterior *p)
{
  fare_generative *g = sampler->state;

  PetscFunctionBeginUser;
  for (int axis = 0; axis < p->dim; axis++) {
    g->mean[axis] = moment(p, axis, 0, 1);
    g->sd[axis]   = sqrt(moment(p, axis, g->mean[axis], 2));
    if (!(isfinite(g->sd[axis]) && g->sd[axis] > 0))
      FARE_FAIL(FARE_ERR_FAILED, "ensemble %s (%s): the training particles do not spread along axis %d",
        sampler->name, sampler->type->name, axis);
    for (int k = 0; k < p->times; k++) {
      for (int64_t i = 0; i < p->members[k]; i++)
        p->given[axis][k][i] = (p->given[axis][k][i] - g->mean[axis]) / g->sd[axis];
    }
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_posterior_train(fare_sampler *sampler, const fare_training_set *data)
{
  fare_generative *g = sampler->state;
  fare_posterior  *p;

  PetscFunctionBeginUser;
  if (sampler->mode == FARE_ORACLE) {
    PetscCall(fare_generative_scale_exact(sampler, data));
  } else {
    PetscCall(create(sampler));
    p = g->posterior;
    PetscCall(create_times(p, data->count));
    for (int k = 0; k < p->times; k++) {
      p->time[k] = data->times[k];
      PetscCall(gather_time(sampler, data->at[k], p, k));
    }
    PetscCall(scale_times(sampler, p));
  }
  g->ready = PETSC_TRUE;
  PetscFunctionReturn(0);
}

static PetscErrorCode resize(fare_posterior *p, int64_t count)
{
  PetscFunctionBeginUser;
  p->count = count;
  for (int axis = 0; axis < p->dim; axis++) {
    PetscCall(PetscFree(p->x[axis]));
    PetscCall(PetscMalloc1((size_t)count, &p->x[axis]));
  }
  PetscCall(PetscFree(p->weight));
  PetscCall(PetscMalloc1((size_t)count, &p->weight));
  PetscFunctionReturn(0);
}

static PetscErrorCode begin_cells(fare_posterior *p, double t)
{
  const fare_generative *g    = p->sampler->state;
  const fare_grid       *grid = p->sampler->exact->grid;
  const PetscInt64       k    = fare_densities_find(p->sampler->exact, t);

  PetscFunctionBeginUser;
  if (k < 0)
    FARE_FAIL(FARE_ERR_FAILED, "ensemble %s (%s): there is no exact density at time %g", p->sampler->name,
      p->sampler->type->name, t);
  p->cells = PETSC_TRUE;
  PetscCall(resize(p, (int64_t)grid->cells[0] * grid->cells[1] * grid->cells[2]));
  for (int axis = 0; axis < p->dim; axis++) {
    p->extent[axis]  = (int)grid->cells[axis];
    p->spacing[axis] = grid->spacing[axis] / g->sd[axis];
    p->lower[axis]   = (fare_grid_centre(grid, axis, 0) - g->mean[axis]) / g->sd[axis];
    p->upper[axis]   = (fare_grid_centre(grid, axis, grid->cells[axis] - 1) - g->mean[axis]) / g->sd[axis];
  }
  for (int64_t i = 0; i < p->count; i++) {
    int64_t rest = i;

    p->weight[i] = p->sampler->exact->masses[k][i];
    for (int axis = 0; axis < p->dim; axis++) {
      p->x[axis][i] = p->lower[axis] + p->spacing[axis] * (double)(rest % p->extent[axis]);
      rest /= p->extent[axis];
    }
  }
  PetscFunctionReturn(0);
}

static void add_time(fare_posterior *p, int k, double share, int64_t at)
{
  for (int64_t i = 0; i < p->members[k]; i++) {
    for (int axis = 0; axis < p->dim; axis++) p->x[axis][at + i] = p->given[axis][k][i];
    p->weight[at + i] = share * share_of(p, k, i);
  }
}

static PetscErrorCode begin_particles(fare_posterior *p, double t)
{
  const double same = 1e-9 * (p->sampler->schedule.end - p->sampler->schedule.start);
  int          k    = 0;
  double       later;

  PetscFunctionBeginUser;
  while (k + 1 < p->times && p->time[k + 1] <= t + same) k++;
  later = k + 1 < p->times && t > p->time[k] + same ? (t - p->time[k]) / (p->time[k + 1] - p->time[k]) : 0;
  PetscCall(resize(p, p->members[k] + (later > 0 ? p->members[k + 1] : 0)));
  add_time(p, k, 1 - later, 0);
  if (later > 0) add_time(p, k + 1, later, p->members[k]);
  for (int axis = 0; axis < p->dim; axis++) {
    p->lower[axis] = p->upper[axis] = p->x[axis][0];
    for (int64_t i = 0; i < p->count; i++) {
      p->lower[axis] = PetscMin(p->lower[axis], p->x[axis][i]);
      p->upper[axis] = PetscMax(p->upper[axis], p->x[axis][i]);
    }
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_posterior_begin(fare_sampler *sampler, int augmented, double t)
{
  fare_generative *g = sampler->state;

  PetscFunctionBeginUser;
  if (!g->posterior) PetscCall(create(sampler));
  g->posterior->augmented = augmented;
  g->posterior->level     = 0;
  if (sampler->mode == FARE_ORACLE)
    PetscCall(begin_cells(g->posterior, t));
  else
    PetscCall(begin_particles(g->posterior, t));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_posterior_level(fare_posterior *p, double sigma)
{
  PetscFunctionBeginUser;
  if (sigma == p->level) PetscFunctionReturn(0);
  p->level    = sigma;
  p->by_table = fare_posterior_table_serves(p, sigma);
  if (p->by_table)
    PetscCall(fare_posterior_table_make(p, sigma));
  else
    PetscCall(fare_posterior_boxes_make(p, sigma));
  PetscFunctionReturn(0);
}

void fare_posterior_mean(const fare_posterior *p, const fare_place y, fare_place mean)
{
  if (p->by_table)
    fare_posterior_lookup(&p->table, y, mean);
  else
    fare_posterior_sum(&p->boxes, y, mean);
}

PetscErrorCode fare_posterior_destroy(fare_posterior **posterior)
{
  fare_posterior *p = *posterior;

  PetscFunctionBeginUser;
  if (!p) PetscFunctionReturn(0);
  for (int axis = 0; axis < FARE_DIM_MAX; axis++) {
    for (int k = 0; p->given[axis] && k < p->times; k++) PetscCall(PetscFree(p->given[axis][k]));
    PetscCall(PetscFree(p->given[axis]));
    PetscCall(PetscFree(p->x[axis]));
  }
  for (int k = 0; p->given_weight && k < p->times; k++) PetscCall(PetscFree(p->given_weight[k]));
  PetscCall(PetscFree3(p->time, p->members, p->given_weight));
  PetscCall(PetscFree(p->weight));
  PetscCall(fare_posterior_table_free(&p->table));
  PetscCall(fare_posterior_boxes_free(&p->boxes));
  PetscCall(PetscFree(*posterior));
  PetscFunctionReturn(0);
}

/* One array that rank 0 writes and every rank reads whole. */
static PetscErrorCode put(MPI_Comm comm, fare_store *to, const char *group, const char *name,
  fare_store_type type, int64_t n, const void *values)
{
  const uint64_t global = (uint64_t)n, start = 0;
  uint64_t       count;
  char           path[512];
  int            rank;

  PetscFunctionBeginUser;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  count = rank ? 0 : global;
  snprintf(path, sizeof path, "%s/%s", group, name);
  PetscCall(fare_store_write(to, path, type, 1, &global, &start, &count, values));
  PetscFunctionReturn(0);
}

static PetscErrorCode get(
  fare_store *from, const char *group, const char *name, fare_store_type type, int64_t n, void *values)
{
  const uint64_t start = 0, count = (uint64_t)n;
  char           path[512];

  PetscFunctionBeginUser;
  snprintf(path, sizeof path, "%s/%s", group, name);
  PetscCall(fare_store_read(from, path, type, 1, &start, &count, values));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_posterior_save(const fare_posterior *p, fare_store *to, const char *group)
{
  MPI_Comm comm = p->sampler->comm;
  char     name[64];

  PetscFunctionBeginUser;
  PetscCall(fare_store_group(to, group));
  PetscCall(fare_store_put_int(to, group, "times", p->times));
  PetscCall(put(comm, to, group, "time", FARE_STORE_FLOAT64, p->times, p->time));
  PetscCall(put(comm, to, group, "members", FARE_STORE_INT64, p->times, p->members));
  for (int k = 0; k < p->times; k++) {
    for (int axis = 0; axis < p->dim; axis++) {
      snprintf(name, sizeof name, "x_%d_%d", k, axis);
      PetscCall(put(comm, to, group, name, FARE_STORE_FLOAT64, p->members[k], p->given[axis][k]));
    }
    snprintf(name, sizeof name, "weighted_%d", k);
    PetscCall(fare_store_put_int(to, group, name, p->given_weight[k] != NULL));
    snprintf(name, sizeof name, "weight_%d", k);
    if (p->given_weight[k])
      PetscCall(put(comm, to, group, name, FARE_STORE_FLOAT64, p->members[k], p->given_weight[k]));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_posterior_load(fare_sampler *sampler, fare_store *from, const char *group)
{
  fare_posterior *p;
  int64_t         times, weighted;
  char            name[64];

  PetscFunctionBeginUser;
  PetscCall(create(sampler));
  p = ((fare_generative *)sampler->state)->posterior;
  PetscCall(fare_store_get_int(from, group, "times", &times));
  PetscCall(create_times(p, (int)times));
  PetscCall(get(from, group, "time", FARE_STORE_FLOAT64, times, p->time));
  PetscCall(get(from, group, "members", FARE_STORE_INT64, times, p->members));
  for (int k = 0; k < p->times; k++) {
    for (int axis = 0; axis < p->dim; axis++) {
      PetscCall(PetscMalloc1((size_t)p->members[k], &p->given[axis][k]));
      snprintf(name, sizeof name, "x_%d_%d", k, axis);
      PetscCall(get(from, group, name, FARE_STORE_FLOAT64, p->members[k], p->given[axis][k]));
    }
    snprintf(name, sizeof name, "weighted_%d", k);
    PetscCall(fare_store_get_int(from, group, name, &weighted));
    if (!weighted) continue;
    PetscCall(PetscMalloc1((size_t)p->members[k], &p->given_weight[k]));
    snprintf(name, sizeof name, "weight_%d", k);
    PetscCall(get(from, group, name, FARE_STORE_FLOAT64, p->members[k], p->given_weight[k]));
  }
  PetscFunctionReturn(0);
}

/* The place of a datum among the cells that this rank owns, -1 where it is not among them. */
static PetscInt owned_cell(const fare_posterior *p, const fare_grid *grid, int64_t i)
{
  const fare_generative *g  = p->sampler->state;
  PetscInt               at = 0;

  for (int axis = p->dim - 1; axis >= 0; axis--) {
    const double   x    = g->mean[axis] + g->sd[axis] * p->x[axis][i];
    const PetscInt cell = (PetscInt)floor((x - grid->lower[axis]) / grid->spacing[axis]) - grid->start[axis];

    if (cell < 0 || cell >= grid->count[axis]) return -1;
    at = at * grid->count[axis] + cell;
  }
  return at;
}

PetscErrorCode fare_posterior_masses(const fare_posterior *p, const fare_grid *grid, Vec *masses)
{
  PetscScalar *mass;

  PetscFunctionBeginUser;
  PetscCall(DMCreateGlobalVector(grid->dm, masses));
  PetscCall(VecGetArray(*masses, &mass));
  for (int64_t i = 0; i < p->count; i++) {
    const PetscInt at = owned_cell(p, grid, i);

    if (at >= 0) mass[at] += p->weight[i];
  }
  PetscCall(VecRestoreArray(*masses, &mass));
  PetscFunctionReturn(0);
}
