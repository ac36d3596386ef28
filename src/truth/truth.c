/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The truth: masses on the grid that was asked for, and two companions on a grid of half as many cells per
  axis and one on a grid of a quarter. The first shares the tolerance of the truth, and differs from it by the
  error in space; the second has a tighter one, and differs from the first by the error in time. The third
  shows how the error in space falls from grid to grid. (A looser one would be cheaper, but it takes the same
  steps as the first where snapshots are so dense that they, not the tolerance, set the step.)
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
#define SAME_TURNS    1e-9
#define QUARTER_LEAST 8 /* cells of the coarsest companion per axis */
#define SAME_TIME     1e-9
#define DOUBT         (FARE_TRUTH_NUMBERS - 3 - FARE_DIM_MAX) /* behind the evolution's own numbers */

struct fare_truth {
  const fare_system *system;
  /* half_grid: NULL without estimate; quarter_grid: where cells are no multiple of 4, too */
  fare_grid        *grid, *half_grid, *quarter_grid;
  fare_evolution   *main, *half, *half_tighter, *quarter;
  fare_estimate    *estimate;
  Vec               error_field, half_difference;
  double            layer[FARE_DIM_MAX][2]; /* of the start, at each end; see ends.c */
  PetscBool         high_order;             /* its scheme */
  fare_truth_status status;
};

static const char *const end_names[] = {
  "reflecting", "periodic", "absorbing", "absorbing_below", "absorbing_above", NULL};

static const char *const scheme_names[] = {"auto", "fitted", "high_order", NULL};

const fare_field fare_truth_fields[] = {
  {"cells", FARE_INTEGERS, offsetof(fare_truth_options, cells), "", 4, FARE_CELLS_MAX, NULL, "",
    "cells per axis, each even; or give accuracy"},
  {"accuracy", FARE_REAL, offsetof(fare_truth_options, accuracy), "0", 0, 1, NULL, "",
    "largest estimated L1 error of any snapshot: pilot runs choose cells and tolerance; 0: both as "
    "given"},
  {"lower", FARE_REALS, offsetof(fare_truth_options, lower), "", -1e9, 1e9, NULL, "length",
    "lower corner of the box; the system's own unless given"},
  {"upper", FARE_REALS, offsetof(fare_truth_options, upper), "", -1e9, 1e9, NULL, "length",
    "upper corner of the box; the system's own unless given"},
  {"boundaries", FARE_CHOICES, offsetof(fare_truth_options, boundaries), "", 0, 0, end_names, "",
    "per axis; periodic where the system is, reflecting elsewhere, unless given"},
  {"tolerance", FARE_REAL, offsetof(fare_truth_options, tolerance), "1e-8", 1e-14, 0.1, NULL, "",
    "estimated L1 error that one time step may add"},
  {"extrapolate", FARE_BOOLEAN, offsetof(fare_truth_options, extrapolate), "false", 0, 0, NULL, "",
    "also record the density with its estimated error added: of higher order where it is smooth, but it may "
    "be negative"},
  {"estimate", FARE_BOOLEAN, offsetof(fare_truth_options, estimate), "true", 0, 0, NULL, "",
    "also evolve coarser companions to estimate the error"},
  {"fit_domain", FARE_BOOLEAN, offsetof(fare_truth_options, fit_domain), "false", 0, 0, NULL, "",
    "find the box by pilot runs: the smallest that holds all but 1e-10 of the mass at all times"},
  {"scheme", FARE_CHOICE, offsetof(fare_truth_options, scheme), "auto", 0, 0, scheme_names, "",
    "fitted: positive rates, implicit, of second order where cells resolve drift against diffusion; "
    "high_order: explicit flows of order 7; auto: high_order where an axis has no diffusion or drift outruns "
    "it"},
  FARE_FIELDS_END,
};

static PetscErrorCode check_count(const fare_node *node, const char *key, int dim, size_t count)
{
  PetscFunctionBegin;
  if (count != (size_t)dim)
    FARE_REFUSE(fare_node_find(node, key), "expected %d number%s for a %d-dimensional system, got %zu", dim,
      dim > 1 ? "s" : "", dim, count);
  PetscFunctionReturn(0);
}

/* A circle closes only where the system does: anywhere else drift would jump there. */
static PetscErrorCode check_circle(
  const fare_node *node, const fare_system *system, const fare_truth_options *options, int axis)
{
  const fare_box own = fare_system_box(system), box = fare_truth_box(system, options);
  const double   period  = own.upper[axis] - own.lower[axis],
               turns     = (box.upper[axis] - box.lower[axis]) / period;
  const fare_node *list  = fare_node_find(node, own.periodic[axis] ? "upper" : "boundaries"),
                  *place = list && fare_node_kind_of(list) == FARE_NODE_LIST
    ? fare_node_item(list, (size_t)axis)
    : list;
  const char *name       = fare_system_axis_name(system, axis);

  PetscFunctionBegin;
  if (!box.periodic[axis]) PetscFunctionReturn(0);
  if (!own.periodic[axis])
    FARE_REFUSE(place, "system '%s' is not periodic along %s", fare_system_type_of(system)->name, name);
  if (fabs(turns - PetscMax(1, nearbyint(turns))) > SAME_TURNS * turns) {
    FARE_REFUSE(place,
      "%s is periodic: its ends lie one period (%.12g) or several apart, not %.12g; without lower and upper "
      "they are the system's own",
      name, period, turns * period);
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_truth_options_from_config(
  const fare_node *node, const fare_system *system, fare_truth_options *options)
{
  const int dim   = fare_system_dimension(system);
  double    total = 1;

  PetscFunctionBegin;
  PetscCall(fare_fields_read(fare_truth_fields, NULL, node, options));
  if (!options->cells.count && !(options->accuracy > 0))
    FARE_REFUSE(node, "missing key 'cells' (cells per axis), or 'accuracy' instead");
  if (options->cells.count && options->accuracy > 0)
    FARE_REFUSE(fare_node_find(node, "accuracy"), "give either cells or accuracy, which chooses them");
  if (options->extrapolate && !options->estimate)
    FARE_REFUSE(
      fare_node_find(node, "extrapolate"), "extrapolation needs the estimate, which is switched off");
  if (options->accuracy > 0 && !options->estimate)
    FARE_REFUSE(fare_node_find(node, "accuracy"), "an accuracy needs the estimate, which is switched off");
  if (options->cells.count) PetscCall(check_count(node, "cells", dim, options->cells.count));
  if (options->lower.count) PetscCall(check_count(node, "lower", dim, options->lower.count));
  if (options->upper.count) PetscCall(check_count(node, "upper", dim, options->upper.count));
  if (options->boundaries.count) PetscCall(check_count(node, "boundaries", dim, options->boundaries.count));
  if (options->fit_domain && (options->lower.count || options->upper.count))
    FARE_REFUSE(
      fare_node_find(node, "fit_domain"), "give either lower and upper or fit_domain, which finds them");
  if (!options->lower.count != !options->upper.count) FARE_REFUSE(node, "lower and upper go together");
  for (int axis = 0; axis < dim; axis++) {
    if (options->cells.count) total *= (double)options->cells.values[axis];
    if (options->cells.count && options->cells.values[axis] % 2)
      FARE_REFUSE(fare_node_find(node, "cells"),
        "expected an even number of cells, got %lld (the error estimate compares with half as many)",
        (long long)options->cells.values[axis]);
    if (options->lower.count && !(options->lower.values[axis] < options->upper.values[axis]))
      FARE_REFUSE(fare_node_find(node, "upper"), "upper must lie above lower, got %g and %g",
        options->upper.values[axis], options->lower.values[axis]);
    PetscCall(check_circle(node, system, options, axis));
  }
  if (total > FARE_CELLS_MAX)
    FARE_REFUSE(
      fare_node_find(node, "cells"), "%g cells are more than the limit of %d", total, FARE_CELLS_MAX);
  PetscFunctionReturn(0);
}

void fare_truth_options_free(fare_truth_options *options)
{
  fare_fields_free(fare_truth_fields, options);
}

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
  (*e)->parts = parts;
  PetscFunctionReturn(0);
}

static PetscErrorCode create_companions(fare_truth *truth, double start, double tolerance)
{
  Vec masses, same, coarse;

  PetscFunctionBegin;
  PetscCall(DMCreateGlobalVector(truth->half_grid->dm, &masses));
  PetscCall(fare_grid_restrict(truth->half_grid, truth->main->masses, masses));
  PetscCall(VecDuplicate(masses, &truth->half_difference));
  PetscCall(VecDuplicate(masses, &same));
  PetscCall(VecCopy(masses, same));
  if (truth->quarter_grid) {
    PetscCall(DMCreateGlobalVector(truth->quarter_grid->dm, &coarse));
    PetscCall(fare_grid_restrict(truth->quarter_grid, masses, coarse));
    PetscCall(create_evolution(truth, truth->quarter_grid, start, tolerance, 1, coarse, &truth->quarter));
  }
  PetscCall(create_evolution(truth, truth->half_grid, start, tolerance, 1, masses, &truth->half));
  PetscCall(
    create_evolution(truth, truth->half_grid, start, tolerance / TIGHTER, 2, same, &truth->half_tighter));
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
static PetscErrorCode add_ends(fare_truth *truth)
{
  fare_truth_status *status = &truth->status;
  double             now[FARE_DIM_MAX][2], singular;
  PetscScalar        left;

  PetscFunctionBegin;
  PetscCall(
    fare_ends_look(truth->grid, truth->main->system, status->time, truth->main->masses, now, &singular));
  PetscCall(VecSum(truth->main->masses, &left));
  if (!truth->main->steps) singular = 0;
  status->error_space =
    PetscMax(status->error_space, PetscMax(PetscMin(hidden_by_layers(truth), left), singular));
  PetscFunctionReturn(0);
}

/*
  Of the difference that halving the steps makes on the half grid, what is the error in time of the truth.
  Steps of transport, of order 2 at least, are shorter on finer cells.
*/
static double time_share(const fare_truth *truth)
{
  const double longer =
    truth->high_order && truth->half->steps ? (double)truth->main->steps / (double)truth->half->steps : 1;

  return truth->high_order ? STEP_SHARE / (longer * longer) : TIME_SHARE;
}

/* What has been taken off cells that held next to nothing, and what the others got for it. */
static double dropped_share(const fare_truth *truth)
{
  return 2 * truth->main->dropped;
}

static PetscErrorCode estimate_error(fare_truth *truth)
{
  fare_truth_status *status = &truth->status;
  PetscReal          norm;
  double             ratio;

  PetscFunctionBegin;
  if (truth->high_order)
    ratio = HIGH_RATIO;
  else
    PetscCall(fare_operator_ratio(truth->half->op, truth->half->masses, &ratio));
  PetscCall(VecWAXPY(truth->half_difference, -1, truth->half_tighter->masses, truth->half->masses));
  PetscCall(VecNorm(truth->half_difference, NORM_1, &norm));
  status->error_time =
    PetscMax(time_share(truth) * norm, LATEST_SHARE * truth->main->last_error) + dropped_share(truth);
  PetscCall(fare_estimate_space(truth->estimate, truth->main->masses, truth->half->masses,
    truth->quarter ? truth->quarter->masses : NULL, ratio, truth->error_field, status));
  PetscCall(add_ends(truth));
  status->error   = status->error_space + status->error_time;
  status->nominal = ratio;
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
  double             half[2], rate[FARE_DIM_MAX][2];

  PetscFunctionBegin;
  PetscCall(fare_evolution_absorbed(truth->main, &status->survival, status->exit_rate));
  if (!truth->main->absorbs) PetscFunctionReturn(0);
  status->exit_flux = 0;
  for (int end = 0; end < 2 * FARE_DIM_MAX; end++) {
    status->absorbed[end / 2][end % 2] = truth->main->exits.absorbed[end / 2][end % 2];
    status->exit_flux += status->exit_rate[end / 2][end % 2];
  }
  if (!truth->half_grid) PetscFunctionReturn(0);
  PetscCall(fare_evolution_absorbed(truth->half, &half[0], rate));
  PetscCall(fare_evolution_absorbed(truth->half_tighter, &half[1], rate));
  status->survival_error = fabs(status->survival - half[0]) / (ratio - 1) +
    TIME_SHARE * fabs(half[0] - half[1]) + dropped_share(truth);
  status->survival_error =
    PetscMax(status->survival_error, PetscMin(hidden_by_layers(truth), status->survival));
  for (int end = 0; end < 2 * FARE_DIM_MAX; end++) {
    const double coarse  = truth->half->exits.absorbed[end / 2][end % 2],
                 tighter = truth->half_tighter->exits.absorbed[end / 2][end % 2];

    status->absorbed_error[end / 2][end % 2] =
      fabs(status->absorbed[end / 2][end % 2] - coarse) / (ratio - 1) + TIME_SHARE * fabs(coarse - tighter) +
      dropped_share(truth);
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
  PetscCall(update_status(t));
  PetscFunctionReturn(0);
}

static fare_evolution *part_of(const fare_truth *truth, int part)
{
  return part == 0 ? truth->main : part == 1 ? truth->half : part == 2 ? truth->half_tighter : truth->quarter;
}

int fare_truth_parts(const fare_truth *truth)
{
  return truth->quarter_grid ? 4 : truth->half_grid ? 3 : 1;
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
static void hold_shorter(const fare_evolution *half, fare_evolution *tighter, double t)
{
  tighter->finest_end = t;
  /* what is left behind a corner may be rounding */
  tighter->finest = half->largest_step > SAME_TIME * fabs(t) ? half->largest_step / 2 : 0;
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
    if (truth->half->ts) hold_shorter(truth->half, truth->half_tighter, t);
    PetscCall(fare_evolution_advance(truth->half_tighter, t));
    if (truth->quarter) PetscCall(fare_evolution_advance(truth->quarter, t));
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
  PetscCall(fare_evolution_destroy(&t->half_tighter));
  PetscCall(fare_evolution_destroy(&t->quarter));
  PetscCall(fare_estimate_destroy(&t->estimate));
  PetscCall(VecDestroy(&t->error_field));
  PetscCall(VecDestroy(&t->half_difference));
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
  if (part < fare_truth_parts(truth) - 1) PetscFunctionReturn(0);
  /* the estimate asks them about the scheme's order */
  if (truth->half && !truth->high_order) PetscCall(fare_operator_rates(truth->half->op, truth->half->before));
  PetscCall(update_status(truth));
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

const fare_truth_status *fare_truth_get_status(const fare_truth *truth)
{
  return &truth->status;
}
