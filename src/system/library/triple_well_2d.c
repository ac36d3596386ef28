/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Two deep wells and a shallow one, joined by a direct and an indirect path:
  V = hill G(0, 1/3) - shallow G(0, 5/3) - left G(-1, 0) - right G(1, 0) + walls (x^4 + (y - 1/3)^4) - tilt x
  - tilt_y y, G(a, b) = exp(-(x - a)^2 - (y - b)^2). The published noise 1.09 is kT = 1.09^2/2.
*/
#include "support/kernel.h"
#include "library.h"

enum { HILL = FARE_OWN, SHALLOW, LEFT, RIGHT, WALLS, TILT, TILT_Y };

static const fare_parameter parameters[] = {
  FARE_COMMON_PARAMETERS_AT(0.59405),
  {"hill", 3.0, -1e3, 1e3, "height of the hill at (0, 1/3) between the wells"},
  {"shallow", 3.0, -1e3, 1e3, "depth of the shallow well at (0, 5/3)"},
  {"left", 5.0, -1e3, 1e3, "depth of the well at (-1, 0)"},
  {"right", 5.0, -1e3, 1e3, "depth of the well at (1, 0)"},
  {"walls", 0.2, 1e-6, 1e3, "strength of the quartic confinement"},
  {"tilt", 0.0, -1e3, 1e3, "constant force along x"},
  {"tilt_y", 0.0, -1e3, 1e3, "constant force along y"},
  FARE_PARAMETERS_END,
};

static inline double bump(double p, double q)
{
  return exp(-p * p - q * q);
}

static void potential(int dim, const double *theta, size_t n, const double *const x[], double V[])
{
  const double hill = theta[HILL], shallow = theta[SHALLOW], left = theta[LEFT], right = theta[RIGHT],
               walls = theta[WALLS], fx = theta[TILT], fy = theta[TILT_Y];

#pragma omp simd
  for (size_t i = 0; i < n; i++) {
    const double p = x[0][i], q = x[1][i], r = q - 1. / 3;

    V[i] = hill * bump(p, r) - shallow * bump(p, q - 5. / 3) - left * bump(p + 1, q) -
      right * bump(p - 1, q) + walls * (p * p * p * p + r * r * r * r) - fx * p - fy * q;
  }
}

static void force(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  const double hill = theta[HILL], shallow = theta[SHALLOW], left = theta[LEFT], right = theta[RIGHT],
               walls = theta[WALLS], fx = theta[TILT], fy = theta[TILT_Y];

#pragma omp simd
  for (size_t i = 0; i < n; i++) {
    const double p = x[0][i], q = x[1][i], r = q - 1. / 3, s = q - 5. / 3;
    const double h = 2 * hill * bump(p, r), w = 2 * shallow * bump(p, s), a = 2 * left * bump(p + 1, q),
                 b = 2 * right * bump(p - 1, q);

    f[0][i] = fx + (h - w) * p - a * (p + 1) - b * (p - 1) - 4 * walls * p * p * p;
    f[1][i] = fy + h * r - w * s - (a + b) * q - 4 * walls * r * r * r;
  }
}

static void basis(int dim, size_t n, const double *const x[], double *const phi[])
{
#pragma omp simd
  for (size_t i = 0; i < n; i++) {
    const double p = x[0][i], q = x[1][i], r = q - 1. / 3;

    phi[0][i] = bump(p, r);
    phi[1][i] = bump(p, q - 5. / 3);
    phi[2][i] = bump(p + 1, q);
    phi[3][i] = bump(p - 1, q);
    phi[4][i] = p * p * p * p + r * r * r * r;
    phi[5][i] = p;
    phi[6][i] = q;
  }
}

static void coefficients(int dim, const double *theta, double a[])
{
  a[0] = theta[HILL];
  a[1] = -theta[SHALLOW];
  a[2] = -theta[LEFT];
  a[3] = -theta[RIGHT];
  a[4] = theta[WALLS];
  a[5] = -theta[TILT];
  a[6] = -theta[TILT_Y];
}

const fare_system_type fare_system_triple_well_2d = {
  .name          = "triple_well_2d",
  .summary       = "two deep wells and a shallow one, connected by two channels",
  .reference     = "Metzner, Schuette and Vanden-Eijnden, J. Chem. Phys. 125, 084110 (2006)",
  .dimension_min = 2,
  .dimension_max = 2,
  .parameters    = parameters,
  .lower         = {-3.5, -3.2},
  .upper         = {3.5, 3.8},
  .potential     = potential,
  .force         = force,
  .basis_count   = 7,
  .basis         = basis,
  .coefficients  = coefficients,
};
