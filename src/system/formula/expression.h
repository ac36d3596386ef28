/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Inside system: formulas of a study. Text becomes a tree, the tree is differentiated and simplified, and
  printed as C, which is compiled once and kept. Nothing of the text itself reaches the compiler: only what
  the tree knows how to print.
*/
#ifndef FARE_EXPRESSION_H
#define FARE_EXPRESSION_H

#include "system/plugin/plugin.h"

#define FARE_FORMULA_LENGTH 4096  /* of one formula, in bytes */
#define FARE_FORMULA_DEPTH  64    /* of parentheses, signs and powers within each other */
#define FARE_TREE_NODES     32768 /* of all formulas of a study and their derivatives */

/*
  What a node is. Up to FARE_X_POWER they are operators and leaves; the rest are the functions that formulas
  may call.
*/
typedef enum {
  FARE_X_NUMBER,
  FARE_X_AXIS,
  FARE_X_PARAMETER,
  FARE_X_MINUS,
  FARE_X_ADD,
  FARE_X_SUBTRACT,
  FARE_X_MULTIPLY,
  FARE_X_DIVIDE,
  FARE_X_POWER,
  FARE_X_SIN,
  FARE_X_COS,
  FARE_X_TAN,
  FARE_X_EXP,
  FARE_X_LOG,
  FARE_X_SQRT,
  FARE_X_SINH,
  FARE_X_COSH,
  FARE_X_TANH,
  FARE_X_ATAN,
  FARE_X_ABS,
  FARE_X_SIGN,
  FARE_X_STEP,
  FARE_X_MIN,
  FARE_X_MAX,
  FARE_X_KINDS
} fare_tree_kind;
#define FARE_X_FIRST_FUNCTION FARE_X_SIN

/* How a kind is written in formulas, and in C; and its value, of functions of one argument. NULL: otherwise.
 */
typedef struct {
  const char *name, *in_c;
  double (*value)(double);
} fare_tree_notation;
extern const fare_tree_notation fare_tree_notations[FARE_X_KINDS];

/*
  One node; children come before it. Equal nodes are one, so that a common part of two formulas is computed
  once.
*/
typedef struct {
  fare_tree_kind kind;
  int            a, b;  /* children; of an axis or parameter: its index in a */
  double         value; /* of a number */
  unsigned       of;    /* what it depends on: 1 << axis, and FARE_OF_PARAMETERS, of which the time is one */
} fare_tree_node;

#define FARE_OF_AXES       ((1u << FARE_DIM_MAX) - 1)
#define FARE_OF_PARAMETERS (1u << FARE_DIM_MAX)

typedef struct {
  int            count, *bucket; /* heads of the chains of equal hash, -1 for none */
  int           *next;
  PetscBool      full; /* more nodes were asked for than there is room; results mean nothing then */
  fare_tree_node node[FARE_TREE_NODES];
} fare_tree;

PetscErrorCode fare_tree_create(fare_tree **tree);
void           fare_tree_destroy(fare_tree **tree);
int            fare_tree_number(fare_tree *tree, double value);
int            fare_tree_axis(fare_tree *tree, int axis);
int            fare_tree_parameter(fare_tree *tree, int parameter);
/* Simplified; `b` is ignored where the kind has one child. */
int       fare_tree_make(fare_tree *tree, fare_tree_kind kind, int a, int b);
PetscBool fare_tree_is(const fare_tree *tree, int node, double value);
/* What an operator or a function makes of its children's values; NaN of a leaf. */
double fare_tree_compute(fare_tree_kind kind, double a, double b);
/* The value of a node without axes. */
PetscErrorCode fare_tree_value(const fare_tree *tree, int node, const double theta[], double *value);
/*
  Marks what `count` roots are made of, one place for each node; the caller frees it. NULL where the tree is
  full, or memory ends, which counts as that.
*/
int *fare_tree_reached(fare_tree *tree, int count, const int root[]);
/* d node/d axis, exactly; jumps of abs, sign, step, min and max count for nothing. */
int fare_tree_derivative(fare_tree *tree, int node, int axis);
/*
  node = sum_k coefficient[k] basis function[k], coefficients of parameters alone, basis functions of axes
  alone. Returns how many, or 0 where that cannot be with at most `max`.
*/
int fare_tree_split(fare_tree *tree, int node, int max, int coefficient[], int basis[]);
/* Powers as products and square roots, which vectorise. */
int fare_tree_lower(fare_tree *tree, int node);

/* Names that formulas may use. */
typedef struct {
  int         axes, parameters;
  const char *axis[FARE_DIM_MAX], *parameter[FARE_PARAMETERS_MAX];
  PetscBool   used[FARE_PARAMETERS_MAX]; /* set by parsing */
  PetscBool   has_time, uses_time;       /* whether t is the time; set by parsing where it is */
  const char *lacking;                   /* what an unknown symbol lacks; NULL: a value in the study */
} fare_symbols;

/* Where a formula is wrong, and how. */
typedef struct {
  size_t at; /* bytes from its beginning */
  char   what[400];
} fare_formula_fault;

/* PETSC_FALSE: refused, see `fault`. */
PetscBool fare_formula_parse(
  fare_tree *tree, fare_symbols *symbols, const char *text, int *root, fare_formula_fault *fault);
/* The message of a fault at a node, with two more lines: the formula, and a caret under the place. */
PetscErrorCode fare_formula_refuse(const fare_node *node, const fare_formula_fault *fault);
/* Whether the word means something in formulas already: a function, pi, e or t. */
PetscBool fare_formula_reserves(const char *word);
PetscBool fare_formula_is_name(const char *word); /* letters, digits and _, beginning with a letter */

/* The functions of a system that formulas give. */
typedef enum {
  FARE_PART_POTENTIAL,
  FARE_PART_FORCE,
  FARE_PART_NONCONSERVATIVE,
  FARE_PART_BASIS,
  FARE_PART_COEFFICIENTS,
  FARE_PART_DRIFT,
  FARE_PART_DIFFUSION,
  FARE_PART_ACCELERATION,
  FARE_PART_BATH,
  FARE_PARTS
} fare_formula_part;
/* "potential": its name in C, and its key in a study where it is one. */
extern const char *const fare_formula_part_names[FARE_PARTS];

/* The formulas of one system as roots in a tree. */
typedef struct {
  int dim, count[FARE_PARTS], root[FARE_PARTS][FARE_PARAMETERS_MAX]; /* count: 0 where there are none */
  /* axes along which points are brought into [lower, upper] first */
  PetscBool periodic[FARE_DIM_MAX];
  double    lower[FARE_DIM_MAX], upper[FARE_DIM_MAX];
} fare_formulas;

/* What a descriptor points to, and what is known of it besides. */
struct fare_expression {
  fare_system_type type;
  fare_parameter   parameter[FARE_PARAMETERS_MAX];
  fare_text        axis[FARE_DIM_MAX], name[FARE_PARAMETERS_MAX];
  PetscBool     still[FARE_PARAMETERS_MAX]; /* parameters that bounds are made of, which nothing may drive */
  fare_tree    *tree;                       /* of formulas with t; NULL: none has it */
  fare_formulas formulas;                   /* their roots in it */
};

/* What the compiled object exports; the emitter writes this struct a second time, in plain C. */
typedef struct {
  fare_scalar_kernel       *potential;
  fare_vector_kernel       *force, *nonconservative;
  fare_basis_kernel        *basis;
  fare_coefficients_kernel *coefficients;
  fare_vector_kernel       *drift, *diffusion;
  fare_acceleration_kernel *acceleration;
  void (*bath)(const double *theta, double *friction, double *heating);
  int basis_count;
} fare_formula_kernels;

/* Appends the C source of a plugin of kind FARE_PLUGIN_IS_FORMULAS. */
void fare_formulas_emit(fare_tree *tree, const fare_formulas *formulas, fare_text *to);
/*
  Compiles source into the cache, unless it is there, and opens it on every rank. Where the compiler is
  missing or fails, or the cache cannot be used, that is FARE_ERR_FAILED with a message at `node`. Collective
  over PETSC_COMM_WORLD.
*/
PetscErrorCode fare_formulas_compile(
  const fare_node *node, const char *source, void **library, const fare_formula_kernels **kernels);

/*
  The system that `expression: {...}` gives. `parameters` may be NULL; dimension 0: as many as there are
  bounds. Collective over PETSC_COMM_WORLD.
*/
PetscErrorCode fare_expression_system(const fare_node *node, const fare_node *parameters,
  PetscInt64 dimension, fare_origin *origin, const fare_system_type **type);
void           fare_expression_destroy(fare_expression *expression);

#endif
