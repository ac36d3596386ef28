/* study: the one place that knows all six nouns. Reads a plan, advances truth and ensembles from snapshot to snapshot, records, measures, reports. */
#ifndef FARE_STUDY_H
#define FARE_STUDY_H

#include <fare/measure.h>
#include <fare/record.h>
#include <fare/sampler.h>

/* One line of `ensembles:`. The method's own keys stand in `node`. */
typedef struct {
  char                    *name, *sampler;
  PetscInt64               particles;
  const fare_node         *train, *node;
  const fare_sampler_type *type;
} fare_plan_ensemble;

/* A study as read from its file, checked and with defaults filled in. Owns its config. */
typedef struct fare_plan fare_plan;

/* Reads and checks all of a study file, with `assignments` from --set applied. Collective; errors are FARE_ERR_INPUT on all ranks. */
PetscErrorCode fare_plan_read(MPI_Comm comm, const char *path, size_t count, const char *const assignments[], fare_plan **plan);
PetscErrorCode fare_plan_destroy(fare_plan **plan);
/* The resolved plan as YAML that reads back to the same plan. */
PetscErrorCode fare_plan_write(const fare_plan *plan, fare_text *to);
/* The resolved plan, memory and an estimate of the cost, for `fare check`. */
PetscErrorCode fare_plan_print(const fare_plan *plan, int ranks, FILE *to);
const char *fare_plan_directory(const fare_plan *plan);

/* Runs it whole and prints the table of results on rank 0. Collective. */
PetscErrorCode fare_study_run(MPI_Comm comm, const fare_plan *plan, fare_record_mode mode);

#endif
