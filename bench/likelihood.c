/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Likelihoods of 100 000 pairs at one lag: seconds of a value, and of a value with slopes and information.
  Each is the longest of the ranks' processor times. Nothing is asserted. An argument takes the cases whose
  names hold it.
*/
#include "infer/likelihood/likelihood.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define NODES       3 /* as inference begins with */
#define TRACKS      100
#define TRANSITIONS 1000

#define WELL(cells)                                                   \
  "system: {name: double_well, parameters: {height: 1.0, kT: 0.5}}\n" \
  "initial: {density: boltzmann}\ntruth: {cells: [" cells "], lower: [-2.5], upper: [2.5]}\n"
#define TRAP(cells)                                                  \
  "system: {name: rotational_ou}\n"                                  \
  "initial: {density: gaussian, mean: [0.0, 0.0], sd: [1.0, 1.0]}\n" \
  "truth: {cells: [" cells ", " cells "], lower: [-5.0, -5.0], upper: [5.0, 5.0]}\n"
#define WELLS(cells)                                                                       \
  "system: {name: quadruple_well, parameters: {kT: 0.5}}\ninitial: {density: boltzmann}\n" \
  "truth: {cells: [" cells ", " cells "], lower: [-2.5, -2.5], upper: [2.5, 2.5]}\n"

static const struct {
  const char *name, *yaml, *parameter[3];
  double      guess[3], lag;
} cases[] = {
  {"double well, 512 cells, lag 0.5", WELL("512"), {"height", "kT", "tilt"}, {1.0, 0.5, 0.0}, 0.5},
  {"double well, 512 cells, lag 0.05", WELL("512"), {"height", "kT", "tilt"}, {1.0, 0.5, 0.0}, 0.05},
  {"turning trap, 48^2 cells, lag 0.5", TRAP("48"), {"stiffness", "rotation", "kT"}, {1.0, 1.0, 1.0}, 0.5},
  {"four wells, 48^2 cells, lag 0.5", WELLS("48"), {"height", "kT", "tilt"}, {1.0, 0.5, 0.0}, 0.5},
  {"four wells, 64^2 cells, lag 0.2", WELLS("64"), {"height", "kT", "tilt"}, {1.0, 0.5, 0.0}, 0.2},
  {"turning trap, 96^2 cells, lag 0.5", TRAP("96"), {"stiffness", "rotation", "kT"}, {1.0, 1.0, 1.0}, 0.5},
  {"four wells, 96^2 cells, lag 0.1", WELLS("96"), {"height", "kT", "tilt"}, {1.0, 0.5, 0.0}, 0.1},
};

static double processor_seconds(void)
{
  struct timespec now;

  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Longest among the ranks. */
static double since(double began)
{
  double passed = processor_seconds() - began;

  MPI_Allreduce(MPI_IN_PLACE, &passed, 1, MPI_DOUBLE, MPI_MAX, PETSC_COMM_WORLD);
  return passed;
}

static PetscErrorCode evaluate(const fare_infer_context *c, const fare_tracks *tracks, const char *name)
{
  fare_likelihood l = {
    .kind = &fare_likelihood_pairs, .context = c, .steps = 8, .lattice = {NODES, 1, PETSC_FALSE}};
  double value, score[FARE_INFER_MAX], information[FARE_INFER_MAX * FARE_INFER_MAX], began, alone, slopes;

  PetscFunctionBegin;
  PetscCall(fare_infer_model(c, c->cells, &l.model));
  PetscCall(l.kind->begin(&l, tracks));
  began = processor_seconds();
  PetscCall(l.kind->evaluate(&l, c->guess, &value, NULL, NULL));
  alone = since(began);
  began = processor_seconds();
  PetscCall(l.kind->evaluate(&l, c->guess, &value, score, information));
  slopes = since(began);
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%-36s %8.3f %8.3f %16.4f", name, alone, slopes, value));
  for (int k = 0; k < c->count; k++) PetscCall(PetscPrintf(PETSC_COMM_WORLD, " %11.4f", score[k]));
  for (int k = 0; k < c->count; k++)
    PetscCall(PetscPrintf(PETSC_COMM_WORLD, " %9.6g", 1 / sqrt(information[k * c->count + k])));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "\n"));
  PetscCall(l.kind->end(&l));
  PetscCall(fare_model_destroy(&l.model));
  PetscFunctionReturn(0);
}

static PetscErrorCode measure(size_t i)
{
  const char        *yaml = cases[i].yaml;
  fare_config       *config;
  fare_system       *system;
  fare_truth_options truth;
  fare_initial       initial = {0};
  fare_infer_study   study   = {.truth = &truth, .initial = &initial, .seed = 1};
  fare_infer_context c       = {.comm = PETSC_COMM_WORLD, .study = &study, .count = 3, .lag = cases[i].lag};
  fare_simulation    how     = {.name = "bench",
           .seed                      = 1,
           .initial                   = &initial,
           .tracks                    = TRACKS,
           .transitions               = TRANSITIONS,
           .lag                       = cases[i].lag,
           .dt                        = cases[i].lag / 50};
  fare_tracks       *tracks;

  PetscFunctionBegin;
  PetscCall(fare_config_parse("case", yaml, strlen(yaml), &config));
  PetscCall(fare_system_from_config(fare_node_find(fare_config_root(config), "system"), NULL, &system));
  PetscCall(fare_initial_from_config(fare_node_find(fare_config_root(config), "initial"), system, &initial));
  PetscCall(
    fare_truth_options_from_config(fare_node_find(fare_config_root(config), "truth"), system, &truth));
  study.system = how.system = system;
  how.walls                 = fare_truth_walls(system, &truth);
  c.box                     = fare_truth_box(system, &truth);
  c.name                    = cases[i].parameter;
  c.guess                   = cases[i].guess;
  for (int axis = 0; axis < fare_system_dimension(system); axis++) {
    c.cells[axis]    = (PetscInt)truth.cells.values[axis];
    c.boundary[axis] = FARE_BOUNDARY_REFLECTING;
  }
  PetscCall(fare_tracks_simulate(PETSC_COMM_WORLD, &how, &tracks));
  PetscCall(evaluate(&c, tracks, cases[i].name));
  PetscCall(fare_tracks_destroy(&tracks));
  fare_truth_options_free(&truth);
  fare_initial_free(&initial);
  PetscCall(fare_system_destroy(&system));
  fare_config_destroy(&config);
  PetscFunctionReturn(0);
}

int main(int argc, char **argv)
{
  PetscCall(fare_initialize(argc, argv));
  PetscCall(PetscPrintf(
    PETSC_COMM_WORLD, "%-36s %8s %8s %16s  slopes; errors\n", "", "value [s]", "all [s]", "ln L"));
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    if (argc < 2 || strstr(cases[i].name, argv[1])) PetscCall(measure(i));
  }
  return fare_finalize(0);
}
