/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside analysis: what a kind of analysis provides, what it finds, and the solvers that kinds share. */
#ifndef FARE_ANALYSIS_PRIVATE_H
#define FARE_ANALYSIS_PRIVATE_H

#include <fare/analysis.h>
#include <fare/evolution.h>
#include <fare/resolution.h>
#include <fare/truth.h>

/*
  Values that are given within sets: up to two. With a system, they are not those at a boundary that its drift
  alone, at that time, leads away from: there, fields leap.
*/
typedef struct {
  int                count;
  const fare_region *region[2];
  double             value[2];
  const fare_system *system; /* NULL: fields do not leap */
  double             time;
} fare_held;
typedef struct {
  size_t  count;
  double *x; /* [point * dim + axis] */
} fare_points;

/* Numbers of one name: extent[0] of them, or rows of extent[1] where rank is 2. */
typedef struct {
  char        name[48];
  const char *meaning;
  int         rank;
  uint64_t    extent[2];
  PetscBool   curve;    /* so many that they are for figures: kept, not printed */
  PetscBool   by_start; /* one for each start of a driven analysis */
  /*
    error: estimated, NaN where unknown; least: its part that other grids do not tell, 0 unless set; plain: of
    the finest grid alone, where value is extrapolated. All are NULL where the numbers are exact.
  */
  double *value, *error, *least, *plain;
  /*
    of values at points: the fields that they are taken from, extent[1] points of each or, of a single one,
    extent[0]
  */
  int                fields;
  Vec               *field;
  fare_held          held;
  const fare_points *points;
  const char *log; /* the finding of its logarithms, which its errors come from; NULL: it has its own */
} fare_finding;

/*
  A field on the grid: values at centres, cell masses that are kept as densities, or masses of which the L1
  error is found too.
*/
typedef enum { FARE_MESH_VALUES, FARE_MESH_MASSES, FARE_MESH_ESTIMATED } fare_mesh_kind;
typedef struct {
  char           name[48];
  const char    *meaning;
  fare_mesh_kind kind;
  double         least; /* L1 error that other grids do not tell, 0 unless set */
  Vec            values;
} fare_mesh;

typedef struct {
  int           findings, meshes;
  fare_finding *finding;
  fare_mesh    *mesh;
  PetscBool     leaps; /* of fields that may leap: order 2 is the most that is believed */
  PetscBool     cut;   /* sets end within cells, of this grid or a coarser one */
  /* of kinds that take long: what they keep, under names that begin with the analysis's; NULL: nothing */
  fare_analysis_keeper *keeper;
  const char           *of;
} fare_findings;

/*
  What keys are checked against: the box of the grid, and its wider cells where errors are estimated; where
  that box is yet to be found, one as large as any.
*/
typedef struct {
  const fare_system *system;
  int                dim;
  double             lower[FARE_DIM_MAX], upper[FARE_DIM_MAX];
  PetscBool          open[FARE_DIM_MAX]; /* that is so */
  fare_boundary      boundary[FARE_DIM_MAX];
  PetscInt           cells[FARE_DIM_MAX]; /* of the coarsest grid that is solved on */
} fare_analysis_context;

/* A kind of analysis: one const descriptor, exported by its one file. */
struct fare_analysis_type {
  const char       *name, *summary, *reference;
  size_t            size; /* of its own state, which begins zeroed with the fields filled in */
  const fare_field *fields;
  /* may be NULL */
  PetscErrorCode (*check)(
    void *state, const fare_node *node, const fare_analysis_context *context, double time);
  /*
    Computes on one grid. `like`: what was found on the finer grid, for kinds that have an order to match;
    NULL there.
  */
  PetscErrorCode (*run)(const void *state, const fare_grid *grid, const fare_system *system, double time,
    const fare_findings *like, fare_findings *found);
  /* the same where truth.scheme is high_order; NULL: fitted rates serve everywhere */
  PetscErrorCode (*run_high_order)(const void *state, const fare_grid *grid, const fare_system *system,
    double time, const fare_findings *like, fare_findings *found);
  void (*destroy)(void *state); /* may be NULL; fields are freed by the caller */
  /* what the table does not show, behind it; may be NULL */
  void (*print)(const fare_findings *found, const char *name, FILE *to);
};

/* Numbers of a name, zeros at first, and from then on this is the row under way. Not collective. */
PetscErrorCode fare_analysis_keep(
  fare_analysis_keeper *keeper, const char *name, size_t count, double **number);

/*
  Adds numbers that have an error; exact ones, in rows; a single exact one; and a field, which is taken over.
  All but the field is copied. Returns the finding, valid until the next, or NULL where there are no numbers;
  or the mesh, alike.
*/
fare_finding *fare_found(
  fare_findings *found, const char *name, const char *meaning, size_t count, const double value[]);
fare_finding *fare_found_exact(fare_findings *found, const char *name, const char *meaning, size_t rows,
  size_t columns, const double value[]);
void          fare_found_number(fare_findings *found, const char *name, const char *meaning, double value);
fare_mesh    *fare_found_mesh(
     fare_findings *found, const char *name, const char *meaning, fare_mesh_kind kind, Vec values);
/*
  Values of fields at points, a row of each where there are several; `known`: error of all of them that the
  grid does not tell. References the fields, borrows regions and points.
*/
PetscErrorCode      fare_found_at_points(fare_findings *found, const char *name, const char *meaning,
       const fare_grid *grid, const fare_held *held, int fields, Vec field[], const fare_points *points,
       double known);
const fare_finding *fare_findings_find(const fare_findings *found, const char *name);
/*
  Errors of what was found on `grid` by what was found on `half`, of cells twice as wide, where they are
  `ratio` times as large; and on `quarter`, of cells four times as wide, which tells where the other
  difference is small by chance (NULL: none). ratio 0: as these three grids show. At points the largest
  difference within two of the wider cells counts.
*/
PetscErrorCode fare_findings_estimate(const fare_grid *grid, const fare_grid *half, const fare_grid *quarter,
  double ratio, const fare_findings *coarse, const fare_findings *coarser, fare_findings *found);
/*
  Values at `count` points: see interpolate.c. spread (may be NULL): by how much that differs from one order
  less. Collective.
*/
PetscErrorCode fare_interpolate(const fare_grid *grid, const fare_held *held, Vec values, size_t count,
  const double x[], double at[], double spread[]);
/* Puts numbers that four grids or three extrapolate in the place of those that fall as they should. */
#define FARE_ANALYSIS_GRIDS 4 /* coarser[0] is not used; those that do not serve are empty */
void fare_findings_extrapolate(const fare_findings coarser[FARE_ANALYSIS_GRIDS], fare_findings *found);
PetscErrorCode fare_findings_save(
  const fare_findings *found, const fare_grid *grid, fare_store *store, const char *group);
void           fare_findings_print(const fare_findings *found, const char *name, fare_table *table);
PetscErrorCode fare_findings_free(fare_findings *found);

/* From {lower: [...], upper: [...], formula: ...} or a list of these; a bound that is absent is the grid's
 * end. */
PetscErrorCode fare_region_read(
  const fare_node *node, const fare_analysis_context *context, fare_region *region);
/* A set ends within a cell, not at a face. */
PetscBool fare_region_cuts(const fare_region *region, const fare_grid *grid);
/* All that lies outside of a set is outside of the grid's box, too. */
PetscBool fare_region_is_beyond(const fare_region *region, const double lower[], const double upper[]);
/* The part of a cell that lies in it. */
double fare_region_share(const fare_region *region, const fare_grid *grid, const PetscInt index[]);
/*
  Where the edge from the centre x, outside, to its neighbour along `axis`, inside, crosses the boundary:
  within (0, 1]. side 0: below.
*/
double fare_region_crossing(
  const fare_region *region, const fare_grid *grid, const double x[], int axis, int side);

/*
  How far it is from x, outside, along an axis to where the set begins; HUGE_VAL: it is not met. side 0:
  downward. period: of the axis, 0: none.
*/
double fare_region_reach(const fare_region *region, const double x[], int axis, int side, double period);
/* Between a coordinate outside of a box with a formula and one inside, where along an axis it begins. */
double fare_region_begins(
  const fare_region *region, size_t box, const double x[], int axis, double outside, double inside);
/* A list of points, each a list of coordinates, or of numbers for one axis; NULL: none. */
PetscErrorCode fare_points_read(
  const fare_node *node, const fare_analysis_context *context, fare_points *points);
void fare_points_free(fare_points *points);

/*
  A solver for A x = b, preconditioned by P: by factors where those are affordable, else by multigrid. PETSc
  options: prefix analysis_. Collective.
*/
PetscErrorCode fare_linear_solver_create(const fare_grid *grid, Mat A, Mat P, KSP *ksp);
/*
  GMRES without a preconditioner for y = map(x), vectors as `like`; map() gets `context` from the shell.
  Collective.
*/
typedef PetscErrorCode (*fare_map_function)(Mat shell, Vec x, Vec y);
PetscErrorCode fare_linear_solver_create_map(
  Vec like, fare_map_function map, void *context, const char *prefix, KSP *ksp);
/* V at the centres of cells, into a vector. Not collective. */
PetscErrorCode fare_potential_at_centres(const fare_grid *grid, const fare_system *system, double t, Vec V);
/* SLEPc begins at its first use and ends with PETSc. */
PetscErrorCode fare_slepc_begin(void);
/*
  Iterative refinement: x += solve(residual(x)) until the residual stops falling or is at most `enough`.
  residual() gives b - A x in the form that rounds least and the norm that it is relative to, and may
  normalise x. `what` begins the message where `most` is not reached.
*/
typedef PetscErrorCode (*fare_residual_function)(void *context, Vec x, Vec residual, double *scale);
/* The residual r, and its L1 norm relative to the scale. */
PetscErrorCode fare_linear_solver_residual(
  fare_residual_function residual, void *context, Vec x, Vec r, double *relative);
PetscErrorCode fare_linear_solver_refine(KSP ksp, fare_residual_function residual, void *context,
  double enough, double most, const char *what, Vec x, fare_solved *solved);

/*
  Factors of M, the matrix of sum_j r(i->j) (x_i - x_j) outside of targets, plus `shift`, by eliminating
  states without a subtraction: see elimination.c. `closed`: as if no end absorbed. FARE_ERR_FAILED where a
  state is never left. Rank 0 has them. Collective.
*/
typedef struct fare_absorbing   fare_absorbing;
typedef struct fare_elimination fare_elimination;
/* Whether a grid has few enough cells for that, and no option asks for another solver. */
PetscBool      fare_elimination_serves(const fare_grid *grid);
PetscErrorCode fare_elimination_create(
  const fare_absorbing *absorbing, double shift, PetscBool closed, fare_elimination **elimination);
PetscErrorCode fare_elimination_destroy(fare_elimination **elimination);
/*
  x = M^-1 x, or M^-T x, outside of targets and 0 inside. Relative accuracy of every entry where none of x is
  negative. Collective.
*/
PetscErrorCode fare_elimination_solve(fare_elimination *elimination, PetscBool transposed, Vec x);
/*
  M^T x = 0, sum 1, of one that is closed and has no shift and no targets. Relative accuracy of every entry.
  Collective.
*/
PetscErrorCode fare_elimination_stationary(fare_elimination *elimination, Vec masses);

/*
  The same for a shift that is large beside the rates, as in short steps, in three dimensions, by sweeps
  instead of factors (positive_step.c): whether they take less time, and x = (shift + M)^-1 x outside of
  targets, where no x is negative. Relative accuracy of every entry. Collective.
*/
PetscErrorCode fare_sweeps_serve(const fare_absorbing *absorbing, double shift, PetscBool *serve);
PetscErrorCode fare_sweeps_solve(const fare_absorbing *absorbing, double shift, Vec x);

/*
  The generator with states removed: cells in `target` hold given values (backward), or those of the
  stationary density (forward). An edge that crosses into a target ends where it crosses, its rate as if the
  potential were linear along it. `cut`: what the rate is divided by.
*/
typedef struct fare_tilting fare_tilting;
struct fare_absorbing {
  const fare_grid *grid;
  fare_operator   *op;
  PetscInt         owned, *column; /* [n * faces + face]: global number of the neighbour, -1 at an end */
  /* [n * faces + face]; part: of an edge that is outside */
  double *leaving, *entering, *cut, *part;
  /* which target a cell, and the neighbour over a face, is in; -1: none */
  signed char      *in, *beyond;
  fare_elimination *elimination; /* of these rates, once something was solved with them */
  double            time;        /* of the rates */
  fare_tilting     *tilting;     /* NULL: not tilted */
};
/* Index of the cell over a face, wrapped at periodic ends; false where there is none. */
PetscBool      fare_cell_over(const fare_grid *grid, const PetscInt index[], int face, PetscInt there[]);
PetscErrorCode fare_absorbing_create(const fare_grid *grid, const fare_system *system, double t, int targets,
  const fare_region *const target[], fare_absorbing **absorbing);
PetscErrorCode fare_absorbing_destroy(fare_absorbing **absorbing);
/* Brings the rates to time t. Collective. */
PetscErrorCode fare_absorbing_move(fare_absorbing *absorbing, double t);
/* The matrix of sum_j r(i->j) (x_i - x_j) over cells outside of all targets, and the identity in them. */
PetscErrorCode fare_absorbing_matrix(const fare_absorbing *absorbing, Mat *M);
/* shift + scale times that sum, into a matrix of that pattern; still the identity in targets. */
PetscErrorCode fare_absorbing_fill(const fare_absorbing *absorbing, double shift, double scale, Mat M);
/*
  r_i = b - sum_j r(i->j) (x_i - x_j) outside, 0 inside: differences first, so that a nearly constant x costs
  no digits. scale: L1 norm of its terms. Collective.
*/
PetscErrorCode fare_absorbing_residual(
  const fare_absorbing *absorbing, double b, Vec x, Vec r, double *scale);
/* x = value[target] inside, as it is outside. */
PetscErrorCode fare_absorbing_hold(const fare_absorbing *absorbing, const double value[], Vec x);
/*
  Completes x, which is given in targets and 0 outside, to the solution for M, or for its transpose, of which
  residual() gives b - A x, 0 in targets. Collective.
*/
PetscErrorCode fare_absorbing_complete(fare_absorbing *absorbing, PetscBool transposed,
  fare_residual_function residual, void *context, const char *what, Vec x, fare_solved *solved);
/*
  Solves sum_j r(i->j) (x_i - x_j) = b_i outside, x = value[target] inside, none of them negative. New vector.
  Collective.
*/
PetscErrorCode fare_absorbing_solve(
  fare_absorbing *absorbing, double b, const double value[], const char *what, Vec *x, fare_solved *solved);
/* Solves sum_j r(i->j) (x_i - x_j) = source_i outside, x = 0 inside. New vector. Collective. */
PetscErrorCode fare_absorbing_solve_source(
  fare_absorbing *absorbing, Vec source, const char *what, Vec *x, fare_solved *solved);
/* Makes a target, in one that has none, of the cell with the most mass; rates stay as they are. Collective.
 */
PetscErrorCode fare_absorbing_pin(fare_absorbing *absorbing, Vec masses);
/*
  The probability that an end is where paths are absorbed, not the targets or another end. New vector.
  Collective.
*/
PetscErrorCode fare_absorbing_exit(fare_absorbing *absorbing, int axis, int side, Vec *x);

/*
  What tilts rates: by an observable that grows by step[n * faces + face] as a path leaves over a face, and by
  rate[n] per time. The generator is W - offset then: with factors exp(s step) on what is beyond a face, and s
  rate - offset gained. See tilted_generator.c.
*/
struct fare_tilting {
  const fare_system *system;
  fare_observable    observable;
  double             s, offset;
  double            *step, *factor, *rate; /* [n * faces + face] twice, [n] */
  /* brings them to the time and the rates of the generator */
  PetscErrorCode (*move)(fare_absorbing *absorbing);
};
/* Tilts from now on, and anew; elimination does not serve then. Collective. */
PetscErrorCode fare_absorbing_tilt(
  fare_absorbing *absorbing, const fare_system *system, const fare_observable *observable, double s);
/* y = dW/ds x, of one that is tilted. Collective. */
PetscErrorCode fare_absorbing_slope(const fare_absorbing *absorbing, Vec x, Vec y);
/*
  The same of the operator of high order, from psi of fitted rates on. Without r: `right` is that of fitted
  rates. Collective.
*/
PetscErrorCode fare_tilted_solve_high_order(const fare_grid *grid, const fare_system *system, double t,
  const fare_observable *observable, double s, fare_tilted *tilted);
/* Driven, or for a while: see tilted_driven.c. */
typedef struct {
  double    start, end, tolerance;
  PetscBool repeats;
  Vec       begin; /* masses at the start, of paths that end at `end` */
} fare_tilted_span;
/*
  ln of the largest Floquet multiplier per period, or ln <exp(s A)>/duration of paths that begin in those
  masses; `right`: of the multiplier, or ln <exp(s A)>/duration of paths from each cell. Collective.
*/
PetscErrorCode fare_tilted_solve_driven(const fare_grid *grid, const fare_system *system,
  const fare_tilted_span *span, const fare_observable *observable, double s, fare_tilted *tilted,
  fare_driven *driven, double *slope_error);

/*
  The backward operator of high order outside of up to two targets, which it borrows: see backward.c.
  Collective.
*/
typedef struct fare_backward fare_backward;
PetscErrorCode fare_backward_create(const fare_grid *grid, const fare_system *system, double t, int targets,
  const fare_region *const target[], fare_backward **backward);
PetscErrorCode fare_backward_destroy(fare_backward **backward);
/* Minus the operator, the identity in targets; borrowed. Its columns are nodes, which no target moves from
 * centres. */
Mat fare_backward_matrix(const fare_backward *backward);
/*
  Minus the operator of x is `source`, x = value[target] inside and 0 at ends that absorb, or 1 at the end
  2 axis + side; -1: none. At centres of cells. New vector. Collective.
*/
PetscErrorCode fare_backward_solve(fare_backward *backward, double source, const double value[], int end,
  const char *what, Vec *x, fare_solved *solved);
/* Mean times to reach the targets or such ends; FARE_ERR_FAILED where rounding spoils them. */
PetscErrorCode fare_backward_times(
  fare_backward *backward, const char *what, Vec *times, fare_solved *solved);

/*
  The stationary density of the operator of high order: values at centres, times the volume of a cell. New
  vector. Collective.
*/
PetscErrorCode fare_stationary_values(
  const fare_grid *grid, const fare_system *system, double t, Vec *values, fare_solved *solved);

/*
  u' S v of the symmetric matrix S of sqrt(r(i->j) r(j->i)), as a sum over faces of products of differences.
  Collective.
*/
PetscErrorCode fare_spectrum_form(const fare_absorbing *faces, Vec u, Vec v, double *form);
/*
  Finds modes again whose rates the eigensolver cannot resolve. `rest`: masses that are at rest where no end
  absorbs. See slow_modes.c. Collective.
*/
PetscErrorCode fare_spectrum_refine(fare_absorbing *faces, Vec rest, fare_spectrum *spectrum);

/* Keys that both kinds of passage share. begin: none where `from` and `leave` are absent. */
typedef struct {
  const fare_node *target, *leave, *from, *points;
  int              weight;
  PetscBool        meshes;
  fare_region      absorbing, begin;
  fare_points      at;
} fare_passage_keys;
extern const char *const fare_passage_weights[];
#define FARE_PASSAGE_FIELDS(at)                                                                 \
  {"target", FARE_NODE, (at) + offsetof(fare_passage_keys, target), "", 0, 0, NULL, "",         \
    "the set to reach: a box {lower: [...], upper: [...]} or a list of boxes"},                 \
    {"leave", FARE_NODE, (at) + offsetof(fare_passage_keys, leave), "", 0, 0, NULL, "",         \
      "instead of a target: the set to leave"},                                                 \
    {"from", FARE_NODE, (at) + offsetof(fare_passage_keys, from), "", 0, 0, NULL, "",           \
      "initial set of the mean time; by default the set to leave"},                             \
    {"weight", FARE_CHOICE, (at) + offsetof(fare_passage_keys, weight), "stationary", 0, 0,     \
      fare_passage_weights, "", "weighting density in that set"},                               \
    {"points", FARE_NODE, (at) + offsetof(fare_passage_keys, points), "", 0, 0, NULL, "",       \
      "list of starting points of which to give the time"},                                     \
  {                                                                                             \
    "meshes", FARE_BOOLEAN, (at) + offsetof(fare_passage_keys, meshes), "true", 0, 0, NULL, "", \
      "also record the times on the grid"                                                       \
  }
PetscErrorCode fare_passage_check(
  fare_passage_keys *keys, const fare_node *node, const fare_analysis_context *context);
void fare_passage_free(fare_passage_keys *keys);
/*
  Masses in the set that it begins from, sum 1: parameters frozen at t. And times at the points, which leap
  where the drift of `leaping` at t, alone, comes out of the set; NULL: nowhere. Collective.
*/
PetscErrorCode fare_passage_begin(
  const fare_passage_keys *keys, const fare_grid *grid, const fare_system *system, double t, Vec *masses);
PetscErrorCode fare_passage_at_points(const fare_passage_keys *keys, const fare_grid *grid,
  const char *meaning, int count, Vec times[], double known, const fare_system *leaping, double t,
  fare_findings *found);

/* Keys that both kinds of committor share; `kept` says which fields. */
typedef struct {
  const fare_node *a, *b, *points;
  PetscBool        meshes, relative;
  fare_region      from, to;
  fare_points      at;
} fare_committor_keys;
#define FARE_COMMITTOR_FIELDS(at, kept)                                                                  \
  {"a", FARE_NODE, (at) + offsetof(fare_committor_keys, a), "", 0, 0, NULL, "",                          \
    "the set to start from: a box {lower: [...], upper: [...]} or a list of boxes"},                     \
    {"b", FARE_NODE, (at) + offsetof(fare_committor_keys, b), NULL, 0, 0, NULL, "", "the set to reach"}, \
    {"points", FARE_NODE, (at) + offsetof(fare_committor_keys, points), "", 0, 0, NULL, "",              \
      "list of points at which to give the committor"},                                                  \
    {"relative", FARE_BOOLEAN, (at) + offsetof(fare_committor_keys, relative), "false", 0, 0, NULL, "",  \
      "also give the logarithm at the points, with an error of its own, however small it is"},           \
  {                                                                                                      \
    "meshes", FARE_BOOLEAN, (at) + offsetof(fare_committor_keys, meshes), "true", 0, 0, NULL, "",        \
      "also record " kept                                                                                \
  }
PetscErrorCode fare_committor_check(fare_committor_keys *keys, const fare_analysis_context *context);
void           fare_committor_free(fare_committor_keys *keys);
/*
  ln q at the points, and q with relative errors, from q of cells. known: errors of ln q at each start and
  point; NULL: none. Collective.
*/
PetscErrorCode fare_committor_certify(const fare_committor_keys *keys, const fare_grid *grid, int count,
  Vec q[], const double known[], fare_findings *found);
/* q, of cells, at the points: 0 within a, 1 within b, or the other way round: `complement`. leaping: as
 * above. Collective. */
PetscErrorCode fare_committor_at_points(const fare_committor_keys *keys, const fare_grid *grid,
  PetscBool complement, const char *meaning, int count, Vec q[], double known, const fare_system *leaping,
  double t, fare_findings *found);

/*
  Steps of a moving generator, backward on x (dx/ds = b - M x, s = -t) or forward on masses (dP/dt = -M^T P).
  See stepper.c.
*/
#define FARE_STEPPER_STAGES 5
typedef struct {
  fare_absorbing *absorbing;
  PetscBool       forward, lags; /* lags: factors are used again */
  double          b, factored;   /* factored: width that they are of; 0: none yet */
  const double   *value;         /* in each target; not NULL: backward steps of order 1 by positive sums */
  PetscBool       still;         /* nothing is driven */
  double          filled;        /* width that the matrix is of, where it is still; 0: none yet */
  Mat             A, transposed;
  KSP             ksp;
  Vec             base, r, *slope;
  Vec             weight; /* of what lives, in cells; borrowed; NULL: 1 */
  /* d x/ds of a tilted generator, which goes along with x backward in time; NULL: none is wanted */
  Vec      tangent, part, *tangent_slope;
  PetscInt spent, steps; /* iterations of the last solve; steps so far */
} fare_stepper;
PetscErrorCode fare_stepper_create(const fare_grid *grid, const fare_system *system, double t, int targets,
  const fare_region *const target[], PetscBool forward, fare_stepper **stepper);
PetscErrorCode fare_stepper_destroy(fare_stepper **stepper);
/* From now on takes a tangent along, as wide as x, 0 so far. Collective. */
PetscErrorCode fare_stepper_add_tangent(fare_stepper *stepper);
PetscErrorCode fare_stepper_drop_tangent(fare_stepper *stepper);
/*
  One step; rates are taken between within[0] and within[1], at neither. *lived, where not NULL, grows by the
  integral of the sum of x, weighted. Collective.
*/
PetscErrorCode fare_stepper_step(
  fare_stepper *stepper, double from, double to, const double within[2], Vec x, double *lived);

/*
  The way from one time to another, either way: pieces between stops and jumps of the drive, with smaller
  steps behind a jump and, where it is `rough`, at the beginning.
*/
typedef struct {
  double    from, to;
  PetscInt  steps; /* on level 0; twice as many on each further one */
  int       stop;  /* that it ends at, -1: none */
  PetscBool rough;
} fare_time_piece;
typedef struct {
  int              pieces, begin; /* begin: the stop that it begins at, -1: none */
  fare_time_piece *piece;
} fare_timeline;
PetscErrorCode fare_timeline_create(const fare_system *system, double from, double to, int stops,
  const double stop[], PetscBool rough, fare_timeline **timeline);
PetscErrorCode fare_timeline_destroy(fare_timeline **timeline);
/* Takes x all the way; visit() sees it at every stop. `lived` and `visit` may be NULL. Collective. */
typedef PetscErrorCode (*fare_visit_function)(void *context, int stop, double t, Vec x);
PetscErrorCode fare_timeline_run(const fare_timeline *timeline, int level, fare_stepper *stepper, Vec x,
  double *lived, fare_visit_function visit, void *context);
/*
  Halves the steps, level by level, until their error meets the tolerance. run() solves on one level, tells by
  how much the result differs from that of the level before, and sets driven->steps and ->iterations. `what`
  is named where the tolerance is not met. Collective.
*/
typedef PetscErrorCode (*fare_level_function)(
  void *context, int level, double *difference, fare_driven *driven);
PetscErrorCode fare_levels_run(
  double tolerance, fare_level_function run, void *context, const char *what, fare_driven *driven);

/* That a span ends after it begins, and that starts rise within it. */
PetscErrorCode fare_span_check(const fare_span *span, int count, const double starts[]);

/* Refuses, at the node, a drive that leaves the range of a parameter within this time. */
PetscErrorCode fare_drive_check(const fare_node *node, const fare_system *system, double start, double end);
/*
  Keys that kinds of driven systems share, their rows, and what they come to: the span and the times `starts`
  at which paths begin.
*/
typedef struct {
  double     period, span, tolerance;
  int        after; /* a fare_after */
  PetscInt64 starts;
} fare_driven_keys;
#define FARE_STARTS_MAX 40
extern const char *const fare_driven_after[];
#define FARE_DRIVEN_FIELDS(at)                                                                              \
  {"period", FARE_REAL, (at) + offsetof(fare_driven_keys, period), "0", 0, 1e12, NULL, "time",              \
    "after which the drive repeats; or give span"},                                                         \
    {"span", FARE_REAL, (at) + offsetof(fare_driven_keys, span), "0", 0, 1e12, NULL, "time",                \
      "duration of the drive, from time on"},                                                               \
    {"after", FARE_CHOICE, (at) + offsetof(fare_driven_keys, after), "frozen", 0, 0, fare_driven_after, "", \
      "the span: frozen: the drive stays as it is; over: paths that have not arrived do not count"},        \
    {"starts", FARE_INTEGER, (at) + offsetof(fare_driven_keys, starts), "1", 1, FARE_STARTS_MAX, NULL, "",  \
      "number of start times of paths: the first is time, the others divide the span equally"},             \
  {                                                                                                         \
    "tolerance", FARE_REAL, (at) + offsetof(fare_driven_keys, tolerance), "1e-6", 1e-11, 0.1, NULL, "",     \
      "estimated time-stepping error, relative to the largest value"                                        \
  }
PetscErrorCode fare_driven_check(const fare_driven_keys *keys, const fare_node *node,
  const fare_system *system, double time, const char *instead);
void           fare_driven_plan(const fare_driven_keys *keys, double time, fare_span *span, double starts[]);
void           fare_driven_keep(const fare_driven_keys *keys, PetscBool relative, const fare_driven *driven,
            const double starts[], const char *what, fare_findings *found);

#endif
