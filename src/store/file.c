/* SPDX-License-Identifier: BSD-2-Clause */
/*
  A file from its first byte to its name: written aside, reserved before it is written, verified and flushed
  before it is named.
*/
#ifdef __linux__
#define _GNU_SOURCE /* fallocate */
#endif
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static fare_store *opened;
static PetscBool   finish_is_registered;

const char *fare_store_library(void)
{
  static char version[32];
  unsigned    major, minor, release;

  H5get_libversion(&major, &minor, &release);
  snprintf(version, sizeof version, "%u.%u.%u", major, minor, release);
  return version;
}

/*
  For reading: every rank by itself, for HDF5 waits for ranks that have failed where it reads by way of
  MPI-IO.
*/
static hid_t reading_list(void)
{
  const hid_t list = H5Pcreate(H5P_FILE_ACCESS);

  if (list < 0) return list;
  H5Pset_fclose_degree(list, H5F_CLOSE_SEMI);
  H5Pset_file_locking(list, 1, 1); /* who still writes it is noticed, where the file system can tell */
  return list;
}

static hid_t access_list(MPI_Comm comm)
{
  const hid_t list = H5Pcreate(H5P_FILE_ACCESS);

  if (list < 0) return list;
  H5Pset_fapl_mpio(list, comm, MPI_INFO_NULL);
  H5Pset_coll_metadata_write(list, 1);
  H5Pset_fclose_degree(list, H5F_CLOSE_SEMI); /* a handle that leaked makes the close fail, and is found */
  H5Pset_libver_bounds(list, H5F_LIBVER_EARLIEST, H5F_LIBVER_LATEST);
  return list;
}

/* What an error left open when the program ends has no name, and nothing of it stays. */
static PetscErrorCode finish(void)
{
  PetscFunctionBegin;
  finish_is_registered = PETSC_FALSE;
  while (opened) {
    fare_store *last = opened;

    (void)fare_store_close(&last); /* there is a message already */
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode store_new(MPI_Comm comm, const char *path, PetscBool writing, fare_store **store)
{
  fare_store *s;

  PetscFunctionBegin;
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL); /* HDF5 prints nothing itself */
  if (!finish_is_registered) PetscCall(PetscRegisterFinalize(finish));
  finish_is_registered = PETSC_TRUE;
  PetscCall(PetscNew(&s));
  s->place   = -1;
  s->next    = opened;
  opened     = s;
  s->comm    = comm;
  s->file    = -1;
  s->writing = writing;
  snprintf(s->path, sizeof s->path, "%s", path);
  snprintf(s->temporary, sizeof s->temporary, "%s.tmp", s->path);
  *store = s;
  PetscFunctionReturn(0);
}

static PetscErrorCode store_free(fare_store **store)
{
  fare_store **at = &opened;

  PetscFunctionBegin;
  while (*at != *store) at = &(*at)->next;
  *at = (*store)->next;
  if ((*store)->place >= 0) close((*store)->place);
  PetscCall(PetscFree(*store));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_store_reserve(fare_store *store, uint64_t from, uint64_t length)
{
  PetscErrorCode code = 0;

  PetscFunctionBegin;
  /* the reservation alone would pass a limit that the write then meets */
  if (store->place >= 0 && length && from + length > store->limit)
    code = fare_error(FARE_ERR_FAILED, "%s: cannot be written: %s (ulimit -f)", store->path, strerror(EFBIG));
#ifdef __linux__
  if (!code && store->place >= 0 && length &&
    fallocate(store->place, FALLOC_FL_KEEP_SIZE, (off_t)from, (off_t)length) && errno != EOPNOTSUPP &&
    errno != ENOSYS && errno != EINTR) {
    code = fare_error(FARE_ERR_FAILED, "%s: cannot be written: %s", store->path, strerror(errno));
  }
#endif
  PetscFunctionReturn(fare_error_agree(store->comm, code));
}

/* Bytes in the file at present; 0 on other ranks than the first. */
static uint64_t size_of(const fare_store *store)
{
  struct stat about;

  return store->place < 0 || fstat(store->place, &about) ? 0 : (uint64_t)about.st_size;
}

PetscErrorCode fare_store_reserve_end(fare_store *store, uint64_t length)
{
  return fare_store_reserve(store, PetscMax(store->end, size_of(store)), length);
}

/*
  A file that will be thrown away gives its room back first, so that HDF5 can close it on a full disk too.
  Collective.
*/
static PetscErrorCode give_up(fare_store *store)
{
  PetscFunctionBegin;
  if (store->place >= 0 && ftruncate(store->place, 0))
    fare_warn("%s: cannot be emptied: %s", store->temporary, strerror(errno));
  PetscCallMPI(MPI_Barrier(store->comm));
  PetscFunctionReturn(0);
}

/* What never became an HDF5 file. */
static PetscErrorCode discard(fare_store **store)
{
  PetscFunctionBegin;
  if ((*store)->place >= 0) unlink((*store)->temporary);
  PetscCall(store_free(store));
  PetscFunctionReturn(0);
}

static uint64_t limit_of_files(void)
{
  struct rlimit limit;

  return getrlimit(RLIMIT_FSIZE, &limit) || limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX
                                                                            : (uint64_t)limit.rlim_cur;
}

MPI_Comm fare_store_comm(const fare_store *store)
{
  return store->comm;
}

PetscErrorCode fare_store_create(MPI_Comm comm, const char *path, fare_store **store)
{
  PetscErrorCode code = 0;
  fare_store    *s;
  hid_t          how;

  PetscFunctionBegin;
  *store = NULL;
  PetscCall(store_new(comm, path, PETSC_TRUE, &s));
  /* whether the place can be written at all is tried by one rank, so that all hear the same plain reason */
  if (fare_is_rank_0(comm)) {
    s->place = open(s->temporary, O_CREAT | O_WRONLY | O_TRUNC, 0666);
    if (s->place < 0)
      code = fare_error(FARE_ERR_FAILED, "%s: cannot be written: %s", s->temporary, strerror(errno));
  }
  code     = fare_error_agree(comm, code);
  s->limit = limit_of_files();
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &s->limit, 1, MPI_UINT64_T, MPI_MIN, comm));
  if (!code) code = fare_store_reserve(s, 0, FARE_STORE_HEADROOM);
  if (!code) {
    how     = access_list(comm);
    s->file = H5Fcreate(s->temporary, H5F_ACC_TRUNC, H5P_DEFAULT, how);
    code    = fare_error_agree(comm, s->file < 0 ? fare_store_failed(s->temporary, "cannot be created") : 0);
    H5Pclose(how);
  }
  /* once more, for it was emptied as it was created */
  if (!code) code = fare_store_reserve(s, 0, FARE_STORE_HEADROOM);
  if (code) PetscCall(s->file < 0 ? discard(&s) : fare_store_close(&s));
  *store = s;
  PetscFunctionReturn(code);
}

static int sync_directory(const char *path)
{
  const int directory = open(path, O_RDONLY | O_DIRECTORY);
  int       result;

  if (directory < 0) return -1;
  result = fsync(directory);
  close(directory);
  return result;
}

static herr_t seen(hid_t object, const char *name, const H5O_info_t *about, void *context)
{
  (void)object, (void)name, (void)about, (void)context;
  return 0;
}

/* Whether all that describes the data can be read, as the first reader will. By one rank. */
static PetscErrorCode verify(const fare_store *store)
{
  const hid_t    file = H5Fopen(store->temporary, H5F_ACC_RDONLY, H5P_DEFAULT);
  PetscErrorCode code = 0;

  if (file < 0 || H5Ovisit2(file, H5_INDEX_NAME, H5_ITER_NATIVE, seen, NULL, H5O_INFO_BASIC) < 0)
    code = fare_store_failed(store->temporary, "was not written completely (disk full?)");
  if (file >= 0) H5Fclose(file);
  return code;
}

/* Data on the disk before the name is. By one rank. */
static PetscErrorCode give_name(const fare_store *store)
{
  char parent[PETSC_MAX_PATH_LEN];

  snprintf(parent, sizeof parent, "%s", store->path);
  if (fsync(store->place) || rename(store->temporary, store->path) || sync_directory(dirname(parent)))
    return fare_error(FARE_ERR_FAILED, "%s: cannot be completed: %s", store->path, strerror(errno));
  return 0;
}

PetscErrorCode fare_store_commit(fare_store **store)
{
  fare_store     *s         = *store;
  const PetscBool is_rank_0 = fare_is_rank_0(s->comm);
  PetscErrorCode  code      = 0;

  PetscFunctionBegin;
  code = fare_store_reserve(s, size_of(s), FARE_STORE_HEADROOM);
  if (!code)
    code = fare_error_agree(s->comm,
      H5Fflush(s->file, H5F_SCOPE_LOCAL) < 0
        ? fare_store_failed(s->temporary, "cannot be completed (disk full?)")
        : 0);
  if (!code) code = fare_store_reserve(s, 0, size_of(s));
  if (code) PetscCall(give_up(s));
  if (H5Fclose(s->file) < 0 && !code)
    code = fare_store_failed(s->temporary, "cannot be completed (disk full, or a handle left open)");
  code = fare_error_agree(s->comm, code);
  /* gives back what was held free */
  if (is_rank_0 && !code && ftruncate(s->place, (off_t)size_of(s)))
    code = fare_error(FARE_ERR_FAILED, "%s: cannot be completed: %s", s->path, strerror(errno));
  if (is_rank_0 && !code) code = verify(s);
  if (is_rank_0 && !code) code = give_name(s);
  if (is_rank_0 && code) unlink(s->temporary);
  code = fare_error_agree(s->comm, code);
  PetscCall(store_free(store));
  PetscFunctionReturn(code);
}

static PetscErrorCode open_here(fare_store *store)
{
  hid_t how;

  PetscFunctionBegin;
  PetscCall(fare_store_look_at_file(store->path));
  how         = reading_list();
  store->file = H5Fopen(store->path, H5F_ACC_RDONLY, how);
  if (store->file < 0) (void)fare_store_failed(store->path, "not a whole HDF5 file");
  H5Pclose(how);
  PetscFunctionReturn(store->file < 0 ? FARE_ERR_FAILED : 0);
}

PetscErrorCode fare_store_open(MPI_Comm comm, const char *path, fare_store **store)
{
  PetscErrorCode code = 0;
  fare_store    *s;

  PetscFunctionBegin;
  *store = NULL;
  PetscCall(store_new(comm, path, PETSC_FALSE, &s));
  if (fare_is_rank_0(comm)) code = open_here(s);
  code = fare_error_agree(comm, code);
  if (!code) code = fare_error_agree(comm, fare_is_rank_0(comm) ? 0 : open_here(s));
  if (code && s->file >= 0) H5Fclose(s->file);
  if (code) PetscCall(store_free(&s));
  *store = s;
  PetscFunctionReturn(code);
}

PetscErrorCode fare_store_close(fare_store **store)
{
  fare_store    *s = *store;
  PetscErrorCode code;

  PetscFunctionBegin;
  if (!s) PetscFunctionReturn(0);
  if (s->writing) PetscCall(give_up(s));
  code =
    fare_error_agree(s->comm, H5Fclose(s->file) < 0 ? fare_store_failed(s->path, "cannot be closed") : 0);
  if (s->writing && fare_is_rank_0(s->comm)) unlink(s->temporary);
  PetscCall(store_free(store));
  PetscFunctionReturn(code);
}
