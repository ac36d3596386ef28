#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck source-path=SCRIPTDIR source-path=SCRIPTDIR/.. source=slurm.sh
# Merges the tables of a sweep and draws its figures after the points have ended:
#   sbatch --dependency=afterany:JOB jobs/slurm/collect.sh input/regimes.yaml [--set key=value ...]
#SBATCH --job-name=fare-collect
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --time=00:15:00
#SBATCH --output=%x-%j.out
# Many clusters also require:
##SBATCH --account=PROJECT
##SBATCH --partition=PARTITION

# SLURM runs a copy of this script and knows where the original is.
home=${FARE_HOME:-$(scontrol show job "$SLURM_JOB_ID" | sed -n 's,^ *Command=,,p')}
source "${home%%/jobs/slurm/*}/jobs/slurm/slurm.sh" || exit 1
"$FARE" sweep "$@"
fare_collect "$@"
