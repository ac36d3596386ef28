/* From a study file to a plan: every section read and checked before anything runs. */
#include <fare/plugin.h>
#include <fare/study.h>

#include <ctype.h>
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The file's own keys. Sections are read by the nouns they are about. */
typedef struct {
  char            *study;
  PetscInt64       seed;
  const fare_node *system, *drive, *initial, *snapshots, *truth, *analysis, *thermodynamics, *ensembles, *measures, *record, *output, *sweep;
} sections;

#define AT(member) offsetof(sections, member)
static const fare_field section_fields[] = {
  {"study", FARE_STRING, AT(study), NULL, 0, 0, NULL, "", "name of the study: letters, digits, _ and -"},
  {"seed", FARE_INTEGER, AT(seed), "1", 0, 0x1p53 - 1, NULL, "", "of all random numbers"},
  {"system", FARE_NODE, AT(system), NULL, 0, 0, NULL, "", "the physics"},
  {"drive", FARE_NODE, AT(drive), "", 0, 0, NULL, "", "list of waveforms on its parameters"},
  {"initial", FARE_NODE, AT(initial), "", 0, 0, NULL, "", "density at the start"},
  {"snapshots", FARE_NODE, AT(snapshots), NULL, 0, 0, NULL, "", "when to look"},
  {"truth", FARE_NODE, AT(truth), "", 0, 0, NULL, "", "the grid; without it there is no truth"},
  {"analysis", FARE_NODE, AT(analysis), "", 0, 0, NULL, "", "list of what else the grid is to tell: steady states, rates, passage times, committors"},
  {"thermodynamics", FARE_NODE, AT(thermodynamics), "", 0, 0, NULL, "", "energy, entropy, work, heat and entropy production of the truth; {} for all defaults"},
  {"ensembles", FARE_NODE, AT(ensembles), "", 0, 0, NULL, "", "list of samplers to compare"},
  {"measures", FARE_NODE, AT(measures), "", 0, 0, NULL, "", "list of divergences; all that are defined in this dimension unless given"},
  {"record", FARE_NODE, AT(record), "", 0, 0, NULL, "", "what is written of ensembles; all of it unless given"},
  {"output", FARE_NODE, AT(output), "", 0, 0, NULL, "", "where results go"},
  {"sweep", FARE_NODE, AT(sweep), "", 0, 0, NULL, "", "list of keys and the values that they take in turn, each point a study of its own"},
  FARE_FIELDS_END,
};

typedef struct {
  char *directory;
} output_section;
static const fare_field output_fields[] = {
  {"directory", FARE_STRING, offsetof(output_section, directory), "", 0, 0, NULL, "", "made by the run, which refuses one that exists; out/STUDY unless given"},
  FARE_FIELDS_END,
};

static const char *const training_times[] = {"every_second", "all", NULL};

const fare_field fare_training_fields[] = {
  {"times", FARE_CHOICE, offsetof(fare_training_options, times), "every_second", 0, 0, training_times, "", "which snapshots are learned from; every_second: the first, the third, ...; the rest are held out"},
  {"particles", FARE_INTEGER, offsetof(fare_training_options, particles), "100000", 1, 1e12, NULL, "", "simulated particles at each of them"},
  {"dt", FARE_REAL, offsetof(fare_training_options, dt), "5e-4", 1e-12, 1e3, NULL, "time", "step of that simulation (Heun)"},
  FARE_FIELDS_END,
};

const fare_field fare_ensemble_fields[] = {
  {"name", FARE_STRING, offsetof(fare_plan_ensemble, name), NULL, 0, 0, NULL, "", "letters, digits, _ and -"},
  {"sampler", FARE_STRING, offsetof(fare_plan_ensemble, sampler), "", 0, 0, NULL, "", "one of `fare list samplers`"},
  {"plugin", FARE_STRING, offsetof(fare_plan_ensemble, plugin), "", 0, 0, NULL, "", "or a sampler of one's own: the path of a shared object"},
  {"particles", FARE_INTEGER, offsetof(fare_plan_ensemble, particles), NULL, 1, 1e12, NULL, "", "on all ranks together"},
  {"train", FARE_NODE, offsetof(fare_plan_ensemble, train), "", 0, 0, NULL, "", "what a method that learns learns from"},
  {"oracle", FARE_BOOLEAN, offsetof(fare_plan_ensemble, oracle), "false", 0, 0, NULL, "", "take the exact score, velocity, energy or coupling from the grid in place of what is learned"},
  {"empirical", FARE_BOOLEAN, offsetof(fare_plan_ensemble, empirical), "false", 0, 0, NULL, "", "take the closed-form optimum for the finite training set in place of what is learned"},
  {"seeds", FARE_INTEGER, offsetof(fare_plan_ensemble, seeds), "1", 1, 1000, NULL, "", "as many ensembles NAME-1, NAME-2, ... with random numbers of their own, for the spread between trainings"},
  FARE_FIELDS_END,
};

PetscBool fare_training_includes(const fare_training_options *options, PetscInt64 index)
{
  return options->times == FARE_TRAIN_ALL || index % 2 == 0 ? PETSC_TRUE : PETSC_FALSE;
}

static PetscErrorCode check_name(const fare_node *node, const char *name)
{
  PetscFunctionBeginUser;
  for (const char *c = name; *c; c++) {
    if (!isalnum((unsigned char)*c) && *c != '_' && *c != '-') PetscCall(fare_node_error(node, "expected a name of letters, digits, _ and -, got '%.60s'", name));
  }
  if (!*name || strlen(name) > 64) PetscCall(fare_node_error(node, "expected a name of 1 to 64 characters"));
  PetscFunctionReturn(0);
}

/* "unknown sampler 'x' (did you mean 'y'?); there are: ..." for any registry. */
static PetscErrorCode unknown(const fare_node *node, const char *what, const char *name, const char *(*name_at)(size_t))
{
  enum { MOST = 64 };
  const char    *names[MOST], *nearest;
  size_t         count = 0;
  fare_text      list  = {0};
  PetscErrorCode code;

  PetscFunctionBeginUser;
  for (; count < MOST && name_at(count); count++) {
    names[count] = name_at(count);
    fare_text_add(&list, "%s%s", count ? ", " : "", names[count]);
  }
  nearest = fare_nearest(name, names, count);
  code    = fare_node_error(node, "unknown %s '%.60s'%s%s%s; there are: %s", what, name, nearest ? " (did you mean '" : "", nearest ? nearest : "", nearest ? "'?)" : "", list.text);
  fare_text_free(&list);
  PetscFunctionReturn(code);
}

static const char *sampler_name_at(size_t i)
{
  return fare_sampler_type_at(i) ? fare_sampler_type_at(i)->name : NULL;
}

static const char *measure_name_at(size_t i)
{
  return fare_measure_type_at(i) ? fare_measure_type_at(i)->name : NULL;
}

/* The message kept last, at a place of the study that had none yet. */
static PetscErrorCode error_at(const fare_node *node, const char *what)
{
  char why[512];

  PetscFunctionBeginUser;
  PetscCall(PetscStrncpy(why, fare_error_message(), sizeof why));
  PetscFunctionReturn(fare_node_error(node, "%s", why + (strncmp(why, what, strlen(what)) ? 0 : strlen(what))));
}

/* The method is set up once now, so that a mistake in its keys, or in how they go together, stops the study before it begins. */
static PetscErrorCode check_method(const fare_plan *plan, const fare_plan_ensemble *ensemble)
{
  void          *state   = calloc(1, ensemble->type->size);
  fare_sampler  *sampler = NULL;
  PetscErrorCode code;

  PetscFunctionBeginUser;
  if (!state) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  code = fare_fields_read(ensemble->type->fields, fare_ensemble_fields, ensemble->node, state);
  PetscCall(fare_fields_free(ensemble->type->fields, state));
  free(state);
  PetscCall(code);
  code = fare_sampler_create(PETSC_COMM_SELF, ensemble->type, ensemble->name, ensemble->node, fare_ensemble_fields, (uint64_t)plan->seed, plan->system, &plan->initial, &plan->snapshots, &sampler);
  if (code == FARE_ERR_INPUT) code = error_at(ensemble->node, "");
  PetscCall(fare_sampler_destroy(&sampler));
  PetscFunctionReturn(code);
}

/* Results are filed under the names of ensembles, and of the densities that they aim at. */
static PetscErrorCode check_unlike(const fare_node *node, const fare_plan_ensemble *a, const fare_plan_ensemble *b)
{
  static const char *const endings[] = {"_density", "_target"};
  const size_t             length    = strlen(a->name);

  PetscFunctionBeginUser;
  for (size_t i = 0; a->type->target && i < PETSC_STATIC_ARRAY_LENGTH(endings); i++) {
    if (!strncmp(b->name, a->name, length) && !strcmp(b->name + length, endings[i])) PetscCall(fare_node_error(node, "'%s' is the name of results of the ensemble '%s'", b->name, a->name));
  }
  PetscFunctionReturn(0);
}

/* What the keys `sampler` or `plugin` name. */
static PetscErrorCode find_method(const fare_node *node, void **library, const fare_sampler_type **type)
{
  const fare_node *sampler = fare_node_find(node, "sampler"), *plugin = fare_node_find(node, "plugin"), *named = sampler ? sampler : plugin;

  PetscFunctionBeginUser;
  if (!named) PetscCall(fare_node_error(node, "missing key 'sampler' (one of `fare list samplers`), or 'plugin' in its place"));
  if (sampler && plugin) PetscCall(fare_node_error(plugin, "an ensemble has a sampler or a plugin, not both"));
  if (fare_node_kind_of(named) != FARE_NODE_SCALAR) PetscCall(fare_node_error(named, sampler ? "expected the name of a sampler" : "expected the path of a shared object"));
  if (plugin) {
    PetscCall(fare_sampler_type_load(plugin, fare_node_text(plugin), library, type));
    PetscFunctionReturn(0);
  }
  *type = fare_sampler_type_find(fare_node_text(named));
  if (!*type) PetscCall(unknown(named, "sampler", fare_node_text(named), sampler_name_at));
  PetscFunctionReturn(0);
}

/* The keys that belong to the study; the method's own are left alone. */
static PetscErrorCode read_own_keys(const fare_node *node, fare_plan_ensemble *ensemble)
{
  char *full = NULL;

  PetscFunctionBeginUser;
  if (fare_node_kind_of(node) != FARE_NODE_MAP) PetscCall(fare_node_error(node, "expected a map {name: ..., sampler: ..., particles: ...}"));
  PetscCall(find_method(node, &ensemble->library, &ensemble->type));
  PetscCall(fare_fields_read(fare_ensemble_fields, ensemble->type->fields, node, ensemble));
  if (ensemble->plugin) PetscCall(fare_plugin_path(fare_node_find(node, "plugin"), ensemble->plugin, &full));
  if (full) {
    free(ensemble->plugin);
    ensemble->plugin = full;
  }
  PetscCall(check_name(fare_node_find(node, "name"), ensemble->name));
  PetscFunctionReturn(0);
}

fare_sampler_mode fare_plan_ensemble_mode(const fare_plan_ensemble *ensemble)
{
  return ensemble->oracle ? FARE_ORACLE : ensemble->empirical ? FARE_EMPIRICAL : FARE_LEARNED;
}

static PetscErrorCode check_mode(const fare_plan *plan, const fare_plan_ensemble *ensemble)
{
  const fare_sampler_mode mode = fare_plan_ensemble_mode(ensemble);
  const fare_node        *node = fare_node_find(ensemble->node, fare_sampler_mode_names[mode]);

  PetscFunctionBeginUser;
  if (ensemble->oracle && ensemble->empirical) PetscCall(fare_node_error(node, "an ensemble is an oracle or the empirical optimum, not both"));
  if (mode & ~ensemble->type->modes) PetscCall(fare_node_error(node, "sampler '%s' does not run so: remove '%s'", ensemble->type->name, fare_sampler_mode_names[mode]));
  if (mode == FARE_ORACLE && !plan->has_truth) PetscCall(fare_node_error(node, "an oracle needs the exact density: add a section 'truth'"));
  PetscFunctionReturn(0);
}

/* Training `seed` of a line that asks for several has a name, and so random numbers, of its own. */
static PetscErrorCode name_seed(fare_plan_ensemble *ensemble, PetscInt64 seed)
{
  fare_text text = {0};

  PetscFunctionBeginUser;
  ensemble->seed = seed;
  ensemble->line = strdup(ensemble->name);
  if (!ensemble->line) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  if (ensemble->seeds == 1) PetscFunctionReturn(0);
  fare_text_add(&text, "%s-%lld", ensemble->line, (long long)seed + 1);
  free(ensemble->name);
  ensemble->name = text.text;
  PetscFunctionReturn(0);
}

static PetscErrorCode read_ensemble(const fare_plan *plan, const fare_node *node, PetscInt64 seed, fare_plan_ensemble *ensemble)
{
  PetscFunctionBeginUser;
  ensemble->node = node;
  PetscCall(read_own_keys(node, ensemble));
  PetscCall(name_seed(ensemble, seed));
  PetscCall(check_mode(plan, ensemble));
  for (const fare_plan_ensemble *other = plan->ensemble; other < ensemble; other++) {
    if (!strcmp(other->name, ensemble->name)) PetscCall(fare_node_error(fare_node_find(node, "name"), "there is an ensemble '%s' already", ensemble->name));
    PetscCall(check_unlike(fare_node_find(node, "name"), other, ensemble));
    PetscCall(check_unlike(fare_node_find(node, "name"), ensemble, other));
  }
  if (!strcmp(ensemble->name, "truth")) PetscCall(fare_node_error(fare_node_find(node, "name"), "'truth' is the name of the density on the grid"));
  PetscCall(check_method(plan, ensemble));
  if (ensemble->type->train) PetscCall(fare_fields_read(fare_training_fields, NULL, ensemble->train, &ensemble->training));
  else if (ensemble->train) PetscCall(fare_node_error(ensemble->train, "sampler '%s' learns nothing: remove 'train'", ensemble->type->name));
  PetscFunctionReturn(0);
}

static PetscErrorCode read_ensembles(fare_plan *plan, const fare_node *list)
{
  PetscFunctionBeginUser;
  if (!list) PetscFunctionReturn(0);
  if (fare_node_kind_of(list) != FARE_NODE_LIST) PetscCall(fare_node_error(list, "expected a list of maps {name: ..., sampler: ..., particles: ...}"));
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

static PetscErrorCode add_measure(fare_plan *plan, const fare_measure_type *type)
{
  PetscFunctionBeginUser;
  plan->measure[plan->measures++] = type;
  PetscFunctionReturn(0);
}

static PetscErrorCode read_measures(fare_plan *plan, const fare_node *list)
{
  const int dim  = fare_system_dimension(plan->system);
  size_t    most = list && fare_node_kind_of(list) == FARE_NODE_LIST ? fare_node_size(list) : 0;

  PetscFunctionBeginUser;
  if (list && fare_node_kind_of(list) != FARE_NODE_LIST) PetscCall(fare_node_error(list, "expected a list of measures, for instance [kl, wasserstein_1]"));
  if (list && most && !plan->has_truth) PetscCall(fare_node_error(list, "measures compare with a truth: add a section 'truth'"));
  while (!list && fare_measure_type_at(most)) most++;
  plan->measure = calloc(PetscMax(1, most), sizeof *plan->measure);
  if (!plan->measure) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  if (!plan->has_truth) PetscFunctionReturn(0);
  for (size_t i = 0; !list && i < most; i++) {
    const fare_measure_type *type = fare_measure_type_at(i);

    if (!type->dimension_most || dim <= type->dimension_most) PetscCall(add_measure(plan, type));
  }
  for (size_t i = 0; list && i < most; i++) {
    const fare_node         *node = fare_node_item(list, i);
    const fare_measure_type *type;

    if (fare_node_kind_of(node) != FARE_NODE_SCALAR) PetscCall(fare_node_error(node, "expected the name of a measure"));
    type = fare_measure_type_find(fare_node_text(node));
    if (!type) PetscCall(unknown(node, "measure", fare_node_text(node), measure_name_at));
    if (type->dimension_most && dim > type->dimension_most) PetscCall(fare_node_error(node, "measure '%s' is defined in up to %d dimension%s, the system has %d", type->name, type->dimension_most, type->dimension_most > 1 ? "s" : "", dim));
    for (size_t k = 0; k < plan->measures; k++) {
      if (plan->measure[k] == type) PetscCall(fare_node_error(node, "measure '%s' stands here twice", type->name));
    }
    PetscCall(add_measure(plan, type));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode read_output(fare_plan *plan, const fare_node *node)
{
  output_section output = {0};

  PetscFunctionBeginUser;
  PetscCall(fare_fields_read(output_fields, NULL, node, &output));
  if (output.directory && !*output.directory) {
    PetscCall(fare_fields_free(output_fields, &output));
    PetscCall(fare_node_error(fare_node_find(node, "directory"), "expected a directory, got nothing"));
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
  PetscFunctionBeginUser;
  PetscCall(fare_fields_read(fare_schedule_fields, NULL, node, &plan->snapshots));
  if (!(plan->snapshots.end > plan->snapshots.start)) PetscCall(fare_node_error(fare_node_find(node, "end"), "the end must lie after the start (%g), got %g", plan->snapshots.start, plan->snapshots.end));
  PetscFunctionReturn(0);
}

/* What lies outside the truth's box is not there for the truth: a gaussian begun outside would be squeezed into its last cells. */
static PetscErrorCode check_begins_inside(const fare_plan *plan, const fare_node *initial)
{
  const fare_system_type *type  = fare_system_type_of(plan->system);
  const double           *lower = plan->truth.lower.count ? plan->truth.lower.values : type->lower, *upper = plan->truth.upper.count ? plan->truth.upper.values : type->upper;

  PetscFunctionBeginUser;
  for (size_t i = 0; i < plan->initial.mean.count && !plan->truth.fit_domain; i++) {
    const size_t axis = i % (size_t)fare_system_dimension(plan->system);
    const double mean = plan->initial.mean.values[i];

    if (!(mean > lower[axis] && mean < upper[axis])) PetscCall(fare_node_error(fare_node_find(initial, "mean"), "%g lies outside the truth's box, [%g, %g]", mean, lower[axis], upper[axis]));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode read_sections(fare_plan *plan, const fare_node *root, sections *s)
{
  PetscErrorCode code;

  PetscFunctionBeginUser;
  PetscCall(fare_fields_read(section_fields, NULL, root, s));
  PetscCall(check_name(fare_node_find(root, "study"), s->study));
  plan->study = s->study;
  s->study    = NULL;
  plan->seed  = s->seed;
  PetscCall(fare_system_from_config(s->system, s->drive, &plan->system));
  PetscCall(read_snapshots(plan, s->snapshots));
  code = fare_system_check(plan->system, plan->snapshots.start, plan->snapshots.end);
  if (code == FARE_ERR_INPUT) code = error_at(s->drive, "drive: ");
  PetscCall(code);
  PetscCall(fare_initial_from_config(s->initial, plan->system, &plan->initial));
  plan->has_truth = s->truth ? PETSC_TRUE : PETSC_FALSE;
  if (plan->has_truth) {
    PetscCall(fare_truth_options_from_config(s->truth, plan->system, &plan->truth));
    PetscCall(check_begins_inside(plan, s->initial));
  }
  if (s->analysis && !plan->has_truth) PetscCall(fare_node_error(s->analysis, "analyses need a grid: add a section 'truth'"));
  if (s->analysis) PetscCall(fare_analyses_from_config(s->analysis, plan->system, &plan->truth, &plan->analyses, &plan->analysis));
  plan->has_thermodynamics = s->thermodynamics ? PETSC_TRUE : PETSC_FALSE;
  if (s->thermodynamics && !plan->has_truth) PetscCall(fare_node_error(s->thermodynamics, "thermodynamics needs a grid: add a section 'truth'"));
  if (s->thermodynamics) PetscCall(fare_thermo_options_from_config(s->thermodynamics, plan->system, &plan->truth, &plan->thermodynamics));
  PetscCall(read_ensembles(plan, s->ensembles));
  if (!plan->has_truth && !plan->ensembles) PetscCall(fare_node_error(root, "nothing to do: neither 'truth' nor 'ensembles'"));
  for (size_t i = 0; i < plan->truth.ends.count && plan->ensembles; i++) {
    if (plan->truth.ends.values[i] >= FARE_END_ABSORBING) PetscCall(fare_node_error(fare_node_find(s->truth, "ends"), "ensembles are not absorbed at ends, so they cannot be compared with a truth that is; remove 'ensembles' or 'ends'"));
  }
  PetscCall(read_measures(plan, s->measures));
  PetscCall(fare_fields_read(fare_record_fields, NULL, s->record, &plan->record));
  PetscCall(read_output(plan, s->output));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_plan_read(MPI_Comm comm, const char *path, size_t count, const char *const assignments[], fare_plan **plan)
{
  sections       s = {0};
  fare_plan     *p;
  PetscErrorCode code;

  PetscFunctionBeginUser;
  *plan = NULL;
  PetscCall(PetscNew(&p));
  code = fare_config_read(comm, path, &p->config);
  for (size_t i = 0; i < count && !code; i++) code = fare_config_set(p->config, assignments[i]);
  if (!code) code = read_sections(p, fare_config_root(p->config), &s);
  PetscCall(fare_fields_free(section_fields, &s));
  if (code) PetscCall(fare_plan_destroy(&p));
  *plan = p;
  PetscFunctionReturn(code);
}

PetscErrorCode fare_plan_destroy(fare_plan **plan)
{
  fare_plan *p = *plan;

  PetscFunctionBeginUser;
  if (!p) PetscFunctionReturn(0);
  for (size_t i = 0; i < p->ensembles; i++) {
    free(p->ensemble[i].line);
    PetscCall(fare_fields_free(fare_ensemble_fields, &p->ensemble[i]));
    if (p->ensemble[i].library) dlclose(p->ensemble[i].library);
  }
  free(p->ensemble);
  free(p->measure);
  free(p->study);
  free(p->directory);
  for (size_t i = 0; i < p->swept.count; i++) {
    free(p->swept.key[i]);
    free(p->swept.value[i]);
  }
  free(p->swept.key);
  free(p->swept.value);
  PetscCall(fare_analyses_destroy(&p->analyses, &p->analysis));
  PetscCall(fare_initial_free(&p->initial));
  PetscCall(fare_truth_options_free(&p->truth));
  PetscCall(fare_system_destroy(&p->system));
  PetscCall(fare_config_destroy(&p->config));
  PetscCall(PetscFree(*plan));
  PetscFunctionReturn(0);
}

static PetscErrorCode write_ensemble(const fare_plan_ensemble *ensemble, fare_text *to)
{
  fare_plan_ensemble line  = *ensemble;
  void              *state = calloc(1, ensemble->type->size);
  PetscErrorCode     code;

  PetscFunctionBeginUser;
  if (!state) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  line.name = ensemble->line;
  fare_text_add(to, "  -\n");
  PetscCall(fare_fields_write(fare_ensemble_fields, &line, 4, to));
  code = fare_fields_read(ensemble->type->fields, fare_ensemble_fields, ensemble->node, state);
  if (!code) code = fare_fields_write(ensemble->type->fields, state, 4, to);
  PetscCall(fare_fields_free(ensemble->type->fields, state));
  free(state);
  PetscCall(code);
  if (ensemble->type->train) {
    fare_text_add(to, "    train:\n");
    PetscCall(fare_fields_write(fare_training_fields, &ensemble->training, 6, to));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_plan_write(const fare_plan *plan, fare_text *to)
{
  PetscFunctionBeginUser;
  fare_text_add(to, "study: '%s'\nseed: %lld\n", plan->study, (long long)plan->seed);
  PetscCall(fare_system_write(plan->system, to));
  fare_text_add(to, "initial:\n");
  PetscCall(fare_fields_write(fare_initial_fields, &plan->initial, 2, to));
  fare_text_add(to, "snapshots:\n");
  PetscCall(fare_fields_write(fare_schedule_fields, &plan->snapshots, 2, to));
  if (plan->has_truth) {
    fare_text_add(to, "truth:\n");
    PetscCall(fare_fields_write(fare_truth_fields, &plan->truth, 2, to));
  }
  if (plan->has_thermodynamics) {
    fare_text_add(to, "thermodynamics:\n");
    PetscCall(fare_fields_write(fare_thermo_fields, &plan->thermodynamics, 2, to));
  }
  if (plan->ensembles) fare_text_add(to, "ensembles:\n");
  for (size_t i = 0; i < plan->ensembles; i++) {
    if (!plan->ensemble[i].seed) PetscCall(write_ensemble(&plan->ensemble[i], to));
  }
  if (plan->has_truth) {
    fare_text_add(to, "measures: [");
    for (size_t i = 0; i < plan->measures; i++) fare_text_add(to, "%s%s", i ? ", " : "", plan->measure[i]->name);
    fare_text_add(to, "]\n");
  }
  PetscCall(fare_analyses_write(plan->analyses, plan->analysis, to));
  fare_text_add(to, "record:\n");
  PetscCall(fare_fields_write(fare_record_fields, &plan->record, 2, to));
  fare_text_add(to, "output:\n");
  PetscCall(fare_fields_write(output_fields, &(output_section){plan->directory}, 2, to));
  PetscFunctionReturn(0);
}

static PetscErrorCode describe_section(FILE *to, const char *title, const fare_field *fields)
{
  PetscFunctionBeginUser;
  fprintf(to, "\n%s\n", title);
  PetscCall(fare_fields_describe(fields, to));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_plan_describe(FILE *to)
{
  PetscFunctionBeginUser;
  fprintf(to, "A study file is YAML with these keys:\n");
  PetscCall(fare_fields_describe(section_fields, to));
  PetscCall(describe_section(to, "system:   (`fare describe system NAME` lists its parameters)", fare_system_fields()));
  PetscCall(describe_section(to, "system.expression:   (docs/plugins_and_expressions.md tells what formulas may be made of)", fare_expression_fields()));
  fprintf(to, "\ndrive:   a list of maps {parameter: ..., waveform: ..., ...}; `fare describe waveform NAME` lists the keys of each\n");
  PetscCall(describe_section(to, "initial:", fare_initial_fields));
  PetscCall(describe_section(to, "snapshots:", fare_schedule_fields));
  PetscCall(describe_section(to, "truth:", fare_truth_fields));
  PetscCall(describe_section(to, "analysis:   a list of maps, in which the kind's own keys stand too (`fare describe analysis KIND`)", fare_analysis_fields));
  PetscCall(describe_section(to, "thermodynamics:", fare_thermo_fields));
  PetscCall(describe_section(to, "ensembles:   a list of maps, in which the sampler's own keys stand too (`fare describe sampler NAME`)", fare_ensemble_fields));
  PetscCall(describe_section(to, "ensembles[].train:", fare_training_fields));
  PetscCall(describe_section(to, "record:", fare_record_fields));
  PetscCall(describe_section(to, "output:", output_fields));
  fprintf(to, "\nsweep:   a list of maps `KEY: [VALUE, VALUE, ...]`, KEY as for --set; keys of one map change together, maps multiply; in place of the list of values may stand a range:\n");
  PetscCall(fare_fields_describe(fare_sweep_range_fields, to));
  PetscFunctionReturn(0);
}
