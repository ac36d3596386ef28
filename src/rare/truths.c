/* SPDX-License-Identifier: BSD-2-Clause */
/*
  What a row should find: the probability of the event in continuous time, from the grid, as the analyses
  `committor` and `driven_committor` find it with an error, or the rate of `weighted_ensemble_optimum`, which
  tells the least error, too; and that of the chain, exactly on one axis, else
  predicted with every face moved into the sets by 0.5826 sqrt(2 D dt) (Broadie, Glasserman and Kou, Math.
  Finance 7, 325 (1997)).
*/
#include "rare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SHIFT       0.5826
#define VARIES_MOST 1.2  /* of D over a face and up to the deadline */
#define SHIFT_ERROR 0.25 /* of what the shift changes; it is good to a fifth */

/* In YAML. */
static void write_region(const fare_region *region, const char *key, fare_text *to)
{
  fare_text_add(to, ", %s: [", key);
  for (size_t box = 0; box < region->boxes; box++) {
    for (int side = 0; side < 2; side++) {
      const double *bound = (side ? region->upper : region->lower) + box * (size_t)region->dim;

      fare_text_add(to, "%s%s: [", side ? "], " : box ? ", {" : "{", side ? "upper" : "lower");
      for (int axis = 0; axis < region->dim; axis++)
        fare_text_add(to, "%s%.17g", axis ? ", " : "", bound[axis]);
    }
    fare_text_add(to, "]");
    if (region->formula[box])
      fare_text_add(
        to, ", formula: \"%s\", inset: %.17g", fare_formula_text(region->formula[box]), region->inset[box]);
    fare_text_add(to, "}");
  }
  fare_text_add(to, "]");
}

/* The analysis that tells the probability of an event, or the rate at which paths from the start reach b. */
static void write_analysis(
  const fare_event *event, int dim, fare_rare_quantity of, PetscBool relative, fare_text *to)
{
  const PetscBool ends = event->deadline < FARE_NEVER ? PETSC_TRUE : PETSC_FALSE,
                  rate = of == FARE_RARE_RATE ? PETSC_TRUE : PETSC_FALSE;

  fare_text_add(to, "analysis: [{name: %s, kind: %s%s, time: %.17g, meshes: false, %s: [", event->name,
    rate     ? "weighted_ensemble_optimum"
      : ends ? "driven_committor"
             : "committor",
    relative ? ", relative: true" : "", event->time, rate ? "start" : "points");
  for (int axis = 0; axis < dim; axis++)
    fare_text_add(to, "%s%.17g%s",
      axis     ? ", "
        : rate ? ""
               : "[",
      event->start[axis], axis + 1 < dim || rate ? "" : "]");
  fare_text_add(to, "]");
  if (event->a.boxes && !rate) write_region(&event->a, "a", to);
  write_region(&event->b, rate ? "target" : "b", to);
  if (ends) fare_text_add(to, ", span: %.17g, after: over", event->deadline - event->time);
  fare_text_add(to, "}]");
}

static PetscErrorCode run_analysis(
  const fare_rare_context *context, const fare_node *list, double *value, double *error, double *optimum)
{
  const PetscBool        is_rate = context->setting.of == FARE_RARE_RATE ? PETSC_TRUE : PETSC_FALSE;
  fare_truth_options     options = *context->truth;
  fare_analysis        **analysis;
  fare_analysis_result **result = NULL;
  size_t                 count;
  PetscErrorCode         code;

  PetscFunctionBegin;
  *value = *error = *optimum = NAN;
  code                       = fare_analyses_from_config(list, context->system, &options, &count, &analysis);
  if (!code) code = fare_analyses_run(count, analysis, context->grid, NULL, &result);
  if (!code && fare_analysis_value(result[0], is_rate ? "rate" : "committor", 0, value, error))
    *value = *error = NAN;
  if (!code && is_rate && fare_analysis_value(result[0], "optimum", 0, optimum, NULL)) *optimum = NAN;
  if (result) PetscCall(fare_analysis_results_destroy(&result));
  PetscCall(fare_analyses_destroy(&count, &analysis));
  /* the grid cannot tell it, and error_message() says why */
  PetscFunctionReturn(code == FARE_ERR_INPUT || code == FARE_ERR_FAILED ? 0 : code);
}

/*
  A probability once with an error of the logarithm, which fitted rates give, and once as the truth's scheme
  does, which may be of higher order: whichever tells the smaller error. With a deadline both have fitted
  rates, and the second serves only where there are too many cells for the first. NaN where the grid cannot
  tell; a warning says why.
*/
static PetscErrorCode ask_grid(
  const fare_rare_context *context, const fare_event *event, double *value, double *error, double *optimum)
{
  const int      ways  = context->setting.of == FARE_RARE_RATE ? 1 : 2;
  const int      first = event->deadline < FARE_NEVER ? 1 : 0;
  PetscErrorCode code  = 0;

  PetscFunctionBegin;
  *value = *error = NAN;
  fare_hush(PETSC_TRUE); /* until the end, whatever happens */
  for (int way = 0; way < ways && !code && !(first && *error < HUGE_VAL); way++) {
    const int    relative = way ^ first;
    fare_text    text     = {0};
    fare_config *config;
    double       found, bar;

    write_analysis(
      event, context->grid->dim, context->setting.of, relative ? PETSC_TRUE : PETSC_FALSE, &text);
    code = fare_config_parse("the event", text.text, text.length, &config);
    fare_text_free(&text);
    if (code) continue;
    code = run_analysis(context, fare_node_find(fare_config_root(config), "analysis"), &found, &bar, optimum);
    fare_config_destroy(&config);
    if (code || isnan(found) || *error <= bar) continue;
    *value = found;
    *error = bar;
  }
  fare_hush(PETSC_FALSE);
  if (!code && isnan(*value))
    fare_warn("event %s: the grid cannot tell it: %s", event->name, fare_error_message());
  PetscFunctionReturn(code);
}

/*
  By how much a face of a box moves: its shift at its centre. NaN where nothing diffuses across it, as with
  bodies that have inertia, or where D varies: nothing is known of the shift then.
*/
static double shift_of(
  const fare_rare_context *context, const double lower[], const double upper[], int axis, int side)
{
  enum { PLACES = 9, MOMENTS = 17 };
  const fare_grid *grid = context->grid;
  const double     span = context->steps < 0 ? 0 : context->event->deadline - context->event->time;
  double x[FARE_DIM_MAX], D[FARE_DIM_MAX], *Ds[FARE_DIM_MAX] = {&D[0], &D[1], &D[2]}, least = HUGE_VAL,
                                           most = 0, middle = 0;
  const double *at[FARE_DIM_MAX] = {&x[0], &x[1], &x[2]};

  for (int i = 0; i < PLACES * MOMENTS; i++) {
    for (int k = 0, of = i % PLACES; k < grid->dim; k++) {
      const double low = PetscMax(lower[k], grid->lower[k]), high = PetscMin(upper[k], grid->upper[k]);

      x[k] = k == axis ? (side ? upper : lower)[k] : low + (high - low) * 0.5 * ((of + 1) % 3);
      if (k != axis) of /= 3;
    }
    fare_system_diffusion(context->system, context->event->time + span * (i / PLACES) / MOMENTS, 1, at, Ds);
    if (!i) middle = D[axis];
    least = PetscMin(least, D[axis]);
    most  = PetscMax(most, D[axis]);
  }
  return least > 0 && most <= VARIES_MOST * least ? SHIFT * sqrt(2 * middle * context->dt) : NAN;
}

/* By how much the boundary of a formula moves: NaN where that depends on its direction. */
static double shift_of_formula(const fare_rare_context *context, const double lower[], const double upper[])
{
  const double shift = shift_of(context, lower, upper, 0, 0);

  for (int side = 0; side < 2 * context->grid->dim; side++) {
    const double other = shift_of(context, lower, upper, side / 2, side % 2);

    if (!(fabs(other * other / (shift * shift) - 1) <= VARIES_MOST - 1)) return NAN;
  }
  return shift;
}

/* The set with its faces moved into it, but for those that are ends of the box; false where none is left. */
static PetscErrorCode shrink(
  const fare_rare_context *context, const fare_region *set, fare_region *into, PetscBool *left)
{
  const fare_grid *grid = context->grid;
  const size_t     size = set->boxes * (size_t)grid->dim;

  PetscFunctionBegin;
  PetscCall(fare_region_add(set, into));
  for (size_t box = 0; box < set->boxes; box++) {
    const double *low = set->lower + box * (size_t)grid->dim, *high = set->upper + box * (size_t)grid->dim;

    if (!set->formula[box]) continue;
    into->inset[box] += shift_of_formula(context, low, high);
    if (isnan(into->inset[box])) *left = PETSC_FALSE;
  }
  for (size_t i = 0; i < size; i++) {
    const int     axis = (int)(i % (size_t)grid->dim);
    const double *low = set->lower + i - axis, *high = set->upper + i - axis;

    if (set->lower[i] > grid->lower[axis]) into->lower[i] += shift_of(context, low, high, axis, 0);
    if (set->upper[i] < grid->upper[axis]) into->upper[i] -= shift_of(context, low, high, axis, 1);
    if (!(into->lower[i] < into->upper[i])) *left = PETSC_FALSE;
  }
  PetscFunctionReturn(0);
}

/* Whether noise moves a path more than drift does in a step, about the start: the shift presumes small steps.
 */
static PetscBool steps_are_short(const fare_rare_context *context)
{
  const fare_event *event           = context->event;
  double            x[FARE_DIM_MAX] = {event->start[0], event->start[1], event->start[2]}, f[FARE_DIM_MAX],
         D[FARE_DIM_MAX], *fs[] = {&f[0], &f[1], &f[2]}, *Ds[] = {&D[0], &D[1], &D[2]};
  const double *at[FARE_DIM_MAX] = {&x[0], &x[1], &x[2]};
  const int     dim              = context->grid->dim;

  for (int i = 0; i < 2 * dim; i++) {
    double sd;

    fare_system_diffusion(context->system, event->time, 1, at, Ds);
    sd       = sqrt(2 * D[i / 2] * context->dt);
    x[i / 2] = event->start[i / 2] + (i % 2 ? sd : -sd);
    fare_system_drift(context->system, event->time, 1, at, fs);
    x[i / 2] = event->start[i / 2];
    if (sd > 0 && fabs(f[i / 2]) * context->dt > sd) return PETSC_FALSE;
  }
  return PETSC_TRUE;
}

static PetscErrorCode predict(const fare_rare_context *context, fare_rare_truth *truth)
{
  fare_event shifted = *context->event;
  PetscBool  left    = PETSC_TRUE;
  double     optimum;

  PetscFunctionBegin;
  shifted.a = shifted.b = (fare_region){.dim = context->grid->dim};
  /* with bridges it is off the continuum by an amount of order dt that nothing here tells */
  if (context->setting.chain.crossing == FARE_CROSSING_BRIDGE) PetscFunctionReturn(0);
  if (!steps_are_short(context)) {
    fare_warn(
      "event %s: with dt %g the drift moves a path further than its noise in a step: nothing is known of "
      "the chain",
      context->event->name, context->dt);
    PetscFunctionReturn(0);
  }
  PetscCall(shrink(context, &context->event->a, &shifted.a, &left));
  PetscCall(shrink(context, &context->event->b, &shifted.b, &left));
  if (left) PetscCall(ask_grid(context, &shifted, &truth->chain, &truth->chain_error, &optimum));
  truth->predicted = left;
  truth->chain_error += SHIFT_ERROR * fabs(truth->chain - truth->continuum);
  fare_region_free(&shifted.a);
  fare_region_free(&shifted.b);
  PetscFunctionReturn(0);
}

/* A bar of half the number leaves no digit. One as large as the number leaves a bound, which is printed. */
static PetscBool is_blurred(double value, double error)
{
  return error > 0.5 * value && error < value ? PETSC_TRUE : PETSC_FALSE;
}

PetscErrorCode fare_rare_truth_find(
  const fare_rare_context *context, const fare_rare_truth *alike, fare_rare_truth *truth)
{
  PetscBool known;

  PetscFunctionBegin;
  *truth = (fare_rare_truth){NAN, NAN, NAN, NAN, NAN, NAN, PETSC_FALSE};
  if (alike) {
    truth->continuum       = alike->continuum;
    truth->continuum_error = alike->continuum_error;
    truth->optimum         = alike->optimum;
  } else {
    PetscCall(ask_grid(context, context->event, &truth->continuum, &truth->continuum_error, &truth->optimum));
  }
  PetscCall(fare_rare_chain_solve(context, truth, &known));
  if (!known) PetscCall(predict(context, truth));
  if (truth->continuum_error > 0.5 * truth->continuum)
    fare_warn("event %s: the grid cannot tell it: it finds %.3g with an error of %.1g", context->event->name,
      truth->continuum, truth->continuum_error);
  if (is_blurred(truth->continuum, truth->continuum_error)) truth->continuum = truth->continuum_error = NAN;
  if (truth->chain_error > 0.5 * truth->chain)
    fare_warn("event %s: the chain with dt %g cannot be told: it finds %.3g with an error of %.1g",
      context->event->name, context->dt, truth->chain, truth->chain_error);
  if (is_blurred(truth->chain, truth->chain_error)) {
    truth->chain = truth->chain_error = NAN;
    truth->predicted                  = PETSC_FALSE;
  }
  PetscFunctionReturn(0);
}
