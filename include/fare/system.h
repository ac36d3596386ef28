/* SPDX-License-Identifier: BSD-2-Clause */
/*
  system: the physics. Either dX = mobility (-grad V + F) dt + sqrt(2 mobility kT) dW, or in general dX_k =
  f_k(X,t) dt + sqrt(2 D_k(X,t)) dW_k; always in the sense of Ito, all dimensionless, with named parameters of
  which any can be driven in time by a waveform.
*/
#ifndef FARE_SYSTEM_H
#define FARE_SYSTEM_H

#include <fare/box.h>
#include <fare/config.h>

#define FARE_PARAMETERS_MAX 32

typedef struct {
  const char *name;
  double      value, min, max; /* default and allowed range (at every moment, driven or not) */
  const char *description;
} fare_parameter;
#define FARE_PARAMETERS_END \
  {                         \
    NULL, 0, 0, 0, NULL     \
  }
/*
  A system with a potential begins its table with kT; one whose drift is mobility (-grad V + F) goes on with
  mobility, at these places, most simply by FARE_COMMON_PARAMETERS. Its own begin at FARE_OWN then. A system
  without a potential has a table of its own altogether.
*/
enum { FARE_KT = 0, FARE_MOBILITY = 1, FARE_OWN = 2 };
#define FARE_TEMPERATURE_AT(value)                                   \
  {                                                                  \
    "kT", value, 1e-6, 1e6, "temperature times Boltzmann's constant" \
  }
#define FARE_TEMPERATURE FARE_TEMPERATURE_AT(1.0)
/* With another default temperature. */
#define FARE_COMMON_PARAMETERS_AT(temperature)                                                     \
  FARE_TEMPERATURE_AT(temperature),                                                                \
  {                                                                                                \
    "mobility", 1.0, 1e-6, 1e6, "inverse friction; the diffusion coefficient is mobility times kT" \
  }
#define FARE_COMMON_PARAMETERS FARE_COMMON_PARAMETERS_AT(1.0)

/*
  Kernels of a system take a batch of n points as structure of arrays, x[axis][point], and theta, the
  parameters' values at one moment in the order of the table. v: one value per point, or v[axis][point].
*/
typedef void fare_scalar_kernel(int dim, const double *theta, size_t n, const double *const x[], double v[]);
typedef void fare_vector_kernel(
  int dim, const double *theta, size_t n, const double *const x[], double *const v[]);
/* phi[k][point] of basis functions, and a[k] of their coefficients. */
typedef void fare_basis_kernel(int dim, size_t n, const double *const x[], double *const phi[]);
typedef void fare_coefficients_kernel(int dim, const double *theta, double a[]);
/* a[point] from the positions of a body with inertia. */
typedef void fare_acceleration_kernel(const double *theta, size_t n, const double position[], double a[]);

/*
  What a system provides: one const descriptor, exported by its one file in src/system/library and named once
  in list.h there.
*/
typedef struct {
  const char           *name, *summary, *reference;
  int                   dimension_min, dimension_max;             /* equal where the dimension is fixed */
  const char           *axes[FARE_DIM_MAX];                       /* names of the axes; NULL: x, y, z */
  const fare_parameter *parameters;                               /* FARE_PARAMETERS_END ends it */
  double                lower[FARE_DIM_MAX], upper[FARE_DIM_MAX]; /* default domain of the truth */
  PetscBool             periodic[FARE_DIM_MAX];
  /*
    V(x), of which exp(-V/kT) is the equilibrium of the undriven system (the energy, where x is a phase
    space); NULL where there is none
  */
  fare_scalar_kernel *potential;
  /* total force -grad V + F, per axis; there when `potential` is; a system without `force` has `drift` */
  fare_vector_kernel *force;
  /* F alone, the part that is no gradient; NULL where there is none */
  fare_vector_kernel *nonconservative;
  /*
    V = sum_k a_k(theta) phi_k(x): lets a solver evaluate the phi_k once. basis_count = 0 where V has no such
    form. phi[k][point].
  */
  int                       basis_count;
  fare_basis_kernel        *basis;
  fare_coefficients_kernel *coefficients;
  /*
    The general form: Ito drift f_k and diffusion D_k >= 0 (not its root), per axis; both or neither. NULL:
    mobility (-grad V + F) and mobility kT.
  */
  fare_vector_kernel *drift;
  fare_vector_kernel *diffusion;
  /*
    Where drift and diffusion are those of a body with inertia, axis 0 its position and axis 1 its velocity,
    dx = v dt, dv = (a(x) - friction v) dt + sqrt(2 heating) dW: its parts, for integrators that take them
    apart; both or neither.
  */
  fare_acceleration_kernel *acceleration;
  void (*bath)(const double *theta, double *friction, double *heating);
} fare_system_type;

const fare_system_type *fare_system_type_find(const char *name); /* NULL when unknown */
const fare_system_type *fare_system_type_at(size_t i);           /* NULL past the last */

/* A waveform: theta(t) from a parameter's base value. Registry in src/system/waveform.c. */
typedef struct fare_waveform_type fare_waveform_type;
const char                       *fare_waveform_name_at(size_t i); /* NULL past the last */
const char                       *fare_waveform_description_at(size_t i);
PetscErrorCode                    fare_waveform_describe(const char *name, FILE *to);

typedef struct fare_system fare_system;

/* A system with default parameters and nothing driven. dimension 0: the least. Not collective. */
PetscErrorCode    fare_system_create(const fare_system_type *type, int dimension, fare_system **system);
const fare_field *fare_system_fields(void); /* keys of the plan's `system:` section */
/*
  From the plan's `system:` and `drive:` (may be NULL) nodes. Collective over PETSC_COMM_WORLD where the
  system is a plugin or an expression.
*/
PetscErrorCode fare_system_from_config(
  const fare_node *system_node, const fare_node *drive_node, fare_system **system);
PetscErrorCode fare_system_destroy(fare_system **system);
PetscErrorCode fare_system_set(fare_system *system, const char *parameter, double value);
/* Adds a sine, theta(t) = base + amplitude sin(2 pi t/period + phase), for programs and tests. */
PetscErrorCode fare_system_drive_sine(
  fare_system *system, const char *parameter, double amplitude, double period, double phase);
/* Adds a waveform from a node {parameter: ..., waveform: ..., ...}. Several on one parameter add up. */
PetscErrorCode fare_system_drive(fare_system *system, const fare_node *node);
/*
  Checks that every driven parameter stays in its range over [start, end], and that a potential closes round
  periodic axes.
*/
PetscErrorCode fare_system_check(const fare_system *system, double start, double end);
/* The plan's system and drive sections, resolved, as YAML. */
void fare_system_write(const fare_system *system, fare_text *to);
/*
  The first difference between the sections `system` and `drive` (NULL: none) that fare_system_write has left
  and this system. Not collective.
*/
PetscErrorCode fare_system_compare(const fare_system *system, const fare_node *system_node,
  const fare_node *drive_node, fare_difference *difference);
PetscErrorCode fare_system_type_describe(const fare_system_type *type, FILE *to);

const fare_system_type *fare_system_type_of(const fare_system *system);
int                     fare_system_dimension(const fare_system *system);
PetscBool               fare_system_is_driven(const fare_system *system);
/*
  The shortest time between start and end in which the drive goes somewhere and bends or jumps back: three
  corners, of which a jump is two; infinite when there is none.
*/
double fare_system_shortest_pulse(const fare_system *system, double start, double end);
/* whether its functions are the user's own: formulas, or a plugin */
PetscBool fare_system_has_formulas(const fare_system *system);
/* whether a waveform moves the parameter at this place of the table */
PetscBool fare_system_drives(const fare_system *system, int parameter);
/* The first time after t at which a driven parameter jumps; infinite when there is none. */
double fare_system_next_jump(const fare_system *system, double t);
/*
  The first time after t at which a driven parameter, its slope or a higher derivative jumps; infinite when
  there is none.
*/
double fare_system_next_corner(const fare_system *system, double t);
/*
  The longest step from t to the next corner with which a time method sees how the drive varies; infinite:
  any.
*/
double fare_system_longest_step(const fare_system *system, double t);
/* Parameters at time t, in the table's order; theta has FARE_PARAMETERS_MAX places. */
void        fare_system_parameters(const fare_system *system, double t, double theta[]);
double      fare_system_kT(const fare_system *system, double t);
PetscBool   fare_system_has_potential(const fare_system *system);
const char *fare_system_axis_name(const fare_system *system, int axis);
/* Batches at time t; x[axis][point]. Potential and force only where there is a potential. */
void fare_system_potential(
  const fare_system *system, double t, size_t n, const double *const x[], double V[]);
void fare_system_force(
  const fare_system *system, double t, size_t n, const double *const x[], double *const f[]);
/*
  Ito drift and diffusion, per axis, of any system: its own, or mobility times force and mobility kT. At
  parameters theta, and at time t.
*/
void fare_system_type_drift(const fare_system_type *type, int dim, const double *theta, size_t n,
  const double *const x[], double *const f[]);
void fare_system_type_diffusion(const fare_system_type *type, int dim, const double *theta, size_t n,
  const double *const x[], double *const D[]);
void fare_system_drift(
  const fare_system *system, double t, size_t n, const double *const x[], double *const f[]);
void fare_system_diffusion(
  const fare_system *system, double t, size_t n, const double *const x[], double *const D[]);

/* The default domain of its truth. */
fare_box fare_system_box(const fare_system *system);
/*
  The end of the longest stretch that begins at `from` and ends by `to` on which the drive is smooth and does
  not turn within a step: the next corner of a waveform, or where the drift of a system by formulas turns in
  the box. See drive.c. Not collective; alike on all ranks.
*/
double fare_system_smooth_until(const fare_system *system, const fare_box *box, double from, double to);

#endif
