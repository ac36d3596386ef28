/* SPDX-License-Identifier: BSD-2-Clause */
/*
  One directory, one run. The file run.lock says who writes: host, process and job. It is made whole under
  another name and linked, which succeeds once on every file system, NFS included. Its holder touches it every
  few seconds, so that one that is gone without a word can be told from one that works: by its process on the
  same machine, by its beat on another.
*/
#include "record.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NAME      "run.lock"
#define TEXT_SIZE 1024
#define WORD_SIZE 256
#define BEAT      10   /* seconds between two signs of life */
#define SILENCE   60.0 /* seconds without one after which a run elsewhere is gone */
#define LINGER    2.0  /* seconds that a process that is being killed may take to be gone */

/*
  Who holds a directory. A machine is known by its boot and its space of process ids: host names may be
  shared.
*/
typedef struct {
  char               host[WORD_SIZE], machine[WORD_SIZE], job[WORD_SIZE];
  long               process;
  unsigned long long started; /* of the process, in ticks since the machine's start; 0: not known */
  long               restart; /* of the job */
} holder;

struct fare_lock {
  char            path[PETSC_MAX_PATH_LEN + 16], text[TEXT_SIZE];
  int             file;
  PetscBool       beats;
  pthread_t       heart;
  pthread_mutex_t mutex;
  pthread_cond_t  ended;
  PetscBool       end;
};

static void read_word(const char *path, size_t size, char word[])
{
  FILE *file = fopen(path, "r");

  *word = '\0';
  if (file && !fgets(word, (int)size, file)) *word = '\0';
  word[strcspn(word, "\n")] = '\0';
  if (file) fclose(file);
}

/* State and start of a process of this machine; false where there is none, or where /proc does not tell. */
static PetscBool process_stat(long process, char *state, unsigned long long *started)
{
  char        path[64], line[1024];
  const char *rest;

  snprintf(path, sizeof path, "/proc/%ld/stat", process);
  read_word(path, sizeof line, line);
  rest = strrchr(line, ')'); /* the name in front may hold anything */
  return rest &&
      sscanf(rest + 1, " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
        state, started) == 2
    ? PETSC_TRUE
    : PETSC_FALSE;
}

/*
  The job that this process belongs to, which a batch system may start again elsewhere under the same name.
*/
static void find_job(holder *h)
{
  static const char *const names[] = {"SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID", "JOB_ID"};
  const char              *restart = getenv("SLURM_RESTART_COUNT");

  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(names) && !*h->job; i++) {
    const char *value = getenv(names[i]);

    if (value && *value) snprintf(h->job, sizeof h->job, "%s=%.200s", names[i], value);
  }
  h->restart = restart ? atol(restart) : 0;
}

static void find_self(holder *h)
{
  char          boot[64], space[64] = "", state;
  const ssize_t n = readlink("/proc/self/ns/pid", space, sizeof space - 1);

  memset(h, 0, sizeof *h);
  gethostname(h->host, sizeof h->host - 1);
  read_word("/proc/sys/kernel/random/boot_id", sizeof boot, boot);
  space[n > 0 ? n : 0] = '\0';
  snprintf(h->machine, sizeof h->machine, "%s/%s", *boot ? boot : "-", space);
  h->process = (long)getpid();
  if (!process_stat(h->process, &state, &h->started)) h->started = 0;
  find_job(h);
}

static void write_holder(const holder *h, char text[TEXT_SIZE])
{
  snprintf(text, TEXT_SIZE,
    "host %.250s\nprocess %ld\nstarted %llu\nmachine %.250s\njob %.250s\nrestart %ld\n", h->host, h->process,
    h->started, h->machine, *h->job ? h->job : "-", h->restart);
}

/* What the file says, and when it was touched last; false where there is none. */
static PetscBool read_holder(const char *path, holder *h, char text[TEXT_SIZE], struct timespec *touched)
{
  const int   file = open(path, O_RDONLY); /* opening it makes NFS ask the server */
  struct stat about;
  ssize_t     n;

  memset(h, 0, sizeof *h);
  if (file < 0) return PETSC_FALSE;
  n                   = read(file, text, TEXT_SIZE - 1);
  text[n > 0 ? n : 0] = '\0';
  if (fstat(file, &about)) memset(&about, 0, sizeof about);
  *touched = about.st_mtim;
  close(file);
  if (sscanf(text, "host %255s process %ld started %llu machine %255s job %255s restart %ld", h->host,
        &h->process, &h->started, h->machine, h->job, &h->restart) != 6)
    snprintf(h->host, sizeof h->host, "an unknown host");
  return PETSC_TRUE;
}

typedef enum { GONE, ALIVE, UNKNOWN } verdict;

static verdict judge(const holder *h, const holder *self)
{
  unsigned long long started = 0;
  char               state   = 'R';

  if (!strcmp(h->host, self->host) && !strcmp(h->machine, self->machine)) {
    const PetscBool told = process_stat(h->process, &state, &started);

    /* this one, which has ended a study without a word */
    if (h->process == self->process && h->started == self->started) return GONE;
    if (kill((pid_t)h->process, 0) && errno == ESRCH) return GONE;
    return told && (state == 'Z' || state == 'X' || (h->started && started != h->started)) ? GONE : ALIVE;
  }
  /* this job, before it was requeued */
  if (strcmp(h->job, "-") && !strcmp(h->job, self->job) && h->restart != self->restart) return GONE;
  return UNKNOWN;
}

static double seconds_of(const struct timespec *time)
{
  return (double)time->tv_sec + 1e-9 * (double)time->tv_nsec;
}

static PetscErrorCode refuse(const char *path, const holder *h)
{
  return fare_error(FARE_ERR_INPUT,
    "output.directory: %.*s: in use by another run (process %ld on %s); wait for it, or choose another "
    "directory. If there is no such run, remove %s",
    (int)(strlen(path) - sizeof NAME), path, h->process, h->host, path);
}

/*
  Waits until the holder of `path` is known to be gone, or to work, in which case it is refused. `aside`: a
  file of our own beside it, which has the same clock.
*/
static PetscErrorCode watch(
  const char *path, const char *aside, const holder *self, char text[TEXT_SIZE], PetscBool *gone)
{
  const double    began = fare_seconds();
  PetscBool       said  = PETSC_FALSE;
  struct timespec first = {0}, touched, now;
  char            ignored[TEXT_SIZE];
  holder          h, me;

  PetscFunctionBegin;
  *gone = PETSC_TRUE;
  if (!read_holder(path, &h, text, &first)) PetscFunctionReturn(0);
  for (;;) {
    verdict v;

    if (!read_holder(path, &h, text, &touched)) PetscFunctionReturn(0);
    v = judge(&h, self);
    if (v == ALIVE && fare_seconds() - began > LINGER) PetscFunctionReturn(refuse(path, &h));
    if (v == UNKNOWN) {
      if (seconds_of(&touched) != seconds_of(&first)) PetscFunctionReturn(refuse(path, &h));
      (void)utimensat(AT_FDCWD, aside, NULL, 0);
      if (!read_holder(aside, &me, ignored, &now)) now = touched;
      if (seconds_of(&now) - seconds_of(&touched) > SILENCE)
        v = GONE;
      else if (!said)
        fare_log("%s is held by process %ld on %s: checking for up to %.0f s whether it still runs", path,
          h.process, h.host, SILENCE);
      said = PETSC_TRUE;
    }
    if (v == GONE) PetscFunctionReturn(0);
    usleep(v == UNKNOWN ? 500000 : 20000);
  }
}

/* Takes away the lock of one that is gone, unless somebody else has done so and holds it now. */
static PetscErrorCode take_away(const char *path, const char *aside, const char *text)
{
  char            old[PETSC_MAX_PATH_LEN + 400], found[TEXT_SIZE] = "";
  struct timespec touched;
  holder          h;

  PetscFunctionBegin;
  snprintf(old, sizeof old, "%s.old", aside);
  if (rename(path, old) && errno != ENOENT)
    FARE_FAIL(FARE_ERR_FAILED, "%s: cannot be removed: %s", path, strerror(errno));
  /* it was another by then */
  if (read_holder(old, &h, found, &touched) && strcmp(found, text)) (void)!link(old, path);
  unlink(old);
  PetscFunctionReturn(0);
}

static PetscErrorCode write_file(const char *path, const char *text, int flags)
{
  const int    file   = open(path, O_WRONLY | O_CREAT | flags, 0644);
  const size_t length = strlen(text);
  int          why    = 0;

  PetscFunctionBegin;
  if (file < 0) FARE_FAIL(FARE_ERR_FAILED, "%s: cannot be written: %s", path, strerror(errno));
  if (write(file, text, length) != (ssize_t)length || fsync(file)) why = errno ? errno : EIO;
  if (close(file) && !why) why = errno;
  if (why) unlink(path);
  if (why) FARE_FAIL(FARE_ERR_FAILED, "%s: cannot be written: %s", path, strerror(why));
  PetscFunctionReturn(0);
}

/* Gives the file its name, if nobody has it. NFS may lose the answer of a link that was made. */
static int try_name(const char *aside, const char *path, const char *text)
{
  struct stat about;
  int         why;

  if (!link(aside, path)) return 0;
  why = errno;
  if (!stat(aside, &about) && about.st_nlink == 2) return 0;
  if (why != EPERM && why != EOPNOTSUPP && why != ENOSYS) return why;
  if (!access(path, F_OK)) return EEXIST; /* a file system without links */
  errno = 0;
  return write_file(path, text, O_EXCL) ? (errno ? errno : EIO) : 0;
}

static PetscErrorCode acquire(fare_lock *lock, const char *aside, const holder *self)
{
  PetscErrorCode code = 0;

  PetscFunctionBegin;
  for (;;) {
    const int why = try_name(aside, lock->path, lock->text);
    char      text[TEXT_SIZE];
    PetscBool gone;

    if (!why) PetscFunctionReturn(0);
    if (why != EEXIST) FARE_FAIL(FARE_ERR_FAILED, "%s: cannot be written: %s", lock->path, strerror(why));
    code = watch(lock->path, aside, self, text, &gone);
    if (!code) code = take_away(lock->path, aside, text);
    if (code) PetscFunctionReturn(code);
  }
}

static void *beat(void *context)
{
  fare_lock      *lock = context;
  struct timespec next;

  pthread_mutex_lock(&lock->mutex);
  while (!lock->end) {
    clock_gettime(CLOCK_REALTIME, &next);
    next.tv_sec += BEAT;
    (void)pthread_cond_timedwait(&lock->ended, &lock->mutex, &next);
    (void)futimens(lock->file, NULL); /* this very file, whatever has its name by now */
  }
  pthread_mutex_unlock(&lock->mutex);
  return NULL;
}

/* A thread that does nothing else. Signals are the others'. */
static void begin_to_beat(fare_lock *lock)
{
  sigset_t all, before;

  pthread_mutex_init(&lock->mutex, NULL);
  pthread_cond_init(&lock->ended, NULL);
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  lock->beats = pthread_create(&lock->heart, NULL, beat, lock) ? PETSC_FALSE : PETSC_TRUE;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
}

PetscErrorCode fare_lock_take(const char *directory, fare_lock **lock)
{
  char           aside[PETSC_MAX_PATH_LEN + 320];
  fare_lock     *l;
  holder         self;
  PetscErrorCode code;

  PetscFunctionBegin;
  *lock = NULL;
  PetscCall(PetscNew(&l));
  find_self(&self);
  write_holder(&self, l->text);
  snprintf(l->path, sizeof l->path, "%s/%s", directory, NAME);
  snprintf(aside, sizeof aside, "%s.%.24s.%ld", l->path, self.host, self.process);
  code = write_file(aside, l->text, O_TRUNC);
  if (!code) code = acquire(l, aside, &self);
  unlink(aside);
  if (code) PetscCall(PetscFree(l));
  PetscCall(code);
  l->file = open(l->path, O_WRONLY);
  if (l->file >= 0) begin_to_beat(l);
  *lock = l;
  PetscFunctionReturn(0);
}

PetscErrorCode fare_lock_check(const fare_lock *lock)
{
  struct timespec touched;
  char            text[TEXT_SIZE];
  holder          h;

  PetscFunctionBegin;
  if (!read_holder(lock->path, &h, text, &touched))
    FARE_FAIL(FARE_ERR_FAILED,
      "%s is gone: this run no longer owns the directory and writes nothing more there", lock->path);
  if (strcmp(text, lock->text))
    FARE_FAIL(FARE_ERR_FAILED,
      "%s: process %ld on %s has taken over the directory; this run writes nothing more there", lock->path,
      h.process, h.host);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_lock_release(fare_lock **lock)
{
  fare_lock *l = *lock;

  PetscFunctionBegin;
  if (!l) PetscFunctionReturn(0);
  if (l->beats) {
    pthread_mutex_lock(&l->mutex);
    l->end = PETSC_TRUE;
    pthread_cond_signal(&l->ended);
    pthread_mutex_unlock(&l->mutex);
    pthread_join(l->heart, NULL);
  }
  if (!fare_lock_check(l)) unlink(l->path);
  if (l->file >= 0) close(l->file);
  PetscCall(PetscFree(*lock));
  PetscFunctionReturn(0);
}
