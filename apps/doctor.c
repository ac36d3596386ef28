/* SPDX-License-Identifier: BSD-2-Clause */
/* doctor: what the machine has of what FARE needs, tried out where that takes no time, and what is wrong. */
#include "fare.h"

#include <cblas.h>
#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

typedef struct {
  fare_table *table;
  fare_text   wrong, advice; /* a line each */
  int         ranks_here;    /* of this run, on this machine */
} examination;

static void add_row(examination *e, const char *what, const char *format, ...) PETSC_ATTRIBUTE_FORMAT(3, 4);
static void add_row(examination *e, const char *what, const char *format, ...)
{
  char    text[512];
  va_list arguments;

  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  text[strcspn(text, "\n")] = '\0';
  fare_table_cell(e->table, "%s", what);
  fare_table_cell(e->table, "%s", text);
}

/* The first line that a shell command prints; false where it fails. */
static PetscBool ask_shell(const char *command, size_t size, char line[])
{
  FILE *pipe = popen(command, "r");
  char  rest[256];

  *line = '\0';
  if (!pipe) return PETSC_FALSE;
  if (!fgets(line, (int)size, pipe)) *line = '\0';
  line[strcspn(line, "\n")] = '\0';
  while (fgets(rest, sizeof rest, pipe)) continue;
  return pclose(pipe) == 0 && *line ? PETSC_TRUE : PETSC_FALSE;
}

static void examine_machine(examination *e)
{
  const double   page      = (double)sysconf(_SC_PAGESIZE) / (1 << 30);
  char           name[256] = "", directory[PETSC_MAX_PATH_LEN] = "";
  const int      cores = (int)sysconf(_SC_NPROCESSORS_ONLN);
  struct statvfs disk;

  gethostname(name, sizeof name - 1);
  add_row(
    e, "machine", "%s: %d cores, %.1f GiB of memory", name, cores, page * (double)sysconf(_SC_PHYS_PAGES));
  if (e->ranks_here > cores)
    fare_text_add(
      &e->wrong, "%d ranks share %d cores: start at most %d per machine\n", e->ranks_here, cores, cores);
  if (!getcwd(directory, sizeof directory) || statvfs(directory, &disk)) return;
  add_row(e, "disk", "%.1f GiB free in %s%s", (double)disk.f_bavail * (double)disk.f_frsize / (1 << 30),
    directory, access(directory, W_OK) ? ", not writable" : "");
  if (access(directory, W_OK))
    fare_text_add(&e->wrong, "%s is not writable: results are written below it\n", directory);
}

static void examine_mpi(examination *e)
{
  char text[MPI_MAX_LIBRARY_VERSION_STRING];
  int  size, length;

  MPI_Get_library_version(text, &length);
  text[strcspn(text, ",\n")] = '\0';
  MPI_Comm_size(PETSC_COMM_WORLD, &size);
  add_row(e, "MPI", "%s; this run has %d rank%s", text, size, size == 1 ? "" : "s");
}

/* How fast one core multiplies matrices, in 1e9 operations per second: the best of a few times. */
static double measure_blas(void)
{
  enum { SIZE = 384, TIMES = 4 };
  float *a    = calloc((size_t)3 * SIZE * SIZE, sizeof *a);
  double best = 0;

  for (int i = 0; a && i < TIMES; i++) {
    const double began = MPI_Wtime();

    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, SIZE, SIZE, SIZE, 1, a, SIZE, a + SIZE * SIZE,
      SIZE, 0, a + 2 * SIZE * SIZE, SIZE);
    best = PetscMax(best, 2e-9 * SIZE * SIZE * SIZE / (MPI_Wtime() - began));
  }
  free(a);
  return best;
}

static void examine_libraries(examination *e)
{
  const double speed = measure_blas();
  unsigned     hdf5[3];
  char         text[256];

  PetscGetVersion(text, sizeof text);
  add_row(e, "PETSc", "%s", text);
  H5get_libversion(&hdf5[0], &hdf5[1], &hdf5[2]);
  add_row(e, "HDF5", "%u.%u.%u, parallel", hdf5[0], hdf5[1], hdf5[2]);
  add_row(e, "BLAS", "%.0f GFLOP/s on one core", speed);
  if (speed < 4)
    fare_text_add(&e->wrong,
      "BLAS is slow (reference library?): networks will be many times slower than with OpenBLAS\n");
}

/* Formulas are compiled when a study starts: one is tried. */
static void examine_compiler(examination *e)
{
  static const char text[] = "system: {expression: {axes: [x], potential: x^2, lower: [-1], upper: [1]}}";
  fare_config      *config;
  fare_system      *system;

  add_row(e, "compiler", "%s built FARE", __VERSION__);
  if (fare_config_parse("doctor", text, sizeof text - 1, &config)) return;
  if (fare_system_from_config(fare_node_find(fare_config_root(config), "system"), NULL, &system)) {
    add_row(e, "formulas", "do not compile");
    fare_text_add(&e->wrong, "systems defined by formulas need a C compiler: %s\n", fare_error_message());
  } else {
    add_row(e, "formulas", "compile");
    fare_system_destroy(&system);
  }
  fare_config_destroy(&config);
}

static void examine_python(examination *e)
{
  static const char ask[] =
    "'%s' -c 'import h5py, numpy, matplotlib; import sys; print(\"%%s %%s, h5py %%s, numpy %%s, "
    "matplotlib %%s\" %% (sys.executable, sys.version.split()[0], h5py.__version__, "
    "numpy.__version__, matplotlib.__version__))' 2>/dev/null";
  char command[PETSC_MAX_PATH_LEN + 512], line[512];

  snprintf(command, sizeof command, ask, FARE_PYTHON);
  if (*FARE_PYTHON && ask_shell(command, sizeof line, line)) {
    add_row(e, "Python", "%s", line);
    return;
  }
  add_row(
    e, "Python", "%s", *FARE_PYTHON ? FARE_PYTHON " does not import h5py, numpy and matplotlib" : "none");
  fare_text_add(&e->wrong, "reports cannot be drawn: install h5py, numpy and matplotlib for a Python%s\n",
    *FARE_PYTHON ? "" : ", and rebuild FARE");
}

static void examine_scheduler(examination *e)
{
  char line[512], pmix[64];

  if (ask_shell("srun --version 2>/dev/null", sizeof line, line)) {
    const PetscBool there = ask_shell("srun --mpi=list 2>&1 | grep -o pmix | head -n 1", sizeof pmix, pmix);

    add_row(e, "scheduler", "%s, srun --mpi=pmix is %savailable", line, there ? "" : "not ");
    if (!there)
      fare_text_add(&e->advice, "srun has no --mpi=pmix: use FARE_LAUNCHER=mpirun with the batch scripts\n");
  } else if (ask_shell("command -v srun", sizeof line, line)) {
    add_row(e, "scheduler", "SLURM (%s), not set up on this machine", line);
  } else if (ask_shell("command -v qsub", sizeof line, line)) {
    add_row(e, "scheduler", "PBS (%s)", line);
  } else {
    add_row(e, "scheduler", "none found");
  }
  add_row(e, "GPU", "not used: FARE runs on CPUs only");
}

static PetscErrorCode examine(examination *e)
{
  PetscFunctionBegin;
  fare_table_create(2, &e->table);
  fare_table_headings(e->table, (const char *const[]){"part", "found"});
  add_row(e, "FARE", "%s", fare_version());
  examine_machine(e);
  examine_mpi(e);
  examine_libraries(e);
  examine_compiler(e);
  examine_python(e);
  examine_scheduler(e);
  fare_table_print(e->table, stdout);
  fare_table_destroy(&e->table);
  printf("\n%s%s", e->wrong.length ? e->wrong.text : "", e->advice.length ? e->advice.text : "");
  if (e->wrong.length) {
    fare_text_free(&e->wrong);
    fare_text_free(&e->advice);
    FARE_FAIL(FARE_ERR_FAILED, "this machine has problems, listed above");
  }
  printf("No problems found.\n");
  fare_text_free(&e->advice);
  PetscFunctionReturn(0);
}

static PetscErrorCode doctor(const fare_arguments *arguments)
{
  examination    e    = {0};
  PetscErrorCode code = 0;
  MPI_Comm       machine;
  int            rank;

  PetscFunctionBegin;
  if (arguments->count > 1) PetscCall(fare_usage(&fare_command_doctor, "it takes no arguments"));
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  PetscCallMPI(MPI_Comm_split_type(PETSC_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &machine));
  PetscCallMPI(MPI_Comm_size(machine, &e.ranks_here));
  PetscCallMPI(MPI_Comm_free(&machine));
  if (rank == 0) code = examine(&e);
  PetscFunctionReturn(fare_error_agree(PETSC_COMM_WORLD, code));
}

const fare_command fare_command_doctor = {
  .name     = "doctor",
  .synopsis = "doctor",
  .summary  = "checks this machine for what FARE needs and reports problems",
  .help     = "fare doctor\nmpirun -n 2 fare doctor\n\n"
              "Exit code 1 if there is a problem. On a cluster, run it inside a job.\n",
  .run      = doctor,
};
