/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside analysis: how densities respond to slow drives. */
#ifndef FARE_RESPONSE_PRIVATE_H
#define FARE_RESPONSE_PRIVATE_H

#include "analysis/analysis.h"

#include <fare/friction.h>
#include <fare/transport_bound.h>

/*
  Of the Boltzmann density of one value of each parameter that moves: X = -dV/dl less its mean, and phi, of
  mean 0, with L^T phi = -X.
*/
typedef struct {
  int    parameters;
  double kT;
  Vec    masses, force[FARE_FRICTION_MAX], phi[FARE_FRICTION_MAX];
  double residual; /* the largest */
} fare_response;
/* value: of the parameters; NULL: those at t. Free it after an error, too. Collective. */
PetscErrorCode fare_response_solve(const fare_grid *grid, const fare_system *system, double t, int parameters,
  const int parameter[], const double value[], fare_response *response);
PetscErrorCode fare_response_free(fare_response *response);
/* zeta_ij = <X_i phi_j>/kT. Collective. */
PetscErrorCode fare_response_friction(const fare_response *response, double tensor[]);

/* Refuses systems that have no such response, at the node. */
PetscErrorCode fare_response_check(const fare_node *node, const fare_analysis_context *context);
/* Refuses, at the node, a potential that does not close on a ring at these values or near them. */
PetscErrorCode fare_response_check_rings(const fare_node *node, const fare_system *system, double time,
  int parameters, const int parameter[], const double value[]);
/* The place of a parameter in the system's table. Refuses, at the node, those that move no potential. */
PetscErrorCode fare_response_parameter(const fare_node *node, const fare_system *system, int *parameter);

/* Of values within [lower, upper]: `nodes` Chebyshev points, from upper to lower. */
double fare_chebyshev_node(int nodes, int i, double lower, double upper);
/* Values at them, at places a stride apart, become coefficients of Chebyshev polynomials, in place. */
void fare_chebyshev_transform(int nodes, size_t stride, double value[]);
/* T_k(x), and its derivative where that is not NULL, for x in [-1, 1]. */
void fare_chebyshev_polynomials(int nodes, double x, double T[], double slope[]);

/* What is cut off behind the last two coefficients, if pairs go on to fall as the last two of them. */
double fare_chebyshev_rest(double last_pair, double pair_before);

#define FARE_CHEBYSHEV_MAX  65 /* nodes */
#define FARE_METRIC_NUMBERS (FARE_FRICTION_MAX * (FARE_FRICTION_MAX + 1) / 2)
/*
  The tensor between nodes: zeta = U D U', U of a lower triangle with ones on its diagonal and ln D by
  Chebyshev polynomials, so that it is positive everywhere. Beyond the box it stays as it is at its faces.
*/
typedef struct {
  int     parameters, nodes, numbers; /* numbers: of a tensor, d (d + 1)/2 */
  double  lower[FARE_FRICTION_MAX], upper[FARE_FRICTION_MAX];
  double *coefficient; /* [number][k of the last parameter]...[k of the first] */
  double  tail;        /* what is cut off of ln D and U, at most: estimated */
} fare_metric;
/* tensor: at all nodes, the first parameter fastest. FARE_ERR_FAILED where one is singular. */
PetscErrorCode fare_metric_create(const fare_geodesic_task *task, const double tensor[], fare_metric *metric);
void           fare_metric_free(fare_metric *metric);
/* v' zeta(l) v; its derivatives by l and v where `by_l` is not NULL. */
double fare_metric_square(
  const fare_metric *metric, const double l[], const double v[], double by_l[], double by_v[]);

/*
  The bound of full control on two or three axes with reflecting boundaries, between frozen systems;
  stiffness: 1/(mobility duration). Not collective.
*/
PetscErrorCode fare_transport_dual_solve(const fare_grid *grid, const fare_system *first,
  const fare_system *last, double stiffness, fare_transport_bound *bound);

#endif
