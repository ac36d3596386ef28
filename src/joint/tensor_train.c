/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Chains by tensor trains. Five of them evolve: the plain one, one of fewer terms, one of twice the step, one
  of three quarters of the cells and one of half of them. Sums of these make the density, extrapolated in
  cells, and three companions that differ from it by an estimated error each: of ranks, of time steps, of
  cells. The error bar is the L1 distance to each, by importance sampling over the truth's own draws: E |p_c/p
  - 1|.
*/
#include "train/train.h"

#include <cblas.h>
#include <math.h>

#define VERSIONS 4 /* sums: the density and its companions */
enum { MAIN, RANK, STEP, CELLS };
#define LOOKED  5 /* versions that draws are looked at of */
#define ITSELF  4 /* the plain density beside them */
#define EVOLVED 5 /* trains that evolve */
enum { PLAIN, FEWER, SLOWER, COARSER, COARSEST };
#define SUM_RANK   2   /* times the rank: limit of sums */
#define BLOCKS     8   /* of draws, for entropy and distances */
#define PAIRS_MOST 128 /* parts along an axis of a marginal of two: measures have no finer bins */

typedef struct {
  PetscInt64  cells, rank;
  double      step, tolerance, lower, upper;
  fare_train *evolved[EVOLVED];
  fare_train *train[VERSIONS];
  double     *packed; /* what evolves as numbers, for checkpoints */
  int64_t     length;
  PetscInt64  uncorrected; /* the companion of cells is the plain density */
} tensor_train;

static const fare_field fields[] = {
  {"cells", FARE_INTEGER, offsetof(tensor_train, cells), "32", FARE_CELLS_MIN, FARE_CELLS_MOST, NULL, "",
    "of each site"},
  {"rank", FARE_INTEGER, offsetof(tensor_train, rank), "12", 2, 256, NULL, "",
    "largest number of terms kept between neighbours"},
  {"step", FARE_REAL, offsetof(tensor_train, step), "0.05", 1e-6, 1e3, NULL, "", "longest time step"},
  {"tolerance", FARE_REAL, offsetof(tensor_train, tolerance), "0.01", 1e-9, 2, NULL, "",
    "largest L1 error by the limit of the rank before the truth is refused"},
  {"lower", FARE_REAL, offsetof(tensor_train, lower), "0", -1e6, 1e6, NULL, "",
    "lower end of the cells of a site; as `upper`: the unit's domain"},
  {"upper", FARE_REAL, offsetof(tensor_train, upper), "0", -1e6, 1e6, NULL, "", "their upper end"},
  FARE_FIELDS_END,
};

static PetscErrorCode check(const void *state, const fare_system *system, const fare_initial *initial)
{
  const tensor_train *s = state;

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

/* Numbers of a version that evolve, between a train and an array that has room; counts them where it is NULL.
 */
static int64_t transfer(fare_train *train, double *numbers, PetscBool load, PetscErrorCode *code)
{
  int64_t at = 0;

  for (int k = 0; k <= train->count; k++, at++) {
    if (numbers && load)
      train->bond[k] = (int)numbers[at];
    else if (numbers)
      numbers[at] = train->bond[k];
  }
  for (int k = 0; k < train->count; k++) {
    const int64_t size = (int64_t)train->bond[k] * train->sites.cells * train->bond[k + 1];

    if (numbers && load && !*code) *code = fare_train_resize(train, k, train->bond[k], train->bond[k + 1]);
    if (numbers && !*code)
      (void)PetscMemcpy(load ? train->core[k] : numbers + at, load ? numbers + at : train->core[k],
        (size_t)size * sizeof *numbers);
    at += size;
  }
  if (numbers && load) {
    train->centre    = (int)numbers[at];
    train->discarded = numbers[at + 1];
    train->rank      = (int)numbers[at + 2];
    train->full      = numbers[at + 3] > 0 ? PETSC_TRUE : PETSC_FALSE;
  } else if (numbers) {
    numbers[at]     = train->centre;
    numbers[at + 1] = train->discarded;
    numbers[at + 2] = train->rank;
    numbers[at + 3] = train->full;
  }
  return at + 4;
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
  fare_train    *train  = ((tensor_train *)joint->state)->evolved[version];
  int64_t        length = transfer(train, NULL, PETSC_FALSE, NULL);
  double        *numbers;
  PetscErrorCode code = 0;
  int            me, owner;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(joint->comm, &me));
  PetscCall(owner_of(joint, version, &owner));
  PetscCallMPI(MPI_Bcast(&length, 1, MPI_INT64_T, owner, joint->comm));
  PetscCall(PetscMalloc1(length, &numbers));
  if (me == owner) (void)transfer(train, numbers, PETSC_FALSE, &code);
  PetscCallMPI(MPI_Bcast(numbers, (int)length, MPI_DOUBLE, owner, joint->comm));
  if (me != owner) (void)transfer(train, numbers, PETSC_TRUE, &code);
  PetscCall(code);
  PetscCall(PetscFree(numbers));
  PetscCall(fare_train_sum(train));
  PetscFunctionReturn(0);
}

/* All that evolves as numbers: what is kept. */
static PetscErrorCode pack(tensor_train *s)
{
  PetscErrorCode code = 0;
  int64_t        at   = 0;

  PetscFunctionBegin;
  s->length = 0;
  for (int v = 0; v < EVOLVED; v++) s->length += transfer(s->evolved[v], NULL, PETSC_FALSE, NULL);
  PetscCall(PetscFree(s->packed));
  PetscCall(PetscMalloc1(s->length, &s->packed));
  for (int v = 0; v < EVOLVED && !code; v++)
    at += transfer(s->evolved[v], s->packed + at, PETSC_FALSE, &code);
  PetscFunctionReturn(code);
}

/* By how much the difference to fewer cells exceeds that to the limit, of second order. */
static double beyond_cells(const fare_train *fine, const fare_train *coarse)
{
  const double ratio = (double)fine->sites.cells / coarse->sites.cells;

  return 1 / (ratio * ratio - 1);
}

/*
  The versions, as sums of what evolves. Plain trains lack what Richardson's rule gives from two of them; the
  coarser two make the density of fewer cells. Of the doubled step a third of the difference counts.
*/
static PetscErrorCode combine(tensor_train *s)
{
  const double more                      = beyond_cells(s->evolved[PLAIN], s->evolved[COARSER]),
               again                     = beyond_cells(s->evolved[COARSER], s->evolved[COARSEST]);
  const double factor[VERSIONS][EVOLVED] = {
    [MAIN]  = {[PLAIN] = 1 + more, [COARSER] = -more},
    [RANK]  = {[PLAIN] = more, [FEWER] = 1, [COARSER] = -more},
    [STEP]  = {[PLAIN] = 2. / 3 + more, [SLOWER] = 1. / 3, [COARSER] = -more},
    [CELLS] = {[COARSER] = 1 + again, [COARSEST] = -again},
  };

  PetscFunctionBegin;
  for (int v = 0; v < VERSIONS; v++) {
    fare_train *of[EVOLVED];
    double      times[EVOLVED];
    int         count = 0;

    for (int i = 0; i < EVOLVED; i++) {
      if (factor[v][i] == 0) continue;
      of[count]      = s->evolved[i];
      times[count++] = factor[v][i];
    }
    PetscCall(fare_train_combine(count, of, times, s->train[v]));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode loaded(fare_joint *joint)
{
  tensor_train  *s    = joint->state;
  PetscErrorCode code = 0;
  int64_t        at   = 0;

  PetscFunctionBegin;
  for (int v = 0; v < EVOLVED && !code; v++) {
    at += transfer(s->evolved[v], s->packed + at, PETSC_TRUE, &code);
    if (!code) code = fare_train_sum(s->evolved[v]);
  }
  if (!code) code = combine(s);
  PetscFunctionReturn(code);
}

/* A version, or the plain train. */
static const fare_train *version_of(const tensor_train *s, int version)
{
  if (version == ITSELF || (version == CELLS && s->uncorrected)) return s->evolved[PLAIN];
  return s->train[version];
}

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

/*
  ln p of a version. Differences of trains may be small or negative where both are far off: nowhere does it
  lie below half of the plain density of that version.
*/
static PetscErrorCode log_density_of(
  const tensor_train *s, int version, int64_t n, const double *const x[], double to[], double log_sites[])
{
  const int plain[] = {[MAIN] = PLAIN, [RANK] = FEWER, [STEP] = PLAIN, [CELLS] = COARSER, [ITSELF] = PLAIN};
  double    least[FARE_BLOCK];

  PetscFunctionBegin;
  if (version == CELLS && s->uncorrected) version = ITSELF;
  PetscCall(fare_train_log_density(version_of(s, version), n, x, to, log_sites));
  for (int64_t first = 0; first < n; first += FARE_BLOCK) {
    const int64_t count = PetscMin(n - first, FARE_BLOCK);
    const double *from[FARE_AXES_MAX];

    for (int k = 0; k < s->evolved[PLAIN]->count; k++) from[k] = x[k] + first;
    PetscCall(fare_train_log_density(s->evolved[plain[version]], count, from, least, NULL));
    for (int64_t i = 0; i < count; i++) to[first + i] = PetscMax(to[first + i], least[i] - M_LN2);
  }
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
static PetscErrorCode look(const tensor_train *s, int dim, uint64_t block, looked *to)
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
      version_of(s, v), FARE_BLOCK, PETSC_FALSE, x, u, v == MAIN ? &to->clipped : &ignored));
    PetscCall(log_density_of(s, v, FARE_BLOCK, (const double *const *)x, log_p, other));
    for (int i = 0; i < FARE_BLOCK; i++) to->total[v][i] = isfinite(log_p[i]) ? log_p[i] - other[i] : 0;
  }
  for (int v = RANK; v < LOOKED; v++) {
    PetscCall(log_density_of(s, v, FARE_BLOCK, (const double *const *)x, other, NULL));
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
  const tensor_train *s      = joint->state;
  fare_joint_status  *status = &joint->status;
  double              all[BLOCKS * FARE_BLOCK], entropy[VERSIONS], from[VERSIONS], sd;

  PetscFunctionBegin;
  status->entropy_error = status->equilibrium_error = 0;
  for (int v = VERSIONS - 1; v >= 0; v--) {
    const fare_train *train = version_of(s, v);
    const int         w     = v == CELLS && s->uncorrected ? ITSELF : v;
    double            energy, log_z;

    for (int b = 0; b < BLOCKS; b++)
      PetscCall(PetscArraycpy(all + b * FARE_BLOCK, seen[b].total[w], FARE_BLOCK));
    PetscCall(entropy_of_sites(train, &entropy[v]));
    entropy[v] -= mean_of(BLOCKS * FARE_BLOCK, all, &sd);
    PetscCall(fare_train_energies(train, status->time, &energy, &log_z));
    from[v] = energy + log_z - entropy[v];
  }
  for (int v = RANK; v < VERSIONS; v++) {
    status->entropy_error += fabs(entropy[v] - entropy[MAIN]);
    status->equilibrium_error += fabs(from[v] - from[MAIN]);
  }
  status->entropy     = entropy[MAIN];
  status->equilibrium = from[MAIN];
  status->entropy_error += sd / sqrt(BLOCKS * FARE_BLOCK);
  status->equilibrium_error += sd / sqrt(BLOCKS * FARE_BLOCK);
  PetscFunctionReturn(0);
}

/* The error bar from distances to versions. Where fewer cells tell less than the correction itself, that
 * counts. */
static PetscErrorCode judge_distances(fare_joint *joint, const looked *seen)
{
  tensor_train      *s                = joint->state;
  fare_joint_status *status           = &joint->status;
  double             distance[LOOKED] = {0};

  PetscFunctionBegin;
  for (int b = 0; b < BLOCKS; b++) {
    status->clipped = PetscMax(status->clipped, seen[b].clipped);
    for (int v = RANK; v < LOOKED; v++)
      distance[v] += PetscMin(2, mean_of(FARE_BLOCK, seen[b].distance[v], NULL)) / BLOCKS;
  }
  s->uncorrected      = distance[ITSELF] < distance[CELLS];
  status->error_rank  = distance[RANK];
  status->error_time  = distance[STEP];
  status->error_space = PetscMin(distance[CELLS], distance[ITSELF]);
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

/* Fills in the status at time t. */
static PetscErrorCode judge(fare_joint *joint, double t)
{
  tensor_train      *s      = joint->state;
  fare_joint_status *status = &joint->status;
  const fare_train  *plain  = s->evolved[PLAIN];
  looked            *seen;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(BLOCKS, &seen));
  s->uncorrected = 0;
  PetscCall(look_at_all(joint, seen));
  status->time    = t;
  status->clipped = isnan(status->clipped) ? 0 : status->clipped;
  PetscCall(judge_distances(joint, seen));
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

static PetscErrorCode setup(fare_joint *joint)
{
  tensor_train           *s     = joint->state;
  const fare_system_type *unit  = fare_chain_unit(fare_chain_of(joint->system));
  const PetscBool         own   = s->lower < s->upper ? PETSC_TRUE : PETSC_FALSE;
  const double            lower = own ? s->lower : unit->lower[0], upper = own ? s->upper : unit->upper[0];

  PetscFunctionBegin;
  for (int v = 0; v < EVOLVED; v++) {
    const int64_t cells = v == COARSER ? 3 * s->cells / 4
      : v == COARSEST                  ? s->cells / 2
                                       : s->cells,
                  rank  = v == FEWER ? 2 * s->rank / 3 : s->rank;

    PetscCall(fare_train_create(joint->system, (int)cells, (int)PetscMax(rank, 1), s->step, lower, upper,
      joint->start, &s->evolved[v]));
    PetscCall(begin(s->evolved[v], joint->initial));
  }
  for (int v = 0; v < VERSIONS; v++) {
    PetscCall(fare_train_create(joint->system, (int)s->cells, (int)(SUM_RANK * s->rank), s->step, lower,
      upper, joint->start, &s->train[v]));
    s->train[v]->like = s->evolved[PLAIN];
  }
  PetscCall(combine(s));
  PetscCall(judge(joint, joint->start));
  PetscCall(pack(s));
  PetscFunctionReturn(0);
}

/* One version up to time t, in an even number of steps on every smooth stretch of the drive, or half of them.
 */
static PetscErrorCode evolve(fare_joint *joint, int version, double t)
{
  fare_train *train = ((tensor_train *)joint->state)->evolved[version];
  double      now   = joint->status.time;

  PetscFunctionBegin;
  while (now < t) {
    const double corner  = fare_system_next_corner(joint->system, now + 1e-12 * (fabs(now) + 1)),
                 end     = corner < t - 1e-12 * (fabs(t) + 1) ? corner : t,
                 longest = PetscMin(train->step, fare_system_longest_step(joint->system, now));
    const int pairs      = (int)PetscMax(1, ceil((end - now) / (2 * longest) - 1e-9));

    PetscCall(fare_train_advance(train, now, end - now, version == SLOWER ? pairs : 2 * pairs));
    now = end;
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode advance(fare_joint *joint, double t)
{
  tensor_train  *s    = joint->state;
  PetscErrorCode code = 0;
  int            me, owner;

  PetscFunctionBegin;
  if (!(t > joint->status.time)) PetscFunctionReturn(0);
  PetscCallMPI(MPI_Comm_rank(joint->comm, &me));
  for (int v = 0; v < EVOLVED && !code; v++) {
    PetscCall(owner_of(joint, v, &owner));
    if (owner == me) code = evolve(joint, v, t);
  }
  PetscCall(fare_error_agree(joint->comm, code));
  for (int v = 0; v < EVOLVED; v++) PetscCall(share(joint, v));
  PetscCall(combine(s));
  PetscCall(judge(joint, t));
  PetscCall(pack(s));
  PetscFunctionReturn(0);
}

static int versions(const fare_joint *joint)
{
  (void)joint;
  return VERSIONS;
}

static PetscErrorCode log_density(
  fare_joint *joint, int version, int64_t n, const double *const x[], double to[])
{
  return log_density_of(joint->state, version, n, x, to, NULL);
}

/* The gradient of log_density(): of the plain density where that is what counts. */
static PetscErrorCode score(fare_joint *joint, int64_t n, const double *const x[], double *const to[])
{
  const tensor_train *s = joint->state;
  double             *other, *of_plain[FARE_AXES_MAX], log_p[FARE_BLOCK], least[FARE_BLOCK];

  PetscFunctionBegin;
  PetscCall(fare_train_score(s->train[MAIN], n, x, to));
  PetscCall(PetscMalloc1(joint->dim * FARE_BLOCK, &other));
  for (int64_t first = 0; first < n; first += FARE_BLOCK) {
    const int64_t count = PetscMin(n - first, FARE_BLOCK);
    const double *from[FARE_AXES_MAX];
    PetscBool     some = PETSC_FALSE;

    for (int k = 0; k < joint->dim; k++) {
      from[k]     = x[k] + first;
      of_plain[k] = other + k * FARE_BLOCK;
    }
    PetscCall(fare_train_log_density(s->train[MAIN], count, from, log_p, NULL));
    PetscCall(fare_train_log_density(s->evolved[PLAIN], count, from, least, NULL));
    for (int64_t i = 0; i < count; i++) some = some || log_p[i] < least[i] - M_LN2 ? PETSC_TRUE : PETSC_FALSE;
    if (!some) continue;
    PetscCall(fare_train_score(s->evolved[PLAIN], count, from, of_plain));
    for (int64_t i = 0; i < count; i++) {
      for (int k = 0; k < joint->dim && log_p[i] < least[i] - M_LN2; k++) to[k][first + i] = of_plain[k][i];
    }
  }
  PetscCall(PetscFree(other));
  PetscFunctionReturn(0);
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
  PetscCall(fare_train_conditionals(version_of(joint->state, MAIN), FARE_BLOCK, PETSC_FALSE, x, u, &clipped));
  PetscCall(PetscFree(room));
  PetscFunctionReturn(0);
}

static PetscErrorCode rosenblatt(fare_joint *joint, int64_t n, const double *const x[], double *const u[])
{
  double  clipped = 0;
  double *points[FARE_AXES_MAX];

  PetscFunctionBegin;
  for (int k = 0; k < joint->dim; k++) points[k] = (double *)(uintptr_t)x[k]; /* only read */
  PetscCall(fare_train_conditionals(version_of(joint->state, MAIN), n, PETSC_TRUE, points, u, &clipped));
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
  const fare_train *train = version_of(joint->state, version);
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
  tensor_train *s = joint->state;

  PetscFunctionBegin;
  for (int v = 0; v < EVOLVED; v++) PetscCall(fare_train_destroy(&s->evolved[v]));
  for (int v = 0; v < VERSIONS; v++) PetscCall(fare_train_destroy(&s->train[v]));
  PetscCall(PetscFree(s->packed));
  PetscFunctionReturn(0);
}

static const fare_kept kept[] = {
  FARE_KEEP_WITH(REALS, tensor_train, packed, .length = offsetof(tensor_train, length)),
  FARE_KEEP(INTEGER, tensor_train, uncorrected),
  FARE_KEPT_END,
};

const fare_joint_type fare_joint_tensor_train = {
  .name        = "tensor_train",
  .summary     = "chains of sites with coupled neighbours, by time-evolving block decimation",
  .reference   = "Vidal, Phys. Rev. Lett. 91, 147902 (2003)",
  .size        = sizeof(tensor_train),
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
