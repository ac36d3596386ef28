#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
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

cd "${SLURM_SUBMIT_DIR:-.}" || exit 1
source jobs/slurm/common.sh
fare_run --point "$SLURM_ARRAY_TASK_ID" "$@"
fare_again $?
