/* SPDX-License-Identifier: BSD-2-Clause */
/*
  (shift + M) x = b >= 0 in three dimensions, where factors are dear and a step is short: x <- (b + what comes
  from neighbours)/(shift + rates out) from x = 0 on. Sums of what is positive alone, as in elimination.c, so
  that every entry keeps its relative accuracy; it grows from sweep to sweep, by a geometric series at last.
  Every rank makes all of them, so that numbers are the same on any number of ranks.
*/
#include "analysis/analysis.h"

#include <math.h>

#define ACCURACY   1e-12 /* relative, of every entry */
#define DIGITS     30.   /* -ln of about that */
#define OF_FACTORS 5.    /* cells whose factors take as long as a sweep takes for one */

/* Every rank has all of the grid: messages between sweeps would take longer than they do. */
typedef struct {
  PetscInt cells, count, *cell, *place; /* cells outside of targets; of their neighbours */
  double  *rate, *out, *b, *x, *next;   /* by natural numbers of cells, but for rates and places */
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

/* Of all ranks' cells: the rate over a face to a cell that is no target, or of all faces and `shift` out. */
static PetscErrorCode gather_rate(const fare_absorbing *k, double shift, int face, Vec work, double to[])
{
  const int    faces = 2 * k->grid->dim;
  PetscScalar *value;

  PetscFunctionBegin;
  PetscCall(VecGetArray(work, &value));
  for (PetscInt n = 0; n < k->owned; n++) {
    value[n] = face < faces ? 0 : k->in[n] < 0 ? shift : -1;
    for (PetscInt at = n * faces; at < (n + 1) * faces && k->in[n] < 0; at++) {
      if (face == faces) value[n] += k->leaving[at] / k->cut[at];
      if (at == n * faces + face && k->column[at] >= 0 && k->beyond[at] < 0) value[n] = k->leaving[at];
    }
  }
  PetscCall(VecRestoreArray(work, &value));
  PetscCall(fare_grid_gather(k->grid, work, to));
  PetscFunctionReturn(0);
}

static PetscInt natural(const fare_grid *grid, const PetscInt index[])
{
  return (index[2] * grid->cells[1] + index[1]) * grid->cells[0] + index[0];
}

static PetscErrorCode create(const fare_absorbing *k, double shift, Vec b, sweeper *s)
{
  const fare_grid *grid  = k->grid;
  const int        faces = 2 * grid->dim;
  double          *rate;
  Vec              work;

  PetscFunctionBegin;
  *s = (sweeper){.cells = grid->cells[0] * grid->cells[1] * grid->cells[2]};
  PetscCall(PetscMalloc7(s->cells, &s->cell, s->cells * faces, &s->place, s->cells * faces, &s->rate,
    s->cells, &s->out, s->cells, &s->b, s->cells, &s->x, s->cells, &s->next));
  PetscCall(PetscMalloc1(s->cells, &rate));
  PetscCall(VecDuplicate(b, &work));
  PetscCall(fare_grid_gather(grid, b, s->b));
  PetscCall(gather_rate(k, shift, faces, work, s->out));
  for (PetscInt cell = 0; cell < s->cells; cell++) {
    s->x[cell] = s->next[cell] = 0;
    if (s->out[cell] > 0) s->cell[s->count++] = cell;
  }
  for (int face = 0; face < faces; face++) {
    PetscCall(gather_rate(k, shift, face, work, rate));
    for (PetscInt i = 0; i < s->count; i++) {
      PetscInt index[FARE_DIM_MAX], there[FARE_DIM_MAX], rest = s->cell[i];

      for (int axis = 0; axis < FARE_DIM_MAX; rest /= grid->cells[axis], axis++)
        index[axis] = rest % grid->cells[axis];
      s->rate[i * faces + face] = rate[s->cell[i]];
      s->place[i * faces + face] =
        fare_cell_over(grid, index, face, there) ? natural(grid, there) : s->cell[i];
    }
  }
  PetscCall(VecDestroy(&work));
  PetscCall(PetscFree(rate));
  PetscFunctionReturn(0);
}

/* One sweep; returns the largest relative change of an entry. */
static double sweep(sweeper *s, int faces)
{
  double change = 0, *old = s->x;

  for (PetscInt i = 0; i < s->count; i++) {
    const PetscInt n   = s->cell[i];
    double         sum = s->b[n];

    for (PetscInt at = i * faces; at < (i + 1) * faces; at++) sum += s->rate[at] * old[s->place[at]];
    sum /= s->out[n];
    if (sum > old[n]) change = PetscMax(change, (sum - old[n]) / sum);
    s->next[n] = sum;
  }
  s->x    = s->next;
  s->next = old;
  return change;
}

PetscErrorCode fare_sweeps_solve(const fare_absorbing *k, double shift, Vec x)
{
  double       most = largest_rate(k), change = HUGE_VAL, before, ratio, *x0, *next0;
  PetscScalar *to;
  sweeper      s;

  PetscFunctionBegin;
  PetscCall(create(k, shift, x, &s));
  x0    = s.x;
  next0 = s.next;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &most, 1, MPI_DOUBLE, MPI_MAX, k->grid->comm));
  do { /* ends, as rounded sums grow, too, and are bounded */
    before = change;
    change = sweep(&s, 2 * k->grid->dim);
    ratio  = PetscMax(most / (shift + most), before > 0 ? PetscMin(change / before, 1) : 0);
  } while (change * ratio > ACCURACY * (1 - ratio));
  PetscCall(VecGetArray(x, &to));
  for (PetscInt n = 0; n < k->owned; n++) {
    PetscInt index[FARE_DIM_MAX];

    fare_cell_index(k->grid, n, index);
    to[n] = s.x[natural(k->grid, index)];
  }
  PetscCall(VecRestoreArray(x, &to));
  s.x    = x0;
  s.next = next0;
  PetscCall(PetscFree7(s.cell, s.place, s.rate, s.out, s.b, s.x, s.next));
  PetscFunctionReturn(0);
}
