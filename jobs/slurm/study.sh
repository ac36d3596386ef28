#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck source-path=SCRIPTDIR source-path=SCRIPTDIR/.. source=slurm.sh
# Runs one study on many ranks. Results go below the directory it is submitted from:
#   sbatch jobs/slurm/study.sh input/prinz_driven.yaml [--set key=value ...]
# Submit it again to resume.
#SBATCH --job-name=fare
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=2
#SBATCH --cpus-per-task=1
#SBATCH --time=01:00:00
#SBATCH --signal=B:USR1@120
#SBATCH --output=%x-%j.out
#SBATCH --open-mode=append
# Many clusters also require:
##SBATCH --account=PROJECT
##SBATCH --partition=PARTITION

# SLURM runs a copy of this script and knows where the original is.
home=${FARE_HOME:-$(scontrol show job "$SLURM_JOB_ID" | sed -n 's,^ *Command=,,p')}
source "${home%%/jobs/slurm/*}/jobs/slurm/slurm.sh" || exit 1
fare_run "$@"
