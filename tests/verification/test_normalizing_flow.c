/* fare-test: labels=verification ranks=1,2 timeout=240 */
/*
  Spline flows: their cell masses against closed forms and against their own draws, what short trainings reach on densities of closed form and on exact ones,
  the oracle's draws against its floor. Divergences are between masses of cells, so that no samples' noise is in them.
*/
#include "fare_test.h"

#include "sampler/quantile.h"

#include <stdlib.h>

#define TIMES 11 /* learned from; held out are those half-way between */

/* A sampler and what it stands on. */
typedef struct {
  fare_system    *system;
  fare_initial    initial;
  fare_schedule   schedule;
  fare_densities *exact;
  fare_sampler   *sampler;
} student;

static void student_begin(MPI_Comm comm, fare_system *system, const fare_schedule *schedule, const char *options, student *s)
{
  fare_config *config;

  s->system   = system;
  s->schedule = *schedule;
  assert_ok(fare_config_parse("test", options, strlen(options), &config));
  assert_ok(fare_sampler_create(comm, fare_sampler_type_find("normalizing_flow"), "flow", fare_config_root(config), NULL, 11, s->system, &s->initial, &s->schedule, &s->sampler));
  assert_ok(fare_config_destroy(&config));
}

static void student_end(student *s)
{
  assert_ok(fare_sampler_destroy(&s->sampler));
  assert_ok(fare_densities_destroy(&s->exact));
  assert_ok(fare_system_destroy(&s->system));
}

/* Fills an ensemble for training time k. */
typedef void (*filler)(const student *s, int k, double t, fare_ensemble *e);

static void teach(student *s, int64_t count, filler fill)
{
  double                  times[TIMES];
  fare_ensemble          *at[TIMES];
  const fare_training_set data = {TIMES, times, at};

  for (int k = 0; k < TIMES; k++) {
    times[k] = fare_schedule_time(&s->schedule, 2 * k);
    assert_ok(fare_ensemble_create(s->sampler->comm, fare_system_dimension(s->system), count, &at[k]));
    fill(s, k, times[k], at[k]);
  }
  assert_ok(fare_sampler_train(s->sampler, &data));
  for (int k = 0; k < TIMES; k++) assert_ok(fare_ensemble_destroy(&at[k]));
}

static fare_system *system_of(const char *name, int dim)
{
  fare_system *system;

  assert_ok(fare_system_create(fare_system_type_find(name), dim, &system));
  return system;
}

/* Masses of all cells of a serial grid, by the sampler. */
static void masses_of(student *s, double t, const fare_grid *grid, double to[])
{
  Vec                masses;
  const PetscScalar *mass;
  PetscInt           n;

  assert_ok(s->sampler->type->target(s->sampler, t, grid, &masses));
  assert_int_equal(VecGetSize(masses, &n), 0);
  VecGetArrayRead(masses, &mass);
  for (PetscInt i = 0; i < n; i++) to[i] = mass[i];
  VecRestoreArrayRead(masses, &mass);
  VecDestroy(&masses);
}

/* D(p||q) over cells; masses that differences of cumulative functions cannot resolve are left aside. */
static double divergence(PetscInt n, const double p[], const double q[])
{
  double sum = 0;

  for (PetscInt i = 0; i < n; i++) {
    if (p[i] > 1e-14) sum += p[i] * log(p[i] / q[i]);
  }
  return sum;
}

static double normal_below(double x)
{
  return 0.5 * erfc(-x / sqrt(2));
}

/* Two wells far apart that move along and change their weights: a method that drops a mode is nowhere near. */
static double left_weight(double t)
{
  return 0.5 + 0.3 * cos(2 * M_PI * t);
}
static double wells_below(double t, double x)
{
  const double centre = 0.4 * sin(2 * M_PI * t);

  return left_weight(t) * normal_below((x - centre + 1.2) / 0.2) + (1 - left_weight(t)) * normal_below((x - centre - 1.2) / 0.3);
}

static void fill_wells(const student *s, int k, double t, fare_ensemble *e)
{
  const fare_stream stream = fare_stream_make(8, "wells");

  (void)s;
  for (int64_t b = 0; b < e->blocks; b++) {
    double u[FARE_BLOCK], z[FARE_BLOCK];

    fare_random_uniforms(stream, (uint64_t)(e->first_block + b), (uint64_t)k, 0, u);
    fare_random_normals(stream, (uint64_t)(e->first_block + b), (uint64_t)k, 1, z);
    for (int i = 0; i < FARE_BLOCK; i++) e->x[0][b * FARE_BLOCK + i] = 0.4 * sin(2 * M_PI * t) + (u[i] > left_weight(t) ? 1.2 + 0.3 * z[i] : -1.2 + 0.2 * z[i]);
  }
}

#define SMALL "{width: 32, steps: 1500, batch: 2048, bins: 16, time_octaves: 2}"

static void two_wells_keep_their_weights(void **state)
{
  enum { CELLS = 400 };
  const PetscInt      cells[1] = {CELLS};
  const double        lower[1] = {-4}, upper[1] = {4};
  const fare_schedule schedule = {0, 1, 2 * TIMES - 1};
  double              mean[2] = {0}, worst = 0;
  fare_grid          *grid;
  student             s = {0};

  (void)state;
  student_begin(PETSC_COMM_WORLD, system_of("ornstein_uhlenbeck", 1), &schedule, SMALL, &s);
  teach(&s, 16384, fill_wells);
  assert_ok(fare_grid_create(PETSC_COMM_SELF, 1, cells, lower, upper, NULL, &grid));
  for (int k = 0; k < 2 * TIMES - 1; k++) {
    const double t = fare_schedule_time(&schedule, k), middle = 0.4 * sin(2 * M_PI * t);
    double       p[CELLS], q[CELLS], sum = 0, left = 0;

    masses_of(&s, t, grid, q);
    for (int i = 0; i < CELLS; i++) {
      p[i] = wells_below(t, lower[0] + (i + 1) * grid->spacing[0]) - wells_below(t, lower[0] + i * grid->spacing[0]);
      sum += q[i];
      if (fare_grid_centre(grid, 0, i) < middle) left += q[i];
    }
    assert_near(sum, 1, 1e-5); /* but for what lies outside */
    assert_near(left, left_weight(t), 0.015);
    worst = fmax(worst, divergence(CELLS, p, q));
    mean[k % 2] += divergence(CELLS, p, q) / (TIMES - k % 2);
  }
  print_message("two wells: mean KL %.5f at trained times, %.5f at held-out times, at most %.5f\n", mean[0], mean[1], worst);
  assert_between(mean[0], 0, 0.004);
  assert_between(mean[1], 0, 0.004);
  assert_ok(fare_grid_destroy(&grid));
  student_end(&s);
}

/* x_1 = m(t) + s(t) z_1, x_2 = x_1/2 + x_1^2/4 + z_2/4: bent, moving, breathing; masses of cells by quadrature along x_1. */
static double mean_of(double t)
{
  return 0.5 * cos(M_PI * t);
}
static double sd_of(double t)
{
  return 0.5 + 0.3 * t;
}

static void fill_bent(const student *s, int k, double t, fare_ensemble *e)
{
  const fare_stream stream = fare_stream_make(8, "bent");

  (void)s;
  for (int64_t b = 0; b < e->blocks; b++) {
    double z[2][FARE_BLOCK];

    for (uint32_t j = 0; j < 2; j++) fare_random_normals(stream, (uint64_t)(e->first_block + b), (uint64_t)k, j, z[j]);
    for (int i = 0; i < FARE_BLOCK; i++) {
      const double x = mean_of(t) + sd_of(t) * z[0][i];

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
    const double a = x + (q + 0.5) / POINTS * h, z = (a - mean_of(t)) / sd_of(t), centre = a / 2 + a * a / 4;

    sum += exp(-0.5 * z * z) / (sqrt(2 * M_PI) * sd_of(t)) * h / POINTS * (normal_below(4 * (y + h - centre)) - normal_below(4 * (y - centre)));
  }
  return sum;
}

static void a_bent_density_in_two_dimensions(void **state)
{
  enum { CELLS = 48 };
  const PetscInt      cells[2] = {CELLS, CELLS};
  const double        lower[2] = {-3.6, -2.4}, upper[2] = {3.6, 4.8};
  const fare_schedule schedule = {0, 1, 2 * TIMES - 1};
  double              mean[2] = {0}, *p = calloc(CELLS * CELLS, sizeof *p), *q = calloc(CELLS * CELLS, sizeof *q);
  fare_grid          *grid;
  student             s = {0};

  (void)state;
  student_begin(PETSC_COMM_WORLD, system_of("ornstein_uhlenbeck", 2), &schedule, SMALL, &s);
  teach(&s, 16384, fill_bent);
  assert_ok(fare_grid_create(PETSC_COMM_SELF, 2, cells, lower, upper, NULL, &grid));
  for (int k = 0; k < 2 * TIMES - 1; k++) {
    const double t   = fare_schedule_time(&schedule, k);
    double       sum = 0;

    masses_of(&s, t, grid, q);
    for (int j = 0; j < CELLS; j++) {
      for (int i = 0; i < CELLS; i++) p[j * CELLS + i] = bent_mass(t, lower[0] + i * grid->spacing[0], lower[1] + j * grid->spacing[1], grid->spacing[0]);
    }
    for (int i = 0; i < CELLS * CELLS; i++) sum += q[i];
    assert_near(sum, 1, 2e-3); /* but for what lies outside */
    mean[k % 2] += divergence(CELLS * CELLS, p, q) / (TIMES - k % 2);
  }
  print_message("bent: mean KL %.5f at trained times, %.5f at held-out times\n", mean[0], mean[1]);
  assert_between(mean[0], 0, 0.015);
  assert_between(mean[1], 0, 0.015);
  assert_ok(fare_grid_destroy(&grid));
  free(p);
  free(q);
  student_end(&s);
}

/* Particles of the exact density: what a perfect simulation would give. */
static void fill_exact(const student *s, int k, double t, fare_ensemble *e)
{
  const PetscInt64 at = fare_densities_find(s->exact, t);

  assert_true(at >= 0);
  assert_ok(fare_quantile_draw(s->exact->grid, s->exact->masses[at], fare_stream_make(8, "exact"), (uint64_t)k, e));
}

static void solve_exactly(student *s, fare_system *system, const fare_schedule *schedule, PetscInt cells)
{
  PetscInt64               each[2] = {cells, cells};
  const fare_truth_options options = {.cells = {(size_t)fare_system_dimension(system), each}, .tolerance = 1e-6};

  s->initial = (fare_initial){.density = FARE_INITIAL_BOLTZMANN};
  assert_ok(fare_densities_create(PETSC_COMM_SELF, system, &s->initial, schedule, &options, &s->exact));
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

static fare_system *driven_prinz(void)
{
  fare_system *system = system_of("prinz", 1);

  assert_ok(fare_system_drive_sine(system, "tilt", 4, 1, 0));
  return system;
}

static void driven_prinz_is_learned(void **state)
{
  const fare_schedule schedule = {0, 1, 2 * TIMES - 1};
  fare_system        *system = driven_prinz();
  student             s = {0};
  double              learned, boltzmann;

  (void)state;
  solve_exactly(&s, system, &schedule, 256);
  student_begin(PETSC_COMM_WORLD, system, &schedule, "{width: 48, steps: 2500, batch: 2048, bins: 24}", &s);
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
  fare_system        *system = system_of("quadruple_well", 2);
  student             s = {0};
  double              learned, boltzmann;

  (void)state;
  assert_ok(fare_system_drive_sine(system, "tilt", 0.6, 5, 0));
  assert_ok(fare_system_drive_sine(system, "tilt_y", 0.6, 5, 0));
  solve_exactly(&s, system, &schedule, 48);
  student_begin(PETSC_COMM_WORLD, system, &schedule, SMALL, &s);
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
    for (int i = 0; i < FARE_BLOCK; i++) e->x[0][b * FARE_BLOCK + i] = circle_centre(t) + 0.5 * z[i]; /* not wrapped */
  }
}

static void a_density_round_a_circle(void **state)
{
  enum { CELLS = 200 };
  const PetscInt      cells[1] = {CELLS};
  const fare_end      end[1]   = {FARE_END_PERIODIC};
  const fare_schedule schedule = {0, 1, 2 * TIMES - 1};
  fare_system        *system   = system_of("tilted_washboard", 1);
  const double       *lower = fare_system_type_of(system)->lower, *upper = fare_system_type_of(system)->upper;
  double              mean = 0;
  fare_ensemble      *e;
  fare_grid          *grid;
  student             s = {0};

  (void)state;
  assert_true(fare_system_type_of(system)->periodic[0]);
  student_begin(PETSC_COMM_WORLD, system, &schedule, SMALL, &s);
  teach(&s, 16384, fill_circle);
  assert_ok(fare_grid_create(PETSC_COMM_SELF, 1, cells, lower, upper, end, &grid));
  for (int k = 1; k < 2 * TIMES - 1; k += 2) {
    const double t = fare_schedule_time(&schedule, k), length = upper[0] - lower[0];
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

/* Pearson's sum of the draws of `e` against the masses of a grid's cells, cells with less than 5 expected left aside; as standard deviations above its mean. */
static double excess(const fare_ensemble *e, const fare_grid *grid, const double masses[])
{
  const PetscInt n = grid->cells[0] * grid->cells[1] * grid->cells[2];
  double        *count = calloc((size_t)n, sizeof *count), sum = 0, cells = 0;

  for (int64_t i = 0; i < e->local; i++) {
    PetscInt cell = 0, stride = 1;
    int      inside = 1;

    for (int axis = 0; axis < grid->dim; axis++) {
      const PetscInt at = (PetscInt)floor((e->x[axis][i] - grid->lower[axis]) / grid->spacing[axis]);

      inside = inside && at >= 0 && at < grid->cells[axis];
      cell += stride * at;
      stride *= grid->cells[axis];
    }
    if (inside) count[cell]++;
  }
  MPI_Allreduce(MPI_IN_PLACE, count, n, MPI_DOUBLE, MPI_SUM, e->comm);
  for (PetscInt i = 0; i < n; i++) {
    const double expected = (double)e->count * masses[i];

    if (expected < 5) continue;
    sum += (count[i] - expected) * (count[i] - expected) / expected;
    cells++;
  }
  free(count);
  assert_true(cells > 10);
  return (sum - cells) / sqrt(2 * cells);
}

/* Masses are integrals of what is drawn, whatever the network says: here it is hardly trained. */
static void draws_have_the_masses_that_are_told(void **state)
{
  const fare_schedule schedule = {0, 1, 2 * TIMES - 1};

  (void)state;
  for (int dim = 1; dim <= 3; dim++) {
    const PetscInt all = dim == 1 ? 128 : dim == 2 ? 32 * 32 : 16 * 16 * 16, cells[3] = {dim == 1 ? 128 : dim == 2 ? 32 : 16, dim == 2 ? 32 : 16, 16};
    const double   lower[3] = {-3, -3, -3}, upper[3] = {3, 3, 3};
    double        *masses = calloc((size_t)all, sizeof *masses);
    fare_ensemble *e;
    fare_grid     *grid;
    student        s = {0};

    student_begin(PETSC_COMM_WORLD, system_of("ornstein_uhlenbeck", dim), &schedule, "{width: 16, layers: 2, steps: 30, batch: 600, bins: 8, learning_rate: 0.02, warmup: 0, ema: 0.5}", &s);
    if (dim == 1) teach(&s, 3000, fill_wells);
    if (dim == 2) teach(&s, 3000, fill_bent);
    if (dim == 3) {
      fare_ensemble          *at[2];
      const double            times[2] = {0, 1};
      const fare_training_set data = {2, times, at};
      const fare_stream       stream = fare_stream_make(8, "three");

      for (int k = 0; k < 2; k++) {
        assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, 3, 3000, &at[k]));
        for (int64_t i = 0; i < at[k]->blocks; i++) {
          for (uint32_t axis = 0; axis < 3; axis++) fare_random_normals(stream, (uint64_t)(at[k]->first_block + i), (uint64_t)k, axis, at[k]->x[axis] + i * FARE_BLOCK);
          for (int j = 0; j < FARE_BLOCK; j++) at[k]->x[2][i * FARE_BLOCK + j] += at[k]->x[0][i * FARE_BLOCK + j];
        }
      }
      assert_ok(fare_sampler_train(s.sampler, &data));
      for (int k = 0; k < 2; k++) assert_ok(fare_ensemble_destroy(&at[k]));
    }
    assert_ok(fare_grid_create(PETSC_COMM_SELF, dim, cells, lower, upper, NULL, &grid));
    assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, dim, 100000, &e));
    for (int k = 0; k < 2; k++) {
      masses_of(&s, 0.3 + 0.5 * k, grid, masses);
      assert_ok(fare_sampler_advance(s.sampler, 0.3 + 0.5 * k, e));
      assert_between(excess(e, grid, masses), -5, 5);
    }
    assert_ok(fare_ensemble_destroy(&e));
    assert_ok(fare_grid_destroy(&grid));
    free(masses);
    student_end(&s);
  }
}

static void the_oracle_draws_the_truth(void **state)
{
  const fare_schedule schedule = {0, 1, 5};

  (void)state;
  for (int dim = 1; dim <= 2; dim++) {
    fare_system      *system = dim == 1 ? driven_prinz() : system_of("quadruple_well", 2);
    fare_ensemble    *e, *alone;
    fare_training_set times = {0};
    student           s = {0};
    double           *masses;
    uint64_t          sum[2];

    solve_exactly(&s, system, &schedule, dim == 1 ? 128 : 32);
    masses = calloc((size_t)(s.exact->grid->cells[0] * s.exact->grid->cells[1]), sizeof *masses);
    assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, dim, 100000, &e));
    assert_ok(fare_ensemble_create(PETSC_COMM_SELF, dim, 100000, &alone));
    for (int k = 0; k < 2; k++) {
      if (k) system = dim == 1 ? driven_prinz() : system_of("quadruple_well", 2);
      if (k) solve_exactly(&s, system, &schedule, dim == 1 ? 128 : 32);
      student_begin(k ? PETSC_COMM_SELF : PETSC_COMM_WORLD, system, &schedule, "{}", &s);
      assert_ok(fare_sampler_set_mode(s.sampler, FARE_ORACLE, s.exact));
      assert_ok(fare_sampler_train(s.sampler, &times));
      for (int i = 0; i < schedule.count; i++) {
        const double t = fare_schedule_time(&schedule, i);

        assert_ok(fare_sampler_advance(s.sampler, t, k ? alone : e));
        masses_of(&s, t, s.exact->grid, masses);
        assert_near(divergence(s.exact->grid->cells[0] * s.exact->grid->cells[1], s.exact->masses[i], masses), 0, 0);
        assert_between(excess(k ? alone : e, s.exact->grid, masses), -5, 5);
      }
      assert_int_equal(fare_sampler_advance(s.sampler, 0.123, k ? alone : e), FARE_ERR_FAILED);
      assert_ok(fare_ensemble_checksum(k ? alone : e, &sum[k]));
      student_end(&s);
    }
    assert_true(sum[0] == sum[1]); /* whatever the ranks */
    assert_ok(fare_ensemble_destroy(&e));
    assert_ok(fare_ensemble_destroy(&alone));
    free(masses);
  }
}

/* What was saved draws on as the original does, together or on one rank. */
static void saved_flows_draw_the_same(void **state)
{
  const fare_schedule schedule = {0, 1, 2 * TIMES - 1};
  const MPI_Comm      comm[3] = {PETSC_COMM_WORLD, PETSC_COMM_WORLD, PETSC_COMM_SELF};
  uint64_t            sum[3];
  char                path[64];
  int                 size;

  (void)state;
  MPI_Comm_size(PETSC_COMM_WORLD, &size);
  snprintf(path, sizeof path, "test_normalizing_flow.%d.h5", size);
  for (int k = 0; k < 3; k++) {
    fare_ensemble *e;
    fare_store    *store;
    student        s = {0};

    student_begin(comm[k], system_of("ornstein_uhlenbeck", 2), &schedule, "{width: 16, layers: 2, steps: 50, batch: 600, bins: 8}", &s);
    assert_ok(fare_ensemble_create(comm[k], 2, 3000, &e));
    assert_int_equal(fare_sampler_advance(s.sampler, 0, e), FARE_ERR_FAILED);
    if (k == 0) {
      teach(&s, 3000, fill_bent);
      assert_ok(fare_sampler_advance(s.sampler, 0.25, e));
      assert_ok(fare_store_create(comm[k], path, &store));
      assert_ok(fare_store_group(store, "/sampler"));
      assert_ok(s.sampler->type->save(s.sampler, store, "/sampler"));
      assert_ok(fare_store_commit(&store));
    } else {
      assert_ok(fare_store_open(comm[k], path, &store));
      assert_ok(s.sampler->type->load(s.sampler, store, "/sampler"));
      assert_ok(fare_store_close(&store));
    }
    assert_int_equal(s.sampler->type->curve(s.sampler)->count, 50);
    assert_ok(fare_sampler_advance(s.sampler, 0.5, e));
    assert_ok(fare_ensemble_checksum(e, &sum[k]));
    assert_ok(fare_ensemble_destroy(&e));
    student_end(&s);
  }
  assert_true(sum[0] == sum[1] && sum[0] == sum[2]);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(two_wells_keep_their_weights),
  cmocka_unit_test(a_bent_density_in_two_dimensions),
  cmocka_unit_test(driven_prinz_is_learned),
  cmocka_unit_test(the_quadruple_well_is_learned),
  cmocka_unit_test(a_density_round_a_circle),
  cmocka_unit_test(draws_have_the_masses_that_are_told),
  cmocka_unit_test(the_oracle_draws_the_truth),
  cmocka_unit_test(saved_flows_draw_the_same),
};
FARE_TEST_MAIN(tests)
