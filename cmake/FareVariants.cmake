# SPDX-License-Identifier: BSD-2-Clause
# Without FARE_NATIVE the library runs on any x86-64. A shared library is also built for wider vectors, in the
# directories that the dynamic linker of glibc (2.33 or newer) searches first on a processor that has them:
# glibc-hwcaps/x86-64-v3 (AVX2) and glibc-hwcaps/x86-64-v4 (AVX-512).
if(NOT FARE_NATIVE AND BUILD_SHARED_LIBS AND CMAKE_SYSTEM_NAME STREQUAL "Linux"
   AND CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  foreach(level v3 v4)
    set(place glibc-hwcaps/x86-64-${level})
    add_library(fare_${level} SHARED ${FARE_SOURCES})
    set_target_properties(fare_${level} PROPERTIES
      OUTPUT_NAME fare VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}
      LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/${place})
    foreach(property INCLUDE_DIRECTORIES COMPILE_DEFINITIONS LINK_LIBRARIES)
      get_target_property(value fare ${property})
      set_target_properties(fare_${level} PROPERTIES ${property} "${value}")
    endforeach()
    target_compile_options(fare_${level} PRIVATE
      -march=x86-64-${level} $<$<STREQUAL:${level},v4>:-mprefer-vector-width=512>)
    add_dependencies(fare fare_${level})
    install(TARGETS fare_${level} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/${place})
  endforeach()
endif()
