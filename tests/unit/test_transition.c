/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=unit ranks=1 timeout=60 */
/*
  Transition probabilities on two axes, and their derivatives, by Chebyshev's polynomials against exponentials
  of dense matrices: every column, of a trap that turns, and where small ones have digits. Starts between the
  nodes of a lattice, against cubics.
*/
#include "fare_test.h"

#include "infer/transition/transition.h"

#include <cblas.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define X     14
#define Y     12
#define CELLS (X * Y)
#define BOTH  (2 * CELLS)
#define LAG   4.0

static const char *const names[] = {"rotation", "kT"};

static fare_model *make_model(double rotation, fare_config **config, fare_system **system)
{
  static const char yaml[]     = "{name: rotational_ou, parameters: {stiffness: 0.4}}";
  const double      theta[]    = {rotation, 0.5};
  const fare_box    box        = {.lower = {-3, -3}, .upper = {3, 3}};
  const PetscInt    cells[]    = {X, Y};
  fare_boundary     boundary[] = {FARE_BOUNDARY_REFLECTING, FARE_BOUNDARY_PERIODIC};
  fare_model       *m;

  assert_int_equal(fare_config_parse("test", yaml, strlen(yaml), config), 0);
  assert_int_equal(fare_system_from_config(fare_config_root(*config), NULL, system), 0);
  assert_int_equal(fare_model_create(*system, &box, boundary, cells, 2, names, theta, &m), 0);
  assert_int_equal(fare_model_set(m, theta, PETSC_TRUE), 0);
  return m;
}

/* L, and beside it dL where k >= 0: [[L, 0], [dL, L]], by columns. */
static void make_dense(const fare_model *m, int k, double *A)
{
  memset(A, 0, sizeof *A * BOTH * BOTH);
  for (PetscInt to = 0; to < CELLS; to++) {
    for (int part = 0; part < 2; part++)
      A[(part * CELLS + to) * BOTH + part * CELLS + to] += (m->stay[to] - 1) * m->fastest;
    A[to * BOTH + CELLS + to] += m->stay_slope[k * CELLS + to] * m->fastest;
    for (int face = 0; face < m->faces; face++) {
      const PetscInt from = m->neighbour[to * m->faces + face];

      for (int part = 0; part < 2; part++)
        A[(part * CELLS + from) * BOTH + part * CELLS + to] += m->in[to * m->faces + face] * m->fastest;
      A[from * BOTH + CELLS + to] += m->in_slope[(k * CELLS + to) * m->faces + face] * m->fastest;
    }
  }
}

/* exp(A t), by Taylor's series and squares. */
static void exponentiate(double *A, double t, double *to)
{
  const int squares = 12;
  double   *term = malloc(sizeof *A * BOTH * BOTH), *next = malloc(sizeof *A * BOTH * BOTH), *keep = next;

  for (int i = 0; i < BOTH * BOTH; i++) to[i] = term[i] = i % (BOTH + 1) ? 0 : 1;
  for (int n = 1; n < 12; n++) {
    cblas_dgemm(CblasColMajor, CblasNoTrans, CblasNoTrans, BOTH, BOTH, BOTH, ldexp(t, -squares) / n, A, BOTH,
      term, BOTH, 0, next, BOTH);
    for (int i = 0; i < BOTH * BOTH; i++) to[i] += term[i] = next[i];
  }
  for (int i = 0; i < squares; i++) {
    cblas_dgemm(
      CblasColMajor, CblasNoTrans, CblasNoTrans, BOTH, BOTH, BOTH, 1, to, BOTH, to, BOTH, 0, next, BOTH);
    memcpy(to, next, sizeof *A * BOTH * BOTH);
  }
  free(term);
  free(keep);
}

typedef struct {
  double *dense[2];
  double  most, least; /* of what is unsure */
  int     columns;
} comparison;

static PetscErrorCode compare(
  void *to, PetscInt i, PetscInt source, double unsure, const double P[], const double *const dP[])
{
  comparison *c = to;

  (void)i;
  for (PetscInt cell = 0; cell < CELLS; cell++) {
    assert_true(fabs(P[cell] - c->dense[0][source * BOTH + cell]) < 1e-4 * unsure + 1e-13);
    for (int k = 0; k < 2; k++)
      assert_true(fabs(dP[k][cell] - c->dense[k][source * BOTH + CELLS + cell]) < 1e-3 * unsure + 1e-13);
  }
  c->most  = fmax(c->most, unsure);
  c->least = fmin(c->least, unsure);
  c->columns++;
  return 0;
}

/* At a turn of 6 the series grows out of hand, so that columns come about by other means. */
static void columns_agree_with_dense_exponentials(void **state)
{
  const double rotation[] = {0, 1, 6};
  double      *A          = malloc(sizeof *A * BOTH * BOTH);
  PetscInt     all[CELLS];
  fare_config *config;
  fare_system *system;

  (void)state;
  for (PetscInt i = 0; i < CELLS; i++) all[i] = i;
  for (int turn = 0; turn < 3; turn++) {
    fare_model *m = make_model(rotation[turn], &config, &system);
    comparison  c = {.least = HUGE_VAL};

    assert_true(m->fastest * LAG > 30);
    for (int k = 0; k < 2; k++) {
      c.dense[k] = malloc(sizeof *A * BOTH * BOTH);
      make_dense(m, k, A);
      exponentiate(A, LAG, c.dense[k]);
    }
    assert_int_equal(fare_columns(m, LAG, PETSC_TRUE, CELLS, all, compare, &c), 0);
    assert_int_equal(c.columns, CELLS);
    assert_true(turn == 2 ? c.most == 0 : c.least > 0 && c.most < 1e-8);
    for (int k = 0; k < 2; k++) free(c.dense[k]);
    fare_model_destroy(&m);
    fare_system_destroy(&system);
    fare_config_destroy(&config);
  }
  free(A);
}

/* f = x^3 y^2 of positions in cells, from nodes 3 and 2 cells apart; and a wave along a ring. */
static void lattices_are_exact_for_cubics(void **state)
{
  const double   lower[] = {0, 0}, upper[] = {50, 48};
  const PetscInt cells[] = {50, 48}, stride[] = {3, 2};
  fare_boundary  boundary[] = {FARE_BOUNDARY_REFLECTING, FARE_BOUNDARY_PERIODIC};
  fare_grid     *g;

  (void)state;
  assert_int_equal(fare_grid_create(PETSC_COMM_SELF, 2, cells, lower, upper, boundary, &g), 0);
  for (int i = 0; i < 2000; i++) {
    const double x[]   = {50 * (rand() / (double)RAND_MAX), 48 * (rand() / (double)RAND_MAX)},
                 exact = pow(x[0] / 50, 3), wave = sin(2 * M_PI * x[1] / 48);
    PetscInt cell[FARE_STENCIL_MAX];
    double   weight[FARE_STENCIL_MAX], cubic = 0, sine = 0;

    assert_int_equal(fare_lattice_stencil(g, stride, x, cell, weight), 16);
    for (int k = 0; k < 16; k++) {
      double at[2];

      assert_true(cell[k] >= 0 && cell[k] < 50 * 48 && cell[k] / 50 % 2 == 0);
      fare_cell_centre(g, cell[k], at);
      cubic += weight[k] * pow(at[0] / 50, 3);
      sine += weight[k] * sin(2 * M_PI * at[1] / 48);
    }
    assert_true(fabs(cubic - exact) < 1e-12);
    assert_true(fabs(sine - wave) < 3.0 / 128 * pow(2 * M_PI * 2 / 48, 4));
  }
  assert_int_equal(fare_lattice_stride(g, 0, 3.9), 3);
  assert_int_equal(fare_lattice_stride(g, 0, 40), 3);  /* 16 nodes stay */
  assert_int_equal(fare_lattice_stride(g, 1, 2.9), 2); /* twice as far apart they still fit the ring */
  assert_int_equal(fare_lattice_stride(g, 1, 0.1), 1);
  fare_grid_destroy(&g);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(columns_agree_with_dense_exponentials),
  cmocka_unit_test(lattices_are_exact_for_cubics),
};
FARE_TEST_MAIN(tests)
