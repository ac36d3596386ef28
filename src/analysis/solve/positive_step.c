/* SPDX-License-Identifier: BSD-2-Clause */
/*
  (shift + M) x = b >= 0 in three dimensions, where factors are dear and a step is short: x <- (b + what comes
  from neighbours)/(shift + rates out) from x = 0 on. Sums of what is positive alone, as in elimination.c, so
  that every entry keeps its relative accuracy; it grows from sweep to sweep, by a geometric series at last.
  Sweeps see the last one alone, so that numbers are the same on any number of ranks.
*/
#include "analysis/analysis.h"

#include <math.h>

#define ACCURACY   1e-12 /* relative, of every entry */
#define DIGITS     30.   /* -ln of about that */
#define OF_FACTORS 5.    /* cells whose factors take as long as a sweep takes for one */

typedef struct {
  const fare_absorbing *absorbing;
  PetscInt             *cell, *place, count; /* cells outside of targets; of neighbours among ghosts */
  double               *rate, *out;
} sweeper;

static double largest_rate(const fare_absorbing *k)
{
  const int faces = 2 * k->grid->dim;
  double    most  = 0;

  for (PetscInt n = 0; n < k->owned; n++) {
    double sum = 0;

    for (PetscInt at = n * faces; at < (n + 1) * faces && k->in[n] < 0; at++)
      sum += k->leaving[at] / k->cut[at];
    most = PetscMax(most, sum);
  }
  return most;
}

PetscErrorCode fare_sweeps_serve(const fare_absorbing *k, double shift, PetscBool *serve)
{
  const double cells = (double)k->grid->cells[0] * (double)k->grid->cells[1] * (double)k->grid->cells[2];
  double       most  = largest_rate(k);

  PetscFunctionBegin;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &most, 1, MPI_DOUBLE, MPI_MAX, k->grid->comm));
  *serve = k->grid->dim == 3 && OF_FACTORS * DIGITS * (1 + most / shift) < cells ? PETSC_TRUE : PETSC_FALSE;
  PetscFunctionReturn(0);
}

static PetscErrorCode create(const fare_absorbing *k, double shift, sweeper *s)
{
  const int   faces = 2 * k->grid->dim;
  fare_ghosts ghosts;

  PetscFunctionBegin;
  *s = (sweeper){.absorbing = k};
  PetscCall(PetscMalloc4(
    k->owned, &s->cell, k->owned * faces, &s->place, k->owned * faces, &s->rate, k->owned, &s->out));
  PetscCall(fare_ghosts_of(k->grid, &ghosts));
  for (PetscInt n = 0; n < k->owned; n++) {
    PetscInt index[FARE_DIM_MAX], here;
    double   out = shift;

    if (k->in[n] >= 0) continue;
    fare_cell_index(k->grid, n, index);
    here = fare_ghosts_at(&ghosts, index);
    for (int face = 0; face < faces; face++) {
      const PetscInt  at = n * faces + face, to = s->count * faces + face;
      const PetscBool stays = k->column[at] >= 0 && k->beyond[at] < 0 ? PETSC_TRUE : PETSC_FALSE;

      out += k->leaving[at] / k->cut[at];
      s->rate[to]  = stays ? k->leaving[at] : 0;
      s->place[to] = stays ? fare_ghosts_over(&ghosts, here, face) : here;
    }
    s->out[s->count]    = out;
    s->cell[s->count++] = n;
  }
  PetscFunctionReturn(0);
}

/* One sweep; the largest relative change of an entry of this rank. */
static PetscErrorCode sweep(const sweeper *s, const PetscScalar b[], Vec x, double *change)
{
  const int          faces = 2 * s->absorbing->grid->dim;
  const PetscScalar *from;
  PetscScalar       *to;
  Vec                local;

  PetscFunctionBegin;
  *change = 0;
  PetscCall(fare_ghosts_get(s->absorbing->grid, x, &local, &from));
  PetscCall(VecGetArray(x, &to));
  for (PetscInt i = 0; i < s->count; i++) {
    const PetscInt n   = s->cell[i];
    double         sum = b[n];

    for (PetscInt at = i * faces; at < (i + 1) * faces; at++) sum += s->rate[at] * from[s->place[at]];
    sum /= s->out[i];
    if (sum > to[n]) *change = PetscMax(*change, (sum - to[n]) / sum);
    to[n] = sum;
  }
  PetscCall(VecRestoreArray(x, &to));
  PetscCall(fare_ghosts_restore(s->absorbing->grid, &local, &from));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_sweeps_solve(const fare_absorbing *k, double shift, Vec x)
{
  const PetscScalar *given;
  double             most = largest_rate(k), change = HUGE_VAL, before, ratio;
  sweeper            s;
  Vec                b;

  PetscFunctionBegin;
  PetscCall(create(k, shift, &s));
  PetscCall(VecDuplicate(x, &b));
  PetscCall(VecCopy(x, b));
  PetscCall(VecSet(x, 0));
  PetscCall(VecGetArrayRead(b, &given));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &most, 1, MPI_DOUBLE, MPI_MAX, k->grid->comm));
  do { /* ends, as rounded sums grow, too, and are bounded */
    before = change;
    PetscCall(sweep(&s, given, x, &change));
    PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &change, 1, MPI_DOUBLE, MPI_MAX, k->grid->comm));
    ratio = PetscMax(most / (shift + most), PetscMin(change / before, 1));
  } while (change * ratio > ACCURACY * (1 - ratio));
  PetscCall(VecRestoreArrayRead(b, &given));
  PetscCall(VecDestroy(&b));
  PetscCall(PetscFree4(s.cell, s.place, s.rate, s.out));
  PetscFunctionReturn(0);
}
