/* SPDX-License-Identifier: BSD-2-Clause */
/* Independent draws from the initial density. */
#include "envelope.h"

#include <fare/ensemble.h>

#include <math.h>
#include <string.h>

#define ATTEMPTS   100000 /* for one particle */
#define ROUNDING   1e-12
#define SLACK_MOST 8.0 /* with which thousands are made */

/*
  Draws one block by rejection: every attempt has numbers of its own for all particles of the block, of which
  those use theirs that are not placed yet. `slack` is added to bounds; *excess: by how much the density was
  found above one all the same. Returns how many are left without a place.
*/
static int draw_block(const fare_envelope *from, const fare_initial *initial, const fare_system *system,
  double t, fare_stream stream, uint64_t block, double slack, double *const x[], double *excess)
{
  double u[FARE_BLOCK], height[FARE_BLOCK], inside[FARE_DIM_MAX][FARE_BLOCK], place[FARE_DIM_MAX][FARE_BLOCK],
    bound[FARE_BLOCK], density[FARE_BLOCK];
  const double *at[FARE_DIM_MAX] = {place[0], place[1], place[2]};
  int           waiting[FARE_BLOCK], left = FARE_BLOCK;

  for (int i = 0; i < FARE_BLOCK; i++) waiting[i] = i;
  for (uint64_t attempt = 0; left && attempt < ATTEMPTS; attempt++) {
    int stay = 0;

    fare_random_uniforms(stream, block, attempt, 0, u);
    for (int axis = 0; axis < from->dim; axis++)
      fare_random_uniforms(stream, block, attempt, (uint32_t)axis + 1, inside[axis]);
    fare_random_uniforms(stream, block, attempt, (uint32_t)from->dim + 1, height);
    for (int k = 0; k < left; k++) {
      const int64_t cell = fare_envelope_find(from, u[waiting[k]]);

      for (int axis = 0; axis < from->dim; axis++)
        place[axis][k] = fare_envelope_place(from, cell, axis, inside[axis][waiting[k]]);
      bound[k] = density[k] = from->bound[cell];
    }
    if (!from->flat) fare_initial_log_density(initial, system, t, (size_t)left, at, density);
    for (int k = 0; k < left; k++) {
      PetscBool accept = log(height[waiting[k]]) <= density[k] - bound[k] - slack ? PETSC_TRUE : PETSC_FALSE;

      for (int axis = 0; axis < from->dim; axis++)
        accept = accept && place[axis][k] >= from->box.lower[axis] && place[axis][k] <= from->box.upper[axis]
          ? PETSC_TRUE
          : PETSC_FALSE;
      *excess = PetscMax(*excess, density[k] - bound[k] - slack);
      for (int axis = 0; axis < from->dim && accept; axis++) x[axis][waiting[k]] = place[axis][k];
      if (!accept) waiting[stay++] = waiting[k];
    }
    left = stay;
  }
  return left;
}

/*
  Where the density was anywhere above its bound, all bounds are raised by so much and everything is drawn
  again.
*/
static PetscErrorCode draw_by_rejection(fare_ensemble *ensemble, const fare_initial *initial,
  const fare_system *system, double t, fare_stream stream)
{
  fare_envelope from;
  double        slack = 0, worst[2]; /* excess, particles left */

  PetscFunctionBegin;
  PetscCall(fare_envelope_create(initial, system, t, &from));
  do {
    worst[0] = worst[1] = 0;
    for (int64_t b = 0; b < ensemble->blocks; b++) {
      const fare_block block = fare_ensemble_block(ensemble, b);

      worst[1] += draw_block(&from, initial, system, t, stream, block.number, slack, block.x, &worst[0]);
    }
    PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, worst, 2, MPI_DOUBLE, MPI_MAX, ensemble->comm));
    if (worst[0] > 0) slack += worst[0] + ROUNDING;
  } while (worst[0] > 0 && slack < SLACK_MOST && worst[1] <= 0);
  PetscCall(fare_envelope_destroy(&from));
  if (slack >= SLACK_MOST || worst[1] > 0)
    FARE_FAIL(FARE_ERR_FAILED,
      "the density at time %g cannot be sampled: it has steps, or peaks too narrow to resolve in its box", t);
  PetscFunctionReturn(0);
}

/* The component that each particle of a block belongs to. */
static void choose_components(const fare_initial *initial, fare_stream stream, uint64_t block,
  uint64_t attempt, int dim, size_t component[FARE_BLOCK])
{
  double u[FARE_BLOCK], sum = 0;

  memset(component, 0, FARE_BLOCK * sizeof *component);
  if (initial->weights.count < 2) return;
  for (size_t c = 0; c < initial->weights.count; c++) sum += initial->weights.values[c];
  fare_random_uniforms(stream, block, attempt, (uint32_t)dim, u);
  for (int i = 0; i < FARE_BLOCK; i++) {
    double left = u[i] * sum;

    while (component[i] + 1 < initial->weights.count && left > initial->weights.values[component[i]])
      left -= initial->weights.values[component[i]++];
  }
}

/*
  Draws a block from gaussians; of those that lie outside the box where draws are bounded, what later attempts
  give. Returns how many are left outside.
*/
static int draw_gaussian_block(const fare_initial *initial, const fare_box *box, int dim, fare_stream stream,
  uint64_t block, double *const x[])
{
  double    z[FARE_BLOCK];
  size_t    component[FARE_BLOCK];
  PetscBool placed[FARE_BLOCK] = {PETSC_FALSE}, inside[FARE_BLOCK];
  int       left               = FARE_BLOCK;

  for (uint64_t attempt = 0; left && attempt < ATTEMPTS; attempt++) {
    choose_components(initial, stream, block, attempt, dim, component);
    for (int i = 0; i < FARE_BLOCK; i++) inside[i] = PETSC_TRUE;
    for (int axis = 0; axis < dim; axis++) {
      const PetscBool ends = initial->bounded && !box->periodic[axis] ? PETSC_TRUE : PETSC_FALSE;

      fare_random_normals(stream, block, attempt, (uint32_t)axis, z);
      for (int i = 0; i < FARE_BLOCK; i++) {
        const size_t at = component[i] * (size_t)dim + (size_t)axis;

        if (placed[i]) continue;
        x[axis][i] = initial->mean.values[at] + initial->sd.values[at] * z[i];
        if (ends && !(x[axis][i] >= box->lower[axis] && x[axis][i] <= box->upper[axis]))
          inside[i] = PETSC_FALSE;
      }
    }
    for (int i = 0; i < FARE_BLOCK; i++) {
      left -= !placed[i] && inside[i] ? 1 : 0;
      placed[i] = placed[i] || inside[i] ? PETSC_TRUE : PETSC_FALSE;
    }
  }
  return left;
}

static PetscErrorCode draw_gaussian(fare_ensemble *ensemble, const fare_initial *initial,
  const fare_system *system, double t, fare_stream stream)
{
  const fare_box box  = fare_initial_box(initial, system);
  int            left = 0;

  PetscFunctionBegin;
  for (int64_t b = 0; b < ensemble->blocks; b++) {
    const fare_block block = fare_ensemble_block(ensemble, b);

    left += draw_gaussian_block(initial, &box, ensemble->dim, stream, block.number, block.x);
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &left, 1, MPI_INT, MPI_MAX, ensemble->comm));
  if (left)
    FARE_FAIL(FARE_ERR_FAILED,
      "the density at time %g cannot be sampled: almost none of its mass lies in its box", t);
  PetscFunctionReturn(0);
}

/* Beyond a grid's axes: each by itself, where rejection would have cells to look for. */
static void draw_evenly(
  fare_ensemble *ensemble, const fare_initial *initial, const fare_system *system, fare_stream stream)
{
  const fare_box box = fare_initial_box(initial, system);

  for (int64_t b = 0; b < ensemble->blocks; b++) {
    const fare_block block = fare_ensemble_block(ensemble, b);

    for (int axis = 0; axis < ensemble->dim; axis++) {
      fare_random_uniforms(stream, block.number, 0, (uint32_t)axis, block.x[axis]);
      for (int i = 0; i < FARE_BLOCK; i++)
        block.x[axis][i] = box.lower[axis] + (box.upper[axis] - box.lower[axis]) * block.x[axis][i];
    }
  }
}

PetscErrorCode fare_ensemble_draw(fare_ensemble *ensemble, const fare_initial *initial,
  const fare_system *system, double t, fare_stream stream)
{
  PetscFunctionBegin;
  if (initial->mean.count)
    PetscCall(draw_gaussian(ensemble, initial, system, t, stream));
  else if (ensemble->dim > FARE_DIM_MAX && initial->density == FARE_INITIAL_UNIFORM)
    draw_evenly(ensemble, initial, system, stream);
  else if (ensemble->dim > FARE_DIM_MAX)
    FARE_FAIL(FARE_ERR_INPUT,
      "in %d axes a density is drawn from where it is gaussian, a mixture, a point or "
      "uniform, or where a truth draws it",
      ensemble->dim);
  else
    PetscCall(draw_by_rejection(ensemble, initial, system, t, stream));
  ensemble->time = t;
  PetscFunctionReturn(0);
}
