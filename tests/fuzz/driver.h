/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Fuzzing without a fuzzer: seeds, mutated in the same way on every run. Input n depends on n alone, and a
  process of its own reads them one after the other, so that one that crashes or hangs is known by its number
  and does not end the rest. More of them by hand:

    test_fuzz_NAME [first [count]]

  A target defines FUZZ_LONGEST (of an input) and FUZZ_ROUNDS (inputs in a usual run) before it includes this.
  With FARE_LIBFUZZER it is one for libFuzzer, whose the mutations are then (test_fuzz.sh).
*/
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* dladdr */
#endif
#ifndef FARE_FUZZ_DRIVER_H
#define FARE_FUZZ_DRIVER_H

#include <fare/support.h>

#include <dlfcn.h>
#include <execinfo.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
  FUZZ_SEEDS_MAX = 128,
  FUZZ_PATIENCE  = 20 /* seconds for one input */,
  FUZZ_SPAN      = 100000 /* inputs for one process */,
  FUZZ_FRAMES    = 64,
  FUZZ_LIBRARY   = 79 /* exit code: not ours */
};

typedef struct {
  size_t  size;
  uint8_t data[FUZZ_LONGEST];
} fuzz_input;

/*
  What the process that reads tells the one that waits. `at`: the input under way; `next`: the first that is
  still to be read.
*/
typedef struct {
  long at, next, read, refused;
} fuzz_progress;

static fuzz_input     fuzz_seeds[FUZZ_SEEDS_MAX];
static size_t         fuzz_count;
static uint64_t       fuzz_state;
static fuzz_progress *fuzz_shared;
/* by something that HDF5 cannot get rid of: the next input wants another process */
static int  fuzz_is_spoilt;
static char fuzz_folder[256]; /* of this run alone: for inputs, and for files of Open MPI */

static void must(int truth, const char *what)
{
  if (truth) return;
  fprintf(stderr, "broken: %s (message: \"%s\")\n", what, fare_error_message());
  abort();
}

static size_t fuzz_below(size_t n)
{
  fuzz_state ^= fuzz_state << 13;
  fuzz_state ^= fuzz_state >> 7;
  fuzz_state ^= fuzz_state << 17;
  return n ? (size_t)((fuzz_state >> 16) % n) : 0;
}

static void fuzz_add_seed(const void *data, size_t size)
{
  must(fuzz_count < FUZZ_SEEDS_MAX, "more seeds than there is room for");
  fuzz_seeds[fuzz_count].size = PetscMin(size, FUZZ_LONGEST);
  memcpy(fuzz_seeds[fuzz_count].data, data, fuzz_seeds[fuzz_count].size);
  fuzz_count++;
}

static inline void fuzz_add_files(const char *in_source, size_t most)
{
  const char *source = getenv("FARE_SOURCE_DIR");
  char        pattern[4096];
  glob_t      found;

  snprintf(pattern, sizeof pattern, "%s/%s", source ? source : ".", in_source);
  if (glob(pattern, 0, NULL, &found)) return;
  for (size_t i = 0; i < found.gl_pathc && fuzz_count < most; i++) {
    static char text[FUZZ_LONGEST];
    FILE       *file = fopen(found.gl_pathv[i], "rb");
    size_t      size = file ? fread(text, 1, sizeof text, file) : 0;

    if (file) fclose(file);
    fuzz_add_seed(text, size);
  }
  globfree(&found);
}

/* Moves what stands behind `at` and puts `n` bytes there; what no longer fits falls off. */
static void fuzz_insert(fuzz_input *to, size_t at, const void *data, size_t n)
{
  const size_t room = FUZZ_LONGEST - at, put = PetscMin(n, room), kept = PetscMin(to->size - at, room - put);

  memmove(to->data + at + put, to->data + at, kept);
  memcpy(to->data + at, data, put);
  to->size = at + put + kept;
}

/* Without tokens, bytes of any kind are put in their place. */
static inline void fuzz_mutate(fuzz_input *x, const char *const tokens[], size_t count)
{
  static uint8_t piece[FUZZ_LONGEST];
  const size_t   at = fuzz_below(x->size + 1), n = fuzz_below(PetscMin(64, x->size - at + 1) + 1);

  switch (fuzz_below(8)) {
  case 0:
    if (at < x->size) x->data[at] ^= (uint8_t)(1u << fuzz_below(8));
    break;
  case 1:
    if (at < x->size) x->data[at] = (uint8_t)fuzz_below(256);
    break;
  case 2:
    x->size = at;
    break;
  case 3: { /* a piece goes */
    const size_t gone = PetscMin(n, x->size - at);

    memmove(x->data + at, x->data + at + gone, x->size - at - gone);
    x->size -= gone;
    break;
  }
  case 4: { /* a piece many times */
    const size_t length = PetscMin(n, x->size - at), times = fuzz_below(100);

    memcpy(piece, x->data + at, length);
    for (size_t i = 0; i < times; i++) fuzz_insert(x, at, piece, length);
    break;
  }
  case 5: { /* part of another input */
    const fuzz_input *other = &fuzz_seeds[fuzz_below(fuzz_count)];
    const size_t      from  = fuzz_below(other->size + 1);

    fuzz_insert(x, at, other->data + from, fuzz_below(other->size - from + 1));
    break;
  }
  default: {
    const char *token = count ? tokens[fuzz_below(count)] : (const char *)piece;
    size_t      any   = count ? 0 : 1 + fuzz_below(24);

    for (size_t i = 0; i < any; i++) piece[i] = (uint8_t)fuzz_below(256);
    fuzz_insert(x, at, token, any ? any : *token ? strlen(token) : 1);
  }
  }
}

/* Whether the innermost frame that is a library's or the program's is HDF5's. */
static int fuzz_is_in_hdf5(void *const frames[], int count)
{
  for (int i = 0; i < count; i++) {
    Dl_info about;

    if (!dladdr(frames[i], &about) || !about.dli_fname) continue;
    if (strstr(about.dli_fname, "libhdf5")) return 1;
    if (strstr(about.dli_fname, "test_fuzz")) return 0;
  }
  return 0;
}

static void fuzz_crashed(int number)
{
  void     *frames[FUZZ_FRAMES];
  const int count = backtrace(frames, FUZZ_FRAMES), skipped = 2; /* this one, and the kernel's */

  fprintf(
    stderr, "input %ld: signal %d%s\n", fuzz_shared->at, number, number == SIGALRM ? " (it hangs)" : "");
  backtrace_symbols_fd(frames + skipped, PetscMax(0, count - skipped), STDERR_FILENO);
  if (fuzz_is_in_hdf5(frames + skipped, count - skipped)) _exit(FUZZ_LIBRARY);
  _exit(1);
}

static void fuzz_listen(void)
{
  static char      stack[1 << 16];
  struct sigaction action    = {.sa_handler = fuzz_crashed, .sa_flags = (int)(SA_ONSTACK | SA_RESETHAND)};
  const stack_t    own       = {.ss_sp = stack, .ss_size = sizeof stack};
  const int        numbers[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGALRM};

  sigaltstack(&own, NULL);
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(numbers); i++) sigaction(numbers[i], &action, NULL);
}

static void fuzz_take(fuzz_input *x, const fuzz_input *seed)
{
  x->size = seed->size;
  memcpy(x->data, seed->data, seed->size);
}

/* Reads inputs [first, end), or fewer where one has spoilt the process; the seeds as they are come first. */
static inline void fuzz_read(long first, long end, const char *const tokens[], size_t count,
  int (*read_one)(const uint8_t *data, size_t size))
{
  static fuzz_input x;

  for (long n = first; n < end && !fuzz_is_spoilt; n++) {
    fuzz_shared->at = n;
    fuzz_state      = ((uint64_t)n + 1) * 0x9E3779B97F4A7C15u;
    for (int i = 0; i < 8; i++) fuzz_below(2);
    fuzz_take(&x, &fuzz_seeds[n < (long)fuzz_count ? (size_t)n : fuzz_below(fuzz_count)]);
    for (size_t changes = n < (long)fuzz_count ? 0 : 1 + fuzz_below(6); changes; changes--)
      fuzz_mutate(&x, tokens, count);
    alarm(FUZZ_PATIENCE);
    fuzz_shared->refused += read_one(x.data, x.size) ? 1 : 0;
    fuzz_shared->read++;
    fuzz_shared->next = n + 1;
  }
  alarm(0);
}

/*
  A folder of this run's own, in memory where that can be; and Open MPI for one process alone, which another
  may follow.
*/
static int fuzz_prepare(void)
{
  snprintf(
    fuzz_folder, sizeof fuzz_folder, "%s/fare-fuzz-XXXXXX", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
  if (!mkdtemp(fuzz_folder)) return 1;
  setenv("TMPDIR", fuzz_folder, 1);
  setenv("OMPI_MCA_ess_singleton_isolated", "1", 1);
  setenv("OMPI_MCA_orte_create_session_dirs", "0", 1);
  setenv("OMPI_MCA_pml", "ob1", 1);
  setenv("OMPI_MCA_btl", "self", 1);
  return 0;
}

static void fuzz_clean(void)
{
  char command[300];

  snprintf(command, sizeof command, "rm -rf '%s'", fuzz_folder);
  if (*fuzz_folder && system(command)) fprintf(stderr, "%s is left\n", fuzz_folder);
}

/* Which hundred thousand inputs these are: `begin` may make another beginning for some. */
static inline long fuzz_span(void)
{
  return fuzz_shared ? fuzz_shared->next / FUZZ_SPAN : 0;
}

static void fuzz_report(FILE *to, long library, const char *what)
{
  fprintf(to, "%ld inputs%s, %ld refused, %ld of them crashed inside HDF5\n", fuzz_shared->read + library,
    what, fuzz_shared->refused, library);
}

/* In a process of its own. */
static inline int fuzz_reader(char *program, long end, void (*begin)(void), const char *const tokens[],
  size_t count, int (*read_one)(const uint8_t *data, size_t size))
{
  char *none[] = {program, (char *)"-no_signal_handler", NULL};

  if (fare_initialize(2, none)) return 1;
  fuzz_listen();
  begin();
  fuzz_read(fuzz_shared->next, end, tokens, count, read_one);
  if (fuzz_is_spoilt) _exit(0);
  return fare_finalize(0);
}

static inline int fuzz_run(int argc, char **argv, void (*begin)(void), const char *const tokens[],
  size_t count, int (*read_one)(const uint8_t *data, size_t size))
{
  const long first = argc > 1 ? atol(argv[1]) : 0, end = first + (argc > 2 ? atol(argv[2]) : FUZZ_ROUNDS);
  long       library = 0;

  if (fuzz_prepare()) return 1;
  fuzz_shared = mmap(NULL, sizeof *fuzz_shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (fuzz_shared == MAP_FAILED) return 1;
  fuzz_shared->next = first;
  while (fuzz_shared->next < end) {
    pid_t reader;
    int   status = 1;

    fuzz_shared->at = fuzz_shared->next;
    reader          = fork();
    if (reader == 0)
      exit(
        fuzz_reader(argv[0], PetscMin(end, (fuzz_span() + 1) * FUZZ_SPAN), begin, tokens, count, read_one));
    if (reader < 0 || waitpid(reader, &status, 0) < 0) return 1;
    if (fuzz_shared->next % FUZZ_SPAN == 0 && fuzz_shared->next < end)
      fuzz_report(stderr, library, " so far");
    if (status == 0) continue;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != FUZZ_LIBRARY) {
      fprintf(stderr, "FAILED at input %ld: try `%s %ld 1`\n", fuzz_shared->at, argv[0], fuzz_shared->at);
      return 1;
    }
    if (fuzz_shared->at < fuzz_shared->next) continue; /* all was read, and HDF5 crashed as it was closed */
    library++;
    fuzz_shared->next = fuzz_shared->at + 1;
  }
  fuzz_report(stdout, library, "");
  return 0;
}

#ifdef FARE_LIBFUZZER
#include <sanitizer/lsan_interface.h>

int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*read_one)(const uint8_t *data, size_t size));

static int (*fuzz_reads)(const uint8_t *data, size_t size);

/* Whatever is refused goes into the corpus like what is not. */
static int fuzz_accept(const uint8_t *data, size_t size)
{
  (void)fuzz_reads(data, size);
  return 0;
}

static void fuzz_write_seeds(const char *folder)
{
  for (size_t i = 0; i < fuzz_count; i++) {
    char  path[4096];
    FILE *file;

    snprintf(path, sizeof path, "%s/seed_%02zu", folder, i);
    file = fopen(path, "wb");
    must(
      file && fwrite(fuzz_seeds[i].data, 1, fuzz_seeds[i].size, file) == fuzz_seeds[i].size && !fclose(file),
      "writing a seed");
  }
}

/*
  The whole of main: libFuzzer with the seeds as a corpus, left where FARE_FUZZ_CORPUS says. What MPI, PETSc
  and HDF5 keep is not ours.
*/
static inline int fuzz_main(int argc, char **argv, void (*begin)(void), const char *const tokens[],
  size_t count, int (*read_one)(const uint8_t *data, size_t size))
{
  char *none[] = {argv[0], (char *)"-no_signal_handler", NULL};

  (void)tokens, (void)count;
  if (fuzz_prepare() || atexit(fuzz_clean)) return 1;
  __lsan_disable();
  if (fare_initialize(2, none)) return 1;
  begin();
  __lsan_enable();
  if (getenv("FARE_FUZZ_CORPUS")) fuzz_write_seeds(getenv("FARE_FUZZ_CORPUS"));
  fuzz_reads = read_one;
  return LLVMFuzzerRunDriver(&argc, &argv, fuzz_accept);
}
#else
/*
  The whole of main. `begin`, in the process that reads, makes ready and may add seeds; read_one returns
  whether the input was refused. Crashes inside HDF5, which checks little of what a file says of itself, are
  counted and their stacks shown, but are not ours.
*/
static inline int fuzz_main(int argc, char **argv, void (*begin)(void), const char *const tokens[],
  size_t count, int (*read_one)(const uint8_t *data, size_t size))
{
  const int failed = fuzz_run(argc, argv, begin, tokens, count, read_one);

  fuzz_clean();
  return failed;
}
#endif

#endif
