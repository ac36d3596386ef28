/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside joint: determinants of exp(x_i b_j) over Vandermonde's, which cancel badly. */
#ifndef FARE_JOINT_DETERMINANT_H
#define FARE_JOINT_DETERMINANT_H

#include <petscsys.h>

#define FARE_DETERMINANT_MOST 50 /* rows */

/*
  ln of det[exp(x_i b_j)] over the products of all differences x_j - x_i and b_j - b_i, i < j; x and b ascend.
  Finite where all b are as good as the same. Not a number where even quadruple precision is not enough. Not
  collective.
*/
double fare_log_determinant(int n, const double x[], const double b[]);

#endif
