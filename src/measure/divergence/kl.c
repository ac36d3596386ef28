/* SPDX-License-Identifier: BSD-2-Clause */
/* Kullback-Leibler divergences, both ways, of plug-in masses. */
#include <fare/measure.h>

#include <float.h>
#include <math.h>

/*
  D(a||b). Only the density of an ensemble can have b = 0 where a > 0, by underflow: it is then taken as the
  smallest number there is.
*/
static double divergence(size_t n, const double a[], const double b[])
{
  double sum = 0;

  for (size_t i = 0; i < n; i++) {
    if (a[i] > 0) sum += a[i] * log(a[i] / PetscMax(b[i], DBL_MIN));
  }
  return sum;
}

static double forward(const fare_comparison *c)
{
  return divergence(c->pools, c->p_raw, c->q);
}

static double reverse(const fare_comparison *c)
{
  return divergence(c->pools, c->q_raw, c->p);
}

const fare_measure_type fare_measure_kl = {
  .name    = "kl",
  .summary = "Kullback-Leibler divergence D(truth||ensemble)",
  .definition =
    "sum over pools and the outside of p ln(p/q), q = (n_k + 1/2)/(n + K/2) from n samples in K declared "
    "bins\n"
    "(Jeffreys' half count). Mass outside the grid takes from q everywhere: m outside costs -ln(1 - m).",
  .reference =
    "Kullback and Leibler, Ann. Math. Stat. 22, 79 (1951); Jeffreys, Proc. R. Soc. A 186, 453 (1946)",
  .unit     = "nats",
  .pools    = PETSC_TRUE,
  .evaluate = forward,
};

const fare_measure_type fare_measure_reverse_kl = {
  .name    = "reverse_kl",
  .summary = "Kullback-Leibler divergence D(ensemble||truth)",
  .definition =
    "sum over pools and the outside of q ln(q/p), q = n_k/n. Outside the grid, where the truth "
    "has no mass, it is\n"
    "given half a count: p = (n p_k + 1/2 [k outside])/(n + 1/2). For a model density: bins in which "
    "the truth's mass is below its resolution\n"
    "form one pool, in which it is given the model's mass there, up to that resolution.",
  .reference = "Kullback and Leibler, Ann. Math. Stat. 22, 79 (1951)",
  .unit      = "nats",
  .pools     = PETSC_TRUE,
  .evaluate  = reverse,
};
