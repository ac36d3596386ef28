/*
  Score-based diffusion, conditioned on the physical time t: a network learns to take noise out of particles of all training times,
  and new particles of any time are made out of noise. Generative time is the noise level sigma, kept apart from t.

  Preconditioning of Karras et al. with data of variance 1: the denoiser is D(y; sigma, t) = c_skip y + c_out F(c_in y; sigma, t). In the
  variable u = c_in y and the angle phi = arctan(sigma) the probability-flow equation dy/dsigma = (y - D)/sigma becomes du/dphi = -F, so
  that Heun's method has no error where data are normal: c_skip and c_in are integrated exactly.
*/
#include "diffusion.h"

#include <fare/learn.h>
#include <fare/sampler.h>
#include <math.h>
#include <string.h>

#define ALIGNED __attribute__((aligned(64)))

enum { ODE, SDE };
static const char *const solvers[] = {"ode", "sde", NULL};

typedef struct {
  fare_learn_options learn;
  PetscInt64         octaves, noise_octaves, time_octaves, sampling_steps;
  double             frequency, sigma_min, sigma_max, p_mean, p_std, rho, churn;
  int                solver;

  PetscBool     trained;
  uint64_t      advances; /* made so far: the counter of the random numbers */
  double        mean[FARE_DIM_MAX], sd[FARE_DIM_MAX];
  fare_network *network;
  fare_curve    curve;
} diffusion;

/*
  Defaults from short trainings on the driven Prinz potential, two seeds each, D(truth||drawn) over 256 bins where exact draws have 0.0025: as they
  stand 0.0038; two layers 0.0046; no octaves of the position 0.0052; a fifth octave of t 0.0040; 4 of t or 6 of the position no different
  from these; width 96 0.0035 for twice the time. sigma_max is large because all times begin from one normal, off by the data's mean over sigma_max.
*/
static const fare_field fields[] = {
  FARE_LEARN_FIELDS(diffusion, learn, "64", "3", "10000", "4096", "4e-3"),
  {"octaves", FARE_INTEGER, offsetof(diffusion, octaves), "5", 0, 16, NULL, "", "octaves of sines and cosines of the position: narrow wells need them"},
  {"frequency", FARE_REAL, offsetof(diffusion, frequency), "1", 1e-3, 1e3, NULL, "1/sd", "lowest of them, positions being scaled to variance 1"},
  {"noise_octaves", FARE_INTEGER, offsetof(diffusion, noise_octaves), "3", 0, 16, NULL, "", "octaves of sines and cosines of ln sigma, the lowest half a period over its range"},
  {"time_octaves", FARE_INTEGER, offsetof(diffusion, time_octaves), "3", 0, 16, NULL, "", "octaves of sines and cosines of t, the lowest half a period over the schedule"},
  {"sigma_min", FARE_REAL, offsetof(diffusion, sigma_min), "0.01", 1e-6, 1, NULL, "sd", "least noise level"},
  {"sigma_max", FARE_REAL, offsetof(diffusion, sigma_max), "80", 1, 1e4, NULL, "sd", "largest noise level"},
  {"p_mean", FARE_REAL, offsetof(diffusion, p_mean), "-1.2", -20, 20, NULL, "", "mean of ln sigma in training"},
  {"p_std", FARE_REAL, offsetof(diffusion, p_std), "1.4", 1e-3, 20, NULL, "", "standard deviation of ln sigma in training"},
  {"sampling_steps", FARE_INTEGER, offsetof(diffusion, sampling_steps), "24", 2, 4096, NULL, "", "steps from noise to data, each two network evaluations but the last"},
  {"rho", FARE_REAL, offsetof(diffusion, rho), "7", 1, 100, NULL, "", "how strongly the steps crowd at small noise: equal steps of sigma^(1/rho)"},
  {"solver", FARE_CHOICE, offsetof(diffusion, solver), "ode", 0, 0, solvers, "", "the probability-flow equation, or the same with noise added before each step"},
  {"churn", FARE_REAL, offsetof(diffusion, churn), "20", 0, 1e4, NULL, "", "sde: relative rise of the noise level by added noise, over all steps (at most 0.41 in each)"},
  FARE_FIELDS_END,
};

/* The inputs of the network: u per axis, octaves of y per axis, then those that all particles of a block share: ln sigma and t. */
static int position_inputs(const diffusion *s, int dim)
{
  return dim * (1 + 2 * (int)s->octaves);
}
static int noise_inputs(const diffusion *s)
{
  return 1 + 2 * (int)s->noise_octaves;
}
static int time_inputs(const diffusion *s)
{
  return 1 + 2 * (int)s->time_octaves;
}

/* z and the octaves of a number that runs over [-1, 1], `stride` apart. */
static void scalar_inputs(PetscInt64 octaves, int n, const float z[], int stride, float out[])
{
  memcpy(out, z, (size_t)n * sizeof(float));
  fare_learn_octaves((int)octaves, PETSC_PI / 2, n, z, NULL, stride, out + stride);
}

static void time_features(const fare_sampler *sampler, const diffusion *s, double t, float out[])
{
  const double length = sampler->schedule.end - sampler->schedule.start;
  const float  z      = length > 0 ? (float)(2 * (t - sampler->schedule.start) / length - 1) : 0;

  scalar_inputs(s->time_octaves, 1, &z, 1, out);
}

static PetscErrorCode setup(fare_sampler *sampler)
{
  diffusion               *s     = sampler->state;
  const int                dim   = fare_system_dimension(sampler->system);
  const fare_network_shape shape = {position_inputs(s, dim) + noise_inputs(s) + time_inputs(s), (int)s->learn.width, (int)s->learn.layers, dim};

  PetscFunctionBeginUser;
  if (s->sigma_min >= s->sigma_max) FARE_FAIL(FARE_ERR_INPUT, "ensemble %s (diffusion): sigma_min %g must be below sigma_max %g", sampler->name, s->sigma_min, s->sigma_max);
  PetscCall(fare_network_create(&shape, fare_sampler_stream(sampler, "weights"), &s->network));
  PetscFunctionReturn(0);
}

static PetscErrorCode destroy(fare_sampler *sampler)
{
  diffusion *s = sampler->state;

  PetscFunctionBeginUser;
  PetscCall(fare_network_destroy(&s->network));
  PetscCall(fare_curve_free(&s->curve));
  PetscFunctionReturn(0);
}

/* What a step of training works on. */
typedef struct {
  const diffusion  *s;
  int               dim;
  fare_learn_rows  *rows;
  fare_learn_batch *batch;
  fare_stream       stream;
  float            *times;                                     /* features of every training time */
  float            *sigma, *level, *e[FARE_DIM_MAX];           /* of the batch's rows; sigma as its normal until levels are made */
  float             target[FARE_DIM_MAX][FARE_BLOCK] ALIGNED;  /* of the tile */
} lesson;

enum { DRAW_SIGMA = 1, DRAW_NOISE };

static void draw(void *context, int64_t step, int64_t *rows)
{
  lesson          *l = context;
  const diffusion *s = l->s;

  fare_learn_batch_draw(l->batch, l->rows, l->stream, (uint64_t)step);
  fare_learn_batch_normals(l->batch, l->stream, (uint64_t)step, DRAW_SIGMA, l->sigma);
  for (int axis = 0; axis < l->dim; axis++) fare_learn_batch_normals(l->batch, l->stream, (uint64_t)step, DRAW_NOISE + (uint32_t)axis, l->e[axis]);
  fare_diffusion_levels((int)l->batch->count, s->p_mean, s->p_std, s->sigma_min, s->sigma_max, l->sigma, l->sigma, l->level);
  *rows = l->batch->count;
}

static void inputs(void *context, int64_t first, int n, float input[])
{
  lesson          *l = context;
  const diffusion *s = l->s;
  float            y[FARE_BLOCK] ALIGNED;
  float           *to = input + (size_t)l->dim * FARE_BLOCK;

  for (int axis = 0; axis < l->dim; axis++) {
    fare_diffusion_corrupt(n, l->sigma + first, l->batch->x[axis] + first, l->e[axis] + first, y, input + (size_t)axis * FARE_BLOCK, l->target[axis]);
    fare_learn_octaves((int)s->octaves, s->frequency, n, y, l->sigma + first, FARE_BLOCK, to);
    to += (size_t)(2 * s->octaves) * FARE_BLOCK;
  }
  scalar_inputs(s->noise_octaves, n, l->level + first, FARE_BLOCK, to);
  to += (size_t)noise_inputs(s) * FARE_BLOCK;
  for (int k = 0; k < time_inputs(s); k++) {
    for (int i = 0; i < n; i++) to[k * FARE_BLOCK + i] = l->times[l->batch->group[first + i] * time_inputs(s) + k];
  }
}

static double loss(void *context, int64_t first, int n, const float output[], float d_output[])
{
  lesson *l   = context;
  double  sum = 0;

  for (int axis = 0; axis < l->dim; axis++) {
    sum += fare_diffusion_loss(n, l->batch->weight + first, l->target[axis], output + (size_t)axis * FARE_BLOCK, d_output + (size_t)axis * FARE_BLOCK);
  }
  return sum;
}

static PetscErrorCode lesson_begin(fare_sampler *sampler, const fare_training_set *data, lesson *l)
{
  diffusion   *s    = sampler->state;
  const size_t size = (size_t)s->learn.batch;

  PetscFunctionBeginUser;
  l->s      = s;
  l->dim    = fare_system_dimension(sampler->system);
  l->stream = fare_sampler_stream(sampler, "training");
  PetscCall(fare_learn_rows_create(sampler->comm, l->dim, data->count, &l->rows));
  PetscCall(PetscMalloc3((size_t)(data->count * time_inputs(s)), &l->times, size, &l->sigma, size, &l->level));
  for (int k = 0; k < data->count; k++) {
    const fare_ensemble *e = data->at[k];

    fare_learn_rows_set(l->rows, k, e->count, e->first_block * FARE_BLOCK, e->local, (const double *const *)e->x, e->weight);
    time_features(sampler, s, data->times[k], l->times + k * time_inputs(s));
  }
  PetscCall(fare_learn_rows_standardise(l->rows, s->mean, s->sd));
  PetscCall(fare_learn_batch_create(l->dim, s->learn.batch, &l->batch));
  for (int axis = 0; axis < l->dim; axis++) PetscCall(PetscMalloc1(size, &l->e[axis]));
  PetscFunctionReturn(0);
}

static PetscErrorCode lesson_end(lesson *l)
{
  PetscFunctionBeginUser;
  PetscCall(fare_learn_rows_destroy(&l->rows));
  PetscCall(fare_learn_batch_destroy(&l->batch));
  PetscCall(PetscFree3(l->times, l->sigma, l->level));
  for (int axis = 0; axis < l->dim; axis++) PetscCall(PetscFree(l->e[axis]));
  PetscFunctionReturn(0);
}

static PetscErrorCode train(fare_sampler *sampler, const fare_training_set *data)
{
  diffusion         *s = sampler->state;
  lesson             l = {0};
  char               what[128];
  fare_learn_problem problem = {.what = what, .context = &l, .draw = draw, .inputs = inputs, .loss = loss};
  PetscErrorCode     code;

  PetscFunctionBeginUser;
  snprintf(what, sizeof what, "training %s", sampler->name);
  code = lesson_begin(sampler, data, &l);
  if (!code) code = fare_learn_train(sampler->comm, s->network, &s->learn, &problem, &s->curve, &sampler->cost.network_evaluations);
  PetscCall(lesson_end(&l));
  s->trained = code ? PETSC_FALSE : PETSC_TRUE;
  PetscFunctionReturn(code);
}

/* One advance: what all blocks share. */
typedef struct {
  const diffusion *s;
  int              dim, common;
  double          *sigma;  /* sampling_steps + 1 levels, the last 0 */
  float           *shared; /* inputs of ln sigma and t */
  float           *input;
  fare_stream      latent, churn;
} journey;

typedef float place[FARE_DIM_MAX][FARE_BLOCK];

static PetscErrorCode journey_begin(fare_sampler *sampler, double t, int dim, journey *j)
{
  const diffusion *s     = sampler->state;
  const double     first = pow(s->sigma_max, 1 / s->rho), last = pow(s->sigma_min, 1 / s->rho);

  PetscFunctionBeginUser;
  *j        = (journey){.s = s, .dim = dim, .common = noise_inputs(s) + time_inputs(s)};
  j->latent = fare_sampler_stream(sampler, "latent");
  j->churn  = fare_sampler_stream(sampler, "churn");
  PetscCall(PetscMalloc3((size_t)s->sampling_steps + 1, &j->sigma, (size_t)j->common, &j->shared, (size_t)position_inputs(s, dim) * FARE_BLOCK, &j->input));
  for (PetscInt64 i = 0; i < s->sampling_steps; i++) j->sigma[i] = pow(first + (double)i / (double)(s->sampling_steps - 1) * (last - first), s->rho);
  j->sigma[s->sampling_steps] = 0;
  time_features(sampler, s, t, j->shared + noise_inputs(s));
  PetscFunctionReturn(0);
}

static PetscErrorCode journey_end(journey *j)
{
  PetscFunctionBeginUser;
  PetscCall(PetscFree3(j->sigma, j->shared, j->input));
  PetscFunctionReturn(0);
}

/* F at noise level sigma. */
static void evaluate(journey *j, double sigma, place u, place F)
{
  const diffusion *s     = j->s;
  const float      level = (float)PetscMin(1, 2 * log(sigma / s->sigma_min) / log(s->sigma_max / s->sigma_min) - 1);
  float            y[FARE_BLOCK] ALIGNED, spread[FARE_BLOCK] ALIGNED;
  float           *to = j->input + (size_t)j->dim * FARE_BLOCK;

  for (int i = 0; i < FARE_BLOCK; i++) spread[i] = (float)sigma;
  for (int axis = 0; axis < j->dim; axis++) {
    memcpy(j->input + (size_t)axis * FARE_BLOCK, u[axis], sizeof y);
    fare_diffusion_scale((float)sqrt(1 + sigma * sigma), u[axis], y);
    fare_learn_octaves((int)s->octaves, s->frequency, FARE_BLOCK, y, spread, FARE_BLOCK, to);
    to += (size_t)(2 * s->octaves) * FARE_BLOCK;
  }
  scalar_inputs(s->noise_octaves, 1, &level, 1, j->shared);
  fare_network_evaluate(s->network, FARE_BLOCK, j->input, j->common, j->shared, F[0]);
}

/* Adds noise that raises the level, and returns the new one (Karras et al., algorithm 2). */
static double stir(const journey *j, uint64_t block, uint64_t advance, PetscInt64 step, double sigma, place u)
{
  const double raised = sigma * (1 + PetscMin(j->s->churn / (double)j->s->sampling_steps, sqrt(2) - 1));
  const float  keep = (float)sqrt((1 + sigma * sigma) / (1 + raised * raised)), add = (float)sqrt((raised * raised - sigma * sigma) / (1 + raised * raised));
  double       z[FARE_BLOCK] ALIGNED;

  for (int axis = 0; axis < j->dim; axis++) {
    fare_random_normals(j->churn, block, advance * (uint64_t)j->s->sampling_steps + (uint64_t)step, (uint32_t)axis, z);
    fare_diffusion_mix(keep, add, u[axis], z, u[axis]);
  }
  return raised;
}

/* One block from noise to data, scaled and centred back. */
static void make_block(journey *j, uint64_t block, double *const x[])
{
  const diffusion *s = j->s;
  place            u ALIGNED = {{0}}, v ALIGNED, F ALIGNED, G ALIGNED;

  for (int axis = 0; axis < j->dim; axis++) {
    double z[FARE_BLOCK] ALIGNED;

    fare_random_normals(j->latent, block, s->advances, (uint32_t)axis, z);
    fare_diffusion_mix(0, 1, u[axis], z, u[axis]);
  }
  for (PetscInt64 i = 0; i < s->sampling_steps; i++) {
    const double next  = j->sigma[i + 1];
    const double sigma = s->solver == SDE && i > 0 && next > 0 ? stir(j, block, s->advances, i, j->sigma[i], u) : j->sigma[i];
    const float  h     = (float)(atan(sigma) - atan(next));

    evaluate(j, sigma, u, F);
    if (next > 0) {
      for (int axis = 0; axis < j->dim; axis++) fare_diffusion_euler(h, u[axis], F[axis], v[axis]);
      evaluate(j, next, v, G);
      for (int axis = 0; axis < j->dim; axis++) fare_diffusion_heun(h, u[axis], F[axis], G[axis], u[axis]);
    } else {
      for (int axis = 0; axis < j->dim; axis++) fare_diffusion_euler(h, u[axis], F[axis], u[axis]);
    }
  }
  for (int axis = 0; axis < j->dim; axis++) fare_diffusion_place(s->mean[axis], s->sd[axis], u[axis], x[axis]);
}

/* Two evaluations a step, but one for the last. */
static int64_t evaluations(const diffusion *s)
{
  return 2 * s->sampling_steps - 1;
}

static PetscErrorCode advance(fare_sampler *sampler, double t, fare_ensemble *ensemble)
{
  diffusion *s = sampler->state;
  journey    j;

  PetscFunctionBeginUser;
  if (!s->trained) FARE_FAIL(FARE_ERR_FAILED, "ensemble %s (diffusion) must be trained, or loaded, before it can draw", sampler->name);
  PetscCall(journey_begin(sampler, t, ensemble->dim, &j));
  for (int64_t b = 0; b < ensemble->blocks; b++) {
    double *x[FARE_DIM_MAX];

    for (int axis = 0; axis < FARE_DIM_MAX; axis++) x[axis] = ensemble->x[axis] ? ensemble->x[axis] + b * FARE_BLOCK : NULL;
    make_block(&j, (uint64_t)(ensemble->first_block + b), x);
  }
  PetscCall(journey_end(&j));
  s->advances++;
  sampler->cost.network_evaluations += ensemble->local * evaluations(s);
  PetscFunctionReturn(0);
}

static PetscErrorCode expect(fare_sampler *sampler, int64_t particles, fare_cost *cost)
{
  const diffusion *s = sampler->state;

  PetscFunctionBeginUser;
  cost->network_evaluations += s->learn.steps * s->learn.batch + particles * evaluations(s) * sampler->schedule.count;
  PetscFunctionReturn(0);
}

static const fare_curve *curve(const fare_sampler *sampler)
{
  return &((const diffusion *)sampler->state)->curve;
}

static PetscErrorCode save(fare_sampler *sampler, fare_store *to, const char *group)
{
  diffusion *s = sampler->state;
  char       path[512];

  PetscFunctionBeginUser;
  PetscCall(fare_store_put_int(to, group, "trained", s->trained));
  PetscCall(fare_store_put_int(to, group, "advances", (int64_t)s->advances));
  if (!s->trained) PetscFunctionReturn(0);
  for (int axis = 0; axis < fare_system_dimension(sampler->system); axis++) {
    snprintf(path, sizeof path, "mean_%d", axis);
    PetscCall(fare_store_put_real(to, group, path, s->mean[axis]));
    snprintf(path, sizeof path, "sd_%d", axis);
    PetscCall(fare_store_put_real(to, group, path, s->sd[axis]));
  }
  snprintf(path, sizeof path, "%s/network", group);
  PetscCall(fare_network_save(s->network, sampler->comm, to, path));
  snprintf(path, sizeof path, "%s/curve", group);
  PetscCall(fare_curve_save(&s->curve, sampler->comm, to, path));
  PetscFunctionReturn(0);
}

static PetscErrorCode load(fare_sampler *sampler, fare_store *from, const char *group)
{
  diffusion *s = sampler->state;
  int64_t    trained, advances;
  char       path[512];

  PetscFunctionBeginUser;
  PetscCall(fare_store_get_int(from, group, "trained", &trained));
  PetscCall(fare_store_get_int(from, group, "advances", &advances));
  s->trained  = trained ? PETSC_TRUE : PETSC_FALSE;
  s->advances = (uint64_t)advances;
  if (!s->trained) PetscFunctionReturn(0);
  for (int axis = 0; axis < fare_system_dimension(sampler->system); axis++) {
    snprintf(path, sizeof path, "mean_%d", axis);
    PetscCall(fare_store_get_real(from, group, path, &s->mean[axis]));
    snprintf(path, sizeof path, "sd_%d", axis);
    PetscCall(fare_store_get_real(from, group, path, &s->sd[axis]));
  }
  snprintf(path, sizeof path, "%s/network", group);
  PetscCall(fare_network_load(s->network, from, path));
  snprintf(path, sizeof path, "%s/curve", group);
  PetscCall(fare_curve_load(&s->curve, from, path));
  PetscFunctionReturn(0);
}

const fare_sampler_type fare_sampler_diffusion = {
  .name      = "diffusion",
  .summary   = "score-based diffusion conditioned on time: particles made out of noise by a network",
  .reference = "Song et al., arXiv 2011.13456 (2020); Karras et al., arXiv 2206.00364 (2022)",
  .family    = FARE_GENERATIVE,
  .size      = sizeof(diffusion),
  .fields    = fields,
  .setup     = setup,
  .train     = train,
  .advance   = advance,
  .expect    = expect,
  .curve     = curve,
  .save      = save,
  .load      = load,
  .destroy   = destroy,
};
