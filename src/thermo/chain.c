/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The work chain: energies change, then masses relax at the new energies. Relaxation is backward Euler with
  rates whose stationary masses are those of Boltzmann to the last bit, so that work relations that hold for
  any such chain (Jarzynski, Phys. Rev. E 56, 5018 (1997); Crooks, J. Stat. Phys. 90, 1481 (1998)) hold to
  round-off.
*/
#include "thermo.h"

#include <petscdmda.h>

#include <math.h>

struct fare_chain {
  const fare_grid   *grid;
  const fare_system *system;
  double             start, end, kT;
  PetscInt64         steps;
  double             first, last; /* equilibrium free energies */
  fare_operator     *op;
  fare_ghosts        ghosts;
  double            *leaving, *entering;
  PetscScalar       *entry; /* row by row: the diagonal, then a neighbour for each face */
  Mat                A;
  KSP                ksp;
  Vec                U, next, change; /* energies before and after a change, and a place for work */
};

static double time_of(const fare_chain *chain, PetscInt64 n)
{
  return n == chain->steps ? chain->end
                           : chain->start + (chain->end - chain->start) * (double)n / (double)chain->steps;
}

static PetscErrorCode create_matrix(fare_chain *chain)
{
  const fare_grid       *grid  = chain->grid;
  const PetscInt         owned = fare_grid_owned(grid), width = 1 + 2 * grid->dim;
  ISLocalToGlobalMapping mapping;
  const PetscInt        *global;
  PetscInt              *rows, *columns;

  PetscFunctionBegin;
  PetscCall(DMGetLocalToGlobalMapping(grid->dm, &mapping));
  PetscCall(ISLocalToGlobalMappingGetIndices(mapping, &global));
  PetscCall(PetscMalloc2(owned * width, &rows, owned * width, &columns));
  for (PetscInt n = 0; n < owned; n++) {
    PetscInt index[FARE_DIM_MAX], here;

    fare_cell_index(grid, n, index);
    here = fare_ghosts_at(&chain->ghosts, index);
    for (PetscInt e = 0; e < width; e++) rows[n * width + e] = columns[n * width + e] = global[here];
    for (int face = 0; face < 2 * grid->dim; face++) {
      const int      axis = face / 2, up = face % 2;
      const PetscInt beyond = index[axis] + (up ? 1 : -1);

      if (grid->boundary[axis] != FARE_BOUNDARY_PERIODIC && (beyond < 0 || beyond >= grid->cells[axis]))
        columns[n * width + 1 + face] = -1;
      else
        columns[n * width + 1 + face] = global[here + (up ? 1 : -1) * chain->ghosts.stride[axis]];
    }
  }
  PetscCall(ISLocalToGlobalMappingRestoreIndices(mapping, &global));
  PetscCall(MatCreate(grid->comm, &chain->A));
  PetscCall(MatSetSizes(chain->A, owned, owned, PETSC_DETERMINE, PETSC_DETERMINE));
  PetscCall(MatSetType(chain->A, MATAIJ));
  PetscCall(MatSetPreallocationCOO(chain->A, owned * width, rows, columns));
  PetscCall(PetscFree2(rows, columns));
  PetscFunctionReturn(0);
}

/*
  I - step L at time t with energies U. Rates r(i->j) become sqrt(r_ij r_ji) exp((U_i - U_j)/2kT): the same up
  to quadrature in space, in detailed balance to round-off.
*/
static PetscErrorCode assemble(fare_chain *chain, double t, double step, Vec U)
{
  const fare_grid   *grid  = chain->grid;
  const PetscInt     faces = 2 * grid->dim;
  const PetscScalar *u;
  Vec                local;

  PetscFunctionBegin;
  PetscCall(fare_operator_faces(chain->op, t, chain->leaving, chain->entering));
  PetscCall(fare_ghosts_get(grid, U, &local, &u));
  for (PetscInt n = 0; n < fare_grid_owned(grid); n++) {
    PetscScalar *row = chain->entry + n * (1 + faces);
    PetscInt     index[FARE_DIM_MAX], here;

    fare_cell_index(grid, n, index);
    here   = fare_ghosts_at(&chain->ghosts, index);
    row[0] = 1;
    for (PetscInt face = 0; face < faces; face++) {
      const double both = chain->leaving[n * faces + face] * chain->entering[n * faces + face];

      row[1 + face] = 0;
      if (!(both > 0)) continue;
      const double gain = exp(0.5 * (u[fare_ghosts_over(&chain->ghosts, here, face)] - u[here]) / chain->kT);

      row[0] += step * sqrt(both) / gain;
      row[1 + face] = -step * sqrt(both) * gain;
    }
  }
  PetscCall(fare_ghosts_restore(grid, &local, &u));
  PetscCall(MatSetValuesCOO(chain->A, chain->entry, INSERT_VALUES));
  PetscCall(KSPSetOperators(chain->ksp, chain->A, chain->A));
  PetscFunctionReturn(0);
}

/* ln of the sum of exp(-U/kT), and those terms divided by their sum. */
static PetscErrorCode equilibrium(const fare_chain *chain, Vec U, Vec masses, double *log_sum)
{
  PetscReal   lowest;
  PetscScalar sum;

  PetscFunctionBegin;
  PetscCall(VecMin(U, NULL, &lowest));
  PetscCall(VecCopy(U, masses));
  PetscCall(VecShift(masses, -lowest));
  PetscCall(VecScale(masses, -1 / chain->kT));
  PetscCall(VecExp(masses));
  PetscCall(VecSum(masses, &sum));
  PetscCall(VecScale(masses, 1 / sum));
  *log_sum = log(sum) - lowest / chain->kT;
  PetscFunctionReturn(0);
}

static PetscErrorCode create_solver(fare_chain *chain)
{
  PetscBool factored;
  PC        pc;

  PetscFunctionBegin;
  PetscCall(KSPCreate(chain->grid->comm, &chain->ksp));
  PetscCall(fare_linear_solver_choose(chain->grid, chain->ksp));
  PetscCall(KSPGetPC(chain->ksp, &pc));
  PetscCall(PetscObjectTypeCompareAny((PetscObject)pc, &factored, PCLU, PCREDUNDANT, ""));
  if (factored) PetscCall(KSPSetType(chain->ksp, KSPPREONLY));
  PetscCall(KSPSetTolerances(chain->ksp, 1e-14, 1e-300, PETSC_DEFAULT, 300));
  PetscCall(KSPSetOptionsPrefix(chain->ksp, "chain_"));
  PetscCall(KSPSetFromOptions(chain->ksp));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_chain_create(const fare_grid *grid, const fare_system *system, double start, double end,
  PetscInt64 steps, fare_chain **chain)
{
  const PetscInt owned = fare_grid_owned(grid), faces = 2 * grid->dim;
  double         log_sum;
  fare_chain    *c;

  PetscFunctionBegin;
  *chain = NULL;
  PetscCall(fare_thermo_check_chain(system));
  if (fare_grid_absorbs(grid)) FARE_FAIL(FARE_ERR_INPUT, "a work chain needs a box without absorbing ends");
  PetscCall(PetscNew(&c));
  *chain    = c;
  c->grid   = grid;
  c->system = system;
  c->start  = start;
  c->end    = end;
  c->steps  = steps;
  c->kT     = fare_system_kT(system, start);
  PetscCall(fare_operator_create(grid, system, &c->op));
  PetscCall(fare_ghosts_of(grid, &c->ghosts));
  PetscCall(
    PetscMalloc3(owned * faces, &c->leaving, owned * faces, &c->entering, owned * (1 + faces), &c->entry));
  PetscCall(create_matrix(c));
  PetscCall(create_solver(c));
  PetscCall(DMCreateGlobalVector(grid->dm, &c->U));
  PetscCall(VecDuplicate(c->U, &c->next));
  PetscCall(VecDuplicate(c->U, &c->change));
  for (int i = 0; i < 2; i++) {
    PetscCall(fare_cell_energies(grid, system, i ? end : start, c->U));
    PetscCall(equilibrium(c, c->U, c->change, &log_sum));
    *(i ? &c->last : &c->first) = -c->kT * (log_sum + log(fare_grid_volume(grid)));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_chain_destroy(fare_chain **chain)
{
  fare_chain *c = *chain;

  PetscFunctionBegin;
  if (!c) PetscFunctionReturn(0);
  PetscCall(KSPDestroy(&c->ksp));
  PetscCall(MatDestroy(&c->A));
  PetscCall(VecDestroy(&c->U));
  PetscCall(VecDestroy(&c->next));
  PetscCall(VecDestroy(&c->change));
  PetscCall(PetscFree3(c->leaving, c->entering, c->entry));
  PetscCall(fare_operator_destroy(&c->op));
  PetscCall(PetscFree(*chain));
  PetscFunctionReturn(0);
}

double fare_chain_free_energy(const fare_chain *chain)
{
  return chain->last - chain->first;
}

static PetscErrorCode evaluate(const fare_chain *chain, Vec P, fare_chain_row *row)
{
  fare_state s;

  PetscFunctionBegin;
  PetscCall(fare_state_evaluate(chain->grid, P, chain->U, chain->kT, &s));
  row->energy                  = s.energy;
  row->entropy                 = s.entropy;
  row->kl_to_equilibrium       = s.kl;
  row->equilibrium_free_energy = s.equilibrium_free_energy;
  PetscFunctionReturn(0);
}

PetscErrorCode fare_chain_follow(fare_chain *chain, Vec given, fare_chain_row rows[])
{
  const double   step    = (chain->end - chain->start) / (double)chain->steps;
  fare_chain_row changed = {0};
  double         log_sum;
  Vec            P, before;

  PetscFunctionBegin;
  PetscCall(VecDuplicate(chain->U, &before));
  PetscCall(VecDuplicate(chain->U, &P));
  PetscCall(fare_cell_energies(chain->grid, chain->system, chain->start, chain->U));
  if (given)
    PetscCall(VecCopy(given, P));
  else
    PetscCall(equilibrium(chain, chain->U, P, &log_sum));
  rows[0] = (fare_chain_row){.time = chain->start};
  PetscCall(evaluate(chain, P, &rows[0]));
  for (PetscInt64 n = 0; n < chain->steps; n++) {
    const double    t    = time_of(chain, n + 1);
    fare_chain_row *next = &rows[n + 1];
    PetscScalar     work, heat;

    *next      = rows[n];
    next->time = t;
    PetscCall(fare_cell_energies(chain->grid, chain->system, t, chain->next));
    PetscCall(VecWAXPY(chain->change, -1, chain->U, chain->next));
    PetscCall(VecDot(P, chain->change, &work));
    PetscCall(VecCopy(chain->next, chain->U));
    PetscCall(evaluate(chain, P, &changed));
    PetscCall(assemble(chain, t, step, chain->U));
    PetscCall(VecCopy(P, before));
    PetscCall(KSPSolve(chain->ksp, before, P));
    PetscCall(VecWAXPY(chain->change, -1, before, P));
    PetscCall(VecDot(chain->U, chain->change, &heat));
    PetscCall(evaluate(chain, P, next));
    next->work += work;
    next->heat += heat;
    next->dissipated_work = next->work - (next->equilibrium_free_energy - rows[0].equilibrium_free_energy);
    next->produced += changed.kl_to_equilibrium - next->kl_to_equilibrium;
  }
  if (given) PetscCall(VecCopy(P, given));
  PetscCall(VecDestroy(&P));
  PetscCall(VecDestroy(&before));
  PetscFunctionReturn(0);
}

/* What happens to `count` vectors when the energies change: called with the change in chain->change. */
typedef PetscErrorCode (*weigh)(fare_chain *chain, int count, Vec g[], void *context);

/*
  All vectors, begun as multiples of the equilibrium masses, through the protocol or its reverse, in which
  each step is undone in turn: first relaxation, then change.
*/
static PetscErrorCode drive(fare_chain *chain, PetscBool reversed, int count, const double begin[], Vec g[],
  weigh weigh_change, void *context)
{
  const double step = (chain->end - chain->start) / (double)chain->steps;
  double       log_sum;
  Vec          before;

  PetscFunctionBegin;
  PetscCall(VecDuplicate(chain->U, &before));
  PetscCall(fare_cell_energies(chain->grid, chain->system, reversed ? chain->end : chain->start, chain->U));
  PetscCall(equilibrium(chain, chain->U, g[0], &log_sum));
  for (int i = 1; i < count; i++) PetscCall(VecAXPBY(g[i], begin[i], 0, g[0]));
  PetscCall(VecScale(g[0], begin[0]));
  for (PetscInt64 k = 0; k < chain->steps; k++) {
    const double here  = time_of(chain, reversed ? chain->steps - k : k),
                 there = time_of(chain, reversed ? chain->steps - k - 1 : k + 1);

    PetscCall(fare_cell_energies(chain->grid, chain->system, there, chain->next));
    PetscCall(assemble(chain, reversed ? here : there, step, reversed ? chain->U : chain->next));
    PetscCall(VecWAXPY(chain->change, -1, chain->U, chain->next));
    if (!reversed) PetscCall(weigh_change(chain, count, g, context));
    for (int i = 0; i < count; i++) {
      PetscCall(VecCopy(g[i], before));
      PetscCall(KSPSolve(chain->ksp, before, g[i]));
    }
    if (reversed) PetscCall(weigh_change(chain, count, g, context));
    PetscCall(VecCopy(chain->next, chain->U));
  }
  PetscCall(VecDestroy(&before));
  PetscFunctionReturn(0);
}

typedef struct {
  const double *lambda;
  double       *log_mean;
} generation;

/* g *= exp(-lambda dU), and its sum is taken out lest it leave the range of numbers. */
static PetscErrorCode weigh_exponentially(fare_chain *chain, int count, Vec g[], void *context)
{
  generation *to = context;
  PetscScalar sum;
  Vec         factor;

  PetscFunctionBegin;
  PetscCall(VecDuplicate(chain->change, &factor));
  for (int i = 0; i < count; i++) {
    PetscCall(VecCopy(chain->change, factor));
    PetscCall(VecScale(factor, -to->lambda[i]));
    PetscCall(VecExp(factor));
    PetscCall(VecPointwiseMult(g[i], g[i], factor));
    PetscCall(VecSum(g[i], &sum));
    PetscCall(VecScale(g[i], 1 / sum));
    to->log_mean[i] += log(sum);
  }
  PetscCall(VecDestroy(&factor));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_chain_generate(
  fare_chain *chain, PetscBool reversed, int count, const double lambda[], double log_mean[])
{
  generation  to = {lambda, log_mean};
  PetscScalar sum;
  double     *begin;
  Vec        *g;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(count, &begin));
  for (int i = 0; i < count; i++) {
    begin[i]    = 1;
    log_mean[i] = 0;
  }
  PetscCall(VecDuplicateVecs(chain->U, count, &g));
  PetscCall(drive(chain, reversed, count, begin, g, weigh_exponentially, &to));
  for (int i = 0; i < count; i++) {
    PetscCall(VecSum(g[i], &sum));
    log_mean[i] += log(sum);
  }
  PetscCall(VecDestroyVecs(count, &g));
  PetscCall(PetscFree(begin));
  PetscFunctionReturn(0);
}

/* g_k carries the masses times <(W - <W>)^k> of those that are in a cell. */
static PetscErrorCode weigh_moments(fare_chain *chain, int count, Vec g[], void *context)
{
  double            *mean = context;
  PetscScalar        moved, *value[3];
  const PetscScalar *change;

  PetscFunctionBegin;
  PetscCall(VecDot(g[0], chain->change, &moved));
  *mean += moved;
  PetscCall(VecGetArrayRead(chain->change, &change));
  for (int k = 0; k < count; k++) PetscCall(VecGetArray(g[k], &value[k]));
  for (PetscInt i = 0; i < fare_grid_owned(chain->grid); i++) {
    const double d = change[i] - moved;

    value[2][i] += d * (2 * value[1][i] + d * value[0][i]);
    value[1][i] += d * value[0][i];
  }
  for (int k = 0; k < count; k++) PetscCall(VecRestoreArray(g[k], &value[k]));
  PetscCall(VecRestoreArrayRead(chain->change, &change));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_chain_moments(fare_chain *chain, PetscBool reversed, double *mean, double *variance)
{
  const double begin[3] = {1, 0, 0};
  PetscScalar  sum;
  Vec         *g;

  PetscFunctionBegin;
  *mean = 0;
  PetscCall(VecDuplicateVecs(chain->U, 3, &g));
  PetscCall(drive(chain, reversed, 3, begin, g, weigh_moments, mean));
  PetscCall(VecSum(g[2], &sum));
  *variance = sum;
  PetscCall(VecDestroyVecs(3, &g));
  PetscFunctionReturn(0);
}
