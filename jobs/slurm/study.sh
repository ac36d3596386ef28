#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Runs one study on many ranks. From the repository's root:
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

cd "${SLURM_SUBMIT_DIR:-.}" || exit 1
source jobs/slurm/common.sh
fare_run "$@"
