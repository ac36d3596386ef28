#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Submits the rest of a sweep: an array over its unfinished points, then a job that collects. Not a batch
# script itself.
#   bash jobs/pbs/sweep.sh input/regimes.yaml [--set key=value ...]
# Options of qsub come from the environment: FARE_QSUB="-A PROJECT -q QUEUE".
# shellcheck source-path=SCRIPTDIR source-path=SCRIPTDIR/.. source=pbs.sh
source "$(dirname "${BASH_SOURCE[0]}")/pbs.sh"
fare_missing "$@"
FARE_ARGUMENTS=$(printf '%q ' "$@")
export FARE_HOME=$fare_root FARE_ARGUMENTS FARE_POINT=
# an array of PBS is one range of at least two
first=${missing%%[-,]*} last=${missing##*[-,]}
if [[ $first == "$last" ]]; then FARE_POINT=$first range=(); else range=(-J "$first-$last"); fi
read -ra options <<<"${FARE_QSUB:-}"
array=$(qsub "${options[@]}" "${range[@]}" "$fare_root/jobs/pbs/array.sh") || exit
collect=$(qsub "${options[@]}" -W depend=afterany:"$array" "$fare_root/jobs/pbs/collect.sh") || exit
echo "FARE: points $missing are job $array; job $collect collects behind it"
