/* SPDX-License-Identifier: BSD-2-Clause */
#ifdef __linux__
#define _GNU_SOURCE /* RTLD_DEFAULT */
#endif
#include "blas.h"

#include <fare/support.h>

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#define VARIABLE "OPENBLAS_CORETYPE"

/* The function of that name in the BLAS of this process. */
static void find(const char *name, void *function)
{
  *(void **)function = dlsym(RTLD_DEFAULT, name);
}

/* Ranks share the cores already; a threaded BLAS on top of them would only get in the way. */
static void hold_to_one_thread(void)
{
  void (*set_threads)(int);

  find("openblas_set_num_threads", &set_threads);
  if (set_threads) set_threads(1);
}

/* What OpenBLAS calls its kernels for the instructions of this processor; NULL: those before AVX2. */
static const char *kernels_that_fit(void)
{
#if defined __x86_64__ && defined __GNUC__
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
    __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
    return "SkylakeX";
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return "Haswell";
#endif
  return NULL;
}

/* Whether OpenBLAS has fallen back to the kernels that it takes for an unknown processor, Intel's or AMD's.
 */
static PetscBool is_fallback(const char *kernels)
{
  return !strcmp(kernels, "Prescott") || !strcmp(kernels, "Barcelona") ? PETSC_TRUE : PETSC_FALSE;
}

/*
  OpenBLAS knows processors by their numbers. One that is newer than the library gets kernels of 2004, five
  times slower than those for its instructions. The library reads its variable only when it is loaded, so its
  choice is made again; a choice of the user's stands.
*/
static void choose_kernels(void)
{
  const char *kernels = kernels_that_fit();
  char *(*name)(void);
  void (*quit)(void), (*init)(void);

  find("openblas_get_corename", &name);
  find("gotoblas_dynamic_quit", &quit);
  find("gotoblas_dynamic_init", &init);
  if (!kernels || !name || !quit || !init || getenv(VARIABLE) || !is_fallback(name())) return;
  if (setenv(VARIABLE, kernels, 1)) return;
  quit();
  init();
  unsetenv(VARIABLE);
}

void fare_prepare_blas(void)
{
  hold_to_one_thread();
  choose_kernels();
}
