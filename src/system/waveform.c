/* SPDX-License-Identifier: BSD-2-Clause */
#include "waveform.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AT(member) offsetof(fare_waveform, member)
#define ANY        -HUGE_VAL, HUGE_VAL

static const char *const names[] = {
  "constant", "sine", "square", "ramp", "smoothstep", "tabulated", "chirp", "expression", NULL};
static const char *const sweeps[] = {"linear", "geometric", NULL};
enum { LINEAR, GEOMETRIC };

#define PARAMETER \
  "parameter", FARE_STRING, AT(parameter), NULL, 0, 0, NULL, "", "name of the driven parameter"
#define WAVEFORM "waveform", FARE_CHOICE, AT(waveform), NULL, 0, 0, names, "", "shape of the drive over time"
#define AMPLITUDE                                                             \
  "amplitude", FARE_REAL, AT(amplitude), NULL, ANY, NULL, "of the parameter", \
    "added to the parameter's base value, times the shape"
#define PERIOD "period", FARE_REAL, AT(period), NULL, 1e-12, 1e12, NULL, "time", "duration of one cycle"
#define PHASE \
  "phase", FARE_REAL, AT(phase), "0", ANY, NULL, "rad", "added to the angle 2 pi (t - start)/period"
#define START "start", FARE_REAL, AT(start), "0", ANY, NULL, "time", "start of the cycle or ramp"
#define END   "end", FARE_REAL, AT(end), NULL, ANY, NULL, "time", "end of the ramp; constant afterwards"
#define DUTY                                          \
  "duty", FARE_REAL, AT(duty), "0.5", 0, 1, NULL, "", \
    "fraction of the cycle at +amplitude; the rest is at -amplitude"
#define FACTOR "amplitude", FARE_REAL, AT(amplitude), "1", ANY, NULL, "", "factor for the values"
#define TIMES  "times", FARE_REALS, AT(times), "", ANY, NULL, "time", "increasing times; not with a file"
#define FILE_NAME                                    \
  "file", FARE_STRING, AT(file), "", 0, 0, NULL, "", \
    "instead of times and values: CSV with two columns, or HDF5; relative to the study file"
#define DATASET                                            \
  "dataset", FARE_STRING, AT(dataset), "", 0, 0, NULL, "", \
    "of an HDF5 file: its path there; of two columns, times and values"
#define FREQUENCY \
  "frequency", FARE_REAL, AT(frequency), NULL, 0, 1e12, NULL, "1/time", "cycles per time until start"
#define FINAL_FREQUENCY                                                             \
  "final_frequency", FARE_REAL, AT(final_frequency), NULL, 0, 1e12, NULL, "1/time", \
    "cycles per time from end on"
#define SWEEP                                                  \
  "sweep", FARE_CHOICE, AT(sweep), "linear", 0, 0, sweeps, "", \
    "how the frequency goes from one to the other: linear or geometric in time"
#define CHIRP_PHASE "phase", FARE_REAL, AT(phase), "0", ANY, NULL, "rad", "angle at start"
#define CHIRP_START "start", FARE_REAL, AT(start), "0", ANY, NULL, "time", "start of the sweep"
#define CHIRP_END   "end", FARE_REAL, AT(end), NULL, ANY, NULL, "time", "end of the sweep"
#define EXPRESSION                                                 \
  "expression", FARE_STRING, AT(expression), NULL, 0, 0, NULL, "", \
    "formula of the time t, as those of a system, without parameters"
#define VALUES                                                         \
  "values", FARE_REALS, AT(values), "", ANY, NULL, "of the parameter", \
    "added at those times; linear between, constant beyond"

static const fare_field constant_fields[] = {{PARAMETER}, {WAVEFORM}, {AMPLITUDE}, FARE_FIELDS_END};
static const fare_field sine_fields[]     = {
      {PARAMETER}, {WAVEFORM}, {AMPLITUDE}, {PERIOD}, {PHASE}, {START}, FARE_FIELDS_END};
static const fare_field square_fields[] = {
  {PARAMETER}, {WAVEFORM}, {AMPLITUDE}, {PERIOD}, {PHASE}, {START}, {DUTY}, FARE_FIELDS_END};
static const fare_field ramp_fields[] = {
  {PARAMETER}, {WAVEFORM}, {AMPLITUDE}, {START}, {END}, FARE_FIELDS_END};
static const fare_field tabulated_fields[] = {
  {PARAMETER}, {WAVEFORM}, {FACTOR}, {TIMES}, {VALUES}, {FILE_NAME}, {DATASET}, FARE_FIELDS_END};
static const fare_field chirp_fields[]      = {{PARAMETER}, {WAVEFORM}, {AMPLITUDE}, {FREQUENCY},
       {FINAL_FREQUENCY}, {CHIRP_START}, {CHIRP_END}, {SWEEP}, {CHIRP_PHASE}, FARE_FIELDS_END};
static const fare_field expression_fields[] = {
  {PARAMETER}, {WAVEFORM}, {FACTOR}, {EXPRESSION}, FARE_FIELDS_END};

static double constant(const fare_waveform *w, double t)
{
  (void)w, (void)t;
  return 1;
}

static double angle(const fare_waveform *w, double t)
{
  return 2 * M_PI * (t - w->start) / w->period + w->phase;
}

static double sine(const fare_waveform *w, double t)
{
  return sin(angle(w, t));
}

/*
  The time at which so many cycles have passed since phase 0. An edge has this time to the last bit, for value
  and next_edge alike.
*/
static double time_of_cycle(const fare_waveform *w, double cycles)
{
  return w->start + (cycles - w->phase / (2 * M_PI)) * w->period;
}

/* The last whole number of cycles that have passed at t. */
static double whole_cycles(const fare_waveform *w, double t)
{
  const double whole = floor((t - w->start) / w->period + w->phase / (2 * M_PI));

  return t < time_of_cycle(w, whole) ? whole - 1 : t >= time_of_cycle(w, whole + 1) ? whole + 1 : whole;
}

static double square(const fare_waveform *w, double t)
{
  if (w->duty <= 0 || w->duty >= 1) return w->duty > 0 ? 1 : -1;
  return t < time_of_cycle(w, whole_cycles(w, t) + w->duty) ? 1 : -1;
}

static double next_edge(const fare_waveform *w, double t)
{
  const double whole = whole_cycles(w, t);

  if (w->duty <= 0 || w->duty >= 1) return HUGE_VAL;
  return square(w, t) > 0 ? time_of_cycle(w, whole + w->duty) : time_of_cycle(w, whole + 1);
}

static double ramp(const fare_waveform *w, double t)
{
  return PetscMin(1, PetscMax(0, (t - w->start) / (w->end - w->start)));
}

static double smoothstep(const fare_waveform *w, double t)
{
  const double s = ramp(w, t);

  return s * s * (3 - 2 * s);
}

/* The first entry of the table after t; as many as there are: none. */
static size_t entry_after(const fare_waveform *w, double t)
{
  size_t first = 0, last = w->times.count;

  while (first < last) {
    const size_t middle = (first + last) / 2;

    if (w->times.values[middle] > t)
      last = middle;
    else
      first = middle + 1;
  }
  return first;
}

static double tabulated(const fare_waveform *w, double t)
{
  const double *times = w->times.values, *values = w->values.values;
  const size_t  above = entry_after(w, t), below = above - 1;

  if (above == 0) return values[0];
  if (above == w->times.count) return values[below];
  return values[below] + (values[above] - values[below]) * (t - times[below]) / (times[above] - times[below]);
}

static double next_entry(const fare_waveform *w, double t)
{
  const size_t entry = entry_after(w, t);

  return entry < w->times.count ? w->times.values[entry] : HUGE_VAL;
}

/* Where a ramp begins and ends. */
static double next_end(const fare_waveform *w, double t)
{
  return t < w->start ? w->start : t < w->end ? w->end : HUGE_VAL;
}

/*
  Cycles of a chirp since start: the integral of the frequency, which is f + (g - f) t/T or f (g/f)^(t/T) up
  to T and constant before and after.
*/
static double chirp_cycles(const fare_waveform *w, double t)
{
  const double f = w->frequency, g = w->final_frequency, T = w->end - w->start, s = t - w->start,
               inside = PetscMin(s, T), rate = w->sweep == GEOMETRIC ? log(g / f) / T : 0,
               after = PetscMax(0, s - T) * g;

  if (s < 0) return f * s;
  if (rate != 0) return f * expm1(rate * inside) / rate + after;
  return (f + 0.5 * (g - f) * inside / T) * inside + after;
}

/* The time at which so many have passed. */
static double chirp_time(const fare_waveform *w, double cycles)
{
  const double f = w->frequency, g = w->final_frequency, T = w->end - w->start,
               rate = w->sweep == GEOMETRIC ? log(g / f) / T : 0, whole = chirp_cycles(w, w->end);

  if (cycles < 0) return w->start + cycles / f;
  if (cycles > whole) return w->end + (cycles - whole) / g;
  if (rate != 0) return w->start + log1p(cycles * rate / f) / rate;
  return w->start + 2 * cycles / (f + sqrt(PetscMax(0, f * f + 2 * (g - f) * cycles / T)));
}

static double chirp(const fare_waveform *w, double t)
{
  return sin(2 * M_PI * chirp_cycles(w, t) + w->phase);
}

/* The next eighth of a cycle, crests among them. */
static double next_eighth(const fare_waveform *w, double t)
{
  const double turned = w->phase / (2 * M_PI);
  double       eighth = floor(8 * (chirp_cycles(w, t) + turned)), at = t;

  while (at <= t) at = chirp_time(w, ++eighth / 8 - turned);
  return isfinite(at) ? at : HUGE_VAL;
}

static double expression(const fare_waveform *w, double t)
{
  return fare_course_at(w->course, 0, t);
}

static double expression_jump(const fare_waveform *w, double t)
{
  return fare_course_next_jump(w->course, t);
}

static double expression_corner(const fare_waveform *w, double t)
{
  return fare_course_next_corner(w->course, t);
}

static double expression_knot(const fare_waveform *w, double t)
{
  return fare_course_next_knot(w->course, t);
}

/* Of a sine, at least: between its turns a method must see more than its zeros; and of a smoothstep. */
#define STEPS_PER_PERIOD 8
#define STEPS_PER_RAMP   4

static double sine_step(const fare_waveform *w)
{
  return w->period / STEPS_PER_PERIOD;
}

static double smoothstep_step(const fare_waveform *w)
{
  return (w->end - w->start) / STEPS_PER_RAMP;
}

/* In the order of `names`. */
static const struct {
  const char       *name, *description;
  const fare_field *fields;
  double (*shape)(const fare_waveform *waveform, double t); /* s(t) */
  /* the first jump of s after t; NULL: there are none */
  double (*next_jump)(const fare_waveform *waveform, double t);
  /* the first time after t at which s or a derivative jumps; NULL: there are none */
  double (*next_corner)(const fare_waveform *waveform, double t);
  /* between corners, of a method that is to see how s varies; NULL: any */
  double (*longest_step)(const fare_waveform *waveform);
  /* of one whose variation is not the same throughout: where a step ends at the latest */
  double (*next_knot)(const fare_waveform *waveform, double t);
} types[] = {
  {"constant", "base + amplitude", constant_fields, constant, .next_jump = NULL},
  {"sine", "base + amplitude sin(2 pi (t - start)/period + phase)", sine_fields, sine,
    .longest_step = sine_step},
  {"square", "base + amplitude for the first part of each cycle, base - amplitude for the rest",
    square_fields, square, .next_jump = next_edge, .next_corner = next_edge},
  {"ramp", "base until start, then linearly to base + amplitude at end", ramp_fields, ramp,
    .next_corner = next_end},
  {"smoothstep", "as ramp, smoothed by s^2 (3 - 2 s)", ramp_fields, smoothstep, .next_corner = next_end,
    .longest_step = smoothstep_step},
  {"tabulated", "base + amplitude times a table's values, linear between its times", tabulated_fields,
    tabulated, .next_corner = next_entry},
  {"chirp", "base + amplitude sin(angle), with a frequency that goes from one to another", chirp_fields,
    chirp, .next_corner = next_end, .next_knot = next_eighth},
  {"expression", "base + amplitude times a formula of the time t", expression_fields, expression,
    .next_jump = expression_jump, .next_corner = expression_corner, .next_knot = expression_knot},
};

const char *fare_waveform_name_at(size_t i)
{
  return i < PETSC_STATIC_ARRAY_LENGTH(types) ? types[i].name : NULL;
}

const char *fare_waveform_description_at(size_t i)
{
  return i < PETSC_STATIC_ARRAY_LENGTH(types) ? types[i].description : NULL;
}

PetscErrorCode fare_waveform_describe(const char *name, FILE *to)
{
  PetscFunctionBegin;
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(types); i++) {
    if (strcmp(types[i].name, name)) continue;
    fprintf(to, "waveform %s: %s\n\n", types[i].name, types[i].description);
    fare_fields_describe(types[i].fields, to);
    PetscFunctionReturn(0);
  }
  FARE_FAIL(FARE_ERR_INPUT, "no waveform '%s'", name);
}

double fare_waveform_next_jump(const fare_waveform *w, double t)
{
  return types[w->waveform].next_jump ? types[w->waveform].next_jump(w, t) : HUGE_VAL;
}

double fare_waveform_next_corner(const fare_waveform *w, double t)
{
  return types[w->waveform].next_corner && w->amplitude != 0 ? types[w->waveform].next_corner(w, t)
                                                             : HUGE_VAL;
}

double fare_waveform_longest_step(const fare_waveform *w, double t)
{
  const int at_rest = types[w->waveform].next_corner && (t < w->start || t >= w->end);

  if (!types[w->waveform].longest_step || w->amplitude == 0 || at_rest) return HUGE_VAL;
  return types[w->waveform].longest_step(w);
}

double fare_waveform_next_knot(const fare_waveform *w, double t)
{
  return types[w->waveform].next_knot && w->amplitude != 0 ? types[w->waveform].next_knot(w, t) : HUGE_VAL;
}

PetscErrorCode fare_waveform_cover(const fare_waveform *w, double start, double end)
{
  PetscFunctionBegin;
  if (w->course) PetscCall(fare_course_cover(w->course, start, end));
  PetscFunctionReturn(0);
}

double fare_waveform_at(const fare_waveform *waveform, double t)
{
  return waveform->amplitude * types[waveform->waveform].shape(waveform, t);
}

double fare_waveform_rate(const fare_waveform *waveform, double t)
{
  const double longest = types[waveform->waveform].longest_step
    ? types[waveform->waveform].longest_step(waveform)
    : HUGE_VAL,
               size = PetscMax(1, fabs(t)), h = isfinite(longest) ? 0.01 * longest : 1e-5 * size,
               near = 1e-8 * size;

  if (fare_waveform_next_corner(waveform, t - 2 * h) <= t + 2 * h)
    return (fare_waveform_at(waveform, t + near) - fare_waveform_at(waveform, t - near)) / (2 * near);
  return (8 * (fare_waveform_at(waveform, t + h) - fare_waveform_at(waveform, t - h)) -
           (fare_waveform_at(waveform, t + 2 * h) - fare_waveform_at(waveform, t - 2 * h))) /
    (12 * h);
}

static PetscErrorCode check_chirp(const fare_node *node, const fare_waveform *w)
{
  PetscFunctionBegin;
  if (!(w->end > w->start))
    FARE_REFUSE(
      fare_node_find(node, "end"), "the sweep must end after it starts (%g), got %g", w->start, w->end);
  if (w->sweep == GEOMETRIC && !(w->frequency > 0 && w->final_frequency > 0))
    FARE_REFUSE(fare_node_find(node, w->frequency > 0 ? "final_frequency" : "frequency"),
      "a geometric sweep needs frequencies above 0");
  PetscFunctionReturn(0);
}

/* Times and values, from the study or from a file. */
static PetscErrorCode read_table(const fare_node *node, fare_waveform *w)
{
  const fare_node *file = fare_node_find(node, "file"), *times = fare_node_find(node, "times");

  PetscFunctionBegin;
  if (file && (times || fare_node_find(node, "values")))
    FARE_REFUSE(file, "gives times and values, so leave out 'times' and 'values'");
  if (!file && w->dataset) FARE_REFUSE(fare_node_find(node, "dataset"), "only with a 'file'");
  if (!file && !times) FARE_REFUSE(node, "missing key 'times', or 'file' instead of times and values");
  if (!file && !fare_node_find(node, "values")) FARE_REFUSE(node, "missing key 'values'");
  if (file) PetscCall(fare_waveform_read_file(file, w));
  PetscFunctionReturn(0);
}

static PetscErrorCode check(const fare_node *node, fare_waveform *w)
{
  const fare_field *fields = types[w->waveform].fields;

  PetscFunctionBegin;
  if (fields == ramp_fields && !(w->end > w->start))
    FARE_REFUSE(
      fare_node_find(node, "end"), "the ramp must end after it starts (%g), got %g", w->start, w->end);
  if (fields == chirp_fields) PetscCall(check_chirp(node, w));
  if (fields == expression_fields)
    PetscCall(fare_course_from_text(fare_node_find(node, "expression"), w->expression, &w->course));
  if (fields == tabulated_fields) PetscCall(read_table(node, w));
  if (fields == tabulated_fields && !w->source) {
    if (w->times.count < 1 || w->times.count != w->values.count)
      FARE_REFUSE(fare_node_find(node, "values"), "needs as many values as times (%zu), got %zu",
        w->times.count, w->values.count);
    for (size_t i = 1; i < w->times.count; i++) {
      if (!(w->times.values[i] > w->times.values[i - 1]))
        FARE_REFUSE(fare_node_find(node, "times"), "times must increase, got %g after %g", w->times.values[i],
          w->times.values[i - 1]);
    }
  }
  PetscFunctionReturn(0);
}

/* The waveform decides which other keys there are, so it is looked up before the table is chosen. */
static PetscErrorCode find_type(const fare_node *node, size_t *type)
{
  const fare_node *named;

  PetscFunctionBegin;
  if (fare_node_kind_of(node) != FARE_NODE_MAP)
    FARE_REFUSE(node, "expected a map {parameter: ..., waveform: ..., ...}");
  named = fare_node_find(node, "waveform");
  if (!named) FARE_REFUSE(node, "missing key 'waveform'");
  PetscFunctionReturn(fare_node_choose(named, "waveform", fare_waveform_name_at, type));
}

PetscErrorCode fare_waveform_from_config(const fare_node *node, fare_waveform *waveform)
{
  PetscErrorCode code;
  size_t         type;

  PetscFunctionBegin;
  memset(waveform, 0, sizeof *waveform);
  PetscCall(find_type(node, &type));
  PetscCall(fare_fields_read(types[type].fields, NULL, node, waveform));
  code = check(node, waveform);
  if (code) fare_waveform_free(waveform);
  PetscFunctionReturn(code);
}

void fare_waveform_free(fare_waveform *waveform)
{
  fare_fields_free(types[waveform->waveform].fields, waveform);
  fare_course_destroy(&waveform->course);
  free(waveform->source);
  waveform->source = NULL;
}

void fare_waveform_write(const fare_waveform *waveform, int indent, fare_text *to)
{
  fare_fields_write(types[waveform->waveform].fields, waveform, indent, to);
}

PetscErrorCode fare_waveform_compare(
  const fare_waveform *waveform, const fare_node *before, const char *path, fare_difference *difference)
{
  const fare_node *named = fare_node_find(before, "waveform");
  char             key[256];

  PetscFunctionBegin;
  fare_key_join(path, "waveform", sizeof key, key);
  if (named && fare_node_kind_of(named) == FARE_NODE_SCALAR)
    fare_texts_compare(fare_node_text(named), types[waveform->waveform].name, key, difference);
  if (difference->kind != FARE_ALIKE) PetscFunctionReturn(0);
  PetscCall(fare_fields_compare(types[waveform->waveform].fields, NULL, before, waveform, path, difference));
  if (difference->kind != FARE_ALIKE && waveform->source) {
    const size_t length = strlen(difference->key);

    snprintf(difference->key + length, sizeof difference->key - length, " (from %.100s)", waveform->source);
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_waveform_sine(
  const char *parameter, double amplitude, double period, double phase, fare_waveform *waveform)
{
  PetscFunctionBegin;
  memset(waveform, 0, sizeof *waveform);
  waveform->parameter = strdup(parameter);
  if (!waveform->parameter) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  waveform->waveform  = 1;
  waveform->amplitude = amplitude;
  waveform->period    = period;
  waveform->phase     = phase;
  PetscFunctionReturn(0);
}
