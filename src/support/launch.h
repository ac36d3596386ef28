/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside support: how MPI is started. */
#ifndef FARE_LAUNCH_H
#define FARE_LAUNCH_H

/* Sets what Open MPI reads from the environment, unless it is set already; before MPI starts. */
void fare_prepare_mpi(void);

#endif
