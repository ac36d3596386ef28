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

# Reads the output of ninja or make; shows its percentage: one line on a terminal, every 20% elsewhere.
fare_progress() {
  local line percent shown=0
  while IFS= read -r line; do
    [[ $line =~ ^\[\ *([0-9]+)(%|/([0-9]+))\] ]] || continue
    percent=${BASH_REMATCH[1]}
    if [[ ${BASH_REMATCH[3]} ]]; then percent=$((100 * percent / BASH_REMATCH[3])); fi
    if [[ -t 1 ]]; then
      printf '\rFARE: compiling, %3d%%' "$percent"
    elif ((percent >= shown + 20)); then
      shown=$((percent / 20 * 20))
      echo "FARE: compiling, $shown%"
    fi
  done
  if [[ -t 1 ]]; then echo; fi
}

# fare_build DIRECTORY TARGET [cmake options]: configures and builds. The output goes to DIRECTORY.log.
fare_build() {
  local directory=$1 target=$2 generator=()
  shift 2
  if command -v ninja >/dev/null && [[ ! -e $directory/CMakeCache.txt ]]; then generator=(-G Ninja); fi
  echo "FARE: building in $directory (log: $directory.log)"
  if ! cmake -S "$fare_root" -B "$directory" "${generator[@]}" "$@" >"$directory.log" 2>&1; then
    cat "$directory.log" >&2
    return 1
  fi
  # callers have set pipefail
  if ! cmake --build "$directory" --target "$target" --parallel "$(fare_cores)" 2>&1 |
    tee -a "$directory.log" | fare_progress; then
    tail -n 60 "$directory.log" >&2
    echo "FARE: the build failed (log: $directory.log)" >&2
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
