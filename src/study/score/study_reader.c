/* SPDX-License-Identifier: BSD-2-Clause */
/*
  A finished study read back from its directory: its times, and its truth on bins. Laid out as docs/format.md
  says.
*/
#include "score.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

PetscErrorCode fare_as_input(PetscErrorCode code)
{
  return code == FARE_ERR_FAILED ? FARE_ERR_INPUT : code;
}

PetscErrorCode fare_finished_snapshot(const fare_finished *study, size_t snapshot, fare_store **store)
{
  char path[FARE_SCORE_PATH];

  PetscFunctionBegin;
  snprintf(path, sizeof path, "%s/snapshots/snapshot_%06zu.h5", study->directory, snapshot);
  PetscCall(fare_store_open(study->comm, path, store));
  PetscFunctionReturn(0);
}

static PetscErrorCode read_times(fare_finished *f)
{
  uint64_t extent[4] = {0};
  int      rank;

  PetscFunctionBegin;
  PetscCall(fare_store_extents(f->store, "/snapshots/time", &rank, extent));
  if (rank != 1 || !extent[0])
    FARE_FAIL(FARE_ERR_FAILED, "%s/study.h5: /snapshots/time holds no times", f->directory);
  f->snapshots = (size_t)extent[0];
  PetscCall(PetscCalloc2(f->snapshots, &f->time, f->snapshots, &f->trained));
  PetscCall(fare_store_read_array(f->store, "/snapshots/time", FARE_STORE_FLOAT64, 1, extent, f->time));
  PetscCall(fare_store_read_array(f->store, "/snapshots/trained", FARE_STORE_UINT8, 1, extent, f->trained));
  for (size_t k = 0; k < f->snapshots; k++) f->learned = f->trained[k] ? PETSC_TRUE : f->learned;
  for (size_t k = 0; k < f->snapshots && !f->learned; k++) f->trained[k] = k % 2 == 0;
  PetscFunctionReturn(0);
}

PetscErrorCode fare_finished_plan(const fare_finished *f, fare_config **config)
{
  fare_text      text = {0};
  char           name[FARE_SCORE_PATH];
  PetscErrorCode code;

  PetscFunctionBegin;
  snprintf(name, sizeof name, "%s/study.h5:/plan", f->directory);
  code = fare_store_read_text(f->store, "/plan", &text);
  if (!code) code = fare_config_parse(name, text.text ? text.text : "", text.length, config);
  fare_text_free(&text);
  PetscFunctionReturn(code);
}

static PetscErrorCode read_system(fare_finished *f)
{
  fare_config     *config;
  const fare_node *system, *name;

  PetscFunctionBegin;
  if (f->has_truth)
    PetscFunctionReturn(fare_store_get_string(f->store, "/truth", "system", sizeof f->system, f->system));
  PetscCall(fare_finished_plan(f, &config));
  system = fare_node_find(fare_config_root(config), "system");
  name   = fare_node_find(system, "name");
  if (name && fare_node_kind_of(name) == FARE_NODE_SCALAR)
    snprintf(f->system, sizeof f->system, "%s", fare_node_text(name));
  else
    snprintf(f->system, sizeof f->system, "%s", fare_node_find(system, "plugin") ? "plugin" : "expression");
  fare_config_destroy(&config);
  PetscFunctionReturn(0);
}

/* Earlier versions wrote the dimension with the bins alone, and had truths on grids alone. */
static PetscErrorCode read_shape(fare_finished *f)
{
  PetscBool has;
  int64_t   dim;

  PetscFunctionBegin;
  if (fare_store_get_int(f->store, "/", "dimension", &dim))
    PetscCall(fare_store_get_int(f->store, "/bins", "dimension", &dim));
  if (dim < 1 || dim > FARE_AXES_MAX)
    FARE_FAIL(FARE_ERR_INPUT, "%s/study.h5: a study of %lld dimensions", f->directory, (long long)dim);
  f->dim = (int)dim;
  snprintf(f->kind, sizeof f->kind, "grid");
  PetscCall(fare_store_has(f->store, "/truth", &has));
  if (has) (void)fare_store_get_string(f->store, "/truth", "kind", sizeof f->kind, f->kind);
  f->has_truth = has && !strcmp(f->kind, "grid") ? PETSC_TRUE : PETSC_FALSE;
  PetscFunctionReturn(0);
}

/* What was compared with is then not what snapshots call the truth. */
static PetscErrorCode refuse_condition(const fare_finished *f)
{
  fare_config *config;
  PetscBool    has;

  PetscFunctionBegin;
  PetscCall(fare_finished_plan(f, &config));
  has = fare_node_find(fare_config_root(config), "condition") ? PETSC_TRUE : PETSC_FALSE;
  fare_config_destroy(&config);
  if (has)
    FARE_FAIL(FARE_ERR_INPUT,
      "%s: the study has a 'condition', and scores compare with a truth that has none", f->directory);
  PetscFunctionReturn(0);
}

static PetscErrorCode read_study(fare_finished *f)
{
  char    format[64];
  int64_t finished;

  PetscFunctionBegin;
  PetscCall(fare_store_get_string(f->store, "/", "format", sizeof format, format));
  if (strncmp(format, "fare-study 1.", 13))
    FARE_FAIL(FARE_ERR_INPUT, "%s/study.h5: format '%s' is not that of a FARE study, version 1", f->directory,
      format);
  PetscCall(fare_store_get_string(f->store, "/", "study", sizeof f->study, f->study));
  PetscCall(fare_store_get_int(f->store, "/provenance", "finished", &finished));
  if (!finished) FARE_FAIL(FARE_ERR_INPUT, "%s: the study is unfinished", f->directory);
  PetscCall(fare_store_get_int(f->store, "/provenance", "seed", &f->seed));
  PetscCall(read_shape(f));
  PetscCall(refuse_condition(f));
  PetscCall(read_system(f));
  PetscCall(read_times(f));
  PetscFunctionReturn(0);
}

/* Whether there is a directory with a study.h5, asked by one rank. */
static PetscErrorCode look(const char *directory)
{
  char        path[FARE_SCORE_PATH];
  struct stat about;

  PetscFunctionBegin;
  if (strlen(directory) >= PETSC_MAX_PATH_LEN) FARE_FAIL(FARE_ERR_INPUT, "the directory's path is too long");
  if (stat(directory, &about)) FARE_FAIL(FARE_ERR_INPUT, "%s: no such directory", directory);
  if (!S_ISDIR(about.st_mode))
    FARE_FAIL(FARE_ERR_INPUT, "%s: not a directory; give the output directory of a study", directory);
  snprintf(path, sizeof path, "%s/study.h5", directory);
  if (stat(path, &about)) FARE_FAIL(FARE_ERR_INPUT, "%s: no finished study (no study.h5)", directory);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_finished_open(MPI_Comm comm, const char *directory, fare_finished *study)
{
  PetscErrorCode code;
  char           path[FARE_SCORE_PATH];

  PetscFunctionBegin;
  memset(study, 0, sizeof *study);
  study->comm = comm;
  PetscCall(fare_error_agree(comm, fare_is_rank_0(comm) ? look(directory) : 0));
  snprintf(study->directory, sizeof study->directory, "%s", directory);
  snprintf(path, sizeof path, "%s/study.h5", directory);
  code = fare_store_open(comm, path, &study->store);
  if (!code) code = read_study(study);
  if (code) PetscCall(fare_finished_close(study));
  PetscFunctionReturn(fare_as_input(code));
}

PetscErrorCode fare_finished_close(fare_finished *study)
{
  PetscFunctionBegin;
  PetscCall(fare_store_close(&study->store));
  PetscCall(fare_binning_destroy(&study->binning));
  PetscCall(PetscFree2(study->time, study->trained));
  PetscFunctionReturn(0);
}

/* Periodic axes are no part of a snapshot: the plan has them, or its system. */
static PetscErrorCode read_ends(fare_finished *f)
{
  fare_truth_options options = {0};
  fare_system       *system  = NULL;
  fare_config       *config;
  const fare_node   *root;

  PetscFunctionBegin;
  PetscCall(fare_finished_plan(f, &config));
  root = fare_config_root(config);
  PetscCall(fare_fields_read(fare_truth_fields, NULL, fare_node_find(root, "truth"), &options));
  if (options.boundaries.count && options.boundaries.count != (size_t)f->dim)
    FARE_FAIL(FARE_ERR_INPUT, "%s/study.h5: its plan has %zu ends for %d axes", f->directory,
      options.boundaries.count, f->dim);
  if (!options.boundaries.count)
    PetscCall(fare_system_from_config(fare_node_find(root, "system"), NULL, &system));
  for (int axis = 0; axis < f->dim; axis++) {
    if (system)
      f->grid.boundary[axis] =
        fare_system_type_of(system)->periodic[axis] ? FARE_BOUNDARY_PERIODIC : FARE_BOUNDARY_REFLECTING;
    else
      f->grid.boundary[axis] = (fare_boundary)options.boundaries.values[axis];
  }
  PetscCall(fare_system_destroy(&system));
  fare_truth_options_free(&options);
  fare_config_destroy(&config);
  PetscFunctionReturn(0);
}

static PetscErrorCode read_grid(fare_finished *f)
{
  fare_store    *first;
  uint64_t       cells[4];
  double         lower[FARE_DIM_MAX], upper[FARE_DIM_MAX];
  int            rank;
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(fare_finished_snapshot(f, 0, &first));
  code = fare_store_extents(first, "/data/0/meshes/density", &rank, cells);
  PetscCall(fare_store_close(&first));
  PetscCall(code);
  if (rank != f->dim)
    FARE_FAIL(FARE_ERR_INPUT, "%s: the density of the first snapshot has %d axes, the study %d", f->directory,
      rank, f->dim);
  PetscCall(fare_store_get_reals(f->store, "/bins", "lower", (size_t)f->dim, lower));
  PetscCall(fare_store_get_reals(f->store, "/bins", "upper", (size_t)f->dim, upper));
  f->grid.comm = f->comm;
  f->grid.dim  = f->dim;
  for (int axis = 0; axis < FARE_DIM_MAX; axis++) {
    const int at = f->dim - 1 - axis; /* slowest axis first in files */

    f->grid.cells[axis]   = axis < f->dim ? (PetscInt)cells[at] : 1;
    f->grid.lower[axis]   = axis < f->dim ? lower[at] : 0;
    f->grid.upper[axis]   = axis < f->dim ? upper[at] : 1;
    f->grid.spacing[axis] = (f->grid.upper[axis] - f->grid.lower[axis]) / (double)f->grid.cells[axis];
    f->grid.count[axis]   = f->grid.cells[axis];
    snprintf(f->grid.axis[axis], sizeof f->grid.axis[axis], "%c", "xyz"[axis]); /* as exports have them */
  }
  PetscFunctionReturn(0);
}

/* Every bin's cells on one rank, so that their sum is the same whatever the number of ranks. */
static PetscErrorCode share_out(fare_finished *f)
{
  const int slowest = f->dim - 1;
  uint64_t  extent[FARE_DIM_MAX];
  PetscInt  layers, thickness, first, last;
  int       rank, size;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(f->comm, &rank));
  PetscCallMPI(MPI_Comm_size(f->comm, &size));
  PetscCall(fare_binning_create(&f->grid, &f->binning));
  fare_binning_extents(f->binning, extent);
  PetscCall(fare_binning_destroy(&f->binning));
  layers                 = (PetscInt)extent[slowest];
  thickness              = (f->grid.cells[slowest] + layers - 1) / layers;
  first                  = PetscMin(layers * rank / size * thickness, f->grid.cells[slowest]);
  last                   = PetscMin(layers * (rank + 1) / size * thickness, f->grid.cells[slowest]);
  f->grid.start[slowest] = first;
  f->grid.count[slowest] = last - first;
  PetscCall(fare_binning_create(&f->grid, &f->binning));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_finished_open_truth(fare_finished *study)
{
  PetscFunctionBegin;
  if (strcmp(study->kind, "grid"))
    FARE_FAIL(FARE_ERR_INPUT,
      "%s: the truth is of kind '%s', and this needs one on a grid: study a system of up to %d axes with "
      "kind: "
      "grid",
      study->directory, study->kind, FARE_DIM_MAX);
  if (!study->has_truth)
    FARE_FAIL(FARE_ERR_INPUT, "%s: the study has no truth to compare with (its plan has no section 'truth')",
      study->directory);
  PetscCall(fare_as_input(read_grid(study)));
  PetscCall(fare_as_input(read_ends(study)));
  PetscCall(share_out(study));
  PetscFunctionReturn(0);
}

void fare_finished_box(
  const fare_finished *study, size_t i, uint64_t extent[4], uint64_t start[4], uint64_t count[4])
{
  extent[0] = study->snapshots;
  start[0]  = i;
  count[0]  = 1;
  for (int axis = 0; axis < study->dim; axis++) {
    extent[study->dim - axis] = (uint64_t)study->grid.cells[axis];
    start[study->dim - axis]  = (uint64_t)study->grid.start[axis];
    count[study->dim - axis]  = (uint64_t)study->grid.count[axis];
    if (!study->grid.count[axis]) count[0] = 0;
  }
}

/* masses += volume * mesh, of the cells here. */
static PetscErrorCode add_mesh(
  const fare_finished *f, fare_store *store, size_t snapshot, const char *name, double buffer[], Vec masses)
{
  char         path[128];
  PetscScalar *mass;
  PetscInt     n;

  PetscFunctionBegin;
  snprintf(path, sizeof path, "/data/%zu/meshes/%s", snapshot, name);
  PetscCall(fare_grid_read(&f->grid, buffer, store, path));
  PetscCall(VecGetLocalSize(masses, &n));
  PetscCall(VecGetArray(masses, &mass));
  for (PetscInt i = 0; i < n; i++) mass[i] += buffer[i] * fare_grid_volume(&f->grid);
  PetscCall(VecRestoreArray(masses, &mass));
  PetscFunctionReturn(0);
}

/* A snapshot that is somebody else's, or was moved, is not to be taken for this one. */
static PetscErrorCode check_snapshot(const fare_finished *f, fare_store *store, size_t snapshot)
{
  char     path[128];
  uint64_t cells[4];
  double   time;
  int      rank, same;

  PetscFunctionBegin;
  snprintf(path, sizeof path, "/data/%zu", snapshot);
  PetscCall(fare_store_get_real(store, path, "time", &time));
  snprintf(path, sizeof path, "/data/%zu/meshes/density", snapshot);
  PetscCall(fare_store_extents(store, path, &rank, cells));
  same = rank == f->dim && time == f->time[snapshot];
  for (int axis = 0; axis < f->dim && same; axis++)
    same = cells[f->dim - 1 - axis] == (uint64_t)f->grid.cells[axis];
  if (!same)
    FARE_FAIL(
      FARE_ERR_INPUT, "%s: snapshot %zu (time %.10g) does not match study.h5", f->directory, snapshot, time);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_finished_compared(fare_store *store, size_t snapshot, const char *mesh[2])
{
  static const char *const plain[]  = {"density", "density_error"};
  static const char *const better[] = {"density_extrapolated", "density_extrapolated_error"};
  char                     path[128];
  PetscBool                has;

  PetscFunctionBegin;
  snprintf(path, sizeof path, "/data/%zu/meshes/%s", snapshot, better[0]);
  PetscCall(fare_store_has(store, path, &has));
  for (int i = 0; i < 2; i++) mesh[i] = has ? better[i] : plain[i];
  PetscFunctionReturn(0);
}

static PetscErrorCode read_truth(const fare_finished *f, fare_store *store, size_t snapshot, double buffer[],
  Vec masses, fare_binned *p, fare_binned *corrected)
{
  const char *mesh[2];

  PetscFunctionBegin;
  PetscCall(check_snapshot(f, store, snapshot));
  PetscCall(fare_finished_compared(store, snapshot, mesh));
  PetscCall(VecSet(masses, 0));
  PetscCall(add_mesh(f, store, snapshot, mesh[0], buffer, masses));
  PetscCall(fare_binning_density(f->binning, masses, p));
  PetscCall(add_mesh(f, store, snapshot, mesh[1], buffer, masses));
  PetscCall(fare_binning_density(f->binning, masses, corrected));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_finished_truth(
  const fare_finished *study, size_t snapshot, fare_binned *p, fare_binned *corrected)
{
  const PetscInt n = study->grid.count[0] * study->grid.count[1] * study->grid.count[2];
  fare_store    *store;
  double        *buffer;
  Vec            masses;
  PetscErrorCode code;

  PetscFunctionBegin;
  memset(p, 0, sizeof *p);
  memset(corrected, 0, sizeof *corrected);
  PetscCall(fare_as_input(fare_finished_snapshot(study, snapshot, &store)));
  PetscCall(VecCreateMPI(study->comm, n, PETSC_DETERMINE, &masses));
  PetscCall(PetscMalloc1(n, &buffer));
  code = read_truth(study, store, snapshot, buffer, masses, p, corrected);
  PetscCall(PetscFree(buffer));
  PetscCall(VecDestroy(&masses));
  PetscCall(fare_store_close(&store));
  PetscFunctionReturn(fare_as_input(code));
}
