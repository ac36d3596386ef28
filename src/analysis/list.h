/* SPDX-License-Identifier: BSD-2-Clause */
/* Every analysis, once. Included to declare and to register. */
FARE_ANALYSIS(stationary)
FARE_ANALYSIS(periodic)
FARE_ANALYSIS(relaxation)
FARE_ANALYSIS(passage)
FARE_ANALYSIS(committor)
FARE_ANALYSIS(driven_passage)
FARE_ANALYSIS(driven_committor)
FARE_ANALYSIS(tilted)
FARE_ANALYSIS(instanton)
FARE_ANALYSIS(weighted_ensemble_optimum)
FARE_ANALYSIS(bridge)
FARE_ANALYSIS(sensitivity)
