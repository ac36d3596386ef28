/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=unit ranks=1 timeout=60 */
#include "fare_test.h"

/* Known answers of the Philox4x32-10 authors (kat_vectors of Random123). */
static void philox_known_answers(void **state)
{
  const uint32_t cases[3][10] = {
    {0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
    {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x408f276d, 0x41c83b0e,
      0xa20bc7c6, 0x6d5451fd},
    {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0xd16cfe09, 0x94fdcceb,
      0x5001e420, 0x24126ea1},
  };

  (void)state;
  for (int i = 0; i < 3; i++) {
    uint32_t out[4];

    fare_philox4x32(cases[i], cases[i] + 4, out);
    for (int k = 0; k < 4; k++) assert_int_equal(out[k], cases[i][6 + k]);
  }
}

/* The block generator is the reference generator at the documented counters. */
static void uniforms_follow_the_counter(void **state)
{
  const fare_stream stream = fare_stream_make(7, "a");
  const uint64_t    block = 12345, step = (3ull << 32) + 9;
  double            u[FARE_BLOCK];

  (void)state;
  fare_random_uniforms(stream, block, step, 5, u);
  for (uint32_t i = 0; i < FARE_BLOCK / 2; i++) {
    const uint32_t counter[4] = {i, (uint32_t)block, (uint32_t)step, 5 | 3u << 8};
    uint32_t       out[4];

    fare_philox4x32(counter, stream.key, out);
    assert_true(u[i] == ((double)(((uint64_t)out[0] << 32 | out[1]) >> 12) + 0.5) * 0x1p-52);
    assert_true(u[i + FARE_BLOCK / 2] == ((double)(((uint64_t)out[2] << 32 | out[3]) >> 12) + 0.5) * 0x1p-52);
  }
}

/* The vector code of the normals against Box and Muller's formula by the C library, both of each pair. */
static void normals_are_those_of_the_uniforms(void **state)
{
  const fare_stream stream = fare_stream_make(3, "pairs");
  double            u[FARE_BLOCK], z[FARE_BLOCK], worst = 0;

  (void)state;
  for (uint64_t b = 0; b < 2000; b++) {
    fare_random_uniforms(stream, b, 7, 1, u);
    fare_random_normals(stream, b, 7, 1, z);
    for (int i = 0; i < FARE_BLOCK / 2; i++) {
      const double radius = sqrt(-2 * log(u[i])), angle = 2 * M_PI * u[i + FARE_BLOCK / 2];

      worst = fmax(
        worst, fmax(fabs(z[i] - radius * cos(angle)), fabs(z[i + FARE_BLOCK / 2] - radius * sin(angle))));
    }
  }
  assert_between(worst, 1e-18, 1e-14);
}

/* Tail probabilities far out, where a poor transformation of uniforms shows first: 2^26 normals. */
static void tails_are_as_heavy_as_they_should_be(void **state)
{
  enum { BLOCKS = 1 << 17 };
  static const double from[]   = {2, 3, 4, 4.5, 5};
  const fare_stream   stream   = fare_stream_make(4, "tails");
  int64_t             above[5] = {0}, below[5] = {0};
  double              z[FARE_BLOCK];

  (void)state;
  for (uint64_t b = 0; b < BLOCKS; b++) {
    fare_random_normals(stream, b, 0, 0, z);
    for (int i = 0; i < FARE_BLOCK; i++) {
      if (fabs(z[i]) < from[0]) continue;
      for (int k = 0; k < 5; k++) {
        above[k] += z[i] > from[k];
        below[k] += z[i] < -from[k];
      }
    }
  }
  for (int k = 0; k < 5; k++) {
    const double expected = 0.5 * erfc(from[k] * M_SQRT1_2) * BLOCKS * FARE_BLOCK;

    assert_near((double)above[k], expected, 5 * sqrt(expected));
    assert_near((double)below[k], expected, 5 * sqrt(expected));
  }
}

/* Moments up to the fourth, the tail, and correlation between steps, blocks and lanes of 2^21 normals. */
static void normals_are_normal(void **state)
{
  enum { BLOCKS = 4096 };
  const fare_stream stream = fare_stream_make(1, "noise");
  const double      n      = (double)BLOCKS * FARE_BLOCK;
  double            z[FARE_BLOCK], next[FARE_BLOCK], m[5] = {0}, tail = 0, by_step = 0, by_lane = 0;

  (void)state;
  for (uint64_t b = 0; b < BLOCKS; b++) {
    fare_random_normals(stream, b, 0, 0, z);
    fare_random_normals(stream, b, 1, 0, next);
    for (int i = 0; i < FARE_BLOCK; i++) {
      for (int k = 1; k <= 4; k++) m[k] += pow(z[i], k) / n;
      tail += (fabs(z[i]) > 3) / n;
      by_step += z[i] * next[i] / n;
      by_lane += z[i] * z[(i + FARE_BLOCK / 2) % FARE_BLOCK] / n;
    }
  }
  /* five standard errors each */
  assert_near(m[1], 0, 5 / sqrt(n));
  assert_near(m[2], 1, 5 * sqrt(2 / n));
  assert_near(m[3], 0, 5 * sqrt(15 / n));
  assert_near(m[4], 3, 5 * sqrt(96 / n));
  assert_near(tail, 0.0026997960632601866, 5 * sqrt(0.0027 / n));
  assert_near(by_step, 0, 5 / sqrt(n));
  assert_near(by_lane, 0, 5 * sqrt(2 / n));
}

static void streams_differ(void **state)
{
  const fare_stream a = fare_stream_make(1, "a"), b = fare_stream_make(1, "b"), c = fare_stream_make(2, "a");

  (void)state;
  assert_true(memcmp(&a, &b, sizeof a) && memcmp(&a, &c, sizeof a) && memcmp(&b, &c, sizeof a));
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(philox_known_answers),
  cmocka_unit_test(uniforms_follow_the_counter),
  cmocka_unit_test(normals_are_those_of_the_uniforms),
  cmocka_unit_test(tails_are_as_heavy_as_they_should_be),
  cmocka_unit_test(normals_are_normal),
  cmocka_unit_test(streams_differ),
};
FARE_TEST_MAIN(tests)
