/* SPDX-License-Identifier: BSD-2-Clause */
/*
  One snapshot's worth of each thing that particles do together: steps between two snapshots, deposit on a
  grid that all ranks share, bins for measures, and the snapshot itself; with the messages and bytes that this
  rank gives to MPI, counted by MPI's profiling interface (what the library of MPI does inside itself to write
  a file is not seen by it). A line of numbers for bench/scaling.py, which runs it on several numbers of
  ranks.

      mpirun -n 4 build/bin/bench_scaling DIMENSION PARTICLES CELLS_PER_AXIS STEPS DIRECTORY
*/
#include <fare/fare.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* PETSc counts by macros of these names. */
#undef MPI_Allreduce
#undef MPI_Reduce_scatter
#undef MPI_Alltoall
#undef MPI_Alltoallv
#undef MPI_Bcast

/*
  Calls that carry data, and the bytes that this rank hands over in them: what it sends, or its contribution
  to what all combine.
*/
static int64_t calls, bytes;

static void count(int64_t elements, MPI_Datatype type)
{
  int size;

  PMPI_Type_size(type, &size);
  calls++;
  bytes += elements * size;
}

int MPI_Allreduce(const void *from, void *to, int n, MPI_Datatype type, MPI_Op op, MPI_Comm comm)
{
  count(n, type);
  return PMPI_Allreduce(from, to, n, type, op, comm);
}

int MPI_Reduce_scatter(const void *from, void *to, const int n[], MPI_Datatype type, MPI_Op op, MPI_Comm comm)
{
  int64_t all = 0;
  int     size;

  PMPI_Comm_size(comm, &size);
  for (int i = 0; i < size; i++) all += n[i];
  count(all, type);
  return PMPI_Reduce_scatter(from, to, n, type, op, comm);
}

int MPI_Alltoall(
  const void *from, int n, MPI_Datatype type, void *to, int m, MPI_Datatype other, MPI_Comm comm)
{
  int size;

  PMPI_Comm_size(comm, &size);
  count((int64_t)n * size, type);
  return PMPI_Alltoall(from, n, type, to, m, other, comm);
}

int MPI_Alltoallv(const void *from, const int n[], const int at[], MPI_Datatype type, void *to, const int m[],
  const int by[], MPI_Datatype other, MPI_Comm comm)
{
  int64_t all = 0;
  int     size, rank;

  PMPI_Comm_size(comm, &size);
  PMPI_Comm_rank(comm, &rank);
  for (int i = 0; i < size; i++) all += i == rank ? 0 : n[i];
  count(all, type);
  return PMPI_Alltoallv(from, n, at, type, to, m, by, other, comm);
}

int MPI_Bcast(void *what, int n, MPI_Datatype type, int root, MPI_Comm comm)
{
  int rank;

  PMPI_Comm_rank(comm, &rank);
  count(rank == root ? n : 0, type);
  return PMPI_Bcast(what, n, type, root, comm);
}

enum { STEPS, DEPOSIT, BINS, SNAPSHOT, PARTS };
static const char *const names[] = {"steps", "deposit", "bins", "snapshot"};

/* Of one part: wall and processor seconds, calls and bytes; the largest of all ranks. */
typedef struct {
  double value[4];
} spent;

static spent now(void)
{
  struct timespec processor;

  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &processor);
  return (spent){{fare_seconds(), (double)processor.tv_sec + 1e-9 * (double)processor.tv_nsec, (double)calls,
    (double)bytes}};
}

static PetscErrorCode since(const spent *began, spent *took)
{
  *took = now();
  for (int i = 0; i < 4; i++) took->value[i] -= began->value[i];
  return PMPI_Allreduce(MPI_IN_PLACE, took->value, 4, MPI_DOUBLE, MPI_MAX, PETSC_COMM_WORLD);
}

static PetscErrorCode work(int part, fare_sampler *sampler, double t, fare_ensemble *ensemble,
  const fare_grid *grid, const fare_binning *binning, fare_record *record)
{
  fare_binned binned;
  double      outside;
  Vec         masses;

  PetscFunctionBeginUser;
  switch (part) {
  case STEPS:
    PetscCall(fare_sampler_advance(sampler, t, ensemble));
    break;
  case DEPOSIT:
    PetscCall(fare_deposit(grid, ensemble, &masses, &outside));
    PetscCall(VecDestroy(&masses));
    break;
  case BINS:
    PetscCall(fare_binning_ensemble(binning, ensemble, &binned));
    PetscCall(fare_binned_free(&binned));
    break;
  default:
    PetscCall(fare_record_begin(record, 1, t, 1));
    PetscCall(fare_record_species(record, "walk", ensemble));
    PetscCall(fare_record_end(record));
  }
  PetscFunctionReturn(0);
}

/* The second of two turns counts: in the first, memory is new and MPI makes its connections. */
static PetscErrorCode measure(fare_sampler *sampler, fare_ensemble *ensemble, const fare_grid *grid,
  const fare_binning *binning, fare_record *record, int64_t cells)
{
  int rank, ranks;

  PetscFunctionBeginUser;
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &ranks));
  PetscCall(fare_sampler_advance(sampler, 0, ensemble));
  for (int turn = 1; turn <= 2; turn++) {
    for (int part = 0; part < PARTS; part++) {
      spent began, took;

      PetscCallMPI(PMPI_Barrier(PETSC_COMM_WORLD));
      began = now();
      PetscCall(work(part, sampler, turn, ensemble, grid, binning, record));
      PetscCallMPI(since(&began, &took));
      if (rank == 0 && turn == 2)
        printf("%d %lld %lld %s %.6g %.6g %.0f %.0f\n", ranks, (long long)ensemble->count, (long long)cells,
          names[part], took.value[0], took.value[1], took.value[2], took.value[3]);
    }
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode run(int dim, int64_t particles, PetscInt cells, int steps, const char *directory)
{
  static const char *const names_of_systems[] = {"prinz", "quadruple_well", "ornstein_uhlenbeck"};
  const fare_initial       initial            = {.density = FARE_INITIAL_BOLTZMANN};
  const fare_schedule      schedule           = {0, 2, 3};
  const PetscInt           axes[]             = {cells, cells, cells};
  char                     options[64];
  const fare_system_type  *type        = fare_system_type_find(names_of_systems[dim - 1]);
  const fare_sampler_type *langevin    = fare_sampler_type_find("langevin");
  void                    *of_langevin = NULL;
  fare_system             *system;
  fare_sampler            *sampler;
  fare_config             *config;
  fare_ensemble           *ensemble;
  fare_grid               *grid;
  fare_binning            *binning;
  fare_record             *record;
  struct rusage            usage;
  double                   megabytes;
  int                      rank, ranks;

  PetscFunctionBeginUser;
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &ranks));
  snprintf(options, sizeof options, "{dt: %.17g}", 1. / steps);
  PetscCall(fare_system_create(type, dim, &system));
  PetscCall(fare_config_parse("bench", options, strlen(options), &config));
  PetscCall(fare_sampler_options_read(langevin, fare_config_root(config), NULL, &of_langevin));
  PetscCall(fare_sampler_create(
    PETSC_COMM_WORLD, langevin, "walk", of_langevin, 1, system, &initial, &schedule, &sampler));
  fare_sampler_options_free(langevin, &of_langevin);
  PetscCall(fare_ensemble_create(PETSC_COMM_WORLD, dim, particles, &ensemble));
  PetscCall(fare_grid_create(PETSC_COMM_WORLD, dim, axes, type->lower, type->upper, NULL, &grid));
  PetscCall(fare_binning_create(grid, &binning));
  PetscCall(fare_record_create(PETSC_COMM_WORLD, directory, FARE_RECORD_OVERWRITE, &record));
  PetscCall(measure(sampler, ensemble, grid, binning, record, cells));
  getrusage(RUSAGE_SELF, &usage);
  megabytes = (double)usage.ru_maxrss / 1024;
  PetscCallMPI(PMPI_Allreduce(MPI_IN_PLACE, &megabytes, 1, MPI_DOUBLE, MPI_MAX, PETSC_COMM_WORLD));
  if (rank == 0)
    printf("%d %lld %lld memory %.1f 0 0 0\n", ranks, (long long)particles, (long long)cells, megabytes);
  PetscCall(fare_record_destroy(&record));
  PetscCall(fare_binning_destroy(&binning));
  PetscCall(fare_grid_destroy(&grid));
  PetscCall(fare_ensemble_destroy(&ensemble));
  PetscCall(fare_sampler_destroy(&sampler));
  fare_config_destroy(&config);
  PetscCall(fare_system_destroy(&system));
  PetscFunctionReturn(0);
}

int main(int argc, char **argv)
{
  PetscErrorCode code;

  if (fare_initialize(1, argv)) return FARE_EXIT_FAILED;
  code = argc < 6
    ? fare_error(FARE_ERR_INPUT, "usage: bench_scaling DIMENSION PARTICLES CELLS_PER_AXIS STEPS DIRECTORY")
    : run(atoi(argv[1]), atoll(argv[2]), atoi(argv[3]), atoi(argv[4]), argv[5]);
  return fare_finalize(code);
}
