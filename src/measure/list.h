/* SPDX-License-Identifier: BSD-2-Clause */
/* Every measure, once. A new one is a file beside this and a line here. */
FARE_MEASURE(kl)
FARE_MEASURE(reverse_kl)
FARE_MEASURE(jensen_shannon)
FARE_MEASURE(total_variation)
FARE_MEASURE(wasserstein_1)
FARE_MEASURE(wasserstein_2)
FARE_MEASURE(hellinger_squared)
FARE_MEASURE(chi_squared)
FARE_MEASURE(energy_distance)
FARE_MEASURE(sliced_wasserstein)
FARE_MEASURE(tail_error)
FARE_MEASURE(well_population)
