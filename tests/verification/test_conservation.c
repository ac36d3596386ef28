/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification ranks=1,2,3,4 timeout=120 */
/*
  L keeps probability: its columns sum to zero, or to what leaves over an absorbing end, also where the
  slope of drift and diffusion jumps at the seam of a ring. What does not keep it is an error, and not put
  right unseen.
*/
#include "fare_test.h"

#include "truth/rates/operator.h"

#include <petscdm.h>

#define WIDTH 2.5

/* In the box [-0.5, 2] alone do these mean what they say: outside they would be something else, and negative
   from 2.5 on. */
static const fare_parameter none[] = {{"unused", 0, -1, 1, "nothing"}, FARE_PARAMETERS_END};
static int                  outside; /* points that were asked about beyond the box */

static void look(int dim, size_t n, const double *const x[])
{
  for (int axis = 0; axis < dim; axis++) {
    for (size_t i = 0; i < n; i++) outside += x[axis][i] < -0.5 || x[axis][i] > 2;
  }
}

static void ring_drift(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  (void)theta;
  look(dim, n, x);
  for (int axis = 0; axis < dim; axis++) {
    for (size_t i = 0; i < n; i++) f[axis][i] = 3 + axis - (x[axis][i] - 0.75) * (x[axis][i] - 0.75);
  }
}

static void ring_diffusion(int dim, const double *theta, size_t n, const double *const x[], double *const D[])
{
  (void)theta;
  look(dim, n, x);
  for (int axis = 0; axis < dim; axis++) {
    for (size_t i = 0; i < n; i++) D[axis][i] = 2 - fabs(x[axis][i] - 0.75);
  }
}

#define ROUND .periodic = {PETSC_TRUE, PETSC_TRUE, PETSC_TRUE}
#define RING  .lower = {-0.5, -0.5, -0.5}, .upper = {2, 2, 2}, .dimension_min = 1, .dimension_max = 3
static const fare_system_type ring = {
  .name = "ring",
  RING,
  ROUND,
  .parameters = none,
  .drift      = ring_drift,
  .diffusion  = ring_diffusion,
};

/* V = 4 |x - 0.75|, whose slope jumps at the seam, and a force round and round that varies. */
static const fare_parameter common[] = {FARE_COMMON_PARAMETERS, FARE_PARAMETERS_END};

static void kink_potential(int dim, const double *theta, size_t n, const double *const x[], double V[])
{
  (void)theta;
  look(dim, n, x);
  for (size_t i = 0; i < n; i++) {
    V[i] = 0;
    for (int axis = 0; axis < dim; axis++) V[i] += 4 * fabs(x[axis][i] - 0.75);
  }
}

static void kink_extra(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  (void)theta;
  look(dim, n, x);
  for (int axis = 0; axis < dim; axis++) {
    for (size_t i = 0; i < n; i++) f[axis][i] = 1 + (x[axis][i] - 0.75) * (x[axis][i] - 0.75);
  }
}

static void kink_force(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  kink_extra(dim, theta, n, x, f);
  for (int axis = 0; axis < dim; axis++) {
    for (size_t i = 0; i < n; i++) f[axis][i] -= copysign(4, x[axis][i] - 0.75);
  }
}

static const fare_system_type kink = {
  .name = "kink",
  RING,
  ROUND,
  .parameters      = common,
  .potential       = kink_potential,
  .force           = kink_force,
  .nonconservative = kink_extra,
};

/* Depends on where in the batch a point stands, as no function of a place does: the two sides of a shared
   face disagree. */
static void torn_diffusion(int dim, const double *theta, size_t n, const double *const x[], double *const D[])
{
  (void)theta, (void)x;
  for (int axis = 0; axis < dim; axis++) {
    for (size_t i = 0; i < n; i++) D[axis][i] = 1 + 0.01 * (double)i;
  }
}

static const fare_system_type torn = {
  .name = "torn",
  RING,
  ROUND,
  .parameters = none,
  .drift      = ring_drift,
  .diffusion  = torn_diffusion,
};

static void negative_diffusion(
  int dim, const double *theta, size_t n, const double *const x[], double *const D[])
{
  (void)theta;
  for (int axis = 0; axis < dim; axis++) {
    for (size_t i = 0; i < n; i++) D[axis][i] = x[axis][i] > 1.5 ? -0.1 : 1;
  }
}

/* No number in a small place that no centre lies in. */
static void hollow_drift(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  (void)theta;
  for (int axis = 0; axis < dim; axis++) {
    for (size_t i = 0; i < n; i++) f[axis][i] = fabs(x[axis][i] - 0.75) < 0.01 ? NAN : 1;
  }
}

static const fare_system_type hollow = {
  .name = "hollow",
  RING,
  .parameters = none,
  .drift      = hollow_drift,
  .diffusion  = ring_diffusion,
};

/* Fine in the box, negative or no number beyond its walls, where nobody should ask. */
static void bounded_diffusion(
  int dim, const double *theta, size_t n, const double *const x[], double *const D[])
{
  (void)theta;
  for (int axis = 0; axis < dim; axis++) {
    for (size_t i = 0; i < n; i++) D[axis][i] = axis ? sqrt(x[axis][i] + 0.5) : x[axis][i] + 0.5;
  }
}

static const fare_system_type bounded = {
  .name = "bounded",
  RING,
  .parameters = none,
  .drift      = ring_drift,
  .diffusion  = bounded_diffusion,
};

static const fare_system_type negative = {
  .name = "negative",
  RING,
  .parameters = none,
  .drift      = ring_drift,
  .diffusion  = negative_diffusion,
};

typedef struct {
  fare_system   *system;
  fare_grid     *grid;
  fare_operator *op;
} setting;

static setting set(const fare_system_type *type, int dim, PetscInt cells, double turns, fare_boundary end)
{
  const PetscInt      count[] = {cells, cells, cells};
  const double        end_at  = -0.5 + turns * WIDTH;
  const double        lower[] = {-0.5, -0.5, -0.5}, upper[] = {end_at, end_at, end_at};
  const fare_boundary ends[] = {end, end, end};
  setting             s;

  assert_ok(fare_system_create(type, dim, &s.system));
  assert_ok(fare_grid_create(PETSC_COMM_WORLD, dim, count, lower, upper, ends, &s.grid));
  assert_ok(fare_operator_create(s.grid, s.system, &s.op));
  return s;
}

static void unset(setting *s)
{
  assert_ok(fare_operator_destroy(&s->op));
  assert_ok(fare_grid_destroy(&s->grid));
  assert_ok(fare_system_destroy(&s->system));
}

/* The largest sum of a column of -A = L, relative to the largest rate; of all together, what leaves. */
static void sum_columns(setting *s, double *worst, double *total)
{
  Mat       A;
  Vec       ones, sums;
  PetscReal norm;
  double    rate;

  assert_ok(fare_operator_matrix(s->op, &A));
  assert_ok(fare_operator_assemble(s->op, 0, 0, A));
  assert_ok(MatCreateVecs(A, &ones, &sums));
  assert_ok(VecSet(ones, 1));
  assert_ok(MatMultTranspose(A, ones, sums));
  assert_ok(VecNorm(sums, NORM_INFINITY, &norm));
  assert_ok(VecSum(sums, total));
  assert_ok(fare_operator_largest_rate(s->op, &rate));
  *worst = norm / rate;
  assert_ok(VecDestroy(&ones));
  assert_ok(VecDestroy(&sums));
  assert_ok(MatDestroy(&A));
}

static void columns_of_a_ring_sum_to_zero(void **state)
{
  const fare_system_type *const types[] = {&ring, &kink};

  (void)state;
  for (int i = 0; i < 2; i++) {
    for (int dim = 1; dim <= 3; dim++) {
      setting s = set(types[i], dim, dim == 1 ? 60 : 12, 1, FARE_BOUNDARY_PERIODIC);
      double  worst, total;

      outside = 0;
      sum_columns(&s, &worst, &total);
      assert_between(worst, 0, 1e-14);
      assert_int_equal(outside, 0);
      unset(&s);
    }
  }
}

static void walls_keep_and_ends_absorb(void **state)
{
  (void)state;
  for (int i = 0; i < 2; i++) {
    setting s = set(i ? &kink : &ring, 1, 60, 1, FARE_BOUNDARY_REFLECTING);
    double  worst, total, leaves = 0, rates[2] = {0}, all[2];
    Vec     first, flow;

    sum_columns(&s, &worst, &total);
    assert_between(worst, 0, 1e-14);
    unset(&s);
    /* with ends that absorb: what the columns are short of is the rate out of the two outermost cells */
    s = set(i ? &kink : &ring, 1, 60, 1, FARE_BOUNDARY_ABSORBING);
    sum_columns(&s, &worst, &total);
    if (s.grid->start[0] == 0) rates[0] = s.op->down[0][0];
    if (s.grid->start[0] + s.grid->count[0] == 60) rates[1] = s.op->up[0][s.op->box - 2];
    MPI_Allreduce(rates, all, 2, MPI_DOUBLE, MPI_SUM, PETSC_COMM_WORLD);
    assert_near(total, all[0] + all[1], 1e-9 * total);
    assert_ok(DMCreateGlobalVector(s.grid->dm, &first));
    assert_ok(VecDuplicate(first, &flow));
    assert_ok(VecSet(first, 1.0 / 60));
    assert_ok(fare_operator_apply(s.op, 0, first, flow));
    assert_ok(VecSum(flow, &leaves));
    assert_near(-leaves, (all[0] + all[1]) / 60, 1e-9 * total);
    assert_ok(VecDestroy(&first));
    assert_ok(VecDestroy(&flow));
    unset(&s);
  }
}

static void refuses(const fare_system_type *type, int dim, fare_boundary end, const char *message)
{
  setting s = set(type, dim, 12, 1, end);

  assert_int_equal(fare_operator_rates(s.op, 0), FARE_ERR_FAILED);
  if (!strstr(fare_error_message(), message)) fail_msg("'%s', not '%s'", fare_error_message(), message);
  unset(&s);
}

static void what_does_not_conserve_is_an_error(void **state)
{
  (void)state;
  for (int dim = 1; dim <= 3; dim++) {
    refuses(&torn, dim, FARE_BOUNDARY_PERIODIC, "probability is not conserved");
    refuses(&negative, dim, FARE_BOUNDARY_REFLECTING, "is negative");
    refuses(&hollow, dim, FARE_BOUNDARY_REFLECTING, "drift is not finite");
  }
}

static void what_lies_beyond_walls_does_not_matter(void **state)
{
  (void)state;
  for (int dim = 1; dim <= 3; dim++) {
    setting s = set(&bounded, dim, 12, 1, FARE_BOUNDARY_REFLECTING);
    double  worst, total;

    sum_columns(&s, &worst, &total);
    assert_between(worst, 0, 1e-14);
    unset(&s);
  }
}

/* An operator that leaks behind the back of these checks: what a solve has lost is not put right. */
static void lost_mass_is_not_restored(void **state)
{
  for (int general = 0; general < 2; general++) { /* by Runge-Kutta and by backward differentiation */
    const fare_system_type *type = general ? &ring : fare_system_type_find("prinz");
    setting         s = set(type, 1, 60, 1, general ? FARE_BOUNDARY_PERIODIC : FARE_BOUNDARY_REFLECTING);
    fare_evolution *evolution;
    Vec             masses;

    assert_ok(DMCreateGlobalVector(s.grid->dm, &masses));
    assert_ok(VecSet(masses, 1.0 / 60));
    assert_ok(fare_evolution_create(s.grid, s.system, 0, 1e-8, PETSC_FALSE, masses, &evolution));
    assert_ok(fare_evolution_advance(evolution, 0.01));
    assert_ok(fare_operator_rates(evolution->op, 0));
    if (s.grid->start[0] == 0) evolution->op->down[0][0] += 1e-3 * evolution->op->up[0][1];
    evolution->op->version++;
    assert_int_equal(fare_evolution_advance(evolution, 0.02), FARE_ERR_FAILED);
    if (!strstr(fare_error_message(), "does not conserve probability"))
      fail_msg("'%s'", fare_error_message());
    assert_ok(fare_evolution_destroy(&evolution));
    unset(&s);
  }
  (void)state;
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(columns_of_a_ring_sum_to_zero),
  cmocka_unit_test(walls_keep_and_ends_absorb),
  cmocka_unit_test(what_does_not_conserve_is_an_error),
  cmocka_unit_test(what_lies_beyond_walls_does_not_matter),
  cmocka_unit_test(lost_mass_is_not_restored),
};
FARE_TEST_MAIN(tests)
