/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Snapshots by the openPMD standard 1.1.0 (openPMD-standard, STANDARD.md): its attributes, nothing left out
  that it requires.
*/
#include "record.h"

#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PATH_SIZE 256
#define ID_PIECE  (1 << 20)

static const double dimensionless[7] = {0};

/* A path in the snapshot under way. */
static const char *place(char path[PATH_SIZE], const fare_record *record, const char *format, ...)
  PETSC_ATTRIBUTE_FORMAT(3, 4);
static const char *place(char path[PATH_SIZE], const fare_record *record, const char *format, ...)
{
  const int length = snprintf(path, PATH_SIZE, "/data/%lld/", (long long)record->index);
  va_list   arguments;

  va_start(arguments, format);
  vsnprintf(path + length, (size_t)(PATH_SIZE - length), format, arguments);
  va_end(arguments);
  return path;
}

static PetscErrorCode write_root(fare_store *s)
{
  char date[64];

  PetscFunctionBegin;
  fare_record_date(sizeof date, date);
  PetscCall(fare_store_put_string(s, "/", "openPMD", "1.1.0"));
  PetscCall(fare_store_put_uint32(s, "/", "openPMDextension", 0));
  PetscCall(fare_store_put_string(s, "/", "basePath", "/data/%T/"));
  PetscCall(fare_store_put_string(s, "/", "meshesPath", "meshes/"));
  PetscCall(fare_store_put_string(s, "/", "particlesPath", "particles/"));
  PetscCall(fare_store_put_string(s, "/", "iterationEncoding", "fileBased"));
  PetscCall(fare_store_put_string(s, "/", "iterationFormat", "snapshot_%06T.h5"));
  PetscCall(fare_store_put_string(s, "/", "author", "FARE"));
  PetscCall(fare_store_put_string(s, "/", "software", "FARE"));
  PetscCall(fare_store_put_string(s, "/", "softwareVersion", fare_version()));
  PetscCall(fare_store_put_string(s, "/", "date", date));
  PetscCall(fare_store_put_string(s, "/", "comment", "all quantities are dimensionless"));
  PetscFunctionReturn(0);
}

static const char *file_of(fare_record *record, int64_t index)
{
  char name[64];

  snprintf(name, sizeof name, "snapshots/snapshot_%06lld.h5", (long long)index);
  return fare_record_path(record, name);
}

PetscErrorCode fare_record_begin(fare_record *record, int64_t index, double time, double dt)
{
  char path[PATH_SIZE];

  PetscFunctionBegin;
  PetscCall(fare_record_hold(record));
  record->index = index;
  PetscCall(fare_store_create(record->comm, file_of(record, index), &record->store));
  PetscCall(write_root(record->store));
  PetscCall(fare_store_put_real(record->store, "/", "time", time));
  snprintf(path, sizeof path, "/data/%lld", (long long)index);
  PetscCall(fare_store_group(record->store, path));
  PetscCall(fare_store_put_real(record->store, path, "time", time));
  PetscCall(fare_store_put_real(record->store, path, "dt", dt));
  PetscCall(fare_store_put_real(record->store, path, "timeUnitSI", 1));
  PetscCall(fare_store_group(record->store, place(path, record, "meshes")));
  PetscCall(fare_store_group(record->store, place(path, record, "particles")));
  PetscFunctionReturn(0);
}

/* Attributes that every record of the standard has. */
static PetscErrorCode describe_record(fare_store *s, const char *path)
{
  PetscFunctionBegin;
  PetscCall(fare_store_put_reals(s, path, "unitDimension", 7, dimensionless));
  PetscCall(fare_store_put_real(s, path, "timeOffset", 0));
  PetscFunctionReturn(0);
}

/*
  netCDF and xarray look for the coordinates of a mesh beside it, where the standard would take them for
  meshes. So a mesh has a second name at the root, where its coordinates are.
*/
static PetscErrorCode label(fare_record *record, const char *name, const fare_grid *grid, const char *path)
{
  static const char *const taken[] = {"data", "fare", "x", "y", "z"};
  char                     second[PATH_SIZE];

  PetscFunctionBegin;
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(taken); i++) {
    if (!strcmp(name, taken[i])) PetscFunctionReturn(0);
  }
  for (int axis = 0; axis < grid->dim; axis++) {
    if (!strcmp(name, grid->axis[axis])) PetscFunctionReturn(0);
  }
  snprintf(second, sizeof second, "/%s", name);
  PetscCall(fare_store_link(record->store, path, second));
  PetscCall(fare_grid_label(grid, 0, record->store, second));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_record_unlabelled_mesh(fare_record *record, const char *name, const char *comment,
  const fare_grid *grid, Vec values, double divisor)
{
  char               path[PATH_SIZE];
  const PetscScalar *value;
  double            *density, centred[FARE_DIM_MAX] = {0.5, 0.5, 0.5};
  fare_store        *s = record->store;
  PetscInt           n;

  PetscFunctionBegin;
  PetscCall(VecGetLocalSize(values, &n));
  PetscCall(PetscMalloc1(n, &density));
  PetscCall(VecGetArrayRead(values, &value));
  for (PetscInt i = 0; i < n; i++) density[i] = value[i] / divisor;
  PetscCall(VecRestoreArrayRead(values, &value));
  PetscCall(fare_grid_write_mesh(grid, density, comment, s, place(path, record, "meshes/%s", name)));
  PetscCall(PetscFree(density));
  PetscCall(describe_record(s, path));
  PetscCall(fare_store_put_string(s, path, "geometry", "cartesian"));
  PetscCall(fare_store_put_string(s, path, "dataOrder", "C"));
  PetscCall(fare_store_put_real(s, path, "gridUnitSI", 1));
  PetscCall(fare_store_put_real(s, path, "unitSI", 1));
  PetscCall(fare_store_put_reals(s, path, "position", (size_t)grid->dim, centred));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_record_mesh(fare_record *record, const char *name, const char *comment,
  const fare_grid *grid, Vec values, double divisor)
{
  char path[PATH_SIZE];

  PetscFunctionBegin;
  PetscCall(fare_record_unlabelled_mesh(record, name, comment, grid, values, divisor));
  PetscCall(label(record, name, grid, place(path, record, "meshes/%s", name)));
  PetscFunctionReturn(0);
}

/* A component that is the same for all particles: a group with the value. */
static PetscErrorCode constant_component(fare_store *s, const char *path, double value, uint64_t particles)
{
  PetscFunctionBegin;
  PetscCall(fare_store_group(s, path));
  PetscCall(fare_store_put_real(s, path, "value", value));
  PetscCall(fare_store_put_uint64s(s, path, "shape", 1, &particles));
  PetscCall(fare_store_put_real(s, path, "unitSI", 1));
  PetscFunctionReturn(0);
}

static const char *const precisions[] = {
  [FARE_RECORD_DOUBLE] = "double", [FARE_RECORD_SINGLE] = "single", NULL};

const fare_field fare_record_fields[] = {
  {"particles", FARE_INTEGER, offsetof(fare_record_options, particles), "0", 0, 1e15, NULL, "",
    "particles kept of each ensemble, evenly spaced by id; 0: all"},
  {"precision", FARE_CHOICE, offsetof(fare_record_options, precision), "double", 0, 0, precisions, "",
    "precision of positions in snapshots"},
  {"compression", FARE_INTEGER, offsetof(fare_record_options, compression), "0", 0, 9, NULL, "",
    "gzip level of particles in snapshots; 0: none, much faster"},
  {"densities", FARE_BOOLEAN, offsetof(fare_record_options, densities), "false", 0, 0, NULL, "",
    "also store the density of all particles on the truth's grid, as NAME_density"},
  {"truth", FARE_BOOLEAN, offsetof(fare_record_options, truth), "true", 0, 0, NULL, "",
    "store the state of a truth that is not one grid at each snapshot, for scores, and its marginals"},
  {"axes", FARE_INTEGERS, offsetof(fare_record_options, axes), "", 1, FARE_AXES_MAX, NULL, "",
    "axes, from 1, whose marginals such a truth stores, alone and in pairs; default: the first three"},
  FARE_FIELDS_END,
};

void fare_record_set(fare_record *record, const fare_record_options *options)
{
  record->options = *options;
}

static PetscBool is_single(const fare_record *record)
{
  return record->options.precision == FARE_RECORD_SINGLE ? PETSC_TRUE : PETSC_FALSE;
}

int64_t fare_record_kept(const fare_record_options *options, int64_t particles)
{
  return options->particles ? PetscMin(options->particles, particles) : particles;
}

/*
  Where the particles that this rank writes stand among all that are written. Of N particles the K that are
  kept have the ids floor(j N/K): which they are depends on no number of ranks.
*/
typedef struct {
  uint64_t global, start, count;
  int64_t  all; /* N */
} extent;

typedef unsigned __int128 wide; /* products of two numbers of particles */

/* Kept particles with an id below this one, and the id of one that is kept. */
static uint64_t kept_below(const extent *of, int64_t id)
{
  return (uint64_t)(((wide)id * of->global + (wide)of->all - 1) / (wide)of->all);
}

static uint64_t id_of(const extent *of, uint64_t kept)
{
  return of->global == (uint64_t)of->all ? kept : (uint64_t)((wide)kept * (wide)of->all / of->global);
}

static extent extent_of(const fare_record *record, const fare_ensemble *ensemble)
{
  const int64_t first = PetscMin(ensemble->first_block * FARE_BLOCK, ensemble->count);
  extent        of    = {
              .global = (uint64_t)fare_record_kept(&record->options, ensemble->count),
              .all    = ensemble->count,
  };

  of.start = kept_below(&of, first);
  of.count = kept_below(&of, first + ensemble->local) - of.start;
  return of;
}

/*
  One number of each particle that is kept, as double or rounded to single; straight from the ensemble where
  nothing is changed.
*/
static PetscErrorCode write_column(fare_record *record, const char *path, const fare_ensemble *ensemble,
  const extent *of, PetscBool single, const double from[])
{
  const uint64_t first = (uint64_t)(ensemble->first_block * FARE_BLOCK);
  void          *kept  = NULL;

  PetscFunctionBegin;
  if (single) {
    PetscCall(PetscMalloc1(of->count * sizeof(float), (char **)&kept));
    for (uint64_t i = 0; i < of->count; i++)
      ((float *)kept)[i] = (float)from[id_of(of, of->start + i) - first];
  } else if (of->global < (uint64_t)of->all) {
    PetscCall(PetscMalloc1(of->count * sizeof(double), (char **)&kept));
    for (uint64_t i = 0; i < of->count; i++) ((double *)kept)[i] = from[id_of(of, of->start + i) - first];
  }
  PetscCall(fare_store_write(record->store, path, single ? FARE_STORE_FLOAT32 : FARE_STORE_FLOAT64, 1,
    &of->global, &of->start, &of->count, kept ? kept : from));
  PetscCall(PetscFree(kept));
  PetscFunctionReturn(0);
}

static PetscErrorCode write_positions(
  fare_record *record, const char *name, const fare_ensemble *ensemble, const extent *of)
{
  char path[PATH_SIZE], component[FARE_COMPONENT_SIZE];

  PetscFunctionBegin;
  for (int axis = 0; axis < ensemble->dim; axis++) {
    fare_record_component(ensemble->dim, axis, component);
    place(path, record, "particles/%s/position/%s", name, component);
    PetscCall(write_column(record, path, ensemble, of, is_single(record), ensemble->x[axis]));
    PetscCall(fare_store_put_real(record->store, path, "unitSI", 1));
    place(path, record, "particles/%s/positionOffset/%s", name, component);
    PetscCall(constant_component(record->store, path, 0, of->global));
  }
  PetscCall(describe_record(record->store, place(path, record, "particles/%s/position", name)));
  PetscCall(describe_record(record->store, place(path, record, "particles/%s/positionOffset", name)));
  PetscFunctionReturn(0);
}

/*
  In pieces, for they are nowhere in memory; all at once where they are compressed in chunks that two pieces
  may share.
*/
static PetscErrorCode write_ids(fare_record *record, const char *path, const extent *of)
{
  const uint64_t most = record->options.compression ? PetscMax(of->count, 1) : ID_PIECE, nothing = 0;
  uint64_t      *id, rounds = (of->count + most - 1) / most;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &rounds, 1, MPI_UINT64_T, MPI_MAX, record->comm));
  PetscCall(PetscMalloc1(PetscMin(most, of->count), &id));
  PetscCall(
    fare_store_write(record->store, path, FARE_STORE_UINT64, 1, &of->global, &nothing, &nothing, NULL));
  for (uint64_t round = 0, done = 0; round < rounds; round++) {
    const uint64_t start = of->start + done, count = PetscMin(most, of->count - done);

    for (uint64_t i = 0; i < count; i++) id[i] = id_of(of, start + i);
    PetscCall(fare_store_fill(record->store, path, FARE_STORE_UINT64, 1, &start, &count, id));
    done += count;
  }
  PetscCall(PetscFree(id));
  PetscCall(fare_store_put_real(record->store, path, "unitSI", 1));
  PetscCall(describe_record(record->store, path));
  PetscFunctionReturn(0);
}

/* A number that rank 0 writes for all. */
static PetscErrorCode write_patch_record(
  fare_record *record, const char *path, fare_store_type type, const void *value)
{
  const uint64_t one = 1;

  PetscFunctionBegin;
  PetscCall(fare_store_write_array(record->store, path, type, 1, &one, value));
  PetscCall(fare_store_put_real(record->store, path, "unitSI", 1));
  PetscFunctionReturn(0);
}

/* In the type that positions have. */
static PetscErrorCode write_patch_real(fare_record *record, const char *path, double value, float rounded)
{
  return is_single(record) ? write_patch_record(record, path, FARE_STORE_FLOAT32, &rounded)
                           : write_patch_record(record, path, FARE_STORE_FLOAT64, &value);
}

/* The width is such that lower + width > last in spite of rounding. */
static PetscErrorCode write_patch_along(
  fare_record *record, const char *name, const char *component, double lower, double last)
{
  const float  lower_single = (float)lower, last_single = (float)last;
  const double width = last - lower + 4 * DBL_EPSILON * (fabs(lower) + fabs(last)) + DBL_MIN;
  const float  width_single =
    last_single - lower_single + 4 * FLT_EPSILON * (fabsf(lower_single) + fabsf(last_single)) + FLT_MIN;
  char path[PATH_SIZE];

  PetscFunctionBegin;
  place(path, record, "particles/%s/particlePatches/offset/%s", name, component);
  PetscCall(write_patch_real(record, path, lower, lower_single));
  place(path, record, "particles/%s/particlePatches/extent/%s", name, component);
  PetscCall(write_patch_real(record, path, width, width_single));
  PetscFunctionReturn(0);
}

/*
  One patch of all particles: blocks go to ranks by number, not by place, so a patch per rank would be as
  wide, and the file would depend on the number of ranks. Its upper bound is excluded, as the standard has it,
  so it lies just beyond the last particle.
*/
static PetscErrorCode write_patches(
  fare_record *record, const char *name, const fare_ensemble *ensemble, const extent *of)
{
  const uint64_t none = 0;
  const int      ends = 2 * ensemble->dim;
  double         bounds[2 * FARE_AXES_MAX];
  char           path[PATH_SIZE], component[FARE_COMPONENT_SIZE];

  PetscFunctionBegin;
  for (int axis = 0; axis < ensemble->dim; axis++) {
    fare_record_bounds(ensemble->local, ensemble->x[axis], &bounds[2 * axis], &bounds[2 * axis + 1]);
    bounds[2 * axis + 1] = -bounds[2 * axis + 1];
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, bounds, ends, MPI_DOUBLE, MPI_MIN, record->comm));
  PetscCall(write_patch_record(record, place(path, record, "particles/%s/particlePatches/numParticles", name),
    FARE_STORE_UINT64, &of->global));
  PetscCall(write_patch_record(record,
    place(path, record, "particles/%s/particlePatches/numParticlesOffset", name), FARE_STORE_UINT64, &none));
  for (int axis = 0; axis < ensemble->dim; axis++) {
    fare_record_component(ensemble->dim, axis, component);
    PetscCall(write_patch_along(record, name, component, bounds[2 * axis], -bounds[2 * axis + 1]));
  }
  PetscCall(describe_record(record->store, place(path, record, "particles/%s/particlePatches/offset", name)));
  PetscCall(describe_record(record->store, place(path, record, "particles/%s/particlePatches/extent", name)));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_record_species(fare_record *record, const char *name, const fare_ensemble *ensemble)
{
  const extent of = extent_of(record, ensemble);
  char         path[PATH_SIZE];

  PetscFunctionBegin;
  fare_store_set_compression(record->store, (int)record->options.compression);
  PetscCall(write_positions(record, name, ensemble, &of));
  PetscCall(write_ids(record, place(path, record, "particles/%s/id", name), &of));
  place(path, record, "particles/%s/weighting", name);
  if (ensemble->weight) {
    PetscCall(write_column(record, path, ensemble, &of, PETSC_FALSE, ensemble->weight));
    PetscCall(fare_store_put_real(record->store, path, "unitSI", 1));
  } else {
    PetscCall(constant_component(record->store, path, 1, of.global));
  }
  fare_store_set_compression(record->store, 0);
  PetscCall(describe_record(record->store, path));
  PetscCall(fare_store_put_uint32(record->store, path, "macroWeighted", 1));
  PetscCall(fare_store_put_real(record->store, path, "weightingPower", 1));
  /* of the other records: a particle is one sample whatever its weight */
  for (int i = 0; i < 3; i++) {
    static const char *const names[] = {"position", "positionOffset", "id"};

    place(path, record, "particles/%s/%s", name, names[i]);
    PetscCall(fare_store_put_uint32(record->store, path, "macroWeighted", 0));
    PetscCall(fare_store_put_real(record->store, path, "weightingPower", 0));
  }
  PetscCall(write_patches(record, name, ensemble, &of));
  if (of.global < (uint64_t)of.all)
    PetscCall(fare_store_put_int(
      record->store, place(path, record, "particles/%s", name), "particlesSimulated", of.all));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_record_axes(fare_record *record, const char *name, const fare_system *system)
{
  const char *axes[FARE_AXES_MAX];
  char        path[PATH_SIZE];
  const int   dim = fare_system_dimension(system);

  PetscFunctionBegin;
  for (int axis = 0; axis < dim; axis++) axes[axis] = fare_system_axis_name(system, axis);
  place(path, record, "particles/%s/position", name);
  PetscCall(fare_store_put_strings(record->store, path, "axisLabels", (size_t)dim, axes));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_record_number(fare_record *record, const char *group, const char *name, double value)
{
  char path[PATH_SIZE];

  PetscFunctionBegin;
  snprintf(path, sizeof path, "/fare/%s", group);
  PetscCall(fare_store_group(record->store, path));
  PetscCall(fare_store_put_real(record->store, path, name, value));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_record_end(fare_record *record)
{
  return fare_store_commit(&record->store);
}

PetscErrorCode fare_record_checksum(fare_record *record, int64_t index, fare_checksum *checksum)
{
  return fare_store_checksum(record->comm, file_of(record, index), checksum);
}
