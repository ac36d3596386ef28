#!/usr/bin/env bash
# The YAML reader and the tables of fields under libFuzzer with the address and undefined-behaviour sanitizers, for a fixed number of inputs.
# fare-test: labels=fuzz timeout=300
set -euo pipefail
source_dir=${FARE_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
runs=${FARE_FUZZ_RUNS:-8000}

work=$(mktemp -d "${TMPDIR:-/tmp}/fare-fuzz-XXXXXX")
trap 'rm -rf "$work"' EXIT
echo 'int LLVMFuzzerTestOneInput(const unsigned char *d, unsigned long n) { (void)d; (void)n; return 0; }' > "$work/probe.c"
if ! command -v clang > /dev/null || ! clang -fsanitize=fuzzer,address "$work/probe.c" -o "$work/probe" 2> /dev/null; then
  echo "skipped: there is no clang with libFuzzer (test_fuzz_config does without)"
  exit 77
fi

flags=$(pkg-config --cflags --libs PETSc yaml-0.1)
mpi=$(mpicc --showme:compile 2> /dev/null || mpicc -compile_info | sed 's/^[^ ]* //')
mpi_libraries=$(mpicc --showme:link 2> /dev/null || mpicc -link_info | sed 's/^[^ ]* //')
# shellcheck disable=SC2086 # these are lists of flags
clang -g -O1 -std=gnu11 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined -DFARE_LIBFUZZER -DFARE_VERSION='"0"' -I"$source_dir/include" -I"$source_dir/src" \
  "$source_dir"/tests/fuzz/fuzz_config.c "$source_dir"/src/config/*.c "$source_dir"/src/support/*.c $mpi $flags $mpi_libraries -ldl -lm -o "$work/fuzz"

mkdir "$work/corpus"
cp "$source_dir"/input/*.yaml "$work/corpus"
export ASAN_OPTIONS=detect_leaks=1
if ! "$work/fuzz" -runs="$runs" -seed=1 -max_len=4096 -timeout=20 -print_final_stats=1 -artifact_prefix="$work/" "$work/corpus" > "$work/log" 2>&1; then
  tail -60 "$work/log"
  for input in "$work"/crash-* "$work"/leak-* "$work"/timeout-* "$work"/oom-*; do
    if [ -e "$input" ]; then
      echo "the input that does it, in base64:"
      base64 "$input"
    fi
  done
  exit 1
fi
grep stat:: "$work/log"
