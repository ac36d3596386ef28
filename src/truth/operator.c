/*
  The generator on a grid by edge-integral rates,

    r(i -> j) = D / (h^2 <e^{U/T}>_edge <e^{-U/T}>_cell i),

  averages over the line from centre to centre and over the cell, by Gauss quadrature, each relative to a centre's U so that
  nothing overflows. Their stationary masses are exactly those of Boltzmann; where U is linear they are Scharfetter and Gummel's rates but for the
  cell average. A force that is no gradient adds its line integral along the edge to the exponent.
*/
#include "truth.h"

#include <petscdmda.h>

#include <math.h>
#include <string.h>

const double fare_half_offset[FARE_HALF_POINTS] = {0.05635083268962915, 0.25, 0.44364916731037085};
const double fare_half_weight[FARE_HALF_POINTS] = {5. / 18, 8. / 18, 5. / 18};

/* Beyond this many bytes of shapes per rank the potential is evaluated anew instead. */
#define CACHE_MAX ((size_t)1 << 30)
#define LINE      (2 * FARE_HALF_POINTS) /* points on the two half-edges of a cell along one axis */

struct fare_operator {
  const fare_grid        *grid;
  const fare_system      *system;
  const fare_system_type *type;
  PetscInt                start[FARE_DIM_MAX], count[FARE_DIM_MAX]; /* of the box that is looked at: owned cells and a layer around them */
  PetscInt                box, owned;
  int                     points; /* per cell: the centre, LINE per axis, and in 2-3 dimensions the cell's own */
  double                 *x[FARE_DIM_MAX]; /* [point * box + cell]; freed once shapes are cached */
  double                 *shape;           /* [(k * points + point) * box + cell] or NULL */
  double                 *U, *relative;    /* [point * box + cell]; relative to the centre */
  double                 *average;         /* <e^{-(U - U_centre)/T}> over the cell */
  double                 *half[FARE_DIM_MAX][2]; /* <e^{(U - U_centre)/T}> over the half-edge below and above */
  double                 *leaving[2 * FARE_DIM_MAX], *entering[2 * FARE_DIM_MAX];
  PetscScalar            *entry; /* of the matrix, row by row */
  double                  theta[FARE_PARAMETERS_MAX]; /* that the rates are of */
  PetscBool               valid;
};

/* In two and three dimensions cells are averaged over the tensor product of these: exact to sixth order. */
#define CELL_POINTS 3
static const double cell_offset[CELL_POINTS] = {-0.3872983346207417, 0, 0.3872983346207417};
static const double cell_weight[CELL_POINTS] = {5. / 18, 8. / 18, 5. / 18};

static int points_per_cell(int dim)
{
  return 1 + LINE * dim + (dim == 1 ? 0 : dim == 2 ? CELL_POINTS * CELL_POINTS : CELL_POINTS * CELL_POINTS * CELL_POINTS);
}

/* Offset of a point from the centre, in spacings. */
static void point_offset(int dim, int point, double offset[])
{
  memset(offset, 0, FARE_DIM_MAX * sizeof *offset);
  if (point == 0) return;
  if (--point < LINE * dim) {
    double weight = 1;

    fare_cell_point(point % LINE, &offset[point / LINE], &weight);
    return;
  }
  point -= LINE * dim;
  for (int axis = 0; axis < dim; axis++, point /= CELL_POINTS) offset[axis] = cell_offset[point % CELL_POINTS];
}

static double point_weight(int dim, int point)
{
  double weight = 1;

  point -= 1 + LINE * dim;
  for (int axis = 0; axis < dim; axis++, point /= CELL_POINTS) weight *= cell_weight[point % CELL_POINTS];
  return weight;
}

static void cell_index(const fare_operator *op, PetscInt cell, PetscInt index[])
{
  for (int axis = 0; axis < FARE_DIM_MAX; axis++) {
    index[axis] = op->start[axis] + cell % op->count[axis];
    cell /= op->count[axis];
  }
}

static PetscErrorCode place_points(fare_operator *op)
{
  const fare_grid *grid = op->grid;

  PetscFunctionBeginUser;
  for (int axis = 0; axis < grid->dim; axis++) PetscCall(PetscMalloc1((size_t)op->points * op->box, &op->x[axis]));
  for (int point = 0; point < op->points; point++) {
    double offset[FARE_DIM_MAX];

    point_offset(grid->dim, point, offset);
    for (PetscInt cell = 0; cell < op->box; cell++) {
      PetscInt index[FARE_DIM_MAX];

      cell_index(op, cell, index);
      for (int axis = 0; axis < grid->dim; axis++) op->x[axis][(size_t)point * op->box + cell] = fare_grid_centre(grid, axis, index[axis]) + offset[axis] * grid->spacing[axis];
    }
  }
  PetscFunctionReturn(0);
}

/* Where V = sum a_k(t) phi_k(x) the phi_k are evaluated here, once and for all. */
static PetscErrorCode cache_shapes(fare_operator *op)
{
  const size_t n = (size_t)op->points * op->box, shapes = (size_t)op->type->shapes;
  double      *phi[FARE_PARAMETERS_MAX];

  PetscFunctionBeginUser;
  if (!shapes || shapes * n * sizeof(double) > CACHE_MAX) PetscFunctionReturn(0);
  PetscCall(PetscMalloc1(shapes * n, &op->shape));
  for (size_t k = 0; k < shapes; k++) phi[k] = op->shape + k * n;
  op->type->shape(op->grid->dim, n, (const double *const *)op->x, phi);
  if (!op->type->extra) {
    for (int axis = 0; axis < op->grid->dim; axis++) PetscCall(PetscFree(op->x[axis]));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_operator_create(const fare_grid *grid, const fare_system *system, fare_operator **op)
{
  fare_operator *o;

  PetscFunctionBeginUser;
  PetscCall(PetscNew(&o));
  *op       = o;
  o->grid   = grid;
  o->system = system;
  o->type   = fare_system_type_of(system);
  o->box = o->owned = 1;
  for (int axis = 0; axis < FARE_DIM_MAX; axis++) {
    const int layer = axis < grid->dim;

    o->start[axis] = grid->start[axis] - layer;
    o->count[axis] = grid->count[axis] + 2 * layer;
    o->box *= o->count[axis];
    o->owned *= grid->count[axis];
  }
  o->points = points_per_cell(grid->dim);
  PetscCall(PetscMalloc3((size_t)o->points * o->box, &o->U, (size_t)o->points * o->box, &o->relative, o->box, &o->average));
  for (int axis = 0; axis < grid->dim; axis++) {
    for (int side = 0; side < 2; side++) {
      PetscCall(PetscMalloc1(o->box, &o->half[axis][side]));
      PetscCall(PetscCalloc2(o->owned, &o->leaving[2 * axis + side], o->owned, &o->entering[2 * axis + side]));
    }
  }
  PetscCall(PetscMalloc1(o->owned * (1 + 2 * grid->dim), &o->entry));
  PetscCall(place_points(o));
  PetscCall(cache_shapes(o));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_operator_destroy(fare_operator **op)
{
  fare_operator *o = *op;

  PetscFunctionBeginUser;
  if (!o) PetscFunctionReturn(0);
  for (int axis = 0; axis < FARE_DIM_MAX; axis++) {
    PetscCall(PetscFree(o->x[axis]));
    for (int side = 0; side < 2 && axis < o->grid->dim; side++) {
      PetscCall(PetscFree(o->half[axis][side]));
      PetscCall(PetscFree2(o->leaving[2 * axis + side], o->entering[2 * axis + side]));
    }
  }
  PetscCall(PetscFree3(o->U, o->relative, o->average));
  PetscCall(PetscFree(o->shape));
  PetscCall(PetscFree(o->entry));
  PetscCall(PetscFree(*op));
  PetscFunctionReturn(0);
}

static void evaluate_potential(fare_operator *op)
{
  const size_t n = (size_t)op->points * op->box;
  double       a[FARE_PARAMETERS_MAX];

  if (!op->shape) {
    op->type->potential(op->grid->dim, op->theta, n, (const double *const *)op->x, op->U);
    return;
  }
  op->type->coefficients(op->grid->dim, op->theta, a);
  for (size_t i = 0; i < n; i++) op->U[i] = a[0] * op->shape[i];
  for (int k = 1; k < op->type->shapes; k++) {
    const double *phi = op->shape + (size_t)k * n;

    for (size_t i = 0; i < n; i++) op->U[i] += a[k] * phi[i];
  }
}

/* The part of the force that is no gradient, along `axis`, at the faces above the cells of the box; NULL where there is none. */
static PetscErrorCode evaluate_extra(const fare_operator *op, int axis, double **F)
{
  const PetscInt n = op->box;
  double        *x[FARE_DIM_MAX] = {NULL}, *f[FARE_DIM_MAX] = {NULL};

  PetscFunctionBeginUser;
  *F = NULL;
  if (!op->type->extra) PetscFunctionReturn(0);
  for (int a = 0; a < op->grid->dim; a++) {
    PetscCall(PetscMalloc2(n, &x[a], n, &f[a]));
    for (PetscInt cell = 0; cell < n; cell++) {
      PetscInt index[FARE_DIM_MAX];

      cell_index(op, cell, index);
      x[a][cell] = fare_grid_centre(op->grid, a, index[a]) + (a == axis ? 0.5 * op->grid->spacing[a] : 0);
    }
  }
  op->type->extra(op->grid->dim, op->theta, (size_t)n, (const double *const *)x, f);
  PetscCall(PetscMalloc1(n, F));
  memcpy(*F, f[axis], (size_t)n * sizeof **F);
  for (int a = 0; a < op->grid->dim; a++) PetscCall(PetscFree2(x[a], f[a]));
  PetscFunctionReturn(0);
}

/* Averages of e^{U/T} over half-edges and of e^{-U/T} over cells, all relative to the cell's centre. */
static void average(fare_operator *op)
{
  const int      dim = op->grid->dim;
  const PetscInt n   = op->box;

  for (int point = 1; point < op->points; point++) {
    for (PetscInt cell = 0; cell < n; cell++) op->relative[(size_t)point * n + cell] = op->U[(size_t)point * n + cell] - op->U[cell];
  }
  fare_exponentials((size_t)(op->points - 1) * n, 1 / op->theta[FARE_KT], op->relative + n, op->relative + n);
  memset(op->average, 0, (size_t)n * sizeof *op->average);
  for (int axis = 0; axis < dim; axis++) {
    for (int side = 0; side < 2; side++) {
      double *half = op->half[axis][side];

      memset(half, 0, (size_t)n * sizeof *half);
      for (int q = 0; q < FARE_HALF_POINTS; q++) {
        /* fare_cell_point puts the points above the centre first */
        const double *e = op->relative + (size_t)(1 + axis * LINE + (1 - side) * FARE_HALF_POINTS + q) * n, w = fare_half_weight[q];

        for (PetscInt cell = 0; cell < n; cell++) half[cell] += w * e[cell];
        for (PetscInt cell = 0; cell < n && dim == 1; cell++) op->average[cell] += 0.5 * w / e[cell];
      }
    }
  }
  for (int point = 1 + LINE * dim; point < op->points; point++) {
    const double *e = op->relative + (size_t)point * n, w = point_weight(dim, point);

    for (PetscInt cell = 0; cell < n; cell++) op->average[cell] += w / e[cell];
  }
}

/*
  Where U rises by many T over one cell, what mass a cell has lies at its lower end, and averages from centre to centre would hold it there as by a
  barrier. So the way down is never slower than half of Scharfetter and Gummel's rate; the way up grows by the same factor, which
  keeps detailed balance. Nothing changes up to a rise of about 4 T per cell.
*/
static void let_fall(double fall, double scale, double *up, double *down)
{
  const double least = 0.5 * scale * (fall > 0 ? fall / -expm1(-fall) : 1);

  if (*down >= least) return; /* false, too, where it is no number */
  *up *= least / *down;
  *down = least;
  if (!isfinite(*up)) *up = 0; /* so steep that exp(-fall) is no number */
}

/* Rates over the face between `below` and the cell above it, F the extra force there. */
static void face_rates(const fare_operator *op, int axis, PetscInt below, PetscInt above, double F, double *up, double *down)
{
  const double h = op->grid->spacing[axis], T = op->theta[FARE_KT], D = op->theta[FARE_MOBILITY] * T / (h * h);
  const double rise = (op->U[above] - op->U[below] - F * h) / T, tilt = F * h / T;
  double       lower = op->half[axis][1][below], upper = op->half[axis][0][above];

  if (F != 0) {
    /* the half-edges again, with the work of F taken off */
    const double *e = op->relative;

    lower = upper = 0;
    for (int q = 0; q < FARE_HALF_POINTS; q++) {
      lower += fare_half_weight[q] * e[(size_t)(1 + axis * LINE + q) * op->box + below] * exp(-tilt * fare_half_offset[q]);
      upper += fare_half_weight[q] * e[(size_t)(1 + axis * LINE + FARE_HALF_POINTS + q) * op->box + above] * exp(tilt * fare_half_offset[q]);
    }
  }
  *up   = 2 * D / ((lower + exp(rise) * upper) * op->average[below]);
  *down = 2 * D / ((exp(-rise) * lower + upper) * op->average[above]);
  if (rise > 0) let_fall(rise, D, up, down);
  else let_fall(-rise, D, down, up);
}

static PetscErrorCode compute_rates(fare_operator *op)
{
  const fare_grid *grid = op->grid;
  PetscInt         stride = 1;

  PetscFunctionBeginUser;
  for (int axis = 0; axis < grid->dim; axis++) {
    double *F;

    PetscCall(evaluate_extra(op, axis, &F));
    for (PetscInt k = 0, n = 0; k < grid->count[2]; k++) {
      for (PetscInt j = 0; j < grid->count[1]; j++) {
        for (PetscInt i = 0; i < grid->count[0]; i++, n++) {
          const PetscInt index[FARE_DIM_MAX] = {i, j, k};
          const PetscInt layer[FARE_DIM_MAX] = {1, grid->dim > 1, grid->dim > 2};
          const PetscInt cell   = ((k + layer[2]) * op->count[1] + j + layer[1]) * op->count[0] + i + layer[0];
          const PetscInt place  = grid->start[axis] + index[axis];
          const int      closed = grid->end[axis] == FARE_END_REFLECTING;

          op->leaving[2 * axis][n] = op->entering[2 * axis][n] = op->leaving[2 * axis + 1][n] = op->entering[2 * axis + 1][n] = 0;
          if (!(closed && place == 0)) face_rates(op, axis, cell - stride, cell, F ? F[cell - stride] : 0, &op->entering[2 * axis][n], &op->leaving[2 * axis][n]);
          if (!(closed && place == grid->cells[axis] - 1)) face_rates(op, axis, cell, cell + stride, F ? F[cell] : 0, &op->leaving[2 * axis + 1][n], &op->entering[2 * axis + 1][n]);
        }
      }
    }
    stride *= op->count[axis];
    PetscCall(PetscFree(F));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_operator_rates(fare_operator *op, double t)
{
  double theta[FARE_PARAMETERS_MAX];

  PetscFunctionBeginUser;
  fare_system_parameters(op->system, t, theta);
  if (op->valid && !memcmp(theta, op->theta, sizeof theta)) PetscFunctionReturn(0);
  memcpy(op->theta, theta, sizeof theta);
  evaluate_potential(op);
  average(op);
  PetscCall(compute_rates(op));
  op->valid = PETSC_TRUE;
  PetscFunctionReturn(0);
}

void fare_operator_get_rates(const fare_operator *op, const double *leaving[], const double *entering[])
{
  for (int i = 0; i < 2 * op->grid->dim; i++) {
    leaving[i]  = op->leaving[i];
    entering[i] = op->entering[i];
  }
}

/* Entries of a row in the order in which assembly gives them: the diagonal, then one for each face; -1 where a face has no neighbour. */
static void row_columns(const fare_grid *grid, const PetscInt *global, const PetscInt ghost_start[], const PetscInt ghost_count[], const PetscInt index[], PetscInt columns[])
{
  PetscInt at = 0, stride = 1;

  for (int axis = FARE_DIM_MAX - 1; axis >= 0; axis--) at = at * ghost_count[axis] + grid->start[axis] + index[axis] - ghost_start[axis];
  columns[0] = global[at];
  for (int axis = 0; axis < grid->dim; axis++) {
    const PetscInt place  = grid->start[axis] + index[axis];
    const int      closed = grid->end[axis] == FARE_END_REFLECTING;

    columns[1 + 2 * axis] = closed && place == 0 ? -1 : global[at - stride];
    columns[2 + 2 * axis] = closed && place == grid->cells[axis] - 1 ? -1 : global[at + stride];
    stride *= ghost_count[axis];
  }
}

static PetscErrorCode ghost_box(const fare_grid *grid, PetscInt start[], PetscInt count[])
{
  PetscFunctionBeginUser;
  PetscCall(DMDAGetGhostCorners(grid->dm, &start[0], &start[1], &start[2], &count[0], &count[1], &count[2]));
  for (int axis = grid->dim; axis < FARE_DIM_MAX; axis++) {
    start[axis] = 0;
    count[axis] = 1;
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_operator_matrix(const fare_operator *op, Mat *A)
{
  const fare_grid       *grid = op->grid;
  const PetscInt         width = 1 + 2 * grid->dim;
  ISLocalToGlobalMapping mapping;
  const PetscInt        *global;
  PetscInt               start[FARE_DIM_MAX], count[FARE_DIM_MAX], *rows, *columns;

  PetscFunctionBeginUser;
  PetscCall(ghost_box(grid, start, count));
  PetscCall(DMGetLocalToGlobalMapping(grid->dm, &mapping));
  PetscCall(ISLocalToGlobalMappingGetIndices(mapping, &global));
  PetscCall(PetscMalloc2(op->owned * width, &rows, op->owned * width, &columns));
  for (PetscInt k = 0, n = 0; k < grid->count[2]; k++) {
    for (PetscInt j = 0; j < grid->count[1]; j++) {
      for (PetscInt i = 0; i < grid->count[0]; i++, n++) {
        const PetscInt index[FARE_DIM_MAX] = {i, j, k};

        row_columns(grid, global, start, count, index, columns + n * width);
        for (PetscInt entry = 0; entry < width; entry++) rows[n * width + entry] = columns[n * width];
      }
    }
  }
  PetscCall(ISLocalToGlobalMappingRestoreIndices(mapping, &global));
  PetscCall(MatCreate(grid->comm, A));
  PetscCall(MatSetSizes(*A, op->owned, op->owned, PETSC_DETERMINE, PETSC_DETERMINE));
  PetscCall(MatSetType(*A, MATAIJ));
  PetscCall(MatSetPreallocationCOO(*A, op->owned * width, rows, columns));
  PetscCall(PetscFree2(rows, columns));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_operator_assemble(fare_operator *op, double t, double shift, Mat A)
{
  const PetscInt faces = 2 * op->grid->dim;

  PetscFunctionBeginUser;
  PetscCall(fare_operator_rates(op, t));
  for (PetscInt n = 0; n < op->owned; n++) {
    PetscScalar *row = op->entry + n * (1 + faces);

    row[0] = shift;
    for (PetscInt face = 0; face < faces; face++) {
      row[0] += op->leaving[face][n];
      row[1 + face] = -op->entering[face][n];
    }
  }
  PetscCall(MatSetValuesCOO(A, op->entry, INSERT_VALUES));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_operator_apply(fare_operator *op, double t, Vec P, Vec y)
{
  const fare_grid   *grid = op->grid;
  const PetscScalar *p;
  PetscScalar       *to;
  PetscInt           start[FARE_DIM_MAX], count[FARE_DIM_MAX];
  Vec                local;

  PetscFunctionBeginUser;
  PetscCall(fare_operator_rates(op, t));
  PetscCall(DMGetLocalVector(grid->dm, &local));
  PetscCall(DMGlobalToLocal(grid->dm, P, INSERT_VALUES, local));
  PetscCall(ghost_box(grid, start, count));
  PetscCall(VecGetArrayRead(local, &p));
  PetscCall(VecGetArray(y, &to));
  for (PetscInt k = 0, n = 0; k < grid->count[2]; k++) {
    for (PetscInt j = 0; j < grid->count[1]; j++) {
      for (PetscInt i = 0; i < grid->count[0]; i++, n++) {
        const PetscInt cell = ((grid->start[2] + k - start[2]) * count[1] + grid->start[1] + j - start[1]) * count[0] + grid->start[0] + i - start[0];
        PetscInt       stride = 1;
        double         sum    = 0;

        for (int axis = 0; axis < grid->dim; axis++) {
          if (op->entering[2 * axis][n] != 0 || op->leaving[2 * axis][n] != 0) sum += op->entering[2 * axis][n] * p[cell - stride] - op->leaving[2 * axis][n] * p[cell];
          if (op->entering[2 * axis + 1][n] != 0 || op->leaving[2 * axis + 1][n] != 0) sum += op->entering[2 * axis + 1][n] * p[cell + stride] - op->leaving[2 * axis + 1][n] * p[cell];
          stride *= count[axis];
        }
        to[n] = sum;
      }
    }
  }
  PetscCall(VecRestoreArray(y, &to));
  PetscCall(VecRestoreArrayRead(local, &p));
  PetscCall(DMRestoreLocalVector(grid->dm, &local));
  PetscFunctionReturn(0);
}
