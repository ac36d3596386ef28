# SPDX-License-Identifier: BSD-2-Clause
# make install: the command, the library, its headers, the studies, the post-processing, and a package file
# for find_package(fare).
include(CMakePackageConfigHelpers)
set(FARE_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/fare)

install(TARGETS fare EXPORT fare_targets)
if(TARGET fare_command)
  install(TARGETS fare_command)
endif()
install(DIRECTORY include/fare DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY input postproc DESTINATION ${CMAKE_INSTALL_DATADIR}/fare
  PATTERN __pycache__ EXCLUDE PATTERN "*.egg-info" EXCLUDE PATTERN postproc/tests EXCLUDE PATTERN build EXCLUDE)

install(EXPORT fare_targets NAMESPACE fare:: DESTINATION ${FARE_PACKAGE_DIR})
configure_package_config_file(cmake/fareConfig.cmake.in ${PROJECT_BINARY_DIR}/fareConfig.cmake
  INSTALL_DESTINATION ${FARE_PACKAGE_DIR})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/fareConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(
  FILES ${PROJECT_BINARY_DIR}/fareConfig.cmake ${PROJECT_BINARY_DIR}/fareConfigVersion.cmake
    cmake/FareDependencies.cmake
  DESTINATION ${FARE_PACKAGE_DIR})
