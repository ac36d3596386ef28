/* Whether a plan goes on with what another has begun, and where it does not, in which line they differ. */
#include "study.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define LINE_SIZE 512
#define SAME_TIME 1e-9 /* of the time between snapshots */

/* Lines of a resolved plan, with the section that each stands in. */
typedef struct {
  const char *at;
  char        line[LINE_SIZE], section[64];
} reader;

static PetscBool next_line(reader *r)
{
  const size_t length = strcspn(r->at, "\n");

  if (!*r->at) return PETSC_FALSE;
  snprintf(r->line, sizeof r->line, "%.*s", (int)PetscMin(length, LINE_SIZE - 1), r->at);
  r->at += length + (r->at[length] == '\n');
  if (*r->line && *r->line != ' ') snprintf(r->section, sizeof r->section, "%.*s", (int)PetscMin(strcspn(r->line, ":"), 63), r->line);
  return PETSC_TRUE;
}

/* What may change: how distances are measured, where the results lie, and how far the study goes. */
static PetscBool harmless(const reader *r)
{
  return !strcmp(r->section, "measures") || !strcmp(r->section, "output") || !strncmp(r->line, "  end:", 6) || !strncmp(r->line, "  count:", 8) ? PETSC_TRUE : PETSC_FALSE;
}

static const char *without_indent(const char *line)
{
  return line + strspn(line, " ");
}

/* How far the key of a line reaches, with its indent; 0 where there is none. */
static size_t key_length(const char *line)
{
  const size_t length = strcspn(line, ":");

  return line[length] == ':' ? length : 0;
}

/* Whether a plan that this version has written has the line in any case: a number, a switch or a choice, under a name that is not the user's. */
static PetscBool is_always_there(const reader *r)
{
  const size_t length = key_length(r->line);

  if (!length || !strcmp(r->section, "system") || !strcmp(r->section, "drive")) return PETSC_FALSE;
  return r->line[length + 1] == ' ' && !strchr("['", r->line[length + 2]) ? PETSC_TRUE : PETSC_FALSE; /* lists and words are written where they are given; a section has no value */
}

/* Whether the key is in the same map, from this line on. */
static PetscBool has_key(reader r, const char *line)
{
  const size_t length = key_length(line), indent = strspn(line, " ");

  do {
    if (strspn(r.line, " ") < indent) return PETSC_FALSE;
    if (key_length(r.line) == length && !strncmp(r.line, line, length)) return PETSC_TRUE;
  } while (next_line(&r));
  return PETSC_FALSE;
}

/* A plan that lacks what is always written, or has what never is, is another version's: its lines say nothing about what the user has changed. */
static PetscErrorCode compare_versions(const reader *begun, PetscBool more_begun, const reader *now, PetscBool more_now)
{
  const char *advice = "go on with that version, or begin the study anew with --overwrite";

  PetscFunctionBeginUser;
  if (more_now && is_always_there(now) && !(more_begun && has_key(*begun, now->line))) {
    FARE_FAIL(FARE_ERR_INPUT, "--resume: the checkpoint was written by another version of FARE, whose plans have no '%.*s' in %s; %s", (int)key_length(without_indent(now->line)), without_indent(now->line), now->section, advice);
  }
  if (more_begun && is_always_there(begun) && !(more_now && has_key(*now, begun->line))) {
    FARE_FAIL(FARE_ERR_INPUT, "--resume: the checkpoint was written by another version of FARE, whose plans have '%.*s' in %s, which this one does not know; %s", (int)key_length(without_indent(begun->line)), without_indent(begun->line), begun->section, advice);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode compare_lines(const fare_text *now, const char *begun)
{
  reader a = {.at = begun}, b = {.at = now->text};

  PetscFunctionBeginUser;
  for (;;) {
    const PetscBool more_a = next_line(&a), more_b = next_line(&b);

    if (!more_a && !more_b) PetscFunctionReturn(0);
    if (more_a && more_b && (!strcmp(a.line, b.line) || (harmless(&a) && harmless(&b) && !strcmp(a.section, b.section)))) continue;
    PetscCall(compare_versions(&a, more_a, &b, more_b));
    if (!more_a || !more_b) FARE_FAIL(FARE_ERR_INPUT, "--resume: the study was begun with another plan: %s '%s' in %s", more_a ? "it had" : "it had no", without_indent(more_a ? a.line : b.line), more_a ? a.section : b.section);
    FARE_FAIL(FARE_ERR_INPUT, "--resume: the study was begun with another plan: in %s it had '%s', now it has '%s'", a.section, without_indent(a.line), without_indent(b.line));
  }
}

/* More snapshots may follow, if those that there are keep their times and no method has learned from where the end was. */
static PetscErrorCode compare_schedules(const fare_plan *plan, const char *begun, PetscInt64 next)
{
  const fare_schedule *now = &plan->snapshots;
  const double         gap = (now->end - now->start) / (double)PetscMax(1, now->count - 1);
  fare_schedule        old = {0};
  fare_config         *config;
  PetscErrorCode       code;

  PetscFunctionBeginUser;
  PetscCall(fare_config_parse("the checkpoint's plan", begun, strlen(begun), &config));
  code = fare_fields_read(fare_schedule_fields, NULL, fare_node_find(fare_config_root(config), "snapshots"), &old);
  PetscCall(fare_config_destroy(&config));
  PetscCall(code);
  if (old.end == now->end && old.count == now->count) PetscFunctionReturn(0);
  for (size_t i = 0; i < plan->ensembles; i++) {
    if (plan->ensemble[i].type->train) FARE_FAIL(FARE_ERR_INPUT, "--resume: the snapshots end at %g now and ended at %g, but ensemble %s learns from them all: begin it anew", now->end, old.end, plan->ensemble[i].name);
  }
  for (PetscInt64 k = 0; k < next; k++) {
    const double before = fare_schedule_time(&old, k), after = fare_schedule_time(now, k);

    if (k >= now->count || fabs(after - before) > SAME_TIME * gap) FARE_FAIL(FARE_ERR_INPUT, "--resume: snapshot %lld was to be at time %g, where the plan now has %s%g; only more snapshots at the end may be asked for", (long long)k, before, k >= now->count ? "none: it ends at " : "", k >= now->count ? now->end : after);
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_plan_continues(const fare_plan *plan, const char *begun, PetscInt64 next)
{
  fare_text      now = {0};
  PetscErrorCode code;

  PetscFunctionBeginUser;
  PetscCall(fare_plan_write(plan, &now));
  code = compare_lines(&now, begun);
  fare_text_free(&now);
  PetscCall(code);
  PetscCall(compare_schedules(plan, begun, next));
  PetscFunctionReturn(0);
}
