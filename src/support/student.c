/* SPDX-License-Identifier: BSD-2-Clause */
/* Student's t (Abramowitz and Stegun 26.7.5). */
#include <fare/support.h>

double fare_student_95(double freedom)
{
  const double z = FARE_NORMAL_95, z3 = z * z * z, z5 = z3 * z * z, z7 = z5 * z * z, f = 1. / freedom;

  return z +
    f *
    ((z3 + z) / 4 + f * ((5 * z5 + 16 * z3 + 3 * z) / 96 + f * (3 * z7 + 19 * z5 + 17 * z3 - 15 * z) / 384));
}
