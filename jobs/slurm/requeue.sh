#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck source-path=SCRIPTDIR source-path=SCRIPTDIR/.. source=slurm.sh
# Runs a study longer than a job may be: two minutes before the time limit it writes a checkpoint and
# requeues itself, until it is done.
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

# SLURM runs a copy of this script and knows where the original is.
home=${FARE_HOME:-$(scontrol show job "$SLURM_JOB_ID" | sed -n 's,^ *Command=,,p')}
source "${home%%/jobs/slurm/*}/jobs/slurm/slurm.sh" || exit 1
fare_run "$@"
fare_again $?
