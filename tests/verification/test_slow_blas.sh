#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# fare-test: labels=verification timeout=120
# Training warns, once, where products of matrices are slow loops, and does not where they are OpenBLAS's.
set -euo pipefail

cc=${CC:-cc}
command -v "$cc" >/dev/null || { echo "no C compiler here"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat >"$work/slow.c" <<'C'
#include <stddef.h>
void cblas_sgemm(int order, int ta, int tb, int m, int n, int k, float alpha, const float *a, int lda, const float *b,
                 int ldb, float beta, float *c, int ldc)
{
  (void)order;
  for (int i = 0; i < m; i++) {
    for (int j = 0; j < n; j++) c[i * ldc + j] = beta == 0 ? 0 : beta * c[i * ldc + j];
    for (int l = 0; l < k; l++) {
      const float f = alpha * a[ta == 112 ? l * lda + i : i * lda + l];

      if (tb == 112) for (int j = 0; j < n; j++) c[i * ldc + j] += f * b[j * ldb + l];
      else for (int j = 0; j < n; j++) c[i * ldc + j] += f * b[l * ldb + j];
    }
  }
}
C
"$cc" -O2 -shared -fPIC -o "$work/libslow.so" "$work/slow.c"

cd "$work" # where the program leaves its files
program=$FARE_BINARY_DIR/tests/test_learn_training
"$program" >plain.out 2>plain.err
if ldd "$program" | grep -q openblas && grep -q BLAS plain.err; then
  echo "warned of OpenBLAS:"; grep BLAS plain.err; exit 1
fi
ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0 LD_PRELOAD=$work/libslow.so \
  "$program" >slow.out 2>slow.err || { cat slow.out slow.err; exit 1; }
count=$(grep -c "as slow as a reference library" slow.err || true)
[[ $count -eq 1 ]] || { echo "warned $count times, not once:"; cat slow.err; exit 1; }
grep "as slow as a reference library" slow.err | grep -q libslow.so
