/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Products with noise: of even noise every block has its own, whatever the rotation, so that the density with
  noise is a product, too.
*/
#include "blocks.h"

#include <string.h>

PetscErrorCode fare_blocks_noise_free(fare_blocks *all)
{
  PetscFunctionBegin;
  for (int k = 0; k < all->noise_levels * all->sources; k++)
    PetscCall(fare_block_density_destroy(&all->noisy[k]));
  PetscCall(PetscFree(all->noisy));
  PetscCall(PetscFree(all->noise));
  all->noise_levels = 0;
  PetscFunctionReturn(0);
}

PetscErrorCode fare_blocks_noise(fare_joint *joint, int levels, const double noise[])
{
  fare_blocks *all = joint->state;

  PetscFunctionBegin;
  PetscCall(fare_blocks_noise_free(all));
  PetscCall(PetscCalloc1((size_t)(levels * all->sources), &all->noisy));
  PetscCall(PetscMalloc1((size_t)levels, &all->noise));
  all->noise_levels = levels;
  for (int level = 0; level < levels; level++) {
    all->noise[level] = noise[level * joint->dim];
    for (int k = 0; k < all->sources; k++)
      PetscCall(fare_block_density_noise(all->source[k].grid, all->source[k].version[0]->mass,
        all->noise[level], &all->noisy[level * all->sources + k]));
  }
  PetscFunctionReturn(0);
}

/* Points of a block of particles in the frame of the blocks, where they are looked up, and what is found. */
typedef struct {
  FARE_ALIGNED double at[FARE_AXES_MAX][FARE_BLOCK], inside[FARE_AXES_MAX][FARE_BLOCK],
    slope[FARE_AXES_MAX][FARE_BLOCK];
} places;

/* Beyond the mesh the noise alone decides: ln p goes on as a parabola, and the mean of x stays. */
static void look_up(const fare_block_density *p, double sigma, int first, size_t n, places *f, double to[])
{
  const double *y[FARE_DIM_MAX];
  double       *s[FARE_DIM_MAX];

  for (int a = 0; a < p->dim; a++) {
    const double *at = f->at[first + a];

    for (size_t i = 0; i < n; i++)
      f->inside[first + a][i] = PetscMin(PetscMax(at[i], p->lower[a]), p->upper[a]);
    y[a] = f->inside[first + a];
    s[a] = f->slope[first + a];
  }
  fare_block_density_add(p, n, y, to, s);
  for (int a = 0; a < p->dim; a++) {
    for (size_t i = 0; i < n; i++) {
      const double off = f->at[first + a][i] - y[a][i];

      to[i] += off * (s[a][i] - off / (2 * sigma * sigma));
      f->at[first + a][i] = y[a][i] + sigma * sigma * s[a][i];
    }
  }
}

static void find_means(
  const fare_joint *joint, int level, size_t n, const double *const y[], double to[], double *const mean[])
{
  const fare_blocks  *all     = joint->state;
  const fare_product *product = fare_product_of(joint->system);
  static places       f;
  const double       *from[FARE_AXES_MAX];
  double             *at[FARE_AXES_MAX];

  for (int a = 0; a < joint->dim; a++) from[a] = at[a] = f.at[a];
  fare_product_to_blocks(product, n, y, at);
  memset(to, 0, n * sizeof *to);
  for (int b = 0; b < fare_product_blocks(product); b++)
    look_up(all->noisy[level * all->sources + all->of_block[b]], all->noise[level],
      fare_product_first(product, b, NULL), n, &f, to);
  fare_product_from_blocks(product, n, from, mean);
}

PetscErrorCode fare_blocks_noised(fare_joint *joint, int level, int64_t n, const double *const y[],
  double log_density[], double *const mean[])
{
  const double *from[FARE_AXES_MAX];
  double       *to[FARE_AXES_MAX];

  PetscFunctionBegin;
  for (int64_t first = 0; first < n; first += FARE_BLOCK) {
    for (int a = 0; a < joint->dim; a++) {
      from[a] = y[a] + first;
      to[a]   = mean[a] + first;
    }
    find_means(joint, level, (size_t)PetscMin(n - first, FARE_BLOCK), from, log_density + first, to);
  }
  PetscFunctionReturn(0);
}
