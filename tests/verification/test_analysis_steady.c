/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification ranks=1,2,4 timeout=300 */
/* Steady states, periodic ones and relaxation rates against closed forms, quadrature and each other. */
#include "analyses.h"

static void stationary_is_boltzmann_where_there_is_a_potential(void **state)
{
  const struct {
    const char *name;
    int         dim;
    PetscInt    cells;
    double      tolerance;
  } cases[] = {{"prinz", 1, 512, 1e-12}, {"double_well", 2, 48, 2e-3}, {"double_well", 3, 38, 3e-2}};

  (void)state;
  for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
    fare_system *system = make_system(fare_system_type_find(cases[c].name), cases[c].dim);
    fare_grid   *grid;
    Vec          found, boltzmann;
    fare_solved  solved;

    assert_ok(fare_system_set(system, "kT", 0.7));
    assert_ok(fare_system_set(system, "tilt", 0.4));
    grid = make_grid(system, cases[c].cells);
    assert_ok(fare_stationary_solve(grid, system, 0, &found, &solved));
    assert_ok(fare_grid_boltzmann(grid, system, 0, &boltzmann));
    assert_between(solved.residual, 0, 1e-11);
    assert_between(l1_distance(found, boltzmann), 0, cases[c].tolerance);
    assert_ok(VecDestroy(&found));
    assert_ok(VecDestroy(&boltzmann));
    assert_ok(fare_grid_destroy(&grid));
    assert_ok(fare_system_destroy(&system));
  }
}

/* Mass of the Gaussian of variance s between a and b. */
static double gaussian_mass(double s, double a, double b)
{
  return 0.5 * (erf(b / sqrt(2 * s)) - erf(a / sqrt(2 * s)));
}

/*
  Rotational Ornstein-Uhlenbeck: a Gaussian of variance D/k whatever the swirl, with currents omega (-y, x) p.
*/
static double distance_to_gaussian(const fare_grid *grid, Vec P, double variance)
{
  const PetscScalar *p;
  double             sum = 0;

  assert_ok(VecGetArrayRead(P, &p));
  for (PetscInt n = 0; n < grid->count[0] * grid->count[1] * grid->count[2]; n++) {
    PetscInt rest = n;
    double   mass = 1;

    for (int axis = 0; axis < grid->dim; axis++) {
      const double x    = fare_grid_centre(grid, axis, grid->start[axis] + rest % grid->count[axis]),
                   half = 0.5 * grid->spacing[axis];

      mass *= gaussian_mass(variance, x - half, x + half);
      rest /= grid->count[axis];
    }
    sum += fabs(p[n] - mass);
  }
  assert_ok(VecRestoreArrayRead(P, &p));
  MPI_Allreduce(MPI_IN_PLACE, &sum, 1, MPI_DOUBLE, MPI_SUM, PETSC_COMM_WORLD);
  return sum;
}

static void stationary_needs_no_potential(void **state)
{
  double error[2];

  (void)state;
  for (int k = 0; k < 2; k++) {
    fare_system       *system = make_system(&swirl, 2);
    fare_grid         *grid   = make_grid(system, 50 << k);
    fare_solved        solved;
    double             sum[2] = {0, 0};
    Vec                P, J;
    fare_operator     *op;
    const PetscScalar *j;

    assert_ok(fare_stationary_solve(grid, system, 0, &P, &solved));
    assert_between(solved.residual, 0, 1e-12);
    error[k] = distance_to_gaussian(grid, P, 0.5);
    /* the mean of -y J_x + x J_y is omega <x^2 + y^2> = 2 omega D/k */
    assert_ok(VecDuplicate(P, &J));
    assert_ok(fare_operator_create(grid, system, &op));
    for (int axis = 0; axis < 2; axis++) {
      assert_ok(fare_operator_current(op, 0, P, axis, J));
      assert_ok(VecGetArrayRead(J, &j));
      for (PetscInt n = 0; n < grid->count[0] * grid->count[1]; n++) {
        const double x = fare_grid_centre(grid, 0, grid->start[0] + n % grid->count[0]),
                     y = fare_grid_centre(grid, 1, grid->start[1] + n / grid->count[0]);

        sum[0] += j[n] * grid->spacing[axis] * (axis ? x : -y);
        sum[1] += j[n] * grid->spacing[axis];
      }
      assert_ok(VecRestoreArrayRead(J, &j));
    }
    MPI_Allreduce(MPI_IN_PLACE, sum, 2, MPI_DOUBLE, MPI_SUM, PETSC_COMM_WORLD);
    assert_near(sum[0], 2 * 2 * 0.5, 0.2 / (1 << 2 * k));
    assert_near(sum[1], 0, 1e-10);
    assert_ok(fare_operator_destroy(&op));
    assert_ok(VecDestroy(&J));
    assert_ok(VecDestroy(&P));
    assert_ok(fare_grid_destroy(&grid));
    assert_ok(fare_system_destroy(&system));
  }
  assert_between(error[1], 1e-5, 1e-2);
  assert_between(log2(error[0] / error[1]), 1.8, 2.2);
}

/*
  Stratonovich's velocity in a tilted cosine, recomputed by quadrature (periodic integrands: spectral), and as
  published.
*/
static double washboard_velocity(double V0, double F, double T)
{
  enum { N = 400 };
  const double L     = 2 * M_PI;
  double       outer = 0;

  for (int i = 0; i < N; i++) {
    const double x     = L * i / N;
    double       inner = 0;

    /* the inner integrand is not periodic in y: composite Gauss */
    for (int j = 0; j < N; j++) {
      static const double place[]  = {0.1127016653792583, 0.5, 0.8872983346207417},
                          weight[] = {5. / 18, 8. / 18, 5. / 18};

      for (int q = 0; q < 3; q++) {
        const double y = L * (j + place[q]) / N;

        inner += weight[q] * exp((-V0 * cos(x) + V0 * cos(x - y) - F * y) / T);
      }
    }
    outer += inner * L / N;
  }
  return L * (1 - exp(-F * L / T)) / (outer / T * L / N);
}

static void washboard_has_the_known_velocity(void **state)
{
  const struct {
    double V0, F, T, published;
  } cases[] = {{1, 0.5, 0.5, 0.1755934}, {2, 1, 0.5, 0.0955539}, {1, 1.2, 0.1, 0.69745736}};

  (void)state;
  for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
    const double exact  = washboard_velocity(cases[c].V0, cases[c].F, cases[c].T);
    fare_system *system = make_system(&washboard, 1);
    section      s;

    assert_near(exact, cases[c].published, 1e-7);
    assert_ok(fare_system_set(system, "height", cases[c].V0));
    assert_ok(fare_system_set(system, "push", cases[c].F));
    assert_ok(fare_system_set(system, "kT", cases[c].T));
    run_section(system, 1024, "analysis: [{name: steady, kind: stationary}]", &s);
    check_value(&s, 0, "velocity", 0, exact, 1.1, 1e-4);
    free_section(&s);
  }
}

static void rates_are_the_known_ones(void **state)
{
  const struct {
    const char *name;
    double      kT;
    int         count;
    double      rate[6];
  } known[] = {
    {"double_well", 1, 2, {0, 0.7486816723}},
    {"double_well", 0.5, 2, {0, 0.2272733010}},
    {"double_well", 0.25, 2, {0, 0.0297795933}},
    {"prinz", 1, 6, {0, 1.1989938518, 7.8885020877, 15.361392816, 82.081666, 94.932693}},
    {"prinz", 2, 3, {0, 4.234709125, 21.41845927}},
    {"ornstein_uhlenbeck", 1, 4, {0, 1, 2, 3}},
  };

  (void)state;
  for (size_t k = 0; k < sizeof known / sizeof known[0]; k++) {
    fare_system *system = make_system(fare_system_type_find(known[k].name), 1);
    section      s;

    assert_ok(fare_system_set(system, "kT", known[k].kT));
    run_section(system, 1024, "analysis: [{name: rates, kind: relaxation, count: 6}]", &s);
    check_value(&s, 0, "rate", 0, 0, 1, 1e-12);
    for (int i = 1; i < known[k].count; i++)
      check_value(&s, 0, "rate", (size_t)i, known[k].rate[i], 1.05, 2e-4);
    free_section(&s);
  }
}

/*
  Eigenvalues n k -+ i omega m, m = n, n - 2, ..., of a rotational Ornstein-Uhlenbeck process: complex pairs.
*/
static void rates_come_in_complex_pairs(void **state)
{
  static const double rate[] = {0, 1, 1, 2, 2, 2}, frequency[] = {0, 0.5, -0.5, 0, 1, -1};
  fare_system        *system = make_system(&swirl, 2);
  section             s;

  (void)state;
  assert_ok(fare_system_set(system, "swirl", 0.5));
  run_section(system, 64, "analysis: [{name: rates, kind: relaxation, count: 6, modes: true}]", &s);
  for (size_t i = 1; i < 6; i++) {
    double found_rate, found_frequency, error;
    int    matched = 0;

    assert_ok(fare_analysis_value(s.result[0], "rate", i, &found_rate, &error));
    assert_ok(fare_analysis_value(s.result[0], "frequency", i, &found_frequency, NULL));
    for (size_t k = 1; k < 6; k++)
      matched += hypot(found_rate - rate[k], found_frequency - frequency[k]) < 0.03;
    assert_int_equal(matched, 1);
    assert_between(error, 1e-3, 0.03);
  }
  free_section(&s);
}

/* A real mode decays as its rate says: exp(-rate t) by evolution in time. */
static void check_modes(const fare_system *system, const fare_grid *grid, PetscInt count, PetscBool symmetric)
{
  fare_operator *op;
  fare_spectrum  spectrum;
  Vec            flow;

  assert_ok(fare_spectrum_solve(grid, system, 0, count, &spectrum));
  assert_ok(fare_operator_create(grid, system, &op));
  assert_ok(VecDuplicate(spectrum.mode[0], &flow));
  assert_int_equal(spectrum.symmetric, symmetric);
  for (PetscInt k = 0; k < spectrum.count; k++) {
    PetscReal norm;

    if (spectrum.frequency[k] != 0) continue;
    assert_ok(fare_operator_apply(op, 0, spectrum.mode[k], flow));
    assert_ok(VecAXPY(flow, spectrum.rate[k], spectrum.mode[k]));
    assert_ok(VecNorm(flow, NORM_1, &norm));
    assert_between(norm, 0, 1e-6);
  }
  assert_ok(VecDestroy(&flow));
  assert_ok(fare_operator_destroy(&op));
  assert_ok(fare_spectrum_free(&spectrum));
}

static void modes_decay_at_their_rates(void **state)
{
  fare_system *system = make_system(fare_system_type_find("prinz"), 1);
  fare_grid   *grid   = make_grid(system, 256);

  (void)state;
  assert_ok(fare_system_set(system, "tilt", 0.8));
  check_modes(system, grid, 5, PETSC_TRUE);
  assert_ok(fare_grid_destroy(&grid));
  assert_ok(fare_system_destroy(&system));
}

/*
  A potential and another force beside it, on a ring, between walls and in the plane, without elimination:
  what is at rest is not Boltzmann's density.
*/
static void modes_of_other_forces_need_no_elimination(void **state)
{
  fare_system   *system  = make_system(&washboard, 1);
  fare_grid     *ring    = make_grid(system, 128), *walled, *plane;
  fare_system   *turning = make_system(fare_system_type_find("rotational_ou"), 2);
  const PetscInt cells   = 128;

  (void)state;
  assert_ok(fare_grid_create(PETSC_COMM_WORLD, 1, &cells, washboard.lower, washboard.upper, NULL, &walled));
  assert_ok(PetscOptionsSetValue(NULL, "-analysis_pc_type", "redundant"));
  check_modes(system, ring, 3, PETSC_FALSE);
  check_modes(system, walled, 3, PETSC_TRUE);
  assert_ok(fare_system_set(turning, "tilt", 1));
  plane = make_grid(turning, 32);
  check_modes(turning, plane, 3, PETSC_FALSE);
  assert_ok(PetscOptionsClearValue(NULL, "-analysis_pc_type"));
  assert_ok(fare_grid_destroy(&plane));
  assert_ok(fare_system_destroy(&turning));
  assert_ok(fare_grid_destroy(&walled));
  assert_ok(fare_grid_destroy(&ring));
  assert_ok(fare_system_destroy(&system));
}

static void flashing_ratchet_has_the_known_velocity(void **state)
{
  const struct {
    double height, velocity;
  } cases[] = {{5, 0.75524}, {10, 0.847088}};

  (void)state;
  for (size_t c = 0; c < 2; c++) {
    fare_system *system = make_system(&ratchet, 1);
    char         yaml[200];
    double       velocity, error, periods, residual;
    section      s;

    assert_ok(fare_system_set(system, "height", 0.5 * cases[c].height));
    snprintf(yaml, sizeof yaml, "{parameter: height, waveform: square, amplitude: %g, period: 0.1}",
      0.5 * cases[c].height);
    drive(system, yaml);
    /* every rank by itself, as studies of one axis are run */
    run_section_on(PETSC_COMM_SELF, system, 256,
      "analysis: [{name: cycle, kind: periodic, period: 0.1, panels: 64, tolerance: 1e-8}]", &s);
    assert_ok(fare_analysis_value(s.result[0], "velocity", 0, &velocity, &error));
    assert_ok(fare_analysis_value(s.result[0], "periods", 0, &periods, NULL));
    assert_ok(fare_analysis_value(s.result[0], "residual", 0, &residual, NULL));
    if (getenv("FARE_TEST_SHOW"))
      fare_log("ratchet %g: velocity %.9g, expected %.7g, estimated error %.1e, %g periods, residual %.1e",
        cases[c].height, velocity, cases[c].velocity, error, periods, residual);
    assert_near(velocity, cases[c].velocity, 1.2 * error + 1e-5);
    assert_between(error, 0, 5e-4);
    assert_between(residual, 0, 1e-6);
    assert_between(periods, 2, 40);
    free_section(&s);
  }
}

/*
  What GMRES finds is what evolution comes to by waiting; where relaxation takes 30 periods it is found in a
  few.
*/
static void periodic_states_are_where_evolution_goes(void **state)
{
  fare_system       *system    = make_system(fare_system_type_find("prinz"), 1);
  fare_initial       boltzmann = {.density = FARE_INITIAL_BOLTZMANN};
  PetscInt64         cells[]   = {256};
  fare_truth_options options   = {.cells = {1, cells}, .tolerance = 1e-9};
  fare_grid         *grid;
  fare_truth        *truth;
  fare_solved        solved;
  Vec                P;

  (void)state;
  assert_ok(fare_system_drive_sine(system, "tilt", 4, 0.25, 0));
  grid = make_grid(system, 256);
  assert_ok(fare_periodic_solve(grid, system, 0, 0.25, 1e-9, &P, &solved));
  assert_between(solved.residual, 0, 1e-7);
  assert_between(solved.iterations, 2, 25);
  assert_ok(fare_truth_create(PETSC_COMM_WORLD, system, &boltzmann, 0, &options, &truth));
  for (int k = 1; k <= 60; k++) assert_ok(fare_truth_advance(truth, 0.25 * k)); /* exp(-1.2 x 15) = 2e-8 */
  assert_between(l1_distance(P, fare_truth_masses(truth)), 0, 3e-7);
  if (getenv("FARE_TEST_SHOW"))
    fare_log("periodic: %d periods, residual %.1e, off evolution by %.1e", (int)solved.iterations,
      solved.residual, l1_distance(P, fare_truth_masses(truth)));
  assert_ok(fare_truth_destroy(&truth));
  assert_ok(VecDestroy(&P));
  assert_ok(fare_grid_destroy(&grid));
  assert_ok(fare_system_destroy(&system));
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(stationary_is_boltzmann_where_there_is_a_potential),
  cmocka_unit_test(stationary_needs_no_potential),
  cmocka_unit_test(washboard_has_the_known_velocity),
  cmocka_unit_test(rates_are_the_known_ones),
  cmocka_unit_test(rates_come_in_complex_pairs),
  cmocka_unit_test(modes_decay_at_their_rates),
  cmocka_unit_test(modes_of_other_forces_need_no_elimination),
  cmocka_unit_test(flashing_ratchet_has_the_known_velocity),
  cmocka_unit_test(periodic_states_are_where_evolution_goes),
};
FARE_TEST_MAIN(tests)
