/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside study: what the parts of reading and writing a plan share. */
#ifndef FARE_PLAN_PRIVATE_H
#define FARE_PLAN_PRIVATE_H

#include <fare/study.h>

typedef struct {
  char *directory;
} fare_plan_output;

extern const fare_field fare_plan_fields[], fare_plan_output_fields[];

/*
  fare_plan_read with what a point of a sweep sets behind the assignments; origin[i] (see
  fare_config_set_from) says where in the sweep its i-th key stands.
*/
PetscErrorCode fare_plan_read_point(MPI_Comm comm, const char *path, size_t count,
  const char *const assignments[], const fare_swept *swept, const fare_text origin[], fare_plan **plan);

/* The message kept last, at a place of the study that had none yet. */
PetscErrorCode fare_plan_error_at(const fare_node *node);

/*
  The list `ensembles`, or nothing where it is NULL. What was read so far is freed by fare_plan_free_ensembles
  whatever happens.
*/
PetscErrorCode fare_plan_read_ensembles(fare_plan *plan, const fare_node *list);
void           fare_plan_free_ensembles(fare_plan *plan);

#endif
