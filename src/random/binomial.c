/* SPDX-License-Identifier: BSD-2-Clause */
/* Binomial and multinomial counts, exact in distribution, from counter-based uniforms. */
#include <fare/random.h>

#include <math.h>
#include <string.h>

#define INVERSION_BELOW 10 /* n p: what the constants of transformed rejection are made for begins here */
/* a count beyond this has a probability below 1e-70 there: only round-off of u gets so far */
#define INVERSION_MOST 110
/* tells whole blocks apart from the single numbers of the same stream and sequence */
#define WHOLE_DRAW 0xFF

/* Uniforms one after the other: single ones, or from whole blocks where many are needed. */
typedef struct {
  fare_random *random;
  PetscBool    whole;
  int          left;
  double       u[FARE_BLOCK];
} source;

static void refill(source *from)
{
  if (from->whole) {
    fare_random_uniforms(
      from->random->stream, from->random->next++, from->random->sequence, WHOLE_DRAW, from->u);
    from->left = FARE_BLOCK;
  } else {
    from->u[0] = fare_random_uniform(from->random);
    from->left = 1;
  }
}

static inline double uniform(source *from)
{
  if (!from->left) refill(from);
  return from->u[--from->left];
}

/* Walks up the cumulative function; n p is small. */
static int64_t invert(source *from, int64_t n, double p)
{
  const double  odds = p / (1 - p), scale = (double)(n + 1) * odds, first = exp((double)n * log1p(-p));
  const int64_t most = PetscMin(n, INVERSION_MOST);

  for (;;) {
    double u = uniform(from), f = first;

    for (int64_t k = 0; k <= most; k++) {
      if (u <= f) return k;
      u -= f;
      f *= scale / (double)(k + 1) - odds;
    }
  }
}

/* ln k! minus Stirling's (k + 1/2) ln(k + 1) - (k + 1) + ln(2 pi)/2 */
static double stirling_rest(double k)
{
  static const double small[] = {0.08106146679532726, 0.04134069595540929, 0.02767792568499834,
    0.02079067210376509, 0.01664469118982119, 0.01387612882307075, 0.01189670994589177, 0.01041126526197209,
    0.009255462182712733, 0.008330563433362871};
  const double        next    = k + 1;

  return k < 10 ? small[(int)k] : (1. / 12 - (1. / 360 - 1. / 1260 / (next * next)) / (next * next)) / next;
}

/*
  ln of the probability of k over that of the mode m; written in differences, so that it holds for huge n too.
*/
static double log_ratio(double n, double odds, double m, double k)
{
  return (m + 0.5) * log1p((m - k) / (k + 1)) + (n - m + 0.5) * log1p((k - m) / (n - k + 1)) +
    (k - m) * log(odds * (n - k + 1) / (k + 1)) + stirling_rest(m) + stirling_rest(n - m) - stirling_rest(k) -
    stirling_rest(n - k);
}

/* Transformed rejection with squeeze: algorithm BTRS of Hoermann 1993, for p <= 1/2. */
static int64_t reject(source *from, int64_t count, double p)
{
  const double n = (double)count, sd = sqrt(n * p * (1 - p)), b = 1.15 + 2.53 * sd,
               a = -0.0873 + 0.0248 * b + 0.01 * p, c = n * p + 0.5;
  const double squeeze = 0.92 - 4.2 / b;

  for (;;) {
    const double u = uniform(from) - 0.5, v = uniform(from), us = 0.5 - fabs(u),
                 k = floor((2 * a / us + b) * u + c);

    if (us >= 0.07 && v <= squeeze) return (int64_t)k;
    if (!(k >= 0 && k <= n)) continue;
    if (log(v * (2.83 + 5.1 / b) * sd / (a / (us * us) + b)) <=
      log_ratio(n, p / (1 - p), floor((n + 1) * p), k))
      return (int64_t)k;
  }
}

static int64_t binomial(source *from, int64_t n, double p)
{
  if (n <= 0 || !(p > 0)) return 0;
  if (p >= 1) return n;
  if (p > 0.5) return n - binomial(from, n, 1 - p);
  return (double)n * p < INVERSION_BELOW ? invert(from, n, p) : reject(from, n, p);
}

int64_t fare_random_binomial(fare_random *random, int64_t n, double p)
{
  source from;

  from.random = random;
  from.whole  = PETSC_FALSE;
  from.left   = 0;
  return binomial(&from, n, p);
}

static double sum(size_t n, const double p[])
{
  double s[4] = {0};
  size_t i    = 0;

  for (; i + 4 <= n; i += 4) {
    for (int lane = 0; lane < 4; lane++) s[lane] += p[i + (size_t)lane];
  }
  for (; i < n; i++) s[0] += p[i];
  return (s[0] + s[1]) + (s[2] + s[3]);
}

/*
  Shares n out between the two halves of the classes, and so on within each: regions that got nothing are left
  at once, and every probability is a ratio of sums of its own, so that tails keep their relative precision.
*/
static void share(source *from, int64_t n, size_t k, const double p[], int64_t counts[])
{
  if (n == 0) {
    memset(counts, 0, k * sizeof *counts);
  } else if (k == 1) {
    counts[0] = n;
  } else {
    const size_t  half  = k / 2;
    const double  below = sum(half, p), above = sum(k - half, p + half);
    const int64_t here = below < above ? binomial(from, n, below / (below + above))
                                       : n - binomial(from, n, above / (below + above));

    share(from, here, half, p, counts);
    share(from, n - here, k - half, p + half, counts + half);
  }
}

void fare_random_multinomial(fare_random *random, int64_t n, size_t k, const double p[], int64_t counts[])
{
  source from;

  from.random = random;
  from.whole  = PETSC_TRUE;
  from.left   = 0;
  if (k > 0) share(&from, n, k, p, counts);
}
