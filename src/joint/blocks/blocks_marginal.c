/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Marginals of a product. Without a rotation they are sums of a block's cells. With one, an axis of the state
  is a sum of independent variables, one of each block: its characteristic function is the product of theirs.
  Averages over equal cells are the density convolved with a cell and then sampled, so that the sum over cells
  of m exp(i k c), divided by the transform of a cell, is E exp(i k y) to all orders (Sheppard's corrections),
  as long as k is well below pi over the cell's width.
*/
#include "blocks.h"

#include <cblas.h>
#include <complex.h>
#include <math.h>
#include <string.h>

#define CELLS_1  512
#define CELLS_2  128
#define SPREAD   9.0   /* standard deviations that a marginal's box reaches to either side */
#define SMALL    1e-12 /* what characteristic functions are cut off at */
#define MANY     4096  /* cells at a time */
#define RESOLVED 0.8   /* of pi over the width of a cell: larger wave numbers are not known */

/* sin(x)/x */
static double sinc(double x)
{
  return fabs(x) < 1e-4 ? 1 - x * x / 6 : sin(x) / x;
}

/* The block that an axis of the frame belongs to. */
static int block_of(const fare_product *product, int axis)
{
  int block = 0;

  while (block + 1 < fare_product_blocks(product) && fare_product_first(product, block + 1, NULL) <= axis)
    block++;
  return block;
}

/* The axis of the frame that an axis of the state is. */
static int axis_of(const fare_joint *joint, int axis)
{
  int y = 0;

  while (fare_product_axis(fare_product_of(joint->system), y) != axis) y++;
  return y;
}

static const fare_block_source *source_of(const fare_joint *joint, int block)
{
  const fare_blocks *all = joint->state;

  return &all->source[all->of_block[block]];
}

/* Masses along one or two axes of a block. */
static void sum_cells(const fare_block_density *p, int axes, const int along[], double to[])
{
  for (size_t i = 0; i < p->count; i++) {
    PetscInt index[FARE_DIM_MAX] = {0};
    size_t   rest                = i;

    for (int a = 0; a < p->dim; a++) {
      index[a] = (PetscInt)(rest % (size_t)p->cells[a]);
      rest /= (size_t)p->cells[a];
    }
    to[index[along[0]] + (axes > 1 ? index[along[1]] * p->cells[along[0]] : 0)] += p->mass[i];
  }
}

static PetscErrorCode straight(
  const fare_joint *joint, int version, int axes, const int axis[], fare_grid **grid, Vec *masses)
{
  const fare_product       *product = fare_product_of(joint->system);
  const fare_block_density *p[2];
  int                       along[2], block[2];
  PetscInt                  cells[2];
  double                    lower[2], upper[2], *line[2] = {NULL, NULL};
  fare_boundary             boundary[2];
  PetscScalar              *to;

  PetscFunctionBegin;
  for (int k = 0; k < axes; k++) {
    const int y = axis_of(joint, axis[k]);

    block[k]    = block_of(product, y);
    along[k]    = y - fare_product_first(product, block[k], NULL);
    p[k]        = source_of(joint, block[k])->version[version];
    cells[k]    = p[k]->cells[along[k]];
    lower[k]    = p[k]->lower[along[k]];
    upper[k]    = p[k]->upper[along[k]];
    boundary[k] = p[k]->periodic[along[k]] ? FARE_BOUNDARY_PERIODIC : FARE_BOUNDARY_REFLECTING;
    PetscCall(PetscCalloc1((size_t)cells[k], &line[k]));
    sum_cells(p[k], 1, &along[k], line[k]);
  }
  PetscCall(fare_grid_create(PETSC_COMM_SELF, axes, cells, lower, upper, boundary, grid));
  PetscCall(DMCreateGlobalVector((*grid)->dm, masses));
  PetscCall(VecSet(*masses, 0));
  PetscCall(VecGetArray(*masses, &to));
  if (axes == 1)
    memcpy(to, line[0], (size_t)cells[0] * sizeof *to);
  else if (block[0] == block[1])
    sum_cells(p[0], 2, along, to);
  else {
    for (PetscInt i = 0; i < cells[0] * cells[1]; i++) to[i] = line[0][i % cells[0]] * line[1][i / cells[0]];
  }
  PetscCall(VecRestoreArray(*masses, &to));
  for (int k = 0; k < axes; k++) PetscCall(PetscFree(line[k]));
  PetscFunctionReturn(0);
}

/* Centre of a cell. */
static double centre(const fare_block_density *p, size_t cell, int axis)
{
  for (int a = 0; a < axis; a++) cell /= (size_t)p->cells[a];
  return p->lower[axis] + p->spacing[axis] * ((double)(cell % (size_t)p->cells[axis]) + 0.5);
}

/* One axis of the state: its box, its cells, and the wave numbers 0, d, 2 d, ... that are known. */
typedef struct {
  const double *row; /* of Q */
  PetscInt      cells;
  double        lower, width, step;
  int           waves;
} direction;

/* The part of an axis of the state that a cell of a block makes. */
static double part_of(const direction *d, const fare_block_density *p, int first, size_t cell)
{
  double sum = 0;

  for (int a = 0; a < p->dim; a++) sum += d->row[first + a] * centre(p, cell, a);
  return sum;
}

/* Mean, variance and ends of the axis. */
static void find_box(const fare_joint *joint, int version, int axis, PetscInt cells, direction *d)
{
  const fare_product *product = fare_product_of(joint->system);
  double              mean = 0, variance = 0, lowest = 0, highest = 0, widest = 0;

  d->row = fare_product_row(product, axis);
  for (int b = 0; b < fare_product_blocks(product); b++) {
    const fare_block_density *p     = source_of(joint, b)->version[version];
    const int                 first = fare_product_first(product, b, NULL);
    double                    m = 0, s = 0;

    for (size_t i = 0; i < p->count; i++) m += p->mass[i] * part_of(d, p, first, i);
    for (size_t i = 0; i < p->count; i++) s += p->mass[i] * pow(part_of(d, p, first, i) - m, 2);
    for (int a = 0; a < p->dim; a++) {
      const double q = d->row[first + a];

      lowest += PetscMin(q * p->lower[a], q * p->upper[a]);
      highest += PetscMax(q * p->lower[a], q * p->upper[a]);
      widest = PetscMax(widest, fabs(q) * p->spacing[a]);
    }
    mean += m;
    variance += s;
  }
  lowest   = PetscMax(lowest, mean - SPREAD * sqrt(variance));
  highest  = PetscMin(highest, mean + SPREAD * sqrt(variance));
  d->cells = cells;
  d->lower = lowest;
  d->width = (highest - lowest) / (double)cells;
  d->step  = 2 * PETSC_PI / (highest - lowest);
  d->waves = (int)PetscMax(1, RESOLVED * PETSC_PI / widest / d->step);
}

/* Wave numbers of one or two axes: (from + i) d_0 and j d_1, phi[j][i]; of one axis i d_0 alone. */
static int rows_of(int axes, const direction d[2])
{
  return axes > 1 ? d[1].waves : 1;
}

static int columns_of(int axes, const direction d[2])
{
  return axes > 1 ? 2 * d[0].waves - 1 : d[0].waves;
}

static int first_of(int axes, const direction d[2])
{
  return axes > 1 ? 1 - d[0].waves : 0;
}

/* Adds the sum over some cells of m exp(i (k_0 s_0 + k_1 s_1)). */
static void add_cells(int axes, const direction d[2], const fare_block_density *p, int first, size_t begin,
  int count, double complex left[], double complex right[], double complex both[])
{
  const int            rows = rows_of(axes, d), columns = columns_of(axes, d), from = first_of(axes, d);
  const double complex one = 1;

  for (int c = 0; c < count; c++) {
    const size_t cell = begin + (size_t)c;
    const double s0 = part_of(&d[0], p, first, cell), s1 = axes > 1 ? part_of(&d[1], p, first, cell) : 0;

    for (int j = 0; j < rows; j++) left[j * count + c] = p->mass[cell] * cexp(I * j * d[1].step * s1);
    for (int i = 0; i < columns; i++) right[c * columns + i] = cexp(I * (from + i) * d[0].step * s0);
  }
  cblas_zgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, rows, columns, count, &one, left, count, right,
    columns, &one, both, columns);
}

/* Multiplies phi by a block's characteristic function. */
static PetscErrorCode multiply(
  int axes, const direction d[2], const fare_block_density *p, int first, double complex phi[])
{
  const int       rows = rows_of(axes, d), columns = columns_of(axes, d), from = first_of(axes, d);
  double complex *left, *right, *both;

  PetscFunctionBegin;
  PetscCall(PetscMalloc3(rows * MANY, &left, columns * MANY, &right, rows * columns, &both));
  memset(both, 0, (size_t)(rows * columns) * sizeof *both);
  for (size_t cell = 0; cell < p->count; cell += MANY)
    add_cells(axes, d, p, first, cell, (int)PetscMin(p->count - cell, MANY), left, right, both);
  for (int at = 0; at < rows * columns; at++) {
    double cell = 1;

    for (int a = 0; a < p->dim; a++)
      cell *= sinc(0.5 * p->spacing[a] *
        ((from + at % columns) * d[0].step * d[0].row[first + a] +
          (axes > 1 ? at / columns * d[1].step * d[1].row[first + a] : 0)));
    phi[at] *= both[at] / cell;
  }
  PetscCall(PetscFree3(left, right, both));
  PetscFunctionReturn(0);
}

static PetscErrorCode characteristic(
  const fare_joint *joint, int version, int axes, const direction d[2], double complex phi[])
{
  const fare_product *product = fare_product_of(joint->system);
  const int           total   = rows_of(axes, d) * columns_of(axes, d);

  PetscFunctionBegin;
  for (int i = 0; i < total; i++) phi[i] = 1;
  for (int b = 0; b < fare_product_blocks(product); b++)
    PetscCall(
      multiply(axes, d, source_of(joint, b)->version[version], fare_product_first(product, b, NULL), phi));
  PetscFunctionReturn(0);
}

/* Leaves out the wave numbers of an axis behind the last at which its characteristic function counts. */
static PetscErrorCode cut_off(const fare_joint *joint, int version, direction *d)
{
  double complex *phi;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1((size_t)d->waves, &phi));
  PetscCall(characteristic(joint, version, 1, (direction[2]){*d, {0}}, phi));
  while (d->waves > 1 && cabs(phi[d->waves - 1]) < SMALL) d->waves--;
  PetscCall(PetscFree(phi));
  PetscFunctionReturn(0);
}

/* exp(-i k c) of a cell's centre, times the transform of the cell over the period. */
static double complex back(const direction *d, int wave, PetscInt cell)
{
  const double k = wave * d->step;

  return cexp(-I * k * (d->lower + ((double)cell + 0.5) * d->width)) * sinc(0.5 * k * d->width) /
    (double)d->cells;
}

/* Masses of the cells from phi; half of all wave numbers, since those of -k are conjugate. */
static PetscErrorCode invert(int axes, const direction d[2], const double complex phi[], double masses[])
{
  const int            rows = rows_of(axes, d), columns = columns_of(axes, d), from = first_of(axes, d);
  const int            n = (int)d[0].cells;
  double complex      *turn, *part;
  const double complex one = 1, nought = 0;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2((size_t)(columns * n), &turn, (size_t)(rows * n), &part));
  for (int i = 0; i < columns; i++) {
    for (int c = 0; c < n; c++) turn[i * n + c] = back(&d[0], from + i, c) * (axes == 1 && i ? 2 : 1);
  }
  cblas_zgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, rows, n, columns, &one, phi, columns, turn, n,
    &nought, part, n);
  for (PetscInt r = 0; r < (axes > 1 ? d[1].cells : 1); r++) {
    for (int c = 0; c < n; c++) masses[r * n + c] = axes > 1 ? 0 : creal(part[c]);
    for (int j = 0; j < rows && axes > 1; j++) {
      const double complex b = back(&d[1], j, r) * (j ? 2 : 1);

      for (int c = 0; c < n; c++) masses[r * n + c] += creal(b * part[j * n + c]);
    }
  }
  PetscCall(PetscFree2(turn, part));
  PetscFunctionReturn(0);
}

static PetscErrorCode rotated(
  const fare_joint *joint, int version, int axes, const int axis[], fare_grid **grid, Vec *masses)
{
  direction       d[2] = {{0}, {0}};
  PetscInt        cells[2];
  double          lower[2], upper[2], sum = 0;
  double complex *phi;
  PetscScalar    *to;
  size_t          total = 1;

  PetscFunctionBegin;
  for (int k = 0; k < axes; k++) {
    find_box(joint, version, axis[k], axes > 1 ? CELLS_2 : CELLS_1, &d[k]);
    PetscCall(cut_off(joint, version, &d[k]));
    cells[k] = d[k].cells;
    lower[k] = d[k].lower;
    upper[k] = d[k].lower + d[k].width * (double)d[k].cells;
    total *= (size_t)cells[k];
  }
  PetscCall(PetscMalloc1((size_t)(2 * d[0].waves * PetscMax(1, d[1].waves)), &phi));
  PetscCall(characteristic(joint, version, axes, d, phi));
  PetscCall(fare_grid_create(PETSC_COMM_SELF, axes, cells, lower, upper, NULL, grid));
  PetscCall(DMCreateGlobalVector((*grid)->dm, masses));
  PetscCall(VecGetArray(*masses, &to));
  PetscCall(invert(axes, d, phi, to));
  /* what a finite sum of waves leaves below zero, of about SMALL */
  for (size_t i = 0; i < total; i++) sum += to[i] = PetscMax(to[i], 0);
  for (size_t i = 0; i < total; i++) to[i] /= sum;
  PetscCall(VecRestoreArray(*masses, &to));
  PetscCall(PetscFree(phi));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_blocks_marginal(
  fare_joint *joint, int version, int axes, const int axis[], fare_grid **grid, Vec *masses)
{
  PetscFunctionBegin;
  if (fare_product_frame(fare_product_of(joint->system)) == FARE_FRAME_ROTATION)
    PetscCall(rotated(joint, version, axes, axis, grid, masses));
  else
    PetscCall(straight(joint, version, axes, axis, grid, masses));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_blocks_block(fare_joint *joint, int version, int block, fare_grid **grid, Vec *masses)
{
  const fare_block_source *source = source_of(joint, block);
  const fare_grid         *of     = source->grid;
  PetscScalar             *to;

  PetscFunctionBegin;
  PetscCall(fare_grid_create(PETSC_COMM_SELF, of->dim, of->cells, of->lower, of->upper, of->boundary, grid));
  PetscCall(DMCreateGlobalVector((*grid)->dm, masses));
  PetscCall(VecGetArrayWrite(*masses, &to));
  memcpy(to, source->version[version]->mass, source->version[version]->count * sizeof *to);
  PetscCall(VecRestoreArrayWrite(*masses, &to));
  PetscFunctionReturn(0);
}
