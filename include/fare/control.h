/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
  control: the best drive on the truth's grid, and how far others are from it. It is found by derivatives of
  the discretised evolution, and refused where that is exploited rather than the physics.
*/
#ifndef FARE_CONTROL_H
#define FARE_CONTROL_H

#include <fare/rare.h>

/** The section `control:` of a plan. */
typedef struct fare_control fare_control;
/** Keys of a line of it. */
extern const fare_field fare_control_fields[];

/**
  Reads and checks the list under `control:`. Not collective.
  @param list    its node; NULL: none. It must outlive the rest
  @param system  the physics, borrowed
  @param truth   options of the truth, borrowed
  @param rare    events that lines name, borrowed; NULL: none
  @param control destroy with fare_control_destroy(), after an error, too; NULL where there is no list
  @return FARE_ERR_INPUT with file, line and path of what is wrong
*/
PetscErrorCode fare_control_from_config(const fare_node *list, const fare_system *system,
  const fare_truth_options *truth, const fare_rare *rare, fare_control **control);
/**
  Destroys it. Not collective.
  @param control set to NULL; may be NULL
  @return 0 or an error code
*/
PetscErrorCode fare_control_destroy(fare_control **control);
/**
  Writes the section as YAML that reads back to the same; nothing where there is none. Not collective.
  @param control what to write; may be NULL
  @param to      appended to
*/
void fare_control_write(const fare_control *control, fare_text *to);
/**
  Finds the first difference between this section and that which a checkpoint keeps, matched by name. Not
  collective.
  @param control    that of the plan; may be NULL
  @param list       node of the kept section; NULL: none
  @param difference unchanged where there is none
  @return FARE_ERR_INPUT where the kept section cannot be read
*/
PetscErrorCode fare_control_compare(
  const fare_control *control, const fare_node *list, fare_difference *difference);

#define FARE_CONTROL_COURSES_MAX 4 /**< parameters that one line drives, at most */
#define FARE_CONTROL_RUNGS_MAX   8 /**< drives that the best one is compared with, at most */

/** A drive that the best one is compared with. */
typedef struct {
  const char *name;     /**< "switch", "linear", ... */
  double      value;    /**< what it leads to; NaN: it leaves the range of a parameter */
  double      error;    /**< what twice the steps and wider cells change, added */
  PetscBool   feasible; /**< it keeps to bounds, jumps and energy, so that the best drive cannot be worse */
} fare_control_rung;
/** What one parameter does in the best drive. */
typedef struct {
  const char *parameter; /**< its name; borrowed */
  double      from;      /**< its value before */
  double      to;        /**< its value after */
  double      base;      /**< in the section `system:` */
  double     *value;     /**< at the knots, linear between */
} fare_control_course;
/** What one line found. */
typedef struct {
  const char         *name;        /**< of the line; borrowed */
  char               *failure;     /**< why there is no result, or NULL */
  const char         *aim;         /**< of the line */
  const char         *quantity;    /**< what all values are */
  double              free_energy; /**< its difference between both ends; NaN where the aim is not work */
  double              optimum;     /**< what the best drive of this kind leads to */
  double              step_error;  /**< of the optimum: what twice the steps changed */
  double              grid_error;  /**< estimated by cells twice as wide; NaN: they cannot be had */
  double              checked;     /**< what the truth's own time method says of this drive */
  double              efficiency;  /**< of a cycle: work over the heat of the hot half; NaN elsewhere */
  double              carnot;      /**< 1 - least kT/largest kT of a cycle; NaN elsewhere */
  double              bound;       /**< that no control dissipates less than; NaN: not known */
  double              bound_error; /**< estimated */
  double              energy;      /**< integral of the squares of what is added to the parameters */
  PetscInt            steps;       /**< in time, of the numbers above */
  PetscInt            iterations;  /**< of the search */
  int                 rungs;       /**< drives to compare with */
  fare_control_rung   rung[FARE_CONTROL_RUNGS_MAX];     /**< each of them */
  int                 knots;                            /**< number of knots */
  double             *time;                             /**< of the knots */
  int                 courses;                          /**< parameters that are driven */
  fare_control_course course[FARE_CONTROL_COURSES_MAX]; /**< each of them */
  PetscInt            cells;                            /**< of `density`, on one axis; 0: there is none */
  double              lower;                            /**< lower end of the cells */
  double              upper;                            /**< upper end */
  double             *density;                          /**< [knot * cells + cell], under the best drive */
} fare_control_result;
/**
  The error of the optimum: by steps, by cells where it is known, and what other steps change. Not collective.
  @param result of a line that has not failed
  @return their sum
*/
double fare_control_error(const fare_control_result *result);
/** What all lines found. */
typedef struct {
  size_t               count;  /**< of lines */
  fare_control_result *result; /**< one each */
} fare_control_results;
/**
  Runs all lines. One that fails is left without a result, with a warning. Collective.
  @param control may be NULL; the results borrow from it
  @param grid    of the truth
  @param results free with fare_control_results_free()
  @return FARE_ERR_STOPPED where a rank was asked to stop; errors other than FARE_ERR_FAILED and
  FARE_ERR_INPUT of one line
*/
PetscErrorCode fare_control_run(
  const fare_control *control, const fare_grid *grid, fare_control_results *results);
/**
  Frees them. Not collective.
  @param results zeroed
*/
void fare_control_results_free(fare_control_results *results);
/**
  Writes group /control. Collective.
  @param results of all lines
  @param store   open for writing
  @return FARE_ERR_FAILED where the file cannot be written
*/
PetscErrorCode fare_control_results_save(const fare_control_results *results, fare_store *store);
/**
  Prints a table for people, and the best drives as sections that can be pasted. Rank 0 calls it.
  @param results of all lines
  @param to      where
*/
void fare_control_results_print(const fare_control_results *results, FILE *to);

#endif
