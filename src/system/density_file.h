/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside system: a density on equal cells, read from a snapshot. */
#ifndef FARE_DENSITY_FILE_H
#define FARE_DENSITY_FILE_H

#include <fare/system.h>

/* A density on cells. */
typedef struct fare_density_file fare_density_file;

/*
  The mesh `density` of a snapshot; every rank reads for itself. FARE_ERR_INPUT at `node` where the file is
  none, or of another dimension.
*/
PetscErrorCode fare_density_file_read(
  const fare_node *node, const char *file, int dim, fare_density_file **saved);
void fare_density_file_destroy(fare_density_file **saved);
/* Its cells: how many along each axis, where the first begins, and how wide each is. */
void fare_density_file_cells(
  const fare_density_file *saved, int64_t cells[], double lower[], double spacing[]);
/*
  ln of the density of the cell that each point lies in; -infinity outside and where the density is not
  positive.
*/
void fare_density_file_log_density(
  const fare_density_file *saved, size_t n, const double *const x[], double log_density[]);

#endif
