/* SPDX-License-Identifier: BSD-2-Clause */
#include "ode.h"

#include <string.h>

const fare_ode_scheme fare_ode_euler = {1, {0}, {0}, {1}},
                      fare_ode_heun  = {2, {0, 1}, {0, 1}, {1. / 2, 1. / 2}},
                      fare_ode_rk4   = {
                          4, {0, 0.5, 0.5, 1}, {0, 0.5, 0.5, 1}, {1. / 6, 1. / 3, 1. / 3, 1. / 6}};

PetscErrorCode fare_ode_batch_create(int64_t count, fare_ode_batch *p)
{
  PetscFunctionBegin;
  *p = (fare_ode_batch){.count = count};
  PetscCall(
    PetscMalloc4((size_t)count, &p->u, (size_t)count, &p->w, (size_t)count, &p->v, (size_t)count, &p->next));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_ode_batch_destroy(fare_ode_batch *p)
{
  PetscFunctionBegin;
  PetscCall(PetscFree4(p->u, p->w, p->v, p->next));
  PetscFunctionReturn(0);
}

/* to = from + h v in all blocks. */
static void add(int dim, double h, const fare_ode_batch *p, const fare_place from[], fare_place to[])
{
  for (int64_t b = 0; b < p->count; b++) {
    for (int axis = 0; axis < dim; axis++)
      fare_generative_euler((float)h, from[b][axis], p->v[b][axis], to[b][axis]);
  }
}

PetscErrorCode fare_ode_step(
  const fare_ode *ode, const fare_ode_scheme *with, double h, const fare_ode_batch *p, double integral[])
{
  double divergence[FARE_BLOCK] FARE_ALIGNED;

  PetscFunctionBegin;
  PetscCall(PetscArraycpy(p->next, p->u, p->count));
  PetscCall(PetscArraycpy(p->w, p->u, p->count));
  for (int s = 0; s < with->stages; s++) {
    if (s > 0) add(ode->dim, h * with->a[s], p, (const fare_place *)p->u, p->w);
    PetscCall(ode->field(ode->context, with->c[s], p, integral ? divergence : NULL));
    add(ode->dim, h * with->b[s], p, (const fare_place *)p->next, p->next);
    for (int i = 0; integral && i < FARE_BLOCK; i++) integral[i] += h * with->b[s] * divergence[i];
  }
  PetscCall(PetscArraycpy(p->u, p->next, p->count));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_ode_draw(
  const fare_ode *ode, const fare_sampler *sampler, PetscBool together, fare_ensemble *ensemble)
{
  const int64_t  group = together ? PetscMax(1, ensemble->blocks) : 1;
  fare_ode_batch batch;

  PetscFunctionBegin;
  PetscCall(fare_ode_batch_create(group, &batch));
  for (int64_t b = 0; b < ensemble->blocks; b += group) {
    batch.first = ensemble->first_block + b;
    memset(batch.u, 0, (size_t)group * sizeof *batch.u);
    for (int64_t k = 0; k < group; k++) ode->noise(ode->context, (uint64_t)(batch.first + k), batch.u[k]);
    PetscCall(ode->path(ode->context, &batch));
    for (int64_t k = 0; k < group; k++) fare_generative_place(sampler, batch.u[k], ensemble, b + k);
  }
  PetscCall(fare_ode_batch_destroy(&batch));
  PetscFunctionReturn(0);
}
