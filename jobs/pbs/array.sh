#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck source-path=SCRIPTDIR source-path=SCRIPTDIR/.. source=pbs.sh
# Runs the points of a sweep, each a job of an array that submits itself again until its point is done. Points
# that are done end at once.
#   FARE_ARGUMENTS=input/regimes.yaml qsub -J 0-7 jobs/pbs/array.sh
# jobs/pbs/sweep.sh submits this and then the collection.
#PBS -N fare
#PBS -l select=1:ncpus=1:mpiprocs=1
#PBS -l walltime=01:00:00
#PBS -j oe
#PBS -V
# Many clusters also require:
##PBS -A PROJECT
##PBS -q QUEUE

# PBS runs a copy of this script. FARE_HOME says where FARE is (default: the directory of submission).
cd "$PBS_O_WORKDIR" || exit 1
source "${FARE_HOME:-$PBS_O_WORKDIR}/jobs/pbs/pbs.sh" || exit 1
export FARE_POINT=${FARE_POINT:-$PBS_ARRAY_INDEX}
fare_job --point "$FARE_POINT"
fare_again $? array.sh
