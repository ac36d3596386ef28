/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory: what is free on a machine, and what the ranks there ask for together. */
#include <fare/support.h>

#include <math.h>
#include <stdio.h>

/* Bytes that are free on this machine, or infinity where that cannot be told. */
static double free_bytes(void)
{
  double kilobytes = HUGE_VAL;
  char   line[256];
  FILE  *file = fopen("/proc/meminfo", "r");

  while (file && fgets(line, sizeof line, file)) {
    if (sscanf(line, "MemAvailable: %lf kB", &kilobytes) == 1) break;
  }
  if (file) fclose(file);
  return 1024 * kilobytes;
}

PetscErrorCode fare_memory_of_machine(MPI_Comm comm, double bytes, double *asked, double *there)
{
  MPI_Comm machine;

  PetscFunctionBegin;
  *asked = bytes;
  *there = free_bytes();
  PetscCallMPI(MPI_Comm_split_type(comm, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &machine));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, asked, 1, MPI_DOUBLE, MPI_SUM, machine));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, there, 1, MPI_DOUBLE, MPI_MIN, machine));
  PetscCallMPI(MPI_Comm_free(&machine));
  PetscFunctionReturn(0);
}
