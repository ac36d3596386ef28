# SPDX-License-Identifier: BSD-2-Clause
# The program that calls users' Python functions, as bytes for a C array: the library needs no file beside it.
set(source ${PROJECT_SOURCE_DIR}/src/sampler/python/child.py)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${source})
file(READ ${source} bytes HEX)
string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
string(REGEX REPLACE ",$" "" bytes "${bytes}")
file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/generated/python_child.inc CONTENT "${bytes}\n" @ONLY)
