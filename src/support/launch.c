/* SPDX-License-Identifier: BSD-2-Clause */
/* Who has started this process, and what Open MPI does by that. */
#include "launch.h"

#include <fare/support.h>

#include <stdlib.h>

PetscBool fare_is_launched(void)
{
  /* Open MPI and PRRTE; PMIx; PMI-1 and PMI-2; steps of SLURM, whose tasks may lack all of them */
  static const char *const signs[] = {
    "OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMIX_NAMESPACE", "PMI_RANK", "PMI_FD", "SLURM_STEP_ID"};

  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(signs); i++) {
    if (getenv(signs[i])) return PETSC_TRUE;
  }
  return PETSC_FALSE;
}

void fare_prepare_mpi(void)
{
  /*
    Nothing here has a shared file pointer. In Open MPI 4.1, lockedfile overruns a buffer of 256 bytes when
    the path of a file is long. sm needs the directory of the session, which processes that run alone have in
    common: the first to end removes it.
  */
  setenv("OMPI_MCA_sharedfp", "^lockedfile,sm", 0);
  if (fare_is_launched()) {
    /* a rank that waits lets others have its core, where there are more of them than cores */
    setenv("OMPI_MCA_mpi_yield_when_idle", "1", 0);
  } else {
    /*
      A process alone needs no network and no daemon, and starts faster without looking for them. It needs no
      directory of its session either: all isolated processes of a user have one in common, and one that ends
      takes it away from another that starts.
    */
    setenv("OMPI_MCA_ess_singleton_isolated", "1", 0);
    setenv("OMPI_MCA_orte_create_session_dirs", "0", 0);
    setenv("OMPI_MCA_pml", "ob1", 0);
    setenv("OMPI_MCA_btl", "self", 0);
  }
}
