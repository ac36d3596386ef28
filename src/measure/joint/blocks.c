/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The divergence from a product of blocks splits: D(q||p) = sum of D(q_b||p_b) over blocks + total correlation
  of the blocks under q.
*/
#include "look.h"

#include <math.h>

extern const fare_joint_measure_type fare_joint_measure_block_kl, fare_joint_measure_total_correlation,
  fare_joint_measure_reverse_kl_density;

static PetscErrorCode measure_blocks(
  fare_joint_look *look, const fare_measure_type *type, fare_measured *result)
{
  fare_parts *parts;

  PetscFunctionBegin;
  (void)type;
  PetscCall(fare_look_parts(look, FARE_BLOCKS, &parts));
  fare_look_sum(parts->count, parts->of[0], result);
  PetscFunctionReturn(0);
}

/*
  All of it less that of the blocks. Both are from the same samples: the errors of the two are added, not
  their squares. Exact draws that know their ln q show nothing but the noise of the blocks.
*/
static PetscErrorCode measure_rest(
  fare_joint_look *look, const fare_measure_type *type, fare_measured *result)
{
  fare_measured all = {0}, blocks = {0};
  double        noise;

  PetscFunctionBegin;
  PetscCall(
    fare_joint_measure_reverse_kl_density.measure(look, &fare_joint_measure_reverse_kl_density.base, &all));
  PetscCall(measure_blocks(look, type, &blocks));
  noise                = (blocks.floor_high - blocks.floor_mean) / HIGH_95;
  *result              = (fare_measured){.value = all.value - blocks.excess,
                 .corrected                     = all.value - blocks.corrected,
                 .low                           = PetscMax(0, all.low - blocks.high),
                 .high                          = PetscMax(0, all.high - blocks.low),
                 .floor_high                    = HIGH_95 * noise,
                 .excess                        = all.value - blocks.excess,
                 .effective                     = all.effective,
                 .independent                   = PetscMin(all.independent, blocks.independent),
                 .pooled                        = blocks.pooled,
                 .interval                      = all.interval ? all.interval : blocks.interval,
                 .truth_error                   = all.truth_error + blocks.truth_error};
  noise                = hypot(noise, (all.high - all.value) / FARE_NORMAL_95);
  result->significance = noise > 0 ? result->excess / noise : 0;
  result->p_value      = 0.5 * erfc(result->significance * M_SQRT1_2);
  PetscFunctionReturn(0);
}

#define REFERENCE "Watanabe, IBM J. Res. Dev. 4, 66 (1960)"

const fare_joint_measure_type fare_joint_measure_block_kl = {
  .base    = {.name = "block_kl",
       .summary     = "sum over blocks of D(ensemble||truth): a lower bound of that of all axes",
       .definition = "sum over the blocks of a product of the measure reverse_kl on the block's density, in its "
                        "own axes; what is left to that of all axes is the total correlation.",
       .reference  = REFERENCE,
       .unit       = "nats"},
  .needs   = FARE_NEEDS_BLOCKS,
  .measure = measure_blocks,
};
const fare_joint_measure_type fare_joint_measure_total_correlation = {
  .base    = {.name = "total_correlation",
       .summary     = "dependence of the blocks of a product in the ensemble",
       .definition  = "reverse_kl_density less block_kl, of which the bias is taken off. Bins hide some of the "
                         "latter: it is an upper bound, and an estimate where blocks are well resolved.",
       .reference   = REFERENCE,
       .unit        = "nats"},
  .needs   = FARE_NEEDS_BLOCKS | FARE_NEEDS_LOG_DENSITY | FARE_NEEDS_PAIRS,
  .measure = measure_rest,
};
