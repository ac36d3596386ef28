/* fare-test: labels=unit ranks=1,2,3 timeout=60 */
/* Networks against plain loops in double and finite differences of those, the optimiser against hand calculation, training on all ranks. */
#include "fare_test.h"

#include "learn/kernels.h"
#include "sampler/diffusion.h"

#include <stdlib.h>

#define ROWS 37 /* not a whole number of vectors */

static const fare_network_shape shapes[] = {{3, 8, 1, 1}, {5, 17, 3, 2}, {1, 4, 2, 3}};

/* The same function by other means. `a` holds the activations of a layer, one row at a time. */
static void reference(const fare_network_shape *s, const double w[], const double in[], double out[])
{
  double a[64], b[64];

  memcpy(a, in, (size_t)s->inputs * sizeof *a);
  for (int layer = 0; layer <= s->layers; layer++) {
    const int n = layer == 0 ? s->inputs : s->width, m = layer == s->layers ? s->outputs : s->width;

    for (int k = 0; k < m; k++) {
      b[k] = w[m * n + k];
      for (int j = 0; j < n; j++) b[k] += w[k * n + j] * a[j];
      if (layer < s->layers) b[k] = b[k] / (1 + exp(-b[k]));
    }
    w += m * n + m;
    memcpy(a, b, (size_t)m * sizeof *a);
  }
  memcpy(out, a, (size_t)s->outputs * sizeof *out);
}

/* Sum over rows of (out - target)^2/2 from double copies of weights and inputs. */
static double reference_loss(const fare_network_shape *s, const double w[], const double in[][8], const double target[][8])
{
  double sum = 0;

  for (int r = 0; r < ROWS; r++) {
    double out[8];

    reference(s, w, in[r], out);
    for (int k = 0; k < s->outputs; k++) sum += 0.5 * pow(out[k] - target[r][k], 2);
  }
  return sum;
}

/* A network with all weights away from zero, and inputs and targets as tiles and as rows of doubles. */
typedef struct {
  fare_network *network;
  size_t        count;
  double       *w, in[ROWS][8], target[ROWS][8];
  float         input[8 * FARE_BLOCK];
} subject;

static void subject_begin(const fare_network_shape *shape, subject *s)
{
  fare_random random = {.stream = fare_stream_make(4, "subject")};

  assert_ok(fare_network_create(shape, fare_stream_make(4, "weights"), &s->network));
  s->count = fare_network_count(s->network);
  s->w     = calloc(s->count, sizeof *s->w);
  for (size_t i = 0; i < s->count; i++) s->w[i] = fare_network_weights(s->network)[i] = (float)(0.5 * fare_random_normal(&random));
  for (int r = 0; r < ROWS; r++) {
    for (int k = 0; k < 8; k++) {
      s->in[r][k] = s->input[k * FARE_BLOCK + r] = (float)(2 * fare_random_normal(&random));
      s->target[r][k] = (float)fare_random_normal(&random);
    }
  }
}

static void subject_end(subject *s)
{
  assert_ok(fare_network_destroy(&s->network));
  free(s->w);
}

static void forward_is_the_plain_function(void **state)
{
  (void)state;
  for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
    const fare_network_shape *shape = &shapes[i];
    float                     output[8 * FARE_BLOCK];
    subject                   s;

    subject_begin(shape, &s);
    assert_int_equal(s.count, (shape->inputs + 1) * shape->width + (shape->layers - 1) * (shape->width + 1) * shape->width + (shape->width + 1) * shape->outputs);
    fare_network_forward(s.network, ROWS, s.input, output);
    for (int r = 0; r < ROWS; r++) {
      double out[8];

      reference(shape, s.w, s.in[r], out);
      for (int k = 0; k < shape->outputs; k++) assert_near(output[k * FARE_BLOCK + r], out[k], 2e-5);
    }
    subject_end(&s);
  }
}

/* Inputs that all rows share may be given once. */
static void shared_inputs_are_inputs(void **state)
{
  const fare_network_shape shape = {5, 17, 3, 2};
  float                    all[2 * FARE_BLOCK], some[2 * FARE_BLOCK], common[2] = {0.25f, -1.5f};
  subject                  s;

  (void)state;
  subject_begin(&shape, &s);
  for (int k = 0; k < 2; k++) {
    for (int r = 0; r < ROWS; r++) s.input[(3 + k) * FARE_BLOCK + r] = common[k];
  }
  fare_network_evaluate(s.network, ROWS, s.input, 0, NULL, all);
  fare_network_evaluate(s.network, ROWS, s.input, 2, common, some);
  for (int k = 0; k < 2; k++) {
    for (int r = 0; r < ROWS; r++) assert_near(some[k * FARE_BLOCK + r], all[k * FARE_BLOCK + r], 2e-5);
  }
  subject_end(&s);
}

/* Every weight, bias and input: float32 back-propagation against central differences of the double reference. */
static void backward_agrees_with_differences(void **state)
{
  const double h = 1e-5;

  (void)state;
  for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
    float   output[8 * FARE_BLOCK], d_output[8 * FARE_BLOCK], d_input[8 * FARE_BLOCK], *gradient;
    double  largest = 0;
    subject s;

    subject_begin(&shapes[i], &s);
    gradient = calloc(s.count, sizeof *gradient);
    fare_network_forward(s.network, ROWS, s.input, output);
    for (int k = 0; k < shapes[i].outputs; k++) {
      for (int r = 0; r < ROWS; r++) d_output[k * FARE_BLOCK + r] = output[k * FARE_BLOCK + r] - (float)s.target[r][k];
    }
    fare_network_backward(s.network, ROWS, s.input, d_output, gradient, d_input);
    for (size_t k = 0; k < s.count; k++) largest = fmax(largest, fabs((double)gradient[k]));
    for (size_t k = 0; k < s.count; k++) {
      const double w = s.w[k];
      double       up, down;

      s.w[k] = w + h;
      up     = reference_loss(&shapes[i], s.w, s.in, s.target);
      s.w[k] = w - h;
      down   = reference_loss(&shapes[i], s.w, s.in, s.target);
      s.w[k] = w;
      assert_near(gradient[k], (up - down) / (2 * h), 1e-5 * largest);
    }
    for (int r = 0; r < ROWS; r++) {
      for (int k = 0; k < shapes[i].inputs; k++) {
        const double x = s.in[r][k];
        double       up, down;

        s.in[r][k] = x + h;
        up         = reference_loss(&shapes[i], s.w, s.in, s.target);
        s.in[r][k] = x - h;
        down       = reference_loss(&shapes[i], s.w, s.in, s.target);
        s.in[r][k] = x;
        assert_near(d_input[k * FARE_BLOCK + r], (up - down) / (2 * h), 1e-5 * largest);
      }
    }
    free(gradient);
    subject_end(&s);
  }
}

static void backward_adds_up(void **state)
{
  const fare_network_shape shape = {3, 8, 1, 1};
  float                    output[FARE_BLOCK], once[64] = {0}, twice[64] = {0};
  subject                  s;

  (void)state;
  subject_begin(&shape, &s);
  fare_network_forward(s.network, ROWS, s.input, output);
  fare_network_backward(s.network, ROWS, s.input, output, once, NULL);
  fare_network_backward(s.network, ROWS, s.input, output, twice, NULL);
  fare_network_backward(s.network, ROWS, s.input, output, twice, NULL);
  for (size_t k = 0; k < s.count; k++) assert_near(twice[k], 2 * once[k], 1e-5 * fabs((double)once[k]) + 1e-6);
  subject_end(&s);
}

/* Far from zero SiLU is 0 or the identity, with no overflow on the way. */
static void silu_has_its_limits(void **state)
{
  static float h[FARE_BLOCK], slope[FARE_BLOCK];
  const float  bias[1] = {0};
  const float  x[]     = {-1e4f, -200, -90, 0, 90, 200, 1e4f};

  (void)state;
  memcpy(h, x, sizeof x);
  fare_silu_slope(1, 7, bias, h, slope);
  for (int i = 0; i < 3; i++) {
    assert_near(h[i], 0, 1e-30);
    assert_near(slope[i], 0, 1e-30);
  }
  assert_near(h[3], 0, 0);
  assert_near(slope[3], 0.5, 1e-7);
  for (int i = 4; i < 7; i++) {
    assert_near(h[i], x[i], 1e-6 * x[i]);
    assert_near(slope[i], 1, 1e-6);
  }
}

static void octaves_are_sines_and_cosines(void **state)
{
  enum { OCTAVES = 6 };
  const double w = 0.9;
  float        u[ROWS], spread[ROWS], sharp[2 * OCTAVES][ROWS], faded[2 * OCTAVES][ROWS];

  (void)state;
  for (int i = 0; i < ROWS; i++) {
    u[i]      = (float)(0.3 * (i - 18));
    spread[i] = (float)(0.05 * i);
  }
  fare_learn_octaves(OCTAVES, w, ROWS, u, NULL, ROWS, sharp[0]);
  fare_learn_octaves(OCTAVES, w, ROWS, u, spread, ROWS, faded[0]);
  for (int k = 0; k < OCTAVES; k++) {
    for (int i = 0; i < ROWS; i++) {
      const double angle = ldexp(w, k) * (double)u[i], fade = exp(-0.5 * pow(ldexp(w, k) * (double)spread[i], 2));

      assert_near(sharp[2 * k][i], sin(angle), 4e-5); /* float32 loses a bit per octave */
      assert_near(sharp[2 * k + 1][i], cos(angle), 4e-5);
      assert_near(faded[2 * k][i], fade * sin(angle), 4e-5);
      assert_near(faded[2 * k + 1][i], fade * cos(angle), 4e-5);
    }
  }
}

/* Preconditioning as it is written in the paper, at noise levels over the whole range. */
static void targets_follow_the_preconditioning(void **state)
{
  float sigma[FARE_BLOCK], x[FARE_BLOCK], e[FARE_BLOCK], y[FARE_BLOCK], u[FARE_BLOCK], target[FARE_BLOCK];

  (void)state;
  for (int i = 0; i < ROWS; i++) {
    sigma[i] = (float)exp(-4 + 0.2 * i);
    x[i]     = (float)sin(i);
    e[i]     = (float)cos(3 * i);
  }
  fare_diffusion_corrupt(ROWS, sigma, x, e, y, u, target);
  for (int i = 0; i < ROWS; i++) {
    const double s = (double)sigma[i], noisy = (double)x[i] + s * (double)e[i];
    const double c_skip = 1 / (s * s + 1), c_out = s / sqrt(s * s + 1), c_in = 1 / sqrt(s * s + 1);

    assert_near(y[i], noisy, 1e-6 * (1 + s));
    assert_near(u[i], c_in * noisy, 1e-6);
    assert_near(target[i], ((double)x[i] - c_skip * noisy) / c_out, 2e-6);
  }
}

static void loss_agrees_with_differences(void **state)
{
  float  weight[FARE_BLOCK], target[FARE_BLOCK], F[FARE_BLOCK], d[FARE_BLOCK];
  double sum = 0;

  (void)state;
  for (int i = 0; i < ROWS; i++) {
    weight[i] = (float)(1 + 0.5 * sin(i));
    target[i] = (float)cos(2 * i);
    F[i]      = (float)sin(5 * i);
    sum += (double)weight[i] * pow((double)F[i] - (double)target[i], 2);
  }
  assert_near(fare_diffusion_loss(ROWS, weight, target, F, d), sum, 1e-5 * sum);
  for (int i = 0; i < ROWS; i++) {
    const double w = (double)weight[i], off = (double)F[i] - (double)target[i], h = 1e-4;

    assert_near(d[i], (w * pow(off + h, 2) - w * pow(off - h, 2)) / (2 * h), 1e-5);
  }
}

static void levels_stay_in_range(void **state)
{
  float z[FARE_BLOCK], sigma[FARE_BLOCK], level[FARE_BLOCK];

  (void)state;
  for (int i = 0; i < ROWS; i++) z[i] = (float)(0.5 * (i - 18));
  fare_diffusion_levels(ROWS, -1, 1.2, 0.01, 20, z, sigma, level);
  for (int i = 0; i < ROWS; i++) {
    const double wanted = fmin(fmax(exp(-1 + 1.2 * (double)z[i]), 0.01), 20);

    assert_near(sigma[i], wanted, 1e-5 * wanted);
    assert_near(level[i], 2 * log(wanted / 0.01) / log(20 / 0.01) - 1, 1e-5);
  }
}

/* Two steps of Adam by the formulas of the paper, with m and v unbiased before they are used. */
static void adam_steps_by_hand(void **state)
{
  const float g[2][3] = {{0.5f, -2, 0}, {-0.25f, -2, 1e-3f}};
  float       w[3] = {1, 2, 3}, m[3] = {0}, v[3] = {0};
  double      W[3] = {1, 2, 3}, M[3] = {0}, V[3] = {0};

  (void)state;
  for (int step = 1; step <= 2; step++) {
    fare_adam_step(&fare_adam_usual, 0.01 * step, step, 3, g[step - 1], m, v, w);
    for (int k = 0; k < 3; k++) {
      const double G = (double)g[step - 1][k];

      M[k] = 0.9 * M[k] + 0.1 * G;
      V[k] = 0.999 * V[k] + 0.001 * G * G;
      W[k] -= 0.01 * step * (M[k] / (1 - pow(0.9, step))) / (sqrt(V[k] / (1 - pow(0.999, step))) + 1e-8);
      assert_near(w[k], W[k], 1e-6);
    }
    if (step == 1) {
      assert_near(w[0], 0.99, 1e-6); /* the first step has the learning rate's size, whatever the gradient's */
      assert_near(w[1], 2.01, 1e-6);
      assert_near(w[2], 3, 0);
    }
  }
}

static void averages_are_geometric(void **state)
{
  const double decay   = 0.9;
  float        mean[1] = {1};

  (void)state;
  for (int n = 1; n <= 20; n++) {
    const float w[1] = {3};

    fare_average_step(decay, 1, w, mean);
    assert_near(mean[0], 3 - 2 * pow(decay, n), 2e-6);
  }
}

static void the_rate_rises_and_falls(void **state)
{
  const fare_learn_options options = {.steps = 1100, .warmup = 100, .learning_rate = 0.02}, sudden = {.steps = 10, .learning_rate = 1};

  (void)state;
  assert_near(fare_learn_rate(&options, 0), 0.02 / 100, 1e-15);
  assert_near(fare_learn_rate(&options, 49), 0.01, 1e-15);
  assert_near(fare_learn_rate(&options, 99), 0.02, 1e-15);
  assert_near(fare_learn_rate(&options, 100), 0.02, 1e-15);
  assert_near(fare_learn_rate(&options, 350), 0.02 * (0.5 + sqrt(0.125)), 1e-15);
  assert_near(fare_learn_rate(&options, 600), 0.01, 1e-15);
  assert_near(fare_learn_rate(&options, 1100), 0, 1e-15);
  assert_near(fare_learn_rate(&sudden, 0), 1, 0);
}

/* Three groups of different size; the first rank of several has no rows at all. */
#define GROUPS 3
static const int64_t counts[GROUPS] = {700, 1500, 40};
static double        value[GROUPS][2][1500], weight[GROUPS][1500];

static void fill_rows(MPI_Comm comm, PetscBool weighted, fare_learn_rows **rows, double mean[], double sd[])
{
  fare_random random = {.stream = fare_stream_make(9, "rows")};
  int         rank, size;

  MPI_Comm_rank(comm, &rank);
  MPI_Comm_size(comm, &size);
  assert_ok(fare_learn_rows_create(comm, 2, GROUPS, rows));
  for (int g = 0; g < GROUPS; g++) {
    const int     holders = size > 1 ? size - 1 : 1, holder = size > 1 ? rank - 1 : 0;
    const int64_t first = holder < 0 ? 0 : counts[g] * holder / holders, last = holder < 0 ? 0 : counts[g] * (holder + 1) / holders;
    const double *x[] = {value[g][0] + first, value[g][1] + first};

    for (int64_t i = 0; i < counts[g]; i++) {
      value[g][0][i] = 5 + g + fare_random_normal(&random);
      value[g][1][i] = 0.1 * fare_random_normal(&random);
      weight[g][i]   = 1 + 10 * fare_random_uniform(&random);
    }
    fare_learn_rows_set(*rows, g, counts[g], first, last - first, x, weighted ? weight[g] + first : NULL);
  }
  assert_ok(fare_learn_rows_standardise(*rows, mean, sd));
}

/* Every group counts alike, and within a group rows count by their weight. */
static void rows_are_standardised(void **state)
{
  (void)state;
  for (int weighted = 0; weighted < 2; weighted++) {
    fare_learn_rows *rows;
    double           mean[FARE_DIM_MAX], sd[FARE_DIM_MAX];

    fill_rows(PETSC_COMM_WORLD, weighted ? PETSC_TRUE : PETSC_FALSE, &rows, mean, sd);
    for (int axis = 0; axis < 2; axis++) {
      double first = 0, second = 0;

      for (int g = 0; g < GROUPS; g++) {
        double sum[3] = {0};

        for (int64_t i = 0; i < counts[g]; i++) {
          const double w = weighted ? weight[g][i] : 1;

          sum[0] += w;
          sum[1] += w * value[g][axis][i];
          sum[2] += w * value[g][axis][i] * value[g][axis][i];
        }
        first += sum[1] / sum[0] / GROUPS;
        second += sum[2] / sum[0] / GROUPS;
      }
      assert_near(mean[axis], first, 1e-12 * (1 + fabs(first)));
      assert_near(sd[axis], sqrt(second - first * first), 1e-10);
    }
    assert_ok(fare_learn_rows_destroy(&rows));
  }
}

/* Batches on all ranks together are the batch of one rank: rows, groups, weights and noise. */
static void batches_do_not_depend_on_ranks(void **state)
{
  enum { SIZE = 1300 };
  const fare_stream stream = fare_stream_make(2, "batch");
  const MPI_Comm    comm[2] = {PETSC_COMM_WORLD, PETSC_COMM_SELF};
  static double     seen[2][5][SIZE];
  double            mean[FARE_DIM_MAX], sd[FARE_DIM_MAX], share[GROUPS] = {0};

  (void)state;
  memset(seen, 0, sizeof seen);
  for (int k = 0; k < 2; k++) {
    fare_learn_rows  *rows;
    fare_learn_batch *batch;
    float             z[SIZE];

    fill_rows(comm[k], PETSC_TRUE, &rows, mean, sd);
    assert_ok(fare_learn_batch_create(2, SIZE, &batch));
    fare_learn_batch_draw(batch, rows, stream, 77);
    fare_learn_batch_normals(batch, stream, 77, 1, z);
    for (int64_t i = 0; i < batch->count; i++) {
      const double columns[5] = {(double)batch->x[0][i], (double)batch->x[1][i], (double)batch->weight[i], (double)z[i], 1 + batch->group[i]};

      for (int c = 0; c < 5; c++) seen[k][c][batch->number[i]] += columns[c];
    }
    MPI_Allreduce(MPI_IN_PLACE, seen[k], 5 * SIZE, MPI_DOUBLE, MPI_SUM, comm[k]);
    assert_ok(fare_learn_batch_destroy(&batch));
    assert_ok(fare_learn_rows_destroy(&rows));
  }
  for (int i = 0; i < SIZE; i++) {
    for (int c = 0; c < 5; c++) assert_near(seen[0][c][i], seen[1][c][i], 1e-6 * (1 + fabs(seen[1][c][i])));
    assert_between(seen[0][4][i], 1, GROUPS);
    share[(int)seen[0][4][i] - 1]++;
  }
  for (int g = 0; g < GROUPS; g++) assert_between(share[g], SIZE / GROUPS, SIZE / GROUPS + 1);
}

static void rows_that_cannot_be_learned_from_are_refused(void **state)
{
  double        same[8], mean[FARE_DIM_MAX], sd[FARE_DIM_MAX];
  const double *x[] = {same};

  (void)state;
  for (int bad = 0; bad < 3; bad++) {
    fare_learn_rows *rows;

    for (int i = 0; i < 8; i++) same[i] = bad == 1 && i == 5 ? NAN : 2;
    assert_ok(fare_learn_rows_create(PETSC_COMM_SELF, 1, 1, &rows));
    fare_learn_rows_set(rows, 0, bad == 2 ? 0 : 8, 0, bad == 2 ? 0 : 8, x, NULL);
    assert_int_equal(fare_learn_rows_standardise(rows, mean, sd), FARE_ERR_FAILED);
    assert_non_null(strstr(fare_error_message(), bad == 2 ? "empty" : bad ? "finite" : "same place"));
    assert_ok(fare_learn_rows_destroy(&rows));
  }
}

/* Regression of sin(2 x) on the first coordinate of the rows. */
typedef struct {
  fare_learn_rows  *rows;
  fare_learn_batch *batch;
  fare_stream       stream;
  int64_t           bad_step, step;
} lesson;

static double beginning; /* this rank's sum of losses of the function 0, which training begins with */

static void draw(void *context, int64_t step, int64_t *rows)
{
  lesson *l = context;

  fare_learn_batch_draw(l->batch, l->rows, l->stream, (uint64_t)step);
  l->step = step;
  *rows   = l->batch->count;
}

static void inputs(void *context, int64_t first, int n, float input[])
{
  lesson *l = context;

  memcpy(input, l->batch->x[0] + first, (size_t)n * sizeof(float));
}

static double loss(void *context, int64_t first, int n, const float output[], float d_output[])
{
  lesson *l   = context;
  double  sum = l->step == l->bad_step && n > 0 ? NAN : 0;

  for (int i = 0; i < n; i++) {
    const double wanted = sin(2 * (double)l->batch->x[0][first + i]);
    const float  off    = output[i] - (float)wanted;

    if (l->step == 0) beginning += 0.5 * wanted * wanted;
    d_output[i] = off;
    sum += 0.5 * (double)(off * off);
  }
  return sum;
}

static PetscErrorCode teach(MPI_Comm comm, int64_t steps, int64_t bad_step, fare_network **network, fare_curve *curve, int64_t *evaluations)
{
  const fare_network_shape shape   = {1, 16, 2, 1};
  const fare_learn_options options = {.steps = steps, .batch = 900, .warmup = 10, .learning_rate = 0.01, .ema = 0.98};
  lesson                   l       = {.stream = fare_stream_make(6, "lesson"), .bad_step = bad_step};
  const fare_learn_problem problem = {"training", &l, draw, inputs, loss};
  double                   mean[FARE_DIM_MAX], sd[FARE_DIM_MAX];
  PetscErrorCode           code;

  fill_rows(comm, PETSC_FALSE, &l.rows, mean, sd);
  assert_ok(fare_learn_batch_create(2, options.batch, &l.batch));
  assert_ok(fare_network_create(&shape, fare_stream_make(6, "weights"), network));
  code = fare_learn_train(comm, *network, &options, &problem, curve, evaluations);
  assert_ok(fare_learn_batch_destroy(&l.batch));
  assert_ok(fare_learn_rows_destroy(&l.rows));
  return code;
}

static void training_learns_and_ranks_agree(void **state)
{
  fare_curve    curve = {0};
  fare_network *network;
  int64_t       evaluations = 0;
  size_t        count;
  uint32_t      low[1024], high[1024];
  float         x[FARE_BLOCK], y[FARE_BLOCK];

  (void)state;
  assert_ok(teach(PETSC_COMM_WORLD, 500, -1, &network, &curve, &evaluations));
  MPI_Allreduce(MPI_IN_PLACE, &evaluations, 1, MPI_INT64_T, MPI_SUM, PETSC_COMM_WORLD);
  assert_int_equal(evaluations, 500 * 900);
  count = fare_network_count(network);
  assert_true(count <= 1024);
  memcpy(low, fare_network_weights(network), count * sizeof *low);
  memcpy(high, low, count * sizeof *low);
  MPI_Allreduce(MPI_IN_PLACE, low, (int)count, MPI_UINT32_T, MPI_MIN, PETSC_COMM_WORLD);
  MPI_Allreduce(MPI_IN_PLACE, high, (int)count, MPI_UINT32_T, MPI_MAX, PETSC_COMM_WORLD);
  assert_memory_equal(low, high, count * sizeof *low);

  assert_int_equal(curve.count, 200);
  assert_int_equal(curve.step[curve.count - 1], 500);
  assert_between(curve.loss[0], 0.1, 1);
  assert_between(curve.loss[curve.count - 1], 0, 2e-3);
  for (int i = 0; i < ROWS; i++) x[i] = (float)(-1.5 + 3. * i / (ROWS - 1));
  fare_network_evaluate(network, ROWS, x, 0, NULL, y);
  for (int i = 0; i < ROWS; i++) assert_near(y[i], sin(2 * (double)x[i]), 0.1);
  assert_ok(fare_curve_free(&curve));
  assert_ok(fare_network_destroy(&network));
}

/* The ranks' sum of gradients is the gradient of the whole batch: a few steps together are the steps of one rank but for rounding. */
static void ranks_take_the_steps_of_one(void **state)
{
  const MPI_Comm comm[2]  = {PETSC_COMM_WORLD, PETSC_COMM_SELF};
  fare_curve     curve[2] = {{0}, {0}};
  fare_network  *network[2];
  int64_t        evaluations = 0;

  (void)state;
  for (int k = 0; k < 2; k++) {
    beginning = 0;
    assert_ok(teach(comm[k], 20, -1, &network[k], &curve[k], &evaluations));
    MPI_Allreduce(MPI_IN_PLACE, &beginning, 1, MPI_DOUBLE, MPI_SUM, comm[k]);
    assert_near(curve[k].loss[0], beginning / 900, 1e-5);
  }
  assert_int_equal(curve[0].count, 20);
  for (size_t i = 0; i < 20; i++) assert_near(curve[0].loss[i], curve[1].loss[i], 1e-4 * curve[1].loss[i]);
  for (size_t i = 0; i < fare_network_count(network[0]); i++) assert_near(fare_network_weights(network[0])[i], fare_network_weights(network[1])[i], 1e-3);
  for (int k = 0; k < 2; k++) {
    assert_ok(fare_curve_free(&curve[k]));
    assert_ok(fare_network_destroy(&network[k]));
  }
}

static void a_loss_that_is_not_finite_stops_all(void **state)
{
  fare_curve    curve = {0};
  fare_network *network;
  int64_t       evaluations = 0;

  (void)state;
  assert_int_equal(teach(PETSC_COMM_WORLD, 40, 15, &network, &curve, &evaluations), FARE_ERR_FAILED);
  assert_non_null(strstr(fare_error_message(), "step 15 of 40"));
  assert_non_null(strstr(fare_error_message(), "learning rate 0.00933013")); /* 0.005 (1 + cos(pi/6)) */
  assert_ok(fare_curve_free(&curve));
  assert_ok(fare_network_destroy(&network));
}

static void networks_and_curves_are_kept(void **state)
{
  const fare_network_shape shape = {5, 17, 3, 2}, other = {5, 17, 2, 2};
  int64_t                  steps[] = {10, 20, 30};
  double                   losses[] = {0.5, 0.25, 0.125};
  const fare_curve         curve = {3, steps, losses};
  fare_curve               back = {0};
  fare_network            *twin, *stranger;
  fare_store              *store;
  subject                  s;
  char                     path[64];
  int                      size;

  (void)state;
  MPI_Comm_size(PETSC_COMM_WORLD, &size);
  snprintf(path, sizeof path, "test_learn.%d.h5", size);
  subject_begin(&shape, &s);
  assert_ok(fare_store_create(PETSC_COMM_WORLD, path, &store));
  assert_ok(fare_network_save(s.network, PETSC_COMM_WORLD, store, "/a/network"));
  assert_ok(fare_curve_save(&curve, PETSC_COMM_WORLD, store, "/a/curve"));
  assert_ok(fare_store_commit(&store));

  assert_ok(fare_network_create(&shape, fare_stream_make(1, "twin"), &twin));
  assert_ok(fare_network_create(&other, fare_stream_make(1, "twin"), &stranger));
  assert_ok(fare_store_open(PETSC_COMM_WORLD, path, &store));
  assert_ok(fare_network_load(twin, store, "/a/network"));
  assert_memory_equal(fare_network_weights(twin), fare_network_weights(s.network), s.count * sizeof(float));
  assert_ok(fare_curve_load(&back, store, "/a/curve"));
  assert_int_equal(back.count, 3);
  assert_memory_equal(back.step, steps, sizeof steps);
  assert_memory_equal(back.loss, losses, sizeof losses);
  assert_int_equal(fare_network_load(stranger, store, "/a/network"), FARE_ERR_FAILED);
  assert_non_null(strstr(fare_error_message(), "layers 3, not 2"));
  assert_ok(fare_store_close(&store));
  assert_ok(fare_curve_free(&back));
  assert_ok(fare_network_destroy(&twin));
  assert_ok(fare_network_destroy(&stranger));
  subject_end(&s);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(forward_is_the_plain_function),
  cmocka_unit_test(shared_inputs_are_inputs),
  cmocka_unit_test(backward_agrees_with_differences),
  cmocka_unit_test(backward_adds_up),
  cmocka_unit_test(silu_has_its_limits),
  cmocka_unit_test(octaves_are_sines_and_cosines),
  cmocka_unit_test(targets_follow_the_preconditioning),
  cmocka_unit_test(loss_agrees_with_differences),
  cmocka_unit_test(levels_stay_in_range),
  cmocka_unit_test(adam_steps_by_hand),
  cmocka_unit_test(averages_are_geometric),
  cmocka_unit_test(the_rate_rises_and_falls),
  cmocka_unit_test(rows_are_standardised),
  cmocka_unit_test(batches_do_not_depend_on_ranks),
  cmocka_unit_test(rows_that_cannot_be_learned_from_are_refused),
  cmocka_unit_test(training_learns_and_ranks_agree),
  cmocka_unit_test(ranks_take_the_steps_of_one),
  cmocka_unit_test(a_loss_that_is_not_finite_stops_all),
  cmocka_unit_test(networks_and_curves_are_kept),
};
FARE_TEST_MAIN(tests)
