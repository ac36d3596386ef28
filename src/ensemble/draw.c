/* Independent draws from the initial density. */
#include <fare/ensemble.h>

#include <math.h>
#include <string.h>

/* Cells per axis of the table that Boltzmann densities are drawn from: so fine that no bin of any measure sees it. */
static const int64_t table_cells[FARE_DIM_MAX + 1] = {0, 1 << 16, 1 << 10, 1 << 7};

#define GUIDE 65536 /* equal parts of probability, from each of which the search for a cell begins */

/* Cumulative probabilities of the cells of a box, the same on every rank. */
typedef struct {
  int     dim;
  int64_t cells, count; /* per axis, and of all */
  double  lower[FARE_DIM_MAX], spacing[FARE_DIM_MAX], *cumulative;
  int64_t *guide; /* the first cell whose cumulative sum passes this part of all */
} table;

static void cell_corner(const table *of, int64_t cell, double corner[])
{
  for (int axis = 0; axis < of->dim; axis++) {
    corner[axis] = of->lower[axis] + of->spacing[axis] * (double)(cell % of->cells);
    cell /= of->cells;
  }
}

static PetscErrorCode table_create(const fare_initial *initial, const fare_system *system, double t, table *to)
{
  const fare_system_type *type = fare_system_type_of(system);
  double                  x[FARE_DIM_MAX][FARE_BLOCK], highest = -HUGE_VAL, sum = 0;
  const double           *points[FARE_DIM_MAX] = {x[0], x[1], x[2]};

  PetscFunctionBeginUser;
  to->dim   = fare_system_dimension(system);
  to->cells = table_cells[to->dim];
  to->count = 1;
  for (int axis = 0; axis < to->dim; axis++) {
    to->count *= to->cells;
    to->lower[axis]   = type->lower[axis];
    to->spacing[axis] = (type->upper[axis] - type->lower[axis]) / (double)to->cells;
  }
  PetscCall(PetscMalloc2(to->count, &to->cumulative, GUIDE + 1, &to->guide));
  for (int64_t first = 0; first < to->count; first += FARE_BLOCK) {
    for (int i = 0; i < FARE_BLOCK; i++) {
      double corner[FARE_DIM_MAX];

      cell_corner(to, first + i, corner);
      for (int axis = 0; axis < to->dim; axis++) x[axis][i] = corner[axis] + 0.5 * to->spacing[axis];
    }
    fare_initial_log_density(initial, system, t, FARE_BLOCK, points, to->cumulative + first);
  }
  for (int64_t i = 0; i < to->count; i++) highest = PetscMax(highest, to->cumulative[i]);
  for (int64_t i = 0; i < to->count; i++) to->cumulative[i] = sum += exp(to->cumulative[i] - highest);
  for (int64_t part = 0, cell = 0; part <= GUIDE; part++) {
    while (cell < to->count - 1 && to->cumulative[cell] <= sum * (double)part / GUIDE) cell++;
    to->guide[part] = cell;
  }
  PetscFunctionReturn(0);
}

/* The cell in which the cumulative sum passes the part u of all. The guide is taken one part wider on both sides: round-off does not matter then. */
static int64_t table_find(const table *in, double u)
{
  const double  target = u * in->cumulative[in->count - 1];
  const int64_t part   = (int64_t)(u * GUIDE);
  int64_t       below = part > 0 ? in->guide[part - 1] - 1 : -1, above = in->guide[PetscMin(part + 2, GUIDE)];

  while (above - below > 1) {
    const int64_t middle = (below + above) / 2;

    if (in->cumulative[middle] > target) above = middle;
    else below = middle;
  }
  return above;
}

static PetscErrorCode draw_from_table(fare_ensemble *ensemble, const fare_initial *initial, const fare_system *system, double t, fare_stream stream)
{
  table  from;
  double u[FARE_BLOCK], inside[FARE_DIM_MAX][FARE_BLOCK], corner[FARE_DIM_MAX];

  PetscFunctionBeginUser;
  PetscCall(table_create(initial, system, t, &from));
  for (int64_t b = 0; b < ensemble->blocks; b++) {
    const uint64_t block = (uint64_t)(ensemble->first_block + b);

    fare_random_uniforms(stream, block, 0, 0, u);
    for (int axis = 0; axis < ensemble->dim; axis++) fare_random_uniforms(stream, block, 0, (uint32_t)axis + 1, inside[axis]);
    for (int i = 0; i < FARE_BLOCK; i++) {
      cell_corner(&from, table_find(&from, u[i]), corner);
      for (int axis = 0; axis < ensemble->dim; axis++) ensemble->x[axis][b * FARE_BLOCK + i] = corner[axis] + from.spacing[axis] * inside[axis][i];
    }
  }
  PetscCall(PetscFree2(from.cumulative, from.guide));
  PetscFunctionReturn(0);
}

/* The component that each particle of a block belongs to. */
static void choose_components(const fare_initial *initial, fare_stream stream, uint64_t block, int dim, size_t component[FARE_BLOCK])
{
  double u[FARE_BLOCK], sum = 0;

  memset(component, 0, FARE_BLOCK * sizeof *component);
  if (initial->weights.count < 2) return;
  for (size_t c = 0; c < initial->weights.count; c++) sum += initial->weights.values[c];
  fare_random_uniforms(stream, block, 0, (uint32_t)dim, u);
  for (int i = 0; i < FARE_BLOCK; i++) {
    double left = u[i] * sum;

    while (component[i] + 1 < initial->weights.count && left > initial->weights.values[component[i]]) left -= initial->weights.values[component[i]++];
  }
}

static void draw_gaussian(fare_ensemble *ensemble, const fare_initial *initial, fare_stream stream)
{
  const size_t dim = (size_t)ensemble->dim;
  size_t       component[FARE_BLOCK];

  for (int64_t b = 0; b < ensemble->blocks; b++) {
    const uint64_t block = (uint64_t)(ensemble->first_block + b);

    choose_components(initial, stream, block, ensemble->dim, component);
    for (size_t axis = 0; axis < dim; axis++) {
      double *x = ensemble->x[axis] + b * FARE_BLOCK;

      fare_random_normals(stream, block, 0, (uint32_t)axis, x);
      for (int i = 0; i < FARE_BLOCK; i++) x[i] = initial->mean.values[component[i] * dim + axis] + initial->sd.values[component[i] * dim + axis] * x[i];
    }
  }
}

PetscErrorCode fare_ensemble_draw(fare_ensemble *ensemble, const fare_initial *initial, const fare_system *system, double t, fare_stream stream)
{
  PetscFunctionBeginUser;
  if (initial->mean.count) draw_gaussian(ensemble, initial, stream);
  else PetscCall(draw_from_table(ensemble, initial, system, t, stream));
  ensemble->time = t;
  PetscFunctionReturn(0);
}
