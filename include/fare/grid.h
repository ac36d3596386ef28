/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
  grid: a box of equal cells, distributed over ranks, and cell masses of given densities.
*/
#ifndef FARE_GRID_H
#define FARE_GRID_H

#include <fare/initial.h>
#include <fare/store.h>
#include <petscdmda.h>

/** Boundary conditions at the two ends of an axis. From FARE_BOUNDARY_ABSORBING on, some end absorbs. */
typedef enum {
  FARE_BOUNDARY_REFLECTING,
  FARE_BOUNDARY_PERIODIC,
  FARE_BOUNDARY_ABSORBING,
  FARE_BOUNDARY_ABSORBING_BELOW,
  FARE_BOUNDARY_ABSORBING_ABOVE
} fare_boundary;

/** What particles meet at one end of an axis; side 0: the lower one. */
static inline fare_wall fare_boundary_wall(fare_boundary boundary, int side)
{
  if (boundary == FARE_BOUNDARY_PERIODIC) return FARE_WALL_NONE;
  if (boundary == FARE_BOUNDARY_ABSORBING ||
    boundary == (side ? FARE_BOUNDARY_ABSORBING_ABOVE : FARE_BOUNDARY_ABSORBING_BELOW))
    return FARE_WALL_ABSORBING;
  return FARE_WALL_REFLECTING;
}

/** Whether an end of an axis absorbs; side 0: the lower one. */
static inline PetscBool fare_boundary_absorbs(fare_boundary boundary, int side)
{
  return fare_boundary_wall(boundary, side) == FARE_WALL_ABSORBING ? PETSC_TRUE : PETSC_FALSE;
}

#define FARE_AXIS_NAME_SIZE 65 /**< bytes of an axis's name, with its end */

/** Equal cells on a DMDA: one degree of freedom per cell, cell-centred, one layer of ghosts. */
typedef struct {
  MPI_Comm      comm;                   /**< the ranks that share it */
  int           dim;                    /**< number of axes */
  PetscInt      cells[FARE_DIM_MAX];    /**< 1 beyond dim */
  double        lower[FARE_DIM_MAX];    /**< lower corner of the box */
  double        upper[FARE_DIM_MAX];    /**< upper corner */
  double        spacing[FARE_DIM_MAX];  /**< width of a cell */
  fare_boundary boundary[FARE_DIM_MAX]; /**< at both ends of an axis */
  PetscInt      start[FARE_DIM_MAX];    /**< first cell that this rank owns; 0 beyond dim */
  PetscInt      count[FARE_DIM_MAX];    /**< cells that it owns along each axis; 1 beyond dim */
  DM            dm;                     /**< a DMDA; owned */
  char          axis[FARE_DIM_MAX][FARE_AXIS_NAME_SIZE]; /**< names of the axes in files; x, y, z at first */
} fare_grid;

/**
  Creates a grid. Collective over comm.
  @param comm     the ranks that share it
  @param dim      number of axes, 1 to FARE_DIM_MAX
  @param cells    number of cells per axis
  @param lower    lower corner of the box
  @param upper    upper corner
  @param boundary per axis; NULL: reflecting
  @param grid     destroy with fare_grid_destroy()
  @return 0 or an error code
*/
PetscErrorCode fare_grid_create(MPI_Comm comm, int dim, const PetscInt cells[], const double lower[],
  const double upper[], const fare_boundary boundary[], fare_grid **grid);
/**
  Gives the axes of a grid the names that they have in a system. Not collective.
  @param grid   the grid
  @param system of the same dimension
*/
void fare_grid_name_axes(fare_grid *grid, const fare_system *system);
/**
  Destroys a grid. Collective.
  @param grid set to NULL; may be NULL already
  @return 0 or an error code
*/
PetscErrorCode fare_grid_destroy(fare_grid **grid);

/**
  Whether an end of the grid absorbs. Not collective.
  @param grid the grid
  @return true where any does
*/
static inline PetscBool fare_grid_absorbs(const fare_grid *grid)
{
  for (int axis = 0; axis < grid->dim; axis++) {
    if (grid->boundary[axis] >= FARE_BOUNDARY_ABSORBING) return PETSC_TRUE;
  }
  return PETSC_FALSE;
}

/**
  A grid with cells half as wide, which live on the rank of their parents. Collective.
  @param coarse the grid of the parents
  @param fine   destroy with fare_grid_destroy()
  @return 0 or an error code
*/
PetscErrorCode fare_grid_refine(const fare_grid *coarse, fare_grid **fine);
/**
  Sums of the children of each cell, on a grid made by fare_grid_refine(). Not collective.
  @param coarse the grid of the sums
  @param fine   masses on the finer grid
  @param to     masses on the coarser one, overwritten
  @return 0 or an error code
*/
PetscErrorCode fare_grid_restrict(const fare_grid *coarse, Vec fine, Vec to);
/**
  The reverse: each child gets an equal share of its parent's mass. Not collective.
  @param coarse the grid of the parents
  @param from   masses on it
  @param fine   masses on the finer grid, overwritten
  @return 0 or an error code
*/
PetscErrorCode fare_grid_prolong(const fare_grid *coarse, Vec from, Vec fine);

/**
  Writes a field as a dataset. The grid's ranks are the store's, or every rank has all of the grid. Collective
  over the store.
  @param grid   the cells
  @param values one for each cell that this rank owns
  @param store  an open store
  @param path   of the dataset
  @return FARE_ERR_FAILED where the store cannot be written
*/
PetscErrorCode fare_grid_write(
  const fare_grid *grid, const double values[], fare_store *store, const char *path);
/**
  Reads what fare_grid_write() wrote. Collective over the store.
  @param grid   the cells
  @param values one for each cell that this rank owns, overwritten
  @param store  an open store
  @param path   of the dataset
  @return FARE_ERR_FAILED where the dataset cannot be read
*/
PetscErrorCode fare_grid_read(const fare_grid *grid, double values[], fare_store *store, const char *path);
/**
  Writes a field with openPMD's attributes comment, axisLabels, gridSpacing and gridGlobalOffset. Collective
  over the store.
  @param grid    the cells
  @param values  one for each cell that this rank owns
  @param comment the attribute
  @param store   an open store
  @param path    of the dataset
  @return FARE_ERR_FAILED where the store cannot be written
*/
PetscErrorCode fare_grid_write_mesh(
  const fare_grid *grid, const double values[], const char *comment, fare_store *store, const char *path);
/**
  Labels the axes of a field with the centres of cells, by fare_store_label(). In its dataset `before` others
  come first. Collective over the store.
  @param grid   the cells
  @param before number of axes of the dataset before those of the grid
  @param store  an open store
  @param path   of the dataset
  @return FARE_ERR_FAILED where the store cannot be written
*/
PetscErrorCode fare_grid_label(const fare_grid *grid, int before, fare_store *store, const char *path);

/**
  A field of all cells, whole on every rank, in the order of the grid whatever ranks own. Collective.
  @param grid   the cells
  @param field  one value per cell
  @param values as many as there are cells, overwritten; the first axis is the fastest
  @return an error of PETSc
*/
PetscErrorCode fare_grid_gather(const fare_grid *grid, Vec field, double values[]);
/**
  Volume of one cell. Not collective.
  @param grid the grid
  @return the product of the spacings: a length, an area or a volume
*/
double fare_grid_volume(const fare_grid *grid);
/**
  Centre of a cell along an axis. Not collective.
  @param grid the grid
  @param axis from 0 to dim - 1
  @param i    global index along the axis, from 0
  @return the coordinate
*/
double fare_grid_centre(const fare_grid *grid, int axis, PetscInt i);
/**
  The box of the grid. Not collective.
  @param grid the grid
  @return its corners, and which axes are periodic
*/
fare_box fare_grid_box(const fare_grid *grid);
/**
  Boundary conditions of the grid, for particles of the system. Not collective.
  @param grid   the grid
  @param system of as many axes; says whether axis 1 is a velocity
  @return the walls, as fare_walls_of()
*/
fare_walls fare_grid_walls(const fare_grid *grid, const fare_system *system);
/**
  Boundary conditions on a box, for particles of the system. Not collective.
  @param system   gives the number of axes; says whether axis 1 is a velocity
  @param box      its corners are those of the walls
  @param boundary per axis; decides alone which are periodic
  @return the walls; none at the ends of periodic axes
*/
fare_walls fare_walls_of(const fare_system *system, const fare_box *box, const fare_boundary boundary[]);

/** Number of cells that this rank owns. */
static inline PetscInt fare_grid_owned(const fare_grid *grid)
{
  return grid->count[0] * grid->count[1] * grid->count[2];
}
/**
  Global index per axis of a cell that this rank owns. Not collective.
  @param grid  the grid
  @param n     from 0 to fare_grid_owned() - 1; the first axis is the fastest
  @param index overwritten; 0 beyond dim
*/
void fare_cell_index(const fare_grid *grid, PetscInt n, PetscInt index[FARE_DIM_MAX]);
/**
  Centre of that cell. Not collective.
  @param grid   the grid
  @param n      as of fare_cell_index()
  @param centre dim coordinates, overwritten
*/
void fare_cell_centre(const fare_grid *grid, PetscInt n, double centre[]);

/** Layout of a ghosted local vector. */
typedef struct {
  PetscInt start[FARE_DIM_MAX];  /**< first cell */
  PetscInt count[FARE_DIM_MAX];  /**< number of cells */
  PetscInt stride[FARE_DIM_MAX]; /**< from one to the next */
} fare_ghosts;
/**
  The layout on this rank. Not collective.
  @param grid   the cells
  @param ghosts filled in
  @return 0 or an error code
*/
PetscErrorCode fare_ghosts_of(const fare_grid *grid, fare_ghosts *ghosts);
/**
  Values of a field with those of neighbours on other ranks, laid out as fare_ghosts_of() tells. Collective.
  @param grid   the cells
  @param field  a global vector; NULL: values become NULL
  @param local  to be given to fare_ghosts_restore()
  @param values borrowed until then
  @return an error of PETSc
*/
PetscErrorCode fare_ghosts_get(const fare_grid *grid, Vec field, Vec *local, const PetscScalar **values);
/**
  Gives back what fare_ghosts_get() lent. Not collective.
  @param grid   the cells
  @param local  set to NULL
  @param values afterwards invalid
  @return an error of PETSc
*/
PetscErrorCode fare_ghosts_restore(const fare_grid *grid, Vec *local, const PetscScalar **values);
/** Where the cell with a global index is in a ghosted local vector; add the stride of an axis for the next.
 */
static inline PetscInt fare_ghosts_at(const fare_ghosts *g, const PetscInt index[])
{
  return ((index[2] - g->start[2]) * g->count[1] + index[1] - g->start[1]) * g->count[0] + index[0] -
    g->start[0];
}
/**
  The cell beyond a face. Not collective.
  @param g    the layout
  @param here a cell, as of fare_ghosts_at()
  @param face 2 axis + side; side 0: below
  @return its place, as of fare_ghosts_at()
*/
static inline PetscInt fare_ghosts_over(const fare_ghosts *g, PetscInt here, int face)
{
  return here + (face % 2 ? 1 : -1) * g->stride[face / 2];
}

/** Number of Gauss-Legendre points in half a cell. */
#define FARE_HALF_POINTS 3
extern const double fare_half_offset[FARE_HALF_POINTS]; /**< of these, from the centre over the spacing */
extern const double fare_half_weight[FARE_HALF_POINTS]; /**< of sum 1 */
/** Point q of the 2 FARE_HALF_POINTS of a cell along one axis; *weight is multiplied by its weight. */
static inline void fare_cell_point(int q, double *offset, double *weight)
{
  const int half = q % FARE_HALF_POINTS;

  *offset = q < FARE_HALF_POINTS ? fare_half_offset[half] : -fare_half_offset[half];
  *weight *= 0.5 * fare_half_weight[half];
}

/**
  The L1 norm of a vector, added up in the order of its entries: that of a BLAS may depend on where in memory
  they lie. Collective.
  @param v    the vector
  @param norm the sum of all |v|
  @return 0 or an error code
*/
PetscErrorCode fare_norm_1(Vec v, double *norm);
/**
  The sum of a vector's entries, in several sums side by side as fare_norm_1(). Collective.
  @param v   a vector
  @param sum overwritten
  @return 0 or an error code
*/
PetscErrorCode fare_sum(Vec v, double *sum);
/**
  Cell masses of the Boltzmann density at time t, by Gauss quadrature of exp(-U/kT) with the largest
  exponent factored out. Collective.
  @param grid   the cells
  @param system a system with a potential
  @param t      time of its parameters
  @param masses new global vector of sum 1; the caller destroys it
  @return FARE_ERR_FAILED where the density cannot be normalised
*/
PetscErrorCode fare_grid_boltzmann(const fare_grid *grid, const fare_system *system, double t, Vec *masses);
/**
  The same for an initial density, cut off at the grid's own box whatever `initial->box` is. Narrow Gaussians
  get their masses from error functions instead. Collective.
  @param grid    the cells
  @param initial the density
  @param system  its potential is that of a Boltzmann density
  @param t       time of the system's parameters
  @param masses  new global vector of sum 1; the caller destroys it
  @return FARE_ERR_FAILED where the density cannot be normalised
*/
PetscErrorCode fare_grid_initial(
  const fare_grid *grid, const fare_initial *initial, const fare_system *system, double t, Vec *masses);

#endif
