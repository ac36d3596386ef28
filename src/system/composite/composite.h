/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Inside system: systems of many axes, which are made of others or of matrices. Each has a descriptor of its
  own, whose functions find what it is made of by a handle among the parameters, theta[FARE_SELF].
*/
#ifndef FARE_COMPOSITE_PRIVATE_H
#define FARE_COMPOSITE_PRIVATE_H

#include "system/system.h"

/* fare_system_from_config, for units: handed down, because it stands on composites itself. */
typedef PetscErrorCode fare_system_reader(
  const fare_node *section, const fare_node *drive, fare_system **system);

/* fare_system_write, likewise. */
typedef void fare_system_writer(const fare_system *system, fare_text *to);

/* What a composite provides: one const descriptor in a file of its own, named once in list.h. */
typedef struct {
  const char       *name, *summary, *reference; /* as of fare_system_type */
  size_t            size;                       /* of its own state, which begins zeroed */
  const fare_field *fields; /* its keys in the section `system`, beside `name` and `parameters` */
  /*
    Reads its keys; fills in c->type but for name, summary and reference (dimension, axes, domain, parameters,
    functions) and c->state. FARE_ERR_INPUT, at the node, for what is wrong.
  */
  PetscErrorCode (*read)(const fare_node *section, fare_composite *c);
  /* Appends its keys, resolved, as lines of the section: "  copies: 16\n". */
  void (*write)(const fare_composite *c, fare_text *to);
  /* As fare_system_show() and fare_system_hide(); NULL: nothing to do. */
  void (*show)(const fare_composite *c, size_t n, double *const x[]);
  void (*hide)(const fare_composite *c, size_t n, double *const x[]);
  /* As fare_system_effort(), at the values theta of the parameters; NULL: nothing controls. */
  fare_scalar_kernel *effort;
  void (*free)(fare_composite *c); /* what the state holds; may be NULL */
} fare_composite_kind;

struct fare_composite {
  const fare_composite_kind *kind;
  fare_system_type           type;
  int                        handle; /* theta[FARE_SELF] */
  void                      *state;  /* of kind->size bytes; its fields are filled in before `read` */
  fare_system_reader        *read_unit;
  int                        rates; /* set by `read`: see fare_composite_rates */
  fare_clock                 clock; /* set by `read`, where functions know the time, theta[FARE_TIME] */
  fare_system_writer        *write_unit;
};

const fare_composite_kind *fare_composite_kind_at(size_t i); /* NULL past the last */
const fare_composite_kind *fare_composite_kind_find(const char *name);
/* What theta belongs to: for kernels. */
const fare_composite *fare_composite_at(const double *theta);
/* Rates of change in time of the first c->rates parameters from FARE_OWN on, behind their values: for
 * kernels. */
static inline const double *fare_composite_rates(const double *theta)
{
  return theta + FARE_RATES;
}
/*
  Reads the section `system`, in which the keys `others` belong to the caller. Collective over
  PETSC_COMM_WORLD where a unit is a formula or a plugin.
*/
PetscErrorCode fare_composite_system(const fare_node *section, const fare_composite_kind *kind,
  const fare_field *others, fare_system_reader *read_unit, fare_system_writer *write_unit,
  fare_origin *origin, const fare_system_type **type);
/* Appends the lines of a unit's section, without what drives it, behind so many more spaces. */
void fare_composite_write_unit(const fare_composite *c, const fare_system *unit, int indent, fare_text *to);

#endif
