/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside control: a line of the section, and what a drive with given knots leads to. */
#ifndef FARE_CONTROL_PRIVATE_H
#define FARE_CONTROL_PRIVATE_H

#include <fare/adjoint.h>
#include <fare/control.h>

#define FARE_CONTROL_OWN 1e300 /* a value that is not given: that of the section `system:` */

typedef enum {
  FARE_AIM_LEAST_WORK,
  FARE_AIM_LEAST_DISSIPATION,
  FARE_AIM_MOST_LIKELY,
  FARE_AIM_LEAST_LIKELY,
  FARE_AIM_OBSERVABLE,
  FARE_AIM_REACH,
  FARE_AIM_MOST_POWER
} fare_aim;
static inline PetscBool fare_aim_is_work(int aim)
{
  return aim == FARE_AIM_LEAST_WORK || aim == FARE_AIM_LEAST_DISSIPATION ? PETSC_TRUE : PETSC_FALSE;
}
static inline PetscBool fare_aim_is_event(int aim)
{
  return aim == FARE_AIM_MOST_LIKELY || aim == FARE_AIM_LEAST_LIKELY ? PETSC_TRUE : PETSC_FALSE;
}

/* A parameter that is driven. */
typedef struct {
  char     *name;
  double    from, to, lower, upper;
  int       parameter; /* its place in the system's table */
  double    base;      /* in the section `system:` */
  PetscBool limited;   /* by both `lower` and `upper` */
  double    unit;      /* how far it may be expected to move */
} fare_control_drive;

typedef struct {
  char                     *name, *event_name, *axis;
  int                       aim, seek, along, drives;
  fare_control_drive        single, drive[FARE_CONTROL_COURSES_MAX];
  double                    duration, energy;
  PetscInt64                knots, steps, power;
  int                       points; /* knots, and two where the section `drive` jumps within a cycle */
  double                   *at;     /* their times */
  PetscBool                 jumps;
  const fare_node          *node, *drives_node, *region_node, *target_node;
  fare_region               region; /* of an observable */
  fare_initial              target; /* of reach */
  const fare_event         *event;
  const fare_system        *system;
  const fare_truth_options *truth;
} fare_control_line;
/* Keys of one of several drives. */
extern const fare_field fare_control_drive_fields[];
/* Reads and checks a line; what it holds is freed by fare_control_line_free(), after an error, too. */
PetscErrorCode fare_control_line_read(const fare_node *node, const fare_system *system,
  const fare_truth_options *truth, const fare_rare *rare, fare_control_line *line);
void           fare_control_line_free(fare_control_line *line);
const char    *fare_control_aim(int aim);
/* How far the values of a drive may be expected to go; with an energy, none can go farther. */
void fare_control_reach(
  const fare_control_line *line, const fare_control_drive *drive, double *low, double *high);
/* The system with the values before the drive, or after it. */
PetscErrorCode fare_control_system(const fare_control_line *line, PetscBool after, fare_system **system);

/* What a drive leads to, by one number of steps on one grid. Knots: [knot * drives + drive]. */
typedef struct {
  const fare_control_line *line;
  MPI_Comm                 comm;
  fare_protocol            protocol;
  fare_adjoint            *adjoint;
  fare_goal                goal;
  Vec                      start;         /* NULL: of Boltzmann */
  double                  *place, *slope; /* values at places, and derivatives by them */
} fare_control_problem;
PetscErrorCode fare_control_problem_create(
  const fare_control_line *line, const fare_grid *grid, PetscInt steps, fare_control_problem *problem);
PetscErrorCode fare_control_problem_free(fare_control_problem *problem);
/*
  The number that the aim is about; its derivatives by the knots, where not NULL. FARE_ERR_STOPPED instead
  where a rank was asked to stop. Collective.
*/
PetscErrorCode fare_control_value(
  fare_control_problem *problem, const double knot[], double *value, double gradient[]);
/* That number as a cost, which is to be least; *factor: derivative of the cost by the number. */
double fare_control_cost(const fare_control_line *line, double value, double *factor);
/* Integral of the squares of what is added to the parameters; its derivatives where not NULL. */
double fare_control_energy(const fare_control_line *line, const double knot[], double gradient[]);
/* Adds a scaled drive to the base values so that it has the energy of the line; false: there is none. */
PetscBool fare_control_scale(const fare_control_line *line, double knot[]);

/*
  Improves knots, from those given. *left: by how much the cost would still fall, at the slope of the end,
  where each knot moved by its unit. *cut: the search has taken as long as it may. Every rank does the same
  with the same numbers. Collective.
*/
PetscErrorCode fare_control_search(
  fare_control_problem *problem, double knot[], PetscInt *iterations, double *left, PetscBool *cut);

/*
  What the best drive leads to by the truth's own time method, and the density at the knots. Start and field
  are those of the problem, on the same grid. Collective.
*/
PetscErrorCode fare_control_follow(const fare_control_line *line, const fare_grid *grid,
  const fare_control_problem *problem, fare_control_result *result);

/* Drives that the best is compared with. */
typedef struct {
  int count;
  struct {
    const char *name;
    double     *knot;
    PetscBool   feasible;
  } rung[FARE_CONTROL_RUNGS_MAX];
} fare_control_ladder;
/* Free it after an error, too. Collective. */
PetscErrorCode fare_control_ladder_create(
  const fare_control_line *line, const fare_grid *grid, fare_control_ladder *ladder);
void fare_control_ladder_free(fare_control_ladder *ladder);
/* Whether knots keep to bounds, jumps and energy. */
PetscBool fare_control_is_feasible(const fare_control_line *line, const double knot[]);
/* Whether all values are in the ranges of their parameters. */
PetscBool fare_control_is_possible(const fare_control_line *line, const double knot[]);

/* Finds the best drive of a line. result has its names already. Collective. */
PetscErrorCode fare_control_optimise(
  const fare_control_line *line, const fare_grid *grid, fare_control_result *result);
/* Writes the drive as the section `drive:` of a study. */
void fare_control_write_drive(const fare_control_result *result, fare_text *to);

#endif
