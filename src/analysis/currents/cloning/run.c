/* SPDX-License-Identifier: BSD-2-Clause */
/* One run of cloning, from its beginning to its end, with pauses, and its state as words. */
#include "run.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { STAGE, SUM, WALKERS, WORDS }; /* before those of the crowd */

static int64_t steps_of(const fare_clones *k)
{
  return k->resample > 0 ? PetscMax(1, (int64_t)round(k->resample / k->dt)) : 10;
}

static int64_t burn_of(const fare_clones *k)
{
  return (int64_t)ceil((k->burn > 0 ? k->burn : k->duration / 5) / (k->dt * (double)steps_of(k)));
}

static int64_t stages_of(const fare_clones *k)
{
  return burn_of(k) + (int64_t)ceil(k->duration / (k->dt * (double)steps_of(k)));
}

void fare_clones_steps(const fare_clones *keys, int64_t *burn, int64_t *all)
{
  *burn = burn_of(keys) * steps_of(keys);
  *all  = stages_of(keys) * steps_of(keys);
}

PetscErrorCode fare_clones_begin(const fare_cloning *p, int tilt, int64_t number, fare_clones_state *run)
{
  const fare_clones *k    = p->keys;
  const uint64_t     seed = (uint64_t)k->seed;
  char               name[64], other[96];

  PetscFunctionBegin;
  *run        = (fare_clones_state){.begun = PETSC_TRUE, .number = number};
  run->stages = stages_of(k);
  snprintf(name, sizeof name, "clones/tilt%d/run%lld", tilt, (long long)number);
  run->noise = fare_stream_make(seed, name);
  snprintf(other, sizeof other, "%s/resample", name);
  run->choice = (fare_random){.stream = fare_stream_make(seed, other), .sequence = 1};
  PetscCall(fare_crowd_create((size_t)k->walkers << (number >= k->runs), p->dim, &run->crowd));
  snprintf(other, sizeof other, "%s/scatter", name);
  fare_crowd_scatter(p, &run->crowd, fare_stream_make(seed, other));
  fare_crowd_levels(p, &run->crowd, run->crowd.level);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_clones_end(fare_clones_state *run)
{
  PetscFunctionBegin;
  if (run->begun) PetscCall(fare_crowd_free(&run->crowd));
  run->begun = PETSC_FALSE;
  PetscFunctionReturn(0);
}

double fare_clones_share(const fare_clones_state *run)
{
  return (double)run->stage / (double)run->stages;
}

static PetscErrorCode finish(const fare_cloning *p, fare_clones_state *run, double result[])
{
  const fare_crowd *c        = &run->crowd;
  const double      time     = (double)((run->stages - burn_of(p->keys)) * steps_of(p->keys)) * p->keys->dt;
  double            mean     = 0;
  size_t            families = 0;

  PetscFunctionBegin;
  for (size_t i = 0; i < c->count; i++) mean += c->sum[i] / (double)c->count;
  for (size_t i = 0; i < c->count; i++) families += !i || c->family[i] != c->family[i - 1];
  result[FARE_CLONES_PSI]      = run->sum / time;
  result[FARE_CLONES_SLOPE]    = mean / time;
  result[FARE_CLONES_FAMILIES] = (double)families;
  if (!isfinite(result[FARE_CLONES_PSI]) || !isfinite(mean))
    FARE_FAIL(FARE_ERR_FAILED, "clones: weights are not finite: take a smaller dt, or resample more often");
  PetscFunctionReturn(0);
}

PetscErrorCode fare_clones_go_on(
  const fare_cloning *p, double until, fare_clones_state *run, double result[], PetscBool *ended)
{
  const int64_t every = steps_of(p->keys), burn = burn_of(p->keys);
  fare_crowd   *c = &run->crowd;

  PetscFunctionBegin;
  while (run->stage < run->stages && fare_seconds() < until) {
    const int64_t n = run->stage;
    double        grown;

    for (size_t i = 0; n == burn && i < c->count; i++) {
      c->family[i] = (int64_t)i;
      c->sum[i]    = 0;
    }
    for (int64_t m = 0; m < every; m++) fare_crowd_step(p, c, run->noise, (uint64_t)(n * every + m));
    grown = fare_crowd_resample(p, c, fare_random_uniform(&run->choice));
    if (n >= burn) run->sum += grown;
    run->stage++;
  }
  *ended = run->stage == run->stages ? PETSC_TRUE : PETSC_FALSE;
  if (*ended) PetscCall(finish(p, run, result));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_clones_put(const fare_clones_state *run, fare_pieces *to)
{
  const fare_crowd *c     = &run->crowd;
  const size_t      words = WORDS + c->doubles + c->count;
  uint64_t         *word;
  PetscErrorCode    code;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(words, &word));
  word[STAGE]   = (uint64_t)run->stage;
  word[WALKERS] = c->count;
  memcpy(&word[SUM], &run->sum, sizeof *word);
  memcpy(word + WORDS, c->memory, c->doubles * sizeof *word);
  memcpy(word + WORDS + c->doubles, c->family, c->count * sizeof *word);
  code = fare_pieces_add(to, run->number, (int64_t)words, word);
  PetscCall(PetscFree(word));
  PetscFunctionReturn(code);
}

PetscErrorCode fare_clones_take_up(const fare_pieces *from, fare_clones_state *run)
{
  fare_crowd     *c = &run->crowd;
  int64_t         words;
  const uint64_t *word = fare_pieces_find(from, run->number, &words);

  PetscFunctionBegin;
  if (!word) PetscFunctionReturn(0);
  if ((size_t)words != WORDS + c->doubles + c->count || word[WALKERS] != c->count ||
    word[STAGE] > (uint64_t)run->stages)
    FARE_FAIL(
      FARE_ERR_FAILED, "clones: the state of run %lld belongs to another run", (long long)run->number);
  run->stage       = (int64_t)word[STAGE];
  run->choice.next = word[STAGE]; /* one number for each interval */
  memcpy(&run->sum, &word[SUM], sizeof *word);
  memcpy(c->memory, word + WORDS, c->doubles * sizeof *word);
  memcpy(c->family, word + WORDS + c->doubles, c->count * sizeof *word);
  PetscFunctionReturn(0);
}
