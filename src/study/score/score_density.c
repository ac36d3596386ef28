/* SPDX-License-Identifier: BSD-2-Clause */
/* Samples with their own density ln q against the truth of a study, interpolated between its bins. */
#include "score.h"

#include <float.h>
#include <math.h>

const fare_measure_type *fare_score_density_at(size_t i)
{
  return fare_measure_density_at(i);
}

static int which_of(const fare_measure_type *type)
{
  int which = 0;

  while (fare_measure_density_at((size_t)which) != type) which++;
  return which;
}

PetscErrorCode fare_score_density(const fare_finished *study, const fare_measure_type *type,
  const fare_binned *p, const fare_binned *corrected, const fare_binned *q, const fare_ensemble *ensemble,
  const double log_density[], fare_measured *measured)
{
  const size_t local = (size_t)ensemble->local;
  double      *log_p, *other;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(local, &log_p, local, &other));
  PetscCall(fare_binning_log_density(study->binning, corrected, ensemble, other));
  PetscCall(fare_binning_log_density(study->binning, p, ensemble, log_p));
  PetscCall(fare_measure_density(
    which_of(type), ensemble, q->effective, log(DBL_MIN), log_p, other, log_density, measured));
  PetscCall(PetscFree2(log_p, other));
  PetscFunctionReturn(0);
}
