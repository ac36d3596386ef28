/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Writing snapshots of many particles, beside one plain sequential write of as many bytes to the same disk;
  both end with the data on the disk. Turn by turn, with the median of all turns; nothing is asserted.

      mpirun -n 2 build/bin/bench_snapshot_io DIRECTORY [PARTICLES [TURNS [PRECISION COMPRESSION]]]

  DIRECTORY must not exist; what is written there is removed.
*/
#include <fare/fare.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE (4 << 20) /* bytes of one plain write */

static int by_size(const void *a, const void *b)
{
  const double x = *(const double *)a, y = *(const double *)b;

  return (x > y) - (x < y);
}

static double median(int count, double values[])
{
  qsort(values, (size_t)count, sizeof *values, by_size);
  return count % 2 ? values[count / 2] : 0.5 * (values[count / 2 - 1] + values[count / 2]);
}

/*
  Seconds of rank 0 for `bytes` written to `path` and flushed; the bytes are of the particles, which no disk
  can compress much.
*/
static PetscErrorCode write_plainly(
  const char *path, const fare_ensemble *ensemble, size_t bytes, double *seconds)
{
  const size_t have  = (size_t)ensemble->local * sizeof(double);
  const double began = fare_seconds();
  int          bad   = 0, rank, file;

  PetscFunctionBeginUser;
  PetscCallMPI(MPI_Comm_rank(ensemble->comm, &rank));
  if (rank == 0) {
    file = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0666);
    for (size_t at = 0; at < bytes && !bad;) {
      const size_t from  = at % (have - PetscMin(have - 1, PIECE)),
                   piece = PetscMin(PetscMin(PIECE, bytes - at), have - from);

      bad = write(file, (const char *)ensemble->x[0] + from, piece) != (ssize_t)piece;
      at += piece;
    }
    bad      = bad || fsync(file) || close(file);
    *seconds = fare_seconds() - began;
    unlink(path);
  }
  PetscFunctionReturn(
    fare_error_agree(ensemble->comm, bad ? fare_error(FARE_ERR_FAILED, "%s: cannot be written", path) : 0));
}

/* Seconds of the slowest rank for a snapshot, part by part: begin, particles, end. */
static PetscErrorCode write_snapshot(
  fare_record *record, int64_t index, const fare_ensemble *ensemble, double seconds[3])
{
  double at[4];

  PetscFunctionBeginUser;
  PetscCallMPI(MPI_Barrier(ensemble->comm));
  at[0] = fare_seconds();
  PetscCall(fare_record_begin(record, index, 0, 1));
  at[1] = fare_seconds();
  PetscCall(fare_record_species(record, "walk", ensemble));
  at[2] = fare_seconds();
  PetscCall(fare_record_end(record));
  at[3] = fare_seconds();
  for (int i = 0; i < 3; i++) seconds[i] = at[i + 1] - at[i];
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, seconds, 3, MPI_DOUBLE, MPI_MAX, ensemble->comm));
  PetscFunctionReturn(0);
}

static PetscErrorCode run(
  const char *directory, int64_t particles, int turns, const fare_record_options *options)
{
  static const char *const folders[] = {"snapshots", "figures", "checkpoints", ""};

  const fare_initial initial = {.density = FARE_INITIAL_BOLTZMANN};
  double            *plain, *whole, parts[3];
  char               path[PETSC_MAX_PATH_LEN], place[PETSC_MAX_PATH_LEN];
  struct stat        about = {0};
  fare_ensemble     *ensemble;
  fare_record       *record;
  fare_system       *system;
  size_t             bytes = 0;
  int                rank, ranks;

  PetscFunctionBeginUser;
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &ranks));
  PetscCall(fare_system_create(fare_system_type_find("prinz"), 1, &system));
  PetscCall(fare_ensemble_create(PETSC_COMM_WORLD, 1, particles, &ensemble));
  PetscCall(fare_ensemble_draw(ensemble, &initial, system, 0, fare_stream_make(1, "draw")));
  PetscCall(fare_record_create(PETSC_COMM_WORLD, directory, FARE_RECORD_NEW, &record));
  fare_record_set(record, options);
  PetscCall(PetscMalloc2(turns, &plain, turns, &whole));
  snprintf(place, sizeof place, "%s/snapshots/plain", directory);
  snprintf(path, sizeof path, "%s/snapshots/snapshot_000000.h5", directory);
  if (rank == 0)
    printf("%lld particles on %d rank%s, precision %s, compression %d\n%8s%10s%12s%10s%12s%10s\n",
      (long long)particles, ranks, ranks > 1 ? "s" : "", options->precision ? "single" : "double",
      (int)options->compression, "MB", "begin", "particles", "end", "MB/s", "plain");
  for (int turn = 0; turn < turns; turn++) {
    PetscCall(write_snapshot(record, 0, ensemble, parts));
    whole[turn] = parts[0] + parts[1] + parts[2];
    if (rank == 0 && !stat(path, &about)) bytes = (size_t)about.st_size;
    if (rank == 0) unlink(path);
    PetscCallMPI(MPI_Bcast(&bytes, sizeof bytes, MPI_BYTE, 0, PETSC_COMM_WORLD));
    PetscCall(write_plainly(place, ensemble, bytes, &plain[turn]));
    if (rank == 0)
      printf("%8.1f%10.3f%12.3f%10.3f%12.0f%10.0f\n", 1e-6 * (double)bytes, parts[0], parts[1], parts[2],
        1e-6 * (double)bytes / whole[turn], 1e-6 * (double)bytes / plain[turn]);
  }
  if (rank == 0)
    printf("snapshots are written at %.0f%% of the speed of a plain write\n",
      100 * median(turns, plain) / median(turns, whole));
  PetscCall(PetscFree2(plain, whole));
  PetscCall(fare_record_destroy(&record));
  if (rank == 0) {
    for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(folders); i++) {
      snprintf(place, sizeof place, "%s/%s", directory, folders[i]);
      rmdir(place);
    }
  }
  PetscCall(fare_ensemble_destroy(&ensemble));
  PetscCall(fare_system_destroy(&system));
  PetscFunctionReturn(0);
}

int main(int argc, char **argv)
{
  fare_record_options options = {0};
  PetscErrorCode      code;

  if (fare_initialize(1, argv)) return FARE_EXIT_FAILED;
  if (argc > 5) {
    options.precision   = !strcmp(argv[4], "single");
    options.compression = atoi(argv[5]);
  }
  code = argc < 2
    ? fare_error(
        FARE_ERR_INPUT, "usage: bench_snapshot_io DIRECTORY [PARTICLES [TURNS [PRECISION COMPRESSION]]]")
    : run(argv[1], argc > 2 ? atoll(argv[2]) : 10000000, argc > 3 ? atoi(argv[3]) : 5, &options);
  return fare_finalize(code);
}
