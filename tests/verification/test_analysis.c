/* fare-test: labels=verification ranks=1,2,4 timeout=300 */
/* Steady states, periodic ones, rates, passage times and committors against closed forms, quadrature and each other. */
#include "fare_test.h"

#include <stdlib.h>

/* A cosine along a ring, pushed: V = -height cos x, F = push. */
enum { HEIGHT = FARE_OWN, PUSH };
static const fare_parameter washboard_parameters[] = {FARE_COMMON_PARAMETERS, {"height", 1, 0, 100, ""}, {"push", 0.5, -100, 100, ""}, FARE_PARAMETERS_END};

static void washboard_potential(int dim, const double *theta, size_t n, const double *const x[], double V[])
{
  (void)dim;
  for (size_t i = 0; i < n; i++) V[i] = -theta[HEIGHT] * cos(x[0][i]);
}

static void washboard_extra(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  (void)dim, (void)x;
  for (size_t i = 0; i < n; i++) f[0][i] = theta[PUSH];
}

static void washboard_force(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  (void)dim;
  for (size_t i = 0; i < n; i++) f[0][i] = theta[PUSH] - theta[HEIGHT] * sin(x[0][i]);
}

static const fare_system_type washboard = {
  .name = "washboard", .dimension_least = 1, .dimension_most = 1, .parameters = washboard_parameters, .lower = {-M_PI}, .upper = {M_PI},
  .periodic = {PETSC_TRUE}, .potential = washboard_potential, .force = washboard_force, .extra = washboard_extra,
};

/* V = height (sin 2 pi x + sin(4 pi x)/4) on a ring of length 1. */
static void ratchet_potential(int dim, const double *theta, size_t n, const double *const x[], double V[])
{
  (void)dim;
  for (size_t i = 0; i < n; i++) V[i] = theta[HEIGHT] * (sin(2 * M_PI * x[0][i]) + 0.25 * sin(4 * M_PI * x[0][i]));
}

static void ratchet_force(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  (void)dim;
  for (size_t i = 0; i < n; i++) f[0][i] = -M_PI * theta[HEIGHT] * (2 * cos(2 * M_PI * x[0][i]) + cos(4 * M_PI * x[0][i]));
}

static const fare_system_type ratchet = {
  .name = "ratchet", .dimension_least = 1, .dimension_most = 1, .parameters = washboard_parameters, .lower = {0}, .upper = {1},
  .periodic = {PETSC_TRUE}, .potential = ratchet_potential, .force = ratchet_force,
};

/* f = -stiffness x + swirl (-y, x): no potential is given, so that none can be used. */
enum { STIFFNESS, SWIRL, NOISE };
static const fare_parameter swirl_parameters[] = {{"stiffness", 1, 0, 100, ""}, {"swirl", 2, -100, 100, ""}, {"noise", 0.5, 1e-6, 100, ""}, FARE_PARAMETERS_END};

static void swirl_drift(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  for (size_t i = 0; i < n; i++) {
    for (int axis = 0; axis < dim; axis++) f[axis][i] = -theta[STIFFNESS] * x[axis][i];
    f[0][i] -= theta[SWIRL] * x[1][i];
    f[1][i] += theta[SWIRL] * x[0][i];
  }
}

static void swirl_diffusion(int dim, const double *theta, size_t n, const double *const x[], double *const D[])
{
  (void)x;
  for (int axis = 0; axis < dim; axis++) {
    for (size_t i = 0; i < n; i++) D[axis][i] = theta[NOISE];
  }
}

static const fare_system_type swirl = {
  .name = "swirl", .dimension_least = 2, .dimension_most = 3, .parameters = swirl_parameters, .lower = {-4.5, -4.5, -4.5}, .upper = {4.5, 4.5, 4.5},
  .drift = swirl_drift, .diffusion = swirl_diffusion,
};

static fare_system *make_system(const fare_system_type *type, int dim)
{
  fare_system *system;

  assert_ok(fare_system_create(type, dim, &system));
  return system;
}

static fare_grid *make_grid_on(MPI_Comm comm, const fare_system *system, PetscInt cells)
{
  const fare_system_type *type = fare_system_type_of(system);
  const PetscInt          n[]  = {cells, cells, cells};
  fare_end                end[FARE_DIM_MAX];
  fare_grid              *grid;

  for (int axis = 0; axis < FARE_DIM_MAX; axis++) end[axis] = type->periodic[axis] ? FARE_END_PERIODIC : FARE_END_REFLECTING;
  assert_ok(fare_grid_create(comm, fare_system_dimension(system), n, type->lower, type->upper, end, &grid));
  return grid;
}

static fare_grid *make_grid(const fare_system *system, PetscInt cells)
{
  return make_grid_on(PETSC_COMM_WORLD, system, cells);
}

static double l1_distance(Vec a, Vec b)
{
  PetscReal norm;
  Vec       difference;

  assert_ok(VecDuplicate(a, &difference));
  assert_ok(VecWAXPY(difference, -1, a, b));
  assert_ok(VecNorm(difference, NORM_1, &norm));
  assert_ok(VecDestroy(&difference));
  return norm;
}

/* One section `analysis:` of YAML, run on so many cells. */
typedef struct {
  fare_config    *config;
  fare_system    *system;
  fare_grid      *grid;
  size_t          count;
  fare_analysis **analysis;
} section;

static PetscErrorCode read_section(fare_system *system, PetscInt64 cells, const char *yaml, section *s)
{
  PetscInt64         n[]   = {cells, cells, cells};
  fare_truth_options truth = {.cells = {(size_t)fare_system_dimension(system), n}};

  memset(s, 0, sizeof *s);
  s->system = system;
  assert_ok(fare_config_parse("plan.yaml", yaml, strlen(yaml), &s->config));
  return fare_analyses_from_config(fare_node_find(fare_config_root(s->config), "analysis"), system, &truth, &s->count, &s->analysis);
}

static void run_section_on(MPI_Comm comm, fare_system *system, PetscInt64 cells, const char *yaml, section *s)
{
  assert_ok(read_section(system, cells, yaml, s));
  s->grid = make_grid_on(comm, system, (PetscInt)cells);
  assert_ok(fare_analyses_run(s->count, s->analysis, s->grid));
}

static void run_section(fare_system *system, PetscInt64 cells, const char *yaml, section *s)
{
  run_section_on(PETSC_COMM_WORLD, system, cells, yaml, s);
}

static void free_section(section *s)
{
  assert_ok(fare_analyses_destroy(&s->count, &s->analysis));
  assert_ok(fare_grid_destroy(&s->grid));
  assert_ok(fare_config_destroy(&s->config));
  assert_ok(fare_system_destroy(&s->system));
}

/* A found value lies within `factor` of its estimated errors of what is expected, and that error is below `relative`. */
static void check_value(const section *s, size_t analysis, const char *name, size_t i, double expected, double factor, double relative)
{
  double value, error;

  assert_ok(fare_analysis_value(s->analysis[analysis], name, i, &value, &error));
  if (getenv("FARE_TEST_SHOW")) fare_log("%s %zu: %.12g, expected %.12g, off %.2e, estimated %.2e", name, i, value, expected, value - expected, error);
  assert_between(error, 0, relative * PetscMax(1, fabs(expected)));
  assert_near(value, expected, factor * error + 2e-9 * PetscMax(1, fabs(expected)));
}

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

/* Rotational Ornstein-Uhlenbeck: a Gaussian of variance D/k whatever the swirl, with currents omega (-y, x) p. */
static double distance_to_gaussian(const fare_grid *grid, Vec P, double variance)
{
  const PetscScalar *p;
  double             sum = 0;

  assert_ok(VecGetArrayRead(P, &p));
  for (PetscInt n = 0; n < grid->count[0] * grid->count[1] * grid->count[2]; n++) {
    PetscInt rest = n;
    double   mass = 1;

    for (int axis = 0; axis < grid->dim; axis++) {
      const double x = fare_grid_centre(grid, axis, grid->start[axis] + rest % grid->count[axis]), half = 0.5 * grid->spacing[axis];

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
    fare_system *system = make_system(&swirl, 2);
    fare_grid   *grid   = make_grid(system, 50 << k);
    fare_solved  solved;
    double       sum[2] = {0, 0};
    Vec          P, J;
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
        const double x = fare_grid_centre(grid, 0, grid->start[0] + n % grid->count[0]), y = fare_grid_centre(grid, 1, grid->start[1] + n / grid->count[0]);

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

/* Stratonovich's velocity in a tilted cosine, recomputed by quadrature (periodic integrands: spectral), and as published. */
static double washboard_velocity(double V0, double F, double T)
{
  enum { N = 400 };
  const double L = 2 * M_PI;
  double       outer = 0;

  for (int i = 0; i < N; i++) {
    const double x = L * i / N;
    double       inner = 0;

    /* the inner integrand is not periodic in y: composite Gauss */
    for (int j = 0; j < N; j++) {
      static const double place[] = {0.1127016653792583, 0.5, 0.8872983346207417}, weight[] = {5. / 18, 8. / 18, 5. / 18};

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
    const double exact = washboard_velocity(cases[c].V0, cases[c].F, cases[c].T);
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
    for (int i = 1; i < known[k].count; i++) check_value(&s, 0, "rate", (size_t)i, known[k].rate[i], 1.05, 2e-4);
    free_section(&s);
  }
}

/* Eigenvalues n k -+ i omega m, m = n, n - 2, ..., of a rotational Ornstein-Uhlenbeck process: complex pairs. */
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

    assert_ok(fare_analysis_value(s.analysis[0], "rate", i, &found_rate, &error));
    assert_ok(fare_analysis_value(s.analysis[0], "frequency", i, &found_frequency, NULL));
    for (size_t k = 1; k < 6; k++) matched += hypot(found_rate - rate[k], found_frequency - frequency[k]) < 0.03;
    assert_int_equal(matched, 1);
    assert_between(error, 1e-3, 0.03);
  }
  free_section(&s);
}

/* A mode decays as its rate says: exp(-rate t) by evolution in time. */
static void modes_decay_at_their_rates(void **state)
{
  fare_system  *system = make_system(fare_system_type_find("prinz"), 1);
  fare_grid    *grid   = make_grid(system, 256);
  fare_operator *op;
  fare_spectrum spectrum;
  Vec           flow;

  (void)state;
  assert_ok(fare_system_set(system, "tilt", 0.8));
  assert_ok(fare_spectrum_solve(grid, system, 0, 5, &spectrum));
  assert_ok(fare_operator_create(grid, system, &op));
  assert_ok(VecDuplicate(spectrum.mode[0], &flow));
  assert_true(spectrum.symmetric);
  for (PetscInt k = 0; k < 5; k++) {
    PetscReal norm;

    assert_ok(fare_operator_apply(op, 0, spectrum.mode[k], flow));
    assert_ok(VecAXPY(flow, spectrum.rate[k], spectrum.mode[k]));
    assert_ok(VecNorm(flow, NORM_1, &norm));
    assert_between(norm, 0, 1e-6);
  }
  assert_ok(VecDestroy(&flow));
  assert_ok(fare_operator_destroy(&op));
  assert_ok(fare_spectrum_free(&spectrum));
  assert_ok(fare_grid_destroy(&grid));
  assert_ok(fare_system_destroy(&system));
}

typedef double (*potential)(double x);
static double harmonic(double x)
{
  return 0.5 * x * x;
}
static double two_wells(double x)
{
  return (x * x - 1) * (x * x - 1);
}

/* int_a^b e^{sign U/T} f, f the integral of e^{-sign U/T} from `from` (or 1 where inner is 0), by composite Gauss on a fine mesh. */
static double integral(potential U, double T, double sign, double a, double b, int inner, double from)
{
  enum { N = 4000 };
  static const double place[] = {0.1127016653792583, 0.5, 0.8872983346207417}, weight[] = {5. / 18, 8. / 18, 5. / 18};
  double              sum = 0, within = inner ? integral(U, T, -sign, from, a, 0, 0) : 1;

  for (int i = 0; i < N; i++) {
    const double left = a + (b - a) * i / N, h = (b - a) / N;

    for (int q = 0; q < 3; q++) {
      const double x    = left + place[q] * h;
      double       part = 0;

      for (int p = 0; p < 3 && inner; p++) part += weight[p] * place[q] * h * exp(-sign * U(left + place[p] * place[q] * h) / T);
      sum += weight[q] * h * exp(sign * U(x) / T) * (within + part);
    }
    for (int p = 0; p < 3 && inner; p++) within += weight[p] * h * exp(-sign * U(left + place[p] * h) / T);
  }
  return sum;
}

/* tau(x) = (1/D) int_x^b dy e^{U(y)/T} int_{-inf}^y dz e^{-U(z)/T}, to a boundary that lies anywhere in a cell. */
static void passage_times_are_double_integrals(void **state)
{
  const struct {
    const char *name;
    potential   U;
    double      kT, x, b, lower;
    const char *yaml;
  } cases[] = {
    {"ornstein_uhlenbeck", harmonic, 1, -0.5, 1.5, -6, "analysis: [{name: up, kind: passage, target: {lower: [1.5]}, points: [-0.5, 2.0]}]"},
    {"double_well", two_wells, 0.25, -1, 0, -3.5, "analysis: [{name: top, kind: passage, target: {lower: [0]}, points: [[-1]]}]"},
    {"double_well", two_wells, 0.25, -1, 0.7321, -3.5, "analysis: [{name: over, kind: passage, target: {lower: [0.7321], upper: [3]}, points: [-1.0]}]"},
  };

  (void)state;
  for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
    fare_system *system = make_system(fare_system_type_find(cases[c].name), 1);
    const double exact  = integral(cases[c].U, cases[c].kT, 1, cases[c].x, cases[c].b, 1, cases[c].lower) / cases[c].kT;
    double       value;
    section      s;

    assert_ok(fare_system_set(system, "kT", cases[c].kT));
    run_section(system, 1024, cases[c].yaml, &s);
    /* where cells cut the boundary differently on the two grids the estimate is one of size alone */
    check_value(&s, 0, "time", 0, exact, 4, 2e-4);
    if (c == 0) {
      assert_ok(fare_analysis_value(s.analysis[0], "time", 1, &value, NULL));
      assert_true(value == 0);
    }
    free_section(&s);
  }
}

/* The error stays of second order, in the cells, wherever the boundary lies in its cell. */
static void boundaries_are_exact_to_second_order(void **state)
{
  const double exact = integral(harmonic, 1, 1, 0, 1.2, 1, -6);
  double       worst[2] = {0, 0};

  (void)state;
  for (int k = 0; k < 2; k++) {
    for (int i = 0; i < 8; i++) {
      double       b = 1.2, point[1] = {0}, tau, shift = 0.01 * i; /* an eighth of the wider cells */
      fare_region  target = {1, 1, (double[]){b}, (double[]){100}, PETSC_FALSE};
      fare_system *system = make_system(fare_system_type_find("ornstein_uhlenbeck"), 1);
      PetscInt     cells  = 150 << k;
      fare_solved  solved;
      fare_grid   *grid;
      Vec          times;

      assert_ok(fare_grid_create(PETSC_COMM_WORLD, 1, &cells, (double[]){-6 + shift}, (double[]){6 + shift}, NULL, &grid));
      assert_ok(fare_passage_solve(grid, system, 0, &target, &times, &solved));
      assert_ok(fare_grid_interpolate(grid, times, 1, point, &tau));
      worst[k] = PetscMax(worst[k], fabs(tau - exact));
      assert_ok(VecDestroy(&times));
      assert_ok(fare_grid_destroy(&grid));
      assert_ok(fare_system_destroy(&system));
    }
  }
  if (getenv("FARE_TEST_SHOW")) fare_log("passage at 150 and 300 cells: off %.2e, %.2e", worst[0], worst[1]);
  assert_between(worst[0], 1e-6, 1e-3);
  assert_between(log2(worst[0] / worst[1]), 1.8, 2.2);
}

/* q(x) = int_a^x e^{U/T} / int_a^b e^{U/T}, flux D/(Z int_a^b e^{U/T}), and detailed balance: k_ab/k_ba from q. */
static void committors_are_integrals(void **state)
{
  const double T = 0.4, a = -0.9, b = 0.83, top = 0.1;
  const double barrier = integral(two_wells, T, 1, a, b, 0, 0), Z = integral(two_wells, T, -1, -3.5, 3.5, 0, 0);
  const double flux = T / (Z * barrier);
  fare_system *system = make_system(fare_system_type_find("double_well"), 1);
  double       rate_ab, rate_ba, imbalance, from_a, here = 0;
  section      s;

  (void)state;
  /* <1 - q> over exp(-U/T) */
  for (int i = 0; i < 2000; i++) {
    const double x = a + (b - a) * (i + 0.5) / 2000;

    here += (b - a) / 2000 * exp(-two_wells(x) / T) * integral(two_wells, T, 1, x, b, 0, 0) / barrier;
  }
  from_a = (integral(two_wells, T, -1, -3.5, a, 0, 0) + here) / Z;
  assert_ok(fare_system_set(system, "kT", T));
  run_section(system, 1400, "analysis: [{name: over, kind: committor, a: {upper: [-0.9]}, b: [{lower: [0.83], upper: [1.5]}, {lower: [1.5]}], points: [-0.5, 0.1, 1.0]}]", &s);
  check_value(&s, 0, "committor", 0, integral(two_wells, T, 1, a, -0.5, 0, 0) / barrier, 4, 1e-4);
  check_value(&s, 0, "committor", 1, integral(two_wells, T, 1, a, top, 0, 0) / barrier, 4, 1e-4);
  check_value(&s, 0, "committor", 2, 1, 1, 1e-4);
  check_value(&s, 0, "flux", 0, flux, 4, 1e-4);
  check_value(&s, 0, "rate_ab", 0, flux / from_a, 4, 1e-4);
  check_value(&s, 0, "rate_ba", 0, flux / (1 - from_a), 4, 1e-4);
  assert_ok(fare_analysis_value(s.analysis[0], "rate_ab", 0, &rate_ab, NULL));
  assert_ok(fare_analysis_value(s.analysis[0], "rate_ba", 0, &rate_ba, NULL));
  assert_ok(fare_analysis_value(s.analysis[0], "imbalance", 0, &imbalance, NULL));
  assert_between(imbalance, 0, 1e-10);
  free_section(&s);
}

/* Once around a pushed ring: a -> b and back through the other side. Both fluxes agree, and pi q- is no longer pi (1 - q+). */
static void reactions_without_detailed_balance(void **state)
{
  fare_region   a = {1, 1, (double[]){-0.5}, (double[]){0.5}, PETSC_FALSE}, b = {1, 2, (double[]){2.6, -M_PI}, (double[]){M_PI, -2.6}, PETSC_FALSE};
  fare_system  *system = make_system(&washboard, 1);
  double        mean[2], flux[2];
  fare_grid    *grid;
  fare_reaction there, back;
  fare_solved   solved;
  Vec           pi, reversed;

  (void)state;
  assert_ok(fare_system_set(system, "push", 0.8));
  for (int k = 0; k < 2; k++) {
    grid = make_grid(system, 400 << k);
    assert_ok(fare_stationary_solve(grid, system, 0, &pi, &solved));
    assert_ok(fare_reaction_solve(grid, system, 0, &a, &b, pi, &there, &solved));
    assert_ok(fare_reaction_solve(grid, system, 0, &b, &a, pi, &back, &solved));
    assert_near(there.flux_a, there.flux_b, 1e-9 * there.flux_b);
    /* in a steady state as many go as come back; the time is shared */
    assert_near(there.flux_b, back.flux_b, 2e-3 * there.flux_b / (1 << 2 * k));
    assert_ok(VecDuplicate(pi, &reversed));
    assert_ok(VecWAXPY(reversed, 1, there.reactive, back.reactive));
    assert_between(l1_distance(reversed, pi), 0, 1e-9);
    assert_ok(VecPointwiseMult(reversed, pi, there.committor));
    assert_true(l1_distance(reversed, back.reactive) > 0.05);
    flux[k] = there.flux_b;
    mean[k] = there.rate_ab;
    assert_ok(VecDestroy(&reversed));
    assert_ok(VecDestroy(&pi));
    assert_ok(fare_reaction_free(&there));
    assert_ok(fare_reaction_free(&back));
    assert_ok(fare_grid_destroy(&grid));
  }
  assert_near(flux[0], flux[1], 1e-3 * flux[1]);
  assert_near(mean[0], mean[1], 1e-3 * mean[1]);
  assert_ok(fare_system_destroy(&system));
}

/* A barrier of 12.5 kT: the first rate is the sum of the rates of both wells, by committor and by passage time, and they follow the double integral. */
static void rare_events_agree(void **state)
{
  const double T = 0.08;
  const double tau = integral(two_wells, T, 1, -1, 1, 1, -3.5) / T;
  fare_system *system = make_system(fare_system_type_find("double_well"), 1);
  double       first, ab, ba, mean, escape, residual;
  section      s;

  (void)state;
  assert_ok(fare_system_set(system, "kT", T));
  run_section(system, 1400,
              "analysis:\n"
              "  - {name: rates, kind: relaxation, count: 3}\n"
              "  - {name: over, kind: committor, a: {upper: [-1]}, b: {lower: [1]}}\n"
              "  - {name: passage, kind: passage, target: {lower: [1]}, from: {lower: [-1.2], upper: [-0.8]}, points: [-1]}\n"
              "  - {name: escape, kind: passage, leave: {upper: [0]}}\n",
              &s);
  check_value(&s, 2, "time", 0, tau, 4, 2e-3 * tau);
  assert_ok(fare_analysis_value(s.analysis[0], "rate", 1, &first, NULL));
  assert_ok(fare_analysis_value(s.analysis[1], "rate_ab", 0, &ab, NULL));
  assert_ok(fare_analysis_value(s.analysis[1], "rate_ba", 0, &ba, NULL));
  assert_ok(fare_analysis_value(s.analysis[2], "mean", 0, &mean, NULL));
  assert_ok(fare_analysis_value(s.analysis[3], "rate", 0, &escape, NULL));
  assert_ok(fare_analysis_value(s.analysis[3], "residual", 0, &residual, NULL));
  if (getenv("FARE_TEST_SHOW")) fare_log("first rate %.9g, rates %.9g + %.9g, 2/tau %.9g, escape %.9g, residual %.1e, 1/tau exact %.9g", first, ab, ba, 2 / mean, escape, residual, 1 / tau);
  assert_near(ab, ba, 1e-6 * ab);
  assert_near(first, ab + ba, 2e-4 * first);
  assert_near(first, 2 / mean, 2e-3 * first);
  assert_near(escape, first, 2e-2 * first);
  free_section(&s);
}

/* Mean exit time of free diffusion from a square, at its middle: Poisson's equation by its sine series, boundaries within cells. */
static void exit_from_a_square(void **state)
{
  const double a = 1.37;
  double       series = 0, value, error;
  fare_system *system = make_system(&swirl, 2);
  section      s;

  (void)state;
  /* -laplacian u = 1 on (0, 1)^2, at the middle: sum over odd m, n */
  for (int m = 1; m < 400; m += 2) series += 4 / pow(M_PI * m, 3) * (m % 4 == 1 ? 1 : -1) * (1 - 1 / cosh(0.5 * M_PI * m));
  assert_near(series, 0.0736713532, 1e-8);
  assert_ok(fare_system_set(system, "stiffness", 0));
  assert_ok(fare_system_set(system, "swirl", 0));
  run_section(system, 128, "analysis: [{name: exit, kind: passage, leave: {lower: [-0.67, -0.35], upper: [0.7, 1.02]}, points: [[0.015, 0.335]]}]", &s);
  assert_ok(fare_analysis_value(s.analysis[0], "time", 0, &value, &error));
  if (getenv("FARE_TEST_SHOW")) fare_log("exit from a square %.9g, expected %.9g, estimated error %.1e", value, series * a * a / 0.5, error);
  assert_near(value, series * a * a / 0.5, 5e-3 * value);
  assert_between(error, 1e-6, 5e-3 * value);
  free_section(&s);
}

/* A waveform may be added from YAML only. */
static void drive(fare_system *system, const char *yaml)
{
  fare_config *config;

  assert_ok(fare_config_parse("drive", yaml, strlen(yaml), &config));
  assert_ok(fare_system_drive(system, fare_config_root(config)));
  assert_ok(fare_config_destroy(&config));
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
    snprintf(yaml, sizeof yaml, "{parameter: height, waveform: square, amplitude: %g, period: 0.1}", 0.5 * cases[c].height);
    drive(system, yaml);
    /* every rank by itself, as studies of one axis are run */
    run_section_on(PETSC_COMM_SELF, system, 256, "analysis: [{name: cycle, kind: periodic, period: 0.1, panels: 64, tolerance: 1e-8}]", &s);
    assert_ok(fare_analysis_value(s.analysis[0], "velocity", 0, &velocity, &error));
    assert_ok(fare_analysis_value(s.analysis[0], "periods", 0, &periods, NULL));
    assert_ok(fare_analysis_value(s.analysis[0], "residual", 0, &residual, NULL));
    if (getenv("FARE_TEST_SHOW")) fare_log("ratchet %g: velocity %.9g, expected %.7g, estimated error %.1e, %g periods, residual %.1e", cases[c].height, velocity, cases[c].velocity, error, periods, residual);
    assert_near(velocity, cases[c].velocity, 1.2 * error + 1e-5);
    assert_between(error, 0, 5e-4);
    assert_between(residual, 0, 1e-6);
    assert_between(periods, 2, 40);
    free_section(&s);
  }
}

/* What GMRES finds is what evolution comes to by waiting; where relaxation takes 30 periods it is found in a few. */
static void periodic_states_are_where_evolution_goes(void **state)
{
  fare_system       *system   = make_system(fare_system_type_find("prinz"), 1);
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
  if (getenv("FARE_TEST_SHOW")) fare_log("periodic: %d periods, residual %.1e, off evolution by %.1e", (int)solved.iterations, solved.residual, l1_distance(P, fare_truth_masses(truth)));
  assert_ok(fare_truth_destroy(&truth));
  assert_ok(VecDestroy(&P));
  assert_ok(fare_grid_destroy(&grid));
  assert_ok(fare_system_destroy(&system));
}

static void bad_sections_are_one_clear_line(void **state)
{
  const struct {
    const char *yaml, *message;
  } cases[] = {
    {"analysis: {name: a}", "plan.yaml:1:11: analysis: expected a list"},
    {"analysis: [{name: a, kind: statonary}]", "did you mean 'stationary'?"},
    {"analysis: [{name: a, kind: stationary, mesh: true}]", "unknown key 'mesh' (did you mean 'meshes'?)"},
    {"analysis: [{name: a}]", "missing key 'kind'"},
    {"analysis: [{name: a, kind: stationary}, {name: a, kind: relaxation}]", "there is an analysis 'a' already"},
    {"analysis: [{name: a b, kind: stationary}]", "expected a name of letters"},
    {"analysis: [{name: a, kind: relaxation, count: 500}]", "from 1 to 32"},
    {"analysis: [{name: a, kind: passage}]", "expected one of 'target' and 'leave', got neither"},
    {"analysis: [{name: a, kind: passage, target: {lower: [5]}}]", "lies outside the truth's box, [-2, 2]"},
    {"analysis: [{name: a, kind: passage, target: []}]", "got an empty list"},
    {"analysis: [{name: a, kind: passage, target: {}}]", "got neither"},
    {"analysis: [{name: a, kind: passage, target: {lower: [1], upper: [0]}}]", "upper must lie above lower, got 0 and 1"},
    {"analysis: [{name: a, kind: passage, target: {lower: [0.01], upper: [0.011]}}]", "holds the centre of no cell"},
    {"analysis: [{name: a, kind: passage, target: {lower: [1, 2]}}]", "expected 1 number for a 1-dimensional system, got 2"},
    {"analysis: [{name: a, kind: passage, target: {lower: [1]}, points: [7]}]", "7 lies outside the truth's box"},
    {"analysis: [{name: a, kind: passage, target: {lower: [1]}, points: [[0, 0]]}]", "expected a point, a list of 1 number"},
    {"analysis:\n  - {name: a, kind: committor, a: {upper: [0.5]},\n     b: {lower: [0.4]}}", "plan.yaml:3:9: analysis[0].b: the sets a and b overlap"},
    {"analysis: [{name: a, kind: committor, a: {upper: [0.5]}}]", "missing key 'b'"},
    {"analysis: [{name: a, kind: periodic, period: 1}]", "nothing is driven"},
  };

  (void)state;
  for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
    fare_system *system = make_system(fare_system_type_find("prinz"), 1);
    section      s;

    assert_int_equal(read_section(system, 64, cases[c].yaml, &s), FARE_ERR_INPUT);
    if (!strstr(fare_error_message(), cases[c].message)) fail_msg("expected '%s' in '%s'", cases[c].message, fare_error_message());
    if (strncmp(fare_error_message(), "plan.yaml:", 10)) fail_msg("no place in '%s'", fare_error_message());
    assert_null(strchr(fare_error_message(), '\n'));
    free_section(&s);
  }
}

/* Absorbing ends: nothing is stationary, which one analysis says while the others go on; the slowest rate is that of escape, 1/(mean time) for long. */
static void absorbing_ends_are_respected(void **state)
{
  const char     *yaml  = "analysis: [{name: steady, kind: stationary}, {name: rates, kind: relaxation, count: 2}, {name: over, kind: committor, a: {upper: [-0.2]}, b: {lower: [0.2]}, points: [0.05]}]";
  const fare_end  end[] = {FARE_END_ABSORBING};
  const PetscInt  cells = 400;
  const double    lower[] = {-1}, upper[] = {1};
  fare_system    *system = make_system(fare_system_type_find("ornstein_uhlenbeck"), 1);
  double          value;
  section         s;

  (void)state;
  assert_ok(fare_system_set(system, "stiffness", 1e-6));
  assert_ok(read_section(system, cells, yaml, &s));
  assert_ok(fare_grid_create(PETSC_COMM_WORLD, 1, &cells, lower, upper, end, &s.grid));
  assert_ok(fare_analyses_run(s.count, s.analysis, s.grid));
  assert_int_equal(fare_analysis_value(s.analysis[0], "velocity", 0, &value, NULL), FARE_ERR_FAILED);
  assert_non_null(strstr(fare_error_message(), "no density is stationary where axis x ends in absorption"));
  /* free diffusion between walls at -1 and 1: pi^2/4 and pi^2 */
  check_value(&s, 1, "rate", 0, M_PI * M_PI / 4, 1.2, 1e-3);
  check_value(&s, 1, "rate", 1, M_PI * M_PI, 1.2, 1e-3);
  check_value(&s, 2, "committor", 0, 0.25 / 0.4, 4, 1e-4);
  assert_int_equal(fare_analysis_value(s.analysis[2], "flux", 0, &value, NULL), FARE_ERR_INPUT);
  free_section(&s);
}

static void a_period_must_be_one(void **state)
{
  fare_system *system = make_system(fare_system_type_find("prinz"), 1);
  section      s;

  (void)state;
  assert_ok(fare_system_drive_sine(system, "tilt", 4, 1, 0));
  assert_int_equal(read_section(system, 64, "analysis: [{name: a, kind: periodic, period: 0.7}]", &s), FARE_ERR_INPUT);
  assert_non_null(strstr(fare_error_message(), "plan.yaml:1:46: analysis[0].period: the drive does not repeat after 0.7"));
  free_section(&s);
}

/* Sections are written so that they read back to the same, and what was found is in the file as computed. */
static void sections_and_findings_are_kept(void **state)
{
  const char  *yaml = "analysis:\n  - {name: over, kind: committor, a: {upper: [-0.3]}, b: [{lower: [0.3], upper: [0.9]}, {lower: [0.9]}], points: [0.05, -0.1]}\n  - {name: steady, kind: stationary, estimate: false}\n";
  fare_system *system = make_system(fare_system_type_find("prinz"), 1), *other = make_system(fare_system_type_find("prinz"), 1);
  fare_text    first = {0}, second = {0};
  double       kept[2], value, error, density[128], sum = 0;
  char         path[64];
  fare_store  *store;
  section      s, again;
  const uint64_t start = 0, two = 2, all = 128;

  (void)state;
  run_section(system, 128, yaml, &s);
  assert_ok(fare_analyses_write(s.count, s.analysis, &first));
  assert_ok(read_section(other, 128, first.text, &again));
  assert_ok(fare_analyses_write(again.count, again.analysis, &second));
  assert_string_equal(first.text, second.text);
  free_section(&again);
  fare_text_free(&first);
  fare_text_free(&second);

  snprintf(path, sizeof path, "test_analysis_%d.h5", (int)s.grid->cells[0]);
  assert_ok(fare_store_create(PETSC_COMM_WORLD, path, &store));
  assert_ok(fare_analyses_save(PETSC_COMM_WORLD, s.count, s.analysis, store));
  assert_ok(fare_store_commit(&store));
  assert_ok(fare_store_open(PETSC_COMM_WORLD, path, &store));
  assert_ok(fare_store_read(store, "/analysis/over/committor", FARE_STORE_FLOAT64, 1, &start, &two, kept));
  assert_ok(fare_analysis_value(s.analysis[0], "committor", 1, &value, &error));
  assert_true(kept[1] == value && !isnan(error));
  assert_ok(fare_store_read(store, "/analysis/over/committor_error", FARE_STORE_FLOAT64, 1, &start, &two, kept));
  assert_true(kept[1] == error);
  assert_ok(fare_store_read(store, "/analysis/steady/meshes/density", FARE_STORE_FLOAT64, 1, &start, &all, density));
  for (int i = 0; i < 128; i++) sum += density[i] * s.grid->spacing[0];
  assert_near(sum, 1, 1e-13);
  assert_ok(fare_analysis_value(s.analysis[1], "velocity", 0, &value, &error));
  assert_true(isnan(error));
  assert_int_equal(fare_analysis_value(s.analysis[1], "rate", 0, &value, &error), FARE_ERR_INPUT);
  assert_ok(fare_store_close(&store));
  free_section(&s);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(stationary_is_boltzmann_where_there_is_a_potential),
  cmocka_unit_test(stationary_needs_no_potential),
  cmocka_unit_test(washboard_has_the_known_velocity),
  cmocka_unit_test(rates_are_the_known_ones),
  cmocka_unit_test(rates_come_in_complex_pairs),
  cmocka_unit_test(modes_decay_at_their_rates),
  cmocka_unit_test(passage_times_are_double_integrals),
  cmocka_unit_test(boundaries_are_exact_to_second_order),
  cmocka_unit_test(committors_are_integrals),
  cmocka_unit_test(reactions_without_detailed_balance),
  cmocka_unit_test(rare_events_agree),
  cmocka_unit_test(exit_from_a_square),
  cmocka_unit_test(flashing_ratchet_has_the_known_velocity),
  cmocka_unit_test(periodic_states_are_where_evolution_goes),
  cmocka_unit_test(bad_sections_are_one_clear_line),
  cmocka_unit_test(absorbing_ends_are_respected),
  cmocka_unit_test(a_period_must_be_one),
  cmocka_unit_test(sections_and_findings_are_kept),
};
FARE_TEST_MAIN(tests)
