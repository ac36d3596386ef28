/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification ranks=1 timeout=120 */
/*
  Densities with noise of truths that are no grid, and the mean of what the noise was added to: against plain
  sums over a mesh of p(x) times the noise's density, in the axes of the state. So are the means that an
  oracle of Poisson flow takes, whose noise is a mixture.
*/
#include "create_sampler.h"
#include "joints.h"

#include "sampler/shared/posterior.h"

#include <stdio.h>

#define BOX   7. /* the densities lie within */
#define REACH 6.5
#define TRIED 3 /* places */

typedef double (*noise_density)(int dim, const double e[], const double sigma[]);

static double normal_noise(int dim, const double e[], const double sigma[])
{
  double value = 1;

  for (int axis = 0; axis < dim; axis++)
    value *= exp(-0.5 * pow(e[axis] / sigma[axis], 2)) / (sigma[axis] * sqrt(2 * M_PI));
  return value;
}

#define DIMENSIONS 6 /* of Poisson flow */
static double heavy_noise(int dim, const double e[], const double sigma[])
{
  double square = DIMENSIONS * sigma[0] * sigma[0];

  for (int axis = 0; axis < dim; axis++) square += e[axis] * e[axis];
  return pow(square, -0.5 * (dim + DIMENSIONS));
}

/* Over a mesh of `nodes` to an axis, where both densities are: the sum, and the mean of x. */
static double plain_sum(fare_joint *joint, noise_density noise, double reach, const double sigma[], int nodes,
  const double y[], double mean[])
{
  const int dim = joint->dim;
  double    sum = 0, low[3], spacing[3], volume = 1;
  int       count = 1;

  for (int axis = 0; axis < dim; axis++) {
    low[axis]     = fmax(-BOX, y[axis] - reach * sigma[axis]);
    spacing[axis] = (fmin(BOX, y[axis] + reach * sigma[axis]) - low[axis]) / nodes;
    mean[axis]    = 0;
    volume *= spacing[axis];
    count *= nodes;
  }
  for (int i = 0; i < count; i++) {
    double x[3], e[3], share;
    int    rest = i;

    for (int axis = 0; axis < dim; axis++) {
      x[axis] = low[axis] + (rest % nodes + 0.5) * spacing[axis];
      e[axis] = y[axis] - x[axis];
      rest /= nodes;
    }
    share = volume * exp(log_density_at(joint, 0, x)) * noise(dim, e, sigma);
    sum += share;
    for (int axis = 0; axis < dim; axis++) mean[axis] += share * x[axis];
  }
  for (int axis = 0; axis < dim; axis++) mean[axis] /= sum;
  return sum;
}

/* At draws with noise: ln of the density within `tolerance`, the mean within that share of the noise. */
static void noise_is_as_sums_say(const char *yaml, double t, int nodes, double tolerance)
{
  static const double sigmas[] = {0.005, 0.1, 0.6, 4};
  joint_subject       s        = make_joint(yaml);
  const int           dim      = s.joint->dim;
  double             *x[3], noise[4 * 3], z[FARE_BLOCK], worst[2] = {0, 0};

  assert_ok(fare_joint_advance(s.joint, t));
  draw_joint(s.joint, "places", 1, x);
  for (int i = 0; i < 4 * dim; i++)
    noise[i] = sigmas[i / dim] * (s.joint->type->even_noise ? 1 : 1 + 0.5 * (i % dim));
  assert_ok(s.joint->type->noise(s.joint, 4, noise));
  for (int i = 0; i < 4 * TRIED; i++) {
    const double *sigma = noise + i / TRIED * dim;
    double        y[3], mean[3], plain[3], log_density, sum;

    for (int axis = 0; axis < dim; axis++) {
      fare_random_normals(fare_stream_make(4, "noise"), 0, 0, (uint32_t)axis, z);
      y[axis] = x[axis][i] + sigma[axis] * z[i];
    }
    assert_ok(s.joint->type->noised(s.joint, i / TRIED, 1, (const double *const[]){&y[0], &y[1], &y[2]},
      &log_density, (double *const[]){&mean[0], &mean[1], &mean[2]}));
    sum      = plain_sum(s.joint, normal_noise, REACH, sigma, nodes, y, plain);
    worst[0] = fmax(worst[0], fabs(log_density - log(sum)));
    for (int axis = 0; axis < dim; axis++)
      worst[1] = fmax(worst[1], fabs(mean[axis] - plain[axis]) / fmin(sigma[axis], 1));
  }
  print_message("%s, %d axes: ln p off by %.1e, means by %.1e\n", s.type->name, dim, worst[0], worst[1]);
  assert_between(worst[0], 0, tolerance);
  assert_between(worst[1], 0, tolerance);
  assert_ok(PetscFree(x[0]));
  drop_joint(&s);
}

static const char mixture[] =
  "system: {name: gaussian_mixture, weights: [1, 2, 1], mean: [-1, 0, 1.5, 0.5, 0, -2],\n"
  "  sd: [0.5, 0.6, 0.7, 0.4, 0.8, 0.5], motion: [1, 0, 0, 0.5, -1, 1]}\n"
  "drive: [{parameter: position, waveform: sine, amplitude: 0.8, period: 1.5}]\n"
  "initial: {density: boltzmann}\n"
  "truth: {kind: mixture}\n";

static void a_mixture(void **state)
{
  (void)state;
  noise_is_as_sums_say(mixture, 0.3, 200, 1e-7);
}

static void a_gaussian(void **state)
{
  (void)state;
  noise_is_as_sums_say("system: {name: rotational_ou, parameters: {stiffness: 1.3, rotation: 2}}\n"
                       "initial: {density: gaussian, mean: [1, 0], sd: [0.2, 0.9]}\n"
                       "truth: {kind: gaussian}\n",
    0.2, 200, 1e-7);
}

static void rotated_wells(void **state)
{
  (void)state;
  noise_is_as_sums_say("system: {name: product, copies: 2, unit: {name: prinz}, rotation: haar,\n"
                       "  rotation_seed: 5}\n"
                       "drive: [{parameter: tilt, waveform: sine, amplitude: 4, period: 1}]\n"
                       "initial: {density: gaussian, mean: [0.2, 0.1], sd: [0.5, 0.5]}\n"
                       "truth: {kind: product, cells: 256}\n",
    0.3, 400, 2e-4);
}

/* Cells of 0.08: noise of 0.005 is a small part of one. */
static void coarse_cells_in_three_axes(void **state)
{
  (void)state;
  noise_is_as_sums_say("system: {name: product, rotation: haar, rotation_seed: 5, blocks: [\n"
                       "  {unit: {name: quadruple_well, parameters: {kT: 0.7}}},\n"
                       "  {unit: {name: ornstein_uhlenbeck, parameters: {kT: 0.7}}}]}\n"
                       "initial: {density: boltzmann}\n"
                       "truth: {kind: product, cells: [64, 64, 128], estimate: false}\n",
    0.1, 48, 5e-4);
}

/* E[x | y] with the noise of Poisson flow; what an oracle scales by, it takes from draws. */
static void poisson_flow_sees_through_its_noise(void **state)
{
  static const double sigmas[] = {0.05, 0.5, 5};
  joint_subject       s        = make_joint(mixture);
  const fare_schedule schedule = {0, 1, 2};
  fare_config        *config;
  fare_sampler       *sampler;
  fare_generative    *g;
  double              worst = 0, *x[2];
  char                yaml[64];

  (void)state;
  snprintf(yaml, sizeof yaml, "{dimensions: %d}", DIMENSIONS);
  assert_ok(fare_config_parse("sampler.yaml", yaml, strlen(yaml), &config));
  assert_ok(create_sampler(PETSC_COMM_WORLD, fare_sampler_type_find("poisson_flow"), "e", config, 3, s.system,
    s.initial, &schedule, &sampler));
  assert_ok(fare_sampler_set_mode(sampler, FARE_ORACLE, NULL));
  fare_sampler_set_joint(sampler, s.joint);
  g = sampler->state;
  assert_ok(fare_posterior_begin(sampler, DIMENSIONS, 0));
  /* that one scale may serve the noise's density above */
  g->sd[0] = g->sd[1] = 1;
  draw_joint(s.joint, "places", 1, x);
  for (int k = 0; k < 3; k++) {
    const double sigma[2] = {sigmas[k], sigmas[k]};
    fare_place   y        = {{0}}, mean;

    for (int i = 0; i < 8; i++) {
      y[0][i] = (float)(x[0][i] + sigmas[k] * (i - 3.5) - g->mean[0]);
      y[1][i] = (float)(x[1][i] - sigmas[k] * (i % 3) - g->mean[1]);
    }
    assert_ok(fare_posterior_level(g->posterior, sigmas[k]));
    assert_ok(fare_posterior_mean(g->posterior, y, mean));
    for (int i = 0; i < 8; i++) {
      const double at[2] = {(double)y[0][i] + g->mean[0], (double)y[1][i] + g->mean[1]};
      double       plain[2];

      plain_sum(s.joint, heavy_noise, HUGE_VAL, sigma, 700, at, plain);
      for (int axis = 0; axis < 2; axis++)
        worst = fmax(worst, fabs((double)mean[axis][i] + g->mean[axis] - plain[axis]) / fmin(1, sigmas[k]));
    }
  }
  print_message("poisson_flow: means off by %.1e\n", worst);
  assert_between(worst, 0, 3e-5);
  assert_ok(PetscFree(x[0]));
  assert_ok(fare_sampler_destroy(&sampler));
  fare_config_destroy(&config);
  drop_joint(&s);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(a_mixture),
  cmocka_unit_test(a_gaussian),
  cmocka_unit_test(rotated_wells),
  cmocka_unit_test(coarse_cells_in_three_axes),
  cmocka_unit_test(poisson_flow_sees_through_its_noise),
};
FARE_TEST_MAIN(tests)
