/* Every measure, once. A new one is a file beside this and a line here. */
FARE_MEASURE(kl)
FARE_MEASURE(reverse_kl)
FARE_MEASURE(jensen_shannon)
FARE_MEASURE(total_variation)
FARE_MEASURE(wasserstein_1)
FARE_MEASURE(wasserstein_2)
