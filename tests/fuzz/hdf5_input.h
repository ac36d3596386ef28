/* SPDX-License-Identifier: BSD-2-Clause */
/*
  An input as an HDF5 file: 'R' and the bytes of one; or what is patched in the bytes of a sound one ('P') or
  edited by HDF5 itself (any other), behind its number.
*/
#ifndef FARE_FUZZ_HDF5_INPUT_H
#define FARE_FUZZ_HDF5_INPUT_H

#include "driver.h"
#include "hdf5_edit.h"
#include "hdf5_memory.h"
#include "hdf5_patch.h"

#include <ctype.h>
#include <fcntl.h>
#include <sys/resource.h>

#if defined(FARE_LIBFUZZER) || defined(__SANITIZE_ADDRESS__)
/*
  what HDF5 does to memory over bytes that are no file is not ours to report: files are edited by HDF5
  itself, and numbers are patched
*/
#define FUZZ_RAW 0
#else
#define FUZZ_RAW 1
#endif

enum {
  INPUT_SOUND_MAX  = 4,
  INPUT_PATCHED    = 12 /* seeds of every sound file */,
  INPUT_EDITS_MOST = 4,
  INPUT_BY_DISK    = 64 /* one in so many inputs is read from the disk, as files are */
};

typedef struct {
  fuzz_input   file;
  patch_map    places;
  edit_objects objects;
} input_source;

static input_source input_sound[INPUT_SOUND_MAX];
static size_t       input_sounds;
static ssize_t      input_left; /* handles that HDF5 has left open itself, as it edited a file */

/* No more memory than a file of samples should take, and silence. */
static inline void input_begin(void)
{
  /* a dataset that was never written may claim any size */
  const struct rlimit most = {(rlim_t)2 << 30, (rlim_t)2 << 30};

  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
  if (FUZZ_RAW) setrlimit(RLIMIT_AS, &most);
  memory_begin();
  must(freopen("/dev/null", "w", stdout) != NULL, "silence");
}

static inline void input_write(const char *path, const uint8_t *data, size_t size)
{
  const int file = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);

  must(file >= 0 && write(file, data, size) == (ssize_t)size && !close(file), "writing an input");
}

static inline size_t input_load(const char *path, uint8_t to[FUZZ_LONGEST])
{
  const int     file = open(path, O_RDONLY);
  const ssize_t size = read(file, to, FUZZ_LONGEST);

  must(size >= 0 && !close(file), "an input");
  return (size_t)size;
}

/* A sound file becomes a seed of bytes, one of edits and some of patches. */
static inline void input_add(const char *path)
{
  static uint8_t bytes[FUZZ_LONGEST];
  input_source  *to = &input_sound[input_sounds];
  hid_t          file;

  must(input_sounds < INPUT_SOUND_MAX, "more sound files than there is room for");
  to->file.size = input_load(path, to->file.data);
  must(to->file.size < FUZZ_LONGEST, "a sound file that fits an input");
  patch_find(to->file.data, to->file.size, &to->places);
  file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
  must(
    !H5Ovisit2(file, H5_INDEX_NAME, H5_ITER_INC, edit_seen, &to->objects, H5O_INFO_BASIC) && !H5Fclose(file),
    "looking through a sound file");
  for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)(i * i * 37 + i * 11 + input_sounds);
  for (size_t i = 0; i < INPUT_PATCHED; i++) {
    uint8_t *seed = bytes + 64 * i;

    seed[0] = 'P';
    seed[1] = (uint8_t)input_sounds;
    fuzz_add_seed(seed, 2 + i % 4 * PATCH_BYTES);
  }
  for (size_t i = 0; i < (FUZZ_RAW ? 1 : INPUT_PATCHED); i++) {
    uint8_t *seed = bytes + 64 * i;

    seed[0] = (uint8_t)input_sounds;
    fuzz_add_seed(seed, 1 + 2 * EDIT_BYTES);
  }
  input_sounds++;
  bytes[0] = 'R';
  memcpy(bytes + 1, to->file.data, to->file.size);
  if (FUZZ_RAW) fuzz_add_seed(bytes, 1 + to->file.size);
}

/* Writes the file that the input means. */
static inline void input_make(
  const char *path, const uint8_t *data, size_t size, const char *const names[], size_t count)
{
  static uint8_t      bytes[FUZZ_LONGEST];
  const int           raw = size && *data == 'R', patched = size > 1 && *data == 'P';
  const input_source *from = &input_sound[size ? data[patched] % input_sounds : 0];

  if (raw) {
    input_write(path, data + 1, FUZZ_RAW ? size - 1 : 0);
  } else if (patched) {
    memcpy(bytes, from->file.data, from->file.size);
    for (size_t at = 2; at + PATCH_BYTES <= size; at += PATCH_BYTES)
      patch(bytes, &from->places, data + at, !FUZZ_RAW);
    input_write(path, bytes, from->file.size);
  } else {
    input_write(path, from->file.data, from->file.size);
    if (size)
      edit_file(
        path, &from->objects, data + 1, PetscMin(size - 1, INPUT_EDITS_MOST * EDIT_BYTES), names, count);
  }
  input_left   = H5Fget_obj_count(H5F_OBJ_ALL, H5F_OBJ_ALL);
  memory_is_on = (size + (size ? data[size - 1] : 0)) % INPUT_BY_DISK ? 1 : 0;
}

/* Over a list that goes in a circle HDF5 takes all the memory there is, fails, and does not give it back. */
static inline void input_must_leave_memory(void)
{
  void *volatile room = malloc(1 << 25);

  if (!room) _exit(FUZZ_LIBRARY);
  free(room);
}

/* A handle that is left open is ours, unless HDF5 could not close what was no file. */
static inline void input_done(const uint8_t *data, size_t size)
{
  ssize_t left;

  memory_end();
  left = H5Fget_obj_count(H5F_OBJ_ALL, H5F_OBJ_ALL);
  must(left <= input_left || (size && (*data == 'R' || *data == 'P')), "a handle that is left open");
  if (left) fuzz_is_spoilt = 1;
}

/* A refusal is ours, says something, and says it in one line. */
static inline void input_must_be_refusal(PetscErrorCode code, int failed_too)
{
  must(
    code == FARE_ERR_INPUT || (failed_too && code == FARE_ERR_FAILED), "an error other than FARE_ERR_INPUT");
  must(*fare_error_message() != '\0', "a refusal without a word");
  for (const char *c = fare_error_message(); *c; c++)
    must(!iscntrl((unsigned char)*c), "a message of more than one line");
}

#endif
