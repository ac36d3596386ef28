/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside study: what the parts of reading and writing a plan share. */
#ifndef FARE_PLAN_PRIVATE_H
#define FARE_PLAN_PRIVATE_H

#include <fare/study.h>

typedef struct {
  char *directory;
} fare_plan_output;

extern const fare_field fare_plan_fields[], fare_plan_output_fields[];

/* A section of a study file that one table of fields reads into a struct of the plan. */
typedef struct {
  const char       *key; /* NULL ends the list */
  const fare_field *fields;
  size_t            options; /* offset of the struct in fare_plan ... */
  size_t            given;   /* ... and of the PetscBool that tells whether it was given; 0: always there */
} fare_plan_section;
extern const fare_plan_section fare_plan_sections[];
/*
  The struct of a section, or NULL where the plan has no such section; and its table, which the section
  `truth` has of its kind. Beside that table's keys `more` may stand.
*/
const void       *fare_plan_options(const fare_plan *plan, const fare_plan_section *section);
const fare_field *fare_plan_table(
  const fare_plan *plan, const fare_plan_section *section, const fare_field **more);

/*
  fare_plan_read with what a point of a sweep sets behind the assignments; origin[i] (see
  fare_config_set_from) says where in the sweep its i-th key stands.
*/
PetscErrorCode fare_plan_read_point(MPI_Comm comm, const char *path, size_t count,
  const char *const assignments[], const fare_swept *swept, const fare_text origin[], fare_plan **plan);

void fare_swept_free(fare_swept *swept);

/* A mistake that was found without its place in the file, at the node that it comes from. */
static inline PetscErrorCode fare_plan_error(const fare_node *node, PetscErrorCode code)
{
  return code == FARE_ERR_INPUT ? fare_node_error(node, "%s", fare_error_message()) : code;
}

/* Bytes of all snapshots of a plan. */
double fare_plan_disk(const fare_plan *plan);

/* Where the keys of an ensemble stand: its own, and beside or below them those of its method. */
typedef struct {
  const fare_field *own, *own_more; /* the table of its own keys, and what else may stand beside them */
  const fare_node  *node;           /* where the method's keys stand ... */
  const fare_field *node_more;      /* ... and what else may stand there */
} fare_method_keys;
/* Those of a line of `ensembles`; `node` may be NULL. */
fare_method_keys fare_plan_method_keys(const fare_sampler_type *type, const fare_node *node);
/* Whether a method is `sampler: {python: ...}`, whose keys stand in that map. */
PetscBool fare_plan_is_python(const fare_sampler_type *type);

/* Whether `ensemble` learns from simulated particles; whether from the same as another that does. */
PetscBool fare_training_is_simulated(const fare_plan_ensemble *ensemble);
PetscBool fare_training_is_shared(const fare_training_options *a, const fare_training_options *b);

/*
  The list `ensembles`, or nothing where it is NULL. What was read so far is freed by fare_plan_free_ensembles
  whatever happens.
*/
PetscErrorCode fare_plan_read_ensembles(fare_plan *plan, const fare_node *list);
void           fare_plan_free_ensembles(fare_plan *plan);

/* Whether what an ensemble's learned density says of the dynamics is asked for, and it has one. */
PetscBool fare_plan_has_motion(const fare_plan *plan, const fare_plan_ensemble *ensemble);

#endif
