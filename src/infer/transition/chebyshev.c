/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Columns of exp(L t) by Chebyshev's polynomials of M = I + L/r, z = r t:

    exp(L t) = e^-z sum_k (2 - delta_k0) I_k(z) T_k(M)

  (Tal-Ezer and Kosloff, J. Chem. Phys. 81, 3967 (1984)). Some sqrt(70 z) products do what uniformization
  takes z for. But terms have both signs: there is an error that is the same for all cells, below which
  nothing is known of small probabilities. It is told. Derivatives follow by differentiating the recurrence.
*/
#include "transition.h"

#include <math.h>

#define SMALL 1e-16 /* of a term that is left out */
#define LARGE 1e-13 /* of an error that is not worth to have */
#define LOOK  8     /* terms from one look at their size to the next */
#define ROOM  64    /* terms that are there at least */
#define DEPTH 120.0 /* -ln of the first coefficient that is left out, twice: exp(-k^2/2z) */

PetscErrorCode fare_chebyshev_create(double events, fare_chebyshev *c)
{
  const int most = ROOM + (int)sqrt(DEPTH * events), begin = most + ROOM;
  double    above = 0, here = 1e-280, sum = 0;

  PetscFunctionBegin;
  c->terms = most;
  PetscCall(PetscMalloc1(begin + 1, &c->of));
  /* Miller: I_{k-1} = I_{k+1} + 2k/z I_k from far above, and e^z = I_0 + 2 sum I_k */
  for (int k = begin; k >= 0; k--) {
    const double below = above + 2 * (k + 1) / events * here;

    c->of[k] = below;
    sum += (k ? 2 : 1) * below;
    above = here;
    here  = below;
    if (below > 1e200) {
      for (int j = k; j <= begin; j++) c->of[j] *= 1e-200;
      sum *= 1e-200;
      above *= 1e-200;
      here *= 1e-200;
    }
  }
  for (int k = 0; k <= begin; k++) c->of[k] *= (k ? 2 : 1) / sum;
  PetscFunctionReturn(0);
}

PetscErrorCode fare_chebyshev_free(fare_chebyshev *c)
{
  PetscFunctionBegin;
  PetscCall(PetscFree(c->of));
  PetscFunctionReturn(0);
}

static double largest(const double x[], PetscInt n)
{
  double most = 0;

  for (PetscInt i = 0; i < n; i++) most = PetscMax(most, fabs(x[i]));
  return most;
}

double fare_lanes_chebyshev(const fare_model *m, const fare_chebyshev *c, int fields, fare_lanes *b)
{
  const PetscInt field = m->cells * FARE_LANES;
  double         left = 1, error = 0;

  for (PetscInt i = 0; i < fields * field; i++) {
    b->sum[i] = c->of[0] * b->x[i];
    b->y[i]   = 0;
  }
  for (int k = 1; k <= c->terms && left > SMALL && error < LARGE && !fare_stop_asked(); k++) {
    fare_lanes_step(m, fields, &(fare_term){k > 1 ? 2 : 1, k > 1 ? 1 : 0, c->of[k]}, b);
    if (k % LOOK && k < c->terms) continue;
    /* derivatives of T_k are k^2 times as large; rounding of a term stays in those behind it */
    left  = (double)k * k * c->of[k] * largest(b->x, field);
    error = PetscMax(error, PETSC_MACHINE_EPSILON * k * c->of[k] * largest(b->x, field));
  }
  fare_lanes_swap(&b->x, &b->sum);
  return left > SMALL ? HUGE_VAL : error;
}
