/* SPDX-License-Identifier: BSD-2-Clause */
/* A Python process that calls a user's functions. It lives on rank 0; no function here is collective. */
#ifndef FARE_SAMPLER_PYTHON_H
#define FARE_SAMPLER_PYTHON_H

#include <fare/sampler.h>

/* The keys of `sampler: {python: ...}`, and what a run adds to them. */
typedef struct fare_python fare_python;
typedef struct {
  char        *function, *train, *density; /* "module:function"; the last two may be NULL */
  char        *path, *interpreter;         /* where modules are found first; the command, or NULL */
  fare_python *process;                    /* on rank 0, once it was needed */
  int64_t      bytes, words;               /* of the model, and as integers */
  int64_t     *model;                      /* what `train` returned, pickled; on all ranks */
  PetscBool    told;                       /* that the density is of another normalisation */
} fare_python_state;

/* What is asked of the process; the numbers of child.py. */
typedef enum {
  FARE_PYTHON_LOAD,
  FARE_PYTHON_SAMPLE,
  FARE_PYTHON_TRAIN,
  FARE_PYTHON_USE,
  FARE_PYTHON_DENSITY,
  FARE_PYTHON_PARAMETERS
} fare_python_what;
typedef struct {
  int64_t what;
  double  time;
  int64_t count, seed, axes, bytes;
} fare_python_request;

/*
  A process that has imported the functions; one that fare_python_keep has kept for the same functions is
  taken. FARE_ERR_FAILED with the user's exception and its place, where that fails.
*/
PetscErrorCode fare_python_start(const fare_python_state *options, fare_python **process);
/* Keeps a process for the next start with the same functions. */
PetscErrorCode fare_python_keep(const fare_python_state *options, fare_python **process);
/*
  Sends a request with its bytes and waits for the answer, which the caller frees. FARE_ERR_FAILED with the
  user's exception and its place, or what became of the process.
*/
PetscErrorCode fare_python_ask(
  fare_python *process, const fare_python_request *request, const void *data, void **reply, int64_t *bytes);
/* Ends the process, by force where it does not end by itself; may point to NULL, and does so afterwards. */
void fare_python_end(fare_python **process);

/* The cell masses of the user's density. Collective. */
PetscErrorCode fare_python_model_density(fare_sampler *sampler, double t, const fare_grid *grid, Vec *masses);
/* Seed of a call at time t: 31 bits, so that any library takes it. Not collective. */
int64_t fare_python_seed(const fare_sampler *sampler, const char *purpose, double t);
/* The process of a sampler on rank 0, with its model; started where there is none. */
PetscErrorCode fare_python_process(fare_sampler *sampler);
/* The same, told the parameters of the system at time t, for the calls at that time. */
PetscErrorCode fare_python_process_at(fare_sampler *sampler, double t);
/* A request of the process on rank 0 that has no answer but that it is done. */
PetscErrorCode fare_python_tell(
  fare_sampler *sampler, fare_python_what what, const void *data, int64_t bytes);
/* Makes an error of the process one of the ensemble. */
PetscErrorCode fare_python_at_ensemble(fare_sampler *sampler, PetscErrorCode code);
/*
  Ends what rank 0 did alone: the others wait for it without work, for its process may need their cores. Then
  its error is that of all. Collective.
*/
PetscErrorCode fare_python_agree(MPI_Comm comm, PetscErrorCode code);

#endif
