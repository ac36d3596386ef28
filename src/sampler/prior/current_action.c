/* SPDX-License-Identifier: BSD-2-Clause */
#include <fare/current_action.h>

#include <math.h>

PetscErrorCode fare_current_line_create(const fare_grid *grid, fare_current_line *l)
{
  const PetscInt n = grid->cells[0];

  PetscFunctionBegin;
  *l = (fare_current_line){
    .cells = n, .closed = grid->boundary[0] == FARE_BOUNDARY_PERIODIC ? PETSC_TRUE : PETSC_FALSE};
  PetscCall(PetscCalloc5(2 * n, &l->rate, 2 * n, &l->mass, n, &l->excess, n, &l->theta, n, &l->current));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_current_line_destroy(fare_current_line *l)
{
  PetscFunctionBegin;
  PetscCall(PetscFree5(l->rate, l->mass, l->excess, l->theta, l->current));
  PetscFunctionReturn(0);
}

void fare_current_set_still(const fare_grid *grid, const fare_system *system, double t, fare_current_line *l)
{
  const double h = grid->spacing[0];

  l->still = PETSC_TRUE;
  for (PetscInt face = 0; face <= l->cells; face++) {
    const double x = grid->lower[0] + h * (double)face, *at = &x;
    double       D, *to                                     = &D;

    fare_system_diffusion(system, t, 1, &at, &to);
    if (face < l->cells) l->rate[2 * face] = D / (h * h);
    if (face > 0) l->rate[2 * face - 1] = D / (h * h);
  }
}

static void set_masses(PetscInt n, const double u[], double mass[])
{
  double most = u[0], sum = 0;

  for (PetscInt i = 1; i < n; i++) most = PetscMax(most, u[i]);
  for (PetscInt i = 0; i < n; i++) sum += mass[i] = exp(u[i] - most);
  for (PetscInt i = 0; i < n; i++) mass[i] /= sum;
}

/* The face above the last cell is there on a circle alone. */
static PetscInt faces_of(const fare_current_line *l)
{
  return l->closed ? l->cells : l->cells - 1;
}

/* On a circle, where a constant of J is free: that with the least sum. */
static void set_constant(fare_current_line *l)
{
  double sum = 0, weight = 0;

  for (PetscInt f = 0; f < l->cells; f++) {
    sum += l->excess[f] / l->theta[f];
    weight += 1 / l->theta[f];
  }
  for (PetscInt f = 0; f < l->cells; f++) {
    l->excess[f] -= sum / weight;
    l->current[f] -= sum / weight;
  }
}

static void set_faces(fare_current_line *l)
{
  const PetscInt n      = l->cells;
  const double  *before = l->mass, *after = l->mass + n;
  double         crossed = 0;

  for (PetscInt f = 0; f < faces_of(l); f++) {
    const PetscInt above = (f + 1) % n;
    const double   up = l->rate[2 * f + 1], down = l->rate[2 * above], below = 0.5 * (before[f] + after[f]),
                 over = 0.5 * (before[above] + after[above]);

    crossed += before[f] - after[f];
    l->current[f] = crossed / l->span;
    l->excess[f]  = l->current[f] - (l->still ? 0 : up * below - down * over);
    l->theta[f]   = up * below + down * over + (up + down) * FARE_CURRENT_SPREAD / (double)n;
  }
  if (l->closed) set_constant(l);
}

/* By the masses of one side, whose sign in J is `sign`. */
static void set_slope(const fare_current_line *l, double sign, const double mass[], double slope[])
{
  const PetscInt n   = l->cells;
  double         sum = 0, mean = 0;

  for (PetscInt i = 0; i < n; i++) slope[i] = 0;
  for (PetscInt f = faces_of(l) - 1; f >= 0; f--) {
    const PetscInt above     = (f + 1) % n;
    const double   by_excess = l->excess[f] / l->theta[f], by_theta = -0.5 * by_excess * by_excess,
                 up = 0.5 * l->rate[2 * f + 1], down = 0.5 * l->rate[2 * above];

    sum += by_excess;
    slope[f] += sign * sum / l->span + up * (by_theta - (l->still ? 0 : by_excess));
    slope[above] += down * (by_theta + (l->still ? 0 : by_excess));
  }
  for (PetscInt i = 0; i < n; i++) mean += mass[i] * slope[i];
  for (PetscInt i = 0; i < n; i++) slope[i] = mass[i] * (slope[i] - mean);
}

double fare_current_action(fare_current_line *l, const double u[], double slope[])
{
  const PetscInt n   = l->cells;
  double         sum = 0;

  for (int side = 0; side < 2; side++) set_masses(n, u + side * n, l->mass + side * n);
  set_faces(l);
  for (PetscInt f = 0; f < faces_of(l); f++) sum += 0.5 * l->excess[f] * l->excess[f] / l->theta[f];
  for (int side = 0; side < 2 && slope; side++)
    set_slope(l, side ? -1 : 1, l->mass + side * n, slope + side * n);
  return sum;
}
