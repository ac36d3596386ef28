/* SPDX-License-Identifier: BSD-2-Clause */
/* The list of methods; the plan's `events:` and `rare:` read, run, and written back. */
#include "event.h"
#include "run/runs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FARE_RARE(name) extern const fare_rare_type fare_rare_##name;
#include "list.h"
#undef FARE_RARE

static const fare_rare_type *const types[] = {
#define FARE_RARE(name) &fare_rare_##name,
#include "list.h"
#undef FARE_RARE
};
#define TYPES PETSC_STATIC_ARRAY_LENGTH(types)

#define TABLE_MOST 65536 /* steps whose parameters are tabulated */

_Static_assert(sizeof(fare_rare_once) == FARE_RARE_ONCE * sizeof(double), "numbers of a run");

/* A line of `rare:`. */
typedef struct {
  char                 *name, *method, *event;
  PetscInt64            runs;
  const fare_node      *node;
  const fare_event     *of;
  const fare_rare_type *type;
  void                 *options;
} estimator;

struct fare_rare {
  const fare_system        *system;
  const fare_truth_options *truth;
  size_t                    events, estimators;
  fare_event_line          *event;
  estimator                *estimator;
};

#define AT(member) offsetof(estimator, member)
const fare_field fare_rare_fields[] = {
  {"name", FARE_STRING, AT(name), NULL, 0, 0, NULL, "", "letters, digits, _ and -"},
  {"method", FARE_STRING, AT(method), NULL, 0, 0, NULL, "", "one of `fare list estimators`"},
  {"event", FARE_STRING, AT(event), NULL, 0, 0, NULL, "", "name of an event"},
  {"runs", FARE_INTEGER, AT(runs), "24", 1, 1e7, NULL, "",
    "independent runs; their spread tells error and efficiency"},
  FARE_FIELDS_END,
};

const char *fare_rare_name_at(size_t i)
{
  return i < TYPES ? types[i]->name : NULL;
}

const char *fare_rare_summary_at(size_t i)
{
  return i < TYPES ? types[i]->summary : NULL;
}

PetscErrorCode fare_rare_describe(const char *method, FILE *to)
{
  const size_t          i    = fare_name_index(method, fare_rare_name_at);
  const fare_rare_type *type = i < TYPES ? types[i] : NULL;

  PetscFunctionBegin;
  if (!type) FARE_FAIL(FARE_ERR_INPUT, "there is no estimator '%s'", method);
  fprintf(to, "estimator %s: %s\n%s\n\n", type->name, type->summary, type->reference);
  fare_fields_describe(type->fields, to);
  PetscFunctionReturn(0);
}

size_t fare_rare_count(const fare_rare *rare)
{
  return rare ? rare->estimators : 0;
}

static PetscErrorCode read_method(const fare_node *node, estimator *e)
{
  const fare_node *method;
  size_t           i;

  PetscFunctionBegin;
  if (fare_node_kind_of(node) != FARE_NODE_MAP)
    FARE_REFUSE(node, "expected a map {name: ..., method: ..., event: ..., ...}");
  method = fare_node_find(node, "method");
  if (!method) FARE_REFUSE(node, "missing key 'method' (%s)", fare_rare_fields[1].description);
  PetscCall(fare_node_choose(method, "estimator", fare_rare_name_at, &i));
  e->type = types[i];
  PetscFunctionReturn(0);
}

PetscErrorCode fare_rare_event(const fare_rare *rare, const fare_node *node, const fare_event **event)
{
  const size_t events = rare ? rare->events : 0;
  const char  *name   = fare_node_text(node), **names;
  fare_text    text   = {0};

  PetscFunctionBegin;
  *event = NULL;
  PetscCall(PetscMalloc1(events + 1, &names));
  for (size_t i = 0; i < events; i++) {
    names[i] = rare->event[i].event.name;
    if (!strcmp(names[i], name)) *event = &rare->event[i].event;
  }
  if (!*event) fare_text_add_nearest(&text, name, names, events);
  PetscCall(PetscFree(names));
  if (!*event) {
    PetscErrorCode code = fare_node_error(node, "there is no event '%s'%s", name, text.text ? text.text : "");

    fare_text_free(&text);
    PetscFunctionReturn(code);
  }
  PetscFunctionReturn(0);
}

/* A bridge is known between faces alone. */
static PetscErrorCode check_crossing(const estimator *e)
{
  const int settings = e->type->settings ? e->type->settings(e->options) : 1;

  PetscFunctionBegin;
  for (int i = 0; i < settings; i++) {
    fare_rare_setting setting = {.chain = {0}};

    e->type->setting(e->options, i, &setting);
    if (setting.chain.crossing == FARE_CROSSING_BRIDGE &&
      (fare_region_has_formulas(&e->of->a) || fare_region_has_formulas(&e->of->b)))
      FARE_REFUSE(e->node, "sets by formulas have no faces that a bridge could cross: set 'crossing: step'");
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode read_estimator(const fare_node *node, fare_rare *rare, estimator *e)
{
  fare_rare_context context = {.system = rare->system, .truth = rare->truth};

  PetscFunctionBegin;
  e->node = node;
  PetscCall(read_method(node, e));
  e->options = calloc(1, e->type->size);
  if (!e->options) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  PetscCall(fare_fields_read(fare_rare_fields, e->type->fields, node, e));
  PetscCall(fare_node_check_name(fare_node_find(node, "name")));
  for (const estimator *other = rare->estimator; other < e; other++) {
    if (!strcmp(other->name, e->name))
      FARE_REFUSE(fare_node_find(node, "name"), "there is an estimator '%s' already", e->name);
  }
  PetscCall(fare_rare_event(rare, fare_node_find(node, "event"), &e->of));
  context.event = e->of;
  PetscCall(fare_fields_read(e->type->fields, fare_rare_fields, node, e->options));
  if (e->type->check) PetscCall(e->type->check(e->options, node, &context));
  PetscCall(check_crossing(e));
  PetscFunctionReturn(0);
}

static PetscErrorCode read_events(const fare_node *list, fare_rare *rare)
{
  PetscFunctionBegin;
  if (fare_node_kind_of(list) != FARE_NODE_LIST)
    FARE_REFUSE(list, "expected a list of maps {name: ..., a: ..., b: ..., start: [...]}");
  rare->event = calloc(fare_node_size(list) + 1, sizeof *rare->event);
  if (!rare->event) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  for (size_t i = 0; i < fare_node_size(list); i++) {
    rare->events = i + 1;
    PetscCall(
      fare_event_read(fare_node_item(list, i), rare->system, rare->truth, i, rare->event, &rare->event[i]));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode read_estimators(const fare_node *list, fare_rare *rare)
{
  PetscFunctionBegin;
  if (fare_node_kind_of(list) != FARE_NODE_LIST)
    FARE_REFUSE(list, "expected a list of maps {name: ..., method: ..., event: ..., ...}");
  rare->estimator = calloc(fare_node_size(list) + 1, sizeof *rare->estimator);
  if (!rare->estimator) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  for (size_t i = 0; i < fare_node_size(list); i++) {
    rare->estimators = i + 1;
    PetscCall(read_estimator(fare_node_item(list, i), rare, &rare->estimator[i]));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_rare_from_config(const fare_node *events, const fare_node *list,
  const fare_system *system, const fare_truth_options *truth, fare_rare **rare)
{
  const fare_walls walls = fare_truth_walls(system, truth);
  PetscErrorCode   code;

  PetscFunctionBegin;
  *rare = NULL;
  if (!events && list) FARE_REFUSE(list, "estimators are of events: add a section 'events'");
  if (!events) PetscFunctionReturn(0);
  if (walls.absorbing)
    FARE_REFUSE(events, "the truth has an end that absorbs: make it part of a set, and reflecting");
  PetscCall(PetscNew(rare));
  (*rare)->system = system;
  (*rare)->truth  = truth;
  code            = read_events(events, *rare);
  if (!code && list) code = read_estimators(list, *rare);
  if (code) PetscCall(fare_rare_destroy(rare));
  PetscFunctionReturn(code);
}

PetscErrorCode fare_rare_destroy(fare_rare **rare)
{
  fare_rare *r = *rare;

  PetscFunctionBegin;
  if (!r) PetscFunctionReturn(0);
  for (size_t i = 0; i < r->events; i++) fare_event_free(&r->event[i]);
  for (size_t i = 0; i < r->estimators; i++) {
    estimator *e = &r->estimator[i];

    if (e->options && e->type->destroy) e->type->destroy(e->options);
    if (e->options) fare_fields_free(e->type->fields, e->options);
    free(e->options);
    fare_fields_free(fare_rare_fields, e);
  }
  free(r->event);
  free(r->estimator);
  PetscCall(PetscFree(*rare));
  PetscFunctionReturn(0);
}

/* Keys that code of its own reads. */
static void write_nodes(const fare_field *fields, const fare_node *from, fare_text *to)
{
  for (const fare_field *f = fields; f->key; f++) {
    const fare_node *node = f->kind == FARE_NODE ? fare_node_find(from, f->key) : NULL;

    if (!node) continue;
    fare_text_add(to, "    %s: ", f->key);
    fare_node_write(node, to);
    fare_text_add(to, "\n");
  }
}

void fare_rare_write(const fare_rare *rare, fare_text *to)
{
  if (!rare) return;
  fare_text_add(to, "events:\n");
  for (size_t i = 0; i < rare->events; i++) {
    fare_text_add(to, "  -\n");
    fare_event_write(&rare->event[i], to);
    write_nodes(fare_event_fields, rare->event[i].node, to);
  }
  if (rare->estimators) fare_text_add(to, "rare:\n");
  for (size_t i = 0; i < rare->estimators; i++) {
    const estimator *e = &rare->estimator[i];

    fare_text_add(to, "  -\n");
    fare_fields_write(fare_rare_fields, e, 4, to);
    fare_fields_write(e->type->fields, e->options, 4, to);
    write_nodes(e->type->fields, e->node, to);
  }
}

static PetscErrorCode compare_nodes(const fare_field *fields, const fare_node *before, const fare_node *now,
  const char *path, fare_difference *difference)
{
  char key[256];

  PetscFunctionBegin;
  for (const fare_field *f = fields; f->key; f++) {
    fare_key_join(path, f->key, sizeof key, key);
    if (f->kind == FARE_NODE)
      PetscCall(
        fare_nodes_compare(fare_node_find(before, f->key), fare_node_find(now, f->key), key, difference));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode compare_estimator(
  const estimator *e, const fare_node *before, fare_difference *difference)
{
  const fare_node *method = fare_node_find(before, "method");
  char             path[128], key[256];

  PetscFunctionBegin;
  fare_key_join("rare", e->name, sizeof path, path);
  fare_key_join(path, "method", sizeof key, key);
  if (method && fare_node_kind_of(method) == FARE_NODE_SCALAR)
    fare_texts_compare(fare_node_text(method), e->type->name, key, difference);
  PetscCall(fare_fields_compare(fare_rare_fields, e->type->fields, before, e, path, difference));
  PetscCall(fare_fields_compare(e->type->fields, fare_rare_fields, before, e->options, path, difference));
  PetscCall(compare_nodes(e->type->fields, before, e->node, path, difference));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_rare_compare(
  const fare_rare *rare, const fare_node *events, const fare_node *list, fare_difference *difference)
{
  char path[128];

  PetscFunctionBegin;
  for (size_t i = 0; rare && i < rare->events && difference->kind == FARE_ALIKE; i++) {
    const fare_event_line *line   = &rare->event[i];
    const fare_node       *before = fare_node_named(events, line->event.name);

    fare_key_join("events", line->event.name, sizeof path, path);
    PetscCall(fare_fields_compare(fare_event_fields, NULL, before, line, path, difference));
    PetscCall(compare_nodes(fare_event_fields, before, line->node, path, difference));
  }
  fare_counts_compare(events ? fare_node_size(events) : 0, rare ? rare->events : 0, "events", difference);
  for (size_t i = 0; rare && i < rare->estimators && difference->kind == FARE_ALIKE; i++)
    PetscCall(
      compare_estimator(&rare->estimator[i], fare_node_named(list, rare->estimator[i].name), difference));
  fare_counts_compare(list ? fare_node_size(list) : 0, fare_rare_count(rare), "rare", difference);
  PetscFunctionReturn(0);
}

/* The parameters of all steps, where there are not too many. */
static PetscErrorCode tabulate(fare_rare_context *context, double **theta)
{
  PetscFunctionBegin;
  *theta = NULL;
  if (!fare_system_is_driven(context->system) || context->steps < 0 || context->steps > TABLE_MOST)
    PetscFunctionReturn(0);
  PetscCall(PetscMalloc1((size_t)context->steps * FARE_PARAMETERS_MAX, theta));
  for (int64_t step = 0; step < context->steps; step++)
    fare_system_parameters(
      context->system, fare_rare_time(context, step), *theta + (size_t)step * FARE_PARAMETERS_MAX);
  context->theta = *theta;
  PetscFunctionReturn(0);
}

/* Truths that are found already: rows of one event share the continuum's, and those of one step all of them.
 */
typedef struct {
  size_t count;
  struct {
    fare_rare_context of;
    fare_rare_truth   truth;
  } * at; /* room for every row */
} memory;

static PetscErrorCode find_truths(const fare_rare_context *context, memory *known, fare_rare_row *row)
{
  const fare_rare_setting *setting = &context->setting;
  const fare_rare_truth   *alike = NULL, *same = NULL;
  fare_rare_truth          truth;

  PetscFunctionBegin;
  for (size_t i = 0; i < known->count; i++) {
    const fare_rare_context *of = &known->at[i].of;

    if (of->event != context->event || of->setting.of != setting->of) continue;
    alike = &known->at[i].truth;
    if (of->dt == context->dt && of->setting.chain.crossing == setting->chain.crossing) same = alike;
  }
  if (same) {
    truth = *same;
  } else {
    if (context->grid->dim > 1)
      fare_log("event %s: exact answers at dt %g", context->event->name, context->dt);
    PetscCall(fare_rare_truth_find(context, alike, &truth));
  }
  known->at[known->count].of      = *context;
  known->at[known->count++].truth = truth;
  row->chain                      = truth.chain;
  row->chain_error                = truth.chain_error;
  row->predicted                  = truth.predicted;
  row->continuum                  = truth.continuum;
  row->continuum_error            = truth.continuum_error;
  row->path_cost                  = truth.path_cost;
  PetscFunctionReturn(0);
}

/* What runs share, such as a committor: made once for rows of one kind, where the method says so. */
typedef struct {
  const estimator *of;
  int              kind;
  void            *work;
} shared;

static PetscErrorCode end_shared(shared *s)
{
  PetscFunctionBegin;
  if (s->of && s->of->type->end) PetscCall(s->of->type->end(&s->work));
  *s = (shared){0};
  PetscFunctionReturn(0);
}

static PetscErrorCode begin_shared(const estimator *e, const fare_rare_context *context, shared *s)
{
  PetscErrorCode code = 0;

  PetscFunctionBegin;
  if (s->of == e && s->kind == context->setting.kind && e->type->shares) PetscFunctionReturn(0);
  PetscCall(end_shared(s));
  *s = (shared){e, context->setting.kind, NULL};
  if (e->type->begin) code = e->type->begin(e->options, context, &s->work);
  if (code) PetscCall(end_shared(s));
  PetscFunctionReturn(code);
}

static PetscErrorCode make_row(const estimator *e, fare_rare_context *context, const fare_rare_pauses *pauses,
  memory *known, shared *s, size_t at, fare_rare_results *r)
{
  const double   began = fare_seconds();
  fare_rare_job  job   = {e->type, e->options, context, NULL};
  fare_rare_row *row   = &r->row[at];

  PetscFunctionBegin;
  PetscCall(find_truths(context, known, row));
  if (r->done[at] < e->runs || e->type->report || e->type->interfaces) PetscCall(begin_shared(e, context, s));
  job.work = s->work;
  PetscCall(fare_rare_make(&job, pauses, at, r));
  fare_rare_judge(e->runs, (const fare_rare_once *)r->once[at],
    e->type->optimum ? e->type->optimum(e->options, row->chain) : NAN, context->seed, row);
  if (row->rate != 0)
    row->of_optimum = 100 * known->at[known->count - 1].truth.optimum / (row->cost_10 * context->dt);
  row->learned_error = row->learned_start = NAN;
  if (e->type->report) e->type->report(s->work, row);
  if (e->type->interfaces) {
    PetscCall(PetscCalloc1(r->details[at], &r->interface[at]));
    PetscCall(e->type->interfaces(e->options, context, s->work, r->interface[at]));
    fare_interfaces_judge(e->runs, r->details[at], r->detail[at], row, r->interface[at]);
  }
  row->seconds = fare_seconds() - began;
  PetscFunctionReturn(0);
}

/* An estimator in one of its settings. */
static fare_rare_context context_of(
  const fare_rare *rare, const estimator *e, int i, const char *name, uint64_t seed)
{
  fare_rare_context c = {
    .name = name, .seed = seed, .system = rare->system, .truth = rare->truth, .event = e->of, .steps = -1};

  e->type->setting(e->options, i, &c.setting);
  c.dt = c.setting.chain.dt;
  if (e->of->deadline < FARE_NEVER) {
    const double span = e->of->deadline - e->of->time;

    c.steps = PetscMax(1, (int64_t)ceil(span / c.dt * (1 - 1e-12)));
    c.dt    = span / (double)c.steps;
  }
  return c;
}

const fare_system *fare_rare_system(const fare_rare *rare)
{
  return rare->system;
}

PetscBool fare_rare_choose(const fare_rare *rare, const char *name, fare_rare_chosen *chosen)
{
  for (size_t i = 0; i < fare_rare_count(rare); i++) {
    const estimator *e = &rare->estimator[i];

    if (strcmp(e->name, name)) continue;
    *chosen = (fare_rare_chosen){e->type, e->options, e->of};
    return PETSC_TRUE;
  }
  return PETSC_FALSE;
}

PetscErrorCode fare_rare_context_make(const fare_rare *rare, const fare_rare_chosen *chosen, const char *name,
  MPI_Comm comm, const fare_grid *grid, uint64_t seed, fare_rare_context *context, double **theta)
{
  const estimator e = {.type = chosen->type, .options = (void *)chosen->options, .of = chosen->event};

  PetscFunctionBegin;
  *context       = context_of(rare, &e, 0, name, seed);
  context->comm  = comm;
  context->team  = PETSC_COMM_SELF;
  context->grid  = grid;
  context->walls = fare_grid_walls(grid, rare->system);
  PetscCall(tabulate(context, theta));
  PetscFunctionReturn(0);
}

/* Paths know the drive at the ends of their steps alone. */
static void warn_of_pulses(const fare_rare_context *c)
{
  const double pulse = fare_system_shortest_pulse(c->system, c->event->time, c->event->deadline);

  if (fare_system_is_driven(c->system) && c->dt > pulse * (1 + 1e-9))
    fare_warn("estimator %s: the drive has a pulse of %.3g, shorter than a step (dt: %.3g): the truth "
              "resolves it, the paths do not",
      c->name, pulse, c->dt);
}

static int settings_of(const estimator *e)
{
  return e->type->settings ? e->type->settings(e->options) : 1;
}

PetscErrorCode fare_rare_results_create(const fare_rare *rare, fare_rare_results *r)
{
  size_t count = 0, at = 0;

  PetscFunctionBegin;
  *r = (fare_rare_results){0};
  for (size_t i = 0; i < fare_rare_count(rare); i++) count += (size_t)settings_of(&rare->estimator[i]);
  PetscCall(PetscCalloc1(count, &r->interface));
  PetscCall(PetscCalloc7(count, &r->row, count, &r->failure, count, &r->runs, count, &r->done, count,
    &r->once, count, &r->details, count, &r->detail));
  r->count = count;
  for (size_t i = 0; i < fare_rare_count(rare); i++) {
    const estimator *e = &rare->estimator[i];

    for (int k = 0; k < settings_of(e); k++, at++) {
      const fare_rare_context c   = context_of(rare, e, k, e->name, 0);
      fare_rare_row          *row = &r->row[at];

      snprintf(row->estimator, sizeof row->estimator, "%s%s%s", e->name, *c.setting.label ? " " : "",
        c.setting.label);
      snprintf(row->method, sizeof row->method, "%s", e->type->name);
      snprintf(row->event, sizeof row->event, "%s", e->of->name);
      row->dt        = c.dt;
      row->rate      = c.setting.of == FARE_RARE_RATE;
      r->runs[at]    = e->runs;
      r->details[at] = e->type->details ? e->type->details(e->options) : 0;
      PetscCall(PetscCalloc1((size_t)e->runs * FARE_RARE_ONCE, &r->once[at]));
      PetscCall(PetscCalloc1((size_t)e->runs * r->details[at], &r->detail[at]));
    }
  }
  PetscFunctionReturn(0);
}

/* All rows of an estimator, the first of which is r->row[at]. */
static PetscErrorCode run_estimator(const estimator *e, const fare_rare_context *common,
  const fare_rare_pauses *pauses, memory *known, size_t at, const fare_rare *rare, fare_rare_results *r)
{
  const int      settings = settings_of(e);
  shared         s        = {0};
  PetscErrorCode code     = 0;
  int           *kind;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(settings, &kind));
  for (int k = 0; k < settings && !code; k++) {
    const size_t      i = at + (size_t)k;
    fare_rare_context c = context_of(rare, e, k, r->row[i].estimator, common->seed);
    double           *theta;

    kind[k] = c.setting.kind;
    c.comm  = common->comm;
    c.team  = common->team;
    c.runs  = (double)e->runs;
    c.grid  = common->grid;
    c.walls = common->walls;
    warn_of_pulses(&c);
    PetscCall(tabulate(&c, &theta));
    code = make_row(e, &c, pauses, known, &s, i, r);
    PetscCall(PetscFree(theta));
    if (code != FARE_ERR_FAILED && code != FARE_ERR_INPUT) continue;
    code          = 0;
    r->failure[i] = strdup(fare_error_message());
    fare_warn("estimator %s: %s; the others go on", r->row[i].estimator, r->failure[i]);
  }
  if (!code) fare_rare_extrapolate((size_t)settings, kind, &r->row[at]);
  PetscCall(end_shared(&s));
  PetscCall(PetscFree(kind));
  PetscFunctionReturn(code);
}

PetscErrorCode fare_rare_run(const fare_rare *rare, MPI_Comm comm, const fare_grid *grid, uint64_t seed,
  PetscErrorCode (*pause)(void *to), void *to, fare_rare_results *r)
{
  const fare_rare_pauses  pauses = {pause, to};
  const fare_rare_context common = {.comm = comm,
    .team                                 = PETSC_COMM_SELF,
    .seed                                 = seed,
    .grid                                 = grid,
    .walls                                = fare_grid_walls(grid, rare->system)};
  memory                  known  = {0};
  size_t                  at     = 0;
  PetscErrorCode          code   = 0;

  PetscFunctionBegin;
  for (size_t i = 0; i < rare->estimators; i++) PetscCall(fare_event_check(rare->estimator[i].of, grid));
  PetscCall(PetscMalloc1(r->count, &known.at));
  for (size_t i = 0; i < rare->estimators && !code; i++) {
    code = run_estimator(&rare->estimator[i], &common, &pauses, &known, at, rare, r);
    at += (size_t)settings_of(&rare->estimator[i]);
  }
  PetscCall(PetscFree(known.at));
  PetscFunctionReturn(code);
}
