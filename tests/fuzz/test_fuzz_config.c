/* fare-test: labels=unit,fuzz timeout=120 */
/* The fuzzing of fuzz_config.c without a fuzzer: the studies in input/ and some hard cases, mutated. */
#define FUZZ_LONGEST 4096
#define FUZZ_ROUNDS  15000
#include "driver.h"

#include "fuzz_config.c"

static const char *const hard[] = {
  "{dt: 1e-3, particles: 5e4, estimate: no, study: 'it''s', name: \"a\\x41\\u00e9\\n\", density: uniform, mean: [1, -.5, 1e300], cells: 7, train: {a: [b, {c: d}]}}",
  "dt: |\n  1\nmean:\n- 1\n-   2\nstudy: >-\n  folded\n  text\n? name\n: x\n", "a: &x [*x, !!str y]\n<<: {b: 1}\n", "%YAML 1.1\n---\ndt: 1\n...\n---\nb: 2\n", "truth.cells[0]=[1, {a: 2}]\n", "ensembles.b.particles=1e999\n", "a.b.c.d[1]=~\n",
  "\357\273\277dt: 1 # \xC3\xA9\xE2\x80\xA8 \xF0\x9F\x98\x80\n", "study: \"\\N\\L\\P\\_\\0\"\n", "[[[[[[[[[[{a: [[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]", "- - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - x\n",
};
static const char *const tokens[] = {
  ": ", "- ", "? ", "[", "]", "{", "}", ", ", "&a ", "*a", "!!int ", "!", "#", "|", ">", "'", "\"", "\\", "---\n", "...\n", "\n", "\r", "\t", "\0x", "\xFF", "\xC3", "\xE2\x80\xA8", "\xEF\xBF\xBF", "%TAG ! x\n", "<<: ", "=", ".", "~", ".nan", ".inf", "0x1F", "1e999", "-", "9007199254740993", "null", "  ", "particles: ", "mean: ", "study: ", "name: ",
};

static void begin(void)
{
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(hard); i++) fuzz_add_seed(hard[i], strlen(hard[i]));
  fuzz_add_files("input/*.yaml", FUZZ_SEEDS_MAX);
}

int main(int argc, char **argv)
{
  return fuzz_main(argc, argv, begin, tokens, PETSC_STATIC_ARRAY_LENGTH(tokens), LLVMFuzzerTestOneInput);
}
