/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Linear response to a parameter l: with X = -dV/dl less its mean, L^T phi = -X, so that phi is the integral
  of exp(L^T s) X over all s. phi is unique but for a constant: it is 0 in one cell, the fullest, which paths
  are taken to be absorbed in, and is shifted to mean 0 then. That equation of the one cell is the sum of all
  others.
*/
#include "response.h"

#include <petscdmda.h>

#include <math.h>
#include <string.h>

#define STEP    1e-3 /* of differences in parameters, of their size or of 1: the widest that is tried first */
#define RISE    1e-2 /* of V by the first that is tried, at most: of kT */
#define TINY    18   /* by so many factors of 4 narrower steps are looked at */
#define FINER   12 /* steps that are tried, each a quarter of the one before; then COARSER, 4 times as wide */
#define COARSER 6
#define ENOUGH  1e-8 /* what half the step may change, of the force */
#define MOST    1e-6
#define STENCIL 5

/* First derivatives of fourth order: from places 0, -2 and -4 steps away on. */
static const struct {
  int    first;
  double weight[STENCIL];
} stencils[] = {
  {-2, {1. / 12, -8. / 12, 0, 8. / 12, -1. / 12}},
  {0, {-25. / 12, 48. / 12, -36. / 12, 16. / 12, -3. / 12}},
  {-4, {3. / 12, -16. / 12, 36. / 12, -48. / 12, 25. / 12}},
};

/* -dV/dl at centres, of a frozen system with this l, by differences of a step: of V less V at l, so that what
 * does not move is 0. */
static PetscErrorCode differentiate(
  const fare_grid *grid, fare_system *frozen, const fare_parameter *row, double l, double h, Vec force)
{
  const int at = l + 2 * h > row->max ? 2 : l - 2 * h < row->min ? 1 : 0;
  Vec       V, here;

  PetscFunctionBegin;
  PetscCall(VecDuplicate(force, &V));
  PetscCall(VecDuplicate(force, &here));
  PetscCall(VecSet(force, 0));
  PetscCall(fare_potential_at_centres(grid, frozen, 0, here));
  for (int k = 0; k < STENCIL; k++) {
    if (stencils[at].weight[k] == 0) continue;
    PetscCall(fare_system_set(frozen, row->name, l + (stencils[at].first + k) * h));
    PetscCall(fare_potential_at_centres(grid, frozen, 0, V));
    PetscCall(VecAXPY(V, -1, here));
    PetscCall(VecAXPY(force, -stencils[at].weight[k] / h, V));
  }
  PetscCall(VecDestroy(&here));
  PetscCall(VecDestroy(&V));
  PetscCall(fare_system_set(frozen, row->name, l));
  PetscFunctionReturn(0);
}

/* The root of the mean square in the masses. */
static PetscErrorCode size_of(Vec masses, Vec v, double *size)
{
  PetscScalar square;
  Vec         product;

  PetscFunctionBegin;
  PetscCall(VecDuplicate(v, &product));
  PetscCall(VecPointwiseMult(product, masses, v));
  PetscCall(VecDot(product, v, &square));
  PetscCall(VecDestroy(&product));
  *size = sqrt(square);
  PetscFunctionReturn(0);
}

/* The widest step that moves V little, of narrow ones beginning with the narrowest: a wide one may see
 * nothing of a narrow bump. */
static PetscErrorCode first_step(
  const fare_grid *grid, fare_system *frozen, const fare_parameter *row, double l, Vec masses, double *step)
{
  const double most = RISE * fare_system_kT(frozen, 0), widest = STEP * PetscMax(1, fabs(l));
  double       rise = 0;
  Vec          V, moved;

  PetscFunctionBegin;
  PetscCall(VecDuplicate(masses, &V));
  PetscCall(VecDuplicate(masses, &moved));
  PetscCall(fare_potential_at_centres(grid, frozen, 0, V));
  *step = widest * pow(4, -TINY);
  for (int k = TINY - 1; k >= 0; k--) {
    const double h = widest * pow(4, -k);

    if (l + h > row->max && l - h < row->min) break;
    PetscCall(fare_system_set(frozen, row->name, l + h > row->max ? l - h : l + h));
    PetscCall(fare_potential_at_centres(grid, frozen, 0, moved));
    PetscCall(VecAXPY(moved, -1, V));
    PetscCall(size_of(masses, moved, &rise));
    if (!(rise <= most)) break;
    *step = h;
  }
  PetscCall(fare_system_set(frozen, row->name, l));
  PetscCall(VecDestroy(&V));
  PetscCall(VecDestroy(&moved));
  PetscFunctionReturn(0);
}

/* The same by the first step that half of it confirms, or the one that it changes least. New vector. */
static PetscErrorCode find_force(
  const fare_grid *grid, fare_system *frozen, int parameter, Vec masses, Vec *force)
{
  const fare_parameter *row = &fare_system_type_of(frozen)->parameters[parameter];
  double                theta[FARE_PARAMETERS_MAX], l, first = 0, least = HUGE_VAL;
  Vec                   tried, half;

  PetscFunctionBegin;
  fare_system_parameters(frozen, 0, theta);
  l = theta[parameter];
  PetscCall(first_step(grid, frozen, row, l, masses, &first));
  PetscCall(VecDuplicate(masses, force));
  PetscCall(VecDuplicate(masses, &tried));
  PetscCall(VecDuplicate(masses, &half));
  for (int k = 0; k < FINER + COARSER && !(least <= ENOUGH); k++) {
    const double h = first * pow(4, k < FINER ? -k : k - FINER + 1);
    double       size, apart;

    if (4 * h > row->max - row->min) continue;
    PetscCall(differentiate(grid, frozen, row, l, h, tried));
    PetscCall(differentiate(grid, frozen, row, l, 0.5 * h, half));
    PetscCall(size_of(masses, half, &size));
    PetscCall(VecAXPY(half, -1, tried));
    PetscCall(size_of(masses, half, &apart));
    if (size > 0) apart /= size;
    if (!(apart <= least)) continue;
    least = apart;
    PetscCall(VecCopy(tried, *force));
  }
  PetscCall(VecDestroy(&tried));
  PetscCall(VecDestroy(&half));
  if (!(least <= MOST))
    FARE_FAIL(FARE_ERR_FAILED, "the potential has no derivative by %s at %g: differences do not converge",
      row->name, l);
  PetscFunctionReturn(0);
}

/* v less its mean in the masses. */
static PetscErrorCode take_mean_off(Vec masses, Vec v)
{
  PetscScalar mean;

  PetscFunctionBegin;
  PetscCall(VecDot(masses, v, &mean));
  PetscCall(VecShift(v, -mean));
  PetscFunctionReturn(0);
}

static PetscErrorCode solve_frozen(
  const fare_grid *grid, fare_system *frozen, int parameters, const int parameter[], fare_response *r)
{
  fare_absorbing *absorbing;
  fare_solved     solved;

  PetscFunctionBegin;
  PetscCall(fare_grid_boltzmann(grid, frozen, 0, &r->masses));
  PetscCall(fare_absorbing_create(grid, frozen, 0, 0, NULL, &absorbing));
  PetscCall(fare_absorbing_pin(absorbing, r->masses));
  for (int k = 0; k < parameters; k++) {
    r->parameters = k + 1;
    PetscCall(find_force(grid, frozen, parameter[k], r->masses, &r->force[k]));
    PetscCall(take_mean_off(r->masses, r->force[k]));
    PetscCall(fare_absorbing_solve_source(absorbing, r->force[k], "response", &r->phi[k], &solved));
    PetscCall(take_mean_off(r->masses, r->phi[k]));
    r->residual = PetscMax(r->residual, solved.residual);
  }
  PetscCall(fare_absorbing_destroy(&absorbing));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_response_solve(const fare_grid *grid, const fare_system *system, double t, int parameters,
  const int parameter[], const double value[], fare_response *r)
{
  const fare_parameter *row    = fare_system_type_of(system)->parameters;
  fare_system          *frozen = NULL;
  PetscErrorCode        code   = 0;

  PetscFunctionBegin;
  *r = (fare_response){.kT = NAN};
  if (!fare_system_is_gradient(system))
    FARE_FAIL(FARE_ERR_INPUT, "friction needs a system whose whole force is the gradient of its potential");
  if (fare_grid_absorbs(grid)) FARE_FAIL(FARE_ERR_INPUT, "friction needs a box without absorbing boundaries");
  PetscCall(fare_system_create_frozen(system, t, &frozen));
  for (int k = 0; k < parameters && value && !code; k++)
    code = fare_system_set(frozen, row[parameter[k]].name, value[k]);
  if (!code) code = solve_frozen(grid, frozen, parameters, parameter, r);
  if (!code) r->kT = fare_system_kT(frozen, 0);
  PetscCall(fare_system_destroy(&frozen));
  PetscFunctionReturn(code);
}

PetscErrorCode fare_response_free(fare_response *r)
{
  PetscFunctionBegin;
  PetscCall(VecDestroy(&r->masses));
  for (int k = 0; k < FARE_FRICTION_MAX; k++) {
    PetscCall(VecDestroy(&r->force[k]));
    PetscCall(VecDestroy(&r->phi[k]));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_response_friction(const fare_response *r, double tensor[])
{
  const int d = r->parameters;
  Vec       product;

  PetscFunctionBegin;
  PetscCall(VecDuplicate(r->masses, &product));
  for (int i = 0; i < d; i++) {
    PetscCall(VecPointwiseMult(product, r->masses, r->force[i]));
    for (int j = 0; j < d; j++) {
      PetscScalar sum;

      PetscCall(VecDot(product, r->phi[j], &sum));
      tensor[i * d + j] = sum / r->kT;
    }
  }
  for (int i = 0; i < d; i++) { /* symmetric but for the solver */
    for (int j = 0; j < i; j++)
      tensor[i * d + j] = tensor[j * d + i] = 0.5 * (tensor[i * d + j] + tensor[j * d + i]);
  }
  PetscCall(VecDestroy(&product));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_friction_solve(const fare_grid *grid, const fare_system *system, double t, int parameters,
  const int parameter[], const double value[], double tensor[], fare_solved *solved)
{
  fare_response  r;
  PetscErrorCode code;

  PetscFunctionBegin;
  code = fare_response_solve(grid, system, t, parameters, parameter, value, &r);
  if (!code) code = fare_response_friction(&r, tensor);
  if (!code && solved) *solved = (fare_solved){r.residual, parameters};
  PetscCall(fare_response_free(&r));
  PetscFunctionReturn(code);
}

PetscErrorCode fare_response_check(const fare_node *node, const fare_analysis_context *context)
{
  PetscFunctionBegin;
  if (!fare_system_is_gradient(context->system))
    FARE_REFUSE(node, "friction needs a system whose whole force is the gradient of its potential");
  for (int axis = 0; axis < context->dim; axis++) {
    if (context->boundary[axis] >= FARE_BOUNDARY_ABSORBING)
      FARE_REFUSE(node, "axis %s has an absorbing boundary, so there is no stationary density",
        fare_system_axis_name(context->system, axis));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_response_check_rings(const fare_node *node, const fare_system *system, double time,
  int parameters, const int parameter[], const double value[])
{
  const fare_parameter *row  = fare_system_type_of(system)->parameters;
  PetscErrorCode        code = 0;
  char                  why[512];
  fare_system          *frozen;

  PetscFunctionBegin;
  PetscCall(fare_system_create_frozen(system, time, &frozen));
  for (int k = 0; k < parameters && !code; k++)
    code = fare_system_set(frozen, row[parameter[k]].name, value[k]);
  if (!code) code = fare_system_check(frozen, 0, 0);
  for (int k = 0; k < parameters && !code; k++) { /* the derivative must close, too */
    const fare_parameter *p    = &row[parameter[k]];
    const double          step = STEP * PetscMax(1, fabs(value[k]));

    code = fare_system_set(frozen, p->name, value[k] + step > p->max ? value[k] - step : value[k] + step);
    if (!code) code = fare_system_check(frozen, 0, 0);
    if (!code) code = fare_system_set(frozen, p->name, value[k]);
  }
  PetscCall(fare_system_destroy(&frozen));
  if (!code) PetscFunctionReturn(0);
  PetscCall(PetscStrncpy(why, fare_error_message(), sizeof why));
  FARE_REFUSE(node, "where these parameters move: %s", why);
}

PetscErrorCode fare_response_parameter(const fare_node *node, const fare_system *system, int *parameter)
{
  const fare_system_type *type = fare_system_type_of(system);
  const fare_parameter   *row  = type->parameters;
  int                     k    = 0;

  PetscFunctionBegin;
  if (fare_node_kind_of(node) != FARE_NODE_SCALAR) FARE_REFUSE(node, "expected the name of a parameter");
  while (row[k].name && strcmp(row[k].name, fare_node_text(node))) k++;
  if (!row[k].name) FARE_REFUSE(node, "system '%s' has no parameter '%s'", type->name, fare_node_text(node));
  if (k < FARE_OWN)
    FARE_REFUSE(node, "'%s' does not move the potential, and friction needs that", row[k].name);
  *parameter = k;
  PetscFunctionReturn(0);
}
