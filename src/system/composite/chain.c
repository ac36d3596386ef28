/* SPDX-License-Identifier: BSD-2-Clause */
/*
  A chain of sites, copies of one unit of one axis, each coupled to the next by a spring: V = sum_i V_1(x_i) +
  sum_i coupling/2 (x_i - x_{i+1})^2. Of bistable units it is the phi^4 chain, of periodic ones that of
  Frenkel and Kontorova, of free ones that of Rouse.
*/
#include "chain.h"

#include "composite.h"

#include <fare/chain.h>
#include <fare/random.h>
#include <string.h>

struct fare_chain {
  /* keys */
  PetscInt64       sites;
  const fare_node *unit_node;
  /* what they make */
  fare_system   *unit;
  int            coupling; /* its place among the parameters */
  fare_parameter parameters[FARE_PARAMETERS_MAX];
};

static const fare_field fields[] = {
  {"sites", FARE_INTEGER, offsetof(fare_chain, sites), NULL, 2, FARE_AXES_MAX, NULL, "",
    "number of units, each an axis"},
  {"unit", FARE_NODE, offsetof(fare_chain, unit_node), NULL, 0, 0, NULL, "",
    "a section `system` of one axis with a potential; its parameters become the chain's"},
  FARE_FIELDS_END,
};

static void potential(int dim, const double *theta, size_t n, const double *const x[], double V[])
{
  const fare_chain       *chain = fare_composite_at(theta)->state;
  const fare_system_type *unit  = chain->unit->type;
  double                  own[FARE_BLOCK];

  for (size_t first = 0; first < n; first += FARE_BLOCK) {
    const size_t  count = PetscMin(n - first, FARE_BLOCK);
    const double *from[FARE_AXES_MAX];

    memset(V + first, 0, count * sizeof *V);
    for (int k = 0; k < dim; k++) {
      from[k] = x[k] + first;
      unit->potential(1, theta, count, &from[k], own);
      for (size_t i = 0; i < count; i++) V[first + i] += own[i];
    }
    fare_springs_energy(theta[chain->coupling], dim, count, from, V + first);
  }
}

static void force(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  const fare_chain       *chain = fare_composite_at(theta)->state;
  const fare_system_type *unit  = chain->unit->type;

  for (int k = 0; k < dim; k++) unit->force(1, theta, n, x + k, f + k);
  fare_springs_force(theta[chain->coupling], dim, n, x, f);
}

static const char *name_in(const fare_node *section)
{
  const fare_node *name = fare_node_find(section, "name");

  return name && fare_node_kind_of(name) == FARE_NODE_SCALAR ? fare_node_text(name) : "unit";
}

/* Of one axis, a gradient system, and without a place of its own for what theta has there. */
static PetscErrorCode check_unit(const fare_node *at, const fare_system *unit)
{
  const fare_system_type *type = unit->type;

  PetscFunctionBegin;
  if (unit->dimension != 1)
    FARE_REFUSE(
      at, "a site has one axis, and '%s' has %d: choose a unit of one", name_in(at), unit->dimension);
  if (!fare_system_is_gradient(unit))
    FARE_REFUSE(at,
      "'%s' is no gradient system: a unit of a chain needs a potential, and neither a nonconservative force "
      "nor noise of its own",
      name_in(at));
  if (unit->course) FARE_REFUSE(at, "formulas of a unit may not hold t: drive a parameter of theirs instead");
  if (type->periodic[0])
    FARE_REFUSE(at,
      "'%s' is periodic, and springs do not close around a ring: give the same potential by a "
      "formula on a line",
      name_in(at));
  PetscFunctionReturn(0);
}

static PetscErrorCode make_parameters(const fare_node *section, fare_chain *chain)
{
  const fare_parameter *rows  = chain->unit->type->parameters;
  int                   count = 0;

  PetscFunctionBegin;
  for (; rows[count].name; count++) {
    if (count == FARE_SELF - 2) FARE_REFUSE(section, "the unit has too many parameters");
    if (!strcmp(rows[count].name, "coupling"))
      FARE_REFUSE(fare_node_find(section, "unit"),
        "a parameter of the unit is called 'coupling', as that of the springs: give it another name");
    chain->parameters[count]       = rows[count];
    chain->parameters[count].value = chain->unit->base[count];
  }
  chain->coupling          = count;
  chain->parameters[count] = (fare_parameter){
    "coupling", 1.0, 0.0, 1e6, "spring constant between neighbours, of coupling/2 (x_i - x_{i+1})^2"};
  PetscFunctionReturn(0);
}

static PetscErrorCode read(const fare_node *section, fare_composite *c)
{
  fare_chain       *chain = c->state;
  fare_system_type *type  = &c->type;

  PetscFunctionBegin;
  if (fare_node_kind_of(chain->unit_node) != FARE_NODE_MAP)
    FARE_REFUSE(chain->unit_node, "expected a section `system`, say {name: double_well}");
  if (fare_composite_kind_find(name_in(chain->unit_node)))
    FARE_REFUSE(chain->unit_node, "a site has one axis; '%s' is a system of many", name_in(chain->unit_node));
  PetscCall(c->read_unit(chain->unit_node, NULL, &chain->unit));
  PetscCall(check_unit(chain->unit_node, chain->unit));
  PetscCall(make_parameters(section, chain));
  type->dimension_min = type->dimension_max = (int)chain->sites;
  type->parameters                          = chain->parameters;
  type->potential                           = potential;
  type->force                               = force;
  for (int k = 0; k < chain->sites; k++) {
    type->lower[k] = chain->unit->type->lower[0];
    type->upper[k] = chain->unit->type->upper[0];
  }
  PetscFunctionReturn(0);
}

static void write(const fare_composite *c, fare_text *to)
{
  const fare_chain *chain = c->state;

  fare_text_add(to, "  sites: %d\n  unit:\n", (int)chain->sites);
  fare_composite_write_unit(c, chain->unit, 2, to);
}

static void release(fare_composite *c)
{
  PetscCallVoid(fare_system_destroy(&((fare_chain *)c->state)->unit));
}

const fare_composite_kind fare_composite_chain = {
  .name      = "chain",
  .summary   = "copies of a unit of one axis, each coupled to the next by a spring",
  .reference = "Rouse, J. Chem. Phys. 21, 1272 (1953); Frenkel and Kontorova, J. Phys. USSR 1, 137 (1939)",
  .size      = sizeof(fare_chain),
  .fields    = fields,
  .read      = read,
  .write     = write,
  .free      = release,
};

const fare_chain *fare_chain_of(const fare_system *system)
{
  const fare_composite *c = system->origin.composite;

  return c && c->kind == &fare_composite_chain ? c->state : NULL;
}

const fare_system_type *fare_chain_unit(const fare_chain *chain)
{
  return chain->unit->type;
}

int fare_chain_coupling(const fare_chain *chain)
{
  return chain->coupling;
}
