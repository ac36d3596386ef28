/* SPDX-License-Identifier: BSD-2-Clause */
/* Every method of inference, once. Included to declare and to register. */
FARE_INFER(likelihood)
FARE_INFER(snapshot_likelihood)
FARE_INFER(identifiability)
FARE_INFER(euler_likelihood)
FARE_INFER(kramers_moyal)
FARE_INFER(sfi)
FARE_INFER(sindy)
FARE_INFER(ulisfi)
FARE_INFER(velocity_differences)
FARE_INFER(jko_star)
FARE_INFER(action_matching)
FARE_INFER(waddington)
