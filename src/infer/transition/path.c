/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Rates of a driven system over an interval: over each piece those of its middle, which is of second order in
  the length of a piece. With 8 steps pieces are as long as a method may take that is to see the drive at all,
  an eighth of a sine's period, say; with more steps all are shorter.
*/
#include "transition.h"

#include <math.h>
#include <string.h>

#define ROUNDING 1e-9
#define STEPS    8         /* of which one passes what the drive's own time scale allows for a step */
#define MOST     (1 << 20) /* pieces */
#define ROOM     (1 << 28) /* numbers in rates of all pieces */

/*
  How many pieces, and where they end; MOST: that many or more. Whatever the interval is, they are no longer
  than a part of the drive's own time scale, so that no period hides between their middles; and all become
  shorter with more steps, so that the difference tells the error.
*/
static int cut(const fare_model *m, double from, double to, int steps, double end[])
{
  double   now   = from;
  int      count = 0;
  fare_box box   = {0};

  memcpy(box.lower, m->grid->lower, (size_t)m->grid->dim * sizeof *box.lower);
  memcpy(box.upper, m->grid->upper, (size_t)m->grid->dim * sizeof *box.upper);
  while (now < to && count < MOST) {
    const double smooth = fare_system_smooth_until(m->system, &box, now, to),
                 next   = PetscMin(smooth, now + fare_system_longest_step(m->system, 0.5 * (now + smooth)));
    const int fine      = (int)ceil(steps * (next - now) / (to - from) * (1 - ROUNDING)),
              pieces    = PetscMax(fine, (steps + STEPS - 1) / STEPS);

    for (int piece = 1; piece <= pieces && count < MOST; piece++) {
      if (end) end[count] = piece == pieces ? next : now + (next - now) * piece / pieces;
      count++;
    }
    now = next;
  }
  return PetscMax(count, 1);
}

/* A model whose rates are copied to room of their own. */
static double *copy_rates(const fare_model *m, PetscBool slopes, double *room, fare_model *piece)
{
  const size_t cells = (size_t)m->cells, faces = cells * (size_t)m->faces,
               many   = slopes ? (size_t)m->count : 0;
  double     **to[]   = {&piece->stay, &piece->in, &piece->stay_slope, &piece->in_slope};
  const size_t size[] = {cells, faces, cells * many, faces * many};

  *piece = *m;
  for (int i = 0; i < 4; i++) {
    memcpy(room, *to[i], size[i] * sizeof *room);
    *to[i] = room;
    room += size[i];
  }
  return room;
}

PetscErrorCode fare_path_create(
  fare_model *m, const double theta[], double from, double to, int steps, PetscBool slopes, fare_path *path)
{
  const int    driven = fare_system_is_driven(m->system);
  int          count  = 1;
  const size_t size   = (size_t)m->cells * (size_t)(1 + m->faces) * (size_t)(slopes ? 1 + m->count : 1);
  double      *end, *room, now = from;

  PetscFunctionBegin;
  *path = (fare_path){0};
  if (driven) {
    PetscCall(fare_system_cover(m->system, from, to));
    count = cut(m, from, to, steps, NULL);
  }
  if (count >= MOST || (size_t)count * size > ROOM)
    FARE_FAIL(FARE_ERR_INPUT,
      "the drive takes %d%s steps in a time of %g between observations: take a shorter one, or fewer cells",
      count, count >= MOST ? " or more" : "", to - from);
  path->count = count;
  PetscCall(PetscMalloc3(count, &path->piece, count, &path->span, (size_t)count * size, &path->room));
  PetscCall(PetscMalloc1(count, &end));
  end[0] = to;
  if (driven) (void)cut(m, from, to, steps, end);
  room = path->room;
  for (int i = 0; i < count; i++) {
    if (driven) m->time = 0.5 * (now + end[i]);
    path->span[i] = end[i] - now;
    now           = end[i];
    PetscCall(fare_model_set(m, theta, slopes));
    room = copy_rates(m, slopes, room, &path->piece[i]);
  }
  PetscCall(PetscFree(end));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_path_free(fare_path *path)
{
  PetscFunctionBegin;
  PetscCall(PetscFree3(path->piece, path->span, path->room));
  *path = (fare_path){0};
  PetscFunctionReturn(0);
}

static PetscErrorCode masses_of(const fare_model *m, const fare_initial *initial, double start, double P[])
{
  Vec masses;

  PetscFunctionBegin;
  PetscCall(fare_grid_initial(m->grid, initial, m->system, start, &masses));
  PetscCall(fare_grid_gather(m->grid, masses, P));
  PetscCall(VecDestroy(&masses));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_model_initial(fare_model *m, const fare_initial *initial, double start,
  const double theta[], PetscBool slopes, double *const P[])
{
  double *below;

  PetscFunctionBegin;
  PetscCall(fare_model_parameters(m, theta));
  PetscCall(masses_of(m, initial, start, P[0]));
  if (!slopes) PetscFunctionReturn(0);
  PetscCall(PetscMalloc1(m->cells, &below));
  for (int k = 0; k < m->count; k++) {
    double       moved[2];
    const double width = fare_model_moved(m, theta, k, moved);

    PetscCall(fare_system_set(m->system, m->name[k], moved[0]));
    PetscCall(masses_of(m, initial, start, below));
    PetscCall(fare_system_set(m->system, m->name[k], moved[1]));
    PetscCall(masses_of(m, initial, start, P[k + 1]));
    PetscCall(fare_system_set(m->system, m->name[k], theta[k]));
    for (PetscInt i = 0; i < m->cells; i++) P[k + 1][i] = (P[k + 1][i] - below[i]) / width;
  }
  PetscCall(PetscFree(below));
  PetscFunctionReturn(0);
}
