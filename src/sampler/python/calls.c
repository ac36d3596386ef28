/* SPDX-License-Identifier: BSD-2-Clause */
/* What every call has in common: its process, its seed, and how ranks wait for it. */
#include "python.h"

#include <stdlib.h>
#include <unistd.h>

#define NAP 2000 /* microseconds */

PetscErrorCode fare_python_agree(MPI_Comm comm, PetscErrorCode code)
{
  MPI_Request request;
  int         done = 0;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Ibarrier(comm, &request));
  PetscCallMPI(MPI_Test(&request, &done, MPI_STATUS_IGNORE));
  while (!done) {
    usleep(NAP);
    PetscCallMPI(MPI_Test(&request, &done, MPI_STATUS_IGNORE));
  }
  PetscFunctionReturn(fare_error_agree(comm, code));
}

int64_t fare_python_seed(const fare_sampler *sampler, const char *purpose, double t)
{
  char name[96];

  snprintf(name, sizeof name, "%s at %.17g", purpose, t);
  return fare_sampler_stream(sampler, name).key[0] & INT32_MAX;
}

PetscErrorCode fare_python_tell(fare_sampler *sampler, fare_python_what what, const void *data, int64_t bytes)
{
  fare_python_state        *s       = sampler->state;
  const fare_python_request request = {.what = what, .bytes = bytes};
  int64_t                   answered;
  void                     *reply;

  PetscFunctionBegin;
  PetscCall(fare_python_ask(s->process, &request, data, &reply, &answered));
  free(reply);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_python_process(fare_sampler *sampler)
{
  fare_python_state *s = sampler->state;

  PetscFunctionBegin;
  if (s->process) PetscFunctionReturn(0);
  PetscCall(fare_python_start(s, &s->process));
  if (s->model) PetscCall(fare_python_tell(sampler, FARE_PYTHON_USE, s->model, s->bytes));
  PetscFunctionReturn(0);
}

/* {"kT": 1, "tilt": 0.5} */
static void write_parameters(const fare_system *system, double t, fare_text *to)
{
  const fare_parameter *table = fare_system_type_of(system)->parameters;
  double                theta[FARE_PARAMETERS_MAX];

  fare_system_parameters(system, t, theta);
  fare_text_add(to, "{");
  for (int p = 0; table[p].name; p++)
    fare_text_add(to, "%s\"%s\": %.17g", p ? ", " : "", table[p].name, theta[p]);
  fare_text_add(to, "}");
}

PetscErrorCode fare_python_process_at(fare_sampler *sampler, double t)
{
  fare_text      text = {0};
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(fare_python_process(sampler));
  write_parameters(sampler->system, t, &text);
  code = fare_python_tell(sampler, FARE_PYTHON_PARAMETERS, text.text, (int64_t)text.length);
  fare_text_free(&text);
  PetscFunctionReturn(code);
}

PetscErrorCode fare_python_at_ensemble(fare_sampler *sampler, PetscErrorCode code)
{
  PetscFunctionBegin;
  if (code == FARE_ERR_FAILED) FARE_SAMPLER_FAIL(sampler, code, "%s", fare_error_message());
  PetscFunctionReturn(code);
}
