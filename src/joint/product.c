/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The density of a product: p(x, t) = prod over blocks of p_b((Q' x)_b, t), each p_b by a truth on a grid of
  its own. Blocks that are copies of one unit and begin alike share theirs. Entropy and divergence from
  equilibrium add over blocks; the L1 error of a product is at most the sum of theirs.
*/
#include "blocks/blocks.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INTERPOLATION 2. /* L1 error of a spline, over what its integral differs from 1 */

static const fare_field fields[] = {
  {"cells", FARE_INTEGERS, offsetof(fare_blocks, cells), NULL, 4, 1 << 20, NULL, "",
    "cells along each axis of each unit, one unit after the other, even; a single number is for all"},
  {"lower", FARE_REALS, offsetof(fare_blocks, lower), "", -1e9, 1e9, NULL, "length",
    "lower corners of the units' boxes, in the same order; the units' own unless given"},
  {"upper", FARE_REALS, offsetof(fare_blocks, upper), "", -1e9, 1e9, NULL, "length", "upper corners, alike"},
  {"tolerance", FARE_REAL, offsetof(fare_blocks, tolerance), "1e-8", 1e-14, 0.1, NULL, "",
    "estimated L1 error that one time step may add to a block"},
  {"estimate", FARE_BOOLEAN, offsetof(fare_blocks, estimate), "true", 0, 0, NULL, "",
    "also evolve coarser companions to estimate the error"},
  FARE_FIELDS_END,
};

static PetscBool same_lists(const fare_reals *a, const fare_reals *b)
{
  return a->count == b->count && (!a->count || !memcmp(a->values, b->values, a->count * sizeof *a->values))
    ? PETSC_TRUE
    : PETSC_FALSE;
}

/* A truth for a block, unless one before it has the same unit and the same start. */
static PetscErrorCode add_block(fare_joint *joint, int block)
{
  fare_blocks       *all = joint->state;
  fare_block_source *s   = &all->source[all->sources];

  PetscFunctionBegin;
  s->unit = fare_product_unit(fare_product_of(joint->system), block);
  PetscCall(fare_blocks_start(joint->system, joint->initial, block, &s->initial));
  for (int k = 0; k < all->sources; k++) {
    const fare_block_source *other = &all->source[k];

    if (other->unit != s->unit || !same_lists(&other->initial.mean, &s->initial.mean) ||
      !same_lists(&other->initial.sd, &s->initial.sd))
      continue;
    all->of_block[block] = k;
    fare_initial_free(&s->initial);
    PetscFunctionReturn(0);
  }
  all->of_block[block] = all->sources++;
  PetscCall(fare_blocks_options(all, joint->system, s->unit, &s->options));
  PetscFunctionReturn(0);
}

static PetscErrorCode make_source(fare_joint *joint, fare_block_source *s)
{
  const fare_system *unit  = fare_product_unit_system(joint->system, s->unit);
  size_t             cells = 1;
  const fare_grid   *grid;

  PetscFunctionBegin;
  PetscCall(fare_truth_create(joint->comm, unit, &s->initial, joint->start, &s->options, &s->truth));
  grid = fare_truth_grid(s->truth);
  for (int axis = 0; axis < grid->dim; axis++) cells *= (size_t)grid->cells[axis];
  PetscCall(fare_grid_create(
    PETSC_COMM_SELF, grid->dim, grid->cells, grid->lower, grid->upper, grid->boundary, &s->grid));
  PetscCall(PetscMalloc2(cells, &s->mass, cells, &s->error));
  PetscFunctionReturn(0);
}

/* The densities of a source at the present time. */
static PetscErrorCode renew(const fare_joint *joint, fare_block_source *s)
{
  const fare_blocks *all   = joint->state;
  const fare_system *unit  = fare_product_unit_system(joint->system, s->unit);
  const double       t     = fare_truth_get_status(s->truth)->time;
  size_t             cells = 1;

  PetscFunctionBegin;
  for (int axis = 0; axis < s->grid->dim; axis++) cells *= (size_t)s->grid->cells[axis];
  PetscCall(fare_grid_gather(fare_truth_grid(s->truth), fare_truth_masses(s->truth), s->mass));
  PetscCall(fare_grid_gather(fare_truth_grid(s->truth), fare_truth_error_field(s->truth), s->error));
  for (size_t i = 0; i < cells; i++) {
    s->error[i] += s->mass[i];
    /* no estimate is trusted with taking more than that away */
    s->error[i] = PetscMax(s->error[i], 0.1 * s->mass[i]);
  }
  for (int v = 0; v < (all->estimate ? 2 : 1); v++) {
    PetscCall(fare_block_density_destroy(&s->version[v]));
    PetscCall(fare_block_density_create(s->grid, v ? s->error : s->mass, &s->version[v]));
    fare_block_density_entropy(s->version[v], unit, t, &s->entropy[v], &s->equilibrium[v]);
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_blocks_renew(fare_joint *joint)
{
  fare_blocks *all = joint->state;

  PetscFunctionBegin;
  for (int k = 0; k < all->sources; k++) PetscCall(renew(joint, &all->source[k]));
  PetscFunctionReturn(0);
}

/* A block whose truth is not resolved makes a product that is not. */
static void report_doubt(fare_joint *joint, const fare_block_source *s)
{
  const fare_system       *unit = fare_product_unit_system(joint->system, s->unit);
  const fare_truth_status *of   = fare_truth_get_status(s->truth);
  char                     why[FARE_JOINT_DOUBT_SIZE / 2];

  if (!of->doubt) return;
  joint->status.doubt = 1;
  fare_truth_doubt_text(unit, of, sizeof why, why);
  snprintf(joint->doubt, sizeof joint->doubt, "in unit '%.64s', %s", fare_system_type_of(unit)->name, why);
}

/* Sums over blocks. */
static void report(fare_joint *joint)
{
  const fare_blocks *all    = joint->state;
  const double       nought = all->estimate ? 0 : NAN;
  fare_joint_status *status = &joint->status;

  status->error_space = status->error_time = status->entropy_error = status->equilibrium_error = nought;
  status->mass_drift = status->entropy = status->equilibrium = status->boundary_mass = status->doubt = 0;
  for (int b = 0; b < fare_product_blocks(fare_product_of(joint->system)); b++) {
    const fare_block_source *s  = &all->source[all->of_block[b]];
    const fare_truth_status *of = fare_truth_get_status(s->truth);

    status->error_space += of->error_space + INTERPOLATION * s->version[0]->defect;
    status->error_time += of->error_time;
    status->mass_drift += of->mass_drift;
    status->boundary_mass = PetscMax(status->boundary_mass, of->boundary_mass);
    report_doubt(joint, s);
    status->entropy += s->entropy[0];
    status->equilibrium += s->equilibrium[0];
    status->entropy_error += fabs(s->entropy[1] - s->entropy[0]) + INTERPOLATION * s->version[0]->defect;
    status->equilibrium_error +=
      fabs(s->equilibrium[1] - s->equilibrium[0]) + INTERPOLATION * s->version[0]->defect;
  }
  /* no two densities are farther apart than 2 */
  status->error_space = PetscMin(2, status->error_space);
  status->error_time  = PetscMin(2, status->error_time);
  status->error       = PetscMin(2, status->error_space + status->error_time);
}

static PetscErrorCode setup(fare_joint *joint)
{
  fare_blocks *all    = joint->state;
  const int    blocks = fare_product_blocks(fare_product_of(joint->system));

  PetscFunctionBegin;
  all->self = all;
  PetscCall(PetscCalloc1((size_t)blocks, &all->source));
  for (int b = 0; b < blocks; b++) PetscCall(add_block(joint, b));
  for (int k = 0; k < all->sources; k++) PetscCall(make_source(joint, &all->source[k]));
  PetscCall(fare_blocks_renew(joint));
  report(joint);
  PetscFunctionReturn(0);
}

static PetscErrorCode advance(fare_joint *joint, double t)
{
  fare_blocks *all = joint->state;

  PetscFunctionBegin;
  for (int k = 0; k < all->sources; k++) PetscCall(fare_truth_advance(all->source[k].truth, t));
  PetscCall(fare_blocks_renew(joint));
  report(joint);
  PetscFunctionReturn(0);
}

static int versions(const fare_joint *joint)
{
  return ((const fare_blocks *)joint->state)->estimate ? 2 : 1;
}

/* A block of particles in the frame of the blocks. */
typedef struct {
  FARE_ALIGNED double at[FARE_AXES_MAX][FARE_BLOCK], slope[FARE_AXES_MAX][FARE_BLOCK];
  const double       *y[FARE_AXES_MAX], *from[FARE_AXES_MAX];
  double             *to[FARE_AXES_MAX], *score[FARE_AXES_MAX];
} frame;

static frame *framed(const fare_joint *joint, size_t n, const double *const x[])
{
  static frame f;

  for (int a = 0; a < joint->dim; a++) {
    f.y[a] = f.to[a] = f.at[a];
    f.score[a]       = f.slope[a];
    f.from[a]        = f.slope[a];
  }
  if (x) fare_product_to_blocks(fare_product_of(joint->system), n, x, f.to);
  return &f;
}

/* ln p of n points, no more than a block of particles, and its gradient in the blocks' frame. */
static void evaluate(
  const fare_joint *joint, int version, size_t n, frame *f, double log_density[], PetscBool with_score)
{
  const fare_blocks  *all     = joint->state;
  const fare_product *product = fare_product_of(joint->system);

  memset(log_density, 0, n * sizeof *log_density);
  for (int b = 0; b < fare_product_blocks(product); b++) {
    const int first = fare_product_first(product, b, NULL);

    fare_block_density_add(all->source[all->of_block[b]].version[version], n, f->y + first, log_density,
      with_score ? f->score + first : NULL);
  }
  for (size_t i = 0; i < n; i++) {
    if (log_density[i] < 0.5 * FARE_BLOCK_OUTSIDE) log_density[i] = -HUGE_VAL;
  }
}

static PetscErrorCode log_density(
  fare_joint *joint, int version, int64_t n, const double *const x[], double values[])
{
  const double *from[FARE_AXES_MAX];

  PetscFunctionBegin;
  for (int64_t first = 0; first < n; first += FARE_BLOCK) {
    const size_t count = (size_t)PetscMin(n - first, FARE_BLOCK);

    for (int a = 0; a < joint->dim; a++) from[a] = x[a] + first;
    evaluate(joint, version, count, framed(joint, count, from), values + first, PETSC_FALSE);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode score(fare_joint *joint, int64_t n, const double *const x[], double *const s[])
{
  const double *from[FARE_AXES_MAX];
  double       *to[FARE_AXES_MAX], values[FARE_BLOCK];

  PetscFunctionBegin;
  for (int64_t first = 0; first < n; first += FARE_BLOCK) {
    const size_t count = (size_t)PetscMin(n - first, FARE_BLOCK);
    frame       *f;

    for (int a = 0; a < joint->dim; a++) {
      from[a] = x[a] + first;
      to[a]   = s[a] + first;
    }
    f = framed(joint, count, from);
    evaluate(joint, 0, count, f, values, PETSC_TRUE);
    fare_product_gradient(fare_product_of(joint->system), count, f->y, f->score, to);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode draw(fare_joint *joint, fare_stream stream, uint64_t block, double *const x[])
{
  const fare_blocks  *all     = joint->state;
  const fare_product *product = fare_product_of(joint->system);
  frame              *f       = framed(joint, 0, NULL);

  PetscFunctionBegin;
  for (int b = 0; b < fare_product_blocks(product); b++)
    fare_block_density_draw(all->source[all->of_block[b]].version[0], stream, block, (uint64_t)b,
      f->to + fare_product_first(product, b, NULL));
  fare_product_from_blocks(product, FARE_BLOCK, f->y, x);
  PetscFunctionReturn(0);
}

/* The axes of a block in the order in which they stand in the state. */
static void order_of(const fare_product *product, int first, int axes, int order[])
{
  for (int a = 0; a < axes; a++) {
    int at = a;

    while (at && fare_product_axis(product, first + order[at - 1]) > fare_product_axis(product, first + a)) {
      order[at] = order[at - 1];
      at--;
    }
    order[at] = a;
  }
}

/* Without a rotation. A lift of an axis depends on those before it alone, so that conditionals are the
 * blocks'. */
static PetscErrorCode rosenblatt(fare_joint *joint, int64_t n, const double *const x[], double *const u[])
{
  const fare_blocks  *all     = joint->state;
  const fare_product *product = fare_product_of(joint->system);
  const double       *from[FARE_AXES_MAX];

  PetscFunctionBegin;
  for (int64_t first = 0; first < n; first += FARE_BLOCK) {
    const size_t count = (size_t)PetscMin(n - first, FARE_BLOCK);
    frame       *f;

    for (int a = 0; a < joint->dim; a++) from[a] = x[a] + first;
    f = framed(joint, count, from);
    for (int b = 0; b < fare_product_blocks(product); b++) {
      int       axes, order[FARE_DIM_MAX];
      const int at = fare_product_first(product, b, &axes);
      double   *to[FARE_DIM_MAX];

      order_of(product, at, axes, order);
      for (int a = 0; a < axes; a++) to[a] = u[fare_product_axis(product, at + a)] + first;
      fare_block_density_rosenblatt(all->source[all->of_block[b]].version[0], order, count, f->y + at, to);
    }
  }
  PetscFunctionReturn(0);
}

/* Under a rotation: block after block, in the blocks' own axes. */
static PetscErrorCode block_rosenblatt(
  fare_joint *joint, int64_t n, const double *const x[], double *const u[])
{
  static const int    order[FARE_DIM_MAX] = {0, 1, 2};
  const fare_blocks  *all                 = joint->state;
  const fare_product *product             = fare_product_of(joint->system);
  const double       *from[FARE_AXES_MAX];
  double             *to[FARE_AXES_MAX];

  PetscFunctionBegin;
  for (int64_t i = 0; i < n; i += FARE_BLOCK) {
    const size_t count = (size_t)PetscMin(n - i, FARE_BLOCK);
    frame       *f;

    for (int a = 0; a < joint->dim; a++) {
      from[a] = x[a] + i;
      to[a]   = u[a] + i;
    }
    f = framed(joint, count, from);
    for (int b = 0; b < fare_product_blocks(product); b++) {
      const int first = fare_product_first(product, b, NULL);

      fare_block_density_rosenblatt(
        all->source[all->of_block[b]].version[0], order, count, f->y + first, to + first);
    }
  }
  PetscFunctionReturn(0);
}

static const fare_kept kept[] = {
  FARE_KEEP_WITH(OBJECT, fare_blocks, self, .type = &fare_blocks_kept),
  FARE_KEPT_END,
};

static PetscErrorCode destroy(fare_joint *joint)
{
  fare_blocks *all = joint->state;

  PetscFunctionBegin;
  for (int k = 0; k < all->sources; k++) {
    fare_block_source *s = &all->source[k];

    PetscCall(fare_truth_destroy(&s->truth));
    PetscCall(fare_grid_destroy(&s->grid));
    PetscCall(PetscFree2(s->mass, s->error));
    for (int v = 0; v < 2; v++) PetscCall(fare_block_density_destroy(&s->version[v]));
    fare_truth_options_free(&s->options);
    fare_initial_free(&s->initial);
  }
  PetscCall(fare_blocks_noise_free(all));
  PetscCall(PetscFree(all->source));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_joint_block_log_density(
  fare_joint *joint, int version, int block, int64_t n, const double *const y[], double values[])
{
  const fare_blocks *all = joint->state;

  PetscFunctionBegin;
  if (strcmp(joint->type->name, "product"))
    FARE_FAIL(FARE_ERR_INPUT, "a truth of kind '%s' has no blocks: take kind product", joint->type->name);
  memset(values, 0, (size_t)n * sizeof *values);
  fare_block_density_add(all->source[all->of_block[block]].version[version], (size_t)n, y, values, NULL);
  for (int64_t i = 0; i < n; i++) {
    if (values[i] < 0.5 * FARE_BLOCK_OUTSIDE) values[i] = -HUGE_VAL;
  }
  PetscFunctionReturn(0);
}

static const fare_joint_type *for_system(const fare_system *system, const fare_initial *initial);

/* What products have in common. */
#define PRODUCT                                                                                          \
  .name = "product", .summary = "a grid of one to three axes for each block of a product of any number", \
  .reference = "", .size = sizeof(fare_blocks), .fields = fields, .check = fare_blocks_check,            \
  .setup = setup, .advance = advance, .versions = versions, .log_density = log_density, .score = score,  \
  .draw = draw, .block = fare_blocks_block, .independent = PETSC_TRUE, .kept = kept,                     \
  .loaded = fare_blocks_renew, .destroy = destroy, .for_system = for_system
#define UNLIFTED                                                                                       \
  PRODUCT, .marginal = fare_blocks_marginal, .noise = fare_blocks_noise, .noised = fare_blocks_noised, \
           .even_noise = PETSC_TRUE
#define LIFTED                                                              \
  PRODUCT, .no_noise = "take a product without 'lift', or remove 'oracle'", \
           .no_marginal = "a lift curves them: take block_kl, or rotation: none and rosenblatt"

const fare_joint_type        fare_joint_product = {UNLIFTED, .rosenblatt = rosenblatt};
static const fare_joint_type turned             = {UNLIFTED, .block_rosenblatt = block_rosenblatt,
              .no_rosenblatt =
                "under a rotation there are none: take block_rosenblatt, or rotation: none or permutation"};
static const fare_joint_type lifted             = {LIFTED, .rosenblatt = rosenblatt};
static const fare_joint_type lifted_and_turned  = {LIFTED, .block_rosenblatt = block_rosenblatt,
   .no_rosenblatt = "under a rotation and a lift there are none: take block_rosenblatt, or rotation: none"};

static const fare_joint_type *for_system(const fare_system *system, const fare_initial *initial)
{
  const fare_product   *product = fare_product_of(system);
  const fare_frame_kind kind    = product ? fare_product_frame(product) : FARE_FRAME_NONE;

  (void)initial;
  if (fare_product_is_lifted(product)) return kind == FARE_FRAME_NONE ? &lifted : &lifted_and_turned;
  return kind == FARE_FRAME_ROTATION ? &turned : &fare_joint_product;
}
