#include <fare/system.h>

#include <math.h>

static const char *const kinds[] = {"boltzmann", "gaussian", "uniform", NULL};

const fare_field fare_initial_fields[] = {
  {"density", FARE_CHOICE, offsetof(fare_initial, density), "boltzmann", 0, 0, kinds, "", "boltzmann: exp(-V/kT) at the start; gaussian: of given mean and sd; uniform: over the domain"},
  {"mean", FARE_REALS, offsetof(fare_initial, mean), "", -1e6, 1e6, NULL, "", "mean per axis, for gaussian"},
  {"sd", FARE_REALS, offsetof(fare_initial, sd), "", 1e-9, 1e6, NULL, "", "standard deviation per axis, for gaussian"},
  FARE_FIELDS_END,
};

static PetscErrorCode check(const fare_node *node, const fare_system *system, const fare_initial *initial)
{
  const size_t dim = (size_t)fare_system_dimension(system);

  PetscFunctionBeginUser;
  if (initial->density == FARE_INITIAL_GAUSSIAN) {
    if (initial->mean.count != dim) PetscCall(fare_node_error(fare_node_find(node, "mean") ? fare_node_find(node, "mean") : node, "a gaussian in %zu dimension%s needs %zu mean%s, got %zu", dim, dim > 1 ? "s" : "", dim, dim > 1 ? "s" : "", initial->mean.count));
    if (initial->sd.count != dim) PetscCall(fare_node_error(fare_node_find(node, "sd") ? fare_node_find(node, "sd") : node, "a gaussian in %zu dimension%s needs %zu sd, got %zu", dim, dim > 1 ? "s" : "", dim, initial->sd.count));
  } else if (initial->density == FARE_INITIAL_BOLTZMANN && !fare_system_has_potential(system)) {
    const char *name = fare_system_type_of(system)->name;

    if (node) PetscCall(fare_node_error(node, "system '%s' has no potential, so no Boltzmann density to begin with: give another", name));
    FARE_FAIL(FARE_ERR_INPUT, "initial: system '%s' has no potential, so no Boltzmann density to begin with: give another, say {density: gaussian, mean: [...], sd: [...]}", name);
  } else if (initial->mean.count || initial->sd.count) {
    PetscCall(fare_node_error(fare_node_find(node, initial->mean.count ? "mean" : "sd"), "only for density: gaussian"));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_initial_from_config(const fare_node *node, const fare_system *system, fare_initial *initial)
{
  PetscErrorCode code;

  PetscFunctionBeginUser;
  PetscCall(fare_fields_read(fare_initial_fields, NULL, node, initial));
  code = check(node, system, initial);
  if (code) PetscCall(fare_initial_free(initial));
  PetscFunctionReturn(code);
}

PetscErrorCode fare_initial_free(fare_initial *initial)
{
  PetscFunctionBeginUser;
  PetscCall(fare_fields_free(fare_initial_fields, initial));
  PetscFunctionReturn(0);
}

void fare_initial_log_density(const fare_initial *initial, const fare_system *system, double t, size_t n, const double *const x[], double log_density[])
{
  const int    dim = fare_system_dimension(system);

  switch ((fare_initial_kind)initial->density) {
  case FARE_INITIAL_BOLTZMANN:
    fare_system_potential(system, t, n, x, log_density);
    for (size_t i = 0; i < n; i++) log_density[i] /= -fare_system_kT(system, t);
    break;
  case FARE_INITIAL_GAUSSIAN:
    for (size_t i = 0; i < n; i++) {
      log_density[i] = 0;
      for (int axis = 0; axis < dim; axis++) {
        const double z = (x[axis][i] - initial->mean.values[axis]) / initial->sd.values[axis];

        log_density[i] -= 0.5 * z * z;
      }
    }
    break;
  case FARE_INITIAL_UNIFORM:
    for (size_t i = 0; i < n; i++) log_density[i] = 0;
    break;
  }
}

const fare_field fare_schedule_fields[] = {
  {"start", FARE_REAL, offsetof(fare_schedule, start), "0", -1e12, 1e12, NULL, "time", "time of the first snapshot, when everything begins"},
  {"end", FARE_REAL, offsetof(fare_schedule, end), NULL, -1e12, 1e12, NULL, "time", "time of the last snapshot"},
  {"count", FARE_INTEGER, offsetof(fare_schedule, count), NULL, 2, 1e6, NULL, "", "number of snapshots, evenly spaced, both ends among them"},
  FARE_FIELDS_END,
};

double fare_schedule_time(const fare_schedule *schedule, PetscInt64 index)
{
  const double fraction = (double)index / (double)(schedule->count - 1);

  return (1 - fraction) * schedule->start + fraction * schedule->end;
}
