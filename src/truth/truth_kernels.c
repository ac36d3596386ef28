#include "operator.h"

#include <math.h>

/* Beyond this many T within a cell nothing is resolved, and products must stay finite. */
#define STEEPEST_CELL 150.0
#define STEEPEST_EDGE 400.0

static inline double clamp(double x, double most)
{
  return fmin(most, fmax(-most, x));
}

double fare_held_exponential(double r)
{
  return exp(clamp(r, STEEPEST_CELL));
}

void fare_exponentials(size_t n, double factor, const double *restrict r, double *restrict e)
{
#pragma omp simd
  for (size_t i = 0; i < n; i++) e[i] = exp(clamp(factor * r[i], STEEPEST_CELL));
}

void fare_add_scaled(size_t n, double a, const double *restrict x, double *restrict y)
{
#pragma omp simd
  for (size_t i = 0; i < n; i++) y[i] += a * x[i];
}

/*
  r(i->j) = D/(h^2 <e^{U/T}>_edge <e^{-U/T}>_cell), and one thing more. Where U rises by many T over one cell, what mass a cell has lies
  at its lower end, and averages from centre to centre would hold it there as by a barrier. So the way down is never slower than half of
  Scharfetter and Gummel's rate; the way up grows by the same factor, which keeps detailed balance. Nothing changes up to a rise of
  about 4 T per cell.
*/
void fare_face_rates(size_t n, double D, double T, const double *restrict U_below, const double *restrict U_above, const double *restrict lower, const double *restrict upper, const double *restrict average_below, const double *restrict average_above, const double *restrict work, double *restrict up, double *restrict down)
{
#pragma omp simd
  for (size_t i = 0; i < n; i++) {
    const double rise = clamp((U_above[i] - U_below[i] - (work ? work[i] : 0)) / T, STEEPEST_EDGE), growth = exp(rise);
    const double upward = 2 * D / ((lower[i] + growth * upper[i]) * average_below[i]), downward = 2 * D / ((lower[i] / growth + upper[i]) * average_above[i]);
    const double fall = fabs(rise), least = 0.5 * D * (fall > 1e-6 ? fall / (1 - fmin(growth, 1 / growth)) : 1);
    const double factor = fmax(1, least / (rise > 0 ? downward : upward));

    up[i]   = factor * upward;
    down[i] = factor * downward;
  }
}
