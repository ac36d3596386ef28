/* SPDX-License-Identifier: BSD-2-Clause */
/* What methods ask of their context. */
#include "potential.h"

#include <math.h>
#include <string.h>

PetscErrorCode fare_infer_model(const fare_infer_context *c, const PetscInt cells[], fare_model **model)
{
  const fare_system *system = c->potential ? c->potential->system : c->study->system;

  PetscFunctionBegin;
  PetscCall(fare_model_create(system, &c->box, c->boundary, cells, c->count, c->name, c->guess, model));
  for (int k = c->potential ? c->potential->first : c->count; k < c->count; k++)
    (*model)->scale[k] = fare_system_kT(system, c->study->start);
  PetscFunctionReturn(0);
}

void fare_infer_half(const fare_infer_context *context, PetscInt half[FARE_DIM_MAX])
{
  for (int axis = 0; axis < FARE_DIM_MAX; axis++) half[axis] = context->cells[axis] / 2;
}

PetscErrorCode fare_infer_truth(const fare_infer_context *c, double theta[])
{
  const fare_parameter *table = fare_system_type_of(c->study->system)->parameters;
  double                all[FARE_PARAMETERS_MAX];

  PetscFunctionBegin;
  fare_system_base(c->study->system, all);
  for (int k = 0; k < c->count; k++) {
    for (int i = 0; table[i].name; i++)
      if (!strcmp(table[i].name, c->name[k])) theta[k] = all[i];
  }
  PetscFunctionReturn(0);
}

void fare_infer_place(const fare_grid *grid, PetscInt cell, char text[64])
{
  double x[FARE_DIM_MAX] = {0};

  fare_cell_centre(grid, cell, x);
  if (grid->dim == 1)
    snprintf(text, 64, "%.4g", x[0]);
  else
    snprintf(text, 64, "(%.4g, %.4g)", x[0], x[1]);
}

PetscErrorCode fare_infer_check_noise(const fare_tracks *tracks, const char *method)
{
  PetscFunctionBegin;
  for (int axis = 0; axis < tracks->dim; axis++) {
    if (tracks->noise[axis] > 0)
      FARE_FAIL(FARE_ERR_INPUT,
        "observations have noise of %g: %s takes positions as exact, and would count it as motion",
        tracks->noise[axis], method);
  }
  PetscFunctionReturn(0);
}

double fare_infer_way(const fare_infer_context *c, int axis, double from, double to)
{
  const double length = c->box.upper[axis] - c->box.lower[axis];

  return c->boundary[axis] == FARE_BOUNDARY_PERIODIC ? remainder(to - from, length) : to - from;
}
