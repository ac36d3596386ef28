/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Linked into tests that run under sanitizers: what was loaded stays loaded to the end, so that a leak of a
  library's module can be told by the module's name, which tests/leaks.supp goes by.
*/
#include <dlfcn.h>

int dlclose(void *handle)
{
  (void)handle;
  return 0;
}
