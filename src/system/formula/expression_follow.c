/* SPDX-License-Identifier: BSD-2-Clause */
/*
  What of a study's formulas is followed in time: the largest parts that depend on time alone, and each
  function of the system at some places. A formula that is narrow in space and time at once may escape, as one
  that depends on the time and on driven parameters may.
*/
#include "course.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLACES       8
#define FOLLOWED_MAX 512

PetscBool fare_expression_uses_time(const fare_expression *expression)
{
  return expression->tree ? PETSC_TRUE : PETSC_FALSE;
}

typedef struct {
  const fare_expression *of;
  int                    dim;
  const double          *base;
  const PetscBool       *driven;
  const fare_tree       *from;
  fare_tree             *to;
  int                   *image; /* of each node in `to` */
  PetscBool             *pure;  /* has time, no axis and nothing driven */
  int                    count, root[FOLLOWED_MAX];
  fare_text              name[FOLLOWED_MAX];
} follower;

/* All nodes with t as axis 0, and numbers for parameters and for the axes, NULL: such nodes mean nothing. */
static void substitute(follower *f, const double *x)
{
  for (int i = 0; i < f->from->count && !f->to->full; i++) {
    const fare_tree_node *n = &f->from->node[i];

    switch (n->kind) {
    case FARE_X_NUMBER:
      f->image[i] = fare_tree_number(f->to, n->value);
      break;
    case FARE_X_AXIS:
      f->image[i] = fare_tree_number(f->to, x ? x[n->a] : 0);
      break;
    case FARE_X_PARAMETER:
      f->image[i] = n->a == FARE_TIME ? fare_tree_axis(f->to, 0) : fare_tree_number(f->to, f->base[n->a]);
      break;
    default:
      f->image[i] = fare_tree_make(f->to, n->kind, f->image[n->a], f->image[n->b]);
      break;
    }
  }
}

/* The image of a node as one more formula, unless it does not depend on time or is there already. */
static void __attribute__((format(printf, 3, 4))) add(follower *f, int node, const char *format, ...);

static void add(follower *f, int node, const char *format, ...)
{
  const int image = f->image[node];
  char      name[200];
  va_list   arguments;

  if (f->to->full || !f->to->node[image].of || f->to->node[image].kind == FARE_X_AXIS) return;
  for (int k = 0; k < f->count; k++) {
    if (f->root[k] == image) return;
  }
  if (f->count == FOLLOWED_MAX) {
    f->to->full = PETSC_TRUE;
    return;
  }
  va_start(arguments, format);
  vsnprintf(name, sizeof name, format, arguments);
  va_end(arguments);
  fare_text_add(&f->name[f->count], "%s", name);
  f->root[f->count++] = image;
}

static PetscBool has_two(const fare_tree_node *n)
{
  return (n->kind >= FARE_X_ADD && n->kind <= FARE_X_POWER) || n->kind == FARE_X_MIN || n->kind == FARE_X_MAX
    ? PETSC_TRUE
    : PETSC_FALSE;
}

/* Nodes of time alone: numbers and undriven parameters may be in them. */
static void find_pure(follower *f, PetscBool *moves)
{
  PetscBool *fixed = moves; /* nothing but numbers and undriven parameters */

  for (int i = 0; i < f->from->count; i++) {
    const fare_tree_node *n   = &f->from->node[i];
    const PetscBool       two = has_two(n);

    if (n->kind <= FARE_X_PARAMETER) {
      f->pure[i] = n->kind == FARE_X_PARAMETER && n->a == FARE_TIME;
      fixed[i] = n->kind == FARE_X_NUMBER || (n->kind == FARE_X_PARAMETER && !f->pure[i] && !f->driven[n->a]);
    } else {
      const PetscBool a = f->pure[n->a] || fixed[n->a], b = !two || f->pure[n->b] || fixed[n->b];

      fixed[i]   = fixed[n->a] && (!two || fixed[n->b]);
      f->pure[i] = a && b && !fixed[i];
    }
  }
}

/* The largest parts of time alone of what was reached from the system's functions. */
static void add_parts(follower *f, const int reached[], const PetscBool inside[])
{
  for (int i = 0; i < f->from->count; i++) {
    if (reached[i] && f->pure[i] && !inside[i]) add(f, i, "a part of the formulas that depends on t");
  }
}

static void mark_inside(const follower *f, const int reached[], PetscBool inside[])
{
  for (int i = 0; i < f->from->count; i++) {
    const fare_tree_node *n = &f->from->node[i];

    if (!reached[i] || n->kind <= FARE_X_PARAMETER || !f->pure[i]) continue;
    inside[n->a] = PETSC_TRUE;
    if (has_two(n)) inside[n->b] = PETSC_TRUE;
  }
}

/* Spread evenly over the box (powers of 1/g, g^4 = g + 1). */
static void add_places(follower *f)
{
  static const double step[FARE_DIM_MAX] = {0.8191725133961645, 0.6710436067037893, 0.5497004779019703};
  static const fare_formula_part parts[] = {
    FARE_PART_POTENTIAL, FARE_PART_FORCE, FARE_PART_DRIFT, FARE_PART_DIFFUSION};
  const fare_system_type *type = &f->of->type;

  for (int i = 0; i < PLACES; i++) {
    double    x[FARE_DIM_MAX] = {0};
    fare_text place           = {0};

    for (int axis = 0; axis < f->dim; axis++) {
      x[axis] =
        type->lower[axis] + fmod(0.5 + step[axis] * (i + 1), 1) * (type->upper[axis] - type->lower[axis]);
      fare_text_add(&place, "%s%s = %.6g", axis ? ", " : "", type->axes[axis], x[axis]);
    }
    substitute(f, x);
    for (size_t p = 0; p < PETSC_STATIC_ARRAY_LENGTH(parts); p++) {
      for (int k = 0; k < f->of->formulas.count[parts[p]]; k++)
        add(f, f->of->formulas.root[parts[p]][k], "the %s at %s", fare_formula_part_names[parts[p]],
          place.text);
    }
    fare_text_free(&place);
  }
}

static int roots_of(const fare_formulas *formulas, int root[])
{
  int count = 0;

  for (int part = 0; part < FARE_PARTS; part++) {
    for (int k = 0; k < formulas->count[part]; k++) root[count++] = formulas->root[part][k];
  }
  return count;
}

static PetscErrorCode collect(follower *f)
{
  const size_t nodes = (size_t)f->from->count;
  int          root[FARE_PARTS * FARE_PARAMETERS_MAX];
  const int    roots   = roots_of(&f->of->formulas, root);
  int         *reached = fare_tree_reached(f->of->tree, roots, root);
  PetscBool   *scratch = calloc(2 * nodes, sizeof *scratch);

  PetscFunctionBegin;
  f->image = calloc(nodes, sizeof *f->image);
  f->pure  = calloc(nodes, sizeof *f->pure);
  if (reached && scratch && f->image && f->pure) {
    find_pure(f, scratch);
    mark_inside(f, reached, scratch + nodes);
    substitute(f, NULL);
    add_parts(f, reached, scratch + nodes);
    add_places(f);
  } else {
    f->to->full = PETSC_TRUE;
  }
  free(reached);
  free(scratch);
  free(f->image);
  free(f->pure);
  if (f->to->full) FARE_FAIL(FARE_ERR_INPUT, "the formulas with t are too large to be followed in time");
  PetscFunctionReturn(0);
}

PetscErrorCode fare_expression_follow(const fare_expression *expression, int dim, const double base[],
  const PetscBool driven[], fare_course *course)
{
  follower      *f = calloc(1, sizeof *f);
  const char    *names[FOLLOWED_MAX];
  PetscErrorCode code;

  PetscFunctionBegin;
  if (!f) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  f->of     = expression;
  f->dim    = dim;
  f->base   = base;
  f->driven = driven;
  f->from   = expression->tree;
  code      = fare_tree_create(&f->to);
  if (!code) code = collect(f);
  for (int k = 0; k < f->count; k++) names[k] = f->name[k].text;
  if (!code)
    code = fare_course_follow(course, f->to, f->count, f->root, names);
  else
    fare_tree_destroy(&f->to);
  for (int k = 0; k < f->count; k++) fare_text_free(&f->name[k]);
  free(f);
  PetscFunctionReturn(code);
}

PetscErrorCode fare_course_from_text(const fare_node *node, const char *text, fare_course **course)
{
  static const char *const names[] = {"the expression"};
  fare_symbols             symbols = {
                .axes = 1, .axis = {"t"}, .lacking = "an expression of a drive has the time t alone"};
  fare_formula_fault fault;
  fare_tree         *tree;
  int                root;

  PetscFunctionBegin;
  PetscCall(fare_tree_create(&tree));
  if (!fare_formula_parse(tree, &symbols, text, &root, &fault)) {
    fare_tree_destroy(&tree);
    PetscFunctionReturn(fare_formula_refuse(node, &fault));
  }
  PetscCall(fare_course_create(course));
  PetscCall(fare_course_follow(*course, tree, 1, &root, names));
  PetscFunctionReturn(0);
}
