/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=unit,fuzz timeout=120 */
/*
  The plan that a checkpoint has, against the one of the study that goes on: any text is the same plan, a
  harmless change of it, or is refused in one line.
*/
#define FUZZ_LONGEST 8192
#define FUZZ_ROUNDS  60000
#include "hdf5_input.h"

#include "study/run/study.h"

static const char study[] = "study: small\nseed: 3\nsystem: {name: prinz, parameters: {kT: 1.5}}\ndrive: "
                            "[{parameter: tilt, waveform: sine, amplitude: 4.0, period: 1.0}]\n"
                            "snapshots: {start: 0.0, end: 1.0, count: 5}\ntruth: {cells: [64], tolerance: "
                            "1.0e-5}\nmeasures: [kl]\noutput: {directory: here}\n"
                            "ensembles:\n  - {name: walk, sampler: langevin, particles: 200, dt: 1.0e-2}\n";
static const char *const tokens[] = {"\n", "  ", "snapshots:\n", "  end: ", "  count: ", "  start: ", "1e999",
  "-1", "measures:\n", "output:\n", ": ", "- ", "ensembles:\n", "kl", "\0x", "\xFF", "99999999999999999999"};
static fare_plan        *plan;
static fare_text         own;

static void begin(void)
{
  char path[300];

  input_begin();
  snprintf(path, sizeof path, "%s/study.yaml", fuzz_folder);
  input_write(path, (const uint8_t *)study, strlen(study));
  must(!fare_plan_read(PETSC_COMM_SELF, path, 0, NULL, &plan), "the study");
  fare_plan_write(plan, &own);
  must(!fare_plan_continues(plan, own.text, 5), "a plan goes on with itself");
  fuzz_add_seed(own.text, own.length);
  fuzz_add_seed(study, strlen(study));
}

/* Whether a text that is taken for this study's plan says so, however it is spelled. */
static int is_the_plan(const char *text)
{
  const fare_node *seed, *kT;
  fare_config     *config;
  double           value = 0;
  int              is;

  if (fare_config_parse("taken", text, strlen(text), &config)) return 0;
  seed = fare_node_find(fare_config_root(config), "seed");
  kT = fare_node_find(fare_node_find(fare_node_find(fare_config_root(config), "system"), "parameters"), "kT");
  is = seed && !strcmp(fare_node_text(seed), "3") && kT && !fare_node_real(kT, &value) && value == 1.5;
  fare_config_destroy(&config);
  return is;
}

static int read_one(const uint8_t *data, size_t size)
{
  static char      text[FUZZ_LONGEST + 1];
  const PetscInt64 next[] = {0, 1, 4, 5, 6, PETSC_MAX_INT};
  PetscErrorCode   code;

  memcpy(text, data, size);
  text[size] = '\0';
  code       = fare_plan_continues(plan, text, next[size % 6]);
  if (code)
    input_must_be_refusal(code, 0);
  else
    must(is_the_plan(text), "another plan is taken for this one");
  return code != 0;
}

int main(int argc, char **argv)
{
  return fuzz_main(argc, argv, begin, tokens, sizeof tokens / sizeof *tokens, read_one);
}
