#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# From a clean clone to the first result: installs dependencies, builds, runs a study of the driven Prinz
# potential on all cores.
#   jobs/quickstart.sh [STUDY.yaml] [fare options, e.g. --set ensembles.langevin.particles=20000]
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$fare_root"

study=input/quickstart.yaml
if [[ $# -gt 0 && $1 == *.yaml ]]; then
  study=$1
  shift
fi
jobs/install_dependencies.sh
fare_build "${FARE_BUILD:-build}" fare_command # not the tests, which are three quarters of the work
fare_mpirun "${FARE_RANKS:-$(fare_cores)}" "${FARE_BUILD:-build}/bin/fare" run "$study" --overwrite "$@"
