/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=parallel ranks=1,2,3,4 timeout=60 */
/*
  What is kept of particles when a study asks for less: which ones, how precisely, how small; the same on any
  number of ranks.
*/
#include "fare_test.h"

#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { COUNT = 300007 }; /* more than is compressed together */

static int  rank;
static char directory[64], file[128];

static int prepare(void **state)
{
  char command[128];
  int  size;

  (void)state;
  MPI_Comm_rank(PETSC_COMM_WORLD, &rank);
  MPI_Comm_size(PETSC_COMM_WORLD, &size);
  snprintf(directory, sizeof directory, "record-options-%d", size);
  snprintf(file, sizeof file, "%s/snapshots/snapshot_000002.h5", directory);
  snprintf(command, sizeof command, "rm -rf %s", directory);
  MPI_Barrier(PETSC_COMM_WORLD);
  if (rank == 0 && system(command)) return 1;
  MPI_Barrier(PETSC_COMM_WORLD);
  return 0;
}

static double coordinate(int axis, int64_t id)
{
  return (axis ? 3 : 0.5) + cos((double)(id * (axis + 1)));
}

static double weight(int64_t id)
{
  return 0.5 + (double)(id % 7);
}

/* Writes particles with these options, and closes the file. */
static void write_with(const fare_record_options *options, PetscBool weighted)
{
  fare_ensemble *e;
  fare_record   *record;

  assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, 2, COUNT, &e));
  if (weighted) e->weight = calloc((size_t)(e->blocks * FARE_BLOCK + 1), sizeof(double));
  for (int64_t i = 0; i < e->local; i++) {
    const int64_t id = e->first_block * FARE_BLOCK + i;

    for (int axis = 0; axis < 2; axis++) e->x[axis][i] = coordinate(axis, id);
    if (weighted) e->weight[i] = weight(id);
  }
  assert_ok(fare_record_create(PETSC_COMM_WORLD, directory, FARE_RECORD_OVERWRITE, &record));
  fare_record_set(record, options);
  assert_ok(fare_record_begin(record, 2, 0.1, 0.05));
  assert_ok(fare_record_species(record, "walk", e));
  assert_ok(fare_record_end(record));
  assert_ok(fare_record_destroy(&record));
  assert_ok(fare_ensemble_destroy(&e));
}

static double *read_all(fare_store *store, const char *name, uint64_t count)
{
  const uint64_t zero = 0;
  uint64_t       extent[4];
  double        *data = malloc(count * sizeof *data);
  char           path[128];
  int            axes;

  snprintf(path, sizeof path, "/data/2/particles/walk/%s", name);
  assert_non_null(data);
  assert_ok(fare_store_extents(store, path, &axes, extent));
  assert_true(axes == 1 && extent[0] == count);
  assert_ok(fare_store_read(store, path, FARE_STORE_FLOAT64, 1, &zero, &count, data));
  return data;
}

static double read_one(fare_store *store, const char *name)
{
  double *data = read_all(store, name, 1), value = data[0];

  free(data);
  return value;
}

/* Everything that was written, against what it must be by its place alone. */
static void check_file(uint64_t kept, PetscBool single, PetscBool weighted)
{
  fare_store *store;
  double     *x[2], *id, *w = NULL, low[2] = {INFINITY, INFINITY}, high[2] = {-INFINITY, -INFINITY};
  uint64_t    wrong = 0;

  assert_ok(fare_store_open(PETSC_COMM_WORLD, file, &store));
  x[0] = read_all(store, "position/x", kept);
  x[1] = read_all(store, "position/y", kept);
  id   = read_all(store, "id", kept);
  if (weighted) w = read_all(store, "weighting", kept);
  for (uint64_t j = 0; j < kept; j++) {
    const int64_t expected = (int64_t)floor((double)j * COUNT / (double)kept);

    wrong += id[j] != (double)expected;
    for (int axis = 0; axis < 2; axis++) {
      wrong +=
        x[axis][j] != (single ? (double)(float)coordinate(axis, expected) : coordinate(axis, expected));
      low[axis]  = fmin(low[axis], x[axis][j]);
      high[axis] = fmax(high[axis], x[axis][j]);
    }
    if (weighted) wrong += w[j] != weight(expected);
  }
  assert_true(wrong == 0);
  assert_true(read_one(store, "particlePatches/numParticles") == (double)kept);
  for (int axis = 0; axis < 2; axis++) {
    const double offset = read_one(store, axis ? "particlePatches/offset/y" : "particlePatches/offset/x"),
                 extent = read_one(store, axis ? "particlePatches/extent/y" : "particlePatches/extent/x");

    assert_true(offset <= low[axis] && high[axis] < offset + extent);
    assert_near(offset, coordinate(axis, 0) - cos(0) - 1, 1e-6);
    assert_near(extent, 2, 1e-5);
  }
  if (kept < COUNT) {
    int64_t all;

    assert_ok(fare_store_get_int(store, "/data/2/particles/walk", "particlesSimulated", &all));
    assert_int_equal(all, COUNT);
  }
  assert_ok(fare_store_close(&store));
  free(x[0]);
  free(x[1]);
  free(id);
  free(w);
}

static void what_is_kept_does_not_depend_on_ranks(void **state)
{
  static const PetscInt64 most[] = {0, COUNT, COUNT - 1, 200000, 1000, 3, 1, 10 * COUNT};

  (void)state;
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(most); i++) {
    const fare_record_options options = {
      .particles = most[i], .precision = i % 2 ? FARE_RECORD_SINGLE : FARE_RECORD_DOUBLE};
    const int64_t kept = fare_record_kept(&options, COUNT);

    assert_int_equal(kept, most[i] && most[i] < COUNT ? most[i] : COUNT);
    write_with(&options, i % 3 ? PETSC_TRUE : PETSC_FALSE);
    check_file((uint64_t)kept, i % 2 ? PETSC_TRUE : PETSC_FALSE, i % 3 ? PETSC_TRUE : PETSC_FALSE);
  }
}

static int64_t size_of_file(void)
{
  struct stat about;

  assert_int_equal(stat(file, &about), 0);
  return (int64_t)about.st_size;
}

static void compression_makes_it_smaller(void **state)
{
  fare_record_options options = {.precision = FARE_RECORD_SINGLE};
  int64_t             plain;

  (void)state;
  write_with(&options, PETSC_TRUE);
  plain = size_of_file();
  MPI_Barrier(PETSC_COMM_WORLD);
  options.compression = 4;
  write_with(&options, PETSC_TRUE);
  check_file(COUNT, PETSC_TRUE, PETSC_TRUE);
  /* ids and seven weights are half of all, and nearly nothing compressed */
  assert_true(size_of_file() < plain / 2);
  if (rank == 0) {
    const hid_t f = H5Fopen(file, H5F_ACC_RDONLY, H5P_DEFAULT),
                d = H5Dopen2(f, "/data/2/particles/walk/position/x", H5P_DEFAULT), type = H5Dget_type(d);

    assert_int_equal(H5Tget_size(type), 4);
    assert_true(H5Dget_storage_size(d) < COUNT * sizeof(float));
    H5Tclose(type);
    H5Dclose(d);
    H5Fclose(f);
  }
  MPI_Barrier(PETSC_COMM_WORLD);
}

static void options_are_read(void **state)
{
  const char *text = "{particles: 100000, precision: single, compression: 4}", *bad = "{compression: 10}";
  fare_record_options options;
  fare_config        *config;

  (void)state;
  assert_ok(fare_fields_read(fare_record_fields, NULL, NULL, &options));
  assert_true(options.particles == 0 && options.precision == FARE_RECORD_DOUBLE && options.compression == 0);
  assert_ok(fare_config_parse("test", text, strlen(text), &config));
  assert_ok(fare_fields_read(fare_record_fields, NULL, fare_config_root(config), &options));
  fare_config_destroy(&config);
  assert_true(
    options.particles == 100000 && options.precision == FARE_RECORD_SINGLE && options.compression == 4);
  assert_ok(fare_config_parse("test", bad, strlen(bad), &config));
  assert_int_equal(
    fare_fields_read(fare_record_fields, NULL, fare_config_root(config), &options), FARE_ERR_INPUT);
  fare_config_destroy(&config);
}

#define OPTIONS_TEST(name) cmocka_unit_test_setup_teardown(name, prepare, prepare)
static const struct CMUnitTest tests[] = {OPTIONS_TEST(what_is_kept_does_not_depend_on_ranks),
  OPTIONS_TEST(compression_makes_it_smaller), OPTIONS_TEST(options_are_read)};
FARE_TEST_MAIN(tests)
