/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside rare: shares of walkers that a weighted ensemble learns. */
#ifndef FARE_ALLOCATION_PRIVATE_H
#define FARE_ALLOCATION_PRIVATE_H

#include <fare/support.h>

/*
  Shares of walkers of least variance, up to a factor, from the weights moved[i * (bins + 1) + j] that went
  from bin i to bin j in a move, or, j = bins, to b and so to the first. FARE_ERR_FAILED where none
  reached b. Not collective.
*/
PetscErrorCode fare_shares_learn(size_t bins, const double moved[], double share[]);

#endif
