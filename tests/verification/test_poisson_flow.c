/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification ranks=1,2 timeout=400 */
/* Poisson flow: its noise against the distribution in closed form, and trainings in little time. */
#include "moving.h"

#include "sampler/denoising/poisson_flow.h"

#define DRAWS 131072 /* of the noise */

static int by_size(const void *a, const void *b)
{
  const double x = *(const double *)a, y = *(const double *)b;

  return (x > y) - (x < y);
}

/*
  Largest distance of the sorted radii' cumulative from that of the density rho^(N - 1) (rho^2 + D)^(-(N +
  D)/2), in the variable a = arctan(rho/sqrt D): sin^(N - 1) a cos^(D - 1) a.
*/
static double kolmogorov_smirnov(int dim, int D, size_t n, double radius[])
{
  const int steps      = 200000;
  double   *cumulative = calloc((size_t)steps + 1, sizeof *cumulative), worst = 0;

  for (int k = 0; k < steps; k++) {
    const double a = (k + 0.5) * M_PI / 2 / steps;

    cumulative[k + 1] = cumulative[k] + exp((dim - 1) * log(sin(a)) + (D - 1) * log(cos(a)));
  }
  qsort(radius, n, sizeof *radius, by_size);
  for (size_t i = 0; i < n; i++) {
    const double at = atan(radius[i] / sqrt(D)) / (M_PI / 2) * steps, f = at - floor(at),
                 *c = cumulative + (int)PetscMin(at, steps - 1);
    const double p  = (c[0] + f * (c[1] - c[0])) / cumulative[steps];

    worst = PetscMax(worst, PetscMax(fabs(p - (double)i / (double)n), fabs((double)(i + 1) / (double)n - p)));
  }
  free(cumulative);
  return worst;
}

static void the_noise_has_its_distribution(void **state)
{
  static const int Ds[]   = {1, 2, 8, 32, 128};
  const double     bound  = 1.95 / sqrt(DRAWS); /* exceeded with a chance of 1 in 1000 */
  double          *radius = calloc(DRAWS, sizeof *radius);

  (void)state;
  for (int dim = 1; dim <= 3; dim++) {
    for (size_t k = 0; k < PETSC_STATIC_ARRAY_LENGTH(Ds); k++) {
      const int D                       = Ds[k];
      double    direction[FARE_DIM_MAX] = {0}, square[FARE_DIM_MAX] = {0}, clipped, distance;
      int       touched = 0;

      for (uint64_t block = 0; block < DRAWS / FARE_BLOCK; block++) {
        double e[FARE_DIM_MAX][FARE_BLOCK];

        fare_poisson_noise(dim, D, fare_stream_make(1, "noise"), block, 7, 3, e);
        for (int i = 0; i < FARE_BLOCK; i++) {
          double sum = 0;

          for (int axis = 0; axis < dim; axis++) sum += e[axis][i] * e[axis][i];
          radius[block * FARE_BLOCK + (uint64_t)i] = sqrt(sum);
          for (int axis = 0; axis < dim; axis++) {
            direction[axis] += e[axis][i] / sqrt(sum) / DRAWS;
            square[axis] += e[axis][i] * e[axis][i] / sum / DRAWS;
          }
        }
      }
      for (int axis = 0; axis < dim; axis++) {
        assert_near(direction[axis], 0, 5 / sqrt((double)dim * DRAWS));
        assert_near(square[axis], 1. / dim, 5 * 0.5 / sqrt(DRAWS));
      }
      distance = kolmogorov_smirnov(dim, D, DRAWS, radius);
      assert_between(distance, 0, bound);
      /* the mistake of clipping b = rho^2/(rho^2 + D) would be seen at once where it touches many */
      for (int i = 0; i < DRAWS; i++) {
        const double b = radius[i] * radius[i] / (radius[i] * radius[i] + D),
                     c = PetscMin(PetscMax(b, 1e-3), 1 - 1e-3);

        touched += b != c;
        radius[i] = sqrt(D * c / (1 - c));
      }
      clipped = kolmogorov_smirnov(dim, D, DRAWS, radius);
      if (dim == 1 && D == 128) {
        print_message("N = 1, D = 128: distance %.4f, clipped %.4f; clipping touches %.1f%% of draws\n",
          distance, clipped, 100. * touched / DRAWS);
        assert_between((double)touched / DRAWS, 0.27, 0.29);
        assert_true(clipped > 50 * bound);
      }
    }
  }
  free(radius);
}

/* Moments of gamma variates: mean and variance are both the shape. */
static void gammas_have_their_moments(void **state)
{
  static const double shapes[] = {0.5, 1, 4.5, 64};

  (void)state;
  for (size_t k = 0; k < PETSC_STATIC_ARRAY_LENGTH(shapes); k++) {
    const double a   = shapes[k];
    double       sum = 0, square = 0;

    for (uint64_t block = 0; block < DRAWS / FARE_BLOCK; block++) {
      double gamma[FARE_BLOCK];

      fare_poisson_gammas(a, fare_stream_make(2, "gammas"), block, 1, 0, gamma);
      for (int i = 0; i < FARE_BLOCK; i++) {
        assert_true(gamma[i] > 0);
        sum += gamma[i] / DRAWS;
        square += (gamma[i] - a) * (gamma[i] - a) / DRAWS;
      }
    }
    assert_near(sum, a, 5 * sqrt(a / DRAWS));
    assert_near(square, a, 5 * sqrt((2 * a * a + 6 * a) / DRAWS));
  }
}

#define WELLS                                                                                \
  "{width: 32, layers: 3, steps: 4000, batch: 1024, learning_rate: 4.0e-3, frequencies: 4, " \
  "time_frequencies: 2"

static void two_moving_wells(void **state)
{
  static const char *const options[] = {WELLS ", dimensions: 8}", WELLS ", dimensions: 128}"};
  int                      size;

  (void)state;
  MPI_Comm_size(PETSC_COMM_WORLD, &size);
  for (int k = 0; k < (size > 1 ? 1 : 2); k++) {
    student s;

    moving_begin(PETSC_COMM_WORLD, "poisson_flow", 1, options[k], &s);
    teach_moving(&s, 16384);
    assert_good_wells(&s, 0.008);
    student_end(&s);
  }
}

static void a_moving_gaussian_in_two_dimensions(void **state)
{
  student s;

  (void)state;
  moving_begin(PETSC_COMM_WORLD, "poisson_flow", 2,
    "{width: 32, layers: 2, steps: 3000, batch: 1024, learning_rate: 4.0e-3, frequencies: 1, "
    "time_frequencies: 2}",
    &s);
  teach_moving(&s, 16384);
  assert_good_gaussian(&s, 20000);
  student_end(&s);
}

static void saved_networks_draw_the_same(void **state)
{
  (void)state;
  assert_saved_draw_the_same(
    "poisson_flow", "{width: 16, layers: 2, steps: 60, batch: 700, sampling_steps: 18}", 60);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(the_noise_has_its_distribution),
  cmocka_unit_test(gammas_have_their_moments),
  cmocka_unit_test(two_moving_wells),
  cmocka_unit_test(a_moving_gaussian_in_two_dimensions),
  cmocka_unit_test(saved_networks_draw_the_same),
};
FARE_TEST_MAIN(tests)
