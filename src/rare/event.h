/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside rare: a line of `events:`. */
#ifndef FARE_EVENT_PRIVATE_H
#define FARE_EVENT_PRIVATE_H

#include <fare/rare.h>

typedef struct {
  fare_event       event;
  const fare_node *node, *a, *b;
  fare_reals       start;
} fare_event_line;

/* `others`: those read before. What was read is freed by fare_event_free(), after an error, too. */
PetscErrorCode fare_event_read(const fare_node *node, const fare_system *system,
  const fare_truth_options *truth, size_t before, const fare_event_line others[], fare_event_line *line);
/* Its keys but for the sets. */
void fare_event_write(const fare_event_line *line, fare_text *to);
void fare_event_free(fare_event_line *line);

#endif
