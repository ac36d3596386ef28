/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Inside joint: mixtures of Gaussians in any number of axes, sum_k w_k N(m_k, S_k), with all that a truth is
  asked for. Nothing here is collective.
*/
#ifndef FARE_NORMALS_PRIVATE_H
#define FARE_NORMALS_PRIVATE_H

#include <fare/joint.h>

#define FARE_NORMALS_RUN  64  /* points that kernels take at a time */
#define FARE_NORMALS_MOST 256 /* components at most */

/* Matrices are by rows. Arrays are of PetscMalloc, owned. */
typedef struct {
  int     dim;
  int     components;
  int64_t weights, means, covariances; /* lengths of the arrays */
  double *weight;                      /* of sum 1 */
  double *mean;                        /* one component after the other */
  double *covariance;
  double *root;  /* S = root root', lower triangle: made by fare_normals_factor */
  double *scale; /* ln w - ln det root - dim/2 ln 2 pi, alike */
} fare_normals;

extern const fare_kept fare_normals_kept[]; /* weights, means and covariances */

/* All zero, of weights 1/components. */
PetscErrorCode fare_normals_create(int dim, int components, fare_normals *normals);
PetscErrorCode fare_normals_destroy(fare_normals *normals);
/* Makes root and scale from weight and covariance. FARE_ERR_FAILED where one is not positive definite. */
PetscErrorCode fare_normals_factor(fare_normals *normals);
/* The components of an initial density that is Gaussian, as fare_initial_is_gaussian(); not factored. */
PetscErrorCode fare_normals_from_initial(int dim, const fare_initial *initial, fare_normals *normals);

/* As the functions of fare_joint_type. */
PetscErrorCode fare_normals_log_density(
  const fare_normals *normals, int64_t n, const double *const x[], double log_density[]);
PetscErrorCode fare_normals_score(
  const fare_normals *normals, int64_t n, const double *const x[], double *const s[]);
PetscErrorCode fare_normals_draw(
  const fare_normals *normals, fare_stream stream, uint64_t block, double *const x[]);
PetscErrorCode fare_normals_rosenblatt(
  const fare_normals *normals, int64_t n, const double *const x[], double *const u[]);
/* The component that is likeliest at each point. */
PetscErrorCode fare_normals_mode(const fare_normals *normals, int64_t n, const double *const x[], int mode[]);
PetscErrorCode fare_normals_marginal(
  const fare_normals *normals, int axes, const int axis[], fare_grid **grid, Vec *masses);

/*
  What a kind gives whose state begins with its versions, an array of fare_normals, one after the other.
*/
#define FARE_NORMALS_JOINT                                                                                  \
  .log_density = fare_normals_of_log_density, .score = fare_normals_of_score, .draw = fare_normals_of_draw, \
  .marginal = fare_normals_of_marginal, .rosenblatt = fare_normals_of_rosenblatt
#define FARE_NORMALS_MODES .modes = fare_normals_of_modes, .mode_of = fare_normals_of_mode

PetscErrorCode fare_normals_of_log_density(
  fare_joint *joint, int version, int64_t n, const double *const x[], double to[]);
PetscErrorCode fare_normals_of_score(
  fare_joint *joint, int64_t n, const double *const x[], double *const s[]);
PetscErrorCode fare_normals_of_draw(fare_joint *joint, fare_stream stream, uint64_t block, double *const x[]);
PetscErrorCode fare_normals_of_marginal(
  fare_joint *joint, int version, int axes, const int axis[], fare_grid **grid, Vec *masses);
PetscErrorCode fare_normals_of_rosenblatt(
  fare_joint *joint, int64_t n, const double *const x[], double *const u[]);
int            fare_normals_of_modes(const fare_joint *joint);
PetscErrorCode fare_normals_of_mode(fare_joint *joint, int64_t n, const double *const x[], int mode[]);

/* A mixture with noise of several levels: mixtures, too. Zero where there is none. */
typedef struct {
  int           levels;
  fare_normals *at;
  double       *noise; /* of each level, per axis */
} fare_noisy_normals;
/* As the functions of fare_joint_type. */
PetscErrorCode fare_noisy_normals_make(
  const fare_normals *normals, int levels, const double noise[], fare_noisy_normals *noisy);
PetscErrorCode fare_noisy_normals_mean(const fare_noisy_normals *noisy, int level, int64_t n,
  const double *const y[], double log_density[], double *const mean[]);
PetscErrorCode fare_noisy_normals_destroy(fare_noisy_normals *noisy);

/* In closed form for one component, else the mean over exact draws, and its standard error. */
PetscErrorCode fare_normals_entropy(const fare_normals *normals, double *entropy, double *error);
/*
  The L1 distance of two mixtures that differ little, at most, to first order: of Gaussians, the root of the
  mean square of the change of ln p.
*/
PetscErrorCode fare_normals_distance(const fare_normals *a, const fare_normals *b, double *distance);
/* -E ln of the Gaussian of one component `of`, over the mixture: the cross entropy. */
PetscErrorCode fare_normals_cross_entropy(
  const fare_normals *normals, const fare_normals *of, double *cross_entropy);

/* Kernels, of n <= FARE_NORMALS_RUN points x[axis][i]. y[axis * FARE_NORMALS_RUN + i] solves root y = x - m.
 */
void fare_normals_solve(
  int dim, const double root[], const double mean[], size_t n, const double *const x[], double y[]);
/* y becomes the solution of root' w = y. */
void fare_normals_solve_back(int dim, const double root[], size_t n, double y[]);
/* e[i] = scale - |y_i|^2 / 2 */
void fare_normals_exponent(int dim, double scale, size_t n, const double y[], double e[]);
/* ln (e^highest sum + e^e): highest and sum of the points go on by e; first: they begin. */
void fare_normals_add(int first, size_t n, const double e[], double highest[], double sum[]);
/* s[axis][i] -= exp(e_i - log_density_i) w */
void fare_normals_pull(
  int dim, size_t n, const double e[], const double log_density[], const double w[], double *const s[]);
/* x[axis][which[i]] = m + root z[axis][which[i]] */
void fare_normals_place(int dim, const double root[], const double mean[], int count, const int which[],
  const double *const z[], double *const x[]);

#endif
