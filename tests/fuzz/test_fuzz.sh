#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The readers of YAML, samples, checkpoints and their plans under libFuzzer with the address and
# undefined-behaviour sanitizers, for a fixed number of inputs each.
# fare-test: labels=fuzz timeout=900
set -euo pipefail
source_dir=${FARE_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
targets=${FARE_FUZZ_TARGETS:-config samples checkpoint plan}
runs=${FARE_FUZZ_RUNS:-4000}

work=$(mktemp -d "${TMPDIR:-/tmp}/fare-fuzz-XXXXXX")
trap 'rm -rf "$work"' EXIT
echo 'int LLVMFuzzerTestOneInput(const unsigned char *d, unsigned long n) { (void)d; (void)n; return 0; }' \
  > "$work/probe.c"
if ! command -v clang > /dev/null ||
  ! clang -fsanitize=fuzzer,address "$work/probe.c" -o "$work/probe" 2> /dev/null; then
  echo "skipped: there is no clang with libFuzzer (the other tests of fuzzing do without)"
  exit 77
fi

# The tests' own programs, whose main hands over to libFuzzer.
sanitizers="address,undefined -fno-sanitize-recover=undefined"
fuzzer=$(clang -fsanitize=fuzzer "$work/probe.c" -o "$work/probe" '-###' 2>&1 |
  grep -o '[^" ]*libclang_rt[.]fuzzer[^" ]*[.]a' | head -1 | sed 's/rt[.]fuzzer/rt.fuzzer_no_main/')
cmake -S "$source_dir" -B "$work/build" -DFARE_TESTS=ON -DFARE_NATIVE=OFF \
  -DCMAKE_C_COMPILER=clang -DCMAKE_BUILD_TYPE=Debug \
  -DCMAKE_C_FLAGS="-O1 -fsanitize=fuzzer-no-link,$sanitizers -DFARE_LIBFUZZER" \
  -DCMAKE_C_STANDARD_LIBRARIES="$fuzzer -lstdc++" > "$work/log" 2>&1 || { tail -30 "$work/log"; exit 1; }
for target in $targets; do
  cmake --build "$work/build" --parallel "$(nproc)" --target "test_fuzz_$target" > "$work/log" 2>&1 ||
    { tail -30 "$work/log"; exit 1; }
done

# leaks.supp lists leaks of libraries. Memory that a file only claims must be refused like memory that is not
# there.
export ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1
export LSAN_OPTIONS="suppressions=$source_dir/tests/leaks.supp:print_suppressions=0"
for target in $targets; do
  mkdir "$work/$target"
  export FARE_FUZZ_CORPUS=$work/$target # the program puts its seeds there
  if ! "$work/build/tests/test_fuzz_$target" -runs="$runs" -seed=1 -max_len=4096 -timeout=60 \
    -rss_limit_mb=4096 -print_final_stats=1 -artifact_prefix="$work/" "$work/$target" > "$work/log" 2>&1; then
    tail -60 "$work/log"
    for input in "$work"/crash-* "$work"/leak-* "$work"/timeout-* "$work"/oom-*; do
      if [ -e "$input" ]; then
        echo "the input of test_fuzz_$target that does it, in base64:"
        base64 "$input"
      fi
    done
    exit 1
  fi
  echo "$target:"
  grep stat:: "$work/log"
done
