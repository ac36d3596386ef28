/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Fisher's information of one particle: of a snapshot sum_cells (dP)(dP)'/P, of a transition
  sum_starts rho sum_cells (dP)(dP)'/P, rho being the mean density at the starts of tracks.
*/
#include "design.h"

#include <math.h>
#include <string.h>

#define ABSENT   1e-15 /* of the largest mass: below, quotients are rounding */
#define SETTLED  1e-12 /* change of a density over a lag after which it stands still */
#define RESOLVED 3.0   /* cells that a lag spreads a point over, at least: sqrt(2 D lag)/h */
#define RARE     1e-9  /* of the largest mass: starts that are left out */

/* Diffusion on each axis, wide enough over a lag; lag 0: any. */
static PetscErrorCode check_diffusion(const fare_model *m, double time, double lag)
{
  const fare_grid *g = m->grid;

  PetscFunctionBegin;
  for (PetscInt cell = 0; cell < m->cells; cell++) {
    double        x[FARE_DIM_MAX], D[FARE_DIM_MAX];
    const double *at[FARE_DIM_MAX]   = {&x[0], &x[1], &x[2]};
    double *const to_D[FARE_DIM_MAX] = {&D[0], &D[1], &D[2]};

    fare_cell_centre(g, cell, x);
    fare_system_diffusion(m->system, time, 1, at, to_D);
    for (int axis = 0; axis < g->dim; axis++) {
      const double width = sqrt(2 * D[axis] * lag);

      if (!(D[axis] > 0))
        FARE_FAIL(FARE_ERR_INPUT, "axis %s has no diffusion: densities of this method need it on every axis",
          fare_system_axis_name(m->system, axis));
      if (lag > 0 && width < RESOLVED * g->spacing[axis])
        FARE_FAIL(FARE_ERR_INPUT,
          "cells: a lag of %g spreads a point by %.3g along %s, and cells are %.3g wide: take narrower ones",
          lag, width, fare_system_axis_name(m->system, axis), g->spacing[axis]);
    }
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode begin(
  const fare_infer_context *c, const PetscInt cells[], double theta[], fare_model **m)
{
  PetscFunctionBegin;
  PetscCall(fare_infer_model(c, cells, m));
  memcpy(theta, c->guess, (size_t)c->count * sizeof *theta);
  PetscFunctionReturn(0);
}

/* weight * sum (dP)(dP)'/P, in units of the scales, of cells above `least`. */
static void add_information(
  const fare_model *m, double weight, double least, const double P[], const double *const dP[], double to[])
{
  const int n = m->count;

  for (PetscInt i = 0; i < m->cells; i++) least = PetscMax(least, ABSENT * P[i]);
  for (PetscInt i = 0; i < m->cells; i++) {
    if (!(P[i] > least)) continue;
    for (int k = 0; k < n; k++) {
      const double part = weight * m->scale[k] * dP[k][i] / P[i];

      for (int j = 0; j < n; j++) to[k * n + j] += part * m->scale[j] * dP[j][i];
    }
  }
}

/* From one time to the next one. */
static PetscErrorCode evolve(
  fare_model *m, const double theta[], double from, double to, int steps, int fields, double *const P[])
{
  fare_path      path;
  PetscErrorCode code;

  PetscFunctionBegin;
  if (!(to > from)) PetscFunctionReturn(0);
  PetscCall(fare_path_create(m, theta, from, to, steps, fields > 1 ? PETSC_TRUE : PETSC_FALSE, &path));
  code = fare_path_advance(&path, fields, 1, P);
  PetscCall(fare_path_free(&path));
  PetscFunctionReturn(code);
}

static PetscErrorCode pass(const fare_infer_context *c, const fare_initial *initial, fare_model *m,
  const double theta[], int steps, int64_t n, fare_tell tell[])
{
  double *P[FARE_INFER_MAX + 1], *all, now = c->study->start;

  PetscFunctionBegin;
  PetscCall(PetscCalloc1((size_t)(1 + m->count) * (size_t)m->cells, &all));
  for (int k = 0; k <= m->count; k++) P[k] = all + k * m->cells;
  PetscCall(fare_model_initial(m, initial, now, theta, PETSC_TRUE, P));
  for (int64_t i = 0; i < n; i++) {
    PetscCall(fare_stop_check(PETSC_COMM_SELF, "identifiability"));
    PetscCall(evolve(m, theta, now, tell[i].time, steps, 1 + m->count, P));
    now = tell[i].time;
    memset(tell[i].information, 0, sizeof tell[i].information);
    add_information(m, 1, 0, P[0], (const double *const *)P + 1, tell[i].information);
    tell[i].width = HUGE_VAL;
    for (int k = 0; k < m->count; k++)
      if (tell[i].information[k * m->count + k] > 0) tell[i].width = fare_masses_width(m, P[0]);
  }
  PetscCall(PetscFree(all));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_tell_snapshots(const fare_infer_context *c, const fare_initial *initial,
  const PetscInt cells[], int steps, int64_t n, fare_tell tell[])
{
  double         theta[FARE_INFER_MAX];
  fare_model    *m;
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(begin(c, cells, theta, &m));
  code = fare_model_parameters(m, theta);
  if (!code) code = check_diffusion(m, c->study->start, 0);
  if (!code) code = pass(c, initial, m, theta, steps, n, tell);
  PetscCall(fare_model_destroy(&m));
  PetscFunctionReturn(fare_error_agree(c->comm, code));
}

/* Mean density at the starts of a track's lags. */
static PetscErrorCode density_of_starts(const fare_infer_context *c, const fare_initial *initial,
  fare_model *m, const double theta[], double lag, double rho[])
{
  double *P, *before;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(m->cells, &P, m->cells, &before));
  PetscCall(fare_model_initial(m, initial, c->study->start, theta, PETSC_FALSE, &P));
  PetscCall(evolve(m, theta, 0, c->settle, 1, 1, &P));
  memset(rho, 0, (size_t)m->cells * sizeof *rho);
  for (double k = 0, off = 1; k < c->transitions; k++) {
    const double left = off < SETTLED ? c->transitions - k : 1;

    for (PetscInt i = 0; i < m->cells; i++) rho[i] += left * P[i] / c->transitions;
    if (left > 1) break;
    memcpy(before, P, (size_t)m->cells * sizeof *P);
    PetscCall(evolve(m, theta, 0, lag, 1, 1, &P));
    off = 0;
    for (PetscInt i = 0; i < m->cells; i++) off += fabs(P[i] - before[i]);
  }
  PetscCall(PetscFree2(P, before));
  PetscFunctionReturn(0);
}

typedef struct {
  const fare_model *model;
  const double     *rho;
  const PetscInt   *place; /* of each column among all starts */
  double           *sums;  /* of each start, which one rank makes */
} starts;

static PetscErrorCode add_start(
  void *to, PetscInt i, PetscInt source, double unsure, const double P[], const double *const dP[])
{
  const starts *s = to;

  PetscFunctionBegin;
  add_information(
    s->model, s->rho[source], unsure, P, dP, s->sums + s->place[i] * s->model->count * s->model->count);
  PetscFunctionReturn(0);
}

/* Ranks share the starts, FARE_LANES at a time. */
static PetscErrorCode add_lag(
  const fare_infer_context *c, fare_model *m, const double theta[], const double rho[], fare_tell *tell)
{
  const int size = m->count * m->count;
  PetscInt *source, *place, all = 0, mine = 0;
  double    most = 0;
  starts    s    = {m, rho, NULL, NULL};
  int       rank, ranks;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(c->comm, &rank));
  PetscCallMPI(MPI_Comm_size(c->comm, &ranks));
  PetscCall(PetscMalloc2(m->cells, &source, m->cells, &place));
  for (PetscInt i = 0; i < m->cells; i++) most = PetscMax(most, rho[i]);
  for (PetscInt i = 0; i < m->cells; i++) {
    if (!(rho[i] > RARE * most)) continue;
    if (all / FARE_LANES % ranks == rank) {
      place[mine]    = all;
      source[mine++] = i;
    }
    all++;
  }
  s.place = place;
  PetscCall(PetscCalloc1(all * size, &s.sums));
  PetscCall(fare_model_set(m, theta, PETSC_TRUE));
  PetscCall(fare_error_agree(c->comm, fare_columns(m, tell->time, PETSC_TRUE, mine, source, add_start, &s)));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, s.sums, (int)(all * size), MPI_DOUBLE, MPI_SUM, c->comm));
  memset(tell->information, 0, sizeof tell->information);
  for (PetscInt i = 0; i < all * size; i++) tell->information[i % size] += s.sums[i];
  PetscCall(PetscFree(s.sums));
  PetscCall(PetscFree2(source, place));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_tell_transitions(const fare_infer_context *c, const fare_initial *initial,
  const PetscInt cells[], int64_t n, fare_tell tell[])
{
  double         theta[FARE_INFER_MAX], *rho;
  fare_model    *m;
  PetscErrorCode code = 0;

  PetscFunctionBegin;
  PetscCall(begin(c, cells, theta, &m));
  PetscCall(PetscMalloc1(m->cells, &rho));
  PetscCall(fare_model_parameters(m, theta));
  for (int64_t i = 0; i < n && !code && cells[0] == c->cells[0]; i++)
    code = check_diffusion(m, c->study->start, tell[i].time);
  for (int64_t i = 0; i < n && !code; i++) {
    code = fare_error_agree(c->comm, density_of_starts(c, initial, m, theta, tell[i].time, rho));
    if (!code) code = add_lag(c, m, theta, rho, &tell[i]);
  }
  PetscCall(PetscFree(rho));
  PetscCall(fare_model_destroy(&m));
  PetscFunctionReturn(code);
}
