/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=unit ranks=1 timeout=60 */
/*
  The loss of action matching and the field of its potential: float32 against plain loops in double,
  derivatives by differences and by complex steps.
*/
#include "fare_test.h"

#include "network_subject.h"

#include "sampler/action/action_matching.h"

enum { FREQUENCIES = 2, TIME_OCTAVES = 1, INPUTS = 2 * (1 + 2 * FREQUENCIES) + 1 + 2 * TIME_OCTAVES };

static const fare_action_shape  shape         = {.dim = 2,
           .frequencies                               = FREQUENCIES,
           .time_frequencies                          = TIME_OCTAVES,
           .inputs                                    = INPUTS,
           .frequency                                 = {0.8, 1.3},
           .periodic                                  = {PETSC_FALSE, PETSC_TRUE}};
static const fare_network_shape network_shape = {INPUTS, 12, 2, 1};
#define TILE 23

typedef struct {
  fare_network       *network;
  size_t              count;
  double             *w;
  fare_place          z, D;
  fare_action_weights weights;
  fare_action_tile    tile;
} problem;

static void problem_begin(PetscBool residual, problem *p)
{
  fare_random random = {.stream = fare_stream_make(5, "action")};

  memset(p, 0, sizeof *p);
  assert_ok(fare_network_create(&network_shape, fare_stream_make(5, "weights"), &p->network));
  fare_network_set_residual(p->network, residual);
  assert_ok(fare_action_tile_create(&shape, &p->tile));
  p->count = fare_network_count(p->network);
  p->w     = calloc(p->count, sizeof *p->w);
  for (size_t i = 0; i < p->count; i++)
    p->w[i] = fare_network_weights(p->network)[i] = (float)(0.4 * fare_random_normal(&random));
  for (int i = 0; i < TILE; i++) {
    for (int axis = 0; axis < 2; axis++) {
      p->z[axis][i] = (float)fare_random_normal(&random);
      p->D[axis][i] = (float)(0.5 + fare_random_uniform(&random));
    }
    p->weights.clock[i]  = (float)(2 * fare_random_uniform(&random) - 1);
    p->weights.action[i] = i == 3 ? 0 : (float)fare_random_uniform(&random);
    p->weights.value[i]  = i == 4 ? 0 : (float)fare_random_normal(&random);
  }
}

static void problem_end(problem *p)
{
  assert_ok(fare_network_destroy(&p->network));
  assert_ok(fare_action_tile_destroy(&p->tile));
  free(p->w);
}

/* s of one row, anew. */
static double complex potential(
  const problem *p, PetscBool residual, double complex x, double complex y, double clock)
{
  const double complex z[2] = {x, y};
  double complex       in[INPUTS], out[1];
  int                  n = 0;

  in[n++] = x;
  in[n++] = 0;
  for (int axis = 0; axis < 2; axis++) {
    for (int k = 0; k < FREQUENCIES; k++) {
      in[n++] = csin(ldexp(shape.frequency[axis], k) * z[axis]);
      in[n++] = ccos(ldexp(shape.frequency[axis], k) * z[axis]);
    }
  }
  in[n++] = clock;
  in[n++] = sin(M_PI / 2 * clock);
  in[n++] = cos(M_PI / 2 * clock);

  reference(&network_shape, residual, p->w, in, out);
  return out[0];
}

static void slopes(const problem *p, PetscBool residual, double x, double y, double clock, double slope[2])
{
  slope[0] = cimag(potential(p, residual, x + 1e-40 * I, y, clock)) / 1e-40;
  slope[1] = cimag(potential(p, residual, x, y + 1e-40 * I, clock)) / 1e-40;
}

static double reference_loss(const problem *p, PetscBool residual, PetscBool entropic)
{
  double sum = 0;

  for (int i = 0; i < TILE; i++) {
    const double x = (double)p->z[0][i], y = (double)p->z[1][i], clock = (double)p->weights.clock[i],
                 h = 0.02;
    double slope[2], up[2], down[2], action;

    slopes(p, residual, x, y, clock, slope);
    action = 0.5 * (slope[0] * slope[0] + slope[1] * slope[1]);
    for (int axis = 0; axis < 2 && entropic; axis++) {
      slopes(p, residual, x + h * !axis, y + h * axis, clock, up);
      slopes(p, residual, x - h * !axis, y - h * axis, clock, down);
      action += (double)p->D[axis][i] * (up[axis] - down[axis]) / (2 * h);
    }
    sum += (double)p->weights.action[i] * action +
      (double)p->weights.value[i] * creal(potential(p, residual, x, y, clock));
  }
  return sum;
}

static void fields_are_gradients(void **state)
{
  fare_place gradient;
  problem    p;

  (void)state;
  for (int residual = 0; residual < 2; residual++) {
    problem_begin(residual, &p);
    fare_action_evaluate(&shape, p.network, TILE, p.z, p.weights.clock, &p.tile, gradient);
    for (int i = 0; i < TILE; i++) {
      double slope[2];

      slopes(&p, residual, (double)p.z[0][i], (double)p.z[1][i], (double)p.weights.clock[i], slope);
      for (int axis = 0; axis < 2; axis++)
        assert_near(gradient[axis][i], slope[axis], 1e-5 * (1 + fabs(slope[axis])));
    }
    problem_end(&p);
  }
}

static void losses_agree_with_differences(void **state)
{
  (void)state;
  for (int n = 0; n < 4; n++) {
    const PetscBool residual = n % 2, entropic = n / 2;
    double          largest = 0, wanted, got;
    float          *gradient;
    problem         p;

    problem_begin(residual, &p);
    gradient = calloc(p.count, sizeof *gradient);
    got =
      fare_action_loss(&shape, p.network, TILE, p.z, &p.weights, entropic ? p.D : NULL, &p.tile, gradient);
    wanted = reference_loss(&p, residual, entropic);
    /* float32 differences over 0.04 */
    assert_near(got, wanted, (entropic ? 1e-3 : 1e-5) * (1 + fabs(wanted)));
    assert_near(
      fare_action_loss(&shape, p.network, TILE, p.z, &p.weights, entropic ? p.D : NULL, &p.tile, NULL), got,
      0);
    for (size_t k = 0; k < p.count; k++) largest = fmax(largest, fabs((double)gradient[k]));
    for (size_t k = 0; k < p.count; k++) {
      const double w = p.w[k], h = 1e-5;
      double       up, down;

      p.w[k] = w + h;
      up     = reference_loss(&p, residual, entropic);
      p.w[k] = w - h;
      down   = reference_loss(&p, residual, entropic);
      p.w[k] = w;
      assert_near(gradient[k], (up - down) / (2 * h), (entropic ? 5e-4 : 1e-5) * largest);
    }
    free(gradient);
    problem_end(&p);
  }
}

/* Whole blocks by the integrator's kernels. */
static void kernels_add_up(void **state)
{
  double x[FARE_BLOCK], v[FARE_BLOCK], out[FARE_BLOCK], k[4][FARE_BLOCK];

  (void)state;
  for (int i = 0; i < FARE_BLOCK; i++) {
    x[i] = sin(i);
    v[i] = cos(i);
    for (int stage = 0; stage < 4; stage++) k[stage][i] = sin(i + stage);
  }
  fare_action_step(0.3, FARE_BLOCK, x, v, out);
  for (int i = 0; i < FARE_BLOCK; i++) assert_near(out[i], sin(i) + 0.3 * cos(i), 1e-14);
  fare_action_gather(0.6, FARE_BLOCK, k[0], k[1], k[2], k[3], x);
  for (int i = 0; i < FARE_BLOCK; i++)
    assert_near(x[i], sin(i) + 0.1 * (sin(i) + 2 * sin(i + 1) + 2 * sin(i + 2) + sin(i + 3)), 1e-14);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(fields_are_gradients),
  cmocka_unit_test(losses_agree_with_differences),
  cmocka_unit_test(kernels_add_up),
};
FARE_TEST_MAIN(tests)
