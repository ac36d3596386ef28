/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Elimination of states without subtractions. For the rates a(i->j) >= 0 between states and k(i) >= 0 out of
  all of them, eliminating state e gives

    a(i->j) += a(i->e) a(e->j)/s,  k(i) += a(i->e) k(e)/s,  s = k(e) + sum_j a(e->j),

  s being a sum over what is left, never a difference: all numbers keep their relative accuracy, however rare
  the events are that they stand for (Grassmann, Taksar and Heyman, Oper. Res. 33, 1107 (1985); Alfa, Xue and
  Ye, Math. Comp. 71, 217 (2002)). So do solutions with right-hand sides that are not negative.

  The order is nested dissection of the box (George, SIAM J. Numer. Anal. 10, 345 (1973)), fronts are dense,
  and rank 0 has them all.
*/
#include "analysis/analysis.h"

#include <petscao.h>
#include <petscblaslapack.h>
#include <petscdmda.h>

#include <math.h>
#include <string.h>

#define LEAF     16        /* cells of a part that is not divided any more */
#define PANEL    32        /* states that are eliminated together */
#define MOST_2D  (1 << 20) /* cells whose factors fit: some 1.5 GB */
#define MOST_3D  50000
#define HUGE_SUM 1e150

/*
  States that are eliminated together: the states `first` to first + pivots - 1 in the order of elimination,
  then those that a path leads to from them and from what was eliminated below. Row p of `rows`: rates to all
  `size` states of the front, and out; columns[i * pivots + p]: a(i -> p)/s_p.
*/
typedef struct {
  PetscInt  first, pivots, size, begin; /* begin: first state of the parts below */
  PetscInt *state;                      /* the states of the front, by rising order of elimination */
  double   *rows, *columns, *sum;
  double   *rest; /* what is left for the front above: of states pivots to size - 1, with a column for what
                     leaves */
} front;

struct fare_elimination {
  const fare_grid *grid;
  PetscBool        closed;
  int              faces;
  Vec              all;    /* a field in natural order on rank 0; others have none of it, and no states */
  VecScatter       gather; /* from a vector of the grid */
  PetscInt         states;
  PetscInt        *position, *cell; /* of a cell in the order of elimination, -1: none; and back */
  double  *rate; /* [cell * (faces + 1) + face], at last out of all cells; freed with the factors made */
  PetscInt fronts, room;
  front   *front;
  double  *x; /* by order of elimination */
};

PetscBool fare_elimination_serves(const fare_grid *grid)
{
  const double cells  = (double)grid->cells[0] * (double)grid->cells[1] * (double)grid->cells[2];
  PetscBool    chosen = PETSC_FALSE;

  /* somebody asked for a solver of PETSc's */
  if (PetscOptionsHasName(NULL, "analysis_", "-pc_type", &chosen) || chosen) return PETSC_FALSE;
  return cells <= (grid->dim < 3 ? MOST_2D : MOST_3D) ? PETSC_TRUE : PETSC_FALSE;
}

static PetscInt natural(const fare_grid *grid, const PetscInt index[])
{
  return (index[2] * grid->cells[1] + index[1]) * grid->cells[0] + index[0];
}

/* Neighbour of a cell over a face, -1 where there is none. */
static PetscInt over(const fare_grid *grid, PetscInt cell, int face)
{
  PetscInt index[FARE_DIM_MAX], there[FARE_DIM_MAX];

  for (int a = 0; a < FARE_DIM_MAX; cell /= grid->cells[a], a++) index[a] = cell % grid->cells[a];
  return fare_cell_over(grid, index, face, there) ? natural(grid, there) : -1;
}

/* Rate of an owned cell over a face to another state; face = faces: out of all states, -1 in a target. */
static double rate_of(const fare_elimination *e, const fare_absorbing *k, double shift, PetscInt n, int face)
{
  double out = shift;

  if (k->in[n] >= 0) return face < e->faces ? 0 : -1;
  for (int f = 0; f < e->faces; f++) {
    const PetscInt  at    = n * e->faces + f;
    const PetscBool stays = k->column[at] >= 0 && k->beyond[at] < 0 ? PETSC_TRUE : PETSC_FALSE;

    if (f == face) return stays ? k->leaving[at] : 0;
    if (!stays && !e->closed) out += k->leaving[at] / k->cut[at];
  }
  return out;
}

/* Rates of all cells to rank 0. A cell in a target is no state: position -1, else 0. */
static PetscErrorCode gather_rates(const fare_absorbing *k, double shift, PetscInt cells, fare_elimination *e)
{
  const int          width = e->faces + 1;
  const PetscScalar *all;
  PetscScalar       *to;
  Vec                rates;

  PetscFunctionBegin;
  PetscCall(DMCreateGlobalVector(e->grid->dm, &rates));
  for (int face = 0; face < width; face++) {
    PetscCall(VecGetArray(rates, &to));
    for (PetscInt n = 0; n < k->owned; n++) to[n] = rate_of(e, k, shift, n, face);
    PetscCall(VecRestoreArray(rates, &to));
    PetscCall(VecScatterBegin(e->gather, rates, e->all, INSERT_VALUES, SCATTER_FORWARD));
    PetscCall(VecScatterEnd(e->gather, rates, e->all, INSERT_VALUES, SCATTER_FORWARD));
    PetscCall(VecGetArrayRead(e->all, &all));
    for (PetscInt cell = 0; cell < cells; cell++) e->rate[cell * width + face] = all[cell];
    PetscCall(VecRestoreArrayRead(e->all, &all));
  }
  for (PetscInt cell = 0; cell < cells; cell++)
    e->position[cell] = e->rate[cell * width + e->faces] >= 0 ? 0 : -1;
  PetscCall(VecDestroy(&rates));
  PetscFunctionReturn(0);
}

/* One more front, of the states among the cells of a box; `begin`: the first state of the parts below. */
static PetscErrorCode add_front(
  fare_elimination *e, const PetscInt low[], const PetscInt high[], PetscInt begin)
{
  front *f;

  PetscFunctionBegin;
  if (e->fronts == e->room) {
    e->room = PetscMax(64, 2 * e->room);
    PetscCall(PetscRealloc((size_t)e->room * sizeof *e->front, &e->front));
  }
  f = &e->front[e->fronts];
  memset(f, 0, sizeof *f);
  f->first = e->states;
  f->begin = begin;
  for (PetscInt k = low[2]; k < high[2]; k++) {
    for (PetscInt j = low[1]; j < high[1]; j++) {
      for (PetscInt i = low[0]; i < high[0]; i++) {
        const PetscInt cell = natural(e->grid, (PetscInt[]){i, j, k});

        if (e->position[cell] < 0) continue;
        e->position[cell]    = e->states;
        e->cell[e->states++] = cell;
        f->pivots++;
      }
    }
  }
  if (f->pivots) e->fronts++;
  PetscFunctionReturn(0);
}

/* Cells from low to high, high excluded: halves, then the layer between them. A ring is cut first. */
static PetscErrorCode dissect(fare_elimination *e, int ring, const PetscInt low[], const PetscInt high[])
{
  const PetscInt begin                = e->states,
                 extent[FARE_DIM_MAX] = {high[0] - low[0], high[1] - low[1], high[2] - low[2]};
  PetscInt upper[FARE_DIM_MAX], lower[FARE_DIM_MAX], middle;
  int      axis = 0;

  PetscFunctionBegin;
  for (int a = 0; a < FARE_DIM_MAX; a++) {
    lower[a] = low[a];
    upper[a] = high[a];
    if (extent[a] > extent[axis]) axis = a;
  }
  while (ring < e->grid->dim && e->grid->boundary[ring] != FARE_BOUNDARY_PERIODIC) ring++;
  if (extent[0] * extent[1] * extent[2] <= LEAF) {
    PetscCall(add_front(e, low, high, begin));
  } else if (ring < e->grid->dim) {
    upper[ring] = lower[ring] = high[ring] - 1;
    PetscCall(dissect(e, ring + 1, low, upper));
    upper[ring] = high[ring];
    PetscCall(add_front(e, lower, upper, begin));
  } else {
    middle      = low[axis] + extent[axis] / 2;
    upper[axis] = middle;
    PetscCall(dissect(e, ring, low, upper));
    lower[axis] = middle + 1;
    upper[axis] = high[axis];
    PetscCall(dissect(e, ring, lower, upper));
    lower[axis] = middle;
    upper[axis] = middle + 1;
    PetscCall(add_front(e, lower, upper, begin));
  }
  PetscFunctionReturn(0);
}

/* The states of a front: its own, their neighbours that come later, and those of the fronts below. */
static PetscErrorCode list_states(const fare_elimination *e, front *f, const PetscInt below[], int count)
{
  const PetscInt end  = f->first + f->pivots;
  PetscInt       most = f->pivots * (1 + e->faces);

  PetscFunctionBegin;
  for (int i = 0; i < count; i++) most += e->front[below[i]].size - e->front[below[i]].pivots;
  PetscCall(PetscMalloc1(most, &f->state));
  for (PetscInt p = f->first; p < end; p++) f->state[f->size++] = p;
  for (PetscInt p = f->first; p < end; p++) {
    for (int face = 0; face < e->faces; face++) {
      const PetscInt there = over(e->grid, e->cell[p], face), q = there < 0 ? -1 : e->position[there];

      if (q >= end) f->state[f->size++] = q;
    }
  }
  for (int i = 0; i < count; i++) {
    const front *b = &e->front[below[i]];

    for (PetscInt s = b->pivots; s < b->size; s++) {
      if (b->state[s] >= end) f->state[f->size++] = b->state[s];
    }
  }
  PetscCall(PetscSortRemoveDupsInt(&f->size, f->state));
  PetscFunctionReturn(0);
}

/* Rates of its own states, and what fronts below left. place[state]: where it is in the front. */
static PetscErrorCode assemble(const fare_elimination *e, const front *f, const PetscInt below[], int count,
  const PetscInt place[], double A[])
{
  const PetscInt n = f->size, width = n + 1;

  PetscFunctionBegin;
  memset(A, 0, (size_t)(n * width) * sizeof *A);
  for (PetscInt p = 0; p < f->pivots; p++) {
    const PetscInt cell = e->cell[f->first + p];

    A[p * width + n] += e->rate[cell * (e->faces + 1) + e->faces];
    for (int face = 0; face < e->faces; face++) {
      const PetscInt there = over(e->grid, cell, face), q = there < 0 ? -1 : e->position[there];

      if (q <= f->first + p) continue;
      A[p * width + place[q]] += e->rate[cell * (e->faces + 1) + face];
      A[place[q] * width + p] += e->rate[there * (e->faces + 1) + (face ^ 1)];
    }
  }
  for (int i = 0; i < count; i++) {
    front         *b = &e->front[below[i]];
    const PetscInt m = b->size - b->pivots;

    for (PetscInt r = 0; r < m; r++) {
      double       *to   = A + place[b->state[b->pivots + r]] * width;
      const double *from = b->rest + r * (m + 1);

      for (PetscInt c = 0; c < m; c++) to[place[b->state[b->pivots + c]]] += from[c];
      to[n] += from[m];
    }
    PetscCall(PetscFree(b->rest));
  }
  PetscFunctionReturn(0);
}

/* Row k has its sum taken, and what comes from other states is divided by it. False where nothing leaves the
 * state. */
static PetscBool take_sum(PetscInt n, PetscInt k, double A[], double *sum)
{
  const PetscInt width = n + 1;

  *sum = 0;
  for (PetscInt j = k + 1; j <= n; j++) *sum += A[k * width + j];
  if (!(*sum > 0) || !isfinite(*sum)) return PETSC_FALSE;
  for (PetscInt i = k + 1; i < n; i++) A[i * width + k] /= *sum;
  return PETSC_TRUE;
}

static void eliminate(double A[], PetscInt width, PetscInt k, PetscInt i, PetscInt from, PetscInt to)
{
  const double share           = A[i * width + k];
  double *restrict row         = A + i * width;
  const double *restrict pivot = A + k * width;

  for (PetscInt j = from; j < to; j++) row[j] += share * pivot[j];
}

/* Eliminates the pivots: within a panel one by one, for all that comes after it together. *stuck: state that
 * is never left. */
static PetscErrorCode factor(front *f, PetscInt last, double A[], PetscInt *stuck)
{
  const PetscInt n = f->size, width = n + 1;

  PetscFunctionBegin;
  for (PetscInt begin = 0; begin < f->pivots; begin += PANEL) {
    const PetscInt end = PetscMin(f->pivots, begin + PANEL);
    PetscBLASInt   columns, rows, inner, lead;
    const double   one = 1;

    for (PetscInt k = begin; k < end; k++) {
      if (!take_sum(n, k, A, &f->sum[k]) && f->first + k != last) *stuck = f->first + k;
      if (*stuck >= 0) PetscFunctionReturn(0);
      for (PetscInt i = k + 1; i < end; i++) eliminate(A, width, k, i, k + 1, width);
      for (PetscInt i = end; i < n; i++) eliminate(A, width, k, i, k + 1, end);
    }
    if (end == n) continue;
    PetscCall(PetscBLASIntCast(width - end, &columns));
    PetscCall(PetscBLASIntCast(n - end, &rows));
    PetscCall(PetscBLASIntCast(end - begin, &inner));
    PetscCall(PetscBLASIntCast(width, &lead));
    /* rows are columns to BLAS */
    PetscCallBLAS("BLASgemm",
      BLASgemm_("N", "N", &columns, &rows, &inner, &one, A + begin * width + end, &lead,
        A + end * width + begin, &lead, &one, A + end * width + end, &lead));
  }
  PetscFunctionReturn(0);
}

/* Keeps the pivots' rows and columns, and what is left for the front above. */
static PetscErrorCode keep(front *f, const double A[])
{
  const PetscInt n = f->size, width = n + 1, m = n - f->pivots;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(f->pivots * n, &f->rows, f->pivots * n, &f->columns));
  for (PetscInt p = 0; p < f->pivots; p++) memcpy(f->rows + p * n, A + p * width, (size_t)n * sizeof *A);
  for (PetscInt i = 0; i < n; i++)
    memcpy(f->columns + i * f->pivots, A + i * width, (size_t)f->pivots * sizeof *A);
  if (!m) PetscFunctionReturn(0);
  PetscCall(PetscMalloc1(m * (m + 1), &f->rest));
  for (PetscInt r = 0; r < m; r++)
    memcpy(f->rest + r * (m + 1), A + (f->pivots + r) * width + f->pivots, (size_t)(m + 1) * sizeof *A);
  PetscFunctionReturn(0);
}

static PetscErrorCode factor_all(fare_elimination *e)
{
  PetscInt *waiting, *place, count = 0, stuck = -1;
  double   *A    = NULL;
  size_t    room = 0;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(e->fronts + 1, &waiting, e->states, &place));
  for (PetscInt i = 0; i < e->fronts && stuck < 0; i++) {
    front   *f     = &e->front[i];
    PetscInt below = count;

    while (below > 0 && e->front[waiting[below - 1]].first >= f->begin) below--;
    PetscCall(list_states(e, f, waiting + below, (int)(count - below)));
    for (PetscInt s = 0; s < f->size; s++) place[f->state[s]] = s;
    if ((size_t)(f->size * (f->size + 1)) > room) {
      room = (size_t)(f->size * (f->size + 1));
      PetscCall(PetscFree(A));
      PetscCall(PetscMalloc1(room, &A));
    }
    PetscCall(PetscMalloc1(f->pivots, &f->sum));
    PetscCall(assemble(e, f, waiting + below, (int)(count - below), place, A));
    PetscCall(factor(f, e->closed ? e->states - 1 : -1, A, &stuck));
    PetscCall(keep(f, A));
    waiting[below] = i;
    count          = below + 1;
  }
  PetscCall(PetscFree(A));
  PetscCall(PetscFree2(waiting, place));
  if (stuck >= 0) {
    const PetscInt cell      = e->cell[stuck];
    char           text[128] = "";

    for (int axis = 0, rest = (int)cell; axis < e->grid->dim; rest /= (int)e->grid->cells[axis], axis++) {
      snprintf(text + strlen(text), sizeof text - strlen(text), "%s%.6g", axis ? ", " : "",
        fare_grid_centre(e->grid, axis, rest % e->grid->cells[axis]));
    }
    FARE_FAIL(FARE_ERR_FAILED,
      "analysis: no path leaves the neighbourhood of (%s): the rates out of it are 0, or too "
      "small for floating point",
      text);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode create_on_first(fare_elimination *e)
{
  const PetscInt low[FARE_DIM_MAX] = {0, 0, 0};

  PetscFunctionBegin;
  PetscCall(dissect(e, 0, low, e->grid->cells));
  PetscCall(PetscMalloc1(e->states + 1, &e->x));
  PetscCall(factor_all(e));
  PetscCall(PetscFree(e->rate));
  PetscFunctionReturn(0);
}

/* Fields of the grid to rank 0, in natural order. */
static PetscErrorCode create_gather(fare_elimination *e, PetscInt cells)
{
  AO  order;
  IS  from;
  Vec like;

  PetscFunctionBegin;
  PetscCall(DMDAGetAO(e->grid->dm, &order));
  PetscCall(ISCreateStride(PETSC_COMM_SELF, cells, 0, 1, &from));
  PetscCall(AOApplicationToPetscIS(order, from));
  PetscCall(VecCreateSeq(PETSC_COMM_SELF, cells, &e->all));
  PetscCall(DMGetGlobalVector(e->grid->dm, &like));
  PetscCall(VecScatterCreate(like, from, e->all, NULL, &e->gather));
  PetscCall(DMRestoreGlobalVector(e->grid->dm, &like));
  PetscCall(ISDestroy(&from));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_elimination_create(
  const fare_absorbing *absorbing, double shift, PetscBool closed, fare_elimination **elimination)
{
  const fare_grid  *grid = absorbing->grid;
  fare_elimination *e;
  PetscInt          cells;
  int               rank;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(grid->comm, &rank));
  PetscCall(PetscNew(&e));
  *elimination = e;
  e->grid      = grid;
  e->closed    = closed;
  e->faces     = 2 * grid->dim;
  cells        = rank ? 0 : grid->cells[0] * grid->cells[1] * grid->cells[2];
  PetscCall(PetscMalloc2(cells, &e->position, cells, &e->cell));
  PetscCall(PetscMalloc1(cells * (e->faces + 1), &e->rate));
  PetscCall(create_gather(e, cells));
  PetscCall(gather_rates(absorbing, shift, cells, e));
  PetscCall(fare_error_agree(grid->comm, rank ? 0 : create_on_first(e)));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_elimination_destroy(fare_elimination **elimination)
{
  fare_elimination *e = *elimination;

  PetscFunctionBegin;
  if (!e) PetscFunctionReturn(0);
  for (PetscInt i = 0; i < e->fronts; i++) {
    PetscCall(PetscFree(e->front[i].state));
    PetscCall(PetscFree(e->front[i].sum));
    PetscCall(PetscFree(e->front[i].rest));
    PetscCall(PetscFree2(e->front[i].rows, e->front[i].columns));
  }
  PetscCall(PetscFree(e->front));
  PetscCall(PetscFree(e->x));
  PetscCall(PetscFree2(e->position, e->cell));
  PetscCall(PetscFree(e->rate));
  PetscCall(VecDestroy(&e->all));
  PetscCall(VecScatterDestroy(&e->gather));
  PetscCall(PetscFree(*elimination));
  PetscFunctionReturn(0);
}

/* x of rank 0 from a vector, and back; 0 for cells that are no states. */
static PetscErrorCode fetch(fare_elimination *e, Vec from)
{
  const PetscScalar *all;

  PetscFunctionBegin;
  PetscCall(VecScatterBegin(e->gather, from, e->all, INSERT_VALUES, SCATTER_FORWARD));
  PetscCall(VecScatterEnd(e->gather, from, e->all, INSERT_VALUES, SCATTER_FORWARD));
  PetscCall(VecGetArrayRead(e->all, &all));
  for (PetscInt p = 0; p < e->states; p++) e->x[p] = all[e->cell[p]];
  PetscCall(VecRestoreArrayRead(e->all, &all));
  PetscFunctionReturn(0);
}

static PetscErrorCode hand_out(fare_elimination *e, Vec to)
{
  PetscScalar *all;

  PetscFunctionBegin;
  PetscCall(VecSet(e->all, 0));
  PetscCall(VecGetArray(e->all, &all));
  for (PetscInt p = 0; p < e->states; p++) all[e->cell[p]] = e->x[p];
  PetscCall(VecRestoreArray(e->all, &all));
  PetscCall(VecScatterBegin(e->gather, e->all, to, INSERT_VALUES, SCATTER_REVERSE));
  PetscCall(VecScatterEnd(e->gather, e->all, to, INSERT_VALUES, SCATTER_REVERSE));
  PetscFunctionReturn(0);
}

static void solve(fare_elimination *e)
{
  double *x = e->x;

  for (PetscInt i = 0; i < e->fronts; i++) {
    const front *f = &e->front[i];

    for (PetscInt k = 0; k < f->pivots; k++) {
      for (PetscInt s = k + 1; s < f->size; s++)
        x[f->state[s]] += f->columns[s * f->pivots + k] * x[f->first + k];
    }
  }
  for (PetscInt i = e->fronts - 1; i >= 0; i--) {
    const front *f = &e->front[i];

    for (PetscInt k = f->pivots - 1; k >= 0; k--) {
      double sum = x[f->first + k];

      for (PetscInt s = k + 1; s < f->size; s++) sum += f->rows[k * f->size + s] * x[f->state[s]];
      x[f->first + k] = sum / f->sum[k];
    }
  }
}

static void solve_transposed(fare_elimination *e)
{
  double *x = e->x;

  for (PetscInt i = 0; i < e->fronts; i++) {
    const front *f = &e->front[i];

    for (PetscInt k = 0; k < f->pivots; k++) {
      x[f->first + k] /= f->sum[k];
      for (PetscInt s = k + 1; s < f->size; s++) x[f->state[s]] += f->rows[k * f->size + s] * x[f->first + k];
    }
  }
  for (PetscInt i = e->fronts - 1; i >= 0; i--) {
    const front *f = &e->front[i];

    for (PetscInt k = f->pivots - 1; k >= 0; k--) {
      for (PetscInt s = k + 1; s < f->size; s++)
        x[f->first + k] += f->columns[s * f->pivots + k] * x[f->state[s]];
    }
  }
}

/* From the last state back; what grows too large is made smaller, with all that was found before. */
static void find_stationary(fare_elimination *e)
{
  double *x = e->x;

  x[e->states - 1] = 1;
  for (PetscInt i = e->fronts - 1; i >= 0; i--) {
    const front *f       = &e->front[i];
    double       largest = 0;

    for (PetscInt k = f->pivots - 1; k >= 0; k--) {
      if (f->first + k == e->states - 1) continue;
      x[f->first + k] = 0;
      for (PetscInt s = k + 1; s < f->size; s++)
        x[f->first + k] += f->columns[s * f->pivots + k] * x[f->state[s]];
      largest = PetscMax(largest, x[f->first + k]);
    }
    for (PetscInt p = f->first; p < e->states && largest > HUGE_SUM; p++) x[p] /= largest;
  }
}

PetscErrorCode fare_elimination_solve(fare_elimination *e, PetscBool transposed, Vec x)
{
  PetscFunctionBegin;
  PetscCall(fetch(e, x));
  if (transposed)
    solve_transposed(e);
  else
    solve(e);
  PetscCall(hand_out(e, x));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_elimination_stationary(fare_elimination *e, Vec masses)
{
  PetscScalar sum;

  PetscFunctionBegin;
  if (e->states) find_stationary(e);
  PetscCall(hand_out(e, masses));
  PetscCall(VecSum(masses, &sum));
  if (!(sum > 0) || !isfinite(sum))
    FARE_FAIL(FARE_ERR_FAILED, "analysis: the stationary masses exceed the range of floating point");
  PetscCall(VecScale(masses, 1 / sum));
  PetscFunctionReturn(0);
}
