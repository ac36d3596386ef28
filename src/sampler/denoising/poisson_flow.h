/* SPDX-License-Identifier: BSD-2-Clause */
/* The noise of Poisson flow. */
#ifndef FARE_POISSON_FLOW_H
#define FARE_POISSON_FLOW_H

#include <fare/random.h>

/*
  A block of gamma variates of the given shape > 0 (Marsaglia and Tsang, ACM Trans. Math. Softw. 26, 2000;
  below 1 by a power of a uniform number), from the draws `draw`, `draw` + 1, ... of a stream and step: as
  many as it takes until the last of the block is accepted.
*/
void fare_poisson_gammas(
  double shape, fare_stream stream, uint64_t block, uint64_t step, uint32_t draw, double gamma[FARE_BLOCK]);
/*
  Noise of density ~ (|e|^2 + D)^(-(N + D)/2) in N = dim dimensions, exactly: a direction and |e|^2 = D b/(1 -
  b) with b from Beta(N/2, D/2) are the same as a normal vector z times sqrt(D/2g), since |z|^2/2 and g are
  gamma variates of shapes N/2 and D/2.
*/
void fare_poisson_noise(int dim, int augmented, fare_stream stream, uint64_t block, uint64_t step,
  uint32_t draw, double e[][FARE_BLOCK]);

#endif
