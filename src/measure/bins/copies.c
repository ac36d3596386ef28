/* SPDX-License-Identifier: BSD-2-Clause */
/* Rows with one and the same position are copies of one sample, wherever they stand in the ensemble. */
#include "measure/bins/binning.h"

#include <math.h>
#include <string.h>

/* positions with so few decimals are rounded: equal ones are no copies */
#define DIGITS_MOST 4
#define ROUNDING    ldexp(1, -22) /* relative: of single precision */
#define NO_ROW      UINT64_MAX

/* What a rank sends to the one that looks for equal positions, and what it hears back. */
typedef struct {
  uint64_t hash;
  int64_t  row;
  double   weight;
} position;
typedef struct {
  int64_t first, rows;
  double  weight;
} answer;

/* Positions that have come so far, by their hash; a table with open addressing. */
typedef struct {
  size_t    mask;
  uint64_t *hash;
  answer   *of;
} table;

static uint64_t stir(uint64_t h, double value)
{
  union {
    double   value;
    uint64_t bits;
  } of = {value == 0 ? 0 : value}; /* one zero */

  h = (h ^ of.bits) * 0x9FB21C651E98DF25u;
  h ^= h >> 32;
  h *= 0xD6E8FEB86659FD93u;
  return h ^ h >> 29;
}

static uint64_t hash_of(const fare_binning *b, const fare_ensemble *e, int64_t i)
{
  uint64_t h = 0x243F6A8885A308D3u;

  for (int axis = 0; axis < e->dim; axis++) {
    const double x = e->x[axis][i];

    /* what was clipped to an end is there for another reason */
    if (!(x > b->grid.lower[axis] && x < b->grid.upper[axis])) return NO_ROW;
    h = stir(h, x);
  }
  return h == NO_ROW ? 0 : h;
}

/* Whether all positions here have few decimals, in all axes. */
static PetscBool are_rounded(const fare_ensemble *e, double scale)
{
  for (int axis = 0; axis < e->dim; axis++) {
    for (int64_t i = 0; i < e->local; i++) {
      const double x = e->x[axis][i] * scale;

      if (fabs(x - nearbyint(x)) > ROUNDING * fabs(x)) return PETSC_FALSE;
    }
  }
  return PETSC_TRUE;
}

static PetscErrorCode find_rounding(const fare_ensemble *e, PetscBool *rounded)
{
  int    some[DIGITS_MOST + 1], any = 0;
  double scale = 1;

  PetscFunctionBegin;
  for (int d = 0; d <= DIGITS_MOST; d++, scale *= 10) some[d] = are_rounded(e, scale) ? 1 : 0;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, some, DIGITS_MOST + 1, MPI_INT, MPI_MIN, e->comm));
  for (int d = 0; d <= DIGITS_MOST; d++) any |= some[d];
  *rounded = any ? PETSC_TRUE : PETSC_FALSE;
  PetscFunctionReturn(0);
}

static answer *find(table *t, uint64_t hash)
{
  size_t at = (size_t)(hash >> 7) & t->mask;

  while (t->hash[at] != NO_ROW && t->hash[at] != hash) at = (at + 1) & t->mask;
  t->hash[at] = hash;
  return &t->of[at];
}

/* Positions come in the order of their rows, so that sums have one order on any number of ranks. */
static PetscErrorCode match(int64_t count, const position from[], answer to[])
{
  table  t;
  size_t room = 2;

  PetscFunctionBegin;
  while (room < 2 * (size_t)count) room *= 2;
  t.mask = room - 1;
  PetscCall(PetscMalloc1(room, &t.hash));
  PetscCall(PetscCalloc1(room, &t.of));
  memset(t.hash, 0xff, room * sizeof *t.hash);
  for (int64_t i = 0; i < count; i++) {
    answer *of = find(&t, from[i].hash);

    if (!of->rows++) of->first = from[i].row;
    of->weight += from[i].weight;
  }
  for (int64_t i = 0; i < count; i++) to[i] = *find(&t, from[i].hash);
  PetscCall(PetscFree(t.hash));
  PetscCall(PetscFree(t.of));
  PetscFunctionReturn(0);
}

/* Which rank looks at a position, and how many of each go there: the routes of the exchange. */
typedef struct {
  int          size;
  PetscMPIInt *send, *send_at, *receive, *receive_at, *numbers;
  int64_t      count, received;
} routes;

static int owner_of(const routes *r, uint64_t hash)
{
  return (int)(hash % (uint64_t)r->size);
}

static PetscErrorCode make_routes(MPI_Comm comm, int64_t local, const uint64_t hash[], routes *r)
{
  PetscFunctionBegin;
  *r = (routes){0};
  PetscCallMPI(MPI_Comm_size(comm, &r->size));
  PetscCall(PetscCalloc1(4 * (size_t)r->size, &r->numbers));
  r->send       = r->numbers;
  r->send_at    = r->send + r->size;
  r->receive    = r->send_at + r->size;
  r->receive_at = r->receive + r->size;
  for (int64_t i = 0; i < local; i++) {
    if (hash[i] != NO_ROW) r->send[owner_of(r, hash[i])]++;
  }
  PetscCallMPI(MPI_Alltoall(r->send, 1, MPI_INT, r->receive, 1, MPI_INT, comm));
  for (int rank = 0; rank < r->size; rank++) {
    r->send_at[rank]    = (PetscMPIInt)r->count;
    r->receive_at[rank] = (PetscMPIInt)r->received;
    r->count += r->send[rank];
    r->received += r->receive[rank];
  }
  PetscFunctionReturn(0);
}

/* `there` of this rank go to the others, `back` comes. */
static PetscErrorCode ask(MPI_Comm comm, const routes *r, const position there[], answer back[])
{
  position    *got;
  answer      *told;
  MPI_Datatype of_position, of_answer;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(r->received, &got, r->received, &told));
  PetscCallMPI(MPI_Type_contiguous(sizeof(position), MPI_BYTE, &of_position));
  PetscCallMPI(MPI_Type_commit(&of_position));
  PetscCallMPI(MPI_Type_contiguous(sizeof(answer), MPI_BYTE, &of_answer));
  PetscCallMPI(MPI_Type_commit(&of_answer));
  PetscCallMPI(MPI_Alltoallv(
    there, r->send, r->send_at, of_position, got, r->receive, r->receive_at, of_position, comm));
  PetscCall(match(r->received, got, told));
  PetscCallMPI(
    MPI_Alltoallv(told, r->receive, r->receive_at, of_answer, back, r->send, r->send_at, of_answer, comm));
  PetscCallMPI(MPI_Type_free(&of_position));
  PetscCallMPI(MPI_Type_free(&of_answer));
  PetscCall(PetscFree2(got, told));
  PetscFunctionReturn(0);
}

/* Rows in the order of the ranks that look at them, and what comes back put where they stand. */
static PetscErrorCode exchange(
  const fare_ensemble *e, double largest, const uint64_t hash[], int64_t first[], double weight[])
{
  const int64_t begin = e->first_block * FARE_BLOCK;
  routes        r;
  position     *there;
  answer       *back;
  int64_t      *next;

  PetscFunctionBegin;
  PetscCall(make_routes(e->comm, e->local, hash, &r));
  PetscCall(PetscMalloc3(r.count, &there, r.count, &back, r.size, &next));
  for (int rank = 0; rank < r.size; rank++) next[rank] = r.send_at[rank];
  for (int64_t i = 0; i < e->local; i++) {
    if (hash[i] != NO_ROW)
      there[next[owner_of(&r, hash[i])]++] =
        (position){hash[i], begin + i, e->weight ? e->weight[i] / largest : 1};
  }
  PetscCall(ask(e->comm, &r, there, back));
  for (int rank = 0; rank < r.size; rank++) next[rank] = r.send_at[rank];
  for (int64_t i = 0; i < e->local; i++) {
    const answer *of = hash[i] == NO_ROW ? NULL : &back[next[owner_of(&r, hash[i])]++];

    if (!of || of->rows > e->count / 2) continue; /* where half of all are they were put */
    first[i]  = of->first;
    weight[i] = of->weight;
  }
  PetscCall(PetscFree3(there, back, next));
  PetscCall(PetscFree(r.numbers));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_copies_find(const fare_binning *binning, const fare_ensemble *e, double largest,
  int64_t first[], double weight[], int64_t *copies)
{
  PetscBool rounded = PETSC_FALSE;
  uint64_t *hash;

  PetscFunctionBegin;
  *copies = 0;
  for (int64_t i = 0; i < e->local; i++) {
    first[i]  = e->first_block * FARE_BLOCK + i;
    weight[i] = e->weight ? e->weight[i] / largest : 1;
  }
  PetscCall(find_rounding(e, &rounded));
  if (rounded) PetscFunctionReturn(0);
  PetscCall(PetscMalloc1(e->local, &hash));
  for (int64_t i = 0; i < e->local; i++) hash[i] = hash_of(binning, e, i);
  PetscCall(exchange(e, largest, hash, first, weight));
  for (int64_t i = 0; i < e->local; i++) *copies += first[i] != e->first_block * FARE_BLOCK + i;
  PetscCall(PetscFree(hash));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, copies, 1, MPI_INT64_T, MPI_SUM, e->comm));
  PetscFunctionReturn(0);
}
