/* SPDX-License-Identifier: BSD-2-Clause */
#include "composite.h"

#include <stdlib.h>
#include <string.h>

#define FARE_COMPOSITE(name) extern const fare_composite_kind fare_composite_##name;
#include "list.h"
#undef FARE_COMPOSITE

static const fare_composite_kind *const kinds[] = {
#define FARE_COMPOSITE(name) &fare_composite_##name,
#include "list.h"
#undef FARE_COMPOSITE
  NULL};

#define ALIVE_MAX 256 /* composites at a time, units among them */
static fare_composite *alive[ALIVE_MAX];

const fare_composite_kind *fare_composite_kind_at(size_t i)
{
  return i < PETSC_STATIC_ARRAY_LENGTH(kinds) ? kinds[i] : NULL;
}

const fare_composite_kind *fare_composite_kind_find(const char *name)
{
  for (size_t i = 0; kinds[i] && name; i++) {
    if (!strcmp(kinds[i]->name, name)) return kinds[i];
  }
  return NULL;
}

const fare_composite *fare_composite_at(const double *theta)
{
  return alive[(int)theta[FARE_SELF]];
}

static void destroy(fare_composite *c)
{
  if (c->kind->free && c->state) c->kind->free(c);
  if (c->state) fare_fields_free(c->kind->fields, c->state);
  free(c->state);
  alive[c->handle] = NULL;
  PetscCallVoid(PetscFree(c));
}

PetscErrorCode fare_composite_system(const fare_node *section, const fare_composite_kind *kind,
  const fare_field *others, fare_system_reader *read_unit, fare_system_writer *write_unit,
  fare_origin *origin, const fare_system_type **type)
{
  fare_composite *c;
  int             handle = 1; /* 0 stands for none */

  PetscFunctionBegin;
  while (handle < ALIVE_MAX && alive[handle]) handle++;
  if (handle == ALIVE_MAX) FARE_REFUSE(section, "too many systems of many axes at a time");
  PetscCall(PetscNew(&c));
  origin->composite         = c;
  origin->destroy_composite = destroy;
  c->read_unit              = read_unit;
  c->write_unit             = write_unit;
  c->kind                   = kind;
  c->handle                 = handle;
  alive[handle]             = c;
  c->type.name              = kind->name;
  c->type.summary           = kind->summary;
  c->type.reference         = kind->reference;
  c->state                  = calloc(1, kind->size);
  if (!c->state) FARE_FAIL(FARE_ERR_FAILED, "out of memory for system %s", kind->name);
  PetscCall(fare_fields_read(kind->fields, others, section, c->state));
  PetscCall(kind->read(section, c));
  origin->rates = c->rates;
  origin->clock = c->clock;
  fare_text_add(&origin->plan, "  name: %s\n", kind->name);
  kind->write(c, &origin->plan);
  *type = &c->type;
  PetscFunctionReturn(0);
}

void fare_composite_write_unit(const fare_composite *c, const fare_system *unit, int indent, fare_text *to)
{
  fare_text   text = {0};
  const char *line;

  c->write_unit(unit, &text);
  line = strchr(text.text, '\n') + 1; /* past "system:" */
  while (*line == ' ') {              /* up to "drive:" */
    const int length = (int)strcspn(line, "\n");

    fare_text_add(to, "%*s%.*s\n", indent, "", length, line);
    line += length + 1;
  }
  fare_text_free(&text);
}

PetscBool fare_system_is_steered(const fare_system *system)
{
  const fare_composite *c = system->origin.composite;

  return c && c->kind->effort ? PETSC_TRUE : PETSC_FALSE;
}

PetscBool fare_system_has_rates(const fare_system *system)
{
  return system->origin.rates > 0 ? PETSC_TRUE : PETSC_FALSE;
}

void fare_system_effort(const fare_system *system, double t, size_t n, const double *const x[], double rate[])
{
  double theta[FARE_PARAMETERS_MAX];

  fare_system_parameters(system, t, theta);
  system->origin.composite->kind->effort(system->dimension, theta, n, x, rate);
}

void fare_system_show(const fare_system *system, size_t n, double *const x[])
{
  const fare_composite *c = system->origin.composite;

  if (c && c->kind->show) c->kind->show(c, n, x);
}

void fare_system_hide(const fare_system *system, size_t n, double *const x[])
{
  const fare_composite *c = system->origin.composite;

  if (c && c->kind->hide) c->kind->hide(c, n, x);
}
