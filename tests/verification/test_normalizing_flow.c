/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification ranks=1,2 timeout=240 */
/*
  Spline flows: their cell masses against closed forms, what short trainings reach on densities of closed form
  and on exact ones. Divergences are between masses of cells, so that no samples' noise is in them.
*/
#include "flow_masses.h"

#include <stdlib.h>

static double normal_below(double x)
{
  return 0.5 * erfc(-x / sqrt(2));
}

#define SMALL "{width: 32, steps: 1500, batch: 2048, bins: 16, time_frequencies: 2}"

#define FAR 1.2 /* wells so far apart that a method that drops one is nowhere near */

static void fill_far_wells(const student *s, int k, double t, fare_ensemble *e)
{
  (void)s;
  fill_wells_apart(FAR, k, t, e);
}

static void two_wells_keep_their_weights(void **state)
{
  enum { CELLS = 400 };
  const PetscInt cells[1] = {CELLS};
  const double   lower[1] = {-4}, upper[1] = {4};
  double         mean[2] = {0}, worst = 0;
  fare_grid     *grid;
  student        s = {0};

  (void)state;
  flow_begin(PETSC_COMM_WORLD, make_system("ornstein_uhlenbeck", 1), &moving_times, SMALL, &s);
  teach(&s, 16384, fill_far_wells);
  assert_ok(fare_grid_create(PETSC_COMM_SELF, 1, cells, lower, upper, NULL, &grid));
  for (int k = 0; k < 2 * TIMES - 1; k++) {
    const double t = fare_schedule_time(&moving_times, k), middle = wells_centre(t);
    double       p[CELLS], q[CELLS], sum = 0, left = 0;

    masses_of(&s, t, grid, q);
    for (int i = 0; i < CELLS; i++) {
      p[i] = wells_cumulative(FAR, t, lower[0] + (i + 1) * grid->spacing[0]) -
        wells_cumulative(FAR, t, lower[0] + i * grid->spacing[0]);
      sum += q[i];
      if (fare_grid_centre(grid, 0, i) < middle) left += q[i];
    }
    assert_near(sum, 1, 1e-5); /* but for what lies outside */
    assert_near(left, wells_left_weight(t), 0.015);
    worst = fmax(worst, divergence(CELLS, p, q));
    mean[k % 2] += divergence(CELLS, p, q) / (TIMES - k % 2);
  }
  print_message("two wells: mean KL %.5f at trained times, %.5f at held-out times, at most %.5f\n", mean[0],
    mean[1], worst);
  assert_between(mean[0], 0, 0.004);
  assert_between(mean[1], 0, 0.004);
  assert_ok(fare_grid_destroy(&grid));
  student_end(&s);
}

/*
  x_1 = m(t) + s(t) z_1, x_2 = x_1/2 + x_1^2/4 + z_2/4: bent, moving, breathing; masses of cells by quadrature
  along x_1.
*/
static double bent_mean(double t)
{
  return 0.5 * cos(M_PI * t);
}
static double bent_sd(double t)
{
  return 0.5 + 0.3 * t;
}

static void fill_bent(const student *s, int k, double t, fare_ensemble *e)
{
  const fare_stream stream = fare_stream_make(8, "bent");

  (void)s;
  for (int64_t b = 0; b < e->blocks; b++) {
    double z[2][FARE_BLOCK];

    for (uint32_t j = 0; j < 2; j++)
      fare_random_normals(stream, (uint64_t)(e->first_block + b), (uint64_t)k, j, z[j]);
    for (int i = 0; i < FARE_BLOCK; i++) {
      const double x = bent_mean(t) + bent_sd(t) * z[0][i];

      e->x[0][b * FARE_BLOCK + i] = x;
      e->x[1][b * FARE_BLOCK + i] = x / 2 + x * x / 4 + z[1][i] / 4;
    }
  }
}

static double bent_mass(double t, double x, double y, double h)
{
  enum { POINTS = 8 };
  double sum = 0;

  for (int q = 0; q < POINTS; q++) {
    const double a = x + (q + 0.5) / POINTS * h, z = (a - bent_mean(t)) / bent_sd(t),
                 centre = a / 2 + a * a / 4;

    sum += exp(-0.5 * z * z) / (sqrt(2 * M_PI) * bent_sd(t)) * h / POINTS *
      (normal_below(4 * (y + h - centre)) - normal_below(4 * (y - centre)));
  }
  return sum;
}

/* On cells of 0.045, for the last time. */
static void bent_points_fit_cells(student *s)
{
  enum { FINE = 160 };
  const PetscInt cells[2] = {FINE, FINE};
  const double   lower[2] = {-3.6, -2.4}, upper[2] = {3.6, 4.8};
  double        *q = calloc(FINE * FINE, sizeof *q);
  fare_ensemble *e;
  fare_grid     *grid;

  assert_ok(fare_grid_create(PETSC_COMM_SELF, 2, cells, lower, upper, NULL, &grid));
  assert_ok(fare_ensemble_create(s->sampler->comm, 2, 10, &e));
  assert_ok(fare_sampler_advance(s->sampler, moving_times.end, e));
  masses_of(s, moving_times.end, grid, q);
  density_fits_masses(s, grid, q, 4e-3);
  assert_ok(fare_ensemble_destroy(&e));
  assert_ok(fare_grid_destroy(&grid));
  free(q);
}

static void a_bent_density_in_two_dimensions(void **state)
{
  enum { CELLS = 48 };
  const PetscInt cells[2] = {CELLS, CELLS};
  const double   lower[2] = {-3.6, -2.4}, upper[2] = {3.6, 4.8};
  double         mean[2] = {0}, *p = calloc(CELLS * CELLS, sizeof *p), *q = calloc(CELLS * CELLS, sizeof *q);
  fare_grid     *grid;
  student        s = {0};

  (void)state;
  flow_begin(PETSC_COMM_WORLD, make_system("ornstein_uhlenbeck", 2), &moving_times, SMALL, &s);
  teach(&s, 16384, fill_bent);
  assert_ok(fare_grid_create(PETSC_COMM_SELF, 2, cells, lower, upper, NULL, &grid));
  for (int k = 0; k < 2 * TIMES - 1; k++) {
    const double t   = fare_schedule_time(&moving_times, k);
    double       sum = 0;

    masses_of(&s, t, grid, q);
    for (int j = 0; j < CELLS; j++) {
      for (int i = 0; i < CELLS; i++)
        p[j * CELLS + i] =
          bent_mass(t, lower[0] + i * grid->spacing[0], lower[1] + j * grid->spacing[1], grid->spacing[0]);
    }
    for (int i = 0; i < CELLS * CELLS; i++) sum += q[i];
    assert_near(sum, 1, 2e-3); /* but for what lies outside */
    mean[k % 2] += divergence(CELLS * CELLS, p, q) / (TIMES - k % 2);
  }
  print_message("bent: mean KL %.5f at trained times, %.5f at held-out times\n", mean[0], mean[1]);
  assert_between(mean[0], 0, 0.015);
  assert_between(mean[1], 0, 0.015);
  bent_points_fit_cells(&s);
  assert_ok(fare_grid_destroy(&grid));
  free(p);
  free(q);
  student_end(&s);
}

/* Mean divergences of the learned density and of Boltzmann's from the truth, at held-out times. */
static void compare_held_out(student *s, double *learned, double *boltzmann)
{
  const PetscInt n = s->exact->grid->cells[0] * s->exact->grid->cells[1];
  double        *q = calloc((size_t)n, sizeof *q);

  *learned = *boltzmann = 0;
  for (int k = 1; k < 2 * TIMES - 1; k += 2) {
    const double       t = fare_schedule_time(&s->schedule, k);
    const PetscScalar *mass;
    Vec                masses;

    masses_of(s, t, s->exact->grid, q);
    *learned += divergence(n, s->exact->masses[k], q) / (TIMES - 1);
    assert_ok(fare_grid_boltzmann(s->exact->grid, s->system, t, &masses));
    VecGetArrayRead(masses, &mass);
    for (PetscInt i = 0; i < n; i++) q[i] = fmax(mass[i], 1e-300);
    VecRestoreArrayRead(masses, &mass);
    VecDestroy(&masses);
    *boltzmann += divergence(n, s->exact->masses[k], q) / (TIMES - 1);
  }
  free(q);
}

static void driven_prinz_is_learned(void **state)
{
  fare_system *system = make_driven("prinz", 1, "tilt", 4);
  student      s      = {0};
  double       learned, boltzmann;

  (void)state;
  solve_exactly(&s, system, &moving_times, 256, 1e-6);
  flow_begin(PETSC_COMM_WORLD, system, &moving_times, "{width: 48, steps: 2500, batch: 2048, bins: 24}", &s);
  teach(&s, 32768, fill_exact);
  compare_held_out(&s, &learned, &boltzmann);
  print_message("driven Prinz: mean KL at held-out times %.5f, of Boltzmann %.5f\n", learned, boltzmann);
  assert_between(learned, 0, 0.005);
  assert_true(boltzmann > 10 * learned);
  student_end(&s);
}

static void the_quadruple_well_is_learned(void **state)
{
  const fare_schedule schedule = {0, 5, 2 * TIMES - 1};
  fare_system        *system   = make_system("quadruple_well", 2);
  student             s        = {0};
  double              learned, boltzmann;

  (void)state;
  assert_ok(fare_system_drive_sine(system, "tilt", 0.6, 5, 0));
  assert_ok(fare_system_drive_sine(system, "tilt_y", 0.6, 5, 0));
  solve_exactly(&s, system, &schedule, 48, 1e-6);
  flow_begin(PETSC_COMM_WORLD, system, &schedule, SMALL, &s);
  teach(&s, 32768, fill_exact);
  compare_held_out(&s, &learned, &boltzmann);
  print_message("quadruple well: mean KL at held-out times %.5f, of Boltzmann %.5f\n", learned, boltzmann);
  assert_between(learned, 0, 0.02);
  assert_true(boltzmann > 10 * learned);
  student_end(&s);
}

/* Round a circle: a density that lies across the ends of the box, and moves over them and back. */
static double circle_centre(double t)
{
  return M_PI + 0.8 * sin(2 * M_PI * t);
}

static void fill_circle(const student *s, int k, double t, fare_ensemble *e)
{
  const fare_stream stream = fare_stream_make(8, "circle");

  (void)s;
  for (int64_t b = 0; b < e->blocks; b++) {
    double z[FARE_BLOCK];

    fare_random_normals(stream, (uint64_t)(e->first_block + b), (uint64_t)k, 0, z);
    /* not wrapped */
    for (int i = 0; i < FARE_BLOCK; i++) e->x[0][b * FARE_BLOCK + i] = circle_centre(t) + 0.5 * z[i];
  }
}

static void a_density_round_a_circle(void **state)
{
  enum { CELLS = 200 };
  const PetscInt      cells[1] = {CELLS};
  const fare_boundary end[1]   = {FARE_BOUNDARY_PERIODIC};
  fare_system        *system   = make_system("tilted_washboard", 1);
  const double       *lower = fare_system_type_of(system)->lower, *upper = fare_system_type_of(system)->upper;
  double              mean = 0;
  fare_ensemble      *e;
  fare_grid          *grid;
  student             s = {0};

  (void)state;
  assert_true(fare_system_type_of(system)->periodic[0]);
  flow_begin(PETSC_COMM_WORLD, system, &moving_times, SMALL, &s);
  teach(&s, 16384, fill_circle);
  assert_ok(fare_grid_create(PETSC_COMM_SELF, 1, cells, lower, upper, end, &grid));
  for (int k = 1; k < 2 * TIMES - 1; k += 2) {
    const double t = fare_schedule_time(&moving_times, k), length = upper[0] - lower[0];
    double       p[CELLS] = {0}, q[CELLS], sum = 0;

    masses_of(&s, t, grid, q);
    for (int i = 0; i < CELLS; i++) {
      for (int turn = -3; turn <= 3; turn++) {
        const double x = lower[0] + i * grid->spacing[0] + turn * length - circle_centre(t);

        p[i] += normal_below((x + grid->spacing[0]) / 0.5) - normal_below(x / 0.5);
      }
      sum += q[i];
    }
    assert_near(sum, 1, 1e-12);
    mean += divergence(CELLS, p, q) / (TIMES - 1);
  }
  print_message("circle: mean KL at held-out times %.5f\n", mean);
  assert_between(mean, 0, 0.01);
  assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, 1, 1000, &e));
  assert_ok(fare_sampler_advance(s.sampler, 0.95, e));
  for (int64_t i = 0; i < e->local; i++) assert_true(e->x[0][i] >= lower[0] && e->x[0][i] <= upper[0]);
  assert_ok(fare_ensemble_destroy(&e));
  assert_ok(fare_grid_destroy(&grid));
  student_end(&s);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(two_wells_keep_their_weights),
  cmocka_unit_test(a_bent_density_in_two_dimensions),
  cmocka_unit_test(driven_prinz_is_learned),
  cmocka_unit_test(the_quadruple_well_is_learned),
  cmocka_unit_test(a_density_round_a_circle),
};
FARE_TEST_MAIN(tests)
