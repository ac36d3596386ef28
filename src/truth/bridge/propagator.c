/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Every step solves (1 - h L_x) P' = P along the strands of cells of the first axis, then so of the next: to
  first order in h what 1 - h L would give (Godunov's splitting), each a tridiagonal system. Such a matrix has
  positive entries on its diagonal and none elsewhere, and so have its factors: with P >= 0 a solve only adds
  numbers that are not negative, and each of them keeps its relative precision, be it ever so small. This is
  what bridges need, whose factors a and b range over hundreds of powers of ten.
*/
#include <fare/operator.h>
#include "propagator.h"

#include <math.h>

typedef struct {
  double               h;
  PetscBool            borrowed; /* factors of the step before */
  fare_strands_factors axis[FARE_DIM_MAX];
} step;

struct fare_propagator {
  int          dim;
  PetscInt     cells, steps;
  PetscInt    *first; /* the step after each mark */
  step        *step;
  fare_strands strands[FARE_DIM_MAX];
  double      *leaving, *entering; /* rates of all cells over their faces */
};

static PetscErrorCode factorise(
  const fare_propagator *p, const fare_grid *grid, int axis, double h, fare_strands_factors *f)
{
  const PetscBool closed = grid->boundary[axis] == FARE_BOUNDARY_PERIODIC ? PETSC_TRUE : PETSC_FALSE;

  PetscFunctionBegin;
  PetscCall(PetscMalloc3(p->cells, &f->inverse, p->cells, &f->below, p->cells, &f->above));
  if (closed) PetscCall(PetscCalloc2(p->cells, &f->last_row, p->cells, &f->last_column));
  for (PetscInt n = 0; n < p->cells; n++) {
    const PetscInt face = 2 * (n * p->dim + axis);

    f->inverse[n] = 1 + h * (p->leaving[face] + p->leaving[face + 1]);
    f->below[n]   = h * p->entering[face];
    f->above[n]   = h * p->entering[face + 1];
  }
  fare_strands_factorise(&p->strands[axis], f);
  PetscFunctionReturn(0);
}

/* A step like the one before has its factors. */
static PetscErrorCode add_step(fare_propagator *p, const fare_grid *grid, const fare_system *system,
  fare_operator *op, double middle, double h)
{
  step *last = p->steps ? &p->step[p->steps - 1] : NULL, *s = &p->step[p->steps++];

  PetscFunctionBegin;
  if (last && fabs(last->h - h) <= 1e-12 * h && !fare_system_is_driven(system)) {
    *s          = *last;
    s->borrowed = PETSC_TRUE;
    PetscFunctionReturn(0);
  }
  s->h = h;
  PetscCall(fare_operator_faces(op, middle, p->leaving, p->entering));
  for (int axis = 0; axis < p->dim; axis++) PetscCall(factorise(p, grid, axis, h, &s->axis[axis]));
  PetscFunctionReturn(0);
}

static PetscInt64 steps_between(const double time[], int marks, int i, PetscInt64 steps)
{
  return PetscMax(1, llround((double)steps * (time[i + 1] - time[i]) / (time[marks - 1] - time[0])));
}

static PetscErrorCode create(const fare_grid *grid, int marks, PetscInt64 steps, fare_propagator **propagator)
{
  fare_propagator *p;
  PetscInt         stride = 1;

  PetscFunctionBegin;
  PetscCall(PetscNew(&p));
  *propagator = p;
  p->dim      = grid->dim;
  p->cells    = grid->cells[0] * grid->cells[1] * grid->cells[2];
  for (int axis = 0; axis < grid->dim; axis++) {
    p->strands[axis] = (fare_strands){p->cells / grid->cells[axis] / stride, grid->cells[axis], stride};
    stride *= grid->cells[axis];
  }
  PetscCall(PetscMalloc1((size_t)marks, &p->first));
  PetscCall(PetscCalloc1((size_t)steps, &p->step));
  PetscCall(PetscMalloc2(2 * p->dim * p->cells, &p->leaving, 2 * p->dim * p->cells, &p->entering));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_propagator_create(const fare_grid *grid, const fare_system *system, int marks,
  const double time[], PetscInt64 steps, int refine, fare_propagator **propagator)
{
  fare_propagator *p;
  fare_operator   *op;
  PetscInt64       all = 0;

  PetscFunctionBegin;
  for (int i = 0; i + 1 < marks; i++) all += steps_between(time, marks, i, steps) * refine;
  PetscCall(create(grid, marks, all, propagator));
  p = *propagator;
  PetscCall(fare_operator_create(grid, system, &op));
  for (int i = 0; i + 1 < marks; i++) {
    const PetscInt64 n = steps_between(time, marks, i, steps) * refine;
    const double     h = (time[i + 1] - time[i]) / (double)n;

    p->first[i] = p->steps;
    for (PetscInt64 k = 0; k < n; k++)
      PetscCall(add_step(p, grid, system, op, time[i] + ((double)k + 0.5) * h, h));
  }
  p->first[marks - 1] = p->steps;
  PetscCall(fare_operator_destroy(&op));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_propagator_destroy(fare_propagator **propagator)
{
  fare_propagator *p = *propagator;

  PetscFunctionBegin;
  if (!p) PetscFunctionReturn(0);
  for (PetscInt i = 0; i < p->steps; i++) {
    for (int axis = 0; axis < p->dim && !p->step[i].borrowed; axis++) {
      fare_strands_factors *f = &p->step[i].axis[axis];

      PetscCall(PetscFree3(f->inverse, f->below, f->above));
      PetscCall(PetscFree2(f->last_row, f->last_column));
    }
  }
  PetscCall(PetscFree(p->step));
  PetscCall(PetscFree(p->first));
  PetscCall(PetscFree2(p->leaving, p->entering));
  PetscCall(PetscFree(*propagator));
  PetscFunctionReturn(0);
}

void fare_propagator_forward(const fare_propagator *p, int i, int j, double values[])
{
  for (PetscInt k = p->first[i]; k < p->first[j]; k++) {
    for (int axis = 0; axis < p->dim; axis++)
      fare_strands_solve(&p->strands[axis], &p->step[k].axis[axis], values);
  }
}

void fare_propagator_backward(const fare_propagator *p, int i, int j, double values[])
{
  for (PetscInt k = p->first[j]; k > p->first[i]; k--) {
    for (int axis = p->dim - 1; axis >= 0; axis--)
      fare_strands_solve_transposed(&p->strands[axis], &p->step[k - 1].axis[axis], values);
  }
}
