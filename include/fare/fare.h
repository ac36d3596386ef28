/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
  FARE: far-from-equilibrium reference ensembles. Includes every public header. */
#ifndef FARE_FARE_H
#define FARE_FARE_H

#include <fare/support.h>
#include <fare/config.h>
#include <fare/random.h>
#include <fare/store.h>
#include <fare/box.h>
#include <fare/system.h>
#include <fare/chain.h>
#include <fare/current_action.h>
#include <fare/mixture.h>
#include <fare/potential_spline.h>
#include <fare/product.h>
#include <fare/feedback.h>
#include <fare/initial.h>
#include <fare/schedule.h>
#include <fare/plugin.h>
#include <fare/grid.h>
#include <fare/operator.h>
#include <fare/bridge.h>
#include <fare/evolution.h>
#include <fare/resolution.h>
#include <fare/truth.h>
#include <fare/ensemble.h>
#include <fare/joint.h>
#include <fare/learn.h>
#include <fare/sampler.h>
#include <fare/analysis.h>
#include <fare/tracks.h>
#include <fare/infer.h>
#include <fare/measure.h>
#include <fare/joint_measure.h>
#include <fare/record.h>
#include <fare/thermo.h>
#include <fare/study.h>

#endif
