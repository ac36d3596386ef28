/* SPDX-License-Identifier: BSD-2-Clause */
#include "score_prior.h"

#include "score_residual.h"

#include <math.h>
#include <stdlib.h>

#define EVERY      8 /* of these rows one is a collocation point */
#define ROOM       (FARE_BLOCK / FARE_SCORE_POINTS)
#define H          0.05 /* between neighbours, in standard deviations of the data */
#define DELTA      0.01 /* before and after, of the time of all snapshots ... */
#define RATIO      0.05 /* ... or of ln sigma */
#define LEAST      0.03 /* noise levels of fokker_planck ... */
#define MOST       0.12 /* ... where the drift's mean over the noise is known */
#define LARGEST    20.0 /* noise level of noise_equation */
#define LINE_LEAST 0.1  /* noise levels of least_dissipation, which sums scores over cells */
#define LINE_MOST  0.4
#define PLACES     16   /* where diffusion is looked at */
#define CONSTANT   1e-9 /* relative differences of it */

PetscErrorCode fare_score_check_prior(const void *state, const fare_system *system, const fare_prior *prior)
{
  const fare_system_type *type = fare_system_type_of(system);
  double                  D0   = 0;

  PetscFunctionBegin;
  (void)state;
  if (fare_system_dimension(system) != 1)
    FARE_FAIL(FARE_ERR_INPUT, "prior '%s' is known for the score of one axis; system '%s' has %d",
      fare_prior_kinds[prior->kind], type->name, fare_system_dimension(system));
  if (type->periodic[0])
    FARE_FAIL(FARE_ERR_INPUT, "prior '%s' needs an axis that does not close: the network's is a line",
      fare_prior_kinds[prior->kind]);
  for (int i = 0; i < PLACES && prior->kind != FARE_PRIOR_NOISE_EQUATION; i++) {
    const double x = type->lower[0] + (i + 0.5) / PLACES * (type->upper[0] - type->lower[0]);
    double       D;

    fare_generative_diffusion(prior->system, 0, &x, &D);
    if (i && fabs(D - D0) > CONSTANT * fabs(D0))
      FARE_FAIL(FARE_ERR_INPUT,
        "prior '%s' on a score needs diffusion that is the same everywhere; system '%s' has %g and %g",
        fare_prior_kinds[prior->kind], fare_system_type_of(prior->system)->name, D0, D);
    D0 = D;
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_score_prior_create(const fare_sampler *sampler, const fare_training_set *data,
  const fare_score_method *method, fare_score_prior *p)
{
  const fare_generative    *g      = sampler->state;
  const fare_network_shape *shape  = fare_network_shape_of(g->network);
  const size_t              size   = (size_t)g->learn.batch;
  const double              length = sampler->schedule.end - sampler->schedule.start;

  PetscFunctionBegin;
  *p = (fare_score_prior){.sampler = sampler, .g = g, .method = method, .times = data->times};
  p->interval =
    data->count > 1 ? (data->times[data->count - 1] - data->times[0]) / (data->count - 1) : length;
  PetscCall(PetscMalloc5(size, &p->level, size, &p->moment, (size_t)shape->inputs * FARE_BLOCK, &p->input,
    FARE_BLOCK, &p->output, FARE_BLOCK, &p->d_output));
  if (sampler->prior->kind == FARE_PRIOR_LEAST_DISSIPATION) {
    double lower, upper;

    fare_prior_box(sampler, &lower, &upper);
    PetscCall(fare_current_prior_create(sampler, data, lower, upper, &p->current));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_score_prior_destroy(fare_score_prior *p)
{
  PetscFunctionBegin;
  PetscCall(PetscFree5(p->level, p->moment, p->input, p->output, p->d_output));
  PetscCall(fare_current_prior_destroy(&p->current));
  PetscFunctionReturn(0);
}

void fare_score_prior_draw(fare_score_prior *p, const fare_noisy_rows *rows, uint64_t step, uint32_t first)
{
  const fare_learn_batch *batch = rows->rows.batch;

  fare_learn_batch_normals(batch, rows->rows.stream, step, first, p->level);
  fare_learn_batch_normals(batch, rows->rows.stream, step, first + 1, p->moment);
  for (int64_t i = 0; i < batch->count; i++) {
    p->level[i]  = (float)(0.5 * erfc(-(double)p->level[i] / sqrt(2)));
    p->moment[i] = (float)(0.5 * erfc(-(double)p->moment[i] / sqrt(2)));
  }
}

/* What stands at the five points of a place, in z. */
typedef struct {
  double           y, t, sigma;     /* here */
  double           sigmas[2], unit; /* before and after; what the residual is multiplied by */
  double           time[2];
  fare_score_place at;
} place;

/* Drift at five points and its derivatives at three, of the assumed system, and the mean over the noise. */
static void set_drift(const fare_score_prior *p, place *l)
{
  const fare_system *system = p->sampler->prior->system;
  const double       mean = p->g->mean[0], sd = p->g->sd[0], variance = l->sigma * l->sigma;
  double             x[FARE_SCORE_POINTS], f[FARE_SCORE_POINTS], D;
  const double      *at = x;
  double            *to = f;

  for (int i = 0; i < FARE_SCORE_POINTS; i++) x[i] = mean + sd * (l->y + (i - 2) * H);
  fare_system_drift(system, l->t, FARE_SCORE_POINTS, &at, &to);
  fare_generative_diffusion(system, l->t, &x[2], &D);
  l->at.D = D / (sd * sd);
  for (int j = 0; j < 3; j++) {
    const double slope = (f[j + 2] - f[j]) / (2 * H * sd),
                 bend  = (f[j + 2] - 2 * f[j + 1] + f[j]) / (H * H * sd);

    l->at.drift[j] = f[j + 1] / sd + 0.5 * variance * bend;
    l->at.pull[j]  = variance * slope;
  }
}

/* In physical time, at a moment within half an interval of a training time. */
static void set_place(const fare_score_prior *p, const fare_noisy_rows *rows, int64_t i, place *l)
{
  const fare_schedule *schedule = &p->sampler->schedule;
  const double         delta    = DELTA * (schedule->end - schedule->start),
               t = p->times[rows->rows.batch->group[i]] + ((double)p->moment[i] - 0.5) * p->interval;

  l->sigma = LEAST * pow(MOST / LEAST, (double)p->level[i]);
  l->y     = (double)rows->rows.batch->x[0][i] + l->sigma * (double)rows->noise[0][i];
  l->t     = PetscMax(schedule->start + delta, PetscMin(schedule->end - delta, t));
  l->unit  = p->interval * l->sigma;
  for (int side = 0; side < 2; side++) {
    l->sigmas[side] = l->sigma;
    l->time[side]   = l->t + (side ? delta : -delta);
  }
  l->at.span = 2 * delta;
  set_drift(p, l);
}

/* In the time of the noise, sigma^2/2, at a training time: dp/d(sigma^2/2) = p''. */
static void set_noise_place(const fare_score_prior *p, const fare_noisy_rows *rows, int64_t i, place *l)
{
  l->sigma = PetscMin(LARGEST, PetscMax(H, p->method->sigma((double)rows->amount[i])));
  l->y     = (double)rows->rows.batch->x[0][i] + l->sigma * (double)rows->noise[0][i];
  l->t     = p->times[rows->rows.batch->group[i]];
  l->unit  = l->sigma * l->sigma * l->sigma;
  for (int side = 0; side < 2; side++) {
    l->sigmas[side] = l->sigma * exp(side ? RATIO : -RATIO);
    l->time[side]   = l->t;
  }
  l->at.span = 0.5 * (l->sigmas[1] * l->sigmas[1] - l->sigmas[0] * l->sigmas[0]);
  l->at.D    = 1;
  for (int j = 0; j < 3; j++) l->at.drift[j] = l->at.pull[j] = 0;
}

/* What the network is asked, and how a score follows: s = own y + gain output. */
typedef struct {
  float  u[FARE_BLOCK], y[FARE_BLOCK], sigma[FARE_BLOCK], level[FARE_BLOCK], time[FARE_BLOCK];
  double own[FARE_BLOCK], gain[FARE_BLOCK];
} questions;

static void ask(const fare_score_prior *p, double y, double sigma, double t, int row, questions *q)
{
  const fare_schedule *schedule = &p->sampler->schedule;
  fare_score_question  is;

  p->method->ask(p->sampler->state, y, sigma, &is);
  q->u[row]     = (float)is.position;
  q->y[row]     = (float)y;
  q->sigma[row] = (float)sigma;
  q->level[row] = (float)is.level;
  q->time[row]  = schedule->end > schedule->start
     ? (float)(2 * (t - schedule->start) / (schedule->end - schedule->start) - 1)
     : 0;
  q->own[row]   = is.own;
  q->gain[row]  = is.gain;
}

static void ask_place(const fare_score_prior *p, const place *l, int point, int row, questions *q)
{
  ask(p, l->y + (point < 3 ? (point - 1) * l->at.h : 0), point < 3 ? l->sigma : l->sigmas[point - 3],
    point < 3 ? l->t : l->time[point - 3], row, q);
}

static void fill_inputs(const fare_score_prior *p, int n, const questions *q)
{
  const fare_generative *g  = p->g;
  float                 *to = p->input;

  for (int i = 0; i < n; i++) to[i] = q->u[i];
  to += FARE_BLOCK;
  fare_learn_frequencies((int)g->frequencies, g->frequency, n, q->y, q->sigma, FARE_BLOCK, to);
  to += (size_t)(2 * g->frequencies) * FARE_BLOCK;
  fare_generative_scalar(g->noise_frequencies, n, q->level, FARE_BLOCK, to);
  to += (size_t)fare_noisy_level_inputs(g) * FARE_BLOCK;
  fare_generative_scalar(g->time_frequencies, n, q->time, FARE_BLOCK, to);
}

/* The penalties of so many places, of which each is in `count` rows; adds the gradient. */
static double penalise(
  fare_score_prior *p, double weight, fare_network *network, int count, const place l[], float gradient[])
{
  const double share = weight * EVERY;
  questions    q;
  double       sum = 0;

  for (int point = 0; point < FARE_SCORE_POINTS; point++)
    for (int i = 0; i < count; i++) ask_place(p, &l[i], point, point * count + i, &q);
  fill_inputs(p, FARE_SCORE_POINTS * count, &q);
  fare_network_forward(network, FARE_SCORE_POINTS * count, p->input, p->output);
  for (int i = 0; i < count; i++) {
    double s[FARE_SCORE_POINTS], slope[FARE_SCORE_POINTS], residual, root;

    for (int point = 0; point < FARE_SCORE_POINTS; point++) {
      const int row = point * count + i;

      s[point] = q.own[row] + q.gain[row] * (double)p->output[row];
    }
    residual = l[i].unit * fare_score_residual(&l[i].at, s, slope);
    root     = sqrt(1 + residual * residual);
    sum += share * 2 * (root - 1);
    for (int point = 0; point < FARE_SCORE_POINTS; point++) {
      const int row = point * count + i;

      p->d_output[row] = (float)(share * 2 * residual / root * l[i].unit * slope[point] * q.gain[row]);
    }
  }
  fare_network_backward(network, FARE_SCORE_POINTS * count, p->input, p->d_output, gradient, NULL);
  return sum;
}

/* ln p of noisy data along the axis, from the sum of the score, to either side of a moment. */
static void sum_scores(const questions *q, const float output[], double dz, double u[])
{
  for (int side = 0; side < 2; side++) {
    double before = 0;

    for (int i = 0; i < FARE_CURRENT_CELLS; i++) {
      const int    row = side * FARE_CURRENT_CELLS + i;
      const double s   = q->own[row] + q->gain[row] * (double)output[row];

      u[row] = i ? u[row - 1] + 0.5 * dz * (before + s) : 0;
      before = s;
    }
  }
}

/* The way back: derivatives by the network's answers from those by ln p. */
static void spread_slopes(const questions *q, const double slope[], double dz, float d_output[])
{
  for (int side = 0; side < 2; side++) {
    double above = 0;

    for (int i = FARE_CURRENT_CELLS - 1; i >= 0; i--) {
      const int    row  = side * FARE_CURRENT_CELLS + i;
      const double here = i ? slope[row] : 0;

      d_output[row] = (float)(dz * (above + 0.5 * here) * q->gain[row]);
      above += here;
    }
  }
}

/* Of the density with noise that the scores along the whole axis say. */
static double penalise_line(fare_score_prior *p, const fare_weighing_rows *rows, float gradient[])
{
  const int    n  = 2 * FARE_CURRENT_CELLS;
  const double dz = p->current.grid->spacing[0] / p->g->sd[0];
  questions    q;
  double       more, sum;

  if (!fare_current_prior_begin(&p->current, rows, &more)) return 0;
  for (int i = 0; i < n; i++)
    ask(p, (p->current.x[i % FARE_CURRENT_CELLS] - p->g->mean[0]) / p->g->sd[0],
      LINE_LEAST * pow(LINE_MOST / LINE_LEAST, more), p->current.time[i / FARE_CURRENT_CELLS], i, &q);
  fill_inputs(p, n, &q);
  fare_network_forward(rows->network, n, p->input, p->output);
  sum_scores(&q, p->output, dz, p->current.u);
  sum = fare_current_prior_penalty(&p->current, rows->weight);
  spread_slopes(&q, p->current.slope, dz, p->d_output);
  fare_network_backward(rows->network, n, p->input, p->d_output, gradient, NULL);
  return sum;
}

double fare_score_prior_penalty(
  fare_score_prior *p, const fare_noisy_rows *noisy, const fare_weighing_rows *rows, float gradient[])
{
  place  l[ROOM];
  double sum   = 0;
  int    count = 0;

  if (p->sampler->prior->kind == FARE_PRIOR_LEAST_DISSIPATION) return penalise_line(p, rows, gradient);
  for (int64_t i = rows->first; i < rows->first + rows->n; i++) {
    if (noisy->rows.batch->number[i] % EVERY) continue;
    l[count].at.h = H;
    if (p->sampler->prior->kind == FARE_PRIOR_FOKKER_PLANCK)
      set_place(p, noisy, i, &l[count++]);
    else
      set_noise_place(p, noisy, i, &l[count++]);
    if (count < ROOM) continue;
    sum += penalise(p, rows->weight, rows->network, count, l, gradient);
    count = 0;
  }
  return count ? sum + penalise(p, rows->weight, rows->network, count, l, gradient) : sum;
}
