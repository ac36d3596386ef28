/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Size and checksum of a file, read back by all ranks together: each takes a part, and CRC-32s of parts join
  to that of the whole.
*/
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define PART  (16u << 20) /* bytes below which another rank would not help */
#define PIECE (1u << 20)  /* bytes read at a time */

typedef struct {
  uint64_t bytes, sum;
} part;

/* The bytes [from, from + length) of a file. */
static PetscErrorCode sum_part(const char *path, uint64_t from, uint64_t length, part *p)
{
  unsigned char *piece = malloc(PIECE);
  const int      file  = open(path, O_RDONLY);
  ssize_t        got   = 1;
  int            why   = 0;

  PetscFunctionBegin;
  if (file < 0) why = errno;
  p->bytes = 0;
  p->sum   = crc32(0, NULL, 0);
  while (piece && file >= 0 && p->bytes < length && got > 0) {
    got = pread(file, piece, (size_t)PetscMin(PIECE, length - p->bytes), (off_t)(from + p->bytes));
    if (got < 0) why = errno;
    if (got <= 0) break;
    p->sum = crc32_z(p->sum, piece, (size_t)got);
    p->bytes += (uint64_t)got;
  }
  if (file >= 0) close(file);
  free(piece);
  if (!piece) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  if (!why && p->bytes < length) why = EIO;
  if (why) FARE_FAIL(FARE_ERR_FAILED, "%s: cannot be read: %s", path, strerror(why));
  PetscFunctionReturn(0);
}

/* On every rank, as the first sees it. */
static PetscErrorCode size_of(MPI_Comm comm, const char *path, uint64_t *bytes)
{
  PetscErrorCode code = 0;
  struct stat    about;

  PetscFunctionBegin;
  if (fare_is_rank_0(comm) && stat(path, &about))
    code = fare_error(FARE_ERR_FAILED, "%s: %s", path, strerror(errno));
  else if (fare_is_rank_0(comm))
    *bytes = (uint64_t)about.st_size;
  PetscCall(fare_error_agree(comm, code));
  PetscCallMPI(MPI_Bcast(bytes, 1, MPI_UINT64_T, 0, comm));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_store_checksum(MPI_Comm comm, const char *path, fare_checksum *checksum)
{
  part           mine  = {0, 0}, *all;
  uint64_t       bytes = 0, readers;
  int            rank, ranks;
  PetscErrorCode code = 0;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCallMPI(MPI_Comm_size(comm, &ranks));
  PetscCall(size_of(comm, path, &bytes));
  readers = PetscMin((uint64_t)ranks, bytes / PART + 1);
  if ((uint64_t)rank < readers) {
    const uint64_t from = bytes / readers * (uint64_t)rank,
                   to   = (uint64_t)rank + 1 == readers ? bytes : from + bytes / readers;

    code = sum_part(path, from, to - from, &mine);
  }
  PetscCall(fare_error_agree(comm, code));
  PetscCall(PetscMalloc1(ranks, &all));
  PetscCallMPI(MPI_Allgather(&mine, 2, MPI_UINT64_T, all, 2, MPI_UINT64_T, comm));
  checksum->bytes = bytes;
  checksum->crc32 = all[0].sum;
  for (uint64_t i = 1; i < readers; i++)
    checksum->crc32 = crc32_combine(checksum->crc32, all[i].sum, (z_off_t)all[i].bytes);
  PetscCall(PetscFree(all));
  PetscFunctionReturn(0);
}
