/* SPDX-License-Identifier: BSD-2-Clause */
/* Rates of a grid as functions of a system's parameters, and their derivatives. */
#include "transition.h"

#include <math.h>
#include <string.h>

#define STEP 1e-5 /* of central differences, relative to a parameter or to its scale */

static PetscErrorCode find_ranges(const double guess[], fare_model *m)
{
  const fare_parameter *table = fare_system_type_of(m->system)->parameters;

  PetscFunctionBegin;
  for (int k = 0; k < m->count; k++) {
    const fare_parameter *row = table;

    while (row->name && strcmp(row->name, m->name[k])) row++;
    if (!row->name) FARE_FAIL(FARE_ERR_INPUT, "the system has no parameter '%s'", m->name[k]);
    m->least[k] = row->min;
    m->most[k]  = row->max;
    m->scale[k] = guess[k] != 0 ? fabs(guess[k]) : 1;
  }
  PetscFunctionReturn(0);
}

static void find_neighbours(fare_model *m)
{
  const fare_grid *g = m->grid;

  for (PetscInt cell = 0; cell < m->cells; cell++) {
    PetscInt index[FARE_DIM_MAX], stride = 1;

    fare_cell_index(g, cell, index);
    for (int axis = 0; axis < g->dim; axis++) {
      for (int side = 0; side < 2; side++) {
        const PetscInt n  = g->cells[axis];
        PetscInt       to = index[axis] + (side ? 1 : -1);

        if (g->boundary[axis] == FARE_BOUNDARY_PERIODIC) to = (to + n) % n;
        if (to < 0 || to >= n) to = index[axis];
        m->neighbour[cell * m->faces + 2 * axis + side] = (int32_t)(cell + (to - index[axis]) * stride);
      }
      stride *= g->cells[axis];
    }
  }
}

/* The longest of the waveforms' periods, where all repeat with it. */
static double find_period(const fare_system *system, const fare_node *drive)
{
  double period = 0;

  for (size_t i = 0; drive && i < fare_node_size(drive); i++) {
    const fare_node *node = fare_node_find(fare_node_item(drive, i), "period");
    double           value;

    if (node && !fare_node_real(node, &value)) period = PetscMax(period, value);
  }
  return period > 0 && fare_system_repeats(system, 0, period) ? period : 0;
}

/* One with base values of its own. What drives it goes by way of the plan. */
static PetscErrorCode copy_system(const fare_system *system, fare_model *m)
{
  fare_text        text = {0};
  const fare_node *root;
  PetscErrorCode   code;

  PetscFunctionBegin;
  if (!fare_system_is_driven(system)) {
    PetscCall(fare_system_create_undriven(system, &m->system));
    PetscFunctionReturn(0);
  }
  fare_system_write(system, &text);
  code = fare_config_parse("system", text.text, text.length, &m->config);
  fare_text_free(&text);
  PetscCall(code);
  root = fare_config_root(m->config);
  PetscCall(
    fare_system_from_config(fare_node_find(root, "system"), fare_node_find(root, "drive"), &m->system));
  m->period = find_period(m->system, fare_node_find(root, "drive"));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_model_create(const fare_system *system, const fare_box *box,
  const fare_boundary boundary[], const PetscInt cells[], int count, const char *const name[],
  const double guess[], fare_model **model)
{
  const int   dim = fare_system_dimension(system);
  fare_model *m;
  size_t      all, faces;

  PetscFunctionBegin;
  PetscCall(PetscNew(&m));
  *model   = m;
  m->count = count;
  m->name  = name;
  PetscCall(copy_system(system, m));
  PetscCall(find_ranges(guess, m));
  PetscCall(fare_grid_create(PETSC_COMM_SELF, dim, cells, box->lower, box->upper, boundary, &m->grid));
  PetscCall(fare_operator_create(m->grid, m->system, &m->op));
  m->cells = fare_grid_owned(m->grid);
  m->faces = 2 * dim;
  all      = (size_t)m->cells;
  faces    = all * (size_t)m->faces;
  PetscCall(PetscMalloc5(faces, &m->neighbour, all, &m->stay, faces, &m->in, all * (size_t)count,
    &m->stay_slope, faces * (size_t)count, &m->in_slope));
  find_neighbours(m);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_model_destroy(fare_model **model)
{
  fare_model *m = *model;

  PetscFunctionBegin;
  if (!m) PetscFunctionReturn(0);
  PetscCall(PetscFree5(m->neighbour, m->stay, m->in, m->stay_slope, m->in_slope));
  PetscCall(fare_operator_destroy(&m->op));
  PetscCall(fare_grid_destroy(&m->grid));
  PetscCall(fare_system_destroy(&m->system));
  fare_config_destroy(&m->config);
  PetscCall(PetscFree(*model));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_model_parameters(fare_model *m, const double theta[])
{
  PetscFunctionBegin;
  for (int k = 0; k < m->count; k++) PetscCall(fare_system_set(m->system, m->name[k], theta[k]));
  PetscFunctionReturn(0);
}

double fare_model_moved(const fare_model *m, const double theta[], int k, double moved[2])
{
  const double step = STEP * PetscMax(fabs(theta[k]), 0.1 * m->scale[k]);

  moved[0] = PetscMax(theta[k] - step, m->least[k]);
  moved[1] = PetscMin(theta[k] + step, m->most[k]);
  return moved[1] - moved[0];
}

/* Rates into cells over their faces, and minus the sum of those out of them. */
static PetscErrorCode take_rates(fare_model *m, double leaving[], double in[], double stay[])
{
  PetscFunctionBegin;
  PetscCall(fare_operator_faces(m->op, m->time, leaving, in));
  for (PetscInt cell = 0; cell < m->cells; cell++) {
    stay[cell] = 0;
    for (int face = 0; face < m->faces; face++) stay[cell] -= leaving[cell * m->faces + face];
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode take_slope(fare_model *m, const double theta[], int k, double leaving[], double work[])
{
  const size_t faces = (size_t)m->cells * (size_t)m->faces;
  double      *in = m->in_slope + (size_t)k * faces, *stay = m->stay_slope + (size_t)k * (size_t)m->cells;
  double      *in_below = work, *stay_below = work + faces, moved[2];
  const double width = fare_model_moved(m, theta, k, moved), unit = 1 / (width * m->fastest);

  PetscFunctionBegin;
  PetscCall(fare_system_set(m->system, m->name[k], moved[0]));
  PetscCall(take_rates(m, leaving, in_below, stay_below));
  PetscCall(fare_system_set(m->system, m->name[k], moved[1]));
  PetscCall(take_rates(m, leaving, in, stay));
  PetscCall(fare_system_set(m->system, m->name[k], theta[k]));
  for (size_t i = 0; i < faces; i++) in[i] = (in[i] - in_below[i]) * unit;
  for (PetscInt i = 0; i < m->cells; i++) stay[i] = (stay[i] - stay_below[i]) * unit;
  PetscFunctionReturn(0);
}

PetscErrorCode fare_model_set(fare_model *m, const double theta[], PetscBool slopes)
{
  const size_t faces = (size_t)m->cells * (size_t)m->faces;
  double      *leaving, *work;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(faces, &leaving, faces + (size_t)m->cells, &work));
  memcpy(m->theta, theta, (size_t)m->count * sizeof *theta);
  PetscCall(fare_model_parameters(m, theta));
  PetscCall(take_rates(m, leaving, m->in, m->stay));
  m->fastest = 0;
  for (PetscInt i = 0; i < m->cells; i++) m->fastest = PetscMax(m->fastest, -m->stay[i]);
  for (size_t i = 0; i < faces; i++) m->in[i] /= m->fastest;
  for (PetscInt i = 0; i < m->cells; i++) m->stay[i] = 1 + m->stay[i] / m->fastest;
  for (int k = 0; k < m->count && slopes; k++) PetscCall(take_slope(m, theta, k, leaving, work));
  PetscCall(PetscFree2(leaving, work));
  PetscFunctionReturn(0);
}

double fare_masses_width(const fare_model *m, const double P[])
{
  double sum = 0, least = HUGE_VAL;

  for (PetscInt cell = 0; cell < m->cells; cell++) sum += P[cell];
  for (int axis = 0; axis < m->grid->dim; axis++) {
    double apart = 0; /* 1 - b, over faces: a wall is not steep */

    for (PetscInt cell = 0; cell < m->cells; cell++) {
      const double next = P[m->neighbour[cell * m->faces + 2 * axis + 1]];

      apart += 0.5 * PetscSqr(sqrt(PetscMax(0, next)) - sqrt(PetscMax(0, P[cell]))) / sum;
    }
    least = PetscMin(least, apart < 1 ? sqrt(-0.125 / log1p(-apart)) : 0);
  }
  return least;
}
