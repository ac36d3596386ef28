# make install: the command, the library, its headers, the studies, the post-processing, and files for find_package(fare) and pkg-config.
include(CMakePackageConfigHelpers)
install(TARGETS fare fare_petsc fare_slepc fare_hdf5 fare_yaml fare_blas fare_mpi fare_warnings EXPORT fare_targets)
if(TARGET fare_command)
  install(TARGETS fare_command)
endif()
install(DIRECTORY include/fare DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY input postproc DESTINATION ${CMAKE_INSTALL_DATADIR}/fare PATTERN __pycache__ EXCLUDE)
