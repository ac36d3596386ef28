# SPDX-License-Identifier: BSD-2-Clause
# Additional sources of bench/particles.c: exponentials with the flags of kernels and, where there is a C++
# compiler, the usual implementation with -O3 alone.
target_include_directories(bench_particles PRIVATE src)
target_sources(bench_particles PRIVATE bench/particles/kernels.c)
set_source_files_properties(bench/particles/kernels.c PROPERTIES
  COMPILE_OPTIONS "${FARE_KERNEL_FLAGS};${FARE_NATIVE_FLAGS}")
# likelihoods are measured from inside
target_include_directories(bench_likelihood PRIVATE src)
# the wells of bench/axes.c are a kernel, too
set_source_files_properties(bench/axes.c PROPERTIES
  COMPILE_OPTIONS "${FARE_KERNEL_FLAGS};${FARE_NATIVE_FLAGS}")
include(CheckLanguage)
check_language(CXX)
if(CMAKE_CXX_COMPILER)
  enable_language(CXX)
  add_library(bench_usual OBJECT EXCLUDE_FROM_ALL bench/particles/usual.cpp)
  target_compile_options(bench_usual PRIVATE -O3)
  target_link_libraries(bench_particles PRIVATE bench_usual)
  target_compile_definitions(bench_particles PRIVATE BENCH_USUAL)
endif()
