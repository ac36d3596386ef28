/* SPDX-License-Identifier: BSD-2-Clause */
/* From a study file to a plan: every section read and checked before anything runs. */
#include "plan.h"

#include <fare/product.h>

#include <stdlib.h>
#include <string.h>

/* The file's own keys. Sections are read by the nouns they are about. */
typedef struct {
  char            *study, *condition;
  PetscInt64       seed;
  const fare_node *system, *drive, *initial, *snapshots, *truth, *analysis, *events, *rare, *control, *infer,
    *thermodynamics, *ensembles, *measures, *record, *output, *sweep;
} sections;

#define AT(member) offsetof(sections, member)
const fare_field fare_plan_fields[] = {
  {"study", FARE_STRING, AT(study), NULL, 0, 0, NULL, "", "name of the study: letters, digits, _ and -"},
  {"seed", FARE_INTEGER, AT(seed), "1", 0, 0x1p53 - 1, NULL, "", "seed of all random numbers"},
  {"system", FARE_NODE, AT(system), NULL, 0, 0, NULL, "", "the physical system"},
  {"drive", FARE_NODE, AT(drive), "", 0, 0, NULL, "", "list of waveforms on the system's parameters"},
  {"initial", FARE_NODE, AT(initial), "", 0, 0, NULL, "", "initial density"},
  {"snapshots", FARE_NODE, AT(snapshots), NULL, 0, 0, NULL, "", "times of the snapshots"},
  {"truth", FARE_NODE, AT(truth), "", 0, 0, NULL, "", "grid and solver of the ground truth; omit for none"},
  {"analysis", FARE_NODE, AT(analysis), "", 0, 0, NULL, "",
    "list of analyses on the grid: steady states, rates, passage times, committors"},
  {"events", FARE_NODE, AT(events), "", 0, 0, NULL, "", "list of rare events"},
  {"rare", FARE_NODE, AT(rare), "", 0, 0, NULL, "", "list of estimators of their probabilities"},
  {"condition", FARE_STRING, AT(condition), "", 0, 0, NULL, "",
    "name of an estimator by splitting: ensembles learn from the paths that lead to its event, and are "
    "compared with their exact density"},
  {"control", FARE_NODE, AT(control), "", 0, 0, NULL, "", "list of drives to be optimised on the grid"},
  {"infer", FARE_NODE, AT(infer), "", 0, 0, NULL, "", "list of inferences of parameters from tracks"},
  {"thermodynamics", FARE_NODE, AT(thermodynamics), "", 0, 0, NULL, "",
    "energy, entropy, work, heat and entropy production of the truth; {} for all defaults"},
  {"ensembles", FARE_NODE, AT(ensembles), "", 0, 0, NULL, "", "list of samplers to compare"},
  {"measures", FARE_NODE, AT(measures), "", 0, 0, NULL, "",
    "list of divergences; default: all that are defined in this dimension"},
  {"record", FARE_NODE, AT(record), "", 0, 0, NULL, "", "what is stored of ensembles; default: everything"},
  {"output", FARE_NODE, AT(output), "", 0, 0, NULL, "", "location of the results"},
  {"sweep", FARE_NODE, AT(sweep), "", 0, 0, NULL, "",
    "list of keys and their values; each point of the sweep is a study"},
  FARE_FIELDS_END,
};

const fare_field fare_plan_output_fields[] = {
  {"directory", FARE_STRING, offsetof(fare_plan_output, directory), "", 0, 0, NULL, "",
    "directory to create; must not exist; default: out/STUDY"},
  FARE_FIELDS_END,
};

/* Of a truth on a grid, or of one without. */
static const fare_measure_type *measure_at(const fare_plan *plan, size_t i)
{
  return plan->joint ? fare_joint_measure_at(i) : fare_measure_type_at(i);
}

static const char *grid_measure_name_at(size_t i)
{
  return fare_measure_type_at(i) ? fare_measure_type_at(i)->name : NULL;
}

static const char *joint_measure_name_at(size_t i)
{
  return fare_joint_measure_at(i) ? fare_joint_measure_at(i)->name : NULL;
}

/* Whether some generator has a density of its own in any number of axes. */
static PetscBool has_log_density(const fare_plan *plan)
{
  for (size_t i = 0; i < plan->ensembles; i++) {
    if (fare_sampler_type_has_log_density(
          plan->ensemble[i].type, fare_plan_ensemble_mode(&plan->ensemble[i])))
      return PETSC_TRUE;
  }
  return PETSC_FALSE;
}

/* FARE_ERR_INPUT where a measure is not defined here. */
static PetscErrorCode check_measure(const fare_plan *plan, const fare_measure_type *type)
{
  const int dim = fare_system_dimension(plan->system);

  PetscFunctionBegin;
  if (plan->joint)
    PetscFunctionReturn(fare_joint_measure_check(type, plan->joint, dim, has_log_density(plan)));
  if (type->dimension_max && dim > type->dimension_max)
    FARE_FAIL(FARE_ERR_INPUT, "measure '%s' is defined in up to %d dimension%s, the system has %d",
      type->name, type->dimension_max, type->dimension_max > 1 ? "s" : "", dim);
  PetscFunctionReturn(0);
}

static PetscErrorCode read_measure(fare_plan *plan, const fare_node *node)
{
  const fare_measure_type *type;

  PetscFunctionBegin;
  if (fare_node_kind_of(node) != FARE_NODE_SCALAR) FARE_REFUSE(node, "expected the name of a measure");
  type = plan->joint ? fare_joint_measure_find(fare_node_text(node))
                     : fare_measure_type_find(fare_node_text(node));
  if (!type)
    PetscCall(fare_node_unknown(node, "measure", plan->joint ? joint_measure_name_at : grid_measure_name_at));
  if (check_measure(plan, type)) FARE_REFUSE(node, "%s", fare_error_message());
  for (size_t k = 0; k < plan->measures; k++) {
    if (plan->measure[k] == type) FARE_REFUSE(node, "duplicate measure '%s'", type->name);
  }
  plan->measure[plan->measures++] = type;
  PetscFunctionReturn(0);
}

static PetscErrorCode read_measures(fare_plan *plan, const fare_node *list)
{
  size_t most = list && fare_node_kind_of(list) == FARE_NODE_LIST ? fare_node_size(list) : 0;

  PetscFunctionBegin;
  if (list && fare_node_kind_of(list) != FARE_NODE_LIST)
    FARE_REFUSE(list, "expected a list of measures, for instance [kl, wasserstein_1]");
  if (list && most && !plan->has_truth && !plan->joint)
    FARE_REFUSE(list, "measures compare with a truth: add a section 'truth'");
  while (!list && measure_at(plan, most)) most++;
  plan->measure = calloc(PetscMax(1, most), sizeof *plan->measure);
  if (!plan->measure) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  if (!plan->has_truth && !plan->joint) PetscFunctionReturn(0);
  for (size_t i = 0; !list && i < most; i++) {
    const fare_measure_type *type = measure_at(plan, i);

    if (plan->joint && !fare_joint_measure_is_usual(type)) continue;
    if (!check_measure(plan, type)) plan->measure[plan->measures++] = type;
  }
  for (size_t i = 0; list && i < most; i++) PetscCall(read_measure(plan, fare_node_item(list, i)));
  PetscFunctionReturn(0);
}

static PetscErrorCode read_output(fare_plan *plan, const fare_node *node)
{
  fare_plan_output output = {0};

  PetscFunctionBegin;
  PetscCall(fare_fields_read(fare_plan_output_fields, NULL, node, &output));
  if (output.directory && !*output.directory) {
    fare_fields_free(fare_plan_output_fields, &output);
    FARE_REFUSE(fare_node_find(node, "directory"), "expected a directory, got nothing");
  }
  plan->directory = output.directory;
  if (!plan->directory) {
    fare_text text = {0};

    fare_text_add(&text, "out/%s", plan->study);
    plan->directory = text.text;
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode read_snapshots(fare_plan *plan, const fare_node *node)
{
  PetscFunctionBegin;
  PetscCall(fare_fields_read(fare_schedule_fields, NULL, node, &plan->snapshots));
  if (!(plan->snapshots.end > plan->snapshots.start))
    FARE_REFUSE(fare_node_find(node, "end"), "the end must lie after the start (%g), got %g",
      plan->snapshots.start, plan->snapshots.end);
  PetscFunctionReturn(0);
}

static const char *kind_at(size_t i)
{
  if (!i) return "grid";
  return fare_joint_type_at(i - 1) ? fare_joint_type_at(i - 1)->name : NULL;
}

/* On a grid, or of another kind. */
static PetscErrorCode read_truth(fare_plan *plan, const fare_node *node)
{
  const fare_node *kind = fare_node_find(node, "kind");
  const int        dim  = fare_system_dimension(plan->system);

  PetscFunctionBegin;
  if (kind && fare_node_kind_of(kind) != FARE_NODE_SCALAR)
    FARE_REFUSE(kind, "expected one of `fare list truths`");
  if (kind && strcmp(fare_node_text(kind), kind_at(0))) {
    plan->joint = fare_joint_type_find(fare_node_text(kind));
    if (!plan->joint) PetscCall(fare_node_unknown(kind, "kind of truth", kind_at));
    PetscCall(fare_joint_options_read(plan->joint, node, plan->system, &plan->initial, &plan->joint_options));
    plan->joint = fare_joint_type_for(plan->joint, plan->system, &plan->initial);
    PetscFunctionReturn(0);
  }
  if (dim > FARE_DIM_MAX)
    FARE_REFUSE(kind ? kind : node,
      "a grid has up to %d axes, the system has %d: set 'kind' to another of `fare list truths`",
      FARE_DIM_MAX, dim);
  if (fare_product_is_lifted(fare_product_of(plan->system)))
    FARE_REFUSE(kind ? kind : node,
      "a grid knows the forces of a product before its lift alone: set 'kind' to product, without analyses, "
      "rare events and thermodynamics, or remove 'lift' from the system");
  PetscCall(fare_truth_options_from_config(node, plan->system, &plan->truth));
  plan->has_truth = PETSC_TRUE;
  PetscFunctionReturn(0);
}

/* What ensembles begin with has to be drawn: beyond a grid's axes not everything is, unless the truth does
 * it. */
static PetscErrorCode check_draws(const fare_plan *plan, const fare_node *node)
{
  const int dim = fare_system_dimension(plan->system);

  PetscFunctionBegin;
  if (dim <= FARE_DIM_MAX || plan->joint || fare_initial_is_gaussian(&plan->initial) ||
    plan->initial.density == FARE_INITIAL_UNIFORM)
    PetscFunctionReturn(0);
  FARE_REFUSE(node,
    "an initial Boltzmann density of %d axes cannot be drawn from: give another, say initial: {density: "
    "gaussian, "
    "mean: [0], sd: [1]}",
    dim);
}

/* Analyses and thermodynamics are sums over the cells of a grid. */
static PetscErrorCode check_grid(const fare_plan *plan, const fare_node *node, const char *what)
{
  PetscFunctionBegin;
  if (!node || plan->has_truth) PetscFunctionReturn(0);
  if (plan->joint)
    FARE_REFUSE(node,
      "%s a grid, which a truth of kind '%s' is not: remove this section, or study a system of up to %d axes "
      "with kind: grid",
      what, plan->joint->name, FARE_DIM_MAX);
  if (fare_system_dimension(plan->system) > FARE_DIM_MAX)
    FARE_REFUSE(node, "%s a grid, which has up to %d axes; the system has %d", what, FARE_DIM_MAX,
      fare_system_dimension(plan->system));
  FARE_REFUSE(node, "%s a grid: add a section 'truth'", what);
}

/*
  What lies outside the truth's box is not there for the truth: a gaussian begun outside would be squeezed
  into its last cells.
*/
static PetscErrorCode check_begins_inside(const fare_plan *plan, const fare_node *initial)
{
  const fare_box box = fare_truth_box(plan->system, &plan->truth);

  PetscFunctionBegin;
  for (size_t i = 0; i < plan->initial.mean.count && !plan->truth.fit_domain; i++) {
    const size_t axis = i % (size_t)fare_system_dimension(plan->system);
    const double mean = plan->initial.mean.values[i];

    if (box.periodic[axis] || (mean > box.lower[axis] && mean < box.upper[axis])) continue;
    FARE_REFUSE(fare_node_find(initial, "mean"), "%g lies outside the truth's box, [%g, %g]", mean,
      box.lower[axis], box.upper[axis]);
  }
  PetscFunctionReturn(0);
}

/*
  Methods other than simulation take a periodic axis to be one period long: their particles are brought back
  into it.
*/
static PetscErrorCode check_turns(const fare_plan *plan, const fare_node *truth)
{
  const fare_box own = fare_system_box(plan->system), box = fare_truth_box(plan->system, &plan->truth);

  PetscFunctionBegin;
  for (size_t i = 0; i < plan->ensembles; i++) {
    for (int axis = 0; axis < fare_system_dimension(plan->system); axis++) {
      if (!box.periodic[axis] || plan->ensemble[i].type->family == FARE_SIMULATION ||
        box.upper[axis] - box.lower[axis] < 1.5 * (own.upper[axis] - own.lower[axis]))
        continue;
      FARE_REFUSE(fare_node_find(truth, "upper"),
        "ensemble '%s' keeps its particles within one period along %s, so the truth's box cannot be several "
        "periods long",
        plan->ensemble[i].name, fare_system_axis_name(plan->system, axis));
    }
  }
  PetscFunctionReturn(0);
}

/* Paths on their way to an event at every snapshot, which no oracle knows. */
static PetscErrorCode check_condition(const fare_plan *plan, const fare_node *node)
{
  const fare_schedule *schedule = &plan->snapshots;
  double              *times;
  PetscErrorCode       code;

  PetscFunctionBegin;
  for (size_t i = 0; i < plan->ensembles; i++) {
    if (plan->ensemble[i].oracle)
      FARE_REFUSE(
        node, "ensemble '%s' is an oracle, which knows no density on a condition", plan->ensemble[i].name);
  }
  PetscCall(PetscMalloc1(schedule->count, &times));
  for (PetscInt64 k = 0; k < schedule->count; k++) times[k] = fare_schedule_time(schedule, k);
  code = fare_rare_reactive_check(plan->rare, plan->condition, (int)schedule->count, times, node);
  PetscCall(PetscFree(times));
  PetscFunctionReturn(code);
}

/* Marginals that a truth of many axes is to store: of axes that are there, in rising order. */
static PetscErrorCode check_recorded_axes(const fare_plan *plan, const fare_node *record)
{
  const fare_node     *node = fare_node_find(record, "axes");
  const fare_integers *axes = &plan->record.axes;
  const int            dim  = fare_system_dimension(plan->system);

  PetscFunctionBegin;
  if (!axes->count) PetscFunctionReturn(0);
  if (!plan->joint)
    FARE_REFUSE(node, "marginals are stored only for truths of many axes (truth.kind): remove this key");
  if (!plan->joint->marginal)
    FARE_REFUSE(node, "a truth of kind '%s' has no marginals to store: remove this key", plan->joint->name);
  for (size_t i = 0; i < axes->count; i++) {
    if (axes->values[i] > dim)
      FARE_REFUSE(node, "there is no axis %lld, the system has %d", (long long)axes->values[i], dim);
    if (i && axes->values[i] <= axes->values[i - 1])
      FARE_REFUSE(node, "expected axes in increasing order, got %lld after %lld", (long long)axes->values[i],
        (long long)axes->values[i - 1]);
  }
  PetscFunctionReturn(0);
}

/* Somebody must have a density that is asked for. */
static PetscErrorCode check_learned(const fare_plan *plan, const fare_node *node)
{
  PetscFunctionBegin;
  if (!plan->thermodynamics.learned) PetscFunctionReturn(0);
  for (size_t i = 0; i < plan->ensembles; i++)
    if (fare_plan_has_motion(plan, &plan->ensemble[i])) PetscFunctionReturn(0);
  FARE_REFUSE(node,
    "no ensemble learns a density that is known between snapshots, as do ebm, neq_ebm, "
    "normalizing_flow and flow_matching: remove 'learned'");
}

static PetscErrorCode read_infer(fare_plan *plan, const fare_node *list)
{
  const fare_infer_study study = {
    plan->system, &plan->truth, &plan->initial, plan->snapshots.start, (uint64_t)plan->seed};

  PetscFunctionBegin;
  PetscCall(fare_infer_from_config(list, &study, &plan->infer));
  PetscFunctionReturn(0);
}

static PetscErrorCode read_sections(fare_plan *plan, const fare_node *root, sections *s)
{
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(fare_fields_read(fare_plan_fields, NULL, root, s));
  PetscCall(fare_node_check_name(fare_node_find(root, "study")));
  plan->study = s->study;
  s->study    = NULL;
  plan->seed  = s->seed;
  PetscCall(fare_system_from_config(s->system, s->drive, &plan->system));
  PetscCall(read_snapshots(plan, s->snapshots));
  code = fare_system_check(plan->system, plan->snapshots.start, plan->snapshots.end);
  PetscCall(fare_plan_error(s->drive ? s->drive : s->system, code));
  code = fare_initial_from_config(s->initial, plan->system, &plan->initial);
  PetscCall(s->initial ? code : fare_plan_error(s->system, code));
  if (s->truth) PetscCall(read_truth(plan, s->truth));
  if (plan->has_truth) PetscCall(check_begins_inside(plan, s->initial));
  PetscCall(check_draws(plan, s->initial ? s->initial : s->system));
  PetscCall(check_grid(plan, s->analysis, "analyses need"));
  PetscCall(check_grid(plan, s->events, "rare events need"));
  PetscCall(check_grid(plan, s->rare, "rare events need"));
  PetscCall(check_grid(plan, s->control, "control needs"));
  PetscCall(check_grid(plan, s->infer, "inference needs"));
  PetscCall(check_grid(plan, s->thermodynamics, "thermodynamics needs"));
  if (s->analysis)
    PetscCall(
      fare_analyses_from_config(s->analysis, plan->system, &plan->truth, &plan->analyses, &plan->analysis));
  PetscCall(fare_rare_from_config(s->events, s->rare, plan->system, &plan->truth, &plan->rare));
  PetscCall(read_infer(plan, s->infer));
  PetscCall(fare_control_from_config(s->control, plan->system, &plan->truth, plan->rare, &plan->control));
  plan->has_thermodynamics = s->thermodynamics ? PETSC_TRUE : PETSC_FALSE;
  if (s->thermodynamics && fare_thermo_needs_rates(plan->system)) {
    if (plan->truth.scheme == FARE_SCHEME_HIGH_ORDER)
      FARE_REFUSE(fare_node_find(s->truth, "scheme"), "thermodynamics counts flows by rates: take fitted");
    plan->truth.scheme = FARE_SCHEME_FITTED;
  }
  if (s->thermodynamics)
    PetscCall(
      fare_thermo_options_from_config(s->thermodynamics, plan->system, &plan->truth, &plan->thermodynamics));
  PetscCall(fare_plan_read_ensembles(plan, s->ensembles));
  if (s->thermodynamics) PetscCall(check_learned(plan, fare_node_find(s->thermodynamics, "learned")));
  plan->condition = s->condition;
  s->condition    = NULL;
  if (plan->condition) PetscCall(check_condition(plan, fare_node_find(root, "condition")));
  if (!s->truth && !plan->ensembles) FARE_REFUSE(root, "nothing to do: neither 'truth' nor 'ensembles'");
  if (plan->has_truth) PetscCall(check_turns(plan, s->truth));
  PetscCall(read_measures(plan, s->measures));
  PetscCall(fare_fields_read(fare_record_fields, NULL, s->record, &plan->record));
  if (plan->record.densities && (plan->joint || fare_system_dimension(plan->system) > FARE_DIM_MAX))
    FARE_REFUSE(
      fare_node_find(s->record, "densities"), "densities of particles need a grid, and there is none");
  PetscCall(check_recorded_axes(plan, s->record));
  PetscCall(read_output(plan, s->output));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_plan_read(
  MPI_Comm comm, const char *path, size_t count, const char *const assignments[], fare_plan **plan)
{
  return fare_plan_read_point(comm, path, count, assignments, NULL, NULL, plan);
}

PetscErrorCode fare_plan_read_point(MPI_Comm comm, const char *path, size_t count,
  const char *const assignments[], const fare_swept *swept, const fare_text origin[], fare_plan **plan)
{
  sections       s = {0};
  fare_plan     *p;
  PetscErrorCode code;

  PetscFunctionBegin;
  *plan = NULL;
  PetscCall(PetscNew(&p));
  code = fare_config_read(comm, path, &p->config);
  for (size_t i = 0; i < count && !code; i++) code = fare_config_set(p->config, assignments[i]);
  for (size_t i = 0; swept && i < swept->count && !code; i++) {
    fare_text assignment = {0};

    fare_text_add(&assignment, "%s=%s", swept->key[i], swept->value[i]);
    code = fare_config_set_from(p->config, origin[i].text, assignment.text);
    fare_text_free(&assignment);
  }
  if (!code) code = read_sections(p, fare_config_root(p->config), &s);
  fare_fields_free(fare_plan_fields, &s);
  if (code) PetscCall(fare_plan_destroy(&p));
  *plan = p;
  PetscFunctionReturn(code);
}

void fare_swept_free(fare_swept *swept)
{
  for (size_t i = 0; i < swept->count; i++) {
    free(swept->key[i]);
    free(swept->value[i]);
  }
  free(swept->key);
  free(swept->value);
}

PetscErrorCode fare_plan_destroy(fare_plan **plan)
{
  fare_plan *p = *plan;

  PetscFunctionBegin;
  if (!p) PetscFunctionReturn(0);
  fare_plan_free_ensembles(p);
  free(p->measure);
  free(p->study);
  free(p->condition);
  free(p->directory);
  fare_swept_free(&p->swept);
  PetscCall(fare_rare_destroy(&p->rare));
  PetscCall(fare_control_destroy(&p->control));
  PetscCall(fare_infer_destroy(&p->infer));
  PetscCall(fare_analyses_destroy(&p->analyses, &p->analysis));
  fare_initial_free(&p->initial);
  fare_truth_options_free(&p->truth);
  fare_fields_free(fare_record_fields, &p->record);
  if (p->joint) fare_joint_options_free(p->joint, &p->joint_options);
  PetscCall(fare_system_destroy(&p->system));
  fare_config_destroy(&p->config);
  PetscCall(PetscFree(*plan));
  PetscFunctionReturn(0);
}
