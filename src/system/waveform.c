/* SPDX-License-Identifier: BSD-2-Clause */
#include "waveform.h"

#include <math.h>
#include <string.h>

#define AT(member) offsetof(fare_waveform, member)
#define ANY        -HUGE_VAL, HUGE_VAL

static const char *const names[] = {"constant", "sine", "square", "ramp", "smoothstep", "tabulated", NULL};

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
#define TIMES  "times", FARE_REALS, AT(times), NULL, ANY, NULL, "time", "increasing times"
#define VALUES                                                           \
  "values", FARE_REALS, AT(values), NULL, ANY, NULL, "of the parameter", \
    "added at those times; linear between, constant beyond"

static const fare_field constant_fields[] = {{PARAMETER}, {WAVEFORM}, {AMPLITUDE}, FARE_FIELDS_END};
static const fare_field sine_fields[]     = {
      {PARAMETER}, {WAVEFORM}, {AMPLITUDE}, {PERIOD}, {PHASE}, {START}, FARE_FIELDS_END};
static const fare_field square_fields[] = {
  {PARAMETER}, {WAVEFORM}, {AMPLITUDE}, {PERIOD}, {PHASE}, {START}, {DUTY}, FARE_FIELDS_END};
static const fare_field ramp_fields[] = {
  {PARAMETER}, {WAVEFORM}, {AMPLITUDE}, {START}, {END}, FARE_FIELDS_END};
static const fare_field tabulated_fields[] = {
  {PARAMETER}, {WAVEFORM}, {FACTOR}, {TIMES}, {VALUES}, FARE_FIELDS_END};

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
} types[] = {
  {"constant", "base + amplitude", constant_fields, constant, NULL, NULL, NULL},
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

double fare_waveform_at(const fare_waveform *waveform, double t)
{
  return waveform->amplitude * types[waveform->waveform].shape(waveform, t);
}

static PetscErrorCode check(const fare_node *node, const fare_waveform *w)
{
  const fare_field *fields = types[w->waveform].fields;

  PetscFunctionBegin;
  if (fields == ramp_fields && !(w->end > w->start))
    FARE_REFUSE(
      fare_node_find(node, "end"), "the ramp must end after it starts (%g), got %g", w->start, w->end);
  if (fields == tabulated_fields) {
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
  if (fare_node_kind_of(named) != FARE_NODE_SCALAR) FARE_REFUSE(named, "expected the name of a waveform");
  for (*type = 0; *type < PETSC_STATIC_ARRAY_LENGTH(types); ++*type) {
    if (!strcmp(types[*type].name, fare_node_text(named))) PetscFunctionReturn(0);
  }
  PetscFunctionReturn(fare_node_unknown(named, "waveform", fare_waveform_name_at));
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
  if (code) fare_fields_free(types[type].fields, waveform);
  PetscFunctionReturn(code);
}

void fare_waveform_free(fare_waveform *waveform)
{
  fare_fields_free(types[waveform->waveform].fields, waveform);
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
  PetscCall(fare_fields_compare(types[waveform->waveform].fields, NULL, before, waveform, path, difference));
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
