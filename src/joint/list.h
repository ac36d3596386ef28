/* SPDX-License-Identifier: BSD-2-Clause */
/* Every kind of truth beyond one grid, once. A new one is a file beside this and a line here. */
FARE_JOINT(gaussian)
FARE_JOINT(mixture)
FARE_JOINT(tensor_train)
FARE_JOINT(product)
FARE_JOINT(dyson)
