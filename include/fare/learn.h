/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
  learn: small dense networks and their training, alike on every rank. All works in float32 on tiles of at
  most FARE_BLOCK rows, as structure of arrays: value k of row r is at [k * FARE_BLOCK + r].
*/
#ifndef FARE_LEARN_H
#define FARE_LEARN_H

#include <fare/config.h>
#include <fare/random.h>
#include <fare/store.h>

/**
  Fourier features: out[2k] = sin(2^k frequency u) and out[2k + 1] = cos(2^k frequency u), k from 0 on. Where
  u is uncertain each feature is its mean, smaller by exp(-(2^k frequency spread)^2/2). A kernel.
  @param frequencies their number
  @param frequency the lowest
  @param n rows, at most FARE_BLOCK
  @param u n numbers
  @param spread n standard deviations of u, or NULL: none
  @param stride from one feature to the next in `out`
  @param out 2 frequencies stride numbers
*/
void fare_learn_frequencies(
  int frequencies, double frequency, int n, const float u[], const float spread[], int stride, float out[]);

/**
  A network: `layers` hidden layers of `width` with SiLU, then a linear one. Not collective, except save and
  load.
*/
typedef struct {
  int inputs;  /**< of each row */
  int width;   /**< of the hidden layers */
  int layers;  /**< hidden ones */
  int outputs; /**< of each row */
} fare_network_shape;
typedef struct fare_network fare_network; /**< opaque */

/**
  Makes a network that is the function 0: weights normal with variance 2/inputs of a layer, biases and the
  last layer zero. Not collective; alike on ranks that give the same stream.
  @param shape copied
  @param stream of the weights
  @param network new; freed with fare_network_destroy
  @return FARE_ERR_FAILED where memory is short
*/
PetscErrorCode fare_network_create(
  const fare_network_shape *shape, fare_stream stream, fare_network **network);
/**
  Frees a network. Not collective.
  @param network may point to NULL; becomes NULL
  @return an error of PETSc
*/
PetscErrorCode fare_network_destroy(fare_network **network);
/**
  Says whether hidden layers beyond the first add their input to their output (He et al., arXiv 1512.03385).
  Before the network is used; off in a new one.
  @param network changed
  @param residual whether they do
*/
void fare_network_set_residual(fare_network *network, PetscBool residual);
/**
  The shape of a network, borrowed.
  @param network the network
  @return never NULL
*/
const fare_network_shape *fare_network_shape_of(const fare_network *network);
/**
  The number of weights and biases.
  @param network the network
  @return that number
*/
size_t fare_network_count(const fare_network *network);
/**
  Weights and biases, layer after layer: weights[out][in], then biases[out].
  @param network the network
  @return borrowed; may be changed
*/
float *fare_network_weights(fare_network *network);
/**
  The output for a tile. A whole tile of FARE_BLOCK rows has the same bits whenever and wherever it is
  evaluated.
  @param network the network
  @param rows at most FARE_BLOCK
  @param input of each row, all but the last `shared` ones
  @param shared inputs at the end that are the same in all rows
  @param common those, or NULL where there are none
  @param output of each row
*/
void fare_network_evaluate(
  fare_network *network, int rows, const float input[], int shared, const float common[], float output[]);
/**
  The same for inputs that all differ, kept for calls of fare_network_backward.
  @param network the network
  @param rows at most FARE_BLOCK
  @param input of each row
  @param output of each row
*/
void fare_network_forward(fare_network *network, int rows, const float input[], float output[]);
/**
  Derivatives of the sum over rows of d_output output, after fare_network_forward.
  @param network the network
  @param rows as before
  @param input as before
  @param d_output derivatives by the outputs of each row
  @param gradient derivatives by the weights are added here; may be NULL
  @param d_input becomes the derivatives by the inputs; may be NULL
*/
void fare_network_backward(fare_network *network, int rows, const float input[], const float d_output[],
  float gradient[], float d_input[]);
/**
  The output, and its derivative J direction along a direction of the input; kept for calls of
  fare_network_tangent_backward.
  @param network the network
  @param rows at most FARE_BLOCK
  @param input of each row
  @param direction of each row, as the inputs
  @param output of each row
  @param d_output_along J direction of each row
*/
void fare_network_tangent(fare_network *network, int rows, const float input[], const float direction[],
  float output[], float d_output_along[]);
/**
  Derivatives of the sum over rows of d_output output + d_along (J direction). So the loss of a derivative is
  trained: of ds/dx, say, with direction dL/d(ds/dx) and d_along 1. With d_output 0 and d_along 1, d_input is
  the Hessian of a scalar network times `direction`.
  @param network the network
  @param rows as before
  @param input as before
  @param direction as before; held
  @param d_output derivatives by the outputs
  @param d_along derivatives by J direction
  @param gradient derivatives by the weights are added here; may be NULL
  @param d_input becomes the derivatives by the inputs; may be NULL
*/
void fare_network_tangent_backward(fare_network *network, int rows, const float input[],
  const float direction[], const float d_output[], const float d_along[], float gradient[], float d_input[]);
/**
  Saves weights and shape; loads them into a network that there is, and refuses those of another shape, or of
  residual blocks where it has none.
*/
extern const fare_kept_type fare_network_kept;

/**
  What is learned from: this rank's share of rows in groups (one per condition, e.g. a time), centred and
  scaled to variance 1 over all groups together. Rows have a number within their group, over all ranks.
*/
typedef struct fare_learn_rows fare_learn_rows;
/**
  Makes a set of rows, of which none is set yet. Collective.
  @param comm the ranks that train
  @param dim numbers in a row
  @param groups conditions
  @param rows new; freed with fare_learn_rows_destroy
  @return an error of PETSc
*/
PetscErrorCode fare_learn_rows_create(MPI_Comm comm, int dim, int groups, fare_learn_rows **rows);
/**
  Frees rows.
  @param rows may point to NULL; becomes NULL
  @return an error of PETSc
*/
PetscErrorCode fare_learn_rows_destroy(fare_learn_rows **rows);
/**
  Sets this rank's rows of a group. Arrays are borrowed until fare_learn_rows_standardise copies them.
  @param rows changed
  @param group from 0
  @param count rows of the group on all ranks
  @param first number of this rank's first row within the group
  @param local rows of this rank
  @param x `dim` arrays of `local` numbers
  @param weight `local` numbers, or NULL: all equal
*/
void fare_learn_rows_set(fare_learn_rows *rows, int group, int64_t count, int64_t first, int64_t local,
  const double *const x[], const double weight[]);
/**
  Keeps every k-th row of a group from training for batches of held-out rows, k the integer nearest to 1/share
  (at least 2). Before a batch is drawn.
  @param rows changed
  @param share 0: none, as it begins
*/
void fare_learn_rows_hold_out(fare_learn_rows *rows, double share);
/**
  Centres, scales and copies; once, after all groups are set. Collective.
  @param rows changed
  @param mean `dim` numbers: of all groups together
  @param sd `dim` numbers: standard deviations
  @return FARE_ERR_FAILED where rows are not finite or do not spread
*/
PetscErrorCode fare_learn_rows_standardise(fare_learn_rows *rows, double mean[], double sd[]);

/**
  Those rows of one batch that live here. Which rows a batch holds depends on the stream, the step and its
  size alone: every rank draws all and keeps its own, so that shares are fair however rows are spread, and a
  rank without rows has none.
*/
typedef struct {
  int64_t  size;             /**< rows on all ranks */
  int64_t  count;            /**< rows here */
  int64_t *number;           /**< within the whole batch, ascending */
  int     *group;            /**< of each row */
  float   *x[FARE_AXES_MAX]; /**< of each row: scaled numbers, per axis */
  float   *weight;           /**< of each row: mean 1 over its group */
} fare_learn_batch;
/**
  Makes a batch. Not collective.
  @param dim numbers in a row
  @param size rows on all ranks
  @param batch new; freed with fare_learn_batch_destroy
  @return an error of PETSc
*/
PetscErrorCode fare_learn_batch_create(int dim, int64_t size, fare_learn_batch **batch);
/**
  Frees a batch.
  @param batch may point to NULL; becomes NULL
  @return an error of PETSc
*/
PetscErrorCode fare_learn_batch_destroy(fare_learn_batch **batch);
/** A step so large asks for held-out rows: step - FARE_LEARN_HELD_OUT counts batches of them. */
#define FARE_LEARN_HELD_OUT ((int64_t)1 << 55)
/**
  Draws the rows of a step: groups in turn, rows of a group with equal chance. Not collective.
  @param batch filled
  @param rows standardised
  @param stream of the training
  @param step from 0; from FARE_LEARN_HELD_OUT on only held-out rows, before that all others
*/
void fare_learn_batch_draw(
  fare_learn_batch *batch, const fare_learn_rows *rows, fare_stream stream, uint64_t step);
/**
  One normal for each row here. Not collective.
  @param batch drawn
  @param stream of the training
  @param step the same
  @param draw from 1; tells apart several
  @param z batch->count numbers
*/
void fare_learn_batch_normals(
  const fare_learn_batch *batch, fare_stream stream, uint64_t step, uint32_t draw, float z[]);

/** How the loss fell: its mean over the steps up to step[i] since the point before. */
typedef struct {
  size_t   count; /**< points */
  int64_t *step;  /**< of each point */
  double  *loss;  /**< of each point */
  /** of held-out rows, by the averaged weights at that step; NULL where none are held out */
  double *validation;
} fare_curve;
/**
  Frees what a curve holds and empties it. Not collective.
  @param curve may be empty
  @return an error of PETSc
*/
PetscErrorCode fare_curve_free(fare_curve *curve);
/** Of all its arrays. */
extern const fare_kept fare_curve_kept[];

/** Network and training as a method's own fields, so that all methods name them alike. */
typedef struct {
  PetscInt64 width;         /**< of the hidden layers */
  PetscInt64 layers;        /**< hidden ones */
  PetscInt64 steps;         /**< of training */
  PetscInt64 batch;         /**< rows per step, over all ranks */
  PetscInt64 warmup;        /**< steps of the linear warm-up */
  PetscInt64 patience;      /**< points of the curve without a gain, after which training ends; 0: never */
  double     learning_rate; /**< the largest */
  double     ema;           /**< decay per step of the average of weights */
  double     validation_fraction; /**< share of the rows held out */
  PetscBool  residual;            /**< see fare_network_set_residual() */
} fare_learn_options;
/** Their fields, as those of `type`, whose member `member` they are; defaults that methods differ in. */
#define FARE_LEARN_FIELDS(type, member, width_, layers_, steps_, batch_, rate_)                           \
  {"width", FARE_INTEGER, offsetof(type, member.width), width_, 1, 4096, NULL, "",                        \
    "width of the network's hidden layers"},                                                              \
    {"layers", FARE_INTEGER, offsetof(type, member.layers), layers_, 1, 64, NULL, "", "hidden layers"},   \
    {"steps", FARE_INTEGER, offsetof(type, member.steps), steps_, 1, 1e9, NULL, "", "steps of training"}, \
    {"batch", FARE_INTEGER, offsetof(type, member.batch), batch_, 1, 1e8, NULL, "",                       \
      "training particles per step, over all ranks"},                                                     \
    {"warmup", FARE_INTEGER, offsetof(type, member.warmup), "200", 0, 1e9, NULL, "",                      \
      "steps of the linear warm-up of the learning rate; a cosine decay follows"},                        \
    {"learning_rate", FARE_REAL, offsetof(type, member.learning_rate), rate_, 1e-12, 1e3, NULL, "",       \
      "largest learning rate of Adam"},                                                                   \
    {"ema", FARE_REAL, offsetof(type, member.ema), "0.999", 0, 0.999999, NULL, "",                        \
      "decay per step of the average of weights that is sampled with"},                                   \
    {"residual", FARE_BOOLEAN, offsetof(type, member.residual), "false", 0, 0, NULL, "",                  \
      "hidden layers beyond the first add their input to their output"},                                  \
    {"validation_fraction", FARE_REAL, offsetof(type, member.validation_fraction), "0", 0, 0.5, NULL, "", \
      "share of the training particles kept out of training, for the loss of validation"},                \
  {                                                                                                       \
    "patience", FARE_INTEGER, offsetof(type, member.patience), "0", 0, 1e6, NULL, "",                     \
      "with validation_fraction: training ends after so many points of the curve (200 in all) without a " \
      "better loss of "                                                                                   \
      "validation, and the best weights are kept; 0: neither"                                             \
  }

/**
  Makes the network of these options.
  @param options read from a study
  @param inputs of the network
  @param outputs of the network
  @param stream of its weights
  @param network new; freed with fare_network_destroy
  @return FARE_ERR_FAILED where memory is short
*/
PetscErrorCode fare_learn_network(
  const fare_learn_options *options, int inputs, int outputs, fare_stream stream, fare_network **network);

/**
  The learning rate: a linear warm-up, then a cosine decay to 0.
  @param options steps, warmup and learning_rate
  @param step from 0
  @return the rate of that step
*/
double fare_learn_rate(const fare_learn_options *options, int64_t step);

/** The state of training between two steps; opaque. */
typedef struct fare_learn_state fare_learn_state;
/**
  Training that can stop and go on. `state` is all that training stands on between two steps: where one is
  found, training goes on from there, to the same bits given the number of ranks; it is kept where training
  was stopped, and NULL once it has ended. `pause` is called again and again between steps, `state` being up
  to date: it may save that, and sets *stop (alike on all ranks) for training to end with FARE_ERR_STOPPED.
  Batches are functions of the step, so nothing else need be kept, but for what a problem says. A method adds
  the line `.session = &...` to its problem, and has the rest done by whoever owns the session.
*/
typedef struct {
  fare_learn_state *state;                                               /**< NULL: none */
  void             *context;                                             /**< of `pause` */
  PetscErrorCode (*pause)(void *context, int64_t step, PetscBool *stop); /**< may be NULL. Collective. */
} fare_learn_session;
/**
  Saves the state of training. Collective.
  @param state of a session
  @param to a file that is being written
  @param group path of the group that is made
  @return FARE_ERR_FAILED where it cannot be written
*/
PetscErrorCode fare_learn_state_save(const fare_learn_state *state, fare_store *to, const char *group);
/**
  Loads it again. It must fit network and options when training goes on, else FARE_ERR_FAILED there.
  Collective.
  @param state new; freed with fare_learn_state_destroy, or by the training that goes on
  @param from a file that is being read
  @param group path of the group
  @return FARE_ERR_FAILED where it is not the state of a training
*/
PetscErrorCode fare_learn_state_load(fare_learn_state **state, fare_store *from, const char *group);
/**
  What a problem keeps besides, as its `keep` has put it down.
  @param state of a session
  @return problem->kept numbers, borrowed; NULL: none
*/
const double *fare_learn_state_numbers(const fare_learn_state *state);
/**
  Frees a state.
  @param state may point to NULL; becomes NULL
  @return an error of PETSc
*/
PetscErrorCode fare_learn_state_destroy(fare_learn_state **state);

/** What a method provides for training. Rows are numbered among those of this rank. */
typedef struct {
  const char *what;    /**< leads messages */
  void       *context; /**< of the functions */
  /**
    Draws the batch of a step (held-out rows from FARE_LEARN_HELD_OUT on, as fare_learn_batch_draw does) and
    says how many of its rows are here.
  */
  void (*draw)(void *context, int64_t step, int64_t *rows);
  /** Inputs of rows [first, first + n), n at most FARE_BLOCK. */
  void (*inputs)(void *context, int64_t first, int n, float input[]);
  /** The sum of these rows' losses, and its derivatives by the outputs. */
  double (*loss)(void *context, int64_t first, int n, const float output[], float d_output[]);
  /**
    In place of those two, where one pass forward and one backward do not make the gradient: adds it to
    `gradient` (NULL: not wanted) and returns the sum of losses.
  */
  double (*gradient)(void *context, fare_network *network, int64_t first, int n, float gradient[]);
  fare_learn_session *session; /**< NULL: training cannot be stopped */
  /**
    Where training stands on more than weights and step: so many numbers over all ranks. `keep` puts down
    those of this rank among zeros, `recall` is given all of them before a training that was stopped goes on.
  */
  size_t kept;
  void (*keep)(void *context, double numbers[]);         /**< see `kept` */
  void (*recall)(void *context, const double numbers[]); /**< see `kept` */
} fare_learn_problem;

/**
  Adam (Kingma and Ba, arXiv 1412.6980) on the mean loss of the batches; at the end the network holds the
  average of its weights. Gradients are summed over ranks, so every rank takes the same step to the same bits,
  given the number of ranks. With options->validation_fraction every point of the curve also has the loss of
  held-out rows, always the same ones with the same noise; with options->patience the network ends with the
  averaged weights of the point where that was least. Collective.
  @param comm the ranks that train
  @param network alike on all ranks; trained
  @param options of the network and of training
  @param problem what is learned
  @param curve becomes how the loss fell; freed with fare_curve_free
  @param evaluations the rows evaluated here are added
  @return FARE_ERR_FAILED on every rank when the loss is not finite, FARE_ERR_STOPPED when the session was
  stopped
*/
PetscErrorCode fare_learn_train(MPI_Comm comm, fare_network *network, const fare_learn_options *options,
  const fare_learn_problem *problem, fare_curve *curve, int64_t *evaluations);

#endif
