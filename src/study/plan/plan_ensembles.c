/* SPDX-License-Identifier: BSD-2-Clause */
/* The lines under `ensembles`: their own keys, those of their methods, and what these learn from. */
#include "plan.h"

#include <fare/plugin.h>

#include <dlfcn.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const training_times[] = {"every_second", "all", NULL};

const fare_field fare_training_fields[] = {
  {"times", FARE_CHOICE, offsetof(fare_training_options, times), "every_second", 0, 0, training_times, "",
    "training snapshots; every_second: the first, the third, ...; the rest are held out"},
  {"particles", FARE_INTEGER, offsetof(fare_training_options, particles), "100000", 1, 1e12, NULL, "",
    "simulated particles per training snapshot"},
  {"dt", FARE_REAL, offsetof(fare_training_options, dt), "5e-4", 1e-12, 1e3, NULL, "time",
    "time step of that simulation (Heun)"},
  FARE_FIELDS_END,
};

const fare_field fare_ensemble_fields[] = {
  {"name", FARE_STRING, offsetof(fare_plan_ensemble, name), NULL, 0, 0, NULL, "",
    "name of the ensemble: letters, digits, _ and -"},
  {"sampler", FARE_STRING, offsetof(fare_plan_ensemble, sampler), "", 0, 0, NULL, "",
    "one of `fare list samplers`, or a map {python: \"module:function\"} with the keys of `python`"},
  {"plugin", FARE_STRING, offsetof(fare_plan_ensemble, plugin), "", 0, 0, NULL, "",
    "custom sampler instead: path of a shared object"},
  {"particles", FARE_INTEGER, offsetof(fare_plan_ensemble, particles), NULL, 1, 1e12, NULL, "",
    "number of particles, over all ranks"},
  {"train", FARE_NODE, offsetof(fare_plan_ensemble, train), "", 0, 0, NULL, "",
    "training set of a learning method"},
  {"prior", FARE_NODE, offsetof(fare_plan_ensemble, prior_node), "", 0, 0, NULL, "",
    "dynamics that a learning method may assume"},
  {"oracle", FARE_BOOLEAN, offsetof(fare_plan_ensemble, oracle), "false", 0, 0, NULL, "",
    "use the exact score, velocity, energy or coupling from the grid instead of a learned one"},
  {"empirical", FARE_BOOLEAN, offsetof(fare_plan_ensemble, empirical), "false", 0, 0, NULL, "",
    "use the closed-form optimum for the finite training set instead of a learned model"},
  {"seeds", FARE_INTEGER, offsetof(fare_plan_ensemble, seeds), "1", 1, 1000, NULL, "",
    "number of replicas NAME-1, NAME-2, ... with independent seeds, for the spread between trainings"},
  FARE_FIELDS_END,
};

/* An oracle learns nothing. */
PetscBool fare_training_is_simulated(const fare_plan_ensemble *ensemble)
{
  return ensemble->type->train && !ensemble->oracle ? PETSC_TRUE : PETSC_FALSE;
}

PetscBool fare_training_is_shared(const fare_training_options *a, const fare_training_options *b)
{
  return a->times == b->times && a->particles == b->particles && a->dt == b->dt ? PETSC_TRUE : PETSC_FALSE;
}

PetscBool fare_training_includes(const fare_training_options *options, PetscInt64 index)
{
  return options->times == FARE_TRAIN_ALL || index % 2 == 0 ? PETSC_TRUE : PETSC_FALSE;
}

static const char *sampler_name_at(size_t i)
{
  return fare_sampler_type_at(i) ? fare_sampler_type_at(i)->name : NULL;
}

/*
  The method is set up once now, so that a mistake in its keys, or in how they go together, stops the study
  before it begins.
*/
static PetscErrorCode check_method(
  const fare_plan *plan, const fare_node *node, const fare_plan_ensemble *ensemble)
{
  const fare_sampler_mode mode    = fare_plan_ensemble_mode(ensemble);
  fare_sampler           *sampler = NULL;
  PetscErrorCode          code;

  PetscFunctionBegin;
  code = fare_plan_error(node, fare_plan_sampler(PETSC_COMM_SELF, plan, ensemble, &plan->initial, &sampler));
  if (!code)
    code = fare_plan_error(
      fare_node_find(node, fare_sampler_mode_names[mode]), fare_sampler_set_mode(sampler, mode, NULL));
  if (!code)
    code = fare_plan_error(fare_node_find(node, "prior"), fare_sampler_set_prior(sampler, ensemble->prior));
  if (!code && plan->has_truth) {
    const fare_walls walls = fare_truth_walls(plan->system, &plan->truth);

    code = fare_plan_error(node, fare_sampler_set_walls(sampler, &walls));
  }
  PetscCall(fare_sampler_destroy(&sampler));
  PetscFunctionReturn(code);
}

/* Results are filed under the names of ensembles, and of the densities that they aim at. */
static PetscErrorCode check_unlike(
  const fare_node *node, const fare_plan_ensemble *a, const fare_plan_ensemble *b)
{
  static const char *const endings[] = {"_density", "_target"};
  const size_t             length    = strlen(a->name);

  PetscFunctionBegin;
  for (size_t i = 0; a->type->model_density && i < PETSC_STATIC_ARRAY_LENGTH(endings); i++) {
    if (!strncmp(b->name, a->name, length) && !strcmp(b->name + length, endings[i]))
      FARE_REFUSE(node, "'%s' is reserved for results of the ensemble '%s'", b->name, a->name);
  }
  PetscFunctionReturn(0);
}

/* A sampler in Python is a map of its own keys; any other is a name. */
static PetscErrorCode find_sampler(const fare_node *sampler, const fare_sampler_type **type)
{
  static const char example[] = "sampler: {python: \"module:function\"}";

  PetscFunctionBegin;
  if (fare_node_find(sampler, "python")) {
    *type = fare_sampler_python_type(sampler);
    PetscFunctionReturn(0);
  }
  if (fare_node_kind_of(sampler) != FARE_NODE_SCALAR)
    FARE_REFUSE(sampler, "expected the name of a sampler, or %s", example);
  *type = fare_sampler_type_find(fare_node_text(sampler));
  if (*type && *type == fare_sampler_type_find("python"))
    FARE_REFUSE(sampler, "a sampler in Python is written as a map: %s", example);
  if (!*type) PetscCall(fare_node_unknown(sampler, "sampler", sampler_name_at));
  PetscFunctionReturn(0);
}

/* What the keys `sampler` or `plugin` name. */
static PetscErrorCode find_method(const fare_node *node, void **library, const fare_sampler_type **type)
{
  const fare_node *sampler = fare_node_find(node, "sampler"), *plugin = fare_node_find(node, "plugin");

  PetscFunctionBegin;
  if (!sampler && !plugin)
    FARE_REFUSE(node, "missing key 'sampler' (one of `fare list samplers`), or 'plugin' in its place");
  if (sampler && plugin) FARE_REFUSE(plugin, "an ensemble has a sampler or a plugin, not both");
  if (sampler) PetscFunctionReturn(find_sampler(sampler, type));
  if (fare_node_kind_of(plugin) != FARE_NODE_SCALAR)
    FARE_REFUSE(plugin, "expected the path of a shared object");
  PetscFunctionReturn(fare_sampler_type_load(plugin, fare_node_text(plugin), library, type));
}

PetscBool fare_plan_is_python(const fare_sampler_type *type)
{
  return type->fields == fare_sampler_type_find("python")->fields ? PETSC_TRUE : PETSC_FALSE;
}

/* All but `sampler`, which holds the method's own keys where that is in Python. */
static const fare_field *fields_without_sampler(void)
{
  static fare_field without[PETSC_STATIC_ARRAY_LENGTH(fare_ensemble_fields)];
  size_t            kept = 0;

  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(fare_ensemble_fields); i++) {
    const fare_field *field = &fare_ensemble_fields[i];

    if (!field->key || strcmp(field->key, "sampler")) without[kept++] = *field;
  }
  return without;
}

static const fare_field sampler_alone[] = {
  {"sampler", FARE_NODE, 0, "", 0, 0, NULL, "", ""},
  FARE_FIELDS_END,
};

fare_method_keys fare_plan_method_keys(const fare_sampler_type *type, const fare_node *node)
{
  const PetscBool python = fare_plan_is_python(type);

  return (fare_method_keys){
    .own       = python ? fields_without_sampler() : fare_ensemble_fields,
    .own_more  = python ? sampler_alone : type->fields,
    .node      = python ? fare_node_find(node, "sampler") : node,
    .node_more = python ? NULL : fare_ensemble_fields,
  };
}

/* The keys that belong to the study; the method's own are left alone. */
static PetscErrorCode read_own_keys(const fare_node *node, fare_plan_ensemble *ensemble)
{
  fare_method_keys keys;
  char            *full = NULL;

  PetscFunctionBegin;
  if (fare_node_kind_of(node) != FARE_NODE_MAP)
    FARE_REFUSE(node, "expected a map {name: ..., sampler: ..., particles: ...}");
  PetscCall(find_method(node, &ensemble->library, &ensemble->type));
  keys = fare_plan_method_keys(ensemble->type, node);
  PetscCall(fare_fields_read(keys.own, keys.own_more, node, ensemble));
  if (ensemble->plugin) PetscCall(fare_plugin_path(fare_node_find(node, "plugin"), ensemble->plugin, &full));
  if (full) {
    free(ensemble->plugin);
    ensemble->plugin = full;
  }
  PetscCall(fare_node_check_name(fare_node_find(node, "name")));
  PetscFunctionReturn(0);
}

fare_sampler_mode fare_plan_ensemble_mode(const fare_plan_ensemble *ensemble)
{
  return ensemble->oracle ? FARE_ORACLE : ensemble->empirical ? FARE_EMPIRICAL : FARE_LEARNED;
}

PetscBool fare_plan_has_motion(const fare_plan *plan, const fare_plan_ensemble *ensemble)
{
  return plan->has_thermodynamics && plan->thermodynamics.learned && ensemble->type->density_between &&
      fare_plan_ensemble_mode(ensemble) == FARE_LEARNED
    ? PETSC_TRUE
    : PETSC_FALSE;
}

PetscErrorCode fare_plan_sampler(MPI_Comm comm, const fare_plan *plan, const fare_plan_ensemble *ensemble,
  const fare_initial *initial, fare_sampler **sampler)
{
  return fare_sampler_create(comm, ensemble->type, ensemble->name, ensemble->options, (uint64_t)plan->seed,
    plan->system, initial, &plan->snapshots, sampler);
}

static PetscErrorCode check_mode(
  const fare_plan *plan, const fare_node *map, const fare_plan_ensemble *ensemble)
{
  const fare_sampler_mode mode = fare_plan_ensemble_mode(ensemble);
  const fare_node        *node = fare_node_find(map, fare_sampler_mode_names[mode]);

  PetscFunctionBegin;
  if (ensemble->oracle && ensemble->empirical)
    FARE_REFUSE(node, "an ensemble is an oracle or the empirical optimum, not both");
  if (mode & ~ensemble->type->modes)
    FARE_REFUSE(node, "sampler '%s' does not support this: remove '%s'", ensemble->type->name,
      fare_sampler_mode_names[mode]);
  if (ensemble->type->needs_joint && !plan->joint)
    FARE_REFUSE(map,
      "sampler '%s' draws from a truth of another kind than a grid: add a section 'truth' with "
      "'kind', one of `fare list truths`",
      ensemble->type->name);
  if (mode == FARE_ORACLE && plan->joint && !ensemble->type->noised_oracle)
    FARE_REFUSE(node,
      "as an oracle sampler '%s' takes its field from a grid, which a truth of kind '%s' is not: remove "
      "'oracle', or use diffusion, poisson_flow or flow_matching",
      ensemble->type->name, plan->joint->name);
  if (mode == FARE_ORACLE && plan->joint && !plan->joint->noise)
    FARE_REFUSE(node, "an oracle needs the density with noise, which a truth of kind '%s' does not have: %s",
      plan->joint->name, plan->joint->no_noise);
  if (mode == FARE_ORACLE && !plan->has_truth && !plan->joint)
    FARE_REFUSE(node, "an oracle needs the exact density: add a section 'truth'");
  PetscFunctionReturn(0);
}

/* Training `seed` of a line that asks for several has a name, and so random numbers, of its own. */
static PetscErrorCode name_seed(fare_plan_ensemble *ensemble, PetscInt64 seed)
{
  fare_text text = {0};

  PetscFunctionBegin;
  ensemble->seed = seed;
  ensemble->line = strdup(ensemble->name);
  if (!ensemble->line) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  if (ensemble->seeds == 1) PetscFunctionReturn(0);
  fare_text_add(&text, "%s-%lld", ensemble->line, (long long)seed + 1);
  free(ensemble->name);
  ensemble->name = text.text;
  PetscFunctionReturn(0);
}

static PetscErrorCode read_ensemble(
  const fare_plan *plan, const fare_node *node, PetscInt64 seed, fare_plan_ensemble *ensemble)
{
  fare_method_keys keys;

  PetscFunctionBegin;
  PetscCall(read_own_keys(node, ensemble));
  PetscCall(name_seed(ensemble, seed));
  PetscCall(check_mode(plan, node, ensemble));
  for (const fare_plan_ensemble *other = plan->ensemble; other < ensemble; other++) {
    if (!strcmp(other->name, ensemble->name))
      FARE_REFUSE(fare_node_find(node, "name"), "there is an ensemble '%s' already", ensemble->name);
    PetscCall(check_unlike(fare_node_find(node, "name"), other, ensemble));
    PetscCall(check_unlike(fare_node_find(node, "name"), ensemble, other));
  }
  if (!strcmp(ensemble->name, "truth"))
    FARE_REFUSE(fare_node_find(node, "name"), "'truth' is the name of the density on the grid");
  keys = fare_plan_method_keys(ensemble->type, node);
  PetscCall(fare_sampler_options_read(ensemble->type, keys.node, keys.node_more, &ensemble->options));
  if (fare_plan_is_python(ensemble->type))
    PetscCall(fare_sampler_python_check(keys.node, fare_config_name(plan->config), ensemble->options));
  if (ensemble->prior_node)
    PetscCall(fare_prior_read(
      ensemble->prior_node, plan->system, plan->snapshots.start, plan->snapshots.end, &ensemble->prior));
  if (ensemble->prior && ensemble->prior->infer)
    PetscCall(fare_infer_check_fit(plan->infer, ensemble->prior->infer));
  PetscCall(check_method(plan, node, ensemble));
  if (ensemble->type->train)
    PetscCall(fare_fields_read(fare_training_fields, NULL, ensemble->train, &ensemble->training));
  else if (ensemble->train)
    FARE_REFUSE(ensemble->train, "sampler '%s' learns nothing: remove 'train'", ensemble->type->name);
  if (ensemble->prior && isnan(ensemble->prior->weight) && ensemble->training.particles < 2)
    FARE_REFUSE(ensemble->prior_node,
      "'weight: auto' holds out half of the training particles, but there is only one: set a weight");
  PetscFunctionReturn(0);
}

PetscErrorCode fare_plan_read_ensembles(fare_plan *plan, const fare_node *list)
{
  PetscFunctionBegin;
  if (!list) PetscFunctionReturn(0);
  if (fare_node_kind_of(list) != FARE_NODE_LIST)
    FARE_REFUSE(list, "expected a list of maps {name: ..., sampler: ..., particles: ...}");
  for (size_t i = 0; i < fare_node_size(list); i++) {
    for (PetscInt64 seed = 0, seeds = 1; seed < seeds; seed++) {
      fare_plan_ensemble *more = realloc(plan->ensemble, (plan->ensembles + 1) * sizeof *more);

      if (!more) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
      plan->ensemble = more;
      memset(&more[plan->ensembles], 0, sizeof *more);
      plan->ensembles++; /* so that what was read so far is freed whatever happens */
      PetscCall(read_ensemble(plan, fare_node_item(list, i), seed, &more[plan->ensembles - 1]));
      seeds = more[plan->ensembles - 1].seeds;
    }
  }
  PetscFunctionReturn(0);
}

void fare_plan_free_ensembles(fare_plan *plan)
{
  for (size_t i = 0; i < plan->ensembles; i++) {
    free(plan->ensemble[i].line);
    (void)fare_prior_destroy(&plan->ensemble[i].prior);
    if (plan->ensemble[i].type) fare_sampler_options_free(plan->ensemble[i].type, &plan->ensemble[i].options);
    fare_fields_free(fare_ensemble_fields, &plan->ensemble[i]);
    if (plan->ensemble[i].library) dlclose(plan->ensemble[i].library);
  }
  free(plan->ensemble);
  plan->ensemble  = NULL;
  plan->ensembles = 0;
}
