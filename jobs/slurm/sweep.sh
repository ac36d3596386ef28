#!/bin/bash
# Submits what a sweep still needs: an array over its unfinished points, and a job that collects the results
# after it. Not a batch script itself.
#   bash jobs/slurm/sweep.sh input/regimes.yaml [--set key=value ...]
# Options for sbatch (account, partition) come from SBATCH_ACCOUNT, SBATCH_PARTITION, ... in the environment.
source jobs/slurm/common.sh
missing=$("$FARE" sweep --missing "$@") || exit
if [[ -z $missing ]]; then
  echo "FARE: all points of $1 are done"
  "$FARE" collect "$("$FARE" sweep --directory "$@")"
  exit
fi
array=$(sbatch --parsable --array="$missing" jobs/slurm/array.sh "$@") || exit
collect=$(sbatch --parsable --dependency=afterany:"$array" jobs/slurm/collect.sh "$@") || exit
echo "FARE: points $missing are job $array; job $collect collects behind it"
