/* SPDX-License-Identifier: BSD-2-Clause */
/* A sampler from its options as YAML. */
#ifndef CREATE_SAMPLER_H
#define CREATE_SAMPLER_H

#include <fare/sampler.h>

static inline PetscErrorCode create_sampler(MPI_Comm comm, const fare_sampler_type *type, const char *name,
  const fare_config *config, uint64_t seed, const fare_system *system, const fare_initial *initial,
  const fare_schedule *schedule, fare_sampler **sampler)
{
  void          *options = NULL;
  PetscErrorCode code    = fare_sampler_options_read(type, fare_config_root(config), NULL, &options);

  *sampler = NULL;
  if (!code) code = fare_sampler_create(comm, type, name, options, seed, system, initial, schedule, sampler);
  fare_sampler_options_free(type, &options);
  return code;
}

#endif
