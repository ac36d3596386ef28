/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Cell masses of a density that a user's function knows: Gauss points of every cell, sent to the process of
  rank 0 in batches.
*/
#include "python.h"

#include <math.h>
#include <stdlib.h>

#define POINTS 2 /* along an axis: exact for cubics */
#define BATCH  65536
static const double offset[POINTS] = {0.2113248654051871, 0.7886751345948129}; /* of the cell */

/* Points and log densities of this rank's cells. */
typedef struct {
  int     dim, per_cell;
  int64_t count;
  double *x, *value;
} points;

static PetscErrorCode place(const fare_grid *grid, points *p)
{
  const int64_t cells = (int64_t)grid->count[0] * grid->count[1] * grid->count[2];

  PetscFunctionBegin;
  *p       = (points){.dim = grid->dim, .per_cell = 1 << grid->dim};
  p->count = cells * p->per_cell;
  PetscCall(PetscMalloc2(PetscMax(1, p->count * p->dim), &p->x, PetscMax(1, p->count), &p->value));
  for (int64_t i = 0; i < p->count; i++) {
    int64_t rest = i / p->per_cell;

    for (int axis = 0; axis < grid->dim; axis++) {
      const int64_t cell = grid->start[axis] + rest % grid->count[axis];

      p->x[i * p->dim + axis] =
        grid->lower[axis] + grid->spacing[axis] * ((double)cell + offset[i >> axis & 1]);
      rest /= grid->count[axis];
    }
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode evaluate(
  fare_sampler *sampler, double t, int dim, int64_t count, const double *x, double *value)
{
  fare_python_state *s = sampler->state;

  PetscFunctionBegin;
  PetscCall(fare_python_process_at(sampler, t));
  for (int64_t from = 0; from < count; from += BATCH) {
    const int64_t             n       = PetscMin(BATCH, count - from);
    const fare_python_request request = {.what = FARE_PYTHON_DENSITY,
      .time                                    = t,
      .count                                   = n,
      .axes                                    = dim,
      .seed                                    = fare_python_seed(sampler, "density", t),
      .bytes                                   = n * dim * (int64_t)sizeof(double)};
    void                     *reply;
    int64_t                   bytes;

    PetscCall(fare_python_ask(s->process, &request, x + from * dim, &reply, &bytes));
    for (int64_t i = 0; i < n; i++) value[from + i] = ((double *)reply)[i];
    free(reply);
  }
  PetscFunctionReturn(0);
}

/* Rank 0 evaluates for one rank after the other; an error lets the rest pass. */
static PetscErrorCode serve(fare_sampler *sampler, double t, const points *own)
{
  PetscErrorCode code = evaluate(sampler, t, own->dim, own->count, own->x, own->value);
  int            ranks;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(sampler->comm, &ranks));
  for (int r = 1; r < ranks; r++) {
    int64_t n;
    double *x, *value;

    PetscCallMPI(MPI_Recv(&n, 1, MPI_INT64_T, r, 0, sampler->comm, MPI_STATUS_IGNORE));
    PetscCall(PetscMalloc2(n * own->dim + 1, &x, n + 1, &value));
    PetscCallMPI(MPI_Recv(x, (int)(n * own->dim), MPI_DOUBLE, r, 0, sampler->comm, MPI_STATUS_IGNORE));
    if (!code) code = evaluate(sampler, t, own->dim, n, x, value);
    PetscCallMPI(MPI_Send(value, (int)n, MPI_DOUBLE, r, 0, sampler->comm));
    PetscCall(PetscFree2(x, value));
  }
  PetscFunctionReturn(code);
}

/* Where every rank has the whole grid, one asks for all. */
static PetscErrorCode ask_all(fare_sampler *sampler, double t, const fare_grid *grid, points *p)
{
  PetscErrorCode code = 0;
  int            owners;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(grid->comm, &owners));
  if (owners == 1) {
    if (fare_is_rank_0(sampler->comm)) code = evaluate(sampler, t, p->dim, p->count, p->x, p->value);
    PetscCall(fare_python_agree(sampler->comm, code));
    PetscCallMPI(MPI_Bcast(p->value, (int)p->count, MPI_DOUBLE, 0, sampler->comm));
    PetscFunctionReturn(0);
  }
  if (fare_is_rank_0(sampler->comm)) {
    code = serve(sampler, t, p);
  } else {
    PetscCallMPI(MPI_Send(&p->count, 1, MPI_INT64_T, 0, 0, sampler->comm));
    PetscCallMPI(MPI_Send(p->x, (int)(p->count * p->dim), MPI_DOUBLE, 0, 0, sampler->comm));
    PetscCallMPI(MPI_Recv(p->value, (int)p->count, MPI_DOUBLE, 0, 0, sampler->comm, MPI_STATUS_IGNORE));
  }
  PetscFunctionReturn(fare_python_agree(sampler->comm, code));
}

/* What lies outside the box is missing rightly; more than all, or next to nothing, is no density. */
#define MASS_MOST  1.02
#define MASS_LEAST 0.1

/* A density is scaled to the box; where that is not what its function meant, it is said once. Collective. */
static PetscErrorCode look_at_mass(fare_sampler *sampler, double t, Vec masses)
{
  fare_python_state *s = sampler->state;
  PetscScalar        sum;

  PetscFunctionBegin;
  PetscCall(VecSum(masses, &sum));
  if (s->told || (sum <= MASS_MOST && sum >= MASS_LEAST)) PetscFunctionReturn(0);
  s->told = PETSC_TRUE;
  fare_warn("%s: its density has the mass %.3g in the box at t = %g; it is scaled to 1", sampler->name,
    (double)sum, t);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_python_model_density(fare_sampler *sampler, double t, const fare_grid *grid, Vec *masses)
{
  double         volume = 1;
  PetscScalar   *mass;
  points         p;
  PetscErrorCode code;

  PetscFunctionBegin;
  for (int axis = 0; axis < grid->dim; axis++) volume *= grid->spacing[axis];
  PetscCall(place(grid, &p));
  code = ask_all(sampler, t, grid, &p);
  if (code) {
    PetscCall(PetscFree2(p.x, p.value));
    PetscFunctionReturn(fare_python_at_ensemble(sampler, code));
  }
  PetscCall(DMCreateGlobalVector(grid->dm, masses));
  PetscCall(VecGetArray(*masses, &mass));
  for (int64_t i = 0; i < p.count; i++) mass[i / p.per_cell] += volume / p.per_cell * exp(p.value[i]);
  PetscCall(VecRestoreArray(*masses, &mass));
  PetscCall(PetscFree2(p.x, p.value));
  PetscCall(look_at_mass(sampler, t, *masses));
  PetscFunctionReturn(0);
}
