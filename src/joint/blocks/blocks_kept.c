/* SPDX-License-Identifier: BSD-2-Clause */
/* The truths of a product in a checkpoint: numbers and vectors of each, as boxes of their whole grids. */
#include "blocks.h"

#include <stdio.h>

#define PATH_SIZE 512

/* The vectors of a part of a truth, written to `to` or, where that is NULL, read. */
static PetscErrorCode move_vectors(
  const fare_truth *truth, int part, fare_store *to, fare_store *from, const char *group, int source)
{
  const fare_grid *grid;
  Vec              vector[FARE_TRUTH_VECTORS];
  char             path[PATH_SIZE];
  int              vectors;

  PetscFunctionBegin;
  fare_truth_part(truth, part, &grid, &vectors, vector);
  for (int v = 0; v < vectors; v++) {
    PetscScalar *values;

    snprintf(path, sizeof path, "%s/%d/%d/vector_%d", group, source, part, v);
    PetscCall(VecGetArray(vector[v], &values));
    PetscCall(to ? fare_grid_write(grid, values, to, path) : fare_grid_read(grid, values, from, path));
    PetscCall(VecRestoreArray(vector[v], &values));
  }
  PetscFunctionReturn(0);
}

static const char *numbers_of(const char *group, int source, int part, char path[PATH_SIZE])
{
  snprintf(path, PATH_SIZE, "%s/%d/%d/numbers", group, source, part);
  return path;
}

static PetscErrorCode save(const void *object, fare_store *to, const char *group)
{
  const fare_blocks *all   = object;
  const uint64_t     count = FARE_TRUTH_NUMBERS;
  char               path[PATH_SIZE];

  PetscFunctionBegin;
  PetscCall(fare_store_group(to, group));
  for (int s = 0; s < all->sources; s++) {
    fare_truth *truth = all->source[s].truth;

    for (int part = 0; part < fare_truth_parts(truth); part++) {
      double numbers[FARE_TRUTH_NUMBERS];

      PetscCall(fare_truth_save(truth, part, numbers));
      PetscCall(
        fare_store_write_array(to, numbers_of(group, s, part, path), FARE_STORE_FLOAT64, 1, &count, numbers));
      PetscCall(move_vectors(truth, part, to, NULL, group, s));
    }
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode load(void **object, void *context, fare_store *from, const char *group)
{
  const fare_blocks *all   = *object;
  const uint64_t     count = FARE_TRUTH_NUMBERS;
  char               path[PATH_SIZE];

  PetscFunctionBegin;
  (void)context;
  for (int s = 0; s < all->sources; s++) {
    fare_truth *truth = all->source[s].truth;

    for (int part = 0; part < fare_truth_parts(truth); part++)
      PetscCall(move_vectors(truth, part, NULL, from, group, s));
    for (int part = 0; part < fare_truth_parts(truth); part++) {
      double numbers[FARE_TRUTH_NUMBERS];

      PetscCall(fare_store_read_array(
        from, numbers_of(group, s, part, path), FARE_STORE_FLOAT64, 1, &count, numbers));
      PetscCall(fare_truth_load(truth, part, numbers));
    }
  }
  PetscFunctionReturn(0);
}

const fare_kept_type fare_blocks_kept = {save, load};
