#include "truth.h"

#include <math.h>

void fare_exponentials(size_t n, double factor, const double *x, double *y)
{
#pragma omp simd
  for (size_t i = 0; i < n; i++) y[i] = exp(factor * x[i]);
}
