/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The speed limit on one axis: going from one density to another within a time T produces W2^2/(D T) or more,
  by whatever forces, or W2^2/int D dt where D changes in time (Benamou and Brenier, Numer. Math. 84, 375
  (2000); Aurell, Gawedzki, Mejia-Monasterio, Mohayaee and Muratore-Ginanneschi, J. Stat. Phys. 147, 487
  (2012)). Densities are even within cells.
*/
#include "thermo.h"

#include <math.h>

#define POINTS   5     /* of the quadrature of D */
#define AGREE    1e-10 /* relative, of panels and their halves */
#define HALVINGS 12
#define PANELS   1e5 /* between two corners of the drive, at most */

PetscBool fare_speed_limit_serves(const fare_grid *grid, const fare_system *system, double t, double *D)
{
  *D = NAN;
  if (grid->dim != 1 || grid->boundary[0] != FARE_BOUNDARY_REFLECTING) return PETSC_FALSE;
  for (PetscInt i = 0; i < grid->cells[0]; i++) {
    double        at               = fare_grid_centre(grid, 0, i), here;
    const double *x[FARE_DIM_MAX]  = {&at};
    double *const to[FARE_DIM_MAX] = {&here};

    fare_system_diffusion(system, t, 1, x, to);
    if (i == 0) *D = here;
    if (here != *D) return PETSC_FALSE;
  }
  return *D > 0 ? PETSC_TRUE : PETSC_FALSE;
}

/* By the rule on one panel, whose end counts as just before it. */
static double over_panel(const fare_grid *grid, const fare_system *system, const fare_lobatto *rule,
  double from, double to, double end)
{
  double sum = 0, D;

  for (int k = 0; k < rule->count; k++) {
    const double t = PetscMin(from + rule->at[k] * (to - from), end);

    if (!fare_speed_limit_serves(grid, system, t, &D)) return NAN;
    sum += rule->weight[k] * (to - from) * D;
  }
  return sum;
}

/* Panels are halved until halves agree with the whole. */
static double over_stretch(const fare_grid *grid, const fare_system *system, const fare_lobatto *rule,
  double from, double to, double end, int depth)
{
  const double middle = 0.5 * (from + to), whole = over_panel(grid, system, rule, from, to, end),
               halves = over_panel(grid, system, rule, from, middle, end) +
    over_panel(grid, system, rule, middle, to, end);

  if (!(fabs(whole - halves) > AGREE * halves) || !depth) return halves;
  return over_stretch(grid, system, rule, from, middle, end, depth - 1) +
    over_stretch(grid, system, rule, middle, to, end, depth - 1);
}

double fare_speed_limit_diffusion(const fare_grid *grid, const fare_system *system, double from, double to)
{
  double       sum = 0;
  fare_lobatto rule;

  fare_lobatto_make(POINTS, &rule);
  while (from < to) {
    const double next = PetscMin(to, fare_system_next_corner(system, from)),
                 edge = 2e-12 * PetscMax(1, fabs(next)), longest = fare_system_longest_step(system, from);
    const double panels = ceil(PetscMin(PANELS, PetscMax(1, (next - from) / longest))),
                 width  = (next - from) / panels;

    for (int i = 0; i < (int)panels; i++)
      sum +=
        over_stretch(grid, system, &rule, from + i * width, from + (i + 1) * width, next - edge, HALVINGS);
    from = next;
  }
  return sum;
}

/* Where a share of the mass of one density is reached. */
typedef struct {
  const double *masses;
  double        sum;
  PetscInt      cell; /* in which the share is */
  double        used; /* of its mass */
} quantile;

static double left_in(const quantile *q)
{
  return PetscMax(0, q->masses[q->cell]) / q->sum - q->used;
}

static double place(const fare_grid *grid, const quantile *q)
{
  const double mass = PetscMax(0, q->masses[q->cell]) / q->sum;

  return grid->lower[0] + grid->spacing[0] * ((double)q->cell + (mass > 0 ? q->used / mass : 0));
}

static void pass(const fare_grid *grid, quantile *q, double share)
{
  q->used += share;
  while (q->cell < grid->cells[0] && !(left_in(q) > 1e-16)) {
    q->cell++;
    q->used = 0;
    if (q->cell == grid->cells[0]) break;
  }
}

double fare_wasserstein_squared(const fare_grid *grid, const double p[], const double q[])
{
  quantile way[2] = {{.masses = p}, {.masses = q}};
  double   sum    = 0;

  for (PetscInt i = 0; i < grid->cells[0]; i++) {
    way[0].sum += PetscMax(0, p[i]);
    way[1].sum += PetscMax(0, q[i]);
  }
  pass(grid, &way[0], 0);
  pass(grid, &way[1], 0);
  while (way[0].cell < grid->cells[0] && way[1].cell < grid->cells[0]) {
    const double share = PetscMin(left_in(&way[0]), left_in(&way[1]));
    const double from  = place(grid, &way[0]) - place(grid, &way[1]);
    double       to    = from;

    /* both places are linear in the share, within their cells */
    for (int i = 0; i < 2; i++) {
      const double mass = PetscMax(0, way[i].masses[way[i].cell]) / way[i].sum;

      to += (i ? -1 : 1) * grid->spacing[0] * share / mass;
    }
    sum += share * (from * from + from * to + to * to) / 3;
    pass(grid, &way[0], share);
    pass(grid, &way[1], share);
  }
  return sum;
}
