#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck source-path=SCRIPTDIR source-path=SCRIPTDIR/.. source=slurm.sh
# Runs the points of a sweep, each as an array task that requeues itself until its point is done:
#   missing=$(build/bin/fare sweep input/regimes.yaml --missing)
#   sbatch --array="$missing" jobs/slurm/array.sh input/regimes.yaml [--set key=value ...]
# Append %20 to the range to run at most twenty at a time. jobs/slurm/sweep.sh submits this and then the
# collection.
#SBATCH --job-name=fare
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=1
#SBATCH --time=01:00:00
#SBATCH --signal=B:USR1@120
#SBATCH --requeue
#SBATCH --output=%x-%A_%a.out
#SBATCH --open-mode=append
# Many clusters also require:
##SBATCH --account=PROJECT
##SBATCH --partition=PARTITION

# SLURM runs a copy of this script and knows where the original is.
home=${FARE_HOME:-$(scontrol show job "$SLURM_JOB_ID" | sed -n 's,^ *Command=,,p')}
source "${home%%/jobs/slurm/*}/jobs/slurm/slurm.sh" || exit 1
fare_run --point "$SLURM_ARRAY_TASK_ID" "$@"
fare_again $?
