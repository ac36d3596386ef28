/* SPDX-License-Identifier: BSD-2-Clause */
/* The list of kinds; the plan's `analysis:` read, run on two grids, written and shown. */
#include "analysis.h"

#include <petscdmda.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FARE_ANALYSIS(name) extern const fare_analysis_type fare_analysis_##name;
#include "list.h"
#undef FARE_ANALYSIS

static const fare_analysis_type *const types[] = {
#define FARE_ANALYSIS(name) &fare_analysis_##name,
#include "list.h"
#undef FARE_ANALYSIS
};
#define TYPES PETSC_STATIC_ARRAY_LENGTH(types)

#define ANYWHERE 1e9
/*
  What errors are taken to fall by where no third grid shows it: numbers are integrals over the grid, of first
  order at least. A density in L1 may do worse (FARE_RATIO_UNSEEN of the truth).
*/
#define UNSEEN 2
/* cells whose factors fit */
#define HIGH_ORDER_2D (1 << 17)
#define HIGH_ORDER_3D 20000
#define ROUGH_HIGH    1    /* kT, of what a cell hides: all grids may then agree on what is wrong */
#define SMOOTH        0.01 /* and of what errors still fall with */
/* per axis, where the truth finds its own: every box of a plan holds some centre then */
#define CELLS_UNKNOWN (1 << 20)

typedef PetscErrorCode (*run_function)(const void *state, const fare_grid *grid, const fare_system *system,
  double time, const fare_findings *like, fare_findings *found);

struct fare_analysis {
  char                     *name, *kind;
  double                    time;
  PetscBool                 estimate, extrapolate;
  int                       scheme; /* of the truth */
  const fare_node          *node;
  const fare_system        *system;
  const fare_analysis_type *type;
  void                     *state;
};

struct fare_analysis_result {
  const fare_analysis *of;
  /* the grid itself, and with cells twice as wide, and so on: NULL without estimate, or of too few cells */
  fare_grid    *grid[FARE_ANALYSIS_GRIDS];
  fare_findings found;
  char         *failure; /* why it ended without a result, or NULL */
  double        seconds;
};

#define AT(member) offsetof(fare_analysis, member)
const fare_field fare_analysis_fields[] = {
  {"name", FARE_STRING, AT(name), NULL, 0, 0, NULL, "", "letters, digits, _ and -"},
  {"kind", FARE_STRING, AT(kind), NULL, 0, 0, NULL, "", "one of `fare list analyses`"},
  {"time", FARE_REAL, AT(time), "0", -1e12, 1e12, NULL, "time",
    "at which driven parameters are frozen, or the period begins"},
  {"estimate", FARE_BOOLEAN, AT(estimate), "true", 0, 0, NULL, "",
    "also compute on half as many cells per axis, to estimate the errors"},
  FARE_FIELDS_END,
};

const char *fare_analysis_name_at(size_t i)
{
  return i < TYPES ? types[i]->name : NULL;
}

const char *fare_analysis_summary_at(size_t i)
{
  return i < TYPES ? types[i]->summary : NULL;
}

PetscErrorCode fare_analysis_describe(const char *kind, FILE *to)
{
  const size_t              i    = fare_name_index(kind, fare_analysis_name_at);
  const fare_analysis_type *type = i < TYPES ? types[i] : NULL;

  PetscFunctionBegin;
  if (!type) FARE_FAIL(FARE_ERR_INPUT, "there is no analysis '%s'", kind);
  fprintf(to, "analysis %s: %s\n%s\n\n", type->name, type->summary, type->reference);
  fare_fields_describe(type->fields, to);
  PetscFunctionReturn(0);
}

static PetscErrorCode check_name(
  const fare_node *node, const fare_analysis *analysis, size_t before, fare_analysis *const others[])
{
  PetscFunctionBegin;
  PetscCall(fare_node_check_name(node));
  for (size_t i = 0; i < before; i++) {
    if (!strcmp(others[i]->name, analysis->name))
      FARE_REFUSE(node, "there is an analysis '%s' already", analysis->name);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode read_kind(const fare_node *node, fare_analysis *a)
{
  const fare_node *kind;
  size_t           i;

  PetscFunctionBegin;
  if (fare_node_kind_of(node) != FARE_NODE_MAP)
    FARE_REFUSE(node, "expected a map {name: ..., kind: ..., ...}");
  kind = fare_node_find(node, "kind");
  if (!kind) FARE_REFUSE(node, "missing key 'kind' (%s)", fare_analysis_fields[1].description);
  PetscCall(fare_node_choose(kind, "analysis", fare_analysis_name_at, &i));
  a->type = types[i];
  PetscFunctionReturn(0);
}

static PetscErrorCode read_one(const fare_node *node, const fare_analysis_context *context, size_t before,
  fare_analysis *const others[], fare_analysis *a)
{
  fare_analysis_context coarsest = *context;

  PetscFunctionBegin;
  a->node   = node;
  a->system = context->system;
  PetscCall(read_kind(node, a));
  a->state = calloc(1, a->type->size);
  if (!a->state) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  PetscCall(fare_fields_read(fare_analysis_fields, a->type->fields, node, a));
  PetscCall(check_name(fare_node_find(node, "name"), a, before, others));
  PetscCall(fare_fields_read(a->type->fields, fare_analysis_fields, node, a->state));
  for (int axis = 0; axis < context->dim && a->estimate; axis++) coarsest.cells[axis] /= 2;
  if (a->type->check) PetscCall(a->type->check(a->state, node, &coarsest, a->time));
  PetscFunctionReturn(0);
}

static fare_analysis_context context_of(const fare_system *system, const fare_truth_options *truth)
{
  const fare_system_type *type    = fare_system_type_of(system);
  fare_analysis_context   context = {.system = system, .dim = fare_system_dimension(system)};

  for (int axis = 0; axis < context.dim; axis++) {
    context.lower[axis]    = truth->lower.count ? truth->lower.values[axis] : type->lower[axis];
    context.upper[axis]    = truth->upper.count ? truth->upper.values[axis] : type->upper[axis];
    context.open[axis]     = truth->fit_domain && !type->periodic[axis] ? PETSC_TRUE : PETSC_FALSE;
    context.boundary[axis] = truth->boundaries.count ? (fare_boundary)truth->boundaries.values[axis]
      : type->periodic[axis]                         ? FARE_BOUNDARY_PERIODIC
                                                     : FARE_BOUNDARY_REFLECTING;
    if (context.open[axis]) context.lower[axis] = -ANYWHERE;
    if (context.open[axis]) context.upper[axis] = ANYWHERE;
    context.cells[axis] = truth->cells.count ? (PetscInt)truth->cells.values[axis] : CELLS_UNKNOWN;
  }
  return context;
}

PetscErrorCode fare_region_from_config(
  const fare_node *node, const fare_system *system, const fare_truth_options *truth, fare_region *region)
{
  const fare_analysis_context context = context_of(system, truth);

  PetscFunctionBegin;
  PetscCall(fare_region_read(node, &context, region));
  PetscFunctionReturn(0);
}

static PetscErrorCode destroy(fare_analysis **analysis)
{
  fare_analysis *a = *analysis;

  PetscFunctionBegin;
  if (!a) PetscFunctionReturn(0);
  if (a->state && a->type->destroy) a->type->destroy(a->state);
  if (a->state) fare_fields_free(a->type->fields, a->state);
  free(a->state);
  fare_fields_free(fare_analysis_fields, a);
  PetscCall(PetscFree(*analysis));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_analyses_destroy(size_t *count, fare_analysis ***analyses)
{
  PetscFunctionBegin;
  for (size_t i = 0; i < *count; i++) PetscCall(destroy(&(*analyses)[i]));
  free(*analyses);
  *analyses = NULL;
  *count    = 0;
  PetscFunctionReturn(0);
}

PetscErrorCode fare_analyses_from_config(const fare_node *list, const fare_system *system,
  const fare_truth_options *truth, size_t *count, fare_analysis ***analyses)
{
  const fare_analysis_context context = context_of(system, truth);
  PetscErrorCode              code    = 0;

  PetscFunctionBegin;
  *count    = 0;
  *analyses = NULL;
  if (!list) PetscFunctionReturn(0);
  if (fare_node_kind_of(list) != FARE_NODE_LIST)
    FARE_REFUSE(list, "expected a list of maps {name: ..., kind: ..., ...}");
  *analyses = calloc(fare_node_size(list) + 1, sizeof **analyses);
  if (!*analyses) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  for (size_t i = 0; i < fare_node_size(list) && !code; i++) {
    PetscCall(PetscNew(&(*analyses)[i]));
    (*analyses)[i]->scheme      = truth->scheme;
    (*analyses)[i]->extrapolate = truth->extrapolate;
    code                        = read_one(fare_node_item(list, i), &context, i, *analyses, (*analyses)[i]);
    *count                      = i + 1;
  }
  if (code) PetscCall(fare_analyses_destroy(count, analyses));
  PetscFunctionReturn(code);
}

void fare_analyses_write(size_t count, fare_analysis *const analyses[], fare_text *to)
{
  if (count) fare_text_add(to, "analysis:\n");
  for (size_t i = 0; i < count; i++) {
    const fare_analysis *a = analyses[i];

    fare_text_add(to, "  -\n");
    fare_fields_write(fare_analysis_fields, a, 4, to);
    fare_fields_write(a->type->fields, a->state, 4, to);
    for (const fare_field *f = a->type->fields; f->key; f++) {
      const fare_node *node = f->kind == FARE_NODE ? fare_node_find(a->node, f->key) : NULL;

      if (!node) continue;
      fare_text_add(to, "    %s: ", f->key);
      fare_node_write(node, to);
      fare_text_add(to, "\n");
    }
  }
}

static PetscErrorCode compare_one(
  const fare_analysis *a, const fare_node *before, fare_difference *difference)
{
  const fare_node *kind = fare_node_find(before, "kind");
  char             path[128], key[256];

  PetscFunctionBegin;
  fare_key_join("analysis", a->name, sizeof path, path);
  fare_key_join(path, "kind", sizeof key, key);
  if (kind && fare_node_kind_of(kind) == FARE_NODE_SCALAR)
    fare_texts_compare(fare_node_text(kind), a->type->name, key, difference);
  PetscCall(fare_fields_compare(fare_analysis_fields, a->type->fields, before, a, path, difference));
  PetscCall(fare_fields_compare(a->type->fields, fare_analysis_fields, before, a->state, path, difference));
  for (const fare_field *f = a->type->fields; f->key; f++) {
    fare_key_join(path, f->key, sizeof key, key);
    if (f->kind == FARE_NODE)
      PetscCall(
        fare_nodes_compare(fare_node_find(before, f->key), fare_node_find(a->node, f->key), key, difference));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_analyses_compare(
  size_t count, fare_analysis *const analyses[], const fare_node *list, fare_difference *difference)
{
  PetscFunctionBegin;
  for (size_t i = 0; i < count && difference->kind == FARE_ALIKE; i++) {
    PetscCall(compare_one(analyses[i], fare_node_named(list, analyses[i]->name), difference));
  }
  fare_counts_compare(list ? fare_node_size(list) : 0, count, "analysis", difference);
  PetscFunctionReturn(0);
}

/* How often cells can be made twice as wide: not at all without an estimate. */
static int count_halvings(const fare_analysis *a, const fare_grid *grid, int ranks)
{
  const PetscInt least =
    PetscMax(8, ranks); /* cells of the coarsest grid per axis, for it to tell anything */
  int most = a->estimate ? FARE_ANALYSIS_GRIDS - 1 : 0;

  for (int axis = 0; axis < grid->dim; axis++) {
    while (most > 0 && (grid->cells[axis] % (1 << most) || (most > 1 && grid->cells[axis] >> most < least)))
      most--;
  }
  return most;
}

/* The grid itself, made anew from half as many cells, so that sums over children stay on their ranks. */
static PetscErrorCode create_grids(fare_analysis_result *a, const fare_grid *grid)
{
  PetscInt    cells[FARE_DIM_MAX];
  PetscMPIInt ranks;
  int         halvings;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(grid->comm, &ranks));
  halvings = count_halvings(a->of, grid, ranks);
  for (int axis = 0; axis < grid->dim; axis++) cells[axis] = grid->cells[axis] >> halvings;
  PetscCall(fare_grid_create(
    grid->comm, grid->dim, cells, grid->lower, grid->upper, grid->boundary, &a->grid[halvings]));
  for (int k = halvings; k > 0; k--) PetscCall(fare_grid_refine(a->grid[k], &a->grid[k - 1]));
  for (int k = 0; k <= halvings; k++) fare_grid_name_axes(a->grid[k], a->of->system);
  PetscFunctionReturn(0);
}

/*
  How much larger errors are on the half grid. Where a density lies is not known for all kinds, so that every
  cell counts alike.
*/
static PetscErrorCode ratio_of_errors(const fare_analysis_result *a, double *ratio)
{
  fare_operator *op;
  Vec            everywhere;

  PetscFunctionBegin;
  PetscCall(fare_operator_create(a->grid[1], a->of->system, &op));
  PetscCall(fare_operator_rates(op, a->of->time));
  PetscCall(DMCreateGlobalVector(a->grid[1]->dm, &everywhere));
  PetscCall(VecSet(everywhere, 1));
  PetscCall(fare_operator_ratio(op, everywhere, ratio));
  PetscCall(VecDestroy(&everywhere));
  PetscCall(fare_operator_destroy(&op));
  PetscFunctionReturn(0);
}

/* The largest bump or kink within a cell, which no grid need show. As above, every cell counts alike. */
static PetscErrorCode roughest(const fare_analysis_result *r, const fare_grid *grid, double *rough)
{
  fare_resolution look;
  Vec             everywhere;

  PetscFunctionBegin;
  PetscCall(DMCreateGlobalVector(grid->dm, &everywhere));
  PetscCall(VecSet(everywhere, 1));
  PetscCall(fare_resolution_look(grid, r->of->system, r->of->time, everywhere, &look));
  PetscCall(VecDestroy(&everywhere));
  *rough = look.rough;
  PetscFunctionReturn(0);
}

static PetscErrorCode look_for_rough_cells(const fare_analysis_result *r)
{
  double rough;

  PetscFunctionBegin;
  PetscCall(roughest(r, r->grid[0], &rough));
  if (rough > ROUGH_HIGH)
    fare_warn("analysis %s: the drift has a kink, a jump or a bump within a cell (of %.2g kT): "
              "its errors are good to an order of magnitude at best; take more cells",
      r->of->name, rough);
  PetscFunctionReturn(0);
}

/*
  On three axes cells may be too many for factors, which the scheme of high order needs: its stencils reach
  four cells far.
*/
static PetscBool is_high_order(const fare_analysis *a, const fare_grid *grid)
{
  const double   most = grid->dim < 3 ? HIGH_ORDER_2D : HIGH_ORDER_3D;
  const fare_box box  = fare_grid_box(grid);
  PetscInt64     cells[FARE_DIM_MAX];
  double         all = 1;

  for (int axis = 0; axis < grid->dim; axis++) {
    cells[axis] = grid->cells[axis];
    all *= (double)grid->cells[axis];
  }
  if (!a->type->run_high_order || all > most) return PETSC_FALSE;
  return fare_truth_scheme(a->system, &box,
           &(fare_truth_options){.scheme = a->scheme, .cells = {(size_t)grid->dim, cells}},
           a->time) == FARE_SCHEME_HIGH_ORDER;
}

/* What wider and wider cells give: the second grid must serve. grids: how many do. */
static PetscErrorCode run_on_wider_cells(
  fare_analysis_result *r, run_function run, fare_findings on[], int *grids)
{
  const fare_analysis *a    = r->of;
  PetscErrorCode       code = 0;

  PetscFunctionBegin;
  for (*grids = 1; *grids < FARE_ANALYSIS_GRIDS && r->grid[*grids] && !code; *grids += code ? 0 : 1) {
    code = run(a->state, r->grid[*grids], a->system, a->time, &r->found, &on[*grids]);
    /* a set may hold the centre of none of the widest cells */
    if (*grids < 3) r->found.cut |= on[*grids].cut;
    if (code && (*grids == 1 || (code != FARE_ERR_INPUT && code != FARE_ERR_FAILED)))
      PetscFunctionReturn(code);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode compute(fare_analysis_result *r, const fare_grid *grid, fare_analysis_keeper *keeper)
{
  const fare_analysis *a                       = r->of;
  const PetscBool      high                    = is_high_order(a, grid);
  run_function         run                     = high ? a->type->run_high_order : a->type->run;
  fare_findings        on[FARE_ANALYSIS_GRIDS] = {{0}};
  double               ratio, rough;
  int                  grids;

  PetscFunctionBegin;
  PetscCall(create_grids(r, grid));
  r->found.keeper = keeper;
  r->found.of     = a->name;
  PetscCall(run(a->state, r->grid[0], a->system, a->time, NULL, &r->found));
  if (!r->grid[1]) PetscFunctionReturn(0);
  PetscCall(look_for_rough_cells(r));
  PetscCall(run_on_wider_cells(r, run, on, &grids));
  PetscCall(ratio_of_errors(r, &ratio));
  if (high) ratio = 0;
  if (grids < 3) ratio = high ? UNSEEN : PetscMin(ratio, UNSEEN);
  PetscCall(fare_findings_estimate(
    r->grid[0], r->grid[1], r->grid[2], ratio, &on[1], grids < 3 ? NULL : &on[2], &r->found));
  if (a->extrapolate && !high && grids > 2) {
    PetscCall(roughest(r, r->grid[2], &rough));
    if (rough <= SMOOTH) fare_findings_extrapolate(on, &r->found);
  }
  for (int k = 1; k < FARE_ANALYSIS_GRIDS; k++) PetscCall(fare_findings_free(&on[k]));
  PetscFunctionReturn(0);
}

/* One that fails numerically ends, says why in its row, and leaves the rest alone. */
static PetscErrorCode run_one(
  const fare_analysis *a, const fare_grid *grid, fare_analysis_keeper *keeper, fare_analysis_result **result)
{
  const double          began = fare_seconds();
  fare_analysis_result *r;
  PetscErrorCode        code;

  PetscFunctionBegin;
  PetscCall(PetscNew(result));
  r          = *result;
  r->of      = a;
  code       = compute(r, grid, keeper);
  r->seconds = fare_seconds() - began;
  if (code && code != FARE_ERR_FAILED && code != FARE_ERR_INPUT) PetscFunctionReturn(code);
  if (code) {
    r->failure = strdup(fare_error_message());
    PetscCall(fare_findings_free(&r->found));
    fare_warn("analysis %s: %s; the others go on", a->name, r->failure);
  } else {
    fare_log("analysis %s (%s): %.2f s", a->name, a->type->name, r->seconds);
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_analyses_run(size_t count, fare_analysis *const analyses[], const fare_grid *grid,
  fare_analysis_keeper *keeper, fare_analysis_result ***results)
{
  const MPI_Comm comm = keeper ? keeper->comm : grid->comm;

  PetscFunctionBegin;
  *results = calloc(count + 1, sizeof **results);
  if (!*results) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  for (size_t i = 0; i < count; i++) {
    PetscCall(fare_stop_check(comm, "the analyses"));
    PetscCall(fare_error_agree(comm, run_one(analyses[i], grid, keeper, &(*results)[i])));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_analysis_results_destroy(fare_analysis_result ***results)
{
  PetscFunctionBegin;
  for (fare_analysis_result **r = *results; r && *r; r++) {
    PetscCall(fare_findings_free(&(*r)->found));
    free((*r)->failure);
    for (int k = 0; k < FARE_ANALYSIS_GRIDS; k++) PetscCall(fare_grid_destroy(&(*r)->grid[k]));
    PetscCall(PetscFree(*r));
  }
  free(*results);
  *results = NULL;
  PetscFunctionReturn(0);
}

PetscErrorCode fare_analyses_save(fare_analysis_result *const results[], fare_store *store)
{
  char group[128];

  PetscFunctionBegin;
  if (results && *results) PetscCall(fare_store_group(store, "/analysis"));
  for (fare_analysis_result *const *r = results; r && *r; r++) {
    const fare_analysis *a = (*r)->of;

    snprintf(group, sizeof group, "/analysis/%s", a->name);
    PetscCall(fare_store_group(store, group));
    PetscCall(fare_store_put_string(store, group, "kind", a->type->name));
    PetscCall(fare_store_put_string(store, group, "summary", a->type->summary));
    PetscCall(fare_store_put_real(store, group, "time", a->time));
    PetscCall(fare_store_put_real(store, group, "seconds", (*r)->seconds));
    if ((*r)->failure) PetscCall(fare_store_put_string(store, group, "failure", (*r)->failure));
    PetscCall(fare_findings_save(&(*r)->found, (*r)->grid[0], store, group));
  }
  PetscFunctionReturn(0);
}

void fare_analyses_print(fare_analysis_result *const results[], FILE *to)
{
  static const char *const names[] = {"analysis", "quantity", "value", "error", "plain", ""};
  fare_table              *table;

  if (!results || !*results) return;
  fprintf(to,
    "\nAnalyses of the grid (errors estimated by half as many cells per axis; plain: not extrapolated)\n");
  fare_table_create(PETSC_STATIC_ARRAY_LENGTH(names), &table);
  fare_table_headings(table, names);
  for (fare_analysis_result *const *r = results; *r; r++)
    fare_findings_print(&(*r)->found, (*r)->of->name, table);
  fare_table_print(table, to);
  fare_table_destroy(&table);
  for (fare_analysis_result *const *r = results; *r; r++) {
    if ((*r)->failure)
      fprintf(to, "\nAnalysis %s failed: %s\n", (*r)->of->name, (*r)->failure);
    else if ((*r)->of->type->print)
      (*r)->of->type->print(&(*r)->found, (*r)->of->name, to);
  }
}

PetscErrorCode fare_analysis_value(
  const fare_analysis_result *result, const char *name, size_t i, double *value, double *error)
{
  const fare_finding *f = fare_findings_find(&result->found, name);

  PetscFunctionBegin;
  if (result->failure) FARE_FAIL(FARE_ERR_FAILED, "%s", result->failure);
  if (!f || i >= f->extent[0] * f->extent[1])
    FARE_FAIL(FARE_ERR_INPUT, "analysis '%s' has no value '%s' at %zu", result->of->name, name, i);
  *value = f->value[i];
  if (error) *error = f->error ? f->error[i] : NAN;
  PetscFunctionReturn(0);
}
