/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Chains by tensor trains: versions.h says which. They evolve on different ranks where there are several.
*/
#include "train/versions.h"

#include <math.h>

#define SUM_RANK   2   /* times the rank: limit of sums */
#define PAIRS_MOST 128 /* parts along an axis of a marginal of two: measures have no finer bins */

static const fare_field fields[] = {
  {"cells", FARE_INTEGER, offsetof(fare_trains, cells), "32", FARE_CELLS_MIN, FARE_CELLS_MOST, NULL, "",
    "of each site"},
  {"rank", FARE_INTEGER, offsetof(fare_trains, rank), "12", 2, 256, NULL, "",
    "largest number of terms kept between neighbours"},
  {"step", FARE_REAL, offsetof(fare_trains, step), "0.05", 1e-15, 1e9, NULL, "", "longest time step"},
  {"tolerance", FARE_REAL, offsetof(fare_trains, tolerance), "0.01", 1e-9, 2, NULL, "",
    "largest L1 error by the limit of the rank before the truth is refused"},
  {"lower", FARE_REAL, offsetof(fare_trains, lower), "0", -1e6, 1e6, NULL, "",
    "lower end of the cells of a site; as `upper`: the unit's domain"},
  {"upper", FARE_REAL, offsetof(fare_trains, upper), "0", -1e6, 1e6, NULL, "", "their upper end"},
  FARE_FIELDS_END,
};

/* The ends of a site's cells: of the unit's domain unless others are given. */
static void find_ends(const fare_trains *s, const fare_system *system, double *lower, double *upper)
{
  const fare_system_type *unit = fare_chain_unit(fare_chain_of(system));
  const PetscBool         own  = s->lower < s->upper ? PETSC_TRUE : PETSC_FALSE;

  *lower = own ? s->lower : unit->lower[0];
  *upper = own ? s->upper : unit->upper[0];
}

static PetscErrorCode check(const void *state, const fare_system *system, const fare_initial *initial)
{
  const fare_trains *s = state;
  double             lower, upper;

  PetscFunctionBegin;
  if (!fare_chain_of(system))
    FARE_FAIL(FARE_ERR_INPUT,
      "kind: tensor_train is for system 'chain', not for '%s': see `fare list truths` for what takes it",
      fare_system_type_of(system)->name);
  if (!fare_initial_is_gaussian(initial) && initial->density != FARE_INITIAL_UNIFORM)
    FARE_FAIL(FARE_ERR_INPUT,
      "kind: tensor_train begins with a product over sites: initial: {density: gaussian, point, mixture or "
      "uniform}");
  if (initial->weights.count > (size_t)s->rank)
    FARE_FAIL(FARE_ERR_INPUT, "kind: tensor_train: a mixture of %zu components needs rank: %zu at least",
      initial->weights.count, initial->weights.count);
  if (s->lower > s->upper)
    FARE_FAIL(FARE_ERR_INPUT, "kind: tensor_train: lower (%g) lies above upper (%g)", s->lower, s->upper);
  find_ends(s, system, &lower, &upper);
  for (size_t i = 0; i < initial->mean.count; i++) {
    const double mean = initial->mean.values[i];

    if (!(mean > lower && mean < upper))
      FARE_FAIL(FARE_ERR_INPUT,
        "kind: tensor_train: a site would begin at %g, outside of its cells, [%g, %g]: set another mean, or "
        "lower and upper",
        mean, lower, upper);
  }
  PetscFunctionReturn(0);
}

/* The masses of one component on one site, of sum 1. */
static PetscErrorCode site_masses(
  const fare_train *train, const fare_initial *initial, int component, int site, double mass[])
{
  const fare_sites *s       = &train->sites;
  const size_t      at      = (size_t)(component * train->count + site);
  double            highest = -HUGE_VAL, sum = 0;

  PetscFunctionBegin;
  for (int i = 0; i < s->cells; i++) {
    const double z =
      initial->mean.count ? (s->centre[i] - initial->mean.values[at]) / initial->sd.values[at] : 0;

    mass[i] = -0.5 * z * z;
    highest = PetscMax(highest, mass[i]);
  }
  for (int i = 0; i < s->cells; i++) sum += mass[i] = exp(mass[i] - highest);
  for (int i = 0; i < s->cells; i++) mass[i] /= sum;
  PetscFunctionReturn(0);
}

static PetscErrorCode begin(fare_train *train, const fare_initial *initial)
{
  const int components = initial->weights.count ? (int)initial->weights.count : 1, n = train->sites.cells;
  double   *mass, sum                                                                = 0;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(components * train->count * n, &mass));
  for (int c = 0; c < components; c++) sum += initial->weights.count ? initial->weights.values[c] : 1;
  for (int c = 0; c < components; c++) {
    for (int k = 0; k < train->count; k++)
      PetscCall(site_masses(train, initial, c, k, mass + (c * train->count + k) * n));
    for (int i = 0; i < n; i++)
      mass[c * train->count * n + i] *= (initial->weights.count ? initial->weights.values[c] : 1) / sum;
  }
  PetscCall(fare_train_begin(train, components, mass));
  PetscCall(PetscFree(mass));
  PetscFunctionReturn(0);
}

/* Which rank evolves a version. */
static PetscErrorCode owner_of(const fare_joint *joint, int version, int *owner)
{
  int size;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(joint->comm, &size));
  *owner = version % size;
  PetscFunctionReturn(0);
}

/* A train goes from the rank that has evolved it to all. */
static PetscErrorCode share(fare_joint *joint, int version)
{
  fare_train    *train  = ((fare_trains *)joint->state)->evolved[version];
  int64_t        length = fare_trains_transfer(train, NULL, PETSC_FALSE, NULL);
  double        *numbers;
  PetscErrorCode code = 0;
  int            me, owner;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(joint->comm, &me));
  PetscCall(owner_of(joint, version, &owner));
  PetscCallMPI(MPI_Bcast(&length, 1, MPI_INT64_T, owner, joint->comm));
  PetscCall(PetscMalloc1(length, &numbers));
  if (me == owner) (void)fare_trains_transfer(train, numbers, PETSC_FALSE, &code);
  PetscCallMPI(MPI_Bcast(numbers, (int)length, MPI_DOUBLE, owner, joint->comm));
  if (me != owner) (void)fare_trains_transfer(train, numbers, PETSC_TRUE, &code);
  PetscCall(code);
  PetscCall(PetscFree(numbers));
  PetscCall(fare_train_sum(train));
  PetscFunctionReturn(0);
}

static PetscErrorCode loaded(fare_joint *joint)
{
  return fare_trains_unpack(joint->state);
}

static PetscErrorCode setup(fare_joint *joint)
{
  fare_trains *s = joint->state;
  double       lower, upper;

  PetscFunctionBegin;
  find_ends(s, joint->system, &lower, &upper);
  for (int v = 0; v < FARE_EVOLVED; v++) {
    const int64_t cells = v == FARE_COARSER ? 3 * s->cells / 4
      : v == FARE_COARSEST                  ? s->cells / 2
                                            : s->cells,
                  rank  = v == FARE_FEWER ? 2 * s->rank / 3 : s->rank;

    PetscCall(fare_train_create(joint->system, (int)cells, (int)PetscMax(rank, 1), s->step, lower, upper,
      joint->start, &s->evolved[v]));
    PetscCall(begin(s->evolved[v], joint->initial));
  }
  for (int v = 0; v < FARE_VERSIONS; v++) {
    PetscCall(fare_train_create(joint->system, (int)s->cells, (int)(SUM_RANK * s->rank), s->step, lower,
      upper, joint->start, &s->train[v]));
    s->train[v]->like = s->evolved[FARE_PLAIN];
  }
  PetscCall(fare_trains_combine(s));
  PetscCall(fare_trains_judge(joint, joint->start));
  PetscCall(fare_trains_pack(s));
  PetscFunctionReturn(0);
}

/* One version up to time t, in an even number of steps on every smooth stretch of the drive, or half of them.
 */
static PetscErrorCode evolve(fare_joint *joint, int version, double t)
{
  fare_train *train = ((fare_trains *)joint->state)->evolved[version];
  double      now   = joint->status.time;

  PetscFunctionBegin;
  while (now < t) {
    const double corner  = fare_system_next_corner(joint->system, now + 1e-12 * (fabs(now) + 1)),
                 end     = corner < t - 1e-12 * (fabs(t) + 1) ? corner : t,
                 longest = PetscMin(train->step, fare_system_longest_step(joint->system, now));
    const int pairs      = (int)PetscMax(1, ceil((end - now) / (2 * longest) - 1e-9));

    PetscCall(fare_train_advance(train, now, end - now, version == FARE_SLOWER ? pairs : 2 * pairs));
    now = end;
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode advance(fare_joint *joint, double t)
{
  fare_trains   *s    = joint->state;
  PetscErrorCode code = 0;
  int            me, owner;

  PetscFunctionBegin;
  if (!(t > joint->status.time)) PetscFunctionReturn(0);
  PetscCallMPI(MPI_Comm_rank(joint->comm, &me));
  for (int v = 0; v < FARE_EVOLVED && !code; v++) {
    PetscCall(owner_of(joint, v, &owner));
    if (owner == me) code = evolve(joint, v, t);
  }
  PetscCall(fare_error_agree(joint->comm, code));
  for (int v = 0; v < FARE_EVOLVED; v++) PetscCall(share(joint, v));
  PetscCall(fare_trains_combine(s));
  PetscCall(fare_trains_judge(joint, t));
  PetscCall(fare_trains_pack(s));
  PetscFunctionReturn(0);
}

static int versions(const fare_joint *joint)
{
  (void)joint;
  return FARE_VERSIONS;
}

static PetscErrorCode log_density(
  fare_joint *joint, int version, int64_t n, const double *const x[], double to[])
{
  return fare_trains_log_density(joint->state, version, n, x, to, NULL);
}

static PetscErrorCode score(fare_joint *joint, int64_t n, const double *const x[], double *const to[])
{
  return fare_trains_score(joint->state, n, x, to);
}

static PetscErrorCode draw(fare_joint *joint, fare_stream stream, uint64_t block, double *const x[])
{
  double *u[FARE_AXES_MAX], *room, clipped = 0;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(joint->dim * FARE_BLOCK, &room));
  for (int k = 0; k < joint->dim; k++) {
    u[k] = room + k * FARE_BLOCK;
    fare_random_uniforms(stream, block, (uint64_t)k, 0, u[k]);
  }
  PetscCall(fare_train_conditionals(
    fare_trains_version(joint->state, FARE_MAIN), FARE_BLOCK, PETSC_FALSE, x, u, &clipped));
  PetscCall(PetscFree(room));
  PetscFunctionReturn(0);
}

static PetscErrorCode rosenblatt(fare_joint *joint, int64_t n, const double *const x[], double *const u[])
{
  double  clipped = 0;
  double *points[FARE_AXES_MAX];

  PetscFunctionBegin;
  for (int k = 0; k < joint->dim; k++) points[k] = (double *)(uintptr_t)x[k]; /* only read */
  PetscCall(fare_train_conditionals(
    fare_trains_version(joint->state, FARE_MAIN), n, PETSC_TRUE, points, u, &clipped));
  PetscFunctionReturn(0);
}

/* Parts of a cell that a marginal has: of pairs no more than PAIRS_MOST along an axis. */
static int parts_of(int axes, int cells)
{
  int parts = FARE_PARTS;

  while (axes > 1 && parts > 1 && parts * cells > PAIRS_MOST) parts /= 2;
  return parts;
}

/* The first axis is the fastest of a grid, and the slowest of a train. */
static void join_parts(int axes, int cells, int parts, const double from[], double to[])
{
  const int all = FARE_PARTS * cells, few = parts * cells, each = FARE_PARTS / parts;
  double    sum = 0;

  for (int i = 0; i < (axes > 1 ? few * few : few); i++) to[i] = 0;
  for (int i = 0; i < (axes > 1 ? all * all : all); i++) {
    const double mass = PetscMax(from[i], 0);

    to[axes > 1 ? i % all / each * few + i / all / each : i / each] += mass;
    sum += mass;
  }
  for (int i = 0; i < (axes > 1 ? few * few : few); i++) to[i] /= sum;
}

static PetscErrorCode marginal(
  fare_joint *joint, int version, int axes, const int axis[], fare_grid **grid, Vec *masses)
{
  const fare_train *train = fare_trains_version(joint->state, version);
  const int         n = train->sites.cells, parts = parts_of(axes, n);
  const PetscInt    cells[] = {parts * n, parts * n};
  const double      lower[] = {train->sites.lower, train->sites.lower},
               end = train->sites.lower + train->sites.spacing * n, upper[] = {end, end};
  double      *values;
  PetscScalar *to;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(FARE_PARTS * n * (axes > 1 ? FARE_PARTS * n : 1), &values));
  PetscCall(fare_train_parts(train, axes, axis, values));
  PetscCall(fare_grid_create(PETSC_COMM_SELF, axes, cells, lower, upper, NULL, grid));
  PetscCall(DMCreateGlobalVector((*grid)->dm, masses));
  PetscCall(VecGetArrayWrite(*masses, &to));
  join_parts(axes, n, parts, values, to);
  PetscCall(VecRestoreArrayWrite(*masses, &to));
  PetscCall(PetscFree(values));
  PetscFunctionReturn(0);
}

/* A site. */
static PetscErrorCode block(fare_joint *joint, int version, int site, fare_grid **grid, Vec *masses)
{
  return marginal(joint, version, 1, &site, grid, masses);
}

static PetscErrorCode destroy(fare_joint *joint)
{
  fare_trains *s = joint->state;

  PetscFunctionBegin;
  for (int v = 0; v < FARE_EVOLVED; v++) PetscCall(fare_train_destroy(&s->evolved[v]));
  for (int v = 0; v < FARE_VERSIONS; v++) PetscCall(fare_train_destroy(&s->train[v]));
  PetscCall(PetscFree(s->packed));
  PetscFunctionReturn(0);
}

static const fare_kept kept[] = {
  FARE_KEEP_WITH(REALS, fare_trains, packed, .length = offsetof(fare_trains, length)),
  FARE_KEEP(INTEGER, fare_trains, uncorrected),
  FARE_KEPT_END,
};

const fare_joint_type fare_joint_tensor_train = {
  .name        = "tensor_train",
  .summary     = "chains of sites with coupled neighbours, by time-evolving block decimation",
  .reference   = "Vidal, Phys. Rev. Lett. 91, 147902 (2003)",
  .size        = sizeof(fare_trains),
  .fields      = fields,
  .check       = check,
  .setup       = setup,
  .advance     = advance,
  .versions    = versions,
  .log_density = log_density,
  .score       = score,
  .draw        = draw,
  .marginal    = marginal,
  .block       = block,
  .rosenblatt  = rosenblatt,
  .no_noise    = "take a truth of kind product, gaussian or mixture, or remove 'oracle'",
  .kept        = kept,
  .loaded      = loaded,
  .destroy     = destroy,
};
