/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=unit ranks=1 timeout=60 */
/* Walks the registry: whatever a system says about itself must agree with itself. */
#include "fare_test.h"

#define POINTS 257

typedef double batch[FARE_DIM_MAX][POINTS];

static const double *const *in(batch x)
{
  static const double *px[FARE_DIM_MAX];

  for (int axis = 0; axis < FARE_DIM_MAX; axis++) px[axis] = x[axis];
  return px;
}

static double *const *out(batch f)
{
  static double *pf[FARE_DIM_MAX];

  for (int axis = 0; axis < FARE_DIM_MAX; axis++) pf[axis] = f[axis];
  return pf;
}

/* Parameters off their defaults, so that no term can hide behind a zero; points inside the domain. */
static void prepare(const fare_system_type *type, int dim, double theta[], batch x)
{
  fare_random random = {.stream = fare_stream_make(11, type->name)};

  for (int i = 0; type->parameters[i].name; i++) {
    const fare_parameter *row = &type->parameters[i];

    theta[i] =
      PetscMin(row->max, PetscMax(row->min, row->value + 0.3 * (0.5 + fare_random_uniform(&random))));
  }
  for (int axis = 0; axis < dim; axis++) {
    for (int i = 0; i < POINTS; i++)
      x[axis][i] = type->lower[axis] +
        (0.1 + 0.8 * fare_random_uniform(&random)) * (type->upper[axis] - type->lower[axis]);
  }
}

static fare_system *create(const fare_system_type *type, int dim, const double theta[])
{
  fare_system *system;

  assert_ok(fare_system_create(type, dim, &system));
  for (int i = 0; theta && type->parameters[i].name; i++)
    assert_ok(fare_system_set(system, type->parameters[i].name, theta[i]));
  return system;
}

#define FOR_EACH_SYSTEM(type, dim)                                                                        \
  for (size_t i_ = 0; fare_system_type_at(i_); i_++)                                                      \
    for (int dim = fare_system_type_at(i_)->dimension_min; dim <= fare_system_type_at(i_)->dimension_max; \
         dim++)                                                                                           \
      for (const fare_system_type *type = fare_system_type_at(i_); type; type = NULL)

static void tables_are_complete(void **state)
{
  (void)state;
  FOR_EACH_SYSTEM(type, dim)
  {
    const fare_parameter *rows = type->parameters;

    assert_true(*type->summary && *type->reference);
    assert_ptr_equal(fare_system_type_find(type->name), type);
    assert_in_range(dim, 1, FARE_DIM_MAX);
    for (int i = 0; rows[i].name; i++) {
      assert_true(i < FARE_PARAMETERS_MAX - 1 && *rows[i].description && rows[i].min < rows[i].max);
      assert_between(rows[i].value, rows[i].min, rows[i].max);
      for (int k = 0; k < i; k++) assert_string_not_equal(rows[i].name, rows[k].name);
      if (i != FARE_KT) assert_string_not_equal(rows[i].name, "kT");
    }
    for (int axis = 0; axis < dim; axis++) assert_true(type->lower[axis] < type->upper[axis]);
    /* what stands where, and what comes with what */
    assert_int_equal(!strcmp(rows[FARE_KT].name, "kT"), !!type->potential);
    assert_int_equal(!strcmp(rows[FARE_MOBILITY].name, "mobility"), !type->drift);
    assert_int_equal(!!type->drift, !!type->diffusion);
    assert_true(type->drift || type->potential);
    assert_int_equal(!!type->force, !!type->potential);
    assert_true(!type->nonconservative || type->potential);
    assert_int_equal(type->basis_count > 0, type->basis && type->coefficients);
    assert_true(!type->basis_count || type->potential);
  }
}

/*
  -grad V by Richardson-extrapolated central differences against the force less its part that is no gradient.
*/
static void force_is_minus_gradient(void **state)
{
  static batch  x, y, f, nonconservative;
  static double V[4][POINTS];
  const double  h = 2e-4, shifts[4] = {-2 * h, -h, h, 2 * h};

  (void)state;
  FOR_EACH_SYSTEM(type, dim)
  {
    double theta[FARE_PARAMETERS_MAX];

    if (!type->potential) continue;
    prepare(type, dim, theta, x);
    memset(nonconservative, 0, sizeof nonconservative);
    type->force(dim, theta, POINTS, in(x), out(f));
    if (type->nonconservative) type->nonconservative(dim, theta, POINTS, in(x), out(nonconservative));
    for (int axis = 0; axis < dim; axis++) {
      for (int k = 0; k < 4; k++) {
        memcpy(y, x, sizeof y);
        for (int i = 0; i < POINTS; i++) y[axis][i] += shifts[k];
        type->potential(dim, theta, POINTS, in(y), V[k]);
      }
      for (int i = 0; i < POINTS; i++) {
        const double slope = (V[0][i] - 8 * V[1][i] + 8 * V[2][i] - V[3][i]) / (12 * h),
                     size  = 1 + fabs(f[axis][i]) + fabs(V[1][i]);

        if (!(fabs(f[axis][i] - nonconservative[axis][i] + slope) < 1e-6 * size))
          fail_msg("%s, %d dimensions, axis %d at %g: force %g, -dV/dx %g", type->name, dim, axis, x[axis][i],
            f[axis][i], -slope);
      }
    }
  }
}

static void shapes_add_up_to_the_potential(void **state)
{
  static batch  x;
  static double V[POINTS], phi[8][POINTS];
  double *const pphi[] = {phi[0], phi[1], phi[2], phi[3], phi[4], phi[5], phi[6], phi[7]};

  (void)state;
  FOR_EACH_SYSTEM(type, dim)
  {
    double theta[FARE_PARAMETERS_MAX], a[8];

    if (!type->basis_count) continue;
    assert_in_range(type->basis_count, 1, 8);
    prepare(type, dim, theta, x);
    type->potential(dim, theta, POINTS, in(x), V);
    type->basis(dim, POINTS, in(x), pphi);
    type->coefficients(dim, theta, a);
    for (int i = 0; i < POINTS; i++) {
      double sum = 0, size = 0;

      for (int k = 0; k < type->basis_count; k++) {
        sum += a[k] * phi[k][i];
        size += fabs(a[k] * phi[k][i]);
      }
      if (!(fabs(sum - V[i]) <= 1e-13 * (1 + size)))
        fail_msg("%s: V %.17g, sum of basis functions %.17g", type->name, V[i], sum);
    }
  }
}

/*
  Drift and diffusion all over the default domain and a tenth of its width beyond, corners and centre among
  the points.
*/
static void drift_and_diffusion_are_finite(void **state)
{
  enum { SIDE = 31 };
  static batch x, f, D;

  (void)state;
  FOR_EACH_SYSTEM(type, dim)
  {
    fare_system *system = create(type, dim, NULL);
    const int    all    = dim == 1 ? SIDE : dim == 2 ? SIDE * SIDE : SIDE * SIDE * SIDE;

    for (int first = 0; first < all; first += POINTS) {
      const int n = PetscMin(POINTS, all - first);

      for (int i = 0; i < n; i++) {
        for (int axis = 0, rest = first + i; axis < dim; axis++, rest /= SIDE) {
          x[axis][i] = type->lower[axis] +
            (type->upper[axis] - type->lower[axis]) * (-0.1 + 1.2 * (rest % SIDE) / (SIDE - 1));
        }
      }
      fare_system_drift(system, 0, (size_t)n, in(x), out(f));
      fare_system_diffusion(system, 0, (size_t)n, in(x), out(D));
      for (int axis = 0; axis < dim; axis++) {
        for (int i = 0; i < n; i++) {
          if (!isfinite(f[axis][i]) || !isfinite(D[axis][i]) || D[axis][i] < 0)
            fail_msg("%s, %d dimensions, axis %d, at %g, %g, %g: drift %g, diffusion %g", type->name, dim,
              axis, x[0][i], x[1][i], x[2][i], f[axis][i], D[axis][i]);
        }
      }
    }
    assert_ok(fare_system_destroy(&system));
  }
}

static void compare_batches(const char *what, const fare_system_type *type, batch a, batch b, int count)
{
  for (int k = 0; k < count; k++) {
    for (int i = 0; i < POINTS; i++) {
      if (!(fabs(a[k][i] - b[k][i]) <= 1e-12 * (1 + fabs(a[k][i]))))
        fail_msg("%s of %s is not periodic: %.17g, one period on %.17g", what, type->name, a[k][i], b[k][i]);
    }
  }
}

/* Along a periodic axis everything comes back to itself; so a tilt, whose potential does not, shows. */
static void periodic_axes_are_periodic(void **state)
{
  static batch x, y, a, b;
  int          seen = 0;

  (void)state;
  FOR_EACH_SYSTEM(type, dim)
  {
    double       theta[FARE_PARAMETERS_MAX];
    fare_system *system;

    prepare(type, dim, theta, x);
    system = create(type, dim, theta);
    for (int axis = 0; axis < dim; axis++) {
      if (!type->periodic[axis]) continue;
      seen++;
      memcpy(y, x, sizeof y);
      for (int i = 0; i < POINTS; i++) y[axis][i] += type->upper[axis] - type->lower[axis];
      fare_system_drift(system, 0, POINTS, in(x), out(a));
      fare_system_drift(system, 0, POINTS, in(y), out(b));
      compare_batches("drift", type, a, b, dim);
      fare_system_diffusion(system, 0, POINTS, in(x), out(a));
      fare_system_diffusion(system, 0, POINTS, in(y), out(b));
      compare_batches("diffusion", type, a, b, dim);
      if (!type->potential) continue;
      fare_system_potential(system, 0, POINTS, in(x), a[0]);
      fare_system_potential(system, 0, POINTS, in(y), b[0]);
      compare_batches("potential", type, a, b, 1);
    }
    assert_ok(fare_system_destroy(&system));
  }
  assert_true(seen >= 3);
}

/* Small where ln p is steep. */
static double step(double slope)
{
  return 0.01 / (5 + fabs(slope));
}

/*
  div(f p) - sum_k d^2(D_k p)/dx_k^2 of p = exp(-V/kT) over p, by differences of fourth order, in parts of the
  size of what cancels in it.
*/
static void stationarity_defect(const fare_system *system, batch x, double defect[])
{
  static const double first[]  = {1. / 12, -2. / 3, 0, 2. / 3, -1. / 12},
                      second[] = {-1. / 12, 4. / 3, -5. / 2, 4. / 3, -1. / 12};
  static batch  y, f, D, slope;
  static double V[POINTS], V0[POINTS];
  const double  kT           = fare_system_kT(system, 0);
  double        size[POINTS] = {0};

  memset(defect, 0, POINTS * sizeof *defect);
  fare_system_potential(system, 0, POINTS, in(x), V0);
  fare_system_force(system, 0, POINTS, in(x), out(slope));
  for (int axis = 0; axis < fare_system_dimension(system); axis++) {
    double advected[POINTS] = {0}, diffused[POINTS] = {0};

    for (int k = 0; k < 5; k++) {
      memcpy(y, x, sizeof y);
      for (int i = 0; i < POINTS; i++) y[axis][i] += (k - 2) * step(slope[axis][i] / kT);
      fare_system_potential(system, 0, POINTS, in(y), V);
      fare_system_drift(system, 0, POINTS, in(y), out(f));
      fare_system_diffusion(system, 0, POINTS, in(y), out(D));
      for (int i = 0; i < POINTS; i++) {
        const double p = exp((V0[i] - V[i]) / kT), h = step(slope[axis][i] / kT);

        advected[i] += first[k] * f[axis][i] * p / h;
        diffused[i] += second[k] * D[axis][i] * p / (h * h);
      }
    }
    for (int i = 0; i < POINTS; i++) {
      defect[i] += advected[i] - diffused[i];
      size[i] += 1 + fabs(advected[i]) + fabs(diffused[i]);
    }
  }
  for (int i = 0; i < POINTS; i++) defect[i] = fabs(defect[i]) / size[i];
}

static void boltzmann_is_stationary(void **state)
{
  static batch x;
  double       defect[POINTS];
  int          inertial = 0;

  (void)state;
  FOR_EACH_SYSTEM(type, dim)
  {
    double       theta[FARE_PARAMETERS_MAX];
    fare_system *system;

    if (!type->potential) continue;
    prepare(type, dim, theta, x);
    system = create(type, dim, theta);
    /* its swirl runs along the level lines of V while these are centred */
    if (!strcmp(type->name, "rotational_ou")) {
      assert_ok(fare_system_set(system, "tilt", 0));
      assert_ok(fare_system_set(system, "tilt_y", 0));
    } else if (type->nonconservative) {
      assert_ok(fare_system_set(system, "force", 0));
    }
    stationarity_defect(system, x, defect);
    for (int i = 0; i < POINTS; i++) {
      if (!(defect[i] < 1e-5))
        fail_msg("%s, %d dimensions, at %g, %g, %g: dp/dt is %g of its terms", type->name, dim, x[0][i],
          x[1][i], x[2][i], defect[i]);
    }
    inertial += type->drift ? 1 : 0;
    assert_ok(fare_system_destroy(&system));
  }
  assert_int_equal(inertial, 2);
}

/*
  The sum of exp(-(V - least)/kT) over a grid as wide again as the domain: all of it, and the part outside of
  the domain.
*/
static void sum_boltzmann(
  const fare_system *system, double least, double *found, double *all, double *outside)
{
  enum { ROW = 240 };
  const fare_system_type *type = fare_system_type_of(system);
  const int               dim = fare_system_dimension(system), side = dim == 3 ? 60 : ROW,
            rows = dim == 1 ? 1
    : dim == 2              ? side
                            : side * side;
  double              x[FARE_DIM_MAX][ROW], V[ROW];
  const double *const px[] = {x[0], x[1], x[2]};

  *found = HUGE_VAL;
  *all = *outside = 0;
  for (int row = 0; row < rows; row++) {
    PetscBool row_outside = PETSC_FALSE;

    for (int axis = 0; axis < dim; axis++) {
      const double lower = type->lower[axis], width = type->upper[axis] - lower;

      for (int i = 0; i < side; i++) {
        const double at = (2 * (axis == 0 ? i : axis == 1 ? row % side : row / side) + 1) / (2. * side);

        x[axis][i] = type->periodic[axis] ? lower + at * width : lower + (2 * at - 0.5) * width;
      }
      if (axis && (x[axis][0] < lower || x[axis][0] > type->upper[axis])) row_outside = PETSC_TRUE;
    }
    fare_system_potential(system, 0, (size_t)side, px, V);
    for (int i = 0; i < side; i++) {
      const double p = exp((least - V[i]) / fare_system_kT(system, 0));

      *found = PetscMin(*found, V[i]);
      *all += p;
      if (row_outside || x[0][i] < type->lower[0] || x[0][i] > type->upper[0]) *outside += p;
    }
  }
}

static void domain_holds_the_boltzmann_density(void **state)
{
  (void)state;
  FOR_EACH_SYSTEM(type, dim)
  {
    double       least, all, outside;
    fare_system *system;

    if (!type->potential) continue;
    system = create(type, dim, NULL);
    sum_boltzmann(system, 0, &least, &all, &outside);
    sum_boltzmann(system, least, &least, &all, &outside);
    if (!(outside <= 1e-10 * all))
      fail_msg("%s, %d dimensions: %.3g of the Boltzmann density is outside of the default domain",
        type->name, dim, outside / all);
    assert_ok(fare_system_destroy(&system));
  }
}

/* mass (dv + friction v) is the force of the overdamped namesake. */
static void inertia_leaves_the_force(void **state)
{
  const char *const names[][2] = {{"kramers_prinz", "prinz"}, {"kramers_double_well", "double_well"}};
  static batch      x, f, g;
  double            theta[FARE_PARAMETERS_MAX];

  (void)state;
  for (int k = 0; k < 2; k++) {
    const fare_system_type *type = fare_system_type_find(names[k][0]);
    fare_system            *inertial, *overdamped;

    prepare(type, 2, theta, x);
    inertial = create(type, 2, theta);
    assert_ok(fare_system_create(fare_system_type_find(names[k][1]), 1, &overdamped));
    assert_string_equal(type->parameters[1].name, "mass");
    assert_string_equal(type->parameters[2].name, "friction");
    for (int i = 3; type->parameters[i].name; i++)
      assert_ok(fare_system_set(overdamped, type->parameters[i].name, theta[i]));
    fare_system_drift(inertial, 0, POINTS, in(x), out(f));
    fare_system_force(overdamped, 0, POINTS, in(x), out(g));
    for (int i = 0; i < POINTS; i++)
      assert_near(theta[1] * (f[1][i] + theta[2] * x[1][i]), g[0][i], 1e-13 * (10 + fabs(g[0][i])));
    assert_ok(fare_system_destroy(&inertial));
    assert_ok(fare_system_destroy(&overdamped));
  }
}

/* Below zero concentrations stop to act, and noise does not vanish. */
static void toggle_switch_below_zero(void **state)
{
  static batch x, y, f, g, D, E;
  fare_system *system = create(fare_system_type_find("toggle_switch"), 0, NULL);

  (void)state;
  for (int i = 0; i < POINTS; i++) {
    x[0][i] = -1e-3 * (i + 1);
    x[1][i] = y[1][i] = 0.02 * i;
    y[0][i]           = 0;
  }
  fare_system_drift(system, 0, POINTS, in(x), out(f));
  fare_system_drift(system, 0, POINTS, in(y), out(g));
  fare_system_diffusion(system, 0, POINTS, in(x), out(D));
  fare_system_diffusion(system, 0, POINTS, in(y), out(E));
  for (int i = 0; i < POINTS; i++) {
    assert_near(f[0][i], g[0][i] - x[0][i], 1e-14);
    assert_near(f[1][i], g[1][i], 1e-14);
    assert_near(D[0][i], E[0][i], 1e-16);
    assert_true(D[0][i] >= 0.05 / 80 && f[0][i] > 0);
  }
  assert_ok(fare_system_destroy(&system));
}

/* The origin, where the angle has no value, gives numbers none the less. */
static void five_well_at_the_origin(void **state)
{
  const double at[] = {0, 0, 1e-200}, *const x[] = {at, at};
  double        V[3], f[2][3];
  double *const pf[]   = {f[0], f[1]};
  fare_system  *system = create(fare_system_type_find("five_well"), 0, NULL);

  (void)state;
  fare_system_potential(system, 0, 3, x, V);
  fare_system_force(system, 0, 3, x, pf);
  for (int i = 0; i < 3; i++) {
    assert_between(V[i], 21.5, 23.5);
    assert_true(isfinite(f[0][i]) && isfinite(f[1][i]));
  }
  assert_ok(fare_system_destroy(&system));
}

static void sine_drives_a_parameter(void **state)
{
  fare_system *system;
  double       theta[FARE_PARAMETERS_MAX];

  (void)state;
  assert_ok(fare_system_create(fare_system_type_find("prinz"), 0, &system));
  assert_false(fare_system_is_driven(system));
  assert_ok(fare_system_set(system, "tilt", 0.5));
  assert_ok(fare_system_drive_sine(system, "tilt", 4, 2, 0));
  assert_true(fare_system_is_driven(system));
  fare_system_parameters(system, 0.5, theta);
  assert_near(theta[3], 4.5, 1e-14);
  fare_system_parameters(system, 1.5, theta);
  assert_near(theta[3], -3.5, 1e-14);
  assert_ok(fare_system_check(system, 0, 10));
  assert_ok(fare_system_drive_sine(system, "kT", 2, 1, 0)); /* would go below zero */
  assert_int_equal(fare_system_check(system, 0, 10), FARE_ERR_INPUT);
  assert_int_equal(fare_system_drive_sine(system, "tlt", 2, 1, 0), FARE_ERR_INPUT);
  assert_int_equal(fare_system_set(system, "kT", -1), FARE_ERR_INPUT);
  assert_int_equal(fare_system_set(system, "kT", NAN), FARE_ERR_INPUT);
  assert_ok(fare_system_destroy(&system));
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(tables_are_complete),
  cmocka_unit_test(force_is_minus_gradient),
  cmocka_unit_test(shapes_add_up_to_the_potential),
  cmocka_unit_test(drift_and_diffusion_are_finite),
  cmocka_unit_test(periodic_axes_are_periodic),
  cmocka_unit_test(boltzmann_is_stationary),
  cmocka_unit_test(domain_holds_the_boltzmann_density),
  cmocka_unit_test(inertia_leaves_the_force),
  cmocka_unit_test(toggle_switch_below_zero),
  cmocka_unit_test(five_well_at_the_origin),
  cmocka_unit_test(sine_drives_a_parameter),
};
FARE_TEST_MAIN(tests)
