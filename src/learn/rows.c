/* SPDX-License-Identifier: BSD-2-Clause */
/*
  What is learned from, and batches of it: counter-based, so that a batch is the same whichever rank holds
  which row.
*/
#include <fare/learn.h>

#include <math.h>

typedef struct {
  int64_t       count, first, local;
  const double *given[FARE_AXES_MAX], *given_weight; /* borrowed until they are copied */
  /* weights have mean 1 over the group; NULL where all are equal */
  float *x[FARE_AXES_MAX], *weight;
} group;

struct fare_learn_rows {
  MPI_Comm comm;
  int      dim, groups;
  int64_t  period; /* every so-many-th row of a group is held out; 0: none */
  group   *group;
};

PetscErrorCode fare_learn_rows_create(MPI_Comm comm, int dim, int groups, fare_learn_rows **rows)
{
  fare_learn_rows *r;

  PetscFunctionBegin;
  PetscCall(PetscNew(&r));
  *rows     = r;
  r->comm   = comm;
  r->dim    = dim;
  r->groups = groups;
  PetscCall(PetscCalloc1((size_t)groups, &r->group));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_learn_rows_destroy(fare_learn_rows **rows)
{
  fare_learn_rows *r = *rows;

  PetscFunctionBegin;
  if (!r) PetscFunctionReturn(0);
  for (int g = 0; g < r->groups; g++) {
    for (int axis = 0; axis < r->dim; axis++) PetscCall(PetscFree(r->group[g].x[axis]));
    PetscCall(PetscFree(r->group[g].weight));
  }
  PetscCall(PetscFree(r->group));
  PetscCall(PetscFree(*rows));
  PetscFunctionReturn(0);
}

void fare_learn_rows_set(fare_learn_rows *rows, int index, int64_t count, int64_t first, int64_t local,
  const double *const x[], const double weight[])
{
  group *g = &rows->group[index];

  g->count = count;
  g->first = first;
  g->local = local;
  for (int axis = 0; axis < rows->dim; axis++) g->given[axis] = x[axis];
  g->given_weight = weight;
}

void fare_learn_rows_hold_out(fare_learn_rows *rows, double share)
{
  rows->period = share > 0 ? PetscMax(2, (int64_t)llround(1 / share)) : 0;
}

static double weight_of(const group *g, int64_t i)
{
  return g->given_weight ? g->given_weight[i] : 1;
}

/*
  Sums of a group: one of weights and one per axis. No fewer than of a grid's axes, so that the message, and
  with it the order in which ranks are added, is the same in one axis as in three.
*/
static int sums_of(const fare_learn_rows *r)
{
  return 1 + PetscMax(r->dim, FARE_DIM_MAX);
}

/*
  Sums of the weights and of w (x - about)^power in every group, over all ranks: group by group the weights',
  then those of the axes.
*/
static PetscErrorCode sums(const fare_learn_rows *r, const double about[], int power, double all[])
{
  const int count = sums_of(r);

  PetscFunctionBegin;
  PetscCall(PetscArrayzero(all, r->groups * count));
  for (int index = 0; index < r->groups; index++) {
    const group *g   = &r->group[index];
    double      *sum = all + (size_t)index * (size_t)count;

    for (int64_t i = 0; i < g->local; i++) {
      sum[0] += weight_of(g, i);
      for (int axis = 0; axis < r->dim; axis++) {
        const double d = g->given[axis][i] - about[axis];

        sum[1 + axis] += weight_of(g, i) * (power == 2 ? d * d : d);
      }
    }
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, all, r->groups * count, MPI_DOUBLE, MPI_SUM, r->comm));
  PetscFunctionReturn(0);
}

/* Mean over the groups of a group's mean: each has the same say, as in batches. */
static double over_groups(const fare_learn_rows *r, int axis, const double all[])
{
  const int count = sums_of(r);
  double    mean  = 0;

  for (int g = 0; g < r->groups; g++) mean += all[g * count + 1 + axis] / all[g * count] / r->groups;
  return mean;
}

static PetscErrorCode copy(
  fare_learn_rows *r, group *g, double weight_sum, const double mean[], const double sd[])
{
  int weighted = g->given_weight != NULL;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &weighted, 1, MPI_INT, MPI_MAX, r->comm));
  for (int axis = 0; axis < r->dim; axis++) {
    PetscCall(PetscMalloc1((size_t)g->local, &g->x[axis]));
    for (int64_t i = 0; i < g->local; i++)
      g->x[axis][i] = (float)((g->given[axis][i] - mean[axis]) / sd[axis]);
  }
  if (weighted) {
    PetscCall(PetscMalloc1((size_t)g->local, &g->weight));
    for (int64_t i = 0; i < g->local; i++)
      g->weight[i] = (float)(weight_of(g, i) * (double)g->count / weight_sum);
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_learn_rows_standardise(fare_learn_rows *rows, double mean[], double sd[])
{
  double        *sum;
  PetscErrorCode code = 0;

  PetscFunctionBegin;
  for (int g = 0; g < rows->groups; g++) {
    if (rows->group[g].count < 1)
      FARE_FAIL(FARE_ERR_FAILED, "no training particles: group %d of %d is empty", g + 1, rows->groups);
  }
  PetscCall(PetscMalloc1((size_t)(rows->groups * sums_of(rows)), &sum));
  for (int axis = 0; axis < rows->dim; axis++) mean[axis] = 0;
  PetscCall(sums(rows, mean, 1, sum));
  for (int axis = 0; axis < rows->dim; axis++) mean[axis] = over_groups(rows, axis, sum);
  PetscCall(sums(rows, mean, 2, sum));
  for (int axis = 0; axis < rows->dim; axis++) {
    sd[axis] = sqrt(over_groups(rows, axis, sum));
    if (!(isfinite(mean[axis]) && isfinite(sd[axis])))
      code = fare_error(FARE_ERR_FAILED, "some training particles are not finite (axis %d)", axis);
    else if (sd[axis] <= 0)
      code = fare_error(FARE_ERR_FAILED, "all training particles are at the same position %g along axis %d",
        mean[axis], axis);
  }
  for (int g = 0; g < rows->groups && !code; g++)
    PetscCall(copy(rows, &rows->group[g], sum[g * sums_of(rows)], mean, sd));
  PetscCall(PetscFree(sum));
  PetscFunctionReturn(code);
}

PetscErrorCode fare_learn_batch_create(int dim, int64_t size, fare_learn_batch **batch)
{
  fare_learn_batch *b;

  PetscFunctionBegin;
  PetscCall(PetscNew(&b));
  *batch  = b;
  b->size = size;
  PetscCall(PetscMalloc3((size_t)size, &b->number, (size_t)size, &b->group, (size_t)size, &b->weight));
  for (int axis = 0; axis < dim; axis++) PetscCall(PetscMalloc1((size_t)size, &b->x[axis]));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_learn_batch_destroy(fare_learn_batch **batch)
{
  fare_learn_batch *b = *batch;

  PetscFunctionBegin;
  if (!b) PetscFunctionReturn(0);
  PetscCall(PetscFree3(b->number, b->group, b->weight));
  for (int axis = 0; axis < FARE_AXES_MAX; axis++) PetscCall(PetscFree(b->x[axis]));
  PetscCall(PetscFree(*batch));
  PetscFunctionReturn(0);
}

/* The row of a group that u in (0,1) chooses, among those held out or among the others. */
static int64_t choose(const fare_learn_rows *rows, const group *g, PetscBool held_out, double u)
{
  const int64_t kept = rows->period ? g->count / rows->period : 0;
  int64_t       i;

  if (held_out) return (int64_t)(u * (double)kept) * rows->period + rows->period - 1;
  i = (int64_t)(u * (double)(g->count - kept));
  return kept ? i + i / (rows->period - 1) : i;
}

void fare_learn_batch_draw(
  fare_learn_batch *batch, const fare_learn_rows *rows, fare_stream stream, uint64_t step)
{
  const PetscBool held_out = step >= (uint64_t)FARE_LEARN_HELD_OUT ? PETSC_TRUE : PETSC_FALSE;
  double          u[FARE_BLOCK];

  batch->count = 0;
  for (int64_t number = 0; number < batch->size; number++) {
    const int    index = (int)(((uint64_t)number + step) % (uint64_t)rows->groups);
    const group *g     = &rows->group[index];
    int64_t      row;

    if (number % FARE_BLOCK == 0) fare_random_uniforms(stream, (uint64_t)(number / FARE_BLOCK), step, 0, u);
    if (held_out && (!rows->period || g->count < rows->period)) continue;
    row = choose(rows, g, held_out, u[number % FARE_BLOCK]) - g->first;
    if (row < 0 || row >= g->local) continue;
    for (int axis = 0; axis < rows->dim; axis++) batch->x[axis][batch->count] = g->x[axis][row];
    batch->weight[batch->count] = g->weight ? g->weight[row] : 1;
    batch->group[batch->count]  = index;
    batch->number[batch->count] = number;
    batch->count++;
  }
}

void fare_learn_batch_normals(
  const fare_learn_batch *batch, fare_stream stream, uint64_t step, uint32_t draw, float z[])
{
  double  normal[FARE_BLOCK];
  int64_t block = -1;

  for (int64_t i = 0; i < batch->count; i++) {
    if (batch->number[i] / FARE_BLOCK != block) {
      block = batch->number[i] / FARE_BLOCK;
      fare_random_normals(stream, (uint64_t)block, step, draw, normal);
    }
    z[i] = (float)normal[batch->number[i] % FARE_BLOCK];
  }
}
