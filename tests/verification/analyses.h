/* SPDX-License-Identifier: BSD-2-Clause */
/*
  What tests of analyses share: systems with known answers, sections of a plan as they are read and run, and
  integrals that passage times are.
*/
#ifndef ANALYSES_H
#define ANALYSES_H

#include "fare_test.h"

#include <stdlib.h>

/* A cosine along a ring, pushed: V = -height cos x, F = push. */
enum { HEIGHT = FARE_OWN, PUSH };
static const fare_parameter washboard_parameters[] = {
  FARE_COMMON_PARAMETERS, {"height", 1, 0, 100, ""}, {"push", 0.5, -100, 100, ""}, FARE_PARAMETERS_END};

static inline void washboard_potential(
  int dim, const double *theta, size_t n, const double *const x[], double V[])
{
  (void)dim;
  for (size_t i = 0; i < n; i++) V[i] = -theta[HEIGHT] * cos(x[0][i]);
}

static inline void washboard_extra(
  int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  (void)dim, (void)x;
  for (size_t i = 0; i < n; i++) f[0][i] = theta[PUSH];
}

static inline void washboard_force(
  int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  (void)dim;
  for (size_t i = 0; i < n; i++) f[0][i] = theta[PUSH] - theta[HEIGHT] * sin(x[0][i]);
}

static const fare_system_type washboard = {
  .name            = "washboard",
  .dimension_min   = 1,
  .dimension_max   = 1,
  .parameters      = washboard_parameters,
  .lower           = {-M_PI},
  .upper           = {M_PI},
  .periodic        = {PETSC_TRUE},
  .potential       = washboard_potential,
  .force           = washboard_force,
  .nonconservative = washboard_extra,
};

/* V = height (sin 2 pi x + sin(4 pi x)/4) on a ring of length 1. */
static inline void ratchet_potential(
  int dim, const double *theta, size_t n, const double *const x[], double V[])
{
  (void)dim;
  for (size_t i = 0; i < n; i++)
    V[i] = theta[HEIGHT] * (sin(2 * M_PI * x[0][i]) + 0.25 * sin(4 * M_PI * x[0][i]));
}

static inline void ratchet_force(
  int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  (void)dim;
  for (size_t i = 0; i < n; i++)
    f[0][i] = -M_PI * theta[HEIGHT] * (2 * cos(2 * M_PI * x[0][i]) + cos(4 * M_PI * x[0][i]));
}

static const fare_system_type ratchet = {
  .name          = "ratchet",
  .dimension_min = 1,
  .dimension_max = 1,
  .parameters    = washboard_parameters,
  .lower         = {0},
  .upper         = {1},
  .periodic      = {PETSC_TRUE},
  .potential     = ratchet_potential,
  .force         = ratchet_force,
};

/* f = -stiffness x + swirl (-y, x): no potential is given, so that none can be used. */
enum { STIFFNESS, SWIRL, NOISE };
static const fare_parameter swirl_parameters[] = {{"stiffness", 1, 0, 100, ""}, {"swirl", 2, -100, 100, ""},
  {"noise", 0.5, 1e-6, 100, ""}, FARE_PARAMETERS_END};

static inline void swirl_drift(
  int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  for (size_t i = 0; i < n; i++) {
    for (int axis = 0; axis < dim; axis++) f[axis][i] = -theta[STIFFNESS] * x[axis][i];
    f[0][i] -= theta[SWIRL] * x[1][i];
    f[1][i] += theta[SWIRL] * x[0][i];
  }
}

static inline void swirl_diffusion(
  int dim, const double *theta, size_t n, const double *const x[], double *const D[])
{
  (void)x;
  for (int axis = 0; axis < dim; axis++) {
    for (size_t i = 0; i < n; i++) D[axis][i] = theta[NOISE];
  }
}

static const fare_system_type swirl = {
  .name          = "swirl",
  .dimension_min = 2,
  .dimension_max = 3,
  .parameters    = swirl_parameters,
  .lower         = {-4.5, -4.5, -4.5},
  .upper         = {4.5, 4.5, 4.5},
  .drift         = swirl_drift,
  .diffusion     = swirl_diffusion,
};

static inline fare_system *make_system(const fare_system_type *type, int dim)
{
  fare_system *system;

  assert_ok(fare_system_create(type, dim, &system));
  return system;
}

static inline fare_grid *make_grid_on(MPI_Comm comm, const fare_system *system, PetscInt cells)
{
  const fare_system_type *type = fare_system_type_of(system);
  const PetscInt          n[]  = {cells, cells, cells};
  fare_boundary           end[FARE_DIM_MAX];
  fare_grid              *grid;

  for (int axis = 0; axis < FARE_DIM_MAX; axis++)
    end[axis] = type->periodic[axis] ? FARE_BOUNDARY_PERIODIC : FARE_BOUNDARY_REFLECTING;
  assert_ok(fare_grid_create(comm, fare_system_dimension(system), n, type->lower, type->upper, end, &grid));
  return grid;
}

static inline fare_grid *make_grid(const fare_system *system, PetscInt cells)
{
  return make_grid_on(PETSC_COMM_WORLD, system, cells);
}

static inline double l1_distance(Vec a, Vec b)
{
  PetscReal norm;
  Vec       difference;

  assert_ok(VecDuplicate(a, &difference));
  assert_ok(VecWAXPY(difference, -1, a, b));
  assert_ok(VecNorm(difference, NORM_1, &norm));
  assert_ok(VecDestroy(&difference));
  return norm;
}

/* One section `analysis:` of YAML, run on so many cells. */
typedef struct {
  fare_config           *config;
  fare_system           *system;
  fare_grid             *grid;
  size_t                 count;
  fare_analysis        **analysis;
  fare_analysis_result **result;
} section;

static inline PetscErrorCode read_section_as(
  fare_system *system, PetscInt64 cells, PetscBool extrapolate, const char *yaml, section *s)
{
  PetscInt64         n[]   = {cells, cells, cells};
  fare_truth_options truth = {
    .cells = {(size_t)fare_system_dimension(system), n}, .extrapolate = extrapolate};

  memset(s, 0, sizeof *s);
  s->system = system;
  assert_ok(fare_config_parse("plan.yaml", yaml, strlen(yaml), &s->config));
  return fare_analyses_from_config(
    fare_node_find(fare_config_root(s->config), "analysis"), system, &truth, &s->count, &s->analysis);
}

static inline PetscErrorCode read_section(fare_system *system, PetscInt64 cells, const char *yaml, section *s)
{
  return read_section_as(system, cells, PETSC_FALSE, yaml, s);
}

static inline void run_section_on(
  MPI_Comm comm, fare_system *system, PetscInt64 cells, const char *yaml, section *s)
{
  assert_ok(read_section(system, cells, yaml, s));
  s->grid = make_grid_on(comm, system, (PetscInt)cells);
  assert_ok(fare_analyses_run(s->count, s->analysis, s->grid, NULL, &s->result));
}

static inline void run_section(fare_system *system, PetscInt64 cells, const char *yaml, section *s)
{
  run_section_on(PETSC_COMM_WORLD, system, cells, yaml, s);
}

static inline void run_extrapolated(fare_system *system, PetscInt64 cells, const char *yaml, section *s)
{
  assert_ok(read_section_as(system, cells, PETSC_TRUE, yaml, s));
  s->grid = make_grid_on(PETSC_COMM_WORLD, system, (PetscInt)cells);
  assert_ok(fare_analyses_run(s->count, s->analysis, s->grid, NULL, &s->result));
}

static inline void free_section(section *s)
{
  assert_ok(fare_analysis_results_destroy(&s->result));
  assert_ok(fare_analyses_destroy(&s->count, &s->analysis));
  assert_ok(fare_grid_destroy(&s->grid));
  fare_config_destroy(&s->config);
  assert_ok(fare_system_destroy(&s->system));
}

/*
  A found value lies within `factor` of its estimated errors of what is expected, and that error is below
  `relative`.
*/
static inline void check_value(const section *s, size_t analysis, const char *name, size_t i, double expected,
  double factor, double relative)
{
  double value, error;

  assert_ok(fare_analysis_value(s->result[analysis], name, i, &value, &error));
  if (getenv("FARE_TEST_SHOW"))
    fare_log("%s %zu: %.12g, expected %.12g, off %.2e, estimated %.2e", name, i, value, expected,
      value - expected, error);
  assert_between(error, 0, relative * PetscMax(1, fabs(expected)));
  assert_near(value, expected, factor * error + 2e-9 * PetscMax(1, fabs(expected)));
}

typedef double (*potential)(double x);
static inline double harmonic(double x)
{
  return 0.5 * x * x;
}
static inline double two_wells(double x)
{
  return (x * x - 1) * (x * x - 1);
}

/*
  int_a^b e^{sign U/T} f, f the integral of e^{-sign U/T} from `from` (or 1 where inner is 0), by composite
  Gauss on a fine mesh.
*/
static inline double integral(potential U, double T, double sign, double a, double b, int inner, double from)
{
  enum { N = 4000 };
  static const double place[]  = {0.1127016653792583, 0.5, 0.8872983346207417},
                      weight[] = {5. / 18, 8. / 18, 5. / 18};
  double sum = 0, within = inner ? integral(U, T, -sign, from, a, 0, 0) : 1;

  for (int i = 0; i < N; i++) {
    const double left = a + (b - a) * i / N, h = (b - a) / N;

    for (int q = 0; q < 3; q++) {
      const double x    = left + place[q] * h;
      double       part = 0;

      for (int p = 0; p < 3 && inner; p++)
        part += weight[p] * place[q] * h * exp(-sign * U(left + place[p] * place[q] * h) / T);
      sum += weight[q] * h * exp(sign * U(x) / T) * (within + part);
    }
    for (int p = 0; p < 3 && inner; p++) within += weight[p] * h * exp(-sign * U(left + place[p] * h) / T);
  }
  return sum;
}

/* A waveform may be added from YAML only. */
static inline void drive(fare_system *system, const char *yaml)
{
  fare_config *config;

  assert_ok(fare_config_parse("drive", yaml, strlen(yaml), &config));
  assert_ok(fare_system_drive(system, fare_config_root(config)));
  fare_config_destroy(&config);
}

#endif
