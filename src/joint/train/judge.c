/* SPDX-License-Identifier: BSD-2-Clause */
/*
  What draws tell of the error of a density. The bar is the L1 distance to each companion, by importance
  sampling over the truth's own draws: E |p_c/p - 1|.
*/
#include "versions.h"

#include <cblas.h>
#include <math.h>
#include <stdio.h>

#define NARROW      0.7  /* cells for a standard deviation of the start, for errors that can be told */
#define ERROR_SOME  0.01 /* where that matters */
#define ERROR_LARGE 0.3  /* no train is near the limit of many cells there */
#define LOOKED      5    /* versions that draws are looked at of */
#define BLOCKS      8    /* of draws, for entropy and distances */

/* -E sum over sites of the logarithm of what sites by themselves are compared with. */
static PetscErrorCode entropy_of_sites(const fare_train *train, double *entropy)
{
  const fare_sites *s = &train->sites;
  const int         n = s->cells, parts = FARE_PARTS * n;
  double           *mass, *density, *alone;

  PetscFunctionBegin;
  *entropy = 0;
  PetscCall(PetscMalloc3(n, &mass, n, &alone, FARE_PLACES(n) * n, &density));
  for (int k = 0; k < train->count; k++) {
    PetscCall(fare_train_marginal(train, 1, &k, mass));
    for (int j = 0; j < n; j++) alone[j] = exp(train->marginal[k][j]);
    PetscCall(fare_train_tabulate(train, k, density, NULL));
    for (int q = 0; q <= 2 * parts; q++) {
      const double simpson = q % 2 ? 4
        : q == 0 || q == 2 * parts ? 1
                                   : 2,
                   p       = cblas_ddot(n, density + q * n, 1, mass, 1),
                   other   = cblas_ddot(n, density + q * n, 1, alone, 1);

      *entropy -= simpson / 6 * s->spacing / FARE_PARTS * p * log(other);
    }
  }
  PetscCall(PetscFree3(mass, alone, density));
  PetscFunctionReturn(0);
}

/* What the draws of one block tell. */
typedef struct {
  double total[LOOKED]
              [FARE_BLOCK]; /* ln p of a version less that of sites by themselves, at draws of its own */
  double distance[LOOKED][FARE_BLOCK]; /* |p_c/p - 1| at draws of the truth */
  double clipped;
} looked;

/* The same uniform numbers for all versions. */
static PetscErrorCode look(const fare_trains *s, int dim, uint64_t block, looked *to)
{
  const fare_stream stream = fare_stream_make(1, "tensor train/draws");
  double           *x[FARE_AXES_MAX], *u[FARE_AXES_MAX], *room, log_p[FARE_BLOCK], other[FARE_BLOCK];

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(2 * dim * FARE_BLOCK, &room));
  for (int k = 0; k < dim; k++) {
    x[k] = room + 2 * k * FARE_BLOCK;
    u[k] = x[k] + FARE_BLOCK;
    fare_random_uniforms(stream, block, (uint64_t)k, 0, u[k]);
  }
  to->clipped = 0;
  for (int v = LOOKED - 1; v >= 0; v--) {
    double ignored = 0;

    PetscCall(fare_train_conditionals(
      fare_trains_version(s, v), FARE_BLOCK, PETSC_FALSE, x, u, v == FARE_MAIN ? &to->clipped : &ignored));
    PetscCall(fare_trains_log_density(s, v, FARE_BLOCK, (const double *const *)x, log_p, other));
    for (int i = 0; i < FARE_BLOCK; i++) to->total[v][i] = isfinite(log_p[i]) ? log_p[i] - other[i] : 0;
  }
  for (int v = FARE_RANK; v < LOOKED; v++) {
    PetscCall(fare_trains_log_density(s, v, FARE_BLOCK, (const double *const *)x, other, NULL));
    for (int i = 0; i < FARE_BLOCK; i++)
      to->distance[v][i] = isfinite(log_p[i]) ? fabs(exp(other[i] - log_p[i]) - 1) : 1;
  }
  PetscCall(PetscFree(room));
  PetscFunctionReturn(0);
}

static double mean_of(int n, const double values[], double *sd)
{
  double sum = 0, squares = 0;

  for (int i = 0; i < n; i++) sum += values[i];
  for (int i = 0; i < n; i++) squares += (values[i] - sum / n) * (values[i] - sum / n);
  if (sd) *sd = sqrt(squares / n);
  return sum / n;
}

/* Blocks over ranks, then all of them on every rank, the same bits on any number of ranks. */
static PetscErrorCode look_at_all(fare_joint *joint, looked to[BLOCKS])
{
  PetscErrorCode code = 0;
  int            me, size;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(joint->comm, &me));
  PetscCallMPI(MPI_Comm_size(joint->comm, &size));
  PetscCall(PetscMemzero(to, BLOCKS * sizeof *to));
  for (int b = me; b < BLOCKS && !code; b += size) code = look(joint->state, joint->dim, (uint64_t)b, &to[b]);
  PetscCall(fare_error_agree(joint->comm, code));
  PetscCallMPI(
    MPI_Allreduce(MPI_IN_PLACE, to, BLOCKS * sizeof *to / sizeof(double), MPI_DOUBLE, MPI_SUM, joint->comm));
  PetscFunctionReturn(0);
}

/* Entropy and divergence from equilibrium, and by how much those of the companions differ. */
static PetscErrorCode judge_entropy(fare_joint *joint, const looked *seen)
{
  const fare_trains *s      = joint->state;
  fare_joint_status *status = &joint->status;
  double             all[BLOCKS * FARE_BLOCK], entropy[FARE_VERSIONS], from[FARE_VERSIONS], sd;

  PetscFunctionBegin;
  status->entropy_error = status->equilibrium_error = 0;
  for (int v = FARE_VERSIONS - 1; v >= 0; v--) {
    const fare_train *train = fare_trains_version(s, v);
    const int         w     = v == FARE_CELLS && s->uncorrected ? FARE_ITSELF : v;
    double            energy, log_z;

    for (int b = 0; b < BLOCKS; b++)
      PetscCall(PetscArraycpy(all + b * FARE_BLOCK, seen[b].total[w], FARE_BLOCK));
    PetscCall(entropy_of_sites(train, &entropy[v]));
    entropy[v] -= mean_of(BLOCKS * FARE_BLOCK, all, &sd);
    PetscCall(fare_train_energies(train, status->time, &energy, &log_z));
    from[v] = energy + log_z - entropy[v];
  }
  for (int v = FARE_RANK; v < FARE_VERSIONS; v++) {
    status->entropy_error += fabs(entropy[v] - entropy[FARE_MAIN]);
    status->equilibrium_error += fabs(from[v] - from[FARE_MAIN]);
  }
  status->entropy     = entropy[FARE_MAIN];
  status->equilibrium = from[FARE_MAIN];
  status->entropy_error += sd / sqrt(BLOCKS * FARE_BLOCK);
  status->equilibrium_error += sd / sqrt(BLOCKS * FARE_BLOCK);
  PetscFunctionReturn(0);
}

/* The error bar from distances to versions. Where fewer cells tell less than the correction itself, that
 * counts. */
static PetscErrorCode judge_distances(fare_joint *joint, const looked *seen)
{
  fare_trains       *s                = joint->state;
  fare_joint_status *status           = &joint->status;
  double             distance[LOOKED] = {0};

  PetscFunctionBegin;
  for (int b = 0; b < BLOCKS; b++) {
    status->clipped = PetscMax(status->clipped, seen[b].clipped);
    for (int v = FARE_RANK; v < LOOKED; v++)
      distance[v] += PetscMin(2, mean_of(FARE_BLOCK, seen[b].distance[v], NULL)) / BLOCKS;
  }
  s->uncorrected      = distance[FARE_ITSELF] < distance[FARE_CELLS];
  status->error_rank  = distance[FARE_RANK];
  status->error_time  = distance[FARE_STEP];
  status->error_space = PetscMin(distance[FARE_CELLS], distance[FARE_ITSELF]);
  status->error       = PetscMin(2, status->error_rank + status->error_time + status->error_space);
  PetscFunctionReturn(0);
}

/* The largest mass in the outermost cells of a site: its ends reflect. */
static PetscErrorCode boundary_mass(const fare_train *train, double *most)
{
  const int n = train->sites.cells;
  double   *mass;

  PetscFunctionBegin;
  *most = 0;
  PetscCall(PetscMalloc1(n, &mass));
  for (int k = 0; k < train->count; k++) {
    PetscCall(fare_train_marginal(train, 1, &k, mass));
    *most = PetscMax(*most, fabs(mass[0]) + fabs(mass[n - 1]));
  }
  PetscCall(PetscFree(mass));
  PetscFunctionReturn(0);
}

/*
  What differences of trains do not tell. A start that is narrower than the cells lies alike in all of them,
  and where errors are large there is no order to extrapolate by.
*/
static void report_doubt(fare_joint *joint)
{
  const fare_sites  *sites  = &((fare_trains *)joint->state)->evolved[FARE_PLAIN]->sites;
  const fare_reals  *sd     = &joint->initial->sd;
  fare_joint_status *status = &joint->status;
  double             least  = HUGE_VAL;

  for (size_t i = 0; i < sd->count; i++) least = PetscMin(least, sd->values[i]);
  status->doubt = 1;
  if (least < NARROW * sites->spacing && status->error_space > ERROR_SOME)
    snprintf(joint->doubt, sizeof joint->doubt,
      "the initial density is narrower than a cell (standard deviation %.3g, cells of %.3g); take more "
      "cells, "
      "up to %d, in a narrower box, or a wider start",
      least, sites->spacing, FARE_CELLS_MOST);
  else if (status->error_space > ERROR_LARGE)
    snprintf(joint->doubt, sizeof joint->doubt,
      "cells of %.3g are too wide for the density; take more of them, up to %d, or a narrower box",
      sites->spacing, FARE_CELLS_MOST);
  else
    status->doubt = 0;
}

PetscErrorCode fare_trains_judge(fare_joint *joint, double t)
{
  fare_trains       *s      = joint->state;
  fare_joint_status *status = &joint->status;
  const fare_train  *plain  = s->evolved[FARE_PLAIN];
  looked            *seen;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(BLOCKS, &seen));
  s->uncorrected = 0;
  PetscCall(look_at_all(joint, seen));
  status->time    = t;
  status->clipped = isnan(status->clipped) ? 0 : status->clipped;
  PetscCall(judge_distances(joint, seen));
  report_doubt(joint);
  status->mass_drift =
    PetscMax(isnan(status->mass_drift) ? 0 : status->mass_drift, fabs(fare_train_mass(plain) - 1));
  status->discarded = plain->discarded;
  status->rank      = plain->rank;
  PetscCall(judge_entropy(joint, seen));
  PetscCall(boundary_mass(plain, &status->boundary_mass));
  PetscCall(PetscFree(seen));
  if (plain->full && status->error_rank > s->tolerance)
    FARE_FAIL(FARE_ERR_INPUT,
      "truth.rank: at time %g ranks up to %d cost %.2g of the density (L1), more than tolerance: %g; rank: "
      "%d may "
      "do, or a higher tolerance",
      t, (int)s->rank, status->error_rank, s->tolerance, (int)(2 * s->rank));
  PetscFunctionReturn(0);
}
