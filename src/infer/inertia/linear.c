/* SPDX-License-Identifier: BSD-2-Clause */
/* Second moments of a linear system with inertia: they evolve by themselves, whatever the density is. */
#include "inertia.h"

#include <math.h>
#include <string.h>

#define LOOKS   16
#define LINEAR  1e-7 /* of the drift: what it may deviate from a linear one */
#define STEPS   64   /* of a lag, of fourth order */
#define SETTLED 1e-12

PetscErrorCode fare_linear_find(const fare_infer_context *c, fare_linear *l, PetscBool *is_linear)
{
  double        middle[2], z[2], f[2], D[2], first[2], most = 0, off = 0;
  const double *at[2]   = {&z[0], &z[1]};
  double       *to_f[2] = {&f[0], &f[1]}, *to_D[2] = {&D[0], &D[1]};

  PetscFunctionBegin;
  for (int axis = 0; axis < 2; axis++) middle[axis] = 0.5 * (c->box.lower[axis] + c->box.upper[axis]);
  memcpy(z, middle, sizeof z);
  fare_system_drift(c->study->system, c->study->start, 1, at, to_f);
  fare_system_diffusion(c->study->system, c->study->start, 1, at, to_D);
  memcpy(l->B, D, sizeof D);
  memcpy(first, f, sizeof f);
  for (int axis = 0; axis < 2; axis++) {
    const double h = 0.25 * (c->box.upper[axis] - c->box.lower[axis]);

    memcpy(z, middle, sizeof z);
    z[axis] += h;
    fare_system_drift(c->study->system, c->study->start, 1, at, to_f);
    for (int i = 0; i < 2; i++) l->A[i][axis] = (f[i] - first[i]) / h;
  }
  for (int i = 0; i < 2; i++) l->c[i] = first[i] - l->A[i][0] * middle[0] - l->A[i][1] * middle[1];
  for (int look = 0; look < LOOKS; look++) {
    const double part[2] = {(look + 0.5) / LOOKS, fmod(0.37 * look + 0.1, 1)};

    for (int axis = 0; axis < 2; axis++)
      z[axis] = c->box.lower[axis] + part[axis] * (c->box.upper[axis] - c->box.lower[axis]);
    fare_system_drift(c->study->system, c->study->start, 1, at, to_f);
    fare_system_diffusion(c->study->system, c->study->start, 1, at, to_D);
    for (int i = 0; i < 2; i++) {
      most = PetscMax(most, fabs(f[i]));
      off  = PetscMax(off, fabs(f[i] - l->A[i][0] * z[0] - l->A[i][1] * z[1] - l->c[i]));
      off  = PetscMax(off, D[i] == l->B[i] ? 0 : HUGE_VAL);
    }
  }
  *is_linear = off <= LINEAR * most ? PETSC_TRUE : PETSC_FALSE;
  for (int axis = 0; axis < 2; axis++)
    if (c->boundary[axis] == FARE_BOUNDARY_PERIODIC) *is_linear = PETSC_FALSE;
  PetscFunctionReturn(0);
}

/* What a time makes of z: a matrix, a shift, and the covariance of the noise; as one vector. */
enum { PHI = 0, SHIFT = 4, NOISE = 6, ALL = 10 };
static void rate(const fare_linear *l, const double y[ALL], double dy[ALL])
{
  for (int i = 0; i < 2; i++) {
    dy[SHIFT + i] = l->c[i] + l->A[i][0] * y[SHIFT] + l->A[i][1] * y[SHIFT + 1];
    for (int j = 0; j < 2; j++) {
      dy[PHI + 2 * i + j]   = l->A[i][0] * y[PHI + j] + l->A[i][1] * y[PHI + 2 + j];
      dy[NOISE + 2 * i + j] = i == j ? 2 * l->B[i] : 0;
      for (int k = 0; k < 2; k++)
        dy[NOISE + 2 * i + j] += l->A[i][k] * y[NOISE + 2 * k + j] + l->A[j][k] * y[NOISE + 2 * i + k];
    }
  }
}

static void propagate(const fare_linear *l, double span, double y[ALL])
{
  const double fast  = fabs(l->A[0][0]) + fabs(l->A[0][1]) + fabs(l->A[1][0]) + fabs(l->A[1][1]);
  const long   steps = STEPS * (long)(1 + ceil(fast * span));
  const double h     = span / (double)steps;

  memset(y, 0, ALL * sizeof *y);
  y[PHI] = y[PHI + 3] = 1;
  for (long step = 0; step < steps; step++) {
    static const double part[4] = {0, 0.5, 0.5, 1}, weight[4] = {1.0 / 6, 1.0 / 3, 1.0 / 3, 1.0 / 6};
    double              slope[ALL] = {0}, sum[ALL] = {0}, at[ALL];

    for (int stage = 0; stage < 4; stage++) {
      for (int i = 0; i < ALL; i++) at[i] = y[i] + part[stage] * h * slope[i];
      rate(l, at, slope);
      for (int i = 0; i < ALL; i++) sum[i] += weight[stage] * h * slope[i];
    }
    for (int i = 0; i < ALL; i++) y[i] += sum[i];
  }
}

/* Moments [1, x, v] by [1, x, v] after a time. */
static void advance(const double y[ALL], double M[3][3])
{
  double T[3][3] = {{1, 0, 0}}, N[3][3] = {{0}};

  for (int i = 0; i < 2; i++) {
    T[i + 1][0] = y[SHIFT + i];
    for (int j = 0; j < 2; j++) T[i + 1][j + 1] = y[PHI + 2 * i + j];
  }
  for (int i = 0; i < 3; i++)
    for (int j = 0; j < 3; j++)
      for (int a = 0; a < 3; a++)
        for (int b = 0; b < 3; b++) N[i][j] += T[i][a] * M[a][b] * T[j][b];
  for (int i = 0; i < 2; i++)
    for (int j = 0; j < 2; j++) N[i + 1][j + 1] += y[NOISE + 2 * i + j];
  memcpy(M, N, sizeof N);
}

/* Those of the initial density. */
static PetscErrorCode initial_moments(const fare_infer_context *c, const PetscInt cells[], double M[3][3])
{
  fare_model *model;
  Vec         masses;
  double     *P;

  PetscFunctionBegin;
  memset(M, 0, 9 * sizeof **M);
  PetscCall(fare_infer_model(c, cells, &model));
  PetscCall(PetscMalloc1(model->cells, &P));
  PetscCall(fare_grid_initial(model->grid, c->study->initial, model->system, c->study->start, &masses));
  PetscCall(fare_grid_gather(model->grid, masses, P));
  PetscCall(VecDestroy(&masses));
  for (PetscInt cell = 0; cell < model->cells; cell++) {
    double z[3] = {1, 0, 0};

    fare_cell_centre(model->grid, cell, z + 1);
    for (int i = 0; i < 3; i++)
      for (int j = 0; j < 3; j++) M[i][j] += P[cell] * z[i] * z[j];
  }
  PetscCall(PetscFree(P));
  PetscCall(fare_model_destroy(&model));
  PetscFunctionReturn(0);
}

/*
  Of the mean over triples: with z_2 = T z_1 + noise and z_3 = T z_2 + noise, (1, x_2, v, dv) is a matrix
  times (1, z_1) plus two matrices times the noises.
*/
static void make_triples(const double y[ALL], double lag, double M[3][3], double to[4][4])
{
  const double *phi = y + PHI, *shift = y + SHIFT, *S = y + NOISE;
  double        x[3][3], first[3][2], second[3][2], W[4][3], U[4][2], V[4][2];

  /* rows x_1, x_2, x_3 on (1, z_1), and on both noises */
  memset(first, 0, sizeof first);
  memset(second, 0, sizeof second);
  x[0][0] = 0;
  x[0][1] = 1;
  x[0][2] = 0;
  x[1][0] = shift[0];
  x[1][1] = phi[0];
  x[1][2] = phi[1];
  x[2][0] = shift[0] + phi[0] * shift[0] + phi[1] * shift[1];
  for (int j = 0; j < 2; j++) {
    x[2][j + 1]  = phi[0] * phi[j] + phi[1] * phi[2 + j];
    first[2][j]  = phi[j];
    first[1][j]  = j ? 0 : 1;
    second[2][j] = j ? 0 : 1;
  }
  for (int j = 0; j < 3; j++) {
    W[0][j] = j ? 0 : 1;
    W[1][j] = x[1][j];
    W[2][j] = (x[1][j] - x[0][j]) / lag;
    W[3][j] = (x[2][j] - 2 * x[1][j] + x[0][j]) / lag;
  }
  for (int j = 0; j < 2; j++) {
    U[0][j] = V[0][j] = 0;
    U[1][j]           = first[1][j];
    V[1][j]           = 0;
    U[2][j]           = first[1][j] / lag;
    V[2][j]           = 0;
    U[3][j]           = (first[2][j] - 2 * first[1][j]) / lag;
    V[3][j]           = second[2][j] / lag;
  }
  for (int i = 0; i < 4; i++) {
    for (int j = 0; j < 4; j++) {
      to[i][j] = 0;
      for (int a = 0; a < 3; a++)
        for (int b = 0; b < 3; b++) to[i][j] += W[i][a] * M[a][b] * W[j][b];
      for (int a = 0; a < 2; a++)
        for (int b = 0; b < 2; b++) to[i][j] += (U[i][a] * U[j][b] + V[i][a] * V[j][b]) * S[2 * a + b];
    }
  }
}

PetscErrorCode fare_linear_triples(
  const fare_infer_context *c, const fare_linear *l, const PetscInt cells[], double moments[4][4])
{
  const double triples = c->transitions - 1;
  double       y[ALL], M[3][3], mean[3][3] = {{0}};

  PetscFunctionBegin;
  PetscCall(initial_moments(c, cells, M));
  propagate(l, c->settle, y);
  advance(y, M);
  propagate(l, c->lag, y);
  for (double k = 0, off = 1; k < triples; k++) {
    const double left = off < SETTLED ? triples - k : 1;
    double       before[3][3];

    memcpy(before, M, sizeof M);
    for (int i = 0; i < 9; i++) mean[i / 3][i % 3] += left * M[i / 3][i % 3] / triples;
    if (left > 1) break;
    advance(y, M);
    off = 0;
    for (int i = 0; i < 9; i++)
      off = PetscMax(off, fabs(M[i / 3][i % 3] - before[i / 3][i % 3]) / (1e-300 + fabs(M[i / 3][i % 3])));
  }
  make_triples(y, c->lag, mean, moments);
  PetscFunctionReturn(0);
}
