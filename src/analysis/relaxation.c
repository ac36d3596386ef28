/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Relaxation rates and modes: eigenvalues of -L nearest to 0, by Krylov-Schur in shift-and-invert mode (SLEPc;
  Stewart, SIAM J. Matrix Anal. Appl. 23, 601 (2001)). Under detailed balance L is similar to the symmetric
  matrix of sqrt(r(i->j) r(j->i)), and each rate is found once more as a sum of squares over faces, sum
  (sqrt(r_ij) u_i - sqrt(r_ji) u_j)^2, in which nothing cancels. The slowest are found anew by slow_modes.c.
*/
#include "analysis.h"

#include <petscdmda.h>
#include <slepceps.h>

#include <math.h>
#include <stdlib.h>

/* One chain of cells has detailed balance whatever the force. */
static PetscBool is_symmetric(const fare_grid *grid, const fare_system *system)
{
  if (grid->dim == 1 && grid->boundary[0] != FARE_BOUNDARY_PERIODIC) return PETSC_TRUE;
  return fare_system_is_gradient(system);
}

static PetscErrorCode assemble(const fare_absorbing *faces, PetscBool symmetric, Mat *A)
{
  const int width = 2 * faces->grid->dim;
  PetscInt  first;

  PetscFunctionBegin;
  PetscCall(fare_absorbing_matrix(faces, A));
  PetscCall(MatZeroEntries(*A));
  PetscCall(MatGetOwnershipRange(*A, &first, NULL));
  for (PetscInt n = 0; n < faces->owned; n++) {
    double sum = 0;

    for (PetscInt at = n * width; at < (n + 1) * width; at++) {
      const double entry = symmetric ? sqrt(faces->leaving[at] * faces->entering[at]) : faces->entering[at];

      sum += faces->leaving[at];
      if (faces->column[at] >= 0)
        PetscCall(MatSetValue(*A, first + n, faces->column[at], -entry, ADD_VALUES));
    }
    PetscCall(MatSetValue(*A, first + n, first + n, sum, ADD_VALUES));
  }
  PetscCall(MatAssemblyBegin(*A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(*A, MAT_FINAL_ASSEMBLY));
  PetscFunctionReturn(0);
}

/* A shift below all rates and of the size of the slowest that diffusion across the box can have. */
static void choose_shift(const fare_grid *grid, const fare_system *system, double t, double *shift)
{
  double        middle[FARE_DIM_MAX], D[FARE_DIM_MAX];
  const double *x[FARE_DIM_MAX]  = {&middle[0], &middle[1], &middle[2]};
  double *const to[FARE_DIM_MAX] = {&D[0], &D[1], &D[2]};

  for (int axis = 0; axis < grid->dim; axis++) middle[axis] = 0.5 * (grid->lower[axis] + grid->upper[axis]);
  fare_system_diffusion(system, t, 1, x, to);
  *shift = 0;
  for (int axis = 0; axis < grid->dim; axis++)
    *shift = PetscMax(*shift, D[axis] / PetscSqr(grid->upper[axis] - grid->lower[axis]));
  *shift = *shift > 0 ? -*shift : -1;
}

static PetscErrorCode solve(const fare_grid *grid, const fare_system *system, double t, Mat A,
  PetscBool symmetric, PetscInt count, EPS *eps)
{
  PetscBool factored;
  PetscInt  converged;
  double    shift;
  ST        st;
  KSP       ksp;
  PC        pc;

  PetscFunctionBegin;
  choose_shift(grid, system, t, &shift);
  PetscCall(EPSCreate(grid->comm, eps));
  PetscCall(EPSSetOperators(*eps, A, NULL));
  PetscCall(EPSSetProblemType(*eps, symmetric ? EPS_HEP : EPS_NHEP));
  PetscCall(EPSSetDimensions(*eps, count, PETSC_DEFAULT, PETSC_DEFAULT));
  PetscCall(EPSSetWhichEigenpairs(*eps, EPS_TARGET_MAGNITUDE));
  PetscCall(EPSSetTarget(*eps, shift));
  PetscCall(EPSSetTolerances(*eps, 1e-12, 2000));
  PetscCall(EPSGetST(*eps, &st));
  PetscCall(STSetType(st, STSINVERT));
  PetscCall(STGetKSP(st, &ksp));
  PetscCall(fare_linear_solver_choose(grid, ksp));
  PetscCall(KSPGetPC(ksp, &pc));
  PetscCall(PetscObjectTypeCompareAny((PetscObject)pc, &factored, PCLU, PCREDUNDANT, ""));
  if (factored) PetscCall(KSPSetType(ksp, KSPPREONLY));
  PetscCall(KSPSetTolerances(ksp, 1e-13, 1e-300, PETSC_DEFAULT, 500));
  PetscCall(EPSSetOptionsPrefix(*eps, "analysis_"));
  PetscCall(EPSSetFromOptions(*eps));
  PetscCall(EPSSolve(*eps));
  PetscCall(EPSGetConverged(*eps, &converged));
  if (converged < count)
    FARE_FAIL(FARE_ERR_FAILED, "relaxation: only %d of %d rates converged", (int)converged, (int)count);
  PetscFunctionReturn(0);
}

typedef struct {
  double   rate, frequency;
  PetscInt from; /* place in the order of the solver */
} eigenvalue;

static int by_rate(const void *a, const void *b)
{
  const eigenvalue *p = a, *q = b;

  if (p->rate != q->rate) return p->rate < q->rate ? -1 : 1;
  return (p->frequency < q->frequency) - (p->frequency > q->frequency);
}

/* What L would keep at rest if its ends were closed. New vector. */
static PetscErrorCode masses_at_rest(
  fare_absorbing *faces, const fare_system *system, double t, EPS eps, PetscBool symmetric, Vec *rest)
{
  fare_elimination *elimination = NULL;
  PetscErrorCode    code        = FARE_ERR_FAILED;
  PetscReal         sum;

  PetscFunctionBegin;
  PetscCall(DMCreateGlobalVector(faces->grid->dm, rest));
  /* along one axis it always can, and a force that is no gradient is symmetric there alone */
  if (faces->grid->dim == 1 || fare_elimination_serves(faces->grid))
    code = fare_elimination_create(faces, 0, PETSC_TRUE, &elimination);
  if (!code) code = fare_elimination_stationary(elimination, *rest);
  PetscCall(fare_elimination_destroy(&elimination));
  if (!code) PetscFunctionReturn(0);
  if (code != FARE_ERR_FAILED) PetscFunctionReturn(code);
  if (fare_system_is_gradient(system)) {
    PetscCall(VecDestroy(rest));
    PetscCall(fare_grid_boltzmann(faces->grid, system, t, rest));
  } else {
    PetscCall(EPSGetEigenvector(eps, 0, *rest, NULL));
    if (symmetric)
      PetscCall(VecPointwiseMult(*rest, *rest, *rest));
    else
      PetscCall(VecAbs(*rest));
    PetscCall(fare_norm_1(*rest, &sum));
    PetscCall(VecScale(*rest, 1 / sum));
  }
  PetscFunctionReturn(0);
}

/* Right eigenvectors of L, of L1 norm 1: those of S times the square root of the masses at rest. */
static PetscErrorCode finish_mode(Vec mode, Vec root)
{
  PetscReal size;

  PetscFunctionBegin;
  if (root) PetscCall(VecPointwiseMult(mode, mode, root));
  PetscCall(fare_norm_1(mode, &size));
  if (size > 0) PetscCall(VecScale(mode, 1 / size));
  PetscFunctionReturn(0);
}

static PetscErrorCode gather(
  const fare_grid *grid, const fare_absorbing *faces, EPS eps, Vec root, eigenvalue *value, fare_spectrum *s)
{
  PetscReal norm;
  Vec       unused;

  PetscFunctionBegin;
  PetscCall(DMCreateGlobalVector(grid->dm, &unused));
  PetscCall(PetscMalloc3(s->count, &s->rate, s->count, &s->frequency, s->count, &s->mode));
  for (PetscInt k = 0; k < s->count && s->symmetric; k++) {
    PetscCall(EPSGetEigenvector(eps, value[k].from, unused, NULL));
    PetscCall(fare_spectrum_form(faces, unused, unused, &value[k].rate));
    PetscCall(VecNorm(unused, NORM_2, &norm));
    value[k].rate /= norm * norm;
  }
  qsort(value, (size_t)s->count, sizeof *value, by_rate);
  for (PetscInt k = 0; k < s->count; k++) {
    s->rate[k]      = value[k].rate;
    s->frequency[k] = value[k].frequency;
    PetscCall(VecDuplicate(unused, &s->mode[k]));
    if (value[k].frequency < 0)
      PetscCall(EPSGetEigenvector(eps, value[k].from, unused, s->mode[k]));
    else
      PetscCall(EPSGetEigenvector(eps, value[k].from, s->mode[k], unused));
    PetscCall(finish_mode(s->mode[k], root));
  }
  PetscCall(VecDestroy(&unused));
  PetscFunctionReturn(0);
}

static PetscErrorCode finish(fare_absorbing *faces, const fare_system *system, double t, EPS eps,
  eigenvalue *value, fare_spectrum *spectrum)
{
  Vec rest, root = NULL;

  PetscFunctionBegin;
  PetscCall(masses_at_rest(faces, system, t, eps, spectrum->symmetric, &rest));
  if (spectrum->symmetric) {
    PetscCall(VecDuplicate(rest, &root));
    PetscCall(VecCopy(rest, root));
    PetscCall(VecSqrtAbs(root));
  }
  PetscCall(gather(faces->grid, faces, eps, root, value, spectrum));
  PetscCall(fare_spectrum_refine(faces, rest, spectrum));
  PetscCall(VecDestroy(&root));
  PetscCall(VecDestroy(&rest));
  PetscFunctionReturn(0);
}

/* In the order of the solver; one more where that would cut a pair. */
static PetscErrorCode get_eigenvalues(EPS eps, PetscInt count, eigenvalue *value, fare_spectrum *spectrum)
{
  PetscFunctionBegin;
  for (PetscInt k = 0; k < count; k++) {
    value[k].from = k;
    PetscCall(EPSGetEigenvalue(eps, k, &value[k].rate, &value[k].frequency));
  }
  spectrum->count = count;
  /* pairs stand together, the positive imaginary part first */
  if (value[count - 1].frequency > 0) {
    value[count] = (eigenvalue){value[count - 1].rate, -value[count - 1].frequency, count};
    spectrum->count++;
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_spectrum_solve(
  const fare_grid *grid, const fare_system *system, double t, PetscInt count, fare_spectrum *spectrum)
{
  fare_absorbing *faces;
  eigenvalue     *value;
  Mat             A;
  EPS             eps;

  PetscFunctionBegin;
  PetscCall(fare_slepc_begin());
  spectrum->symmetric = is_symmetric(grid, system);
  PetscCall(fare_absorbing_create(grid, system, t, 0, NULL, &faces));
  PetscCall(assemble(faces, spectrum->symmetric, &A));
  PetscCall(solve(grid, system, t, A, spectrum->symmetric, count, &eps));
  PetscCall(PetscMalloc1(count + 1, &value));
  PetscCall(get_eigenvalues(eps, count, value, spectrum));
  PetscCall(finish(faces, system, t, eps, value, spectrum));
  PetscCall(PetscFree(value));
  PetscCall(EPSDestroy(&eps));
  PetscCall(MatDestroy(&A));
  PetscCall(fare_absorbing_destroy(&faces));
  PetscFunctionReturn(0);
}

/* A rate that is no more than rounding of the fastest is not told; rest is known to be 0. */
static PetscErrorCode check_slowest(const fare_grid *grid, Mat A, fare_spectrum *spectrum)
{
  const double   least = 1e-11;
  const PetscInt first = fare_grid_absorbs(grid) ? 0 : 1;
  PetscReal      fastest;

  PetscFunctionBegin;
  PetscCall(MatNorm(A, NORM_INFINITY, &fastest));
  if (first) spectrum->rate[0] = spectrum->frequency[0] = 0;
  if (spectrum->count > first &&
    !(hypot(spectrum->rate[first], spectrum->frequency[first]) > least * fastest))
    FARE_FAIL(FARE_ERR_FAILED,
      "relaxation: a barrier makes rate %d smaller than %.0e of the fastest on the grid, which the scheme "
      "high_order cannot resolve: take truth.scheme: fitted, fewer cells, or a larger kT",
      (int)first, least);
  PetscFunctionReturn(0);
}

/*
  At ends that absorb, densities leap where drift alone comes in, which the forward operator meets with first
  order. The backward one, of the same rates, does better: see backward.c.
*/
static PetscErrorCode find_rates_backward(
  const fare_grid *grid, const fare_system *system, double t, eigenvalue *value, fare_spectrum *spectrum)
{
  fare_spectrum  other = {0};
  fare_backward *backward;
  EPS            eps;

  PetscFunctionBegin;
  PetscCall(fare_backward_create(grid, system, t, 0, NULL, &backward));
  PetscCall(solve(grid, system, t, fare_backward_matrix(backward), PETSC_FALSE, spectrum->count, &eps));
  PetscCall(get_eigenvalues(eps, spectrum->count, value, &other));
  qsort(value, (size_t)spectrum->count, sizeof *value, by_rate);
  for (PetscInt k = 0; k < spectrum->count; k++) {
    spectrum->rate[k]      = value[k].rate;
    spectrum->frequency[k] = value[k].frequency;
  }
  PetscCall(EPSDestroy(&eps));
  PetscCall(fare_backward_destroy(&backward));
  PetscFunctionReturn(0);
}

/* The same of the operator of high order, which has no detailed balance. */
static PetscErrorCode solve_high_order(
  const fare_grid *grid, const fare_system *system, double t, PetscInt count, fare_spectrum *spectrum)
{
  eigenvalue *value;
  Mat         A;
  EPS         eps;

  PetscFunctionBegin;
  PetscCall(fare_slepc_begin());
  spectrum->symmetric = PETSC_FALSE;
  PetscCall(fare_high_order_matrix(grid, system, t, &A));
  PetscCall(MatScale(A, -1));
  PetscCall(solve(grid, system, t, A, PETSC_FALSE, count, &eps));
  PetscCall(PetscMalloc1(count + 2, &value));
  PetscCall(get_eigenvalues(eps, count, value, spectrum));
  PetscCall(gather(grid, NULL, eps, NULL, value, spectrum));
  for (PetscInt k = 0; k < spectrum->count; k++) {
    PetscCall(fare_high_order_masses(grid, spectrum->mode[k]));
    PetscCall(finish_mode(spectrum->mode[k], NULL));
  }
  if (fare_grid_absorbs(grid)) PetscCall(find_rates_backward(grid, system, t, value, spectrum));
  PetscCall(check_slowest(grid, A, spectrum));
  PetscCall(PetscFree(value));
  PetscCall(EPSDestroy(&eps));
  PetscCall(MatDestroy(&A));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_spectrum_free(fare_spectrum *spectrum)
{
  PetscFunctionBegin;
  for (PetscInt k = 0; k < spectrum->count; k++) PetscCall(VecDestroy(&spectrum->mode[k]));
  PetscCall(PetscFree3(spectrum->rate, spectrum->frequency, spectrum->mode));
  spectrum->count = 0;
  PetscFunctionReturn(0);
}

typedef struct {
  PetscInt64 count;
  PetscBool  modes;
} relaxation;

static const fare_field fields[] = {
  {"count", FARE_INTEGER, offsetof(relaxation, count), "6", 1, 32, NULL, "",
    "number of rates, slowest first; one more where that would split a complex pair"},
  {"modes", FARE_BOOLEAN, offsetof(relaxation, modes), "false", 0, 0, NULL, "",
    "also record the modes on the grid"},
  FARE_FIELDS_END,
};

static PetscErrorCode check(
  void *state, const fare_node *node, const fare_analysis_context *context, double time)
{
  const relaxation *s     = state;
  double            cells = 1;

  PetscFunctionBegin;
  (void)time;
  for (int axis = 0; axis < context->dim; axis++) cells *= (double)context->cells[axis];
  if (4 * (double)(s->count + 2) > cells)
    FARE_REFUSE(
      fare_node_find(node, "count"), "%lld rates are too many for %g cells", (long long)s->count, cells);
  PetscFunctionReturn(0);
}

/* Brings the coarse grid's eigenvalues into the order of the fine one's: each next to the nearest. */
static void match(const fare_spectrum *s, const fare_findings *like, double rate[], double frequency[])
{
  const fare_finding *rates       = fare_findings_find(like, "rate"),
                     *frequencies = fare_findings_find(like, "frequency");
  PetscBool taken[64]             = {PETSC_FALSE};

  for (size_t k = 0; k < rates->extent[0]; k++) {
    PetscInt best     = -1;
    double   distance = HUGE_VAL;

    for (PetscInt i = 0; i < s->count; i++) {
      const double apart = hypot(s->rate[i] - rates->value[k], s->frequency[i] - frequencies->value[k]);

      if (taken[i] || apart >= distance) continue;
      best     = i;
      distance = apart;
    }
    taken[best]  = PETSC_TRUE;
    rate[k]      = s->rate[best];
    frequency[k] = s->frequency[best];
  }
}

typedef PetscErrorCode (*spectrum_function)(
  const fare_grid *grid, const fare_system *system, double t, PetscInt count, fare_spectrum *spectrum);

static PetscErrorCode run_by(spectrum_function find, const relaxation *s, const fare_grid *grid,
  const fare_system *system, double time, const fare_findings *like, fare_findings *found)
{
  double        matched[2][64];
  const double *rate = matched[0], *frequency = matched[1];
  fare_spectrum spectrum;
  size_t        count;

  PetscFunctionBegin;
  PetscCall(find(grid, system, time, (PetscInt)s->count + (like ? 2 : 0), &spectrum));
  count = like ? fare_findings_find(like, "rate")->extent[0] : (size_t)spectrum.count;
  if (like) {
    match(&spectrum, like, matched[0], matched[1]);
  } else {
    rate      = spectrum.rate;
    frequency = spectrum.frequency;
  }
  fare_found(found, "rate", "decay rates of the modes", count, rate);
  fare_found(found, "frequency", "their angular frequencies", count, frequency);
  for (PetscInt k = 0; k < spectrum.count && s->modes && !like; k++) {
    char name[48];

    snprintf(name, sizeof name, "mode_%d", (int)k);
    PetscCall(PetscObjectReference((PetscObject)spectrum.mode[k]));
    fare_found_mesh(found, name, "density of a mode, of L1 norm 1", FARE_MESH_MASSES, spectrum.mode[k]);
  }
  PetscCall(fare_spectrum_free(&spectrum));
  PetscFunctionReturn(0);
}

static PetscErrorCode run(const void *state, const fare_grid *grid, const fare_system *system, double time,
  const fare_findings *like, fare_findings *found)
{
  PetscFunctionBegin;
  PetscCall(run_by(fare_spectrum_solve, state, grid, system, time, like, found));
  PetscFunctionReturn(0);
}

static PetscErrorCode run_high_order(const void *state, const fare_grid *grid, const fare_system *system,
  double time, const fare_findings *like, fare_findings *found)
{
  PetscFunctionBegin;
  found->leaps = fare_grid_absorbs(grid);
  PetscCall(run_by(solve_high_order, state, grid, system, time, like, found));
  PetscFunctionReturn(0);
}

const fare_analysis_type fare_analysis_relaxation = {
  .name    = "relaxation",
  .summary = "slowest decay rates and modes of the density",
  .reference =
    "eigenvalues of -L by SLEPc (Hernandez, Roman and Vidal, ACM Trans. Math. Softw. 31, 351 (2005))",
  .size           = sizeof(relaxation),
  .fields         = fields,
  .check          = check,
  .run            = run,
  .run_high_order = run_high_order,
};
