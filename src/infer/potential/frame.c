/* SPDX-License-Identifier: BSD-2-Clause */
/* What a recovered potential is compared with, at the centres of cells. */
#include "bands.h"

#include "infer/moments/moments.h"

#include <math.h>
#include <string.h>

#define RIDGE   1e-12
#define UNIFORM 1e-9 /* relative differences of a force that are none */

/* Observations in each cell; those outside of the box, which noise may take there, count at its ends. */
static void count_rows(const fare_tracks *t, const fare_grid *g, double density[])
{
  const PetscInt n = g->cells[0];

  memset(density, 0, (size_t)n * sizeof *density);
  for (int64_t row = 0; row < t->rows; row++) {
    double along = (t->x[row] - g->lower[0]) / (g->upper[0] - g->lower[0]);

    if (g->boundary[0] == FARE_BOUNDARY_PERIODIC) along -= floor(along);
    density[(PetscInt)PetscMax(0, PetscMin(n - 1, floor(along * n)))] += 1 / (double)t->rows;
  }
}

/* Exact where the study's own system made the data and nothing drives it. */
static PetscErrorCode find_density(
  const fare_infer_context *c, const fare_tracks *tracks, PetscBool simulated, fare_frame *f)
{
  fare_infer_context alone = *c;
  fare_model        *model;
  double             none[1];
  PetscErrorCode     code = 0;

  PetscFunctionBegin;
  alone.potential = NULL;
  alone.count     = 0;
  PetscCall(fare_infer_model(&alone, c->cells, &model));
  if (simulated && !fare_system_is_driven(c->study->system)) {
    code = fare_model_set(model, none, PETSC_FALSE);
    if (!code) code = fare_density_of_starts(&alone, model, f->density);
  } else {
    count_rows(tracks, model->grid, f->density);
  }
  for (PetscInt i = 0; i < f->points && !code; i++) {
    double x[FARE_DIM_MAX];

    fare_cell_centre(model->grid, i, x);
    f->x[i] = x[0];
  }
  PetscCall(fare_model_destroy(&model));
  PetscFunctionReturn(code);
}

/* Values follow from parameters by a matrix: those of unit parameters are its columns. */
static PetscErrorCode find_columns(const fare_infer_context *c, fare_frame *f)
{
  const fare_potential   *p    = c->potential;
  const fare_system_type *type = fare_system_type_of(p->system);
  const double           *at[] = {f->x};
  double                  theta[FARE_PARAMETERS_MAX], *value, *to[1];

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(f->points, &value));
  to[0] = value;
  for (int k = 0; k < c->count; k++) {
    const int place =
      k < p->first ? FARE_POTENTIAL_SPLINE_FORCE : FARE_POTENTIAL_SPLINE_VALUES + k - p->first;

    fare_system_base(p->system, theta);
    if (!strcmp(c->name[k], "kT")) continue; /* moves neither: columns are zero */
    theta[place] = 1;
    type->force(1, theta, (size_t)f->points, at, to);
    for (PetscInt i = 0; i < f->points; i++) f->to_drift[i * c->count + k] = theta[FARE_MOBILITY] * value[i];
    if (place == FARE_POTENTIAL_SPLINE_FORCE) continue;
    type->potential(1, theta, (size_t)f->points, at, value);
    for (PetscInt i = 0; i < f->points; i++) f->to_potential[i * c->count + k] = value[i];
  }
  PetscCall(PetscFree(value));
  PetscFunctionReturn(0);
}

/* The constant of the potential: its mean over the density is 0. */
static void fix_constant(const fare_infer_context *c, fare_frame *f)
{
  const fare_potential *p = c->potential;

  for (int k = 0; k < c->count; k++) {
    double mean = 0;

    for (PetscInt i = 0; i < f->points; i++) mean += f->density[i] * f->to_potential[i * c->count + k];
    for (PetscInt i = 0; i < f->points; i++) f->to_potential[i * c->count + k] -= mean;
    for (int j = 0; j < c->count; j++)
      f->rows[j * c->count + k] = (j == k ? 1 : 0) - (j >= p->first ? mean : 0);
  }
}

/* The force that is no gradient; NaN where it is not the same everywhere. */
static double uniform_force(const fare_system *system, PetscInt points, const double x[], double work[])
{
  const fare_system_type *type = fare_system_type_of(system);
  const double           *at[] = {x};
  double                  theta[FARE_PARAMETERS_MAX], *to[] = {work};

  if (!type->nonconservative) return 0;
  fare_system_base(system, theta);
  type->nonconservative(1, theta, (size_t)points, at, to);
  for (PetscInt i = 1; i < points; i++)
    if (!(fabs(work[i] - work[0]) <= UNIFORM * fabs(work[0]))) return NAN;
  return work[0];
}

/* The study's own potential and drift, without what drives it, and what rows would say. */
static PetscErrorCode find_truth(const fare_infer_context *c, fare_frame *f)
{
  const fare_potential   *p      = c->potential;
  const fare_system      *system = c->study->system;
  const fare_system_type *type   = fare_system_type_of(system);
  const PetscBool         ring   = c->box.periodic[0];
  const double           *at[]   = {f->x};
  double                 *to[] = {f->drift}, theta[FARE_PARAMETERS_MAX], pull, mean = 0;

  PetscFunctionBegin;
  fare_system_base(system, theta);
  pull = uniform_force(system, f->points, f->x, f->drift);
  fare_system_type_drift(type, 1, theta, (size_t)f->points, at, to);
  type->potential(1, theta, (size_t)f->points, at, f->potential);
  for (PetscInt i = 0; i < f->points; i++) {
    f->potential[i] -= ring ? 0 * pull : pull * f->x[i]; /* NaN stays so */
    mean += f->density[i] * f->potential[i];
  }
  for (PetscInt i = 0; i < f->points; i++) f->potential[i] -= mean;
  for (int k = 0; k < c->count; k++) {
    double x =
      k < p->first ? 0 : fare_potential_spline_knot(fare_potential_spline_of(p->system), k - p->first);
    const double *here[] = {&x};

    if (!strcmp(c->name[k], "kT")) {
      f->truth[k] = theta[FARE_KT];
    } else if (k < p->first) {
      f->truth[k] = pull;
    } else {
      type->potential(1, theta, 1, here, &f->truth[k]);
      f->truth[k] -= mean + (ring ? 0 * pull : pull * x);
    }
  }
  PetscFunctionReturn(0);
}

/* The spline whose drift is nearest to the true one, over the density. */
static PetscErrorCode find_nearest(const fare_infer_context *c, fare_frame *f)
{
  const int n                                  = c->count;
  double    A[FARE_INFER_MAX * FARE_INFER_MAX] = {0}, b[FARE_INFER_MAX] = {0}, v[FARE_INFER_MAX], sum = 0,
                            off = 0, most = 0;
  PetscBool fixed[FARE_INFER_MAX] = {PETSC_FALSE};

  PetscFunctionBegin;
  for (PetscInt i = 0; i < f->points; i++) {
    const double *row = f->to_drift + i * n;

    sum += f->density[i] * f->drift[i] * f->drift[i];
    for (int j = 0; j < n; j++) {
      b[j] += f->density[i] * row[j] * f->drift[i];
      for (int k = 0; k < n; k++) A[j * n + k] += f->density[i] * row[j] * row[k];
    }
  }
  f->rms = sqrt(sum);
  /* a ridge: knots without density make no difference */
  for (int k = 0; k < n; k++) most = PetscMax(most, A[k * (n + 1)]);
  for (int k = 0; k < n; k++) A[k * (n + 1)] += RIDGE * most;
  for (int k = 0; k < n; k++) fixed[k] = !strcmp(c->name[k], "kT") || k == c->potential->fixed;
  PetscCall(fare_fit_solve(n, c->name, fixed, A, b, v, NULL));
  for (PetscInt i = 0; i < f->points; i++) {
    double rest = f->drift[i];

    for (int k = 0; k < n; k++) rest -= f->to_drift[i * n + k] * v[k];
    off += f->density[i] * rest * rest;
  }
  f->alone = sqrt(off / sum); /* NaN where there is no drift */
  PetscFunctionReturn(0);
}

static PetscErrorCode fill(
  const fare_infer_context *c, const fare_tracks *tracks, PetscBool simulated, fare_frame *f)
{
  PetscFunctionBegin;
  PetscCall(find_density(c, tracks, simulated, f));
  PetscCall(find_columns(c, f));
  fix_constant(c, f);
  f->known = simulated;
  f->rms = f->alone = NAN;
  for (int k = 0; k < c->count; k++) f->truth[k] = NAN;
  for (PetscInt i = 0; i < f->points; i++) f->potential[i] = f->drift[i] = NAN;
  if (!simulated) PetscFunctionReturn(0);
  PetscCall(find_truth(c, f));
  PetscCall(find_nearest(c, f));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_frame_create(
  const fare_infer_context *c, const fare_tracks *tracks, PetscBool simulated, fare_frame **frame)
{
  const size_t   points = (size_t)c->cells[0], count = (size_t)c->count;
  fare_frame    *f;
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(PetscNew(frame));
  f         = *frame;
  f->points = c->cells[0];
  f->count  = c->count;
  PetscCall(PetscCalloc7(points, &f->x, points, &f->density, points, &f->potential, points, &f->drift,
    points * count, &f->to_potential, points * count, &f->to_drift, count * count, &f->rows));
  code = fare_error_agree(c->comm, fill(c, tracks, simulated, f));
  if (code) PetscCall(fare_frame_destroy(frame));
  PetscFunctionReturn(code);
}
