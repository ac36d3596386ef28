/* SPDX-License-Identifier: BSD-2-Clause */
/* The key `potential` of a line, and the system whose parameters stand for it. */
#include "options.h"
#include "potential.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PLACES 5 /* at which a drive is looked at */

typedef struct {
  PetscInt64 knots;
  double     lower, upper;
  char      *smoothness;
} keys;
const fare_field fare_potential_fields[] = {
  {"knots", FARE_INTEGER, offsetof(keys, knots), "16", FARE_POTENTIAL_KNOTS_MIN, FARE_POTENTIAL_KNOTS_MAX,
    NULL, "", "evenly spaced"},
  {"lower", FARE_REAL, offsetof(keys, lower), "-1e300", -1e300, 1e300, NULL, "length",
    "first knot; default: the box"},
  {"upper", FARE_REAL, offsetof(keys, upper), "1e300", -1e300, 1e300, NULL, "length",
    "last knot; default: the box"},
  {"smoothness", FARE_STRING, offsetof(keys, smoothness), "auto", 0, 0, NULL, "",
    "weight of the integral of (V''/kT)^2, or auto"},
  FARE_FIELDS_END,
};

/* Whether a parameter adds one and the same to the force everywhere: what `force` of a spline does. */
static PetscErrorCode is_force(
  const fare_system *system, const fare_box *box, const char *name, PetscBool *uniform)
{
  const fare_parameter *table = fare_system_type_of(system)->parameters;
  double                theta[FARE_PARAMETERS_MAX], x[PLACES], f[2][PLACES];
  const double         *at[] = {x};
  int                   k    = 0;

  PetscFunctionBegin;
  while (strcmp(table[k].name, name)) k++;
  fare_system_base(system, theta);
  for (int i = 0; i < PLACES; i++)
    x[i] = box->lower[0] + (i + 0.3) / PLACES * (box->upper[0] - box->lower[0]);
  for (int side = 0; side < 2; side++) {
    double *to[] = {f[side]};

    theta[k] += side;
    fare_system_type_of(system)->force(1, theta, PLACES, at, to);
  }
  *uniform = PETSC_TRUE;
  for (int i = 0; i < PLACES; i++)
    if (fabs(f[1][i] - f[0][i] - 1) > 1e-9 * (1 + fabs(f[0][i]))) *uniform = PETSC_FALSE;
  PetscFunctionReturn(0);
}

/* The study's drive, of a spline. */
static PetscErrorCode write_drive(const fare_node *node, const fare_system *system, const fare_box *box,
  const fare_node *drive, fare_text *to)
{
  PetscFunctionBegin;
  fare_text_add(to, "drive:\n");
  for (size_t i = 0; i < fare_node_size(drive); i++) {
    const fare_node *item = fare_node_item(drive, i);
    const char      *name = fare_node_text(fare_node_find(item, "parameter"));
    PetscBool        uniform;

    if (strcmp(name, "kT") && strcmp(name, "mobility")) {
      PetscCall(is_force(system, box, name, &uniform));
      if (!uniform)
        FARE_REFUSE(
          node, "the study drives '%s': only a uniform force, kT and mobility drive a spline", name);
      name = "force";
    }
    fare_text_add(to, "  - parameter: %s\n", name);
    for (size_t k = 0; k < fare_node_size(item); k++) {
      if (!strcmp(fare_node_key(item, k), "parameter")) continue;
      fare_text_add(to, "    %s: ", fare_node_key(item, k));
      fare_node_write(fare_node_item(item, k), to);
      fare_text_add(to, "\n");
    }
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode write_system(
  const fare_node *node, const keys *got, const fare_system *system, const fare_box *box, fare_text *to)
{
  double         theta[FARE_PARAMETERS_MAX];
  fare_text      own    = {0};
  fare_config   *config = NULL;
  PetscErrorCode code   = 0;

  PetscFunctionBegin;
  fare_system_base(system, theta);
  fare_text_add(to,
    "system: {name: spline, knots: %d, lower: %.17g, upper: %.17g, periodic: %s, parameters: {kT: %.17g, "
    "mobility: %.17g}}\n",
    (int)got->knots, got->lower, got->upper, box->periodic[0] ? "true" : "false", theta[FARE_KT],
    theta[FARE_MOBILITY]);
  if (!fare_system_is_driven(system)) PetscFunctionReturn(0);
  fare_system_write(system, &own);
  code = fare_config_parse("system", own.text, own.length, &config);
  if (!code) {
    const fare_node *drive = fare_node_find(fare_config_root(config), "drive");

    code = drive ? write_drive(node, system, box, drive, to)
                 : fare_node_error(node, "formulas of time and controls do not drive a spline");
  }
  fare_config_destroy(&config);
  fare_text_free(&own);
  PetscFunctionReturn(code);
}

static PetscErrorCode make_system(
  const fare_node *node, const keys *got, const fare_system *system, const fare_box *box, fare_potential *p)
{
  fare_text        text = {0};
  const fare_node *root;
  PetscErrorCode   code;

  PetscFunctionBegin;
  code = write_system(node, got, system, box, &text);
  if (!code) code = fare_config_parse("potential", text.text, text.length, &p->config);
  fare_text_free(&text);
  PetscCall(code);
  root = fare_config_root(p->config);
  PetscCall(
    fare_system_from_config(fare_node_find(root, "system"), fare_node_find(root, "drive"), &p->system));
  PetscFunctionReturn(0);
}

static PetscErrorCode check_system(const fare_node *node, const fare_system *system)
{
  const fare_system_type *type = fare_system_type_of(system);

  PetscFunctionBegin;
  if (fare_system_dimension(system) > 1)
    FARE_REFUSE(
      node, "splines are for systems of one axis, the system has %d", fare_system_dimension(system));
  if (type->drift || !type->potential)
    FARE_REFUSE(node,
      "'potential' is for a drift mobility (-V' + F) and noise from kT: system '%s' is of another kind",
      type->name);
  PetscFunctionReturn(0);
}

/* Knots within the box; around a ring they begin at its seam. */
static PetscErrorCode check_knots(const fare_node *node, const fare_box *box, keys *got)
{
  static const char *const ends[] = {"lower", "upper"};

  PetscFunctionBegin;
  for (int i = 0; i < 2; i++)
    if (box->periodic[0] && fare_node_find(node, ends[i]))
      FARE_REFUSE(
        fare_node_find(node, ends[i]), "around a ring knots are evenly spaced: remove '%s'", ends[i]);
  if (!fare_node_find(node, "lower")) got->lower = box->lower[0];
  if (!fare_node_find(node, "upper")) got->upper = box->upper[0];
  if (!(got->lower >= box->lower[0] && got->upper <= box->upper[0]))
    FARE_REFUSE(node, "knots from %g to %g are not all in the truth's box, [%g, %g]", got->lower, got->upper,
      box->lower[0], box->upper[0]);
  if (!(got->lower < got->upper))
    FARE_REFUSE(node, "the last knot, %g, is not above the first one, %g", got->upper, got->lower);
  PetscFunctionReturn(0);
}

static PetscErrorCode read_smoothness(const fare_node *node, const keys *got, fare_potential *p)
{
  const fare_node *at = fare_node_find(node, "smoothness");

  PetscFunctionBegin;
  p->smoothness = -1;
  if (!strcmp(got->smoothness, "auto")) PetscFunctionReturn(0);
  PetscCall(fare_node_real(at, &p->smoothness));
  if (!(p->smoothness >= 0 && p->smoothness <= 1e100))
    FARE_REFUSE(at, "expected a weight from 0 to 1e100, or auto, got %g", p->smoothness);
  PetscFunctionReturn(0);
}

static PetscErrorCode create(
  const fare_node *node, const fare_system *system, const fare_box *box, fare_potential **potential)
{
  fare_potential *p;
  PetscErrorCode  code;
  keys            got;

  PetscFunctionBegin;
  *potential = NULL;
  if (fare_node_kind_of(node) != FARE_NODE_MAP)
    FARE_REFUSE(node, "expected a map, {knots: 16, smoothness: auto}");
  PetscCall(check_system(node, system));
  PetscCall(fare_fields_read(fare_potential_fields, NULL, node, &got));
  PetscCall(PetscNew(potential));
  p        = *potential;
  p->knots = (int)got.knots;
  code     = check_knots(node, box, &got);
  if (!code) code = read_smoothness(node, &got, p);
  if (!code) code = make_system(node, &got, system, box, p);
  if (!code) fare_potential_spline_roughness(fare_potential_spline_of(p->system), p->roughness);
  fare_fields_free(fare_potential_fields, &got);
  PetscFunctionReturn(code);
}

/* Beside a potential: kT, and around a ring a constant force, which is sought whether it is named or not. */
PetscErrorCode fare_potential_check_beside(const fare_node *at, const char *name, const fare_infer_line *l)
{
  const PetscBool ring = fare_system_box(l->sought->system).periodic[0];

  PetscFunctionBegin;
  if (!strcmp(name, "kT") || (ring && !strcmp(name, "force"))) PetscFunctionReturn(0);
  FARE_REFUSE(
    at, "beside a potential, only %s can be estimated, not '%s'", ring ? "kT and force" : "kT", name);
}

/* The values at knots come last. */
void fare_potential_add_knots(fare_infer_line *l)
{
  const fare_parameter *table = fare_system_type_of(l->sought->system)->parameters;
  PetscBool             force = fare_system_box(l->sought->system).periodic[0];

  for (int k = 0; k < l->count; k++)
    if (!strcmp(l->parameter[k], "force")) force = PETSC_FALSE;
  for (int place = force ? FARE_POTENTIAL_SPLINE_FORCE : FARE_POTENTIAL_SPLINE_VALUES; table[place].name;
       place++) {
    if (place == FARE_POTENTIAL_SPLINE_VALUES) l->sought->first = l->count;
    l->guess[l->count]       = 0;
    l->parameter[l->count++] = table[place].name;
  }
  l->sought->warm = -1;
  for (int k = 0; k < l->sought->first; k++)
    if (!strcmp(l->parameter[k], "kT")) l->sought->warm = k;
  l->sought->kT    = fare_system_kT(l->sought->system, 0);
  l->sought->fixed = l->sought->first + l->sought->knots / 2;
}

PetscErrorCode fare_potential_read(const fare_infer_study *study, fare_infer_line *l)
{
  const fare_box box = fare_truth_box(study->system, study->truth);

  PetscFunctionBegin;
  if (!l->potential) PetscFunctionReturn(0);
  for (size_t i = 0; i < l->methods; i++)
    if (!l->type[i]->prepare)
      FARE_REFUSE(l->potential, "%s does not estimate a potential: remove the key", l->type[i]->name);
  if (l->intervals)
    FARE_REFUSE(fare_node_find(l->node, "intervals"),
      "bands of a potential come from the Fisher information: remove it");
  if (l->posterior)
    FARE_REFUSE(l->posterior, "posterior draws of a potential are not supported: remove the key");
  PetscCall(create(l->potential, study->system, &box, &l->sought));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_potential_destroy(fare_potential **potential)
{
  PetscFunctionBegin;
  if (!*potential) PetscFunctionReturn(0);
  PetscCall(fare_system_destroy(&(*potential)->system));
  fare_config_destroy(&(*potential)->config);
  PetscCall(PetscFree(*potential));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_frame_destroy(fare_frame **frame)
{
  fare_frame *f = *frame;

  PetscFunctionBegin;
  if (!f) PetscFunctionReturn(0);
  PetscCall(PetscFree7(f->x, f->density, f->potential, f->drift, f->to_potential, f->to_drift, f->rows));
  PetscCall(PetscFree(*frame));
  PetscFunctionReturn(0);
}
