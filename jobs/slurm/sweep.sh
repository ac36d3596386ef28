#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Submits the rest of a sweep: an array over its unfinished points, then a job that collects. Not a batch
# script itself.
#   bash jobs/slurm/sweep.sh input/regimes.yaml [--set key=value ...]
# Options of sbatch (an account, a partition) come from the environment (SBATCH_ACCOUNT, SBATCH_PARTITION,
# ...).
# shellcheck source-path=SCRIPTDIR source-path=SCRIPTDIR/.. source=slurm.sh
source "$(dirname "${BASH_SOURCE[0]}")/slurm.sh"
fare_missing "$@"
array=$(sbatch --parsable --array="$missing" "$fare_root/jobs/slurm/array.sh" "$@") || exit
collect=$(sbatch --parsable --dependency=afterany:"$array" "$fare_root/jobs/slurm/collect.sh" "$@") || exit
echo "FARE: points $missing are job $array; job $collect collects behind it"
