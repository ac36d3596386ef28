/* SPDX-License-Identifier: BSD-2-Clause */
/* Waveforms: theta(t) = base + amplitude s(t), for any parameter of any system. */
#ifndef FARE_WAVEFORM_H
#define FARE_WAVEFORM_H

#include "system/formula/course.h"

/* What any of them may need; each names in its own table which of these it reads. */
typedef struct {
  char        *parameter;
  int          waveform, sweep;
  double       amplitude, period, phase, start, end, duty, frequency, final_frequency;
  fare_reals   times, values;
  char        *file, *dataset; /* NULL once read */
  char        *expression;
  char        *source; /* the file that times and values are from; NULL: the study */
  fare_course *course; /* of `expression` */
} fare_waveform;

PetscErrorCode fare_waveform_from_config(const fare_node *node, fare_waveform *waveform);
PetscErrorCode fare_waveform_sine(
  const char *parameter, double amplitude, double period, double phase, fare_waveform *waveform);
void   fare_waveform_free(fare_waveform *waveform);
double fare_waveform_next_jump(const fare_waveform *waveform, double t); /* infinite when there is none */
/* of value or slope; infinite when there is none */
double fare_waveform_next_corner(const fare_waveform *waveform, double t);
/* from t to the next corner; infinite: any */
double fare_waveform_longest_step(const fare_waveform *waveform, double t);
/* the next end of a stretch on which it is nearly straight, where it has no longest step; infinite: none */
double fare_waveform_next_knot(const fare_waveform *waveform, double t);
/* Makes jumps, corners and knots known between these times; see fare_system_cover. */
PetscErrorCode fare_waveform_cover(const fare_waveform *waveform, double start, double end);
double         fare_waveform_at(const fare_waveform *waveform, double t); /* amplitude s(t) */
/* Its derivative, by differences of fourth order, relative error about 1e-10; at a kink the mean of both
 * sides. */
double fare_waveform_rate(const fare_waveform *waveform, double t);
void   fare_waveform_write(const fare_waveform *waveform, int indent, fare_text *to);
/* The first difference to a map that fare_waveform_write has left. */
PetscErrorCode fare_waveform_compare(
  const fare_waveform *waveform, const fare_node *before, const char *path, fare_difference *difference);

/* Reads times and values from `file`; see tabulated_file.c. `node` is the file's. */
PetscErrorCode fare_waveform_read_file(const fare_node *node, fare_waveform *waveform);

#endif
