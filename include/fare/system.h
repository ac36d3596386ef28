/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
  system: the physics. Either dX = mobility (-grad V + F) dt + sqrt(2 mobility kT) dW, or in general dX_k =
  f_k(X,t) dt + sqrt(2 D_k(X,t)) dW_k; always in the sense of Ito, all dimensionless, with named parameters of
  which any can be driven in time by a waveform.
*/
#ifndef FARE_SYSTEM_H
#define FARE_SYSTEM_H

#include <fare/box.h>
#include <fare/config.h>

#define FARE_PARAMETERS_MAX 32 /**< of a table, with its end */
/** Place of the time among the values of the parameters, of a system whose formulas have t or that is
    steered; zero otherwise. */
#define FARE_TIME (FARE_PARAMETERS_MAX - 1)
/** Place of what a system of many axes is made of; zero otherwise. */
#define FARE_SELF (FARE_PARAMETERS_MAX - 2)

/** A parameter of a system. */
typedef struct {
  const char *name;        /**< in studies */
  double      value;       /**< default */
  double      min;         /**< least value allowed at any moment, driven or not */
  double      max;         /**< largest one */
  const char *description; /**< one line, begins with a small letter, no full stop */
} fare_parameter;
/** Ends a table of parameters. */
#define FARE_PARAMETERS_END \
  {                         \
    NULL, 0, 0, 0, NULL     \
  }
/**
  A system with a potential begins its table with kT; one whose drift is mobility (-grad V + F) goes on with
  mobility, at these places, most simply by FARE_COMMON_PARAMETERS. Its own begin at FARE_OWN then. A system
  without a potential has a table of its own altogether.
*/
enum { FARE_KT = 0, FARE_MOBILITY = 1, FARE_OWN = 2 };
/** The row of kT with a default of its own. */
#define FARE_TEMPERATURE_AT(value)                                   \
  {                                                                  \
    "kT", value, 1e-6, 1e6, "temperature times Boltzmann's constant" \
  }
#define FARE_TEMPERATURE FARE_TEMPERATURE_AT(1.0) /**< the row of kT */
/** The rows of kT, with a default of its own, and of mobility. */
#define FARE_COMMON_PARAMETERS_AT(temperature)                                                     \
  FARE_TEMPERATURE_AT(temperature),                                                                \
  {                                                                                                \
    "mobility", 1.0, 1e-6, 1e6, "inverse friction; the diffusion coefficient is mobility times kT" \
  }
#define FARE_COMMON_PARAMETERS FARE_COMMON_PARAMETERS_AT(1.0) /**< the rows of kT and mobility */

/**
  One value per point. Kernels of a system take a batch of n points as structure of arrays, x[axis][point],
  and theta, the parameters' values at one moment in the order of the table.
*/
typedef void fare_scalar_kernel(int dim, const double *theta, size_t n, const double *const x[], double v[]);
/** One value per axis and point, v[axis][point]. */
typedef void fare_vector_kernel(
  int dim, const double *theta, size_t n, const double *const x[], double *const v[]);
/** Values of basis functions, phi[k][point]. */
typedef void fare_basis_kernel(int dim, size_t n, const double *const x[], double *const phi[]);
/** Coefficients of basis functions, a[k]. */
typedef void fare_coefficients_kernel(int dim, const double *theta, double a[]);
/** The acceleration of a body with inertia, a[point], from its positions. */
typedef void fare_acceleration_kernel(const double *theta, size_t n, const double position[], double a[]);

/**
  What a system provides: one const descriptor, exported by its one file in src/system/library and named once
  in list.h there.
*/
typedef struct {
  const char *name;                /**< in studies */
  const char *summary;             /**< one line for people */
  const char *reference;           /**< where it is published; may be "" */
  int         dimension_min;       /**< least number of axes */
  int         dimension_max;       /**< largest one; equal where the dimension is fixed */
  const char *axes[FARE_AXES_MAX]; /**< names of the axes; NULL: x, y, z; or x1, x2, ... of more than three */
  const fare_parameter *parameters;              /**< FARE_PARAMETERS_END ends it */
  double                lower[FARE_AXES_MAX];    /**< lower corner of the default domain of the truth */
  double                upper[FARE_AXES_MAX];    /**< upper corner */
  PetscBool             periodic[FARE_AXES_MAX]; /**< per axis: it closes at the ends of that domain */
  /**
    V(x), of which exp(-V/kT) is the equilibrium of the undriven system (the energy, where x is a phase
    space); NULL where there is none
  */
  fare_scalar_kernel *potential;
  /** total force -grad V + F, per axis; there when `potential` is; a system without `force` has `drift` */
  fare_vector_kernel *force;
  /** F alone, the part that is no gradient; NULL where there is none */
  fare_vector_kernel *nonconservative;
  /** of V = sum_k a_k(theta) phi_k(x), which lets a solver evaluate the phi_k once; 0: V has no such form */
  int                       basis_count;
  fare_basis_kernel        *basis;        /**< phi_k */
  fare_coefficients_kernel *coefficients; /**< a_k */
  /**
    The general form: Ito drift f_k and diffusion D_k >= 0 (not its root), per axis; both or neither. NULL:
    mobility (-grad V + F) and mobility kT.
  */
  fare_vector_kernel *drift;
  fare_vector_kernel *diffusion; /**< see `drift` */
  /**
    Of a body with inertia, axis 0 its position and axis 1 its velocity, dx = v dt, dv = (a(x) - friction v)
    dt + sqrt(2 heating) dW: a(x), for integrators that take drift and diffusion apart; with `bath`.
  */
  fare_acceleration_kernel *acceleration;
  /** friction and heating of such a body */
  void (*bath)(const double *theta, double *friction, double *heating);
} fare_system_type;

/**
  The type of a name, in the library. Not collective.
  @param name as in studies
  @return its descriptor; NULL when unknown
*/
const fare_system_type *fare_system_type_find(const char *name);
/**
  The types of the library, one after the other. Not collective.
  @param i from 0
  @return a descriptor; NULL past the last
*/
const fare_system_type *fare_system_type_at(size_t i);

/**
  Names of the waveforms, which move a parameter from its base value. Not collective.
  @param i from 0
  @return the name, as in studies; NULL past the last
*/
const char *fare_waveform_name_at(size_t i);
/**
  Descriptions of the waveforms, for people. Not collective.
  @param i from 0, as of fare_waveform_name_at()
  @return one line; NULL past the last
*/
const char *fare_waveform_description_at(size_t i);
/**
  Describes a waveform and its keys, for people. Not collective.
  @param name its name
  @param to   where to
  @return FARE_ERR_INPUT where there is none of this name
*/
PetscErrorCode fare_waveform_describe(const char *name, FILE *to);

/**
  Names of all systems: the types of the library, and then those that are made of others or of matrices. Not
  collective.
  @param i       from 0
  @param summary one line about it; NULL past the last
  @return the name, as in studies; NULL past the last
*/
const char *fare_system_name_at(size_t i, const char **summary);
/**
  Describes a system of that list, with its keys and parameters, for people. Not collective.
  @param name its name
  @param to   where to
  @return 0 or an error code
*/
PetscErrorCode fare_system_describe(const char *name, FILE *to);

/** A system: a type with a dimension, values of its parameters, and what drives them. */
typedef struct fare_system fare_system;

/**
  Creates a system with default parameters and nothing driven. Not collective.
  @param type      borrowed
  @param dimension 0: the least
  @param system    destroy with fare_system_destroy()
  @return FARE_ERR_INPUT where the type has no such dimension
*/
PetscErrorCode fare_system_create(const fare_system_type *type, int dimension, fare_system **system);
/**
  Keys of the plan's `system:` section. Not collective.
  @return a constant table; FARE_FIELDS_END ends it
*/
const fare_field *fare_system_fields(void);
/**
  Creates a system from a plan. Collective over PETSC_COMM_WORLD where the system is a plugin or an
  expression.
  @param system_node the section `system:`
  @param drive_node  the section `drive:`; NULL: none
  @param system      destroy it even after an error
  @return FARE_ERR_INPUT, with file, line and key, for what is wrong
*/
PetscErrorCode fare_system_from_config(
  const fare_node *system_node, const fare_node *drive_node, fare_system **system);
/**
  The system as it is at one moment, with nothing driven. Not collective.
  @param system what it is made from; it must outlive the other
  @param t      that moment
  @param frozen destroy with fare_system_destroy()
  @return 0 or an error code
*/
PetscErrorCode fare_system_create_frozen(const fare_system *system, double t, fare_system **frozen);
/**
  The system with the base values of its parameters, as without the section `drive:`. Not collective.
  @param system   what it is made from; it must outlive the other
  @param undriven destroy with fare_system_destroy()
  @return FARE_ERR_INPUT where formulas have t
*/
PetscErrorCode fare_system_create_undriven(const fare_system *system, fare_system **undriven);
/**
  Destroys a system. Not collective.
  @param system set to NULL; may be NULL already
  @return 0 or an error code
*/
PetscErrorCode fare_system_destroy(fare_system **system);
/**
  Sets a parameter. Not collective.
  @param system    the system
  @param parameter its name
  @param value     within the parameter's range
  @return FARE_ERR_INPUT for an unknown name or a value out of range
*/
PetscErrorCode fare_system_set(fare_system *system, const char *parameter, double value);
/**
  Adds a sine, theta(t) = base + amplitude sin(2 pi t/period + phase), for programs and tests. Not collective.
  @param system    the system
  @param parameter name of the parameter that is driven
  @param amplitude in units of the parameter
  @param period    time of one cycle
  @param phase     in radians
  @return FARE_ERR_INPUT for an unknown name
*/
PetscErrorCode fare_system_drive_sine(
  fare_system *system, const char *parameter, double amplitude, double period, double phase);
/**
  Adds a waveform; several on one parameter add up. Not collective.
  @param system the system
  @param node   a map {parameter: ..., waveform: ..., ...}
  @return FARE_ERR_INPUT, with file, line and key, for what is wrong
*/
PetscErrorCode fare_system_drive(fare_system *system, const fare_node *node);
/**
  Checks that every driven parameter stays in its range, that a potential closes round periodic axes, and that
  formulas with t have values; looks for what they do in time, as fare_system_cover(). Not collective.
  @param system the system
  @param start  from this time
  @param end    to this one
  @return FARE_ERR_INPUT otherwise
*/
PetscErrorCode fare_system_check(const fare_system *system, double start, double end);
/**
  Appends the plan's system and drive sections, resolved, as YAML. Not collective.
  @param system the system
  @param to     grows by the sections; `drive:` only where something is driven
*/
void fare_system_write(const fare_system *system, fare_text *to);
/**
  The first difference between sections that fare_system_write() has left and this system. Not collective.
  @param system      the system
  @param system_node the section `system:`
  @param drive_node  the section `drive:`; NULL: none
  @param difference  filled in, unless it holds one already
  @return FARE_ERR_INPUT where the sections cannot be read
*/
PetscErrorCode fare_system_compare(const fare_system *system, const fare_node *system_node,
  const fare_node *drive_node, fare_difference *difference);
/**
  Describes a type and its parameters, for people. Not collective.
  @param type the type
  @param to   where to
  @return 0 or an error code
*/
PetscErrorCode fare_system_type_describe(const fare_system_type *type, FILE *to);

/**
  The type of a system. Not collective.
  @param system the system
  @return its descriptor; borrowed
*/
const fare_system_type *fare_system_type_of(const fare_system *system);
/**
  The dimension of a system. Not collective.
  @param system the system
  @return number of axes
*/
int fare_system_dimension(const fare_system *system);
/**
  Whether anything is driven. Not collective.
  @param system the system
  @return whether it has a waveform, of whatever amplitude, or formulas with t
*/
PetscBool fare_system_is_driven(const fare_system *system);
/**
  Finds where formulas of time jump, bend and vary fast, so that fare_system_next_jump() and all others that
  are asked for times know. To be called before, for every span of time; fare_system_check() has done it for
  its own. Not collective.
  @param system the system, which holds what is found
  @param start  from this time
  @param end    to this one
  @return FARE_ERR_INPUT where a formula has no bound, or varies too fast to be followed
*/
PetscErrorCode fare_system_cover(const fare_system *system, double start, double end);
/**
  Whether the drive does the same a period later, by parameters and, with t in formulas, by drift and
  diffusion at some places. Not collective.
  @param system the system
  @param t      time
  @param period length of the period
  @return false where something differs by more than 1e-6
*/
PetscBool fare_system_repeats(const fare_system *system, double t, double period);
/**
  The shortest time in which the drive goes somewhere and bends or jumps back: three corners, of which a jump
  is two. Not collective.
  @param system the system
  @param start  from this time
  @param end    to this one
  @return the shortest time; infinite when there is none
*/
double fare_system_shortest_pulse(const fare_system *system, double start, double end);
/**
  Whether its functions are the user's own. Not collective.
  @param system the system
  @return true for formulas and plugins, false for a type of the library
*/
PetscBool fare_system_has_formulas(const fare_system *system);
/**
  Whether a parameter is driven. Not collective.
  @param system    the system
  @param parameter its place in the type's table, from 0; FARE_TIME: the time
  @return whether it has a waveform; for the time, whether formulas have t
*/
PetscBool fare_system_drives(const fare_system *system, int parameter);
/**
  The next jump of a driven parameter. Not collective.
  @param system the system
  @param t      time after which it is sought
  @return its time; infinite when there is none
*/
double fare_system_next_jump(const fare_system *system, double t);
/**
  The next jump of a driven parameter or of a derivative of it. Not collective.
  @param system the system
  @param t      time after which it is sought
  @return its time; infinite when there is none
*/
double fare_system_next_corner(const fare_system *system, double t);
/**
  The longest step up to the next corner that lets a time method see how the drive varies. Not collective.
  @param system the system
  @param t      time at which the step begins
  @return length of the step; infinite: any will do
*/
double fare_system_longest_step(const fare_system *system, double t);
/**
  Values of the parameters: the base value and all waveforms on it. Not collective.
  @param system the system
  @param t      time
  @param theta  FARE_PARAMETERS_MAX places, filled in the table's order; FARE_TIME: the time, if formulas have
  t
*/
void fare_system_parameters(const fare_system *system, double t, double theta[]);
/**
  Base values of the parameters, without what drives them. Not collective.
  @param system the system
  @param theta  FARE_PARAMETERS_MAX places, filled in the table's order
*/
void fare_system_base(const fare_system *system, double theta[]);
/**
  The temperature of a system that has one. Not collective.
  @param system its table begins with kT, as that of any system with a potential
  @param t      time
  @return kT at that time
*/
double fare_system_kT(const fare_system *system, double t);
/**
  Whether the system has a potential. Not collective.
  @param system the system
  @return whether fare_system_potential() may be called
*/
PetscBool fare_system_has_potential(const fare_system *system);
/**
  Whether the force is the gradient of a potential and the noise thermal, at any values of the parameters:
  there is detailed balance while nothing is driven, and the spectrum of the generator is real. Not
  collective.
  @param system the system
  @return false where it has another force, a drift of its own, or no potential
*/
PetscBool fare_system_is_gradient(const fare_system *system);
/**
  The name of an axis. Not collective.
  @param system the system
  @param axis   from 0
  @return the type's own name, or else "x", "y", "z"; borrowed
*/
const char *fare_system_axis_name(const fare_system *system, int axis);
/**
  The potential. Not collective.
  @param system one with a potential
  @param t      time of its parameters
  @param n      number of points
  @param x      points x[axis][point]
  @param V      n values
*/
void fare_system_potential(
  const fare_system *system, double t, size_t n, const double *const x[], double V[]);
/**
  The total force -grad V + F. Not collective.
  @param system one whose type has `force`
  @param t      time of its parameters
  @param n      number of points
  @param x      points x[axis][point]
  @param f      values f[axis][point]
*/
void fare_system_force(
  const fare_system *system, double t, size_t n, const double *const x[], double *const f[]);
/**
  Ito drift of any type: its own, or mobility times force. Not collective.
  @param type  the type
  @param dim   number of axes
  @param theta values of the parameters, in the table's order
  @param n     number of points
  @param x     points x[axis][point]
  @param f     values f[axis][point]
*/
void fare_system_type_drift(const fare_system_type *type, int dim, const double *theta, size_t n,
  const double *const x[], double *const f[]);
/**
  Diffusion (D, not its root) of any type: its own, or mobility kT. Not collective.
  @param type  the type
  @param dim   number of axes
  @param theta values of the parameters, in the table's order
  @param n     number of points
  @param x     points x[axis][point]
  @param D     values D[axis][point]
*/
void fare_system_type_diffusion(const fare_system_type *type, int dim, const double *theta, size_t n,
  const double *const x[], double *const D[]);
/**
  Ito drift of any system, as fare_system_type_drift(). Not collective.
  @param system the system
  @param t      time of its parameters
  @param n      number of points
  @param x      points x[axis][point]
  @param f      values f[axis][point]
*/
void fare_system_drift(
  const fare_system *system, double t, size_t n, const double *const x[], double *const f[]);
/**
  Diffusion of any system, as fare_system_type_diffusion(). Not collective.
  @param system the system
  @param t      time of its parameters
  @param n      number of points
  @param x      points x[axis][point]
  @param D      values D[axis][point]
*/
void fare_system_diffusion(
  const fare_system *system, double t, size_t n, const double *const x[], double *const D[]);

/**
  Whether feedback controls the system. Not collective.
  @param system the system
  @return whether fare_system_effort() may be called
*/
PetscBool fare_system_is_steered(const fare_system *system);
/**
  Whether the force depends on how fast parameters move. Not collective.
  @param system the system
  @return whether it is one of `counterdiabatic`
*/
PetscBool fare_system_has_rates(const fare_system *system);
/**
  What the control u costs per time, sum_k u_k^2/4D_k, in nats. Not collective.
  @param system one that is steered
  @param t      time
  @param n      number of points
  @param x      points x[axis][point]
  @param rate   n values
*/
void fare_system_effort(
  const fare_system *system, double t, size_t n, const double *const x[], double rate[]);

/**
  The default domain of the truth. Not collective.
  @param system the system
  @return corners and periodic axes of its type
*/
fare_box fare_system_box(const fare_system *system);
/**
  The end of the longest stretch on which the drive is smooth and does not turn within a step: the next corner
  of a waveform, or where the drift of a system by formulas turns in the box. See drive.c. Not collective;
  alike on all ranks.
  @param system the system
  @param box    in which the drift is looked at
  @param from   where the stretch begins
  @param to     where it ends at the latest
  @return the time of its end
*/
double fare_system_smooth_until(const fare_system *system, const fare_box *box, double from, double to);

/**
  Takes particles in place from where forces and noise belong to the state that truth and samples have: a
  product with a lift is lifted, and particles that repel each other are put in order, which a step may break.
  Nothing to do for other systems. Not collective.
  @param system any
  @param n      number of points
  @param x      x[axis][i]
*/
void fare_system_show(const fare_system *system, size_t n, double *const x[]);
/**
  Back again, to go on from there. Not collective.
  @param system any
  @param n      number of points
  @param x      x[axis][i]
*/
void fare_system_hide(const fare_system *system, size_t n, double *const x[]);

#endif
