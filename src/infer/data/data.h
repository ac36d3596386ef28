/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside infer: where data come from. */
#ifndef FARE_INFER_DATA_H
#define FARE_INFER_DATA_H

#include <fare/initial.h>
#include <fare/tracks.h>

/* Name of a field of a row: id, time, and the axes x, y, z. */
const char *fare_tracks_field(int dim, int field, char name[8]);
/* The two kinds of files, whose contents are known to be that. As fare_tracks_read(), but not sorted. */
PetscErrorCode fare_tracks_read_csv(MPI_Comm comm, const char *path, int dim, fare_tracks **tracks);
PetscErrorCode fare_tracks_read_hdf5(MPI_Comm comm, const char *path, int dim, fare_tracks **tracks);

/* Tracks that are simulated: how. */
typedef struct {
  const char         *name; /* of their random streams */
  uint64_t            seed;
  const fare_system  *system;
  const fare_initial *initial;
  fare_walls          walls;               /* of the truth */
  double              start;               /* time of the initial density */
  double              settle;              /* time from there to the first observation */
  double              lag;                 /* between observations */
  int64_t             tracks, transitions; /* how many, and how many lags each */
  double              dt, noise;           /* step of the simulation; sd of observations */
} fare_simulation;
/* The same on any number of ranks, and all of it on each. Collective. */
PetscErrorCode fare_tracks_simulate(MPI_Comm comm, const fare_simulation *how, fare_tracks **tracks);

#endif
