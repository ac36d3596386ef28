/* SPDX-License-Identifier: BSD-2-Clause */
/* Events as a study names them. */
#include "event.h"
#include "rare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define AT(member) offsetof(fare_event_line, member)
const fare_field fare_event_fields[] = {
  {"name", FARE_STRING, AT(event.name), NULL, 0, 0, NULL, "", "letters, digits, _ and -"},
  {"a", FARE_NODE, AT(a), "", 0, 0, NULL, "",
    "the set to avoid: {lower: [...], upper: [...], formula: ...} or a list; needed without a deadline"},
  {"b", FARE_NODE, AT(b), NULL, 0, 0, NULL, "", "the set to reach"},
  {"start", FARE_REALS, AT(start), NULL, -1e9, 1e9, NULL, "length", "where paths begin: a point"},
  {"time", FARE_REAL, AT(event.time), "0", -1e12, 1e12, NULL, "time", "when they begin"},
  {"deadline", FARE_REAL, AT(event.deadline), "1e300", -1e12, FARE_NEVER, NULL, "time",
    "time by which b must be reached; default: none"},
  FARE_FIELDS_END,
};

static PetscErrorCode check_name(
  const fare_node *node, const fare_event_line *line, size_t before, const fare_event_line others[])
{
  PetscFunctionBegin;
  PetscCall(fare_node_check_name(node));
  for (size_t i = 0; i < before; i++) {
    if (!strcmp(others[i].event.name, line->event.name))
      FARE_REFUSE(node, "there is an event '%s' already", line->event.name);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode read_start(
  const fare_node *node, const fare_system *system, const fare_truth_options *truth, fare_event_line *line)
{
  const fare_box box = fare_truth_box(system, truth);
  const size_t   dim = (size_t)fare_system_dimension(system);

  PetscFunctionBegin;
  if (line->start.count != dim)
    FARE_REFUSE(
      node, "expected a point, a list of %zu number%s, got %zu", dim, dim > 1 ? "s" : "", line->start.count);
  for (size_t axis = 0; axis < dim; axis++) {
    const double x = line->start.values[axis];

    line->event.start[axis] = x;
    if (!truth->fit_domain && !(x >= box.lower[axis] && x <= box.upper[axis]))
      FARE_REFUSE(node, "%g lies outside the truth's box, [%g, %g]", x, box.lower[axis], box.upper[axis]);
  }
  if (fare_region_has(&line->event.b, line->event.start)) FARE_REFUSE(node, "the start lies in b already");
  if (line->event.a.boxes && fare_region_has(&line->event.a, line->event.start))
    FARE_REFUSE(node, "the start lies in a: nothing is left to happen");
  PetscFunctionReturn(0);
}

static PetscErrorCode read_deadline(const fare_node *node, const fare_system *system, fare_event_line *line)
{
  const fare_node *deadline = fare_node_find(node, "deadline");
  fare_event      *event    = &line->event;

  PetscFunctionBegin;
  if (!(event->deadline > event->time))
    FARE_REFUSE(deadline, "the deadline must lie after the time of the start (%g), got %g", event->time,
      event->deadline);
  if (event->deadline < FARE_NEVER) PetscFunctionReturn(0);
  if (!event->a.boxes)
    FARE_REFUSE(node, "expected a set 'a' to avoid, or a 'deadline': b is reached for certain without");
  if (fare_system_is_driven(system))
    FARE_REFUSE(node, "a parameter is driven, so that the event needs a 'deadline'");
  PetscFunctionReturn(0);
}

PetscErrorCode fare_event_read(const fare_node *node, const fare_system *system,
  const fare_truth_options *truth, size_t before, const fare_event_line others[], fare_event_line *line)
{
  fare_event *event = &line->event;

  PetscFunctionBegin;
  if (fare_node_kind_of(node) != FARE_NODE_MAP)
    FARE_REFUSE(node, "expected a map {name: ..., a: ..., b: ..., start: [...]}");
  PetscCall(fare_fields_read(fare_event_fields, NULL, node, line));
  line->node = node;
  PetscCall(check_name(fare_node_find(node, "name"), line, before, others));
  if (line->a) PetscCall(fare_region_from_config(line->a, system, truth, &event->a));
  PetscCall(fare_region_from_config(line->b, system, truth, &event->b));
  if (event->a.boxes && fare_region_overlaps(&event->a, &event->b))
    FARE_REFUSE(line->b, "the sets a and b overlap");
  PetscCall(read_start(fare_node_find(node, "start"), system, truth, line));
  PetscCall(read_deadline(node, system, line));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_event_check(const fare_event *event, const fare_grid *grid)
{
  const fare_region *sets[] = {&event->a, &event->b};
  int                has[2] = {!event->a.boxes, 0};

  PetscFunctionBegin;
  for (int axis = 0; axis < grid->dim; axis++) {
    if (!(event->start[axis] >= grid->lower[axis] && event->start[axis] <= grid->upper[axis]))
      FARE_FAIL(FARE_ERR_INPUT,
        "event %s: the start, %g, lies outside the truth's fitted box, [%g, %g]: set truth.lower and "
        "truth.upper",
        event->name, event->start[axis], grid->lower[axis], grid->upper[axis]);
  }
  for (PetscInt n = 0; n < fare_grid_owned(grid); n++) {
    double x[FARE_DIM_MAX];

    fare_cell_centre(grid, n, x);
    for (int k = 0; k < 2; k++) has[k] |= sets[k]->boxes && fare_region_has(sets[k], x);
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, has, 2, MPI_INT, MPI_MAX, grid->comm));
  if (!has[0] || !has[1])
    FARE_FAIL(FARE_ERR_INPUT,
      "event %s: the set %s holds no cell of the truth's box: set truth.lower and truth.upper", event->name,
      has[0] ? "b" : "a");
  PetscFunctionReturn(0);
}

void fare_event_write(const fare_event_line *line, fare_text *to)
{
  fare_fields_write(fare_event_fields, line, 4, to);
}

void fare_event_free(fare_event_line *line)
{
  fare_region_free(&line->event.a);
  fare_region_free(&line->event.b);
  fare_fields_free(fare_event_fields, line);
}
