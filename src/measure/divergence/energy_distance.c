/* SPDX-License-Identifier: BSD-2-Clause */
/* Energy distance without the bias of plug-in estimates: what exact samples show has the mean 0. */
#include <fare/measure.h>

#include <math.h>

/*
  Twice the integral of (F - G)^2, F and G linear within bins. Sampling adds var G(x) to the integrand, of
  which (M - G^2)/(n - 1) is an estimate without bias: a part u into a bin G = sum_below q + u q_bin is a mean
  over samples, and M = sum_below q + u^2 q_bin that of their squares.
*/
static double on_a_line(const fare_comparison *c, double n)
{
  double sum = 0, noise = 0, left = -c->q_below, below = c->q_below;

  if (!(n > 1)) return NAN;
  for (size_t i = 0; i < c->bins; i++) {
    const double width = c->edge[i + 1] - c->edge[i], q = c->q_bin[i], right = left + (c->p_bin[i] - q);

    sum += width * (left * left + left * right + right * right) / 3;
    noise += width * (below + q / 3 - below * below - below * q - q * q / 3);
    left = right;
    below += q;
  }
  return 2 * (sum - noise / (n - 1));
}

/* The mean over directions of |projection| is that part of a vector's length. */
static const double part_of_length[FARE_DIM_MAX + 1] = {1, 1, 2 / M_PI, 0.5};

static double along_projections(const fare_comparison *c, double n)
{
  const fare_projections *along  = c->projections;
  double                  inside = 0, sum = 0;

  for (size_t i = 0; i < c->bins; i++) inside += c->q_bin[i];
  if (!(n * inside > 1)) return NAN;
  for (int d = 0; d < along->directions; d++) {
    const PetscInt *order = along->order + (size_t)d * c->bins;
    const double   *gap   = along->gap + (size_t)d * c->bins;
    double          p = 0, q = 0, square = 0, noise = 0;

    for (size_t i = 0; i < c->bins; i++) {
      p += c->p_bin[order[i]];
      q += c->q_bin[order[i]];
      square += gap[i] * (p * inside - q) * (p * inside - q);
      noise += gap[i] * q * (inside - q);
    }
    sum += along->weight[d] * (square - noise / (n * inside - 1));
  }
  return 2 * sum / (inside * inside * part_of_length[c->dim]);
}

static double evaluate(const fare_comparison *c)
{
  return c->dim == 1 ? on_a_line(c, c->n) : along_projections(c, c->n);
}

/* As between densities. */
static double plain(const fare_comparison *c)
{
  return c->dim == 1 ? on_a_line(c, HUGE_VAL) : along_projections(c, HUGE_VAL);
}

const fare_measure_type fare_measure_energy_distance = {
  .name       = "energy_distance",
  .summary    = "unbiased energy distance: 0 on average for exact samples, and sometimes negative",
  .definition = "2E|X-Y| - E|X-X'| - E|Y-Y'|, an MMD with the kernel -|x-y|, with the last mean over pairs "
                "of different samples. Twice the integral of\n"
                "(F - G)^2 less its mean under sampling on fine bins; in two and three dimensions the same "
                "along 16 fixed directions, which is\n"
                "the energy distance up to quadrature. Mass outside counts as in wasserstein_1 and "
                "sliced_wasserstein. One sample has none.",
  .reference  = "Szekely and Rizzo, J. Stat. Plan. Inference 143, 1249 (2013); Gretton et al., J. Mach. "
                "Learn. Res. 13, 723 (2012)",
  .unit       = "length",
  .evaluate   = evaluate,
  .plain      = plain,
};
