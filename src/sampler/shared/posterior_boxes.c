/* SPDX-License-Identifier: BSD-2-Clause */
/* Particles sorted into boxes, for sums one by one over those nearby. */
#include "posterior_parts.h"

#include <math.h>

#define REACH 3 /* boxes on either side: 1.5 times as far as particles count */

static const int most_boxes[FARE_DIM_MAX] = {65536, 512, 64};

PetscErrorCode fare_posterior_boxes_free(fare_posterior_boxes *b)
{
  PetscFunctionBegin;
  PetscCall(PetscFree(b->begin));
  PetscCall(PetscFree(b->weight));
  for (int axis = 0; axis < FARE_DIM_MAX; axis++) PetscCall(PetscFree(b->x[axis]));
  PetscFunctionReturn(0);
}

static int64_t box_of(const fare_posterior_boxes *b, double *const x[], int64_t i)
{
  int64_t box = 0;

  for (int axis = b->dim - 1; axis >= 0; axis--) {
    const int at = (int)((x[axis][i] - b->first[axis]) / b->spacing[axis]);

    box = box * b->n[axis] + PetscMin(b->n[axis] - 1, at);
  }
  return box;
}

PetscErrorCode fare_posterior_boxes_make(fare_posterior *p, double sigma)
{
  fare_posterior_boxes *b      = &p->boxes;
  const double          factor = p->augmented ? pow(1e8, 2. / (p->dim + p->augmented)) : 1;
  const double          counts = sigma * sqrt(p->augmented ? p->augmented * (factor - 1) : 2 * log(1e8));
  int64_t               boxes  = 1, *next;

  PetscFunctionBegin;
  PetscCall(fare_posterior_boxes_free(b));
  *b = (fare_posterior_boxes){
    .dim = p->dim, .n = {1, 1, 1}, .reach = REACH, .sigma = sigma, .augmented = p->augmented};
  for (int axis = 0; axis < p->dim; axis++) {
    const double extent = PetscMax(p->upper[axis] - p->lower[axis], 1e-6 * sigma);

    b->n[axis]       = (int)PetscMin(most_boxes[p->dim - 1], ceil(2 * extent / counts));
    b->first[axis]   = p->lower[axis];
    b->spacing[axis] = PetscMax(extent / b->n[axis], counts / 2);
    boxes *= b->n[axis];
    PetscCall(PetscMalloc1((size_t)p->count, &b->x[axis]));
  }
  PetscCall(PetscMalloc1((size_t)p->count, &b->weight));
  PetscCall(PetscCalloc1((size_t)boxes + 1, &b->begin));
  PetscCall(PetscMalloc1((size_t)boxes + 1, &next));
  for (int64_t i = 0; i < p->count; i++) b->begin[box_of(b, p->x, i) + 1]++;
  for (int64_t k = 0; k < boxes; k++) b->begin[k + 1] += b->begin[k];
  PetscCall(PetscArraycpy(next, b->begin, boxes + 1));
  for (int64_t i = 0; i < p->count; i++) {
    const int64_t at = next[box_of(b, p->x, i)]++;

    for (int axis = 0; axis < p->dim; axis++) b->x[axis][at] = p->x[axis][i];
    b->weight[at] = p->weight[i];
  }
  PetscCall(PetscFree(next));
  PetscFunctionReturn(0);
}
