#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Sets up as the quickstart does and runs the whole test suite. Arguments go to ctest: tests/run.sh -L unit
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../jobs/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../jobs/common.sh"
cd "$fare_root"

jobs/install_dependencies.sh
# Tests of the batch scripts start their own SLURM, the form check runs the tools that are installed, the site
# needs Sphinx, and the notebooks nbclient and PyTorch. Each is skipped with a word elsewhere.
if [[ ${CI:-} ]]; then
  for extra in slurm checks docs browser notebooks; do
    jobs/install_dependencies.sh --with-$extra || echo "FARE: --with-$extra: packages cannot be installed here"
  done
fi
build=${FARE_BUILD:-build}
fare_build "$build" all -DFARE_TESTS=ON -DFARE_WERROR=ON
fare_build "$build-sanitize" all -DFARE_TESTS=ON -DFARE_SANITIZE=ON -DFARE_NATIVE=OFF -DCMAKE_BUILD_TYPE=Debug
tests/check_layers.py
echo "FARE: unit tests under the address and undefined-behaviour sanitizers"
ctest --test-dir "$build-sanitize" --output-on-failure --no-tests=error -L "unit|sanitize" -j "$(fare_cores)"
echo "FARE: all tests"
ctest --test-dir "$build" --output-on-failure --no-tests=error -j "$(fare_cores)" "$@"
