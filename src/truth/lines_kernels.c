#include "lines.h"

/* Gaussian elimination of many tridiagonal systems: `inverse` holds diagonals and is left with 1/pivots, `lower` with multipliers. */
static inline void factor(PetscInt n, PetscInt width, double *restrict lower, double *restrict inverse, const double *restrict upper)
{
#pragma omp simd
  for (PetscInt s = 0; s < width; s++) {
    lower[s]   = 0;
    inverse[s] = 1 / inverse[s];
  }
  for (PetscInt i = 1; i < n; i++) {
    double       *l = lower + i * width, *d = inverse + i * width;
    const double *before = inverse + (i - 1) * width, *u = upper + (i - 1) * width;

#pragma omp simd
    for (PetscInt s = 0; s < width; s++) {
      l[s] *= before[s];
      d[s] = 1 / (d[s] - l[s] * u[s]);
    }
  }
}

static inline void solve(PetscInt n, PetscInt width, const double *restrict lower, const double *restrict inverse, const double *restrict upper, double *restrict x)
{
  for (PetscInt i = 1; i < n; i++) {
    const double *l = lower + i * width, *before = x + (i - 1) * width;
    double       *y = x + i * width;

#pragma omp simd
    for (PetscInt s = 0; s < width; s++) y[s] -= l[s] * before[s];
  }
#pragma omp simd
  for (PetscInt s = 0; s < width; s++) x[(n - 1) * width + s] *= inverse[(n - 1) * width + s];
  for (PetscInt i = n - 2; i >= 0; i--) {
    const double *d = inverse + i * width, *u = upper + i * width, *after = x + (i + 1) * width;
    double       *y = x + i * width;

#pragma omp simd
    for (PetscInt s = 0; s < width; s++) y[s] = (y[s] - u[s] * after[s]) * d[s];
  }
}

void fare_lines_factor_lanes(PetscInt blocks, PetscInt n, double *lower, double *inverse, const double *upper)
{
  for (PetscInt b = 0; b < blocks; b++) factor(n, FARE_LANES, lower + b * n * FARE_LANES, inverse + b * n * FARE_LANES, upper + b * n * FARE_LANES);
}

void fare_lines_solve_lanes(PetscInt blocks, PetscInt n, const double *lower, const double *inverse, const double *upper, double *x)
{
  for (PetscInt b = 0; b < blocks; b++) solve(n, FARE_LANES, lower + b * n * FARE_LANES, inverse + b * n * FARE_LANES, upper + b * n * FARE_LANES, x + b * n * FARE_LANES);
}

void fare_lines_to_lanes(PetscInt rows, PetscInt n, double scale, const double *restrict from, double *restrict to)
{
  for (PetscInt row = 0; row < rows; row++) {
    double       *block = to + (row / FARE_LANES) * n * FARE_LANES + row % FARE_LANES;
    const double *line  = from + row * n;

    for (PetscInt i = 0; i < n; i++) block[i * FARE_LANES] = scale * line[i];
  }
}

void fare_lines_from_lanes(PetscInt rows, PetscInt n, const double *restrict from, double *restrict to)
{
  for (PetscInt row = 0; row < rows; row++) {
    const double *block = from + (row / FARE_LANES) * n * FARE_LANES + row % FARE_LANES;
    double       *line  = to + row * n;

    for (PetscInt i = 0; i < n; i++) line[i] = block[i * FARE_LANES];
  }
}

void fare_lines_factor_planes(PetscInt blocks, PetscInt n, PetscInt width, double *lower, double *inverse, const double *upper)
{
  for (PetscInt b = 0; b < blocks; b++) factor(n, width, lower + b * n * width, inverse + b * n * width, upper + b * n * width);
}

void fare_lines_solve_planes(PetscInt blocks, PetscInt n, PetscInt width, const double *lower, const double *inverse, const double *upper, double *x)
{
  for (PetscInt b = 0; b < blocks; b++) solve(n, width, lower + b * n * width, inverse + b * n * width, upper + b * n * width, x + b * n * width);
}
