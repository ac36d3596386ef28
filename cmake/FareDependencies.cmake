# SPDX-License-Identifier: BSD-2-Clause
# Every dependency as an imported target, found through pkg-config or CMake's own modules. Installed as well,
# because find_package(fare) includes it. A missing one stops with the packages to install rather than with a
# search log.
find_package(PkgConfig REQUIRED)
find_package(MPI COMPONENTS C)

set(FARE_MISSING "")
macro(fare_dependency target packages)
  pkg_check_modules(${target}_pc QUIET IMPORTED_TARGET ${packages})
  if(${target}_pc_FOUND)
    add_library(${target} INTERFACE IMPORTED GLOBAL)
    target_link_libraries(${target} INTERFACE PkgConfig::${target}_pc)
  else()
    list(APPEND FARE_MISSING "${packages}")
  endif()
endmacro()

if(MPI_C_FOUND)
  add_library(fare_mpi INTERFACE IMPORTED GLOBAL)
  target_link_libraries(fare_mpi INTERFACE MPI::MPI_C)
else()
  list(APPEND FARE_MISSING "MPI")
endif()
fare_dependency(fare_petsc "PETSc>=3.18")
fare_dependency(fare_slepc "SLEPc>=3.18")
fare_dependency(fare_yaml "yaml-0.1>=0.2.2")
fare_dependency(fare_zlib "zlib")

# Parallel HDF5 has the name hdf5-openmpi or hdf5-mpi on Debian and plain hdf5 elsewhere.
foreach(name hdf5-openmpi hdf5-mpi hdf5)
  pkg_check_modules(fare_hdf5_pc QUIET IMPORTED_TARGET ${name})
  if(fare_hdf5_pc_FOUND)
    break()
  endif()
endforeach()
if(fare_hdf5_pc_FOUND)
  add_library(fare_hdf5 INTERFACE IMPORTED GLOBAL)
  # its high-level part, for dimension scales, is beside it; pkg-config does not name it
  find_library(FARE_HDF5_HL hdf5_hl HINTS ${fare_hdf5_pc_LIBRARY_DIRS})
  target_link_libraries(fare_hdf5 INTERFACE ${FARE_HDF5_HL} PkgConfig::fare_hdf5_pc)
  if(NOT FARE_HDF5_HL)
    list(APPEND FARE_MISSING "HDF5's high-level library (hdf5_hl)")
  endif()
else()
  list(APPEND FARE_MISSING "parallel HDF5")
endif()

# The C interface of BLAS; OpenBLAS where there is one, for the reference library is tens of times slower.
foreach(name openblas blis flexiblas cblas)
  pkg_check_modules(fare_blas_pc QUIET IMPORTED_TARGET ${name})
  if(fare_blas_pc_FOUND)
    add_library(fare_blas INTERFACE IMPORTED GLOBAL)
    target_link_libraries(fare_blas INTERFACE PkgConfig::fare_blas_pc)
    if(name STREQUAL "openblas")
      set(FARE_BLAS_IS_OPENBLAS ON)
    else()
      message(WARNING "FARE: no OpenBLAS, using ${name}; learned samplers may be many times slower.")
    endif()
    break()
  endif()
endforeach()
if(NOT fare_blas_pc_FOUND)
  list(APPEND FARE_MISSING "OpenBLAS (openblas.pc)")
endif()

if(FARE_MISSING)
  list(JOIN FARE_MISSING ", " FARE_MISSING)
  message(FATAL_ERROR "FARE: not found: ${FARE_MISSING}. "
    "jobs/install_dependencies.sh installs them (Debian, Ubuntu) or prints their names for other systems.")
endif()

# Python for reports and some tests: the first interpreter that imports h5py, numpy and matplotlib.
set(FARE_PYTHON "" CACHE FILEPATH "Python with h5py, numpy and matplotlib")
if(NOT FARE_PYTHON)
  foreach(candidate python3 /usr/bin/python3 python)
    execute_process(
      COMMAND ${candidate} -c "import h5py, numpy, matplotlib, sys; print(sys.executable)"
      OUTPUT_VARIABLE found OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE status)
    if(status EQUAL 0)
      set(FARE_PYTHON ${found} CACHE FILEPATH "Python with h5py, numpy and matplotlib" FORCE)
      break()
    endif()
  endforeach()
endif()
