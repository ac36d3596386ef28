#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck source-path=SCRIPTDIR source-path=SCRIPTDIR/.. source=pbs.sh
# Runs a study longer than a job may be: two minutes before the time limit it writes a checkpoint and submits
# itself again, until it is done.
#   FARE_ARGUMENTS=input/prinz_driven_large.yaml qsub jobs/pbs/requeue.sh
#PBS -N fare
#PBS -l select=1:ncpus=2:mpiprocs=2
#PBS -l walltime=01:00:00
#PBS -j oe
#PBS -V
# Many clusters also require:
##PBS -A PROJECT
##PBS -q QUEUE

# PBS runs a copy of this script. FARE_HOME says where FARE is (default: the directory of submission).
cd "$PBS_O_WORKDIR" || exit 1
source "${FARE_HOME:-$PBS_O_WORKDIR}/jobs/pbs/pbs.sh" || exit 1
fare_job
fare_again $? requeue.sh
