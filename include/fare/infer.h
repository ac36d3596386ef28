/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
  infer: parameters of a system from data, by the likelihood of the Fokker-Planck equation and by methods that
  approximate it, each beside what it would find in infinitely many data. A study names them under `infer:`.
  One file per method in src/infer, named once in list.h there.
*/
#ifndef FARE_INFER_H
#define FARE_INFER_H

#include <fare/analysis.h>
#include <fare/tracks.h>

/** The inferences of a study. */
typedef struct fare_infer fare_infer;

/**
  Names the methods. Not collective.
  @param i number of the method
  @return its name, NULL past the last
*/
const char *fare_infer_name_at(size_t i);
/**
  Describes the methods in a line. Not collective.
  @param i number of the method
  @return its summary, NULL past the last
*/
const char *fare_infer_summary_at(size_t i);
/**
  Prints summary and reference of a method, and the keys of a line. Not collective.
  @param method its name
  @param to     where
  @return FARE_ERR_INPUT where there is no such method
*/
PetscErrorCode fare_infer_describe(const char *method, FILE *to);
/** Keys of one line of `infer:`. */
extern const fare_field fare_infer_fields[];

/** What a study says besides, all borrowed. */
typedef struct {
  const fare_system        *system;  /**< the physics, with the values that simulated data have */
  const fare_truth_options *truth;   /**< its box, boundaries and cells are those of likelihoods */
  const fare_initial       *initial; /**< where simulated tracks begin */
  double                    start;   /**< and when */
  uint64_t                  seed;    /**< of all random numbers */
} fare_infer_study;

/**
  Reads and checks the section `infer:`. Not collective.
  @param list  of inferences; NULL: none
  @param study copied; what it points to must outlive the inferences
  @param infer NULL where there are none; destroy with fare_infer_destroy()
  @return FARE_ERR_INPUT with file, line and path of what is wrong
*/
PetscErrorCode fare_infer_from_config(
  const fare_node *list, const fare_infer_study *study, fare_infer **infer);
/**
  Destroys them. Not collective.
  @param infer set to NULL; may be NULL
  @return 0 or an error code
*/
PetscErrorCode fare_infer_destroy(fare_infer **infer);
/**
  Has all inferences take their data from a file. Not collective.
  @param infer those of a study
  @param path  of the tracks; copied
  @return an error of PETSc
*/
PetscErrorCode fare_infer_set_file(fare_infer *infer, const char *path);
/**
  Writes the section as YAML that reads back to the same; nothing where there is none. Not collective.
  @param infer what to write; may be NULL
  @param to    appended to
*/
void fare_infer_write(const fare_infer *infer, fare_text *to);
/**
  Finds the first difference between this section and the one that a checkpoint keeps. Not collective.
  @param infer      those of the plan; may be NULL
  @param list       node of the kept section; NULL: none
  @param difference unchanged where there is none
  @return FARE_ERR_INPUT where the kept section cannot be read
*/
PetscErrorCode fare_infer_compare(
  const fare_infer *infer, const fare_node *list, fare_difference *difference);

/** What draws from a posterior tell of one parameter. */
typedef struct {
  double mean;       /**< of the draws */
  double sd;         /**< of the posterior */
  double error;      /**< that the number of draws leaves the mean; NaN: no posterior was asked for */
  double low;        /**< 95% of the posterior lie between this ... */
  double high;       /**< ... and this */
  double low_error;  /**< that the number of draws leaves that end */
  double high_error; /**< alike */
  double r_hat;      /**< split R-hat: 1 where chains agree */
  double effective;  /**< effective sample size */
} fare_posterior_of;

/** One parameter, as one method found it at one lag: a row of the table. */
typedef struct {
  char   infer[72];     /**< name of the inference */
  char   method[24];    /**< its method */
  char   parameter[64]; /**< that was sought */
  double knot;          /**< where it is the value of a potential; NaN: it is another parameter */
  double lag;           /**< between observations; 0: as they come */
  double pairs;         /**< of observations, in one set of data */
  double sets;          /**< of data, independent ones */
  double truth;         /**< the value that the data were made with; NaN: not known */
  double limit;         /**< what the method finds in infinitely many data; NaN: not known */
  double limit_error;   /**< of that number, by half as many cells; NaN: not known */
  double estimate;      /**< mean over sets */
  double error; /**< standard error of one set, as data and method tell: root of the mean square; NaN: none */
  double low;   /**< 95% interval of the first set; infinite: without an end; NaN: not known */
  double high;  /**< its upper end */
  double spread;         /**< standard deviation over sets; NaN: there is one set */
  double covered;        /**< share of the sets whose interval holds the truth; NaN: not known of all */
  double held;           /**< sets that found it at an end of its range, without a standard error */
  double dropped;        /**< sets in which the method left its term out: 0, without a standard error */
  double grid;           /**< error that the cells make, estimated in the first set; NaN: uses no cells */
  double log_likelihood; /**< of the first set, at its largest; NaN: the method has none */
  double implied;        /**< diffusion that a setting of the method claims, of the first set; NaN: none */
  double seconds;        /**< of the row's method at this lag, data aside */
  fare_posterior_of posterior; /**< of the first set; NaN: there is none */
  double posterior_covered; /**< share of the sets whose posterior interval holds the truth; NaN: not known */
} fare_infer_row;

#define FARE_INFER_PARAMETERS 32 /**< parameters that are sought at once, at most */
#define FARE_PROFILE_POINTS   32 /**< of a profile, at most */

/** The profile of a likelihood along one parameter: its largest value where that one is held. */
typedef struct {
  int    count;                       /**< of points; 0: none was asked for */
  double value[FARE_PROFILE_POINTS];  /**< of the parameter, ascending */
  double change[FARE_PROFILE_POINTS]; /**< of ln L from that of the estimate: above 0 where it is not the
                                         largest */
} fare_profile;

/** What one design of observations can tell, parameters in units of their values (1 where that is 0). */
typedef struct {
  char   infer[72];                            /**< name of the inference */
  char   design[256];                          /**< start and times, or lag */
  char   parameter[FARE_INFER_PARAMETERS][64]; /**< names */
  int    count;                                /**< of parameters */
  double particles;                            /**< for which variances are */
  double scale[FARE_INFER_PARAMETERS];         /**< units of the parameters */
  double value[FARE_INFER_PARAMETERS];         /**< ascending eigenvalues of one particle's information */
  double error[FARE_INFER_PARAMETERS];         /**< of each, by cells and steps; what is not above it is 0 */
  double variance[FARE_INFER_PARAMETERS];      /**< of each parameter, by all particles; infinite: not told */
  double direction[FARE_INFER_PARAMETERS * FARE_INFER_PARAMETERS];   /**< [eigenvalue * count + parameter] */
  double information[FARE_INFER_PARAMETERS * FARE_INFER_PARAMETERS]; /**< of one particle */
  double unknown;                                                    /**< eigenvalues that are 0 */
  double cost;                                                       /**< sum of the variances */
} fare_infer_design;

/** Columns of the curve of a potential without a formula, each over the places of the first. */
enum {
  FARE_CURVE_X,       /**< place */
  FARE_CURVE_DENSITY, /**< of the observations: exact where simulated and nothing drives, else a histogram */
  FARE_CURVE_POTENTIAL,       /**< estimate, its mean over that density 0 */
  FARE_CURVE_POTENTIAL_ERROR, /**< standard deviation */
  FARE_CURVE_DRIFT,           /**< estimate */
  FARE_CURVE_DRIFT_ERROR,     /**< standard deviation */
  FARE_CURVE_TRUE_POTENTIAL,  /**< alike; NaN: not known */
  FARE_CURVE_TRUE_DRIFT,      /**< NaN: not known */
  FARE_CURVE_COLUMNS          /**< how many */
};
/** A potential without a formula, as one method found it at one lag. */
typedef struct {
  char    infer[72];   /**< name of the inference */
  char    method[24];  /**< its method */
  double  lag;         /**< between observations; 0: as they come */
  int     knots;       /**< of the spline */
  double  sets;        /**< of data, independent ones */
  double  smoothness;  /**< weight of the penalty, of the first set */
  double  chosen;      /**< 1: by the marginal likelihood; 0: it was given */
  double  effective;   /**< parameters that the penalty leaves the spline, mean over sets */
  double  drift_error; /**< relative to the drift, root mean square over the density; NaN: truth not known */
  double  drift_error_sd;    /**< over sets, or as the covariance predicts it */
  double  expected;          /**< what the covariance and `alone` predict of that error, mean over sets */
  double  alone;             /**< the least such error of any spline with these knots; NaN: truth not known */
  double  grid;              /**< the part of it that the cells make, of the first set */
  double  covered_potential; /**< share of sets and density where the 95% band holds the true potential */
  double  covered_drift;     /**< and the true drift */
  double  unseen;            /**< knots with less than one observation about them, in the first set */
  double  outside;           /**< share of the observations beyond the knots */
  size_t  points;            /**< of the curve */
  double *curve;             /**< of the first set: [column * points] */
} fare_infer_potential;

/** What all inferences found. */
typedef struct {
  size_t          count;   /**< of rows */
  fare_infer_row *row;     /**< each of them */
  char          **failure; /**< per row: why it has no result, or NULL */
  double      **draw;  /**< per row that is the first of its fit: draws, [draw * parameters + k]; else NULL */
  size_t       *draws; /**< per row: how many, times the parameters */
  fare_profile *profile;            /**< per row: of the first set of data */
  size_t        designs;            /**< how many there are */
  fare_infer_design    *design;     /**< those of one inference together, the given one first */
  size_t                potentials; /**< how many there are */
  fare_infer_potential *potential;  /**< each of them */
} fare_infer_results;
/**
  Makes or reads the data of all inferences, and estimates. What fails leaves rows without a result, with a
  warning. Collective.
  @param infer   what to run; may be NULL
  @param comm    the ranks
  @param results free with fare_infer_results_free()
  @return FARE_ERR_INPUT for files that cannot be read, and others than FARE_ERR_FAILED of one method
*/
PetscErrorCode fare_infer_run(const fare_infer *infer, MPI_Comm comm, fare_infer_results *results);
/**
  Checks that a node names one fit of parameters, and one alone. Not collective.
  @param infer of the study; may be NULL
  @param node  NAME, or {name: ..., method: ..., lag: ...} where a line has several methods or lags
  @return FARE_ERR_INPUT with file, line and path of what is wrong
*/
PetscErrorCode fare_infer_check_fit(const fare_infer *infer, const fare_node *node);
/**
  Gives a system the parameters that a fit has found, each the mean over its sets of data. Not collective.
  @param results of all inferences
  @param node    as checked
  @param system  changed
  @param found   appended to: what was found, for people
  @return FARE_ERR_FAILED where the fit has failed, or found what the system cannot have
*/
PetscErrorCode fare_infer_assume(
  const fare_infer_results *results, const fare_node *node, fare_system *system, fare_text *found);
/**
  Frees them. Not collective.
  @param results zeroed
*/
void fare_infer_results_free(fare_infer_results *results);
/**
  Writes group /infer. Collective.
  @param results of all inferences
  @param store   open for writing
  @return FARE_ERR_FAILED where the file cannot be written
*/
PetscErrorCode fare_infer_results_save(const fare_infer_results *results, fare_store *store);
/**
  Prints a table for people. Rank 0 calls it.
  @param results of all inferences
  @param to      where
*/
void fare_infer_results_print(const fare_infer_results *results, FILE *to);

#endif
