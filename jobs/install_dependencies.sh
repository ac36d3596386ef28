#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Installs missing dependencies: on Debian and its derivatives with apt-get (as root or with sudo).
# On other systems it prints the names of the packages for Fedora and Spack, and stops.
#   jobs/install_dependencies.sh [--with-torch | --with-slurm | --with-notebooks | --with-checks |
#     --with-docs | --with-browser ...]
set -euo pipefail

packages=(gcc make cmake ninja-build pkg-config openmpi-bin libopenmpi-dev libpetsc-real-dev libslepc-real-dev
  libhdf5-openmpi-dev libyaml-dev zlib1g-dev libopenblas-dev libcmocka-dev python3 python3-h5py python3-numpy
  python3-matplotlib python3-xarray python3-pandas python3-h5netcdf python3-pip python3-setuptools
  python3-wheel)
options="--with-torch, --with-slurm, --with-notebooks, --with-checks, --with-docs and --with-browser"
for option in "$@"; do
  case $option in
    --with-torch) packages+=(python3-torch) ;;
    --with-notebooks) packages+=(python3-nbclient python3-ipykernel python3-torch) ;;
    --with-slurm) packages+=(slurmctld slurmd slurm-client munge iproute2) ;;
    --with-checks) packages+=(clang-format-14 black mypy python3-pytest shellcheck codespell doxygen mandoc
      zsh environment-modules) ;;
    --with-browser) packages+=(chromium) ;;
    --with-docs) packages+=(python3-sphinx python3-myst-parser furo doxygen) ;;
    *) echo "install_dependencies: unknown option '$option' (there are $options)" >&2; exit 2 ;;
  esac
done

missing=()
if command -v dpkg-query >/dev/null && command -v apt-get >/dev/null; then
  for package in "${packages[@]}"; do
    status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
    [[ $status == installed ]] || missing+=("$package")
  done
  [[ ${#missing[@]} -eq 0 ]] && { echo "FARE: all dependencies are installed."; exit 0; }
  sudo=()
  if [[ $(id -u) -ne 0 ]]; then
    if ! command -v sudo >/dev/null; then
      echo "FARE: not root and no sudo. Please have these installed: ${missing[*]}" >&2
      exit 1
    fi
    sudo=(sudo)
  fi
  echo "FARE: installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  "${sudo[@]}" apt-get update -qq
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
  echo "FARE: dependencies installed."
  exit 0
fi

# Elsewhere: nothing to do if the build finds everything.
if command -v cmake >/dev/null && command -v pkg-config >/dev/null && command -v mpicc >/dev/null &&
  pkg-config --exists PETSc SLEPc yaml-0.1 openblas &&
  { pkg-config --exists hdf5-openmpi || pkg-config --exists hdf5-mpi || pkg-config --exists hdf5; }; then
  echo "FARE: all dependencies are installed."
  exit 0
fi
cat >&2 <<'TXT'
FARE: this is not a Debian-like system, so nothing was installed. It needs a C compiler, CMake 3.25, pkg-config, MPI, PETSc 3.18 and
SLEPc 3.18 (real), parallel HDF5, libyaml, OpenBLAS, cmocka (for the tests) and Python with h5py, numpy and matplotlib (for reports):

  Fedora:  dnf install gcc cmake ninja-build pkgconf-pkg-config openmpi-devel petsc-openmpi-devel slepc-openmpi-devel hdf5-openmpi-devel \
             libyaml-devel zlib-devel openblas-devel libcmocka-devel python3-h5py python3-numpy python3-matplotlib    (then: module load mpi)
  Spack:   spack install cmake pkgconf openmpi petsc+mpi+mumps+hypre slepc hdf5+mpi libyaml openblas cmocka py-h5py py-numpy py-matplotlib
             (then: spack load the same)
TXT
exit 1
