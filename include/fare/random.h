/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
  random: counter-based random numbers (Philox4x32-10; Salmon, Moraes, Dror and Shaw, SC11). A number is a
  pure function of seed, stream, block, step and draw: nothing is carried along, so results depend on neither
  rank count nor restart.
*/
#ifndef FARE_RANDOM_H
#define FARE_RANDOM_H

#include <fare/support.h>

#define FARE_BLOCK   512 /**< particles that are always stepped together, whole, on one rank */
#define FARE_ALIGNED __attribute__((aligned(64))) /**< of a block's arrays, as SIMD loops want them */

/** A stream: what one purpose of one ensemble draws from. */
typedef struct {
  uint32_t key[2]; /**< of Philox */
} fare_stream;
/**
  A stream of a study. Its key is a hash (FNV-1a) of name and seed. Not collective.
  @param seed of the study
  @param name of the stream, say "langevin/noise"
  @return the stream; the same seed and name give the same
*/
fare_stream fare_stream_make(uint64_t seed, const char *name);

/**
  Philox4x32-10: four random words from a counter and a key (Salmon et al., SC11). Not collective.
  @param counter four words
  @param key     two words
  @param out     the four random words
*/
void fare_philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/**
  Uniform numbers in (0,1) for the particles of a block. A kernel.
  @param stream what they are drawn from
  @param block  number of the block over all ranks
  @param step   below 2^56
  @param draw   tells apart several of one step, below 256
  @param u      one number per particle
*/
void fare_random_uniforms(
  fare_stream stream, uint64_t block, uint64_t step, uint32_t draw, double u[FARE_BLOCK]);
/**
  The same of mean 0 and variance 1, by Box and Muller (1958) from 52-bit uniforms. A kernel.
  @param stream what they are drawn from
  @param block  number of the block over all ranks
  @param step   below 2^56
  @param draw   tells apart several of one step, below 256
  @param z      one number per particle
*/
void fare_random_normals(
  fare_stream stream, uint64_t block, uint64_t step, uint32_t draw, double z[FARE_BLOCK]);
#define FARE_FEW 64 /**< numbers of one path at a time */
/**
  Uniform numbers in (0,1) for the next steps of one path. A kernel.
  @param stream what they are drawn from
  @param block  number of the path
  @param step   below 2^56: which of its numbers, FARE_FEW at a time
  @param draw   tells apart several of one step, below 256
  @param count  how many are wanted, from the first; the others are not set, or set
  @param u      one number per step
*/
void fare_random_few_uniforms(
  fare_stream stream, uint64_t block, uint64_t step, uint32_t draw, int count, double u[FARE_FEW]);
/**
  The same of mean 0 and variance 1, as fare_random_normals(). A kernel.
  @param stream what they are drawn from
  @param block  number of the path
  @param step   below 2^56: which of its numbers, FARE_FEW at a time
  @param draw   tells apart several of one step, below 256
  @param count  how many are wanted, from the first; the others are not set, or set
  @param z      one number per step
*/
void fare_random_few_normals(
  fare_stream stream, uint64_t block, uint64_t step, uint32_t draw, int count, double z[FARE_FEW]);
/**
  The vector instructions that kernels were compiled for: together with the compiler, what the last bits of a
  result depend on. Not collective.
  @return a constant, such as "AVX-512"
*/
const char *fare_random_instructions(void);

/** One number after the other, for work that is not per particle. */
typedef struct {
  fare_stream stream;   /**< what they are drawn from */
  uint64_t    sequence; /**< tells apart independent sequences of one stream, e.g. bootstrap replicates */
  uint64_t    next;     /**< number of the next; 0 to begin */
} fare_random;
/**
  The next uniform number, of 52 random bits. Not collective.
  @param random what it draws from; goes on by one
  @return in (0,1), never an end
*/
double fare_random_uniform(fare_random *random);
/**
  The next normal number, by Box and Muller (1958). Not collective.
  @param random what it draws from; goes on by two, for two uniform numbers
  @return of mean 0 and variance 1
*/
double fare_random_normal(fare_random *random);
/**
  Binomial, exact in distribution: inversion for small n p, else transformed rejection (Hoermann, J. Stat.
  Comput. Simul. 46, 1993).
  @param random what it draws from
  @param n      number of trials
  @param p      probability of a success
  @return number of successes
*/
int64_t fare_random_binomial(fare_random *random, int64_t n, double p);
/**
  Multinomial, by conditional binomials.
  @param random what it draws from
  @param n      number of draws
  @param k      number of classes
  @param p      their probabilities, of sum 1
  @param counts draws in each class, overwritten
*/
void fare_random_multinomial(fare_random *random, int64_t n, size_t k, const double p[], int64_t counts[]);

#endif
