/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Training of energies by the likelihood: its gradient is the mean of dE over the data less that over the
  density exp(-E) of the energy as it stands, which walkers represent. They stay in blocks, each at one
  training time, whole on one rank: a population of its own, with its own weights and resampling.
*/
#include "energy_model.h"
#include "energy_prior.h"

#include <math.h>
#include <string.h>

#define LEAST_EFFECTIVE 0.5 /* of the walkers of a block, below which they are resampled */

/*
  A block of walkers. A training that was stopped goes on from `kept` alone: three numbers, then the places
  and forces of each axis, energies and weights, which the others point to.
*/
typedef struct {
  int64_t     number; /* among all blocks: names its random numbers */
  int         group;
  double     *kept, *moves, *h, *log_ratio; /* ln Z/Z_0, Z_0 that of a normal */
  fare_chains at;
  double     *weight;
} walker_block;

#define FIRST 8 /* of those that belong to walkers */
static size_t numbers_of(int dim)
{
  return FIRST + (size_t)(2 * dim + 2) * FARE_BLOCK;
}

/*
  What a step of training works on. Its rows are data, then walkers; the loss of a row is weight E + extra.
*/
typedef struct {
  fare_sampler        *sampler;
  fare_energy_model   *m;
  int                  dim, groups; /* of training times told apart */
  const double        *times;
  fare_generative_rows training_context;
  fare_learn_batch    *batch;
  fare_energy         *energy;
  PetscBool           *visits;                 /* which times the step visits */
  int64_t           visited, each, all, local; /* walker_blocks per step, per group, on all ranks, and here */
  walker_block     *walker_blocks;
  int64_t           data, rows, capacity;
  float            *z[FARE_AXES_MAX], *weight, *extra;
  int              *group;
  fare_energy_prior prior;
  double           *log_norm; /* with a prior: of each time, for rows that are held out */
} training_context;

static void permute(const int from[FARE_BLOCK], double a[FARE_BLOCK])
{
  double b[FARE_BLOCK];

  memcpy(b, a, sizeof b);
  for (int i = 0; i < FARE_BLOCK; i++) a[i] = b[from[i]];
}

/* Systematic resampling within a walker_block whose weights have mean 1. */
static void resample(walker_block *w, int dim, double u)
{
  int    ancestor[FARE_BLOCK], made = 0;
  double sum = 0;

  for (int i = 0; i < FARE_BLOCK; i++) {
    sum += w->weight[i];
    while (made < FARE_BLOCK && (made + u < sum || i == FARE_BLOCK - 1)) ancestor[made++] = i;
  }
  for (int axis = 0; axis < dim; axis++) {
    permute(ancestor, w->at.z[axis]);
    permute(ancestor, w->at.f[axis]);
  }
  permute(ancestor, w->at.U);
  for (int i = 0; i < FARE_BLOCK; i++) w->weight[i] = 1;
}

static void reweigh(const training_context *l, walker_block *w, const double cost[FARE_BLOCK])
{
  double least = HUGE_VAL, sum = 0, square = 0;

  for (int i = 0; i < FARE_BLOCK; i++) least = w->weight[i] > 0 && cost[i] < least ? cost[i] : least;
  fare_weights_scale(least, cost, w->weight);
  for (int i = 0; i < FARE_BLOCK; i++) sum += w->weight[i];
  for (int i = 0; i < FARE_BLOCK; i++) square += w->weight[i] * w->weight[i];
  for (int i = 0; i < FARE_BLOCK; i++) w->weight[i] *= FARE_BLOCK / sum;
  *w->log_ratio += log(sum / FARE_BLOCK) - least;
  if (sum * sum / square < LEAST_EFFECTIVE * FARE_BLOCK) {
    double u[FARE_BLOCK];

    fare_random_uniforms(
      fare_sampler_stream(l->sampler, "walkers/resampling"), (uint64_t)w->number, (uint64_t)*w->moves, 0, u);
    resample(w, l->dim, u[0]);
  }
}

/* One unadjusted step on the energy of the last evaluation, weighed on the present one. */
static void move_weighted(const training_context *l, fare_energy *energy, walker_block *w)
{
  const fare_chains c = w->at;
  double            cost[FARE_BLOCK] FARE_ALIGNED;

  fare_chains_unadjusted(energy, *w->h, fare_sampler_stream(l->sampler, "walkers"), (uint64_t)w->number,
    (uint64_t)*w->moves, &c, cost);
  reweigh(l, w, cost);
  (*w->moves)++;
  fare_chains_wrap(energy, &c);
}

/* One adjusted step and one jump on the present energy, the step tuned as it goes. */
static void move_chains(const training_context *l, fare_energy *energy, walker_block *w)
{
  const fare_chains c      = w->at;
  const fare_stream stream = fare_sampler_stream(l->sampler, "walkers");
  const int         moved =
    fare_chains_local(energy, 1, *w->h, stream, (uint64_t)w->number, (uint64_t)*w->moves, 0, FARE_BLOCK, &c);

  fare_chains_jump(energy, 1, stream, (uint64_t)w->number, (uint64_t)*w->moves, (uint32_t)l->dim + 1, &c);
  fare_chains_wrap(energy, &c);
  *w->h = fare_chains_tune(*w->h, moved, FARE_BLOCK, 30);
  (*w->moves)++;
}

static void move_walkers(training_context *l, fare_energy *energy, walker_block *w)
{
  const fare_chains c = w->at;

  if (l->m->contrast == FARE_CONTRAST_PERSISTENT) fare_chains_evaluate(energy, &c);
  for (PetscInt64 n = 0; n < l->m->walker_moves; n++) {
    if (l->m->contrast == FARE_CONTRAST_PERSISTENT)
      move_chains(l, energy, w);
    else
      move_weighted(l, energy, w);
  }
  l->sampler->cost.network_evaluations +=
    FARE_BLOCK * l->m->walker_moves * (l->m->contrast == FARE_CONTRAST_PERSISTENT ? 2 : 1);
}

/* Normal, as the energy of a network is that is still 0. */
static void start_walkers(const training_context *l, walker_block *w)
{
  const fare_chains c = w->at;

  *w->h         = l->m->walker_step;
  *w->log_ratio = 0;
  for (int i = 0; i < FARE_BLOCK; i++) w->weight[i] = 1;
  fare_energy_draw(l->energy, fare_sampler_stream(l->sampler, "walkers/start"), (uint64_t)w->number, c.z);
  (void)l->energy->move(l->energy, l->times[w->group]);
  fare_chains_evaluate(l->energy, &c);
}

static void add_row(
  training_context *l, const float *const z[], int64_t i, int group, double weight, double extra)
{
  for (int axis = 0; axis < l->dim; axis++) l->z[axis][l->rows] = z[axis][i];
  l->group[l->rows]   = group;
  l->weight[l->rows]  = (float)weight;
  l->extra[l->rows++] = (float)extra;
}

/*
  Of the batch the rows at times that are visited; all in all as many, over all ranks, as the batch of the
  options has.
*/
static void add_data(training_context *l, double share)
{
  for (int64_t i = 0; i < l->batch->count; i++) {
    if (l->m->conditioned && !l->visits[l->batch->group[i]]) continue;
    add_row(
      l, (const float *const *)l->batch->x, i, l->batch->group[i], share * (double)l->batch->weight[i], 0);
  }
  l->data = l->rows;
}

/*
  With the cross-entropy in mind, E + ln Z of the data: ln Z is that of the walkers, and first order in what
  the energy is off from theirs.
*/
static void add_walkers(training_context *l, const walker_block *w, double share)
{
  fare_place   z;
  const float *at[FARE_AXES_MAX];
  double       log_normal = 0;

  for (int axis = 0; axis < l->dim; axis++) {
    at[axis] = z[axis];
    log_normal += l->energy->periodic[axis] ? log(l->energy->length[axis]) : 0.5 * log(2 * PETSC_PI);
    for (int i = 0; i < FARE_BLOCK; i++) z[axis][i] = (float)w->at.z[axis][i];
  }
  for (int i = 0; i < FARE_BLOCK; i++) {
    const double extra =
      l->m->contrast == FARE_CONTRAST_JARZYNSKI ? w->at.U[i] + *w->log_ratio + log_normal : 0;

    add_row(l, at, i, w->group, -share * w->weight[i], share * w->weight[i] * extra);
  }
}

/* With a prior, whose weight is chosen by it, the loss of what is held out is -ln q of z. */
static void draw_likelihood(training_context *l, int64_t step)
{
  if (step == FARE_LEARN_HELD_OUT)
    for (int g = 0; g < l->groups; g++) l->log_norm[g] = fare_energy_prior_log_norm(&l->prior, l->times[g]);
  for (int64_t i = 0; i < l->batch->count; i++) {
    const double weight = l->batch->weight[i];

    add_row(l, (const float *const *)l->batch->x, i, l->batch->group[i], weight,
      weight * l->log_norm[l->batch->group[i]]);
  }
}

static void draw_held_out(training_context *l, int64_t step)
{
  const double of_data    = (double)l->m->common.learn.batch / (double)l->batch->size,
               of_walkers = (double)l->m->common.learn.batch / (double)(l->all * FARE_BLOCK);

  for (int g = 0; g < l->groups; g++) l->visits[g] = PETSC_TRUE;
  fare_learn_batch_draw(l->batch, l->training_context.rows, l->training_context.stream, (uint64_t)step);
  if (l->sampler->prior) {
    draw_likelihood(l, step);
    return;
  }
  add_data(l, of_data);
  for (int64_t i = 0; i < l->local; i++) add_walkers(l, &l->walker_blocks[i], of_walkers);
}

/* The walker_block that visit number v of all training is for. */
static int64_t walker_block_of(const training_context *l, int64_t v)
{
  return v / l->groups % l->each * l->groups + v % l->groups;
}

static void draw(void *context, int64_t step, int64_t *rows)
{
  training_context *l     = context;
  const double      share = (double)l->m->common.learn.batch / (double)(l->visited * FARE_BLOCK);

  l->rows = 0;
  if (step >= FARE_LEARN_HELD_OUT) {
    draw_held_out(l, step);
    *rows = l->rows;
    return;
  }
  for (int64_t i = 0; i < l->local && step == 0; i++) start_walkers(l, &l->walker_blocks[i]);
  for (int g = 0; g < l->groups; g++) l->visits[g] = PETSC_FALSE;
  for (int64_t n = 0; n < l->visited; n++) l->visits[(step * l->visited + n) % l->groups] = PETSC_TRUE;
  fare_learn_batch_draw(l->batch, l->training_context.rows, l->training_context.stream, (uint64_t)step);
  add_data(l, share);
  for (int64_t n = 0; n < l->visited; n++) {
    const int64_t number = walker_block_of(l, step * l->visited + n);

    for (int64_t i = 0; i < l->local; i++) {
      if (l->walker_blocks[i].number != number) continue;
      (void)l->energy->move(l->energy, l->times[l->walker_blocks[i].group]);
      move_walkers(l, l->energy, &l->walker_blocks[i]);
      add_walkers(l, &l->walker_blocks[i], share);
    }
  }
  *rows = l->rows;
}

static void inputs(void *context, int64_t first, int n, float input[])
{
  training_context *l     = context;
  const int         times = fare_generative_time_inputs(&l->m->common);
  float            *to    = input + (size_t)fare_generative_position_inputs(l->sampler, l->dim) * FARE_BLOCK;
  const float      *at[FARE_AXES_MAX];

  for (int axis = 0; axis < l->dim; axis++) at[axis] = l->z[axis] + first;
  fare_generative_positions(l->sampler, l->dim, n, at, input);
  for (int k = 0; k < times && l->m->conditioned; k++) {
    for (int i = 0; i < n; i++)
      to[k * FARE_BLOCK + i] = l->training_context.times[l->group[first + i] * times + k];
  }
}

static double loss(void *context, int64_t first, int n, const float output[], float d_output[])
{
  const training_context *l   = context;
  double                  sum = 0;

  for (int i = 0; i < n; i++) {
    double E = output[i];

    for (int axis = 0; axis < l->dim; axis++) {
      const double z = l->z[axis][first + i];

      if (!l->energy->periodic[axis]) E += 0.5 * z * z;
    }
    d_output[i] = l->weight[first + i];
    sum += (double)l->weight[first + i] * E + (double)l->extra[first + i];
  }
  return sum;
}

static void keep(void *context, double numbers[])
{
  const training_context *l = context;

  for (int64_t i = 0; i < l->local; i++)
    memcpy(numbers + (size_t)l->walker_blocks[i].number * numbers_of(l->dim), l->walker_blocks[i].kept,
      numbers_of(l->dim) * sizeof *numbers);
}

static void recall(void *context, const double numbers[])
{
  training_context *l = context;

  for (int64_t i = 0; i < l->local; i++)
    memcpy(l->walker_blocks[i].kept, numbers + (size_t)l->walker_blocks[i].number * numbers_of(l->dim),
      numbers_of(l->dim) * sizeof *numbers);
}

static int64_t visits_per_step(const fare_energy_model *m, int groups)
{
  const int64_t wanted = PetscMax(1, (m->common.learn.batch + FARE_BLOCK / 2) / FARE_BLOCK);

  return !m->conditioned || wanted <= groups ? wanted : (wanted + groups / 2) / groups * groups;
}

static PetscErrorCode make_block(int dim, walker_block *w)
{
  double *at;

  PetscFunctionBegin;
  PetscCall(PetscCalloc1(numbers_of(dim), &w->kept));
  w->moves     = &w->kept[0];
  w->h         = &w->kept[1];
  w->log_ratio = &w->kept[2];
  at           = w->kept + FIRST;
  for (int axis = 0; axis < dim; axis++) {
    w->at.z[axis] = at + axis * FARE_BLOCK;
    w->at.f[axis] = at + (dim + axis) * FARE_BLOCK;
  }
  w->at.U   = at + 2 * dim * FARE_BLOCK;
  w->weight = w->at.U + FARE_BLOCK;
  PetscFunctionReturn(0);
}

static PetscErrorCode make_walkers(training_context *l)
{
  int rank, size;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(l->sampler->comm, &rank));
  PetscCallMPI(MPI_Comm_size(l->sampler->comm, &size));
  l->each  = (l->m->walkers + FARE_BLOCK - 1) / FARE_BLOCK;
  l->all   = l->each * l->groups;
  l->local = (l->all - rank + size - 1) / size;
  PetscCall(PetscCalloc1(l->local, &l->walker_blocks));
  for (int64_t i = 0; i < l->local; i++) {
    l->walker_blocks[i].number = rank + i * size;
    l->walker_blocks[i].group  = (int)(l->walker_blocks[i].number % l->groups);
    PetscCall(make_block(l->dim, &l->walker_blocks[i]));
  }
  PetscFunctionReturn(0);
}

static double penalty(void *context, const fare_weighing_rows *rows, float gradient[])
{
  training_context *l = context;

  if (rows->first == 0) l->sampler->cost.network_evaluations += 2 * FARE_CURRENT_CELLS;
  return fare_energy_prior_penalty(&l->prior, rows, gradient);
}

static PetscErrorCode begin(fare_sampler *sampler, const fare_training_set *data, training_context *l)
{
  fare_energy_model *m = sampler->state;

  PetscFunctionBegin;
  *l         = (training_context){.sampler = sampler,
            .m                             = m,
            .dim                           = fare_system_dimension(sampler->system),
            .groups                        = m->conditioned ? data->count : 1,
            .times                         = data->times};
  l->visited = visits_per_step(m, l->groups);
  PetscCall(fare_generative_rows_begin(sampler, data, &l->training_context));
  PetscCall(fare_learn_batch_create(
    l->dim, FARE_BLOCK * (m->conditioned && l->visited < l->groups ? l->groups : l->visited), &l->batch));
  PetscCall(fare_energy_of_network(sampler, &l->energy));
  fare_energy_set_walls(l->energy, &sampler->walls);
  PetscCall(PetscCalloc1(l->groups, &l->visits));
  PetscCall(make_walkers(l));
  l->capacity = l->batch->size + PetscMax(l->visited, l->local) * FARE_BLOCK;
  PetscCall(PetscMalloc3(l->capacity, &l->weight, l->capacity, &l->extra, l->capacity, &l->group));
  for (int axis = 0; axis < l->dim; axis++) PetscCall(PetscMalloc1(l->capacity, &l->z[axis]));
  PetscCall(PetscMalloc1(l->groups, &l->log_norm));
  if (sampler->prior) PetscCall(fare_energy_prior_create(sampler, data, &l->prior));
  PetscFunctionReturn(0);
}

static PetscErrorCode end(training_context *l)
{
  PetscFunctionBegin;
  PetscCall(fare_generative_rows_end(&l->training_context));
  PetscCall(fare_learn_batch_destroy(&l->batch));
  PetscCall(fare_energy_destroy(&l->energy));
  PetscCall(PetscFree(l->visits));
  for (int64_t i = 0; i < l->local; i++) PetscCall(PetscFree(l->walker_blocks[i].kept));
  PetscCall(PetscFree(l->walker_blocks));
  PetscCall(PetscFree3(l->weight, l->extra, l->group));
  for (int axis = 0; axis < l->dim; axis++) PetscCall(PetscFree(l->z[axis]));
  PetscCall(PetscFree(l->log_norm));
  PetscCall(fare_energy_prior_destroy(&l->prior));
  PetscFunctionReturn(0);
}

/* An oracle only needs to know where it is, and what it pools. */
static PetscErrorCode train_oracle(fare_sampler *sampler, const fare_training_set *data)
{
  fare_energy_model *m = sampler->state;

  PetscFunctionBegin;
  PetscCall(fare_generative_scale_exact(sampler, data));
  m->times = m->conditioned ? 0 : (size_t)data->count;
  PetscCall(PetscFree(m->time));
  PetscCall(PetscMalloc1(m->times, &m->time));
  PetscCall(PetscArraycpy(m->time, data->times, m->times));
  m->common.ready = PETSC_TRUE;
  PetscFunctionReturn(0);
}

PetscErrorCode fare_energy_model_train(fare_sampler *sampler, const fare_training_set *data)
{
  fare_learn_problem problem = {.draw = draw, .inputs = inputs, .loss = loss, .keep = keep, .recall = recall};
  training_context   l       = {0};
  PetscErrorCode     code;

  PetscFunctionBegin;
  if (sampler->mode == FARE_ORACLE) {
    PetscCall(train_oracle(sampler, data));
    PetscFunctionReturn(0);
  }
  code            = begin(sampler, data, &l);
  problem.context = &l;
  problem.kept    = (size_t)l.all * numbers_of(l.dim);
  if (!code && sampler->prior) {
    fare_weighing weighing = {.sampler = sampler, .rows = l.training_context.rows, .penalty = penalty};

    code = fare_weighing_train(&weighing, &problem);
  } else if (!code) {
    code = fare_generative_learn(sampler, &problem);
  }
  PetscCall(end(&l));
  PetscFunctionReturn(code);
}

int64_t fare_energy_model_rows(const fare_sampler *sampler)
{
  const fare_energy_model *m       = sampler->state;
  const int64_t            visited = PetscMax(1, (m->common.learn.batch + FARE_BLOCK / 2) / FARE_BLOCK);

  return m->common.learn.steps * visited * FARE_BLOCK *
    (2 + m->walker_moves * (m->contrast == FARE_CONTRAST_PERSISTENT ? 2 : 1));
}
