/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=parallel ranks=1,3 timeout=60 */
/*
  Snapshots read back as they were written, with the attributes and types that openPMD 1.1 asks for;
  directories that spare what is not FARE's.
*/
#include "fare_test.h"

#include <hdf5.h>
#include <petscdmda.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { NX = 12, NY = 8, COUNT = 3 * FARE_BLOCK + 77 };
static const double lower[] = {-1, 2}, upper[] = {2, 4}; /* cells of 1/4 by 1/4 */

static int  rank, size;
static char directory[64];

static void remove_tree(const char *path)
{
  char command[128];

  MPI_Barrier(PETSC_COMM_WORLD);
  snprintf(command, sizeof command, "rm -rf '%s'", path);
  if (rank == 0 && system(command)) fail();
  MPI_Barrier(PETSC_COMM_WORLD);
}

static int prepare(void **state)
{
  (void)state;
  MPI_Comm_rank(PETSC_COMM_WORLD, &rank);
  MPI_Comm_size(PETSC_COMM_WORLD, &size);
  snprintf(directory, sizeof directory, "record-%d", size);
  remove_tree(directory);
  return 0;
}

static int clean(void **state)
{
  (void)state;
  remove_tree(directory);
  return 0;
}

static int exists(const char *name)
{
  char path[256];
  int  there;

  snprintf(path, sizeof path, "%s/%s", directory, name);
  MPI_Barrier(PETSC_COMM_WORLD);
  there = rank == 0 && !access(path, F_OK);
  MPI_Bcast(&there, 1, MPI_INT, 0, PETSC_COMM_WORLD);
  return there;
}

/* Mass of the cell (i, j): any function that tells them apart. */
static double mass_of(PetscInt i, PetscInt j)
{
  return 1 + (double)i + 100 * (double)j;
}

static double coordinate(int axis, int64_t id)
{
  return (axis ? 3 : 0.5) + cos((double)(id * (axis + 1)));
}

static void make_grid(MPI_Comm comm, fare_grid **grid, Vec *masses)
{
  const PetscInt cells[] = {NX, NY};
  PetscScalar   *mass;

  assert_ok(fare_grid_create(comm, 2, cells, lower, upper, NULL, grid));
  assert_ok(DMCreateGlobalVector((*grid)->dm, masses));
  assert_ok(VecGetArray(*masses, &mass));
  for (PetscInt j = 0, n = 0; j < (*grid)->count[1]; j++) {
    for (PetscInt i = 0; i < (*grid)->count[0]; i++, n++)
      mass[n] = mass_of((*grid)->start[0] + i, (*grid)->start[1] + j);
  }
  assert_ok(VecRestoreArray(*masses, &mass));
}

static fare_ensemble *make_ensemble(PetscBool weighted)
{
  fare_ensemble *e;

  assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, 2, COUNT, &e));
  /* freed with the ensemble */
  if (weighted) e->weight = calloc((size_t)(e->blocks * FARE_BLOCK + 1), sizeof(double));
  for (int64_t i = 0; i < e->local; i++) {
    const int64_t id = e->first_block * FARE_BLOCK + i;

    for (int axis = 0; axis < 2; axis++) e->x[axis][i] = coordinate(axis, id);
    if (weighted) e->weight[i] = 0.5 + (double)(id % 7);
  }
  return e;
}

static void write_snapshot(fare_record *record, MPI_Comm grid_comm)
{
  fare_ensemble *walk = make_ensemble(PETSC_FALSE), *heavy = make_ensemble(PETSC_TRUE);
  fare_grid     *grid;
  Vec            masses;

  make_grid(grid_comm, &grid, &masses);
  assert_ok(fare_record_begin(record, 7, 0.35, 0.05));
  assert_ok(fare_record_mesh(record, "density", "a comment", grid, masses, fare_grid_volume(grid)));
  assert_ok(fare_record_species(record, "walk", walk));
  assert_ok(fare_record_species(record, "heavy", heavy));
  assert_ok(fare_record_number(record, "truth", "error", 1e-7));
  assert_ok(fare_record_end(record));
  assert_ok(VecDestroy(&masses));
  assert_ok(fare_grid_destroy(&grid));
  assert_ok(fare_ensemble_destroy(&walk));
  assert_ok(fare_ensemble_destroy(&heavy));
}

static void assert_same_numbers(
  fare_store *store, const char *path, uint64_t count, double (*expected)(int64_t id))
{
  const uint64_t zero = 0;
  uint64_t       extent[4];
  double        *data;
  int            axes;

  assert_ok(fare_store_extents(store, path, &axes, extent));
  assert_int_equal(axes, 1);
  assert_int_equal(extent[0], count);
  data = malloc(count * sizeof *data);
  assert_ok(fare_store_read(store, path, FARE_STORE_FLOAT64, 1, &zero, &count, data));
  for (uint64_t i = 0; i < count; i++) {
    if (data[i] != expected((int64_t)i))
      fail_msg("%s[%d] = %.17g, expected %.17g", path, (int)i, data[i], expected((int64_t)i));
  }
  free(data);
}

static double x_of(int64_t id)
{
  return coordinate(0, id);
}
static double y_of(int64_t id)
{
  return coordinate(1, id);
}
static double id_of(int64_t id)
{
  return (double)id;
}
static double weight_of(int64_t id)
{
  return 0.5 + (double)(id % 7);
}

/*
  One patch holds all particles, and its bounds are as tight as they may be: the lower included, the upper
  not.
*/
static void assert_one_patch(fare_store *store, const char *species)
{
  static const char *const axes[] = {"x", "y"};
  const uint64_t           zero = 0, one = 1;
  uint64_t                 number;
  char                     path[128];

  snprintf(path, sizeof path, "/data/7/particles/%s/particlePatches/numParticles", species);
  assert_ok(fare_store_read(store, path, FARE_STORE_UINT64, 1, &zero, &one, &number));
  assert_int_equal(number, COUNT);
  snprintf(path, sizeof path, "/data/7/particles/%s/particlePatches/numParticlesOffset", species);
  assert_ok(fare_store_read(store, path, FARE_STORE_UINT64, 1, &zero, &one, &number));
  assert_int_equal(number, 0);
  for (int axis = 0; axis < 2; axis++) {
    double first = HUGE_VAL, last = -HUGE_VAL, offset, extent;

    for (int64_t id = 0; id < COUNT; id++) {
      first = PetscMin(first, coordinate(axis, id));
      last  = PetscMax(last, coordinate(axis, id));
    }
    snprintf(path, sizeof path, "/data/7/particles/%s/particlePatches/offset/%s", species, axes[axis]);
    assert_ok(fare_store_read(store, path, FARE_STORE_FLOAT64, 1, &zero, &one, &offset));
    snprintf(path, sizeof path, "/data/7/particles/%s/particlePatches/extent/%s", species, axes[axis]);
    assert_ok(fare_store_read(store, path, FARE_STORE_FLOAT64, 1, &zero, &one, &extent));
    assert_true(offset == first);
    assert_true(offset + extent > last);
    assert_near(offset + extent, last, 1e-14);
  }
}

static void check_snapshot(void)
{
  static const char *const species[] = {"walk", "heavy"};
  const uint64_t           start[] = {0, 0}, count[] = {NY, NX};
  double                   density[NY * NX], number;
  uint64_t                 extent[4];
  fare_store              *store;
  char                     path[128];
  int                      axes;

  snprintf(path, sizeof path, "%s/snapshots/snapshot_000007.h5", directory);
  assert_ok(fare_store_open(PETSC_COMM_WORLD, path, &store));
  assert_ok(fare_store_get_real(store, "/data/7", "time", &number));
  assert_near(number, 0.35, 0);
  assert_ok(fare_store_get_real(store, "/data/7", "dt", &number));
  assert_near(number, 0.05, 0);
  assert_ok(fare_store_get_real(store, "/fare/truth", "error", &number));
  assert_near(number, 1e-7, 0);
  assert_ok(fare_store_extents(store, "/data/7/meshes/density", &axes, extent));
  assert_int_equal(axes, 2);
  assert_int_equal(extent[0], NY); /* the slowest axis first */
  assert_int_equal(extent[1], NX);
  assert_ok(fare_store_read(store, "/data/7/meshes/density", FARE_STORE_FLOAT64, 2, start, count, density));
  for (PetscInt j = 0; j < NY; j++) {
    for (PetscInt i = 0; i < NX; i++) assert_near(density[j * NX + i], mass_of(i, j) / 0.0625, 1e-9);
  }
  for (int s = 0; s < 2; s++) {
    snprintf(path, sizeof path, "/data/7/particles/%s/position/x", species[s]);
    assert_same_numbers(store, path, COUNT, x_of);
    snprintf(path, sizeof path, "/data/7/particles/%s/position/y", species[s]);
    assert_same_numbers(store, path, COUNT, y_of);
    snprintf(path, sizeof path, "/data/7/particles/%s/id", species[s]);
    assert_same_numbers(store, path, COUNT, id_of);
    assert_one_patch(store, species[s]);
  }
  assert_same_numbers(store, "/data/7/particles/heavy/weighting", COUNT, weight_of);
  assert_ok(fare_store_get_real(store, "/data/7/particles/walk/weighting", "value", &number));
  assert_near(number, 1, 0);
  assert_ok(fare_store_close(&store));
}

static void snapshots_read_back(void **state)
{
  /* a grid that is spread, and one that every rank has */
  const MPI_Comm comms[] = {PETSC_COMM_WORLD, PETSC_COMM_SELF};

  (void)state;
  for (int i = 0; i < 2; i++) {
    fare_record *record;

    assert_ok(
      fare_record_create(PETSC_COMM_WORLD, directory, i ? FARE_RECORD_OVERWRITE : FARE_RECORD_NEW, &record));
    write_snapshot(record, comms[i]);
    assert_ok(fare_record_destroy(&record));
    assert_null(record);
    assert_true(exists("snapshots/snapshot_000007.h5"));
    assert_false(exists("snapshots/snapshot_000007.h5.tmp"));
    check_snapshot();
  }
  assert_int_equal(H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_ALL), 0);
}

/*
  What an attribute must be: F 64-bit floating, U32 and U64 unsigned, S string; with how many entries, 0 for a
  scalar.
*/
typedef enum { F, U32, U64, S } kind;
typedef struct {
  const char *at, *name;
  kind        type;
  int         count;
} rule;

/*
  openPMD 1.1.0, "Required" and "Recommended", as far as they apply to this snapshot; records and components
  have theirs below.
*/
static const rule rules[] = {
  {"/", "openPMD", S, 0},
  {"/", "openPMDextension", U32, 0},
  {"/", "basePath", S, 0},
  {"/", "meshesPath", S, 0},
  {"/", "particlesPath", S, 0},
  {"/", "iterationEncoding", S, 0},
  {"/", "iterationFormat", S, 0},
  {"/", "author", S, 0},
  {"/", "software", S, 0},
  {"/", "softwareVersion", S, 0},
  {"/", "date", S, 0},
  {"/data/7", "time", F, 0},
  {"/data/7", "dt", F, 0},
  {"/data/7", "timeUnitSI", F, 0},
#define MESH "/data/7/meshes/density"
  {MESH, "geometry", S, 0},
  {MESH, "dataOrder", S, 0},
  {MESH, "axisLabels", S, 2},
  {MESH, "gridSpacing", F, 2},
  {MESH, "gridGlobalOffset", F, 2},
  {MESH, "gridUnitSI", F, 0},
  {MESH, "position", F, 2},
  {MESH, "comment", S, 0},
#define HEAVY "/data/7/particles/heavy"
#define WALK  "/data/7/particles/walk"
  {WALK "/weighting", "value", F, 0},
  {WALK "/weighting", "shape", U64, 1},
  {WALK "/positionOffset/x", "value", F, 0},
  {WALK "/positionOffset/y", "shape", U64, 1},
};
static const char *const records[]    = {MESH, HEAVY "/position", HEAVY "/positionOffset", HEAVY "/id",
     HEAVY "/weighting", WALK "/weighting", HEAVY "/particlePatches/offset", HEAVY "/particlePatches/extent"};
static const char *const components[] = {
  MESH,
  HEAVY "/position/x",
  HEAVY "/position/y",
  HEAVY "/positionOffset/x",
  HEAVY "/id",
  HEAVY "/weighting",
  WALK "/weighting",
  HEAVY "/particlePatches/numParticles",
  HEAVY "/particlePatches/numParticlesOffset",
  HEAVY "/particlePatches/offset/x",
  HEAVY "/particlePatches/extent/y",
};

static int is_as_ruled(hid_t file, const char *at, const char *name, kind of, int count)
{
  const hid_t attribute = H5Aopen_by_name(file, at, name, H5P_DEFAULT, H5P_DEFAULT);
  const hid_t type      = attribute < 0 ? -1 : H5Aget_type(attribute),
              space     = attribute < 0 ? -1 : H5Aget_space(attribute);
  int good              = 0;

  if (attribute >= 0) {
    good = count ? H5Sget_simple_extent_ndims(space) == 1 && H5Sget_simple_extent_npoints(space) == count
                 : H5Sget_simple_extent_type(space) == H5S_SCALAR;
    if (of == F) good = good && H5Tequal(type, H5T_IEEE_F64LE) > 0;
    if (of == U32) good = good && H5Tequal(type, H5T_STD_U32LE) > 0;
    if (of == U64) good = good && H5Tequal(type, H5T_STD_U64LE) > 0;
    if (of == S)
      good = good && H5Tget_class(type) == H5T_STRING && !H5Tis_variable_str(type) &&
        H5Tget_cset(type) == H5T_CSET_ASCII;
    H5Tclose(type);
    H5Sclose(space);
    H5Aclose(attribute);
  }
  if (!good) print_error("%s of %s is not as openPMD has it\n", name, at);
  return good;
}

static void attributes_are_as_openpmd_has_them(void **state)
{
  fare_record *record;
  char         path[128];
  int          bad = 0;

  (void)state;
  assert_ok(fare_record_create(PETSC_COMM_WORLD, directory, FARE_RECORD_NEW, &record));
  write_snapshot(record, PETSC_COMM_WORLD);
  assert_ok(fare_record_destroy(&record));
  if (rank == 0) {
    hid_t file;

    snprintf(path, sizeof path, "%s/snapshots/snapshot_000007.h5", directory);
    file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(rules); i++)
      bad += !is_as_ruled(file, rules[i].at, rules[i].name, rules[i].type, rules[i].count);
    for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(records); i++) {
      bad += !is_as_ruled(file, records[i], "unitDimension", F, 7);
      bad += !is_as_ruled(file, records[i], "timeOffset", F, 0);
    }
    for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(components); i++)
      bad += !is_as_ruled(file, components[i], "unitSI", F, 0);
    H5Fclose(file);
  }
  MPI_Bcast(&bad, 1, MPI_INT, 0, PETSC_COMM_WORLD);
  assert_int_equal(bad, 0);
}

/* A snapshot that is not ended has no name, and nothing of it stays. */
static void what_is_not_ended_is_not_there(void **state)
{
  fare_ensemble *walk;
  fare_record   *record;

  (void)state;
  assert_ok(fare_record_create(PETSC_COMM_WORLD, directory, FARE_RECORD_NEW, &record));
  assert_string_equal(fare_record_directory(record), directory);
  walk = make_ensemble(PETSC_FALSE);
  assert_ok(fare_record_begin(record, 3, 0, 1));
  assert_ok(fare_record_species(record, "walk", walk));
  assert_true(exists("snapshots/snapshot_000003.h5.tmp"));
  assert_ok(fare_record_destroy(&record));
  assert_false(exists("snapshots/snapshot_000003.h5"));
  assert_false(exists("snapshots/snapshot_000003.h5.tmp"));
  assert_ok(fare_ensemble_destroy(&walk));
}

static void put(const char *name)
{
  char  path[256];
  FILE *file;

  snprintf(path, sizeof path, "%s/%s", directory, name);
  file = rank ? NULL : fopen(path, "w");
  if (rank == 0 && (!file || fclose(file))) fail_msg("cannot write %s", path);
  MPI_Barrier(PETSC_COMM_WORLD);
}

static void assert_refused(PetscErrorCode code, const char *part)
{
  assert_int_equal(code, FARE_ERR_INPUT); /* on every rank */
  if (!strstr(fare_error_message(), part)) fail_msg("\"%s\" does not say \"%s\"", fare_error_message(), part);
}

static void directories_are_begun_once(void **state)
{
  static const char *const own[]     = {"study.h5", "study.h5.tmp", "measures.csv", "report.html",
        "snapshots/snapshot_000000.h5", "snapshots/snapshot_1234567.h5.tmp", "figures/density.png"};
  static const char *const foreign[] = {"study.h5.bak", "my.h5", "measures2.csv", "snapshots/snapshot_.h5",
    "snapshots/snapshot_12.h5", "snapshots/snapshot_0000001.h5.old", "snapshots/x.h5", "figures/mine.png"};
  fare_record             *record    = (fare_record *)1;
  char                     path[512];

  (void)state;
  assert_ok(fare_record_check(PETSC_COMM_WORLD, directory, FARE_RECORD_NEW));
  assert_false(exists("")); /* checking makes nothing */
  snprintf(path, sizeof path, "%s/a/b", directory);
  assert_ok(fare_record_create(PETSC_COMM_WORLD, path, FARE_RECORD_NEW, &record));
  assert_ok(fare_record_destroy(&record));
  assert_true(exists("a/b/snapshots"));
  assert_refused(fare_record_create(PETSC_COMM_WORLD, path, FARE_RECORD_NEW, &record), "a/b exists already");
  assert_null(record);
  put("a/file");
  snprintf(path, sizeof path, "%s/a/file", directory);
  assert_refused(fare_record_create(PETSC_COMM_WORLD, path, FARE_RECORD_OVERWRITE, &record),
    "a/file exists and is not a directory");
  snprintf(path, sizeof path, "%s/a/file/c/d", directory);
  assert_refused(fare_record_check(PETSC_COMM_WORLD, path, FARE_RECORD_NEW), "a/file is not a directory");
  /* a name that is too long for the file system */
  snprintf(path, sizeof path, "%s/new/%0300d", directory, 0);
  assert_refused(fare_record_create(PETSC_COMM_WORLD, path, FARE_RECORD_NEW, &record), "cannot create");
  assert_false(exists("new")); /* what was made on the way is gone */

  assert_ok(fare_record_create(PETSC_COMM_WORLD, directory, FARE_RECORD_OVERWRITE, &record));
  assert_ok(fare_record_destroy(&record));
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(own); i++) put(own[i]);
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(foreign); i++) put(foreign[i]);
  assert_ok(fare_record_create(PETSC_COMM_WORLD, directory, FARE_RECORD_OVERWRITE, &record));
  assert_ok(fare_record_destroy(&record));
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(own); i++) {
    if (exists(own[i])) fail_msg("%s is left", own[i]);
  }
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(foreign); i++) {
    if (!exists(foreign[i])) fail_msg("%s is gone", foreign[i]);
  }
}

static void texts_are_whole(void **state)
{
  fare_text    text = {0};
  fare_record *record;
  char         path[128], back[32] = "";

  (void)state;
  assert_ok(fare_record_create(PETSC_COMM_WORLD, directory, FARE_RECORD_NEW, &record));
  fare_text_add(&text, "time,value\n1,2\n");
  assert_ok(fare_record_text(record, "t.csv", &text));
  assert_false(exists("t.csv.tmp"));
  snprintf(path, sizeof path, "%s/t.csv", directory);
  assert_string_equal(fare_record_path(record, "t.csv"), path);
  if (rank == 0) {
    FILE *file = fopen(path, "r");

    assert_non_null(file);
    assert_int_equal(fread(back, 1, sizeof back, file), text.length);
    fclose(file);
    assert_string_equal(back, text.text);
  }
  assert_int_equal(fare_record_text(record, "no/t.csv", &text), FARE_ERR_FAILED);
  assert_non_null(strstr(fare_error_message(), "no/t.csv.tmp: cannot be written: No such file or directory"));
  fare_text_free(&text);
  assert_ok(fare_record_destroy(&record));
}

#define RECORD_TEST(name) cmocka_unit_test_setup_teardown(name, prepare, clean)
static const struct CMUnitTest tests[] = {
  RECORD_TEST(snapshots_read_back),
  RECORD_TEST(attributes_are_as_openpmd_has_them),
  RECORD_TEST(what_is_not_ended_is_not_there),
  RECORD_TEST(directories_are_begun_once),
  RECORD_TEST(texts_are_whole),
};
FARE_TEST_MAIN(tests)
