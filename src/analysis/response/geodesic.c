/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Geodesics of the friction tensor. Of one parameter the path is known, and its length is an integral. Of
  several, among the paths

    l(s) = from + s (to - from) + 4 s (1 - s) sum_k c_k P_k(2 s - 1),  s from 0 to 1,

  with Legendre polynomials P_k, the one of least energy, the integral of l' zeta l' over s: its speed is the
  same everywhere, and the energy is its length squared. PETSc's TAO looks for it, from the straight line and
  from lines that bend to either side.
*/
#include "response.h"

#include <petscdt.h>
#include <petsctao.h>

#include <math.h>

#define DEGREES 14 /* of freedom for each parameter; half as many at first */
#define PLACES  48 /* at which the energy is looked at */
#define PANELS  256
#define BEND    0.3  /* of the box, where a search begins */
#define BEYOND  1e-6 /* of the box, by which a path may leave it */
#define STEPS   1000 /* of a search */
#define HISTORY 40
#define SMALL   1e-9 /* gradients, of the energy */

typedef struct {
  const fare_geodesic_task *task;
  const fare_metric        *metric;
  int                       degrees;
  double                    place[PLACES], weight[PLACES], shape[PLACES][DEGREES], slope[PLACES][DEGREES];
} search;

/* 4 s (1 - s) P_k(2 s - 1), and its derivative by s. */
static void bend_at(double s, double shape[], double slope[])
{
  const double x = 2 * s - 1, bump = 1 - x * x;
  double       P = 1, before = 0, dP = 0, d_before = 0;

  for (int k = 0; k < DEGREES; k++) {
    const double next   = ((2 * k + 1) * x * P - k * before) / (k + 1),
                 d_next = ((2 * k + 1) * (P + x * dP) - k * d_before) / (k + 1);

    shape[k] = bump * P;
    slope[k] = 2 * (bump * dP - 2 * x * P);
    before = P, d_before = dP;
    P = next, dP = d_next;
  }
}

/* The path, c[k * parameters + i] in units of half of the box, at one place, and its derivative. */
static void path_at(const search *p, const double c[], double s, const double shape[], const double slope[],
  double l[], double v[])
{
  const fare_geodesic_task *task = p->task;
  const int                 d    = task->parameters;

  for (int i = 0; i < d; i++) {
    const double half = 0.5 * (task->upper[i] - task->lower[i]);

    v[i] = task->to[i] - task->from[i];
    l[i] = task->from[i] + s * v[i];
    for (int k = 0; k < p->degrees; k++) {
      l[i] += half * c[k * d + i] * shape[k];
      v[i] += half * c[k * d + i] * slope[k];
    }
  }
}

static PetscErrorCode evaluate(Tao tao, Vec path, PetscReal *value, Vec gradient, void *context)
{
  const search      *p = context;
  const int          d = p->task->parameters;
  const PetscScalar *c;
  PetscScalar       *to;

  PetscFunctionBegin;
  (void)tao;
  *value = 0;
  PetscCall(VecSet(gradient, 0));
  PetscCall(VecGetArrayRead(path, &c));
  PetscCall(VecGetArray(gradient, &to));
  for (int q = 0; q < PLACES; q++) {
    double l[FARE_FRICTION_MAX], v[FARE_FRICTION_MAX], by_l[FARE_FRICTION_MAX], by_v[FARE_FRICTION_MAX];

    path_at(p, c, p->place[q], p->shape[q], p->slope[q], l, v);
    *value += p->weight[q] * fare_metric_square(p->metric, l, v, by_l, by_v);
    for (int k = 0; k < p->degrees; k++) {
      for (int i = 0; i < d; i++)
        to[k * d + i] += p->weight[q] * 0.5 * (p->task->upper[i] - p->task->lower[i]) *
          (by_l[i] * p->shape[q][k] + by_v[i] * p->slope[q][k]);
    }
  }
  PetscCall(VecRestoreArray(gradient, &to));
  PetscCall(VecRestoreArrayRead(path, &c));
  PetscFunctionReturn(0);
}

/* Improves c of so many degrees, and gives its energy. */
static PetscErrorCode improve(search *p, int degrees, double c[], double *energy)
{
  Mat       memory;
  Tao       tao;
  PetscReal value;
  Vec       path;

  PetscFunctionBegin;
  p->degrees = degrees;
  PetscCall(VecCreateSeqWithArray(PETSC_COMM_SELF, 1, (PetscInt)(degrees * p->task->parameters), c, &path));
  PetscCall(TaoCreate(PETSC_COMM_SELF, &tao));
  PetscCall(TaoSetType(tao, TAOBQNLS));
  PetscCall(TaoSetSolution(tao, path));
  PetscCall(TaoSetObjectiveAndGradient(tao, NULL, evaluate, p));
  PetscCall(TaoGetLMVMMatrix(tao, &memory));
  PetscCall(MatLMVMSetHistorySize(memory, HISTORY));
  PetscCall(TaoSetTolerances(tao, 0, SMALL, 0));
  PetscCall(TaoSetMaximumIterations(tao, STEPS));
  PetscCall(TaoSetOptionsPrefix(tao, "analysis_friction_"));
  PetscCall(TaoSetFromOptions(tao));
  PetscCall(TaoSolve(tao));
  PetscCall(TaoGetSolutionStatus(tao, NULL, &value, NULL, NULL, NULL, NULL));
  *energy = value;
  PetscCall(TaoDestroy(&tao));
  PetscCall(VecDestroy(&path));
  PetscFunctionReturn(0);
}

/* c of the least energy that any search comes to. error: what doubling the degrees did to it. */
static PetscErrorCode find_path(search *p, double c[], double *energy, double *error)
{
  const int d = p->task->parameters;

  PetscFunctionBegin;
  *energy = HUGE_VAL;
  for (int start = 0; start <= 2 * d; start++) {
    double own[DEGREES * FARE_FRICTION_MAX] = {0}, coarse, fine;

    if (start) own[(start - 1) / 2] = start % 2 ? BEND : -BEND;
    PetscCall(improve(p, DEGREES / 2, own, &coarse));
    PetscCall(improve(p, DEGREES, own, &fine));
    if (!(fine < *energy)) continue;
    PetscCall(PetscArraycpy(c, own, DEGREES * d));
    *energy = fine;
    *error  = fabs(coarse - fine);
  }
  if (!isfinite(*energy)) FARE_FAIL(FARE_ERR_FAILED, "the search for a geodesic failed");
  PetscFunctionReturn(0);
}

static PetscErrorCode check_path(const search *p, const fare_system *system, const double l[])
{
  const fare_geodesic_task *task = p->task;

  PetscFunctionBegin;
  for (int i = 0; i < task->parameters; i++) {
    const double slack = BEYOND * (task->upper[i] - task->lower[i]);

    if (l[i] < task->lower[i] - slack || l[i] > task->upper[i] + slack)
      FARE_FAIL(FARE_ERR_FAILED,
        "the geodesic leaves the box of the parameters: it passes %s = %.6g, and the box is [%.6g, %.6g]; "
        "give 'lower' and 'upper' that are farther apart",
        fare_system_type_of(system)->parameters[task->parameter[i]].name, l[i], task->lower[i],
        task->upper[i]);
  }
  PetscFunctionReturn(0);
}

/* Length and energy up to the end of each panel, by 3 Gauss points in it. */
static PetscErrorCode measure(
  const search *p, const fare_system *system, const double c[], double length[PANELS + 1], double *energy)
{
  static const double place[]  = {0.1127016653792583, 0.5, 0.8872983346207417},
                      weight[] = {5. / 18, 8. / 18, 5. / 18};

  PetscFunctionBegin;
  length[0] = *energy = 0;
  for (int panel = 0; panel < PANELS; panel++) {
    length[panel + 1] = length[panel];
    for (int q = 0; q < 3; q++) {
      const double s = (panel + place[q]) / PANELS;
      double       shape[DEGREES], slope[DEGREES], l[FARE_FRICTION_MAX], v[FARE_FRICTION_MAX], square;

      bend_at(s, shape, slope);
      path_at(p, c, s, shape, slope, l, v);
      PetscCall(check_path(p, system, l));
      square = fare_metric_square(p->metric, l, v, NULL, NULL);
      length[panel + 1] += weight[q] / PANELS * sqrt(square);
      *energy += weight[q] / PANELS * square;
    }
  }
  PetscFunctionReturn(0);
}

/* The place at which so much of the length lies behind: Newton's rule within a panel. */
static double place_of(const search *p, const double c[], const double length[PANELS + 1], double part)
{
  const double wanted = part * length[PANELS];
  int          panel  = 0;
  double       s;

  while (panel < PANELS - 1 && length[panel + 1] < wanted) panel++;
  s = (panel + (wanted - length[panel]) / (length[panel + 1] - length[panel])) / PANELS;
  for (int round = 0; round < 3; round++) { /* by Simpson's rule from the end of the panel on */
    const double begin = (double)panel / PANELS, at[] = {begin, 0.5 * (begin + s), s};
    double       speed[3];

    for (int q = 0; q < 3; q++) {
      double shape[DEGREES], slope[DEGREES], l[FARE_FRICTION_MAX], v[FARE_FRICTION_MAX];

      bend_at(at[q], shape, slope);
      path_at(p, c, at[q], shape, slope, l, v);
      speed[q] = sqrt(fare_metric_square(p->metric, l, v, NULL, NULL));
    }
    s -= (length[panel] + (s - begin) * (speed[0] + 4 * speed[1] + speed[2]) / 6 - wanted) / speed[2];
  }
  return PetscMax(0, PetscMin(1, s));
}

static PetscErrorCode find_geodesic(
  const fare_geodesic_task *task, const fare_metric *metric, const fare_system *system, fare_geodesic *g)
{
  const int    d                              = task->parameters;
  const double share                          = 2 * metric->tail; /* of a tensor, and of energies */
  double       c[DEGREES * FARE_FRICTION_MAX] = {0}, length[PANELS + 1], energy, error = 0;
  search       p = {.task = task, .metric = metric};

  PetscFunctionBegin;
  PetscCall(PetscDTGaussQuadrature(PLACES, 0, 1, p.place, p.weight));
  for (int q = 0; q < PLACES; q++) bend_at(p.place[q], p.shape[q], p.slope[q]);
  PetscCall(measure(&p, system, c, length, &g->straight));
  if (d > 1) PetscCall(find_path(&p, c, &energy, &error));
  PetscCall(measure(&p, system, c, length, &energy));
  g->length = length[PANELS];
  if (d > 1) error += energy - g->length * g->length; /* none, at a speed that is the same everywhere */
  g->error[0] = 0.5 * share * g->length + 0.5 * error / g->length;
  g->error[1] = share * g->straight;
  for (int i = 0; i < g->points; i++) {
    const double s = place_of(&p, c, length, (double)i / (g->points - 1));
    double       shape[DEGREES], slope[DEGREES], v[FARE_FRICTION_MAX];

    bend_at(s, shape, slope);
    path_at(&p, c, s, shape, slope, g->value + i * d, v);
  }
  PetscFunctionReturn(0);
}

/* The tensor at all nodes, the first parameter fastest. */
static PetscErrorCode find_tensors(const fare_grid *grid, const fare_system *system, double t,
  const fare_geodesic_task *task, fare_geodesic *g)
{
  const int d = task->parameters;

  PetscFunctionBegin;
  for (size_t i = 0; i < g->nodes; i++) {
    double     *node = g->node + i * (size_t)d;
    size_t      rest = i;
    fare_solved solved;

    for (int k = 0; k < d; k++, rest /= (size_t)task->nodes)
      node[k] =
        fare_chebyshev_node(task->nodes, (int)(rest % (size_t)task->nodes), task->lower[k], task->upper[k]);
    PetscCall(fare_friction_solve(
      grid, system, t, d, task->parameter, node, g->tensor + i * (size_t)(d * d), &solved));
    g->residual = PetscMax(g->residual, solved.residual);
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_geodesic_solve(const fare_grid *grid, const fare_system *system, double t,
  const fare_geodesic_task *asked, fare_geodesic *g)
{
  const int          d     = asked->parameters;
  fare_geodesic_task task  = *asked;
  PetscBool          apart = PETSC_FALSE;
  fare_metric        metric;
  PetscErrorCode     code;

  PetscFunctionBegin;
  *g = (fare_geodesic){.parameters = d, .points = task.points, .nodes = 1};
  for (int k = 0; k < d; k++) {
    apart |= task.from[k] != task.to[k];
    g->nodes *= (size_t)task.nodes;
    if (d > 1) continue;
    task.lower[k] = PetscMin(task.from[k], task.to[k]);
    task.upper[k] = PetscMax(task.from[k], task.to[k]);
  }
  if (!apart) FARE_FAIL(FARE_ERR_INPUT, "a geodesic needs two ends that are apart");
  PetscCall(PetscMalloc3((size_t)(g->points * d), &g->value, g->nodes * (size_t)d, &g->node,
    g->nodes * (size_t)(d * d), &g->tensor));
  PetscCall(find_tensors(grid, system, t, &task, g));
  code = fare_metric_create(&task, g->tensor, &metric);
  if (!code) code = find_geodesic(&task, &metric, system, g);
  fare_metric_free(&metric);
  PetscFunctionReturn(code);
}

void fare_geodesic_free(fare_geodesic *g)
{
  (void)PetscFree3(g->value, g->node, g->tensor);
  *g = (fare_geodesic){0};
}
