/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification ranks=1,2 timeout=120 */
/*
  Particles at the ends of a box against closed forms: cosine series of reflected and sine series of absorbed
  Brownian motion, the exponential density of a constant force between mirrors, the half of a symmetric trap;
  and the orders in the time step with which they come there. The truth's absorbed mass, end by end, against
  the same series.
*/
#include "samplers.h"

#include <math.h>

enum { TILT = FARE_OWN, STIFFNESS };
static const fare_parameter parameters[] = {
  FARE_COMMON_PARAMETERS,
  {"tilt", 0, -1e3, 1e3, "constant force along every axis"},
  {"stiffness", 0, 0, 1e3, "of a trap about the origin"},
  FARE_PARAMETERS_END,
};

static void slope_potential(int dim, const double *theta, size_t n, const double *const x[], double V[])
{
  for (size_t i = 0; i < n; i++) V[i] = 0;
  for (int axis = 0; axis < dim; axis++) {
    for (size_t i = 0; i < n; i++)
      V[i] += 0.5 * theta[STIFFNESS] * x[axis][i] * x[axis][i] - theta[TILT] * x[axis][i];
  }
}

static void slope_force(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  for (int axis = 0; axis < dim; axis++) {
    for (size_t i = 0; i < n; i++) f[axis][i] = theta[TILT] - theta[STIFFNESS] * x[axis][i];
  }
}

static void slope_drift(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  slope_force(dim, theta, n, x, f);
  for (int axis = 0; axis < dim; axis++) {
    for (size_t i = 0; i < n; i++) f[axis][i] *= theta[FARE_MOBILITY];
  }
}

static void slope_diffusion(
  int dim, const double *theta, size_t n, const double *const x[], double *const D[])
{
  (void)x;
  for (int axis = 0; axis < dim; axis++) {
    for (size_t i = 0; i < n; i++) D[axis][i] = theta[FARE_MOBILITY] * theta[FARE_KT];
  }
}

#define SLOPE(name_)                                                                            \
  .name = name_, .summary = "a constant force and a trap", .reference = "", .dimension_min = 1, \
  .dimension_max = 3, .parameters = parameters, .lower = {-1, -1, -1}, .upper = {1, 1, 1}
static const fare_system_type slope   = {SLOPE("slope"), .potential = slope_potential, .force = slope_force};
static const fare_system_type general = {
  SLOPE("general_slope"), .drift = slope_drift, .diffusion = slope_diffusion};

/* What a simulation is told, and what comes of it. */
typedef struct {
  const fare_system_type *type;
  int                     dim;
  double                  tilt, stiffness, start, until, dt;
  const char             *integrator;
  fare_wall               below, above; /* of the first axis; others reflect unless `all` */
  PetscBool               all;
  int64_t                 count;
} setting;

static fare_system *system_of(const setting *s)
{
  fare_system *system;

  assert_ok(fare_system_create(s->type, s->dim, &system));
  assert_ok(fare_system_set(system, "tilt", s->tilt));
  assert_ok(fare_system_set(system, "stiffness", s->stiffness));
  return system;
}

static fare_walls walls_of(const setting *s)
{
  fare_walls w = {.dim = s->dim,
    .absorbing =
      s->below == FARE_WALL_ABSORBING || s->above == FARE_WALL_ABSORBING ? PETSC_TRUE : PETSC_FALSE};

  for (int axis = 0; axis < s->dim; axis++) {
    w.lower[axis] = -1;
    w.upper[axis] = 1;
    w.at[axis][0] = axis && !s->all ? FARE_WALL_REFLECTING : s->below;
    w.at[axis][1] = axis && !s->all ? FARE_WALL_REFLECTING : s->above;
  }
  return w;
}

/* Particles that begin at a point, by langevin. */
static fare_ensemble *simulate(const setting *s, fare_census *census)
{
  double             at[3] = {s->start, s->start, s->start}, wide[3] = {1e-9, 1e-9, 1e-9};
  const fare_initial initial = {
    .density = FARE_INITIAL_GAUSSIAN, .mean = {(size_t)s->dim, at}, .sd = {(size_t)s->dim, wide}};
  const fare_schedule schedule = {0, s->until, 2};
  const fare_walls    walls    = walls_of(s);
  fare_system        *system   = system_of(s);
  char                options[128];
  fare_sampler       *sampler;
  fare_ensemble      *e;

  snprintf(options, sizeof options, "{dt: %.17g, integrator: %s}", s->dt, s->integrator);
  sampler = make_sampler(PETSC_COMM_WORLD, "langevin", options, 7, system, &initial, &schedule);
  assert_ok(fare_sampler_set_walls(sampler, &walls));
  assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, s->dim, s->count, &e));
  assert_ok(fare_sampler_advance(sampler, 0, e));
  assert_ok(fare_sampler_advance(sampler, s->until, e));
  assert_ok(fare_ensemble_census(e, &walls, census));
  assert_near(census->outside, 0, 0);
  assert_ok(fare_sampler_destroy(&sampler));
  assert_ok(fare_system_destroy(&system));
  return e;
}

/* <prod cos(k pi (x + 1)/2)> over all particles. */
static double cosine(const fare_ensemble *e, int k)
{
  double sum = 0;

  for (int64_t i = 0; i < e->local; i++) {
    double product = 1;

    for (int axis = 0; axis < e->dim; axis++) product *= cos(0.5 * k * PETSC_PI * (e->x[axis][i] + 1));
    sum += product / (double)e->count;
  }
  MPI_Allreduce(MPI_IN_PLACE, &sum, 1, MPI_DOUBLE, MPI_SUM, PETSC_COMM_WORLD);
  return sum;
}

/*
  Without drift a fold is exact for any step, as long as the box several times, at faces, edges and corners.
*/
static void mirrors_are_exact_without_drift(void **state)
{
  static const char *const integrators[] = {"euler_maruyama", "leimkuhler_matthews", "heun"};

  (void)state;
  for (int dim = 1; dim <= 3; dim++) {
    for (int how = 0; how < 6; how++) {
      setting        s = {.type = how < 3 ? &slope : &general,
               .dim             = dim,
               .start           = 0.6,
               .until           = 0.15,
               .dt              = 0.05,
               .integrator      = integrators[how % 3],
               .below           = FARE_WALL_REFLECTING,
               .above           = FARE_WALL_REFLECTING,
               .count           = 100000};
      fare_census    census;
      fare_ensemble *e;

      if (s.type == &general && how % 3 == 1) continue;
      if (how % 3 == 1) s.dt = 0.0125; /* its noise is smaller by a half step's at the start */
      e = simulate(&s, &census);
      for (int k = 1; k <= 2; k++) {
        const double t        = how % 3 == 1 ? s.until - 0.5 * s.dt : s.until,
                     expected = pow(
                       cos(0.5 * k * PETSC_PI * (s.start + 1)) * exp(-0.25 * k * k * PETSC_PI * PETSC_PI * t),
                       dim);

        print_message("%d axes, %s %s: <cos %d> %.5f, expected %.5f\n", dim, s.type->name, s.integrator, k,
          cosine(e, k), expected);
        assert_near(cosine(e, k), expected, 4.5 / sqrt((double)s.count));
      }
      assert_ok(fare_ensemble_destroy(&e));
    }
  }
}

static double mean_of(const setting *s)
{
  double         mean[FARE_DIM_MAX], variance[FARE_DIM_MAX], effective, sum = 0;
  fare_census    census;
  fare_ensemble *e = simulate(s, &census);

  assert_ok(fare_ensemble_moments(e, mean, variance, &effective));
  for (int axis = 0; axis < s->dim; axis++) sum += mean[axis] / s->dim;
  assert_ok(fare_ensemble_destroy(&e));
  return sum;
}

/*
  A constant force a between mirrors ends in p ~ exp(a x), of mean coth(a) - 1/a. The mean is off by c dt: the
  weak order of Euler and Maruyama is 1 (and would be 1/2, were particles put on the end), that of the others
  between 1 and 2.
*/
static void a_force_onto_a_mirror(void **state)
{
  static const struct {
    const char *integrator;
    /* of the error over dt at the larger step; and between which halving dt divides it */
    double c, least, most;
  } schemes[] = {
    {"euler_maruyama", 1.6, 1.8, 2.3}, {"leimkuhler_matthews", 0.6, 2.2, 4.2}, {"heun", 0.35, 2.5, 5.5}};
  const double a = 3, expected = 1 / tanh(a) - 1 / a;

  (void)state;
  for (size_t k = 0; k < PETSC_STATIC_ARRAY_LENGTH(schemes); k++) {
    double off[2];

    for (int n = 0; n < 2; n++) {
      const setting s = {.type = &slope,
        .dim                   = n ? 1 : 2,
        .tilt                  = a,
        .start                 = 0.5,
        .until                 = 2,
        .dt                    = 0.08 / (1 << n),
        .integrator            = schemes[k].integrator,
        .below                 = FARE_WALL_REFLECTING,
        .above                 = FARE_WALL_REFLECTING,
        .count                 = 200000};

      off[n] = fabs(mean_of(&s) - expected);
      print_message("%s, dt %g: mean off by %.5f, %.3f dt\n", s.integrator, s.dt, off[n], off[n] / s.dt);
    }
    assert_between(off[0], 0, schemes[k].c * 0.08);
    assert_between(off[0] / off[1], schemes[k].least, schemes[k].most);
  }
}

/* What a census says against what it should, by counting errors. */
static void assert_share(const char *what, double share, double expected, int64_t count, double slack)
{
  print_message("  %s %.5f, expected %.5f\n", what, share, expected);
  assert_near(share, expected, 4.5 * sqrt(PetscMax(expected * (1 - expected), 1e-4) / (double)count) + slack);
}

/*
  Of Brownian motion with drift b and D = 1 that begins at z between ends at 0 and L that absorb: what has
  left below by time t, from the sine series; what leaves above is that in a mirror.
*/
static double left_below(double b, double z, double L, double t)
{
  double left = fabs(b) < 1e-12 ? 1 - z / L : (exp(-b * z) - exp(-b * L)) / (1 - exp(-b * L));

  for (int n = 1; n < 400; n++) {
    const double k = n * PETSC_PI / L, rate = k * k + 0.25 * b * b;

    left -= 2 / L * k * sin(k * z) * exp(-0.5 * b * z - rate * t) / rate;
  }
  return left;
}

/*
  With constant drift a bridge is exact, whatever the step, but for paths that meet both ends in one step.
  Other axes have mirrors, which matter to nothing here.
*/
static void two_ends_that_absorb(void **state)
{
  static const char *const integrators[] = {"euler_maruyama", "heun"};

  (void)state;
  for (int how = 0; how < 4; how++) {
    const setting s     = {.type = how & 1 ? &general : &slope,
          .dim                   = 1 + how % 3,
          .tilt                  = 1.5,
          .start                 = 0.3,
          .until                 = 0.4,
          .dt                    = 0.1,
          .integrator            = integrators[how / 2],
          .below                 = FARE_WALL_ABSORBING,
          .above                 = FARE_WALL_ABSORBING,
          .count                 = 100000};
    const double  below = left_below(s.tilt, 1 + s.start, 2, s.until),
                 above  = left_below(-s.tilt, 1 - s.start, 2, s.until);
    fare_census    census;
    fare_ensemble *e = simulate(&s, &census);

    print_message("%s, %s, %d axes:\n", s.type->name, s.integrator, s.dim);
    assert_share("below", census.absorbed[0][0], below, s.count, 2e-3);
    assert_share("above", census.absorbed[0][1], above, s.count, 2e-3);
    assert_share("left", census.survival, 1 - below - above, s.count, 2e-3);
    assert_ok(fare_ensemble_destroy(&e));
  }
}

/*
  One end absorbs, the other reflects: half of a box twice as long, seen in the mirror. Steps nearly as long
  as the box are reflected first.
*/
static void an_end_and_a_mirror(void **state)
{
  (void)state;
  for (int side = 0; side < 2; side++) {
    const setting  s    = {.type = &slope,
          .dim                   = 1,
          .start                 = side ? -0.9 : 0.9,
          .until                 = 1,
          .dt                    = 0.25,
          .integrator            = "euler_maruyama",
          .below                 = side ? FARE_WALL_REFLECTING : FARE_WALL_ABSORBING,
          .above                 = side ? FARE_WALL_ABSORBING : FARE_WALL_REFLECTING,
          .count                 = 100000};
    const double   gone = left_below(0, 1.9, 4, s.until) + left_below(0, 2.1, 4, s.until);
    fare_census    census;
    fare_ensemble *e = simulate(&s, &census);

    print_message("end %s absorbs:\n", side ? "above" : "below");
    assert_share("gone", census.absorbed[0][side], gone, s.count, 2e-3);
    assert_near(census.absorbed[0][1 - side], 0, 0);
    assert_ok(fare_ensemble_destroy(&e));
  }
}

/*
  A square of ends that absorb: what is left is the product, and what leaves through one side the integral of
  its rate times what is left of the other axis.
*/
static void corners_that_absorb(void **state)
{
  const setting  s     = {.type = &slope,
         .dim                   = 2,
         .start                 = 0.5,
         .until                 = 0.3,
         .dt                    = 0.01,
         .integrator            = "heun",
         .below                 = FARE_WALL_ABSORBING,
         .above                 = FARE_WALL_ABSORBING,
         .all                   = PETSC_TRUE,
         .count                 = 100000};
  const int      parts = 1000;
  double         below = 0, above = 0, before[2] = {0, 0}, left;
  fare_census    census;
  fare_ensemble *e = simulate(&s, &census);

  (void)state;
  for (int i = 0; i < parts; i++) {
    const double t = s.until * i / parts, h = s.until / parts,
                 other  = 1 - left_below(0, 1.5, 2, t + 0.5 * h) - left_below(0, 0.5, 2, t + 0.5 * h),
                 now[2] = {left_below(0, 1.5, 2, t + h), left_below(0, 0.5, 2, t + h)};

    below += other * (now[0] - before[0]);
    above += other * (now[1] - before[1]);
    memcpy(before, now, sizeof now);
  }
  left = pow(1 - before[0] - before[1], 2);
  for (int axis = 0; axis < 2; axis++) {
    assert_share("below", census.absorbed[axis][0], below, s.count, 3e-3);
    assert_share("above", census.absorbed[axis][1], above, s.count, 3e-3);
  }
  assert_share("left", census.survival, left, s.count, 3e-3);
  assert_ok(fare_ensemble_destroy(&e));
}

/*
  A drift that varies: off by c dt with Euler and Maruyama, by much less with Heun. Expected: central
  differences and Crank and Nicolson's steps on 2000 intervals.
*/
static void a_trap_between_ends_that_absorb(void **state)
{
  const double expected[3] = {0.435655, 0.085211, 0.479133};
  double       off[3];

  (void)state;
  for (int n = 0; n < 3; n++) {
    const setting  s = {.type = n == 2 ? &general : &slope,
       .dim                   = 1,
       .tilt                  = 1,
       .stiffness             = 2,
       .start                 = 0.2,
       .until                 = 0.5,
       .dt                    = n == 1 ? 0.05 : 0.1,
       .integrator            = n == 2 ? "heun" : "euler_maruyama",
       .below                 = FARE_WALL_ABSORBING,
       .above                 = FARE_WALL_ABSORBING,
       .count                 = 400000};
    fare_census    census;
    fare_ensemble *e = simulate(&s, &census);

    off[n] = fabs(census.survival - expected[0]);
    print_message("%s, dt %g: left %.5f (%.5f), below %.5f (%.5f), above %.5f (%.5f)\n", s.integrator, s.dt,
      census.survival, expected[0], census.absorbed[0][0], expected[1], census.absorbed[0][1], expected[2]);
    assert_near(census.survival + census.absorbed[0][0] + census.absorbed[0][1], 1, 1e-12);
    assert_ok(fare_ensemble_destroy(&e));
  }
  assert_between(off[0], 0.045, 0.06);
  assert_between(off[0] / off[1], 1.55, 2.4);
  assert_between(off[2], 0, 0.006);
}

static void oscillator_drift(
  int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  (void)dim, (void)theta;
  for (size_t i = 0; i < n; i++) {
    f[0][i] = x[1][i];
    f[1][i] = -x[0][i] - x[1][i];
  }
}

static void oscillator_diffusion(
  int dim, const double *theta, size_t n, const double *const x[], double *const D[])
{
  (void)dim, (void)theta, (void)x;
  for (size_t i = 0; i < n; i++) {
    D[0][i] = 0;
    D[1][i] = 1;
  }
}

static void oscillator_acceleration(const double *theta, size_t n, const double position[], double a[])
{
  (void)theta;
  for (size_t i = 0; i < n; i++) a[i] = -position[i];
}

static void oscillator_bath(const double *theta, double *friction, double *heating)
{
  (void)theta;
  *friction = *heating = 1;
}

static const fare_system_type oscillator = {
  .name          = "oscillator",
  .summary       = "",
  .reference     = "",
  .dimension_min = 2,
  .dimension_max = 2,
  .parameters    = parameters,
  .lower         = {-9, -9},
  .upper         = {9, 9},
  .drift         = oscillator_drift,
  .diffusion     = oscillator_diffusion,
  .acceleration  = oscillator_acceleration,
  .bath          = oscillator_bath,
};

/*
  The upper half of an oscillator in equilibrium whose lower end is a mirror at the middle: places are those
  of the whole one without signs, and speeds as they were.
*/
static void a_mirror_for_bodies(void **state)
{
  static const char *const integrators[] = {"baoab", "heun", "euler_maruyama"};

  (void)state;
  for (int how = 0; how < 3; how++) {
    double at[2] = {0, 0}, wide[2] = {1, 1}, mean[FARE_DIM_MAX], variance[FARE_DIM_MAX], effective,
           sums[2]             = {0, 0};
    const fare_box     box     = {.lower = {0, -9}, .upper = {9, 9}};
    const fare_initial initial = {
      .density = FARE_INITIAL_GAUSSIAN, .mean = {2, at}, .sd = {2, wide}, .box = &box, .bounded = PETSC_TRUE};
    const fare_schedule schedule = {0, 3, 2};
    const fare_walls    walls    = {.dim = 2,
            .lower                       = {0, -9},
            .upper                       = {9, 9},
            .at =
              {
                {FARE_WALL_REFLECTING, FARE_WALL_REFLECTING},
                {FARE_WALL_REFLECTING, FARE_WALL_REFLECTING},
        },
            .inertial = PETSC_TRUE};
    fare_system        *system;
    char                options[64];
    fare_sampler       *sampler;
    fare_ensemble      *e;

    assert_ok(fare_system_create(&oscillator, 2, &system));
    snprintf(options, sizeof options, "{dt: %g, integrator: %s}", how ? 0.005 : 0.1, integrators[how]);
    sampler = make_sampler(PETSC_COMM_WORLD, "langevin", options, 7, system, &initial, &schedule);
    assert_ok(fare_sampler_set_walls(sampler, &walls));
    assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, 2, 100000, &e));
    assert_ok(fare_sampler_advance(sampler, 0, e));
    assert_ok(fare_sampler_advance(sampler, 3, e));
    assert_ok(fare_ensemble_moments(e, mean, variance, &effective));
    for (int64_t i = 0; i < e->local; i++) {
      sums[0] += e->x[0][i] * e->x[1][i] / (double)e->count;
      sums[1] += e->x[1][i] * e->x[1][i] / (double)e->count;
    }
    MPI_Allreduce(MPI_IN_PLACE, sums, 2, MPI_DOUBLE, MPI_SUM, PETSC_COMM_WORLD);
    print_message("%s: <x> %.4f, <v> %.4f, <v^2> %.4f, <x v> %.4f\n", integrators[how], mean[0], mean[1],
      sums[1], sums[0]);
    assert_near(mean[0], sqrt(2 / PETSC_PI), 0.01);
    assert_near(mean[1], 0, 0.015);
    assert_near(sums[1], 1, 0.02);
    assert_near(sums[0], 0, 0.015);
    assert_ok(fare_ensemble_destroy(&e));
    assert_ok(fare_sampler_destroy(&sampler));
    assert_ok(fare_system_destroy(&system));
  }
}

/*
  The truth tells apart, end by end, what the sine series do: of second order in the cells, by both of its
  time methods, and its bar holds the error.
*/
static void the_truth_tells_its_ends_apart(void **state)
{
  (void)state;
  for (int how = 0; how < 2; how++) {
    double off[2];

    for (int n = 0; n < 2; n++) {
      const setting      s     = {.type = how ? &general : &slope, .dim = 1, .tilt = 1.5};
      double             at[1] = {0.3}, wide[1] = {0.1};
      const fare_initial initial  = {.density = FARE_INITIAL_GAUSSIAN, .mean = {1, at}, .sd = {1, wide}};
      PetscInt64         cells[1] = {128 << n}, ends[1] = {FARE_BOUNDARY_ABSORBING};
      fare_truth_options options = {
        .cells = {1, cells}, .boundaries = {1, ends}, .tolerance = 1e-9, .estimate = PETSC_TRUE};
      fare_system             *system = system_of(&s);
      double                   below = 0, above = 0, weight = 0;
      const fare_truth_status *status;
      fare_truth              *truth;

      for (int i = -500; i <= 500; i++) {
        const double z = 0.3 + 0.6 * i / 500, w = exp(-0.5 * pow((z - 0.3) / 0.1, 2));

        weight += w;
        below += w * left_below(1.5, 1 + z, 2, 0.4);
        above += w * left_below(-1.5, 1 - z, 2, 0.4);
      }
      assert_ok(fare_truth_create(PETSC_COMM_SELF, system, &initial, 0, &options, &truth));
      assert_ok(fare_truth_advance(truth, 0.2));
      assert_ok(fare_truth_advance(truth, 0.4));
      status = fare_truth_get_status(truth);
      off[n] = fabs(status->absorbed[0][0] - below / weight);
      print_message("%s, %d cells: below %.8f (%.8f) +- %.1e, above %.8f (%.8f) +- %.1e, left %.8f +- %.1e\n",
        s.type->name, (int)cells[0], status->absorbed[0][0], below / weight, status->absorbed_error[0][0],
        status->absorbed[0][1], above / weight, status->absorbed_error[0][1], status->survival,
        status->survival_error);
      assert_near(status->absorbed[0][0] + status->absorbed[0][1] + status->survival, 1, 1e-12);
      assert_near(status->exit_rate[0][0] + status->exit_rate[0][1], status->exit_flux, 1e-12);
      assert_between(fabs(status->absorbed[0][0] - below / weight), 0.2 * status->absorbed_error[0][0],
        3 * status->absorbed_error[0][0]);
      assert_between(fabs(status->absorbed[0][1] - above / weight), 0.2 * status->absorbed_error[0][1],
        3 * status->absorbed_error[0][1]);
      assert_ok(fare_truth_destroy(&truth));
      assert_ok(fare_system_destroy(&system));
    }
    assert_between(off[0] / off[1], 3.5, 4.5);
  }
}

/*
  Nobody is drawn outside of a box that ends: the gaussian that the truth cuts off is the one that particles
  come from.
*/
static void starts_are_cut_off(void **state)
{
  double             at[1] = {0.9}, wide[1] = {0.5}, mean[FARE_DIM_MAX], variance[FARE_DIM_MAX], effective;
  const fare_box     box     = {.lower = {-1}, .upper = {1}};
  const fare_initial initial = {
    .density = FARE_INITIAL_GAUSSIAN, .mean = {1, at}, .sd = {1, wide}, .box = &box, .bounded = PETSC_TRUE};
  const double a = -1.9 / 0.5, b = 0.1 / 0.5, mass = 0.5 * (erf(b / sqrt(2)) - erf(a / sqrt(2))),
               density[2] = {exp(-0.5 * a * a) / sqrt(2 * PETSC_PI), exp(-0.5 * b * b) / sqrt(2 * PETSC_PI)};
  fare_system   *system   = make_system("ornstein_uhlenbeck", 1);
  fare_ensemble *e;

  (void)state;
  assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, 1, 100000, &e));
  assert_ok(fare_ensemble_draw(e, &initial, system, 0, fare_stream_make(1, "start")));
  for (int64_t i = 0; i < e->local; i++) assert_between(e->x[0][i], -1, 1);
  assert_ok(fare_ensemble_moments(e, mean, variance, &effective));
  assert_near(mean[0], 0.9 + 0.5 * (density[0] - density[1]) / mass, 5e-3);
  assert_ok(fare_ensemble_destroy(&e));
  assert_ok(fare_system_destroy(&system));
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(mirrors_are_exact_without_drift),
  cmocka_unit_test(a_force_onto_a_mirror),
  cmocka_unit_test(two_ends_that_absorb),
  cmocka_unit_test(an_end_and_a_mirror),
  cmocka_unit_test(corners_that_absorb),
  cmocka_unit_test(a_trap_between_ends_that_absorb),
  cmocka_unit_test(a_mirror_for_bodies),
  cmocka_unit_test(the_truth_tells_its_ends_apart),
  cmocka_unit_test(starts_are_cut_off),
};
FARE_TEST_MAIN(tests)
