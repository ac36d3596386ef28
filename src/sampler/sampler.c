/* SPDX-License-Identifier: BSD-2-Clause */
#include "sampler/shared/generative.h"

#include <fare/product.h>
#include <stdlib.h>

const char *const fare_sampler_mode_names[]   = {"learned", "oracle", "empirical"};
const char *const fare_sampler_family_names[] = {"equilibrium", "simulation", "generative"};

const char *const fare_walls_meanings[] = {
  [FARE_WALLS_IGNORED]  = "no walls: particles may leave the box",
  [FARE_WALLS_KEPT]     = "particles stay inside",
  [FARE_WALLS_FOLDED]   = "samples outside are reflected into the box",
  [FARE_WALLS_ABSORBED] = "reflected at reflecting boundaries, absorbed at absorbing ones",
};

PetscBool fare_sampler_type_has_model_density(const fare_sampler_type *type, fare_sampler_mode mode)
{
  return type->model_density && (!type->model_density_modes || type->model_density_modes & (int)mode)
    ? PETSC_TRUE
    : PETSC_FALSE;
}

PetscBool fare_sampler_type_has_log_density(const fare_sampler_type *type, fare_sampler_mode mode)
{
  return type->log_density && (!type->log_density_learned || mode == FARE_LEARNED) ? PETSC_TRUE : PETSC_FALSE;
}

void fare_sampler_type_describe(const fare_sampler_type *type, FILE *to)
{
  fprintf(to, "sampler %s: %s\n%s\nfamily: %s%s\n\n", type->name, type->summary, type->reference,
    fare_sampler_family_names[type->family], type->train ? ", learned from a training set" : "");
  fprintf(to, "boundaries of the truth's box: %s\n\n", fare_walls_meanings[type->walls]);
  if (type->modes)
    fprintf(to, "also runs with %s%s%s in place of the trained model\n\n",
      type->modes & FARE_ORACLE ? "`oracle: true`" : "",
      type->modes == (FARE_ORACLE | FARE_EMPIRICAL) ? " or " : "",
      type->modes & FARE_EMPIRICAL ? "`empirical: true`" : "");
  fare_fields_describe(type->fields, to);
}

PetscErrorCode fare_sampler_options_read(
  const fare_sampler_type *type, const fare_node *node, const fare_field *more, void **options)
{
  PetscErrorCode code;

  PetscFunctionBegin;
  *options = calloc(1, type->size);
  if (!*options) FARE_FAIL(FARE_ERR_FAILED, "out of memory for sampler %s", type->name);
  code = fare_fields_read(type->fields, more, node, *options);
  if (code) fare_sampler_options_free(type, options);
  PetscFunctionReturn(code);
}

void fare_sampler_options_free(const fare_sampler_type *type, void **options)
{
  if (*options) fare_fields_free(type->fields, *options);
  free(*options);
  *options = NULL;
}

PetscBool fare_sampler_options_alike(const fare_sampler_type *type, const void *a, const void *b)
{
  typedef struct {
    fare_generative common;
  } generator;
  static const fare_field of_networks[] = {
    FARE_GENERATIVE_FIELDS(generator, common, "1", "1", "1", "1", "1", "0", "0"), FARE_FIELDS_END};

  return fare_fields_equal(type->fields, of_networks, a, b);
}

PetscErrorCode fare_sampler_create(MPI_Comm comm, const fare_sampler_type *type, const char *name,
  const void *options, uint64_t seed, const fare_system *system, const fare_initial *initial,
  const fare_schedule *schedule, fare_sampler **sampler)
{
  fare_sampler *s;

  PetscFunctionBegin;
  PetscCall(PetscNew(&s));
  *sampler    = s;
  s->type     = type;
  s->name     = name;
  s->comm     = comm;
  s->seed     = seed;
  s->system   = system;
  s->initial  = initial;
  s->schedule = *schedule;
  snprintf(s->where, sizeof s->where, "ensemble %s (%s)", name, type->name);
  s->state = calloc(1, type->size);
  if (!s->state) FARE_FAIL(FARE_ERR_FAILED, "out of memory for sampler %s", name);
  PetscCall(fare_fields_copy(type->fields, options, s->state));
  if (!type->many_axes && fare_system_dimension(system) > FARE_DIM_MAX)
    FARE_FAIL(FARE_ERR_INPUT,
      "sampler '%s' runs in up to %d axes, system '%s' has %d: take one of `fare list samplers` "
      "that runs in many, say langevin or diffusion",
      type->name, FARE_DIM_MAX, fare_system_type_of(system)->name, fare_system_dimension(system));
  if (!type->lifted && fare_product_is_lifted(fare_product_of(system)))
    FARE_FAIL(FARE_ERR_INPUT,
      "sampler '%s' needs the forces on the state, and a product with a lift has those of its blocks alone: "
      "take "
      "langevin, or remove 'lift'",
      type->name);
  if (type->needs_potential && !fare_system_has_potential(system))
    FARE_FAIL(FARE_ERR_INPUT, "sampler '%s' needs a potential, and system '%s' has none", type->name,
      fare_system_type_of(system)->name);
  if (type->check) PetscCall(type->check(s->state, system));
  if (type->setup) PetscCall(type->setup(s));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_sampler_set_mode(
  fare_sampler *sampler, fare_sampler_mode mode, const fare_densities *exact)
{
  PetscFunctionBegin;
  if (mode & ~sampler->type->modes)
    FARE_FAIL(FARE_ERR_INPUT, "sampler %s cannot run as %s", sampler->type->name,
      mode == FARE_ORACLE ? "an oracle" : "the empirical optimum");
  if (mode == FARE_EMPIRICAL && fare_system_dimension(sampler->system) > FARE_DIM_MAX)
    FARE_FAIL(FARE_ERR_INPUT,
      "the empirical optimum is known in up to %d axes, system '%s' has %d: remove 'empirical'", FARE_DIM_MAX,
      fare_system_type_of(sampler->system)->name, fare_system_dimension(sampler->system));
  if (sampler->type->check_mode) PetscCall(sampler->type->check_mode(sampler->state, mode));
  sampler->mode  = mode;
  sampler->exact = exact;
  PetscFunctionReturn(0);
}

/* Which methods take priors of a kind. */
static const char *const prior_takers[] = {
  [FARE_PRIOR_DYNAMICS_CHAIN] = "weak_constraint, which has its densities on a grid, takes it",
  [FARE_PRIOR_FOKKER_PLANCK]  = "for methods with a score or a density at every time: diffusion, "
                                "flow_matching, normalizing_flow, ebm, neq_ebm",
  [FARE_PRIOR_NOISE_EQUATION] = "methods with a score of every noise level take it: diffusion, flow_matching",
  [FARE_PRIOR_LEAST_DISSIPATION] = "for methods with a score or a density at every time: diffusion, "
                                   "flow_matching, normalizing_flow, ebm, "
                                   "neq_ebm; action_matching is trained for the least dissipation by itself",
};

PetscErrorCode fare_sampler_set_prior(fare_sampler *sampler, const fare_prior *prior)
{
  const fare_sampler_type *type = sampler->type;

  PetscFunctionBegin;
  if (prior && sampler->mode != FARE_LEARNED)
    FARE_FAIL(FARE_ERR_INPUT, "an ensemble that is not trained takes no prior: remove 'prior' or '%s'",
      fare_sampler_mode_names[sampler->mode]);
  if (prior && !(type->priors & 1 << prior->kind))
    FARE_FAIL(FARE_ERR_INPUT, "sampler '%s' takes no prior '%s': %s", type->name,
      fare_prior_kinds[prior->kind], prior_takers[prior->kind]);
  if (prior && type->check_prior) PetscCall(type->check_prior(sampler->state, sampler->system, prior));
  sampler->prior = prior;
  PetscFunctionReturn(0);
}

PetscErrorCode fare_sampler_set_walls(fare_sampler *sampler, const fare_walls *walls)
{
  const fare_sampler_type *type = sampler->type;

  PetscFunctionBegin;
  if (walls->absorbing && type->walls != FARE_WALLS_ABSORBED) {
    FARE_FAIL(FARE_ERR_INPUT,
      "sampler '%s' has no absorption, but a boundary of the truth's box absorbs: use 'langevin', or other "
      "'boundaries'",
      type->name);
  }
  if (type->check_walls) PetscCall(type->check_walls(sampler->state, walls));
  sampler->walls = *walls;
  PetscFunctionReturn(0);
}

void fare_sampler_set_joint(fare_sampler *sampler, fare_joint *joint)
{
  sampler->joint = joint;
}

PetscErrorCode fare_sampler_destroy(fare_sampler **sampler)
{
  fare_sampler *s = *sampler;

  PetscFunctionBegin;
  if (!s) PetscFunctionReturn(0);
  if (s->type->destroy) PetscCall(s->type->destroy(s));
  PetscCall(fare_learn_state_destroy(&s->session.state));
  fare_fields_free(s->type->fields, s->state);
  free(s->state);
  PetscCall(PetscFree(*sampler));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_sampler_save(const fare_sampler *sampler, fare_store *to, const char *group)
{
  PetscFunctionBegin;
  if (sampler->type->kept)
    PetscCall(fare_kept_save(sampler->type->kept, sampler->state, FARE_KEPT_IN(sampler->mode), to, group));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_sampler_load(fare_sampler *sampler, fare_store *from, const char *group)
{
  const fare_sampler_type *type = sampler->type;

  PetscFunctionBegin;
  if (!type->kept) PetscFunctionReturn(0);
  PetscCall(fare_kept_load(type->kept, sampler->state, FARE_KEPT_IN(sampler->mode), sampler, from, group));
  if (type->loaded) PetscCall(type->loaded(sampler));
  PetscFunctionReturn(0);
}

/* Seconds from `since` on are added to a cost. */
static void spend(fare_sampler *sampler, double *seconds)
{
  const double now = fare_seconds();

  *seconds += now - sampler->since;
  sampler->since = now;
}

PetscErrorCode fare_sampler_train(fare_sampler *sampler, const fare_training_set *data)
{
  PetscFunctionBegin;
  sampler->since = fare_seconds();
  PetscCall(sampler->type->train(sampler, data));
  spend(sampler, &sampler->cost.train_seconds);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_sampler_pause(fare_sampler *sampler)
{
  PetscBool stop = PETSC_FALSE;

  PetscFunctionBegin;
  if (!sampler->session.pause) PetscFunctionReturn(0);
  spend(sampler, &sampler->cost.sample_seconds);
  PetscCall(sampler->session.pause(sampler->session.context, 0, &stop));
  sampler->since = fare_seconds();
  if (stop) FARE_SAMPLER_FAIL(sampler, FARE_ERR_STOPPED, "stopped in the middle of an advance");
  PetscFunctionReturn(0);
}

/* Reflects what lies outside into the box, which may be no more than round-off, and counts it. */
static void fold(fare_sampler *sampler, fare_ensemble *ensemble)
{
  sampler->folded = 0;
  if (!sampler->walls.dim || sampler->type->walls == FARE_WALLS_IGNORED) return;
  for (int64_t b = 0; b < ensemble->blocks; b++) {
    const fare_block block = fare_ensemble_block(ensemble, b);

    if (fare_walls_crossed(&sampler->walls, FARE_BLOCK, (const double *const *)block.x))
      sampler->folded += fare_walls_fold(&sampler->walls, block.counted, PETSC_FALSE, block.x, NULL);
  }
}

PetscErrorCode fare_sampler_advance(fare_sampler *sampler, double t, fare_ensemble *ensemble)
{
  PetscErrorCode code;

  PetscFunctionBegin;
  sampler->since = fare_seconds();
  PetscCall(sampler->type->advance(sampler, t, ensemble));
  if (sampler->type->needs_potential)
    fare_system_show(sampler->system, (size_t)ensemble->blocks * FARE_BLOCK, ensemble->x);
  fold(sampler, ensemble);
  ensemble->time = t;
  spend(sampler, &sampler->cost.sample_seconds);
  code = fare_ensemble_is_valid(ensemble);
  if (code == FARE_ERR_FAILED) FARE_SAMPLER_FAIL(sampler, code, "%s", fare_error_message());
  PetscFunctionReturn(code);
}

PetscErrorCode fare_sampler_exact(const fare_sampler *sampler, double t, const double **masses)
{
  const PetscInt64 k = fare_densities_find(sampler->exact, t);

  PetscFunctionBegin;
  if (k < 0)
    FARE_SAMPLER_FAIL(
      sampler, FARE_ERR_FAILED, "there is no exact density at time %g, which is no snapshot", t);
  *masses = sampler->exact->masses[k];
  PetscFunctionReturn(0);
}

PetscErrorCode fare_sampler_draw_initial(const fare_sampler *sampler, double t, fare_ensemble *ensemble)
{
  const fare_stream stream = fare_sampler_stream(sampler, "initial");

  PetscFunctionBegin;
  if (ensemble->dim > FARE_DIM_MAX && sampler->joint && !fare_initial_is_gaussian(sampler->initial)) {
    PetscCall(fare_joint_draw(sampler->joint, stream, ensemble));
    fare_system_hide(sampler->system, (size_t)ensemble->blocks * FARE_BLOCK, ensemble->x);
  } else {
    PetscCall(fare_ensemble_draw(ensemble, sampler->initial, sampler->system, t, stream));
  }
  PetscFunctionReturn(0);
}

fare_stream fare_sampler_stream(const fare_sampler *sampler, const char *purpose)
{
  char name[256];

  snprintf(name, sizeof name, "%s/%s", sampler->name, purpose);
  return fare_stream_make(sampler->seed, name);
}

PetscErrorCode fare_cost_gather(MPI_Comm comm, const fare_cost *mine, fare_cost *all)
{
  double  seconds[2] = {mine->train_seconds, mine->sample_seconds};
  int64_t counts[2]  = {mine->force_evaluations, mine->network_evaluations};

  PetscFunctionBegin;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, seconds, 2, MPI_DOUBLE, MPI_MAX, comm));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, counts, 2, MPI_INT64_T, MPI_SUM, comm));
  *all = (fare_cost){seconds[0], seconds[1], counts[0], counts[1]};
  PetscFunctionReturn(0);
}
