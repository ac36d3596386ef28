/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification ranks=1,2 timeout=300 */
/*
  Thermodynamics on the grid: identities to round-off, closed forms of Gaussian systems, and published
  averages.
*/
#include "fare_test.h"

#define EXACT 1e-10

static const fare_initial boltzmann = {.density = FARE_INITIAL_BOLTZMANN};

static fare_truth *make_truth(
  const fare_system *system, const fare_initial *initial, PetscInt64 cells, double half_width)
{
  PetscInt64         n[]     = {cells, cells, cells};
  double             lower[] = {-half_width, -half_width}, upper[] = {half_width, half_width};
  const size_t       dim     = (size_t)fare_system_dimension(system);
  fare_truth_options options = {.cells = {dim, n}, .tolerance = 1e-10, .scheme = FARE_SCHEME_FITTED};
  fare_truth        *truth;

  if (half_width > 0) {
    options.lower = (fare_reals){dim, lower};
    options.upper = (fare_reals){dim, upper};
  }
  assert_ok(fare_truth_create(PETSC_COMM_WORLD, system, initial, 0, &options, &truth));
  return truth;
}

/* Through `count` equal intervals to `end`; rows are copied to the caller, who frees them. */
static fare_thermo_row *follow(const fare_system *system, const fare_initial *initial, PetscInt64 cells,
  double half_width, double end, int count, int points)
{
  const fare_thermo_options options = {.points = points};
  fare_truth               *truth   = make_truth(system, initial, cells, half_width);
  fare_thermo              *thermo;
  fare_thermo_row          *rows;

  assert_ok(fare_thermo_create(truth, system, &options, &thermo));
  for (int k = 1; k <= count; k++) assert_ok(fare_thermo_advance(thermo, end * k / count));
  assert_int_equal(fare_thermo_count(thermo), count + 1);
  rows = malloc((size_t)(count + 1) * sizeof *rows);
  memcpy(rows, fare_thermo_rows(thermo), (size_t)(count + 1) * sizeof *rows);
  assert_near(fare_thermo_mean_kl(thermo), rows[count].kl_integral / end,
    isnan(rows[count].kl_integral) ? HUGE_VAL : 0);
  assert_ok(fare_thermo_destroy(&thermo));
  assert_ok(fare_truth_destroy(&truth));
  return rows;
}

/* What has no more to say about ranks. */
static void alone_only(void)
{
  int ranks;

  MPI_Comm_size(PETSC_COMM_WORLD, &ranks);
  if (ranks > 1) skip();
}

static void drive(fare_system *system, const char *waveform)
{
  fare_config *config;

  assert_ok(fare_config_parse("test", waveform, strlen(waveform), &config));
  assert_ok(fare_system_drive(system, fare_config_root(config)));
  fare_config_destroy(&config);
}

static fare_system *make_system(const char *name, int dimension)
{
  fare_system *system;

  assert_ok(fare_system_create(fare_system_type_find(name), dimension, &system));
  return system;
}

/*
  Every identity of METHODS 3 for a chain from equilibrium, and those that hold from anywhere for one from the
  wrong place.
*/
static void check_chain(const fare_system *system, PetscInt64 cells, double end, PetscInt64 steps)
{
  const double kT = fare_system_kT(system, 0), b = 1 / kT,
               lambda[]   = {b, 0.3 * b, 0.5 * b, -0.4 * b, 1.6 * b},
               mirrored[] = {0, b - lambda[1], b - lambda[2], b - lambda[3], b - lambda[4]}, one = b;
  double          forward[5], reverse[5], back, dF;
  fare_truth     *truth = make_truth(system, &boltzmann, cells, 0);
  fare_chain     *chain;
  fare_chain_row *row = malloc((size_t)(steps + 1) * sizeof *row);
  Vec             P;

  assert_ok(fare_chain_create(fare_truth_grid(truth), system, 0, end, steps, &chain));
  dF = fare_chain_free_energy(chain);
  assert_true(fabs(dF) > 0.01); /* something to be found */
  assert_ok(fare_chain_generate(chain, PETSC_FALSE, 5, lambda, forward));
  assert_ok(fare_chain_generate(chain, PETSC_TRUE, 5, mirrored, reverse));
  assert_ok(fare_chain_generate(chain, PETSC_TRUE, 1, &one, &back));
  assert_near(-kT * forward[0], dF, EXACT);
  assert_near(-kT * back, -dF, EXACT);
  for (int i = 0; i < 5; i++) assert_near(forward[i], -b * dF + reverse[i], EXACT);
  assert_ok(VecDuplicate(fare_truth_masses(truth), &P));
  for (int start = 0; start < 2; start++) {
    assert_ok(VecCopy(fare_truth_masses(truth), P));
    if (start) { /* squared and normalised: far from equilibrium */
      PetscScalar sum;

      assert_ok(VecPointwiseMult(P, P, P));
      assert_ok(VecSum(P, &sum));
      assert_ok(VecScale(P, 1 / sum));
    }
    assert_ok(fare_chain_follow(chain, start ? P : NULL, row));
    assert_near(row[steps].equilibrium_free_energy - row[0].equilibrium_free_energy, dF, EXACT);
    assert_between(row[0].kl_to_equilibrium, start ? 0.05 : -EXACT, start ? 10 : EXACT);
    assert_true(row[steps].dissipated_work - row[0].dissipated_work > 1e-3);
    for (PetscInt64 n = 1; n <= steps; n++) {
      assert_near(row[n].energy - row[n - 1].energy,
        row[n].work - row[n - 1].work + row[n].heat - row[n - 1].heat, EXACT);
      assert_between(row[n].produced - row[n - 1].produced, -1e-13, HUGE_VAL);
      assert_between(row[n].dissipated_work - kT * (row[n].kl_to_equilibrium - row[0].kl_to_equilibrium),
        -1e-12, HUGE_VAL);
      assert_near(b * row[n].dissipated_work,
        row[n].kl_to_equilibrium - row[0].kl_to_equilibrium + row[n].produced, EXACT);
      assert_near(row[n].energy - kT * row[n].entropy,
        row[n].equilibrium_free_energy + kT * row[n].kl_to_equilibrium, EXACT);
    }
  }
  assert_ok(VecDestroy(&P));
  free(row);
  assert_ok(fare_chain_destroy(&chain));
  assert_ok(fare_truth_destroy(&truth));
}

static void identities_of_a_driven_prinz(void **state)
{
  fare_system *system = make_system("prinz", 1);

  (void)state;
  assert_ok(fare_system_drive_sine(system, "tilt", 4, 1, 0));
  check_chain(system, 256, 0.3, 40);
  check_chain(system, 256, 0.3, 3); /* at any step */
  assert_ok(fare_system_destroy(&system));
}

static void identities_in_two_dimensions(void **state)
{
  fare_system *system = make_system("quadruple_well", 2);

  (void)state;
  drive(system, "{parameter: tilt, waveform: ramp, amplitude: 0.8, start: 0, end: 2}");
  check_chain(system, 32, 1.5, 12);
  assert_ok(fare_system_destroy(&system));
}

/* The moments that the chain carries along are the derivatives of its generating function. */
static void moments_are_derivatives(void **state)
{
  const double h = 1e-3, lambda[] = {-h, h};
  double       log_mean[2], mean, variance;
  fare_system *system = make_system("prinz", 1);
  fare_truth  *truth;
  fare_chain  *chain;

  (void)state;
  alone_only();
  assert_ok(fare_system_drive_sine(system, "tilt", 4, 1, 0));
  truth = make_truth(system, &boltzmann, 128, 0);
  assert_ok(fare_chain_create(fare_truth_grid(truth), system, 0, 0.7, 30, &chain));
  for (int way = 0; way < 2; way++) {
    assert_ok(fare_chain_generate(chain, way, 2, lambda, log_mean));
    assert_ok(fare_chain_moments(chain, way, &mean, &variance));
    assert_near((log_mean[0] - log_mean[1]) / (2 * h), mean, 1e-5 * fabs(mean));
    assert_near((log_mean[0] + log_mean[1]) / (h * h), variance, 1e-5 * variance);
  }
  assert_ok(fare_chain_destroy(&chain));
  assert_ok(fare_truth_destroy(&truth));
  assert_ok(fare_system_destroy(&system));
}

/*
  All constants 1, speed 1 until time 2. The trap is ahead of the mean by 1 - exp(-t), and the density keeps
  its shape.
*/
static void a_dragged_trap(void **state)
{
  const double    t = 2, behind = 1 - exp(-t), W = t - behind;
  fare_system    *system = make_system("ornstein_uhlenbeck", 1);
  fare_thermo_row row[2], *all;
  double          mean[2], variance[2];

  (void)state;
  alone_only();
  drive(system, "{parameter: centre, waveform: ramp, amplitude: 2, start: 0, end: 2}");
  for (int i = 0; i < 2; i++) {
    all    = follow(system, &boltzmann, 256 << i, 0, t, 8, 5);
    row[i] = all[8];
    for (int k = 1; k <= 8; k++) assert_near(all[k].energy - all[0].energy, all[k].work + all[k].heat, 1e-12);
    free(all);
  }
  assert_near(W, 1.1353352832, 1e-10);
#define EXTRAPOLATED(member) (row[1].member + (row[1].member - row[0].member) / 3)
  assert_near(EXTRAPOLATED(work), W, 1e-6);
  assert_near(EXTRAPOLATED(dissipated_work), W, 1e-6);
  assert_near(EXTRAPOLATED(energy), 0.5 + 0.5 * behind * behind, 1e-6);
  assert_near(EXTRAPOLATED(entropy), 0.5 * log(2 * M_PI * M_E), 1e-6);
  assert_near(EXTRAPOLATED(equilibrium_free_energy), -0.5 * log(2 * M_PI), 1e-6);
  assert_near(EXTRAPOLATED(kl_to_equilibrium), 0.5 * behind * behind, 1e-6);
  assert_near(EXTRAPOLATED(total_rate), behind * behind, 1e-6);
  assert_near(EXTRAPOLATED(total), t - 2 * behind + 0.5 * (1 - exp(-2 * t)), 1e-6);
  assert_near(EXTRAPOLATED(kl_integral), 0.5 * (t - 2 * behind + 0.5 * (1 - exp(-2 * t))), 1e-6);
  assert_near(EXTRAPOLATED(velocity[0]), behind, 1e-6);
#undef EXTRAPOLATED
  assert_between(row[1].energy_balance, 0, 1e-7);
  /*
    the work of trajectories: Gaussian, its variance twice its mean; the chain tends to it in first order of
    its step
  */
  for (int i = 0; i < 2; i++) {
    fare_truth *truth = make_truth(system, &boltzmann, 512, 0);
    fare_chain *chain;

    assert_ok(fare_chain_create(fare_truth_grid(truth), system, 0, t, 200 << i, &chain));
    assert_ok(fare_chain_moments(chain, PETSC_FALSE, &mean[i], &variance[i]));
    if (i) {
      const double lambda[] = {0.5, -0.5, 2};
      double       log_mean[3];

      assert_ok(fare_chain_generate(chain, PETSC_FALSE, 3, lambda, log_mean));
      for (int l = 0; l < 3; l++)
        assert_near(log_mean[l], -lambda[l] * mean[1] + 0.5 * lambda[l] * lambda[l] * variance[1], 1e-2);
    }
    assert_ok(fare_chain_destroy(&chain));
    assert_ok(fare_truth_destroy(&truth));
  }
  assert_near(2 * mean[1] - mean[0], 1.1353352832, 1e-4);
  assert_near(2 * variance[1] - variance[0], 2.2706705665, 3e-4);
  assert_ok(fare_system_destroy(&system));
}

/* At a jump from c to -c the mean m does work 2 k c m; in between there is none. */
static void a_trap_that_jumps(void **state)
{
  /* from 1, then from where half a period at -1 has brought it */
  const double     first = 2 * 1, m = -1 + 2 * exp(-0.5), second = -2 * m;
  fare_system     *system = make_system("ornstein_uhlenbeck", 1);
  fare_thermo_row *row[2];

  (void)state;
  alone_only();
  drive(system, "{parameter: centre, waveform: square, amplitude: 1, period: 1}");
  row[0] = follow(system, &boltzmann, 256, 0, 1.2, 3, 5); /* jumps at 0.5 and 1, between snapshots */
  row[1] = follow(system, &boltzmann, 512, 0, 1.2, 3, 5);
  assert_near(row[1][1].work, 0, 1e-12);
  assert_near(row[1][2].work + (row[1][2].work - row[0][2].work) / 3, first, 1e-6);
  assert_near(row[1][3].work + (row[1][3].work - row[0][3].work) / 3, first + second, 1e-6);
  for (int k = 1; k <= 3; k++)
    assert_near(row[1][k].energy - row[1][0].energy, row[1][k].work + row[1][k].heat, 1e-12);
  free(row[0]);
  free(row[1]);
  assert_ok(fare_system_destroy(&system));
}

/*
  Isotropic Gaussian of variance s: housekeeping 2 w^2 s, excess 2 s (1 - 1/s)^2, for kT, mobility and
  stiffness 1.
*/
static void a_rotating_trap(void **state)
{
  const double     w      = 1.5;
  double           mean[] = {0, 0}, sd[] = {0.7, 0.7};
  fare_initial     narrow = {.density = FARE_INITIAL_GAUSSIAN, .mean = {2, mean}, .sd = {2, sd}};
  fare_system     *system = make_system("rotational_ou", 2);
  fare_thermo_row *row[2];

  (void)state;
  assert_ok(fare_system_set(system, "rotation", w));
  for (int i = 0; i < 2; i++) row[i] = follow(system, &narrow, 64 << i, 6, 0.4, 2, 7);
  for (int k = 0; k <= 2; k++) {
    const double t = 0.2 * k, s = 1 + (0.49 - 1) * exp(-2 * t),
                 rates[] = {2 * w * w * s, 2 * s * (1 - 1 / s) * (1 - 1 / s)};
    const double work    = 2 * w * w * (t + (0.49 - 1) * (1 - exp(-2 * t)) / 2);

    for (int i = 0; i < 2; i++) {
      assert_near(row[i][k].total_rate, row[i][k].housekeeping_rate + row[i][k].excess_rate,
        EXACT * row[i][k].total_rate);
      assert_between(row[i][k].housekeeping_rate, 0, HUGE_VAL);
      assert_between(row[i][k].excess_rate, 0, HUGE_VAL);
      assert_near(
        row[i][k].energy - row[i][0].energy, row[i][k].work + row[i][k].extra_work + row[i][k].heat, 1e-12);
      assert_near(row[i][k].work, 0, 0);
    }
#define EXTRAPOLATED(member) (row[1][k].member + (row[1][k].member - row[0][k].member) / 3)
    assert_near(EXTRAPOLATED(housekeeping_rate), rates[0], 1e-3);
    assert_near(EXTRAPOLATED(excess_rate), rates[1], 1e-3);
    assert_near(EXTRAPOLATED(extra_work), work, 1e-3); /* power = kT times housekeeping here */
    assert_near(EXTRAPOLATED(housekeeping), work, 1e-3);
#undef EXTRAPOLATED
  }
  assert_between(fabs(row[1][2].balance), 0, 1e-5);
  free(row[0]);
  free(row[1]);
  row[0] = follow(system, &boltzmann, 64, 6, 0.1, 1, 3);
  row[1] = follow(system, &boltzmann, 128, 6, 0.1, 1, 3);
  assert_near(row[1][1].total_rate + (row[1][1].total_rate - row[0][1].total_rate) / 3, 2 * w * w, 1e-4);
  /* at rest but for the grid, whose steady state is Boltzmann's to second order: the excess is of fourth */
  assert_between(row[1][1].excess_rate, 0, 1e-5);
  assert_between(row[0][1].excess_rate / row[1][1].excess_rate, 10, 22);
  free(row[0]);
  free(row[1]);
  assert_ok(fare_system_destroy(&system));
}

/* Excess = -sum dP/dt ln(P/pi), by the operator itself and not by faces; no potential here at all. */
static void productions_add_up(void **state)
{
  double             mean[] = {-0.8, 0.1}, sd[] = {0.3, 0.25};
  const fare_initial somewhere = {.density = FARE_INITIAL_GAUSSIAN, .mean = {2, mean}, .sd = {2, sd}};
  fare_system       *system    = make_system("maier_stein", 2);
  fare_truth        *truth     = make_truth(system, &somewhere, 48, 0);
  const fare_grid   *grid      = fare_truth_grid(truth);
  fare_operator     *op;
  fare_solved        solved;
  fare_production    rates;
  Vec                pi, flow;
  const PetscScalar *p, *r, *f;
  double             excess = 0;

  (void)state;
  assert_ok(fare_truth_advance(truth, 0.5));
  assert_ok(fare_operator_create(grid, system, &op));
  assert_ok(fare_stationary_solve(grid, system, 0.5, &pi, &solved));
  assert_ok(fare_production_rates(grid, system, op, 0.5, fare_truth_masses(truth), NULL, pi, &rates));
  assert_ok(VecDuplicate(pi, &flow));
  assert_ok(fare_operator_apply(op, 0.5, fare_truth_masses(truth), flow));
  assert_ok(VecGetArrayRead(fare_truth_masses(truth), &p));
  assert_ok(VecGetArrayRead(pi, &r));
  assert_ok(VecGetArrayRead(flow, &f));
  for (PetscInt n = 0; n < grid->count[0] * grid->count[1]; n++) {
    if (p[n] > 1e-18 && r[n] > 0) excess -= f[n] * log(p[n] / r[n]);
  }
  MPI_Allreduce(MPI_IN_PLACE, &excess, 1, MPI_DOUBLE, MPI_SUM, PETSC_COMM_WORLD);
  assert_ok(VecRestoreArrayRead(flow, &f));
  assert_ok(VecRestoreArrayRead(pi, &r));
  assert_ok(VecRestoreArrayRead(fare_truth_masses(truth), &p));
  assert_near(rates.excess, excess, EXACT * excess);
  assert_near(rates.total, rates.housekeeping + rates.excess, EXACT * rates.total);
  assert_between(rates.housekeeping, 1e-3, HUGE_VAL);
  assert_between(rates.excess, 1e-3, HUGE_VAL);
  assert_true(isnan(rates.power));
  assert_ok(VecDestroy(&pi));
  assert_ok(VecDestroy(&flow));
  assert_ok(fare_operator_destroy(&op));
  assert_ok(fare_truth_destroy(&truth));
  assert_ok(fare_system_destroy(&system));
}

/*
  The divergence from the Boltzmann density of the moment: at five instants to all digits that were published,
  and its averages over 40 snapshots of two periods.
*/
static void the_lag_of_the_prinz_potential(void **state)
{
  static const struct {
    double amplitude, period, mean, digit;
  } cases[] = {{4, 0.1, 0.838, 1e-3}, {4, 1, 0.669, 1e-3}, {4, 10, 0.0893, 1e-4}, {4, 100, 1.33e-3, 1e-5},
    {0.5, 0.1, 1.60e-2, 1e-4}, {0.5, 1, 1.37e-2, 1e-4}, {0.5, 10, 2.85e-3, 1e-5}, {0.5, 100, 3.94e-5, 1e-7}};
  static const struct {
    int    snapshot;
    double kl;
  } instants[] = {{5, 0.61630}, {15, 1.59853}, {20, 0.08966}, {25, 1.04434}, {40, 0.11649}};

  (void)state;
  alone_only();
  for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
    fare_system     *system = make_system("prinz", 1);
    fare_thermo_row *row;
    double           sum = 0;

    assert_ok(fare_system_drive_sine(system, "tilt", cases[c].amplitude, cases[c].period, 0));
    row = follow(system, &boltzmann, 512, 0, 2 * cases[c].period, 40, 5);
    for (int k = 1; k <= 40; k++) {
      sum += row[k].kl_to_equilibrium / 40;
      assert_near(row[k].energy - row[0].energy, row[k].work + row[k].heat, 1e-12);
      assert_between(row[k].dissipated_work - row[k].kl_to_equilibrium, 0, HUGE_VAL); /* the lag bound */
      assert_near(row[k].housekeeping_rate, 0, 0);
      assert_between(row[k].total_rate, 0, HUGE_VAL);
      /* closure: what is lost beyond the lag was produced, within what the quadrature says of itself */
      assert_near(
        row[k].dissipated_work - row[k].kl_to_equilibrium, row[k].total, fabs(row[k].balance) + 1e-10);
      assert_near(row[k].balance, 0, 1e-4 + row[k].energy_balance);
    }
    assert_near(sum, cases[c].mean, cases[c].digit);
    for (size_t i = 0; i < 5 && c == 1; i++) {
      fare_thermo_row *fine = i ? NULL : follow(system, &boltzmann, 1024, 0, 2, 40, 5);
      static double    finer[41];

      for (int k = 0; fine && k <= 40; k++) finer[k] = fine[k].kl_to_equilibrium;
      free(fine);
      assert_near(finer[instants[i].snapshot] +
          (finer[instants[i].snapshot] - row[instants[i].snapshot].kl_to_equilibrium) / 3,
        instants[i].kl, 6e-6);
    }
    free(row);
    assert_ok(fare_system_destroy(&system));
  }
}

/* More points agree with fewer, and the estimate of the quadrature's error is no less than what is seen. */
static void the_quadrature_knows_its_error(void **state)
{
  fare_system     *system = make_system("prinz", 1);
  fare_thermo_row *few, *many;

  (void)state;
  alone_only();
  assert_ok(fare_system_drive_sine(system, "tilt", 4, 1, 0));
  few  = follow(system, &boltzmann, 256, 0, 1, 4, 3);
  many = follow(system, &boltzmann, 256, 0, 1, 16, 7);
  assert_between(many[16].energy_balance, 0, 1e-6);
  assert_between(few[4].energy_balance / fabs(few[4].work - many[16].work), 0.5, 100);
  free(few);
  free(many);
  assert_ok(fare_system_destroy(&system));
}

/*
  Phase space: no transition along x has a reverse, so that production is known from heat and entropy alone.
*/
static void what_is_not_defined_is_absent(void **state)
{
  fare_system *kramers = make_system("kramers_double_well", 2), *lorenz = make_system("lorenz63_noise", 3),
              *hot = make_system("prinz", 1), *swirl = make_system("rotational_ou", 2);
  fare_thermo_row *row;
  fare_truth      *truth;
  fare_chain      *chain;

  (void)state;
  assert_int_equal(
    fare_thermo_defines(kramers), FARE_HAS_ENTROPY | FARE_HAS_ENERGY | FARE_HAS_FREE_WORK | FARE_HAS_TOTAL);
  assert_int_equal(fare_thermo_defines(lorenz), FARE_HAS_ENTROPY | FARE_HAS_PRODUCTION | FARE_HAS_TOTAL);
  assert_int_equal(fare_thermo_defines(swirl),
    FARE_HAS_ENTROPY | FARE_HAS_ENERGY | FARE_HAS_PRODUCTION | FARE_HAS_TOTAL | FARE_HAS_NONCONSERVATIVE |
      FARE_HAS_BALANCE);
  assert_ok(fare_system_drive_sine(hot, "kT", 0.1, 1, 0));
  assert_int_equal(
    fare_thermo_defines(hot), FARE_HAS_ENTROPY | FARE_HAS_ENERGY | FARE_HAS_PRODUCTION | FARE_HAS_TOTAL);
  row = follow(kramers, &boltzmann, 32, 0, 0.1, 1, 3);
  assert_true(isnan(row[1].total_rate) && isnan(row[1].excess_rate) && isfinite(row[1].energy) &&
    isfinite(row[1].total) && isfinite(row[1].dissipated_work));
  free(row);
  row = follow(hot, &boltzmann, 64, 0, 0.1, 1, 3);
  assert_true(isnan(row[1].dissipated_work) && isfinite(row[1].work) && row[1].total > 0);
  free(row);
  truth = make_truth(swirl, &boltzmann, 16, 0);
  assert_int_equal(fare_chain_create(fare_truth_grid(truth), swirl, 0, 1, 10, &chain), FARE_ERR_INPUT);
  assert_ok(fare_truth_destroy(&truth));
  assert_ok(fare_system_destroy(&kramers));
  assert_ok(fare_system_destroy(&lorenz));
  assert_ok(fare_system_destroy(&hot));
  assert_ok(fare_system_destroy(&swirl));
}

/*
  Three intervals and a fourth; or three, saved, and the fourth by another instrument that has read them: the
  same bits.
*/
static void it_goes_on_from_a_checkpoint(void **state)
{
  const fare_thermo_options options = {.points = 5};
  fare_system              *system  = make_system("prinz", 1);
  fare_thermo_row           rows[2][5];

  (void)state;
  drive(system, "{parameter: tilt, waveform: square, amplitude: 1, period: 0.5}"); /* jumps at 0.25 */
  for (int saved = 0; saved < 2; saved++) {
    fare_truth  *truth = make_truth(system, &boltzmann, 128, 0);
    fare_thermo *thermo;
    fare_store  *store;

    assert_ok(fare_thermo_create(truth, system, &options, &thermo));
    for (int k = 1; k <= 3; k++) assert_ok(fare_thermo_advance(thermo, 0.1 * k));
    if (saved) {
      assert_ok(fare_store_create(PETSC_COMM_WORLD, "test_thermo_checkpoint.h5", &store));
      assert_ok(fare_thermo_save(thermo, store, "/thermo"));
      assert_ok(fare_store_commit(&store));
      assert_ok(fare_thermo_destroy(&thermo));
      assert_ok(fare_thermo_create(truth, system, &options, &thermo));
      assert_ok(fare_store_open(PETSC_COMM_WORLD, "test_thermo_checkpoint.h5", &store));
      assert_ok(fare_thermo_load(thermo, store, "/thermo"));
      assert_ok(fare_store_close(&store));
    }
    assert_ok(fare_thermo_advance(thermo, 0.4));
    assert_int_equal(fare_thermo_count(thermo), 5);
    memcpy(rows[saved], fare_thermo_rows(thermo), sizeof rows[saved]);
    assert_ok(fare_thermo_destroy(&thermo));
    assert_ok(fare_truth_destroy(&truth));
  }
  assert_memory_equal(rows[0], rows[1], sizeof rows[0]);
  assert_true(fabs(rows[0][4].work) > 1e-3);
  assert_ok(fare_system_destroy(&system));
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(identities_of_a_driven_prinz),
  cmocka_unit_test(identities_in_two_dimensions),
  cmocka_unit_test(moments_are_derivatives),
  cmocka_unit_test(a_dragged_trap),
  cmocka_unit_test(a_trap_that_jumps),
  cmocka_unit_test(a_rotating_trap),
  cmocka_unit_test(productions_add_up),
  cmocka_unit_test(the_lag_of_the_prinz_potential),
  cmocka_unit_test(the_quadrature_knows_its_error),
  cmocka_unit_test(what_is_not_defined_is_absent),
  cmocka_unit_test(it_goes_on_from_a_checkpoint),
};

FARE_TEST_MAIN(tests)
