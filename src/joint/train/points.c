/* SPDX-License-Identifier: BSD-2-Clause */
/*
  What a train tells at points, block by block: ln p, its gradient, draws and conditionals. The density is
  that of single sites times a ratio. Points of a block are sorted by their cell at each site, and those of
  one cell are multiplied by the matrices of FARE_NEAR cells at once.
*/
#include "train.h"

#include <cblas.h>
#include <math.h>

#define SIDE  3 /* cells beyond each end, mirrored */
#define OFTEN 8 /* sites from one scaling to the next: ratios vary little */

struct fare_reader {
  double *ratio;    /* [SIDE + cell][left][right]: masses over those of the site by itself */
  double *log_site; /* [SIDE + cell]: ln of those */
  double *ahead;    /* [left][cell]: masses, what is right of the site summed */
  double *place;    /* [place][near]: as by fare_train_near() */
  double *total;    /* [cell][cell']: mass in a cell by unit masses */
};

/* Makes room for one site. */
static PetscErrorCode create_reader(int n, int left, int right, fare_reader **to)
{
  fare_reader *r;

  PetscFunctionBegin;
  PetscCall(PetscNew(to));
  r = *to;
  PetscCall(PetscMalloc1((size_t)(n + 2 * SIDE) * (size_t)left * (size_t)right, &r->ratio));
  PetscCall(PetscMalloc1(n + 2 * SIDE, &r->log_site));
  PetscCall(PetscMalloc1(left * n, &r->ahead));
  PetscCall(PetscMalloc1(FARE_PLACES(n) * FARE_NEAR, &r->place));
  PetscCall(PetscCalloc1(n * n, &r->total));
  PetscFunctionReturn(0);
}

void fare_reader_free(fare_reader **reader)
{
  fare_reader *r = *reader;

  if (!r) return;
  PetscCallVoid(PetscFree(r->ratio));
  PetscCallVoid(PetscFree(r->log_site));
  PetscCallVoid(PetscFree(r->ahead));
  PetscCallVoid(PetscFree(r->place));
  PetscCallVoid(PetscFree(r->total));
  PetscCallVoid(PetscFree(*reader));
}

/* Values at places of all parts, and by Simpson's rule masses of cells. */
static void fill_places(const fare_train *train, int k, fare_reader *r)
{
  const fare_sites *s = &train->sites;
  const int         n = s->cells, whole = 2 * FARE_PARTS;
  const double      length = s->spacing / FARE_PARTS;

  for (int q = 0; q <= whole * n; q++) {
    int     at[FARE_NEAR];
    double *value = r->place + (size_t)q * FARE_NEAR;

    (void)fare_train_near(
      train, k, s->lower + s->spacing * PetscMin((double)q / whole, n * (1 - 1e-12)), at, value, NULL);
    for (int side = 0; side < 2; side++) { /* as the last of one cell, and as the first of the next */
      const int    cell = (q - side) / whole, in = q - cell * whole;
      const double simpson = length / 6 * (in % 2 ? 4 : in == 0 || in == whole ? 1 : 2);

      if (q - side < 0 || cell == n || (side && in != whole)) continue;
      for (int t = 0; t < FARE_NEAR; t++) r->total[cell * n + at[t]] += simpson * value[t];
    }
  }
}

PetscErrorCode fare_reader_create(const fare_train *train, int k, fare_reader **to)
{
  const fare_sites *s = &train->sites;
  const int         n = s->cells, left = train->bond[k], right = train->bond[k + 1];
  fare_reader      *r;

  PetscFunctionBegin;
  PetscCall(create_reader(n, left, right, to));
  r = *to;
  for (int i = -SIDE; i < n + SIDE; i++) {
    const int    j     = fare_mirrored(i, n);
    const double scale = s->weight[j] / exp(train->marginal[k][j]);

    r->log_site[SIDE + i] = train->marginal[k][j] - log(s->spacing);
    for (int a = 0; a < left; a++) {
      const double *core = train->core[k] + ((size_t)a * n + j) * right;
      double       *row  = r->ratio + ((size_t)(SIDE + i) * left + a) * right;

      for (int b = 0; b < right; b++) row[b] = scale * core[b];
      if (i == j) r->ahead[a * n + i] = s->weight[i] * cblas_ddot(right, core, 1, train->right[k + 1], 1);
    }
  }
  fill_places(train, k, r);
  PetscFunctionReturn(0);
}

/* The points of a block at one site: their cells, and the points in the order of these. */
typedef struct {
  int     n, width, first[FARE_BLOCK], order[FARE_BLOCK], begin[FARE_CELLS_MOST + 2];
  double  value[FARE_BLOCK][FARE_NEAR], slope[FARE_BLOCK][FARE_NEAR];
  double  log_p[FARE_BLOCK], log_slope[FARE_BLOCK]; /* of the site by itself */
  double *gathered, *product;                       /* FARE_NEAR x width and width per point */
} seats;

static PetscErrorCode seats_create(const fare_train *train, seats **to)
{
  seats *s;

  PetscFunctionBegin;
  PetscCall(PetscNew(to));
  s        = *to;
  s->width = 1;
  for (int k = 0; k <= train->count; k++) s->width = PetscMax(s->width, train->bond[k]);
  PetscCall(PetscMalloc1(FARE_BLOCK * FARE_NEAR * s->width, &s->gathered));
  PetscCall(PetscMalloc1(FARE_BLOCK * FARE_NEAR * s->width, &s->product));
  PetscFunctionReturn(0);
}

static PetscErrorCode seats_destroy(seats **s)
{
  PetscFunctionBegin;
  PetscCall(PetscFree((*s)->gathered));
  PetscCall(PetscFree((*s)->product));
  PetscCall(PetscFree(*s));
  PetscFunctionReturn(0);
}

/* Points outside have no density. */
static void seat(const fare_train *train, int k, int n, const double *x, seats *to)
{
  const fare_sites *s = &train->sites;

  to->n = n;
  for (int c = 0; c <= s->cells + 1; c++) to->begin[c] = 0;
  for (int i = 0; i < n; i++) {
    const double    place = (x[i] - s->lower) / s->spacing - 0.5;
    const PetscBool in    = place >= -0.5 && place <= s->cells - 0.5 ? PETSC_TRUE : PETSC_FALSE;
    const int       first = in ? (int)floor(place) : 0;
    const double   *ln    = train->reader[k]->log_site + SIDE + first - 2;

    fare_train_weights(in ? place - first : 0, to->value[i], to->slope[i]);
    to->log_p[i] = to->log_slope[i] = 0;
    for (int t = 0; t < FARE_NEAR; t++) {
      to->log_p[i] += to->value[i][t] * ln[t];
      to->log_slope[i] += to->slope[i][t] * ln[t] / s->spacing;
    }
    if (!in) to->log_p[i] = -HUGE_VAL;
    to->first[i] = first + 1;
    to->begin[first + 2]++;
  }
  for (int c = 0; c <= s->cells; c++) to->begin[c + 1] += to->begin[c];
  for (int i = n - 1; i >= 0; i--) to->order[--to->begin[to->first[i] + 1]] = i;
  for (int c = 0; c <= s->cells; c++) to->begin[c] = to->begin[c + 1];
  to->begin[s->cells + 1] = n;
}

/* The matrices of the FARE_NEAR cells around the centres before and after which points of a seat lie. */
static const double *matrices(const fare_train *train, int k, int cell)
{
  return train->reader[k]->ratio + (size_t)(SIDE + cell - 3) * train->bond[k] * train->bond[k + 1];
}

/* v of every point times its matrix of site k: next may be v. */
static void carry(const fare_train *train, int k, seats *s, const double *v, double *next)
{
  const int left = train->bond[k], right = train->bond[k + 1], deep = FARE_NEAR * left, width = s->width;

  for (int c = 0; c <= train->sites.cells; c++) {
    const int *order = s->order + s->begin[c], m = s->begin[c + 1] - s->begin[c];

    if (!m) continue;
    for (int i = 0; i < m; i++) {
      for (int t = 0; t < FARE_NEAR; t++) {
        for (int a = 0; a < left; a++)
          s->gathered[i * deep + t * left + a] = s->value[order[i]][t] * v[order[i] * width + a];
      }
    }
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, right, deep, 1, s->gathered, deep,
      matrices(train, k, c), right, 0, s->product, right);
    for (int i = 0; i < m; i++) {
      for (int b = 0; b < right; b++) next[order[i] * width + b] = s->product[i * right + b];
    }
  }
}

/* Divides by the largest size, whose logarithm is added to sum[] unless NULL. */
static void scale_down(int count, int n, int width, double *v, double *sum)
{
  for (int i = 0; i < n; i++, v += width) {
    double largest = 0;

    for (int a = 0; a < count; a++) largest = PetscMax(largest, fabs(v[a]));
    for (int a = 0; a < count && largest > 0; a++) v[a] /= largest;
    if (sum) sum[i] += log(largest);
  }
}

PetscErrorCode fare_train_log_density(
  const fare_train *train, int64_t n, const double *const x[], double log_density[], double log_sites[])
{
  seats  *s;
  double *v;

  PetscFunctionBegin;
  PetscCall(seats_create(train, &s));
  PetscCall(PetscMalloc1(FARE_BLOCK * s->width, &v));
  for (int64_t at = 0; at < n; at += FARE_BLOCK) {
    const int count             = (int)PetscMin(n - at, FARE_BLOCK);
    double    alone[FARE_BLOCK] = {0}, sum[FARE_BLOCK] = {0};

    for (int i = 0; i < count; i++) v[i * s->width] = 1;
    for (int k = 0; k < train->count; k++) {
      seat(train, k, count, x[k] + at, s);
      carry(train, k, s, v, v);
      for (int i = 0; i < count; i++) alone[i] += s->log_p[i];
      if (k % OFTEN == OFTEN - 1) scale_down(train->bond[k + 1], count, s->width, v, sum);
    }
    for (int i = 0; i < count; i++) {
      const double p = v[i * s->width];

      log_density[at + i] = p > 0 ? alone[i] + sum[i] + log(p) : -HUGE_VAL;
      if (log_sites) log_sites[at + i] = alone[i];
    }
  }
  PetscCall(PetscFree(v));
  PetscCall(seats_destroy(&s));
  PetscFunctionReturn(0);
}

/* From what is right of site k + 1 to what is right of site k, and the score, for vectors `mine` on the left.
 */
static void carry_back(
  const fare_train *train, int k, seats *s, const double *mine, double *right_of, double *score)
{
  const int left = train->bond[k], right = train->bond[k + 1], deep = FARE_NEAR * left, width = s->width;

  for (int c = 0; c <= train->sites.cells; c++) {
    const int *order = s->order + s->begin[c], m = s->begin[c + 1] - s->begin[c];

    if (!m) continue;
    for (int i = 0; i < m; i++) {
      for (int b = 0; b < right; b++) s->gathered[i * right + b] = right_of[order[i] * width + b];
    }
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, m, deep, right, 1, s->gathered, right,
      matrices(train, k, c), right, 0, s->product, deep);
    for (int i = 0; i < m; i++) {
      const int     p   = order[i];
      const double *row = s->product + i * deep;
      double        up = 0, down = 0;

      for (int a = 0; a < left; a++) {
        double whole = 0, slope = 0;

        for (int t = 0; t < FARE_NEAR; t++) {
          whole += s->value[p][t] * row[t * left + a];
          slope += s->slope[p][t] * row[t * left + a];
        }
        up += mine[p * width + a] * slope;
        down += mine[p * width + a] * whole;
        right_of[p * width + a] = whole;
      }
      score[p] = isfinite(s->log_p[p]) ? s->log_slope[p] + up / down / train->sites.spacing : NAN;
    }
  }
}

PetscErrorCode fare_train_score(
  const fare_train *train, int64_t n, const double *const x[], double *const score[])
{
  seats  *s;
  double *mine, *right;
  size_t  size;

  PetscFunctionBegin;
  PetscCall(seats_create(train, &s));
  size = (size_t)(FARE_BLOCK * s->width);
  PetscCall(PetscMalloc2((size_t)(train->count + 1) * size, &mine, size, &right));
  for (int64_t at = 0; at < n; at += FARE_BLOCK) {
    const int count = (int)PetscMin(n - at, FARE_BLOCK);

    for (int i = 0; i < count; i++) mine[i * s->width] = right[i * s->width] = 1;
    for (int k = 0; k < train->count; k++) {
      seat(train, k, count, x[k] + at, s);
      carry(train, k, s, mine + (size_t)k * size, mine + (size_t)(k + 1) * size);
      if (k % OFTEN == OFTEN - 1)
        scale_down(train->bond[k + 1], count, s->width, mine + (size_t)(k + 1) * size, NULL);
    }
    for (int k = train->count - 1; k >= 0; k--) {
      seat(train, k, count, x[k] + at, s);
      carry_back(train, k, s, mine + (size_t)k * size, right, score[k] + at);
      if (k % OFTEN == 0) scale_down(train->bond[k], count, s->width, right, NULL);
    }
    for (int k = 0; k < train->count; k++) { /* outside along one axis, outside along all */
      for (int i = 0; i < count; i++) {
        for (int j = 0; j < train->count && !isfinite(score[k][at + i]); j++) score[j][at + i] = NAN;
      }
    }
  }
  PetscCall(PetscFree2(mine, right));
  PetscCall(seats_destroy(&s));
  PetscFunctionReturn(0);
}

/* The density in a part of a cell, a parabola through d[0..2], from its lower end to xi, over its length. */
static double within(const double d[3], double xi)
{
  const double slope = -3 * d[0] + 4 * d[1] - d[2], bend = 2 * d[0] - 4 * d[1] + 2 * d[2];

  return xi * (d[0] + xi * (0.5 * slope + xi * bend / 3));
}

/* Where within a part, of 0 to 1, a share of its mass lies below: by Newton's method between bounds. */
static double locate(const double d[3], double share)
{
  const double slope = -3 * d[0] + 4 * d[1] - d[2], bend = 2 * d[0] - 4 * d[1] + 2 * d[2],
               wanted = share * within(d, 1);
  double low = 0, high = 1, xi = share;

  for (int k = 0; k < 60 && high - low > 1e-15; k++) {
    const double over = within(d, xi) - wanted, density = d[0] + xi * (slope + xi * bend);
    double       next = xi - over / density;

    *(over < 0 ? &low : &high) = xi;
    if (!(next > low && next < high)) next = 0.5 * (low + high);
    if (fabs(next - xi) < 1e-15) break;
    xi = next;
  }
  return xi;
}

/* The parts of a cell: densities at their ends and middles, masses, and their sum. */
typedef struct {
  double d[2 * FARE_PARTS + 1], part[FARE_PARTS], sum;
} inside;

/* mass: of all cells, mirrored beyond the ends. */
static void look_inside(const fare_train *train, int k, int cell, const double *mass, inside *to)
{
  const int n = train->sites.cells;

  for (int j = 0; j <= 2 * FARE_PARTS; j++) {
    const int q         = 2 * FARE_PARTS * cell + j,
              first     = q == 2 * FARE_PARTS * n ? n - 1 : (q + FARE_PARTS) / (2 * FARE_PARTS) - 1;
    const double *value = train->reader[k]->place + (size_t)q * FARE_NEAR, *m = mass + SIDE + first - 2;

    to->d[j] = 0;
    for (int t = 0; t < FARE_NEAR; t++) to->d[j] += value[t] * m[t];
  }
  to->sum = 0;
  for (int j = 0; j < FARE_PARTS; j++) {
    to->part[j] = PetscMax(0, to->d[2 * j] + 4 * to->d[2 * j + 1] + to->d[2 * j + 2]);
    to->sum += to->part[j];
  }
}

/* One site of one point: from u to x, or back, by the masses of cells and of parts, total[] by cell. */
static PetscErrorCode place_one(const fare_train *train, int k, const double *mass, double *total,
  PetscBool back, double *x, double *u, double *clipped)
{
  const fare_sites *s     = &train->sites;
  const double      place = PetscMin(PetscMax((*x - s->lower) / s->spacing, 0), s->cells);
  double            sum = 0, negative = 0, below = 0, share = 0;
  int               cell = back ? PetscMin((int)place, s->cells - 1) : 0, j = 0;
  inside            in;

  PetscFunctionBegin;
  for (int i = 0; i < s->cells; i++) {
    negative += PetscMax(0, -total[i]);
    sum += total[i] = PetscMax(0, total[i]);
  }
  if (!(sum > 0) || !isfinite(sum))
    FARE_FAIL(
      FARE_ERR_FAILED, "tensor train: a conditional density has no mass: give more 'rank' or 'cells'");
  *clipped = PetscMax(*clipped, negative / (negative + sum));
  if (back) {
    const double at = FARE_PARTS * (place - cell);

    for (int i = 0; i < cell; i++) below += total[i];
    look_inside(train, k, cell, mass, &in);
    for (; j + 1 < FARE_PARTS && j + 1 <= at; j++) share += in.part[j];
    if (in.part[j] > 0)
      share += in.part[j] * PetscMin(PetscMax(within(in.d + 2 * j, at - j) / within(in.d + 2 * j, 1), 0), 1);
    *u = (below + (in.sum > 0 ? share / in.sum : 0) * total[cell]) / sum;
    PetscFunctionReturn(0);
  }
  while (cell + 1 < s->cells && below + total[cell] < *u * sum) below += total[cell++];
  look_inside(train, k, cell, mass, &in);
  share = total[cell] > 0 ? PetscMin(1, (*u * sum - below) / total[cell]) * in.sum : 0;
  while (j + 1 < FARE_PARTS && in.part[j] < share) share -= in.part[j++];
  *x = in.part[j] > 0 ? locate(in.d + 2 * j, PetscMin(1, share / in.part[j])) : 0.5;
  *x = s->lower + s->spacing * (cell + (j + *x) / FARE_PARTS);
  PetscFunctionReturn(0);
}

/* One site of all points, whose vectors of the sites before are v. */
static PetscErrorCode place_site(const fare_train *train, int k, int n, PetscBool back, double *x, double *u,
  seats *s, double *v, double *clipped)
{
  const int          cells = train->sites.cells, left = train->bond[k], length = cells + 2 * SIDE;
  const double       upper = train->sites.lower + train->sites.spacing * cells * (1 - 1e-12);
  const fare_reader *r     = train->reader[k];
  double            *mass, *total, *in;

  PetscFunctionBegin;
  PetscCall(PetscMalloc3(n * length, &mass, n * cells, &total, n, &in));
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, cells, left, 1, v, s->width, r->ahead, cells, 0,
    mass + SIDE, length);
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, n, cells, cells, 1, mass + SIDE, length, r->total,
    cells, 0, total, cells);
  for (int i = 0; i < n; i++) {
    double *m = mass + i * length;

    for (int j = 1; j <= SIDE; j++) {
      m[SIDE - j]             = m[SIDE + fare_mirrored(-j, cells)];
      m[SIDE + cells + j - 1] = m[SIDE + fare_mirrored(cells + j - 1, cells)];
    }
    PetscCall(place_one(train, k, m, total + i * cells, back, &x[i], &u[i], clipped));
    in[i] = PetscMin(PetscMax(x[i], train->sites.lower), upper);
  }
  seat(train, k, n, in, s);
  carry(train, k, s, v, v);
  scale_down(train->bond[k + 1], n, s->width, v, NULL);
  PetscCall(PetscFree3(mass, total, in));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_train_conditionals(
  const fare_train *train, int64_t n, PetscBool back, double *const x[], double *const u[], double *clipped)
{
  double *v;
  seats  *s;

  PetscFunctionBegin;
  PetscCall(seats_create(train, &s));
  PetscCall(PetscMalloc1(FARE_BLOCK * s->width, &v));
  for (int64_t at = 0; at < n; at += FARE_BLOCK) {
    const int count = (int)PetscMin(n - at, FARE_BLOCK);

    for (int i = 0; i < count; i++) v[i * s->width] = 1;
    for (int k = 0; k < train->count; k++)
      PetscCall(place_site(train, k, count, back, x[k] + at, u[k] + at, s, v, clipped));
  }
  PetscCall(PetscFree(v));
  PetscCall(seats_destroy(&s));
  PetscFunctionReturn(0);
}
