/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The compiler and its cache. A source is compiled once: the object is kept under the hash of all that it
  depends on, with a checksum behind it, written aside, flushed and renamed. An entry that is damaged, or that
  others could have written, is compiled again.
*/
#include "expression.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#define WORDS_MAX 64
#define PATH_SIZE PETSC_MAX_PATH_LEN
#define SEEN_AFTER                                                                        \
  10.0 /* seconds that a file system may take to show other nodes what rank 0 has written \
        */

extern char **environ;

static uint64_t hash_on(uint64_t hash, const char *text)
{
  for (const char *c = text; *c; c++) hash = (hash ^ (unsigned char)*c) * 0x100000001B3u;
  return (hash ^ 0xFF) * 0x100000001B3u; /* where one text ends and the next begins counts */
}

/* What the processor is and can do, as the kernel tells it; 0 where it does not. */
static uint64_t processor(void)
{
  FILE    *file = fopen("/proc/cpuinfo", "r");
  char     line[8192];
  uint64_t hash = 0;

  while (file && fgets(line, sizeof line, file) && strcmp(line, "\n")) {
    if (!strncmp(line, "model name", 10) || !strncmp(line, "flags", 5) || !strncmp(line, "Features", 8) ||
      !strncmp(line, "CPU ", 4))
      hash = hash_on(hash, line);
  }
  if (file) fclose(file);
  return hash;
}

static PetscErrorCode failed(const fare_node *node, const char *what, const char *path, const char *why)
{
  fare_node_error(node, "%s '%.400s': %.300s", what, path, why);
  return FARE_ERR_FAILED; /* with the message just kept */
}

/* What others own, or may write to. What root owns is trusted. */
static PetscBool is_others(const struct stat *about)
{
  return (about->st_uid && about->st_uid != geteuid()) || about->st_mode & (S_IWGRP | S_IWOTH) ? PETSC_TRUE
                                                                                               : PETSC_FALSE;
}

/*
  What stands behind a shared object in the cache: loaders do not look there, and whoever loads it sees first
  that all of it is as it was written.
*/
typedef struct {
  char     name[8];
  uint64_t bytes, sum; /* of what is in front */
} seal;
static const char seal_name[8] = "FAREsum1";

static uint64_t sum_of(FILE *file, uint64_t bytes)
{
  unsigned char piece[1 << 14];
  uint64_t      sum = crc32(0, NULL, 0);

  while (bytes) {
    const size_t got = fread(piece, 1, (size_t)PetscMin(sizeof piece, bytes), file);

    if (!got) return UINT64_MAX;
    sum = crc32_z(sum, piece, got);
    bytes -= got;
  }
  return sum;
}

/* Whether an entry of the cache is there, is whole, and nobody else's. */
static PetscBool is_sound(const char *path)
{
  FILE       *file = fopen(path, "rb");
  struct stat about;
  PetscBool   sound = PETSC_FALSE;
  seal        end;

  if (!file) return PETSC_FALSE;
  if (!fstat(fileno(file), &about) && S_ISREG(about.st_mode) && !is_others(&about) &&
    about.st_size > (off_t)sizeof end && !fseek(file, -(long)sizeof end, SEEK_END) &&
    fread(&end, sizeof end, 1, file) == 1) {
    rewind(file);
    sound = !memcmp(end.name, seal_name, sizeof end.name) &&
        end.bytes == (uint64_t)about.st_size - sizeof end && sum_of(file, end.bytes) == end.sum
      ? PETSC_TRUE
      : PETSC_FALSE;
  }
  fclose(file);
  return sound;
}

/*
  Puts the seal behind a shared object that was just made, and has it on the disk before it gets its name. 0
  or an errno.
*/
static int set_seal(const char *path)
{
  FILE       *file = fopen(path, "r+b");
  struct stat about;
  seal        end = {.sum = 0};
  int         why = 0;

  if (!file) return errno;
  memcpy(end.name, seal_name, sizeof end.name);
  errno = EIO;
  if (fchmod(fileno(file), 0700) || fstat(fileno(file), &about))
    why = errno;
  else
    end.bytes = (uint64_t)about.st_size;
  if (!why) end.sum = sum_of(file, end.bytes);
  if (!why &&
    (end.sum == UINT64_MAX || fseek(file, 0, SEEK_END) || fwrite(&end, sizeof end, 1, file) != 1 ||
      fflush(file) || fsync(fileno(file))))
    why = errno;
  if (fclose(file) && !why) why = errno;
  return why;
}

/*
  The cache's directory, made with those above it when it is not there. What is in it gets executed, so nobody
  else may write there.
*/
static PetscErrorCode find_cache(const fare_node *node, char *directory)
{
  const char *own = getenv("FARE_CACHE"), *shared = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
  struct stat about;
  int         length;

  PetscFunctionBegin;
  if (own && *own)
    length = snprintf(directory, PATH_SIZE, "%s", own);
  else if (shared && *shared)
    length = snprintf(directory, PATH_SIZE, "%s/fare", shared);
  else if (home && *home)
    length = snprintf(directory, PATH_SIZE, "%s/.cache/fare", home);
  else {
    fare_node_error(node, "no directory for compiled formulas: set FARE_CACHE to one");
    PetscFunctionReturn(FARE_ERR_FAILED);
  }
  if (length >= PATH_SIZE - 64)
    PetscFunctionReturn(failed(node, "the cache of compiled formulas", directory, "too long a path"));
  for (char *c = directory + 1; *c; c++) {
    if (*c != '/') continue;
    *c = '\0';
    mkdir(directory, 0755);
    *c = '/';
  }
  if (mkdir(directory, 0700) && errno != EEXIST)
    PetscFunctionReturn(
      failed(node, "cannot make the cache of compiled formulas", directory, strerror(errno)));
  if (stat(directory, &about))
    PetscFunctionReturn(failed(node, "the cache of compiled formulas", directory, strerror(errno)));
  if (!S_ISDIR(about.st_mode))
    PetscFunctionReturn(failed(node, "the cache of compiled formulas", directory, "is not a directory"));
  if (is_others(&about)) {
    PetscFunctionReturn(failed(node, "the cache of compiled formulas", directory,
      "others may write there, and what it holds is executed; set FARE_CACHE to a directory of your own"));
  }
  PetscFunctionReturn(0);
}

/* Splits at blanks, in place. */
static int add_words(char *text, int count, char *word[])
{
  char *rest = NULL;

  for (char *w = strtok_r(text, " \t", &rest); w && count < WORDS_MAX - 8; w = strtok_r(NULL, " \t", &rest))
    word[count++] = w;
  word[count] = NULL;
  return count;
}

/*
  Runs a command with its complaints in `log`. Returns 0, an errno when it could not be started, or -1 when it
  failed.
*/
static int run(char *const command[], const char *log)
{
  posix_spawn_file_actions_t actions;
  pid_t                      child;
  int                        status, code;

  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0600);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  code = posix_spawnp(&child, command[0], &actions, NULL, command, environ);
  posix_spawn_file_actions_destroy(&actions);
  if (code) return code;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return -1;
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

/* The line of a compiler's output that says most: the first with "error" in it, else the first. */
static void first_complaint(const char *log, char *line, size_t size)
{
  FILE     *file  = fopen(log, "r");
  PetscBool found = PETSC_FALSE;
  char      text[512];

  snprintf(line, size, "it printed nothing");
  for (int i = 0; file && !found && fgets(text, sizeof text, file); i++) {
    text[strcspn(text, "\n")] = '\0';
    found                     = strstr(text, "error") ? PETSC_TRUE : PETSC_FALSE;
    if (i == 0 || found) snprintf(line, size, "%s", text);
  }
  if (file) fclose(file);
}

static const char *compiler(void)
{
  const char *named = getenv("CC");

  return named && named[strspn(named, " \t")] ? named : FARE_FORMULA_CC;
}

/*
  cc FLAGS -c, then cc -shared: linked with -ffast-math, a shared object would change the arithmetic of the
  whole process.
*/
static PetscErrorCode compile(
  const fare_node *node, const char *flags, char *source, char *object, char *library, const char *log)
{
  char cc[1024], options[1024], position[] = "-fPIC", only[] = "-c", quiet[] = "-w", output[] = "-o",
                                shared[] = "-shared", math[] = "-lm", line[512];
  char *command[WORDS_MAX];
  int   count, words, code;

  PetscFunctionBegin;
  snprintf(cc, sizeof cc, "%s", compiler());
  snprintf(options, sizeof options, "%s", flags);
  words = count = add_words(cc, 0, command);
  count         = add_words(options, count, command);
  memcpy(
    command + count, (char *[]){position, quiet, only, output, object, source, NULL}, 7 * sizeof *command);
  code = run(command, log);
  if (!code) {
    memcpy(command + words, (char *[]){position, shared, output, library, object, math, NULL},
      7 * sizeof *command);
    code = run(command, log);
  }
  if (code > 0)
    PetscFunctionReturn(failed(node,
      "formulas need a C compiler (CC, else the one FARE was built with), which cannot be started:",
      command[0], strerror(code)));
  if (code) {
    first_complaint(log, line, sizeof line);
    PetscFunctionReturn(failed(node, "the C compiler failed on the formulas:", command[0], line));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode write_source(const fare_node *node, const char *path, const char *source)
{
  FILE *file = fopen(path, "w");
  int   fine = file && fputs(source, file) >= 0;

  PetscFunctionBegin;
  if (file && fclose(file)) fine = 0;
  if (!fine) PetscFunctionReturn(failed(node, "cannot write", path, strerror(errno)));
  PetscFunctionReturn(0);
}

/*
  Makes `path`, unless it is there and whole. Whoever else makes it at the same moment has other temporary
  names, and the last to rename wins.
*/
static PetscErrorCode provide(
  const fare_node *node, const char *directory, const char *path, const char *source, const char *flags)
{
  enum { SOURCE, OBJECT, LIBRARY, LOG, FILES };
  static const char *const endings[FILES] = {".c", ".o", ".so.tmp", ".log"};
  char                     aside[PATH_SIZE], file[FILES][PATH_SIZE];
  PetscErrorCode           code;
  int                      descriptor, why;

  PetscFunctionBegin;
  if (is_sound(path)) PetscFunctionReturn(0);
  snprintf(aside, sizeof aside, "%.4000s/compile-XXXXXX", directory);
  descriptor = mkstemp(aside);
  if (descriptor < 0)
    PetscFunctionReturn(
      failed(node, "cannot write in the cache of compiled formulas (FARE_CACHE sets another)", directory,
        strerror(errno)));
  close(descriptor);
  for (int i = 0; i < FILES; i++) snprintf(file[i], PATH_SIZE, "%.4060s%s", aside, endings[i]);
  code = write_source(node, file[SOURCE], source);
  if (!code) code = compile(node, flags, file[SOURCE], file[OBJECT], file[LIBRARY], file[LOG]);
  why = code ? 0 : set_seal(file[LIBRARY]);
  if (why) code = failed(node, "cannot write", file[LIBRARY], strerror(why));
  if (!code && rename(file[LIBRARY], path)) code = failed(node, "cannot write", path, strerror(errno));
  for (int i = 0; i < FILES; i++) unlink(file[i]);
  unlink(aside);
  PetscFunctionReturn(code);
}

/* The same path on all ranks, which a shared file system may show some of them late. */
static PetscErrorCode open_on_every_rank(
  const fare_node *node, const char *path, void **library, const fare_formula_kernels **kernels)
{
  const size_t   size[FARE_PLUGIN_SIZES] = {sizeof **kernels};
  const double   began                   = fare_seconds();
  const void    *descriptor              = NULL;
  PetscErrorCode code;

  PetscFunctionBegin;
  while (!is_sound(path) && fare_seconds() - began < SEEN_AFTER) usleep(20000);
  if (access(path, R_OK))
    code = failed(node,
      "compiled formulas are missing on some nodes (set FARE_CACHE to a shared directory):", path,
      strerror(errno));
  else if (!is_sound(path))
    code = failed(node, "compiled formulas are corrupt on some nodes:", path, "its checksum is wrong");
  else
    code = fare_plugin_open(node, path, FARE_PLUGIN_IS_FORMULAS, size, library, &descriptor);
  if (code == FARE_ERR_INPUT) code = FARE_ERR_FAILED; /* what is in the cache is nobody's mistake */
  PetscCall(fare_error_agree(PETSC_COMM_WORLD, code));
  *kernels = descriptor;
  PetscFunctionReturn(0);
}

PetscErrorCode fare_formulas_compile(
  const fare_node *node, const char *source, void **library, const fare_formula_kernels **kernels)
{
  char           directory[PATH_SIZE] = "", path[PATH_SIZE] = "", flags[1024];
  const uint64_t mine = processor();
  uint64_t       least, most, hash = 0xCBF29CE484222325u;
  PetscErrorCode code = 0;
  int            rank;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  PetscCallMPI(MPI_Allreduce(&mine, &least, 1, MPI_UINT64_T, MPI_MIN, PETSC_COMM_WORLD));
  PetscCallMPI(MPI_Allreduce(&mine, &most, 1, MPI_UINT64_T, MPI_MAX, PETSC_COMM_WORLD));
  /*
    what is tuned to one processor runs where all ranks have it; else, and where nothing is known of them, it
    is compiled for any
  */
  snprintf(
    flags, sizeof flags, "%s %s", FARE_FORMULA_FLAGS, least == most && mine ? FARE_FORMULA_NATIVE_FLAGS : "");
  if (rank == 0) {
    hash = hash_on(hash_on(hash_on(hash, source), compiler()), flags);
    hash ^= least == most ? mine : 0;
    code = find_cache(node, directory);
    if (!code) {
      snprintf(path, sizeof path, "%.4000s/formulas-%d-%016llx.so", directory, FARE_PLUGIN_ABI,
        (unsigned long long)hash);
      code = provide(node, directory, path, source, flags);
    }
  }
  PetscCall(fare_error_agree(PETSC_COMM_WORLD, code));
  PetscCallMPI(MPI_Bcast(path, sizeof path, MPI_CHAR, 0, PETSC_COMM_WORLD));
  PetscCall(open_on_every_rank(node, path, library, kernels));
  PetscFunctionReturn(0);
}
