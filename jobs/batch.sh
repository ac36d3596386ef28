# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash source-path=SCRIPTDIR source-path=SCRIPTDIR/..
# Shared by the batch scripts of all schedulers: the cluster's set-up, which fare to run, how to launch ranks,
# and how to stop. Source it.
# shellcheck source=common.sh
source "${BASH_SOURCE[0]%/*}/common.sh"
unset FARE_PROGRESS                # output goes to a file
fare_launch=(mpirun --bind-to none) # what launches ranks; the schedulers' scripts add to it or replace it

# The cluster's set-up: modules by name, or commands in a file (jobs/site.sh.example is a template). Before
# `set -u`, which the scripts of many clusters do not survive.
FARE_SITE=${FARE_SITE:-$fare_root/jobs/site.sh}
if [[ ${FARE_MODULES:-} ]]; then
  # batch shells of some clusters do not know `module` until the profile is read
  declare -F module >/dev/null || source /etc/profile
  # shellcheck disable=SC2086 # a list
  module load $FARE_MODULES || exit 1
fi
if [[ -r $FARE_SITE ]]; then
  # shellcheck source=/dev/null
  source "$FARE_SITE" || exit 1
fi
set -uo pipefail

# Settings; the environment overrides them.
if [[ -z ${FARE:-} ]]; then # the program: that of the source tree, of the installation, or of PATH
  for FARE in "$fare_root/build/bin/fare" "$fare_root/../../bin/fare" fare; do
    if command -v "$FARE" >/dev/null; then break; fi
  done
fi
FARE_CHECKPOINT_SECONDS=${FARE_CHECKPOINT_SECONDS:-600} # the most work that a failing node loses
if ! command -v "$FARE" >/dev/null; then
  echo "FARE: no program $FARE: build it (cmake -S . -B build && cmake --build build), or set FARE to its path" >&2
  exit 1
fi

# fare_ranks COMMAND...: runs it on all tasks of the job. SIGUSR1 is forwarded to every rank, which then
# writes a checkpoint. The exit code is the program's own.
fare_ranks() {
  local child code
  "${fare_launch[@]}" "$@" &
  child=$!
  trap 'kill -USR1 "$child" 2>/dev/null' USR1
  trap 'kill -TERM "$child" 2>/dev/null' TERM
  # a trapped signal ends `wait` early
  while :; do
    wait "$child"
    code=$?
    kill -0 "$child" 2>/dev/null || break
  done
  trap - USR1 TERM
  return "$code"
}

# fare_run ARGUMENTS...: fare run on all tasks, resuming from a checkpoint if there is one.
# srun may return 0 although its tasks never started, so a result of 0 is verified.
fare_run() {
  local code looked=()
  fare_ranks "$FARE" run --resume --checkpoint-seconds "$FARE_CHECKPOINT_SECONDS" "$@"
  code=$?
  if [[ $code -ne 0 ]]; then return "$code"; fi
  while [[ $# -gt 0 && $1 != -- ]]; do
    case $1 in
    --set | --point) looked+=("$1" "${2-}"); shift ;;
    --max-seconds | --checkpoint-seconds | --grace-seconds) shift ;;
    --*) ;;
    *) looked+=("$1") ;;
    esac
    shift
  done
  "$FARE" status "${looked[@]}"
}

# fare_collect STUDY [--set key=value ...]: merges the tables of a sweep and draws its figures.
fare_collect() { "$FARE" collect "$("$FARE" sweep --directory "$@")"; }

# fare_missing STUDY [--set key=value ...]: the points of a sweep that are not done, in $missing. If there are
# none, collects and ends the script.
fare_missing() {
  missing=$("$FARE" sweep --missing "$@") || exit
  if [[ $missing ]]; then return; fi
  echo "FARE: all points of $1 are done"
  fare_collect "$@"
  exit
}
