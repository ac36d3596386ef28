/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=unit ranks=1,2 timeout=60 */
/*
  Networks against plain loops in double and finite differences of those: values, derivatives, derivatives of
  derivatives along a direction.
*/
#include "fare_test.h"

#include "network_subject.h"

#include "learn/kernels.h"

static const fare_network_shape shapes[] = {{3, 8, 1, 1}, {5, 17, 3, 2}, {1, 4, 2, 3}};
#define SHAPES (sizeof shapes / sizeof shapes[0]) /* each with and without residual blocks */

static void forward_is_the_plain_function(void **state)
{
  (void)state;
  for (size_t n = 0; n < 2 * SHAPES; n++) {
    const fare_network_shape *shape = &shapes[n / 2];
    float                     output[WIDTH * FARE_BLOCK];
    subject                   s;

    subject_begin(shape, n % 2, &s);
    assert_int_equal(s.count,
      (shape->inputs + 1) * shape->width + (shape->layers - 1) * (shape->width + 1) * shape->width +
        (shape->width + 1) * shape->outputs);
    fare_network_forward(s.network, ROWS, s.input, output);
    for (int r = 0; r < ROWS; r++) {
      double complex in[WIDTH], out[WIDTH];

      for (int k = 0; k < shape->inputs; k++) in[k] = s.in[r][k];
      reference(shape, s.residual, s.w, in, out);
      for (int k = 0; k < shape->outputs; k++) assert_near(output[k * FARE_BLOCK + r], creal(out[k]), 2e-5);
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
  subject_begin(&shape, PETSC_TRUE, &s);
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

/* Sum over rows of (out - target)^2/2. */
static double squares(const fare_network_shape *shape, const subject *s)
{
  double sum = 0;

  for (int r = 0; r < ROWS; r++) {
    double complex in[WIDTH], out[WIDTH];

    for (int k = 0; k < shape->inputs; k++) in[k] = s->in[r][k];
    reference(shape, s->residual, s->w, in, out);
    for (int k = 0; k < shape->outputs; k++) sum += 0.5 * pow(creal(out[k]) - s->target[r][k], 2);
  }
  return sum;
}

/* Every weight, bias and input. */
static void backward_agrees_with_differences(void **state)
{
  (void)state;
  for (size_t n = 0; n < 2 * SHAPES; n++) {
    const fare_network_shape *shape = &shapes[n / 2];
    float   output[WIDTH * FARE_BLOCK], d_output[WIDTH * FARE_BLOCK], d_input[WIDTH * FARE_BLOCK], *gradient;
    subject s;

    subject_begin(shape, n % 2, &s);
    gradient = calloc(s.count, sizeof *gradient);
    fare_network_forward(s.network, ROWS, s.input, output);
    for (int k = 0; k < shape->outputs; k++) {
      for (int r = 0; r < ROWS; r++)
        d_output[k * FARE_BLOCK + r] = output[k * FARE_BLOCK + r] - (float)s.target[r][k];
    }
    fare_network_backward(s.network, ROWS, s.input, d_output, gradient, d_input);
    assert_derivatives(shape, &s, squares, gradient, d_input);
    free(gradient);
    subject_end(&s);
  }
}

static void backward_adds_up(void **state)
{
  const fare_network_shape shape = {3, 8, 1, 1};
  float   output[FARE_BLOCK], once[64] = {0}, twice[64] = {0}, with[3 * FARE_BLOCK], without[3 * FARE_BLOCK];
  subject s;

  (void)state;
  subject_begin(&shape, PETSC_TRUE, &s);
  fare_network_forward(s.network, ROWS, s.input, output);
  fare_network_backward(s.network, ROWS, s.input, output, once, with);
  fare_network_backward(s.network, ROWS, s.input, output, twice, NULL);
  fare_network_backward(s.network, ROWS, s.input, output, NULL, without);
  fare_network_backward(s.network, ROWS, s.input, output, twice, NULL);
  for (size_t k = 0; k < s.count; k++)
    assert_near(twice[k], 2 * once[k], 1e-5 * fabs((double)once[k]) + 1e-6);
  for (int k = 0; k < 3; k++)
    assert_memory_equal(with + k * FARE_BLOCK, without + k * FARE_BLOCK, ROWS * sizeof(float));
  subject_end(&s);
}

/*
  Outputs and their derivatives along the direction, of one row: by a step along the imaginary axis that
  rounding does not see.
*/
static void reference_along(
  const fare_network_shape *shape, const subject *s, int r, double out[], double along[])
{
  const double   h = 1e-40;
  double complex in[WIDTH], to[WIDTH];

  for (int k = 0; k < shape->inputs; k++) in[k] = s->in[r][k] + h * s->way[r][k] * I;
  reference(shape, s->residual, s->w, in, to);
  for (int k = 0; k < shape->outputs; k++) {
    out[k]   = creal(to[k]);
    along[k] = cimag(to[k]) / h;
  }
}

static void tangents_are_derivatives(void **state)
{
  (void)state;
  for (size_t n = 0; n < 2 * SHAPES; n++) {
    const fare_network_shape *shape = &shapes[n / 2];
    float   output[WIDTH * FARE_BLOCK], plain[WIDTH * FARE_BLOCK], along[WIDTH * FARE_BLOCK];
    subject s;

    subject_begin(shape, n % 2, &s);
    fare_network_tangent(s.network, ROWS, s.input, s.direction, output, along);
    fare_network_forward(s.network, ROWS, s.input, plain);
    for (int r = 0; r < ROWS; r++) {
      double out[WIDTH], derivative[WIDTH];

      reference_along(shape, &s, r, out, derivative);
      for (int k = 0; k < shape->outputs; k++) {
        assert_near(output[k * FARE_BLOCK + r], plain[k * FARE_BLOCK + r], 1e-6 * (1 + fabs(out[k])));
        assert_near(along[k * FARE_BLOCK + r], derivative[k], 5e-5);
      }
    }
    subject_end(&s);
  }
}

/* J direction from the transposed product of backward: for each output k, d_input . direction. */
static void tangents_agree_with_backward(void **state)
{
  (void)state;
  for (size_t n = 0; n < 2 * SHAPES; n++) {
    const fare_network_shape *shape = &shapes[n / 2];
    float output[WIDTH * FARE_BLOCK], along[WIDTH * FARE_BLOCK], d_output[WIDTH * FARE_BLOCK],
      d_input[WIDTH * FARE_BLOCK];
    subject s;

    subject_begin(shape, n % 2, &s);
    fare_network_tangent(s.network, ROWS, s.input, s.direction, output, along);
    fare_network_forward(s.network, ROWS, s.input, output);
    for (int k = 0; k < shape->outputs; k++) {
      for (int j = 0; j < shape->outputs * FARE_BLOCK; j++) d_output[j] = j / FARE_BLOCK == k;
      fare_network_backward(s.network, ROWS, s.input, d_output, NULL, d_input);
      for (int r = 0; r < ROWS; r++) {
        double sum = 0;

        for (int j = 0; j < shape->inputs; j++) sum += (double)d_input[j * FARE_BLOCK + r] * s.way[r][j];
        assert_near(along[k * FARE_BLOCK + r], sum, 2e-5);
      }
    }
    subject_end(&s);
  }
}

/*
  Sum over rows of (out - target)^2/2 + (J direction)^2/2 + out (J direction): both parts and their product.
*/
static double squares_along(const fare_network_shape *shape, const subject *s)
{
  double sum = 0;

  for (int r = 0; r < ROWS; r++) {
    double out[WIDTH], along[WIDTH];

    reference_along(shape, s, r, out, along);
    for (int k = 0; k < shape->outputs; k++)
      sum += 0.5 * pow(out[k] - s->target[r][k], 2) + 0.5 * along[k] * along[k] + out[k] * along[k];
  }
  return sum;
}

static void tangent_backward_agrees_with_differences(void **state)
{
  (void)state;
  for (size_t n = 0; n < 2 * SHAPES; n++) {
    const fare_network_shape *shape = &shapes[n / 2];
    float output[WIDTH * FARE_BLOCK], along[WIDTH * FARE_BLOCK], d_output[WIDTH * FARE_BLOCK],
      d_along[WIDTH * FARE_BLOCK], d_input[WIDTH * FARE_BLOCK], *gradient;
    subject s;

    subject_begin(shape, n % 2, &s);
    gradient = calloc(s.count, sizeof *gradient);
    fare_network_tangent(s.network, ROWS, s.input, s.direction, output, along);
    for (int k = 0; k < shape->outputs; k++) {
      for (int r = 0; r < ROWS; r++) {
        const int j = k * FARE_BLOCK + r;

        d_output[j] = output[j] - (float)s.target[r][k] + along[j];
        d_along[j]  = along[j] + output[j];
      }
    }
    fare_network_tangent_backward(
      s.network, ROWS, s.input, s.direction, d_output, d_along, gradient, d_input);
    assert_derivatives(shape, &s, squares_along, gradient, d_input);
    free(gradient);
    subject_end(&s);
  }
}

/* Without a part along, tangent_backward is backward. */
static void tangent_backward_contains_backward(void **state)
{
  const fare_network_shape shape = {5, 17, 3, 2};
  float output[2 * FARE_BLOCK], along[2 * FARE_BLOCK], zero[2 * FARE_BLOCK] = {0}, one[5 * FARE_BLOCK],
                                                                two[5 * FARE_BLOCK], *gradient[2];
  subject s;

  (void)state;
  subject_begin(&shape, PETSC_TRUE, &s);
  for (int k = 0; k < 2; k++) gradient[k] = calloc(s.count, sizeof(float));
  fare_network_forward(s.network, ROWS, s.input, output);
  fare_network_backward(s.network, ROWS, s.input, output, gradient[0], one);
  fare_network_tangent(s.network, ROWS, s.input, s.direction, output, along);
  fare_network_tangent_backward(s.network, ROWS, s.input, s.direction, output, zero, gradient[1], two);
  for (size_t k = 0; k < s.count; k++)
    assert_near(gradient[1][k], gradient[0][k], 1e-5 * (1 + fabs((double)gradient[0][k])));
  for (int k = 0; k < 5; k++) {
    for (int r = 0; r < ROWS; r++)
      assert_near(
        two[k * FARE_BLOCK + r], one[k * FARE_BLOCK + r], 1e-5 * (1 + fabs((double)one[k * FARE_BLOCK + r])));
  }
  for (int k = 0; k < 2; k++) free(gradient[k]);
  subject_end(&s);
}

/* Far from zero SiLU is 0 or the identity, with no overflow on the way. */
static void silu_has_its_limits(void **state)
{
  static float h[FARE_BLOCK], slope[FARE_BLOCK], again[FARE_BLOCK], along[FARE_BLOCK], steep[FARE_BLOCK],
    bend[FARE_BLOCK];
  const float bias[1] = {0};
  const float x[]     = {-1e4f, -200, -90, 0, 90, 200, 1e4f};

  (void)state;
  memcpy(h, x, sizeof x);
  memcpy(again, x, sizeof x);
  for (int i = 0; i < 7; i++) along[i] = 2;
  fare_silu_slope(1, 7, bias, NULL, h, slope);
  fare_silu_along(1, 7, bias, NULL, NULL, again, along, steep, bend);
  for (int i = 0; i < 7; i++) {
    const double s = 1 / (1 + exp(-(double)x[i]));

    assert_near(h[i], (double)x[i] * s, 1e-6 * fabs((double)h[i]) + 1e-30);
    assert_near(slope[i], s * (1 + (double)x[i] * (1 - s)), 1e-6 * s + 1e-30);
    assert_near(again[i], h[i], 1e-6 * fabs((double)h[i]));
    assert_near(steep[i], slope[i], 1e-6);
    assert_near(along[i], 2 * slope[i], 1e-6);
    assert_near(bend[i], x[i] == 0, 1e-6); /* 2 SiLU''(0) = 1 */
  }
}

static void networks_are_kept(void **state)
{
  const fare_network_shape shape = {5, 17, 3, 2}, other = {5, 17, 2, 2};
  fare_network            *twin, *stranger;
  fare_store              *store;
  subject                  s;
  char                     path[64];
  int                      size;

  (void)state;
  MPI_Comm_size(PETSC_COMM_WORLD, &size);
  snprintf(path, sizeof path, "test_network.%d.h5", size);
  subject_begin(&shape, PETSC_TRUE, &s);
  assert_ok(fare_store_create(PETSC_COMM_WORLD, path, &store));
  assert_ok(fare_network_kept.save(s.network, store, "/a/network"));
  assert_ok(fare_store_commit(&store));

  assert_ok(fare_network_create(&shape, fare_stream_make(1, "twin"), &twin));
  fare_network_set_residual(twin, PETSC_TRUE);
  assert_ok(fare_network_create(&other, fare_stream_make(1, "twin"), &stranger));
  assert_ok(fare_store_open(PETSC_COMM_WORLD, path, &store));
  assert_ok(fare_network_kept.load((void **)&twin, NULL, store, "/a/network"));
  assert_memory_equal(fare_network_weights(twin), fare_network_weights(s.network), s.count * sizeof(float));
  fare_network_set_residual(twin, PETSC_FALSE);
  assert_int_equal(fare_network_kept.load((void **)&twin, NULL, store, "/a/network"), FARE_ERR_FAILED);
  assert_non_null(strstr(fare_error_message(), "has residual blocks, this one has none"));
  assert_int_equal(fare_network_kept.load((void **)&stranger, NULL, store, "/a/network"), FARE_ERR_FAILED);
  assert_non_null(strstr(fare_error_message(), "layers 3, not 2"));
  assert_ok(fare_store_close(&store));
  assert_ok(fare_network_destroy(&twin));
  assert_ok(fare_network_destroy(&stranger));
  subject_end(&s);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(forward_is_the_plain_function),
  cmocka_unit_test(shared_inputs_are_inputs),
  cmocka_unit_test(backward_agrees_with_differences),
  cmocka_unit_test(backward_adds_up),
  cmocka_unit_test(tangents_are_derivatives),
  cmocka_unit_test(tangents_agree_with_backward),
  cmocka_unit_test(tangent_backward_agrees_with_differences),
  cmocka_unit_test(tangent_backward_contains_backward),
  cmocka_unit_test(silu_has_its_limits),
  cmocka_unit_test(networks_are_kept),
};
FARE_TEST_MAIN(tests)
