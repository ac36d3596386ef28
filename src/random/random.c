/* SPDX-License-Identifier: BSD-2-Clause */
#include <fare/random.h>

#include <math.h>

/* One step of SplitMix64 (Steele, Lea and Flood 2014): spreads a seed over all bits. */
static uint64_t mix(uint64_t x)
{
  x += 0x9E3779B97F4A7C15u;
  x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
  x = (x ^ x >> 27) * 0x94D049BB133111EBu;
  return x ^ x >> 31;
}

fare_stream fare_stream_make(uint64_t seed, const char *name)
{
  uint64_t    hash = 0xCBF29CE484222325u; /* FNV-1a */
  fare_stream stream;

  for (; *name; name++) hash = (hash ^ (unsigned char)*name) * 0x100000001B3u;
  hash          = mix(hash ^ mix(seed));
  stream.key[0] = (uint32_t)hash;
  stream.key[1] = (uint32_t)(hash >> 32);
  return stream;
}

double fare_random_uniform(fare_random *random)
{
  const uint64_t index      = random->next++;
  const uint32_t counter[4] = {(uint32_t)(index >> 1), (uint32_t)(index >> 33), (uint32_t)random->sequence,
    (uint32_t)(random->sequence >> 32)};
  uint32_t       out[4];
  uint64_t       bits;

  fare_philox4x32(counter, random->stream.key, out);
  bits = index & 1 ? (uint64_t)out[2] << 32 | out[3] : (uint64_t)out[0] << 32 | out[1];
  return ((double)(bits >> 12) + 0.5) * 0x1p-52;
}

double fare_random_normal(fare_random *random)
{
  const double u = fare_random_uniform(random), v = fare_random_uniform(random);

  return sqrt(-2 * log(u)) * cos(2 * M_PI * v);
}
