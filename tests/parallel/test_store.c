/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=parallel ranks=1,2,3 timeout=60 */
/*
  Files that are whole or absent: what is written reads back on any layout, and what is damaged is the same
  error on every rank.
*/
#include "fare_test.h"

#include <hdf5.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static int  rank, size;
static char path[64], temporary[72];

static int prepare(void **state)
{
  (void)state;
  MPI_Comm_rank(PETSC_COMM_WORLD, &rank);
  MPI_Comm_size(PETSC_COMM_WORLD, &size);
  snprintf(path, sizeof path, "store-%d.h5", size);
  snprintf(temporary, sizeof temporary, "%s.tmp", path);
  if (rank == 0) {
    unlink(path);
    unlink(temporary);
  }
  MPI_Barrier(PETSC_COMM_WORLD);
  return 0;
}

static int clean(void **state)
{
  MPI_Barrier(PETSC_COMM_WORLD);
  return prepare(state);
}

static int exists(const char *name)
{
  int there;

  MPI_Barrier(PETSC_COMM_WORLD);
  there = rank == 0 && !access(name, F_OK);
  MPI_Bcast(&there, 1, MPI_INT, 0, PETSC_COMM_WORLD);
  return there;
}

/* Every rank has this error, and the same words for it. */
static void assert_all_say(PetscErrorCode code, const char *part)
{
  char first[512] = "";

  assert_int_equal(code, FARE_ERR_FAILED);
  if (!strstr(fare_error_message(), part)) fail_msg("\"%s\" does not say \"%s\"", fare_error_message(), part);
  snprintf(first, sizeof first, "%s", fare_error_message());
  MPI_Bcast(first, sizeof first, MPI_CHAR, 0, PETSC_COMM_WORLD);
  assert_string_equal(first, fare_error_message());
}

/* Rows of a matrix in shares that differ; where there are three ranks the middle one has none. */
enum { ROWS = 17, COLUMNS = 5 };
static void share(uint64_t start[2], uint64_t count[2])
{
  const uint64_t cut = size == 1 ? ROWS : 6;

  start[0] = rank == 0 ? 0 : cut;
  count[0] = rank == 0 ? cut : rank == size - 1 ? ROWS - cut : 0;
  start[1] = 0;
  count[1] = COLUMNS;
}

static double entry(uint64_t i, uint64_t j)
{
  return (double)i + 0.01 * (double)j;
}

static void write_matrix(fare_store *store, const char *name)
{
  const uint64_t global[] = {ROWS, COLUMNS};
  uint64_t       start[2], count[2];
  double         data[ROWS * COLUMNS];

  share(start, count);
  for (uint64_t i = 0; i < count[0]; i++) {
    for (uint64_t j = 0; j < COLUMNS; j++) data[i * COLUMNS + j] = entry(start[0] + i, j);
  }
  assert_ok(
    fare_store_write(store, name, FARE_STORE_FLOAT64, 2, global, start, count, count[0] ? data : NULL));
}

static void write_file(void)
{
  fare_store *store;

  assert_ok(fare_store_create(PETSC_COMM_WORLD, path, &store));
  write_matrix(store, "/deep/down/matrix");
  assert_ok(fare_store_commit(&store));
  assert_null(store);
}

static void arrays_read_back_on_any_layout(void **state)
{
  const uint64_t one = 1, zero = 0, mine = rank == 0;
  double         data[ROWS * COLUMNS];
  uint64_t       extent[4], start[] = {(uint64_t)rank, 1}, count[] = {3, 2};
  fare_store    *store;
  PetscBool      has;
  int            axes;

  (void)state;
  assert_ok(fare_store_create(PETSC_COMM_WORLD, path, &store));
  assert_true(exists(temporary));
  assert_false(exists(path));
  write_matrix(store, "/deep/down/matrix");
  assert_ok(fare_store_write(store, "/nothing", FARE_STORE_FLOAT64, 1, &zero, &zero, &zero, NULL));
  assert_ok(fare_store_write(store, "/one", FARE_STORE_INT64, 1, &one, &zero, &mine, &(int64_t){-7}));
  assert_ok(fare_store_write(store, "/float", FARE_STORE_FLOAT32, 1, &one, &zero, &mine, &(float){0.5f}));
  assert_ok(fare_store_write(store, "/byte", FARE_STORE_UINT8, 1, &one, &zero, &mine, &(uint8_t){200}));
  assert_ok(
    fare_store_write(store, "/large", FARE_STORE_UINT64, 1, &one, &zero, &mine, &(uint64_t){UINT64_MAX}));
  assert_ok(fare_store_commit(&store));
  assert_null(store);
  assert_true(exists(path));
  assert_false(exists(temporary));

  assert_ok(fare_store_open(PETSC_COMM_WORLD, path, &store));
  assert_ok(fare_store_extents(store, "/deep/down/matrix", &axes, extent));
  assert_int_equal(axes, 2);
  assert_int_equal(extent[0], ROWS);
  assert_int_equal(extent[1], COLUMNS);
  /* boxes that overlap */
  assert_ok(fare_store_read(store, "/deep/down/matrix", FARE_STORE_FLOAT64, 2, start, count, data));
  for (uint64_t i = 0; i < 3; i++) {
    for (uint64_t j = 0; j < 2; j++) assert_near(data[i * 2 + j], entry(start[0] + i, 1 + j), 0);
  }
  count[0] = rank ? 0 : ROWS;
  start[0] = start[1] = 0;
  count[1]            = COLUMNS;
  assert_ok(
    fare_store_read(store, "/deep/down/matrix", FARE_STORE_FLOAT64, 2, start, count, rank ? NULL : data));
  for (uint64_t i = 0; i < ROWS * COLUMNS && !rank; i++)
    assert_near(data[i], entry(i / COLUMNS, i % COLUMNS), 0);
  assert_ok(fare_store_extents(store, "/nothing", &axes, extent));
  assert_int_equal(extent[0], 0);
  assert_ok(fare_store_read(store, "/nothing", FARE_STORE_FLOAT64, 1, &zero, &zero, NULL));
  {
    int64_t  i = 0;
    uint64_t u = 0;
    float    f = 0;
    double   d = 0;
    uint8_t  b = 0;

    assert_ok(fare_store_read(store, "/one", FARE_STORE_INT64, 1, &zero, &one, &i));
    assert_ok(fare_store_read(store, "/large", FARE_STORE_UINT64, 1, &zero, &one, &u));
    assert_ok(fare_store_read(store, "/float", FARE_STORE_FLOAT32, 1, &zero, &one, &f));
    assert_ok(fare_store_read(store, "/float", FARE_STORE_FLOAT64, 1, &zero, &one, &d)); /* widened */
    assert_ok(fare_store_read(store, "/byte", FARE_STORE_UINT8, 1, &zero, &one, &b));
    assert_true(i == -7 && u == UINT64_MAX && f == 0.5f && d == 0.5 && b == 200);
  }
  assert_ok(fare_store_has(store, "/deep/down", &has));
  assert_true(has);
  assert_ok(fare_store_close(&store));
  assert_null(store);
  assert_true(exists(path)); /* closing what was read removes nothing */
}

static void groups_and_names(void **state)
{
  static const struct {
    const char *path;
    PetscBool   has;
  } cases[] = {{"/", PETSC_TRUE}, {"/a", PETSC_TRUE}, {"a", PETSC_TRUE}, {"/a/b/c", PETSC_TRUE},
    {"/a/b/d", PETSC_FALSE}, {"/x", PETSC_FALSE}, {"x", PETSC_FALSE}, {"/x/y", PETSC_FALSE},
    {"/a/b/c/matrix", PETSC_TRUE}, {"/a/b/c/matrix/below", PETSC_FALSE}};
  static const char *const names[] = {"b", "z"};
  fare_store              *store;
  char                     name[32];
  PetscBool                has;

  (void)state;
  assert_ok(fare_store_create(PETSC_COMM_WORLD, path, &store));
  assert_ok(fare_store_group(store, "/a/z"));
  assert_ok(fare_store_group(store, "/a/b/c"));
  assert_ok(fare_store_group(store, "/a/b")); /* there already */
  write_matrix(store, "/a/b/c/matrix");
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(cases); i++) {
    assert_ok(fare_store_has(store, cases[i].path, &has));
    if (has != cases[i].has) fail_msg("has %s: %d", cases[i].path, (int)has);
  }
  for (size_t i = 0; i < 2; i++) {
    assert_ok(fare_store_child(store, "/a", i, sizeof name, name, &has));
    assert_true(has);
    assert_string_equal(name, names[i]);
  }
  assert_ok(fare_store_child(store, "/a", 2, sizeof name, name, &has));
  assert_false(has);
  assert_ok(fare_store_child(store, "/x", 0, sizeof name, name, &has));
  assert_false(has);
  assert_ok(fare_store_close(&store));
}

static void attributes_read_back(void **state)
{
  static const char *const labels[] = {"y", "", "axis"};
  const double             reals[]  = {0.5, -1};
  const uint64_t           counts[] = {1, UINT64_MAX};
  fare_store              *store;
  char                     text[32], cut[5];
  double                   real;
  int64_t                  integer;

  (void)state;
  assert_ok(fare_store_create(PETSC_COMM_WORLD, path, &store));
  assert_ok(fare_store_group(store, "/g"));
  assert_ok(fare_store_put_string(store, "/", "string", "one two"));
  assert_ok(fare_store_put_string(store, "/g", "empty", ""));
  assert_ok(fare_store_put_strings(store, "/g", "strings", 3, labels));
  assert_ok(fare_store_put_real(store, "/g", "real", 0.1));
  assert_ok(fare_store_put_reals(store, "/g", "reals", 2, reals));
  assert_ok(fare_store_put_int(store, "/g", "integer", INT64_MIN));
  assert_ok(fare_store_put_uint32(store, "/g", "uint32", 4000000000u));
  assert_ok(fare_store_put_uint64s(store, "/g", "uint64s", 2, counts));
  assert_ok(fare_store_write_text(store, "/g/text", "several\nlines\n"));
  assert_ok(fare_store_commit(&store));

  assert_ok(fare_store_open(PETSC_COMM_WORLD, path, &store));
  assert_ok(fare_store_get_string(store, "/", "string", sizeof text, text));
  assert_string_equal(text, "one two");
  assert_ok(fare_store_get_string(store, "/", "string", sizeof cut, cut));
  assert_string_equal(cut, "one ");
  assert_ok(fare_store_get_string(store, "/g", "empty", sizeof text, text));
  assert_string_equal(text, "");
  assert_ok(fare_store_get_real(store, "/g", "real", &real));
  assert_true(real == 0.1);
  assert_ok(fare_store_get_int(store, "/g", "integer", &integer));
  assert_true(integer == INT64_MIN);
  assert_ok(fare_store_get_int(store, "/g", "uint32", &integer));
  assert_true(integer == 4000000000);
  /* what is not there, or has another shape than there is room for */
  assert_all_say(
    fare_store_get_real(store, "/g", "none", &real), "/g has no attribute 'none' of the expected type");
  assert_all_say(fare_store_get_real(store, "/none", "real", &real), "/none has no attribute 'real'");
  assert_all_say(
    fare_store_get_real(store, "/", "string", &real), "no attribute 'string' of the expected type");
  assert_all_say(fare_store_get_string(store, "/g", "real", sizeof text, text),
    "no attribute 'real' of the expected type");
  real = 42;
  assert_all_say(
    fare_store_get_real(store, "/g", "reals", &real), "no attribute 'reals' of the expected type");
  assert_near(real, 42, 0);
  assert_all_say(
    fare_store_get_int(store, "/g", "uint64s", &integer), "no attribute 'uint64s' of the expected type");
  assert_all_say(fare_store_get_string(store, "/g", "strings", sizeof text, text),
    "no attribute 'strings' of the expected type");
  assert_ok(fare_store_close(&store));
}

/*
  Types as other programs see them: fixed-length ASCII strings in scalar dataspaces, no one-element arrays.
*/
static void types_are_as_the_standards_ask(void **state)
{
  fare_store *store;
  hid_t       file, attribute, type, space;
  int         bad = 0;

  (void)state;
  assert_ok(fare_store_create(PETSC_COMM_WORLD, path, &store));
  assert_ok(fare_store_put_string(store, "/", "string", "seven b"));
  assert_ok(fare_store_put_real(store, "/", "real", 1));
  assert_ok(fare_store_put_uint32(store, "/", "uint32", 1));
  assert_ok(fare_store_write_text(store, "/text", "several\nlines\n"));
  assert_ok(fare_store_commit(&store));
  if (rank == 0) {
    static const char *const names[] = {"string", "real", "uint32"};

    file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    for (int i = 0; i < 3; i++) {
      attribute = H5Aopen(file, names[i], H5P_DEFAULT);
      type      = H5Aget_type(attribute);
      space     = H5Aget_space(attribute);
      bad += H5Sget_simple_extent_type(space) != H5S_SCALAR;
      if (i == 0)
        bad += H5Tget_class(type) != H5T_STRING || H5Tis_variable_str(type) || H5Tget_size(type) != 7 ||
          H5Tget_cset(type) != H5T_CSET_ASCII;
      if (i == 1) bad += H5Tequal(type, H5T_NATIVE_DOUBLE) <= 0;
      if (i == 2) bad += H5Tequal(type, H5T_NATIVE_UINT32) <= 0;
      H5Sclose(space);
      H5Tclose(type);
      H5Aclose(attribute);
    }
    H5Fclose(file);
  }
  MPI_Bcast(&bad, 1, MPI_INT, 0, PETSC_COMM_WORLD);
  assert_int_equal(bad, 0);
}

static void what_is_not_committed_is_not_there(void **state)
{
  struct stat before, after;
  fare_store *store;

  (void)state;
  assert_ok(fare_store_create(PETSC_COMM_WORLD, path, &store));
  write_matrix(store, "/m");
  assert_true(exists(temporary));
  assert_ok(fare_store_close(&store));
  assert_null(store);
  assert_false(exists(temporary));
  assert_false(exists(path));
  assert_ok(fare_store_close(&store)); /* nothing to close */
  /* and an older file under the name stays what it was */
  write_file();
  assert_int_equal(stat(path, &before), 0);
  assert_ok(fare_store_create(PETSC_COMM_WORLD, path, &store));
  write_matrix(store, "/other");
  assert_ok(fare_store_close(&store));
  assert_int_equal(stat(path, &after), 0);
  assert_true(before.st_ino == after.st_ino && before.st_size == after.st_size);
  assert_false(exists(temporary));
}

static void places_that_cannot_be_written(void **state)
{
  fare_store *store = (fare_store *)1;
  char        below[80];

  (void)state;
  assert_all_say(fare_store_create(PETSC_COMM_WORLD, "no/such/directory/f.h5", &store),
    "no/such/directory/f.h5.tmp: cannot be written: No such file or directory");
  assert_null(store);
  write_file();
  snprintf(below, sizeof below, "%s/f.h5", path);
  assert_all_say(fare_store_create(PETSC_COMM_WORLD, below, &store), "Not a directory");
  assert_null(store);
}

/* Rank 0 leaves the first `length` bytes of the file, and 0xA5 in [from, to). */
static void damage(long length, long from, long to)
{
  MPI_Barrier(PETSC_COMM_WORLD);
  if (rank == 0) {
    FILE *file = fopen(path, "r+b");

    for (long i = from; i < to && !fseek(file, i, SEEK_SET); i++) fputc(0xA5, file);
    fclose(file);
    if (length >= 0 && truncate(path, length)) fail();
  }
  MPI_Barrier(PETSC_COMM_WORLD);
}

static void damaged_files_are_the_same_error_everywhere(void **state)
{
  fare_store *store = (fare_store *)1;
  struct stat about;

  (void)state;
  assert_all_say(fare_store_open(PETSC_COMM_WORLD, path, &store), "No such file or directory");
  assert_null(store);
  assert_all_say(fare_store_open(PETSC_COMM_WORLD, ".", &store), "not a whole HDF5 file");
  write_file();
  assert_int_equal(stat(path, &about), 0);
  for (int part = 9; part >= 0; part--) {
    write_file();
    damage(about.st_size * part / 10, 0, 0);
    assert_all_say(fare_store_open(PETSC_COMM_WORLD, path, &store), "not a whole HDF5 file");
    assert_null(store);
  }
  write_file();
  damage(-1, 0, 8); /* the signature */
  assert_all_say(fare_store_open(PETSC_COMM_WORLD, path, &store), "not a whole HDF5 file");
}

/* Bytes overwritten anywhere: an error or the data, on every rank the same, and nobody waits for anybody. */
static void damage_inside_never_hangs(void **state)
{
  struct stat about;
  int         refused = 0;

  (void)state;
  write_file();
  assert_int_equal(stat(path, &about), 0);
  for (long from = 8; from + 64 <= about.st_size; from += PetscMax(64, about.st_size / 40)) {
    uint64_t       start[2], count[2];
    double         data[ROWS * COLUMNS];
    fare_store    *store;
    PetscErrorCode code;
    int            codes[2];

    write_file();
    damage(-1, from, from + 64);
    code = fare_store_open(PETSC_COMM_WORLD, path, &store);
    if (!code) {
      share(start, count);
      code = fare_store_read(store, "/deep/down/matrix", FARE_STORE_FLOAT64, 2, start, count, data);
      if (fare_store_close(&store)) fail_msg("cannot be closed: %s", fare_error_message());
    }
    assert_true(code == 0 || code == FARE_ERR_FAILED);
    codes[0] = (int)code;
    codes[1] = -(int)code;
    MPI_Allreduce(MPI_IN_PLACE, codes, 2, MPI_INT, MPI_MAX, PETSC_COMM_WORLD);
    assert_int_equal(codes[0], -codes[1]);
    refused += code != 0;
  }
  assert_true(refused > 0);
}

/* One rank alone asks for too much: all hear of it. */
static void boxes_beyond_the_data(void **state)
{
  uint64_t    start[2], count[2], line = 0;
  double      data[ROWS * COLUMNS];
  fare_store *store;

  (void)state;
  write_file();
  assert_ok(fare_store_open(PETSC_COMM_WORLD, path, &store));
  share(start, count);
  if (rank == size - 1) count[0]++;
  assert_all_say(fare_store_read(store, "/deep/down/matrix", FARE_STORE_FLOAT64, 2, start, count, data),
    "/deep/down/matrix is too short (17 along axis 0)");
  share(start, count);
  if (rank == size - 1) start[1] = UINT64_MAX; /* start + count wraps around */
  assert_all_say(fare_store_read(store, "/deep/down/matrix", FARE_STORE_FLOAT64, 2, start, count, data),
    "is too short (5 along axis 1)");
  assert_all_say(fare_store_read(store, "/deep/down/matrix", FARE_STORE_FLOAT64, 1, &line, &line, data),
    "/deep/down/matrix has 2 dimensions, not 1");
  assert_all_say(fare_store_read(store, "/deep/down", FARE_STORE_FLOAT64, 2, start, count, data),
    "has no dataset /deep/down");
  assert_all_say(
    fare_store_read(store, "/none", FARE_STORE_FLOAT64, 2, start, count, data), "has no dataset /none");
  share(start, count);
  /* and it goes on */
  assert_ok(fare_store_read(store, "/deep/down/matrix", FARE_STORE_FLOAT64, 2, start, count, data));
  for (uint64_t i = 0; i < count[0]; i++) assert_near(data[i * COLUMNS], entry(start[0] + i, 0), 0);
  assert_ok(fare_store_close(&store));
}

/* A handle that somebody forgot keeps a file from being named: it would not be whole. */
static void leaked_handles_are_found(void **state)
{
  fare_store *store;
  hid_t       file, group;

  (void)state;
  assert_ok(fare_store_create(PETSC_COMM_WORLD, path, &store));
  assert_ok(fare_store_group(store, "/g"));
  assert_int_equal(H5Fget_obj_ids((hid_t)H5F_OBJ_ALL, H5F_OBJ_FILE, 1, &file), 1);
  group = H5Gopen2(file, "/g", H5P_DEFAULT);
  assert_true(group >= 0);
  assert_all_say(fare_store_commit(&store), "cannot be completed");
  assert_null(store);
  assert_false(exists(path));
  assert_false(exists(temporary));
  H5Gclose(group);
  assert_true(H5Fclose(file) >= 0);
  /* while none of our own calls leave one */
  write_file();
  assert_ok(fare_store_open(PETSC_COMM_WORLD, path, &store));
  (void)fare_store_get_real(store, "/none", "x", &(double){0});
  (void)fare_store_get_int(store, "/deep", "x", &(int64_t){0});
  (void)fare_store_extents(store, "/deep", &(int){0}, (uint64_t[4]){0});
  assert_ok(fare_store_close(&store));
  assert_int_equal(H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_ALL), 0);
}

#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, prepare, clean)
static const struct CMUnitTest tests[] = {
  STORE_TEST(arrays_read_back_on_any_layout),
  STORE_TEST(groups_and_names),
  STORE_TEST(attributes_read_back),
  STORE_TEST(types_are_as_the_standards_ask),
  STORE_TEST(what_is_not_committed_is_not_there),
  STORE_TEST(places_that_cannot_be_written),
  STORE_TEST(damaged_files_are_the_same_error_everywhere),
  STORE_TEST(damage_inside_never_hangs),
  STORE_TEST(boxes_beyond_the_data),
  STORE_TEST(leaked_handles_are_found),
};
FARE_TEST_MAIN(tests)
