/* SPDX-License-Identifier: BSD-2-Clause */
#include "ode.h"

#include <string.h>

const fare_ode_scheme fare_ode_euler = {1, {0}, {0}, {1}},
                      fare_ode_heun  = {2, {0, 1}, {0, 1}, {1. / 2, 1. / 2}},
                      fare_ode_rk4   = {
                          4, {0, 0.5, 0.5, 1}, {0, 0.5, 0.5, 1}, {1. / 6, 1. / 3, 1. / 3, 1. / 6}};

PetscErrorCode fare_ode_batch_create(int dim, int64_t count, fare_ode_batch *p)
{
  const size_t rows = (size_t)count * (size_t)dim;

  PetscFunctionBegin;
  *p = (fare_ode_batch){.dim = dim, .count = count};
  PetscCall(PetscMalloc4(rows, &p->u, rows, &p->w, rows, &p->v, rows, &p->next));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_ode_batch_destroy(fare_ode_batch *p)
{
  PetscFunctionBegin;
  PetscCall(PetscFree4(p->u, p->w, p->v, p->next));
  PetscFunctionReturn(0);
}

/* to = from + h v in all blocks. */
static void add(double h, const fare_ode_batch *p, fare_row from[], fare_row to[])
{
  for (int64_t row = 0; row < p->count * p->dim; row++)
    fare_generative_euler((float)h, from[row], p->v[row], to[row]);
}

PetscErrorCode fare_ode_step(
  const fare_ode *ode, const fare_ode_scheme *with, double h, const fare_ode_batch *p, double integral[])
{
  double divergence[FARE_BLOCK] FARE_ALIGNED;

  PetscFunctionBegin;
  PetscCall(PetscArraycpy(p->next, p->u, p->count * p->dim));
  PetscCall(PetscArraycpy(p->w, p->u, p->count * p->dim));
  for (int s = 0; s < with->stages; s++) {
    if (s > 0) add(h * with->a[s], p, p->u, p->w);
    PetscCall(ode->field(ode->context, with->c[s], p, integral ? divergence : NULL));
    add(h * with->b[s], p, p->next, p->next);
    for (int i = 0; integral && i < FARE_BLOCK; i++) integral[i] += h * with->b[s] * divergence[i];
  }
  PetscCall(PetscArraycpy(p->u, p->next, p->count * p->dim));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_ode_draw(
  const fare_ode *ode, const fare_sampler *sampler, PetscBool together, fare_ensemble *ensemble)
{
  const int64_t  group = together ? PetscMax(1, ensemble->blocks) : 1;
  fare_ode_batch batch;

  PetscFunctionBegin;
  PetscCall(fare_ode_batch_create(ode->dim, group, &batch));
  for (int64_t b = 0; b < ensemble->blocks; b += group) {
    batch.first = ensemble->first_block + b;
    memset(batch.u, 0, (size_t)(group * ode->dim) * sizeof *batch.u);
    for (int64_t k = 0; k < group; k++)
      ode->noise(ode->context, (uint64_t)(batch.first + k), batch.u + k * ode->dim);
    PetscCall(ode->path(ode->context, &batch));
    for (int64_t k = 0; k < group; k++)
      fare_generative_place(sampler, batch.u + k * ode->dim, ensemble, b + k);
  }
  PetscCall(fare_ode_batch_destroy(&batch));
  PetscFunctionReturn(0);
}
