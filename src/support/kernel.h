/* SPDX-License-Identifier: BSD-2-Clause */
/* For kernels alone: included first, it fails where the build has not given the file their flags. */
#ifndef __FAST_MATH__
#error \
  "this kernel lost its flags: kernels are named *_kernels.c or stand in src/system/library (see CMakeLists.txt)"
#endif
