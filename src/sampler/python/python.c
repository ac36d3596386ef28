/* SPDX-License-Identifier: BSD-2-Clause */
/*
  A user's Python function as a sampler. Rank 0 has a process that calls it once for each snapshot, for all
  particles, and deals out what it returns: so nothing depends on the number of ranks.
*/
#include "python.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const fare_field fields[] = {
  {"python", FARE_STRING, offsetof(fare_python_state, function), NULL, 0, 0, NULL, "",
    "module:function that returns samples, called as function(time, count, seed); with a keyword-only "
    "argument `parameters` it gets those of the system at that time"},
  {"train", FARE_STRING, offsetof(fare_python_state, train), "", 0, 0, NULL, "",
    "module:function(data, seed) that returns a model, the last argument of the others then"},
  {"density", FARE_STRING, offsetof(fare_python_state, density), "", 0, 0, NULL, "",
    "module:function(time, points) that returns the log density of the samples"},
  {"path", FARE_STRING, offsetof(fare_python_state, path), "", 0, 0, NULL, "",
    "directory in which modules are found first; default: that of the study file"},
  {"interpreter", FARE_STRING, offsetof(fare_python_state, interpreter), "", 0, 0, NULL, "",
    "command of Python with NumPy; default: FARE_PYTHON of the environment, else python3"},
  FARE_FIELDS_END,
};

static PetscErrorCode ask_samples(fare_sampler *sampler, double t, const fare_ensemble *ensemble, void **rows)
{
  const fare_python_request request = {.what = FARE_PYTHON_SAMPLE,
    .time                                    = t,
    .count                                   = ensemble->count,
    .seed                                    = fare_python_seed(sampler, "samples", t),
    .axes                                    = ensemble->dim};
  fare_python_state        *s       = sampler->state;
  int64_t                   bytes;

  PetscFunctionBegin;
  *rows = NULL;
  if (!fare_is_rank_0(sampler->comm)) PetscFunctionReturn(0);
  if (ensemble->count > INT_MAX)
    FARE_SAMPLER_FAIL(sampler, FARE_ERR_FAILED, "at most %d particles can come from Python", INT_MAX);
  PetscCall(fare_python_process_at(sampler, t));
  PetscCall(fare_python_ask(s->process, &request, NULL, rows, &bytes));
  if (bytes != ensemble->count * ensemble->dim * (int64_t)sizeof(double)) {
    free(*rows);
    *rows = NULL;
    FARE_SAMPLER_FAIL(sampler, FARE_ERR_FAILED, "Python answered %lld bytes", (long long)bytes);
  }
  PetscFunctionReturn(0);
}

/* The rows of every rank, in the order of the particles. */
static PetscErrorCode deal_out(const fare_ensemble *ensemble, const double *rows, double *mine)
{
  const int    local = (int)ensemble->local;
  int         *count = NULL, *first = NULL, ranks;
  MPI_Datatype row;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(ensemble->comm, &ranks));
  PetscCall(PetscMalloc2(ranks, &count, ranks, &first));
  PetscCallMPI(MPI_Gather(&local, 1, MPI_INT, count, 1, MPI_INT, 0, ensemble->comm));
  first[0] = 0;
  for (int r = 1; r < ranks && rows; r++) first[r] = first[r - 1] + count[r - 1];
  PetscCallMPI(MPI_Type_contiguous(ensemble->dim, MPI_DOUBLE, &row));
  PetscCallMPI(MPI_Type_commit(&row));
  PetscCallMPI(MPI_Scatterv(rows, count, first, row, mine, local, row, 0, ensemble->comm));
  PetscCallMPI(MPI_Type_free(&row));
  PetscCall(PetscFree2(count, first));
  PetscFunctionReturn(0);
}

static PetscErrorCode advance(fare_sampler *sampler, double t, fare_ensemble *ensemble)
{
  PetscErrorCode code;
  void          *rows;
  double        *mine;

  PetscFunctionBegin;
  code = fare_python_agree(
    sampler->comm, fare_python_at_ensemble(sampler, ask_samples(sampler, t, ensemble, &rows)));
  if (code) {
    free(rows);
    PetscFunctionReturn(code);
  }
  PetscCall(PetscMalloc1(PetscMax(1, ensemble->local * ensemble->dim), &mine));
  PetscCall(deal_out(ensemble, rows, mine));
  free(rows);
  for (int axis = 0; axis < ensemble->dim; axis++) {
    for (int64_t i = 0; i < ensemble->local; i++) ensemble->x[axis][i] = mine[i * ensemble->dim + axis];
  }
  PetscCall(PetscFree(mine));
  PetscFunctionReturn(0);
}

/* The box that functions are told: that of the truth, or of the system where there is none. */
static fare_box told_box(const fare_sampler *sampler)
{
  fare_box box = fare_system_box(sampler->system);

  for (int axis = 0; axis < sampler->walls.dim; axis++) {
    box.lower[axis] = sampler->walls.lower[axis];
    box.upper[axis] = sampler->walls.upper[axis];
  }
  return box;
}

/* What a method may be told beside particles, as JSON. */
static void write_reals(const char *key, int count, const double values[], fare_text *to)
{
  fare_text_add(to, "\"%s\": [", key);
  for (int i = 0; i < count; i++) fare_text_add(to, "%s%.17g", i ? ", " : "", values[i]);
  fare_text_add(to, "], ");
}

static void write_protocol(const fare_sampler *sampler, const fare_training_set *data, fare_text *to)
{
  const fare_system    *system = sampler->system;
  const fare_parameter *table  = fare_system_type_of(system)->parameters;
  const fare_box        box    = told_box(sampler);
  const int             dim    = fare_system_dimension(system);

  fare_text_add(to, "{");
  write_reals("times", data->count, data->times, to);
  write_reals("lower", dim, box.lower, to);
  write_reals("upper", dim, box.upper, to);
  fare_text_add(to, "\"axes\": [");
  for (int i = 0; i < dim; i++)
    fare_text_add(to, "%s\"%s\"", i ? ", " : "", fare_system_axis_name(system, i));
  fare_text_add(to, "], \"periodic\": [");
  for (int i = 0; i < dim; i++) fare_text_add(to, "%s%s", i ? ", " : "", box.periodic[i] ? "true" : "false");
  fare_text_add(to, "], \"parameters\": {");
  for (int p = 0; table[p].name; p++) {
    fare_text_add(to, "%s\"%s\": [", p ? ", " : "", table[p].name);
    for (int k = 0; k < data->count; k++) {
      double theta[FARE_PARAMETERS_MAX];

      fare_system_parameters(system, data->times[k], theta);
      fare_text_add(to, "%s%.17g", k ? ", " : "", theta[p]);
    }
    fare_text_add(to, "]");
  }
  fare_text_add(to, "}}");
}

/* A simulation counts whole turns along a periodic axis; nothing is to be learned from them. */
static void wrap(const fare_box *box, int axis, int64_t count, double x[])
{
  const double lower = box->lower[axis], length = box->upper[axis] - lower;

  for (int64_t i = 0; i < count && box->periodic[axis]; i++) x[i] -= length * floor((x[i] - lower) / length);
}

/*
  The training set in one piece, on rank 0: the length of the protocol, that, and positions [time, particle,
  axis] in the box of periodic axes.
*/
static PetscErrorCode pack(
  const fare_sampler *sampler, const fare_training_set *data, char **packed, int64_t *bytes)
{
  const PetscBool first = fare_is_rank_0(sampler->comm);
  const int64_t   count = data->at[0]->count;
  const int       dim   = data->at[0]->dim;
  const fare_box  box   = told_box(sampler);
  fare_text       text  = {0};
  int64_t         head;
  double         *all, *to;

  PetscFunctionBegin;
  write_protocol(sampler, data, &text);
  while (text.length % sizeof(double)) fare_text_add(&text, " ");
  head   = (int64_t)text.length;
  *bytes = (int64_t)sizeof head + head + data->count * count * dim * (int64_t)sizeof(double);
  PetscCall(PetscMalloc1(first ? *bytes : 1, packed));
  PetscCall(PetscMalloc1(count, &all));
  if (first) memcpy(*packed, &head, sizeof head);
  if (first) memcpy(*packed + sizeof head, text.text, text.length);
  to = (double *)(*packed + (first ? sizeof head + text.length : 0));
  for (int k = 0; k < data->count; k++) {
    for (int axis = 0; axis < dim; axis++) {
      PetscCall(fare_ensemble_gather(data->at[k], data->at[k]->local, data->at[k]->x[axis], all));
      wrap(&box, axis, first ? count : 0, all);
      for (int64_t i = 0; i < count && first; i++) to[(k * count + i) * dim + axis] = all[i];
    }
  }
  fare_text_free(&text);
  PetscCall(PetscFree(all));
  PetscFunctionReturn(0);
}

static PetscErrorCode ask_model(
  fare_sampler *sampler, const fare_training_set *data, const char *packed, int64_t size, void **model)
{
  const fare_python_request request = {.what = FARE_PYTHON_TRAIN,
    .time                                    = data->count,
    .count                                   = data->at[0]->count,
    .seed                                    = fare_python_seed(sampler, "training", 0),
    .axes                                    = data->at[0]->dim,
    .bytes                                   = size};
  fare_python_state        *s       = sampler->state;

  PetscFunctionBegin;
  if (!fare_is_rank_0(sampler->comm)) PetscFunctionReturn(0);
  PetscCall(fare_python_process(sampler));
  PetscCall(fare_python_ask(s->process, &request, packed, model, &s->bytes));
  PetscFunctionReturn(0);
}

/* Every rank has the model, for its checkpoint; the process takes what a later one would. */
static PetscErrorCode take_model(fare_sampler *sampler, const void *model)
{
  fare_python_state *s    = sampler->state;
  PetscErrorCode     code = 0;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Bcast(&s->bytes, 1, MPI_INT64_T, 0, sampler->comm));
  s->words = (s->bytes + (int64_t)sizeof *s->model - 1) / (int64_t)sizeof *s->model;
  if (s->words > INT_MAX)
    FARE_SAMPLER_FAIL(
      sampler, FARE_ERR_FAILED, "the model of %s has more than 16 GiB: too large to keep", s->train);
  PetscCall(PetscCalloc1(s->words, &s->model));
  if (model) memcpy(s->model, model, (size_t)s->bytes);
  PetscCallMPI(MPI_Bcast(s->model, (int)s->words, MPI_INT64_T, 0, sampler->comm));
  if (model) code = fare_python_tell(sampler, FARE_PYTHON_USE, s->model, s->bytes);
  PetscFunctionReturn(fare_python_agree(sampler->comm, fare_python_at_ensemble(sampler, code)));
}

static PetscErrorCode train(fare_sampler *sampler, const fare_training_set *data)
{
  char          *packed;
  void          *model = NULL;
  int64_t        size;
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(pack(sampler, data, &packed, &size));
  code = fare_python_agree(
    sampler->comm, fare_python_at_ensemble(sampler, ask_model(sampler, data, packed, size, &model)));
  PetscCall(PetscFree(packed));
  if (!code) code = take_model(sampler, model);
  free(model);
  PetscFunctionReturn(code);
}

static const fare_kept kept[] = {
  FARE_KEEP(INTEGER, fare_python_state, bytes),
  FARE_KEEP_WITH(INTEGERS, fare_python_state, model, .length = offsetof(fare_python_state, words)),
  FARE_KEPT_END,
};

static PetscErrorCode destroy(fare_sampler *sampler)
{
  fare_python_state *s = sampler->state;

  PetscFunctionBegin;
  fare_python_end(&s->process);
  PetscCall(fare_kept_free(kept, s));
  PetscFunctionReturn(0);
}

#define COMMON                                                                                               \
  .name = "python", .summary = "a Python function of your own: samples at any time, called by FARE",         \
  .reference = "docs/how_to/own_generator.md", .family = FARE_GENERATIVE, .size = sizeof(fare_python_state), \
  .fields = fields, .advance = advance, .destroy = destroy
#define LEARNED .train = train, .kept = kept
#define KNOWN   .model_density = fare_python_model_density

const fare_sampler_type        fare_sampler_python = {COMMON};
static const fare_sampler_type learned = {COMMON, LEARNED}, known = {COMMON, KNOWN},
                               both = {COMMON, LEARNED, KNOWN};

const fare_sampler_type *fare_sampler_python_type(const fare_node *map)
{
  const PetscBool trains = !!fare_node_find(map, "train"), has = !!fare_node_find(map, "density");

  return trains && has ? &both : trains ? &learned : has ? &known : &fare_sampler_python;
}

/* "module:function", both as Python writes them. */
static PetscErrorCode check_name(const fare_node *node)
{
  const char *text = node ? fare_node_text(node) : "a:b", *colon = strchr(text, ':');

  PetscFunctionBegin;
  if (!colon || colon == text || !colon[1] || strchr(colon + 1, ':') || strpbrk(text, " /\\\"'"))
    FARE_REFUSE(node, "expected \"module:function\", got '%.200s'", text);
  PetscFunctionReturn(0);
}

/* The directory of modules, in full. */
static PetscErrorCode find_path(const fare_node *map, const char *study, fare_python_state *s)
{
  const fare_node *told = fare_node_find(map, "path");
  char             beside[PETSC_MAX_PATH_LEN], *full, *slash;

  PetscFunctionBegin;
  snprintf(beside, sizeof beside, "%s", s->path && *s->path == '/' ? "" : study);
  slash = strrchr(beside, '/');
  if (slash) slash[1] = '\0';
  if (!slash) *beside = '\0';
  if (s->path) strncat(beside, s->path, sizeof beside - strlen(beside) - 1);
  full = realpath(*beside ? beside : ".", NULL);
  if (!full) FARE_REFUSE(told ? told : map, "there is no directory '%.400s'", beside);
  free(s->path);
  s->path = full;
  PetscFunctionReturn(0);
}

PetscErrorCode fare_sampler_python_check(const fare_node *map, const char *study, void *options)
{
  static const char *const keys[] = {"python", "train", "density"};
  fare_python_state       *s      = options;
  fare_python             *process;
  PetscErrorCode           code = 0;

  PetscFunctionBegin;
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(keys); i++)
    PetscCall(check_name(fare_node_find(map, keys[i])));
  PetscCall(find_path(map, study, s));
  if (fare_is_rank_0(PETSC_COMM_WORLD)) {
    code = fare_python_start(s, &process);
    if (code) code = fare_node_error(fare_node_find(map, "python"), "%s", fare_error_message());
    if (!code) code = fare_python_keep(s, &process);
  }
  PetscFunctionReturn(fare_python_agree(PETSC_COMM_WORLD, code));
}
