/* SPDX-License-Identifier: BSD-2-Clause */
/*
  What a generator may want to be told beside particles: plan, parameters, the drive at every time, and the
  box.
*/
#include "score.h"

#include <stdio.h>

/* Values at one moment as attributes; `undriven` has none that moves. */
static PetscErrorCode write_parameters(const fare_system *undriven, fare_store *to)
{
  const fare_parameter *table = fare_system_type_of(undriven)->parameters;
  double                theta[FARE_PARAMETERS_MAX];

  PetscFunctionBegin;
  PetscCall(fare_store_group(to, "/parameters"));
  fare_system_parameters(undriven, 0, theta);
  for (int i = 0; table[i].name; i++)
    PetscCall(fare_store_put_real(to, "/parameters", table[i].name, theta[i]));
  PetscFunctionReturn(0);
}

static PetscErrorCode write_drive(const fare_finished *study, const fare_system *system, fare_store *to)
{
  const fare_parameter *table  = fare_system_type_of(system)->parameters;
  const uint64_t        extent = study->snapshots;
  double               *column, theta[FARE_PARAMETERS_MAX];
  char                  path[128];

  PetscFunctionBegin;
  PetscCall(fare_store_group(to, "/drive"));
  PetscCall(PetscMalloc1(extent, &column));
  for (int i = 0; table[i].name; i++) {
    if (!fare_system_drives(system, i)) continue;
    for (uint64_t k = 0; k < extent; k++) {
      fare_system_parameters(system, study->time[k], theta);
      column[k] = theta[i];
    }
    snprintf(path, sizeof path, "/drive/%.100s", table[i].name);
    PetscCall(fare_store_write_array(to, path, FARE_STORE_FLOAT64, 1, &extent, column));
    PetscCall(fare_store_label(to, path, 0, "times", extent, study->time));
  }
  PetscCall(PetscFree(column));
  PetscFunctionReturn(0);
}

/* Of the truth, or of the system where there is none. */
static PetscErrorCode write_box(const fare_finished *study, const fare_system *system, fare_store *to)
{
  const size_t   dim = (size_t)study->dim;
  const fare_box box = fare_system_box(system);
  const char    *axis[FARE_AXES_MAX];
  uint64_t       periodic[FARE_AXES_MAX];

  PetscFunctionBegin;
  for (int i = 0; i < study->dim; i++) {
    axis[i]     = fare_system_axis_name(system, i);
    periodic[i] = study->has_truth ? study->grid.boundary[i] == FARE_BOUNDARY_PERIODIC : box.periodic[i];
  }
  PetscCall(fare_store_put_strings(to, "/", "axes", dim, axis));
  PetscCall(fare_store_put_string(to, "/", "units", "dimensionless"));
  PetscCall(fare_store_put_reals(to, "/", "lower", dim, study->has_truth ? study->grid.lower : box.lower));
  PetscCall(fare_store_put_reals(to, "/", "upper", dim, study->has_truth ? study->grid.upper : box.upper));
  PetscCall(fare_store_put_uint64s(to, "/", "periodic", dim, periodic));
  PetscFunctionReturn(0);
}

/* The system at rest and as it is driven; the box of the truth. */
static PetscErrorCode make_systems(
  fare_finished *study, const fare_node *plan, fare_system **undriven, fare_system **driven)
{
  const fare_node *system = fare_node_find(plan, "system");

  PetscFunctionBegin;
  PetscCall(fare_system_from_config(system, NULL, undriven));
  PetscCall(fare_system_from_config(system, fare_node_find(plan, "drive"), driven));
  if (study->has_truth) PetscCall(fare_finished_open_truth(study));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_export_protocol(fare_finished *study, fare_store *to)
{
  fare_text    text     = {0};
  fare_system *undriven = NULL, *driven = NULL;
  fare_config *config;

  PetscFunctionBegin;
  PetscCall(fare_store_read_text(study->store, "/plan", &text));
  PetscCall(fare_store_write_text(to, "/plan", text.text ? text.text : ""));
  PetscCall(fare_config_parse("/plan", text.text ? text.text : "", text.length, &config));
  fare_text_free(&text);
  if (make_systems(study, fare_config_root(config), &undriven, &driven)) {
    /* its plugin or a compiler may not be on this machine; particles are worth having all the same */
    fare_warn("%s: exported without parameters, drive and box: %s", study->directory, fare_error_message());
  } else {
    PetscCall(write_parameters(undriven, to));
    PetscCall(write_drive(study, driven, to));
    PetscCall(write_box(study, driven, to));
  }
  PetscCall(fare_system_destroy(&undriven));
  PetscCall(fare_system_destroy(&driven));
  fare_config_destroy(&config);
  PetscFunctionReturn(0);
}
