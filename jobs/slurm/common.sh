# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash source-path=SCRIPTDIR/../..
# Shared by the batch scripts: which fare to run, how to launch ranks, and how to stop. Source it from the
# repository's root.
set -uo pipefail
source jobs/common.sh
unset FARE_PROGRESS # output goes to a file

# Settings; the environment overrides them.
FARE=${FARE:-$(if [[ -x build/bin/fare ]]; then echo build/bin/fare; else command -v fare; fi)} # the program
FARE_LAUNCHER=${FARE_LAUNCHER:-srun} # or mpirun, where srun does not support this MPI
FARE_CHECKPOINT_SECONDS=${FARE_CHECKPOINT_SECONDS:-600} # the most work that a failing node loses

if [[ -z $FARE ]]; then
  echo "FARE: no program: build it first (cmake -S . -B build && cmake --build build), or set FARE" >&2
  exit 1
fi

# fare_ranks COMMAND...: runs it on all tasks of the job. SIGUSR1 is forwarded to every rank, which then
# writes a checkpoint.
# The exit code is the program's own.
fare_ranks() {
  local child code launch=(srun --mpi=pmix --kill-on-bad-exit=1)
  if [[ $FARE_LAUNCHER == mpirun ]]; then launch=(mpirun --bind-to none -n "${SLURM_NTASKS:-1}"); fi
  "${launch[@]}" "$@" &
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

# fare_again CODE: requeues a job that stopped with a checkpoint, under the same job id.
fare_again() {
  local job=${SLURM_ARRAY_JOB_ID:+${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}}
  if [[ $1 -ne 75 ]]; then exit "$1"; fi
  echo "FARE: stopped with a checkpoint; requeued (restarted ${SLURM_RESTART_COUNT:-0} times so far)"
  scontrol requeue "${job:-$SLURM_JOB_ID}"
  exit 0
}
