# SPDX-License-Identifier: BSD-2-Clause
# A new test is one new file. It declares its cases in a comment, in a line that begins with "fare-test:":
#
#   fare-test: labels=unit ranks=1,2,4 timeout=60
#
# ranks=0 (the default for scripts) starts the file without mpirun. A file may hold several such lines.
# arg=NAME is passed to the program and becomes part of the test's name. Exit code 77 means skipped.
#
# Python tests import the modules in tests/helpers and postproc through PYTHONPATH.
find_package(cmocka QUIET)
pkg_check_modules(cmocka_pc QUIET IMPORTED_TARGET cmocka)
set(FARE_TEST_ENVIRONMENT
    OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_mpi_yield_when_idle=1 OMPI_MCA_hwloc_base_binding_policy=none
    OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 HDF5_USE_FILE_LOCKING=FALSE MPLBACKEND=Agg
    "PYTHONPATH=${PROJECT_SOURCE_DIR}/tests/helpers:${PROJECT_SOURCE_DIR}/postproc:$ENV{PYTHONPATH}"
    "FARE_PYTHON=${FARE_PYTHON}" "FARE_COMMAND=${PROJECT_BINARY_DIR}/bin/fare"
    "FARE_SOURCE_DIR=${PROJECT_SOURCE_DIR}" "FARE_BINARY_DIR=${PROJECT_BINARY_DIR}"
    "FARE_MPIEXEC=${MPIEXEC_EXECUTABLE}"
    "LSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/tests/leaks.supp:print_suppressions=0")

function(fare_declare_tests file name program)
  file(STRINGS ${file} lines REGEX "fare-test:")
  if(NOT lines)
    message(FATAL_ERROR "${file} declares no test: it needs a line 'fare-test: labels=... ranks=...'")
  endif()
  foreach(line IN LISTS lines)
    foreach(key labels ranks timeout arg)
      set(${key} "")
      if(line MATCHES "${key}=([^ ]+)")
        set(${key} ${CMAKE_MATCH_1})
      endif()
    endforeach()
    if(NOT ranks)
      set(ranks 0)
    endif()
    if(NOT timeout)
      set(timeout 120)
    endif()
    string(REPLACE "," ";" labels "${labels}")
    string(REPLACE "," ";" ranks "${ranks}")
    foreach(count IN LISTS ranks)
      set(full ${name})
      set(processors 1)
      set(launch "")
      if(arg)
        string(APPEND full ".${arg}")
      endif()
      if(count GREATER 0)
        set(launch ${MPIEXEC_EXECUTABLE} ${MPIEXEC_NUMPROC_FLAG} ${count})
        set(processors ${count})
        string(APPEND full ".np${count}")
      endif()
      add_test(NAME ${full} COMMAND ${launch} ${program} ${arg} WORKING_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
      set_tests_properties(${full} PROPERTIES
        LABELS "${labels}" TIMEOUT ${timeout} PROCESSORS ${processors} SKIP_RETURN_CODE 77
        ENVIRONMENT "${FARE_TEST_ENVIRONMENT}")
    endforeach()
  endforeach()
endfunction()

file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
if(TARGET PkgConfig::cmocka_pc)
  file(GLOB_RECURSE test_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/test_*.c)
  foreach(source IN LISTS test_sources)
    get_filename_component(name ${source} NAME_WE)
    add_executable(${name}
      ${source} $<$<BOOL:${FARE_SANITIZE}>:${PROJECT_SOURCE_DIR}/tests/sanitize/keep_modules.c>)
    set_target_properties(${name} PROPERTIES
      RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests ENABLE_EXPORTS ${FARE_SANITIZE})
    target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests ${PROJECT_SOURCE_DIR}/src)
    target_link_libraries(${name} PRIVATE
      fare fare_slepc fare_hdf5 fare_yaml fare_blas PkgConfig::cmocka_pc m fare_warnings)
    fare_declare_tests(${source} ${name} $<TARGET_FILE:${name}>)
  endforeach()
else()
  message(WARNING "FARE: cmocka not found; the C tests are not built")
endif()
# Programs that tests start many studies in.
file(GLOB referee_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/referee/referee_*.c)
foreach(source IN LISTS referee_sources)
  get_filename_component(name ${source} NAME_WE)
  add_executable(${name} ${source})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(${name} PRIVATE fare fare_hdf5 fare_yaml m fare_warnings)
endforeach()
file(GLOB_RECURSE test_scripts CONFIGURE_DEPENDS
  ${PROJECT_SOURCE_DIR}/tests/test_*.sh ${PROJECT_SOURCE_DIR}/tests/test_*.py
  ${PROJECT_SOURCE_DIR}/tests/check_*.py)
foreach(script IN LISTS test_scripts)
  get_filename_component(name ${script} NAME_WE)
  if(script MATCHES "[.]py$")
    if(FARE_PYTHON)
      fare_declare_tests(${script} ${name} "${FARE_PYTHON};${script}")
    else()
      message(WARNING "FARE: ${name} needs a Python with h5py, numpy and matplotlib; it will not run")
    endif()
  else()
    fare_declare_tests(${script} ${name} "bash;${script}")
  endif()
endforeach()
