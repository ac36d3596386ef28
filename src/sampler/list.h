/* SPDX-License-Identifier: BSD-2-Clause */
/* Every sampler, once. A new one is a file beside this and a line here. */
FARE_SAMPLER(langevin)
FARE_SAMPLER(boltzmann)
FARE_SAMPLER(replica_exchange)
FARE_SAMPLER(annealed_importance)
FARE_SAMPLER(ebm)
FARE_SAMPLER(neq_ebm)
FARE_SAMPLER(diffusion)
FARE_SAMPLER(normalizing_flow)
FARE_SAMPLER(schrodinger_bridge)
FARE_SAMPLER(poisson_flow)
FARE_SAMPLER(flow_matching)
FARE_SAMPLER(action_matching)
