/* SPDX-License-Identifier: BSD-2-Clause */
#include "current_prior.h"

#include <math.h>

#define SPAN 0.02 /* between before and after, of the time of all snapshots */

PetscErrorCode fare_current_check_prior(const void *state, const fare_system *system, const fare_prior *prior)
{
  PetscFunctionBegin;
  (void)state;
  if (fare_system_dimension(system) != 1)
    FARE_FAIL(FARE_ERR_INPUT, "prior '%s' is known for a density of one axis; system '%s' has %d",
      fare_prior_kinds[prior->kind], fare_system_type_of(system)->name, fare_system_dimension(system));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_current_prior_create(const fare_sampler *sampler, const fare_training_set *data,
  double lower, double upper, fare_current_prior *p)
{
  const fare_schedule *schedule = &sampler->schedule;
  int                  rank;

  PetscFunctionBegin;
  *p = (fare_current_prior){.sampler = sampler, .stream = fare_sampler_stream(sampler, "prior")};
  PetscCallMPI(MPI_Comm_rank(sampler->comm, &rank));
  p->here  = rank ? PETSC_FALSE : PETSC_TRUE;
  p->share = (schedule->end - schedule->start) / data->count;
  PetscCall(fare_prior_grid(sampler, lower, upper, FARE_CURRENT_CELLS, &p->grid));
  PetscCall(fare_current_line_create(p->grid, &p->line));
  p->line.span  = SPAN * (schedule->end - schedule->start);
  p->line.still = sampler->prior->kind == FARE_PRIOR_LEAST_DISSIPATION ? PETSC_TRUE : PETSC_FALSE;
  for (PetscInt i = 0; i < FARE_CURRENT_CELLS; i++) fare_cell_centre(p->grid, i, &p->x[i]);
  if (!p->line.still) PetscCall(fare_operator_create(p->grid, sampler->prior->system, &p->op));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_current_prior_destroy(fare_current_prior *p)
{
  PetscFunctionBegin;
  PetscCall(fare_current_line_destroy(&p->line));
  PetscCall(fare_operator_destroy(&p->op));
  PetscCall(fare_grid_destroy(&p->grid));
  PetscFunctionReturn(0);
}

PetscBool fare_current_prior_begin(fare_current_prior *p, const fare_weighing_rows *rows, double *more)
{
  const fare_schedule *schedule = &p->sampler->schedule;
  double               u[2][FARE_FEW], t;

  if (!p->here || rows->first) return PETSC_FALSE;
  for (uint32_t draw = 0; draw < 2; draw++)
    fare_random_few_uniforms(p->stream, 0, (uint64_t)rows->step, draw, 1, u[draw]);
  t          = schedule->start + u[0][0] * (schedule->end - schedule->start - p->line.span);
  p->time[0] = t;
  p->time[1] = t + p->line.span;
  *more      = u[1][0];
  return PETSC_TRUE;
}

double fare_current_prior_penalty(fare_current_prior *p, double weight)
{
  const double share  = weight * p->share * (double)((const fare_generative *)p->sampler->state)->learn.batch,
               middle = 0.5 * (p->time[0] + p->time[1]);
  double entering[2 * FARE_CURRENT_CELLS], action;

  if (p->line.still)
    fare_current_set_still(p->grid, p->sampler->prior->system, middle, &p->line);
  else if (fare_operator_faces(p->op, middle, p->line.rate, entering))
    return NAN;
  action = fare_current_action(&p->line, p->u, p->slope);
  for (PetscInt i = 0; i < 2 * p->line.cells; i++) p->slope[i] *= share;
  return share * action;
}
