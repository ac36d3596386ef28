/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside doob: a committor that a network learns. */
#ifndef FARE_LEARNED_PRIVATE_H
#define FARE_LEARNED_PRIVATE_H

#include <fare/committor_field.h>

#include "rare/rare.h"

/*
  A committor that a network learns (doob/learned.c): ln q is to be that of the mean of q a lag later.
  Training and judging are those of all ranks alike, and depend on seed and event alone.
*/
typedef struct {
  fare_learn_options net;
  int                train_on;
  PetscInt64         rounds;
  double             lag;
} fare_learned_keys;
extern const char *const fare_learned_places[];
#define FARE_LEARNED_FIELDS(type, member)                                                                  \
  {"train_on", FARE_CHOICE, offsetof(type, member.train_on), "doob", 0, 0, fare_learned_places, "",        \
    "where a committor is learned: uniform in the box; on paths of splitting; or on paths of doob, those " \
    "that the last round leads"},                                                                          \
    {"rounds", FARE_INTEGER, offsetof(type, member.rounds), "8", 1, 100, NULL, "",                         \
      "rounds of learning, each of `steps` steps"},                                                        \
    {"lag", FARE_REAL, offsetof(type, member.lag), "0", 0, 1e3, NULL, "time",                              \
      "time to the later committor that is learned from; 0: up to the deadline; without one, the first "   \
      "dt"},                                                                                               \
    FARE_LEARN_FIELDS(type, member.net, "32", "2", "1500", "256", "3e-3")
/* Both fields are new: the learned one, and the exact one that judges it: rms of q_learned - q along paths of
 * the event, and ln q_learned - ln q at the start. Collective. */
typedef struct {
  double error, start;
} fare_learned_judgement;
PetscErrorCode fare_learned_create(const fare_learned_keys *keys, const fare_rare_context *context, double dt,
  struct fare_committor_field **field, fare_learned_judgement *judgement);

#endif
