#include <fare/random.h>

#include <math.h>

#define HALF (FARE_BLOCK / 2)
#define ROUNDS 10

/*
  Philox4x32-10: ten rounds of two 32x32->64 multiplications on a counter of four words (Salmon et al. 2011). The words are
  kept in 64-bit lanes so that the loop over counters vectorises.
*/
static inline void rounds(uint64_t *c0, uint64_t *c1, uint64_t *c2, uint64_t *c3, uint32_t k0, uint32_t k1)
{
  const uint64_t low = 0xFFFFFFFFu;

  for (int round = 0; round < ROUNDS; round++) {
    const uint64_t a = 0xD2511F53u * (*c0 & low), b = 0xCD9E8D57u * (*c2 & low);

    *c0 = (b >> 32) ^ *c1 ^ k0;
    *c2 = (a >> 32) ^ *c3 ^ k1;
    *c1 = b & low;
    *c3 = a & low;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
}

void fare_philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
  uint64_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];

  rounds(&c0, &c1, &c2, &c3, key[0], key[1]);
  out[0] = (uint32_t)c0;
  out[1] = (uint32_t)c1;
  out[2] = (uint32_t)c2;
  out[3] = (uint32_t)c3;
}

/* 52 random bits at the middle of their interval: never 0, never 1. */
static inline double unit(uint64_t high, uint64_t low)
{
  const uint64_t bits = (high << 32 | (low & 0xFFFFFFFFu)) >> 12;

  return ((double)(int64_t)bits + 0.5) * 0x1p-52;
}

void fare_random_uniforms(fare_stream stream, uint64_t block, uint64_t step, uint32_t draw, double u[FARE_BLOCK])
{
#pragma omp simd
  for (int i = 0; i < HALF; i++) {
    uint64_t c0 = (uint64_t)i, c1 = block & 0xFFFFFFFFu, c2 = step & 0xFFFFFFFFu, c3 = (draw & 0xFFu) | (step >> 32) << 8;

    rounds(&c0, &c1, &c2, &c3, stream.key[0], stream.key[1]);
    u[i]        = unit(c0, c1);
    u[i + HALF] = unit(c2, c3);
  }
}

void fare_random_normals(fare_stream stream, uint64_t block, uint64_t step, uint32_t draw, double z[FARE_BLOCK])
{
  double u[FARE_BLOCK] __attribute__((aligned(64))), sine[HALF] __attribute__((aligned(64)));

  fare_random_uniforms(stream, block, step, draw, u);
  /* sine and cosine in loops of their own: together the compiler would merge them into one scalar call */
#pragma omp simd
  for (int i = 0; i < HALF; i++) sine[i] = sin(2 * M_PI * u[i + HALF]);
#pragma omp simd
  for (int i = 0; i < HALF; i++) u[i + HALF] = cos(2 * M_PI * u[i + HALF]);
#pragma omp simd
  for (int i = 0; i < HALF; i++) {
    const double radius = sqrt(-2 * log(u[i]));

    z[i]        = radius * u[i + HALF];
    z[i + HALF] = radius * sine[i];
  }
}
