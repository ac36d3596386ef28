/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Blocks that do not interact, seen in a frame of their own: x = Q y, V(x) = sum over blocks of V_b(y_b). The
  noise of x is that of y turned: it has the same diffusion along every axis of x only where all blocks have
  the same, so other rotations are refused.
*/
#include "product_parts.h"

#include <fare/random.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ORTHOGONAL 1e-10 /* largest entry of |Q Q' - 1| of a matrix that is given */

enum { NONE, HAAR, PERMUTATION, MATRIX };
static const char *const rotations[] = {"none", "haar", "permutation", "matrix", NULL};

static const fare_field fields[] = {
  {"copies", FARE_INTEGER, offsetof(fare_product, copies), "1", 1, FARE_AXES_MAX, NULL, "", "of `unit`"},
  {"unit", FARE_NODE, offsetof(fare_product, unit_node), "", 0, 0, NULL, "",
    "a section `system` of one to three axes; or instead:"},
  {"blocks", FARE_NODE, offsetof(fare_product, blocks_node), "", 0, 0, NULL, "",
    "list of maps {unit: ..., copies: 1, label: NAME}; their parameters are called LABEL.PARAMETER"},
  {"rotation", FARE_CHOICE, offsetof(fare_product, rotation), "none", 0, 0, rotations, "",
    "of the blocks' axes into those of the state; haar: at random, even over all orthogonal matrices"},
  {"rotation_seed", FARE_INTEGER, offsetof(fare_product, rotation_seed), "1", 0, 1e15, NULL, "",
    "of haar and permutation"},
  {"matrix", FARE_REALS, offsetof(fare_product, matrix), "", -1, 1, NULL, "",
    "rotation: matrix: orthogonal, row after row, a row for each axis of the state"},
  {"lift", FARE_REAL, offsetof(fare_product, lift), "0", -1e3, 1e3, NULL, "1/length",
    "c: axis i shows y_i + c y_(i-1)^2, before it is rotated; volumes are kept, and modes become curved"},
  FARE_FIELDS_END,
};

/* The name of the system within a section. */
static const char *name_in(const fare_node *section)
{
  const fare_node *name = fare_node_find(section, "name");

  return name && fare_node_kind_of(name) == FARE_NODE_SCALAR ? fare_node_text(name) : "unit";
}

static PetscErrorCode add_unit(
  fare_composite *c, const fare_node *section, const fare_node *at, PetscInt64 copies, const char *label)
{
  fare_product      *p = c->state;
  fare_product_part *u = &p->unit[p->units];

  PetscFunctionBegin;
  if (fare_node_kind_of(section) != FARE_NODE_MAP)
    FARE_REFUSE(section, "expected a section `system`, say {name: prinz}");
  if (fare_composite_kind_find(name_in(section)))
    FARE_REFUSE(section, "a unit has one to three axes; '%s' is a system of many", name_in(section));
  PetscCall(c->read_unit(section, NULL, &u->system));
  p->units++;
  if (u->system->course)
    FARE_REFUSE(section, "formulas of a unit may not hold t: drive a parameter of theirs instead");
  u->axes   = u->system->dimension;
  u->copies = (int)copies;
  snprintf(u->label, sizeof u->label, "%s", label ? label : name_in(section));
  for (int i = 0; &p->unit[i] != u; i++) {
    if (!strcmp(p->unit[i].label, u->label))
      FARE_REFUSE(at, "two blocks are called '%s': give one of them a label of its own", u->label);
  }
  for (int k = 0; k < u->copies; k++) {
    if (p->frame.axes + u->axes > FARE_AXES_MAX)
      FARE_REFUSE(at, "more than %d axes altogether", FARE_AXES_MAX);
    p->block_unit[p->blocks]    = p->units - 1;
    p->block_first[p->blocks++] = p->frame.axes;
    p->frame.axes += u->axes;
  }
  PetscFunctionReturn(0);
}

typedef struct {
  const fare_node *unit;
  PetscInt64       copies;
  char            *label;
} block_section;

static PetscErrorCode read_blocks(fare_composite *c)
{
  static const fare_field keys[] = {
    {"unit", FARE_NODE, offsetof(block_section, unit), NULL, 0, 0, NULL, "", "a section `system`"},
    {"copies", FARE_INTEGER, offsetof(block_section, copies), "1", 1, FARE_AXES_MAX, NULL, "", "of it"},
    {"label", FARE_STRING, offsetof(block_section, label), "", 0, 0, NULL, "", "leads its parameters' names"},
    FARE_FIELDS_END,
  };
  const fare_node *list = ((fare_product *)c->state)->blocks_node;

  PetscFunctionBegin;
  if (fare_node_kind_of(list) != FARE_NODE_LIST || !fare_node_size(list))
    FARE_REFUSE(list, "expected a list of maps {unit: {name: ...}, copies: ...}");
  for (size_t i = 0; i < fare_node_size(list); i++) {
    const fare_node *item = fare_node_item(list, i);
    block_section    section;
    PetscErrorCode   code;

    PetscCall(fare_fields_read(keys, NULL, item, &section));
    code = add_unit(c, section.unit, item, section.copies, section.label);
    fare_fields_free(keys, &section);
    PetscCall(code);
  }
  PetscFunctionReturn(0);
}

/* Whether all units have this row of their tables with the same value. */
static PetscBool share(const fare_product *p, int row, const char *name)
{
  for (int k = 0; k < p->units; k++) {
    const fare_system *s = p->unit[k].system;

    if (!s->type->parameters[0].name || !s->type->parameters[row].name ||
      strcmp(s->type->parameters[row].name, name) || s->base[row] != p->unit[0].system->base[row])
      return PETSC_FALSE;
  }
  return PETSC_TRUE;
}

/* Whether a row of the units' tables is one of the product's. */
static PetscBool is_common(const fare_product *p, int row)
{
  return (row == FARE_KT && p->thermal) || (row == FARE_MOBILITY && p->forced) ? PETSC_TRUE : PETSC_FALSE;
}

/* Adds a parameter of a unit to the table, or finds the one that all share. */
static PetscErrorCode add_parameter(
  const fare_node *at, fare_product *p, fare_product_part *u, int row, int *count)
{
  const PetscBool common = is_common(p, row);
  fare_parameter *to     = &p->parameters[*count];
  char           *name   = p->names[*count];

  PetscFunctionBegin;
  u->place[row] = common ? row : *count;
  if (common && u != p->unit) PetscFunctionReturn(0);
  if (*count == FARE_SELF - 1)
    FARE_REFUSE(at, "the units have more than %d parameters altogether", FARE_SELF - 1);
  *to       = u->system->type->parameters[row];
  to->value = u->system->base[row];
  if (p->units > 1 && !common)
    snprintf(name, FARE_PRODUCT_NAME, "%s.%s", u->label, to->name);
  else
    snprintf(name, FARE_PRODUCT_NAME, "%s", to->name);
  to->name = name;
  (*count)++;
  PetscFunctionReturn(0);
}

static PetscErrorCode make_parameters(const fare_node *at, fare_product *p)
{
  int count = 0;

  PetscFunctionBegin;
  p->thermal = share(p, FARE_KT, "kT");
  p->forced  = p->thermal && share(p, FARE_MOBILITY, "mobility") ? PETSC_TRUE : PETSC_FALSE;
  for (int k = 0; k < p->units; k++) {
    const fare_system_type *type = p->unit[k].system->type;

    if (!type->potential) p->thermal = p->forced = PETSC_FALSE;
    if (!type->force || type->drift) p->forced = PETSC_FALSE;
  }
  for (int k = 0; k < p->units; k++) {
    for (int row = 0; p->unit[k].system->type->parameters[row].name; row++)
      PetscCall(add_parameter(at, p, &p->unit[k], row, &count));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode make_frame(const fare_node *section, fare_product *p)
{
  const size_t n = (size_t)p->frame.axes;

  PetscFunctionBegin;
  for (int a = 0; a < p->frame.axes; a++) p->frame.order[a] = a;
  if (p->rotation != MATRIX && p->matrix.count)
    FARE_REFUSE(fare_node_find(section, "matrix"), "not used with rotation: %s", rotations[p->rotation]);
  if (p->rotation == PERMUTATION) fare_frame_permute(&p->frame, (uint64_t)p->rotation_seed);
  if (p->rotation < HAAR || p->rotation == PERMUTATION) PetscFunctionReturn(0);
  if (!p->forced)
    FARE_REFUSE(fare_node_find(section, "rotation"),
      "blocks with noise of their own cannot be rotated: give all of them a potential, the same kT and the "
      "same mobility, or rotation: permutation");
  for (int k = 0; k < p->units; k++) {
    for (int a = 0; a < p->unit[k].axes; a++) {
      if (p->unit[k].system->type->periodic[a])
        FARE_REFUSE(fare_node_find(section, "rotation"),
          "'%s' is periodic, and an axis that closes cannot be rotated: use rotation: permutation",
          p->unit[k].label);
    }
  }
  if (p->rotation == HAAR) {
    PetscCall(fare_frame_haar(&p->frame, (uint64_t)p->rotation_seed));
    PetscFunctionReturn(0);
  }
  if (p->matrix.count != n * n)
    FARE_REFUSE(fare_node_find(section, p->matrix.count ? "matrix" : "rotation"),
      "%zu axes need %zu numbers in 'matrix', row after row, got %zu", n, n * n, p->matrix.count);
  p->frame.kind = FARE_FRAME_ROTATION;
  p->frame.q    = malloc(n * n * sizeof *p->frame.q);
  if (!p->frame.q) FARE_FAIL(FARE_ERR_FAILED, "out of memory for a rotation of %zu axes", n);
  memcpy(p->frame.q, p->matrix.values, n * n * sizeof *p->frame.q);
  if (fare_frame_defect(&p->frame) > ORTHOGONAL)
    FARE_REFUSE(fare_node_find(section, "matrix"),
      "the matrix is not orthogonal: |Q Q' - 1| is as large as %.3g; give its numbers to %g, or rotation: "
      "haar",
      fare_frame_defect(&p->frame), ORTHOGONAL);
  PetscFunctionReturn(0);
}

/* What closes has no square. */
static PetscErrorCode check_lift(const fare_node *section, fare_product *p)
{
  PetscFunctionBegin;
  p->frame.lift = p->lift;
  for (int k = 0; k < p->units && p->lift != 0; k++) {
    for (int a = 0; a < p->unit[k].axes; a++) {
      if (p->unit[k].system->type->periodic[a])
        FARE_REFUSE(fare_node_find(section, "lift"),
          "'%s' is periodic, and an axis that closes cannot be lifted: remove 'lift'", p->unit[k].label);
    }
  }
  PetscFunctionReturn(0);
}

/* The box of the state: the image of the blocks' boxes, or the least box around it. */
static void make_box(const fare_product *p, fare_system_type *type)
{
  for (int b = 0; b < p->blocks; b++) {
    const fare_product_part *u = &p->unit[p->block_unit[b]];

    for (int a = 0; a < u->axes; a++) {
      const int    at     = p->block_first[b] + a;
      const double middle = 0.5 * (u->system->type->lower[a] + u->system->type->upper[a]),
                   half   = 0.5 * (u->system->type->upper[a] - u->system->type->lower[a]);

      if (p->frame.kind != FARE_FRAME_ROTATION) {
        const int to       = p->frame.order[at];
        type->lower[to]    = u->system->type->lower[a];
        type->upper[to]    = u->system->type->upper[a];
        type->periodic[to] = u->system->type->periodic[a];
        continue;
      }
      for (int to = 0; to < p->frame.axes; to++) {
        const double q = p->frame.q[to * p->frame.axes + at];

        type->lower[to] += q * middle - fabs(q) * half;
        type->upper[to] += q * middle + fabs(q) * half;
      }
    }
  }
}

static void make_type(fare_product *p, fare_system_type *type)
{
  type->dimension_min = type->dimension_max = p->frame.axes;
  type->parameters                          = p->parameters;
  make_box(p, type);
  fare_product_set_functions(p, type);
}

static PetscErrorCode read(const fare_node *section, fare_composite *c)
{
  fare_product *p = c->state;

  PetscFunctionBegin;
  if (!p->unit_node == !p->blocks_node)
    FARE_REFUSE(section, "give either 'unit', the system that is copied, or a list of 'blocks'");
  if (p->blocks_node && fare_node_find(section, "copies"))
    FARE_REFUSE(fare_node_find(section, "copies"), "each of the blocks has copies of its own");
  if (p->blocks_node)
    PetscCall(read_blocks(c));
  else
    PetscCall(add_unit(c, p->unit_node, section, p->copies, NULL));
  PetscCall(make_parameters(section, p));
  PetscCall(make_frame(section, p));
  PetscCall(check_lift(section, p));
  make_type(p, &c->type);
  PetscFunctionReturn(0);
}

static void write(const fare_composite *c, fare_text *to)
{
  const fare_product *p = c->state;

  if (p->unit_node)
    fare_text_add(to, "  copies: %d\n  unit:\n", p->unit[0].copies);
  else
    fare_text_add(to, "  blocks:\n");
  for (int k = 0; k < p->units; k++) {
    if (!p->unit_node)
      fare_text_add(
        to, "    - label: %s\n      copies: %d\n      unit:\n", p->unit[k].label, p->unit[k].copies);
    fare_composite_write_unit(c, p->unit[k].system, p->unit_node ? 2 : 6, to);
  }
  fare_text_add(
    to, "  rotation: %s\n  rotation_seed: %lld\n", rotations[p->rotation], (long long)p->rotation_seed);
  if (p->lift != 0) fare_text_add(to, "  lift: %.17g\n", p->lift);
  for (size_t i = 0; i < p->matrix.count; i++)
    fare_text_add(
      to, "%s%.17g%s", i ? ", " : "  matrix: [", p->matrix.values[i], i + 1 < p->matrix.count ? "" : "]\n");
}

static void release(fare_composite *c)
{
  fare_product *p = c->state;

  for (int k = 0; k < p->units; k++) {
    if (!p->unit[k].system) continue;
    p->unit[k].system->drives = 0; /* they are the product's */
    PetscCallVoid(fare_system_destroy(&p->unit[k].system));
  }
  free(p->frame.q);
}

static void show(const fare_composite *c, size_t n, double *const x[])
{
  const fare_frame *frame = &((const fare_product *)c->state)->frame;

  if (frame->lift != 0) fare_frame_apply(frame, n, x, fare_frame_lift);
}

static void hide(const fare_composite *c, size_t n, double *const x[])
{
  const fare_frame *frame = &((const fare_product *)c->state)->frame;

  if (frame->lift != 0) fare_frame_apply(frame, n, x, fare_frame_lower);
}

const fare_composite_kind fare_composite_product = {
  .name      = "product",
  .summary   = "independent blocks of one to three axes, copies of a few units, rotated or not",
  .reference = "",
  .size      = sizeof(fare_product),
  .fields    = fields,
  .read      = read,
  .write     = write,
  .show      = show,
  .hide      = hide,
  .free      = release,
};

const fare_product *fare_product_of(const fare_system *system)
{
  const fare_composite *c = system->origin.composite;

  return c && c->kind == &fare_composite_product ? c->state : NULL;
}
