/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification ranks=1,2 timeout=300 */
/*
  Committors, passage times and survival while a drive goes on: against the frozen ones, spectral series of a
  drift that switches, the forward equation and each other.
*/
#include "analyses.h"

/* Of one axis: every rank by itself, as studies of one axis are run. */
static fare_grid *make_own_grid(const fare_system *system, PetscInt cells)
{
  return make_grid_on(PETSC_COMM_SELF, system, cells);
}

static double largest_difference(Vec a, Vec b)
{
  PetscReal norm;
  Vec       difference;

  assert_ok(VecDuplicate(a, &difference));
  assert_ok(VecWAXPY(difference, -1, a, b));
  assert_ok(VecNorm(difference, NORM_INFINITY, &norm));
  assert_ok(VecDestroy(&difference));
  return norm;
}

static double largest(Vec a)
{
  PetscReal norm;

  assert_ok(VecNorm(a, NORM_INFINITY, &norm));
  return norm;
}

/*
  A drive of amplitude 0 changes nothing, be it said to repeat or to stop; the rare passage takes a million
  periods.
*/
static void a_drive_that_does_nothing_gives_frozen_values(void **state)
{
  const struct {
    double kT;
  } cases[]           = {{0.4}, {0.08}};
  const fare_region a = {.dim = 1, .boxes = 1, .lower = (double[]){-9}, .upper = (double[]){-0.9}},
                    b = {.dim = 1, .boxes = 1, .lower = (double[]){0.83}, .upper = (double[]){9}};

  (void)state;
  for (size_t c = 0; c < 2; c++) {
    for (int repeats = 0; repeats < 2; repeats++) {
      const fare_span span   = {0.1, 1.1, repeats ? FARE_AFTER_PERIODIC : FARE_AFTER_FROZEN, 1e-8};
      const double    at[]   = {0.1, 0.4};
      fare_system    *system = make_system(fare_system_type_find("double_well"), 1);
      fare_reaction   frozen;
      fare_solved     solved;
      fare_driven     driven;
      fare_grid      *grid;
      Vec             tau, now[2];

      assert_ok(fare_system_set(system, "kT", cases[c].kT));
      assert_ok(fare_system_drive_sine(system, "tilt", 0, 1, 0));
      grid = make_grid(system, 200);
      assert_ok(fare_reaction_solve(grid, system, 0, &a, &b, NULL, &frozen, &solved));
      assert_ok(fare_driven_committor_solve(grid, system, &span, &a, &b, 2, at, now, &driven));
      for (int k = 0; k < 2; k++) {
        assert_between(largest_difference(now[k], frozen.committor), 0, 1e-8);
        assert_ok(VecDestroy(&now[k]));
      }
      assert_between(driven.error, 0, 1e-8);
      assert_ok(fare_reaction_free(&frozen));
      assert_ok(fare_passage_solve(grid, system, 0, &b, &tau, &solved));
      assert_ok(fare_driven_passage_solve(grid, system, &span, &b, 2, at, now, &driven));
      if (getenv("FARE_TEST_SHOW"))
        fare_log("kT %g: passage times up to %g, off frozen by %.1e, %d ways of %d steps", cases[c].kT,
          largest(tau), largest_difference(now[1], tau) / largest(tau), (int)driven.iterations,
          (int)driven.steps);
      for (int k = 0; k < 2; k++) {
        assert_between(largest_difference(now[k], tau), 0, 1e-7 * largest(tau));
        assert_ok(VecDestroy(&now[k]));
      }
      assert_ok(VecDestroy(&tau));
      assert_ok(fare_grid_destroy(&grid));
      assert_ok(fare_system_destroy(&system));
    }
  }
}

/* The slower the drive the nearer to what is frozen at the start, in proportion to its speed. */
static void slow_drives_come_near_to_frozen_values(void **state)
{
  const fare_region a = {.dim = 1, .boxes = 1, .lower = (double[]){-9}, .upper = (double[]){-0.5}},
                    b = {.dim = 1, .boxes = 1, .lower = (double[]){0.5}, .upper = (double[]){9}};
  double off[2][2];

  (void)state;
  for (int k = 0; k < 2; k++) {
    const double    period = 120 << k, at[] = {0.1 * period};
    const fare_span span   = {0, period, FARE_AFTER_PERIODIC, 1e-6};
    fare_system    *system = make_system(fare_system_type_find("prinz"), 1);
    fare_grid      *grid   = make_own_grid(system, 100);
    fare_reaction   frozen;
    fare_solved     solved;
    fare_driven     driven;
    Vec             tau, now;

    assert_ok(fare_system_drive_sine(system, "tilt", 2, period, 0));
    assert_ok(fare_reaction_solve(grid, system, at[0], &a, &b, NULL, &frozen, &solved));
    assert_ok(fare_driven_committor_solve(grid, system, &span, &a, &b, 1, at, &now, &driven));
    off[k][0] = largest_difference(now, frozen.committor);
    assert_ok(VecDestroy(&now));
    assert_ok(fare_reaction_free(&frozen));
    assert_ok(fare_passage_solve(grid, system, at[0], &b, &tau, &solved));
    assert_ok(fare_driven_passage_solve(grid, system, &span, &b, 1, at, &now, &driven));
    off[k][1] = largest_difference(now, tau) / largest(tau);
    assert_ok(VecDestroy(&now));
    assert_ok(VecDestroy(&tau));
    assert_ok(fare_grid_destroy(&grid));
    assert_ok(fare_system_destroy(&system));
  }
  if (getenv("FARE_TEST_SHOW"))
    fare_log("slow drives: committor off by %.2e and %.2e, passage time by %.2e and %.2e", off[0][0],
      off[1][0], off[0][1], off[1][1]);
  for (int i = 0; i < 2; i++) {
    assert_between(off[0][i], 1e-5, 0.1);
    assert_between(log2(off[0][i] / off[1][i]), 0.9, 1.1);
  }
}

/*
  Brownian motion with D = 1 on (0, L) with a drift v that switches its sign. Where the drift is constant, u =
  e^{-vx/2} sum_n a_n sin(n pi x/L) decays by exp(-(n^2 pi^2/L^2 + v^2/4) s), apart from what is frozen: tau
  or q in closed form.
*/
enum { NODES = 2000, MODES = 150 };
typedef struct {
  double L, *sine, u[NODES + 1]; /* sine[n][i]; u at i L/NODES */
} interval;

static void interval_create(interval *w, double L)
{
  memset(w, 0, sizeof *w);
  w->L    = L;
  w->sine = malloc((size_t)MODES * (NODES + 1) * sizeof *w->sine);
  assert_non_null(w->sine);
  for (int n = 0; n < MODES; n++) {
    for (int i = 0; i <= NODES; i++) w->sine[n * (NODES + 1) + i] = sin(M_PI * (n + 1) * i / NODES);
  }
}

static double frozen_value(const interval *w, PetscBool is_time, double v, double x)
{
  const double q = expm1(-v * x) / expm1(-v * w->L);

  return is_time ? (w->L * q - x) / v : q;
}

/* u a time `span` earlier. */
static void interval_back(interval *w, PetscBool is_time, double v, double span)
{
  double next[NODES + 1];

  for (int i = 0; i <= NODES; i++) next[i] = frozen_value(w, is_time, v, w->L * i / NODES);
  for (int n = 0; n < MODES; n++) {
    const double *sine = w->sine + n * (NODES + 1),
                 decay = exp(-(pow((n + 1) * M_PI / w->L, 2) + v * v / 4) * span);
    double a           = 0;

    if (decay < 1e-18) break;
    for (int i = 1; i < NODES; i++)
      a += 2.0 / NODES * sine[i] * exp(v * w->L * i / NODES / 2) *
        (w->u[i] - frozen_value(w, is_time, v, w->L * i / NODES));
    for (int i = 0; i <= NODES; i++) next[i] += decay * a * sine[i] * exp(-v * w->L * i / NODES / 2);
  }
  memcpy(w->u, next, sizeof next);
}

static double interval_at(const interval *w, double x)
{
  const double place = x / w->L * NODES;
  const int    i     = (int)place;

  return w->u[i] + (place - i) * (w->u[i + 1] - w->u[i]);
}

/*
  The interval begins at x = -0.5 of the ring; its ends lie within cells. Drift +3 in the first half of the
  period, -3 in the second.
*/
#define RING                                                                                                 \
  "analysis: [{name: one, kind: driven_committor, period: 0.4, starts: 4, a: {lower: [-0.9], upper: "        \
  "[-0.5]}, b: {lower: [0.8], upper: [1.4]}, points: [-0.2, 0.3]}, "                                         \
  "{name: two, kind: driven_passage, period: 0.4, starts: 4, leave: {lower: [-0.5], upper: [0.8]}, points: " \
  "[-0.2, 0.3]}]"
static void a_drift_that_switches_is_a_series(void **state)
{
  static const double point[] = {0.3, 0.8};
  static const char  *names[] = {"committor", "time"};
  fare_system        *system  = make_system(&washboard, 1);
  static interval     w;
  section             s;

  (void)state;
  assert_ok(fare_system_set(system, "height", 0));
  assert_ok(fare_system_set(system, "push", 0));
  drive(system, "{parameter: push, waveform: square, amplitude: 3, period: 0.4}");
  run_section_on(PETSC_COMM_SELF, system, 1024, RING, &s);
  interval_create(&w, 1.3);
  for (int kind = 0; kind < 2; kind++) {
    const PetscBool is_time = kind == 1 ? PETSC_TRUE : PETSC_FALSE;

    memset(w.u, 0, sizeof w.u);
    for (int half = 0; half < 40; half++) interval_back(&w, is_time, half % 2 ? 3 : -3, 0.2);
    /* now at the start of a period; on the way to the one before are the starts at 0.3, 0.2, 0.1 and 0 */
    for (int k = 3; k >= 0; k--) {
      double error, value;

      interval_back(&w, is_time, k >= 2 ? -3 : 3, 0.1);
      for (size_t i = 0; i < 2; i++) {
        check_value(&s, (size_t)kind, names[kind], (size_t)k * 2 + i, interval_at(&w, point[i]), 4, 2e-4);
        assert_ok(fare_analysis_value(s.result[kind], names[kind], (size_t)k * 2 + i, &value, &error));
        assert_near(value, interval_at(&w, point[i]), 3e-5);
      }
    }
  }
  free(w.sine);
  free_section(&s);
}

/*
  One and a half periods and no more: who is still on the way then does not count, or has taken as long as
  that.
*/
static void a_span_may_end(void **state)
{
  const fare_region a   = {.dim = 1, .boxes = 1, .lower = (double[]){-0.9}, .upper = (double[]){-0.5}},
                    b   = {.dim = 1, .boxes = 1, .lower = (double[]){0.8}, .upper = (double[]){1.4}},
                    out = {.dim = 1,
                      .boxes    = 1,
                      .lower    = (double[]){-0.5},
                      .upper    = (double[]){0.8},
                      .outside  = PETSC_TRUE};
  const fare_span span  = {0.2, 0.8, FARE_AFTER_OVER, 1e-7};
  const double    at = 0.2, point[] = {-0.2, 0.3};
  static interval w;

  (void)state;
  for (int kind = 0; kind < 2; kind++) {
    double off[2];

    for (int k = 0; k < 2; k++) {
      fare_system *system = make_system(&washboard, 1);
      fare_grid   *grid;
      fare_driven  driven;
      double       value[2];
      Vec          u;

      assert_ok(fare_system_set(system, "height", 0));
      assert_ok(fare_system_set(system, "push", 0));
      drive(system, "{parameter: push, waveform: square, amplitude: 3, period: 0.4}");
      grid = make_own_grid(system, 400 << k);
      if (kind)
        assert_ok(fare_driven_passage_solve(grid, system, &span, &out, 1, &at, &u, &driven));
      else
        assert_ok(fare_driven_committor_solve(grid, system, &span, &a, &b, 1, &at, &u, &driven));
      assert_ok(fare_grid_interpolate(grid, u, 2, point, value));
      interval_create(&w, 1.3);
      if (!kind) w.u[NODES] = 1;
      for (int half = 0; half < 3; half++)
        interval_back(&w, kind ? PETSC_TRUE : PETSC_FALSE, half % 2 ? 3 : -3, 0.2);
      off[k] = 0;
      for (int i = 0; i < 2; i++) off[k] = PetscMax(off[k], fabs(value[i] - interval_at(&w, point[i] + 0.5)));
      free(w.sine);
      assert_ok(VecDestroy(&u));
      assert_ok(fare_grid_destroy(&grid));
      assert_ok(fare_system_destroy(&system));
    }
    if (getenv("FARE_TEST_SHOW"))
      fare_log("%s until the end of a span: off by %.2e at 400 cells, %.2e at 800",
        kind ? "passage time" : "committor", off[0], off[1]);
    assert_between(off[0], 0, 3e-4);
    assert_between(off[1], 0, 8e-5);
  }
}

/* Masses of Boltzmann in the left wells, at rest. */
static Vec left_wells(const fare_grid *grid, const fare_system *system)
{
  PetscScalar *p, sum;
  Vec          masses;

  assert_ok(fare_grid_boltzmann(grid, system, 0, &masses));
  assert_ok(VecGetArray(masses, &p));
  for (PetscInt n = 0; n < grid->count[0]; n++) p[n] *= fare_grid_centre(grid, 0, grid->start[0] + n) < -0.1;
  assert_ok(VecRestoreArray(masses, &p));
  assert_ok(VecSum(masses, &sum));
  assert_ok(VecScale(masses, 1 / sum));
  return masses;
}

/*
  <p0, tau(., t0)> is the integral of what survives of p0: of the whole of it where the drive repeats, of a
  part where the span ends. The density of arrivals is its slope.
*/
static void backward_and_forward_agree(void **state)
{
  enum { TIMES = 400 };
  const fare_region    b     = {.dim = 1, .boxes = 1, .lower = (double[]){0.5}, .upper = (double[]){9}};
  const double         start = 0.3, end = 1.9;
  fare_system         *system = make_system(fare_system_type_find("prinz"), 1);
  fare_grid           *grid   = make_own_grid(system, 256);
  static fare_survival survival[TIMES];
  double               times[TIMES], arrived;
  fare_driven          driven;
  Vec                  p0, tau;
  PetscScalar          mean;

  (void)state;
  assert_ok(fare_system_drive_sine(system, "tilt", 4, 1, 0));
  p0 = left_wells(grid, system);
  for (int k = 0; k < TIMES; k++) times[k] = start + (end - start) * k / (TIMES - 1);
  assert_ok(fare_survival_solve(grid, system, &b, p0, start, 1e-9, TIMES, times, survival, NULL, &driven));
  assert_near(survival[0].survival, 1, 1e-14);
  assert_ok(fare_driven_passage_solve(
    grid, system, &(fare_span){start, end, FARE_AFTER_OVER, 1e-9}, &b, 1, &start, &tau, &driven));
  assert_ok(VecDot(tau, p0, &mean));
  assert_ok(VecDestroy(&tau));
  if (getenv("FARE_TEST_SHOW"))
    fare_log("span that ends: mean %.12g, lived %.12g", mean, survival[TIMES - 1].lived);
  assert_near(mean, survival[TIMES - 1].lived, 1e-7 * mean);
  /* behind the first tenth, where the density is smooth, by the trapezoidal rule */
  arrived = 0;
  for (int k = TIMES / 10; k + 1 < TIMES; k++)
    arrived += 0.5 * (times[k + 1] - times[k]) * (survival[k].density + survival[k + 1].density);
  assert_near(arrived, survival[TIMES / 10].survival - survival[TIMES - 1].survival, 1e-5);

  for (int k = 0; k < 10; k++) times[k] = start + 3 * (k + 1);
  assert_ok(fare_survival_solve(grid, system, &b, p0, start, 1e-9, 10, times, survival, NULL, &driven));
  assert_between(survival[9].survival, 0, 1e-7);
  assert_ok(fare_driven_passage_solve(
    grid, system, &(fare_span){start, start + 1, FARE_AFTER_PERIODIC, 1e-8}, &b, 1, &start, &tau, &driven));
  assert_ok(VecDot(tau, p0, &mean));
  if (getenv("FARE_TEST_SHOW"))
    fare_log("drive that repeats: mean %.12g, lived %.12g, %.1e left", mean, survival[9].lived,
      survival[9].survival);
  assert_near(mean, survival[9].lived, 3e-7 * mean);
  assert_ok(VecDestroy(&tau));
  assert_ok(VecDestroy(&p0));
  assert_ok(fare_grid_destroy(&grid));
  assert_ok(fare_system_destroy(&system));
}

/*
  Another method in time, another way to end: the truth on a box that absorbs where the target begins, at a
  face of both grids.
*/
static void survival_is_that_of_an_end_that_absorbs(void **state)
{
  const fare_region b       = {.dim = 1, .boxes = 1, .lower = (double[]){0.5}, .upper = (double[]){9}};
  const double      times[] = {0.2, 0.7, 1.5};
  fare_initial      initial = {
         .density = FARE_INITIAL_GAUSSIAN, .mean = {1, (double[]){-0.6}}, .sd = {1, (double[]){0.15}}};
  double off[2];

  (void)state;
  for (int k = 0; k < 2; k++) {
    PetscInt64         cells[] = {160 << k}, ends[] = {FARE_BOUNDARY_ABSORBING_ABOVE};
    fare_truth_options options = {.cells = {1, cells},
      .lower                             = {1, (double[]){-2}},
      .upper                             = {1, (double[]){0.5}},
      .boundaries                        = {1, ends},
      .tolerance                         = 1e-9};
    fare_system       *system  = make_system(fare_system_type_find("prinz"), 1);
    /* cells as wide, on [-2, 2] */
    fare_grid    *grid = make_own_grid(system, (PetscInt)(cells[0] * 8 / 5));
    fare_survival survival[3];
    fare_driven   driven;
    fare_truth   *truth;
    Vec           p0;

    assert_ok(fare_system_drive_sine(system, "tilt", 4, 1, 0));
    assert_ok(fare_grid_initial(grid, &initial, system, 0, &p0));
    assert_ok(fare_survival_solve(grid, system, &b, p0, 0, 1e-8, 3, times, survival, NULL, &driven));
    assert_ok(fare_truth_create(PETSC_COMM_SELF, system, &initial, 0, &options, &truth));
    off[k] = 0;
    for (int i = 0; i < 3; i++) {
      assert_ok(fare_truth_advance(truth, times[i]));
      off[k] = PetscMax(off[k], fabs(survival[i].survival - fare_truth_get_status(truth)->survival));
      assert_near(survival[i].density, fare_truth_get_status(truth)->exit_flux, 1e-5);
    }
    assert_between(survival[2].survival, 0.1, 0.7);
    assert_ok(fare_truth_destroy(&truth));
    assert_ok(VecDestroy(&p0));
    assert_ok(fare_grid_destroy(&grid));
    assert_ok(fare_system_destroy(&system));
  }
  if (getenv("FARE_TEST_SHOW"))
    fare_log("survival off the truth's by %.2e at 256 cells, %.2e at 512", off[0], off[1]);
  assert_between(off[0], 0, 1e-6);
  assert_between(off[1], 0, 1e-6);
}

/*
  Survival, and the time lived, of a Gaussian in an interval or a square, in a trap whose stiffness swings.
*/
static void leave_a_square(int dim, PetscInt cells, const double times[3], fare_survival survival[3])
{
  const double      side[2][2] = {{-0.93, -0.93}, {1.21, 1.21}}, ends[2][2] = {{-2, -2}, {2, 2}}, start = 0;
  const fare_region out = {
    .dim = dim, .boxes = 1, .lower = (double *)side[0], .upper = (double *)side[1], .outside = PETSC_TRUE};
  const fare_initial initial = {.density = FARE_INITIAL_GAUSSIAN,
    .mean                                = {(size_t)dim, (double[]){0.2, 0.2}},
    .sd                                  = {(size_t)dim, (double[]){0.2, 0.2}}};
  const PetscInt     n[]     = {cells, cells};
  fare_system       *system  = make_system(fare_system_type_find("ornstein_uhlenbeck"), dim);
  fare_driven        driven;
  fare_grid         *grid;
  Vec                p0, tau;
  PetscScalar        mean;

  assert_ok(fare_system_set(system, "stiffness", 2));
  assert_ok(fare_system_drive_sine(system, "stiffness", 1.5, 0.9, 0.4));
  assert_ok(fare_grid_create(PETSC_COMM_WORLD, dim, n, ends[0], ends[1], NULL, &grid));
  assert_ok(fare_grid_initial(grid, &initial, system, 0, &p0));
  assert_ok(fare_survival_solve(grid, system, &out, p0, 0, 1e-7, 3, times, survival, NULL, &driven));
  assert_ok(fare_driven_passage_solve(
    grid, system, &(fare_span){0, times[2], FARE_AFTER_OVER, 1e-6}, &out, 1, &start, &tau, &driven));
  assert_ok(VecDot(tau, p0, &mean));
  assert_near(mean, survival[2].lived, 3e-6 * mean);
  assert_ok(VecDestroy(&tau));
  assert_ok(VecDestroy(&p0));
  assert_ok(fare_grid_destroy(&grid));
  assert_ok(fare_system_destroy(&system));
}

/*
  Axes that know nothing of each other: out of a square survives what survives along both, but for what cells
  of two dimensions average.
*/
static void survival_in_a_square_is_a_product(void **state)
{
  const double  times[] = {0.2, 0.5, 0.9};
  fare_survival one[3], two[3];
  double        off[2] = {0, 0};

  (void)state;
  for (int k = 0; k < 2; k++) {
    leave_a_square(1, 24 << k, times, one);
    leave_a_square(2, 24 << k, times, two);
    for (int i = 0; i < 3; i++) off[k] = PetscMax(off[k], fabs(two[i].survival - pow(one[i].survival, 2)));
  }
  if (getenv("FARE_TEST_SHOW"))
    fare_log("square: survival %.9g, off the product by %.2e at 24 cells, %.2e at 48", two[2].survival,
      off[0], off[1]);
  assert_between(off[1], 0, 4e-4);
  assert_between(log2(off[0] / off[1]), 1.8, 2.2);
}

static void bad_sections_say_why(void **state)
{
  const struct {
    const char *yaml, *message;
  } cases[] = {
    {"analysis: [{name: a, kind: driven_passage, target: {lower: [1]}}]",
      "expected one of 'period' and 'span', got neither"},
    {"analysis: [{name: a, kind: driven_passage, period: 1, span: 2, target: {lower: [1]}}]",
      "expected one of 'period' and 'span', got both"},
    {"analysis: [{name: a, kind: driven_passage, period: 0.7, target: {lower: [1]}}]",
      "the drive does not repeat after 0.7"},
    {"analysis: [{name: a, kind: driven_passage, period: 1, after: over, target: {lower: [1]}}]",
      "a periodic drive is never over"},
    {"analysis: [{name: a, kind: driven_passage, period: 1, survival: 10, target: {lower: [1]}}]",
      "survival needs an initial set"},
    {"analysis: [{name: a, kind: driven_passage, period: 1, starts: 41, target: {lower: [1]}}]",
      "from 1 to 40"},
    {"analysis: [{name: a, kind: driven_committor, period: 1, a: {upper: [0.5]}, b: {lower: [0.4]}}]",
      "the sets a and b overlap"},
  };
  fare_system *still = make_system(fare_system_type_find("prinz"), 1);
  section      s;

  (void)state;
  for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
    fare_system *system = make_system(fare_system_type_find("prinz"), 1);

    assert_ok(fare_system_drive_sine(system, "tilt", 4, 1, 0));
    assert_int_equal(read_section(system, 64, cases[c].yaml, &s), FARE_ERR_INPUT);
    if (!strstr(fare_error_message(), cases[c].message))
      fail_msg("expected '%s' in '%s'", cases[c].message, fare_error_message());
    if (strncmp(fare_error_message(), "plan.yaml:", 10)) fail_msg("no place in '%s'", fare_error_message());
    free_section(&s);
  }
  assert_int_equal(read_section(still, 64,
                     "analysis: [{name: a, kind: driven_passage, period: 1, target: {lower: [1]}}]", &s),
    FARE_ERR_INPUT);
  assert_non_null(strstr(fare_error_message(), "no parameter is driven: use 'passage' instead"));
  free_section(&s);
}

/*
  Sections are written so that they read back to the same; numbers of all starts are in the file as computed,
  with their errors; survival and its integral fit.
*/
static void what_is_found_is_kept(void **state)
{
  const char  *yaml   = "analysis:\n  - {name: q, kind: driven_committor, period: 1.0, starts: 3, a: {upper: "
                        "[-0.5]}, b: {lower: [0.5]}, points: [0.05, -0.1]}\n"
                        "  - {name: t, kind: driven_passage, span: 1.5, after: over, target: {lower: [0.5]}, "
                        "from: {upper: [-0.5]}, weight: boltzmann, survival: 5}\n";
  fare_system *system = make_system(fare_system_type_find("prinz"), 1),
              *other  = make_system(fare_system_type_find("prinz"), 1);
  fare_text      first = {0}, second = {0};
  double         kept[6], errors[6], left[5], mesh[128], value, error;
  fare_store    *store;
  section        s, again;
  const uint64_t start[] = {0, 0}, table[] = {3, 2}, five = 5, all = 128;

  (void)state;
  assert_ok(fare_system_drive_sine(system, "tilt", 4, 1, 0));
  assert_ok(fare_system_drive_sine(other, "tilt", 4, 1, 0));
  run_section_on(PETSC_COMM_SELF, system, 128, yaml, &s);
  fare_analyses_write(s.count, s.analysis, &first);
  assert_ok(read_section(other, 128, first.text, &again));
  fare_analyses_write(again.count, again.analysis, &second);
  assert_string_equal(first.text, second.text);
  free_section(&again);
  fare_text_free(&first);
  fare_text_free(&second);

  assert_ok(fare_store_create(PETSC_COMM_WORLD, "test_analysis_driven.h5", &store));
  assert_ok(fare_analyses_save(s.result, store));
  assert_ok(fare_store_commit(&store));
  assert_ok(fare_store_open(PETSC_COMM_WORLD, "test_analysis_driven.h5", &store));
  assert_ok(fare_store_read(store, "/analysis/q/committor", FARE_STORE_FLOAT64, 2, start, table, kept));
  assert_ok(
    fare_store_read(store, "/analysis/q/committor_error", FARE_STORE_FLOAT64, 2, start, table, errors));
  for (size_t i = 0; i < 6; i++) {
    assert_ok(fare_analysis_value(s.result[0], "committor", i, &value, &error));
    assert_true(kept[i] == value && errors[i] == error);
    assert_between(error, 1e-9, 2e-2);
  }
  assert_ok(
    fare_store_read(store, "/analysis/q/meshes/committor_2", FARE_STORE_FLOAT64, 1, start, &all, mesh));
  assert_true(mesh[0] == 0 && mesh[127] == 1);
  assert_ok(fare_store_read(store, "/analysis/t/survival", FARE_STORE_FLOAT64, 1, start, &five, left));
  for (int i = 1; i < 5; i++) assert_true(left[i] < left[i - 1] && left[i] > 0);
  assert_ok(fare_analysis_value(s.result[1], "mean", 0, &value, &error));
  assert_between(value, 1.5 * left[4], 1.5);
  assert_ok(fare_store_close(&store));
  free_section(&s);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(a_drive_that_does_nothing_gives_frozen_values),
  cmocka_unit_test(slow_drives_come_near_to_frozen_values),
  cmocka_unit_test(a_drift_that_switches_is_a_series),
  cmocka_unit_test(a_span_may_end),
  cmocka_unit_test(backward_and_forward_agree),
  cmocka_unit_test(survival_is_that_of_an_end_that_absorbs),
  cmocka_unit_test(survival_in_a_square_is_a_product),
  cmocka_unit_test(bad_sections_say_why),
  cmocka_unit_test(what_is_found_is_kept),
};
FARE_TEST_MAIN(tests)
