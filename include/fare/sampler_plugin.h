/* SPDX-License-Identifier: BSD-2-Clause */
/*
  sampler_plugin: a sampler of one's own, in a shared object that an ensemble names, without recompiling FARE:

    #include <fare/sampler_plugin.h>
    static const fare_sampler_type mine = {...};      as in src/sampler
    FARE_PLUGIN_SAMPLER(mine);

  and in the study `ensembles: [{name: mine, plugin: ./mine.so, particles: 10000}]`. input/plugin is a
  template.
*/
#ifndef FARE_SAMPLER_PLUGIN_H
#define FARE_SAMPLER_PLUGIN_H

#include <fare/plugin.h>
#include <fare/sampler.h>

/*
  Of what a sampler is given besides its descriptor, so that headers that have changed are told from those of
  this FARE.
*/
#define FARE_PLUGIN_SAMPLER_SIZE                             \
  (sizeof(fare_sampler_type) + 1000 * sizeof(fare_sampler) + \
    1000000 * (sizeof(fare_ensemble) + sizeof(fare_training_set) + sizeof(fare_densities)))
#define FARE_PLUGIN_SAMPLER(type)                                                        \
  __attribute__((visibility("default"))) extern const fare_plugin fare_plugin_export;    \
  const fare_plugin                                               fare_plugin_export = { \
                                                  FARE_PLUGIN_ABI,                       \
                                                  FARE_PLUGIN_IS_SAMPLER,                \
                                                  FARE_PLUGIN_SAMPLER_SIZE,              \
                                                  &(type),                               \
  }

#endif
