/* SPDX-License-Identifier: BSD-2-Clause */
/*
  E[x | y] of a truth that is not one grid, by its density with noise. The noise of Poisson flow is a mixture
  of normals: of variance D sigma^2/(2 g) for g of the gamma distribution of shape D/2, by the trapezoidal
  rule in ln g.
*/
#include "posterior_parts.h"

#include <math.h>

#define SCALE_BLOCKS 16  /* of exact draws, behind the means and standard deviations of the axes */
#define NEGLIGIBLE   14. /* of the gamma distribution is left out what is exp(-14) of its peak */
#define NODES        1.  /* between two nodes, in widths of what is summed: off by 1e-8 */

/* Where k (exp(d) - 1 - d) is NEGLIGIBLE: how far below and above ln k the distribution of ln g reaches. */
static double reach_of(double k, double sign)
{
  double low = 0, high = NEGLIGIBLE / k + 2;

  for (int i = 0; i < 60; i++) {
    const double d = sign * 0.5 * (low + high);

    if (k * (exp(d) - 1 - d) < NEGLIGIBLE)
      low = fabs(d);
    else
      high = fabs(d);
  }
  return high;
}

/* Normals that the noise is a mixture of: ln of their shares, and their widths over sigma. */
static PetscErrorCode find_components(fare_posterior *p)
{
  const double k = 0.5 * p->augmented, below = p->augmented ? reach_of(k, -1) : 0,
               above = p->augmented ? reach_of(k, 1) : 0, width = sqrt(2. / (p->dim + p->augmented));

  PetscFunctionBegin;
  p->components = 1 + (int)ceil((below + above) / (NODES * width));
  PetscCall(PetscFree2(p->share, p->wide));
  PetscCall(PetscMalloc2((size_t)p->components, &p->share, (size_t)p->components, &p->wide));
  for (int c = 0; c < p->components; c++) {
    const double d = p->components > 1 ? -below + (below + above) * c / (p->components - 1) : 0;

    p->share[c] = k * (d - expm1(d));
    p->wide[c]  = exp(-0.5 * d);
  }
  PetscFunctionReturn(0);
}

/*
  Mean and standard deviation of each axis at the present time, from draws; one standard deviation for all
  where noise has to be even.
*/
static PetscErrorCode find_scale(fare_joint *joint, fare_stream stream, fare_generative *g)
{
  const int64_t n = SCALE_BLOCKS * FARE_BLOCK;
  double       *x[FARE_AXES_MAX], *all, sum = 0;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1((size_t)joint->dim * (size_t)n, &all));
  for (int b = 0; b < SCALE_BLOCKS; b++) {
    for (int axis = 0; axis < joint->dim; axis++) x[axis] = all + axis * n + b * FARE_BLOCK;
    PetscCall(joint->type->draw(joint, stream, (uint64_t)b, x));
  }
  for (int axis = 0; axis < joint->dim; axis++) {
    const double *of     = all + axis * n;
    double        square = 0;

    g->mean[axis] = 0;
    for (int64_t i = 0; i < n; i++) g->mean[axis] += of[i] / (double)n;
    for (int64_t i = 0; i < n; i++) square += (of[i] - g->mean[axis]) * (of[i] - g->mean[axis]) / (double)n;
    g->sd[axis] = sqrt(square);
    sum += square;
  }
  for (int axis = 0; axis < joint->dim && joint->type->even_noise; axis++)
    g->sd[axis] = sqrt(sum / joint->dim);
  PetscCall(PetscFree(all));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_posterior_joint_begin(fare_posterior *p, fare_sampler *sampler)
{
  PetscFunctionBegin;
  p->joint = sampler->joint;
  PetscCall(find_scale(p->joint, fare_sampler_stream(sampler, "scale"), sampler->state));
  PetscCall(find_components(p));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_posterior_joint_level(fare_posterior *p, double sigma)
{
  const fare_generative *g = p->sampler->state;
  double                *noise;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1((size_t)(p->components * p->dim), &noise));
  for (int c = 0; c < p->components; c++) {
    for (int axis = 0; axis < p->dim; axis++) noise[c * p->dim + axis] = sigma * p->wide[c] * g->sd[axis];
  }
  PetscCall(p->joint->type->noise(p->joint, p->components, noise));
  PetscCall(PetscFree(noise));
  PetscFunctionReturn(0);
}

/* Adds one component's mean, weighted by its density, to those of the components before. */
static void add_component(int dim, double share, const double log_density[], double found[][FARE_BLOCK],
  double highest[], double sum[], double mean[][FARE_BLOCK])
{
  for (int i = 0; i < FARE_BLOCK; i++) {
    const double at = share + log_density[i], top = PetscMax(at, highest[i]), keep = exp(highest[i] - top),
                 add = exp(at - top);

    sum[i] = sum[i] * keep + add;
    for (int axis = 0; axis < dim; axis++) mean[axis][i] = mean[axis][i] * keep + found[axis][i] * add;
    highest[i] = top;
  }
}

PetscErrorCode fare_posterior_joint_mean(const fare_posterior *p, const fare_row y[], fare_row mean[])
{
  const fare_generative *g = p->sampler->state;
  double(*at)[FARE_BLOCK], (*found)[FARE_BLOCK], (*weighted)[FARE_BLOCK];
  const double *from[FARE_AXES_MAX];
  double       *to[FARE_AXES_MAX], log_density[FARE_BLOCK], highest[FARE_BLOCK], sum[FARE_BLOCK] = {0};

  PetscFunctionBegin;
  PetscCall(PetscCalloc3((size_t)p->dim, &at, (size_t)p->dim, &found, (size_t)p->dim, &weighted));
  for (int i = 0; i < FARE_BLOCK; i++) highest[i] = -HUGE_VAL;
  for (int axis = 0; axis < p->dim; axis++) {
    fare_generative_shift(g->mean[axis], g->sd[axis], y[axis], at[axis]);
    from[axis] = at[axis];
    to[axis]   = found[axis];
  }
  for (int c = 0; c < p->components; c++) {
    PetscCall(p->joint->type->noised(p->joint, c, FARE_BLOCK, from, log_density, to));
    add_component(p->dim, p->share[c], log_density, found, highest, sum, weighted);
  }
  for (int axis = 0; axis < p->dim; axis++) {
    for (int i = 0; i < FARE_BLOCK; i++)
      mean[axis][i] = (float)((weighted[axis][i] / sum[i] - g->mean[axis]) / g->sd[axis]);
  }
  PetscCall(PetscFree3(at, found, weighted));
  PetscFunctionReturn(0);
}
