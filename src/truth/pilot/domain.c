/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The box, where the plan leaves it to the truth: the smallest outside of which next to no mass ever is.
  Pilots on few cells begin on the system's own box, widened to hold the start; each box is cut to where the
  mass was, or widened where mass came to its end, until one stays as it is.
*/
#include "truth/truth.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PILOTS_MAX 40
#define MASS       1e-10 /* that may lie outside, at any time looked at */
#define TOLERANCE  1e-11 /* of the pilots: what a step adds to the tails must not count */
#define LOOKS      64    /* at the least, at as many times */
#define MARGIN     0.05  /* of the width, on either side */
#define SHRINKS    0.125 /* at most, from one pilot to the next: what is coarse may deceive */
#define SAME       0.8   /* of the width before: near enough to end */
#define WIDEST     64.0  /* times the width of the first box */
#define SPREAD     8.0   /* standard deviations of the start that the first box holds */
/* drift times width over diffusion of a cell with mass: the scheme's exponentials end at some 700 */
#define STEEPEST 300.0

static const int pilot_cells[FARE_DIM_MAX] = {128, 64, 24}, most_cells[FARE_DIM_MAX] = {4096, 256, 48};

typedef struct {
  int dim, cells;
  /* axes that are neither periodic nor absorbing */
  PetscBool fitted[FARE_DIM_MAX];
  /* first: width of the first box */
  double lower[FARE_DIM_MAX], upper[FARE_DIM_MAX], first[FARE_DIM_MAX];
  /* most mass ever below and above each face */
  double *below[FARE_DIM_MAX], *above[FARE_DIM_MAX];
  /* which end mass came to: bit 0 below, bit 1 above */
  int full[FARE_DIM_MAX];
  /* when it came there, and how much */
  double time, mass;
  double steepest; /* cell with mass */
} search;

static PetscErrorCode first_box(
  const fare_system *system, const fare_initial *initial, const fare_truth_options *options, search *s)
{
  const fare_system_type *type = fare_system_type_of(system);

  PetscFunctionBegin;
  memset(s, 0, sizeof *s);
  s->dim   = fare_system_dimension(system);
  s->cells = pilot_cells[s->dim - 1];
  for (int axis = 0; axis < s->dim; axis++) {
    const fare_boundary end = options->boundaries.count ? (fare_boundary)options->boundaries.values[axis]
      : type->periodic[axis]                            ? FARE_BOUNDARY_PERIODIC
                                                        : FARE_BOUNDARY_REFLECTING;

    s->fitted[axis] = end == FARE_BOUNDARY_REFLECTING ? PETSC_TRUE : PETSC_FALSE;
    s->lower[axis]  = type->lower[axis];
    s->upper[axis]  = type->upper[axis];
    for (size_t i = (size_t)axis; i < initial->mean.count && s->fitted[axis]; i += (size_t)s->dim) {
      const double reach = SPREAD *
        (i < initial->sd.count ? initial->sd.values[i] : 0.01 * (type->upper[axis] - type->lower[axis]));

      s->lower[axis] = PetscMin(s->lower[axis], initial->mean.values[i] - reach);
      s->upper[axis] = PetscMax(s->upper[axis], initial->mean.values[i] + reach);
    }
    s->first[axis] = s->upper[axis] - s->lower[axis];
    PetscCall(
      PetscMalloc2(most_cells[s->dim - 1] + 1, &s->below[axis], most_cells[s->dim - 1] + 1, &s->above[axis]));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode free_search(search *s)
{
  PetscFunctionBegin;
  for (int axis = 0; axis < s->dim; axis++) PetscCall(PetscFree2(s->below[axis], s->above[axis]));
  PetscFunctionReturn(0);
}

/* The mass in each layer of cells across an axis. */
static PetscErrorCode layers(const fare_truth *truth, int axis, double mass[])
{
  const fare_grid   *grid = fare_truth_grid(truth);
  const PetscScalar *p;

  PetscFunctionBegin;
  for (PetscInt i = 0; i < grid->cells[axis]; i++) mass[i] = 0;
  PetscCall(VecGetArrayRead(fare_truth_masses(truth), &p));
  for (PetscInt n = 0; n < fare_grid_owned(grid); n++) {
    PetscInt index[FARE_DIM_MAX];

    fare_cell_index(grid, n, index);
    mass[index[axis]] += p[n];
  }
  PetscCall(VecRestoreArrayRead(fare_truth_masses(truth), &p));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, mass, (int)grid->cells[axis], MPI_DOUBLE, MPI_SUM, grid->comm));
  PetscFunctionReturn(0);
}

static double share(const search *s)
{
  return MASS / (2 * s->dim);
}

/*
  How much larger drift is than diffusion over a cell, along an axis that is fitted, among this rank's cells
  with mass.
*/
static PetscErrorCode look_for_steep_cells(
  search *s, const fare_system *system, const fare_truth *truth, double t)
{
  const fare_grid   *grid = fare_truth_grid(truth);
  const PetscScalar *p;

  PetscFunctionBegin;
  PetscCall(VecGetArrayRead(fare_truth_masses(truth), &p));
  for (PetscInt n = 0; n < fare_grid_owned(grid); n++) {
    double        x[FARE_DIM_MAX], f[FARE_DIM_MAX], D[FARE_DIM_MAX];
    double *const to_f[] = {&f[0], &f[1], &f[2]}, *const to_D[] = {&D[0], &D[1], &D[2]};
    const double *const from[] = {&x[0], &x[1], &x[2]};

    if (p[n] < share(s)) continue;
    fare_cell_centre(grid, n, x);
    fare_system_drift(system, t, 1, from, to_f);
    fare_system_diffusion(system, t, 1, from, to_D);
    for (int axis = 0; axis < s->dim; axis++) {
      if (s->fitted[axis] && D[axis] > 0)
        s->steepest = PetscMax(s->steepest, fabs(f[axis]) * grid->spacing[axis] / D[axis]);
    }
  }
  PetscCall(VecRestoreArrayRead(fare_truth_masses(truth), &p));
  PetscFunctionReturn(0);
}

/* Where the mass is now, and whether it has come to an end. */
static PetscErrorCode look(search *s, const fare_truth *truth, double t, PetscBool *full)
{
  double *mass, sum;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(s->cells, &mass));
  for (int axis = 0; axis < s->dim; axis++) {
    if (!s->fitted[axis]) continue;
    PetscCall(layers(truth, axis, mass));
    sum = 0;
    for (int i = 0; i <= s->cells; sum += i < s->cells ? mass[i] : 0, i++)
      s->below[axis][i] = PetscMax(s->below[axis][i], sum);
    sum = 0;
    for (int i = s->cells; i >= 0; sum += i > 0 ? mass[i - 1] : 0, i--)
      s->above[axis][i] = PetscMax(s->above[axis][i], sum);
    if (mass[0] > share(s)) s->full[axis] |= 1;
    if (mass[s->cells - 1] > share(s)) s->full[axis] |= 2;
    if (!s->full[axis]) continue;
    *full   = PETSC_TRUE;
    s->time = t;
    s->mass = PetscMax(mass[0], mass[s->cells - 1]);
  }
  PetscCall(PetscFree(mass));
  PetscFunctionReturn(0);
}

/* Times of snapshots, and others between them; it ends where mass has come to an end of the box. */
static PetscErrorCode follow(
  search *s, const fare_system *system, fare_truth *truth, const fare_schedule *schedule, PetscBool *full)
{
  const PetscInt64 parts = PetscMax(1, (LOOKS + schedule->count - 2) / PetscMax(1, schedule->count - 1));

  PetscFunctionBegin;
  PetscCall(look(s, truth, schedule->start, full));
  for (PetscInt64 k = 1; k < schedule->count && !*full; k++) {
    const double from = fare_schedule_time(schedule, k - 1), to = fare_schedule_time(schedule, k);

    for (PetscInt64 part = 1; part <= parts && !*full; part++) {
      const double t = part == parts ? to : from + (to - from) * (double)part / (double)parts;

      PetscCall(look_for_steep_cells(s, system, truth, t));
      PetscCall(fare_truth_advance(truth, t));
      PetscCall(look(s, truth, t, full));
    }
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode pilot(MPI_Comm comm, const fare_system *system, const fare_initial *initial,
  const fare_schedule *schedule, const fare_truth_options *options, search *s, PetscBool *full)
{
  PetscInt64         cells[FARE_DIM_MAX] = {s->cells, s->cells, s->cells};
  const size_t       dim                 = (size_t)s->dim;
  fare_truth_options coarse              = {.cells = {dim, cells},
                 .lower                            = {dim, s->lower},
                 .upper                            = {dim, s->upper},
                 .boundaries                       = options->boundaries,
                 .tolerance                        = TOLERANCE,
                 .estimate                         = PETSC_FALSE};
  fare_truth        *truth;

  PetscFunctionBegin;
  *full       = PETSC_FALSE;
  s->steepest = 0;
  for (int axis = 0; axis < s->dim; axis++) {
    s->full[axis] = 0;
    for (int i = 0; i <= s->cells; i++) s->below[axis][i] = s->above[axis][i] = 0;
  }
  PetscCall(fare_truth_create(comm, system, initial, schedule->start, &coarse, &truth));
  PetscCall(follow(s, system, truth, schedule, full));
  PetscCall(fare_truth_destroy(&truth));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &s->steepest, 1, MPI_DOUBLE, MPI_MAX, comm));
  PetscFunctionReturn(0);
}

/* Few digits, outwards: what round-off on other numbers of ranks does is not seen in them. */
static double rounded(double x, double width, double direction)
{
  const double unit = pow(10, floor(log10(width))) / 50;

  return direction * ceil(direction * x / unit - 1e-6) * unit;
}

static PetscErrorCode widen(search *s, const fare_system *system, int axis)
{
  const double width = s->upper[axis] - s->lower[axis];

  PetscFunctionBegin;
  if (s->full[axis] && width > WIDEST * s->first[axis]) {
    FARE_FAIL(FARE_ERR_INPUT,
      "truth.fit_domain: mass keeps leaving: at time %g there is %.1e at the end of [%g, %g] along %s, "
      "%.0f times as wide as the system's own; give lower and upper",
      s->time, s->mass, s->lower[axis], s->upper[axis], fare_system_axis_name(system, axis),
      width / s->first[axis]);
  }
  if (s->full[axis] & 1) s->lower[axis] = rounded(s->lower[axis] - 0.5 * width, width, -1);
  if (s->full[axis] & 2) s->upper[axis] = rounded(s->upper[axis] + 0.5 * width, width, 1);
  PetscFunctionReturn(0);
}

/* Cuts an axis to where the mass was. Returns whether it stays nearly as it was. */
static PetscBool cut(search *s, int axis)
{
  const double width = s->upper[axis] - s->lower[axis], h = width / s->cells;
  int          first = 0, last = s->cells;
  double       lower, upper, margin;

  while (first < s->cells - 1 && s->below[axis][first + 1] <= share(s)) first++;
  while (last > first + 1 && s->above[axis][last - 1] <= share(s)) last--;
  margin = PetscMax(MARGIN * h * (last - first), h);
  margin = PetscMax(margin, 0.5 * (SHRINKS * width - h * (last - first)));
  lower  = s->lower[axis] + h * first - margin;
  upper  = s->lower[axis] + h * last + margin;
  lower  = PetscMax(s->lower[axis], rounded(lower, upper - lower, -1));
  upper  = PetscMin(s->upper[axis], rounded(upper, upper - lower, 1));

  s->lower[axis] = lower;
  s->upper[axis] = upper;
  return upper - lower >= SAME * width ? PETSC_TRUE : PETSC_FALSE;
}

static PetscErrorCode find_box(MPI_Comm comm, const fare_system *system, const fare_initial *initial,
  const fare_schedule *schedule, const fare_truth_options *options, search *s)
{
  PetscFunctionBegin;
  for (int i = 0; i < PILOTS_MAX; i++) {
    PetscBool full, stays = PETSC_TRUE;

    PetscCall(pilot(comm, system, initial, schedule, options, s, &full));
    for (int axis = 0; axis < s->dim; axis++) {
      if (!s->fitted[axis]) continue;
      if (full)
        PetscCall(widen(s, system, axis));
      else if (!cut(s, axis))
        stays = PETSC_FALSE;
    }
    if (full || !stays) continue;
    if (s->steepest <= STEEPEST) PetscFunctionReturn(0);
    if (2 * s->cells > most_cells[s->dim - 1]) break;
    s->cells *= 2;
  }
  if (s->steepest > STEEPEST)
    FARE_FAIL(FARE_ERR_INPUT,
      "truth.fit_domain: in pilot runs with %d cells per axis drift is %.0f times as large as diffusion over "
      "a cell, so they are inconclusive; give lower and upper",
      s->cells, s->steepest);
  FARE_FAIL(FARE_ERR_FAILED,
    "truth.fit_domain: no box was found in %d pilot runs (at time %g a mass of %.1e was at an end of the "
    "last); give lower and upper",
    PILOTS_MAX, s->time, s->mass);
}

PetscErrorCode fare_truth_fit_domain(MPI_Comm comm, const fare_system *system, const fare_initial *initial,
  const fare_schedule *schedule, fare_truth_options *options)
{
  search s;

  PetscFunctionBegin;
  if (!options->fit_domain) PetscFunctionReturn(0);
  if (initial->density == FARE_INITIAL_UNIFORM)
    FARE_FAIL(
      FARE_ERR_INPUT, "truth.fit_domain: a uniform initial density fills any box; give lower and upper");
  PetscCall(first_box(system, initial, options, &s));
  PetscCall(find_box(comm, system, initial, schedule, options, &s));
  options->lower.values = calloc((size_t)s.dim, sizeof *options->lower.values);
  options->upper.values = calloc((size_t)s.dim, sizeof *options->upper.values);
  if (!options->lower.values || !options->upper.values) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  options->lower.count = options->upper.count = (size_t)s.dim;
  for (int axis = 0; axis < s.dim; axis++) {
    options->lower.values[axis] = s.lower[axis];
    options->upper.values[axis] = s.upper[axis];
    fare_log("truth: the box is [%g, %g] along %s", s.lower[axis], s.upper[axis],
      fare_system_axis_name(system, axis));
  }
  PetscCall(free_search(&s));
  PetscFunctionReturn(0);
}
