/* SPDX-License-Identifier: BSD-2-Clause */
/* Paths from the start, and the share of them that reaches b: what every other method is measured by. */
#include "rare.h"

typedef struct {
  fare_chain_keys chain;
  PetscInt64      paths;
} brute_force;

#define AT(member) offsetof(brute_force, member)
static const fare_field fields[] = {
  FARE_CHAIN_FIELDS(AT(chain)),
  {"paths", FARE_INTEGER, AT(paths), "10000", 1, 1e9, NULL, "", "paths of one run"},
  FARE_FIELDS_END,
};

static void setting(const void *options, int i, fare_rare_setting *s)
{
  (void)i;
  s->chain = ((const brute_force *)options)->chain;
}

static PetscErrorCode run(
  const void *options, const fare_rare_context *context, void *work, int64_t number, fare_rare_once *once)
{
  enum { TOGETHER = 512 };
  const brute_force *s     = options;
  const fare_walk    walk  = {context, fare_rare_stream(context, number, "noise"), -1, NULL, NULL, NULL};
  int64_t            steps = 0, hits = 0;
  fare_path          path[TOGETHER];

  PetscFunctionBegin;
  (void)work;
  for (PetscInt64 first = 0; first < s->paths; first += TOGETHER) {
    const size_t count = (size_t)PetscMin(TOGETHER, s->paths - first);

    for (size_t i = 0; i < count; i++) path[i] = fare_path_begin(context, (uint32_t)(first + (PetscInt64)i));
    PetscCall(fare_paths_walk(&walk, count, path, &steps));
    for (size_t i = 0; i < count; i++) hits += path[i].end == FARE_PATH_IN_B;
  }
  once->estimate = (double)hits / (double)s->paths;
  once->cost     = (double)steps;
  once->paths    = (double)s->paths;
  once->steps    = (double)steps;
  PetscFunctionReturn(0);
}

const fare_rare_type fare_rare_brute_force = {
  .name      = "brute_force",
  .summary   = "simulates paths and counts those that reach b",
  .reference = "Maruyama, Rend. Circ. Mat. Palermo 4, 48 (1955)",
  .size      = sizeof(brute_force),
  .fields    = fields,
  .setting   = setting,
  .run       = run,
};
