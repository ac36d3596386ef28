/* SPDX-License-Identifier: BSD-2-Clause */
/* Cell masses of given densities. */
#include "truth/truth.h"

#include <math.h>

/*
  Gauss points of a cell; each half of an axis has its own three, so that kinks at centres would do no harm.
*/
#define POINTS (2 * FARE_HALF_POINTS)

typedef struct {
  const fare_initial *initial;
  const fare_system  *system;
  double              t, smooth; /* relative change of a cell's mass by cutting, below which it needs none */
} density;

/*
  ln of the mass of a box, up to a constant common to all: the largest integrand is taken out before summing.
*/
static double integrate(const density *of, int dim, const double centre[], const double width[])
{
  double x[FARE_DIM_MAX][POINTS * POINTS * POINTS], log_density[POINTS * POINTS * POINTS],
    highest = -HUGE_VAL, sum = 0;
  const double *points[FARE_DIM_MAX] = {x[0], x[1], x[2]};
  double        weight[POINTS * POINTS * POINTS];
  int           n = 1;

  for (int axis = 0; axis < dim; axis++) n *= POINTS;
  for (int q = 0; q < n; q++) {
    int rest  = q;
    weight[q] = 1;
    for (int axis = 0; axis < dim; axis++) {
      double offset;

      fare_cell_point(rest % POINTS, &offset, &weight[q]);
      x[axis][q] = centre[axis] + offset * width[axis];
      rest /= POINTS;
    }
  }
  fare_initial_log_density(of->initial, of->system, of->t, (size_t)n, points, log_density);
  for (int q = 0; q < n; q++) highest = PetscMax(highest, log_density[q]);
  if (!isfinite(highest)) return highest; /* nothing in this cell, or no number: the sum over all will tell */
  for (int q = 0; q < n; q++) sum += weight[q] * exp(log_density[q] - highest);
  return highest + log(sum);
}

#define HALVINGS 12   /* of a cell with a kink, at most */
#define SMOOTH   1e-9 /* relative change by cutting, of a cell that needs none; */
/*
  and of an equilibrium: that of the rates, which know of a cell what its points say, is at rest to round-off
*/
#define AT_REST  1e-6
#define CHILDREN (1 << FARE_DIM_MAX)

/* The parts of a box that is cut at the same fraction of each axis. */
typedef struct {
  double centre[CHILDREN][FARE_DIM_MAX], width[CHILDREN][FARE_DIM_MAX], share[CHILDREN], log_mean[CHILDREN];
} cuts;

/* Returns the mean of the parts over exp(whole). */
static double cut(const density *of, int dim, const double centre[], const double width[], double fraction,
  double whole, cuts *c)
{
  double sum = 0;

  for (int child = 0; child < 1 << dim; child++) {
    c->share[child] = 1;
    for (int axis = 0; axis < dim; axis++) {
      const PetscBool upper = child >> axis & 1;
      const double    part  = upper ? 1 - fraction : fraction;

      c->share[child] *= part;
      c->width[child][axis]  = part * width[axis];
      c->centre[child][axis] = centre[axis] + 0.5 * (upper ? fraction : fraction - 1) * width[axis];
    }
    c->log_mean[child] = integrate(of, dim, c->centre[child], c->width[child]);
    sum += c->share[child] * exp(c->log_mean[child] - whole);
  }
  return sum;
}

/*
  Whether cuts leave the mean as it is. A kink may lie where halving does not show it, or beyond all points,
  at a face: other cuts do.
*/
static PetscBool is_smooth(
  const density *of, int dim, const double centre[], const double width[], double whole, cuts *half)
{
  const double fraction[] = {0.381966, 0.96, 0.04};
  const int    cuts_more  = dim == 1 && fare_system_has_formulas(of->system) ? 3 : 1;
  cuts         other;

  if (!(fabs(cut(of, dim, centre, width, 0.5, whole, half) - 1) <= of->smooth)) return PETSC_FALSE;
  for (int i = 0; i < cuts_more; i++) {
    if (!(fabs(cut(of, dim, centre, width, fraction[i], whole, &other) - 1) <= of->smooth))
      return PETSC_FALSE;
  }
  return PETSC_TRUE;
}

/* The same, halved along all axes as long as that changes it: densities may have kinks. */
static double refine(
  const density *of, int dim, const double centre[], const double width[], double whole, int halvings)
{
  double sum = 0;
  cuts   half;

  if (!halvings || is_smooth(of, dim, centre, width, whole, &half)) return whole;
  for (int child = 0; child < 1 << dim; child++) {
    sum += half.share[child] *
      exp(refine(of, dim, half.centre[child], half.width[child], half.log_mean[child], halvings - 1) - whole);
  }
  return isfinite(sum) && sum > 0 ? whole + log(sum) : whole;
}

#define WIDE  4.0 /* cells: quadrature over each is exact to rounding for a Gaussian as wide */
#define REACH 9.0 /* standard deviations, beyond which nothing counts */
#define EVEN  1.5 /* periods: so wide a Gaussian is even round the circle, to rounding */

/* Whether a Gaussian is so narrow that cells get their masses from error functions. */
static PetscBool is_narrow(const fare_grid *grid, const fare_initial *initial)
{
  for (size_t i = 0; i < initial->sd.count && fare_initial_is_gaussian(initial); i++) {
    if (initial->sd.values[i] < WIDE * grid->spacing[i % (size_t)grid->dim]) return PETSC_TRUE;
  }
  return PETSC_FALSE;
}

/* Mass of a standard normal between a < b, with all digits in the tails. */
static double normal_mass(double a, double b)
{
  const double root = sqrt(0.5);

  if (a > 0) return 0.5 * (erfc(root * a) - erfc(root * b));
  if (b < 0) return 0.5 * (erfc(-root * b) - erfc(-root * a));
  return 0.5 * (erf(root * b) - erf(root * a));
}

/* The mass of a Gaussian in a cell along one axis; where that closes, of all its images, too. */
static double axis_mass(const fare_grid *grid, int axis, double distance, double sd)
{
  const double width = grid->spacing[axis], period = grid->upper[axis] - grid->lower[axis];
  double       sum = 0;
  int          images;

  if (grid->boundary[axis] != FARE_BOUNDARY_PERIODIC)
    return normal_mass((distance - 0.5 * width) / sd, (distance + 0.5 * width) / sd);
  if (sd > EVEN * period) return width / period;
  distance -= period * nearbyint(distance / period);
  images = 1 + (int)(REACH * sd / period);
  for (int k = -images; k <= images; k++)
    sum +=
      normal_mass((distance + k * period - 0.5 * width) / sd, (distance + k * period + 0.5 * width) / sd);
  return sum;
}

/* Of a mixture of Gaussians in a cell. */
static double gaussian_mass(const fare_initial *initial, const fare_grid *grid, const double centre[])
{
  const size_t dim = (size_t)grid->dim, components = initial->mean.count / dim;
  double       sum = 0;

  for (size_t c = 0; c < components; c++) {
    double product = components > 1 ? initial->weights.values[c] : 1;

    for (size_t axis = 0; axis < dim; axis++) {
      product *= axis_mass(grid, (int)axis, centre[axis] - initial->mean.values[c * dim + axis],
        initial->sd.values[c * dim + axis]);
    }
    sum += product;
  }
  return sum;
}

static PetscErrorCode fill(const fare_grid *grid, const fare_initial *initial, const fare_system *system,
  double t, double smooth, Vec *masses)
{
  const double    matters = 30; /* ln of masses that are less are left as they are */
  const PetscInt  cells   = fare_grid_owned(grid);
  const fare_box  box     = fare_grid_box(grid);
  const PetscBool narrow  = is_narrow(grid, initial);
  fare_initial    here    = *initial;
  const density   of      = {&here, system, t, smooth};
  PetscScalar    *mass, total;
  PetscReal       highest = -HUGE_VAL;

  PetscFunctionBegin;
  here.box = &box;
  PetscCall(DMCreateGlobalVector(grid->dm, masses));
  PetscCall(VecGetArray(*masses, &mass));
  for (PetscInt n = 0; n < cells; n++) {
    double centre[FARE_DIM_MAX];

    fare_cell_centre(grid, n, centre);
    mass[n] =
      narrow ? log(gaussian_mass(initial, grid, centre)) : integrate(&of, grid->dim, centre, grid->spacing);
    highest = PetscMax(highest, mass[n]);
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &highest, 1, MPIU_REAL, MPI_MAX, grid->comm));
  for (PetscInt n = 0; n < cells && !narrow && grid->dim < 3 && smooth < HUGE_VAL; n++) {
    double centre[FARE_DIM_MAX];

    if (!(mass[n] > highest - matters)) continue;
    fare_cell_centre(grid, n, centre);
    mass[n] = refine(&of, grid->dim, centre, grid->spacing, mass[n], HALVINGS / grid->dim);
  }
  for (PetscInt n = 0; n < cells; n++) mass[n] = exp(mass[n] - highest);
  PetscCall(VecRestoreArray(*masses, &mass));
  PetscCall(VecSum(*masses, &total));
  if (!(total > 0) || !isfinite(total))
    FARE_FAIL(
      FARE_ERR_FAILED, "the density at time %g cannot be normalised on the grid (sum %g)", t, (double)total);
  PetscCall(VecScale(*masses, 1 / total));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_grid_initial(
  const fare_grid *grid, const fare_initial *initial, const fare_system *system, double t, Vec *masses)
{
  PetscFunctionBegin;
  PetscCall(fill(grid, initial, system, t, SMOOTH, masses));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_grid_boltzmann(const fare_grid *grid, const fare_system *system, double t, Vec *masses)
{
  const fare_initial boltzmann = {.density = FARE_INITIAL_BOLTZMANN};

  PetscFunctionBegin;
  PetscCall(fill(grid, &boltzmann, system, t, AT_REST, masses));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_grid_rest_error(const fare_grid *grid, const fare_system *system, double t, double *error)
{
  const fare_initial boltzmann = {.density = FARE_INITIAL_BOLTZMANN};
  PetscReal          norm;
  Vec                fine, rates;

  PetscFunctionBegin;
  *error = 0;
  if (grid->dim > 2 || !fare_system_has_potential(system)) PetscFunctionReturn(0);
  PetscCall(fill(grid, &boltzmann, system, t, SMOOTH, &fine));
  PetscCall(fill(grid, &boltzmann, system, t, HUGE_VAL, &rates));
  PetscCall(VecAXPY(fine, -1, rates));
  PetscCall(fare_norm_1(fine, &norm));
  *error = norm;
  PetscCall(VecDestroy(&fine));
  PetscCall(VecDestroy(&rates));
  PetscFunctionReturn(0);
}

/* Of the entries, or of their sizes. */
static PetscErrorCode add_entries(Vec v, PetscBool sizes, double *all)
{
  enum { LANES = 8 };
  const double *entry;
  double        sum[LANES] = {0};
  PetscInt      count, i = 0;
  MPI_Comm      comm;

  PetscFunctionBegin;
  PetscCall(PetscObjectGetComm((PetscObject)v, &comm));
  PetscCall(VecGetLocalSize(v, &count));
  PetscCall(VecGetArrayRead(v, &entry));
  for (; i + LANES <= count; i += LANES) {
    for (int lane = 0; lane < LANES; lane++) sum[lane] += sizes ? fabs(entry[i + lane]) : entry[i + lane];
  }
  for (; i < count; i++) sum[0] += sizes ? fabs(entry[i]) : entry[i];
  PetscCall(VecRestoreArrayRead(v, &entry));
  for (int lane = 1; lane < LANES; lane++) sum[0] += sum[lane];
  *all = sum[0];
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, all, 1, MPI_DOUBLE, MPI_SUM, comm));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_norm_1(Vec v, double *norm)
{
  PetscFunctionBegin;
  PetscCall(add_entries(v, PETSC_TRUE, norm));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_sum(Vec v, double *sum)
{
  PetscFunctionBegin;
  PetscCall(add_entries(v, PETSC_FALSE, sum));
  PetscFunctionReturn(0);
}
