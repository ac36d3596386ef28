/* SPDX-License-Identifier: BSD-2-Clause */
/* Documents: from a file on rank 0 to every rank, and changed by --set. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

PetscErrorCode fare_config_parse(const char *name, const char *text, size_t length, fare_config **config)
{
  fare_config   *c;
  PetscErrorCode code;

  PetscFunctionBegin;
  *config = NULL;
  c       = calloc(1, sizeof *c);
  if (!c) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  code = fare_string_copy(name, strlen(name), &c->name);
  if (!code) code = fare_parse_yaml(c->name, PETSC_TRUE, text, length, "", &c->root);
  if (!code && c->root->kind != FARE_NODE_MAP)
    code = fare_node_error(c->root, "expected keys and values (study: ..., system: ...), got %s",
      fare_node_kind_names[c->root->kind]);
  if (!code) code = fare_node_rename_former_keys(c->root);
  if (code) fare_config_destroy(&c);
  *config = c;
  PetscFunctionReturn(code);
}

/*
  The whole of a file; the longest that is read is a little more than parsing accepts, so that parsing can
  refuse it.
*/
static PetscErrorCode slurp(const char *path, char **text, size_t *length)
{
  const size_t limit = (16u << 20) + 1;
  struct stat  about;
  FILE        *file;

  PetscFunctionBegin;
  if (stat(path, &about)) FARE_FAIL(FARE_ERR_INPUT, "%s: %s", path, strerror(errno));
  if (S_ISDIR(about.st_mode)) FARE_FAIL(FARE_ERR_INPUT, "%s: is a directory, not a study file", path);
  file = fopen(path, "rb");
  if (!file) FARE_FAIL(FARE_ERR_INPUT, "%s: %s", path, strerror(errno));
  *text = malloc(limit);
  if (!*text) {
    fclose(file);
    FARE_FAIL(FARE_ERR_FAILED, "%s: out of memory", path);
  }
  *length = fread(*text, 1, limit, file);
  if (ferror(file)) {
    fclose(file);
    free(*text);
    *text = NULL;
    FARE_FAIL(FARE_ERR_INPUT, "%s: %s", path, strerror(errno));
  }
  fclose(file);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_config_read(MPI_Comm comm, const char *path, fare_config **config)
{
  char              *text = NULL;
  unsigned long long length;
  size_t             size = 0;
  PetscErrorCode     code = 0;

  PetscFunctionBegin;
  *config = NULL;
  if (fare_is_rank_0(comm)) code = slurp(path, &text, &size);
  PetscCall(fare_error_agree(comm, code));
  length = size;
  PetscCallMPI(MPI_Bcast(&length, 1, MPI_UNSIGNED_LONG_LONG, 0, comm));
  if (!fare_is_rank_0(comm)) text = malloc((size_t)length + 1);
  code = text ? 0 : fare_error(FARE_ERR_FAILED, "%s: out of memory", path);
  PetscCall(fare_error_agree(comm, code));
  PetscCallMPI(MPI_Bcast(text, (int)length, MPI_BYTE, 0, comm));
  code = fare_config_parse(path, text, (size_t)length, config); /* the same on every rank */
  free(text);
  PetscFunctionReturn(code);
}

void fare_config_destroy(fare_config **config)
{
  fare_config *c = *config;

  if (!c) return;
  fare_node_destroy(&c->root);
  for (size_t i = 0; i < c->sources; i++) free(c->source[i]);
  free(c->source);
  free(c->name);
  free(c);
  *config = NULL;
}

const char *fare_config_name(const fare_config *config)
{
  return config->name;
}

const fare_node *fare_config_root(const fare_config *config)
{
  return config->root;
}

/*
  Where a value stands is known only when its place has been found: the paths in it are led by that of the
  place.
*/
static PetscErrorCode move_to_path(fare_node *node, const char *path)
{
  fare_text full = {0};

  PetscFunctionBegin;
  fare_text_add(
    &full, "%.150s%s%.100s", path, *path && *node->path && *node->path != '[' ? "." : "", node->path);
  free(node->path);
  node->path = full.text;
  for (size_t i = 0; i < node->count; i++) PetscCall(move_to_path(node->item[i], path));
  PetscFunctionReturn(0);
}

/*
  One step of a path: the place under `word`, which is a key of a map, or an index or a name in a list. NULL:
  not there.
*/
static fare_node **step(fare_node *at, const char *word)
{
  if (at->kind == FARE_NODE_MAP) {
    for (size_t i = 0; i < at->count; i++) {
      if (!strcmp(at->key[i], word)) return &at->item[i];
    }
  }
  if (at->kind == FARE_NODE_LIST) {
    char               *end;
    const unsigned long index = strtoul(word, &end, 10);

    if (*word && !*end) return index < at->count ? &at->item[index] : NULL;
    for (size_t i = 0; i < at->count; i++) {
      const fare_node *name = fare_node_find(at->item[i], "name");

      if (name && name->kind == FARE_NODE_SCALAR && !strcmp(name->text, word)) return &at->item[i];
    }
  }
  return NULL;
}

/* Puts `value` (owned from then on) where the words of `path` lead; maps that are not there are made. */
static PetscErrorCode assign(fare_node *root, const char *source, char *path, fare_node *value)
{
  fare_node *at    = root;
  char      *rest  = NULL;
  int        depth = 0;

  PetscFunctionBegin;
  for (char *part = strtok_r(path, ".[]", &rest), *after; part; part = after) {
    const char *word  = fare_key_of_today(at, part);
    fare_node **place = step(at, word);

    if (++depth > FARE_CONFIG_DEPTH)
      PetscFunctionReturn(fare_config_error(source, 0, 0, "", "nested too deeply"));
    after = strtok_r(NULL, ".[]", &rest);
    if (!place && at->kind != FARE_NODE_MAP) {
      PetscFunctionReturn(fare_config_error(source, 0, 0, at->path, "there is no '%.60s' in this %s", word,
        at->kind == FARE_NODE_LIST ? "list" : "value"));
    }
    if (!place) {
      fare_node *made = NULL;
      fare_text  full = {0};

      fare_text_add(&full, "%.150s%s%.100s", at->path, *at->path ? "." : "", word);
      PetscCall(fare_node_create(FARE_NODE_MAP, source, 0, 0, full.text, &made));
      fare_text_free(&full);
      PetscCall(fare_node_append(at, word, 0, 0, made));
      place = &at->item[at->count - 1];
    }
    if (!after) {
      PetscCall(move_to_path(value, (*place)->path));
      PetscCall(fare_node_rename_former_keys(value));
      fare_node_destroy(place);
      *place = value;
      PetscFunctionReturn(0);
    }
    at = *place;
  }
  PetscFunctionReturn(fare_config_error(source, 0, 0, "", "expected key=value, got nothing before '='"));
}

PetscErrorCode fare_config_set(fare_config *config, const char *assignment)
{
  return fare_config_set_from(config, "--set ", assignment);
}

PetscErrorCode fare_config_set_from(fare_config *config, const char *origin, const char *assignment)
{
  const char    *equals = strchr(assignment, '=');
  fare_node     *value  = NULL;
  char         **sources, *path = NULL, *source;
  fare_text      label = {0};
  PetscErrorCode code;

  PetscFunctionBegin;
  if (!equals || equals == assignment)
    PetscFunctionReturn(fare_config_error("--set", 0, 0, "",
      "expected key=value, for instance --set truth.cells=1024, got '%.200s'", assignment));
  fare_text_add(&label, "%s%.200s", origin, assignment);
  sources = realloc(config->source, (config->sources + 1) * sizeof *sources);
  if (!sources) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  config->source                    = sources;
  config->source[config->sources++] = source = label.text;
  if (!equals[1]) PetscFunctionReturn(fare_config_error(source, 0, 0, "", "nothing after '='"));
  PetscCall(fare_parse_yaml(source, PETSC_FALSE, equals + 1, strlen(equals + 1), "", &value));
  PetscCall(fare_string_copy(assignment, (size_t)(equals - assignment), &path));
  code = assign(config->root, source, path, value);
  if (code) fare_node_destroy(&value);
  free(path);
  PetscFunctionReturn(code);
}
