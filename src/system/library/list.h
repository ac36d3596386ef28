/* Every system, once. A new one is a file beside this and a line here. */
FARE_SYSTEM(prinz)
FARE_SYSTEM(ornstein_uhlenbeck)
FARE_SYSTEM(double_well)
