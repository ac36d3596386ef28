#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# fare-test: labels=install timeout=300
# Installs into an empty prefix, looks for what belongs to the command, loads the environment module, and builds a
# program against it with nothing but find_package(fare).
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

cmake --install "$FARE_BINARY_DIR" --prefix "$place/prefix" >"$place/log" || { cat "$place/log"; exit 1; }
"$place/prefix/bin/fare" list systems | grep -q '^prinz '

for file in share/man/man1/fare.1 share/bash-completion/completions/fare share/zsh/site-functions/_fare \
  share/fare/jobs/slurm/study.sh share/fare/jobs/pbs/study.sh share/fare/jobs/site.sh.example; do
  [[ -s $place/prefix/$file ]] || { echo "not installed: $file"; exit 1; }
done

# the batch scripts find the command that they are installed with, from anywhere
printf 'study: x\nsystem: {name: prinz}\nsnapshots: {start: 0, end: 1, count: 2}\ntruth: {cells: [64]}\nsweep: [{seed: [1, 2]}]\n' \
  >"$place/sweep.yaml"
printf '#!/bin/sh\necho "$@" | sed "s,.*/prefix/,,"\n' >"$place/sbatch"
chmod +x "$place/sbatch"
result=$(cd "$place" && PATH=$place:$PATH bash prefix/share/fare/jobs/slurm/sweep.sh sweep.yaml | tail -n 1)
[[ $result == *"job share/fare/jobs/slurm/array.sh sweep.yaml; job share/"* ]] || { echo "got '$result'"; exit 1; }

modules=/usr/share/modules/init/bash # Debian's
if [[ -r $modules ]]; then
  result=$(
    set +u
    # shellcheck source=/dev/null
    source "$modules"
    module use "$place/prefix/share/fare/modulefiles"
    module load fare
    echo "$FARE_HOME $(command -v fare)"
  )
  [[ $result == "$place/prefix/share/fare $place/prefix/bin/fare" ]] || { echo "module: got '$result'"; exit 1; }
else
  echo "the environment module is not loaded: environment-modules is not installed"
fi

mkdir "$place/program"
cat >"$place/program/CMakeLists.txt" <<'TXT'
cmake_minimum_required(VERSION 3.25)
project(program LANGUAGES C)
find_package(fare 0.2 REQUIRED)
add_executable(program program.c)
target_link_libraries(program PRIVATE fare::fare)
TXT
cat >"$place/program/program.c" <<'TXT'
#include <fare/fare.h>

int main(int argc, char **argv)
{
  const double  at[]  = {0.0}, *const x[] = {at};
  double        V[1];
  fare_system  *system;
  PetscErrorCode code = fare_initialize(argc, argv);

  if (!code) code = fare_system_create(fare_system_type_find("prinz"), 0, &system);
  if (code) return fare_finalize(code);
  fare_system_potential(system, 0, 1, x, V);
  printf("V(0) = %.6f\n", V[0]);
  code = fare_system_destroy(&system);
  return fare_finalize(code);
}
TXT
cmake -S "$place/program" -B "$place/program/build" -DCMAKE_PREFIX_PATH="$place/prefix" >"$place/log" 2>&1 ||
  { cat "$place/log"; exit 1; }
cmake --build "$place/program/build" >"$place/log" 2>&1 || { cat "$place/log"; exit 1; }
result=$("$place/program/build/program")
# 4 (0.8 + 0.2 exp(-20) + 0.5 exp(-10))
[[ $result == "V(0) = 3.200091" ]] || { echo "got '$result'"; exit 1; }
