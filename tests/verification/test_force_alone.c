/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification timeout=120 */
/* A system that has a force but neither a potential nor a drift, beside its density in closed form. */
#include "closed_form.h"

static const fare_parameter parameters[] = {FARE_COMMON_PARAMETERS, FARE_PARAMETERS_END};

/* A trap of stiffness 1 and a rotation with the angular velocity 2. */
static void force(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  (void)dim, (void)theta;
  for (size_t i = 0; i < n; i++) {
    f[0][i] = -x[0][i] - 2 * x[1][i];
    f[1][i] = -x[1][i] + 2 * x[0][i];
  }
}

static const fare_system_type rotation = {
  .name          = "rotation",
  .dimension_min = 2,
  .dimension_max = 2,
  .parameters    = parameters,
  .lower         = {-6, -6},
  .upper         = {6, 6},
  .force         = force,
};

/* A Gaussian whose mean follows the drift: with mobility and kT 1 its variance tends to 1. */
static double spiral(const double x[], double t)
{
  const double m[]      = {1.5 * exp(-t) * cos(2 * t), 1.5 * exp(-t) * sin(2 * t)},
               variance = 1 - 0.5 * exp(-2 * t);

  return exp(-(pow(x[0] - m[0], 2) + pow(x[1] - m[1], 2)) / (2 * variance));
}

static void a_force_without_a_potential(void **state)
{
  const closed_form c = {.type = &rotation,
    .dim                       = 2,
    .lower                     = -6,
    .upper                     = 6,
    .end                       = 1,
    .cells                     = 32,
    .density                   = spiral,
    .error                     = 1e-2,
    .order                     = 2};

  (void)state;
  holds(&c);
}

static const struct CMUnitTest tests[] = {cmocka_unit_test(a_force_without_a_potential)};
FARE_TEST_MAIN(tests)
