/* SPDX-License-Identifier: BSD-2-Clause */
/* info: what a result holds, from its files alone. */
#include "fare.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define PATH_SIZE 512

/* What will be printed, once all of it could be read. */
static fare_text shown;

typedef PetscErrorCode visit(fare_store *file, const char *path, const char *name);

/* Calls `each` for everything in a group, in alphabetical order. */
static PetscErrorCode walk(fare_store *file, const char *group, visit *each)
{
  char      name[128], path[PATH_SIZE];
  PetscBool has = PETSC_TRUE;

  PetscFunctionBegin;
  for (size_t i = 0; has; i++) {
    PetscCall(fare_store_child(file, group, i, sizeof name, name, &has));
    snprintf(path, sizeof path, "%.300s/%s", group, name);
    if (has) PetscCall(each(file, path, name));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode print_mesh(fare_store *file, const char *path, const char *name)
{
  uint64_t extent[4];
  int      rank;

  PetscFunctionBegin;
  PetscCall(fare_store_extents(file, path, &rank, extent));
  fare_text_add(&shown, "  mesh      %-20s", name);
  for (int i = 0; i < rank; i++)
    fare_text_add(&shown, "%s%llu", i ? " x " : "", (unsigned long long)extent[i]);
  fare_text_add(&shown, " cells\n");
  PetscFunctionReturn(0);
}

static PetscErrorCode print_species(fare_store *file, const char *path, const char *name)
{
  char      position[PATH_SIZE], component[FARE_COMPONENT_SIZE];
  uint64_t  extent[4] = {0};
  PetscBool has       = PETSC_TRUE, many;
  int       rank, dim = 0;

  PetscFunctionBegin;
  snprintf(position, sizeof position, "%.400s/position/x1", path);
  PetscCall(fare_store_has(file, position, &many));
  while (has && dim < (many ? FARE_AXES_MAX : FARE_DIM_MAX)) {
    fare_record_component(many ? FARE_AXES_MAX : FARE_DIM_MAX, dim, component);
    snprintf(position, sizeof position, "%.400s/position/%s", path, component);
    PetscCall(fare_store_has(file, position, &has));
    if (has) PetscCall(fare_store_extents(file, position, &rank, extent));
    dim += has;
  }
  if (dim)
    fare_text_add(&shown, "  particles %-20s%llu in %d dimension%s\n", name, (unsigned long long)extent[0],
      dim, dim > 1 ? "s" : "");
  PetscFunctionReturn(0);
}

static PetscErrorCode print_snapshot(fare_store *file, const char *path, const char *name)
{
  char   group[PATH_SIZE];
  double time;

  PetscFunctionBegin;
  PetscCall(fare_store_get_real(file, path, "time", &time));
  fare_text_add(&shown, "snapshot %s at time %.10g (openPMD 1.1)\n", name, time);
  snprintf(group, sizeof group, "%.400s/meshes", path);
  PetscCall(walk(file, group, print_mesh));
  snprintf(group, sizeof group, "%.400s/particles", path);
  PetscCall(walk(file, group, print_species));
  PetscFunctionReturn(0);
}

static PetscErrorCode print_ensemble(fare_store *file, const char *path, const char *name)
{
  char    sampler[64];
  int64_t particles;

  PetscFunctionBegin;
  PetscCall(fare_store_get_string(file, path, "sampler", sizeof sampler, sampler));
  PetscCall(fare_store_get_int(file, path, "particles", &particles));
  fare_text_add(&shown, "  ensemble  %-20s%s, %lld particles\n", name, sampler, (long long)particles);
  PetscFunctionReturn(0);
}

static PetscErrorCode print_measure(fare_store *file, const char *path, const char *name)
{
  PetscFunctionBegin;
  (void)file, (void)path;
  fare_text_add(&shown, " %s", name);
  PetscFunctionReturn(0);
}

static PetscErrorCode print_comparison(fare_store *file, const char *path, const char *name)
{
  PetscFunctionBegin;
  fare_text_add(&shown, "  compared  %-19s", name);
  PetscCall(walk(file, path, print_measure));
  fare_text_add(&shown, "\n");
  PetscFunctionReturn(0);
}

static PetscErrorCode print_truth(fare_store *file)
{
  char      system[64], kind[64] = "grid", unresolved[512];
  double    tolerance;
  PetscBool has;

  PetscFunctionBegin;
  PetscCall(fare_store_has(file, "/truth", &has));
  if (!has) PetscFunctionReturn(0);
  PetscCall(fare_store_get_string(file, "/truth", "system", sizeof system, system));
  (void)fare_store_get_string(
    file, "/truth", "kind", sizeof kind, kind); /* earlier versions had grids alone */
  if (strcmp(kind, "grid")) {
    fare_text_add(&shown, "  truth     system %s, kind %s\n", system, kind);
    PetscFunctionReturn(0);
  }
  PetscCall(fare_store_get_real(file, "/truth", "tolerance", &tolerance));
  fare_text_add(&shown, "  truth     system %s, tolerance %g\n", system, tolerance);
  if (!fare_store_get_string(file, "/truth", "unresolved", sizeof unresolved, unresolved) && *unresolved)
    fare_text_add(&shown, "            UNRESOLVED in space: %s\n", unresolved);
  PetscFunctionReturn(0);
}

static PetscErrorCode print_study(fare_store *file)
{
  char     study[128], version[64], date[64];
  uint64_t times[4] = {0};
  int      rank;
  int64_t  ranks;
  double   seconds;

  PetscFunctionBegin;
  PetscCall(fare_store_get_string(file, "/", "study", sizeof study, study));
  PetscCall(fare_store_get_string(file, "/", "softwareVersion", sizeof version, version));
  PetscCall(fare_store_get_string(file, "/provenance", "date", sizeof date, date));
  PetscCall(fare_store_get_int(file, "/provenance", "ranks", &ranks));
  PetscCall(fare_store_get_real(file, "/provenance", "seconds", &seconds));
  PetscCall(fare_store_extents(file, "/snapshots/time", &rank, times));
  fare_text_add(&shown, "study %s: FARE %s, %s, %lld rank%s, %.1f s, %llu snapshots\n", study, version, date,
    (long long)ranks, ranks > 1 ? "s" : "", seconds, (unsigned long long)times[0]);
  PetscCall(print_truth(file));
  PetscCall(walk(file, "/ensembles", print_ensemble));
  PetscCall(walk(file, "/comparisons", print_comparison));
  PetscFunctionReturn(0);
}

/* What `fare export` writes, and `fare score` reads. */
static PetscErrorCode print_samples(fare_store *file)
{
  uint64_t  extent[4] = {0};
  PetscBool weights, density;
  char      study[128], ensemble[128];
  int       rank;

  PetscFunctionBegin;
  PetscCall(fare_store_extents(file, "/samples", &rank, extent));
  PetscCall(fare_store_has(file, "/weights", &weights));
  PetscCall(fare_store_has(file, "/log_density", &density));
  if (rank == 3) {
    fare_text_add(&shown, "samples at %llu times: %llu particles in %llu dimension%s",
      (unsigned long long)extent[0], (unsigned long long)extent[1], (unsigned long long)extent[2],
      extent[2] > 1 ? "s" : "");
  } else { /* in one dimension, or at one time */
    fare_text_add(&shown, "samples:");
    for (int i = 0; i < rank; i++)
      fare_text_add(&shown, "%s %llu", i ? " x" : "", (unsigned long long)extent[i]);
  }
  fare_text_add(&shown, "%s%s\n", weights ? ", with weights" : "", density ? ", with their own density" : "");
  if (!fare_store_get_string(file, "/", "study", sizeof study, study) &&
    !fare_store_get_string(file, "/", "ensemble", sizeof ensemble, ensemble))
    fare_text_add(&shown, "  from      ensemble %s of study %s\n", ensemble, study);
  PetscFunctionReturn(0);
}

static PetscErrorCode print_method(fare_store *file, const char *path, const char *name)
{
  int64_t ready;

  PetscFunctionBegin;
  PetscCall(fare_store_get_int(file, path, "ready", &ready));
  fare_text_add(&shown, "  ensemble  %-20s%s\n", name, ready ? "ready to draw" : "still to be trained");
  PetscFunctionReturn(0);
}

static PetscErrorCode print_checkpoint(fare_store *file)
{
  int64_t next, number;
  char    version[64];

  PetscFunctionBegin;
  PetscCall(fare_store_get_int(file, "/", "number", &number));
  PetscCall(fare_store_get_int(file, "/", "next", &next));
  PetscCall(fare_store_get_string(file, "/", "version", sizeof version, version));
  fare_text_add(&shown, "checkpoint %lld of FARE %s: after %lld snapshots\n", (long long)number, version,
    (long long)next);
  PetscCall(walk(file, "/methods", print_method));
  PetscFunctionReturn(0);
}

static PetscErrorCode print_file(fare_store *file, const char *path)
{
  PetscBool has;

  PetscFunctionBegin;
  PetscCall(fare_store_has(file, "/data", &has));
  if (has) {
    PetscCall(walk(file, "/data", print_snapshot));
    PetscFunctionReturn(0);
  }
  PetscCall(fare_store_has(file, "/samples", &has));
  if (has) {
    PetscCall(print_samples(file));
    PetscFunctionReturn(0);
  }
  PetscCall(fare_store_has(file, "/methods", &has));
  if (has) {
    PetscCall(print_checkpoint(file));
    PetscFunctionReturn(0);
  }
  PetscCall(fare_store_has(file, "/comparisons", &has));
  if (!has)
    FARE_FAIL(
      FARE_ERR_INPUT, "%s: HDF5, but not a study, snapshot, checkpoint or samples file of FARE", path);
  PetscCall(print_study(file));
  PetscFunctionReturn(0);
}

static PetscErrorCode open_and_print(const char *path)
{
  fare_store    *file;
  PetscErrorCode code;

  PetscFunctionBegin;
  code = fare_store_open(PETSC_COMM_SELF, path, &file);
  if (!code) {
    code = print_file(file, path);
    PetscCall(fare_store_close(&file));
  }
  /* the message says what is wrong with the file that was named */
  PetscFunctionReturn(code == FARE_ERR_FAILED ? FARE_ERR_INPUT : code);
}

static PetscErrorCode info_here(const char *path)
{
  char        inside[PETSC_MAX_PATH_LEN];
  struct stat about;

  PetscFunctionBegin;
  if (stat(path, &about)) FARE_FAIL(FARE_ERR_INPUT, "%s: %s", path, strerror(errno));
  if (!S_ISDIR(about.st_mode)) {
    PetscCall(open_and_print(path));
    PetscFunctionReturn(0);
  }
  snprintf(inside, sizeof inside, "%s/study.h5", path);
  if (stat(inside, &about)) FARE_FAIL(FARE_ERR_INPUT, "%s: no finished study (no study.h5)", path);
  PetscCall(open_and_print(inside));
  PetscFunctionReturn(0);
}

static PetscErrorCode info(const fare_arguments *arguments)
{
  PetscErrorCode code = 0;
  int            rank;

  PetscFunctionBegin;
  if (arguments->count != 2 || arguments->argument[1][0] == '-')
    PetscCall(fare_usage(&fare_command_info, "which result?"));
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  if (rank == 0) code = info_here(arguments->argument[1]);
  if (rank == 0 && !code && shown.text) fputs(shown.text, stdout);
  fare_text_free(&shown);
  PetscFunctionReturn(fare_error_agree(PETSC_COMM_WORLD, code));
}

const fare_command fare_command_info = {
  .name     = "info",
  .synopsis = "info DIR|FILE.h5",
  .summary  = "summarises a study's directory or one of its files",
  .help     = "fare info out/prinz_driven\n",
  .run      = info,
};
