#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
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

cd "${SLURM_SUBMIT_DIR:-.}" || exit 1
source jobs/slurm/common.sh
"$FARE" sweep "$@"
"$FARE" collect "$("$FARE" sweep --directory "$@")"
