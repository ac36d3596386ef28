/* SPDX-License-Identifier: BSD-2-Clause */
/* Rows to learn from, whichever rank holds them. */
#ifndef FARE_LEARN_ROWS_H
#define FARE_LEARN_ROWS_H

#include <fare/learn.h>

/* Three groups of different size; the first rank of several has no rows at all. */
#define GROUPS 3
static const int64_t counts[GROUPS] = {700, 1500, 40};
static double        value[GROUPS][2][1500], weights[GROUPS][1500];

static inline void fill_rows(
  MPI_Comm comm, PetscBool weighted, fare_learn_rows **rows, double mean[], double sd[])
{
  fare_random random = {.stream = fare_stream_make(9, "rows")};
  int         rank, size;

  MPI_Comm_rank(comm, &rank);
  MPI_Comm_size(comm, &size);
  assert_ok(fare_learn_rows_create(comm, 2, GROUPS, rows));
  for (int g = 0; g < GROUPS; g++) {
    const int     holders = size > 1 ? size - 1 : 1, holder = size > 1 ? rank - 1 : 0;
    const int64_t first = holder < 0 ? 0 : counts[g] * holder / holders,
                  last  = holder < 0 ? 0 : counts[g] * (holder + 1) / holders;
    const double *x[]   = {value[g][0] + first, value[g][1] + first};

    for (int64_t i = 0; i < counts[g]; i++) {
      value[g][0][i] = 5 + g + fare_random_normal(&random);
      value[g][1][i] = 0.1 * fare_random_normal(&random);
      weights[g][i]  = 1 + 10 * fare_random_uniform(&random);
    }
    fare_learn_rows_set(*rows, g, counts[g], first, last - first, x, weighted ? weights[g] + first : NULL);
  }
  assert_ok(fare_learn_rows_standardise(*rows, mean, sd));
}

#endif
