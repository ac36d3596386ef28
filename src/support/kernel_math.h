/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Elementary functions for kernels: branch-free and inline, so that a plain loop over a batch becomes vector
  code of any width without a call. Errors are those stated, in units in the last place; arguments beyond
  those stated give nonsense, silently. Coefficients are minimax fits.
*/
#ifndef FARE_KERNEL_MATH_H
#define FARE_KERNEL_MATH_H

#include <math.h>
#include <stdint.h>
#include <string.h>

/*
  Begins the body of a function that is lost if sums are taken apart: LLVM makes (a - b) c into a c - b c
  where it is allowed to, though a and b be 2^52.
*/
#ifdef __clang__
#define FARE_SUMS_AS_WRITTEN _Pragma("clang fp reassociate(off)")
#else
#define FARE_SUMS_AS_WRITTEN
#endif

#define FARE_LOG2E 1.4426950408889634
#define FARE_SHIFT 0x1.8p52 /* added to a whole number it leaves that number in the lowest bits */

static inline uint64_t fare_bits(double x)
{
  uint64_t bits;

  memcpy(&bits, &x, sizeof bits);
  return bits;
}

static inline double fare_from_bits(uint64_t bits)
{
  double x;

  memcpy(&x, &bits, sizeof x);
  return x;
}

/* 2^t for -1021 <= t <= 1023; 4 units. */
static inline double fare_kernel_exp2(double t)
{
  FARE_SUMS_AS_WRITTEN
  const double n = rint(t), f = t - n;
  double       p = 7.0709778665081383e-09;

  p = p * f + 1.0205905413765595e-07;
  p = p * f + 1.3215451633221434e-06;
  p = p * f + 1.5252672924850737e-05;
  p = p * f + 0.00015403530424776529;
  p = p * f + 0.0013333558200794592;
  p = p * f + 0.0096181291076186653;
  p = p * f + 0.05550410866465167;
  p = p * f + 0.24022650695910075;
  p = p * f + 0.69314718055994617;
  p = p * f + 1;
  return fare_from_bits(fare_bits(p) + (fare_bits(n + FARE_SHIFT) << 52));
}

/*
  ln u for normal positive u; 4 units. By u = 2^k m with sqrt(1/2) <= m < sqrt 2 and ln m = 2 artanh((m -
  1)/(m + 1)).
*/
static inline double fare_kernel_log(double u)
{
  FARE_SUMS_AS_WRITTEN
  const uint64_t least = 0x3FE6A09E667F3BCD; /* sqrt(1/2) */
  const uint64_t above = fare_bits(u) - least + (UINT64_C(1023) << 52);
  const double   k     = fare_from_bits(above >> 52 | UINT64_C(0x4330000000000000)) - (0x1p52 + 1023);
  const double   m     = fare_from_bits((above & UINT64_C(0xFFFFFFFFFFFFF)) + least);
  const double   s = (m - 1) / (m + 1), w = s * s;
  double         p = 0.14616449685043406;

  p = p * w + 0.15331721600556042;
  p = p * w + 0.18182889125261723;
  p = p * w + 0.22222211134767865;
  p = p * w + 0.28571428625975487;
  p = p * w + 0.39999999999899505;
  p = p * w + 0.66666666666666696;
  return k * M_LN2 + (2 * s + s * w * p);
}

/*
  Cosine and sine of v turns, 0 <= v <= 1; 4e-16 absolute. Quarters of a turn are exact, what is left is at
  most an eighth.
*/
static inline void fare_kernel_turn(double v, double *cosine, double *sine)
{
  FARE_SUMS_AS_WRITTEN
  const double n = rint(4 * v), h = 2 * v - 0.5 * n, w = h * h;
  double       s = 0.00046153185538358102, c = -0.00010356747255199479;

  s = s * w - 0.0073700215869077707;
  s = s * w + 0.082145869180001746;
  s = s * w - 0.59926452893964488;
  s = s * w + 2.5501640398733763;
  s = s * w - 5.1677127800499543;
  s = s * w + 3.1415926535897931;
  s = s * h;
  c = c * w + 0.0019294657440800042;
  c = c * w - 0.025806885652951306;
  c = c * w + 0.23533063019088787;
  c = c * w - 1.3352627688519174;
  c = c * w + 4.0587121264167472;
  c = c * w - 4.934802200544679;
  c = c * w + 1;
  /* odd quarters exchange the two, and each changes its sign where it must */
  const uint64_t quarter  = fare_bits(n + FARE_SHIFT),
                 exchange = (fare_bits(s) ^ fare_bits(c)) & -(quarter & 1);

  *cosine = fare_from_bits(fare_bits(c) ^ exchange ^ ((quarter + 1) & 2) << 62);
  *sine   = fare_from_bits(fare_bits(s) ^ exchange ^ (quarter & 2) << 62);
}

#endif
