/* SPDX-License-Identifier: BSD-2-Clause */
/* The plan's `infer:` read, checked, compared and written back. */
#include "options.h"

#include "potential.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const designs[]   = {"snapshots", "trajectories", NULL};
static const char *const intervals[] = {"fisher", "profile", NULL};
static const char *const firsts[]    = {"flat", "initial", NULL};

#define AT(member) offsetof(fare_infer_line, member)
const fare_field fare_infer_fields[] = {
  {"name", FARE_STRING, AT(name), NULL, 0, 0, NULL, "", "letters, digits, _ and -"},
  {"parameters", FARE_NODE, AT(parameters), "", 0, 0, NULL, "",
    "parameters to estimate: names, or a map of names and first guesses; not for dissipation"},
  {"method", FARE_NODE, AT(method), "", 0, 0, NULL, "",
    "one of `fare list inferences`, or a list of them; default: likelihood"},
  {"file", FARE_STRING, AT(file), "", 0, 0, NULL, "",
    "tracks, in HDF5 or CSV; default: simulated with the study's own parameters"},
  {"lag", FARE_REALS, AT(lag), "", 1e-12, 1e9, NULL, "time",
    "time between observations, or several; for a file, default: those of the data"},
  {"tracks", FARE_INTEGER, AT(tracks), "1", 1, 1e7, NULL, "", "number of simulated tracks"},
  {"transitions", FARE_INTEGER, AT(transitions), "1000", 1, 1e8, NULL, "", "lags of each simulated track"},
  {"unpaired", FARE_BOOLEAN, AT(unpaired), "false", 0, 0, NULL, "",
    "observe each simulated track once, at the next of the times in turn: snapshots"},
  {"settle", FARE_REAL, AT(settle), "0", 0, 1e9, NULL, "time",
    "from the initial density to the first observation of simulated tracks"},
  {"dt", FARE_REAL, AT(dt), "1.0e-3", 1e-12, 1e3, NULL, "time", "largest time step of the simulation"},
  {"noise", FARE_REAL, AT(noise), "0", 0, 1e9, NULL, "length",
    "standard deviation of simulated observations, or of a file that does not give it"},
  {"epsilon", FARE_REAL, AT(epsilon), "0.05", 1e-6, 1e6, NULL, "",
    "for waddington: of the couplings, in units of the mean squared distance of two snapshots"},
  {"features", FARE_INTEGER, AT(features), "3", 0, 12, NULL, "",
    "for dissipation: degree of the polynomials, or number of sines and cosines, of a current"},
  {"folds", FARE_INTEGER, AT(folds), "5", 2, 100, NULL, "",
    "for dissipation: parts of the data; each is evaluated with weights from the others"},
  {"bins", FARE_INTEGER, AT(bins), "8", 2, 16, NULL, "", "for path_kl, per axis"},
  {"cells", FARE_INTEGERS, AT(cells), "", 8, 1e6, NULL, "", "per axis, even; default: those of the truth"},
  {"intervals", FARE_CHOICE, AT(intervals), "fisher", 0, 0, intervals, "",
    "for likelihood: by the Fisher information, or by the profile"},
  {"first", FARE_CHOICE, AT(first), "flat", 0, 0, firsts, "",
    "density at a track's first observation, if noisy: flat, or evolved from the initial one"},
  {"posterior", FARE_NODE, AT(posterior), "", 0, 0, NULL, "",
    "for likelihoods: {draws: 4000, prior: {kT: {mean: 0.5, sd: 0.1}, tilt: {low: -1, high: 1}}}"},
  {"potential", FARE_NODE, AT(potential), "", 0, 0, NULL, "",
    "for likelihoods: estimate V without a formula, {knots: 16, lower: -2, upper: 2, smoothness: auto}"},
  {"repeats", FARE_INTEGER, AT(repeats), "1", 1, 1e5, NULL, "",
    "independent simulated data sets, which show whether errors and intervals are right"},
  {"limits", FARE_BOOLEAN, AT(limits), "true", 0, 0, NULL, "",
    "with simulated data, compute what a method would find from infinitely many data"},
  {"design", FARE_CHOICE, AT(design), "snapshots", 0, 0, designs, "",
    "for identifiability: snapshots at `times`, or `tracks` of `transitions` at each `lag`"},
  {"particles", FARE_INTEGER, AT(particles), "1000", 1, 1e12, NULL, "", "in each snapshot of a design"},
  {"times", FARE_REALS, AT(times), "", -1e9, 1e9, NULL, "time", "of the snapshots of a design"},
  {"others", FARE_REALS, AT(others), "", -1e9, 1e9, NULL, "time",
    "times or lags that a better design may use; default: evenly spaced times"},
  {"starts", FARE_NODE, AT(starts), "", 0, 0, NULL, "",
    "initial densities that a better design may use, a list of maps like `initial`"},
  FARE_FIELDS_END,
};

PetscErrorCode fare_infer_describe(const char *method, FILE *to)
{
  const fare_infer_type *type = fare_infer_type_at(fare_name_index(method, fare_infer_name_at));

  PetscFunctionBegin;
  if (!type) FARE_FAIL(FARE_ERR_INPUT, "there is no method of inference '%s'", method);
  fprintf(to, "inference %s: %s\n%s\n\n", type->name, type->summary, type->reference);
  fprintf(to, "Keys of a line of the section `infer`:\n");
  fare_fields_describe(fare_infer_fields, to);
  if (!type->prepare) PetscFunctionReturn(0);
  fprintf(to, "\nKeys of `potential`:\n");
  fare_fields_describe(fare_potential_fields, to);
  PetscFunctionReturn(0);
}

static PetscErrorCode add_method(const fare_node *node, const fare_system *system, fare_infer_line *l)
{
  const fare_infer_type *type;
  size_t                 which;

  PetscFunctionBegin;
  PetscCall(fare_node_choose(node, "method of inference", fare_infer_name_at, &which));
  type = fare_infer_type_at(which);
  if (fare_system_dimension(system) > type->dim_max)
    FARE_REFUSE(node, "%s works in up to %d axes, the system has %d", type->name, type->dim_max,
      fare_system_dimension(system));
  if (fare_system_is_driven(system) && !type->driven)
    FARE_REFUSE(node, "%s is for systems that nothing drives: leave out the section 'drive'", type->name);
  for (size_t i = 0; i < l->methods; i++)
    if (l->type[i] == type) FARE_REFUSE(node, "the method is listed twice");
  if (l->methods == FARE_INFER_METHODS) FARE_REFUSE(node, "at most %d methods", FARE_INFER_METHODS);
  l->type[l->methods++] = type;
  PetscFunctionReturn(0);
}

static PetscErrorCode read_methods(const fare_system *system, fare_infer_line *l)
{
  PetscFunctionBegin;
  if (!l->method) {
    l->type[l->methods++] = fare_infer_type_at(0);
  } else if (fare_node_kind_of(l->method) == FARE_NODE_LIST) {
    if (!fare_node_size(l->method)) FARE_REFUSE(l->method, "expected at least one method");
    for (size_t i = 0; i < fare_node_size(l->method); i++)
      PetscCall(add_method(fare_node_item(l->method, i), system, l));
  } else {
    PetscCall(add_method(l->method, system, l));
  }
  PetscFunctionReturn(0);
}

/* A name, and what the search begins with: what the map says, or the study's own value. */
static PetscErrorCode add_parameter(const fare_node *at, const char *name, const fare_node *guess,
  const fare_system *system, fare_infer_line *l)
{
  const fare_parameter *table = fare_system_type_of(system)->parameters, *row = table;
  double                theta[FARE_PARAMETERS_MAX];
  const char           *names[FARE_PARAMETERS_MAX];
  size_t                count = 0;

  PetscFunctionBegin;
  if (l->sought) PetscCall(fare_potential_check_beside(at, name, l));
  for (; row->name && strcmp(row->name, name); row++) names[count++] = row->name;
  if (!row->name) {
    PetscErrorCode code;
    fare_text      nearest = {0};

    fare_text_add_nearest(&nearest, name, names, count);
    code = fare_node_error(at, "system '%s' has no parameter '%s'%s", fare_system_type_of(system)->name, name,
      nearest.text ? nearest.text : "");
    fare_text_free(&nearest);
    PetscFunctionReturn(code);
  }
  if (l->count == FARE_INFER_MAX) FARE_REFUSE(at, "at most %d parameters", FARE_INFER_MAX);
  for (int i = 0; i < l->count; i++)
    if (!strcmp(l->parameter[i], name)) FARE_REFUSE(at, "parameter '%s' is listed twice", name);
  fare_system_base(system, theta);
  l->guess[l->count] = theta[row - table];
  if (guess) PetscCall(fare_node_real(guess, &l->guess[l->count]));
  if (!(l->guess[l->count] >= row->min && l->guess[l->count] <= row->max))
    FARE_REFUSE(at, "%s = %g is outside [%g, %g]", name, l->guess[l->count], row->min, row->max);
  l->parameter[l->count++] = row->name;
  PetscFunctionReturn(0);
}

static PetscErrorCode read_parameters(const fare_system *system, fare_infer_line *l)
{
  const fare_node *node  = l->parameters;
  const char      *seeks = l->type[0]->seeks;
  fare_node_kind   kind;

  PetscFunctionBegin;
  for (size_t i = 1; i < l->methods; i++) {
    if (!seeks != !l->type[i]->seeks)
      FARE_REFUSE(l->method, "%s and %s estimate different things: put them in entries of their own",
        l->type[0]->name, l->type[i]->name);
  }
  if (seeks) {
    if (node) FARE_REFUSE(node, "%s estimates no parameters: remove the key", l->type[0]->name);
    l->parameter[l->count++] = seeks;
    PetscFunctionReturn(0);
  }
  if (!node && l->sought) {
    fare_potential_add_knots(l);
    PetscFunctionReturn(0);
  }
  if (!node) FARE_REFUSE(l->node, "missing key 'parameters'");
  kind = fare_node_kind_of(node);
  if (kind == FARE_NODE_SCALAR || !fare_node_size(node))
    FARE_REFUSE(node, "expected names of parameters, [kT], or a map of first guesses, {kT: 0.6}");
  for (size_t i = 0; i < fare_node_size(node); i++) {
    const fare_node *item = fare_node_item(node, i);

    if (kind == FARE_NODE_MAP) {
      PetscCall(add_parameter(item, fare_node_key(node, i), item, system, l));
    } else {
      if (fare_node_kind_of(item) != FARE_NODE_SCALAR) FARE_REFUSE(item, "expected the name of a parameter");
      PetscCall(add_parameter(item, fare_node_text(item), NULL, system, l));
    }
  }
  if (l->sought) fare_potential_add_knots(l);
  PetscFunctionReturn(0);
}

static PetscErrorCode check_cells(const fare_infer_study *study, fare_infer_line *l)
{
  const fare_integers *cells = l->cells.count ? &l->cells : &study->truth->cells;
  const fare_node     *at    = l->cells.count ? fare_node_find(l->node, "cells") : l->node;
  const size_t         dim   = (size_t)fare_system_dimension(study->system);

  PetscFunctionBegin;
  if (!cells->count)
    FARE_REFUSE(l->node, "add a key 'cells': those of the truth follow from its accuracy in a run only");
  if (cells->count != dim)
    FARE_REFUSE(at, "expected %zu number%s for a %zu-dimensional system, got %zu", dim, dim > 1 ? "s" : "",
      dim, cells->count);
  for (size_t axis = 0; axis < dim; axis++) {
    if (cells->values[axis] % 2)
      FARE_REFUSE(at, "expected even numbers, as half as many cells give the error; got %lld",
        (long long)cells->values[axis]);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode check_line(const fare_infer_study *study, const fare_infer_line *l)
{
  PetscFunctionBegin;
  if (study->truth->fit_domain)
    FARE_REFUSE(l->node, "inference needs a box that is known: give truth.lower and truth.upper");
  for (size_t i = 0; i < study->truth->boundaries.count; i++) {
    if (study->truth->boundaries.values[i] >= FARE_BOUNDARY_ABSORBING)
      FARE_REFUSE(l->node, "axis %s has an absorbing boundary: tracks that end there are not supported",
        fare_system_axis_name(study->system, (int)i));
  }
  PetscFunctionReturn(0);
}

/* What `posterior` says of one parameter. */
static PetscErrorCode read_prior(
  const fare_node *node, const fare_infer_line *l, const char *name, fare_posterior *to)
{
  static const fare_field fields[] = {
    {"low", FARE_REAL, offsetof(fare_prior, low), "-1e300", -1e300, 1e300, NULL, "", "smallest value"},
    {"high", FARE_REAL, offsetof(fare_prior, high), "1e300", -1e300, 1e300, NULL, "", "largest value"},
    {"mean", FARE_REAL, offsetof(fare_prior, mean), "0", -1e300, 1e300, NULL, "", "of a Gaussian"},
    {"sd", FARE_REAL, offsetof(fare_prior, sd), "0", 0, 1e300, NULL, "", "of a Gaussian"},
    FARE_FIELDS_END,
  };
  fare_prior prior;
  int        k = 0;

  PetscFunctionBegin;
  while (k < l->count && strcmp(l->parameter[k], name)) k++;
  if (k == l->count) FARE_REFUSE(node, "'%s' is no parameter of this inference", name);
  PetscCall(fare_fields_read(fields, NULL, node, &prior));
  if (!(prior.low < prior.high)) FARE_REFUSE(node, "low: %g is not below high: %g", prior.low, prior.high);
  if (fare_node_find(node, "mean") && !(prior.sd > 0)) FARE_REFUSE(node, "a Gaussian needs 'sd' above 0");
  to->prior[k] = prior;
  PetscFunctionReturn(0);
}

static PetscErrorCode read_posterior(fare_infer_line *l)
{
  typedef struct {
    PetscInt64       draws;
    const fare_node *prior;
  } keys;
  static const fare_field fields[] = {
    {"draws", FARE_INTEGER, offsetof(keys, draws), "4000", 100, 1e7, NULL, "", "number, from four chains"},
    {"prior", FARE_NODE, offsetof(keys, prior), "", 0, 0, NULL, "", "a map of parameters; default: flat"},
    FARE_FIELDS_END,
  };
  keys got;

  PetscFunctionBegin;
  for (int k = 0; k < FARE_INFER_MAX; k++) l->asked.prior[k] = (fare_prior){-HUGE_VAL, HUGE_VAL, 0, 0};
  if (!l->posterior) PetscFunctionReturn(0);
  if (fare_node_kind_of(l->posterior) != FARE_NODE_MAP)
    FARE_REFUSE(l->posterior, "expected a map, {draws: 4000}");
  for (size_t i = 0; i < l->methods; i++)
    if (!l->type[i]->likely) FARE_REFUSE(l->posterior, "%s has no likelihood to draw from", l->type[i]->name);
  PetscCall(fare_fields_read(fields, NULL, l->posterior, &got));
  l->asked.draws = got.draws;
  if (got.prior && fare_node_kind_of(got.prior) != FARE_NODE_MAP)
    FARE_REFUSE(got.prior, "expected a map, {kT: {mean: 0.5, sd: 0.1}}");
  for (size_t i = 0; got.prior && i < fare_node_size(got.prior); i++)
    PetscCall(read_prior(fare_node_item(got.prior, i), l, fare_node_key(got.prior, i), &l->asked));
  PetscFunctionReturn(0);
}

PetscBool fare_infer_is_design(const fare_infer_line *l)
{
  for (size_t i = 0; i < l->methods; i++)
    if (l->type[i]->judge) return PETSC_TRUE;
  return PETSC_FALSE;
}

static PetscErrorCode check_design(const fare_infer_study *study, const fare_infer_line *l)
{
  const fare_reals *asked = l->design == FARE_DESIGN_SNAPSHOTS ? &l->times : &l->lag;
  const char       *key   = l->design == FARE_DESIGN_SNAPSHOTS ? "times" : "lag";

  PetscFunctionBegin;
  if (l->methods > 1) FARE_REFUSE(l->method, "identifiability must be the only method of its entry");
  if (l->file) FARE_REFUSE(fare_node_find(l->node, "file"), "identifiability takes no data: remove 'file'");
  if (l->noise > 0)
    FARE_REFUSE(
      fare_node_find(l->node, "noise"), "identifiability assumes observations without noise: remove it");
  if (!asked->count) FARE_REFUSE(l->node, "add '%s', of which the design consists", key);
  if (l->design == FARE_DESIGN_TRAJECTORIES && fare_system_is_driven(study->system))
    FARE_REFUSE(l->node, "trajectories of driven systems are not supported: take 'design: snapshots'");
  for (size_t i = 0; l->design == FARE_DESIGN_SNAPSHOTS && i < l->times.count + l->others.count; i++) {
    const double t = i < l->times.count ? l->times.values[i] : l->others.values[i - l->times.count];

    if (!(t >= study->start))
      FARE_REFUSE(fare_node_find(l->node, i < l->times.count ? "times" : "others"),
        "%g is before the study's start, %g", t, study->start);
  }
  if (l->starts && fare_node_kind_of(l->starts) != FARE_NODE_LIST)
    FARE_REFUSE(l->starts, "expected a list of initial densities, [{density: gaussian, ...}]");
  for (size_t i = 0; l->starts && i < fare_node_size(l->starts); i++) {
    fare_initial   initial = {0};
    PetscErrorCode code    = fare_initial_from_config(fare_node_item(l->starts, i), study->system, &initial);

    fare_initial_free(&initial);
    PetscCall(code);
  }
  PetscFunctionReturn(0);
}

PetscBool fare_infer_is_simulated(const fare_infer *infer, const fare_infer_line *l)
{
  return infer->file || l->file ? PETSC_FALSE : PETSC_TRUE;
}

fare_infer_context fare_infer_context_of(
  const fare_infer *infer, const fare_infer_line *l, MPI_Comm comm, double lag)
{
  const fare_infer_study *study = &infer->study;
  const fare_integers    *cells = l->cells.count ? &l->cells : &study->truth->cells;
  fare_infer_context      c     = {.comm = comm,
             .study                      = study,
             .box                        = fare_truth_box(study->system, study->truth),
             .count                      = l->count,
             .name                       = l->parameter,
             .guess                      = l->guess,
             .profile                    = l->intervals ? PETSC_TRUE : PETSC_FALSE,
             .lag                        = lag,
             .epsilon                    = l->epsilon,
             .features                   = (int)l->features,
             .folds                      = (int)l->folds,
             .bins                       = (int)l->bins,
             .noise                      = l->noise,
             .settle                     = l->settle,
             .first                      = l->first,
             .posterior                  = l->asked,
             .potential                  = l->sought,
             .transitions                = (double)l->transitions};

  for (int axis = 0; axis < fare_system_dimension(study->system); axis++) {
    c.cells[axis]    = (PetscInt)cells->values[axis];
    c.boundary[axis] = c.box.periodic[axis] ? FARE_BOUNDARY_PERIODIC : FARE_BOUNDARY_REFLECTING;
  }
  c.posterior.seed = study->seed;
  snprintf(c.posterior.stream, sizeof c.posterior.stream, "infer/%s/%.9g/posterior", l->name, lag);
  return c;
}

/* Whether methods are for this system and these parameters. */
static PetscErrorCode check_methods(const fare_infer *infer, const fare_infer_line *l)
{
  fare_infer_context c = fare_infer_context_of(infer, l, PETSC_COMM_SELF, 0);

  PetscFunctionBegin;
  for (size_t i = 0; i < l->methods; i++) {
    c.type = l->type[i];
    if (c.type->check && c.type->check(&c)) FARE_REFUSE(l->node, "%s", fare_error_message());
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_infer_check_data(const fare_infer *infer, const fare_infer_line *l)
{
  PetscFunctionBegin;
  if (fare_infer_is_simulated(infer, l)) {
    if (!l->lag.count)
      FARE_REFUSE(l->node, "add 'lag', the time between observations of simulated tracks, or 'file'");
    for (size_t k = 0; k < l->lag.count; k++)
      if (l->dt > 0.1 * l->lag.values[k] * (1 + 1e-9))
        FARE_REFUSE(l->node, "dt: %g is too long a step for a lag of %g: take %g or less", l->dt,
          l->lag.values[k], 0.1 * l->lag.values[k]);
    PetscFunctionReturn(0);
  }
  if (l->repeats > 1)
    FARE_REFUSE(fare_node_find(l->node, "repeats"), "repeats are of simulated data: remove the file or this");
  for (size_t i = 0; i < l->methods; i++)
    if (l->type[i]->unpaired && l->lag.count)
      FARE_REFUSE(fare_node_find(l->node, "lag"), "%s takes all observations of a file: remove 'lag'",
        l->type[i]->name);
  PetscFunctionReturn(0);
}

static PetscErrorCode read_line(const fare_node *node, fare_infer *infer, fare_infer_line *l)
{
  PetscFunctionBegin;
  if (fare_node_kind_of(node) != FARE_NODE_MAP)
    FARE_REFUSE(node, "expected a map {name: ..., parameters: [...], ...}");
  l->node = node;
  PetscCall(fare_fields_read(fare_infer_fields, NULL, node, l));
  PetscCall(fare_node_check_name(fare_node_find(node, "name")));
  for (const fare_infer_line *other = infer->line; other < l; other++) {
    if (!strcmp(other->name, l->name))
      FARE_REFUSE(fare_node_find(node, "name"), "there is an inference '%s' already", l->name);
  }
  if (l->file && !*l->file) {
    free(l->file);
    l->file = NULL;
  }
  PetscCall(read_methods(infer->study.system, l));
  PetscCall(fare_potential_read(&infer->study, l));
  PetscCall(read_parameters(l->sought ? l->sought->system : infer->study.system, l));
  PetscCall(read_posterior(l));
  PetscCall(check_cells(&infer->study, l));
  PetscCall(check_line(&infer->study, l));
  PetscCall(check_methods(infer, l));
  if (fare_infer_is_design(l))
    PetscCall(check_design(&infer->study, l));
  else if (l->file)
    PetscCall(fare_infer_check_data(infer, l));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_infer_from_config(
  const fare_node *list, const fare_infer_study *study, fare_infer **infer)
{
  PetscErrorCode code = 0;

  PetscFunctionBegin;
  *infer = NULL;
  if (!list) PetscFunctionReturn(0);
  if (fare_node_kind_of(list) != FARE_NODE_LIST)
    FARE_REFUSE(list, "expected a list of maps {name: ..., parameters: [...], ...}");
  PetscCall(PetscNew(infer));
  (*infer)->study = *study;
  PetscCall(PetscCalloc1(fare_node_size(list) + 1, &(*infer)->line));
  for (size_t i = 0; i < fare_node_size(list) && !code; i++) {
    (*infer)->lines = i + 1;
    code            = read_line(fare_node_item(list, i), *infer, &(*infer)->line[i]);
  }
  if (code) PetscCall(fare_infer_destroy(infer));
  PetscFunctionReturn(code);
}

PetscErrorCode fare_infer_destroy(fare_infer **infer)
{
  PetscFunctionBegin;
  if (!*infer) PetscFunctionReturn(0);
  for (size_t i = 0; i < (*infer)->lines; i++) {
    PetscCall(fare_potential_destroy(&(*infer)->line[i].sought));
    fare_fields_free(fare_infer_fields, &(*infer)->line[i]);
  }
  free((*infer)->file);
  PetscCall(PetscFree((*infer)->line));
  PetscCall(PetscFree(*infer));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_infer_set_file(fare_infer *infer, const char *path)
{
  PetscFunctionBegin;
  free(infer->file);
  infer->file = strdup(path);
  if (!infer->file) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  PetscFunctionReturn(0);
}

static void write_node(const char *key, const fare_node *node, fare_text *to)
{
  if (!node) return;
  fare_text_add(to, "    %s: ", key);
  fare_node_write(node, to);
  fare_text_add(to, "\n");
}

void fare_infer_write(const fare_infer *infer, fare_text *to)
{
  if (!infer) return;
  fare_text_add(to, "infer:\n");
  for (size_t i = 0; i < infer->lines; i++) {
    const fare_infer_line *l = &infer->line[i];

    fare_text_add(to, "  -\n");
    fare_fields_write(fare_infer_fields, l, 4, to);
    write_node("parameters", l->parameters, to);
    write_node("method", l->method, to);
    write_node("starts", l->starts, to);
    write_node("posterior", l->posterior, to);
    write_node("potential", l->potential, to);
  }
}

PetscErrorCode fare_infer_compare(const fare_infer *infer, const fare_node *list, fare_difference *difference)
{
  static const char *const nodes[] = {"parameters", "method", "starts", "posterior", "potential"};
  const size_t             count   = infer ? infer->lines : 0;
  char                     path[128], key[256];

  PetscFunctionBegin;
  for (size_t i = 0; i < count && difference->kind == FARE_ALIKE; i++) {
    const fare_infer_line *l      = &infer->line[i];
    const fare_node       *before = fare_node_named(list, l->name);

    fare_key_join("infer", l->name, sizeof path, path);
    PetscCall(fare_fields_compare(fare_infer_fields, NULL, before, l, path, difference));
    for (size_t k = 0; k < PETSC_STATIC_ARRAY_LENGTH(nodes); k++) {
      fare_key_join(path, nodes[k], sizeof key, key);
      PetscCall(fare_nodes_compare(
        fare_node_find(before, nodes[k]), fare_node_find(l->node, nodes[k]), key, difference));
    }
  }
  fare_counts_compare(list ? fare_node_size(list) : 0, count, "infer", difference);
  PetscFunctionReturn(0);
}
