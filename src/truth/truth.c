/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The truth: masses on the grid that was asked for, and companions on a grid of half as many cells per axis
  and on one of a quarter. Both share the tolerance of the truth: the first differs from it by the error in
  space, and the second shows how that falls from grid to grid. The last companion has a tighter tolerance and
  differs by the error in time from the one that is on its grid. Backward differentiation chooses its steps by
  what they do to a density, hardly by its cells: there that is the coarsest grid, elsewhere the one of half
  the cells. (A looser one would be cheaper, but it takes the same steps where snapshots are so dense that
  they, not the tolerance, set the step.)
*/
#include "truth.h"
#include "truth/transport/transport.h"

#include <petscdmda.h>

#include <math.h>

/*
  A tolerance TIGHTER times as small has an error in time as many times as small; how much larger the error of
  cells twice as wide is, the rates know.
*/
#define TIGHTER    16.0
#define TIME_SHARE (TIGHTER / (TIGHTER - 1))
#define STEP_SHARE (4. / 3) /* of halved steps, of order 2 */
/* of transport: of order 7; for what is no density less is relied on, and order 2 where ends absorb */
#define HIGH_RATIO    128.0
#define NUMBERS_RATIO 16.0
#define LOW_RATIO     4.0
/*
  Where the density forgets what was before, companions may share what is left of their errors. The latest
  step's own error is then too large by about as much as the density forgets within it.
*/
#define LATEST_SHARE  0.1
#define QUARTER_LEAST 8 /* cells of the coarsest companion per axis */
#define SAME_TIME     1e-9
#define DOUBT         (FARE_TRUTH_NUMBERS - 3 - FARE_DIM_MAX) /* behind the evolution's own numbers */
#define STEEP_ERROR   (DOUBT - 1)

struct fare_truth {
  const fare_system *system;
  /* half_grid: NULL without estimate; quarter_grid: where cells are no multiple of 4, too */
  fare_grid      *grid, *half_grid, *quarter_grid;
  fare_evolution *main, *half, *quarter, *tighter;
  fare_evolution *loose; /* borrowed: the one on the grid of the tighter */
  fare_estimate  *estimate;
  Vec             error_field, time_difference;
  /* NULL where nothing is extrapolated; masses that are, and their error field */
  fare_extrapolation *extrapolation;
  Vec                 better, better_error;
  double              layer[FARE_DIM_MAX][2]; /* of the start, at each end; see ends.c */
  PetscBool           high_order;             /* its scheme */
  fare_truth_status   status;
};

/*
  Whether there can be a grid of a quarter as many cells, on as many ranks along each axis as the grid of
  half.
*/
static PetscErrorCode has_quarter(const fare_grid *half, PetscBool high_order, PetscBool *has)
{
  PetscInt ranks[FARE_DIM_MAX];

  PetscFunctionBegin;
  PetscCall(DMDAGetInfo(
    half->dm, NULL, NULL, NULL, NULL, &ranks[0], &ranks[1], &ranks[2], NULL, NULL, NULL, NULL, NULL, NULL));
  *has = PETSC_TRUE;
  for (int axis = 0; axis < half->dim; axis++) {
    if (half->cells[axis] % 2 || half->cells[axis] / 2 < QUARTER_LEAST ||
      half->cells[axis] / 2 < ranks[axis] * (high_order ? FARE_REACH : 1))
      *has = PETSC_FALSE;
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode create_grids(
  MPI_Comm comm, const fare_system *system, const fare_truth_options *options, fare_truth *truth)
{
  const int      dim = fare_system_dimension(system);
  const fare_box box = fare_truth_box(system, options);
  PetscInt       cells[FARE_DIM_MAX];
  fare_boundary  end[FARE_DIM_MAX];
  PetscBool      quarter = PETSC_FALSE;

  PetscFunctionBegin;
  for (int axis = 0; axis < dim; axis++) {
    cells[axis] = (PetscInt)options->cells.values[axis] / (options->estimate ? 2 : 1);
    end[axis]   = fare_truth_end(system, options, axis);
  }
  if (!options->estimate) {
    PetscCall(fare_grid_create(comm, dim, cells, box.lower, box.upper, end, &truth->grid));
    fare_grid_name_axes(truth->grid, system);
    PetscFunctionReturn(0);
  }
  PetscCall(fare_grid_create(comm, dim, cells, box.lower, box.upper, end, &truth->half_grid));
  PetscCall(has_quarter(truth->half_grid, truth->high_order, &quarter));
  if (quarter) {
    PetscCall(fare_grid_destroy(&truth->half_grid));
    for (int axis = 0; axis < dim; axis++) cells[axis] /= 2;
    PetscCall(fare_grid_create(comm, dim, cells, box.lower, box.upper, end, &truth->quarter_grid));
    PetscCall(fare_grid_refine(truth->quarter_grid, &truth->half_grid));
  }
  PetscCall(fare_grid_refine(truth->half_grid, &truth->grid));
  fare_grid_name_axes(truth->grid, system);
  PetscFunctionReturn(0);
}

/* Takes `masses`. Steps are no longer than one of `parts` of what else they might be. */
static PetscErrorCode create_evolution(const fare_truth *truth, const fare_grid *grid, double start,
  double tolerance, int parts, Vec masses, fare_evolution **e)
{
  const PetscBool bound = grid == truth->grid && truth->half_grid ? PETSC_TRUE : PETSC_FALSE;

  PetscFunctionBegin;
  if (truth->high_order)
    PetscCall(fare_evolution_create_transport(grid, truth->system, start, tolerance, masses, e));
  else
    PetscCall(fare_evolution_create(grid, truth->system, start, tolerance, bound, masses, e));
  fare_evolution_set_parts(*e, parts);
  PetscFunctionReturn(0);
}

static PetscErrorCode create_companions(fare_truth *truth, double start, double tolerance)
{
  Vec masses, coarse, same;

  PetscFunctionBegin;
  PetscCall(DMCreateGlobalVector(truth->half_grid->dm, &masses));
  PetscCall(fare_grid_restrict(truth->half_grid, truth->main->masses, masses));
  PetscCall(create_evolution(truth, truth->half_grid, start, tolerance, 1, masses, &truth->half));
  truth->loose = truth->half;
  if (truth->quarter_grid) {
    PetscCall(DMCreateGlobalVector(truth->quarter_grid->dm, &coarse));
    PetscCall(fare_grid_restrict(truth->quarter_grid, masses, coarse));
    PetscCall(create_evolution(truth, truth->quarter_grid, start, tolerance, 1, coarse, &truth->quarter));
    if (truth->quarter->bdf) truth->loose = truth->quarter;
  }
  PetscCall(VecDuplicate(truth->loose->masses, &same));
  PetscCall(VecDuplicate(truth->loose->masses, &truth->time_difference));
  PetscCall(VecCopy(truth->loose->masses, same));
  PetscCall(
    create_evolution(truth, truth->loose->grid, start, tolerance / TIGHTER, 2, same, &truth->tighter));
  PetscFunctionReturn(0);
}

/* Mass in the outermost cells at reflecting ends: unless it is tiny, the box is too small. */
static PetscErrorCode boundary_mass(const fare_truth *truth, double *mass)
{
  const fare_grid   *grid = truth->grid;
  const PetscScalar *p;

  PetscFunctionBegin;
  *mass = 0;
  PetscCall(VecGetArrayRead(truth->main->masses, &p));
  for (PetscInt n = 0; n < fare_grid_owned(grid); n++) {
    PetscBool outermost = PETSC_FALSE;
    PetscInt  index[FARE_DIM_MAX];

    fare_cell_index(grid, n, index);
    for (int axis = 0; axis < grid->dim; axis++) {
      for (int side = 0; side < 2; side++) {
        if (index[axis] == (side ? grid->cells[axis] - 1 : 0) &&
          fare_boundary_wall(grid->boundary[axis], side) == FARE_WALL_REFLECTING)
          outermost = PETSC_TRUE;
      }
    }
    if (outermost) *mass += p[n];
  }
  PetscCall(VecRestoreArrayRead(truth->main->masses, &p));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, mass, 1, MPI_DOUBLE, MPI_SUM, grid->comm));
  PetscFunctionReturn(0);
}

/* What the layers at absorbing ends hide: all from the first step on, nothing of the start itself. */
static double hidden_by_layers(const fare_truth *truth)
{
  double sum = 0;

  for (int end = 0; end < 2 * FARE_DIM_MAX && truth->main->steps; end++)
    sum += truth->layer[end / 2][end % 2];
  return sum;
}

/*
  What cells at the ends hide from the companions: at others now, and since the start at those that absorb,
  though no more than what is left.
*/
static PetscErrorCode hidden_by_ends(const fare_truth *truth, double *hidden)
{
  double      now[FARE_DIM_MAX][2], singular;
  PetscScalar left;

  PetscFunctionBegin;
  PetscCall(fare_ends_look(
    truth->grid, truth->main->system, truth->status.time, truth->main->masses, now, &singular));
  PetscCall(VecSum(truth->main->masses, &left));
  if (!truth->main->steps) singular = 0;
  *hidden = PetscMax(PetscMin(hidden_by_layers(truth), left), singular);
  PetscFunctionReturn(0);
}

/*
  Of the difference that halving the steps makes on the half grid, what is the error in time of the truth.
  Steps of transport are shorter on finer cells, where cells limit them. They are of order 4, but of order 2
  in parameters of the drive that do not enter linearly: 3 is wrong by no more than their ratio. The drive
  may limit the steps of both grids instead, on some way, and be most of the error there.
*/
static double time_share(const fare_truth *truth)
{
  const fare_evolution *e = truth->main;
  double                longer;

  if (!truth->high_order) return TIME_SHARE;
  if (!truth->half->steps) return STEP_SHARE;
  longer = PetscMin((double)e->steps / (double)truth->half->steps, 1 / e->fullest);
  return STEP_SHARE / pow(longer, fare_system_is_driven(truth->system) ? 3 : 2);
}

/* What has been taken off cells that held next to nothing, and what the others got for it. */
static double dropped_share(const fare_truth *truth)
{
  return 2 * truth->main->dropped;
}

/* Takes the extrapolated masses where they are known better. They have part of the half grid's error in time.
 */
static PetscErrorCode extrapolate(fare_truth *truth, double ratio, double hidden)
{
  fare_truth_status *status = &truth->status;
  PetscBool          smooth = PETSC_FALSE;
  double             error;

  PetscFunctionBegin;
  status->extrapolated       = PETSC_FALSE;
  status->error_extrapolated = status->error;
  if (truth->extrapolation)
    PetscCall(fare_estimate_is_smooth(truth->estimate, truth->quarter->masses, ratio, status, &smooth));
  if (!smooth) PetscFunctionReturn(0);
  PetscCall(fare_extrapolate(truth->extrapolation, truth->main->masses, truth->half->masses,
    truth->quarter->masses, ratio, status->observed, truth->better, truth->better_error, &error));
  error = PetscMax(error + fare_estimate_rest_error(truth->estimate), hidden) +
    ratio / (ratio - 1) * status->error_time;
  if (error >= status->error) PetscFunctionReturn(0);
  status->extrapolated       = PETSC_TRUE;
  status->error_extrapolated = error;
  PetscFunctionReturn(0);
}

static PetscErrorCode estimate_error(fare_truth *truth)
{
  fare_truth_status *status = &truth->status;
  PetscReal          norm;
  double             ratio, hidden = 0;

  PetscFunctionBegin;
  if (truth->high_order)
    ratio = HIGH_RATIO;
  else
    PetscCall(fare_operator_ratio(truth->half->op, truth->half->masses, &ratio));
  PetscCall(VecWAXPY(truth->time_difference, -1, truth->tighter->masses, truth->loose->masses));
  PetscCall(fare_norm_1(truth->time_difference, &norm));
  status->error_time =
    PetscMax(time_share(truth) * norm, LATEST_SHARE * truth->main->last_error) + dropped_share(truth);
  PetscCall(fare_estimate_space(truth->estimate, truth->main->masses, truth->half->masses,
    truth->quarter ? truth->quarter->masses : NULL, ratio, truth->main->steepest, truth->error_field,
    status));
  PetscCall(hidden_by_ends(truth, &hidden));
  status->error_space = PetscMax(status->error_space, hidden);
  status->error       = status->error_space + status->error_time;
  status->nominal     = ratio;
  PetscCall(extrapolate(truth, ratio, hidden));
  if (truth->high_order) ratio = truth->main->absorbs ? LOW_RATIO : NUMBERS_RATIO;
  status->ratio = status->observed > 0 ? PetscMin(ratio, PetscMax(status->observed, FARE_RATIO_MIN))
                                       : PetscMin(ratio, FARE_RATIO_UNSEEN);
  PetscFunctionReturn(0);
}

/*
  What is absorbed, at each end, with the error that the companions tell, as they tell that of the density.
*/
static PetscErrorCode absorbed(fare_truth *truth)
{
  fare_truth_status *status = &truth->status;
  const double       ratio  = status->ratio;
  double             half, loose, tighter, rate[FARE_DIM_MAX][2];

  PetscFunctionBegin;
  PetscCall(fare_evolution_absorbed(truth->main, &status->survival, status->exit_rate));
  if (!truth->main->absorbs) PetscFunctionReturn(0);
  status->exit_flux = 0;
  for (int end = 0; end < 2 * FARE_DIM_MAX; end++) {
    status->absorbed[end / 2][end % 2] = truth->main->exits.absorbed[end / 2][end % 2];
    status->exit_flux += status->exit_rate[end / 2][end % 2];
  }
  if (!truth->half_grid) PetscFunctionReturn(0);
  PetscCall(fare_evolution_absorbed(truth->half, &half, rate));
  PetscCall(fare_evolution_absorbed(truth->loose, &loose, rate));
  PetscCall(fare_evolution_absorbed(truth->tighter, &tighter, rate));
  status->survival_error =
    fabs(status->survival - half) / (ratio - 1) + TIME_SHARE * fabs(loose - tighter) + dropped_share(truth);
  status->survival_error =
    PetscMax(status->survival_error, PetscMin(hidden_by_layers(truth), status->survival));
  for (int end = 0; end < 2 * FARE_DIM_MAX; end++) {
    const double space = status->absorbed[end / 2][end % 2] - truth->half->exits.absorbed[end / 2][end % 2];
    const double time =
      truth->loose->exits.absorbed[end / 2][end % 2] - truth->tighter->exits.absorbed[end / 2][end % 2];

    status->absorbed_error[end / 2][end % 2] =
      fabs(space) / (ratio - 1) + TIME_SHARE * fabs(time) + dropped_share(truth);
    if (truth->main->steps)
      status->absorbed_error[end / 2][end % 2] =
        PetscMax(status->absorbed_error[end / 2][end % 2], truth->layer[end / 2][end % 2]);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode update_status(fare_truth *truth)
{
  fare_truth_status *status = &truth->status;

  PetscFunctionBegin;
  status->mass_drift            = truth->main->mass_drift;
  status->minimum               = truth->main->minimum;
  status->positivity_correction = truth->main->positivity_correction;
  status->time_bound            = truth->main->time_bound;
  status->steps                 = truth->main->steps;
  status->rejected              = truth->main->rejected;
  status->solves                = truth->main->solves;
  status->iterations            = truth->main->iterations;
  PetscCall(boundary_mass(truth, &status->boundary_mass));
  if (truth->half_grid) PetscCall(estimate_error(truth));
  PetscCall(absorbed(truth));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_truth_create(MPI_Comm comm, const fare_system *system, const fare_initial *initial,
  double start, const fare_truth_options *options, fare_truth **truth)
{
  const fare_box box = fare_truth_box(system, options);
  fare_truth    *t;
  Vec            masses;
  double         singular;

  PetscFunctionBegin;
  *truth = NULL;
  PetscCall(fare_truth_check_memory(comm, system, options));
  PetscCall(PetscNew(&t));
  *truth              = t;
  t->status.time      = start;
  t->status.tolerance = options->tolerance;
  t->system           = system;
  t->high_order =
    fare_truth_scheme(system, &box, options, start) == FARE_SCHEME_HIGH_ORDER ? PETSC_TRUE : PETSC_FALSE;
  PetscCall(create_grids(comm, system, options, t));
  PetscCall(fare_grid_initial(t->grid, initial, system, start, &masses));
  PetscCall(VecDuplicate(masses, &t->error_field));
  PetscCall(create_evolution(t, t->grid, start, options->tolerance, 1, masses, &t->main));
  if (t->half_grid) {
    PetscCall(create_companions(t, start, options->tolerance));
    PetscCall(fare_estimate_create(
      t->grid, t->half_grid, t->quarter_grid, system, initial, t->high_order, &t->estimate));
    PetscCall(fare_ends_look(t->grid, system, start, masses, t->layer, &singular));
  }
  if (options->extrapolate && t->quarter_grid && !t->high_order) {
    PetscCall(fare_extrapolation_create(t->half_grid, t->quarter_grid, &t->extrapolation));
    PetscCall(VecDuplicate(masses, &t->better));
    PetscCall(VecDuplicate(masses, &t->better_error));
  }
  PetscCall(update_status(t));
  PetscFunctionReturn(0);
}

int fare_truth_parts(const fare_truth *truth)
{
  return truth->quarter_grid ? 4 : truth->half_grid ? 3 : 1;
}

int fare_truth_loose_part(const fare_truth *truth)
{
  return truth->loose == truth->half ? FARE_TRUTH_HALF : FARE_TRUTH_QUARTER;
}

static fare_evolution *part_of(const fare_truth *truth, int part)
{
  if (part == fare_truth_parts(truth) - 1 && part) return truth->tighter;
  return part == 0 ? truth->main : part == FARE_TRUTH_HALF ? truth->half : truth->quarter;
}

fare_scheme fare_truth_runs_with(const fare_truth *truth)
{
  return truth->high_order ? FARE_SCHEME_HIGH_ORDER : FARE_SCHEME_FITTED;
}

void fare_truth_set_pause(fare_truth *truth, PetscErrorCode (*pause)(void *context), void *context)
{
  for (int part = 0; part < fare_truth_parts(truth); part++) {
    part_of(truth, part)->pause         = pause;
    part_of(truth, part)->pause_context = context;
  }
}

/*
  Where the density forgets within a step what was before, as it does where it follows a drive, the last step
  alone is the error in time. It must be shorter, too, or both companions have the same. Steps of bdf.c are
  made of more than one.
*/
static void hold_shorter(const fare_evolution *loose, fare_evolution *tighter, double t)
{
  tighter->finest_end = t;
  /* what is left behind a corner may be rounding */
  tighter->finest = loose->largest_step > SAME_TIME * fabs(t) ? loose->largest_step / 2 : 0;
}

PetscErrorCode fare_truth_advance(fare_truth *truth, double t)
{
  const double began = fare_seconds();

  PetscFunctionBegin;
  if (t < truth->main->before - SAME_TIME * PetscMax(1, fabs(t)))
    FARE_FAIL(
      FARE_ERR_FAILED, "truth: it is already at time %g and cannot go back to %g", truth->main->before, t);
  PetscCall(fare_evolution_advance(truth->main, t));
  if (truth->half_grid) {
    PetscCall(fare_evolution_advance(truth->half, t));
    if (truth->quarter) PetscCall(fare_evolution_advance(truth->quarter, t));
    if (truth->loose->ts) hold_shorter(truth->loose, truth->tighter, t);
    PetscCall(fare_evolution_advance(truth->tighter, t));
  }
  truth->status.time = t;
  PetscCall(update_status(truth));
  truth->status.seconds += fare_seconds() - began;
  PetscFunctionReturn(0);
}

PetscErrorCode fare_truth_destroy(fare_truth **truth)
{
  fare_truth *t = *truth;

  PetscFunctionBegin;
  if (!t) PetscFunctionReturn(0);
  PetscCall(fare_evolution_destroy(&t->main));
  PetscCall(fare_evolution_destroy(&t->half));
  PetscCall(fare_evolution_destroy(&t->quarter));
  PetscCall(fare_evolution_destroy(&t->tighter));
  PetscCall(fare_estimate_destroy(&t->estimate));
  PetscCall(VecDestroy(&t->error_field));
  PetscCall(VecDestroy(&t->time_difference));
  PetscCall(fare_extrapolation_destroy(&t->extrapolation));
  PetscCall(VecDestroy(&t->better));
  PetscCall(VecDestroy(&t->better_error));
  PetscCall(fare_grid_destroy(&t->grid));
  PetscCall(fare_grid_destroy(&t->half_grid));
  PetscCall(fare_grid_destroy(&t->quarter_grid));
  PetscCall(PetscFree(*truth));
  PetscFunctionReturn(0);
}

void fare_truth_part(
  const fare_truth *truth, int part, const fare_grid **grid, int *vectors, Vec vector[FARE_TRUTH_VECTORS])
{
  *grid    = part_of(truth, part)->grid;
  *vectors = fare_evolution_vectors(part_of(truth, part), vector);
}

PetscErrorCode fare_truth_save(const fare_truth *truth, int part, double numbers[FARE_TRUTH_NUMBERS])
{
  const fare_truth_status *s = &truth->status;

  PetscFunctionBegin;
  PetscCall(fare_evolution_save(part_of(truth, part), numbers));
  numbers[DOUBT]     = s->doubt;
  numbers[DOUBT + 1] = s->doubt_axis;
  numbers[DOUBT + 2] = s->doubt_size;
  for (int axis = 0; axis < FARE_DIM_MAX; axis++) numbers[DOUBT + 3 + axis] = s->advised[axis];
  if (truth->estimate) numbers[STEEP_ERROR] = fare_estimate_steep_error(truth->estimate);
  PetscFunctionReturn(0);
}

static PetscErrorCode load_doubt(const double numbers[], fare_truth_status *s)
{
  PetscFunctionBegin;
  if (!(numbers[0] >= FARE_DOUBT_NONE && numbers[0] <= FARE_DOUBT_FEW && numbers[1] >= 0 &&
        numbers[1] < FARE_DIM_MAX))
    FARE_FAIL(FARE_ERR_FAILED, "the saved truth has an unknown kind of doubt");
  s->doubt      = (int)numbers[0];
  s->doubt_axis = (int)numbers[1];
  s->doubt_size = numbers[2];
  for (int axis = 0; axis < FARE_DIM_MAX; axis++) s->advised[axis] = numbers[3 + axis];
  PetscFunctionReturn(0);
}

PetscErrorCode fare_truth_load(fare_truth *truth, int part, const double numbers[FARE_TRUTH_NUMBERS])
{
  PetscFunctionBegin;
  PetscCall(fare_evolution_load(part_of(truth, part), numbers));
  if (part && part_of(truth, part)->before > part_of(truth, part - 1)->before)
    FARE_FAIL(FARE_ERR_FAILED, "the companions of the saved truth are ahead of it");
  truth->status.time = part_of(truth, part)->before;
  PetscCall(load_doubt(numbers + DOUBT, &truth->status));
  if (!(numbers[STEEP_ERROR] >= 0 && numbers[STEEP_ERROR] <= 2))
    FARE_FAIL(FARE_ERR_FAILED, "the saved truth has an invalid error");
  if (truth->estimate) fare_estimate_set_steep_error(truth->estimate, numbers[STEEP_ERROR]);
  if (part < fare_truth_parts(truth) - 1) PetscFunctionReturn(0);
  /* the estimate asks them about the scheme's order */
  if (truth->half && !truth->high_order) PetscCall(fare_operator_rates(truth->half->op, truth->half->before));
  PetscCall(update_status(truth));
  /* on the way to a snapshot the parts are at different times, and what they differ by is no doubt */
  PetscCall(load_doubt(numbers + DOUBT, &truth->status));
  if (truth->estimate) fare_estimate_set_steep_error(truth->estimate, numbers[STEEP_ERROR]);
  PetscFunctionReturn(0);
}

const fare_grid *fare_truth_part_grid(const fare_truth *truth, int part)
{
  return part_of(truth, part)->grid;
}

Vec fare_truth_part_masses(const fare_truth *truth, int part)
{
  return part_of(truth, part)->masses;
}

const fare_grid *fare_truth_grid(const fare_truth *truth)
{
  return truth->grid;
}

Vec fare_truth_masses(const fare_truth *truth)
{
  return truth->main->masses;
}

Vec fare_truth_error_field(const fare_truth *truth)
{
  return truth->error_field;
}

PetscBool fare_truth_extrapolates(const fare_truth *truth)
{
  return truth->extrapolation ? PETSC_TRUE : PETSC_FALSE;
}

PetscErrorCode fare_truth_resolves(const fare_truth *truth, PetscBool *resolves)
{
  PetscFunctionBegin;
  *resolves = PETSC_FALSE;
  if (truth->extrapolation)
    PetscCall(fare_estimate_resolves(truth->estimate, truth->quarter->masses, &truth->status, resolves));
  PetscFunctionReturn(0);
}

Vec fare_truth_compared(const fare_truth *truth)
{
  return truth->status.extrapolated ? truth->better : truth->main->masses;
}

Vec fare_truth_compared_error(const fare_truth *truth)
{
  return truth->status.extrapolated ? truth->better_error : truth->error_field;
}

const fare_truth_status *fare_truth_get_status(const fare_truth *truth)
{
  return &truth->status;
}
