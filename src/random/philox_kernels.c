/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/kernel.h"
#include <fare/random.h>

#include "support/kernel_math.h"

#define HALF       (FARE_BLOCK / 2)
#define ROUNDS     10
#define KEY_STEP_0 0x9E3779B9u
#define KEY_STEP_1 0xBB67AE85u
#define QUARTER    (FARE_BLOCK / 8)

/*
  Words of 32 bits stand in lanes as wide as what the processor multiplies well: 64 bits where it has a full
  64-bit product (and the upper half may hold anything), else 32. The numbers are the same.
*/
#ifdef __AVX512DQ__
typedef uint64_t word;
#else
typedef uint32_t word;
#endif

typedef struct {
  word c0, c1, c2, c3;
} counter;

/*
  One of the rounds of Philox4x32: two 32x32->64 multiplications on a counter of four words (Salmon et al.
  2011).
*/
static inline void mix(counter *at, uint32_t k0, uint32_t k1)
{
  const uint64_t a = (uint64_t)0xD2511F53u * (uint32_t)at->c0, b = (uint64_t)0xCD9E8D57u * (uint32_t)at->c2;

  at->c0 = (word)(b >> 32) ^ at->c1 ^ k0;
  at->c2 = (word)(a >> 32) ^ at->c3 ^ k1;
  at->c1 = (word)b;
  at->c3 = (word)a;
}

void fare_philox4x32(const uint32_t from[4], const uint32_t key[2], uint32_t out[4])
{
  counter  at = {from[0], from[1], from[2], from[3]};
  uint32_t k0 = key[0], k1 = key[1];

  for (int round = 0; round < ROUNDS; round++) {
    mix(&at, k0, k1);
    k0 += KEY_STEP_0;
    k1 += KEY_STEP_1;
  }
  out[0] = (uint32_t)at.c0;
  out[1] = (uint32_t)at.c1;
  out[2] = (uint32_t)at.c2;
  out[3] = (uint32_t)at.c3;
}

/* 52 random bits at the middle of their interval: never 0, never 1. */
static inline double unit(word high, word low)
{
  FARE_SUMS_AS_WRITTEN
  const uint64_t bits = (uint64_t)(uint32_t)high << 20 | (uint32_t)low >> 12;

  return fare_from_bits(bits | UINT64_C(0x3FF0000000000000)) - (1 - 0x1p-53);
}

static inline void store(const counter *at, double *first, double *second)
{
  *first  = unit(at->c0, at->c1);
  *second = unit(at->c2, at->c3);
}

/* Four counters side by side in one pass, since each waits for its own multiplications. */
void fare_random_uniforms(
  fare_stream stream, uint64_t block, uint64_t step, uint32_t draw, double u[FARE_BLOCK])
{
  const uint32_t c1 = (uint32_t)block, c2 = (uint32_t)step, c3 = (draw & 0xFFu) | (uint32_t)(step >> 32) << 8;

#pragma omp simd
  for (word i = 0; i < QUARTER; i++) {
    counter a = {i, c1, c2, c3}, b = {i + QUARTER, c1, c2, c3}, c = {i + 2 * QUARTER, c1, c2, c3},
            d   = {i + 3 * QUARTER, c1, c2, c3};
    uint32_t k0 = stream.key[0], k1 = stream.key[1];

#pragma GCC unroll 10
    for (int round = 0; round < ROUNDS; round++) {
      mix(&a, k0, k1);
      mix(&b, k0, k1);
      mix(&c, k0, k1);
      mix(&d, k0, k1);
      k0 += KEY_STEP_0;
      k1 += KEY_STEP_1;
    }
    store(&a, &u[i], &u[i + HALF]);
    store(&b, &u[i + QUARTER], &u[i + HALF + QUARTER]);
    store(&c, &u[i + 2 * QUARTER], &u[i + HALF + 2 * QUARTER]);
    store(&d, &u[i + 3 * QUARTER], &u[i + HALF + 3 * QUARTER]);
  }
}

/* Pairs i, i + FARE_FEW/2 that hold the first `count` numbers, in whole vectors. */
static inline int pairs_of(int count)
{
  return count < FARE_FEW / 2 ? (count + 7) & ~7 : FARE_FEW / 2;
}

void fare_random_few_uniforms(
  fare_stream stream, uint64_t block, uint64_t step, uint32_t draw, int count, double u[FARE_FEW])
{
  const uint32_t c1 = (uint32_t)block, c2 = (uint32_t)step, c3 = (draw & 0xFFu) | (uint32_t)(step >> 32) << 8;
  const word     pairs = (word)pairs_of(count);

#pragma omp simd
  for (word i = 0; i < pairs; i++) {
    counter  a  = {i, c1, c2, c3};
    uint32_t k0 = stream.key[0], k1 = stream.key[1];

#pragma GCC unroll 10
    for (int round = 0; round < ROUNDS; round++) {
      mix(&a, k0, k1);
      k0 += KEY_STEP_0;
      k1 += KEY_STEP_1;
    }
    store(&a, &u[i], &u[i + FARE_FEW / 2]);
  }
}

/* Box and Muller 1958: both normals of a pair. */
static inline void turn(int half, int pairs, const double u[], double z[])
{
#pragma omp simd
  for (int i = 0; i < pairs; i++) {
    const double radius = sqrt(-2 * fare_kernel_log(u[i]));
    double       cosine, sine;

    fare_kernel_turn(u[i + half], &cosine, &sine);
    z[i]        = radius * cosine;
    z[i + half] = radius * sine;
  }
}

void fare_random_normals(
  fare_stream stream, uint64_t block, uint64_t step, uint32_t draw, double z[FARE_BLOCK])
{
  double u[FARE_BLOCK] FARE_ALIGNED;

  fare_random_uniforms(stream, block, step, draw, u);
  turn(HALF, HALF, u, z);
}

void fare_random_few_normals(
  fare_stream stream, uint64_t block, uint64_t step, uint32_t draw, int count, double z[FARE_FEW])
{
  double u[FARE_FEW] FARE_ALIGNED;

  fare_random_few_uniforms(stream, block, step, draw, count, u);
  turn(FARE_FEW / 2, pairs_of(count), u, z);
}

const char *fare_random_instructions(void)
{
#if defined __AVX512F__
  return "AVX-512";
#elif defined __AVX2__
  return "AVX2";
#elif defined __SSE4_1__
  return "SSE4.1";
#elif defined __SSE2__
  return "SSE2";
#else
  return "this machine's default";
#endif
}
