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

/* All that a sampler is built against: its size tells headers that have changed from those of this FARE. */
typedef struct {
  fare_sampler_type type;
  fare_sampler      sampler;
  fare_ensemble     ensemble;
  fare_block        block;
  fare_training_set training_set;
  fare_densities    densities;
  fare_kept         kept;
} fare_plugin_sampler_headers;
#define FARE_PLUGIN_SAMPLER_SIZE sizeof(fare_plugin_sampler_headers)
#define FARE_PLUGIN_SAMPLER(type)                                                        \
  __attribute__((visibility("default"))) extern const fare_plugin fare_plugin_export;    \
  const fare_plugin                                               fare_plugin_export = { \
                                                  FARE_PLUGIN_ABI, FARE_PLUGIN_IS_SAMPLER, FARE_PLUGIN_SAMPLER_SIZE, &(type)}

#endif
