/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Inside system: formulas of time alone, and where steps must end so that nothing they do is stepped over. The
  tree has t as its axis 0 and no parameters. See course.c.
*/
#ifndef FARE_COURSE_H
#define FARE_COURSE_H

#include "expression.h"

#define FARE_KNOTS_MAX 100000 /* of all formulas of a course */

typedef struct fare_course fare_course;

/* Empty: nothing is followed. */
PetscErrorCode fare_course_create(fare_course **course);
void           fare_course_destroy(fare_course **course);
/*
  The formulas that are followed, instead of any before. The tree is the course's from here on, even after an
  error; switches are found in it. `names[k]` says in messages what root k is; copied.
*/
PetscErrorCode fare_course_follow(
  fare_course *course, fare_tree *tree, int count, const int root[], const char *const names[]);
/* What root k is at time t. */
double fare_course_at(const fare_course *course, int k, double t);
/*
  Finds jumps, corners and knots from `start` to `end`; outside, none are known. FARE_ERR_INPUT where a
  formula has no bound, or needs more than FARE_KNOTS_MAX of them.
*/
PetscErrorCode fare_course_cover(fare_course *course, double start, double end);
PetscBool      fare_course_covers(const fare_course *course, double start, double end);
/*
  The first after t: jump of a value, jump of a value or slope, and end of a stretch on which each formula is
  close to a straight line. Infinite when there is none.
*/
double fare_course_next_jump(const fare_course *course, double t);
double fare_course_next_corner(const fare_course *course, double t);
double fare_course_next_knot(const fare_course *course, double t);

/* The formula of `expression: "..."` of a waveform, as a course with one root. */
PetscErrorCode fare_course_from_text(const fare_node *node, const char *text, fare_course **course);
/* Whether any formula has t in it. */
PetscBool fare_expression_uses_time(const fare_expression *expression);
/* Follows the formulas of a system; `driven` parameters count with their base values. */
PetscErrorCode fare_expression_follow(const fare_expression *expression, int dim, const double base[],
  const PetscBool driven[], fare_course *course);

#endif
