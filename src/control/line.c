/* SPDX-License-Identifier: BSD-2-Clause */
/* A line of the section `control:`: its keys, and what is wrong with them. */
#include "control.h"

#include <math.h>
#include <string.h>

#define VALUES          32 /* of the drives, at which the potential must close round a ring */
#define JUMPS_MAX       16 /* of the section `drive` within a cycle */
#define STEPS_PER_PIECE 8  /* between two knots, at least: optimisers exploit single steps */

static const char *const aims[]  = {[FARE_AIM_LEAST_WORK] = "least_work",
   [FARE_AIM_LEAST_DISSIPATION]                           = "least_dissipation",
   [FARE_AIM_MOST_LIKELY]                                 = "most_likely",
   [FARE_AIM_LEAST_LIKELY]                                = "least_likely",
   [FARE_AIM_OBSERVABLE]                                  = "observable",
   [FARE_AIM_REACH]                                       = "reach",
   [FARE_AIM_MOST_POWER]                                  = "most_power",
   NULL};
static const char *const seeks[] = {"largest", "smallest", NULL};

#define DRIVE(at, required)                                                                               \
  {"parameter", FARE_STRING, (at) + offsetof(fare_control_drive, name), required, 0, 0, NULL, "",         \
    "that is driven"},                                                                                    \
    {"from", FARE_REAL, (at) + offsetof(fare_control_drive, from), "1e300", -1e9, FARE_CONTROL_OWN, NULL, \
      "of the parameter", "its value before; default: that of the section `system:`"},                    \
    {"to", FARE_REAL, (at) + offsetof(fare_control_drive, to), "1e300", -1e9, FARE_CONTROL_OWN, NULL,     \
      "of the parameter", "its value after; default: that of the section `system:`"},                     \
    {"lower", FARE_REAL, (at) + offsetof(fare_control_drive, lower), "-1e300", -1e300, 1e300, NULL,       \
      "of the parameter", "least value of the drive; default: of the parameter's own range"},             \
  {                                                                                                       \
    "upper", FARE_REAL, (at) + offsetof(fare_control_drive, upper), "1e300", -1e300, 1e300, NULL,         \
      "of the parameter", "largest one"                                                                   \
  }

#define AT(member) offsetof(fare_control_line, member)
const fare_field fare_control_drive_fields[] = {DRIVE(0, NULL), FARE_FIELDS_END};
const fare_field fare_control_fields[]       = {
        {"name", FARE_STRING, AT(name), NULL, 0, 0, NULL, "", "letters, digits, _ and -"},
        {"aim", FARE_CHOICE, AT(aim), "least_work", 0, 0, aims, "",
          "least_work, least_dissipation: of a system that begins in the Boltzmann density, which have the same "
                "best drive; most_likely, least_likely: an event; observable: its mean at the end; reach: a density at "
                "the end; most_power: of a cycle, while the section `drive` moves kT"},
        DRIVE(AT(single), ""),
        {"drives", FARE_NODE, AT(drives_node), "", 0, 0, NULL, "",
          "list of maps with the keys parameter, from, to, lower, upper: several parameters that are driven"},
        {"duration", FARE_REAL, AT(duration), NULL, 1e-9, 1e9, NULL, "time", "of the drive"},
        {"event", FARE_STRING, AT(event_name), "", 0, 0, NULL, "",
          "of the section `events:`, with its deadline when the drive ends"},
        {"seek", FARE_CHOICE, AT(seek), "largest", 0, 0, seeks, "", "which mean of the observable"},
        {"axis", FARE_STRING, AT(axis), "", 0, 0, NULL, "", "of the observable; by default the first"},
        {"power", FARE_INTEGER, AT(power), "1", 1, 8, NULL, "", "of the coordinate along that axis"},
        {"region", FARE_NODE, AT(region_node), "", 0, 0, NULL, "",
          "whose probability is the observable, instead of a power"},
        {"target", FARE_NODE, AT(target_node), "", 0, 0, NULL, "",
          "density to reach, as the section `initial:`; by default that of Boltzmann at `to`"},
        {"energy", FARE_REAL, AT(energy), "1e300", 1e-12, FARE_CONTROL_OWN, NULL, "",
          "largest integral of the squares of what is added to the parameters; default: any"},
        {"knots", FARE_INTEGER, AT(knots), "20", 2, 500, NULL, "", "values to be found, linear between"},
        {"jumps", FARE_BOOLEAN, AT(jumps), "true", 0, 0, NULL, "",
          "whether the drive may jump at both ends; then the first and last knot are free"},
        {"steps", FARE_INTEGER, AT(steps), "100", 8, 1e6, NULL, "",
          "time steps, about, and at least 8 between knots; twice as many judge what they find"},
        FARE_FIELDS_END,
};

const char *fare_control_aim(int aim)
{
  return aims[aim];
}

/* How far a drive may be expected to move, so that the search knows what is much. */
static double unit_of(const fare_control_line *line, const fare_control_drive *drive)
{
  if (line->energy < FARE_CONTROL_OWN) return sqrt(line->energy / line->duration);
  if (drive->from != drive->to) return fabs(drive->to - drive->from);
  if (drive->limited) return drive->upper - drive->lower;
  return drive->from != 0 ? fabs(drive->from) : 1;
}

/* Keys that belong to some aims. */
static PetscErrorCode check_keys(const fare_control_line *line)
{
  const int event = 1 << FARE_AIM_MOST_LIKELY | 1 << FARE_AIM_LEAST_LIKELY, mean = 1 << FARE_AIM_OBSERVABLE,
            reach = 1 << FARE_AIM_REACH;
  const struct {
    const char *key, *of;
    int         aims;
  } owned[] = {{"event", "most_likely and least_likely", event}, {"seek", "observable", mean},
    {"axis", "observable", mean}, {"power", "observable", mean}, {"region", "observable", mean},
    {"target", "reach", reach},
    {"energy", "most_likely, least_likely, observable and reach", event | mean | reach}};

  PetscFunctionBegin;
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(owned); i++) {
    const fare_node *at = fare_node_find(line->node, owned[i].key);

    if (at && !(owned[i].aims & 1 << line->aim))
      FARE_REFUSE(at, "only the aims %s have this key", owned[i].of);
  }
  if (fare_aim_is_event(line->aim) && !(line->event_name && *line->event_name))
    FARE_REFUSE(line->node, "missing key 'event': the name of an event of the section 'events'");
  if (line->energy < FARE_CONTROL_OWN && !line->jumps)
    FARE_REFUSE(fare_node_find(line->node, "energy"), "a limit of the energy needs a drive that may jump");
  PetscFunctionReturn(0);
}

static PetscErrorCode check_ends(
  const fare_node *node, const fare_control_line *line, const fare_parameter *row, fare_control_drive *drive)
{
  PetscFunctionBegin;
  drive->limited =
    drive->lower > -FARE_CONTROL_OWN && drive->upper < FARE_CONTROL_OWN ? PETSC_TRUE : PETSC_FALSE;
  drive->lower = PetscMax(drive->lower, row->min);
  drive->upper = PetscMin(drive->upper, row->max);
  if (!(drive->lower < drive->upper))
    FARE_REFUSE(
      node, "the drive must have room: expected lower < upper, got [%g, %g]", drive->lower, drive->upper);
  for (int end = 0; end < 2; end++) {
    const fare_node *at    = fare_node_find(node, end ? "to" : "from");
    double          *value = end ? &drive->to : &drive->from;

    if (*value == FARE_CONTROL_OWN) *value = drive->base;
    if (!(*value >= row->min && *value <= row->max))
      FARE_REFUSE(at, "%g is outside the parameter's range, [%g, %g]", *value, row->min, row->max);
    if (!line->jumps && !(*value >= drive->lower && *value <= drive->upper))
      FARE_REFUSE(at ? at : node,
        "without jumps the drive begins and ends there, but %g is outside of [lower, upper]", *value);
  }
  drive->unit = unit_of(line, drive);
  if (!fare_aim_is_work(line->aim) && line->energy == FARE_CONTROL_OWN && line->aim != FARE_AIM_REACH &&
    !drive->limited)
    FARE_REFUSE(
      node, "without a limit the best drive is as large as can be: give 'energy', or 'lower' and 'upper'");
  PetscFunctionReturn(0);
}

static PetscErrorCode find_parameter(
  const fare_node *node, const fare_control_line *line, int before, fare_control_drive *drive)
{
  const fare_system_type *type = fare_system_type_of(line->system);
  const fare_node        *at   = fare_node_find(node, "parameter");
  const fare_parameter   *row  = type->parameters;
  double                  theta[FARE_PARAMETERS_MAX];

  PetscFunctionBegin;
  while (row->name && strcmp(row->name, drive->name)) row++;
  if (!row->name) FARE_REFUSE(at, "system '%s' has no parameter '%s'", type->name, drive->name);
  drive->parameter = (int)(row - type->parameters);
  for (int k = 0; k < before; k++) {
    if (line->drive[k].parameter == drive->parameter) FARE_REFUSE(at, "'%s' is there twice", row->name);
  }
  if (fare_aim_is_work(line->aim) && drive->parameter == FARE_KT)
    FARE_REFUSE(at, "work under a moving temperature cannot be minimised yet");
  fare_system_parameters(line->system, 0, theta);
  drive->base = theta[drive->parameter];
  PetscCall(check_ends(node, line, row, drive));
  PetscFunctionReturn(0);
}

static PetscErrorCode read_drives(fare_control_line *line)
{
  static const char *const alone[] = {"parameter", "from", "to", "lower", "upper"};
  const fare_node         *list    = line->drives_node;

  PetscFunctionBegin;
  if (!list) {
    if (!line->single.name || !*line->single.name)
      FARE_REFUSE(line->node, "missing key 'parameter': what is driven; or give a list 'drives'");
    line->drives   = 1;
    line->drive[0] = line->single;
    PetscCall(find_parameter(line->node, line, 0, &line->drive[0]));
    PetscFunctionReturn(0);
  }
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(alone); i++) {
    const fare_node *at = fare_node_find(line->node, alone[i]);

    if (at) FARE_REFUSE(at, "with a list 'drives' each of them has this key, not the line");
  }
  if (fare_node_kind_of(list) != FARE_NODE_LIST || !fare_node_size(list) ||
    fare_node_size(list) > FARE_CONTROL_COURSES_MAX)
    FARE_REFUSE(
      list, "expected a list of 1 to %d maps {parameter: ..., from: ..., to: ...}", FARE_CONTROL_COURSES_MAX);
  for (int k = 0; k < (int)fare_node_size(list); k++) {
    const fare_node *node = fare_node_item(list, (size_t)k);

    if (fare_node_kind_of(node) != FARE_NODE_MAP)
      FARE_REFUSE(node, "expected a map {parameter: ..., from: ..., to: ...}");
    PetscCall(fare_fields_read(fare_control_drive_fields, NULL, node, &line->drive[k]));
    line->drives = k + 1;
    PetscCall(find_parameter(node, line, k, &line->drive[k]));
  }
  PetscFunctionReturn(0);
}

/* A piece of length h, at one end of which a is added to a parameter, has at least the energy a^2 h/4. */
void fare_control_reach(
  const fare_control_line *line, const fare_control_drive *drive, double *low, double *high)
{
  const double apart = line->duration / (double)(line->knots - 1);

  *low  = drive->limited ? drive->lower : PetscMin(drive->from, drive->to) - drive->unit;
  *high = drive->limited ? drive->upper : PetscMax(drive->from, drive->to) + drive->unit;
  if (line->energy < FARE_CONTROL_OWN) {
    *low  = PetscMin(*low, drive->base - 2 * sqrt(line->energy / apart));
    *high = PetscMax(*high, drive->base + 2 * sqrt(line->energy / apart));
  }
}

/* Potentials must close round a ring before and after, and at values of all drives that are no round numbers.
 */
static PetscErrorCode check_rings(const fare_control_line *line)
{
  const double first = 0.37, more[] = {0.6180339887, 0.7548776662, 0.8191725134, 0.8566748839};

  PetscFunctionBegin;
  for (int when = 0; when < 2 + VALUES; when++) {
    fare_system   *system;
    PetscErrorCode code = 0;

    PetscCall(fare_control_system(line, when == 1 ? PETSC_TRUE : PETSC_FALSE, &system));
    for (int k = 0; k < line->drives && when >= 2 && !code; k++) {
      const fare_control_drive *drive = &line->drive[k];
      double                    low, high;

      fare_control_reach(line, drive, &low, &high);
      low  = PetscMax(low, drive->lower);
      high = PetscMin(high, drive->upper);
      code = fare_system_set(system, drive->name, low + (high - low) * fmod(first + when * more[k], 1));
    }
    if (!code) code = fare_system_check(system, 0, 0);
    PetscCall(fare_system_destroy(&system));
    if (code) FARE_REFUSE(line->node, "where these parameters move: %s", fare_error_message());
  }
  PetscFunctionReturn(0);
}

/* The section `drive` moves kT and repeats; the line's own parameters are not in it. */
static PetscErrorCode check_cycle(const fare_control_line *line)
{
  PetscFunctionBegin;
  if (!fare_system_drives(line->system, FARE_KT))
    FARE_REFUSE(line->node,
      "a bath at one temperature gives no work: drive kT in the section 'drive', with the period `duration`");
  if (fare_system_drives(line->system, FARE_TIME))
    FARE_REFUSE(line->node, "formulas may not contain t here: drive one of their parameters instead");
  for (int k = 0; k < line->drives; k++) {
    if (fare_system_drives(line->system, line->drive[k].parameter))
      FARE_REFUSE(
        line->node, "'%s' is optimised here: remove it from the section 'drive'", line->drive[k].name);
  }
  PetscCall(
    fare_period_check(fare_node_find(line->node, "duration"), line->system, 0, line->duration, "least_work"));
  if (!fare_system_is_gradient(line->system))
    FARE_REFUSE(line->node, "work needs a system whose whole force is the gradient of its potential");
  if (!line->jumps)
    FARE_REFUSE(fare_node_find(line->node, "jumps"), "a cycle may jump where the next one begins");
  PetscFunctionReturn(0);
}

static PetscErrorCode check_physics(const fare_control_line *line)
{
  PetscBool still = PETSC_TRUE;

  PetscFunctionBegin;
  if (line->aim == FARE_AIM_MOST_POWER)
    PetscCall(check_cycle(line));
  else if (fare_system_is_driven(line->system))
    FARE_REFUSE(line->node, "leave out the section 'drive': the best drive of an undriven system is sought");
  if (fare_system_has_rates(line->system))
    FARE_REFUSE(line->node, "the force depends on how fast parameters move: no drive of it is sought yet");
  for (size_t axis = 0; axis < line->truth->boundaries.count; axis++) {
    if (!fare_aim_is_event(line->aim) && line->truth->boundaries.values[axis] >= FARE_BOUNDARY_ABSORBING)
      FARE_REFUSE(line->node, "axis %s has an absorbing boundary: only events can be aimed at there",
        fare_system_axis_name(line->system, (int)axis));
  }
  if (!line->jumps && line->knots < 3)
    FARE_REFUSE(line->node, "without jumps, 2 knots leave nothing to be found");
  if (!fare_aim_is_work(line->aim)) PetscFunctionReturn(0);
  if (!fare_system_is_gradient(line->system))
    FARE_REFUSE(line->node, "work needs a system whose whole force is the gradient of its potential");
  for (int k = 0; k < line->drives; k++) still &= line->drive[k].from == line->drive[k].to;
  if (still)
    FARE_REFUSE(line->node, "work needs two states: expected 'from' and 'to' that differ, of some parameter");
  PetscFunctionReturn(0);
}

static PetscErrorCode check_event(const fare_rare *rare, fare_control_line *line)
{
  const fare_node *at = fare_node_find(line->node, "event");

  PetscFunctionBegin;
  PetscCall(fare_rare_event(rare, at, &line->event));
  if (line->event->time != 0)
    FARE_REFUSE(at, "drives begin at time 0, but paths of the event at %g", line->event->time);
  if (fabs(line->event->deadline - line->duration) > 1e-9 * line->duration)
    FARE_REFUSE(fare_node_find(line->node, "duration"),
      "the drive must end at the deadline of the event: expected %g, got %g", line->event->deadline,
      line->duration);
  PetscFunctionReturn(0);
}

static PetscErrorCode read_observable(fare_control_line *line)
{
  const int dim = fare_system_dimension(line->system);

  PetscFunctionBegin;
  while (line->axis && *line->axis && line->along < dim &&
    strcmp(line->axis, fare_system_axis_name(line->system, line->along)))
    line->along++;
  if (line->along == dim)
    FARE_REFUSE(fare_node_find(line->node, "axis"), "there is no axis '%s': the first is '%s'", line->axis,
      fare_system_axis_name(line->system, 0));
  if (line->region_node)
    PetscCall(fare_region_from_config(line->region_node, line->system, line->truth, &line->region));
  PetscFunctionReturn(0);
}

/* Knots at equal distances, and two at each jump of the section `drive` within: what is sought may jump, too.
 */
static PetscErrorCode lay_knots(fare_control_line *line)
{
  const double close = 1e-9 * line->duration;
  double jump  = line->aim == FARE_AIM_MOST_POWER ? fare_system_next_jump(line->system, close) : HUGE_VAL;
  int    jumps = 0;

  PetscFunctionBegin;
  for (double t = jump; t < line->duration - close; t = fare_system_next_jump(line->system, t)) {
    if (++jumps > JUMPS_MAX)
      FARE_REFUSE(line->node, "the section 'drive' jumps more than %d times within the cycle", JUMPS_MAX);
  }
  PetscCall(PetscMalloc1((size_t)line->knots + 2 * (size_t)jumps, &line->at));
  for (int k = 0; k < (int)line->knots;) {
    const double t = line->duration * k / (double)(line->knots - 1);

    if (!(jump < line->duration - close && jump < t + close)) {
      line->at[line->points++] = t;
      k++;
      continue;
    }
    line->at[line->points++] = jump;
    line->at[line->points++] = jump;
    if (fabs(jump - t) <= close) k++;
    jump = fare_system_next_jump(line->system, jump);
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_control_line_read(const fare_node *node, const fare_system *system,
  const fare_truth_options *truth, const fare_rare *rare, fare_control_line *line)
{
  PetscFunctionBegin;
  line->node = node;
  if (fare_node_kind_of(node) != FARE_NODE_MAP)
    FARE_REFUSE(node, "expected a map {name: ..., parameter: ..., from: ..., to: ..., duration: ...}");
  PetscCall(fare_fields_read(fare_control_fields, NULL, node, line));
  line->system = system;
  line->truth  = truth;
  PetscCall(fare_node_check_name(fare_node_find(node, "name")));
  PetscCall(check_keys(line));
  PetscCall(read_drives(line));
  PetscCall(check_physics(line));
  PetscCall(check_rings(line));
  if (fare_aim_is_event(line->aim)) PetscCall(check_event(rare, line));
  if (line->aim == FARE_AIM_OBSERVABLE) PetscCall(read_observable(line));
  if (line->target_node) PetscCall(fare_initial_from_config(line->target_node, system, &line->target));
  if (line->aim == FARE_AIM_REACH && line->target.density == FARE_INITIAL_BOLTZMANN &&
    !fare_system_has_potential(system))
    FARE_REFUSE(node, "without a potential there is no Boltzmann density to reach: give a 'target'");
  line->steps = PetscMax(line->steps, STEPS_PER_PIECE * (line->knots - 1));
  PetscCall(lay_knots(line));
  PetscFunctionReturn(0);
}

void fare_control_line_free(fare_control_line *line)
{
  for (int k = 0; k < line->drives && line->drives_node; k++)
    fare_fields_free(fare_control_drive_fields, &line->drive[k]);
  fare_region_free(&line->region);
  fare_initial_free(&line->target);
  (void)PetscFree(line->at);
  fare_fields_free(fare_control_fields, line);
}

PetscErrorCode fare_control_system(const fare_control_line *line, PetscBool after, fare_system **system)
{
  PetscFunctionBegin;
  PetscCall(fare_system_create_undriven(line->system, system));
  for (int k = 0; k < line->drives; k++)
    PetscCall(fare_system_set(*system, line->drive[k].name, after ? line->drive[k].to : line->drive[k].from));
  PetscFunctionReturn(0);
}
