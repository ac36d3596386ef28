/* SPDX-License-Identifier: BSD-2-Clause */
/*
  A committor that a network learns by the backward equation (Rotskoff, Mitchell and Vanden-Eijnden, PMLR 145,
  757 (2022), for the reversible case): q(t,x) is the mean of q(t + lag, X) over a step of the chain from x,
  wherever no set is reached on the way. The right side, by the network as it is, is the target of the left
  (a semi-group target, whose gradient is not taken). What is learned is ln q, since q itself may be 1e-9.

  ln q = base + rise * network, where base is that of Brownian motion without drift before the nearest faces
  and the deadline, and rise is 0 in b: boundary values are hard. The mean over a step is Gauss-Hermite's,
  weighted by likelihoods around the step that the slope of ln q steers; the lag shrinks towards the sets, so
  that no node lies within one.

  Values travel by one lag in a round of targets. Where the drift is stiff a step must be short, and a
  deadline is thousands of steps away. So with a deadline a lag has many steps, which the network of the last
  round leads: the weight of the steps times q behind them has the mean q, whoever leads, and is 0 where b is
  missed. The loss exp(r) - r, r being the logarithm of that product less ln q, is least at this mean. Rounds
  go back in time from the deadline, so that what is behind a lag has been learned before.
*/
#include "runs.h"

#include <fare/committor_field.h>

#include <math.h>

#define PLACES 16384 /* of paths, from which batches are drawn */
#define PATHS  64    /* by which a field is judged */
#define LED    512   /* that are learned from */
#define STEPS  50000 /* at most, of one of them */
#define SCALE  4.0   /* of the network's output */
#define LEAST  -650  /* of ln q: less is not learned from */
#define STEEP                                                                                             \
  0.25            /* of the distance to the nearest set, that the slope of ln q shifts a step by, at most \
                   */
#define NODES  27 /* of a step, at most */
#define TRIALS 1000
#define FAR    2.0 /* logarithm of a weight above ln q, from where the loss grows at an even pace */

typedef enum { UNIFORM, SPLITTING, DOOB } source;
const char *const fare_learned_places[] = {
  [UNIFORM] = "uniform", [SPLITTING] = "splitting", [DOOB] = "doob", NULL};

extern const fare_rare_type fare_rare_splitting;

/* Where a path was: the logarithm of its weight, and then what is learned from; which path, in which lag. */
typedef struct {
  double t, x[FARE_DIM_MAX], log_weight;
  size_t path, lag;
} place;

typedef struct {
  const fare_rare_context *c;
  const fare_learned_keys *keys;
  const fare_event        *event;
  fare_network            *network;
  fare_stream              stream;
  int                      dim, inputs, round;
  PetscBool                timed;
  double                   lag, span, D, reach;
  /* of paths that are led: steps of a lag; how many lags a path has at most; what is behind each of them */
  int64_t                     led;
  size_t                      lags;
  double                     *behind;
  const fare_committor_field *leader;
  /* places of paths: how many there are, and how many were seen */
  size_t      places, seen;
  place      *place;
  fare_random reservoir;
  /* the batch, then `stride` nodes of each row's step */
  size_t  stride;
  double *t, *x[FARE_DIM_MAX], *target, *node_t, *node[FARE_DIM_MAX], *value;
} learner;

/* ln erfc(z), z not negative. */
static double log_erfc(double z)
{
  return z < 20 ? log(erfc(z)) : -z * z - log(z * sqrt(PETSC_PI)) - 0.5 / (z * z);
}

/* What is not learned, and what the network's output is multiplied by. */
static double base_of(const learner *l, double t, const double x[], double *rise)
{
  double       away[FARE_DIM_MAX], log_q = 0;
  const double to_a = fare_rare_distance(l->c->grid, &l->event->a, x, away),
               to_b = fare_rare_distance(l->c->grid, &l->event->b, x, away);

  *rise = SCALE * to_b / (to_b + l->reach);
  if (to_a < HUGE_VAL) log_q += log(to_a / (to_a + to_b));
  if (l->timed) log_q += log_erfc(to_b / sqrt(4 * l->D * PetscMax(l->event->deadline - t, 1e-12 * l->span)));
  return PetscMax(log_q, 2 * LEAST);
}

static void input_of(const learner *l, double t, const double x[], int row, float input[])
{
  const fare_grid *grid = l->c->grid;
  const double     left = PetscMax(0, l->event->deadline - t) / l->span;

  for (int axis = 0; axis < l->dim; axis++)
    input[axis * FARE_BLOCK + row] =
      (float)(4 * (x[axis] - grid->lower[axis]) / (grid->upper[axis] - grid->lower[axis]) - 2);
  if (!l->timed) return;
  input[l->dim * FARE_BLOCK + row]       = (float)(2 * left - 1);
  input[(l->dim + 1) * FARE_BLOCK + row] = (float)(2 * sqrt(left) - 1);
}

/* ln q by the network as it is. */
static void evaluate(const learner *l, size_t n, const double t[], const double *const x[], double log_q[])
{
  float input[(FARE_DIM_MAX + 2) * FARE_BLOCK] FARE_ALIGNED = {0}, output[FARE_BLOCK] FARE_ALIGNED;

  for (size_t first = 0; first < n; first += FARE_BLOCK) {
    const int rows = (int)PetscMin(FARE_BLOCK, n - first);

    for (int pass = 0; pass < 2; pass++) {
      for (int row = 0; row < rows; row++) {
        double at[FARE_DIM_MAX], rise;

        for (int axis = 0; axis < l->dim; axis++) at[axis] = x[axis][first + (size_t)row];
        if (pass == 0)
          input_of(l, t[first + (size_t)row], at, row, input);
        else if (fare_region_has(&l->event->b, at))
          log_q[first + (size_t)row] = 0;
        else if (l->event->a.boxes && fare_region_has(&l->event->a, at))
          log_q[first + (size_t)row] = 2 * LEAST;
        else {
          const double base = base_of(l, t[first + (size_t)row], at, &rise);

          /* as a probability; else learning from itself may run away */
          log_q[first + (size_t)row] = PetscMax(2 * LEAST, PetscMin(0, base + rise * output[row]));
        }
      }
      if (pass == 0) fare_network_evaluate(l->network, rows, input, 0, NULL, output);
    }
  }
}

static void evaluate_at(void *to, double t, size_t n, const double *const x[], double log_q[])
{
  for (size_t first = 0; first < n; first += FARE_BLOCK) {
    const size_t  rows = PetscMin(FARE_BLOCK, n - first);
    const double *at[FARE_DIM_MAX];
    double        ts[FARE_BLOCK];

    for (int axis = 0; axis < ((learner *)to)->dim; axis++) at[axis] = x[axis] + first;
    for (size_t i = 0; i < rows; i++) ts[i] = t;
    evaluate(to, rows, ts, at, log_q + first);
  }
}

/* Where a batch is drawn from. */

static void add_place(void *to, size_t i, const fare_path *path)
{
  learner *l = to;
  size_t   at =
    l->places < PLACES ? l->places++ : (size_t)(fare_random_uniform(&l->reservoir) * (double)(l->seen + 1));

  l->seen++;
  if (at >= PLACES) return; /* each that is seen stays with equal chance */
  l->place[at] = (place){.t = fare_rare_time(l->c, path->step), .log_weight = path->log_weight, .path = i};
  l->place[at].lag = (size_t)((path->step - path->born) / l->led);
  for (int axis = 0; axis < l->dim; axis++) l->place[at].x[axis] = path->x[axis];
}

/* The same of a path that is learned from, a lag of which may end there. */
static void pass_place(void *to, size_t i, const fare_path *path)
{
  learner      *l                = to;
  const int64_t taken            = path->step - path->born;
  const double *at[FARE_DIM_MAX] = {path->x, path->x + 1, path->x + 2}, t = fare_rare_time(l->c, path->step);
  double        log_q;

  add_place(to, i, path);
  if (!taken || taken % l->led) return;
  fare_committor_field_at(l->leader, 1, &t, at, &log_q, NULL);
  l->behind[i * l->lags + (size_t)(taken / l->led) - 1] = path->log_weight + log_q;
}

static void visit(void *to, size_t i, fare_path *path)
{
  const fare_pilot *p = to;

  if (path->end == FARE_PATH_GOES_ON && path->step - path->born >= STEPS) path->end = FARE_PATH_LATE;
  if (path->end == FARE_PATH_GOES_ON) p->context->watch(p->context->watcher, i, path);
}

/* Paths that a committor leads, seen by the context's `watch`. */
static PetscErrorCode lead(const fare_rare_context *c, const fare_committor_field *field, fare_stream noise,
  size_t count, fare_path path[])
{
  fare_pilot      p     = {c, field};
  const fare_walk walk  = {c, noise, -1, visit, fare_committor_steer, &p};
  int64_t         steps = 0;

  PetscFunctionBegin;
  for (size_t i = 0; i < count; i++) c->watch(c->watcher, i, &path[i]);
  PetscCall(fare_paths_walk(&walk, count, NULL, path, &steps));
  PetscFunctionReturn(0);
}

/* What the network knows, as steering evaluates it. */
static PetscErrorCode tabulate(learner *l, fare_committor_field **field)
{
  const fare_committor_options options = {0};

  PetscFunctionBegin;
  PetscCall(fare_committor_field_fill(l->c->grid, l->event, &options, evaluate_at, l, field));
  PetscFunctionReturn(0);
}

static PetscErrorCode split(const learner *l, fare_rare_context *watched)
{
  static const char keys[] = "{dt: 1.0e-3, walkers: 100, kill: 10}"; /* of the context's setting is dt */
  fare_rare_job     job    = {&fare_rare_splitting, NULL, watched, NULL};
  fare_config      *config;
  void             *options;
  fare_rare_once    once;
  PetscErrorCode    code;

  PetscFunctionBegin;
  PetscCall(PetscCalloc1(fare_rare_splitting.size, &options));
  PetscCall(fare_config_parse("splitting", keys, sizeof keys - 1, &config));
  PetscCall(fare_fields_read(fare_rare_splitting.fields, NULL, fare_config_root(config), options));
  job.options = options;
  code        = fare_rare_splitting.begin(options, watched, &job.work);
  if (!code) code = fare_rare_run_through(&job, l->round, &once);
  PetscCall(fare_rare_splitting.end(&job.work));
  fare_fields_free(fare_rare_splitting.fields, options);
  fare_config_destroy(&config);
  PetscCall(PetscFree(options));
  PetscFunctionReturn(code);
}

static void draw_uniform(const learner *l, fare_random *random, double *t, double x[])
{
  const fare_grid *grid = l->c->grid;

  for (int trial = 0; trial < TRIALS; trial++) {
    for (int axis = 0; axis < l->dim; axis++)
      x[axis] = grid->lower[axis] + fare_random_uniform(random) * (grid->upper[axis] - grid->lower[axis]);
    if (!fare_region_has(&l->event->b, x) && !(l->event->a.boxes && fare_region_has(&l->event->a, x))) break;
  }
  *t = l->timed ? l->event->time + fare_random_uniform(random) * l->span : l->event->time;
}

static const place *draw_place(const learner *l, fare_random *random)
{
  return &l->place[PetscMin(l->places - 1, (size_t)(fare_random_uniform(random) * (double)l->places))];
}

/*
  Where paths begin that are learned from. Whole paths begin anywhere for the first half of the rounds, at
  first shortly before the deadline and then earlier and earlier: the leader is good where it was learned.
*/
static void begin_paths(const learner *l, fare_path path[])
{
  const int   late   = l->timed ? (int)l->keys->rounds / 2 : 0;
  fare_random random = {.stream = fare_rare_stream(l->c, l->round, "beginnings")};

  for (uint32_t i = 0; i < LED; i++) {
    double t = l->event->time;

    path[i] = fare_path_begin(l->c, i);
    if (l->round < late || l->keys->train_on == UNIFORM) {
      draw_uniform(l, &random, &t, path[i].x);
      if (l->round < late) t = l->event->deadline - (l->event->deadline - t) * (l->round + 1) / late;
    } else if (l->keys->train_on == SPLITTING) {
      const place *from = draw_place(l, &random);

      t = from->t;
      for (int axis = 0; axis < l->dim; axis++) path[i].x[axis] = from->x[axis];
    }
    path[i].step = path[i].born =
      PetscMin(PetscMax(0, l->c->steps - 1), (int64_t)round((t - l->event->time) / l->c->dt));
  }
}

/* Of all places, what their lags tell of ln q there; those behind which a path was cut are left out. */
static void look_back(learner *l, const fare_path path[])
{
  size_t kept = 0;

  for (size_t i = 0; i < LED; i++) {
    if (path[i].step > path[i].born)
      l->behind[i * l->lags + (size_t)((path[i].step - path[i].born - 1) / l->led)] =
        path[i].end == FARE_PATH_IN_B                                 ? path[i].log_weight
        : path[i].end == FARE_PATH_LATE && path[i].step < l->c->steps ? NAN
                                                                      : -HUGE_VAL;
  }
  for (size_t i = 0; i < l->places; i++) {
    const double behind = l->behind[l->place[i].path * l->lags + l->place[i].lag];

    l->place[kept]            = l->place[i];
    l->place[kept].log_weight = behind - l->place[i].log_weight;
    if (!isnan(behind)) kept++;
  }
  l->places = kept;
}

/* Places on paths that the network leads as it is. */
static PetscErrorCode lead_paths(learner *l, fare_rare_context *watched)
{
  fare_committor_field *field;
  fare_path            *path;
  PetscErrorCode        code;

  PetscFunctionBegin;
  PetscCall(tabulate(l, &field));
  l->leader = field;
  l->lags   = l->timed ? (size_t)(l->c->steps / l->led) + 1 : 0;
  PetscCall(PetscMalloc2(LED, &path, LED * l->lags, &l->behind));
  begin_paths(l, path);
  l->places = l->seen = 0;
  if (l->timed) watched->watch = pass_place;
  code = lead(watched, field, fare_rare_stream(l->c, l->round, "places"), LED, path);
  if (!code && l->timed) look_back(l, path);
  PetscCall(PetscFree2(path, l->behind));
  PetscCall(fare_committor_field_destroy(&field));
  PetscFunctionReturn(code);
}

static PetscErrorCode find_places(learner *l)
{
  fare_rare_context watched = *l->c;
  PetscErrorCode    code    = 0;

  PetscFunctionBegin;
  l->places = l->seen = 0;
  watched.watch       = add_place;
  watched.watcher     = l;
  if (l->keys->train_on == SPLITTING) code = split(l, &watched);
  if (!code && l->keys->train_on == SPLITTING && !l->places)
    FARE_FAIL(FARE_ERR_FAILED, "round %d: no path was seen between the sets", l->round);
  if (!code && (l->timed || l->keys->train_on == DOOB)) code = lead_paths(l, &watched);
  if (!code && l->keys->train_on != UNIFORM && !l->places)
    FARE_FAIL(FARE_ERR_FAILED, "round %d: no path was seen between the sets", l->round);
  PetscFunctionReturn(code);
}

/* The distance to the nearest set. */
static double nearest(const learner *l, const double x[])
{
  double       away[FARE_DIM_MAX];
  const double to_a = fare_rare_distance(l->c->grid, &l->event->a, x, away);

  return PetscMin(to_a, fare_rare_distance(l->c->grid, &l->event->b, x, away));
}

/* The step from one row of the batch: its lag, mean and standard deviations. */
static double step_of(const learner *l, size_t i, double mean[], double sd[])
{
  double x[FARE_DIM_MAX], f[FARE_DIM_MAX], D[FARE_DIM_MAX], *fs[FARE_DIM_MAX], *Ds[FARE_DIM_MAX], d,
    lag = l->lag;
  const double *at[FARE_DIM_MAX];

  for (int axis = 0; axis < l->dim; axis++) {
    x[axis]  = l->x[axis][i];
    at[axis] = &x[axis];
    fs[axis] = &f[axis];
    Ds[axis] = &D[axis];
  }
  fare_system_drift(l->c->system, l->t[i], 1, at, fs);
  fare_system_diffusion(l->c->system, l->t[i], 1, at, Ds);
  d = nearest(l, x);
  for (int axis = 0; axis < l->dim; axis++) {
    lag = PetscMin(lag, d * d / (50 * D[axis]));
    if (f[axis] != 0) lag = PetscMin(lag, 8 * D[axis] / PetscSqr(f[axis]));
  }
  if (l->timed) lag = PetscMin(lag, 0.125 * (l->event->deadline - l->t[i]));
  for (int axis = 0; axis < l->dim; axis++) {
    mean[axis] = x[axis] + f[axis] * lag;
    sd[axis]   = sqrt(2 * D[axis] * lag);
  }
  return lag;
}

/* Back into the box. */
static double folded(const fare_grid *grid, int axis, double x)
{
  const double low = grid->lower[axis], high = grid->upper[axis];

  if (grid->boundary[axis] == FARE_BOUNDARY_PERIODIC)
    return x - (high - low) * floor((x - low) / (high - low));
  return x < low ? PetscMin(high, 2 * low - x) : x > high ? PetscMax(low, 2 * high - x) : x;
}

static const double nodes5[] = {
  0, 1.355626179974266, -1.355626179974266, 2.856970013872806, -2.856970013872806};
static const double weights5[] = {
  0.5333333333333333, 0.2220759220056126, 0.2220759220056126, 0.0112574113277207, 0.0112574113277207};
static const double nodes3[]   = {0, 1.7320508075688772, -1.7320508075688772};
static const double weights3[] = {2.0 / 3, 1.0 / 6, 1.0 / 6};

/* ln of the mean of q over the step of row i, from its values at nodes; nodes are set where `place` is. */
static double mean_over(learner *l, size_t i, const double shift[], PetscBool placing)
{
  const int     each  = l->dim == 1 ? 5 : 3;
  const double *nodes = l->dim == 1 ? nodes5 : nodes3, *weights = l->dim == 1 ? weights5 : weights3;
  double        mean[FARE_DIM_MAX], sd[FARE_DIM_MAX], log_weight[NODES], most = -HUGE_VAL, sum = 0;
  const double  lag   = step_of(l, i, mean, sd);
  size_t        count = 1;

  for (int axis = 0; axis < l->dim; axis++) count *= (size_t)each;
  for (size_t k = 0; k < count; k++) {
    const size_t at = i * l->stride + k;
    size_t       of = k;

    log_weight[k] = 0;
    l->node_t[at] = l->t[i] + lag;
    for (int axis = 0; axis < l->dim; axis++, of /= (size_t)each) {
      const double s = shift[axis], z = nodes[of % (size_t)each];

      log_weight[k] += log(weights[of % (size_t)each]) - s * z - 0.5 * s * s;
      l->node[axis][at] = folded(l->c->grid, axis, mean[axis] + sd[axis] * (s + z));
    }
    if (!placing) most = PetscMax(most, log_weight[k] + l->value[at]);
  }
  for (size_t k = 0; k < count && !placing; k++)
    sum += exp(log_weight[k] + l->value[i * l->stride + k] - most);
  return most + log(sum);
}

static void evaluate_nodes(const learner *l, size_t rows)
{
  evaluate(l, rows * l->stride, l->node_t, (const double *const *)l->node, l->value);
}

/* By how many standard deviations the slope of ln q shifts each row's step: from its values at two sides. */
static void find_shifts(learner *l, size_t rows, double shift[])
{
  l->stride = 2 * (size_t)l->dim;
  for (size_t i = 0; i < rows; i++) {
    double mean[FARE_DIM_MAX], sd[FARE_DIM_MAX];

    step_of(l, i, mean, sd);
    for (int k = 0; k < 2 * l->dim; k++) {
      l->node_t[i * l->stride + (size_t)k] = l->t[i];
      for (int axis = 0; axis < l->dim; axis++)
        l->node[axis][i * l->stride + (size_t)k] =
          folded(l->c->grid, axis, l->x[axis][i] + (k / 2 == axis ? (k % 2 ? sd[axis] : -sd[axis]) : 0));
    }
  }
  evaluate_nodes(l, rows);
  for (size_t i = 0; i < rows; i++) {
    const double *v = l->value + i * l->stride;
    double        x[FARE_DIM_MAX], mean[FARE_DIM_MAX], sd[FARE_DIM_MAX];

    step_of(l, i, mean, sd);
    for (int axis = 0; axis < l->dim; axis++) x[axis] = l->x[axis][i];
    for (int axis = 0; axis < l->dim; axis++) {
      const double most = STEEP * nearest(l, x) / sd[axis];

      shift[i * FARE_DIM_MAX + (size_t)axis] =
        PetscMax(-most, PetscMin(most, 0.5 * (v[2 * axis + 1] - v[2 * axis])));
    }
  }
}

/* Targets of the rows: from the mean over a step. */
static void find_targets(learner *l, size_t n)
{
  const size_t count = l->dim == 1 ? 5 : l->dim == 2 ? 9 : 27;
  double      *shift = l->target; /* n FARE_DIM_MAX numbers there, before the targets are known */

  find_shifts(l, n, shift);
  l->stride = count;
  for (size_t i = 0; i < n; i++) mean_over(l, i, shift + i * FARE_DIM_MAX, PETSC_TRUE);
  evaluate_nodes(l, n);
  /* the i-th target never stands behind the i-th shift */
  for (size_t i = 0; i < n; i++) l->target[i] = mean_over(l, i, shift + i * FARE_DIM_MAX, PETSC_FALSE);
}

static void draw(void *context, int64_t step, int64_t *rows)
{
  learner     *l      = context;
  const size_t n      = (size_t)l->keys->net.batch;
  fare_random  random = {.stream = l->stream, .sequence = (uint64_t)l->round << 40 | (uint64_t)step};

  for (size_t i = 0; i < n; i++) {
    place at;

    if (!l->timed && l->keys->train_on == UNIFORM)
      draw_uniform(l, &random, &at.t, at.x);
    else
      at = *draw_place(l, &random);
    l->t[i] = at.t;
    for (int axis = 0; axis < l->dim; axis++) l->x[axis][i] = at.x[axis];
    if (l->timed) l->target[i] = at.log_weight;
  }
  if (!l->timed) find_targets(l, n);
  *rows = (int64_t)n;
}

static void inputs(void *context, int64_t first, int n, float input[])
{
  const learner *l = context;

  for (int row = 0; row < n; row++) {
    double x[FARE_DIM_MAX];

    for (int axis = 0; axis < l->dim; axis++) x[axis] = l->x[axis][first + row];
    input_of(l, l->t[first + row], x, row, input);
  }
}

/* exp(r) - r - 1, which grows at an even pace from FAR on, and its slope; of a path that misses b r is -inf.
 */
static double loss_of_weight(double r, double *slope)
{
  const double by = exp(PetscMin(r, FAR));

  *slope = by - 1;
  return by - 1 - PetscMax(r, -20) + (r > FAR ? by * (r - FAR) : 0);
}

/* Huber's loss: far targets are followed at an even pace. */
static double loss_of_mean(double r, double *slope)
{
  *slope = 2 * PetscMax(-1, PetscMin(1, r));
  return fabs(r) < 1 ? r * r : 2 * fabs(r) - 1;
}

static double loss(void *context, int64_t first, int n, const float output[], float d_output[])
{
  const learner *l   = context;
  double         sum = 0;

  for (int row = 0; row < n; row++) {
    double x[FARE_DIM_MAX], rise, base, r, slope;

    for (int axis = 0; axis < l->dim; axis++) x[axis] = l->x[axis][first + row];
    base = base_of(l, l->t[first + row], x, &rise);
    r    = base > LEAST ? l->target[first + row] - base - rise * output[row] : 0;
    sum += l->timed ? loss_of_weight(r, &slope) : loss_of_mean(r, &slope);
    d_output[row] = (float)(-slope * rise);
  }
  return sum;
}

static PetscErrorCode learn(learner *l)
{
  const fare_learn_problem problem = {
    .what = "committor", .context = l, .draw = draw, .inputs = inputs, .loss = loss};
  int64_t evaluations = 0;

  PetscFunctionBegin;
  for (l->round = 0; l->round < (int)l->keys->rounds; l->round++) {
    fare_curve     curve = {0};
    PetscErrorCode code;

    PetscCall(find_places(l));
    code = fare_learn_train(PETSC_COMM_SELF, l->network, &l->keys->net, &problem, &curve, &evaluations);
    PetscCall(fare_curve_free(&curve));
    PetscCall(code);
  }
  PetscFunctionReturn(0);
}

/* How far the learned field is from the exact one. */
typedef struct {
  const fare_rare_context    *c;
  const fare_committor_field *learned, *exact;
  double                      sum, count;
} judge;

static void compare(void *to, size_t i, const fare_path *path)
{
  judge        *j                = to;
  const double *at[FARE_DIM_MAX] = {path->x, path->x + 1, path->x + 2}, t = fare_rare_time(j->c, path->step);
  double        learned, exact;

  (void)i;

  fare_committor_field_at(j->learned, 1, &t, at, &learned, NULL);
  fare_committor_field_at(j->exact, 1, &t, at, &exact, NULL);
  j->sum += PetscSqr(exp(learned) - exp(exact));
  j->count++;
}

static PetscErrorCode judge_field(
  const learner *l, const fare_committor_field *field, fare_learned_judgement *judgement)
{
  const fare_committor_options options          = {0};
  const double                *at[FARE_DIM_MAX] = {l->event->start, l->event->start + 1, l->event->start + 2};
  fare_rare_context            watched          = *l->c;
  fare_committor_field        *exact;
  judge                        j = {l->c, field, NULL, 0, 0};
  fare_path                    path[PATHS];
  double                       learned, known;
  PetscErrorCode               code;

  PetscFunctionBegin;
  PetscCall(fare_committor_field_create(l->c->comm, l->c->grid, l->c->system, l->event, &options, &exact));
  j.exact         = exact;
  watched.watch   = compare;
  watched.watcher = &j;
  for (uint32_t i = 0; i < PATHS; i++) path[i] = fare_path_begin(l->c, i);
  code = lead(&watched, exact, fare_rare_stream(l->c, 0, "judge"), PATHS, path);
  fare_committor_field_at(field, 1, &l->event->time, at, &learned, NULL);
  fare_committor_field_at(exact, 1, &l->event->time, at, &known, NULL);
  *judgement = (fare_learned_judgement){sqrt(j.sum / j.count), learned - known};
  PetscCall(fare_committor_field_destroy(&exact));
  PetscFunctionReturn(code);
}

static PetscErrorCode begin(learner *l)
{
  const size_t  n                = (size_t)l->keys->net.batch;
  const double *at[FARE_DIM_MAX] = {l->event->start, l->event->start + 1, l->event->start + 2};
  double        D[FARE_DIM_MAX], *Ds[FARE_DIM_MAX] = {&D[0], &D[1], &D[2]}, away[FARE_DIM_MAX];

  PetscFunctionBegin;
  fare_system_diffusion(l->c->system, l->event->time, 1, at, Ds);
  for (int axis = 0; axis < l->dim; axis++) l->D = PetscMax(l->D, D[axis]);
  l->reach     = 0.25 * fare_rare_distance(l->c->grid, &l->event->b, l->event->start, away);
  l->stream    = fare_rare_stream(l->c, 0, "batches");
  l->reservoir = (fare_random){.stream = fare_rare_stream(l->c, 0, "reservoir")};
  PetscCall(PetscMalloc5(
    PLACES, &l->place, n, &l->t, n * FARE_DIM_MAX, &l->target, n * NODES, &l->node_t, n * NODES, &l->value));
  for (int axis = 0; axis < l->dim; axis++)
    PetscCall(PetscMalloc2(n, &l->x[axis], n * NODES, &l->node[axis]));
  PetscCall(
    fare_learn_network(&l->keys->net, l->inputs, 1, fare_rare_stream(l->c, 0, "weights"), &l->network));
  PetscFunctionReturn(0);
}

static PetscErrorCode end(learner *l)
{
  PetscFunctionBegin;
  PetscCall(fare_network_destroy(&l->network));
  for (int axis = 0; axis < l->dim; axis++) PetscCall(PetscFree2(l->x[axis], l->node[axis]));
  PetscCall(PetscFree5(l->place, l->t, l->target, l->node_t, l->value));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_learned_create(const fare_learned_keys *keys, const fare_rare_context *context, double dt,
  fare_committor_field **field, fare_learned_judgement *judgement)
{
  fare_rare_context own   = *context;
  const PetscBool   timed = context->event->deadline < FARE_NEVER ? PETSC_TRUE : PETSC_FALSE;
  learner           l     = {.c = &own,
                  .keys         = keys,
                  .event        = context->event,
                  .dim          = context->grid->dim,
                  .timed        = timed,
                  .lag          = keys->lag > 0 ? keys->lag : dt,
                  .span         = timed ? context->event->deadline - context->event->time : 1};
  char              name[80];
  PetscErrorCode    code;

  PetscFunctionBegin;
  /* the same for rows of all steps */
  snprintf(name, sizeof name, "learned/%s", context->event->name);
  own.name  = name;
  own.theta = NULL;
  own.steps = timed ? PetscMax(1, (int64_t)ceil(l.span / dt * (1 - 1e-12))) : -1;
  own.dt    = timed ? l.span / (double)own.steps : dt;
  l.led     = PetscMax(1, (int64_t)round((keys->lag > 0 ? keys->lag : l.span) / own.dt));
  l.inputs  = l.dim + (timed ? 2 : 0);
  PetscCall(begin(&l));
  code = learn(&l);
  if (!code) code = tabulate(&l, field);
  if (!code) code = judge_field(&l, *field, judgement);
  PetscCall(end(&l));
  PetscFunctionReturn(code);
}
