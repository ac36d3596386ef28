/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification ranks=1,2 timeout=200 */
/*
  Boxes that the truth finds for itself: as tight and as wide as Gaussians ask for whose mean and variance are
  known, and none where mass runs away.
*/
#include "fare_test.h"

#include <stdlib.h>

/*
  A trap of another width along each axis, V = stiffness ((x - centre)^2 + 25 y^2)/2, in a box that is far too
  large.
*/
enum { STIFFNESS = FARE_OWN, CENTRE };
static const fare_parameter parameters[] = {
  FARE_COMMON_PARAMETERS, {"stiffness", 1, -100, 100, ""}, {"centre", 0, -1e6, 1e6, ""}, FARE_PARAMETERS_END};

static void trap_potential(int dim, const double *theta, size_t n, const double *const x[], double V[])
{
  for (size_t i = 0; i < n; i++)
    V[i] =
      0.5 * theta[STIFFNESS] * (pow(x[0][i] - theta[CENTRE], 2) + (dim > 1 ? 25 * x[1][i] * x[1][i] : 0));
}

static void trap_force(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  for (size_t i = 0; i < n; i++) {
    f[0][i] = -theta[STIFFNESS] * (x[0][i] - theta[CENTRE]);
    if (dim > 1) f[1][i] = -25 * theta[STIFFNESS] * x[1][i];
  }
}

static const fare_system_type large = {
  .name          = "large",
  .dimension_min = 1,
  .dimension_max = 1,
  .parameters    = parameters,
  .lower         = {-1000, -1000},
  .upper         = {1000, 1000},
  .potential     = trap_potential,
  .force         = trap_force,
};
static const fare_system_type square = {
  .name          = "square",
  .dimension_min = 2,
  .dimension_max = 2,
  .parameters    = parameters,
  .lower         = {-20, -20},
  .upper         = {20, 20},
  .potential     = trap_potential,
  .force         = trap_force,
};
static const fare_system_type small = {
  .name          = "small",
  .dimension_min = 1,
  .dimension_max = 1,
  .parameters    = parameters,
  .lower         = {-4, -4},
  .upper         = {4, 4},
  .potential     = trap_potential,
  .force         = trap_force,
};

/* V = x^2/2 - cos(pi y) */
static void tube_potential(int dim, const double *theta, size_t n, const double *const x[], double V[])
{
  (void)dim, (void)theta;
  for (size_t i = 0; i < n; i++) V[i] = 0.5 * x[0][i] * x[0][i] - cos(M_PI * x[1][i]);
}

static void tube_force(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  (void)dim, (void)theta;
  for (size_t i = 0; i < n; i++) {
    f[0][i] = -x[0][i];
    f[1][i] = -M_PI * sin(M_PI * x[1][i]);
  }
}

static const fare_system_type tube = {
  .name          = "tube",
  .dimension_min = 2,
  .dimension_max = 2,
  .parameters    = parameters,
  .lower         = {-20, -1},
  .upper         = {20, 1},
  .periodic      = {PETSC_FALSE, PETSC_TRUE},
  .potential     = tube_potential,
  .force         = tube_force,
};

static MPI_Comm comm_of(const fare_system *system)
{
  return fare_system_dimension(system) == 1 ? PETSC_COMM_SELF : PETSC_COMM_WORLD;
}

static void free_box(fare_truth_options *options)
{
  free(options->lower.values);
  free(options->upper.values);
}

/* The most mass in the outermost cells of the box that was found, at all snapshots, on `cells` cells. */
static double mass_at_the_ends(const fare_system *system, const fare_initial *initial,
  const fare_schedule *schedule, const fare_truth_options *options)
{
  double      most = 0;
  fare_truth *truth;

  assert_ok(fare_truth_create(comm_of(system), system, initial, schedule->start, options, &truth));
  for (PetscInt64 k = 0; k < schedule->count; k++) {
    assert_ok(fare_truth_advance(truth, fare_schedule_time(schedule, k)));
    most = PetscMax(most, fare_truth_get_status(truth)->boundary_mass);
  }
  assert_ok(fare_truth_destroy(&truth));
  return most;
}

/*
  In equilibrium, with standard deviations 0.1 on [-1000, 1000], and 1 and 0.2 on [-20, 20]: a normal
  distribution has 5e-11 beyond 6.5 of them, and 2.5e-11 beyond 6.6.
*/
static void a_narrow_density_gets_a_tight_box(void **state)
{
  const fare_initial  boltzmann = {.density = FARE_INITIAL_BOLTZMANN};
  const fare_schedule schedule  = {0, 1, 3};
  const double        sd[][2]   = {{0.1}, {1, 0.2}};

  (void)state;
  for (int dim = 1; dim <= 2; dim++) {
    PetscInt64         cells[] = {96, 96};
    fare_truth_options options = {.cells = {(size_t)dim, cells}, .tolerance = 1e-9, .fit_domain = PETSC_TRUE};
    fare_system       *system;

    assert_ok(fare_system_create(dim == 1 ? &large : &square, dim, &system));
    assert_ok(fare_system_set(system, "kT", dim == 1 ? 0.01 : 1));
    assert_ok(fare_truth_fit_domain(comm_of(system), system, &boltzmann, &schedule, &options));
    for (int axis = 0; axis < dim; axis++) {
      if (getenv("FARE_TEST_SHOW"))
        fare_log("%d-D, axis %d: [%g, %g], sd %g", dim, axis, options.lower.values[axis],
          options.upper.values[axis], sd[dim - 1][axis]);
      assert_between(options.lower.values[axis], -10.5 * sd[dim - 1][axis], -6.5 * sd[dim - 1][axis]);
      assert_between(options.upper.values[axis], 6.5 * sd[dim - 1][axis], 10.5 * sd[dim - 1][axis]);
    }
    assert_between(mass_at_the_ends(system, &boltzmann, &schedule, &options), 0, 1e-10);
    free_box(&options);
    assert_ok(fare_system_destroy(&system));
  }
}

/*
  Dragged at speed 10 for 5: the mean is c - v (1 - e^{-t}) behind the centre c, the variance 1, in a box that
  was [-4, 4]. Begun in 0.5, which lies within; and at -20, outside.
*/
static void a_dragged_density_gets_a_wide_box(void **state)
{
  const double starts[] = {0.5, -20};

  (void)state;
  for (int k = 0; k < 2; k++) {
    fare_initial initial = {
      .density = FARE_INITIAL_GAUSSIAN, .mean = {1, (double[]){starts[k]}}, .sd = {1, (double[]){1}}};
    const fare_schedule schedule = {0, 5, 3};
    const double        last     = 50 - 10 * (1 - exp(-5)) + starts[k] * exp(-5);
    PetscInt64          cells[]  = {512};
    fare_truth_options  options  = {.cells = {1, cells}, .tolerance = 1e-9, .fit_domain = PETSC_TRUE};
    const char         *yaml     = "{parameter: centre, waveform: ramp, amplitude: 50, start: 0, end: 5}";
    fare_system        *system;
    fare_config        *config;

    assert_ok(fare_system_create(&small, 1, &system));
    assert_ok(fare_config_parse("drive", yaml, strlen(yaml), &config));
    assert_ok(fare_system_drive(system, fare_config_root(config)));
    fare_config_destroy(&config);
    assert_ok(fare_truth_fit_domain(PETSC_COMM_SELF, system, &initial, &schedule, &options));
    if (getenv("FARE_TEST_SHOW"))
      fare_log(
        "dragged from %g to %g: [%g, %g]", starts[k], last, options.lower.values[0], options.upper.values[0]);
    /*
      a margin of a twentieth of the width on top of 6.5 standard deviations, and as much for the cells of the
      pilot and rounding
    */
    assert_between(
      options.lower.values[0], starts[k] - 6.4 - 0.12 * (last - starts[k] + 13), starts[k] - 6.4);
    assert_between(options.upper.values[0], last + 6.4, last + 6.5 + 0.12 * (last - starts[k] + 13));
    assert_between(mass_at_the_ends(system, &initial, &schedule, &options), 0, 1e-10);
    free_box(&options);
    assert_ok(fare_system_destroy(&system));
  }
}

/* Off the top of a hill mass goes on for ever: no box is found, and the message has the number. */
static void mass_that_runs_away_is_refused(void **state)
{
  fare_initial initial = {
    .density = FARE_INITIAL_GAUSSIAN, .mean = {1, (double[]){0}}, .sd = {1, (double[]){1}}};
  const fare_initial  uniform  = {.density = FARE_INITIAL_UNIFORM};
  const fare_schedule schedule = {0, 10, 3};
  PetscInt64          cells[]  = {128};
  fare_truth_options  options  = {.cells = {1, cells}, .tolerance = 1e-9, .fit_domain = PETSC_TRUE};
  fare_system        *system;

  (void)state;
  assert_ok(fare_system_create(&small, 1, &system));
  assert_ok(fare_system_set(system, "stiffness", -1));
  assert_int_equal(
    fare_truth_fit_domain(PETSC_COMM_SELF, system, &initial, &schedule, &options), FARE_ERR_INPUT);
  if (getenv("FARE_TEST_SHOW")) fare_log("%s", fare_error_message());
  assert_non_null(strstr(fare_error_message(), "truth.fit_domain: mass keeps leaving: at time "));
  assert_non_null(strstr(fare_error_message(), "at the end of ["));
  assert_int_equal(
    fare_truth_fit_domain(PETSC_COMM_SELF, system, &uniform, &schedule, &options), FARE_ERR_INPUT);
  assert_non_null(strstr(fare_error_message(), "a uniform initial density fills any box"));
  assert_ok(fare_system_destroy(&system));
}

static void axes_that_have_an_end_of_their_own_keep_it(void **state)
{
  const fare_initial  boltzmann = {.density = FARE_INITIAL_BOLTZMANN};
  const fare_schedule schedule  = {0, 0.5, 2};
  PetscInt64          cells[] = {64, 64}, ends[] = {FARE_BOUNDARY_ABSORBING, FARE_BOUNDARY_PERIODIC};
  fare_system        *system;

  (void)state;
  assert_ok(fare_system_create(&tube, 2, &system));
  for (int absorbs = 0; absorbs < 2; absorbs++) {
    fare_truth_options options = {.cells = {2, cells},
      .tolerance                         = 1e-9,
      .fit_domain                        = PETSC_TRUE,
      .boundaries                        = {absorbs ? 2 : 0, absorbs ? ends : NULL}};

    assert_ok(fare_truth_fit_domain(PETSC_COMM_WORLD, system, &boltzmann, &schedule, &options));
    assert_true(options.lower.values[1] == -1 && options.upper.values[1] == 1);
    if (absorbs)
      assert_true(options.lower.values[0] == -20 && options.upper.values[0] == 20);
    else
      assert_between(options.upper.values[0], 6.5, 10.5);
    free_box(&options);
  }
  assert_ok(fare_system_destroy(&system));
}

static void plans_say_one_or_the_other(void **state)
{
  static const char *const yaml    = "{cells: [64], lower: [-1], upper: [1], fit_domain: true}";
  fare_truth_options       options = {0};
  fare_system             *system;
  fare_config             *config;

  (void)state;
  assert_ok(fare_system_create(&small, 1, &system));
  assert_ok(fare_config_parse("plan.yaml", yaml, strlen(yaml), &config));
  assert_int_equal(
    fare_truth_options_from_config(fare_config_root(config), system, &options), FARE_ERR_INPUT);
  assert_non_null(strstr(fare_error_message(), "give either lower and upper or fit_domain"));
  fare_truth_options_free(&options);
  fare_config_destroy(&config);
  assert_ok(fare_system_destroy(&system));
}

/*
  N(0,1) on 64 cells of [-1/2, 6], or of its mirror image, where the near end is closed and the far one
  absorbs: the mass of the cell at the near end, over that of the box.
*/
static void a_closed_end_beside_an_absorbing_one_is_watched(void **state)
{
  const double width    = 6.5 / 64,
               expected = (erf((-0.5 + width) * M_SQRT1_2) - erf(-0.5 * M_SQRT1_2)) /
    (erf(6 * M_SQRT1_2) - erf(-0.5 * M_SQRT1_2));
  fare_system *system;

  (void)state;
  assert_ok(fare_system_create(&small, 1, &system));
  for (int mirrored = 0; mirrored < 2; mirrored++) {
    double     mean[] = {0}, sd[] = {1}, lower[] = {mirrored ? -6 : -0.5}, upper[] = {mirrored ? 0.5 : 6};
    PetscInt64 cells[]         = {64},
               ends[]          = {mirrored ? FARE_BOUNDARY_ABSORBING_BELOW : FARE_BOUNDARY_ABSORBING_ABOVE};
    const fare_initial initial = {.density = FARE_INITIAL_GAUSSIAN, .mean = {1, mean}, .sd = {1, sd}};
    fare_truth_options options = {.cells = {1, cells},
      .lower                             = {1, lower},
      .upper                             = {1, upper},
      .boundaries                        = {1, ends},
      .tolerance                         = 1e-6};
    fare_truth        *truth;

    assert_ok(fare_truth_create(PETSC_COMM_SELF, system, &initial, 0, &options, &truth));
    if (getenv("FARE_TEST_SHOW"))
      fare_log(
        "mass at the closed end %g, expected %g", fare_truth_get_status(truth)->boundary_mass, expected);
    assert_near(fare_truth_get_status(truth)->boundary_mass, expected, 1e-9);
    assert_ok(fare_truth_destroy(&truth));
  }
  assert_ok(fare_system_destroy(&system));
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(a_narrow_density_gets_a_tight_box),
  cmocka_unit_test(a_dragged_density_gets_a_wide_box),
  cmocka_unit_test(mass_that_runs_away_is_refused),
  cmocka_unit_test(axes_that_have_an_end_of_their_own_keep_it),
  cmocka_unit_test(plans_say_one_or_the_other),
  cmocka_unit_test(a_closed_end_beside_an_absorbing_one_is_watched),
};
FARE_TEST_MAIN(tests)
