#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# fare-test: labels=unit timeout=120
# Random numbers of every installed compiler: uniforms to the same bits, normals as the C library computes
# them. With fast-math a compiler may split sums that must stay whole.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat >"$work/normals.c" <<'C'
#include <fare/random.h>
#include <math.h>
#include <stdio.h>

int main(void)
{
  const fare_stream stream = {{1, 2}};
  double            u[FARE_BLOCK], z[FARE_BLOCK], worst = 0, sum = 0;

  for (uint64_t b = 0; b < 200; b++) {
    fare_random_uniforms(stream, b, 7, 1, u);
    fare_random_normals(stream, b, 7, 1, z);
    for (int i = 0; i < FARE_BLOCK / 2; i++) {
      const double radius = sqrt(-2 * log(u[i])), angle = 8 * atan(1) * u[i + FARE_BLOCK / 2];
      const double x = fabs(z[i] - radius * cos(angle)), y = fabs(z[i + FARE_BLOCK / 2] - radius * sin(angle));

      if (!(x <= worst)) worst = x;
      if (!(y <= worst)) worst = y;
    }
    for (int i = 0; i < FARE_BLOCK; i++) sum += u[i];
  }
  printf("%.17g %s\n", sum, worst < 1e-14 ? "right" : "wrong");
  return 0;
}
C

commands=$FARE_BINARY_DIR/compile_commands.json
read -ra include <<<"$(grep -o -e '-isystem [^ ]*' "$commands" | sort -u | tr '\n' ' ')"
include+=(-I"$FARE_SOURCE_DIR/include" -I"$FARE_SOURCE_DIR/src")
kernel=(-std=gnu11 -O3 -ffast-math -fopenmp-simd -fno-math-errno -w)
tried=0 failed=0 expected=

for cc in "${CC:-cc}" gcc clang icx; do
  command -v "$cc" >/dev/null || continue
  for target in "" -march=native; do
    # not every compiler knows every flag
    "$cc" "${kernel[@]}" ${target:+"$target"} "${include[@]}" -c -o "$work/kernels.o" \
      "$FARE_SOURCE_DIR/src/random/philox_kernels.c" || continue
    "$cc" -std=gnu11 -O1 -w "${include[@]}" -o "$work/normals" "$work/normals.c" "$work/kernels.o" -lm
    said=$("$work/normals")
    expected=${expected:-${said% *}}
    tried=$((tried + 1))
    if [[ $said != "$expected right" ]]; then
      failed=$((failed + 1))
      echo "FAILED: $cc $target: uniforms have the sum ${said% *} (expected $expected), normals are ${said#* }"
    fi
  done
done
((tried)) || { echo "skipped: no C compiler here"; exit 77; }
echo "$tried ways to compile them, $failed wrong"
((!failed))
