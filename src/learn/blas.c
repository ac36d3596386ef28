/* SPDX-License-Identifier: BSD-2-Clause */
/*
  A word of warning where products of matrices, which is where training spends its time, are those of a
  reference BLAS.
*/
#ifdef __linux__
#define _GNU_SOURCE /* dladdr */
#endif
#include "kernels.h"

#include <cblas.h>
#include <dlfcn.h>
#include <fare/learn.h>

#define WIDTH 64
/* operations per second; on a processor where OpenBLAS does 90e9, the reference library does 6e9 */
#define SLOW 12e9

/* Best of a few products of the size that networks make. */
static double operations_per_second(void)
{
  static float w[WIDTH * WIDTH], a[WIDTH * FARE_BLOCK], b[WIDTH * FARE_BLOCK];
  double       best = 0;

  for (int trial = 0; trial < 5; trial++) {
    const double began = fare_seconds();
    double       spent;

    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, WIDTH, FARE_BLOCK, WIDTH, 1, w, WIDTH, a,
      FARE_BLOCK, 0, b, FARE_BLOCK);
    spent = fare_seconds() - began;
    if (spent > 0) best = PetscMax(best, 2. * WIDTH * WIDTH * FARE_BLOCK / spent);
  }
  return best;
}

/*
  Checks the library that provides our matrix products, not whichever comes first in the program: PETSc may
  have loaded others.
*/
static PetscBool is_openblas(const char **file)
{
  Dl_info   where;
  void     *library;
  PetscBool is = PETSC_FALSE;

  *file = "linked into the program";
  if (!dladdr((void *)(uintptr_t)cblas_sgemm, &where) || !where.dli_fname) return PETSC_FALSE;
  *file   = where.dli_fname;
  library = dlopen(where.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
  if (!library) library = dlopen(NULL, RTLD_LAZY);
  if (library && dlsym(library, "openblas_get_config")) is = PETSC_TRUE;
  if (library) dlclose(library);
  return is;
}

void fare_learn_check_blas(void)
{
  static PetscBool checked = PETSC_FALSE;
  const char      *file;
  double           rate;

  if (checked) return;
  checked = PETSC_TRUE;
  if (is_openblas(&file)) return;
  rate = operations_per_second();
  if (rate < SLOW)
    fare_warn(
      "BLAS (%s) does %.1f GFlop/s here, as slow as a reference library: training will take many times "
      "longer than with OpenBLAS (libopenblas-dev)",
      file, 1e-9 * rate);
}
