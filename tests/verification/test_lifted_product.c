/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification ranks=2 timeout=240 */
/*
  A product whose state is lifted, x_i = y_i + c y_(i-1)^2: the density keeps its mass and entropy, its score
  is its gradient, and particles of the driven equation, which are lifted too, have it.
*/
#include "joints.h"

#include <fare/product.h>

#define UNIT "unit: {name: double_well, parameters: {height: 1.5}}, lift: 0.4"
#define REST                                                                  \
  "drive: [{parameter: tilt, waveform: sine, amplitude: 2.0, period: 1.0}]\n" \
  "initial: {density: gaussian, mean: [-0.5], sd: [0.4]}\n"                   \
  "truth: {kind: product, cells: [128], lower: [-2.6], upper: [2.6]}\n"
static const char straight[] = "system: {name: product, copies: 4, " UNIT "}\n" REST,
                  pair[]     = "system: {name: product, copies: 2, " UNIT "}\n" REST,
                  rotated[]  = "system: {name: product, copies: 4, " UNIT ", rotation: haar}\n" REST;

/* By quadrature over all of the plane: mass, and the mean of x_1, which is that of y_1 and of c y_0^2. */
static void mass_and_mean(void **state)
{
  const double  h    = 0.02;
  joint_subject s    = make_joint(pair);
  double        mass = 0, mean = 0, square = 0, first = 0, entropy = 0;

  (void)state;
  assert_ok(fare_joint_advance(s.joint, 0.3));
  for (double a = -3; a < 3; a += h) {
    for (double b = -3; b < 6; b += h) {
      const double at[] = {a, b}, log_p = log_density_at(s.joint, 0, at), p = exp(log_p) * h * h;

      mass += p;
      mean += b * p;
      first += a * p;
      square += a * a * p;
      if (p > 0) entropy -= p * log_p;
    }
  }
  assert_near(mass, 1, 1e-6);
  assert_near(mean, first + 0.4 * square, 1e-5); /* both blocks have the same density */
  assert_near(entropy, s.joint->status.entropy, 1e-4);
  drop_joint(&s);
}

static void scores(void **state)
{
  const double  point[] = {-0.3, 0.4, 0.1, 0.2};
  joint_subject s       = make_joint(straight);

  (void)state;
  score_is_the_gradient(s.joint, point, 1e-5);
  drop_joint(&s);
  s = make_joint(rotated);
  score_is_the_gradient(s.joint, point, 1e-5);
  drop_joint(&s);
}

/* The sampler's particles at a time of a drive, and exact draws: the same for every measure that there is. */
static void particles(const char *yaml)
{
  static const char *const names[] = {
    "rosenblatt", "log_density_shift", "energy_distance", "block_kl", "stein"};
  joint_subject            s        = make_joint(yaml);
  fare_schedule            schedule = {.start = 0, .end = 0.3, .count = 3};
  fare_config             *config;
  fare_sampler            *sampler;
  fare_ensemble           *e;
  void                    *options;
  const fare_sampler_type *type = fare_sampler_type_find("langevin");

  assert_ok(fare_config_parse("s.yaml", "{dt: 5.0e-3, integrator: heun}", 30, &config));
  assert_ok(fare_sampler_options_read(type, fare_config_root(config), NULL, &options));
  assert_ok(
    fare_sampler_create(PETSC_COMM_WORLD, type, "x", options, 5, s.system, s.initial, &schedule, &sampler));
  fare_sampler_set_joint(sampler, s.joint);
  assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, s.joint->dim, 8000, &e));
  for (int k = 0; k < 3; k++) {
    assert_ok(fare_joint_advance(s.joint, fare_schedule_time(&schedule, k)));
    assert_ok(fare_sampler_advance(sampler, fare_schedule_time(&schedule, k), e));
    for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(names) && k != 1; i++) {
      const fare_measure_type *measure = fare_joint_measure_find(names[i]);
      fare_measured            m;

      if (fare_joint_measure_check(measure, s.joint->type, s.joint->dim, PETSC_FALSE)) continue;
      assert_ok(fare_joint_compare(s.joint, e, NULL, 1, &measure, 100, fare_stream_make(7, "measures"), &m));
      if (!(fabs(m.significance) < 4))
        fail_msg("%s at snapshot %d: significance %g", names[i], k, m.significance);
    }
  }
  assert_ok(fare_ensemble_destroy(&e));
  assert_ok(fare_sampler_destroy(&sampler));
  fare_sampler_options_free(type, &options);
  fare_config_destroy(&config);
  drop_joint(&s);
}

static void simulated(void **state)
{
  (void)state;
  particles(straight);
  particles(rotated);
}

static void what_is_not_there_is_refused(void **state)
{
  joint_subject s        = make_joint(rotated);
  fare_schedule schedule = {.start = 0, .end = 1, .count = 2};
  fare_sampler *sampler;

  (void)state;
  assert_int_equal(
    fare_joint_measure_check(fare_joint_measure_find("marginals_1"), s.joint->type, 4, PETSC_FALSE),
    FARE_ERR_INPUT);
  assert_non_null(strstr(fare_error_message(), "a lift curves them"));
  assert_int_equal(
    fare_joint_measure_check(fare_joint_measure_find("rosenblatt"), s.joint->type, 4, PETSC_FALSE),
    FARE_ERR_INPUT);
  assert_int_equal(fare_sampler_create(PETSC_COMM_WORLD, fare_sampler_type_find("product_of_marginals"), "x",
                     NULL, 5, s.system, s.initial, &schedule, &sampler),
    FARE_ERR_INPUT);
  assert_non_null(strstr(fare_error_message(), "lift"));
  assert_ok(fare_sampler_destroy(&sampler));
  drop_joint(&s);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(mass_and_mean),
  cmocka_unit_test(scores),
  cmocka_unit_test(simulated),
  cmocka_unit_test(what_is_not_there_is_refused),
};
FARE_TEST_MAIN(tests)
