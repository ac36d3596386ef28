/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The directory of a study: begun only where nothing can be lost, and texts in it that are whole or absent.
*/
#include "record.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/*
  What a study writes, besides numbered snapshots. These names, and these with .tmp, are its own; anything
  else in the directory is somebody's.
*/
static const char *const own[] = {
  "study.h5",
  "measures.csv",
  "tables.txt",
  "ends.csv",
  "dynamics.csv",
  "ranking.csv",
  "thermodynamics.csv",
  "report.html",
  "figures/density.gif",
  "figures/density.mp4",
  "failure.txt",
};
/* In figures, with each of the endings; some once for each pair of axes, too. */
static const char *const figures[] = {"density", "divergences", "other_divergences", "costs", "ranking",
  "training", "truth_error", "thermodynamics", "snapshots", "differences", "currents", "rare", "inference",
  "posteriors", "potentials", "profiles", "identifiability", "control", "control_durations", "sensitivity"};
static const char *const endings[] = {"png", "svg", "pdf"};
static const char *const planes[]  = {"", "_axes_1_2", "_axes_1_3", "_axes_2_3"};
static const char *const folders[] = {"snapshots", "figures", "checkpoints"};

/* The nearest place on the way to `path` that exists. */
static void existing_ancestor(const char *path, char *ancestor, size_t size)
{
  struct stat about;

  snprintf(ancestor, size, "%s", path);
  while (*ancestor && stat(ancestor, &about)) {
    char *slash = strrchr(ancestor, '/');

    if (slash && slash != ancestor)
      *slash = '\0';
    else
      snprintf(ancestor, size, "%s", slash ? "/" : ".");
  }
}

static PetscErrorCode check_here(const char *directory, fare_record_mode mode)
{
  char        ancestor[PETSC_MAX_PATH_LEN];
  struct stat about;

  PetscFunctionBegin;
  if (strlen(directory) > PETSC_MAX_PATH_LEN - 64)
    FARE_FAIL(FARE_ERR_INPUT, "output.directory: path too long");
  if (!lstat(directory, &about) && !S_ISDIR(about.st_mode) && !S_ISLNK(about.st_mode))
    FARE_FAIL(FARE_ERR_INPUT, "output.directory: %s exists and is not a directory", directory);
  if (!stat(directory, &about) && mode == FARE_RECORD_NEW)
    FARE_FAIL(FARE_ERR_INPUT,
      "output.directory: %s exists already; choose another (--set output.directory=...), replace it "
      "(--overwrite) or continue it (--resume)",
      directory);
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(folders); i++) {
    char path[PETSC_MAX_PATH_LEN];

    snprintf(path, sizeof path, "%s/%s", directory, folders[i]);
    if (!stat(path, &about) && !S_ISDIR(about.st_mode))
      FARE_FAIL(FARE_ERR_INPUT, "output.directory: %s exists and is not a directory", path);
  }
  existing_ancestor(directory, ancestor, sizeof ancestor);
  if (stat(ancestor, &about))
    FARE_FAIL(FARE_ERR_INPUT, "output.directory: %s: %s", ancestor, strerror(errno));
  if (!S_ISDIR(about.st_mode))
    FARE_FAIL(
      FARE_ERR_INPUT, "output.directory: cannot create %s: %s is not a directory", directory, ancestor);
  if (access(ancestor, W_OK | X_OK))
    FARE_FAIL(
      FARE_ERR_INPUT, "output.directory: cannot create %s: %s: %s", directory, ancestor, strerror(errno));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_record_check(MPI_Comm comm, const char *directory, fare_record_mode mode)
{
  return fare_error_agree(comm, fare_is_rank_0(comm) ? check_here(directory, mode) : 0);
}

/* Makes every missing directory on the way; when one cannot be made those made before it go again. */
static PetscErrorCode make_path(const char *directory)
{
  char   path[PETSC_MAX_PATH_LEN];
  char  *slash = path;
  size_t first = 0; /* length of the first one that was made here */

  PetscFunctionBegin;
  snprintf(path, sizeof path, "%s", directory);
  do {
    slash = strchr(slash + 1, '/');
    if (slash) *slash = '\0';
    if (!mkdir(path, 0777)) {
      first = first ? first : strlen(path);
    } else if (errno != EEXIST) {
      const int why = errno;

      for (char *end = path + strlen(path); first && end >= path + first; end--) {
        if (*end && *end != '/') continue;
        *end = '\0';
        rmdir(path);
      }
      FARE_FAIL(FARE_ERR_INPUT, "output.directory: cannot create %s: %s", directory, strerror(why));
    }
    if (slash) *slash = '/';
  } while (slash);
  PetscFunctionReturn(0);
}

/* The stem and digits, as snapshots and checkpoints are named; a checkpoint has its checksum, too. */
static int is_numbered(const char *name, const char *stem)
{
  const char *rest = name + strlen(stem);
  size_t      digits;

  if (strncmp(name, stem, strlen(stem))) return 0;
  digits = strspn(rest, "0123456789");
  rest += digits;
  if (*rest == '_') rest += 1 + strspn(rest + 1, "0123456789abcdef");
  return digits >= 6 && (!strcmp(rest, ".h5") || !strcmp(rest, ".h5.tmp"));
}

static void remove_numbered(const char *directory, const char *name, const char *stem)
{
  char           folder[PETSC_MAX_PATH_LEN + 16], path[PETSC_MAX_PATH_LEN + 300];
  DIR           *listing;
  struct dirent *entry;

  snprintf(folder, sizeof folder, "%.*s/%s", PETSC_MAX_PATH_LEN - 16, directory, name);
  listing = opendir(folder);
  while (listing && (entry = readdir(listing))) {
    if (!is_numbered(entry->d_name, stem)) continue;
    snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
    unlink(path);
  }
  if (listing) closedir(listing);
}

static void remove_named(const char *directory, const char *name)
{
  char path[PETSC_MAX_PATH_LEN + 300];

  snprintf(path, sizeof path, "%s/%s", directory, name);
  unlink(path);
  snprintf(path, sizeof path, "%s/%s.tmp", directory, name);
  unlink(path);
}

static void remove_figure(const char *directory, const char *figure)
{
  char name[128];

  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(planes); i++) {
    for (size_t j = 0; j < PETSC_STATIC_ARRAY_LENGTH(endings); j++) {
      snprintf(name, sizeof name, "figures/%s%s.%s", figure, planes[i], endings[j]);
      remove_named(directory, name);
    }
  }
}

static void remove_own(const char *directory)
{
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(own); i++) remove_named(directory, own[i]);
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(figures); i++) remove_figure(directory, figures[i]);
  remove_numbered(directory, "snapshots", "snapshot_");
  remove_numbered(directory, "checkpoints", "checkpoint_");
}

static PetscErrorCode make_here(const char *directory, fare_record_mode mode, fare_lock **lock)
{
  char           path[PETSC_MAX_PATH_LEN + 16], why[PETSC_MAX_PATH_LEN + 256];
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(make_path(directory));
  code = fare_lock_take(directory, lock);
  if (code && mode == FARE_RECORD_NEW) rmdir(directory);
  PetscCall(code);
  if (mode == FARE_RECORD_OVERWRITE) remove_own(directory);
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(folders) && !code; i++) {
    snprintf(path, sizeof path, "%s/%s", directory, folders[i]);
    if (mkdir(path, 0777) && errno != EEXIST)
      code = fare_error(FARE_ERR_INPUT, "output.directory: cannot create %s: %s", path, strerror(errno));
  }
  if (code) {
    snprintf(why, sizeof why, "%s", fare_error_message());
    PetscCall(fare_lock_release(lock));
    code = fare_error(code, "%s", why);
  }
  PetscFunctionReturn(code);
}

PetscErrorCode fare_record_create(
  MPI_Comm comm, const char *directory, fare_record_mode mode, fare_record **record)
{
  fare_lock *lock = NULL;

  PetscFunctionBegin;
  *record = NULL;
  PetscCall(fare_record_check(comm, directory, mode));
  PetscCall(fare_error_agree(comm, fare_is_rank_0(comm) ? make_here(directory, mode, &lock) : 0));
  PetscCall(PetscNew(record));
  (*record)->comm = comm;
  (*record)->lock = lock;
  snprintf((*record)->directory, sizeof(*record)->directory, "%s", directory);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_record_destroy(fare_record **record)
{
  PetscFunctionBegin;
  if (!*record) PetscFunctionReturn(0);
  PetscCall(fare_store_close(&(*record)->store));
  PetscCall(fare_lock_release(&(*record)->lock));
  PetscCall(PetscFree(*record));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_record_hold(const fare_record *record)
{
  return fare_error_agree(record->comm, fare_is_rank_0(record->comm) ? fare_lock_check(record->lock) : 0);
}

const char *fare_record_directory(const fare_record *record)
{
  return record->directory;
}

const char *fare_record_path(fare_record *record, const char *name)
{
  snprintf(record->path, sizeof record->path, "%s/%s", record->directory, name);
  return record->path;
}

static PetscErrorCode write_text(const char *path, const fare_text *text)
{
  char  temporary[PETSC_MAX_PATH_LEN + 80];
  FILE *file;
  int   bad;

  PetscFunctionBegin;
  snprintf(temporary, sizeof temporary, "%s.tmp", path);
  file = fopen(temporary, "w");
  if (!file) FARE_FAIL(FARE_ERR_FAILED, "%s: cannot be written: %s", temporary, strerror(errno));
  bad = fwrite(text->text, 1, text->length, file) != text->length;
  bad = fflush(file) || fsync(fileno(file)) || bad;
  bad = fclose(file) || bad;
  if (bad || rename(temporary, path)) {
    const int why = errno;

    unlink(temporary);
    FARE_FAIL(FARE_ERR_FAILED, "%s: cannot be written: %s", path, strerror(why));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_record_text(fare_record *record, const char *name, const fare_text *text)
{
  PetscErrorCode code = 0;

  PetscFunctionBegin;
  PetscCall(fare_record_hold(record));
  if (fare_is_rank_0(record->comm)) code = write_text(fare_record_path(record, name), text);
  PetscFunctionReturn(fare_error_agree(record->comm, code));
}

void fare_record_date(size_t size, char text[])
{
  const time_t now = time(NULL);
  struct tm    parts;

  gmtime_r(&now, &parts);
  strftime(text, size, "%Y-%m-%d %H:%M:%S +0000", &parts);
}
