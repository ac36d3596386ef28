/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside infer: the section of a plan. */
#ifndef FARE_INFER_OPTIONS_H
#define FARE_INFER_OPTIONS_H

#include "infer.h"

#define FARE_INFER_METHODS 32 /* of one line */

/* A line of `infer:`. */
typedef struct {
  char                  *name, *file;
  const fare_node       *node, *parameters, *method;
  fare_reals             lag;
  fare_integers          cells;
  PetscInt64             tracks, transitions, repeats, features, folds, bins;
  double                 settle, dt, noise, epsilon;
  int                    intervals, first, design;
  PetscInt64             particles;
  fare_reals             times, others;
  const fare_node       *starts, *posterior, *potential;
  fare_potential        *sought; /* the potential of that key; NULL: none */
  fare_posterior         asked;
  PetscBool              limits, unpaired;
  int                    count; /* of parameters */
  const char            *parameter[FARE_INFER_MAX];
  double                 guess[FARE_INFER_MAX];
  size_t                 methods;
  const fare_infer_type *type[FARE_INFER_METHODS];
} fare_infer_line;

struct fare_infer {
  fare_infer_study study;
  char            *file; /* in place of those of the lines; NULL: none */
  size_t           lines;
  fare_infer_line *line;
};

/* What methods work with, but for the method. */
fare_infer_context fare_infer_context_of(
  const fare_infer *infer, const fare_infer_line *line, MPI_Comm comm, double lag);
/* Whether a line's data are made here, so that what is sought is known. */
PetscBool fare_infer_is_simulated(const fare_infer *infer, const fare_infer_line *line);
/* Whether a line asks about a design, without data. */
PetscBool fare_infer_is_design(const fare_infer_line *line);
/* What cannot be asked of a line's data, which the command line may have given. */
PetscErrorCode fare_infer_check_data(const fare_infer *infer, const fare_infer_line *line);

extern const fare_field fare_potential_fields[]; /* keys of `potential` */
/* The key `potential` of a line; what may be sought beside one; and its knots, behind all that is. */
PetscErrorCode fare_potential_read(const fare_infer_study *study, fare_infer_line *line);
PetscErrorCode fare_potential_check_beside(
  const fare_node *at, const char *name, const fare_infer_line *line);
void fare_potential_add_knots(fare_infer_line *line);

#endif
