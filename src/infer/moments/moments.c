/* SPDX-License-Identifier: BSD-2-Clause */
/* Displacements over a lag: of data, and of infinitely many of them. */
#include "moments.h"

#include <math.h>
#include <string.h>

#define RARE    1e-13 /* share of the starts that a cell must have to count */
#define SETTLED 1e-6  /* L1 difference from the stationary density that is none */

PetscErrorCode fare_moments_create(int dim, size_t rows, size_t ends, fare_moments *m)
{
  PetscFunctionBegin;
  *m = (fare_moments){.rows = rows, .ends = ends};
  for (int axis = 0; axis < dim; axis++)
    PetscCall(PetscCalloc5(rows, &m->x[axis], rows, &m->first[axis], rows, &m->second[axis], ends,
      &m->end[axis], ends, &m->arrived[axis]));
  PetscCall(PetscCalloc4(rows, &m->lag, rows, &m->weight, rows, &m->track, ends, &m->landed));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_moments_free(fare_moments *m)
{
  PetscFunctionBegin;
  for (int axis = 0; axis < FARE_DIM_MAX; axis++)
    PetscCall(PetscFree5(m->x[axis], m->first[axis], m->second[axis], m->end[axis], m->arrived[axis]));
  PetscCall(PetscFree4(m->lag, m->weight, m->track, m->landed));
  *m = (fare_moments){0};
  PetscFunctionReturn(0);
}

/* Along a periodic axis, displacements of more than half a turn are taken for shorter ones. */
static PetscErrorCode tell_turns(const fare_infer_context *c, const fare_moments *m)
{
  PetscFunctionBegin;
  for (int axis = 0; axis < fare_system_dimension(c->study->system); axis++) {
    const double length = c->box.upper[axis] - c->box.lower[axis];
    size_t       far    = 0;

    if (c->boundary[axis] != FARE_BOUNDARY_PERIODIC) continue;
    for (size_t row = 0; row < m->rows; row++) far += fabs(m->first[axis][row]) > 0.25 * length;
    if ((double)far > 0.1 * (double)m->rows)
      fare_warn("along %s, %.0f%% of the displacements exceed a quarter of a turn: those of more than a half "
                "are taken for shorter ones; a shorter lag, or likelihood, is right",
        fare_system_axis_name(c->study->system, axis), 100 * (double)far / (double)m->rows);
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_moments_of_tracks(
  const fare_infer_context *context, const fare_tracks *t, fare_moments *m)
{
  int64_t count, *pair;

  PetscFunctionBegin;
  *m = (fare_moments){0};
  for (int axis = 0; axis < t->dim; axis++)
    if (t->noise[axis] > 0)
      fare_warn("%s takes noise of observations for motion: of %g along %s", context->type->name,
        t->noise[axis], fare_system_axis_name(context->study->system, axis));
  PetscCall(fare_tracks_pairs(t, context->lag, &count, &pair));
  PetscCall(fare_moments_create(t->dim, (size_t)count, (size_t)count, m));
  for (int64_t i = 0; i < count; i++) {
    const int64_t from = pair[2 * i], to = pair[2 * i + 1];

    m->lag[i]    = t->time[to] - t->time[from];
    m->weight[i] = m->landed[i] = 1;
    m->track[i]                 = t->id[from];
    for (int axis = 0; axis < t->dim; axis++) {
      const double x = t->x[from * t->dim + axis],
                   d = fare_infer_way(context, axis, x, t->x[to * t->dim + axis]);

      m->x[axis][i]       = x;
      m->first[axis][i]   = d;
      m->second[axis][i]  = d * d;
      m->end[axis][i]     = x + d;
      m->arrived[axis][i] = d;
    }
  }
  PetscCall(PetscFree(pair));
  if (!count) FARE_FAIL(FARE_ERR_INPUT, "%s: no track has two observations with this lag", t->name);
  if (count <= context->count)
    FARE_FAIL(FARE_ERR_INPUT, "%s: %lld pairs are too few for %d parameters", t->name, (long long)count,
      context->count);
  PetscCall(tell_turns(context, m));
  PetscFunctionReturn(0);
}

typedef struct {
  const fare_infer_context *context;
  const fare_grid          *grid;
  fare_moments             *moments;
} filling;

static PetscErrorCode fill_row(
  void *to, PetscInt i, PetscInt source, double unsure, const double P[], const double *const dP[])
{
  const filling   *f = to;
  const fare_grid *g = f->grid;
  double           from[FARE_DIM_MAX], at[FARE_DIM_MAX];

  PetscFunctionBegin;
  (void)dP;
  (void)unsure;
  fare_cell_centre(g, source, from);
  for (PetscInt cell = 0; cell < fare_grid_owned(g); cell++) {
    fare_cell_centre(g, cell, at);
    f->moments->landed[cell] += f->moments->weight[i] * P[cell];
    for (int axis = 0; axis < g->dim; axis++) {
      const double d = fare_infer_way(f->context, axis, from[axis], at[axis]);

      f->moments->first[axis][i] += P[cell] * d;
      f->moments->second[axis][i] += P[cell] * d * d;
      f->moments->arrived[axis][cell] += f->moments->weight[i] * P[cell] * d;
    }
  }
  for (int axis = 0; axis < g->dim; axis++) f->moments->x[axis][i] = from[axis];
  PetscFunctionReturn(0);
}

PetscErrorCode fare_density_of_starts(const fare_infer_context *c, const fare_model *model, double mean[])
{
  const PetscInt n = model->cells;
  double        *P, *still;
  fare_solved    solved;
  Vec            masses;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(n, &P, n, &still));
  PetscCall(fare_stationary_solve(model->grid, model->system, c->study->start, &masses, &solved));
  PetscCall(fare_grid_gather(model->grid, masses, still));
  PetscCall(VecDestroy(&masses));
  PetscCall(fare_grid_initial(model->grid, c->study->initial, model->system, c->study->start, &masses));
  PetscCall(fare_grid_gather(model->grid, masses, P));
  PetscCall(VecDestroy(&masses));
  PetscCall(fare_masses_advance(model, c->settle, 1, &P));
  memset(mean, 0, (size_t)n * sizeof *mean);
  for (double k = 0, off = 1; k < c->transitions; k++) {
    const double left = off < SETTLED ? c->transitions - k : 1;

    for (PetscInt i = 0; i < n; i++) mean[i] += left * P[i] / c->transitions;
    if (left > 1) break;
    PetscCall(fare_masses_advance(model, c->lag, 1, &P));
    off = 0;
    for (PetscInt i = 0; i < n; i++) off += fabs(P[i] - still[i]);
  }
  PetscCall(PetscFree2(P, still));
  PetscFunctionReturn(0);
}

/* Cells that hold a share of the starts, and those shares. */
static PetscErrorCode find_starts(
  const fare_infer_context *c, const fare_model *model, PetscInt source[], double share[], PetscInt *count)
{
  double most = 0;

  PetscFunctionBegin;
  *count = 0;
  PetscCall(fare_density_of_starts(c, model, share));
  for (PetscInt cell = 0; cell < model->cells; cell++) most = PetscMax(most, share[cell]);
  for (PetscInt cell = 0; cell < model->cells; cell++) {
    if (!(share[cell] > RARE * most)) continue;
    share[*count]      = share[cell];
    source[(*count)++] = cell;
  }
  PetscFunctionReturn(0);
}

/* Gauss and Hermite's quadrature of a normal density: exact to the ninth power. */
#define NODES 5
static const double node[NODES] = {
  -2.8569700138728056, -1.3556261799742659, 0, 1.3556261799742659, 2.8569700138728056};
static const double portion[NODES] = {
  0.011257411327720693, 0.22207592200561266, 0.5333333333333333, 0.22207592200561266, 0.011257411327720693};

/* Noise of observations of each start, and of each end, in place of those themselves. */
static PetscErrorCode blur(const fare_infer_context *c, int dim, fare_moments *m)
{
  const size_t nodes = dim == 1 ? NODES : dim == 2 ? NODES * NODES : NODES * NODES * NODES;
  fare_moments to;

  PetscFunctionBegin;
  if (!(c->noise > 0)) PetscFunctionReturn(0);
  PetscCall(fare_moments_create(dim, m->rows * nodes, m->ends * nodes, &to));
  for (size_t q = 0; q < nodes; q++) {
    double off[FARE_DIM_MAX], w = 1;

    for (size_t axis = 0, rest = q; axis < (size_t)dim; axis++, rest /= NODES) {
      off[axis] = c->noise * node[rest % NODES];
      w *= portion[rest % NODES];
    }
    for (size_t i = 0, row = q * m->rows; i < m->rows; i++, row++) {
      to.lag[row]    = m->lag[i];
      to.weight[row] = w * m->weight[i];
      for (int axis = 0; axis < dim; axis++) {
        to.x[axis][row]      = m->x[axis][i] + off[axis];
        to.first[axis][row]  = m->first[axis][i] - off[axis];
        to.second[axis][row] = m->second[axis][i] - 2 * off[axis] * m->first[axis][i] +
          off[axis] * off[axis] + c->noise * c->noise;
      }
    }
    for (size_t i = 0, end = q * m->ends; i < m->ends; i++, end++) {
      for (int axis = 0; axis < dim; axis++) {
        to.end[axis][end]     = m->end[axis][i] + off[axis];
        to.arrived[axis][end] = w * (m->arrived[axis][i] + m->landed[i] * off[axis]);
      }
    }
  }
  PetscCall(fare_moments_free(m));
  *m = to;
  PetscFunctionReturn(0);
}

static PetscErrorCode fill_rows(const fare_infer_context *c, fare_model *model, fare_moments *m)
{
  double    truth[FARE_INFER_MAX], *share;
  PetscInt *source, count;
  filling   f = {c, model->grid, m};

  PetscFunctionBegin;
  PetscCall(fare_infer_truth(c, truth));
  PetscCall(fare_model_set(model, truth, PETSC_FALSE));
  PetscCall(PetscMalloc2(model->cells, &source, model->cells, &share));
  PetscCall(find_starts(c, model, source, share, &count));
  PetscCall(fare_moments_create(model->grid->dim, (size_t)count, (size_t)model->cells, m));
  for (PetscInt i = 0; i < count; i++) {
    m->lag[i]    = c->lag;
    m->weight[i] = share[i];
  }
  for (PetscInt cell = 0; cell < model->cells; cell++) {
    double at[FARE_DIM_MAX];

    fare_cell_centre(model->grid, cell, at);
    for (int axis = 0; axis < model->grid->dim; axis++) m->end[axis][cell] = at[axis];
  }
  PetscCall(fare_columns(model, c->lag, PETSC_FALSE, count, source, fill_row, &f));
  PetscCall(PetscFree2(source, share));
  PetscCall(blur(c, model->grid->dim, m));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_moments_of_truth(
  const fare_infer_context *context, const PetscInt cells[], fare_moments *moments)
{
  fare_model    *model;
  PetscErrorCode code;

  PetscFunctionBegin;
  *moments = (fare_moments){0};
  PetscCall(fare_infer_model(context, cells, &model));
  code = fare_error_agree(context->comm, fill_rows(context, model, moments));
  PetscCall(fare_model_destroy(&model));
  PetscFunctionReturn(code);
}
