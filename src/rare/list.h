/* SPDX-License-Identifier: BSD-2-Clause */
/* Every method, once. Included to declare and to register. */
FARE_RARE(brute_force)
FARE_RARE(doob)
FARE_RARE(forward_flux)
FARE_RARE(splitting)
FARE_RARE(weighted_ensemble)
