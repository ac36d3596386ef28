/* SPDX-License-Identifier: BSD-2-Clause */
/* Tracks of the system itself: what an ensemble of the sampler langevin passes through. */
#include "data.h"

#include <fare/langevin.h>
#include <fare/sampler.h>

#include <math.h>
#include <stdio.h>

/* Positions of all particles at one time, as rows of their tracks. */
static PetscErrorCode observe(
  const fare_ensemble *e, const fare_simulation *how, int64_t k, double all[], fare_tracks *t)
{
  PetscFunctionBegin;
  for (int axis = 0; axis < e->dim; axis++) {
    PetscCall(fare_ensemble_gather(e, e->local, e->x[axis], all));
    for (int64_t i = 0; i < e->count; i++) {
      const int64_t row = i * (how->transitions + 1) + k;

      t->id[row]                = i;
      t->time[row]              = e->time;
      t->x[row * e->dim + axis] = all[i];
    }
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode add_noise(const fare_simulation *how, fare_tracks *t)
{
  char name[128];

  PetscFunctionBegin;
  if (how->noise == 0) PetscFunctionReturn(0);
  snprintf(name, sizeof name, "%s/observed", how->name);
  for (int64_t track = 0; track < how->tracks; track++) {
    const int64_t rows   = how->transitions + 1;
    fare_random   random = {fare_stream_make(how->seed, name), (uint64_t)track, 0};

    for (int64_t i = track * rows * t->dim; i < (track + 1) * rows * t->dim; i++)
      t->x[i] += how->noise * fare_random_normal(&random);
  }
  for (int axis = 0; axis < t->dim; axis++) t->noise[axis] = how->noise;
  PetscFunctionReturn(0);
}

static PetscErrorCode run(fare_sampler *sampler, const fare_simulation *how, fare_ensemble *e, fare_tracks *t)
{
  const double   first = how->start + how->settle;
  fare_progress  progress;
  PetscErrorCode code;
  double        *all;

  PetscFunctionBegin;
  PetscCall(fare_sampler_draw_initial(sampler, how->start, e));
  PetscCall(PetscMalloc1((size_t)e->count, &all));
  fare_progress_begin(&progress, how->name, (double)how->transitions);
  code = fare_sampler_advance(sampler, how->start, e);
  for (int64_t k = 0; k <= how->transitions && !code; k++) {
    if (k || how->settle > 0) code = fare_sampler_advance(sampler, first + (double)k * how->lag, e);
    if (!code) code = observe(e, how, k, all, t);
    fare_progress_update(&progress, (double)k, NULL);
  }
  fare_progress_end(&progress);
  PetscCall(PetscFree(all));
  PetscFunctionReturn(code);
}

PetscErrorCode fare_tracks_simulate(MPI_Comm comm, const fare_simulation *how, fare_tracks **tracks)
{
  const fare_sampler_type *type     = fare_sampler_type_find("langevin");
  const int                dim      = fare_system_dimension(how->system);
  const fare_schedule      schedule = {
         how->start, how->start + how->settle + (double)how->transitions * how->lag, 2};
  const fare_langevin_options options  = {how->dt, FARE_LANGEVIN_HEUN};
  fare_sampler               *sampler  = NULL;
  fare_ensemble              *ensemble = NULL;
  PetscErrorCode              code;

  PetscFunctionBegin;
  PetscCall(fare_tracks_create("simulated tracks", dim, how->tracks * (how->transitions + 1), tracks));
  code = fare_sampler_create(
    comm, type, how->name, &options, how->seed, how->system, how->initial, &schedule, &sampler);
  if (!code) code = fare_sampler_set_walls(sampler, &how->walls);
  if (!code) code = fare_ensemble_create(comm, dim, how->tracks, &ensemble);
  if (!code) code = run(sampler, how, ensemble, *tracks);
  PetscCall(fare_ensemble_destroy(&ensemble));
  PetscCall(fare_sampler_destroy(&sampler));
  if (!code) code = add_noise(how, *tracks);
  if (!code) code = fare_tracks_sort(*tracks);
  if (code) PetscCall(fare_tracks_destroy(tracks));
  PetscFunctionReturn(code);
}
