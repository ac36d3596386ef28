#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Whole studies on two ranks under the address and undefined-behaviour sanitizers: run, stopped and resumed,
# exported, scored, and failing. tests/leaks.supp lists leaks of libraries; any other report is a failure.
# Builds what it needs:
#
#   tests/sanitize/run.sh [BUILD_DIRECTORY]      build-sanitize unless told otherwise
set -euo pipefail
source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=${1:-$source_dir/build-sanitize}
launch=${FARE_MPIEXEC:-mpiexec}
if [[ ! -f $build/CMakeCache.txt ]]; then
  cmake -S "$source_dir" -B "$build" -DFARE_SANITIZE=ON -DFARE_NATIVE=OFF -DFARE_TESTS=ON \
    -DCMAKE_BUILD_TYPE=Debug
fi
if ! grep -q '^FARE_SANITIZE:BOOL=ON' "$build/CMakeCache.txt"; then
  echo "skipped: $build is not built with FARE_SANITIZE=ON (tests/sanitize/run.sh without an argument builds one)"
  exit 77
fi
if [[ -z ${FARE_COMMAND:-} ]]; then
  cmake --build "$build" --target fare_command
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/fare-sanitize-XXXXXX")
trap 'rm -rf "$work"' EXIT
compiler=$(sed -n 's/^CMAKE_C_COMPILER:[A-Z]*=//p' "$build/CMakeCache.txt")
"$compiler" -shared -fPIC -o "$work/keep_modules.so" "$source_dir/tests/sanitize/keep_modules.c"
preload=$work/keep_modules.so
runtime=$("$compiler" -print-file-name=libasan.so)
# gcc's runtime is a library, which has to come first
if [[ $runtime == /* ]]; then preload=$(readlink -f "$runtime"):$preload; fi
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OPENBLAS_NUM_THREADS=1
export OMPI_MCA_rmaps_base_oversubscribe=1
export OMPI_MCA_hwloc_base_binding_policy=none OMPI_MCA_mpi_yield_when_idle=1
export ASAN_OPTIONS=detect_leaks=1:log_path=$work/report
export UBSAN_OPTIONS=print_stacktrace=1:log_path=$work/report
export LSAN_OPTIONS=suppressions=$source_dir/tests/leaks.supp:print_suppressions=0
failures=0

# expect EXIT_CODE NAME ARGUMENTS...: the command on two ranks ends so, and no sanitizer says a word.
expect() {
  local code=$1 name=$2 got=0
  shift 2
  "$launch" -n 2 -x LD_PRELOAD="$preload" -x ASAN_OPTIONS -x UBSAN_OPTIONS -x LSAN_OPTIONS \
    "$build/bin/fare" "$@" > "$work/said" 2>&1 || got=$?
  if [[ $got != "$code" ]] || compgen -G "$work/report.*" > /dev/null; then
    echo "FAIL $name: exit code $got, expected $code"
    tail -15 "$work/said"
    cat "$work"/report.* 2> /dev/null | head -120 || true
    failures=$((failures + 1))
  else
    echo "ok   $name"
  fi
  rm -f "$work"/report.*
}

cd "$work"
cat > line.yaml <<'END'
study: line
seed: 7
system: {name: prinz}
drive: [{parameter: tilt, waveform: sine, amplitude: 4.0, period: 1.0}, {parameter: tilt, waveform: tabulated, times: [0, 1], values: [0, 1]}]
snapshots: {start: 0.0, end: 0.3, count: 4}
truth: {cells: [64], tolerance: 1.0e-5}
ensembles:
  - {name: walk, sampler: langevin, particles: 2000, dt: 1.0e-2}
  - {name: frozen, sampler: boltzmann, particles: 1500, sweeps: 2, adaptation: 2}
  - {name: learned, sampler: diffusion, particles: 700, steps: 130, batch: 128, width: 8, layers: 2, sampling_steps: 4, train: {particles: 1000}}
thermodynamics: {}
END
cat > plane.yaml <<'END'
study: plane
system: {name: maier_stein}
snapshots: {start: 0.0, end: 0.1, count: 3}
initial: {density: gaussian, mean: [-1, 0], sd: [0.2, 0.2]}
truth: {scheme: fitted, cells: [24, 24], lower: [-3, -2], upper: [3, 2], tolerance: 1.0e-4}
ensembles:
  - {name: walk, sampler: langevin, particles: 1000, dt: 1.0e-2}
END
sed 's/amplitude: 4.0/amplitude: nonsense/' line.yaml > faulty.yaml
diverges=(--overwrite --set output.directory=diverges -- -truth_ksp_type richardson -truth_pc_type none)

expect 0 "a study on a line" run line.yaml --no-report --set output.directory=line --checkpoint-seconds 0
expect 75 "stopped in training" run line.yaml --no-report --set output.directory=stopped --max-seconds 0.001
expect 0 "resumed" run line.yaml --no-report --set output.directory=stopped --resume
expect 0 "finished already" run line.yaml --no-report --set output.directory=stopped --resume
expect 0 "a study in the plane" run plane.yaml --no-report --set output.directory=plane
expect 0 "exported" export line --ensemble walk --out walk.h5
expect 0 "scored" score line walk.h5
expect 0 "scored for programs" score line walk.h5 --json
expect 0 "looked at" info line
expect 0 "checked" check line.yaml
expect 2 "a mistake" run faulty.yaml
expect 2 "a mistake on the command line" check line.yaml --set truth.cells=[1]
expect 2 "another plan" run line.yaml --resume --set output.directory=line --set seed=8
expect 2 "samples of another truth" score plane walk.h5
expect 1 "a solver that does not converge" run plane.yaml --no-report "${diverges[@]}"
# the next case leaks in PETSc, and only a full stack names the caller
ASAN_OPTIONS=$ASAN_OPTIONS:fast_unwind_on_malloc=0
expect 1 "an option that PETSc does not know" \
  run plane.yaml --no-report "${diverges[@]}" -truth_ksp_type nonsense
echo "$failures failures"
[[ $failures == 0 ]]
