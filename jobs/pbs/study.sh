#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck source-path=SCRIPTDIR source-path=SCRIPTDIR/.. source=pbs.sh
# Runs one study on many ranks. Results go below the directory it is submitted from:
#   FARE_ARGUMENTS="input/prinz_driven.yaml --set truth.cells=2048" qsub jobs/pbs/study.sh
# Submit it again to resume.
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
