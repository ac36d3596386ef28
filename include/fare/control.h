/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
  control: the best drive on the truth's grid, and how far others are from it. It is found by derivatives of
  the discretised evolution, and refused where that is exploited rather than the physics.
*/
#ifndef FARE_CONTROL_H
#define FARE_CONTROL_H

#include <fare/analysis.h>

/** The section `control:` of a plan. */
typedef struct fare_control fare_control;
/** Keys of a line of it. */
extern const fare_field fare_control_fields[];

/**
  Reads and checks the list under `control:`. Not collective.
  @param list    its node; NULL: none. It must outlive the rest
  @param system  the physics, borrowed
  @param truth   options of the truth, borrowed
  @param control destroy with fare_control_destroy(), after an error, too; NULL where there is no list
  @return FARE_ERR_INPUT with file, line and path of what is wrong
*/
PetscErrorCode fare_control_from_config(
  const fare_node *list, const fare_system *system, const fare_truth_options *truth, fare_control **control);
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

/** What one line found. Work beyond the difference of free energies, of several drives. */
typedef struct {
  const char *name;        /**< of the line; borrowed */
  char       *failure;     /**< why there is no result, or NULL */
  const char *parameter;   /**< that is driven; borrowed */
  double      free_energy; /**< its difference between both ends */
  double      at_once;     /**< dissipated by a jump at the start */
  double      linear;      /**< by a linear ramp */
  double      optimum;     /**< by the best drive of this kind */
  double      step_error;  /**< of the optimum: what twice the steps changed */
  double      grid_error;  /**< of the optimum, estimated by cells twice as wide; NaN: they cannot be had */
  PetscInt    steps;       /**< in time, of the numbers above */
  PetscInt    iterations;  /**< of the search */
  int         knots;       /**< number of knots */
  double     *time;        /**< of the knots */
  double     *value;       /**< of the best drive there, linear between */
  double      from;        /**< its value before */
  double      to;          /**< its value after */
  double      base;        /**< of the parameter in the section `system:` */
} fare_control_result;
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
  @return errors other than FARE_ERR_FAILED and FARE_ERR_INPUT of one line
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
