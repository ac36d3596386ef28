/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The process: started without fork, which MPI may not survive; spoken to over a socket; ended whatever it
  does.
*/
#include "python.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHANNEL  3    /* the file that the process talks through */
#define LOOK     100  /* milliseconds between two looks whether the process lives */
#define PATIENCE 5.0  /* seconds that it may take to end */
#define NAP      5000 /* microseconds */

struct fare_python {
  pid_t pid; /* 0: ended */
  int   channel;
  char  name[256];
};

/* child.py, from cmake/FarePython.cmake */
static const char script[] = {
#include "python_child.inc"
  , 0};

extern char **environ;

/* Without what MPI tells its ranks: a module that imports mpi4py is a program of its own. */
static char **environment(void)
{
  static const char *const ours[] = {"OMPI_", "PMIX_", "PMI_", "PRTE_"};
  size_t                   count = 0, kept = 0;
  char                   **copy;

  while (environ[count]) count++;
  copy = calloc(count + 1, sizeof *copy);
  for (size_t i = 0; copy && i < count; i++) {
    PetscBool is_ours = PETSC_FALSE;

    for (size_t k = 0; k < PETSC_STATIC_ARRAY_LENGTH(ours); k++)
      is_ours |= !strncmp(environ[i], ours[k], strlen(ours[k]));
    if (!is_ours) copy[kept++] = environ[i];
  }
  return copy;
}

static const char *command_of(const fare_python_state *options)
{
  const char *told = getenv("FARE_PYTHON");

  return options->interpreter ? options->interpreter : told && *told ? told : "python3";
}

/* Its standard output goes where errors go: what a study prints is FARE's. */
static int spawn(const char *command, int channel, pid_t *pid)
{
  char                      *arguments[] = {(char *)command, "-c", (char *)script, NULL};
  char                     **around      = environment();
  posix_spawn_file_actions_t files;
  int                        failed;

  if (!around) return ENOMEM;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, channel, CHANNEL);
  posix_spawn_file_actions_addopen(&files, 0, "/dev/null", 0, 0);
  posix_spawn_file_actions_adddup2(&files, 2, 1);
  failed = posix_spawnp(pid, command, &files, NULL, arguments, around);
  posix_spawn_file_actions_destroy(&files);
  free(around);
  return failed;
}

static PetscErrorCode start(const fare_python_state *options, fare_python **process)
{
  const char  *command = command_of(options);
  fare_python *p;
  int          ends[2], failed;

  PetscFunctionBegin;
  p = calloc(1, sizeof *p);
  if (!p) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  *process = p;
  snprintf(p->name, sizeof p->name, "%s", options->function);
  p->channel = -1;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
    FARE_FAIL(FARE_ERR_FAILED, "no socket to Python: %s", strerror(errno));
  p->channel = ends[0];
  failed     = spawn(command, ends[1], &p->pid);
  close(ends[1]);
  if (failed) {
    p->pid = 0;
    FARE_FAIL(FARE_ERR_FAILED, "cannot start the Python interpreter '%.300s': %s", command, strerror(failed));
  }
  PetscFunctionReturn(0);
}

/* The process has ended, or closed its end: says how. */
static PetscErrorCode gone(fare_python *process, int status)
{
  PetscFunctionBegin;
  process->pid = 0;
  if (WIFSIGNALED(status))
    FARE_FAIL(FARE_ERR_FAILED, "the Python process of %s was ended by signal %d (%s)", process->name,
      WTERMSIG(status), strsignal(WTERMSIG(status)));
  FARE_FAIL(
    FARE_ERR_FAILED, "the Python process of %s ended with exit code %d", process->name, WEXITSTATUS(status));
}

/* Waits until the channel is ready; finds out about an end that descendants of the process hide. */
static PetscErrorCode await(fare_python *process, short event)
{
  PetscFunctionBegin;
  if (!process->pid) FARE_FAIL(FARE_ERR_FAILED, "the Python process of %s has ended", process->name);
  for (;;) {
    struct pollfd at = {.fd = process->channel, .events = event};
    int           status;

    if (poll(&at, 1, LOOK) > 0 && at.revents & event) PetscFunctionReturn(0);
    if (waitpid(process->pid, &status, WNOHANG) == process->pid) PetscFunctionReturn(gone(process, status));
  }
}

/* The channel is closed or broken, so the process ends or has ended. */
static PetscErrorCode await_end(fare_python *process)
{
  int status;

  PetscFunctionBegin;
  usleep(NAP);
  if (waitpid(process->pid, &status, WNOHANG) == process->pid) PetscFunctionReturn(gone(process, status));
  PetscFunctionReturn(0);
}

static PetscErrorCode send_all(fare_python *process, const void *data, int64_t bytes)
{
  const char *at = data;

  PetscFunctionBegin;
  while (bytes > 0) {
    ssize_t sent;

    PetscCall(await(process, POLLOUT));
    sent = send(process->channel, at, (size_t)bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) {
      at += sent;
      bytes -= sent;
    } else if (sent < 0 && errno != EAGAIN && errno != EINTR) {
      PetscCall(await_end(process));
    }
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode receive_all(fare_python *process, void *data, int64_t bytes)
{
  char *at = data;

  PetscFunctionBegin;
  while (bytes > 0) {
    ssize_t got;

    PetscCall(await(process, POLLIN));
    got = recv(process->channel, at, (size_t)bytes, MSG_DONTWAIT);
    if (got > 0) {
      at += got;
      bytes -= got;
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
      PetscCall(await_end(process));
    }
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_python_ask(
  fare_python *process, const fare_python_request *request, const void *data, void **reply, int64_t *bytes)
{
  int64_t        head[2]; /* whether it failed; the bytes that follow */
  PetscErrorCode code;

  PetscFunctionBegin;
  *reply = NULL;
  PetscCall(send_all(process, request, sizeof *request));
  PetscCall(send_all(process, data, request->bytes));
  PetscCall(receive_all(process, head, sizeof head));
  if (head[1] < 0 || !(*reply = malloc((size_t)head[1] + 1)))
    FARE_FAIL(FARE_ERR_FAILED, "out of memory for the answer of %s", process->name);
  code = receive_all(process, *reply, head[1]);
  if (!code) {
    ((char *)*reply)[head[1]] = '\0';
    *bytes                    = head[1];
    if (head[0]) code = fare_error(FARE_ERR_FAILED, "%s", (char *)*reply);
  }
  if (code) free(*reply);
  if (code) *reply = NULL;
  PetscFunctionReturn(code);
}

void fare_python_end(fare_python **process)
{
  fare_python *p     = *process;
  const double began = fare_seconds();
  int          status;

  if (!p) return;
  if (p->channel >= 0) close(p->channel);
  while (p->pid && waitpid(p->pid, &status, WNOHANG) == 0) {
    if (fare_seconds() - began > PATIENCE) {
      fare_warn("the Python process of %s does not end by itself: it is killed", p->name);
      kill(p->pid, SIGKILL);
      waitpid(p->pid, &status, 0);
      break;
    }
    usleep(NAP);
  }
  free(p);
  *process = NULL;
}

static void add_name(const char *key, const char *name, fare_text *to)
{
  if (!name) return;
  fare_text_add(to, "%s\"%s\": \"", to->length > 1 ? ", " : "", key);
  for (const char *c = name; *c; c++) fare_text_add(to, *c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
  fare_text_add(to, "\"");
}

/* The functions in JSON, which tell one process from another, too. */
static void write_names(const fare_python_state *options, fare_text *to)
{
  fare_text_add(to, "{");
  add_name("path", options->path, to);
  add_name("python", options->function, to);
  add_name("train", options->train, to);
  add_name("density", options->density, to);
  fare_text_add(to, "}");
}

/* Processes that a check has started, until a run takes them or FARE ends. */
typedef struct waiting {
  fare_python    *process;
  fare_text       of; /* the functions and the interpreter */
  struct waiting *next;
} waiting;
static waiting *all_waiting;

static void write_key(const fare_python_state *options, fare_text *to)
{
  write_names(options, to);
  fare_text_add(to, "%s", command_of(options));
}

PetscErrorCode fare_python_keep(const fare_python_state *options, fare_python **process)
{
  waiting *more = calloc(1, sizeof *more);

  PetscFunctionBegin;
  if (!more) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  write_key(options, &more->of);
  more->process = *process;
  more->next    = all_waiting;
  all_waiting   = more;
  *process      = NULL;
  PetscFunctionReturn(0);
}

static PetscBool take_kept(const fare_python_state *options, fare_python **process)
{
  fare_text key = {0};
  waiting **at  = &all_waiting, *found;

  write_key(options, &key);
  while (*at && strcmp((*at)->of.text, key.text)) at = &(*at)->next;
  found = *at;
  if (found) {
    *at      = found->next;
    *process = found->process;
    fare_text_free(&found->of);
    free(found);
  }
  fare_text_free(&key);
  return found ? PETSC_TRUE : PETSC_FALSE;
}

PetscErrorCode fare_python_start(const fare_python_state *options, fare_python **process)
{
  fare_python_request request = {.what = FARE_PYTHON_LOAD};
  fare_text           names   = {0};
  void               *reply   = NULL;
  PetscErrorCode      code;

  PetscFunctionBegin;
  *process = NULL;
  if (take_kept(options, process)) PetscFunctionReturn(0);
  write_names(options, &names);
  request.bytes = (int64_t)names.length;
  code          = start(options, process);
  if (!code) code = fare_python_ask(*process, &request, names.text, &reply, &request.bytes);
  free(reply);
  fare_text_free(&names);
  if (code) fare_python_end(process);
  PetscFunctionReturn(code);
}
