/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Transport distances: along one axis, exact for masses spread evenly within fine bins; in more dimensions
  along projections.
*/
#include <fare/measure.h>

#include <math.h>

/* Integral of |F - G|: within a bin the difference is linear. */
static double first(const fare_comparison *c)
{
  double sum = 0, left = -c->q_below;

  for (size_t i = 0; i < c->bins; i++) {
    const double right = left + (c->p_bin[i] - c->q_bin[i]), a = fabs(left), b = fabs(right),
                 width = c->edge[i + 1] - c->edge[i];

    if (left * right >= 0)
      sum += 0.5 * width * (a + b);
    else
      sum += 0.5 * width * (a * a + b * b) / (a + b);
    left = right;
  }
  return sum;
}

/* Mean of the same integrals over projections, masses at the middles of bins. */
static double sliced(const fare_comparison *c)
{
  const fare_projections *along  = c->projections;
  double                  inside = 0, sum = 0;

  if (c->dim == 1) return first(c);
  for (size_t i = 0; i < c->bins; i++) inside += c->q_bin[i];
  for (int d = 0; d < along->directions; d++) {
    const PetscInt *order = along->order + (size_t)d * c->bins;
    const double   *gap   = along->gap + (size_t)d * c->bins;
    double          p = 0, q = 0, of = 0;

    for (size_t i = 0; i < c->bins; i++) {
      p += c->p_bin[order[i]];
      q += c->q_bin[order[i]];
      of += gap[i] * fabs(p * inside - q);
    }
    sum += along->weight[d] * of;
  }
  return sum / inside;
}

/* A quantile function, walked along in pieces on which it is linear. */
typedef struct {
  size_t        bins, next; /* next bin to enter */
  const double *mass, *edge;
  double        above;  /* mass at the upper end, entered after the last bin */
  double        left;   /* mass of the present piece that is not yet passed */
  double        x, end; /* position, and where the piece ends */
} quantile;

/* Enters the next piece with mass in it; false at the end. */
static inline PetscBool enter(quantile *walk)
{
  while (walk->left <= 0) {
    if (walk->next > walk->bins) return PETSC_FALSE;
    walk->left = walk->next < walk->bins ? walk->mass[walk->next] : walk->above;
    walk->x    = walk->edge[walk->next];
    walk->end  = walk->edge[PetscMin(walk->next + 1, walk->bins)];
    walk->next++;
  }
  return PETSC_TRUE;
}

/* Where some of the mass left ends; a ratio of masses, for a mass may be the smallest number there is. */
static inline double ahead(const quantile *walk, double mass)
{
  return mass == walk->left ? walk->end : walk->x + (walk->end - walk->x) * (mass / walk->left);
}

/* Root of the integral of the squared difference of the quantile functions over probability. */
static double second(const fare_comparison *c)
{
  quantile p = {.bins = c->bins, .mass = c->p_bin, .edge = c->edge},
           q = {.bins = c->bins, .mass = c->q_bin, .edge = c->edge};
  double sum = 0;

  q.above = c->q_above;
  q.left  = c->q_below;
  q.x = q.end = c->edge[0];
  while (enter(&p) && enter(&q)) {
    const double mass = PetscMin(p.left, q.left), p_to = ahead(&p, mass), q_to = ahead(&q, mass),
                 from = p.x - q.x, to = p_to - q_to;

    sum += mass * (from * from + from * to + to * to) / 3;
    p.x = p_to;
    q.x = q_to;
    p.left -= mass;
    q.left -= mass;
  }
  return sqrt(sum);
}

const fare_measure_type fare_measure_wasserstein_1 = {
  .name       = "wasserstein_1",
  .summary    = "transport (earth mover's) distance of order 1",
  .definition = "integral of |F - G| of the cumulative functions on fine bins, mass spread evenly within a "
                "bin. Mass outside the\n"
                "grid counts at the end beyond which it lies. A periodic axis is cut open at its ends.",
  .reference  = "Vallender, Theory Probab. Appl. 18, 784 (1974)",
  .unit       = "length",
  .dimension_max = 1,
  .norm          = PETSC_TRUE,
  .evaluate      = first,
};

const fare_measure_type fare_measure_wasserstein_2 = {
  .name          = "wasserstein_2",
  .summary       = "transport distance of order 2: root mean squared displacement",
  .definition    = "root of the integral over u of (F^-1(u) - G^-1(u))^2 of the quantile functions on fine "
                   "bins, mass spread evenly within\n"
                   "a bin. Mass outside the grid counts at the end beyond which it lies. A periodic axis is "
                   "cut open at its ends.",
  .reference     = "Villani, Topics in Optimal Transportation, section 2.2 (2003)",
  .unit          = "length",
  .dimension_max = 1,
  .norm          = PETSC_TRUE,
  .evaluate      = second,
};

const fare_measure_type fare_measure_sliced_wasserstein = {
  .name       = "sliced_wasserstein",
  .summary    = "mean over directions of the transport distance of order 1 between projections",
  .definition = "weighted mean over 16 fixed directions of the integral of |F - G| of the cumulative "
                "functions of projections, masses of coarse\n"
                "bins at their middles. In one dimension it is wasserstein_1. In more the samples inside the "
                "grid are compared, their share\n"
                "scaled to 1; undefined if there are none.",
  .reference  = "Rabin, Peyre, Delon and Bernot, SSVM 2011, LNCS 6667, 435 (2012); Bonneel et al., J. Math. "
                "Imaging Vis. 51, 22 (2015)",
  .unit       = "length",
  .norm       = PETSC_TRUE,
  .evaluate   = sliced,
};
