/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside system: descriptors that come from shared objects, the user's own or compiled from formulas. */
#ifndef FARE_PLUGIN_PRIVATE_H
#define FARE_PLUGIN_PRIVATE_H

#include <fare/plugin.h>

typedef struct fare_expression fare_expression; /* what the descriptor of a system by formulas is made of */
typedef struct fare_composite  fare_composite;  /* the same of a system of many axes */

/* When the functions of a composite change with the time. */
typedef struct {
  double begin, end, step; /* step: the longest that sees how; 0: they do not change */
} fare_clock;

/* What a system holds that is not from the library. Zero it to begin. */
typedef struct {
  void            *library; /* of dlopen */
  fare_expression *expression;
  fare_composite  *composite;
  void (*destroy_composite)(fare_composite *composite);
  int rates; /* so many parameters from FARE_OWN on, of which a composite wants the rates of change, too */
  fare_clock clock;
  /* the plugin's descriptor, kept inside its box along periodic axes; see ring.c */
  const fare_system_type *ring;
  fare_text               plan; /* the lines of `system:` that say where it comes from */
} fare_origin;

/*
  The system that `plugin: PATH` names. Collective over PETSC_COMM_WORLD: what fails on one rank fails on all.
*/
PetscErrorCode fare_plugin_system(
  const fare_node *node, const char *path, fare_origin *origin, const fare_system_type **type);
/* Refuses a descriptor that is not whole, as a fare_node_error at `node`. Not collective. */
PetscErrorCode fare_system_type_check(const fare_node *node, const fare_system_type *type);
/* x, moved by whole periods into [lower, upper]: rounding does not take it out again. */
double fare_ring_wrap(double x, double lower, double upper);
/* The upper end, seen from inside: so little below it that it is not taken for the lower one. */
double fare_ring_end(double lower, double upper);
/*
  A descriptor whose functions call those of `type`, borrowed, inside its box alone. NULL where there are too
  many. Not collective.
*/
const fare_system_type *fare_ring_create(const fare_system_type *type);
void                    fare_ring_destroy(const fare_system_type *ring);
/* Closes and frees; the descriptor is gone then. */
void fare_origin_free(fare_origin *origin);

#endif
