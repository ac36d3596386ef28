/* SPDX-License-Identifier: BSD-2-Clause */
/* What all energies share, and the energy of the system itself. */
#include "energy.h"

#include <math.h>
#include <petscdm.h>

PetscErrorCode fare_energy_create(int dim, const PetscBool periodic[], const double lower[],
  const double upper[], const double shift[], const double scale[], fare_energy **energy)
{
  fare_energy *e;

  PetscFunctionBegin;
  PetscCall(PetscNew(&e));
  *energy = e;
  e->dim  = dim;
  for (int axis = 0; axis < dim; axis++) {
    e->shift[axis]    = shift ? shift[axis] : 0;
    e->scale[axis]    = scale ? scale[axis] : 1;
    e->periodic[axis] = periodic[axis];
    e->lower[axis]    = (lower[axis] - e->shift[axis]) / e->scale[axis];
    e->length[axis]   = (upper[axis] - lower[axis]) / e->scale[axis];
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode destroy_context(fare_energy *energy)
{
  PetscFunctionBegin;
  PetscCall(PetscFree(energy->context));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_energy_destroy(fare_energy **energy)
{
  PetscFunctionBegin;
  if (!*energy) PetscFunctionReturn(0);
  PetscCall((*energy)->destroy(*energy));
  PetscCall(PetscFree(*energy));
  PetscFunctionReturn(0);
}

void fare_energy_set_walls(fare_energy *energy, const fare_walls *walls)
{
  energy->walls          = *walls;
  energy->walls.inertial = PETSC_FALSE; /* a chain's velocities have no direction in time */
  for (int axis = 0; axis < walls->dim; axis++) {
    energy->walls.lower[axis] = (walls->lower[axis] - energy->shift[axis]) / energy->scale[axis];
    energy->walls.upper[axis] = (walls->upper[axis] - energy->shift[axis]) / energy->scale[axis];
  }
}

typedef struct {
  const fare_system      *system;
  const fare_system_type *type;
  double                  theta[FARE_PARAMETERS_MAX];
  PetscBool               reduced; /* by kT */
} physical;

static PetscErrorCode physical_move(fare_energy *energy, double t)
{
  physical *p = energy->context;

  PetscFunctionBegin;
  fare_system_parameters(p->system, t, p->theta);
  PetscFunctionReturn(0);
}

static void physical_evaluate(
  fare_energy *energy, int n, const double *const z[], double U[], double *const f[])
{
  const physical *p       = energy->context;
  const double    inverse = p->reduced ? 1 / p->theta[FARE_KT] : 1;

  p->type->potential(energy->dim, p->theta, (size_t)n, z, U);
  p->type->force(energy->dim, p->theta, (size_t)n, z, f);
  for (int i = 0; i < n; i++) U[i] *= inverse;
  for (int axis = 0; axis < energy->dim; axis++) {
    for (int i = 0; i < n; i++) f[axis][i] *= inverse;
  }
}

PetscErrorCode fare_energy_of_system(const fare_system *system, PetscBool reduced, fare_energy **energy)
{
  const fare_system_type *type = fare_system_type_of(system);
  physical               *p;

  PetscFunctionBegin;
  PetscCall(fare_energy_create(
    fare_system_dimension(system), type->periodic, type->lower, type->upper, NULL, NULL, energy));
  PetscCall(PetscNew(&p));
  *p                  = (physical){.system = system, .type = type, .reduced = reduced};
  (*energy)->context  = p;
  (*energy)->move     = physical_move;
  (*energy)->evaluate = physical_evaluate;
  (*energy)->destroy  = destroy_context;
  PetscFunctionReturn(0);
}

typedef struct {
  fare_energy *with;
  double       s;
} blended;

static PetscErrorCode blend_move(fare_energy *energy, double s)
{
  PetscFunctionBegin;
  ((blended *)energy->context)->s = s;
  PetscFunctionReturn(0);
}

static void blend_evaluate(fare_energy *energy, int n, const double *const z[], double U[], double *const f[])
{
  const blended *b = energy->context;

  b->with->evaluate(b->with, n, z, U, f);
  for (int i = 0; i < n; i++) U[i] *= b->s;
  for (int axis = 0; axis < energy->dim; axis++) {
    const double normal = energy->periodic[axis] ? 0 : 1 - b->s;

    for (int i = 0; i < n; i++) {
      U[i] += 0.5 * normal * z[axis][i] * z[axis][i];
      f[axis][i] = b->s * f[axis][i] - normal * z[axis][i];
    }
  }
}

PetscErrorCode fare_energy_blend(fare_energy *with, fare_energy **energy)
{
  blended     *b;
  fare_energy *e;

  PetscFunctionBegin;
  PetscCall(PetscNew(&e));
  PetscCall(PetscNew(&b));
  b->with     = with;
  *e          = *with;
  e->context  = b;
  e->move     = blend_move;
  e->evaluate = blend_evaluate;
  e->destroy  = destroy_context;
  *energy     = e;
  PetscFunctionReturn(0);
}

void fare_energy_enter(const fare_energy *energy, fare_ensemble *ensemble)
{
  for (int axis = 0; axis < ensemble->dim; axis++) {
    for (int64_t i = 0; i < ensemble->blocks * FARE_BLOCK; i++)
      ensemble->x[axis][i] = (ensemble->x[axis][i] - energy->shift[axis]) / energy->scale[axis];
  }
}

void fare_energy_leave(const fare_energy *energy, fare_ensemble *ensemble)
{
  for (int axis = 0; axis < ensemble->dim; axis++) {
    for (int64_t i = 0; i < ensemble->blocks * FARE_BLOCK; i++)
      ensemble->x[axis][i] = energy->shift[axis] + energy->scale[axis] * ensemble->x[axis][i];
  }
}

#define ATTEMPTS 10000 /* for one particle between walls */

/* Normals; those that lie beyond a wall are drawn again, and stand in the middle should that never end. */
static void draw_normals(const fare_energy *energy, int axis, fare_stream stream, uint64_t block, double z[])
{
  const fare_walls *w     = &energy->walls;
  const double      lower = w->dim && w->at[axis][0] ? w->lower[axis] : -HUGE_VAL,
               upper      = w->dim && w->at[axis][1] ? w->upper[axis] : HUGE_VAL;
  double again[FARE_BLOCK];
  int    left = 0;

  fare_random_normals(stream, block, 0, (uint32_t)axis, z);
  for (int i = 0; i < FARE_BLOCK; i++) left += z[i] < lower || z[i] > upper;
  for (uint64_t attempt = 1; left && attempt < ATTEMPTS; attempt++) {
    fare_random_normals(stream, block, attempt, (uint32_t)axis, again);
    for (int i = 0; i < FARE_BLOCK; i++) {
      if (z[i] >= lower && z[i] <= upper) continue;
      z[i] = again[i];
      left -= z[i] >= lower && z[i] <= upper;
    }
  }
  for (int i = 0; i < FARE_BLOCK && left; i++)
    z[i] = z[i] >= lower && z[i] <= upper ? z[i] : 0.5 * (lower + upper);
}

void fare_energy_draw(const fare_energy *energy, fare_stream stream, uint64_t block, double *const z[])
{
  for (int axis = 0; axis < energy->dim; axis++) {
    if (energy->periodic[axis]) {
      fare_random_uniforms(stream, block, 0, (uint32_t)axis, z[axis]);
      for (int i = 0; i < FARE_BLOCK; i++)
        z[axis][i] = energy->lower[axis] + energy->length[axis] * z[axis][i];
    } else {
      draw_normals(energy, axis, stream, block, z[axis]);
    }
  }
}

/* Points per axis of the quadrature in a cell: so many that a whole grid is still quickly done. */
static const int    quadrature[FARE_DIM_MAX + 1] = {0, 3, 2, 1};
static const double nodes[4][3]                  = {
                   {0},
                   {0},
                   {-0.28867513459481287, 0.28867513459481287},
                   {-0.3872983346207417, 0, 0.3872983346207417},
};
static const double weights[4][3] = {{0}, {1}, {0.5, 0.5}, {5. / 18, 8. / 18, 5. / 18}};

/* What the points of cells are gathered in until there are enough of them to evaluate. */
typedef struct {
  fare_energy *energy;
  int          count;
  PetscInt     cell[FARE_BLOCK];
  double       z[FARE_DIM_MAX][FARE_BLOCK] FARE_ALIGNED, weight[FARE_BLOCK];
  double      *sum, *least; /* of each cell: sum of weight exp(least - U), and the least U it refers to */
} gathering;

static void flush(gathering *g)
{
  const double *const z[FARE_DIM_MAX] = {g->z[0], g->z[1], g->z[2]};
  double              force[FARE_DIM_MAX][FARE_BLOCK] FARE_ALIGNED, U[FARE_BLOCK] FARE_ALIGNED;
  double *const       f[FARE_DIM_MAX] = {force[0], force[1], force[2]};

  if (g->count) g->energy->evaluate(g->energy, g->count, z, U, f);
  for (int i = 0; i < g->count; i++) {
    const PetscInt cell = g->cell[i];

    if (U[i] < g->least[cell]) {
      g->sum[cell] *= exp(U[i] - g->least[cell]);
      g->least[cell] = U[i];
    }
    g->sum[cell] += g->weight[i] * exp(g->least[cell] - U[i]);
  }
  g->count = 0;
}

static void add_cell(gathering *g, const fare_grid *grid, PetscInt cell, const PetscInt index[])
{
  const int q = quadrature[grid->dim], points = grid->dim == 1 ? q : grid->dim == 2 ? q * q : q * q * q;

  for (int p = 0; p < points; p++) {
    double weight = 1;

    for (int axis = 0, rest = p; axis < grid->dim; axis++, rest /= q) {
      g->z[axis][g->count] = (fare_grid_centre(grid, axis, index[axis]) +
                               nodes[q][rest % q] * grid->spacing[axis] - g->energy->shift[axis]) /
        g->energy->scale[axis];
      weight *= weights[q][rest % q];
    }
    g->weight[g->count] = weight;
    g->cell[g->count++] = cell;
    if (g->count == FARE_BLOCK) flush(g);
  }
}

PetscErrorCode fare_energy_masses(fare_energy *energy, const fare_grid *grid, Vec *masses)
{
  const PetscInt cells = fare_grid_owned(grid);
  gathering      g     = {.energy = energy};
  double         least = HUGE_VAL;
  PetscScalar   *to, sum;

  PetscFunctionBegin;
  PetscCall(PetscCalloc2(cells, &g.sum, cells, &g.least));
  for (PetscInt cell = 0; cell < cells; cell++) g.least[cell] = HUGE_VAL;
  for (PetscInt cell = 0; cell < cells; cell++) {
    PetscInt index[FARE_DIM_MAX];

    fare_cell_index(grid, cell, index);
    add_cell(&g, grid, cell, index);
  }
  flush(&g);
  for (PetscInt cell = 0; cell < cells; cell++) least = PetscMin(least, g.least[cell]);
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &least, 1, MPI_DOUBLE, MPI_MIN, grid->comm));
  PetscCall(DMCreateGlobalVector(grid->dm, masses));
  PetscCall(VecGetArray(*masses, &to));
  for (PetscInt cell = 0; cell < cells; cell++) to[cell] = g.sum[cell] * exp(least - g.least[cell]);
  PetscCall(VecRestoreArray(*masses, &to));
  PetscCall(PetscFree2(g.sum, g.least));
  PetscCall(VecSum(*masses, &sum));
  PetscCall(VecScale(*masses, 1 / sum));
  PetscFunctionReturn(0);
}
