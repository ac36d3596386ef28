# SPDX-License-Identifier: BSD-2-Clause
# make install: the command, the library, its headers, the studies, the post-processing, the batch scripts,
# the manual page, the completion of shells, an environment module, and a package file for find_package(fare).
include(CMakePackageConfigHelpers)
set(FARE_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/fare)

install(TARGETS fare EXPORT fare_targets)
if(TARGET fare_command)
  install(TARGETS fare_command)
endif()
install(DIRECTORY include/fare DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY input postproc DESTINATION ${CMAKE_INSTALL_DATADIR}/fare
  PATTERN __pycache__ EXCLUDE PATTERN "*.egg-info" EXCLUDE PATTERN postproc/tests EXCLUDE
  PATTERN build EXCLUDE)
install(DIRECTORY jobs DESTINATION ${CMAKE_INSTALL_DATADIR}/fare USE_SOURCE_PERMISSIONS
  PATTERN quickstart.sh EXCLUDE PATTERN install_dependencies.sh EXCLUDE PATTERN site.sh EXCLUDE)

# What the command prints of itself: the manual page and the completion of shells. Where it cannot run while
# it is installed, they are missing.
if(TARGET fare_command)
  function(fare_install_output name destination)
    install(CODE "execute_process(COMMAND \"${PROJECT_BINARY_DIR}/bin/fare\" ${ARGN}
      OUTPUT_FILE \"${PROJECT_BINARY_DIR}/${name}\" RESULT_VARIABLE status)
      if(status)
        file(REMOVE \"${PROJECT_BINARY_DIR}/${name}\")
      endif()")
    install(FILES ${PROJECT_BINARY_DIR}/${name} DESTINATION ${destination} OPTIONAL)
  endfunction()
  fare_install_output(fare.1 ${CMAKE_INSTALL_MANDIR}/man1 help --man)
  fare_install_output(fare ${CMAKE_INSTALL_DATADIR}/bash-completion/completions completion bash)
  fare_install_output(_fare ${CMAKE_INSTALL_DATADIR}/zsh/site-functions completion zsh)
endif()

# An environment module, which knows the prefix only when it is installed.
install(CODE "set(PROJECT_VERSION ${PROJECT_VERSION})
  set(FARE_BINDIR ${CMAKE_INSTALL_BINDIR})
  set(FARE_MANDIR ${CMAKE_INSTALL_MANDIR})
  set(FARE_DATADIR ${CMAKE_INSTALL_DATADIR})
  configure_file(\"${PROJECT_SOURCE_DIR}/cmake/fare.module.in\" \"${PROJECT_BINARY_DIR}/fare.module\" @ONLY)")
install(FILES ${PROJECT_BINARY_DIR}/fare.module
  DESTINATION ${CMAKE_INSTALL_DATADIR}/fare/modulefiles/fare RENAME ${PROJECT_VERSION})

install(EXPORT fare_targets NAMESPACE fare:: DESTINATION ${FARE_PACKAGE_DIR})
configure_package_config_file(cmake/fareConfig.cmake.in ${PROJECT_BINARY_DIR}/fareConfig.cmake
  INSTALL_DESTINATION ${FARE_PACKAGE_DIR})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/fareConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(
  FILES ${PROJECT_BINARY_DIR}/fareConfig.cmake ${PROJECT_BINARY_DIR}/fareConfigVersion.cmake
    cmake/FareDependencies.cmake
  DESTINATION ${FARE_PACKAGE_DIR})
