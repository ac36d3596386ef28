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
    fare_text_add(to, "]}");
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
  fare_analysis_result **result;
  size_t                 count;

  PetscFunctionBegin;
  PetscCall(fare_analyses_from_config(list, context->system, &options, &count, &analysis));
  PetscCall(fare_analyses_run(count, analysis, context->grid, &result));
  if (fare_analysis_value(result[0], is_rate ? "rate" : "committor", 0, value, error)) *value = *error = NAN;
  if (!is_rate || fare_analysis_value(result[0], "optimum", 0, optimum, NULL)) *optimum = NAN;
  PetscCall(fare_analysis_results_destroy(&result));
  PetscCall(fare_analyses_destroy(&count, &analysis));
  PetscFunctionReturn(0);
}

/*
  A probability once with an error of the logarithm, which fitted rates give, and once as the truth's scheme
  does, which may be of higher order: whichever tells the smaller error. NaN where the grid cannot tell; a
  warning says why.
*/
static PetscErrorCode ask_grid(
  const fare_rare_context *context, const fare_event *event, double *value, double *error, double *optimum)
{
  const int ways = context->setting.of == FARE_RARE_RATE ? 1 : 2;

  PetscFunctionBegin;
  *value = *error = NAN;
  fare_hush(PETSC_TRUE);
  for (int relative = 0; relative < ways; relative++) {
    fare_text    text = {0};
    fare_config *config;
    double       found, bar;

    write_analysis(
      event, context->grid->dim, context->setting.of, relative ? PETSC_TRUE : PETSC_FALSE, &text);
    PetscCall(fare_config_parse("the event", text.text, text.length, &config));
    fare_text_free(&text);
    PetscCall(
      run_analysis(context, fare_node_find(fare_config_root(config), "analysis"), &found, &bar, optimum));
    fare_config_destroy(&config);
    if (isnan(found) || *error <= bar) continue;
    *value = found;
    *error = bar;
  }
  fare_hush(PETSC_FALSE);
  if (isnan(*value)) fare_warn("event %s: the grid cannot tell it: %s", event->name, fare_error_message());
  PetscFunctionReturn(0);
}

/* The set with its faces moved into it, but for those that are ends of the box; false where none is left. */
static PetscErrorCode shrink(
  const fare_rare_context *context, const fare_region *set, fare_region *into, PetscBool *left)
{
  const fare_grid *grid = context->grid;
  const size_t     size = set->boxes * (size_t)grid->dim;

  PetscFunctionBegin;
  *into       = *set;
  into->lower = calloc(size + 1, sizeof *into->lower);
  into->upper = calloc(size + 1, sizeof *into->upper);
  if (!into->lower || !into->upper) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  for (size_t i = 0; i < size; i++) {
    const int     axis = (int)(i % (size_t)grid->dim);
    const size_t  box  = i - (size_t)axis;
    double        D[FARE_DIM_MAX], *Ds[FARE_DIM_MAX] = {&D[0], &D[1], &D[2]}, by;
    const double *x[FARE_DIM_MAX];

    for (int k = 0; k < grid->dim; k++) x[k] = &set->lower[box + (size_t)k];
    fare_system_diffusion(context->system, context->event->time, 1, x, Ds);
    by             = SHIFT * sqrt(2 * D[axis] * context->dt);
    into->lower[i] = set->lower[i] + (set->lower[i] > grid->lower[axis] ? by : 0);
    into->upper[i] = set->upper[i] - (set->upper[i] < grid->upper[axis] ? by : 0);
    if (!(into->lower[i] < into->upper[i])) *left = PETSC_FALSE;
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode predict(const fare_rare_context *context, fare_rare_truth *truth)
{
  fare_event shifted = *context->event;
  PetscBool  left    = PETSC_TRUE;
  double     optimum;

  PetscFunctionBegin;
  /* with bridges it is off the continuum by an amount of order dt that nothing here tells */
  if (context->setting.chain.crossing == FARE_CROSSING_BRIDGE) PetscFunctionReturn(0);
  truth->predicted = PETSC_TRUE;
  PetscCall(shrink(context, &context->event->a, &shifted.a, &left));
  PetscCall(shrink(context, &context->event->b, &shifted.b, &left));
  if (left) PetscCall(ask_grid(context, &shifted, &truth->chain, &truth->chain_error, &optimum));
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
  if (is_blurred(truth->chain, truth->chain_error)) {
    truth->chain = truth->chain_error = NAN;
    truth->predicted                  = PETSC_FALSE;
  }
  PetscFunctionReturn(0);
}
