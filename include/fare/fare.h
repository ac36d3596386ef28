/* FARE: far-from-equilibrium reference ensembles. Includes every public header. */
#ifndef FARE_FARE_H
#define FARE_FARE_H

#include <fare/support.h>
#include <fare/config.h>
#include <fare/random.h>
#include <fare/store.h>
#include <fare/system.h>
#include <fare/plugin.h>
#include <fare/truth.h>
#include <fare/ensemble.h>
#include <fare/learn.h>
#include <fare/sampler.h>
#include <fare/analysis.h>
#include <fare/measure.h>
#include <fare/record.h>
#include <fare/thermo.h>
#include <fare/study.h>

#endif
