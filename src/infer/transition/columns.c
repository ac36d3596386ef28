/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Columns of exp(L t). With M = I + L/r a matrix of probabilities, r the largest rate at which a cell is left,

    exp(L t) = sum_k e^{-r t} (r t)^k/k! M^k,

  a sum of positive terms: uniformization. A time with r t > MOST is cut into pieces. Along one axis all
  columns of a short time are made that way and squared, which costs cells^3 and not cells^2 r t operations.
*/
#include "transition.h"

#include <cblas.h>

#include <math.h>
#include <string.h>

#define MOST   500.0 /* events of one piece: e^-500 is a number yet */
#define LONG   2e7   /* events of a path, at most: more take hours */
#define SHORT  100.0 /* events up to which columns are made before they are squared */
#define DIGITS 1e5   /* a probability must exceed its error by that, to be sure */
#define LOOK   8     /* terms from one look at a request to stop to the next */

/* x becomes exp(L t) x with all derivatives, t being `events`/fastest; unfinished on a request to stop. */
static void advance(const fare_model *m, double events, int fields, fare_lanes *b)
{
  const PetscInt field  = m->cells * FARE_LANES;
  const int      terms  = (int)(events + 8 * sqrt(events) + 24);
  double         weight = exp(-events);

  for (PetscInt i = 0; i < fields * field; i++) b->sum[i] = weight * b->x[i];
  for (int k = 1; k <= terms; k++) {
    if (k % LOOK == 0 && fare_stop_asked()) return;
    weight *= events / k;
    fare_lanes_step(m, fields, &(fare_term){1, 0, weight}, b);
  }
  fare_lanes_swap(&b->x, &b->sum);
}

/* Through a time at constant rates, in pieces. */
static void pass(const fare_model *m, double span, int fields, fare_lanes *b)
{
  const double events = m->fastest * span;
  const int    pieces = (int)ceil(events / MOST);

  for (int piece = 0; piece < pieces && !fare_stop_asked(); piece++) advance(m, events / pieces, fields, b);
}

static PetscErrorCode check_length(const fare_path *path)
{
  double events = 0, span = 0;

  PetscFunctionBegin;
  for (int i = 0; i < path->count; i++) {
    events += path->piece[i].fastest * path->span[i];
    span += path->span[i];
  }
  if (!(events <= LONG))
    FARE_FAIL(FARE_ERR_INPUT,
      "a time of %g between observations is %.1e times that in which a cell is left: take a shorter one, or "
      "fewer cells",
      span, events);
  PetscFunctionReturn(0);
}

/* How columns come about: by what is not NULL. */
typedef struct {
  const fare_path      *path;
  const fare_chebyshev *series; /* of the path's one piece */
} way;

static void begin(const fare_path *path, int fields, PetscInt count, const PetscInt source[], fare_lanes *b)
{
  memset(b->x, 0, (size_t)fields * (size_t)path->piece->cells * FARE_LANES * sizeof *b->x);
  for (PetscInt lane = 0; lane < count; lane++) b->x[source[lane] * FARE_LANES + lane] = 1;
}

/*
  Columns of up to FARE_LANES starts. Returns below what they have no digits. The series fails where a current
  turns faster than mass spreads from cell to cell.
*/
static double make_block(const way *w, int fields, PetscInt count, const PetscInt source[], fare_lanes *b)
{
  const fare_path *path = w->path;

  begin(path, fields, count, source, b);
  if (w->series) {
    const double error = fare_lanes_chebyshev(path->piece, w->series, fields, b);

    if (isfinite(error)) return DIGITS * error;
    begin(path, fields, count, source, b);
  }
  for (int i = 0; i < path->count; i++) pass(&path->piece[i], path->span[i], fields, b);
  return 0;
}

/* One lane of a block, field by field. */
static void take_lane(const fare_model *m, const fare_lanes *b, int fields, PetscInt lane, double *const to[])
{
  for (int k = 0; k < fields; k++) {
    for (PetscInt cell = 0; cell < m->cells; cell++)
      to[k][cell] = b->x[(k * m->cells + cell) * FARE_LANES + lane];
  }
}

static PetscErrorCode make_columns(const way *w, PetscBool slopes, PetscInt count, const PetscInt source[],
  fare_columns_visit *visit, void *to)
{
  const fare_model *m      = w->path->piece;
  const int         fields = slopes ? 1 + m->count : 1;
  const size_t      size   = (size_t)fields * (size_t)m->cells;
  double           *column, *at[FARE_INFER_MAX + 1];
  fare_lanes        b;
  PetscErrorCode    code = 0;

  PetscFunctionBegin;
  PetscCall(check_length(w->path));
  PetscCall(
    PetscCalloc4(size * FARE_LANES, &b.x, size * FARE_LANES, &b.y, size * FARE_LANES, &b.sum, size, &column));
  for (int k = 0; k < fields; k++) at[k] = column + k * m->cells;
  for (PetscInt first = 0; first < count && !code; first += FARE_LANES) {
    const PetscInt here = PetscMin(FARE_LANES, count - first);
    fare_lanes     work = b;
    double         unsure;

    unsure = make_block(w, fields, here, source + first, &work);
    code   = fare_stop_check(PETSC_COMM_SELF, "transition probabilities");
    for (PetscInt lane = 0; lane < here && !code; lane++) {
      take_lane(m, &work, fields, lane, at);
      code = visit(to, first + lane, source[first + lane], unsure, at[0], (const double *const *)at + 1);
    }
  }
  PetscCall(PetscFree4(b.x, b.y, b.sum, column));
  PetscFunctionReturn(code);
}

PetscErrorCode fare_path_columns(const fare_path *path, PetscBool slopes, PetscInt count,
  const PetscInt source[], fare_columns_visit *visit, void *to)
{
  return make_columns(&(way){.path = path}, slopes, count, source, visit, to);
}

/* Matrices, column by column: fields 0 is P, the others its derivatives. */
typedef struct {
  PetscInt n;
  int      fields;
  double  *of;
} matrices;

static PetscErrorCode keep(
  void *to, PetscInt i, PetscInt source, double unsure, const double P[], const double *const dP[])
{
  matrices    *a    = to;
  const size_t size = (size_t)a->n * sizeof *P;

  PetscFunctionBegin;
  (void)source;
  (void)unsure;
  memcpy(a->of + i * a->n, P, size);
  for (int k = 1; k < a->fields; k++) memcpy(a->of + (k * a->n + i) * a->n, dP[k - 1], size);
  PetscFunctionReturn(0);
}

/* b = a a, and of derivatives d(a a) = da a + a da; unfinished on a request to stop. */
static void square(const matrices *a, matrices *b)
{
  const int n = (int)a->n;

  for (int k = 0; k < a->fields && !fare_stop_asked(); k++) {
    const double *x = a->of + (size_t)k * (size_t)n * (size_t)n;
    double       *y = b->of + (size_t)k * (size_t)n * (size_t)n;

    cblas_dgemm(CblasColMajor, CblasNoTrans, CblasNoTrans, n, n, n, 1, x, n, a->of, n, 0, y, n);
    if (k) cblas_dgemm(CblasColMajor, CblasNoTrans, CblasNoTrans, n, n, n, 1, a->of, n, x, n, 1, y, n);
  }
}

fare_path fare_path_constant(const fare_model *m, double *span)
{
  return (fare_path){.count = 1, .piece = (fare_model *)m, .span = span};
}

static PetscErrorCode by_squares(const fare_model *m, double lag, PetscBool slopes, PetscInt count,
  const PetscInt source[], fare_columns_visit *visit, void *to)
{
  const double   events  = m->fastest * lag;
  const int      fields  = slopes ? 1 + m->count : 1;
  const PetscInt n       = m->cells;
  const int      squares = (int)ceil(log2(events / SHORT));
  const size_t   size    = (size_t)fields * (size_t)n * (size_t)n;
  matrices       a = {n, fields, NULL}, b = {n, fields, NULL};
  const double  *at[FARE_INFER_MAX + 1];
  PetscInt      *all;
  double         part = ldexp(lag, -squares);
  fare_path      path = fare_path_constant(m, &part);
  PetscErrorCode code = 0;

  PetscFunctionBegin;
  PetscCall(PetscMalloc3(size, &a.of, size, &b.of, n, &all));
  for (PetscInt i = 0; i < n; i++) all[i] = i;
  PetscCall(fare_path_columns(&path, slopes, n, all, keep, &a));
  for (int i = 0; i < squares; i++) {
    square(&a, &b);
    fare_lanes_swap(&a.of, &b.of);
  }
  code = fare_stop_check(PETSC_COMM_SELF, "transition probabilities");
  for (PetscInt i = 0; i < count && !code; i++) {
    for (int k = 0; k < fields; k++) at[k] = a.of + (k * n + source[i]) * n;
    code = visit(to, i, source[i], 0, at[0], at + 1);
  }
  if (squares % 2) fare_lanes_swap(&a.of, &b.of);
  PetscCall(PetscFree3(a.of, b.of, all));
  PetscFunctionReturn(code);
}

PetscErrorCode fare_columns(const fare_model *m, double lag, PetscBool slopes, PetscInt count,
  const PetscInt source[], fare_columns_visit *visit, void *to)
{
  fare_path      path = fare_path_constant(m, &lag);
  fare_chebyshev series;
  PetscErrorCode code;

  PetscFunctionBegin;
  if (m->fastest * lag <= (m->grid->dim > 1 ? 25 : SHORT)) {
    PetscCall(fare_path_columns(&path, slopes, count, source, visit, to));
  } else if (m->grid->dim == 1) {
    PetscCall(by_squares(m, lag, slopes, count, source, visit, to));
  } else {
    PetscCall(fare_chebyshev_create(m->fastest * lag, &series));
    code = make_columns(&(way){&path, &series}, slopes, count, source, visit, to);
    PetscCall(fare_chebyshev_free(&series));
    PetscCall(code);
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_path_advance(const fare_path *path, int fields, int lanes, double *const P[])
{
  const fare_model *m    = path->piece;
  const size_t      size = (size_t)fields * (size_t)m->cells * FARE_LANES;
  fare_lanes        b, work;
  PetscErrorCode    code;

  PetscFunctionBegin;
  PetscCall(check_length(path));
  PetscCall(PetscCalloc3(size, &b.x, size, &b.y, size, &b.sum));
  work = b;
  for (int lane = 0; lane < lanes; lane++) {
    for (int k = 0; k < fields; k++)
      for (PetscInt cell = 0; cell < m->cells; cell++)
        work.x[(k * m->cells + cell) * FARE_LANES + lane] = P[lane * fields + k][cell];
  }
  for (int i = 0; i < path->count; i++) pass(&path->piece[i], path->span[i], fields, &work);
  for (int lane = 0; lane < lanes; lane++) take_lane(m, &work, fields, lane, P + lane * fields);
  PetscCall(PetscFree3(b.x, b.y, b.sum));
  code = fare_stop_check(PETSC_COMM_SELF, "transition probabilities");
  PetscFunctionReturn(code);
}

PetscErrorCode fare_masses_advance(const fare_model *m, double span, int fields, double *const P[])
{
  const fare_path path = fare_path_constant(m, &span);

  return fare_path_advance(&path, fields, 1, P);
}
