#include "patch.h"

#include <string.h>

/*
  Adds what flows in along one axis to n cells. Both cells beside a face evaluate the same expression, so that what one loses the other gains. What a mass
  beyond an end would be does not matter: rates are zero there.
*/
static inline void add_flow(PetscInt n, double sign, const double *restrict up_below, const double *restrict down_below, const double *restrict up, const double *restrict down, const double *restrict below, const double *restrict here, const double *restrict above, double *restrict to)
{
#pragma omp simd
  for (PetscInt i = 0; i < n; i++) to[i] += sign * ((up_below[i] * below[i] - down_below[i] * here[i]) - (up[i] * here[i] - down[i] * above[i]));
}

static void add_flows(const fare_patch *patch, PetscInt j, PetscInt k, double sign, const double *p, double *to)
{
  const PetscInt n = patch->count[0], row = fare_patch_row(patch, j, k), box = fare_patch_box_row(patch, j, k), line = k * patch->count[1] + j;
  const double  *up = patch->up[0] + box, *down = patch->down[0] + box, *here = p + row;
  const double  *west = patch->ghost[0][0] + line, *east = patch->ghost[0][1] + line;

  if (n == 1) {
    add_flow(1, sign, up - 1, down - 1, up, down, west, here, east, to);
  } else {
    add_flow(1, sign, up - 1, down - 1, up, down, west, here, here + 1, to);
    add_flow(n - 2, sign, up, down, up + 1, down + 1, here, here + 1, here + 2, to + 1);
    add_flow(1, sign, up + n - 2, down + n - 2, up + n - 1, down + n - 1, here + n - 2, here + n - 1, east, to + n - 1);
  }
  if (patch->dim > 1) {
    const PetscInt s     = patch->stride[1];
    const double  *below = j ? here - n : patch->ghost[1][0] + k * n, *above = j < patch->count[1] - 1 ? here + n : patch->ghost[1][1] + k * n;

    add_flow(n, sign, patch->up[1] + box - s, patch->down[1] + box - s, patch->up[1] + box, patch->down[1] + box, below, here, above, to);
  }
  if (patch->dim > 2) {
    const PetscInt s = patch->stride[2], plane = n * patch->count[1];
    const double  *below = k ? here - plane : patch->ghost[2][0] + j * n, *above = k < patch->count[2] - 1 ? here + plane : patch->ghost[2][1] + j * n;

    add_flow(n, sign, patch->up[2] + box - s, patch->down[2] + box - s, patch->up[2] + box, patch->down[2] + box, below, here, above, to);
  }
}

static void residual_row(const fare_patch *patch, PetscInt j, PetscInt k, double shift, const double *b, const double *p, double *to)
{
  const PetscInt n = patch->count[0], row = fare_patch_row(patch, j, k);

#pragma omp simd
  for (PetscInt i = 0; i < n; i++) to[i] = b[row + i] - shift * p[row + i];
  add_flows(patch, j, k, 1, p, to);
}

void fare_patch_residual(const fare_patch *patch, double shift, const double *b, const double *p, double *y)
{
  for (PetscInt k = 0; k < patch->count[2]; k++) {
    for (PetscInt j = 0; j < patch->count[1]; j++) residual_row(patch, j, k, shift, b, p, y + fare_patch_row(patch, j, k));
  }
}

void fare_patch_apply(const fare_patch *patch, double sign, double shift, const double *p, double *y)
{
  for (PetscInt k = 0; k < patch->count[2]; k++) {
    for (PetscInt j = 0; j < patch->count[1]; j++) {
      const PetscInt row = fare_patch_row(patch, j, k);
      double *restrict to = y + row;

#pragma omp simd
      for (PetscInt i = 0; i < patch->count[0]; i++) to[i] = -sign * shift * p[row + i];
      add_flows(patch, j, k, sign, p, to);
    }
  }
}

void fare_patch_restrict_residual(const fare_patch *fine, const fare_patch *coarse, double shift, const double *b, const double *p, double *row, double *to)
{
  const PetscInt twice[FARE_DIM_MAX] = {fine->count[0] / coarse->count[0], fine->count[1] / coarse->count[1], fine->count[2] / coarse->count[2]};

  memset(to, 0, (size_t)coarse->owned * sizeof *to);
  for (PetscInt k = 0; k < fine->count[2]; k++) {
    for (PetscInt j = 0; j < fine->count[1]; j++) {
      double *restrict sum = to + fare_patch_row(coarse, j / twice[1], k / twice[2]);

      residual_row(fine, j, k, shift, b, p, row);
      if (twice[0] == 2) {
        for (PetscInt i = 0; i < coarse->count[0]; i++) sum[i] += row[2 * i] + row[2 * i + 1];
      } else {
        for (PetscInt i = 0; i < coarse->count[0]; i++) sum[i] += row[i];
      }
    }
  }
}

/* Where a neighbour of a parent stands, or itself at an end. */
static const double *neighbour_row(const fare_patch *patch, int axis, PetscInt j, PetscInt k, int side, const double *from)
{
  const PetscInt at = axis == 1 ? j : k, to = at + 2 * side - 1, n = patch->count[0];

  if (to < 0 || to >= patch->count[axis]) {
    if (patch->neighbour[axis][side] == MPI_PROC_NULL) return from + fare_patch_row(patch, j, k);
    return patch->ghost[axis][side] + (axis == 1 ? k : j) * n;
  }
  return from + (axis == 1 ? fare_patch_row(patch, to, k) : fare_patch_row(patch, j, to));
}

/* A child lies a quarter of a parent's width from the parent's centre: along each axis, a quarter of the way to the parent's neighbour on that side. */
void fare_patch_add_prolonged(const fare_patch *coarse, const fare_patch *fine, const double *from, double *row, double *to)
{
  const PetscInt n = coarse->count[0], twice[FARE_DIM_MAX] = {fine->count[0] / n, fine->count[1] / coarse->count[1], fine->count[2] / coarse->count[2]};
  const double   share = 1.0 / (double)(twice[0] * twice[1] * twice[2]);

  for (PetscInt k = 0; k < fine->count[2]; k++) {
    for (PetscInt j = 0; j < fine->count[1]; j++) {
      const PetscInt J = j / twice[1], K = k / twice[2], line = K * coarse->count[1] + J;
      const double  *parent = from + fare_patch_row(coarse, J, K);
      double        *child  = to + fare_patch_row(fine, j, k);

      for (PetscInt i = 0; i < n; i++) row[i] = share * parent[i];
      for (int axis = 1; axis < coarse->dim; axis++) {
        const double *beside = neighbour_row(coarse, axis, J, K, (int)((axis == 1 ? j : k) % 2), from);

        if (twice[axis] == 2) {
          for (PetscInt i = 0; i < n; i++) row[i] += 0.25 * share * (beside[i] - parent[i]);
        }
      }
      if (twice[0] == 1) {
        for (PetscInt i = 0; i < n; i++) child[i] += row[i];
        continue;
      }
      const double west = coarse->neighbour[0][0] == MPI_PROC_NULL ? parent[0] : coarse->ghost[0][0][line];
      const double east = coarse->neighbour[0][1] == MPI_PROC_NULL ? parent[n - 1] : coarse->ghost[0][1][line];

      for (PetscInt i = 0; i < n; i++) {
        child[2 * i] += row[i] + 0.25 * share * ((i ? parent[i - 1] : west) - parent[i]);
        child[2 * i + 1] += row[i] + 0.25 * share * ((i < n - 1 ? parent[i + 1] : east) - parent[i]);
      }
    }
  }
}

/*
  Rates D/h^2 B(-w) and D/h^2 B(w) over twice the distance are D/(2h)^2 B(-2w) and D/(2h)^2 B(2w), which is up^2/(2 (up + down)) and the like: a quarter of
  both where diffusion rules, half of the larger where drift does.
*/
static inline double over_twice(double rate, double back)
{
  return rate > 0 ? 0.5 * rate * rate / (rate + back) : 0;
}

void fare_patch_coarsen_rates(const fare_patch *fine, const fare_patch *coarse)
{
  PetscInt twice[FARE_DIM_MAX];

  for (int axis = 0; axis < FARE_DIM_MAX; axis++) twice[axis] = fine->count[axis] / coarse->count[axis];
  for (int axis = 0; axis < coarse->dim; axis++) {
    const PetscInt across[FARE_DIM_MAX] = {axis == 0 ? 1 : twice[0], axis == 1 ? 1 : twice[1], axis == 2 ? 1 : twice[2]}, wide = twice[axis];
    const double   share = 1.0 / (double)(across[0] * across[1] * across[2]);
    const PetscInt from[FARE_DIM_MAX] = {axis == 0 ? -1 : 0, axis == 1 ? -1 : 0, axis == 2 ? -1 : 0};

    for (PetscInt k = from[2]; k < coarse->count[2]; k++) {
      for (PetscInt j = from[1]; j < coarse->count[1]; j++) {
        double *up = coarse->up[axis] + fare_patch_box_row(coarse, j, k), *down = coarse->down[axis] + fare_patch_box_row(coarse, j, k);

        for (PetscInt i = from[0]; i < coarse->count[0]; i++) up[i] = down[i] = 0;
        for (PetscInt c = 0; c < across[1] * across[2]; c++) {
          /* the face above the parent is that above its last child */
          const PetscInt fj = axis == 1 ? wide * j + wide - 1 : twice[1] * j + c % across[1], fk = axis == 2 ? wide * k + wide - 1 : twice[2] * k + c / across[1];
          const double  *u = fine->up[axis] + fare_patch_box_row(fine, fj, fk), *d = fine->down[axis] + fare_patch_box_row(fine, fj, fk);

          for (PetscInt i = from[0]; i < coarse->count[0]; i++) {
            for (PetscInt s = 0; s < across[0]; s++) {
              const PetscInt at = axis == 0 ? wide * i + wide - 1 : twice[0] * i + s;

              up[i] += share * (wide == 2 ? over_twice(u[at], d[at]) : u[at]);
              down[i] += share * (wide == 2 ? over_twice(d[at], u[at]) : d[at]);
            }
          }
        }
      }
    }
  }
}
