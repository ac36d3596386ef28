/* SPDX-License-Identifier: BSD-2-Clause */
/* Paths from the start, and the share of them that reaches b: what every other method is measured by. */
#include "rare.h"

#include <math.h>

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

static void count(const fare_path *path, fare_rare_state *run)
{
  run->value += path->end == FARE_PATH_IN_B;
}

static PetscErrorCode run(
  const void *options, const fare_rare_context *context, void *work, fare_rare_state *run, PetscBool *ended)
{
  const brute_force *s    = options;
  const fare_walk    walk = {context, fare_rare_stream(context, run->number, "noise"), -1, NULL, NULL, NULL};
  fare_rare_once    *once = &run->once;

  PetscFunctionBegin;
  (void)work;
  PetscCall(fare_rare_sample(&walk, s->paths, run, count, ended));
  once->estimate     = run->value / (double)run->stage;
  once->cost         = (double)run->steps;
  once->paths        = (double)run->stage;
  once->steps        = (double)run->steps;
  run->present       = once->estimate;
  run->present_error = sqrt(once->estimate * (1 - once->estimate) / (double)run->stage);
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
