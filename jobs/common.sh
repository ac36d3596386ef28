# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# Shared by the scripts: the location of the project, its set-up, and how to launch MPI here. Source it.
fare_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Open MPI refuses to run as root unless both are set.
if [[ $(id -u) -eq 0 ]]; then export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1; fi
# Ranks share the cores; BLAS threads would only compete with them.
export OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1
# Ranks cannot see whether output goes to a terminal; this shell can.
if [[ -t 1 ]]; then export FARE_PROGRESS=${FARE_PROGRESS:-terminal}; fi

# nproc would count the threads that OMP_NUM_THREADS allows.
fare_cores() { env -u OMP_NUM_THREADS nproc 2>/dev/null || getconf _NPROCESSORS_ONLN; }

# fare_build DIRECTORY [cmake options]: configures and builds.
fare_build() {
  local directory=$1 generator=()
  shift
  if command -v ninja >/dev/null && [[ ! -e $directory/CMakeCache.txt ]]; then generator=(-G Ninja); fi
  if ! cmake -S "$fare_root" -B "$directory" "${generator[@]}" "$@" >"$directory.log" 2>&1; then
    cat "$directory.log" >&2
    return 1
  fi
  if ! cmake --build "$directory" --parallel "$(fare_cores)" >>"$directory.log" 2>&1; then
    tail -n 60 "$directory.log" >&2
    return 1
  fi
  echo "FARE: built in $directory"
}

# fare_mpirun RANKS COMMAND...
fare_mpirun() {
  local ranks=$1
  shift
  mpirun --bind-to none -n "$ranks" "$@"
}
