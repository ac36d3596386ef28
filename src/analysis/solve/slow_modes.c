/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The slowest modes again, where rates are so far below the fastest one of the grid that an eigensolver, which
  knows all to 1e-16 of that, cannot tell them from 0 or from each other. Inverse iteration

    y = (sigma - L)^-1 p,  lambda = p'p/p'y - sigma,

  with sigma a tenth of lambda: by elimination, which loses no digit however small sigma is, and so that
  little cancels in y, whose parts from p's two signs are at most lambda/sigma times as large. Orthogonality
  to what was found before, in the inner product sum_i p_i q_i/pi_i of detailed balance, keeps the modes
  apart. Without detailed balance that serves for one mode beside rest, whose left eigenvector is 1.
*/
#include "analysis/analysis.h"

#include <petscblaslapack.h>
#include <petscdmda.h>

#include <math.h>

#define SLOW      1e-10 /* of the fastest rate: slower ones are found again */
#define ROUNDS    100
#define CONVERGED 1e-12

typedef struct {
  fare_absorbing *faces;
  fare_spectrum  *spectrum;
  PetscInt        first, slow; /* first: 1 where mode 0 is rest; slow: how many are, that one included */
  Vec             rest, root;  /* masses at rest, and their square roots */
  Vec            *u;           /* p/root, orthonormal; without detailed balance p itself, L1 norm 1 */
} problem;

PetscErrorCode fare_spectrum_form(const fare_absorbing *faces, Vec u, Vec v, double *form)
{
  const fare_grid   *grid = faces->grid;
  const PetscScalar *a, *b;
  fare_ghosts        ghosts;
  Vec                here_u, here_v;

  PetscFunctionBegin;
  *form = 0;
  PetscCall(fare_ghosts_of(grid, &ghosts));
  PetscCall(fare_ghosts_get(grid, u, &here_u, &a));
  PetscCall(fare_ghosts_get(grid, v, &here_v, &b));
  for (PetscInt n = 0; n < faces->owned; n++) {
    PetscInt index[FARE_DIM_MAX], here;

    fare_cell_index(grid, n, index);
    here = fare_ghosts_at(&ghosts, index);
    for (int face = 0; face < 2 * grid->dim; face++) {
      const PetscInt at = n * 2 * grid->dim + face, there = here + ghosts.stride[face / 2];
      const double   out = sqrt(faces->leaving[at]), in = sqrt(faces->entering[at]);

      if (faces->column[at] < 0)
        *form += out * a[here] * out * b[here];
      else if (face % 2)
        *form += (out * a[here] - in * a[there]) * (out * b[here] - in * b[there]);
    }
  }
  PetscCall(fare_ghosts_restore(grid, &here_v, &b));
  PetscCall(fare_ghosts_restore(grid, &here_u, &a));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, form, 1, MPI_DOUBLE, MPI_SUM, grid->comm));
  PetscFunctionReturn(0);
}

static double fastest_rate(const fare_absorbing *faces)
{
  const int width = 2 * faces->grid->dim;
  double    most  = 0;

  for (PetscInt n = 0; n < faces->owned; n++) {
    double sum = 0;

    for (PetscInt at = n * width; at < (n + 1) * width; at++) sum += faces->leaving[at];
    most = PetscMax(most, sum);
  }
  MPI_Allreduce(MPI_IN_PLACE, &most, 1, MPI_DOUBLE, MPI_MAX, faces->grid->comm);
  return most;
}

/* Takes the modes before the k-th out of v, twice for the sake of rounding. */
static PetscErrorCode separate(const problem *s, PetscInt k, Vec v)
{
  PetscFunctionBegin;
  for (int round = 0; round < 2; round++) {
    for (PetscInt j = 0; j < k; j++) {
      PetscScalar part;

      if (s->spectrum->symmetric)
        PetscCall(VecDot(s->u[j], v, &part));
      else
        PetscCall(VecSum(v, &part));
      PetscCall(VecAXPY(v, -part, s->u[j]));
    }
  }
  PetscFunctionReturn(0);
}

static NormType norm_of(const problem *s)
{
  return s->spectrum->symmetric ? NORM_2 : NORM_1;
}

/* The modes that the eigensolver gave, made to fit each other: rest first, then orthonormal combinations by
 * the form that rounds least. */
static PetscErrorCode combine(problem *s)
{
  const PetscInt m = s->slow - s->first;
  double        *G, *w, work[3 * 64];
  PetscBLASInt   n, lead = 3 * 64, info;
  Vec           *old;

  PetscFunctionBegin;
  if (!m) PetscFunctionReturn(0);
  PetscCall(PetscMalloc2(m * m, &G, m, &w));
  PetscCall(VecDuplicateVecs(s->rest, m, &old));
  for (PetscInt k = 0; k < m; k++) {
    PetscCall(separate(s, s->first + k, s->u[s->first + k]));
    PetscCall(VecNormalize(s->u[s->first + k], NULL));
    PetscCall(VecCopy(s->u[s->first + k], old[k]));
  }
  for (PetscInt k = 0; k < m; k++) {
    for (PetscInt l = 0; l < m; l++) PetscCall(fare_spectrum_form(s->faces, old[k], old[l], &G[k * m + l]));
  }
  PetscCall(PetscBLASIntCast(m, &n));
  PetscCallBLAS("LAPACKsyev", LAPACKsyev_("V", "U", &n, G, &n, w, work, &lead, &info));
  if (info) FARE_FAIL(FARE_ERR_FAILED, "relaxation: the slowest modes cannot be separated");
  for (PetscInt k = 0; k < m; k++) {
    PetscCall(VecSet(s->u[s->first + k], 0));
    PetscCall(VecMAXPY(s->u[s->first + k], m, &G[k * m], old));
    s->spectrum->rate[s->first + k] = w[k];
  }
  PetscCall(VecDestroyVecs(m, &old));
  PetscCall(PetscFree2(G, w));
  PetscFunctionReturn(0);
}

/*
  y = (sigma - L)^-1 p, both divided by the roots where balance is detailed: PETSc's quotient is 0 where there
  is no mass at rest.
*/
static PetscErrorCode invert(const problem *s, fare_elimination *elimination, Vec p, Vec y)
{
  PetscFunctionBegin;
  if (s->spectrum->symmetric)
    PetscCall(VecPointwiseMult(y, p, s->root));
  else
    PetscCall(VecCopy(p, y));
  PetscCall(fare_elimination_solve(elimination, PETSC_TRUE, y));
  if (s->spectrum->symmetric) PetscCall(VecPointwiseDivide(y, y, s->root));
  PetscFunctionReturn(0);
}

static PetscErrorCode find_again(problem *s, PetscInt k)
{
  const double      least = 1e-290;
  double           *rate = &s->spectrum->rate[k], before = HUGE_VAL, sigma = 0;
  fare_elimination *elimination = NULL;
  Vec               p           = s->u[k], y;
  PetscScalar       product;
  PetscReal         norm;
  PetscBool         done = PETSC_FALSE;

  PetscFunctionBegin;
  PetscCall(VecDuplicate(p, &y));
  *rate = PetscMax(fabs(*rate), least);
  for (int round = 0; round < ROUNDS && !done; round++) {
    if (!(sigma < 0.5 * *rate && sigma > 1e-3 * *rate)) {
      sigma = PetscMax(least, *rate > 0 ? 0.1 * *rate : 1e-3 * sigma);
      PetscCall(fare_elimination_destroy(&elimination));
      PetscCall(fare_elimination_create(s->faces, sigma, PETSC_FALSE, &elimination));
    }
    PetscCall(invert(s, elimination, p, y));
    PetscCall(separate(s, k, y));
    PetscCall(VecNorm(y, norm_of(s), &norm));
    if (!(norm > 0) || !isfinite(norm))
      FARE_FAIL(FARE_ERR_FAILED, "relaxation: rate %d is too small for floating point", (int)k);
    if (s->spectrum->symmetric)
      PetscCall(VecDot(p, y, &product));
    else
      product = norm;
    before = *rate;
    *rate  = 1 / product - sigma;
    PetscCall(VecCopy(y, p));
    PetscCall(VecScale(p, 1 / norm));
    done = sigma < *rate && fabs(*rate - before) <= CONVERGED * *rate ? PETSC_TRUE : PETSC_FALSE;
  }
  PetscCall(fare_elimination_destroy(&elimination));
  PetscCall(VecDestroy(&y));
  if (!done)
    FARE_FAIL(FARE_ERR_FAILED,
      "relaxation: rate %d, of about %.1e, cannot be distinguished from those near it", (int)k, *rate);
  PetscFunctionReturn(0);
}

static PetscErrorCode find_all(problem *s)
{
  fare_spectrum *of = s->spectrum;

  PetscFunctionBegin;
  PetscCall(VecDuplicateVecs(s->rest, s->slow, &s->u));
  for (PetscInt k = 0; k < s->slow; k++) {
    if (of->symmetric)
      PetscCall(VecPointwiseDivide(s->u[k], of->mode[k], s->root));
    else
      PetscCall(VecCopy(of->mode[k], s->u[k]));
  }
  if (s->first) PetscCall(VecCopy(of->symmetric ? s->root : s->rest, s->u[0]));
  if (of->symmetric) PetscCall(combine(s));
  for (PetscInt k = s->first; k < s->slow; k++) {
    if (!of->symmetric) PetscCall(separate(s, k, s->u[k]));
    PetscCall(find_again(s, k));
  }
  for (PetscInt k = 0; k < s->slow; k++) {
    PetscReal size;

    if (of->symmetric)
      PetscCall(VecPointwiseMult(of->mode[k], s->u[k], s->root));
    else
      PetscCall(VecCopy(s->u[k], of->mode[k]));
    PetscCall(fare_norm_1(of->mode[k], &size));
    PetscCall(VecScale(of->mode[k], 1 / size));
    of->frequency[k] = 0;
  }
  PetscCall(VecDestroyVecs(s->slow, &s->u));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_spectrum_refine(fare_absorbing *faces, Vec rest, fare_spectrum *spectrum)
{
  const double fastest = fastest_rate(faces);
  problem      s       = {.faces = faces, .spectrum = spectrum, .rest = rest};

  PetscFunctionBegin;
  s.first = fare_grid_absorbs(faces->grid) ? 0 : 1;
  while (s.slow < spectrum->count &&
    (s.slow < s.first || hypot(spectrum->rate[s.slow], spectrum->frequency[s.slow]) < SLOW * fastest))
    s.slow++;
  if (s.first) spectrum->rate[0] = spectrum->frequency[0] = 0;
  if (s.slow == s.first && !s.first) PetscFunctionReturn(0);
  if (s.slow > s.first && !fare_elimination_serves(faces->grid)) {
    FARE_FAIL(FARE_ERR_FAILED,
      "relaxation: a barrier makes rate %d smaller than %.0e of the fastest on the grid, which the "
      "iterative solver cannot resolve: take fewer cells, or a larger kT",
      (int)s.first, SLOW);
  }
  if (s.slow > s.first + 1 && !spectrum->symmetric) {
    FARE_FAIL(FARE_ERR_FAILED,
      "relaxation: barriers make %d rates smaller than %.0e of the fastest on the grid; without "
      "detailed balance one can be resolved: ask for fewer rates, or take a larger kT",
      (int)(s.slow - s.first), SLOW);
  }
  PetscCall(VecDuplicate(rest, &s.root));
  PetscCall(VecCopy(rest, s.root));
  PetscCall(VecSqrtAbs(s.root));
  PetscCall(find_all(&s));
  PetscCall(VecDestroy(&s.root));
  PetscFunctionReturn(0);
}
