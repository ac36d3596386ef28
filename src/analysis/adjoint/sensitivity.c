/* SPDX-License-Identifier: BSD-2-Clause */
/*
  By how much what a drive leads to would change if the drive were another: the derivative by the value of
  each parameter at each time, and by constant parameters. Of a density it is a map: a row for each bin, whose
  probability is a mean like others.
*/
#include "analysis/analysis.h"

#include <fare/adjoint.h>

#include <math.h>
#include <string.h>

#define PIECES_MAX 1000
#define BINS_MAX   512

enum { OF_WORK, OF_DISSIPATION, OF_EVENT, OF_MOMENT, OF_OCCUPATION, OF_DENSITY };
static const char *const goals[] = {[OF_WORK] = "work",
  [OF_DISSIPATION]                            = "dissipation",
  [OF_EVENT]                                  = "event",
  [OF_MOMENT]                                 = "moment",
  [OF_OCCUPATION]                             = "occupation",
  [OF_DENSITY]                                = "density",
  NULL};

typedef struct {
  int              of;
  double           span;
  PetscInt64       pieces, steps, power, bins;
  char            *axis;
  const fare_node *names, *set_a, *set_b, *set_region, *at;
  fare_region      a, b, region;
  fare_points      point;
  int              along, parameters, parameter[FARE_PARAMETERS_MAX];
} sensitivity;

#define AT(member) offsetof(sensitivity, member)
static const fare_field fields[] = {
  {"of", FARE_CHOICE, AT(of), NULL, 0, 0, goals, "",
    "what is differentiated: mean work; dissipation, the work beyond the difference of free energies; the "
    "logarithm of the probability of an event; at the end: moment, the mean of a power of a coordinate, "
    "occupation, the probability of a region, or density, that along an axis"},
  {"span", FARE_REAL, AT(span), NULL, 1e-12, 1e12, NULL, "time", "duration of the drive, from time on"},
  {"parameters", FARE_NODE, AT(names), "", 0, 0, NULL, "",
    "list of parameters to differentiate by, driven or not; by default all that are driven"},
  {"a", FARE_NODE, AT(set_a), "", 0, 0, NULL, "", "of an event: the set to avoid; by default none"},
  {"b", FARE_NODE, AT(set_b), "", 0, 0, NULL, "", "of an event: the set to reach before the span is over"},
  {"point", FARE_NODE, AT(at), "", 0, 0, NULL, "",
    "of an event: where paths begin, a list of one point; by default in the Boltzmann density of time"},
  {"axis", FARE_STRING, AT(axis), "", 0, 0, NULL, "", "of the moment or the density; by default the first"},
  {"power", FARE_INTEGER, AT(power), "1", 1, 8, NULL, "", "of the moment"},
  {"region", FARE_NODE, AT(set_region), "", 0, 0, NULL, "", "of the occupation"},
  {"bins", FARE_INTEGER, AT(bins), "32", 2, BINS_MAX, NULL, "",
    "of the density, of equal width: as many backward evolutions"},
  {"pieces", FARE_INTEGER, AT(pieces), "20", 1, PIECES_MAX, NULL, "",
    "into which the span is divided; derivatives are given at their ends"},
  {"steps", FARE_INTEGER, AT(steps), "400", 4, 1e6, NULL, "",
    "time steps over the span, about; half as many give the error"},
  FARE_FIELDS_END,
};

static PetscErrorCode add_parameter(sensitivity *s, const fare_node *node, const fare_system *system)
{
  const fare_parameter *row = fare_system_type_of(system)->parameters;

  PetscFunctionBegin;
  if (fare_node_kind_of(node) != FARE_NODE_SCALAR) FARE_REFUSE(node, "expected the name of a parameter");
  for (int k = 0; row[k].name; k++) {
    if (strcmp(row[k].name, fare_node_text(node))) continue;
    for (int i = 0; i < s->parameters; i++) {
      if (s->parameter[i] == k) FARE_REFUSE(node, "'%s' is there twice", row[k].name);
    }
    s->parameter[s->parameters++] = k;
    PetscFunctionReturn(0);
  }
  FARE_REFUSE(
    node, "system '%s' has no parameter '%s'", fare_system_type_of(system)->name, fare_node_text(node));
}

/* Those that are asked for; those that are driven must be among what moves, too, and follow. */
static PetscErrorCode find_parameters(sensitivity *s, const fare_node *node, const fare_system *system)
{
  const fare_parameter *row = fare_system_type_of(system)->parameters;

  PetscFunctionBegin;
  s->parameters = 0;
  if (s->names && fare_node_kind_of(s->names) != FARE_NODE_LIST)
    FARE_REFUSE(s->names, "expected a list of names of parameters");
  for (size_t i = 0; s->names && i < fare_node_size(s->names); i++)
    PetscCall(add_parameter(s, fare_node_item(s->names, i), system));
  for (int k = 0; row[k].name; k++) {
    PetscBool known = PETSC_FALSE;

    for (int i = 0; i < s->parameters; i++) known |= s->parameter[i] == k;
    if (!known && fare_system_drives(system, k)) s->parameter[s->parameters++] = k;
  }
  if (!s->parameters)
    FARE_REFUSE(node, "no parameter is driven: name those to differentiate by under 'parameters'");
  PetscFunctionReturn(0);
}

/* Sets that belong to other goals, and those that are missing. */
static PetscErrorCode check_keys(const sensitivity *s, const fare_node *node)
{
  const struct {
    const char *key;
    int         of;
  } owned[] = {{"a", OF_EVENT}, {"b", OF_EVENT}, {"point", OF_EVENT}, {"region", OF_OCCUPATION}};

  PetscFunctionBegin;
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(owned); i++) {
    const fare_node *at = fare_node_find(node, owned[i].key);

    if (at && owned[i].of != s->of) FARE_REFUSE(at, "only 'of: %s' has this key", goals[owned[i].of]);
  }
  if (s->of == OF_EVENT && !s->set_b) FARE_REFUSE(node, "missing key 'b': the set to reach");
  if (s->of == OF_OCCUPATION && !s->set_region)
    FARE_REFUSE(node, "missing key 'region': of which the occupation counts");
  PetscFunctionReturn(0);
}

static PetscErrorCode check_physics(
  const sensitivity *s, const fare_node *node, const fare_analysis_context *context)
{
  const fare_node *of = fare_node_find(node, "of");

  PetscFunctionBegin;
  if (fare_system_drives(context->system, FARE_TIME))
    FARE_REFUSE(node,
      "the system has formulas of time, which have no values to differentiate by: drive a "
      "parameter instead");
  if (fare_system_has_rates(context->system))
    FARE_REFUSE(node, "the force depends on how fast parameters move, which has no derivative yet");
  for (int axis = 0; axis < context->dim; axis++) {
    if (s->of != OF_EVENT && context->boundary[axis] >= FARE_BOUNDARY_ABSORBING)
      FARE_REFUSE(of, "axis %s has an absorbing boundary: only an event has a derivative there",
        fare_system_axis_name(context->system, axis));
  }
  if (s->of != OF_WORK && s->of != OF_DISSIPATION) PetscFunctionReturn(0);
  if (!fare_system_is_gradient(context->system))
    FARE_REFUSE(of, "work needs a system whose whole force is the gradient of its potential");
  for (int k = 0; k < s->parameters; k++) {
    if (s->parameter[k] == FARE_KT)
      FARE_REFUSE(of, "%s has no derivative by kT, nor under a moving one", goals[s->of]);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode check_event(sensitivity *s, const fare_analysis_context *context)
{
  PetscFunctionBegin;
  if (s->set_a) PetscCall(fare_region_read(s->set_a, context, &s->a));
  PetscCall(fare_region_read(s->set_b, context, &s->b));
  if (s->set_a && fare_region_overlaps(&s->a, &s->b)) FARE_REFUSE(s->set_b, "the sets a and b overlap");
  PetscCall(fare_points_read(s->at, context, &s->point));
  if (s->at && s->point.count != 1) FARE_REFUSE(s->at, "expected one point, got %zu", s->point.count);
  if (s->at && (fare_region_has(&s->b, s->point.x) || (s->set_a && fare_region_has(&s->a, s->point.x))))
    FARE_REFUSE(s->at, "the point lies in a or b: nothing is left to happen");
  PetscFunctionReturn(0);
}

static PetscErrorCode check(
  void *state, const fare_node *node, const fare_analysis_context *context, double time)
{
  sensitivity *s = state;

  PetscFunctionBegin;
  PetscCall(find_parameters(s, node, context->system));
  PetscCall(check_keys(s, node));
  PetscCall(check_physics(s, node, context));
  PetscCall(fare_drive_check(node, context->system, time, time + s->span));
  s->along = 0;
  while (s->axis && *s->axis && s->along < context->dim &&
    strcmp(s->axis, fare_system_axis_name(context->system, s->along)))
    s->along++;
  if (s->along == context->dim)
    FARE_REFUSE(fare_node_find(node, "axis"), "there is no axis '%s': the first is '%s'", s->axis,
      fare_system_axis_name(context->system, 0));
  if (s->of == OF_OCCUPATION) PetscCall(fare_region_read(s->set_region, context, &s->region));
  if (s->of == OF_EVENT) PetscCall(check_event(s, context));
  PetscFunctionReturn(0);
}

/* The goal; its field is a new vector or NULL. */
static PetscErrorCode goal_of(const sensitivity *s, const fare_grid *grid, fare_goal *goal)
{
  static const fare_goal_kind kinds[] = {[OF_WORK] = FARE_GOAL_WORK,
    [OF_DISSIPATION]                               = FARE_GOAL_DISSIPATION,
    [OF_EVENT]                                     = FARE_GOAL_EVENT,
    [OF_MOMENT]                                    = FARE_GOAL_OBSERVABLE,
    [OF_OCCUPATION]                                = FARE_GOAL_OBSERVABLE,
    [OF_DENSITY]                                   = FARE_GOAL_OBSERVABLE};

  PetscFunctionBegin;
  *goal = (fare_goal){.kind = kinds[s->of], .a = &s->a, .b = &s->b};
  if (goal->kind == FARE_GOAL_OBSERVABLE && s->of != OF_DENSITY)
    PetscCall(fare_adjoint_observable(
      grid, s->along, (int)s->power, s->of == OF_OCCUPATION ? &s->region : NULL, &goal->field));
  PetscFunctionReturn(0);
}

/* The field of a bin, whose mean is the density there: a slab across the axis. */
static PetscErrorCode bin_of(const sensitivity *s, const fare_grid *grid, int bin, Vec *field)
{
  const double width = (grid->upper[s->along] - grid->lower[s->along]) / (double)s->bins;
  double       lower[FARE_DIM_MAX], upper[FARE_DIM_MAX];
  fare_region  slab = {.dim = grid->dim, .boxes = 1, .lower = lower, .upper = upper};

  PetscFunctionBegin;
  for (int axis = 0; axis < grid->dim; axis++) {
    lower[axis] = grid->lower[axis];
    upper[axis] = grid->upper[axis];
  }
  lower[s->along] = grid->lower[s->along] + width * bin;
  upper[s->along] = lower[s->along] + width;
  PetscCall(fare_adjoint_observable(grid, s->along, 1, &slab, field));
  PetscCall(VecScale(*field, 1 / width));
  PetscFunctionReturn(0);
}

/* What one number of steps tells. [parameter][piece's end], and [parameter]. */
typedef struct {
  double   value;
  PetscInt steps;
  double  *density, before[FARE_PARAMETERS_MAX], after[FARE_PARAMETERS_MAX], total[FARE_PARAMETERS_MAX];
} outcome;

/*
  From values at the places to hats over the ends of pieces, per time: what a drive that differs by a hat
  would change, over the hat's area. follows: the start depends on the values before it in a way not known.
*/
static void collect(const sensitivity *s, double time, const fare_protocol *protocol, PetscBool follows,
  double scale, const double gradient[], outcome *o)
{
  const int    pieces = (int)s->pieces, count = s->parameters;
  const double width = s->span / pieces;

  PetscCallAbort(PETSC_COMM_SELF, PetscArrayzero(o->density, count * (pieces + 1)));
  for (int k = 0; k < count; k++) {
    o->before[k] = follows ? NAN : scale * gradient[k];
    o->after[k]  = scale * gradient[(protocol->places - 1) * count + k];
    o->total[k]  = o->before[k] + o->after[k];
    for (PetscInt place = 1; place < protocol->places - 1; place++) {
      const double at    = (protocol->at[place] - time) / width;
      const int    left  = PetscMax(0, PetscMin(pieces - 1, (int)floor(at)));
      const double share = PetscMin(1, PetscMax(0, at - left)), here = scale * gradient[place * count + k];
      double      *to = o->density + k * (pieces + 1) + left;

      to[0] += (1 - share) * here / (width * (left ? 1 : 0.5));
      to[1] += share * here / (width * (left < pieces - 1 ? 1 : 0.5));
      o->total[k] += here;
    }
  }
}

static PetscErrorCode solve(const sensitivity *s, const fare_grid *grid, const fare_system *system,
  double time, PetscInt steps, const fare_goal *goal, Vec start, outcome *o)
{
  fare_protocol protocol;
  fare_adjoint *adjoint;
  double       *value, *gradient;

  PetscFunctionBegin;
  PetscCall(fare_protocol_plan(
    system, time, time + s->span, (int)s->pieces, steps, s->parameters, s->parameter, &protocol));
  PetscCall(
    PetscMalloc2(protocol.places * s->parameters, &value, protocol.places * s->parameters, &gradient));
  fare_protocol_sample(&protocol, system, value);
  PetscCall(fare_adjoint_create(grid, system, &protocol, start, goal, &adjoint));
  PetscCall(fare_adjoint_run(adjoint, value, &o->value, gradient));
  collect(s, time, &protocol, start && !s->point.count ? PETSC_TRUE : PETSC_FALSE,
    s->of == OF_EVENT ? 1 / o->value : 1, gradient, o);
  o->steps = protocol.steps;
  PetscCall(fare_adjoint_destroy(&adjoint));
  PetscCall(PetscFree2(value, gradient));
  PetscCall(fare_protocol_free(&protocol));
  PetscFunctionReturn(0);
}

static void add_one(fare_findings *found, const char *prefix, const char *name, const char *meaning,
  size_t count, const double value[], const double half[])
{
  char          text[48];
  fare_finding *f;

  snprintf(text, sizeof text, "%s%s", prefix, name);
  f           = fare_found(found, text, meaning, count, value);
  f->by_start = count > 1 ? PETSC_TRUE : PETSC_FALSE;
  for (size_t i = 0; i < count; i++) f->least[i] = fabs(value[i] - half[i]);
}

static void keep(const sensitivity *s, const fare_system *system, double time, const outcome *o,
  const outcome *half, fare_findings *found)
{
  const fare_parameter *row  = fare_system_type_of(system)->parameters;
  const size_t          ends = (size_t)s->pieces + 1;
  double                at[PIECES_MAX + 1];

  for (size_t i = 0; i < ends; i++) at[i] = time + s->span * (double)i / (double)s->pieces;
  fare_found_exact(found, "times", "at which derivatives are given", ends, 1, at);
  add_one(found, "value", "",
    s->of == OF_EVENT ? "probability of the event; derivatives are of its logarithm"
                      : "what is differentiated",
    1, &o->value, &half->value);
  for (int k = 0; k < s->parameters; k++) {
    const char  *name = row[s->parameter[k]].name;
    const size_t at_k = (size_t)k * ends;

    if (fare_system_drives(system, s->parameter[k]))
      add_one(found, "by_", name, "derivative by the value of this parameter at this time, per time", ends,
        o->density + at_k, half->density + at_k);
    add_one(found, "before_", name, "derivative by its value before the start; NaN without detailed balance",
      1, &o->before[k], &half->before[k]);
    add_one(found, "after_", name, "derivative by its value after the end", 1, &o->after[k], &half->after[k]);
    add_one(found, "total_", name,
      "derivative by a constant that is added to it; NaN without detailed balance", 1, &o->total[k],
      &half->total[k]);
  }
  fare_found_number(found, "steps", "time steps over the span", (double)o->steps);
}

/* Masses at the start; NULL: of Boltzmann, which the adjoint finds itself. */
static PetscErrorCode begin(const sensitivity *s, const fare_grid *grid, const fare_system *system,
  double time, const fare_goal *goal, Vec *start)
{
  fare_solved solved;

  PetscFunctionBegin;
  *start = NULL;
  if (s->point.count)
    PetscCall(fare_adjoint_point(grid, goal, s->point.x, start));
  else if (!fare_system_is_gradient(system))
    PetscCall(fare_stationary_solve(grid, system, time, start, &solved));
  PetscFunctionReturn(0);
}

/* Numbers of bins, or rows of them; and what half the steps find. */
static void keep_bins(fare_findings *found, const char *name, const char *meaning, const sensitivity *s,
  size_t columns, const double value[], const double half[])
{
  const size_t  count = (size_t)s->bins * columns;
  fare_finding *f     = fare_found(found, name, meaning, count, value);

  f->curve     = PETSC_TRUE;
  f->rank      = columns > 1 ? 2 : 1;
  f->extent[0] = (uint64_t)s->bins;
  f->extent[1] = columns;
  for (size_t i = 0; i < count; i++) f->least[i] = fabs(value[i] - half[i]);
}

static PetscErrorCode run_map(const sensitivity *s, const fare_grid *grid, const fare_system *system,
  double time, fare_goal *goal, Vec start, outcome *o, fare_findings *found)
{
  const fare_parameter *row  = fare_system_type_of(system)->parameters;
  const size_t          ends = (size_t)s->pieces + 1, bins = (size_t)s->bins, all = bins * ends;
  double               *map[2], density[2][BINS_MAX], at[PetscMax(PIECES_MAX, BINS_MAX) + 1];

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(all * (size_t)s->parameters, &map[0], all * (size_t)s->parameters, &map[1]));
  for (size_t bin = 0; bin < bins; bin++) {
    PetscCall(bin_of(s, grid, (int)bin, &goal->field));
    for (int level = 0; level < 2; level++) {
      PetscCall(solve(s, grid, system, time, (PetscInt)s->steps / (2 - level), goal, start, o));
      density[level][bin] = o->value;
      for (int k = 0; k < s->parameters; k++)
        PetscCall(
          PetscArraycpy(map[level] + (size_t)k * all + bin * ends, o->density + (size_t)k * ends, ends));
    }
    PetscCall(VecDestroy(&goal->field));
  }
  for (size_t i = 0; i < ends; i++) at[i] = time + s->span * (double)i / (double)s->pieces;
  fare_found_exact(found, "times", "at which derivatives are given", ends, 1, at)->curve = PETSC_TRUE;
  for (size_t i = 0; i <= bins; i++)
    at[i] =
      grid->lower[s->along] + (grid->upper[s->along] - grid->lower[s->along]) * (double)i / (double)bins;
  fare_found_exact(found, "edges", "of the bins", bins + 1, 1, at)->curve = PETSC_TRUE;
  keep_bins(found, "value", "density at the end, in bins", s, 1, density[1], density[0]);
  for (int k = 0; k < s->parameters; k++) {
    char name[48];

    snprintf(name, sizeof name, "by_%.40s", row[s->parameter[k]].name);
    if (fare_system_drives(system, s->parameter[k]))
      keep_bins(found, name,
        "derivative of the density by the value of this parameter at this time, per time: a row for each bin",
        s, ends, map[1] + (size_t)k * all, map[0] + (size_t)k * all);
  }
  fare_found_number(found, "steps", "time steps over the span", (double)o->steps);
  PetscCall(PetscFree2(map[0], map[1]));
  PetscFunctionReturn(0);
}

static PetscErrorCode run(const void *state, const fare_grid *grid, const fare_system *system, double time,
  const fare_findings *like, fare_findings *found)
{
  const sensitivity *s    = state;
  const size_t       room = (size_t)s->parameters * ((size_t)s->pieces + 1);
  outcome            o, half;
  fare_goal          goal;
  Vec                start;

  PetscFunctionBegin;
  (void)like;
  found->cut = s->of == OF_EVENT && (fare_region_cuts(&s->a, grid) || fare_region_cuts(&s->b, grid));
  if (s->of == OF_DENSITY) found->cut = grid->cells[s->along] % s->bins ? PETSC_TRUE : PETSC_FALSE;
  PetscCall(goal_of(s, grid, &goal));
  PetscCall(begin(s, grid, system, time, &goal, &start));
  PetscCall(PetscMalloc2(room, &o.density, room, &half.density));
  if (s->of == OF_DENSITY) {
    PetscCall(run_map(s, grid, system, time, &goal, start, &o, found));
  } else {
    PetscCall(solve(s, grid, system, time, (PetscInt)s->steps / 2, &goal, start, &half));
    PetscCall(solve(s, grid, system, time, (PetscInt)s->steps, &goal, start, &o));
    keep(s, system, time, &o, &half, found);
  }
  PetscCall(PetscFree2(o.density, half.density));
  PetscCall(VecDestroy(&start));
  PetscCall(VecDestroy(&goal.field));
  PetscFunctionReturn(0);
}

static void destroy(void *state)
{
  sensitivity *s = state;

  fare_region_free(&s->a);
  fare_region_free(&s->b);
  fare_region_free(&s->region);
  fare_points_free(&s->point);
}

const fare_analysis_type fare_analysis_sensitivity = {
  .name = "sensitivity",
  .summary =
    "derivatives of work, dissipation, an event, a mean or a density with respect to the drive at each time",
  .reference = "Engel, Smith and Brenner, Phys. Rev. X 13, 041032 (2023)",
  .size      = sizeof(sensitivity),
  .fields    = fields,
  .check     = check,
  .run       = run,
  .destroy   = destroy,
};
