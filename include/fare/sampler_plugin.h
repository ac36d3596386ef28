/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
  sampler_plugin: a sampler of one's own, in a shared object that an ensemble names, without recompiling FARE:

  @code
    #include <fare/sampler_plugin.h>
    static const fare_sampler_type mine = {...};      // as in src/sampler
    FARE_PLUGIN_SAMPLER(mine);
  @endcode

  and in the study `ensembles: [{name: mine, plugin: ./mine.so, particles: 10000}]`. input/plugin is a
  template.
*/
#ifndef FARE_SAMPLER_PLUGIN_H
#define FARE_SAMPLER_PLUGIN_H

#include <fare/plugin.h>
#include <fare/sampler.h>

/** Sizes of the descriptor and of what a sampler is given, which tell headers apart that differ. */
#define FARE_PLUGIN_SAMPLER_SIZES                                                               \
  {                                                                                             \
    sizeof(fare_sampler_type), sizeof(fare_sampler), sizeof(fare_ensemble), sizeof(fare_block), \
      sizeof(fare_training_set), sizeof(fare_densities), sizeof(fare_kept)                      \
  }
/** Exports a fare_sampler_type from a shared object. */
#define FARE_PLUGIN_SAMPLER(type)                                                        \
  __attribute__((visibility("default"))) extern const fare_plugin fare_plugin_export;    \
  const fare_plugin                                               fare_plugin_export = { \
                                                  FARE_PLUGIN_ABI,                       \
                                                  FARE_PLUGIN_IS_SAMPLER,                \
                                                  FARE_PLUGIN_SAMPLER_SIZES,             \
                                                  &(type),                               \
  }

#endif
