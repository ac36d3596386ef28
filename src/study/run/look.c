/* SPDX-License-Identifier: BSD-2-Clause */
/* How far a study has come, told by what lies in its directory. */
#include "study.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

const char *const fare_study_state_names[] = {
  [FARE_STUDY_MISSING]    = "missing",
  [FARE_STUDY_UNFINISHED] = "unfinished",
  [FARE_STUDY_FAILED]     = "failed",
  [FARE_STUDY_DONE]       = "done",
  [FARE_STUDY_OTHER]      = "other",
};

/*
  How the plan in a file relates to this one. A file that cannot be read holds nothing that counts: it is
  taken for the beginning of this study.
*/
static fare_plan_relation relate(const fare_plan *plan, const char *path)
{
  fare_plan_relation relation = FARE_PLAN_EXTENDED;
  fare_store        *store;
  fare_text          found = {0};

  if (fare_store_open(PETSC_COMM_SELF, path, &store)) return relation;
  if (!fare_store_read_text(store, "/plan", &found) && found.text &&
    fare_plan_compare(plan, found.text, &relation))
    relation = FARE_PLAN_OTHER;
  fare_text_free(&found);
  (void)fare_store_close(&store);
  return relation;
}

static PetscBool read_failure(const fare_plan *plan, size_t size, char why[])
{
  char  path[PETSC_MAX_PATH_LEN + 16];
  FILE *file;

  snprintf(path, sizeof path, "%s/failure.txt", plan->directory);
  file = fopen(path, "r");
  if (!file) return PETSC_FALSE;
  if (!fgets(why, (int)size, file)) *why = '\0';
  why[strcspn(why, "\n")] = '\0';
  fclose(file);
  return PETSC_TRUE;
}

fare_study_state fare_study_look(const fare_plan *plan, size_t size, char why[])
{
  fare_plan_relation relation = FARE_PLAN_EXTENDED;
  char               path[PETSC_MAX_PATH_LEN + 128];

  *why = '\0';
  if (access(plan->directory, F_OK)) return FARE_STUDY_MISSING;
  snprintf(path, sizeof path, "%s/study.h5", plan->directory);
  if (!access(path, R_OK))
    relation = relate(plan, path);
  else if (fare_checkpoint_find(plan->directory, sizeof path, path))
    relation = relate(plan, path) == FARE_PLAN_OTHER ? FARE_PLAN_OTHER : relation;
  if (relation == FARE_PLAN_SAME) return FARE_STUDY_DONE;
  if (relation == FARE_PLAN_OTHER) {
    snprintf(why, size, "%s", fare_error_message());
    return FARE_STUDY_OTHER;
  }
  return read_failure(plan, size, why) ? FARE_STUDY_FAILED : FARE_STUDY_UNFINISHED;
}
