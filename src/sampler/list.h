/* Every sampler, once. A new one is a file beside this and a line here. */
FARE_SAMPLER(langevin)
FARE_SAMPLER(boltzmann)
FARE_SAMPLER(diffusion)
