/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Parallel tempering on the potential frozen at each moment: every particle is the coldest of a ladder of
  replicas at rising temperatures, kT at the bottom. A sweep is one Metropolis-adjusted Langevin step of each
  replica and an exchange between neighbours, of even and odd pairs in turn. Hot replicas cross barriers, and
  what they find comes down the ladder.
*/
#include "sampler/energy/energy.h"
#include "sampler/shared/positions.h"

#include <math.h>
#include <string.h>

#define TEMPERATURES_MOST 64
#define HEALTHY_LEAST     0.2 /* accepted exchanges; fewer and the ladder hardly conducts */
#define HEALTHY_MOST      0.4 /* more and fewer temperatures would do */

typedef struct {
  PetscInt64 sweeps, adaptation, temperatures;
  double     highest, step;

  PetscBool begun, warned;
  /* made so far: the counter of random numbers */
  uint64_t sweep;
  double   h[TEMPERATURES_MOST]; /* local steps */
  /* with the replica above, by all particles */
  int64_t tried[TEMPERATURES_MOST], exchanged[TEMPERATURES_MOST];
  /* above the bottom, which is the ensemble itself: from 1 on */
  fare_ensemble *replica[TEMPERATURES_MOST];
  fare_energy   *energy;
} ladder;

static const fare_field fields[] = {
  {"temperatures", FARE_INTEGER, offsetof(ladder, temperatures), "3", 2, TEMPERATURES_MOST, NULL, "",
    "replicas of every particle, in a ladder of temperatures with equal ratios"},
  {"highest", FARE_REAL, offsetof(ladder, highest), "20", 1.0001, 1e6, NULL, "kT", "highest temperature"},
  {"sweeps", FARE_INTEGER, offsetof(ladder, sweeps), "80", 1, 1e6, NULL, "",
    "sweeps per snapshot, each a local step of every replica and exchanges"},
  {"adaptation", FARE_INTEGER, offsetof(ladder, adaptation), "20", 0, 1e6, NULL, "",
    "sweeps before those, to tune the local steps"},
  {"step", FARE_REAL, offsetof(ladder, step), "0.01", 1e-12, 1e6, NULL, "length^2",
    "local step h at the lowest temperature at the start of tuning"},
  FARE_FIELDS_END,
};

/* The temperature of a replica, in kT. */
static double temperature(const ladder *s, PetscInt64 k)
{
  return pow(s->highest, (double)k / (double)(s->temperatures - 1));
}

static PetscErrorCode setup(fare_sampler *sampler)
{
  ladder *s = sampler->state;

  PetscFunctionBegin;
  for (PetscInt64 k = 0; k < s->temperatures; k++) s->h[k] = s->step * temperature(s, k);
  PetscCall(fare_energy_of_system(sampler->system, PETSC_TRUE, &s->energy));
  PetscFunctionReturn(0);
}

static PetscErrorCode destroy(fare_sampler *sampler)
{
  ladder *s = sampler->state;

  PetscFunctionBegin;
  for (PetscInt64 k = 1; k < s->temperatures; k++) PetscCall(fare_ensemble_destroy(&s->replica[k]));
  PetscCall(fare_energy_destroy(&s->energy));
  PetscFunctionReturn(0);
}

/* All replicas of a block, and how often what happened among its particles that count. */
enum { MOVED, TRIED, EXCHANGED, COUNTS };
typedef struct {
  int         counted;
  fare_chains at[TEMPERATURES_MOST];
  int64_t     counts[COUNTS][TEMPERATURES_MOST];
} block_ladder;

/*
  Draws of a sweep: those of the replicas' local steps one after the other, then those of exchanges. Where
  they are more than a stream has, every replica has a stream of its own.
*/
#define DRAWS 256 /* see fare_random_normals */

static PetscBool is_shared(const ladder *s)
{
  return s->temperatures * (s->energy->dim + 2) <= DRAWS ? PETSC_TRUE : PETSC_FALSE;
}

static uint32_t draw_of(const ladder *s, PetscInt64 k)
{
  return is_shared(s) ? (uint32_t)k * (uint32_t)(s->energy->dim + 1) : 0;
}

/* The streams of all replicas, and of exchanges behind them. */
static void name_streams(const fare_sampler *sampler, fare_stream stream[TEMPERATURES_MOST + 1])
{
  const ladder *s = sampler->state;

  for (PetscInt64 k = 0; k <= s->temperatures; k++) {
    char name[32];

    snprintf(name, sizeof name, "chains/%lld", (long long)k);
    stream[k] = fare_sampler_stream(sampler, is_shared(s) ? "chains" : name);
  }
}

static void swap(double *a, double *b)
{
  const double c = *a;

  *a = *b;
  *b = c;
}

/* Particle by particle with probability min(1, exp((1/T_k - 1/T_{k+1}) (U_k - U_{k+1}))). */
static void exchange(
  const ladder *s, PetscInt64 k, const fare_stream stream[], uint64_t block, uint64_t sweep, block_ladder *l)
{
  const double       gap = 1 / temperature(s, k) - 1 / temperature(s, k + 1);
  const fare_chains *low = &l->at[k], *high = &l->at[k + 1];
  double             u[FARE_BLOCK] FARE_ALIGNED;

  fare_random_uniforms(stream[s->temperatures], block, sweep, draw_of(s, s->temperatures) + (uint32_t)k, u);
  l->counts[TRIED][k] += l->counted;
  for (int i = 0; i < FARE_BLOCK; i++) {
    if (!(log(u[i]) < gap * (low->U[i] - high->U[i]))) continue;
    swap(&low->U[i], &high->U[i]);
    for (int axis = 0; axis < s->energy->dim; axis++) {
      swap(&low->z[axis][i], &high->z[axis][i]);
      swap(&low->f[axis][i], &high->f[axis][i]);
    }
    l->counts[EXCHANGED][k] += i < l->counted;
  }
}

static void sweep_block(
  const ladder *s, const fare_stream stream[], uint64_t block, uint64_t sweep, block_ladder *l)
{
  for (PetscInt64 k = 0; k < s->temperatures; k++) {
    l->counts[MOVED][k] += fare_chains_local(
      s->energy, temperature(s, k), s->h[k], stream[k], block, sweep, draw_of(s, k), l->counted, &l->at[k]);
    fare_chains_wrap(s->energy, &l->at[k]);
  }
  for (PetscInt64 k = (PetscInt64)(sweep % 2); k + 1 < s->temperatures; k += 2)
    exchange(s, k, stream, block, sweep, l);
}

/* Takes everything through sweeps and adds to the counts of local steps that moved, over all ranks. */
static PetscErrorCode sweep_all(
  fare_sampler *sampler, int64_t sweeps, fare_ensemble *ensemble, int64_t moved[])
{
  ladder      *s = sampler->state;
  fare_stream  stream[TEMPERATURES_MOST + 1];
  block_ladder l;
  double      *U, *f[FARE_AXES_MAX];
  const size_t each = (size_t)s->temperatures * FARE_BLOCK;

  PetscFunctionBegin;
  name_streams(sampler, stream);
  PetscCall(PetscMalloc1(each, &U));
  for (int axis = 0; axis < ensemble->dim; axis++) PetscCall(PetscMalloc1(each, &f[axis]));
  memset(&l, 0, sizeof l);
  for (int64_t b = 0; b < ensemble->blocks; b++) {
    const fare_block block = fare_ensemble_block(ensemble, b);

    l.counted = block.counted;
    for (PetscInt64 k = 0; k < s->temperatures; k++) {
      l.at[k] = fare_chains_at(ensemble->dim, k, block.x, f, U);
      if (k) memcpy(l.at[k].z, fare_ensemble_block(s->replica[k], b).x, sizeof l.at[k].z);
      fare_chains_evaluate(s->energy, &l.at[k]);
    }
    for (int64_t i = 0; i < sweeps; i++) sweep_block(s, stream, block.number, s->sweep + (uint64_t)i, &l);
  }
  s->sweep += (uint64_t)sweeps;
  PetscCall(PetscFree(U));
  for (int axis = 0; axis < ensemble->dim; axis++) PetscCall(PetscFree(f[axis]));
  PetscCallMPI(
    MPI_Allreduce(MPI_IN_PLACE, l.counts, COUNTS * TEMPERATURES_MOST, MPI_INT64_T, MPI_SUM, ensemble->comm));
  for (PetscInt64 k = 0; k < s->temperatures; k++) {
    moved[k] += l.counts[MOVED][k];
    s->tried[k] += l.counts[TRIED][k];
    s->exchanged[k] += l.counts[EXCHANGED][k];
  }
  PetscFunctionReturn(0);
}

/* All replicas begin where their particle does. */
static PetscErrorCode begin(fare_sampler *sampler, double t, fare_ensemble *ensemble)
{
  ladder *s = sampler->state;

  PetscFunctionBegin;
  PetscCall(fare_sampler_draw_initial(sampler, t, ensemble));
  for (PetscInt64 k = 1; k < s->temperatures; k++) {
    PetscCall(fare_ensemble_create(ensemble->comm, ensemble->dim, ensemble->count, &s->replica[k]));
    PetscCall(fare_ensemble_copy(ensemble, s->replica[k]));
  }
  s->begun = PETSC_TRUE;
  PetscFunctionReturn(0);
}

static PetscErrorCode tune(fare_sampler *sampler, fare_ensemble *ensemble)
{
  ladder *s = sampler->state;

  PetscFunctionBegin;
  for (int64_t round = 0; round < s->adaptation; round++) {
    int64_t moved[TEMPERATURES_MOST] = {0};

    PetscCall(sweep_all(sampler, 1, ensemble, moved));
    for (PetscInt64 k = 0; k < s->temperatures; k++)
      s->h[k] = fare_chains_tune(s->h[k], moved[k], ensemble->count, round);
  }
  PetscFunctionReturn(0);
}

/* Acceptance of exchanges so far: once it is too low, and at the end of the schedule. */
static void report(const fare_sampler *sampler, double t)
{
  ladder *s     = sampler->state;
  double  least = 1, most = 0;

  for (PetscInt64 k = 0; k + 1 < s->temperatures; k++) {
    const double share = s->tried[k] ? (double)s->exchanged[k] / (double)s->tried[k] : 0;

    least = PetscMin(least, share);
    most  = PetscMax(most, share);
  }
  if (least < HEALTHY_LEAST && !s->warned) {
    fare_warn("%s: only %.1f%% of the exchanges between two temperatures are accepted (%.0f%% to %.0f%% is "
              "healthy); raise temperatures or lower highest",
      sampler->name, 100 * least, 100 * HEALTHY_LEAST, 100 * HEALTHY_MOST);
    s->warned = PETSC_TRUE;
  }
  if (t < sampler->schedule.end) return;
  fare_log("%s: %.1f%% to %.1f%% of the exchanges between neighbouring temperatures accepted%s",
    sampler->name, 100 * least, 100 * most, least > HEALTHY_MOST ? "; fewer temperatures would do" : "");
}

static PetscErrorCode advance(fare_sampler *sampler, double t, fare_ensemble *ensemble)
{
  ladder *s                        = sampler->state;
  int64_t moved[TEMPERATURES_MOST] = {0};

  PetscFunctionBegin;
  if (!s->begun) PetscCall(begin(sampler, t, ensemble));
  fare_energy_set_walls(s->energy, &sampler->walls);
  PetscCall(s->energy->move(s->energy, t));
  PetscCall(tune(sampler, ensemble));
  PetscCall(sweep_all(sampler, s->sweeps, ensemble, moved));
  sampler->cost.force_evaluations += ensemble->local * s->temperatures * (1 + 2 * s->adaptation + s->sweeps);
  report(sampler, t);
  PetscFunctionReturn(0);
}

static void estimate_cost(const fare_sampler *sampler, int64_t particles, fare_cost *cost)
{
  const ladder *s = sampler->state;

  cost->force_evaluations +=
    particles * s->temperatures * (1 + 2 * s->adaptation + s->sweeps) * sampler->schedule.count;
}

static const fare_kept kept[] = {
  FARE_KEEP(BOOLEAN, ladder, begun),
  FARE_KEEP(INTEGER, ladder, sweep),
  FARE_KEEP_WITH(REAL, ladder, h, .count = TEMPERATURES_MOST),
  FARE_KEEP_WITH(INTEGER, ladder, tried, .count = TEMPERATURES_MOST),
  FARE_KEEP_WITH(INTEGER, ladder, exchanged, .count = TEMPERATURES_MOST),
  FARE_KEEP_WITH(OBJECT, ladder, replica, .count = TEMPERATURES_MOST, .type = &fare_positions_kept),
  FARE_KEPT_END,
};

static PetscErrorCode loaded(fare_sampler *sampler)
{
  const ladder *s = sampler->state;

  PetscFunctionBegin;
  for (PetscInt64 k = 1; k < s->temperatures && s->begun; k++) {
    if (!s->replica[k] || s->replica[k]->dim != s->energy->dim)
      FARE_SAMPLER_FAIL(sampler, FARE_ERR_FAILED, "replica %lld is missing", (long long)k);
  }
  PetscFunctionReturn(0);
}

const fare_sampler_type fare_sampler_replica_exchange = {
  .name      = "replica_exchange",
  .summary   = "equilibrium of the potential frozen at each time, by replicas at a ladder of temperatures",
  .reference = "Swendsen and Wang, Phys. Rev. Lett. 57, 2607 (1986); Geyer (1991); Earl and Deem, Phys. "
               "Chem. Chem. Phys. 7, 3910 (2005)",
  .family    = FARE_EQUILIBRIUM,
  .walls     = FARE_WALLS_KEPT,
  .many_axes = PETSC_TRUE,
  .size      = sizeof(ladder),
  .fields    = fields,
  .needs_potential = PETSC_TRUE,
  .setup           = setup,
  .advance         = advance,
  .model_density   = fare_equilibrium_density,
  .estimate_cost   = estimate_cost,
  .kept            = kept,
  .loaded          = loaded,
  .destroy         = destroy,
};
