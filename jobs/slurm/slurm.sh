# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash source-path=SCRIPTDIR source-path=SCRIPTDIR/..
# Shared by the SLURM scripts. Source it.
# shellcheck source=batch.sh
source "${BASH_SOURCE[0]%/*}/../batch.sh"
if [[ ${FARE_LAUNCHER:-srun} == mpirun ]]; then # where srun does not support this MPI
  fare_launch+=(-n "${SLURM_NTASKS:-1}")
else
  fare_launch=(srun --mpi=pmix --kill-on-bad-exit=1)
fi

# fare_again CODE: requeues a job that stopped with a checkpoint, under the same job id.
fare_again() {
  local job=${SLURM_ARRAY_JOB_ID:+${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}}
  if [[ $1 -ne 75 ]]; then exit "$1"; fi
  echo "FARE: stopped with a checkpoint; requeued (restarted ${SLURM_RESTART_COUNT:-0} times so far)"
  scontrol requeue "${job:-$SLURM_JOB_ID}"
  exit 0
}
