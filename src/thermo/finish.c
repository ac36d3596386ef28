/* SPDX-License-Identifier: BSD-2-Clause */
/* What a study asks for once the truth has come to its end: the work chain, and the work of particles. */
#include "thermo.h"

#include <math.h>
#include <string.h>

/* The moments of a chain's work, forward and reversed. */
typedef struct {
  double mean[2], variance[2];
} moments;

static PetscErrorCode chain_moments(
  const fare_grid *grid, const fare_system *system, double start, double end, PetscInt64 steps, moments *m)
{
  fare_chain *chain;

  PetscFunctionBegin;
  PetscCall(fare_chain_create(grid, system, start, end, steps, &chain));
  for (int way = 0; way < 2; way++)
    PetscCall(fare_chain_moments(chain, way, &m->mean[way], &m->variance[way]));
  PetscCall(fare_chain_destroy(&chain));
  PetscFunctionReturn(0);
}

/*
  Errors of a chain's moments against continuous time and space: two chains on the companion's grid tell both.
  Steps are of first order: with n in the place of N the moments change by (N - n)/n times the error of N. On
  half as many cells the error in space is `ratio` times as large.
*/
static PetscErrorCode chain_errors(
  const fare_thermo *thermo, double start, double end, PetscInt64 steps, double ratio, fare_work_summary *s)
{
  const fare_system *system = thermo->system;
  const fare_grid   *half   = thermo->tracks > 1 ? thermo->track[FARE_TRUTH_HALF].grid : NULL;
  const PetscInt64   fewer  = (steps + 1) / 2;
  const double       share  = (double)fewer / (double)(steps - fewer);
  moments            coarse, quick;

  PetscFunctionBegin;
  for (int way = 0; way < 2; way++) s->chain_mean_error[way] = s->chain_variance_error[way] = NAN;
  if (!half || steps < 2) PetscFunctionReturn(0);
  PetscCall(chain_moments(half, system, start, end, steps, &coarse));
  PetscCall(chain_moments(half, system, start, end, fewer, &quick));
  for (int way = 0; way < 2; way++) {
    s->chain_mean_error[way] = fabs(s->chain_mean[way] - coarse.mean[way]) / (ratio - 1) +
      share * fabs(coarse.mean[way] - quick.mean[way]);
    s->chain_variance_error[way] = fabs(s->chain_variance[way] - coarse.variance[way]) / (ratio - 1) +
      share * fabs(coarse.variance[way] - quick.variance[way]);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode run_chain(
  const fare_thermo *thermo, double start, double end, PetscInt64 steps, fare_work_summary *s)
{
  const fare_system *system = thermo->system;
  const double       kT = fare_system_kT(system, start), lambda = 1 / kT;
  fare_chain        *chain;
  fare_chain_row    *row;

  PetscFunctionBegin;
  PetscCall(fare_chain_create(thermo->track[0].grid, system, start, end, steps, &chain));
  PetscCall(PetscMalloc1(steps + 1, &row));
  PetscCall(fare_chain_follow(chain, NULL, row));
  s->has_chain   = PETSC_TRUE;
  s->chain_steps = steps;
  s->chain_lag   = HUGE_VAL;
  for (PetscInt64 n = 1; n <= steps; n++) {
    s->chain_lag       = PetscMin(s->chain_lag, row[n].dissipated_work - kT * row[n].kl_to_equilibrium);
    s->chain_first_law = PetscMax(s->chain_first_law,
      fabs(row[n].energy - row[n - 1].energy - (row[n].work - row[n - 1].work) -
        (row[n].heat - row[n - 1].heat)));
  }
  for (int way = 0; way < 2; way++)
    PetscCall(fare_chain_moments(chain, way, &s->chain_mean[way], &s->chain_variance[way]));
  PetscCall(fare_chain_generate(chain, PETSC_FALSE, 1, &lambda, &s->chain_jarzynski));
  s->chain_jarzynski *= -kT;
  PetscCall(PetscFree(row));
  PetscCall(fare_chain_destroy(&chain));
  PetscCall(chain_errors(thermo, start, end, steps, thermo->track[0].row[thermo->count - 1].ratio, s));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_thermo_finish(
  fare_thermo *thermo, MPI_Comm comm, double start, double end, uint64_t seed, fare_work_summary *s)
{
  const fare_thermo_row     *row = thermo->better, *plain = thermo->track[0].row, *error = thermo->error;
  const size_t               last    = thermo->count - 1;
  const fare_thermo_options *options = &thermo->options;
  const fare_box             box     = fare_grid_box(thermo->track[0].grid);

  PetscFunctionBegin;
  memset(s, 0, sizeof *s);
  s->free_energy       = row[last].equilibrium_free_energy - row[0].equilibrium_free_energy;
  s->free_energy_error = error[last].equilibrium_free_energy + error[0].equilibrium_free_energy;
  s->free_energy_plain = plain[last].equilibrium_free_energy - plain[0].equilibrium_free_energy;
  s->free_energy_plain_error =
    fare_thermo_plain_error(thermo, last, offsetof(fare_thermo_row, equilibrium_free_energy)) +
    fare_thermo_plain_error(thermo, 0, offsetof(fare_thermo_row, equilibrium_free_energy));
  if (options->steps) PetscCall(run_chain(thermo, start, end, options->steps, s));
  if (!options->particles) PetscFunctionReturn(0);
  PetscCall(fare_work_simulate(comm, thermo->system, &box, start, end, options, seed, &s->work));
  s->has_work = PETSC_TRUE;
  PetscFunctionReturn(0);
}
