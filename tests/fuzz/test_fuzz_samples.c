/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=unit,fuzz timeout=300 */
/* Somebody else's samples: any bytes as a file, and any file of HDF5, are read, or refused in one line. */
#define FUZZ_LONGEST 16384
#define FUZZ_ROUNDS  4000
#include "hdf5_input.h"

#include "study/score/score.h"

enum { TIMES = 4, READ = 2 /* of them are in a file */, PARTICLES = 70 };

static double        times[TIMES] = {0, 0.1, 0.2, 0.3};
static fare_finished study        = {
         .comm = MPI_COMM_NULL, .directory = "study", .dim = 1, .snapshots = TIMES, .time = times};
static char path[300];

static const char *const names[] = {"/samples", "/times", "/weights", "/log_density", "/time_000",
  "/time_001", "/time_002/samples", "/time_001/weights", "/time_a", "/time_000/log_density"};

static void ok(PetscErrorCode code)
{
  must(!code, "making a sound file");
}

static void put(fare_store *store, const char *name, int rank, const uint64_t extent[], const double data[])
{
  const uint64_t start[3] = {0};

  ok(fare_store_write(store, name, FARE_STORE_FLOAT64, rank, extent, start, extent, data));
}

static void make_arrays(double x[])
{
  const uint64_t extent[3] = {READ, PARTICLES, 1};
  fare_store    *store;

  ok(fare_store_create(PETSC_COMM_SELF, path, &store));
  put(store, "/times", 1, extent, times);
  put(store, "/samples", 3, extent, x);
  put(store, "/weights", 2, extent, x);
  put(store, "/log_density", 2, extent, x);
  ok(fare_store_commit(&store));
  input_add(path);
}

static void make_groups(double x[])
{
  fare_store *store;

  ok(fare_store_create(PETSC_COMM_SELF, path, &store));
  for (uint64_t k = 0; k < READ; k++) {
    const uint64_t extent[2] = {10 + k, 1};
    char           group[32], name[64];

    snprintf(group, sizeof group, "/time_%03d", (int)k);
    ok(fare_store_group(store, group));
    ok(fare_store_put_real(store, group, "time", times[k]));
    snprintf(name, sizeof name, "%s/samples", group);
    put(store, name, 2, extent, x);
    snprintf(name, sizeof name, "%s/weights", group);
    if (k != 1) put(store, name, 1, extent, x);
  }
  ok(fare_store_commit(&store));
  input_add(path);
}

static void begin(void)
{
  double x[READ * PARTICLES];

  study.comm = PETSC_COMM_SELF;
  for (int i = 0; i < READ * PARTICLES; i++) x[i] = 0.01 * (1 + i % 50);
  input_begin();
  snprintf(path, sizeof path, "%s/samples.h5", fuzz_folder);
  make_arrays(x);
  make_groups(x);
}

static int read_time(const fare_samples *samples, size_t i)
{
  fare_ensemble *e;
  double        *log_density;
  PetscErrorCode code = fare_samples_read(samples, i, &e);

  if (code) {
    must(!e, "an ensemble in spite of a refusal");
    input_must_be_refusal(code, !strncmp(fare_error_message(), "out of memory", 13));
    return 1;
  }
  for (int64_t p = 0; p < e->local; p++)
    must(isfinite(e->x[0][p]) && (!e->weight || e->weight[p] >= 0), "a sample that is no number");
  if (samples->has_log_density) {
    code = fare_samples_read_log_density(samples, i, e, &log_density);
    if (code)
      input_must_be_refusal(code, 0);
    else
      free(log_density);
  }
  must(!fare_ensemble_destroy(&e), "destroying");
  return code != 0;
}

static int read_file(void)
{
  fare_samples   samples;
  PetscErrorCode code    = fare_samples_open(&study, path, &samples);
  int            refused = 0;

  if (code) {
    input_must_be_refusal(code, 0);
    return 1;
  }
  must(samples.times > 0 && samples.times <= study.snapshots, "times that the study does not have");
  for (size_t i = 0; i < samples.times && !refused; i++) refused = read_time(&samples, i);
  must(!fare_samples_close(&samples), "closing");
  return refused;
}

static int read_one(const uint8_t *data, size_t size)
{
  int refused;

  input_make(path, data, size, names, sizeof names / sizeof *names);
  refused = read_file();
  input_done(data, size);
  return refused;
}

int main(int argc, char **argv)
{
  return fuzz_main(argc, argv, begin, NULL, 0, read_one);
}
