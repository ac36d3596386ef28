/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Paths of the chain x += f dt + sqrt(2 D dt) z (Maruyama, Rend. Circ. Mat. Palermo 4, 48 (1955)), some side
  by side so that forces are evaluated together. A path takes its own random numbers, some at a time,
  which depend on nothing but its name. Forces are evaluated for whole vectors, so that the bits of a path do
  not depend on those beside it either.
*/
#include "rare/rare.h"

#include <math.h>
#include <string.h>

#define LANES 32
#define WHOLE 8  /* lanes of a vector: loops over so many leave none to scalar code */
#define BORN  28 /* bits of the number of a counter; the generation stands above them */

const char *const fare_crossings[] = {[FARE_CROSSING_STEP] = "step", [FARE_CROSSING_BRIDGE] = "bridge", NULL};

typedef struct {
  const fare_walk         *walk;
  const fare_rare_context *context;
  const fare_system_type  *type;
  int                      dim, lanes;
  PetscBool                driven, bridge;
  double                   theta[FARE_PARAMETERS_MAX]; /* where nothing is driven */
  fare_path               *path[LANES];
  size_t                   index[LANES];
  int64_t                  taken; /* steps, of all */
  double                   x[FARE_DIM_MAX][LANES] FARE_ALIGNED, f[FARE_DIM_MAX][LANES] FARE_ALIGNED,
    D[FARE_DIM_MAX][LANES] FARE_ALIGNED;
  int    shelf[LANES];                                      /* where its random numbers lie */
  double z[LANES][FARE_DIM_MAX + 1][FARE_FEW] FARE_ALIGNED; /* the last row: uniform numbers of bridges */
} lanes;

fare_stream fare_rare_stream(const fare_rare_context *context, int64_t run, const char *purpose)
{
  char name[160];

  snprintf(name, sizeof name, "rare/%s/%lld/%s", context->name, (long long)run, purpose);
  return fare_stream_make(context->seed, name);
}

fare_path fare_path_begin(const fare_rare_context *context, uint32_t slot)
{
  fare_path path = {.slot = slot, .end = FARE_PATH_GOES_ON};

  for (int axis = 0; axis < context->grid->dim; axis++) path.x[axis] = context->event->start[axis];
  return path;
}

double fare_bridge_probability(const fare_rare_context *context, const fare_region *region,
  const double from[], const double to[], const double D[])
{
  double most = 0;

  for (size_t face = 0; face < 2 * (size_t)region->dim * region->boxes; face++) {
    const int     axis  = (int)(face / 2) % region->dim;
    const double *lower = region->lower + face / 2 / (size_t)region->dim * (size_t)region->dim,
                 *upper = region->upper + (lower - region->lower);
    const double period = context->grid->boundary[axis] == FARE_BOUNDARY_PERIODIC
      ? context->grid->upper[axis] - context->grid->lower[axis]
      : 0;

    for (int image = period > 0 ? -1 : 0; image <= (period > 0); image++) {
      const double side = face % 2 ? -1 : 1, at = (face % 2 ? upper[axis] : lower[axis]) + image * period,
                   before = side * (at - from[axis]), after = side * (at - to[axis]);
      int within = before > 0 && after > 0;

      for (int other = 0; other < region->dim && within; other++) {
        const double x = from[other] + (to[other] - from[other]) * before / (before + after);

        within = other == axis || (x >= lower[other] && x <= upper[other]);
      }
      if (within) most = PetscMax(most, exp(-before * after / (D[axis] * context->dt)));
    }
  }
  return most;
}

/* Where a path stands behind a step. */
static fare_path_end end_of(const lanes *s, int lane, const double from[], const fare_path *path)
{
  const fare_rare_context *c = s->context;

  if (fare_region_has(&c->event->b, path->x)) return FARE_PATH_IN_B;
  if (c->event->a.boxes && fare_region_has(&c->event->a, path->x)) return FARE_PATH_IN_A;
  if (s->bridge) {
    const double D[FARE_DIM_MAX] = {s->D[0][lane], s->D[1][lane], s->D[2][lane]},
                 u               = s->z[s->shelf[lane]][s->dim][(path->step - path->born - 1) % FARE_FEW],
                 b               = fare_bridge_probability(c, &c->event->b, from, path->x, D),
                 a               = fare_bridge_probability(c, &c->event->a, from, path->x, D);

    if (u < b) return FARE_PATH_IN_B;
    if (u < b + a) return FARE_PATH_IN_A;
  }
  return path->step == c->steps ? FARE_PATH_LATE : FARE_PATH_GOES_ON;
}

/* Normals of the next steps of a path. */
static void draw(lanes *s, int lane)
{
  const fare_path *path    = s->path[lane];
  const uint64_t   counter = (uint64_t)(path->step - path->born) / FARE_FEW,
                 at        = (uint64_t)path->generation << BORN | counter;
  const int64_t until = s->walk->until, last = until - path->step + (path->step - path->born) % FARE_FEW;
  const int     count  = until < 0 ? FARE_FEW : (int)PetscMin(FARE_FEW, last);
  double(*z)[FARE_FEW] = s->z[s->shelf[lane]];

  for (int axis = 0; axis < s->dim; axis++)
    fare_random_few_normals(s->walk->noise, path->slot, at, (uint32_t)axis, count, z[axis]);
  if (s->bridge) fare_random_few_uniforms(s->walk->noise, path->slot, at, (uint32_t)s->dim, count, z[s->dim]);
}

/* Drift and diffusion of lanes from..to-1, of the same parameters: those of whole vectors. */
static void evaluate(lanes *s, const double *theta, int from, int to)
{
  double        at[3][FARE_DIM_MAX][LANES] FARE_ALIGNED;
  const double *x[FARE_DIM_MAX];
  double       *f[FARE_DIM_MAX], *D[FARE_DIM_MAX];
  const size_t  count = (size_t)(to - from), whole = (count + WHOLE - 1) / WHOLE * WHOLE;

  for (int axis = 0; axis < s->dim; axis++) {
    x[axis] = at[0][axis];
    f[axis] = at[1][axis];
    D[axis] = at[2][axis];
    for (size_t i = 0; i < whole; i++) at[0][axis][i] = s->x[axis][from + (int)PetscMin(i, count - 1)];
  }
  fare_system_type_drift(s->type, s->dim, theta, whole, x, f);
  fare_system_type_diffusion(s->type, s->dim, theta, whole, x, D);
  for (int axis = 0; axis < s->dim; axis++) {
    memcpy(s->f[axis] + from, f[axis], count * sizeof(double));
    memcpy(s->D[axis] + from, D[axis], count * sizeof(double));
  }
}

static void evaluate_all(lanes *s)
{
  const fare_rare_context *c = s->context;
  double                   theta[FARE_PARAMETERS_MAX];

  for (int lane = 0, next; lane < s->lanes; lane = next) {
    const int64_t step = s->path[lane]->step;

    /* those of one time are evaluated together */
    for (next = lane + 1; next < s->lanes && (!s->driven || s->path[next]->step == step);) next++;
    if (s->driven && !c->theta) fare_system_parameters(c->system, fare_rare_time(c, step), theta);
    evaluate(s,
      !s->driven   ? s->theta
        : c->theta ? c->theta + (size_t)step * FARE_PARAMETERS_MAX
                   : theta,
      lane, next);
  }
}

/* The drift that is added, and what it does to the weight of the path (Girsanov; exact for this chain). */
static void steer(lanes *s, int lane)
{
  const fare_rare_context *c                = s->context;
  fare_path               *path             = s->path[lane];
  const int64_t            at               = (path->step - path->born) % FARE_FEW;
  const double             Ds[FARE_DIM_MAX] = {s->D[0][lane], s->D[1][lane], s->D[2][lane]};
  double                   u[FARE_DIM_MAX];

  s->walk->steer(s->walk->to, fare_rare_time(c, path->step), path->x, Ds, u);
  for (int axis = 0; axis < s->dim; axis++) {
    const double D = s->D[axis][lane];

    if (!(D > 0)) continue; /* where nothing diffuses nothing can be steered */
    s->f[axis][lane] += u[axis];
    path->log_weight -=
      u[axis] * s->z[s->shelf[lane]][axis][at] * sqrt(c->dt / (2 * D)) + u[axis] * u[axis] * c->dt / (4 * D);
  }
}

/* What brings a coordinate back into the box of a periodic axis. */
static double turns_of(const fare_grid *grid, int axis, double x)
{
  const double width = grid->upper[axis] - grid->lower[axis];

  if (grid->boundary[axis] != FARE_BOUNDARY_PERIODIC) return 0;
  return width * floor((x - grid->lower[axis]) / width);
}

/* One step of all lanes; false where a path has left all numbers. */
static PetscBool step(lanes *s)
{
  const fare_rare_context *c = s->context;
  double                  *x[FARE_DIM_MAX];
  PetscBool                finite = PETSC_TRUE;

  for (int lane = 0; lane < s->lanes; lane++) {
    if (!((s->path[lane]->step - s->path[lane]->born) % FARE_FEW)) draw(s, lane);
  }
  evaluate_all(s);
  for (int axis = 0; axis < s->dim; axis++) x[axis] = s->x[axis];
  for (int lane = 0; lane < s->lanes; lane++) {
    const fare_path *path = s->path[lane];
    const int64_t    at   = (path->step - path->born) % FARE_FEW;

    if (s->walk->steer) steer(s, lane);
    for (int axis = 0; axis < s->dim; axis++)
      s->x[axis][lane] +=
        s->f[axis][lane] * c->dt + sqrt(2 * s->D[axis][lane] * c->dt) * s->z[s->shelf[lane]][axis][at];
  }
  if (c->walls.dim && fare_walls_crossed(&c->walls, s->lanes, (const double *const *)x))
    fare_walls_fold(&c->walls, s->lanes, PETSC_FALSE, x, NULL);
  for (int lane = 0; lane < s->lanes; lane++) {
    fare_path *path = s->path[lane];
    double     from[FARE_DIM_MAX];

    for (int axis = 0; axis < s->dim; axis++) {
      const double turns = turns_of(c->grid, axis, s->x[axis][lane]);

      s->x[axis][lane] -= turns;
      from[axis]    = path->x[axis] - turns;
      path->x[axis] = s->x[axis][lane];
      if (!isfinite(path->x[axis])) finite = PETSC_FALSE;
    }
    path->step++;
    s->taken++;
    path->end = end_of(s, lane, from, path);
    if (!s->walk->visit) continue;
    s->walk->visit(s->walk->to, s->index[lane], path);
    for (int axis = 0; axis < s->dim; axis++) s->x[axis][lane] = path->x[axis];
  }
  return finite;
}

static void enter(lanes *s, int lane, size_t i, fare_path *path)
{
  s->path[lane]  = path;
  s->index[lane] = i;
  for (int axis = 0; axis < s->dim; axis++) s->x[axis][lane] = path->x[axis];
  /* in the middle of some numbers */
  if ((path->step - path->born) % FARE_FEW) draw(s, lane);
}

/* The last lane takes the place of one that is done. */
static void leave(lanes *s, int lane)
{
  const int last = --s->lanes, shelf = s->shelf[lane];

  s->shelf[lane] = s->shelf[last];
  s->shelf[last] = shelf;
  s->path[lane]  = s->path[last];
  s->index[lane] = s->index[last];
  for (int axis = 0; axis < s->dim; axis++) s->x[axis][lane] = s->x[axis][last];
}

static void begin(lanes *s, const fare_walk *walk)
{
  const fare_rare_context *c = walk->context;

  s->walk    = walk;
  s->context = c;
  s->type    = fare_system_type_of(c->system);
  s->dim     = c->grid->dim;
  s->lanes   = 0;
  s->taken   = 0;
  s->driven  = fare_system_is_driven(c->system);
  s->bridge  = c->setting.chain.crossing == FARE_CROSSING_BRIDGE ? PETSC_TRUE : PETSC_FALSE;
  for (int lane = 0; lane < LANES; lane++) s->shelf[lane] = lane;
  fare_system_parameters(c->system, c->event->time, s->theta);
}

PetscErrorCode fare_paths_walk(
  const fare_walk *walk, size_t count, const size_t which[], fare_path path[], int64_t *steps)
{
  PetscBool finite = PETSC_TRUE;
  size_t    next   = 0;
  lanes    *s;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(1, &s)); /* large: not to be zeroed */
  begin(s, walk);
  while (finite) {
    for (int lane = s->lanes - 1; lane >= 0; lane--) {
      if (!fare_path_goes_on(s->path[lane], walk->until)) leave(s, lane);
    }
    for (; s->lanes < LANES && next < count; next++) {
      const size_t i = which ? which[next] : next;

      if (fare_path_goes_on(&path[i], walk->until)) enter(s, s->lanes++, i, &path[i]);
    }
    if (!s->lanes) break;
    finite = step(s);
  }
  *steps += s->taken;
  PetscCall(PetscFree(s));
  if (!finite)
    FARE_FAIL(
      FARE_ERR_FAILED, "a path has left all numbers: dt (%g) is too large for the drift", walk->context->dt);
  PetscFunctionReturn(0);
}
