/* Mean first-passage times: L^T tau = -1 outside the target, tau = 0 in it (Gardiner, Handbook of Stochastic Methods, ch. 5). */
#include "analysis.h"

#include <math.h>

PetscErrorCode fare_passage_solve(const fare_grid *grid, const fare_system *system, double t, const fare_region *target, Vec *times, fare_solved *solved)
{
  const fare_region *targets[] = {target};
  const double       zero      = 0;
  fare_killed       *killed;

  PetscFunctionBeginUser;
  PetscCall(fare_killed_create(grid, system, t, 1, targets, &killed));
  PetscCall(fare_killed_solve(killed, 1, &zero, "passage times", times, solved));
  PetscCall(fare_killed_destroy(&killed));
  PetscFunctionReturn(0);
}

typedef enum { BY_STATIONARY, BY_BOLTZMANN, BY_UNIFORM } weight_kind;
static const char *const weights[] = {"stationary", "boltzmann", "uniform", NULL};

typedef struct {
  const fare_node *target, *leave, *from, *points;
  int              weight; /* a weight_kind */
  PetscBool        meshes;
  fare_region      absorbing, begin; /* begin: none where from is absent */
  fare_points      at;
} passage;

#define AT(member) offsetof(passage, member)
static const fare_field fields[] = {
  {"target", FARE_NODE, AT(target), "", 0, 0, NULL, "", "the set to reach: a box {lower: [...], upper: [...]} or a list of such"},
  {"leave", FARE_NODE, AT(leave), "", 0, 0, NULL, "", "instead of a target: the set to get out of"},
  {"from", FARE_NODE, AT(from), "", 0, 0, NULL, "", "set over which the mean time is taken; what is left, unless given"},
  {"weight", FARE_CHOICE, AT(weight), "stationary", 0, 0, weights, "", "density in that set by which it is weighted"},
  {"points", FARE_NODE, AT(points), "", 0, 0, NULL, "", "list of points from which to give the time"},
  {"meshes", FARE_BOOLEAN, AT(meshes), "true", 0, 0, NULL, "", "also keep the times on the grid"},
  FARE_FIELDS_END,
};

static PetscErrorCode check(void *state, const fare_node *node, const fare_analysis_context *context, double time)
{
  passage *s = state;

  PetscFunctionBeginUser;
  (void)time;
  if (!s->target == !s->leave) PetscCall(fare_node_error(node, "expected one of 'target' and 'leave', got %s", s->target ? "both" : "neither"));
  PetscCall(fare_region_read(s->target ? s->target : s->leave, context, &s->absorbing));
  if (s->leave) s->absorbing.outside = PETSC_TRUE;
  if (s->from || s->leave) PetscCall(fare_region_read(s->from ? s->from : s->leave, context, &s->begin));
  if (s->weight == BY_BOLTZMANN && !fare_system_has_potential(context->system)) PetscCall(fare_node_error(fare_node_find(node, "weight"), "the system has no potential"));
  PetscCall(fare_points_read(s->points, context, &s->at));
  PetscFunctionReturn(0);
}

static PetscErrorCode weigh(const passage *s, const fare_grid *grid, const fare_system *system, double t, Vec *masses)
{
  const fare_initial uniform = {.density = FARE_INITIAL_UNIFORM};
  fare_solved        solved;

  PetscFunctionBeginUser;
  switch ((weight_kind)s->weight) {
  case BY_STATIONARY: PetscCall(fare_stationary_solve(grid, system, t, masses, &solved)); break;
  case BY_BOLTZMANN: PetscCall(fare_grid_boltzmann(grid, system, t, masses)); break;
  case BY_UNIFORM: PetscCall(fare_grid_initial(grid, &uniform, system, t, masses)); break;
  }
  PetscFunctionReturn(0);
}

/* The mean over a set; cells that lie in it by a part count by that part. */
static PetscErrorCode mean_over(const fare_region *set, const fare_grid *grid, Vec weight, Vec values, double *mean)
{
  const PetscScalar *w, *value;
  double             sum[2] = {0, 0};

  PetscFunctionBeginUser;
  PetscCall(VecGetArrayRead(weight, &w));
  PetscCall(VecGetArrayRead(values, &value));
  for (PetscInt n = 0; n < fare_grid_owned(grid); n++) {
    PetscInt index[FARE_DIM_MAX];
    double   share;

    fare_cell_index(grid, n, index);
    share = fare_region_share(set, grid, index) * w[n];
    sum[0] += share * value[n];
    sum[1] += share;
  }
  PetscCall(VecRestoreArrayRead(weight, &w));
  PetscCall(VecRestoreArrayRead(values, &value));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, sum, 2, MPI_DOUBLE, MPI_SUM, grid->comm));
  if (!(sum[1] > 0)) FARE_FAIL(FARE_ERR_FAILED, "passage: the set that it begins from has no mass");
  *mean = sum[0] / sum[1];
  PetscFunctionReturn(0);
}

static PetscErrorCode run(const void *state, const fare_grid *grid, const fare_system *system, double time, const fare_findings *like, fare_findings *found)
{
  const passage *s = state;
  double        *at, mean, rate;
  fare_solved    solved;
  Vec            times, weight;

  PetscFunctionBeginUser;
  (void)like;
  PetscCall(fare_passage_solve(grid, system, time, &s->absorbing, &times, &solved));
  if (s->begin.boxes) {
    PetscCall(weigh(s, grid, system, time, &weight));
    PetscCall(mean_over(&s->begin, grid, weight, times, &mean));
    PetscCall(VecDestroy(&weight));
    rate = 1 / mean;
    PetscCall(fare_found(found, "mean", "mean time from the set", 1, &mean));
    PetscCall(fare_found(found, "rate", "its inverse", 1, &rate));
  }
  PetscCall(PetscMalloc1(s->at.count + 1, &at));
  PetscCall(fare_grid_interpolate(grid, times, s->at.count, s->at.x, at));
  for (size_t i = 0; i < s->at.count; i++) at[i] = fare_region_has(&s->absorbing, s->at.x + i * (size_t)grid->dim) ? 0 : at[i];
  PetscCall(fare_found(found, "time", "mean time from the points", s->at.count, at));
  PetscCall(fare_found_exact(found, "points", "where `time` is given", s->at.count, (size_t)grid->dim, s->at.x));
  PetscCall(PetscFree(at));
  PetscCall(fare_found_exact(found, "residual", "of the equation, relative to its terms", 1, 1, &solved.residual));
  if (s->meshes) PetscCall(fare_found_mesh(found, "passage_time", "mean first-passage time from the centre of each cell", FARE_MESH_VALUES, times));
  else PetscCall(VecDestroy(&times));
  PetscFunctionReturn(0);
}

static PetscErrorCode destroy(void *state)
{
  passage *s = state;

  PetscFunctionBeginUser;
  PetscCall(fare_region_free(&s->absorbing));
  PetscCall(fare_region_free(&s->begin));
  PetscCall(fare_points_free(&s->at));
  PetscFunctionReturn(0);
}

const fare_analysis_type fare_analysis_passage = {
  .name      = "passage",
  .summary   = "mean time until a set is reached or left, from points and from a set",
  .reference = "Gardiner, Handbook of Stochastic Methods (Springer), chapter 5",
  .size      = sizeof(passage),
  .fields    = fields,
  .check     = check,
  .run       = run,
  .destroy   = destroy,
};
