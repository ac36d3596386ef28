/* Transport distances along one axis, exact for masses spread evenly within fine bins. What lies beyond an end counts at that end. */
#include <fare/measure.h>

#include <math.h>

/* Integral of |F - G|: within a bin the difference is linear. */
static double first(const fare_comparison *c)
{
  double sum = 0, left = -c->q_below;

  for (size_t i = 0; i < c->fine; i++) {
    const double right = left + (c->p_fine[i] - c->q_fine[i]), a = fabs(left), b = fabs(right), width = c->edge[i + 1] - c->edge[i];

    if (left * right >= 0) sum += 0.5 * width * (a + b);
    else sum += 0.5 * width * (a * a + b * b) / (a + b);
    left = right;
  }
  return sum;
}

/* A quantile function, walked along in pieces on which it is linear. */
typedef struct {
  size_t        bins, next; /* next bin to enter */
  const double *mass, *edge;
  double        above;      /* mass at the upper end, entered after the last bin */
  double        left;       /* mass of the present piece that is not yet passed */
  double        x, end;     /* position, and where the piece ends */
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
  quantile p = {.bins = c->fine, .mass = c->p_fine, .edge = c->edge}, q = {.bins = c->fine, .mass = c->q_fine, .edge = c->edge};
  double   sum = 0;

  q.above = c->q_above;
  q.left  = c->q_below;
  q.x = q.end = c->edge[0];
  while (enter(&p) && enter(&q)) {
    const double mass = PetscMin(p.left, q.left), p_to = ahead(&p, mass), q_to = ahead(&q, mass), from = p.x - q.x, to = p_to - q_to;

    sum += mass * (from * from + from * to + to * to) / 3;
    p.x = p_to;
    q.x = q_to;
    p.left -= mass;
    q.left -= mass;
  }
  return sqrt(sum);
}

const fare_measure_type fare_measure_wasserstein_1 = {
  .name           = "wasserstein_1",
  .summary        = "transport (earth mover's) distance of order 1",
  .definition     = "integral of |F - G| of the cumulative functions on fine bins, mass spread evenly within a bin. What lies outside the\n"
                    "grid counts at the end that it is beyond. A periodic axis is cut open at its ends.",
  .reference      = "Vallender, Theory Probab. Appl. 18, 784 (1974)",
  .unit           = "length",
  .dimension_most = 1,
  .evaluate       = first,
};

const fare_measure_type fare_measure_wasserstein_2 = {
  .name           = "wasserstein_2",
  .summary        = "transport distance of order 2: root of the mean squared displacement",
  .definition     = "root of the integral over u of (F^-1(u) - G^-1(u))^2 of the quantile functions on fine bins, mass spread evenly within\n"
                    "a bin. What lies outside the grid counts at the end that it is beyond. A periodic axis is cut open at its ends.",
  .reference      = "Villani, Topics in Optimal Transportation, section 2.2 (2003)",
  .unit           = "length",
  .dimension_most = 1,
  .evaluate       = second,
};
