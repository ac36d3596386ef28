/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The bound of full control on several axes, from its dual: for any function g, and with the cost c(x, y) =
  |x - y|^2/(mobility duration),

    min over rho of W + kT KL(rho || p_1) >= sum_x p_0(x) min_y [c(x, y) - g(y)] - kT ln sum_y p_1(y)
  exp(-g(y)/kT),

  with equality for the best g. That is sought with entropy e, which makes minima soft (Peyre, SIAM J. Imaging
  Sci. 8, 2323 (2015)):

    f(x) = -e ln sum_y p_1 exp((g - c)/e),   s(y) = -e ln sum_x p_0 exp((f - c)/e),   g = s kT/(kT + e),

  again and again, with e falling. What counts is the inequality, without entropy, for the g that is found: so
  that a g that is not the best makes the bound low, never high. Sums and minima go axis by axis. Masses lie
  at the centres of a mesh, so that the inequality is that of the mesh: beside the bound of the continuum it
  may err to either side. Half as many cells tell what that changes.
*/
#include "response.h"

#include <math.h>

#define TAIL     1e-9 /* of the mass, that is cut off at each end of an axis */
#define SOFT     1.0  /* first entropy, of kT; then half of it, ... */
#define SHARP    0.03 /* the last one */
#define ROUNDS   4    /* kT/e of them, and a few, for each */
#define FEW      3
#define NOTHING  40 /* nats below the largest term: does not count */
#define FINEST_2 64 /* cells per axis, of two axes and of three */
#define FINEST_3 24

typedef struct {
  int     dim, cells[FARE_DIM_MAX];
  size_t  all;
  double  kT, stiffness, lower[FARE_DIM_MAX], h[FARE_DIM_MAX];
  double *first, *last; /* ln of masses */
  double *f, *g, *work;
} mesh;

/* ln of masses of Boltzmann, by three Gauss points per axis in each cell. */
static void find_masses(const mesh *m, const fare_system *system, double mass[])
{
  static const double place[]  = {0.1127016653792583, 0.5, 0.8872983346207417},
                      weight[] = {5. / 18, 8. / 18, 5. / 18};
  int    points                = 1;
  double least = HUGE_VAL, sum = 0;

  for (int axis = 0; axis < m->dim; axis++) points *= 3;
  for (int pass = 0; pass < 2; pass++) {
    for (size_t i = 0; i < m->all; i++) {
      double part = 0;

      for (int q = 0; q < points; q++) {
        double        x[FARE_DIM_MAX], w = 1, V;
        const double *at[FARE_DIM_MAX];
        size_t        rest = i;

        for (int axis = 0, p = q; axis < m->dim; rest /= (size_t)m->cells[axis++], p /= 3) {
          x[axis]  = m->lower[axis] + m->h[axis] * ((double)(rest % (size_t)m->cells[axis]) + place[p % 3]);
          at[axis] = &x[axis];
          w *= weight[p % 3];
        }
        fare_system_potential(system, 0, 1, at, &V);
        least = pass ? least : PetscMin(least, V);
        part += pass ? w * exp(-(V - least) / m->kT) : 0;
      }
      mass[i] = part;
      sum += part;
    }
  }
  for (size_t i = 0; i < m->all; i++) mass[i] = log(PetscMax(1e-300, mass[i] / sum));
}

/* Along an axis: ln sum_j exp(a_j - factor (j - i)^2) for each i; hard: the largest of those instead. */
static void pass(const mesh *m, int axis, double factor, PetscBool hard, const double a[], double to[])
{
  const int n      = m->cells[axis];
  size_t    stride = 1;

  for (int k = 0; k < axis; k++) stride *= (size_t)m->cells[k];
  for (size_t at = 0; at < m->all; at++) {
    const int     i    = (int)(at / stride % (size_t)n);
    const double *line = a + (at - (size_t)i * stride);
    double        most = -HUGE_VAL, sum = 0;

    for (int j = 0; j < n; j++) most = PetscMax(most, line[(size_t)j * stride] - factor * (j - i) * (j - i));
    for (int j = 0; j < n && !hard; j++) {
      const double less = line[(size_t)j * stride] - factor * (j - i) * (j - i) - most;

      if (less > -NOTHING) sum += exp(less);
    }
    to[at] = hard ? most : most + log(sum);
  }
}

/* a becomes ln sum_y exp(a - c/e) of all axes; hard: the largest of a - c, e = 1. */
static void reach(const mesh *m, double e, PetscBool hard, double a[])
{
  for (int axis = 0; axis < m->dim; axis++) {
    pass(m, axis, m->stiffness * m->h[axis] * m->h[axis] / e, hard, a, m->work);
    for (size_t i = 0; i < m->all; i++) a[i] = m->work[i];
  }
}

static void soften(const mesh *m, double e)
{
  for (size_t i = 0; i < m->all; i++) m->f[i] = m->g[i] / e + m->last[i];
  reach(m, e, PETSC_FALSE, m->f);
  for (size_t i = 0; i < m->all; i++) m->f[i] = m->first[i] - m->f[i]; /* ln p_0 + f/e */
  reach(m, e, PETSC_FALSE, m->f);
  for (size_t i = 0; i < m->all; i++) m->g[i] = -e * m->f[i] * m->kT / (m->kT + e);
}

/* The bound of this g, and kT KL(rho || p_1) of the rho that belongs to it. */
static double value_of(const mesh *m, double *rest)
{
  double sum = 0, most = -HUGE_VAL, norm = 0, mean = 0;

  for (size_t i = 0; i < m->all; i++) m->f[i] = m->g[i];
  reach(m, 1, PETSC_TRUE, m->f);
  for (size_t i = 0; i < m->all; i++) {
    sum -= exp(m->first[i]) * m->f[i];
    most = PetscMax(most, m->last[i] - m->g[i] / m->kT);
  }
  for (size_t i = 0; i < m->all; i++) {
    const double part = exp(m->last[i] - m->g[i] / m->kT - most);

    norm += part;
    mean -= part * m->g[i];
  }
  *rest = mean / norm - m->kT * (most + log(norm));
  return sum - m->kT * (most + log(norm));
}

/* The box that holds the mass of both: marginals tell where it begins and ends. */
static PetscErrorCode narrow(mesh *m, double upper[])
{
  double lower[FARE_DIM_MAX];

  PetscFunctionBegin;
  for (int axis = 0; axis < m->dim; axis++) {
    const int n     = m->cells[axis];
    int       first = n, end = 0;
    double   *margin;

    PetscCall(PetscMalloc1(n, &margin));
    for (int of = 0; of < 2; of++) {
      const double *mass   = of ? m->last : m->first;
      size_t        stride = 1;
      double        below = 0, above = 0;
      int           low = 0, high = n;

      for (int k = 0; k < axis; k++) stride *= (size_t)m->cells[k];
      for (int i = 0; i < n; i++) margin[i] = 0;
      for (size_t i = 0; i < m->all; i++) margin[i / stride % (size_t)n] += exp(mass[i]);
      while (low < n - 1 && below + margin[low] < TAIL) below += margin[low++];
      while (high > low + 1 && above + margin[high - 1] < TAIL) above += margin[--high];
      first = PetscMin(first, low);
      end   = PetscMax(end, high);
    }
    PetscCall(PetscFree(margin));
    lower[axis] = m->lower[axis] + m->h[axis] * first;
    upper[axis] = m->lower[axis] + m->h[axis] * end;
  }
  for (int axis = 0; axis < m->dim; axis++) m->lower[axis] = lower[axis];
  PetscFunctionReturn(0);
}

static PetscErrorCode begin(mesh *m, int cells, const double upper[])
{
  PetscFunctionBegin;
  m->all = 1;
  for (int axis = 0; axis < m->dim; axis++) {
    m->cells[axis] = cells;
    m->h[axis]     = (upper[axis] - m->lower[axis]) / cells;
    m->all *= (size_t)cells;
  }
  PetscCall(
    PetscMalloc5(m->all, &m->first, m->all, &m->last, m->all, &m->f, m->all, &m->g, m->all, &m->work));
  PetscFunctionReturn(0);
}

/* On so many cells per axis. *soft: what the last halving of the entropy changed. */
static PetscErrorCode solve_on(const mesh *of, const fare_system *first, const fare_system *last, int cells,
  const double upper[], fare_transport_bound *bound, double *soft)
{
  mesh   m = *of;
  double before, rest = 0;

  PetscFunctionBegin;
  PetscCall(begin(&m, cells, upper));
  find_masses(&m, first, m.first);
  find_masses(&m, last, m.last);
  for (size_t i = 0; i < m.all; i++) m.g[i] = 0;
  bound->value = 0;
  for (double e = SOFT * m.kT; e >= SHARP * m.kT; e *= 0.5) {
    for (int round = 0; round < ROUNDS * m.kT / e + FEW; round++) soften(&m, e);
    before       = bound->value;
    bound->value = value_of(&m, &rest);
    *soft        = fabs(bound->value - before);
  }
  bound->moved = PetscMax(0, bound->value - rest);
  PetscCall(PetscFree5(m.first, m.last, m.f, m.g, m.work));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_transport_dual_solve(const fare_grid *grid, const fare_system *first,
  const fare_system *last, double stiffness, fare_transport_bound *bound)
{
  const int            finest = grid->dim > 2 ? FINEST_3 : FINEST_2;
  mesh                 m      = {.dim = grid->dim, .kT = fare_system_kT(first, 0), .stiffness = stiffness};
  double               upper[FARE_DIM_MAX], soft;
  fare_transport_bound wide;

  PetscFunctionBegin;
  for (int axis = 0; axis < m.dim; axis++) {
    m.lower[axis] = grid->lower[axis];
    upper[axis]   = grid->upper[axis];
  }
  PetscCall(begin(&m, finest, upper));
  find_masses(&m, first, m.first);
  find_masses(&m, last, m.last);
  PetscCall(narrow(&m, upper));
  PetscCall(PetscFree5(m.first, m.last, m.f, m.g, m.work));
  PetscCall(solve_on(&m, first, last, finest / 2, upper, &wide, &soft));
  PetscCall(solve_on(&m, first, last, finest, upper, bound, &soft));
  bound->error = fabs(bound->value - wide.value) / 3 + soft;
  bound->value = PetscMax(0, bound->value);
  PetscFunctionReturn(0);
}
