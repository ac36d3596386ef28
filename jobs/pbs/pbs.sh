# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash source-path=SCRIPTDIR source-path=SCRIPTDIR/..
# Shared by the PBS scripts. Source it; $FARE_ARGUMENTS holds what follows `fare run`, quoted as in a shell.
# shellcheck source=batch.sh
source "${BASH_SOURCE[0]%/*}/../batch.sh"
if [[ ${PBS_NODEFILE:-} ]]; then fare_launch+=(--hostfile "$PBS_NODEFILE" -n "$(wc -l <"$PBS_NODEFILE")"); fi

# PBS gives no warning before the time limit, so `fare` itself stops so many seconds before it.
FARE_WARNING_SECONDS=${FARE_WARNING_SECONDS:-120}

# fare_limit: the time limit of this job in seconds, less the warning.
fare_limit() {
  local limit
  limit=$(qstat -f "$PBS_JOBID" | sed -n 's/^ *Resource_List.walltime = //p')
  [[ $limit =~ ^([0-9]+):([0-9]+):([0-9]+)$ ]] || return 1
  limit=$((10#${BASH_REMATCH[1]} * 3600 + 10#${BASH_REMATCH[2]} * 60 + 10#${BASH_REMATCH[3]}))
  echo $((limit - FARE_WARNING_SECONDS))
}

# fare_job [ARGUMENTS...]: fare run with these and those of the job, up to shortly before the time limit.
fare_job() {
  local limit more=("$@")
  eval "set -- $FARE_ARGUMENTS"
  set -- "${more[@]}" "$@"
  if limit=$(fare_limit); then set -- --max-seconds "$limit" "$@"; fi
  fare_run "$@"
}

# fare_again CODE SCRIPT: submits the script again where the job stopped with a checkpoint. It depends on
# nothing: `fare` has ended, and PBS knows no dependency on a subjob. (qrerun would need the rights of an
# operator.)
fare_again() {
  if [[ $1 -ne 75 ]]; then exit "$1"; fi
  export FARE_HOME=$fare_root
  echo "FARE: stopped with a checkpoint; submitted again"
  qsub "$fare_root/jobs/pbs/$2" || exit
  exit 0
}
