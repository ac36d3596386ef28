/* Inside study: what the parts of reading and writing a plan share. */
#ifndef FARE_PLAN_PRIVATE_H
#define FARE_PLAN_PRIVATE_H

#include <fare/study.h>

typedef struct {
  char *directory;
} fare_plan_output;

extern const fare_field fare_plan_fields[], fare_plan_output_fields[];

/* The message kept last, at a place of the study that had none yet. */
PetscErrorCode fare_plan_error_at(const fare_node *node);

/*
  The list `ensembles`, or nothing where it is NULL. What was read so far is freed by fare_plan_free_ensembles
  whatever happens.
*/
PetscErrorCode fare_plan_read_ensembles(fare_plan *plan, const fare_node *list);
PetscErrorCode fare_plan_free_ensembles(fare_plan *plan);

#endif
