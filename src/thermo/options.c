/* SPDX-License-Identifier: BSD-2-Clause */
/* The plan's section, and what is defined for which system. */
#include "thermo.h"

const char *const fare_relaxation_names[] = {"metropolis", "euler_maruyama", "heun", NULL};

const fare_field fare_thermo_fields[] = {
  {"points", FARE_INTEGER, offsetof(fare_thermo_options, points), "5", 3, FARE_POINTS_MAX, NULL, "",
    "time quadrature points between snapshots, both snapshots included"},
  {"steps", FARE_INTEGER, offsetof(fare_thermo_options, steps), "0", 0, 1e7, NULL, "",
    "steps of the work chain from equilibrium, whole study; 0: none"},
  {"particles", FARE_INTEGER, offsetof(fare_thermo_options, particles), "0", 0, 1e8, NULL, "",
    "particles for forward and reverse work from equilibrium; 0: none"},
  {"dt", FARE_REAL, offsetof(fare_thermo_options, dt), "1e-3", 1e-12, 1e3, NULL, "time",
    "largest time step of these particles"},
  {"relaxation", FARE_CHOICE, offsetof(fare_thermo_options, relaxation), "metropolis", 0, 0,
    fare_relaxation_names, "",
    "their dynamics between energy changes: metropolis is exact for any dt, the others do shadow work"},
  {"currents", FARE_BOOLEAN, offsetof(fare_thermo_options, currents), "false", 0, 0, NULL, "",
    "also record the probability currents at every snapshot"},
  {"geometric", FARE_BOOLEAN, offsetof(fare_thermo_options, geometric), "false", 0, 0, NULL, "",
    "also compute the least entropy production with these marginals, the part that snapshots reveal"},
  {"learned", FARE_BOOLEAN, offsetof(fare_thermo_options, learned), "false", 0, 0, NULL, "",
    "also compute entropy production and Fokker-Planck residual of learned densities; one axis"},
  FARE_FIELDS_END,
};

int fare_thermo_defines(const fare_system *system)
{
  const fare_system_type *type = fare_system_type_of(system);
  const PetscBool         isothermal =
    type->potential && !fare_system_drives(system, FARE_KT) ? PETSC_TRUE : PETSC_FALSE;
  PetscBool diffuses = PETSC_TRUE;
  int       defined  = FARE_HAS_ENTROPY;

  if (type->diffusion) {
    double        at[FARE_DIM_MAX], D[FARE_DIM_MAX];
    const double *x[FARE_DIM_MAX]  = {&at[0], &at[1], &at[2]};
    double *const to[FARE_DIM_MAX] = {&D[0], &D[1], &D[2]};

    /* off the middle, where a noise that is multiplied by x would vanish */
    for (int axis = 0; axis < fare_system_dimension(system); axis++)
      at[axis] = 0.4 * type->lower[axis] + 0.6 * type->upper[axis];
    fare_system_diffusion(system, 0, 1, x, to);
    for (int axis = 0; axis < fare_system_dimension(system); axis++)
      diffuses = diffuses && D[axis] > 0 ? PETSC_TRUE : PETSC_FALSE;
  }
  if (type->potential) defined |= FARE_HAS_ENERGY;
  if (diffuses) defined |= FARE_HAS_PRODUCTION;
  if (isothermal && !type->nonconservative) defined |= FARE_HAS_FREE_WORK;
  if (isothermal || diffuses) defined |= FARE_HAS_TOTAL;
  if (type->potential && type->nonconservative) defined |= FARE_HAS_NONCONSERVATIVE;
  if (isothermal && diffuses) defined |= FARE_HAS_BALANCE;
  if (isothermal && fare_system_is_gradient(system)) defined |= FARE_HAS_CHAIN;
  return defined;
}

PetscBool fare_thermo_needs_rates(const fare_system *system)
{
  return fare_thermo_defines(system) & (FARE_HAS_PRODUCTION | FARE_HAS_NONCONSERVATIVE) ? PETSC_TRUE
                                                                                        : PETSC_FALSE;
}

#define NEEDS_CHAIN \
  "work relations need purely conservative forces and a constant kT; system '%s' lacks these here"

PetscErrorCode fare_thermo_check_chain(const fare_system *system)
{
  PetscFunctionBegin;
  if (!(fare_thermo_defines(system) & FARE_HAS_CHAIN))
    FARE_FAIL(FARE_ERR_INPUT, NEEDS_CHAIN, fare_system_type_of(system)->name);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_thermo_options_from_config(const fare_node *node, const fare_system *system,
  const fare_truth_options *truth, fare_thermo_options *options)
{
  PetscFunctionBegin;
  PetscCall(fare_fields_read(fare_thermo_fields, NULL, node, options));
  for (size_t i = 0; i < truth->boundaries.count; i++) {
    if (truth->boundaries.values[i] >= FARE_BOUNDARY_ABSORBING)
      FARE_REFUSE(node, "thermodynamics needs a box without absorbing ends (truth.boundaries)");
  }
  if (options->geometric && !(fare_thermo_defines(system) & FARE_HAS_PRODUCTION))
    FARE_REFUSE(fare_node_find(node, "geometric"),
      "needs diffusion along every axis, as currents have no potential without; system '%s' lacks it",
      fare_system_type_of(system)->name);
  if (options->learned && fare_system_dimension(system) != 1)
    FARE_REFUSE(fare_node_find(node, "learned"),
      "needs one axis, where a density determines its current; system '%s' has %d",
      fare_system_type_of(system)->name, fare_system_dimension(system));
  if (options->learned && !(fare_thermo_defines(system) & FARE_HAS_PRODUCTION))
    FARE_REFUSE(fare_node_find(node, "learned"), "needs diffusion along every axis; system '%s' lacks it",
      fare_system_type_of(system)->name);
  if ((options->steps || options->particles) && !(fare_thermo_defines(system) & FARE_HAS_CHAIN))
    FARE_REFUSE(fare_node_find(node, options->steps ? "steps" : "particles"), NEEDS_CHAIN,
      fare_system_type_of(system)->name);
  PetscFunctionReturn(0);
}
