/* SPDX-License-Identifier: BSD-2-Clause */
/* Names in a file of samples: one that was meant for another would silently be left out. */
#include "score.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define NAME_SIZE 64

/* What is read in a group of the file, and names that others give it. */
static const struct {
  const char *name;
  PetscBool   in_root, in_group;
  const char *others[12];
} known[] = {
  {"times", PETSC_TRUE, PETSC_FALSE, {"t", "ts", "timepoints", "timestamps", "snapshots"}},
  {"samples", PETSC_TRUE, PETSC_TRUE,
    {"x", "xs", "data", "position", "positions", "particles", "points", "states"}},
  {"weights", PETSC_TRUE, PETSC_TRUE, {"w", "ws", "weighting", "importance", "importance_weights"}},
  {"log_density", PETSC_TRUE, PETSC_TRUE,
    {"logp", "logq", "log_p", "log_q", "ln_q", "logprob", "log_prob", "log_probs", "log_likelihood",
      "density", "ll"}},
  {"cell_mass", PETSC_TRUE, PETSC_FALSE, {"cell_masses", "masses"}},
  {"log_density_cells", PETSC_TRUE, PETSC_FALSE, {"cell_log_density", "log_density_grid"}},
  {"trained", PETSC_TRUE, PETSC_FALSE, {"train", "training", "is_train", "split"}},
};
#define KNOWN PETSC_STATIC_ARRAY_LENGTH(known)

static PetscBool is_read(size_t i, const char *group)
{
  return strcmp(group, "/") ? known[i].in_group : known[i].in_root;
}

/* What was meant, unless that is there too; NULL where nothing comes near. */
static PetscErrorCode find_meant(
  const fare_samples *s, const char *group, const char *name, const char **meant)
{
  const char *names[KNOWN];
  size_t      count = 0;

  PetscFunctionBegin;
  *meant = NULL;
  for (size_t i = 0; i < KNOWN; i++) {
    char      path[2 * NAME_SIZE];
    PetscBool has;

    if (!is_read(i, group)) continue;
    snprintf(path, sizeof path, "%s/%s", strcmp(group, "/") ? group : "", known[i].name);
    PetscCall(fare_store_has(s->store, path, &has));
    if (has) continue;
    names[count++] = known[i].name;
    for (size_t k = 0; known[i].others[k] && !*meant; k++) {
      if (!strcasecmp(name, known[i].others[k])) *meant = known[i].name;
    }
  }
  if (!*meant) *meant = fare_nearest(name, names, count);
  PetscFunctionReturn(0);
}

/* A message quotes the name in one line. */
static const char *shown(const char *name, char to[NAME_SIZE])
{
  snprintf(to, NAME_SIZE, "%s", name);
  for (char *c = to; *c; c++) *c = (unsigned char)*c < ' ' || *c == 0x7F ? '?' : *c;
  return to;
}

static PetscErrorCode check_name(
  const fare_samples *s, const char *group, const char *name, fare_text *unread)
{
  const char     *meant;
  char            path[2 * NAME_SIZE], line[NAME_SIZE];
  fare_store_kind kind;
  PetscBool       is_label;

  PetscFunctionBegin;
  for (size_t i = 0; i < KNOWN; i++) {
    if (!strcmp(name, known[i].name) && is_read(i, group)) PetscFunctionReturn(0);
  }
  PetscCall(find_meant(s, group, name, &meant));
  if (meant) {
    FARE_FAIL(FARE_ERR_INPUT, "%s: unknown dataset '%s'%s%s (did you mean '%s'?)", s->path, shown(name, line),
      strcmp(group, "/") ? " in " : "", strcmp(group, "/") ? group : "", meant);
  }
  snprintf(path, sizeof path, "%s/%s", strcmp(group, "/") ? group : "", name);
  /* no numbers there */
  if (fare_store_kind_of(s->store, path, &kind) || kind == FARE_STORE_NEITHER) PetscFunctionReturn(0);
  if (!fare_store_is_label(s->store, path, &is_label) && is_label) PetscFunctionReturn(0);
  fare_text_add(unread, "%s%s", unread->length ? ", " : "", shown(name, line));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_samples_check_names(const fare_samples *s, const char *group, PetscBool warn)
{
  fare_text      unread = {0};
  char           name[NAME_SIZE];
  PetscBool      has  = PETSC_TRUE;
  PetscErrorCode code = 0;

  PetscFunctionBegin;
  for (size_t i = 0; has && !code; i++) {
    code = fare_store_child(s->store, group, i, sizeof name, name, &has);
    if (code || !has || (!strcmp(group, "/") && !strncmp(name, "time_", 5))) continue;
    code = check_name(s, group, name, &unread);
  }
  if (!code && warn && unread.length) {
    fare_warn("%s: ignored in %s: %s (known: times, samples, weights, log_density, trained)", s->path, group,
      unread.text);
  }
  fare_text_free(&unread);
  PetscFunctionReturn(code);
}
