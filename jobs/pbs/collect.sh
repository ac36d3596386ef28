#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck source-path=SCRIPTDIR source-path=SCRIPTDIR/.. source=pbs.sh
# Merges the tables of a sweep and draws its figures after the points have ended:
#   FARE_ARGUMENTS=input/regimes.yaml qsub -W depend=afterany:JOB jobs/pbs/collect.sh
#PBS -N fare-collect
#PBS -l select=1:ncpus=1:mpiprocs=1
#PBS -l walltime=00:15:00
#PBS -j oe
#PBS -V
# Many clusters also require:
##PBS -A PROJECT
##PBS -q QUEUE

# PBS runs a copy of this script. FARE_HOME says where FARE is (default: the directory of submission).
cd "$PBS_O_WORKDIR" || exit 1
source "${FARE_HOME:-$PBS_O_WORKDIR}/jobs/pbs/pbs.sh" || exit 1
eval "set -- $FARE_ARGUMENTS"
"$FARE" sweep "$@"
fare_collect "$@"
