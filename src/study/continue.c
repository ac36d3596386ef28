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

static PetscErrorCode compare_lines(const fare_text *now, const char *begun)
{
  reader a = {.at = begun}, b = {.at = now->text};

  PetscFunctionBeginUser;
  for (;;) {
    const PetscBool more_a = next_line(&a), more_b = next_line(&b);

    if (!more_a && !more_b) PetscFunctionReturn(0);
    if (!more_a || !more_b) FARE_FAIL(FARE_ERR_INPUT, "--resume: the study was begun with another plan: %s '%s' in %s", more_a ? "it had" : "it had no", without_indent(more_a ? a.line : b.line), more_a ? a.section : b.section);
    if (!strcmp(a.line, b.line) || (harmless(&a) && harmless(&b) && !strcmp(a.section, b.section))) continue;
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

    if (k >= now->count || fabs(after - before) > SAME_TIME * gap) FARE_FAIL(FARE_ERR_INPUT, "--resume: snapshot %lld was made at time %g, where the plan now has %s%g; only more snapshots at the end may be asked for", (long long)k, before, k >= now->count ? "none: it ends at " : "", k >= now->count ? now->end : after);
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
