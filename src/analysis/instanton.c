/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The most likely way from one point to another where noise is weak: the path of least geometric action

    S = int |x'| |f| - x' f,

  in coordinates in which noise is the same along all axes (Heymann and Vanden-Eijnden, Comm. Pure Appl.
  Math. 61, 1052 (2008)). A polyline of equal edges, f at their middles, is improved by PETSc's TAO (lmvm,
  which is L-BFGS with a line search: a few hundred unknowns whose second derivatives are dear), on a quarter,
  on half and on all of the edges, which tell the error. A path that a symmetry keeps on an axis may be no
  minimum, so that each search begins beside the straight line, on either side.
*/
#include "analysis.h"

#include <petsctao.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define STARTS_MAX (2 * (FARE_DIM_MAX - 1))
#define LEVELS     3
#define ASIDE      0.3   /* of the length: how far from the straight line searches begin */
#define HISTORY    40    /* pairs that TAO remembers */
#define MOST       20000 /* steps */
#define EVERY      50    /* steps, in which the action must still fall */
#define FALLS      1e-13 /* by so much of itself */
#define KINK       1e-4  /* of the largest force: a gradient that only a kink of |f| leaves, as at a saddle */
#define TINY       1e-300

typedef struct {
  const fare_node *from_node, *to_node;
  PetscInt64       nodes;
  fare_points      from, to;
} instanton;

#define AT(member) offsetof(instanton, member)
static const fare_field fields[] = {
  {"from", FARE_NODE, AT(from_node), NULL, 0, 0, NULL, "", "where the path begins: a list of coordinates"},
  {"to", FARE_NODE, AT(to_node), NULL, 0, 0, NULL, "", "where it ends"},
  {"nodes", FARE_INTEGER, AT(nodes), "200", 32, 4096, NULL, "",
    "edges of the finest path, a multiple of 4; half and a quarter of them tell the error"},
  FARE_FIELDS_END,
};

static void diffusion_at(const fare_system *system, double t, const double x[], double D[])
{
  const double *at[FARE_DIM_MAX] = {&x[0], &x[1], &x[2]};
  double *const to[FARE_DIM_MAX] = {&D[0], &D[1], &D[2]};

  fare_system_diffusion(system, t, 1, at, to);
}

/* Of both ends and of what lies between them. */
static PetscErrorCode check_diffusion(
  const instanton *s, const fare_node *node, const fare_analysis_context *context, double time)
{
  enum { PLACES = 17 };
  const double same                = 1e-10;
  double       first[FARE_DIM_MAX] = {0};

  PetscFunctionBegin;
  for (int i = 0; i < PLACES; i++) {
    double x[FARE_DIM_MAX] = {0}, D[FARE_DIM_MAX] = {0};

    for (int axis = 0; axis < context->dim; axis++)
      x[axis] = s->from.x[axis] + (s->to.x[axis] - s->from.x[axis]) * i / (PLACES - 1);
    diffusion_at(context->system, time, x, D);
    if (!i) memcpy(first, D, sizeof first);
    for (int axis = 0; axis < context->dim; axis++) {
      if (!(D[axis] > 0))
        FARE_REFUSE(node,
          "axis %s has no diffusion: paths are not free to go, and the action is not this one",
          fare_system_axis_name(context->system, axis));
      if (fabs(D[axis] - first[axis]) > same * first[axis])
        FARE_REFUSE(node, "diffusion along axis %s depends on position: weak noise must be uniform",
          fare_system_axis_name(context->system, axis));
    }
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode read_point(
  const fare_node *node, const fare_analysis_context *context, fare_points *point)
{
  PetscFunctionBegin;
  if (fare_node_kind_of(node) != FARE_NODE_LIST || fare_node_size(node) != (size_t)context->dim)
    FARE_REFUSE(node, "expected a point, a list of %d number%s", context->dim, context->dim > 1 ? "s" : "");
  point->x = calloc((size_t)context->dim, sizeof *point->x);
  if (!point->x) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  point->count = 1;
  for (int axis = 0; axis < context->dim; axis++)
    PetscCall(fare_node_real(fare_node_item(node, (size_t)axis), &point->x[axis]));
  PetscFunctionReturn(0);
}

static PetscErrorCode check(
  void *state, const fare_node *node, const fare_analysis_context *context, double time)
{
  instanton *s     = state;
  PetscBool  apart = PETSC_FALSE;

  PetscFunctionBegin;
  PetscCall(read_point(s->from_node, context, &s->from));
  PetscCall(read_point(s->to_node, context, &s->to));
  for (int axis = 0; axis < context->dim; axis++) apart |= s->from.x[axis] != s->to.x[axis];
  if (!apart) FARE_REFUSE(s->to_node, "the path must end elsewhere than it begins");
  if (s->nodes % 4)
    FARE_REFUSE(fare_node_find(node, "nodes"), "expected a multiple of 4, got %lld", (long long)s->nodes);
  PetscCall(check_diffusion(s, node, context, time));
  PetscFunctionReturn(0);
}

/* A search. Coordinates are those in which noise is alike: x_k = scale_k z_k. */
typedef struct {
  const fare_system *system;
  double             t, scale[FARE_DIM_MAX], from[FARE_DIM_MAX], to[FARE_DIM_MAX];
  int                dim, edges;
  double            *z;               /* [node * dim + axis], of edges + 1 nodes */
  double            *middle, *f, *df; /* [axis * edges + edge]; df: [(k * dim + axis) * edges + edge] */
  double             stiffness, step; /* of the penalty, and of differences: the same for all of a level */
  PetscInt           mark;            /* of `before`, the action and the penalty then */
  double             before;
  double             action, gradient; /* gradient: largest of its entries, with the penalty */
} search;

/* Drift at the middles, of which axis k, where it is not negative, is moved by `shift`. */
static void drift_at(search *p, int k, double shift, double f[])
{
  const double *x[FARE_DIM_MAX];
  double       *to[FARE_DIM_MAX];

  for (int axis = 0; axis < p->dim; axis++) {
    double *m = p->middle + axis * p->edges;

    for (int e = 0; e < p->edges; e++)
      m[e] = p->scale[axis] *
        (0.5 * (p->z[e * p->dim + axis] + p->z[(e + 1) * p->dim + axis]) + (axis == k ? shift : 0));
    x[axis]  = m;
    to[axis] = f + axis * p->edges;
  }
  fare_system_drift(p->system, p->t, (size_t)p->edges, x, to);
  for (int axis = 0; axis < p->dim; axis++) {
    for (int e = 0; e < p->edges; e++) f[axis * p->edges + e] /= p->scale[axis];
  }
}

/* f at the middles and its derivatives, by differences: the least value feels their error squared. */
static void look(search *p)
{
  const double step = p->step;
  const int    n    = p->dim * p->edges;

  for (int k = 0; k < p->dim; k++) {
    double *d = p->df + k * n;

    drift_at(p, k, -step, p->f);
    drift_at(p, k, step, d);
    for (int i = 0; i < n; i++) d[i] = (d[i] - p->f[i]) / (2 * step);
  }
  drift_at(p, -1, 0, p->f);
}

static double edge_of(const search *p, int e, double d[])
{
  double sum = 0;

  for (int axis = 0; axis < p->dim; axis++) {
    d[axis] = p->z[(e + 1) * p->dim + axis] - p->z[e * p->dim + axis];
    sum += d[axis] * d[axis];
  }
  return sqrt(sum) + TINY;
}

/* |d||f| - d f of one edge; its gradient, and that of the penalty for a length other than the mean. */
static double add_edge(const search *p, int e, double mean, double gradient[])
{
  double       d[FARE_DIM_MAX], size = 0, along = 0;
  const double length = edge_of(p, e, d);

  for (int axis = 0; axis < p->dim; axis++) {
    const double f = p->f[axis * p->edges + e];

    size += f * f;
    along += f * d[axis];
  }
  size = sqrt(size) + TINY;
  for (int k = 0; k < p->dim; k++) {
    const double by_edge =
      d[k] / length * (size + 2 * p->stiffness * (length - mean)) - p->f[k * p->edges + e];
    double by_middle = 0;

    for (int axis = 0; axis < p->dim; axis++)
      by_middle +=
        p->df[(k * p->dim + axis) * p->edges + e] * (p->f[axis * p->edges + e] / size * length - d[axis]);
    gradient[(e + 1) * p->dim + k] += by_edge + 0.5 * by_middle;
    gradient[e * p->dim + k] += -by_edge + 0.5 * by_middle;
  }
  return length * size - along;
}

static double length_of(const search *p)
{
  double length = 0, d[FARE_DIM_MAX];

  for (int e = 0; e < p->edges; e++) length += edge_of(p, e, d);
  return length;
}

/* p->action, and the penalty; gradient[] of all nodes. */
static double measure(search *p, double gradient[])
{
  const double mean    = length_of(p) / p->edges;
  double       penalty = 0, d[FARE_DIM_MAX];

  look(p);
  memset(gradient, 0, (size_t)(p->dim * (p->edges + 1)) * sizeof *gradient);
  p->action = 0;
  for (int e = 0; e < p->edges; e++) {
    const double apart = edge_of(p, e, d) - mean;

    p->action += add_edge(p, e, mean, gradient);
    penalty += p->stiffness * apart * apart;
  }
  return p->action + penalty;
}

static PetscErrorCode evaluate(Tao tao, Vec inner, PetscReal *value, Vec gradient, void *context)
{
  search            *p     = context;
  const PetscInt     count = (PetscInt)(p->dim * (p->edges - 1));
  const PetscScalar *from;
  PetscScalar       *to;
  double            *all;

  PetscFunctionBegin;
  (void)tao;
  PetscCall(PetscMalloc1(p->dim * (p->edges + 1), &all));
  PetscCall(VecGetArrayRead(inner, &from));
  PetscCall(PetscArraycpy(p->z + p->dim, from, count));
  PetscCall(VecRestoreArrayRead(inner, &from));
  *value = measure(p, all);
  PetscCall(VecGetArray(gradient, &to));
  PetscCall(PetscArraycpy(to, all + p->dim, count));
  PetscCall(VecRestoreArray(gradient, &to));
  PetscCall(VecNorm(gradient, NORM_INFINITY, &p->gradient));
  PetscCall(PetscFree(all));
  PetscFunctionReturn(0);
}

/* Gradients near the ends never are small beside rounding, so that what counts is whether the action falls.
 */
static PetscErrorCode judge(Tao tao, void *context)
{
  search   *p = context;
  PetscReal value;
  PetscInt  steps;

  PetscFunctionBegin;
  PetscCall(TaoGetSolutionStatus(tao, &steps, &value, NULL, NULL, NULL, NULL));
  if (steps >= MOST) PetscCall(TaoSetConvergedReason(tao, TAO_DIVERGED_MAXITS));
  if (steps && steps < p->mark + EVERY) PetscFunctionReturn(0);
  if (steps && p->before - value <= FALLS * fabs(value))
    PetscCall(TaoSetConvergedReason(tao, TAO_CONVERGED_USER));
  p->mark   = steps;
  p->before = value;
  PetscFunctionReturn(0);
}

static PetscErrorCode create_tao(search *p, Vec inner, Tao *tao)
{
  Mat memory;

  PetscFunctionBegin;
  PetscCall(TaoCreate(PETSC_COMM_SELF, tao));
  PetscCall(TaoSetType(*tao, TAOBQNLS));
  PetscCall(TaoSetSolution(*tao, inner));
  PetscCall(TaoSetObjectiveAndGradient(*tao, NULL, evaluate, p));
  PetscCall(TaoGetLMVMMatrix(*tao, &memory));
  PetscCall(MatLMVMSetHistorySize(memory, HISTORY));
  PetscCall(TaoSetMaximumIterations(*tao, MOST));
  PetscCall(TaoSetMaximumFunctionEvaluations(*tao, 2 * MOST));
  PetscCall(TaoSetConvergenceTest(*tao, judge, p));
  PetscCall(TaoSetOptionsPrefix(*tao, "analysis_instanton_"));
  PetscCall(TaoSetFromOptions(*tao));
  PetscFunctionReturn(0);
}

/* Improves p->z. A line search that finds nothing better has come to what rounding lets it see. */
static PetscErrorCode improve(search *p, PetscInt *steps)
{
  const PetscInt count = (PetscInt)(p->dim * (p->edges - 1));
  double         speed = 0;
  PetscInt       spent;
  double        *kept;
  Vec            inner;
  Tao            tao;

  PetscFunctionBegin;
  p->step = 1e-5 * length_of(p);
  look(p);
  for (int i = 0; i < p->dim * p->edges; i++) speed = PetscMax(speed, fabs(p->f[i]));
  p->stiffness = p->edges * speed / length_of(p);
  PetscCall(VecCreateSeqWithArray(PETSC_COMM_SELF, 1, count, NULL, &inner));
  PetscCall(PetscMalloc1(count, &kept));
  PetscCall(PetscArraycpy(kept, p->z + p->dim, count));
  PetscCall(VecPlaceArray(inner, kept));
  PetscCall(create_tao(p, inner, &tao));
  PetscCall(TaoSolve(tao));
  PetscCall(TaoGetIterationNumber(tao, &spent));
  *steps += spent;
  PetscCall(PetscArraycpy(p->z + p->dim, kept, count));
  PetscCall(TaoDestroy(&tao));
  PetscCall(VecResetArray(inner));
  PetscCall(VecDestroy(&inner));
  PetscCall(PetscFree(kept));
  PetscFunctionReturn(0);
}

static PetscErrorCode resize(search *p, int edges)
{
  PetscFunctionBegin;
  PetscCall(PetscFree4(p->z, p->middle, p->f, p->df));
  p->edges = edges;
  PetscCall(PetscMalloc4(p->dim * (edges + 1), &p->z, p->dim * edges, &p->middle, p->dim * edges, &p->f,
    p->dim * p->dim * edges, &p->df));
  PetscFunctionReturn(0);
}

/* A line that bends to one side along one axis: straight where there is no other. */
static void bend(search *p, int start)
{
  double length = 0, way[FARE_DIM_MAX], most = 0;
  int    main = 0, aside;

  for (int axis = 0; axis < p->dim; axis++) {
    way[axis] = p->to[axis] - p->from[axis];
    length += way[axis] * way[axis];
    if (fabs(way[axis]) > most) main = axis;
    most = PetscMax(most, fabs(way[axis]));
  }
  aside = p->dim > 1 ? (main + 1 + start / 2) % p->dim : 0;
  for (int n = 0; n <= p->edges; n++) {
    const double part = (double)n / p->edges;

    for (int axis = 0; axis < p->dim; axis++) p->z[n * p->dim + axis] = p->from[axis] + part * way[axis];
    if (p->dim > 1)
      p->z[n * p->dim + aside] += (start % 2 ? -1 : 1) * ASIDE * sqrt(length) * sin(M_PI * part);
  }
}

/* Twice as many edges on the same line. */
static PetscErrorCode halve_edges(search *p)
{
  const int before = p->edges;
  double   *z;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(p->dim * (before + 1), &z));
  PetscCall(PetscArraycpy(z, p->z, p->dim * (before + 1)));
  PetscCall(resize(p, 2 * before));
  for (int n = 0; n <= p->edges; n++) {
    for (int axis = 0; axis < p->dim; axis++)
      p->z[n * p->dim + axis] = 0.5 * (z[n / 2 * p->dim + axis] + z[(n + 1) / 2 * p->dim + axis]);
  }
  PetscCall(PetscFree(z));
  PetscFunctionReturn(0);
}

/* One search: the action on each level. */
static PetscErrorCode run_search(
  search *p, const instanton *s, int start, double action[LEVELS], PetscInt *steps)
{
  double *gradient;

  PetscFunctionBegin;
  PetscCall(resize(p, (int)(s->nodes >> (LEVELS - 1))));
  bend(p, start);
  for (int level = 0; level < LEVELS; level++) {
    if (level) PetscCall(halve_edges(p));
    PetscCall(improve(p, steps));
    PetscCall(PetscMalloc1(p->dim * (p->edges + 1), &gradient));
    (void)measure(p, gradient);
    p->gradient = 0;
    for (int i = p->dim; i < p->dim * p->edges; i++) p->gradient = PetscMax(p->gradient, fabs(gradient[i]));
    PetscCall(PetscFree(gradient));
    action[level] = p->action;
  }
  if (!isfinite(p->action))
    FARE_FAIL(
      FARE_ERR_FAILED, "instanton: the action is no number: the path leaves where the drift is known");
  PetscFunctionReturn(0);
}

/*
  Extrapolated where differences fall as they should, by 4; then the difference from what half of the edges
  give alike is the error, else that from the action on half of them.
*/
static double extrapolate(const double action[LEVELS], double *error)
{
  const double last = action[2] - action[1], before = action[1] - action[0], rounding = 1e-12;
  const double ratio = fabs(last) > rounding ? before / last : 4;

  if (ratio > 3 && ratio < 5) {
    *error = fabs(last + (last - before) / 3) + rounding;
    return action[2] + last / 3;
  }
  *error = PetscMax(fabs(last), fabs(before) / 4) + rounding;
  return action[2];
}

static void keep(
  const search *p, const double D, double action, double error, PetscInt steps, fare_findings *found)
{
  const double  exponent = action / (2 * D);
  fare_finding *f;
  double       *x = p->z;

  f =
    fare_found(found, "action", "least geometric action: the quasi-potential of a stable point", 1, &action);
  f->error[0] = error;
  f           = fare_found(found, "exponent", "action over 2D: rates fall as exp(-exponent)", 1, &exponent);
  f->error[0] = error / (2 * D);
  fare_found_number(found, "steps", "of the search", (double)steps);
  for (int n = 0; n <= p->edges; n++) {
    for (int axis = 0; axis < p->dim; axis++) x[n * p->dim + axis] *= p->scale[axis];
  }
  f        = fare_found_exact(found, "path", "its nodes", (size_t)p->edges + 1, (size_t)p->dim, x);
  f->curve = PETSC_TRUE;
}

static PetscErrorCode search_all(const instanton *s, search *p, double D, fare_findings *found)
{
  const int starts = PetscMax(1, 2 * (p->dim - 1));
  double    action[LEVELS], best = HUGE_VAL, error = NAN, minima[STARTS_MAX];
  PetscInt  steps = 0;
  search    kept;

  PetscFunctionBegin;
  for (int start = 0; start < starts; start++) {
    search other = *p;
    double own;

    other.z = other.middle = other.f = other.df = NULL;
    PetscCall(run_search(&other, s, start, action, &steps));
    minima[start] = extrapolate(action, &own);
    /* what moving a node by its edge might still give */
    if (other.gradient > KINK * other.stiffness * length_of(&other) / other.edges)
      own += other.gradient * length_of(&other) / other.edges;
    if (minima[start] < best) {
      if (start) PetscCall(PetscFree4(kept.z, kept.middle, kept.f, kept.df));
      kept  = other;
      best  = minima[start];
      error = own;
    } else {
      PetscCall(PetscFree4(other.z, other.middle, other.f, other.df));
    }
  }
  keep(&kept, D, best, error, steps, found);
  PetscCall(PetscFree4(kept.z, kept.middle, kept.f, kept.df));
  fare_found_exact(found, "minima", "action that each search has come to", (size_t)starts, 1, minima);
  PetscFunctionReturn(0);
}

/* Of no grid: wider ones find nothing else. */
static PetscErrorCode run(const void *state, const fare_grid *grid, const fare_system *system, double time,
  const fare_findings *like, fare_findings *found)
{
  const instanton *s               = state;
  search           p               = {.system = system, .t = time, .dim = grid->dim};
  double           D[FARE_DIM_MAX] = {0};

  PetscFunctionBegin;
  if (like) PetscFunctionReturn(0);
  diffusion_at(system, time, s->from.x, D);
  for (int axis = 0; axis < p.dim; axis++) {
    p.scale[axis] = sqrt(D[axis] / D[0]);
    p.from[axis]  = s->from.x[axis] / p.scale[axis];
    p.to[axis]    = s->to.x[axis] / p.scale[axis];
  }
  PetscCall(search_all(s, &p, D[0], found));
  PetscFunctionReturn(0);
}

static void destroy(void *state)
{
  instanton *s = state;

  fare_points_free(&s->from);
  fare_points_free(&s->to);
}

const fare_analysis_type fare_analysis_instanton = {
  .name = "instanton",
  .summary =
    "most likely path under weak noise, its action and the quasi-potential, with no potential needed",
  .reference = "Heymann and Vanden-Eijnden, Comm. Pure Appl. Math. 61, 1052 (2008)",
  .size      = sizeof(instanton),
  .fields    = fields,
  .check     = check,
  .run       = run,
  .destroy   = destroy,
};
