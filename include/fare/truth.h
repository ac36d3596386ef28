/* SPDX-License-Identifier: BSD-2-Clause */
/*
  truth: the density p(x,t) on a grid, evolved by finite volumes with exponentially fitted (edge-integral)
  rates and an implicit, error-controlled time method, with an estimate of its own error. Unknowns are the
  masses of cells.
*/
#ifndef FARE_TRUTH_H
#define FARE_TRUTH_H

#include <fare/grid.h>
#include <fare/schedule.h>

typedef struct {
  /* per axis; even, because the error estimate compares with half as many; empty where accuracy is given */
  fare_integers cells;
  /* total L1 error asked for at every snapshot, for fare_truth_fit; 0: cells and tolerance are as given */
  double     accuracy;
  fare_reals lower, upper; /* of the box; empty: the system's own domain */
  /*
    fare_boundary per axis; empty: periodic where the system is, reflecting elsewhere. Periodic ones lie whole
    periods apart
  */
  fare_integers boundaries;
  double        tolerance;   /* estimated L1 error that one time step may add */
  PetscBool     extrapolate; /* record (density + its estimated error), too */
  PetscBool     estimate;    /* also evolve the coarser companions that give the error estimate */
  PetscBool     fit_domain;  /* lower and upper are found by fare_truth_fit_domain */
} fare_truth_options;
extern const fare_field fare_truth_fields[];
/* Reads and checks the plan's `truth:` section against the system. Free with fare_truth_options_free. */
PetscErrorCode fare_truth_options_from_config(
  const fare_node *node, const fare_system *system, fare_truth_options *options);
void fare_truth_options_free(fare_truth_options *options);
/* The box as it stands there: the system's own where none is given, or none found yet. */
fare_box fare_truth_box(const fare_system *system, const fare_truth_options *options);
/* Its boundary conditions, on that box. */
fare_walls fare_truth_walls(const fare_system *system, const fare_truth_options *options);

/* Bytes of a truth over all ranks, companions included. */
double fare_truth_bytes(const fare_system *system, const fare_truth_options *options);
/* FARE_ERR_INPUT where that is more than what is free on the ranks' machines. Takes no memory. Collective. */
PetscErrorCode fare_truth_check_memory(
  MPI_Comm comm, const fare_system *system, const fare_truth_options *options);
/*
  Where an accuracy is asked for: finds cells and tolerance that meet it at every snapshot, by pilot runs on
  coarse grids whose errors it extrapolates, and puts them into `options`. FARE_ERR_INPUT when memory forbids.
  Nothing to do otherwise. Collective.
*/
PetscErrorCode fare_truth_fit(MPI_Comm comm, const fare_system *system, const fare_initial *initial,
  const fare_schedule *schedule, fare_truth_options *options);

/*
  Where the domain is to be fitted: finds the smallest box, by pilot runs on few cells, outside of which less
  than 1e-10 of the mass lies at all snapshots and at times between, with a margin, and puts it into
  `options`, whose lower and upper the caller then frees. Axes that are periodic or absorb keep the system's
  own ends. FARE_ERR_INPUT where mass leaves even a box 64 times as wide as the system's. Nothing to do
  otherwise. Before fare_truth_fit. Collective.
*/
PetscErrorCode fare_truth_fit_domain(MPI_Comm comm, const fare_system *system, const fare_initial *initial,
  const fare_schedule *schedule, fare_truth_options *options);

/*
  Why the estimate of the error in space is out of its asymptotic range, where it is: it is then no more than
  an order of magnitude.
*/
typedef enum {
  FARE_DOUBT_NONE,
  /* U changes by more than 5 kT over a cell that holds mass, or by less where the error is large */
  FARE_DOUBT_WELLS,
  FARE_DOUBT_DRIFT,   /* drift over diffusion does */
  FARE_DOUBT_START,   /* the initial density is narrower than a cell */
  FARE_DOUBT_END,     /* the density is singular at an end of the box */
  FARE_DOUBT_UNKNOWN, /* the error does not fall as it should, or is large */
  FARE_DOUBT_FEW      /* few cells hold all the mass */
} fare_doubt;

/* What a truth knows about itself at its present time. L1 errors are of the density (between 0 and 2). */
typedef struct {
  double time, tolerance;
  /* estimated L1 errors; error is their sum; zero without estimate */
  double error_space, error_time, error;
  /*
    how many times as large the error in space is on cells twice as wide, used for what is no density:
    observed, but no more than the scheme can; zero without estimate
  */
  double ratio;
  /* and by how much the scheme's own order lets it fall; zero without estimate */
  double nominal;
  /* proven bound on the L1 error of the time method: the integrated residual; zero without estimate */
  double time_bound;
  double mass_drift; /* |sum - 1|, largest so far */
  double minimum;    /* smallest density so far */
  /* most mass that one solve was given to keep the density from being negative */
  double positivity_correction;
  /* mass in the outermost cells at ends that neither absorb nor join */
  double boundary_mass;
  /* what no end has absorbed, and what is absorbed per time; 1 and 0 where no end absorbs */
  double survival, exit_flux;
  double survival_error; /* estimated; zero without estimate */
  /* by the lower and the upper end of each axis so far, and the error of that, estimated */
  double   absorbed[FARE_DIM_MAX][2], absorbed_error[FARE_DIM_MAX][2];
  double   exit_rate[FARE_DIM_MAX][2]; /* and now, per time */
  PetscInt steps, rejected, solves;    /* of the grid itself, without its companions */
  double   seconds;                    /* spent advancing, this rank, companions included */
  PetscInt iterations;                 /* of the solves; 0 where they are direct */
  /* by which the error in space falls when cells are halved, as three grids show it; 0: it was not seen */
  double observed;
  int    doubt, doubt_axis; /* a fare_doubt; the axis of its cause */
  /* kT over a cell; cell Peclet number; standard deviation of the start; ratio */
  double doubt_size;
  double advised[FARE_DIM_MAX]; /* cells to take instead, where there is doubt */
} fare_truth_status;

/* The cause and the cells to take, without a full stop; empty where there is no doubt. */
void fare_truth_doubt_text(
  const fare_system *system, const fare_truth_status *status, size_t size, char text[]);

typedef struct fare_truth fare_truth;

/*
  Collective. Keeps references to system and initial, which must outlive it. PETSc options: prefix truth_.
  FARE_ERR_INPUT when it does not fit into memory, before any is taken.
*/
PetscErrorCode fare_truth_create(MPI_Comm comm, const fare_system *system, const fare_initial *initial,
  double start, const fare_truth_options *options, fare_truth **truth);
/*
  Evolves to time t. Collective. FARE_ERR_FAILED when the solver gives up, or where t is before the present
  time.
*/
PetscErrorCode fare_truth_advance(fare_truth *truth, double t);
/*
  `pause` is called again and again on the way, whenever the state is one that may be saved: it may do that,
  and where it returns an error the advance ends with it, for another to the same time to go on, in this
  process or in one that has loaded the state, to the same bits. NULL: never. It is called collectively, by
  the ranks of the truth.
*/
void           fare_truth_set_pause(fare_truth *truth, PetscErrorCode (*pause)(void *context), void *context);
PetscErrorCode fare_truth_destroy(fare_truth **truth);
/*
  The state, from which a truth that was created alike goes on to the same bits; its time is that of the part
  that is least far. It has parts, each with numbers and with vectors on a grid of its own, in a fixed order;
  grid and vectors are borrowed. To restore it, fill the vectors of all parts and then load the numbers of
  each. Collective.
*/
#define FARE_TRUTH_NUMBERS 102
#define FARE_TRUTH_VECTORS 16
/* the truth itself, and its companions */
enum { FARE_TRUTH_MAIN, FARE_TRUTH_HALF, FARE_TRUTH_HALF_TIGHTER, FARE_TRUTH_QUARTER, FARE_TRUTH_PARTS_MAX };
int  fare_truth_parts(const fare_truth *truth);
void fare_truth_part(
  const fare_truth *truth, int part, const fare_grid **grid, int *vectors, Vec vector[FARE_TRUTH_VECTORS]);
PetscErrorCode   fare_truth_save(const fare_truth *truth, int part, double numbers[FARE_TRUTH_NUMBERS]);
PetscErrorCode   fare_truth_load(fare_truth *truth, int part, const double numbers[FARE_TRUTH_NUMBERS]);
const fare_grid *fare_truth_part_grid(const fare_truth *truth, int part);
/* borrowed; of the cells of that grid */
Vec              fare_truth_part_masses(const fare_truth *truth, int part);
const fare_grid *fare_truth_grid(const fare_truth *truth);
Vec              fare_truth_masses(const fare_truth *truth); /* borrowed; of the cells, sum 1 */
/* borrowed; estimated (exact - masses) per cell; zero without estimate */
Vec                      fare_truth_error_field(const fare_truth *truth);
const fare_truth_status *fare_truth_get_status(const fare_truth *truth);

/*
  The exact densities at all times of a schedule, whole on every rank: what an oracle takes its score,
  velocity or coupling from, where a learned method would ask its network.
*/
typedef struct {
  fare_grid *grid; /* of this rank alone, with all cells */
  PetscInt64 count;
  double    *times;
  double   **masses; /* masses[k][cell]: of time k, the first axis fastest; not negative, sum 1 */
} fare_densities;

/*
  Evolves a truth of its own, without companions, through the whole schedule. The result belongs to each rank.
  Collective; errors as of fare_truth_create and _advance.
*/
PetscErrorCode fare_densities_create(MPI_Comm comm, const fare_system *system, const fare_initial *initial,
  const fare_schedule *schedule, const fare_truth_options *options, fare_densities **densities);
PetscErrorCode fare_densities_destroy(fare_densities **densities);
/* The index of the schedule's time t (to rounding), -1 where it is none of them. */
PetscInt64 fare_densities_find(const fare_densities *densities, double t);
/* Bytes on each rank. */
double fare_densities_bytes(const fare_schedule *schedule, const fare_truth_options *options);

#endif
