/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The chain that is simulated, on one axis, exactly: its transition density is a Gaussian, seen in the mirrors
  of the box, and the probability q of the event solves q(x) = e(x) + int K(x,y) q(y) dy outside of both sets,
  where e is the probability to enter b by the next step. Nystroem's method (Atkinson, The Numerical Solution
  of Integral Equations of the Second Kind, 1997) with Gauss points in panels, and elimination without a
  subtraction (Grassmann, Taksar and Heyman, Oper. Res. 33, 1107 (1985)), so that q has its digits however
  small it is; with a deadline, step by step backward in time.
*/
#include "rare.h"

#include <petscdt.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define POINTS    16  /* of Gauss in a panel */
#define WIDTH     3.0 /* of a panel, in standard deviations of a step; 1.5 times as many tell the error */
#define COARSER   1.5
#define FAR       9.0 /* standard deviations beyond which the density is taken for zero */
#define WORK_MOST 4e9
#define LOOKS     4000
#define LOST_MOST 1e-6 /* of what leaves a state, that is found nowhere */

typedef struct {
  const fare_rare_context *c;
  const fare_event        *event;            /* of a rate without a */
  double                   low, high, width; /* the box */
  PetscBool                mirror[2], periodic;
  PetscInt                 n, band;      /* states; |i - j| beyond which K is 0, without a deadline */
  PetscInt                 stride;       /* most columns of a row */
  PetscInt                *first, *last; /* columns of each row, the last not included */
  double                  *x, *w;        /* nodes and weights */
  double                  *K;            /* [i * stride + j - first[i]] */
  double                  *hit, *lost, *steps;
  double                   astray; /* largest share of a step that is found nowhere, or twice */
} chain;

/* So that [j] is its column j. */
static double *row_of(const chain *p, PetscInt i)
{
  return p->K + (ptrdiff_t)i * p->stride - p->first[i];
}

static double normal_between(double low, double high, double sd)
{
  const double a = low / (sd * M_SQRT2), b = high / (sd * M_SQRT2);

  /* by the tail that does not cancel */
  return a > 0 ? 0.5 * (erfc(a) - erfc(b)) : b < 0 ? 0.5 * (erfc(-b) - erfc(-a)) : 0.5 * (erf(b) - erf(a));
}

/* What of a set lies within the box, as intervals that share no point: only there are paths. */
static PetscErrorCode clip(const chain *p, const fare_region *set, fare_region *into)
{
  PetscFunctionBegin;
  *into       = (fare_region){.dim = set->dim};
  into->lower = calloc(set->boxes + 1, sizeof *into->lower);
  into->upper = calloc(set->boxes + 1, sizeof *into->upper);
  if (!into->lower || !into->upper) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  for (size_t box = 0; box < set->boxes; box++) {
    double lower = PetscMax(p->low, set->lower[box]), upper = PetscMin(p->high, set->upper[box]);
    size_t apart = 0;

    if (!(lower < upper)) continue;
    for (size_t k = 0; k < into->boxes; k++) {
      const double from = into->lower[k], to = into->upper[k];

      if (to < lower || from > upper) {
        into->lower[apart]   = from;
        into->upper[apart++] = to;
      } else {
        lower = PetscMin(lower, from);
        upper = PetscMax(upper, to);
      }
    }
    into->lower[apart] = lower;
    into->upper[apart] = upper;
    into->boxes        = apart + 1;
  }
  PetscFunctionReturn(0);
}

/* Where y is seen from outside of the box: images[0] is y itself. */
static int images_of(const chain *p, double y, double images[3])
{
  int count = 1;

  images[0] = y;
  if (p->periodic) {
    images[count++] = y - p->width;
    images[count++] = y + p->width;
  }
  if (p->mirror[0]) images[count++] = 2 * p->low - y;
  if (p->mirror[1]) images[count++] = 2 * p->high - y;
  return count;
}

/* The mass that a Gaussian leaves in a set. */
static double mass_in(const chain *p, const fare_region *set, double mean, double sd)
{
  double sum = 0;

  for (size_t box = 0; box < set->boxes; box++) {
    double lower[3], upper[3];
    int    count;

    count = images_of(p, set->lower[box], lower);
    images_of(p, set->upper[box], upper);
    for (int k = 0; k < count; k++)
      sum += normal_between(PetscMin(lower[k], upper[k]) - mean, PetscMax(lower[k], upper[k]) - mean, sd);
  }
  return sum;
}

/* The first node that is not below y. */
static PetscInt node_above(const chain *p, double y)
{
  PetscInt low = 0, high = p->n;

  while (low < high) {
    const PetscInt middle = (low + high) / 2;

    if (p->x[middle] < y)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

/* Nodes that a Gaussian comes to, seen in mirrors, too. */
static void find_window(const chain *p, double mean, double sd, PetscInt *first, PetscInt *last)
{
  double centre[3];

  *first = p->n;
  *last  = 0;
  for (int k = images_of(p, mean, centre) - 1; k >= 0; k--) {
    const PetscInt low = node_above(p, centre[k] - FAR * sd), high = node_above(p, centre[k] + FAR * sd);

    if (low == high) continue;
    *first = PetscMin(*first, low);
    *last  = PetscMax(*last, high);
  }
  *first = PetscMin(*first, *last);
  *last  = PetscMin(*last, *first + p->stride);
}

/*
  One step from x at a time: to nodes, as densities times weights, to[0] being that of `first`; to b, and to
  a. Without a deadline, columns are given: elimination fills them.
*/
static void step_from(chain *p, double t, double x, PetscBool given, PetscInt *first, PetscInt *last,
  double to[], double *hit, double *lost)
{
  const double *at[1] = {&x};
  double        f, D, *fs[1] = {&f}, *Ds[1] = {&D}, mean, sd, sum;

  fare_system_drift(p->c->system, t, 1, at, fs);
  fare_system_diffusion(p->c->system, t, 1, at, Ds);
  mean  = x + f * p->c->dt;
  sd    = sqrt(2 * D * p->c->dt);
  *hit  = mass_in(p, &p->event->b, mean, sd);
  *lost = mass_in(p, &p->event->a, mean, sd);
  sum   = *hit + *lost;
  if (!given) find_window(p, mean, sd, first, last);
  for (PetscInt j = *first; j < *last; j++) {
    double images[3], density = 0, a = 0, b = 0;

    for (int k = images_of(p, p->x[j], images) - 1; k >= 0; k--)
      density += exp(-0.5 * PetscSqr((images[k] - mean) / sd));
    density *= p->w[j] / (sd * sqrt(2 * M_PI));
    sum += density;
    if (density > 0 && p->c->setting.chain.crossing == FARE_CROSSING_BRIDGE) {
      b = fare_bridge_probability(p->c, &p->event->b, &x, &p->x[j], &D);
      a = PetscMin(1 - b, fare_bridge_probability(p->c, &p->event->a, &x, &p->x[j], &D));
    }
    *hit += density * b;
    *lost += density * a;
    to[j - *first] = density * (1 - a - b);
  }
  p->astray = PetscMax(p->astray, fabs(sum - 1));
}

static void fill(chain *p, double t)
{
  for (PetscInt i = 0; i < p->n; i++) {
    p->first[i] = PetscMax(0, i - p->band);
    p->last[i]  = PetscMin(p->n, i + p->band + 1);
    p->steps[i] = 1;
    step_from(p, t, p->x[i], p->c->steps < 0 ? PETSC_TRUE : PETSC_FALSE, &p->first[i], &p->last[i],
      p->K + (size_t)i * (size_t)p->stride, &p->hit[i], &p->lost[i]);
  }
}

/* Elimination from the last state to the first, then q in place of `hit` and mean steps in theirs. */
static void eliminate(chain *p)
{
  double *out = p->w; /* weights are in K */

  for (PetscInt k = p->n - 1; k >= 0; k--) {
    const PetscInt first = PetscMax(0, k - p->band);
    const double  *from  = row_of(p, k);

    out[k] = p->hit[k] + p->lost[k];
    for (PetscInt j = first; j < k; j++) out[k] += from[j];
    for (PetscInt i = first; i < k; i++) {
      double      *to    = row_of(p, i);
      const double share = to[k] / out[k];

      if (share == 0) continue;
      for (PetscInt j = first; j < k; j++) to[j] += share * from[j];
      p->hit[i] += share * p->hit[k];
      p->lost[i] += share * p->lost[k];
      p->steps[i] += share * p->steps[k];
    }
  }
  for (PetscInt k = 0; k < p->n; k++) {
    const double *from = row_of(p, k);

    for (PetscInt j = PetscMax(0, k - p->band); j < k; j++) {
      p->hit[k] += from[j] * p->hit[j];
      p->steps[k] += from[j] * p->steps[j];
    }
    p->hit[k] /= out[k];
    p->steps[k] /= out[k];
  }
}

/* Expectations one step earlier: new = own + K old. */
static void carry(const chain *p, const double own[], const double old[], double to[])
{
  for (PetscInt i = 0; i < p->n; i++) {
    const double *K = row_of(p, i);

    to[i] = own[i];
    for (PetscInt j = p->first[i]; j < p->last[i]; j++) to[i] += K[j] * old[j];
  }
}

/* q and mean steps at step 1, in place of `hit` and `steps`. */
static PetscErrorCode go_back(chain *p)
{
  const PetscBool driven = fare_system_is_driven(p->c->system);
  double         *q, *steps, *next, *spare;

  PetscFunctionBegin;
  PetscCall(PetscCalloc4(p->n, &q, p->n, &steps, p->n, &next, p->n, &spare));
  for (int64_t k = p->c->steps - 1; k >= 1; k--) {
    if (driven || k == p->c->steps - 1) fill(p, fare_rare_time(p->c, k));
    carry(p, p->hit, q, next);
    memcpy(q, next, (size_t)p->n * sizeof *q);
    carry(p, p->steps, steps, next);
    memcpy(steps, next, (size_t)p->n * sizeof *q);
  }
  memcpy(p->hit, q, (size_t)p->n * sizeof *q);
  memcpy(p->steps, steps, (size_t)p->n * sizeof *q);
  PetscCall(PetscFree4(q, steps, next, spare));
  PetscFunctionReturn(0);
}

/* Where the first set at or above x begins, or the box ends; and where the sets that hold x end. */
static double next_edge(const chain *p, double x, PetscBool *inside)
{
  const fare_region *sets[] = {&p->event->a, &p->event->b};
  double             edge   = p->high;

  *inside = PETSC_FALSE;
  for (int k = 0; k < 2; k++) {
    for (size_t box = 0; box < sets[k]->boxes; box++) {
      if (sets[k]->lower[box] <= x && x < sets[k]->upper[box]) {
        *inside = PETSC_TRUE;
        return PetscMin(p->high, sets[k]->upper[box]);
      }
      if (sets[k]->lower[box] > x) edge = PetscMin(edge, sets[k]->lower[box]);
    }
  }
  return edge;
}

/* Least and largest standard deviation of a step, and the largest drift over one. */
static void look(const chain *p, double *least, double *most, double *drift)
{
  *least = HUGE_VAL;
  *most = *drift = 0;
  for (int k = 0; k <= LOOKS; k++) {
    const double  x = p->low + p->width * k / LOOKS, *at[1] = {&x};
    double        f, D, *fs[1] = {&f}, *Ds[1] = {&D};
    const int64_t steps = PetscMax(1, p->c->steps);
    const double  t     = fare_rare_time(p->c, steps * k / LOOKS);

    fare_system_drift(p->c->system, t, 1, at, fs);
    fare_system_diffusion(p->c->system, t, 1, at, Ds);
    *least = PetscMin(*least, sqrt(2 * D * p->c->dt));
    *most  = PetscMax(*most, sqrt(2 * D * p->c->dt));
    *drift = PetscMax(*drift, fabs(f) * p->c->dt);
  }
}

/* Nodes between all sets, in panels at most `width` wide. */
static PetscErrorCode place_nodes(chain *p, double width)
{
  double   g[POINTS], v[POINTS];
  PetscInt room = (PetscInt)ceil(p->width / width) * POINTS +
    (PetscInt)(p->event->a.boxes + p->event->b.boxes + 1) * POINTS;

  PetscFunctionBegin;
  PetscCall(PetscDTGaussQuadrature(POINTS, -1, 1, g, v));
  PetscCall(PetscMalloc2(room, &p->x, room, &p->w));
  p->n = 0;
  for (double x = p->low; x < p->high;) {
    PetscBool    inside;
    const double edge   = next_edge(p, x, &inside);
    const int    panels = inside ? 0 : (int)ceil((edge - x) / width);

    for (int k = 0; k < panels; k++) {
      for (int i = 0; i < POINTS; i++) {
        const double half = 0.5 * (edge - x) / panels;

        p->x[p->n] = x + half * (2 * k + 1 + g[i]);
        p->w[p->n] = half * v[i];
        p->n++;
      }
    }
    x = edge;
  }
  PetscFunctionReturn(0);
}

/* The most nodes that lie within a length, behind the first. */
static PetscInt most_within(const chain *p, double length)
{
  PetscInt most = 1;

  for (PetscInt i = 0, j = 0; i < p->n; i++) {
    while (p->x[i] - p->x[j] > length) j++;
    most = PetscMax(most, i - j);
  }
  return most;
}

/* How far elimination has to look; with a deadline each row has the columns that its step comes to. */
static void find_room(chain *p, double most, double drift)
{
  p->band = most_within(p, FAR * most + drift);
  if (p->periodic) p->band = PetscMax(1, p->n - 1);
  p->stride = p->c->steps < 0 ? 2 * p->band + 1
    : p->periodic             ? p->n
                              : PetscMin(p->n, most_within(p, 2 * FAR * most) + 8);
}

static double work_of(const chain *p)
{
  const double cells = (double)p->n * (double)p->stride;

  if (p->c->steps < 0) return cells * (double)p->band + 20 * cells;
  return (double)p->c->steps * cells * (fare_system_is_driven(p->c->system) ? 20 : 2);
}

/* q and mean steps from the start; *done is false where it is too much work. */
static PetscErrorCode solve(chain *p, double panel, double *q, double *steps, PetscBool *done)
{
  double   least, most, drift, lost, *K;
  PetscInt first = 0, last;

  PetscFunctionBegin;
  look(p, &least, &most, &drift);
  p->astray = 0;
  *done     = PETSC_FALSE;
  if (!(least > 0) || p->width / (panel * least) > 1e5) PetscFunctionReturn(0);
  PetscCall(place_nodes(p, panel * least));
  find_room(p, most, drift);
  if (p->n > 0 && work_of(p) <= WORK_MOST) {
    PetscCall(PetscCalloc6((size_t)p->n * (size_t)p->stride, &p->K, p->n, &p->hit, p->n, &p->lost, p->n,
      &p->steps, p->n, &p->first, p->n, &p->last));
    PetscCall(PetscCalloc1(p->n, &K));
    last = p->n;
    if (p->c->steps < 0) fill(p, p->event->time);
    step_from(p, p->event->time, p->event->start[0], PETSC_TRUE, &first, &last, K, q, &lost);
    if (p->c->steps < 0)
      eliminate(p);
    else
      PetscCall(go_back(p));
    *steps = 1;
    for (PetscInt j = 0; j < p->n; j++) {
      *q += K[j] * p->hit[j];
      *steps += K[j] * p->steps[j];
    }
    PetscCall(PetscFree(K));
    PetscCall(PetscFree6(p->K, p->hit, p->lost, p->steps, p->first, p->last));
    if (p->c->setting.of == FARE_RARE_RATE) *q = 1 / (*steps * p->c->dt);
    /* after steps beyond a mirror's mirror, say, it is nobody's probability */
    *done = p->astray <= LOST_MOST && isfinite(*q) ? PETSC_TRUE : PETSC_FALSE;
  }
  PetscCall(PetscFree2(p->x, p->w));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_rare_chain_solve(
  const fare_rare_context *context, fare_rare_truth *truth, PetscBool *known)
{
  const fare_grid *grid  = context->grid;
  fare_event       event = *context->event;
  chain            p     = {.c = context,
                   .event      = &event,
                   .low        = grid->lower[0],
                   .high       = grid->upper[0],
                   .width      = grid->upper[0] - grid->lower[0],
                   .periodic   = grid->boundary[0] == FARE_BOUNDARY_PERIODIC ? PETSC_TRUE : PETSC_FALSE};
  double           fine, cost, coarse, steps;

  PetscFunctionBegin;
  *known = PETSC_FALSE;
  if (grid->dim != 1 || (p.periodic && context->setting.chain.crossing == FARE_CROSSING_BRIDGE))
    PetscFunctionReturn(0);
  for (int side = 0; side < 2; side++)
    p.mirror[side] = context->walls.dim && context->walls.at[0][side] == FARE_WALL_REFLECTING;
  PetscCall(clip(&p, &context->event->a, &event.a));
  PetscCall(clip(&p, &context->event->b, &event.b));
  if (context->setting.of == FARE_RARE_RATE) event.a.boxes = 0;
  PetscCall(solve(&p, WIDTH, &fine, &cost, known));
  if (*known) PetscCall(solve(&p, COARSER * WIDTH, &coarse, &steps, known));
  if (*known) {
    truth->chain       = fine;
    truth->chain_error = fabs(fine - coarse) + 1e-13 * fine;
    truth->path_cost   = cost;
  }
  fare_region_free(&event.a);
  fare_region_free(&event.b);
  PetscFunctionReturn(0);
}
