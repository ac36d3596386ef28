#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# fare-test: labels=install timeout=300
# Installs into an empty prefix and builds a program against it with nothing but find_package(fare).
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

cmake --install "$FARE_BINARY_DIR" --prefix "$place/prefix" >"$place/log" || { cat "$place/log"; exit 1; }
"$place/prefix/bin/fare" list systems | grep -q '^prinz '

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
