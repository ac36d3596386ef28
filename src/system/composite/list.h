/* SPDX-License-Identifier: BSD-2-Clause */
/* Every system of many axes, once. A new one is a file beside this and a line here. */
FARE_COMPOSITE(linear)
FARE_COMPOSITE(gaussian_mixture)
FARE_COMPOSITE(product)
FARE_COMPOSITE(dyson)
FARE_COMPOSITE(chain)
FARE_COMPOSITE(counterdiabatic)
FARE_COMPOSITE(steered)
FARE_COMPOSITE(spline)
