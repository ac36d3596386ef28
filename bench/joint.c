/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Truths of many axes: seconds to a time, ln p at points and exact draws per second, and memory. One core,
  processor time. Nothing is asserted. An argument takes the cases whose names hold it.
*/
#include <fare/joint.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define POINTS (64 * FARE_BLOCK)

#define CHAIN(sites, cells, rank)                                                                       \
  "system: {name: chain, sites: " sites ", unit: {name: double_well, parameters: {height: 1.0, kT: "    \
  "0.5}}, parameters: {coupling: 0.5}}\n"                                                               \
  "drive: [{parameter: tilt, waveform: square, amplitude: 1.5, period: 1.0}]\n"                         \
  "initial: {density: gaussian, mean: [-1.0], sd: [0.35]}\n"                                            \
  "truth: {kind: tensor_train, cells: " cells ", rank: " rank ", step: 0.05, lower: -3.3, upper: 2.4, " \
  "tolerance: 0.05}\n"
#define MANY_WELL(rotation)                                                                             \
  "system: {name: product, blocks: [{unit: {name: many_well}, copies: 16, label: well}, {unit: {name: " \
  "ornstein_uhlenbeck}, copies: 16, label: normal}], rotation: " rotation "}\n"                         \
  "drive: [{parameter: well.tilt, waveform: sine, amplitude: 7.0, period: 2.0}]\n"                      \
  "initial: {density: boltzmann}\ntruth: {kind: product, cells: [512, 128]}\n"

static const struct {
  const char *name, *yaml;
} cases[] = {
  {"chain of 10, 32 cells, rank 12", CHAIN("10", "32", "12")},
  {"chain of 20, 32 cells, rank 12", CHAIN("20", "32", "12")},
  {"chain of 50, 32 cells, rank 10", CHAIN("50", "32", "10")},
  {"ManyWell-32", MANY_WELL("none")},
  {"ManyWell-32, rotated", MANY_WELL("haar")},
};

static double processor_seconds(void)
{
  struct timespec now;

  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* The largest so far, in MB. */
static double memory(void)
{
  struct rusage usage;

  getrusage(RUSAGE_SELF, &usage);
  return (double)usage.ru_maxrss / 1024;
}

static PetscErrorCode create(
  const char *yaml, fare_config **config, fare_system **system, fare_initial *initial, fare_joint **joint)
{
  const fare_joint_type *type;
  const fare_node       *root, *truth;
  void                  *options;

  PetscFunctionBegin;
  PetscCall(fare_config_parse("case", yaml, strlen(yaml), config));
  root  = fare_config_root(*config);
  truth = fare_node_find(root, "truth");
  PetscCall(fare_system_from_config(fare_node_find(root, "system"), fare_node_find(root, "drive"), system));
  PetscCall(fare_initial_from_config(fare_node_find(root, "initial"), *system, initial));
  type = fare_joint_type_find(fare_node_text(fare_node_find(truth, "kind")));
  PetscCall(fare_joint_options_read(type, truth, *system, initial, &options));
  PetscCall(fare_joint_create(PETSC_COMM_WORLD, type, options, *system, initial, 0, joint));
  fare_joint_options_free(type, &options);
  PetscFunctionReturn(0);
}

/* To time 1, with all companions and estimates; then points and draws. */
static PetscErrorCode measure(const char *name, const char *yaml)
{
  const double   began = processor_seconds();
  double         evolved, drawn, read, *x[FARE_AXES_MAX], *log_p;
  fare_config   *config;
  fare_system   *system;
  fare_initial   initial = {0};
  fare_joint    *joint;
  fare_ensemble *e;

  PetscFunctionBegin;
  PetscCall(create(yaml, &config, &system, &initial, &joint));
  PetscCall(fare_joint_advance(joint, 0.999));
  evolved = processor_seconds();
  PetscCall(fare_ensemble_create(PETSC_COMM_WORLD, joint->dim, POINTS, &e));
  PetscCall(fare_joint_draw(joint, fare_stream_make(1, "bench"), e));
  drawn = processor_seconds();
  for (int axis = 0; axis < joint->dim; axis++) x[axis] = e->x[axis];
  PetscCall(PetscMalloc1(POINTS, &log_p));
  PetscCall(joint->type->log_density(joint, 0, POINTS, (const double *const *)x, log_p));
  read = processor_seconds();
  printf("%-32s %8.2f %10.2g %10.2g %8.0f %9.2g\n", name, evolved - began, POINTS / (read - drawn),
    POINTS / (drawn - evolved), memory(), joint->status.error);
  PetscCall(PetscFree(log_p));
  PetscCall(fare_ensemble_destroy(&e));
  PetscCall(fare_joint_destroy(&joint));
  PetscCall(fare_system_destroy(&system));
  fare_initial_free(&initial);
  fare_config_destroy(&config);
  PetscFunctionReturn(0);
}

int main(int argc, char **argv)
{
  PetscCall(fare_initialize(argc, argv));
  printf("%-32s %8s %10s %10s %8s %9s\n", "", "to 1 [s]", "ln p [1/s]", "draws[1/s]", "MB", "L1 error");
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    if (argc < 2 || strstr(cases[i].name, argv[1])) PetscCall(measure(cases[i].name, cases[i].yaml));
  }
  return fare_finalize(0);
}
