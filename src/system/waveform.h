/* SPDX-License-Identifier: BSD-2-Clause */
/* Waveforms: theta(t) = base + amplitude s(t), for any parameter of any system. */
#ifndef FARE_WAVEFORM_H
#define FARE_WAVEFORM_H

#include <fare/system.h>

/* What any of them may need; each names in its own table which of these it reads. */
typedef struct {
  char      *parameter;
  int        waveform;
  double     amplitude, period, phase, start, end, duty;
  fare_reals times, values;
} fare_waveform;

struct fare_waveform_type {
  const char       *name, *description;
  const fare_field *fields;
  double (*shape)(const fare_waveform *waveform, double t); /* s(t) */
  /* the first jump of s after t; NULL: there are none */
  double (*next_jump)(const fare_waveform *waveform, double t);
  /* the first time after t at which s or a derivative jumps; NULL: there are none */
  double (*next_corner)(const fare_waveform *waveform, double t);
  /* between corners, of a method that is to see how s varies; NULL: any */
  double (*longest_step)(const fare_waveform *waveform);
};

const fare_waveform_type *fare_waveform_type_at(size_t i);
PetscErrorCode            fare_waveform_from_config(const fare_node *node, fare_waveform *waveform);
PetscErrorCode            fare_waveform_sine(
             const char *parameter, double amplitude, double period, double phase, fare_waveform *waveform);
void   fare_waveform_free(fare_waveform *waveform);
double fare_waveform_next_jump(const fare_waveform *waveform, double t); /* infinite when there is none */
/* of value or slope; infinite when there is none */
double fare_waveform_next_corner(const fare_waveform *waveform, double t);
/* from t to the next corner; infinite: any */
double fare_waveform_longest_step(const fare_waveform *waveform, double t);
double fare_waveform_at(const fare_waveform *waveform, double t); /* amplitude s(t) */
void   fare_waveform_write(const fare_waveform *waveform, int indent, fare_text *to);
/* The first difference to a map that fare_waveform_write has left. */
PetscErrorCode fare_waveform_compare(
  const fare_waveform *waveform, const fare_node *before, const char *path, fare_difference *difference);

#endif
