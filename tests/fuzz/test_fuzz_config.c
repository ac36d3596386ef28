/* fare-test: labels=unit,fuzz ranks=1 timeout=120 */
/* The fuzzing of fuzz_config.c without a fuzzer: the studies in input/ and some hard cases, mutated in the same way on every run. */
#include "fuzz_config.c"

#include <glob.h>

enum { SEEDS_MAX = 64, LONGEST = 4096, ROUNDS = 15000 };

typedef struct {
  size_t  size;
  uint8_t data[LONGEST];
} input;

static input    seeds[SEEDS_MAX];
static size_t   count;
static uint64_t random_state = 0x9E3779B97F4A7C15u;

static size_t below(size_t n)
{
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return n ? (size_t)((random_state >> 16) % n) : 0;
}

static void add_seed(const void *data, size_t size)
{
  must(count < SEEDS_MAX, "more seeds than there is room for");
  seeds[count].size = PetscMin(size, LONGEST);
  memcpy(seeds[count].data, data, seeds[count].size);
  count++;
}

static void add_files(void)
{
  const char *source = getenv("FARE_SOURCE_DIR");
  char        pattern[4096];
  glob_t      found;

  snprintf(pattern, sizeof pattern, "%s/input/*.yaml", source ? source : ".");
  if (glob(pattern, 0, NULL, &found)) return;
  for (size_t i = 0; i < found.gl_pathc && count < SEEDS_MAX / 2; i++) {
    char   text[LONGEST];
    FILE  *file = fopen(found.gl_pathv[i], "rb");
    size_t size = file ? fread(text, 1, sizeof text, file) : 0;

    if (file) fclose(file);
    add_seed(text, size);
  }
  globfree(&found);
}

static const char *const hard[] = {
  "{dt: 1e-3, particles: 5e4, estimate: no, study: 'it''s', name: \"a\\x41\\u00e9\\n\", density: uniform, mean: [1, -.5, 1e300], cells: 7, train: {a: [b, {c: d}]}}",
  "dt: |\n  1\nmean:\n- 1\n-   2\nstudy: >-\n  folded\n  text\n? name\n: x\n", "a: &x [*x, !!str y]\n<<: {b: 1}\n", "%YAML 1.1\n---\ndt: 1\n...\n---\nb: 2\n", "truth.cells[0]=[1, {a: 2}]\n", "ensembles.b.particles=1e999\n", "a.b.c.d[1]=~\n",
  "\357\273\277dt: 1 # \xC3\xA9\xE2\x80\xA8 \xF0\x9F\x98\x80\n", "study: \"\\N\\L\\P\\_\\0\"\n", "[[[[[[[[[[{a: [[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]", "- - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - x\n",
};
static const char *const tokens[] = {
  ": ", "- ", "? ", "[", "]", "{", "}", ", ", "&a ", "*a", "!!int ", "!", "#", "|", ">", "'", "\"", "\\", "---\n", "...\n", "\n", "\r", "\t", "\0x", "\xFF", "\xC3", "\xE2\x80\xA8", "\xEF\xBF\xBF", "%TAG ! x\n", "<<: ", "=", ".", "~", ".nan", ".inf", "0x1F", "1e999", "-", "9007199254740993", "null", "  ", "particles: ", "mean: ", "study: ", "name: ",
};

/* Moves what stands behind `at` and puts `n` bytes there; what no longer fits falls off. */
static void insert(input *to, size_t at, const void *data, size_t n)
{
  const size_t room = LONGEST - at, put = PetscMin(n, room), kept = PetscMin(to->size - at, room - put);

  memmove(to->data + at + put, to->data + at, kept);
  memcpy(to->data + at, data, put);
  to->size = at + put + kept;
}

static void mutate(input *x)
{
  const size_t at = below(x->size + 1), n = below(PetscMin(64, x->size - at + 1) + 1);
  uint8_t      piece[LONGEST];

  switch (below(8)) {
  case 0:
    if (at < x->size) x->data[at] ^= (uint8_t)(1u << below(8));
    break;
  case 1:
    if (at < x->size) x->data[at] = (uint8_t)below(256);
    break;
  case 2: x->size = at; break;
  case 3: { /* a piece goes */
    const size_t gone = PetscMin(n, x->size - at);

    memmove(x->data + at, x->data + at + gone, x->size - at - gone);
    x->size -= gone;
    break;
  }
  case 4: { /* a piece many times */
    const size_t length = PetscMin(n, x->size - at), times = below(100);

    memcpy(piece, x->data + at, length);
    for (size_t i = 0; i < times; i++) insert(x, at, piece, length);
    break;
  }
  case 5: { /* part of another input */
    const input *other = &seeds[below(count)];
    const size_t from  = below(other->size + 1);

    insert(x, at, other->data + from, below(other->size - from + 1));
    break;
  }
  default: {
    const char *token = tokens[below(PETSC_STATIC_ARRAY_LENGTH(tokens))];

    insert(x, at, token, *token ? strlen(token) : 1);
  }
  }
}

int main(int argc, char **argv)
{
  static input x;

  if (fare_initialize(argc, argv)) return 1;
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(hard); i++) add_seed(hard[i], strlen(hard[i]));
  add_files();
  for (size_t i = 0; i < count; i++) LLVMFuzzerTestOneInput(seeds[i].data, seeds[i].size);
  for (int round = 0; round < ROUNDS; round++) {
    x = seeds[below(count)];
    for (size_t changes = 1 + below(6); changes; changes--) mutate(&x);
    LLVMFuzzerTestOneInput(x.data, x.size);
  }
  printf("%d inputs from %zu seeds\n", ROUNDS, count);
  return fare_finalize(0);
}
