#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Runs a study longer than a job may be: two minutes before the time limit it writes a checkpoint and
# requeues itself,
# until it is done.
#   sbatch jobs/slurm/requeue.sh input/prinz_driven_large.yaml [--set key=value ...]
#SBATCH --job-name=fare
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=2
#SBATCH --cpus-per-task=1
#SBATCH --time=01:00:00
#SBATCH --signal=B:USR1@120
#SBATCH --requeue
#SBATCH --output=%x-%j.out
#SBATCH --open-mode=append
# Many clusters also require:
##SBATCH --account=PROJECT
##SBATCH --partition=PARTITION

cd "${SLURM_SUBMIT_DIR:-.}" || exit 1
source jobs/slurm/common.sh
fare_run "$@"
fare_again $?
