/* SPDX-License-Identifier: BSD-2-Clause */
/*
  A sampler of one's own: it fits a normal distribution to the training particles of every training time, goes
  over from one to the next in a straight line, and draws. Where the dynamics are linear that is exact; in
  wells it shows what it cannot do. Change what it learns and how it draws; README.md tells how to build it
  and how a study names it.
*/
#include <fare/sampler_plugin.h>

#include <math.h>

typedef struct {
  double  widen;         /* its own parameter */
  int64_t times, values; /* training times; numbers in mean and in sd, for each time each axis in turn */
  double *time, *mean, *sd;
  int64_t draws; /* made so far: the counter of the random numbers */
} normals;

static const fare_field fields[] = {
  {"widen", FARE_REAL, offsetof(normals, widen), "1", 1e-3, 1e3, NULL, "",
    "factor on the standard deviations"},
  FARE_FIELDS_END,
};

static PetscErrorCode train(fare_sampler *sampler, const fare_training_set *data)
{
  const int dim = fare_system_dimension(sampler->system);
  normals  *s   = sampler->state;

  PetscFunctionBeginUser;
  s->times  = data->count;
  s->values = data->count * dim;
  PetscCall(PetscMalloc1(s->times, &s->time));
  PetscCall(PetscMalloc1(s->values, &s->mean));
  PetscCall(PetscMalloc1(s->values, &s->sd));
  for (int k = 0; k < data->count; k++) {
    double variance[FARE_DIM_MAX], effective;

    s->time[k] = data->times[k];
    /* over all ranks */
    PetscCall(fare_ensemble_moments(data->at[k], s->mean + k * dim, variance, &effective));
    for (int axis = 0; axis < dim; axis++) s->sd[k * dim + axis] = sqrt(variance[axis]);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode advance(fare_sampler *sampler, double t, fare_ensemble *ensemble)
{
  const fare_stream stream = fare_sampler_stream(sampler, "draws");
  normals          *s      = sampler->state;
  int64_t           k      = 0;
  double            part;

  PetscFunctionBeginUser;
  while (k + 2 < s->times && s->time[k + 1] <= t) k++;
  part = s->times > 1 ? (t - s->time[k]) / (s->time[k + 1] - s->time[k]) : 0;
  for (int axis = 0; axis < ensemble->dim; axis++) {
    const int64_t here = k * ensemble->dim + axis, there = s->times > 1 ? here + ensemble->dim : here;
    const double  mean = s->mean[here] + part * (s->mean[there] - s->mean[here]),
                 sd    = s->widen * (s->sd[here] + part * (s->sd[there] - s->sd[here]));

    /* whole blocks by their numbers, so that the bits do not depend on the number of ranks */
    for (int64_t b = 0; b < ensemble->blocks; b++) {
      double *x = ensemble->x[axis] + b * FARE_BLOCK;

      fare_random_normals(
        stream, (uint64_t)(ensemble->first_block + b), (uint64_t)s->draws, (uint32_t)axis, x);
      for (int i = 0; i < FARE_BLOCK; i++) x[i] = mean + sd * x[i];
    }
  }
  s->draws++;
  PetscFunctionReturn(0);
}

/* For checkpoints: what is learned and what is counted. */
static const fare_kept kept[] = {
  FARE_KEEP(INTEGER, normals, draws),
  FARE_KEEP_WITH(REALS, normals, time, .length = offsetof(normals, times)),
  FARE_KEEP_WITH(REALS, normals, mean, .length = offsetof(normals, values)),
  FARE_KEEP_WITH(REALS, normals, sd, .length = offsetof(normals, values)),
  FARE_KEPT_END,
};

static PetscErrorCode destroy(fare_sampler *sampler)
{
  PetscFunctionBeginUser;
  PetscCall(fare_kept_free(kept, sampler->state));
  PetscFunctionReturn(0);
}

static const fare_sampler_type moving_normal = {
  .name      = "moving_normal",
  .summary   = "a normal distribution fitted to each training time, and straight lines between them",
  .reference = "Sarkka and Solin, Applied Stochastic Differential Equations (2019), chapter 6",
  .family    = FARE_GENERATIVE,
  .size      = sizeof(normals),
  .fields    = fields,
  .train     = train,
  .advance   = advance,
  .kept      = kept,
  .destroy   = destroy,
};
FARE_PLUGIN_SAMPLER(moving_normal);
