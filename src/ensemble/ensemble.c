/* SPDX-License-Identifier: BSD-2-Clause */
#include <fare/ensemble.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ALIGNMENT 64

static PetscErrorCode allocate(int64_t n, double **array)
{
  const size_t bytes = (size_t)PetscMax(n, 1) * sizeof(double);

  PetscFunctionBegin;
  *array = aligned_alloc(ALIGNMENT, (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
  if (!*array) FARE_FAIL(FARE_ERR_FAILED, "out of memory for %lld particles on this rank", (long long)n);
  memset(*array, 0, bytes);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_ensemble_create(MPI_Comm comm, int dim, int64_t count, fare_ensemble **ensemble)
{
  const int64_t  all = (count + FARE_BLOCK - 1) / FARE_BLOCK;
  fare_ensemble *e;
  PetscErrorCode code = 0;
  int            rank, size;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCallMPI(MPI_Comm_size(comm, &size));
  PetscCall(PetscNew(&e));
  e->comm        = comm;
  e->dim         = dim;
  e->count       = count;
  e->first_block = all * rank / size;
  e->blocks      = all * (rank + 1) / size - e->first_block;
  e->local       = PetscMax(0, PetscMin(count - e->first_block * FARE_BLOCK, e->blocks * FARE_BLOCK));
  for (int axis = 0; axis < dim && !code; axis++) code = allocate(e->blocks * FARE_BLOCK, &e->x[axis]);
  code = fare_error_agree(comm, code);
  if (code) PetscCall(fare_ensemble_destroy(&e));
  *ensemble = e;
  PetscFunctionReturn(code);
}

PetscErrorCode fare_ensemble_destroy(fare_ensemble **ensemble)
{
  PetscFunctionBegin;
  if (!*ensemble) PetscFunctionReturn(0);
  for (int axis = 0; axis < (*ensemble)->dim; axis++) free((*ensemble)->x[axis]);
  free((*ensemble)->weight);
  PetscCall(PetscFree(*ensemble));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_ensemble_copy(const fare_ensemble *from, fare_ensemble *to)
{
  const size_t bytes = (size_t)(from->blocks * FARE_BLOCK) * sizeof(double);

  PetscFunctionBegin;
  if (from->count != to->count || from->dim != to->dim || from->blocks != to->blocks)
    FARE_FAIL(FARE_ERR_FAILED, "ensembles of different shape cannot be copied");
  for (int axis = 0; axis < from->dim; axis++) memcpy(to->x[axis], from->x[axis], bytes);
  if (from->weight) {
    if (!to->weight) PetscCall(allocate(from->blocks * FARE_BLOCK, &to->weight));
    memcpy(to->weight, from->weight, bytes);
  }
  to->time = from->time;
  PetscFunctionReturn(0);
}

PetscErrorCode fare_ensemble_weigh(fare_ensemble *ensemble)
{
  PetscFunctionBegin;
  if (ensemble->weight) PetscFunctionReturn(0);
  PetscCall(allocate(ensemble->blocks * FARE_BLOCK, &ensemble->weight));
  for (int64_t i = 0; i < ensemble->blocks * FARE_BLOCK; i++) ensemble->weight[i] = 1;
  PetscFunctionReturn(0);
}

PetscErrorCode fare_ensemble_gather(
  const fare_ensemble *ensemble, int64_t count, const double mine[], double all[])
{
  int ranks, local = (int)count, *counts, *starts;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(ensemble->comm, &ranks));
  PetscCall(PetscMalloc2(ranks, &counts, ranks, &starts));
  PetscCallMPI(MPI_Allgather(&local, 1, MPI_INT, counts, 1, MPI_INT, ensemble->comm));
  for (int r = 0, at = 0; r < ranks; at += counts[r++]) starts[r] = at;
  PetscCallMPI(MPI_Allgatherv(mine, local, MPI_DOUBLE, all, counts, starts, MPI_DOUBLE, ensemble->comm));
  PetscCall(PetscFree2(counts, starts));
  PetscFunctionReturn(0);
}

size_t fare_ensemble_bytes(int dim)
{
  return (size_t)dim * sizeof(double);
}

PetscErrorCode fare_ensemble_units(const fare_ensemble *ensemble, fare_weight_units *of)
{
  int bits = 0;

  PetscFunctionBegin;
  *of = (fare_weight_units){1, 1};
  if (!ensemble->weight) PetscFunctionReturn(0);
  of->largest = 0;
  for (int64_t i = 0; i < ensemble->local; i++) of->largest = PetscMax(of->largest, ensemble->weight[i]);
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &of->largest, 1, MPI_DOUBLE, MPI_MAX, ensemble->comm));
  if (!(of->largest > 0))
    FARE_FAIL(FARE_ERR_FAILED, "no particle has a positive weight at time %g", ensemble->time);
  while (ensemble->count >> bits) bits++;
  of->units = ldexp(1, PetscMin(62 - bits, 52));
  PetscFunctionReturn(0);
}

static uint64_t hash(uint64_t h, uint64_t value)
{
  h = (h ^ value) * 0x9FB21C651E98DF25u;
  return h ^ h >> 32;
}

static uint64_t bits_of(double value)
{
  uint64_t bits;

  memcpy(&bits, &value, sizeof bits);
  return bits;
}

PetscErrorCode fare_ensemble_checksum(const fare_ensemble *ensemble, uint64_t *sum)
{
  uint64_t mine = 0;

  PetscFunctionBegin;
  for (int64_t i = 0; i < ensemble->local; i++) {
    uint64_t h = hash(0, (uint64_t)(ensemble->first_block * FARE_BLOCK + i));

    for (int axis = 0; axis < ensemble->dim; axis++) h = hash(h, bits_of(ensemble->x[axis][i]));
    if (ensemble->weight) h = hash(h, bits_of(ensemble->weight[i]));
    mine += h; /* a sum of hashes: the order of particles does not matter, their ids do */
  }
  PetscCallMPI(MPI_Allreduce(&mine, sum, 1, MPI_UINT64_T, MPI_SUM, ensemble->comm));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_ensemble_is_valid(const fare_ensemble *ensemble)
{
  PetscErrorCode code = 0;
  int            rank;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(ensemble->comm, &rank));
  for (int64_t i = 0; i < ensemble->local && !code; i++) {
    for (int axis = 0; axis < ensemble->dim && !code; axis++) {
      if (!isfinite(ensemble->x[axis][i])) {
        code = fare_error(FARE_ERR_FAILED, "particle %lld on rank %d is not finite at time %g (axis %d: %g)",
          (long long)(ensemble->first_block * FARE_BLOCK + i), rank, ensemble->time, axis,
          ensemble->x[axis][i]);
      }
    }
    if (!code && ensemble->weight && !(ensemble->weight[i] >= 0 && isfinite(ensemble->weight[i]))) {
      code = fare_error(FARE_ERR_FAILED, "particle %lld on rank %d has weight %g at time %g",
        (long long)(ensemble->first_block * FARE_BLOCK + i), rank, ensemble->weight[i], ensemble->time);
    }
  }
  PetscFunctionReturn(fare_error_agree(ensemble->comm, code));
}

PetscErrorCode fare_ensemble_moments(
  const fare_ensemble *ensemble, double mean[], double variance[], double *effective)
{
  enum { W, W2, FIRST };
  double    sum[FIRST + 2 * FARE_AXES_MAX] = {0}, shift[FARE_AXES_MAX] = {0};
  const int sums = FIRST + 2 * ensemble->dim;

  PetscFunctionBegin;
  /* second moments about the first particle, lest two large numbers cancel */
  if (ensemble->first_block == 0 && ensemble->local > 0) {
    for (int axis = 0; axis < ensemble->dim; axis++) shift[axis] = ensemble->x[axis][0];
  }
  PetscCallMPI(MPI_Bcast(shift, ensemble->dim, MPI_DOUBLE, 0, ensemble->comm));
  for (int64_t i = 0; i < ensemble->local; i++) {
    const double w = ensemble->weight ? ensemble->weight[i] : 1;

    sum[W] += w;
    sum[W2] += w * w;
    for (int axis = 0; axis < ensemble->dim; axis++) {
      const double d = ensemble->x[axis][i] - shift[axis];

      sum[FIRST + 2 * axis] += w * d;
      sum[FIRST + 2 * axis + 1] += w * d * d;
    }
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, sum, sums, MPI_DOUBLE, MPI_SUM, ensemble->comm));
  for (int axis = 0; axis < ensemble->dim; axis++) {
    const double d = sum[FIRST + 2 * axis] / sum[W];

    mean[axis]     = shift[axis] + d;
    variance[axis] = sum[FIRST + 2 * axis + 1] / sum[W] - d * d;
  }
  *effective = sum[W] * sum[W] / sum[W2];
  PetscFunctionReturn(0);
}
